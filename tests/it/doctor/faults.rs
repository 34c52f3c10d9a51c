//! One fault after the other.

use onesec_auth0_sim::SetupFault::{self, *};
use onesec_auth0_sim::{Endpoint, Fault};
use onesec_e2e::world::{ANA, BEN, GOOGLE};
use serde_json::{Value, json};

use super::{ADMIN, API, Clinic, LOGIN, WORKER, ids};

#[test]
fn a_tenant_that_is_set_up_well_is_well() {
    let clinic = Clinic::open();
    let (code, checks) = clinic.checks(&[]);
    let shown = format!("{checks:#?}");
    assert_eq!((code, ids(&checks, "failed"), ids(&checks, "unknown")), (Some(0), vec![], vec![]), "{shown}");
    assert_eq!(ids(&checks, "warning"), Vec::<String>::new(), "{shown}");
    assert!(checks.len() > 25, "{shown}");
    for check in &checks {
        assert!(check["change"].is_null() && check["where"]["api"].is_null(), "nothing to do: {check}");
    }
    let (code, with_user) = clinic.checks(&["--user", ANA, "--connection", GOOGLE]);
    assert_eq!(code, Some(0), "{with_user:#?}");
    assert!(ids(&with_user, "ok").contains(&"user-connected".to_owned()));
}

/// What is wrong, the check that must find it, how bad it is, and words of what to do about it.
fn table() -> Vec<(SetupFault, &'static str, &'static str, Vec<&'static str>)> {
    let login = || LOGIN.to_owned();
    vec![
        (MfaAlways, "mfa-policy", "failed", vec!["Never", "guardian/policies"]),
        (NoGrant(login()), "client-grant", "failed", vec!["Token Vault", LOGIN, "federated-connection-access-token"]),
        (Public(login()), "client-confidential", "failed", vec!["token_endpoint_auth_method", LOGIN]),
        (ThirdParty(login()), "client-first-party", "failed", vec!["is_first_party", LOGIN]),
        (NotConformant(login()), "client-oidc-conformant", "failed", vec!["OIDC Conformant", "oidc_conformant"]),
        (Rotating(login()), "client-rotation", "failed", vec!["rotation", "non-rotating"]),
        (NotCustomApi(API.to_owned()), "client-custom-api", "failed", vec!["resource_server", "use: access"]),
        (OtherApi(API.to_owned()), "client-custom-api", "failed", vec!["resource_server_identifier"]),
        (NoWorkerGrants(WORKER.to_owned()), "worker-grants", "failed", vec!["token_vault_privileged_access.grants"]),
        (NoWorkerAddresses(WORKER.to_owned()), "worker-ip-allowlist", "failed", vec!["ip_allowlist"]),
        (
            WideWorkerAddresses(WORKER.to_owned()),
            "bypass-worker-addresses",
            "warning",
            vec!["ip_allowlist", "0.0.0.0/0"],
        ),
        (NoApi, "api-exists", "failed", vec!["Create an API", "resource-servers", "token_vault.audience"]),
        (NoOfflineAccess, "api-offline-access", "failed", vec!["Allow Offline Access", "allow_offline_access"]),
        (Hs256, "api-signing", "failed", vec!["RS256 or PS256", "signing_alg"]),
        (NoMyAccount, "my-account-api", "failed", vec!["Activate"]),
        (NoMyAccountGrant, "my-account-grant", "failed", vec!["subject_type", "client-grants", LOGIN]),
        (
            MyAccountGrantForClients,
            "my-account-grant",
            "failed",
            vec!["subject_type: client", "Delete the grant", "cgr_1"],
        ),
        (MyAccountGrantNarrow, "my-account-grant", "failed", vec!["create:me:connected_accounts", "PATCH"]),
        (NoMrrt(login()), "my-account-mrrt", "failed", vec!["Multi-Resource Refresh Token", "policies"]),
        (ConnectionOff, "connection-enabled", "failed", vec![GOOGLE, LOGIN, "/clients"]),
        (NotOffline, "connection-offline", "failed", vec!["access_type", "offline", GOOGLE]),
        (NoLogStream, "log-stream", "failed", vec![super::RECEIVER, "log-streams", "log_stream_authorization"]),
        (StreamElsewhere, "log-stream", "failed", vec![super::RECEIVER]),
        (StreamPaused, "log-stream-status", "failed", vec!["start stream", "active"]),
        (StreamFormat, "log-stream-format", "failed", vec!["JSON Array", "httpContentFormat"]),
        (StreamFiltered, "log-stream-filters", "warning", vec!["Take the filters off"]),
        (StrangerHasGrant, "bypass-clients", "warning", vec!["stranger", "Somebody's agent", "grant_types"]),
    ]
}

