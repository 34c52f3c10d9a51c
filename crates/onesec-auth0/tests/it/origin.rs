//! The reverse proxy call behind a custom domain.

use std::net::{IpAddr, Ipv4Addr};

use onesec_auth0::{ConfigError, Forwarded, Origin, OriginOptions, ToForward};
use onesec_auth0_sim::{Endpoint, Fault, RequestKind};

use super::stranger::{Stranger, answer};
use super::*;

const KEY: &str = "Pl4nted-cname-key-ZZQX";
const HOST: &str = "tenant-cd1.edge.tenants.eu.auth0.com";

fn options(base_url: &str) -> OriginOptions {
    OriginOptions { base_url: base_url.to_owned(), host: HOST.to_owned(), api_key: Secret::new(KEY.into()) }
}

fn origin(base_url: &str) -> Origin {
    Origin::new(&options(base_url), http()).expect("an origin")
}

fn get(path_and_query: &str) -> ToForward<'_> {
    ToForward { method: "GET", path_and_query, headers: &[], body: bytes::Bytes::new(), forwarded_for: None }
}

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

fn values(answer: &Forwarded, name: &str) -> Vec<String> {
    let found = answer.headers.iter().filter(|(n, _)| n == name);
    found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
}

#[tokio::test]
async fn a_request_arrives_without_what_was_for_us_and_with_what_is_ours() {
    let stranger = Stranger::start(|_, _| answer("204 No Content", &[], "")).await;
    let given = headers(&[
        ("Host", "login.example"),
        ("Cookie", "a=1"),
        ("Cookie", "b=2"),
        ("Authorization", "Bearer x"),
        ("Connection", "close, X-Hop"),
        ("Connection", "x-forwarded-for, cname-api-key"),
        ("X-Hop", "1"),
        ("Keep-Alive", "1"),
        ("TE", "trailers"),
        ("Trailer", "x"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "h2c"),
        ("Proxy-Authorization", "Basic x"),
        ("Proxy-Connection", "close"),
        ("cname-api-key", "guess"),
        ("Content-Length", "999"),
        ("Accept-Encoding", "gzip"),
        ("X-Forwarded-For", "203.0.113.1"),
    ]);
    let body = bytes::Bytes::from_static(b"state=1");
    let forwarded_for = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));
    let request = ToForward { method: "POST", headers: &given, body, forwarded_for, ..get("/u/login?state=a%2Fb&x='") };
    let passed = origin(&stranger.base_url).forward(request).await.expect("an answer");
    assert_eq!(passed.status, 204);

    let seen = stranger.seen();
    let [seen] = seen.as_slice() else { panic!("sent once") };
    assert!(seen.line.starts_with("POST /u/login?state=a%2Fb&x="), "{}", seen.line);
    assert_eq!((seen.body.as_str(), seen.all("content-length")), ("state=1", vec!["7"]));
    assert_eq!((seen.all("host"), seen.all("cname-api-key")), (vec![HOST], vec![KEY]));
    assert_eq!((seen.all("cookie"), seen.all("authorization")), (vec!["a=1", "b=2"], vec!["Bearer x"]));
    assert_eq!(seen.all("x-forwarded-for"), ["192.0.2.7"]);
    let claimed = headers(&[("X-Forwarded-For", "203.0.113.1")]);
    let unknown = ToForward { headers: &claimed, ..get("/") };
    origin(&stranger.base_url).forward(unknown).await.expect("an answer");
    assert!(stranger.seen()[1].all("x-forwarded-for").is_empty(), "what a client says of itself is no address");
    let dropped = ["connection", "x-hop", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
    for name in dropped.into_iter().chain(["proxy-authorization", "proxy-connection", "accept-encoding"]) {
        assert!(seen.all(name).is_empty(), "{name}");
    }
}

#[tokio::test]
async fn an_answer_comes_back_as_it_is_but_for_its_connection() {
    let stranger = Stranger::start(|_, _| {
        let headers = ["location: https://elsewhere.example/x", "set-cookie: a=1", "set-cookie: b=2", "x-hop: 1"];
        answer(
            "302 Found",
            &[&headers[..], &["connection: x-hop", "keep-alive: 5", "content-type: t/x"]].concat(),
            "go",
        )
    });
    let stranger = stranger.await;
    let passed = origin(&stranger.base_url).forward(get("/authorize")).await.expect("an answer");
    assert_eq!((passed.status, passed.body.expose_to_wire()), (302, &b"go"[..]));
    assert_eq!(values(&passed, "location"), ["https://elsewhere.example/x"]);
    assert_eq!(values(&passed, "set-cookie"), ["a=1", "b=2"]);
    assert_eq!(values(&passed, "content-type"), ["t/x"]);
    for name in ["connection", "keep-alive", "x-hop"] {
        assert!(values(&passed, name).is_empty(), "{name}");
    }
    assert_eq!(stranger.seen().len(), 1, "no redirect is followed");
}

