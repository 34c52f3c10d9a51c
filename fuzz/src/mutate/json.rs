//! Mutations of JSON that stay JSON: members, values, spellings.

use onesec_testkit::Rng;
use serde_json::{Map, Value};

use super::bytes;
use super::words::{NAMES, NUMBERS, TEXTS};
use crate::target::SECRETS;

/// A few changes to the tree, then spelt in one of many ways. What is no JSON is changed as bytes.
pub(crate) fn mutate(rng: &mut Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let Ok(mut tree) = serde_json::from_slice::<Value>(input) else {
        return bytes::mutate(rng, input, other);
    };
    let other = serde_json::from_slice::<Value>(other).unwrap_or(Value::Null);
    for _ in 0..=rng.below(3) {
        let nodes = count(&tree);
        let mut at = rng.below(nodes as u64) as usize;
        if let Some(node) = nth(&mut tree, &mut at) {
            change(rng, node, &other);
        }
    }
    let mut out = String::new();
    let odd = rng.chance(25);
    write(&mut out, &tree, (rng, odd));
    out.into_bytes()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// The node with this number, counted from the root down.
fn nth<'a>(value: &'a mut Value, at: &mut usize) -> Option<&'a mut Value> {
    if *at == 0 {
        return Some(value);
    }
    *at -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, at)),
        Value::Object(members) => members.values_mut().find_map(|member| nth(member, at)),
        _ => None,
    }
}

fn change(rng: &mut Rng, node: &mut Value, other: &Value) {
    match node {
        Value::Object(members) if rng.chance(75) => change_object(rng, members, other),
        Value::Array(items) if rng.chance(60) => match rng.below(4) {
            0 => items.push(fresh(rng)),
            1 => drop(items.pop()),
            2 => items.extend(items.clone().into_iter().take(64)),
            _ => items.reverse(),
        },
        Value::String(text) if rng.chance(40) => change_text(rng, text),
        _ => *node = value_for(rng, node, other),
    }
}

fn value_for(rng: &mut Rng, old: &Value, other: &Value) -> Value {
    match rng.below(8) {
        0 => Value::Array(vec![old.clone()]),
        1 => Value::Object(Map::from_iter([((*rng.pick(&NAMES)).to_owned(), old.clone())])),
        2 => {
            let mut at = rng.below(count(other) as u64) as usize;
            nth(&mut other.clone(), &mut at).map_or(Value::Null, |found| found.clone())
        }
        3 => {
            let depth = rng.pick(&[2_u64, 31, 32, 33, 40, 130]);
            (0..*depth).fold(old.clone(), |inner, _| Value::Array(vec![inner]))
        }
        _ => fresh(rng),
    }
}

fn fresh(rng: &mut Rng) -> Value {
    match rng.below(8) {
        0 => Value::Null,
        1 => Value::Bool(rng.chance(50)),
        2 | 3 => Value::String(format!("{RAW}{}", rng.pick(&NUMBERS))),
        _ => Value::String(rng.pick(&TEXTS).clone()),
    }
}

fn change_object(rng: &mut Rng, members: &mut Map<String, Value>, other: &Value) {
    let names: Vec<String> = members.keys().cloned().collect();
    let some = |rng: &mut Rng| if names.is_empty() { String::new() } else { rng.pick(&names).clone() };
    match rng.below(7) {
        0 => drop(members.remove(&some(rng))),
        1 | 2 => drop(members.insert((*rng.pick(&NAMES)).to_owned(), fresh(rng))),
        3 => {
            let value = members.remove(&some(rng)).unwrap_or(Value::Null);
            members.insert((*rng.pick(&NAMES)).to_owned(), value);
        }
        4 if rng.chance(30) => drop(members.insert((*rng.pick(&SECRETS)).to_owned(), fresh(rng))),
        4 => drop(members.insert(rng.pick(&TEXTS).clone(), fresh(rng))),
        5 => {
            for (name, value) in other.as_object().into_iter().flatten().filter(|_| rng.chance(50)) {
                members.insert(name.clone(), value.clone());
            }
        }
        // The same member twice; the writer takes the mark off.
        _ => drop(members.insert(format!("{TWICE}{}", some(rng)), fresh(rng))),
    }
}

fn change_text(rng: &mut Rng, text: &mut String) {
    let boundary = |text: &str, at: usize| (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let at = boundary(text, rng.below(text.len() as u64 + 1) as usize);
    match rng.below(7) {
        0 => text.truncate(at),
        1 => text.insert_str(at, rng.pick::<String>(&TEXTS)),
        2 => *text = text.to_uppercase(),
        3 => text.insert(at, char::from_u32(rng.below(0x3000) as u32).unwrap_or('\u{fffd}')),
        4 => *text = format!(" {text}\t"),
        5 => *text = rng.pick(&TEXTS).clone(),
        _ => *text = format!("{text}{text}"),
    }
}

/// Writes `value`; `odd` says whether as nobody would who wants to be understood.
fn write(out: &mut String, value: &Value, (rng, odd): (&mut Rng, bool)) {
    match value {
        Value::String(text) => match text.strip_prefix(RAW) {
            Some(raw) => out.push_str(raw),
            None => write_text(out, text, (rng, odd)),
        },
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write(out, item, (rng, odd));
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_text(out, name.strip_prefix(TWICE).unwrap_or(name), (rng, odd));
                out.push_str(if odd && rng.chance(20) { " :\n" } else { ":" });
                write(out, member, (rng, odd));
            }
            out.push('}');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

fn write_text(out: &mut String, text: &str, (rng, odd): (&mut Rng, bool)) {
    if !odd || rng.chance(60) {
        out.push_str(&Value::String(text.to_owned()).to_string());
        return;
    }
    out.push('"');
    for unit in text.encode_utf16() {
        out.push_str(&format!("\\u{unit:04x}"));
    }
    out.push('"');
}

/// Before what is written as it is.
const RAW: &str = "\u{1}raw:";
/// Before the name of a member that may be there already.
const TWICE: &str = "\u{1}again:";
