//! What the journal promises, tried out.

mod basics;
mod damage;
mod faults;
mod paging;
mod query;
mod retention;

use std::path::Path;

use onesec_telemetry::{AgentId, AlertId, TenantId, Timestamp};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::{
    AlertRow, Batch, DB_FILE, DeadLetterRow, DedupEntry, Journal, JournalOptions, Opened, OutboxRow, RecordRow,
    ResponseRow, TransitionRow,
};

/// A journal in a directory of its own.
struct Home {
    dir: TempDir,
}

impl Home {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn open(&self) -> Opened {
        self.open_with(JournalOptions::default())
    }

    fn open_with(&self, options: JournalOptions) -> Opened {
        Journal::open(self.path(), options).expect("opens")
    }

    /// The file as any program sees it, to tamper with it.
    fn sql(&self, sql: &str) {
        let conn = Connection::open(self.path().join(DB_FILE)).expect("opens");
        conn.execute_batch(sql).expect("runs");
    }
}

fn tenant() -> TenantId {
    TenantId::default_tenant()
}

fn other() -> TenantId {
    TenantId::new("other").expect("valid")
}

/// The time of record `seq`: one per second.
fn at(seq: u64) -> Timestamp {
    Timestamp::from_secs(1_767_225_600 + seq as i64)
}

fn record(seq: u64) -> RecordRow {
    let entry = DedupEntry { key: u128::from(seq) << 64, content: seq * 7, long: seq.is_multiple_of(5) };
    RecordRow {
        tenant: tenant(),
        seq,
        observed_at: at(seq),
        dedup: (seq % 2 == 1).then_some(entry),
        bytes: format!("record {seq} {}", "x".repeat((seq % 50) as usize)).into_bytes().into(),
    }
}

fn records(seqs: impl IntoIterator<Item = u64>) -> Batch {
    Batch { records: seqs.into_iter().map(record).collect(), ..Batch::default() }
}

fn alert_id(n: u64) -> AlertId {
    AlertId::new(&format!("{n:032x}")).expect("valid")
}

fn alert(n: u64, status: &str) -> AlertRow {
    AlertRow {
        tenant: tenant(),
        id: alert_id(n),
        detector: if n.is_multiple_of(2) { "exchange-rate" } else { "canary" }.into(),
        severity_rank: (n % 5) as u8,
        status: status.into(),
        open: status == "open",
        agent_id: Some(AgentId::new(&format!("bot-{}", n % 3)).expect("valid")),
        user_id: None,
        connection: None,
        first_seen: at(n),
        last_seen: at(n),
        seq: n,
        doc: format!("{{\"n\":{n}}}"),
    }
}

fn transition(n: u64, kind: &str) -> TransitionRow {
    TransitionRow {
        tenant: tenant(),
        alert_id: alert_id(n),
        seq: n,
        at: at(n),
        kind: kind.into(),
        doc: format!("{{\"alert\":{n},\"kind\":\"{kind}\"}}"),
    }
}

/// An alert that opens at `at(n)`.
fn opened(n: u64, status: &str) -> Batch {
    Batch { transitions: vec![transition(n, "opened")], alert_views: vec![alert(n, status)], ..Batch::default() }
}

fn response(n: u64, state: &str) -> ResponseRow {
    ResponseRow {
        tenant: tenant(),
        id: format!("response-{n}"),
        alert_id: Some(alert_id(n)),
        seq: n,
        at: at(n),
        state: state.into(),
        open: state == "executing",
        doc: format!("{{\"state\":\"{state}\"}}"),
    }
}

fn wish(n: u64) -> OutboxRow {
    OutboxRow {
        id: format!("wish-{n}"),
        tenant: tenant(),
        alert_id: alert_id(n),
        policy: "vps-agent".into(),
        action: "webhook".into(),
        doc: "{}".into(),
        created_at: at(n),
        due_at: at(n),
        urgent: false,
    }
}

fn dead_letter(n: u64) -> DeadLetterRow {
    DeadLetterRow {
        tenant: tenant(),
        at: at(n),
        key_id: None,
        reason_code: "missing-field".into(),
        pointer: "/details/scope".into(),
        message: "`scope` is missing".into(),
        body: Some(format!("{{\"n\":{n}}}")),
        size: n,
        sha256: [n as u8; 32],
    }
}

fn all_seqs(journal: &Opened) -> Vec<u64> {
    journal.reader.records_from(&tenant(), 1).map(|r| r.expect("intact").seq).collect()
}
