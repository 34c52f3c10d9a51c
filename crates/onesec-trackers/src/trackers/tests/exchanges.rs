//! Rates, baselines, networks, consents.

use std::net::IpAddr;

use super::*;

fn gateway(mut record: Record) -> Record {
    let agent = record.agent().expect("an agent").clone();
    record.sender = Sender::gateway(agent, Some(id("k-gw")), None);
    record
}

fn rate(t: &Trackers, record: &Record) -> Rate {
    t.preview(record).exchange.expect("an exchange").by_agent
}

#[test]
fn a_reported_flood_never_exceeds_an_honest_agents_rate() {
    let mut t = trackers();
    for _ in 0..100 {
        t.pass(&claimed(exchange(0, A, "repo"), "k-evil"));
    }
    assert!(rate(&t, &claimed(exchange(0, A, "repo"), "k-evil")).exceeded);
    let honest = rate(&t, &gateway(exchange(0, A, "repo")));
    assert_eq!((honest.count, honest.exceeded), (1, false));
}

#[test]
fn what_was_reported_teaches_nothing_that_proved_records_are_judged_by() {
    let mut t = trackers();
    t.pass(&claimed(exchange(0, A, "read:user"), "k-evil"));
    let record = gateway(exchange(1, A, "read:user"));
    let facts = t.preview(&record);
    assert_eq!(facts.scopes.unwrap().baseline, Baseline::FirstSight);
    assert_eq!(facts.agent.unwrap().first_seen, None);
}

#[test]
fn a_flood_split_over_sub_agents_counts_at_the_root() {
    let mut t = trackers();
    t.pass_all([&link(0, "ann", ""), &delegate(1, ["d-0", "lead", "ann", ""])]);
    for i in 0..10 {
        t.pass(&delegate(2, [&format!("d-{}", i + 1), &format!("sub-{i}"), "lead", "ann"]));
    }
    for i in 0..30 {
        t.pass(&exchange(3, [&format!("sub-{}", i % 10), "ann", "github"], "repo"));
    }
    let record = exchange(4, ["lead", "ann", "github"], "repo");
    let facts = t.preview(&record).exchange.expect("an exchange");
    assert!(!facts.by_agent.exceeded);
    let root = facts.by_root.expect("a root");
    assert_eq!((root.root.as_str(), root.rate.exceeded), ("lead", true));
}

#[test]
fn views_of_one_exchange_count_once_and_a_second_of_a_kind_counts_again() {
    let mut t = trackers();
    let asked = with_exchange(exchange(0, A, "repo"), |d| d.exchange_id = opt("x-1"));
    let answered = |secs| {
        let mut record = response(secs, A, "repo");
        if let Body::Event(event) = &mut record.body
            && let Details::TokenExchangeResponse(d) = &mut event.details
        {
            d.exchange_id = opt("x-1");
        }
        record
    };
    let counts = |t: &Trackers, record: &Record| t.preview(record).exchange.unwrap().counts;
    t.pass(&gateway(asked.clone()));
    assert!(!counts(&t, &gateway(answered(1))));
    assert!(counts(&t, &claimed(answered(1), "k-gw")), "telemetry joins nothing of the gateway's");
    assert!(counts(&t, &gateway(answered(601))), "too late to be the same");
    t.pass(&gateway(answered(1)));
    assert!(counts(&t, &gateway(answered(2))) && counts(&t, &gateway(asked)));
    // A response that the exchange at the limit gets does not exceed it.
    for secs in 2..21 {
        t.pass(&gateway(exchange(secs, A, "repo")));
    }
    let last = with_exchange(exchange(21, A, "repo"), |d| d.exchange_id = opt("x-2"));
    assert_eq!(rate(&t, &gateway(last)).count, 21);
}

#[test]
fn a_scope_is_never_learned_by_being_asked_for_again() {
    let mut t = trackers();
    t.pass(&exchange(0, A, "read:user"));
    for secs in 1..50 {
        let record = exchange(secs, A, "read:user repo");
        let facts = t.observe(&record).scopes.expect("scopes");
        assert_eq!((facts.baseline.source(), facts.beyond.to_string().as_str()), ("learned", "repo"));
        t.settle(if secs % 2 == 0 { Settled::Passed } else { Settled::Refused });
    }
    t.pass(&command(
        60,
        Command::AcceptScopes {
            agent: id("mail-bot"),
            user: opt("ann"),
            connection: id("github"),
            scopes: scopes("repo"),
        },
    ));
    let record = exchange(61, A, "read:user repo");
    assert!(t.preview(&record).scopes.unwrap().beyond.is_empty());
    // User B does not profit, and an unlink forgets it all.
    let other = exchange(62, ["mail-bot", "bob", "github"], "repo");
    assert_eq!(t.preview(&other).scopes.unwrap().beyond.to_string(), "repo");
    t.pass(&unlink(63, "ann"));
    let record = exchange(64, A, "repo");
    let facts = t.preview(&record).scopes.expect("scopes");
    assert_eq!((facts.baseline, facts.beyond.to_string().as_str()), (Baseline::FirstSight, "repo"));
}

