//! Hosts and addresses that a text names: e-mail addresses and the hosts of links.

use crate::shared::stable_hash;

/// Hashes of the places that `text` names, lower case; at most 128 of the first 64 KiB.
pub(crate) fn places(text: &str) -> Vec<u64> {
    let (mut found, _) = all_places(text);
    found.truncate(MOST_FOUND);
    found
}

/// The same, and whether there are more.
pub(crate) fn all_places(text: &str) -> (Vec<u64>, bool) {
    let end = text.floor_char_boundary(MOST_BYTES);
    let cut = end < text.len();
    let text = text.get(..end).unwrap_or_default();
    let mut found = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '"' | '\'' | ',' | ';')) {
        if found.len() > MOST_FOUND {
            return (found, true);
        }
        if let Some(place) = place(word) {
            let hash = stable_hash(&[&place]);
            if !found.contains(&hash) {
                found.push(hash);
            }
        }
    }
    (found, cut)
}

/// The address or host that one word names.
fn place(word: &str) -> Option<String> {
    let word = word.trim_matches(|c: char| matches!(c, '.' | ':' | '!' | '?' | ']' | '[' | '`' | '*' | '_'));
    if let Some((_, rest)) = word.split_once("://") {
        return host(rest);
    }
    let word = word.strip_prefix("mailto:").or_else(|| word.strip_prefix("email:")).unwrap_or(word);
    if let Some((name, domain)) = word.rsplit_once('@') {
        let named = !name.is_empty() && domain.contains('.');
        return named.then(|| word.to_lowercase());
    }
    word.strip_prefix("www.").filter(|rest| rest.contains('.')).and_then(host)
}

/// The host at the beginning of what follows a scheme.
pub(crate) fn host(rest: &str) -> Option<String> {
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let host = host.trim_end_matches('.').to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host).to_owned();
    (!host.is_empty()).then_some(host)
}

/// Bytes of a text that are looked at.
const MOST_BYTES: usize = 64 * 1024;
/// Places of one text.
const MOST_FOUND: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let (a, b) = (places(a), places(b));
        !a.is_empty() && a.iter().any(|place| b.contains(place))
    }

    #[test]
    fn the_same_place_in_every_spelling() {
        assert!(same("please write to <Eve@Evil.example>.", "eve@evil.example"));
        assert!(same("see https://user:pw@EVIL.example:8443/a?b", "http://evil.example"));
        assert!(same("www.evil.example/x", "https://www.evil.example"));
        assert!(same("email:eve@evil.example", "mailto:eve@evil.example"));
        assert!(!same("eve@evil.example", "bob@evil.example"), "an address is not its neighbour's");
        assert!(places("no place in here, only words e.g. and @home").is_empty());
    }

    #[test]
    fn bounded() {
        let many: String = (0..1000).map(|i| format!("a{i}@b.example ")).collect();
        assert_eq!(places(&many).len(), MOST_FOUND);
    }
}
