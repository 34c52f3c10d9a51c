//! What parties prove themselves with: keys, assertions, DPoP proofs, requests of workers, links, other issuers.

#![expect(clippy::expect_used, reason = "a test harness")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use onesec_auth0_sim::{AccessTokenSpec, KeySource, SimConfig, SimTenant};
use onesec_identity::{Algorithm, DelegateKey, Narrower, PublicKey, SigningKey, delegate};
use onesec_telemetry::{AgentId, Name, Secret, Timestamp};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::World;
use crate::tls::Certificate;

/// A private key of somebody.
#[derive(Debug)]
pub struct Key {
    /// The key.
    pub signing: SigningKey,
    /// What it is registered under.
    pub kid: String,
}

impl Default for Key {
    fn default() -> Self {
        Self::new(Algorithm::EdDsa)
    }
}

impl Key {
    /// A new one.
    ///
    /// # Panics
    /// Where none can be made.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self { signing: SigningKey::generate(algorithm).expect("key"), kid: fresh("key") }
    }

    /// Its public half.
    #[must_use]
    pub fn jwk(&self) -> Value {
        self.signing.public_jwk(&self.kid)
    }

    /// Its public half, as links name it.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.signing.public_key().expect("public key")
    }

    /// RFC 7638.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.public().thumbprint().to_base64url()
    }

    /// A JWT with these claims, of which `change` replaces some; `null` leaves one out.
    ///
    /// # Panics
    /// Where it cannot be signed.
    #[must_use]
    pub fn jwt(&self, header: &Value, claims: &Value, change: &Value) -> String {
        let mut claims = claims.clone();
        merge(&mut claims, change);
        let mut head = json!({"alg": self.signing.algorithm().name(), "kid": self.kid});
        merge(&mut head, header);
        let signed = self.signing.sign_raw(&head.to_string(), &claims.to_string()).expect("signed");
        signed.expose_to_wire().to_owned()
    }

    /// `private_key_jwt` (RFC 7523).
    #[must_use]
    pub fn assertion(&self, client: &str, audience: &str, change: &Value) -> String {
        let claims = json!({"iss": client, "sub": client, "aud": audience, "jti": fresh("assertion"),
            "iat": now(), "exp": now() + 60});
        self.jwt(&json!({"typ": "JWT"}), &claims, change)
    }

    /// A DPoP proof (RFC 9449).
    #[must_use]
    pub fn dpop(&self, (method, url): (&str, &str), token: Option<&str>, change: &Value) -> String {
        let mut claims = json!({"htm": method, "htu": url, "jti": fresh("proof"), "iat": now()});
        if let Some(token) = token {
            merge(&mut claims, &json!({"ath": Secret::new(token.to_owned()).thumbprint().to_base64url()}));
        }
        let header = json!({"typ": "dpop+jwt", "kid": null, "jwk": self.public().jwk()});
        self.jwt(&header, &claims, change)
    }

    /// A worker's request for a token of `user`.
    #[must_use]
    pub fn request(&self, worker: &str, user: &str, (audience, change): (&str, &Value)) -> String {
        let claims = json!({"iss": worker, "sub": user, "aud": audience, "jti": fresh("request"), "iat": now(),
            "audit_context": "nightly"});
        self.jwt(&json!({"typ": "token-vault-req+jwt"}), &claims, change)
    }

    /// Lends on what `chain` gives, without a network.
    ///
    /// # Panics
    /// Where the library sees that it would be refused.
    #[must_use]
    pub fn lend(&self, chain: &str, (to, key): (&str, &Self), narrow: impl FnOnce(Narrower) -> Narrower) -> String {
        let wanted = narrow(narrower(to, key));
        let chain = delegate(&Secret::new(chain.to_owned()), &self.signing, &wanted, at_now());
        chain.expect("lent").expose_to_wire().to_owned()
    }
}

/// All that one has, for ten minutes.
///
/// # Panics
/// Where `to` is no name.
#[must_use]
pub fn narrower(to: &str, key: &Key) -> Narrower {
    let (to, jti) = (AgentId::new(to).expect("agent"), Name::new(&fresh("link")).expect("name"));
    Narrower::new(to, DelegateKey::Key(key.public()), at_now() + Duration::from_secs(600), jti)
}

/// Sets and replaces members; `null` removes.
pub fn merge(into: &mut Value, change: &Value) {
    let (Some(into), Some(change)) = (into.as_object_mut(), change.as_object()) else { return };
    for (name, value) in change {
        if value.is_null() {
            into.remove(name)
        } else {
            into.insert(name.clone(), value.clone())
        };
    }
}

/// A text that nobody used before.
#[must_use]
pub fn fresh(what: &str) -> String {
    static NUMBERS: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}-{}", std::process::id(), NUMBERS.fetch_add(1, Ordering::Relaxed))
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> i64 {
    at_now().as_secs()
}

/// The machine's time, cut to seconds.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "stands for the clocks of agents")]
pub fn at_now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_secs(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A tenant of its own, with keys of its own, found by discovery at its own address.
#[derive(Debug)]
pub struct Issuer {
    /// The tenant.
    pub sim: SimTenant,
    _runtime: Runtime,
}

impl Issuer {
    /// Starts one.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("runtime");
        let config = SimConfig::new("issuer.example.test").with_loopback_issuer().with_keys(KeySource::Fresh);
        let sim = runtime.block_on(SimTenant::start(config)).expect("issuer");
        Self { sim, _runtime: runtime }
    }

    /// The section `agents.issuers` of it, for this audience.
    #[must_use]
    pub fn section(&self, audience: &str) -> Value {
        json!([{"issuer": self.sim.issuer(), "audience": audience}])
    }

    /// A machine's own token for `client`, as honest as `change` leaves it.
    ///
    /// # Panics
    /// Where it cannot be signed.
    #[must_use]
    pub fn machine(
        &self,
        client: &str,
        audience: &str,
        change: impl FnOnce(AccessTokenSpec) -> AccessTokenSpec,
    ) -> String {
        let spec = AccessTokenSpec::new(&format!("{client}@clients"), audience, client);
        let spec = change(spec.with_claim("gty", "client-credentials".into()));
        self.sim.mint_access_token(&spec).expect("minted").expose_to_wire().to_owned()
    }
}

/// `x5t#S256` of a certificate.
#[must_use]
pub fn x5t(certificate: &Certificate) -> String {
    onesec_telemetry::Thumbprint::of(&certificate.der).to_base64url()
}

impl World {
    /// Registers an agent, as `PUT /api/v1/agents/{id}` takes it.
    ///
    /// # Panics
    /// Where the server refuses.
    pub fn register(&self, agent: &str, said: &Value) -> Value {
        let answer = self.admin().call("PUT", &format!("/api/v1/agents/{agent}"), said);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Registers an agent with a new key, and with whatever else there is to say.
    #[must_use]
    pub fn keyed(&self, agent: &str, more: &Value) -> Key {
        let key = Key::default();
        let mut said = json!({"keys": [key.jwk()]});
        merge(&mut said, more);
        self.register(agent, &said);
        key
    }

    /// The address of the server with this path, as clients know it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.process.url().trim_end_matches('/'))
    }
}
