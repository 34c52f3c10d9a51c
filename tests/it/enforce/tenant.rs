//! What is done at Auth0: verified there, taken back there, and told truly where the tenant fails or lies.

use std::time::{Duration, Instant};

use onesec_auth0_sim::{AccessTokenSpec, ClientSpec, Endpoint, Fault, RequestKind};
use onesec_e2e::world::{ANA, BEN, CALENDAR, CLIENT, EXCHANGE, GOOGLE};
use onesec_e2e::{Answer, Http, Plan, World, eventually};
use serde_json::{Value, json};

use super::preset::refused_start;
use super::{on_strays, receipt};
use crate::plan;

const ADMIN: &str = "onesec-admin";
const SECRET: &str = "Pl4nted-management-secret-ZZQX";

fn with(policies: &Value, enforcement: Value) -> Plan {
    let mut enforcement = enforcement;
    enforcement["policies"] = policies.clone();
    plan().live().with("enforcement", enforcement)
}

/// Live, with a client of the tenant's Management API and one policy about strangers.
fn administered(actions: &Value) -> World {
    let auth0 = json!({"auth0": {"client_id": ADMIN, "client_secret": SECRET}});
    let world = with(&on_strays(actions), auth0).start();
    world.sim.create_client(ClientSpec::regular(ADMIN, SECRET));
    world
}

/// `agent`, whom nobody let act, asks for Ana's account with her own token: the gateway knows whose it is.
#[track_caller]
fn intrudes(world: &World, agent: &str, user: &str) -> Answer {
    let token = world.refresh(user);
    let answer = world.agent(agent).http.post(EXCHANGE, &json!({"subject_token": token, "connection": GOOGLE}));
    assert_eq!(answer.status, 403, "{}", answer.text());
    answer
}

#[test]
fn refresh_tokens_are_revoked_and_seen_to_be_gone() {
    let world = administered(&json!(["revoke_refresh_tokens"]));
    world.link(ANA, GOOGLE, CALENDAR);
    let (kept, bens) = (world.refresh(ANA), world.refresh(BEN));
    intrudes(&world, "mallory", ANA);
    let receipt = receipt(&world, "revoke_refresh_tokens");
    assert_eq!((&receipt["status"], &receipt["target"]), (&json!("verified"), &json!("user auth0|ana")), "{receipt}");
    assert_eq!(world.sim.refresh_tokens_of(ANA, None), 0);
    // What she lent can no longer be used with what was hers; nobody else noticed.
    world.delegate(ANA, "helper", GOOGLE, &[CALENDAR]);
    assert_eq!(world.agent("helper").exchange(GOOGLE, &kept).status, 403);
    assert_eq!(world.sim.refresh_tokens_of(BEN, None), 1);
    drop(bens);
}

#[test]
fn those_of_one_client_leave_the_others_alone() {
    let world = administered(&json!([{"revoke_refresh_tokens_of": {"client_id": CLIENT}}]));
    world.sim.create_client(ClientSpec::regular("phone", "secret-of-the-phone"));
    world.sim.issue_refresh_token(ANA, "phone").expect("issued");
    world.link(ANA, GOOGLE, CALENDAR);
    intrudes(&world, "mallory", ANA);
    assert_eq!(receipt(&world, "revoke_refresh_tokens")["status"], "verified");
    let left = |client: &str| world.sim.refresh_tokens_of(ANA, Some(client));
    assert_eq!((left(CLIENT), left("phone")), (0, 1));
}

#[test]
fn a_tenant_that_lies_is_found_out() {
    for (action, why) in [("revoke_refresh_tokens", "still there"), ("auth0_flag_user", "not there")] {
        let world = administered(&json!([action]));
        world.link(ANA, GOOGLE, CALENDAR);
        world.sim.set_fault_on(Endpoint::Management, Fault::Lie);
        intrudes(&world, "mallory", ANA);
        let receipt = receipt(&world, action);
        assert_eq!(receipt["status"], "failed", "{receipt}");
        let reason = receipt["reason"].as_str().expect("why");
        assert!(reason.contains("the tenant says") && reason.contains(why), "{reason}");
        assert!(world.sim.refresh_tokens_of(ANA, None) > 0);
        // Once it is honest, a person has it tried again.
        world.sim.clear_faults();
        let id = receipt["id"].as_str().expect("an id");
        assert_eq!(world.admin().post(&format!("/api/v1/responses/{id}/retry"), &json!({})).status, 202);
        assert_eq!(super::receipt(&world, action)["status"], "verified");
    }
}

