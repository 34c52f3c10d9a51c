//! The Actions of `integrations/auth0`: their own tests, and beside a flag that the real server put on a user.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use onesec_auth0_sim::ClientSpec;
use onesec_e2e::eventually;
use onesec_e2e::world::{ANA, CALENDAR, GOOGLE};
use serde_json::{Value, json};

use crate::plan;

fn integration() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../integrations/auth0")
}

/// Whether there is a Node that knows `--test`; says so where there is none.
#[expect(clippy::print_stderr, reason = "who runs the tests is told what was not run")]
fn has_node() -> bool {
    let version = Command::new("node").arg("--version").output().ok().map(|output| output.stdout);
    let version = version.map(|text| String::from_utf8_lossy(&text).trim().to_owned());
    let major = version.as_deref().and_then(|text| text.trim_start_matches('v').split('.').next()?.parse::<u32>().ok());
    if major.is_some_and(|major| major >= 18) {
        return true;
    }
    eprintln!("skipped: Auth0 runs Actions on Node 18 or newer, and here is {}", version.as_deref().unwrap_or("none"));
    false
}

/// What an Action calls for this event.
fn run(action: &str, event: &Value) -> Value {
    let mut command = Command::new("node");
    command.arg(integration().join("stub.cjs")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("node runs");
    let input = json!({"action": action, "event": event}).to_string();
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).expect("what was called")
}

#[test]
fn the_actions_pass_their_own_tests() {
    if !has_node() {
        return;
    }
    let output = Command::new("node").arg("--test").arg(integration().join("test/actions.test.cjs")).output();
    let output = output.expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_flag_that_the_server_puts_on_a_user_refuses_and_lets_pass_once_it_is_taken_off() {
    if !has_node() {
        return;
    }
    let policies =
        json!([{"name": "flag", "match": {"detectors": ["unauthorized-agent"]}, "actions": ["auth0_flag_user"]}]);
    let auth0 = json!({"client_id": "admin", "client_secret": "admin-s3cret"});
    let world = plan().live().with("enforcement", json!({"policies": policies, "auth0": auth0})).start();
    world.sim.create_client(ClientSpec::regular("admin", "admin-s3cret"));
    world.sim.set_app_metadata(ANA, "plan", json!("gold"));
    world.link(ANA, GOOGLE, CALENDAR);
    let login = |world: &onesec_e2e::World| {
        let event = json!({"user": {"user_id": ANA, "app_metadata": world.sim.app_metadata(ANA)},
            "client": {"client_id": "c", "metadata": {}}, "transaction": {"protocol": "oauth2-refresh-token"}});
        run("post-login", &event)["calls"].clone()
    };
    assert_eq!(login(&world), json!([]), "not flagged");
    let token = world.refresh(ANA);
    assert_eq!(world.agent("mallory").exchange(GOOGLE, &token).status, 403);
    let receipt = eventually("the flag", || {
        world.receipts("action=auth0_flag_user").into_iter().find(|receipt| receipt["status"] == "verified")
    });
    let called = login(&world);
    assert_eq!((&called[0][0], &called[1][0]), (&json!("refreshToken.revoke"), &json!("access.deny")), "{called}");
    let shown = called[1][1].as_str().expect("a message");
    assert!(!shown.contains("unauthorized") && !shown.contains("onesec"), "{shown}");
    let path = format!("/api/v1/responses/{}/undo", receipt["id"].as_str().expect("an id"));
    assert_eq!(world.admin().post(&path, &json!({})).status, 200);
    assert_eq!(login(&world), json!([]), "taken off");
}

/// Blocks of the set-up guide are programs for a shell, at least to its parser.
#[test]
fn the_calls_of_the_guide_are_read_by_a_shell() {
    let guide = std::fs::read_to_string(integration().join("README.md")).expect("the guide");
    let blocks: Vec<&str> = guide.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 10, "{}", blocks.len());
    for block in blocks {
        let mut shell = Command::new("sh").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sh");
        shell.stdin.take().expect("piped").write_all(block.as_bytes()).expect("written");
        let output = shell.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{block}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
