//! How far an agent reaches: measured with an exchange, remembered once it is known what became of it.

use std::time::Duration;

use onesec_telemetry::{Attribution, Body, CanaryKind, Channel, Command, Details, EventId, Record, Timestamp, UserId};

use super::look::{Act, Look};
use super::measure::Grant;
use super::stash::Stash;
use super::{Settled, State};
use crate::exchange::View;
use crate::facts::{
    AccessFacts, Bypass, CanaryFacts, FAIL_WINDOW, FAN_WINDOW, FailureFacts, LostFacts, ReachFacts, RestFacts,
    Standing, TaskUser, WAKING,
};
use crate::reach::{Attempt, Failing, MOST_CONNECTIONS, MOST_UNDELEGATED, MOST_USERS, Reach, TaskFor, Untold, Waking};
use crate::shared::{Sym, stable_hash};
use crate::window::{Class, Split};

/// What settling needs to know of an exchange.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reached {
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
    to_be_told: bool,
    /// Auth0 tells of it.
    told: bool,
}

impl State {
    pub(super) fn reach_facts(
        &self,
        look: &Look<'_>,
        record: &Record,
        access: Option<&AccessFacts<'_>>,
    ) -> Option<ReachFacts> {
        look.agent.filter(|_| look.act != Act::Use && !record.late)?;
        let known = look.agent_slot.and_then(|slot| self.exchange.agents.get(slot));
        let none = Reach::default();
        let reach = known.and_then(|agent| agent.reach.get(look.class)).unwrap_or(&none);
        let counts = look.view.counts();
        let fails = success(record) == Some(false);
        let user = look.user.filter(|_| counts && !fails).map(|user| stable_hash(&[user.as_str()]));
        let elsewhere = access.is_some_and(is_undelegated);
        let connection = look.connection.filter(|_| counts && elsewhere).map(|c| stable_hash(&[c.as_str()]));
        Some(ReachFacts {
            users: reach.users.count(look.at, user, FAN_WINDOW),
            users_usual: reach.peaks.as_ref().map_or(0, |peaks| peaks.usual()),
            undelegated: reach.undelegated.count(look.at, connection, FAN_WINDOW),
            exchanges: reach.exchanges,
            rest: self.rest_facts(look, reach).filter(|_| counts && !fails),
            failures: self.failure_facts(look, record, reach),
            other_user: self.other_user(look, record),
        })
    }

    /// The first exchange after a rest, and those of the hour after it.
    fn rest_facts(&self, look: &Look<'_>, reach: &Reach) -> Option<RestFacts> {
        if let Some(since) = reach.last.filter(|last| look.at.since(*last) >= self.config.rest_after) {
            return Some(RestFacts { since, woke: look.at, exchanges: 1 });
        }
        let waking = reach.waking.as_deref().filter(|waking| look.at.since(waking.woke) <= WAKING)?;
        let burst = u32::from(look.at.since(waking.woke) <= BURST_WINDOW);
        let exchanges = waking.exchanges.saturating_add(burst);
        Some(RestFacts { since: waking.since, woke: waking.woke, exchanges })
    }

    fn failure_facts(&self, look: &Look<'_>, record: &Record, reach: &Reach) -> Option<FailureFacts> {
        let ended = success(record);
        let (user, connection) = (key(look.user), key(look.connection));
        let fails = ended == Some(false);
        if reach.attempts.is_none() && !fails {
            return None;
        }
        let none = crate::reach::Attempts::default();
        let attempts = reach.attempts.as_deref().unwrap_or(&none);
        let this = ended.map(|success| Attempt { at: look.at.as_micros(), user, connection, failed: !success });
        let tally = attempts.tally(look.at, this, self.passed(look));
        let limits = &self.config.probing;
        let spread = tally.users.max(tally.connections) >= limits.distinct;
        let given = look.pair.and_then(|slot| self.exchange.pairs.get(slot)).is_some_and(|p| p.token_until.is_some());
        // Whoever tries the same over and over until it works is no prober.
        let new = !given && (spread || !attempts.has_tried(user, connection));
        Some(FailureFacts {
            failed: tally.failed,
            tried: tally.tried,
            users: tally.users,
            connections: tally.connections,
            probing: tally.is_probing(limits),
            probed: attempts.probed(look.at),
            new_success: ended == Some(true) && new,
            fails,
            outage: look.connection.is_some_and(|c| self.is_down(c.as_str(), look.at)),
        })
    }

    /// So many exchanges of the agent are known to have been let pass of late.
    fn passed(&self, look: &Look<'_>) -> u32 {
        let known = look.agent_slot.and_then(|slot| self.exchange.agents.get(slot));
        let window = known.and_then(|a| a.sides.get(look.class)).map(|side| &side.window);
        window.map_or(0, |window| window.rate(look.at, false, &self.config.exchange_rate).count)
    }

