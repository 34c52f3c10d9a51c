//! Token Vault over HTTP: the exchange, and how it is doing.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use onesec_telemetry::redact::redact_text;
use onesec_telemetry::{ConnectionName, ScopeSet, Secret, TaskId, TenantId};
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::answer::{self, Answer};
use super::body;
use super::custom_domain::CustomDomain;
use super::gate::{Peer, network};
use super::problem::Problem;
use super::who::{Evidence, Head, bad_proof};
use crate::gateway::{AskingAgent, ExchangeRequest, Gateway, GatewayAnswer, GatewayBody, SubjectTokenType};
use crate::keys::Caller;

/// One tenant's Token Vault.
pub(crate) struct Vault {
    /// The Auth0 domain.
    pub(crate) domain: String,
    /// Absent until there are credentials.
    pub(crate) gateway: Option<Gateway>,
    /// The custom domain that we stand in front of.
    pub(crate) proxy: Option<CustomDomain>,
}

/// What became of an exchange, as metrics name it.
fn outcome(answer: &GatewayAnswer) -> &'static str {
    let GatewayBody::Error(members) = &answer.body else { return "issued" };
    let upstream = members.get("onesec_reason").is_some_and(|reason| reason == "upstream");
    match members.get("error").and_then(|error| error.as_str()) {
        _ if upstream => "failed",
        Some("interaction_required") => "held",
        Some("access_denied" | "too_many_requests") => "denied",
        _ => "failed",
    }
}

/// What is asked for. No member names the user: only the token can.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) subject_token: Secret,
    pub(super) subject_token_type: Option<String>,
    pub(super) connection: String,
    pub(super) login_hint: Option<String>,
    pub(super) scopes: Option<Scopes>,
    pub(super) task_id: Option<String>,
    /// A signed delegation from the user down to the agent, links joined by `~`.
    pub(super) delegation: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Scopes {
    Text(String),
    List(Vec<String>),
}

/// `POST /api/v1/token-vault/exchange`
pub(super) async fn post(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Response {
    let origin = origin(&app, &request);
    let evidence = request.extensions().get::<Evidence>().cloned().unwrap_or_default();
    let audiences = Head::of(&request).audiences(&app);
    match read(request).await {
        Ok(wanted) => {
            exchange(&app, (&caller, evidence), ExchangeRequest { network: origin, audiences, ..wanted }).await
        }
        Err(response) => *response,
    }
}

/// Where a request came from.
pub(super) fn origin(app: &App, request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<Peer>().copied();
    network(peer, request.headers(), &app.trusted_proxies)
}

/// The exchange itself, for the agent that the caller's key is bound to.
pub(super) async fn exchange(app: &App, (caller, evidence): (&Caller, Evidence), wanted: ExchangeRequest) -> Response {
    let asking = match asking(app, caller, evidence) {
        Ok(asking) => asking,
        Err(response) => return *response,
    };
    let gateway = match gateway_of(app, &caller.tenant) {
        Ok(gateway) => gateway,
        Err(response) => return *response,
    };
    counted(app, gateway.exchange(asking, wanted).await)
}

/// The answer to an exchange, on its way out.
pub(super) fn counted(app: &App, answer: GatewayAnswer) -> Response {
    app.metrics.exchanged(outcome(&answer));
    render(answer)
}

/// The tenant's gateway, where it is set up.
pub(super) fn gateway_of<'a>(app: &'a App, tenant: &TenantId) -> Result<&'a Gateway, Box<Response>> {
    app.vaults.get(tenant).and_then(|vault| vault.gateway.as_ref()).ok_or_else(|| {
        app.metrics.exchanged("not_configured");
        Box::new(render(GatewayAnswer::unavailable("not-configured", None)))
    })
}

