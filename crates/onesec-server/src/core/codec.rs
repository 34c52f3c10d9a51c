//! How a record is written to the journal: a version byte, then postcard.

use onesec_telemetry::{Channel, Record};
use sha2::{Digest, Sha256};

use onesec_journal::DedupEntry;

const VERSION: u8 = 4;
/// No key is called that.
const AUTH0_LOG: &str = "auth0 log";

/// A record as the journal keeps it, and where what its body says begins.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    said: usize,
}

/// The record as the journal keeps it.
#[must_use]
pub fn encode_record(record: &Record) -> Vec<u8> {
    encode(record).bytes
}

pub(super) fn encode(record: &Record) -> Encoded {
    let Record { tenant, seq, observed_at, at, late, sender, subject, attestation, network, text, body } = record;
    let head = (tenant, seq, observed_at, at, late, sender, subject, attestation, network, text);
    let mut bytes = Vec::with_capacity(512);
    bytes.push(VERSION);
    // Writing to memory fails only for types without a known length, and a record has none of those.
    let bytes = postcard::to_extend(&head, bytes).unwrap_or_default();
    // A byte tells which kind of body follows.
    let said = bytes.len() + 1;
    Encoded { bytes: postcard::to_extend(body, bytes).unwrap_or_default(), said }
}

/// Reads a record back; `None` where the bytes are none of this version.
#[must_use]
pub fn decode_record(bytes: &[u8]) -> Option<Record> {
    postcard::from_bytes(versioned(bytes)?).ok()
}

/// What follows the version, where it is this one.
pub(super) fn versioned(bytes: &[u8]) -> Option<&[u8]> {
    let (version, record) = bytes.split_first()?;
    (*version == VERSION).then_some(record)
}

/// What recognises the repetition of an event: (sending key, id), and the content.
#[must_use]
pub(super) fn dedup_entry(record: &Record, encoded: &Encoded) -> Option<DedupEntry> {
    let event = record.event()?;
    // The log of Auth0 has ids of its own: whatever way an entry comes, and however it is written, it is the same.
    let log = record.sender.channel == Channel::Auth0;
    let key = record.sender.key.as_ref().map(AsRef::as_ref).or_else(|| log.then_some(AUTH0_LOG))?;
    let mut hash = Sha256::new();
    hash.update((key.len() as u64).to_le_bytes());
    hash.update(key);
    hash.update(event.id.as_str());
    let content = if log { &[] } else { encoded.bytes.get(encoded.said..).unwrap_or_default() };
    Some(DedupEntry {
        key: u128::from_le_bytes(head(&hash.finalize())),
        content: u64::from_le_bytes(head(&Sha256::digest(content))),
        long: log || event.kind().spec().changes_trust,
    })
}

fn head<const N: usize>(digest: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(digest) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use onesec_telemetry::{
        Attestation, Authority, Body, Common, Details, Event, EventId, KeyId, Sender, Seq, Subject, TenantId,
        Timestamp, event::TaskEnd,
    };

    use super::*;

    /// Journals have it: a repetition must be one to the next version, too.
    #[test]
    fn what_recognises_a_repetition_is_made_of_the_event_alone() {
        let details = Details::TaskEnd(TaskEnd { status: None });
        let event = Event::new(EventId::new("e").expect("an id"), Common::default(), details);
        let key = Some(KeyId::new("key_1").expect("an id"));
        let record = |seq, at| Record {
            tenant: TenantId::default_tenant(),
            seq: Seq(seq),
            observed_at: Timestamp::from_secs(at),
            at: Timestamp::from_secs(at),
            late: false,
            sender: Sender {
                channel: Channel::Ingest,
                key: key.clone(),
                owner: None,
                agent: None,
                authority: Authority::Claim,
            },
            subject: Subject::Unknown,
            attestation: Attestation::Absent,
            network: None,
            text: None,
            body: Body::Event(event.clone().into()),
        };
        let alone = postcard::to_stdvec(&event).expect("encodes");
        for record in [record(1, 1), record(70_000, 1_767_225_600)] {
            let encoded = encode(&record);
            assert_eq!(postcard::from_bytes::<Record>(&encoded.bytes[1..]).expect("decodes"), record);
            let entry = dedup_entry(&record, &encoded).expect("an entry");
            assert_eq!(entry.content, u64::from_le_bytes(head(&Sha256::digest(&alone))));
        }
    }
}
