//! Verifying a whole chain, from the root to the agent that presents it.

use std::time::Duration;

use onesec_telemetry::limits::MAX_DELEGATION_DEPTH;
use onesec_telemetry::{AgentId, Name, ScopeSet, Secret, Thumbprint, Timestamp, VerifiedLink};
use serde_json::{Map, Value};

use super::{LINK_TYPE, LinkRefused};
use crate::claims::Claims;
use crate::compact::Compact;
use crate::keys::{Algorithm, KeySet};
use crate::public_key::PublicKey;
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
    root: VerifiedLink,
    /// All links, the root among them.
    links: Vec<VerifiedLink>,
    leaf: VerifiedLink,
    leaf_key: Thumbprint,
    max_depth: u8,
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
    let root = read_root(first, policy, now)?;
    let mut max_depth = within_depth(policy.max_depth, &root, 1)?;
    let mut proven = vec![root.link.clone()];
    let mut last = root.clone();
    for (text, depth) in rest.iter().zip(2..) {
        let next = read_next(text, &last, (policy, now))?;
        check_below(&next, &last, policy.leeway)?;
        check_no_return(&next.link, &proven)?;
        max_depth = within_depth(max_depth, &next, depth)?;
        proven.push(next.link.clone());
        last = next;
    }
    Ok(VerifiedChain { root: root.link, links: proven, leaf: last.link, leaf_key: last.key.thumbprint(), max_depth })
}

/// One link with a verified signature, and what only the check of the next one needs.
#[derive(Clone)]
struct Proven {
    link: VerifiedLink,
    key: Confirmation,
    issued_at: Timestamp,
    max_depth: u8,
}

fn read_root(text: &Secret, policy: &LinkPolicy<'_>, now: Timestamp) -> Result<Proven, LinkRefused> {
    let compact = parse(text)?;
    let claims = Claims(compact.verify(policy.root_keys, Algorithm::ALL)?);
    let root = read_claims(&claims, text, (policy, now))?;
    if policy.root_issuer.is_some_and(|only| root.link.delegator.as_str() != only) {
        return Err(LinkRefused::WrongRoot);
    }
    if root.link.parent.is_some() {
        return Err(LinkRefused::UnexpectedParent);
    }
    check_no_return(&root.link, &[])?;
    Ok(root)
}

fn read_next(text: &Secret, above: &Proven, context: (&LinkPolicy<'_>, Timestamp)) -> Result<Proven, LinkRefused> {
    let compact = parse(text)?;
    let alg = compact.algorithm(Algorithm::ALL)?;
    let kid = compact.kid()?;
    if above.key.kid().is_some_and(|named| named != kid) {
        return Err(TokenRefused::UnknownKey.into());
    }
    let key = above.key.resolve(context.0.delegate_keys)?;
    let claims = Claims(compact.verify_with(key, alg)?);
    match claims.text("parent")? {
        None => return Err(LinkRefused::MissingParent),
        Some(parent) if parent != above.link.thumbprint.to_base64url() => return Err(LinkRefused::ParentMismatch),
        Some(_) => {}
    }
    read_claims(&claims, text, context)
}

fn parse(text: &Secret) -> Result<Compact<'_>, TokenRefused> {
    let compact = Compact::parse(text.expose_to_wire())?;
    // Media types know no case: RFC 7515, section 4.1.9.
    let ours = compact.typ().is_some_and(|typ| typ.eq_ignore_ascii_case(LINK_TYPE));
    if ours { Ok(compact) } else { Err(TokenRefused::WrongType) }
}

