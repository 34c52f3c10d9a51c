//! From an entry to a record that has no place yet: whose word it is, how far it goes, and which agent is meant.

use onesec_auth0::{LogEntry, Meaning, read_log};
use onesec_journal::DeadLetterRow;
use onesec_telemetry::limits::MAX_DEAD_LETTER_BYTES;
use onesec_telemetry::redact::{redact_json, redact_text};
use onesec_telemetry::{Authority, BodyError, Event, Rejection, Sender, TenantId};

use super::{Inner, digest, read_back};
use crate::core::Draft;

/// Entries that were read.
#[derive(Default)]
pub(super) struct Read {
    pub(super) drafts: Vec<Draft>,
    pub(super) letters: Vec<DeadLetterRow>,
    pub(super) rejected: Vec<(usize, Rejection)>,
    pub(super) ignored: usize,
    /// There are links to read back.
    pub(super) grants: bool,
}

/// Reads every element; one that cannot be read spoils no other.
pub(super) fn read(inner: &Inner, tenant: &TenantId, elements: &[&str]) -> Read {
    let mut read = Read::default();
    for (index, element) in elements.iter().enumerate() {
        match read_log(element, &inner.catalogue) {
            Err(why) => {
                inner.metrics.log_entry(("other", "rejected"));
                read.letters.push(letter_of(inner, tenant, (element, &why)));
                read.rejected.push((index, why));
            }
            Ok(LogEntry { log_type, meaning }) => match draft(inner, tenant, meaning) {
                None => {
                    inner.metrics.log_entry((log_type, "ignored"));
                    read.ignored += 1;
                }
                Some(draft) => {
                    inner.metrics.log_entry((log_type, "read"));
                    read.grants |= !draft.ledger.is_empty();
                    read.drafts.push(draft);
                }
            },
        }
    }
    read
}

/// `None` where the entry means nothing here.
fn draft(inner: &Inner, tenant: &TenantId, meaning: Meaning) -> Option<Draft> {
    match meaning {
        Meaning::Ignored => None,
        Meaning::Informs(event) => Some(told(inner, tenant, *event, Authority::Claim)),
        Meaning::Ends(event) => Some(told(inner, tenant, *event, Authority::Trust)),
        Meaning::Grants(event) => {
            let mut draft = told(inner, tenant, *event, Authority::Claim);
            if inner.reads_back.contains(tenant) {
                draft.ledger.extend(read_back::row(tenant, &draft.event));
            }
            Some(draft)
        }
    }
}

fn told(inner: &Inner, tenant: &TenantId, mut event: Event, authority: Authority) -> Draft {
    name_agent(inner, tenant, &mut event);
    let network = event.envelope.as_ref().and_then(|envelope| envelope.source_ip.as_ref()?.as_str().parse().ok());
    let mut draft = Draft::new(event, Sender::auth0(authority));
    draft.network = network;
    draft.trusted_time = true;
    draft
}

/// Auth0 has names of its own for agents: the registered one that is known by such a name is meant.
fn name_agent(inner: &Inner, tenant: &TenantId, event: &mut Event) {
    if event.kind_name() == "custom.auth0.tenant_change" && event.common.agent_id.is_none() {
        // Who changes the tenant is asked more sharply than who trades a token: by the client, too.
        let client = event.common.client_id.as_ref();
        let known = client.and_then(|client| inner.agents.by_client(tenant, client.as_str()));
        event.common.agent_id = known.map(|known| known.said.agent_id.clone());
    }
    let Some(named) = &event.common.agent_id else { return };
    let extra = event.extra.as_ref().map(onesec_telemetry::event::Json::to_value).unwrap_or_default();
    let external = extra.get("external_agent_id").and_then(|name| name.as_str());
    let known = [external, Some(named.as_str())].into_iter().flatten().find_map(|name| {
        let own = || inner.agents.of(tenant, &onesec_telemetry::AgentId::new(name).ok()?);
        own().or_else(|| inner.agents.by_client(tenant, name))
    });
    if let Some(known) = known {
        event.common.agent_id = Some(known.said.agent_id.clone());
    }
}

fn letter_of(inner: &Inner, tenant: &TenantId, (element, why): (&str, &Rejection)) -> DeadLetterRow {
    let redacted = redacted(element);
    let end = (0..=MAX_DEAD_LETTER_BYTES.min(redacted.len())).rev().find(|at| redacted.is_char_boundary(*at));
    let body = redacted.get(..end.unwrap_or_default()).map(str::to_owned);
    let words = (why.code.as_str().into_owned(), why.pointer.clone(), why.message.clone());
    letter(inner, tenant, words, (body, element.as_bytes()))
}

/// By the names of members where it is JSON: an entry about a client has the client's secret in it.
fn redacted(element: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(element) {
        Ok(mut value) => {
            redact_json(&mut value);
            value.to_string()
        }
        Err(_) => redact_text(element).into_owned(),
    }
}

/// What cannot even be taken apart keeps size and hash.
pub(super) fn letter_of_body(inner: &Inner, tenant: &TenantId, (body, why): (&[u8], &BodyError)) -> DeadLetterRow {
    letter(inner, tenant, ("not-a-delivery".to_owned(), String::new(), why.to_string()), (None, body))
}

fn letter(
    inner: &Inner,
    tenant: &TenantId,
    (reason_code, pointer, message): (String, String, String),
    (body, text): (Option<String>, &[u8]),
) -> DeadLetterRow {
    let (size, sha256) = digest(text);
    DeadLetterRow {
        tenant: tenant.clone(),
        at: inner.core.now(),
        key_id: Some("auth0-log".to_owned()),
        reason_code,
        pointer,
        message,
        body,
        size,
        sha256,
    }
}