#[test]
fn the_first_exchange_teaches_identity_and_read_only_and_only_when_clean() {
    let mut t = trackers();
    let record = exchange(0, A, "repo read:user");
    assert_eq!(t.observe(&record).scopes.unwrap().beyond.to_string(), "repo");
    t.settle(Settled::PassedWithFindings);
    let facts = t.observe(&record).scopes.unwrap();
    assert_eq!(facts.baseline, Baseline::FirstSight);
    assert_eq!(facts.pending.map(ToString::to_string).as_deref(), Some("repo"));
    t.settle(Settled::Passed);
    let facts = t.observe(&record).scopes.unwrap();
    assert_eq!(facts.baseline, Baseline::Learned(&scopes("read:user")));
}

#[test]
fn the_strongest_source_alone_is_the_baseline() {
    let mut t = trackers();
    t.pass(&link(0, "ann", "repo gist"));
    let named = exchange(1, A, "repo delete_repo");
    let facts = t.preview(&named).scopes.unwrap();
    assert_eq!((facts.baseline.source(), facts.beyond.to_string().as_str()), ("link", "delete_repo"));
    let all = exchange(1, A, "");
    let facts = t.preview(&all).scopes.unwrap();
    assert_eq!((facts.named, facts.effective.to_string().as_str(), facts.beyond.len()), (false, "gist repo", 0));
    t.pass(&delegation(2, ["d-1", "mail-bot", "ann", ""], |d| d.scopes = Some(ScopeSet::empty())));
    let all = exchange(3, A, "");
    let facts = t.preview(&all).scopes.unwrap();
    assert_eq!((facts.baseline.source(), facts.beyond.to_string().as_str()), ("delegation", "gist repo"));
    let returned = response(4, A, "repo delete_repo");
    assert_eq!(t.preview(&returned).scopes.unwrap().beyond_link.to_string(), "delete_repo");
}

#[test]
fn a_baseline_that_was_evicted_is_never_fresh_again() {
    let mut config = TrackerConfig::default();
    config.bounds.pairs = 4;
    config.bounds.key_share = 1;
    let mut t = Trackers::new(config, Catalogue::builtin());
    t.pass(&exchange(0, A, "read:user"));
    for i in 0..20 {
        t.pass(&exchange(1, [&format!("bot-{i}"), "ann", "github"], "read:user"));
    }
    let record = exchange(2, A, "read:user repo");
    for _ in 0..2 {
        let facts = t.observe(&record).scopes.unwrap();
        assert_eq!((facts.baseline, facts.beyond.to_string().as_str()), (Baseline::FirstSight, "repo"));
        t.settle(Settled::Passed);
    }
}

#[test]
fn one_keys_flood_leaves_the_entries_of_another_alone() {
    let mut config = TrackerConfig::default();
    (config.bounds.agents, config.bounds.pairs) = (100, 100);
    let mut t = Trackers::new(config, Catalogue::builtin());
    for i in 0..25 {
        t.pass(&claimed(exchange(0, [&format!("honest-{i}"), "ann", "github"], "read:user"), "k-honest"));
    }
    for i in 0..1_000 {
        let key = format!("k-evil-{}", i % 3);
        t.pass(&claimed(exchange(1, [&format!("evil-{i}"), "bob", "github"], "read:user"), &key));
    }
    let stats = t.stats();
    assert!(stats.agents <= 100 && stats.pairs <= 100 && stats.agent_users <= 100);
    assert!(stats.evictions > 0);
    for i in 0..25 {
        let record = claimed(exchange(2, [&format!("honest-{i}"), "ann", "github"], "read:user"), "k-honest");
        let facts = t.preview(&record);
        assert_eq!(facts.agent.unwrap().first_seen, Some(at(0)));
        assert_eq!(facts.scopes.unwrap().baseline.source(), "learned");
    }
}

