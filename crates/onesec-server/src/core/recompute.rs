//! Alerts recomputed from records alone: what the API said live must come out, byte for byte.

use std::collections::BTreeMap;
use std::path::Path;

use onesec_engine::{Engine, Output, Settings};
use onesec_journal::Reader;
use onesec_telemetry::{Alert, AlertId, Body, Command, Record, TenantId};

use super::options::{SharedAssemble, StartError};
use super::recovery::{boxed, feed, load};

/// Recomputes all alerts of `tenant` from the records in `dir`, from zero or from the snapshot at a sequence number,
/// in the order of their ids. From a snapshot, alerts that had left the engine by then are taken from the view.
///
/// # Errors
/// [`StartError`] where the journal cannot be read.
pub fn recompute(
    dir: &Path,
    tenant: &TenantId,
    from_snapshot: Option<u64>,
    assemble: &SharedAssemble,
) -> Result<Vec<Alert>, StartError> {
    let reader = Reader::open(dir)?;
    let mut alerts = BTreeMap::new();
    let (engine, from) = match from_snapshot {
        None => (Engine::new(tenant.clone(), Settings::default(), boxed(assemble))?, 0),
        Some(seq) => {
            for alert in finished_by(&reader, tenant, seq)? {
                alerts.insert(alert.id.clone(), alert);
            }
            (load(&reader, tenant, seq, assemble)?.0, seq)
        }
    };
    let mut fold = Fold { engine, alerts };
    for alert in fold.engine.open_alerts() {
        fold.alerts.insert(alert.id.clone(), alert);
    }
    feed(&reader, tenant, from, |_, record| fold.apply(&record))?;
    Ok(fold.finish())
}

struct Fold {
    engine: Engine,
    alerts: BTreeMap<AlertId, Alert>,
}

impl Fold {
    fn apply(&mut self, record: &Record) {
        let output: Output = self.engine.apply(record);
        for id in &output.touched {
            if let Some(alert) = self.engine.alert(id) {
                self.alerts.insert(id.clone(), alert.clone());
            }
        }
        for transition in &output.transitions {
            let now = self.engine.alert(&transition.alert).unwrap_or(&transition.after);
            self.alerts.insert(transition.alert.clone(), now.clone());
        }
        if let Body::Command(Command::SetAlertStatus { alert, status, note }) = &record.body
            && output.transitions.iter().all(|t| t.alert != *alert)
            && let Some(closed) = self.alerts.get_mut(alert)
        {
            closed.status = *status;
            if let Some(note) = note {
                closed.note = Some(note.as_str().to_owned());
            }
        }
    }

    fn finish(self) -> Vec<Alert> {
        self.alerts.into_values().collect()
    }
}

/// Alerts that had their last transition by `seq`: the chain of transitions says how each stood then.
fn finished_by(reader: &Reader, tenant: &TenantId, seq: u64) -> Result<Vec<Alert>, StartError> {
    let mut finished = Vec::new();
    let mut cursor = None;
    loop {
        let page = reader.alerts(tenant, &onesec_journal::AlertFilter::default(), (cursor.as_ref(), 1_000))?;
        for row in &page.items {
            let transitions = reader.transitions(tenant, &row.id)?;
            let last = transitions.iter().rfind(|t| t.seq <= seq);
            if let Some(alert) = last.and_then(|t| serde_json::from_str(&t.doc).ok()) {
                finished.push(alert);
            }
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(finished),
        }
    }
}
