//! `onesec agents register|keygen` and `onesec delegate`: keys, registrations, and delegations signed without a server.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use hyper::Method;
use onesec_identity::{Algorithm, DelegateKey, Narrower, PublicKey, SigningKey, delegate as sign};
use onesec_telemetry::{AgentId, ConnectionName, Name, ScopeSet, Secret, Thumbprint};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::args::{AgentRegister, AlgorithmArg, DelegateArgs, Keygen};
use super::client::{Client, segment};
use super::error::{CliError, Ended};
use super::out::{Ink, Out, clean};
use crate::clock::Clock;
use crate::config::parse_duration;

/// No key and no chain is longer.
const MAX_FILE_BYTES: u64 = 256 * 1024;

pub(super) async fn register(args: AgentRegister, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let mut keys = Vec::new();
    for file in &args.keys {
        keys.extend(public_jwks(file)?);
    }
    let certificates: Vec<String> = args.certificates.iter().map(|file| certificate(file)).collect::<Result<_, _>>()?;
    let body = json!({
        "owner": args.owner, "class": args.class.as_str(), "clients": args.clients, "keys": keys,
        "connections": (!args.connections.is_empty()).then_some(&args.connections), "certificates": certificates,
        "certificate_names": args.certificate_names, "worker": args.worker, "possession": args.possession.as_str(),
    });
    let path = format!("/api/v1/agents/{}", segment(&args.id));
    let answer = client.call(Method::PUT, &path, Some(&body)).await?;
    if out.json() {
        out.document(&answer)?;
    } else {
        let keys = answer.get("keys").and_then(Value::as_array).into_iter().flatten();
        let kids = keys.filter_map(|key| key.get("kid").and_then(Value::as_str));
        let kids: Vec<String> = kids.map(|kid| clean(kid, 64)).collect();
        let known = if kids.is_empty() { "without a key".to_owned() } else { format!("with {}", kids.join(", ")) };
        out.line(format_args!("{} is registered, {known}", clean(&args.id, 80)))?;
    }
    Ok(Ended::Well)
}

/// Makes a key pair: the private half into a file, the public half to standard output.
pub(super) fn keygen(args: &Keygen, out: &mut Out) -> Result<Ended, CliError> {
    let algorithm = match args.algorithm {
        AlgorithmArg::EdDsa => Algorithm::EdDsa,
        AlgorithmArg::Es256 => Algorithm::Es256,
        AlgorithmArg::Rs256 => Algorithm::Rs256,
    };
    let failed = |error: onesec_identity::SignError| CliError::refused(error.to_string());
    let key = SigningKey::generate(algorithm).map_err(failed)?;
    let kid = key.public_key().map_err(failed)?.thumbprint().to_base64url();
    let pem = key.to_pem().map_err(failed)?;
    let unusable = |error: std::io::Error| CliError::usage(format!("cannot write `{}`: {error}", args.out.display()));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&args.out).map_err(unusable)?;
    file.write_all(pem.expose_to_wire().as_bytes()).map_err(unusable)?;
    file.sync_all().map_err(unusable)?;
    out.line(key.public_jwk(&kid))?;
    Ok(Ended::Well)
}

/// Lends less than one has, with nothing but a key: prints the longer chain.
pub(super) fn delegate(args: &DelegateArgs, out: &mut Out) -> Result<Ended, CliError> {
    let chain = Secret::new(text_of(&args.chain)?.trim().to_owned());
    let key = SigningKey::from_pem(&text_of(&args.private_key)?);
    let key = key.map_err(|error| CliError::usage(format!("`{}`: {error}", args.private_key.display())))?;
    let wanted = narrower(args)?;
    let longer = sign(&chain, &key, &wanted, Clock::start().now());
    let longer = longer.map_err(|why| CliError::refused(format!("not delegated: {why} ({})", why.code())))?;
    if out.json() {
        out.document(&json!({"delegation": longer.expose_to_wire()}))?;
    } else {
        out.line(longer.expose_to_wire())?;
        if out.is_terminal() {
            let hint = "give it to that agent: it goes with its exchanges as `delegation`";
            out.line(Ink::Dim.on(hint))?;
        }
    }
    Ok(Ended::Well)
}

fn narrower(args: &DelegateArgs) -> Result<Narrower, CliError> {
    let wrong = |what: &str, why: &dyn std::fmt::Display| CliError::usage(format!("`{what}`: {why}"));
    let jwk = public_jwks(&args.to_key)?.into_iter().next();
    let jwk = jwk.ok_or_else(|| wrong("--to-key", &"there is no key in it"))?;
    let key = PublicKey::from_jwk(&jwk).map_err(|why| wrong("--to-key", &why))?;
    let lasts =
        parse_duration(&args.expires_in).ok_or_else(|| wrong("--expires-in", &"give a duration such as `15m`"))?;
    let agent = AgentId::new(&args.to).map_err(|why| wrong("--to", &why))?;
    let id = format!("jti_{}", ulid::Ulid::generate().to_string().to_lowercase());
    let jti = Name::new(&id).map_err(|why| wrong("jti", &why))?;
    let mut wanted = Narrower::new(agent, DelegateKey::Key(key), Clock::start().now() + lasts, jti);
    if let Some(connection) = &args.connection {
        wanted = wanted.with_connection(ConnectionName::new(connection).map_err(|why| wrong("--connection", &why))?);
    }
    if !args.scopes.is_empty() {
        let scopes = ScopeSet::parse_all(args.scopes.iter().map(String::as_str));
        wanted = wanted.with_scopes(scopes.map_err(|why| wrong("--scope", &why))?);
    }
    Ok(match args.max_depth {
        Some(links) => wanted.with_max_depth(links),
        None => wanted,
    })
}

