//! Single policies by the API: strict, recorded, there after a restart; and who has the last word.

use std::process::{Command, Output};

use onesec_e2e::world::ANA;
use onesec_e2e::{Receiver, Reply, World, eventually};
use serde_json::{Value, json};

use super::{hook, live, on_strays, receipt, strays};

const POLICIES: &str = "/api/v1/enforcement/policies";

fn logging(name: &str) -> Value {
    json!({"name": name, "match": {"detectors": ["unauthorized-agent"], "min_severity": "CRITICAL"}, "actions": ["log"]})
}

/// Names of the policies in force, each with who brings it.
fn sources(world: &World) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let listed = world.listed(POLICIES, "policies");
    listed.iter().map(|policy| (text(&policy["name"]), text(&policy["source"]))).collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned())).collect()
}

#[test]
fn a_policy_set_by_the_api_acts_and_is_there_after_a_restart_and_a_crash() {
    let mut world = live(None, &json!([])).start();
    let made = world.admin().post(POLICIES, &logging("mine"));
    assert_eq!((made.status, &made.json()["source"]), (201, &json!("api")), "{}", made.text());
    strays(&world, "mallory", ANA);
    assert_eq!(receipt(&world, "log")["policy"], "mine");
    world.restart();
    assert_eq!(sources(&world), pairs(&[("mine", "api")]));
    world.killed();
    assert_eq!(sources(&world), pairs(&[("mine", "api")]));
    strays(&world, "oscar", ANA);
    eventually("it acts as before", || (world.settled("action=log", 2).len() == 2).then_some(()));
    // Who changed it stands in the journal.
    let recorded = world.events("kind=command", 1);
    let set = |event: &&Value| event["details"].get("SetPolicy").is_some();
    let record = recorded.iter().find(set).expect("a record of it");
    assert_eq!(record["sender"]["channel"], "api", "{record}");
    let gone = world.admin().call("DELETE", &format!("{POLICIES}/mine"), &json!({}));
    assert_eq!((gone.status, &gone.json()["instead"]), (200, &Value::Null), "{}", gone.text());
    assert_eq!(world.admin().get(&format!("{POLICIES}/mine")).status, 404);
    world.restart();
    assert_eq!(sources(&world), []);
}

#[test]
fn what_cannot_run_as_written_is_refused_with_the_place_and_what_was_meant() {
    let world = live(None, &json!([])).start();
    let mut admin = world.admin();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut policy = logging("mine");
        change(&mut policy);
        policy
    };
    let wrong: Vec<(Value, &str)> = vec![
        (with(&|p| p["actons"] = json!([])), "did you mean `actions`?"),
        (with(&|p| p["match"]["detector"] = json!("x")), "did you mean `detectors`?"),
        (with(&|p| p["actions"] = json!(["suspend_agnt"])), "did you mean `suspend_agent`?"),
        (with(&|p| p["actions"] = json!([{"rate_limit_agent": {}}])), "`policy.actions[0].rate_limit_agent.limit`"),
        (with(&|p| p["actions"] = json!(["webhook"])), "enforcement.webhook.url"),
        (with(&|p| p["actions"] = json!(["auth0_flag_user"])), "enforcement.auth0.client_id"),
        (with(&|p| p["actions"] = json!([{"command": {"argv": ["/nowhere/at/all"]}}])), "command"),
        (with(&|p| p["actions"] = json!(["x_unknown"])), "nothing here carries"),
        (with(&|p| p["name"] = json!("a\nb")), "identifier"),
        (json!([]), "section"),
        (json!({"name": "mine"}), "`policy.match`"),
    ];
    for (policy, why) in wrong {
        let answer = admin.post(POLICIES, &policy);
        assert_eq!(answer.status, 422, "{policy}: {}", answer.text());
        let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.contains(why), "{policy}: {detail}");
    }
    let answer = admin.call("PUT", &format!("{POLICIES}/other"), &logging("mine"));
    assert_eq!(answer.status, 422, "another name than the path's: {}", answer.text());
    // Addresses of webhooks and what looks like a token do not get into the journal.
    let token = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    for action in [
        json!({"webhook": {"url": "https://hooks.example.com/s3cret"}}),
        json!({"webhook": {"host": "hooks.example.com", "digest": "0".repeat(64)}}),
        json!({"command": {"argv": ["/bin/true", token]}}),
    ] {
        let answer = admin.post(POLICIES, &with(&|p| p["actions"] = json!([action])));
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert!(!answer.text().contains("s3cret") && !answer.text().contains(token), "{}", answer.text());
    }
    assert_eq!(sources(&world), []);
    assert_eq!(admin.post(POLICIES, &logging("mine")).status, 201);
    assert_eq!(admin.post(POLICIES, &logging("mine")).status, 409, "PUT replaces, POST does not");
    for scopes in [&["read", "respond"][..], &["events:trust"]] {
        let mut other = world.client(scopes);
        assert_eq!(other.post(POLICIES, &logging("more")).status, 403, "{scopes:?}");
        assert_eq!(other.call("DELETE", &format!("{POLICIES}/mine"), &json!({})).status, 403);
    }
}

