//! The texts of an event, scored as its record keeps it.

use onesec_telemetry::event::{Json, Text};
use onesec_telemetry::limits::MAX_TEXT_PARTS;
use onesec_telemetry::{Details, Event, Name, Reach, TextPart, TextScore, TextSpan};
use serde_json::Value;

use crate::{MAX_READ_BYTES, Score, Scorer, Signal, Signals, Strictness};

/// Scores every text of `event` that an agent or a person reads; `None` where none of them says anything.
///
/// At most [`MAX_EVENT_BYTES`] are read of one event; where there is more, the record says so.
#[must_use]
pub fn score_event(scorer: &Scorer, event: &Event) -> Option<Box<TextScore>> {
    let mut reader = Reading { scorer, left: MAX_EVENT_BYTES, parts: Vec::new() };
    reader.details(&event.details);
    let mut parts = reader.parts;
    parts.sort_by_key(|part| std::cmp::Reverse((part.reach, part.value)));
    parts.truncate(MAX_TEXT_PARTS);
    (!parts.is_empty()).then(|| Box::new(TextScore { model: Scorer::MODEL, parts }))
}

/// How much there is to read in an event, in bytes: to decide where it is read.
#[must_use]
pub fn text_bytes(event: &Event) -> usize {
    let text = |text: &Option<Text>| text.as_ref().map_or(0, |text| text.as_str().len());
    let json = |json: &Option<Json>| json.as_ref().map_or(0, |json| json.as_str().len());
    match &event.details {
        Details::ContentIngest(d) => d.content.as_str().len(),
        Details::AgentMarkdownIngest(d) => d.content.as_str().len(),
        Details::AgentMemoryWrite(d) => d.content.as_str().len(),
        Details::ContextUpdate(d) => d.content.as_str().len(),
        Details::RagInject(d) => d.content.as_str().len(),
        Details::RagRetrieval(d) => text(&d.retrieved_content),
        Details::AgentGoal(d) => text(&d.goal),
        Details::AgentPlan(d) => text(&d.plan),
        Details::AgentDecision(d) => text(&d.decision),
        Details::ToolCall(d) => text(&d.result) + json(&d.arguments),
        Details::FunctionCall(d) => text(&d.result) + json(&d.arguments),
        Details::AgentAction(d) => text(&d.result) + json(&d.arguments),
        Details::ToolRegister(d) => text(&d.description) + json(&d.parameters),
        Details::ToolUpdate(d) => text(&d.description) + json(&d.parameters),
        Details::McpToolList(d) => d.tools.as_str().len(),
        Details::LlmOutput(d) => d.output.as_str().len(),
        _ => 0,
    }
}

/// What is read of one event, in bytes.
pub const MAX_EVENT_BYTES: usize = 4 * MAX_READ_BYTES;

struct Reading<'a> {
    scorer: &'a Scorer,
    left: usize,
    parts: Vec<TextPart>,
}

