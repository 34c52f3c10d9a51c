//! What policies do, to real receivers, processes, programs and requests.

mod approvals;
mod contain;
mod crash;
mod edges;
mod flood;
mod hearsay;
mod held;
mod hidden;
mod modes;
mod policies;
mod preset;
mod processes;
mod tenant;
mod webhooks;

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use onesec_e2e::receiver::base64;
use onesec_e2e::world::GOOGLE;
use onesec_e2e::{Answer, Http, Plan, Receiver, World};
use serde_json::{Value, json};

pub(crate) use preset::refused_start;

use crate::plan;

/// Signs messages.
const KEY: &[u8] = b"thirty-two bytes, and no secret.";

pub(crate) fn secret() -> String {
    format!("whsec_{}", base64(KEY))
}

/// The receiver as configuration names it.
fn hook(receiver: &Receiver) -> Value {
    json!({"url": receiver.url("/hook"), "secret": secret(), "allow_private": true})
}

/// Live, with one policy about agents that nobody let act: these actions, at once and as often as need be.
fn on_strays(actions: &Value) -> Value {
    json!([{"name": "strays", "match": {"detectors": ["unauthorized-agent"], "min_severity": "CRITICAL"},
            "actions": actions, "max_per_minute": 1_000}])
}

fn live(receiver: Option<&Receiver>, policies: &Value) -> Plan {
    let mut enforcement = json!({"policies": policies});
    if let Some(receiver) = receiver {
        enforcement["webhook"] = hook(receiver);
    }
    // Addresses that tests come from are told by a proxy of theirs.
    plan().live().with("enforcement", enforcement).with("server", json!({"trusted_proxies": ["127.0.0.1"]}))
}

/// What somebody says that `agent` has done with an account of `user`.
fn exchanged(agent: &str, user: &str) -> Value {
    json!({"type": "token_exchange_response", "details": {
        "agent_id": agent, "user_id": user, "connection": GOOGLE, "success": true, "scopes": "calendar.readonly"}})
}

/// Sends it from an address of its own.
fn send_from(http: &mut Http, (address, path): (&str, &str), body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("x-forwarded-for", address)];
    http.send("POST", path, &headers, body.to_string().as_bytes())
}

/// `agent`, whom nobody let act, says with its own key what it did.
#[track_caller]
fn strays(world: &World, agent: &str, user: &str) {
    let mut own = world.bound(agent, &["events:write"]);
    let answer = send_from(&mut own, ("198.51.100.7", "/api/v1/events"), &exchanged(agent, user));
    assert_eq!(answer.status, 202, "{}", answer.text());
}

/// Statuses of receipts, sorted.
fn statuses(receipts: &[Value]) -> Vec<&str> {
    let mut statuses: Vec<&str> = receipts.iter().filter_map(|receipt| receipt["status"].as_str()).collect();
    statuses.sort_unstable();
    statuses
}

/// The only receipt of an action, once it is over.
#[track_caller]
fn receipt(world: &World, action: &str) -> Value {
    let receipts = world.settled(&format!("action={action}"), 1);
    assert_eq!(receipts.len(), 1, "{receipts:#?}");
    receipts.into_iter().next().unwrap_or_default()
}

/// A process that runs. Ended when dropped.
struct Victim(Child);

impl Victim {
    fn start(script: &str) -> Self {
        Self(Command::new("sh").args(["-c", script]).process_group(0).spawn().expect("a process"))
    }

    fn id(&self) -> u32 {
        self.0.id()
    }

    /// As an administrator registers it.
    fn described(&self) -> Value {
        json!({"pid": self.id(), "start_ticks": start_ticks(self.id()).expect("it runs")})
    }

    #[track_caller]
    fn belongs_to(&self, world: &World, agent: &str) {
        let answer = world.admin().post(&format!("/api/v1/agents/{agent}/processes"), &self.described());
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().expect("a child").is_none()
    }
}

impl Drop for Victim {
    /// By the shell's own `kill`: the program of that name reads the first digit of a group's number as all of it.
    fn drop(&mut self) {
        let group = self.0.id();
        assert!(group > 1, "nobody else's");
        let end = format!("kill -s KILL -- -{group}");
        drop(Command::new("sh").args(["-c", &end]).stderr(std::process::Stdio::null()).status());
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Field 22 of `/proc/PID/stat`; the name before it may have blanks in it.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// A program for `command`.
pub(crate) fn program(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("program.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    path
}

/// The lines of a file; none where it is not there.
pub(crate) fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}
