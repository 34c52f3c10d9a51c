//! What may be said: every key with its type, found in a file or in the environment.

use onesec_telemetry::redact::redact_text;
use onesec_telemetry::suggest::did_you_mean;
use serde_json::{Map, Value};

use super::ConfigError;
use super::keys::{KEYS, Type};
use super::{parse_duration, parse_size};

/// Sections whose keys a tenant may say again.
const TENANT_SECTIONS: [&str; 6] = ["token_vault", "agents", "security_events", "enforcement", "retention", "quotas"];

/// What was said, checked key by key; values are read with [`Said::text`] and its like.
/// No `Debug`: it may hold a secret.
#[derive(Clone)]
pub(super) struct Said(Value);

impl Said {
    /// Reads YAML. Errors tell where, never what.
    pub(super) fn from_yaml(text: &str) -> Result<Self, ConfigError> {
        let value: Value = serde_saphyr::from_str(text).map_err(|error| {
            let place = error.location();
            ConfigError::Syntax { line: place.map_or(0, |p| p.line()), column: place.map_or(0, |p| p.column()) }
        })?;
        let value = if value.is_null() { Value::Object(Map::new()) } else { value };
        check(&value, "")?;
        Ok(Self(value))
    }

    /// Puts what the environment says over it.
    pub(super) fn overlay(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        for (path, kind) in KEYS {
            let name = variable(path);
            let Some(text) = env(&name) else { continue };
            let value = from_text(*kind, text);
            check_type(*kind, &value, &name)?;
            self.set(path, value);
        }
        Ok(())
    }

    /// Puts `value` at `path`, whatever was there.
    pub(super) fn set(&mut self, path: &str, value: Value) {
        let mut at = &mut self.0;
        for part in path.split('.') {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            let Value::Object(map) = at else { return };
            at = map.entry(part.to_owned()).or_insert(Value::Null);
        }
        *at = value;
    }

    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        let found = path.split('.').try_fold(&self.0, |at, part| at.get(part))?;
        (!found.is_null()).then_some(found)
    }

    /// The part of one tenant, as if it were the top level.
    pub(super) fn tenants(&self) -> Vec<(String, Self)> {
        let tenants = self.get("tenants").and_then(Value::as_object);
        let tenants = tenants.into_iter().flatten();
        tenants.map(|(name, value)| (name.clone(), Self(value.clone()))).collect()
    }

    pub(super) fn text(&self, path: &str) -> Option<String> {
        match self.get(path)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(super) fn texts(&self, path: &str) -> Vec<String> {
        match self.get(path) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(text)) => vec![text.clone()],
            _ => Vec::new(),
        }
    }

    /// The sections of a list, each as if it were the top level.
    pub(super) fn sections(&self, path: &str) -> Vec<Self> {
        let items = self.get(path).and_then(Value::as_array);
        items.into_iter().flatten().map(|item| Self(item.clone())).collect()
    }

    pub(super) fn switch(&self, path: &str) -> Option<bool> {
        self.get(path).and_then(as_switch)
    }

    /// Names of connections; `*` is all.
    pub(super) fn connections(&self, path: &str) -> Vec<String> {
        match self.switch(path) {
            Some(true) => vec!["*".to_owned()],
            Some(false) => Vec::new(),
            None => self.texts(path),
        }
    }

    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.get(path).and_then(as_number)
    }

    pub(super) fn duration(&self, path: &str) -> Option<std::time::Duration> {
        self.get(path).and_then(Value::as_str).and_then(parse_duration)
    }
}

/// `server.listen` is `ONESEC_SERVER_LISTEN`.
pub(super) fn variable(path: &str) -> String {
    format!("ONESEC_{}", path.to_ascii_uppercase().replace(['.', '-'], "_"))
}

fn from_text(kind: Type, text: String) -> Value {
    match kind {
        Type::Connections if as_switch(&Value::String(text.clone())).is_some() => Value::String(text),
        Type::Texts | Type::Connections => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
        }
        _ => Value::String(text),
    }
}

