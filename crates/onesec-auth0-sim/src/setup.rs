//! How the tenant is set up, as the Management API shows it: well, but for what was changed.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::answer;
use crate::http::Shared;
use crate::management::{admit, not_there};
use crate::setup_fault::SetupFault;
use crate::specs::{ClientSpec, GrantType};
use crate::state::State;
use crate::tenant::SimTenant;

type Params = Query<HashMap<String, String>>;

/// What was set up besides clients and users.
#[derive(Default)]
pub(crate) struct Setup {
    /// APIs by identifier.
    pub(crate) apis: Vec<String>,
    /// Name and strategy.
    pub(crate) connections: Vec<(String, String)>,
    /// Where logs go.
    pub(crate) log_streams: Vec<String>,
    /// Custom domains with certificates of our own.
    pub(crate) custom_domains: Vec<String>,
    /// Connections that users logged in with.
    pub(crate) identities: Vec<(String, String)>,
    /// What is wrong.
    pub(crate) faults: Vec<SetupFault>,
}

/// How it is set up.
impl SimTenant {
    /// Creates an API, as well set up as can be.
    pub fn create_api(&self, identifier: &str) {
        self.shared.state.lock().setup.apis.push(identifier.to_owned());
    }

    /// Creates a connection for Token Vault, such as `google-oauth2` of the strategy of the same name.
    pub fn create_connection(&self, name: &str, strategy: &str) {
        self.shared.state.lock().setup.connections.push((name.to_owned(), strategy.to_owned()));
    }

    /// Creates a log stream that leads to `endpoint`. Nothing is sent there: it is a set-up only.
    pub fn create_log_stream(&self, endpoint: &str) {
        self.shared.state.lock().setup.log_streams.push(endpoint.to_owned());
    }

    /// Creates a custom domain with self-managed certificates.
    pub fn create_custom_domain(&self, name: &str) {
        self.shared.state.lock().setup.custom_domains.push(name.to_owned());
    }

    /// `user` logs in with `connection`, which connects nothing.
    pub fn log_in_with(&self, user: &str, connection: &str) {
        self.shared.state.lock().setup.identities.push((user.to_owned(), connection.to_owned()));
    }

    /// From now on this is wrong with the set-up, and nothing else.
    pub fn spoil(&self, faults: &[SetupFault]) {
        self.shared.state.lock().setup.faults = faults.to_vec();
    }
}

/// `GET /api/v2/clients`.
pub(crate) async fn clients(Extract(shared): Extract<Arc<Shared>>, headers: HeaderMap, Query(q): Params) -> Response {
    if let Err(refused) = admit(&shared, &headers, "read:clients").await {
        return *refused;
    }
    let state = shared.state.lock();
    let mut all: Vec<Value> = state.clients.values().map(|client| shown_client(&state, client)).collect();
    if state.setup.faults.contains(&SetupFault::StrangerHasGrant) {
        all.push(
            json!({"client_id": "stranger", "name": "Somebody's agent", "grant_types": [GrantType::TokenVault.urn()]}),
        );
    }
    all.sort_by_key(|client| client.get("client_id").map(ToString::to_string));
    numbered(all, &q)
}

/// `GET /api/v2/clients/{id}`.
pub(crate) async fn client(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    if let Err(refused) = admit(&shared, &headers, "read:clients").await {
        return *refused;
    }
    let state = shared.state.lock();
    match state.clients.get(&id) {
        Some(client) => answer::json(StatusCode::OK, &shown_client(&state, client)),
        None => not_there("The client does not exist.", "inexistent_client"),
    }
}

