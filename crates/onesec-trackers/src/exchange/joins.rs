//! Views of one exchange: `token_exchange`, its request and its response count once.

use compact_str::CompactString;
use onesec_telemetry::{Channel, Details, ExchangeId, Record, Timestamp};
use serde::{Deserialize, Serialize};

use super::within;
use crate::pool::{Entry, Pool};
use crate::shared::{Seed, Sym, both};

/// An exchange of which at least one view was seen.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Join {
    pub(crate) exchange: CompactString,
    pub(crate) key: Option<Sym>,
    pub(crate) gateway: bool,
    pub(crate) agent: Sym,
    pub(crate) user: Option<Sym>,
    pub(crate) connection: Sym,
    /// The first view.
    pub(crate) at: Timestamp,
    /// Views seen: see [`view_bit`].
    pub(crate) views: u8,
}

/// How a record relates to the views seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// Not a view of an exchange by an agent that is named.
    None,
    /// Counts, and no other view can join it.
    Alone,
    /// The first view of its exchange: counts.
    First { bit: u8 },
    /// A view of its kind came already, or too long ago: counts, and starts anew.
    Again { slot: u32, bit: u8 },
    /// Another view of an exchange that counted.
    Joined { slot: u32, bit: u8 },
}

impl View {
    pub(crate) const fn counts(self) -> bool {
        matches!(self, Self::Alone | Self::First { .. } | Self::Again { .. })
    }
}

/// What tells the views of one exchange: tenant (implicit), id, key, door, agent, user, connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JoinKey<'a> {
    pub(crate) exchange: &'a ExchangeId,
    pub(crate) key: Option<&'a str>,
    pub(crate) gateway: bool,
    pub(crate) agent: &'a str,
    pub(crate) user: Option<&'a str>,
    pub(crate) connection: &'a str,
}

impl<'a> JoinKey<'a> {
    pub(crate) fn of(record: &'a Record) -> Option<Self> {
        let event = record.event()?;
        Some(Self {
            exchange: event.details.exchange_id()?,
            key: record.sender.key.as_ref().map(AsRef::as_ref),
            gateway: record.sender.channel == Channel::Gateway,
            agent: record.agent()?.as_str(),
            user: record.user().map(AsRef::as_ref),
            connection: record.connection()?.as_str(),
        })
    }

    pub(crate) fn hash(&self, seed: &Seed) -> u64 {
        both(seed.of(self.exchange.as_str()), seed.of(self.agent))
    }

    fn is(&self, join: &Join) -> bool {
        join.exchange == self.exchange.as_str()
            && join.key.as_deref() == self.key
            && join.gateway == self.gateway
            && &*join.agent == self.agent
            && join.user.as_deref() == self.user
            && &*join.connection == self.connection
    }
}

/// One bit per kind of view.
fn view_bit(details: &Details) -> u8 {
    match details {
        Details::TokenExchange(_) => 1,
        Details::TokenExchangeRequest(_) => 2,
        Details::TokenExchangeResponse(_) => 4,
        _ => 0,
    }
}

/// How `record` relates to the views seen before.
pub(crate) fn join_of(record: &Record, joins: &Pool<Join>, seed: &Seed) -> View {
    let Some(event) = record.event() else { return View::None };
    let bit = view_bit(&event.details);
    if bit == 0 || record.agent().is_none() {
        return View::None;
    }
    let Some(key) = JoinKey::of(record) else { return View::Alone };
    let Some(slot) = joins.find(key.hash(seed), |join| key.is(join)) else { return View::First { bit } };
    match joins.get(slot) {
        Some(join) if join.views & bit == 0 && within(join.at, record.at) => View::Joined { slot, bit },
        _ => View::Again { slot, bit },
    }
}

impl Entry for Join {
    fn hash(&self, seed: &Seed) -> u64 {
        both(seed.of(&self.exchange), seed.of(&self.agent))
    }
}
