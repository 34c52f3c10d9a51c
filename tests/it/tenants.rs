//! Two tenants behind one server, each with an Auth0 tenant of its own: neither sees, touches or slows the other.

mod auth0;
mod exchanges;
mod machine;
mod shown;
mod touched;

use std::collections::BTreeMap;

use onesec_auth0_sim::{AccessTokenSpec, AccountSpec, ClientSpec, KeySource, SimConfig, SimTenant};
use onesec_e2e::world::{AUDIENCE, CALENDAR, EXCHANGE, GOOGLE};
use onesec_e2e::{Answer, Http, Plan, World, eventually};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::plan;

/// The second tenant.
pub(super) const ACME: &str = "acme";
const CLIENT: &str = "onesec-of-acme";
const SECRET: &str = "acme-Pl4nted-client-s3cret";
pub(super) const ADMIN: [&str; 2] = ["admin-of-default", "admin-of-acme"];
pub(super) const ADMIN_SECRET: [&str; 2] = ["default-Pl4nted-admin-s3cret", "acme-Pl4nted-admin-s3cret"];

/// The server and the tenants at Auth0.
pub(super) struct Two {
    pub(super) world: World,
    /// The Auth0 tenant of [`ACME`].
    pub(super) theirs: SimTenant,
    /// On which it runs.
    _runtime: Runtime,
}

/// One of the tenants, with what is in it. Everything that belongs to it has its colour in its name.
pub(super) struct Side {
    pub(super) tenant: &'static str,
    pub(super) colour: &'static str,
    /// Its administrator, who is no operator.
    pub(super) admin: Http,
    /// Its agent that may exchange.
    pub(super) agent: Http,
    /// A refresh token of its user.
    pub(super) token: String,
    /// What there is, by what stands in the paths of the API.
    pub(super) ids: BTreeMap<&'static str, String>,
}

/// What strays bring about, in both.
fn policies() -> Value {
    let strays = json!({"detectors": ["unauthorized-agent"], "min_severity": "CRITICAL"});
    json!([
        {"name": "strays", "match": strays, "actions": [{"suspend_agent": {"for": "1h"}}]},
        {"name": "asked", "match": strays, "approval": {"ttl": "10m"}, "actions": [{"rate_limit_agent": {"limit": 1, "per": "1m", "for": "5m"}}]},
    ])
}

impl Two {
    pub(super) fn start() -> Self {
        Self::with(|plan| plan, json!({}))
    }

