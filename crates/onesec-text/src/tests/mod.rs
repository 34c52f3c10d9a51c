//! The scorer as its users see it: phrases of thirteen languages, look-alikes, disguises, bounds.

use proptest::prelude::*;

use crate::{MAX_READ_BYTES, Score, Scorer, Signal, Strictness, normalise};

mod phrases;
mod properties;

/// One scorer for all tests: building it takes a moment.
fn scorer() -> &'static Scorer {
    static SCORER: std::sync::LazyLock<Scorer> = std::sync::LazyLock::new(Scorer::new);
    &SCORER
}

fn is_instruction(text: &str) -> bool {
    scorer().score(text).is_instruction_like(Strictness::Standard)
}
