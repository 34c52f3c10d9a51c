//! Provider tokens that were given out, held for as long as they live, so that they can be taken back. In memory only.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use onesec_telemetry::{AgentId, ConnectionName, Secret, TenantId, Thumbprint, Timestamp, UserId};
use parking_lot::Mutex;

/// A token that was given out, and to whom. `Debug` shows nothing of the token; the memory is wiped when it goes.
#[derive(Debug, Clone)]
pub struct Held {
    /// Whose tenant.
    pub tenant: TenantId,
    /// Whose account.
    pub user: UserId,
    /// Where.
    pub connection: ConnectionName,
    /// The agent that got it.
    pub agent: AgentId,
    /// The token.
    pub token: Secret,
    /// When it is worth nothing any more.
    pub until: Timestamp,
}

/// Which tokens are meant: those for which all that is named is so.
#[derive(Debug, Clone)]
pub struct WhoseTokens<'a> {
    /// Of this tenant.
    pub tenant: &'a TenantId,
    /// Of this user.
    pub user: Option<&'a UserId>,
    /// At this connection.
    pub connection: Option<&'a ConnectionName>,
    /// Given to this agent.
    pub agent: Option<&'a AgentId>,
}

impl WhoseTokens<'_> {
    fn means(&self, held: &Held) -> bool {
        *self.tenant == held.tenant
            && self.user.is_none_or(|user| *user == held.user)
            && self.connection.is_none_or(|connection| *connection == held.connection)
            && self.agent.is_none_or(|agent| *agent == held.agent)
    }
}

type Key = (Thumbprint, AgentId);

/// The tokens. Bounded in number, in all and for one agent: the one that ends soonest makes room. Gone with the process.
/// Not `Clone` and not serialisable: there is one, and it never leaves.
pub struct HeldTokens {
    capacity: usize,
    share: usize,
    longest: Duration,
    tokens: Mutex<Tokens>,
}

#[derive(Default)]
struct Tokens {
    by_key: HashMap<Key, Held>,
    by_end: BTreeMap<(Timestamp, Key), ()>,
    of_agent: HashMap<(TenantId, AgentId), usize>,
}

impl fmt::Debug for HeldTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldTokens")
    }
}

impl Default for HeldTokens {
    fn default() -> Self {
        Self::new(CAPACITY, SHARE)
    }
}

impl HeldTokens {
    /// Room for `capacity` tokens, and for `share` of one agent's.
    #[must_use]
    pub fn new(capacity: usize, share: usize) -> Self {
        Self { capacity, share, longest: LONGEST, tokens: Mutex::default() }
    }

    /// Holds one, until it ends, or for a day at most. Not one that is worth nothing already.
    pub fn hold(&self, mut held: Held, now: Timestamp) {
        held.until = held.until.min(now + self.longest);
        if held.until <= now || self.capacity == 0 || self.share == 0 {
            return;
        }
        let mut tokens = self.tokens.lock();
        tokens.forget(now);
        let key = (held.token.thumbprint(), held.agent.clone());
        tokens.remove(&key);
        let whose = (held.tenant.clone(), held.agent.clone());
        if tokens.of_agent.get(&whose).is_some_and(|own| *own >= self.share) {
            tokens.evict(|other| other.tenant == whose.0 && other.agent == whose.1);
        }
        if tokens.by_key.len() >= self.capacity {
            tokens.evict(|_| true);
        }
        tokens.by_end.insert((held.until, key.clone()), ());
        *tokens.of_agent.entry(whose).or_default() += 1;
        tokens.by_key.insert(key, held);
    }

    /// Those that are meant and not over, the same token once for each agent that has it.
    #[must_use]
    pub fn of(&self, whose: &WhoseTokens<'_>, now: Timestamp) -> Vec<Held> {
        let mut tokens = self.tokens.lock();
        tokens.forget(now);
        let mut found: Vec<Held> = tokens.by_key.values().filter(|held| whose.means(held)).cloned().collect();
        found.sort_by(|a, b| (&a.connection, &a.agent, a.until).cmp(&(&b.connection, &b.agent, b.until)));
        found
    }

    /// Lets go of a token, whoever has it: it is worth nothing any more.
    pub fn let_go(&self, token: Thumbprint) {
        let mut tokens = self.tokens.lock();
        let keys: Vec<Key> = tokens.by_key.keys().filter(|(print, _)| *print == token).cloned().collect();
        for key in keys {
            tokens.remove(&key);
        }
    }

    /// How many are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.lock().by_key.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Wipes what is over.
    pub fn forget(&self, now: Timestamp) {
        self.tokens.lock().forget(now);
    }
}

impl Tokens {
    fn forget(&mut self, now: Timestamp) {
        while let Some(((until, key), ())) = self.by_end.first_key_value() {
            if *until > now {
                return;
            }
            let key = key.clone();
            self.remove(&key);
        }
    }

    fn evict(&mut self, is: impl Fn(&Held) -> bool) {
        let soonest = self.by_end.keys().find(|(_, key)| self.by_key.get(key).is_some_and(&is));
        if let Some((_, key)) = soonest.cloned() {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &Key) {
        let Some(held) = self.by_key.remove(key) else { return };
        self.by_end.remove(&(held.until, key.clone()));
        let whose = (held.tenant, held.agent);
        if let Some(own) = self.of_agent.get_mut(&whose) {
            *own -= 1;
            if *own == 0 {
                self.of_agent.remove(&whose);
            }
        }
    }
}

/// In all: some 2 KiB each.
const CAPACITY: usize = 20_000;
/// Of one agent.
const SHARE: usize = 2_000;
/// However long a token says that it lives.
const LONGEST: Duration = Duration::from_secs(86_400);
