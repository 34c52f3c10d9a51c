//! One tenant: gives records their place, feeds the engine, and says what is to be written.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use onesec_enforcement::Verdict;
use onesec_engine::{Answer, Engine, Output};
use onesec_journal::{DedupEntry, LedgerWrite, Reader, RecordRow, fail_points};
use onesec_telemetry::{
    Alert, AlertId, AlertStatus, Attestation, Body, Change, Command, Decided, Name, Record, Sender, Seq, Subject,
    TenantId, Text, Timestamp, Transition,
};

use super::api::{Draft, News, Obeyed, Order, Ruling, Taken};
use super::codec::{Encoded, dedup_entry, encode};
use super::commit::Pending;
use super::dedup::{Dedup, Novelty};
use super::rows::{alert_row, conflict_letter, put_output, transition_row};
use super::stats::ExchangeStats;
use super::view::{TenantView, Viewer};

/// A trusted time counts within this of our own.
const TIME_TOLERANCE: Duration = Duration::from_secs(120);
/// Alerts that were closed lately: a person may decide on one before its row can be read.
const MAX_CLOSED: usize = 10_000;

/// One tenant's state. Whoever has it is the only writer.
pub(super) struct Tenant {
    pub(super) name: TenantId,
    pub(super) engine: Engine,
    pub(super) seq: Seq,
    pub(super) observed_at: Timestamp,
    pub(super) dedup: Dedup,
    pub(super) since_snapshot: u64,
    since_tick: u64,
    last_tick: Timestamp,
    pub(super) exchanges: ExchangeStats,
    /// The settings in force are no record yet.
    pub(super) unsettled: bool,
    viewer: Viewer,
    /// What the newest view shows.
    viewed: Option<Seq>,
    touched: BTreeSet<AlertId>,
    closed: ClosedAlerts,
    reader: Reader,
}

impl Tenant {
    pub(super) fn new(name: TenantId, engine: Engine, viewer: Viewer, reader: Reader) -> Self {
        Self {
            name,
            engine,
            seq: Seq(0),
            observed_at: Timestamp::EPOCH,
            dedup: Dedup::default(),
            since_snapshot: 0,
            since_tick: 0,
            last_tick: Timestamp::EPOCH,
            exchanges: ExchangeStats::default(),
            unsettled: false,
            viewer,
            viewed: None,
            touched: BTreeSet::new(),
            closed: ClosedAlerts::default(),
            reader,
        }
    }

    /// Takes an event of a submission.
    pub(super) fn take(&mut self, mut draft: Draft, now: Timestamp, pending: &mut Pending) -> Taken {
        let id = draft.event.id.clone();
        let ledger = std::mem::take(&mut draft.ledger);
        let record = self.record(draft, now);
        let encoded = encode(&record);
        let dedup = dedup_entry(&record, &encoded);
        if let Some(entry) = &dedup {
            match self.dedup.look(entry) {
                Novelty::Duplicate => {
                    // What is done is done; what it would begin was begun the first time.
                    let done = ledger.into_iter().filter(|write| matches!(write, LedgerWrite::Remove { .. }));
                    pending.batch.ledger.extend(done);
                    return Taken::Duplicate { id };
                }
                Novelty::Conflict => {
                    pending.batch.dead_letters.push(conflict_letter(&self.name, &record));
                    return Taken::Conflict { id };
                }
                Novelty::New => self.dedup.remember(*entry, record.observed_at),
            }
        }
        let output = self.apply_encoded((record, encoded), dedup, pending);
        pending.batch.ledger.extend(ledger);
        Taken::Recorded { seq: self.seq, id, delegation: output.delegation }
    }

    /// Rules on a request.
    pub(super) fn rule(&mut self, mut draft: Draft, now: Timestamp, pending: &mut Pending) -> Option<Ruling> {
        pending.batch.ledger.append(&mut draft.ledger);
        let record = self.record(draft, now);
        let event = record.event()?;
        let (event_id, exchange_id) = (event.id.clone(), event.details.exchange_id().cloned());
        let output = self.apply(record, pending);
        let seq = self.seq;
        let Some(answer) = output.answer else {
            // It has happened already: there is nothing to rule on, and nothing against it.
            let mode = self.engine.mode();
            let answer = Answer { applies: Verdict::Allow, would: Verdict::Allow, mode, because: None, approval: None };
            return Some(Ruling { seq, event_id, answer, findings: output.findings });
        };
        let decided = Decided {
            seq,
            exchange_id,
            decision: word(answer.applies.as_str()),
            would: word(answer.would.as_str()),
            mode: answer.mode,
            findings: output
                .findings
                .iter()
                .map(|f| (word(f.brief.detector), f.brief.severity, Text::redacted(&f.brief.reason)))
                .collect(),
        };
        let record = self.system(Body::Decided(decided), now);
        self.apply(record, pending);
        Some(Ruling { seq, event_id, answer, findings: output.findings })
    }

