//! Stored records and saved engines: what comes out of a file that somebody has written with checksums that are right.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use onesec_detector::StateWriter;
use onesec_engine::{Assemble, Engine, Settings};
use onesec_server::core::{decode_record, encode_record};
use onesec_telemetry::{Record, Seq, TenantId};
use onesec_testkit::contract::{Mix, generate};

use crate::parts::Parts;
use crate::trace::Trace;

pub(super) fn assemble() -> Assemble {
    Box::new(|_| Ok(onesec_detectors::all(&onesec_detectors::Settings::default())))
}

fn fresh() -> Engine {
    Engine::new(TenantId::default_tenant(), Settings::default(), assemble()).expect("an engine")
}

/// Records as they are stored, a few a time.
pub(super) fn records() -> Vec<Vec<u8>> {
    let mixes = [Mix::DENSE, Mix::WIDE, Mix::BEHAVIOUR, Mix::DISORDERED];
    let all = mixes.iter().zip(1..).flat_map(|(mix, seed)| generate(seed, 24, *mix)).collect::<Vec<_>>();
    all.chunks(4)
        .map(|few| few.iter().fold(Parts::default(), |parts, record| parts.with("record", encode_record(record))))
        .map(|parts| parts.to_bytes())
        .collect()
}

/// What can be read is written as it was read, and an engine takes it without falling over.
pub(super) fn record(input: &[u8], trace: &mut Trace) {
    let mut read: Vec<Record> = Vec::new();
    for (_, bytes) in &Parts::from_bytes(input).0 {
        let Some(record) = decode_record(bytes) else {
            trace.saw("no record");
            continue;
        };
        let written = encode_record(&record);
        assert_eq!(written.first(), bytes.first(), "another version was read as this one");
        assert!(written.len() <= bytes.len(), "{} bytes became {}", bytes.len(), written.len());
        let again = decode_record(&written).expect("what was written can be read");
        assert_eq!(encode_record(&again), written, "written, read and written again");
        trace.saw(&format!("{:?}", std::mem::discriminant(&record.body)));
        read.push(record);
    }
    if read.is_empty() {
        return;
    }
    let mut engine = fresh();
    feed(&mut engine, read, trace);
    assert_fixed(&mut engine);
}

fn feed(engine: &mut Engine, records: Vec<Record>, trace: &mut Trace) {
    for (mut record, seq) in records.into_iter().zip(1..) {
        record.seq = Seq(seq);
        let output = engine.apply(&record);
        assert!(output.panicked.is_empty(), "{:?} fell over {record:?}", output.panicked);
        trace.sized("transitions", output.transitions.len());
        for alert in engine.open_alerts() {
            trace.saw(alert.detector.as_str());
        }
    }
}

fn saved(engine: &mut Engine) -> BTreeMap<String, Vec<u8>> {
    let mut out = StateWriter::default();
    engine.save(&mut out);
    out.into_sections().into_iter().collect()
}

/// What is saved is loaded, and saved as the same.
fn assert_fixed(engine: &mut Engine) {
    let before = saved(engine);
    let loaded = Engine::load(TenantId::default_tenant(), assemble(), &before);
    let mut loaded = loaded.expect("what was saved can be loaded");
    let after = saved(&mut loaded);
    for (name, bytes) in &before {
        assert!(after.get(name) == Some(bytes), "section `{name}` is another one after loading");
    }
    assert_eq!(before.len(), after.len());
}

/// Sections of engines that have seen something, and of one that has not, without one section each.
pub(super) fn snapshots() -> Vec<Vec<u8>> {
    let parts = |sections: BTreeMap<String, Vec<u8>>| {
        sections.into_iter().fold(Parts::default(), |parts, (name, bytes)| parts.with(&name, bytes)).to_bytes()
    };
    let whole = saved(&mut fresh());
    let without = |name: &String| {
        let mut less = whole.clone();
        less.remove(name);
        parts(less)
    };
    let lacking: Vec<_> = NEEDED.iter().map(without).collect();
    let seen = [Mix::DENSE, Mix::WIDE, Mix::BEHAVIOUR].iter().zip(1..).map(|(mix, seed)| {
        let mut engine = fresh();
        feed(&mut engine, generate(seed, 40, *mix), &mut Trace::default());
        parts(saved(&mut engine))
    });
    seen.chain(lacking).collect()
}

/// Every section but those that older versions did not write, and what a detector keeps for itself.
static NEEDED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let optional = ["own_policies", "respond/doubted", "trackers/reach/agents"];
    let all = saved(&mut fresh()).into_keys();
    all.filter(|name| !optional.contains(&name.as_str()) && !name.starts_with("detector/")).collect()
});

/// Whether `name` is one of those that an older version left out, all together.
fn is_younger(name: &str, sections: &BTreeMap<String, Vec<u8>>) -> bool {
    let reach = |name: &str| name.starts_with("trackers/reach/") && name != "trackers/reach/agents";
    reach(name) && !sections.keys().any(|known| reach(known))
}

/// Damaged sections are refused or loaded; what was loaded goes on, and is saved in a form that is loaded again.
pub(super) fn snapshot(input: &[u8], trace: &mut Trace) {
    let sections: BTreeMap<String, Vec<u8>> = Parts::from_bytes(input).0.into_iter().collect();
    let mut engine = match Engine::load(TenantId::default_tenant(), assemble(), &sections) {
        Ok(engine) => engine,
        Err(error) => return trace.saw(&error.to_string()),
    };
    // State that was lost must not pass for state that never was.
    let lost = NEEDED.iter().find(|needed| !sections.contains_key(*needed) && !is_younger(needed, &sections));
    assert!(lost.is_none(), "half a snapshot was loaded: {lost:?} is missing");
    trace.saw("loaded");
    let next = generate(7, 12, Mix::DENSE).into_iter().chain(generate(8, 12, Mix::BEHAVIOUR));
    feed(&mut engine, next.collect(), trace);
    assert_fixed(&mut engine);
}
