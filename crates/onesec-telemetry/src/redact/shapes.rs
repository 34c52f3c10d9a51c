//! Secrets that are known by their shape.

use super::scan::{Scanner, Span};

/// Tokens that begin with a prefix of their issuer's.
struct Shape {
    prefix: &'static str,
    /// The two bytes before the prefix's last one: compared first, because every `_` of a text comes by here.
    tail: [u8; 2],
    /// What every body begins with.
    then: &'static str,
    /// Bytes that must follow the prefix.
    min: usize,
    chars: fn(u8) -> bool,
    /// Whether there must be a digit: the prefix alone may begin an honest word.
    digit: bool,
}

const fn shape(prefix: &'static str, min: usize, chars: fn(u8) -> bool) -> Shape {
    Shape { prefix, tail: tail_of(prefix), then: "", min, chars, digit: false }
}

const fn with_digit(prefix: &'static str, min: usize, chars: fn(u8) -> bool) -> Shape {
    Shape { digit: true, ..shape(prefix, min, chars) }
}

const fn tail_of(prefix: &str) -> [u8; 2] {
    match prefix.as_bytes() {
        [.., first, second, _] => [*first, *second],
        _ => [0; 2],
    }
}

static ENDING_IN_DOT: [Shape; 4] = [
    shape("ya29.", 4, base64url_or_dot),                // Google access token
    Shape { then: "M", ..shape("v1.", 16, base64url) }, // Auth0 refresh token
    with_digit("SG.", 16, base64url_or_dot),            // SendGrid
    shape("xoxe.", 8, base64url_or_dot),                // Slack, rotating
];

static ENDING_IN_UNDERSCORE: [Shape; 22] = [
    shape("ghp_", 8, word),
    shape("gho_", 8, word),
    shape("ghu_", 8, word),
    shape("ghs_", 8, word),
    shape("ghr_", 8, word),
    shape("github_pat_", 8, word),
    shape("sk_live_", 8, word),
    shape("sk_test_", 8, word),
    shape("rk_live_", 8, word),
    shape("rk_test_", 8, word),
    with_digit("os_", 24, base64url), // ours
    shape("npm_", 30, alphanumeric),
    shape("hf_", 20, alphanumeric),
    shape("whsec_", 16, base64),
    shape("shpat_", 20, alphanumeric),
    shape("shpss_", 20, alphanumeric),
    shape("shpca_", 20, alphanumeric),
    shape("dop_v1_", 20, alphanumeric),
    shape("lin_api_", 16, alphanumeric),
    shape("figd_", 20, base64url),
    shape("gsk_", 20, alphanumeric),
    shape("hvs_", 20, base64url),
];

static ENDING_IN_HYPHEN: [Shape; 18] = [
    shape("GOCSPX-", 16, base64url),
    shape("xoxa-", 8, slack),
    shape("xoxb-", 8, slack),
    shape("xoxc-", 8, slack),
    shape("xoxd-", 8, slack),
    shape("xoxe-", 8, slack),
    shape("xoxo-", 8, slack),
    shape("xoxp-", 8, slack),
    shape("xoxr-", 8, slack),
    shape("xoxs-", 8, slack),
    shape("xapp-", 8, slack),
    shape("xwfp-", 8, slack),
    with_digit("sk-", 16, base64url),
    with_digit("glpat-", 16, base64url_or_dot),
    with_digit("gldt-", 16, base64url),
    with_digit("glrt-", 16, base64url_or_dot),
    Shape { then: "Ag", ..shape("pypi-", 16, base64url) },
    with_digit("pplx-", 20, base64url),
];

