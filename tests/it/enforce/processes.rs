//! Processes: which may be ended, and `onesec run`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use onesec_e2e::world::ANA;
use onesec_e2e::{Http, World, eventually};
use serde_json::{Value, json};

use super::{Victim, lines, live, on_strays, receipt, strays};

fn killing() -> Value {
    on_strays(&json!([{"kill_process": {"grace": "2s"}}]))
}

fn register(by: &mut Http, agent: &str, process: &Value) -> u16 {
    by.post(&format!("/api/v1/agents/{agent}/processes"), process).status
}

#[test]
fn only_what_was_recognised_is_registered_and_only_by_those_who_may() {
    let world = live(None, &killing()).start();
    let mut process = Victim::start("sleep 300");
    let good = process.described();
    let mut wrong = good.clone();
    wrong["start_ticks"] = json!(good["start_ticks"].as_u64().expect("a number") + 1);
    assert_eq!(register(&mut world.admin(), "mallory", &wrong), 422, "its number, and another's start");
    assert_eq!(register(&mut world.admin(), "mallory", &json!({"pid": 4_194_304, "start_ticks": 1})), 422);
    assert_eq!(register(&mut world.admin(), "mallory", &json!({"pid": 0, "start_ticks": 0})), 422);
    for scopes in [&["exchange", "events:write"][..], &["events:trust"], &["read", "respond"]] {
        assert_eq!(register(&mut world.bound("mallory", scopes), "mallory", &good), 403, "{scopes:?}");
    }
    // Telemetry is no register.
    let details = json!({"agent_id": "mallory", "action": "start", "pid": process.id(), "process_id": process.id()});
    assert_eq!(
        world.authority().post("/api/v1/events", &json!({"type": "agent_action", "details": details})).status,
        202
    );
    strays(&world, "mallory", ANA);
    let none = receipt(&world, "kill_process");
    assert_eq!(none["status"], "failed", "{none}");
    assert!(none["reason"].as_str().is_some_and(|why| why.contains("no process")), "{none}");
    assert!(process.is_alive());
}

/// The first process of all, our own, and the one that we live by.
#[test]
fn the_wrong_processes_are_left_alone() {
    let world = live(None, &killing()).start();
    for pid in [1, world.process.id(), std::process::id()] {
        let described = json!({"pid": pid, "start_ticks": super::start_ticks(pid).expect("it runs")});
        assert_eq!(register(&mut world.admin(), "mallory", &described), 422, "{pid}");
    }
    let mut process = Victim::start("sleep 300");
    process.belongs_to(&world, "mallory");
    strays(&world, "mallory", ANA);
    assert_eq!(receipt(&world, "kill_process")["status"], "verified");
    assert!(!process.is_alive());
    assert_eq!(world.admin().get("/healthz").status, 200);
}

#[test]
fn an_agent_of_the_same_name_elsewhere_is_another() {
    let world = live(None, &killing()).with("tenants", json!({"other": {}})).start();
    let key = json!({"name": "o", "scopes": ["admin"], "tenant": "other", "owner": "olga"});
    let mut elsewhere = Http::new(world.process.url(), Some(&world.key(&key)));
    let (mut theirs, mut ours) = (Victim::start("sleep 300"), Victim::start("sleep 300"));
    let path = "/api/v1/agents/mallory/processes?tenant=other";
    assert_eq!(world.admin().post(path, &theirs.described()).status, 201);
    // Who administers one tenant could otherwise have another's processes ended.
    assert_eq!(register(&mut elsewhere, "mallory", &ours.described()), 403);
    ours.belongs_to(&world, "mallory");
    let listed = |http: &mut Http| http.get("/api/v1/agents/mallory/processes").json()["processes"].clone();
    assert_eq!(listed(&mut elsewhere)[0]["pid"], theirs.id());
    assert_eq!(listed(&mut world.admin())[0]["pid"], ours.id());
    strays(&world, "mallory", ANA);
    assert_eq!(receipt(&world, "kill_process")["status"], "verified");
    assert!(theirs.is_alive() && !ours.is_alive());
    assert_eq!(elsewhere.get("/api/v1/responses").json()["responses"], json!([]));
}

