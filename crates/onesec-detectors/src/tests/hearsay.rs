//! What others merely say changes no answer: the same requests, with and without hearsay among them.

use onesec_enforcement::Preset;
use onesec_engine::{EnforcementSettings, Engine, Settings};
use onesec_telemetry::{Attribution, Mode, Record, Seq, Severity, TenantId};
use onesec_testkit::contract::{Mix, generate};
use proptest::prelude::*;

use super::scenarios::built_in;

fn is_hearsay(record: &Record) -> bool {
    record.event().is_some() && record.attribution() == Attribution::Reported && !record.has_authority()
}

type Answered = (String, &'static str, Vec<(&'static str, Severity, String)>);

/// The answers to all requests of a stream, each with the findings behind it.
fn answers(records: impl Iterator<Item = Record>) -> Vec<Answered> {
    let enforcement =
        EnforcementSettings { mode: Mode::Live, preset: Preset::Strict, ..EnforcementSettings::default() };
    let settings = Settings { enforcement, ..Settings::default() };
    let mut engine = Engine::new(TenantId::default_tenant(), settings, Box::new(built_in)).expect("an engine");
    let mut said = Vec::new();
    for (index, mut record) in records.enumerate() {
        record.seq = Seq(index as u64 + 1);
        let output = engine.apply(&record);
        // Whoever asks about another agent speaks from hearsay, too.
        let (Some(answer), Some(event)) = (&output.answer, record.event().filter(|_| !is_hearsay(&record))) else {
            continue;
        };
        let findings = output
            .findings
            .iter()
            .map(|finding| (finding.brief.detector, finding.brief.severity, finding.brief.reason.clone()));
        said.push((event.id.to_string(), answer.applies.as_str(), findings.collect()));
    }
    said
}

fn check(seed: u64, mix: Mix) {
    let stream = generate(seed, 400, mix);
    let hearsay = stream.iter().filter(|record| is_hearsay(record)).count();
    assert!(hearsay > 10, "{hearsay} records of hearsay");
    let with = answers(stream.iter().cloned());
    let without = answers(stream.iter().filter(|record| !is_hearsay(record)).cloned());
    for (with, without) in with.iter().zip(&without) {
        assert_eq!(with, without, "seed {seed}");
    }
    assert_eq!(with.len(), without.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn about_what_agents_do(seed in 0_u64..100_000) {
        check(seed, Mix::BEHAVIOUR);
    }

    #[test]
    fn about_delegated_access(seed in 0_u64..100_000) {
        check(seed, Mix::DENSE);
    }
}
