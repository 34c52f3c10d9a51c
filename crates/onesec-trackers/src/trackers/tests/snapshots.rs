//! Saved and loaded at any point, and asked without being told: the same facts.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::state::{StateReader, StateWriter};

fn saved(trackers: &Trackers) -> BTreeMap<String, Vec<u8>> {
    let mut out = StateWriter::default();
    trackers.save(&mut out);
    out.into_sections().into_iter().collect()
}

fn config() -> TrackerConfig {
    let mut config = TrackerConfig {
        exchange_rate: RateLimit { limit: 3, window: Duration::from_secs(300) },
        ..TrackerConfig::default()
    };
    let bounds = &mut config.bounds;
    (bounds.agents, bounds.pairs, bounds.tokens, bounds.apps, bounds.key_share) = (6, 6, 6, 6, 2);
    config
}

fn fresh() -> Trackers {
    Trackers::new(config(), Catalogue::builtin())
}

/// Exchanges, responses and uses of a few names from a few keys, some trusted.
fn traffic() -> impl Strategy<Value = Vec<(Record, Settled)>> {
    let wanted = prop::sample::select(vec!["", "read:user", "repo", "read:user repo gist"]);
    let settled = prop::sample::select(vec![Settled::Refused, Settled::PassedWithFindings, Settled::Passed]);
    let names = (0..9_usize, 0..4_usize, 0..4_usize);
    let one = (names, wanted, 0_i64..120, (0..3_u8, 0..4_u8), settled);
    prop::collection::vec(one, 1..60).prop_map(|steps| {
        let mut clock = 10_000;
        let traffic = steps.into_iter().map(|((agent, user, key), wanted, passed, (kind, view), settled)| {
            clock += passed;
            let (agent, user) = (format!("agent-{agent}"), ["ann", "bob", "cy", ""][user]);
            let names = [agent.as_str(), user, "github"];
            let mut record = match kind {
                0 => exchange(clock - passed / 2, names, wanted),
                1 => response(clock, names, wanted),
                _ => usage(clock, [names[0], if user.is_empty() { "ann" } else { user }, "github"]),
            };
            record = with_view(record, view);
            if passed % 3 == 0 {
                record.network = Some(std::net::Ipv4Addr::new(192, 0, user.len() as u8, 1).into());
            }
            (if key == 0 { record } else { claimed(record, &format!("k-{key}")) }, settled)
        });
        traffic.collect()
    })
}

fn with_view(mut record: Record, view: u8) -> Record {
    if let Body::Event(event) = &mut record.body {
        match &mut event.details {
            Details::TokenExchange(d) if view > 0 => d.exchange_id = opt(&format!("x-{view}")),
            Details::TokenExchangeResponse(d) if view > 0 => {
                d.exchange_id = opt(&format!("x-{view}"));
                d.token_thumbprint = Some(onesec_telemetry::Thumbprint::of(&[view]));
            }
            _ => {}
        }
    }
    record
}