#[tokio::test]
async fn no_path_leads_elsewhere() {
    let stranger = Stranger::start(|_, _| answer("200 OK", &[], "")).await;
    let origin = origin(&stranger.base_url);
    for good in ["/", "/a//b", "/a/%2e%2e%2fb", "/a?b=/../c&d=https://x/", "/~x/@y;z=1"] {
        origin.forward(get(good)).await.expect(good);
    }
    let sent = stranger.seen().len();
    let bad = [
        "",
        "a",
        "//evil.example/",
        "http://evil.example/",
        "@evil.example/",
        "/\\evil.example/",
        "\\\\evil",
        "/a\r\nb",
        "/a b",
        "/a\tb",
        "/a#b",
        "/a/../b",
        "/./a",
        "/%2e%2e/b",
        "/é",
        "?x",
    ];
    for bad in bad {
        assert_eq!(origin.forward(get(bad)).await.err(), Some(ExchangeError::Unsendable), "{bad:?}");
    }
    for method in ["", "GET /", "CONNECT", "TRACE"] {
        let refused = origin.forward(ToForward { method, ..get("/") }).await.err();
        assert_eq!(refused, Some(ExchangeError::Unsendable), "{method:?}");
    }
    for (name, value) in [("a b", "x"), ("x", "a\r\nb: c")] {
        let given = headers(&[(name, value)]);
        let refused = origin.forward(ToForward { headers: &given, ..get("/") }).await.err();
        assert_eq!(refused, Some(ExchangeError::Unsendable), "{name:?}");
    }
    assert_eq!(stranger.seen().len(), sent);
}

#[tokio::test]
async fn auth0_knows_us_by_the_key_of_the_custom_domain() {
    let config = SimConfig::new("demo-tenant.eu.auth0.test").with_custom_domain("login.example", KEY);
    let sim = SimTenant::start(config).await.expect("a tenant");
    sim.create_client(ClientSpec::regular("theirs", "s"));
    let document = origin(sim.base_url()).forward(get("/.well-known/openid-configuration")).await.expect("an answer");
    let document: serde_json::Value = serde_json::from_slice(document.body.expose_to_wire()).expect("JSON");
    assert_eq!(
        (&document["issuer"], sim.issuer().as_str()),
        (&"https://login.example/".into(), "https://login.example/")
    );

    let form = "grant_type=client_credentials&audience=x&client_id=theirs&client_secret=s";
    let given = headers(&[("content-type", "application/x-www-form-urlencoded")]);
    let post = || ToForward { method: "POST", headers: &given, body: form.into(), ..get("/oauth/token") };
    assert_eq!(origin(sim.base_url()).forward(post()).await.map(|answer| answer.status), Ok(200));
    let other = OriginOptions { api_key: Secret::new("other".into()), ..options(sim.base_url()) };
    let refused = Origin::new(&other, http()).expect("an origin").forward(post()).await;
    assert_eq!(refused.map(|answer| answer.status), Ok(403));
    assert_eq!(sim.requests(RequestKind::WithoutKey), 1);
    assert_eq!(sim.requests(RequestKind::ClientCredentials), 1);
}

#[tokio::test]
async fn what_is_too_long_or_too_late_is_an_error() {
    let config = SimConfig::new("demo-tenant.eu.auth0.test").with_custom_domain("login.example", KEY);
    let sim = SimTenant::start(config).await.expect("a tenant");
    let total_timeout = Duration::from_millis(500);
    let http = HttpOptions { roots: Roots::None, total_timeout, ..HttpOptions::default() };
    let hasty = Origin::new(&options(sim.base_url()), http_client(&http).expect("client")).expect("an origin");
    let jwks = get("/.well-known/jwks.json");
    sim.set_fault_on(Endpoint::Jwks, Fault::HugeBody);
    let huge = origin(sim.base_url()).forward(jwks.clone()).await.expect_err("beyond the cap");
    assert!(matches!(huge, ExchangeError::Undecodable { body_len, .. } if body_len <= 4 * 1024 * 1024));
    sim.set_fault_on(Endpoint::Jwks, Fault::Truncated);
    let torn = origin(sim.base_url()).forward(jwks.clone()).await;
    assert!(matches!(torn, Err(ExchangeError::Undecodable { .. })));
    for fault in [Fault::Hang, Fault::SlowBody] {
        sim.set_fault_on(Endpoint::Jwks, fault);
        let late = hasty.forward(jwks.clone()).await.expect_err("no answer");
        assert_eq!(late, ExchangeError::Unreachable { timed_out: true, maybe_sent: true });
    }
}

#[test]
fn an_origin_is_a_host_a_name_and_a_key() {
    let made = |options: OriginOptions| Origin::new(&options, http()).map(|_| ());
    assert_eq!(made(options("https://edge.example")), Ok(()));
    let with = |base: &str, host: &str, key: &str| {
        made(OriginOptions { base_url: base.into(), host: host.into(), api_key: Secret::new(key.into()) })
    };
    assert_eq!(with("http://edge.example", HOST, KEY), Err(ConfigError::PlainHttp));
    assert_eq!(with("https://edge.example/x", HOST, KEY), Err(ConfigError::BaseUrl));
    for host in ["", "a/b", "a b", "u@h"] {
        assert_eq!(with("https://edge.example", host, KEY), Err(ConfigError::Domain), "{host}");
    }
    for key in ["", "a\r\nb"] {
        assert_eq!(with("https://edge.example", HOST, key), Err(ConfigError::ApiKey));
    }
}
