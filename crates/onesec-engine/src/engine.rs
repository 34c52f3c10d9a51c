//! The engine: one tenant's state, fed record by record.

mod saved;
mod settings;
mod verdict;

use std::sync::Arc;

use onesec_detector::{Finding, Findings};
use onesec_enforcement::{Approval, Phase, Policy, Preset};
use onesec_telemetry::{Alert, AlertId, Body, Channel, Command, Kind, Mode, Record, Severity, TenantId};
use onesec_trackers::change::ToolRow;
use onesec_trackers::{LedgerChange, Settled, TrackerStats, Trackers};

pub use self::settings::unnamed;
use self::verdict::phase;
use crate::alerts::{AlertBook, Found};
use crate::chains::{self, ChainBook, ChainRule, Incident, Stage};
use crate::exceptions::Exceptions;
use crate::guard::Guarded;
use crate::judge::{Judge, keep_first_exclusive, reads};
use crate::output::{Answer, Brief, Output, Reported};
use crate::processes::ProcessBook;
use crate::respond::{self, Responder, Scene};
use crate::restraints::Restraints;
use crate::settings::Settings;
use crate::setup::{Assemble, OwnPolicies, SetupError, assembled, catalogue, policies, tracker_config};

/// A detector's state to go back to after a panic is remembered every so many records: at sequence numbers, not at
/// snapshots, so that a replay goes back to the same.
const KEEP_EVERY: u64 = 4096;

/// A record that tells of something is no question: only those by the gateway or by `Channel::Decide` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record asks nothing: its channel is neither `Gateway` nor `Decide`")]
pub struct NoRequest;

/// One tenant's trackers, detectors, alerts and policy.
pub struct Engine {
    tenant: TenantId,
    settings: Settings,
    assemble: Assemble,
    trackers: Trackers,
    detectors: Vec<Guarded>,
    alerts: AlertBook,
    exceptions: Exceptions,
    mode: Mode,
    preset: Preset,
    own_policies: Arc<OwnPolicies>,
    responder: Responder,
    restraints: Restraints,
    processes: ProcessBook,
    chains: ChainBook,
    chain_rules: Arc<[ChainRule]>,
    found: Findings,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("tenant", &self.tenant)
            .field("detectors", &self.detectors)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine without a past.
    ///
    /// # Errors
    /// [`SetupError`] where a setting has no meaning or two detectors share a code.
    pub fn new(tenant: TenantId, settings: Settings, assemble: Assemble) -> Result<Self, SetupError> {
        let detectors = assembled(&settings, &assemble)?;
        let trackers = Trackers::new(tracker_config(&settings)?, catalogue(&settings)?);
        let chain_rules = chains::chain_rules_of(&settings)?;
        let (mode, preset) = (settings.enforcement.mode, settings.enforcement.preset);
        let mut responder = Responder::default();
        responder.take(policies(&settings, preset, &OwnPolicies::new())?, settings.enforcement.four_eyes);
        Ok(Self {
            tenant,
            settings,
            assemble,
            trackers,
            detectors,
            alerts: AlertBook::default(),
            exceptions: Exceptions::default(),
            mode,
            preset,
            own_policies: Arc::default(),
            responder,
            restraints: Restraints::default(),
            processes: ProcessBook::default(),
            chains: ChainBook::default(),
            chain_rules,
            found: Findings::new(),
        })
    }

    /// Feeds one record. Records come in the order of their sequence numbers.
    pub fn apply(&mut self, record: &Record) -> Output {
        let mut output = Output { transitions: self.alerts.expire(record), ..Output::default() };
        output.steps = self.responder.expire(record.observed_at);
        self.restraints.expire(record.observed_at);
        if let Body::Command(command) = &record.body {
            let was = self.mode;
            self.obey(command, record, &mut output);
            if (was, self.mode) == (Mode::Live, Mode::DryRun) {
                self.file_switched_off(record, &mut output);
            }
        }
        let facts = self.trackers.observe(record);
        output.delegation = facts.delegation.as_ref().map(|d| (d.delegation.as_str().to_owned(), d.outcome.clone()));
        let judge = Judge { detectors: &mut self.detectors, exceptions: &self.exceptions, found: &mut self.found };
        let (judged, panicked) = judge.run(record, &facts);
        drop(facts);
        output.panicked = panicked;
        for found in judged {
            self.file(record, found, &mut output);
        }
        output.answer = self.answer(record, &output.findings);
        if phase(record) == Some(Phase::Request) {
            self.settle_request(record, &mut output);
        }
        let scene = Scene { record, alerts: &self.alerts, mode: self.mode, preset: self.preset };
        output.steps.extend(self.responder.respond(scene, &output.transitions, &output.touched));
        self.trackers.settle(settled(record, &output));
        self.trackers.changes_into(&mut output.ledger);
        if record.seq.0.is_multiple_of(KEEP_EVERY) {
            self.detectors.iter_mut().for_each(Guarded::keep);
        }
        output
    }

