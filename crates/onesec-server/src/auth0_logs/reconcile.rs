//! Connected accounts, compared with Auth0's every so often, and set right.

use std::time::Duration;

use onesec_telemetry::TenantId;
use tokio::sync::watch;

use super::{Accounts, Apply, StepError};

/// Until the server stops. Begins at once: what happened while it was down is not waited for.
pub(crate) async fn reconcile(
    accounts: Accounts,
    tenant: TenantId,
    every: Duration,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            done = whole(&accounts, &tenant) => match done {
                Ok((users, differed, applied)) => {
                    tracing::info!(%tenant, users, differed, applied, "connected accounts were compared with Auth0's");
                }
                Err(error) => tracing::warn!(%tenant, %error, "connected accounts cannot be compared with Auth0's"),
            },
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

/// Users, differences, and how many were set right.
async fn whole(accounts: &Accounts, tenant: &TenantId) -> Result<(usize, usize, usize), StepError> {
    let (mut users, mut differed, mut applied) = (0, 0, 0);
    let mut at: Option<String> = None;
    loop {
        let step = match accounts.step(tenant, at.as_deref(), Apply::All).await {
            // Whoever limits our rate is come back to.
            Err(StepError::Upstream(error)) if error.retry_after().is_some() => {
                tokio::time::sleep(error.retry_after().unwrap_or_default()).await;
                continue;
            }
            step => step?,
        };
        users += step.users;
        differed += step.drift.len();
        applied += step.applied;
        at = step.next;
        if at.is_none() {
            return Ok((users, differed, applied));
        }
    }
}
