//! Text as whoever reads it would understand it: one form for what can be written in many, with a way back.

mod decode;
mod fold;
mod split;

use std::ops::Range;

use crate::sample;
use fold::{Class, Folded};

/// A text in one form. What is matched is this; what is reported are ranges of the original.
#[derive(Clone, Debug, Default)]
pub struct Normal {
    text: String,
    runs: Vec<Run>,
    disguised: Vec<Range<usize>>,
    pieces: Vec<Piece>,
    original_len: usize,
}

/// From `here` in the normalised text on, bytes correspond one by one to those from `there` in the original.
#[derive(Clone, Copy, Debug)]
struct Run {
    here: usize,
    there: usize,
}

/// A text found inside another one: decoded, or put together from letters that stood apart.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// Normalised.
    pub(crate) text: String,
    /// What it was read from, in the original text.
    pub(crate) from: Range<usize>,
    /// Its words may have lost their boundaries.
    pub(crate) joined: bool,
}

/// Brings `text` into one form: NFKC and without accents, lower case, invisible characters removed, tag characters and
/// escapes decoded, look-alike letters inside Latin words folded, space collapsed. Reads
/// [`MAX_READ_BYTES`](crate::MAX_READ_BYTES) at most.
#[must_use]
pub fn normalise(text: &str) -> Normal {
    let ranges = sample::ranges(text);
    let mut writer = Writer::new(text);
    for range in &ranges {
        writer.hard_break(range.start);
        writer.read(range.clone());
        writer.hard_break(range.end);
    }
    let mut normal = writer.normal;
    normal.note_comments();
    normal.pieces = ranges.iter().flat_map(|range| decode::pieces(text, range.clone())).take(MAX_PIECES).collect();
    let whole = 0..text.len();
    let ciphers = decode::ciphers(&normal.text).map(|text| Piece { text, from: whole.clone(), joined: false });
    normal.pieces.extend(ciphers);
    split::pieces(&mut normal);
    normal
}

/// The one form of a text that was found inside another one.
fn normalise_plain(text: &str) -> String {
    let mut writer = Writer::new(text);
    writer.read(0..sample::floor(text, sample::MAX_READ_BYTES));
    writer.normal.text
}

/// Pieces kept of one text.
const MAX_PIECES: usize = 16;
/// Disguised places kept of one text: enough to see that something is hidden.
const MAX_DISGUISED: usize = 4096;

impl Normal {
    /// The text in its one form.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The byte range of the original text, on character boundaries, that `range` of [`Self::text`] was read from.
    #[must_use]
    pub fn original(&self, original: &str, range: Range<usize>) -> Range<usize> {
        let start = sample::floor(original, self.there(range.start));
        let end = if range.end >= self.text.len() { self.original_len } else { self.there(range.end) };
        start..sample::ceil(original, end.max(start)).max(start)
    }

    /// Whether anything in `range` of [`Self::text`] was invisible, encoded, of look-alike letters, or in a comment.
    #[must_use]
    pub fn is_disguised(&self, range: &Range<usize>) -> bool {
        let from = self.disguised.partition_point(|d| d.end <= range.start);
        self.disguised.get(from).is_some_and(|d| d.start < range.end)
    }

    /// Texts found inside the text: what was encoded, and words whose letters stood apart.
    pub fn decoded(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().map(|piece| piece.text.as_str())
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    fn there(&self, here: usize) -> usize {
        let after = self.runs.partition_point(|run| run.here <= here);
        let run = after.checked_sub(1).and_then(|i| self.runs.get(i)).copied().unwrap_or(Run { here: 0, there: 0 });
        let there = run.there + here.saturating_sub(run.here);
        let limit = self.runs.get(after).map_or(self.original_len, |next| next.there.max(run.there));
        there.min(limit)
    }

    /// What stands in a comment of HTML or Markdown is not shown to people.
    fn note_comments(&mut self) {
        let mut from = 0;
        while let Some(start) = self.text.get(from..).and_then(|t| t.find("<!--")).map(|at| from + at) {
            let end = self.text.get(start..).and_then(|t| t.find("-->")).map_or(self.text.len(), |at| start + at);
            self.disguised.push(start..end);
            from = end.max(start + 4);
        }
        self.disguised.sort_by_key(|range| range.start);
        self.disguised.dedup_by(|later, earlier| {
            let joined = later.start <= earlier.end;
            if joined {
                earlier.end = earlier.end.max(later.end);
            }
            joined
        });
    }
}

/// Writes the one form, character by character where it must and slice by slice where it can.
struct Writer<'t> {
    original: &'t str,
    normal: Normal,
    /// Where in the original the word ends that was last looked at, and whether it mixes other scripts with Latin.
    word: (usize, bool),
}

