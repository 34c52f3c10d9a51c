//! With less leave than everything: what cannot be told is said to be so, with the scope that it takes.

use std::collections::BTreeSet;

use onesec_auth0_sim::{ClientSpec, Endpoint, Fault, GrantType, SetupFault};
use onesec_e2e::world::{ANA, GOOGLE};
use serde_json::{Value, json};

use super::{ADMIN, Clinic, LOGIN, SECRETS, ids};

fn administrator(scopes: &[&str]) -> ClientSpec {
    let admin = ClientSpec::regular(ADMIN, SECRETS[2]).with_grants(&[GrantType::ClientCredentials]);
    admin.with_management_scopes(scopes)
}

/// The list that `--scopes` prints is exactly what is needed: nothing is missing, and without any one of them something is
/// unknown, and says which.
#[test]
fn the_scopes_that_are_listed_are_enough_and_all_needed() {
    let mut clinic = Clinic::open();
    // All checks: those of a custom domain, too.
    clinic.configure(
        "/token_vault/proxy",
        json!({"domain": "auth.tests.test", "origin": "http://127.0.0.1:9",
        "origin_host": "x.edge.test", "api_key": "k3y-of-the-custom-domain"}),
    );
    clinic.sim.create_custom_domain("auth.tests.test");
    let output = clinic.run(&["--scopes"]);
    let listed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let listed: Vec<&str> = listed.split(' ').collect();
    assert!(listed.iter().all(|scope| scope.starts_with("read:")), "{listed:?}");
    clinic.sim.create_client(administrator(&listed));
    let (code, checks) = clinic.checks(&["--user", ANA, "--connection", GOOGLE]);
    assert_eq!((code, ids(&checks, "unknown")), (Some(0), vec![]), "{checks:#?}");
    for missing in &listed {
        let fewer: Vec<&str> = listed.iter().copied().filter(|scope| scope != missing).collect();
        clinic.sim.create_client(administrator(&fewer));
        let (code, checks) = clinic.checks(&["--user", ANA, "--connection", GOOGLE]);
        let unknown: Vec<&Value> = checks.iter().filter(|check| check["status"] == "unknown").collect();
        assert_eq!((code, unknown.is_empty()), (Some(3), false), "{missing}: {checks:#?}");
        for check in unknown {
            let said = check.to_string();
            assert!(said.contains(missing), "{missing}: {check:#}");
        }
        assert_eq!(ids(&checks, "failed"), Vec::<String>::new(), "{missing}: not to know is no fault");
    }
}

#[test]
fn without_a_client_of_the_management_api_what_can_be_told_is_told() {
    let mut clinic = Clinic::open();
    clinic.configure("/enforcement/auth0", Value::Null);
    let (code, checks) = clinic.checks(&[]);
    assert_eq!((code, ids(&checks, "failed")), (Some(3), vec![]), "{checks:#?}");
    let ok: BTreeSet<String> = ids(&checks, "ok").into_iter().collect();
    for id in ["domain-reachable", "issuer", "client-credentials", "client-grant"] {
        assert!(ok.contains(id), "{id}: {checks:#?}");
    }
    let unknown = checks.iter().find(|check| check["id"] == "mfa-policy").expect("made");
    assert!(unknown["change"].as_str().is_some_and(|change| change.contains("enforcement.auth0")), "{unknown:#}");
    // A missing grant shows by an exchange of nonsense.
    clinic.sim.spoil(&[SetupFault::NoGrant(LOGIN.to_owned())]);
    let (code, checks) = clinic.checks(&[]);
    assert_eq!((code, ids(&checks, "failed")), (Some(1), vec!["client-grant".to_owned()]));
}

/// A tenant that fails says nothing about its set-up.
#[test]
fn failures_of_the_tenant_are_no_findings() {
    let clinic = Clinic::open();
    let faults = [
        Fault::Status(500),
        Fault::Garbage,
        Fault::EmptyBody,
        Fault::Truncated,
        Fault::Redirect,
        Fault::RateLimited { retry_after_s: 3_600 },
        Fault::Custom { status: 200, body: r#"{"is_first_party":"maybe","grant_types":7,"x":[[[[]]]]}"#.into() },
        Fault::Custom { status: 200, body: "[1,2,3]".into() },
        Fault::Custom { status: 200, body: "null".into() },
    ];
    for fault in faults {
        clinic.sim.set_fault_on(Endpoint::Management, fault.clone());
        let (code, checks) = clinic.checks(&["--user", ANA, "--connection", GOOGLE]);
        assert_eq!((code, ids(&checks, "failed")), (Some(3), vec![]), "{fault:?}: {checks:#?}");
        assert!(ids(&checks, "unknown").len() > 10, "{fault:?}");
    }
    assert_eq!(clinic.sim.requests(onesec_auth0_sim::RequestKind::Stolen), 0);
}

/// One that hangs is waited for once, and not by each question anew.
#[test]
fn a_tenant_that_hangs_is_waited_for_once() {
    let mut clinic = Clinic::open();
    clinic.configure("/token_vault/request_timeout", json!("500ms"));
    clinic.sim.set_fault_on(Endpoint::Management, Fault::Hang);
    let before = clinic.sim.requests(onesec_auth0_sim::RequestKind::Management);
    let (code, checks) = clinic.checks(&["--user", ANA, "--connection", GOOGLE]);
    assert_eq!((code, ids(&checks, "failed")), (Some(3), vec![]), "{checks:#?}");
    assert_eq!(clinic.sim.requests(onesec_auth0_sim::RequestKind::Management) - before, 1, "asked once");
}
