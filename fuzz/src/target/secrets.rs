//! Secrets that are planted in inputs, and must not be in what comes out.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Each has a shape by which it is known wherever it stands alone.
pub(crate) const SECRETS: [&str; 6] = [
    "ghp_fuzzSecretfuzzSecretfuzzSecretfuzz01",
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJmdXp6U2VjcmV0In0.ZnV6elNlY3JldFNpZ25hdHVyZQ",
    "xoxb-123456789012-fuzzSecretfuzzSecretfuzz",
    "Bearer fuzzSecret.0123456789abcdefghijklmnop",
    "AKIAFUZZSECRETFUZZ02",
    "os_fuzzSecretfuzzSecretfuzzSecretfuzzSecret0000",
];

/// Those that stand in `input` as whole values or names and nowhere else: of these nothing may be left. What was cut or
/// glued to something is no secret that anybody could know.
pub(crate) fn planted(input: &str) -> Vec<&'static str> {
    let mut strings = Vec::new();
    let mut json = serde_json::Deserializer::from_str(input);
    if Strings(&mut strings).deserialize(&mut json).is_err() || json.end().is_err() {
        return Vec::new();
    }
    let whole = |secret: &&'static str| {
        let mut holding = strings.iter().filter(|text| text.contains(core(secret))).peekable();
        holding.peek().is_some() && holding.all(|text| text == secret)
    };
    SECRETS.into_iter().filter(whole).collect()
}

/// Of every planted secret, nothing is in `shown`.
pub(crate) fn assert_gone(planted: &[&'static str], shown: &str, place: &str) {
    for secret in planted {
        assert!(!shown.contains(core(secret)), "`{secret}` is in {place}: {shown}");
    }
}

/// The part by which it is recognised.
fn core(secret: &'static str) -> &'static str {
    secret.strip_prefix("Bearer ").unwrap_or(secret)
}

/// All strings of a document as they are meant, names and values, those that stand twice included.
struct Strings<'a>(&'a mut Vec<String>);

impl<'de> DeserializeSeed<'de> for Strings<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strings<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push(text.to_owned());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Strings(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_key_seed(Strings(&mut *self.0))?.is_some() {
            members.next_value_seed(Strings(&mut *self.0))?;
        }
        Ok(())
    }
}
