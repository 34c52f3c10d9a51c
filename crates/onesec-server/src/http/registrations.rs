//! Registration of agents: who answers for them, what they may reach, by which keys they are known. And our own keys.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use onesec_identity::PublicKey;
use onesec_telemetry::{
    AgentClass, AgentId, AgentRegistration, AppId, Command, ConnectionName, Mandate, Name, Possession, RegisteredKey,
    Thumbprint,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::agents::{agent, order};
use super::answer::{self, Answer};
use super::body;
use super::problem::Problem;
use super::who::Evidence;
use crate::keys::Caller;

/// Everything that can be said of an agent. What is left out is not so: a registration is said as a whole.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    owner: Option<Name>,
    #[serde(default)]
    class: AgentClass,
    connections: Option<Vec<ConnectionName>>,
    #[serde(default)]
    clients: Vec<AppId>,
    #[serde(default)]
    keys: Vec<Value>,
    #[serde(default)]
    certificates: Vec<Thumbprint>,
    #[serde(default)]
    certificate_names: Vec<Name>,
    #[serde(default)]
    worker: bool,
    #[serde(default)]
    possession: Possession,
    mandate: Option<Mandate>,
}

/// `PUT /api/v1/agents/{id}`
pub(super) async fn put(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    let agent = agent(&id)?;
    let said = said(agent, body::json(request).await?)?;
    register(&app, &caller, said.clone()).await?;
    answer::ok(&shown(&said))
}

fn said(agent_id: AgentId, wanted: Wanted) -> Result<AgentRegistration, Problem> {
    let lists = [wanted.keys.len(), wanted.clients.len(), wanted.certificates.len(), wanted.certificate_names.len()];
    let connections = wanted.connections.as_ref().map_or(0, Vec::len);
    let mandate = wanted.mandate.as_ref().map_or(0, |mandate| {
        mandate.tools.as_ref().map_or(0, Vec::len).max(mandate.connections.as_ref().map_or(0, Vec::len))
    });
    if lists.into_iter().chain([connections, mandate]).any(|len| len > MOST_ENTRIES) {
        return Err(Problem::unprocessable(
            "too-many",
            format!("a list must not have more than {MOST_ENTRIES} entries"),
        ));
    }
    let mut keys: Vec<RegisteredKey> = Vec::new();
    for (index, jwk) in wanted.keys.iter().enumerate() {
        let key = registered_key(jwk).map_err(|problem| problem.with("pointer", format!("/keys/{index}")))?;
        if keys.iter().any(|other| other.kid == key.kid || other.thumbprint == key.thumbprint) {
            return Err(Problem::unprocessable("key-twice", "a key or its `kid` stands twice"));
        }
        keys.push(key);
    }
    let mut said = AgentRegistration::new(agent_id);
    said.owner = wanted.owner;
    said.class = wanted.class;
    said.connections = wanted.connections;
    said.clients = wanted.clients;
    said.keys = keys;
    said.certificates = wanted.certificates;
    said.certificate_names = wanted.certificate_names;
    said.worker = wanted.worker;
    said.possession = wanted.possession;
    said.mandate = wanted.mandate;
    usable(&said)?;
    Ok(said)
}

/// What could never be fulfilled is a mistake.
fn usable(said: &AgentRegistration) -> Result<(), Problem> {
    let without = |what: &str| Problem::unprocessable("unusable", format!("{what} is asked for, and there is none"));
    let certificates = !said.certificates.is_empty() || !said.certificate_names.is_empty();
    match said.possession {
        Possession::Dpop if said.keys.is_empty() => return Err(without("a proof by one of `keys`")),
        Possession::Mtls if !certificates => return Err(without("one of `certificates` or `certificate_names`")),
        Possession::None | Possession::Dpop | Possession::Mtls => {}
    }
    if said.worker && said.keys.is_empty() { Err(without("a worker's signature by one of `keys`")) } else { Ok(()) }
}

/// A public key, cleared of everything that must not verify; without a `kid` it is known by its thumbprint.
fn registered_key(jwk: &Value) -> Result<RegisteredKey, Problem> {
    let key = PublicKey::from_jwk(jwk);
    let key = key.map_err(|why| Problem::unprocessable("unusable-key", format!("a key cannot be used: {why}")))?;
    let thumbprint = key.thumbprint();
    let kid = match jwk.get("kid") {
        None => thumbprint.to_base64url(),
        Some(kid) => kid.as_str().unwrap_or_default().to_owned(),
    };
    let kid = Name::new(&kid).map_err(|_| Problem::unprocessable("unusable-key", "`kid` is no identifier"))?;
    let mut public = key.jwk().clone();
    if let Value::Object(members) = &mut public {
        members.insert("kid".to_owned(), json!(kid));
        members.extend(jwk.get("alg").map(|alg| ("alg".to_owned(), alg.clone())));
    }
    Ok(RegisteredKey { kid, thumbprint, jwk: public.to_string() })
}

