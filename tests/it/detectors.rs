//! The detectors over HTTP: each fires on its attack, and stays silent on the honest twin.

use onesec_e2e::world::{ANA, BEN, CALENDAR, GOOGLE, MAIL};
use onesec_e2e::{Answer, Http, World};
use serde_json::{Value, json};

use crate::plan;

/// Sends one event; it is accepted.
#[track_caller]
fn send(http: &mut Http, kind: &str, details: &Value) -> Answer {
    let answer = http.post("/api/v1/events", &json!({"type": kind, "details": details}));
    assert_eq!((answer.status, &answer.json()["accepted"]), (202, &json!(1)), "{kind}: {}", answer.text());
    answer
}

fn grant(app: &str, user: &str, scopes: &str) -> Value {
    json!({"app_id": app, "username": user, "scopes": scopes})
}

const RISKY: &str =
    "https://www.googleapis.com/auth/gmail.readonly https://www.googleapis.com/auth/drive offline_access";

fn many(n: usize) -> String {
    (0..n).map(|i| format!("thing{i}.read")).collect::<Vec<_>>().join(" ")
}

#[test]
fn consent_to_too_many_scopes() {
    let world = plan().start();
    let mut sender = world.client(&["events:write"]);
    send(&mut sender, "oauth_grant", &grant("app-ten", ANA, &many(10)));
    assert!(world.alerted().is_empty(), "ten are not too many");
    send(&mut sender, "oauth_grant", &grant("app-eleven", ANA, &many(11)));
    let alert = world.alert("consent-phishing");
    assert_eq!(
        (&alert["severity"], &alert["module"], &alert["user_id"]),
        (&json!("MEDIUM"), &json!("consent"), &json!(ANA))
    );
    let again = format!("{} {}", many(10), many(10));
    send(&mut sender, "oauth_consent", &grant("app-twice-ten", BEN, &again));
    assert_eq!(world.alerts("consent-phishing").len(), 1, "twice the same ten are ten");
}

#[test]
fn consent_to_a_risky_combination_is_worse_with_an_unverified_publisher() {
    let world = plan().start();
    let (mut sender, mut authority) = (world.client(&["events:write"]), world.authority());
    let severity = |user: &str| {
        let alerts = world.alerts("consent-phishing");
        alerts.into_iter().find(|a| a["user_id"] == user).map_or(Value::Null, |a| a["severity"].clone())
    };
    let verified = |app: &str, user: &str| {
        let mut details = grant(app, user, RISKY);
        details["publisher_verified"] = json!(true);
        details
    };
    send(&mut sender, "oauth_grant", &grant("app-a", "u-unverified", RISKY));
    assert_eq!(severity("u-unverified"), "HIGH");
    send(&mut authority, "oauth_grant", &verified("app-b", "u-verified"));
    assert_eq!(severity("u-verified"), "MEDIUM");
    // Who may not say so does not make it so.
    send(&mut sender, "oauth_grant", &verified("app-c", "u-claimed"));
    assert_eq!(severity("u-claimed"), "HIGH");
    assert_eq!(world.alert("untrusted-claim")["attributes"]["claims"], json!(["publisher_verified"]));
    send(&mut sender, "oauth_grant", &grant("app-d", "u-harmless", CALENDAR));
    assert_eq!(severity("u-harmless"), Value::Null);
}

#[test]
fn a_campaign_is_five_users_of_one_application() {
    let world = plan().start();
    let mut sender = world.client(&["events:write"]);
    for user in ["u1", "u2", "u3", "u4", "u1", "u2"] {
        send(&mut sender, "oauth_grant", &grant("quick-pdf", user, CALENDAR));
    }
    for user in ["u5", "u6", "u7", "u8"] {
        send(&mut sender, "oauth_grant", &grant("another-app", user, CALENDAR));
    }
    assert!(world.alerted().is_empty(), "four users each");
    send(&mut sender, "oauth_consent", &grant("quick-pdf", "u5", CALENDAR));
    let alert = world.alert("consent-phishing");
    assert_eq!((&alert["severity"], &alert["attributes"]["users"]), (&json!("HIGH"), &json!(5)));
}