    /// With more in the configuration, and in that of the second tenant.
    pub(super) fn with(change: impl FnOnce(Plan) -> Plan, more: Value) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("runtime");
        let config = SimConfig::new("acme.eu.auth0.test").with_keys(KeySource::Fresh);
        let theirs = runtime.block_on(SimTenant::start(config)).expect("tenant");
        theirs.create_client(ClientSpec::custom_api(CLIENT, SECRET, AUDIENCE));
        let mut acme = json!({"token_vault": {
            "auth0_domain": theirs.domain(), "auth0_base_url": theirs.base_url(), "auth0_client_id": CLIENT,
            "auth0_client_secret": SECRET, "audience": AUDIENCE}});
        if let (Some(acme), Value::Object(more)) = (acme.as_object_mut(), more) {
            acme.extend(more);
        }
        let plan = plan().live().with("enforcement", json!({"policies": policies()}));
        let world = change(plan.with("tenants", json!({ACME: acme}))).start();
        Self { world, theirs, _runtime: runtime }
    }

    pub(super) fn sim(&self, tenant: &str) -> &SimTenant {
        if tenant == ACME { &self.theirs } else { &self.world.sim }
    }

    pub(super) fn key(&self, tenant: &str, wanted: Value) -> Http {
        let mut wanted = wanted;
        wanted["tenant"] = json!(tenant);
        wanted["name"] = json!(wanted["name"].as_str().map_or(format!("key-{}", self.world.number()), str::to_owned));
        self.world.nobody().with_key(&self.world.key(&wanted))
    }

    /// An access token of a user of that tenant.
    pub(super) fn access(&self, side: &Side) -> String {
        let spec = AccessTokenSpec::new(&side.user(), AUDIENCE, &side.name("client"));
        self.sim(side.tenant).mint_access_token(&spec).expect("minted").expose_to_wire().to_owned()
    }

    /// The operator, looking at a tenant.
    pub(super) fn operator(&self, (method, tenant): (&str, &str), path: &str, body: &Value) -> Answer {
        let mark = if path.contains('?') { '&' } else { '?' };
        self.world.admin().call(method, &format!("{path}{mark}tenant={tenant}"), body)
    }

    /// A tenant in which there is one of everything.
    pub(super) fn side(&self, tenant: &'static str, colour: &'static str) -> Side {
        let admin = self.key(tenant, json!({"scopes": ["admin"], "owner": format!("{colour}-owner")}));
        let agent = self.key(tenant, json!({"scopes": ["exchange"], "agent_id": format!("{colour}-agent")}));
        let mut side = Side { tenant, colour, admin, agent, token: String::new(), ids: BTreeMap::new() };
        self.lend(&mut side);
        self.stray(&mut side);
        self.administer(&mut side);
        side
    }

    /// An account that is linked and lent, and used.
    fn lend(&self, side: &mut Side) {
        let (sim, user, agent) = (self.sim(side.tenant), side.user(), side.name("agent"));
        let client = if side.tenant == ACME { CLIENT } else { onesec_e2e::world::CLIENT };
        sim.create_user(&user);
        sim.connect_account(AccountSpec::new(&user, GOOGLE, CALENDAR)).expect("connected");
        side.token = sim.issue_refresh_token(&user, client).expect("issued").expose_to_wire().to_owned();
        let mut platform = self.key(side.tenant, json!({"scopes": ["events:trust"]}));
        let linked = json!({"type": "connected_account_link",
            "details": {"user_id": user, "connection": GOOGLE, "scopes": CALENDAR}});
        assert_eq!(platform.post("/api/v1/events", &linked).status, 202);
        let wanted = json!({"user_id": user, "agent_id": agent, "connection": GOOGLE, "scopes": [CALENDAR]});
        let made = side.admin.post("/api/v1/delegations", &wanted);
        assert_eq!(made.status, 201, "{}", made.text());
        side.ids.insert("delegations", text(&made.json(), "id"));
        let answer = exchange(&mut side.agent, &side.token);
        assert_eq!(answer.status, 200, "{}", answer.text());
        side.ids.insert("agents", agent);
        side.ids.insert("users", user);
    }

    /// An agent that nobody let act: an alert, a receipt, a question.
    fn stray(&self, side: &mut Side) {
        let mut stray = self.key(side.tenant, json!({"scopes": ["exchange"], "agent_id": side.name("stray")}));
        assert_eq!(exchange(&mut stray, &side.token).status, 403);
        for (list, filter) in
            [("alerts", "detector=unauthorized-agent"), ("responses", "action=suspend_agent"), ("approvals", "")]
        {
            let id = eventually(list, || {
                let all = side.admin.get(&format!("/api/v1/{list}?{filter}")).json();
                let first = all[list].get(0).cloned()?;
                (first["status"] != "executing").then(|| text(&first, "id"))
            });
            side.ids.insert(list, id);
        }
        let rejected =
            json!({"type": "token_exchange", "details": {"agent_id": side.name("agent"), "user_id": side.user()}});
        assert_eq!(side.admin.post("/api/v1/events", &rejected).status, 422);
    }

    /// What an administrator sets.
    fn administer(&self, side: &mut Side) {
        let now = text(&side.admin.get("/api/v1/status").json()["journal"], "observed_at");
        let now: onesec_telemetry::Timestamp = now.parse().expect("time");
        let until = now + std::time::Duration::from_secs(86_400);
        let agent = side.name("agent");
        let sets = [
            (
                "exceptions",
                json!({"detector": "exchange-rate", "agent_id": agent, "reason": side.name("reason"), "expires_at": until}),
            ),
            (
                "canaries",
                json!({"what": "user", "value": format!("auth0|{}", side.name("decoy")), "note": side.name("note")}),
            ),
            ("keys", json!({"name": side.name("key"), "scopes": ["read"]})),
            (
                "enforcement/policies",
                json!({"name": side.name("policy"), "match": {"agents": [agent]}, "actions": ["log"]}),
            ),
        ];
        for (path, wanted) in sets {
            let made = side.admin.post(&format!("/api/v1/{path}"), &wanted);
            assert_eq!(made.status, 201, "{path}: {}", made.text());
            let id = if path.ends_with("policies") { "name" } else { "id" };
            side.ids.insert(path, text(&made.json(), id));
        }
        let registered = json!({"owner": side.name("owner"), "clients": [side.name("client")]});
        let answer = side.admin.call("PUT", &format!("/api/v1/agents/{agent}"), &registered);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = side.admin.post(&format!("/api/v1/connections/{}/complete", side.name("connection")), &json!({}));
        assert!(answer.status < 300, "{}", answer.text());
        side.ids.insert("connections", side.name("connection"));
        let tools = json!({"type": "mcp_tool_list", "details": {"server_name": side.name("server"), "agent_id": agent,
            "tools": [{"name": side.name("tool"), "description": "Adds."}]}});
        let answer = side.admin.post("/api/v1/events", &tools);
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
}

impl Side {
    pub(super) fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.colour)
    }

    pub(super) fn user(&self) -> String {
        format!("auth0|{}-user", self.colour)
    }

    /// Everything that its administrator sees of it, once nothing is under way.
    pub(super) fn seen(&mut self) -> BTreeMap<String, Value> {
        let lists = [
            "alerts",
            "responses",
            "approvals",
            "agents",
            "accounts",
            "delegations",
            "exceptions",
            "canaries",
            "keys",
            "tools",
            "registrations",
            "enforcement",
            "enforcement/policies",
            "events/rejected",
            "token-vault/status",
            "modules",
            "events",
        ];
        let seen = lists.map(|list| {
            let answer = self.admin.get(&format!("/api/v1/{list}"));
            assert_eq!(answer.status, 200, "{list}: {}", answer.text());
            (list.to_owned(), answer.json())
        });
        BTreeMap::from(seen)
    }
}

pub(super) fn text(from: &Value, member: &str) -> String {
    from[member].as_str().unwrap_or_else(|| panic!("no `{member}` in {from}")).to_owned()
}

pub(super) fn exchange(agent: &mut Http, token: &str) -> Answer {
    agent.post(EXCHANGE, &json!({"subject_token": token, "connection": GOOGLE, "scopes": [CALENDAR]}))
}
