//! How far errors, retries and the same act have spread over agents.

use std::collections::VecDeque;
use std::time::Duration;

use compact_str::CompactString;
use onesec_telemetry::{AgentId, Details, Name, Record, Timestamp};
use serde::{Deserialize, Serialize};

use super::conduct::digest;
use super::measure::Who;
use crate::facts::{Act, Spread, SpreadFacts};
use crate::pool::Entry;
use crate::shared::{Seed, Sym, both};
use crate::trackers::State;
use crate::window::Class;

/// What agents share, and who met trouble there a little while ago.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cluster {
    what: Spread,
    name: Sym,
    hits: VecDeque<Hit>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Hit {
    at: Timestamp,
    agent: Sym,
    proved: bool,
}

/// What a record adds.
pub(crate) type Shares = Vec<(Spread, CompactString)>;

/// What the record shares with others: where an error happened, or what is done.
pub(crate) fn shares(record: &Record, act: Option<&Act<'_>>) -> Shares {
    let mut shares = Shares::new();
    let Some(event) = record.event() else { return shares };
    let fault = match &event.details {
        Details::AgentError(d) => Some((d.tool.as_ref(), d.target_agent.as_ref())),
        Details::AgentTimeout(d) => Some((d.tool.as_ref(), d.target_agent.as_ref())),
        Details::AgentRetry(d) => Some((d.tool.as_ref(), d.target_agent.as_ref())),
        Details::ToolCall(d) if is_failure(d.status.as_ref()) => Some((Some(&d.tool), None)),
        Details::FunctionCall(d) if is_failure(d.status.as_ref()) => Some((Some(&d.tool), None)),
        Details::AgentAction(d) if is_failure(d.status.as_ref()) => Some((d.tool.as_ref(), None)),
        _ => None,
    };
    if let Some((tool, target)) = fault {
        let common = &event.common;
        let named = [
            (Spread::Task, common.task_id.as_ref().map(AsRef::as_ref)),
            (Spread::Tool, tool.map(Name::as_str)),
            (Spread::Connection, common.connection.as_ref().map(AsRef::<str>::as_ref)),
        ];
        shares.extend(named.into_iter().filter_map(|(what, name)| Some((what, CompactString::from(name?)))));
        if let (Some(agent), Some(target)) = (record.agent(), target) {
            shares.push((Spread::Pair, pair(agent, target)));
        }
        return shares;
    }
    if let Some(act) = act.filter(|act| act.tool.is_some() && !act.done && !act.arguments.is_empty()) {
        shares.push((Spread::Act, CompactString::from(format!("{:016x}", digest(act)))));
    }
    shares
}

fn pair(a: &AgentId, b: &AgentId) -> CompactString {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    CompactString::from(format!("{first} and {second}"))
}

fn is_failure(status: Option<&Name>) -> bool {
    let failed = ["error", "failed", "failure", "timeout", "timed_out", "exception", "5xx"];
    status.is_some_and(|status| failed.iter().any(|word| status.as_str().eq_ignore_ascii_case(word)))
}

impl State {
    pub(crate) fn spread_facts(&self, who: Who<'_>, record: &Record, act: Option<&Act<'_>>) -> Vec<SpreadFacts> {
        let Some(agent) = who.agent else { return Vec::new() };
        let shared = shares(record, act).into_iter();
        let measured = shared.map(|(what, name)| {
            let known = self.cluster(what, &name);
            let hits = known.into_iter().flat_map(|known| &known.hits);
            let counting: Vec<&Hit> = hits
                .filter(|hit| record.at.since(hit.at) < WITHIN && (hit.proved || who.class == Class::Reported))
                .collect();
            let mut agents: Vec<&str> = counting.iter().map(|hit| &*hit.agent).chain([agent.as_str()]).collect();
            agents.sort_unstable();
            agents.dedup();
            SpreadFacts {
                what,
                name: name.into_string(),
                agents: count(agents.len()),
                records: count(counting.len() + 1),
                window: WITHIN,
            }
        });
        measured.collect()
    }

    fn cluster(&self, what: Spread, name: &str) -> Option<&Cluster> {
        let slot = self
            .behaviour
            .clusters
            .find(hash(&self.shared.seed, what, name), |known| known.what == what && *known.name == *name)?;
        self.behaviour.clusters.get(slot)
    }

    pub(crate) fn settle_spread(&mut self, shares: &Shares, by: (&str, Class, Timestamp), owner: &Option<Sym>) {
        let (agent, class, at) = by;
        for (what, name) in shares {
            let hash = hash(&self.shared.seed, *what, name);
            let found = self.behaviour.clusters.find(hash, |known| known.what == *what && *known.name == **name);
            let slot = found.unwrap_or_else(|| {
                let new = Cluster { what: *what, name: self.shared.name(name), hits: VecDeque::new() };
                self.behaviour.clusters.insert(hash, owner.clone(), new).0
            });
            let agent = self.shared.name(agent);
            let Some(known) = self.behaviour.clusters.get_mut(slot) else { continue };
            known.hits.retain(|hit| at.since(hit.at) < WITHIN);
            if known.hits.len() >= MOST_HITS {
                known.hits.pop_front();
            }
            known.hits.push_back(Hit { at, agent, proved: class == Class::Proved });
        }
    }
}

fn hash(seed: &Seed, what: Spread, name: &str) -> u64 {
    both(what as u64, seed.of(name))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Entry for Cluster {
    fn hash(&self, seed: &Seed) -> u64 {
        hash(seed, self.what, &self.name)
    }
}

/// How long trouble counts.
const WITHIN: Duration = Duration::from_secs(120);
/// What is remembered of one cluster.
const MOST_HITS: usize = 64;