impl Scanner<'_> {
    /// A token whose prefix has its anchor at `at`.
    pub(super) fn prefixed(&self, at: usize) -> Option<Span> {
        let shapes: &[Shape] = match self.byte(at) {
            b'.' => &ENDING_IN_DOT,
            b'_' => &ENDING_IN_UNDERSCORE,
            _ => &ENDING_IN_HYPHEN,
        };
        let body = at + 1;
        let left = self.bytes.get(..body)?;
        let tail = tail_of(self.text.get(at.checked_sub(2)?..body)?);
        shapes.iter().find_map(|shape| {
            if shape.tail != tail || !left.ends_with(shape.prefix.as_bytes()) {
                return None;
            }
            let start = body - shape.prefix.len();
            let inside_word = if shape.digit { base64url } else { alphanumeric };
            let found = !inside_word(self.before(start))
                && self.starts_with(body, shape.then.as_bytes())
                && self.has_body(body, shape);
            found.then(|| Span { start, end: self.trimmed(body, self.run_end(body, shape.chars), |b| b == b'.') })
        })
    }

    fn has_body(&self, body: usize, shape: &Shape) -> bool {
        let enough = self.bytes.get(body..body + shape.min).is_some_and(|b| b.iter().all(|b| (shape.chars)(*b)));
        let window = self.bytes.get(body..).unwrap_or_default().iter().take(64);
        enough && (!shape.digit || window.take_while(|b| (shape.chars)(**b)).any(u8::is_ascii_digit))
    }

    /// `eyJ….….…`, as JWS (three parts) or JWE (five), or only header and claims.
    pub(super) fn jwt(&mut self, at: usize) -> Option<Span> {
        let start = at.checked_sub(2)?;
        let header = self.bytes.get(start..start + MIN_JWT_HEADER)?;
        if start < self.no_jwt_before || !header.starts_with(b"eyJ") || !header.iter().all(|b| base64url(*b)) {
            return None;
        }
        let end = self.run_end(start, base64url_or_dot);
        let run = self.bytes.get(start..end)?;
        let dots = run.iter().filter(|b| **b == b'.').take(2).count();
        if dots < 2 && !run.windows(4).any(|w| w == b".eyJ") {
            self.no_jwt_before = end;
            return None;
        }
        Some(Span { start, end: self.trimmed(start, end, |b| b == b'.') })
    }

    /// AWS key ids (`AKIA…`, `ASIA…`) and Google API keys (`AIza…`); `at` is their `I`.
    pub(super) fn upper_case_key(&self, at: usize) -> Option<Span> {
        if self.starts_with(at, b"Iza") && self.before(at) == b'A' {
            let end = self.run_end(at, base64url);
            return (end - at >= 30).then_some(Span { start: at - 1, end });
        }
        let start = at.checked_sub(2)?;
        let known = self.starts_with(start, b"AKIA") || self.starts_with(start, b"ASIA");
        let length = self.bytes.get(start..)?.iter().take(21).take_while(|b| b.is_ascii_alphanumeric()).count();
        (known && length == 20 && !self.before(start).is_ascii_alphanumeric())
            .then_some(Span { start, end: start + length })
    }

    /// `1//0…`; `at` is the first slash.
    pub(super) fn google_refresh(&self, at: usize) -> Option<Span> {
        let start = at.checked_sub(1)?;
        if !self.starts_with(start, b"1//0") || self.before(start).is_ascii_alphanumeric() {
            return None;
        }
        let end = self.run_end(start + 3, base64url);
        (end - start >= 16).then_some(Span { start, end })
    }

    /// `00D…!…`: the organisation's id, then the session; `at` is the exclamation mark.
    pub(super) fn salesforce_session(&self, at: usize) -> Option<Span> {
        let org = [15, 18].into_iter().filter_map(|len| at.checked_sub(len));
        let start = org.into_iter().find(|start| {
            let id = self.bytes.get(*start..at).unwrap_or_default();
            id.starts_with(b"00D") && id.iter().all(u8::is_ascii_alphanumeric)
        })?;
        let end = self.run_end(at + 1, base64url_or_dot);
        (end - at > 20).then(|| Span { start, end: self.trimmed(start, end, |b| b == b'.') })
    }

    /// What follows `Bearer` or `Basic`; `at` is the `b`.
    pub(super) fn scheme_value(&self, at: usize) -> Option<Span> {
        let name = [&b"bearer"[..], b"basic"].into_iter().find(|name| self.starts_with_any_case(at, name))?;
        if self.before(at).is_ascii_alphanumeric() {
            return None;
        }
        let gap = at + name.len();
        let start = if self.starts_with(gap, b"%20") {
            gap + 3
        } else {
            self.run_end(gap, |b| matches!(b, b' ' | b'\t' | b'+'))
        };
        if start == gap {
            return None;
        }
        let padding = self.run_end(start, token68);
        let end = self.trimmed(start, self.run_end(padding, |b| b == b'='), |b| b == b'.');
        // `Bearer expires_in=3600` is no padded value but the next pair.
        let next_pair = end > padding && self.byte(end).is_ascii_alphanumeric();
        (!next_pair && self.looks_secret(Span { start, end })).then_some(Span { start, end })
    }

    /// Whether a word looks like a credential and not like a word of a sentence.
    pub(super) fn looks_secret(&self, span: Span) -> bool {
        let word = self.bytes.get(span.start..span.end).unwrap_or_default();
        let digit_or_sign = word.iter().any(|b| b.is_ascii_digit() || matches!(b, b'=' | b'+'));
        let mixed_case = word.iter().skip(1).any(u8::is_ascii_uppercase) && word.iter().any(u8::is_ascii_lowercase);
        let long = word.len() >= 20 && word.iter().all(u8::is_ascii_alphanumeric);
        (word.len() >= 6 && digit_or_sign && *word != *b"OAuth2") || (word.len() >= 12 && mixed_case) || long
    }

    /// A block `-----BEGIN … PRIVATE KEY-----`, to its end or to the end of the text.
    pub(super) fn private_key(&self, at: usize) -> Option<Span> {
        if !self.starts_with(at, b"-----BEGIN ") {
            return None;
        }
        let label_end = self.run_end(at + 11, |b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b' '));
        let label = self.text.get(at + 11..label_end)?;
        if !label.contains("PRIVATE KEY") {
            return None;
        }
        let rest = self.text.get(label_end..)?;
        let end = rest.find("-----END").map_or(self.text.len(), |offset| {
            let label = label_end + offset + 8;
            let label_end = self.run_end(label, |b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b' '));
            if self.starts_with(label_end, b"-----") { label_end + 5 } else { label_end }
        });
        Some(Span { start: at, end })
    }
}

/// `{"a":1}` in base64url: no header is shorter.
const MIN_JWT_HEADER: usize = 10;

fn alphanumeric(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

fn word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

pub(super) fn base64url(b: u8) -> bool {
    word(b) || b == b'-'
}

fn base64url_or_dot(b: u8) -> bool {
    base64url(b) || b == b'.'
}

fn base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')
}

fn slack(b: u8) -> bool {
    base64url_or_dot(b) || matches!(b, b'%' | b'+' | b'/' | b'=')
}

/// RFC 9110, section 11.2, but for the padding at the end.
fn token68(b: u8) -> bool {
    base64url_or_dot(b) || matches!(b, b'~' | b'+' | b'/')
}
