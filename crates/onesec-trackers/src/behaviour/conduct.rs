//! What an agent does and did: which tools, how often, what for the first time.

use std::time::Duration;

use compact_str::CompactString;
use onesec_telemetry::{ActionClass, Timestamp};
use serde::{Deserialize, Serialize};

use super::taint::Taint;
use crate::facts::{Act, UsageFacts};
use crate::pool::Entry;
use crate::shared::{Seed, Sym, stable_hash};
use crate::window::Split;

/// An agent, as far as its behaviour goes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Conduct {
    pub(crate) agent: Sym,
    pub(crate) taint: Split<Taint>,
    pub(crate) habits: Split<Habits>,
    /// Tasks that it works on, newest last, and whether somebody with authority says so.
    pub(crate) tasks: Vec<(Sym, bool)>,
}

impl Conduct {
    /// Whether forgetting it at `now` sets the agent free of influence that it is under.
    pub(crate) fn matters(&self, now: Timestamp) -> bool {
        self.taint.both().any(|taint| taint.facts(now, false).is_some())
    }
}

/// What an agent is used to do.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Habits {
    acts: u32,
    since: Option<Timestamp>,
    tools: Vec<Sym>,
    more_tools: bool,
    ran: bool,
    recent: Vec<Recent>,
    /// Acts that were asked about and have not been reported as done.
    asked: Vec<u64>,
}

/// A call that came a little while ago.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Recent {
    digest: u64,
    count: u32,
    last: Timestamp,
}

impl Conduct {
    pub(crate) fn new(agent: Sym) -> Self {
        Self { agent, taint: Split::default(), habits: Split::default(), tasks: Vec::new() }
    }

    /// Works on `task`, too. Of eight the oldest is forgotten, those first that are only the agent's own word: it must
    /// not talk its mandates away.
    pub(crate) fn begin(&mut self, task: Sym, stated: bool) {
        self.tasks.retain(|(known, _)| *known != task);
        self.tasks.push((task, stated));
        if self.tasks.len() > MOST_TASKS {
            let claimed = self.tasks.iter().position(|(_, stated)| !stated);
            self.tasks.remove(claimed.unwrap_or(0));
        }
    }
}

impl Habits {
    /// Of an agent that did nothing yet.
    pub(crate) const NONE: &'static Self = &Self {
        acts: 0,
        since: None,
        tools: Vec::new(),
        more_tools: false,
        ran: false,
        recent: Vec::new(),
        asked: Vec::new(),
    };

    pub(crate) fn facts(&self, act: &Act<'_>, at: Timestamp) -> UsageFacts {
        let known = act.tool.map(|tool| self.tools.iter().any(|known| **known == *tool));
        let told = self.is_told(act);
        let before = self.recent.iter().find(|recent| recent.digest == digest(act) && at.since(recent.last) <= WITHIN);
        UsageFacts {
            acts: self.acts,
            since: self.since,
            known: known.filter(|known| *known || !self.more_tools),
            repeats: before.map_or(0, |recent| recent.count) + u32::from(!told),
            first_run: act.classes.contains(ActionClass::Execute) && !self.ran,
        }
    }

    /// Whether the record only tells how something ended that was asked about before.
    pub(crate) fn is_told(&self, act: &Act<'_>) -> bool {
        act.done && self.asked.contains(&digest(act))
    }

    /// An act was done, or asked about. What was alerted does not become a habit.
    pub(crate) fn note(&mut self, deed: &DoneAct, tool: Option<Sym>, teaches: bool) {
        if deed.told {
            self.asked.retain(|asked| *asked != deed.digest);
            return;
        }
        self.acts = self.acts.saturating_add(1);
        self.since = self.since.or(Some(deed.at));
        if deed.asks {
            self.asked.push(deed.digest);
            let over = self.asked.len().saturating_sub(MOST_RECENT);
            self.asked.drain(..over);
        }
        self.repeat(deed.digest, deed.at);
        if !teaches {
            return;
        }
        self.ran |= deed.runs;
        let Some(tool) = tool else { return };
        if !self.tools.contains(&tool) {
            if self.tools.len() < MOST_TOOLS {
                self.tools.push(tool);
            } else {
                self.more_tools = true;
            }
        }
    }

    fn repeat(&mut self, digest: u64, at: Timestamp) {
        self.recent.retain(|recent| at.since(recent.last) <= WITHIN);
        match self.recent.iter_mut().find(|recent| recent.digest == digest) {
            Some(recent) => (recent.count, recent.last) = (recent.count.saturating_add(1), recent.last.max(at)),
            None => {
                if self.recent.len() >= MOST_RECENT {
                    self.recent.remove(0);
                }
                self.recent.push(Recent { digest, count: 1, last: at });
            }
        }
    }
}

/// An act, as far as habits need it.
#[derive(Debug, Clone)]
pub(crate) struct DoneAct {
    pub(crate) at: Timestamp,
    pub(crate) digest: u64,
    pub(crate) tool: Option<CompactString>,
    pub(crate) runs: bool,
    pub(crate) asks: bool,
    pub(crate) told: bool,
    pub(crate) sensitive: bool,
}

/// The same for the same call.
pub(crate) fn digest(act: &Act<'_>) -> u64 {
    let mut parts: Vec<&str> = vec![act.tool.unwrap_or_default(), act.server.unwrap_or_default()];
    parts.extend(act.target);
    for argument in &act.arguments {
        parts.extend([argument.key.as_str(), argument.text.as_str()]);
    }
    stable_hash(&parts)
}

impl Entry for Conduct {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of(&self.agent)
    }
}

/// How long the same call counts as a repetition.
const WITHIN: Duration = Duration::from_secs(120);
/// Calls that are remembered.
const MOST_RECENT: usize = 8;
/// Tools of one agent; novelty is not judged beyond.
const MOST_TOOLS: usize = 64;
/// Tasks of one agent.
const MOST_TASKS: usize = 8;