/// The later word counts: the API's over the file's, and the file's again once it is changed.
#[test]
fn the_later_word_counts() {
    let mut world = live(None, &on_strays(&json!(["log"]))).start();
    assert_eq!(sources(&world), pairs(&[("strays", "configuration")]));
    let refused = world.admin().call("DELETE", &format!("{POLICIES}/strays"), &json!({}));
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("not-by-api")));
    let mut mine = logging("strays");
    mine["request"] = json!("deny");
    assert_eq!(world.admin().call("PUT", &format!("{POLICIES}/strays"), &mine).status, 200);
    assert_eq!(world.admin().post(POLICIES, &logging("mine")).status, 201);
    assert_eq!(sources(&world), pairs(&[("strays", "api"), ("mine", "api")]));
    // A restart with the same file is no word.
    world.restart();
    assert_eq!(sources(&world), pairs(&[("strays", "api"), ("mine", "api")]));
    assert_eq!(world.admin().get(&format!("{POLICIES}/strays")).json()["request"], "deny");
    // Nor is a change of something else.
    assert!(world.reload("/server/trusted_proxies", json!(["127.0.0.1", "10.0.0.0/8"])).contains("reloaded"));
    assert_eq!(sources(&world), pairs(&[("strays", "api"), ("mine", "api")]));
    // A file that says something new about enforcement is: for what it names.
    assert!(world.reload("/enforcement/policies/0/max_per_minute", json!(500)).contains("reloaded"));
    assert_eq!(sources(&world), pairs(&[("strays", "configuration"), ("mine", "api")]));
    world.killed();
    assert_eq!(sources(&world), pairs(&[("strays", "configuration"), ("mine", "api")]));
    // What the file has under that name is back when the API's is removed.
    assert_eq!(world.admin().call("PUT", &format!("{POLICIES}/strays"), &mine).status, 200);
    let gone = world.admin().call("DELETE", &format!("{POLICIES}/strays"), &json!({}));
    assert_eq!(gone.json()["instead"]["source"], "configuration", "{}", gone.text());
}

#[test]
fn a_configuration_that_leaves_a_policy_of_the_api_without_its_webhook_is_refused() {
    let receiver = Receiver::start(&[Reply::Status(204)]);
    let mut world = live(Some(&receiver), &json!([])).start();
    let mut policy = logging("mine");
    policy["actions"] = json!(["webhook"]);
    assert_eq!(world.admin().post(POLICIES, &policy).status, 201);
    let said = world.reload("/enforcement/webhook", Value::Null);
    assert!(said.contains("enforcement.webhook.url"), "{said}");
    strays(&world, "mallory", ANA);
    assert_eq!(receipt(&world, "webhook")["status"], "succeeded");
    // Another address is followed.
    let another = Receiver::start(&[Reply::Status(204)]);
    assert!(world.reload("/enforcement/webhook", hook(&another)).contains("reloaded"));
    strays(&world, "oscar", ANA);
    assert_eq!(another.at_least(1).len(), 1);
}

/// Whoever made the policy says no yes to what it asks.
#[test]
fn whoever_sets_a_policy_cannot_approve_what_it_asks() {
    let world = live(None, &json!([])).start();
    let mut olga = world.person("olga", &["admin"]);
    let mut policy = logging("ask");
    policy["actions"] = json!(["suspend_agent"]);
    policy["approval"] = json!({"ttl": "10m"});
    assert_eq!(olga.post(POLICIES, &policy).status, 201);
    strays(&world, "mallory", ANA);
    let asked = eventually("a question", || world.listed("/api/v1/approvals", "approvals").into_iter().next());
    let yes = format!("/api/v1/approvals/{}/approve", asked["id"].as_str().expect("an id"));
    let word = json!({"action_digest": asked["action_digest"]});
    assert_eq!(world.person("olga", &["respond"]).post(&yes, &word).status, 403);
    assert_eq!(world.person("pete", &["respond"]).post(&yes, &word).status, 200);
    assert_eq!(receipt(&world, "suspend_agent")["approved_by"], "pete");
}

