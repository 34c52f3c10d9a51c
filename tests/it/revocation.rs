//! Access is taken back: here at once, at Auth0, at the provider; and each answer is what was seen.

mod accounts;
mod cascade;
mod crash;
mod signals;
mod transmit;

use onesec_auth0_sim::ClientSpec;
use onesec_e2e::world::{ANA, CALENDAR, CLIENT, GOOGLE};
use onesec_e2e::{Agent, Plan, Provider, World, eventually};
use serde_json::{Value, json};

use crate::plan;

const ADMIN: &str = "onesec-admin";
const SECRET: &str = "Pl4nted-management-secret-REVK";
const GITHUB_SECRET: &str = "app-s3cret";

/// In dry run, as most begin: what a person decides counts there, too.
fn plan_with(provider: &Provider) -> Plan {
    plan()
        .with("enforcement", json!({"auth0": {"client_id": ADMIN, "client_secret": SECRET}}))
        .with("token_vault", json!({"revoke_at_provider": at(provider)}))
        .env("ONESEC_LOG", "trace")
}

fn at(provider: &Provider) -> Value {
    json!([
        {"connection": GOOGLE, "provider": "google", "url": provider.url("/revoke")},
        {"connection": "github", "provider": "github", "url": provider.url("/"),
         "client_id": "app-1", "client_secret": GITHUB_SECRET},
        {"connection": "slack", "provider": "slack", "url": provider.url("/api/auth.revoke")},
    ])
}

/// Ana is logged in, has consented, has linked her account and lent it to an agent, which has a token of hers.
fn lent(provider: &Provider) -> (World, Agent, String, String) {
    let world = plan_with(provider).start();
    world.sim.create_client(ClientSpec::regular(ADMIN, SECRET));
    let (mut helper, refresh) = world.lent("helper");
    world.sim.log_in(ANA);
    world.sim.consent(ANA, CLIENT);
    let answer = helper.exchange(GOOGLE, &refresh);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
    known(&world, 1);
    (world, helper, refresh, token)
}

/// So many exchanges of Ana's are indexed.
fn known(world: &World, count: usize) {
    eventually("the exchange is indexed", || {
        let path = format!("/api/v1/events?user_id={ANA}&kind=token_exchange_response").replace('|', "%7C");
        (world.listed(&path, "events").len() >= count).then_some(())
    });
}

fn ask(world: &World, wanted: &Value) -> Value {
    let answer = world.admin().post("/api/v1/revocations", wanted);
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()
}

/// As it is once it is over.
fn over(world: &World, begun: &Value) -> Value {
    let path = format!("/api/v1/revocations/{}", begun["id"].as_str().expect("an id"));
    eventually("it is over", || {
        Some(world.admin().get(&path).json()).filter(|seen| seen["state"] == "done" || seen["state"] == "incomplete")
    })
}

/// Each step's name and state, with the connection where there is one.
fn steps(seen: &Value) -> Vec<(String, String)> {
    let text = |step: &Value, name: &str| step[name].as_str().unwrap_or_default().to_owned();
    let of = |step: &Value| {
        let connection = step["connection"].as_str().map(|c| format!(" {c}")).unwrap_or_default();
        (format!("{}{connection}", text(step, "step")), text(step, "state"))
    };
    seen["steps"].as_array().expect("steps").iter().map(of).collect()
}

fn step(seen: &Value, name: &str) -> (String, String) {
    let found = seen["steps"].as_array().expect("steps").iter().find(|step| step["step"] == name);
    let text = |member: &str| found.map_or("", |step| step[member].as_str().unwrap_or_default()).to_owned();
    (text("state"), text("detail"))
}

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect()
}

/// None of these is in the log, in a file of the data directory, or in what the API shows.
#[track_caller]
fn nowhere(world: &World, secrets: &[&str]) {
    let mut said = world.process.log().join("\n");
    for path in ["/api/v1/revocations", "/api/v1/events?limit=1000", "/api/v1/alerts", "/api/v1/status"] {
        said.push_str(&world.admin().get(path).text());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(world.dir()).expect("the directory").flatten() {
        if entry.file_name() != "test-config.yaml" {
            files.extend(std::fs::read(entry.path()).unwrap_or_default());
        }
    }
    for secret in secrets {
        assert!(!secret.is_empty() && !said.contains(secret), "a secret is told");
        assert!(!files.windows(secret.len()).any(|window| window == secret.as_bytes()), "a secret is on the disk");
    }
}

/// What Ana lends for reading her calendar.
fn lend_anew(world: &World) {
    world.link(ANA, GOOGLE, CALENDAR);
    world.delegate(ANA, "helper", GOOGLE, &[CALENDAR]);
}
