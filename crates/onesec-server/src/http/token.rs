//! `POST /oauth/token`, as Auth0's own clients send it: the Token Vault exchange, and what an allow-list lets pass.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use onesec_telemetry::{Secret, TenantId};

use super::App;
use super::body;
use super::client::{Claim, client_id, unknown};
use super::exchange::{
    Asked, Scopes, asking, counted, exchange, gateway_of, invalid, oauth, oauth_problem, origin, refusal, render,
    understood,
};
use super::pairs::Pairs;
use super::who::{Evidence, Head, by_certificate};
use crate::gateway::{ExchangeRequest, PassedOn, TokenRequest, VAULT_GRANT};
use crate::keys::Caller;

/// What there may be in the body of an exchange. No other parameter is known there: one that we would ignore is one that
/// somebody relies on.
#[derive(Default)]
pub(super) struct Parameters {
    grant_type: Given,
    subject_token: Given,
    subject_token_type: Given,
    requested_token_type: Given,
    connection: Given,
    login_hint: Given,
    scope: Given,
    onesec_delegation: Given,
    pub(super) client_id: Given,
    pub(super) client_secret: Given,
    pub(super) client_assertion: Given,
    pub(super) client_assertion_type: Given,
}

/// A parameter's value. All are mute: clients that mix them up put tokens anywhere.
#[derive(Default)]
pub(super) struct Given(Option<Secret>);

impl Given {
    pub(super) fn text(&self) -> Option<&str> {
        self.0.as_ref().map(Secret::expose_to_wire)
    }

    pub(super) fn secret(&self) -> Option<&Secret> {
        self.0.as_ref()
    }

    fn owned(&self) -> Option<String> {
        self.text().map(str::to_owned)
    }
}

impl Parameters {
    fn slot(&mut self, name: &str) -> Option<&mut Given> {
        Some(match name {
            "grant_type" => &mut self.grant_type,
            "subject_token" => &mut self.subject_token,
            "subject_token_type" => &mut self.subject_token_type,
            "requested_token_type" => &mut self.requested_token_type,
            "connection" => &mut self.connection,
            "login_hint" => &mut self.login_hint,
            "scope" => &mut self.scope,
            "onesec_delegation" => &mut self.onesec_delegation,
            "client_id" => &mut self.client_id,
            "client_secret" => &mut self.client_secret,
            "client_assertion" => &mut self.client_assertion,
            "client_assertion_type" => &mut self.client_assertion_type,
            _ => return None,
        })
    }

    /// The parameters of an exchange, and nothing else.
    fn of_exchange(pairs: &Pairs) -> Result<Self, Box<Response>> {
        let mut parameters = Self::default();
        for (name, value) in pairs.iter() {
            let slot = parameters.slot(name).ok_or_else(|| invalid(UNKNOWN))?;
            slot.0 = Some(value.clone());
        }
        Ok(parameters)
    }

    /// Those that say who the client is, among whatever else there may be.
    fn of_client(pairs: &Pairs) -> Self {
        let mut parameters = Self::default();
        for (name, value) in pairs.iter().filter(|(name, _)| name.starts_with("client_")) {
            if let Some(slot) = parameters.slot(name) {
                slot.0 = Some(value.clone());
            }
        }
        parameters
    }
}

/// `POST /oauth/token`
pub(super) async fn post(State(app): State<Arc<App>>, request: Request) -> Response {
    answer(&app, None, request).await
}

/// `POST /oauth/token` of a tenant's custom domain: its own clients ask, with their own credentials.
pub(super) async fn post_for(app: &App, tenant: TenantId, request: Request) -> Response {
    answer(app, Some(tenant), request).await
}

async fn answer(app: &App, custom: Option<TenantId>, request: Request) -> Response {
    let network = origin(app, &request);
    let (parts, body) = request.into_parts();
    let pairs = match read(&parts, body).await {
        Ok(pairs) => pairs,
        Err(response) => return *response,
    };
    let asked = Requested { parts: &parts, pairs, network };
    let answered = match (asked.pairs.text("grant_type"), custom) {
        (Some(VAULT_GRANT), Some(tenant)) if !shows_ours(app, &parts) => theirs(app, &tenant, asked).await,
        // Who says nothing at all is first asked who it is.
        (Some(VAULT_GRANT) | None, custom) => vault(app, custom.as_ref(), &asked).await,
        (Some(_), custom) => other(app, custom.as_ref(), asked).await,
    };
    answered.unwrap_or_else(|response| *response)
}

