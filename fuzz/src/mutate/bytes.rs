//! Mutations of bytes that know numbers of variable length, and nothing else.

use onesec_testkit::Rng;

/// Numbers at which things change.
const EDGES: [u64; 16] =
    [0, 1, 2, 63, 64, 65, 127, 128, 255, 256, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 44, i64::MAX as u64, u64::MAX];

/// A number at an edge, or beside one.
pub(crate) fn edge(rng: &mut Rng) -> u64 {
    rng.pick(&EDGES).wrapping_add(rng.below(3)).wrapping_sub(1)
}

/// A few small changes.
pub(crate) fn mutate(rng: &mut Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut out = input.to_vec();
    for _ in 0..=rng.below(3) {
        change(rng, &mut out, other);
    }
    out
}

fn change(rng: &mut Rng, out: &mut Vec<u8>, other: &[u8]) {
    let at = rng.below(out.len() as u64 + 1) as usize;
    let end = (at + rng.below(16) as usize).min(out.len());
    match rng.below(9) {
        0 | 1 => {
            if let Some(byte) = out.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
        2 => {
            if let Some(byte) = out.get_mut(at) {
                *byte = rng.next() as u8;
            }
        }
        3 => drop(out.drain(at..end)),
        4 => drop(out.splice(at..at, (0..rng.below(6)).map(|_| rng.next() as u8).collect::<Vec<_>>())),
        5 => out.truncate(at),
        6 => {
            let again = out.get(at..end).unwrap_or_default().to_vec();
            out.splice(at..at, again);
        }
        7 => {
            let from = rng.below(other.len() as u64 + 1) as usize;
            let piece = other.get(from..(from + rng.below(64) as usize).min(other.len())).unwrap_or_default();
            out.splice(at..end, piece.to_vec());
        }
        _ => drop(out.splice(at..end.min(at + 1), varint(edge(rng)))),
    }
}

/// LEB128, as the journal and the records have it.
pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}
