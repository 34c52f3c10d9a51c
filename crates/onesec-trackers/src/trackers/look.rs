//! One look-up per key per record.

use std::borrow::Cow;

use onesec_telemetry::{AgentId, Channel, ConnectionName, Details, Record, ScopeSet, Timestamp, UserId};

use super::State;
use super::reach::Heard;
use crate::accounts::Holder;
use crate::chains::{DelegationChainTracker, Row};
use crate::exchange::{View, join_of};
use crate::facts::{AccountState, Ending};
use crate::shared::{Key, both};
use crate::window::Class;

/// What a record does with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Act {
    /// Nothing.
    #[default]
    None,
    /// Asks for a token: `token_exchange` or its request.
    Ask,
    /// Tells how an exchange ended.
    Answer,
    /// Uses a token.
    Use,
}

/// How an agent stands, as rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stand {
    Never,
    Live(u32),
    Dormant(u32),
    Ended(u32, Ending, Timestamp),
}

impl Stand {
    pub(super) const fn row(self) -> Option<u32> {
        match self {
            Self::Never => None,
            Self::Live(row) | Self::Dormant(row) | Self::Ended(row, ..) => Some(row),
        }
    }

    /// The row whose bound counts.
    pub(super) const fn right(self) -> Option<u32> {
        match self {
            Self::Live(row) | Self::Dormant(row) => Some(row),
            Self::Never | Self::Ended(..) => None,
        }
    }
}

/// Everything that a record's names lead to.
#[derive(Debug)]
pub(super) struct Look<'r> {
    pub(super) at: Timestamp,
    pub(super) class: Class,
    pub(super) agent: Option<&'r AgentId>,
    pub(super) user: Option<&'r UserId>,
    pub(super) connection: Option<&'r ConnectionName>,
    pub(super) account: Option<&'r str>,
    pub(super) act: Act,
    pub(super) view: View,
    pub(super) agent_hash: u64,
    pub(super) agent_slot: Option<u32>,
    pub(super) agent_user_hash: u64,
    pub(super) agent_user: Option<u32>,
    pub(super) pair_hash: u64,
    pub(super) pair: Option<u32>,
    pub(super) holder: Option<u32>,
    /// When anything of (user, connection) was unlinked last.
    pub(super) void: Option<Timestamp>,
    pub(super) stand: Stand,
    pub(super) heard: Heard,
}

impl<'r> Look<'r> {
    pub(super) fn new(state: &State, record: &'r Record, heard: Heard) -> Self {
        let mut look = Self {
            at: record.at,
            class: Class::of(record),
            agent: record.agent(),
            user: record.user(),
            connection: record.connection(),
            account: None,
            act: Act::None,
            view: View::None,
            agent_hash: 0,
            agent_slot: None,
            agent_user_hash: 0,
            agent_user: None,
            pair_hash: 0,
            pair: None,
            holder: None,
            void: None,
            stand: Stand::Never,
            heard,
        };
        let Some(event) = record.event() else { return look };
        if let Some(agent) = look.agent {
            look.agent_hash = state.shared.seed.of(agent.as_str());
            let agents = &state.exchange.agents;
            look.agent_slot = agents.find(look.agent_hash, |known| &*known.name == agent.as_str());
        }
        // What the gateway did counted when it did it.
        look.act = if heard == Heard::Ours { Act::None } else { act_of(&event.details) };
        if look.act != Act::None {
            look.account = event.details.account_id().map(AsRef::as_ref);
            look.view = join_of(record, &state.exchange.joins, &state.shared.seed);
            if record.late && look.view.counts() {
                look.view = View::None;
            }
            look.find_account(state, record);
        }
        look
    }

    fn find_account(&mut self, state: &State, record: &Record) {
        let (Some(user), Some(connection)) = (self.user, self.connection) else { return };
        let seed = &state.shared.seed;
        let (user_hash, connection_hash) = (seed.of(user.as_str()), seed.of(connection.as_str()));
        let (user, connection) = (user.as_str(), connection.as_str());
        self.holder = state.accounts.find(both(user_hash, connection_hash), user, connection);
        let holder = self.holder_in(state);
        self.void = holder.and_then(Holder::any_unlinked);
        let Some(agent) = self.agent.map(AgentId::as_str) else { return };
        self.agent_user_hash = both(self.agent_hash, user_hash);
        self.pair_hash = DelegationChainTracker::triple(self.agent_hash, user_hash, connection_hash);
        // Names that were found once need not be read again.
        let known_agent = self.agent_slot.and_then(|slot| state.exchange.agents.get(slot)).map(|known| &known.name);
        let key = Key {
            agent: (agent, known_agent),
            user: (user, holder.map(|holder| &holder.user)),
            connection: (connection, holder.map(|holder| &holder.connection)),
        };
        let agent_users = &state.exchange.agent_users;
        self.agent_user = agent_users.find(self.agent_user_hash, |k| key.is_for(&k.agent, &k.user));
        let pairs = &state.exchange.pairs;
        self.pair = pairs.find(self.pair_hash, |k| key.is(&k.agent, &k.user, &k.connection));
        self.stand = self.find_stand(state, record, &key);
    }

