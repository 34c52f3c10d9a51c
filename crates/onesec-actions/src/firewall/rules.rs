//! What `nft` is told and tells, as JSON (libnftables-json(5)); pure.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

/// Our table, in which nobody else has rules.
pub(super) const TABLE: &str = "onesec";
const CHAIN: &str = "input";
/// Elements of a set: what an attacker with many addresses can make us keep.
const MOST: u32 = 65_536;
/// nftables takes no more than it can count in milliseconds; a month is longer than any policy blocks.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Blocks `address`. One transaction: all of it happens, or nothing.
pub(super) fn block(address: IpAddr, lasts: Duration) -> Value {
    let mut commands = foundation();
    let add = command("add", element(address, json!({"elem": {"val": address, "timeout": seconds(lasts)}})));
    // Adding what is there does not make it last longer: out with it first, which fails unless it is in.
    commands.extend([add.clone(), command("delete", element(address, json!(address))), add]);
    json!({"nftables": commands})
}

/// Unblocks `address`, whether it was blocked or not.
pub(super) fn unblock(address: IpAddr) -> Value {
    let mut commands = foundation();
    commands.push(command("add", element(address, json!({"elem": {"val": address, "timeout": 1}}))));
    commands.push(command("delete", element(address, json!(address))));
    json!({"nftables": commands})
}

/// Whether `listed`, which is our table, refuses what comes from `address`.
pub(super) fn blocks(listed: &Value, address: IpAddr) -> bool {
    let objects = || listed.get("nftables").and_then(Value::as_array).into_iter().flatten();
    let set = set_of(address);
    let in_set = objects().filter_map(|object| object.get("set")).filter(|found| named(found, set)).any(|found| {
        let elements = found.get("elem").and_then(Value::as_array);
        elements.into_iter().flatten().filter_map(value_of).any(|value| value == address)
    });
    let hooked = objects()
        .filter_map(|object| object.get("chain"))
        .any(|chain| named(chain, CHAIN) && chain.get("hook").and_then(Value::as_str) == Some("input"));
    let expected = refusal(address);
    let refused = objects()
        .filter_map(|object| object.get("rule"))
        .any(|rule| rule.get("chain").and_then(Value::as_str) == Some(CHAIN) && rule.get("expr") == Some(&expected));
    in_set && hooked && refused
}

/// Table, sets, chain and rules, made where they are missing. The chain is flushed, because a rule that is added twice is
/// there twice.
fn foundation() -> Vec<Value> {
    let mut commands = vec![command("add", json!({"table": {"family": "inet", "name": TABLE}}))];
    for (set, kind) in [(SET_V4, "ipv4_addr"), (SET_V6, "ipv6_addr")] {
        let set =
            json!({"family": "inet", "table": TABLE, "name": set, "type": kind, "flags": ["timeout"], "size": MOST});
        commands.push(command("add", json!({"set": set})));
    }
    let chain = json!({
        "family": "inet", "table": TABLE, "name": CHAIN,
        "type": "filter", "hook": "input", "prio": -10, "policy": "accept",
    });
    commands.push(command("add", json!({"chain": chain})));
    commands.push(command("flush", json!({"chain": {"family": "inet", "table": TABLE, "name": CHAIN}})));
    for address in [IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)] {
        let rule = json!({"family": "inet", "table": TABLE, "chain": CHAIN, "expr": refusal(address)});
        commands.push(command("add", json!({"rule": rule})));
    }
    commands
}

/// The rule for addresses of this family.
fn refusal(family: IpAddr) -> Value {
    let protocol = if family.is_ipv4() { "ip" } else { "ip6" };
    let source = json!({"payload": {"protocol": protocol, "field": "saddr"}});
    let listed = json!({"match": {"op": "==", "left": source, "right": format!("@{}", set_of(family))}});
    json!([listed, {"drop": null}])
}

fn command(verb: &str, what: Value) -> Value {
    json!({verb: what})
}

fn element(address: IpAddr, element: Value) -> Value {
    json!({"element": {"family": "inet", "table": TABLE, "name": set_of(address), "elem": [element]}})
}

