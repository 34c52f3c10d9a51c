//! `confused-deputy`: the agent acts for somebody who did not ask it to.

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, GuardClass, Module, Record, Severity};
use onesec_telemetry::Kind;
use onesec_trackers::facts::{PartyFacts, TaskUser};

/// Fires where the verified user is another one than the request names, where the user's token says who alone may act
/// (`may_act`, RFC 8693, section 4.4) and this agent is not the one, and where the token was issued to a client that is
/// none of the agent's. Applies in dry run, too: these are rules of the protocol, not guesses.
///
/// Also fires where one task exchanges for two users. A task that somebody with authority began without naming a user
/// (`task_start` without `user_id`) is one of several users, and is left alone; one that was begun for a user is for this
/// user only, whoever works on it; of any other the first exchange of each agent says whom it is for.
///
/// **Blind spot**: a token that names nobody but its user, in the hands of an agent that the user trusts as well; a second
/// user under another task id, or none.
#[derive(Debug)]
pub struct ConfusedDeputy(Descriptor);

impl ConfusedDeputy {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03"],
            references: &["RFC 8693, section 4.4", "RFC 9700, section 4.8"],
            kinds: &[Kind::TokenExchange],
            stateless: true,
            guard: GuardClass::Closed,
            blind_spot: "a token that names nobody but its user, in the hands of an agent that the user trusts as well; a \
                         second user under another task id",
            mitigation: "Find out how the agent came by the token. Register the agent's own clients if they are missing.",
            ..Descriptor::new("confused-deputy", Module::TokenVault, "Agent acts for the wrong person")
        })
    }
}

impl Default for ConfusedDeputy {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for ConfusedDeputy {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some((aspect, reason)) = facts.parties.as_ref().and_then(mismatch) else {
            let swapped = facts.reach.as_ref().and_then(|reach| reach.other_user.as_ref());
            if let Some(task) = swapped.filter(|_| facts.exchange.as_ref().is_some_and(|exchange| exchange.counts)) {
                out.report(swap(record, task));
            }
            return;
        };
        let mut finding = Finding::about(record, Severity::Critical, reason).with("mismatch", aspect).aspect(aspect);
        finding.binding = true;
        out.report(finding);
    }
}

/// One task, two users. A suspicion of ours, however strong: no rule of the protocol forbids it.
fn swap(record: &Record, task: &TaskUser) -> Finding {
    let how = if task.stated { "was begun for" } else { "exchanged first for" };
    let reason = format!("the task {how} `{}`, and this is for somebody else", task.user);
    Finding::about(record, Severity::Critical, reason).with("mismatch", "task").aspect("task")
}

/// What does not fit, the gravest first.
fn mismatch(parties: &PartyFacts<'_>) -> Option<(&'static str, String)> {
    if let Some(claimed) = parties.claimed {
        return Some(("user", format!("the request is for `{claimed}`, and the token is another user's")));
    }
    if parties.may_not_act {
        return Some(("may-act", "the user's token says who may act with it, and it is not this agent".to_owned()));
    }
    let client = parties.client?;
    Some(("client", format!("the user's token was issued to `{client}`, which is none of the agent's clients")))
}
