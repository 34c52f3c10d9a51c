//! Users: what their tokens prove, whom they name besides, and in whose hands they are.

use onesec_auth0_sim::{AccessTokenSpec, AccountSpec, ClientSpec, RequestKind};
use onesec_e2e::proofs::Key;
use onesec_e2e::world::{ANA, AUDIENCE, BEN, CALENDAR, CLIENT, EXCHANGE, GITHUB, GOOGLE};
use onesec_e2e::{Agent, Answer, World};
use serde_json::{Value, json};

use super::{ACCESS, alerts_of, bearer, exchange_with, grant, issued, refused};
use crate::plan;

/// Ana's account is lent to `helper`, whose own client at the tenant is `app-1`.
fn lent(mode: &str) -> (World, Agent) {
    let world = plan().with("detectors", json!({"exchange-rate": {"limit": 10_000}})).start();
    world.mode(mode);
    let (helper, _) = world.lent("helper");
    world.register("helper", &json!({"clients": ["app-1"]}));
    (world, helper)
}

/// Ana's access token for `client`.
fn access(world: &World, client: &str, change: impl FnOnce(AccessTokenSpec) -> AccessTokenSpec) -> String {
    let spec = change(AccessTokenSpec::new(ANA, AUDIENCE, client));
    world.sim.mint_access_token(&spec).expect("minted").expose_to_wire().to_owned()
}

fn by_access(agent: &mut Agent, token: &str) -> Answer {
    agent.exchange_with(GOOGLE, token, &json!({"subject_token_type": ACCESS, "scopes": [CALENDAR]}))
}

const DEPUTY: (u16, &str, &str) = (403, "access_denied", "confused-deputy");
const CHAIN: (u16, &str, &str) = (403, "access_denied", "delegation-chain");
const SUBJECT: (u16, &str, &str) = (400, "invalid_request", "subject-refused");

#[test]
fn a_token_that_names_the_agent_is_the_agents_to_use() {
    let (world, mut helper) = lent("live");
    let with = |name: &str, value: Value| access(&world, "app-1", |spec| spec.with_claim(name, value));
    for (how, token) in [
        ("its own client's", access(&world, "app-1", |spec| spec)),
        ("in the other profile", access(&world, "app-1", AccessTokenSpec::rfc9068)),
        ("the agent may act", with("may_act", json!({"sub": "helper"}))),
        ("the agent's client may act", with("may_act", json!({"sub": "app-1"}))),
        ("its client id may act", with("may_act", json!({"client_id": "app-1"}))),
        ("both", with("may_act", json!({"sub": "helper", "client_id": "app-1"}))),
        ("the agent acts", with("act", json!({"sub": "helper"}))),
        ("its client acts", with("act", json!({"sub": "app-1"}))),
        ("it acts twice", with("act", json!({"sub": "app-1", "act": {"sub": "app-1"}}))),
    ] {
        issued(how, &by_access(&mut helper, &token));
    }
    assert_eq!(world.alerted(), ["refresh-storm"], "LOW: it held a valid token all the time");
    let earlier = with("act", json!({"sub": "helper", "act": {"sub": "somebody-else"}}));
    issued("history decides nothing", &by_access(&mut helper, &earlier));
    assert_eq!(alerts_of(&world, "delegation-chain", "helper")[0]["severity"], "MEDIUM");
}

