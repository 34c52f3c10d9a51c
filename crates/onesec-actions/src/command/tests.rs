//! Real programs: obedient ones, loud ones, deaf ones, and those with offspring.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::time::Instant;

use super::*;
use crate::testing::job;

/// A directory of one test, gone at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("onesec-command-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("a directory");
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("text").to_owned()
    }

    fn file(&self, name: &str, mode: u32) -> String {
        let path = self.path(name);
        fs::write(&path, "#!/bin/sh\nexit 0\n").expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("ours");
        path
    }

    async fn read(&self, name: &str) -> String {
        for _ in 0..200 {
            if let Ok(text) = fs::read_to_string(self.path(name))
                && text.ends_with('\n')
            {
                return text;
            }
            sleep(STEP).await;
        }
        panic!("{name} was never written")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn spec(argv: &[&str], millis: u64) -> ActionSpec {
    let argv = argv.iter().map(|&word| word.to_owned()).collect();
    ActionSpec::Command { argv, timeout: Duration::from_millis(millis) }
}

async fn sh(script: &str, millis: u64) -> Outcome {
    RunCommand.run(&job(spec(&["/bin/sh", "-c", script], millis))).await
}

fn succeeded() -> Outcome {
    Outcome::Succeeded { how: "exited with 0".to_owned() }
}

fn failed(why: &str) -> Outcome {
    Outcome::Failed { why: why.to_owned() }
}

/// Whether a process lives; a zombie does not.
fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[tokio::test]
async fn how_it_ends_is_what_came_of_it() {
    for (script, expected) in [
        ("exit 0", succeeded()),
        ("exit 3", failed("exited with 3")),
        ("kill -9 $$", failed("ended by signal 9")),
        ("echo SECRET >&2; exit 1", failed("exited with 1")),
        ("exec 0<&- 1>&- 2>&-; sleep 0.2", succeeded()),
    ] {
        assert_eq!(sh(script, 5_000).await, expected, "{script}");
    }
}

#[tokio::test]
async fn it_gets_the_alert_and_nothing_of_ours() {
    let scratch = Scratch::new("gets");
    let group = format!("read -r _ _ _ _ group _ < /proc/$$/stat; echo $$ $group > {}", scratch.path("group"));
    let [stdin, pwd, env] = ["stdin", "pwd", "env"].map(|name| scratch.path(name));
    let script = format!("cat > {stdin}; pwd > {pwd}; env > {env}; {group}");
    assert_eq!(sh(&script, 5_000).await, succeeded());
    let stdin = scratch.read("stdin").await;
    assert_eq!(stdin.lines().count(), 1);
    let alert: onesec_telemetry::Alert = serde_json::from_str(&stdin).expect("the alert");
    assert_eq!(alert, crate::testing::alert());
    assert_eq!(scratch.read("pwd").await, "/\n");
    let group = scratch.read("group").await;
    let (own, leader) = group.trim().split_once(' ').expect("two");
    assert_eq!(own, leader, "a group of its own");
    let text = scratch.read("env").await;
    // The shell adds `PWD`, `_` and the like by itself.
    let mut names: Vec<_> = text.lines().filter(|line| !line.starts_with(['_']) && !line.starts_with("PWD=")).collect();
    names.retain(|line| !line.starts_with("SHLVL=") && !line.starts_with("OLDPWD="));
    names.sort_unstable();
    assert_eq!(names, ["ONESEC_ACTION_ID=act-1", "ONESEC_ALERT_ID=a1b2c3", "PATH=/usr/bin:/bin"]);
}

#[tokio::test]
async fn arguments_are_words_and_no_shell_reads_them() {
    let scratch = Scratch::new("words");
    let (canary, words) = (scratch.path("canary"), format!("$(touch {0}); touch {0}", scratch.path("canary")));
    let outcome = RunCommand.run(&job(spec(&["/usr/bin/test", &words, "!=", "x"], 5_000))).await;
    assert_eq!(outcome, succeeded());
    assert!(!Path::new(&canary).exists());
}

#[tokio::test]
async fn a_time_limit_ends_the_whole_group() {
    let scratch = Scratch::new("limit");
    let script = format!(
        "trap '' TERM; (trap '' TERM; sleep 61) & echo $! > {}; echo $$ > {}; while :; do sleep 0.1; done",
        scratch.path("child"),
        scratch.path("self")
    );
    let begun = Instant::now();
    assert_eq!(sh(&script, 500).await, failed("ran longer than 0.5 s and was ended"));
    assert!(begun.elapsed() < Duration::from_secs(3));
    for name in ["child", "self"] {
        let pid = scratch.read(name).await;
        sleep(Duration::from_millis(50)).await;
        assert!(!is_alive(&pid), "{name} lives");
    }
}

#[tokio::test]
async fn one_that_is_no_listener_or_a_talker_hangs_nobody() {
    let mut long = job(spec(&["/bin/sh", "-c", "exec 0<&-; sleep 0.2"], 5_000));
    long.alert.description = "x".repeat(4 << 20);
    assert_eq!(RunCommand.run(&long).await, succeeded(), "it closes its input");
    long.spec = spec(&["/bin/sh", "-c", "sleep 0.2"], 5_000);
    assert_eq!(RunCommand.run(&long).await, succeeded(), "it never reads its input");
    assert_eq!(
        sh("head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2", 20_000).await,
        succeeded(),
        "it floods"
    );
    assert_eq!(sh("yes", 300).await, failed("ran longer than 0.3 s and was ended"), "it floods for ever");
}

#[tokio::test]
async fn offspring_that_holds_the_pipes_delays_nothing() {
    let scratch = Scratch::new("offspring");
    let begun = Instant::now();
    let script = format!("sleep 62 & echo $! > {}; exit 0", scratch.path("child"));
    assert_eq!(sh(&script, 20_000).await, succeeded());
    assert!(begun.elapsed() < Duration::from_secs(5));
    let pid = scratch.read("child").await;
    sleep(Duration::from_millis(50)).await;
    assert!(!is_alive(&pid), "what stays behind in the group is ended");

    // One that left the group lives on, and holds the pipes in vain.
    let script = format!("setsid sh -c 'echo $$ > {}; exec sleep 3' & exit 0", scratch.path("away"));
    let begun = Instant::now();
    assert_eq!(sh(&script, 20_000).await, succeeded());
    assert!(begun.elapsed() < Duration::from_millis(2_500));
}

#[tokio::test]
async fn one_that_nobody_waits_for_is_ended() {
    let scratch = Scratch::new("dropped");
    let script = format!("echo $$ > {0}; sleep 63 & echo $! > {1}; wait", scratch.path("self"), scratch.path("child"));
    let job = job(spec(&["/bin/sh", "-c", &script], 60_000));
    let pids = async { (scratch.read("self").await, scratch.read("child").await) };
    let (one, other) = tokio::select! {
        outcome = RunCommand.run(&job) => panic!("{outcome:?}"),
        pids = pids => pids,
    };
    sleep(Duration::from_millis(100)).await;
    assert!(!is_alive(&one) && !is_alive(&other));
}

#[tokio::test]
async fn programs_are_checked_when_policies_are_loaded_and_when_they_run() {
    let scratch = Scratch::new("checked");
    let open = scratch.path("open");
    fs::create_dir(&open).expect("a directory");
    let in_open = scratch.file("open/program", 0o755);
    fs::set_permissions(&open, Permissions::from_mode(0o777)).expect("ours");
    let (plain, loose) = (scratch.file("plain", 0o644), scratch.file("loose", 0o757));
    let (link, absent) = (scratch.path("link"), scratch.path("absent"));
    symlink(&loose, &link).expect("a link");
    let directory = scratch.path("");
    for (program, why) in [
        (&"/bin/true".to_owned(), None),
        (&plain, Some("cannot be executed by this user")),
        (&loose, Some("can be changed by everybody")),
        (&link, Some("can be changed by everybody")),
        (&in_open, Some("can be replaced by everybody")),
        (&absent, Some("cannot be found")),
        (&directory, Some("is no file")),
        (&"sh".to_owned(), Some("is not absolute")),
        (&"../bin/sh".to_owned(), Some("is not absolute")),
    ] {
        let spec = spec(&[program], 5_000);
        let checked = RunCommand.check(&spec);
        let ran = RunCommand.run(&job(spec)).await;
        let Some(why) = why else {
            assert_eq!((checked, ran), (Ok(()), succeeded()), "{program}");
            continue;
        };
        let said = checked.expect_err(program);
        assert!(said.contains(why), "{program}: {said}");
        assert_eq!(ran, failed(&said), "{program}");
    }
    assert_eq!(RunCommand.check(&spec(&[], 1)), Err("there is no program".to_owned()));
    assert_eq!(RunCommand.check(&ActionSpec::Log), Err("this is no command".to_owned()));
    assert_eq!(RunCommand.interrupted(), Interrupted::Never);
}

#[tokio::test]
async fn what_cannot_be_started_says_so_without_its_arguments() {
    let scratch = Scratch::new("start");
    let bad = scratch.path("bad");
    fs::write(&bad, "#!/no/such/interpreter\n").expect("a file");
    fs::set_permissions(&bad, Permissions::from_mode(0o755)).expect("ours");
    for argv in [[bad.as_str(), "SECRET"], ["/bin/sh", "SECRET\0"]] {
        let outcome = RunCommand.run(&job(spec(&argv, 5_000))).await;
        let Outcome::Failed { why } = outcome else { panic!("{outcome:?}") };
        assert!(why.starts_with("cannot be started") && !why.contains("SECRET"), "{why}");
    }
}
