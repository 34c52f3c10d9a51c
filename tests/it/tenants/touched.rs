//! What a tenant's administrator can do to the other one: nothing.

use serde_json::{Value, json};

use super::{ACME, Side, Two, exchange};

/// Every route that changes something, with the other's names in it.
fn changes(two: &Two, of: &Side) -> Vec<(String, String)> {
    let document = two.world.admin().get("/api/v1/openapi.json").json();
    let mut changes = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let methods = item.as_object().expect("operations").keys().filter(|method| *method != "get");
        let rest = path.trim_start_matches("/api/v1/");
        let list = of.ids.iter().filter(|(list, _)| rest.starts_with(**list)).max_by_key(|(list, _)| list.len());
        let id = list.map_or("x", |(_, id)| id.as_str());
        let path = path
            .replace("{id}", id)
            .replace("{name}", id)
            .replace("{connection}", "google-oauth2")
            .replace("{pid}", "1");
        changes.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    changes
}

/// Bodies that the routes take, about what is the other's.
fn bodies(of: &Side) -> Vec<Value> {
    let (user, agent) = (of.user(), of.name("agent"));
    vec![
        json!({}),
        json!({"mode": "dry_run"}),
        json!({"preset": "observe"}),
        json!({"status": "resolved", "note": "x"}),
        json!({"user_id": user, "agent_id": agent, "connection": "google-oauth2", "scopes": ["https://mail.google.com/"]}),
        json!({"scopes": ["https://mail.google.com/"]}),
        json!({"action_digest": "0".repeat(64)}),
        json!({"name": of.name("policy"), "match": {"agents": [agent]}, "actions": ["log"], "request": "deny"}),
        json!({"what": "user", "value": user}),
        json!({"type": "connected_account_unlink", "details": {"user_id": user, "connection": "google-oauth2"}}),
        json!({"type": "agent_identity_revoke", "details": {"user_id": user, "agent_id": agent, "connection": "google-oauth2"}}),
        json!({"keys": [], "clients": [of.name("client")], "owner": "thief"}),
        json!({"expires_at": "2099-01-01T00:00:00Z"}),
    ]
}

#[test]
fn what_one_does_with_the_others_names_changes_nothing_there() {
    let mut two = Two::start();
    let (mut blue, mut amber) = (two.side("default", "blue"), two.side(ACME, "amber"));
    let before = blue.seen();
    let mut worked = 0;
    for (method, path) in changes(&two, &blue) {
        for body in bodies(&blue) {
            let answer = amber.admin.call(&method, &path, &body);
            let fine = answer.status < 500 || answer.json()["code"] == "not-configured";
            assert!(answer.status > 0 && fine, "{method} {path} {body}: {}", answer.text());
            worked += usize::from(answer.status < 300);
            let there = amber.admin.call(&method, &format!("{path}?tenant=default"), &body);
            assert!(there.status >= 400, "{method} {path}?tenant=default {body}: {}", there.text());
        }
    }
    assert!(worked > 10, "its own tenant is its own: {worked}");
    assert_eq!(blue.seen(), before);
    // Nor is it otherwise after a crash, and what was lent still works.
    two.world.killed();
    blue.admin = two.key("default", json!({"scopes": ["admin"], "owner": blue.name("owner"), "name": "after"}));
    let (mut after, mut known) = (blue.seen(), before);
    for seen in [&mut after, &mut known] {
        // Those that this test made for itself.
        for list in ["keys", "events", "modules"] {
            seen.remove(list);
        }
    }
    assert_eq!(after, known);
    let mut agent = two.key("default", json!({"scopes": ["exchange"], "agent_id": "blue-agent"}));
    assert_eq!(exchange(&mut agent, &blue.token).status, 200);
}

#[test]
fn the_others_ids_are_nobodys() {
    let two = Two::start();
    let (blue, mut amber) = (two.side("default", "blue"), two.side(ACME, "amber"));
    let id = |list: &str| &blue.ids[list];
    for (method, path) in [
        ("PATCH", format!("alerts/{}", id("alerts"))),
        ("DELETE", format!("delegations/{}", id("delegations"))),
        ("DELETE", format!("exceptions/{}", id("exceptions"))),
        ("DELETE", format!("canaries/{}", id("canaries"))),
        ("DELETE", format!("keys/{}", id("keys"))),
        ("DELETE", format!("enforcement/policies/{}", id("enforcement/policies"))),
        ("POST", format!("responses/{}/undo", id("responses"))),
        ("POST", format!("responses/{}/retry", id("responses"))),
        ("POST", format!("approvals/{}/approve", id("approvals"))),
        ("POST", format!("approvals/{}/reject", id("approvals"))),
    ] {
        let body = match (method, path.contains("approvals")) {
            ("PATCH", _) => json!({"status": "resolved"}),
            (_, true) => json!({"action_digest": "0".repeat(64)}),
            _ => json!({}),
        };
        let answer = amber.admin.call(method, &format!("/api/v1/{path}"), &body);
        assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
    }
}

#[test]
fn keys_are_made_for_ones_own_tenant_only() {
    let two = Two::start();
    let mut admin = two.key(ACME, json!({"scopes": ["admin"], "owner": "olga"}));
    for tenant in ["default", "*", "nobody"] {
        let wanted = json!({"name": "k", "scopes": ["read"], "tenant": tenant});
        assert_eq!(admin.post("/api/v1/keys", &wanted).status, 404, "{tenant}");
    }
    let made = admin.post("/api/v1/keys", &json!({"name": "k", "scopes": ["read"]})).json();
    assert_eq!(made["tenant"], ACME);
    assert!(!admin.get("/api/v1/keys?limit=1000").text().contains("\"*\""), "operators' keys are none of its");
}