/// Not only found: nothing else is blamed for it.
#[test]
fn each_fault_is_found_alone_and_told_with_its_remedy() {
    let clinic = Clinic::open();
    for (fault, id, status, words) in table() {
        clinic.sim.spoil(std::slice::from_ref(&fault));
        let (code, checks) = clinic.checks(&[]);
        found(&checks, (id, status), &words, &format!("{fault:?}"));
        assert_eq!(code, Some(i32::from(status == "failed")), "{fault:?}");
        let only: Vec<String> = ids(&checks, "failed").into_iter().chain(ids(&checks, "warning")).collect();
        assert_eq!(only, [id], "{fault:?}");
    }
}

#[track_caller]
fn found(checks: &[Value], (id, status): (&str, &str), words: &[&str], what: &str) {
    let check = checks.iter().find(|check| check["id"] == id && check["status"] == status);
    let check = check.unwrap_or_else(|| panic!("{what}: no {id} is {status}: {checks:#?}"));
    let said = check.to_string();
    for word in words {
        assert!(said.contains(word), "{what}: `{word}` is not said: {check:#}");
    }
    let call = check["where"]["api"].as_str().unwrap_or_default();
    assert!(!["{id}", "{client}", "{path}", "{domain}"].iter().any(|name| call.contains(name)), "unfilled: {check:#}");
    assert!(check["change"].as_str().is_some_and(|change| !change.contains(['{', '}'])), "unfilled: {check:#}");
}

#[test]
fn a_connection_that_is_missing_or_for_login_only_is_found() {
    let mut clinic = Clinic::open();
    clinic.sim.spoil(&[LoginOnly]);
    let (code, checks) = clinic.checks(&[]);
    assert_eq!((code, ids(&checks, "failed")), (Some(1), vec!["connection-purpose".to_owned()]));
    let (_, checks) = clinic.checks(&["--connection", GOOGLE]);
    found(&checks, ("connection-purpose", "failed"), &["Connected Accounts for Token Vault", GOOGLE], "login only");
    clinic.sim.spoil(&[NoConnection]);
    clinic.configure("/token_vault/exclusive", json!([GOOGLE]));
    let (_, checks) = clinic.checks(&[]);
    assert_eq!(ids(&checks, "failed"), ["connection-exists"]);
    found(&checks, ("connection-exists", "failed"), &[GOOGLE, "Create a connection"], "gone");
}

#[test]
fn providers_that_give_no_refresh_tokens_are_warned_of() {
    let clinic = Clinic::open();
    clinic.sim.create_connection("github", "github");
    clinic.sim.create_connection("slack", "sign-in-with-slack");
    let (code, checks) = clinic.checks(&[]);
    assert_eq!((code, ids(&checks, "warning")), (Some(0), vec!["connection-refresh-tokens".to_owned()]));
    let warned = checks.iter().filter(|check| check["status"] == "warning");
    let warned: Vec<&str> = warned.filter_map(|check| check["about"].as_str()).collect();
    assert_eq!(warned, ["connection github", "connection slack"]);
    found(&checks, ("connection-refresh-tokens", "warning"), &["GitHub App", "rotation"], "GitHub");
}

