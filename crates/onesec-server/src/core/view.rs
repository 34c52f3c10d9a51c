//! What readers see of a tenant: published after each commit that changed it, never the engine's own maps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use onesec_enforcement::{Approval, Policy, Preset};
use onesec_engine::{Engine, OwnPolicies, ProcessBook, Restraints, Settings};
use onesec_telemetry::{ConnectionName, KnownConnections, Mode, Name, Seq, TenantId, Timestamp};
use onesec_trackers::change::ToolRow;
use onesec_trackers::{LedgerChange, TrackerStats};

use super::stats::ExchangeStats;

/// A tenant, as it was at a durable record.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TenantView {
    /// Whose.
    pub tenant: TenantId,
    /// Dry run or live.
    pub mode: Mode,
    /// The table of verdicts.
    pub preset: Preset,
    /// The settings in force.
    pub settings: Arc<Settings>,
    /// Counts of what the trackers hold.
    pub stats: TrackerStats,
    /// Alerts that still count.
    pub alerts_open: usize,
    /// Dead detectors, with whether requests are refused for it.
    pub dead_detectors: Vec<(&'static str, bool)>,
    /// Running detectors.
    pub detectors: Vec<DetectorView>,
    /// The newest record.
    pub position: Seq,
    /// Its time.
    pub observed_at: Timestamp,
    /// Connections that are configured, linked or delegated.
    pub connections: Arc<KnownConnections>,
    /// Their names, in order.
    pub connection_names: Arc<Vec<ConnectionName>>,
    /// Exchanges through the gateway.
    pub exchanges: ExchangeStats,
    /// The policies in force.
    pub policies: Arc<Vec<Policy>>,
    /// Those of them that people set by the API, as they were written.
    pub own_policies: Arc<OwnPolicies>,
    /// What waits for a person, in the order of ids.
    pub approvals: Arc<Vec<Approval>>,
    /// Tools whose manifests were shown, by server and name.
    pub tools: Arc<Vec<ToolRow>>,
    /// Agents and addresses that are held back for a while.
    pub restraints: Arc<Restraints>,
    /// Processes of agents.
    pub processes: Arc<ProcessBook>,
}

/// A running detector.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DetectorView {
    /// Its code.
    pub code: &'static str,
    /// Its module.
    pub module: &'static str,
    /// Its title.
    pub title: &'static str,
    /// OWASP ids.
    pub owasp: &'static [&'static str],
    /// What it cannot see.
    pub blind_spot: &'static str,
    /// What to do about its alerts.
    pub mitigation: &'static str,
    /// Alerts opened since the start.
    pub alerts: u64,
    /// Findings since the start.
    pub findings: u64,
    /// Panics since the start.
    pub panics: u64,
}

/// Counts since the start, by detector.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DetectorCounts {
    pub(super) alerts: u64,
    pub(super) findings: u64,
    pub(super) panics: u64,
}

/// Makes views, keeping what seldom changes.
#[derive(Debug)]
pub(super) struct Viewer {
    /// Configured, linked or delegated: by authority, never by traffic.
    connections: BTreeSet<ConnectionName>,
    settings: Arc<Settings>,
    names: Arc<Vec<ConnectionName>>,
    known: Arc<KnownConnections>,
    policies: Arc<Vec<Policy>>,
    approvals: Arc<Vec<Approval>>,
    approvals_version: u64,
    tools: Arc<Vec<ToolRow>>,
    tools_version: u64,
    tools_at: Timestamp,
    restraints: Arc<Restraints>,
    processes: Arc<ProcessBook>,
    pub(super) counts: BTreeMap<&'static str, DetectorCounts>,
}

