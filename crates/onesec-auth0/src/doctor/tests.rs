//! The judgement alone.

use std::time::Duration;

use onesec_telemetry::Timestamp;

use super::*;
use crate::error::{ExchangeError, OAuthCode};
use crate::rest::ApiError;

#[test]
fn checks_have_ids_of_their_own_and_say_what_to_do() {
    let mut seen = std::collections::BTreeSet::new();
    for check in catalogue() {
        assert!(seen.insert(check.id), "{} twice", check.id);
        assert!(check.id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", check.id);
        for text in [check.title, check.change, check.dashboard, check.reference] {
            assert!(!text.is_empty() && !text.contains("  "), "{}: {text:?}", check.id);
        }
    }
    assert!(seen.len() >= 30, "{}", seen.len());
}

#[test]
fn nothing_is_asked_for_that_shows_secrets_or_changes_anything_unless_said() {
    for scope in scopes() {
        assert!(scope.starts_with("read:"), "{scope}");
        assert!(!["read:client_keys", "read:client_credentials"].contains(&scope), "{scope}");
    }
}

/// Facts of a tenant of which nothing is known.
fn unknown() -> Facts {
    Facts {
        domain: "tenant.eu.auth0.com".into(),
        now: Timestamp::from_secs(1_800_000_000),
        discovery: Discovery::Issuer("https://tenant.eu.auth0.com/".into()),
        management: None,
        mfa: Seen::Untold(Untold::NoManagement),
        clients: Vec::new(),
        apis: Vec::new(),
        my_account: Seen::Untold(Untold::NoManagement),
        connections: Vec::new(),
        all_connections: Seen::Untold(Untold::NoManagement),
        user: None,
        streams: Seen::Untold(Untold::NoManagement),
        server: Server::default(),
        all_clients: Seen::Untold(Untold::NoManagement),
        proxy: None,
        custom_domains: Seen::Missing,
        acls: Seen::Missing,
    }
}

fn the<'a>(report: &'a Report, id: &str) -> &'a Checked {
    report.checked().iter().find(|checked| checked.check.id == id).expect("made")
}

#[test]
fn what_is_not_known_is_neither_well_nor_wrong() {
    let report = judge(&unknown());
    assert_eq!(report.count(Status::Failed), 0);
    for id in ["mfa-policy", "my-account-api", "connection-purpose", "log-stream", "bypass-clients"] {
        assert_eq!(the(&report, id).status, Status::Unknown, "{id}");
        assert!(the(&report, id).change.contains("enforcement.auth0"), "{id}");
    }
}

#[test]
fn a_stream_that_our_server_hears_nothing_of_is_warned_of() {
    let status = |server: Server| the(&judge(&Facts { server, ..unknown() }), "log-stream-recent").status;
    let heard = |seconds: u64| Server {
        takes_logs: true,
        asked: true,
        last_log: Some(unknown().now.before(Duration::from_secs(seconds))),
        ..Server::default()
    };
    assert_eq!(status(heard(60)), Status::Ok);
    assert_eq!(status(heard(86_401)), Status::Warning);
    assert_eq!(status(Server { takes_logs: true, asked: true, ..Server::default() }), Status::Warning, "never");
    assert_eq!(status(Server { takes_logs: true, ..Server::default() }), Status::Skipped, "nobody to ask");
    assert_eq!(status(Server::default()), Status::Skipped, "none is expected");
}

/// Names are the tenant's: whoever may create a client there writes into our terminal.
#[test]
fn names_steer_no_terminal_show_no_token_and_fill_no_template() {
    let stranger = ClientSummary {
        client_id: "c\u{1b}[2J{domain}".into(),
        name: format!("bot ghp_{} \u{7}", "0123456789abcdefghijklmnopqrstuvwxyz"),
        grant_types: Some(vec![crate::vault::GRANT.into()]),
    };
    let report = judge(&Facts { all_clients: Seen::Is(vec![stranger]), ..unknown() });
    let shown = the(&report, "bypass-clients").to_json().to_string();
    assert!(!shown.contains("\\u001b") && !shown.contains("\\u0007") && !shown.contains("0123456789abcdef"), "{shown}");
    assert_eq!(the(&report, "bypass-clients").status, Status::Warning);
}

#[test]
fn an_administrator_that_is_refused_is_told_apart_from_an_outage() {
    let status = |error| the(&judge(&Facts { management: Some(Err(error)), ..unknown() }), "management-token").status;
    let refused = ExchangeError::Refused {
        status: 401,
        error: OAuthCode::new("access_denied"),
        error_description: None,
        retry_after: None,
    };
    assert_eq!(status(refused), Status::Failed);
    assert_eq!(status(ExchangeError::Unreachable { timed_out: true, maybe_sent: true }), Status::Warning);
}

#[test]
fn a_missing_scope_is_named_by_every_check_that_needs_it() {
    let refused = ApiError::Refused { status: 403, code: OAuthCode::new("insufficient_scope") };
    let facts = Facts {
        mfa: Seen::Untold(Untold::Error(refused.clone())),
        streams: Seen::Untold(Untold::Error(refused)),
        ..unknown()
    };
    let report = judge(&facts);
    for (id, scope) in [("mfa-policy", "read:mfa_policies"), ("log-stream", "read:log_streams")] {
        assert!(the(&report, id).change.contains(scope), "{:?}", the(&report, id));
    }
}
