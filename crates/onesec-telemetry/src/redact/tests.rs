//! Tests.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Prefix and rest: apart, so that no scanner takes this file for a leak.
const PREFIXED: &[(&str, &str)] = &[
    ("ya29.", "a0AfH6SMBx-Kq_9"),
    ("ya29.", "token"),
    ("1//0", "gXyz_abcDEF-0123456789"),
    ("gho_", "16C7e42F292c6912E7710c838347Ae178B4a"),
    ("ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"),
    ("ghp_", "short123"),
    ("ghu_", "16C7e42F292c6912E7710c838347Ae178B4a"),
    ("ghs_", "16C7e42F292c6912E7710c838347Ae178B4a"),
    ("ghr_", "1B4a2e77838347a7E420ce178F2E7c6912E16924"),
    ("github_pat_", "11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz0123456789"),
    ("xoxb-", "17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzzqgy"),
    ("xoxp-", "23984754863-2348975623103-abcdef"),
    ("xoxa-", "2-abcdefghij"),
    ("xoxr-", "2-abcdefghij"),
    ("xoxs-", "2-abcdefghij"),
    ("xoxc-", "2-abcdefghij"),
    ("xoxd-", "abc%2Fdef%2Bghi"),
    ("xoxe-", "1-abcdefghijkl"),
    ("xoxe.", "xoxp-1-Mi0yLTEyMzQ1Njc4"),
    ("xapp-", "1-A0123456789-1234567890-abcdef"),
    ("sk-", "1234567890abcdefghijklmn"),
    ("sk-", "proj-abc_DEF123456789"),
    ("sk-", "ant-api03-abcdefghijk"),
    ("sk_live_", "4eC39HqLyjWDarjtT1zdp7dc"),
    ("sk_test_", "4eC39HqLyjWDarjtT1zdp7dc"),
    ("rk_live_", "4eC39HqLyjWDarjtT1zdp7dc"),
    ("rk_test_", "4eC39HqLyjWDarjtT1zdp7dc"),
    ("AKIA", "IOSFODNN7EXAMPLE"),
    ("ASIA", "IOSFODNN7EXAMPLE"),
    ("AIza", "SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe"),
    ("glpat-", "abcdefgh1234567890XY"),
    ("glrt-", "abcdefgh1234567890XY"),
    ("gldt-", "abcdefgh1234567890XY"),
    ("os_", "7Hq2mX9pLkR4tVwYzB1cD3eF5gJ6nP8sAaQqWwEeRrT"),
    ("os_", "k1_0123456789abcdef0123456789abcdef"),
    ("v1.M", "rEfReShToKeN0123456789abcdefghijklmnop"),
    ("SG.", "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf09kqeF8tAmbihYzrnopKc"),
    ("npm_", "abcdefghijklmnopqrstuvwxyz0123456789"),
    ("pypi-", "AgEIcHlwaS5vcmcCJGFiY2RlZmdo"),
    ("hf_", "abcdefghijklmnopqrstuvwxyzABCDEFGH"),
    ("whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("GOCSPX-", "abcdefghijklmnop_QRSTUVWX-yz"),
    ("shpat_", "abcdef0123456789abcdef0123456789"),
    ("dop_v1_", "abcdef0123456789abcdef0123456789"),
    ("lin_api_", "abcdefghijklmnopqrst"),
    ("gsk_", "abcdefghijklmnopqrstuvwxyz"),
    ("00D5g000004abcd", "!AQEAQPfQx_abcdefghijk.lmnopqrstuvwxyz"),
    ("00D5g000004abcdEAA", "!AQEAQPfQx_abcdefghijk.lmnopqrstuvwxyz"),
];

/// Secrets that are known by their shape.
fn shapes() -> Vec<String> {
    let header = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9";
    let claims = "eyJzdWIiOiJhdXRoMHwxMjMifQ";
    let mut all = vec![
        format!("{header}.{claims}.c2lnbmF0dXJl"),
        format!("{header}..c2lnbmF0dXJl"),
        format!("{header}.{claims}.dGhpcyBpcy1hX3NpZw-_x"),
        format!("{header}.{claims}"),
        "eyJlbmMiOiJBMjU2R0NNIn0.a2V5.aXY.Y2lwaGVy.dGFn".into(),
        "eyJlbmMiOiJBMjU2R0NNIn0..aXY.Y2lwaGVy.dGFn".into(),
    ];
    all.extend(PREFIXED.iter().map(|(prefix, rest)| format!("{prefix}{rest}")));
    for kind in ["", "RSA ", "EC ", "ENCRYPTED ", "OPENSSH "] {
        let (begin, end) = (format!("-----BEGIN {kind}PRIVATE"), format!("-----END {kind}PRIVATE"));
        all.push(format!("{begin} KEY-----\nMIIEvQIBADANBg+/=\nkq\n{end} KEY-----"));
        all.push(format!("{begin} KEY-----\\nMIIEvQIBADANBg+/=\\n{end} KEY-----"));
    }
    all
}

const SURROUNDINGS: [&str; 10] = [
    "{}",
    "the token is {} today",
    "({})",
    r#"{"content":"{}"}"#,
    "line\n{}\nline",
    "x={}&y=1",
    "«{}»",
    "curl -H 'X-Thing: {}' host",
    "see {}, then go on",
    "<{}>",
];

/// The text must hold nothing of the secret, the rest of it unharmed, and stay as it is when redacted again.
fn check_gone(text: &str, secret: &str) {
    let once = redact_text(text).into_owned();
    for word in secret.split(['\n', '.', '-', '_', '!', '/']).filter(|word| word.len() >= 5) {
        let innocent = ["BEGIN", "PRIVATE KEY", "token", "BEGIN RSA PRIVATE KEY"].contains(&word);
        assert!(innocent || !once.contains(word), "{word:?} of {secret:?} is left in {once:?}");
    }
    assert!(!once.contains(secret) && once.contains("redacted:sha256:"), "{once:?}");
    assert_eq!(redact_text(&once), once, "redacting twice changes nothing");
}

#[test]
fn every_shape_goes_in_every_surrounding() {
    let shapes = shapes();
    assert!(shapes.len() >= 60);
    for secret in &shapes {
        for around in SURROUNDINGS {
            let text = around.replace("{}", secret);
            check_gone(&text, secret);
            let rest = around.split_once("{}").unwrap();
            let once = redact_text(&text);
            assert!(once.starts_with(rest.0) && once.ends_with(rest.1), "{text:?} became {once:?}");
        }
    }
}

#[test]
fn values_under_telling_names_go() {
    let names =
        ["token", "access_token", "refreshToken", "client_secret", "password", "api_key", "X-Api-Key", "DB_PASSWORD"];
    let pairs = [
        "{k}={v}",
        "{k}: {v}",
        "{k} = {v}",
        "{k}:{v}",
        r#"{"{k}":"{v}"}"#,
        r#"{"{k}": "{v}", "a": 1}"#,
        "{'{k}': '{v}'}",
        r#"{\"{k}\":\"{v}\",\"a\":1}"#,
        "a=1&{k}={v}&b=2",
        "export {k}='{v}'",
        "{k} => {v}",
        "{k}:={v}",
        "headers['{k}'] = '{v}'",
        "x; {k}={v}; y",
        "--{k}={v} --next",
        "--{k} {v} --next",
        r#"["--{k}","{v}"]"#,
        "{\n  \"{k}\":\n    \"{v}\"\n}",
        "<a {k}=\"{v}\">",
        "say {k}: {v}, please",
        "{k}: [\"{v}\", \"b\"]",
        "{k}={\"a\":\"{v}\"}",
        "auth.{k}={v}",
    ];
    for name in names {
        for pair in pairs {
            for secret in ["hunter2-hunter2", "c29tZXRoaW5n0123==", "Tr0ub4dor.3"] {
                let text = pair.replace("{k}", name).replace("{v}", secret);
                check_gone(&text, secret);
            }
        }
    }
}

#[test]
fn headers_go_to_the_end_of_their_line() {
    for (text, want) in [
        ("Cookie: a=hush1; b=hush2\nHost: x", "Host: x"),
        ("Set-Cookie: sid=hush1; Path=/; HttpOnly\r\nHost: x", "Host: x"),
        ("authorization: Digest username=hush1, response=hush2\nHost: x", "Host: x"),
        ("curl -H \"Authorization: Token hush1 hush2\" host/path", "\" host/path"),
        ("curl -H 'Cookie: a=hush1; b=hush2' host/path", "' host/path"),
        ("Authorization: Custom hush1 hush2", ""),
        ("Proxy-Authorization: Basic hush1", ""),
        ("Authorization: Bearer hush1\\nHost: x", "\\nHost: x"),
    ] {
        let once = redact_text(text);
        assert!(!once.contains("hush") && once.ends_with(want), "{text:?} became {once:?}");
        assert_eq!(redact_text(&once), once);
    }
}

#[test]
fn bearer_and_basic_values_go() {
    for value in
        ["abc123", "mF_9.B5f-4.1JqM", "YWxhZGRpbjpvcGVuc2VzYW1l", "dXNlcjpwYXNz=", "abcdefghijklmnopqrstuvwxyz"]
    {
        for scheme in ["Bearer", "bearer", "BEARER", "Basic", "basic"] {
            for text in [
                format!("{scheme} {value}"),
                format!("sent {scheme}  {value} on"),
                format!("\"{scheme} {value}\""),
                format!("header={scheme}+{value}"),
                format!("{scheme}%20{value}"),
                format!("'{scheme}\t{value}',"),
            ] {
                check_gone(&text, value);
            }
        }
    }
    check_gone("auth_token: Bearer correcthorse", "correcthorse");
}

/// The text with `§` for every mark.
fn with_short_marks(text: &str) -> String {
    let mut parts = text.split("redacted:sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| {
        let (_, rest) = part.split_once(":len=").expect("a mark");
        shown + "§" + rest.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

#[test]
fn urls_keep_scheme_host_and_path() {
    for (text, want) in [
        ("https://user:pass@host/path", "https://§@host/path"),
        ("https://hush1@host/path", "https://§@host/path"),
        ("postgres://app:p@ss@db:5432/main", "postgres://§@db:5432/main"),
        ("https://host/path?code=hush1&state=2", "https://host/path?§"),
        ("https://host/path#access=hush1", "https://host/path#§"),
        ("https://host?x", "https://host?§"),
        ("see https://host/path?x=1.", "see https://host/path?§."),
        ("(https://host/a?x=1)", "(https://host/a?§)"),
        ("<a href=\"https://host/a?x=1\">b</a>", "<a href=\"https://host/a?§\">b</a>"),
        ("'https://host/a?x=1' and 'b?'", "'https://host/a?§' and 'b?'"),
        ("https://archive/http://a:b@b/c?d", "https://archive/http://§@b/c?§"),
        ("GET /callback?code=hush1&state=2 HTTP/1.1", "GET /callback?§ HTTP/1.1"),
        ("two https://a/b?c=1 https://d/e?f=2 urls", "two https://a/b?§ https://d/e?§ urls"),
        ("https://host/a?b?c#d", "https://host/a?§"),
    ] {
        let once = redact_text(text);
        assert_eq!(with_short_marks(&once), want, "{text:?} became {once:?}");
        assert!(!once.contains("hush") && !once.contains("pass@"), "{once:?}");
        assert_eq!(redact_text(&once), once);
    }
}

const HONEST: &[&str] = &[
    "",
    "plain words",
    "the token was valid",
    "password policy",
    "the password policy is in the handbook, page 4",
    "550e8400-e29b-41d4-a716-446655440000",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
    "commit 84b553c2f1d8a7e6b5c4d3e2f1a0b9c8d7e6f5a4",
    "jane.doe+tag@example.com",
    "mailto:jane.doe@example.com",
    "/etc/onesec/tokens.d/readme.txt",
    "C:\\Users\\jane\\secrets\\readme.txt",
    "src/session/token.rs:42:7: error",
    "https://example.com/a/b/c.html",
    "https://example.com:8443/v1/token",
    "http://auth0.com/oauth/token-type/federated-connection-access-token",
    "urn:ietf:params:oauth:token-type:access_token",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "grant_type=client_credentials",
    "token_type=Bearer expires_in=3600",
    "token_thumbprint: 47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
    "session_id=8f14e45fceea167a",
    "max_tokens: 512, tokens_used=128",
    "total tokens: 4096",
    "https://www.googleapis.com/auth/gmail.readonly https://mail.google.com/",
    "repo:status admin:org_hook write:packages codespace:secrets",
    "secrets:read credentials:write tokens.basic:read",
    "read:client_credentials create:me:connected_accounts",
    "a bearer of bad news",
    "Basic authentication is not enough",
    "Bearer tokens are convenient",
    "token: valid, password: required",
    "fn login(password: &str, token: String) -> Session",
    "token::Token and session::Session::open()",
    "if the token expired, ask again: who? why?",
    "10:30:15 started; x=1; y=2",
    "iVBORw0KGgoAAAANSUhEUgAAAAUA",
    "eyJhIjoxfQ==",
    "eyJ is how most of them begin",
    "keyJumble.example.com",
    "task-1234567890abcdef1234 and risk_live_update",
    "mac_os_version_14_5_beta_build_23F5074a",
    "macos_14 and os_release",
    "disk-0123456789abcdef0123",
    "npm_config_registry and npm install",
    "pypi-package-name-that-is-quite-long-indeed",
    "xox and xoxo, AKIA and AIza, SG. and v1.0",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "use --token to authenticate, or --password",
    "{\"a\": 1, \"b\": [true, null], \"c\": \"x: y = z\"}",
    "u -> agent-1 -> agent-2",
    "auth0|5f7c8ec7c33c6c004bbafe82",
    "cac_9fQkzT2bLm4xW7",
    "Grüße aus Köln: 5 € = 5,40 $",
    "redacted:sha256:0123456789abcdef:len=40",
    "😀?#:=_-./!bBIJ",
];

#[test]
fn honest_text_stays() {
    assert!(HONEST.len() >= 40);
    for text in HONEST {
        let once = redact_text(text);
        assert!(matches!(once, Cow::Borrowed(_)), "{text:?} became {once:?}");
    }
}

#[test]
fn json_under_telling_names_goes_whatever_its_type() {
    let mut value = json!({
        "token": "hush", "tokens": ["hush", "hush2"], "Client-Secret": {"a": "hush"}, "password": 123_456,
        "accessToken": "hush", "nested": [{"set-cookie": "hush", "note": "password=hush"}],
        "token_type": "Bearer", "session_id": "s-1", "is_secret": true, "api_key": null, "max_tokens": 5,
        "usage": {"tokens": 512}, "key": "memory-1"
    });
    redact_json(&mut value);
    assert!(!value.to_string().contains("hush"), "{value}");
    assert_eq!(value["token"], redacted_value("hush"));
    assert_eq!(value["tokens"], redacted_value(r#"["hush","hush2"]"#));
    assert_eq!(value["password"], redacted_value("123456"));
    assert_eq!(value["token"]["len"], 4);
    assert_eq!(value["token"]["redacted"].as_str().unwrap().len(), "sha256:".len() + 64);
    for (name, want) in [
        ("token_type", json!("Bearer")),
        ("session_id", json!("s-1")),
        ("is_secret", json!(true)),
        ("api_key", json!(null)),
        ("max_tokens", json!(5)),
        ("usage", json!({"tokens": 512})),
        ("key", json!("memory-1")),
    ] {
        assert_eq!(value[name], want, "{name}");
    }
    let once = value.clone();
    redact_json(&mut value);
    assert_eq!(value, once);
}

#[test]
fn member_names_may_be_secrets_too() {
    let secret = format!("ghp_{}", "a1".repeat(18));
    let mut value = json!({ secret.clone(): 1, "b": 2 });
    redact_json(&mut value);
    assert!(!value.to_string().contains(&secret) && value["b"] == 2 && value.as_object().unwrap().len() == 2);
}

#[test]
fn a_look_alike_of_a_mark_hides_nothing() {
    let mut value = json!({"token": {"redacted": "sha256:hush", "len": 4}});
    redact_json(&mut value);
    assert!(!value.to_string().contains("hush"));
    check_gone("token=redacted:sha256:0123456789abcdef:len=4hunter2", "hunter2");
    check_gone("https://h/p?redacted:sha256:0123456789abcdef:len=4&code=hunter2", "hunter2");
}

#[test]
fn nesting_without_end_is_cut() {
    let mut value = json!("password=hush");
    for _ in 0..4000 {
        value = Value::Array(vec![value]);
        if value.to_string().len() > 600 {
            break;
        }
    }
    redact_json(&mut value);
    assert!(!value.to_string().contains("hush"));
}

const HOSTILE: &[&str] = &[
    "eyJ",
    "eyJ.",
    "eyJhbGciOiJ",
    "eyJhbGciOiJ.",
    "?",
    "https://h/?",
    "a?b=",
    "://",
    "a://",
    "a:",
    ":",
    "=",
    "a=",
    "token=",
    "token:",
    "token=[",
    "token:[\n",
    "token=\"",
    "\"token\":\"\\",
    "-",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY",
    "--token ",
    "--token",
    "--token ./",
    "sk-",
    "sk-a",
    "sk-aaaaaaaaaaaaaaaaaaaaaaa ",
    "bearer ",
    "bearer+",
    "bearer a.",
    "basic/",
    "1//0",
    "_",
    ".",
    "gho_",
    "J",
    "00D000000000000!",
    "!",
    "https://a:b@",
    "@",
    "#",
    "authorization:",
    "cookie: a\\",
    "tokens: 1",
    "é?",
    "sk-a-",
    "v1.M",
    "xoxe.",
    "AIza",
    "AKIA",
    "'a':",
    "\\\"token\\\":",
];

#[test]
fn hostile_megabytes_take_linear_time() {
    for unit in HOSTILE {
        let text = unit.repeat((1 << 16) / unit.len());
        let once = redact_text(&text).into_owned(); // where a look-around is quadratic, this takes minutes
        assert_eq!(redact_text(&once), once, "{unit:?}");
    }
    for unit in ["eyJ", "?"] {
        let text = unit.repeat((1 << 20) / unit.len());
        assert_eq!(redact_text(&text), text);
    }
}

const FRAGMENTS: &[&str] = &[
    "token",
    "secret",
    "password",
    "session",
    "tokens",
    "=",
    ":",
    "\"",
    "'",
    "\\",
    " ",
    "\n",
    ",",
    "&",
    "?",
    "#",
    "https://",
    "@",
    "/",
    "eyJhbGciOiJIUzI1NiJ9",
    ".",
    "ghp_16C7e42F292c",
    "xoxb-123456789",
    "Bearer ",
    "basic ",
    "abc123",
    "hunter2",
    "[",
    "]",
    "{",
    "}",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "--",
    "-",
    "_",
    "é",
    "😀",
    "redacted:sha256:0123456789abcdef:len=4",
    "redacted",
    "sha256",
    "len",
    "1//0",
    "ya29.",
    "v1.M",
    "SG.",
    "cookie: ",
    "Authorization",
    "5",
    "read",
    "AKIAIOSFODNN7EXAMPLE",
    ";",
    ")",
    "00D5g000004abcd!",
    "\t",
    "`",
    "%20",
    "+",
    "|",
];

/// Fragments out of which secrets and near-secrets come up often.
fn fragments() -> impl Strategy<Value = String> {
    let words = proptest::sample::select(FRAGMENTS);
    proptest::collection::vec(words, 0..14).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redacting_twice_changes_nothing(text in fragments()) {
        let once = redact_text(&text).into_owned();
        prop_assert_eq!(redact_text(&once), once.as_str(), "from {:?}", text);
    }

    #[test]
    fn no_text_breaks_it(text in "\\PC{0,60}|[ -~\\n]{0,80}|(?s:.{0,40})") {
        let once = redact_text(&text).into_owned();
        prop_assert_eq!(redact_text(&once), once.as_str(), "from {:?}", text);
    }

    #[test]
    fn a_token_goes_wherever_it_stands(before in fragments(), after in fragments()) {
        let text = format!("{before} ghp_Zq7Zq7Zq7Zq7Zq7Zq7 {after}");
        prop_assert!(!redact_text(&text).contains("Zq7Zq7Zq7Zq7Zq7Zq7"), "{}", redact_text(&text));
    }

    #[test]
    fn json_twice_changes_nothing(name in fragments(), text in fragments(), other in fragments()) {
        let mut value = json!({ name: [text.clone(), {"token": text, "x": other}] });
        redact_json(&mut value);
        let once = value.clone();
        redact_json(&mut value);
        prop_assert_eq!(value, once);
    }
}
