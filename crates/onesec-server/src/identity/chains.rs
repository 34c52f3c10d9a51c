//! Signed delegations: issued for what people delegate here, and verified when agents pass them on.

use std::sync::Arc;
use std::time::Duration;

use onesec_identity::{
    DelegateKey, KeySet, LinkPolicy, LinkRefused, LinkSpec, PublicKey, TokenRefused, VerifiedChain, sign_link,
    split_chain, verify_chain,
};
use onesec_telemetry::limits::MAX_DELEGATION_DEPTH;
use onesec_telemetry::{AgentId, Attested, DelegationId, Name, Secret, TenantId, Thumbprint, Timestamp, UserId};
use onesec_trackers::change::DelegationRow;
use quick_cache::sync::Cache;

use super::signer::{Keys, MAX_LINK_LIFE, Signer};
use super::{Agents, Registered, audience_of};

/// Why a signed delegation is worth nothing here, with a stable [`LinksError::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinksError {
    /// The chain does not verify.
    #[error(transparent)]
    Refused(#[from] LinkRefused),
    /// A link names a key for a registered agent that has not got it, or has it no more.
    #[error("a link is bound to a key that is not its delegate's")]
    NotItsKey,
    /// The root names no user, or an id that is none.
    #[error("the root of the chain is no delegation of ours")]
    NotOurs,
}

impl LinksError {
    /// The reason as a stable word.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Refused(reason) => reason.code(),
            Self::NotItsKey => "not_its_key",
            Self::NotOurs => "not_ours",
        }
    }
}

/// Why no link is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoLink {
    /// It could not be bound to anything.
    #[error("the agent has no registered key to bind the link to")]
    NoKey,
    /// The agent above signs it.
    #[error("a delegation below another one is signed by the agent that makes it")]
    NotTheRoot,
    /// It is no longer in force.
    #[error("the delegation has ended")]
    Ended,
    /// The library refused.
    #[error("the link could not be signed")]
    Sign,
}

/// A chain that verified, as delegations of the ledger, root first.
#[derive(Debug)]
pub(crate) struct Introduced {
    /// Every link, with its place.
    pub(crate) links: Vec<Attested>,
    /// The root is a delegation that was made here: it is in the ledger, or it is void.
    pub(crate) root_is_ours: bool,
    delegates: Vec<(AgentId, Thumbprint)>,
    until: Timestamp,
    /// The keys it was verified with: with others in force it is verified anew.
    keys: Arc<Keys>,
}

impl Introduced {
    /// The last link: what the agent that presents the chain may do.
    pub(crate) fn leaf(&self) -> Option<&Attested> {
        self.links.last()
    }

    /// The links that the ledger may not know yet: of a delegation that was made here, those below the root.
    pub(crate) fn to_tell(&self) -> &[Attested] {
        self.links.get(usize::from(self.root_is_ours)..).unwrap_or_default()
    }
}

/// Issues and verifies links.
pub(crate) struct Links {
    signer: Signer,
    /// Keys of others that may sign for users, where there are any.
    others: Option<KeySet>,
    life: Duration,
    max_depth: u8,
    verified: Cache<(TenantId, Thumbprint), Arc<Introduced>>,
    told: Cache<(TenantId, Thumbprint), ()>,
}

impl Links {
    pub(crate) fn new(signer: Signer, others: Option<KeySet>, (life, max_depth): (Duration, u8)) -> Self {
        let life = life.min(MAX_LINK_LIFE);
        Self { signer, others, life, max_depth, verified: Cache::new(REMEMBERED), told: Cache::new(REMEMBERED) }
    }

    /// The link that states what a person delegated here, bound to the agent's key `kid`, or its first.
    ///
    /// # Errors
    /// [`NoLink`].
    pub(crate) fn issue(
        &self,
        (tenant, row): (&TenantId, &DelegationRow),
        (agent, kid): (&Registered, Option<&str>),
        now: Timestamp,
    ) -> Result<Secret, NoLink> {
        if row.depth != 1 {
            return Err(NoLink::NotTheRoot);
        }
        let until = row.expires_at.map_or(now + self.life, |end| end.min(now + self.life));
        if row.ending.is_some() || until <= now {
            return Err(NoLink::Ended);
        }
        let mut keys = agent.said.keys.iter().filter(|key| kid.is_none_or(|kid| key.kid.as_str() == kid));
        let jwk = keys.next().and_then(|key| serde_json::from_str(&key.jwk).ok()).ok_or(NoLink::NoKey)?;
        let spec = LinkSpec {
            delegator: Name::new(row.user_id.as_str()).map_err(|_| NoLink::Sign)?,
            delegate: row.agent_id.clone(),
            connection: Some(row.connection.clone()),
            scopes: row.scopes.clone(),
            audience: Some(audience_of(tenant)),
            issued_at: now,
            expires_at: until,
            jti: Name::new(row.id.as_str()).map_err(|_| NoLink::Sign)?,
            delegate_key: DelegateKey::Key(PublicKey::from_jwk(&jwk).map_err(|_| NoLink::NoKey)?),
            parent: None,
            max_depth: None,
        };
        let keys = self.signer.keys();
        let (key, kid) = keys.current();
        sign_link(key, &spec, kid).map_err(|_| NoLink::Sign)
    }