#[test]
fn an_account_that_gives_more_than_was_delegated() {
    let world = plan().live().start();
    world.link(ANA, GOOGLE, &format!("{CALENDAR} {MAIL}"));
    world.delegate(ANA, "helper", GOOGLE, &[CALENDAR]);
    let alert = world.alert("over-scoped-token");
    assert_eq!((&alert["severity"], &alert["agent_id"]), (&json!("HIGH"), &json!("helper")));
    assert_eq!(alert["attributes"]["excess_scopes"], json!(["gmail.send"]));
    let (mut agent, token) = (world.agent("helper"), world.refresh(ANA));
    for _ in 0..3 {
        // Balanced releases; Auth0 cannot narrow it.
        assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
    }
    assert_eq!(world.alerts("over-scoped-token").len(), 1, "a property of the set-up is said once");
    world.preset("strict");
    let withheld = agent.exchange_for(GOOGLE, &token, &[CALENDAR]);
    assert_eq!(
        (withheld.status, &withheld.json()["onesec_reason"]),
        (403, &json!("over-scoped-token")),
        "{}",
        withheld.text()
    );
    // An honest twin: the account gives what was delegated.
    world.link(BEN, GOOGLE, CALENDAR);
    world.delegate(BEN, "helper", GOOGLE, &[CALENDAR]);
    assert_eq!(agent.exchange_for(GOOGLE, &world.refresh(BEN), &[CALENDAR]).status, 200);
    assert_eq!(world.alerts("over-scoped-token").len(), 1);
}

#[test]
fn access_that_was_taken_away() {
    let world = plan().start();
    let (mut agent, token) = world.lent("helper");
    let mut reporter = world.bound("helper", &["events:write"]);
    let used = json!({"user_id": ANA, "connection": GOOGLE, "action": "list"});
    send(&mut reporter, "connected_account_usage", &used);
    assert_eq!(agent.exchange(GOOGLE, &token).status, 200);
    assert!(world.alerted().is_empty());
    world.unlink(ANA, GOOGLE);
    send(&mut reporter, "connected_account_usage", &used);
    let alert = world.alert("revoked-access");
    assert_eq!((&alert["severity"], &alert["attributes"]["how"]), (&json!("CRITICAL"), &json!("unlinked")));
    assert_eq!(alert["attribution"], "self");
    let refused = agent.exchange(GOOGLE, &token);
    assert_eq!((refused.status, &refused.json()["onesec_reason"]), (403, &json!("revoked-access")));
    let alert = world.alert("revoked-access");
    assert_eq!((&alert["occurrences"], &alert["attribution"]), (&json!(2), &json!("observed")), "it got surer");
    assert_eq!(world.alerted(), ["revoked-access"], "one of the exclusive four");
    // Accounts and authorisations go in one step.
    assert!(world.listed("/api/v1/delegations?state=live", "delegations").is_empty());
    assert_eq!(world.listed("/api/v1/accounts?state=linked", "accounts").len(), 0);
}

