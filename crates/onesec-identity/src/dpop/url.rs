//! `htu`, brought into one form (RFC 3986, sections 6.2.2 and 6.2.3), so that equal targets are equal texts.

/// The longest URL that is looked at.
const MAX_BYTES: usize = 4 * 1024;

/// An absolute `http` or `https` URL without query and fragment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    scheme: String,
    host: String,
    port: u16,
    path: String,
}

/// `None` for whatever is no such URL: user names and passwords, other schemes, characters that no URL may have.
pub(super) fn normal(url: &str) -> Option<Target> {
    let visible =
        |b: u8| matches!(b, 0x21..=0x7e) && !matches!(b, b'\\' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{'..=b'}');
    if url.len() > MAX_BYTES || !url.bytes().all(visible) {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let rest = rest.split(['?', '#']).next()?;
    let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    let (host, port) = host_and_port(authority)?;
    let port = if port.is_empty() { default_port } else { port.parse().ok()? };
    Some(Target { scheme, host, port, path: without_dots(&percent(path)?) })
}

fn host_and_port(authority: &str) -> Option<(String, &str)> {
    if authority.contains(['@', '%']) {
        return None; // user information, or a host in disguise
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            (format!("[{address}]"), port.strip_prefix(':').or_else(|| port.is_empty().then_some(""))?)
        }
        None => {
            let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
            (host.to_owned(), port)
        }
    };
    let named = !host.is_empty() && host != "[]" && port.bytes().all(|b| b.is_ascii_digit());
    named.then(|| (host.to_ascii_lowercase(), port))
}

/// Escapes in capitals, and none where none is needed.
fn percent(path: &str) -> Option<String> {
    let mut pieces = path.split('%');
    let mut normal = pieces.next()?.to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            normal.push(char::from(byte));
        } else {
            normal.push('%');
            normal.push_str(&digits.to_ascii_uppercase());
        }
        normal.push_str(rest);
    }
    Some(normal)
}

/// RFC 3986, section 5.2.4; the empty path is `/`.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            other => {
                kept.push(other);
                continue;
            }
        }
        if is_last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_targets_have_one_form() {
        for (one, other) in [
            ("https://api.example", "HTTPS://API.example:443/"),
            ("https://api.example/token?a=b", "https://api.example/token#part"),
            ("http://localhost:80/x", "http://LOCALHOST/x"),
            ("https://api.example:/x", "https://api.example/x"),
            ("https://api.example/%7euser/%e2%82%ac", "https://api.example/~user/%E2%82%AC"),
            ("https://api.example/a/./b/../c", "https://api.example/a/c"),
            ("https://api.example/a/%2e%2e/c", "https://api.example/c"),
            ("https://api.example/a/..", "https://api.example/"),
            ("https://api.example/a/.", "https://api.example/a/"),
            ("https://[2001:DB8::1]:443/x", "https://[2001:db8::1]/x"),
        ] {
            assert!(normal(one).is_some(), "{one}");
            assert_eq!(normal(one), normal(other), "{one} {other}");
        }
    }

    #[test]
    fn other_targets_have_another_form() {
        let ours = normal("https://api.example/token");
        for other in [
            "http://api.example/token",
            "https://api.example:8443/token",
            "https://api.example/token/",
            "https://api.example/Token",
            "https://api.example//token",
            "https://api.example/to%2Fken",
            "https://api.example.evil.example/token",
            "https://evil.example/https://api.example/token",
            "https://api.example./token",
        ] {
            assert!(normal(other).is_some(), "{other}");
            assert_ne!(normal(other), ours, "{other}");
        }
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        let long = format!("https://api.example/{}", "x".repeat(MAX_BYTES));
        for url in [
            "",
            "/token",
            "api.example/token",
            "ftp://api.example/",
            "https://",
            "https:///token",
            "https://user@api.example/",
            "https://api.example:port/",
            "https://api.example:+443/",
            "https://api.example:70000/",
            "https://api%2eexample/",
            "https://[::1/",
            "https://[]/",
            "https://[::1]x/",
            "https://api.example/%4",
            "https://api.example/%zz",
            "https://api.example/%+1",
            "https://api.example/a b",
            "https://api.example\\token",
            "https://ａpi.example/",
            " https://api.example/",
            "https://api.example/\n",
            &long,
        ] {
            assert_eq!(normal(url), None, "{url}");
        }
    }
}
