//! Client certificates (RFC 8705): of whichever authority, or of ours only.

use std::path::Path;

use onesec_auth0_sim::AccessTokenSpec;
use onesec_e2e::proofs::{Issuer, Key, x5t};
use onesec_e2e::tls::Certificate;
use onesec_e2e::world::{ANA, AUDIENCE};
use onesec_e2e::{Http, Plan, World};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use super::{ACCESS, US, bearer, exchange, exchange_with, grant, issued, refused};
use crate::plan;

/// Signed by nobody but itself.
fn own(name: &str) -> Certificate {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("certificate");
    Certificate { der: made.cert.der().to_vec(), key: made.signing_key.serialize_der() }
}

/// An authority for clients.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("key")).expect("authority"))
    }

    fn sign(&self, names: &[&str]) -> Certificate {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        let san = |name: &&str| match name.strip_prefix("uri:") {
            Some(uri) => rcgen::SanType::URI(uri.try_into().expect("uri")),
            None => rcgen::SanType::DnsName((*name).try_into().expect("name")),
        };
        params.subject_alt_names = names.iter().map(san).collect();
        let key = KeyPair::generate().expect("key");
        let made = params.signed_by(&key, &self.0).expect("signed");
        Certificate { der: made.der().to_vec(), key: key.serialize_der() }
    }
}

/// The server behind TLS; clients may show certificates of `authority`, or any where there is none.
fn with_tls(plan: Plan, authority: Option<&Authority>, files: &Path) -> World {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("certificate");
    let paths = ["cert.pem", "key.pem", "ca.pem"].map(|name| files.join(name));
    std::fs::write(&paths[0], made.cert.pem()).expect("written");
    std::fs::write(&paths[1], made.signing_key.serialize_pem()).expect("written");
    let mut tls = json!({"cert": paths[0], "key": paths[1], "client_certificates": "any"});
    if let Some(Authority(authority)) = authority {
        std::fs::write(&paths[2], authority.pem()).expect("written");
        tls["client_certificates"] = json!("authority");
        tls["client_ca"] = json!(paths[2]);
    }
    plan.with("server", json!({"tls": tls})).start()
}

fn files() -> tempfile::TempDir {
    tempfile::tempdir().expect("directory")
}

fn showing(world: &World, certificate: &Certificate) -> Http {
    world.nobody().with_certificate(certificate)
}

const NOBODY: (u16, &str, &str) = (401, "invalid_client", "");

#[test]
fn a_registered_certificate_is_the_agent() {
    let files = files();
    let world = with_tls(plan().live(), None, files.path());
    let (_, token) = world.lent("helper");
    let (helpers, moles) = (own("helper.agents.test"), own("helper.agents.test"));
    let said =
        json!({"certificates": [x5t(&helpers)], "certificate_names": ["helper.agents.test"], "clients": ["app-1"]});
    world.register("helper", &said);
    let mut http = showing(&world, &helpers);
    issued("at the exchange", &exchange(&mut http, &[], &token));
    issued("at the token endpoint", &grant(&mut http, &[], (&token, &[])));
    issued("under its client's name", &grant(&mut http, &[], (&token, &[("client_id", "app-1")])));
    // RFC 8705, section 2: the request says which client it is.
    let other = grant(&mut http, &[], (&token, &[("client_id", "mole")]));
    refused("under another agent's name", &other, (401, "invalid_client", "not its proof"));
    assert_eq!(http.get("/api/v1/agents").status, 403, "it is an agent, not an operator");
    refused("no certificate", &exchange(&mut world.nobody(), &[], &token), NOBODY);
    // Where anybody's certificate is taken, its names are only words.
    refused("the same names, by itself", &exchange(&mut showing(&world, &moles), &[], &token), NOBODY);
    let changed = Certificate { der: helpers.der.clone(), key: moles.key.clone() };
    assert_eq!(exchange(&mut showing(&world, &changed), &[], &token).status, 0, "the certificate without its key");
    world.register("helper", &json!({"certificates": [x5t(&moles)]}));
    refused("taken from the agent", &exchange(&mut showing(&world, &helpers), &[], &token), NOBODY);
}

#[test]
fn a_certificate_of_our_authority_counts_by_its_name() {
    let (files, authority) = (files(), Authority::new());
    let world = with_tls(plan().live(), Some(&authority), files.path());
    let (_, token) = world.lent("helper");
    world.register("helper", &json!({"certificate_names": ["helper.agents.test", "spiffe://agents/helper"]}));
    for names in [&["helper.agents.test"][..], &["uri:spiffe://agents/helper"], &["x.test", "helper.agents.test"]] {
        issued(names[0], &exchange(&mut showing(&world, &authority.sign(names)), &[], &token));
    }
    for names in [
        &["mole.agents.test"][..],
        &["*.agents.test"],
        &["helper.agents.test.evil.test"],
        &["agents.test"],
        &["uri:spiffe://agents/helper/x"],
        &["uri:spiffe://evil/helper"],
    ] {
        refused(names[0], &exchange(&mut showing(&world, &authority.sign(names)), &[], &token), NOBODY);
    }
    for (attack, stranger) in [
        ("by itself", own("helper.agents.test")),
        ("by another authority", Authority::new().sign(&["helper.agents.test"])),
    ] {
        assert_eq!(exchange(&mut showing(&world, &stranger), &[], &token).status, 0, "signed {attack}");
    }
}

