//! What each type of entry becomes.

use std::path::Path;

use onesec_telemetry::{Code, Details, Thumbprint};
use serde_json::{Value, json};

use super::*;

fn read(element: &Value) -> Result<LogEntry, Rejection> {
    read_log(&element.to_string(), Catalogue::builtin())
}

fn entry(code: &str, more: Value) -> Value {
    let mut data = json!({
        "log_id": "90020261128", "type": code, "date": "2026-11-28T10:00:00.123Z", "user_id": "auth0|ana",
        "connection": "google-oauth2", "client_id": "app-1", "ip": "203.0.113.9", "user_agent": "tests",
    });
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
    json!({"log_id": "90020261128", "data": data})
}

fn event(element: &Value) -> Event {
    match read(element).map(|entry| entry.meaning) {
        Ok(Meaning::Informs(event) | Meaning::Ends(event) | Meaning::Grants(event)) => *event,
        other => panic!("{element}: {other:?}"),
    }
}

#[test]
fn an_exchange_is_read_with_its_token() {
    let print = Thumbprint::of(b"ya29.token");
    for text in [print.to_string(), print.to_base64url(), print.to_string().to_uppercase()] {
        let details = json!({"token_thumbprint": text, "scope": "openid https://www.googleapis.com/auth/calendar.readonly",
            "expires_at": "2026-11-28T11:00:00.123Z", "issued_token_type": "t", "is_privileged_worker": false});
        let event = event(&entry("seta", json!({"details": details})));
        let Details::TokenExchangeResponse(told) = &event.details else { panic!("{event:?}") };
        assert_eq!((told.success, told.token_thumbprint, told.expires_in), (true, Some(print), Some(3_600)));
        assert_eq!(told.scopes.as_ref().map(ToString::to_string).as_deref(), Some("calendar.readonly openid"));
        assert_eq!((event.id.as_str(), event.common.agent_id.is_none()), ("90020261128", true));
        assert_eq!(event.common.user_id.as_ref().map(AsRef::as_ref), Some("auth0|ana"));
        assert!(event.timestamp.is_some());
    }
    let odd = event(&entry("seta", json!({"details": {"token_thumbprint": "sha1-of-something"}})));
    assert!(
        matches!(odd.details, Details::TokenExchangeResponse(told) if told.token_thumbprint.is_none() && told.success)
    );
    let refused = event(&entry("feta", json!({"details": {"failure_reason": "tokenset_not_found"}})));
    assert!(matches!(refused.details, Details::TokenExchangeResponse(told) if !told.success && told.error.is_some()));
}

#[test]
fn the_flat_entry_of_a_page_is_the_wrapped_one_of_a_stream() {
    let wrapped = entry("seta", json!({}));
    let mut flat = wrapped["data"].clone();
    assert_eq!(read(&flat), read(&wrapped));
    flat["_id"] = flat["log_id"].take();
    assert_eq!(read(&flat), read(&wrapped));
    let outside = json!({"log_id": "90020261128", "data": {"type": "seta", "connection": "github"}});
    assert_eq!(event(&outside).id.as_str(), "90020261128");
}

#[test]
fn a_link_needs_more_than_the_logs_word_and_an_unlink_does_not() {
    let details = json!({"details": {"connected_account": {"id": "cac_1"}}});
    let linked = read(&entry("connected_accounts_connection_succeeded", details.clone())).expect("read");
    assert!(matches!(&linked.meaning, Meaning::Grants(event)
        if matches!(&event.details, Details::ConnectedAccountLink(link) if link.scopes.is_none() && link.account_id.is_some())));
    let unlinked = read(&entry("connected_accounts_delete_succeeded", details)).expect("read");
    assert!(
        matches!(&unlinked.meaning, Meaning::Ends(event) if matches!(event.details, Details::ConnectedAccountUnlink(_)))
    );
    let nobody = entry("connected_accounts_delete_succeeded", json!({"user_id": null}));
    assert_eq!(
        read(&nobody).map_err(|why| (why.code, why.pointer)),
        Err((Code::MissingField, "/details/user_id".into()))
    );
}

#[test]
fn of_a_change_of_the_tenant_no_value_is_kept() {
    let change = |method: &str, path: &str, body: Value| {
        entry("sapi", json!({"details": {"request": {"method": method, "path": path, "body": body}}}))
    };
    let paused = change(
        "patch",
        "/api/v2/log-streams/lst_1?x=y",
        json!({"status": "paused", "sink": {"httpAuthorization": "hunter2"}}),
    );
    let event = event(&paused);
    let said = event.extra.as_ref().map(|extra| extra.to_value()).unwrap_or_default();
    assert_eq!(event.kind_name(), "custom.auth0.tenant_change");
    assert_eq!(
        (&said["target"], &said["action"], &said["status"]),
        (&json!("log-streams"), &json!("update"), &json!("paused"))
    );
    assert_eq!((&said["members"], &said["path"]), (&json!(["sink", "status"]), &json!("/api/v2/log-streams/lst_1")));
    assert!(!said.to_string().contains("hunter2"), "{said}");
    for everyday in [
        change("patch", "/api/v2/users/auth0|ana", json!({})),
        change("get", "/api/v2/clients", json!({})),
        entry("sapi", json!({"details": {}})),
    ] {
        assert_eq!(read(&everyday).map(|entry| entry.meaning), Ok(Meaning::Ignored), "{everyday}");
    }
}

#[test]
fn what_is_not_read_is_ignored_by_name() {
    let type_of = |code: &str| read(&entry(code, json!({}))).map(|entry| (entry.log_type, entry.meaning));
    assert_eq!(type_of("slo"), Ok(("slo", Meaning::Ignored)));
    assert_eq!(type_of("made_up"), Ok(("other", Meaning::Ignored)));
    // An entry of no interest may look as it likes.
    assert!(read(&json!({"type": "slo", "details": [1]})).is_ok());
    assert!(read(&entry("sertft", json!({"client_id": null}))).is_ok());
}

#[test]
fn what_cannot_be_an_entry_says_why_and_not_what() {
    let refused = |text: &str| read_log(text, Catalogue::builtin()).expect_err("refused");
    assert_eq!(refused("nonsense").code, Code::Malformed);
    assert_eq!(refused("[1]").code, Code::WrongType);
    assert_eq!(refused(r#"{"type":"seta","user_id":7,"log_id":"1"}"#).code, Code::WrongType);
    assert_eq!(refused(r#"{"type":"seta","type":"slo"}"#).code, Code::DuplicateMember);
    assert_eq!(refused(r#"{"type":"seta","connection":"github"}"#).code, Code::MissingField);
    let secret = refused(
        r#"{"type":"seta","log_id":"1","details":{"scope":["gho_0123456789abcdefghij0123456789abcdef \u0000"]},"connection":"github"}"#,
    );
    assert!(!secret.to_string().contains("gho_"), "{secret}");
}

#[test]
fn no_type_stands_twice() {
    let mut all: Vec<&str> = log_types().collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn the_mapping_is_written_down() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/auth0-logs.md");
    let text = log_mapping();
    if std::env::var_os("ONESEC_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "docs/auth0-logs.md is out of date: ONESEC_WRITE_DOCS=1 cargo test -p onesec-auth0 the_mapping_is"
    );
}