#[test]
fn what_is_refused_fails_and_what_is_down_is_tried_again() {
    let world = administered(&json!(["auth0_flag_user"]));
    world.link(ANA, GOOGLE, CALENDAR);
    let faults = [
        (Fault::InsufficientScope, "failed", "insufficient_scope"),
        (Fault::Status(401), "failed", "401"),
        (Fault::RateLimited { retry_after_s: 5 }, "executing", "limits our rate"),
        (Fault::Status(500), "executing", "failed with 500"),
        (Fault::Redirect, "failed", "307"),
    ];
    for (number, (fault, status, why)) in faults.into_iter().enumerate() {
        world.sim.set_fault_on(Endpoint::Management, fault.clone());
        let agent = format!("mallory-{number}");
        intrudes(&world, &agent, ANA);
        let found = eventually(status, || {
            let alert =
                world.alerts("unauthorized-agent").into_iter().find(|alert| alert["agent_id"] == agent.as_str())?;
            let of_it = format!("alert_id={}", alert["id"].as_str()?);
            world.receipts(&of_it).into_iter().find(|receipt| {
                receipt["status"] == status && receipt["reason"].as_str().is_some_and(|reason| reason.contains(why))
            })
        });
        // Whatever it was: once the tenant is well, it is so.
        world.sim.clear_faults();
        let id = found["id"].as_str().expect("an id").to_owned();
        if status == "failed" {
            assert_eq!(world.admin().post(&format!("/api/v1/responses/{id}/retry"), &json!({})).status, 202);
        }
        eventually("it is verified in the end", || {
            let done = world.receipts("").into_iter().find(|receipt| receipt["id"] == id.as_str())?;
            (done["status"] == "verified").then_some(())
        });
    }
    assert_eq!(world.sim.requests(RequestKind::Stolen), 0);
}

/// What hangs at Auth0 has places of its own.
#[test]
fn a_tenant_that_hangs_delays_nothing_of_ours() {
    let world = administered(&json!(["auth0_flag_user", {"suspend_agent": {"for": "1h"}}]));
    world.link(ANA, GOOGLE, CALENDAR);
    world.sim.set_fault_on(Endpoint::Management, Fault::Hang);
    let begun = Instant::now();
    for number in 0..20 {
        intrudes(&world, &format!("mallory-{number}"), ANA);
    }
    eventually("all are suspended", || {
        let done = world.receipts("action=suspend_agent");
        (done.iter().filter(|receipt| receipt["status"] == "verified").count() == 20).then_some(())
    });
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}: not after a time-out", begun.elapsed());
    world.sim.clear_faults();
}

#[test]
fn a_flag_is_read_back_and_taken_off_by_undo() {
    let world = administered(&json!(["auth0_flag_user"]));
    world.link(ANA, GOOGLE, CALENDAR);
    world.sim.set_app_metadata(ANA, "plan", json!("gold"));
    let answer = intrudes(&world, "mallory", ANA);
    let receipt = receipt(&world, "auth0_flag_user");
    assert_eq!(receipt["status"], "verified", "{receipt}");
    let metadata = world.sim.app_metadata(ANA);
    assert_eq!((&metadata["plan"], &metadata["onesec"]["flagged"]), (&json!("gold"), &json!(true)), "{metadata}");
    assert_eq!(metadata["onesec"]["alert"], answer.json()["alert_id"]);
    assert_eq!(metadata["onesec"]["reason"], "unauthorized-agent");
    let undo = format!("/api/v1/responses/{}/undo", receipt["id"].as_str().expect("an id"));
    // A flag for something else by now is not this one's to take off.
    let ours = metadata["onesec"].clone();
    world.sim.set_app_metadata(ANA, "onesec", json!({"flagged": true, "alert": "another"}));
    let refused = world.admin().post(&undo, &json!({}));
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(refused.text().contains("another"));
    world.sim.set_app_metadata(ANA, "onesec", ours);
    world.sim.set_fault_on(Endpoint::Management, Fault::Lie);
    assert_eq!(world.admin().post(&undo, &json!({})).status, 409, "a lie is no undo");
    world.sim.clear_faults();
    assert_eq!(world.admin().post(&undo, &json!({})).json()["status"], "undone");
    assert_eq!(world.sim.app_metadata(ANA), json!({"plan": "gold"}));
}

