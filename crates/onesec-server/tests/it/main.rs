//! The built binary as its users meet it: what it prints, and with which exit code it ends.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn onesec(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onesec"));
    // Whatever the machine is configured to do is none of the test's business.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ONESEC_") || name.starts_with("AUTH0_")) {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    onesec(args).output().expect("the binary runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("not killed")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

mod demo {
    use super::*;

    #[test]
    fn every_attack_is_met_and_nobody_honest_is_refused() {
        let output = run(&["demo"]);
        let told = text(&output.stdout);
        assert_eq!(code(&output), 0, "{told}{}", text(&output.stderr));
        assert!(told.lines().count() <= 70, "{told}");
        assert!(!told.contains("NOT MET"), "{told}");
        assert!(told.contains("held for a person goal-hijack:"), "{told}");
        assert!(told.contains("honest calls: 14 of 14 passed"), "{told}");
        assert!(!told.contains('\u{1b}'), "colours only on a terminal: {told}");
    }

    #[test]
    fn the_same_story_can_be_had_as_json() {
        let output = run(&["demo", "--json"]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one document");
        assert_eq!(report["passed"], true);
        let attacks = report["attacks"].as_array().expect("attacks");
        assert_eq!(attacks.len(), 8);
        for attack in attacks {
            assert!(!attack["dry_run"]["alert"]["evidence"].as_array().expect("evidence").is_empty(), "{attack}");
        }
        // In dry run nothing but the user's own decision was enforced.
        let refused: Vec<&str> = attacks
            .iter()
            .filter(|a| a["dry_run"]["refused"].as_u64() > Some(0))
            .filter_map(|a| a["attack"].as_str())
            .collect();
        assert_eq!(refused, ["Use after unlink"]);
        // What dry run foretold is what live did: held is not refused.
        for attack in attacks.iter().filter(|a| a["live"]["refused"].as_u64() > Some(0)) {
            let foretold = attack["dry_run"]["would"] == "hold";
            assert_eq!(attack["live"]["held"], foretold, "{attack}");
        }
        let held = attacks.iter().filter(|a| a["live"]["held"] == true).filter_map(|a| a["attack"].as_str());
        assert_eq!(held.collect::<Vec<_>>(), ["Goal hijacking", "Memory poisoning"]);
    }

    /// The demo without `detector` fails, and says what was not met.
    fn fails_without(detector: &str, attack: &str) {
        let output = run(&["demo", "--disable", detector]);
        let told = text(&output.stdout);
        assert_eq!(code(&output), 1, "{told}{}", text(&output.stderr));
        assert!(told.contains(&format!("NOT MET: {attack}: ")), "{told}");
        assert!(told.contains("honest calls: 14 of 14 passed"), "{told}");
    }

    #[test]
    fn without_scope_escalation_it_fails() {
        fails_without("scope-escalation", "Scope escalation");
    }

    #[test]
    fn without_unauthorized_agent_it_fails() {
        fails_without("unauthorized-agent", "Agent without delegation");
    }

    /// What a person took back stays taken back, whatever is switched off.
    #[test]
    fn without_revoked_access_an_unlink_still_counts() {
        let output = run(&["demo", "--disable", "revoked-access"]);
        let told = text(&output.stdout);
        assert_eq!(code(&output), 0, "{told}{}", text(&output.stderr));
    }

    #[test]
    fn without_exchange_rate_it_fails() {
        fails_without("exchange-rate", "Burst");
    }

    #[test]
    fn without_consent_phishing_it_fails() {
        fails_without("consent-phishing", "Consent phishing");
    }

    #[test]
    fn without_goal_hijack_it_fails() {
        fails_without("goal-hijack", "Goal hijacking");
    }

    #[test]
    fn without_memory_poisoning_it_fails() {
        fails_without("memory-poisoning", "Memory poisoning");
    }

    #[test]
    fn a_detector_that_does_not_exist_cannot_be_disabled() {
        let output = run(&["demo", "--disable", "scope-escalatoin"]);
        assert_eq!(code(&output), 2);
        assert!(text(&output.stderr).contains("did you mean `scope-escalation`?"));
    }
}

/// A server that ends with the test.
struct Up {
    child: Child,
    url: String,
    dir: tempfile::TempDir,
}

impl Up {
    fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("directory"), &[])
    }

    fn start_in(dir: tempfile::TempDir, environment: &[(&str, &Path)]) -> Self {
        let mut child = onesec(&["up", "--listen", "127.0.0.1:0", "--log", "off", "--data-dir"])
            .arg(dir.path())
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut first = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        stdout.read_line(&mut first).expect("a line");
        let url = first.trim().strip_prefix("listening on ").expect("the address comes first").to_owned();
        let mut key = String::new();
        stdout.read_line(&mut key).expect("a line");
        let kept = std::fs::read_to_string(dir.path().join("admin.key")).expect("kept");
        assert_eq!(key.trim().strip_prefix("admin key "), Some(kept.trim()), "the first start shows the key");
        child.stdout = Some(stdout.into_inner());
        Self { child, url, dir }
    }

    fn key(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("admin.key")).expect("kept").trim().to_owned()
    }

    fn ask(&self, args: &[&str]) -> Output {
        onesec(args).env("ONESEC_URL", &self.url).env("ONESEC_API_KEY", self.key()).output().expect("the binary runs")
    }

    /// Stops it as an operator would, and gives the directory.
    fn stop(mut self) -> tempfile::TempDir {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        assert!(told.success());
        assert!(self.child.wait().expect("it ends").success(), "a server that is told to stop stops well");
        std::mem::replace(&mut self.dir, tempfile::tempdir().expect("directory"))
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_delegation_is_made_asked_about_and_taken_back() {
    let up = Up::start();
    let add = [
        "delegations",
        "add",
        "--agent",
        "bot-7",
        "--user",
        "auth0|ana",
        "--connection",
        "github",
        "--scope",
        "repo:status",
    ];
    let added = up.ask(&add);
    assert_eq!(code(&added), 0, "{}", text(&added.stderr));
    assert_eq!(code(&up.ask(&["can", "bot-7", "auth0|ana", "github", "repo:status"])), 0);
    let more = up.ask(&["can", "bot-7", "auth0|ana", "github", "delete_repo"]);
    assert_eq!(code(&more), 1);
    assert!(text(&more.stdout).contains("scope-escalation"), "{}", text(&more.stdout));
    let stranger = up.ask(&["can", "bot-8", "auth0|ana", "github", "repo:status"]);
    assert_eq!(code(&stranger), 1);
    assert!(text(&stranger.stdout).contains("unauthorized-agent"), "{}", text(&stranger.stdout));
    let list: serde_json::Value = serde_json::from_slice(&up.ask(&["delegations", "--json"]).stdout).expect("JSON");
    let id = list["delegations"][0]["id"].as_str().expect("an id");
    assert_eq!(code(&up.ask(&["delegations", "revoke", id])), 0);
    assert_eq!(code(&up.ask(&["can", "bot-7", "auth0|ana", "github", "repo:status"])), 1);
    for list in ["alerts", "events", "agents", "accounts", "delegations", "keys", "status", "enforce"] {
        for json in [false, true] {
            let args = if json { vec![list, "--json"] } else { vec![list] };
            let output = up.ask(&args);
            assert_eq!(code(&output), 0, "{list}: {}", text(&output.stderr));
            assert!(!json || serde_json::from_slice::<serde_json::Value>(&output.stdout).is_ok(), "{list}");
        }
    }
    let dir = up.stop();
    let dir = dir.path().to_str().expect("UTF-8");
    let verified = run(&["journal", "verify", "--data-dir", dir]);
    assert_eq!(code(&verified), 0, "{}", text(&verified.stdout));
    let recomputed = run(&["journal", "recompute", "--data-dir", dir]);
    assert_eq!(code(&recomputed), 0, "{}", text(&recomputed.stderr));
}

#[test]
fn keys_are_shown_once_and_without_a_good_one_nothing_is_said() {
    let up = Up::start();
    let made = up.ask(&["keys", "create", "--name", "reader", "--scope", "read", "--json"]);
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let key = made["key"].as_str().expect("a key").to_owned();
    assert!(!text(&up.ask(&["keys", "--json"]).stdout).contains(&key));
    let with = |key: &str, args: &[&str]| {
        onesec(args).env("ONESEC_URL", &up.url).env("ONESEC_API_KEY", key).output().expect("the binary runs")
    };
    assert_eq!(code(&with(&key, &["alerts"])), 0);
    let refused = with(&key, &["keys"]);
    assert_eq!(code(&refused), 3);
    assert!(text(&refused.stderr).contains("scope"), "{}", text(&refused.stderr));
    let refused = with("os_wrong", &["alerts"]);
    assert_eq!(code(&refused), 3);
    assert!(text(&refused.stderr).contains("ONESEC_API_KEY") && !text(&refused.stderr).contains("os_wrong"));
}

#[test]
fn a_finding_is_listed_explained_and_resolved() {
    let up = Up::start();
    let body =
        r#"{"id":"x-1","type":"token_exchange","details":{"agent_id":"bot-7","user_id":"ana","connection":"github"}}"#;
    post(&up, "/api/v1/events", body);
    let list: serde_json::Value = serde_json::from_slice(&up.ask(&["alerts", "--json"]).stdout).expect("JSON");
    let alert = &list["alerts"][0];
    assert_eq!(alert["detector"], "unauthorized-agent");
    let id = alert["id"].as_str().expect("an id");
    let explained = text(&up.ask(&["explain", id]).stdout);
    for needle in
        ["unauthorized-agent", "token_exchange", "onesec delegations add --agent 'bot-7' --user 'ana'", "it cannot see"]
    {
        assert!(explained.contains(needle), "{needle}: {explained}");
    }
    assert_eq!(code(&up.ask(&["alerts", "resolve", id, "--note", "known"])), 0);
    assert!(text(&up.ask(&["alerts", "show", id]).stdout).contains("known"));
    assert_eq!(code(&up.ask(&["explain", "no-such-id"])), 3);
}

/// One request by hand: what senders do is not the command line's business.
fn post(up: &Up, path: &str, body: &str) {
    let host = up.url.strip_prefix("http://").expect("http");
    let mut stream = std::net::TcpStream::connect(host).expect("listening");
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        up.key(),
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
}

#[test]
fn exit_codes_tell_usage_from_an_absent_server() {
    assert_eq!(code(&run(&["alerts", "--no-such-thing"])), 2);
    assert_eq!(code(&run(&["--help"])), 0);
    assert_eq!(code(&run(&["alerts", "--url", "gopher://x"])), 2);
    let absent = run(&["alerts", "--url", "http://127.0.0.1:9", "--key", "os_x"]);
    assert_eq!(code(&absent), 3);
    assert!(text(&absent.stderr).contains("onesec up"), "{}", text(&absent.stderr));
    assert_eq!(code(&run(&["schemas", "token_exchange"])), 0);
    let wrong = run(&["schemas", "token_exchnage"]);
    assert_eq!(code(&wrong), 2);
    assert!(text(&wrong.stderr).contains("did you mean `token_exchange`?"), "{}", text(&wrong.stderr));
    assert_eq!(code(&run(&["journal", "verify", "--data-dir", "/no/such/directory"])), 3);
    assert_eq!(code(&run(&["completions", "bash"])), 0);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = onesec(&["schemas", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""));
}

#[test]
fn replay_prints_the_same_bytes_twice() {
    let dir = tempfile::tempdir().expect("directory");
    let file = dir.path().join("events.ndjson");
    let mut lines = std::fs::File::create(&file).expect("file");
    for n in 0..200 {
        let agent = n % 7;
        let user = if n % 11 == 0 { "eve" } else { "ana" };
        let time = 1_767_225_600 + (n * 37) % 600;
        let event = serde_json::json!({"id": format!("e{n}"), "type": "token_exchange", "timestamp": time,
            "details": {"agent_id": format!("bot-{agent}"), "user_id": user,
                "connection": "github", "scopes": "repo:status"}});
        writeln!(lines, "{event}").expect("written");
    }
    drop(lines);
    let replay = |json: bool| replay(&file, json);
    let (first, second) = (replay(true), replay(true));
    assert!(!first.is_empty() && first.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert_eq!(first, second);
    assert!(replay(false).contains("unauthorized-agent"));
}

fn replay(file: &Path, json: bool) -> String {
    let file = file.to_str().expect("UTF-8");
    let mut args = vec!["replay", "--events", file];
    if json {
        args.push("--json");
    }
    let output = run(&args);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    text(&output.stdout)
}

/// With TLS the address says so, and the command line trusts the authority that it is given, and no other.
#[test]
fn a_server_with_tls_is_reached_by_those_who_trust_its_certificate() {
    let dir = tempfile::tempdir().expect("directory");
    let files = tempfile::tempdir().expect("directory");
    let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("certificate");
    std::fs::write(&cert, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let up = Up::start_in(dir, &[("ONESEC_SERVER_TLS_CERT", &cert), ("ONESEC_SERVER_TLS_KEY", &key)]);
    assert!(up.url.starts_with("https://127.0.0.1:"), "{}", up.url);

    let ca = cert.to_str().expect("text");
    let trusted = up.ask(&["status", "--json", "--ca", ca]);
    assert_eq!(code(&trusted), 0, "{}", text(&trusted.stderr));
    let stranger = up.ask(&["status"]);
    let told = text(&stranger.stderr);
    assert!(code(&stranger) != 0 && told.contains("--ca") && !told.contains(&up.key()), "{told}");
    let none = up.ask(&["status", "--ca", key.to_str().expect("text")]);
    assert!(text(&none.stderr).contains("has no certificate"), "{}", text(&none.stderr));
    let clear = up.url.replace("https:", "http:");
    let clear = onesec(&["status", "--url", &clear]).env("ONESEC_API_KEY", up.key()).output().expect("the binary runs");
    assert!(code(&clear) != 0, "{}", text(&clear.stdout));
    up.stop();
}

#[test]
fn replay_says_what_policies_would_have_done_and_how_two_differ() {
    let dir = tempfile::tempdir().expect("directory");
    let path = |name: &str, content: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let exchange = serde_json::json!({"type": "token_exchange", "timestamp": "2026-01-01T00:00:00Z",
        "details": {"agent_id": "stranger", "user_id": "ana", "connection": "github", "scopes": "repo:status"}});
    let events = path("events.ndjson", &exchange.to_string());
    let policy = |name: &str, action: &str| {
        let policy = format!("{{name: stop, match: {{detectors: unauthorized-agent}}, actions: [{action}]}}");
        path(name, &format!("enforcement: {{policies: [{policy}]}}"))
    };
    let (one, other) = (policy("one.yaml", "{suspend_agent: {for: 1h}}"), policy("other.yaml", "log"));
    let tried = run(&["replay", "--events", &events, "--policy", &one]);
    let told = text(&tried.stdout);
    assert_eq!(code(&tried), 0, "{told}{}", text(&tried.stderr));
    assert!(told.contains("1 of 1 requests would not have passed"), "{told}");
    assert!(told.contains("1 × suspend_agent on agent stranger: done (stop)"), "{told}");
    let same = run(&["replay", "--events", &events, "--policy", &one, "--against", &one]);
    assert_eq!((code(&same), text(&same.stdout).trim()), (0, "both would have done the same"));
    let differ = run(&["replay", "--events", &events, "--policy", &one, "--against", &other]);
    let told = text(&differ.stdout);
    assert_eq!(code(&differ), 1, "{told}");
    assert!(told.contains("- suspend_agent on agent stranger") && told.contains("+ log on -"), "{told}");
    let wrong = policy("wrong.yaml", "susspend_agent");
    let wrong = run(&["replay", "--events", &events, "--policy", &wrong]);
    assert_eq!(code(&wrong), 2);
    assert!(text(&wrong.stderr).contains("did you mean `suspend_agent`?"), "{}", text(&wrong.stderr));
}

#[test]
fn nobody_goes_live_by_a_flag_alone_and_what_is_contained_is_seen_to_be() {
    let up = Up::start();
    let alone = up.ask(&["enforce", "--mode", "live"]);
    let told = text(&alone.stderr);
    assert_eq!(code(&alone), 3, "{told}");
    let digest = told.split("--confirm ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a digest");
    let mode = || {
        let shown: serde_json::Value = serde_json::from_slice(&up.ask(&["enforce", "--json"]).stdout).expect("JSON");
        shown["mode"].as_str().expect("a mode").to_owned()
    };
    assert_eq!(code(&up.ask(&["enforce", "--mode", "live", "--confirm", "0"])), 3);
    assert_eq!(mode(), "dry_run");
    assert_eq!(code(&up.ask(&["enforce", "--mode", "live", "--confirm", digest])), 0);
    assert_eq!(mode(), "live");

    let add = ["delegations", "add", "--user", "auth0|ana", "--agent", "bot-7", "--connection", "github"];
    assert_eq!(code(&up.ask(&add)), 0);
    let can = ["can", "bot-7", "auth0|ana", "github"];
    assert_eq!(code(&up.ask(&can)), 0);
    let contained = up.ask(&["contain", "bot-7"]);
    assert_eq!(code(&contained), 0, "{}", text(&contained.stdout));
    assert_eq!(code(&up.ask(&can)), 1);
    assert_eq!(code(&up.ask(&["contain", "bot-7", "--undo"])), 0);
    assert_eq!(code(&up.ask(&can)), 0);
    let user = up.ask(&["contain", "--user", "auth0|ana"]);
    assert_eq!(code(&user), 0, "{}", text(&user.stdout));
    assert_eq!(code(&up.ask(&can)), 1, "{}", text(&user.stdout));
    assert_eq!(code(&up.ask(&["contain", "--all"])), 0);
}
