//! Snapshots: everything, in an order that shows nothing of how it came about.

use onesec_telemetry::Reach;

use super::stash::Stash;
use super::{Dirty, State, Trackers};
use crate::accounts::ConnectedAccountTracker;
use crate::behaviour::BehaviourTracker;
use crate::chains::{DelegationChainTracker, NONE};
use crate::config::{Bounds, TrackerConfig};
use crate::exchange::ExchangeTracker;
use crate::names::{Known, numbered};
use crate::pool::Pool;
use crate::reach::ReachTracker;
use crate::registry::Registry;
use crate::scopes::CatalogueRef;
use crate::shared::{Seed, Shared};
use crate::state::{StateError, StateReader, StateWriter};
use crate::tokens::{App, Token};

impl Trackers {
    /// Writes everything that later facts depend on. Equal states are equal bytes.
    ///
    /// A record that was observed and not settled is not part of it, and neither are changes not drained.
    pub fn save(&self, out: &mut StateWriter) {
        out.put("format", &FORMAT);
        numbered(out, |out| self.state.save(out));
    }

    /// Trackers as they were when they were saved.
    ///
    /// # Errors
    /// [`StateError`] where a section is missing or damaged, or another version wrote them in another form.
    pub fn load(
        config: TrackerConfig,
        catalogue: impl Into<CatalogueRef>,
        from: StateReader<'_>,
    ) -> Result<Self, StateError> {
        match from.get("format") {
            Ok(FORMAT) => {}
            Ok(found) => return Err(StateError::OtherFormat { found, read: FORMAT }),
            // The first format had no number.
            Err(StateError::Missing(_)) => return Err(StateError::OtherFormat { found: 1, read: FORMAT }),
            Err(damaged) => return Err(damaged),
        }
        let known = Known::read(from)?;
        let (bounds, least, seed) = (config.bounds, config.instruction_from, Seed::default());
        let ledger = || known.while_reading(|| Ledger::load(from, &seed));
        let statistics = || known.while_reading(|| Statistics::load((&bounds, least), &seed, from));
        let statistics = || statistics().map(|statistics| (statistics, Shared::of(&known, seed.clone())));
        let ((statistics, shared), ledger) = side_by_side(statistics, ledger)?;
        let state = State {
            config,
            catalogue: catalogue.into(),
            shared,
            exchange: statistics.exchange,
            accounts: ledger.accounts,
            chains: ledger.chains,
            tokens: statistics.tokens,
            apps: statistics.apps,
            suspended: from.get("suspended")?,
            registry: Registry::fill(from.get("registry")?, &seed),
            behaviour: statistics.behaviour,
            reach: statistics.reach,
            refused_full: from.get("refused_full")?,
            dirty: Dirty::default(),
        };
        Ok(Self { state, stash: Stash::default() })
    }
}

/// How sections are written. It is raised when any of them changes, so that what another version wrote is refused, and not
/// misread.
const FORMAT: u32 = 2;

impl State {
    fn save(&self, out: &mut StateWriter) {
        self.exchange.save(out);
        let (holders, accepted) = self.accounts.saved();
        out.put("accounts", &holders);
        out.put("accepted", accepted);
        out.put("delegations", &self.chains.saved());
        out.put("tokens", &self.tokens.saved());
        out.put("apps", &self.apps.saved());
        out.put("suspended", &self.suspended);
        out.put("registry", &self.registry.sorted());
        self.behaviour.save(out);
        self.reach.save(out);
        out.put("refused_full", &self.refused_full);
    }
}

/// What authority made.
struct Ledger {
    accounts: ConnectedAccountTracker,
    chains: DelegationChainTracker,
}

/// What was counted.
struct Statistics {
    exchange: ExchangeTracker,
    tokens: Pool<Token>,
    apps: Pool<App>,
    behaviour: BehaviourTracker,
    reach: ReachTracker,
}

impl Statistics {
    fn load((bounds, least): (&Bounds, Reach), seed: &Seed, from: StateReader<'_>) -> Result<Self, StateError> {
        Ok(Self {
            exchange: ExchangeTracker::load(bounds, seed, from)?,
            tokens: Pool::new(bounds.tokens, bounds.key_share).fill(&mut from.stream("tokens")?, seed)?,
            apps: Pool::new(bounds.apps, bounds.key_share).fill(&mut from.stream("apps")?, seed)?,
            behaviour: BehaviourTracker::load((bounds, least), seed, from)?,
            reach: ReachTracker::load(bounds, seed, from)?,
        })
    }
}

impl Ledger {
    fn load(from: StateReader<'_>, seed: &Seed) -> Result<Self, StateError> {
        let mut ledger = Self {
            accounts: ConnectedAccountTracker::fill(from.stream("accounts")?, from.get("accepted")?, seed)?,
            chains: DelegationChainTracker::fill(from.stream("delegations")?, seed)?,
        };
        ledger.join(seed);
        Ok(ledger)
    }

    /// Delegations and accounts find each other again.
    fn join(&mut self, seed: &Seed) {
        let count = u32::try_from(self.chains.rows().len()).unwrap_or(NONE);
        for at in 0..count {
            let Some(row) = self.chains.row(at) else { return };
            let (holder, alive) = (self.accounts.entry_of(&row.user, &row.connection, seed), row.ended.is_none());
            self.chains.set_holder(at, holder);
            if alive && let Some(found) = self.accounts.holder_mut(holder) {
                found.alive.push(at);
            }
        }
    }
}

/// Does both at once, where the machine has a thread to spare. Neither knows of the other, so nothing depends on which is
/// done first.
fn side_by_side<A, B: Send>(
    here: impl FnOnce() -> Result<A, StateError>,
    there: impl Fn() -> Result<B, StateError> + Sync,
) -> Result<(A, B), StateError> {
    std::thread::scope(|scope| match std::thread::Builder::new().spawn_scoped(scope, &there) {
        Ok(thread) => {
            let here = here();
            let there = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok((here?, there?))
        }
        Err(_) => Ok((here()?, there()?)),
    })
}
