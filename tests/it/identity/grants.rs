//! Grants that give a right elsewhere, what may pass through, and a custom domain of the tenant.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use onesec_auth0_sim::{ClientSpec, GrantType, RequestKind, SimConfig, SimTenant};
use onesec_e2e::proofs::Key;
use onesec_e2e::world::{ANA, AUDIENCE, BEN, CALENDAR, GOOGLE};
use onesec_e2e::{Answer, Http, Plan, World};
use serde_json::{Value, json};

use super::{ACCESS, JWT_BEARER, REFRESH, Refusal, TOKEN, alerts_of, bearer, grant, issued, refused};
use crate::plan;

const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const CALENDAR_API: &str = "https://calendar.example.test";
const SECRET: &str = "s3cret-of-app-1";
const REFUSED: (u16, &str, &str) = (403, "access_denied", "governed-grant");

/// `helper` is `app-1` at the tenant, which may use every grant; this is allowed to pass.
fn world(pass: Value) -> World {
    let plan = plan().with("detectors", json!({"exchange-rate": {"limit": 10_000}}));
    with_app(plan.with("token_vault", json!({"pass_through": pass})).start())
}

fn with_app(world: World) -> World {
    let all = [
        GrantType::TokenExchange,
        GrantType::JwtBearer,
        GrantType::TokenVault,
        GrantType::RefreshToken,
        GrantType::ClientCredentials,
    ];
    world.sim.create_client(ClientSpec::custom_api("app-1", SECRET, AUDIENCE).with_grants(&all));
    world.register("helper", &json!({"clients": ["app-1"]}));
    world
}

fn rules() -> Value {
    let urns = [GrantType::TokenExchange.urn(), GrantType::JwtBearer.urn()];
    let mut rules: Vec<Value> = urns.map(|grant| json!({"grant": grant, "audience": CALENDAR_API})).to_vec();
    rules.push(json!({"grant": GrantType::JwtBearer.urn()}));
    json!(rules)
}

