//! The engine: one tenant's state, fed record by record.

use std::collections::BTreeMap;
use std::sync::Arc;

use onesec_detector::{Descriptor, Finding, Findings, Module, StateError, StateReader, StateWriter};
use onesec_enforcement::{Approval, Decision, Judged, Phase, Policy, Preset, Verdict, decide, ruled};
use onesec_telemetry::{Alert, AlertId, Body, Channel, Command, Details, Kind, Mode, Record, Severity, TenantId};
use onesec_trackers::{LedgerChange, Settled, TrackerStats, Trackers};

use crate::alerts::{AlertBook, Found};
use crate::exceptions::Exceptions;
use crate::guard::Guarded;
use crate::judge::{Judge, keep_first_exclusive, reads};
use crate::output::{Answer, Brief, Output, Reported};
use crate::processes::ProcessBook;
use crate::respond::{self, Responder, Scene};
use crate::restraints::{HeldBack, Restraints};
use crate::settings::Settings;
use crate::setup::{Assemble, SetupError, assembled, catalogue, policies, tracker_config};

/// A detector's state to go back to after a panic is remembered every so many records: at sequence numbers, not at
/// snapshots, so that a replay goes back to the same.
const KEEP_EVERY: u64 = 4096;

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
    responder: Responder,
    restraints: Restraints,
    processes: ProcessBook,
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
        let (mode, preset) = (settings.enforcement.mode, settings.enforcement.preset);
        let mut responder = Responder::default();
        responder.take(policies(&settings, preset)?, settings.enforcement.four_eyes);
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
            responder,
            restraints: Restraints::default(),
            processes: ProcessBook::default(),
            found: Findings::new(),
        })
    }

    /// An engine as it was when [`Engine::save`] was called.
    ///
    /// # Errors
    /// [`SetupError`] where the saved state cannot be used.
    pub fn load(
        tenant: TenantId,
        assemble: Assemble,
        sections: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, SetupError> {
        let state = StateReader::new(sections);
        let text: String = state.get("settings")?;
        let settings: Settings =
            serde_json::from_str(&text).map_err(|_| StateError::Undecodable("settings".to_owned()))?;
        let mut engine = Self::new(tenant, settings, assemble)?;
        let (mode, preset) = state.get("policy")?;
        (engine.mode, engine.preset) = (mode, preset);
        engine.responder.take(policies(&engine.settings, preset)?, engine.settings.enforcement.four_eyes);
        engine.responder.load(state.below("respond/"))?;
        engine.restraints = state.get("restraints")?;
        engine.processes = state.get("processes")?;
        engine.exceptions = state.get("exceptions")?;
        engine.alerts = AlertBook::from_saved(state)?;
        let config = tracker_config(&engine.settings)?;
        engine.trackers = Trackers::load(config, catalogue(&engine.settings)?, state.below("trackers/"))?;
        for guarded in &mut engine.detectors {
            let outer = format!("detector/{}/", guarded.descriptor().code);
            let inner = format!("{outer}state/");
            guarded.load(state.below(&outer), state.below(&inner));
        }
        Ok(engine)
    }

    /// Saves everything that later output depends on.
    pub fn save(&mut self, out: &mut StateWriter) {
        out.put("settings", &self.settings.to_json().to_string());
        out.put("policy", &(self.mode, self.preset));
        out.put("exceptions", &self.exceptions);
        out.put("alerts", &self.alerts.to_saved());
        out.put("restraints", &self.restraints);
        out.put("processes", &self.processes);
        out.nested("respond", |out| self.responder.save(out));
        out.nested("trackers", |out| self.trackers.save(out));
        out.nested("detector", |out| {
            for guarded in &self.detectors {
                let code = guarded.descriptor().code;
                out.nested(code, |out| guarded.save(out));
            }
        });
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
        output.steps.extend(self.responder.respond(scene, &output.transitions));
        self.trackers.settle(settled(record, &output));
        output.ledger = self.trackers.changes();
        if record.seq.0.is_multiple_of(KEEP_EVERY) {
            self.detectors.iter_mut().for_each(Guarded::keep);
        }
        output
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

    /// What passes counts and uses up what let it pass; what is held is asked about.
    fn settle_request(&mut self, record: &Record, output: &mut Output) {
        let Some(answer) = &mut output.answer else { return };
        if answer.applies.passes() {
            self.restraints.count(record);
            let covered = self.responder.covered(record, Phase::Request, &output.findings);
            if self.mode == Mode::Live && covered.contains(&true) {
                output.steps.extend(self.responder.use_up(record));
            }
        } else if answer.applies == Verdict::Hold {
            let scene = Scene { record, alerts: &self.alerts, mode: self.mode, preset: self.preset };
            let (approval, step) = self.responder.hold(scene, &output.findings, answer);
            answer.approval = approval;
            output.steps.extend(step);
        }
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
        output.findings.push(reported_finding(record, by.code, &finding, Some(filed.alert)));
    }

    fn answer(&self, record: &Record, findings: &[Reported]) -> Option<Answer> {
        let phase = phase(record)?;
        if let Some(down) = self.guard_down(record, phase) {
            return Some(down);
        }
        let answer = Answer::new(self.decision(record, phase, findings), findings);
        Some(self.held_back(record, phase, answer))
    }

    /// The answer, where nothing holds agent or address back for a while.
    fn held_back(&self, record: &Record, phase: Phase, answer: Answer) -> Answer {
        let Some(HeldBack { verdict, reason }) = self.restraints.ask(record, phase) else { return answer };
        if verdict <= answer.applies {
            return answer;
        }
        let because = Brief { detector: "restraint", severity: Severity::High, reason, alert: None };
        Answer {
            applies: verdict,
            would: verdict.max(answer.would),
            mode: self.mode,
            because: Some(because),
            approval: None,
        }
    }

    /// A dead guard keeps its gate shut.
    fn guard_down(&self, record: &Record, phase: Phase) -> Option<Answer> {
        let dead = self.detectors.iter().find(|g| g.blocks() && reads(g, record))?;
        let detector = dead.descriptor().code;
        let because = Brief {
            detector,
            severity: Severity::Critical,
            reason: format!("detector `{detector}` is down, and what it guards is refused"),
            alert: None,
        };
        let verdict = if phase == Phase::Release { Verdict::Withhold } else { Verdict::Deny };
        Some(Answer { applies: verdict, would: verdict, mode: self.mode, because: Some(because), approval: None })
    }

    fn decision(&self, record: &Record, phase: Phase, findings: &[Reported]) -> Decision {
        let whom = [
            record.agent().map(AsRef::as_ref),
            record.user().map(AsRef::as_ref),
            record.connection().map(AsRef::as_ref),
        ];
        let covered = self.responder.covered(record, phase, findings);
        let judged: Vec<Judged<'_>> = findings
            .iter()
            .zip(covered)
            .map(|(f, covered)| Judged {
                detector: f.brief.detector,
                severity: f.brief.severity,
                binding: f.binding,
                retry_after: f.retry_after,
                ruled: if covered {
                    Some(Verdict::Allow)
                } else {
                    ruled(self.responder.policies(), (f.brief.detector, f.brief.severity), whom)
                },
            })
            .collect();
        decide(self.preset, self.mode, phase, &judged)
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

    /// Another table of verdicts, and other policies with it. One that cannot be used changes nothing.
    fn set_preset(&mut self, name: &str, record: &Record) {
        let Some(preset) = Preset::from_name(name) else { return };
        let Ok(policies) = policies(&self.settings, preset) else { return };
        self.preset = preset;
        self.responder.take(policies, self.settings.enforcement.four_eyes);
        self.responder.made_by(record);
    }

    /// That nothing is enforced any more is worth an alert of its own.
    fn file_switched_off(&mut self, record: &Record, output: &mut Output) {
        let by = Descriptor::new("enforcement-off", Module::TokenVault, "Enforcement was switched off");
        let who = record.sender.owner.as_ref().map_or("the configuration", AsRef::as_ref);
        let reason = format!("{who} went from live to dry run: what is found is no longer acted on");
        let finding = Finding::about(record, Severity::High, reason);
        let filed = self.alerts.file(Found { record, by: &by, finding: &finding, attribution: record.attribution() });
        output.transitions.extend(filed.transitions);
        output.touched.push(filed.alert.clone());
        output.findings.push(reported_finding(record, by.code, &finding, Some(filed.alert)));
    }

    /// Takes new settings. They were checked before they became a record; what cannot be used changes nothing.
    fn configure(&mut self, content: &serde_json::Value, record: &Record) {
        let Ok(settings) = serde_json::from_value::<Settings>(content.clone()) else { return };
        let Ok(detectors) = assembled(&settings, &self.assemble) else { return };
        let (Ok(config), Ok(catalogue)) = (tracker_config(&settings), catalogue(&settings)) else { return };
        let changed = settings.enforcement != self.settings.enforcement;
        let preset = if changed { settings.enforcement.preset } else { self.preset };
        let Ok(policies) = policies(&settings, preset) else { return };
        let old = std::mem::replace(&mut self.detectors, detectors);
        for guarded in &mut self.detectors {
            let code = guarded.descriptor().code;
            let Some(former) = old.iter().find(|g| g.descriptor().code == code) else { continue };
            let mut out = StateWriter::default();
            former.save(&mut out);
            let sections = out.into_sections().into_iter().collect();
            let state = StateReader::new(&sections);
            guarded.load(state, state.below("state/"));
        }
        self.trackers.reconfigure(config, catalogue);
        self.responder.take(policies, settings.enforcement.four_eyes);
        if changed {
            (self.mode, self.preset) = (settings.enforcement.mode, settings.enforcement.preset);
            self.responder.made_by(record);
        }
        self.settings = settings;
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

    /// What waits for a person, in the order of ids.
    pub fn approvals(&self) -> impl Iterator<Item = &Approval> {
        self.responder.approvals().waiting()
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
        self.detectors.iter().filter(|g| !g.is_muted()).map(Guarded::descriptor)
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

/// At which point of a request a record stands; `None` for what has happened already.
fn phase(record: &Record) -> Option<Phase> {
    match (record.sender.channel, record.event().map(|e| &e.details)) {
        (Channel::Gateway, Some(Details::TokenExchange(_))) | (Channel::Decide, Some(_)) => Some(Phase::Request),
        (Channel::Gateway, Some(Details::TokenExchangeResponse(d))) if d.success => Some(Phase::Release),
        _ => None,
    }
}

/// What the trackers are to make of it: refused attempts join no window, and what raised a finding teaches nothing.
fn settled(record: &Record, output: &Output) -> Settled {
    let refused = output.answer.as_ref().is_some_and(|a| !a.applies.passes());
    let exchange = record.event().is_some_and(|e| matches!(e.kind(), Kind::TokenExchange));
    if refused && exchange {
        Settled::Refused
    } else if output.findings.is_empty() {
        Settled::Passed
    } else {
        Settled::PassedWithFindings
    }
}
