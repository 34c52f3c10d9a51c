//! Plans: what is done, to whom, how often.

use onesec_telemetry::{AgentId, AlertId, AlertStatus, Attribution, ConnectionName, TenantId, UserId};
use serde_json::{Value, json};

use super::*;

fn alert(agent: &str, severity: Severity) -> Alert {
    Alert {
        id: AlertId::new(&format!("alert-{agent}")).expect("an id"),
        tenant: TenantId::new("default").expect("a tenant"),
        detector: Name::new("unauthorized-agent").expect("a code"),
        title: String::new(),
        severity,
        owasp: Vec::new(),
        description: String::new(),
        agent_id: Some(AgentId::new(agent).expect("an agent")),
        user_id: Some(UserId::new("auth0|ada").expect("a user")),
        connection: Some(ConnectionName::new("google-oauth2").expect("a connection")),
        evidence: Vec::new(),
        first_seen: Timestamp::EPOCH,
        last_seen: Timestamp::EPOCH,
        occurrences: 1,
        attribution: Attribution::Observed,
        module: Name::new("token-vault").expect("a module"),
        status: AlertStatus::Open,
        mitigation: String::new(),
        attributes: serde_json::Map::new(),
        chain: None,
        note: None,
    }
}

fn policies(actions: Value) -> Vec<Policy> {
    let policy = json!([{"name": "p", "match": {"min_severity": "MEDIUM"}, "actions": actions, "cooldown": "5m"}]);
    Policy::read_all(&policy, "p", None).expect("a policy")
}

fn occasion(alert: &Alert, seconds: u64) -> Occasion<'_> {
    Occasion {
        alert,
        seq: Seq(seconds),
        now: Timestamp::EPOCH + Duration::from_secs(seconds),
        source: Some(IpAddr::from([192, 0, 2, 7])),
        proved: Some(alert.severity),
        user_is_known: true,
        mode: Mode::Live,
    }
}

fn fates(plan: &[Planned]) -> Vec<Fate> {
    plan.iter().map(|p| p.fate).collect()
}

#[test]
fn dry_run_does_nothing_and_does_not_cool_what_live_would_do() {
    let (mut planner, policies, alert) =
        (Planner::default(), policies(json!(["suspend_agent"])), alert("mallory", Severity::Critical));
    let dry = Occasion { mode: Mode::DryRun, ..occasion(&alert, 1) };
    assert_eq!(fates(&planner.plan(&policies, dry)), [Fate::DryRun]);
    assert_eq!(fates(&planner.plan(&policies, occasion(&alert, 2))), [Fate::Execute]);
}

#[test]
fn the_same_is_left_alone_for_a_while_unless_it_gets_worse() {
    let mut planner = Planner::default();
    let policies = policies(json!(["suspend_agent"]));
    let (medium, critical) = (alert("mallory", Severity::Medium), alert("mallory", Severity::Critical));
    assert_eq!(planner.plan(&policies, occasion(&medium, 1)).len(), 1);
    assert_eq!(planner.plan(&policies, occasion(&medium, 2)).len(), 0);
    assert_eq!(planner.plan(&policies, occasion(&critical, 3)).len(), 1);
    assert_eq!(planner.plan(&policies, occasion(&critical, 4)).len(), 0);
    assert_eq!(planner.plan(&policies, occasion(&critical, 304)).len(), 1);
}

#[test]
fn one_agent_does_not_hide_another_behind_the_same_address() {
    let mut planner = Planner::default();
    let policies = policies(json!(["block_ip"]));
    let (one, two) = (alert("one", Severity::High), alert("two", Severity::High));
    assert_eq!(fates(&planner.plan(&policies, occasion(&one, 1))), [Fate::Execute]);
    assert_eq!(fates(&planner.plan(&policies, occasion(&two, 1))), [Fate::Execute]);
}

