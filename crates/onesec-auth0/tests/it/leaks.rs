//! Nothing that is secret gets into an error, a `Debug` or a log line.

use std::fmt::Write as _;
use std::io;
use std::sync::OnceLock;

use onesec_auth0::Subject;
use onesec_auth0_sim::{Endpoint, Fault};
use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// What must appear nowhere: planted into every input and every answer of upstream.
const PLANTED: [&str; 4] = ["Pl4nted", "ZZQX", "ya29.", "eyJ"];
pub(super) const TOKEN: &str = "ya29.Pl4nted-token-in-text-ZZQX";

#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Every log line of these tests from now on. One subscriber for all of them: whether a line is wanted is remembered for
/// the whole process.
pub(super) fn listen() -> Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    let start = || {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(lines.clone())
            .with_env_filter("onesec_auth0=trace,onesec_identity=trace,onesec_telemetry=trace")
            .finish();
        tracing::subscriber::set_global_default(subscriber).expect("there is no other");
        lines
    };
    LINES.get_or_init(start).clone()
}

pub(super) fn assert_mute(out: &str, lines: &Lines) {
    let logged = String::from_utf8(lines.0.lock().clone()).expect("text");
    assert!(logged.contains("token endpoint gave no token"), "the log was captured");
    for secret in PLANTED {
        assert!(!out.contains(secret), "{secret} in {out}");
        assert!(!logged.contains(secret), "{secret} in the log: {logged}");
    }
}

fn planted_answers() -> Vec<Fault> {
    let custom = |status, body: String| Fault::Custom { status, body };
    let mut faults =
        vec![Fault::MfaRequired, Fault::Garbage, Fault::Truncated, Fault::WrongContentType, Fault::NoIdToken];
    for status in [200, 302, 400, 401, 403, 429, 500, 503] {
        faults.extend([
            custom(status, format!(r#"{{"error":"invalid_grant","error_description":"bad {TOKEN} and {CLIENT_SECRET}"}}"#)),
            custom(status, format!(r#"{{"error":"{TOKEN}","error_description":"{TOKEN}","error_uri":"https://x/{TOKEN}"}}"#)),
            custom(status, format!(r#"{{"access_token":"{TOKEN}","token_type":"{TOKEN}","scope":"{TOKEN}"}}"#)),
            custom(status, format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer","issued_token_type":"{TOKEN}"}}"#)),
            custom(status, format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer","expires_in":"{TOKEN}"}}"#)),
            custom(status, format!(r#"{{"access_token":"{TOKEN}","id_token":"{TOKEN}","refresh_token":"{TOKEN}","token_type":"Bearer"}}"#)),
            custom(status, TOKEN.to_owned()),
        ]);
    }
    faults
}

#[tokio::test]
async fn nothing_planted_comes_out() {
    let lines = listen();
    let mut options = EndpointOptions { retries: 0, ..EndpointOptions::default() };
    options.circuit.failures = u32::MAX; // every answer is to be seen
    let world = world_with(options).await;
    let mut out = String::new();
    let planted = Secret::new(TOKEN.to_owned());
    for fault in planted_answers() {
        for endpoint in [Endpoint::TokenExchange, Endpoint::RefreshGrant, Endpoint::Jwks] {
            world.sim.set_fault_on(endpoint, fault.clone());
        }
        for kind in [SubjectKind::RefreshToken, SubjectKind::AccessToken] {
            let request = google(&planted, kind);
            let subject = Subject::new(planted.clone(), kind);
            let issued = world.vault.exchange(&request).await;
            let proof = world.resolver.resolve(&subject, world.now()).await;
            write!(out, "{request:?}{subject:?}{issued:?}{proof:?}").expect("written");
            out.extend(issued.err().map(|error| format!("{error}{error:#?}")));
            out.extend(proof.err().map(|error| format!("{error}{error:#?}")));
        }
    }
    world.sim.clear_faults();
    let good = (world.exchange().await, world.resolver.resolve(&refresh_of(&world), world.now()).await);
    write!(out, "{good:?}{:?}{:?}{:?}{:?}", world.endpoint, world.vault, world.resolver, world.jwks).expect("written");
    assert_mute(&out, &lines);
    assert!(good.0.is_ok() && good.1.is_ok());
}

#[tokio::test]
async fn a_secret_that_looks_like_a_word_is_cut_out_as_well() {
    let world = world().await;
    world.sim.create_client(ClientSpec::regular("short", "sesame"));
    let tenant = Auth0Config::new(world.sim.domain(), "short", Secret::new("sesame".into())).expect("config");
    let vault = TokenVault::new(world.endpoint_of(tenant));
    let body = r#"{"error":"invalid_grant","error_description":"no swordfish, no sesame"}"#;
    world.sim.set_fault(Fault::Custom { status: 403, body: body.into() });
    let error = vault.exchange(&google(&Secret::new("swordfish".into()), SubjectKind::RefreshToken)).await;
    let Err(ExchangeError::Refused { error_description, .. }) = error else { panic!("{error:?}") };
    assert_eq!(error_description.as_deref(), Some("no [redacted], no [redacted]"));
}

fn refresh_of(world: &World) -> Subject {
    Subject::new(world.ana.clone(), SubjectKind::RefreshToken)
}
