//! Tests.

use serde_json::json;

use super::*;
use crate::catalogue::Catalogue;
use crate::id::{AgentId, ConnectionName};
use crate::limits::{MAX_BATCH_EVENTS, MAX_DEPTH, MAX_EVENT_BYTES};

fn id(text: &str) -> EventId {
    EventId::new(text).expect("valid id")
}

fn decode(text: &str) -> Result<(Event, Vec<Warning>), Rejection> {
    decode_event(text, options(&KnownConnections::default(), None), &id("e-1"))
}

fn options<'a>(connections: &'a KnownConnections, bound_agent: Option<&'a AgentId>) -> DecodeOptions<'a> {
    DecodeOptions { connections, catalogue: Catalogue::builtin(), bound_agent }
}

fn details(kind: &str, details: serde_json::Value) -> String {
    json!({"type": kind, "details": details}).to_string()
}

fn exchange(details_json: serde_json::Value) -> Result<Event, Rejection> {
    decode(&details("token_exchange", details_json)).map(|(event, _)| event)
}

#[track_caller]
fn rejected(text: &str, code: Code, pointer: &str) -> Rejection {
    let rejection = decode(text).expect_err(text);
    assert_eq!((rejection.code, rejection.pointer.as_str()), (code, pointer), "{text}: {rejection}");
    rejection
}

/// A value that the field type accepts, and what the contract calls it.
fn sample(field: &FieldSpec) -> serde_json::Value {
    match field.type_name {
        "str" => json!("x1"),
        "int" => json!(3),
        "num" => json!(3.5),
        "bool" => json!(true),
        "time" => json!("2026-01-01T00:00:00Z"),
        "scopes" => json!("repo, read:org"),
        "[str]" => json!(["a", "b"]),
        "json" => json!({"a": [1]}),
        "thumbprint" => json!("a".repeat(64)),
        other => panic!("no sample for {other}"),
    }
}

fn full(kind: Kind) -> serde_json::Value {
    let spec = kind.spec();
    let mut map = serde_json::Map::new();
    for name in ["agent_id", "user_id", "connection", "task_id", "session_id", "trace_id", "client_id"] {
        map.insert(name.into(), json!(format!("{name}-1")));
    }
    for field in spec.fields {
        map.insert(field.name.into(), sample(field));
    }
    json!({"type": kind.as_str(), "id": "e-9", "timestamp": 1_767_225_600, "details": map})
}

#[test]
fn every_kind_survives_json_and_the_journal() {
    for kind in Kind::ALL {
        let sent = full(*kind);
        let (event, warnings) = decode(&sent.to_string()).unwrap_or_else(|e| panic!("{}: {e}", kind.as_str()));
        assert_eq!((event.kind(), warnings), (*kind, vec![]), "{}", kind.as_str());
        let shown = event.to_json();
        let (again, _) = decode(&shown.to_string()).expect("what we show can be sent");
        assert_eq!(again, event, "{}", kind.as_str());
        let bytes = postcard::to_stdvec(&event).expect("encodes");
        let back: Event = postcard::from_bytes(&bytes).expect("decodes");
        assert_eq!(back, event, "{}", kind.as_str());
    }
}

#[test]
fn every_required_field_is_required_and_named() {
    for kind in Kind::ALL {
        let spec = kind.spec();
        let needs = spec.needs.iter().map(|n| n.field());
        let required = spec.fields.iter().filter(|f| f.required).map(|f| f.name);
        for name in needs.chain(required) {
            let mut sent = full(*kind);
            sent["details"].as_object_mut().expect("object").remove(name);
            rejected(&sent.to_string(), Code::MissingField, &format!("/details/{name}"));
        }
    }
}

