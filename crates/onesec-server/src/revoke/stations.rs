//! The steps beyond ourselves: the tenant at Auth0, and the providers. Each group goes its own way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use onesec_actions::{
    Answered, AtProvider, Held, HeldTokens, WhoseTokens, end_sessions_and_tokens, revoke_tokens_of, withdraw_grants,
};
use onesec_auth0::Management;
use onesec_telemetry::{ConnectionName, TenantId, Thumbprint, Timestamp};

use super::remaining::GivenOut;
use super::report::{Part, Revocation};

/// Steps that were taken, and what came of them.
pub(super) type Taken = Vec<(Part, Option<ConnectionName>, Answered)>;

/// What of `revocation` is due at the tenant. `clients`: those whose refresh tokens are meant; all where absent.
pub(super) async fn at_tenant(
    management: Option<&Arc<Management>>,
    (revocation, clients): (&Revocation, Option<&[String]>),
    now: Timestamp,
) -> Taken {
    let due = |part: Part| {
        let step = revocation.steps.iter().find(|step| step.step.as_str() == part.as_str());
        step.is_some_and(|step| step.is_due(now))
    };
    let wanted: Vec<Part> =
        [Part::RefreshTokens, Part::Sessions, Part::Grants].into_iter().filter(|part| due(*part)).collect();
    let all = |answer: &Answered| wanted.iter().map(|part| (*part, None, answer.clone())).collect();
    let Some(user) = &revocation.target.user_id else {
        return all(&Answered::NotPossible("no user is named".to_owned()));
    };
    let Some(management) = management else { return all(&Answered::NotPossible(NO_CLIENT.to_owned())) };
    let mut taken = Taken::new();
    let mut both = [due(Part::RefreshTokens), due(Part::Sessions)];
    if let (true, Some(clients)) = (both[0], clients) {
        both[0] = false;
        let answer = if clients.is_empty() {
            Answered::NotPossible("the agent has no client of its own at Auth0: register it with `clients`".to_owned())
        } else {
            revoke_tokens_of(management, user, clients).await
        };
        taken.push((Part::RefreshTokens, None, answer));
    }
    let parts = [Part::RefreshTokens, Part::Sessions];
    let answers = end_sessions_and_tokens(management, user, both).await;
    taken.extend(parts.into_iter().zip(answers).filter_map(|(part, answer)| Some((part, None, answer?))));
    if due(Part::Grants) {
        taken.push((Part::Grants, None, withdraw_grants(management, user).await));
    }
    taken
}

/// Who can be asked to end which tokens.
pub(super) struct Providers {
    pub(super) of: BTreeMap<(TenantId, ConnectionName), AtProvider>,
    pub(super) held: Arc<HeldTokens>,
}

impl Providers {
    /// What of `revocation` is due at the providers, and the tokens that ended.
    pub(super) async fn end(
        &self,
        tenant: &TenantId,
        (revocation, given_out): (&Revocation, &[GivenOut]),
        now: Timestamp,
    ) -> (Taken, Vec<Thumbprint>) {
        let (mut taken, mut ended) = (Taken::new(), Vec::new());
        let due = revocation.steps.iter().filter(|step| step.step.as_str() == Part::Provider.as_str());
        for connection in due.filter(|step| step.is_due(now)).filter_map(|step| step.connection.as_ref()) {
            let (answer, more) = self.end_at(tenant, (revocation, connection), (given_out, now)).await;
            taken.push((Part::Provider, Some(connection.clone()), answer));
            ended.extend(more);
        }
        (taken, ended)
    }