    pub(super) fn holder_in<'s>(&self, state: &'s State) -> Option<&'s Holder> {
        self.holder.and_then(|at| state.accounts.holder(at))
    }

    /// What became of the account that `row` is for, or the record names.
    pub(super) fn account_state<'s>(&self, state: &'s State, row: Option<&Row>) -> AccountState<'s> {
        let account = self.account.or(row.and_then(|row| row.account.as_deref()));
        self.holder_in(state).map_or(AccountState::NeverLinked, |holder| holder.state(account))
    }

    /// The scopes that the account holds, where that is known.
    pub(super) fn link_scopes<'s>(&self, state: &'s State) -> Option<&'s ScopeSet> {
        let row = self.stand.right().and_then(|at| state.chains.row(at));
        match self.account_state(state, row) {
            AccountState::Linked { scopes, .. } => scopes,
            _ => None,
        }
    }

    /// The end of `row` at the record's time, as far as the record's account goes.
    fn end_of(&self, state: &State, row: &Row) -> Option<(Ending, Timestamp)> {
        let account = self.account.or(row.account.as_deref());
        let void = self.holder_in(state).and_then(|holder| holder.void_since(account, row.created));
        row.ending(self.at).or(void.map(|at| (Ending::Unlinked, at)))
    }

    /// The best of several delegations: the right account, live, covering what is wanted, then the newest.
    fn find_stand(&self, state: &State, record: &Record, key: &Key<'_>) -> Stand {
        let Some((alive, last)) = state.chains.grants(self.pair_hash, key) else { return Stand::Never };
        let several = alive.count() > 1;
        let wanted = if several { self.wanted(state, record) } else { None };
        let rank = |row: &Row| {
            let linked = matches!(self.account_state(state, Some(row)), AccountState::Linked { .. });
            let covers = several && covers(state, row, wanted.as_deref());
            (row.covers_account(self.account), linked, covers, row.created)
        };
        let holding = alive.filter(|(_, row)| self.end_of(state, row).is_none());
        let best = holding.max_by(|(_, a), (_, b)| rank(a).cmp(&rank(b)).then_with(|| a.id.cmp(&b.id)));
        if let Some((at, row)) = best {
            let linked = matches!(self.account_state(state, Some(row)), AccountState::Linked { .. });
            return if linked { Stand::Live(at) } else { Stand::Dormant(at) };
        }
        let ended = alive.map(|(_, row)| row).chain(last);
        let ended = ended.filter_map(|row| self.end_of(state, row).map(|(how, when)| (row, how, when)));
        let newest = ended.max_by_key(|(row, _, when)| (*when, row.created, &row.id));
        newest.map_or(Stand::Never, |(row, how, when)| {
            let at = state.chains.with_id(state.shared.seed.of(row.id.as_str()), &row.id);
            let at = at.into_iter().find(|&at| state.chains.row(at).is_some_and(|r| r.connection == row.connection));
            at.map_or(Stand::Never, |at| Stand::Ended(at, how, when))
        })
    }

    /// What the record asks for, before it is known by which right.
    fn wanted<'s>(&self, state: &'s State, record: &'s Record) -> Option<Cow<'s, ScopeSet>> {
        let named = record.event().and_then(|e| e.details.scopes()).filter(|set| !set.is_empty());
        let held = || match self.account_state(state, None) {
            AccountState::Linked { scopes, .. } => scopes,
            _ => None,
        };
        named.or_else(held).map(Cow::Borrowed)
    }
}

fn covers(state: &State, row: &Row, wanted: Option<&ScopeSet>) -> bool {
    match (row.bound.as_deref(), wanted) {
        (Some(bound), Some(wanted)) => state.meaning(&row.connection).beyond(bound, wanted).is_empty(),
        (None, _) => true,
        (Some(_), None) => false,
    }
}

const fn act_of(details: &Details) -> Act {
    match details {
        Details::TokenExchange(_) | Details::TokenExchangeRequest(_) => Act::Ask,
        Details::TokenExchangeResponse(_) => Act::Answer,
        Details::ConnectedAccountUsage(_) => Act::Use,
        _ => Act::None,
    }
}

/// Whether facts about the right to the account belong to the record.
pub(super) fn concerns_access(look: &Look<'_>, record: &Record) -> bool {
    match look.act {
        Act::None => false,
        Act::Ask | Act::Use => true,
        // Auth0 may tell of an exchange without naming an agent: the account speaks for itself.
        Act::Answer => {
            let door = record.sender.channel;
            door == Channel::Gateway || look.view.counts() || (door == Channel::Auth0 && look.agent.is_none())
        }
    }
}
