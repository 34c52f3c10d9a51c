//! Auth0's log: delivered, taken once, joined with what the gateway did, and believed as far as it goes.

mod absorbed;
mod day;
mod links;
mod pulled;
mod receiver;

use onesec_auth0_sim::ClientSpec;
use onesec_e2e::logs::AUTHORIZATION;
use onesec_e2e::world::GOOGLE;
use onesec_e2e::{Http, Plan, World};
use serde_json::{Value, json};

use crate::plan;

const ADMIN: &str = "onesec-admin";
const ADMIN_SECRET: &str = "Pl4nted-management-secret-ZZQX";
/// A client that has no business with Token Vault.
const STRAY: &str = "stray";
const STRAY_SECRET: &str = "secret-of-the-stray";

/// A log stream is configured, and every exchange at Google goes through the gateway.
fn streamed() -> Plan {
    plan().with("token_vault", json!({"log_stream_authorization": AUTHORIZATION, "exclusive": [GOOGLE]}))
}

/// The same, and the Management API can be asked.
fn read_back() -> World {
    administered(streamed())
}

/// With a client of the Management API.
fn administered(plan: Plan) -> World {
    let world = plan.with("enforcement", json!({"auth0": {"client_id": ADMIN, "client_secret": ADMIN_SECRET}})).start();
    world.sim.create_client(ClientSpec::regular(ADMIN, ADMIN_SECRET));
    world
}

/// `user`'s token of `connection`, past the gateway.
fn bypass(world: &World, user: &str, connection: &str) {
    world.sim.create_client(ClientSpec::regular(STRAY, STRAY_SECRET));
    let token = world.sim.issue_refresh_token(user, STRAY).expect("issued");
    let form = [
        ("grant_type", "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token"),
        ("client_id", STRAY),
        ("client_secret", STRAY_SECRET),
        ("subject_token", token.expose_to_wire()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
        ("requested_token_type", "http://auth0.com/oauth/token-type/federated-connection-access-token"),
        ("connection", connection),
    ];
    let answer = Http::new(world.sim.base_url(), None).form("/oauth/token", &[], &form);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Accounts in the ledger of a user at Google.
fn accounts(world: &World, state: &str) -> Vec<Value> {
    world.listed(&format!("/api/v1/accounts?user_id=auth0%7Cana&connection={GOOGLE}&state={state}"), "accounts")
}
