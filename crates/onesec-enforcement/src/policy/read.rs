//! From what was written to a policy, or a reason why not.

use std::time::Duration;

use onesec_telemetry::network::Network;
use onesec_telemetry::{Name, Severity};
use serde_json::{Value, json};

use super::section::Section;
use super::{Matching, Never, Policy, RequestRule};
use crate::preset::never_waivable;
use crate::spec::{ActionSpec, shown_duration};

/// Why a policy cannot be used. Holds nothing of a value that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A key that does not exist.
    #[error("unknown key `{path}`{}", suggestion.as_ref().map(|s| format!(", did you mean `{s}`?")).unwrap_or_default())]
    Unknown {
        /// Where.
        path: String,
        /// What was likely meant.
        suggestion: Option<String>,
    },
    /// A value that cannot be used, or one that is missing.
    #[error("`{path}` {why}")]
    Value {
        /// Where.
        path: String,
        /// Why.
        why: String,
    },
}

impl PolicyError {
    pub(crate) fn value(path: &str, why: &str) -> Self {
        Self::Value { path: path.to_owned(), why: why.to_owned() }
    }
}

impl Policy {
    /// Reads a list of policies, as configuration or settings have it. `hook` is the `webhook` action that those mean
    /// which name no address of their own.
    ///
    /// # Errors
    /// [`PolicyError`] with the first fault: one that cannot run as written spoils the whole list, so that nobody relies
    /// on half of it.
    pub fn read_all(list: &Value, path: &str, hook: Option<&Value>) -> Result<Vec<Self>, PolicyError> {
        let Some(items) = list.as_array() else {
            return Err(PolicyError::value(path, "must be a list of policies"));
        };
        if items.len() > MOST_POLICIES {
            return Err(PolicyError::value(path, &format!("must not have more than {MOST_POLICIES} entries")));
        }
        let mut policies: Vec<Self> = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let policy = Self::read(item, &format!("{path}[{index}]"), hook)?;
            if policies.iter().any(|other| other.name == policy.name) {
                return Err(PolicyError::value(&format!("{path}[{index}].name"), "is taken by another policy"));
            }
            policies.push(policy);
        }
        Ok(policies)
    }

    fn read(value: &Value, path: &str, hook: Option<&Value>) -> Result<Self, PolicyError> {
        let said = Section::of(value, path, &KEYS)?;
        let name = said.needed("name")?;
        let name = Name::new(name).map_err(|_| said.wrong("name", "is no identifier"))?;
        let when = match said.get("match") {
            Some(value) => matching(value, &said.at("match"))?,
            None => return Err(said.wrong("match", "is needed: an empty section matches everything that is HIGH")),
        };
        let request = request(&said, &when)?;
        let actions = actions(&said, hook)?;
        if request.is_none() && actions.is_empty() {
            return Err(PolicyError::value(path, "does nothing: give `request` or `actions`"));
        }
        let approval = match said.get("approval") {
            Some(value) => {
                let approval = Section::of(value, &said.at("approval"), &["ttl"])?;
                Some(approval.lasting("ttl", LONGEST_APPROVAL)?.unwrap_or(Self::PATIENCE))
            }
            None => None,
        };
        Ok(Self {
            name,
            when,
            request,
            actions,
            approval,
            cooldown: said.duration("cooldown", DAY)?.unwrap_or(Self::COOLDOWN),
            max_per_minute: said.count("max_per_minute", 10_000)?.unwrap_or(Self::PER_MINUTE),
            never: said.get("never").map_or_else(|| Ok(Never::default()), |value| never(value, &said.at("never")))?,
        })
    }
}

impl Policy {
    /// As it is written, without secrets: for records and people. [`Policy::read_all`] reads it back as the same.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let seconds = shown_duration;
        let when = &self.when;
        let networks: Vec<String> = self.never.networks.iter().map(ToString::to_string).collect();
        json!({
            "name": self.name,
            "match": {
                "detectors": when.detectors, "min_severity": when.min_severity, "agents": when.agents,
                "users": when.users, "connections": when.connections,
            },
            "request": self.request.map(RequestRule::as_str),
            "actions": self.actions.iter().map(ActionSpec::shown).collect::<Vec<_>>(),
            "approval": self.approval.map(|ttl| json!({"ttl": seconds(ttl)})),
            "cooldown": seconds(self.cooldown),
            "max_per_minute": self.max_per_minute,
            "never": {"agents": self.never.agents, "users": self.never.users, "networks": networks},
        })
    }
}

fn matching(value: &Value, path: &str) -> Result<Matching, PolicyError> {
    let said = Section::of(value, path, &["detectors", "min_severity", "agents", "users", "connections"])?;
    let min_severity = match said.text("min_severity")? {
        None => Severity::High,
        Some(text) => Severity::from_name(text)
            .ok_or_else(|| said.wrong("min_severity", "must be INFO, LOW, MEDIUM, HIGH or CRITICAL"))?,
    };
    Ok(Matching {
        detectors: said.texts("detectors")?,
        min_severity,
        agents: said.texts("agents")?,
        users: said.texts("users")?,
        connections: said.texts("connections")?,
    })
}

fn request(said: &Section<'_>, when: &Matching) -> Result<Option<RequestRule>, PolicyError> {
    let rule = match said.text("request")? {
        None => return Ok(None),
        Some("allow") => RequestRule::Allow,
        Some("deny") => RequestRule::Deny,
        Some("hold") => RequestRule::Hold,
        Some("withhold") => RequestRule::Withhold,
        Some(_) => return Err(said.wrong("request", "must be one of `allow`, `deny`, `hold`, `withhold`")),
    };
    let fixed = when.detectors.iter().find(|detector| never_waivable(detector));
    match fixed {
        Some(detector) if matches!(rule, RequestRule::Allow | RequestRule::Hold) => {
            Err(said.wrong("request", &format!("cannot wave `{detector}` through: nobody can")))
        }
        _ => Ok(Some(rule)),
    }
}

fn actions(said: &Section<'_>, hook: Option<&Value>) -> Result<Vec<ActionSpec>, PolicyError> {
    let path = said.at("actions");
    let items = match said.get("actions") {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(PolicyError::value(&path, "must be a list of actions")),
    };
    if items.len() > MOST_ACTIONS {
        return Err(PolicyError::value(&path, &format!("must not have more than {MOST_ACTIONS} entries")));
    }
    items.iter().enumerate().map(|(index, item)| ActionSpec::read(item, &format!("{path}[{index}]"), hook)).collect()
}

fn never(value: &Value, path: &str) -> Result<Never, PolicyError> {
    let said = Section::of(value, path, &["agents", "users", "networks"])?;
    let network = |text: &String| {
        Network::parse(text).ok_or_else(|| said.wrong("networks", "must be addresses or networks such as `10.0.0.0/8`"))
    };
    let networks = said.texts("networks")?.iter().map(network).collect::<Result<_, _>>()?;
    Ok(Never { agents: said.texts("agents")?, users: said.texts("users")?, networks })
}

const KEYS: [&str; 8] = ["name", "match", "request", "actions", "approval", "cooldown", "max_per_minute", "never"];
const MOST_POLICIES: usize = 200;
const MOST_ACTIONS: usize = 20;
const DAY: Duration = Duration::from_secs(86_400);
const LONGEST_APPROVAL: Duration = DAY;
