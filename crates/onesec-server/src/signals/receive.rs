//! Security events in: believed by signature, taken once, answered when what they ask for is durable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use onesec_auth0::{Clock, ConfigError, HttpClient, Jwks, VerifyError};
use onesec_identity::{
    EventSubject, KeySet, SecurityEventPolicy, TokenRefused, VerifiedSecurityEvent, claimed_issuer,
    verify_security_event,
};
use onesec_journal::{JournalError, LedgerTable, LedgerWrite};
use onesec_telemetry::event::Text;
use onesec_telemetry::{Command, Name, Secret, Sender, TenantId, UserId};
use subtle::ConstantTimeEq as _;

use super::respond::Known;
use super::{SignalsConfig, TransmitterConfig, TransmitterKeys};
use crate::core::{Core, CoreError, Order};
use crate::identity::used_row;
use crate::revoke::{NotBegun, Revocations, Target, Wish};

/// One who is believed.
struct Transmitter {
    config: TransmitterConfig,
    policy: SecurityEventPolicy,
    keys: Keys,
}

enum Keys {
    Fetched(Box<Jwks>),
    Given(KeySet),
}

/// Why nobody can be believed as configured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("`{}` has no usable key", .0.display())]
    NoKeys(PathBuf),
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
}

/// All who are believed, by tenant of ours.
pub(crate) struct Transmitters {
    core: Core,
    revocations: Arc<Revocations>,
    tenants: BTreeMap<TenantId, (SignalsConfig, Vec<Transmitter>)>,
}

/// Why an event is not taken (RFC 8935, section 2.4).
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("the security event token cannot be read: {}", .0.code())]
    Invalid(TokenRefused),
    #[error("the issuer is none of those that are believed here")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the signature is not one that is accepted here: {}", .0.code())]
    Key(TokenRefused),
    #[error("the transmitter did not authenticate itself")]
    Unauthenticated,
    #[error("the keys of the issuer cannot be fetched now")]
    Keys,
    #[error("it cannot be recorded now")]
    Unrecorded,
}

impl NotTaken {
    /// The code for the transmitter; none where it should come again.
    pub(crate) const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(_) => Some("invalid_request"),
            Self::Issuer => Some("invalid_issuer"),
            Self::Audience => Some("invalid_audience"),
            Self::Key(_) => Some("invalid_key"),
            Self::Unauthenticated => Some("authentication_failed"),
            Self::Keys | Self::Unrecorded => None,
        }
    }

    const fn of(refused: TokenRefused) -> Self {
        match refused {
            TokenRefused::WrongIssuer => Self::Issuer,
            TokenRefused::WrongAudience => Self::Audience,
            TokenRefused::Algorithm
            | TokenRefused::NoKeyId
            | TokenRefused::UnknownKey
            | TokenRefused::KeyMismatch
            | TokenRefused::EmbeddedKey
            | TokenRefused::Signature => Self::Key(refused),
            other => Self::Invalid(other),
        }
    }
}

impl From<JournalError> for NotTaken {
    fn from(_: JournalError) -> Self {
        Self::Unrecorded
    }
}

impl From<CoreError> for NotTaken {
    fn from(_: CoreError) -> Self {
        Self::Unrecorded
    }
}

/// What came of an event that was taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// It was here before.
    Again,
    /// It is recorded, and changes nothing.
    Recorded,
    /// Access is being taken back.
    Revoking(Name),
}

impl Transmitters {
    pub(crate) const fn new(core: Core, revocations: Arc<Revocations>) -> Self {
        Self { core, revocations, tenants: BTreeMap::new() }
    }

    pub(crate) fn add(
        &mut self,
        (tenant, signals): (&TenantId, &SignalsConfig),
        http: &HttpClient,
        clock: &Arc<dyn Clock>,
    ) -> Result<(), Unusable> {
        let mut all = Vec::new();
        for config in &signals.transmitters {
            let keys = match &config.keys {
                TransmitterKeys::At(uri) => {
                    let jwks = Jwks::for_issuer(&config.issuer, Some(uri), http.clone(), clock.clone())?;
                    Keys::Fetched(Box::new(jwks))
                }
                TransmitterKeys::In(path) => Keys::Given(key_set(path)?),
            };
            let mut policy = SecurityEventPolicy::new(&config.issuer, config.audiences.iter().cloned());
            if let Some(max_age) = signals.max_age {
                policy = policy.with_max_age(max_age);
            }
            if config.untyped {
                policy = policy.untyped();
            }
            all.push(Transmitter { config: config.clone(), policy, keys });
        }
        self.tenants.insert(tenant.clone(), (signals.clone(), all));
        Ok(())
    }

    /// Takes a token, once. Durable when it returns.
    ///
    /// # Errors
    /// [`NotTaken`]; nothing has happened then.
    pub(crate) async fn take(&self, token: &Secret, authorization: Option<&Secret>) -> Result<Received, NotTaken> {
        let issuer = claimed_issuer(token).map_err(NotTaken::of)?;
        let mut why = NotTaken::Issuer;
        for (tenant, (signals, transmitters)) in &self.tenants {
            for transmitter in transmitters.iter().filter(|transmitter| transmitter.config.issuer == issuer) {
                if !transmitter.is_authorised(authorization) {
                    why = NotTaken::Unauthenticated;
                    continue;
                }
                match transmitter.verify(token, &self.core).await {
                    Ok(event) => return self.taken((tenant, signals), transmitter, &event).await,
                    Err(refused) => why = refused,
                }
            }
        }
        Err(why)
    }

