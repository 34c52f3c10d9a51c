//! What others tell of our users (RFC 8417, RFC 8935): believed by signature, taken once, and acted on.

use onesec_auth0_sim::{AccessTokenSpec, ClientSpec, Fault, RequestKind};
use onesec_e2e::proofs::{Issuer, Key, fresh, merge, now};
use onesec_e2e::world::{ANA, BEN, CALENDAR, CLIENT, GOOGLE};
use onesec_e2e::{Answer, Http, Provider, World, eventually};
use serde_json::{Value, json};

use super::{ADMIN, SECRET, over, plan_with, step, steps};
use crate::plan;

const AUDIENCE: &str = "https://onesec.example.test/events";
const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const OAUTH: &str = "https://schemas.openid.net/secevent/oauth/event-type/";

/// Ana has lent her account; an issuer with a key set of its own is believed.
struct Stage {
    world: World,
    issuer: Issuer,
    _provider: Provider,
}

fn stage(more: &Value) -> Stage {
    let (provider, issuer) = (Provider::start(), Issuer::start());
    let mut transmitter = json!({
        "issuer": issuer.sim.issuer(), "audience": AUDIENCE,
        "jwks_uri": format!("{}.well-known/jwks.json", issuer.sim.issuer()),
    });
    merge(&mut transmitter, &more["transmitter"]);
    let mut events = json!({"transmitters": [transmitter]});
    merge(&mut events, &more["events"]);
    let world = plan_with(&provider).with("security_events", events).start();
    world.sim.create_client(ClientSpec::regular(ADMIN, SECRET));
    Stage { world, issuer, _provider: provider }
}

impl Stage {
    /// A token with one event about Ana, as honest as `change` leaves it.
    fn token(&self, event: &str, change: &Value) -> String {
        let iss = self.issuer.sim.issuer();
        let mut claims = json!({
            "aud": AUDIENCE, "jti": fresh("set"), "exp": null, "azp": null, "gty": null, "client_id": null, "sub": null,
            "scope": null, "sub_id": {"format": "iss_sub", "iss": iss, "sub": ANA}, "events": {event: {}},
        });
        // `null` takes away what the tenant would put there.
        claims.as_object_mut().expect("claims").extend(change.as_object().expect("claims").clone());
        let spec = AccessTokenSpec::new("nobody", AUDIENCE, "nobody").with_typ("secevent+jwt");
        let spec = claims
            .as_object()
            .expect("claims")
            .iter()
            .fold(spec, |spec, (name, value)| spec.with_claim(name, value.clone()));
        self.issuer.sim.mint_access_token(&spec).expect("minted").expose_to_wire().to_owned()
    }

    fn push(&self, token: &str) -> Answer {
        push(&mut self.world.nobody(), token, &[])
    }

    fn revocations(&self) -> Vec<Value> {
        self.world.listed("/api/v1/revocations?limit=1000", "revocations")
    }

    /// What was recorded of events, newest first.
    fn told(&self, count: usize) -> Vec<Value> {
        eventually("the event is indexed", || {
            let all = self.world.listed("/api/v1/events?kind=command&limit=1000", "events");
            let told = |event: &Value| event["details"].get("SecurityEvent").cloned();
            let told: Vec<Value> = all.iter().filter_map(told).collect();
            (told.len() >= count).then_some(told)
        })
    }
}

fn push(http: &mut Http, token: &str, more: &[(&str, &str)]) -> Answer {
    let headers = [&[("content-type", "application/secevent+jwt"), ("accept", "application/json")], more].concat();
    http.send("POST", "/api/v1/security-events", &headers, token.as_bytes())
}

#[track_caller]
fn refused(answer: &Answer, status: u16, err: &str) {
    assert_eq!((answer.status, &answer.json()["err"]), (status, &json!(err)), "{}", answer.text());
    assert!(answer.json()["description"].as_str().is_some_and(|why| !why.is_empty()), "{}", answer.text());
}

