//! Security event tokens (RFC 8417): what another party signed about something that happened to a user.

use std::time::Duration;

use onesec_telemetry::{Secret, Timestamp};
use serde_json::{Map, Value};

use crate::claims::Claims;
use crate::compact::Compact;
use crate::keys::{Algorithm, KeySet};
use crate::refused::TokenRefused;

/// `typ` of a security event token (RFC 8417, section 2.3).
pub const SECURITY_EVENT_TYPE: &str = "secevent+jwt";

/// What a security event token must be to be believed.
#[derive(Debug, Clone)]
pub struct SecurityEventPolicy {
    issuer: String,
    audiences: Vec<String>,
    max_age: Duration,
    untyped: bool,
}

impl SecurityEventPolicy {
    /// `issuer` exactly as `iss` has it; one of `audiences` must be in `aud`, and none at all accepts nothing. Not older
    /// than a day.
    #[must_use]
    pub fn new(issuer: &str, audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let audiences = audiences.into_iter().map(Into::into).collect();
        Self { issuer: issuer.to_owned(), audiences, max_age: DAY, untyped: false }
    }

    /// How long after `iat` one is still taken: so long its `jti` must be remembered.
    #[must_use]
    pub const fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Takes tokens without `typ`, too, where nothing else about them is an access or ID token's: some transmitters
    /// were there before the type was.
    #[must_use]
    pub const fn untyped(mut self) -> Self {
        self.untyped = true;
        self
    }

    /// The expected issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// How long after `iat` one is still taken.
    #[must_use]
    pub const fn max_age(&self) -> Duration {
        self.max_age
    }
}

/// Whom an event is about (RFC 9493).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventSubject {
    /// A subject of an issuer.
    IssSub {
        /// The issuer.
        iss: String,
        /// Its subject.
        sub: String,
    },
    /// What only the two parties know the meaning of.
    Opaque(String),
    /// Named in another way, such as by an e-mail address, which is nobody's for ever.
    Other(String),
    /// Nobody is named.
    Absent,
}

/// Proof that an issuer said that something happened. Only [`verify_security_event`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSecurityEvent {
    issuer: String,
    jti: String,
    issued_at: Timestamp,
    event: String,
    subject: EventSubject,
}

impl VerifiedSecurityEvent {
    /// Who signed it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `jti`: the same token again says nothing new.
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// `iat`.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// What happened: the URI of the one event.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.event
    }

    /// To whom.
    #[must_use]
    pub const fn subject(&self) -> &EventSubject {
        &self.subject
    }
}

/// Verifies a security event token: type, issuer, signature, audience, age; exactly one event, as the Shared Signals
/// Framework has it. Whether its `jti` came before is for the caller to know.
///
/// # Errors
/// [`TokenRefused`] with the first reason found.
pub fn verify_security_event(
    token: &Secret,
    keys: &KeySet,
    policy: &SecurityEventPolicy,
    now: Timestamp,
) -> Result<VerifiedSecurityEvent, TokenRefused> {
    let compact = Compact::parse(token.expose_to_wire())?;
    let typed = match compact.typ() {
        Some(typ) if is_type(typ) => true,
        None | Some("JWT") if policy.untyped => false,
        Some(_) | None => return Err(TokenRefused::WrongType),
    };
    let claims = Claims(compact.verify(keys, Algorithm::ALL)?);
    claims.check_issuer(&policy.issuer)?;
    if !claims.audiences()?.iter().any(|audience| policy.audiences.iter().any(|own| own == audience)) {
        return Err(TokenRefused::WrongAudience);
    }
    // What such a token never has, and an access or ID token always: nobody must pass the one off as the other.
    let of_others = ["exp", "azp", "nonce", "at_hash", "scope"];
    if !typed && of_others.iter().any(|name| claims.has(name)) {
        return Err(TokenRefused::WrongType);
    }
    let issued_at = age(&claims, policy, now)?;
    let jti = claims.required_jti()?.to_owned();
    let (event, subject) = one_event(&claims)?;
    Ok(VerifiedSecurityEvent { issuer: policy.issuer.clone(), jti, issued_at, event, subject })
}

