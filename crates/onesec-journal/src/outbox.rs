//! The outbox: what policy wants executed, and how far it got.
//!
//! `pending` → claimed → `done` | `failed` | `unknown`, or back to `pending` with a later due time. A claim is durable
//! before the executor acts: what is found claimed after a crash may or may not have happened.

use std::sync::Arc;

use onesec_telemetry::{AlertId, TenantId, Timestamp};
use rusqlite::{Connection, Row, params};

use crate::db::{Db, Durability, Shared, uint};
use crate::error::JournalError;
use crate::fail_points;
use crate::reader::required_id;
use crate::rows::OutboxRow;

/// How far an action got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxState {
    /// Waits for its due time and an executor.
    Pending,
    /// An executor has begun.
    Claimed,
    /// Executed; the receipt says what that means.
    Done,
    /// Given up.
    Failed,
    /// Interrupted, and repeating it could do harm.
    Unknown,
}

impl OutboxState {
    const ALL: [Self; 5] = [Self::Pending, Self::Claimed, Self::Done, Self::Failed, Self::Unknown];

    /// The name in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Claimed => "claimed",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// An action in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxTask {
    /// What policy wrote.
    pub row: OutboxRow,
    /// How far it got.
    pub state: OutboxState,
    /// How often it was claimed.
    pub attempts: u64,
    /// When its state changed last.
    pub updated_at: Timestamp,
    /// JSON: what the executor reported last.
    pub result: Option<String>,
}

/// What came of a claimed action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxOutcome {
    /// Executed.
    Done,
    /// Try again, not before this time.
    Retry(Timestamp),
    /// Given up.
    Failed,
    /// Nobody knows, and nobody will try again.
    Unknown,
    /// A person wants one that was given up to be tried once more, not before this time.
    Again(Timestamp),
}

/// Moves a claimed action on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxUpdate {
    /// The action.
    pub id: String,
    /// What came of it.
    pub outcome: OutboxOutcome,
    /// When.
    pub at: Timestamp,
    /// JSON for people: what happened.
    pub result: Option<String>,
}

impl OutboxUpdate {
    /// `false` where no such claimed action is there: somebody else moved it on.
    pub(crate) fn apply(&self, conn: &Connection) -> Result<bool, JournalError> {
        let (state, due) = match self.outcome {
            OutboxOutcome::Done => (OutboxState::Done, None),
            OutboxOutcome::Retry(due) => (OutboxState::Pending, Some(due.as_micros())),
            OutboxOutcome::Failed => (OutboxState::Failed, None),
            OutboxOutcome::Unknown => (OutboxState::Unknown, None),
            OutboxOutcome::Again(due) => (OutboxState::Pending, Some(due.as_micros())),
        };
        let before = match self.outcome {
            OutboxOutcome::Again(_) => "failed",
            OutboxOutcome::Done | OutboxOutcome::Retry(_) | OutboxOutcome::Failed | OutboxOutcome::Unknown => "claimed",
        };
        let sql = "UPDATE outbox SET state = ?2, due_at = coalesce(?3, due_at), updated_at = ?4, result = ?5
                   WHERE id = ?1 AND state = ?6";
        let row = params![self.id, state.name(), due, self.at.as_micros(), self.result, before];
        Ok(conn.prepare_cached(sql)?.execute(row)? == 1)
    }
}

impl OutboxRow {
    pub(crate) fn insert_or_ignore(&self, conn: &Connection) -> Result<(), JournalError> {
        let sql = "INSERT OR IGNORE INTO outbox VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7, ?8, 0, ?7, NULL, ?9)";
        conn.prepare_cached(sql)?.execute(params![
            self.id,
            self.tenant.as_str(),
            self.alert_id.as_str(),
            self.policy,
            self.action,
            self.doc,
            self.created_at.as_micros(),
            self.due_at.as_micros(),
            self.urgent,
        ])?;
        Ok(())
    }
}

/// Actions that do not wait for those of other lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// What goes ahead, or everything else.
    pub urgent: bool,
    /// On whom it depends how long they take.
    pub pace: Pace,
}

/// On whom it depends how long an action takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// On nobody but us.
    Ours,
    /// Messages: their receivers may be slow.
    Messages,
    /// Programs of the operator's.
    Programs,
    /// An Auth0 tenant.
    Tenant,
}

