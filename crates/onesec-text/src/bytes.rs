//! Sets of bytes, asked once for every byte of a text.

/// A set of bytes.
#[derive(Debug)]
pub(crate) struct Bytes([bool; 256]);

impl Bytes {
    /// The bytes of all `ranges`, both ends included.
    #[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled, and a byte is below 256")]
    pub(crate) const fn of(ranges: &[(u8, u8)]) -> Self {
        let (mut set, mut rest) = ([false; 256], ranges);
        while let [(first, last), others @ ..] = rest {
            let mut b = *first as usize;
            while b <= *last as usize {
                set[b] = true;
                b += 1;
            }
            rest = others;
        }
        Self(set)
    }

    /// Whether `b` is among them.
    #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
    pub(crate) const fn has(&self, b: u8) -> bool {
        self.0[b as usize]
    }
}
