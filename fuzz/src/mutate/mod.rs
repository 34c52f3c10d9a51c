//! Mutations: of bytes, of JSON, of lines of YAML, of one of several parts.

pub(crate) mod bytes;
pub(crate) mod json;
mod words;
mod yaml;

use onesec_testkit::Rng;

pub(crate) use words::NAMES;

use crate::parts::Parts;
use crate::target::Shape;

/// Longer inputs are cut: what they would find, shorter ones find in less time.
const MAX_BYTES: usize = 64 * 1024;

/// One input from another, and sometimes from a third.
pub(crate) fn mutate(shape: Shape, rng: &mut Rng, (input, other): (&[u8], &[u8])) -> Vec<u8> {
    let mut out = match shape {
        Shape::Json => json::mutate(rng, input, other),
        Shape::Yaml if rng.chance(35) => json::mutate(rng, input, other),
        Shape::Yaml => yaml::mutate(rng, input, other),
        Shape::Parts => one_part(rng, input, other),
    };
    if rng.chance(if shape == Shape::Parts { 0 } else { 8 }) {
        out = bytes::mutate(rng, &out, other);
    }
    out.truncate(MAX_BYTES);
    out
}

/// Changes one part, or which parts there are.
fn one_part(rng: &mut Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let (mut parts, other) = (Parts::from_bytes(input), Parts::from_bytes(other));
    if parts.0.is_empty() {
        return other.to_bytes();
    }
    for _ in 0..=rng.below(2) {
        let at = rng.below(parts.0.len() as u64) as usize;
        let Some((name, bytes)) = parts.0.get_mut(at) else { continue };
        match rng.below(20) {
            0 => bytes.clear(),
            1 => drop(parts.0.remove(at)),
            2 => *bytes = other.get(name).to_vec(),
            3 => {
                let another = other.0.get(rng.below(other.0.len() as u64) as usize);
                *bytes = another.map(|(_, bytes)| bytes.clone()).unwrap_or_default();
            }
            // A number at the edge of what fits.
            4 | 5 if bytes.len() == 8 => *bytes = bytes::edge(rng).to_le_bytes().to_vec(),
            _ => *bytes = bytes::mutate(rng, bytes, other.get(name)),
        }
        if parts.0.is_empty() {
            break;
        }
    }
    parts.to_bytes()
}