#[test]
fn an_account_that_is_disabled_elsewhere_is_stopped_here_and_everywhere() {
    let stage = stage(&json!({}));
    let world = &stage.world;
    let (mut helper, refresh) = world.lent("helper");
    world.sim.log_in(ANA);
    world.sim.consent(ANA, CLIENT);
    assert_eq!(helper.exchange(GOOGLE, &refresh).status, 200);
    super::known(world, 1);
    let answer = stage.push(&stage.token(&format!("{RISC}account-disabled"), &json!({})));
    assert_eq!((answer.status, answer.text().as_str()), (202, ""), "nothing but that it is taken");
    assert_eq!(helper.exchange(GOOGLE, &refresh).status, 403, "before the answer");
    let begun = stage.revocations();
    assert_eq!((begun.len(), &begun[0]["requested_by"]), (1, &json!(stage.issuer.sim.issuer())), "{begun:?}");
    let seen = over(world, &begun[0]);
    assert!(steps(&seen).iter().all(|(_, state)| state == "confirmed"), "{seen:#}");
    assert!(seen["reason"].as_str().is_some_and(|why| why.contains("account-disabled")), "{seen}");
    assert_eq!((world.sim.refresh_tokens_of(ANA, None), world.sim.sessions_and_grants_of(ANA)), (0, (0, 0)));
    assert!(stage.issuer.sim.requests(RequestKind::Jwks) > 0, "its keys were fetched");
    let told = stage.told(1);
    assert_eq!((&told[0]["user"], &told[0]["outcome"]), (&json!(ANA), &json!("access is taken back")));
}

#[test]
fn a_session_that_ended_elsewhere_ends_here_and_what_was_lent_stays() {
    let stage = stage(&json!({}));
    let world = &stage.world;
    let (mut helper, refresh) = world.lent("helper");
    world.sim.log_in(ANA);
    for event in ["session-revoked", "credential-change"] {
        world.sim.log_in(ANA);
        assert_eq!(stage.push(&stage.token(&format!("{CAEP}{event}"), &json!({}))).status, 202);
        let of_it = |seen: &&Value| seen["reason"].as_str().is_some_and(|why| why.contains(event));
        let begun = stage.revocations();
        let seen = over(world, begun.iter().find(of_it).expect("one"));
        let names: Vec<String> = steps(&seen).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["onesec", "refresh_tokens", "sessions"], "{seen:#}");
        assert_eq!((step(&seen, "onesec").0.as_str(), step(&seen, "sessions").0.as_str()), ("unneeded", "confirmed"));
        assert_eq!(world.sim.sessions_and_grants_of(ANA).0, 0);
    }
    assert_eq!(helper.exchange(GOOGLE, &refresh).status, 401 + 2, "her refresh token is gone");
    let anew = world.refresh(ANA);
    assert_eq!(helper.exchange(GOOGLE, &anew).status, 200, "once she is logged in again, what she lent counts");
}

/// As Google's Cross-Account Protection tells it: no type, the subject as it was called before the standard.
#[test]
fn tokens_revoked_at_google_unlink_the_account_there() {
    let stage = stage(&json!({"transmitter": {
        "connection": GOOGLE, "user_prefix": "google-oauth2|", "untyped": true,
    }}));
    let world = &stage.world;
    let user = "google-oauth2|7375";
    world.sim.create_user(user);
    world.link(user, GOOGLE, CALENDAR);
    world.delegate(user, "helper", GOOGLE, &[CALENDAR]);
    let (mut helper, refresh) = (world.agent("helper"), world.refresh(user));
    assert_eq!(helper.exchange(GOOGLE, &refresh).status, 200);
    let iss = stage.issuer.sim.issuer();
    let event = format!("{OAUTH}tokens-revoked");
    let subject = json!({"subject_type": "iss-sub", "iss": iss, "sub": "7375"});
    let spec =
        AccessTokenSpec::new("nobody", AUDIENCE, "nobody").with_claim("events", json!({event: {"subject": subject}}));
    let spec = ["exp", "azp", "gty", "sub", "scope"].iter().fold(spec, |spec, name| spec.with_claim(name, Value::Null));
    let token = stage.issuer.sim.mint_access_token(&spec.with_claim("jti", json!(fresh("set")))).expect("minted");
    assert_eq!(stage.push(token.expose_to_wire()).status, 202);
    assert_eq!(helper.exchange(GOOGLE, &refresh).json()["onesec_reason"], "revoked-access");
    let seen = over(world, &stage.revocations()[0]);
    assert_eq!((&seen["user_id"], &seen["connection"]), (&json!(user), &json!(GOOGLE)));
    // A single token names nobody: recorded, and nothing else.
    let event = format!("{OAUTH}token-revoked");
    let subject = json!({"subject_type": "oauth_token", "token_type": "refresh_token", "token": "1//0abc"});
    let token = stage.token(&event, &json!({"sub_id": null, "events": {event.as_str(): {"subject": subject}}}));
    assert_eq!(stage.push(&token).status, 202);
    assert_eq!(stage.revocations().len(), 1);
    assert!(stage.told(2)[0]["outcome"].as_str().is_some_and(|why| why.contains("subject")));
}

