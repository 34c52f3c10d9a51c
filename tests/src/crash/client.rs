//! A client with a mind of its own: asks for one thing after the other, remembers what was acknowledged, and what was
//! under way when the server went.

use std::time::Duration;

use onesec_testkit::Rng;
use serde_json::{Value, json};

use super::model::{Facts, Model, Operation, Said, What, difference};
use crate::http::{Answer, Http};

/// Users and agents of one client.
const EACH: u64 = 4;
/// Batches that may be sent again.
const REMEMBERED: usize = 20;

/// One client through all lives of a directory.
#[derive(Debug)]
pub struct Client {
    number: usize,
    rng: Rng,
    /// What was acknowledged.
    pub model: Model,
    /// What was asked for and not answered, and whether it has happened all the same.
    under_way: Option<(Operation, bool)>,
    sent: Vec<Vec<Said>>,
    next: u64,
    /// Operations acknowledged.
    pub acknowledged: u64,
}

/// How a client's part in a life went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parting {
    /// It had asked for all it wanted.
    Done,
    /// The server went.
    CutOff,
}

impl Client {
    /// The client `number` with its own sequence of wishes.
    #[must_use]
    pub fn new(number: usize, seed: u64) -> Self {
        Self {
            number,
            rng: Rng::new(seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            model: Model::default(),
            under_way: None,
            sent: Vec::new(),
            next: 0,
            acknowledged: 0,
        }
    }

    /// Whether a name is one of this client's.
    #[must_use]
    pub fn owns(&self, name: &str) -> bool {
        name.split_once('-').and_then(|(_, rest)| rest.split('-').next()).is_some_and(|n| n == self.number.to_string())
    }

    fn name(&mut self, letter: char) -> String {
        format!("{letter}-{}-{}", self.number, self.rng.below(EACH))
    }

    fn fresh(&mut self, letter: char) -> String {
        self.next += 1;
        format!("{letter}-{}-{}", self.number, self.next)
    }

    /// The server is up again: what was acknowledged must stand, and what was under way wholly or not at all.
    ///
    /// # Errors
    /// What is not so, a line each.
    pub fn compare(&mut self, found: &Facts) -> Result<(), Vec<String>> {
        let without = difference(&self.model.facts(), found);
        let Some((operation, happened)) = &mut self.under_way else {
            return if without.is_empty() { Ok(()) } else { Err(without) };
        };
        let mut after = self.model.clone();
        after.apply(operation);
        let with = difference(&after.facts(), found);
        *happened = with.is_empty();
        if *happened {
            self.model = after;
        } else if !without.is_empty() {
            let mut lines = vec![format!("neither with nor without what was under way: {operation:?}")];
            lines.extend(without.into_iter().map(|line| format!("without it, {line}")));
            lines.extend(with.into_iter().map(|line| format!("with it, {line}")));
            return Err(lines);
        }
        Ok(())
    }

    /// Asks for `count` things, or until the server goes.
    ///
    /// # Errors
    /// An answer that must not be.
    pub fn work(&mut self, url: &str, key: &str, count: usize) -> Result<Parting, Vec<String>> {
        let mut http = Http::new(url, Some(key));
        // As any client does that had no answer: again, and under the same id where there is one.
        let again = self.under_way.take().and_then(|(operation, happened)| match operation {
            Operation::Batch(events) if happened => Some(Operation::Repeat(events)),
            Operation::Stray(agent, id) if happened => Some(Operation::StrayAgain(agent, id)),
            other => Some(other).filter(|_| !happened),
        });
        if let Some(again) = again
            && self.ask(&mut http, again)? == Parting::CutOff
        {
            return Ok(Parting::CutOff);
        }
        for _ in 0..count {
            let operation = self.wish();
            if self.ask(&mut http, operation)? == Parting::CutOff {
                return Ok(Parting::CutOff);
            }
        }
        Ok(Parting::Done)
    }

    fn ask(&mut self, http: &mut Http, operation: Operation) -> Result<Parting, Vec<String>> {
        loop {
            let answer = self.send(http, &operation);
            match answer.status {
                0 => {
                    self.under_way = Some((operation, false));
                    return Ok(Parting::CutOff);
                }
                429 | 503 => std::thread::sleep(Duration::from_millis(5)),
                _ => {
                    self.hear(&operation, &answer)?;
                    self.acknowledged += 1;
                    return Ok(Parting::Done);
                }
            }
        }
    }

    /// What the answer means.
    fn hear(&mut self, operation: &Operation, answer: &Answer) -> Result<(), Vec<String>> {
        let wrong = || Err(vec![format!("{operation:?} was answered {}: {}", answer.status, answer.text())]);
        if answer.status >= 300 {
            return wrong();
        }
        let json = answer.json();
        let counts = (json["accepted"].as_u64(), json["duplicates"].as_u64());
        match operation {
            Operation::Batch(events) if counts != (Some(events.len() as u64), Some(0)) => return wrong(),
            Operation::Repeat(events) if counts != (Some(0), Some(events.len() as u64)) => return wrong(),
            Operation::StrayAgain(..) if counts != (Some(0), Some(1)) => return wrong(),
            Operation::Stray(..) if counts != (Some(1), Some(0)) => return wrong(),
            Operation::Ask(_, id) if json["event_id"] != id.as_str() => return wrong(),
            _ => {}
        }
        self.model.apply(operation);
        match operation {
            Operation::Batch(events) => {
                self.sent.push(events.clone());
                if self.sent.len() > REMEMBERED {
                    self.sent.remove(0);
                }
            }
            Operation::Key(agent) => {
                let key = json["key"].as_str().map(str::to_owned);
                self.model.strays.entry(agent.clone()).or_default().key = key;
            }
            _ => {}
        }
        Ok(())
    }

    fn send(&self, http: &mut Http, operation: &Operation) -> Answer {
        match operation {
            Operation::Batch(events) | Operation::Repeat(events) => {
                http.post("/api/v1/events", &Value::Array(events.iter().map(event).collect()))
            }
            Operation::Suspend(agent) => http.post(&format!("/api/v1/agents/{agent}/suspend"), &json!({})),
            Operation::Resume(agent) => http.post(&format!("/api/v1/agents/{agent}/resume"), &json!({})),
            Operation::Register(agent) => {
                http.call("PUT", &format!("/api/v1/agents/{agent}"), &json!({"owner": "somebody"}))
            }
            Operation::Forget(agent) => http.call("DELETE", &format!("/api/v1/agents/{agent}"), &Value::Null),
            Operation::Key(agent) => {
                let wanted = json!({"name": agent, "scopes": ["events:write"], "agent_id": agent});
                http.post("/api/v1/keys", &wanted)
            }
            Operation::Stray(agent, id) | Operation::StrayAgain(agent, id) => {
                let details = json!({"agent_id": agent, "user_id": format!("u-{}-0", self.number), "success": true,
                    "connection": "google-oauth2", "scopes": "calendar.readonly"});
                let event = json!({"id": id, "type": "token_exchange_response", "details": details});
                http.with_key(&self.key_of(agent)).post("/api/v1/events", &event)
            }
            Operation::Decide(agent, yes) => decide(http, agent, *yes),
            Operation::Ask(agent, id) => {
                let details = json!({"agent_id": agent, "tool": "search", "arguments": {"q": "weather"}});
                let event = json!({"id": id, "type": "tool_call", "details": details});
                http.with_key(&self.key_of(agent)).post("/api/v1/decide", &event)
            }
        }
    }

    fn key_of(&self, agent: &str) -> String {
        self.model.strays.get(agent).and_then(|stray| stray.key.clone()).unwrap_or_default()
    }

    /// The next thing that comes to its mind.
    fn wish(&mut self) -> Operation {
        let registered =
            |client: &Self, agent: &str| client.model.facts().contains_key(&format!("registration {agent}"));
        match self.rng.below(20) {
            0 => Operation::Suspend(self.name('a')),
            1 => Operation::Resume(self.name('a')),
            2 => Operation::Register(self.name('a')),
            3 => {
                let agent = self.name('a');
                if registered(self, &agent) { Operation::Forget(agent) } else { Operation::Register(agent) }
            }
            4 | 5 => Operation::Key(self.fresh('s')),
            6 | 7 => self.stray(Operation::Stray),
            8 | 9 => self.stray(Operation::Ask),
            10 => self.word(),
            11 | 12 if !self.sent.is_empty() => Operation::Repeat(self.rng.pick(&self.sent).clone()),
            _ => {
                let count = 1 + self.rng.below(5);
                Operation::Batch(self.batch(count))
            }
        }
    }

    /// Events of one request have the same time, and a revocation wins against a grant of that time: whom one of them
    /// takes something from is not spoken of again in the same request, so that the model need not know of times.
    fn batch(&mut self, count: u64) -> Vec<Said> {
        let mut events: Vec<Said> = Vec::new();
        for _ in 0..count {
            let mut said = self.said();
            let ended = |before: &Said| before.what.is_end() && before.what.user() == said.what.user();
            if said.what.user().is_some() && events.iter().any(ended) {
                said.what = What::Goal(self.name('a'));
            }
            events.push(said);
        }
        events
    }

    fn said(&mut self) -> Said {
        let (agent, user) = (self.name('a'), self.name('u'));
        let what = match self.rng.below(8) {
            0..=2 => What::Link(user),
            3 => What::Unlink(user),
            4 | 5 => What::Delegate(agent, user),
            6 => What::Revoke(agent, user),
            _ => What::Goal(agent),
        };
        Said { id: self.fresh('e'), what }
    }

    fn stray(&mut self, does: impl Fn(String, String) -> Operation) -> Operation {
        let known: Vec<String> =
            self.model.strays.iter().filter(|(_, stray)| stray.key.is_some()).map(|(name, _)| name.clone()).collect();
        if known.is_empty() {
            return Operation::Key(self.fresh('s'));
        }
        let agent = self.rng.pick(&known).clone();
        does(agent, self.fresh('e'))
    }

    fn word(&mut self) -> Operation {
        let waiting = |(_, stray): &(&String, &super::model::Stray)| stray.seen > 0 && stray.decided.is_none();
        let waiting = self.model.strays.iter().find(waiting).map(|(name, _)| name.clone());
        match waiting {
            Some(agent) => Operation::Decide(agent, self.rng.chance(60)),
            None => self.stray(Operation::Stray),
        }
    }
}

fn decide(http: &mut Http, agent: &str, yes: bool) -> Answer {
    let waiting = http.get("/api/v1/approvals");
    if waiting.status != 200 {
        return waiting;
    }
    let all = waiting.json();
    let asked = all["approvals"].as_array().into_iter().flatten().find(|asked| asked["agent_id"] == agent).cloned();
    let asked = asked.unwrap_or_default();
    let word = if yes { "approve" } else { "reject" };
    let path = format!("/api/v1/approvals/{}/{word}", asked["id"].as_str().unwrap_or("none"));
    http.post(&path, &json!({"action_digest": asked["action_digest"]}))
}

fn event(said: &Said) -> Value {
    let (kind, details) = match &said.what {
        What::Link(user) => {
            ("connected_account_link", json!({"user_id": user, "connection": "github", "scopes": "read:org"}))
        }
        What::Unlink(user) => ("connected_account_unlink", json!({"user_id": user, "connection": "github"})),
        What::Delegate(agent, user) => (
            "agent_identity_delegation",
            json!({"agent_id": agent, "delegated_by": user, "connection": "github", "scopes": "read:org"}),
        ),
        What::Revoke(agent, user) => {
            ("agent_delegation_revoked", json!({"agent_id": agent, "delegated_by": user, "connection": "github"}))
        }
        What::Goal(agent) => ("agent_goal", json!({"agent_id": agent, "goal": "tidy up"})),
    };
    json!({"id": said.id, "type": kind, "details": details})
}