/// An agent may say of itself that it used Ben's account; Ben is not logged out on that word.
#[test]
fn a_user_who_is_merely_named_is_not_touched() {
    let world = administered(&json!(["revoke_refresh_tokens", "auth0_flag_user"]));
    let token = world.refresh(BEN);
    super::strays(&world, "mallory", BEN);
    let waiting = eventually("questions", || {
        let waiting = world.listed("/api/v1/approvals", "approvals");
        (waiting.len() == 2).then_some(waiting)
    });
    assert!(waiting.iter().all(|asked| asked["target"] == "user auth0|ben"), "{waiting:?}");
    assert_eq!(world.sim.requests(RequestKind::Management), 0);
    assert_eq!(world.sim.refresh_tokens_of(BEN, None), 1);
    // Not by whoever said so, by any key of theirs.
    let eve = json!({"name": "eve", "scopes": ["events:write"], "agent_id": "oscar", "owner": "eve"});
    let mut own = Http::new(world.process.url(), Some(&world.key(&eve)));
    assert_eq!(own.post("/api/v1/events", &super::exchanged("oscar", BEN)).status, 202);
    let theirs = eventually("more questions", || {
        let waiting = world.listed("/api/v1/approvals", "approvals");
        waiting.into_iter().find(|asked| asked["agent_id"] == "oscar" || asked["times"].as_u64() > Some(1))
    });
    let yes = format!("/api/v1/approvals/{}/approve", theirs["id"].as_str().expect("an id"));
    let word = json!({"action_digest": theirs["action_digest"]});
    assert_eq!(world.person("eve", &["respond"]).post(&yes, &word).status, 403);
    // A person who knows better has it done.
    let ask = waiting.iter().find(|asked| asked["action"] == "revoke_refresh_tokens").expect("asked");
    let yes = format!("/api/v1/approvals/{}/approve", ask["id"].as_str().expect("an id"));
    let mut olga = world.person("olga", &["respond", "read"]);
    let answer = olga.post(&yes, &json!({"action_digest": ask["action_digest"]}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(receipt(&world, "revoke_refresh_tokens")["status"], "verified");
    assert_eq!(world.sim.refresh_tokens_of(BEN, None), 0);
    drop(token);
}

/// Saying it first keeps nothing from being done once it is seen.
#[test]
fn a_claim_that_comes_first_does_not_keep_a_known_user_waiting() {
    let mut world = administered(&json!(["revoke_refresh_tokens"]));
    world.link(ANA, GOOGLE, CALENDAR);
    super::strays(&world, "mallory", ANA);
    eventually("a question", || world.listed("/api/v1/approvals", "approvals").into_iter().next());
    assert_eq!(world.sim.requests(RequestKind::Management), 0);
    world.restart();
    intrudes(&world, "mallory", ANA);
    eventually("it is done without a word", || {
        let done = world.receipts("action=revoke_refresh_tokens&status=verified");
        done.iter().any(|receipt| receipt["approved_by"] == Value::Null).then_some(())
    });
    assert_eq!(world.sim.refresh_tokens_of(ANA, None), 0);
    let asked = world.sim.requests(RequestKind::Management);
    intrudes(&world, "mallory", ANA);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(world.sim.requests(RequestKind::Management), asked, "and once");
}

/// Killed in the middle: doing it again is doing it once.
#[test]
fn a_crash_in_the_middle_ends_in_one_receipt_that_is_true() {
    let mut world = administered(&json!(["revoke_refresh_tokens", "auth0_flag_user"]));
    world.link(ANA, GOOGLE, CALENDAR);
    world.sim.set_fault_on(Endpoint::Management, Fault::Hang);
    intrudes(&world, "mallory", ANA);
    eventually("both are under way", || (world.sim.requests(RequestKind::Management) >= 2).then_some(()));
    world.sim.clear_faults();
    world.killed();
    for action in ["revoke_refresh_tokens", "auth0_flag_user"] {
        assert_eq!(receipt(&world, action)["status"], "verified");
    }
    assert_eq!(world.sim.refresh_tokens_of(ANA, None), 0);
    assert_eq!(world.sim.app_metadata(ANA)["onesec"]["flagged"], true);
}

#[test]
fn without_a_client_policies_that_need_one_are_refused() {
    for action in ["revoke_refresh_tokens", "auth0_flag_user"] {
        let said = refused_start(&json!({"enforcement": {"policies": on_strays(&json!([action]))}}));
        assert!(said.contains("enforcement.auth0.client_id") && said.contains(action), "{said}");
    }
    let said = refused_start(&json!({"enforcement": {"policies": on_strays(&json!(["revoke_connected_account"]))}}));
    assert!(said.contains("token_vault.auth0_domain"), "{said}");
    for (auth0, missing) in [
        (json!({"client_id": "x"}), "client_secret"),
        (json!({"client_secret": "Pl4nted"}), "client_id"),
        (json!({"client_id": "x", "client_secret": "Pl4nted"}), "domain"),
        (json!({"client_id": "x", "client_secret": "Pl4nted", "domain": "https://t"}), "domain"),
        (json!({"client_idd": "x"}), "client_id"),
    ] {
        let said = refused_start(&json!({"enforcement": {"auth0": auth0}}));
        assert!(said.contains(missing) && !said.contains("Pl4nted"), "{said}");
    }
    // By reload, too: the last good ones stay in force.
    let mut world = with(&json!([]), json!({})).start();
    let said = world.reload("/enforcement/policies", on_strays(&json!(["auth0_flag_user"])));
    assert!(said.contains("enforcement.auth0.client_id"), "{said}");
    assert_eq!(world.admin().get("/api/v1/enforcement").json()["policies"], json!([]));
}

/// The user's own token for the My Account API.
fn my_account_token(world: &World, user: &str, audience: &str) -> String {
    let scopes = "read:me:connected_accounts delete:me:connected_accounts";
    let audience = format!("{}{audience}", world.sim.issuer());
    let spec = AccessTokenSpec::new(user, &audience, "web-app").with_scopes(scopes);
    world.sim.mint_access_token(&spec).expect("minted").expose_to_wire().to_owned()
}

fn complete(http: &mut Http, id: &str, token: &str) -> Answer {
    http.post(&format!("/api/v1/responses/{id}/complete"), &json!({"my_account_token": token}))
}

#[test]
fn a_connected_account_goes_once_its_user_hands_in_a_token() {
    let world = with(&on_strays(&json!(["revoke_connected_account"])), json!({})).start();
    world.link(ANA, GOOGLE, CALENDAR);
    world.link(BEN, GOOGLE, CALENDAR);
    intrudes(&world, "mallory", ANA);
    let waiting = eventually("it waits", || {
        world.receipts("action=revoke_connected_account").into_iter().find(|r| r["status"] == "pending_approval")
    });
    assert_eq!(waiting["target"], "account of auth0|ana at google-oauth2");
    assert!(waiting["reason"].as_str().is_some_and(|why| why.contains("/complete")), "{waiting}");
    assert_eq!(waiting["finished_at"], Value::Null);
    let id = waiting["id"].as_str().expect("an id").to_owned();
    let (ana, ben) = (my_account_token(&world, ANA, "me/"), my_account_token(&world, BEN, "me/"));
    let mut app = world.person("shop", &["respond"]);
    for (token, why) in [
        (ben.as_str(), "another user"),
        (my_account_token(&world, ANA, "userinfo").as_str(), "no valid access token"),
        ("opaque-Pl4nted", "no valid access token"),
    ] {
        let refused = complete(&mut app, &id, token);
        assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("not-completed")), "{}", refused.text());
        assert!(refused.text().contains(why) && !refused.text().contains(token), "{}", refused.text());
    }
    assert_eq!((world.sim.accounts_of(ANA).len(), world.sim.accounts_of(BEN).len()), (1, 1));
    assert_eq!(complete(&mut world.client(&["events:write", "read"]), &id, &ana).status, 403, "not by every key");
    world.sim.set_fault_on(Endpoint::MyAccount, Fault::Lie);
    let lie = complete(&mut app, &id, &ana);
    assert_eq!(lie.status, 409);
    assert!(lie.text().contains("still listed"), "{}", lie.text());
    world.sim.clear_faults();
    let done = complete(&mut app, &id, &ana);
    assert_eq!((done.status, &done.json()["status"]), (200, &json!("verified")), "{}", done.text());
    assert!(done.json()["verification"].as_str().is_some_and(|how| how.contains("handed in by shop")));
    assert_eq!((world.sim.accounts_of(ANA).len(), world.sim.accounts_of(BEN).len()), (0, 1));
    assert_eq!(complete(&mut app, &id, &ana).status, 409, "once");
    assert_eq!(complete(&mut app, "act_unknown", &ana).status, 404);
    assert_eq!(receipt(&world, "revoke_connected_account")["status"], "verified");
    nowhere(&world, &[&ana, &ben]);
}

