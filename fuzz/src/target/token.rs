//! Tokens: whatever header and claims a signature is put under, and whatever text comes instead of a token, nothing
//! panics, and what is accepted is what the claims say.

use std::sync::OnceLock;

use onesec_identity::{
    AccessTokenPolicy, AgentTokenPolicy, Algorithm, IdTokenPolicy, KeySet, Presented, SecurityEventPolicy, SigningKey,
    claimed_issuer, split_chain, verify_access_token, verify_agent_token, verify_id_token, verify_security_event,
};
use onesec_telemetry::{Secret, Timestamp};
use serde_json::{Value, json};

use crate::trace::Trace;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const ISSUER: &str = "https://tenant.eu.auth0.test/";
const API: &str = "https://api.example/";
const CLIENT: &str = "client-1";
/// More than any verifier forgives.
const LEEWAY: u64 = 300;

/// Headers and claims of one token of each kind, and two texts that are none.
pub(super) fn corpus() -> Vec<Vec<u8>> {
    let now = NOW.as_secs();
    let header = |typ: &str| json!({"alg": "ES256", "typ": typ, "kid": "k"});
    let access = json!({"iss": ISSUER, "aud": [API, "https://tenant.eu.auth0.test/userinfo"], "sub": "auth0|ana",
        "azp": "app-1", "scope": "openid email", "iat": now, "exp": now + 600, "act": {"sub": "bot-7"}});
    let machine = json!({"iss": ISSUER, "aud": API, "sub": "app-1@clients", "azp": "app-1", "gty": "client-credentials",
        "jti": "t-1", "client_id": "app-1", "iat": now, "exp": now + 600, "cnf": {"jkt": "AA"}});
    let id = json!({"iss": ISSUER, "aud": CLIENT, "sub": "auth0|ana", "sid": "s-1", "iat": now, "exp": now + 600});
    let event = json!({"iss": ISSUER, "aud": API, "jti": "e-1", "iat": now,
        "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "auth0|ana"},
        "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {"event_timestamp": now}}});
    let tokens = [
        json!({"header": header("at+jwt"), "claims": access}),
        json!({"header": header("JWT"), "claims": machine}),
        json!({"header": header("JWT"), "claims": id}),
        json!({"header": header("secevent+jwt"), "claims": event}),
        json!({"text": "eyJhbGciOiJub25lIn0.e30."}),
        json!({"text": "eyJhbGciOiJFUzI1NiJ9.e30.AAAA~eyJhbGciOiJFUzI1NiJ9.e30.AAAA"}),
    ];
    tokens.iter().map(|token| token.to_string().into_bytes()).collect()
}

struct Issuer {
    key: SigningKey,
    keys: KeySet,
}

fn issuer() -> &'static Issuer {
    static ISSUER: OnceLock<Issuer> = OnceLock::new();
    ISSUER.get_or_init(|| {
        let key = SigningKey::generate(Algorithm::Es256).expect("a key");
        let keys = KeySet::from_jwks_json(&json!({"keys": [key.public_jwk("k")]}).to_string()).expect("a key set");
        Issuer { key, keys }
    })
}

/// A header and claims, signed as they are; or a text.
pub(super) fn run(input: &[u8], trace: &mut Trace) {
    let Ok(input) = serde_json::from_slice::<Value>(input) else { return };
    let member = |name: &str| input.get(name).unwrap_or(&Value::Null);
    if let Some(text) = member("text").as_str() {
        let accepted = verify(&Secret::new(text.to_owned()), trace);
        assert!(accepted.is_empty(), "nobody signed it: {accepted:?}");
        return;
    }
    let (header, claims) = (member("header"), member("claims"));
    let Ok(token) = issuer().key.sign_raw(&header.to_string(), &claims.to_string()) else { return };
    let accepted = verify(&token, trace);
    for kind in &accepted {
        trace.saw(kind);
        assert_eq!(header.get("alg").unwrap_or(&Value::Null), "ES256", "{kind}: {input}");
        assert_eq!(claims.get("iss").unwrap_or(&Value::Null), ISSUER, "{kind}: {input}");
        let audience = if *kind == "id" { CLIENT } else { API };
        let named = claims.get("aud").unwrap_or(&Value::Null) == audience
            || claims
                .get("aud")
                .unwrap_or(&Value::Null)
                .as_array()
                .is_some_and(|all| all.iter().any(|named| named == audience));
        assert!(named, "{kind} for somebody else: {input}");
        let number = |name: &str| claims.get(name).unwrap_or(&Value::Null).as_f64();
        let lives = number("exp").is_some_and(|exp| exp + LEEWAY as f64 > NOW.as_secs() as f64);
        assert!(*kind == "event" || lives, "{kind} that is over: {input}");
        assert!(
            number("nbf").is_none_or(|nbf| nbf <= (NOW.as_secs() + LEEWAY as i64) as f64),
            "{kind} too soon: {input}"
        );
    }
    let exclusive = accepted.iter().filter(|kind| ["access", "id", "event"].contains(kind)).count();
    assert!(exclusive <= 1, "one token, several meanings: {accepted:?} {input}");
    // One letter of the signature otherwise, and it is nobody's.
    let mut forged = token.expose_to_wire().to_owned();
    let place = forged.rfind('.').map_or(0, |dot| dot + 5);
    let other = if forged.as_bytes().get(place) == Some(&b'A') { "B" } else { "A" };
    forged.replace_range(place..=place, other);
    let accepted = verify(&Secret::new(forged), &mut Trace::default());
    assert!(accepted.is_empty(), "a signature that is none: {accepted:?} {input}");
}

/// As what a token is accepted.
fn verify(token: &Secret, trace: &mut Trace) -> Vec<&'static str> {
    let keys = &issuer().keys;
    let mut accepted = Vec::new();
    let mut note = |kind: &'static str, refused: Option<&'static str>| match refused {
        Some(why) => trace.saw(&format!("{kind} {why}")),
        None => accepted.push(kind),
    };
    let access = verify_access_token(token, keys, &AccessTokenPolicy::new(ISSUER, [API]), NOW);
    note("access", access.err().map(onesec_identity::TokenRefused::code));
    let policy = IdTokenPolicy { issuer: ISSUER.to_owned(), client_id: CLIENT.to_owned() };
    note("id", verify_id_token(token, keys, &policy, NOW).err().map(onesec_identity::TokenRefused::code));
    let policy = AgentTokenPolicy::new(ISSUER, [API]);
    let agent = verify_agent_token(Presented::bearer(token), keys, &policy, NOW);
    note("agent", agent.err().map(onesec_identity::TokenRefused::code));
    let event = verify_security_event(token, keys, &SecurityEventPolicy::new(ISSUER, [API]), NOW);
    note("event", event.err().map(onesec_identity::TokenRefused::code));
    let _ = (claimed_issuer(token), split_chain(token));
    accepted
}
