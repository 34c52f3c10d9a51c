//! Messages to receivers that listen, fail, hang, lie and lead astray; over loopback.

use std::net::SocketAddr;

use onesec_auth0::{HttpOptions, ManualClock, Roots, http_client};
use onesec_telemetry::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::testing::{Kept, job};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PATH: &str = "services/T0PATH/B0SECRET?q=0QUERY";

/// A receiver with one manner; it keeps what it was sent.
struct Listener {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    manner: Arc<Mutex<&'static str>>,
}

impl Listener {
    async fn new(manner: &'static str) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let (heard, manner) = (Arc::default(), Arc::new(Mutex::new(manner)));
        let (keep, how) = (Arc::clone(&heard), Arc::clone(&manner));
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&keep), Arc::clone(&how)));
            }
        });
        Self { address, heard, manner }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().clone()
    }

    fn turns(&self, manner: &'static str) {
        *self.manner.lock() = manner;
    }
}

async fn serve(mut stream: TcpStream, heard: Arc<Mutex<Vec<String>>>, manner: Arc<Mutex<&'static str>>) {
    while let Some(request) = read_request(&mut stream).await {
        heard.lock().push(request);
        let manner = *manner.lock();
        match manner {
            "hangs" => std::future::pending().await,
            "flood" => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n").await;
                while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
            }
            "closes" => return,
            raw => {
                let _ = stream.write_all(raw.as_bytes()).await;
                if raw.contains("close") {
                    return;
                }
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    let mut buffer = [0; 65_536];
    loop {
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        text.push_str(std::str::from_utf8(&buffer[..read]).expect("text"));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if body.len() >= header(head, "content-length").parse().expect("a length") {
            return Some(text);
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

fn plain_client(_: Arc<dyn Resolve>) -> Result<HttpClient, HttpError> {
    http_client(&HttpOptions { roots: Roots::None, ..HttpOptions::default() })
}

fn webhooks() -> (Webhooks, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_700_000_000)));
    let webhooks = Webhooks::new(&plain_client, Arc::clone(&clock) as Arc<dyn Clock>).expect("a client");
    (webhooks.with_randomness(|| 1_500), clock)
}

fn spec(url: &str, template: Template, secret: Option<&str>) -> ActionSpec {
    ActionSpec::Webhook(Box::new(Webhook {
        host: Url::parse(url).expect("an address").host_str().expect("a host").to_owned(),
        digest: Thumbprint::of(url.as_bytes()),
        url: Some(Secret::new(url.to_owned())),
        secret: secret.map(|secret| Secret::new(secret.to_owned())),
        template,
        allow_private: true,
    }))
}

/// As the outbox has it: without address and secret.
fn recorded(spec: &ActionSpec) -> Job {
    let ActionSpec::Webhook(hook) = spec else { panic!("a webhook") };
    let hook = Webhook { url: None, secret: None, ..(**hook).clone() };
    job(ActionSpec::Webhook(Box::new(hook)))
}

/// A job whose message goes to `listener`, and webhooks that know it.
fn set_up(listener: &Listener) -> (Webhooks, Arc<ManualClock>, Job) {
    let (webhooks, clock) = webhooks();
    let spec = spec(&format!("http://{}/{PATH}", listener.address), Template::Json, Some(KEY));
    webhooks.set(Hook::of(&spec));
    (webhooks, clock, recorded(&spec))
}

fn succeeded(how: &str) -> Outcome {
    Outcome::Succeeded { how: how.to_owned() }
}

fn failed(why: &str) -> Outcome {
    Outcome::Failed { why: why.to_owned() }
}

fn retry(millis: u64, why: &str) -> Outcome {
    Outcome::Retry { after: Duration::from_millis(millis), why: why.to_owned() }
}

#[tokio::test]
async fn a_message_arrives_signed() {
    let listener = Listener::new("HTTP/1.1 204 No Content\r\n\r\n").await;
    let (webhooks, _, job) = set_up(&listener);
    assert_eq!(webhooks.run(&job).await, succeeded("127.0.0.1 answered 204"));
    let heard = listener.heard();
    let (head, body) = heard[0].split_once("\r\n\r\n").expect("a body");
    assert!(head.starts_with(&format!("POST /{PATH} HTTP/1.1")), "{head}");
    assert_eq!(header(head, "content-type"), "application/json");
    assert_eq!((header(head, "webhook-id"), header(head, "webhook-timestamp")), ("act-1", "1700000000"));
    let at = Timestamp::from_secs(1_700_000_000);
    let expected = signature::sign(&Secret::new(KEY.to_owned()), "act-1", at, body.as_bytes());
    assert_eq!(header(head, "webhook-signature"), expected.expect("a key"));
    let body: serde_json::Value = serde_json::from_str(body).expect("json");
    assert_eq!(body["alert"]["id"], "a1b2c3");
}

#[tokio::test]
async fn what_answers_mean() {
    let answer = |text: &'static str| text;
    for (manner, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", succeeded("127.0.0.1 answered 200")),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            failed("127.0.0.1 answered 302, and redirects are not followed"),
        ),
        (
            "HTTP/1.1 307 T\r\nlocation: /\r\ncontent-length: 0\r\n\r\n",
            failed("127.0.0.1 answered 307, and redirects are not followed"),
        ),
        ("HTTP/1.1 400 B\r\ncontent-length: 0\r\n\r\n", failed("127.0.0.1 answered 400")),
        ("HTTP/1.1 401 U\r\ncontent-length: 0\r\n\r\n", failed("127.0.0.1 answered 401")),
        ("HTTP/1.1 403 F\r\ncontent-length: 0\r\n\r\n", failed("127.0.0.1 answered 403")),
        ("HTTP/1.1 404 N\r\ncontent-length: 0\r\n\r\n", failed("127.0.0.1 answered 404")),
        ("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", failed("127.0.0.1 answered 410: it wants no more messages")),
        ("HTTP/1.1 429 T\r\ncontent-length: 0\r\n\r\n", retry(1_500, "127.0.0.1 answered 429")),
        ("HTTP/1.1 429 T\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n", retry(90_000, "127.0.0.1 answered 429")),
        (
            "HTTP/1.1 429 T\r\nretry-after: 99999\r\ncontent-length: 0\r\n\r\n",
            retry(3_600_000, "127.0.0.1 answered 429"),
        ),
        ("HTTP/1.1 500 E\r\ncontent-length: 0\r\n\r\n", retry(1_500, "127.0.0.1 answered 500")),
        ("HTTP/1.1 503 E\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n", retry(7_000, "127.0.0.1 answered 503")),
        // The status stands, whatever becomes of the body.
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9000\r\nconnection: close\r\n\r\nshort",
            succeeded("127.0.0.1 answered 200"),
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\nand then silence", succeeded("127.0.0.1 answered 200")),
        ("flood", succeeded("127.0.0.1 answered 200")),
        ("closes", retry(1_500, "127.0.0.1 cannot be reached")),
        ("nonsense, close\r\n\r\n", retry(1_500, "127.0.0.1 cannot be reached")),
    ] {
        let listener = Listener::new(answer(manner)).await;
        let (webhooks, _, job) = set_up(&listener);
        assert_eq!(webhooks.run(&job).await, expected, "{manner}");
        assert_eq!(listener.heard().len(), 1, "{manner}: sent once");
    }
}

#[tokio::test]
async fn one_that_hangs_is_left() {
    let listener = Listener::new("hangs").await;
    let (webhooks, _, job) = set_up(&listener);
    let begun = std::time::Instant::now();
    assert_eq!(webhooks.run(&job).await, retry(1_500, "127.0.0.1 did not answer in time"));
    assert!(begun.elapsed() < Duration::from_secs(12));
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let (webhooks, _) = webhooks();
    let spec = spec(&format!("http://{address}/"), Template::Json, None);
    webhooks.set(Hook::of(&spec));
    assert_eq!(webhooks.run(&recorded(&spec)).await, retry(1_500, "127.0.0.1 cannot be reached"));
}

#[tokio::test]
async fn after_ten_attempts_it_is_given_up() {
    let listener = Listener::new("HTTP/1.1 500 E\r\ncontent-length: 0\r\n\r\n").await;
    for (attempt, expected) in [
        (9, retry(1_500, "127.0.0.1 answered 500")),
        (10, failed("127.0.0.1 answered 500; given up after 10 attempts")),
        (u64::MAX, failed(&format!("127.0.0.1 answered 500; given up after {} attempts", u64::MAX))),
    ] {
        let (webhooks, _, mut job) = set_up(&listener);
        job.attempt = attempt;
        assert_eq!(webhooks.run(&job).await, expected, "{attempt}");
    }
}

#[tokio::test]
async fn five_failures_open_the_breaker_for_a_minute() {
    const DOWN: &str = "HTTP/1.1 500 E\r\ncontent-length: 0\r\n\r\n";
    let listener = Listener::new(DOWN).await;
    let (webhooks, clock, mut job) = set_up(&listener);
    for _ in 0..5 {
        assert_eq!(webhooks.run(&job).await, retry(1_500, "127.0.0.1 answered 500"));
    }
    let open = retry(61_500, "127.0.0.1 has failed too often of late");
    assert_eq!((webhooks.run(&job).await, listener.heard().len()), (open.clone(), 5), "nothing is sent");
    job.attempt = 10;
    assert_eq!(webhooks.run(&job).await, open, "an attempt that sends nothing is not the last");
    job.attempt = 60;
    assert_eq!(webhooks.run(&job).await, failed("127.0.0.1 has failed too often of late"));
    job.attempt = 1;

    // A reload of the configuration does not close it.
    let url = format!("http://{}/{PATH}", listener.address);
    webhooks.set(Hook::of(&spec(&url, Template::Json, Some(KEY))));
    assert_eq!((webhooks.run(&job).await, listener.heard().len()), (open.clone(), 5));

    clock.advance(Duration::from_secs(60));
    assert_eq!(webhooks.run(&job).await, retry(1_500, "127.0.0.1 answered 500"), "the probe");
    assert_eq!((webhooks.run(&job).await, listener.heard().len()), (open, 6), "one probe");

    clock.advance(Duration::from_secs(60));
    listener.turns("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    for _ in 0..3 {
        assert_eq!(webhooks.run(&job).await, succeeded("127.0.0.1 answered 200"));
    }
}

#[tokio::test]
async fn a_probe_that_nobody_waited_for_blocks_nobody() {
    let listener = Listener::new("HTTP/1.1 500 E\r\ncontent-length: 0\r\n\r\n").await;
    let (webhooks, clock, job) = set_up(&listener);
    for _ in 0..5 {
        webhooks.run(&job).await;
    }
    clock.advance(Duration::from_secs(60));
    listener.turns("hangs");
    assert!(tokio::time::timeout(Duration::from_millis(200), webhooks.run(&job)).await.is_err());
    listener.turns("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(webhooks.run(&job).await, succeeded("127.0.0.1 answered 200"));
}

#[tokio::test]
async fn private_addresses_are_refused_before_anything_is_sent() {
    let listener = Listener::new("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let (webhooks, _, mut job) = set_up(&listener);
    let ActionSpec::Webhook(hook) = &mut job.spec else { panic!("a webhook") };
    hook.allow_private = false;
    let refused = "127.0.0.1 is not at a public address; `allow_private` would allow it";
    assert_eq!(webhooks.run(&job).await, failed(refused));
    assert!(listener.heard().is_empty());
    let url = format!("http://{}/{PATH}", listener.address);
    let ActionSpec::Webhook(mut hook) = spec(&url, Template::Json, None) else { panic!("a webhook") };
    hook.allow_private = false;
    assert_eq!(webhooks.check(&ActionSpec::Webhook(hook)), Err(refused.to_owned()));
}

#[tokio::test]
async fn a_client_that_resolves_names_by_itself_sends_to_none() {
    let listener = Listener::new("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let (webhooks, _) = webhooks();
    let spec = spec(&format!("http://localhost:{}/", listener.address.port()), Template::Json, None);
    webhooks.set(Hook::of(&spec));
    let expected = failed("the HTTP client resolves names without asking whether they are public");
    assert_eq!(webhooks.run(&recorded(&spec)).await, expected);
    assert!(listener.heard().is_empty());
}

#[tokio::test]
async fn hooks_that_are_not_configured_get_nothing() {
    let listener = Listener::new("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let (webhooks, _, job) = set_up(&listener);
    webhooks.set([]);
    assert_eq!(webhooks.run(&job).await, failed("no webhook to this address at 127.0.0.1 is configured"));
    assert_eq!(webhooks.run(&crate::testing::job(ActionSpec::Log)).await, failed(NO_WEBHOOK));
    assert!(listener.heard().is_empty());
}

#[tokio::test]
async fn pagerduty_is_told_its_key_and_signs_nothing() {
    let listener = Listener::new("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await;
    let (webhooks, _) = webhooks();
    let url = format!("http://{}/v2/enqueue", listener.address);
    let keyed = spec(&url, Template::PagerDuty, Some("R0UT1NG"));
    webhooks.set(Hook::of(&keyed));
    assert_eq!(webhooks.run(&recorded(&keyed)).await, succeeded("127.0.0.1 answered 202"));
    let heard = listener.heard();
    assert!(
        heard[0].contains("\"routing_key\":\"R0UT1NG\"") && !heard[0].contains("webhook-signature"),
        "{}",
        heard[0]
    );
    let keyless = spec(&url, Template::PagerDuty, None);
    webhooks.set(Hook::of(&keyless));
    assert_eq!(webhooks.run(&recorded(&keyless)).await, failed(NO_ROUTING_KEY));
    assert_eq!(webhooks.check(&keyless), Err(NO_ROUTING_KEY.to_owned()));
}

#[test]
fn policies_are_checked_when_they_are_loaded() {
    let (webhooks, _) = webhooks();
    let check = |url: &str, secret| webhooks.check(&spec(url, Template::Json, secret));
    assert_eq!(check("https://hooks.example/x7", Some(KEY)), Ok(()));
    assert_eq!(check("https://hooks.example/x7", Some("any text")), Ok(()));
    assert_eq!(check("https://hooks.example/x7", None), Ok(()));
    let said = check("https://hooks.example/x7", Some("whsec_***")).expect_err("no base64");
    assert!(said.contains("not base64") && !said.contains("***"), "{said}");
    assert!(check("http://hooks.example/x7", None).is_err());
    assert_eq!(webhooks.check(&ActionSpec::Log), Err(NO_WEBHOOK.to_owned()));
}

#[test]
fn nothing_says_an_address_or_a_secret() {
    let kept = Kept::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let said = tracing::subscriber::with_default(kept.clone(), || runtime.block_on(everything_said()));
    let all = said + &kept.text();
    assert!(all.contains("127.0.0.1"), "the host may be said, and is");
    for secret in ["T0PATH", "B0SECRET", "0QUERY", KEY, "MfKQ9r8G", "R0UT1NG", "B0DY"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

async fn everything_said() -> String {
    let mut said = String::new();
    for manner in [
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nB0DY",
        "HTTP/1.1 500 E\r\ncontent-length: 4\r\n\r\nB0DY",
        "HTTP/1.1 302 F\r\nlocation: /B0DY\r\ncontent-length: 0\r\n\r\n",
        "B0DY close\r\n\r\n",
        "closes",
    ] {
        let listener = Listener::new(manner).await;
        let (webhooks, _, job) = set_up(&listener);
        for _ in 0..7 {
            said += &format!("{:?}", webhooks.run(&job).await);
        }
        let written = spec(&format!("http://{}/{PATH}", listener.address), Template::PagerDuty, Some("R0UT1NG"));
        let hook = Hook::of(&written);
        said += &format!("{webhooks:?} {job:?} {written:?} {hook:?} {} ", job.spec.shown());
        said += &format!(
            "{:?}",
            webhooks.check(&spec(&format!("ftp://{}/{PATH}", listener.address), Template::Json, Some(KEY)))
        );
    }
    said
}
