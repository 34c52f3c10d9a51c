//! Delegating offline: an agent lends less than it has to the next one, with nothing but its chain and its key.

use std::time::Duration;

use onesec_telemetry::limits::MAX_DELEGATION_DEPTH;
use onesec_telemetry::{AgentId, ConnectionName, Name, ScopeSet, Secret, Timestamp};
use serde_json::Value;

use super::walk::{ReadLink, Walk, check_kid, check_parent, parse};
use super::{DelegateKey, LINK_TYPE, LinkRefused, LinkSpec, claims_of};
use crate::claims::Claims;
use crate::compact::MAX_TOKEN_BYTES;
use crate::keys::Algorithm;
use crate::refused::TokenRefused;
use crate::signing::{SignError, SigningKey};

/// Between the links of a chain that is one text. No link contains it: it is not in the alphabet of base64url.
const SEPARATOR: char = '~';
/// What a verifier's clock may differ by, unless its policy says otherwise.
const LEEWAY: Duration = Duration::from_secs(30);

/// What an agent lends to the next one. What is left out is lent as the agent has it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Narrower {
    /// To whom.
    pub delegate: AgentId,
    /// The key that alone signs the link after the new one.
    pub delegate_key: DelegateKey,
    /// The only connection; `None` for the one, or any, that the agent has.
    pub connection: Option<ConnectionName>,
    /// The only scopes; `None` for all that the agent has. The empty set lends nothing.
    pub scopes: Option<ScopeSet>,
    /// Until when, cut to whole seconds.
    pub expires_at: Timestamp,
    /// Unique among the links that the agent ever signs.
    pub jti: Name,
    /// How many links a chain through the new one may have at most.
    pub max_depth: Option<u8>,
}

impl Narrower {
    /// Lends all that the agent has, until `expires_at`.
    #[must_use]
    pub const fn new(delegate: AgentId, delegate_key: DelegateKey, expires_at: Timestamp, jti: Name) -> Self {
        Self { delegate, delegate_key, connection: None, scopes: None, expires_at, jti, max_depth: None }
    }

    /// For this connection only.
    #[must_use]
    pub fn with_connection(mut self, connection: ConnectionName) -> Self {
        self.connection = Some(connection);
        self
    }

    /// With these scopes only.
    #[must_use]
    pub fn with_scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// In chains of so many links at most, those above among them.
    #[must_use]
    pub const fn with_max_depth(mut self, links: u8) -> Self {
        self.max_depth = Some(links);
        self
    }
}

/// Why nothing was delegated, with a stable [`DelegateError::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DelegateError {
    /// A verifier would refuse the chain as it stands: there is nothing to lend.
    #[error("the chain cannot go on: {0}")]
    Chain(LinkRefused),
    /// A verifier would refuse the new link, for this reason.
    #[error("the new link would be refused: {0}")]
    Link(LinkRefused),
    /// The last link names another key, or the same one for another algorithm.
    #[error("the key is not the one that the last link names")]
    WrongKey,
    /// The link could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl DelegateError {
    /// The reason as a stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Chain(reason) | Self::Link(reason) => reason.code(),
            Self::WrongKey => "wrong_key",
            Self::Sign(_) => "not_signed",
        }
    }
}

/// Takes a chain that is one text apart: compact links, root first, joined by `~`. Nothing is verified.
///
/// # Errors
/// [`LinkRefused::EmptyChain`], [`LinkRefused::TooDeep`] above [`MAX_DELEGATION_DEPTH`] links, or that of a token
/// where a link is empty or the whole is longer than that many tokens.
pub fn split_chain(text: &Secret) -> Result<Vec<Secret>, LinkRefused> {
    let (text, most) = (text.expose_to_wire(), usize::from(MAX_DELEGATION_DEPTH));
    if text.is_empty() {
        return Err(LinkRefused::EmptyChain);
    }
    if text.len() > most * (MAX_TOKEN_BYTES + SEPARATOR.len_utf8()) {
        return Err(TokenRefused::TooLong.into());
    }
    if text.split(SEPARATOR).count() > most {
        return Err(LinkRefused::TooDeep);
    }
    if text.split(SEPARATOR).any(str::is_empty) {
        return Err(TokenRefused::NotThreeParts.into());
    }
    Ok(text.split(SEPARATOR).map(|link| Secret::new(link.to_owned())).collect())
}

