//! `unauthorized-agent`: nobody let this agent act on that account.

use std::borrow::Cow;

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, GuardClass, Module, Record, Severity};
use onesec_telemetry::{Channel, Subject};
use onesec_trackers::facts::{AccessFacts, AccountState, Ending, Standing};

/// Fires on an exchange or use of an account by an agent without a live delegation, for another account than the one
/// delegated or for none of several, at a connection that the agent is not registered for, and for whatever a suspended
/// agent tries. An exchange that names no user is judged against all users' delegations to that agent on that connection.
///
/// Suspension and registration are a person's decisions and apply in dry run, too. So does the rule that a worker, who
/// shows no token of the user, needs a delegation.
///
/// **Blind spot**: an agent that acts with another agent's credential is that agent to everybody.
#[derive(Debug)]
pub struct UnauthorizedAgent(Descriptor);

impl UnauthorizedAgent {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03", "ASI10"],
            references: &["RFC 8693, section 1.1"],
            stateless: true,
            guard: GuardClass::Closed,
            blind_spot: "an agent that acts with another agent's credential",
            mitigation: "If the agent is known, let the user delegate to it; otherwise suspend it and find out who runs it.",
            ..Descriptor::new("unauthorized-agent", Module::TokenVault, "Agent without delegation")
        })
    }
}

impl Default for UnauthorizedAgent {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for UnauthorizedAgent {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        // Auth0's log may leave open which agent it was: no agent is no unauthorised one.
        if record.sender.channel == Channel::Auth0 && record.agent().is_none() {
            return;
        }
        let suspended = facts.agent.as_ref().is_some_and(|agent| agent.suspended.is_some());
        let asks = matches!(record.sender.channel, Channel::Gateway | Channel::Decide);
        let unreachable = facts.access.is_some() && is_unreachable(record, facts);
        let judged = match &facts.access {
            access if suspended && (asks || access.is_some()) => Some(SUSPENDED),
            _ if unreachable => Some(UNREACHABLE),
            access => access.as_ref().and_then(verdict),
        };
        let Some((severity, why, detail)) = judged else {
            return;
        };
        let other_account = facts.access.as_ref().and_then(|access| access.other_account.as_ref());
        let mut finding = Finding::about(record, severity, why).with("standing", detail);
        if let Some(agent) = &facts.agent {
            if let Some(known) = agent.confusable_with {
                finding = finding.with("confusable_with", known);
            }
            finding.binding = agent.suspended.is_some() || unreachable || matches!(record.subject, Subject::Vouched(_));
        }
        if let Some(account) = other_account {
            finding = finding.with("account", account.as_str());
        }
        out.report(finding);
    }
}

type Verdict = (Severity, Cow<'static, str>, &'static str);

const SUSPENDED: Verdict = (Severity::Critical, Cow::Borrowed("the agent is suspended"), "suspended");
const UNREACHABLE: Verdict =
    (Severity::Critical, Cow::Borrowed("the agent is not registered for this connection"), "not-registered");

/// Whether somebody said which connections the agent may reach, and this is none of them.
fn is_unreachable(record: &Record, facts: &Facts<'_>) -> bool {
    let registration = facts.agent.as_ref().and_then(|agent| agent.registration);
    registration.zip(record.connection()).is_some_and(|(known, connection)| !known.may_reach(connection.as_str()))
}

fn verdict(access: &AccessFacts<'_>) -> Option<Verdict> {
    let critical = |why: &str, detail| Some((Severity::Critical, Cow::Owned(why.to_owned()), detail));
    if let Some(delegated) = access.any_user_delegated {
        let why = "no user is named, and no user delegated this connection to the agent";
        return (!delegated).then_some((Severity::High, Cow::Borrowed(why), "never"));
    }
    match (&access.standing, access.account) {
        (Standing::Authorised { .. } | Standing::Dormant { .. }, _) if access.other_account.is_some() => {
            critical("the delegation is for another account of the user", "other-account")
        }
        (Standing::Authorised { .. } | Standing::Dormant { .. }, _) if access.account_unstated => critical(
            "the delegation is for one of several accounts of the user, and the request does not say for which",
            "account-unstated",
        ),
        (Standing::Authorised { .. }, _) => None,
        // Delegated, and no link was ever seen: many deployments report none. `unlinked-exchange` judges those whose
        // ledger is complete.
        (Standing::Dormant { .. }, AccountState::NeverLinked) => None,
        // Unlinked since, or taken back: `revoked-access`.
        (Standing::Dormant { .. }, AccountState::Unlinked { .. })
        | (Standing::Ended { how: Ending::Revoked | Ending::ParentEnded | Ending::Unlinked, .. }, _) => None,
        (Standing::Dormant { .. }, _) => critical("delegated, and the account is not linked", "dormant"),
        (Standing::Ended { how: Ending::Expired, at, .. }, _) => {
            critical(&format!("the delegation expired at {at}"), "expired")
        }
        (Standing::Never, _) => critical("no user delegated this account to the agent", "never"),
        _ => critical("the agent's right is unknown", "unknown"),
    }
}