#[test]
fn an_agent_that_must_show_a_certificate_shows_its_own() {
    let files = files();
    let world = with_tls(plan(), None, files.path());
    let (_, token) = world.lent("helper");
    let (helpers, others, unknown) = (own("a.test"), own("b.test"), own("c.test"));
    world.register("helper", &json!({"certificates": [x5t(&helpers)], "possession": "mtls"}));
    world.register("other", &json!({"certificates": [x5t(&others)]}));
    let secret = world.key(&json!({"name": "h", "scopes": ["exchange"], "agent_id": "helper"}));
    let authorization = bearer(&secret);
    let headers = [("authorization", authorization.as_str())];
    let must = (401, "invalid_dpop_proof", "come over TLS with one of its certificates");
    issued("key and certificate", &exchange(&mut showing(&world, &helpers), &headers, &token));
    let basic = [("client_id", "helper"), ("client_secret", secret.as_str())];
    issued("secret and certificate", &grant(&mut showing(&world, &helpers), &[], (&token, &basic)));
    refused("a stolen key alone", &exchange(&mut world.nobody(), &headers, &token), must);
    refused("at the token endpoint", &grant(&mut world.nobody(), &[], (&token, &basic)), must);
    refused("with an unknown certificate", &exchange(&mut showing(&world, &unknown), &headers, &token), must);
    refused("with another agent's", &exchange(&mut showing(&world, &others), &headers, &token), must);
    refused(
        "a secret, another agent's certificate",
        &grant(&mut showing(&world, &others), &[], (&token, &basic)),
        must,
    );
}

/// A mesh gives everybody a certificate: one that nobody registered is no obstacle to a good secret.
#[test]
fn a_certificate_that_nobody_knows_is_no_obstacle() {
    let files = files();
    let world = with_tls(plan().live(), None, files.path());
    let (_, token) = world.lent("helper");
    let secret = world.key(&json!({"name": "h", "scopes": ["exchange"], "agent_id": "helper"}));
    let mut http = showing(&world, &own("sidecar.test"));
    issued("a key", &exchange(&mut http, &[("authorization", &bearer(&secret))], &token));
    issued("a secret", &grant(&mut http, &[], (&token, &[("client_id", "helper"), ("client_secret", &secret)])));
    let wrong = grant(&mut http, &[], (&token, &[("client_id", "helper"), ("client_secret", "os_wrong")]));
    refused("a wrong one", &wrong, NOBODY);
}

#[test]
fn tokens_that_are_bound_to_a_certificate_need_its_connection() {
    let (files, issuer) = (files(), Issuer::start());
    let plan = plan().live().with("agents", json!({"issuers": issuer.section(US)}));
    let world = with_tls(plan, None, files.path());
    let (_, token) = world.lent("helper");
    world.register("helper", &json!({"clients": ["app-1"]}));
    let (own, thiefs) = (own("a.test"), own("b.test"));
    let cnf = json!({"x5t#S256": x5t(&own)});
    let agents = bearer(&issuer.machine("app-1", US, |spec| spec.with_claim("cnf", cnf.clone())));
    issued("the agent's token", &exchange(&mut showing(&world, &own), &[("authorization", &agents)], &token));
    let stolen = exchange(&mut showing(&world, &thiefs), &[("authorization", &agents)], &token);
    refused("stolen, another certificate", &stolen, (401, "invalid_client", "proof_mismatch"));
    let stolen = exchange(&mut world.nobody(), &[("authorization", &agents)], &token);
    refused("stolen, no certificate", &stolen, (401, "invalid_client", "proof_required"));
    let spec = AccessTokenSpec::new(ANA, AUDIENCE, "app-1").with_claim("cnf", cnf);
    let users = world.sim.mint_access_token(&spec).expect("minted").expose_to_wire().to_owned();
    let more = json!({"subject_token": users, "subject_token_type": ACCESS});
    let secret = bearer(&world.key(&json!({"name": "h", "scopes": ["exchange"], "agent_id": "helper"})));
    let headers = [("authorization", secret.as_str())];
    let proven = exchange_with(&mut showing(&world, &own), &headers, &more);
    // The simulated tenant takes no bound tokens itself: that it was asked shows that we did.
    refused("the user's, over its connection", &proven, (401, "invalid_request", "upstream"));
    let stolen = exchange_with(&mut showing(&world, &thiefs), &headers, &more);
    refused("the user's, another certificate", &stolen, (400, "invalid_request", "proof_mismatch"));
    let stolen = exchange_with(&mut world.nobody(), &headers, &more);
    refused("the user's, no certificate", &stolen, (400, "invalid_request", "proof_required"));
}

#[test]
fn over_plain_http_nobody_shows_a_certificate() {
    let world = plan().start();
    let (_, token) = world.lent("helper");
    let helpers = own("a.test");
    world.register("helper", &json!({"certificates": [x5t(&helpers)]}));
    let pem = format!("-----BEGIN CERTIFICATE-----{}", Key::default().thumbprint());
    for header in ["x-client-cert", "x-forwarded-client-cert", "client-cert", "ssl-client-cert", "x-ssl-client-verify"]
    {
        let answer = exchange(&mut world.nobody(), &[(header, &pem)], &token);
        refused(header, &answer, NOBODY);
    }
    assert_eq!(world.admin().call("DELETE", "/api/v1/agents/helper", &Value::Null).status, 200);
}