/// `onesec run`, as an operator starts it.
fn run(world: &World, more: &[&str], script: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onesec-under-test"));
    command.args(["run", "--agent", "bot"]).args(more).args(["--", "sh", "-c", script]);
    command.env("ONESEC_URL", world.process.url()).env("ONESEC_API_KEY", world.process.admin_key());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn processes(world: &World) -> Vec<Value> {
    world.listed("/api/v1/agents/bot/processes", "processes")
}

/// What remains of the program once it has ended: nothing.
#[track_caller]
fn nothing_left(world: &World) {
    assert_eq!(processes(world), [] as [Value; 0]);
    let keys = world.listed("/api/v1/keys?limit=1000", "keys");
    let own = |key: &&Value| key["name"].as_str().is_some_and(|name| name.starts_with("run-"));
    let working: Vec<&Value> =
        keys.iter().filter(own).filter(|key| key["revoked_at"].is_null() && key["state"] != "revoked").collect();
    assert!(working.is_empty(), "{working:#?}");
}

fn told(file: &Path) -> Vec<String> {
    eventually("the program has begun", || Some(lines(file)).filter(|lines| !lines.is_empty()))
}

fn signal(child: &Child, name: &str) {
    drop(Command::new("sh").args(["-c", &format!("kill -s {name} {}", child.id())]).status());
}

#[test]
fn exit_codes_and_signals_pass() {
    let world = live(None, &killing()).start();
    let ended = |script: &str| -> Output { run(&world, &[], script).output().expect("it runs") };
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)] {
        let output = ended(script);
        assert_eq!(output.status.code(), Some(code), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        nothing_left(&world);
    }
    let own = String::from_utf8(ended("echo $ONESEC_AGENT $ONESEC_URL $ONESEC_API_KEY").stdout).expect("text");
    let own: Vec<&str> = own.split_whitespace().collect();
    assert_eq!((own[0], own[1]), ("bot", world.process.url()));
    assert_ne!(own[2], world.process.admin_key(), "our own key is not the program's");
    assert_eq!(Http::new(world.process.url(), Some(own[2])).get("/api/v1/alerts").status, 401, "it was taken back");
    let dir = tempfile::tempdir().expect("directory");
    let file = dir.path().join("began");
    let script = format!("trap 'exit 42' TERM; echo began > {}; while :; do sleep 0.1; done", file.display());
    let child = run(&world, &[], &script).spawn().expect("it runs");
    told(&file);
    signal(&child, "TERM");
    assert_eq!(child.wait_with_output().expect("it ends").status.code(), Some(42), "the signal is the program's");
    nothing_left(&world);
}

#[test]
fn a_program_is_known_while_it_lives_and_ended_with_its_children() {
    let world = live(None, &killing()).start();
    let dir = tempfile::tempdir().expect("directory");
    let (file, key_file) = (dir.path().join("children"), dir.path().join("key"));
    let script = format!("sleep 301 & sleep 302 & echo $$ $! > {}; wait", file.display());
    let key_path = key_file.to_str().expect("a path").to_owned();
    let child = run(&world, &["--key-file", &key_path], &script).spawn().expect("it runs");
    let pids: Vec<u32> = told(&file)[0].split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    let known = eventually("it is registered", || Some(processes(&world)).filter(|known| !known.is_empty()));
    assert_eq!(known[0]["pid"], pids[0]);
    let key = std::fs::read_to_string(&key_file).expect("its key");
    let mut own = Http::new(world.process.url(), Some(key.trim()));
    let goal = json!({"type": "agent_goal", "details": {"goal": "tidy up"}});
    assert_eq!(own.post("/api/v1/events", &goal).status, 202, "its key works");
    assert_eq!(own.get("/api/v1/alerts").status, 403, "for what an agent does, and nothing else");
    // What it does with that key ends it.
    assert_eq!(own.post("/api/v1/events", &super::exchanged("bot", ANA)).status, 202);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(143), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(receipt(&world, "kill_process")["status"], "verified");
    // What has ended and waits for its parent's word has ended.
    let alive = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    };
    assert!(!pids.iter().any(alive), "its children, too");
    assert!(!key_file.exists());
    assert_eq!(own.post("/api/v1/events", &goal).status, 401, "and its key is taken back");
    nothing_left(&world);
}

#[test]
fn what_cannot_run_leaves_nothing_behind() {
    let world = live(None, &killing()).start();
    let mut command = Command::new(env!("CARGO_BIN_EXE_onesec-under-test"));
    command.args(["run", "--agent", "bot", "--", "/nowhere/to/be/found"]);
    command.env("ONESEC_URL", world.process.url()).env("ONESEC_API_KEY", world.process.admin_key());
    let output = command.output().expect("it ends");
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    nothing_left(&world);
    // Who may not register may not run.
    let mut command = run(&world, &[], "echo ran; sleep 300");
    command.env("ONESEC_API_KEY", world.key(&json!({"name": "r", "scopes": ["read", "respond"]})));
    let output = command.output().expect("it ends");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0));
    std::io::stderr().flush().expect("flushed");
}

/// The very first thing that it does is to ask whether it is known.
#[test]
fn a_program_is_known_before_its_first_instruction() {
    let world = live(None, &killing()).start();
    let address = world.process.url().trim_start_matches("http://").replace(':', "/");
    let ask = format!(
        "exec 3<>/dev/tcp/{address}; printf 'GET /api/v1/agents/bot/processes HTTP/1.1\\r\\nHost: {}\\r\\n\
         Authorization: Bearer %s\\r\\nConnection: close\\r\\n\\r\\n' \"$ASK\" >&3; cat <&3; echo; echo pid=$$",
        world.process.url().trim_start_matches("http://")
    );
    for _ in 0..5 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onesec-under-test"));
        command.args(["run", "--agent", "bot", "--", "bash", "-c", &ask]);
        command.env("ONESEC_URL", world.process.url()).env("ONESEC_API_KEY", world.process.admin_key());
        let output = command.env("ASK", world.process.admin_key()).output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let pid = said.lines().find_map(|line| line.strip_prefix("pid=")).unwrap_or_else(|| panic!("{said}"));
        assert!(said.contains(&format!("\"pid\":{pid},")), "{said} {}", String::from_utf8_lossy(&output.stderr));
    }
    nothing_left(&world);
}

