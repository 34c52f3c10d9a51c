//! Keys over HTTP: made and shown once, listed without their secret, taken back at once.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use onesec_journal::LedgerTable;
use onesec_telemetry::suggest::did_you_mean;
use onesec_telemetry::{AgentId, Channel, Command, KeyId, Name, TenantId, Text, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::answer::{self, Answer};
use super::body;
use super::params::Params;
use super::problem::Problem;
use crate::core::Order;
use crate::keys::{Caller, KeyRecord, KeyScope, KeyScopes, KeySpec, OPERATOR};

/// `GET /api/v1/keys`: the tenant's keys; an operator's first page has the operators' keys too.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let table = (LedgerTable::ApiKeys, caller.tenant.clone());
    let mut page = answer::ledger_rows(&app, table, onesec_journal::LedgerFilter::default(), &params).await?;
    if caller.operator && params.get("cursor").is_none() {
        let operators = TenantId::new(OPERATOR).map_err(|_| Problem::internal())?;
        let read = move |reader: &onesec_journal::Reader| {
            let all = onesec_journal::LedgerFilter::default();
            reader.ledger((LedgerTable::ApiKeys, &operators), &all, (None, super::params::MAX_LIMIT))
        };
        page.items.extend(app.read(read).await?.items);
    }
    answer::page("keys", page, |row| {
        let record: KeyRecord = serde_json::from_str(&row.doc).ok()?;
        answer::text(&record.to_json())
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: Name,
    scopes: Vec<String>,
    owner: Option<Name>,
    agent_id: Option<AgentId>,
    tenant: Option<TenantId>,
    trusted_time: Option<bool>,
    expires_at: Option<Timestamp>,
}

/// `POST /api/v1/keys`
pub(super) async fn create(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let wanted: Wanted = body::json(request).await?;
    let spec = spec(&app, &caller, wanted)?;
    let (record, secret) = spec.make(app.core.now()).map_err(|_| Problem::internal())?;
    let order = Order {
        tenant: home(&caller, &record),
        sender: caller.sender(Channel::Api),
        command: Command::KeyCreated {
            key: record.id.clone(),
            agent: record.agent_id.clone(),
            owner: record.owner.clone(),
            scopes: Text::redacted(&record.scopes.as_names().join(" ")),
        },
        then: None,
        ledger: vec![record.put()],
    };
    let mut shown = record.to_json();
    finish(&app, order, move |app| app.keys.insert(record)).await?;
    if let Value::Object(members) = &mut shown {
        members.insert("key".into(), secret.expose_to_wire().into());
    }
    answer::json(StatusCode::CREATED, &shown)
}

/// Runs to its end even if the client goes away: ledger and memory must agree on which keys work. One change at a time,
/// and of a key that is there: one that was taken back meanwhile must not come back by being renewed.
async fn finish(app: &Arc<App>, order: Order, then: impl FnOnce(&App) + Send + 'static) -> Result<(), Problem> {
    let app = app.clone();
    let done = tokio::spawn(async move {
        let _one = app.key_changes.lock().await;
        let gone = matches!(&order.command, Command::KeyRenewed { key, .. } if app.keys.get(key).is_none());
        if gone {
            return Err(Problem::not_found("key"));
        }
        app.core.order(order).await.map(|_| then(&app)).map_err(Problem::from)
    });
    done.await.map_err(|_| Problem::internal())?
}

/// The record of an operator's key is kept in the tenant that its maker looks at.
fn home(caller: &Caller, record: &KeyRecord) -> TenantId {
    if record.tenant.as_str() == OPERATOR { caller.tenant.clone() } else { record.tenant.clone() }
}

fn spec(app: &App, caller: &Caller, wanted: Wanted) -> Result<KeySpec, Problem> {
    let scopes = scopes(&wanted.scopes)?;
    if scopes.names(KeyScope::Exchange) && wanted.agent_id.is_none() {
        return Err(Problem::unprocessable("exchange-needs-agent", "the scope `exchange` needs an `agent_id`"));
    }
    if wanted.expires_at.is_some_and(|end| end <= app.core.now()) {
        return Err(Problem::unprocessable("bad-expiry", "`expires_at` is over already"));
    }
    let tenant = wanted.tenant.unwrap_or_else(|| caller.tenant.clone());
    let own = tenant == caller.tenant;
    let known = tenant.as_str() == OPERATOR || app.core.view(&tenant).is_some();
    if !(own || caller.operator && known) {
        return Err(Problem::not_found("tenant"));
    }
    let named = wanted.agent_id.as_ref();
    let taken = named.and_then(|agent| app.identity.agents.by_client(&tenant, agent.as_str()));
    if taken.is_some_and(|other| named != Some(&other.said.agent_id)) {
        // It would be taken for that other agent wherever a token names its client.
        return Err(Problem::new(StatusCode::CONFLICT, "taken", "`agent_id` is the name of another agent's client"));
    }
    // What one tenant takes must not be what the others lack.
    let share = MAX_KEYS / app.core.tenants().len().max(1);
    let (own, all) = app.keys.count(&tenant);
    if own >= share || all >= MAX_KEYS {
        return Err(Problem::new(StatusCode::CONFLICT, "too-many", "there are too many keys: take some back first"));
    }
    let mut spec = KeySpec::new(wanted.name, scopes, tenant);
    spec.owner = wanted.owner.or_else(|| caller.owner.clone());
    spec.agent_id = wanted.agent_id;
    spec.trusted_time = wanted.trusted_time.unwrap_or(false);
    spec.expires_at = wanted.expires_at;
    Ok(spec)
}

fn scopes(names: &[String]) -> Result<KeyScopes, Problem> {
    let known = KeyScope::ALL.map(KeyScope::as_str);
    let mut scopes = Vec::new();
    for name in names {
        let hint = || match did_you_mean(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", known.join(", ")),
        };
        let unknown = || Problem::unprocessable("unknown-scope", format!("a scope is not known: {}", hint()));
        scopes.push(KeyScope::from_name(name).ok_or_else(unknown)?);
    }
    if scopes.is_empty() {
        return Err(Problem::unprocessable("no-scopes", format!("`scopes` must name some of {}", known.join(", "))));
    }
    Ok(KeyScopes::of(&scopes))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Renewal {
    expires_at: Timestamp,
}

/// `PATCH /api/v1/keys/{id}`: a key that ends works longer, or shorter. One that was made to last stays so.
pub(super) async fn renew(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    let Renewal { expires_at } = body::json(request).await?;
    let record = own(&app, &caller, &id)?;
    if record.expires_at.is_none() {
        return Err(Problem::new(StatusCode::CONFLICT, "lasting", "the key has no end that could be moved"));
    }
    if expires_at <= app.core.now() {
        return Err(Problem::unprocessable("bad-expiry", "`expires_at` is over already"));
    }
    let mut record = KeyRecord::clone(&record);
    record.expires_at = Some(expires_at);
    let order = Order {
        tenant: home(&caller, &record),
        sender: caller.sender(Channel::Api),
        command: Command::KeyRenewed { key: record.id.clone(), until: expires_at },
        then: None,
        ledger: vec![record.put()],
    };
    let shown = record.to_json();
    finish(&app, order, move |app| app.keys.insert(record)).await?;
    answer::ok(&shown)
}

/// A key that the caller may decide on.
fn own(app: &App, caller: &Caller, id: &str) -> Result<Arc<KeyRecord>, Problem> {
    let missing = || Problem::not_found("key");
    let id = KeyId::new(id).map_err(|_| missing())?;
    let record = app.keys.get(&id).ok_or_else(missing)?;
    if caller.operator || record.tenant == caller.tenant { Ok(record) } else { Err(missing()) }
}

/// `DELETE /api/v1/keys/{id}`
pub(super) async fn revoke(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let record = own(&app, &caller, &id)?;
    let id = record.id.clone();
    let order = Order {
        tenant: home(&caller, &record),
        sender: caller.sender(Channel::Api),
        command: Command::KeyRevoked { key: id.clone() },
        then: None,
        ledger: vec![record.remove()],
    };
    let gone = id.clone();
    finish(&app, order, move |app| app.keys.remove(&gone)).await?;
    answer::ok(&json!({"id": id, "revoked": true}))
}

/// All of them are in memory.
const MAX_KEYS: usize = 100_000;