#[test]
fn aliases_of_kinds_and_fields_are_read() {
    let (event, _) = decode(&details("agent_created", json!({"agent_id": "a", "parent_agent": "p"}))).expect("alias");
    assert_eq!(event.kind(), Kind::AgentSpawn);
    let Details::AgentSpawn(spawn) = event.details else { panic!("wrong kind") };
    assert_eq!(spawn.parent_id.expect("alias").as_str(), "p");
    let event = exchange(json!({"connection": "github", "scope": "repo"})).expect("alias");
    assert_eq!(event.details.scopes().expect("scopes").to_string(), "repo");
    let both = details("token_exchange", json!({"connection": "github", "scope": "repo", "scopes": "gist"}));
    rejected(&both, Code::DuplicateMember, "/details/scope");
}

#[test]
fn every_spelling_of_scopes_is_one_set() {
    let want = exchange(json!({"connection": "github", "scopes": "gist repo"})).expect("valid");
    for scopes in [
        json!("repo gist"),
        json!("repo,gist"),
        json!("repo, gist\t"),
        json!(["repo", "gist"]),
        json!(["repo gist"]),
        json!(["gist,repo", "repo"]),
        json!("REPO Gist"),
    ] {
        let got = exchange(json!({"connection": "github", "scopes": scopes})).expect("valid");
        assert_eq!(got.details.scopes(), want.details.scopes(), "{scopes}");
    }
    let aliased =
        exchange(json!({"connection": "google-oauth2", "scopes": "https://www.googleapis.com/auth/gmail.readonly"}));
    assert_eq!(aliased.expect("valid").details.scopes().expect("scopes").to_string(), "gmail.readonly");
}

#[test]
fn absent_and_empty_scopes_differ() {
    assert_eq!(exchange(json!({"connection": "github"})).expect("valid").details.scopes(), None);
    assert_eq!(exchange(json!({"connection": "github", "scopes": null})).expect("valid").details.scopes(), None);
    let none = exchange(json!({"connection": "github", "scopes": []})).expect("valid");
    assert!(none.details.scopes().is_some_and(crate::ScopeSet::is_empty));
}

#[test]
fn numbers_and_booleans_come_as_values_or_strings() {
    for success in [json!(true), json!("true")] {
        let sent =
            details("token_exchange_response", json!({"connection": "github", "success": success, "expires_in": "42"}));
        let (event, _) = decode(&sent).expect("valid");
        let Details::TokenExchangeResponse(d) = event.details else { panic!("wrong kind") };
        assert_eq!((d.success, d.expires_in), (true, Some(42)));
    }
    for wrong in [json!(1), json!("yes"), json!({}), json!("TRUE")] {
        let sent = details("token_exchange_response", json!({"connection": "github", "success": wrong}));
        rejected(&sent, Code::WrongType, "/details/success");
    }
}

