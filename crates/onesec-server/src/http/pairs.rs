//! The parameters of a token request, form or JSON: names with texts, each name once (RFC 6749, section 3.2).

use std::fmt;

use onesec_telemetry::Secret;
use serde::de::value::{Error as FormError, MapDeserializer};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Parameters as they came. No `Debug`: they are full of secrets.
pub(super) struct Pairs(Vec<(String, Secret)>);

impl Pairs {
    /// Reads `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// What is wrong, in words that quote nothing of what was sent.
    pub(super) fn from_form(bytes: &[u8]) -> Result<Self, &'static str> {
        let pairs = url::form_urlencoded::parse(bytes);
        Self::deserialize(MapDeserializer::<_, FormError>::new(pairs)).map_err(|error| complaint(&error.to_string()))
    }

    /// Reads one JSON object.
    ///
    /// # Errors
    /// As [`Pairs::from_form`].
    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, &'static str> {
        serde_json::from_slice(bytes)
            .map_err(|error| if error.is_data() { complaint(&error.to_string()) } else { "the body is no JSON object" })
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.expose_to_wire())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(super) fn into_inner(self) -> Vec<(String, Secret)> {
        self.0
    }
}

/// serde's words may quote what was sent, and that is a token.
fn complaint(error: &str) -> &'static str {
    if error.starts_with(TWICE) {
        "a parameter stands twice"
    } else if error.starts_with(MANY) {
        "there are too many parameters"
    } else {
        "a parameter is no text"
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("parameters")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs: Vec<(String, Option<Secret>)> = Vec::new();
                while let Some((name, Value(value))) = map.next_entry::<String, Value>()? {
                    if pairs.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(TWICE));
                    }
                    if pairs.len() >= MAX_PARAMETERS {
                        return Err(A::Error::custom(MANY));
                    }
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// Text, or nothing.
struct Value(Option<Secret>);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrNull;
        impl Visitor<'_> for TextOrNull {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            // RFC 6749, section 3.2: without a value is as if it were omitted.
            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value((!text.is_empty()).then(|| Secret::new(text.to_owned()))))
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value(None))
            }
        }
        deserializer.deserialize_any(TextOrNull)
    }
}

const TWICE: &str = "twice";
const MANY: &str = "many";
const MAX_PARAMETERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_once_and_complaints_quote_nothing() {
        let Ok(form) = Pairs::from_form(b"a=1&b=&c=x%20y") else { panic!("read") };
        assert_eq!((form.text("a"), form.text("b"), form.text("c")), (Some("1"), None, Some("x y")));
        let Ok(json) = Pairs::from_json(br#"{"a": "1", "b": null}"#) else { panic!("read") };
        assert_eq!((json.text("a"), json.text("b")), (Some("1"), None));
        let wrong = [
            Pairs::from_form(b"a=1&a=").err(),
            Pairs::from_json(br#"{"a": "hunter2", "a": "x"}"#).err(),
            Pairs::from_json(br#"{"a": ["hunter2"]}"#).err(),
            Pairs::from_json(br#"{"hunter2": 7}"#).err(),
            Pairs::from_json(b"hunter2").err(),
            Pairs::from_form("x=1&".repeat(65).replace('x', "y").as_bytes()).err(),
        ];
        for why in wrong {
            assert!(!why.expect("refused").contains("hunter2"));
        }
    }
}
