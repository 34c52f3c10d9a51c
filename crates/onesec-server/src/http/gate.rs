//! The gate: which host was asked, whose page asks, which key, and what it is good for.

use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use onesec_telemetry::{Secret, TenantId};

use super::App;
use super::params::{Params, TENANT};
use super::problem::Problem;
use crate::config::Network;
use crate::keys::Caller;

/// The socket's other end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Names under which we may be called: loopback with our port, and the listed ones.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    port: u16,
    listed: Vec<String>,
}

impl Hosts {
    pub(super) fn new(port: u16, listed: &[String]) -> Self {
        Self { port, listed: listed.iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    /// A listed name counts with any port unless it is listed with one.
    pub(super) fn know(&self, authority: &str) -> bool {
        let authority = authority.to_ascii_lowercase();
        let Some((name, port)) = split_authority(&authority) else { return false };
        let loopback = name == "localhost" || is_loopback(name);
        if loopback && port.is_some_and(|port| port == self.port) {
            return true;
        }
        self.listed.iter().any(|listed| *listed == authority || listed == name)
    }

    /// RFC 9110, section 7.4: another host's request is misdirected. It is how DNS rebinding looks.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let mut hosts = headers.get_all(HOST).iter();
        let (host, second) = (hosts.next().and_then(|h| h.to_str().ok()), hosts.next());
        let asked = uri.authority().map(axum::http::uri::Authority::as_str);
        let known = host.or(asked).is_some() && [host, asked].into_iter().flatten().all(|name| self.know(name));
        if known && second.is_none() {
            return Ok(());
        }
        let detail = "the `Host` is neither loopback with our port nor listed in `server.hosts`";
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", detail))
    }

    /// A page of another origin must not change anything here.
    pub(super) fn check_origin(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        if method.is_safe() {
            return Ok(());
        }
        let ours = |origin: &str| {
            let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            authority.is_some_and(|authority| self.know(authority))
        };
        let all = headers.get_all(ORIGIN).iter().all(|value| value.to_str().is_ok_and(ours));
        if all { Ok(()) } else { Err(Problem::forbidden("foreign-origin", "the `Origin` is not ours")) }
    }
}

/// A request that two readers would read in two ways is refused: a `Content-Type` that stands twice, and a body in any
/// other transfer coding than `chunked`, which nobody here undoes.
pub(super) fn check_framing(headers: &HeaderMap) -> Result<(), Problem> {
    let unclear = |detail: &str| Problem::bad_request("unclear-framing", detail);
    if headers.get_all(CONTENT_TYPE).iter().count() > 1 {
        return Err(unclear("`Content-Type` stands twice"));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let plain = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if codings.next().is_some_and(|coding| !plain(coding)) || codings.next().is_some() {
        return Err(unclear("`Transfer-Encoding` must be `chunked` or absent"));
    }
    Ok(())
}

fn split_authority(authority: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    let plain = !name.is_empty() && !name.contains(['@', '/', '?', '#', ' ']);
    plain.then_some((name, port))
}

fn is_loopback(name: &str) -> bool {
    let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Our keys have no dots; a signed JWT has two.
pub(super) fn is_token(credential: &Secret) -> bool {
    credential.expose_to_wire().bytes().filter(|byte| *byte == b'.').count() == 2
}

/// The key that a request carries.
pub(super) fn presented(headers: &HeaderMap) -> Option<Secret> {
    let bearer = |text: &str| {
        let (scheme, key) = text.split_once(' ')?;
        let secret = Secret::new(key.trim().to_owned());
        // RFC 9449, section 7.1: a token that is bound to a key comes as `DPoP`. Our keys are bound to none.
        let bound = scheme.eq_ignore_ascii_case("dpop") && is_token(&secret);
        (bound || scheme.eq_ignore_ascii_case("bearer")).then_some(secret)
    };
    match (only(headers, AUTHORIZATION.as_str()), only(headers, "x-api-key")) {
        (Ok(Some(text)), _) => bearer(text),
        (Ok(None), Ok(Some(key))) => Some(Secret::new(key.trim().to_owned())),
        _ => None,
    }
}

/// The value of a header that must not stand twice: somebody in front of us may have looked at the other one.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(drop),
        _ => Err(()),
    }
}

/// The tenant that a call is about. Another tenant's is not there, whatever its name.
pub(super) fn choose_tenant(app: &App, mut caller: Caller, params: &Params) -> Result<Caller, Problem> {
    if let Some(named) = params.get(TENANT) {
        let named = TenantId::new(named).map_err(|_| Problem::not_found("tenant"))?;
        if !caller.operator && named != caller.tenant {
            return Err(Problem::not_found("tenant"));
        }
        caller.tenant = named;
    }
    if app.core.view(&caller.tenant).is_none() {
        return Err(Problem::not_found("tenant"));
    }
    Ok(caller)
}

/// Where a request came from: the socket's other end, unless trusted proxies forwarded it; then the rightmost
/// address that none of them has.
pub(super) fn network(peer: Option<Peer>, headers: &HeaderMap, trusted: &[Network]) -> Option<IpAddr> {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|net| net.contains(ip));
    let mut at = peer?.0.ip().to_canonical();
    let forwarded: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).collect();
    for hop in forwarded.into_iter().rev() {
        if !is_trusted(at) {
            break;
        }
        let Some(ip) = hop_address(hop.trim()) else { break };
        at = ip;
    }
    Some(at)
}

