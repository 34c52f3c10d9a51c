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

/// What became of a yes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Granted {
    InForce { instead_of: Option<Name> },
    NoRoom,
}

/// Every yes, by what was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waivers(BTreeMap<Thumbprint, Waiver>);

impl Waivers {
    /// A person said yes. An older yes to the same request that nobody used is over: its id comes back.
    pub(crate) fn grant(&mut self, approval: Name, held: HeldFor, now: Timestamp) -> Granted {
        if self.0.len() >= MOST && !self.0.contains_key(&held.request) {
            return Granted::NoRoom;
        }
        let request = held.request;
        let waiver = Waiver { approval, held, until: now + GOOD_FOR, used_by: None, used: false };
        let former = self.0.insert(request, waiver);
        Granted::InForce { instead_of: former.filter(|former| !former.used).map(|former| former.approval) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_yes_takes_the_place_of_one_that_nobody_used() {
        let held = HeldFor { request: Thumbprint::of(b"a request"), findings: Vec::new() };
        let name = |text: &str| Name::new(text).expect("a name");
        let (mut waivers, now) = (Waivers::default(), Timestamp::EPOCH);
        assert_eq!(waivers.grant(name("one"), held.clone(), now), Granted::InForce { instead_of: None });
        assert_eq!(waivers.grant(name("two"), held, now), Granted::InForce { instead_of: Some(name("one")) });
        for n in 1..MOST {
            let other = HeldFor { request: Thumbprint::of(&n.to_le_bytes()), findings: Vec::new() };
            assert_ne!(waivers.grant(name("more"), other, now), Granted::NoRoom);
        }
        let beyond = HeldFor { request: Thumbprint::of(b"one too many"), findings: Vec::new() };
        assert_eq!(waivers.grant(name("beyond"), beyond, now), Granted::NoRoom);
        assert_eq!(waivers.expire(now + GOOD_FOR).len(), MOST);
    }
}