#[test]
fn a_key_speaks_for_its_own_agent_only() {
    let world = plan().start();
    world.link(ANA, GOOGLE, CALENDAR);
    world.delegate(ANA, "victim", GOOGLE, &[CALENDAR]);
    let mut sender = world.bound("rogue", &["events:write"]);
    // Filled in where it is missing.
    send(&mut sender, "agent_goal", &json!({"goal": "tidy up"}));
    assert_eq!(world.events("kind=agent_goal", 1)[0]["details"]["agent_id"], "rogue");
    // Naming another is stored, changes nothing, and is said of the key's own agent.
    for _ in 0..30 {
        let wide = json!({"agent_id": "victim", "user_id": ANA, "connection": GOOGLE, "scopes": MAIL});
        send(&mut sender, "token_exchange", &wide);
    }
    let alert = world.alert("untrusted-claim");
    assert_eq!((&alert["severity"], &alert["agent_id"]), (&json!("HIGH"), &json!("rogue")));
    assert_eq!((&alert["attributes"]["named_agent"], &alert["occurrences"]), (&json!("victim"), &json!(30)));
    // What it says of the victim is hearsay, as from any stranger: seen, and nothing the victim does is refused for it.
    let hearsay: Vec<Value> =
        ["exchange-rate", "scope-escalation"].iter().flat_map(|code| world.alerts(code)).collect();
    assert!(hearsay.iter().all(|alert| alert["attribution"] == "reported"), "{hearsay:?}");
    let mut victim = world.agent("victim");
    assert_eq!(victim.exchange_for(GOOGLE, &world.refresh(ANA), &[CALENDAR]).status, 200);
}

#[test]
fn what_changes_trust_needs_authority() {
    let world = plan().live().start();
    let (mut agent, token) = world.lent("helper");
    let mut sender = world.client(&["events:write"]);
    let claims = [
        ("connected_account_unlink", json!({"user_id": ANA, "connection": GOOGLE})),
        (
            "connected_account_link",
            json!({"user_id": ANA, "connection": GOOGLE, "scopes": format!("{CALENDAR} {MAIL}")}),
        ),
        ("agent_delegation_revoked", json!({"agent_id": "helper", "delegated_by": ANA, "connection": GOOGLE})),
        ("agent_identity_delegation", json!({"agent_id": "rogue", "delegated_by": ANA, "connection": GOOGLE})),
        ("agent_stop", json!({"agent_id": "helper"})),
        ("task_start", json!({"agent_id": "helper", "task_id": "t"})),
        (
            "token_exchange_response",
            json!({"agent_id": "helper", "connection": GOOGLE, "success": true, "token_thumbprint": "0".repeat(64)}),
        ),
        ("content_ingest", json!({"agent_id": "helper", "content": "hello", "source": "mail", "trust": "trusted"})),
        ("agent_message", json!({"from_agent": "a", "to_agent": "helper", "message_id": "m", "signature_valid": true})),
        ("approval_decision", json!({"approval_id": "a", "approver": "me", "decision": "approve"})),
    ];
    for (kind, details) in &claims {
        let before: u64 = world.alerts("untrusted-claim").iter().filter_map(|a| a["occurrences"].as_u64()).sum();
        send(&mut sender, kind, details);
        let alerts = world.alerts("untrusted-claim");
        let after: u64 = alerts.iter().filter_map(|a| a["occurrences"].as_u64()).sum();
        assert_eq!(after, before + 1, "{kind} is a claim without authority");
        assert!(alerts.iter().all(|a| a["severity"] == "MEDIUM" && a["attribution"] == "reported"), "{kind}");
    }
    // Nothing changed.
    assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
    assert_eq!(agent.exchange_for(GOOGLE, &token, &[MAIL]).json()["onesec_reason"], "scope-escalation");
    assert_eq!(world.agent("rogue").exchange_for(GOOGLE, &token, &[CALENDAR]).status, 403);
    // With authority, each of them is silent.
    let before = world.alerts("untrusted-claim");
    let mut authority = world.authority();
    for (kind, details) in claims.iter().skip(4) {
        send(&mut authority, kind, details);
    }
    assert_eq!(world.alerts("untrusted-claim"), before);
}

