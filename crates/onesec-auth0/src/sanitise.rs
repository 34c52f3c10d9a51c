//! Text from upstream, made fit to be logged.

use onesec_telemetry::Secret;

const MAX_CHARS: usize = 256;
const REDACTED: &str = "[redacted]";
/// From here on a run of token characters is no word any more.
const MIN_TOKEN_CHARS: usize = 16;
/// How provider and Auth0 tokens begin; such a run is a token at any length.
const TOKEN_PREFIXES: [&str; 12] =
    ["eyJ", "ya29", "gho_", "ghp_", "ghu_", "ghs_", "github_pat_", "xoxp-", "xoxb-", "xoxe", "v1.", "Fe26."];

/// A description without control characters, without anything that looks like a token or is one of `secrets`,
/// at most 256 characters long.
pub(crate) fn description(text: &str, secrets: &[&Secret]) -> String {
    let clean: String = text.chars().take(MAX_CHARS * 16).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let known = secrets.iter().filter(|secret| !secret.is_empty());
    let clean = known.fold(clean, |clean, secret| clean.replace(secret.expose_to_wire(), REDACTED));
    let mut out = String::with_capacity(clean.len().min(MAX_CHARS * 4));
    let mut run = String::new();
    for c in clean.chars() {
        if is_token_char(c) {
            run.push(c);
        } else {
            flush(&mut out, &mut run);
            if !onesec_telemetry::id::is_hidden(c) {
                out.push(c);
            }
        }
    }
    flush(&mut out, &mut run);
    out.chars().take(MAX_CHARS).collect()
}

/// Whether `text` looks like a token anywhere.
pub(crate) fn has_token(text: &str) -> bool {
    text.split(|c| !is_token_char(c)).any(is_token_run)
}

fn flush(out: &mut String, run: &mut String) {
    out.push_str(if is_token_run(run) { REDACTED } else { run });
    run.clear();
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/=*%".contains(c)
}

/// A run is judged by its pieces between slashes, so that URLs of words survive and base64 does not.
fn is_token_run(run: &str) -> bool {
    run.split('/').any(is_token_piece) || TOKEN_PREFIXES.iter().any(|prefix| run.starts_with(prefix))
}

fn is_token_piece(piece: &str) -> bool {
    let (digit, lower, upper) = piece.chars().fold((false, false, false), |(d, l, u), c| {
        (d || c.is_ascii_digit(), l || c.is_ascii_lowercase(), u || c.is_ascii_uppercase())
    });
    piece.len() >= MIN_TOKEN_CHARS && (digit || (lower && upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        assert_eq!(description(text, &[&Secret::new("hunter2".into())]), want, "{text:?}");
    }

    #[test]
    fn what_auth0_says_stays_readable() {
        for text in [
            "Federated connection Refresh Token not found.",
            "Grant type 'urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token' not allowed for the client.",
            "see http://auth0.com/oauth/token-type/federated-connection-access-token",
            "federated_connection_refresh_token_not_found",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn tokens_and_control_characters_do_not() {
        check("bad token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln!", "bad token [redacted]!");
        check("ya29.a0", "[redacted]");
        check("token=1//0gAbCdEfGhIjKlMnOpQrStUv", "[redacted]");
        check("da39a3ee5e6b4b0d3255bfef95601890afd80709", "[redacted]");
        check("password hunter2 wrong", "password [redacted] wrong");
        check("a\r\nb\u{1b}[31mc\u{202e}d", "a  b [31mcd");
        assert_eq!(description(&"word ".repeat(1000), &[]).chars().count(), 256);
    }
}