#[test]
fn what_changes_nothing_is_recorded_by_name() {
    let stage = stage(&json!({"events": {"responses": [{"event": "credential-change", "parts": []}]}}));
    stage.world.link(ANA, GOOGLE, CALENDAR);
    let events = [
        (format!("{CAEP}session-established"), "changes nothing"),
        (format!("{RISC}account-enabled"), "changes nothing"),
        (format!("{RISC}tokens-revoked"), "changes nothing"),
        ("https://schemas.openid.net/secevent/ssf/event-type/verification".to_owned(), "verification"),
        (format!("{CAEP}credential-change"), "nothing is to be done"),
    ];
    for (number, (event, outcome)) in events.iter().enumerate() {
        assert_eq!(stage.push(&stage.token(event, &json!({}))).status, 202, "{event}");
        let told = stage.told(number + 1);
        assert_eq!(told[0]["event"], event.as_str());
        assert!(told[0]["outcome"].as_str().is_some_and(|said| said.contains(outcome)), "{told:?}");
    }
    assert!(stage.revocations().is_empty());
    // Whoever is not surely a user of ours is nobody.
    let iss = stage.issuer.sim.issuer();
    for subject in [
        json!({"format": "email", "email": "ana@example.test"}),
        json!({"format": "opaque", "id": ANA}),
        json!({"format": "iss_sub", "iss": "https://other.example/", "sub": ANA}),
        json!({"format": "iss_sub", "iss": iss, "sub": "auth0|ana\u{200b}"}),
    ] {
        let token = stage.token(&format!("{RISC}account-purged"), &json!({"sub_id": subject}));
        assert_eq!(stage.push(&token).status, 202, "{subject}");
    }
    assert!(stage.revocations().is_empty());
}

/// What it is, the token, and how it is refused.
type Forged = (&'static str, String, &'static str);

/// Signed by somebody else, or by nobody.
fn forged(stage: &Stage, event: &str) -> Vec<Forged> {
    let iss = stage.issuer.sim.issuer();
    let claims = json!({"iss": iss, "aud": AUDIENCE, "iat": now(), "jti": fresh("set"), "events": {event: {}},
        "sub_id": {"format": "iss_sub", "iss": iss, "sub": ANA}});
    let key = Key::default();
    let unsigned = |alg: &str| {
        let head = json!({"alg": alg, "typ": "secevent+jwt", "kid": "sim-key-1"});
        [head.to_string(), claims.to_string(), "signature".to_owned()].map(|part| base64url(part.as_bytes())).join(".")
    };
    let by_key = |head: Value, change: Value| {
        let mut all = json!({"typ": "secevent+jwt"});
        merge(&mut all, &head);
        key.jwt(&all, &claims, &change)
    };
    vec![
        ("none", unsigned("none"), "invalid_key"),
        ("no signature", unsigned("none").trim_end_matches(|c| c != '.').to_owned(), "invalid_request"),
        ("a shared secret", unsigned("HS256"), "invalid_key"),
        ("a stranger's key", by_key(json!({}), json!({})), "invalid_key"),
        ("under a name of theirs", by_key(json!({"kid": "sim-key-1"}), json!({})), "invalid_key"),
        ("its own key", by_key(json!({"jwk": key.jwk()}), json!({})), "invalid_key"),
        ("nobody's issuer", by_key(json!({}), json!({"iss": "https://nobody.example/"})), "invalid_issuer"),
        ("without the slash", by_key(json!({}), json!({"iss": iss.trim_end_matches('/')})), "invalid_issuer"),
    ]
}

