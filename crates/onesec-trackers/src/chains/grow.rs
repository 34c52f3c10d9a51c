//! What becomes of a new delegation: checked in full before anything changes.

use std::borrow::Cow;

use onesec_telemetry::limits::MAX_DELEGATION_DEPTH;
use onesec_telemetry::{ConnectionName, DelegationId, Name, ScopeSet, Timestamp};

use super::cut::RevokedKey;
use super::{DelegationChainTracker, NONE, Row};
use crate::accounts::ConnectedAccountTracker;
use crate::config::TrackerConfig;
use crate::facts::{AccountState, Refusal};
use crate::scopes::Meaning;
use crate::shared::{Key, Seed};

/// A delegation as it was asked for.
#[derive(Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) id: Cow<'a, DelegationId>,
    pub(crate) agent: &'a str,
    pub(crate) by: &'a str,
    pub(crate) user: Option<&'a str>,
    pub(crate) account: Option<&'a str>,
    pub(crate) bound: Option<Cow<'a, ScopeSet>>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) parent: Option<&'a DelegationId>,
    pub(crate) chain: Option<&'a [Name]>,
    pub(crate) max_depth: Option<i64>,
    /// When it was made: what was ended since does not come back by it.
    pub(crate) issued: Timestamp,
    /// When it reached us.
    pub(crate) at: Timestamp,
    pub(crate) content: u64,
}

/// What a wish comes to.
#[derive(Debug)]
pub(crate) enum Grown {
    /// A row per connection.
    New(Vec<Growth>),
    /// It is there already.
    Same(Vec<u32>),
}

/// One row to be added.
#[derive(Debug)]
pub(crate) struct Growth {
    pub(crate) connection: ConnectionName,
    pub(crate) user: String,
    pub(crate) account: Option<String>,
    pub(crate) bound: Option<ScopeSet>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) parent: u32,
    pub(crate) depth: u8,
    pub(crate) max_depth: u8,
    /// The account is linked.
    pub(crate) live: bool,
}

/// What a wish is checked against.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) chains: &'a DelegationChainTracker,
    pub(crate) accounts: &'a ConnectedAccountTracker,
    pub(crate) seed: &'a Seed,
    pub(crate) config: &'a TrackerConfig,
}

impl<'a> Ground<'a> {
    /// Checks `wish` at every one of `connections`: all or nothing.
    pub(crate) fn plan(
        &self,
        wish: &Wish<'_>,
        connections: &[ConnectionName],
        meaning: impl Fn(&ConnectionName) -> Meaning<'a>,
    ) -> Result<Grown, Refusal> {
        if wish.by == wish.agent {
            return Err(Refusal::SelfDelegation);
        }
        if let Some(known) = self.known(wish)? {
            return Ok(Grown::Same(known));
        }
        if wish.expires.is_some_and(|end| end <= wish.at) {
            return Err(Refusal::AlreadyExpired);
        }
        if connections.is_empty() {
            return Err(Refusal::NoConnection);
        }
        let rows: Vec<Growth> =
            connections.iter().map(|c| self.plan_at(wish, c, meaning(c))).collect::<Result<_, _>>()?;
        if self.chains.len() + rows.len() > self.config.bounds.delegations {
            return Err(Refusal::LedgerFull);
        }
        Ok(Grown::New(rows))
    }

    /// Rows of the same id, if what they state is the same and they have not ended.
    fn known(&self, wish: &Wish<'_>) -> Result<Option<Vec<u32>>, Refusal> {
        let chains = self.chains;
        if chains.is_tombstone(&wish.id) {
            return Err(Refusal::Tombstoned);
        }
        let known = chains.with_id(self.seed.of(wish.id.as_str()), &wish.id);
        let mut rows = known.iter().filter_map(|&at| chains.row(at));
        let Some(first) = rows.next() else { return Ok(None) };
        if first.ending(wish.at).is_some() && rows.all(|row| row.ending(wish.at).is_some()) {
            return Err(Refusal::Tombstoned);
        }
        if first.content == wish.content { Ok(Some(known)) } else { Err(Refusal::Conflict) }
    }

