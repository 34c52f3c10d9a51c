//! Accounts that users connect through us: with their own token, which is used and never kept; what comes of it is in the
//! ledger as the tenant says it.
//!
//! Between the two halves of a connection we remember for whom it was begun, where the browser comes back to, with
//! which state, and the verifier of its code (RFC 7636): in memory, and not for long.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onesec_telemetry::{ConnectionName, Secret, TenantId, Thumbprint, Timestamp, UserId};
use parking_lot::Mutex;

/// One that was begun, and may be completed by the same user only.
pub(crate) struct Begun {
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) connection: ConnectionName,
    pub(crate) redirect_uri: String,
    pub(crate) state: Thumbprint,
    pub(crate) verifier: Secret,
    until: Timestamp,
}

impl Begun {
    pub(crate) fn new(
        (tenant, user): (TenantId, UserId),
        connection: ConnectionName,
        (redirect_uri, state): (String, &str),
        verifier: Secret,
    ) -> Self {
        let state = Thumbprint::of(state.as_bytes());
        Self { tenant, user, connection, redirect_uri, state, verifier, until: Timestamp::EPOCH }
    }
}

/// Those that were begun, by the thumbprint of their session. Bounded; the oldest makes room, and one user's own first.
#[derive(Default)]
pub(crate) struct Connections(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    begun: HashMap<Thumbprint, Begun>,
    by_end: BTreeMap<(Timestamp, Thumbprint), ()>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connections")
    }
}

impl Connections {
    pub(crate) fn begin(&self, session: &Secret, mut begun: Begun, now: Timestamp) {
        let mut inner = self.0.lock();
        inner.forget(now);
        let own = |other: &Begun| other.tenant == begun.tenant && other.user == begun.user;
        if inner.begun.values().filter(|other| own(other)).count() >= SHARE {
            inner.evict(own);
        }
        if inner.begun.len() >= CAPACITY {
            inner.evict(|_| true);
        }
        begun.until = now + LIFE;
        let key = session.thumbprint();
        inner.by_end.insert((begun.until, key), ());
        inner.begun.insert(key, begun);
    }

    /// Takes what was begun, if `is` it: whoever guesses wrong takes nothing away.
    pub(crate) fn take(&self, session: &Secret, is: impl Fn(&Begun) -> bool, now: Timestamp) -> Option<Begun> {
        let mut inner = self.0.lock();
        inner.forget(now);
        let key = session.thumbprint();
        inner.begun.get(&key).filter(|begun| is(begun))?;
        inner.remove(&key)
    }
}

impl Inner {
    fn forget(&mut self, now: Timestamp) {
        while let Some(((until, key), ())) = self.by_end.first_key_value() {
            if *until > now {
                return;
            }
            let key = *key;
            self.remove(&key);
        }
    }

    fn evict(&mut self, is: impl Fn(&Begun) -> bool) {
        let soonest = self.by_end.keys().find(|(_, key)| self.begun.get(key).is_some_and(&is));
        if let Some((_, key)) = soonest.copied() {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &Thumbprint) -> Option<Begun> {
        let begun = self.begun.remove(key)?;
        self.by_end.remove(&(begun.until, *key));
        Some(begun)
    }
}

/// A verifier and its challenge (RFC 7636, sections 4.1 and 4.2); `None` where the system has no randomness.
pub(crate) fn pkce() -> Option<(Secret, String)> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).ok()?;
    let verifier = Secret::new(URL_SAFE_NO_PAD.encode(random));
    let challenge = verifier.thumbprint().to_base64url();
    Some((verifier, challenge))
}

/// A ticket lives for five minutes, and its user reads slowly.
const LIFE: Duration = Duration::from_secs(600);
const CAPACITY: usize = 10_000;
/// Of one user.
const SHARE: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn begun(user: &str) -> Begun {
        let user = UserId::new(user).expect("a user");
        let connection = ConnectionName::new("github").expect("a name");
        let whose = (TenantId::default_tenant(), user);
        Begun::new(whose, connection, ("https://app.test/cb".to_owned(), "state"), Secret::new("v".into()))
    }

    fn session(name: &str) -> Secret {
        Secret::new(name.to_owned())
    }

    #[test]
    fn one_is_taken_once_and_not_by_a_wrong_guess() {
        let all = Connections::default();
        all.begin(&session("one"), begun("ana"), NOW);
        assert!(all.take(&session("two"), |_| true, NOW).is_none());
        assert!(all.take(&session("one"), |_| false, NOW).is_none(), "it stays for whom it was begun");
        assert!(all.take(&session("one"), |begun| begun.user.as_str() == "ana", NOW).is_some());
        assert!(all.take(&session("one"), |_| true, NOW).is_none(), "once");
        all.begin(&session("late"), begun("ana"), NOW);
        assert!(all.take(&session("late"), |_| true, NOW + LIFE).is_none(), "not for ever");
    }

    #[test]
    fn one_user_pushes_out_nobody_elses() {
        let all = Connections::default();
        all.begin(&session("bens"), begun("ben"), NOW);
        for number in 0..SHARE + 5 {
            all.begin(&session(&format!("{number}")), begun("ana"), NOW + Duration::from_secs(number as u64));
        }
        assert!(all.take(&session("bens"), |_| true, NOW).is_some());
        assert!(all.take(&session("0"), |_| true, NOW).is_none());
        assert!(all.take(&session(&format!("{}", SHARE + 4)), |_| true, NOW).is_some());
    }

    #[test]
    fn a_challenge_is_the_digest_of_its_verifier() {
        let (verifier, challenge) = pkce().expect("random");
        assert_eq!((verifier.len(), challenge.len()), (43, 43));
        assert_eq!(Thumbprint::from_base64url(&challenge), Some(verifier.thumbprint()));
    }
}