fn shown_client(state: &State, client: &ClientSpec) -> Value {
    let grants: Vec<&str> = client.grants.iter().map(|grant| grant.urn()).collect();
    let worker = client.worker.iter().map(|(connection, scopes)| {
        let scopes: Vec<&str> = scopes.iter().map(onesec_telemetry::Scope::as_str).collect();
        json!({"connection": connection, "scopes": scopes})
    });
    let worker: Vec<Value> = worker.collect();
    let mut shown = json!({
        "client_id": client.id, "name": format!("Client {}", client.id), "grant_types": grants,
        "token_endpoint_auth_method": if client.keys.is_empty() { json!("client_secret_post") } else { Value::Null },
        "is_first_party": true, "oidc_conformant": true,
        "app_type": if client.api.is_some() { "resource_server" } else { "regular_web" },
        "refresh_token": {"rotation_type": "non-rotating", "expiration_type": "non-expiring", "policies": [
            {"audience": format!("{}me/", state.issuer()), "scope": MY_ACCOUNT_SCOPES}]},
    });
    if let Value::Object(members) = &mut shown {
        if let Some(api) = &client.api {
            members.insert("resource_server_identifier".into(), api.clone().into());
        }
        if !client.keys.is_empty() {
            let access = json!({"grants": worker, "ip_allowlist": ["203.0.113.7"], "credentials": [{"id": "cred_1"}]});
            members.insert("token_vault_privileged_access".into(), access);
        }
    }
    for fault in &state.setup.faults {
        fault.spoil_client(&client.id, &mut shown);
    }
    shown
}

/// `GET /api/v2/resource-servers/{identifier}`.
pub(crate) async fn api(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    Path(identifier): Path<String>,
) -> Response {
    if let Err(refused) = admit(&shared, &headers, "read:resource_servers").await {
        return *refused;
    }
    let state = shared.state.lock();
    let my_account = identifier == format!("{}me/", state.issuer());
    let known = my_account || state.setup.apis.contains(&identifier);
    if !known || state.setup.faults.iter().any(|fault| fault.hides_api(my_account)) {
        return not_there("The resource server does not exist.", "inexistent_resource_server");
    }
    let mut shown = json!({"id": "api_1", "identifier": identifier, "is_system": my_account,
        "allow_offline_access": true, "signing_alg": "RS256"});
    for fault in &state.setup.faults {
        fault.spoil_api(&mut shown);
    }
    answer::json(StatusCode::OK, &shown)
}

/// `GET /api/v2/guardian/policies`.
pub(crate) async fn mfa_policies(Extract(shared): Extract<Arc<Shared>>, headers: HeaderMap) -> Response {
    if let Err(refused) = admit(&shared, &headers, "read:mfa_policies").await {
        return *refused;
    }
    let always = shared.state.lock().setup.faults.contains(&SetupFault::MfaAlways);
    answer::json(StatusCode::OK, &if always { json!(["all-applications"]) } else { json!([]) })
}

/// `GET /api/v2/client-grants`: for every client the one for the My Account API.
pub(crate) async fn client_grants(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    Query(q): Params,
) -> Response {
    if let Err(refused) = admit(&shared, &headers, "read:client_grants").await {
        return *refused;
    }
    let state = shared.state.lock();
    let audience = format!("{}me/", state.issuer());
    let asked = |name: &str| q.get(name).map(String::as_str);
    let mut grants = Vec::new();
    let known = asked("client_id").filter(|id| state.clients.contains_key(*id));
    if let Some(client) = known.filter(|_| asked("audience") == Some(&audience)) {
        let mut grant = json!({"id": "cgr_1", "client_id": client, "audience": audience, "subject_type": "user",
            "scope": MY_ACCOUNT_SCOPES});
        let there = state.setup.faults.iter().all(|fault| fault.spoil_grant(&mut grant));
        grants.extend(there.then_some(grant));
    }
    numbered(grants, &q)
}

/// `GET /api/v2/connections`. Options are shown to those who may see them.
pub(crate) async fn connections(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    Query(q): Params,
) -> Response {
    if let Err(refused) = admit(&shared, &headers, "read:connections").await {
        return *refused;
    }
    let with_options = crate::management::allowed(&shared, &headers, "read:connections_options").unwrap_or(false);
    let state = shared.state.lock();
    let all = state.setup.connections.iter().map(|(name, strategy)| {
        let mut shown = json!({"id": format!("con_{name}"), "name": name, "strategy": strategy,
            "authentication": {"active": true}, "connected_accounts": {"active": true},
            "options": {"client_id": "provider-app", "client_secret": PROVIDER_SECRET, "scope": ["email", "profile"],
                "upstream_params": {"access_type": {"value": "offline"}}}});
        for fault in &state.setup.faults {
            fault.spoil_connection(&mut shown);
        }
        if !with_options && let Value::Object(members) = &mut shown {
            members.remove("options");
        }
        shown
    });
    let gone = state.setup.faults.contains(&SetupFault::NoConnection);
    let all: Vec<Value> = all.filter(|_| !gone).collect();
    numbered(all, &q)
}

