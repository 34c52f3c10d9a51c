//! A campaign: one target, one seed, inputs until a limit, and what they found.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::{Duration, Instant};

use onesec_testkit::Rng;

use crate::minimise::minimise;
use crate::mutate::mutate;
use crate::target::Target;
use crate::trace::Trace;

/// When a campaign ends; at the first of these.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// After so many executions.
    pub executions: u64,
    /// After so long.
    pub time: Duration,
}

/// A property that does not hold, and an input that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where in the code the panic was: what tells one failure from another.
    pub place: String,
    /// What it said.
    pub what: String,
    /// The smallest input that was found for it.
    pub input: Vec<u8>,
}

/// What came of a campaign.
#[derive(Debug, Default)]
pub struct Report {
    /// Inputs that were run, minimising not counted.
    pub executions: u64,
    /// How long it took.
    pub took: Duration,
    /// Inputs kept because they showed something new.
    pub kept: usize,
    /// Different observations.
    pub observed: usize,
    /// The longest that one input took.
    pub slowest: Duration,
    /// That input.
    pub slowest_input: Vec<u8>,
    /// One for each place, five at most.
    pub failures: Vec<Failure>,
}

/// One target and what is known of it so far.
pub struct Campaign<'a> {
    target: &'a Target,
    rng: Rng,
    pool: Vec<Vec<u8>>,
    seen: BTreeSet<u64>,
    report: Report,
}

impl<'a> Campaign<'a> {
    /// Inputs kept at most: later ones take the place of others.
    const POOL: usize = 4_096;
    /// Failures that are worth minimising; who has so many has enough to do.
    const FAILURES: usize = 5;

    /// Over `target`, the same for the same `seed`.
    #[must_use]
    pub fn new(target: &'a Target, seed: u64) -> Self {
        let pool = (target.corpus)();
        Self { target, rng: Rng::new(seed), pool, seen: BTreeSet::new(), report: Report::default() }
    }

    /// Runs the corpus and then what is made of it. `before` sees every input before it is run.
    pub fn run(mut self, limits: Limits, mut before: impl FnMut(&[u8])) -> Report {
        let started = Instant::now();
        for input in self.pool.clone() {
            before(&input);
            self.execute(&input);
        }
        while self.report.executions < limits.executions
            && started.elapsed() < limits.time
            && self.report.failures.len() < Self::FAILURES
        {
            let (at, other) = (self.choose(), self.choose());
            let pair = (self.pool.get(at), self.pool.get(other));
            let (Some(input), Some(other)) = pair else { break };
            let input = mutate(self.target.shape, &mut self.rng, (input, other));
            before(&input);
            if self.execute(&input) {
                self.keep(input);
            }
        }
        self.report.took = started.elapsed();
        self.report.kept = self.pool.len();
        self.report.observed = self.seen.len();
        self.report
    }

    /// What is new is tried more often than what is old.
    fn choose(&mut self) -> usize {
        let len = self.pool.len() as u64;
        let newest = len.saturating_sub(32);
        let at = if self.rng.chance(30) { newest + self.rng.below(len - newest) } else { self.rng.below(len) };
        at as usize
    }

    fn keep(&mut self, input: Vec<u8>) {
        if self.pool.len() < Self::POOL {
            self.pool.push(input);
        } else {
            let at = self.rng.below(self.pool.len() as u64) as usize;
            if let Some(place) = self.pool.get_mut(at) {
                *place = input;
            }
        }
    }

    /// Runs one input; whether it showed something new.
    fn execute(&mut self, input: &[u8]) -> bool {
        let started = Instant::now();
        let outcome = execute(self.target, input);
        let took = started.elapsed();
        self.report.executions += 1;
        if took > self.report.slowest {
            (self.report.slowest, self.report.slowest_input) = (took, input.to_vec());
        }
        match outcome {
            Ok(trace) => {
                let before = self.seen.len();
                self.seen.extend(trace.into_seen());
                self.seen.len() > before
            }
            Err(panic) => {
                if !self.report.failures.iter().any(|known| known.place == panic.place) {
                    let input = minimise(self.target, input, &panic.place);
                    self.report.failures.push(Failure { place: panic.place, what: panic.what, input });
                }
                false
            }
        }
    }
}

/// Where a target panicked, and what it said.
#[derive(Debug, Clone)]
pub(crate) struct Panic {
    pub(crate) place: String,
    pub(crate) what: String,
}

thread_local! {
    /// Whether a panic of this thread is an answer and not an accident.
    static ASKED: Cell<bool> = const { Cell::new(false) };
    static ANSWER: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Runs `target` on `input` and catches what it says.
pub(crate) fn execute(target: &Target, input: &[u8]) -> Result<Trace, Panic> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !ASKED.get() {
                return others(info);
            }
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let what = info.payload_as_str().unwrap_or_default().to_owned();
            ANSWER.set(Some(Panic { place, what }));
        }));
    });
    ASKED.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut trace = Trace::default();
        (target.run)(input, &mut trace);
        trace
    }));
    ASKED.set(false);
    outcome.map_err(|_| ANSWER.take().unwrap_or_else(|| Panic { place: "unknown".to_owned(), what: String::new() }))
}
