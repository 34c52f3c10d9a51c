//! The checks, each a function that says how a detector breaks the contract.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use onesec_detector::{Descriptor, Detector, Findings, StateReader, StateWriter};
use onesec_engine::{Engine, Settings};
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{Body, Record, Severity, TenantId};
use onesec_trackers::{Settled, TrackerConfig, Trackers};

use super::generate::{Mix, generate};
use super::{Breach, Make};
use crate::rng::Rng;

/// As much state as a detector may save after 50 000 records that share no name.
pub const MAX_STATE_BYTES: usize = 8 * 1024 * 1024;

/// Records that share no name, for the bound on memory.
const MANY: usize = 50_000;
/// Records for everything else.
const SOME: usize = 2_500;

/// What it says of itself is complete, well spelt and always the same.
///
/// # Errors
/// [`Breach::Descriptor`].
pub fn descriptor_is_well_formed(make: Make<'_>) -> Result<(), Breach> {
    let detector = make();
    let descriptor = detector.descriptor();
    let wrong = |what: &str| Err(Breach::Descriptor(what.to_owned()));
    if !is_kebab(descriptor.code) {
        return wrong("the code is no kebab-case name of at most 64 characters, such as `night-shift`");
    }
    if descriptor.title.trim().is_empty() || descriptor.title.len() > 120 {
        return wrong("the title is empty or longer than 120 bytes");
    }
    if descriptor.blind_spot.trim().is_empty() {
        return wrong("the blind spot is empty: every detector has one");
    }
    if descriptor.mitigation.trim().is_empty() {
        return wrong("the mitigation is empty: whoever reads the alert must know what to do");
    }
    let known = |id: &&str| (1..=10).any(|n| **id == format!("ASI{n:02}"));
    if let Some(unknown) = descriptor.owasp.iter().find(|id| !known(id)) {
        return wrong(&format!("`{unknown}` is no id of the OWASP list: ASI01 to ASI10"));
    }
    let kinds: BTreeSet<_> = descriptor.kinds.iter().collect();
    if kinds.len() != descriptor.kinds.len() {
        return wrong("a kind is named twice");
    }
    if shown(descriptor) != shown(make().descriptor()) || shown(descriptor) != shown(detector.descriptor()) {
        return wrong("it differs from one call to the next");
    }
    Ok(())
}

fn is_kebab(code: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    code.len() <= 64 && code.split('-').all(part)
}

fn shown(descriptor: &Descriptor) -> String {
    format!("{descriptor:?}")
}

/// Two of it say the same about the same records and save the same bytes.
///
/// # Errors
/// [`Breach::NotDeterministic`].
pub fn same_every_time(make: Make<'_>) -> Result<(), Breach> {
    for records in [dense(), wide()] {
        let (mut first, mut second) = (Bench::new(make()), Bench::new(make()));
        for record in records {
            let (a, b) = (first.feed(record)?, second.feed(record)?);
            differ(record, a, b)?;
        }
        if let Some(last) = records.last() {
            differ(last, format!("{:?}", first.saved()), format!("{:?}", second.saved()))?;
        }
    }
    Ok(())
}

fn differ(record: &Record, first: String, second: String) -> Result<(), Breach> {
    if first == second { Ok(()) } else { Err(Breach::NotDeterministic { at: record.seq.0, first, second }) }
}

/// Findings are proved by events that were fed.
///
/// # Errors
/// [`Breach::UnknownEvidence`].
pub fn evidence_names_events(make: Make<'_>) -> Result<(), Breach> {
    for records in [dense(), wide()] {
        let mut bench = Bench::new(make());
        let mut fed: BTreeSet<String> = BTreeSet::new();
        for record in records {
            fed.insert(match record.event() {
                Some(event) => event.id.to_string(),
                None => format!("record-{}", record.seq),
            });
            // A tick is no event: what is found on it is proved by events, or by the tick as `record-<seq>`.
            bench.feed(record)?;
            let named = bench.found.as_slice().iter().flat_map(|finding| finding.evidence.iter());
            if let Some(id) = named.into_iter().find(|id| !fed.contains(id.as_str())) {
                return Err(Breach::UnknownEvidence { at: record.seq.0, id: id.to_string() });
            }
        }
    }
    Ok(())
}

/// What it saves stays below a bound, whatever it is fed, and is nothing where it says that it keeps no state.
///
/// 50 000 records that share no name must fill it: the second half may not add as much as the first. A detector whose
/// bound is larger takes it as an argument, and is tested with a small one.
///
/// # Errors
/// [`Breach::Unbounded`], [`Breach::NotStateless`].
pub fn state_is_bounded(make: Make<'_>) -> Result<(), Breach> {
    static FEW: OnceLock<Vec<Record>> = OnceLock::new();
    static ALL: OnceLock<Vec<Record>> = OnceLock::new();
    let mut bench = Bench::new(make());
    let stateless = bench.detector.descriptor().stateless;
    // What keeps no state need not be filled, only seen to have none.
    let (records, many) = if stateless { (&FEW, SOME) } else { (&ALL, MANY) };
    let records = records.get_or_init(|| generate(50, many, Mix::NOVEL));
    let mut half = 0;
    for (index, record) in records.iter().enumerate() {
        bench.feed(record)?;
        if index == many / 2 {
            half = bench.state_bytes();
        }
    }
    let bytes = bench.state_bytes();
    if stateless {
        return if bytes == 0 { Ok(()) } else { Err(Breach::NotStateless(bytes)) };
    }
    // Below the bound, and not on its way there: what still doubles when the records do has no bound at all.
    let grows = bytes > 64 * 1024 && bytes > half + half / 2;
    let limit = if grows { half + half / 2 } else { MAX_STATE_BYTES };
    if bytes > limit {
        return Err(Breach::Unbounded { bytes, records: MANY, limit });
    }
    Ok(())
}

