//! What an exchange leaves of how far its agent reaches, once it is known what became of it.

use std::time::Duration;

use onesec_telemetry::{Attribution, Body, Channel, Command, Details, EventId, Record, Timestamp};

use super::{BURST_WINDOW, is_undelegated, success};
use crate::config::{ProbingLimits, RateLimit};
use crate::exchange::{Side, View};
use crate::facts::{AccessFacts, FAIL_WINDOW, FAN_WINDOW, LostFacts, WAKING};
use crate::reach::{Attempt, Failing, MOST_CONNECTIONS, MOST_UNDELEGATED, MOST_USERS, Reach, Stage, TaskFor, Waking};
use crate::shared::{Sym, stable_hash};
use crate::trackers::look::{Act, Look};
use crate::trackers::stash::Stash;
use crate::trackers::{Settled, State};
use crate::window::{Class, Split, Window};

/// What settling needs to know of an exchange.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::trackers) struct Reached {
    /// Nobody delegated the connection.
    undelegated: bool,
    /// How it ended, where the record says so.
    success: Option<bool>,
    /// It ended as exchanges end when a provider is down.
    outage: bool,
    /// Its agent has been known for a day.
    settled: bool,
    /// Its agent serves many.
    serves_many: bool,
    /// Auth0 will tell of it.
    pub(super) to_be_told: bool,
    /// Of an exchange of the gateway: how it ended at Auth0.
    pub(super) ended: Option<Stage>,
}

impl State {
    /// What people decided, and what tasks are for.
    pub(in crate::trackers) fn commit_reach(&mut self, record: &Record) {
        if !record.has_authority() {
            return;
        }
        match &record.body {
            Body::Command(Command::AddCanary(canary)) => self.reach.canaries.add(canary),
            Body::Command(Command::RemoveCanary { id }) => self.reach.canaries.remove(id.as_str()),
            Body::Command(Command::SetLedgerComplete { connection, complete: true })
                if self.reach.complete.len() < MOST_CONNECTIONS =>
            {
                let name = self.shared.name(connection.as_str());
                self.reach.complete.insert(name);
            }
            Body::Command(Command::SetLedgerComplete { connection, complete: false }) => {
                self.reach.complete.remove(connection.as_str());
            }
            Body::Event(event) if matches!(event.details, Details::TaskStart(_)) && !record.late => {
                let Some(task) = &event.common.task_id else { return };
                let user = record.user().map(|user| self.shared.name(user.as_str()));
                let owner = record.sender.key.as_ref().map(|key| self.shared.name(key.as_ref()));
                self.state_task(("", task.as_str()), owner, (Class::Proved, user));
            }
            _ => {}
        }
    }

    fn state_task(&mut self, (agent, task): (&str, &str), owner: Option<Sym>, (class, user): (Class, Option<Sym>)) {
        let hash = self.shared.seed.pair(agent, task);
        let tasks = &self.reach.tasks;
        let slot = tasks.find(hash, |known| &*known.agent == agent && &*known.task == task).unwrap_or_else(|| {
            let (agent, task) = (self.shared.name(agent), self.shared.name(task));
            self.reach.tasks.insert(hash, owner, TaskFor { agent, task, users: Split::default() }).0
        });
        if let Some(known) = self.reach.tasks.get_mut(slot) {
            *known.users.get_mut(class) = user;
        }
    }

    /// What of a record settling will ask for.
    pub(in crate::trackers) fn reached(
        &self,
        look: &Look<'_>,
        record: &Record,
        access: Option<&AccessFacts<'_>>,
    ) -> Reached {
        let gateway = record.sender.channel == Channel::Gateway;
        let known = look.agent_slot.and_then(|slot| self.exchange.agents.get(slot));
        let first = known.and_then(|agent| agent.sides.get(Class::Proved)).and_then(|side| side.first);
        let registration = look.agent.and_then(|agent| self.registry.find(look.agent_hash, agent.as_str()));
        let noted = gateway && self.reach.watching.since.is_some();
        Reached {
            undelegated: access.is_some_and(is_undelegated),
            success: success(record),
            outage: gateway && is_outage(record),
            settled: first.is_some_and(|first| look.at.since(first) >= SETTLED_AFTER),
            serves_many: registration.is_some_and(|r| r.class == onesec_telemetry::AgentClass::Service),
            to_be_told: noted && look.act == Act::Ask,
            ended: if noted { ended(record) } else { None },
        }
    }

