//! What a core is started with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use onesec_detector::Detector;
use onesec_engine::{Settings, SetupError};
use onesec_journal::{JournalError, JournalOptions};
use onesec_telemetry::{ConnectionName, TenantId};

/// Makes the detectors that settings ask for; shared by all tenants.
pub type SharedAssemble = Arc<dyn Fn(&Settings) -> Result<Vec<Box<dyn Detector>>, SetupError> + Send + Sync>;

/// What a core is started with.
#[derive(Clone)]
#[non_exhaustive]
pub struct CoreOptions {
    /// Where the journal lives.
    pub data_dir: PathBuf,
    /// How the journal is opened.
    pub journal: JournalOptions,
    /// Whose events are taken.
    pub tenants: Vec<TenantSetup>,
    /// The detectors.
    pub assemble: SharedAssemble,
    /// Events that may wait for their place before ingest is refused.
    pub queued_events: usize,
    /// Requests that may wait for their place before the gateway is refused.
    pub queued_requests: usize,
    /// Records after which a snapshot is taken; of a tenant larger than `snapshot_at_once` once fewer than
    /// 10 000 come in a second, and after eight times as many in any case.
    pub snapshot_every: u64,
    /// Of a tenant with at most so many entries of state a snapshot is taken at once, which makes a verdict wait for some
    /// 30 ms at most; a larger one is built anew beside the one at work, from the newest snapshot and the records since.
    pub snapshot_at_once: usize,
    /// How long things are kept.
    pub retention: Retention,
}

/// A tenant of this server.
#[derive(Debug, Clone)]
pub struct TenantSetup {
    /// Its name.
    pub name: TenantId,
    /// Its settings, as the configuration has them now.
    pub settings: Settings,
    /// Connections that are configured, besides those that get linked.
    pub connections: Vec<ConnectionName>,
    /// How long things of it are kept; as those of all where it is not said.
    pub retention: Option<Retention>,
}

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Records.
    pub events: Duration,
    /// Alerts that are not open.
    pub alerts: Duration,
    /// Receipts.
    pub responses: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self { events: DAY * 7, alerts: DAY * 90, responses: DAY * 365 }
    }
}

impl CoreOptions {
    /// The default tenant with default settings, and no detectors yet.
    #[must_use]
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            journal: JournalOptions::default(),
            tenants: vec![TenantSetup {
                name: TenantId::default_tenant(),
                settings: Settings::default(),
                connections: Vec::new(),
                retention: None,
            }],
            assemble: Arc::new(|_| Ok(Vec::new())),
            queued_events: 50_000,
            queued_requests: 4_096,
            snapshot_every: 250_000,
            snapshot_at_once: 30_000,
            retention: Retention::default(),
        }
    }
}

impl std::fmt::Debug for CoreOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CoreOptions").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// Why a core does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The journal cannot be opened or read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A setting has no meaning, or the detectors do not fit together.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A record in the journal cannot be read by this version.
    #[error("record {seq} of tenant `{tenant}` cannot be read by this version")]
    Unreadable {
        /// Whose.
        tenant: TenantId,
        /// Which.
        seq: u64,
    },
    /// Old records are gone and no snapshot can be used.
    #[error("tenant `{tenant}` has no usable snapshot, and its records begin at {first}")]
    NoPast {
        /// Whose.
        tenant: TenantId,
        /// The first record left.
        first: u64,
    },
    /// A change cannot be recorded.
    #[error(transparent)]
    Core(#[from] super::api::CoreError),
    /// The system gives no thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}