#[test]
fn a_token_that_names_others_is_refused_in_any_mode() {
    for mode in ["live", "dry_run"] {
        let (world, mut helper) = lent(mode);
        let with = |name: &str, value: Value| access(&world, "app-1", |spec| spec.with_claim(name, value));
        let attacks = [
            ("another agent may act", with("may_act", json!({"sub": "mole"})), DEPUTY),
            ("another client may act", with("may_act", json!({"client_id": "app-2"})), DEPUTY),
            ("the agent, and another client", with("may_act", json!({"sub": "helper", "client_id": "app-2"})), DEPUTY),
            ("the agent in capitals", with("may_act", json!({"sub": "Helper"})), DEPUTY),
            ("no name at all", with("may_act", json!({"sub": "he\u{200b}lper"})), DEPUTY),
            ("stolen from another client", access(&world, "app-2", |spec| spec), DEPUTY),
            ("stolen from our own client", access(&world, CLIENT, |spec| spec), DEPUTY),
            ("stolen from a client with the agent's name in capitals", access(&world, "HELPER", |spec| spec), DEPUTY),
            ("another agent acts", with("act", json!({"sub": "mole"})), CHAIN),
            (
                "another agent acts, after this one",
                with("act", json!({"sub": "mole", "act": {"sub": "helper"}})),
                CHAIN,
            ),
            ("this agent by another client", with("act", json!({"sub": "helper", "client_id": "app-2"})), CHAIN),
            ("may_act of nobody", with("may_act", json!({})), SUBJECT),
            ("may_act that is no object", with("may_act", json!("helper")), SUBJECT),
            ("may_act with a member of its own", with("may_act", json!({"sub": "helper", "if": "asked"})), SUBJECT),
            ("may_act of another issuer", with("may_act", json!({"sub": "helper", "iss": "https://x/"})), SUBJECT),
            ("act without a name", with("act", json!({"client_id": "app-1"})), SUBJECT),
            ("act in a cycle", with("act", json!({"sub": "a", "act": {"sub": "b", "act": {"sub": "a"}}})), SUBJECT),
            ("the user acts for himself", with("act", json!({"sub": ANA})), SUBJECT),
            ("a machine's own token", with("gty", json!("client-credentials")), SUBJECT),
            ("a token for another API", with("aud", json!("https://another.api")), SUBJECT),
            ("a token of another tenant", with("iss", json!("https://evil.auth0.test/")), SUBJECT),
            ("an ID token", with("nonce", json!("n")), SUBJECT),
            ("expired", with("exp", json!(1_600_000_000)), SUBJECT),
            ("encrypted", "a.b.c.d.e".to_owned(), SUBJECT),
        ];
        let before = world.sim.requests(RequestKind::TokenExchange);
        for (attack, token, refusal) in &attacks {
            refused(&format!("{mode} {attack}"), &by_access(&mut helper, token), *refusal);
        }
        assert_eq!(world.sim.requests(RequestKind::TokenExchange), before, "upstream never saw one of them");
        assert_eq!(alerts_of(&world, "confused-deputy", "helper")[0]["severity"], "CRITICAL", "{mode}");
        assert_eq!(alerts_of(&world, "delegation-chain", "helper")[0]["severity"], "HIGH", "{mode}");
        issued("an honest one", &by_access(&mut helper, &access(&world, "app-1", |spec| spec)));
    }
}

#[test]
fn a_token_that_is_bound_to_a_key_needs_the_key() {
    for mode in ["live", "dry_run"] {
        let (world, _) = lent(mode);
        let (users, thiefs) = (Key::default(), Key::default());
        let token = access(&world, "app-1", |spec| spec.with_claim("cnf", json!({"jkt": users.thumbprint()})));
        let secret = world.key(&json!({"name": "h", "scopes": ["exchange"], "agent_id": "helper"}));
        let (url, authorization) = (world.url(EXCHANGE), bearer(&secret));
        let with = |proof: Option<&str>| {
            let mut headers = vec![("authorization", authorization.as_str())];
            headers.extend(proof.map(|proof| ("dpop", proof)));
            let more = json!({"subject_token": token, "subject_token_type": ACCESS});
            exchange_with(&mut world.nobody(), &headers, &more)
        };
        let proof = |key: &Key, token: Option<&str>| key.dpop(("POST", &url), token, &json!({}));
        refused("without a proof", &with(None), (400, "invalid_request", "subject-refused"));
        let theirs = with(Some(&proof(&thiefs, None)));
        refused("with the thief's key", &theirs, (400, "invalid_request", "proof_mismatch"));
        let theirs = with(Some(&proof(&thiefs, Some(&token))));
        refused("with the thief's key, for this token", &theirs, (400, "invalid_request", "proof_mismatch"));
        // The simulated tenant takes no bound tokens itself: that it was asked shows that we did.
        let own = with(Some(&proof(&users, None)));
        refused("with the key", &own, (401, "invalid_request", "upstream"));
        refused("without a proof, after one was shown", &with(None), (400, "invalid_request", "proof_required"));
        let used = proof(&users, None);
        refused("with the key again", &with(Some(&used)), (401, "invalid_request", "upstream"));
        refused("the proof replayed", &with(Some(&used)), (401, "invalid_dpop_proof", "replayed"));
    }
}

