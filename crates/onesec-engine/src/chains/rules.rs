//! The rules of attack chains: those that are built in, and a user's own.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use onesec_telemetry::Name;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::ATTACK_CHAIN;
use crate::settings::Settings;
use crate::setup::SetupError;

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainRule {
    /// Stable name in kebab-case.
    pub name: String,
    /// What happened, in words.
    pub says: String,
    /// The stages in order: detectors of which one must have found something; `detector/aspect` asks for an aspect of it.
    /// One detector may be written without a list.
    #[serde(deserialize_with = "stages")]
    pub stages: Vec<Vec<String>>,
}

impl ChainRule {
    /// The detectors that it names, each as often as it does.
    pub fn detectors(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().flatten().map(|wanted| wanted.split_once('/').map_or(wanted.as_str(), |(code, _)| code))
    }

    /// Why it could never be completed, or its incidents not be told apart.
    fn fault(&self) -> Option<&'static str> {
        let kebab = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if self.name.is_empty() || self.name.len() > MOST_NAME || !kebab(&self.name) {
            return Some("its `name` must be in kebab-case");
        }
        if self.says.is_empty() || Name::new(&self.says).is_err() {
            return Some("it must say in a few words what happened (`says`)");
        }
        if !(2..=MOST_STAGES).contains(&self.stages.len()) || self.stages.iter().any(Vec::is_empty) {
            return Some("it must have two to five `stages`, each of one or more detectors");
        }
        if self.detectors().any(|code| code == ATTACK_CHAIN) {
            return Some("incidents are never stages");
        }
        let distinct: BTreeSet<&str> = self.detectors().collect();
        (distinct.len() < self.stages.len()).then_some("each stage must be another detector's")
    }
}

/// The built-in rules.
#[must_use]
pub fn chain_rules() -> &'static [ChainRule] {
    static RULES: LazyLock<Vec<ChainRule>> =
        LazyLock::new(|| serde_json::from_str(include_str!("rules.json")).unwrap_or_default());
    &RULES
}

/// The rules in force: those that are built in but for the names under `detectors.attack-chain.off`, then those under
/// `detectors.attack-chain.rules`.
///
/// # Errors
/// [`SetupError`] that names the rule which could never be completed, or the name of none that is built in.
pub fn chain_rules_of(settings: &Settings) -> Result<Arc<[ChainRule]>, SetupError> {
    let said = |name: &str| settings.detectors.get(ATTACK_CHAIN).and_then(|said| said.get(name));
    let off = match said("off") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().map(|name| name.as_str().unwrap_or_default()).collect(),
        Some(_) => return Err(wrong("off", "must be a list of names of built-in rules".to_owned())),
        None => Vec::new(),
    };
    if let Some(unknown) = off.iter().find(|name| chain_rules().iter().all(|rule| rule.name != **name)) {
        return Err(wrong("off", format!("there is no built-in rule `{unknown}`")));
    }
    let mut rules: Vec<ChainRule> =
        chain_rules().iter().filter(|rule| !off.contains(&rule.name.as_str())).cloned().collect();
    let own = match said("rules") {
        Some(Value::Array(own)) if own.len() <= MOST_RULES => own.as_slice(),
        Some(_) => return Err(wrong("rules", format!("must be a list of at most {MOST_RULES} rules, and in a file"))),
        None => &[],
    };
    for (index, rule) in own.iter().enumerate() {
        let at = format!("rules[{index}]");
        let rule = ChainRule::deserialize(rule).map_err(|error| wrong(&at, error.to_string()))?;
        if let Some(why) = rule.fault() {
            return Err(wrong(&at, why.to_owned()));
        }
        if rules.iter().any(|other| other.name == rule.name) {
            return Err(wrong(&at, format!("there is a rule `{}` already", rule.name)));
        }
        rules.push(rule);
    }
    Ok(rules.into())
}

fn wrong(name: &str, why: String) -> SetupError {
    SetupError::Setting { setting: format!("detectors.{ATTACK_CHAIN}.{name}"), why }
}

fn stages<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a stage is a detector or a list of detectors")]
    enum Stage {
        One(String),
        Several(Vec<String>),
    }
    let stages = Vec::<Stage>::deserialize(from)?;
    let listed = |stage| match stage {
        Stage::One(detector) => vec![detector],
        Stage::Several(detectors) => detectors,
    };
    Ok(stages.into_iter().map(listed).collect())
}

const MOST_NAME: usize = 64;
const MOST_STAGES: usize = 5;
/// Rules of a user's own.
const MOST_RULES: usize = 100;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(name: &str, value: Value) -> Settings {
        let mut settings = Settings::default();
        settings.detectors.entry(ATTACK_CHAIN.to_owned()).or_default().insert(name.to_owned(), value);
        settings
    }

    fn rule(name: &str, stages: &Value) -> Value {
        json!({"name": name, "says": "one thing, then another", "stages": stages})
    }

    #[test]
    fn every_built_in_rule_can_be_completed() {
        assert!(chain_rules().len() >= 8, "the data is read");
        for rule in chain_rules() {
            assert_eq!(rule.fault(), None, "{}", rule.name);
        }
    }

    #[test]
    fn own_rules_come_after_the_built_in_ones_and_those_can_be_switched_off() {
        let all = chain_rules_of(&Settings::default()).expect("the built-in rules");
        let mut settings = with("rules", json!([rule("mine", &json!(["a", ["b", "c/d"]]))]));
        settings.detectors.entry(ATTACK_CHAIN.to_owned()).or_default().insert("off".into(), json!(["sleeper-wakes"]));
        let rules = chain_rules_of(&settings).expect("rules");
        assert_eq!(rules.len(), all.len());
        assert!(rules.iter().all(|rule| rule.name != "sleeper-wakes"));
        let mine = rules.last().expect("the own one");
        assert_eq!((mine.name.as_str(), mine.stages.len()), ("mine", 2));
        assert_eq!(mine.detectors().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_rule_that_could_never_be_completed_is_refused_by_name() {
        let refused = [
            (rule("Mine", &json!(["a", "b"])), "rules[0]`: its `name` must be in kebab-case"),
            (rule("mine", &json!(["a"])), "two to five"),
            (rule("mine", &json!(["a", []])), "two to five"),
            (rule("mine", &json!(["a", "a/b"])), "another detector"),
            (rule("mine", &json!(["a", "attack-chain"])), "never stages"),
            (rule("mine", &json!(["a", 7])), "a stage is a detector or a list of detectors"),
            (rule("sleeper-wakes", &json!(["a", "b"])), "already"),
            (json!({"name": "mine", "stages": ["a", "b"]}), "says"),
            (json!({"name": "mine", "says": "x", "stages": ["a", "b"], "stagse": 1}), "unknown field `stagse`"),
        ];
        for (rule, why) in refused {
            let error = chain_rules_of(&with("rules", json!([rule]))).expect_err(why).to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(chain_rules_of(&with("off", json!(["sleeper-wake"]))).is_err());
        assert!(chain_rules_of(&with("rules", json!("many"))).is_err());
    }
}