#[test]
fn a_flood_split_over_sub_agents_is_one_flood() {
    let world = plan().live().start();
    world.link(ANA, GOOGLE, CALENDAR);
    let root = world.delegate(ANA, "root", GOOGLE, &[CALENDAR])["id"].clone();
    let token = world.refresh(ANA);
    let mut statuses = Vec::new();
    for n in 0..5 {
        let name = format!("sub-{n}");
        world.delegate_as(&json!({"user_id": ANA, "agent_id": name, "connection": GOOGLE, "parent_id": root}));
        let mut agent = world.agent(&name);
        statuses.extend((0..6).map(|_| agent.exchange(GOOGLE, &token).status));
    }
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 20, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 429).count(), 10);
    let alert = world.alert("exchange-rate");
    assert_eq!((&alert["agent_id"], &alert["occurrences"]), (&json!("root"), &json!(10)));
}

#[test]
fn a_rate_is_configurable_and_counts_per_agent() {
    let world = plan().live().with("detectors", json!({"exchange-rate": {"limit": 3, "window": "1h"}})).start();
    world.link(ANA, GOOGLE, CALENDAR);
    let token = world.refresh(ANA);
    for name in ["one", "two"] {
        world.delegate(ANA, name, GOOGLE, &[CALENDAR]);
        let mut agent = world.agent(name);
        let statuses: Vec<u16> = (0..5).map(|_| agent.exchange(GOOGLE, &token).status).collect();
        assert_eq!(statuses, [200, 200, 200, 429, 429]);
    }
    let alerts = world.alerts("exchange-rate");
    assert_eq!(alerts.len(), 2, "one for each");
    assert!(alerts.iter().all(|a| a["attributes"]["limit"] == 3 && a["attributes"]["window_seconds"] == 3_600));
}

#[test]
fn telemetry_cannot_use_up_an_agents_rate() {
    let world = plan().live().start();
    let (mut agent, token) = world.lent("helper");
    let mut slanderer = world.client(&["events:write"]);
    let exchange = json!({"agent_id": "helper", "user_id": ANA, "connection": GOOGLE, "scopes": CALENDAR});
    for _ in 0..40 {
        send(&mut slanderer, "token_exchange", &exchange);
    }
    assert_eq!(world.alert("exchange-rate")["attribution"], "reported");
    assert_eq!(agent.exchange(GOOGLE, &token).status, 200, "hearsay refuses nobody");
}

#[test]
fn an_exchange_that_names_no_user_is_judged_against_all() {
    let world = plan().start();
    world.link(ANA, GOOGLE, CALENDAR);
    world.delegate(ANA, "helper", GOOGLE, &[CALENDAR]);
    let mut sender = world.client(&["events:write"]);
    send(&mut sender, "token_exchange", &json!({"agent_id": "helper", "connection": GOOGLE, "scopes": CALENDAR}));
    assert!(world.alerts("unauthorized-agent").is_empty());
    send(&mut sender, "token_exchange", &json!({"agent_id": "stranger", "connection": GOOGLE, "scopes": CALENDAR}));
    assert_eq!(world.alert("unauthorized-agent")["severity"], "HIGH");
}

fn switched(world: &World) -> Vec<String> {
    world.link(ANA, GOOGLE, CALENDAR);
    let mut sender = world.bound("stranger", &["events:write"]);
    send(&mut sender, "connected_account_usage", &json!({"user_id": ANA, "connection": GOOGLE}));
    send(&mut sender, "oauth_grant", &grant("app", ANA, &many(11)));
    send(&mut sender, "connected_account_unlink", &json!({"user_id": ANA, "connection": GOOGLE}));
    world.alerted()
}

#[test]
fn modules_and_detectors_can_be_switched_off_one_by_one() {
    let all = switched(&plan().start());
    assert_eq!(all, ["consent-phishing", "unauthorized-agent", "untrusted-claim"]);
    let without = plan().with("modules", json!({"consent": "off"})).start();
    assert_eq!(switched(&without), ["unauthorized-agent", "untrusted-claim"]);
    let modules = without.admin().get("/api/v1/modules").json();
    let consent = modules["modules"]
        .as_array()
        .and_then(|all| all.iter().find(|m| m["name"] == "consent" || m["code"] == "consent"));
    assert_eq!(consent.map(|m| m["enabled"].clone()), Some(json!(false)), "{modules}");
    assert_eq!(switched(&plan().with("modules", json!({"token_vault": "off"})).start()), ["consent-phishing"]);
    let one = json!({"unauthorized-agent": "off"});
    assert_eq!(switched(&plan().with("detectors", one).start()), ["consent-phishing", "untrusted-claim"]);
}

