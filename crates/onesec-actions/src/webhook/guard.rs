//! Where a message may go: addresses are judged after the name is resolved, and only those judged are connected to.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Which addresses a client may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those of the public internet.
    Public,
    /// All: the policy said so.
    All,
}

impl Reach {
    /// Whether `address` may be connected to.
    pub(super) fn includes(self, address: IpAddr) -> bool {
        self == Self::All || is_public(address)
    }
}

/// A name that has no address within reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no address within reach")]
pub(super) struct OutOfReach;

impl OutOfReach {
    /// Whether `error` is one, at any depth.
    pub(super) fn caused(error: &(dyn Error + 'static)) -> bool {
        let mut next = Some(error);
        while let Some(error) = next {
            if error.is::<Self>() {
                return true;
            }
            next = error.source();
        }
        false
    }
}

/// Resolves names for one client and hands out addresses within reach only: the client connects to what was judged, so
/// that a name which changes between the look and the use gains nothing.
#[derive(Debug)]
pub(super) struct Guard {
    reach: Reach,
    asked: AtomicBool,
}

impl Guard {
    pub(super) const fn new(reach: Reach) -> Self {
        Self { reach, asked: AtomicBool::new(false) }
    }

    /// Whether a client has asked at all: one that has not resolves names by itself, past us.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        self.asked.store(true, Ordering::Release);
        let reach = self.reach;
        Box::pin(async move {
            if name.as_str() == PROBE {
                return Err(OutOfReach.into());
            }
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let within: Vec<_> = found.iter().copied().filter(|address| reach.includes(address.ip())).collect();
            if within.is_empty() && !found.is_empty() {
                return Err(OutOfReach.into());
            }
            Ok(Box::new(within.into_iter()) as Addrs)
        })
    }
}

/// A name that nobody has (RFC 6761, section 6.4): asks only whether we are asked.
pub(super) const PROBE: &str = "onesec-probe.invalid";

/// Whether `address` belongs to the public internet, whatever clothes it wears.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// RFC 6890 and its registry: everything that is not globally reachable, multicast, and the reserved end.
fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224..=255, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

/// Only global unicast (2000::/3) is public, and of it not what tunnels, tests and documents; an IPv4 address in IPv6
/// clothes (RFC 4291, section 2.5.5.2; RFC 6052, section 2.1) is what is inside.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
