//! JSON objects in which no member appears twice, at any depth.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::TokenRefused;

/// Parses one JSON object; `serde_json` alone would silently keep the last of two equal members.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, TokenRefused> {
    let text = std::str::from_utf8(bytes).map_err(|_| TokenRefused::NotJson)?;
    match serde_json::from_str(text) {
        Ok(Strict(Value::Object(members))) => Ok(members),
        Ok(Strict(_)) => Err(TokenRefused::NotJson),
        Err(error) if error.to_string().starts_with(DUPLICATE) => Err(TokenRefused::DuplicateMember),
        Err(_) => Err(TokenRefused::NotJson),
    }
}

/// How the visitor's complaint is told from a syntax error; `serde_json` keeps only text.
const DUPLICATE: &str = "duplicate member";

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate members")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Strict(value))) = map.next_entry::<String, Strict>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_seen_at_any_depth() {
        assert!(object(br#"{"a":1,"b":{"c":[{"d":1}]}}"#).is_ok());
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":{"b":1,"b":2}}"#, r#"{"a":[{"b":1,"b":2}]}"#, r#"{"a":1,"\u0061":2}"#]
        {
            assert_eq!(object(text.as_bytes()), Err(TokenRefused::DuplicateMember), "{text}");
        }
    }

    #[test]
    fn only_one_object_will_do() {
        let deep = "[".repeat(100_000);
        for text in ["", "[]", "1", "\"a\"", "{} {}", "{\"a\":}", "{\"a\":1", "\u{feff}{}", deep.as_str()] {
            assert_eq!(object(text.as_bytes()), Err(TokenRefused::NotJson));
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(TokenRefused::NotJson));
    }
}
