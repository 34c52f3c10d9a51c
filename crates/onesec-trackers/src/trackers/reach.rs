//! How far an agent reaches, measured with an exchange.

mod settle;
mod told;

use std::time::Duration;

use onesec_telemetry::{CanaryKind, Details, Record, Timestamp, UserId};

use super::State;
use super::look::{Act, Look};
use super::measure::Grant;
use crate::facts::{
    AccessFacts, CanaryFacts, FAIL_WINDOW, FAN_WINDOW, FailureFacts, LostFacts, ReachFacts, RestFacts, Standing,
    TaskUser, WAKING,
};
use crate::reach::{Attempt, Reach, TaskFor};
use crate::shared::stable_hash;
use crate::window::Class;

pub(super) use settle::Reached;
pub(super) use told::Heard;

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
        let reach = known.and_then(|agent| agent.sides.get(look.class)).map_or(&none, |side| &side.reach);
        let counts = look.view.counts();
        let fails = success(record) == Some(false);
        let user = look.user.filter(|_| counts && !fails).map(|user| stable_hash(&[user.as_str()]));
        let elsewhere = access.is_some_and(is_undelegated);
        let connection = look.connection.filter(|_| counts && elsewhere).map(|c| stable_hash(&[c.as_str()]));
        Some(ReachFacts {
            users: reach.users.count(look.at, user, FAN_WINDOW),
            users_usual: reach.peaks().map_or(0, |peaks| peaks.usual()),
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
        let waking = reach.waking().filter(|waking| look.at.since(waking.woke) <= WAKING)?;
        let burst = u32::from(look.at.since(waking.woke) <= BURST_WINDOW);
        let exchanges = waking.exchanges.saturating_add(burst);
        Some(RestFacts { since: waking.since, woke: waking.woke, exchanges })
    }

    fn failure_facts(&self, look: &Look<'_>, record: &Record, reach: &Reach) -> Option<FailureFacts> {
        let ended = success(record);
        let (user, connection) = (key(look.user), key(look.connection));
        let fails = ended == Some(false);
        if reach.attempts().is_none() && !fails {
            return None;
        }
        let none = crate::reach::Attempts::default();
        let attempts = reach.attempts().unwrap_or(&none);
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

fn key<T: AsRef<str>>(name: Option<T>) -> u64 {
    name.map_or(0, |name| stable_hash(&[name.as_ref()]))
}

/// Exchanges of an agent that wakes are counted within this.
const BURST_WINDOW: Duration = Duration::from_secs(600);
/// From so many settled agents on that fail like this, a provider is down.
const DOWN_FROM: u32 = 3;