#[test]
fn a_refresh_token_is_its_clients_and_its_users() {
    let (world, mut helper) = lent("live");
    world.sim.create_client(ClientSpec::regular("app-2", "s3cret-of-app-2"));
    let anas = world.refresh(ANA);
    issued("honest", &helper.exchange_for(GOOGLE, &anas, &[CALENDAR]));
    let mut mole = world.agent("mole");
    let stolen = mole.exchange_for(GOOGLE, &anas, &[CALENDAR]);
    refused("stolen by another agent", &stolen, (403, "access_denied", "unauthorized-agent"));
    assert_eq!(alerts_of(&world, "unauthorized-agent", "mole")[0]["severity"], "CRITICAL");
    let theirs = world.sim.issue_refresh_token(ANA, "app-2").expect("issued");
    let other = helper.exchange_for(GOOGLE, theirs.expose_to_wire(), &[CALENDAR]);
    refused("of another client", &other, (403, "invalid_grant", "upstream"));
    let bens = helper.exchange_for(GOOGLE, &world.refresh(BEN), &[CALENDAR]);
    refused("of another user", &bens, (403, "access_denied", "unauthorized-agent"));
    let oversized = helper.exchange(GOOGLE, &"v".repeat(5_000));
    refused("oversized", &oversized, (400, "invalid_request", "subject-refused"));
    let typed = helper.exchange_with(GOOGLE, &anas, &json!({"subject_token_type": ACCESS}));
    refused("said to be an access token", &typed, SUBJECT);
    let kinds = ["id_token", "saml2", "Refresh_Token", "refresh_token "];
    for kind in kinds {
        let urn = format!("urn:ietf:params:oauth:token-type:{kind}");
        let answer = helper.exchange_with(GOOGLE, &anas, &json!({"subject_token_type": urn}));
        refused(kind, &answer, (400, "invalid_request", "none of ours"));
    }
    world.sim.revoke_refresh_token(&onesec_telemetry::Secret::new(anas.clone()));
    let revoked = helper.exchange_for(GOOGLE, &anas, &[CALENDAR]);
    refused("revoked", &revoked, (403, "invalid_grant", "upstream"));
}

#[test]
fn one_of_two_accounts_is_that_one() {
    for mode in ["live", "dry_run"] {
        let (world, mut helper) = lent(mode);
        for account in ["ana@work.test", "ana@home.test"] {
            let spec = AccountSpec::new(ANA, GITHUB, "read:user").with_login_hint(account).with_id(account);
            world.sim.connect_account(spec).expect("connected");
            let link = json!({"user_id": ANA, "connection": GITHUB, "scopes": "read:user", "account_id": account});
            world.report("connected_account_link", &link);
        }
        let lend = json!({"agent_id": "helper", "delegated_by": ANA, "connection": GITHUB, "scopes": "read:user",
            "account_id": "ana@work.test"});
        world.report("agent_identity_delegation", &lend);
        let token = world.refresh(ANA);
        let mut hinted = |hint: Value| {
            let more = json!({"scopes": ["read:user"], "login_hint": hint});
            helper.exchange_with(GITHUB, &token, &more)
        };
        issued("its account", &hinted(json!("ana@work.test")));
        let hints = ["ana@home.test", "ANA@WORK.TEST", "ana@work.test.evil", "x", ""];
        let attacks = hints.map(|hint| (hint, json!(hint))).into_iter().chain([("no hint", Value::Null)]);
        for (attack, hint) in attacks {
            let answer = hinted(hint);
            if mode == "live" {
                refused(attack, &answer, (403, "access_denied", "unauthorized-agent"));
            }
            let alerts = alerts_of(&world, "unauthorized-agent", "helper");
            assert!(!alerts.is_empty(), "{mode} {attack}: {}", answer.text());
        }
    }
}

