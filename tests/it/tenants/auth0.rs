//! What is done at Auth0: by each tenant's own client, at its own tenant.

use onesec_auth0_sim::{ClientSpec, RequestKind};
use onesec_e2e::eventually;
use serde_json::{Value, json};

use super::{ACME, ADMIN, ADMIN_SECRET, Side, Two, exchange};

fn flagging() -> Value {
    json!([{"name": "flag", "match": {"detectors": ["unauthorized-agent"], "min_severity": "CRITICAL"},
        "actions": ["auth0_flag_user"], "max_per_minute": 1000}])
}

fn client(of: usize) -> Value {
    json!({"client_id": ADMIN[of], "client_secret": ADMIN_SECRET[of]})
}

/// Both, with the clients of the Management API that there are.
fn two(clients: [bool; 2]) -> Two {
    let mut enforcement = json!({"policies": flagging()});
    if clients[0] {
        enforcement["auth0"] = client(0);
    }
    let more = if clients[1] { json!({"enforcement": {"auth0": client(1)}}) } else { json!({}) };
    let two = Two::with(|plan| plan.with("enforcement", enforcement), more);
    two.world.sim.create_client(ClientSpec::regular(ADMIN[0], ADMIN_SECRET[0]));
    two.theirs.create_client(ClientSpec::regular(ADMIN[1], ADMIN_SECRET[1]));
    two
}

/// A user with an account, and an agent that nobody let near it.
fn intrude(two: &Two, tenant: &'static str, colour: &'static str) -> (Side, Value) {
    let nobody = || two.world.nobody();
    let admin = two.key(tenant, json!({"scopes": ["admin"], "owner": format!("{colour}-owner")}));
    let mut side = Side { tenant, colour, admin, agent: nobody(), token: String::new(), ids: Default::default() };
    two.lend_to_nobody(&mut side);
    let mut stray = two.key(tenant, json!({"scopes": ["exchange"], "agent_id": side.name("stray")}));
    assert_eq!(exchange(&mut stray, &side.token).status, 403);
    let receipt = eventually("a receipt", || {
        let all = side.admin.get("/api/v1/responses?action=auth0_flag_user").json();
        all["responses"].get(0).filter(|receipt| receipt["status"] != "executing").cloned()
    });
    (side, receipt)
}

impl Two {
    fn lend_to_nobody(&self, side: &mut Side) {
        let (sim, user) = (self.sim(side.tenant), side.user());
        let client = if side.tenant == ACME { super::CLIENT } else { onesec_e2e::world::CLIENT };
        sim.create_user(&user);
        side.token = sim.issue_refresh_token(&user, client).expect("issued").expose_to_wire().to_owned();
    }
}

#[test]
fn users_are_flagged_at_their_own_tenant_by_its_own_client() {
    let two = two([true, true]);
    // A user of the same name at the other tenant is another one.
    two.world.sim.create_user("auth0|amber-user");
    let (amber, receipt) = intrude(&two, ACME, "amber");
    assert_eq!(receipt["status"], "verified", "{receipt}");
    assert_eq!(two.theirs.app_metadata(&amber.user())["onesec"]["flagged"], true);
    assert_eq!(two.world.sim.app_metadata(&amber.user()), json!({}));
    assert_eq!(two.world.sim.requests(RequestKind::Management), 0, "nothing was asked at the other");
    let (blue, receipt) = intrude(&two, "default", "blue");
    assert_eq!(receipt["status"], "verified", "{receipt}");
    assert_eq!(two.world.sim.app_metadata(&blue.user())["onesec"]["flagged"], true);
    assert_eq!(two.theirs.app_metadata(&blue.user()), json!({}));
}

#[test]
fn without_a_client_of_its_own_nobody_elses_is_used() {
    for (clients, tenant, has) in [([true, false], ACME, "default"), ([false, true], "default", ACME)] {
        let two = two(clients);
        let (_, receipt) = intrude(&two, tenant, "amber");
        assert_eq!(receipt["status"], "failed", "{receipt}");
        assert!(receipt["reason"].as_str().is_some_and(|why| why.contains("no client at Auth0")), "{receipt}");
        assert_eq!(two.sim(has).requests(RequestKind::Management), 0);
    }
}

/// The configuration that cannot be meant.
#[test]
fn what_is_the_same_for_all_tenants_cannot_be_said_for_one() {
    for (section, said) in [
        (json!({"enforcement": {"mode": "live"}}), "`tenants.acme.enforcement.mode` is the same for all tenants"),
        (
            json!({"enforcement": {"auth0": {"client_id": "x"}}}),
            "`tenants.acme.enforcement.auth0.client_secret` is needed",
        ),
        (json!({"enforcement": {"auth0": {"client_idd": "x"}}}), "did you mean `client_id`?"),
        (json!({"enforcement": {"auth0": client(1)}}), "`tenants.acme.enforcement.auth0.domain` is needed"),
    ] {
        let dir = tempfile::tempdir().expect("directory");
        let config = json!({"tenants": {"acme": section}}).to_string();
        let start = onesec_e2e::Start::new(env!("CARGO_BIN_EXE_onesec-under-test"), dir.path()).config(&config);
        let why = start.try_run().map(drop).expect_err("it does not start");
        assert!(why.contains(said), "{why}");
    }
}