    pub(in crate::trackers) fn settle_reach(&mut self, stash: &Stash, settled: Settled, slot: u32) {
        if stash.act == Act::None || stash.act == Act::Use {
            return;
        }
        let (limits, rest_after, rate) = (self.config.probing, self.config.rest_after, self.config.exchange_rate);
        let Some(agent) = self.exchange.agents.get_mut(slot) else { return };
        let Side { window, reach, .. } = agent.sides.get_mut(stash.class);
        reach.settle(stash, settled, Measures { window, rate: &rate, limits, rest_after });
        self.settle_failing(stash);
        self.settle_task(stash, settled);
        self.settle_untold(stash, settled);
    }

    fn settle_failing(&mut self, stash: &Stash) {
        let Reached { outage: true, settled: true, .. } = stash.reached else { return };
        let hash = self.shared.seed.of(&stash.connection);
        let slot = self.reach.failing.find(hash, |known| *known.connection == *stash.connection).unwrap_or_else(|| {
            let connection = self.shared.name(&stash.connection);
            self.reach.failing.insert(hash, None, Failing { connection, agents: Default::default() }).0
        });
        if let Some(known) = self.reach.failing.get_mut(slot) {
            known.agents.note(stash.at, stable_hash(&[&stash.agent]), (FAIL_WINDOW, MOST_UNDELEGATED));
        }
    }

    fn settle_task(&mut self, stash: &Stash, settled: Settled) {
        let passed = settled != Settled::Refused && stash.view.is_some_and(View::counts);
        if !passed || stash.task.is_empty() || stash.user.is_empty() {
            return;
        }
        let first = self.task_for(&stash.agent, &stash.task).and_then(|known| known.users.get(stash.class));
        if self.task_for("", &stash.task).is_some() || first.is_some_and(Option::is_some) {
            return;
        }
        let owner = stash.owner(self);
        let user = Some(self.shared.name(&stash.user));
        self.state_task((&stash.agent, &stash.task), owner, (stash.class, user));
    }

    /// Notes what the last record made us forget.
    pub(in crate::trackers) fn note_lost(&mut self, (armed, baselines): (u64, u64), stash: &Stash) {
        let armed = u32::try_from(self.exchange.armed_evicted - armed).unwrap_or(u32::MAX);
        let baselines = u32::try_from(self.reach.baselines_evicted - baselines).unwrap_or(u32::MAX);
        let behaviour = self.behaviour.lost;
        if armed == 0 && baselines == 0 && behaviour == 0 {
            return;
        }
        let Ok(event) = EventId::new(&stash.event) else { return };
        let attribution = if stash.class == Class::Proved { Attribution::OwnWord } else { Attribution::Reported };
        let lost =
            self.reach.lost.get_or_insert(LostFacts { armed: 0, baselines: 0, behaviour: 0, event, attribution });
        lost.armed = lost.armed.saturating_add(armed);
        lost.baselines = lost.baselines.saturating_add(baselines);
        lost.behaviour = lost.behaviour.saturating_add(std::mem::take(&mut self.behaviour.lost));
    }
}

/// What an agent's reach is measured by.
#[derive(Debug, Clone, Copy)]
struct Measures<'a> {
    window: &'a Window,
    rate: &'a RateLimit,
    limits: ProbingLimits,
    rest_after: Duration,
}

impl Measures<'_> {
    /// Exchanges that are known to have been let pass of late.
    fn passed(&self, at: Timestamp) -> u32 {
        self.window.rate(at, false, self.rate).count
    }
}

