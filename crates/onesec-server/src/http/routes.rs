//! The table of routes: what there is, who may use it, which parameters it takes.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, delete, get, patch, post, put};

use super::{
    App, agents, alerts, approvals, auth0_accounts, auth0_logs, canaries, catalogue, connected_accounts, connections,
    contain, decide, delegations, discovery, enforcement, events, exceptions, exchange, going_live, health, keys,
    layers, openapi, policies, processes, registrations, rehearsal, responses, revocations, security_events, stream,
    token, tools, users,
};
use crate::keys::KeyScope;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody who reaches us.
    Open,
    /// Keys with this scope, or one that implies it.
    Key(KeyScope),
    /// OAuth clients whose secret is a key with this scope. The handler finds it: it may be in the body.
    Client(KeyScope),
    /// A log stream of Auth0, by its own `Authorization`. The handler compares it.
    LogStream,
    /// Whoever signed what is sent, with a key that is believed. The handler finds it.
    Signed,
}

/// One route.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) access: Access,
    pub(super) query: &'static [&'static str],
    /// Answers errors as OAuth does.
    pub(super) oauth: bool,
    /// Statuses of success.
    pub(super) ok: &'static [u16],
    pub(super) handler: fn() -> MethodRouter<Arc<App>>,
}

const fn route(
    (method, path): (&'static str, &'static str),
    access: Access,
    summary: &'static str,
    handler: fn() -> MethodRouter<Arc<App>>,
) -> Route {
    Route { method, path, summary, access, query: &[], oauth: false, ok: &[200], handler }
}

impl Route {
    const fn query(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }

    const fn answers(mut self, ok: &'static [u16]) -> Self {
        self.ok = ok;
        self
    }

    const fn oauth(mut self) -> Self {
        self.oauth = true;
        self
    }
}

/// The router, each route behind its own guard.
pub(super) fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    ROUTES
        .iter()
        .fold(Router::new(), |router, route| router.route(route.path, layers::guarded(route, app)))
        .fallback(layers::nothing_here)
}

use Access::{Client, Key, LogStream, Open, Signed};
use KeyScope::{Admin, EventsTrust, EventsWrite, Exchange, Read, Respond};

const PAGE: &[&str] = &["limit", "cursor"];