/// The agent that asks, if it shows what it must.
pub(super) fn asking(app: &App, caller: &Caller, evidence: Evidence) -> Result<AskingAgent, Box<Response>> {
    let Some(agent) = caller.agent.clone() else {
        let why = "the key is not bound to an agent";
        return Err(Box::new(refusal(StatusCode::FORBIDDEN, "invalid_client", why)));
    };
    let quota = app.quotas.exchange(&caller.tenant, app.core.now());
    quota.map_err(|problem| Box::new(oauth_problem(&problem)))?;
    let registered = app.identity.agents.of(&caller.tenant, &agent);
    let suffices = evidence.shown.suffices(registered.as_deref(), app.possession);
    suffices.map_err(|problem| Box::new(oauth_problem(&bad_proof(&problem))))?;
    let (key, owner) = (Some(caller.key.clone()), caller.owner.clone());
    Ok(AskingAgent { agent, key, owner, registered, shown: evidence.shown, ledger: evidence.ledger })
}

/// Reads the request; a refusal names members, never values.
async fn read(request: Request) -> Result<ExchangeRequest, Box<Response>> {
    let (parts, body) = request.into_parts();
    if !body::is_json(&parts.headers) {
        return Err(invalid("`Content-Type` must be application/json"));
    }
    let bytes = body::read(body, &parts.headers, body::MAX_JSON_BYTES).await;
    let bytes = bytes.map_err(|problem| Box::new(oauth_problem(&problem)))?;
    let asked: Asked = serde_json::from_slice(&bytes).map_err(|error| invalid(complaint(&error)))?;
    understood(asked)
}

/// What was asked for, in our terms. What will be recorded is redacted as in events: whoever mixes the members up must
/// not find the token in the journal.
pub(super) fn understood(asked: Asked) -> Result<ExchangeRequest, Box<Response>> {
    let urn = asked.subject_token_type.as_deref().unwrap_or(SubjectTokenType::RefreshToken.urn());
    let kind = SubjectTokenType::from_urn(urn).ok_or_else(|| invalid("`subject_token_type` is none of ours"))?;
    if asked.subject_token.is_empty() {
        return Err(invalid("`subject_token` is empty"));
    }
    let scopes = match &asked.scopes {
        None => None,
        Some(Scopes::Text(text)) => Some(ScopeSet::parse(&redact_text(text))),
        Some(Scopes::List(list)) => {
            let list: Vec<_> = list.iter().map(|text| redact_text(text)).collect();
            Some(ScopeSet::parse_all(list.iter().map(AsRef::as_ref)))
        }
    };
    let task = asked.task_id.as_deref().map(|id| TaskId::new(&redact_text(id))).transpose();
    let invalid_scope = |_| Box::new(refusal(StatusCode::BAD_REQUEST, "invalid_scope", "the scopes are no scopes"));
    Ok(ExchangeRequest {
        subject_token: asked.subject_token,
        subject_token_type: kind,
        connection: ConnectionName::new(&redact_text(&asked.connection))
            .map_err(|_| invalid("`connection` is no identifier"))?,
        login_hint: asked.login_hint,
        scopes: scopes.transpose().map_err(invalid_scope)?,
        task_id: task.map_err(|_| invalid("`task_id` is no identifier"))?,
        delegation: asked.delegation,
        network: None,
        audiences: Vec::new(),
    })
}

/// RFC 6749, section 5.2: the request itself is wrong.
pub(super) fn invalid(why: &str) -> Box<Response> {
    Box::new(refusal(StatusCode::BAD_REQUEST, "invalid_request", why))
}

/// serde's words may quote what was sent, and that is a token.
fn complaint(error: &serde_json::Error) -> &'static str {
    let text = error.to_string();
    if text.starts_with("unknown field") {
        "unknown member: `subject_token`, `subject_token_type`, `connection`, `login_hint`, `scopes`, `task_id`, \
         `delegation` are known"
    } else if text.starts_with("duplicate field") {
        "a member stands twice"
    } else if text.starts_with("missing field") {
        "`subject_token` and `connection` are needed"
    } else if error.is_data() {
        "a member has the wrong type"
    } else {
        "the body is no JSON object"
    }
}

