//! The stage for `integrations/sdk-compat`: twice a simulated tenant with a user and onesec with TLS; once onesec is the
//! SDKs' domain itself, once it stands in front of the tenant's custom domain.
//!
//! Takes the directory to work in, prints one JSON document, and runs until its standard input ends.

#![expect(clippy::print_stdout, reason = "the document is for the script that starts this")]

use std::error::Error;
use std::net::TcpListener;
use std::path::Path;

use onesec_auth0_sim::{AccessTokenSpec, AccountSpec, ClientSpec, SimConfig, SimTenant};
use onesec_identity::{Algorithm, SigningKey};
use onesec_server::config::Config;
use onesec_server::server::{Running, Server};
use serde_json::{Map, Value, json};

const USER: &str = "auth0|alice";
const AUDIENCE: &str = "https://api.sdk.test";
const CLIENT: &str = "onesec";
/// Of simulated tenants, which die with this process.
const CLIENT_SECRET: &str = "only-for-the-stage";
/// As what the SDKs ask: who may, and who may not; known by a secret, or by a key.
const SDK_CLIENTS: [(&str, bool); 4] =
    [("helper-secret", false), ("stranger-secret", false), ("helper-key", true), ("stranger-key", true)];

type Failed = Box<dyn Error>;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let dir = std::env::args_os().nth(1).ok_or("give a directory")?;
    let dir = Path::new(&dir);
    certificate(dir)?;
    let (alone, custom) = (World::as_domain(dir).await?, World::in_front(dir).await?);
    let document = json!({
        "ca": dir.join("ca.pem"),
        "user": USER,
        "audience": AUDIENCE,
        "worlds": {"domain": alone.document()?, "custom_domain": custom.document()?},
    });
    println!("{document}");
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    for world in [alone, custom] {
        world.running.stop().await;
        world.sim.shutdown().await;
    }
    Ok(())
}

/// A tenant, and onesec with it.
struct World {
    sim: SimTenant,
    running: Running,
    /// The clients of the SDKs. Where onesec is the domain, their tokens are those of onesec's own client.
    clients: Map<String, Value>,
}

impl World {
    /// onesec is what the SDKs take for their domain: the tenant does not know their clients.
    async fn as_domain(dir: &Path) -> Result<Self, Failed> {
        let sim = tenant(SimConfig::new("sdk.eu.auth0.test")).await?;
        let mut clients = Map::new();
        for (name, by_key) in SDK_CLIENTS {
            let mut client = proof((name, by_key))?;
            client.extend(tokens(&sim, CLIENT)?);
            clients.insert(name.to_owned(), client.into());
        }
        let vault = json!({"auth0_domain": sim.domain(), "auth0_base_url": sim.base_url()});
        let running = serve((dir, "domain"), "127.0.0.1:0", vault).await?;
        Ok(Self { sim, running, clients })
    }

    /// onesec has the name of the tenant's custom domain, which has the port in it: issuers are compared as a whole.
    async fn in_front(dir: &Path) -> Result<Self, Failed> {
        let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let domain = format!("localhost:{}", listen.port());
        let sim = tenant(SimConfig::new("sdk.eu.auth0.test").with_custom_domain(&domain, CLIENT_SECRET)).await?;
        let mut clients = Map::new();
        for (name, by_key) in SDK_CLIENTS {
            let mut client = proof((name, by_key))?;
            let spec = ClientSpec::custom_api(name, CLIENT_SECRET, AUDIENCE);
            let jwk = client.get("jwk").cloned();
            sim.create_client(jwk.map_or(spec.clone(), |jwk| spec.with_public_key(jwk)));
            client.extend(tokens(&sim, name)?);
            clients.insert(name.to_owned(), client.into());
        }
        let proxy = json!({
            "domain": domain, "origin": sim.base_url(), "origin_host": "edge.sdk.test", "api_key": CLIENT_SECRET,
        });
        let vault = json!({"auth0_domain": domain, "proxy": proxy});
        let running = serve((dir, "custom-domain"), &listen.to_string(), vault).await?;
        Ok(Self { sim, running, clients })
    }

    fn document(&self) -> Result<Value, Failed> {
        let url = self.running.url();
        let authority = url.strip_prefix("https://").ok_or("no TLS")?;
        Ok(json!({
            "domain": authority.replace("127.0.0.1", "localhost"),
            "admin_url": url,
            "admin_key": self.running.admin_key().map(|key| key.expose_to_wire().to_owned()),
            "tenant_url": self.sim.base_url(),
            "tenant_key": CLIENT_SECRET,
            "issuer": self.sim.issuer(),
            "clients": self.clients,
        }))
    }
}

/// A user with a GitHub account, and onesec's own client.
async fn tenant(config: SimConfig) -> Result<SimTenant, Failed> {
    let sim = SimTenant::start(config).await?;
    sim.create_client(ClientSpec::custom_api(CLIENT, CLIENT_SECRET, AUDIENCE));
    sim.create_user(USER);
    sim.connect_account(AccountSpec::new(USER, "github", "repo:status"))?;
    Ok(sim)
}

/// What a client proves itself by.
fn proof((name, by_key): (&str, bool)) -> Result<Map<String, Value>, Failed> {
    if !by_key {
        return Ok(Map::from_iter([("client_secret".to_owned(), CLIENT_SECRET.into())]));
    }
    let key = SigningKey::generate(Algorithm::Rs256)?;
    let private = key.to_pem()?.expose_to_wire().to_owned();
    Ok(Map::from_iter([("private_key".to_owned(), private.into()), ("jwk".to_owned(), key.public_jwk(name))]))
}

/// The user's, as issued to a client.
fn tokens(sim: &SimTenant, client: &str) -> Result<Map<String, Value>, Failed> {
    let refresh = sim.issue_refresh_token(USER, client)?;
    let access = sim.mint_access_token(&AccessTokenSpec::new(USER, AUDIENCE, client))?;
    let named = [("refresh_token", refresh), ("access_token", access)];
    Ok(named.into_iter().map(|(name, token)| (name.to_owned(), token.expose_to_wire().into())).collect())
}

/// A certificate authority for this run alone, and what it vouches for.
fn certificate(dir: &Path) -> Result<(), Failed> {
    let mut authority = rcgen::CertificateParams::new(Vec::new())?;
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "onesec SDK stage");
    authority.key_usages.push(rcgen::KeyUsagePurpose::KeyCertSign);
    let authority = rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate()?)?;
    let key = rcgen::KeyPair::generate()?;
    let mut leaf = rcgen::CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    leaf.use_authority_key_identifier_extension = true;
    std::fs::write(dir.join("ca.pem"), authority.pem())?;
    std::fs::write(dir.join("cert.pem"), leaf.signed_by(&key, &authority)?.pem())?;
    std::fs::write(dir.join("key.pem"), key.serialize_pem())?;
    Ok(())
}

async fn serve((dir, name): (&Path, &str), listen: &str, mut vault: Value) -> Result<Running, Failed> {
    if let Value::Object(members) = &mut vault {
        members.insert("auth0_client_id".to_owned(), CLIENT.into());
        members.insert("auth0_client_secret".to_owned(), CLIENT_SECRET.into());
        members.insert("audience".to_owned(), AUDIENCE.into());
    }
    let server = json!({
        "listen": listen,
        "data_dir": dir.join(name),
        "tls": {"cert": dir.join("cert.pem"), "key": dir.join("key.pem")},
    });
    let yaml = json!({"server": server, "token_vault": vault}).to_string();
    Ok(Server::builder(Config::from_yaml(&yaml, &|_| None)?).start().await?)
}