/// A media type, with or without its first half (RFC 7515, section 4.1.9).
fn is_type(typ: &str) -> bool {
    let short = typ.get(..12).filter(|start| start.eq_ignore_ascii_case("application/")).and_then(|_| typ.get(12..));
    short.unwrap_or(typ).eq_ignore_ascii_case(SECURITY_EVENT_TYPE)
}

fn age(claims: &Claims, policy: &SecurityEventPolicy, now: Timestamp) -> Result<Timestamp, TokenRefused> {
    let issued_at = claims.required_time("iat")?;
    if issued_at > now + LEEWAY {
        return Err(TokenRefused::IssuedInFuture);
    }
    if issued_at + policy.max_age <= now {
        return Err(TokenRefused::TooOld);
    }
    // RFC 8417, section 2.2: not recommended; where it is there, it counts.
    if claims.time("exp")?.is_some_and(|end| end + LEEWAY <= now) {
        return Err(TokenRefused::Expired);
    }
    Ok(issued_at)
}

fn one_event(claims: &Claims) -> Result<(String, EventSubject), TokenRefused> {
    let events = claims.0.get("events").ok_or(TokenRefused::MissingClaim("events"))?;
    let events = events.as_object().ok_or(TokenRefused::BadClaim("events"))?;
    let mut all = events.iter();
    let (Some((event, payload)), None) = (all.next(), all.next()) else { return Err(TokenRefused::NotOneEvent) };
    let payload = payload.as_object().ok_or(TokenRefused::BadClaim("events"))?;
    if event.is_empty() || event.len() > MAX_EVENT_BYTES {
        return Err(TokenRefused::BadClaim("events"));
    }
    Ok((event.clone(), subject(claims.0.get("sub_id"), payload.get("subject"))?))
}

/// `sub_id` of the token (RFC 9493, section 4.1), or `subject` of the event, as before; where there are both they must
/// say the same.
fn subject(of_token: Option<&Value>, of_event: Option<&Value>) -> Result<EventSubject, TokenRefused> {
    let read = |value: Option<&Value>| value.map(read_subject).transpose();
    match (read(of_token)?, read(of_event)?) {
        (Some(one), Some(other)) if one != other => Err(TokenRefused::BadClaim("sub_id")),
        (Some(one), _) | (None, Some(one)) => Ok(one),
        (None, None) => Ok(EventSubject::Absent),
    }
}

fn read_subject(value: &Value) -> Result<EventSubject, TokenRefused> {
    let bad = TokenRefused::BadClaim("sub_id");
    let members = value.as_object().ok_or(bad)?;
    match format_of(members) {
        // Of a subject in parts it is the user who counts.
        "complex" | "" => members.get("user").map_or(Ok(EventSubject::Other("complex".to_owned())), read_simple),
        _ => read_simple(value),
    }
}

fn read_simple(value: &Value) -> Result<EventSubject, TokenRefused> {
    let bad = TokenRefused::BadClaim("sub_id");
    let members = value.as_object().ok_or(bad)?;
    let text = |name: &str| {
        let text = members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.filter(|text| text.len() <= MAX_SUBJECT_BYTES).map(str::to_owned).ok_or(bad)
    };
    match format_of(members) {
        "iss_sub" | "iss-sub" => Ok(EventSubject::IssSub { iss: text("iss")?, sub: text("sub")? }),
        "opaque" => Ok(EventSubject::Opaque(text("id")?)),
        other => Ok(EventSubject::Other(other.chars().take(64).collect())),
    }
}

/// `format`, or `subject_type` as it was called before RFC 9493.
fn format_of(members: &Map<String, Value>) -> &str {
    let named = members.get("format").or_else(|| members.get("subject_type"));
    named.and_then(Value::as_str).unwrap_or_default()
}

const DAY: Duration = Duration::from_secs(86_400);
/// How far clocks may differ.
const LEEWAY: Duration = Duration::from_secs(60);
const MAX_EVENT_BYTES: usize = 256;
const MAX_SUBJECT_BYTES: usize = 512;

#[cfg(test)]
mod tests;
