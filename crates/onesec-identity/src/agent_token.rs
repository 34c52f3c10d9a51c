//! Agent tokens: the access token by which a machine says who it is, such as Auth0's machine-to-machine tokens.

use std::time::Duration;

use onesec_telemetry::{AppId, Name, ScopeSet, Timestamp};

use crate::actor::Actor;
use crate::issued::{Accepted, Issued, TokenId};
use crate::keys::KeySet;
use crate::possession::{Binding, Presented};
use crate::refused::TokenRefused;

/// `sub_profile` of those that are no person.
const MACHINE_PROFILES: [&str; 2] = ["ai_agent", "service"];

/// What an access token must be for a machine to authenticate itself with it.
#[derive(Debug, Clone)]
pub struct AgentTokenPolicy(Accepted);

impl AgentTokenPolicy {
    /// `issuer` exactly as `iss` has it (Auth0: with a trailing slash), and our own names among the APIs of that
    /// issuer. No audience at all accepts nothing. Clocks may differ by 30 seconds.
    #[must_use]
    pub fn new(issuer: &str, audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(Accepted::new(issuer, audiences))
    }

    /// How far clocks may differ, at most five minutes.
    #[must_use]
    pub fn with_leeway(self, leeway: Duration) -> Self {
        Self(self.0.with_leeway(leeway))
    }

    /// The expected issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }
}

/// Proof that an issuer gave a machine an access token for us. Only [`verify_agent_token`] makes one.
///
/// Where the token names actors, the machine is the outermost one, and [`VerifiedAgentToken::subject`] is whom it acts
/// for: a person, perhaps. Else the machine is the subject. Without [`VerifiedAgentToken::bound_to`] it is whoever
/// holds the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedAgentToken {
    issuer: String,
    client: AppId,
    subject: Name,
    actor: Option<Actor>,
    scopes: ScopeSet,
    token_id: TokenId,
    bound_to: Option<Binding>,
    expires_at: Timestamp,
}

impl VerifiedAgentToken {
    /// Who issued the token.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The application that got the token: `client_id`, else `azp`.
    #[must_use]
    pub const fn client(&self) -> &AppId {
        &self.client
    }

    /// `sub`: the machine, or whom it acts for.
    #[must_use]
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// The outermost `act`: who acts now (RFC 8693, section 4.1).
    #[must_use]
    pub const fn actor(&self) -> Option<&Actor> {
        self.actor.as_ref()
    }

    /// `scope`.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// Names the token for replay checks.
    #[must_use]
    pub const fn token_id(&self) -> &TokenId {
        &self.token_id
    }

    /// What the token is bound to, where it is; that was then shown.
    #[must_use]
    pub const fn bound_to(&self) -> Option<Binding> {
        self.bound_to
    }

    /// `exp`.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// Verifies a JWT access token of a machine, with the checks of [`crate::verify_access_token_bound`]. A person's token
/// is taken only where `act` says that a machine acts for that person.
///
/// # Errors
/// [`TokenRefused`] with the first reason found; [`TokenRefused::NotAMachine`] for a person's own token.
pub fn verify_agent_token(
    presented: Presented<'_>,
    keys: &KeySet,
    policy: &AgentTokenPolicy,
    now: Timestamp,
) -> Result<VerifiedAgentToken, TokenRefused> {
    let issued = Issued::verify(presented, keys, &policy.0, now)?;
    let subject: Name = issued.claims.required_id("sub")?;
    let profile = issued.claims.text("sub_profile")?;
    let machine = issued.is_clients_own()? || profile.is_some_and(|profile| MACHINE_PROFILES.contains(&profile));
    let actor = issued.actors.into_iter().next();
    if !machine && actor.is_none() {
        return Err(TokenRefused::NotAMachine);
    }
    // The token was given to the one who acts: another client there means that one of the two is not who it seems.
    if actor.as_ref().and_then(|actor| actor.client.as_ref()).is_some_and(|client| *client != issued.client) {
        return Err(TokenRefused::BadClaim("act"));
    }
    Ok(VerifiedAgentToken {
        issuer: policy.0.issuer.clone(),
        client: issued.client,
        subject,
        actor,
        scopes: issued.scopes,
        token_id: issued.token_id,
        bound_to: issued.bound_to,
        expires_at: issued.expires_at,
    })
}

#[cfg(test)]
mod tests;
