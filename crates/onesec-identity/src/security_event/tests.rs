//! What a security event token must and must not be.

use serde_json::json;

use super::*;
use crate::testkit::{ISSUER, NOW, header, issuer, merge, signed};

const AUDIENCE: &str = "https://onesec.example/api/v1/security-events";
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

fn policy() -> SecurityEventPolicy {
    SecurityEventPolicy::new(ISSUER, [AUDIENCE])
}

fn typ(changes: Value) -> String {
    let mut all = json!({"typ": "secevent+jwt"});
    // `null` must get as far as the header.
    all.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
    header(all)
}

fn claims(changes: Value) -> String {
    let mut claims = json!({"iss": ISSUER, "aud": AUDIENCE, "iat": NOW.as_secs(), "jti": "j-1",
        "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "auth0|ana"}, "events": {REVOKED: {}}});
    merge(&mut claims, changes);
    claims.to_string()
}

fn verify(token: &str, policy: &SecurityEventPolicy) -> Result<VerifiedSecurityEvent, TokenRefused> {
    verify_security_event(&Secret::new(token.to_owned()), &issuer().keys, policy, NOW)
}

fn refused(header: &str, claims: &str) -> TokenRefused {
    verify(&signed(header, claims), &policy()).expect_err("refused")
}

#[test]
fn an_event_says_what_happened_and_to_whom() {
    let event = verify(&signed(&typ(json!({})), &claims(json!({}))), &policy()).expect("verified");
    assert_eq!((event.issuer(), event.jti(), event.event(), event.issued_at()), (ISSUER, "j-1", REVOKED, NOW));
    assert_eq!(*event.subject(), EventSubject::IssSub { iss: ISSUER.into(), sub: "auth0|ana".into() });
    for spelling in ["secevent+JWT", "application/secevent+jwt"] {
        verify(&signed(&typ(json!({"typ": spelling})), &claims(json!({}))), &policy()).expect(spelling);
    }
    let several = claims(json!({"aud": ["https://other.example", AUDIENCE]}));
    verify(&signed(&typ(json!({})), &several), &policy()).expect("one of several audiences");
}

#[test]
fn whatever_is_not_right_is_refused() {
    for (header_changes, claim_changes, why) in [
        (json!({"alg": "none"}), json!({}), TokenRefused::Algorithm),
        (json!({"alg": "HS256"}), json!({}), TokenRefused::Algorithm),
        (json!({"alg": "ES384"}), json!({}), TokenRefused::Algorithm),
        (json!({"typ": "JWT"}), json!({}), TokenRefused::WrongType),
        (json!({"typ": null}), json!({}), TokenRefused::WrongType),
        (json!({"typ": "at+jwt"}), json!({}), TokenRefused::WrongType),
        (json!({"typ": "applicationsecevent+jwt"}), json!({}), TokenRefused::WrongType),
        (json!({"kid": "unheard-of"}), json!({}), TokenRefused::UnknownKey),
        (json!({"kid": "rs"}), json!({}), TokenRefused::KeyMismatch),
        (json!({"kid": null}), json!({}), TokenRefused::NoKeyId),
        (json!({"crit": ["x"]}), json!({}), TokenRefused::CriticalExtension),
        (json!({"jku": "https://evil.example"}), json!({}), TokenRefused::EmbeddedKey),
        (json!({}), json!({"iss": "https://tenant.eu.auth0.test"}), TokenRefused::WrongIssuer),
        (json!({}), json!({"aud": "https://other.example"}), TokenRefused::WrongAudience),
        (json!({}), json!({"aud": null}), TokenRefused::MissingClaim("aud")),
        (json!({}), json!({"iat": null}), TokenRefused::MissingClaim("iat")),
        (json!({}), json!({"iat": NOW.as_secs() + 61}), TokenRefused::IssuedInFuture),
        (json!({}), json!({"iat": NOW.as_secs() - 86_400}), TokenRefused::TooOld),
        (json!({}), json!({"exp": NOW.as_secs() - 60}), TokenRefused::Expired),
        (json!({}), json!({"jti": null}), TokenRefused::MissingClaim("jti")),
        (json!({}), json!({"jti": ""}), TokenRefused::BadClaim("jti")),
        (json!({}), json!({"events": null}), TokenRefused::MissingClaim("events")),
        (json!({}), json!({"events": []}), TokenRefused::BadClaim("events")),
        (json!({}), json!({"events": {}}), TokenRefused::NotOneEvent),
        (json!({}), json!({"events": {REVOKED: {}, "urn:other": {}}}), TokenRefused::NotOneEvent),
        (json!({}), json!({"events": {REVOKED: "now"}}), TokenRefused::BadClaim("events")),
        (json!({}), json!({"sub_id": "auth0|ana"}), TokenRefused::BadClaim("sub_id")),
        (json!({}), json!({"sub_id": {"format": "iss_sub", "iss": ISSUER}}), TokenRefused::BadClaim("sub_id")),
    ] {
        assert_eq!(refused(&typ(header_changes.clone()), &claims(claim_changes.clone())), why, "{claim_changes}");
    }
    let by_a_stranger = issuer().stranger.sign_raw(&typ(json!({})), &claims(json!({}))).expect("signed");
    assert_eq!(verify(by_a_stranger.expose_to_wire(), &policy()), Err(TokenRefused::Signature));
    let nobodys = SecurityEventPolicy::new(ISSUER, [""; 0]);
    assert_eq!(verify(&signed(&typ(json!({})), &claims(json!({}))), &nobodys), Err(TokenRefused::WrongAudience));
}

#[test]
fn subjects_are_read_in_every_form_and_two_must_agree() {
    let subject = |changes: Value| {
        verify(&signed(&typ(json!({})), &claims(changes)), &policy()).map(|event| event.subject().clone())
    };
    let ana = EventSubject::IssSub { iss: "https://accounts.google.com/".into(), sub: "7375".into() };
    let said = json!({"subject_type": "iss-sub", "iss": "https://accounts.google.com/", "sub": "7375"});
    assert_eq!(subject(json!({"sub_id": null, "events": {REVOKED: {"subject": said}}})), Ok(ana.clone()));
    let both = json!({"sub_id": {"format": "opaque", "id": "x"}, "events": {REVOKED: {"subject": said}}});
    assert_eq!(subject(both), Err(TokenRefused::BadClaim("sub_id")));
    let complex = json!({"format": "complex", "user": said, "session": {"format": "opaque", "id": "s"}});
    assert_eq!(subject(json!({"sub_id": complex})), Ok(ana));
    for (said, is) in [
        (json!({"format": "opaque", "id": "auth0|ana"}), EventSubject::Opaque("auth0|ana".into())),
        (json!({"format": "email", "email": "a@b.test"}), EventSubject::Other("email".into())),
        (
            json!({"format": "complex", "session": {"format": "opaque", "id": "s"}}),
            EventSubject::Other("complex".into()),
        ),
    ] {
        assert_eq!(subject(json!({"sub_id": said})), Ok(is));
    }
    assert_eq!(subject(json!({"sub_id": null})), Ok(EventSubject::Absent));
}

/// Where a transmitter leaves the type out, no access or ID token of the same issuer passes for an event.
#[test]
fn without_a_type_nothing_else_passes_for_an_event() {
    let lenient = policy().untyped();
    for typ in [json!({"typ": null}), json!({"typ": "JWT"})] {
        verify(&signed(&header(typ.clone()), &claims(json!({}))), &lenient).expect("an event");
        for sign in
            [json!({"exp": NOW.as_secs() + 60}), json!({"nonce": "n"}), json!({"azp": "app"}), json!({"scope": "x"})]
        {
            let token = signed(&header(typ.clone()), &claims(sign.clone()));
            assert_eq!(verify(&token, &lenient), Err(TokenRefused::WrongType), "{sign}");
        }
    }
    let access = signed(&header(json!({"typ": "at+jwt"})), &claims(json!({})));
    assert_eq!(verify(&access, &lenient), Err(TokenRefused::WrongType));
}
