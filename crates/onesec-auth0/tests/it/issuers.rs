//! The keys of any issuer, found by discovery.

use onesec_auth0::{ConfigError, JwksError};
use onesec_auth0_sim::{Endpoint, Fault, RequestKind};
use serde_json::json;

use super::*;

struct Issuer {
    sim: SimTenant,
    clock: Arc<ManualClock>,
    jwks: Jwks,
}

async fn issuer(config: SimConfig, jwks_uri: impl Fn(&SimTenant) -> Option<String>) -> Issuer {
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
    let sim = SimTenant::start(config).await.expect("a tenant");
    let roots = sim.ca_pem().map_or(Roots::None, |pem| Roots::Pem(pem.to_owned()));
    let http = http_client(&HttpOptions { roots, ..HttpOptions::default() }).expect("client");
    let uri = jwks_uri(&sim);
    let jwks = Jwks::for_issuer(&sim.issuer(), uri.as_deref(), http, Arc::<ManualClock>::clone(&clock));
    Issuer { jwks: jwks.expect("an issuer"), sim, clock }
}

fn on_loopback() -> SimConfig {
    SimConfig::new("demo-tenant.eu.auth0.test").with_loopback_issuer()
}

impl Issuer {
    async fn keys(&self) -> Result<usize, JwksError> {
        self.jwks.keys().await.map(|keys| keys.len())
    }

    fn seen(&self) -> (usize, usize) {
        (self.sim.requests(RequestKind::Discovery), self.sim.requests(RequestKind::Jwks))
    }
}

#[tokio::test]
async fn keys_are_discovered_with_every_fetch_and_no_oftener() {
    for config in [on_loopback(), on_loopback().with_tls()] {
        let issuer = issuer(config, |_| None).await;
        for _ in 0..3 {
            assert_eq!(issuer.keys().await, Ok(1));
        }
        assert_eq!(issuer.seen(), (1, 1));
        issuer.clock.advance(Duration::from_secs(600));
        assert_eq!(issuer.keys().await, Ok(1));
        assert_eq!(issuer.seen(), (2, 2), "an issuer may move its keys");
    }
}

#[tokio::test]
async fn a_given_uri_needs_no_discovery() {
    let given = |sim: &SimTenant| Some(format!("{}/.well-known/jwks.json", sim.base_url()));
    let issuer = issuer(on_loopback(), given).await;
    assert_eq!(issuer.keys().await, Ok(1));
    assert_eq!(issuer.seen(), (0, 1));
}

#[tokio::test]
async fn a_lying_document_leads_nowhere() {
    let issuer = issuer(on_loopback(), |_| None).await;
    let (honest, keys) = (issuer.sim.issuer(), format!("{}/.well-known/jwks.json", issuer.sim.base_url()));
    let no_slash = honest.trim_end_matches('/').to_owned();
    let table = [
        (json!({"issuer": "https://other.example/", "jwks_uri": keys}), JwksError::OtherIssuer),
        (json!({"issuer": no_slash, "jwks_uri": keys}), JwksError::OtherIssuer),
        (json!({"issuer": honest, "jwks_uri": "http://10.0.0.1/jwks.json"}), JwksError::UnusableUri),
        (json!({"issuer": honest, "jwks_uri": "file:///jwks.json"}), JwksError::UnusableUri),
        (json!({"issuer": honest, "jwks_uri": "/jwks.json"}), JwksError::UnusableUri),
        (json!({"issuer": honest}), JwksError::Undecodable),
        (json!({"jwks_uri": keys}), JwksError::Undecodable),
    ];
    for (document, want) in table {
        issuer.sim.set_fault_on(Endpoint::Discovery, Fault::Custom { status: 200, body: document.to_string() });
        assert_eq!(issuer.keys().await, Err(want), "{document}");
    }
    for (fault, want) in [
        (Fault::HugeBody, JwksError::Undecodable),
        (Fault::Garbage, JwksError::Undecodable),
        (Fault::Redirect, JwksError::Status { status: 307 }),
        (Fault::Disconnect, JwksError::Unreachable),
    ] {
        issuer.sim.set_fault_on(Endpoint::Discovery, fault.clone());
        assert_eq!(issuer.keys().await, Err(want), "{fault:?}");
    }
    let padded = format!("{}{}", json!({"issuer": honest, "jwks_uri": keys}), " ".repeat(70_000));
    issuer.sim.set_fault_on(Endpoint::Discovery, Fault::Custom { status: 200, body: padded });
    assert_eq!(issuer.keys().await, Err(JwksError::Undecodable), "beyond the cap");
    assert_eq!(issuer.seen().1, 0);
    issuer.sim.clear_faults();
    assert_eq!(issuer.keys().await, Ok(1));
}

#[tokio::test]
async fn an_issuer_behind_tls_does_not_send_us_to_plain_http() {
    let issuer = issuer(on_loopback().with_tls(), |_| None).await;
    let document = json!({"issuer": issuer.sim.issuer(), "jwks_uri": "http://127.0.0.1:9/keys"});
    issuer.sim.set_fault_on(Endpoint::Discovery, Fault::Custom { status: 200, body: document.to_string() });
    assert_eq!(issuer.keys().await, Err(JwksError::UnusableUri));
}

#[tokio::test]
async fn stale_keys_serve_while_the_document_lies() {
    let issuer = issuer(on_loopback(), |_| None).await;
    assert_eq!(issuer.keys().await, Ok(1));
    issuer.sim.set_fault_on(Endpoint::Discovery, Fault::Status(500));
    issuer.clock.advance(Duration::from_secs(3_599));
    assert_eq!(issuer.keys().await, Ok(1));
    issuer.clock.advance(Duration::from_secs(1));
    assert_eq!(issuer.keys().await, Err(JwksError::Status { status: 500 }));
}

#[test]
fn only_a_safe_issuer_is_taken() {
    let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
    let refused = Jwks::for_issuer("http://issuer.example/", None, http(), clock).err();
    assert_eq!(refused, Some(ConfigError::PlainHttp));
}
