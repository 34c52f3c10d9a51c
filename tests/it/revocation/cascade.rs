//! Through all three stations, with each of them failing in turn.

use std::process::Command;

use onesec_auth0_sim::{ClientSpec, Endpoint, Fault, RequestKind};
use onesec_e2e::world::{ANA, BEN, CALENDAR, CLIENT, EXCHANGE, GITHUB, GOOGLE};
use onesec_e2e::{Mood, Provider, World, eventually};
use serde_json::{Value, json};

use super::{ADMIN, GITHUB_SECRET, SECRET, ask, lend_anew, lent, named, nowhere, over, plan_with, step, steps};

const ALL: [(&str, &str); 5] = [
    ("onesec", "confirmed"),
    ("refresh_tokens", "confirmed"),
    ("sessions", "confirmed"),
    ("grants", "confirmed"),
    ("provider google-oauth2", "confirmed"),
];

#[test]
fn a_user_is_stopped_everywhere_and_each_step_was_looked_at() {
    let provider = Provider::start();
    let (world, mut helper, refresh, token) = lent(&provider);
    world.link(BEN, GOOGLE, CALENDAR);
    world.delegate(BEN, "helper", GOOGLE, &[CALENDAR]);
    let bens = world.refresh(BEN);
    let begun = ask(&world, &json!({"user_id": ANA, "reason": "her laptop was stolen"}));
    assert_eq!(step(&begun, "onesec").0, "confirmed", "before the answer: {begun}");
    let refused = helper.exchange(GOOGLE, &refresh);
    assert_eq!((refused.status, &refused.json()["onesec_reason"]), (403, &json!("revoked-access")), "in dry run, too");
    let seen = over(&world, &begun);
    assert_eq!((steps(&seen), &seen["state"]), (named(&ALL), &json!("done")), "{seen:#}");
    assert_eq!(world.sim.refresh_tokens_of(ANA, None), 0);
    assert_eq!(world.sim.sessions_and_grants_of(ANA), (0, 0));
    assert!(provider.ended(&token));
    assert_eq!(provider.asked(), ["POST /revoke", "POST /revoke"], "ended, then looked at");
    // Nobody knows until when Auth0's own access tokens live, and that is said.
    let left = seen["remaining"].as_array().expect("a list");
    assert_eq!((left.len(), &left[0]["until"]), (1, &Value::Null), "{left:?}");
    // Ben lends on.
    assert_eq!(helper.exchange(GOOGLE, &bens).status, 200);
    nowhere(&world, &[&token, &refresh, SECRET, GITHUB_SECRET]);
}

#[test]
fn it_stands_in_the_journal_with_who_asked_and_what_came_of_it() {
    let provider = Provider::start();
    let (world, ..) = lent(&provider);
    let mut olga = world.person("olga", &["respond", "read"]);
    let answer = olga.post("/api/v1/revocations", &json!({"user_id": ANA, "reason": "asked by phone"}));
    assert_eq!((answer.status, &answer.json()["requested_by"]), (202, &json!("olga")), "{}", answer.text());
    let seen = over(&world, &answer.json());
    let commands = eventually("both are indexed", || {
        let all = world.listed("/api/v1/events?kind=command&limit=1000", "events");
        let of_it = |event: &Value| event["details"].to_string().contains(seen["id"].as_str().unwrap_or("?"));
        let found: Vec<Value> = all.into_iter().filter(of_it).collect();
        (found.len() == 2).then_some(found)
    });
    assert_eq!(commands[1]["sender"]["owner"], "olga");
    assert_eq!(commands[1]["details"]["RevokeAccess"]["reason"], "asked by phone");
    assert!(commands[0]["details"]["AccessRevoked"]["steps"].to_string().contains("provider"), "{}", commands[0]);
    // A list of them, and one that nobody knows.
    let path = format!("/api/v1/revocations?user_id={}", ANA.replace('|', "%7C"));
    assert_eq!(world.listed(&path, "revocations").len(), 1);
    assert_eq!(world.admin().get("/api/v1/revocations/rev_none").status, 404);
}

