//! Addresses in all their clothes.

use super::super::send::Endpoint;
use super::*;

/// Hosts that are not the public internet's, in every spelling that an address parser takes.
const PRIVATE: [&str; 65] = [
    "0.0.0.0",
    "0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "0xa.1",
    "012.0.0.1",
    "167772161",
    "0x0a000001",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "127.0x0.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.257",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "１２７.０.０.１",
    "127。0。0。1",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:192.168.1.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::8.8.8.8]",
    "[100::1]",
    "[2001::1]",
    "[2001:2::1]",
    "[2001:db8::1]",
    "[2002:7f00:1::]",
    "[3fff::1]",
    "[5f00::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[ff0e::1]",
];

#[test]
fn private_addresses_are_refused_in_every_spelling() {
    assert!(PRIVATE.len() >= 40);
    for host in PRIVATE {
        let url = format!("https://{host}/path-7");
        let refused = Endpoint::of(&url, Reach::Public).map(|endpoint| endpoint.host());
        let why = refused.expect_err(host);
        assert!(why.contains("is not at a public address") && !why.contains("path-7"), "{host}: {why}");
        assert!(Endpoint::of(&url, Reach::All).is_ok(), "{host} where the policy allows it");
    }
}

#[test]
fn public_addresses_are_not() {
    for host in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "126.1.1.1",
        "128.0.0.1",
        "172.15.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "192.167.1.1",
        "198.17.1.1",
        "198.20.1.1",
        "223.255.255.255",
        "[2606:4700:4700::1111]",
        "[2001:4860:4860::8888]",
        "[::ffff:8.8.8.8]",
        "[64:ff9b::8.8.8.8]",
    ] {
        assert!(Endpoint::of(&format!("https://{host}/"), Reach::Public).is_ok(), "{host}");
    }
}

#[test]
fn other_addresses_that_are_no_messages_to_a_server() {
    for (url, why) in [
        ("http://hooks.example/x7", "neither `https://` nor `http://`"),
        ("http://8.8.8.8/x7", "neither `https://` nor `http://`"),
        ("http://localhost.example/x7", "neither `https://` nor `http://`"),
        ("ftp://hooks.example/x7", "neither `https://` nor `http://`"),
        ("https://u7:x7@hooks.example/", "has a user name"),
        ("https://u7@hooks.example/", "has a user name"),
        ("file:///x7", "has no host"),
        ("x7", "cannot be read"),
        ("https://[::1%25eth0]/x7", "cannot be read"),
        ("https://256.256.256.256/x7", "cannot be read"),
    ] {
        let said = Endpoint::of(url, Reach::All).map(|endpoint| endpoint.host()).expect_err(url);
        assert!(said.contains(why) && !said.contains("x7") && !said.contains("u7"), "{url}: {said}");
    }
}

#[tokio::test]
async fn names_are_judged_by_where_they_lead() {
    for name in ["localhost", "localhost.", "LOCALHOST", PROBE] {
        let guard = Guard::new(Reach::Public);
        assert!(!guard.was_asked());
        let error = guard.resolve(name.parse().expect("a name")).await.map(|_| ()).expect_err(name);
        // Not every system's resolver knows the spelling with a dot at the end.
        assert!(OutOfReach::caused(&*error) || name.ends_with('.'), "{name}: {error}");
        assert!(guard.was_asked());
    }
    let found = Guard::new(Reach::All).resolve("localhost".parse().expect("a name")).await.expect("found");
    let found: Vec<_> = found.collect();
    assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
}
