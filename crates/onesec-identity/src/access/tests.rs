//! What an access token must and must not be.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use onesec_telemetry::Thumbprint;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testkit::{API, ISSUER, NOW, header, issuer, merge, shown, signed};
use crate::{Algorithm, SigningKey};

/// A token that a real 1024-bit key signed: the one called `small`.
const SMALL_TOKEN: &str = "eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAic21hbGwifQ.eyJpc3MiOiAiaHR0cHM6Ly90ZW5hbnQuZXUuYXV0aDAudGVzdC8iLCAic3ViIjogImF1dGgwfGFuYSIsICJhdWQiOiAiaHR0cHM6Ly9hcGkuZXhhbXBsZS8iLCAiYXpwIjogImFwcCIsICJpYXQiOiAxODAwMDAwMDAwLCAiZXhwIjogMTgwMDAwMzYwMH0.codQBCcyWhRgPe-ez3bAGO_sydWInvba6qYegNzjeFDoeiRkpvykYVDFEAmJgQzqAyQW1TkFxM6db2ZecAbCGCGxV7T0rLMoRoB63Z97tAQpiOjjznyC2wY6hiapQdr6L5lDnva43nkZzn9PiB6MCZd8BZc_meyhyEoB6ZxD820";

fn policy() -> AccessTokenPolicy {
    AccessTokenPolicy::new(ISSUER, [API])
}

fn verify(token: &str) -> Result<VerifiedSubject, TokenRefused> {
    verify_access_token(&Secret::new(token.into()), &issuer().keys, &policy(), NOW)
}

/// The claims of a good token in Auth0's own profile, with `changes`; `null` removes a claim.
fn claims(changes: Value) -> Value {
    let now = NOW.as_secs();
    let mut claims = json!({"iss": ISSUER, "sub": "auth0|ana", "aud": [API, "https://tenant.eu.auth0.test/userinfo"],
        "azp": "app", "gty": "authorization_code", "scope": "read:mail openid", "iat": now, "exp": now + 3600});
    merge(&mut claims, changes);
    claims
}

fn with_claims(changes: Value) -> String {
    signed(&header(json!({})), &claims(changes).to_string())
}

fn with_header(changes: Value) -> String {
    signed(&header(changes), &claims(json!({})).to_string())
}

fn rfc9068(changes: Value) -> String {
    let mut all = claims(json!({"azp": null, "gty": null, "client_id": "app", "jti": "j-1"}));
    merge(&mut all, changes);
    signed(&header(json!({"typ": "at+jwt"})), &all.to_string())
}

#[test]
fn a_good_token_of_either_profile_proves_its_user() {
    let proof = verify(&with_claims(json!({"org_id": "org_1"}))).expect("verified");
    assert_eq!((proof.user().as_str(), proof.client().as_str()), ("auth0|ana", "app"));
    assert_eq!((proof.audience(), proof.issuer()), (API, ISSUER));
    assert_eq!(proof.scopes().to_string(), "openid read:mail");
    assert_eq!(proof.organization().map(Name::as_str), Some("org_1"));
    assert_eq!(proof.expires_at(), NOW + Duration::from_secs(3600));
    assert!(matches!(proof.token_id(), TokenId::Hash(_)));

    let proof = verify(&rfc9068(json!({}))).expect("verified");
    assert_eq!(proof.token_id(), &TokenId::Jti("j-1".into()));
    assert!(verify(&with_header(json!({"typ": "application/AT+JWT"}))).is_err(), "no client_id, no jti");
    assert!(verify(&with_claims(json!({"aud": API}))).is_ok());
}

#[test]
fn every_accepted_algorithm_verifies() {
    let issuer = issuer();
    for (key, kid) in [(&issuer.rs, "rs"), (&issuer.ps, "ps"), (&issuer.es, "es"), (&issuer.rs, "rs-free")] {
        let token = key.sign(&claims(json!({})), "JWT", kid).expect("signed");
        assert!(verify(token.expose_to_wire()).is_ok(), "{kid}");
    }
}

#[test]
fn the_chain_of_actors_is_read_outermost_first() {
    let act = json!({"sub": "agent-2", "act": {"sub": "agent-1"}});
    let proof = verify(&with_claims(json!({"act": act}))).expect("verified");
    assert_eq!(names(&proof), ["agent-2", "agent-1"]);
    let act = json!({"sub": "agent-2", "client_id": "app-2", "act": {"sub": "agent-1"}});
    let proof = verify(&with_claims(json!({"act": act}))).expect("verified");
    let clients: Vec<Option<&str>> = proof.actors().iter().map(|a| a.client.as_ref().map(AppId::as_str)).collect();
    assert_eq!(clients, [Some("app-2"), None]);
}

