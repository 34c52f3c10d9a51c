//! Privileged workers: no token of the user, a signature of their own instead, and a delegation.

use onesec_auth0_sim::{AccountSpec, ClientSpec, RequestKind};
use onesec_e2e::proofs::{Key, fresh, now};
use onesec_e2e::world::{ANA, AUDIENCE, BEN, CALENDAR, EXCHANGE, GOOGLE, MAIL};
use onesec_e2e::{Agent, Answer, World};
use serde_json::{Value, json};

use super::{JWT, TOKEN, alerts_of, issued, refused};
use crate::plan;

const HOST: &str = "onesec.example.test";

/// The server with a client for workers, `nightly` registered as one, and Ana's account lent to it.
struct Night {
    world: World,
    key: Key,
    _files: tempfile::TempDir,
}

impl Night {
    fn new() -> Self {
        let (files, client) = (tempfile::tempdir().expect("directory"), Key::default());
        let path = files.path().join("worker.pem");
        std::fs::write(&path, client.signing.to_pem().expect("PEM").expose_to_wire()).expect("written");
        let section =
            json!([{"client_id": "worker-1", "private_key_file": path, "key_id": client.kid, "use": "worker"}]);
        let plan = plan().with("token_vault", json!({"clients": section})).with("server", json!({"hosts": [HOST]}));
        let world = plan.with("detectors", json!({"exchange-rate": {"limit": 10_000}})).start();
        let spec = ClientSpec::worker("worker-1", client.jwk()).with_worker_grants(GOOGLE, CALENDAR).expect("granted");
        world.sim.create_client(spec);
        for user in [ANA, BEN] {
            world.link(user, GOOGLE, CALENDAR);
        }
        world.delegate(ANA, "nightly", GOOGLE, &[CALENDAR]);
        let key = world.keyed("nightly", &json!({"worker": true, "clients": ["cron-1"]}));
        Self { world, key, _files: files }
    }

    fn request(&self, user: &str, change: Value) -> String {
        self.key.request("nightly", user, (&self.world.url("/"), &change))
    }
}

fn ask(agent: &mut Agent, request: &str, more: Value) -> Answer {
    let mut all = json!({"subject_token_type": JWT, "scopes": [CALENDAR]});
    onesec_e2e::proofs::merge(&mut all, &more);
    agent.exchange_with(GOOGLE, request, &all)
}

const SUBJECT: (u16, &str, &str) = (400, "invalid_request", "subject-refused");
const NEVER: (u16, &str, &str) = (403, "access_denied", "unauthorized-agent");

