//! Facts about behaviour, read off what is kept. Nothing changes here.

use onesec_telemetry::event::Category;
use onesec_telemetry::{ActionClass, AgentId, Details, Record};

use super::act::{act_of, is_recipient};
use super::conduct::{Conduct, Habits};
use super::lineage;
use super::memory::{self, Piece, Write};
use super::places::places;
use super::taint::Taint;
use super::tasks::{Bounded, Task};
use crate::facts::{
    Act, AgentFacts, BehaviourFacts, MandateFacts, MandateSource, MemoryFacts, ScopeFacts, TaintFacts, TextFacts,
    UsageFacts,
};
use crate::trackers::State;
use crate::window::Class;

/// The agent of a record, and what its behaviour is looked up by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) agent: Option<&'a AgentId>,
    pub(crate) hash: u64,
    pub(crate) class: Class,
}

impl<'a> Who<'a> {
    /// Whose word the record is: somebody's with authority is as good as what was seen.
    pub(crate) fn of(agent: Option<&'a AgentId>, hash: u64, record: &Record) -> Self {
        let class = if record.has_authority() { Class::Proved } else { Class::of(record) };
        Self { agent, hash, class }
    }
}

impl State {
    /// What the record is, as behaviour; `None` where it is none, or an exchange under nobody's influence and mandate.
    pub(crate) fn behaviour_facts<'a>(
        &'a self,
        who: Who<'a>,
        record: &'a Record,
        (agent, scopes): (Option<&AgentFacts<'a>>, Option<&ScopeFacts<'_>>),
    ) -> Option<Box<BehaviourFacts<'a>>> {
        let Some(event) = record.event() else { return self.decision_facts(record) };
        let kind = &event.details;
        let vault = matches!(kind, Details::TokenExchange(_) | Details::ConnectedAccountUsage(_));
        if !vault && !concerns_behaviour(kind) {
            return None;
        }
        let conduct = self.conduct(who);
        let task = event.common.task_id.as_ref().and_then(|task| self.task(task.as_str()));
        let stopped = self.stopped(who).is_some();
        let bound = task.is_some() || self.default_mandate(who).is_some();
        if vault && conduct.is_none() && !bound && !stopped {
            return None;
        }
        let mut act = act_of(event);
        if let (Some(act), Some(scopes)) = (&mut act, scopes) {
            self.add_scopes(act, record, scopes);
        }
        let mandate = self.mandate_facts(who, record, (act.as_ref(), conduct, task));
        let taint = self.taint_facts(who, record, (act.as_ref(), conduct, task));
        let poisoned = self.poison_of(who, record, (conduct, task));
        let free = mandate.outside.is_none() && mandate.ended.is_none() && !stopped;
        if vault && taint.is_none() && free && poisoned.is_none() {
            return None;
        }
        let memory = self.memory_facts(who, record, (taint.as_ref(), poisoned));
        let usage = act.as_ref().filter(|_| calls(kind)).map(|act| self.usage_facts(act, record, (who, conduct)));
        let mut facts =
            BehaviourFacts { mandate, taint, text: self.text_facts(record), usage, memory, ..<_>::default() };
        facts.manifests = self.manifest_facts(who, record, act.as_ref());
        facts.lineage = self.lineage_facts(who, record);
        facts.message = self.message_facts(who, record, agent);
        if let Some(message) = &mut facts.message {
            message.tainted = facts.taint.is_some();
        }
        facts.spread = self.spread_facts(who, record, act.as_ref());
        facts.approval = self.approval_facts(record);
        facts.web = self.web_facts(who, record);
        facts.payment = self.payment_facts(who, record);
        facts.act = act;
        Some(Box::new(facts))
    }

    /// A person's decision at our own API.
    fn decision_facts<'a>(&'a self, record: &Record) -> Option<Box<BehaviourFacts<'a>>> {
        let approval = self.approval_facts(record)?;
        Some(Box::new(BehaviourFacts { approval: Some(approval), ..<_>::default() }))
    }

    pub(crate) fn conduct(&self, who: Who<'_>) -> Option<&Conduct> {
        let (agent, agents) = (who.agent?.as_str(), &self.behaviour.agents);
        if agents.len() == 0 {
            return None;
        }
        let slot = agents.find(who.hash, |known| *known.agent == *agent)?;
        agents.get(slot)
    }

    pub(crate) fn task(&self, task: &str) -> Option<&Task> {
        self.task_slot(task).and_then(|slot| self.behaviour.tasks.get(slot))
    }

    fn default_mandate(&self, who: Who<'_>) -> Option<&onesec_telemetry::Mandate> {
        let registration = self.registry.find(who.hash, who.agent?.as_str())?;
        registration.mandate.as_ref()
    }

    /// What a token is asked for, as kinds of act.
    fn add_scopes(&self, act: &mut Act<'_>, record: &Record, scopes: &ScopeFacts<'_>) {
        if matches!(record.event().map(|e| &e.details), Some(Details::TokenExchange(_))) && !scopes.effective.is_empty()
        {
            let connection = record.connection().map_or("", AsRef::as_ref);
            act.classes = self.meaning(connection).acts(&scopes.effective);
        }
    }

    fn mandate_facts<'a>(
        &'a self,
        who: Who<'a>,
        record: &Record,
        (act, conduct, task): (Option<&Act<'_>>, Option<&'a Conduct>, Option<&'a Task>),
    ) -> MandateFacts<'a> {
        let Some(agent) = who.agent else { return MandateFacts::default() };
        let connection = record.connection().map(AsRef::as_ref);
        let outside = |bounds: &Bounded| act.and_then(|act| bounds.outside(act, connection));
        let mut facts = MandateFacts::default();
        let mut claimed = None;
        if let Some(task) = task {
            let own = *task.agent == *agent.as_str() || self.comes_from(agent.as_str(), &task.agent);
            facts.ended = task.ended.filter(|_| task.stated);
            facts.foreign = if own { None } else { task.agent.id() };
            if own && task.stated && task.bounds.is_stated() {
                (facts.source, facts.outside) = (MandateSource::Task, outside(&task.bounds));
                (facts.task, facts.goal) = (Some(&*task.id), task.goal.as_deref());
                return facts;
            }
            claimed = Some(task).filter(|task| own && task.bounds.is_stated());
        }
        if let Some(mandate) = self.default_mandate(who) {
            (facts.source, facts.outside) = (MandateSource::Agent, outside(&Bounded::of_agent(mandate)));
            return facts;
        }
        let live = conduct.into_iter().flat_map(|conduct| conduct.tasks.iter().rev());
        // A task that ended may have been begun anew by another agent.
        let own = |task: &&Task| *task.agent == *agent.as_str() && task.ended.is_none() && task.bounds.is_stated();
        let live = live.filter_map(|(id, _)| self.task(id)).filter(own);
        // Whoever leaves out the task is measured against what it works on; any of it may be meant.
        let best = live.min_by_key(|task| (!task.stated, outside(&task.bounds).is_some()));
        if let Some(task) = claimed.or(best) {
            facts.source = if task.stated { MandateSource::Task } else { MandateSource::Claimed };
            (facts.outside, facts.task, facts.goal) = (outside(&task.bounds), Some(&*task.id), task.goal.as_deref());
        }
        facts
    }

    /// Whether every step up from `agent` to `ancestor` is vouched for.
    pub(crate) fn comes_from(&self, agent: &str, ancestor: &str) -> bool {
        for parent in lineage::above(&self.behaviour.born, &self.shared.seed, (agent, Class::Proved)) {
            if !parent.vouched {
                return false;
            }
            if *parent.agent == *ancestor {
                return true;
            }
        }
        false
    }

    /// The taint that counts: the task's before the agent's, and hearsay only for hearsay.
    fn taint_facts<'a>(
        &'a self,
        who: Who<'_>,
        record: &Record,
        (act, conduct, task): (Option<&Act<'_>>, Option<&'a Conduct>, Option<&'a Task>),
    ) -> Option<TaintFacts<'a>> {
        let of_task = sides(task.map(|task| &task.taint), who.class).map(|taint| (taint, true));
        let of_agent = sides(conduct.map(|conduct| &conduct.taint), who.class).map(|taint| (taint, false));
        let all = of_task.chain(of_agent);
        let counting = all.filter_map(|(taint, of_task)| Some((taint.facts(record.at, of_task)?, taint)));
        let (mut facts, taint) =
            counting.max_by_key(|(facts, _)| (facts.instructed.is_some(), facts.sensitive.is_some()))?;
        let recipients: Vec<u64> = act.map(recipients).unwrap_or_default();
        facts.recipient_named = taint.names(&recipients);
        Some(facts)
    }

    fn poison_of<'a>(
        &'a self,
        who: Who<'_>,
        record: &Record,
        (conduct, task): (Option<&'a Conduct>, Option<&'a Task>),
    ) -> Option<crate::facts::PoisonFacts<'a>> {
        let of_agent = sides(conduct.map(|conduct| &conduct.taint), who.class);
        let of_task = sides(task.map(|task| &task.taint), who.class);
        of_agent.chain(of_task).find_map(|taint| taint.poison(record))
    }

    fn memory_facts<'a>(
        &'a self,
        who: Who<'a>,
        record: &'a Record,
        (taint, poisoned): (Option<&TaintFacts<'a>>, Option<crate::facts::PoisonFacts<'a>>),
    ) -> Option<MemoryFacts<'a>> {
        let details = &record.event()?.details;
        if let Some(write) = Write::of(details) {
            let key = write.key.map_or("", |key| key.as_str());
            return Some(MemoryFacts { key, from: taint.map(|taint| taint.event), poisoned: None });
        }
        if let Details::AgentMemoryRead(read) = details {
            let found = self.poisoned_piece(who, read.key.as_str()).filter(|poison| memory::is_others(poison, record));
            let poisoned = found.map(|poison| poison.facts(record, None));
            return Some(MemoryFacts { key: read.key.as_str(), from: None, poisoned });
        }
        poisoned.map(|poison| MemoryFacts { key: poison.key, from: None, poisoned: Some(poison) })
    }

    /// The poison in what is read under `key`. What the agent itself wrote there last is what it reads.
    pub(crate) fn poisoned_piece(&self, who: Who<'_>, key: &str) -> Option<&super::taint::Poison> {
        let agent = who.agent?.as_str();
        let counts = |piece: &&Piece| piece.proved || who.class == Class::Reported;
        let pieces = memory::spaces(agent, key).into_iter().filter_map(|(space, key)| self.piece(space, key));
        let mut pieces = pieces.filter(counts);
        let first = pieces.next()?;
        let own = *first.space == *agent && *first.key == *key;
        first.poison.as_deref().or_else(|| if own { None } else { pieces.find_map(|piece| piece.poison.as_deref()) })
    }

    pub(crate) fn piece(&self, space: &str, key: &str) -> Option<&Piece> {
        let is = |known: &Piece| *known.space == *space && *known.key == *key;
        let slot = self.behaviour.memory.find(self.shared.seed.pair(space, key), is)?;
        self.behaviour.memory.get(slot)
    }

    fn usage_facts(&self, act: &Act<'_>, record: &Record, (who, conduct): (Who<'_>, Option<&Conduct>)) -> UsageFacts {
        let habits = conduct.and_then(|conduct| conduct.habits.get(who.class)).unwrap_or(Habits::NONE);
        habits.facts(act, record.at)
    }

    fn text_facts(&self, record: &Record) -> Option<TextFacts> {
        let score = record.text.as_deref()?;
        let least = self.behaviour.least;
        let counting = score.parts.iter().filter(|part| part.reach >= least);
        let value = counting.map(|part| part.value).max()?;
        Some(TextFacts { reach: score.reach(), value, signals: score.signals(least) })
    }
}

