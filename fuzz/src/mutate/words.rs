//! Words worth trying: names of the contract, spellings that readers disagree on, secrets.

use std::sync::LazyLock;

use onesec_telemetry::Kind;

use crate::target::SECRETS;

/// Names of members: of every kind, of the envelope, of policies.
pub(crate) static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let fields = Kind::ALL.iter().flat_map(|kind| kind.spec().fields);
    let mut names: Vec<&str> = fields.flat_map(|f| std::iter::once(f.name).chain(f.aliases.iter().copied())).collect();
    names.extend(OTHERS);
    names.sort_unstable();
    names.dedup();
    names
});

const OTHERS: [&str; 46] = [
    "id",
    "type",
    "timestamp",
    "source",
    "severity",
    "summary",
    "source_ip",
    "user_agent",
    "request_id",
    "details",
    "agent_id",
    "user_id",
    "connection",
    "task_id",
    "session_id",
    "trace_id",
    "client_id",
    "specversion",
    "time",
    "data",
    "data_base64",
    "datacontenttype",
    "subject",
    "password",
    "access_token",
    "redacted",
    "len",
    "name",
    "match",
    "request",
    "actions",
    "approval",
    "cooldown",
    "max_per_minute",
    "never",
    "detectors",
    "min_severity",
    "agents",
    "users",
    "connections",
    "networks",
    "webhook",
    "url",
    "limit",
    "per",
    "for",
];

/// Texts worth trying anywhere.
pub(crate) static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut texts: Vec<String> = SHORT.iter().map(|text| (*text).to_owned()).collect();
    texts.extend(Kind::ALL.iter().map(|kind| kind.as_str().to_owned()));
    texts.extend(SECRETS.iter().map(|secret| (*secret).to_owned()));
    texts.extend(SECRETS.iter().map(|secret| format!("see {secret} for more")));
    texts.extend(["a".repeat(256), "a".repeat(257), "ａ".repeat(86), "b".repeat(5_000), "s ".repeat(300)]);
    texts.push(format!("https://user:{}@h.example/p?{}=1#f", "pw", "token"));
    texts
});

const SHORT: [&str; 76] = [
    "",
    " ",
    "a",
    "bot-7",
    "auth0|ada",
    "github",
    "GitHub",
    "google-oauth2",
    "repo",
    "repo,read:org",
    "read:org\trepo",
    "https://www.googleapis.com/auth/gmail.send",
    "gmail.send",
    "*",
    "custom.x",
    "custom.",
    "custom.X y",
    "true",
    "false",
    "null",
    "0",
    "-1",
    "+5",
    "42",
    "1.5",
    "1e400",
    "NaN",
    "inf",
    "9223372036854775807",
    "9223372036854775808",
    "2026-01-31T12:00:00Z",
    "2026-01-31T12:00:00+14:00",
    "2016-12-31T23:59:60Z",
    "9999-12-31T23:59:59.999999999Z",
    "0001-01-01T00:00:00Z",
    "-009999-01-02T00:00:00Z",
    "1700000000",
    "253402300800",
    "a\u{200b}b",
    "\u{feff}a",
    "a\u{202e}b",
    "a\u{0}b",
    "a\nb",
    "h\u{435}lper",
    "ｈｅｌｐｅｒ",
    "e\u{301}",
    "\u{1f468}\u{200d}\u{1f469}",
    "ß",
    "ﬃ",
    "\u{fdfa}",
    "İ",
    "redacted:sha256:0123456789abcdef:len=5",
    "user -> agent",
    "a,b,,c",
    "->",
    "→",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
    "http://127.1/",
    "http://h.example/?q=1",
    "file:///etc/hosts",
    "//x",
    "Bearer ",
    "Basic ",
    "password=",
    "token: ",
    "key=value",
    "HIGH",
    "critical",
    "10.0.0.0/8",
    "::/0",
    "5m",
    "999999999d",
    "1000000h",
    "0s",
    "~0~1/%00",
];

/// Numbers as JSON writes them; some are none.
pub(crate) const NUMBERS: [&str; 20] = [
    "0",
    "-0",
    "1",
    "-1",
    "7",
    "1.5",
    "1e2",
    "1E+2",
    "1e-400",
    "1e400",
    "-1e308",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "253402300799.999999",
    "01",
    "+1",
    ".5",
    "0x10",
];