/// `GET /api/v2/connections/{id}/clients`: all of them.
pub(crate) async fn connection_clients(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    if let Err(refused) = admit(&shared, &headers, "read:connections").await {
        return *refused;
    }
    let state = shared.state.lock();
    if !state.setup.connections.iter().any(|(name, _)| id == format!("con_{name}")) {
        return not_there("The connection does not exist.", "inexistent_connection");
    }
    let off = state.setup.faults.contains(&SetupFault::ConnectionOff);
    let all = state.clients.keys().filter(|_| !off).map(|client| json!({"client_id": client}));
    answer::json(StatusCode::OK, &json!({"clients": all.collect::<Vec<_>>()}))
}

/// `GET /api/v2/log-streams`.
pub(crate) async fn log_streams(Extract(shared): Extract<Arc<Shared>>, headers: HeaderMap) -> Response {
    if let Err(refused) = admit(&shared, &headers, "read:log_streams").await {
        return *refused;
    }
    let state = shared.state.lock();
    let streams = state.setup.log_streams.iter().enumerate().map(|(number, endpoint)| {
        let mut shown = json!({"id": format!("lst_{number}"), "name": "onesec", "type": "http", "status": "active",
            "filters": [], "sink": {"httpEndpoint": endpoint, "httpContentType": "application/json",
                "httpContentFormat": "JSONARRAY", "httpAuthorization": STREAM_SECRET}});
        for fault in &state.setup.faults {
            fault.spoil_stream(&mut shown);
        }
        shown
    });
    let gone = state.setup.faults.contains(&SetupFault::NoLogStream);
    let streams: Vec<Value> = streams.filter(|_| !gone).collect();
    answer::json(StatusCode::OK, &streams.into())
}

/// `GET /api/v2/custom-domains`.
pub(crate) async fn custom_domains(Extract(shared): Extract<Arc<Shared>>, headers: HeaderMap) -> Response {
    if let Err(refused) = admit(&shared, &headers, "read:custom_domains").await {
        return *refused;
    }
    let state = shared.state.lock();
    let managed = state.setup.faults.contains(&SetupFault::DomainNotSelfManaged);
    let kind = if managed { "auth0_managed_certs" } else { "self_managed_certs" };
    let all = state.setup.custom_domains.iter();
    let all: Vec<Value> = all.map(|name| json!({"domain": name, "type": kind, "status": "ready"})).collect();
    answer::json(StatusCode::OK, &all.into())
}

/// `GET /api/v2/network-acls`: one that closes the tenant's own domain.
pub(crate) async fn network_acls(Extract(shared): Extract<Arc<Shared>>, headers: HeaderMap) -> Response {
    if let Err(refused) = admit(&shared, &headers, "read:network_acls").await {
        return *refused;
    }
    let state = shared.state.lock();
    let domain = state.issuer().trim_start_matches("https://").trim_end_matches('/').to_owned();
    let open = state.setup.faults.contains(&SetupFault::CanonicalDomainOpen);
    let acl = json!({"id": "acl_1", "description": "canonical domain", "active": !open, "priority": 1,
        "rule": {"action": {"block": true}, "match": {"hostnames": [domain]}, "scope": "authentication"}});
    answer::json(StatusCode::OK, &json!({"network_acls": [acl], "start": 0, "limit": 50, "total": 1}))
}

fn numbered(all: Vec<Value>, query: &HashMap<String, String>) -> Response {
    let number = |key: &str, default| query.get(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (page, size): (usize, usize) = (number("page", 0), number("per_page", 50).clamp(1, 100));
    let items: Vec<Value> = all.into_iter().skip(page.saturating_mul(size)).take(size).collect();
    answer::json(StatusCode::OK, &items.into())
}

const MY_ACCOUNT_SCOPES: [&str; 3] =
    ["create:me:connected_accounts", "read:me:connected_accounts", "delete:me:connected_accounts"];
/// What a reader of connections sees and must not show.
const PROVIDER_SECRET: &str = "GOCSPX-sim-pr0vider-s3cret";
/// The same for log streams.
const STREAM_SECRET: &str = "sim-log-stream-authorization-s3cret";
