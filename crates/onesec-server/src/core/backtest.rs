//! What policies would have done to what has happened: judged in an engine of its own. Nothing is carried out, and the
//! outbox is not opened.

use std::collections::BTreeMap;
use std::path::Path;

use onesec_engine::{Answer, EnforcementSettings, Engine, Output, Settings};
use onesec_journal::Reader;
use onesec_telemetry::event::Json;
use onesec_telemetry::{Body, Channel, Command, Mode, Record, ResponseStatus, TenantId, Timestamp};
use serde_json::Value;

use super::options::{SharedAssemble, StartError};
use super::recovery::{boxed, feed};

/// What would have happened.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Trial {
    /// Requests that were judged.
    pub requests: u64,
    /// How many of them would not have passed.
    pub refused: u64,
    /// The first of those: when, who, for whom, where, the verdict and why.
    pub calls: Vec<[String; 6]>,
    /// Who would have been refused, and by which detector: each with a count.
    pub cut_off: BTreeMap<(String, String), u64>,
    /// Policy, action, target and how far it would have gone: each with a count.
    pub actions: BTreeMap<[String; 4], u64>,
}

/// Calls that are kept one by one.
const MOST_CALLS: usize = 1_000;
/// Kinds that can be asked about before the act.
const ASKED: [&str; 8] = [
    "tool_call",
    "function_call",
    "agent_action",
    "agent_memory_write",
    "agent_spawn",
    "agent_payment",
    "agent_web_fetch",
    "content_ingest",
];

impl Trial {
    /// Counts what the engine says of a record.
    pub fn watch(&mut self, engine: &Engine, record: &Record, output: &Output) {
        for step in &output.steps {
            let response = &step.response;
            let how = match response.status {
                ResponseStatus::Executing => "done",
                ResponseStatus::PendingApproval => "asked",
                ResponseStatus::Skipped => "skipped",
                _ => continue,
            };
            let target = response.target.as_ref().map_or("-", |target| target.as_str());
            let key = [response.policy.as_str(), response.action.as_str(), target, how].map(str::to_owned);
            *self.actions.entry(key).or_default() += 1;
        }
        if let Some(answer) = answer(engine, record, output) {
            self.count(record, output, &answer);
        }
    }

    fn count(&mut self, record: &Record, output: &Output, answer: &Answer) {
        self.requests += 1;
        if answer.applies.passes() {
            return;
        }
        self.refused += 1;
        let name = |id: Option<&str>| id.unwrap_or("-").to_owned();
        let agent = name(record.agent().map(AsRef::as_ref));
        for finding in &output.findings {
            *self.cut_off.entry((agent.clone(), finding.brief.detector.to_owned())).or_default() += 1;
        }
        if self.calls.len() < MOST_CALLS {
            self.calls.push([
                record.at.to_string(),
                agent,
                name(record.user().map(AsRef::as_ref)),
                name(record.connection().map(AsRef::as_ref)),
                answer.applies.as_str().to_owned(),
                answer.because.as_ref().map(|because| because.reason.clone()).unwrap_or_default(),
            ]);
        }
    }
}

/// The answer that was given, or would have been given to what a file only tells of.
fn answer(engine: &Engine, record: &Record, output: &Output) -> Option<Answer> {
    let event = record.event()?;
    if record.sender.channel != Channel::Replay {
        return output.answer.clone();
    }
    let kind = event.kind_name();
    (kind == "token_exchange" || ASKED.contains(&&*kind)).then(|| engine.would_answer(record, &output.findings))
}

/// Judges the records in `dir` from `since` on by `enforcement`, live, in place of what was enforced then.
///
/// # Errors
/// [`StartError`] where the journal cannot be read or the policies cannot be used.
pub fn backtest(
    dir: &Path,
    (tenant, since): (&TenantId, Timestamp),
    enforcement: &EnforcementSettings,
    assemble: &SharedAssemble,
) -> Result<Trial, StartError> {
    let enforcement = EnforcementSettings { mode: Mode::Live, ..enforcement.clone() };
    let settings = Settings { enforcement: enforcement.clone(), ..Settings::default() };
    let mut engine = Engine::new(tenant.clone(), settings, boxed(assemble))?;
    let written = serde_json::to_value(&enforcement).unwrap_or(Value::Null);
    let reader = Reader::open(dir)?;
    let mut trial = Trial::default();
    feed(&reader, tenant, 0, |_, mut record| {
        if !instead(&mut record, &written) {
            return;
        }
        let output = engine.apply(&record);
        if record.observed_at >= since {
            trial.watch(&engine, &record, &output);
        }
    })?;
    Ok(trial)
}

/// What was enforced then does not count; everything else that was configured does. `false`: the record is left out.
fn instead(record: &mut Record, enforcement: &Value) -> bool {
    match &mut record.body {
        Body::Command(
            Command::SetMode(_) | Command::SetPreset(_) | Command::SetPolicy { .. } | Command::RemovePolicy { .. },
        ) => false,
        Body::Command(Command::Configure { content, .. }) => {
            let mut settings = content.to_value();
            if let Value::Object(members) = &mut settings {
                members.insert("enforcement".to_owned(), enforcement.clone());
            }
            *content = Json::redacted(settings);
            true
        }
        // A person's word is on a question that may not be asked now; restraints followed from what was enforced then.
        Body::Command(
            Command::DecideApproval { .. } | Command::RestrainAgent { .. } | Command::BlockAddress { .. },
        ) => false,
        _ => true,
    }
}
