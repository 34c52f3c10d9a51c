//! The OpenAPI 3.1 document, made of the table of routes.

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Map, Value, json};

use super::App;
use super::answer::{self, Answer};
use super::problem::PROBLEM_JSON;
use super::routes::{Access, ROUTES, Route};

/// `GET /api/v1/openapi.json`
pub(super) async fn serve(State(_): State<Arc<App>>) -> Answer {
    answer::ok(&openapi())
}

/// The document: every route, its parameters, its body, its scope, its errors.
#[must_use]
pub fn openapi() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Value::Object(item) = item {
            item.insert(route.method.to_owned(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "onesec",
            "version": "1.0.0",
            "summary": "The security layer between AI agents and the accounts that people lend them",
            "license": {"name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT"},
        },
        "servers": [{"url": "http://127.0.0.1:1780"}],
        "security": [{"bearer": []}, {"api_key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, `os_…`"},
                "basic": {"type": "http", "scheme": "basic", "description": "An agent, and its API key"},
                "log_stream": {"type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "`token_vault.log_stream_authorization`, verbatim"},
                "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
            "schemas": schemas(),
            "responses": {
                "Problem": {
                    "description": "What went wrong (RFC 9457), with a stable `code`",
                    "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                },
                "EventError": {
                    "description": "Why a security event is not taken (RFC 8935, section 2.3)",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/EventError"}}},
                },
                "OAuthError": {
                    "description": "An OAuth error (RFC 6749, section 5.2)",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/OAuthError"}}},
                },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut responses = Map::new();
    for status in route.ok {
        responses.insert(status.to_string(), success(route));
    }
    let error = match route.path {
        "/api/v1/security-events" => "EventError",
        _ if route.oauth => "OAuthError",
        _ => "Problem",
    };
    responses.insert("default".into(), json!({"$ref": format!("#/components/responses/{error}")}));
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [tag(route.path)],
        "parameters": parameters(route),
        "responses": responses,
    });
    if let Value::Object(operation) = &mut operation {
        match route.access {
            Access::Open | Access::Signed => {
                operation.insert("security".into(), json!([]));
            }
            Access::LogStream => {
                operation.insert("security".into(), json!([{"log_stream": []}]));
            }
            Access::Key(scope) => {
                operation.insert("x-onesec-scope".into(), scope.as_str().into());
            }
            Access::Client(scope) => {
                // The secret may be in the body as well, which no scheme of OpenAPI describes.
                operation.insert("security".into(), json!([{"basic": []}, {"bearer": []}, {}]));
                operation.insert("x-onesec-scope".into(), scope.as_str().into());
            }
        }
        if let Some(body) = request_body(route) {
            operation.insert("requestBody".into(), body);
        }
    }
    operation
}

/// `post /api/v1/agents/{id}/suspend` is `post_agents_id_suspend`.
fn operation_id(route: &Route) -> String {
    let path = route.path.strip_prefix("/api/v1").unwrap_or(route.path);
    let name: String = path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let parts: Vec<&str> = std::iter::once(route.method).chain(name.split('_').filter(|p| !p.is_empty())).collect();
    parts.join("_")
}

fn tag(path: &str) -> &str {
    if path.starts_with("/oauth/") || path.starts_with("/.well-known/") {
        return "oauth";
    }
    let rest = path.strip_prefix("/api/v1/").unwrap_or("health");
    rest.split('/').next().unwrap_or("health")
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let path = in_path.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    let query = route.query.iter().map(|name| json!({"name": name, "in": "query", "schema": query_schema(name)}));
    let tenant = matches!(route.access, Access::Key(_)).then(|| {
        let description = "For operators: the tenant that is meant";
        json!({"name": "tenant", "in": "query", "description": description, "schema": {"type": "string"}})
    });
    let own_token = route.path.starts_with("/api/v1/connected-accounts").then(|| {
        let description = "The user's own access token for the My Account API";
        json!({"name": "X-My-Account-Token", "in": "header", "required": true, "description": description,
            "schema": {"type": "string"}})
    });
    path.chain(query).chain(tenant).chain(own_token).collect()
}

fn query_schema(name: &str) -> Value {
    match name {
        "limit" => json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
        "since" | "until" => json!({"type": "string", "format": "date-time"}),
        "severity" | "min_severity" => json!({"enum": ["INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL"]}),
        _ => json!({"type": "string"}),
    }
}

fn success(route: &Route) -> Value {
    let (kind, schema) = match (route.method, route.path) {
        ("get", "/metrics") => ("application/openmetrics-text", json!({"type": "string"})),
        ("get", "/api/v1/alerts/stream") => ("text/event-stream", json!({"type": "string"})),
        ("get" | "patch", "/api/v1/alerts/{id}") => ("application/json", reference("Alert")),
        ("get", "/api/v1/alerts") => ("application/json", listing("alerts", "Alert")),
        ("post", "/api/v1/events") => ("application/json", reference("Receipt")),
        ("post", "/api/v1/decide") => ("application/json", reference("Decision")),
        ("post", "/api/v1/token-vault/exchange" | "/oauth/token") => ("application/json", reference("Issued")),
        _ => ("application/json", json!({"type": "object"})),
    };
    json!({"description": route.summary, "content": {kind: {"schema": schema}}})
}

fn request_body(route: &Route) -> Option<Value> {
    if (route.method, route.path) == ("post", "/api/v1/events") {
        let event = json!({"type": "object", "description": "See /api/v1/event-schemas"});
        let many = json!({"type": "array", "items": event});
        return Some(json!({"required": true, "content": {
            "application/json": {"schema": {"oneOf": [event, many]}},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "application/cloudevents+json": {"schema": event},
            "application/cloudevents-batch+json": {"schema": many},
        }}));
    }
    if (route.method, route.path) == ("post", "/api/v1/auth0/logs") {
        let entry = json!({"type": "object", "description": "See docs/auth0-logs.md"});
        let many = json!({"type": "array", "items": entry});
        return Some(json!({"required": true, "content": {
            "application/json": {"schema": {"oneOf": [entry, many]}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        }}));
    }
    if (route.method, route.path) == ("post", "/api/v1/decide") {
        let schema = json!({"type": "object", "description": "One event"});
        return Some(json!({"required": true, "content": {"application/json": {"schema": schema}}}));
    }
    if (route.method, route.path) == ("post", "/api/v1/security-events") {
        return Some(json!({"required": true, "content": {"application/secevent+jwt": {"schema": text()}}}));
    }
    let (_, required, optional) = BODIES.iter().find(|((m, p), ..)| (*m, *p) == (route.method, route.path))?;
    let properties: Map<String, Value> =
        required.iter().chain(*optional).map(|name| ((*name).to_owned(), member_schema(name))).collect();
    let schema = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    });
    let mut content = json!({"application/json": {"schema": schema}});
    if let (Value::Object(content), "/oauth/token") = (&mut content, route.path) {
        content.insert("application/x-www-form-urlencoded".into(), json!({"schema": schema}));
    }
    Some(json!({"required": !required.is_empty(), "content": content}))
}

type BodyMembers = ((&'static str, &'static str), &'static [&'static str], &'static [&'static str]);

