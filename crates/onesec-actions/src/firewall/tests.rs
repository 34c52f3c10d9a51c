//! The kernel's own firewall, in a network namespace of the test; and `nft`s that fail.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

/// Names a program that serves as `nft` where none is installed.
const OTHER_NFT: &str = "ONESEC_TEST_NFT";
/// Set where the test runs itself within a namespace.
const INSIDE: &str = "ONESEC_TEST_IN_NAMESPACE";

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn nft() -> Result<Nft, String> {
    match std::env::var_os(OTHER_NFT) {
        Some(path) => Ok(Nft::at(Path::new(&path), Duration::from_secs(5))),
        None => Nft::find(),
    }
}

/// A file that anybody else wrote, so that no writer of ours keeps it busy while others of our threads start programs.
fn fake(name: &str, script: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("onesec-nft-{name}-{}", std::process::id()));
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 755 \"$0\"";
    let written = Command::new("/bin/sh").args(["-c", write]).arg(&path).arg(script).status();
    assert!(written.expect("sh").success());
    path
}

#[tokio::test]
async fn nfts_that_fail_block_nobody_and_say_so() {
    let listing = r#"echo '{"nftables": []}'"#;
    for (name, script, why) in [
        (
            "refuses",
            "echo 'Error: Operation not permitted' >&2; exit 1",
            "`nft` refused: Error: Operation not permitted",
        ),
        ("mute", "exit 1", "`nft` refused: it does not say why"),
        ("garbled", "exit 0", "`nft` said what is not JSON"),
        ("liar", listing, "nft blocked 192.0.2.7, and the kernel does not list it"),
        ("hangs", "exec sleep 64", "`nft` did not end within 2 s"),
        ("floods", "exec yes", "`nft` refused: it does not say why"),
    ] {
        let path = fake(name, script);
        let firewall = Firewall { nft: Nft::at(&path, Duration::from_secs(2)), spared: Vec::new() };
        let said = firewall.block(ip("192.0.2.7"), Duration::from_secs(60)).await;
        std::fs::remove_file(path).expect("ours");
        assert_eq!(said, Err(why.to_owned()), "{name}");
    }
}

#[test]
fn what_cannot_be_used_is_not_detected() {
    let at = |path: &Path| Firewall::with(Nft::at(path, Duration::from_millis(300))).map(drop);
    let denied = "`nft` may not list tables: it needs CAP_NET_ADMIN";
    assert_eq!(at(Path::new("/bin/false")), Err(denied.to_owned()));
    assert_eq!(at(Path::new("/no/such/nft")), Err("`nft` cannot be started: entity not found".to_owned()));
    assert_eq!(at(Path::new("/bin/true")), Ok(()));
    let hangs = fake("probe", "exec sleep 65");
    assert_eq!(at(&hangs), Err("`nft` did not end within 0.3 s".to_owned()));
    std::fs::remove_file(hangs).expect("ours");
}

#[tokio::test]
async fn some_are_never_blocked() {
    let spared = ["198.51.100.0/24", "2001:db8:1::/48"].map(|network| Network::parse(network).expect("a network"));
    // A program that would succeed: what is refused never reaches it.
    let firewall =
        Firewall::with(Nft::at(Path::new("/bin/true"), Duration::from_secs(5))).expect("it runs").sparing(spared);
    for (address, why) in [
        ("127.0.0.1", "own"),
        ("127.8.9.1", "own"),
        ("::1", "own"),
        ("::ffff:127.0.0.1", "own"),
        ("0.0.0.0", "own"),
        ("::", "own"),
        ("224.0.0.1", "own"),
        ("ff02::1", "own"),
        ("255.255.255.255", "own"),
        ("169.254.1.1", "own"),
        ("fe80::1", "own"),
        ("198.51.100.9", "never"),
        ("::ffff:198.51.100.9", "never"),
        ("2001:db8:1::9", "never"),
        ("192.0.2.7", "not JSON"),
    ] {
        let said = firewall.block(ip(address), Duration::from_secs(60)).await.expect_err(address);
        assert!(said.contains(why), "{address}: {said}");
    }
}

