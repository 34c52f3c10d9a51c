//! ID tokens, only to learn whose refresh token it was (OpenID Connect Core, section 3.1.3.7).

use std::time::Duration;

use onesec_telemetry::{Secret, SessionId, Timestamp, UserId};

use crate::claims::Claims;
use crate::compact::Compact;
use crate::keys::{Algorithm, KeySet};
use crate::refused::TokenRefused;

const LEEWAY: Duration = Duration::from_secs(30);

/// Whose ID tokens count.
#[derive(Debug, Clone)]
pub struct IdTokenPolicy {
    /// Exactly as `iss` has it.
    pub issuer: String,
    /// Our own client, the only accepted audience.
    pub client_id: String,
}

/// Proof that the issuer told our own client who the user is. Only [`verify_id_token`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedIdToken {
    user: UserId,
    session: Option<SessionId>,
}

impl VerifiedIdToken {
    /// `sub`.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// `sid`.
    #[must_use]
    pub const fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }
}

/// Verifies an ID token that our own client got from the token endpoint.
///
/// # Errors
/// [`TokenRefused`] with the first reason found.
pub fn verify_id_token(
    token: &Secret,
    keys: &KeySet,
    policy: &IdTokenPolicy,
    now: Timestamp,
) -> Result<VerifiedIdToken, TokenRefused> {
    let compact = Compact::parse(token.expose_to_wire())?;
    if !compact.typ().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT")) {
        return Err(TokenRefused::WrongType);
    }
    let claims = Claims(compact.verify(keys, Algorithm::OF_TENANTS)?);
    claims.check_issuer(&policy.issuer)?;
    claims.check_times(now, LEEWAY)?;
    check_audience(&claims, &policy.client_id)?;
    let session = claims.text("sid")?.map(SessionId::new).transpose();
    let session = session.map_err(|_| TokenRefused::BadClaim("sid"))?;
    Ok(VerifiedIdToken { user: claims.subject()?, session })
}

fn check_audience(claims: &Claims, client_id: &str) -> Result<(), TokenRefused> {
    let audiences = claims.audiences()?;
    let authorized = claims.text("azp")?;
    let ours = audiences.contains(&client_id) && authorized.is_none_or(|azp| azp == client_id);
    // With several audiences only `azp` says for whom the token was made.
    if ours && (audiences.len() == 1 || authorized.is_some()) { Ok(()) } else { Err(TokenRefused::WrongAudience) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, SigningKey};
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn check(changes: Value) -> Result<VerifiedIdToken, TokenRefused> {
        let key = SigningKey::generate(Algorithm::Es256).expect("key");
        let keys = KeySet::from_jwks_json(&json!({"keys": [key.public_jwk("k")]}).to_string()).expect("set");
        let mut claims = json!({"iss": "https://t/", "aud": "app", "sub": "auth0|ana", "sid": "s1",
            "iat": NOW.as_secs(), "exp": NOW.as_secs() + 60});
        for (name, value) in changes.as_object().expect("object") {
            claims[name] = value.clone();
        }
        let policy = IdTokenPolicy { issuer: "https://t/".into(), client_id: "app".into() };
        verify_id_token(&key.sign(&claims, "JWT", "k").expect("signed"), &keys, &policy, NOW)
    }

    #[test]
    fn names_user_and_session() {
        let proof = check(json!({})).expect("verified");
        assert_eq!(proof.user().as_str(), "auth0|ana");
        assert_eq!(proof.session().map(SessionId::as_str), Some("s1"));
        assert!(check(json!({"aud": ["app", "other"], "azp": "app"})).is_ok());
    }

    #[test]
    fn another_clients_token_proves_nothing_to_us() {
        assert_eq!(check(json!({"aud": "other"})), Err(TokenRefused::WrongAudience));
        assert_eq!(check(json!({"aud": ["app", "other"]})), Err(TokenRefused::WrongAudience));
        assert_eq!(check(json!({"azp": "other"})), Err(TokenRefused::WrongAudience));
        assert_eq!(check(json!({"iss": "https://t"})), Err(TokenRefused::WrongIssuer));
        assert_eq!(check(json!({"exp": NOW.as_secs() - 60})), Err(TokenRefused::Expired));
        assert_eq!(check(json!({"sub": " auth0|ana"})), Err(TokenRefused::BadClaim("sub")));
    }
}