#[test]
fn what_waits_for_a_token_still_waits_after_a_crash() {
    let mut world = with(&on_strays(&json!(["revoke_connected_account"])), json!({})).start();
    world.link(ANA, GOOGLE, CALENDAR);
    intrudes(&world, "mallory", ANA);
    let id = eventually("it waits", || {
        let all = world.receipts("action=revoke_connected_account&status=pending_approval");
        all.first().and_then(|receipt| receipt["id"].as_str().map(str::to_owned))
    });
    let token = my_account_token(&world, ANA, "me/");
    // Killed while the tenant is being asked.
    world.sim.set_fault_on(Endpoint::MyAccount, Fault::Hang);
    let key = world.key(&json!({"name": "app", "scopes": ["respond"], "owner": "shop"}));
    let (url, at) = (world.process.url().to_owned(), id.clone());
    let (seen, handed) = (world.sim.requests(RequestKind::MyAccount), token.clone());
    let asking = std::thread::spawn(move || {
        drop(std::panic::catch_unwind(|| complete(&mut Http::new(&url, Some(&key)), &at, &handed).status));
    });
    std::thread::sleep(Duration::from_millis(700));
    world.killed();
    drop(asking.join());
    world.sim.clear_faults();
    assert_eq!(world.sim.requests(RequestKind::MyAccount), seen, "it hung before it was counted");
    let mut app = world.person("shop", &["respond"]);
    let done = eventually("it waits again", || Some(complete(&mut app, &id, &token)).filter(|done| done.status == 200));
    assert_eq!(done.json()["status"], "verified", "{}", done.text());
    assert!(world.sim.accounts_of(ANA).is_empty());
    nowhere(&world, &[&token]);
}

