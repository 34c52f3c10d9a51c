//! Requests that wait for a person, and what a person's yes is good for: the same request, once, for ten minutes, with
//! the findings that were seen and no others.

use std::collections::BTreeMap;
use std::time::Duration;

use onesec_enforcement::{Phase, never_waivable};
use onesec_telemetry::{Details, ExchangeId, Name, Record, Severity, Thumbprint, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::output::Reported;

/// What a request is held for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldFor {
    /// What is asked, without numbers that differ each time it is asked.
    pub(crate) request: Thumbprint,
    /// The findings of those who hold it.
    pub(crate) findings: Vec<(String, Severity, String)>,
}

impl HeldFor {
    pub(crate) fn of(record: &Record, findings: &[Reported]) -> Option<Self> {
        let request = Thumbprint::of(asked(record)?.to_string().as_bytes());
        let mut findings: Vec<_> = findings.iter().map(known).collect();
        findings.sort_unstable();
        findings.dedup();
        Some(Self { request, findings })
    }

    /// Equal for the same question.
    pub(crate) fn digest(&self) -> Thumbprint {
        let text = serde_json::to_string(self).unwrap_or_default();
        Thumbprint::of(text.as_bytes())
    }
}

/// What is asked: who, for whom, where, for what.
pub(crate) fn asked(record: &Record) -> Option<Value> {
    let event = record.event()?;
    let whom = [
        record.agent().map(AsRef::<str>::as_ref),
        record.user().map(AsRef::<str>::as_ref),
        record.connection().map(AsRef::<str>::as_ref),
    ];
    let what = match &event.details {
        Details::TokenExchange(d) => json!({
            "subject_token_type": d.subject_token_type, "scopes": d.scopes, "login_hint": d.login_hint,
            "audience": d.audience, "resource": d.resource, "actor": d.actor, "account_id": d.account_id,
            "is_privileged_worker": d.is_privileged_worker,
        }),
        _ => event.to_json().get("details").cloned().unwrap_or_default(),
    };
    Some(json!({"kind": event.kind().as_str(), "agent_user_connection": whom, "details": what}))
}

/// A finding as it is known again: numbers count things and differ each time, names do not.
fn known(finding: &Reported) -> (String, Severity, String) {
    let mut reason = String::with_capacity(finding.brief.reason.len());
    for c in finding.brief.reason.chars() {
        if !c.is_ascii_digit() {
            reason.push(c);
        } else if !reason.ends_with('#') {
            reason.push('#');
        }
    }
    (finding.brief.detector.to_owned(), finding.brief.severity, reason)
}

/// A yes that was not used up yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Waiver {
    approval: Name,
    held: HeldFor,
    until: Timestamp,
    /// The exchange that used it: what comes back is let through, too.
    used_by: Option<ExchangeId>,
    used: bool,
}

/// Every yes, by what was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waivers(BTreeMap<Thumbprint, Waiver>);

impl Waivers {
    /// A person said yes.
    pub(crate) fn grant(&mut self, approval: Name, held: HeldFor, now: Timestamp) {
        if self.0.len() < MOST {
            let waiver = Waiver { approval, until: now + GOOD_FOR, used_by: None, used: false, held: held.clone() };
            self.0.insert(held.request, waiver);
        }
    }

    /// Forgets what is over; the ids of those that nobody used.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Name> {
        let mut unused = Vec::new();
        self.0.retain(|_, waiver| {
            let over = waiver.until <= now;
            if over && !waiver.used {
                unused.push(waiver.approval.clone());
            }
            !over
        });
        unused
    }

    /// Which findings of a request a person has seen and said yes to, each by its place.
    pub(crate) fn covered(&self, record: &Record, phase: Phase, findings: &[Reported]) -> Vec<bool> {
        let waiver = self.about(record, phase);
        let covered = |waiver: &Waiver, finding: &Reported| {
            let (detector, severity, reason) = known(finding);
            let seen = |(d, s, r): &(String, Severity, String)| *d == detector && *s >= severity && *r == reason;
            !finding.binding && !never_waivable(finding.brief.detector) && waiver.held.findings.iter().any(seen)
        };
        findings.iter().map(|finding| waiver.is_some_and(|waiver| covered(waiver, finding))).collect()
    }

    fn about(&self, record: &Record, phase: Phase) -> Option<&Waiver> {
        if self.0.is_empty() {
            return None;
        }
        match phase {
            Phase::Request => {
                let request = Thumbprint::of(asked(record)?.to_string().as_bytes());
                self.0.get(&request).filter(|waiver| !waiver.used)
            }
            Phase::Release => {
                let exchange = record.event()?.details.exchange_id()?;
                self.0.values().find(|waiver| waiver.used_by.as_ref() == Some(exchange))
            }
        }
    }

    /// A request passed by it: it is used up.
    pub(crate) fn use_up(&mut self, record: &Record) -> Option<Name> {
        let request = Thumbprint::of(asked(record)?.to_string().as_bytes());
        let waiver = self.0.get_mut(&request).filter(|waiver| !waiver.used)?;
        waiver.used = true;
        waiver.used_by = record.event().and_then(|event| event.details.exchange_id().cloned());
        Some(waiver.approval.clone())
    }
}

const GOOD_FOR: Duration = Duration::from_secs(600);
const MOST: usize = 2_000;