    fn plan_at(&self, wish: &Wish<'_>, connection: &ConnectionName, meaning: Meaning<'_>) -> Result<Growth, Refusal> {
        let hops = wish.chain.map(|chain| hops(chain, wish)).transpose()?;
        let user = wish.user.or_else(|| hops.as_ref().and_then(|hops| hops.first().copied()));
        let parent_at = self.parent(wish, user, connection.as_str())?;
        let parent = parent_at.and_then(|at| self.chains.row(at));
        let user = user.or(parent.map(|row| &*row.user)).unwrap_or(wish.by);
        if let Some(hops) = hops {
            self.check_hops(&hops, parent, user)?;
        }
        let depth = self.check_chain(wish, parent, user)?;
        let (bound, expires) = inherit(wish, parent, meaning)?;
        let account = wish.account.or(parent.and_then(|row| row.account.as_deref()));
        let live = self.check_ends(wish, [user, connection.as_str()], account)?;
        Ok(Growth {
            connection: connection.clone(),
            user: user.to_owned(),
            account: account.map(str::to_owned),
            bound,
            expires,
            parent: parent_at.unwrap_or(NONE),
            depth,
            max_depth: self.max_depth(wish, parent),
            live,
        })
    }

    /// What the wish hangs below; nothing where the user delegates.
    fn parent(&self, wish: &Wish<'_>, user: Option<&str>, connection: &str) -> Result<Option<u32>, Refusal> {
        if let Some(id) = wish.parent {
            return self.named_parent(wish, id, (user, connection)).map(Some);
        }
        let user = match user {
            Some(user) if user == wish.by => return Ok(None),
            Some(user) => user,
            None => match self.chains.only_user(self.seed, [wish.by, connection], wish.at) {
                Some(user) => user,
                None => return Ok(None),
            },
        };
        let hash = self.seed.triple(wish.by, user, connection);
        let Some((alive, last)) = self.chains.grants(hash, &Key::new([wish.by, user, connection])) else {
            return Err(Refusal::UnknownParent);
        };
        let fits = |(_, row): &(u32, &Row)| row.holds(wish.at) && row.covers_account(wish.account);
        let best = alive.filter(fits).max_by_key(|(_, row)| (row.created, &row.id));
        match best {
            Some((at, _)) => Ok(Some(at)),
            None if last.is_some() || alive.count() > 0 => Err(Refusal::ParentEnded),
            None => Err(Refusal::UnknownParent),
        }
    }

    fn named_parent(&self, wish: &Wish<'_>, id: &DelegationId, at: (Option<&str>, &str)) -> Result<u32, Refusal> {
        let chains = self.chains;
        let rows = chains.with_id(self.seed.of(id.as_str()), id);
        if rows.is_empty() {
            return Err(if chains.is_tombstone(id) { Refusal::ParentEnded } else { Refusal::UnknownParent });
        }
        let here =
            rows.into_iter().find_map(|row| chains.row(row).filter(|r| *r.connection == *at.1).map(|r| (row, r)));
        let Some((found, row)) = here else { return Err(Refusal::ForeignParent) };
        let same_user = at.0.is_none_or(|user| *user == *row.user);
        if *row.agent != *wish.by || !same_user || !row.covers_account(wish.account) {
            return Err(Refusal::ForeignParent);
        }
        if row.holds(wish.at) { Ok(found) } else { Err(Refusal::ParentEnded) }
    }

    /// The hops that were stated must be those of the ledger.
    fn check_hops(&self, hops: &[&str], parent: Option<&Row>, user: &str) -> Result<(), Refusal> {
        let Some(parent) = parent else {
            return match hops.len() {
                2 if hops.first() == Some(&user) => Ok(()),
                0..=2 => Err(Refusal::ForeignParent),
                _ => Err(Refusal::UnknownParent),
            };
        };
        let mut known = vec![&*parent.agent];
        let mut row = parent;
        while let Some(above) = self.chains.row(row.parent) {
            known.push(&above.agent);
            row = above;
        }
        known.push(&row.user);
        let stated = hops.iter().rev().skip(1);
        if stated.eq(known.iter()) { Ok(()) } else { Err(Refusal::ForeignParent) }
    }

