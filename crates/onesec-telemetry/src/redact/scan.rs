//! One pass over a text: find a byte that a secret may hang on, look around it, replace.

use std::borrow::Cow;

use super::hidden::{COMMAND, is_command};
use crate::secret::Thumbprint;

/// A half-open range of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Redacts until nothing changes: a mark next to the rest of a broken secret may complete another.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let mut redacted = pass(text);
    for _ in 0..MAX_PASSES {
        let Cow::Owned(again) = pass(&redacted) else { break };
        redacted = Cow::Owned(again);
    }
    redacted
}

/// Two suffice but for texts made to need more; each pass takes away text that is no mark.
const MAX_PASSES: usize = 16;

fn pass(text: &str) -> Cow<'_, str> {
    let mut scanner = Scanner { text, bytes: text.as_bytes(), floor: 0, url_end: 0, no_jwt_before: 0 };
    let mut out = String::new();
    let (mut at, mut copied) = (0, 0);
    while let Some(anchor) = scanner.next_anchor(at) {
        at = anchor + 1;
        let Some(span) = scanner.secret_at(anchor) else { continue };
        let Some(secret) = text.get(span.start..span.end) else { continue };
        if !is_mark(secret) {
            out.push_str(text.get(copied..span.start).unwrap_or_default());
            push_mark(&mut out, secret);
            copied = span.end;
        }
        scanner.floor = span.end;
        at = at.max(span.end);
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// The text, and what is known of it so far. Every look around an anchor costs a constant, or ends
/// in a span that is not looked at again, or is remembered: that keeps the whole pass linear.
pub(super) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    /// Nothing before it may become part of another secret.
    pub(super) floor: usize,
    /// Where the URL that was seen last ends.
    pub(super) url_end: usize,
    /// No JWT starts before it, because the run of its characters has too few dots.
    pub(super) no_jwt_before: usize,
}

impl Scanner<'_> {
    fn next_anchor(&self, from: usize) -> Option<usize> {
        let rest = self.bytes.get(from..)?;
        rest.iter().position(|b| ANCHORS.get(usize::from(*b)).copied().unwrap_or(false)).map(|offset| from + offset)
    }

    fn secret_at(&mut self, at: usize) -> Option<Span> {
        let span = match self.byte(at) {
            b'J' => self.jwt(at),
            b'I' => self.upper_case_key(at),
            b'b' | b'B' => self.scheme_value(at),
            b'!' => self.salesforce_session(at),
            b'/' => self.google_refresh(at),
            b'-' => self.private_key(at).or_else(|| self.prefixed(at)).or_else(|| self.flag(at)),
            b'_' | b'.' => self.prefixed(at),
            b':' => self.userinfo(at).or_else(|| self.pair(at)),
            b'=' => self.pair(at),
            b'?' | b'#' => self.query(at),
            _ => None,
        };
        span.filter(|span| span.start >= self.floor && span.start < span.end)
    }

    /// The byte, or NUL outside of the text.
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The byte before, or NUL at the start.
    pub(super) fn before(&self, at: usize) -> u8 {
        at.checked_sub(1).map_or(0, |at| self.byte(at))
    }

    pub(super) fn starts_with(&self, at: usize, prefix: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(prefix))
    }

    pub(super) fn starts_with_any_case(&self, at: usize, prefix: &[u8]) -> bool {
        self.bytes.get(at..at + prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    }

    /// Where the run of bytes that `belongs` accepts ends.
    pub(super) fn run_end(&self, from: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        from + rest.iter().position(|b| !belongs(*b)).unwrap_or(rest.len())
    }

    /// `end`, less the bytes before it that `trailing` accepts; never less than `start`.
    pub(super) fn trimmed(&self, start: usize, end: usize, trailing: impl Fn(u8) -> bool) -> usize {
        let run = self.bytes.get(start..end).unwrap_or_default();
        start + run.iter().rposition(|b| !trailing(*b)).map_or(0, |last| last + 1)
    }

    pub(super) fn line_end(&self, from: usize) -> usize {
        self.run_end(from, |b| !matches!(b, b'\n' | b'\r'))
    }
}

/// Bytes that every secret with a shape, a name or a place contains, and plain text seldom.
const ANCHORS: [bool; 256] = anchors();

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time: a wrong index does not build")]
const fn anchors() -> [bool; 256] {
    let mut table = [false; 256];
    let anchors = b"JIbB!/-_.:=?#";
    let mut i = 0;
    while i < anchors.len() {
        table[anchors[i] as usize] = true;
        i += 1;
    }
    table
}

fn push_mark(out: &mut String, secret: &str) {
    let digest = Thumbprint::of(secret.as_bytes()).to_string();
    out.push_str(MARK);
    out.push_str(digest.get(..MARK_DIGITS).unwrap_or_default());
    out.push_str(MARK_LEN);
    out.push_str(&secret.len().to_string());
    if is_command(secret) {
        out.push_str(COMMAND);
    }
}

/// Whether the text is exactly what a secret was replaced by.
pub(super) fn is_mark(text: &str) -> bool {
    let Some((digest, len)) = text.strip_prefix(MARK).and_then(|rest| rest.split_at_checked(MARK_DIGITS)) else {
        return false;
    };
    let digits = len.strip_prefix(MARK_LEN).unwrap_or_default();
    let digits = digits.strip_suffix(COMMAND).unwrap_or(digits);
    digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && (1..=20).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The mark is printable ASCII without white space: it stays one word in an id, a scope or a log line.
pub(super) const MARK: &str = "redacted:sha256:";
pub(super) const MARK_DIGITS: usize = 16;
pub(super) const MARK_LEN: &str = ":len=";
