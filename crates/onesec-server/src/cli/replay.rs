//! `onesec replay`: events or a journal judged in this process. The same input gives the same output, byte for byte.

mod backtest;

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::Path;
use std::sync::OnceLock;

use onesec_engine::{Engine, Output, Settings};
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{
    Alert, AlertId, Attestation, Body, DecodeOptions, Event, EventId, KnownConnections, Record, Sender, Seq, Subject,
    TenantId, Thumbprint, Timestamp, decode_event,
};
use onesec_text::{Scorer, score_event};
use serde_json::value::RawValue;

use crate::core::{self, SharedAssemble, Trial};

use super::args::ReplayArgs;
use super::error::{CliError, Ended};
use super::out::{Ink, Out, clean, complain};
use super::{builtin, journal, table, up};

/// Complaints about single lines that are shown; the rest is counted.
const MAX_COMPLAINTS: usize = 20;

pub(super) fn replay(args: ReplayArgs, more: &SharedAssemble, out: &mut Out) -> Result<Ended, CliError> {
    if let Some(policy) = &args.policy {
        let one = tried(&args, policy, more)?;
        return match &args.against {
            None => backtest::report(&one, out),
            Some(other) => backtest::difference((&one, &tried(&args, other, more)?), out),
        };
    }
    let (alerts, judged) = match (&args.events, &args.since, &args.data_dir) {
        (Some(file), _, _) => {
            let settings = up::configured(args.config.as_deref())?.settings;
            let input = Input::read(file)?;
            input.complain();
            if input.events.is_empty() {
                return Err(CliError::usage(format!("no event in `{}` can be read", file.display())));
            }
            let judged = format!("{} events, {} rejected", input.events.len(), input.rejected.len());
            (judge(input.events, settings, (more, |_: &Engine, _: &Record, _: &Output| {}))?, judged)
        }
        (None, Some(since), Some(dir)) => {
            let since: Timestamp = since.parse().map_err(|error| CliError::usage(format!("--since: {error}")))?;
            let mut alerts = journal::recomputed(dir, TenantId::default_tenant().as_str(), None, more)?;
            alerts.retain(|alert| alert.last_seen >= since);
            (alerts, format!("the journal in {}", dir.display()))
        }
        _ => return Err(CliError::usage("give --events FILE, or --since TIME with --data-dir DIR")),
    };
    report(alerts, &judged, out)
}

/// What the policies in a file would have done to the events of another, or to the journal.
fn tried(args: &ReplayArgs, policy: &Path, more: &SharedAssemble) -> Result<Trial, CliError> {
    let enforcement = backtest::enforcement(policy)?;
    if let Some(file) = &args.events {
        let settings = up::configured(args.config.as_deref())?.settings;
        let input = Input::read(file)?;
        input.complain();
        let mut trial = Trial::default();
        let watch = |engine: &Engine, record: &Record, output: &Output| trial.watch(engine, record, output);
        judge(input.events, Settings { enforcement, ..settings }, (more, watch))?;
        return Ok(trial);
    }
    let (Some(since), Some(dir)) = (&args.since, &args.data_dir) else {
        return Err(CliError::usage("give --events FILE, or --since TIME with --data-dir DIR"));
    };
    let since: Timestamp = since.parse().map_err(|error| CliError::usage(format!("--since: {error}")))?;
    core::backtest(dir, (&TenantId::default_tenant(), since), &enforcement, &builtin::with(more))
        .map_err(|error| CliError::refused(format!("cannot judge `{}` again: {error}", dir.display())))
}

