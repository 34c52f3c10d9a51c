//! From one link to the next: what a link must say, whoever reads it, and what must hold below the one above.

use std::time::Duration;

use onesec_telemetry::limits::MAX_DELEGATION_DEPTH;
use onesec_telemetry::{AgentId, ScopeSet, Secret, Thumbprint, Timestamp, VerifiedLink};

use super::confirmation::Confirmation;
use super::{LINK_TYPE, LinkRefused, VerifiedChain};
use crate::claims::Claims;
use crate::compact::Compact;
use crate::refused::TokenRefused;

/// One link, and what only the check of the next one needs. Whether its signature was verified, its reader knows.
pub(super) struct ReadLink {
    pub(super) link: VerifiedLink,
    pub(super) key: Confirmation,
    max_depth: u8,
}

impl ReadLink {
    /// Reads the claims of `text`. For whom the link is meant is not looked at.
    pub(super) fn of(
        claims: &Claims,
        text: &Secret,
        (leeway, now): (Duration, Timestamp),
    ) -> Result<Self, LinkRefused> {
        let (issued_at, expires_at) = claims.check_times(now, leeway)?;
        if expires_at <= issued_at {
            return Err(TokenRefused::BadClaim("exp").into());
        }
        let parent = claims.text("parent")?;
        let parent = parent.map(|text| Thumbprint::from_base64url(text).ok_or(TokenRefused::BadClaim("parent")));
        let link = VerifiedLink {
            delegator: claims.required_id("iss")?,
            delegate: claims.required_id("sub")?,
            connection: claims.id("connection")?,
            scopes: scopes(claims)?,
            issued_at,
            expires_at,
            jti: claims.required_id("jti")?,
            parent: parent.transpose()?,
            thumbprint: text.thumbprint(),
        };
        Ok(Self { link, key: Confirmation::read(claims.0.get("cnf"))?, max_depth: max_depth(claims)? })
    }
}

/// A chain as far as it was read, never empty.
pub(super) struct Walk {
    root: VerifiedLink,
    links: Vec<VerifiedLink>,
    keys: Vec<Thumbprint>,
    last: ReadLink,
    max_depth: u8,
}

impl Walk {
    /// Begins at a root; the chain may have `max_depth` links at most.
    pub(super) fn start(root: ReadLink, max_depth: u8) -> Result<Self, LinkRefused> {
        if root.link.parent.is_some() {
            return Err(LinkRefused::UnexpectedParent);
        }
        check_no_return(&root.link, &[])?;
        let max_depth = within_depth(max_depth, &root, 1)?;
        let (links, keys) = (vec![root.link.clone()], vec![root.key.thumbprint()]);
        Ok(Self { root: root.link.clone(), links, keys, last: root, max_depth })
    }

    /// The link that the next one hangs below.
    pub(super) const fn last(&self) -> &ReadLink {
        &self.last
    }

    /// Goes on to `next`, whose `parent` was compared with the last link already.
    pub(super) fn step(&mut self, next: ReadLink, leeway: Duration) -> Result<(), LinkRefused> {
        check_below(&next, &self.last, leeway)?;
        check_no_return(&next.link, &self.links)?;
        self.max_depth = within_depth(self.max_depth, &next, self.links.len() + 1)?;
        self.links.push(next.link.clone());
        self.keys.push(next.key.thumbprint());
        self.last = next;
        Ok(())
    }

    pub(super) fn into_chain(self) -> VerifiedChain {
        let (leaf, leaf_key) = (self.last.link, self.last.key.thumbprint());
        VerifiedChain { root: self.root, links: self.links, keys: self.keys, leaf, leaf_key, max_depth: self.max_depth }
    }
}

pub(super) fn parse(text: &Secret) -> Result<Compact<'_>, TokenRefused> {
    let compact = Compact::parse(text.expose_to_wire())?;
    // Media types know no case: RFC 7515, section 4.1.9.
    let ours = compact.typ().is_some_and(|typ| typ.eq_ignore_ascii_case(LINK_TYPE));
    if ours { Ok(compact) } else { Err(TokenRefused::WrongType) }
}

/// Where the link above gives its key a name, the next one must use that name.
pub(super) fn check_kid(compact: &Compact<'_>, above: &ReadLink) -> Result<(), TokenRefused> {
    let kid = compact.kid()?;
    if above.key.kid().is_some_and(|named| named != kid) { Err(TokenRefused::UnknownKey) } else { Ok(()) }
}

pub(super) fn check_parent(claims: &Claims, above: &ReadLink) -> Result<(), LinkRefused> {
    match claims.text("parent")? {
        None => Err(LinkRefused::MissingParent),
        Some(parent) if parent != above.link.thumbprint.to_base64url() => Err(LinkRefused::ParentMismatch),
        Some(_) => Ok(()),
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
fn within_depth(bound: u8, link: &ReadLink, depth: usize) -> Result<u8, LinkRefused> {
    let bound = bound.min(link.max_depth);
    if depth > usize::from(bound) { Err(LinkRefused::TooDeep) } else { Ok(bound) }
}

fn check_below(next: &ReadLink, above: &ReadLink, leeway: Duration) -> Result<(), LinkRefused> {
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
    if next.link.issued_at + leeway < above.link.issued_at {
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
