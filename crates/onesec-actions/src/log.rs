//! `log`: a line in the server's log.

use onesec_enforcement::{Action, Job, Outcome, Working};

/// Writes the alert into the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Log;

impl Action for Log {
    fn kind(&self) -> &'static str {
        "log"
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let alert = &job.alert;
            tracing::warn!(
                tenant = %job.tenant, policy = %job.policy, alert = %alert.id, detector = %alert.detector,
                severity = %alert.severity.as_str(), agent = alert.agent_id.as_ref().map(tracing::field::display),
                user = alert.user_id.as_ref().map(tracing::field::display),
                "{}", alert.title
            );
            Outcome::Succeeded { how: "written to the log".to_owned() }
        })
    }
}
