//! JSON objects in which no member appears twice, at any depth.

use onesec_telemetry::strict_json::{NotStrict, value};
use serde_json::{Map, Value};

use crate::TokenRefused;

/// Parses one JSON object.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, TokenRefused> {
    let text = std::str::from_utf8(bytes).map_err(|_| TokenRefused::NotJson)?;
    match value(text) {
        Ok(Value::Object(members)) => Ok(members),
        Err(NotStrict::Twice) => Err(TokenRefused::DuplicateMember),
        Ok(_) | Err(NotStrict::Malformed) => Err(TokenRefused::NotJson),
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
