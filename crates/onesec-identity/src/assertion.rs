//! Client assertions: `private_key_jwt` (RFC 7523; OpenID Connect Core, section 9).

use std::time::Duration;

use onesec_telemetry::{AppId, Secret, Timestamp};
use serde_json::json;

use crate::claims::{Claims, is_jti};
use crate::compact::Compact;
use crate::keys::KeySet;
use crate::refused::TokenRefused;
use crate::signing::{SignError, SigningKey};

/// How far ahead `exp` may lie: a replay cache must remember an assertion that long.
pub const MAX_ASSERTION_LIFE: Duration = Duration::from_secs(300);
/// How long an assertion lives that [`sign_client_assertion`] makes.
pub const ASSERTION_LIFE: Duration = Duration::from_secs(60);
const LEEWAY: Duration = Duration::from_secs(30);

/// Whom an assertion must speak of, and to whom.
#[derive(Debug, Clone, Copy)]
pub struct AssertionExpect<'a> {
    /// The client whose keys are given. Not optional: else a client could sign in another one's name.
    pub client: &'a AppId,
    /// Our own names: issuer or token endpoint. The assertion must name exactly one of them and nothing else.
    pub audiences: &'a [&'a str],
}

/// Why an assertion was refused, with a stable [`AssertionRefused::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionRefused {
    /// The assertion is no acceptable JWT; the reason is that of any token.
    #[error(transparent)]
    Jwt(#[from] TokenRefused),
    /// `iss` and `sub` are not both the client whose keys were given.
    #[error("the assertion speaks of another client")]
    WrongClient,
    /// `exp` lies further ahead than [`MAX_ASSERTION_LIFE`].
    #[error("the assertion lives too long")]
    LivesTooLong,
}

impl AssertionRefused {
    /// The reason as a stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Jwt(reason) => reason.code(),
            Self::WrongClient => "wrong_client",
            Self::LivesTooLong => "lives_too_long",
        }
    }
}

/// Proof that a client holds its private key. Only [`verify_client_assertion`] makes one.
///
/// Whether it was used before is the caller's to check: give [`VerifiedAssertion::jti`] and
/// [`VerifiedAssertion::replayable_until`] to a [`crate::ReplayCache`], under the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedAssertion {
    client: AppId,
    jti: String,
    expires_at: Timestamp,
}

impl VerifiedAssertion {
    /// The client: `iss` and `sub`.
    #[must_use]
    pub const fn client(&self) -> &AppId {
        &self.client
    }

    /// `jti`: unique per client.
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// `exp`.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// From when on it is refused as expired, so that nobody needs to remember it.
    #[must_use]
    pub fn replayable_until(&self) -> Timestamp {
        self.expires_at + LEEWAY
    }
}

/// Whom an assertion claims to come from. It proves nothing: only good for finding that client's keys.
///
/// # Errors
/// [`TokenRefused`] where it is no JWT, or names nobody.
pub fn claimed_client(assertion: &Secret) -> Result<AppId, TokenRefused> {
    let compact = Compact::parse(assertion.expose_to_wire())?;
    let sub = compact.unproven_claim("sub").ok_or(TokenRefused::MissingClaim("sub"))?;
    let client = sub.as_str().and_then(|raw| AppId::new(raw).ok().filter(|id| id.as_str() == raw));
    client.ok_or(TokenRefused::BadClaim("sub"))
}

/// Whom a token claims to come from: its `iss`. It proves nothing: only good for finding that issuer's keys.
///
/// # Errors
/// [`TokenRefused`] where it is no JWT, or names no issuer.
pub fn claimed_issuer(token: &Secret) -> Result<String, TokenRefused> {
    let compact = Compact::parse(token.expose_to_wire())?;
    let iss = compact.unproven_claim("iss").ok_or(TokenRefused::MissingClaim("iss"))?;
    iss.as_str().map(str::to_owned).ok_or(TokenRefused::BadClaim("iss"))
}

/// Verifies a client assertion (RFC 7523, section 3) with the keys of that very client.
///
/// An assertion without `kid` is taken where only one of the keys is made for its algorithm.
///
/// # Errors
/// [`AssertionRefused`] with the first reason found.
pub fn verify_client_assertion(
    assertion: &Secret,
    keys: &KeySet,
    expect: &AssertionExpect<'_>,
    now: Timestamp,
) -> Result<VerifiedAssertion, AssertionRefused> {
    let compact = Compact::parse(assertion.expose_to_wire())?;
    check_type(&compact)?;
    let claims = Claims(compact.verify_of_agent(keys)?);
    let client = expect.client.as_str();
    if claims.required_text("iss")? != client || claims.required_text("sub")? != client {
        return Err(AssertionRefused::WrongClient);
    }
    claims.check_only_audience(expect.audiences)?;
    let expires_at = claims.check_window(now, LEEWAY)?;
    if expires_at > now + MAX_ASSERTION_LIFE + LEEWAY {
        return Err(AssertionRefused::LivesTooLong);
    }
    let jti = claims.required_jti()?.to_owned();
    Ok(VerifiedAssertion { client: expect.client.clone(), jti, expires_at })
}

