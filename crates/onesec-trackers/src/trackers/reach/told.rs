//! What Auth0 tells of exchanges, and which of them are the gateway's.

use onesec_telemetry::{Channel, Details, Record, Thumbprint, Timestamp};

use crate::facts::Bypass;
use crate::reach::{IssuedFor, NEAR, Stage, TOLD_WITHIN, Tale, Untold};
use crate::shared::stable_hash;
use crate::trackers::stash::Stash;
use crate::trackers::{Settled, State};

/// What became of a word of Auth0 about an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::trackers) enum Heard {
    /// The record is none.
    #[default]
    Nothing,
    /// It is about an exchange of the gateway, which is explained by it: it counts for nothing else.
    Ours,
    /// It is about one that the gateway never saw, where the gateway sees all.
    Unseen,
    /// It is about another one, or nobody can tell.
    Other,
}

impl Heard {
    /// What detectors hear of it.
    pub(in crate::trackers) const fn bypass(self) -> Option<Bypass> {
        match self {
            Self::Ours => Some(Bypass::Ours),
            Self::Unseen => Some(Bypass::Unseen),
            Self::Nothing | Self::Other => None,
        }
    }
}

impl State {
    /// Since when exchanges of the gateway are noted: where Auth0 will tell of them, or must.
    pub(in crate::trackers) fn watch(&mut self, at: Timestamp) {
        let noted = self.config.told_by_auth0 || self.config.exclusive.any();
        let since = &mut self.reach.watching.since;
        match (noted, since.is_some()) {
            (true, false) => *since = Some(at),
            (false, true) => *since = None,
            _ => {}
        }
    }

    /// Takes a word of Auth0 about an exchange: exactly one of the gateway's is explained by it.
    pub(in crate::trackers) fn hear(&mut self, record: &Record) -> Heard {
        let Some(tale) = tale(record) else { return Heard::Nothing };
        if let Some((slot, place, proved)) = self.told_of(record, &tale) {
            self.reach.watching.prints |= proved;
            if let Some(known) = self.reach.untold.get_mut(slot) {
                known.told(place);
            }
            return Heard::Ours;
        }
        if tale.made && self.must_be_ours(record, &tale) { Heard::Unseen } else { Heard::Other }
    }

    /// The exchange of the gateway that the tale is about.
    fn told_of(&self, record: &Record, tale: &Tale) -> Option<(u32, usize, bool)> {
        let connection = record.connection()?.as_str();
        let clients = &self.config.gateway_clients;
        let client = record.event()?.common.client_id.as_ref();
        if !clients.is_empty() && client.is_some_and(|client| !clients.contains(client.as_str())) {
            return None;
        }
        let prints = self.reach.watching.prints;
        let within = |user: &str| {
            let slot = self.untold_at(user, connection)?;
            let (place, proved) = self.reach.untold.get(slot)?.find(tale, prints)?;
            Some((slot, place, proved))
        };
        // By the token first, whoever the log says the user is.
        let issued =
            tale.print.and_then(|print| self.issued_for(&print)).filter(|known| *known.connection == *connection);
        let proved = issued.and_then(|known| within(&known.user)).filter(|(_, _, proved)| *proved);
        let user = record.user().map(|user| user.as_str());
        // The gateway may not have known the user.
        proved.or_else(|| user.and_then(within)).or_else(|| within(""))
    }

    fn untold_at(&self, user: &str, connection: &str) -> Option<u32> {
        let hash = self.shared.seed.pair(user, connection);
        self.reach.untold.find(hash, |known| &*known.user == user && &*known.connection == connection)
    }

    fn issued_for(&self, print: &Thumbprint) -> Option<&IssuedFor> {
        let hash = self.shared.seed.of_bytes(print.as_bytes());
        self.reach.issued.find(hash, |known| known.print == *print).and_then(|slot| self.reach.issued.get(slot))
    }

    /// Whether the gateway would have to know of the exchange, had it made it.
    fn must_be_ours(&self, record: &Record, tale: &Tale) -> bool {
        let watching = &self.reach.watching;
        let Some(connection) = record.connection().filter(|c| self.config.exclusive.has(c.as_str())) else {
            return false;
        };
        // A token that nobody knows tells as much as a user of whom nothing is known.
        let named = record.user().is_some() || (tale.print.is_some() && watching.prints);
        let noted = watching.since.is_some_and(|since| since <= tale.at) && watching.whole_since <= Some(tale.at);
        let recent = record.observed_at.since(tale.at) <= TOLD_WITHIN;
        let user = record.user().map_or("", |user| user.as_str());
        let known = self.untold_at(user, connection.as_str()).and_then(|slot| self.reach.untold.get(slot));
        named && noted && recent && known.is_none_or(|known| known.is_whole_at(tale.at))
    }

    /// The gateway let one pass, or learned how it ended.
    pub(super) fn settle_untold(&mut self, stash: &Stash, settled: Settled) {
        let id = stable_hash(&[&stash.exchange]);
        if stash.reached.to_be_told && settled != Settled::Refused {
            let slot = self.untold_of(stash);
            if let Some(known) = self.reach.untold.get_mut(slot) {
                known.pass(stash.at, id);
            }
        }
        // That the token was withheld changes nothing at Auth0: it was issued.
        let Some(stage) = stash.reached.ended else { return };
        let Some(slot) = self.untold_at(&stash.user, &stash.connection) else { return };
        if let Some(known) = self.reach.untold.get_mut(slot) {
            known.end(id, stage);
        }
        if let Stage::Issued(Some(print)) = stage {
            self.note_issued(print, stash);
        }
    }

    fn untold_of(&mut self, stash: &Stash) -> u32 {
        if let Some(slot) = self.untold_at(&stash.user, &stash.connection) {
            return slot;
        }
        let new = Untold::new(self.shared.name(&stash.user), self.shared.name(&stash.connection));
        self.reach.untold.shed(&None, |old| old.is_over(stash.at));
        let hash = self.shared.seed.pair(&stash.user, &stash.connection);
        let (slot, gone) = self.reach.untold.insert(hash, None, new);
        if gone.is_some_and(|gone| !gone.is_over(stash.at)) {
            self.reach.watching.whole_since = Some(stash.at + NEAR);
        }
        slot
    }

    fn note_issued(&mut self, print: Thumbprint, stash: &Stash) {
        if self.issued_for(&print).is_some() {
            return;
        }
        let hash = self.shared.seed.of_bytes(print.as_bytes());
        let (user, connection) = (self.shared.name(&stash.user), self.shared.name(&stash.connection));
        self.reach.issued.insert(hash, None, IssuedFor { print, user, connection });
    }
}

/// What Auth0 tells, where the record is its word about one whole exchange: its response, or the only view of it.
fn tale(record: &Record) -> Option<Tale> {
    if record.sender.channel != Channel::Auth0 {
        return None;
    }
    let at = record.at;
    match &record.event()?.details {
        Details::TokenExchangeResponse(d) => Some(Tale { at, made: d.success, print: d.token_thumbprint }),
        Details::TokenExchange(d) if d.exchange_id.is_none() => Some(Tale { at, made: true, print: None }),
        _ => None,
    }
}