/// Walks what was said along what may be said.
fn check(value: &Value, path: &str) -> Result<(), ConfigError> {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some((_, kind)) = KEYS.iter().find(|(key, _)| *key == path) {
        return check_type(*kind, value, path);
    }
    if path.starts_with("detectors.") {
        return check_free(value, path);
    }
    if value.is_null() {
        return Ok(());
    }
    let Value::Object(map) = value else {
        return Err(ConfigError::value(path, "must be a section with keys of its own"));
    };
    for (name, value) in map {
        let at = below(name);
        if path == "detectors" {
            check_free(value, &at)?;
            if KEYS.iter().any(|(key, _)| key.starts_with(&format!("{at}."))) && value.is_object() {
                check_known_settings(value, &at)?;
            }
        } else if path == "tenants" {
            check_tenant(value, &at)?;
        } else if known_names(path).contains(&name.as_str()) {
            check(value, &at)?;
        } else {
            return Err(unknown(path, name, &known_names(path)));
        }
    }
    Ok(())
}

/// Names that may stand below `path`.
fn known_names(path: &str) -> Vec<&'static str> {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    let mut names: Vec<&str> = KEYS
        .iter()
        .filter_map(|(key, _)| key.strip_prefix(prefix.as_str()))
        .filter_map(|rest| rest.split('.').next())
        .collect();
    if path.is_empty() {
        names.push("tenants");
    }
    names.dedup();
    names
}