impl Reading<'_> {
    fn details(&mut self, details: &Details) {
        match details {
            Details::ContentIngest(d) => self.text("/content", &d.content),
            Details::AgentMarkdownIngest(d) => self.text("/content", &d.content),
            Details::AgentMemoryWrite(d) => self.text("/content", &d.content),
            Details::ContextUpdate(d) => self.text("/content", &d.content),
            Details::RagInject(d) => self.text("/content", &d.content),
            Details::RagRetrieval(d) => self.maybe("/retrieved_content", d.retrieved_content.as_ref()),
            Details::AgentGoal(d) => self.maybe("/goal", d.goal.as_ref()),
            Details::AgentPlan(d) => self.maybe("/plan", d.plan.as_ref()),
            Details::AgentDecision(d) => self.maybe("/decision", d.decision.as_ref()),
            Details::ToolCall(d) => self.call(d.arguments.as_ref(), d.result.as_ref()),
            Details::FunctionCall(d) => self.call(d.arguments.as_ref(), d.result.as_ref()),
            Details::AgentAction(d) => self.call(d.arguments.as_ref(), d.result.as_ref()),
            Details::ToolRegister(d) => {
                self.maybe("/description", d.description.as_ref());
                self.json("/parameters", d.parameters.as_ref());
            }
            Details::ToolUpdate(d) => {
                self.maybe("/description", d.description.as_ref());
                self.json("/parameters", d.parameters.as_ref());
            }
            Details::McpToolList(d) => self.tools(&d.tools),
            Details::LlmOutput(d) => self.text("/output", &d.output),
            _ => {}
        }
    }

    /// What a tool gave back is read by the agent. What it was given is the agent's own words: only whether they press
    /// somebody to pay elsewhere is of interest, and the detectors look at that.
    fn call(&mut self, arguments: Option<&Json>, result: Option<&Text>) {
        self.maybe("/result", result);
        if let Some(arguments) = arguments {
            let mut texts = Vec::new();
            strings(&arguments.to_value(), &mut texts);
            let all = texts.join("\n");
            let score = self.read(&all);
            let persuades = score.as_ref().is_some_and(|score| score.signals.contains(Signal::PaymentChange));
            if let Some(score) = score.filter(|_| persuades) {
                self.keep("/arguments", &Score { value: 0, ..score });
            }
        }
    }

    fn tools(&mut self, tools: &Json) {
        let Value::Array(list) = tools.to_value() else { return };
        for (index, tool) in list.iter().enumerate() {
            let Value::Object(members) = tool else { continue };
            for (name, member) in members.iter().filter(|(name, _)| *name != "name") {
                let mut texts = Vec::new();
                strings(member, &mut texts);
                self.str(&format!("/tools/{index}/{name}"), &texts.join("\n"));
            }
        }
    }

    fn json(&mut self, field: &str, value: Option<&Json>) {
        let Some(value) = value else { return };
        let mut texts = Vec::new();
        strings(&value.to_value(), &mut texts);
        self.str(field, &texts.join("\n"));
    }

    fn maybe(&mut self, field: &str, text: Option<&Text>) {
        if let Some(text) = text {
            self.text(field, text);
        }
    }

    fn text(&mut self, field: &str, text: &Text) {
        self.str(field, text.as_str());
    }

    fn str(&mut self, field: &str, text: &str) {
        match self.read(text) {
            Some(score) => self.keep(field, &score),
            None if !text.is_empty() => self.unread(field, text.len()),
            None => {}
        }
    }

    /// `None` where nothing is left to read with, or there is nothing to read.
    fn read(&mut self, text: &str) -> Option<Score> {
        if self.left == 0 || text.is_empty() {
            return None;
        }
        self.left = self.left.saturating_sub(text.len().min(MAX_READ_BYTES));
        Some(self.scorer.score(text))
    }

    fn keep(&mut self, field: &str, score: &Score) {
        if score.signals.is_empty() && !score.sampled {
            return;
        }
        let Ok(field) = Name::new(field) else { return };
        let span =
            |span: &crate::Span| TextSpan { start: span.start, end: span.end, why: span.why, weight: span.weight };
        self.parts.push(TextPart {
            field,
            reach: reach(score),
            value: score.value,
            signals: score.signals,
            spans: score.spans.iter().map(span).collect(),
            sampled: score.sampled,
            len: u32::try_from(score.len).unwrap_or(u32::MAX),
        });
    }

    /// There was no room to read it.
    fn unread(&mut self, field: &str, len: usize) {
        let Ok(field) = Name::new(field) else { return };
        if self.parts.iter().filter(|part| part.value == 0).count() >= MAX_TEXT_PARTS {
            return;
        }
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        let (reach, signals) = (Reach::None, Signals::EMPTY);
        self.parts.push(TextPart { field, reach, value: 0, signals, spans: Vec::new(), sampled: true, len });
    }
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => members.values().for_each(|member| strings(member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// At which strictness the text counts.
fn reach(score: &Score) -> Reach {
    let counts = |strictness| score.is_instruction_like(strictness);
    if counts(Strictness::Lenient) {
        Reach::Lenient
    } else if counts(Strictness::Standard) {
        Reach::Standard
    } else if counts(Strictness::Strict) {
        Reach::Strict
    } else {
        Reach::None
    }
}