/// A token request as it was read.
struct Requested<'a> {
    parts: &'a Parts,
    pairs: Pairs,
    network: Option<IpAddr>,
}

/// Whether the caller shows a credential of ours beside whatever it has of Auth0's. A certificate that nobody registered
/// is none: meshes give one to everybody.
fn shows_ours(app: &App, parts: &Parts) -> bool {
    has_own_header(parts) || by_certificate(app, Head::of_parts(parts)).is_some()
}

fn has_own_header(parts: &Parts) -> bool {
    parts.headers.contains_key("x-api-key")
}

type Answered = Result<Response, Box<Response>>;

/// The grant that this is all about.
async fn vault(app: &App, custom: Option<&TenantId>, asked: &Requested<'_>) -> Answered {
    let parameters = Parameters::of_exchange(&asked.pairs)?;
    let head = Head::of_parts(asked.parts);
    // At a custom domain all else is for Auth0. Here it is for us: who gives a secret is not whom the connection names.
    let ours = has_own_header(asked.parts) || (custom.is_some() && shows_ours(app, asked.parts));
    let claim = if ours { Claim::of_ours(head) } else { Claim::of(head, &parameters) }?;
    let (caller, evidence) = claim.authenticate(app, head).await?;
    at_home(custom, &caller)?;
    let wanted = wanted(&parameters)?;
    let wanted = ExchangeRequest { network: asked.network, audiences: head.audiences(app), ..wanted };
    Ok(exchange(app, (&caller, evidence), wanted).await)
}

/// Whoever asks at a tenant's custom domain means that tenant: what it shows must not reach another one.
fn at_home(custom: Option<&TenantId>, caller: &Caller) -> Result<(), Box<Response>> {
    let abroad = custom.is_some_and(|tenant| *tenant != caller.tenant);
    if abroad { Err(unknown("the credential is another tenant's")) } else { Ok(()) }
}

/// An exchange at the tenant's custom domain, by one of its own clients. Which agent that is was registered; that it is
/// the client, Auth0 says, and it says so before anything is judged.
async fn theirs(app: &App, tenant: &TenantId, asked: Requested<'_>) -> Answered {
    let parameters = Parameters::of_exchange(&asked.pairs)?;
    let wanted = ExchangeRequest { network: asked.network, ..wanted(&parameters)? };
    let gateway = gateway_of(app, tenant)?;
    let head = Head::of_parts(asked.parts);
    let named = client_id(head, &parameters).ok_or_else(|| invalid("`client_id` is needed"))?;
    let known = app.identity.agents.by_client(tenant, &named);
    let known = known.ok_or_else(|| unknown("no registered agent is known by this client"))?;
    let request = token_request(asked.parts, asked.pairs, asked.network);
    if !gateway.is_client(&named, &wanted, &request).await.map_err(|answer| Box::new(render(answer)))? {
        return Err(unknown("no such client, or not its secret"));
    }
    let asking = asking(app, &Caller::of_agent(tenant, &known.said), Evidence::default())?;
    Ok(counted(app, gateway.exchange_as(asking, wanted, request).await))
}

fn token_request(parts: &Parts, pairs: Pairs, network: Option<IpAddr>) -> TokenRequest {
    let header = |name: &str| {
        parts.headers.get(name).and_then(|value| value.to_str().ok()).map(|text| Secret::new(text.to_owned()))
    };
    let (authorization, dpop) = (header(AUTHORIZATION.as_str()), header("dpop"));
    TokenRequest { parameters: pairs.into_inner(), authorization, dpop, network }
}

