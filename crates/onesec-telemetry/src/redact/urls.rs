//! Secrets that are known by their place in a URL: credentials, query and fragment.

use super::scan::{Scanner, Span};

impl Scanner<'_> {
    /// `user:pass` of `scheme://user:pass@host`; `at` is the colon after the scheme.
    pub(super) fn userinfo(&mut self, at: usize) -> Option<Span> {
        if !self.starts_with(at, b"://") || !self.before(at).is_ascii_alphanumeric() {
            return None;
        }
        let start = at + 3;
        if start >= self.url_end {
            self.url_end = self.end_of_url(at, start);
        }
        let end = self.run_end(start, |b| !matches!(b, b'/' | b'?' | b'#' | b'"' | b'<' | b'>' | b'\\') && b > b' ');
        let credentials = self.bytes.get(start..end)?.iter().rposition(|b| *b == b'@')?;
        Some(Span { start, end: start + credentials })
    }

    /// Query or fragment, from `at` (`?` or `#`) to the end of the URL. Without a scheme it must look
    /// like a query to be one: `/callback?code=…`.
    pub(super) fn query(&self, at: usize) -> Option<Span> {
        let start = at + 1;
        if start < self.url_end {
            return Some(Span { start, end: self.url_end });
        }
        let place = self.before(at);
        if self.byte(at) != b'?' || !(place.is_ascii_alphanumeric() || place == b'/') {
            return None;
        }
        let key = self.bytes.get(start..)?.iter().take(MAX_KEY_BYTES).take_while(|b| query_key(**b)).count();
        if key == 0 || self.byte(start + key) != b'=' {
            return None;
        }
        let end = self.run_end(start, |b| in_url(b) && b != b'\'');
        Some(Span { start, end: self.trimmed(start, end, closing) })
    }

    fn end_of_url(&self, colon: usize, from: usize) -> usize {
        let scheme = self.bytes.get(..colon).unwrap_or_default().iter().rev().take(MAX_SCHEME_BYTES);
        let scheme = scheme.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')).count();
        // An apostrophe may be part of a URL; it ends one that began with it.
        let quoted = self.before(colon - scheme) == b'\'';
        let end = self.run_end(from, |b| in_url(b) && !(quoted && b == b'\''));
        self.trimmed(from, end, closing)
    }
}

const MAX_SCHEME_BYTES: usize = 32;
const MAX_KEY_BYTES: usize = 64;

fn in_url(b: u8) -> bool {
    b > b' ' && b != 0x7f && !matches!(b, b'"' | b'<' | b'>' | b'`' | b'\\')
}

/// Punctuation that ends the sentence and not the URL.
fn closing(b: u8) -> bool {
    matches!(b, b'.' | b',' | b';' | b':' | b'!' | b'?' | b')' | b']' | b'}' | b'\'' | b'*' | b'|')
}

fn query_key(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'~' | b'%' | b'[' | b']')
}
