//! A benign twin differs from its attack in one field of one event, or in one event.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Mismatch, Scenario};

/// What is wrong with a scenario as somebody's twin.
pub(super) fn check(scenario: &Scenario, all: &[Scenario]) -> Option<Mismatch> {
    let of = scenario.twin_of.as_ref()?;
    let wrong = |what: &str| Some(Mismatch::Twin { of: of.clone(), what: what.to_owned() });
    let mut others = all.iter().filter(|other| other.name == *of && other.detector == scenario.detector);
    let Some(other) = others.next() else { return wrong("there is no such scenario of this detector") };
    if others.next().is_some() {
        return wrong("there are several of that name");
    }
    if other.silent == scenario.silent {
        return wrong("one of the two must be silent and the other not");
    }
    if other.settings != scenario.settings {
        return wrong("their settings differ");
    }
    match difference(&scenario.written, &other.written) {
        Ok(()) => None,
        Err(what) => wrong(&what),
    }
}

/// Whether two lists of events differ in exactly one leaf of one event, or by one event.
fn difference(a: &[Value], b: &[Value]) -> Result<(), String> {
    if a.len() == b.len() {
        let differing: Vec<(usize, Vec<String>)> = a
            .iter()
            .zip(b)
            .enumerate()
            .map(|(index, (a, b))| (index + 1, differing_leaves(a, b)))
            .filter(|(_, leaves)| !leaves.is_empty())
            .collect();
        return match differing.as_slice() {
            [] => Err("they do not differ".to_owned()),
            [(_, leaves)] if leaves.len() == 1 => Ok(()),
            [(index, leaves)] => Err(format!("event {index} differs in {}", leaves.join(", "))),
            several => {
                let which: Vec<String> = several.iter().map(|(index, _)| index.to_string()).collect();
                Err(format!("events {} differ", which.join(", ")))
            }
        };
    }
    let (long, short) = if a.len() > b.len() { (a, b) } else { (b, a) };
    if long.len() != short.len() + 1 {
        return Err(format!("one has {} events and the other {}", a.len(), b.len()));
    }
    let without =
        |gone: usize| long.iter().enumerate().filter(move |(index, _)| *index != gone).map(|(_, event)| event);
    if (0..long.len()).any(|gone| without(gone).eq(short)) {
        Ok(())
    } else {
        Err("one has an event more, and the others differ, too".to_owned())
    }
}

fn differing_leaves(a: &Value, b: &Value) -> Vec<String> {
    let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
    leaves(a, String::new(), &mut left);
    leaves(b, String::new(), &mut right);
    let mut paths: Vec<&String> = left.keys().chain(right.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.into_iter().filter(|path| left.get(*path) != right.get(*path)).cloned().collect()
}

fn leaves<'a>(value: &'a Value, path: String, out: &mut BTreeMap<String, &'a Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(member, path, out);
            }
        }
        // A list is one thing: one element more is one difference.
        _ => {
            out.insert(path, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(a: Value, b: Value) -> Result<(), String> {
        let list = |v: Value| v.as_array().cloned().unwrap_or_default();
        let (a, b) = (list(a), list(b));
        assert_eq!(difference(&a, &b).is_ok(), difference(&b, &a).is_ok());
        difference(&a, &b)
    }

    #[test]
    fn one_leaf_or_one_event_makes_a_twin() {
        assert_eq!(check(json!([{"a": 1, "d": {"x": 1}}]), json!([{"a": 1, "d": {"x": 2}}])), Ok(()));
        assert_eq!(check(json!([{"a": 1}, {"b": 1}]), json!([{"b": 1}])), Ok(()));
        assert_eq!(check(json!([{"d": {"x": 1, "y": 1}}]), json!([{"d": {"x": 1}}])), Ok(()));
        assert_eq!(check(json!([{"d": {"s": ["a"]}}]), json!([{"d": {"s": ["a", "b"]}}])), Ok(()));
    }

    #[test]
    fn anything_more_does_not() {
        assert!(check(json!([{"a": 1}]), json!([{"a": 1}])).is_err());
        assert!(check(json!([{"a": 1, "b": 1}]), json!([{"a": 2, "b": 2}])).is_err());
        assert!(check(json!([{"a": 1}, {"a": 1}]), json!([{"a": 2}, {"a": 2}])).is_err());
        assert!(check(json!([{"a": 1}, {"a": 2}]), json!([{"a": 3}])).is_err());
        assert!(check(json!([{"a": 1}, {"a": 2}, {"a": 3}]), json!([{"a": 1}])).is_err());
    }
}
