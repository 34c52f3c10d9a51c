//! The engine: one tenant's state, fed record by record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use onesec_detector::{Detector, Finding, Findings, Module, StateError, StateReader, StateWriter};
use onesec_enforcement::{Decision, Judged, Phase, Preset, Verdict, decide};
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{Alert, AlertId, Body, Channel, Command, Details, Kind, Mode, Name, Record, Severity, TenantId};
use onesec_trackers::{Facts, LedgerChange, Settled, TrackerConfig, TrackerStats, Trackers};

use crate::alerts::AlertBook;
use crate::exceptions::Exceptions;
use crate::guard::{Asked, Guarded};
use crate::output::{Answer, Brief, Output, Reported};
use crate::settings::Settings;

/// Makes detectors and trackers' settings from settings: at the start, and again whenever they change.
pub type Assemble = Box<dyn Fn(&Settings) -> Result<Vec<Box<dyn Detector>>, SetupError> + Send + Sync>;

/// Why an engine cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A setting has no meaning.
    #[error("`{setting}`: {why}")]
    Setting {
        /// Which.
        setting: String,
        /// Why.
        why: String,
    },
    /// Two detectors have the same code, or one has none in kebab-case.
    #[error("detector code `{0}` is taken twice or is no kebab-case name")]
    Code(String),
    /// Saved state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

/// At most one of these per record, the first; the others become its attribute `also`.
const EXCLUSIVE: [&str; 4] = ["revoked-access", "confused-deputy", "unauthorized-agent", "unlinked-exchange"];

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
        out.nested("trackers", |out| self.trackers.save(out));
        out.nested("detector", |out| {
            for guarded in &mut self.detectors {
                let code = guarded.descriptor().code;
                out.nested(code, |out| guarded.save(out));
                guarded.keep();
            }
        });
    }

    /// Feeds one record. Records come in the order of their sequence numbers.
    pub fn apply(&mut self, record: &Record) -> Output {
        let mut output = Output { transitions: self.alerts.expire(record), ..Output::default() };
        if let Body::Command(command) = &record.body {
            self.obey(command, record, &mut output);
        }
        let facts = self.trackers.observe(record);
        output.delegation = facts.delegation.as_ref().map(|d| (d.delegation.as_str().to_owned(), d.outcome.clone()));
        let judge = Judge { detectors: &mut self.detectors, exceptions: &self.exceptions, found: &mut self.found };
        let (judged, panicked) = judge.run(record, &facts);
        drop(facts);
        output.panicked = panicked;
        for (index, finding) in judged {
            self.file(record, index, finding, &mut output);
        }
        output.answer = self.answer(record, &output.findings);
        self.trackers.settle(settled(record, &output));
        output.ledger = self.trackers.changes();
        output
    }

    /// What the engine would say to a request, without anything being changed by it. Detectors that keep state of their
    /// own are not asked.
    #[must_use]
    pub fn preview(&mut self, record: &Record) -> (Answer, Vec<Reported>) {
        let facts = self.trackers.preview(record);
        let mut reported = Vec::new();
        for guarded in self.detectors.iter_mut().filter(|g| g.descriptor().stateless && reads(g, record)) {
            guarded.judge(record, &facts, &mut self.found);
            let code = guarded.descriptor().code;
            for finding in self.found.drain().filter(|f| !self.exceptions.silence(code, f, record.observed_at)) {
                reported.push(reported_finding(record, code, &finding, None));
            }
        }
        keep_first_exclusive(&mut reported, |r| r.brief.detector, |_, _| {});
        let decision = self.decision(Phase::Request, &reported);
        (Answer::new(decision, &reported), reported)
    }

    fn file(&mut self, record: &Record, index: usize, mut finding: Finding, output: &mut Output) {
        let Some(guarded) = self.detectors.get(index) else { return };
        let by = guarded.descriptor();
        if record.late {
            finding.severity = finding.severity.min(Severity::Low);
        }
        let attribution = finding.attribution.unwrap_or_else(|| record.attribution());
        let filed = self.alerts.file(record, by, &finding, attribution);
        output.transitions.extend(filed.transitions);
        if !output.touched.contains(&filed.alert) {
            output.touched.push(filed.alert.clone());
        }
        output.findings.push(reported_finding(record, by.code, &finding, Some(filed.alert)));
    }

    fn answer(&self, record: &Record, findings: &[Reported]) -> Option<Answer> {
        let phase = phase(record)?;
        if let Some(dead) = self.detectors.iter().find(|g| g.blocks() && reads(g, record)) {
            return Some(guard_down(dead.descriptor().code, self.mode));
        }
        Some(Answer::new(self.decision(phase, findings), findings))
    }

    fn decision(&self, phase: Phase, findings: &[Reported]) -> Decision {
        let judged: Vec<Judged<'_>> = findings
            .iter()
            .map(|f| Judged {
                detector: f.brief.detector,
                severity: f.brief.severity,
                binding: f.binding,
                retry_after: f.retry_after,
            })
            .collect();
        decide(self.preset, self.mode, phase, &judged)
    }

    fn obey(&mut self, command: &Command, record: &Record, output: &mut Output) {
        match command {
            Command::SetMode(mode) => self.mode = *mode,
            Command::SetPreset(name) => self.preset = Preset::from_name(name.as_str()).unwrap_or(self.preset),
            Command::AddException(exception) => self.exceptions.add(exception),
            Command::RemoveException { id } => self.exceptions.remove(id.as_str()),
            Command::SetAlertStatus { alert, status, note } => {
                output.transitions.extend(self.alerts.set_status(alert, *status, note.as_ref(), record));
            }
            Command::Configure { content, .. } => self.configure(&content.to_value()),
            _ => {}
        }
    }

    /// Takes new settings. They were checked before they became a record; what cannot be used changes nothing.
    fn configure(&mut self, content: &serde_json::Value) {
        let Ok(settings) = serde_json::from_value::<Settings>(content.clone()) else { return };
        let Ok(detectors) = assembled(&settings, &self.assemble) else { return };
        let (Ok(config), Ok(catalogue)) = (tracker_config(&settings), catalogue(&settings)) else { return };
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
        if settings.enforcement != self.settings.enforcement {
            (self.mode, self.preset) = (settings.enforcement.mode, settings.enforcement.preset);
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

    /// Connections of linked accounts.
    #[must_use]
    pub fn connections(&self) -> Vec<onesec_telemetry::ConnectionName> {
        self.trackers.connections().filter_map(|name| onesec_telemetry::ConnectionName::new(name).ok()).collect()
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
        self.detectors.iter().map(Guarded::descriptor)
    }
}

/// The detectors at work on one record.
struct Judge<'a> {
    detectors: &'a mut Vec<Guarded>,
    exceptions: &'a Exceptions,
    found: &'a mut Findings,
}