#[test]
fn the_tenant_down_keeps_nothing_else_from_being_done() {
    let provider = Provider::start();
    let (world, _, _, token) = lent(&provider);
    world.sim.set_fault_on(Endpoint::Management, Fault::Status(503));
    let begun = ask(&world, &json!({"user_id": ANA}));
    let path = format!("/api/v1/revocations/{}", begun["id"].as_str().expect("an id"));
    let seen = eventually("the provider is through, the tenant waits", || {
        let seen = world.admin().get(&path).json();
        (step(&seen, "provider").0 == "confirmed" && step(&seen, "grants").0 == "failed").then_some(seen)
    });
    assert_eq!((&seen["state"], step(&seen, "sessions").0.as_str()), (&json!("running"), "failed"), "{seen:#}");
    assert!(step(&seen, "sessions").1.contains("503"), "{seen}");
    assert!(provider.ended(&token));
    world.sim.clear_faults();
    let seen = over(&world, &begun);
    assert_eq!(steps(&seen), named(&ALL), "it goes on by itself");
    assert_eq!(provider.asked().len(), 2, "what was confirmed is not asked for again");
}

#[test]
fn a_provider_that_is_down_hangs_lies_or_refuses_is_told_truly() {
    for (mood, state, word) in [
        (Mood::Broken, "failed", "500"),
        (Mood::Hangs, "failed", "in time"),
        (Mood::Lies, "accepted", "may take a moment"),
        (Mood::Refuses, "refused", "403"),
    ] {
        let provider = Provider::start();
        let (world, mut helper, refresh, token) = lent(&provider);
        provider.mood(mood);
        let begun = ask(&world, &json!({"user_id": ANA}));
        assert_eq!(helper.exchange(GOOGLE, &refresh).status, 403, "whatever the provider does");
        let path = format!("/api/v1/revocations/{}", begun["id"].as_str().expect("an id"));
        let seen = eventually("the provider was asked", || {
            let seen = world.admin().get(&path).json();
            let tried = step(&seen, "provider").0 == state && step(&seen, "grants").0 == "confirmed";
            tried.then_some(seen)
        });
        assert!(step(&seen, "provider").1.contains(word), "{mood:?}: {seen:#}");
        assert!(!provider.ended(&token));
        // Until when the token is good, as long as nobody saw it end.
        let left = seen["remaining"].as_array().expect("a list");
        assert!(left.iter().any(|left| left["connection"] == GOOGLE && left["agent_id"] == "helper"), "{left:?}");
        provider.mood(Mood::Honest);
        if state == "refused" {
            let seen = over(&world, &begun);
            assert_eq!(seen["state"], "incomplete");
            assert_eq!(world.admin().post(&format!("{path}/retry"), &json!({})).status, 202);
        }
        if state != "accepted" {
            let seen = over(&world, &begun);
            assert_eq!((step(&seen, "provider").0.as_str(), &seen["state"]), ("confirmed", &json!("done")), "{mood:?}");
            assert!(provider.ended(&token));
        }
        nowhere(&world, &[&token]);
    }
}

/// Least privilege: a scope that is missing costs its own step, and no other.
#[test]
fn a_missing_scope_refuses_its_own_step_only() {
    let every = [
        "read:refresh_tokens",
        "delete:refresh_tokens",
        "read:sessions",
        "delete:sessions",
        "read:grants",
        "delete:grants",
    ];
    let with = |missing: &[&str]| -> (World, Value) {
        let provider = Provider::start();
        let (world, ..) = lent(&provider);
        let scopes: Vec<&str> = every.iter().copied().filter(|scope| !missing.contains(scope)).collect();
        world.sim.create_client(ClientSpec::regular(ADMIN, SECRET).with_management_scopes(&scopes));
        world.sim.forget_management_tokens();
        let begun = ask(&world, &json!({"user_id": ANA}));
        let seen = over(&world, &begun);
        (world, seen)
    };
    let (world, seen) = with(&[]);
    assert_eq!(steps(&seen), named(&ALL), "these are enough");
    drop(world);
    for (missing, name) in
        [("delete:refresh_tokens", "refresh_tokens"), ("delete:sessions", "sessions"), ("delete:grants", "grants")]
    {
        let (world, seen) = with(&[missing]);
        for (step, state) in steps(&seen) {
            assert_eq!(state, if step == name { "refused" } else { "confirmed" }, "without {missing}: {step}");
        }
        assert_eq!((&seen["state"], step(&seen, name).1.contains("insufficient_scope")), (&json!("incomplete"), true));
        drop(world);
    }
    // Without the right to look it is done, and said not to have been looked at.
    let (world, seen) = with(&["read:sessions", "read:grants", "read:refresh_tokens"]);
    for name in ["refresh_tokens", "sessions", "grants"] {
        assert_eq!(step(&seen, name).0, "accepted", "{seen:#}");
        assert!(step(&seen, name).1.contains("nobody looked"), "{seen}");
    }
    assert_eq!((world.sim.refresh_tokens_of(ANA, None), world.sim.sessions_and_grants_of(ANA)), (0, (0, 0)));
}

