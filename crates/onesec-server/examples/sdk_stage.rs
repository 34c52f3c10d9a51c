//! The stage for `integrations/sdk-compat`: a simulated tenant with a user, and onesec in front of it with TLS.
//!
//! Takes the directory to work in, prints one JSON document, and runs until its standard input ends.

#![expect(clippy::print_stdout, reason = "the document is for the script that starts this")]

use std::error::Error;
use std::path::Path;

use onesec_auth0_sim::{AccessTokenSpec, AccountSpec, ClientSpec, SimConfig, SimTenant};
use onesec_server::config::Config;
use onesec_server::server::Server;
use serde_json::json;

const USER: &str = "auth0|alice";
const AUDIENCE: &str = "https://api.sdk.test";
const CLIENT: &str = "onesec";
/// Of the simulated tenant, which dies with this process.
const CLIENT_SECRET: &str = "only-for-the-stage";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os().nth(1).ok_or("give a directory")?;
    let dir = Path::new(&dir);
    certificate(dir)?;
    let sim = SimTenant::start(SimConfig::new("sdk.eu.auth0.test")).await?;
    sim.create_client(ClientSpec::custom_api(CLIENT, CLIENT_SECRET, AUDIENCE));
    sim.create_user(USER);
    sim.connect_account(AccountSpec::new(USER, "github", "repo:status"))?;
    let running = Server::builder(config(dir, &sim)?).start().await?;
    let document = json!({
        "url": running.url().replace("127.0.0.1", "localhost"),
        "ca": dir.join("ca.pem"),
        "admin_key": running.admin_key().map(|key| key.expose_to_wire().to_owned()),
        "user": USER,
        "audience": AUDIENCE,
        "refresh_token": sim.issue_refresh_token(USER, CLIENT)?.expose_to_wire(),
        "access_token": sim.mint_access_token(&AccessTokenSpec::new(USER, AUDIENCE, CLIENT))?.expose_to_wire(),
    });
    println!("{document}");
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    running.stop().await;
    sim.shutdown().await;
    Ok(())
}

/// A certificate authority for this run alone, and what it vouches for.
fn certificate(dir: &Path) -> Result<(), Box<dyn Error>> {
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

fn config(dir: &Path, sim: &SimTenant) -> Result<Config, Box<dyn Error>> {
    let yaml = json!({
        "server": {
            "listen": "127.0.0.1:0",
            "data_dir": dir.join("data"),
            "tls": {"cert": dir.join("cert.pem"), "key": dir.join("key.pem")},
        },
        "token_vault": {
            "auth0_domain": sim.domain(),
            "auth0_base_url": sim.base_url(),
            "auth0_client_id": CLIENT,
            "auth0_client_secret": CLIENT_SECRET,
            "audience": AUDIENCE,
        },
    });
    Ok(Config::from_yaml(&yaml.to_string(), &|_| None)?)
}
