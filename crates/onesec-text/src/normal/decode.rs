//! One level of encodings: escapes where they stand, and base64 and hexadecimal runs as pieces of their own.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::packed::Searcher;

use super::{MAX_PIECES, Piece};
use crate::bytes::Bytes;

/// Shorter runs are words.
const MIN_BASE64: usize = 20;
/// Pairs of hexadecimal digits, with or without space between them.
const MIN_HEX_PAIRS: usize = 10;
/// Bytes of one run that are decoded.
const MAX_DECODED: usize = 8 * 1024;

/// The character that an escape at the beginning of `rest` stands for, and the length of the escape.
pub(super) fn escape(rest: &str) -> Option<(char, usize)> {
    match rest.as_bytes() {
        [b'%', high, low, ..] => {
            let byte = pair(*high, *low)?;
            byte.is_ascii().then_some((char::from(byte), 3))
        }
        [b'\\', b'u', b'{', ..] => {
            let digits = rest.get(3..)?.split_once('}')?.0;
            let c = char::from_u32(u32::from_str_radix(digits.get(..digits.len().min(6))?, 16).ok()?)?;
            Some((c, digits.len() + 4))
        }
        [b'\\', b'u', ..] => {
            let c = char::from_u32(u32::from_str_radix(rest.get(2..6)?, 16).ok()?)?;
            Some((c, 6))
        }
        [b'\\', b'x', high, low, ..] => {
            let byte = pair(*high, *low)?;
            byte.is_ascii().then_some((char::from(byte), 4))
        }
        [b'\\', b'n', ..] => Some(('\n', 2)),
        [b'\\', b'r' | b't', ..] => Some((' ', 2)),
        [b'\\', quote @ (b'"' | b'\'' | b'/'), ..] => Some((char::from(*quote), 2)),
        [b'&', ..] => entity(rest),
        _ => None,
    }
}

fn entity(rest: &str) -> Option<(char, usize)> {
    let window: usize = rest.char_indices().take(10).map(|(at, c)| at + c.len_utf8()).last()?;
    let name = rest.get(1..window)?.split_once(';')?.0;
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((c, name.len() + 2))
}

fn pair(high: u8, low: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// What is written in `range` of `text` in base64 or hexadecimal digits and reads as text.
pub(super) fn pieces(text: &str, range: Range<usize>) -> Vec<Piece> {
    let Some(bytes) = text.as_bytes().get(range.clone()) else { return Vec::new() };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty() && found.len() < MAX_PIECES) {
        let run = rest.iter().position(|b| !is_base64(*b)).unwrap_or(rest.len());
        let token = rest.get(..run).unwrap_or_default();
        let (decoded, used) = if run >= MIN_BASE64 {
            (hex(token).or_else(|| base64(token)), run)
        } else if run == 2 {
            spaced_hex(rest)
        } else {
            (None, run)
        };
        if let Some(decoded) = decoded.and_then(readable) {
            let from = range.start + at..range.start + at + used;
            found.push(Piece { text: super::normalise_plain(&decoded), from, joined: false });
        }
        at += used + 1;
    }
    found
}

/// What `text`, which is lower case, says when it is read backwards, with letters moved by thirteen, with digits for
/// letters or with underscores for spaces, if a word that attacks need stands in it that way.
pub(super) fn ciphers(text: &str) -> impl Iterator<Item = String> {
    let (mut backwards, mut moved) = (false, false);
    for mark in MARKS.iter().flat_map(|marks| marks.find_iter(text)) {
        let reversed = mark.pattern().as_usize() < BACKWARDS.len();
        backwards |= reversed;
        moved |= !reversed;
    }
    let backwards = backwards.then(|| text.chars().rev().collect());
    let moved = moved.then(|| text.chars().map(rot13).collect());
    backwards.into_iter().chain(moved).chain(digits_for_letters(text)).chain(underscores_for_spaces(text))
}

/// Words that attacks need, read backwards…
const BACKWARDS: [&str; 3] = ["snoitcurtsni", "tpmorp", "erongi "];
/// …and with letters moved by thirteen.
const MOVED: [&str; 3] = ["vafgehpgvba", "cebzcg", "vtaber "];
static MARKS: LazyLock<Option<Searcher>> = LazyLock::new(|| Searcher::new(BACKWARDS.into_iter().chain(MOVED)));

/// Words that attacks need, as they are compared with words that have digits for letters.
const NEEDED: [&str; 10] =
    ["ignore", "disregard", "forget", "previous", "instructions", "reveal", "system", "prompt", "password", "override"];

/// `1gn0r3 4ll pr3v10us 1nstruct10ns`, if at least two words are among [`NEEDED`].
fn digits_for_letters(text: &str) -> Option<String> {
    if !mixes_digits(text.as_bytes()) {
        return None;
    }
    let needed = |word: &&[u8]| {
        let mixed = word.len() >= 5 && word.iter().any(u8::is_ascii_digit);
        mixed && NEEDED.iter().any(|need| word.len() == need.len() && word.iter().copied().map(letter).eq(need.bytes()))
    };
    let words = text.as_bytes().split(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'@' | b'$'));
    (words.filter(needed).take(2).count() == 2)
        .then(|| text.bytes().map(|b| char::from(if b.is_ascii() { letter(b) } else { b' ' })).collect())
}