#[test]
fn a_tenant_that_lies_is_found_out_and_one_without_the_common_call_is_asked_one_by_one() {
    let provider = Provider::start();
    let (world, ..) = lent(&provider);
    world.sim.can_revoke_access(false);
    assert_eq!(steps(&over(&world, &ask(&world, &json!({"user_id": ANA})))), named(&ALL));
    lend_anew(&world);
    for (endpoint, name) in [(Endpoint::Sessions, "sessions"), (Endpoint::Grants, "grants")] {
        world.sim.log_in(ANA);
        world.sim.consent(ANA, CLIENT);
        world.sim.set_fault_on(endpoint, Fault::Lie);
        let begun = ask(&world, &json!({"user_id": ANA}));
        let path = format!("/api/v1/revocations/{}", begun["id"].as_str().expect("an id"));
        let seen = eventually("it is found out", || {
            let seen = world.admin().get(&path).json();
            (step(&seen, name).0 == "failed").then_some(seen)
        });
        assert!(step(&seen, name).1.contains("still listed"), "{seen}");
        world.sim.clear_faults();
        assert_eq!(step(&over(&world, &begun), name).0, "confirmed");
    }
}

#[test]
fn one_account_is_taken_back_and_the_user_stays_logged_in() {
    let provider = Provider::start();
    let (world, mut helper, refresh, token) = lent(&provider);
    world.link(ANA, GITHUB, "repo");
    world.delegate(ANA, "helper", GITHUB, &["repo"]);
    world.link(ANA, "slack", "chat:write");
    world.delegate(ANA, "helper", "slack", &["chat:write"]);
    let others: Vec<String> = [GITHUB, "slack"]
        .iter()
        .map(|connection| {
            let answer = helper.exchange(connection, &refresh);
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.json()["access_token"].as_str().expect("a token").to_owned()
        })
        .collect();
    super::known(&world, 3);
    let seen = over(&world, &ask(&world, &json!({"user_id": ANA, "connection": GITHUB})));
    assert_eq!(steps(&seen), named(&[("onesec", "confirmed"), ("provider github", "confirmed")]), "{seen:#}");
    assert!(provider.ended(&others[0]) && !provider.ended(&token) && !provider.ended(&others[1]));
    assert_eq!((helper.exchange(GITHUB, &refresh).status, helper.exchange(GOOGLE, &refresh).status), (403, 200));
    assert_eq!((world.sim.refresh_tokens_of(ANA, None), world.sim.sessions_and_grants_of(ANA)), (1, (1, 1)));
    let seen = over(&world, &ask(&world, &json!({"user_id": ANA, "connection": "slack"})));
    assert_eq!(steps(&seen), named(&[("onesec", "confirmed"), ("provider slack", "confirmed")]), "{seen:#}");
    assert!(provider.ended(&others[1]));
}