/// Bodies that are plain objects: the members that must be there, and those that may.
const BODIES: &[BodyMembers] = &[
    (("patch", "/api/v1/alerts/{id}"), &["status"], &["note"]),
    (
        ("post", "/api/v1/token-vault/exchange"),
        &["subject_token", "connection"],
        &["subject_token_type", "login_hint", "scopes", "task_id"],
    ),
    (
        ("post", "/oauth/token"),
        &["grant_type", "subject_token", "subject_token_type", "connection"],
        &["requested_token_type", "login_hint", "scope", "client_id", "client_secret"],
    ),
    (("post", "/api/v1/agents/{id}/processes"), &["pid", "start_ticks"], &[]),
    (("post", "/api/v1/agents/{id}/suspend"), &[], &["reason"]),
    (("post", "/api/v1/agents/{id}/contain"), &[], &["reason", "kill", "block"]),
    (("post", "/api/v1/agents/{id}/baselines/{connection}/accept"), &["scopes"], &["user_id"]),
    (
        ("post", "/api/v1/delegations"),
        &["user_id", "agent_id"],
        &["connection", "scopes", "expires_at", "parent_id", "attestation"],
    ),
    (("post", "/api/v1/accounts/reconcile"), &[], &["apply", "cursor"]),
    (("post", "/api/v1/exceptions"), &["detector", "reason", "expires_at"], &["agent_id", "user_id", "connection"]),
    (("post", "/api/v1/canaries"), &["what", "value"], &["note"]),
    (("post", "/api/v1/keys"), &["name", "scopes"], &["owner", "agent_id", "tenant", "trusted_time", "expires_at"]),
    (("patch", "/api/v1/keys/{id}"), &["expires_at"], &[]),
    (("post", "/api/v1/approvals/{id}/approve"), &["action_digest"], &["note", "accept_scopes"]),
    (("post", "/api/v1/approvals/{id}/reject"), &["action_digest"], &["note"]),
    (("post", "/api/v1/enforcement/test"), &["alert"], &["address"]),
    (("post", "/api/v1/responses/{id}/complete"), &["my_account_token"], &[]),
    (
        ("post", "/api/v1/connected-accounts/connect"),
        &["connection", "redirect_uri", "state"],
        &["scopes", "authorization_params"],
    ),
    (("post", "/api/v1/security-events/poll"), &[], &["maxEvents", "returnImmediately", "ack", "setErrs"]),
    (("post", "/api/v1/connected-accounts/complete"), &["auth_session", "connect_code", "state"], &[]),
    (
        ("post", "/api/v1/revocations"),
        &[],
        &["user_id", "connection", "agent_id", "parts", "client_ids", "reason", "request_id"],
    ),
    (("post", "/api/v1/enforcement/policies"), &["name", "match"], POLICY),
    (("put", "/api/v1/enforcement/policies/{name}"), &["match"], POLICY_OF_PATH),
    (("put", "/api/v1/enforcement/mode"), &["mode"], &["confirm", "days"]),
    (("put", "/api/v1/enforcement/preset"), &["preset"], &[]),
];