/// None of these is in the log, the journal, or what the API says of receipts and events.
#[track_caller]
fn nowhere(world: &World, secrets: &[&str]) {
    let mut said = world.process.log().join("\n");
    for path in ["/api/v1/responses?limit=1000", "/api/v1/events?limit=1000", "/api/v1/alerts", "/api/v1/enforcement"] {
        said.push_str(&world.admin().get(path).text());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(world.dir()).expect("the directory").flatten() {
        if entry.file_name() != "test-config.yaml" {
            files.extend(std::fs::read(entry.path()).unwrap_or_default());
        }
    }
    for secret in secrets {
        assert!(!said.contains(secret), "a secret is told");
        let there = files.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!there, "a secret is on the disk");
    }
}

/// Through every fault, at the most talkative.
#[test]
fn neither_the_clients_secret_nor_its_token_is_ever_told() {
    let auth0 = json!({"auth0": {"client_id": ADMIN}, "mode": "live"});
    let plan = with(&on_strays(&json!(["auth0_flag_user", "revoke_refresh_tokens"])), auth0)
        .env("ONESEC_ENFORCEMENT_AUTH0_CLIENT_SECRET", SECRET)
        .env("ONESEC_LOG", "trace");
    let world = plan.start();
    world.sim.create_client(ClientSpec::regular(ADMIN, SECRET));
    world.link(ANA, GOOGLE, CALENDAR);
    let echo = format!("{{\"error\":\"server_error\",\"error_description\":\"{SECRET}\",\"errorCode\":\"{SECRET}\"}}");
    let faults = [
        (Endpoint::ClientCredentials, Fault::Custom { status: 401, body: echo.clone() }),
        (Endpoint::Management, Fault::Custom { status: 400, body: echo.clone() }),
        (Endpoint::Management, Fault::Custom { status: 500, body: echo }),
        (Endpoint::Management, Fault::None),
    ];
    for (number, (endpoint, fault)) in faults.into_iter().enumerate() {
        world.sim.clear_faults();
        world.sim.set_fault_on(endpoint, fault);
        intrudes(&world, &format!("mallory-{number}"), ANA);
        std::thread::sleep(Duration::from_millis(300));
    }
    eventually("some of it works", || {
        world.receipts("").iter().any(|receipt| receipt["status"] == "verified").then_some(())
    });
    let tokens = world.sim.management_tokens_issued();
    assert!(!tokens.is_empty());
    let mut secrets = vec![SECRET];
    secrets.extend(tokens.iter().map(String::as_str));
    nowhere(&world, &secrets);
}
