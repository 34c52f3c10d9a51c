//! What is done at Auth0, and what the three actions there have in common: a client for each of our tenants, patience
//! with theirs, and a look at what came of it.

mod connected_account;
mod flag_user;
mod refresh_tokens;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use onesec_auth0::ApiError;
use onesec_enforcement::{Job, Outcome};
use onesec_telemetry::TenantId;

pub use connected_account::RevokeConnectedAccount;
pub use flag_user::FlagUser;
pub use refresh_tokens::RevokeRefreshTokens;

/// A client at Auth0 for each tenant of ours that has one: a user of one is nobody in another.
#[derive(Debug)]
pub struct Clients<C>(BTreeMap<TenantId, Arc<C>>);

impl<C> Clients<C> {
    /// These.
    #[must_use]
    pub fn new(clients: impl IntoIterator<Item = (TenantId, Arc<C>)>) -> Self {
        Self(clients.into_iter().collect())
    }

    /// The client of a tenant, where it has one.
    #[must_use]
    pub fn get(&self, tenant: &TenantId) -> Option<&Arc<C>> {
        self.0.get(tenant)
    }

    fn of(&self, tenant: &TenantId) -> Result<&C, Outcome> {
        let client = self.0.get(tenant).map(AsRef::as_ref);
        client.ok_or_else(|| failed(&format!("no client at Auth0 is configured for tenant `{tenant}`")))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<C> Clone for Clients<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// What a call that gave nothing means for the job: an outage passes, a refusal does not.
fn after(error: &ApiError, job: &Job) -> Outcome {
    let why = error.to_string();
    if !error.is_outage() {
        return failed(&why);
    }
    if job.attempt >= MOST_ATTEMPTS {
        return failed(&format!("{why}; given up after {} attempts", job.attempt));
    }
    let doubled = FIRST_PAUSE.saturating_mul(1 << (job.attempt.saturating_sub(1)).min(16));
    let pause = doubled.min(LONGEST_PAUSE).max(error.retry_after().unwrap_or_default().min(MOST_PATIENCE));
    Outcome::Retry { after: pause, why }
}

fn failed(why: &str) -> Outcome {
    Outcome::Failed { why: why.to_owned() }
}

fn misdirected() -> Outcome {
    failed("the action has another kind of target")
}

/// Looks a few times whether something is so: what a tenant has done may take a moment to be seen everywhere.
pub(crate) async fn eventually<T, F>(mut look: impl FnMut() -> F, is_so: impl Fn(&T) -> bool) -> Result<T, ApiError>
where
    F: Future<Output = Result<T, ApiError>>,
{
    let mut seen = look().await?;
    for _ in 1..LOOKS {
        if is_so(&seen) {
            break;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
        seen = look().await?;
    }
    Ok(seen)
}

/// About a quarter of an hour of an outage.
const MOST_ATTEMPTS: u64 = 10;
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// The longest that a tenant may ask us to stay away.
const MOST_PATIENCE: Duration = Duration::from_secs(3_600);
const LOOKS: u32 = 4;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
