//! What a scenario file says, before it means anything.

use onesec_engine::Settings;
use onesec_telemetry::{Command, Record, TokenParties};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ScenarioError;
use super::expect::Expected;
use crate::draft::{Draft, From, Place, at};

/// A file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    pub(super) name: String,
    pub(super) detector: String,
    pub(super) shows: String,
    pub(super) settings: Option<Settings>,
    pub(super) twin_of: Option<String>,
    pub(super) events: Vec<Value>,
    #[serde(default)]
    pub(super) expect: Vec<Expected>,
    #[serde(default)]
    pub(super) silent: bool,
}

/// One of its events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidEvent {
    at: Option<String>,
    #[serde(default)]
    sender: SaidSender,
    key_of: Option<String>,
    id: Option<String>,
    happened_at: Option<String>,
    network: Option<std::net::IpAddr>,
    repeat: Option<Repeat>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    details: Map<String, Value>,
    command: Option<Map<String, Value>>,
    #[serde(default)]
    badly_attested: bool,
    /// At the gateway: whom else the user's token names.
    parties: Option<TokenParties>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SaidSender {
    Gateway,
    Decide,
    #[serde(rename = "self")]
    OwnKey,
    #[default]
    Reported,
    Trusted,
    Auth0,
    Replay,
    Person,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    times: usize,
    every: String,
}

/// So often may one line be repeated.
const MOST_REPEATS: usize = 100_000;

/// The records that an event as written stands for.
pub(super) fn records(index: usize, written: &Value, place: &mut Place) -> Result<Vec<Record>, ScenarioError> {
    let wrong = |what: String| ScenarioError::Member { index, what };
    let mut said: SaidEvent = serde_json::from_value(written.clone()).map_err(|e| wrong(e.to_string()))?;
    let repeat = said.repeat.take();
    let (times, every) = repeat.map_or((1, String::new()), |r| (r.times, format!("+{}", r.every)));
    if !(1..=MOST_REPEATS).contains(&times) {
        return Err(wrong(format!("`repeat.times` must be 1 to {MOST_REPEATS}")));
    }
    let first = draft(&said).map_err(wrong)?;
    let more = Draft::moved(&first, &every);
    let drafts = std::iter::once(&first).chain(std::iter::repeat_n(&more, times - 1));
    drafts.map(|d| d.record(place).map_err(|why| ScenarioError::Event { index, why })).collect()
}

fn draft(said: &SaidEvent) -> Result<Draft, String> {
    let mut draft = at(said.at.as_deref().unwrap_or("+1s")).from(sender(said)?);
    if let Some(id) = &said.id {
        draft = draft.id(id);
    }
    if let Some(time) = &said.happened_at {
        draft = draft.happened_at(time);
    }
    if let Some(address) = said.network {
        draft = draft.network(address);
    }
    if said.badly_attested {
        draft = draft.badly_attested();
    }
    if let Some(parties) = &said.parties {
        draft = draft.parties(parties.clone());
    }
    match (&said.kind, &said.command) {
        (Some(kind), None) => Ok(draft.event(kind).details(said.details.clone())),
        (None, Some(command)) => Ok(draft.command(read_command(command)?)),
        _ => Err("give either `type` or `command`".to_owned()),
    }
}

fn sender(said: &SaidEvent) -> Result<From, String> {
    let named = said.details.get("agent_id").and_then(Value::as_str);
    let agent = || {
        let agent = said.key_of.as_deref().or(named);
        agent
            .map(str::to_owned)
            .ok_or_else(|| "this sender is an agent: give `details.agent_id` or `key_of`".to_owned())
    };
    if said.command.is_some() {
        return Ok(From::Person);
    }
    Ok(match said.sender {
        SaidSender::Gateway => From::Gateway(agent()?),
        SaidSender::Decide => From::Decide(agent()?),
        SaidSender::OwnKey => From::OwnKey(agent()?),
        SaidSender::Reported => From::Reporter,
        SaidSender::Trusted => From::Trusted,
        SaidSender::Auth0 => From::Auth0,
        SaidSender::Replay => From::Replay,
        SaidSender::Person => From::Person,
    })
}

/// `{suspend_agent: {agent: bot-7}}`, as the record has it.
fn read_command(command: &Map<String, Value>) -> Result<Command, String> {
    let camel = |name: &String| -> String {
        let capital = |part: &str| {
            let mut letters = part.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        };
        name.split('_').map(capital).collect()
    };
    let spelt: Map<String, Value> = command.iter().map(|(name, value)| (camel(name), value.clone())).collect();
    serde_json::from_value(Value::Object(spelt)).map_err(|e| format!("no command: {e}"))
}
