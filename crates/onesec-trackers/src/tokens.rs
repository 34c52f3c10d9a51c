//! Issued tokens by thumbprint, and grants to applications: what is remembered about both.

use onesec_telemetry::{Thumbprint, Timestamp};
use serde::{Deserialize, Serialize};

use crate::pool::Entry;
use crate::shared::{Seed, Shared, Sym};

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

    fn share(&mut self, shared: &mut Shared) {
        self.holders.iter_mut().for_each(|h| shared.share(&mut h.agent));
    }
}

/// An application that users grant to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct App {
    pub(crate) id: Sym,
    /// Somebody with authority said so.
    pub(crate) verified: bool,
    /// Who granted, and when last; oldest first.
    pub(crate) users: Vec<(Timestamp, Sym)>,
}

impl App {
    /// Distinct users within the window that ends at `at`, `user` included.
    pub(crate) fn users_with(&self, user: &str, at: Timestamp, window: std::time::Duration) -> u32 {
        let others = self.users.iter().filter(|(last, name)| *last + window > at && &**name != user);
        u32::try_from(others.count()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Remembers a grant.
    pub(crate) fn grant(&mut self, user: Sym, at: Timestamp, window: std::time::Duration) {
        let last = self.users.iter().find(|(_, name)| *name == user).map_or(at, |(last, _)| at.max(*last));
        self.users.retain(|(last, name)| *name != user && *last + window > at);
        let place = self.users.partition_point(|known| *known <= (last, user.clone()));
        self.users.insert(place, (last, user));
        if self.users.len() > MOST_USERS {
            self.users.remove(0);
        }
    }
}

impl Entry for App {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of(&self.id)
    }

    fn share(&mut self, shared: &mut Shared) {
        shared.share(&mut self.id);
        self.users.iter_mut().for_each(|(_, user)| shared.share(user));
    }
}

const MOST_HOLDERS: usize = 16;
const MOST_USERS: usize = 64;