    fn is_down(&self, connection: &str, at: Timestamp) -> bool {
        let failing = &self.reach.failing;
        let slot = failing.find(self.shared.seed.of(connection), |known| &*known.connection == connection);
        let agents = slot.and_then(|slot| failing.get(slot)).map(|known| &known.agents);
        agents.is_some_and(|agents| agents.count(at, None, FAIL_WINDOW) >= DOWN_FROM)
    }

    /// The user of the task that the exchange names, where it is another one.
    fn other_user(&self, look: &Look<'_>, record: &Record) -> Option<TaskUser> {
        let task = record.event()?.common.task_id.as_ref()?.as_str();
        let (agent, user) = (look.agent?, look.user?);
        if let Some(stated) = self.task_for("", task) {
            let stated = stated.users.get(Class::Proved)?.as_ref()?;
            let other = || Some(TaskUser { user: stated.id()?, stated: true });
            return if &**stated == user.as_str() { None } else { other() };
        }
        let first = self.task_for(agent.as_str(), task)?.users.get(look.class)?.as_ref()?;
        if &**first == user.as_str() { None } else { Some(TaskUser { user: first.id()?, stated: false }) }
    }

    fn task_for(&self, agent: &str, task: &str) -> Option<&TaskFor> {
        let hash = self.shared.seed.pair(agent, task);
        let slot = self.reach.tasks.find(hash, |known| &*known.agent == agent && &*known.task == task)?;
        self.reach.tasks.get(slot)
    }

    pub(super) fn is_complete(&self, connection: &str) -> bool {
        self.config.ledger_complete.has(connection) || self.reach.complete.contains(connection)
    }

    /// Whether the record touches a decoy. Whoever sets the trap must be able to link and delegate it.
    pub(super) fn canary_facts(&self, record: &Record) -> Option<CanaryFacts> {
        let canaries = &self.reach.canaries;
        if canaries.is_empty() {
            return None;
        }
        let event = record.event()?;
        if event.kind().spec().changes_trust && record.has_authority() {
            return None;
        }
        let grant = Grant::of(record);
        let parties = record.subject.parties();
        let user = record.user().map(UserId::as_str);
        let claimed = parties.and_then(|parties| parties.claimed.as_ref()).map(UserId::as_str);
        let hint = match &event.details {
            Details::TokenExchange(d) => d.login_hint.as_ref().map(|hint| hint.as_str().trim()),
            _ => None,
        };
        let account = event.details.account_id().map(AsRef::as_ref);
        let client = event.common.client_id.as_ref().map(AsRef::as_ref);
        let issued_to = parties.and_then(|parties| parties.client.as_ref()).map(AsRef::as_ref);
        let touched = [
            (CanaryKind::User, [user, claimed, grant.as_ref().map(|grant| grant.user), None]),
            (CanaryKind::Account, [account, hint, None, None]),
            (
                CanaryKind::Client,
                [client, issued_to, grant.as_ref().map(|grant| grant.app), record.agent().map(AsRef::as_ref)],
            ),
        ];
        let is =
            |what: CanaryKind, names: [Option<&str>; 4]| names.into_iter().flatten().any(|n| canaries.has(what, n));
        touched.into_iter().find(|(what, names)| is(*what, *names)).map(|(what, _)| CanaryFacts { what })
    }

    /// What was forgotten is told with the next event.
    pub(super) fn lost_facts(&self, record: &Record) -> Option<LostFacts> {
        record.event().filter(|_| !record.late).and(self.reach.lost.clone())
    }

    /// Whether the gateway made an exchange that Auth0 tells of.
    pub(super) fn bypass(&self, record: &Record) -> Option<Bypass> {
        if record.sender.channel != Channel::Auth0 || record.late || !tells_of_exchange(record) {
            return None;
        }
        let (user, connection) = (record.user()?.as_str(), record.connection()?.as_str());
        if !self.config.exclusive.has(connection) {
            return None;
        }
        let untold = &self.reach.untold;
        let hash = self.shared.seed.pair(user, connection);
        let slot = untold.find(hash, |known| &*known.user == user && &*known.connection == connection);
        let known = slot.and_then(|slot| untold.get(slot)).is_some_and(|known| known.nearest(record.at).is_some());
        Some(if known { Bypass::Ours } else { Bypass::Unseen })
    }

