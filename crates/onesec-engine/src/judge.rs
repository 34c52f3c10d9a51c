//! All detectors at work on one record, and what of it is said twice.

use std::collections::BTreeSet;

use onesec_detector::{Facts, Finding, Findings};
use onesec_telemetry::{Body, Record};

use crate::exceptions::Exceptions;
use crate::guard::{Asked, Guarded};

/// At most one of these per record, the first; the others become its attribute `also`.
const EXCLUSIVE: [&str; 4] = ["revoked-access", "confused-deputy", "unauthorized-agent", "unlinked-exchange"];

/// The detectors at work on one record.
pub(crate) struct Judge<'a> {
    pub(crate) detectors: &'a mut Vec<Guarded>,
    pub(crate) exceptions: &'a Exceptions,
    pub(crate) found: &'a mut Findings,
}

pub(crate) type JudgedBy = Vec<(usize, Finding)>;

impl Judge<'_> {
    pub(crate) fn run(self, record: &Record, facts: &Facts<'_>) -> (JudgedBy, Vec<&'static str>) {
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
            let silent = |f: &Finding| self.exceptions.silence(code, f, record.observed_at) || !guarded.is_heard(f);
            let heard = self.found.drain().filter(|f| !silent(f));
            judged.extend(heard.map(|finding| (index, finding)));
        }
        if judged.len() < 2 {
            return (judged, panicked);
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
pub(crate) fn keep_first_exclusive<T>(
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

/// Whether a detector is asked about a record.
pub(crate) fn reads(guarded: &Guarded, record: &Record) -> bool {
    match &record.body {
        Body::Event(event) => guarded.reads(event.kind()),
        Body::Command(_) => guarded.descriptor().commands,
        _ => false,
    }
}