/// Signed by the right one, and wrong all the same.
fn stale(stage: &Stage, event: &str) -> Vec<Forged> {
    let with = |change: Value| stage.token(event, &change);
    let whole = with(json!({}));
    // A signature of 2048 bits has 342 characters of base64url: 332 of them are whole groups of four, which
    // decode whatever they are, and 333 never decode. Any other length depends on the last bits.
    let cut = |by: usize| whole.chars().take(whole.len() - by).collect();
    let two = json!({"events": {event: {}, format!("{CAEP}session-revoked"): {}}});
    vec![
        ("another audience", with(json!({"aud": "https://other.example"})), "invalid_audience"),
        ("too old", with(json!({"iat": now() - 90_000})), "invalid_request"),
        ("of the future", with(json!({"iat": now() + 600})), "invalid_request"),
        ("two events", with(two), "invalid_request"),
        ("no event", with(json!({"events": {}})), "invalid_request"),
        ("no jti", with(json!({"jti": null})), "invalid_request"),
        ("no token", "hello".to_owned(), "invalid_request"),
        ("nothing", String::new(), "invalid_request"),
        ("cut to bytes", cut(10), "invalid_key"),
        ("cut inside of one", cut(9), "invalid_request"),
    ]
}

#[test]
fn whatever_is_forged_stale_or_meant_for_others_is_refused_and_nothing_happens() {
    let stage = stage(&json!({}));
    let world = &stage.world;
    let (mut helper, refresh) = world.lent("helper");
    let event = format!("{RISC}account-purged");
    let good = stage.token(&event, &json!({}));
    let (iss, other) = (stage.issuer.sim.issuer(), Issuer::start());
    for (what, token, err) in forged(&stage, &event).into_iter().chain(stale(&stage, &event)) {
        let answer = stage.push(&token);
        assert_eq!((answer.status, &answer.json()["err"]), (400, &json!(err)), "{what}: {}", answer.text());
        assert!(token.is_empty() || !answer.text().contains(token.as_str()), "{what}");
    }
    // An access token of the same issuer is no event, whatever is in it.
    let spec = AccessTokenSpec::new(ANA, AUDIENCE, "app").with_claim("events", json!({event.as_str(): {}}));
    let access = stage.issuer.sim.mint_access_token(&spec).expect("minted");
    refused(&stage.push(access.expose_to_wire()), 400, "invalid_request");
    // What another issuer signs, in the name of this one.
    let theirs = AccessTokenSpec::new("x", AUDIENCE, "x").with_typ("secevent+jwt").with_claim("iss", json!(iss));
    let theirs = theirs.with_claim("events", json!({event.as_str(): {}})).with_claim("jti", json!("j"));
    let theirs = other.sim.mint_access_token(&theirs).expect("minted");
    refused(&stage.push(theirs.expose_to_wire()), 400, "invalid_key");
    // Not as JSON, and not a mebibyte of it.
    let mut nobody = world.nobody();
    let as_json =
        nobody.send("POST", "/api/v1/security-events", &[("content-type", "application/json")], good.as_bytes());
    refused(&as_json, 400, "invalid_request");
    let huge = format!("{good}{}", "A".repeat(1024 * 1024));
    refused(&push(&mut world.nobody(), &huge, &[]), 413, "invalid_request");
    assert!(stage.revocations().is_empty());
    assert_eq!(helper.exchange(GOOGLE, &refresh).status, 200, "nothing has happened");
    assert_eq!(stage.push(&good).status, 202, "and the honest one is taken");
}