fn report(mut alerts: Vec<Alert>, judged: &str, out: &mut Out) -> Result<Ended, CliError> {
    alerts.sort_by(|a, b| (a.first_seen, &a.id).cmp(&(b.first_seen, &b.id)));
    if out.json() {
        for alert in &alerts {
            alert_line(alert, out)?;
        }
        return Ok(Ended::Well);
    }
    let name = |id: Option<&str>| id.unwrap_or_default().to_owned();
    let rows: Vec<Vec<String>> = alerts
        .iter()
        .map(|alert| {
            vec![
                alert.first_seen.to_string(),
                alert.severity.as_str().to_owned(),
                alert.detector.to_string(),
                name(alert.agent_id.as_ref().map(AsRef::as_ref)),
                name(alert.user_id.as_ref().map(AsRef::as_ref)),
                name(alert.connection.as_ref().map(AsRef::as_ref)),
                alert.occurrences.to_string(),
                alert.description.clone(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let headings = ["FIRST SEEN", "SEVERITY", "DETECTOR", "AGENT", "USER", "CONNECTION", "COUNT", "WHAT"];
        out.line(table::plain(out.is_terminal(), &headings, &rows))?;
    }
    out.line(Ink::Dim.on(format_args!("{} alerts from {}", alerts.len(), clean(judged, 200))))?;
    Ok(Ended::Well)
}

/// One alert as a line of NDJSON.
pub(super) fn alert_line(alert: &Alert, out: &mut Out) -> Result<(), CliError> {
    let line = serde_json::to_string(alert).map_err(|error| CliError::refused(error.to_string()))?;
    out.line(line)?;
    Ok(())
}

/// The events of a file, in the order in which they are judged.
#[derive(Debug, Default)]
struct Input {
    events: Vec<(Timestamp, Event)>,
    rejected: Vec<String>,
    repeated: usize,
    undated: usize,
}

impl Input {
    fn read(file: &Path) -> Result<Self, CliError> {
        let mut bytes = Vec::new();
        let read = if file.as_os_str() == "-" {
            std::io::stdin().lock().read_to_end(&mut bytes)
        } else {
            std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut bytes))
        };
        read.map_err(|error| CliError::usage(format!("cannot read `{}`: {error}", file.display())))?;
        let text =
            String::from_utf8(bytes).map_err(|_| CliError::usage(format!("`{}` is not UTF-8", file.display())))?;
        Self::parse(text.trim_start_matches('\u{feff}'))
    }

    fn parse(text: &str) -> Result<Self, CliError> {
        let mut input = Self::default();
        let connections = KnownConnections::default();
        let options = DecodeOptions { connections: &connections, catalogue: Catalogue::builtin(), bound_agent: None };
        let mut seen: HashMap<EventId, Thumbprint> = HashMap::new();
        let mut dated: Vec<(Option<Timestamp>, Event)> = Vec::new();
        for (number, part) in parts(text)? {
            let decoded = EventId::new(&format!("line-{number}")).map(|id| decode_event(part, options, &id));
            let event = match decoded {
                Ok(Ok((event, _))) => event,
                Ok(Err(rejection)) => {
                    input.rejected.push(format!("line {number}: {rejection}"));
                    continue;
                }
                Err(error) => return Err(CliError::refused(error.to_string())),
            };
            let content = Thumbprint::of(event.to_json().to_string().as_bytes());
            match seen.insert(event.id.clone(), content) {
                None => dated.push((event.timestamp, event)),
                Some(first) if first == content => input.repeated += 1,
                Some(first) => {
                    input
                        .rejected
                        .push(format!("line {number}: id-conflict: `{}` came before with other content", event.id));
                    seen.insert(event.id, first);
                }
            }
        }
        input.undated = dated.iter().filter(|(at, _)| at.is_none()).count();
        input.events = in_order(dated);
        Ok(input)
    }

    fn complain(&self) {
        for rejection in self.rejected.iter().take(MAX_COMPLAINTS) {
            complain(clean(rejection, 400));
        }
        if self.rejected.len() > MAX_COMPLAINTS {
            complain(format_args!("… and {} more", self.rejected.len() - MAX_COMPLAINTS));
        }
        if self.repeated > 0 {
            complain(format_args!("{} events came twice and count once", self.repeated));
        }
        if self.undated > 0 {
            complain(format_args!("{} events have no timestamp and take that of the event before them", self.undated));
        }
    }
}

/// The events as text with their line; elements of an array count as lines.
fn parts(text: &str) -> Result<Vec<(usize, &str)>, CliError> {
    if text.trim_start().starts_with('[') {
        let items: Result<Vec<&RawValue>, _> = serde_json::from_str(text);
        let items = items.map_err(|error| CliError::usage(format!("not a JSON array: line {}", error.line())))?;
        return Ok(items.into_iter().enumerate().map(|(index, item)| (index + 1, item.get())).collect());
    }
    // A single event may be spread over lines.
    if let Ok(one) = serde_json::from_str::<&RawValue>(text) {
        return Ok(vec![(1, one.get())]);
    }
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    Ok(lines.filter(|(_, line)| !line.is_empty()).collect())
}

/// By time, then by line. An event without a time takes that of the one before it; the first ones that of the first that
/// has one.
fn in_order(dated: Vec<(Option<Timestamp>, Event)>) -> Vec<(Timestamp, Event)> {
    let mut last = dated.iter().find_map(|(at, _)| *at).unwrap_or(Timestamp::EPOCH);
    let mut events: Vec<(Timestamp, Event)> = dated
        .into_iter()
        .map(|(at, event)| {
            last = at.unwrap_or(last);
            (last, event)
        })
        .collect();
    events.sort_by_key(|(at, _)| *at);
    events
}

/// Feeds the events to an engine of its own, and gives the alerts as they stand after the last of them.
fn judge(
    events: Vec<(Timestamp, Event)>,
    settings: Settings,
    (more, mut watch): (&SharedAssemble, impl FnMut(&Engine, &Record, &Output)),
) -> Result<Vec<Alert>, CliError> {
    let tenant = TenantId::default_tenant();
    let assemble = builtin::with(more);
    let engine = Engine::new(tenant.clone(), settings, Box::new(move |settings| assemble(settings)));
    let mut engine = engine.map_err(|error| CliError::usage(format!("configuration: {error}")))?;
    let mut alerts: BTreeMap<AlertId, Alert> = BTreeMap::new();
    let mut seq = Seq(0);
    for (at, event) in events {
        seq = seq.next();
        let record = record(&tenant, seq, at, event);
        let output = engine.apply(&record);
        watch(&engine, &record, &output);
        for transition in output.transitions {
            alerts.insert(transition.alert, transition.after);
        }
    }
    // Counts move on between transitions.
    for (id, alert) in &mut alerts {
        if let Some(now) = engine.alert(id) {
            *alert = now.clone();
        }
    }
    Ok(alerts.into_values().collect())
}

static SCORER: OnceLock<Scorer> = OnceLock::new();

/// An event of a file as a record: it counts at its own time, and its word has authority.
fn record(tenant: &TenantId, seq: Seq, at: Timestamp, event: Event) -> Record {
    let user = event.common.user_id.clone();
    let address = event.envelope.as_ref().and_then(|envelope| envelope.source_ip.as_ref());
    Record {
        tenant: tenant.clone(),
        seq,
        observed_at: at,
        at,
        late: false,
        sender: Sender::replay(),
        subject: user.map_or(Subject::Unknown, Subject::Claimed),
        attestation: Attestation::Absent,
        network: address.and_then(|text| text.as_str().parse().ok()),
        text: score_event(SCORER.get_or_init(Scorer::new), &event),
        body: Body::Event(event.into()),
    }
}

#[cfg(test)]
mod tests;