#[test]
fn one_agent_is_stopped_with_the_clients_that_are_its_own() {
    let provider = Provider::start();
    let (world, _helper, refresh, token) = lent(&provider);
    world.delegate(ANA, "writer", GOOGLE, &[CALENDAR]);
    let mut writer = world.agent("writer");
    let cached = writer.exchange(GOOGLE, &refresh).json()["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(cached, token, "the tenant gives out what it has");
    let seen = over(&world, &ask(&world, &json!({"user_id": ANA, "agent_id": "helper"})));
    assert_eq!(step(&seen, "refresh_tokens").0, "not_possible", "it has no client of its own: {seen:#}");
    assert_eq!(step(&seen, "onesec").0, "confirmed");
    assert_eq!((world.sim.refresh_tokens_of(ANA, None), writer.exchange(GOOGLE, &refresh).status), (1, 200));
    // Both agents have the same token: it is left to the other one, and said until when it lives.
    assert!(!provider.ended(&token) && step(&seen, "provider").0.is_empty(), "{seen:#}");
    let left = seen["remaining"].as_array().expect("a list").iter().find(|left| left["agent_id"] == "helper");
    assert!(left.is_some_and(|left| left["until"].is_string()), "{seen:#}");
    // With one of its own, those tokens go and no others.
    world.sim.create_client(ClientSpec::regular("writers-own", "s3cret"));
    world.sim.issue_refresh_token(ANA, "writers-own").expect("issued");
    let registered = world.admin().call("PUT", "/api/v1/agents/writer", &json!({"clients": ["writers-own"]}));
    assert_eq!(registered.status, 200, "{}", registered.text());
    let seen = over(&world, &ask(&world, &json!({"user_id": ANA, "agent_id": "writer"})));
    assert_eq!(step(&seen, "refresh_tokens").0, "confirmed", "{seen:#}");
    let left = |client: &str| world.sim.refresh_tokens_of(ANA, Some(client));
    assert_eq!((left(CLIENT), left("writers-own")), (1, 0));
    assert_eq!(writer.exchange(GOOGLE, &refresh).status, 403);
    // Unless that is asked for: of everybody's, too.
    let seen = over(&world, &ask(&world, &json!({"agent_id": "writer", "parts": ["provider"]})));
    assert_eq!((step(&seen, "provider").0.as_str(), provider.ended(&token)), ("confirmed", true), "{seen:#}");
    let wrong = world.admin().post("/api/v1/revocations", &json!({"agent_id": "writer", "parts": ["sessions"]}));
    assert_eq!((wrong.status, &wrong.json()["code"]), (422, &json!("not-an-agents")));
}

#[test]
fn the_same_request_again_is_the_same_revocation() {
    let provider = Provider::start();
    let (world, ..) = lent(&provider);
    let wanted = json!({"user_id": ANA, "request_id": "ticket-418"});
    let first = over(&world, &ask(&world, &wanted));
    let asked = (world.sim.requests(RequestKind::Management), provider.asked().len());
    lend_anew(&world);
    let again = world.admin().post("/api/v1/revocations", &wanted);
    assert_eq!((again.status, again.json()), (200, first.clone()), "nothing is done again");
    assert_eq!((world.sim.requests(RequestKind::Management), provider.asked().len()), asked);
    let other = world.admin().post("/api/v1/revocations", &json!({"user_id": BEN, "request_id": "ticket-418"}));
    assert_eq!((other.status, &other.json()["code"]), (409, &json!("id-conflict")));
    // Somebody else's request ids are others.
    let mut olga = world.person("olga", &["respond"]);
    assert_eq!(olga.post("/api/v1/revocations", &json!({"user_id": BEN, "request_id": "ticket-418"})).status, 202);
    for (wrong, status) in [
        (json!({}), 422),
        (json!({"connection": GOOGLE}), 422),
        (json!({"user_id": ANA, "parts": ["everything"]}), 422),
        (json!({"user_id": ANA, "request_id": ""}), 422),
        (json!({"user_id": ANA, "force": true}), 422),
    ] {
        assert_eq!(world.admin().post("/api/v1/revocations", &wrong).status, status, "{wrong}");
    }
    assert_eq!(world.client(&["read"]).post("/api/v1/revocations", &wanted).status, 403);
    assert_eq!(world.nobody().post("/api/v1/revocations", &wanted).status, 401);
}

/// Held only where that is configured; and a token that nobody holds is said not to be at hand.
#[test]
fn without_a_way_to_the_provider_no_token_is_held_and_that_is_said() {
    let provider = Provider::start();
    let world = plan_with(&provider).with("token_vault", json!({"revoke_at_provider": []})).start();
    world.sim.create_client(ClientSpec::regular(ADMIN, SECRET));
    let (mut helper, refresh) = world.lent("helper");
    assert_eq!(helper.exchange(GOOGLE, &refresh).status, 200);
    super::known(&world, 1);
    let seen = over(&world, &ask(&world, &json!({"user_id": ANA})));
    assert_eq!(step(&seen, "provider").0, "not_possible", "{seen:#}");
    assert!(step(&seen, "provider").1.contains("revoke_at_provider"), "{seen}");
    let until = seen["remaining"].as_array().expect("a list").iter().find(|left| left["connection"] == GOOGLE);
    assert!(until.is_some_and(|left| left["until"].is_string()), "{seen}");
    assert!(provider.asked().is_empty());
}

#[test]
fn the_command_line_tells_it_step_by_step() {
    let provider = Provider::start();
    let (world, ..) = lent(&provider);
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onesec-under-test"));
        command.args(args).env("ONESEC_URL", world.process.url());
        command.env("ONESEC_API_KEY", world.process.admin_key()).output().expect("it ends")
    };
    let done = run(&["revoke", ANA, "--reason", "left the company"]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&done.stderr));
    for word in ["onesec", "refresh_tokens", "sessions", "grants", "provider", "confirmed", "STILL GOOD"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let json = run(&["--json", "revocations"]);
    let listed: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let id = listed["revocations"][0]["id"].as_str().expect("one").to_owned();
    let shown = run(&["--json", "revocations", &id]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("done"), &json!("left the company")));
    assert_eq!(run(&["revocations", &id, "--retry"]).status.code(), Some(3), "there is nothing to try again");
    assert_eq!(run(&["revoke"]).status.code(), Some(2));
    // What is refused is a negative answer.
    world.sim.set_fault_on(Endpoint::Grants, Fault::InsufficientScope);
    assert_eq!(run(&["revoke", ANA]).status.code(), Some(1));
}