/// The public keys in a file: a JWK, a JWK set, or PEM. A private key is no public one.
fn public_jwks(file: &Path) -> Result<Vec<Value>, CliError> {
    let text = text_of(file)?;
    let unusable = |why: &dyn std::fmt::Display| CliError::usage(format!("`{}`: {why}", file.display()));
    if text.contains("-----BEGIN") {
        let key = PublicKey::from_pem(&text).map_err(|why| unusable(&why))?;
        return Ok(vec![key.jwk().clone()]);
    }
    let value: Value = serde_json::from_str(&text).map_err(|_| unusable(&"neither PEM nor JSON"))?;
    match value.get("keys").and_then(Value::as_array) {
        Some(keys) => Ok(keys.clone()),
        None => Ok(vec![value]),
    }
}

fn certificate(file: &Path) -> Result<String, CliError> {
    let text = text_of(file)?;
    let certificate = CertificateDer::from_pem_slice(text.as_bytes());
    let certificate = certificate.map_err(|_| CliError::usage(format!("`{}` has no certificate", file.display())))?;
    Ok(Thumbprint::of(&certificate).to_base64url())
}

pub(super) fn text_of(file: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_FILE_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|open| open.take(MAX_FILE_BYTES).read_to_string(&mut text))
    };
    read.map_err(|error| CliError::usage(format!("cannot read `{}`: {error}", file.display())))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use onesec_identity::{KeySet, LinkPolicy, LinkSpec, join_chain, sign_link, split_chain, verify_chain};
    use onesec_telemetry::Timestamp;

    use super::*;

    fn out_of(run: impl FnOnce(&mut Out) -> Result<Ended, CliError>) -> Result<String, String> {
        let (mut out, buffer) = Out::buffer(false);
        run(&mut out).map(|_| buffer.text()).map_err(|error| error.to_string())
    }

    fn keygen_at(path: PathBuf) -> Result<Value, String> {
        let args = Keygen { out: path, algorithm: AlgorithmArg::EdDsa };
        out_of(|out| keygen(&args, out)).map(|text| serde_json::from_str(&text).expect("a JWK"))
    }

    #[test]
    fn an_agent_lends_less_than_it_has_without_a_server() {
        let dir = tempfile::tempdir().expect("directory");
        let at = |name: &str| dir.path().join(name);
        let (boss, sub) = (keygen_at(at("boss.pem")).expect("made"), keygen_at(at("sub.pem")).expect("made"));
        assert!(keygen_at(at("boss.pem")).expect_err("there already").contains("cannot write"));
        std::fs::write(at("sub.jwk"), sub.to_string()).expect("written");
        let root = SigningKey::generate(Algorithm::EdDsa).expect("key");
        let now = Clock::start().now();
        let spec = LinkSpec {
            delegator: Name::new("ann").expect("name"),
            delegate: AgentId::new("boss").expect("agent"),
            connection: ConnectionName::new("github").ok(),
            scopes: ScopeSet::parse("repo read:org").ok(),
            audience: Some("onesec:default".to_owned()),
            issued_at: now,
            expires_at: now + std::time::Duration::from_secs(3600),
            jti: Name::new("dlg_1").expect("name"),
            delegate_key: DelegateKey::Key(PublicKey::from_jwk(&boss).expect("key")),
            parent: None,
            max_depth: None,
        };
        let link = sign_link(&root, &spec, "k").expect("signed");
        std::fs::write(at("chain"), join_chain(&[link]).expose_to_wire()).expect("written");
        let args = |scope: &str| DelegateArgs {
            chain: at("chain"),
            private_key: at("boss.pem"),
            to: "sub".to_owned(),
            to_key: at("sub.jwk"),
            connection: None,
            scopes: vec![scope.to_owned()],
            expires_in: "15m".to_owned(),
            max_depth: None,
        };
        let chain = out_of(|out| delegate(&args("read:org"), out)).expect("delegated");
        let links = split_chain(&Secret::new(chain.trim().to_owned())).expect("two links");
        let keys = KeySet::from_jwks_json(&json!({"keys": [root.public_jwk("k")]}).to_string()).expect("set");
        let policy = LinkPolicy::new(&keys).with_audience("onesec:default");
        let verified = verify_chain(&links, &policy, Timestamp::from_secs(now.as_secs())).expect("verified");
        assert_eq!((verified.leaf().delegate.as_str(), verified.links().len()), ("sub", 2));
        let wider = out_of(|out| delegate(&args("admin:org"), out)).expect_err("more than it has");
        assert!(wider.contains("scope_widened"), "{wider}");
    }
}