#[test]
fn alerts_come_out_the_same_when_they_are_computed_again() {
    let mut world = live(None, &json!([])).start();
    let mut policy = logging("mine");
    policy["request"] = json!("deny");
    assert_eq!(world.admin().post(POLICIES, &policy).status, 201);
    strays(&world, "mallory", ANA);
    let live: Vec<Value> = world.listed("/api/v1/alerts", "alerts");
    assert_eq!(world.process.terminate(), Some(0));
    let mut command = Command::new(env!("CARGO_BIN_EXE_onesec-under-test"));
    let output = command.args(["journal", "recompute", "--data-dir"]).arg(world.dir()).output().expect("it ends");
    let said = String::from_utf8(output.stdout).expect("text");
    let again: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(again.len(), live.len());
    assert!(live.iter().all(|alert| again.contains(alert)), "{again:#?}");
}

fn onesec(world: &World, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onesec-under-test"));
    command.args(args).env("ONESEC_URL", world.process.url()).env("ONESEC_API_KEY", world.process.admin_key());
    command.output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn policies_from_the_command_line() {
    let world = live(None, &json!([])).start();
    let file = world.dir().join("policy.yaml");
    std::fs::write(&file, "name: mine\nmatch: {detectors: [unauthorized-agent]}\nactions: [log, suspend_agent]\n")
        .expect("written");
    let path = file.to_str().expect("a path");
    let set = onesec(&world, &["enforce", "policies", "set", path]);
    assert_eq!(set.status.code(), Some(0), "{}", text(&set.stderr));
    let listed = text(&onesec(&world, &["enforce", "policies", "list"]).stdout);
    assert!(listed.contains("mine") && listed.contains("api"), "{listed}");
    let shown = text(&onesec(&world, &["enforce", "policies", "show", "mine"]).stdout);
    assert!(shown.contains("suspend_agent"), "{shown}");
    // What is shown can be set again, as YAML and as JSON.
    for format in [&["enforce", "policies", "show", "mine"][..], &["--json", "enforce", "policies", "show", "mine"]] {
        std::fs::write(&file, onesec(&world, format).stdout).expect("written");
        let again = onesec(&world, &["enforce", "policies", "set", path]);
        assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    }
    std::fs::write(&file, "name: mine\nmatch: {}\nactons: [log]\n").expect("written");
    let wrong = onesec(&world, &["enforce", "policies", "set", path]);
    assert_eq!(wrong.status.code(), Some(3));
    assert!(text(&wrong.stderr).contains("did you mean `actions`?"), "{}", text(&wrong.stderr));
    assert_eq!(onesec(&world, &["enforce", "policies", "remove", "mine"]).status.code(), Some(0));
    assert_eq!(onesec(&world, &["enforce", "policies", "show", "mine"]).status.code(), Some(3));
    // Without a word, both forms of `enforce` are as they were.
    assert!(text(&onesec(&world, &["enforce", "presets"]).stdout).contains("vps-agent"));
    assert!(text(&onesec(&world, &["enforce"]).stdout).contains("live"));
}

/// Settings become records, and what looks like a secret is redacted there: a policy that would not be what was written.
#[test]
fn a_configuration_that_cannot_be_recorded_as_written_is_refused() {
    let token = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    let told = json!([{"command": {"argv": ["/bin/true", token]}}]);
    let said = super::preset::refused_start(&json!({"enforcement": {"policies": on_strays(&told)}}));
    assert!(said.contains("looks like a secret") && said.contains("enforcement") && !said.contains(token), "{said}");
    let mut world = live(None, &json!([])).start();
    let said = world.reload("/enforcement/policies", on_strays(&told));
    assert!(said.contains("looks like a secret"), "{said}");
    assert_eq!(sources(&world), []);
    let nested = json!([{"revoke_refresh_tokens": {"client_id": "web"}}]);
    let said = super::preset::refused_start(&json!({"enforcement": {"policies": on_strays(&nested)}}));
    assert!(said.contains("revoke_refresh_tokens_of"), "{said}");
}
