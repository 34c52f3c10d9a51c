//! What the engine says, as rows of the journal.

use onesec_engine::{Output, Queued, Step};
use onesec_journal::{
    AlertRow, Batch, DeadLetterRow, LedgerRow, LedgerTable, LedgerWrite, OutboxRow, ResponseRow, TransitionRow,
};
use onesec_telemetry::limits::MAX_DEAD_LETTER_BYTES;
use onesec_telemetry::{
    AgentId, Alert, Code, Record, Response, ResponseStatus, Seq, TenantId, Thumbprint, Timestamp, Transition,
};
use onesec_trackers::LedgerChange;
use serde::{Deserialize, Serialize};

/// Between the parts of a key; no identifier contains it.
const UNIT: char = '\u{1f}';

/// `live`: it still counts, so that retention must not touch it.
pub(super) fn alert_row(alert: &Alert, live: bool, seq: Seq) -> AlertRow {
    AlertRow {
        tenant: alert.tenant.clone(),
        id: alert.id.clone(),
        detector: alert.detector.to_string(),
        severity_rank: alert.severity.rank(),
        status: alert.status.as_str().to_owned(),
        open: live,
        agent_id: alert.agent_id.clone(),
        user_id: alert.user_id.clone(),
        connection: alert.connection.clone(),
        first_seen: alert.first_seen,
        last_seen: alert.last_seen,
        seq: seq.0,
        doc: json(alert),
    }
}

pub(super) fn transition_row(tenant: &TenantId, transition: &Transition) -> TransitionRow {
    TransitionRow {
        tenant: tenant.clone(),
        alert_id: transition.alert.clone(),
        seq: transition.seq.0,
        at: transition.at,
        kind: transition.change.as_str().to_owned(),
        doc: json(&transition.after),
    }
}

pub(super) fn ledger_write(tenant: &TenantId, change: &LedgerChange, seq: Seq) -> Option<LedgerWrite> {
    let mut row = LedgerRow {
        tenant: tenant.clone(),
        id: String::new(),
        agent_id: None,
        user_id: None,
        connection: None,
        state: String::new(),
        updated_seq: seq.0,
        expires_at: None,
        doc: String::new(),
    };
    let table = match change {
        LedgerChange::Account(account) => {
            let which = account.account_id.as_ref().map_or("", AsRef::as_ref);
            row.id = format!("{}{UNIT}{}{UNIT}{which}", account.user_id, account.connection);
            row.user_id = Some(account.user_id.clone());
            row.connection = Some(account.connection.clone());
            row.state = account.state.to_string();
            row.doc = json(account);
            LedgerTable::Accounts
        }
        LedgerChange::Delegation(delegation) => {
            row.id = delegation.id.to_string();
            row.agent_id = Some(delegation.agent_id.clone());
            row.user_id = Some(delegation.user_id.clone());
            row.connection = Some(delegation.connection.clone());
            row.state = delegation.state.to_string();
            row.expires_at = delegation.expires_at;
            row.doc = json(delegation);
            LedgerTable::Delegations
        }
        LedgerChange::Agent(agent) => {
            row.id = agent.agent_id.to_string();
            row.agent_id = Some(agent.agent_id.clone());
            row.state = agent.state.to_string();
            row.doc = json(agent);
            LedgerTable::Agents
        }
        LedgerChange::AgentSeen(agent, last_seen) => return Some(seen(tenant, agent, (*last_seen, seq))),
        LedgerChange::Registration(agent, None) => {
            let table = LedgerTable::Registrations;
            return Some(LedgerWrite::Remove { table, tenant: tenant.clone(), id: agent.to_string() });
        }
        LedgerChange::Registration(agent, Some(registration)) => {
            row.id = agent.to_string();
            row.agent_id = Some(agent.clone());
            row.state = "registered".to_owned();
            row.doc = json(registration);
            LedgerTable::Registrations
        }
        _ => return None,
    };
    Some(LedgerWrite::Put { table, row })
}

/// The agent's row, with nothing else changed than when it was seen.
fn seen(tenant: &TenantId, agent: &AgentId, (last_seen, seq): (Timestamp, Seq)) -> LedgerWrite {
    LedgerWrite::Merge {
        table: LedgerTable::Agents,
        tenant: tenant.clone(),
        id: agent.to_string(),
        doc: json(&serde_json::json!({ "last_seen": last_seen })),
        updated_seq: seq.0,
    }
}

/// One step of an action, and the action itself where an executor is to act.
fn put_step(batch: &mut Batch, (tenant, seq): (&TenantId, Seq), step: &Step) {
    batch.responses.push(response_row((tenant, seq), &step.response, step.response.requested_at));
    let Some(queued) = &step.queued else { return };
    let response = &step.response;
    batch.outbox.push(OutboxRow {
        id: response.id.to_string(),
        tenant: tenant.clone(),
        alert_id: response.alert_id.clone(),
        policy: response.policy.to_string(),
        action: response.action.to_string(),
        doc: json(&Errand { response: response.clone(), queued: queued.clone(), seq }),
        created_at: response.requested_at,
        due_at: response.requested_at,
        urgent: queued.urgent,
    });
}

/// What the outbox keeps of an action.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Errand {
    /// The receipt so far.
    pub(crate) response: Response,
    /// What is to be done.
    pub(crate) queued: Queued,
    /// The record that caused it.
    pub(crate) seq: Seq,
}

/// A step of a response.
pub(crate) fn response_row((tenant, seq): (&TenantId, Seq), response: &Response, at: Timestamp) -> ResponseRow {
    let state = serde_json::to_value(response.status).ok();
    ResponseRow {
        tenant: tenant.clone(),
        id: response.id.to_string(),
        alert_id: Some(response.alert_id.clone()),
        seq: seq.0,
        at: response.finished_at.unwrap_or(at),
        state: state.and_then(|s| s.as_str().map(str::to_owned)).unwrap_or_default(),
        open: matches!(response.status, ResponseStatus::Executing | ResponseStatus::PendingApproval),
        doc: json(response),
    }
}

/// Transitions, ledger rows, receipts and actions of one record.
pub(super) fn put_output(batch: &mut Batch, tenant: &TenantId, seq: Seq, output: &Output) {
    batch.transitions.extend(output.transitions.iter().map(|t| transition_row(tenant, t)));
    batch.ledger.extend(output.ledger.iter().filter_map(|change| ledger_write(tenant, change, seq)));
    for step in &output.steps {
        put_step(batch, (tenant, seq), step);
    }
}

/// What is kept of an event whose id came before with other content. It was redacted when it was decoded; size and hash
/// are those of the event as it is kept.
pub(super) fn conflict_letter(tenant: &TenantId, record: &Record) -> DeadLetterRow {
    let text = record.event().map(|event| event.to_json().to_string()).unwrap_or_default();
    let end = (0..=MAX_DEAD_LETTER_BYTES.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    DeadLetterRow {
        tenant: tenant.clone(),
        at: record.observed_at,
        key_id: record.sender.key.as_ref().map(ToString::to_string),
        reason_code: Code::IdConflict.as_str().into_owned(),
        pointer: "/id".to_owned(),
        message: "the same id came before with other content".to_owned(),
        size: text.len() as u64,
        sha256: *Thumbprint::of(text.as_bytes()).as_bytes(),
        body: text.get(..end).map(str::to_owned),
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
