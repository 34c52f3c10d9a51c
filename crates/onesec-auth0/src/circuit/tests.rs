//! The breaker against what a reader of its documentation would expect.

use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::from_secs(1_800_000_000);
const SETTINGS: CircuitSettings =
    CircuitSettings { failures: 3, cooldown: Duration::from_secs(5), max_cooldown: Duration::from_secs(20) };

fn fail(circuit: &mut Circuit, now: Timestamp) {
    let permit = circuit.admit(now).expect("admitted");
    circuit.report(permit, Outcome::Failed, now);
}

#[test]
fn opens_probes_backs_off_and_closes() {
    let mut circuit = Circuit::new(SETTINGS);
    let mut now = START;
    (0..3).for_each(|_| fail(&mut circuit, now));
    assert_eq!(circuit.admit(now), Err(Duration::from_secs(5)));
    for cooldown in [10, 20, 20] {
        now = now + Duration::from_secs(20);
        let probe = circuit.admit(now).expect("a probe");
        assert!(circuit.admit(now).is_err(), "one probe at a time");
        circuit.report(probe, Outcome::Failed, now);
        assert_eq!(circuit.admit(now), Err(Duration::from_secs(cooldown)));
    }
    now = now + Duration::from_secs(20);
    let probe = circuit.admit(now).expect("a probe");
    circuit.report(probe, Outcome::Healthy, now);
    assert!(circuit.is_closed());
    (0..3).for_each(|_| fail(&mut circuit, now));
    assert_eq!(circuit.admit(now), Err(Duration::from_secs(5)), "the cooldown starts over");
}

#[test]
fn an_abandoned_probe_lets_the_next_one_try() {
    let mut circuit = Circuit::new(SETTINGS);
    (0..3).for_each(|_| fail(&mut circuit, START));
    let later = START + Duration::from_secs(5);
    let probe = circuit.admit(later).expect("a probe");
    circuit.report(probe, Outcome::Abandoned, later);
    assert!(circuit.admit(later).is_ok());
}

#[test]
fn late_reports_change_nothing() {
    let mut circuit = Circuit::new(SETTINGS);
    let old = circuit.admit(START).expect("admitted");
    (0..3).for_each(|_| fail(&mut circuit, START));
    circuit.report(old, Outcome::Healthy, START);
    assert!(!circuit.is_closed(), "a request from before it opened does not close it");
}

#[derive(Debug, Clone)]
enum Step {
    Admit,
    Report(usize, Outcome),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![Just(Outcome::Healthy), Just(Outcome::Failed), Just(Outcome::Abandoned)];
    prop_oneof![
        3 => Just(Step::Admit),
        3 => (0_usize..8, outcome).prop_map(|(which, outcome)| Step::Report(which, outcome)),
        1 => (0_u64..25).prop_map(Step::Wait),
    ]
}

/// The rules once more, as plainly as possible: what happened since the last change of state.
#[derive(Default)]
struct Model {
    in_a_row: u32,
    open_until: Option<Timestamp>,
    probing: bool,
    cooldown: u64,
    generation: u64,
}

impl Model {
    fn admits(&mut self, now: Timestamp) -> bool {
        match self.open_until {
            None => true,
            Some(_) if self.probing => false,
            Some(until) if until > now => false,
            Some(_) => {
                self.probing = true;
                self.generation += 1;
                true
            }
        }
    }

    fn report(&mut self, generation: u64, outcome: Outcome, now: Timestamp) {
        if generation != self.generation {
            return;
        }
        match (self.probing, outcome) {
            (true, Outcome::Healthy) => *self = Self { generation: self.generation + 1, ..Self::default() },
            (true, Outcome::Failed) => self.open(now, (self.cooldown * 2).min(20)),
            (true, Outcome::Abandoned) => self.open_for(now, 0),
            (false, Outcome::Healthy) => self.in_a_row = 0,
            (false, Outcome::Failed) => {
                self.in_a_row += 1;
                if self.in_a_row == 3 {
                    self.open(now, 5);
                }
            }
            (false, Outcome::Abandoned) => {}
        }
    }

    fn open(&mut self, now: Timestamp, seconds: u64) {
        self.cooldown = seconds;
        self.open_for(now, seconds);
    }

    fn open_for(&mut self, now: Timestamp, seconds: u64) {
        self.probing = false;
        self.generation += 1;
        self.open_until = Some(now + Duration::from_secs(seconds));
    }
}

proptest! {
    #[test]
    fn behaves_as_documented(steps in prop::collection::vec(step(), 1..200)) {
        let (mut circuit, mut model, mut now) = (Circuit::new(SETTINGS), Model::default(), START);
        let mut under_way: Vec<(Permit, u64)> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(seconds) => now = now + Duration::from_secs(seconds),
                Step::Admit => {
                    let admitted = circuit.admit(now);
                    prop_assert_eq!(admitted.is_ok(), model.admits(now));
                    if let Ok(permit) = admitted {
                        under_way.push((permit, model.generation));
                    }
                }
                Step::Report(which, outcome) if which < under_way.len() => {
                    let (permit, generation) = under_way.remove(which);
                    circuit.report(permit, outcome, now);
                    model.report(generation, outcome, now);
                }
                Step::Report(..) => {}
            }
            prop_assert_eq!(circuit.is_closed(), model.open_until.is_none());
        }
        // Whatever happened, it lets somebody try again once nothing is under way and time has passed.
        for (permit, generation) in under_way.drain(..) {
            circuit.report(permit, Outcome::Abandoned, now);
            model.report(generation, Outcome::Abandoned, now);
        }
        prop_assert!(circuit.admit(now + Duration::from_secs(20)).is_ok());
    }
}