impl Reach {
    fn settle(&mut self, stash: &Stash, settled: Settled, by: Measures<'_>) {
        let let_pass = settled != Settled::Refused;
        // Whoever asks too often is told to wait, which is no answer to what was asked.
        let refused = !let_pass && !stash.over_agent && !stash.over_root;
        let counts = stash.view.is_some_and(View::counts);
        let failed = stash.reached.success == Some(false);
        if counts && let_pass && !failed {
            if !stash.user.is_empty() {
                self.users.note(stash.at, stable_hash(&[&stash.user]), (FAN_WINDOW, MOST_USERS));
            }
            self.exchanges = self.exchanges.saturating_add(1);
            self.settle_rest(stash.at, self.last.filter(|last| stash.at.since(*last) >= by.rest_after));
            self.last = self.last.max(Some(stash.at));
            if stash.reached.serves_many && settled == Settled::Passed {
                let count = self.users.count(stash.at, None, FAN_WINDOW);
                self.rare().peaks.get_or_insert_default().note(stash.at, count, FAN_WINDOW);
            }
        }
        if counts && (stash.reached.undelegated || refused) && !stash.connection.is_empty() {
            let connection = stable_hash(&[&stash.connection]);
            self.undelegated.note(stash.at, connection, (FAN_WINDOW, MOST_UNDELEGATED));
        }
        let failed = match (stash.reached.success, refused) {
            (Some(success), _) => Some(!success),
            (None, true) if stash.act == Act::Ask => Some(true),
            _ => None,
        };
        self.settle_attempt(stash, failed, by);
    }

    fn settle_rest(&mut self, at: Timestamp, rested_since: Option<Timestamp>) {
        if let Some(since) = rested_since {
            self.rare().waking = Some(Waking { since, woke: at, exchanges: 1 });
            return;
        }
        self.with_rare(|rare| {
            rare.waking.take_if(|waking| at.since(waking.woke) > WAKING);
            if let Some(waking) = rare.waking.as_mut().filter(|waking| at.since(waking.woke) <= BURST_WINDOW) {
                waking.exchanges = waking.exchanges.saturating_add(1);
            }
        });
    }

    fn settle_attempt(&mut self, stash: &Stash, failed: Option<bool>, by: Measures<'_>) {
        self.with_rare(|rare| drop(rare.attempts.take_if(|attempts| attempts.is_over(stash.at))));
        let Some(failed) = failed.filter(|failed| *failed || self.attempts().is_some()) else { return };
        let name = |text: &str| if text.is_empty() { 0 } else { stable_hash(&[text]) };
        let (user, connection) = (name(&stash.user), name(&stash.connection));
        let attempt = Attempt { at: stash.at.as_micros(), user, connection, failed };
        let attempts = self.rare().attempts.get_or_insert_default();
        let probing = failed && attempts.tally(stash.at, Some(attempt), by.passed(stash.at)).is_probing(&by.limits);
        attempts.note(attempt, probing);
    }
}

/// How an exchange of the gateway ended at Auth0. Where no answer came, it may have ended either way.
fn ended(record: &Record) -> Option<Stage> {
    match &record.event()?.details {
        Details::TokenExchangeResponse(d) if d.success => Some(Stage::Issued(d.token_thumbprint)),
        Details::TokenExchangeResponse(_) => (!is_outage(record)).then_some(Stage::Failed),
        _ => None,
    }
}

/// Whether it ended as exchanges do when a provider is down (RFC 6749, section 4.1.2.1, and what gateways call it).
fn is_outage(record: &Record) -> bool {
    const OUTAGES: [&str; 7] = [
        "temporarily_unavailable",
        "server_error",
        "too_many_requests",
        "rate_limited",
        "rate_limit_exceeded",
        "timeout",
        "slow_down",
    ];
    match record.event().map(|event| &event.details) {
        Some(Details::TokenExchangeResponse(d)) => {
            d.error.as_ref().is_some_and(|error| OUTAGES.contains(&error.as_str()))
        }
        _ => false,
    }
}

/// An agent that has been known for this long is settled.
const SETTLED_AFTER: Duration = Duration::from_secs(86_400);