    /// Depth and cycles; returns the depth.
    fn check_chain(&self, wish: &Wish<'_>, parent: Option<&Row>, user: &str) -> Result<u8, Refusal> {
        let mut above = parent;
        while let Some(row) = above {
            if *row.agent == *wish.agent {
                return Err(Refusal::Cycle);
            }
            above = self.chains.row(row.parent);
        }
        if user == wish.agent {
            return Err(Refusal::Cycle);
        }
        let depth = parent.map_or(1, |row| row.depth.saturating_add(1));
        if depth > self.max_depth(wish, parent) { Err(Refusal::TooDeep) } else { Ok(depth) }
    }

    fn max_depth(&self, wish: &Wish<'_>, parent: Option<&Row>) -> u8 {
        let own = wish.max_depth.map_or(MAX_DELEGATION_DEPTH, |max| u8::try_from(max.clamp(0, 255)).unwrap_or(0));
        let limit = own.min(self.config.max_depth).min(MAX_DELEGATION_DEPTH);
        parent.map_or(limit, |row| limit.min(row.max_depth))
    }

    /// Nothing may come before the end that it would undo. Returns whether the account is linked.
    fn check_ends(
        &self,
        wish: &Wish<'_>,
        [user, connection]: [&str; 2],
        account: Option<&str>,
    ) -> Result<bool, Refusal> {
        let revoked = RevokedKey::that_end(wish.agent, wish.by, [user, connection]);
        if revoked.iter().any(|key| self.chains.revoked_until(key).is_some_and(|end| end >= wish.issued)) {
            return Err(Refusal::OlderThanEnd);
        }
        let found = self.accounts.find(self.seed.pair(user, connection), user, connection);
        let Some(holder) = found.and_then(|at| self.accounts.holder(at)) else { return Ok(false) };
        if holder.void_since(account, wish.issued).is_some() {
            return Err(Refusal::OlderThanEnd);
        }
        Ok(matches!(holder.state(account), AccountState::Linked { .. }))
    }
}

/// Bound and end in force: what the wish states within what the parent has.
fn inherit(
    wish: &Wish<'_>,
    parent: Option<&Row>,
    meaning: Meaning<'_>,
) -> Result<(Option<ScopeSet>, Option<Timestamp>), Refusal> {
    let own = wish.bound.as_deref();
    let Some(parent) = parent else { return Ok((own.cloned(), wish.expires)) };
    let above = parent.bound.as_deref();
    if let (Some(own), Some(above)) = (own, above)
        && !meaning.beyond(above, own).is_empty()
    {
        return Err(Refusal::WidensParent);
    }
    if wish.expires.zip(parent.expires).is_some_and(|(own, above)| own > above) {
        return Err(Refusal::OutlivesParent);
    }
    Ok((own.or(above).cloned(), wish.expires.or(parent.expires)))
}

/// The stated chain from user to agent: no hop twice, and it ends as the wish says.
fn hops<'a>(chain: &'a [Name], wish: &Wish<'a>) -> Result<Vec<&'a str>, Refusal> {
    let mut hops: Vec<&str> = chain.iter().map(Name::as_str).collect();
    if hops.last() != Some(&wish.agent) {
        hops.push(wish.agent);
    }
    let twice = |(i, hop): (usize, &&str)| hops.iter().skip(i + 1).any(|later| later == hop);
    if hops.iter().enumerate().any(twice) {
        return Err(Refusal::Cycle);
    }
    if hops.len() > usize::from(MAX_DELEGATION_DEPTH) + 1 {
        return Err(Refusal::TooDeep);
    }
    let delegator = hops.iter().rev().nth(1);
    if delegator != Some(&wish.by) || wish.user.is_some_and(|user| hops.first() != Some(&user)) {
        return Err(Refusal::ForeignParent);
    }
    Ok(hops)
}
