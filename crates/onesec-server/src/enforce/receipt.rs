//! From the end of an attempt to its receipt.

use onesec_enforcement::Outcome;
use onesec_journal::OutboxOutcome;
use onesec_telemetry::{Response, ResponseStatus, Text, Timestamp};

use super::Ended;

/// The receipt after an attempt, and what becomes of the action.
pub(super) fn of(mut response: Response, ended: &Ended, now: Timestamp) -> (Response, OutboxOutcome) {
    let text = |text: &str| Some(Text::redacted(text));
    let (status, outcome) = match ended {
        Ended::With(Outcome::Verified { how, undo_until }) => {
            (response.verification, response.undo_until) = (text(how), *undo_until);
            (ResponseStatus::Verified, OutboxOutcome::Done)
        }
        Ended::With(Outcome::Succeeded { how }) => {
            response.verification = text(how);
            (ResponseStatus::Succeeded, OutboxOutcome::Done)
        }
        Ended::With(Outcome::Unneeded { why }) => {
            response.reason = text(why);
            (ResponseStatus::Skipped, OutboxOutcome::Done)
        }
        Ended::With(Outcome::Waits { patience, why }) => {
            response.reason = text(why);
            (ResponseStatus::PendingApproval, OutboxOutcome::Retry(now + *patience))
        }
        Ended::With(Outcome::Retry { after, why }) => {
            response.reason = text(why);
            (ResponseStatus::Executing, OutboxOutcome::Retry(now + *after))
        }
        Ended::With(Outcome::Failed { why }) => {
            response.reason = text(why);
            (ResponseStatus::Failed, OutboxOutcome::Failed)
        }
        Ended::Again(at, why) => {
            response.reason = text(why);
            (ResponseStatus::Executing, OutboxOutcome::Retry(*at))
        }
        Ended::Unknown(why) => {
            response.reason = text(why);
            (ResponseStatus::Failed, OutboxOutcome::Unknown)
        }
    };
    response.status = status;
    let goes_on = matches!(status, ResponseStatus::Executing | ResponseStatus::PendingApproval);
    response.finished_at = (!goes_on).then_some(now);
    (response, outcome)
}