#[test]
fn hearsay_stops_nobody_and_does_not_keep_proof_from_stopping_him() {
    let mut planner = Planner::default();
    let policies = policies(json!(["kill_process", "log"]));
    let alert = alert("mallory", Severity::Critical);
    let said = Occasion { proved: None, ..occasion(&alert, 1) };
    assert_eq!(fates(&planner.plan(&policies, said)), [Fate::Ask(Policy::PATIENCE), Fate::Execute]);
    // A finding that was seen, but is milder than what the policy is about, proves nothing of what is said on top.
    let mild = Occasion { proved: Some(Severity::Low), ..occasion(&alert, 400) };
    assert_eq!(fates(&planner.plan(&policies, mild)), [Fate::Ask(Policy::PATIENCE), Fate::Execute]);
    let seen = planner.plan(&policies, occasion(&alert, 401));
    assert_eq!(seen.first().map(|p| p.fate), Some(Fate::Execute));
}

#[test]
fn a_flood_of_small_alerts_leaves_room_for_the_one_that_matters() {
    let mut planner = Planner::default();
    let policies = policies(json!(["suspend_agent"]));
    let mut done = Vec::new();
    for n in 0..10_000 {
        let small = alert(&format!("agent-{n}"), Severity::Medium);
        done.extend(planner.plan(&policies, occasion(&small, 30)));
    }
    let executed = done.iter().filter(|p| p.fate == Fate::Execute).count();
    // One receipt says that the rest was held back: not ten thousand.
    assert_eq!((executed, done.len()), (10, 11));
    let critical = alert("mallory", Severity::Critical);
    let plan = planner.plan(&policies, occasion(&critical, 31));
    assert_eq!(plan.first().map(|p| (p.fate, p.urgent)), Some((Fate::Execute, true)));
}

#[test]
fn no_agent_takes_all_the_room_and_hearsay_takes_none_of_what_was_seen() {
    let mut planner = Planner::default();
    let policies = policies(json!(["suspend_agent", "log"]));
    let critical = |agent: &str, user: &str| Alert {
        user_id: Some(UserId::new(user).expect("a user")),
        ..alert(agent, Severity::Critical)
    };
    for n in 0..100 {
        let said = critical(&format!("agent-{n}"), "auth0|ada");
        planner.plan(&policies, Occasion { proved: None, ..occasion(&said, n) });
    }
    let mut done = 0;
    for n in 0..50 {
        let plan = planner.plan(&policies, occasion(&critical("mallory", &format!("user-{n}")), 1 + n));
        done += plan.iter().filter(|p| p.fate == Fate::Execute).count();
    }
    assert_eq!(done, 7, "of ten");
    let plan = planner.plan(&policies, occasion(&critical("oscar", "auth0|ada"), 55));
    assert_eq!(fates(&plan), [Fate::Execute; 2], "the next agent is not overlooked");
}

#[test]
fn what_cannot_be_done_is_said_so_often_and_no_more_and_takes_no_room() {
    let mut planner = Planner::default();
    let policies = policies(json!(["block_ip"]));
    let mut said = Vec::new();
    for n in 0..1_000 {
        let stray = alert(&format!("agent-{n}"), Severity::Critical);
        said.extend(planner.plan(&policies, Occasion { source: None, ..occasion(&stray, 30) }));
    }
    assert_eq!(said.len(), 10);
    assert!(said.iter().all(|p| matches!(p.fate, Fate::Skip(_))));
    let first = alert("agent-0", Severity::Critical);
    assert_eq!(fates(&planner.plan(&policies, occasion(&first, 31))), [Fate::Execute], "now its address is known");
}