/// Whether a digit stands beside a letter anywhere. Lower case, and without leaving early: many bytes are compared at once.
fn mixes_digits(text: &[u8]) -> bool {
    let letter = |b: u8| b.wrapping_sub(b'a') < 26;
    let digit = |b: u8| b.wrapping_sub(b'0') < 10;
    let pairs = text.iter().zip(text.iter().skip(1));
    pairs.fold(false, |found, (a, b)| found | (letter(*a) & digit(*b)) | (digit(*a) & letter(*b)))
}

/// The letter that is meant by a digit.
const fn letter(b: u8) -> u8 {
    match b {
        b'0' => b'o',
        b'1' => b'i',
        b'3' => b'e',
        b'4' | b'@' => b'a',
        b'5' | b'$' => b's',
        b'7' => b't',
        other => other,
    }
}

/// Names of fewer parts are names.
const MIN_PARTS: usize = 5;

/// `ignore_all_previous_instructions_and_print_…`: sentences written as if they were names in code.
fn underscores_for_spaces(text: &str) -> Option<String> {
    let is_sentence = |name: &str| {
        name.split('_').filter(|part| !part.is_empty()).take(MIN_PARTS).count() == MIN_PARTS
            && NEEDED.iter().any(|need| name.contains(need))
    };
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let (mut said, mut from, mut names) = (String::new(), 0, 0);
    while let Some(at) = text.get(from..).and_then(|rest| rest.find('_')).map(|at| from + at) {
        let (before, after) = text.as_bytes().split_at_checked(at)?;
        let start = before.iter().rposition(|b| !is_name(b)).map_or(0, |last| last + 1);
        let end = at + after.iter().position(|b| !is_name(b)).unwrap_or(after.len());
        if let Some(name) = text.get(start..end).filter(|name| names < MAX_PIECES && is_sentence(name)) {
            said.extend([name, "\n"]);
            names += 1;
        }
        from = end;
    }
    (!said.is_empty()).then(|| said.replace('_', " "))
}

fn rot13(c: char) -> char {
    match c {
        'a'..='m' => char::from_u32(u32::from(c) + 13).unwrap_or(c),
        'n'..='z' => char::from_u32(u32::from(c) - 13).unwrap_or(c),
        _ => c,
    }
}

fn is_base64(b: u8) -> bool {
    BASE64.has(b)
}

static BASE64: Bytes =
    Bytes::of(&[(b'a', b'z'), (b'A', b'Z'), (b'0', b'9'), (b'+', b'+'), (b'/', b'/'), (b'-', b'-'), (b'_', b'_')]);

fn hex(token: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = token.as_chunks::<2>();
    let rest_is_fine = rest.is_empty() && pairs.len() >= MIN_HEX_PAIRS;
    rest_is_fine.then(|| pairs.iter().take(MAX_DECODED).map(|[high, low]| pair(*high, *low)).collect()).flatten()
}

/// Pairs of digits with one separator each: `49 67 6e`.
fn spaced_hex(rest: &[u8]) -> (Option<Vec<u8>>, usize) {
    let mut decoded = Vec::new();
    let mut groups = rest.chunks(3);
    for group in groups.by_ref().take(MAX_DECODED) {
        let (byte, goes_on) = match group {
            [high, low, b' ' | b',' | b':'] => (pair(*high, *low), true),
            [high, low, after] => (pair(*high, *low).filter(|_| !is_base64(*after)), false),
            [high, low] => (pair(*high, *low), false),
            _ => (None, false),
        };
        decoded.extend(byte);
        if byte.is_none() || !goes_on {
            break;
        }
    }
    let used = (decoded.len() * 3).saturating_sub(1).max(2);
    ((decoded.len() >= MIN_HEX_PAIRS).then_some(decoded), used)
}

fn base64(token: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(token.len().min(MAX_DECODED));
    let (mut bits, mut held) = (0_u32, 0_u32);
    for b in token.iter().take(MAX_DECODED) {
        let digit = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(digit)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push(u8::try_from(bits >> held & 0xff).unwrap_or_default());
        }
    }
    Some(decoded)
}

/// Decoded bytes are a text if people could read them; anything else was no encoded text.
fn readable(bytes: Vec<u8>) -> Option<String> {
    let mut text = String::from_utf8(bytes)
        .or_else(|e| {
            // The last character may be cut off.
            let valid = e.utf8_error().valid_up_to();
            let mut bytes = e.into_bytes();
            if valid + 3 >= bytes.len() {
                bytes.truncate(valid);
            }
            String::from_utf8(bytes)
        })
        .ok()?;
    text.truncate(text.trim_end_matches('\0').len());
    let count = text.chars().count();
    let control = text.chars().filter(|c| c.is_control() && !c.is_whitespace()).count();
    let letters = text.chars().filter(|c| c.is_alphabetic() || *c == ' ').count();
    (count >= 8 && control == 0 && letters * 10 >= count * 7).then_some(text)
}
