//! What a tenant is shown: every route that reads, with its own and with the other's names.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::{ACME, Side, Two, exchange};

/// Routes that read and what they are about, from the served description: a new one is looked at as soon as it is there.
fn reads(two: &Two) -> Vec<String> {
    let document = two.world.admin().get("/api/v1/openapi.json").json();
    let paths = document["paths"].as_object().expect("paths").clone();
    let reads = paths.into_iter().filter(|(path, item)| {
        item.get("get").is_some_and(|operation| operation["security"] != json!([])) && !path.ends_with("/stream")
    });
    reads.map(|(path, _)| path).collect()
}

/// The path with what belongs to `side` in it.
fn filled(path: &str, side: &Side) -> String {
    let rest = path.trim_start_matches("/api/v1/");
    let list = side.ids.iter().filter(|(list, _)| rest.starts_with(*list)).max_by_key(|(list, _)| list.len());
    let id = list.map_or("x", |(_, id)| id.as_str());
    path.replace("{id}", id).replace("{name}", id).replace("{connection}", "google-oauth2").replace("{pid}", "1")
}

#[test]
fn nothing_of_one_is_shown_to_the_other() {
    let mut two = Two::start();
    let mut sides = [two.side("default", "blue"), two.side(ACME, "amber")];
    let routes = reads(&two);
    assert!(routes.len() > 25, "{routes:?}");
    // Once as it is, once after a crash.
    for _ in 0..2 {
        for (own, other) in [(0, 1), (1, 0)] {
            let foreign = sides[other].colour;
            let (mut mine, mut told) = (Vec::new(), 0);
            for route in &routes {
                let own_path = filled(route, &sides[own]);
                let answer = sides[own].admin.get(&own_path);
                assert!(!answer.text().contains(foreign), "{own_path}: {}", answer.text());
                told += usize::from(answer.text().contains(sides[own].colour));
                mine.push((route, answer.status));
                if route.contains('{') {
                    another(&mut sides, (own, other), route);
                }
            }
            assert!(told >= 12, "{} sees its own: {told} {mine:?}", sides[own].tenant);
        }
        two.world.killed();
        for side in &mut sides {
            side.admin = two.key(side.tenant, json!({"scopes": ["admin"], "owner": side.name("owner")}));
        }
    }
}

/// One's administrator asks for what is the other's.
#[track_caller]
fn another(sides: &mut [Side; 2], (own, other): (usize, usize), route: &str) {
    let path = filled(route, &sides[other]);
    let foreign = sides[other].colour;
    for path in [path.clone(), format!("{path}?tenant={}", sides[other].tenant)] {
        let answer = sides[own].admin.get(&path);
        let text = answer.text();
        if path.contains("?tenant=") {
            assert!([403, 404].contains(&answer.status), "{path}: {} {text}", answer.status);
        } else {
            assert!([200, 400, 403, 404].contains(&answer.status), "{path}: {} {text}", answer.status);
        }
        assert!(!text.contains(foreign), "{path}: {text}");
    }
}

