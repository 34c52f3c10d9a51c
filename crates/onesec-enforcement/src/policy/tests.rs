//! Policies that are read and refused.

use serde_json::{Value, json};

use super::*;
use crate::spec::ActionSpec;

fn read(policy: Value) -> Result<Policy, String> {
    let read = Policy::read_all(&json!([policy]), "enforcement.policies", None);
    read.map(|mut list| list.remove(0)).map_err(|e| e.to_string())
}

#[test]
fn a_policy_says_whom_it_is_about_and_what_it_does() {
    let policy = read(json!({
        "name": "stop-it",
        "match": {"detectors": ["unauthorized-agent"], "min_severity": "CRITICAL"},
        "request": "deny",
        "actions": [
            {"webhook": {"url": "https://hooks.example.com/T0/secret-path", "secret": "whsec_abc", "template": "slack"}},
            {"rate_limit_agent": {"limit": 2, "per": "1m", "for": "15m"}},
            {"kill_process": {"grace": "3s"}},
            {"block_ip": {"for": "2h"}},
            {"command": {"argv": ["/usr/bin/logger", "-t", "onesec"]}},
            "log",
        ],
        "approval": {"ttl": "5m"},
        "cooldown": "1m",
        "never": {"agents": ["pager"], "networks": ["10.0.0.0/8"]},
    }))
    .expect("a policy");
    let kinds: Vec<&str> = policy.actions.iter().map(ActionSpec::kind).collect();
    assert_eq!(kinds, ["webhook", "rate_limit_agent", "kill_process", "block_ip", "command", "log"]);
    assert_eq!(policy.approval, Some(Duration::from_secs(300)));
    assert_eq!(policy.max_per_minute, Policy::PER_MINUTE);
    let shown = format!("{policy:?} {}", policy.to_json());
    for secret in ["secret-path", "whsec_abc"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn what_was_shown_is_read_again_as_the_same() {
    let policy = read(json!({
        "name": "all",
        "match": {"min_severity": "MEDIUM", "users": ["auth0|ada"]},
        "request": "hold",
        "actions": [
            {"webhook": {"url": "https://hooks.example.com/x"}}, {"suspend_agent": {}}, "revoke_delegation",
            {"x_pager": {"team": "night"}}, {"command": {"argv": ["/bin/true"], "timeout": "5s"}},
            "auth0_flag_user", "revoke_refresh_tokens", {"revoke_refresh_tokens_of": {"client_id": "web"}},
        ],
        "approval": {},
        "max_per_minute": 3,
        "never": {"users": ["auth0|root"], "networks": ["192.0.2.1"]},
    }))
    .expect("a policy");
    assert_eq!(read(policy.to_json()).as_ref(), Ok(&policy));
}

#[test]
fn what_cannot_run_as_written_is_refused_with_the_reason() {
    let with = |action: Value| json!({"name": "p", "match": {}, "actions": [action]});
    let cases = [
        (json!({"name": "p", "match": {}}), "does nothing"),
        (json!({"name": "p", "actions": ["log"]}), "`enforcement.policies[0].match` is needed"),
        (json!({"name": "p", "match": {}, "actoins": ["log"]}), "did you mean `actions`?"),
        (json!({"name": "p", "match": {"detector": "x"}, "actions": ["log"]}), "did you mean `detectors`?"),
        (json!({"name": "p", "match": {"min_severity": "BAD"}, "actions": ["log"]}), "must be INFO, LOW"),
        (json!({"name": "p", "match": {}, "request": "denny"}), "must be one of `allow`"),
        (
            json!({"name": "p", "match": {"detectors": ["revoked-access"]}, "request": "hold"}),
            "cannot wave `revoked-access` through",
        ),
        (with(json!("webhok")), "did you mean `webhook`?"),
        (with(json!({"webhook": {}})), "url` is needed"),
        (with(json!({"webhook": {"url": "http://hooks.example.com/"}})), "must be `https://"),
        (with(json!({"webhook": {"url": "https://user:pass@hooks.example.com/"}})), "must be `https://"),
        (with(json!({"webhook": {"url": "https://h.example/", "tempalte": "slack"}})), "did you mean `template`?"),
        (with(json!({"rate_limit_agent": {"per": "1m"}})), "limit` is needed"),
        (with(json!({"rate_limit_agent": {"limit": 0}})), "must be 1 to"),
        (with(json!({"command": {"argv": []}})), "absolute path"),
        (with(json!({"command": {"argv": ["sh", "-c", "x"]}})), "absolute path"),
        (with(json!({"command": {"argv": "/bin/true"}})), ""),
        (with(json!({"block_ip": {"for": "300d"}})), "must be a duration"),
        (with(json!({"log": {}, "suspend_agent": {}})), "a section of one key"),
        (json!({"name": "p", "match": {}, "actions": ["log"], "never": {"networks": ["10.0.0.0/99"]}}), "networks"),
    ];
    for (policy, why) in cases {
        match read(policy.clone()) {
            Err(error) => assert!(!why.is_empty() && error.contains(why), "{policy}: {error}"),
            Ok(_) => assert!(why.is_empty(), "{policy} was accepted"),
        }
    }
}

#[test]
fn no_error_repeats_a_value_that_may_be_secret() {
    let hook = json!({"webhook": {"url": "ftp://s3cret.example/token-in-path", "secret": "whsec_s3cret"}});
    let error = read(json!({"name": "p", "match": {}, "actions": [hook]})).expect_err("no https");
    assert!(!error.contains("s3cret") && !error.contains("token-in-path"), "{error}");
}

#[test]
fn two_policies_of_a_name_are_refused() {
    let one = json!({"name": "same", "match": {}, "actions": ["log"]});
    let error = Policy::read_all(&json!([one, one]), "p", None).expect_err("twice");
    assert!(error.to_string().contains("taken"), "{error}");
}

#[test]
fn durations_are_read_back_as_they_were_meant() {
    let list = json!([{
        "name": "p", "match": {}, "approval": {"ttl": "1500ms"}, "cooldown": "0s",
        "actions": [{"kill_process": {"grace": "500ms"}}, {"rate_limit_agent": {"limit": 1, "per": "250ms", "for": "1m"}},
                    {"suspend_agent": null}],
    }]);
    let policies = Policy::read_all(&list, "p", None).expect("policies");
    let shown = json!(policies.iter().map(Policy::to_json).collect::<Vec<_>>());
    assert_eq!(Policy::read_all(&shown, "p", None).as_ref(), Ok(&policies));
    assert_eq!(shown[0]["actions"][0], json!({"kill_process": {"grace": "500ms"}}));
    for nothing in [json!({"block_ip": {"for": "0s"}}), json!({"rate_limit_agent": {"limit": 1, "per": "0ms"}})] {
        let list = json!([{"name": "p", "match": {}, "actions": [nothing]}]);
        let error = Policy::read_all(&list, "p", None).expect_err("it has no effect");
        assert!(error.to_string().contains("longer than nothing"), "{error}");
    }
}

#[test]
fn switches_of_webhooks_are_written_as_elsewhere() {
    for (said, meant) in
        [(json!(true), Ok(true)), (json!("on"), Ok(true)), (json!("off"), Ok(false)), (json!("x"), Err(()))]
    {
        let action = json!({"webhook": {"url": "https://example.com/x", "allow_private": said}});
        let read = ActionSpec::read(&action, "a", None).map_err(drop);
        let read = read.map(|spec| matches!(spec, ActionSpec::Webhook(hook) if hook.allow_private));
        assert_eq!(read, meant, "{said}");
    }
}