fn names(proof: &VerifiedSubject) -> Vec<&str> {
    proof.actors().iter().map(|actor| actor.sub.as_str()).collect()
}

/// Nested `act` claims of these subjects, the first one outermost.
fn acts(subs: &[&str]) -> Value {
    subs.iter().rev().fold(Value::Null, |inner, sub| {
        let mut act = json!({"sub": sub});
        if !inner.is_null() {
            act["act"] = inner;
        }
        act
    })
}

#[test]
fn an_actor_that_exchanges_again_is_one_and_one_that_comes_back_is_a_cycle() {
    let good: [(&[&str], &[&str]); 3] = [
        (&["a", "a"], &["a"]),
        (&["b", "b", "a", "a", "a"], &["b", "a"]),
        (&["a", "b", "c", "d", "e"], &["a", "b", "c", "d", "e"]),
    ];
    for (subs, want) in good {
        let proof = verify(&with_claims(json!({"act": acts(subs)}))).expect("verified");
        assert_eq!(names(&proof), want, "{subs:?}");
    }
    let bad: [(&[&str], TokenRefused); 5] = [
        (&["a", "b", "a"], TokenRefused::ActorCycle),
        (&["a", "b", "b", "a"], TokenRefused::ActorCycle),
        (&["auth0|ana"], TokenRefused::ActorCycle),
        (&["a", "auth0|ana"], TokenRefused::ActorCycle),
        (&["a", "a", "a", "a", "a", "a"], TokenRefused::TooManyActors),
    ];
    for (subs, want) in bad {
        assert_eq!(verify(&with_claims(json!({"act": acts(subs)}))).err(), Some(want), "{subs:?}");
    }
}

#[test]
fn may_act_names_the_only_party_that_may() {
    let permits = |may_act: Value, known_as: &[&str]| {
        let proof = verify(&with_claims(json!({"may_act": may_act}))).expect("verified");
        proof.may_act().expect("stated").permits(known_as)
    };
    assert!(permits(json!({"sub": "agent-1"}), &["agent-1", "app-1"]));
    assert!(permits(json!({"client_id": "app-1"}), &["agent-1", "app-1"]));
    assert!(permits(json!({"sub": "agent-1", "client_id": "app-1", "iss": ISSUER}), &["agent-1", "app-1"]));
    assert!(permits(json!({"sub": "app-1", "sub_profile": "ai_agent", "client_profile": "native"}), &["app-1"]));
    assert!(!permits(json!({"sub": "agent-1"}), &["agent-2", "agent"]));
    assert!(!permits(json!({"sub": "agent-1"}), &[]));
    assert!(!permits(json!({"sub": "agent-1", "client_id": "app-1"}), &["agent-1"]), "each that is stated");
    assert!(!permits(json!({"sub": "agent-1", "client_id": "app-1"}), &["app-1"]), "each that is stated");

    let proof = verify(&with_claims(json!({"may_act": {"client_id": "app-1"}}))).expect("verified");
    let may_act = proof.may_act().expect("stated");
    assert_eq!((may_act.sub(), may_act.client_id()), (None, Some("app-1")));
    assert_eq!(verify(&with_claims(json!({}))).map(|proof| proof.may_act().cloned()), Ok(None));
}

#[test]
fn a_may_act_that_nobody_can_check_is_refused() {
    for may_act in [
        json!("agent-1"),
        json!(["agent-1"]),
        json!(false),
        json!({}),
        json!({"iss": ISSUER}),
        json!({"sub_profile": "ai_agent"}),
        json!({"sub": 1}),
        json!({"sub": ""}),
        json!({"sub": "agent-1", "client_id": null}),
        json!({"sub": "agent-1", "iss": "https://other.example/"}),
        json!({"sub": "agent-1", "iss": ISSUER.trim_end_matches('/')}),
        json!({"sub": "agent-1", "sub_profile": ["ai_agent"]}),
        json!({"sub": "agent-1", "email": "ana@example.com"}),
        json!({"sub": "agent-1", "act": {"sub": "agent-2"}}),
    ] {
        let refused = verify(&with_claims(json!({"may_act": may_act}))).err();
        assert_eq!(refused, Some(TokenRefused::BadClaim("may_act")), "{may_act}");
    }
}

