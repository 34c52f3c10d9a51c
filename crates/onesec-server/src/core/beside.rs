//! What is written beside records: receipts of actions, and how far something has got.

use onesec_journal::{LedgerWrite, Outbox, OutboxUpdate, ResponseRow};
use onesec_telemetry::TenantId;
use tokio::sync::{oneshot, watch};

use super::commit::{Held, Pending};
use super::{Core, CoreError};

impl Core {
    /// Writes what an executor reports: the receipt and how far the action got, both or neither.
    ///
    /// # Errors
    /// [`CoreError`]; nothing of it is written then.
    pub(crate) async fn receipt(&self, receipt: ResponseRow, update: Option<OutboxUpdate>) -> Result<(), CoreError> {
        let shard = *self.0.shard_of.get(&receipt.tenant).ok_or(CoreError::UnknownTenant)?;
        let (reply, answer) = oneshot::channel();
        let mut pending = Pending::default();
        pending.batch.responses.push(receipt);
        pending.batch.outbox_updates.extend(update);
        pending.answers.push(Held::Receipt(reply));
        self.0.port.give(shard, pending);
        answer.await.unwrap_or(Err(CoreError::Stopping))
    }

    /// Writes rows that no record changes: how far something has got. Durable when it returns.
    ///
    /// # Errors
    /// [`CoreError`]; nothing of it is written then.
    pub(crate) async fn keep(&self, tenant: &TenantId, rows: Vec<LedgerWrite>) -> Result<(), CoreError> {
        let shard = *self.0.shard_of.get(tenant).ok_or(CoreError::UnknownTenant)?;
        let (reply, answer) = oneshot::channel();
        let mut pending = Pending::default();
        pending.batch.ledger.extend(rows);
        pending.answers.push(Held::Receipt(reply));
        self.0.port.give(shard, pending);
        answer.await.unwrap_or(Err(CoreError::Stopping))
    }

    /// The way to what is to be done; there is one.
    pub(crate) fn take_outbox(&self) -> Option<Outbox> {
        self.0.outbox.lock().take()
    }

    /// Changes whenever actions have become durable.
    pub(crate) fn errands(&self) -> watch::Receiver<()> {
        self.0.published.errands.subscribe()
    }
}
