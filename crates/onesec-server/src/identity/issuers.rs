//! Issuers whose machine tokens say which agent is asking.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use onesec_auth0::{Clock, Jwks, VerifyError};
use onesec_identity::{
    AgentTokenPolicy, Presented, TokenRefused, VerifiedAgentToken, claimed_issuer, verify_agent_token,
};
use onesec_telemetry::{Secret, TenantId, Timestamp};

use super::{Agents, Registered, Shown};

/// An issuer of machine tokens, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuerConfig {
    /// Exactly as `iss` has it.
    pub issuer: String,
    /// What `aud` must hold.
    pub audiences: Vec<String>,
    /// Where its keys are; found by discovery where absent.
    pub jwks_uri: Option<String>,
}

struct Issuer {
    name: String,
    policy: AgentTokenPolicy,
    jwks: Jwks,
}

/// The issuers of each tenant.
#[derive(Default)]
pub(crate) struct AgentIssuers(BTreeMap<TenantId, Vec<Issuer>>);

impl fmt::Debug for AgentIssuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.values().flatten().map(|issuer| issuer.name.as_str()).collect();
        f.debug_tuple("AgentIssuers").field(&names).finish()
    }
}

/// The agent that a token speaks for.
pub(crate) struct Vouched {
    pub(crate) tenant: TenantId,
    pub(crate) agent: Arc<Registered>,
    pub(crate) token: VerifiedAgentToken,
}

/// Why a token does not say who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotVouched {
    /// No tenant trusts its issuer.
    #[error("the token's issuer is not configured")]
    UnknownIssuer,
    /// It proves nothing.
    #[error("the token was refused: {}", .0.code())]
    Token(TokenRefused),
    /// The issuer's keys cannot be had now.
    #[error("the keys of the token's issuer cannot be fetched")]
    Keys,
    /// It is genuine, and agents of several tenants are known by its client: it must not reach the wrong one.
    #[error("agents of several tenants are known by the client of this token")]
    SeveralTenants,
    /// It is genuine, and nobody said which agent it belongs to.
    #[error("no registered agent is known by the client of this token")]
    UnknownAgent,
}

impl AgentIssuers {
    pub(crate) fn add(
        &mut self,
        (tenant, config): (&TenantId, &IssuerConfig),
        http: onesec_auth0::HttpClient,
        clock: Arc<dyn Clock>,
    ) -> Result<(), onesec_auth0::ConfigError> {
        let jwks = Jwks::for_issuer(&config.issuer, config.jwks_uri.as_deref(), http, clock)?;
        let policy = AgentTokenPolicy::new(&config.issuer, config.audiences.iter().cloned());
        let issuer = Issuer { name: config.issuer.clone(), policy, jwks };
        self.0.entry(tenant.clone()).or_default().push(issuer);
        Ok(())
    }

    /// Which agent a token speaks for: of the tenant that trusts its issuer.
    ///
    /// # Errors
    /// [`NotVouched`], the reason of the last tenant that was asked.
    pub(crate) async fn vouched(
        &self,
        (token, shown): (&Secret, &Shown),
        agents: &Agents,
        now: Timestamp,
    ) -> Result<Vouched, NotVouched> {
        let named = claimed_issuer(token).map_err(NotVouched::Token)?;
        let (mut why, mut found) = (NotVouched::UnknownIssuer, None);
        for (tenant, issuers) in &self.0 {
            for issuer in issuers.iter().filter(|issuer| issuer.name == named) {
                match issuer.verify((token, shown), now).await {
                    Ok(token) => match find(agents, tenant, &token) {
                        Some(_) if found.as_ref().is_some_and(|found: &Vouched| found.tenant != *tenant) => {
                            return Err(NotVouched::SeveralTenants);
                        }
                        Some(agent) => found = Some(Vouched { tenant: tenant.clone(), agent, token }),
                        None => why = NotVouched::UnknownAgent,
                    },
                    Err(refused) => why = refused,
                }
            }
        }
        found.ok_or(why)
    }
}

impl Issuer {
    async fn verify(
        &self,
        (token, shown): (&Secret, &Shown),
        now: Timestamp,
    ) -> Result<VerifiedAgentToken, NotVouched> {
        let presented = || Presented { token, proof: shown.for_credential(), certificate: shown.certificate() };
        let verified = self.jwks.verify(|keys| verify_agent_token(presented(), keys, &self.policy, now)).await;
        verified.map_err(|error| match error {
            VerifyError::Token(refused) => NotVouched::Token(refused),
            VerifyError::Keys(_) => NotVouched::Keys,
        })
    }
}

/// Who acts: the current actor where the token names one (RFC 8693, section 4.1), else the client that got the token.
fn find(agents: &Agents, tenant: &TenantId, token: &VerifiedAgentToken) -> Option<Arc<Registered>> {
    let by = |name: &str| agents.by_client(tenant, name);
    match token.actor() {
        Some(actor) => by(actor.sub.as_str()),
        None => by(token.client().as_str()).or_else(|| by(token.subject().as_str())),
    }
}