/// Everything that there is. The OpenAPI document is made of it.
pub(super) static ROUTES: &[Route] = &[
    route(("get", "/healthz"), Open, "The process is up", || get(health::healthz)),
    route(("get", "/readyz"), Open, "Journal, engine, detectors and upstream are well", || get(health::readyz)),
    route(("get", "/metrics"), Key(Read), "Prometheus metrics", || get(health::metrics)),
    route(("get", "/api/v1/status"), Key(Read), "Version, mode, counts, journal, detectors", || get(health::status)),
    route(("get", "/api/v1/openapi.json"), Key(Read), "This document", || get(openapi::serve)),
    route(("post", "/api/v1/events"), Key(EventsWrite), "Send events", || post(events::post)).answers(&[202, 207]),
    route(("get", "/api/v1/events"), Key(Read), "List events", || get(events::list)).query(&[
        "limit",
        "cursor",
        "kind",
        "agent_id",
        "user_id",
        "connection",
        "event_id",
        "since",
        "until",
    ]),
    route(("get", "/api/v1/events/rejected"), Key(Read), "List dead letters", || get(events::rejected)).query(PAGE),
    route(("get", "/api/v1/event-schemas"), Key(Read), "The contract", || get(catalogue::event_schemas_of))
        .query(&["category"]),
    route(("get", "/api/v1/modules"), Key(Read), "Modules and detectors", || get(catalogue::modules)),
    route(("post", "/api/v1/decide"), Key(EventsWrite), "Ask before an act", || post(decide::post)),
    route(("post", "/api/v1/auth0/logs"), LogStream, "Deliver entries of Auth0's log", || post(auth0_logs::post))
        .answers(&[202]),
    route(("post", "/api/v1/auth0/logs/pull"), Key(Admin), "Take what is new in Auth0's log", || {
        post(auth0_accounts::pull)
    }),
    route(("get", "/api/v1/alerts"), Key(Read), "List alerts", || get(alerts::list)).query(&[
        "limit",
        "cursor",
        "detector",
        "severity",
        "min_severity",
        "status",
        "agent_id",
        "user_id",
        "connection",
        "since",
    ]),
    route(("get", "/api/v1/alerts/stream"), Key(Read), "Alerts as they come (SSE)", || get(stream::alerts)),
    route(("get", "/api/v1/alerts/{id}"), Key(Read), "One alert", || get(alerts::one)),
    route(("patch", "/api/v1/alerts/{id}"), Key(Respond), "Decide on an alert", || patch(alerts::patch)),
    route(("get", "/api/v1/token-vault/status"), Key(Read), "Token Vault and its exchanges", || get(exchange::status)),
    route(("post", "/api/v1/token-vault/exchange"), Key(Exchange), "Exchange a token", || post(exchange::post)).oauth(),
    route(("post", "/oauth/token"), Client(Exchange), "Exchange a token, as Auth0's SDKs do", || post(token::post))
        .oauth(),
    route(("get", "/.well-known/openid-configuration"), Open, "Discovery for Auth0's SDKs", || {
        get(discovery::openid_configuration)
    }),
    route(("get", "/.well-known/jwks.json"), Open, "Public keys that sign delegations", || get(discovery::jwks)),
    route(("get", "/api/v1/agents"), Key(Read), "List agents", || get(agents::list))
        .query(&["limit", "cursor", "state"]),
    route(("get", "/api/v1/agents/{id}"), Key(Read), "One agent", || get(agents::one)),
    route(("put", "/api/v1/agents/{id}"), Key(Admin), "Register an agent", || put(registrations::put)),
    route(("delete", "/api/v1/agents/{id}"), Key(Admin), "Forget a registration", || delete(registrations::remove)),
    route(("post", "/api/v1/agents/{id}/keys"), Key(Exchange), "Bind a key that the issuer vouches for", || {
        post(registrations::bind_key)
    })
    .answers(&[201]),
    route(("get", "/api/v1/agents/{id}/processes"), Key(Read), "An agent's processes", || get(processes::list)),
    route(("post", "/api/v1/agents/{id}/processes"), Key(Admin), "Register a process", || post(processes::register))
        .answers(&[201]),
    route(("delete", "/api/v1/agents/{id}/processes/{pid}"), Key(Admin), "A process has ended", || {
        delete(processes::ended)
    }),
    route(("post", "/api/v1/agents/{id}/suspend"), Key(Respond), "Suspend an agent", || post(agents::suspend)),
    route(
        ("post", "/api/v1/agents/{id}/contain"),
        Key(Respond),
        "Suspend an agent, end its processes, block its address",
        || post(contain::contain),
    ),
    route(("post", "/api/v1/agents/{id}/release"), Key(Respond), "Take back what containing did", || {
        post(contain::release)
    }),
    route(("get", "/api/v1/registrations"), Key(Read), "List registered agents", || get(contain::registrations))
        .query(PAGE),
    route(("post", "/api/v1/agents/{id}/resume"), Key(Respond), "Resume an agent", || post(agents::resume)),
    route(
        ("post", "/api/v1/agents/{id}/baselines/{connection}/accept"),
        Key(Respond),
        "Accept scopes into a baseline",
        || post(agents::accept),
    ),
    route(("get", "/api/v1/accounts"), Key(Read), "List connected accounts", || get(users::accounts)).query(&[
        "limit",
        "cursor",
        "user_id",
        "connection",
        "state",
    ]),
    route(("post", "/api/v1/accounts/reconcile"), Key(Admin), "Compare accounts with Auth0's, step by step", || {
        post(auth0_accounts::reconcile)
    }),
    route(
        ("post", "/api/v1/connected-accounts/connect"),
        Key(EventsTrust),
        "Begin to connect an account, as its user",
        || post(connected_accounts::connect),
    )
    .answers(&[201]),
    route(
        ("post", "/api/v1/connected-accounts/complete"),
        Key(EventsTrust),
        "Complete what was begun, as the same user",
        || post(connected_accounts::complete),
    )
    .answers(&[201]),
    route(("get", "/api/v1/connected-accounts"), Key(EventsTrust), "A user's own accounts at Auth0", || {
        get(connected_accounts::list)
    })
    .query(&["connection"]),
    route(
        ("delete", "/api/v1/connected-accounts/{id}"),
        Key(EventsTrust),
        "Disconnect an account, as its user",
        || delete(connected_accounts::remove),
    )
    .answers(&[204]),
    route(("get", "/api/v1/users/{id}/agents"), Key(Read), "Agents that act for a user", || get(users::agents))
        .query(PAGE),
    route(("get", "/api/v1/users/{id}/can"), Key(Read), "Whether an agent may, and why", || get(users::can)).query(&[
        "agent_id",
        "connection",
        "scopes",
    ]),
    route(("get", "/api/v1/delegations"), Key(Read), "List delegations", || get(delegations::list)).query(&[
        "limit",
        "cursor",
        "agent_id",
        "user_id",
        "connection",
        "state",
    ]),
    route(("post", "/api/v1/delegations"), Key(Respond), "Delegate", || post(delegations::create)).answers(&[201]),
    route(("get", "/api/v1/delegations/{id}/link"), Key(Exchange), "One's own delegation, signed", || {
        get(delegations::signed)
    })
    .query(&["kid"]),
    route(("delete", "/api/v1/delegations/{id}"), Key(Respond), "Take a delegation back", || {
        delete(delegations::revoke)
    }),
    route(("get", "/api/v1/tools"), Key(Read), "List tools and their manifests", || get(tools::list)).query(&["state"]),
    route(("post", "/api/v1/tools/approve"), Key(Respond), "Approve a manifest", || post(tools::approve)),
    route(("get", "/api/v1/exceptions"), Key(Admin), "List exceptions", || get(exceptions::list)).query(PAGE),
    route(("post", "/api/v1/exceptions"), Key(Admin), "Add an exception", || post(exceptions::create)).answers(&[201]),
    route(("delete", "/api/v1/exceptions/{id}"), Key(Admin), "End an exception", || delete(exceptions::remove)),
    route(("get", "/api/v1/canaries"), Key(Admin), "List decoys", || get(canaries::list)).query(PAGE),
    route(("post", "/api/v1/canaries"), Key(Admin), "Set a decoy", || post(canaries::create)).answers(&[201]),
    route(("delete", "/api/v1/canaries/{id}"), Key(Admin), "Remove a decoy", || delete(canaries::remove)),
    route(("post", "/api/v1/connections/{name}/complete"), Key(Admin), "Every link there is known", || {
        post(connections::complete)
    }),
    route(("delete", "/api/v1/connections/{name}/complete"), Key(Admin), "Links there may be unknown", || {
        delete(connections::incomplete)
    }),
    route(("get", "/api/v1/keys"), Key(Admin), "List keys", || get(keys::list)).query(PAGE),
    route(("post", "/api/v1/keys"), Key(Admin), "Make a key", || post(keys::create)).answers(&[201]),
    route(("patch", "/api/v1/keys/{id}"), Key(Admin), "Move the end of a key", || patch(keys::renew)),
    route(("delete", "/api/v1/keys/{id}"), Key(Admin), "Take a key back", || delete(keys::revoke)),
    route(("post", "/api/v1/signing-keys/rotate"), Key(Admin), "Sign delegations with a new key", || {
        post(registrations::rotate)
    }),
    route(("get", "/api/v1/responses"), Key(Read), "List receipts of actions", || get(responses::list))
        .query(&["limit", "cursor", "alert_id", "action", "status", "since"]),
    route(("get", "/api/v1/responses/{id}"), Key(Read), "One receipt, step by step", || get(responses::show)),
    route(("post", "/api/v1/responses/{id}/undo"), Key(Respond), "Take an action back", || post(responses::undo)),
    route(("post", "/api/v1/responses/{id}/retry"), Key(Respond), "Try a failed action again", || {
        post(responses::retry)
    })
    .answers(&[202]),
    route(("post", "/api/v1/responses/{id}/complete"), Key(Respond), "Hand in what an action waits for", || {
        post(responses::complete)
    }),
    route(("post", "/api/v1/revocations"), Key(Respond), "Take access back, everywhere", || post(revocations::create))
        .answers(&[200, 202]),
    route(("get", "/api/v1/revocations"), Key(Read), "List revocations", || get(revocations::list)).query(&[
        "limit",
        "cursor",
        "user_id",
        "agent_id",
        "connection",
        "state",
    ]),
    route(("get", "/api/v1/revocations/{id}"), Key(Read), "One revocation, step by step", || get(revocations::show)),
    route(("post", "/api/v1/revocations/{id}/retry"), Key(Respond), "Try failed steps again", || {
        post(revocations::retry)
    })
    .answers(&[202]),
    route(("post", "/api/v1/security-events"), Signed, "Tell of a security event (RFC 8935)", || {
        post(security_events::receive)
    })
    .answers(&[202]),
    route(("get", "/api/v1/security-events"), Key(Read), "Security events that wait, or were given up", || {
        get(security_events::list)
    })
    .query(&["limit", "cursor", "user_id", "state"]),
    route(("post", "/api/v1/security-events/poll"), Key(Read), "Fetch security events (RFC 8936)", || {
        post(security_events::poll)
    }),
    route(("get", "/api/v1/approvals"), Key(Read), "List what waits for a person", || get(approvals::list))
        .query(&["status"]),
    route(("get", "/api/v1/approvals/{id}"), Key(Read), "What waits for a person", || get(approvals::show)),
    route(("post", "/api/v1/approvals/{id}/approve"), Key(Respond), "Say yes", || post(approvals::approve)),
    route(("post", "/api/v1/approvals/{id}/reject"), Key(Respond), "Say no", || post(approvals::reject)),
    route(("get", "/api/v1/enforcement"), Key(Read), "Mode, preset, policies", || get(enforcement::show)),
    route(("get", "/api/v1/enforcement/presets"), Key(Read), "Presets", || get(enforcement::presets)),
    route(("get", "/api/v1/enforcement/would"), Key(Read), "What live mode would have cut off", || {
        get(going_live::would)
    })
    .query(&["days"]),
    route(("post", "/api/v1/enforcement/test"), Key(Read), "What policies would do about an alert", || {
        post(rehearsal::test)
    }),
    route(("put", "/api/v1/enforcement/mode"), Key(Admin), "Dry run or live", || put(enforcement::set_mode)),
    route(("get", "/api/v1/enforcement/policies"), Key(Read), "List the policies in force", || get(policies::list)),
    route(("post", "/api/v1/enforcement/policies"), Key(Admin), "Add a policy", || post(policies::create))
        .answers(&[201]),
    route(("get", "/api/v1/enforcement/policies/{name}"), Key(Read), "One policy", || get(policies::show)),
    route(("put", "/api/v1/enforcement/policies/{name}"), Key(Admin), "Set a policy", || put(policies::replace)),
    route(("delete", "/api/v1/enforcement/policies/{name}"), Key(Admin), "Remove a policy", || {
        delete(policies::remove)
    }),
    route(("put", "/api/v1/enforcement/preset"), Key(Admin), "Choose a preset", || put(enforcement::set_preset)),
];