#[test]
fn networks_and_look_alikes_are_told() {
    let from = |secs, agent: &str, address: &str| {
        let mut record = exchange(secs, [agent, "ann", "github"], "read:user");
        record.network = Some(address.parse::<IpAddr>().unwrap());
        record
    };
    let mut t = trackers();
    let known = |t: &Trackers, record: &Record| t.preview(record).agent.unwrap().network_known;
    assert_eq!(known(&t, &from(0, "mail-bot", "192.0.2.1")), None);
    t.pass(&from(0, "mail-bot", "192.0.2.1"));
    assert_eq!(known(&t, &from(1, "mail-bot", "192.0.2.99")), Some(true));
    assert_eq!(known(&t, &from(1, "mail-bot", "198.51.100.1")), Some(false));
    let twin = from(2, "Mail-Bot", "192.0.2.1");
    assert_eq!(t.preview(&twin).agent.unwrap().confusable_with, Some("mail-bot"));
    // Hearsay makes nobody an original.
    t.pass(&claimed(exchange(3, ["Tax-Bot", "ann", "github"], "read:user"), "k-1"));
    assert_eq!(t.preview(&from(4, "tax-bot", "192.0.2.1")).agent.unwrap().confusable_with, None);
}

#[test]
fn distinct_users_of_an_application_are_counted_within_the_hour() {
    let grants = |secs, user: &str| {
        let details = OauthGrant {
            app_id: id("app"),
            scopes: scopes("repo"),
            username: id(user),
            app_name: None,
            redirect_uri: None,
            grant_type: None,
            publisher_verified: Some(true),
            app_created_at: None,
        };
        event(secs, ["", user, ""], Details::OauthGrant(details))
    };
    let mut t = trackers();
    t.pass_all([&grants(0, "u-1"), &grants(1, "u-2"), &grants(2, "u-2")]);
    let facts = |t: &Trackers, secs| t.preview(&claimed(grants(secs, "u-3"), "k-1")).consent.unwrap();
    assert_eq!((facts(&t, 3).users_in_hour, facts(&t, 3600).users_in_hour, facts(&t, 9999).users_in_hour), (3, 2, 1));
    assert!(facts(&t, 3).publisher_verified, "said by somebody with authority before");
    assert!(!trackers().preview(&claimed(grants(0, "u-1"), "k-1")).consent.unwrap().publisher_verified);
}

#[test]
fn late_records_join_no_window_and_change_the_ledger() {
    let mut t = trackers();
    let mut late = exchange(0, A, "repo");
    late.late = true;
    t.pass(&late);
    assert_eq!(rate(&t, &exchange(1, A, "repo")).count, 1);
    let mut linked = link(0, "ann", "");
    linked.late = true;
    t.pass(&linked);
    assert_eq!(t.stats().accounts_linked, 1);
}

#[test]
fn a_clean_exchange_of_a_known_agent_changes_no_row_within_a_minute() {
    let mut t = trackers();
    t.pass_all([&link(0, "ann", "repo"), &delegate(0, ["d-1", "mail-bot", "ann", ""]), &exchange(1, A, "repo")]);
    assert!(!t.changes().is_empty());
    t.pass(&exchange(2, A, "repo"));
    assert!(t.changes().is_empty());
    t.pass(&exchange(62, A, "repo"));
    let seen = crate::LedgerChange::AgentSeen("mail-bot".parse().expect("an id"), exchange(62, A, "repo").at);
    assert_eq!(t.changes(), [seen]);
}

#[test]
fn a_token_that_is_still_held_is_told_with_the_exchanges_since() {
    let mut t = trackers();
    t.pass(&response(0, A, "read:user"));
    for secs in 1..4 {
        t.pass(&exchange(secs, A, "read:user"));
    }
    let held = |secs| t.preview(&exchange(secs, A, "read:user")).exchange.unwrap().held_token;
    assert_eq!(held(5), Some(HeldToken { until: at(3600), exchanges: 3 }));
    assert_eq!(held(3600), None);
}

#[test]
fn the_limit_is_what_the_configuration_says() {
    let limit = RateLimit { limit: 1, window: Duration::from_secs(10) };
    let config = TrackerConfig { exchange_rate: limit, ..TrackerConfig::default() };
    let mut t = Trackers::new(config, Catalogue::builtin());
    t.pass(&exchange(0, A, "repo"));
    let rate = rate(&t, &exchange(1, A, "repo"));
    assert_eq!((rate.count, rate.exceeded, rate.retry_after), (2, true, Duration::from_secs(9)));
}