/// Late, duplicate and disordered records make no panic, and late ones raise nothing above LOW, in the engine.
///
/// # Errors
/// [`Breach::Panics`], [`Breach::LateRaises`].
pub fn late_raises_nothing(make: Make<'_>) -> Result<(), Breach> {
    let spare = std::sync::Mutex::new(Some(make()));
    let one = move |_: &Settings| Ok(spare.lock().ok().and_then(|mut spare| spare.take()).into_iter().collect());
    let engine = Engine::new(TenantId::default_tenant(), Settings::default(), Box::new(one));
    let mut engine = engine.map_err(|why| Breach::Descriptor(why.to_string()))?;
    for record in &generate(11, SOME, Mix::DISORDERED) {
        let output = engine.apply(record);
        if !output.panicked.is_empty() {
            return Err(Breach::Panics { at: record.seq.0, what: what(record) });
        }
        let worst = output.findings.iter().map(|f| f.brief.severity).max();
        if let Some(severity) = worst.filter(|s| record.late && *s > Severity::Low) {
            return Err(Breach::LateRaises { at: record.seq.0, severity: severity.as_str() });
        }
    }
    Ok(())
}

/// Saved and loaded anywhere, it goes on as if nothing had happened.
///
/// # Errors
/// [`Breach::NotLoaded`], [`Breach::Forgets`].
pub fn same_after_restart(make: Make<'_>) -> Result<(), Breach> {
    let mut rng = Rng::new(99);
    for records in [dense(), wide()] {
        let mut straight = Bench::new(make());
        let said: Vec<String> = records.iter().map(|record| straight.feed(record)).collect::<Result<_, _>>()?;
        let mut cuts: BTreeSet<u64> = (0..12).map(|_| rng.below(records.len() as u64)).collect();
        cuts.insert(0);
        let (mut bench, mut cut) = (Bench::new(make()), 0);
        for (record, before) in records.iter().zip(said) {
            if cuts.contains(&record.seq.0) {
                cut = record.seq.0;
                bench.restart(make(), cut)?;
            }
            let after = bench.feed(record)?;
            if before != after {
                return Err(Breach::Forgets { cut, at: record.seq.0, before, after });
            }
        }
        let (before, after) = (format!("{:?}", straight.saved()), format!("{:?}", bench.saved()));
        if before != after {
            return Err(Breach::Forgets { cut, at: records.len() as u64, before, after });
        }
    }
    Ok(())
}

/// No record of any kind makes it panic.
///
/// # Errors
/// [`Breach::Panics`].
pub fn never_panics(make: Make<'_>) -> Result<(), Breach> {
    for seed in [21, 22, 23] {
        let mut bench = Bench::new(make());
        for record in &generate(seed, SOME, Mix { novel: 10 * (seed - 20), ..Mix::WIDE }) {
            bench.feed(record)?;
        }
    }
    for record in dense() {
        // Alone, without anything that came before.
        Bench::new(make()).feed(record)?;
    }
    Ok(())
}

fn dense() -> &'static [Record] {
    static RECORDS: OnceLock<Vec<Record>> = OnceLock::new();
    RECORDS.get_or_init(|| generate(1, SOME, Mix::DENSE))
}

fn wide() -> &'static [Record] {
    static RECORDS: OnceLock<Vec<Record>> = OnceLock::new();
    RECORDS.get_or_init(|| generate(2, SOME, Mix::WIDE))
}

/// A detector on trackers, without the engine.
struct Bench {
    trackers: Trackers,
    detector: Box<dyn Detector>,
    found: Findings,
}

impl Bench {
    fn new(detector: Box<dyn Detector>) -> Self {
        let trackers = Trackers::new(TrackerConfig::default(), Catalogue::builtin());
        Self { trackers, detector, found: Findings::new() }
    }

    /// Feeds a record and gives what was found as text.
    fn feed(&mut self, record: &Record) -> Result<String, Breach> {
        let _ = self.found.drain();
        let facts = self.trackers.observe(record);
        let (detector, found) = (&mut self.detector, &mut self.found);
        let judged = catch_unwind(AssertUnwindSafe(|| match &record.body {
            Body::Tick => detector.tick(record.observed_at, found),
            Body::Event(event) if detector.descriptor().reads(event.kind()) => detector.judge(record, &facts, found),
            _ => {}
        }));
        drop(facts);
        self.trackers.settle(if self.found.is_empty() { Settled::Passed } else { Settled::PassedWithFindings });
        let _ = self.trackers.changes();
        match judged {
            Ok(()) => Ok(format!("{:?}", self.found.as_slice())),
            Err(_) => Err(Breach::Panics { at: record.seq.0, what: what(record) }),
        }
    }

    fn saved(&self) -> BTreeMap<String, Vec<u8>> {
        let mut out = StateWriter::default();
        self.detector.save(&mut out);
        out.into_sections().into_iter().collect()
    }

    fn state_bytes(&self) -> usize {
        self.saved().values().map(Vec::len).sum()
    }

    /// Another detector takes over the state; the trackers stay.
    fn restart(&mut self, fresh: Box<dyn Detector>, at: u64) -> Result<(), Breach> {
        let saved = self.saved();
        self.detector = fresh;
        if saved.is_empty() {
            return Ok(());
        }
        self.detector.load(StateReader::new(&saved)).map_err(|why| Breach::NotLoaded { at, why: why.to_string() })
    }
}

fn what(record: &Record) -> String {
    match record.event() {
        Some(event) => event.to_json().to_string(),
        None => format!("{:?}", record.body),
    }
}
