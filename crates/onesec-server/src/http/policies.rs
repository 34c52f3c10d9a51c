//! Single policies, set by people: apart from the configuration's, and in force until they are removed or the configuration
//! names them anew.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use onesec_enforcement::{ActionSpec, Policy};
use onesec_engine::OwnPolicies;
use onesec_telemetry::event::Json;
use onesec_telemetry::{Command, Name};
use serde_json::{Value, json};

use super::App;
use super::agents::order;
use super::answer::{self, Answer};
use super::body;
use super::problem::Problem;
use crate::core::TenantView;
use crate::keys::Caller;

/// `GET /api/v1/enforcement/policies`: in the order in which they are asked.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let policies: Vec<Value> = view.policies.iter().map(|policy| shown(policy, &view)).collect();
    answer::ok(&json!({"policies": policies, "next": null}))
}

/// `GET /api/v1/enforcement/policies/{name}`
pub(super) async fn show(State(app): State<Arc<App>>, caller: Caller, Path(name): Path<String>) -> Answer {
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let found = view.policies.iter().find(|policy| policy.name.as_str() == name);
    answer::ok(&shown(found.ok_or_else(|| Problem::not_found("policy"))?, &view))
}

/// `POST /api/v1/enforcement/policies`: a new one.
pub(super) async fn create(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let said: Value = body::json(request).await?;
    let (name, shown) = set(&app, &caller, Wanted { said, name: None }).await?;
    tracing::info!(policy = %name, owner = caller.owner.as_ref().map(tracing::field::display), "a policy was made by the API");
    answer::json(StatusCode::CREATED, &shown)
}

/// `PUT /api/v1/enforcement/policies/{name}`: a new one, or another under the same name.
pub(super) async fn replace(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(name): Path<String>,
    request: Request,
) -> Answer {
    let name = Name::new(&name).map_err(|_| Problem::unprocessable("bad-name", "the name is no identifier"))?;
    let said: Value = body::json(request).await?;
    let (name, shown) = set(&app, &caller, Wanted { said, name: Some(name) }).await?;
    tracing::info!(policy = %name, owner = caller.owner.as_ref().map(tracing::field::display), "a policy was set by the API");
    answer::ok(&shown)
}

/// `DELETE /api/v1/enforcement/policies/{name}`: what the configuration or the preset says under that name is in force
/// again, where it says anything.
pub(super) async fn remove(State(app): State<Arc<App>>, caller: Caller, Path(name): Path<String>) -> Answer {
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let Some(name) = Name::new(&name).ok().filter(|name| view.policies.iter().any(|policy| policy.name == *name))
    else {
        return Err(Problem::not_found("policy"));
    };
    if !view.own_policies.contains_key(&name) {
        let detail = format!("it is not the API's: the {} brings it", source(&name, &view));
        return Err(Problem::new(StatusCode::CONFLICT, "not-by-api", detail));
    }
    order(&app, &caller, Command::RemovePolicy { name: name.clone() }).await?;
    tracing::info!(policy = %name, owner = caller.owner.as_ref().map(tracing::field::display), "a policy was removed by the API");
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let instead = view.policies.iter().find(|policy| policy.name == name).map(|policy| shown(policy, &view));
    answer::ok(&json!({"name": name, "instead": instead}))
}

struct Wanted {
    said: Value,
    /// By the path; a new one has none there.
    name: Option<Name>,
}

async fn set(app: &App, caller: &Caller, wanted: Wanted) -> Result<(Name, Value), Problem> {
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let is_new = wanted.name.is_none();
    let (policy, said) = read(wanted, &view)?;
    let name = policy.name.clone();
    if is_new && view.policies.iter().any(|known| known.name == name) {
        let detail = "there is a policy of that name: PUT replaces it";
        return Err(Problem::new(StatusCode::CONFLICT, "name-taken", detail));
    }
    super::machine::may_set(app, caller, &policy)?;
    app.able.check_policy(&policy).map_err(cannot_run)?;
    let mut own = OwnPolicies::clone(&view.own_policies);
    own.insert(name.clone(), said.clone());
    onesec_engine::policies(&view.settings, view.preset, &own).map_err(cannot_run)?;
    let command = Command::SetPolicy { name: name.clone(), policy: Json::redacted(said.clone()) };
    order(app, caller, command).await?;
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    match view.policies.iter().find(|policy| policy.name == name) {
        Some(policy) if view.own_policies.get(&name) == Some(&said) => Ok((name, shown(policy, &view))),
        _ => Err(Problem::new(StatusCode::CONFLICT, "overtaken", "something else changed what is enforced meanwhile")),
    }
}

/// The policy, and what was said, which is what is kept: a `webhook` without an address follows the configuration.
fn read(Wanted { mut said, name }: Wanted, view: &TenantView) -> Result<(Policy, Value), Problem> {
    if let (Some(name), Value::Object(members)) = (&name, &mut said) {
        members.entry("name").or_insert_with(|| json!(name));
    }
    let hook = view.settings.enforcement.webhook.as_ref();
    let policies = Policy::read_all(&json!([said]), "policy", hook);
    let policies = policies.map_err(|error| bad(&error.to_string().replace("policy[0]", "policy")))?;
    let policy = policies.into_iter().next().ok_or_else(Problem::internal)?;
    if name.is_some_and(|name| name != policy.name) {
        return Err(bad("`policy.name` is another than that of the path"));
    }
    for spec in &policy.actions {
        let ActionSpec::Webhook(webhook) = spec else { continue };
        let known = |spec: &ActionSpec| matches!(spec, ActionSpec::Webhook(known) if known.digest == webhook.digest);
        let default = hook.and_then(|hook| ActionSpec::read(hook, "webhook", None).ok());
        let in_force = view.policies.iter().flat_map(|policy| &policy.actions).chain(&default).any(known);
        if webhook.url.is_some() || webhook.secret.is_some() || !in_force {
            let why = "a webhook's address and key are secrets, and stand in the configuration: write `webhook` alone, \
                which means `enforcement.webhook`";
            return Err(Problem::unprocessable("webhook-address", why));
        }
    }
    if Json::redacted(said.clone()).to_value() != said {
        let why = "the policy has what looks like a secret in it: name a file, or the environment, in its place";
        return Err(Problem::unprocessable("secret", why));
    }
    Ok((policy, said))
}

fn bad(why: &str) -> Problem {
    Problem::unprocessable("bad-policy", why)
}

fn cannot_run(error: onesec_engine::SetupError) -> Problem {
    Problem::unprocessable("policy-cannot-run", error.to_string())
}

fn shown(policy: &Policy, view: &TenantView) -> Value {
    let mut shown = policy.to_json();
    if let Value::Object(members) = &mut shown {
        // As it was written, so that it can be set again: a `webhook` without an address still is one.
        if let Some(actions) = view.own_policies.get(&policy.name).and_then(|said| said.get("actions")) {
            members.insert("actions".to_owned(), actions.clone());
        }
        members.insert("source".to_owned(), json!(source(&policy.name, view)));
    }
    shown
}

/// Who brings a policy that is in force.
pub(super) fn source(name: &Name, view: &TenantView) -> &'static str {
    let written = &view.settings.enforcement.policies;
    let named = |policy: &Value| policy.get("name").and_then(Value::as_str) == Some(name.as_str());
    if view.own_policies.contains_key(name) {
        "api"
    } else if written.iter().any(named) {
        "configuration"
    } else {
        "preset"
    }
}