    /// Carries an order out.
    pub(super) fn obey(&mut self, order: Order, now: Timestamp, pending: &mut Pending) -> Obeyed {
        let status = match &order.command {
            Command::SetAlertStatus { alert, status, note } => Some((alert.clone(), *status, note.clone())),
            _ => None,
        };
        let mut record = self.system(Body::Command(order.command), now);
        record.sender = order.sender.clone();
        let output = self.apply(record, pending);
        if let (Some(Ok(())), Some(then)) = (&output.approval, order.then) {
            let mut record = self.system(Body::Command(then), now);
            record.sender = order.sender;
            // In the same batch: a crash leaves both or neither.
            self.apply(record, pending);
        }
        if let Some((alert, status, note)) = status {
            let known = output.transitions.iter().any(|t| t.alert == alert);
            if !known {
                self.patch_closed(&alert, (status, note.as_ref()), pending);
            }
        }
        pending.batch.ledger.extend(order.ledger);
        Obeyed { seq: self.seq, delegation: output.delegation, approval: output.approval }
    }

    /// Lets time pass, where anything depends on it.
    pub(super) fn tick(&mut self, now: Timestamp, pending: &mut Pending) {
        let idle = self.since_tick == 0 && self.engine.alerts_open() == 0;
        let soon = self.since_tick == 0 && now.since(self.last_tick) < Duration::from_secs(60);
        // A question that nobody answered in time is over then, and not whenever something else happens.
        let over = self.engine.approvals().any(|approval| approval.expires_at <= now);
        if (idle || soon) && !over {
            return;
        }
        let record = self.system(Body::Tick, now);
        self.apply(record, pending);
        (self.since_tick, self.last_tick) = (0, now);
    }

    /// A record that changes nothing: tries whether the journal can be written again.
    pub(super) fn probe(&mut self, now: Timestamp, pending: &mut Pending) {
        let record = self.system(Body::Tick, now);
        self.apply(record, pending);
    }

    /// The answer to a question that changes nothing.
    pub(super) fn preview(&mut self, draft: Draft, now: Timestamp) -> (Answer, Vec<onesec_engine::Reported>) {
        let mut record = self.record(draft, now);
        record.seq = self.seq.next();
        self.engine.preview(&record)
    }

    fn record(&self, draft: Draft, now: Timestamp) -> Record {
        let observed_at = now.max(self.observed_at);
        let (at, late) = match draft.event.timestamp.filter(|_| draft.trusted_time) {
            Some(said) if said + TIME_TOLERANCE < observed_at => (said, true),
            Some(said) if said <= observed_at + TIME_TOLERANCE => (said, false),
            _ => (observed_at, false),
        };
        Record {
            tenant: self.name.clone(),
            seq: self.seq.next(),
            observed_at,
            at,
            late,
            sender: draft.sender,
            subject: draft.subject,
            attestation: draft.attestation,
            network: draft.network,
            text: draft.text,
            body: Body::Event(draft.event),
        }
    }

    fn system(&self, body: Body, now: Timestamp) -> Record {
        let observed_at = now.max(self.observed_at);
        Record {
            tenant: self.name.clone(),
            seq: self.seq.next(),
            observed_at,
            at: observed_at,
            late: false,
            sender: Sender::system(),
            subject: Subject::Unknown,
            attestation: Attestation::Absent,
            network: None,
            text: None,
            body,
        }
    }

    /// Applies a record that is to be the next.
    fn apply(&mut self, record: Record, pending: &mut Pending) -> Output {
        let encoded = encode(&record);
        self.apply_encoded((record, encoded), None, pending)
    }