type JudgedBy = Vec<(usize, Finding)>;

impl Judge<'_> {
    fn run(self, record: &Record, facts: &Facts<'_>) -> (JudgedBy, Vec<&'static str>) {
        let (mut judged, mut panicked): (JudgedBy, _) = (Vec::new(), Vec::new());
        let tick = matches!(record.body, Body::Tick);
        for (index, guarded) in self.detectors.iter_mut().enumerate() {
            if guarded.is_dead() || !(tick || reads(guarded, record)) {
                continue;
            }
            let asked = if tick {
                guarded.tick(record.observed_at, self.found)
            } else {
                guarded.judge(record, facts, self.found)
            };
            let code = guarded.descriptor().code;
            if asked == Asked::Panicked {
                panicked.push(code);
            }
            let heard = self.found.drain().filter(|f| !self.exceptions.silence(code, f, record.observed_at));
            judged.extend(heard.map(|finding| (index, finding)));
        }
        let codes: Vec<&'static str> = self.detectors.iter().map(|g| g.descriptor().code).collect();
        let code = |(index, _): &(usize, Finding)| codes.get(*index).copied().unwrap_or_default();
        keep_first_exclusive(&mut judged, code, |(_, kept), also| {
            kept.attributes.insert("also", also.into_iter().map(str::to_owned).collect::<Vec<_>>().into());
        });
        (judged, panicked)
    }
}