impl Viewer {
    pub(super) fn new(engine: &Engine, configured: Vec<ConnectionName>) -> Self {
        let mut viewer = Self {
            connections: configured.into_iter().collect(),
            settings: Arc::new(engine.settings().clone()),
            names: Arc::default(),
            known: Arc::default(),
            policies: engine.policies().clone(),
            approvals: Arc::new(engine.approvals().cloned().collect()),
            approvals_version: engine.approvals_version(),
            tools: Arc::new(engine.tools()),
            tools_version: engine.tools_version(),
            tools_at: Timestamp::EPOCH,
            restraints: Arc::new(engine.restraints().clone()),
            processes: Arc::new(engine.processes().clone()),
            counts: BTreeMap::new(),
        };
        for row in engine.ledger_rows() {
            viewer.learn(&row);
        }
        viewer
    }

    /// Connections that authority speaks of exist.
    pub(super) fn learn(&mut self, row: &LedgerChange) {
        let connection = match row {
            LedgerChange::Account(account) => &account.connection,
            LedgerChange::Delegation(delegation) => &delegation.connection,
            _ => return,
        };
        if !self.connections.contains(connection) {
            self.connections.insert(connection.clone());
        }
    }

    /// Whether a connection is configured, linked or delegated.
    pub(super) fn knows(&self, name: &ConnectionName) -> bool {
        self.connections.contains(name)
    }

    pub(super) fn view(
        &mut self,
        tenant: &TenantId,
        engine: &Engine,
        (position, observed_at): (Seq, Timestamp),
    ) -> TenantView {
        if *self.settings != *engine.settings() {
            self.settings = Arc::new(engine.settings().clone());
        }
        if self.names.len() != self.connections.len() {
            self.known = Arc::new(KnownConnections::new(self.connections.iter().cloned()));
            self.names = Arc::new(self.connections.iter().cloned().collect());
        }
        self.look_at_enforcement(engine, observed_at);
        let detectors = engine.descriptors().map(|d| {
            let counts = self.counts.get(d.code).copied().unwrap_or_default();
            DetectorView {
                code: d.code,
                module: d.module.as_str(),
                title: d.title,
                owasp: d.owasp,
                blind_spot: d.blind_spot,
                mitigation: d.mitigation,
                alerts: counts.alerts,
                findings: counts.findings,
                panics: counts.panics,
            }
        });
        TenantView {
            tenant: tenant.clone(),
            mode: engine.mode(),
            preset: engine.preset(),
            settings: self.settings.clone(),
            stats: engine.stats(),
            alerts_open: engine.alerts_open(),
            dead_detectors: engine.dead_detectors(),
            detectors: detectors.collect(),
            position,
            observed_at,
            connections: self.known.clone(),
            connection_names: self.names.clone(),
            exchanges: ExchangeStats::default(),
            policies: self.policies.clone(),
            own_policies: engine.own_policies().clone(),
            approvals: self.approvals.clone(),
            tools: self.tools.clone(),
            restraints: self.restraints.clone(),
            processes: self.processes.clone(),
        }
    }

    /// What seldom changes is copied when it does.
    fn look_at_enforcement(&mut self, engine: &Engine, observed_at: Timestamp) {
        if !Arc::ptr_eq(&self.policies, engine.policies()) {
            self.policies = engine.policies().clone();
        }
        if self.approvals_version != engine.approvals_version() {
            self.approvals_version = engine.approvals_version();
            self.approvals = Arc::new(engine.approvals().cloned().collect());
        }
        // Whoever shows tools without end must not make every commit sort them.
        let due = observed_at.since(self.tools_at) >= std::time::Duration::from_secs(1);
        if due && self.tools_version != engine.tools_version() {
            (self.tools_version, self.tools_at) = (engine.tools_version(), observed_at);
            self.tools = Arc::new(engine.tools());
        }
        if self.restraints.version() != engine.restraints().version() {
            self.restraints = Arc::new(engine.restraints().clone());
        }
        if self.processes.version() != engine.processes().version() {
            self.processes = Arc::new(engine.processes().clone());
        }
    }
}

/// The name of a preset as a command carries it.
#[must_use]
#[expect(clippy::expect_used, reason = "preset names are short ASCII")]
pub fn preset_name(preset: Preset) -> Name {
    Name::new(preset.as_str()).expect("a preset's name is a name")
}
