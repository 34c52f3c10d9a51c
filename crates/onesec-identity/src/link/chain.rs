//! Verifying a whole chain, from the root to the agent that presents it.

use std::time::Duration;

use onesec_telemetry::limits::MAX_DELEGATION_DEPTH;
use onesec_telemetry::{AgentId, Name, Secret, Thumbprint, Timestamp, VerifiedLink};

use super::LinkRefused;
use super::walk::{ReadLink, Walk, check_kid, check_parent, parse};
use crate::claims::Claims;
use crate::keys::{Algorithm, KeySet};
use crate::refused::TokenRefused;

const DEFAULT_DEPTH: u8 = 3;
const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);
const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// What a chain must be to prove anything here.
#[derive(Debug, Clone)]
pub struct LinkPolicy<'a> {
    root_keys: &'a KeySet,
    delegate_keys: Option<&'a KeySet>,
    root_issuer: Option<&'a str>,
    audience: Option<&'a str>,
    max_depth: u8,
    leeway: Duration,
}

impl<'a> LinkPolicy<'a> {
    /// `root_keys` are those that may sign a first link. Every one of them may speak for any delegator, unless
    /// [`LinkPolicy::with_root_issuer`] names the only one. At most three links, clocks within 30 seconds.
    #[must_use]
    pub const fn new(root_keys: &'a KeySet) -> Self {
        let (max_depth, leeway) = (DEFAULT_DEPTH, DEFAULT_LEEWAY);
        Self { root_keys, delegate_keys: None, root_issuer: None, audience: None, max_depth, leeway }
    }

    /// Keys of registered agents, for links that name the delegate's key by thumbprint alone.
    #[must_use]
    pub const fn with_delegate_keys(mut self, keys: &'a KeySet) -> Self {
        self.delegate_keys = Some(keys);
        self
    }

    /// The only delegator at which a chain may start, such as the user who was verified.
    #[must_use]
    pub const fn with_root_issuer(mut self, issuer: &'a str) -> Self {
        self.root_issuer = Some(issuer);
        self
    }

    /// The audience that every link must name. Without one, links must name none.
    #[must_use]
    pub const fn with_audience(mut self, audience: &'a str) -> Self {
        self.audience = Some(audience);
        self
    }

    /// How many links a chain may have, at most [`MAX_DELEGATION_DEPTH`].
    #[must_use]
    pub fn with_max_depth(mut self, links: u8) -> Self {
        self.max_depth = links.min(MAX_DELEGATION_DEPTH);
        self
    }

    /// How far clocks may differ, at most five minutes.
    #[must_use]
    pub fn with_leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway.min(MAX_LEEWAY);
        self
    }
}

/// Proof of who lent what to whom. Only [`verify_chain`] makes one, and never an empty one.
///
/// Whether a link was revoked, or its `jti` already used for something else, needs state and is the caller's to
/// check: see [`VerifiedChain::jtis`] and [`VerifiedChain::thumbprints`]. Revoke by (delegator, `jti`): of an ES256
/// signature anybody can make a second valid spelling, and with it a second thumbprint.
///
/// Presenting a chain proves nothing of the presenter. Ask for a DPoP proof with [`VerifiedChain::leaf_key`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedChain {
    pub(super) root: VerifiedLink,
    /// All links, the root among them.
    pub(super) links: Vec<VerifiedLink>,
    /// Of every link, the key that its `cnf` names.
    pub(super) keys: Vec<Thumbprint>,
    pub(super) leaf: VerifiedLink,
    pub(super) leaf_key: Thumbprint,
    pub(super) max_depth: u8,
}

impl VerifiedChain {
    /// All links, root first.
    #[must_use]
    pub fn links(&self) -> &[VerifiedLink] {
        &self.links
    }

    /// The first delegator: the person, where a person's issuer signed.
    #[must_use]
    pub const fn root_issuer(&self) -> &Name {
        &self.root.delegator
    }

