//! A detector that panics harms nobody but itself.

use onesec_detector::{StateError, StateReader, StateWriter};
use onesec_enforcement::Verdict;

use super::*;

const TWO: &[(&str, GuardClass)] = &[("first", GuardClass::Closed), ("second", GuardClass::Advisory)];

/// `first` panics where told to, since `Loud` detectors are told the same, only one of two is asked: by kind.
fn frail(guard: GuardClass) -> Engine {
    let assemble = move |_: &Settings| {
        let calm: Box<dyn Detector> = Box::new(Calm(Descriptor::new("calm", Module::AiContainment, "Calm")));
        Ok(vec![Loud::boxed("frail", guard), calm])
    };
    Engine::new(TenantId::default_tenant(), Settings::default(), Box::new(assemble)).expect("an engine")
}

/// Finds something in everything and never panics.
struct Calm(Descriptor);

impl Detector for Calm {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }
    fn judge(&mut self, record: &Record, _: &Facts<'_>, out: &mut Findings) {
        out.report(Finding::about(record, Severity::Low, "seen"));
    }
}

#[test]
fn a_panic_costs_one_record_and_others_are_asked_all_the_same() {
    let mut engine = frail(GuardClass::Closed);
    let outputs = apply(&mut engine, [does("0s", "bot-7", "HIGH panic"), does("1s", "bot-7", "HIGH")]);
    assert_eq!(outputs[0].panicked, ["frail"]);
    let codes = |o: &Output| o.findings.iter().map(|f| f.brief.detector).collect::<Vec<_>>();
    assert_eq!(codes(&outputs[0]), ["calm"]);
    assert_eq!(codes(&outputs[1]), ["frail", "calm"]);
    assert!(engine.dead_detectors().is_empty());
}

#[test]
fn three_panics_in_ten_minutes_and_what_it_guards_is_refused() {
    let mut engine = frail(GuardClass::Closed);
    let mut story: Vec<Draft> = (0..3).map(|_| does("+3m", "bot-7", "HIGH panic")).collect();
    story.extend([asks("+1s", "bot-7", "nothing"), does("+1s", "bot-7", "HIGH")]);
    let outputs = apply(&mut engine, story);
    assert_eq!(engine.dead_detectors(), [("frail", true)]);
    let answer = outputs[3].answer.as_ref().expect("an answer");
    assert_eq!((answer.applies, answer.would), (Verdict::Deny, Verdict::Deny));
    assert!(answer.because.as_ref().is_some_and(|b| b.detector == "frail" && b.reason.contains("is down")));
    assert!(outputs[4].findings.iter().all(|f| f.brief.detector == "calm"));
}

#[test]
fn an_advisory_detector_dies_alone() {
    let mut engine = frail(GuardClass::Advisory);
    let mut story: Vec<Draft> = (0..3).map(|_| does("+3m", "bot-7", "HIGH panic")).collect();
    story.push(asks("+1s", "bot-7", "nothing"));
    let outputs = apply(&mut engine, story);
    assert_eq!(engine.dead_detectors(), [("frail", false)]);
    assert!(outputs[3].answer.as_ref().is_some_and(|a| a.applies.passes()));
}

#[test]
fn panics_far_apart_do_not_kill() {
    let mut engine = frail(GuardClass::Closed);
    apply(&mut engine, (0..9).map(|_| does("+6m", "bot-7", "HIGH panic")));
    assert!(engine.dead_detectors().is_empty());
}

#[test]
fn the_dead_stay_dead_over_a_restart() {
    let mut engine = frail(GuardClass::Closed);
    apply(&mut engine, (0..3).map(|_| does("+1s", "bot-7", "HIGH panic")));
    let mut out = StateWriter::default();
    engine.save(&mut out);
    let assemble = |_: &Settings| Ok(vec![Loud::boxed("frail", GuardClass::Closed)]);
    let sections = out.into_sections().into_iter().collect();
    let loaded = Engine::load(TenantId::default_tenant(), Box::new(assemble), &sections).expect("an engine");
    assert_eq!(loaded.dead_detectors(), [("frail", true)]);
}

/// Questions are no records: a replay never sees them, so nothing may come of them.
#[test]
fn a_question_changes_nothing() {
    let mut engine = frail(GuardClass::Closed);
    let saved = |engine: &mut Engine| {
        let mut out = StateWriter::default();
        engine.save(&mut out);
        out.into_sections()
    };
    let before = saved(&mut engine);
    for record in records((0..5).map(|_| asks("+1s", "bot-7", "HIGH panic"))) {
        let _ = engine.preview(&record);
    }
    assert!(engine.dead_detectors().is_empty());
    assert_eq!(saved(&mut engine), before);
}

#[test]
fn a_question_is_told_what_a_request_would_be_told() {
    let mut engine = engine_with(TWO, Settings::default());
    let record = &records([asks("0s", "bot-7", "LOW binding")])[0];
    let (answer, findings) = engine.preview(record);
    let told = engine.apply(record);
    assert_eq!(Some(answer.applies), told.answer.as_ref().map(|a| a.applies));
    assert_eq!(findings.len(), told.findings.len());
    apply(&mut engine, (0..3).map(|_| does("+1s", "bot-7", "HIGH panic")));
    assert_eq!(engine.preview(&records([asks("9s", "bot-7", "nothing")])[0]).0.applies, Verdict::Deny);
}

/// Counts, tells every third, and panics where told.
struct Counter(Descriptor, u64);

impl Detector for Counter {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }
    fn judge(&mut self, record: &Record, _: &Facts<'_>, out: &mut Findings) {
        self.1 += 1;
        let told = record.event().map(|e| e.to_json().to_string()).unwrap_or_default();
        assert!(!told.contains("panic"), "as told");
        out.report(Finding::about(record, Severity::Low, format!("number {}", self.1)));
    }
    fn save(&self, out: &mut StateWriter) {
        out.put("count", &self.1);
    }
    fn load(&mut self, state: StateReader<'_>) -> Result<(), StateError> {
        self.1 = state.get("count")?;
        Ok(())
    }
}

/// What a detector goes back to after a panic depends on records alone, not on who took a snapshot and when.
#[test]
fn snapshots_do_not_change_what_a_panic_costs() {
    let assemble = |_: &Settings| {
        let descriptor = Descriptor::new("counter", Module::AiContainment, "Counter");
        Ok(vec![Box::new(Counter(descriptor, 0)) as Box<dyn Detector>])
    };
    let new = || Engine::new(TenantId::default_tenant(), Settings::default(), Box::new(assemble)).expect("an engine");
    let words = |i: u32| if i == 30 { "panic" } else { "work" };
    let story = records((0..40).map(|i| does("+1s", "bot-7", words(i))));
    let run = |snapshot_at: Option<usize>, reload: bool| -> Vec<String> {
        let mut engine = new();
        let mut said = Vec::new();
        for (i, record) in story.iter().enumerate() {
            if snapshot_at == Some(i) {
                let mut out = StateWriter::default();
                engine.save(&mut out);
                let sections = out.into_sections().into_iter().collect();
                if reload {
                    engine = Engine::load(TenantId::default_tenant(), Box::new(assemble), &sections).expect("loads");
                }
            }
            said.push(format!("{:?}", engine.apply(record)));
        }
        said
    };
    let straight = run(None, false);
    assert_eq!(straight, run(Some(20), false));
    assert_eq!(straight, run(Some(20), true));
    assert_eq!(straight, run(Some(35), true));
}