/// Clients of old state no type or `JWT`; whatever states another one was made for something else.
fn check_type(compact: &Compact<'_>) -> Result<(), TokenRefused> {
    let known = |typ: &str| ["jwt", "client-authentication+jwt"].iter().any(|one| typ.eq_ignore_ascii_case(one));
    match compact.typ() {
        Some(typ) if known(typ) => Ok(()),
        None if !compact.has("typ") => Ok(()),
        _ => Err(TokenRefused::WrongType),
    }
}

/// What a client says of itself. Times are cut to whole seconds when signed.
#[derive(Debug, Clone, Copy)]
pub struct AssertionSpec<'a> {
    /// `iss` and `sub`.
    pub client: &'a str,
    /// `aud`: the issuer or token endpoint that it is shown to, and no other.
    pub audience: &'a str,
    /// `jti`: fresh for every assertion, at most 256 bytes.
    pub jti: &'a str,
    /// `iat`. It expires [`ASSERTION_LIFE`] later.
    pub issued_at: Timestamp,
}

/// Signs a client assertion (RFC 7523, section 3).
///
/// # Errors
/// [`SignError::Claim`] where every verifier would refuse it, [`SignError::Sign`].
pub fn sign_client_assertion(key: &SigningKey, spec: &AssertionSpec<'_>, kid: &str) -> Result<Secret, SignError> {
    if !is_jti(spec.jti) {
        return Err(SignError::Claim("jti"));
    }
    let (issued_at, expires_at) = (spec.issued_at.as_secs(), (spec.issued_at + ASSERTION_LIFE).as_secs());
    let claims = json!({"iss": spec.client, "sub": spec.client, "aud": spec.audience, "jti": spec.jti,
        "iat": issued_at, "exp": expires_at});
    key.sign(&claims, "JWT", kid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Algorithm;
    use serde_json::Value;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const US: &str = "https://onesec.example/";

    fn merge(into: &mut Value, changes: Value) {
        for (name, value) in changes.as_object().expect("object") {
            let members = into.as_object_mut().expect("object");
            if value.is_null() {
                members.remove(name)
            } else {
                members.insert(name.clone(), value.clone())
            };
        }
    }

    fn check_with(keys: &[&SigningKey], header: Value, changes: Value) -> Result<VerifiedAssertion, AssertionRefused> {
        let jwks: Vec<Value> = keys.iter().enumerate().map(|(n, key)| key.public_jwk(&format!("k{n}"))).collect();
        let set = KeySet::from_jwks_json(&json!({"keys": jwks}).to_string()).expect("set");
        let mut head = json!({"alg": keys[0].algorithm().name(), "typ": "JWT", "kid": "k0"});
        merge(&mut head, header);
        let mut claims = json!({"iss": "agent-app", "sub": "agent-app", "aud": US, "jti": "j",
            "iat": NOW.as_secs(), "exp": NOW.as_secs() + 60});
        merge(&mut claims, changes);
        let assertion = keys[0].sign_raw(&head.to_string(), &claims.to_string()).expect("signed");
        let client = AppId::new("agent-app").expect("id");
        verify_client_assertion(&assertion, &set, &AssertionExpect { client: &client, audiences: &[US] }, NOW)
    }

    fn check(header: Value, changes: Value) -> Result<VerifiedAssertion, &'static str> {
        let key = SigningKey::generate(Algorithm::EdDsa).expect("key");
        check_with(&[&key], header, changes).map_err(AssertionRefused::code)
    }

    #[test]
    fn a_client_proves_that_it_is_itself() {
        let proof = check(json!({}), json!({})).expect("verified");
        assert_eq!((proof.client().as_str(), proof.jti()), ("agent-app", "j"));
        assert_eq!(proof.expires_at(), NOW + Duration::from_secs(60));
        assert_eq!(proof.replayable_until(), NOW + Duration::from_secs(90));
        for typ in [json!(null), json!("client-authentication+jwt")] {
            assert!(check(json!({"typ": typ}), json!({"aud": [US], "iat": null})).is_ok());
        }
        for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256] {
            let key = SigningKey::generate(algorithm).expect("key");
            assert!(check_with(&[&key], json!({}), json!({})).is_ok());
        }
    }

    #[test]
    fn what_a_client_signs_verifies_once_the_client_is_right() {
        let key = SigningKey::generate(Algorithm::EdDsa).expect("key");
        let set = KeySet::from_jwks_json(&json!({"keys": [key.public_jwk("k")]}).to_string()).expect("set");
        let spec = AssertionSpec { client: "agent-app", audience: US, jti: "j", issued_at: NOW };
        let assertion = sign_client_assertion(&key, &spec, "k").expect("signed");
        assert_eq!(claimed_client(&assertion).map(|client| client.to_string()), Ok("agent-app".to_owned()));
        let check = |client: &str, audience| {
            let client = AppId::new(client).expect("id");
            let expect = AssertionExpect { client: &client, audiences: &[audience] };
            verify_client_assertion(&assertion, &set, &expect, NOW)
        };
        let proof = check("agent-app", US).expect("verified");
        assert_eq!((proof.jti(), proof.expires_at()), ("j", NOW + ASSERTION_LIFE));
        assert_eq!(check("other", US), Err(AssertionRefused::WrongClient));
        assert_eq!(check("agent-app", "https://other.example/"), Err(TokenRefused::WrongAudience.into()));
        let nameless = sign_client_assertion(&key, &AssertionSpec { jti: "", ..spec }, "k").map(|_| ());
        assert_eq!(nameless, Err(SignError::Claim("jti")));
    }

    #[test]
    fn without_a_key_id_there_must_be_no_doubt_about_the_key() {
        let make = |alg| SigningKey::generate(alg).expect("key");
        let (one, same, other) = (make(Algorithm::Es256), make(Algorithm::Es256), make(Algorithm::EdDsa));
        assert!(check_with(&[&one, &other], json!({"kid": null}), json!({})).is_ok());
        let doubt = check_with(&[&one, &same], json!({"kid": null}), json!({}));
        assert_eq!(doubt, Err(TokenRefused::NoKeyId.into()));
        assert_eq!(check_with(&[&one], json!({"kid": 1}), json!({})), Err(TokenRefused::NoKeyId.into()));
    }

    #[test]
    fn whatever_is_wrong_has_its_reason() {
        let now = NOW.as_secs();
        let table = [
            (json!({}), json!({"iss": "other"}), "wrong_client"),
            (json!({}), json!({"sub": "other"}), "wrong_client"),
            (json!({}), json!({"iss": "other", "sub": "other"}), "wrong_client"),
            (json!({}), json!({"iss": null}), "missing_claim"),
            (json!({}), json!({"aud": "https://onesec.example"}), "wrong_audience"),
            (json!({}), json!({"aud": [US, "https://other.example/"]}), "wrong_audience"),
            (json!({}), json!({"aud": null}), "missing_claim"),
            (json!({}), json!({"exp": null}), "missing_claim"),
            (json!({}), json!({"exp": now - 30}), "expired"),
            (json!({}), json!({"exp": now + 331}), "lives_too_long"),
            (json!({}), json!({"iat": now + 31}), "issued_in_future"),
            (json!({}), json!({"nbf": now + 31}), "not_yet_valid"),
            (json!({}), json!({"jti": null}), "missing_claim"),
            (json!({}), json!({"jti": ""}), "bad_claim"),
            (json!({}), json!({"jti": "x".repeat(257)}), "bad_claim"),
            (json!({"typ": "at+jwt"}), json!({}), "wrong_type"),
            (json!({"typ": "onesec-delegation+jwt"}), json!({}), "wrong_type"),
            (json!({"typ": 1}), json!({}), "wrong_type"),
            (json!({"kid": "k9"}), json!({}), "unknown_key"),
            (json!({"alg": "none"}), json!({}), "algorithm"),
            (json!({"alg": "HS256"}), json!({}), "algorithm"),
            (json!({"alg": "ES256"}), json!({}), "key_mismatch"),
            (json!({"jwk": {"kty": "oct"}}), json!({}), "embedded_key"),
        ];
        for (header, claims, want) in table {
            assert_eq!(check(header.clone(), claims.clone()).err(), Some(want), "{header} {claims}");
        }
        let (mine, yours) = (SigningKey::generate(Algorithm::EdDsa), SigningKey::generate(Algorithm::EdDsa));
        let (mine, yours) = (mine.expect("key"), yours.expect("key"));
        let forged = check_with(&[&mine, &yours], json!({"kid": "k1"}), json!({}));
        assert_eq!(forged, Err(TokenRefused::Signature.into()));
    }

    #[test]
    fn the_claimed_client_is_a_hint_only() {
        let key = SigningKey::generate(Algorithm::EdDsa).expect("key");
        let named = |claims: Value| claimed_client(&key.sign(&claims, "JWT", "k").expect("signed"));
        assert_eq!(named(json!({"sub": "app"})).map(|c| c.to_string()), Ok("app".to_owned()));
        assert_eq!(named(json!({})), Err(TokenRefused::MissingClaim("sub")));
        assert_eq!(named(json!({"sub": " app"})), Err(TokenRefused::BadClaim("sub")));
        assert_eq!(named(json!({"sub": 1})), Err(TokenRefused::BadClaim("sub")));
    }
}