const POLICY: &[&str] = &["request", "actions", "approval", "cooldown", "max_per_minute", "never"];
const POLICY_OF_PATH: &[&str] = &["name", "request", "actions", "approval", "cooldown", "max_per_minute", "never"];

fn member_schema(name: &str) -> Value {
    match name {
        "scopes" | "client_ids" | "ack" => texts(),
        "maxEvents" => json!({"type": "integer"}),
        "returnImmediately" => json!({"type": "boolean", "default": false}),
        "parts" => json!({"type": "array", "items": {"enum": ["refresh_tokens", "sessions", "grants", "provider"]}}),
        "expires_at" => time(),
        "alert" | "match" | "approval" | "never" | "authorization_params" | "setErrs" => json!({"type": "object"}),
        "actions" => json!({"type": "array"}),
        "request" => json!({"enum": ["allow", "deny", "hold", "withhold"]}),
        "max_per_minute" | "days" => json!({"type": "integer"}),
        "kill" | "block" => json!({"type": "boolean", "default": true}),
        "apply" => json!({"enum": ["none", "links", "all"]}),
        "what" => json!({"enum": ["user", "account", "client"]}),
        "accept_scopes" => json!({"type": "boolean"}),
        "trusted_time" => json!({"type": "boolean"}),
        "mode" => json!({"enum": ["dry_run", "live"]}),
        _ => text(),
    }
}

fn text() -> Value {
    json!({"type": "string"})
}

fn texts() -> Value {
    json!({"type": "array", "items": {"type": "string"}})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn listing(name: &str, item: &str) -> Value {
    json!({"type": "object", "required": [name, "next"], "properties": {
        name: {"type": "array", "items": reference(item)}, "next": {"type": ["string", "null"]},
    }})
}

fn schemas() -> Value {
    let verdict = json!({"enum": ["allow", "deny", "hold"]});
    let indexed = |more: Value| {
        let mut properties = json!({"index": {"type": "integer"}, "code": text(), "message": text()});
        if let (Value::Object(all), Value::Object(more)) = (&mut properties, more) {
            all.extend(more);
        }
        json!({"type": "array", "items": {"type": "object", "properties": properties}})
    };
    json!({
        "Problem": {"type": "object", "required": ["type", "title", "status", "detail", "code"], "properties": {
            "type": text(), "title": text(), "status": {"type": "integer"}, "detail": text(), "code": text(),
        }},
        "EventError": {"type": "object", "required": ["err"], "properties": {"err": text(), "description": text()}},
        "OAuthError": {"type": "object", "required": ["error"], "properties": {
            "error": text(), "error_description": text(), "onesec_reason": text(), "exchange_id": text(),
            "alert_id": text(), "approval_id": text(),
        }},
        "Issued": {"type": "object", "required": ["access_token", "token_type", "expires_in"], "properties": {
            "access_token": text(), "token_type": text(), "expires_in": {"type": "integer"}, "scope": text(),
            "issued_token_type": text(), "exchange_id": text(),
        }},
        "Receipt": {"type": "object", "required": ["accepted", "duplicates", "ids", "warnings", "rejected"],
            "properties": {
                "accepted": {"type": "integer"}, "duplicates": {"type": "integer"},
                "ids": {"type": "array", "items": {"type": ["string", "null"]}},
                "warnings": indexed(json!({})),
                "rejected": indexed(json!({"pointer": text(), "suggestion": text()})),
            }},
        "Decision": {"type": "object", "properties": {
            "decision": verdict, "would": verdict, "mode": {"enum": ["dry_run", "live"]}, "event_id": text(),
            "findings": {"type": "array", "items": {"type": "object", "properties": {
                "detector": text(), "severity": text(), "reason": text(),
            }}},
            "approval_id": {"type": ["string", "null"]},
        }},
        "Alert": alert_schema(),
    })
}

fn alert_schema() -> Value {
    let maybe = json!({"type": ["string", "null"]});
    json!({"type": "object", "properties": {
        "id": text(), "detector": text(), "owasp": texts(), "severity": text(), "title": text(),
        "description": text(), "tenant": text(), "agent_id": maybe, "user_id": maybe, "connection": maybe,
        "evidence": texts(), "first_seen": time(), "last_seen": time(), "occurrences": {"type": "integer"},
        "attribution": {"enum": ["observed", "self", "reported"]}, "module": text(),
        "status": {"enum": ["open", "acknowledged", "resolved", "false_positive"]}, "mitigation": text(),
        "attributes": {"type": "object"}, "chain": maybe, "note": maybe,
    }})
}
