//! Prometheus metrics. Every label has a bounded set of values: kinds, codes, routes, detectors; never what a client
//! made up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use onesec_telemetry::{Kind, Severity};
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::core::Core;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LogLabels {
    log_type: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AlertLabels {
    detector: String,
    severity: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DetectorLabel {
    detector: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

type Histograms = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// All metrics of one server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Mutex<Registry>,
    events: Family<KindLabel, Counter>,
    rejections: Family<CodeLabel, Counter>,
    log_entries: Family<LogLabels, Counter>,
    alerts: Family<AlertLabels, Counter>,
    exchanges: Family<OutcomeLabel, Counter>,
    answers: Family<AnswerLabels, Counter>,
    latency: Histograms,
    connections: Gauge,
    refused_connections: Counter,
    scraped: Scraped,
}

/// What is copied from the core when somebody asks.
#[derive(Debug, Default)]
struct Scraped {
    findings: Family<DetectorLabel, Counter>,
    panics: Family<DetectorLabel, Counter>,
    commits: Counter,
    commit_failures: Counter,
    records: Counter,
    records_per_commit: Gauge<f64, AtomicU64>,
    queue_depth: Gauge,
    journal_bytes: Gauge,
    alerts_open: Gauge,
    dead_detectors: Gauge,
    uptime_seconds: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics that nothing has been counted in.
    #[must_use]
    pub fn new() -> Self {
        let inner = Inner {
            registry: Mutex::new(Registry::with_prefix("onesec")),
            events: Family::default(),
            rejections: Family::default(),
            log_entries: Family::default(),
            alerts: Family::default(),
            exchanges: Family::default(),
            answers: Family::default(),
            latency: Family::new_with_constructor(latency_histogram),
            connections: Gauge::default(),
            refused_connections: Counter::default(),
            scraped: Scraped::default(),
        };
        inner.register();
        Self(Arc::new(inner))
    }

    /// An event came in.
    pub fn event(&self, kind: Kind) {
        self.0.events.get_or_create(&KindLabel { kind: kind.as_str() }).inc();
    }

    /// An event or a body was rejected, for a reason with this stable code.
    pub fn rejected(&self, code: &str) {
        self.0.rejections.get_or_create(&CodeLabel { code: code.to_owned() }).inc();
    }

    /// An entry of Auth0's log came in: of which type, as the table of types has it, and whether it was read.
    pub(crate) fn log_entry(&self, (log_type, outcome): (&'static str, &'static str)) {
        self.0.log_entries.get_or_create(&LogLabels { log_type, outcome }).inc();
    }

    /// An alert was opened.
    pub fn alert_opened(&self, detector: &str, severity: Severity) {
        let labels = AlertLabels { detector: detector.to_owned(), severity: severity.as_str() };
        self.0.alerts.get_or_create(&labels).inc();
    }

    /// An exchange ended.
    pub fn exchanged(&self, outcome: &'static str) {
        self.0.exchanges.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// A request was answered.
    pub fn answered(&self, (method, route): (&'static str, &'static str), status: u16, took: Duration) {
        self.0.latency.get_or_create(&RouteLabels { route, method }).observe(took.as_secs_f64());
        self.0.answers.get_or_create(&AnswerLabels { route, method, status }).inc();
    }

    /// A connection was accepted.
    pub fn connected(&self) {
        self.0.connections.inc();
    }

    /// A connection ended.
    pub fn disconnected(&self) {
        self.0.connections.dec();
    }

    /// A connection was closed at once because there are too many.
    pub fn turned_away(&self) {
        self.0.refused_connections.inc();
    }

    /// Everything, in the text format of Prometheus.
    #[must_use]
    pub fn render(&self, core: &Core, uptime: Duration) -> String {
        self.0.scraped.take(core, uptime);
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.0.registry.lock());
        text
    }
}

impl Inner {
    fn register(&self) {
        let mut registry = self.registry.lock();
        registry.register("events", "Events taken in, by kind", self.events.clone());
        registry.register("rejected", "Events and bodies rejected, by code", self.rejections.clone());
        registry.register("auth0_log_entries", "Entries of Auth0's log, by type", self.log_entries.clone());
        registry.register("alerts", "Alerts opened, by detector and severity", self.alerts.clone());
        registry.register("exchanges", "Token exchanges, by outcome", self.exchanges.clone());
        registry.register("http_answers", "Requests answered", self.answers.clone());
        registry.register_with_unit("http_request_duration", "Time to answer", Unit::Seconds, self.latency.clone());
        registry.register("http_connections", "Open connections", self.connections.clone());
        registry.register("http_connections_refused", "Connections turned away", self.refused_connections.clone());
        self.scraped.register(&mut registry);
    }
}

impl Scraped {
    fn register(&self, registry: &mut Registry) {
        registry.register("detector_findings", "Findings, by detector", self.findings.clone());
        registry.register("detector_panics", "Panics, by detector", self.panics.clone());
        registry.register("journal_commits", "Commits", self.commits.clone());
        registry.register("journal_commit_failures", "Commits that failed", self.commit_failures.clone());
        registry.register("journal_records", "Records made durable", self.records.clone());
        registry.register("journal_records_per_commit", "Mean since the start", self.records_per_commit.clone());
        registry.register_with_unit("journal_size", "Size of the journal", Unit::Bytes, self.journal_bytes.clone());
        registry.register("queue_depth", "What waits for its place", self.queue_depth.clone());
        registry.register("alerts_open", "Alerts that still count", self.alerts_open.clone());
        registry.register("detectors_dead", "Detectors out of service", self.dead_detectors.clone());
        registry.register_with_unit("uptime", "Time since the start", Unit::Seconds, self.uptime_seconds.clone());
    }

    fn take(&self, core: &Core, uptime: Duration) {
        let health = core.health();
        store(&self.commits, health.commits);
        store(&self.commit_failures, health.commit_failures);
        store(&self.records, health.records);
        self.records_per_commit.set(health.records as f64 / health.commits.max(1) as f64);
        self.queue_depth.set(gauge(health.waiting as u64));
        self.uptime_seconds.set(gauge(uptime.as_secs()));
        if let Ok(bytes) = core.reader().size_bytes() {
            self.journal_bytes.set(gauge(bytes));
        }
        let (mut open, mut dead) = (0, 0);
        let mut totals: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
        for view in core.tenants().iter().filter_map(|tenant| core.view(tenant)) {
            open += view.alerts_open;
            dead += view.dead_detectors.len();
            for detector in &view.detectors {
                let total = totals.entry(detector.code).or_default();
                *total = (total.0 + detector.findings, total.1 + detector.panics);
            }
        }
        self.alerts_open.set(gauge(open as u64));
        self.dead_detectors.set(gauge(dead as u64));
        for (detector, (findings, panics)) in totals {
            store(&self.findings.get_or_create(&DetectorLabel { detector }), findings);
            store(&self.panics.get_or_create(&DetectorLabel { detector }), panics);
        }
    }
}

/// The core counts; we only show.
fn store(counter: &Counter, value: u64) {
    counter.inner().store(value, Ordering::Relaxed);
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// From half a millisecond, which is a commit, to ten seconds, which is an upstream that gave up.
fn latency_histogram() -> Histogram {
    Histogram::new([0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0])
}
