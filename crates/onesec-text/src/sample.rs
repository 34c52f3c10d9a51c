//! Which parts of a long text are read, so that no text takes longer than a bounded one.

use std::ops::Range;

/// Bytes read of one text at most.
pub const MAX_READ_BYTES: usize = 64 * 1024;

/// The beginning of a text: where instructions to whoever reads it usually stand.
const HEAD: usize = 24 * 1024;
/// Its end, where injected instructions are usually appended.
const TAIL: usize = 16 * 1024;
/// Windows between head and tail, evenly spaced.
const WINDOWS: usize = 6;
const WINDOW: usize = (MAX_READ_BYTES - HEAD - TAIL) / WINDOWS;

/// The byte ranges of `text` that are read, in order, on character boundaries, together [`MAX_READ_BYTES`] at most.
pub(crate) fn ranges(text: &str) -> Vec<Range<usize>> {
    let len = text.len();
    if len <= MAX_READ_BYTES {
        return std::iter::once(0..len).collect();
    }
    let middle = len - HEAD - TAIL;
    let gap = (middle - WINDOWS * WINDOW) / (WINDOWS + 1);
    let windows = (0..WINDOWS).map(|i| {
        let start = HEAD + gap * (i + 1) + WINDOW * i;
        start..start + WINDOW
    });
    std::iter::once(0..HEAD)
        .chain(windows)
        .chain(std::iter::once(len - TAIL..len))
        .map(|range| ceil(text, range.start)..floor(text, range.end))
        .filter(|range| !range.is_empty())
        .collect()
}

/// The last character boundary at or before `at`.
pub(crate) fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// The first character boundary at or after `at`.
pub(crate) fn ceil(text: &str, at: usize) -> usize {
    (at..text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_read_as_a_whole() {
        assert_eq!(ranges("abc").first(), Some(&(0..3)));
        assert_eq!(ranges("").first(), Some(&(0..0)));
    }

    #[test]
    fn a_long_text_is_read_at_both_ends_and_in_between_and_never_more_than_the_bound() {
        for text in ["x".repeat(1 << 20), "日本".repeat(200_000), "x".repeat(MAX_READ_BYTES + 1)] {
            let read = ranges(&text);
            assert_eq!(read.first().unwrap().start, 0);
            assert_eq!(read.last().unwrap().end, text.len());
            assert!(read.iter().map(ExactSizeIterator::len).sum::<usize>() <= MAX_READ_BYTES);
            assert!(read.iter().all(|r| text.get(r.clone()).is_some()));
            assert!(read.windows(2).all(|pair| pair[0].end <= pair[1].start), "{read:?}");
        }
    }
}