#[test]
fn a_worker_asks_in_its_own_name_for_a_user_who_delegated() {
    let night = Night::new();
    night.world.mode("live");
    let mut nightly = night.world.agent("nightly");
    let answer = ask(&mut nightly, &night.request(ANA, json!({})), json!({}));
    issued("honest", &answer);
    assert_eq!(answer.json()["scope"], CALENDAR);
    let url = night.world.url(TOKEN);
    let by_client = night.key.request("cron-1", ANA, (&url, &json!({})));
    issued("by its client's name, for the token endpoint", &ask(&mut nightly, &by_client, json!({})));
    let secret = night.world.key(&json!({"name": "n", "scopes": ["exchange"], "agent_id": "nightly"}));
    let request = night.request(ANA, json!({}));
    let pairs = [
        ("grant_type", onesec_auth0_sim::GrantType::TokenVault.urn()),
        ("subject_token", &request),
        ("subject_token_type", JWT),
        ("connection", GOOGLE),
        ("scope", CALENDAR),
        ("client_id", "nightly"),
        ("client_secret", &secret),
    ];
    issued("at the token endpoint", &night.world.nobody().form(TOKEN, &[], &pairs));
    let asked = night.world.events("kind=token_exchange&agent_id=nightly", 3);
    assert_eq!(asked[0]["details"]["is_privileged_worker"], true, "{}", asked[0]);
    assert_eq!(night.world.sim.requests(RequestKind::RefreshGrant), 0);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_worker_is_refused_what_it_cannot_show() {
    for mode in ["live", "dry_run"] {
        let night = Night::new();
        let world = &night.world;
        world.mode(mode);
        let others = world.keyed("other", &json!({"worker": true}));
        let plain = world.keyed("plain", &json!({}));
        world.delegate(ANA, "plain", GOOGLE, &[CALENDAR]);
        let url = world.url("/");
        let mut nightly = world.agent("nightly");
        let good = |change: Value| night.request(ANA, change);
        let header = |header: Value| {
            let claims = json!({"iss": "nightly", "sub": ANA, "aud": url, "jti": fresh("j"), "iat": now()});
            night.key.jwt(&header, &claims, &json!({}))
        };
        let typ = "token-vault-req+jwt";
        let attacks = [
            ("another worker's request", others.request("other", ANA, (&url, &json!({}))), "unknown_key"),
            ("its own name, another's key", others.request("nightly", ANA, (&url, &json!({}))), ""),
            ("another's name, its own key", night.key.request("other", ANA, (&url, &json!({}))), "wrong_issuer"),
            (
                "for the tenant, not for us",
                night.key.request("nightly", ANA, ("https://tests.eu.auth0.test/", &json!({}))),
                "wrong_audience",
            ),
            (
                "for the exchange's path",
                night.key.request("nightly", ANA, (&world.url(EXCHANGE), &json!({}))),
                "wrong_audience",
            ),
            ("for us and the tenant", good(json!({"aud": [url, "https://tests.eu.auth0.test/"]})), "wrong_audience"),
            ("too old", good(json!({"iat": now() - 61})), "too_old"),
            ("from the future", good(json!({"iat": now() + 300})), "issued_in_future"),
            ("expired", good(json!({"iat": now() - 30, "exp": now() - 10})), "expired"),
            ("without a time", good(json!({"iat": null})), "missing_claim"),
            ("without an id", good(json!({"jti": null})), "missing_claim"),
            ("without a user", good(json!({"sub": null})), "missing_claim"),
            ("for itself", good(json!({"sub": "nightly"})), "not_a_person"),
            ("for a machine", good(json!({"sub": "app@clients"})), "not_a_person"),
            (
                "a client assertion in its place",
                night.key.assertion("nightly", &url, &json!({"sub": ANA})),
                "wrong_type",
            ),
            ("alg none", header(json!({"alg": "none", "typ": typ})), "algorithm"),
            ("HMAC", header(json!({"alg": "HS256", "typ": typ})), "algorithm"),
            ("the user's access token", world.access(ANA, |spec| spec), "wrong_type"),
            (
                "an access token of our API",
                world.access(ANA, |spec| spec.with_claim("aud", json!([AUDIENCE, url]))),
                "wrong_type",
            ),
            ("a refresh token", world.refresh(ANA), ""),
        ];
        issued(
            "an honest one first: what follows is no success of the attacks",
            &ask(&mut nightly, &good(json!({})), json!({})),
        );
        for (attack, request, why) in &attacks {
            let answer = ask(&mut nightly, request, json!({}));
            refused(&format!("{mode} {attack}"), &answer, SUBJECT);
            assert!(answer.text().contains(why), "{mode} {attack}: {}", answer.text());
        }
        let by_plain = ask(&mut world.agent("plain"), &plain.request("plain", ANA, (&url, &json!({}))), json!({}));
        refused("no worker", &by_plain, (400, "invalid_request", "unsupported-subject-token-type"));
        let stranger = ask(&mut world.agent("stranger"), &good(json!({})), json!({}));
        refused("not registered", &stranger, (400, "invalid_request", "unsupported-subject-token-type"));
        let stolen = ask(&mut world.agent("other"), &good(json!({})), json!({}));
        refused("a worker with another worker's request", &stolen, SUBJECT);
        // No delegation: refused whatever the mode.
        let bens = ask(&mut nightly, &night.request(BEN, json!({})), json!({}));
        refused(&format!("{mode}: for a user who delegated nothing"), &bens, NEVER);
        let nobodys = ask(&mut nightly, &night.request("auth0|nobody", json!({})), json!({}));
        refused(&format!("{mode}: for a user whom nobody knows"), &nobodys, NEVER);
        let yours = ask(&mut world.agent("other"), &others.request("other", ANA, (&url, &json!({}))), json!({}));
        refused(&format!("{mode}: a worker without a delegation"), &yours, NEVER);
        assert_eq!(alerts_of(world, "unauthorized-agent", "nightly")[0]["severity"], "CRITICAL", "{mode}");
        assert_eq!(world.sim.requests(RequestKind::TokenExchange), 1, "{mode}: upstream never saw one of them");
        issued("an honest one", &ask(&mut nightly, &good(json!({})), json!({})));
        world.register("nightly", &json!({"keys": [night.key.jwk()]}));
        let demoted = ask(&mut nightly, &good(json!({})), json!({}));
        refused("a worker no longer", &demoted, (400, "invalid_request", "unsupported-subject-token-type"));
    }
}

#[test]
fn a_request_is_good_once_even_after_the_server_died() {
    let mut night = Night::new();
    let used = night.key.request("nightly", ANA, (&format!("https://{HOST}/"), &json!({"iat": now() + 20})));
    let secret = night.world.key(&json!({"name": "n", "scopes": ["exchange"], "agent_id": "nightly"}));
    let ask = |world: &World| {
        let headers = [("host", HOST), ("x-api-key", &*secret)];
        super::exchange_with(&mut world.nobody(), &headers, &json!({"subject_token": used, "subject_token_type": JWT}))
    };
    issued("first", &ask(&night.world));
    refused("replayed", &ask(&night.world), (400, "invalid_request", "replayed"));
    night.world.killed();
    refused("replayed after kill -9", &ask(&night.world), (400, "invalid_request", "replayed"));
}

#[test]
fn a_worker_stays_within_its_delegation() {
    let night = Night::new();
    night.world.mode("live");
    let mut nightly = night.world.agent("nightly");
    let more = ask(&mut nightly, &night.request(ANA, json!({})), json!({"scopes": [CALENDAR, MAIL]}));
    refused("more scopes", &more, (403, "access_denied", "scope-escalation"));
    assert_eq!(night.world.admin().post("/api/v1/agents/nightly/suspend", &json!({})).status, 200);
    for mode in ["live", "dry_run"] {
        night.world.mode(mode);
        let answer = ask(&mut nightly, &night.request(ANA, json!({})), json!({}));
        refused(&format!("{mode} suspended"), &answer, NEVER);
    }
}

/// Auth0 documents no `login_hint` for workers: it would choose among the accounts, whatever the delegation says.
#[test]
fn a_worker_cannot_name_an_account() {
    for mode in ["live", "dry_run"] {
        let night = Night::new();
        let world = &night.world;
        world.mode(mode);
        let hint = json!({"login_hint": "ana@work.test"});
        let answer = ask(&mut world.agent("nightly"), &night.request(ANA, json!({})), hint);
        refused("a hint that nobody would follow", &answer, (400, "invalid_request", "login_hint"));
        world
            .sim
            .connect_account(AccountSpec::new(BEN, GOOGLE, CALENDAR).with_login_hint("ben@work.test"))
            .expect("connected");
        for account in ["ben@home.test", "ben@work.test"] {
            let link = json!({"user_id": BEN, "connection": GOOGLE, "scopes": CALENDAR, "account_id": account});
            world.report("connected_account_link", &link);
        }
        let lend = json!({"agent_id": "nightly", "delegated_by": BEN, "connection": GOOGLE, "scopes": CALENDAR,
            "account_id": "ben@work.test"});
        world.report("agent_identity_delegation", &lend);
        let answer = ask(&mut world.agent("nightly"), &night.request(BEN, json!({})), json!({}));
        refused(&format!("{mode} one of two accounts"), &answer, NEVER);
    }
}

#[test]
fn without_a_client_for_workers_there_are_none() {
    let world = plan().live().start();
    world.link(ANA, GOOGLE, CALENDAR);
    world.delegate(ANA, "nightly", GOOGLE, &[CALENDAR]);
    let key = world.keyed("nightly", &json!({"worker": true}));
    let request = key.request("nightly", ANA, (&world.url("/"), &json!({})));
    let answer = ask(&mut world.agent("nightly"), &request, json!({}));
    refused("no client", &answer, (503, "temporarily_unavailable", "not-configured"));
}