    /// Judges an act that has not happened yet: its verdict, and all that it led to. Like [`Engine::apply`], and the
    /// verdict is there.
    ///
    /// # Errors
    /// [`NoRequest`] where the record asks nothing; it was applied all the same.
    pub fn decide(&mut self, record: &Record) -> Result<(Answer, Output), NoRequest> {
        let output = self.apply(record);
        let answer = output.answer.clone().ok_or(NoRequest)?;
        Ok((answer, output))
    }

    /// What the engine would say to a request, without anything being changed by it. Detectors that keep state of their
    /// own are not asked.
    #[must_use]
    pub fn preview(&mut self, record: &Record) -> (Answer, Vec<Reported>) {
        let facts = self.trackers.preview(record);
        let mut reported = Vec::new();
        let asked = |g: &&mut Guarded| g.descriptor().stateless && !g.is_dead() && reads(g, record);
        for guarded in self.detectors.iter_mut().filter(asked) {
            guarded.ask(record, &facts, &mut self.found);
            let code = guarded.descriptor().code;
            let silent = |f: &Finding| self.exceptions.silence(code, f, record.observed_at) || !guarded.is_heard(f);
            for finding in self.found.drain().filter(|f| !silent(f)) {
                reported.push(reported_finding(record, code, &finding, None));
            }
        }
        keep_first_exclusive(&mut reported, |r| r.brief.detector, |_, _| {});
        let down = self.guard_down(record, Phase::Request);
        let decision = self.decision(record, Phase::Request, &reported);
        let answer = down.unwrap_or_else(|| self.held_back(record, Phase::Request, Answer::new(decision, &reported)));
        (answer, reported)
    }

    fn file(&mut self, record: &Record, (index, mut finding): (usize, Finding), output: &mut Output) {
        let Some(guarded) = self.detectors.get(index) else { return };
        let by = guarded.descriptor();
        if record.late {
            finding.severity = finding.severity.min(Severity::Low);
        }
        let attribution = finding.attribution.unwrap_or_else(|| record.attribution());
        let filed = self.alerts.file(Found { record, by, finding: &finding, attribution });
        output.transitions.extend(filed.transitions);
        if !output.touched.contains(&filed.alert) {
            output.touched.push(filed.alert.clone());
        }
        let stage = Stage { detector: by.code, finding: &finding, attribution, alert: &filed.alert };
        let incidents = self.chains.note(record, stage, &self.chain_rules);
        output.findings.push(reported_finding(record, by.code, &finding, Some(filed.alert)));
        for incident in incidents {
            self.file_incident(record, &incident, output);
        }
    }

    /// Findings that follow one another: an alert of their own, to which theirs point.
    fn file_incident(&mut self, record: &Record, incident: &Incident, output: &mut Output) {
        let by = &chains::CHAIN_DESCRIPTOR;
        let attribution = record.attribution();
        if self.exceptions.silence(by.code, &incident.finding, record.observed_at) || self.is_off(by.code) {
            return;
        }
        let filed = self.alerts.file(Found { record, by, finding: &incident.finding, attribution });
        output.transitions.extend(filed.transitions);
        for part in &incident.parts {
            if self.alerts.chain(part, &filed.alert) && !output.touched.contains(part) {
                output.touched.push(part.clone());
            }
        }
        if !output.touched.contains(&filed.alert) {
            output.touched.push(filed.alert.clone());
        }
        output.findings.push(reported_finding(record, by.code, &incident.finding, Some(filed.alert)));
    }

    fn is_off(&self, code: &str) -> bool {
        self.settings.detectors_off.iter().any(|off| off == code)
    }

    fn obey(&mut self, command: &Command, record: &Record, output: &mut Output) {
        match command {
            Command::RestrainAgent { .. }
            | Command::ReleaseAgent { .. }
            | Command::BlockAddress { .. }
            | Command::UnblockAddress { .. } => self.restraints.obey(command),
            Command::RegisterProcess { .. } | Command::ProcessEnded { .. } => self.processes.obey(command),
            Command::SetMode(mode) => {
                self.mode = *mode;
                self.responder.made_by(record);
            }
            Command::SetPreset(name) => self.set_preset(name.as_str(), record),
            Command::SetPolicy { name, policy } => self.set_policy(name, Some(policy.to_value()), record),
            Command::RemovePolicy { name } => self.set_policy(name, None, record),
            Command::DecideApproval { .. } => {
                let decided = respond::said(command).map(|(id, digest, say)| {
                    let steps = self.responder.decide((id, digest), say, record)?;
                    output.steps.extend(steps);
                    Ok(())
                });
                output.approval = decided;
            }
            Command::AddException(exception) => self.exceptions.add(exception),
            Command::RemoveException { id } => self.exceptions.remove(id.as_str()),
            Command::SetAlertStatus { alert, status, note } => {
                output.transitions.extend(self.alerts.set_status(alert, (*status, note.as_ref()), record));
            }
            Command::Configure { content, .. } => self.configure(&content.to_value(), record),
            _ => {}
        }
    }

