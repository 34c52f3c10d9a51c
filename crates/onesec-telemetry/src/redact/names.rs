//! Which names tell that their value is a secret.

use unicode_normalization::UnicodeNormalization;

/// Whether a member of this name holds a secret, however it is spelt: case, `-`, `_`, `.` and
/// camelCase do not count, so `X-Api-Key`, `x_api_key` and `xApiKey` are one name.
///
/// A name tells by its end (`github_token`, `dbPassword`); a name that only mentions a secret does
/// not (`token_type`, `token_thumbprint`, `tokens_used`, `password_policy`, `session_id`).
#[must_use]
pub fn is_telling_name(name: &str) -> bool {
    if name.is_ascii() {
        // Nearly every name is, and every member of every event comes by here.
        let letters = name.bytes().rev().filter(u8::is_ascii_alphanumeric);
        return tells(letters.map(|letter| letter.to_ascii_lowercase()));
    }
    let name: String = name.nfkc().collect();
    let letters = name.chars().rev().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    tells(letters.map(|letter| u8::try_from(letter).unwrap_or(b'?')))
}

/// The same of a name's letters and digits in lower case, last first.
fn tells(letters: impl Iterator<Item = u8>) -> bool {
    let mut folded = Folded { bytes: [0; TAIL], len: 0 };
    for letter in letters {
        if !folded.push_front(letter) {
            break; // longer than every name below, so only its end can tell
        }
    }
    let tail = folded.as_bytes();
    let Some(last) = tail.last() else { return false };
    EXACT.iter().any(|exact| tail == exact.as_bytes())
        || endings(*last).iter().any(|end| tail.ends_with(end.as_bytes()))
}

/// Whether the header of this name is a secret to the end of its line.
pub(super) fn is_secret_header(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie", "set-cookie"].iter().any(|h| name.eq_ignore_ascii_case(h))
}

/// Whether the name counts tokens where its value is a number, as language models report usage.
pub(super) fn may_count(name: &str) -> bool {
    name.as_bytes().last_chunk::<6>().is_some_and(|end| end.eq_ignore_ascii_case(b"tokens"))
}

/// Names that tell only as a whole: as an ending they would catch honest words.
const EXACT: [&str; 13] = [
    "jwt",
    "otp",
    "totp",
    "pin",
    "session",
    "sessions",
    "tokens",
    "signatures",
    "bearer",
    "bearers",
    "mfacode",
    "sid",
    "passcode",
];

/// A name that ends so tells; by last letter, because every pair of every text comes by here.
fn endings(last: u8) -> &'static [&'static str] {
    match last {
        b'n' => &["token", "authorization", "assertion"],
        b's' => &[
            "accesstokens",
            "refreshtokens",
            "idtokens",
            "apitokens",
            "authtokens",
            "bearertokens",
            "secrets",
            "passwords",
            "apikeys",
            "privatekeys",
            "cookies",
            "credentials",
        ],
        b't' => &["secret"],
        b'd' => &["password", "passwd", "pwd"],
        b'e' => &[
            "passphrase",
            "cookie",
            "signature",
            "authorizationcode",
            "authcode",
            "devicecode",
            "recoverycode",
            "onetimecode",
            "sessioncookie",
        ],
        b'y' => &[
            "apikey",
            "secretkey",
            "privatekey",
            "accesskey",
            "signingkey",
            "encryptionkey",
            "masterkey",
            "sharedkey",
            "sshkey",
            "accountkey",
            "authkey",
            "hmackey",
            "sessionkey",
        ],
        b'l' => &["credential"],
        b'r' => &["codeverifier"],
        b'g' => &["connectionstring"],
        _ => &[],
    }
}

const TAIL: usize = 24;

/// The end of a name, folded, without allocation.
struct Folded {
    bytes: [u8; TAIL],
    len: usize,
}

impl Folded {
    /// `false` where there is no room left.
    fn push_front(&mut self, byte: u8) -> bool {
        let Some(slot) = (TAIL - 1).checked_sub(self.len).and_then(|at| self.bytes.get_mut(at)) else {
            return false;
        };
        *slot = byte;
        self.len += 1;
        true
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(TAIL - self.len..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_in_every_spelling() {
        for name in "token access_token accessToken AccessToken ACCESS-TOKEN access.token accesstoken refresh_token \
            id_token subject_token actor_token secret client_secret clientSecret password passwd pwd db_password api_key \
            apikey X-Api-Key xApiKey APIKey authorization Authorization Proxy-Authorization cookie Set-Cookie session \
            private_key privateKey credential credentials signature assertion client_assertion code_verifier codeVerifier \
            GITHUB_TOKEN AWS_SECRET_ACCESS_KEY aws_session_token X-Amz-Security-Token passphrase otp jwt tokens \
            access_tokens slack_bot_token idToken IDToken to\u{200b}ken ｔｏｋｅｎ a.very.long.path.to.some.deep.nested.password"
            .split_whitespace()
        {
            assert!(is_telling_name(name), "{name}");
        }
    }

    #[test]
    fn a_name_that_only_mentions_a_secret_does_not_tell() {
        for name in "token_thumbprint tokens_used subject_token_type issued_token_type requested_token_type token_type \
            session_id sessionId key description_hash max_tokens prompt_tokens completion_tokens total_tokens password_policy \
            password_changed_at token_expires_at has_secret_count signature_valid signature_alg api_key_id public_key \
            code state nonce obsession concession cookie_policy credential_type authorization_endpoint secretary \
            grant_type scope connection agent_id user_id content name spin author assertions_checked x"
            .split_whitespace()
        {
            assert!(!is_telling_name(name), "{name}");
        }
        assert!(!is_telling_name(""));
    }
}
