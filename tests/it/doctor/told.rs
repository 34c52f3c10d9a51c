//! How it is told: to people, to scripts, for several tenants, beside a running server.

use onesec_auth0_sim::{SetupFault, SimConfig};
use onesec_e2e::logs::AUTHORIZATION;
use onesec_e2e::world::GOOGLE;
use serde_json::{Value, json};

use super::{Clinic, DOMAIN, LOGIN, SECRETS, ids};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn people_read_what_to_do_and_where() {
    let clinic = Clinic::open();
    clinic.sim.spoil(&[SetupFault::Rotating(LOGIN.to_owned())]);
    let output = clinic.run(&[]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let failed: Vec<&str> = said.lines().skip_while(|line| !line.starts_with("FAILED")).take(4).collect();
    assert!(failed[0].contains("client-rotation") && failed[0].contains(LOGIN), "{failed:?}");
    assert!(failed[1].contains("Switch off refresh token rotation"), "{failed:?}");
    assert!(failed[2].contains("Applications > "), "{failed:?}");
    assert!(failed[3].contains("PATCH /api/v2/clients/onesec-login"), "{failed:?}");
    assert!(said.trim_end().ends_with("1 failed, 0 unknown, 1 skipped"), "{said}");
}

#[test]
fn one_check_can_be_asked_for_and_a_misspelt_one_does_not_pass() {
    let clinic = Clinic::open();
    let (code, checks) = clinic.checks(&["--check", "mfa-policy"]);
    assert_eq!((code, checks.len()), (Some(0), 1));
    let output = clinic.run(&["--check", "mfa-polcy"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean `mfa-policy`?"), "{}", text(&output.stderr));
    let listed = text(&clinic.run(&["--list"]).stdout);
    for check in onesec_auth0::doctor::catalogue() {
        assert!(listed.contains(check.id), "{}", check.id);
    }
}

#[test]
fn wrong_usage_and_wrong_configuration_are_exit_code_2() {
    let mut clinic = Clinic::open();
    assert_eq!(clinic.run(&["--user", "auth0|ana"]).status.code(), Some(2), "a user at which connection?");
    let output = clinic.run(&["--tenant", "defualt"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean `default`?"), "{}", text(&output.stderr));
    clinic.configure("/token_vault/clients/1/private_key_file", json!("/nowhere/key.pem"));
    let output = clinic.run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("/nowhere/key.pem"), "{}", text(&output.stderr));
    clinic.configure("/token_vault", Value::Null);
    clinic.configure("/enforcement/auth0", Value::Null);
    let output = clinic.run(&[]);
    assert_eq!(output.status.code(), Some(2), "nothing to look at is no success");
    assert!(text(&output.stderr).contains("AUTH0_DOMAIN"), "{}", text(&output.stderr));
}

#[test]
fn several_tenants_are_looked_at_each_by_its_own_clients() {
    let (mut first, second) = (Clinic::open(), Clinic::with(SimConfig::new("second.eu.auth0.test")));
    let mut theirs = second.config.clone();
    theirs["token_vault"]["auth0_domain"] = json!("second.eu.auth0.test");
    let own = json!({"token_vault": theirs["token_vault"], "enforcement": theirs["enforcement"]});
    first.configure("/tenants", json!({"acme": own}));
    let (code, report) = first.report(&[]);
    assert_eq!(code, Some(0), "{report:#}");
    let names: Vec<&str> =
        report["tenants"].as_array().expect("tenants").iter().filter_map(|t| t["tenant"].as_str()).collect();
    assert_eq!(names, ["default", "acme"]);
    second.sim.spoil(&[SetupFault::MfaAlways]);
    let (code, report) = first.report(&[]);
    let failed = |at: usize| ids(report["tenants"][at]["checks"].as_array().expect("checks"), "failed");
    assert_eq!((code, failed(0), failed(1)), (Some(1), vec![], vec!["mfa-policy".to_owned()]));
    assert_eq!(first.checks(&["--tenant", "default"]).0, Some(0));
    // Without a client of its own nobody else's is used.
    first.configure("/tenants/acme/enforcement", Value::Null);
    let (code, checks) = first.checks(&["--tenant", "acme"]);
    assert_eq!((code, ids(&checks, "unknown").contains(&"mfa-policy".to_owned())), (Some(3), true));
}

#[test]
fn in_front_of_a_custom_domain_the_tenants_own_must_be_closed() {
    let mut clinic = Clinic::open();
    clinic.configure(
        "/token_vault/proxy",
        json!({"domain": "auth.tests.test", "origin": "http://127.0.0.1:9",
        "origin_host": "x.edge.test", "api_key": "k3y-of-the-custom-domain"}),
    );
    let failed = |clinic: &Clinic| ids(&clinic.checks(&[]).1, "failed");
    assert_eq!(failed(&clinic), ["bypass-custom-domain"], "there is none");
    clinic.sim.create_custom_domain("auth.tests.test");
    assert_eq!(clinic.checks(&[]).0, Some(0));
    clinic.sim.spoil(&[SetupFault::DomainNotSelfManaged]);
    assert_eq!(failed(&clinic), ["bypass-custom-domain"]);
    clinic.sim.spoil(&[SetupFault::CanonicalDomainOpen]);
    let (code, checks) = clinic.checks(&[]);
    assert_eq!((code, ids(&checks, "warning")), (Some(0), vec!["bypass-canonical-domain".to_owned()]));
    let warned = checks.iter().find(|check| check["status"] == "warning").expect("there").to_string();
    assert!(warned.contains("network-acls") && warned.contains(DOMAIN), "{warned}");
}

#[test]
fn a_server_that_takes_the_log_says_when_something_came_last() {
    let world = crate::plan().with("token_vault", json!({"log_stream_authorization": AUTHORIZATION})).start();
    let clinic = Clinic::open();
    let key = world.key(&json!({"name": "doctor", "scopes": ["read"]}));
    let said = || {
        let output = clinic.run_at(world.process.url(), Some(&key), &["--json", "--check", "log-stream-recent"]);
        text(&output.stdout)
    };
    assert!(said().contains("none yet"), "{}", said());
    let entry = json!({"log_id": "900-1", "date": "2026-11-28T00:00:00Z", "type": "s", "user_id": "auth0|ana"});
    let mut stream = onesec_e2e::Http::new(world.process.url(), None);
    let headers = [("authorization", AUTHORIZATION), ("content-type", "application/json")];
    let answer = stream.send("POST", "/api/v1/auth0/logs", &headers, json!([entry]).to_string().as_bytes());
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert!(!said().contains("none yet") && said().contains("\"ok\""), "{}", said());
}

#[test]
fn a_server_that_runs_is_asked_and_none_is_needed() {
    let world = crate::plan().start();
    let clinic = Clinic::open();
    let key = world.key(&json!({"name": "doctor", "scopes": ["read"]}));
    let output = clinic.run_at(world.process.url(), Some(&key), &["--json", "--check", "log-stream-recent"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // A wrong key, or nobody there, is no fault of the tenant's.
    for (url, key) in [(world.process.url(), "os_wrong"), ("http://127.0.0.1:1", key.as_str())] {
        let output = clinic.run_at(url, Some(key), &["--json", "--connection", GOOGLE]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    assert!(!text(&output.stdout).contains(SECRETS[0]));
}

/// The page is made from the checks: `UPDATE_DOCS=1` writes it anew.
#[test]
fn the_page_of_checks_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/doctor.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    let (head, _) = page.split_once(BEGIN).expect("the mark");
    let (_, tail) = page.split_once(END).expect("the other mark");
    let wanted = format!("{head}{BEGIN}\n{}\n{END}{tail}", onesec_auth0::doctor::table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &wanted).expect("written");
        return;
    }
    assert!(page == wanted, "docs/doctor.md is out of date: run this test with UPDATE_DOCS=1");
}

const BEGIN: &str = "<!-- generated from the checks -->";
const END: &str = "<!-- end of what is generated -->";
