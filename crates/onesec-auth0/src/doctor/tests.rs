//! The judgement alone.

use super::*;

#[test]
fn checks_have_ids_of_their_own_and_say_what_to_do() {
    let mut seen = std::collections::BTreeSet::new();
    for check in catalogue() {
        assert!(seen.insert(check.id), "{} twice", check.id);
        assert!(check.id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", check.id);
        for text in [check.title, check.change, check.dashboard, check.reference] {
            assert!(!text.is_empty() && !text.contains("  "), "{}: {text:?}", check.id);
        }
    }
    assert!(seen.len() >= 30, "{}", seen.len());
}

#[test]
fn nothing_is_asked_for_that_shows_secrets_or_changes_anything_unless_said() {
    for scope in scopes() {
        assert!(scope.starts_with("read:"), "{scope}");
        assert!(!["read:client_keys", "read:client_credentials"].contains(&scope), "{scope}");
    }
}
