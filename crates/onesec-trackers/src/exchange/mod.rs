//! `ExchangeTracker`: how often, for whom, from where, and what was asked for. Statistics: all of it is bounded.

mod entries;
mod joins;

use std::net::IpAddr;

use onesec_telemetry::id::confusable_skeleton;
use onesec_telemetry::{AgentId, Timestamp};

pub(crate) use entries::{AgentStats, AgentUser, Pair, Root, Side, Skeleton};
pub(crate) use joins::{Join, View, join_of};
use serde::{Deserialize, Serialize};

use crate::config::Bounds;
use crate::pool::{Evicted, Pool};
use crate::shared::{Seed, Shared, Sym};
use crate::state::{StateError, StateReader, StateWriter};

/// Statistics about exchanges, by everything they are keyed by.
#[derive(Debug)]
pub(crate) struct ExchangeTracker {
    pub(crate) agents: Pool<AgentStats>,
    pub(crate) agent_users: Pool<AgentUser>,
    pub(crate) pairs: Pool<Pair>,
    pub(crate) roots: Pool<Root>,
    pub(crate) joins: Pool<Join>,
    pub(crate) skeletons: Pool<Skeleton>,
    /// Pairs whose baseline was evicted: what comes back is pending, never fresh.
    pub(crate) evicted: Evicted,
    /// Entries that were evicted while their rate was above the limit.
    pub(crate) armed_evicted: u64,
}

impl ExchangeTracker {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let share = bounds.key_share;
        Self {
            agents: Pool::new(bounds.agents, share),
            agent_users: Pool::new(bounds.pairs, share),
            pairs: Pool::new(bounds.pairs, share),
            roots: Pool::new(bounds.agents, share),
            joins: Pool::new(bounds.tokens, share),
            skeletons: Pool::new(bounds.agents, share),
            evicted: Evicted::default(),
            armed_evicted: 0,
        }
    }

    pub(crate) fn evictions(&self) -> u64 {
        let windows = self.agents.evictions() + self.agent_users.evictions() + self.roots.evictions();
        windows + self.pairs.evictions() + self.joins.evictions() + self.skeletons.evictions()
    }

    /// The agent seen first whose id looks like `agent`.
    pub(crate) fn look_alike(&self, shared: &Shared, agent: &AgentId) -> Option<&Sym> {
        let skeleton = confusable_skeleton(agent.as_str());
        let found = self.skeletons.find(shared.seed.of(&skeleton), |known| known.is(&skeleton))?;
        self.skeletons.get(found).map(|known| &known.agent).filter(|first| ***first != *agent.as_str())
    }

    pub(crate) fn save(&self, out: &mut StateWriter) {
        out.put("agents", &self.agents.saved());
        out.put("agent_users", &self.agent_users.saved());
        out.put("pairs", &self.pairs.saved());
        out.put("roots", &self.roots.saved());
        out.put("joins", &self.joins.saved());
        out.put("skeletons", &self.skeletons.saved());
        out.put("evicted", &(&self.evicted, self.armed_evicted));
    }

    pub(crate) fn load(bounds: &Bounds, seed: &Seed, from: StateReader<'_>) -> Result<Self, StateError> {
        let new = Self::new(bounds);
        let (evicted, armed_evicted) = from.get("evicted")?;
        Ok(Self {
            agents: new.agents.fill(&mut from.stream("agents")?, seed)?,
            agent_users: new.agent_users.fill(&mut from.stream("agent_users")?, seed)?,
            pairs: new.pairs.fill(&mut from.stream("pairs")?, seed)?,
            roots: new.roots.fill(&mut from.stream("roots")?, seed)?,
            joins: new.joins.fill(&mut from.stream("joins")?, seed)?,
            skeletons: new.skeletons.fill(&mut from.stream("skeletons")?, seed)?,
            evicted,
            armed_evicted,
        })
    }
}

/// Where a record came from, as coarse as an agent's home is: /24 of IPv4, /48 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Network {
    V4([u8; 3]),
    V6([u16; 3]),
}

impl Network {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, ..] = v6.segments();
                Self::V6([a, b, c])
            }
        }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::V4([a, b, c]) => write!(f, "{a}.{b}.{c}.0/24"),
            Self::V6([a, b, c]) => {
                write!(f, "{}/48", std::net::Ipv6Addr::new(*a, *b, *c, 0, 0, 0, 0, 0))
            }
        }
    }
}

/// Age at which views of one exchange no longer join.
pub(crate) const JOIN_WITHIN: std::time::Duration = std::time::Duration::from_secs(600);

/// Whether two times are within `JOIN_WITHIN` of each other, in either order.
pub(crate) fn within(a: Timestamp, b: Timestamp) -> bool {
    a.since(b).max(b.since(a)) <= JOIN_WITHIN
}