#[test]
fn whether_an_agent_may_is_answered_by_ones_own_delegations() {
    let two = Two::start();
    let (mut blue, mut amber) = (two.side("default", "blue"), two.side(ACME, "amber"));
    let can = |asker: &mut Side, about: &Side| {
        let path =
            format!("/api/v1/users/{}/can?agent_id={}&connection=google-oauth2", about.user(), about.name("agent"));
        let answer = asker.admin.get(&path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["verdict"].clone()
    };
    let (of_blue, of_amber) = (two.side_name("blue"), two.side_name("amber"));
    assert_eq!((can(&mut blue, &of_blue), can(&mut amber, &of_amber)), (json!("allow"), json!("allow")));
    assert_eq!((can(&mut blue, &of_amber), can(&mut amber, &of_blue)), (json!("deny"), json!("deny")));
}

impl Two {
    /// The names of a side, without anything in it.
    fn side_name(&self, colour: &'static str) -> Side {
        let nobody = || self.world.nobody();
        Side { tenant: "", colour, admin: nobody(), agent: nobody(), token: String::new(), ids: Default::default() }
    }
}

#[test]
fn a_stream_tells_its_own_tenant_only() {
    let two = Two::start();
    let (blue, mut amber) = (two.side("default", "blue"), two.side(ACME, "amber"));
    let key = two.world.key(&json!({"name": "watch", "scopes": ["read"], "tenant": ACME}));
    let address = two.world.process.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    write!(stream, "GET /api/v1/alerts/stream HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\r\n")
        .expect("sent");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    assert!(lines.by_ref().any(|line| line.is_empty()), "the head");
    // More than a watcher may lag behind, all of the other tenant's.
    let mut telemetry = two.key("default", json!({"scopes": ["events:write"]}));
    let usage = |n: usize| {
        json!({"type": "connected_account_usage", "details": {
        "agent_id": format!("blue-flood-{n}"), "user_id": blue.user(), "connection": "google-oauth2"}})
    };
    for batch in 0..8 {
        let events: Vec<Value> = (0..250).map(|n| usage(batch * 250 + n)).collect();
        assert_eq!(telemetry.post("/api/v1/events", &json!(events)).status, 202);
    }
    let mut stray = two.key(ACME, json!({"scopes": ["exchange"], "agent_id": "amber-late"}));
    assert_eq!(exchange(&mut stray, &amber.token).status, 403);
    let heard: Vec<String> = lines.by_ref().take_while(|line| !line.contains("amber-late")).collect();
    assert!(!heard.iter().any(|line| line.contains("blue") || line.contains("lagged")), "{heard:?}");
    assert!(amber.admin.get("/api/v1/alerts?agent_id=amber-late").text().contains("amber-late"));
}

#[test]
fn what_all_write_together_is_for_operators() {
    let two = Two::start();
    let (mut blue, mut amber) = (two.side("default", "blue"), two.side(ACME, "amber"));
    for side in [&mut blue, &mut amber] {
        let answer = side.admin.get("/metrics");
        assert_eq!((answer.status, answer.json()["code"].clone()), (403, json!("operators-only")));
        let status = side.admin.get("/api/v1/status").json();
        assert_eq!(status["tenant"], side.tenant);
        for shared in ["lag", "commits", "records_per_commit"] {
            assert!(status["journal"].get(shared).is_none(), "{shared}: {status}");
        }
    }
    let metrics = two.world.admin().get("/metrics");
    assert_eq!(metrics.status, 200);
    for word in ["blue", "amber", ACME] {
        assert!(!metrics.text().contains(word), "{word} is no label");
    }
    assert!(two.world.admin().get("/api/v1/status").json()["journal"]["commits"].is_u64());
    // Each counts its own.
    let before = blue.admin.get("/api/v1/token-vault/status").json();
    assert_eq!(exchange(&mut amber.agent, &amber.token).status, 200);
    assert_eq!(blue.admin.get("/api/v1/token-vault/status").json(), before);
    assert_eq!(before["exchange_stats"]["success_count"], 1, "{before}");
}

#[test]
fn an_operator_sees_each_by_its_name() {
    let two = Two::start();
    drop([two.side("default", "blue"), two.side(ACME, "amber")]);
    for (tenant, own, other) in [("default", "blue", "amber"), (ACME, "amber", "blue")] {
        for list in ["alerts", "agents", "accounts", "delegations", "canaries", "exceptions", "responses"] {
            let answer = two.operator(("GET", tenant), &format!("/api/v1/{list}"), &Value::Null);
            assert!(
                answer.text().contains(own) && !answer.text().contains(other),
                "{tenant} {list}: {}",
                answer.text()
            );
        }
    }
    for nobody in ["nobody", "*", "", "default%00", "../acme", "ACME"] {
        let answer = two.world.admin().get(&format!("/api/v1/alerts?tenant={nobody}"));
        assert!(answer.status == 404 || nobody.is_empty(), "{nobody:?}: {} {}", answer.status, answer.text());
        assert!(!answer.text().contains("amber"), "{nobody:?}");
    }
}

#[test]
fn an_operators_command_line_means_the_tenant_that_it_names() {
    let two = Two::start();
    drop([two.side("default", "blue"), two.side(ACME, "amber")]);
    let onesec = |tenant: &str, args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_onesec-under-test"));
        command.args(["--for-tenant", tenant, "--json"]).args(args);
        command.env("ONESEC_URL", two.world.process.url()).env("ONESEC_API_KEY", two.world.process.admin_key());
        let output = command.output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for (tenant, own, other) in [("default", "blue", "amber"), (ACME, "amber", "blue")] {
        for args in [
            &["agents"][..],
            &["alerts", "--min-severity", "high"],
            &["delegations"],
            &["accounts"],
            &["canary", "list"],
        ] {
            let (code, said) = onesec(tenant, args);
            assert!(
                code == Some(0) && said.contains(own) && !said.contains(other),
                "{tenant} {args:?}: {code:?} {said}"
            );
        }
    }
    assert_eq!(onesec("nobody&tenant=acme", &["agents"]).0, Some(3));
}
