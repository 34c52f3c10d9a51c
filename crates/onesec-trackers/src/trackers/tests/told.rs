//! What Auth0 tells of exchanges: one of the gateway's explains one entry of the log, whichever comes first.

use onesec_telemetry::Thumbprint;

use super::*;
use crate::config::Connections;

/// Every exchange at `github` goes through the gateway.
fn exclusive() -> Trackers {
    let exclusive = Connections::of(&["github".to_owned()]);
    let mut trackers = Trackers::new(TrackerConfig { exclusive, ..TrackerConfig::default() }, Catalogue::builtin());
    trackers.pass(&record(0, Body::Tick));
    trackers
}

fn print(token: &str) -> Option<Thumbprint> {
    (!token.is_empty()).then(|| Thumbprint::of(token.as_bytes()))
}

fn of_gateway(mut record: Record, exchange: &str) -> Record {
    record.sender = Sender::gateway(id("mail-bot"), None, None);
    if let Body::Event(event) = &mut record.body {
        match &mut event.details {
            Details::TokenExchange(d) => d.exchange_id = opt(exchange),
            Details::TokenExchangeResponse(d) => d.exchange_id = opt(exchange),
            _ => {}
        }
    }
    record
}

fn ask(secs: i64, exchange: &str) -> Record {
    of_gateway(super::exchange(secs, A, "repo"), exchange)
}

fn ended(secs: i64, exchange: &str, token: &str, error: &str) -> Record {
    let mut record = response(secs, A, "repo");
    if let Body::Event(event) = &mut record.body
        && let Details::TokenExchangeResponse(d) = &mut event.details
    {
        d.token_thumbprint = print(token);
        d.success = error.is_empty();
        d.error = (!error.is_empty()).then(|| Text::redacted(error));
    }
    of_gateway(record, exchange)
}

/// An entry of the log that names `user` and shows `token`.
fn entry(secs: i64, user: &str, token: &str) -> Record {
    let mut record = ended(secs, "", token, "");
    record.sender = Sender::auth0(Authority::Claim);
    if let Body::Event(event) = &mut record.body {
        (event.common.agent_id, event.common.user_id) = (None, opt(user));
    }
    record
}

fn refused(secs: i64) -> Record {
    let mut record = ended(secs, "", "", "unknown");
    record.sender = Sender::auth0(Authority::Claim);
    record
}

fn told(trackers: &mut Trackers, record: &Record) -> Option<Bypass> {
    let bypass = trackers.observe(record).bypass;
    trackers.settle(Settled::PassedWithFindings);
    bypass
}

const OURS: Option<Bypass> = Some(Bypass::Ours);
const UNSEEN: Option<Bypass> = Some(Bypass::Unseen);

#[test]
fn an_entry_before_the_gateways_own_record_is_settled() {
    let mut trackers = exclusive();
    trackers.pass(&ask(10, "x1"));
    assert_eq!(told(&mut trackers, &entry(11, "ann", "t1")), OURS);
    trackers.pass(&ended(12, "x1", "t1", ""));
    assert_eq!(told(&mut trackers, &entry(13, "ann", "t1")), UNSEEN, "one entry for one exchange");
}

#[test]
fn a_cached_token_is_told_of_as_often_as_it_was_exchanged() {
    let mut trackers = exclusive();
    for (secs, exchange) in [(10, "x1"), (400, "x2"), (800, "x3")] {
        trackers.pass_all(&[ask(secs, exchange), ended(secs + 1, exchange, "cached", "")]);
    }
    // All of it comes at once, when the stream is back.
    for _ in 0..3 {
        assert_eq!(told(&mut trackers, &entry(850, "ann", "cached")), OURS);
    }
    assert_eq!(told(&mut trackers, &entry(850, "ann", "cached")), UNSEEN);
}

#[test]
fn another_token_is_another_exchange_once_tokens_were_recognised() {
    let mut trackers = exclusive();
    trackers.pass_all(&[ask(10, "x1"), ended(11, "x1", "t1", "")]);
    // Until then the log may write thumbprints in a way of its own.
    assert_eq!(told(&mut trackers, &entry(12, "ann", "written otherwise")), OURS);
    trackers.pass_all(&[ask(100, "x2"), ended(101, "x2", "t2", "")]);
    assert_eq!(told(&mut trackers, &entry(102, "ann", "t2")), OURS);
    trackers.pass_all(&[ask(200, "x3"), ended(201, "x3", "t3", "")]);
    assert_eq!(told(&mut trackers, &entry(202, "ann", "stolen")), UNSEEN);
    assert_eq!(told(&mut trackers, &entry(203, "ann", "t3")), OURS, "the gateway's own is still explained");
}

#[test]
fn a_user_under_a_pseudonym_is_known_by_the_token() {
    let mut trackers = exclusive();
    trackers.pass_all(&[ask(10, "x1"), ended(11, "x1", "t1", "")]);
    assert_eq!(told(&mut trackers, &entry(12, "pseudonym", "t1")), OURS);
    assert_eq!(told(&mut trackers, &entry(13, "", "t1")), UNSEEN);
    assert_eq!(told(&mut trackers, &entry(14, "", "")), None, "neither user nor token: nobody can tell");
}

