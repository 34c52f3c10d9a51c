//! Snapshots: everything, in an order that shows nothing of how it came about.

use std::collections::BTreeMap;

use super::stash::Stash;
use super::{State, Trackers};
use crate::accounts::{Accepted, ConnectedAccountTracker, Holder};
use crate::behaviour::BehaviourTracker;
use crate::chains::{DelegationChainTracker, NONE, SavedChains};
use crate::config::TrackerConfig;
use crate::exchange::ExchangeTracker;
use crate::pool::Pool;
use crate::reach::ReachTracker;
use crate::registry::Registry;
use crate::scopes::CatalogueRef;
use crate::shared::Sym;
use crate::state::{StateError, StateReader, StateWriter};

impl Trackers {
    /// Writes everything that later facts depend on. Equal states are equal bytes.
    ///
    /// A record that was observed and not settled is not part of it, and neither are changes not drained.
    pub fn save(&self, out: &mut StateWriter) {
        let state = &self.state;
        out.put("format", &FORMAT);
        state.exchange.save(out);
        let (holders, accepted) = state.accounts.saved();
        out.put("accounts", &holders);
        out.put("accepted", accepted);
        out.put("delegations", &state.chains.saved());
        out.put("tokens", &state.tokens.saved());
        out.put("apps", &state.apps.saved());
        out.put("suspended", &state.suspended);
        out.put("registry", &state.registry.sorted());
        state.behaviour.save(out);
        state.reach.save(out);
        out.put("refused_full", &state.refused_full);
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
        let mut state = State::new(config, catalogue.into());
        let bounds = state.config.bounds;
        state.exchange = ExchangeTracker::load(&bounds, &mut state.shared, from)?;
        let holders: Vec<Holder> = from.get("accounts")?;
        let accepted: BTreeMap<Sym, Vec<Accepted>> = from.get("accepted")?;
        state.accounts = ConnectedAccountTracker::fill(holders, accepted, &mut state.shared);
        let saved: SavedChains = from.get("delegations")?;
        state.chains = DelegationChainTracker::fill(saved, &mut state.shared);
        state.join_ledgers();
        state.tokens = Pool::new(bounds.tokens, bounds.key_share).fill(from.get("tokens")?, &mut state.shared);
        state.apps = Pool::new(bounds.apps, bounds.key_share).fill(from.get("apps")?, &mut state.shared);
        state.suspended = from.get("suspended")?;
        state.registry = Registry::fill(from.get("registry")?, &state.shared.seed);
        let least = state.config.instruction_from;
        state.behaviour = BehaviourTracker::load((&bounds, least), &mut state.shared, from)?;
        state.reach = ReachTracker::load(&bounds, &mut state.shared, from)?;
        state.refused_full = from.get("refused_full")?;
        Ok(Self { state, stash: Stash::default() })
    }
}

/// How sections are written. It is raised when any of them changes, so that what another version wrote is refused, and not
/// misread.
const FORMAT: u32 = 2;

impl State {
    /// Delegations and accounts find each other again.
    fn join_ledgers(&mut self) {
        let count = u32::try_from(self.chains.rows().len()).unwrap_or(NONE);
        for at in 0..count {
            let Some(row) = self.chains.row(at) else { return };
            let (user, connection, alive) = (row.user.clone(), row.connection.clone(), row.ended.is_none());
            let holder = self.accounts.entry(&user, &connection, &mut self.shared);
            self.chains.set_holder(at, holder);
            if alive && let Some(found) = self.accounts.holder_mut(holder) {
                found.alive.push(at);
            }
        }
    }
}
