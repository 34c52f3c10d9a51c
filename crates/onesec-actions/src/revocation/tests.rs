//! What is held, and for how long. That providers and tenants are asked is tested end to end.

use super::*;
use onesec_telemetry::{AgentId, ConnectionName, Secret, TenantId, Timestamp, UserId};

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + seconds)
}

fn held(agent: &str, user: &str, token: &str, until: i64) -> Held {
    Held {
        tenant: TenantId::default_tenant(),
        user: UserId::new(user).expect("a user"),
        connection: ConnectionName::new("google-oauth2").expect("a name"),
        agent: AgentId::new(agent).expect("an agent"),
        token: Secret::new(token.to_owned()),
        until: at(until),
    }
}

fn of(tokens: &HeldTokens, user: &str, now: i64) -> Vec<String> {
    let (tenant, user) = (TenantId::default_tenant(), UserId::new(user).expect("a user"));
    let whose = WhoseTokens { tenant: &tenant, user: Some(&user), connection: None, agent: None };
    tokens.of(&whose, at(now)).iter().map(|held| held.token.expose_to_wire().to_owned()).collect()
}

#[test]
fn a_token_is_held_until_it_ends_and_for_a_day_at_most() {
    let tokens = HeldTokens::new(10, 10);
    tokens.hold(held("a", "ana", "one", 60), at(0));
    tokens.hold(held("a", "ana", "for-ever", 1_000_000), at(0));
    tokens.hold(held("a", "ana", "over", 0), at(0));
    assert_eq!(of(&tokens, "ana", 59), ["one", "for-ever"]);
    assert_eq!(of(&tokens, "ana", 60), ["for-ever"]);
    assert_eq!(of(&tokens, "ben", 60), [""; 0]);
    assert_eq!(of(&tokens, "ana", 86_400), [""; 0]);
    assert!(tokens.is_empty());
}

#[test]
fn one_agent_cannot_push_out_what_others_hold() {
    let tokens = HeldTokens::new(4, 2);
    tokens.hold(held("good", "ana", "mine", 10), at(0));
    for number in 0..20 {
        tokens.hold(held("mole", "ben", &format!("t{number}"), 1_000 + number), at(0));
    }
    assert_eq!(of(&tokens, "ana", 0), ["mine"]);
    assert_eq!(of(&tokens, "ben", 0), ["t18", "t19"], "its own oldest went");
}

#[test]
fn the_same_token_is_held_once_for_each_agent_and_let_go_for_all() {
    let tokens = HeldTokens::new(10, 10);
    for agent in ["a", "b", "a"] {
        tokens.hold(held(agent, "ana", "same", 100), at(0));
    }
    assert_eq!(tokens.len(), 2);
    tokens.let_go(Secret::new("same".to_owned()).thumbprint());
    assert!(tokens.is_empty());
}

#[test]
fn nothing_of_a_token_is_shown() {
    let shown = format!("{:?}", held("a", "ana", "Pl4nted", 1));
    assert!(!shown.contains("Pl4nted"), "{shown}");
}

#[test]
fn a_token_is_sent_to_nobody_in_clear() {
    let http = || {
        let options = onesec_auth0::HttpOptions { roots: onesec_auth0::Roots::None, ..Default::default() };
        onesec_auth0::http_client(&options).expect("a client")
    };
    for bad in ["http://example.test/revoke", "ftp://localhost/", "https://u:p@example.test/", "https://h/?x=1", "no"] {
        assert!(AtProvider::new(Provider::Google, Some(bad), http()).is_err(), "{bad}");
    }
    for good in [None, Some("http://127.0.0.1:1/revoke"), Some("https://example.test/revoke")] {
        assert!(AtProvider::new(Provider::Slack, good, http()).is_ok(), "{good:?}");
    }
    let github = |id: &str| Provider::GitHub { client_id: id.into(), client_secret: Secret::new("s".into()) };
    assert!(AtProvider::new(github(".."), None, http()).is_err(), "dots lead elsewhere");
    assert!(AtProvider::new(github("Iv1.abc"), None, http()).is_ok());
}