/// The sides of a split that may judge a record of this class.
pub(crate) fn sides<'a>(
    split: Option<&'a crate::window::Split<Taint>>,
    class: Class,
) -> impl Iterator<Item = &'a Taint> + use<'a> {
    let proved = split.and_then(|split| split.get(Class::Proved));
    let reported = split.and_then(|split| split.get(Class::Reported)).filter(|_| class == Class::Reported);
    proved.into_iter().chain(reported)
}

/// To whom something goes: the target, what stands under a telling name, and whatever is an address or a link.
pub(crate) fn recipients(act: &Act<'_>) -> Vec<u64> {
    let leaves =
        act.classes.iter().any(|class| matches!(class, ActionClass::Send | ActionClass::Pay | ActionClass::Execute));
    let mut found = Vec::new();
    for argument in act.arguments.iter().filter(|argument| leaves || is_recipient(&argument.key)) {
        found.extend(places(&argument.text));
    }
    found.extend(act.target.map(places).unwrap_or_default());
    found
}

/// Whether an act is a call of something.
const fn calls(details: &Details) -> bool {
    matches!(details, Details::ToolCall(_) | Details::FunctionCall(_) | Details::AgentAction(_))
}

/// Kinds that tell of behaviour.
const fn concerns_behaviour(details: &Details) -> bool {
    matches!(details.kind().category(), Category::Agents | Category::AgenticWeb | Category::AiServices)
}
