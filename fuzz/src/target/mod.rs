//! The targets: what must hold for any input, decoder by decoder.

mod block;
mod config;
mod engine;
mod event;
mod log;
mod policy;
mod secrets;
mod stored;
mod token;

use crate::trace::Trace;

pub(crate) use secrets::SECRETS;

/// What inputs look like, so that mutations get past the first check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// JSON text.
    Json,
    /// YAML text.
    Yaml,
    /// [`Parts`](crate::Parts).
    Parts,
}

/// One decoder, and what must hold for every input.
pub struct Target {
    /// What `cargo xtask fuzz` calls it.
    pub name: &'static str,
    /// What inputs look like.
    pub shape: Shape,
    /// Inputs to begin with.
    pub corpus: fn() -> Vec<Vec<u8>>,
    /// Panics where a property does not hold.
    pub run: fn(&[u8], &mut Trace),
    /// Executions in the ordinary tests.
    pub short: u64,
}

/// All targets.
pub const TARGETS: [Target; 11] = [
    Target { name: "event", shape: Shape::Json, corpus: event::corpus, run: event::event, short: 1_500 },
    Target { name: "batch", shape: Shape::Json, corpus: event::batches, run: event::batch, short: 400 },
    Target { name: "cloudevents", shape: Shape::Json, corpus: event::corpus, run: event::cloud, short: 800 },
    Target { name: "record", shape: Shape::Parts, corpus: engine::records, run: engine::record, short: 60 },
    Target { name: "snapshot", shape: Shape::Parts, corpus: engine::snapshots, run: engine::snapshot, short: 40 },
    Target { name: "block", shape: Shape::Parts, corpus: block::corpus, run: block::run, short: 150 },
    Target { name: "chunks", shape: Shape::Parts, corpus: stored::corpus, run: stored::run, short: 100 },
    Target { name: "config", shape: Shape::Yaml, corpus: config::corpus, run: config::run, short: 300 },
    Target { name: "log", shape: Shape::Json, corpus: log::corpus, run: log::run, short: 600 },
    Target { name: "policy", shape: Shape::Json, corpus: policy::corpus, run: policy::run, short: 600 },
    Target { name: "token", shape: Shape::Json, corpus: token::corpus, run: token::run, short: 250 },
];
