//! Whose security events are believed, and what is done about them.

use onesec_telemetry::{ConnectionName, Secret};

use super::ConfigError;
use super::keys::Type;
use super::said::Said;
use crate::signals::{Known, ReceiverConfig, SignalPart, SignalsConfig, TransmitterConfig, TransmitterKeys};

/// One of `security_events.transmitters`.
pub(super) const TRANSMITTER: &[(&str, Type)] = &[
    ("issuer", Type::Text),
    ("audience", Type::Texts),
    ("jwks_uri", Type::Text),
    ("keys_file", Type::Text),
    ("subject_issuer", Type::Text),
    ("user_prefix", Type::Text),
    ("opaque_users", Type::Switch),
    ("connection", Type::Text),
    ("untyped", Type::Switch),
    ("authorization", Type::Secret),
];

/// One of `security_events.responses`.
pub(super) const RESPONSE: &[(&str, Type)] = &[("event", Type::Text), ("parts", Type::Texts)];

/// One of `security_events.receivers`.
pub(super) const RECEIVER: &[(&str, Type)] =
    &[("name", Type::Text), ("audience", Type::Text), ("url", Type::Text), ("authorization", Type::Secret)];

pub(super) fn signals(said: &Said) -> Result<SignalsConfig, ConfigError> {
    let all = said.sections("security_events.transmitters").into_iter().enumerate();
    let transmitters = all.map(transmitter).collect::<Result<Vec<_>, _>>()?;
    let all = said.sections("security_events.responses").into_iter().enumerate();
    let responses = all.map(response).collect::<Result<Vec<_>, _>>()?;
    let mut signals = SignalsConfig::default();
    (signals.transmitters, signals.responses) = (transmitters, responses);
    signals.max_age = said.duration("security_events.max_age");
    let all = said.sections("security_events.receivers").into_iter().enumerate();
    signals.receivers = all.map(receiver).collect::<Result<Vec<_>, _>>()?;
    signals.issuer = said.text("security_events.issuer").or_else(|| said.text("server.public_url"));
    if !signals.receivers.is_empty() && signals.issuer.is_none() {
        return Err(ConfigError::value("security_events.issuer", "is needed, or `server.public_url`"));
    }
    let names: std::collections::BTreeSet<&str> = signals.receivers.iter().map(|one| one.name.as_str()).collect();
    if names.len() < signals.receivers.len() {
        return Err(ConfigError::value("security_events.receivers", "must have names of their own"));
    }
    Ok(signals)
}

fn transmitter((index, said): (usize, Said)) -> Result<TransmitterConfig, ConfigError> {
    let wrong =
        |name: &str, why: &str| ConfigError::value(&format!("security_events.transmitters[{index}].{name}"), why);
    let issuer = said.text("issuer").filter(|issuer| !issuer.is_empty()).ok_or_else(|| wrong("issuer", "is needed"))?;
    let audiences = said.texts("audience");
    if audiences.is_empty() {
        return Err(wrong("audience", "is needed: else what is meant for others would be believed"));
    }
    let keys = match (said.text("jwks_uri"), said.text("keys_file")) {
        (Some(uri), None) => TransmitterKeys::At(uri),
        (None, Some(file)) => TransmitterKeys::In(file.into()),
        _ => return Err(wrong("jwks_uri", "or `keys_file` is needed, and not both")),
    };
    let connection = said.text("connection").map(|name| ConnectionName::new(&name));
    let connection = connection.transpose().map_err(|_| wrong("connection", "must name a connection"))?;
    Ok(TransmitterConfig {
        issuer,
        audiences,
        keys,
        subject_issuer: said.text("subject_issuer"),
        user_prefix: said.text("user_prefix").unwrap_or_default(),
        opaque_users: said.switch("opaque_users").unwrap_or(false),
        connection,
        untyped: said.switch("untyped").unwrap_or(false),
        authorization: said.text("authorization").map(Secret::new),
    })
}

fn receiver((index, said): (usize, Said)) -> Result<ReceiverConfig, ConfigError> {
    let wrong = |name: &str, why: &str| ConfigError::value(&format!("security_events.receivers[{index}].{name}"), why);
    let needed = |name: &str| said.text(name).filter(|text| !text.is_empty()).ok_or_else(|| wrong(name, "is needed"));
    let (name, audience) = (needed("name")?, needed("audience")?);
    if onesec_telemetry::Name::new(&name).map_or(true, |own| own.as_str() != name) {
        return Err(wrong("name", "must be a plain name"));
    }
    let authorization = said.text("authorization").map(Secret::new);
    Ok(ReceiverConfig { name, audience, url: said.text("url"), authorization })
}

fn response((index, said): (usize, Said)) -> Result<(String, Vec<SignalPart>), ConfigError> {
    let wrong = |name: &str, why: &str| ConfigError::value(&format!("security_events.responses[{index}].{name}"), why);
    let event = said.text("event").unwrap_or_default();
    if Known::from_name(&event).is_none() {
        let why = "must be one of `session-revoked`, `credential-change`, `account-disabled`, `account-purged`, \
            `credential-compromise`, `token-revoked`, `tokens-revoked`";
        return Err(wrong("event", why));
    }
    let part = |name: &String| SignalPart::from_name(name);
    let parts: Option<Vec<SignalPart>> = said.texts("parts").iter().map(part).collect();
    let why = "must be of `onesec`, `refresh_tokens`, `sessions`, `grants`, `provider`";
    Ok((event, parts.ok_or_else(|| wrong("parts", why))?))
}