#[test]
fn the_same_token_again_is_taken_and_changes_nothing_also_after_a_crash() {
    let mut stage = stage(&json!({}));
    let (mut helper, refresh) = stage.world.lent("helper");
    let token = stage.token(&format!("{RISC}credential-compromise"), &json!({}));
    assert_eq!(stage.push(&token).status, 202);
    over(&stage.world, &stage.revocations()[0]);
    // She begins anew: an old word must not undo that.
    super::lend_anew(&stage.world);
    let anew = stage.world.refresh(ANA);
    assert_eq!(helper.exchange(GOOGLE, &anew).status, 200);
    assert_eq!(stage.push(&token).status, 202);
    stage.world.killed();
    let mut helper = stage.world.agent("helper");
    assert_eq!(stage.push(&token).status, 202);
    assert_eq!((stage.revocations().len(), helper.exchange(GOOGLE, &anew).status), (1, 200));
    // The same name on another event is not the same: it is a replay of the name, and counts for nothing.
    assert_eq!(stage.told(1).len(), 1);
    drop(refresh);
}

#[test]
fn without_its_keys_nothing_is_judged_and_the_transmitter_is_asked_to_come_again() {
    let stage = stage(&json!({}));
    stage.issuer.sim.set_fault_on(onesec_auth0_sim::Endpoint::Jwks, Fault::Status(500));
    let token = stage.token(&format!("{RISC}account-purged"), &json!({}));
    let answer = stage.push(&token);
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    assert!(stage.revocations().is_empty());
    stage.issuer.sim.clear_faults();
    eventually("it is taken once the keys are there", || (stage.push(&token).status == 202).then_some(()));
    assert_eq!(stage.revocations().len(), 1);
}

#[test]
fn a_transmitter_may_have_to_authenticate_itself_and_opaque_subjects_may_be_users() {
    let stage = stage(&json!({"transmitter": {"authorization": "Bearer s3cret-of-the-stream", "opaque_users": true}}));
    stage.world.link(BEN, GOOGLE, CALENDAR);
    let token = stage.token(&format!("{RISC}account-purged"), &json!({"sub_id": {"format": "opaque", "id": BEN}}));
    refused(&stage.push(&token), 401, "authentication_failed");
    let wrong = push(&mut stage.world.nobody(), &token, &[("authorization", "Bearer s3cret-of-the-strean")]);
    refused(&wrong, 401, "authentication_failed");
    let right = push(&mut stage.world.nobody(), &token, &[("authorization", "Bearer s3cret-of-the-stream")]);
    assert_eq!(right.status, 202, "{}", right.text());
    assert_eq!(stage.revocations()[0]["user_id"], BEN);
}

#[test]
fn without_transmitters_nobody_is_believed_and_half_of_one_is_refused_at_the_start() {
    let world = plan().start();
    refused(&push(&mut world.nobody(), "a.b.c", &[]), 400, "invalid_request");
    let key = Key::default();
    let token =
        key.jwt(&json!({"typ": "secevent+jwt"}), &json!({"iss": "https://x.example/", "aud": AUDIENCE}), &json!({}));
    refused(&push(&mut world.nobody(), &token, &[]), 400, "invalid_issuer");
    for (transmitter, missing) in [
        (json!({"audience": "a", "jwks_uri": "https://x.example/jwks"}), "issuer"),
        (json!({"issuer": "https://x.example/", "jwks_uri": "https://x.example/jwks"}), "audience"),
        (json!({"issuer": "https://x.example/", "audience": "a"}), "jwks_uri"),
        (json!({"issuer": "https://x.example/", "audience": "a", "keys_file": "/nonexistent"}), "nonexistent"),
        (json!({"issuer": "https://x.example/", "audience": "a", "jwks_url": "https://x.example/jwks"}), "jwks_uri"),
    ] {
        let said = crate::enforce::refused_start(&json!({"security_events": {"transmitters": [transmitter]}}));
        assert!(said.contains(missing), "{said}");
    }
    let said =
        crate::enforce::refused_start(&json!({"security_events": {"responses": [{"event": "rain", "parts": []}]}}));
    assert!(said.contains("session-revoked"), "{said}");
}

fn base64url(bytes: &[u8]) -> String {
    onesec_e2e::receiver::base64(bytes).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
}