#[test]
fn an_exchange_that_failed_hides_no_other_one() {
    let mut trackers = exclusive();
    trackers.pass_all(&[ask(10, "x1"), ended(11, "x1", "", "invalid_grant")]);
    assert_eq!(told(&mut trackers, &entry(12, "ann", "t1")), UNSEEN);
    // What failed is told of as a failure, and no second time.
    let failures = |trackers: &mut Trackers, record: &Record| {
        let failed = trackers.observe(record).reach.and_then(|reach| reach.failures).map_or(0, |f| f.failed);
        trackers.settle(Settled::Passed);
        failed
    };
    assert_eq!(failures(&mut trackers, &refused(13)), 0, "it is the gateway's own");
    assert_eq!(failures(&mut trackers, &refused(14)), 1, "that one is not");
    // Where no answer came, Auth0 may have issued a token all the same.
    trackers.pass_all(&[ask(100, "x2"), ended(101, "x2", "", "temporarily_unavailable")]);
    assert_eq!(told(&mut trackers, &entry(102, "ann", "t2")), OURS);
}

#[test]
fn what_was_refused_before_it_was_asked_explains_nothing_and_what_was_withheld_does() {
    let mut trackers = exclusive();
    trackers.observe(&ask(10, "x1"));
    trackers.settle(Settled::Refused);
    assert_eq!(told(&mut trackers, &entry(11, "ann", "t1")), UNSEEN);
    trackers.pass(&ask(100, "x2"));
    trackers.observe(&ended(101, "x2", "t2", ""));
    trackers.settle(Settled::Refused);
    assert_eq!(told(&mut trackers, &entry(102, "ann", "t2")), OURS, "the token was issued, and kept back");
}

#[test]
fn an_entry_that_comes_late_or_after_a_restart_is_explained_all_the_same() {
    let mut trackers = exclusive();
    trackers.pass_all(&[ask(10, "x1"), ended(11, "x1", "t1", ""), ask(20, "x2"), ended(21, "x2", "t2", "")]);
    let late = |secs: i64, token: &str, observed: i64| {
        let mut record = entry(secs, "ann", token);
        (record.observed_at, record.late) = (at(observed), true);
        record
    };
    assert_eq!(told(&mut trackers, &late(11, "t1", 40_000)), OURS);
    let mut saved = crate::StateWriter::default();
    trackers.save(&mut saved);
    let sections = saved.into_sections().into_iter().collect();
    let config = TrackerConfig { exclusive: Connections::of(&["github".to_owned()]), ..TrackerConfig::default() };
    let mut again = Trackers::load(config, Catalogue::builtin(), crate::StateReader::new(&sections)).expect("loaded");
    assert_eq!(told(&mut again, &late(21, "t2", 41_000)), OURS);
    assert_eq!(told(&mut again, &late(21, "t2", 41_000)), UNSEEN);
    assert_eq!(told(&mut again, &late(21, "t9", 200_000)), None, "more than a day: what was then is forgotten");
    assert_eq!(told(&mut again, &late(-50, "t9", 41_000)), None, "before anybody watched");
}

#[test]
fn what_is_explained_counts_for_nothing_else() {
    let mut trackers = exclusive();
    trackers.pass(&ask(10, "x1"));
    let mut named = entry(11, "ann", "t1");
    if let Body::Event(event) = &mut named.body {
        event.common.agent_id = opt("mail-bot");
    }
    let facts = trackers.observe(&named);
    assert!(facts.exchange.is_none() && facts.access.is_none() && facts.reach.is_none());
    trackers.settle(Settled::Passed);
    let facts = trackers.observe(&named);
    let count = facts.exchange.map(|exchange| exchange.by_agent.count);
    assert_eq!((facts.bypass, count), (UNSEEN, Some(1)), "the first was the gateway's");
}

#[test]
fn anothers_client_is_not_the_gateway() {
    let exclusive = Connections::of(&["github".to_owned()]);
    let gateway_clients = ["onesec".to_owned()].into();
    let config = TrackerConfig { exclusive, gateway_clients, ..TrackerConfig::default() };
    let mut trackers = Trackers::new(config, Catalogue::builtin());
    trackers.pass_all(&[record(0, Body::Tick), ask(10, "x1")]);
    let by = |client: &str, secs: i64| {
        let mut record = entry(secs, "ann", "");
        if let Body::Event(event) = &mut record.body {
            event.common.client_id = opt(client);
        }
        record
    };
    assert_eq!(told(&mut trackers, &by("stray", 11)), UNSEEN);
    assert_eq!(told(&mut trackers, &by("onesec", 12)), OURS);
}

#[test]
fn without_an_agent_the_account_speaks_for_itself() {
    let mut trackers = trackers();
    trackers.pass_all(&[link(0, "ann", "repo"), unlink(10, "ann")]);
    let entry = entry(20, "ann", "t1");
    let facts = trackers.observe(&entry);
    assert!(matches!(facts.access.expect("an account").account, AccountState::Unlinked { .. }));
    assert!(facts.scopes.is_none(), "nobody is seen for the first time");
}
