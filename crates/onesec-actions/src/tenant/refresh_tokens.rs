//! `revoke_refresh_tokens`: at Auth0, those of the alert's user, of every client or of one.

use std::collections::BTreeSet;

use onesec_auth0::{ApiError, Management, RefreshTokenInfo};
use onesec_enforcement::{Action, ActionSpec, Job, Outcome, Target, Working};
use onesec_telemetry::UserId;

use super::{Clients, after, eventually, failed, misdirected};

/// Revokes, then lists: only tokens that are no longer there were revoked. Access tokens live until they expire; Auth0
/// has no way to end them.
#[derive(Debug)]
pub struct RevokeRefreshTokens(Clients<Management>);

impl RevokeRefreshTokens {
    /// By these clients.
    #[must_use]
    pub const fn new(clients: Clients<Management>) -> Self {
        Self(clients)
    }
}

impl Action for RevokeRefreshTokens {
    fn kind(&self) -> &'static str {
        "revoke_refresh_tokens"
    }

    fn check(&self, _: &ActionSpec) -> Result<(), String> {
        if self.0.is_empty() { Err(NO_CLIENT.to_owned()) } else { Ok(()) }
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let (Target::User(user), ActionSpec::RevokeRefreshTokens { client }) = (&job.target, &job.spec) else {
                return misdirected();
            };
            match self.0.of(&job.tenant) {
                Err(outcome) => outcome,
                Ok(management) => {
                    let revoked = revoke(management, (user, client.as_deref()), job).await;
                    revoked.unwrap_or_else(|error| after(&error, job))
                }
            }
        })
    }
}

async fn revoke(
    management: &Management,
    (user, client): (&UserId, Option<&str>),
    job: &Job,
) -> Result<Outcome, ApiError> {
    let meant = |token: &RefreshTokenInfo| client.is_none_or(|client| token.client_id.as_deref() == Some(client));
    let mut before = management.refresh_tokens(user).await?;
    before.retain(meant);
    if before.is_empty() {
        // A crash came between an attempt and its receipt, or a failure in the middle of one: what it wanted is so.
        let how = "the user has no such refresh token".to_owned();
        return Ok(if job.attempt > 1 {
            Outcome::Verified { how, undo_until: None }
        } else {
            Outcome::Unneeded { why: how }
        });
    }
    match client {
        None => management.revoke_all_refresh_tokens(user).await?,
        Some(_) => {
            for token in &before {
                management.revoke_refresh_token(token).await?;
            }
        }
    }
    // One that was issued since is another login, and not what was to be ended.
    let ids: BTreeSet<&str> = before.iter().map(|token| token.id.as_str()).collect();
    let left = |tokens: &Vec<RefreshTokenInfo>| tokens.iter().filter(|token| ids.contains(token.id.as_str())).count();
    let seen = eventually(|| management.refresh_tokens(user), |seen| left(seen) == 0).await?;
    Ok(match left(&seen) {
        0 => Outcome::Verified {
            how: format!("{} revoked, none of them is listed any more", ids.len()),
            undo_until: None,
        },
        left => failed(&format!("the tenant says that they are revoked, and {left} of {} are still there", ids.len())),
    })
}

pub(super) const NO_CLIENT: &str = "needs a client of the tenant's Management API: set `enforcement.auth0.client_id` \
    and `enforcement.auth0.client_secret`";