    async fn end_at(
        &self,
        tenant: &TenantId,
        (revocation, connection): (&Revocation, &ConnectionName),
        (given_out, now): (&[GivenOut], Timestamp),
    ) -> (Answered, Vec<Thumbprint>) {
        let held = self.held(tenant, (revocation, connection), now);
        let there: BTreeSet<Thumbprint> = held.iter().map(|held| held.token.thumbprint()).collect();
        // Good still, as far as we know, and not at hand: given out before a restart, or pushed out by others.
        let gone = given_out.iter().filter(|given| given.connection == *connection);
        let gone = gone.filter(|given| given.token.is_none_or(|token| !is_known(&there, &revocation.ended, token)));
        let lost: BTreeSet<Option<Thumbprint>> = gone.map(|given| given.token).collect();
        let Some(provider) = self.of.get(&(tenant.clone(), connection.clone())) else {
            return (without_provider(lost.len()), Vec::new());
        };
        let (mut answers, mut ended, mut asked) = (Vec::new(), Vec::new(), BTreeSet::new());
        for held in held.iter().filter(|held| asked.insert(held.token.thumbprint())) {
            let answer = provider.revoke(&held.token).await;
            if matches!(answer, Answered::Confirmed(_) | Answered::Unneeded(_)) {
                ended.push(held.token.thumbprint());
                self.held.let_go(held.token.thumbprint());
            }
            answers.push(answer);
        }
        (summed(&answers, lost.len()), ended)
    }

    fn held(
        &self,
        tenant: &TenantId,
        (revocation, connection): (&Revocation, &ConnectionName),
        now: Timestamp,
    ) -> Vec<Held> {
        let target = &revocation.target;
        let (user, agent) = (target.user_id.as_ref(), target.agent_id.as_ref());
        self.held.of(&WhoseTokens { tenant, user, connection: Some(connection), agent }, now)
    }

    /// The connections at which the target has tokens that are held.
    pub(super) fn connections(
        &self,
        tenant: &TenantId,
        revocation: &Revocation,
        now: Timestamp,
    ) -> Vec<ConnectionName> {
        let target = &revocation.target;
        let (user, connection, agent) = (target.user_id.as_ref(), target.connection.as_ref(), target.agent_id.as_ref());
        let held = self.held.of(&WhoseTokens { tenant, user, connection, agent }, now);
        held.into_iter().map(|held| held.connection).collect()
    }
}

fn is_known(there: &BTreeSet<Thumbprint>, ended: &[Thumbprint], token: Thumbprint) -> bool {
    there.contains(&token) || ended.contains(&token)
}

fn without_provider(lost: usize) -> Answered {
    if lost == 0 {
        return Answered::Unneeded("no token that came through here is still good".to_owned());
    }
    let why = "`token_vault.revoke_at_provider` names no way for this connection, so no token is at hand";
    Answered::NotPossible(format!("{why}; still good: {lost}"))
}

/// The worst answer counts, and how many of which kind there were.
fn summed(answers: &[Answered], lost: usize) -> Answered {
    if answers.is_empty() {
        return match lost {
            0 => Answered::Unneeded("no token that came through here is still good".to_owned()),
            lost => Answered::NotPossible(format!("token not at hand, since a restart or for want of room: {lost}")),
        };
    }
    let count = |state: &str| answers.iter().filter(|answer| answer.state() == state).count();
    let worst = ["failed", "refused", "not_possible", "accepted", "confirmed", "unneeded"];
    let worst = worst.iter().find_map(|state| answers.iter().find(|answer| answer.state() == *state));
    let Some(worst) = worst else { return Answered::Unneeded(String::new()) };
    let mut said = format!("{} of {}: {}", count(worst.state()), answers.len(), worst.detail());
    if lost > 0 {
        said.push_str(&format!("; not at hand any more: {lost}"));
    }
    match worst {
        Answered::Confirmed(_) if lost > 0 => Answered::Accepted(said),
        Answered::Confirmed(_) => Answered::Confirmed(said),
        Answered::Accepted(_) => Answered::Accepted(said),
        Answered::Unneeded(_) => Answered::Unneeded(said),
        Answered::Refused(_) => Answered::Refused(said),
        Answered::NotPossible(_) => Answered::NotPossible(said),
        Answered::Failed { after, .. } => Answered::Failed { why: said, after: *after },
    }
}

const NO_CLIENT: &str = "there is no client of the tenant's Management API: set `enforcement.auth0.client_id` and \
    `enforcement.auth0.client_secret`";
