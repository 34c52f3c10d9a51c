//! The log asked for instead of delivered, and accounts compared with Auth0's.

use std::process::{Command, Output, Stdio};

use onesec_auth0_sim::{AccountSpec, Endpoint, Fault};
use onesec_e2e::world::{ANA, BEN, CALENDAR, GITHUB, GOOGLE, MAIL};
use onesec_e2e::{World, eventually};
use serde_json::{Value, json};

use super::{ADMIN, ADMIN_SECRET, accounts, bypass, read_back};
use crate::plan;

fn cli(world: &World, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onesec-under-test"));
    command.args(["--url", world.process.url(), "--key", &world.process.admin_key()]).args(words);
    command.stdin(Stdio::null()).output().expect("it runs")
}

fn said(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        panic!("{} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })
}

#[test]
fn a_pull_goes_on_where_the_last_one_was_left() {
    let mut world = read_back();
    for i in 0..250 {
        world.sim.log("slo", json!({"user_id": format!("auth0|{i}")}));
    }
    world.sim.connect_account(AccountSpec::new(ANA, GOOGLE, CALENDAR)).expect("connected");
    let first = said(&cli(&world, &["--json", "auth0", "pull"]));
    assert_eq!((&first["entries"], &first["accepted"], &first["ignored"]), (&json!(251), &json!(1), &json!(250)));
    eventually("the link", || accounts(&world, "linked").pop());
    world.killed();
    assert_eq!(said(&cli(&world, &["--json", "auth0", "pull", "--once"]))["entries"], 0);
    bypass(&world, ANA, GOOGLE);
    assert_eq!(said(&cli(&world, &["--json", "auth0", "pull"]))["accepted"], 1);
    assert_eq!(world.alert("gateway-bypass")["occurrences"], 1);
    // What the stream delivers besides is the same.
    let receipt = world.stream(0);
    assert_eq!((&receipt["accepted"], &receipt["duplicates"]), (&json!(0), &json!(2)));
}

#[test]
fn a_tenant_that_fails_is_asked_again() {
    let world = read_back();
    world.sim.log("slo", json!({}));
    world.sim.set_fault_on(Endpoint::Management, Fault::Status(500));
    let failed = cli(&world, &["auth0", "pull"]);
    assert_eq!(failed.status.code(), Some(3), "{}", String::from_utf8_lossy(&failed.stderr));
    world.sim.set_fault_on(Endpoint::Management, Fault::InsufficientScope);
    let told = String::from_utf8_lossy(&cli(&world, &["auth0", "pull"]).stderr).into_owned();
    assert!(told.contains("insufficient_scope"), "{told}");
    world.sim.clear_faults();
    assert_eq!(said(&cli(&world, &["--json", "auth0", "pull"]))["entries"], 1);
    // Without a client of the Management API there is nothing to ask.
    let bare = plan().start();
    let told = String::from_utf8_lossy(&cli(&bare, &["auth0", "pull"]).stderr).into_owned();
    assert!(told.contains("enforcement.auth0"), "{told}");
}

#[test]
fn the_server_asks_by_itself_where_it_is_told_to() {
    let world = plan()
        .with("token_vault", json!({"pull_logs": {"every": "1s"}, "exclusive": [GOOGLE]}))
        .with("enforcement", json!({"auth0": {"client_id": ADMIN, "client_secret": ADMIN_SECRET}}))
        .start();
    world.sim.create_client(onesec_auth0_sim::ClientSpec::regular(ADMIN, ADMIN_SECRET));
    let (mut agent, token) = world.lent("helper");
    assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
    bypass(&world, ANA, GOOGLE);
    let alert = eventually("the alert", || world.alerts("gateway-bypass").pop());
    assert_eq!(alert["occurrences"], 1);
}

#[test]
fn accounts_of_a_file_are_links_and_what_is_wrong_is_told() {
    let world = plan().start();
    let file = world.dir().join("accounts.ndjson");
    let lines = [
        json!({"user_id": ANA, "connection": GOOGLE, "account_id": "cac_1", "scopes": [CALENDAR]}),
        json!({"user_id": BEN, "connection": GOOGLE}),
        json!({"user_id": BEN}),
        json!({"user_id": BEN, "connection": GITHUB, "scopes": "repo"}),
    ];
    let text = lines.each_ref().map(|line| line.to_string()).join("\n");
    std::fs::write(&file, text).expect("written");
    let path = file.to_str().expect("text");
    let output = cli(&world, &["--json", "accounts", "import", path, "--complete"]);
    assert_eq!(output.status.code(), Some(3), "not all of it was imported: nothing is complete");
    let output = cli(&world, &["--json", "accounts", "import", path]);
    let told = said(&output);
    assert_eq!((output.status.code(), &told["imported"]), (Some(1), &json!(3)));
    assert_eq!((&told["rejected"][0]["account"], &told["rejected"][0]["code"]), (&json!(3), &json!("missing-field")));
    assert_eq!(accounts(&world, "linked").len(), 1);
    // An array is the same; now all of it is known.
    std::fs::write(&file, json!({"accounts": [lines[0], lines[1]]}).to_string()).expect("written");
    let output = cli(&world, &["accounts", "import", path, "--complete"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    world.sim.create_user("auth0|cyd");
    world.delegate("auth0|cyd", "helper", GOOGLE, &[CALENDAR]);
    let token = world.refresh("auth0|cyd");
    world.agent("helper").exchange_for(GOOGLE, &token, &[CALENDAR]);
    assert_eq!(world.alerts("unlinked-exchange").len(), 1);
    for wrong in ["/nonexistent", "Cargo.toml"] {
        assert_eq!(cli(&world, &["accounts", "import", wrong]).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn accounts_of_the_tenant_are_imported_compared_and_set_right() {
    let world = read_back();
    for i in 0..120 {
        let user = format!("auth0|user-{i}");
        world.sim.create_user(&user);
        world.sim.connect_account(AccountSpec::new(&user, GOOGLE, CALENDAR)).expect("connected");
    }
    let mine = world.sim.connect_account(AccountSpec::new(ANA, GOOGLE, CALENDAR)).expect("connected");
    let drift = cli(&world, &["--json", "accounts", "drift"]);
    let told = said(&drift);
    assert_eq!((drift.status.code(), &told["applied"]), (Some(1), &json!(0)));
    assert_eq!(told["drift"].as_array().map(Vec::len), Some(121));
    assert!(accounts(&world, "linked").is_empty(), "to look changes nothing");

    let imported = said(&cli(&world, &["--json", "accounts", "import", "--from-auth0", "--complete"]));
    assert_eq!((&imported["accounts"], &imported["applied"]), (&json!(121), &json!(121)));
    assert_eq!(accounts(&world, "linked")[0]["account_id"], json!(mine));
    assert_eq!(cli(&world, &["accounts", "drift"]).status.code(), Some(0));

    // Behind our back: one is gone, one is new, one has other scopes, and one was taken back here only.
    world.sim.disconnect_account(&mine).expect("disconnected");
    world.sim.connect_account(AccountSpec::new(BEN, GITHUB, "repo")).expect("connected");
    let first = world.sim.accounts_of("auth0|user-0").remove(0);
    world.sim.disconnect_account(&first).expect("disconnected");
    world.sim.connect_account(AccountSpec::new("auth0|user-0", GOOGLE, MAIL).with_id(&first)).expect("connected");
    world.unlink("auth0|user-1", GOOGLE);
    let told = said(&cli(&world, &["--json", "accounts", "drift"]));
    let mut found: Vec<(&str, &str)> = told["drift"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| (d["what"].as_str().expect("a word"), d["user_id"].as_str().expect("a user")))
        .collect();
    found.sort_unstable();
    let want = [
        ("ended_here", "auth0|user-1"),
        ("missing_here", BEN),
        ("missing_there", ANA),
        ("scopes_differ", "auth0|user-0"),
    ];
    assert_eq!(found, want, "{told:#}");

    let set = said(&cli(&world, &["--json", "accounts", "reconcile"]));
    assert_eq!(set["applied"], 3, "what a person took back stays taken back");
    assert!(accounts(&world, "linked").is_empty());
    let left = said(&cli(&world, &["--json", "accounts", "drift"]));
    assert_eq!(left["drift"].as_array().map(Vec::len), Some(1), "{left:#}");
    assert_eq!(left["drift"][0]["what"], "ended_here");
}

#[test]
fn a_tenant_that_knows_nobody_takes_nothing_away() {
    let world = read_back();
    for i in 0..20 {
        world.report("connected_account_link", &json!({"user_id": format!("auth0|x-{i}"), "connection": GOOGLE}));
    }
    let refused = cli(&world, &["accounts", "reconcile"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(3) && told.contains("right tenant"), "{told}");
    assert_eq!(world.listed("/api/v1/accounts?state=linked", "accounts").len(), 20);
    // One who was deleted is no wrong tenant.
    world.link(ANA, GOOGLE, CALENDAR);
    world.sim.delete_user(ANA);
    let told = said(&cli(&world, &["--json", "accounts", "drift"]));
    assert!(
        told["drift"].as_array().expect("a list").iter().any(|d| d["user_id"] == ANA && d["what"] == "missing_there")
    );
}

#[test]
fn accounts_are_compared_by_themselves_where_it_is_said() {
    let world = plan()
        .with("token_vault", json!({"reconcile": {"every": "60s"}}))
        .with("enforcement", json!({"auth0": {"client_id": ADMIN, "client_secret": ADMIN_SECRET}}));
    let mut world = world.start();
    world.sim.create_client(onesec_auth0_sim::ClientSpec::regular(ADMIN, ADMIN_SECRET));
    world.sim.connect_account(AccountSpec::new(ANA, GOOGLE, CALENDAR)).expect("connected");
    // It begins with the start.
    world.restart();
    eventually("the link", || accounts(&world, "linked").pop());
}
