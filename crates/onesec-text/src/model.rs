//! The linear model: a logistic regression over hashed n-grams of characters and words.
//!
//! Public for the program that trains and measures it; everybody else uses [`Scorer`](crate::Scorer).

use std::ops::Range;

use crate::Signal;
use crate::judge::{Evidence, Sentence};

/// Buckets that features are hashed into, a power of two.
pub const BUCKETS: usize = 1 << BITS;
const BITS: u32 = 15;

/// Sentences are read together until they have this many bytes: a shorter text has too few features.
const WINDOW: usize = 80;

/// Weights of the linear model.
#[derive(Clone, Debug)]
pub struct Model {
    weights: Vec<i8>,
    /// What one step of a weight is worth.
    scale: f32,
    /// Set so that next to no benign text of the training sets is over zero.
    bias: f32,
}

/// The sum over features, and how many there were.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    total: i32,
    count: u32,
}

impl Model {
    /// The weights that are checked in.
    #[must_use]
    pub fn builtin() -> Self {
        // A test makes sure that the file is read.
        Self::from_bytes(include_bytes!("../model/weights.bin")).unwrap_or(Self {
            weights: Vec::new(),
            scale: 0.0,
            bias: 0.0,
        })
    }

    /// A model of `weights`, one per bucket, each worth `scale` times its value.
    #[must_use]
    pub const fn new(weights: Vec<i8>, scale: f32, bias: f32) -> Self {
        Self { weights, scale, bias }
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` if it did not.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (scale, rest) = rest.split_first_chunk::<4>()?;
        let (bias, weights) = rest.split_first_chunk::<4>()?;
        let whole = *magic == MAGIC && weights.len() == BUCKETS;
        whole.then(|| Self {
            weights: weights.iter().map(|b| b.cast_signed()).collect(),
            scale: f32::from_le_bytes(*scale),
            bias: f32::from_le_bytes(*bias),
        })
    }

    /// Four bytes of magic, scale and bias as little-endian floats, one byte per bucket.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let weights = self.weights.iter().map(|w| w.cast_unsigned());
        MAGIC.into_iter().chain(self.scale.to_le_bytes()).chain(self.bias.to_le_bytes()).chain(weights).collect()
    }

    /// The logit of `text`, read as one window.
    #[must_use]
    pub fn logit(&self, text: &str) -> f32 {
        self.logit_of(self.sum(text))
    }

    fn sum(&self, text: &str) -> Sum {
        let mut sum = Sum::default();
        features(text, |bucket| {
            sum.total += i32::from(self.weights.get(bucket).copied().unwrap_or(0));
            sum.count += 1;
        });
        sum
    }

    #[expect(clippy::cast_precision_loss, reason = "sums of 64 KiB of features stay far below 2^24 times their size")]
    fn logit_of(&self, sum: Sum) -> f32 {
        if sum.count == 0 {
            return self.bias;
        }
        sum.total as f32 * self.scale / (sum.count as f32).sqrt() + self.bias
    }

    /// Adds what the model makes of every window of `text` to the sentence that the window begins with.
    pub(crate) fn weigh(&self, text: &str, sentences: &mut [Sentence]) {
        let sums: Vec<Sum> =
            sentences.iter().map(|s| self.sum(text.get(s.range.clone()).unwrap_or_default())).collect();
        let windows = windows_of(sentences.iter().map(|s| s.range.clone()).collect());
        for window in windows {
            let sum = sums
                .get(window.clone())
                .unwrap_or_default()
                .iter()
                .fold(Sum::default(), |a, b| Sum { total: a.total + b.total, count: a.count + b.count });
            let logit = self.logit_of(sum);
            let Some(own) = sentences.get_mut(window) else { continue };
            let cues = Cues::of(own);
            let end = own.last().map_or(0, |s| s.range.end);
            let Some(first) = own.first_mut() else { continue };
            let weight = cues.weight(logit);
            if weight > 0 {
                let range = first.range.start..end;
                first.evidence.push(Evidence { signal: Signal::Model, weight, range });
            }
        }
    }
}

/// Begins the file of weights; the last byte is the version of the format.
const MAGIC: [u8; 4] = *b"OTM1";

/// Over this logit the model begins to speak…
const FROM: f32 = -1.0;
/// …and at this one it says all it can say.
const FULL: f32 = 1.5;
/// What the model may rest on: alone it is never enough.
struct Cues {
    addresses: bool,
    talks: bool,
    plays: bool,
    rules: bool,
}

impl Cues {
    fn of(window: &[Sentence]) -> Self {
        Self {
            addresses: window.iter().any(|s| s.addresses),
            talks: window.iter().any(|s| s.talks),
            plays: window.iter().any(|s| s.plays),
            rules: window.iter().any(|s| s.evidence.iter().any(|e| e.signal != Signal::Model && e.weight >= 250)),
        }
    }

    /// The weight of a logit, in thousandths.
    fn weight(&self, logit: f32) -> u16 {
        let share = ((logit - FROM) / (FULL - FROM)).clamp(0.0, 1.0);
        let most: f32 = match self {
            Self { plays: true, .. } => 0.0,
            Self { talks: true, .. } => 150.0,
            Self { addresses: true, .. } | Self { rules: true, .. } => 330.0,
            Self { .. } => 150.0,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 330")]
        {
            (share * most) as u16
        }
    }
}

/// The windows of `text` that the model reads: sentences that follow each other.
#[must_use]
pub fn windows(text: &str) -> Vec<Range<usize>> {
    let sentences = crate::judge::sentences(text);
    windows_of(sentences.clone())
        .filter_map(|window| {
            let own = sentences.get(window)?;
            Some(own.first()?.start..own.last()?.end)
        })
        .collect()
}

/// Ranges of sentences, each long enough to be read.
fn windows_of(sentences: Vec<Range<usize>>) -> impl Iterator<Item = Range<usize>> {
    let count = sentences.len();
    (0..count).map(move |from| {
        let mut len = 0;
        let enough = sentences.iter().skip(from).position(|range| {
            len += range.len();
            len >= WINDOW
        });
        // At the end of a text there is nothing to read on: the window reaches back instead.
        match enough {
            Some(more) => from..from + more + 1,
            None => from.saturating_sub(1)..count,
        }
    })
}

/// Calls `each` with the bucket of every feature of `text`: n-grams of 3 to 5 characters, words, pairs of words.
pub fn features(text: &str, mut each: impl FnMut(usize)) {
    // The last characters, eight bits each; what they do not tell apart, longer n-grams do.
    let mut last: u64 = 0x20_2020;
    let (mut word, mut before): (u64, u64) = (0, 0);
    let mut end_word = |word: &mut u64, each: &mut dyn FnMut(usize)| {
        if *word != 0 {
            each(bucket(*word, 0x51ed));
            each(bucket(before.rotate_left(17) ^ *word, 0xb1d5));
            before = *word;
            *word = 0;
        }
    };
    for c in text.chars() {
        let symbol = symbol(c);
        last = (last << 8 | symbol) & 0xff_ffff_ffff;
        each(bucket(last & 0xff_ffff, 0x3333));
        each(bucket(last & 0xffff_ffff, 0x4444));
        each(bucket(last, 0x5555));
        if symbol == SPACE || !(c.is_ascii_alphanumeric() || c >= '\u{80}') {
            end_word(&mut word, &mut each);
        } else {
            word = (word ^ symbol).wrapping_mul(0x0100_0000_01b3).wrapping_add(1);
        }
    }
    end_word(&mut word, &mut each);
}

const SPACE: u64 = 0x20;

/// Eight bits of a character: ASCII as it is, digits alike, others hashed.
const fn symbol(c: char) -> u64 {
    match c {
        '0'..='9' => 0x30,
        '\0'..='\u{20}' => SPACE,
        '\u{21}'..='\u{7f}' => c as u64,
        _ => 0x80 | ((c as u64).wrapping_mul(0x9e37_79b1) >> 13 & 0x7f),
    }
}

const fn bucket(gram: u64, seed: u64) -> usize {
    let mixed = (gram ^ seed << 44).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (64 - BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_weights_are_read() {
        let model = Model::builtin();
        assert_eq!(model.weights.len(), BUCKETS);
        assert!(model.weights.iter().any(|w| *w != 0));
    }

    #[test]
    fn weights_survive_writing_and_reading() {
        let model = Model::new((0..BUCKETS).map(|i| i8::try_from(i % 100).unwrap()).collect(), 0.25, -1.5);
        let read = Model::from_bytes(&model.to_bytes()).unwrap();
        assert_eq!(read.weights, model.weights);
        assert!((read.logit("ignore all") - model.logit("ignore all")).abs() < f32::EPSILON);
        assert!(Model::from_bytes(b"OTM1").is_none());
        assert!(Model::from_bytes(&[0; 12 + BUCKETS]).is_none());
    }

    #[test]
    fn every_sentence_begins_a_window() {
        let text =
            "Short. Words. And a much longer sentence that has more than enough bytes to be read on its own. End.";
        let windows = windows(text);
        assert_eq!(windows.len(), 4);
        assert!(windows.iter().all(|w| text.get(w.clone()).is_some()));
    }

    #[test]
    fn the_model_alone_is_never_nearly_certain() {
        for (addresses, talks, rules) in [(true, true, true), (true, false, false), (false, false, false)] {
            assert!(Cues { addresses, talks, plays: false, rules }.weight(100.0) < 600);
        }
        assert!(Cues { addresses: false, talks: false, plays: false, rules: false }.weight(100.0) < 350);
    }
}
