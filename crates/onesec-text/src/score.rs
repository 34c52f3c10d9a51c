//! The scorer and its answer.

use std::ops::Range;

use crate::judge::{self, Evidence, Sentence};
use crate::lexicon::Lexicon;
use crate::model::Model;
use crate::normal::{Normal, normalise};
use crate::sample::{self, MAX_READ_BYTES};
use crate::{Signal, Signals};

/// Scores texts. Built once, which takes some milliseconds, and shared by reference.
#[derive(Debug)]
pub struct Scorer {
    lexicon: Lexicon,
    model: Option<Model>,
}

/// How easily a text is called an instruction: one fixed threshold each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strictness {
    /// Only what is nearly certain.
    Lenient,
    /// The threshold the figures in `docs/text-detection.md` are judged by first.
    #[default]
    Standard,
    /// More is found, and more is taken for an instruction that is none.
    Strict,
}

impl Strictness {
    /// The lowest [`Score::value`] that counts.
    #[must_use]
    pub const fn threshold(self) -> u16 {
        match self {
            Self::Lenient => 600,
            Self::Standard => 500,
            Self::Strict => 350,
        }
    }
}

/// How much a text looks like instructions to an agent, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// 0 (nothing found) to 1000.
    pub value: u16,
    /// What was found.
    pub signals: Signals,
    /// Where, [`Score::MAX_SPANS`] at most, strongest first. Never empty where `value` is over 0.
    pub spans: Vec<Span>,
    /// Whether the text was too long to be read as a whole: head, tail and windows in between were.
    pub sampled: bool,
    /// The length of the text, in bytes.
    pub len: usize,
}

/// A place in the text, and what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins: a byte of the original text, on a character boundary.
    pub start: u32,
    /// Where it ends. For what was found in decoded text both are those of the encoded piece.
    pub end: u32,
    /// What it is evidence of.
    pub why: Signal,
    /// How strong, in thousandths.
    pub weight: u16,
}

impl Score {
    /// Spans kept of one text.
    pub const MAX_SPANS: usize = 8;

    /// Whether the text is to be treated as instructions.
    #[must_use]
    pub const fn is_instruction_like(&self, strictness: Strictness) -> bool {
        self.value >= strictness.threshold()
    }
}

impl Default for Scorer {
    fn default() -> Self {
        Self::new()
    }
}

impl Scorer {
    /// The version of words, rules and weights: scores of different versions do not compare.
    pub const MODEL: u16 = 3;

    /// The built-in words, rules and weights.
    #[must_use]
    pub fn new() -> Self {
        Self { lexicon: Lexicon::builtin(), model: Some(Model::builtin()) }
    }

    /// The same words and rules with other weights, or with none: for training and measuring.
    #[must_use]
    pub fn with_model(model: Option<Model>) -> Self {
        Self { lexicon: Lexicon::builtin(), model }
    }

    /// Scores `text`. The time it takes is bounded: of a long text, parts are read.
    #[must_use]
    pub fn score(&self, text: &str) -> Score {
        let normal = normalise(text);
        let mut found = Vec::new();
        let mut value = self.judge(&Part { text: normal.text(), joined: false, encoded: false }, &normal, &mut |e| {
            let range = normal.original(text, e.range);
            found.push((e.signal, e.weight, range));
        });
        for piece in normal.pieces() {
            let part = Part { text: &piece.text, joined: piece.joined, encoded: true };
            let mut whole = |e: Evidence| {
                let range = sample::floor(text, piece.from.start)..sample::ceil(text, piece.from.end);
                found.push((e.signal, e.weight, range));
            };
            value = value.max(self.judge(&part, &normal, &mut whole));
        }
        finish(text, value, found)
    }

    /// Judges one part, hands over what it finds, and says how much it amounts to.
    fn judge(&self, part: &Part<'_>, normal: &Normal, found: &mut impl FnMut(Evidence)) -> u16 {
        let mut sentences = judge::judge(&self.lexicon, part.text, part.joined);
        for sentence in &mut sentences {
            note_disguise(sentence, part.encoded, normal);
        }
        if let Some(model) = self.model.as_ref().filter(|_| !part.joined) {
            model.weigh(part.text, &mut sentences);
        }
        let mut most = 0;
        for (at, sentence) in sentences.iter().enumerate() {
            if sentence.evidence.is_empty() {
                continue;
            }
            let beside = [at.checked_sub(1), at.checked_add(1)];
            let neighbours = beside.into_iter().flatten().filter_map(|i| sentences.get(i));
            most = most.max(combined(sentence, neighbours));
        }
        if most > 0 {
            sentences.into_iter().flat_map(|sentence| sentence.evidence).for_each(found);
        }
        most
    }
}

/// A text that is judged as one.
struct Part<'t> {
    text: &'t str,
    joined: bool,
    encoded: bool,
}

/// Signals of one sentence and, weaker, those its neighbours add: independent reasons to doubt it.
fn combined<'s>(sentence: &Sentence, neighbours: impl Iterator<Item = &'s Sentence>) -> u16 {
    let mut weights = [0_u16; Signal::ALL.len()];
    let mut note = |evidence: &Evidence, share: u32| {
        let weight = u16::try_from(u32::from(evidence.weight) * share / 100).unwrap_or(evidence.weight);
        if let Some(slot) = weights.get_mut(evidence.signal as usize) {
            *slot = weight.max(*slot);
        }
    };
    sentence.evidence.iter().for_each(|evidence| note(evidence, 100));
    neighbours.flat_map(|n| &n.evidence).for_each(|evidence| note(evidence, 60));
    let innocent =
        weights.iter().fold(1_000_u32, |left, weight| left * u32::from(1_000 - (*weight).min(1_000)) / 1_000);
    u16::try_from(1_000 - innocent).unwrap_or(1_000)
}

/// What is confirmed where something was hidden, was hidden on purpose.
fn note_disguise(sentence: &mut Sentence, encoded: bool, normal: &Normal) {
    let strongest = sentence.evidence.iter().filter(|e| e.weight >= 200).max_by_key(|e| e.weight).cloned();
    let Some(strongest) = strongest else { return };
    if encoded || normal.is_disguised(&strongest.range) {
        sentence.evidence.push(Evidence { signal: Signal::Hidden, weight: HIDDEN, ..strongest });
    }
}

/// What hiding adds to an order that was found.
const HIDDEN: u16 = 400;

fn finish(text: &str, value: u16, mut found: Vec<(Signal, u16, Range<usize>)>) -> Score {
    found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.2.start.cmp(&b.2.start)).then_with(|| a.0.cmp(&b.0)));
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let spans: Vec<Span> = found
        .iter()
        .filter(|(_, weight, range)| *weight > 0 && !range.is_empty())
        .take(Score::MAX_SPANS)
        .map(|(why, weight, range)| Span {
            start: offset(range.start),
            end: offset(range.end),
            why: *why,
            weight: *weight,
        })
        .collect();
    Score {
        value: if spans.is_empty() { 0 } else { value },
        signals: found.iter().map(|(signal, ..)| *signal).collect(),
        spans,
        sampled: text.len() > MAX_READ_BYTES,
        len: text.len(),
    }
}