#[test]
fn wrong_input_is_told_what_is_wrong() {
    rejected("{}", Code::MissingType, "/type");
    rejected("[]", Code::WrongType, "");
    rejected("{\"type\":", Code::Malformed, "");
    rejected(
        &details("token_exchange", json!({"connection": "github", "agent_id": 7})),
        Code::WrongType,
        "/details/agent_id",
    );
    rejected(&details("token_exchange", json!({"connection": " "})), Code::EmptyId, "/details/connection");
    rejected(
        &details("token_exchange", json!({"connection": "git\u{200b}hub"})),
        Code::HiddenCharacter,
        "/details/connection",
    );
    rejected(&details("token_exchange", json!([])), Code::WrongType, "/details");
    rejected(
        r#"{"type":"agent_stop","details":{"agent_id":"a","agent_id":"b"}}"#,
        Code::DuplicateMember,
        "/details/agent_id",
    );
    rejected(r#"{"type":"agent_stop","type":"agent_goal","details":{"agent_id":"a"}}"#, Code::DuplicateMember, "/type");
    rejected(&details("custom.No", json!({})), Code::BadCustomName, "/type");
    rejected(
        &details("agent_identity_delegation", json!({"agent_id": "a", "delegated_by": "u", "expires_at": "soon"})),
        Code::BadTime,
        "/details/expires_at",
    );
    let kind = rejected(&details("Connected_Account_Usage", json!({})), Code::UnknownKind, "/type");
    assert_eq!(kind.suggestion.as_deref(), Some("connected_account_usage"));
}

#[test]
fn a_case_variant_of_a_known_connection_is_rejected_with_the_right_name() {
    let known = KnownConnections::new([ConnectionName::new("google-oauth2").expect("valid")]);
    let sent = details("token_exchange", json!({"connection": "Google-OAuth2"}));
    let rejection = decode_event(&sent, options(&known, None), &id("e")).expect_err("case variant");
    assert_eq!((rejection.code, rejection.suggestion.as_deref()), (Code::UnknownConnection, Some("google-oauth2")));
    let sent = details("token_exchange", json!({"connection": "google-oauth2"}));
    assert!(decode_event(&sent, options(&known, None), &id("e")).is_ok());
}

#[test]
fn a_bound_key_fills_in_its_agent_and_does_not_override_one() {
    let (known, bound) = (KnownConnections::default(), AgentId::new("bot-7").expect("valid"));
    let read =
        |text: &str| decode_event(text, options(&known, Some(&bound)), &id("e")).expect("valid").0.common.agent_id;
    assert_eq!(read(&details("agent_goal", json!({"goal": "x"}))), Some(bound.clone()));
    let other = read(&details("agent_goal", json!({"goal": "x", "agent_id": "bot-8"})));
    assert_eq!(other.expect("named").as_str(), "bot-8");
}

#[test]
fn unknown_members_are_kept_and_misspelt_ones_are_warned_about() {
    let sent = details("token_exchange", json!({"connection": "github", "agentid": "a", "colour": "red"}));
    let (event, warnings) = decode(&sent).expect("valid");
    assert_eq!(event.extra.expect("kept").to_value(), json!({"agentid": "a", "colour": "red"}));
    let codes: Vec<&str> = warnings.iter().map(|w| w.code.as_ref()).collect();
    assert_eq!(codes, ["unknown-field"]);
    let sent = details("agent_identity_delegation", json!({"agent_id": "a", "delegated_by": "u"}));
    assert_eq!(decode(&sent).expect("valid").1[0].code, "delegation-without-connection");
}

#[test]
fn what_tries_to_steer_is_kept_as_data() {
    let sent = json!({"type": "agent_stop", "module": "x", "severity": "CRITICAL", "source_ip": "1.2.3.4",
                      "details": {"agent_id": "a"}});
    let (event, _) = decode(&sent.to_string()).expect("valid");
    let envelope = event.envelope.expect("kept");
    assert_eq!(envelope.severity.expect("kept").as_str(), "CRITICAL");
    assert_eq!(envelope.extra.expect("kept").to_value(), json!({"module": "x"}));
}

#[test]
fn no_secret_survives_decoding() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let sent = json!({"type": "tool_call", "summary": format!("used {token}"), "access_token": token,
        "details": {"agent_id": token, "tool": "t", "arguments": {"password": "hunter2!", "url": format!("https://h/p?t={token}")},
                    "result": format!("Bearer {token}"), "nested": [{"x": token}], "target": token}});
    let (event, _) = decode(&sent.to_string()).expect("valid");
    for text in [event.to_json().to_string(), format!("{event:?}")] {
        assert!(!text.contains(&token) && !text.contains("hunter2"), "{text}");
    }
    let rejection = decode(&details(&token, json!({}))).expect_err("no kind");
    assert!(!rejection.to_string().contains(&token), "{rejection}");
    let rejection = decode(&details("token_exchange", json!({"connection": "github", "agent_id": {token.clone(): 1}})));
    assert!(!rejection.expect_err("wrong type").to_string().contains(&token));
}

