//! Agents that do what they may: nobody must be in their way, in either mode.

use super::stage::{ALICE, Ask, BOB, CALENDAR, CHANNELS, GITHUB, GOOGLE, Proof, SLACK, STATUS, Stage};
use crate::cli::error::CliError;

/// An agent at work.
pub(super) struct Work {
    pub(super) ask: Ask,
    times: usize,
}

const CALENDAR_HELPER: Work = Work {
    ask: Ask { agent: "calendar-helper", user: ALICE, proof: Proof::Refresh, connection: GOOGLE, scope: CALENDAR },
    times: 3,
};
const CODE_REVIEWER: Work = Work {
    ask: Ask { agent: "code-reviewer", user: BOB, proof: Proof::Access, connection: GITHUB, scope: STATUS },
    times: 3,
};
const STANDUP_BOT: Work = Work {
    ask: Ask { agent: "standup-bot", user: ALICE, proof: Proof::Refresh, connection: SLACK, scope: CHANNELS },
    times: 2,
};

/// While nobody has taken anything back.
pub(super) const ALL: &[Work] = &[CALENDAR_HELPER, CODE_REVIEWER, STANDUP_BOT];
/// After alice has unlinked slack.
pub(super) const STILL_LENT: &[Work] = &[CALENDAR_HELPER, CODE_REVIEWER];

/// How it went for one agent.
pub(super) struct Report {
    pub(super) ask: Ask,
    /// Calls that got a token, and would have live.
    pub(super) passed: usize,
    pub(super) total: usize,
    /// The scopes of the last token.
    pub(super) scopes: String,
    /// How long the last token lives, in seconds.
    pub(super) expires_in: u64,
    /// Why the last one that was refused was, or would have been live.
    pub(super) refusal: Option<String>,
}

/// Calls of honest agents.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) total: usize,
}

impl Tally {
    pub(super) const fn add(&mut self, report: &Report) {
        self.passed += report.passed;
        self.total += report.total;
    }

    pub(super) const fn all_passed(self) -> bool {
        self.passed == self.total
    }
}

pub(super) async fn work(stage: &Stage, work: &[Work]) -> Result<Vec<Report>, CliError> {
    let mut reports = Vec::new();
    for Work { ask, times } in work {
        let mut report =
            Report { ask: *ask, passed: 0, total: *times, scopes: String::new(), expires_in: 0, refusal: None };
        for _ in 0..*times {
            let answer = stage.exchange(ask).await?;
            let would = stage.would(answer.text("exchange_id")).await?.unwrap_or_default();
            if answer.is_success() && would == "allow" {
                report.passed += 1;
                report.scopes = answer.text("scope").to_owned();
                report.expires_in =
                    answer.body.get("expires_in").and_then(serde_json::Value::as_u64).unwrap_or_default();
            } else {
                let (reason, why) = (answer.text("onesec_reason"), answer.text("error_description"));
                report.refusal = Some(if answer.is_success() {
                    format!("released, and live mode would say `{would}`")
                } else {
                    format!("{} {reason}: {why}", answer.status)
                });
            }
        }
        reports.push(report);
    }
    Ok(reports)
}
