//! The settings of the built-in detectors, read from what the configuration says of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use onesec_detector::Detector;
use onesec_engine::{Settings, SetupError};
use onesec_telemetry::catalogue::Catalogue;
use serde_json::Value;

/// The built-in detectors, set up as `settings` say.
///
/// # Errors
/// [`SetupError`] where a setting has no meaning.
pub fn builtin_detectors(settings: &Settings) -> Result<Vec<Box<dyn Detector>>, SetupError> {
    builtin_settings(settings).map(|own| onesec_detectors::all(&own))
}

/// What was said of the built-in detectors.
pub(crate) fn builtin_settings(settings: &Settings) -> Result<onesec_detectors::Settings, SetupError> {
    let mut own = onesec_detectors::Settings::default();
    if let Some(additions) = &settings.catalogue {
        let catalogue = Catalogue::with_additions(additions);
        own.catalogue = Arc::new(catalogue.map_err(|error| wrong("catalogue", &error.to_string()))?);
    }
    let of = |code| Said { code, said: settings.detectors.get(code) };
    let consent = of("consent-phishing");
    consent.count("scopes", |n| own.consent.scopes = n as usize)?;
    consent.count("users", |n| own.consent.users = n)?;
    let tools = of("tool-misuse");
    tools.list("blocked", |list| own.tools.blocked = list)?;
    tools.count("repeats", |n| own.tools.repeats = n)?;
    let rogue = of("rogue-agent");
    rogue.count("depth", |n| own.rogue.depth = u8::try_from(n).unwrap_or(u8::MAX))?;
    rogue.count("children", |n| own.rogue.children = n)?;
    rogue.count("swarm", |n| own.rogue.swarm = n)?;
    rogue.switch("require_registration", |on| own.rogue.require_registration = on)?;
    rogue.list("provisioners", |list| own.rogue.provisioners = list)?;
    of("inter-agent-spoofing").switch("require_signatures", |on| own.require_signatures = on)?;
    of("connection-fan-out").count("connections", |n| own.connections = n)?;
    of("user-fan-out").count("personal", |n| own.users.personal = n)?;
    of("user-fan-out").count("service", |n| own.users.service = n)?;
    of("dormant-agent").count("burst", |n| own.waking_burst = n)?;
    of("tenant-change").list("provisioners", |list| own.tenant_provisioners = list)?;
    of("refresh-storm").count("exchanges", |n| own.storm = n)?;
    let web = of("agent-web-access");
    web.amount("max_payment", |amount| own.web.max_payment = amount)?;
    web.amount("max_daily", |amount| own.web.max_daily = amount)?;
    web.count("max_payments_per_hour", |n| own.web.max_payments_per_hour = n)?;
    web.list("internal_hosts", |list| own.web.internal_hosts = list)?;
    web.list("ai_services", |list| own.web.ai_services = list)?;
    Ok(own)
}

/// What the built-in detectors read; one that is not listed reads nothing.
pub(super) const BUILTIN_SETTINGS: [(&str, &[&str]); 12] = [
    ("exchange-rate", &["limit", "window_seconds"]),
    ("connection-fan-out", &["connections"]),
    ("user-fan-out", &["personal", "service"]),
    ("exchange-probing", &["failures", "distinct", "percent"]),
    ("dormant-agent", &["after_seconds", "burst"]),
    ("refresh-storm", &["exchanges"]),
    ("tenant-change", &["provisioners"]),
    ("consent-phishing", &["scopes", "users"]),
    ("tool-misuse", &["blocked", "repeats"]),
    ("rogue-agent", &["depth", "children", "swarm", "require_registration", "provisioners"]),
    ("inter-agent-spoofing", &["require_signatures"]),
    ("agent-web-access", &["max_payment", "max_daily", "max_payments_per_hour", "internal_hosts", "ai_services"]),
];

/// What was said of one detector.
struct Said<'a> {
    code: &'static str,
    said: Option<&'a BTreeMap<String, Value>>,
}

impl Said<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.said.and_then(|said| said.get(name)).filter(|value| !value.is_null())
    }

    fn wrong(&self, name: &str, why: &str) -> SetupError {
        wrong(&format!("detectors.{}.{name}", self.code), why)
    }

    /// A count that is more than nothing.
    fn count(&self, name: &str, set: impl FnOnce(u32)) -> Result<(), SetupError> {
        let Some(value) = self.get(name) else { return Ok(()) };
        let number = value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=100_000).contains(n));
        set(number.ok_or_else(|| self.wrong(name, "must be 1 to 100 000"))?);
        Ok(())
    }

    fn amount(&self, name: &str, set: impl FnOnce(f64)) -> Result<(), SetupError> {
        let Some(value) = self.get(name) else { return Ok(()) };
        let amount = value.as_f64().filter(|amount| amount.is_finite() && *amount >= 0.0);
        set(amount.ok_or_else(|| self.wrong(name, "must be an amount of 0 or more"))?);
        Ok(())
    }

    fn switch(&self, name: &str, set: impl FnOnce(bool)) -> Result<(), SetupError> {
        let Some(value) = self.get(name) else { return Ok(()) };
        let on = match value {
            Value::Bool(on) => Some(*on),
            Value::String(word) if matches!(word.as_str(), "on" | "true" | "yes") => Some(true),
            Value::String(word) if matches!(word.as_str(), "off" | "false" | "no") => Some(false),
            _ => None,
        };
        set(on.ok_or_else(|| self.wrong(name, "must be `on` or `off`"))?);
        Ok(())
    }

    fn list(&self, name: &str, set: impl FnOnce(Vec<String>)) -> Result<(), SetupError> {
        let Some(value) = self.get(name) else { return Ok(()) };
        let one = |text: &Value| text.as_str().map(str::to_owned);
        let list = match value {
            Value::Array(items) => items.iter().map(one).collect(),
            Value::String(text) => Some(vec![text.clone()]),
            _ => None,
        };
        set(list.ok_or_else(|| self.wrong(name, "must be a list of texts"))?);
        Ok(())
    }
}

fn wrong(setting: &str, why: &str) -> SetupError {
    SetupError::Setting { setting: setting.to_owned(), why: why.to_owned() }
}