impl Pace {
    /// How the file tells them apart.
    const fn number(self) -> u8 {
        match self {
            Self::Ours => 0,
            Self::Messages => 1,
            Self::Programs => 2,
            Self::Tenant => 3,
        }
    }
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self { urgent: true, pace: Pace::Ours },
        Self { urgent: true, pace: Pace::Messages },
        Self { urgent: true, pace: Pace::Programs },
        Self { urgent: true, pace: Pace::Tenant },
        Self { urgent: false, pace: Pace::Ours },
        Self { urgent: false, pace: Pace::Messages },
        Self { urgent: false, pace: Pace::Programs },
        Self { urgent: false, pace: Pace::Tenant },
    ];
}

/// What executors see of the journal.
pub struct Outbox {
    db: Db,
}

impl Outbox {
    pub(crate) fn open(shared: &Arc<Shared>, durability: Durability) -> Result<Self, JournalError> {
        Ok(Self { db: Db::open(shared, durability)? })
    }

    /// A further handle, for an executor in another thread.
    ///
    /// # Errors
    /// What opening a connection says.
    pub fn another(&self) -> Result<Self, JournalError> {
        Self::open(&self.db.shared, Durability::Durable)
    }

    /// Pending actions of a lane whose time has come, the longest due first.
    ///
    /// # Errors
    /// What reading says.
    pub fn due(&self, lane: Lane, now: Timestamp, limit: u32) -> Result<Vec<OutboxTask>, JournalError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM outbox WHERE state = 'pending' AND urgent = ?1 AND due_at <= ?2
             AND CASE action WHEN 'webhook' THEN 1 WHEN 'command' THEN 2 WHEN 'revoke_refresh_tokens' THEN 3
             WHEN 'revoke_connected_account' THEN 3 WHEN 'auth0_flag_user' THEN 3 ELSE 0 END = ?3
             ORDER BY due_at, created_at, id LIMIT ?4"
        );
        let mut statement = self.db.conn.prepare_cached(&sql)?;
        let rows = statement.query_map(params![lane.urgent, now.as_micros(), lane.pace.number(), limit], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Actions whose executor has begun and not finished. Right after opening: those that a crash interrupted.
    ///
    /// # Errors
    /// What reading says.
    pub fn claimed(&self, limit: u32) -> Result<Vec<OutboxTask>, JournalError> {
        let sql = format!("SELECT {COLUMNS} FROM outbox WHERE state = 'claimed' ORDER BY updated_at, id LIMIT ?1");
        let mut statement = self.db.conn.prepare_cached(&sql)?;
        let rows = statement.query_map([limit], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Takes a pending action; durable on return. `false` where somebody else was faster.
    ///
    /// # Errors
    /// What writing says; then the action was not taken.
    pub fn claim(&mut self, id: &str, now: Timestamp) -> Result<bool, JournalError> {
        fail_points::pass("outbox.before");
        let claimed = self.db.write(|tx| {
            let sql = "UPDATE outbox SET state = 'claimed', attempts = attempts + 1, updated_at = ?2
                       WHERE id = ?1 AND state = 'pending'";
            Ok(tx.prepare_cached(sql)?.execute(params![id, now.as_micros()])? == 1)
        })?;
        fail_points::pass("outbox.after");
        Ok(claimed)
    }

    /// Says what came of a claimed action. Where there is a receipt too, put the update into its
    /// [`Batch`](crate::Batch) instead, so that both are durable together.
    ///
    /// # Errors
    /// What writing says.
    pub fn finish(&mut self, update: &OutboxUpdate) -> Result<bool, JournalError> {
        self.db.write(|tx| update.apply(tx))
    }
}

pub(crate) const COLUMNS: &str =
    "id, tenant, alert_id, policy, action, doc, created_at, due_at, state, attempts, updated_at, result, urgent";

pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<OutboxTask> {
    let state: String = row.get(8)?;
    let known = OutboxState::ALL.into_iter().find(|s| s.name() == state);
    let wrong = || rusqlite::Error::InvalidColumnType(8, "state".into(), rusqlite::types::Type::Text);
    let row_part = OutboxRow {
        id: row.get(0)?,
        tenant: required_id::<TenantId>(row, 1)?,
        alert_id: required_id::<AlertId>(row, 2)?,
        policy: row.get(3)?,
        action: row.get(4)?,
        doc: row.get(5)?,
        created_at: Timestamp::from_micros(row.get(6)?),
        due_at: Timestamp::from_micros(row.get(7)?),
        urgent: row.get(12)?,
    };
    Ok(OutboxTask {
        row: row_part,
        state: known.ok_or_else(wrong)?,
        attempts: uint(row.get(9)?),
        updated_at: Timestamp::from_micros(row.get(10)?),
        result: row.get(11)?,
    })
}
