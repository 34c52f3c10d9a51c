//! A detector in its cage: what it panics on costs it that record, three panics in ten minutes cost it its place.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use onesec_detector::{
    Descriptor, Detector, Facts, Finding, Findings, GuardClass, Record, StateReader, StateWriter, Timestamp,
};
use onesec_telemetry::Kind;

const PANICS: usize = 3;
const WITHIN: Duration = Duration::from_secs(600);

/// A detector, its saved state, and its record of accidents.
pub(crate) struct Guarded {
    detector: Box<dyn Detector>,
    /// State to go back to after a panic.
    saved: std::collections::BTreeMap<String, Vec<u8>>,
    panics: Vec<Timestamp>,
    dead: bool,
    /// By the number of the kind, whether it reads records of it.
    reads: u128,
    /// Switched off: only what rests on a person's decision is still heard of it.
    muted: bool,
}

impl std::fmt::Debug for Guarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Guarded({})", self.descriptor().code)
    }
}

/// What came of asking a detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Answered,
    Panicked,
}

impl Guarded {
    pub(crate) fn new(detector: Box<dyn Detector>) -> Self {
        let descriptor = detector.descriptor();
        let kinds = Kind::ALL.iter().chain([&Kind::Custom]).filter(|kind| descriptor.reads(**kind));
        let reads = kinds.fold(0, |reads, kind| reads | bit(*kind));
        let mut guarded = Self {
            detector,
            saved: std::collections::BTreeMap::new(),
            panics: Vec::new(),
            dead: false,
            reads,
            muted: false,
        };
        guarded.keep();
        guarded
    }

    /// The same, heard only where it speaks of a person's decision: a suspension does not end because nobody wants to hear
    /// of suspicions.
    pub(crate) fn muted(self) -> Self {
        Self { muted: true, ..self }
    }

    /// Whether it reads records of a kind.
    #[inline]
    pub(crate) const fn reads(&self, kind: Kind) -> bool {
        self.reads & bit(kind) != 0
    }

    pub(crate) const fn is_muted(&self) -> bool {
        self.muted
    }

    /// Whether one of its findings counts.
    pub(crate) const fn is_heard(&self, finding: &Finding) -> bool {
        !self.muted || finding.binding
    }

    pub(crate) fn descriptor(&self) -> &Descriptor {
        self.detector.descriptor()
    }

    /// Dead detectors judge nothing any more.
    pub(crate) const fn is_dead(&self) -> bool {
        self.dead
    }

    /// Whether requests of the kinds it reads must be refused because it is dead.
    pub(crate) fn blocks(&self) -> bool {
        self.dead && self.descriptor().guard == GuardClass::Closed
    }

    pub(crate) fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) -> Asked {
        let judged = catch_unwind(AssertUnwindSafe(|| self.detector.judge(record, facts, out)));
        match judged {
            Ok(()) => Asked::Answered,
            Err(_) => {
                let _ = out.drain();
                self.stumbled(record.observed_at);
                Asked::Panicked
            }
        }
    }

    /// The same without consequences: for questions that are no records.
    pub(crate) fn ask(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        if catch_unwind(AssertUnwindSafe(|| self.detector.judge(record, facts, out))).is_err() {
            let _ = out.drain();
        }
    }

    pub(crate) fn tick(&mut self, now: Timestamp, out: &mut Findings) -> Asked {
        match catch_unwind(AssertUnwindSafe(|| self.detector.tick(now, out))) {
            Ok(()) => Asked::Answered,
            Err(_) => {
                let _ = out.drain();
                self.stumbled(now);
                Asked::Panicked
            }
        }
    }

    fn stumbled(&mut self, now: Timestamp) {
        self.panics.retain(|at| now.since(*at) <= WITHIN);
        self.panics.push(now);
        let saved = std::mem::take(&mut self.saved);
        let loaded = catch_unwind(AssertUnwindSafe(|| self.detector.load(StateReader::new(&saved))));
        self.saved = saved;
        self.dead = self.panics.len() >= PANICS || !matches!(loaded, Ok(Ok(())));
    }

    /// Remembers the state of now as the one to go back to.
    pub(crate) fn keep(&mut self) {
        let mut out = StateWriter::default();
        self.detector.save(&mut out);
        self.saved = out.into_sections().into_iter().collect();
    }

    pub(crate) fn save(&self, out: &mut StateWriter) {
        out.put("guard", &(&self.panics, self.dead));
        out.put("kept", &self.saved);
        out.nested("state", |out| self.detector.save(out));
    }

    pub(crate) fn load(&mut self, state: StateReader<'_>, own: StateReader<'_>) {
        if let Ok((panics, dead)) = state.get("guard") {
            (self.panics, self.dead) = (panics, dead);
        }
        if !own.is_empty() && self.detector.load(own).is_err() {
            self.dead = true;
        }
        match state.get("kept") {
            Ok(kept) => self.saved = kept,
            Err(_) => self.keep(),
        }
    }
}

const fn bit(kind: Kind) -> u128 {
    1 << kind as u32
}

const _: () = assert!((Kind::Custom as u32) < u128::BITS, "a kind has no bit");
