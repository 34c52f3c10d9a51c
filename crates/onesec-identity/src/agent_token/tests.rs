//! What an agent token must and must not be.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onesec_telemetry::{Secret, Thumbprint};
use serde_json::{Value, json};

use super::*;
use crate::testkit::{API, ISSUER, NOW, header, issuer, merge, shown, signed};

/// The claims of Auth0's machine-to-machine token, with `changes`.
fn claims(changes: Value) -> Value {
    let now = NOW.as_secs();
    let mut claims = json!({"iss": ISSUER, "sub": "app@clients", "aud": API, "azp": "app",
        "gty": "client-credentials", "scope": "exchange", "iat": now, "exp": now + 3600});
    merge(&mut claims, changes);
    claims
}

/// The claims of a person's token.
fn persons(changes: Value) -> Value {
    let mut all = claims(json!({"sub": "auth0|ana", "gty": "authorization_code"}));
    merge(&mut all, changes);
    all
}

fn verify_shown(presented: Presented<'_>) -> Result<VerifiedAgentToken, TokenRefused> {
    verify_agent_token(presented, &issuer().keys, &AgentTokenPolicy::new(ISSUER, [API]), NOW)
}

fn verify(token: &str) -> Result<VerifiedAgentToken, TokenRefused> {
    verify_shown(Presented::bearer(&Secret::new(token.into())))
}

fn verify_claims(claims: &Value) -> Result<VerifiedAgentToken, TokenRefused> {
    verify(&signed(&header(json!({})), &claims.to_string()))
}

#[test]
fn a_machine_says_who_it_is() {
    let proof = verify_claims(&claims(json!({}))).expect("verified");
    assert_eq!((proof.issuer(), proof.client().as_str(), proof.subject().as_str()), (ISSUER, "app", "app@clients"));
    assert_eq!((proof.scopes().to_string().as_str(), proof.actor(), proof.bound_to()), ("exchange", None, None));
    assert_eq!(proof.expires_at(), NOW + Duration::from_secs(3600));
    assert!(matches!(proof.token_id(), TokenId::Hash(_)));

    let rfc9068 = claims(json!({"azp": null, "gty": null, "client_id": "app", "sub": "app", "jti": "j-1"}));
    let proof = verify(&signed(&header(json!({"typ": "at+jwt"})), &rfc9068.to_string())).expect("verified");
    assert_eq!((proof.client().as_str(), proof.token_id()), ("app", &TokenId::Jti("j-1".into())));
}

#[test]
fn one_sign_of_a_machine_is_enough_and_a_person_shows_none() {
    for sign in [
        json!({"gty": "client-credentials"}),
        json!({"sub": "other@clients"}),
        json!({"sub": "app"}),
        json!({"sub_profile": "ai_agent"}),
        json!({"sub_profile": "service"}),
        json!({"act": {"sub": "agent-1"}}),
    ] {
        assert!(verify_claims(&persons(sign.clone())).is_ok(), "{sign}");
    }
    for sign in [
        json!({}),
        json!({"gty": null}),
        json!({"sub_profile": "user"}),
        json!({"sub_profile": "native"}),
        json!({"sub": "app@clients.example"}),
        json!({"may_act": {"sub": "app"}}),
    ] {
        assert_eq!(verify_claims(&persons(sign.clone())), Err(TokenRefused::NotAMachine), "{sign}");
    }
}

#[test]
fn who_acts_for_a_person_is_the_outermost_actor() {
    let act = json!({"sub": "agent-2", "client_id": "app", "act": {"sub": "agent-1", "client_id": "other"}});
    let proof = verify_claims(&persons(json!({"act": act}))).expect("verified");
    let actor = proof.actor().expect("an actor");
    assert_eq!((actor.sub.as_str(), proof.subject().as_str()), ("agent-2", "auth0|ana"));
    let others = json!({"act": {"sub": "agent-2", "client_id": "other"}});
    assert_eq!(verify_claims(&persons(others)), Err(TokenRefused::BadClaim("act")));
    let cycle = json!({"act": {"sub": "a", "act": {"sub": "b", "act": {"sub": "a"}}}});
    assert_eq!(verify_claims(&persons(cycle)), Err(TokenRefused::ActorCycle));
}

