//! Mutations of YAML, line by line: indentation is its grammar.

use onesec_testkit::Rng;

use super::bytes;
use super::words::TEXTS;
use crate::target::SECRETS;

/// Values that YAML reads in its own way.
const VALUES: [&str; 34] = [
    "on",
    "off",
    "yes",
    "~",
    "null",
    "[]",
    "{}",
    "[a, b]",
    "{a: b}",
    "&a [x]",
    "*a",
    "!!binary aGk=",
    "!!str 5",
    "|",
    ">-",
    "0x1f",
    "0o17",
    "1e3",
    ".inf",
    ".nan",
    "-0",
    "2026-01-01",
    "30s",
    "5m",
    "7d",
    "99999999999999d",
    "500MiB",
    "9e9GiB",
    "\"\\u0000\"",
    "'it''s'",
    "- - -",
    "? a",
    "<<: *a",
    "127.0.0.1:0",
];

/// A few changes to lines.
pub(crate) fn mutate(rng: &mut Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let (Ok(text), Ok(other)) = (std::str::from_utf8(input), std::str::from_utf8(other)) else {
        return bytes::mutate(rng, input, other);
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let others: Vec<&str> = other.lines().collect();
    for _ in 0..=rng.below(3) {
        change(rng, &mut lines, &others);
    }
    lines.join("\n").into_bytes()
}

fn change(rng: &mut Rng, lines: &mut Vec<String>, others: &[&str]) {
    let at = rng.below(lines.len() as u64 + 1) as usize;
    let Some(line) = lines.get_mut(at) else {
        lines.push(others.get(at).map_or_else(String::new, |line| (*line).to_owned()));
        return;
    };
    let key = line.split_once(':').map(|(key, _)| key.to_owned());
    match (rng.below(9), key) {
        (0, _) => drop(lines.remove(at)),
        (1, _) => *line = format!("  {line}"),
        (2, _) => *line = line.strip_prefix("  ").unwrap_or(line).to_owned(),
        (3, _) => {
            let again = line.clone();
            lines.insert(at, again);
        }
        (4, _) if !others.is_empty() => lines.insert(at, (*rng.pick(others)).to_owned()),
        (5, Some(key)) => *line = format!("{key}: {:?}", rng.pick(&TEXTS)),
        // What is commented out counts, too.
        (6, _) => *line = line.replacen("# ", "", 1),
        (7, Some(key)) if rng.chance(30) => *line = format!("{key}: {{{:?}: on}}", rng.pick(&SECRETS)),
        (7, Some(key)) => *line = format!("{key}: &a\n{key}x: *a"),
        (_, Some(key)) => *line = format!("{key}: {}", rng.pick(&VALUES)),
        (_, None) => line.push_str(rng.pick::<&str>(&VALUES)),
    }
}
