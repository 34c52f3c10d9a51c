//! Words whose letters stand apart: `i g n o r e`, `i.g.n.o.r.e`.

use std::ops::Range;

use super::{MAX_PIECES, Normal, Piece};

/// Fewer letters in a row are initials, or a list.
const MIN_LETTERS: usize = 7;
/// Characters between two letters of a row at most.
const MAX_GAP: usize = 3;

/// Adds what the letters that stand apart in `normal` spell.
pub(super) fn pieces(normal: &mut Normal) {
    let text = normal.text.as_str();
    if !may_spell(text.as_bytes()) {
        return;
    }
    let mut found: Vec<Row> = Vec::new();
    let mut row = Row::default();
    let (mut at, mut gap) = (0, Gap::default());
    while let Some(c) = next_char(text, at) {
        let start = at;
        at += c.len_utf8();
        if !is_letter(c) {
            gap.take(c);
            continue;
        }
        let letter = at;
        at = end_of_word(text, at);
        let lone = at == letter;
        let seen = std::mem::take(&mut gap);
        if !(lone && row.goes_on(seen)) {
            let ended = std::mem::take(&mut row);
            if ended.letters >= MIN_LETTERS && found.len() < MAX_PIECES {
                found.push(ended);
            }
        }
        if lone {
            row.push(c, seen, start..letter);
        }
    }
    if row.letters >= MIN_LETTERS {
        found.push(row);
    }
    for row in found.into_iter().take(MAX_PIECES.saturating_sub(normal.pieces.len())) {
        let start = normal.there(row.range.start);
        let end = normal.there(row.range.end).max(start);
        normal.pieces.push(Piece { text: row.spelled, from: start..end, joined: true });
    }
}

/// Whether letters may stand apart in `text`: the seven of the shortest row, with gaps as long as they may be, fill 25
/// bytes of ASCII, so that some block of 32 has at least four; with characters of more bytes each, which count where
/// they begin, at least three.
fn may_spell(text: &[u8]) -> bool {
    text.chunks(BLOCK).enumerate().any(|(nth, block)| {
        let from = nth * BLOCK;
        let before = from.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
        let after = text.get(from + BLOCK).copied().unwrap_or(b' ');
        let befores = std::iter::once(before).chain(block.iter().copied());
        let afters = block.iter().copied().skip(1).chain(std::iter::once(after));
        let letter = |b: u8| b.is_ascii_alphanumeric();
        // Bytes, and no leaving early: the whole block is compared at once.
        let lone = befores
            .zip(block)
            .zip(afters)
            .fold(0_u8, |count, ((before, b), after)| count + u8::from(letter(*b) & !letter(before) & !letter(after)));
        if block.is_ascii() { lone >= 4 } else { usize::from(lone) + beyond(text, from..from + BLOCK) >= 3 }
    })
}

/// How many characters beyond ASCII begin in `range`; ideographs beside others stand in words.
fn beyond(text: &[u8], range: Range<usize>) -> usize {
    let ideograph = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|b| matches!(b, 0xe4..=0xe9));
    let begins = |at: &usize| text.get(*at).is_some_and(|b| *b >= 0xc0);
    let beside = |at: usize| ideograph(Some(at)) && (ideograph(at.checked_sub(3)) || ideograph(Some(at + 3)));
    range.filter(begins).filter(|at| !beside(*at)).count()
}

/// Bytes that are looked at together.
const BLOCK: usize = 32;

/// Letters and digits; of the most frequent ideographs without a look into tables.
fn is_letter(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}') || c.is_alphanumeric()
}

fn next_char(text: &str, at: usize) -> Option<char> {
    text.get(at..)?.chars().next()
}

/// Where the word that goes on at `at` ends.
fn end_of_word(text: &str, mut at: usize) -> usize {
    loop {
        // Most letters are ASCII, and need no decoding.
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        at += rest.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        match next_char(text, at) {
            Some(c) if is_letter(c) => at += c.len_utf8(),
            _ => return at,
        }
    }
}

/// What stands between two words.
#[derive(Clone, Copy, Default)]
struct Gap {
    len: usize,
    mark: Option<char>,
    mixed: bool,
}

impl Gap {
    fn take(&mut self, c: char) {
        self.len += 1;
        if c != ' ' && c != '\n' {
            self.mixed |= self.mark.is_some_and(|mark| mark != c);
            self.mark = Some(c);
        }
    }
}

/// Single letters that follow each other.
#[derive(Default)]
struct Row {
    spelled: String,
    letters: usize,
    mark: Option<char>,
    range: Range<usize>,
}

impl Row {
    /// Whether a letter after `gap` belongs to the same row: the same mark stands between all of its letters.
    fn goes_on(&self, gap: Gap) -> bool {
        self.letters == 0
            || (gap.len <= MAX_GAP && !gap.mixed && (self.letters == 1 || gap.mark.is_none() || gap.mark == self.mark))
    }

    fn push(&mut self, c: char, gap: Gap, range: Range<usize>) {
        if self.letters == 0 {
            self.range = range.clone();
        } else {
            self.mark = self.mark.or(gap.mark);
            if gap.len > 1 || (gap.mark.is_none() && self.mark.is_some()) {
                self.spelled.push(' ');
            }
        }
        self.spelled.push(c);
        self.letters += 1;
        self.range.end = range.end;
    }
}
