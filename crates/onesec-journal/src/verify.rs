//! Proves that the journal is what was written: `onesec journal verify`.

use std::fmt;
use std::path::Path;

use onesec_telemetry::{TenantId, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::block;
use crate::chain::{Chain, Checkpoint, Link, Tip, head_is_signed, read_head};
use crate::db::{int, uint};
use crate::error::JournalError;
use crate::index::indexed_to;
use crate::key::SigningKey;
use crate::reader::{Reader, newest_record, read_block, tenants};
use crate::snapshot;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Where: tenant, table, position.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// What was looked at, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
#[must_use]
pub struct VerifyReport {
    /// The first thousand faults.
    pub faults: Vec<Fault>,
    /// Tenants.
    pub tenants: u64,
    /// Blocks whose checksums are right.
    pub blocks: u64,
    /// Records in them.
    pub records: u64,
    /// Transitions whose hashes are right.
    pub transitions: u64,
    /// Response steps whose hashes are right.
    pub response_steps: u64,
    /// Checkpoints whose signatures are right.
    pub checkpoints: u64,
    /// Complete snapshots that can be loaded.
    pub snapshots: u64,
}

impl VerifyReport {
    /// Whether there is no fault.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    fn fault(&mut self, place: String, what: impl Into<String>) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault { place, what: what.into() });
        }
    }
}

/// Verifies the journal in `dir`, whether or not a process has it open; changes nothing.
///
/// # Errors
/// Only where nothing can be verified at all: no journal, no key, a newer version. Damage is in the report.
pub fn verify(dir: &Path) -> Result<VerifyReport, JournalError> {
    verify_with(&Reader::open(dir)?)
}

/// As [`verify`], with a reader that is open already.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(reader: &Reader) -> Result<VerifyReport, JournalError> {
    let key = SigningKey::load(reader.dir())?;
    reader.with_snapshot(|conn| {
        let mut report = VerifyReport::default();
        let steps: [(&str, Check); 5] =
            [("file", file), ("records", blocks), ("chains", chains), ("views", views), ("snapshots", snapshots)];
        for (name, check) in steps {
            // Damage that keeps SQLite from reading a table is a fault; the other checks go on.
            if let Err(error) = check(conn, &key, &mut report) {
                report.fault(name.to_owned(), error.to_string());
            }
        }
        Ok(report)
    })
}

type Check = fn(&Connection, &SigningKey, &mut VerifyReport) -> Result<(), JournalError>;

fn file(conn: &Connection, _: &SigningKey, report: &mut VerifyReport) -> Result<(), JournalError> {
    let mut statement = conn.prepare("PRAGMA quick_check(100)")?;
    let lines: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for line in lines.into_iter().filter(|line| line != "ok") {
        report.fault("file".to_owned(), line);
    }
    Ok(())
}

fn blocks(conn: &Connection, key: &SigningKey, report: &mut VerifyReport) -> Result<(), JournalError> {
    for (no, tenant) in tenants(conn)? {
        report.tenants += 1;
        let start = checkpoint(conn, key, (Chain::Records, &tenant), report)?;
        let place = |seq: u64| format!("tenant `{tenant}`, block at record {seq}");
        let (low, high) = block::keys_of(no)?;
        let mut statement = conn.prepare_cached(BLOCKS)?;
        let mut rows = statement.query([low, high])?;
        let (mut next, mut at) = (start.pos + 1, Timestamp::EPOCH);
        while let Some(row) = rows.next()? {
            let (first, last) = (uint(row.get(0)?), uint(row.get(1)?));
            if first != next || row.get::<_, i64>(9)? != block::key(no, first)? {
                report.fault(place(first), format!("record {next} should come next"));
            }
            next = last.saturating_add(1);
            match read_block(row, no).and_then(|block| Ok((block.clone().records()?, block.dedup_entries()?, block))) {
                Ok((records, _, block)) if block.first_at >= at => {
                    at = block.last_at;
                    report.blocks += 1;
                    report.records += records.len() as u64;
                }
                Ok(_) => report.fault(place(first), "is older than the block before it"),
                Err(error) => report.fault(place(first), error.to_string()),
            }
        }
        let newest = newest_record(conn, no, &tenant)?.0;
        if indexed_to(conn, no)? > newest {
            report.fault(format!("tenant `{tenant}`, index"), format!("goes past record {newest}"));
        }
    }
    Ok(())
}

/// Checks a chain's checkpoint and says where the rows must go on.
fn checkpoint(
    conn: &Connection,
    key: &SigningKey,
    of: (Chain, &TenantId),
    report: &mut VerifyReport,
) -> Result<Tip, JournalError> {
    let Some((checkpoint, mac)) = Checkpoint::read(conn, of.0, of.1)? else { return Ok(Tip::default()) };
    if checkpoint.is_signed(key, of, &mac) {
        report.checkpoints += 1;
    } else {
        report.fault(format!("tenant `{}`, checkpoint of {}", of.1, of.0.name()), "its signature is wrong");
    }
    Ok(checkpoint.last)
}

fn chains(conn: &Connection, key: &SigningKey, report: &mut VerifyReport) -> Result<(), JournalError> {
    for (_, tenant) in tenants(conn)? {
        for chain in Chain::HASHED {
            let start = checkpoint(conn, key, (chain, &tenant), report)?;
            let (end, count) = links(conn, (chain, &tenant), start, report)?;
            match chain {
                Chain::Responses => report.response_steps += count,
                Chain::Transitions | Chain::Records => report.transitions += count,
            }
            head((conn, key), (chain, &tenant), (start, end), report)?;
        }
    }
    Ok(())
}

