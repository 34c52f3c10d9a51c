//! Real processes: ours, obstinate ones, families, and strangers that must live on.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use super::*;
use crate::testing::job;

struct Known(Vec<Process>);

impl Processes for Known {
    fn of(&self, _: &onesec_telemetry::TenantId, agent: &AgentId) -> Vec<Process> {
        assert_eq!(agent.as_str(), "bot-7");
        self.0.clone()
    }
}

/// A child that is killed at the end of a test, whatever happened, with its group where it leads one.
struct Tame(Child);

impl Tame {
    /// `script` as the leader of its own group; it has begun once it says so.
    fn leader(script: &str) -> Self {
        Self::start(Command::new("/bin/sh").args(["-c", script]).process_group(0))
    }

    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a child");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        io::BufRead::read_line(&mut io::BufReader::new(out), &mut line).expect("it says that it has begun");
        Self(child)
    }

    fn process(&self) -> Process {
        identify(self.0.id()).expect("alive")
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().expect("ours").is_none()
    }
}

impl Drop for Tame {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

async fn kill(known: Vec<Process>, grace_millis: u64) -> Outcome {
    let spec = ActionSpec::KillProcess { grace: Duration::from_millis(grace_millis) };
    KillProcess::new(Known(known)).run(&job(spec)).await
}

fn verified(how: &str) -> Outcome {
    Outcome::Verified { how: how.to_owned(), undo_until: None }
}

fn failed(why: &str) -> Outcome {
    Outcome::Failed { why: why.to_owned() }
}

fn gone() -> Outcome {
    Outcome::Unneeded { why: "its processes had ended already".to_owned() }
}

#[tokio::test]
async fn one_that_listens_ends_by_itself() {
    let mut child = Tame::leader("echo; exec sleep 60");
    assert_eq!(kill(vec![child.process()], 5_000).await, verified("1 ended, 0 of them by force"));
    assert!(!child.is_alive());
}

#[tokio::test]
async fn one_that_does_not_is_forced() {
    let mut child = Tame::leader("trap '' TERM; echo; while :; do sleep 0.05; done");
    let outcome = kill(vec![child.process()], 300).await;
    let Outcome::Verified { how, .. } = &outcome else { panic!("{outcome:?}") };
    assert!(!how.contains(" 0 of them"), "{how}");
    assert!(!child.is_alive());
}

#[tokio::test]
async fn a_group_ends_with_its_leader() {
    // A grandchild that ignores TERM, while its leader does not.
    let script = "(trap '' TERM; echo; while :; do sleep 0.05; done) & exec sleep 60";
    let mut child = Tame::leader(script);
    let leader = child.process();
    let stat = Stat::of(leader.pid).expect("proc").expect("alive");
    assert!(members(&stat).expect("proc").len() >= 2, "a family");
    let outcome = kill(vec![leader], 200).await;
    assert!(matches!(outcome, Outcome::Verified { .. }), "{outcome:?}");
    assert!(!child.is_alive());
    assert_eq!(members(&stat).expect("proc"), [], "nobody of the group is left");
}

#[tokio::test]
async fn a_whole_group_is_asked_before_it_is_forced() {
    let child = Tame::leader("sleep 60 & echo; exec sleep 60");
    assert_eq!(kill(vec![child.process()], 5_000).await, verified("2 ended, 0 of them by force"));
}

#[tokio::test]
async fn a_family_that_never_stops_growing_ends() {
    let script = "trap '' TERM; echo; while :; do (trap '' TERM; sleep 1 & sleep 1) & sleep 0.01; done";
    let mut child = Tame::leader(script);
    let leader = child.process();
    let stat = Stat::of(leader.pid).expect("proc").expect("alive");
    let outcome = kill(vec![leader], 300).await;
    assert!(matches!(outcome, Outcome::Verified { .. }), "{outcome:?}");
    assert!(!child.is_alive());
    assert_eq!(members(&stat).expect("proc"), [], "nobody of the group is left");
}

#[tokio::test]
async fn one_in_a_group_that_it_does_not_lead_ends_alone() {
    let mut leader = Tame::leader("echo; exec sleep 60");
    let group = i32::try_from(leader.0.id()).expect("a number");
    let mut member = Tame::start(Command::new("/bin/sh").args(["-c", "echo; exec sleep 60"]).process_group(group));
    assert_eq!(kill(vec![member.process()], 5_000).await, verified("1 ended, 0 of them by force"));
    assert!(!member.is_alive() && leader.is_alive());
}

#[tokio::test]
async fn strangers_live_on() {
    let mut stranger = Tame::leader("echo; exec sleep 60");
    let process = stranger.process();
    // Its number was another's: of another time, or of another boot.
    let earlier = Process { start_ticks: process.start_ticks - 1, ..process.clone() };
    let boot = Process { boot_id: "00000000-0000-0000-0000-000000000000".to_owned(), ..process.clone() };
    for other in [earlier, boot] {
        assert_eq!(kill(vec![other.clone()], 100).await, gone(), "{other:?}");
        assert!(stranger.is_alive(), "{other:?}");
    }
    assert!(Held::open(process.pid, process.start_ticks - 1).expect("ours").is_none(), "nothing to hold");
    let mut child = Tame::leader("echo; exec sleep 60");
    assert_eq!(kill(vec![child.process()], 5_000).await, verified("1 ended, 0 of them by force"));
    assert!(!child.is_alive() && stranger.is_alive());
}

#[tokio::test]
async fn what_has_ended_needs_nothing() {
    let mut child = Tame::leader("echo; exec sleep 60");
    let process = child.process();
    child.0.kill().expect("ours");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(kill(vec![process.clone()], 100).await, gone(), "a zombie");
    child.0.wait().expect("ours");
    assert_eq!(kill(vec![process], 100).await, gone(), "not even that");
}

#[tokio::test]
async fn one_that_ends_its_first_thread_only_is_not_taken_for_dead() {
    let script = "import ctypes, threading, time\n\
                  threading.Thread(target=lambda: (time.sleep(0.2), time.sleep(66))).start()\n\
                  print(flush=True)\n\
                  ctypes.CDLL(None).syscall(60, 0)\n";
    if std::env::consts::ARCH != "x86_64" || !std::path::Path::new("/usr/bin/python3").exists() {
        return eprintln!("skipped: no program that ends its first thread only");
    }
    let mut child = Tame::start(Command::new("/usr/bin/python3").args(["-c", script]).process_group(0));
    let pid = child.0.id();
    let looks_dead = || Stat::of(pid).expect("proc").expect("ours").state == 'Z';
    for _ in 0..100 {
        if looks_dead() {
            break;
        }
        sleep(STEP).await;
    }
    assert!(looks_dead() && child.is_alive());
    let outcome = kill(vec![child.process()], 200).await;
    assert!(matches!(outcome, Outcome::Verified { .. }), "{outcome:?}");
    assert!(!child.is_alive());
}

#[tokio::test]
async fn one_that_is_spared_protects_none_of_the_others() {
    let mut child = Tame::leader("echo; exec sleep 60");
    let known = vec![identify(1).expect("the first"), child.process()];
    assert_eq!(kill(known, 5_000).await, failed("process 1 is onesec itself, or one that it lives by"));
    assert!(!child.is_alive());
}

#[tokio::test]
async fn onesec_does_not_end_itself() {
    let me = identify(std::process::id()).expect("ourselves");
    let parent = identify(std::os::unix::process::parent_id()).expect("our parent");
    let first = identify(1).expect("the first");
    let nobody = Process { pid: 0, ..me.clone() };
    for process in [me, parent, first, nobody] {
        let pid = process.pid;
        let why = format!("process {pid} is onesec itself, or one that it lives by");
        assert_eq!(kill(vec![process], 0).await, failed(&why), "{pid}");
    }
    let mut sibling = Tame::start(Command::new("/bin/sh").args(["-c", "echo; exec sleep 60"]));
    let why = format!("process {} is onesec itself, or one that it lives by", sibling.0.id());
    assert_eq!(kill(vec![sibling.process()], 0).await, failed(&why), "one of our own group");
    assert!(sibling.is_alive());
}

#[tokio::test]
async fn without_a_process_there_is_nothing_to_end() {
    assert_eq!(kill(Vec::new(), 0).await, failed("no process of this agent is registered"));
    let huge = Process { pid: u32::MAX, start_ticks: 1, boot_id: stat::boot_id().expect("proc") };
    assert_eq!(kill(vec![huge], 0).await, gone());
    let other = KillProcess::new(Known(Vec::new())).run(&job(ActionSpec::Log)).await;
    assert_eq!(other, failed("this ends no process"));
}
