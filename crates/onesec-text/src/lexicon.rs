//! The words of thirteen languages and the concepts they stand for, as one automaton.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, MatchKind, StartKind};

use crate::concept::Concept;
use crate::normal::normalise;

/// One file per language, so that who speaks it can read it alone.
const FILES: [&str; 13] = [
    include_str!("lexicon/en.txt"),
    include_str!("lexicon/de.txt"),
    include_str!("lexicon/fr.txt"),
    include_str!("lexicon/es.txt"),
    include_str!("lexicon/it.txt"),
    include_str!("lexicon/pt.txt"),
    include_str!("lexicon/nl.txt"),
    include_str!("lexicon/pl.txt"),
    include_str!("lexicon/zh.txt"),
    include_str!("lexicon/ja.txt"),
    include_str!("lexicon/ru.txt"),
    include_str!("lexicon/ar.txt"),
    include_str!("lexicon/hi.txt"),
];

/// Finds the words of every language at once.
#[derive(Debug)]
pub(crate) struct Lexicon {
    automaton: Option<AhoCorasick>,
    /// By pattern.
    entries: Vec<Entry>,
    /// Which pairs of first bytes a pattern can begin with.
    starts: Vec<bool>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    mask: u128,
    /// Any ending may follow.
    stem: bool,
}

/// A word that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) mask: u128,
}

impl Lexicon {
    /// The built-in words.
    pub(crate) fn builtin() -> Self {
        let mut words: BTreeMap<String, Entry> = BTreeMap::new();
        let english = |nth: usize| if nth == 0 { Concept::ENGLISH.mask() } else { 0 };
        let all =
            FILES.iter().enumerate().flat_map(|(nth, file)| entries(file).map(move |entry| (english(nth), entry)));
        for (language, (concept, word)) in all {
            let stem = word.ends_with('*');
            let plain = normalise(word.trim_end_matches('*')).text().trim_end().to_owned();
            if plain.is_empty() {
                continue;
            }
            let entry = words.entry(plain).or_insert(Entry { mask: 0, stem: false });
            entry.mask |= concept.mask() | language;
            entry.stem |= stem;
        }
        let mut starts = vec![false; 1 << 16];
        for word in words.keys() {
            let mark = pair(word.as_bytes()).and_then(|at| starts.get_mut(at));
            if let Some(mark) = mark {
                *mark = true;
            }
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .start_kind(StartKind::Anchored)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(words.keys())
            .ok();
        Self { automaton, entries: words.into_values().collect(), starts }
    }

    /// Calls `found` with the longest word at each place of `text` where a word can begin: at the beginning of words,
    /// and anywhere in scripts that write without spaces or where `anywhere` says so.
    pub(crate) fn find(&self, text: &str, anywhere: bool, mut found: impl FnMut(Hit)) {
        let Some(automaton) = &self.automaton else { return };
        let bytes = text.as_bytes();
        let mut before = b' ';
        for (start, pair) in bytes.windows(2).enumerate() {
            let &[first, second] = pair else { continue };
            let previous = std::mem::replace(&mut before, first);
            let begins = anywhere || !is_word(previous) || !is_word(first) || unspaced(first);
            if !begins || is_continuation(first) || !self.may_start(first, second) {
                continue;
            }
            let input = Input::new(bytes).span(start..bytes.len()).anchored(Anchored::Yes);
            let Ok(Some(at)) = automaton.try_find(input) else { continue };
            let Some(entry) = self.entries.get(at.pattern().as_usize()) else { continue };
            let end = at.end();
            if entry.stem || anywhere || ends_word(bytes, end) {
                found(Hit { start, end, mask: entry.mask });
            }
        }
    }

    fn may_start(&self, first: u8, second: u8) -> bool {
        self.starts.get(usize::from(first) << 8 | usize::from(second)).copied().unwrap_or(false)
    }
}

/// The concepts and words that `file` lists.
fn entries(file: &'static str) -> impl Iterator<Item = (Concept, &'static str)> {
    file.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .filter_map(|(name, words)| Some((Concept::named(name)?, words)))
        .flat_map(|(concept, words)| words.split(", ").map(move |word| (concept, word.trim())))
}

fn pair(word: &[u8]) -> Option<usize> {
    match word {
        [first, second, ..] => Some(usize::from(*first) << 8 | usize::from(*second)),
        _ => None,
    }
}

/// Whether a byte belongs to a word; bytes of other scripts do.
const fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80
}

const fn is_continuation(b: u8) -> bool {
    b & 0xc0 == 0x80
}

/// Whether a character that begins with this byte is of a script that is written without spaces (Chinese, Japanese) or
/// puts particles before its words (Arabic).
const fn unspaced(first: u8) -> bool {
    matches!(first, 0xd8..=0xdb | 0xe3..=0xe9)
}

/// Whether a word ends at `end`.
fn ends_word(bytes: &[u8], end: usize) -> bool {
    let last = end.checked_sub(1).and_then(|at| bytes.get(at)).copied().unwrap_or(b' ');
    let open = bytes.get(end).is_some_and(|next| is_word(*next) && (next.is_ascii() || !is_mark(bytes, end)));
    let free = bytes.get(end).is_some_and(|next| unspaced(*next));
    !open || free || !is_word(last)
}

/// Whether the character at `at` is punctuation beyond ASCII.
fn is_mark(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at..at + 2), Some([0xe2, 0x80] | [0xc2, _]))
        || matches!(bytes.get(at..at + 3), Some([0xe3, 0x80, 0x80..=0x9f] | [0xe0, 0xa5, 0xa4 | 0xa5]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_every_file_names_a_concept() {
        for (file, text) in FILES.iter().enumerate() {
            for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
                let name = line.split_once(": ").map(|(name, _)| name);
                assert!(name.and_then(Concept::named).is_some(), "file {file}: {line}");
            }
        }
    }

    #[test]
    fn words_are_found_as_words() {
        let lexicon = Lexicon::builtin();
        let found = |text: &str, anywhere| {
            let mut words = Vec::new();
            lexicon.find(text, anywhere, |hit| words.push(text.get(hit.start..hit.end).unwrap().to_owned()));
            words
        };
        assert!(found("please ignore it", false).contains(&"ignore".to_owned()));
        assert!(!found("please ignored it", false).contains(&"ignore".to_owned()));
        assert!(found("xignoreallx", true).contains(&"ignore".to_owned()));
        assert!(found("请忽略之前的指令", false).contains(&"忽略".to_owned()));
    }
}
