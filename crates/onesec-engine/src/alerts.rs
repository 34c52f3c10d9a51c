//! Alerts: one per detector, entity and hour, with a counter.

mod room;
mod saved;

use std::collections::HashMap;
use std::time::Duration;

use onesec_detector::{AttributeValue, Descriptor, Entity, Finding};
use onesec_enforcement::Barred;
use onesec_telemetry::{
    Alert, AlertId, AlertStatus, Attribution, Change, Channel, Details, EventId, KeyId, Name, Record, Seq, Severity,
    TenantId, Text, Timestamp, Transition,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use self::room::Room;
use crate::respond::proves;

/// Findings about one entity within this become one alert.
const WINDOW: Duration = Duration::from_secs(3600);
/// Evidence kept from the beginning and from the end.
const EVIDENCE: usize = 10;

/// All alerts of a tenant that still count.
#[derive(Debug, Default)]
pub(crate) struct AlertBook {
    live: HashMap<AlertId, Entry>,
    by_key: HashMap<(String, Entity), AlertId>,
    room: Room,
}

#[derive(Debug, Clone)]
struct Entry {
    key: (String, Entity),
    alert: Alert,
    opened_by: Seq,
    /// The key that the first finding came by.
    opened_by_key: Option<KeyId>,
    closes: Timestamp,
    aspects: std::collections::BTreeSet<String>,
    standing: Option<u64>,
    first: Vec<EventId>,
    last: Vec<EventId>,
    acknowledged_until: Option<Timestamp>,
    /// How bad it is without what others merely report.
    proved: Option<Severity>,
    /// Whose keys its findings came by.
    reporters: Barred,
}

/// A finding with whom and what it came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) record: &'a Record,
    pub(crate) by: &'a Descriptor,
    pub(crate) finding: &'a Finding,
    pub(crate) attribution: Attribution,
}

/// What became of a finding.
#[derive(Debug)]
pub(crate) struct Filed {
    pub(crate) alert: AlertId,
    pub(crate) transitions: Vec<Transition>,
}

impl AlertBook {
    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn get(&self, id: &AlertId) -> Option<&Alert> {
        self.live.get(id).map(|entry| &entry.alert)
    }

    /// How bad it is without what others merely report; `None` where there is nothing but that.
    pub(crate) fn proved(&self, id: &AlertId) -> Option<Severity> {
        self.live.get(id).and_then(|entry| entry.proved)
    }

    /// Whose keys its findings came by.
    pub(crate) fn reporters(&self, id: &AlertId) -> Option<&Barred> {
        self.live.get(id).map(|entry| &entry.reporters)
    }