/// Recomputes every hash; where the chain ends, and how many rows are right.
fn links(
    conn: &Connection,
    (chain, tenant): (Chain, &TenantId),
    start: Tip,
    report: &mut VerifyReport,
) -> Result<(Tip, u64), JournalError> {
    let sql =
        format!("SELECT pos, subject, seq, at, kind, doc, hash FROM {} WHERE tenant = ?1 ORDER BY pos", chain.table());
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([tenant.as_str()])?;
    let (mut tip, mut count) = (start, 0);
    while let Some(row) = rows.next()? {
        let (subject, kind, doc): (String, String, String) = (row.get(1)?, row.get(4)?, row.get(5)?);
        let (seq, at) = (uint(row.get(2)?), Timestamp::from_micros(row.get(3)?));
        let stored = Tip { pos: uint(row.get(0)?), hash: row.get(6)? };
        let link = Link { tenant, subject: &subject, seq, at, kind: &kind, doc: &doc };
        if link.after(tip) == stored {
            count += 1;
        } else {
            let place = format!("tenant `{tenant}`, {} {}", chain.name(), stored.pos);
            report.fault(place, "the hash chain is broken: this row or one before it was changed or removed");
        }
        // Going on from what is stored finds every break, not the first only.
        tip = stored;
    }
    Ok((tip, count))
}

fn head(
    (conn, key): (&Connection, &SigningKey),
    (chain, tenant): (Chain, &TenantId),
    (start, end): (Tip, Tip),
    report: &mut VerifyReport,
) -> Result<(), JournalError> {
    let place = || format!("tenant `{tenant}`, head of {}", chain.name());
    let (signed, mac) = read_head(conn, chain, tenant)?;
    if mac.is_empty() {
        if end != Tip::default() {
            report.fault(place(), "is missing");
        }
        return Ok(());
    }
    if !head_is_signed(key, (chain, tenant), &signed, &mac) {
        report.fault(place(), "its signature is wrong");
    }
    if signed != end.max_pos(start) {
        report.fault(place(), format!("names {} as the newest row, the chain ends at {}", signed.pos, end.pos));
    }
    Ok(())
}

impl Tip {
    /// A chain all of whose rows were retained away ends where its checkpoint says.
    const fn max_pos(self, start: Self) -> Self {
        if self.pos < start.pos { start } else { self }
    }
}

fn views(conn: &Connection, _: &SigningKey, report: &mut VerifyReport) -> Result<(), JournalError> {
    let pairs = [
        ("alerts", "transitions", "is an alert without a transition", "is a transition of an unknown alert"),
        ("responses", "response_log", "is a response without a step", "is a step of an unknown response"),
    ];
    for (view, log, no_steps, no_view) in pairs {
        let orphans = format!(
            "SELECT tenant, id FROM {view} v WHERE NOT EXISTS
             (SELECT 1 FROM {log} l WHERE l.tenant = v.tenant AND l.subject = v.id) LIMIT {MAX_FAULTS}"
        );
        each(conn, &orphans, |tenant, id| report.fault(format!("tenant `{tenant}`, {view} `{id}`"), no_steps))?;
        let homeless = format!(
            "SELECT DISTINCT tenant, subject FROM {log} l WHERE NOT EXISTS
             (SELECT 1 FROM {view} v WHERE v.tenant = l.tenant AND v.id = l.subject) LIMIT {MAX_FAULTS}"
        );
        each(conn, &homeless, |tenant, id| report.fault(format!("tenant `{tenant}`, {log} `{id}`"), no_view))?;
    }
    let stale = format!(
        "SELECT tenant, id FROM responses v WHERE EXISTS
         (SELECT 1 FROM response_log l WHERE l.tenant = v.tenant AND l.subject = v.id) AND (state, doc) IS NOT
         (SELECT kind, doc FROM response_log l WHERE l.tenant = v.tenant AND l.subject = v.id
          ORDER BY pos DESC LIMIT 1) LIMIT {MAX_FAULTS}"
    );
    each(conn, &stale, |tenant, id| {
        report.fault(format!("tenant `{tenant}`, responses `{id}`"), "is not what its newest step says");
    })
}

fn each(conn: &Connection, sql: &str, mut visit: impl FnMut(&str, &str)) -> Result<(), JournalError> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?);
    }
    Ok(())
}

fn snapshots(conn: &Connection, _: &SigningKey, report: &mut VerifyReport) -> Result<(), JournalError> {
    for (no, tenant) in tenants(conn)? {
        let newest = newest_record(conn, no, &tenant)?.0;
        let sql = "SELECT id, seq FROM snapshots WHERE tenant = ?1 AND complete = 1 ORDER BY seq";
        let mut statement = conn.prepare_cached(sql)?;
        let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, uint(row.get(1)?)));
        let all: Vec<(i64, u64)> = statement.query_map(params![tenant.as_str()], row)?.collect::<Result<_, _>>()?;
        for (id, seq) in all {
            let place = format!("tenant `{tenant}`, snapshot {}", int(seq));
            match snapshot::walk(conn, (id, &tenant, seq), |_, _| {}) {
                Ok(()) if seq <= newest => report.snapshots += 1,
                Ok(()) => report.fault(place, format!("is newer than the newest record, {newest}")),
                Err(error) => report.fault(place, error.to_string()),
            }
        }
    }
    Ok(())
}

const BLOCKS: &str = "SELECT first_seq, last_seq, first_at, last_at, count, head_crc, body_crc, dedup, body, key
    FROM blocks WHERE key BETWEEN ?1 AND ?2 ORDER BY key";
const MAX_FAULTS: usize = 1_000;