    /// The one place where a record takes its number, is applied, and is put among what is to be written.
    fn apply_encoded(
        &mut self,
        (record, encoded): (Record, Encoded),
        dedup: Option<DedupEntry>,
        pending: &mut Pending,
    ) -> Output {
        debug_assert_eq!(record.seq, self.seq.next(), "a record is made right before it is applied");
        self.seq = record.seq;
        self.observed_at = record.observed_at;
        self.since_snapshot += 1;
        if !matches!(record.body, Body::Tick | Body::Decided(_)) {
            self.since_tick += 1;
        }
        let bytes = encoded.bytes.into();
        let row =
            RecordRow { tenant: self.name.clone(), seq: self.seq.0, observed_at: record.observed_at, dedup, bytes };
        pending.batch.records.push(row);
        fail_points::pass("apply.before");
        let output = self.engine.apply(&record);
        fail_points::pass("apply.after");
        put_output(&mut pending.batch, &self.name, self.seq, &output);
        self.exchanges.count(&record, output.answer.as_ref(), |name| self.viewer.knows(name));
        self.note(&output, pending);
        for detector in &output.panicked {
            tracing::error!(detector, seq = %self.seq, "a detector panicked and was taken out of this record");
            let skipped = Body::Skipped { detector: word(detector), seq: self.seq };
            let skipped = self.system(skipped, record.observed_at);
            self.apply(skipped, pending);
        }
        output
    }

    fn note(&mut self, output: &Output, pending: &mut Pending) {
        for finding in &output.findings {
            self.viewer.counts.entry(finding.brief.detector).or_default().findings += 1;
        }
        for code in &output.panicked {
            self.viewer.counts.entry(code).or_default().panics += 1;
        }
        for row in &output.ledger {
            self.viewer.learn(row);
        }
        self.touched.extend(output.touched.iter().cloned());
        for transition in &output.transitions {
            self.touched.insert(transition.alert.clone());
            if transition.change == Change::Opened {
                let opened = output.findings.iter().find(|f| f.brief.alert.as_ref() == Some(&transition.alert));
                if let Some(finding) = opened {
                    self.viewer.counts.entry(finding.brief.detector).or_default().alerts += 1;
                }
            }
            // Resolved and closed alerts have left the engine: this is the last that can be said of them.
            if self.engine.alert(&transition.alert).is_none() {
                self.closed.remember(transition.after.clone());
            }
            let news = News { tenant: self.name.clone(), change: transition.change, alert: transition.after.clone() };
            pending.news.push(news);
        }
    }

    /// A person decides on an alert that no longer counts: its row is all there is of it.
    fn patch_closed(&mut self, id: &AlertId, (status, note): (AlertStatus, Option<&Text>), pending: &mut Pending) {
        let stored = || {
            let row = self.reader.alert(&self.name, id).ok().flatten()?;
            serde_json::from_str::<Alert>(&row.doc).ok()
        };
        let Some(mut alert) = self.closed.get(id).cloned().or_else(stored) else { return };
        alert.status = status;
        if let Some(note) = note {
            alert.note = Some(note.as_str().to_owned());
        }
        self.touched.insert(id.clone());
        let (tenant, change) = (self.name.clone(), Change::Status);
        let (at, seq) = (self.observed_at, self.seq);
        let transition = Transition { alert: id.clone(), seq, at, change, after: alert.clone() };
        pending.batch.transitions.push(transition_row(&tenant, &transition));
        pending.news.push(News { tenant, change, alert: alert.clone() });
        self.closed.remember(alert);
    }

    /// Puts the alerts that changed among what is to be written, and a new view of the tenant where there are records
    /// that the newest does not know.
    pub(super) fn finish(&mut self, pending: &mut Pending) {
        if pending.batch.is_empty() || self.viewed == Some(self.seq) {
            return;
        }
        for id in std::mem::take(&mut self.touched) {
            let live = self.engine.alert(&id);
            if let Some(alert) = live.or_else(|| self.closed.get(&id)) {
                pending.batch.alert_views.push(alert_row(alert, live.is_some(), self.seq));
            }
        }
        pending.views.insert(self.name.clone(), self.view());
    }

    pub(super) fn view(&mut self) -> TenantView {
        self.viewed = Some(self.seq);
        let mut view = self.viewer.view(&self.name, &self.engine, (self.seq, self.observed_at));
        view.exchanges = self.exchanges.clone();
        view
    }
}

#[expect(clippy::expect_used, reason = "verdicts, codes and presets are short ASCII")]
fn word(text: &str) -> Name {
    Name::new(text).expect("a short ASCII name")
}

/// Alerts that have left the engine, newest last.
#[derive(Debug, Default)]
pub(super) struct ClosedAlerts {
    alerts: HashMap<AlertId, Alert>,
    order: VecDeque<AlertId>,
}

impl ClosedAlerts {
    fn get(&self, id: &AlertId) -> Option<&Alert> {
        self.alerts.get(id)
    }

    fn remember(&mut self, alert: Alert) {
        if self.alerts.insert(alert.id.clone(), alert.clone()).is_none() {
            self.order.push_back(alert.id);
        }
        if self.order.len() > MAX_CLOSED
            && let Some(oldest) = self.order.pop_front()
        {
            self.alerts.remove(&oldest);
        }
    }
}
