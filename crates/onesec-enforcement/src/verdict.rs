//! One request, its findings, one verdict.

use std::time::Duration;

use onesec_telemetry::{Mode, Severity};
use serde::{Deserialize, Serialize};

use crate::preset::{Preset, never_waivable};

/// What becomes of a request; a later one is stronger. Closed: a new verdict must break whoever carries them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
pub enum Verdict {
    /// It passes.
    Allow,
    /// It waits for a person.
    Hold,
    /// Too many, try later.
    RateLimit {
        /// When a retry makes sense.
        retry_after: Duration,
    },
    /// What was issued is not released.
    Withhold,
    /// It is refused.
    Deny,
}

impl Verdict {
    /// The wire form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Hold => "hold",
            Self::RateLimit { .. } => "rate_limit",
            Self::Withhold => "withhold",
            Self::Deny => "deny",
        }
    }

    /// Whether the request goes on.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(self, Self::Allow)
    }
}

/// At which point of a request the question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before the act.
    Request,
    /// The upstream has issued a token, and it is still ours.
    Release,
}

/// What a verdict needs to know of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged<'a> {
    /// Code of the detector.
    pub detector: &'a str,
    /// How bad.
    pub severity: Severity,
    /// Rests on a person's decision.
    pub binding: bool,
    /// When a retry makes sense.
    pub retry_after: Option<Duration>,
    /// What a policy says, ahead of the preset.
    pub ruled: Option<Verdict>,
}

impl Judged<'_> {
    fn verdict(&self, preset: Preset) -> Verdict {
        match self.ruled {
            _ if self.binding => Verdict::Deny,
            None => preset.verdict(self),
            // What no person can wave through no policy can either.
            Some(ruled) if never_waivable(self.detector) => ruled.max(preset.verdict(self)),
            Some(ruled) => ruled,
        }
    }
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    /// What applies now.
    pub applies: Verdict,
    /// What live mode would say.
    pub would: Verdict,
    /// In which mode.
    pub mode: Mode,
    /// Index of the finding behind `would`, where it is not `Allow`.
    pub because: Option<usize>,
}

impl Decision {
    /// It passes, in any mode.
    pub const fn allow(mode: Mode) -> Self {
        Self { applies: Verdict::Allow, would: Verdict::Allow, mode, because: None }
    }
}

/// The strongest verdict of all findings; in dry run only a person's decisions apply.
pub fn decide(preset: Preset, mode: Mode, phase: Phase, findings: &[Judged<'_>]) -> Decision {
    let mut decision = Decision::allow(mode);
    for (index, finding) in findings.iter().enumerate() {
        let verdict = at_phase(finding.verdict(preset), phase);
        if verdict > decision.would {
            decision.would = verdict;
            decision.because = Some(index);
        }
        if finding.binding || mode == Mode::Live {
            decision.applies = decision.applies.max(verdict);
        }
    }
    decision
}

/// Once a token is issued it can only be kept back; a rate is no reason to.
const fn at_phase(verdict: Verdict, phase: Phase) -> Verdict {
    match (phase, verdict) {
        (Phase::Release, Verdict::RateLimit { .. }) => Verdict::Allow,
        (Phase::Release, Verdict::Deny | Verdict::Hold) => Verdict::Withhold,
        (_, verdict) => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn finding(detector: &str, severity: Severity) -> Judged<'_> {
        Judged { detector, severity, binding: false, retry_after: Some(Duration::from_secs(30)), ruled: None }
    }

    fn live(preset: Preset, detector: &str, severity: Severity) -> &'static str {
        decide(preset, Mode::Live, Phase::Request, &[finding(detector, severity)]).applies.as_str()
    }

    /// The table of verdicts, column by column: observe, balanced, strict, vps-agent.
    #[test]
    fn verdicts_follow_the_table() {
        let rows = [
            ("revoked-access", Severity::Critical, ["allow", "deny", "deny", "deny"]),
            ("revoked-access", Severity::High, ["allow", "deny", "deny", "deny"]),
            ("confused-deputy", Severity::Critical, ["allow", "deny", "deny", "deny"]),
            ("unauthorized-agent", Severity::High, ["allow", "deny", "deny", "deny"]),
            ("unlinked-exchange", Severity::High, ["allow", "deny", "deny", "deny"]),
            ("canary", Severity::Critical, ["allow", "deny", "deny", "deny"]),
            ("delegation-chain", Severity::High, ["allow", "deny", "deny", "deny"]),
            ("delegation-chain", Severity::Medium, ["allow", "allow", "allow", "allow"]),
            ("scope-escalation", Severity::High, ["allow", "deny", "deny", "deny"]),
            ("scope-escalation", Severity::Critical, ["allow", "deny", "deny", "deny"]),
            ("exchange-rate", Severity::High, ["allow", "rate_limit", "rate_limit", "rate_limit"]),
            ("refresh-storm", Severity::Low, ["allow", "allow", "rate_limit", "allow"]),
            ("over-scoped-token", Severity::Medium, ["allow", "allow", "withhold", "allow"]),
            ("over-scoped-token", Severity::High, ["allow", "allow", "withhold", "allow"]),
            ("consent-phishing", Severity::High, ["allow", "allow", "hold", "allow"]),
            ("goal-hijack", Severity::Critical, ["allow", "hold", "deny", "deny"]),
            ("somebody-elses", Severity::Medium, ["allow", "allow", "allow", "allow"]),
            ("somebody-elses", Severity::Critical, ["allow", "hold", "deny", "deny"]),
        ];
        for (detector, severity, want) in rows {
            let got = Preset::ALL.map(|preset| live(preset, detector, severity));
            assert_eq!(got, want, "{detector} {severity:?}");
        }
    }

    #[test]
    fn dry_run_says_what_it_would_do_and_does_not() {
        let finding = finding("unauthorized-agent", Severity::Critical);
        let decision = decide(Preset::Balanced, Mode::DryRun, Phase::Request, &[finding]);
        assert_eq!((decision.applies, decision.would, decision.because), (Verdict::Allow, Verdict::Deny, Some(0)));
    }

    #[test]
    fn a_persons_decision_holds_in_every_mode_and_preset() {
        let suspended = Judged { binding: true, ..finding("unauthorized-agent", Severity::Critical) };
        for preset in Preset::ALL {
            for mode in [Mode::DryRun, Mode::Live] {
                let decision = decide(preset, mode, Phase::Request, &[suspended]);
                assert_eq!(decision.applies, Verdict::Deny, "{preset:?} {mode:?}");
            }
        }
    }

    #[test]
    fn the_strongest_verdict_counts_whatever_the_order() {
        let rate = finding("exchange-rate", Severity::High);
        let scope = finding("scope-escalation", Severity::High);
        for findings in [[rate, scope], [scope, rate]] {
            let decision = decide(Preset::Balanced, Mode::Live, Phase::Request, &findings);
            assert_eq!(decision.applies, Verdict::Deny);
        }
    }

    #[test]
    fn an_issued_token_is_withheld_not_denied_and_never_for_a_rate() {
        let decision =
            |d| decide(Preset::Balanced, Mode::Live, Phase::Release, &[finding(d, Severity::Critical)]).applies;
        assert_eq!(decision("revoked-access"), Verdict::Withhold);
        assert_eq!(decision("exchange-rate"), Verdict::Allow);
    }
}
