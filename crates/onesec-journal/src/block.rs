//! How records lie in the file: blocks, written once and never changed.
//!
//! A block holds up to [`MAX_BLOCK_RECORDS`] consecutive records of one tenant, all of one commit, and is closed
//! early once its body reaches [`MAX_BLOCK_BYTES`]. It is one row of `blocks`, found by
//! `key = tenant << 44 | first_seq`, so that appending needs no second index.
//!
//! ```text
//! body   := 0x01 record*
//! record := varint(observed_at - block.first_at, µs) varint(len) byte{len}
//! dedup  := (empty) | 0x01 entry*
//! entry  := varint(index in block) varint(observed_at - block.first_at, µs) flags(bit 0: long) key(16, LE) content(8, LE)
//! varint := LEB128, at most 64 bits
//! head_crc := CRC-32(tenant, first_seq, last_seq, first_at, last_at, count as u64 LE; dedup)
//! body_crc := CRC-32(head_crc as u32 LE; body)
//! ```
//!
//! `dedup` stands before `body` in the row and has a checksum of its own: recovery reads a day of it
//! without touching a single body. Bodies are not compressed: it would cost replay more than it saves.

use bytes::Bytes;
use onesec_telemetry::Timestamp;

use crate::error::JournalError;
use crate::rows::{DedupEntry, RecordRow, StoredRecord};

/// Most records in one block.
pub const MAX_BLOCK_RECORDS: u64 = 64;
/// A block takes no further record once its body has as many bytes.
pub const MAX_BLOCK_BYTES: usize = 256 * 1024;
/// Largest single record.
pub const MAX_RECORD_BYTES: usize = 8 * 1024 * 1024;

const FORMAT: u8 = 1;
const SEQ_BITS: u32 = 44;
const MAX_TENANT_NO: u64 = 1 << 19;

/// The row id of the block of tenant number `no` that starts at `seq`.
pub(crate) fn key(no: u64, seq: u64) -> Result<i64, JournalError> {
    if no >= MAX_TENANT_NO || seq >> SEQ_BITS != 0 {
        return Err(JournalError::TooLarge { what: "a sequence or tenant number", max_bytes: 5 });
    }
    Ok((no << SEQ_BITS | seq).cast_signed())
}

/// The row ids that the blocks of tenant number `no` can have.
pub(crate) fn keys_of(no: u64) -> Result<(i64, i64), JournalError> {
    Ok((key(no, 0)?, key(no, (1 << SEQ_BITS) - 1)?))
}

/// One row of `blocks`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
    pub(crate) count: u64,
    pub(crate) dedup: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Block {
    pub(crate) fn start(record: &RecordRow) -> Self {
        let mut block = Self {
            first_seq: record.seq,
            first_at: record.observed_at,
            body: Vec::with_capacity(record.bytes.len() + 8),
            ..Self::default()
        };
        block.body.push(FORMAT);
        block.push(record);
        block
    }

    pub(crate) fn takes(&self, record: &RecordRow) -> bool {
        self.count < MAX_BLOCK_RECORDS
            && self.body.len() < MAX_BLOCK_BYTES
            && self.body.len() + record.bytes.len() <= MAX_BLOCK_BYTES
    }

    pub(crate) fn push(&mut self, record: &RecordRow) {
        let delta = record.observed_at.as_micros().abs_diff(self.first_at.as_micros());
        if let Some(entry) = &record.dedup {
            self.push_dedup(entry, delta);
        }
        put_varint(&mut self.body, delta);
        put_varint(&mut self.body, record.bytes.len() as u64);
        self.body.extend_from_slice(&record.bytes);
        self.last_seq = record.seq;
        self.last_at = record.observed_at;
        self.count += 1;
    }

    fn push_dedup(&mut self, entry: &DedupEntry, delta: u64) {
        if self.dedup.is_empty() {
            self.dedup.push(FORMAT);
        }
        put_varint(&mut self.dedup, self.count);
        put_varint(&mut self.dedup, delta);
        self.dedup.push(u8::from(entry.long));
        self.dedup.extend_from_slice(&entry.key.to_le_bytes());
        self.dedup.extend_from_slice(&entry.content.to_le_bytes());
    }

    pub(crate) fn head_crc(&self, no: u64) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        let times = [self.first_at, self.last_at].map(|at| at.as_micros().cast_unsigned());
        for field in [no, self.first_seq, self.last_seq].into_iter().chain(times).chain([self.count]) {
            crc.update(&field.to_le_bytes());
        }
        crc.update(&self.dedup);
        crc.finalize()
    }

    pub(crate) fn body_crc(&self, head_crc: u32) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&head_crc.to_le_bytes());
        crc.update(&self.body);
        crc.finalize()
    }

    /// The records, sharing the memory of the body.
    pub(crate) fn records(self) -> Result<Vec<StoredRecord>, JournalError> {
        let damaged = || damaged(self.first_seq, "its body cannot be decoded");
        let body = Bytes::from(self.body);
        let mut input = Input { bytes: &body, at: 0 };
        if input.byte() != Some(FORMAT) {
            return Err(damaged());
        }
        let mut records = Vec::with_capacity(self.count.min(MAX_BLOCK_RECORDS) as usize);
        for seq in self.first_seq..self.first_seq.saturating_add(self.count) {
            let delta = input.varint().ok_or_else(damaged)?;
            let range = input.sized().ok_or_else(damaged)?;
            records.push(StoredRecord { seq, observed_at: later(self.first_at, delta), bytes: body.slice(range) });
        }
        if input.at == body.len() { Ok(records) } else { Err(damaged()) }
    }

    /// The dedup entries with the number and time of their record.
    pub(crate) fn dedup_entries(&self) -> Result<Vec<(u64, Timestamp, DedupEntry)>, JournalError> {
        let mut input = Input { bytes: &self.dedup, at: 0 };
        let mut entries = Vec::new();
        if self.dedup.is_empty() {
            return Ok(entries);
        }
        let damaged = || damaged(self.first_seq, "its dedup part cannot be decoded");
        if input.byte() != Some(FORMAT) {
            return Err(damaged());
        }
        while input.at < self.dedup.len() {
            let (index, delta, entry) = input.dedup().ok_or_else(damaged)?;
            entries.push((self.first_seq.saturating_add(index), later(self.first_at, delta), entry));
        }
        Ok(entries)
    }
}