/// Records it, and only then is the agent known by it.
async fn register(app: &Arc<App>, caller: &Caller, said: AgentRegistration) -> Result<(), Problem> {
    let agents = &app.identity.agents;
    if let Some(other) = agents.clash(&caller.tenant, &said) {
        let detail = format!("`{other}` is known by one of these clients or certificates already");
        return Err(Problem::new(StatusCode::CONFLICT, "taken", detail));
    }
    let full = app.core.view(&caller.tenant).is_some_and(|view| view.stats.registered >= MOST_AGENTS);
    if full && agents.of(&caller.tenant, &said.agent_id).is_none() {
        return Err(Problem::new(StatusCode::CONFLICT, "too-many", "there are too many registered agents"));
    }
    let (app, caller) = (app.clone(), caller.clone());
    to_its_end(async move {
        order(&app, &caller, Command::RegisterAgent(Box::new(said.clone()))).await?;
        app.identity.agents.insert(&caller.tenant, said);
        Ok(())
    })
    .await
}

/// Even if the client goes away: ledger and memory must agree on who an agent is.
async fn to_its_end(work: impl Future<Output = Result<(), Problem>> + Send + 'static) -> Result<(), Problem> {
    tokio::spawn(work).await.map_err(|_| Problem::internal())?
}

/// `DELETE /api/v1/agents/{id}`: what was delegated to the agent stays, and so does its history.
pub(super) async fn remove(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let agent = agent(&id)?;
    let agents = &app.identity.agents;
    agents.of(&caller.tenant, &agent).ok_or_else(|| Problem::not_found("registration"))?;
    // Forgotten at once: that it is on the disk only a moment later opens nothing.
    agents.remove(&caller.tenant, &agent);
    let command = Command::UnregisterAgent { agent: agent.clone() };
    to_its_end(async move { order(&app, &caller, command).await.map(|_| ()) }).await?;
    answer::ok(&json!({"agent_id": agent, "registered": false}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Binding {
    jwk: Value,
}

/// `POST /api/v1/agents/{id}/keys`: the agent's own key, as its issuer bound a token to it (`cnf.jkt`; RFC 9449, section
/// 6.1) and the agent proves to hold it. An API key is not enough: whoever stole one could make himself another.
pub(super) async fn bind_key(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    let agent = agent(&id)?;
    let evidence = request.extensions().get::<Evidence>().cloned().unwrap_or_default();
    let known = app.identity.agents.of(&caller.tenant, &agent).filter(|_| caller.agent.as_ref() == Some(&agent));
    let known = known.ok_or_else(|| Problem::not_found("agent"))?;
    let binding: Binding = body::json(request).await?;
    let key = registered_key(&binding.jwk)?;
    if evidence.bound_to != Some(key.thumbprint) {
        let detail =
            "authenticate with a token of your issuer that is bound to this very key, and prove that you hold it";
        return Err(Problem::forbidden("not-bound", detail));
    }
    let mut said = known.said.clone();
    if !known.holds(key.thumbprint) {
        if said.keys.len() >= MOST_ENTRIES || said.keys.iter().any(|other| other.kid == key.kid) {
            return Err(Problem::new(StatusCode::CONFLICT, "taken", "its `kid` is taken, or there are too many keys"));
        }
        said.keys.push(key);
        register(&app, &caller, said.clone()).await?;
    }
    answer::json(StatusCode::CREATED, &shown(&said))
}

/// `POST /api/v1/signing-keys/rotate`
pub(super) async fn rotate(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    // One key signs for all tenants.
    super::machine::operators_only(&app, &caller)?;
    let (signer, now) = (app.identity.signer.clone(), app.core.now());
    let rotated = tokio::task::spawn_blocking(move || signer.rotate(now)).await.map_err(|_| Problem::internal())?;
    let thumbprint = rotated.map_err(|error| {
        tracing::error!(%error, "the signing key was not rotated");
        Problem::internal()
    })?;
    order(&app, &caller, Command::SigningKeyRotated { thumbprint }).await?;
    answer::ok(&json!({"kid": thumbprint.to_base64url(), "rotated_at": now}))
}

/// A registration as people see it.
pub(super) fn shown(said: &AgentRegistration) -> Value {
    let key = |key: &RegisteredKey| {
        let jwk: Value = serde_json::from_str(&key.jwk).unwrap_or_default();
        json!({"kid": key.kid, "thumbprint": key.thumbprint.to_base64url(), "jwk": jwk})
    };
    json!({
        "agent_id": said.agent_id, "owner": said.owner, "class": said.class, "connections": said.connections,
        "clients": said.clients, "keys": said.keys.iter().map(key).collect::<Vec<_>>(),
        "certificates": said.certificates.iter().map(Thumbprint::to_base64url).collect::<Vec<_>>(),
        "certificate_names": said.certificate_names, "worker": said.worker, "possession": said.possession,
        "mandate": said.mandate,
    })
}

/// In one list of a registration.
const MOST_ENTRIES: usize = 64;
/// All of them are in memory.
const MOST_AGENTS: usize = 1_000_000;