#[test]
fn presets_decide_over_the_request_in_flight() {
    let receiver = onesec_e2e::Receiver::start(&[]);
    let webhook = json!({"url": receiver.url("/"), "allow_private": true});
    let world = plan().live().with("enforcement", json!({"webhook": webhook})).start();
    world.link(ANA, GOOGLE, CALENDAR);
    let (mut agent, token) = (world.agent("stranger"), world.refresh(ANA));
    let mut seen = 0;
    for (preset, status) in [("observe", 200), ("balanced", 403), ("strict", 403), ("vps-agent", 403)] {
        world.preset(preset);
        let answer = agent.exchange_for(GOOGLE, &token, &[CALENDAR]);
        assert_eq!(answer.status, status, "{preset}: {}", answer.text());
        // Where a token is released, the exchange is judged twice, and counts once.
        let now = world.alert("unauthorized-agent")["occurrences"].as_u64().unwrap_or_default();
        assert_eq!(now - seen, 1, "whatever the preset, it is seen");
        seen = now;
    }
    world.mode("dry_run");
    assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
}

#[test]
fn an_exception_silences_with_a_reason_and_an_end() {
    let world = plan().live().with("detectors", json!({"exchange-rate": {"limit": 3}})).start();
    let (mut agent, token) = world.lent("nightly");
    let now = world.admin().get("/api/v1/status").json()["journal"]["observed_at"].as_str().expect("time").to_owned();
    let now: onesec_telemetry::Timestamp = now.parse().expect("time");
    let until = now + std::time::Duration::from_secs(86_400);
    let wanted =
        json!({"detector": "exchange-rate", "agent_id": "nightly", "reason": "nightly job", "expires_at": until});
    let made = world.admin().post("/api/v1/exceptions", &wanted);
    assert_eq!(made.status, 201, "{}", made.text());
    for _ in 0..10 {
        assert_eq!(agent.exchange(GOOGLE, &token).status, 200);
    }
    assert!(world.alerts("exchange-rate").is_empty());
    let id = made.json()["id"].as_str().expect("id").to_owned();
    assert_eq!(world.admin().call("DELETE", &format!("/api/v1/exceptions/{id}"), &Value::Null).status, 200);
    assert_eq!(agent.exchange(GOOGLE, &token).status, 429);
    for never in ["revoked-access", "confused-deputy", "canary"] {
        let wanted = json!({"detector": never, "reason": "please", "expires_at": until});
        assert_eq!(world.admin().post("/api/v1/exceptions", &wanted).status, 422, "{never}");
    }
}

#[test]
fn a_suspended_agent_is_refused_whatever_it_asks_for() {
    let world = plan().start();
    let mut agent = world.bound("helper", &["events:write"]);
    let mut decide = |tool: &str| {
        let call = json!({"type": "tool_call", "details": {"agent_id": "helper", "tool": tool}});
        agent.post("/api/v1/decide", &call).json()
    };
    assert_eq!(decide("calendar")["decision"], "allow");
    let suspended = world.admin().post("/api/v1/agents/helper/suspend", &json!({}));
    assert!(suspended.status < 300, "{}", suspended.text());
    let answer = decide("calendar");
    assert_eq!((&answer["decision"], &answer["mode"]), (&json!("deny"), &json!("dry_run")), "{answer}");
    assert!(world.admin().post("/api/v1/agents/helper/resume", &json!({})).status < 300);
    assert_eq!(decide("calendar")["decision"], "allow");
}
