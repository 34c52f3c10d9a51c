//! Reading a section of keys strictly: what is not known is an error with a suggestion.

use std::time::Duration;

use onesec_telemetry::redact::redact_text;
use onesec_telemetry::suggest::did_you_mean;
use onesec_telemetry::time::parse_duration;
use serde_json::{Map, Value};

use super::PolicyError;

/// One section, at its path.
pub(crate) struct Section<'a> {
    path: String,
    members: &'a Map<String, Value>,
}

impl<'a> Section<'a> {
    /// `value` as a section that has no other keys than `known`.
    pub(crate) fn of(value: &'a Value, path: &str, known: &[&'static str]) -> Result<Self, PolicyError> {
        let Value::Object(members) = value else {
            return Err(PolicyError::value(path, "must be a section with keys of its own"));
        };
        let section = Self { path: path.to_owned(), members };
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(section),
            Some(name) => {
                let suggestion = did_you_mean(name, known.iter().copied()).map(str::to_owned);
                Err(PolicyError::Unknown { path: section.at(name), suggestion })
            }
        }
    }

    /// The path of `name`, which may be a value that slipped: a secret among names is not told.
    pub(crate) fn at(&self, name: &str) -> String {
        format!("{}.{}", self.path, redact_text(name))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn wrong(&self, name: &str, why: &str) -> PolicyError {
        PolicyError::value(&self.at(name), why)
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, PolicyError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "must be text")),
        }
    }

    pub(crate) fn needed(&self, name: &str) -> Result<&'a str, PolicyError> {
        self.text(name)?.ok_or_else(|| self.wrong(name, "is needed"))
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, PolicyError> {
        let wrong = || self.wrong(name, "must be text or a list of texts");
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::String(one)) => Ok(vec![one.clone()]),
            Some(Value::Array(many)) => {
                many.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    pub(crate) fn switch(&self, name: &str) -> Result<bool, PolicyError> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            // As the rest of the configuration has it.
            Some(Value::String(text)) if text == "on" || text == "off" => Ok(text == "on"),
            Some(_) => Err(self.wrong(name, "must be `on` or `off`")),
        }
    }

    /// A whole number from 1 on.
    pub(crate) fn count(&self, name: &str, most: u32) -> Result<Option<u32>, PolicyError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=most).contains(n));
        number.map(Some).ok_or_else(|| self.wrong(name, &format!("must be 1 to {most}")))
    }

    /// A duration that is one: what lasts no time at all would have no effect.
    pub(crate) fn lasting(&self, name: &str, most: Duration) -> Result<Option<Duration>, PolicyError> {
        match self.duration(name, most)? {
            Some(Duration::ZERO) => Err(self.wrong(name, "must be longer than nothing")),
            duration => Ok(duration),
        }
    }

    /// A duration such as `5m`, up to `most`.
    pub(crate) fn duration(&self, name: &str, most: Duration) -> Result<Option<Duration>, PolicyError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let duration = value.as_str().and_then(parse_duration).filter(|d| *d <= most);
        let why = || format!("must be a duration such as `5m`, at most {} s", most.as_secs());
        duration.map(Some).ok_or_else(|| self.wrong(name, &why()))
    }
}
