//! `docs/identity.md`: its commands work, top to bottom, and the tests that it names are there.

use std::fmt::Write as _;
use std::process::Command;

use onesec_auth0_sim::{AccessTokenSpec, ClientSpec, GrantType};
use onesec_e2e::proofs::{Issuer, Key};
use onesec_e2e::world::{ANA, AUDIENCE, CALENDAR, GOOGLE};
use serde_json::json;

use crate::plan;

const PAGE: &str = include_str!("../../../docs/identity.md");
const DOMAIN: &str = "login.example.com";

/// All commands as one script, each block with its number.
fn script() -> String {
    let mut script = "set -euo pipefail\n".to_owned();
    for (number, block) in PAGE.split("```sh\n").skip(1).enumerate() {
        let block = block.split("```").next().unwrap_or_default();
        writeln!(script, "echo; echo 'block {number}'\n{block}").expect("written");
    }
    script
}

#[test]
fn every_command_of_the_page_works() {
    let (files, worker, issuer) = (tempfile::tempdir().expect("directory"), Key::default(), Issuer::start());
    let at = |name: &str| files.path().join(name);
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), DOMAIN.to_owned()]).expect("certificate");
    std::fs::write(at("cert.pem"), made.cert.pem()).expect("written");
    std::fs::write(at("key.pem"), made.signing_key.serialize_pem()).expect("written");
    std::fs::write(at("worker.pem"), worker.signing.to_pem().expect("PEM").expose_to_wire()).expect("written");
    let clients =
        json!([{"client_id": "worker-1", "private_key_file": at("worker.pem"), "key_id": worker.kid, "use": "worker"}]);
    let pass = json!([{"grant": GrantType::TokenExchange.urn(), "audience": "https://calendar.example.com"}]);
    let proxy = json!({"domain": DOMAIN, "origin_host": "edge.example.com", "api_key": "k"});
    let tls = json!({"cert": at("cert.pem"), "key": at("key.pem"), "client_certificates": "any"});
    let world = plan()
        .live()
        .with("server", json!({"tls": tls}))
        .with("agents", json!({"issuers": issuer.section("https://onesec.example.com")}))
        .with("token_vault", json!({"clients": clients, "pass_through": pass}))
        .custom_domain(proxy)
        .start();
    let grants = [GrantType::TokenExchange, GrantType::ClientCredentials];
    for sim in [&world.sim, &issuer.sim] {
        sim.create_client(ClientSpec::custom_api("app-1", "s3cret", AUDIENCE).with_grants(&grants));
    }
    let spec = ClientSpec::worker("worker-1", worker.jwk()).with_worker_grants(GOOGLE, CALENDAR).expect("granted");
    world.sim.create_client(spec);
    world.link(ANA, GOOGLE, CALENDAR);
    let access = world.sim.mint_access_token(&AccessTokenSpec::new(ANA, AUDIENCE, "app-1")).expect("minted");
    let port = world.process.url().rsplit(':').next().unwrap_or_default();
    // Any answer but a success fails, and the custom domain is here.
    let curl = format!("fail-with-body\ncacert = {}\nresolve = {DOMAIN}:{port}:127.0.0.1\n", at("cert.pem").display());
    std::fs::write(at(".curlrc"), curl).expect("written");
    let run = Command::new("bash")
        .args(["-c", &script()])
        .current_dir(files.path())
        .env("CURL_HOME", files.path())
        .env("ONESEC", world.process.url())
        .env("LOGIN", format!("https://{DOMAIN}:{port}"))
        .env("ISSUER", issuer.sim.issuer())
        .env("ADMIN", world.process.admin_key())
        .env("APP_SECRET", "s3cret")
        .env("USER_TOKEN", world.refresh(ANA))
        .env("USER_ACCESS", access.expose_to_wire())
        .output()
        .expect("bash, curl and openssl are here");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(said.matches("\"access_token\"").count(), 11, "{said}");
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("it/identity");
    let rows: Vec<&str> = PAGE.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |")).collect();
    let named = rows.iter().filter_map(|row| row.rsplit('`').nth(1)?.split_once("::"));
    let mut seen = 0;
    for (module, test) in named {
        let source = std::fs::read_to_string(dir.join(format!("{module}.rs"))).expect("a module");
        assert!(
            source.contains(&format!("#[test]\nfn {test}()")) || source.contains(&format!("]\nfn {test}()")),
            "{test}"
        );
        seen += 1;
    }
    assert!(seen > 60, "{seen}");
}