impl<'t> Writer<'t> {
    fn new(original: &'t str) -> Self {
        let normal = Normal {
            text: String::with_capacity(original.len().min(sample::MAX_READ_BYTES) + 16),
            original_len: original.len(),
            ..Normal::default()
        };
        Self { original, normal, word: (0, false) }
    }

    fn read(&mut self, range: Range<usize>) {
        let mut at = range.start;
        while let Some(rest) = self.original.get(at..range.end).filter(|rest| !rest.is_empty()) {
            let plain = fold::plain_len(rest.as_bytes());
            if plain > 0 {
                let slice = rest.get(..plain).unwrap_or_default();
                self.mark(at);
                let from = self.normal.text.len();
                self.normal.text.push_str(slice);
                if let Some(added) = self.normal.text.get_mut(from..) {
                    added.make_ascii_lowercase();
                }
                at += plain;
                continue;
            }
            at += self.special(at, rest).max(1);
        }
    }

    /// Reads what `rest`, which begins at `at`, begins with, and says how many bytes that was.
    fn special(&mut self, at: usize, rest: &str) -> usize {
        let Some(c) = rest.chars().next() else { return 1 };
        if c.is_whitespace() || c.is_control() {
            return self.space(at, rest);
        }
        if let Some((decoded, len)) = decode::escape(rest) {
            self.escaped(at, decoded);
            return len;
        }
        if c == '-' {
            return self.hyphen(at, rest);
        }
        match fold::class(c) {
            Class::Invisible => self.invisible(at, rest),
            Class::Foreign if self.mixes(at) => {
                let folded = fold::look_alike(c);
                self.put_all(at, folded.as_ref().map_or_else(|| fold::fold(c), Folded::clone));
                if folded.is_some() {
                    self.disguise(1);
                }
                c.len_utf8()
            }
            Class::Styled => {
                let folded = fold::look_alike(c).unwrap_or_else(|| fold::fold(c));
                let ascii = folded.chars().all(|c| c.is_ascii_alphabetic());
                self.put_all(at, folded);
                if ascii {
                    self.disguise(1);
                }
                c.len_utf8()
            }
            Class::Foreign | Class::Letter => {
                self.put_all(at, fold::fold(c));
                c.len_utf8()
            }
            Class::Same => {
                self.put(at, c);
                c.len_utf8()
            }
        }
    }

    /// A run of space becomes one space, or one line break where a line ends for good.
    fn space(&mut self, at: usize, rest: &str) -> usize {
        let is_space = |c: &char| c.is_whitespace() || c.is_control();
        let run: usize = rest.chars().take_while(is_space).map(char::len_utf8).sum();
        let (blank, after) = rest.split_at_checked(run).unwrap_or((rest, ""));
        let lines = blank.bytes().filter(|b| *b == b'\n').count();
        let goes_on =
            after.chars().next().is_some_and(|c| c.is_lowercase() || (c.is_ascii_uppercase() && self.line_is_short()));
        let mark = if lines > 1 || (lines == 1 && !goes_on) { '\n' } else { ' ' };
        self.gap(at, mark);
        run
    }

    /// A line of one or two words is no sentence: words one below the other are read as one.
    fn line_is_short(&self) -> bool {
        let line = self.normal.text.rsplit('\n').next().unwrap_or_default();
        line.len() < 24 && line.bytes().filter(|b| *b == b' ').count() < 2 && !line.ends_with([':', '.', '!', '?', '|'])
    }

    fn gap(&mut self, at: usize, mark: char) {
        match self.normal.text.as_bytes().last() {
            None | Some(b'\n') => {}
            Some(b' ') => {
                if mark == '\n' {
                    self.normal.text.pop();
                    self.normal.text.push_str(BREAK);
                }
            }
            Some(_) if mark == '\n' => {
                self.mark(at);
                self.normal.text.push_str(BREAK);
            }
            Some(_) => self.put(at, mark),
        }
    }