    async fn taken(
        &self,
        (tenant, signals): (&TenantId, &SignalsConfig),
        transmitter: &Transmitter,
        event: &VerifiedSecurityEvent,
    ) -> Result<Received, NotTaken> {
        let until = event.issued_at() + transmitter.policy.max_age();
        let used = used_row(tenant, (&format!("set:{}", event.issuer()), event.jti()), until);
        if self.is_used(tenant, &used).await? {
            return Ok(Received::Again);
        }
        let known = Known::from_uri(event.event());
        let response = known.and_then(|known| signals.response(known));
        let user = transmitter.user(event.subject());
        let outcome = match (known, &response, &user) {
            (None, ..) => "ignored: an event that changes nothing here",
            (Some(Known::Verification), ..) => "a verification",
            (_, None, _) => "recorded: nothing is to be done about it",
            (_, _, None) => "ignored: its subject is no user that is surely known here",
            (Some(_), Some(_), Some(_)) => "access is taken back",
        };
        let record = self.record(tenant, event, (user.clone(), outcome));
        let (Some(response), Some(user)) = (response, user) else {
            self.order(tenant, record, vec![used]).await?;
            return Ok(Received::Recorded);
        };
        // First what was told, then what is done: should we end in between, it is told again.
        self.order(tenant, record, Vec::new()).await?;
        let owner = Name::new(event.issuer()).ok();
        let wish = Wish {
            target: Target { user_id: Some(user), connection: transmitter.config.connection.clone(), agent_id: None },
            parts: Some(response.parts),
            own: response.own,
            told: true,
            clients: Vec::new(),
            reason: Some(Text::redacted(&format!("{} told by {}", known.map_or("", Known::as_str), event.issuer()))),
            request_id: Some(format!("set\u{1f}{}\u{1f}{}", event.issuer(), event.jti())),
            sender: Sender { owner, ..Sender::system() },
        };
        match self.revocations.begin(tenant, wish, vec![used]).await {
            Ok(begun) => Ok(Received::Revoking(begun.revocation.id)),
            // The target is a user, the parts are a user's: all that is left is that it came before.
            Err(NotBegun::OtherRequest) => Ok(Received::Again),
            Err(_) => Err(NotTaken::Unrecorded),
        }
    }

    async fn is_used(&self, tenant: &TenantId, used: &LedgerWrite) -> Result<bool, NotTaken> {
        let LedgerWrite::Put { row, .. } = used else { return Ok(false) };
        let (reader, tenant, id) = (self.core.reader().clone(), tenant.clone(), row.id.clone());
        let read = move || reader.ledger_row(LedgerTable::UsedJti, &tenant, &id);
        let row = tokio::task::spawn_blocking(read).await.map_err(|_| NotTaken::Unrecorded)??;
        Ok(row.is_some())
    }

    fn record(
        &self,
        tenant: &TenantId,
        event: &VerifiedSecurityEvent,
        (user, outcome): (Option<UserId>, &str),
    ) -> Command {
        tracing::info!(%tenant, issuer = event.issuer(), event = event.event(), outcome, "a security event");
        let issuer = Name::new(event.issuer()).or_else(|_| Name::new("?"));
        #[expect(clippy::expect_used, reason = "a question mark is an identifier")]
        let issuer = issuer.expect("a name");
        Command::SecurityEvent {
            issuer,
            jti: Text::redacted(event.jti()),
            event: Text::redacted(event.event()),
            user,
            outcome: Text::redacted(outcome),
        }
    }

    async fn order(&self, tenant: &TenantId, command: Command, ledger: Vec<LedgerWrite>) -> Result<(), CoreError> {
        let order = Order { tenant: tenant.clone(), sender: Sender::system(), command, then: None, ledger };
        self.core.order(order).await.map(drop)
    }
}

impl Transmitter {
    fn is_authorised(&self, shown: Option<&Secret>) -> bool {
        let Some(wanted) = &self.config.authorization else { return true };
        let shown = shown.map_or("", Secret::expose_to_wire);
        bool::from(wanted.expose_to_wire().as_bytes().ct_eq(shown.as_bytes()))
    }

    async fn verify(&self, token: &Secret, core: &Core) -> Result<VerifiedSecurityEvent, NotTaken> {
        let now = core.now();
        match &self.keys {
            Keys::Fetched(jwks) => {
                let verified = jwks.verify(|keys| verify_security_event(token, keys, &self.policy, now)).await;
                verified.map_err(|error| match error {
                    VerifyError::Token(refused) => NotTaken::of(refused),
                    VerifyError::Keys(_) => NotTaken::Keys,
                })
            }
            Keys::Given(keys) => verify_security_event(token, keys, &self.policy, now).map_err(NotTaken::of),
        }
    }

    /// The user of ours that a subject surely is. An address is nobody's for ever, and an issuer speaks of its own
    /// subjects only.
    fn user(&self, subject: &EventSubject) -> Option<UserId> {
        let sub = match subject {
            EventSubject::IssSub { iss, sub } => {
                let expected = self.config.subject_issuer.as_ref().unwrap_or(&self.config.issuer);
                if iss != expected {
                    return None;
                }
                sub
            }
            EventSubject::Opaque(id) if self.config.opaque_users => id,
            _ => return None,
        };
        let raw = format!("{}{sub}", self.config.user_prefix);
        UserId::new(&raw).ok().filter(|user| user.as_str() == raw)
    }
}

fn key_set(path: &Path) -> Result<KeySet, Unusable> {
    let text = std::fs::read_to_string(path).map_err(|source| Unusable::Read { path: path.to_owned(), source })?;
    let keys = KeySet::from_jwks_json(&text).ok().filter(|keys| !keys.is_empty());
    keys.ok_or_else(|| Unusable::NoKeys(path.to_owned()))
}