const fn set_of(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => SET_V4,
        IpAddr::V6(_) => SET_V6,
    }
}

fn named(object: &Value, name: &str) -> bool {
    object.get("name").and_then(Value::as_str) == Some(name)
}

/// An element is its address, or an object with it and its time.
fn value_of(element: &Value) -> Option<IpAddr> {
    let value = element.pointer("/elem/val").unwrap_or(element);
    value.as_str()?.parse().ok()
}

/// Whole seconds, at least one: `0` would mean for ever.
fn seconds(lasts: Duration) -> u64 {
    let lasts = lasts.min(LONGEST);
    (lasts.as_secs() + u64::from(lasts.subsec_nanos() > 0)).max(1)
}

const SET_V4: &str = "blocked4";
const SET_V6: &str = "blocked6";

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn blocking_is_one_transaction_that_may_be_repeated() {
        let transaction = block(ip("192.0.2.7"), Duration::from_millis(90_001));
        let commands = transaction["nftables"].as_array().expect("commands");
        let shape: Vec<String> = commands
            .iter()
            .flat_map(|command| command.as_object().expect("one"))
            .flat_map(|(verb, what)| what.as_object().expect("one").keys().map(move |kind| format!("{verb} {kind}")))
            .collect();
        let expected = [
            "add table",
            "add set",
            "add set",
            "add chain",
            "flush chain",
            "add rule",
            "add rule",
            "add element",
            "delete element",
            "add element",
        ];
        assert_eq!(shape, expected);
        let last = &commands[9]["add"]["element"];
        assert_eq!(
            (&last["name"], &last["table"], &last["family"]),
            (&"blocked4".into(), &"onesec".into(), &"inet".into())
        );
        assert_eq!(last["elem"], json!([{"elem": {"val": "192.0.2.7", "timeout": 91}}]));
        let chain = &commands[3]["add"]["chain"];
        assert_eq!(
            (&chain["hook"], &chain["prio"], &chain["policy"]),
            (&"input".into(), &json!(-10), &"accept".into())
        );
        let v6 = block(ip("2001:db8::7"), Duration::from_secs(1));
        assert_eq!(v6["nftables"][9]["add"]["element"]["name"], "blocked6");
    }

    #[test]
    fn times_are_whole_seconds_and_never_for_ever() {
        for (lasts, expected) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_secs(60), 60),
            (Duration::from_millis(60_001), 61),
            (Duration::MAX, 30 * 86_400),
        ] {
            assert_eq!(seconds(lasts), expected, "{lasts:?}");
        }
    }

    #[test]
    fn an_address_is_blocked_if_it_is_in_the_set_and_the_rule_in_force() {
        let element = json!({"elem": {"val": "192.0.2.7", "timeout": 60, "expires": 59}});
        let set = |name: &str, element: &Value| json!({"set": {"name": name, "elem": [element]}});
        let chain = json!({"chain": {"name": "input", "hook": "input"}});
        let rule = |of: &str| json!({"rule": {"chain": "input", "expr": refusal(ip(of)), "handle": 5}});
        let all = |objects: [Value; 3]| json!({"nftables": objects});
        for (listed, expected) in [
            (all([set("blocked4", &element), chain.clone(), rule("1.1.1.1")]), true),
            (all([set("blocked4", &json!("192.0.2.7")), chain.clone(), rule("1.1.1.1")]), true),
            (all([set("blocked4", &json!("192.0.2.8")), chain.clone(), rule("1.1.1.1")]), false),
            (all([set("blocked6", &element), chain.clone(), rule("1.1.1.1")]), false),
            (all([set("blocked4", &element), chain.clone(), rule("::1")]), false),
            (all([set("blocked4", &element), json!({"chain": {"name": "input"}}), rule("1.1.1.1")]), false),
            (json!({"nftables": [set("blocked4", &element)]}), false),
            (json!({"nftables": []}), false),
            (json!({}), false),
            (Value::Null, false),
        ] {
            assert_eq!(blocks(&listed, ip("192.0.2.7")), expected, "{listed}");
        }
    }
}