pub(super) fn render(answer: GatewayAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    oauth(status, answer.retry_after, answer.body.into_json_bytes())
}

pub(super) fn refusal(status: StatusCode, error: &str, description: &str) -> Response {
    let body = json!({"error": error, "error_description": description});
    oauth(status, None, body.to_string().into_bytes())
}

/// RFC 6749, section 5.1: never cached. SDKs compare the content type as a whole.
pub(super) fn oauth(status: StatusCode, retry_after: Option<Duration>, body: impl Into<Body>) -> Response {
    let mut response = (status, body.into()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    if let Some(after) = retry_after {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    response
}

/// A refusal of the gate, as OAuth words it.
pub(super) fn oauth_problem(problem: &Problem) -> Response {
    let (status, code, detail) = problem.parts();
    let error = match status {
        _ if code == "invalid_dpop_proof" => "invalid_dpop_proof",
        StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
        StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
        StatusCode::UNAUTHORIZED => "invalid_client",
        StatusCode::FORBIDDEN => "unauthorized_client",
        _ => "invalid_request",
    };
    let mut body = json!({"error": error, "error_description": detail});
    if let (StatusCode::TOO_MANY_REQUESTS, serde_json::Value::Object(members)) = (status, &mut body) {
        members.insert("onesec_reason".into(), code.into());
    }
    let mut response = oauth(status, problem.wait(), body.to_string().into_bytes());
    if let Some(challenge) = problem.challenged() {
        response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// `GET /api/v1/token-vault/status`
pub(super) async fn status(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let (vault, stats) = (app.vaults.get(&caller.tenant), &view.exchanges);
    answer::ok(&json!({
        "enabled": vault.is_some(),
        "configured": vault.is_some_and(|vault| vault.gateway.is_some()),
        "auth0_domain": vault.map(|vault| masked(&vault.domain)),
        "mode": view.mode,
        "exchange_stats": {
            "total_exchanges": stats.total_exchanges, "success_count": stats.success_count,
            "failure_count": stats.failure_count, "denied_count": stats.denied_count,
            "held_count": stats.held_count, "by_connection": stats.by_connection,
            "recent_failures": stats.recent_failures(app.core.now()),
        },
        "connected_accounts": view.stats.accounts_linked,
        "authorized_agents": view.stats.authorised_agents,
    }))
}

/// Enough to recognise one's own tenant by.
fn masked(domain: &str) -> String {
    let (name, rest) = domain.split_once('.').map_or((domain, ""), |(name, rest)| (name, rest));
    let start: String = name.chars().take(3).collect();
    let dot = if rest.is_empty() { "" } else { "." };
    format!("{start}***{dot}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_shown_masked() {
        assert_eq!(masked("tenant.us.auth0.com"), "ten***.us.auth0.com");
        assert_eq!(masked("ab.auth0.com"), "ab***.auth0.com");
        assert_eq!(masked("localhost"), "loc***");
    }

    #[tokio::test]
    async fn a_refusal_never_quotes_what_was_sent() {
        for body in [
            r#"{"subject_token": ["v1.secret"], "connection": "github"}"#,
            r#"{"subject_token": "v1.secret", "connection": "github", "user_id": "ada"}"#,
            r#"{"subject_token": "v1.secret", "subject_token": "v1.secret", "connection": "github"}"#,
            r#"{"subject_token": "v1.secret", "connection": "github", "v1.secret": 1}"#,
            r#"{"subject_token": "v1.secret", "connection": ""}"#,
            r#"{"subject_token": "v1.secret", "connection": "github", "subject_token_type": "v1.secret"}"#,
            r#""v1.secret"#,
        ] {
            let request = Request::new(axum::body::Body::from(body));
            let response = *read(request).await.expect_err(body);
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{body}");
            assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
            let bytes = axum::body::to_bytes(response.into_body(), 4_096).await.expect("small");
            assert!(!String::from_utf8_lossy(&bytes).contains("secret"), "{body}");
        }
    }
}