/// Runs itself again in a network namespace, where it may do as it likes.
#[test]
fn the_kernel_refuses_whom_it_is_told_to() {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        return runtime.block_on(in_a_namespace());
    }
    if let Err(why) = nft() {
        return eprintln!("skipped: {why}");
    }
    if !Command::new("unshare").args(["-rn", "true"]).status().is_ok_and(|status| status.success()) {
        return eprintln!("skipped: no network namespace can be made here");
    }
    let test = "firewall::tests::the_kernel_refuses_whom_it_is_told_to";
    let this = std::env::current_exe().expect("a program");
    let mut again = Command::new("unshare");
    again.arg("-rn").arg(this).args([test, "--exact", "--nocapture"]).env(INSIDE, "1");
    assert!(again.status().expect("unshare").success(), "within the namespace");
}

async fn in_a_namespace() {
    let firewall = Firewall::with(nft().expect("found before")).expect("root of the namespace");
    let minute = Duration::from_secs(60);
    for address in ["10.1.1.1", "2001:db8::7"].map(ip) {
        assert_eq!(firewall.is_blocked(address).await, Ok(false), "{address}: at first");
        assert_eq!(firewall.unblock(address).await, Ok(()), "{address}: nothing to end");
        for _ in 0..3 {
            assert_eq!(firewall.block(address, minute).await, Ok(()), "{address}");
            assert_eq!(firewall.is_blocked(address).await, Ok(true), "{address}");
        }
        assert_eq!(firewall.unblock(address).await, Ok(()), "{address}");
        assert_eq!(firewall.is_blocked(address).await, Ok(false), "{address}: unblocked");
    }
    let listed = firewall.nft.list().await.expect("listed").expect("a table").to_string();
    assert_eq!(listed.matches("\"drop\"").count(), 2, "one rule for each family, however often: {listed}");
    times(&firewall).await;
    mapped(&firewall).await;
    traffic(&firewall).await;
}

async fn times(firewall: &Firewall) {
    let address = ip("192.0.2.9");
    assert_eq!(firewall.block(address, Duration::from_secs(2)).await, Ok(()));
    assert_eq!(firewall.block(ip("192.0.2.10"), Duration::from_secs(2)).await, Ok(()));
    // Blocked anew, for longer.
    assert_eq!(firewall.block(address, Duration::from_secs(60)).await, Ok(()));
    tokio::time::sleep(Duration::from_millis(3_000)).await;
    assert_eq!(firewall.is_blocked(ip("192.0.2.10")).await, Ok(false), "its time is over");
    assert_eq!(firewall.is_blocked(address).await, Ok(true), "its time began anew");
}

async fn mapped(firewall: &Firewall) {
    assert_eq!(firewall.block(ip("::ffff:192.0.2.11"), Duration::from_secs(60)).await, Ok(()));
    assert_eq!(firewall.is_blocked(ip("192.0.2.11")).await, Ok(true), "IPv4 in IPv6 clothes");
}

/// Packets: from an address of our own that is no loopback's.
async fn traffic(firewall: &Firewall) {
    let ip_tool = |words: &str| Command::new("ip").args(words.split(' ')).status().is_ok_and(|status| status.success());
    if !ip_tool("link set lo up") || !ip_tool("address add 10.1.1.1/32 dev lo") {
        return eprintln!("skipped: packets, because `ip` is not installed");
    }
    let listener = TcpListener::bind("10.1.1.1:0").expect("a port");
    let server: SocketAddr = listener.local_addr().expect("an address");
    let reaches = || TcpStream::connect_timeout(&server, Duration::from_millis(500)).is_ok();
    assert!(reaches(), "before");
    assert_eq!(firewall.block(ip("10.1.1.1"), Duration::from_secs(60)).await, Ok(()));
    assert!(!reaches(), "blocked");
    assert_eq!(firewall.unblock(ip("10.1.1.1")).await, Ok(()));
    assert!(reaches(), "unblocked");
}