/// `kill -9`: nobody is left to take anything back.
#[test]
fn whoever_kills_onesec_run_leaves_neither_a_process_nor_a_key_that_works() {
    let world = live(None, &killing()).start();
    let dir = tempfile::tempdir().expect("directory");
    let (file, key_file) = (dir.path().join("children"), dir.path().join("key"));
    let script = format!("trap '' TERM HUP; sleep 301 & sleep 302 & echo $$ $! > {}; wait", file.display());
    let path = key_file.to_str().expect("a path").to_owned();
    let mut child = run(&world, &["--key-file", &path, "--key-lifetime", "3s"], &script).spawn().expect("it runs");
    let pids: Vec<u32> = told(&file)[0].split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    let key = std::fs::read_to_string(&key_file).expect("its key");
    let mut own = Http::new(world.process.url(), Some(key.trim()));
    let goal = json!({"type": "agent_goal", "details": {"goal": "tidy up"}});
    // While it lives the key is renewed.
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(own.post("/api/v1/events", &goal).status, 202);
    signal(&child, "KILL");
    drop(child.wait());
    let begun = std::time::Instant::now();
    eventually("all of it is gone", || {
        let alive = |pid: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
        };
        (!pids.iter().any(alive)).then_some(())
    });
    eventually("its key works no more", || (own.post("/api/v1/events", &goal).status == 401).then_some(()));
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// Only keys that end have an end to be moved, by those who may, and none comes back that way.
#[test]
fn a_key_is_renewed_and_not_revived() {
    let world = live(None, &killing()).start();
    let mut admin = world.admin();
    let made = |more: Value| {
        let mut wanted = json!({"name": "k", "scopes": ["read"]});
        wanted.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        world.admin().post("/api/v1/keys", &wanted).json()
    };
    let lasting = made(json!({}));
    let ending = made(json!({"expires_at": "2100-01-01T00:00:00Z"}));
    let path = |key: &Value| format!("/api/v1/keys/{}", key["id"].as_str().expect("an id"));
    let later = json!({"expires_at": "2101-01-01T00:00:00Z"});
    assert_eq!(admin.call("PATCH", &path(&lasting), &later).status, 409);
    assert_eq!(admin.call("PATCH", &path(&ending), &json!({"expires_at": "2001-01-01T00:00:00Z"})).status, 422);
    assert_eq!(world.client(&["respond", "events:trust"]).call("PATCH", &path(&ending), &later).status, 403);
    let renewed = admin.call("PATCH", &path(&ending), &later);
    let until = renewed.json()["expires_at"].as_str().unwrap_or_default().to_owned();
    assert!(renewed.status == 200 && until.starts_with("2101"), "{}", renewed.text());
    assert_eq!(admin.call("DELETE", &path(&ending), &json!({})).status, 200);
    assert_eq!(admin.call("PATCH", &path(&ending), &later).status, 404);
}

/// Tells the part that it is where it belongs.
const IN_NAMESPACE: &str = "ONESEC_TEST_IN_NAMESPACE";

/// In a namespace of its own a number can be given to somebody else at will; that needs root.
#[test]
fn whoever_has_the_number_next_is_left_alone() {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(std::env::current_exe().expect("ourselves"));
    command.args(["--exact", "enforce::processes::in_a_namespace_of_its_own", "--ignored", "--nocapture"]);
    command.env(IN_NAMESPACE, "1");
    let possible = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", "sh", "-c", "echo 100 > /proc/sys/kernel/ns_last_pid"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !possible {
        eprintln!("not tried: numbers of processes cannot be chosen here");
        return;
    }
    let output = command.output().expect("it runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "a part of another test, in a namespace of its own"]
fn in_a_namespace_of_its_own() {
    if std::env::var_os(IN_NAMESPACE).is_none() {
        eprintln!("not tried: `whoever_has_the_number_next_is_left_alone` runs this");
        return;
    }
    assert_eq!(std::process::id(), 1, "the first process of its namespace");
    let world = live(None, &killing()).start();
    // Nobody takes in what its children leave here.
    let first = Victim::start("exec sleep 300");
    let number = first.id();
    first.belongs_to(&world, "mallory");
    drop(first);
    std::thread::sleep(std::time::Duration::from_millis(50));
    // Threads take numbers, too: until the one that is wanted comes out.
    let mut second = (0..2_000)
        .find_map(|_| {
            std::fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string()).expect("chosen");
            Some(Victim::start("exec sleep 300")).filter(|process| process.id() == number)
        })
        .expect("the same number again");
    let known = world.listed("/api/v1/agents/mallory/processes", "processes");
    assert_eq!(known[0]["pid"], second.id(), "it is the number that is registered");
    strays(&world, "mallory", ANA);
    let receipt = receipt(&world, "kill_process");
    assert_eq!(receipt["status"], "skipped", "{receipt}");
    assert!(second.is_alive(), "and another process");
}