#[test]
fn the_same_ids_names_and_agents_in_both_are_different_things() {
    let two = Two::start();
    let (mut ours, mut theirs) =
        (two.key("default", json!({"scopes": ["events:write"]})), two.key(ACME, json!({"scopes": ["events:write"]})));
    let event =
        |text: &str| json!({"id": "same-id", "type": "agent_goal", "details": {"agent_id": "same", "goal": text}});
    for (http, said) in [(&mut ours, "a"), (&mut theirs, "b")] {
        let answer = http.post("/api/v1/events", &event(said));
        assert_eq!((answer.status, &answer.json()["accepted"]), (202, &json!(1)), "{}", answer.text());
    }
    assert_eq!(ours.post("/api/v1/events", &event("a")).json()["duplicates"], 1);
    // The same agent, suspended in one.
    let lent = |tenant: &'static str| {
        let mut admin = two.key(tenant, json!({"scopes": ["admin"], "owner": "o"}));
        let client = json!({"clients": ["same-client"], "owner": "o"});
        assert_eq!(admin.call("PUT", "/api/v1/agents/same", &client).status, 200, "{tenant}");
        admin
    };
    let (mut ours, mut theirs) = (lent("default"), lent(ACME));
    assert_eq!(theirs.post("/api/v1/agents/same/suspend", &json!({})).status, 200);
    let state = |http: &mut onesec_e2e::Http| http.get("/api/v1/agents/same").json()["state"].clone();
    assert_eq!(state(&mut theirs), "suspended");
    assert_ne!(state(&mut ours), "suspended");
}

#[test]
fn mode_preset_and_policies_are_each_ones_own() {
    let two = Two::start();
    let (mut blue, mut amber) = (two.side("default", "blue"), two.side(ACME, "amber"));
    let before = blue.admin.get("/api/v1/enforcement").json();
    assert_eq!(amber.admin.call("PUT", "/api/v1/enforcement/mode", &json!({"mode": "dry_run"})).status, 200);
    assert_eq!(amber.admin.call("PUT", "/api/v1/enforcement/preset", &json!({"preset": "observe"})).status, 200);
    assert_eq!(blue.admin.get("/api/v1/enforcement").json(), before);
    let stray = |side: &Side| {
        let mut stray = two.key(side.tenant, json!({"scopes": ["exchange"], "agent_id": side.name("second-stray")}));
        exchange(&mut stray, &side.token).status
    };
    assert_eq!((stray(&blue), stray(&amber)), (403, 200));
}

/// What is true of one tenant's Auth0 says nothing of another's, also where the configuration is read again.
#[test]
fn reading_the_configuration_again_mixes_nothing() {
    let mut two = Two::start();
    let said = two.world.reload("/enforcement/preset", json!("strict"));
    assert!(said.contains("reloaded"), "{said}");
    let stranger = json!({"type": "connected_account_usage", "details": {
        "agent_id": "x", "user_id": "auth0|x", "connection": "google-oauth2", "token_thumbprint": "a".repeat(64)}});
    // Where the gateway is exclusive, a token that it never issued is HIGH; elsewhere LOW.
    let said = two.world.reload("/token_vault", {
        let mut vault = two.world_vault();
        vault["exclusive"] = json!("on");
        vault
    });
    assert!(said.contains("reloaded"), "{said}");
    let severity = |tenant: &str| {
        let mut sender = two.key(tenant, json!({"scopes": ["events:write"]}));
        assert_eq!(sender.post("/api/v1/events", &stranger).status, 202);
        let alerts = two.operator(("GET", tenant), "/api/v1/alerts?detector=token-sharing", &Value::Null).json();
        alerts["alerts"][0]["severity"].clone()
    };
    assert_eq!((severity("default"), severity(ACME)), (json!("HIGH"), json!("LOW")));
}

impl Two {
    fn world_vault(&self) -> Value {
        let sim = &self.world.sim;
        json!({"auth0_domain": sim.domain(), "auth0_base_url": sim.base_url(), "auth0_client_id": onesec_e2e::world::CLIENT,
            "auth0_client_secret": "client-s3cret-of-the-tests", "audience": onesec_e2e::world::AUDIENCE})
    }
}

/// What is said of a name in one tenant is not said of the same name in the other.
#[test]
fn decoys_exceptions_and_baselines_are_each_ones_own() {
    let two = Two::with(|plan| plan.with("detectors", json!({"exchange-rate": {"limit": 3}})), json!({}));
    let (mut blue, mut amber) = (two.side("default", "blue"), two.side(ACME, "amber"));
    // A decoy of the first is an ordinary user of the second.
    let decoy = json!({"what": "user", "value": amber.user(), "note": "nobody"});
    assert_eq!(blue.admin.post("/api/v1/canaries", &decoy).status, 201);
    assert_eq!(exchange(&mut amber.agent, &amber.token).status, 200);
    assert_eq!(amber.admin.get("/api/v1/alerts?detector=canary").json()["alerts"], json!([]));
    // An exception of the first silences nothing in the second.
    let path = format!("/api/v1/exceptions/{}", amber.ids["exceptions"]);
    assert_eq!(amber.admin.call("DELETE", &path, &Value::Null).status, 200);
    let wanted = json!({"detector": "exchange-rate", "agent_id": amber.name("agent"), "reason": "x",
        "expires_at": blue.admin.get("/api/v1/exceptions?limit=1").json()["exceptions"][0]["expires_at"]});
    let made = blue.admin.post("/api/v1/exceptions", &wanted);
    assert_eq!(made.status, 201, "{}", made.text());
    let statuses: Vec<u16> = (0..6).map(|_| exchange(&mut amber.agent, &amber.token).status).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
}
