//! What is asked for by a delegation, and how it is told apart from others.

use std::borrow::Cow;

use onesec_telemetry::event::AgentIdentityDelegation;
use onesec_telemetry::{AgentId, Attestation, Attested, Channel, DelegationId, Details, Record, ScopeSet, Timestamp};
use sha2::{Digest, Sha256};

use crate::chains::Wish;

/// Whether telemetry reports a delegation for which nobody signed. What people do at our own API is known to be theirs.
pub(super) fn is_unattested(record: &Record) -> bool {
    let delegation = record.event().is_some_and(|e| matches!(e.details, Details::AgentIdentityDelegation(_)));
    delegation && record.attestation == Attestation::Absent && record.sender.channel == Channel::Ingest
}

pub(super) fn wish<'r>(
    record: &'r Record,
    (d, agent): (&'r AgentIdentityDelegation, &'r AgentId),
    id: Cow<'r, DelegationId>,
) -> Wish<'r> {
    let (bound, expires) = (d.scopes.as_ref(), d.expires_at);
    Wish {
        id,
        agent: agent.as_str(),
        by: d.delegated_by.as_str(),
        user: record.user().map(AsRef::as_ref),
        account: d.account_id.as_ref().map(AsRef::as_ref),
        content: content_of(record, d, (bound, expires)),
        bound: bound.map(Cow::Borrowed),
        expires,
        parent: d.parent_id.as_ref(),
        chain: d.delegation_chain.as_ref().map(|chain| chain.0.as_slice()),
        max_depth: d.max_depth,
        issued: record.at,
        at: record.at,
    }
}

/// What is signed, and nothing else: whoever repeats a link must not be able to put words beside it that count.
pub(super) fn signed_wish<'r>(
    record: &'r Record,
    (d, agent): (&'r AgentIdentityDelegation, &'r AgentId),
    proof: &'r Attested,
) -> Wish<'r> {
    let link = &proof.link;
    let named = [link.delegator.as_str(), link.jti.as_str(), link.delegate.as_str(), proof.user.as_str()];
    Wish {
        id: Cow::Borrowed(&proof.id),
        agent: agent.as_str(),
        by: d.delegated_by.as_str(),
        user: Some(proof.user.as_str()),
        account: None,
        content: digest64(&named),
        bound: link.scopes.as_ref().map(Cow::Borrowed),
        expires: Some(link.expires_at),
        parent: proof.parent.as_ref(),
        chain: None,
        max_depth: None,
        issued: link.issued_at.min(record.at),
        at: record.at,
    }
}

/// Whether the signature speaks of this delegation.
pub(super) fn vouches(proof: &Attested, record: &Record, d: &AgentIdentityDelegation) -> bool {
    let link = &proof.link;
    let signed = link.connection.as_ref();
    let same_connection = signed.is_none_or(|signed| record.connection().is_none_or(|said| said == signed));
    let same_user = record.user().is_none_or(|said| *said == proof.user);
    let same_parties = record.agent() == Some(&link.delegate) && link.delegator == d.delegated_by;
    same_parties && same_connection && same_user
}

/// The id of a delegation that came without one: the same for every replay of the event.
pub(super) fn derived_id(record: &Record) -> DelegationId {
    let key = record.sender.key.as_ref().map_or("", AsRef::as_ref);
    let event = record.event().map_or("", |event| event.id.as_str());
    let mut id = String::from("dlg_");
    for byte in digest(&[key, event]).iter().take(13) {
        id.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        id.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    #[expect(clippy::expect_used, reason = "thirty printable ASCII characters are an identifier")]
    DelegationId::new(&id).expect("an identifier")
}

/// What tells a replay from a conflict: everything that the delegation states.
fn content_of(
    record: &Record,
    d: &AgentIdentityDelegation,
    (bound, expires): (Option<&ScopeSet>, Option<Timestamp>),
) -> u64 {
    let text = |part: Option<&dyn std::fmt::Display>| part.map_or_else(|| "-".to_owned(), |part| format!("={part}"));
    let chain =
        d.delegation_chain.as_ref().map(|c| c.0.iter().map(AsRef::<str>::as_ref).collect::<Vec<_>>().join("\u{1f}"));
    let parts = [
        text(record.agent().map(|v| v as _)),
        text(record.user().map(|v| v as _)),
        text(record.connection().map(|v| v as _)),
        text(Some(&d.delegated_by)),
        text(d.account_id.as_ref().map(|v| v as _)),
        text(d.parent_id.as_ref().map(|v| v as _)),
        text(bound.map(|v| v as _)),
        text(expires.as_ref().map(|v| v as _)),
        text(chain.as_ref().map(|v| v as _)),
        text(d.max_depth.as_ref().map(|v| v as _)),
    ];
    digest64(&parts.each_ref().map(String::as_str))
}

fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().into()
}

pub(super) fn digest64(parts: &[&str]) -> u64 {
    digest(parts).iter().take(8).fold(0, |value, byte| (value << 8) | u64::from(*byte))
}