    /// In the order of their ids.
    pub(crate) fn all(&self) -> Vec<Alert> {
        let mut all: Vec<Alert> = self.live.values().map(|entry| entry.alert.clone()).collect();
        all.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// Notes that an alert is a part of `incident`; whether that is news.
    pub(crate) fn chain(&mut self, part: &AlertId, incident: &AlertId) -> bool {
        let Some(entry) = self.live.get_mut(part) else { return false };
        let news = entry.alert.chain.as_ref() != Some(incident);
        entry.alert.chain = Some(incident.clone());
        news
    }

    /// Files a finding under its alert, opening one if there is none that still counts.
    pub(crate) fn file(&mut self, found: Found<'_>) -> Filed {
        let Found { record, by, finding, .. } = found;
        let key = (by.code.to_owned(), finding.entity.clone());
        let mut transitions = Vec::new();
        if let Some(id) = self.by_key.get(&key).cloned() {
            // One record opens one alert per entity, even where it shows two set-ups.
            let same = |entry: &Entry| entry.standing == finding.standing || entry.opened_by == record.seq;
            if self.live.get(&id).is_some_and(same) {
                transitions.extend(self.count(&id, found));
                return Filed { alert: id, transitions };
            }
            // The set-up changed: what stood before is another matter.
            transitions.extend(self.close(&id, record));
        }
        let hearsay = proves(found.attribution, finding.severity).is_none();
        let key_of_hearsay = record.sender.key.as_ref().filter(|_| hearsay);
        if let Some(crowded_out) = self.room.crowded_out(key_of_hearsay) {
            transitions.extend(self.close(&crowded_out, record));
        }
        let opened = self.open(key, found);
        let id = opened.alert.clone();
        transitions.push(opened);
        Filed { alert: id, transitions }
    }

    fn open(&mut self, key: (String, Entity), found: Found<'_>) -> Transition {
        let Found { record, by, finding, .. } = found;
        let id = alert_id(&record.tenant, by.code, &finding.entity, record.seq);
        let evidence: Vec<EventId> = finding.evidence.iter().take(EVIDENCE).cloned().collect();
        let alert = new_alert(id.clone(), found);
        let transition = transition(&alert, record, Change::Opened);
        let closes = if finding.standing.is_some() { Timestamp::MAX } else { record.observed_at + WINDOW };
        self.by_key.insert(key.clone(), id.clone());
        let mut entry = Entry {
            key,
            alert,
            opened_by: record.seq,
            opened_by_key: record.sender.key.clone(),
            closes,
            aspects: finding.aspects.iter().map(ToString::to_string).collect(),
            standing: finding.standing,
            first: evidence,
            last: Vec::new(),
            acknowledged_until: None,
            proved: proves(found.attribution, finding.severity),
            reporters: Barred::default(),
        };
        entry.reporters.bar(record.sender.key.as_ref(), record.sender.owner.as_ref());
        self.room.add(&id, &entry);
        self.live.insert(id, entry);
        transition
    }

    /// One more of the same; a transition where it is worse than before.
    fn count(&mut self, id: &AlertId, found: Found<'_>) -> Option<Transition> {
        let Found { record, finding, attribution, .. } = found;
        let entry = self.live.get_mut(id)?;
        let alert = &mut entry.alert;
        let newest = entry.last.last().or(entry.first.last());
        // The question before release is about the exchange that was judged before it began.
        let again = exchange_released(record).is_some_and(|id| newest.is_some_and(|n| n.as_str() == id));
        alert.occurrences += u64::from(!again);
        alert.last_seen = alert.last_seen.max(record.at);
        for event in finding.evidence.iter() {
            remember(&mut entry.first, &mut entry.last, event);
        }
        alert.evidence = entry.first.iter().chain(&entry.last).cloned().collect();
        merge(&mut alert.attributes, finding);
        let mut worse = false;
        if finding.severity > alert.severity {
            (alert.severity, alert.description) = (finding.severity, finding.reason.clone());
            worse = true;
        }
        if attribution > alert.attribution {
            alert.attribution = attribution;
            worse = true;
        }
        // What others say becomes what was seen: policies that act on nothing less must hear of it.
        let proved = proves(attribution, finding.severity);
        if proved > entry.proved {
            self.room.remove(id, entry);
            entry.proved = proved;
            self.room.add(id, entry);
            worse = true;
        }
        entry.reporters.bar(record.sender.key.as_ref(), record.sender.owner.as_ref());
        for aspect in &finding.aspects {
            worse |= entry.aspects.insert(aspect.to_string());
        }
        let silent = entry.acknowledged_until.is_some_and(|until| record.observed_at < until);
        (worse && !silent).then(|| transition(&entry.alert, record, Change::Raised))
    }

    /// A person decides. `None` where the alert no longer counts: the view is then all there is of it.
    pub(crate) fn set_status(
        &mut self,
        id: &AlertId,
        (status, note): (AlertStatus, Option<&Text>),
        record: &Record,
    ) -> Option<Transition> {
        let entry = self.live.get_mut(id)?;
        entry.alert.status = status;
        if let Some(note) = note {
            entry.alert.note = Some(note.as_str().to_owned());
        }
        let transition = transition(&entry.alert, record, Change::Status);
        match status {
            AlertStatus::Acknowledged => {
                // It stays the same alert while it is silent: a new one would not be.
                let until = record.observed_at + WINDOW;
                self.room.remove(id, entry);
                entry.closes = entry.closes.max(until);
                self.room.add(id, entry);
                entry.acknowledged_until = Some(until);
            }
            AlertStatus::Resolved => {
                self.forget(id);
            }
            AlertStatus::Open | AlertStatus::FalsePositive => {}
        }
        Some(transition)
    }

    /// Closes what has had its hour.
    pub(crate) fn expire(&mut self, record: &Record) -> Vec<Transition> {
        let mut closed = Vec::new();
        while let Some(id) = self.room.due(record.observed_at) {
            closed.extend(self.close(&id, record));
        }
        closed
    }

    fn close(&mut self, id: &AlertId, record: &Record) -> Option<Transition> {
        let entry = self.forget(id)?;
        Some(transition(&entry.alert, record, Change::Closed))
    }

    fn forget(&mut self, id: &AlertId) -> Option<Entry> {
        let entry = self.live.remove(id)?;
        self.by_key.remove(&entry.key);
        self.room.remove(id, &entry);
        Some(entry)
    }
}

/// The exchange that the gateway is about to release: the id of its first event.
fn exchange_released(record: &Record) -> Option<&str> {
    let details = &record.event()?.details;
    let gateway = record.sender.channel == Channel::Gateway && matches!(details, Details::TokenExchangeResponse(_));
    details.exchange_id().filter(|_| gateway).map(AsRef::as_ref)
}

/// The first ten stay, the last ten roll.
fn remember(first: &mut Vec<EventId>, last: &mut Vec<EventId>, event: &EventId) {
    if first.len() < EVIDENCE {
        if !first.contains(event) {
            first.push(event.clone());
        }
        return;
    }
    if !first.contains(event) && !last.contains(event) {
        if last.len() == EVIDENCE {
            last.remove(0);
        }
        last.push(event.clone());
    }
}

fn merge(attributes: &mut Map<String, Value>, finding: &Finding) {
    for (name, value) in &finding.attributes {
        let value = shown(value);
        match (attributes.get_mut(*name), &value) {
            // Lists grow, up to a screenful; other attributes show the latest.
            (Some(Value::Array(old)), Value::Array(new)) => {
                for item in new {
                    if old.len() < 50 && !old.contains(item) {
                        old.push(item.clone());
                    }
                }
            }
            (Some(old), _) => *old = value,
            (None, _) => {
                attributes.insert((*name).to_owned(), value);
            }
        }
    }
}

fn shown(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Text(text) => Value::String(text.clone()),
        AttributeValue::Number(number) => Value::from(*number),
        AttributeValue::Flag(flag) => Value::Bool(*flag),
        AttributeValue::List(list) => list.iter().cloned().map(Value::String).collect(),
        _ => Value::Null,
    }
}