/// Of the findings that say the same thing in degrees, keeps those of the first detector, and tells it of the others.
fn keep_first_exclusive<T>(
    list: &mut Vec<T>,
    code: impl Fn(&T) -> &'static str,
    tell: impl Fn(&mut T, BTreeSet<&'static str>),
) {
    let rank = |item: &T| EXCLUSIVE.iter().position(|c| *c == code(item));
    let Some(first) = list.iter().filter_map(&rank).min() else { return };
    let also: BTreeSet<&'static str> =
        list.iter().filter(|item| rank(item).is_some_and(|r| r > first)).map(&code).collect();
    if also.is_empty() {
        return;
    }
    list.retain(|item| rank(item).is_none_or(|r| r == first));
    if let Some(kept) = list.iter_mut().find(|item| rank(item) == Some(first)) {
        tell(kept, also);
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

fn reads(guarded: &Guarded, record: &Record) -> bool {
    record.event().is_some_and(|event| guarded.descriptor().reads(event.kind()))
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

/// A dead guard keeps its gate shut.
fn guard_down(detector: &'static str, mode: Mode) -> Answer {
    let because = Brief {
        detector,
        severity: Severity::Critical,
        reason: format!("detector `{detector}` is down, and what it guards is refused"),
        alert: None,
    };
    Answer { applies: Verdict::Deny, would: Verdict::Deny, mode, because: Some(because) }
}

fn assembled(settings: &Settings, assemble: &Assemble) -> Result<Vec<Guarded>, SetupError> {
    let mut detectors: Vec<Guarded> = Vec::new();
    for detector in assemble(settings)? {
        let descriptor = detector.descriptor();
        let code = descriptor.code;
        let kebab = !code.is_empty()
            && code.len() <= 64
            && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !kebab || Name::new(code).is_err() || detectors.iter().any(|g| g.descriptor().code == code) {
            return Err(SetupError::Code(code.to_owned()));
        }
        let off = settings.detectors_off.iter().any(|c| c == code) || module_off(settings, descriptor.module);
        if !off {
            detectors.push(Guarded::new(detector));
        }
    }
    Ok(detectors)
}

fn module_off(settings: &Settings, module: Module) -> bool {
    settings.modules_off.iter().any(|m| m == module.as_str())
}

fn catalogue(settings: &Settings) -> Result<Arc<Catalogue>, SetupError> {
    match &settings.catalogue {
        None => Ok(Arc::new(Catalogue::builtin().clone())),
        Some(text) => Catalogue::with_additions(text)
            .map(Arc::new)
            .map_err(|e| SetupError::Setting { setting: "catalogue".to_owned(), why: e.to_string() }),
    }
}

fn tracker_config(settings: &Settings) -> Result<TrackerConfig, SetupError> {
    let mut config = TrackerConfig { max_depth: settings.max_depth, ..TrackerConfig::default() };
    let wrong = |setting: &str, why: &str| SetupError::Setting { setting: setting.to_owned(), why: why.to_owned() };
    for name in &settings.default_connections {
        let name = onesec_telemetry::ConnectionName::new(name)
            .map_err(|e| wrong("delegations.default_connections", &e.to_string()))?;
        config.default_connections.push(name);
    }
    let Some(rate) = settings.detectors.get("exchange-rate") else { return Ok(config) };
    if let Some(limit) = rate.get("limit") {
        let limit = limit.as_u64().filter(|l| (1..=10_000).contains(l));
        let limit = limit.ok_or_else(|| wrong("detectors.exchange-rate.limit", "must be 1 to 10 000"))?;
        config.exchange_rate.limit = u32::try_from(limit).unwrap_or(u32::MAX);
    }
    if let Some(window) = rate.get("window_seconds") {
        let seconds = window.as_u64().filter(|s| (1..=86_400).contains(s));
        let seconds = seconds.ok_or_else(|| wrong("detectors.exchange-rate.window", "must be 1s to 24h"))?;
        config.exchange_rate.window = std::time::Duration::from_secs(seconds);
    }
    Ok(config)
}