/// Any other grant: refused, unless the allow-list has it. Governed ones are judged and recorded either way.
async fn other(app: &App, custom: Option<&TenantId>, asked: Requested<'_>) -> Answered {
    let (client, head) = (Parameters::of_client(&asked.pairs), Head::of_parts(asked.parts));
    let request = token_request(asked.parts, asked.pairs, asked.network);
    let configured = app.vaults.values().any(|vault| vault.gateway.is_some());
    if let Some(grant) = request.governed().filter(|_| configured) {
        // With a credential of ours beside it, everything else is the caller's business with Auth0.
        let claim = if shows_ours(app, asked.parts) { Claim::of_ours(head) } else { Claim::of(head, &client) }?;
        let (caller, evidence) = claim.authenticate(app, head).await?;
        at_home(custom, &caller)?;
        let asking = asking(app, &caller, evidence)?;
        let gateway = gateway_of(app, &caller.tenant)?;
        return Ok(gateway.govern(asking, (grant, request)).await.map_or_else(render, passed_on));
    }
    let tenant = custom.cloned().unwrap_or_else(TenantId::default_tenant);
    let gateway = app.vaults.get(&tenant).and_then(|vault| vault.gateway.as_ref());
    match gateway.filter(|gateway| gateway.may_pass(&request)) {
        Some(gateway) => Ok(gateway.pass(request).await.map_or_else(render, passed_on)),
        None => {
            let why = "the Token Vault exchange is the only grant here";
            Err(Box::new(refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type", why)))
        }
    }
}

/// Upstream's answer as it came, but for what is about its own connection.
fn passed_on(passed: PassedOn) -> Response {
    let status = StatusCode::from_u16(passed.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = oauth(status, passed.retry_after, passed.body.into_wire());
    if let Some(nonce) = passed.dpop_nonce.and_then(|nonce| HeaderValue::from_str(&nonce).ok()) {
        response.headers_mut().insert("dpop-nonce", nonce);
    }
    response
}

async fn read(parts: &Parts, body: axum::body::Body) -> Result<Pairs, Box<Response>> {
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        // RFC 6749, section 2.3.1: never in the address, where logs see it.
        return Err(invalid("parameters belong in the body"));
    }
    let form = match media_type(parts).as_str() {
        "application/x-www-form-urlencoded" => true,
        "application/json" => false,
        _ => return Err(invalid("`Content-Type` must be application/x-www-form-urlencoded or application/json")),
    };
    let bytes: Result<Bytes, _> = body::read(body, &parts.headers, body::MAX_JSON_BYTES).await;
    let bytes = bytes.map_err(|problem| Box::new(oauth_problem(&problem)))?;
    let pairs = if form { Pairs::from_form(&bytes) } else { Pairs::from_json(&bytes) };
    pairs.map_err(invalid)
}

/// Without its parameters: clients add a `charset` that says nothing new.
fn media_type(parts: &Parts) -> String {
    let mut values = parts.headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return String::new() };
    let media = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    media.trim().to_ascii_lowercase()
}

/// The exchange with all that it needs.
fn wanted(parameters: &Parameters) -> Result<ExchangeRequest, Box<Response>> {
    if parameters.grant_type.text().is_none() {
        return Err(invalid("`grant_type` is needed"));
    }
    // Absent it means the same: there is only one thing to be had here, a token and never a refresh token.
    if parameters.requested_token_type.text().is_some_and(|wanted| !REQUESTED.contains(&wanted)) {
        return Err(invalid("`requested_token_type` is none of ours"));
    }
    let (Some(subject_token), Some(subject_token_type), Some(connection)) =
        (parameters.subject_token.secret(), parameters.subject_token_type.owned(), parameters.connection.owned())
    else {
        return Err(invalid("`subject_token`, `subject_token_type` and `connection` are needed"));
    };
    understood(Asked {
        subject_token: subject_token.clone(),
        subject_token_type: Some(subject_token_type),
        connection,
        login_hint: parameters.login_hint.owned(),
        scopes: parameters.scope.owned().map(Scopes::Text),
        task_id: None,
        delegation: parameters.onesec_delegation.secret().cloned(),
    })
}

/// Access tokens only: a refresh token of the provider never leaves the vault.
const REQUESTED: [&str; 2] = [
    "http://auth0.com/oauth/token-type/federated-connection-access-token",
    "http://auth0.com/oauth/token-type/token-vault-access-token",
];
const UNKNOWN: &str = "unknown parameter: `grant_type`, `subject_token`, `subject_token_type`, `requested_token_type`, \
                       `connection`, `login_hint`, `scope`, `client_id`, `client_secret`, `client_assertion`, \
                       `client_assertion_type`, `onesec_delegation` are known";