/// Writes links, root first, as the one text that [`split_chain`] reads.
#[must_use]
pub fn join_chain(links: &[Secret]) -> Secret {
    let length = links.iter().map(|link| link.len() + SEPARATOR.len_utf8()).sum();
    // With room from the start: a text that grows leaves copies behind.
    let mut text = String::with_capacity(length);
    for link in links {
        if !text.is_empty() {
            text.push(SEPARATOR);
        }
        text.push_str(link.expose_to_wire());
    }
    Secret::new(text)
}

/// Lends less of what `chain` grants to another agent, and gives the chain that is longer by that link. No network is
/// needed, and no other key than one's own.
///
/// The signatures of `chain` are not verified: the root's key need not be at hand. Whatever else a verifier would
/// refuse is refused here already, with its reason. What stays for the verifier: its own bound on depth, the root's
/// delegator, and whether a link was revoked.
///
/// # Errors
/// [`DelegateError`] with the first reason found.
pub fn delegate(chain: &Secret, key: &SigningKey, wanted: &Narrower, now: Timestamp) -> Result<Secret, DelegateError> {
    let mut links = split_chain(chain).map_err(DelegateError::Chain)?;
    let mut walk = read_unproven(&links, now).map_err(DelegateError::Chain)?;
    let public = key.public_key()?;
    if !walk.last().key.is_of(&public, key.algorithm()) {
        return Err(DelegateError::WrongKey);
    }
    let spec = spec_below(walk.last(), wanted, now).map_err(DelegateError::Link)?;
    let mut claims = claims_of(&spec);
    if let Some(audience) = links.last().and_then(audience_of) {
        claims.insert("aud".to_owned(), audience);
    }
    let own_name = public.thumbprint().to_base64url();
    let kid = walk.last().key.kid().unwrap_or(&own_name);
    let link = key.sign(&Value::Object(claims), LINK_TYPE, kid)?;
    // Read back with the verifier's eyes: one set of rules, not two.
    let next = read(&link, Some(walk.last()), now);
    next.and_then(|next| walk.step(next, LEEWAY)).map_err(DelegateError::Link)?;
    links.push(link);
    Ok(join_chain(&links))
}

fn read_unproven(links: &[Secret], now: Timestamp) -> Result<Walk, LinkRefused> {
    let (first, rest) = links.split_first().ok_or(LinkRefused::EmptyChain)?;
    let mut walk = Walk::start(read(first, None, now)?, MAX_DELEGATION_DEPTH)?;
    for text in rest {
        let next = read(text, Some(walk.last()), now)?;
        walk.step(next, LEEWAY)?;
    }
    // No leeway towards oneself: nothing that ends later could hang below.
    if walk.last().link.expires_at <= now { Err(TokenRefused::Expired.into()) } else { Ok(walk) }
}

/// Reads a link as a verifier does, but for its signature and its audience.
fn read(text: &Secret, above: Option<&ReadLink>, now: Timestamp) -> Result<ReadLink, LinkRefused> {
    let compact = parse(text)?;
    compact.algorithm(Algorithm::ALL)?;
    compact.kid()?;
    if let Some(above) = above {
        check_kid(&compact, above)?;
    }
    let claims = Claims(compact.into_unproven_claims());
    if let Some(above) = above {
        check_parent(&claims, above)?;
    }
    ReadLink::of(&claims, text, (LEEWAY, now))
}

fn spec_below(above: &ReadLink, wanted: &Narrower, now: Timestamp) -> Result<LinkSpec, LinkRefused> {
    // A clock that is behind the delegator's must not make the link look older than the one above it.
    let issued_at = now.max(above.link.issued_at);
    if wanted.expires_at.as_secs() <= issued_at.as_secs() {
        return Err(TokenRefused::Expired.into());
    }
    let delegator = Name::new(above.link.delegate.as_str()).map_err(|_| TokenRefused::BadClaim("iss"))?;
    Ok(LinkSpec {
        delegator,
        delegate: wanted.delegate.clone(),
        connection: wanted.connection.clone().or_else(|| above.link.connection.clone()),
        scopes: wanted.scopes.clone().or_else(|| above.link.scopes.clone()),
        audience: None, // taken over as it stands above, be it one or many
        issued_at,
        expires_at: wanted.expires_at,
        jti: wanted.jti.clone(),
        delegate_key: wanted.delegate_key.clone(),
        parent: Some(above.link.thumbprint),
        max_depth: wanted.max_depth,
    })
}

fn audience_of(link: &Secret) -> Option<Value> {
    parse(link).ok()?.unproven_claim("aud").cloned()
}

#[cfg(test)]
mod tests;
