//! Actions that wait for something that only somebody else has, such as a user's own token, and are carried out with it.

use std::sync::Arc;

use onesec_enforcement::Outcome;
use onesec_journal::{OutboxState, OutboxTask};
use onesec_telemetry::{Name, Response, ResponseStatus, Secret};

use super::{Ended, Executors, errand};
use crate::core::CoreError;

/// Why an action was not carried out with what was handed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotCompleted {
    /// It waits for nothing, or not any more.
    #[error("it does not wait for anything that can be handed in")]
    Over,
    /// Somebody else is at it.
    #[error("it is being carried out already")]
    UnderWay,
    /// It did not work; it still waits.
    #[error("{0}")]
    Failed(String),
    /// The journal cannot be used.
    #[error(transparent)]
    Core(#[from] CoreError),
}

impl Executors {
    /// Carries out what waits, with what was handed in: used now, and kept nowhere. Goes on to its receipt also where
    /// whoever asked hangs up.
    ///
    /// # Errors
    /// [`NotCompleted`]; where it only failed, it waits as before.
    pub(crate) async fn complete(
        self: Arc<Self>,
        (task, response): (OutboxTask, Response),
        (handed_in, by): (Secret, Option<Name>),
    ) -> Result<Response, NotCompleted> {
        if response.status != ResponseStatus::PendingApproval || task.state != OutboxState::Pending {
            return Err(NotCompleted::Over);
        }
        let work = async move { self.completed((task, response), (handed_in, by)).await };
        tokio::spawn(work).await.unwrap_or(Err(NotCompleted::Core(CoreError::Stopping)))
    }

    async fn completed(
        &self,
        (task, response): (OutboxTask, Response),
        (handed_in, by): (Secret, Option<Name>),
    ) -> Result<Response, NotCompleted> {
        let mut errand = errand(&task).ok_or(NotCompleted::Over)?;
        // As it stands now: a person may have said yes to it since it was planned.
        errand.response = response;
        let (action, job) = match self.prepared(&task, &errand) {
            Ok(prepared) => prepared,
            Err(Ended::With(Outcome::Unneeded { why } | Outcome::Failed { why })) => {
                return Err(NotCompleted::Failed(why));
            }
            Err(_) => return Err(NotCompleted::Over),
        };
        if !self.claim(&task.row.id).await? {
            return Err(NotCompleted::UnderWay);
        }
        let (ended, failed) = match action.complete(&job, &handed_in).await {
            Outcome::Verified { how, undo_until } => {
                let by = by.map(|by| format!("; handed in by {by}")).unwrap_or_default();
                (Outcome::Verified { how: format!("{how}{by}"), undo_until }, None)
            }
            done @ (Outcome::Succeeded { .. } | Outcome::Unneeded { .. }) => (done, None),
            Outcome::Failed { why } | Outcome::Retry { why, .. } | Outcome::Waits { why, .. } => {
                let patience = task.row.due_at.since(self.core.now());
                (Outcome::Waits { patience, why: format!("waits still, since {why}") }, Some(why))
            }
        };
        let receipt = self.note(&task, errand, Ended::With(ended)).await;
        failed.map_or(Ok(receipt), |why| Err(NotCompleted::Failed(why)))
    }

    async fn claim(&self, id: &str) -> Result<bool, NotCompleted> {
        let (hand, id, now) = (self.hand.clone(), id.to_owned(), self.core.now());
        let claim = move || hand.lock().as_mut().map(|outbox| outbox.claim(&id, now));
        match tokio::task::spawn_blocking(claim).await {
            Ok(Some(Ok(claimed))) => Ok(claimed),
            Ok(Some(Err(_))) => Err(NotCompleted::Core(CoreError::Journal)),
            Ok(None) | Err(_) => Err(NotCompleted::Core(CoreError::Stopping)),
        }
    }
}