#[test]
fn what_the_tenant_as_a_whole_does_wrong_is_found() {
    let clinic = Clinic::open();
    clinic.sim.set_fault_on(
        Endpoint::Discovery,
        Fault::Custom { status: 200, body: r#"{"issuer":"https://other.test/"}"#.into() },
    );
    let (_, checks) = clinic.checks(&[]);
    assert_eq!(ids(&checks, "failed"), ["issuer"]);
    found(&checks, ("issuer", "failed"), &["https://other.test/", "token_vault.auth0_domain"], "other issuer");
    for fault in
        [Fault::Garbage, Fault::Status(404), Fault::Disconnect, Fault::Truncated, Fault::HugeBody, Fault::Redirect]
    {
        clinic.sim.set_fault_on(Endpoint::Discovery, fault.clone());
        let (code, checks) = clinic.checks(&[]);
        assert_eq!((code, ids(&checks, "failed")), (Some(1), vec!["domain-reachable".to_owned()]), "{fault:?}");
        found(&checks, ("domain-reachable", "failed"), &["auth0_domain"], "unreachable");
    }
    assert_eq!(clinic.sim.requests(onesec_auth0_sim::RequestKind::Stolen), 0);
}

#[test]
fn a_name_that_nobody_has_is_not_mistaken_for_anything_else() {
    let mut clinic = Clinic::open();
    clinic.configure("/token_vault/auth0_domain", json!("no-such-tenant.invalid"));
    clinic.configure("/token_vault/auth0_base_url", Value::Null);
    let (code, checks) = clinic.checks(&[]);
    assert_eq!((code, ids(&checks, "failed")), (Some(1), vec!["domain-reachable".to_owned()]));
    assert!(ids(&checks, "unknown").contains(&"client-grant".to_owned()), "{checks:#?}");
}

#[test]
fn wrong_credentials_are_told_client_by_client() {
    for (pointer, client) in
        [("/token_vault/auth0_client_secret", LOGIN), ("/token_vault/clients/0/client_secret", API)]
    {
        let mut clinic = Clinic::open();
        clinic.configure(pointer, json!("wr0ng"));
        let (code, checks) = clinic.checks(&[]);
        assert_eq!((code, ids(&checks, "failed")), (Some(1), vec!["client-credentials".to_owned()]), "{client}");
        found(&checks, ("client-credentials", "failed"), &[client, "Copy id and secret"], client);
        assert_eq!(checks.iter().filter(|check| check["status"] == "failed").count(), 1);
    }
    // A worker whose key is not registered.
    let clinic = Clinic::open();
    let other = onesec_identity::SigningKey::generate(onesec_identity::Algorithm::Rs256).expect("a key");
    std::fs::write(clinic.dir().join("worker.pem"), other.to_pem().expect("PEM").expose_to_wire()).expect("written");
    let (_, checks) = clinic.checks(&[]);
    assert_eq!(ids(&checks, "failed"), ["client-credentials"]);
    found(&checks, ("client-credentials", "failed"), &[WORKER, "private_key_file"], "key");
    // And that of the Management API.
    let mut clinic = Clinic::open();
    clinic.configure("/enforcement/auth0/client_secret", json!("wr0ng"));
    let (code, checks) = clinic.checks(&[]);
    assert_eq!((code, ids(&checks, "failed")), (Some(1), vec!["management-token".to_owned()]));
    found(&checks, ("management-token", "failed"), &["enforcement.auth0"], ADMIN);
}

#[test]
fn clients_that_the_tenant_does_not_have_are_not_called_wrong_in_every_way() {
    let mut clinic = Clinic::open();
    clinic.configure("/token_vault/auth0_client_id", json!("misspelt"));
    let (code, checks) = clinic.checks(&["--check", "client-credentials", "--check", "client-grant"]);
    assert_eq!(
        (code, ids(&checks, "failed")),
        (Some(1), vec!["client-credentials".to_owned(), "client-grant".to_owned()])
    );
    found(&checks, ("client-grant", "failed"), &["no such client"], "misspelt");
}

#[test]
fn who_only_logged_in_is_not_connected() {
    let clinic = Clinic::open();
    clinic.sim.create_user(BEN);
    let of = |user: &str| clinic.checks(&["--user", user, "--connection", GOOGLE]);
    let (code, checks) = of(BEN);
    assert_eq!((code, ids(&checks, "failed")), (Some(1), vec!["user-connected".to_owned()]));
    found(&checks, ("user-connected", "failed"), &["never connected", "connected-accounts/connect"], "never");
    clinic.sim.log_in_with(BEN, GOOGLE);
    found(&of(BEN).1, ("user-connected", "failed"), &["logged in with it", "does not connect it"], "logged in");
    found(&of("auth0|nobody").1, ("user-connected", "failed"), &["no such user"], "nobody");
    clinic.sim.connect_account(onesec_auth0_sim::AccountSpec::new(ANA, GOOGLE, "email")).expect("connected");
    found(&of(ANA).1, ("user-login-hint", "warning"), &["login_hint", "2 accounts"], "two");
    // Ids with every character that a path gives a meaning.
    for odd in ["a/../../b?c#d", "..", "%2e%2e", "a b\u{202e}"] {
        let (code, _) = of(odd);
        assert!(matches!(code, Some(1 | 3)), "{odd}: {code:?}");
    }
}

#[test]
fn an_audience_that_only_the_first_client_serves_takes_a_custom_api_client() {
    let mut clinic = Clinic::open();
    clinic.configure("/token_vault/audience", json!([onesec_e2e::world::AUDIENCE, "https://second.test"]));
    clinic.sim.create_api("https://second.test");
    let (_, checks) = clinic.checks(&[]);
    assert_eq!(ids(&checks, "failed"), ["client-custom-api"]);
    found(&checks, ("client-custom-api", "failed"), &["https://second.test", "use: access"], "second");
}

#[test]
fn many_clients_are_read_page_by_page_and_not_all_named() {
    let clinic = Clinic::open();
    for n in 0..130 {
        clinic.sim.create_client(onesec_auth0_sim::ClientSpec::regular(&format!("agent-{n:03}"), "s3cret"));
    }
    let (code, checks) = clinic.checks(&["--check", "bypass-clients"]);
    let seen: Vec<&str> = checks.iter().filter_map(|check| check["seen"].as_str()).collect();
    assert_eq!((code, checks.len(), seen.last().copied()), (Some(0), 21, Some("110 more clients have it")), "{seen:?}");
}
