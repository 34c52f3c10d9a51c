//! What live mode would have cut off lately: what a person sees before saying yes to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use onesec_journal::{Cursor, JournalError, Reader, RecordFilter, ResponseFilter};
use onesec_telemetry::{Body, Decided, Mode, TenantId, Thumbprint, Timestamp};
use serde_json::{Value, json};

use super::App;
use super::answer::{self, Answer};
use super::params::Params;
use super::problem::Problem;
use crate::core::{decode_record, index_keys};
use crate::keys::Caller;

/// `GET /api/v1/enforcement/would`: what dry run let pass and live mode would not have.
pub(super) async fn would(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let days = params.get("days").map(str::parse::<u64>).transpose().map_err(|_| bad_days())?;
    let since = since(&app, days)?;
    let tenant = caller.tenant;
    let report = app.read(move |reader| Report::of(reader, &tenant, since)).await?;
    answer::ok(&report.shown(since))
}

/// Whether what a person saw is still what live mode would have done.
pub(super) async fn confirmed(
    app: &App,
    tenant: &TenantId,
    (seen, days): (Thumbprint, Option<u64>),
) -> Result<(), Problem> {
    let (since, tenant) = (since(app, days)?, tenant.clone());
    let report = app.read(move |reader| Report::of(reader, &tenant, since)).await?;
    let digest = report.digest();
    if digest == seen {
        return Ok(());
    }
    let detail =
        format!("still dry run: what live mode would have done is not what `confirm` is the digest of, but {digest}");
    Err(Problem::new(StatusCode::CONFLICT, "other-digest", detail))
}

fn since(app: &App, days: Option<u64>) -> Result<Timestamp, Problem> {
    let days = days.unwrap_or(7);
    let days = Some(days).filter(|days| (1..=90).contains(days)).ok_or_else(bad_days)?;
    Ok(app.core.now().before(Duration::from_secs(days * 86_400)))
}

fn bad_days() -> Problem {
    Problem::unprocessable("bad-days", "`days` must be 1 to 90")
}

#[derive(Default)]
struct Report {
    requests: u64,
    refused: u64,
    /// Who would have been refused, by whom: each with a count.
    cut_off: BTreeMap<(String, String), u64>,
    actions: BTreeMap<String, u64>,
    /// More happened than was looked at.
    cut_short: bool,
}

impl Report {
    fn of(reader: &Reader, tenant: &TenantId, since: Timestamp) -> Result<Self, JournalError> {
        let mut report = Self::default();
        let filter = RecordFilter { kind: Some("decided".to_owned()), since: Some(since), ..RecordFilter::default() };
        let mut after: Option<Cursor> = None;
        loop {
            let page = reader.query_records((tenant, &filter), &index_keys, (after.as_ref(), PAGE))?;
            for stored in &page.items {
                if let Some(Body::Decided(decided)) = decode_record(&stored.bytes).map(|record| record.body) {
                    report.count(reader, tenant, &decided)?;
                }
            }
            after = page.next;
            report.cut_short = after.is_some() && report.requests >= MOST;
            if after.is_none() || report.cut_short {
                break;
            }
        }
        report.count_actions(reader, tenant, since)?;
        Ok(report)
    }

    fn count(&mut self, reader: &Reader, tenant: &TenantId, decided: &Decided) -> Result<(), JournalError> {
        self.requests += 1;
        if decided.mode != Mode::DryRun || decided.would == decided.decision {
            return Ok(());
        }
        self.refused += 1;
        let request = reader.record(tenant, decided.seq.0)?.and_then(|stored| decode_record(&stored.bytes));
        let agent = request.and_then(|record| record.agent().map(ToString::to_string)).unwrap_or_default();
        for (detector, ..) in &decided.findings {
            *self.cut_off.entry((agent.clone(), detector.to_string())).or_default() += 1;
        }
        Ok(())
    }

    fn count_actions(&mut self, reader: &Reader, tenant: &TenantId, since: Timestamp) -> Result<(), JournalError> {
        let filter =
            ResponseFilter { state: Some("dry_run".to_owned()), since: Some(since), ..ResponseFilter::default() };
        let mut after: Option<Cursor> = None;
        for _ in 0..MOST / u64::from(PAGE) {
            let page = reader.responses(tenant, &filter, (after.as_ref(), PAGE))?;
            for stored in &page.items {
                let receipt: Value = serde_json::from_str(&stored.doc).unwrap_or_default();
                let text = |name: &str| receipt.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
                *self.actions.entry(format!("{} on {}", text("action"), text("target"))).or_default() += 1;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Of who would be cut off and how, not of how often: more of the same changes nothing.
    fn digest(&self) -> Thumbprint {
        let whom: Vec<_> = self.cut_off.keys().collect();
        let actions: Vec<_> = self.actions.keys().collect();
        Thumbprint::of(json!([whom, actions, self.cut_short]).to_string().as_bytes())
    }

    fn shown(&self, since: Timestamp) -> Value {
        let agents: BTreeSet<&str> = self.cut_off.keys().map(|(agent, _)| agent.as_str()).collect();
        let digest = self.digest();
        let cut_off = self.cut_off.iter();
        let cut_off: Vec<_> = cut_off
            .map(|((agent, detector), count)| json!({"agent_id": agent, "detector": detector, "requests": count}))
            .collect();
        json!({
            "since": since, "requests": self.requests, "would_refuse": self.refused, "agents": agents,
            "cut_off": cut_off, "actions": self.actions, "cut_short": self.cut_short, "digest": digest,
        })
    }
}

const PAGE: u32 = 1_000;
/// Requests looked at, newest first.
const MOST: u64 = 200_000;
