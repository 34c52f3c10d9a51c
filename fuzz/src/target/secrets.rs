//! Secrets that are planted in inputs, and must not be in what comes out.

use serde_json::Value;

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
    let Ok(tree) = serde_json::from_str::<Value>(input) else { return Vec::new() };
    let whole = |secret: &&'static str| {
        let there = input.matches(core(secret)).count();
        there > 0 && there == count(&tree, secret)
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

/// As often as `secret` is a whole value.
fn count(value: &Value, secret: &str) -> usize {
    match value {
        Value::String(text) => usize::from(text == secret),
        Value::Array(items) => items.iter().map(|item| count(item, secret)).sum(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| usize::from(name == secret) + count(member, secret)).sum()
        }
        _ => 0,
    }
}