#[test]
fn who_is_spared_or_unknown_is_not_touched_and_a_receipt_says_why() {
    let mut planner = Planner::default();
    let list = json!([{
        "name": "p", "match": {}, "actions": ["suspend_agent", "block_ip", "revoke_delegation"],
        "never": {"agents": ["pager"], "networks": ["192.0.2.0/24"]},
    }]);
    let policies = Policy::read_all(&list, "p", None).expect("a policy");
    let pager = alert("pager", Severity::High);
    let plan = planner.plan(&policies, occasion(&pager, 1));
    assert!(plan.iter().all(|p| p.fate == Fate::Skip("the policy never touches it")), "{plan:?}");
    let mut other = alert("other", Severity::High);
    other.user_id = None;
    for (address, why) in [
        (None, "nobody saw the address that the agent came from"),
        (Some(IpAddr::from([127, 0, 0, 1])), "the address is this machine's own"),
        (Some("::ffff:127.0.0.1".parse().expect("an address")), "the address is this machine's own"),
    ] {
        let plan = Planner::default().plan(&policies, Occasion { source: address, ..occasion(&other, 1) });
        assert_eq!(plan.get(1).map(|p| p.fate), Some(Fate::Skip(why)));
        assert_eq!(plan.get(2).map(|p| p.fate), Some(Fate::Skip("the alert names no user")));
    }
}

#[test]
fn an_action_has_the_same_id_however_often_it_is_worked_out() {
    let policies = policies(json!(["log", "suspend_agent"]));
    let alert = alert("mallory", Severity::High);
    let ids = |seconds| {
        let plan = Planner::default().plan(&policies, occasion(&alert, seconds));
        plan.into_iter().map(|p| p.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(1), ids(1));
    assert!(ids(1).iter().all(|id| !ids(2).contains(id)));
    assert_ne!(ids(1).first(), ids(1).last());
}

#[test]
fn what_cools_is_bounded() {
    let mut planner = Planner::default();
    let policies = policies(json!(["log"]));
    for n in 0..2_000_u64 {
        let small = alert(&format!("agent-{n}"), Severity::Medium);
        planner.plan(&policies, occasion(&small, n * 60));
    }
    assert!(planner.cooling.len() <= 6 && planner.cooling.len() == planner.ends.len(), "{}", planner.cooling.len());
}

/// An agent that names somebody else's account must not have that person logged out.
#[test]
fn a_user_who_is_merely_named_is_touched_by_a_persons_word_only() {
    let alert = alert("mallory", Severity::Critical);
    let policies = policies(json!([
        "revoke_refresh_tokens", {"revoke_refresh_tokens_of": {"client_id": "web"}}, "auth0_flag_user",
        "revoke_connected_account", "suspend_agent", "revoke_delegation"
    ]));
    let (mut planner, ask) = (Planner::default(), Fate::Ask(Policy::PATIENCE));
    let named = Occasion { user_is_known: false, ..occasion(&alert, 1) };
    let plan = planner.plan(&policies, named);
    assert_eq!(fates(&plan), [ask, ask, ask, ask, Fate::Execute, Fate::Execute]);
    assert_eq!(
        plan[3].target.as_ref().map(ToString::to_string).as_deref(),
        Some("account of auth0|ada at google-oauth2")
    );
    // And does not keep what is known from being acted on.
    let known = planner.plan(&policies, occasion(&alert, 2));
    assert_eq!(fates(&known), [Fate::Execute; 4]);
}

#[test]
fn an_account_needs_a_connection_and_never_means_never() {
    let mut nowhere = alert("mallory", Severity::Critical);
    nowhere.connection = None;
    let plan = Planner::default().plan(&policies(json!(["revoke_connected_account"])), occasion(&nowhere, 1));
    assert_eq!(fates(&plan), [Fate::Skip("the alert names no connection")]);
    let list = json!([{"name": "p", "match": {"min_severity": "MEDIUM"}, "never": {"users": ["auth0|ada"]},
                       "actions": ["revoke_connected_account", "auth0_flag_user"]}]);
    let spared = Policy::read_all(&list, "p", None).expect("a policy");
    let ada = alert("mallory", Severity::Critical);
    let plan = Planner::default().plan(&spared, occasion(&ada, 1));
    assert_eq!(fates(&plan), [Fate::Skip("the policy never touches it"); 2]);
}