    /// The last link: what the presenting agent may do, and until when. Nothing above it is narrower.
    #[must_use]
    pub const fn leaf(&self) -> &VerifiedLink {
        &self.leaf
    }

    /// Thumbprint (RFC 7638) of the last delegate's key: what a proof of possession must show.
    #[must_use]
    pub const fn leaf_key(&self) -> Thumbprint {
        self.leaf_key
    }

    /// How many links a chain that goes on from here may have in all.
    #[must_use]
    pub const fn max_depth(&self) -> u8 {
        self.max_depth
    }

    /// The delegate of every link and the thumbprint (RFC 7638) of the key that the link says is the delegate's, root
    /// first: who knows the agents' keys compares.
    pub fn delegates(&self) -> impl Iterator<Item = (&AgentId, Thumbprint)> {
        self.links.iter().map(|link| &link.delegate).zip(self.keys.iter().copied())
    }

    /// (delegator, `jti`) of every link, root first.
    pub fn jtis(&self) -> impl Iterator<Item = (&Name, &Name)> {
        self.links.iter().map(|link| (&link.delegator, &link.jti))
    }

    /// SHA-256 of the text of every link, root first.
    pub fn thumbprints(&self) -> impl Iterator<Item = Thumbprint> {
        self.links.iter().map(|link| link.thumbprint)
    }
}

/// Verifies a chain of links, root first.
///
/// The root must be signed by one of the policy's keys, every next link by the key that the link above names in
/// `cnf`, and by no other. Below, nothing may be wider: same connection (or a first one below "any"), scopes a
/// subset by exact comparison, no later expiry.
///
/// # Errors
/// [`LinkRefused`] with the first reason found, from the root down.
pub fn verify_chain(links: &[Secret], policy: &LinkPolicy<'_>, now: Timestamp) -> Result<VerifiedChain, LinkRefused> {
    let (first, rest) = links.split_first().ok_or(LinkRefused::EmptyChain)?;
    // Before any signature is tried: work is bounded by the policy, not by the sender.
    if links.len() > usize::from(policy.max_depth) {
        return Err(LinkRefused::TooDeep);
    }
    let mut walk = Walk::start(read_root(first, policy, now)?, policy.max_depth)?;
    for text in rest {
        let next = read_next(text, walk.last(), (policy, now))?;
        walk.step(next, policy.leeway)?;
    }
    Ok(walk.into_chain())
}

fn read_root(text: &Secret, policy: &LinkPolicy<'_>, now: Timestamp) -> Result<ReadLink, LinkRefused> {
    let compact = parse(text)?;
    let claims = Claims(compact.verify(policy.root_keys, Algorithm::ALL)?);
    check_audience(&claims, policy.audience)?;
    let root = ReadLink::of(&claims, text, (policy.leeway, now))?;
    if policy.root_issuer.is_some_and(|only| root.link.delegator.as_str() != only) {
        return Err(LinkRefused::WrongRoot);
    }
    Ok(root)
}

fn read_next(
    text: &Secret,
    above: &ReadLink,
    (policy, now): (&LinkPolicy<'_>, Timestamp),
) -> Result<ReadLink, LinkRefused> {
    let compact = parse(text)?;
    let alg = compact.algorithm(Algorithm::ALL)?;
    check_kid(&compact, above)?;
    let key = above.key.resolve(policy.delegate_keys)?;
    let claims = Claims(compact.verify_with(key, alg)?);
    check_parent(&claims, above)?;
    check_audience(&claims, policy.audience)?;
    ReadLink::of(&claims, text, (policy.leeway, now))
}

/// A link for others is not for us (RFC 7519, section 4.1.3); one for nobody in particular is not enough.
fn check_audience(claims: &Claims, want: Option<&str>) -> Result<(), TokenRefused> {
    match want {
        None if claims.has("aud") => Err(TokenRefused::WrongAudience),
        None => Ok(()),
        Some(want) if claims.audiences()?.contains(&want) => Ok(()),
        Some(_) => Err(TokenRefused::WrongAudience),
    }
}