fn hop_address(hop: &str) -> Option<IpAddr> {
    let ip = hop.parse::<IpAddr>().or_else(|_| hop.parse::<SocketAddr>().map(|a| a.ip()));
    ip.ok().map(|ip| ip.to_canonical())
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::unauthorised().into_response())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn hosts() -> Hosts {
        Hosts::new(1780, &["onesec.example".into(), "proxy.example:8443".into()])
    }

    #[test]
    fn what_two_readers_would_read_in_two_ways_is_refused() {
        let check = |list: &[(&'static str, &'static str)]| {
            let mut all = HeaderMap::new();
            for (name, value) in list {
                all.append(*name, HeaderValue::from_static(value));
            }
            check_framing(&all).is_ok()
        };
        assert!(check(&[]));
        assert!(check(&[("content-type", "application/json"), ("transfer-encoding", " Chunked ")]));
        assert!(!check(&[("content-type", "application/json"), ("content-type", "application/x-ndjson")]));
        for coding in ["gzip, chunked", "chunked, chunked", "identity", "xchunked", ""] {
            assert!(!check(&[("transfer-encoding", coding)]), "{coding}");
        }
        assert!(!check(&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]));
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (axum::http::HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn only_loopback_with_our_port_and_listed_hosts_are_ours() {
        for good in [
            "127.0.0.1:1780",
            "localhost:1780",
            "LOCALHOST:1780",
            "[::1]:1780",
            "onesec.example",
            "onesec.example:443",
            "proxy.example:8443",
        ] {
            assert!(hosts().know(good), "{good}");
        }
        for bad in [
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost",
            "evil.example",
            "evil.example:1780",
            "proxy.example",
            "proxy.example:1",
            "",
            "a@127.0.0.1:1780",
            "127.0.0.1:1780/",
            "localhost.evil.example:1780",
            "::1:1780x",
        ] {
            assert!(!hosts().know(bad), "{bad}");
        }
    }

    #[test]
    fn a_missing_doubled_or_contradicting_host_is_misdirected() {
        let check = |uri: &str, list: &[(&'static str, &'static str)]| {
            hosts().check(&uri.parse().expect("uri"), &headers(list)).map_err(|p| p.status().as_u16())
        };
        assert_eq!(check("/", &[("host", "127.0.0.1:1780")]), Ok(()));
        assert_eq!(check("/", &[]), Err(421));
        assert_eq!(check("/", &[("host", "evil.example")]), Err(421));
        assert_eq!(check("http://evil.example/", &[("host", "127.0.0.1:1780")]), Err(421));
        assert_eq!(check("http://127.0.0.1:1780/", &[("host", "127.0.0.1:1780")]), Ok(()));
        let mut twice = headers(&[("host", "127.0.0.1:1780")]);
        twice.append(HOST, HeaderValue::from_static("evil.example"));
        assert!(hosts().check(&"/".parse().expect("uri"), &twice).is_err());
    }

    #[test]
    fn a_foreign_page_cannot_change_anything() {
        let origin = |method: Method, origin: &'static str| {
            hosts().check_origin(&method, &headers(&[("origin", origin)])).is_ok()
        };
        assert!(origin(Method::POST, "http://127.0.0.1:1780") && origin(Method::DELETE, "https://onesec.example"));
        for foreign in ["https://evil.example", "null", "http://127.0.0.1:3000", "file://", ""] {
            assert!(!origin(Method::POST, foreign), "{foreign}");
            assert!(origin(Method::GET, foreign), "{foreign}");
        }
        assert!(hosts().check_origin(&Method::POST, &HeaderMap::new()).is_ok());
    }

    #[test]
    fn a_forwarded_address_counts_only_from_trusted_proxies() {
        let peer = |ip: &str| Some(Peer(SocketAddr::new(ip.parse().expect("ip"), 1)));
        let trusted = [Network::parse("10.0.0.0/8").expect("net")];
        let at = |from: &str, forwarded: &'static str| {
            network(peer(from), &headers(&[("x-forwarded-for", forwarded)]), &trusted).expect("peer").to_string()
        };
        assert_eq!(at("203.0.113.9", "198.51.100.7"), "203.0.113.9");
        assert_eq!(at("10.0.0.1", "198.51.100.7"), "198.51.100.7");
        assert_eq!(at("10.0.0.1", "6.6.6.6, 198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(at("10.0.0.1", "6.6.6.6, rubbish"), "10.0.0.1");
        assert_eq!(at("10.0.0.1", "[2001:db8::1]:443"), "2001:db8::1");
        assert_eq!(network(None, &HeaderMap::new(), &trusted), None);
    }

    #[test]
    fn a_key_travels_as_bearer_or_in_its_own_header() {
        let key =
            |list: &[(&'static str, &'static str)]| presented(&headers(list)).map(|k| k.expose_to_wire().to_owned());
        assert_eq!(key(&[("authorization", "Bearer os_x")]).as_deref(), Some("os_x"));
        assert_eq!(key(&[("authorization", "bearer  os_x ")]).as_deref(), Some("os_x"));
        assert_eq!(key(&[("x-api-key", "os_y")]).as_deref(), Some("os_y"));
        assert_eq!(key(&[("authorization", "Basic os_x")]), None);
        assert_eq!(key(&[]), None);
        let mut twice = headers(&[("authorization", "Bearer os_x")]);
        twice.append(AUTHORIZATION, HeaderValue::from_static("Bearer os_y"));
        assert!(presented(&twice).is_none());
    }
}