#[test]
fn forged_shapes_are_refused_with_their_reason() {
    let text = claims(json!({})).to_string();
    let with_header = |changes| signed(&header(changes), &text);
    let unsigned = {
        let head = json!({"alg": "none", "typ": "JWT", "kid": "es"}).to_string();
        [head, text.clone()].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
    };
    let stranger = issuer().stranger.sign_raw(&header(json!({})), &text).expect("signed").expose_to_wire().to_owned();
    let table = [
        ("alg none", with_header(json!({"alg": "none"})), TokenRefused::Algorithm),
        ("alg none, signed with nothing", format!("{unsigned}."), TokenRefused::NotThreeParts),
        ("HS256", with_header(json!({"alg": "HS256"})), TokenRefused::Algorithm),
        ("EdDSA", with_header(json!({"alg": "EdDSA"})), TokenRefused::Algorithm),
        ("RS256 header, EC key", with_header(json!({"alg": "RS256"})), TokenRefused::KeyMismatch),
        ("no typ", with_header(json!({"typ": null})), TokenRefused::WrongType),
        ("assertion", with_header(json!({"typ": "client-authentication+jwt"})), TokenRefused::WrongType),
        ("worker", with_header(json!({"typ": "token-vault-req+jwt"})), TokenRefused::WrongType),
        ("link", with_header(json!({"typ": crate::LINK_TYPE})), TokenRefused::WrongType),
        ("at+jwt without client_id", with_header(json!({"typ": "at+jwt"})), TokenRefused::MissingClaim("client_id")),
        ("crit", with_header(json!({"crit": ["exp"]})), TokenRefused::CriticalExtension),
        ("jwk", with_header(json!({"jwk": issuer().stranger.public_jwk("es")})), TokenRefused::EmbeddedKey),
        ("jku", with_header(json!({"jku": "https://evil.example/jwks"})), TokenRefused::EmbeddedKey),
        ("no kid", with_header(json!({"kid": null})), TokenRefused::NoKeyId),
        ("unknown kid", with_header(json!({"kid": "es2"})), TokenRefused::UnknownKey),
        ("another key's signature", stranger, TokenRefused::Signature),
        (
            "claim twice",
            signed(&header(json!({})), &text.replacen('{', "{\"sub\":\"boss@clients\",", 1)),
            TokenRefused::DuplicateMember,
        ),
    ];
    for (name, token, want) in table {
        assert_eq!(verify(&token).err(), Some(want), "{name}");
    }
}

#[test]
fn genuine_tokens_with_wrong_claims_are_refused_with_their_reason() {
    let now = NOW.as_secs();
    let table = [
        ("foreign iss", json!({"iss": "https://other.eu.auth0.test/"}), TokenRefused::WrongIssuer),
        ("no iss", json!({"iss": null}), TokenRefused::MissingClaim("iss")),
        ("wrong aud", json!({"aud": "https://other.example/"}), TokenRefused::WrongAudience),
        ("no aud", json!({"aud": null}), TokenRefused::MissingClaim("aud")),
        ("expired", json!({"exp": now - 30}), TokenRefused::Expired),
        ("no exp", json!({"exp": null}), TokenRefused::MissingClaim("exp")),
        ("future iat", json!({"iat": now + 31}), TokenRefused::IssuedInFuture),
        ("future nbf", json!({"nbf": now + 31}), TokenRefused::NotYetValid),
        ("id token: aud is the client", json!({"aud": "app"}), TokenRefused::IdToken),
        ("id token: nonce", json!({"nonce": "n"}), TokenRefused::IdToken),
        ("no client", json!({"azp": null}), TokenRefused::MissingClaim("azp")),
        ("client no id", json!({"azp": " app"}), TokenRefused::BadClaim("azp")),
        ("no sub", json!({"sub": null}), TokenRefused::MissingClaim("sub")),
        ("sub no id", json!({"sub": "app@clients "}), TokenRefused::BadClaim("sub")),
        ("gty number", json!({"gty": 1}), TokenRefused::BadClaim("gty")),
        ("sub_profile number", json!({"sub_profile": 1}), TokenRefused::BadClaim("sub_profile")),
        ("act without sub", json!({"act": {}}), TokenRefused::BadClaim("act")),
        ("acts for itself", json!({"act": {"sub": "app@clients"}}), TokenRefused::ActorCycle),
    ];
    for (name, changes, want) in table {
        assert_eq!(verify_claims(&claims(changes)).err(), Some(want), "{name}");
    }
    let token = Secret::new(signed(&header(json!({})), &claims(json!({"exp": now})).to_string()));
    let strict = AgentTokenPolicy::new(ISSUER, [API]).with_leeway(Duration::ZERO);
    let refused = verify_agent_token(Presented::bearer(&token), &issuer().keys, &strict, NOW);
    assert_eq!(refused, Err(TokenRefused::Expired));
}

#[test]
fn a_bound_token_needs_what_it_is_bound_to() {
    let (jkt, ours) =
        (issuer().stranger.public_key().expect("public").thumbprint(), Thumbprint::of(b"our certificate"));
    let cnf = json!({"jkt": jkt.to_base64url(), "x5t#S256": ours.to_base64url()});
    let token = Secret::new(signed(&header(json!({})), &claims(json!({"cnf": cnf})).to_string()));
    let (right, wrong) = (shown(&issuer().stranger, Some(&token)), shown(&issuer().es, Some(&token)));
    let show = |proof, certificate| verify_shown(Presented { token: &token, proof, certificate });
    let bound = show(Some(&right), Some(ours)).map(|proof| proof.bound_to().expect("bound")).expect("verified");
    assert_eq!((bound.key(), bound.certificate()), (Some(jkt), Some(ours)));
    let table = [
        ("no proof", None, Some(ours), TokenRefused::ProofRequired),
        ("no certificate", Some(&right), None, TokenRefused::ProofRequired),
        ("another's proof", Some(&wrong), Some(ours), TokenRefused::ProofMismatch),
        ("wrong certificate", Some(&right), Some(Thumbprint::of(b"other")), TokenRefused::ProofMismatch),
    ];
    for (name, proof, certificate, want) in table {
        assert_eq!(show(proof, certificate).err(), Some(want), "{name}");
    }
}