/// A grant for the calendar's API on behalf of Ana, with these changes.
fn governed(world: &World, more: &[(&str, &str)], key: Option<&str>) -> Answer {
    let spec = onesec_auth0_sim::AccessTokenSpec::new(ANA, AUDIENCE, "app-1");
    let token = world.sim.mint_access_token(&spec).expect("minted").expose_to_wire().to_owned();
    let own = [
        ("grant_type", GrantType::TokenExchange.urn()),
        ("client_id", "app-1"),
        ("client_secret", SECRET),
        ("subject_token", &token),
        ("subject_token_type", ACCESS),
        ("requested_token_type", ACCESS),
        ("audience", CALENDAR_API),
    ];
    let changed = own.into_iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    let pairs: Vec<(&str, &str)> = changed.chain(more.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
    let headers: Vec<(&str, &str)> = key.map(|key| ("x-api-key", key)).into_iter().collect();
    world.nobody().form(TOKEN, &headers, &pairs)
}

fn key_of(world: &World, agent: &str) -> String {
    world.key(&json!({"name": onesec_e2e::proofs::fresh("k"), "scopes": ["exchange"], "agent_id": agent}))
}

#[test]
fn a_governed_grant_is_refused_unless_it_is_listed_and_recorded_either_way() {
    let world = world(json!([]));
    let key = key_of(&world, "helper");
    let jwt_bearer = [("grant_type", GrantType::JwtBearer.urn()), ("assertion", "x.y.z")];
    let jag = [("requested_token_type", ID_JAG)];
    for (n, (grant, more)) in
        [("on-behalf-of", &[][..]), ("id-jag", &jag), ("jwt-bearer", &jwt_bearer)].into_iter().enumerate()
    {
        let answer = governed(&world, more, Some(&key));
        refused(grant, &answer, REFUSED);
        let asked = world.events("kind=token_exchange&agent_id=helper", n + 1);
        assert_eq!(asked.len(), n + 1, "{grant} is recorded");
        assert_eq!(asked[0]["details"]["connection"], format!("audience:{CALENDAR_API}"), "{}", asked[0]);
        assert_eq!(asked[0]["details"]["subject_token_type"], grant);
    }
    assert_eq!(world.sim.requests(RequestKind::Governed), 0);
    world.mode("live");
    refused("nobody delegated", &governed(&world, &[], Some(&key)), (403, "access_denied", "unauthorized-agent"));
}

#[test]
fn a_listed_grant_passes_with_the_callers_own_credentials() {
    let world = world(rules());
    world.mode("live");
    let key = key_of(&world, "helper");
    world.delegate_as(&json!({"user_id": ANA, "agent_id": "helper", "connection": format!("audience:{CALENDAR_API}")}));
    let answer = governed(&world, &[], Some(&key));
    issued("on behalf of", &answer);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    issued("an identity assertion", &governed(&world, &[("requested_token_type", ID_JAG)], Some(&key)));
    // Auth0's own refusal stays its own.
    let wrong = governed(&world, &[("client_secret", "wrong")], Some(&key));
    assert_eq!((wrong.status, &wrong.json()["error"]), (401, &json!("access_denied")), "{}", wrong.text());
    let thumbprints = world.events("kind=token_exchange_response&agent_id=helper", 3);
    assert!(thumbprints.iter().any(|e| e["details"]["token_thumbprint"].is_string()), "{thumbprints:#?}");
    assert_eq!(world.admin().post("/api/v1/agents/helper/suspend", &json!({})).status, 200);
    for mode in ["live", "dry_run"] {
        world.mode(mode);
        refused("suspended", &governed(&world, &[], Some(&key)), (403, "access_denied", "unauthorized-agent"));
    }
}

/// What is asked for, with which of our keys, and the answer.
type Governed<'a> = (&'a str, Pairs<'a>, &'a str, Refusal<'a>);
type Pairs<'a> = &'a [(&'a str, &'a str)];

#[test]
fn what_does_not_pass() {
    let world = world(rules());
    let (key, moles) = (key_of(&world, "helper"), key_of(&world, "mole"));
    world.register("mole", &json!({"clients": ["app-2"]}));
    world.delegate_as(&json!({"user_id": ANA, "agent_id": "helper", "connection": format!("audience:{CALENDAR_API}")}));
    let mint = |change: &dyn Fn(onesec_auth0_sim::AccessTokenSpec) -> onesec_auth0_sim::AccessTokenSpec| {
        let spec = change(onesec_auth0_sim::AccessTokenSpec::new(ANA, AUDIENCE, "app-1"));
        world.sim.mint_access_token(&spec).expect("minted").expose_to_wire().to_owned()
    };
    let may_act = mint(&|spec| spec.with_claim("may_act", json!({"sub": "mole"})));
    let acts = mint(&|spec| spec.with_claim("act", json!({"sub": "mole"})));
    let other_api = mint(&|spec| spec.with_claim("aud", json!("https://x")));
    let bound = mint(&|spec| spec.with_claim("cnf", json!({"jkt": Key::default().thumbprint()})));
    let slash = format!("{CALENDAR_API}/");
    let both = format!("{CALENDAR_API} https://mail.example.test");
    let upper = CALENDAR_API.to_uppercase();
    let deputy = (403, "access_denied", "confused-deputy");
    let attacks: [Governed<'_>; 15] = [
        ("another audience", &[("audience", "https://mail.example.test")], &key, REFUSED),
        ("the audience with a slash", &[("audience", &slash)], &key, REFUSED),
        ("the audience in capitals", &[("audience", &upper)], &key, REFUSED),
        ("no audience", &[("audience", "")], &key, REFUSED),
        ("two audiences in one", &[("audience", &both)], &key, REFUSED),
        ("another resource beside it", &[("resource", "https://mail.example.test")], &key, REFUSED),
        ("only another resource", &[("audience", ""), ("resource", "https://mail.example.test")], &key, REFUSED),
        ("an agent whom the token does not let act", &[("subject_token", &may_act)], &key, deputy),
        ("another agent acts", &[("subject_token", &acts)], &key, (403, "access_denied", "delegation-chain")),
        ("a token of another API", &[("subject_token", &other_api)], &key, (400, "invalid_request", "wrong_audience")),
        (
            "a bound token without a proof",
            &[("subject_token", &bound)],
            &key,
            (400, "invalid_request", "proof_required"),
        ),
        ("a token that another client got", &[], &moles, deputy),
        ("no token", &[("subject_token", "")], &key, (400, "invalid_request", "subject-refused")),
        ("an unknown key", &[], "os_nobody_knows", (401, "invalid_client", "")),
        ("no scopes", &[("scope", "a\"b")], &key, (400, "invalid_request", "no scopes")),
    ];
    for (attack, more, key, refusal) in attacks {
        refused(attack, &governed(&world, more, Some(key)), refusal);
    }
    refused("no credential of ours", &governed(&world, &[], None), (401, "invalid_client", ""));
    let twice = format!("grant_type={}&audience={CALENDAR_API}&audience=https://x", GrantType::TokenExchange.urn());
    let form = [("content-type", "application/x-www-form-urlencoded"), ("x-api-key", &*key)];
    let answer = world.nobody().send("POST", TOKEN, &form, twice.as_bytes());
    refused("an audience twice", &answer, (400, "invalid_request", "twice"));
    let list = json!({"grant_type": GrantType::TokenExchange.urn(), "audience": [CALENDAR_API, "https://x"]});
    let json = [("content-type", "application/json"), ("x-api-key", &*key)];
    let answer = world.nobody().send("POST", TOKEN, &json, list.to_string().as_bytes());
    refused("a list of audiences", &answer, (400, "invalid_request", "no text"));
    assert_eq!(world.sim.requests(RequestKind::Governed), 0, "upstream never saw one of them");
    assert_eq!(alerts_of(&world, "confused-deputy", "mole")[0]["severity"], "CRITICAL");
}

#[test]
fn an_id_token_proves_its_user_to_us_before_it_does_to_auth0() {
    let world = world(rules());
    world.mode("live");
    let key = key_of(&world, "helper");
    world.delegate_as(&json!({"user_id": BEN, "agent_id": "helper", "connection": format!("audience:{CALENDAR_API}")}));
    let id_token = |user: &str, client: &str| {
        let spec = onesec_auth0_sim::AccessTokenSpec::new(user, client, client);
        world.sim.mint_access_token(&spec).expect("minted").expose_to_wire().to_owned()
    };
    let ask = |token: &str| {
        let typed = ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token");
        governed(&world, &[("subject_token", token), typed, ("requested_token_type", ID_JAG)], Some(&key))
    };
    issued("of the user who delegated", &ask(&id_token(BEN, "app-1")));
    let never = (403, "access_denied", "unauthorized-agent");
    refused("of a user who delegated nothing", &ask(&id_token(ANA, "app-1")), never);
    let subject = (400, "invalid_request", "subject-refused");
    refused("for another client", &ask(&id_token(BEN, "app-2")), subject);
    refused("forged", &ask("x.y.z"), subject);
    for kind in ["jwt", "refresh_token", "saml2"] {
        let kind = format!("urn:ietf:params:oauth:token-type:{kind}");
        let more = [("subject_token_type", kind.as_str()), ("requested_token_type", ID_JAG)];
        refused("said to be something else", &governed(&world, &more, Some(&key)), subject);
    }
    let asked = world.events("kind=token_exchange&agent_id=helper", 2);
    assert_eq!(asked[0]["subject"]["proof"], "verified", "{}", asked[0]);
}

#[test]
fn other_grants_pass_only_where_they_are_listed() {
    let ask = |world: &World, grant: &str, audience: &str| {
        let pairs = [("grant_type", grant), ("client_id", "app-1"), ("client_secret", SECRET), ("audience", audience)];
        world.nobody().form(TOKEN, &[], &pairs)
    };
    let (none, grant) = (world(json!([])), GrantType::ClientCredentials.urn());
    let unsupported = (400, "unsupported_grant_type", "only grant here");
    refused("nothing is listed", &ask(&none, grant, CALENDAR_API), unsupported);
    let listed = world(json!([{"grant": grant, "audience": CALENDAR_API}]));
    issued("listed", &ask(&listed, grant, CALENDAR_API));
    for (attack, grant, audience) in [
        ("another audience", grant, "https://mail.example.test"),
        ("no audience", grant, ""),
        ("another grant", "refresh_token", CALENDAR_API),
        ("in capitals", "CLIENT_CREDENTIALS", CALENDAR_API),
        ("with a blank", " client_credentials", CALENDAR_API),
        ("the vault's grant with a blank", &format!("{} ", GrantType::TokenVault.urn()), CALENDAR_API),
        ("the vault's grant in capitals", &GrantType::TokenVault.urn().to_uppercase(), CALENDAR_API),
    ] {
        refused(attack, &ask(&listed, grant, audience), unsupported);
    }
    assert_eq!(listed.sim.requests(RequestKind::TokenExchange), 0);
}

/// An upstream that answers everything with a token, and remembers every byte that it was sent.
struct Recorder {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listening");
        let url = format!("http://{}", listener.local_addr().expect("address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let keep = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let keep = keep.clone();
                std::thread::spawn(move || answer_all(stream, &keep));
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("unharmed").clone()
    }
}

fn answer_all(stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut text, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            text.push_str(&line);
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        text.push_str(&String::from_utf8_lossy(&body));
        seen.lock().expect("unharmed").push(text);
        let answer = r#"{"access_token":"upstream-token","token_type":"Bearer","expires_in":60}"#;
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", answer.len());
        if reader.get_mut().write_all(format!("{head}{answer}").as_bytes()).is_err() {
            return;
        }
    }
}

/// `key`, however it may be written.
fn spellings(key: &str) -> Vec<String> {
    let basic = |name: &str| base64(format!("{name}:{key}").as_bytes());
    vec![key.to_owned(), basic("helper"), basic("app-1"), basic("")]
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for n in 0..4 {
            let letter = char::from(LETTERS[(bits >> (18 - 6 * n) & 63) as usize]);
            text.push(if n <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

/// The server in front of a recorder, as the tenant itself and as the origin of its custom domain.
fn recorded(pass: Value) -> (World, Recorder) {
    let upstream = Recorder::start();
    let vault = json!({"auth0_base_url": upstream.url, "pass_through": pass, "proxy": proxy(&upstream.url)});
    let world = plan().with("token_vault", vault).start();
    world.register("helper", &json!({"clients": ["app-1"]}));
    (world, upstream)
}

const DOMAIN: &str = "login.example.test";
const EDGE_KEY: &str = "cname-key-of-the-tests";

fn proxy(origin: &str) -> Value {
    json!({"domain": DOMAIN, "origin": origin, "origin_host": "edge.example.test", "api_key": EDGE_KEY})
}

/// Where our key is: headers, parameters.
type Shown<'a> = (&'a str, Pairs<'a>, Pairs<'a>);

#[test]
fn no_key_of_ours_reaches_auth0() {
    let (world, upstream) =
        recorded(json!([{"grant": GrantType::JwtBearer.urn(), "audience": "*"}, {"grant": "refresh_token"}]));
    let key = key_of(&world, "helper");
    let [basic, bare] = ["helper", ""].map(|name| format!("Basic {}", base64(format!("{name}:{key}").as_bytes())));
    let (bearer, dpop) = (bearer(&key), format!("DPoP {key}"));
    let ours: [Shown<'_>; 10] = [
        ("as the client's secret", &[], &[("client_id", "helper"), ("client_secret", &key)]),
        ("as Basic", &[("authorization", &basic)], &[]),
        ("as Basic without a name", &[("authorization", &bare)], &[]),
        ("as Bearer", &[("authorization", &bearer)], &[]),
        ("in its own header, and as the secret", &[("x-api-key", &key)], &[("client_secret", &key)]),
        ("in its own header, and as Basic", &[("x-api-key", &key), ("authorization", &basic)], &[]),
        ("in its own header, and as Bearer", &[("x-api-key", &key), ("authorization", &bearer)], &[]),
        ("in its own header, and under DPoP", &[("x-api-key", &key), ("authorization", &dpop)], &[]),
        ("in its own header, and as another parameter", &[("x-api-key", &key)], &[("actor_token", &key)]),
        ("in its own header, and after a blank", &[("x-api-key", &key)], &[("scope", &format!(" {key}"))]),
    ];
    for host in [None, Some(DOMAIN)] {
        for (how, headers, more) in ours {
            for (grant, proof) in [
                (GrantType::JwtBearer.urn(), ("assertion", "x.y.z")),
                ("refresh_token", ("refresh_token", "v1.x")),
                (GrantType::TokenVault.urn(), ("subject_token", "v1.x")),
            ] {
                let rest = [("connection", GOOGLE), ("subject_token_type", REFRESH), ("client_id", "app-1")];
                let vault = grant == GrantType::TokenVault.urn();
                let rest = rest.iter().filter(|(name, _)| vault && !more.iter().any(|(other, _)| other == name));
                let pairs: Vec<(&str, &str)> =
                    [("grant_type", grant), proof].iter().chain(rest).chain(more).copied().collect();
                let headers: Vec<(&str, &str)> =
                    host.map(|host| ("host", host)).iter().chain(headers).copied().collect();
                let answer = world.nobody().form(TOKEN, &headers, &pairs);
                let _whatever_it_says = answer.status;
                let leaked = upstream.seen().into_iter().find(|text| {
                    let decoded = text.replace("%3A", ":");
                    spellings(&key).iter().any(|spelt| decoded.contains(spelt.as_str()))
                });
                assert!(leaked.is_none(), "{how}, {grant} at {host:?}: {leaked:?}");
            }
        }
        // Any other address of the tenant.
        let headers = [("host", host.unwrap_or(DOMAIN)), ("x-api-key", &*key), ("authorization", &*bearer)];
        let answer = world.nobody().send("GET", "/userinfo", &headers, b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!upstream.seen().iter().any(|text| text.contains(&key)), "at /userinfo");
    }
    // The caller's own are the caller's.
    let own = format!("Basic {}", base64(b"app-1:s3cret"));
    let headers = [("x-api-key", &*key), ("authorization", &*own)];
    let pairs = [("grant_type", GrantType::JwtBearer.urn()), ("assertion", "x.y.z"), ("onesec_delegation", "a.b.c")];
    issued("passed on", &world.nobody().form(TOKEN, &headers, &pairs));
    let last = upstream.seen().pop().unwrap_or_default();
    assert!(last.contains(&own) && !last.contains("onesec_delegation"), "{last}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn no_spelling_of_the_token_endpoint_gets_past_us() {
    let (world, upstream) = recorded(json!([]));
    let body = format!(
        "grant_type={}&subject_token=v1.x&connection={GOOGLE}&client_id=app-1&client_secret=x",
        GrantType::TokenVault.urn()
    );
    let absolute = format!("http://{DOMAIN}/oauth/%74oken");
    let tricks = [
        "/oauth/token/",
        "/oauth//token",
        "//oauth/token",
        "/OAuth/Token",
        "/oauth/%74oken",
        "/oauth/%2574oken",
        "/%6fauth/token",
        "/oauth%2ftoken",
        "/oauth%5ctoken",
        "/oauth\\token",
        "/oauth/token;x=1",
        "/oauth;x/token",
        "/./oauth/token",
        "/oauth/./token",
        "/oauth/x/../token",
        "/x/%2e%2e/oauth/token",
        "/oauth/token%00",
        "/oauth/token%20",
        "/oauth/token%3f",
        "/oauth/token%23",
        "/oauth/token/?x=1",
        "/oauth/token/.",
        &absolute,
    ];
    for path in tricks {
        for method in ["POST", "PUT", "PATCH", "GET"] {
            let headers = [("host", DOMAIN), ("content-type", "application/x-www-form-urlencoded")];
            let answer = world.nobody().send(method, path, &headers, body.as_bytes());
            assert!([0, 400, 404].contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
        }
    }
    assert_eq!(upstream.seen(), Vec::<String>::new());
    let overridden =
        [("host", DOMAIN), ("x-http-method-override", "POST"), ("x-original-url", TOKEN), ("x-rewrite-url", TOKEN)];
    world.nobody().send("GET", "/authorize", &overridden, b"");
    let seen = upstream.seen().pop().expect("forwarded").to_ascii_lowercase();
    assert!(!seen.contains("override") && !seen.contains("-url"), "{seen}");
    assert!(seen.contains(EDGE_KEY) && seen.contains("host: edge.example.test"), "{seen}");
    let smuggled = [
        ("host", DOMAIN),
        ("cname-api-key", "mine"),
        ("x-forwarded-for", "6.6.6.6"),
        ("auth0-forwarded-for", "6.6.6.6"),
    ];
    world.nobody().send("GET", "/authorize?x=1", &smuggled, b"");
    let seen = upstream.seen().pop().expect("forwarded");
    assert!(!seen.contains("mine"), "{seen}");
    assert_eq!(seen.matches("6.6.6.6").count(), usize::from(seen.contains("auth0-forwarded-for")), "{seen}");
    for hosts in [
        &[("host", DOMAIN), ("host", "127.0.0.1")][..],
        &[("host", "login.example.test.evil.test")],
        &[("host", "xlogin.example.test")],
        &[("host", "login.example.test.")],
        &[("host", "user@login.example.test")],
    ] {
        let before = upstream.seen().len();
        let answer = world.nobody().send("GET", "/authorize", hosts, b"");
        assert_eq!((answer.status, upstream.seen().len()), (421, before), "{hosts:?}");
    }
}

/// The tenant behind its custom domain. The simulator has one address for both.
fn custom(plan: Plan) -> World {
    let dir = plan.with("detectors", json!({"exchange-rate": {"limit": 10_000}}));
    // The address of the tenant is known only once it runs, and the server is started with it.
    with_app(dir.custom_domain(proxy("")).start())
}

fn at_domain(world: &World, headers: &[(&str, &str)], (token, more): (&str, &[(&str, &str)])) -> Answer {
    let headers: Vec<(&str, &str)> = [("host", DOMAIN)].iter().chain(headers).copied().collect();
    grant(&mut world.nobody(), &headers, (token, more))
}

#[test]
fn the_tenants_own_client_exchanges_at_the_custom_domain() {
    let world = custom(plan().live());
    world.link(ANA, GOOGLE, CALENDAR);
    world.delegate(ANA, "helper", GOOGLE, &[CALENDAR]);
    let token = world.sim.issue_refresh_token(ANA, "app-1").expect("issued").expose_to_wire().to_owned();
    let own = [
        ("client_id", "app-1"),
        ("client_secret", SECRET),
        ("requested_token_type", "http://auth0.com/oauth/token-type/federated-connection-access-token"),
    ];
    let answer = at_domain(&world, &[], (&token, &own));
    issued("its own client", &answer);
    let asked = world.events("kind=token_exchange&agent_id=helper", 1);
    assert_eq!(asked[0]["details"]["user_id"], ANA, "{}", asked[0]);
    issued("and again", &at_domain(&world, &[], (&token, &own)));
    let key = key_of(&world, "helper");
    let ours = world.refresh(ANA);
    issued("with a key of ours", &at_domain(&world, &[("x-api-key", &key)], (&ours, &[])));
    // All else is the tenant's.
    let mut http = world.nobody();
    let discovery = http.send("GET", "/.well-known/openid-configuration", &[("host", DOMAIN)], b"");
    assert_eq!(discovery.json()["issuer"], world.sim.issuer(), "the issuer stays what it is");
    assert_eq!(http.send("GET", "/api/v1/alerts", &[("host", DOMAIN)], b"").status, 404, "nothing of ours is there");
}

#[test]
fn who_is_no_client_of_the_tenants_gets_nothing_at_the_custom_domain() {
    for mode in ["live", "dry_run"] {
        let world = custom(plan());
        world.mode(mode);
        world.link(ANA, GOOGLE, CALENDAR);
        world.delegate(ANA, "helper", GOOGLE, &[CALENDAR]);
        world.sim.create_client(ClientSpec::regular("app-2", "s3cret-of-app-2"));
        world.sim.create_client(ClientSpec::regular("app-3", "s3cret-of-app-3"));
        world.register("mole", &json!({"clients": ["app-2"]}));
        let issue = |user: &str, client: &str| {
            world.sim.issue_refresh_token(user, client).expect("issued").expose_to_wire().to_owned()
        };
        let (anas, moles, strangers, bens) =
            (issue(ANA, "app-1"), issue(ANA, "app-2"), issue(ANA, "app-3"), issue(BEN, "app-1"));
        let vault = ("requested_token_type", "http://auth0.com/oauth/token-type/federated-connection-access-token");
        let as_client = |id: &'static str, secret: &'static str| [("client_id", id), ("client_secret", secret), vault];
        let invalid = (401, "invalid_client", "");
        let attacks = [
            ("a wrong secret", &anas, as_client("app-1", "wrong"), invalid),
            ("another client's secret", &anas, as_client("app-1", "s3cret-of-app-2"), invalid),
            ("a client of no registered agent", &strangers, as_client("app-3", "s3cret-of-app-3"), invalid),
            ("no client at all", &anas, as_client("app-9", "x"), invalid),
            ("the agent's name", &anas, as_client("helper", SECRET), invalid),
            ("the client in capitals", &anas, as_client("APP-1", SECRET), invalid),
            ("another client's refresh token", &anas, as_client("app-2", "s3cret-of-app-2"), invalid),
        ];
        for (attack, token, own, refusal) in &attacks {
            refused(&format!("{mode} {attack}"), &at_domain(&world, &[], (token, own)), *refusal);
        }
        let mixed = format!("Basic {}", base64(format!("app-1:{SECRET}").as_bytes()));
        let answer = at_domain(&world, &[("authorization", &mixed)], (&moles, &as_client("app-2", "s3cret-of-app-2")));
        assert_ne!(answer.status, 200, "{mode} two clients: {}", answer.text());
        let access = [("client_id", "app-1"), ("client_secret", SECRET), vault];
        let pairs: Vec<(&str, &str)> = [
            ("grant_type", GrantType::TokenVault.urn()),
            ("subject_token", "x.y.z"),
            ("subject_token_type", ACCESS),
            ("connection", GOOGLE),
        ]
        .into_iter()
        .chain(access)
        .collect();
        let answer = world.nobody().form(TOKEN, &[("host", DOMAIN)], &pairs);
        refused("an access token shows no client", &answer, (400, "invalid_request", "X-API-Key"));
        let assertion = Key::default().assertion("app-1", "https://tests.eu.auth0.test/", &json!({}));
        let asserted =
            [("client_id", "app-1"), ("client_assertion", &assertion), ("client_assertion_type", JWT_BEARER), vault];
        let answer = at_domain(&world, &[], (&anas, &asserted));
        refused("an assertion, forged or not", &answer, (400, "invalid_request", "by secret"));
        world.mode("live");
        let bens = at_domain(&world, &[], (&bens, &as_client("app-1", SECRET)));
        refused("another user's", &bens, (403, "access_denied", "unauthorized-agent"));
        let moles = at_domain(&world, &[], (&moles, &as_client("app-2", "s3cret-of-app-2")));
        refused("an agent without a delegation", &moles, (403, "access_denied", "unauthorized-agent"));
        // An agent that must show a key has no way around it here.
        let key = Key::default();
        world.register("helper", &json!({"clients": ["app-1"], "keys": [key.jwk()], "possession": "dpop"}));
        let answer = at_domain(&world, &[], (&anas, &as_client("app-1", SECRET)));
        refused("without the proof that is asked of it", &answer, (401, "invalid_dpop_proof", "must prove"));
        assert_eq!(world.sim.requests(RequestKind::TokenExchange), 0, "{mode}");
    }
}

#[test]
fn only_we_reach_a_tenant_behind_its_custom_domain() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let config = SimConfig::new("x").with_custom_domain(DOMAIN, EDGE_KEY);
    let sim = runtime.block_on(SimTenant::start(config)).expect("tenant");
    let vault = json!({"proxy": proxy(sim.base_url())});
    let world = plan().with("token_vault", vault).start();
    let path = "/.well-known/openid-configuration";
    let through = world.nobody().send("GET", path, &[("host", DOMAIN)], b"");
    assert_eq!(through.json()["issuer"], format!("https://{DOMAIN}/"), "{}", through.text());
    let mut around = Http::new(sim.base_url(), None);
    assert_eq!(around.get(path).status, 403);
    assert_eq!(around.send("GET", path, &[("cname-api-key", "guess")], b"").status, 403);
    assert_eq!(sim.requests(RequestKind::WithoutKey), 2);
}