#[test]
fn an_attestation_is_at_hand_for_the_edge_and_never_kept() {
    let jwt = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln";
    let sent = details(
        "agent_identity_delegation",
        json!({"agent_id": "a", "delegated_by": "u", "connection": "c", "attestation": jwt}),
    );
    let (event, _) = decode(&sent).expect("valid");
    assert!(!event.to_json().to_string().contains(jwt));
    let bytes = postcard::to_stdvec(&event).expect("encodes");
    assert!(!bytes.windows(jwt.len()).any(|w| w == jwt.as_bytes()));
    let Details::AgentIdentityDelegation(d) = event.details else { panic!("wrong kind") };
    assert_eq!(d.attestation.expect("there").text.expect("at hand").expose_to_wire(), jwt);
}

#[test]
fn limits_hold() {
    let deep = format!("{}1{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
    let sent = format!(r#"{{"type":"tool_call","details":{{"agent_id":"a","tool":"t","arguments":{deep}}}}}"#);
    rejected(&sent, Code::TooDeep, "/details/arguments");
    let sent = format!(r#"{{"type":"tool_call","details":{{"agent_id":"a","tool":"t","extra":{deep}}}}}"#);
    rejected(&sent, Code::TooDeep, "/details/extra");
    let sent = details("agent_goal", json!({"agent_id": "a", "goal": "x".repeat(MAX_EVENT_BYTES)}));
    rejected(&sent, Code::EventTooLarge, "");
    let many: serde_json::Map<_, _> = (0..200).map(|i| (format!("f{i}"), json!(1))).collect();
    rejected(&details("agent_goal", serde_json::Value::Object(many)), Code::TooManyFields, "/details");
    rejected(
        &details("token_exchange", json!({"connection": "x".repeat(300)})),
        Code::IdTooLong,
        "/details/connection",
    );
}

fn body(text: &str, format: BodyFormat) -> Result<Vec<Item>, BodyError> {
    let mut n = 0;
    decode_body(text.as_bytes(), format, options(&KnownConnections::default(), None), || {
        n += 1;
        id(&format!("made-{n}"))
    })
}

fn verdicts(items: &[Item]) -> Vec<Result<&str, Code>> {
    items
        .iter()
        .map(|item| match item {
            Item::Accepted { event, .. } => Ok(event.id.as_str()),
            Item::Rejected { rejection, .. } => Err(rejection.code),
        })
        .collect()
}

#[test]
fn one_bad_event_never_spoils_its_batch() {
    let good = r#"{"id":"g","type":"agent_stop","details":{"agent_id":"a"}}"#;
    let items = body(&format!("[{good}, 7, {{\"type\":\"agent_stop\"}}, {good}]"), BodyFormat::Json).expect("splits");
    assert_eq!(verdicts(&items), [Ok("g"), Err(Code::WrongType), Err(Code::MissingField), Ok("g")]);
    let items = body(&format!("{good}\n\n{{nope\n{good}\n"), BodyFormat::Ndjson).expect("splits");
    assert_eq!(verdicts(&items), [Ok("g"), Err(Code::Malformed), Ok("g")]);
    let items = body(r#"{"type":"agent_stop","details":{"agent_id":"a"}}"#, BodyFormat::Json).expect("one");
    assert_eq!(verdicts(&items), [Ok("made-1")]);
}

#[test]
fn bodies_that_cannot_be_split_say_why() {
    let good = r#"{"type":"agent_stop","details":{"agent_id":"a"}}"#;
    assert_eq!(body(&format!("{good} {good}"), BodyFormat::Json).expect_err("two"), BodyError::SeveralDocuments);
    assert_eq!(body(" \n", BodyFormat::Json).expect_err("empty"), BodyError::Empty);
    assert_eq!(body("[]", BodyFormat::Json).expect_err("empty"), BodyError::Empty);
    assert!(matches!(body("[1,", BodyFormat::Json), Err(BodyError::NotJson { .. })));
    assert_eq!(
        decode_body(&[0xff], BodyFormat::Json, options(&KnownConnections::default(), None), || id("x"))
            .expect_err("bytes"),
        BodyError::NotUtf8
    );
    let many = "1\n".repeat(MAX_BATCH_EVENTS + 1);
    assert_eq!(body(&many, BodyFormat::Ndjson).expect_err("many"), BodyError::TooManyEvents);
}

#[test]
fn what_is_rejected_is_kept_redacted() {
    let items = body(r#"[{"type":"nope","details":{"password":"hunter2!"}}]"#, BodyFormat::Json).expect("splits");
    let Item::Rejected { redacted, size, .. } = &items[0] else { panic!("accepted") };
    assert!(redacted.contains("sha256:") && !redacted.contains("hunter2"), "{redacted}");
    assert_eq!(*size, 49);
}

#[test]
fn cloud_events_are_read_structured_and_batched() {
    let event = r#"{"specversion":"1.0","id":"c-1","source":"/agents","type":"agent_stop","time":"2026-01-01T00:00:00Z",
                    "datacontenttype":"application/json","data":{"agent_id":"a"}}"#;
    let items = body(&format!("[{event},{event}]"), BodyFormat::Json).expect("batch");
    let Item::Accepted { event, .. } = &items[0] else { panic!("rejected") };
    assert_eq!(event.id.as_str(), "c-1");
    assert_eq!(event.timestamp, Some("2026-01-01T00:00:00Z".parse().expect("time")));
    assert_eq!(event.common.agent_id.as_ref().map(AgentId::as_str), Some("a"));
    rejected(r#"{"specversion":"1.0","type":"agent_stop","data":{},"details":{}}"#, Code::DuplicateMember, "/details");
}

#[test]
fn schemas_describe_what_is_read() {
    let all = event_schemas(None);
    assert_eq!(all["total"], Kind::ALL.len() + 1);
    assert_eq!(event_schemas(Some("token_vault"))["total"], 6);
    let exchange = kind_schema(Kind::TokenExchange);
    assert_eq!(exchange["properties"]["details"]["required"], json!(["connection"]));
    let grant = kind_schema(Kind::OauthGrant);
    assert_eq!(grant["properties"]["details"]["properties"]["publisher_verified"]["x-onesec-changes-trust"], true);
}

mod never_panics {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn on_any_text(text in ".{0,200}") {
            let _ = decode(&text);
            let _ = body(&text, BodyFormat::Ndjson);
            let _ = body(&text, BodyFormat::Json);
        }

        #[test]
        fn on_any_damage_to_a_good_event(at in 0usize..300, byte in any::<u8>(), kind in 0usize..55) {
            let kind = Kind::ALL[kind % Kind::ALL.len()];
            let mut bytes = full(kind).to_string().into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(text) = std::str::from_utf8(&bytes)
                && let Ok((event, _)) = decode(text)
            {
                let shown = event.to_json().to_string();
                prop_assert!(decode(&shown).is_ok(), "{shown}");
            }
        }
    }
}

/// The checked-in description of the contract is the one that the types give.
#[test]
fn docs_do_not_drift() {
    let alert = serde_json::to_value(schemars::schema_for!(crate::Alert)).expect("schema");
    let response = serde_json::to_value(schemars::schema_for!(crate::Response)).expect("schema");
    let files =
        [("event-schemas.json", event_schemas(None)), ("alert.schema.json", alert), ("response.schema.json", response)];
    for (name, value) in files {
        let path = format!("{}/../../docs/schemas/{name}", env!("CARGO_MANIFEST_DIR"));
        let want = format!("{value:#}\n");
        if std::env::var_os("ONESEC_WRITE_DOCS").is_some() {
            std::fs::create_dir_all(std::path::Path::new(&path).parent().expect("parent")).expect("folder");
            std::fs::write(&path, &want).expect("written");
        }
        let is = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(is == want, "docs/schemas/{name} is out of date: run the tests once with ONESEC_WRITE_DOCS=1");
    }
}
