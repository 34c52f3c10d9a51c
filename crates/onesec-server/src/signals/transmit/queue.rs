//! One event for one receiver, as it waits.

use std::time::Duration;

use onesec_journal::{LedgerRow, LedgerTable, LedgerWrite};
use onesec_telemetry::event::Text;
use onesec_telemetry::{AgentId, ConnectionName, Name, TenantId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What happened, as CAEP has words for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Happened {
    pub(crate) what: What,
    /// The revocation behind it.
    pub(crate) id: Name,
    pub(crate) reason: Option<Text>,
    pub(crate) connection: Option<ConnectionName>,
    pub(crate) agent: Option<AgentId>,
    pub(crate) at: Timestamp,
}

/// Which event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    /// The user's sessions were ended.
    SessionRevoked,
    /// What the user had lent was taken back: a credential of somebody who acts for the user is void.
    CredentialChange,
}

impl What {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SessionRevoked => "session-revoked",
            Self::CredentialChange => "credential-change",
        }
    }
}

/// One that waits, or is given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Queued {
    pub(crate) jti: String,
    pub(crate) receiver: String,
    pub(crate) user_id: UserId,
    #[serde(flatten)]
    happened: Happened,
    pub(crate) state: Name,
    pub(crate) attempts: u32,
    next_at: Timestamp,
    why: Option<Text>,
    #[serde(skip)]
    pub(crate) at: Timestamp,
}

impl Queued {
    pub(crate) fn new(receiver: &str, user: &UserId, happened: &Happened, now: Timestamp) -> Self {
        Self {
            // The same event has the same name, however often it is queued.
            jti: format!("{}-{}", happened.id, happened.what.as_str()),
            receiver: receiver.to_owned(),
            user_id: user.clone(),
            at: happened.at,
            happened: happened.clone(),
            state: word(WAITING),
            attempts: 0,
            next_at: now,
            why: None,
        }
    }

    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.next_at <= now
    }

    pub(crate) const fn next_at(&self) -> Timestamp {
        self.next_at
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state.as_str() == DEAD
    }

    /// RFC 8417, section 2.2; CAEP 1.0, section 3.
    pub(crate) fn claims(&self, (issuer, audience): (&str, &str), subjects: &str) -> Value {
        let mut payload = json!({
            "event_timestamp": self.happened.at.as_secs(), "initiating_entity": "admin",
            "reason_admin": {"en": self.reason()},
        });
        if let (What::CredentialChange, Some(members)) = (self.happened.what, payload.as_object_mut()) {
            members.insert("credential_type".to_owned(), json!("delegated-access"));
            members.insert("change_type".to_owned(), json!("revoke"));
        }
        let event = format!("https://schemas.openid.net/secevent/caep/event-type/{}", self.happened.what.as_str());
        json!({
            "iss": issuer, "aud": audience, "iat": self.happened.at.as_secs(), "jti": self.jti, "txn": self.happened.id,
            "sub_id": {"format": "iss_sub", "iss": subjects, "sub": self.user_id},
            "events": {event: payload},
        })
    }

    fn reason(&self) -> String {
        let of = |what: &str, name: Option<&str>| name.map(|name| format!(" {what} {name}")).unwrap_or_default();
        let agent = of("of agent", self.happened.agent.as_ref().map(AsRef::as_ref));
        let connection = of("at", self.happened.connection.as_ref().map(AsRef::as_ref));
        let because = self.happened.reason.as_ref().map(|why| format!(": {}", why.as_str())).unwrap_or_default();
        format!("access{agent}{connection} taken back{because}")
    }

    /// It will not be tried again.
    pub(crate) fn dead(&mut self, why: &str, now: Timestamp) -> &Self {
        (self.state, self.why, self.next_at) = (word(DEAD), Some(Text::redacted(why)), now);
        self.attempts += 1;
        self
    }

    /// It is tried again, for about four hours.
    pub(crate) fn later(&mut self, why: &str, now: Timestamp) -> &Self {
        if self.attempts + 1 >= MOST_ATTEMPTS {
            return self.dead(&format!("{why}; given up after {MOST_ATTEMPTS} attempts"), now);
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.attempts.min(16)).min(LONGEST_PAUSE);
        (self.attempts, self.why, self.next_at) = (self.attempts + 1, Some(Text::redacted(why)), now + pause);
        self
    }

    pub(crate) fn put(&self, tenant: &TenantId) -> LedgerWrite {
        let row = LedgerRow {
            tenant: tenant.clone(),
            id: self.row_id(),
            agent_id: None,
            user_id: Some(self.user_id.clone()),
            connection: None,
            state: self.state.to_string(),
            updated_seq: 0,
            expires_at: Some(self.happened.at + KEPT),
            doc: serde_json::to_string(self).unwrap_or_default(),
        };
        LedgerWrite::Put { table: LedgerTable::SecurityEvents, row }
    }

    pub(crate) fn gone(&self, tenant: &TenantId) -> LedgerWrite {
        LedgerWrite::Remove { table: LedgerTable::SecurityEvents, tenant: tenant.clone(), id: self.row_id() }
    }

    pub(crate) fn read(row: &LedgerRow) -> Option<Self> {
        let mut queued: Self = serde_json::from_str(&row.doc).ok()?;
        queued.at = queued.happened.at;
        Some(queued)
    }

    fn row_id(&self) -> String {
        format!("{}\u{1f}{}", self.receiver, self.jti)
    }
}

#[expect(clippy::expect_used, reason = "words of our own are identifiers")]
fn word(text: &'static str) -> Name {
    Name::new(text).expect("a word")
}

pub(super) const WAITING: &str = "waiting";
const DEAD: &str = "dead";
const MOST_ATTEMPTS: u32 = 15;
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// Neither what waits nor what was given up stays for longer.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn queued() -> Queued {
        let happened = Happened {
            what: What::CredentialChange,
            id: Name::new("rev_1").expect("a name"),
            reason: Some(Text::redacted("stolen")),
            connection: ConnectionName::new("github").ok(),
            agent: None,
            at: NOW,
        };
        Queued::new("siem", &UserId::new("auth0|ana").expect("a user"), &happened, NOW)
    }

    #[test]
    fn it_is_tried_again_with_growing_pauses_and_given_up() {
        let (mut it, mut now, mut pauses) = (queued(), NOW, Vec::new());
        while !it.is_dead() {
            it.later("no answer", now);
            pauses.push(it.next_at.since(now).as_secs());
            now = it.next_at;
        }
        assert_eq!((pauses.len(), pauses[0], pauses[12], pauses[13]), (15, 2, 3_600, 3_600));
        assert!(it.why.is_some_and(|why| why.as_str().contains("given up")));
    }

    #[test]
    fn what_waits_is_read_as_it_was_and_says_what_happened() {
        let it = queued();
        let LedgerWrite::Put { row, .. } = it.put(&TenantId::default_tenant()) else { panic!("a row") };
        assert_eq!(Queued::read(&row), Some(it.clone()));
        let claims = it.claims(("https://onesec.example", "siem"), "https://t.auth0.com/");
        let payload = &claims["events"]["https://schemas.openid.net/secevent/caep/event-type/credential-change"];
        assert_eq!((&payload["change_type"], &claims["jti"]), (&json!("revoke"), &json!("rev_1-credential-change")));
        assert_eq!(payload["reason_admin"]["en"], "access at github taken back: stolen");
        assert_eq!(claims["sub_id"], json!({"format": "iss_sub", "iss": "https://t.auth0.com/", "sub": "auth0|ana"}));
    }
}