fn read_claims(
    claims: &Claims,
    text: &Secret,
    (policy, now): (&LinkPolicy<'_>, Timestamp),
) -> Result<Proven, LinkRefused> {
    let (issued_at, expires_at) = claims.check_times(now, policy.leeway)?;
    if expires_at <= issued_at {
        return Err(TokenRefused::BadClaim("exp").into());
    }
    check_audience(claims, policy.audience)?;
    let parent =
        claims.text("parent")?.map(|text| Thumbprint::from_base64url(text).ok_or(TokenRefused::BadClaim("parent")));
    let link = VerifiedLink {
        delegator: claims.required_id("iss")?,
        delegate: claims.required_id("sub")?,
        connection: claims.id("connection")?,
        scopes: scopes(claims)?,
        expires_at,
        jti: claims.required_id("jti")?,
        parent: parent.transpose()?,
        thumbprint: text.thumbprint(),
    };
    Ok(Proven { link, key: Confirmation::read(claims.0.get("cnf"))?, issued_at, max_depth: max_depth(claims)? })
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

/// `scope`, separated by spaces only: elsewhere commas separate too, and two readers must not see two sets.
fn scopes(claims: &Claims) -> Result<Option<ScopeSet>, TokenRefused> {
    let Some(text) = claims.text("scope")? else {
        return Ok(None);
    };
    let other_separator = |c: char| c == ',' || (c.is_whitespace() && c != ' ');
    if text.contains(other_separator) {
        return Err(TokenRefused::BadClaim("scope"));
    }
    ScopeSet::parse(text).map(Some).map_err(|_| TokenRefused::BadClaim("scope"))
}

fn max_depth(claims: &Claims) -> Result<u8, TokenRefused> {
    let Some(value) = claims.0.get("max_depth") else {
        return Ok(MAX_DELEGATION_DEPTH);
    };
    let depth = value.as_u64().ok_or(TokenRefused::BadClaim("max_depth"))?;
    Ok(u8::try_from(depth).unwrap_or(u8::MAX))
}

/// The bound that holds from this link on; it only ever shrinks.
fn within_depth(bound: u8, link: &Proven, depth: u8) -> Result<u8, LinkRefused> {
    let bound = bound.min(link.max_depth);
    if depth > bound { Err(LinkRefused::TooDeep) } else { Ok(bound) }
}

fn check_below(next: &Proven, above: &Proven, leeway: Duration) -> Result<(), LinkRefused> {
    let (link, parent) = (&next.link, &above.link);
    if link.delegator.as_str() != parent.delegate.as_str() {
        return Err(LinkRefused::WrongDelegator);
    }
    if parent.connection.is_some() && link.connection != parent.connection {
        return Err(LinkRefused::ConnectionChanged);
    }
    let widened = |bound: &ScopeSet| link.scopes.as_ref().is_none_or(|scopes| !scopes.difference(bound).is_empty());
    if parent.scopes.as_ref().is_some_and(widened) {
        return Err(LinkRefused::ScopeWidened);
    }
    if link.expires_at > parent.expires_at {
        return Err(LinkRefused::OutlivesParent);
    }
    // The hash of the link above is in it: only clocks can make it look older.
    if next.issued_at + leeway < above.issued_at {
        return Err(LinkRefused::OlderThanParent);
    }
    Ok(())
}

fn check_no_return(next: &VerifiedLink, above: &[VerifiedLink]) -> Result<(), LinkRefused> {
    let root = above.first().unwrap_or(next).delegator.as_str();
    let stands_above = |agent: &AgentId| above.iter().any(|link| link.delegate == *agent);
    if next.delegate.as_str() == root || stands_above(&next.delegate) {
        return Err(LinkRefused::Cycle);
    }
    if above.iter().any(|link| link.jti == next.jti) { Err(LinkRefused::DuplicateId) } else { Ok(()) }
}

/// Whose signature the next link needs (RFC 7800).
#[derive(Clone)]
enum Confirmation {
    Key(Box<PublicKey>, Option<String>),
    Thumbprint(Thumbprint),
}

impl Confirmation {
    fn read(cnf: Option<&Value>) -> Result<Self, LinkRefused> {
        let cnf = match cnf {
            None => return Err(LinkRefused::Unbound),
            Some(Value::Object(members)) if members.len() == 1 => members,
            Some(_) => return Err(LinkRefused::BadConfirmation),
        };
        match (cnf.get("jwk"), cnf.get("jkt").and_then(Value::as_str)) {
            (Some(Value::Object(jwk)), _) => Self::read_jwk(jwk),
            (_, Some(jkt)) => Thumbprint::from_base64url(jkt).map(Self::Thumbprint).ok_or(LinkRefused::BadConfirmation),
            _ => Err(LinkRefused::BadConfirmation),
        }
    }

    fn read_jwk(jwk: &Map<String, Value>) -> Result<Self, LinkRefused> {
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(LinkRefused::BadConfirmation),
        };
        Ok(Self::Key(Box::new(PublicKey::from_jwk(&Value::Object(jwk.clone()))?), kid))
    }

    fn kid(&self) -> Option<&str> {
        match self {
            Self::Key(_, kid) => kid.as_deref(),
            Self::Thumbprint(_) => None,
        }
    }

    fn resolve<'a>(&'a self, known: Option<&'a KeySet>) -> Result<&'a PublicKey, LinkRefused> {
        match self {
            Self::Key(key, _) => Ok(key),
            Self::Thumbprint(jkt) => {
                known.and_then(|keys| keys.by_thumbprint(*jkt)).ok_or(LinkRefused::UnknownDelegateKey)
            }
        }
    }

    fn thumbprint(&self) -> Thumbprint {
        match self {
            Self::Key(key, _) => key.thumbprint(),
            Self::Thumbprint(jkt) => *jkt,
        }
    }
}