#[test]
fn no_parameter_names_the_user_or_the_agent() {
    let (world, mut helper) = lent("dry_run");
    let token = world.refresh(BEN);
    let members = ["user_id", "sub", "agent_id", "actor_token", "subject", "audience", "resource", "act", "may_act"];
    for member in members {
        let answer = helper.exchange_with(GOOGLE, &token, &json!({member: ANA}));
        refused(member, &answer, (400, "invalid_request", "unknown member"));
    }
    let secret = world.key(&json!({"name": "h", "scopes": ["exchange"], "agent_id": "helper"}));
    for parameter in ["user_id", "actor_token", "audience", "resource", "scopes", "delegation", "Subject_token"] {
        let more = [("client_id", "helper"), ("client_secret", secret.as_str()), (parameter, ANA)];
        let answer = grant(&mut world.nobody(), &[], (&token, &more));
        refused(parameter, &answer, (400, "invalid_request", "unknown parameter"));
    }
    let twice = [("client_id", "helper"), ("client_secret", secret.as_str()), ("subject_token", "x")];
    let answer = grant(&mut world.nobody(), &[], (&token, &twice));
    refused("a parameter twice", &answer, (400, "invalid_request", "twice"));
    assert_eq!(world.sim.requests(RequestKind::TokenExchange), 0);
}

#[test]
fn each_use_and_audience_has_its_client_at_auth0() {
    let (files, key) = (tempfile::tempdir().expect("directory"), Key::default());
    let path = files.path().join("refresher.pem");
    std::fs::write(&path, key.signing.to_pem().expect("PEM").expose_to_wire()).expect("written");
    let api = |name: &str| json!({"client_id": name, "client_secret": "s3cret", "use": "access", "audience": format!("https://{name}")});
    let refresher = json!({"client_id": "refresher", "private_key_file": path, "key_id": key.kid, "use": "refresh"});
    let clients = json!([refresher, api("api-a"), api("api-b")]);
    let world = plan().live().with("token_vault", json!({"clients": clients})).start();
    world.sim.create_client(ClientSpec::regular("refresher", "").with_public_key(key.jwk()));
    for name in ["api-a", "api-b"] {
        world.sim.create_client(ClientSpec::custom_api(name, "s3cret", &format!("https://{name}")));
    }
    let (mut helper, ours) = world.lent("helper");
    let theirs = world.sim.issue_refresh_token(ANA, "refresher").expect("issued");
    issued("its own refresh token", &helper.exchange_for(GOOGLE, theirs.expose_to_wire(), &[CALENDAR]));
    let other = helper.exchange_for(GOOGLE, &ours, &[CALENDAR]);
    refused("another client's refresh token", &other, (403, "invalid_grant", "upstream"));
    for audience in ["https://api-a", "https://api-b", AUDIENCE] {
        let token = access(&world, "app", |spec| spec.with_claim("aud", json!(audience)));
        issued(audience, &by_access(&mut helper, &token));
    }
    let token = access(&world, "app", |spec| spec.with_claim("aud", json!("https://api-c")));
    refused("of an API that nobody named", &by_access(&mut helper, &token), SUBJECT);
}

#[test]
fn a_registration_bounds_what_an_agent_may_reach() {
    for mode in ["live", "dry_run"] {
        let (world, mut helper) = lent(mode);
        world.register("helper", &json!({"connections": [GITHUB]}));
        let answer = helper.exchange_for(GOOGLE, &world.refresh(ANA), &[CALENDAR]);
        refused("not its connection", &answer, (403, "access_denied", "unauthorized-agent"));
        world.register("helper", &json!({"connections": [GITHUB, GOOGLE]}));
        issued("its connection", &helper.exchange_for(GOOGLE, &world.refresh(ANA), &[CALENDAR]));
    }
}
