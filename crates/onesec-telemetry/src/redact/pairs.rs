//! Secrets that are known by the name before them: `key=value`, `key: value`, `--key value`.

use super::names::{is_secret_header, is_telling_name, may_count};
use super::scan::{Scanner, Span};
use super::shapes::base64url;

impl Scanner<'_> {
    /// The value of a pair whose `=` or `:` is at `at`, if its key tells.
    pub(super) fn pair(&self, at: usize) -> Option<Span> {
        let path = self.byte(at) == b':' && (self.byte(at + 1) == b':' || self.before(at) == b':');
        if path {
            return None; // `token::Token` is code
        }
        let key = self.key_before(at)?;
        let name = self.text.get(key.name.start..key.name.end)?;
        if !is_telling_name(name) || (self.byte(at) == b':' && self.before(key.name.start) == b'/') {
            return None;
        }
        let operator = self.run_end(at + 1, |b| matches!(b, b'=' | b'>'));
        let start = self.run_end(operator, |b| matches!(b, b' ' | b'\t') || (key.quoted && matches!(b, b'\n' | b'\r')));
        if self.byte(at) == b':' && !key.quoted && is_secret_header(name) {
            return self.unless_harmless(name, self.rest_of_line(start, self.before(key.name.start)));
        }
        self.unless_harmless(name, self.value(start))
    }

    /// The value after a command line's `--key`; `at` is its first hyphen. It must look like a secret,
    /// for a sentence may well go on after `--token`.
    pub(super) fn flag(&self, at: usize) -> Option<Span> {
        if self.byte(at + 1) != b'-' || base64url(self.before(at)) {
            return None;
        }
        let start = at + 2;
        let length = self.bytes.get(start..)?.iter().take(MAX_KEY_BYTES).take_while(|b| base64url(**b)).count();
        let end = start + length;
        if !is_telling_name(self.text.get(start..end)?) {
            return None;
        }
        let gap = self.run_end(end, |b| matches!(b, b'"' | b'\'' | b',' | b' ' | b'\t' | b'\\'));
        let value = Span { start: gap, end: self.run_end(gap, in_bare_value) };
        (gap > end && self.looks_secret(value)).then_some(value)
    }

    /// The word before a separator: `key`, `"key"`, `\"key\"`, `['key']`, each with up to four spaces.
    fn key_before(&self, at: usize) -> Option<Key> {
        let mut end = at;
        for _ in 0..4 {
            end -= usize::from(matches!(self.before(end), b' ' | b'\t'));
        }
        end -= usize::from(self.before(end) == b']');
        let quoted = matches!(self.before(end), b'"' | b'\'');
        end -= usize::from(quoted);
        for _ in 0..3 {
            end -= usize::from(quoted && self.before(end) == b'\\');
        }
        let left = self.bytes.get(self.floor..end)?;
        let word = left.iter().rev().take(MAX_KEY_BYTES).take_while(|b| base64url(**b) || **b == b'.').count();
        (word > 0).then_some(Key { name: Span { start: end - word, end }, quoted })
    }

    fn value(&self, start: usize) -> Span {
        let escapes = self.run_end(start, |b| b == b'\\');
        // What a shell puts in there is no secret but a command: it is to be seen, and its own secrets are found.
        let quoted = usize::from(self.byte(start) == b'"');
        if self.starts_with(start + quoted, b"$(") {
            return Span { start, end: start };
        }
        match self.byte(escapes) {
            quote @ (b'"' | b'\'' | b'`') => self.quoted_value(escapes + 1, quote, escapes > start),
            b'[' | b'{' if escapes == start => Span { start, end: self.balanced_end(start) },
            b'-' if self.starts_with(start, b"-----BEGIN ") => Span { start, end: start }, // has a matcher of its own
            _ => self.bare_value(start),
        }
    }

    /// To the closing quote, at most to the end of the line.
    fn quoted_value(&self, start: usize, quote: u8, escaped: bool) -> Span {
        if self.starts_with(start, b"-----BEGIN ") {
            return Span { start, end: start };
        }
        let mut end = start;
        loop {
            match self.bytes.get(end) {
                None | Some(b'\n' | b'\r') => break,
                Some(b'\\') if escaped => break,
                Some(b'\\') => end += 2,
                Some(b) if *b == quote => break,
                Some(_) => end += 1,
            }
        }
        // Skipping an escaped character may have led beyond the end, or into a longer character.
        let end = (end.min(self.bytes.len())..=self.bytes.len()).find(|end| self.text.is_char_boundary(*end));
        Span { start, end: end.unwrap_or(start) }
    }

    fn bare_value(&self, start: usize) -> Span {
        let end = self.run_end(start, in_bare_value);
        let scheme = self.bytes.get(start..end).unwrap_or_default();
        let schemes = [&b"bearer"[..], b"basic", b"token", b"digest"];
        if self.byte(end) != b' ' || !schemes.iter().any(|s| scheme.eq_ignore_ascii_case(s)) {
            return Span { start, end };
        }
        Span { start, end: self.run_end(end + 1, in_bare_value) }
    }

    /// A header's value. The quote that `opener` may be ends it, and so does an escape (`\n`).
    fn rest_of_line(&self, start: usize, opener: u8) -> Span {
        let quote = matches!(opener, b'"' | b'\'' | b'`');
        let end = self.run_end(start, |b| !(matches!(b, b'\n' | b'\r' | b'\\') || (quote && b == opener)));
        Span { start, end: self.trimmed(start, end, |b| matches!(b, b' ' | b'\t')) }
    }

    /// Behind the bracket that closes the one at `open`, or the end of the line if it is too far.
    fn balanced_end(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        let mut in_string = false;
        for (offset, b) in self.bytes.get(open..).unwrap_or_default().iter().take(MAX_NESTED_BYTES).enumerate() {
            match b {
                b'"' => in_string = !in_string,
                b'[' | b'{' if !in_string => depth += 1,
                b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return open + offset + 1;
            }
        }
        self.line_end(open)
    }

    fn unless_harmless(&self, name: &str, value: Span) -> Option<Span> {
        let text = self.bytes.get(value.start..value.end)?;
        let count = may_count(name) && text.iter().all(u8::is_ascii_digit);
        let harmless = HARMLESS_VALUES.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()));
        (!count && !harmless).then_some(value)
    }
}

struct Key {
    name: Span,
    quoted: bool,
}

const MAX_KEY_BYTES: usize = 64;
/// An array or object under a telling key, within a text.
const MAX_NESTED_BYTES: usize = 1024;

fn in_bare_value(b: u8) -> bool {
    b > b' '
        && b != 0x7f
        && !matches!(b, b',' | b';' | b'&' | b'"' | b'\'' | b'`' | b'<' | b'>' | b')' | b'}' | b']' | b'|' | b'\\')
}

/// What may stand under a telling name without being a secret: states, permissions, types.
const HARMLESS_VALUES: [&str; 44] = [
    "read",
    "write",
    "admin",
    "manage",
    "view",
    "list",
    "create",
    "update",
    "delete",
    "all",
    "true",
    "false",
    "null",
    "none",
    "nil",
    "undefined",
    "valid",
    "invalid",
    "expired",
    "revoked",
    "missing",
    "required",
    "optional",
    "empty",
    "ok",
    "failed",
    "denied",
    "granted",
    "yes",
    "no",
    "string",
    "str",
    "&str",
    "number",
    "int",
    "bool",
    "boolean",
    "object",
    "array",
    "any",
    "option",
    "secret",
    "the",
    "[]",
];
