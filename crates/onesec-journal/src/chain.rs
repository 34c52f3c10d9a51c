//! Append-only tables whose rows hash the row before them, and the signed rows that hold both ends.
//!
//! `hash = SHA-256(previous hash ‖ fields)`, every field with its length before it; the first row hashes 32 zeros.
//! `chain_heads` signs the newest position and hash, so that a missing tail shows; `checkpoints` signs the last
//! removed position, its hash and how many rows went, so that a shorter start is accepted only from retention.

use onesec_telemetry::{TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use sha2::{Digest as _, Sha256};

use crate::db::{int, uint};
use crate::error::JournalError;
use crate::key::SigningKey;

pub(crate) type Hash = [u8; 32];

/// What is removed from the front only, and leaves a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chain {
    Records,
    Transitions,
    Responses,
}

impl Chain {
    pub(crate) const HASHED: [Self; 2] = [Self::Transitions, Self::Responses];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Transitions => "transitions",
            Self::Responses => "responses",
        }
    }

    /// The table with the chain's rows.
    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::Records => "blocks",
            Self::Transitions => "transitions",
            Self::Responses => "response_log",
        }
    }
}

/// A position in a chain, and the hash of what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tip {
    pub(crate) pos: u64,
    pub(crate) hash: Hash,
}

/// One row of a chain; `subject` is the alert or the response.
pub(crate) struct Link<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) subject: &'a str,
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) kind: &'a str,
    pub(crate) doc: &'a str,
}

impl Link<'_> {
    /// Where the chain stands with this row after `tip`.
    pub(crate) fn after(&self, tip: Tip) -> Tip {
        let pos = tip.pos + 1;
        let mut sha = Sha256::new();
        sha.update(tip.hash);
        let numbers = [pos, self.seq, self.at.as_micros().cast_unsigned()].map(u64::to_be_bytes);
        let texts = [self.tenant.as_str(), self.subject, self.kind, self.doc].map(str::as_bytes);
        for field in numbers.iter().map(<[u8; 8]>::as_slice).chain(texts) {
            sha.update((field.len() as u64).to_be_bytes());
            sha.update(field);
        }
        Tip { pos, hash: sha.finalize().into() }
    }

    /// Appends the row and moves `tip`.
    pub(crate) fn append(&self, conn: &Connection, chain: Chain, tip: &mut Tip) -> Result<(), JournalError> {
        let next = self.after(*tip);
        let sql = match chain {
            Chain::Responses => APPEND_RESPONSE,
            Chain::Transitions | Chain::Records => APPEND_TRANSITION,
        };
        let (pos, seq, at) = (int(next.pos), int(self.seq), self.at.as_micros());
        let row = params![self.tenant.as_str(), pos, self.subject, seq, at, self.kind, self.doc, next.hash];
        conn.prepare_cached(sql)?.execute(row)?;
        *tip = next;
        Ok(())
    }
}

const APPEND_TRANSITION: &str = "INSERT INTO transitions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const APPEND_RESPONSE: &str = "INSERT INTO response_log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// Signs where the chain ends now.
pub(crate) fn write_head(
    conn: &Connection,
    key: &SigningKey,
    (chain, tenant): (Chain, &TenantId),
    tip: Tip,
) -> Result<(), JournalError> {
    let mac = key.sign(&head_fields(chain, tenant, &tip, &tip.pos.to_be_bytes()));
    conn.prepare_cached("INSERT OR REPLACE INTO chain_heads VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        tenant.as_str(),
        chain.name(),
        int(tip.pos),
        tip.hash,
        mac
    ])?;
    Ok(())
}

/// Where the chain ends, as signed; `Default` where nothing was ever written.
pub(crate) fn read_head(conn: &Connection, chain: Chain, tenant: &TenantId) -> Result<(Tip, Vec<u8>), JournalError> {
    let sql = "SELECT pos, hash, mac FROM chain_heads WHERE tenant = ?1 AND chain = ?2";
    let row = |row: &Row<'_>| Ok((Tip { pos: uint(row.get(0)?), hash: row.get(1)? }, row.get(2)?));
    Ok(conn.prepare_cached(sql)?.query_row([tenant.as_str(), chain.name()], row).optional()?.unwrap_or_default())
}

/// Whether the head's signature is ours.
pub(crate) fn head_is_signed(key: &SigningKey, of: (Chain, &TenantId), tip: &Tip, mac: &[u8]) -> bool {
    let (chain, tenant) = of;
    key.signed(&head_fields(chain, tenant, tip, &tip.pos.to_be_bytes()), mac)
}

fn head_fields<'a>(chain: Chain, tenant: &'a TenantId, tip: &'a Tip, pos: &'a [u8]) -> [&'a [u8]; 5] {
    [b"onesec-journal/head/1", chain.name().as_bytes(), tenant.as_str().as_bytes(), pos, &tip.hash]
}

/// What retention left behind: everything up to `last` is gone on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Checkpoint {
    pub(crate) last: Tip,
    pub(crate) removed: u64,
    pub(crate) at: Timestamp,
}

impl Checkpoint {
    pub(crate) fn write(
        &self,
        conn: &Connection,
        key: &SigningKey,
        of: (Chain, &TenantId),
    ) -> Result<(), JournalError> {
        let (chain, tenant) = of;
        let mac = self.with_fields(of, |fields| key.sign(fields));
        conn.prepare_cached("INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(
            params![
                tenant.as_str(),
                chain.name(),
                int(self.last.pos),
                self.last.hash,
                int(self.removed),
                self.at.as_micros(),
                mac
            ],
        )?;
        Ok(())
    }

    pub(crate) fn read(
        conn: &Connection,
        chain: Chain,
        tenant: &TenantId,
    ) -> Result<Option<(Self, Vec<u8>)>, JournalError> {
        let sql = "SELECT pos, hash, removed, at, mac FROM checkpoints WHERE tenant = ?1 AND chain = ?2";
        let row = |row: &Row<'_>| {
            let last = Tip { pos: uint(row.get(0)?), hash: row.get(1)? };
            let at = Timestamp::from_micros(row.get(3)?);
            Ok((Self { last, removed: uint(row.get(2)?), at }, row.get(4)?))
        };
        Ok(conn.prepare_cached(sql)?.query_row([tenant.as_str(), chain.name()], row).optional()?)
    }

    pub(crate) fn is_signed(&self, key: &SigningKey, of: (Chain, &TenantId), mac: &[u8]) -> bool {
        self.with_fields(of, |fields| key.signed(fields, mac))
    }

    fn with_fields<T>(&self, (chain, tenant): (Chain, &TenantId), then: impl FnOnce(&[&[u8]]) -> T) -> T {
        then(&[
            b"onesec-journal/checkpoint/1",
            chain.name().as_bytes(),
            tenant.as_str().as_bytes(),
            &self.last.pos.to_be_bytes(),
            &self.last.hash,
            &self.removed.to_be_bytes(),
            &self.at.as_micros().to_be_bytes(),
        ])
    }
}