    /// What people decided, and what tasks are for.
    pub(super) fn commit_reach(&mut self, record: &Record) {
        if !record.has_authority() {
            return;
        }
        match &record.body {
            Body::Command(Command::AddCanary(canary)) => self.reach.canaries.add(canary),
            Body::Command(Command::RemoveCanary { id }) => self.reach.canaries.remove(id.as_str()),
            Body::Command(Command::SetLedgerComplete { connection, complete: true }) => {
                if self.reach.complete.len() < MOST_CONNECTIONS {
                    let name = self.shared.name(connection.as_str());
                    self.reach.complete.insert(name);
                }
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
    pub(super) fn reached(&self, look: &Look<'_>, record: &Record, access: Option<&AccessFacts<'_>>) -> Reached {
        let gateway = record.sender.channel == Channel::Gateway;
        let known = look.agent_slot.and_then(|slot| self.exchange.agents.get(slot));
        let first = known.and_then(|agent| agent.sides.get(Class::Proved)).and_then(|side| side.first);
        let registration = look.agent.and_then(|agent| self.registry.find(look.agent_hash, agent.as_str()));
        let exclusive = || look.connection.is_some_and(|c| self.config.exclusive.has(c.as_str()));
        Reached {
            undelegated: access.is_some_and(is_undelegated),
            success: success(record),
            outage: gateway && is_outage(record),
            settled: first.is_some_and(|first| look.at.since(first) >= SETTLED_AFTER),
            serves_many: registration.is_some_and(|r| r.class == onesec_telemetry::AgentClass::Service),
            to_be_told: gateway && look.act == Act::Ask && exclusive(),
            told: record.sender.channel == Channel::Auth0 && tells_of_exchange(record) && exclusive(),
        }
    }

    pub(super) fn settle_reach(&mut self, stash: &Stash, settled: Settled, slot: u32) {
        if stash.act == Act::None || stash.act == Act::Use {
            return;
        }
        let limits = self.config.probing;
        let rest_after = self.config.rest_after;
        let asked = self.config.exchange_rate;
        let Some(agent) = self.exchange.agents.get_mut(slot) else { return };
        let passed = agent.sides.get(stash.class).map_or(0, |side| side.window.rate(stash.at, false, &asked).count);
        agent.reach.get_mut(stash.class).settle(stash, settled, (passed, &limits), rest_after);
        self.settle_failing(stash);
        self.settle_task(stash, settled);
        if stash.reached.to_be_told && settled != Settled::Refused && !stash.user.is_empty() {
            self.note_untold((&stash.user, &stash.connection), stash.at, false);
        }
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

    /// Auth0 told of an exchange: whoever's it was, the gateway's is explained by it.
    pub(super) fn settle_told(&mut self, stash: &Stash) {
        if stash.reached.told && !stash.user.is_empty() {
            self.note_untold((&stash.user, &stash.connection), stash.at, true);
        }
    }

    fn note_untold(&mut self, (user, connection): (&str, &str), at: Timestamp, told: bool) {
        let hash = self.shared.seed.pair(user, connection);
        let is = |known: &Untold| &*known.user == user && &*known.connection == connection;
        let slot = match self.reach.untold.find(hash, is) {
            Some(slot) => slot,
            None if told => return,
            None => {
                let new = Untold::new(self.shared.name(user), self.shared.name(connection));
                self.reach.untold.shed(&None, |old| old.is_over(at));
                self.reach.untold.insert(hash, None, new).0
            }
        };
        match self.reach.untold.get_mut(slot) {
            Some(known) if told => known.told(at),
            Some(known) => known.pass(at),
            None => {}
        }
    }

    /// Notes what the last record made us forget.
    pub(super) fn note_lost(&mut self, (armed, baselines): (u64, u64), stash: &Stash) {
        let armed = u32::try_from(self.exchange.armed_evicted - armed).unwrap_or(u32::MAX);
        let baselines = u32::try_from(self.reach.baselines_evicted - baselines).unwrap_or(u32::MAX);
        if armed == 0 && baselines == 0 {
            return;
        }
        let Ok(event) = EventId::new(&stash.event) else { return };
        let attribution = if stash.class == Class::Proved { Attribution::OwnWord } else { Attribution::Reported };
        let lost = self.reach.lost.get_or_insert(LostFacts { armed: 0, baselines: 0, event, attribution });
        lost.armed = lost.armed.saturating_add(armed);
        lost.baselines = lost.baselines.saturating_add(baselines);
    }

    pub(super) fn reach_of_agents(&self) -> Vec<(&Sym, &Split<Reach>)> {
        let mut all: Vec<(&Sym, &Split<Reach>)> =
            self.exchange.agents.iter().map(|agent| (&agent.name, &agent.reach)).collect();
        all.retain(|(_, reach)| **reach != Split::default());
        all.sort_unstable_by_key(|(name, _)| *name);
        all
    }

    pub(super) fn take_reach(&mut self, saved: Vec<(Sym, Split<Reach>)>) {
        for (name, reach) in saved {
            let slot = self.exchange.agents.find(self.shared.seed.of(&name), |known| known.name == name);
            // Loading is no use: what was about to be evicted still is.
            if let Some(agent) = slot.and_then(|slot| self.exchange.agents.peek_mut(slot)) {
                agent.reach = reach;
            }
        }
    }
}

impl Reach {
    fn settle(
        &mut self,
        stash: &Stash,
        settled: Settled,
        (passed, limits): (u32, &crate::config::ProbingLimits),
        rest_after: Duration,
    ) {
        let let_pass = settled != Settled::Refused;
        let counts = stash.view.is_some_and(View::counts);
        let failed = stash.reached.success == Some(false);
        if counts && let_pass && !failed {
            if !stash.user.is_empty() {
                self.users.note(stash.at, stable_hash(&[&stash.user]), (FAN_WINDOW, MOST_USERS));
            }
            self.exchanges = self.exchanges.saturating_add(1);
            self.settle_rest(stash.at, self.last.filter(|last| stash.at.since(*last) >= rest_after));
            self.last = self.last.max(Some(stash.at));
            if stash.reached.serves_many && settled == Settled::Passed {
                let count = self.users.count(stash.at, None, FAN_WINDOW);
                self.peaks.get_or_insert_default().note(stash.at, count, FAN_WINDOW);
            }
        }
        if counts && (stash.reached.undelegated || !let_pass) && !stash.connection.is_empty() {
            let connection = stable_hash(&[&stash.connection]);
            self.undelegated.note(stash.at, connection, (FAN_WINDOW, MOST_UNDELEGATED));
        }
        let failed = match (stash.reached.success, let_pass) {
            (Some(success), _) => Some(!success),
            (None, false) if stash.act == Act::Ask => Some(true),
            _ => None,
        };
        self.settle_attempt(stash, failed, (passed, limits));
    }

    fn settle_rest(&mut self, at: Timestamp, rested_since: Option<Timestamp>) {
        if let Some(since) = rested_since {
            self.waking = Some(Box::new(Waking { since, woke: at, exchanges: 1 }));
            return;
        }
        let Some(waking) = &mut self.waking else { return };
        if at.since(waking.woke) > WAKING {
            self.waking = None;
        } else if at.since(waking.woke) <= BURST_WINDOW {
            waking.exchanges = waking.exchanges.saturating_add(1);
        }
    }

    fn settle_attempt(
        &mut self,
        stash: &Stash,
        failed: Option<bool>,
        (passed, limits): (u32, &crate::config::ProbingLimits),
    ) {
        if self.attempts.as_ref().is_some_and(|attempts| attempts.is_over(stash.at)) {
            self.attempts = None;
        }
        let Some(failed) = failed.filter(|failed| *failed || self.attempts.is_some()) else { return };
        let name = |text: &str| if text.is_empty() { 0 } else { stable_hash(&[text]) };
        let (user, connection) = (name(&stash.user), name(&stash.connection));
        let attempt = Attempt { at: stash.at.as_micros(), user, connection, failed };
        let attempts = self.attempts.get_or_insert_default();
        let probing = failed && attempts.tally(stash.at, Some(attempt), passed).is_probing(limits);
        attempts.note(attempt, probing);
    }
}

/// Whether the agent reaches where nobody let it.
const fn is_undelegated(access: &AccessFacts<'_>) -> bool {
    match (access.any_user_delegated, &access.standing) {
        (Some(delegated), _) => !delegated,
        (None, Standing::Authorised { .. } | Standing::Dormant { .. }) => false,
        (None, Standing::Ended { .. } | Standing::Never) => true,
    }
}

/// How an exchange ended, where the record tells of that.
fn success(record: &Record) -> Option<bool> {
    match &record.event()?.details {
        Details::TokenExchangeResponse(d) => Some(d.success),
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

/// Whether the record tells of one whole exchange that was made: its response, or the only view of it.
fn tells_of_exchange(record: &Record) -> bool {
    match record.event().map(|event| &event.details) {
        Some(Details::TokenExchangeResponse(d)) => d.success,
        Some(Details::TokenExchange(d)) => d.exchange_id.is_none(),
        _ => false,
    }
}

fn key<T: AsRef<str>>(name: Option<T>) -> u64 {
    name.map_or(0, |name| stable_hash(&[name.as_ref()]))
}

/// Exchanges of an agent that wakes are counted within this.
const BURST_WINDOW: Duration = Duration::from_secs(600);
/// From so many settled agents on that fail like this, a provider is down.
const DOWN_FROM: u32 = 3;
/// An agent that has been known for this long is settled.
const SETTLED_AFTER: Duration = Duration::from_secs(86_400);
