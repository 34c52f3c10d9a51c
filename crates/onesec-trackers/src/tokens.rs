//! Issued tokens by thumbprint, and grants to applications: what is remembered about both.

use onesec_telemetry::{Thumbprint, Timestamp};
use serde::{Deserialize, Serialize};

use crate::pool::Entry;
use crate::shared::{Seed, Sym};
use crate::window::{Class, Split};

/// A token. Auth0 hands out cached ones, so that two agents may honestly hold the same.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) thumbprint: Thumbprint,
    /// To whom it was issued, newest last.
    pub(crate) holders: Vec<TokenHolder>,
}

/// One agent that a token was issued to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TokenHolder {
    pub(crate) agent: Sym,
    /// First and last time.
    pub(crate) issued: (Timestamp, Timestamp),
    /// Unknown where the response did not say.
    pub(crate) expires: Option<Timestamp>,
}

impl Token {
    /// Remembers that it was issued to `agent`; the oldest of sixteen holders is forgotten.
    pub(crate) fn issue(&mut self, agent: Sym, at: Timestamp, expires: Option<Timestamp>) {
        if let Some(known) = self.holders.iter_mut().find(|h| h.agent == agent) {
            known.issued = (known.issued.0.min(at), known.issued.1.max(at));
            known.expires = known.expires.max(expires);
            return;
        }
        if self.holders.len() >= MOST_HOLDERS {
            self.holders.remove(0);
        }
        self.holders.push(TokenHolder { agent, issued: (at, at), expires });
    }
}

impl Entry for Token {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of_bytes(self.thumbprint.as_bytes())
    }
}

/// An application that users grant to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct App {
    pub(crate) id: Sym,
    /// Somebody with authority said so.
    pub(crate) verified: bool,
    /// Who granted, and when last; oldest first.
    pub(crate) users: Split<Vec<(Timestamp, Sym)>>,
}

impl App {
    /// Distinct users within the window that ends at `at`, `user` included.
    pub(crate) fn users_with(&self, user: &str, (at, class): (Timestamp, Class), window: std::time::Duration) -> u32 {
        let counting = |(last, name): &&(Timestamp, Sym)| *last + window > at && &**name != user;
        let proved = self.users.get(Class::Proved).into_iter().flatten().filter(counting);
        // Hearsay adds to hearsay only.
        let said = self.users.get(Class::Reported).filter(|_| class == Class::Reported).into_iter().flatten();
        let mut others: Vec<&str> = proved.chain(said.filter(counting)).map(|(_, name)| &**name).collect();
        others.sort_unstable();
        others.dedup();
        u32::try_from(others.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Remembers a grant.
    pub(crate) fn grant(&mut self, user: Sym, (at, class): (Timestamp, Class), window: std::time::Duration) {
        let users = self.users.get_mut(class);
        let last = users.iter().find(|(_, name)| *name == user).map_or(at, |(last, _)| at.max(*last));
        users.retain(|(last, name)| *name != user && *last + window > at);
        let place = users.partition_point(|known| *known <= (last, user.clone()));
        users.insert(place, (last, user));
        if users.len() > MOST_USERS {
            users.remove(0);
        }
    }
}

impl Entry for App {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of(&self.id)
    }
}

const MOST_HOLDERS: usize = 16;
const MOST_USERS: usize = 64;