    /// An alert that still counts, as it is now.
    #[must_use]
    pub fn alert(&self, id: &AlertId) -> Option<&Alert> {
        self.alerts.get(id)
    }

    /// All alerts that still count, in the order of their ids.
    #[must_use]
    pub fn open_alerts(&self) -> Vec<Alert> {
        self.alerts.all()
    }

    /// How much a snapshot of it holds: entries of its ledgers, statistics and alerts, of which an alert is the largest.
    #[must_use]
    pub fn weight(&self) -> usize {
        let stats = self.trackers.stats();
        let ledgers = stats.accounts + stats.delegations + stats.registered;
        let statistics = stats.agents + stats.agent_users + stats.pairs + stats.tokens + stats.behaviour;
        ledgers + statistics + 5 * self.alerts.len()
    }

    /// How many alerts still count.
    #[must_use]
    pub fn alerts_open(&self) -> usize {
        self.alerts.len()
    }

    /// Dry run or live.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The table of verdicts in force.
    #[must_use]
    pub const fn preset(&self) -> Preset {
        self.preset
    }

    /// The settings in force.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The policies in force, in the order in which they are asked.
    #[must_use]
    pub const fn policies(&self) -> &Arc<Vec<Policy>> {
        self.responder.policies()
    }

    /// Those of them that people set by the API.
    #[must_use]
    pub const fn own_policies(&self) -> &Arc<OwnPolicies> {
        &self.own_policies
    }

    /// What waits for a person, in the order of ids.
    pub fn approvals(&self) -> impl Iterator<Item = &Approval> {
        self.responder.approvals().waiting()
    }

    /// The same number means that the same waits.
    #[must_use]
    pub const fn approvals_version(&self) -> u64 {
        self.responder.approvals().version()
    }

    /// Processes of agents.
    #[must_use]
    pub const fn processes(&self) -> &ProcessBook {
        &self.processes
    }

    /// Who is held back for a while.
    #[must_use]
    pub const fn restraints(&self) -> &Restraints {
        &self.restraints
    }

    /// Counts of what the trackers hold.
    #[must_use]
    pub fn stats(&self) -> TrackerStats {
        self.trackers.stats()
    }

    /// Tools whose manifests were shown, by server and name.
    #[must_use]
    pub fn tools(&self) -> Vec<ToolRow> {
        self.trackers.tools()
    }

    /// The same number means that the same tools are known.
    #[must_use]
    pub const fn tools_version(&self) -> u64 {
        self.trackers.tools_version()
    }

    /// Every row of the ledger, to make its tables anew.
    #[must_use]
    pub fn ledger_rows(&self) -> Vec<LedgerChange> {
        self.trackers.ledger_rows().collect()
    }

    /// Codes of detectors that are dead, with whether requests are refused for it.
    #[must_use]
    pub fn dead_detectors(&self) -> Vec<(&'static str, bool)> {
        self.detectors.iter().filter(|g| g.is_dead()).map(|g| (g.descriptor().code, g.blocks())).collect()
    }

    /// What each running detector says of itself.
    pub fn descriptors(&self) -> impl Iterator<Item = &onesec_detector::Descriptor> {
        let own = self.detectors.iter().filter(|g| !g.is_muted()).map(Guarded::descriptor);
        own.chain((!self.is_off(chains::CHAIN_DESCRIPTOR.code)).then_some(&chains::CHAIN_DESCRIPTOR))
    }
}

fn reported_finding(record: &Record, detector: &'static str, finding: &Finding, alert: Option<AlertId>) -> Reported {
    Reported {
        brief: Brief { detector, severity: finding.severity, reason: finding.reason.clone(), alert },
        attribution: finding.attribution.unwrap_or_else(|| record.attribution()),
        binding: finding.binding,
        retry_after: finding.retry_after,
    }
}

/// What the trackers are to make of it: refused attempts join no window, and what raised a finding teaches nothing.
fn settled(record: &Record, output: &Output) -> Settled {
    let refused = output.answer.as_ref().is_some_and(|a| !a.applies.passes());
    let exchange = record.event().is_some_and(|e| matches!(e.kind(), Kind::TokenExchange));
    // What was asked about and refused has not happened.
    let asked = record.sender.channel == Channel::Decide;
    if refused && (exchange || asked) {
        Settled::Refused
    } else if output.findings.is_empty() {
        Settled::Passed
    } else {
        Settled::PassedWithFindings
    }
}