fn damaged(seq: u64, why: &str) -> JournalError {
    JournalError::corrupt(format!("block at record {seq}: {why}"))
}

fn later(from: Timestamp, delta_micros: u64) -> Timestamp {
    Timestamp::from_micros(from.as_micros().saturating_add_unsigned(delta_micros))
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return None;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn sized(&mut self) -> Option<std::ops::Range<usize>> {
        let len = usize::try_from(self.varint()?).ok()?;
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len())?;
        let range = self.at..end;
        self.at = end;
        Some(range)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = *self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(array)
    }

    fn dedup(&mut self) -> Option<(u64, u64, DedupEntry)> {
        let index = self.varint()?;
        let delta = self.varint()?;
        let long = self.byte()? & 1 == 1;
        let key = u128::from_le_bytes(self.array()?);
        let content = u64::from_le_bytes(self.array()?);
        Some((index, delta, DedupEntry { key, content, long }))
    }
}

#[cfg(test)]
mod tests {
    use onesec_telemetry::TenantId;
    use proptest::prelude::*;

    use super::*;

    fn row(seq: u64, at: i64, bytes: Vec<u8>, dedup: Option<DedupEntry>) -> RecordRow {
        RecordRow {
            tenant: TenantId::default_tenant(),
            seq,
            observed_at: Timestamp::from_micros(at),
            dedup,
            bytes: bytes.into(),
        }
    }

    proptest! {
        #[test]
        fn a_block_gives_back_what_it_took(
            items in prop::collection::vec((0..1_000_000_000_i64, prop::collection::vec(any::<u8>(), 0..200), any::<Option<(u128, u64, bool)>>()), 1..64),
            first in 1..1_000_000_u64,
        ) {
            let mut at = 1_700_000_000_000_000;
            let rows: Vec<_> = items.into_iter().zip(first..).map(|((step, bytes, dedup), seq)| {
                at += step;
                row(seq, at, bytes, dedup.map(|(key, content, long)| DedupEntry { key, content, long }))
            }).collect();
            let mut block = Block::start(&rows[0]);
            rows[1..].iter().for_each(|row| block.push(row));

            let want: Vec<_> = rows.iter().filter_map(|r| r.dedup.map(|d| (r.seq, r.observed_at, d))).collect();
            prop_assert_eq!(block.dedup_entries().expect("valid"), want);
            let got = block.records().expect("valid");
            prop_assert_eq!(got.len(), rows.len());
            for (got, want) in got.iter().zip(&rows) {
                prop_assert_eq!((got.seq, got.observed_at, &got.bytes), (want.seq, want.observed_at, &want.bytes));
            }
        }

        #[test]
        fn noise_never_panics(body in prop::collection::vec(any::<u8>(), 0..300), count in 0..70_u64) {
            let body = [&[FORMAT][..], &body].concat();
            let block = Block { first_seq: 1, count, dedup: body.clone(), body, ..Block::default() };
            let _ = block.dedup_entries();
            let _ = block.records();
        }
    }
}
