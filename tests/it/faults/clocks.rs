//! A wall clock that jumps.

use onesec_e2e::{Http, Start, eventually};
use onesec_journal::Reader;
use onesec_telemetry::TenantId;
use serde_json::Value;

use super::{SERVER, all_once, switch, taken};

fn steps(http: &mut Http) -> Vec<Value> {
    let found = http.get("/api/v1/alerts?detector=clock-step").json();
    found["alerts"].as_array().cloned().unwrap_or_default()
}

fn occurrences(http: &mut Http) -> u64 {
    steps(http).iter().filter_map(|alert| alert["occurrences"].as_u64()).sum()
}

/// Two hours ahead, back, and a day behind; a restart in between. Somebody is told of every step, and the time of records
/// never goes back.
#[test]
fn a_clock_that_jumps_is_told_and_moves_no_record() {
    let home = tempfile::tempdir().expect("directory");
    let Some(switch) = switch(home.path()) else { return };
    let dir = tempfile::tempdir().expect("directory");
    let start = switch.of(Start::new(SERVER, dir.path()));
    let mut server = start.run();
    let mut sent = 0;
    for (told, fault) in ["clock 7200", "", "clock -86400"].into_iter().enumerate() {
        let mut http = server.admin();
        taken(&mut http, sent);
        switch.set(fault);
        eventually("the step is told", || (occurrences(&mut http) > told as u64).then_some(()));
        taken(&mut http, sent + 1);
        sent += 2;
    }
    server.kill();
    server = start.run();
    let mut http = server.admin();
    taken(&mut http, sent);
    eventually("a clock behind the journal is told", || (occurrences(&mut http) > 3).then_some(()));
    server.kill();
    all_once(dir.path(), sent + 1);
    let reader = Reader::open(dir.path()).expect("opens");
    let times: Vec<_> =
        reader.records_from(&TenantId::default_tenant(), 1).map(|r| r.expect("reads").observed_at).collect();
    assert!(times.is_sorted(), "{times:?}");
    let span = times.last().zip(times.first()).map(|(last, first)| last.since(*first));
    assert!(span.is_some_and(|span| span.as_secs() < 3_600), "no jump is in the records: {span:?}");
}
