//! The members of a JSON object: found once, read one by one, none twice.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::decode::Reading;
use super::field::{FieldType, wrong_type};
use super::reject::{Code, Fault, Rejection};
use super::values::{Json, depth, too_deep};
use crate::limits::{MAX_DEPTH, MAX_FIELD_NAME_BYTES, MAX_FIELDS};
use crate::{redact, strict_json};

/// The members of a JSON object, each still as text.
#[derive(Debug)]
pub(super) struct Members<'a> {
    at: &'static str,
    pub(super) list: Vec<(Cow<'a, str>, &'a str)>,
}

struct Object<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::with_capacity(16);
                while let Some(name) = map.next_key::<Key<'de>>()? {
                    let value: &'de RawValue = map.next_value()?;
                    list.push((name.0, value.get()));
                }
                Ok(Object(list))
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Members<'a> {
    pub(super) fn read(text: &'a str, at: &'static str) -> Result<Self, Rejection> {
        let trimmed = text.trim();
        if !trimmed.starts_with('{') {
            return Err(wrong_type("an object", trimmed).at(at.to_owned()));
        }
        let Object(list) = serde_json::from_str(trimmed)
            .map_err(|e| Fault::new(Code::Malformed, format!("is no valid JSON: {}", plain(&e))).at(at.to_owned()))?;
        if list.len() > MAX_FIELDS {
            return Err(Fault::new(Code::TooManyFields, format!("must not have more than {MAX_FIELDS} members"))
                .at(at.to_owned()));
        }
        for (i, (name, _)) in list.iter().enumerate() {
            if name.len() > MAX_FIELD_NAME_BYTES {
                let message = format!("a member's name must not be longer than {MAX_FIELD_NAME_BYTES} bytes");
                return Err(Fault::new(Code::FieldNameTooLong, message).at(at.to_owned()));
            }
            if list.iter().take(i).any(|(earlier, _)| earlier == name) {
                return Err(Fault::new(Code::DuplicateMember, "stands twice".into()).at(pointer(at, name)));
            }
        }
        Ok(Self { at, list })
    }

    pub(super) fn take_raw(&mut self, name: &str) -> Option<&'a str> {
        let at = self.list.iter().position(|(n, _)| n == name)?;
        let (_, raw) = self.list.swap_remove(at);
        (raw != "null").then_some(raw)
    }

    /// Takes the member `name`, or one of its aliases, out of the list and reads it.
    pub(super) fn take<T: FieldType>(
        &mut self,
        name: &str,
        aliases: &[&str],
        cx: &mut Reading<'_>,
    ) -> Result<Option<T>, Fault> {
        let mut value = None;
        for spelling in std::iter::once(&name).chain(aliases) {
            let Some(raw) = self.take_raw(spelling) else { continue };
            if value.is_some() {
                return Err(Fault::new(Code::DuplicateMember, format!("stands twice, also as `{name}`"))
                    .placed(self.at, spelling));
            }
            value = Some(T::read(raw, cx).map_err(|fault| fault.placed(self.at, spelling))?);
        }
        Ok(value)
    }

    pub(super) fn need<T: FieldType>(&mut self, name: &str, cx: &mut Reading<'_>) -> Result<Option<T>, Rejection> {
        self.take(name, &[], cx).map_err(Fault::into_rejection)
    }

    /// What is left, redacted. Unknown members are kept for custom detectors.
    pub(super) fn rest(self) -> Result<Option<Json>, Rejection> {
        if self.list.is_empty() {
            return Ok(None);
        }
        let mut map = serde_json::Map::new();
        for (name, raw) in self.list {
            if depth(raw) >= MAX_DEPTH {
                return Err(too_deep().at(pointer(self.at, &name)));
            }
            let value = strict_json::value(raw).map_err(|why| Fault::from(why).at(pointer(self.at, &name)))?;
            map.insert(name.into_owned(), value);
        }
        let rest = Json::redacted(Value::Object(map));
        // As above, for the marks in it.
        if depth(rest.as_str()) > MAX_DEPTH { Err(too_deep().at(self.at.to_owned())) } else { Ok(Some(rest)) }
    }
}

impl Fault {
    /// Remembers the place inside the message's fault until it becomes a rejection.
    pub(super) fn placed(mut self, at: &str, name: &str) -> Self {
        self.message = format!("{}\u{0}{}", pointer(at, name), self.message);
        self
    }

    pub(super) fn into_rejection(self) -> Rejection {
        match self.message.split_once('\u{0}') {
            Some((at, message)) => Rejection {
                code: self.code,
                pointer: at.to_owned(),
                message: message.to_owned(),
                suggestion: self.suggestion,
            },
            None => self.at(String::new()),
        }
    }
}

/// RFC 6901 escapes; a name that is a secret does not reach an answer.
fn pointer(at: &str, name: &str) -> String {
    let name = redact::redact_text(name).replace('~', "~0").replace('/', "~1");
    format!("{at}/{name}")
}

/// serde_json's message without the input: its texts quote none, but some name types of ours.
fn plain(error: &serde_json::Error) -> String {
    format!("{} at column {}", if error.is_eof() { "it ends too early" } else { "syntax error" }, error.column())
}