/// The ledger's log and traffic, shuffled into each other.
fn everything() -> impl Strategy<Value = Vec<(Record, Settled)>> {
    (super::model::log(), traffic(), any::<u64>()).prop_map(|(log, traffic, mut dice)| {
        let mut log = log.into_iter().map(|record| (record, Settled::Passed)).collect::<Vec<_>>().into_iter();
        let mut traffic = traffic.into_iter();
        let mut all = Vec::new();
        loop {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (first, second) =
                if dice >> 63 == 0 { (log.next(), traffic.next()) } else { (traffic.next(), log.next()) };
            if first.is_none() && second.is_none() {
                return all;
            }
            all.extend(first.into_iter().chain(second));
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn saved_and_loaded_at_any_point_nothing_is_different_later(all in everything(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(all.len());
        let mut straight = fresh();
        let mut resumed = None;
        for (i, (record, settled)) in all.iter().enumerate() {
            if i == cut {
                let sections = saved(&straight);
                let loaded = Trackers::load(config(), Catalogue::builtin(), StateReader::new(&sections)).unwrap();
                prop_assert_eq!(&saved(&loaded), &sections);
                straight.state.dirty = super::super::Dirty::default();
                resumed = Some(loaded);
            }
            let facts = format!("{:?}", straight.observe(record));
            straight.settle(*settled);
            if let Some(resumed) = &mut resumed {
                prop_assert_eq!(&format!("{:?}", resumed.observe(record)), &facts);
                resumed.settle(*settled);
                prop_assert_eq!(resumed.changes(), straight.changes());
            }
        }
        prop_assert_eq!(saved(&resumed.unwrap()), saved(&straight));
    }

    #[test]
    fn asked_before_it_is_told_the_facts_are_the_same_and_nothing_changes(all in everything()) {
        let mut trackers = fresh();
        let mut twin = fresh();
        for (record, settled) in &all {
            let asked = format!("{:?}", trackers.preview(record));
            prop_assert_eq!(format!("{:?}", trackers.observe(record)), asked);
            trackers.settle(*settled);
            twin.observe(record);
            twin.settle(*settled);
            prop_assert_eq!(trackers.changes(), twin.changes());
        }
        prop_assert_eq!(saved(&trackers), saved(&twin));
    }

    #[test]
    fn bounds_hold_whatever_comes(all in everything()) {
        let mut trackers = fresh();
        for (record, settled) in &all {
            trackers.observe(record);
            trackers.settle(*settled);
            let stats = trackers.stats();
            prop_assert!(stats.agents <= 6 && stats.pairs <= 6 && stats.agent_users <= 6 && stats.tokens <= 6);
        }
    }

    #[test]
    fn a_refused_record_joins_no_window_and_teaches_nothing(all in everything()) {
        let (mut with, mut without) = (fresh(), fresh());
        // Room for all: what is refused may still be seen, and so take room.
        (with.state.config.exchange_rate.limit, without.state.config.exchange_rate.limit) = (1000, 1000);
        for (record, settled) in &all {
            let is_traffic = matches!(&record.body, Body::Event(e) if matches!(e.details, Details::TokenExchange(_)));
            let before = with.observe(record).exchange.map(|e| (e.by_agent.count, e.counts));
            let same = without.observe(record).exchange.map(|e| (e.by_agent.count, e.counts));
            if with.stats().evictions == 0 {
                prop_assert_eq!(before, same);
            }
            let refused = is_traffic && *settled == Settled::Refused;
            with.settle(*settled);
            without.settle(if refused { Settled::Refused } else { *settled });
            if refused {
                with.observe(record);
                with.settle(Settled::Refused);
            }
        }
    }
}

#[test]
fn damaged_state_is_told_and_not_used() {
    let mut trackers = fresh();
    trackers.pass(&link(0, "ann", "repo"));
    let mut sections = saved(&trackers);
    sections.insert("accounts".into(), vec![0xff; 3]);
    let load = |sections: &BTreeMap<String, Vec<u8>>| {
        Trackers::load(config(), Catalogue::builtin(), StateReader::new(sections)).map(|_| ())
    };
    assert_eq!(load(&sections), Err(crate::StateError::Undecodable("accounts".into())));
    sections.remove("accounts");
    assert_eq!(load(&sections), Err(crate::StateError::Missing("accounts".into())));
}

#[test]
fn what_another_version_wrote_is_refused_and_not_misread() {
    let found = |sections: &BTreeMap<String, Vec<u8>>| match Trackers::load(
        config(),
        Catalogue::builtin(),
        StateReader::new(sections),
    ) {
        Err(crate::StateError::OtherFormat { found, read }) if found != read => found,
        other => panic!("{:?}", other.map(|_| ())),
    };
    let mut sections = saved(&fresh());
    sections.insert("format".into(), postcard::to_stdvec(&u32::MAX).unwrap());
    assert_eq!(found(&sections), u32::MAX);
    sections.remove("format");
    assert_eq!(found(&sections), 1, "the first format had no number");
}

#[test]
fn a_name_is_written_once_however_much_refers_to_it() {
    let mut trackers = fresh();
    let agent = "an-agent-with-a-name-that-is-easy-to-count";
    trackers.pass(&link(0, "ann", "read:user"));
    trackers.pass(&exchange(20, [agent, "ann", "github"], "read:user"));
    let sections = saved(&trackers);
    let holds = |bytes: &[u8]| bytes.windows(agent.len()).filter(|part| *part == agent.as_bytes()).count();
    assert_eq!(sections.values().map(|bytes| holds(bytes)).sum::<usize>(), 1);
    let mut short = sections.clone();
    short.insert("names".into(), postcard::to_stdvec(&(["ann"], [""; 0])).unwrap());
    let load = |sections| Trackers::load(config(), Catalogue::builtin(), StateReader::new(sections)).map(|_| ());
    assert!(matches!(load(&short), Err(crate::StateError::Undecodable(_))), "numbers without names");
    assert_eq!(load(&sections), Ok(()));
}

#[test]
fn where_less_may_be_kept_than_was_saved_the_oldest_go() {
    let mut large = Trackers::new(TrackerConfig::default(), Catalogue::builtin());
    for i in 0..20_i64 {
        large.pass(&claimed(exchange(20 + i, [&format!("agent-{i}"), "ann", "github"], "read:user"), "k-1"));
    }
    let sections = saved(&large);
    let small = Trackers::load(config(), Catalogue::builtin(), StateReader::new(&sections)).unwrap();
    let bounds = config().bounds;
    assert_eq!(small.stats().agents, bounds.agents / bounds.key_share, "the quota of the key");
    let kept = small
        .ledger_rows()
        .filter(|row| matches!(row, crate::LedgerChange::Agent(row) if row.agent_id.as_str() == "agent-19"));
    assert_eq!(kept.count(), 1);
}