/// A token whose payload was swapped for another one's.
fn swapped() -> String {
    let (mine, yours) = (with_claims(json!({})), with_claims(json!({"sub": "auth0|bob"})));
    let mine: Vec<&str> = mine.split('.').collect();
    let yours: Vec<&str> = yours.split('.').collect();
    [mine[0], yours[1], mine[2]].join(".")
}

/// HS256 with the public key as the shared secret: the classic confusion of algorithms.
fn hs256_with_public_key() -> String {
    let jwk = issuer().rs.public_jwk("rs");
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, jwk["n"].as_str().expect("n").as_bytes());
    let head = json!({"alg": "HS256", "typ": "JWT", "kid": "rs"}).to_string();
    let message = [head, claims(json!({})).to_string()].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let tag = aws_lc_rs::hmac::sign(&secret, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn with_signature(signature: &str) -> String {
    let token = with_claims(json!({}));
    format!("{}.{signature}", token.rsplit_once('.').expect("parts").0)
}

#[test]
fn forged_shapes_are_refused_with_their_reason() {
    let good = with_claims(json!({}));
    let last_signature = good.rsplit_once('.').expect("parts").1.to_owned();
    let text = claims(json!({})).to_string();
    let twice = text.replacen('{', "{\"sub\":\"auth0|bob\",", 1);
    let table: Vec<(&str, String, TokenRefused)> = vec![
        ("empty", String::new(), TokenRefused::NotThreeParts),
        ("opaque", "v1.MjAyNg".into(), TokenRefused::NotThreeParts),
        ("four parts", format!("{good}.x"), TokenRefused::NotThreeParts),
        ("no signature", with_signature(""), TokenRefused::NotThreeParts),
        ("jwe", format!("{good}.x.y"), TokenRefused::Encrypted),
        ("enc header", with_header(json!({"enc": "A256GCM"})), TokenRefused::Encrypted),
        ("padded", format!("{good}=="), TokenRefused::NotBase64Url),
        ("standard alphabet", with_signature(&STANDARD.encode([0xff; 64])), TokenRefused::NotBase64Url),
        ("trailing bits", with_signature("AB"), TokenRefused::NotBase64Url),
        ("white space", format!("{good} "), TokenRefused::NotBase64Url),
        ("too long", "a".repeat(crate::MAX_TOKEN_BYTES + 1), TokenRefused::TooLong),
        ("claims no object", signed(&header(json!({})), "[]"), TokenRefused::NotJson),
        ("claims no json", signed(&header(json!({})), "{"), TokenRefused::NotJson),
        ("claim twice", signed(&header(json!({})), &twice), TokenRefused::DuplicateMember),
        (
            "header twice",
            signed(r#"{"alg":"none","alg":"ES256","typ":"JWT","kid":"es"}"#, &text),
            TokenRefused::DuplicateMember,
        ),
        ("crit", with_header(json!({"crit": ["exp"]})), TokenRefused::CriticalExtension),
        ("b64", with_header(json!({"b64": false})), TokenRefused::CriticalExtension),
        ("jku", with_header(json!({"jku": "https://evil.example/jwks"})), TokenRefused::EmbeddedKey),
        ("x5u", with_header(json!({"x5u": "https://evil.example/pem"})), TokenRefused::EmbeddedKey),
        ("jwk", with_header(json!({"jwk": issuer().stranger.public_jwk("es")})), TokenRefused::EmbeddedKey),
        ("alg none", with_header(json!({"alg": "none"})), TokenRefused::Algorithm),
        ("alg None", with_header(json!({"alg": "None"})), TokenRefused::Algorithm),
        ("no alg", with_header(json!({"alg": null})), TokenRefused::Algorithm),
        ("alg number", with_header(json!({"alg": 1})), TokenRefused::Algorithm),
        ("RS512", with_header(json!({"alg": "RS512"})), TokenRefused::Algorithm),
        ("HS256 with public key", hs256_with_public_key(), TokenRefused::Algorithm),
        ("no typ", with_header(json!({"typ": null})), TokenRefused::WrongType),
        ("dpop proof", with_header(json!({"typ": "dpop+jwt"})), TokenRefused::WrongType),
        ("logout token", with_header(json!({"typ": "logout+jwt"})), TokenRefused::WrongType),
        ("no kid", with_header(json!({"kid": null})), TokenRefused::NoKeyId),
        ("unknown kid", with_header(json!({"kid": "../es"})), TokenRefused::UnknownKey),
        ("1024-bit key", SMALL_TOKEN.into(), TokenRefused::UnknownKey),
        ("rs256 header, ec key", with_header(json!({"alg": "RS256"})), TokenRefused::KeyMismatch),
        ("ps256 header, rs256 key", with_header(json!({"alg": "PS256", "kid": "rs"})), TokenRefused::KeyMismatch),
        ("signature of another key", with_header(json!({"alg": "RS256", "kid": "rs"})), TokenRefused::Signature),
        (
            "truncated signature",
            with_signature(&last_signature.chars().take(84).collect::<String>()),
            TokenRefused::Signature,
        ),
        ("zero signature", with_signature(&URL_SAFE_NO_PAD.encode([0; 64])), TokenRefused::Signature),
        ("swapped payload", swapped(), TokenRefused::Signature),
        (
            "stranger's key",
            issuer().stranger.sign(&claims(json!({})), "JWT", "es").expect("signed").expose_to_wire().into(),
            TokenRefused::Signature,
        ),
    ];
    for (name, token, want) in table {
        assert_eq!(verify(&token).err(), Some(want), "{name}");
    }
}

#[test]
fn genuine_tokens_with_wrong_claims_are_refused_with_their_reason() {
    let now = NOW.as_secs();
    let table: Vec<(&str, Value, TokenRefused)> = vec![
        ("no iss", json!({"iss": null}), TokenRefused::MissingClaim("iss")),
        ("other iss", json!({"iss": "https://other.eu.auth0.test/"}), TokenRefused::WrongIssuer),
        ("no slash", json!({"iss": ISSUER.trim_end_matches('/')}), TokenRefused::WrongIssuer),
        ("no exp", json!({"exp": null}), TokenRefused::MissingClaim("exp")),
        ("exp text", json!({"exp": "2099"}), TokenRefused::BadClaim("exp")),
        ("exp huge", json!({"exp": 1e300}), TokenRefused::BadClaim("exp")),
        ("expired", json!({"exp": now - 30}), TokenRefused::Expired),
        ("no iat", json!({"iat": null}), TokenRefused::MissingClaim("iat")),
        ("iat in the future", json!({"iat": now + 31}), TokenRefused::IssuedInFuture),
        ("nbf in the future", json!({"nbf": now + 31}), TokenRefused::NotYetValid),
        ("no aud", json!({"aud": null}), TokenRefused::MissingClaim("aud")),
        ("aud number", json!({"aud": 7}), TokenRefused::BadClaim("aud")),
        ("aud empty", json!({"aud": []}), TokenRefused::BadClaim("aud")),
        ("other aud", json!({"aud": "https://other.example/"}), TokenRefused::WrongAudience),
        ("aud without slash", json!({"aud": "https://api.example"}), TokenRefused::WrongAudience),
        ("id token: aud is the client", json!({"aud": "app"}), TokenRefused::IdToken),
        ("id token: nonce", json!({"nonce": "n"}), TokenRefused::IdToken),
        ("id token: at_hash", json!({"at_hash": "h"}), TokenRefused::IdToken),
        ("no client", json!({"azp": null}), TokenRefused::MissingClaim("azp")),
        ("no sub", json!({"sub": null}), TokenRefused::MissingClaim("sub")),
        ("sub with a space", json!({"sub": "auth0|ana "}), TokenRefused::BadClaim("sub")),
        ("sub full width", json!({"sub": "ａna"}), TokenRefused::BadClaim("sub")),
        ("machine", json!({"gty": "client-credentials"}), TokenRefused::NotAPerson),
        ("machine by name", json!({"sub": "app@clients"}), TokenRefused::NotAPerson),
        ("machine by sub", json!({"sub": "app"}), TokenRefused::NotAPerson),
        ("agent as principal", json!({"sub_profile": "ai_agent"}), TokenRefused::NotAPerson),
        ("bound to a key", json!({"cnf": {"jkt": "x"}}), TokenRefused::ProofRequired),
        ("scope array", json!({"scope": ["a"]}), TokenRefused::BadClaim("scope")),
        ("act without sub", json!({"act": {}}), TokenRefused::BadClaim("act")),
        ("act no object", json!({"act": "agent-1"}), TokenRefused::BadClaim("act")),
        ("act.act null", json!({"act": {"sub": "a", "act": null}}), TokenRefused::BadClaim("act")),
        ("act.sub no id", json!({"act": {"sub": "a "}}), TokenRefused::BadClaim("act")),
        ("act.client_id number", json!({"act": {"sub": "a", "client_id": 1}}), TokenRefused::BadClaim("act")),
        ("six actors", json!({"act": acts(&["a", "b", "c", "d", "e", "f"])}), TokenRefused::TooManyActors),
    ];
    for (name, changes, want) in table {
        assert_eq!(verify(&with_claims(changes)).err(), Some(want), "{name}");
    }
    assert_eq!(verify(&rfc9068(json!({"jti": null}))), Err(TokenRefused::MissingClaim("jti")));
    let no_client = rfc9068(json!({"client_id": null, "azp": "app"}));
    assert_eq!(verify(&no_client), Err(TokenRefused::MissingClaim("client_id")));
}

#[test]
fn clocks_may_differ_by_the_leeway_and_no_more() {
    let now = NOW.as_secs();
    assert!(verify(&with_claims(json!({"exp": now - 29, "iat": now - 60}))).is_ok());
    assert!(verify(&with_claims(json!({"iat": now + 30, "nbf": now + 30}))).is_ok());
    let strict = policy().with_leeway(Duration::ZERO);
    let edge = Secret::new(with_claims(json!({"exp": now})));
    assert_eq!(verify_access_token(&edge, &issuer().keys, &strict, NOW), Err(TokenRefused::Expired));
    let lax = policy().with_leeway(Duration::from_secs(86_400));
    let old = Secret::new(with_claims(json!({"exp": now - 300})));
    assert_eq!(verify_access_token(&old, &issuer().keys, &lax, NOW), Err(TokenRefused::Expired), "leeway is capped");
}

#[test]
fn without_audiences_or_keys_nothing_is_accepted() {
    let token = Secret::new(with_claims(json!({})));
    let nobody = AccessTokenPolicy::new(ISSUER, Vec::<String>::new());
    assert_eq!(verify_access_token(&token, &issuer().keys, &nobody, NOW), Err(TokenRefused::WrongAudience));
    let no_keys = KeySet::default();
    assert_eq!(verify_access_token(&token, &no_keys, &policy(), NOW), Err(TokenRefused::UnknownKey));
}

#[test]
fn reasons_say_nothing_of_the_token() {
    let planted = "ya29plantedSecret";
    for changes in [json!({"iss": planted}), json!({"aud": planted}), json!({"sub": format!(" {planted}")})] {
        let refused = verify(&with_claims(changes)).expect_err("refused");
        assert!(!format!("{refused} {refused:?} {}", refused.code()).contains(planted));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_changed_byte_never_verifies(at in 0_usize..2_000, flip in 1_u8..=255) {
        let mut bytes = with_claims(json!({})).into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        // What is no UTF-8 cannot even become a token.
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert!(verify(&text).is_err());
        }
    }

    #[test]
    fn no_text_panics_or_verifies(text in "\\PC{0,80}", dots in "[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,60}\\.[A-Za-z0-9_-]{0,90}") {
        prop_assert!(verify(&text).is_err());
        prop_assert!(verify(&dots).is_err());
    }
}

fn verify_shown(presented: Presented<'_>) -> Result<VerifiedSubject, TokenRefused> {
    verify_access_token_bound(presented, &issuer().keys, &policy(), NOW)
}

fn verify_bound(token: &Secret, proof: Option<&crate::VerifiedDpop>) -> Result<VerifiedSubject, TokenRefused> {
    verify_shown(Presented { token, proof, certificate: None })
}

#[test]
fn a_bound_token_needs_a_proof_of_its_own_key() {
    let holder = SigningKey::generate(Algorithm::EdDsa).expect("key");
    let jkt = holder.public_key().expect("public").thumbprint();
    let token = Secret::new(with_claims(json!({"cnf": {"jkt": jkt.to_base64url()}})));
    for proof in [shown(&holder, Some(&token)), shown(&holder, None)] {
        let subject = verify_bound(&token, Some(&proof)).expect("verified");
        let bound = subject.bound_to().expect("bound");
        assert_eq!((subject.user().as_str(), bound.key(), bound.certificate()), ("auth0|ana", Some(jkt), None));
    }
    assert_eq!(verify_bound(&token, None), Err(TokenRefused::ProofRequired));
    assert_eq!(verify_bound(&token, Some(&shown(&issuer().stranger, None))), Err(TokenRefused::ProofMismatch));
    let for_another = shown(&holder, Some(&Secret::new("another".into())));
    assert_eq!(verify_bound(&token, Some(&for_another)), Err(TokenRefused::ProofMismatch));
}

#[test]
fn a_token_bound_to_a_certificate_needs_that_certificate() {
    let (ours, other) = (Thumbprint::of(b"our certificate"), Thumbprint::of(b"another certificate"));
    let token = Secret::new(with_claims(json!({"cnf": {"x5t#S256": ours.to_base64url()}})));
    let show = |certificate| verify_shown(Presented { certificate, ..Presented::bearer(&token) });
    let bound = show(Some(ours)).map(|subject| subject.bound_to().expect("bound")).expect("verified");
    assert_eq!((bound.key(), bound.certificate()), (None, Some(ours)));
    assert_eq!(show(None), Err(TokenRefused::ProofRequired));
    assert_eq!(show(Some(other)), Err(TokenRefused::ProofMismatch));
    assert_eq!(verify_access_token(&token, &issuer().keys, &policy(), NOW), Err(TokenRefused::ProofRequired));
}

#[test]
fn a_token_bound_twice_needs_both() {
    let holder = SigningKey::generate(Algorithm::EdDsa).expect("key");
    let (jkt, ours) = (holder.public_key().expect("public").thumbprint(), Thumbprint::of(b"our certificate"));
    let cnf = json!({"jkt": jkt.to_base64url(), "x5t#S256": ours.to_base64url()});
    let token = Secret::new(with_claims(json!({"cnf": cnf})));
    let (right, wrong) = (shown(&holder, None), shown(&issuer().stranger, None));
    let show = |proof, certificate| verify_shown(Presented { token: &token, proof, certificate });
    let bound = show(Some(&right), Some(ours)).map(|subject| subject.bound_to().expect("bound")).expect("verified");
    assert_eq!((bound.key(), bound.certificate()), (Some(jkt), Some(ours)));
    let table = [
        (None, None, TokenRefused::ProofRequired),
        (Some(&right), None, TokenRefused::ProofRequired),
        (None, Some(ours), TokenRefused::ProofRequired),
        (Some(&wrong), Some(ours), TokenRefused::ProofMismatch),
        (Some(&right), Some(Thumbprint::of(b"x")), TokenRefused::ProofMismatch),
    ];
    for (proof, certificate, want) in table {
        assert_eq!(show(proof, certificate).err(), Some(want), "{proof:?} {certificate:?}");
    }
}

#[test]
fn what_cannot_be_proven_here_stays_refused() {
    let holder = SigningKey::generate(Algorithm::EdDsa).expect("key");
    let (print, proof) = (holder.public_key().expect("public").thumbprint(), shown(&holder, None));
    let jkt = print.to_base64url();
    let check = |cnf: Value| {
        let token = Secret::new(with_claims(json!({"cnf": cnf})));
        verify_shown(Presented { token: &token, proof: Some(&proof), certificate: Some(print) }).err()
    };
    for cnf in [
        json!({}),
        json!("jkt"),
        json!({"jkt": 1}),
        json!({"jwk": holder.public_jwk("k")}),
        json!({"x5t": jkt}),
        json!({"jkt": jkt, "kid": "k"}),
        json!({"x5t#S256": [jkt]}),
    ] {
        assert_eq!(check(cnf.clone()), Some(TokenRefused::ProofRequired), "{cnf}");
    }
    assert_eq!(check(json!({"jkt": "short"})), Some(TokenRefused::BadClaim("cnf")));
    assert_eq!(check(json!({"x5t#S256": print.to_string()})), Some(TokenRefused::BadClaim("cnf")), "hex");
    let unbound = Secret::new(with_claims(json!({})));
    assert_eq!(verify_bound(&unbound, Some(&proof)).map(|subject| subject.bound_to()), Ok(None));
}

#[test]
fn tenants_do_not_sign_with_ed25519() {
    let key = SigningKey::generate(Algorithm::EdDsa).expect("key");
    let keys = KeySet::from_jwks_json(&json!({"keys": [key.public_jwk("ed")]}).to_string()).expect("set");
    let token = key.sign(&claims(json!({})), "JWT", "ed").expect("signed");
    assert_eq!(verify_access_token(&token, &keys, &policy(), NOW), Err(TokenRefused::Algorithm));
}