fn unknown(path: &str, name: &str, known: &[&'static str]) -> ConfigError {
    // A value that slipped among the names may be a secret.
    let shown = redact_text(name);
    let path = if path.is_empty() { shown.into_owned() } else { format!("{path}.{shown}") };
    ConfigError::Unknown { path, suggestion: did_you_mean(name, known.iter().copied()).map(str::to_owned) }
}

/// A detector's settings are its own business but for their shape; a switch turns it off as a whole.
fn check_free(value: &Value, path: &str) -> Result<(), ConfigError> {
    let plain = |v: &Value| !v.is_object();
    match value {
        Value::Null | Value::Bool(_) => Ok(()),
        Value::String(_) if as_switch(value).is_some() => Ok(()),
        Value::Object(map) if map.values().all(plain) => Ok(()),
        _ => Err(ConfigError::value(path, "must be `off`, `on` or a section of plain settings")),
    }
}

fn check_known_settings(value: &Value, path: &str) -> Result<(), ConfigError> {
    let mut known = known_names(path);
    known.push("enabled");
    for (name, value) in value.as_object().into_iter().flatten() {
        if !known.contains(&name.as_str()) {
            return Err(unknown(path, name, &known));
        }
        let at = format!("{path}.{name}");
        if let Some((_, kind)) = KEYS.iter().find(|(key, _)| *key == at) {
            check_type(*kind, value, &at)?;
        }
    }
    Ok(())
}

fn check_tenant(value: &Value, path: &str) -> Result<(), ConfigError> {
    let Value::Object(map) = value else {
        return if value.is_null() { Ok(()) } else { Err(ConfigError::value(path, "must be a section")) };
    };
    for (name, value) in map {
        if !TENANT_SECTIONS.contains(&name.as_str()) {
            return Err(unknown(path, name, &TENANT_SECTIONS));
        }
        if name == "retention" {
            check_retention(value, &format!("{path}.{name}"))?;
            continue;
        }
        // What is enforced is one for all; by which client of the tenant, is not.
        let other = value.as_object().into_iter().flatten().find(|(key, _)| name == "enforcement" && *key != "auth0");
        if let Some((key, _)) = other.filter(|(key, _)| known_names(name).contains(&key.as_str())) {
            return Err(ConfigError::value(&format!("{path}.{name}.{key}"), "is the same for all tenants"));
        }
        // Errors name the full path; the rules are those of the top level.
        check(value, name).map_err(|error| error.below(path))?;
    }
    Ok(())
}

/// As `journal.retention` at the top.
fn check_retention(value: &Value, path: &str) -> Result<(), ConfigError> {
    let known = known_names("journal.retention");
    let Value::Object(map) = value else {
        return if value.is_null() { Ok(()) } else { Err(ConfigError::value(path, "must be a section")) };
    };
    for (name, value) in map {
        if !known.contains(&name.as_str()) {
            return Err(unknown(path, name, &known));
        }
        check_type(Type::Duration, value, &format!("{path}.{name}"))?;
    }
    Ok(())
}

fn check_type(kind: Type, value: &Value, path: &str) -> Result<(), ConfigError> {
    if value.is_null() {
        return Ok(());
    }
    let wrong = |why: &str| Err(ConfigError::value(path, why));
    match kind {
        Type::Text | Type::Secret if value.is_string() || value.is_number() => Ok(()),
        Type::Text | Type::Secret => wrong("must be text"),
        Type::Switch if as_switch(value).is_some() => Ok(()),
        Type::Switch => wrong("must be `on` or `off`"),
        Type::Number if as_number(value).is_some() => Ok(()),
        Type::Number => wrong("must be a whole number"),
        Type::Duration if value.as_str().and_then(parse_duration).is_some() => Ok(()),
        Type::Duration => wrong("must be a duration such as `30s`, `5m`, `7d`"),
        Type::Size if value.as_u64().is_some() || value.as_str().and_then(parse_size).is_some() => Ok(()),
        Type::Size => wrong("must be a size such as `500MiB`"),
        Type::Texts if value.is_string() => Ok(()),
        Type::Texts if value.as_array().is_some_and(|items| items.iter().all(Value::is_string)) => Ok(()),
        Type::Texts => wrong("must be text or a list of texts"),
        Type::Connections if as_switch(value).is_some() => Ok(()),
        Type::Connections if value.as_array().is_some_and(|items| items.iter().all(is_connection)) => Ok(()),
        Type::Connections => wrong("must be `on`, `off` or a list of connections"),
        Type::Policies if value.is_array() => Ok(()),
        Type::Policies => wrong("must be a list of policies, and in a file"),
        Type::Rules if value.is_array() => Ok(()),
        Type::Rules => wrong("must be a list of rules, and in a file"),
        Type::Word(words) => check_word(words, value, path),
        Type::Sections(keys) => check_sections(keys, value, path),
    }
}

fn check_sections(keys: &[(&'static str, Type)], value: &Value, path: &str) -> Result<(), ConfigError> {
    let Some(items) = value.as_array() else {
        return Err(ConfigError::value(path, "must be a list of sections"));
    };
    let known: Vec<&'static str> = keys.iter().map(|(name, _)| *name).collect();
    for (index, item) in items.iter().enumerate() {
        let at = format!("{path}[{index}]");
        let Value::Object(map) = item else {
            return Err(ConfigError::value(&at, "must be a section with keys of its own"));
        };
        for (name, value) in map {
            let kind = keys.iter().find(|(key, _)| key == name).map(|(_, kind)| *kind);
            let kind = kind.ok_or_else(|| unknown(&at, name, &known))?;
            check_type(kind, value, &format!("{at}.{name}"))?;
        }
    }
    Ok(())
}

fn check_word(words: &[&'static str], value: &Value, path: &str) -> Result<(), ConfigError> {
    let text = value.as_str().unwrap_or_default();
    if words.contains(&text) {
        return Ok(());
    }
    let list = words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ");
    let hint = did_you_mean(text, words.iter().copied()).map(|w| format!(", did you mean `{w}`?"));
    Err(ConfigError::value(path, &format!("must be one of {list}{}", hint.unwrap_or_default())))
}

fn is_connection(value: &Value) -> bool {
    value.as_str().is_some_and(|name| name != "*" && onesec_telemetry::ConnectionName::new(name).is_ok())
}

pub(super) fn as_switch(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(on) => Some(*on),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => Some(true),
            "off" | "false" | "no" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn as_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}
