//! `auth0_flag_user`: a note on the user at Auth0, where Actions of the tenant read it.

use std::sync::Arc;
use std::time::Duration;

use onesec_auth0::{ApiError, Clock, Management, UserFlag};
use onesec_enforcement::{Action, ActionSpec, Job, Outcome, Target, Working};
use onesec_telemetry::UserId;

use super::refresh_tokens::NO_CLIENT;
use super::{Clients, after, eventually, failed, misdirected};

/// Sets `app_metadata.onesec`, and reads it back. What it says is ours: no word of a stranger's gets there.
pub struct FlagUser {
    clients: Clients<Management>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for FlagUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlagUser").field("clients", &self.clients).finish_non_exhaustive()
    }
}

impl FlagUser {
    /// By these clients.
    #[must_use]
    pub fn new(clients: Clients<Management>, clock: Arc<dyn Clock>) -> Self {
        Self { clients, clock }
    }
}

impl Action for FlagUser {
    fn kind(&self) -> &'static str {
        "auth0_flag_user"
    }

    fn check(&self, _: &ActionSpec) -> Result<(), String> {
        if self.clients.is_empty() { Err(NO_CLIENT.to_owned()) } else { Ok(()) }
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let Target::User(user) = &job.target else { return misdirected() };
            match self.clients.of(&job.tenant) {
                Err(outcome) => outcome,
                Ok(management) => {
                    let set = self.set(management, user, job).await;
                    set.unwrap_or_else(|error| after(&error, job))
                }
            }
        })
    }

    fn undo<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let Target::User(user) = &job.target else { return misdirected() };
            match self.clients.of(&job.tenant) {
                Err(outcome) => outcome,
                Ok(management) => {
                    let removed = remove(management, user, job.alert.id.as_str()).await;
                    removed.unwrap_or_else(|error| failed(&error.to_string()))
                }
            }
        })
    }
}

impl FlagUser {
    async fn set(&self, management: &Management, user: &UserId, job: &Job) -> Result<Outcome, ApiError> {
        let wanted = UserFlag {
            flagged: true,
            reason: job.alert.detector.to_string(),
            // Of the request, not of the attempt: doing it again writes the same.
            at: job.requested_at.to_string(),
            alert: job.alert.id.to_string(),
        };
        management.set_flag(user, Some(&wanted)).await?;
        let seen = eventually(|| management.flag_of(user), |seen| seen.as_ref() == Some(&wanted)).await?;
        if seen.as_ref() != Some(&wanted) {
            return Ok(failed("the tenant says that the user is flagged, and the flag is not there"));
        }
        let how = "the user's `app_metadata.onesec` says so".to_owned();
        Ok(Outcome::Verified { how, undo_until: Some(self.clock.now() + UNDOABLE) })
    }
}

/// Takes our flag off, unless it stands for something else by now.
async fn remove(management: &Management, user: &UserId, alert: &str) -> Result<Outcome, ApiError> {
    match management.flag_of(user).await? {
        None => {}
        Some(flag) if flag.alert == alert => management.set_flag(user, None).await?,
        Some(flag) => return Ok(failed(&format!("by now the user is flagged for alert {}", shown(&flag.alert)))),
    }
    let seen = eventually(|| management.flag_of(user), Option::is_none).await?;
    Ok(match seen {
        None => Outcome::Verified { how: "the user's flag is gone".to_owned(), undo_until: None },
        Some(_) => failed("the tenant says that the flag is gone, and it is still there"),
    })
}

/// An id as we make them, or nothing of it: others may write there, too.
fn shown(alert: &str) -> &str {
    let plain = alert.len() <= 64 && alert.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if plain { alert } else { "?" }
}

/// As long as alerts are kept by default.
const UNDOABLE: Duration = Duration::from_secs(90 * 86_400);
