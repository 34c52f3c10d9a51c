//! Exchanges of the gateway that Auth0 has yet to tell of.

use std::time::Duration;

use onesec_telemetry::{Thumbprint, Timestamp};
use serde::{Deserialize, Serialize};

use super::recent::micros;
use crate::pool::Entry;
use crate::shared::{Seed, Sym};

/// What the gateway did for a user at a connection, as far as Auth0 has not told of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Untold {
    pub(crate) user: Sym,
    pub(crate) connection: Sym,
    /// Oldest first.
    exchanges: Vec<Exchange>,
    /// Of what was before, some may be forgotten.
    whole_since: i64,
}

/// One exchange of the gateway.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Exchange {
    at: i64,
    /// Stands for its id.
    id: u64,
    stage: Stage,
}

/// How far it got, as far as we have heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// Let pass; how it ended is not known yet.
    Asked,
    /// Auth0 issued this token.
    Issued(Option<Thumbprint>),
    /// Auth0 refused.
    Failed,
}

/// What Auth0 tells of an exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tale {
    pub(crate) at: Timestamp,
    pub(crate) made: bool,
    pub(crate) print: Option<Thumbprint>,
}

impl Untold {
    pub(crate) const fn new(user: Sym, connection: Sym) -> Self {
        Self { user, connection, exchanges: Vec::new(), whole_since: i64::MIN }
    }

    /// The gateway let one pass.
    pub(crate) fn pass(&mut self, at: Timestamp, id: u64) {
        let at = at.as_micros();
        let place = self.exchanges.partition_point(|known| known.at <= at);
        self.exchanges.insert(place, Exchange { at, id, stage: Stage::Asked });
        let newest = self.exchanges.last().map_or(at, |last| last.at);
        self.exchanges.retain(|known| known.at > newest.saturating_sub(micros(TOLD_WITHIN)));
        if self.exchanges.len() > MOST_UNTOLD {
            let oldest = self.exchanges.remove(0);
            self.whole_since = self.whole_since.max(oldest.at.saturating_add(1));
        }
    }

    /// How one ended; nothing where Auth0 has told of it already.
    pub(crate) fn end(&mut self, id: u64, stage: Stage) {
        if let Some(known) = self.exchanges.iter_mut().rev().find(|known| known.id == id) {
            known.stage = stage;
        }
    }

    /// Which exchange the tale is about. The same token is proof; where tokens cannot be compared (`prints` has not matched
    /// any yet), or none is known yet, the nearest in time will do.
    pub(crate) fn find(&self, tale: &Tale, prints: bool) -> Option<(usize, bool)> {
        let same = tale.print.filter(|_| tale.made);
        let proved =
            same.and_then(|print| self.nearest(tale.at, |e| e.stage == Stage::Issued(Some(print)), TOLD_WITHIN));
        if let Some(place) = proved {
            return Some((place, true));
        }
        let open = |e: &Exchange| match (tale.made, e.stage) {
            (_, Stage::Asked) | (true, Stage::Issued(None)) | (false, Stage::Failed) => true,
            (true, Stage::Issued(Some(_))) => tale.print.is_none(),
            _ => false,
        };
        let other = |e: &Exchange| tale.made && !prints && matches!(e.stage, Stage::Issued(Some(_)));
        let place = self.nearest(tale.at, open, NEAR).or_else(|| self.nearest(tale.at, other, NEAR))?;
        Some((place, false))
    }

    fn nearest(&self, at: Timestamp, is: impl Fn(&Exchange) -> bool, within: Duration) -> Option<usize> {
        let at = at.as_micros();
        let distance = |known: &Exchange| known.at.abs_diff(at);
        let known =
            self.exchanges.iter().enumerate().filter(|(_, e)| is(e) && distance(e) <= within.as_micros() as u64);
        known.min_by_key(|(_, e)| distance(e)).map(|(place, _)| place)
    }

    /// Auth0 has told of it.
    pub(crate) fn told(&mut self, place: usize) {
        if place < self.exchanges.len() {
            self.exchanges.remove(place);
        }
    }

    /// Whether everything of that time is known.
    pub(crate) fn is_whole_at(&self, at: Timestamp) -> bool {
        at.as_micros() >= self.whole_since
    }

    /// Whether there is nothing that Auth0 could tell of.
    pub(crate) fn is_over(&self, at: Timestamp) -> bool {
        let start = at.as_micros().saturating_sub(micros(TOLD_WITHIN));
        self.exchanges.last().is_none_or(|last| last.at <= start)
    }
}

impl Entry for Untold {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.pair(&self.user, &self.connection)
    }
}

/// For whom and where a token was issued: the log may name users by a pseudonym.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IssuedFor {
    pub(crate) print: Thumbprint,
    pub(crate) user: Sym,
    pub(crate) connection: Sym,
}

impl Entry for IssuedFor {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of_bytes(self.print.as_bytes())
    }
}

/// What is known of the log itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Watching {
    /// Since when exchanges of the gateway are noted; absent where they are not.
    pub(crate) since: Option<Timestamp>,
    /// Tokens in the log have been recognised: one that is unknown is another one.
    pub(crate) prints: bool,
    /// A pair was forgotten: of the time before, some may be missing.
    pub(crate) whole_since: Option<Timestamp>,
}

/// An entry that does not show the token is about an exchange that is not further from it than this.
pub(crate) const NEAR: Duration = Duration::from_secs(30);
/// How long an exchange waits for its entry: streams may be down for hours.
pub(crate) const TOLD_WITHIN: Duration = Duration::from_secs(86_400);
/// Of one user at one connection.
const MOST_UNTOLD: usize = 32;
/// Pairs of user and connection, and tokens.
pub(crate) const MOST_PAIRS: usize = 200_000;
