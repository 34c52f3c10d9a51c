//! `revoke_connected_account`: removed from Token Vault with the user's own token, for there is no other way.

use std::sync::Arc;
use std::time::Duration;

use onesec_auth0::{ApiError, Clock, ConnectedAccount, MyAccount};
use onesec_enforcement::{Action, ActionSpec, Job, Outcome, Target, Working};
use onesec_telemetry::{ConnectionName, Secret, UserId};

use super::{Clients, after, eventually, failed, misdirected};

/// Waits for the user's token for the My Account API: Auth0 gives an administrator no call that removes a connected
/// account, and no token of a user is kept here. The user's application hands one in while it lasts.
pub struct RevokeConnectedAccount {
    clients: Clients<MyAccount>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for RevokeConnectedAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevokeConnectedAccount").field("clients", &self.clients).finish_non_exhaustive()
    }
}

impl RevokeConnectedAccount {
    /// How long a token is waited for.
    pub const PATIENCE: Duration = Duration::from_secs(86_400);

    /// By these clients.
    #[must_use]
    pub fn new(clients: Clients<MyAccount>, clock: Arc<dyn Clock>) -> Self {
        Self { clients, clock }
    }
}

impl Action for RevokeConnectedAccount {
    fn kind(&self) -> &'static str {
        "revoke_connected_account"
    }

    fn check(&self, _: &ActionSpec) -> Result<(), String> {
        let why = "needs `token_vault.auth0_domain`: it is the My Account API of that tenant that removes accounts";
        if self.clients.is_empty() { Err(why.to_owned()) } else { Ok(()) }
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            if let Err(outcome) = self.clients.of(&job.tenant) {
                return outcome;
            }
            let (until, now) = (job.requested_at + Self::PATIENCE, self.clock.now());
            if until <= now {
                return failed("nobody handed in the user's My Account token within a day");
            }
            let why = format!(
                "waits until {until} for the user's own My Account token: POST /api/v1/responses/{}/complete",
                job.id
            );
            Outcome::Waits { patience: until.since(now), why }
        })
    }

    fn complete<'a>(&'a self, job: &'a Job, handed_in: &'a Secret) -> Working<'a> {
        Box::pin(async move {
            let Target::Account { user, connection } = &job.target else { return misdirected() };
            match self.clients.of(&job.tenant) {
                Err(outcome) => outcome,
                Ok(my_account) => {
                    let removed = remove((my_account, handed_in), user, connection).await;
                    removed.unwrap_or_else(|error| after(&error, job))
                }
            }
        })
    }
}

async fn remove(
    (my_account, token): (&MyAccount, &Secret),
    user: &UserId,
    connection: &ConnectionName,
) -> Result<Outcome, ApiError> {
    my_account.proves(token, user).await?;
    let accounts = my_account.accounts(token, connection).await?;
    if accounts.is_empty() {
        let how = "the user has no account at this connection any more".to_owned();
        return Ok(Outcome::Verified { how, undo_until: None });
    }
    for account in &accounts {
        my_account.remove(token, account).await?;
    }
    let gone = |seen: &Vec<ConnectedAccount>| !seen.iter().any(|account| accounts.contains(account));
    let seen = eventually(|| my_account.accounts(token, connection), gone).await?;
    Ok(if gone(&seen) {
        let how = format!("{} removed from Token Vault; what the provider issued lives on there", accounts.len());
        Outcome::Verified { how, undo_until: None }
    } else {
        failed("the tenant says that the account is removed, and it is still listed")
    })
}