/// The way in is closed before the answer, however slow everybody else is; and verdicts do not wait for it.
#[test]
fn a_tenant_that_hangs_delays_neither_the_answer_nor_anybody_elses_exchange() {
    let provider = Provider::start();
    let (world, mut helper, refresh, _) = lent(&provider);
    world.link(BEN, GOOGLE, CALENDAR);
    world.delegate(BEN, "helper", GOOGLE, &[CALENDAR]);
    let bens = world.refresh(BEN);
    world.sim.set_fault_on(Endpoint::Management, Fault::Hang);
    let begun = std::time::Instant::now();
    for _ in 0..10 {
        let asked = ask(&world, &json!({"user_id": ANA}));
        assert!(["confirmed", "unneeded"].contains(&step(&asked, "onesec").0.as_str()), "{asked:#}");
    }
    let answer = helper.http.post(EXCHANGE, &json!({"subject_token": bens, "connection": GOOGLE}));
    assert_eq!((answer.status, helper.exchange(GOOGLE, &refresh).status), (200, 403));
    assert!(begun.elapsed() < std::time::Duration::from_secs(9), "{:?}: not after a time-out", begun.elapsed());
    world.sim.clear_faults();
}

/// Revoked while the tenant is being asked: what it issues then is given to nobody.
#[test]
fn a_token_that_is_issued_meanwhile_is_not_released() {
    let provider = Provider::start();
    let (world, _helper, refresh, _) = lent(&provider);
    let pause = world.sim.pause_exchanges();
    let seen = world.sim.requests(RequestKind::TokenExchange);
    let (url, key) = (
        world.process.url().to_owned(),
        world.key(&json!({
        "name": "late", "scopes": ["exchange"], "agent_id": "helper"})),
    );
    let asking = std::thread::spawn(move || {
        let wanted = json!({"subject_token": refresh, "connection": GOOGLE});
        onesec_e2e::Http::new(&url, Some(&key)).post(EXCHANGE, &wanted)
    });
    eventually("the tenant is being asked", || (world.sim.requests(RequestKind::TokenExchange) > seen).then_some(()));
    let begun = ask(&world, &json!({"user_id": ANA}));
    drop(pause);
    let answer = asking.join().expect("it ends");
    assert_eq!((answer.status, &answer.json()["issued_not_released"]), (403, &json!(true)), "{}", answer.text());
    assert_eq!(over(&world, &begun)["state"], "done");
}