    /// A word divided at the end of a line is one word.
    fn hyphen(&mut self, at: usize, rest: &str) -> usize {
        let after = rest.get(1..).unwrap_or_default();
        let next = after.trim_start_matches([' ', '\t', '\r']).strip_prefix('\n').map(str::trim_start);
        let divided = next.is_some_and(|n| n.starts_with(|c: char| c.is_ascii_lowercase()))
            && self.normal.text.as_bytes().last().is_some_and(u8::is_ascii_alphabetic);
        match next.filter(|_| divided) {
            Some(next) => rest.len() - next.len(),
            None => {
                self.put(at, '-');
                1
            }
        }
    }

    fn escaped(&mut self, at: usize, c: char) {
        if c.is_whitespace() || c.is_control() {
            self.gap(at, if c == '\n' { '\n' } else { ' ' });
        } else if c.is_ascii_alphabetic() {
            // Nobody needs to escape a letter.
            self.put(at, c.to_ascii_lowercase());
            self.disguise(1);
        } else {
            self.put_all(at, fold::fold(c));
        }
    }

    /// Removes what nobody sees; reads what is written in it.
    fn invisible(&mut self, at: usize, rest: &str) -> usize {
        let run: usize = rest.chars().take_while(|c| fold::class(*c) == Class::Invisible).map(char::len_utf8).sum();
        let (run_text, after) = rest.split_at_checked(run).unwrap_or((rest, ""));
        let flag = self.original.get(..at).is_some_and(|before| before.ends_with('\u{1F3F4}'));
        let written = if flag { None } else { fold::written_in(run_text) };
        if let Some(written) = written {
            self.hard_break(at);
            for c in written.chars() {
                self.put(at, c.to_ascii_lowercase());
            }
            self.disguise(written.len());
            self.hard_break(at + run);
            return run;
        }
        let splits_word = self.normal.text.as_bytes().last().is_some_and(u8::is_ascii_alphanumeric)
            && after.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !run_text.chars().all(|c| c == '\u{AD}');
        if splits_word {
            self.disguise(1);
        }
        run
    }

    /// Whether the word at `at` mixes Latin letters with those of another script.
    fn mixes(&mut self, at: usize) -> bool {
        if at < self.word.0 {
            return self.word.1;
        }
        let of_word = |c: &char| c.is_alphabetic() || fold::class(*c) == Class::Invisible;
        let (before, after) = self.original.split_at_checked(at).unwrap_or((self.original, ""));
        let latin = before.chars().rev().take(LONGEST_WORD).take_while(of_word).any(fold::is_latin)
            || after.chars().take(LONGEST_WORD).take_while(of_word).any(fold::is_latin);
        let len: usize = after.chars().take(LONGEST_WORD).take_while(of_word).map(char::len_utf8).sum();
        self.word = (at + len, latin);
        latin
    }

    fn hard_break(&mut self, at: usize) {
        self.gap(at, '\n');
    }

    /// Notes that the last `len` bytes were disguised.
    fn disguise(&mut self, len: usize) {
        if self.normal.disguised.len() < MAX_DISGUISED {
            let end = self.normal.text.len();
            self.normal.disguised.push(end.saturating_sub(len)..end);
        }
    }

    fn put_all(&mut self, at: usize, folded: Folded) {
        folded.chars().for_each(|c| self.put(at, c));
    }

    fn put(&mut self, at: usize, c: char) {
        self.mark(at);
        self.normal.text.push(c);
    }

    /// Says that the next byte of the text comes from `at`.
    fn mark(&mut self, at: usize) {
        let here = self.normal.text.len();
        let follows = self.normal.runs.last().is_some_and(|run| run.there + (here - run.here) == at);
        if !follows {
            self.normal.runs.push(Run { here, there: at });
        }
    }
}

/// Where a line ends for good. An empty line stays one when it is read again.
const BREAK: &str = "\n\n";

/// Characters of a word that are looked at for its scripts.
const LONGEST_WORD: usize = 40;

#[cfg(test)]
mod tests;