fn new_alert(id: AlertId, found: Found<'_>) -> Alert {
    let Found { record, by, finding, attribution } = found;
    let mut attributes = Map::new();
    merge(&mut attributes, finding);
    if let Some(app) = &finding.entity.app {
        attributes.insert("app_id".into(), Value::String(app.to_string()));
    }
    Alert {
        id,
        detector: name(by.code),
        owasp: by.owasp.iter().map(|id| name(id)).collect(),
        severity: finding.severity,
        title: by.title.to_owned(),
        description: finding.reason.clone(),
        tenant: record.tenant.clone(),
        agent_id: finding.entity.agent.clone(),
        user_id: finding.entity.user.clone(),
        connection: finding.entity.connection.clone(),
        evidence: finding.evidence.iter().take(EVIDENCE).cloned().collect(),
        first_seen: record.at,
        last_seen: record.at,
        occurrences: 1,
        attribution,
        module: name(by.module.as_str()),
        status: AlertStatus::Open,
        mitigation: by.mitigation.to_owned(),
        attributes,
        chain: None,
        note: None,
    }
}

#[expect(clippy::expect_used, reason = "codes and module names are short ASCII, checked when detectors are assembled")]
fn name(code: &str) -> Name {
    Name::new(code).expect("a short ASCII name")
}

fn transition(alert: &Alert, record: &Record, change: Change) -> Transition {
    Transition { alert: alert.id.clone(), seq: record.seq, at: record.observed_at, change, after: alert.clone() }
}

/// 128 bits of SHA-256 over tenant, detector, entity and opening record, each with its length before it.
fn alert_id(tenant: &TenantId, detector: &str, entity: &Entity, seq: Seq) -> AlertId {
    let mut hash = Sha256::new();
    let mut part = |text: Option<&str>| match text {
        Some(text) => {
            hash.update([1]);
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        None => hash.update([0]),
    };
    part(Some(tenant.as_str()));
    part(Some(detector));
    part(entity.agent.as_ref().map(AsRef::as_ref));
    part(entity.user.as_ref().map(AsRef::as_ref));
    part(entity.connection.as_ref().map(AsRef::as_ref));
    part(entity.app.as_ref().map(AsRef::as_ref));
    part(Some(&seq.to_string()));
    let digest = hash.finalize();
    let hex: String = hex::encode(digest).chars().take(32).collect();
    hex_id(&hex)
}

#[expect(clippy::expect_used, reason = "32 hex digits are a valid id")]
fn hex_id(hex: &str) -> AlertId {
    AlertId::new(hex).expect("hex digits")
}
