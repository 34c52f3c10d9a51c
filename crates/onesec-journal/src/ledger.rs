//! Ledger tables: what authority created, written through with the records that change it.

use onesec_telemetry::{AgentId, ConnectionName, TenantId, Timestamp, UserId};
use rusqlite::{Connection, Row, params};

use crate::db::{int, uint};
use crate::error::JournalError;
use crate::reader::{optional_id, required_id};

/// One of the ledger's tables; all have the same columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LedgerTable {
    /// Linked accounts.
    Accounts,
    /// Who may act for whom.
    Delegations,
    /// Registered agents.
    Agents,
    /// Accepted scopes and learned baselines.
    Baselines,
    /// Suspended agents, users and connections.
    Suspensions,
    /// Exceptions that a person granted.
    Exceptions,
    /// API keys, hashed.
    ApiKeys,
    /// What waits for a person.
    Approvals,
    /// Canary accounts and tokens.
    Canaries,
    /// `jti`s that must not come again.
    UsedJti,
    /// Settings changed at run time.
    Settings,
    /// Applications and their owners.
    Apps,
    /// What was said about agents beforehand.
    Registrations,
    /// What is, or was, taken back everywhere it can be.
    Revocations,
    /// Security events that receivers have not taken yet.
    SecurityEvents,
}

impl LedgerTable {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Accounts,
        Self::Delegations,
        Self::Agents,
        Self::Baselines,
        Self::Suspensions,
        Self::Exceptions,
        Self::ApiKeys,
        Self::Approvals,
        Self::Canaries,
        Self::UsedJti,
        Self::Settings,
        Self::Apps,
        Self::Registrations,
        Self::Revocations,
        Self::SecurityEvents,
    ];

    /// The table's name in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Delegations => "delegations",
            Self::Agents => "agents",
            Self::Baselines => "baselines",
            Self::Suspensions => "suspensions",
            Self::Exceptions => "exceptions",
            Self::ApiKeys => "api_keys",
            Self::Approvals => "approvals",
            Self::Canaries => "canaries",
            Self::UsedJti => "used_jti",
            Self::Settings => "settings",
            Self::Apps => "apps",
            Self::Registrations => "registrations",
            Self::Revocations => "revocations",
            Self::SecurityEvents => "security_events",
        }
    }
}

/// One row of a ledger table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// Whose row.
    pub tenant: TenantId,
    /// Unique in the table and tenant.
    pub id: String,
    /// The agent concerned.
    pub agent_id: Option<AgentId>,
    /// The user concerned.
    pub user_id: Option<UserId>,
    /// The connection concerned.
    pub connection: Option<ConnectionName>,
    /// As the table's owner names it.
    pub state: String,
    /// The record that changed it last.
    pub updated_seq: u64,
    /// When it stops to count; the journal itself removes it only when told to.
    pub expires_at: Option<Timestamp>,
    /// JSON.
    pub doc: String,
}

/// One change of a ledger table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerWrite {
    /// Inserts the row, or replaces the one with its id.
    Put {
        /// Where.
        table: LedgerTable,
        /// What.
        row: LedgerRow,
    },
    /// Changes members of a row's document (RFC 7396); a row that is not there stays so.
    Merge {
        /// Where.
        table: LedgerTable,
        /// Whose row.
        tenant: TenantId,
        /// Which row.
        id: String,
        /// JSON: the members as they are to be.
        doc: String,
        /// The record that changed them.
        updated_seq: u64,
    },
    /// Removes a row; one that is not there is no error.
    Remove {
        /// From where.
        table: LedgerTable,
        /// Whose row.
        tenant: TenantId,
        /// Which row.
        id: String,
    },
}

impl LedgerWrite {
    pub(crate) fn apply(&self, conn: &Connection) -> Result<(), JournalError> {
        match self {
            Self::Put { table, row } => row.put(conn, *table),
            Self::Merge { table, tenant, id, doc, updated_seq } => {
                let sql = format!(
                    "UPDATE {} SET doc = json_patch(doc, ?3), updated_seq = ?4 WHERE tenant = ?1 AND id = ?2",
                    table.name()
                );
                let seq = i64::try_from(*updated_seq).unwrap_or(i64::MAX);
                conn.prepare_cached(&sql)?.execute(params![tenant.as_str(), id, doc, seq])?;
                Ok(())
            }
            Self::Remove { table, tenant, id } => {
                let sql = format!("DELETE FROM {} WHERE tenant = ?1 AND id = ?2", table.name());
                conn.prepare_cached(&sql)?.execute(params![tenant.as_str(), id])?;
                Ok(())
            }
        }
    }
}

/// The columns that [`LedgerRow::read`] expects.
pub(crate) const COLUMNS: &str = "tenant, id, agent_id, user_id, connection, state, updated_seq, expires_at, doc";

impl LedgerRow {
    fn put(&self, conn: &Connection, table: LedgerTable) -> Result<(), JournalError> {
        let sql =
            format!("INSERT OR REPLACE INTO {} ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", table.name());
        conn.prepare_cached(&sql)?.execute(params![
            self.tenant.as_str(),
            self.id,
            self.agent_id.as_ref().map(AgentId::as_str),
            self.user_id.as_ref().map(UserId::as_str),
            self.connection.as_ref().map(ConnectionName::as_str),
            self.state,
            int(self.updated_seq),
            self.expires_at.map(Timestamp::as_micros),
            self.doc,
        ])?;
        Ok(())
    }

    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            tenant: required_id(row, 0)?,
            id: row.get(1)?,
            agent_id: optional_id(row, 2)?,
            user_id: optional_id(row, 3)?,
            connection: optional_id(row, 4)?,
            state: row.get(5)?,
            updated_seq: uint(row.get(6)?),
            expires_at: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_micros),
            doc: row.get(8)?,
        })
    }
}