    /// Verifies a chain that was presented to `tenant`; what verified lately is known again.
    ///
    /// # Errors
    /// [`LinksError`].
    pub(crate) fn verify(
        &self,
        (tenant, chain): (&TenantId, &Secret),
        agents: &Agents,
        now: Timestamp,
    ) -> Result<Arc<Introduced>, LinksError> {
        let key = (tenant.clone(), chain.thumbprint());
        let keys = self.signer.keys();
        let known = self.verified.get(&key).filter(|known| now < known.until && Arc::ptr_eq(&known.keys, &keys));
        let chain = match known {
            Some(known) => known,
            None => {
                let verified = Arc::new(self.verify_now((tenant, chain), keys, now)?);
                self.verified.insert(key, verified.clone());
                verified
            }
        };
        // Asked every time: a key that was taken from an agent counts no more. Our own links name registered keys only;
        // of agents that were never registered, the one above says which key is theirs.
        let foreign = |(place, (agent, print)): (usize, &(AgentId, Thumbprint))| match agents.of(tenant, agent) {
            Some(known) => !known.holds(*print),
            None => chain.root_is_ours && place == 0,
        };
        if chain.delegates.iter().enumerate().any(foreign) { Err(LinksError::NotItsKey) } else { Ok(chain) }
    }

    fn verify_now(
        &self,
        (tenant, chain): (&TenantId, &Secret),
        keys: Arc<Keys>,
        now: Timestamp,
    ) -> Result<Introduced, LinksError> {
        let (links, audience) = (split_chain(chain)?, audience_of(tenant));
        let verify = |roots: &KeySet| {
            let policy = LinkPolicy::new(roots).with_audience(&audience).with_max_depth(self.max_depth);
            verify_chain(&links, &policy, now)
        };
        let (verified, root_is_ours) = match (verify(&keys.set), &self.others) {
            (Err(LinkRefused::Jwt(TokenRefused::UnknownKey)), Some(others)) => (verify(others)?, false),
            (ours, _) => (ours?, true),
        };
        introduced(&verified, root_is_ours, keys)
    }

    /// Whether the ledger was told of this chain already, as far as we remember.
    pub(crate) fn was_told(&self, tenant: &TenantId, chain: &Secret) -> bool {
        self.told.get(&(tenant.clone(), chain.thumbprint())).is_some()
    }

    /// The ledger knows this chain.
    pub(crate) fn remember_told(&self, tenant: &TenantId, chain: &Secret) {
        self.told.insert((tenant.clone(), chain.thumbprint()), ());
    }
}

fn introduced(chain: &VerifiedChain, root_is_ours: bool, keys: Arc<Keys>) -> Result<Introduced, LinksError> {
    let user: UserId = chain.root_issuer().as_str().parse().map_err(|_| LinksError::NotOurs)?;
    let mut links: Vec<Attested> = Vec::with_capacity(usize::from(MAX_DELEGATION_DEPTH));
    for link in chain.links() {
        let parent = links.last().map(|above| above.id.clone());
        // What was made here keeps its own id, and only our own signature can say so.
        let id = if root_is_ours && parent.is_none() {
            DelegationId::new(link.jti.as_str()).map_err(|_| LinksError::NotOurs)?
        } else {
            Attested::id_of(&link.delegator, &link.jti)
        };
        links.push(Attested { link: link.clone(), id, parent, user: user.clone() });
    }
    let delegates = chain.delegates().map(|(agent, print)| (agent.clone(), print)).collect();
    Ok(Introduced { links, root_is_ours, delegates, until: chain.leaf().expires_at, keys })
}

/// Chains that are known again: they are small, and come with every exchange of a sub-agent.
const REMEMBERED: usize = 20_000;
