//! What a target says about an input: whoever says something new is worth keeping.

use std::collections::BTreeSet;

/// The observations of one execution.
#[derive(Debug, Default)]
pub struct Trace(BTreeSet<u64>);

impl Trace {
    /// Notes that something was seen, such as a code of rejection. The text should have few values.
    pub fn saw(&mut self, what: &str) {
        // FNV-1a: the same on every machine.
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        self.0.insert(what.bytes().fold(0xcbf2_9ce4_8422_2325, step));
    }

    /// Notes a size by its order of magnitude.
    pub fn sized(&mut self, what: &str, size: usize) {
        self.saw(&format!("{what} 2^{}", usize::BITS - size.leading_zeros()));
    }

    /// Everything seen.
    pub(crate) fn into_seen(self) -> BTreeSet<u64> {
        self.0
    }
}
