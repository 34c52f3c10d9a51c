//! Addresses on the web, in every way of writing them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Where an address leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A public address.
    Public,
    /// A host by name.
    Host(String),
    /// Inside: a private, local or reserved address, or a name that only means something inside.
    Internal(String),
    /// The service that hands out the credentials of a machine in a cloud.
    Metadata,
    /// By another scheme than the web's.
    Scheme(String),
    /// Nothing that leads anywhere.
    Unreadable,
}

/// Where `url` leads. The parser is the one that clients use: numbers in any base, short forms, full-width digits and
/// percent signs all come out as the address that they mean.
pub(crate) fn place(url: &str) -> Place {
    // Without a scheme a client takes the web's.
    let url = url.trim();
    let parsed = Url::parse(url).or_else(|_| Url::parse(&format!("http://{}", url.trim_start_matches(['/', '\\']))));
    let Ok(parsed) = parsed else { return Place::Unreadable };
    if !matches!(parsed.scheme(), "http" | "https" | "ws" | "wss") {
        return Place::Scheme(parsed.scheme().to_owned());
    }
    match parsed.host() {
        Some(Host::Ipv4(address)) => of_address(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => of_address(canonical(address)),
        Some(Host::Domain(name)) => of_name(&name.trim_end_matches('.').to_lowercase()),
        None => Place::Unreadable,
    }
}

/// The IPv4 address within an IPv6 one, where there is one: mapped, compatible, NAT64 or 6to4.
fn canonical(address: Ipv6Addr) -> IpAddr {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => v4(g, h),
        (0, 0, 0, 0, 0, 0) if g != 0 => v4(g, h),
        (0x2002, ..) => v4(b, c),
        _ => IpAddr::V6(address),
    }
}

fn of_address(address: IpAddr) -> Place {
    let metadata = [
        IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
        IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
        IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    ];
    if metadata.contains(&address) {
        return Place::Metadata;
    }
    let internal = match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_multicast()
                || a == 0
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b))
                || (a == 192 && b == 0)
                || a >= 240
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
        }
    };
    if internal { Place::Internal(address.to_string()) } else { Place::Public }
}

fn of_name(name: &str) -> Place {
    let metadata = ["metadata.google.internal", "metadata.goog", "instance-data", "metadata.azure.com"];
    if metadata.contains(&name) {
        return Place::Metadata;
    }
    let inside =
        [".internal", ".local", ".localhost", ".lan", ".intranet", ".corp", ".home.arpa", ".svc", ".cluster.local"];
    // Services that give a name to any address: the address is in the name.
    let spelt = ["nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me"];
    let internal = name == "localhost"
        || !name.contains('.')
        || inside.iter().any(|end| name.ends_with(end))
        || spelt.iter().any(|end| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    if internal { Place::Internal(name.to_owned()) } else { Place::Host(name.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inside_in_every_spelling() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[64:ff9b::a00:1]/",
            "http://[2002:a00:1::]/",
            "http://１２７.０.０.１/",
            "http://10.0.0.8:8080/x",
            "http://user@192.168.1.1/",
            "http://localhost./",
            "http://LOCALHOST/",
            "http://db/",
            "http://api.svc.cluster.local/",
            "http://10.0.0.1.nip.io/",
            "http://0/",
            "http://%31%32%37.0.0.1/",
            "//10.0.0.1/",
            "10.0.0.1/admin",
            "\\\\10.0.0.1\\share",
            "https://printer.local/",
            "http://localtest.me/",
            "http://100.64.0.1/",
        ] {
            assert!(matches!(place(url), Place::Internal(_)), "{url}: {:?}", place(url));
        }
    }

    #[test]
    fn the_service_that_hands_out_credentials() {
        for url in [
            "http://169.254.169.254/latest/meta-data/",
            "http://0xa9fea9fe/",
            "http://[::ffff:169.254.169.254]/",
            "http://metadata.google.internal/",
            "http://[fd00:ec2::254]/",
            "http://169.254.170.2/",
        ] {
            assert_eq!(place(url), Place::Metadata, "{url}");
        }
    }

    #[test]
    fn the_outside_and_what_is_no_web() {
        assert_eq!(place("https://example.com/"), Place::Host("example.com".to_owned()));
        assert_eq!(place("https://8.8.8.8/"), Place::Public);
        assert_eq!(place("https://[2606:4700::1]/"), Place::Public);
        assert_eq!(place("file:///etc/passwd"), Place::Scheme("file".to_owned()));
        assert_eq!(place("gopher://x/"), Place::Scheme("gopher".to_owned()));
        assert_eq!(place("no address"), Place::Unreadable);
    }
}
