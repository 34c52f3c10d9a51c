//! State: how much memory it takes, how long a restart and a snapshot take, how cost grows.
#![expect(clippy::expect_used, reason = "a program for measuring: what does not work must stop it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use onesec_engine::{Engine, Settings};
use onesec_server::core::{Core, CoreOptions, Draft, SharedAssemble, Submission};
use onesec_telemetry::event::TokenExchange;
use onesec_telemetry::{
    AgentId, Attestation, Body, Common, ConnectionName, Details, Event, EventId, KeyId, Name, Record, ScopeSet, Sender,
    Seq, Subject, TenantId, Timestamp, UserId,
};

use crate::Report;
use crate::world::percentile;

fn assemble() -> SharedAssemble {
    Arc::new(|_: &Settings| Ok(onesec_detectors::all(&onesec_detectors::Settings::default())))
}

fn record(n: u64, seq: u64) -> Record {
    let agent = AgentId::new(&format!("agent-{n}")).expect("id");
    let user = UserId::new(&format!("auth0|user-{n}")).expect("id");
    let common = Common {
        agent_id: Some(agent.clone()),
        user_id: Some(user.clone()),
        connection: ConnectionName::new("google-oauth2").ok(),
        ..Common::default()
    };
    let details = Details::TokenExchange(TokenExchange {
        subject_token_type: None,
        scopes: ScopeSet::parse("email openid").ok(),
        exchange_id: None,
        login_hint: None,
        audience: None,
        resource: None,
        actor: None,
        is_privileged_worker: None,
        account_id: None,
    });
    let at = Timestamp::from_secs(1_767_225_600) + Duration::from_micros(seq * 50);
    let event = Event::new(EventId::new(&format!("e-{seq}")).expect("id"), common, details);
    Record {
        tenant: TenantId::default_tenant(),
        seq: Seq(seq),
        observed_at: at,
        at,
        late: false,
        sender: Sender::gateway(agent, KeyId::new(&format!("k{}", n % 64)).ok(), None),
        subject: Subject::Verified { user, issuer: Name::new("https://t/").expect("name"), parties: None },
        attestation: Attestation::Absent,
        network: None,
        text: None,
        body: Body::Event(event.into()),
    }
}

/// Resident memory of this process, in bytes.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = text.split(' ').nth(1).and_then(|p| p.parse().ok()).unwrap_or_default();
    pages * 4096.0
}

/// Trackers alone, with so many agents that each exchanged once for a user of its own.
pub(crate) fn memory(report: &mut Report, _: Duration) {
    use onesec_telemetry::catalogue::Catalogue;
    use onesec_trackers::{Settled, TrackerConfig, Trackers};
    const AGAIN: u64 = 100_000;
    let before = resident();
    let mut trackers = Trackers::new(TrackerConfig::default(), Catalogue::builtin());
    let mut seq = 0;
    let mut at = 0;
    for agents in [10_000, 100_000, 1_000_000_u64] {
        let start = Instant::now();
        let grown = agents - at;
        while at < agents {
            seq += 1;
            let record = record(at, seq);
            let _ = trackers.observe(&record);
            trackers.settle(Settled::Passed);
            drop(trackers.changes());
            at += 1;
        }
        let each = start.elapsed().as_secs_f64() * 1e6 / grown as f64;
        report.put(&format!("memory: a new agent, up to {agents} agents"), each, "µs");
        // A few at a time: what they leave behind would count as memory of the trackers.
        let mut took = Duration::ZERO;
        for first in (0..AGAIN).step_by(1_000) {
            let again: Vec<Record> = (first..first + 1_000).map(|i| record(i * 7_919 % agents, seq + i + 1)).collect();
            let start = Instant::now();
            for record in &again {
                let _ = trackers.observe(record);
                trackers.settle(Settled::Passed);
            }
            took += start.elapsed();
        }
        seq += AGAIN;
        let each = took.as_secs_f64() * 1e6 / AGAIN as f64;
        report.put(&format!("growth: trackers, a clean exchange at {agents} agents"), each, "µs");
    }
    report.put("memory: per (agent, user, connection) at 1 M (target ≤ 700)", (resident() - before) / 1e6, "bytes");
}

/// What makes the exchanges of [`record`] rightful: a link and a delegation each.
fn rights(n: u64, seq: u64) -> [Record; 2] {
    let (agent, user) = (format!("agent-{n}"), format!("auth0|user-{n}"));
    let link = onesec_testkit::at("0s").trusted().link(&user, "google-oauth2").scopes("email openid");
    let lent = onesec_testkit::at("0s").trusted().delegate(&user, &agent, "google-oauth2").scopes("email openid");
    let mut records: [Record; 2] =
        onesec_testkit::records([link, lent]).try_into().expect("two drafts are two records");
    for (record, seq) in records.iter_mut().zip(seq..) {
        record.seq = Seq(seq);
        (record.at, record.observed_at) = (self::record(n, seq).at, self::record(n, seq).at);
        if let Body::Event(event) = &mut record.body {
            event.id = EventId::new(&format!("r-{seq}")).expect("id");
        }
    }
    records
}

/// Recovery of a tail, and a snapshot of many agents: each linked, lent to, and clean but for one exchange in a thousand.
pub(crate) fn restart(report: &mut Report, _: Duration) {
    const AGENTS: u64 = 20_000;
    const TAIL: u64 = 300_000;
    let dir = tempfile::tempdir().expect("dir");
    let mut options = CoreOptions::new(dir.path().to_owned());
    options.assemble = assemble();
    options.snapshot_every = u64::MAX;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let core = Core::start(options.clone()).expect("core");
    let submit = |drafts: Vec<Draft>| {
        let submission = Submission { tenant: TenantId::default_tenant(), drafts, dead_letters: Vec::new() };
        runtime.block_on(core.ingest(submission)).expect("taken");
    };
    for first in (0..AGENTS).step_by(5_000) {
        submit((first..first + 5_000).flat_map(|n| rights(n, n * 2 + 1)).map(draft).collect());
    }
    for first in (0..TAIL).step_by(10_000) {
        submit((first..first + 10_000).map(|n| draft(mixed(n, (n % AGENTS, n + 1)))).collect());
    }
    // Killed, not stopped: no snapshot is taken.
    let reader = core.reader().clone();
    let start = Instant::now();
    let mut engine = Engine::new(TenantId::default_tenant(), Settings::default(), boxed()).expect("engine");
    let mut records = 0;
    for stored in reader.records_from(&TenantId::default_tenant(), 1) {
        let record = onesec_server::core::decode_record(&stored.expect("read").bytes).expect("decoded");
        engine.apply(&record);
        records += 1;
    }
    report.put("restart: tail (target ≥ 300 000)", f64::from(records) / start.elapsed().as_secs_f64(), "records/s");
    report.put("restart: alerts in that tail", engine.alerts_open() as f64, "");
    runtime.block_on(core.stop());
    snapshot(report);
}

/// How long a verdict waits while many agents are saved.
pub(crate) fn saving(report: &mut Report, time: Duration) {
    const AGENTS: u64 = 200_000;
    let dir = tempfile::tempdir().expect("dir");
    let mut options = CoreOptions::new(dir.path().to_owned());
    options.assemble = assemble();
    // Due when everybody is there and a little more has come.
    options.snapshot_every = AGENTS * 3 + 5_000;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let core = Core::start(options).expect("core");
    let submit = |drafts: Vec<Draft>| {
        let submission = Submission { tenant: TenantId::default_tenant(), drafts, dead_letters: Vec::new() };
        runtime.block_on(core.ingest(submission)).expect("taken");
    };
    for first in (0..AGENTS).step_by(2_000) {
        let of = |n: u64| {
            let [link, lent] = rights(n, n * 3 + 1);
            [link, lent, record(n, n * 3 + 3)].map(draft)
        };
        submit((first..first + 2_000).flat_map(of).collect());
    }
    let saved = || core.reader().snapshots(&TenantId::default_tenant()).expect("read").len();
    let (mut waits, mut until, mut n) = ([Vec::new(), Vec::new()], None, 0_u64);
    let start = Instant::now();
    while until.is_none_or(|until| Instant::now() < until) && start.elapsed() < Duration::from_secs(180) {
        // Quiet for a while; then one batch makes the snapshot due.
        let due = start.elapsed() > time / 2;
        if due && n == 0 {
            submit((0..6_000).map(|n| draft(record(n, AGENTS * 3 + n + 10))).collect());
        }
        n += u64::from(due);
        let asked = Instant::now();
        runtime
            .block_on(core.preview(&TenantId::default_tenant(), draft(record(n * 7_919 % AGENTS, n))))
            .expect("said");
        let took = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        waits.get_mut(usize::from(due)).expect("two").push(took);
        if n % 512 == 511 && saved() > 0 {
            until = until.or(Some(Instant::now()));
        }
    }
    report.put("saving: seconds until the snapshot of 200 k agents was there", start.elapsed().as_secs_f64(), "s");
    for (name, mut waits) in ["before", "meanwhile"].into_iter().zip(waits) {
        waits.sort_unstable();
        report.put(&format!("saving: a verdict {name}, p50"), percentile(&waits, 0.5) / 1e3, "ms");
        report.put(&format!("saving: a verdict {name}, p99"), percentile(&waits, 0.99) / 1e3, "ms");
        report.put(&format!("saving: a verdict {name}, longest (target ≤ 50)"), percentile(&waits, 1.0) / 1e3, "ms");
    }
    runtime.block_on(core.stop());
}

/// One in a thousand asks for what it must not have.
fn mixed(n: u64, (agent, seq): (u64, u64)) -> Record {
    let mut record = record(agent, seq);
    if n % 1_000 == 999
        && let Body::Event(event) = &mut record.body
        && let Details::TokenExchange(exchange) = &mut event.details
    {
        exchange.scopes = ScopeSet::parse("https://mail.google.com/").ok();
    }
    record
}

fn snapshot(report: &mut Report) {
    const AGENTS: u64 = 1_000_000;
    let mut engine = Engine::new(TenantId::default_tenant(), Settings::default(), boxed()).expect("engine");
    for n in 0..AGENTS {
        for record in rights(n, n * 3 + 1) {
            engine.apply(&record);
        }
        engine.apply(&mixed(n, (n, n * 3 + 3)));
    }
    report.put("restart: alerts in the snapshot", engine.alerts_open() as f64, "");
    let start = Instant::now();
    let mut out = onesec_detector::StateWriter::default();
    engine.save(&mut out);
    report.put("restart: saving 1 M agents", start.elapsed().as_secs_f64(), "s");
    let sections: BTreeMap<String, Vec<u8>> = out.into_sections().into_iter().collect();
    let bytes: usize = sections.values().map(Vec::len).sum();
    report.put("restart: size of that snapshot", bytes as f64 / 1e6, "MB");
    let start = Instant::now();
    drop(Engine::load(TenantId::default_tenant(), boxed(), &sections).expect("loads"));
    report.put("restart: loading 1 M agents (target ≤ 4)", start.elapsed().as_secs_f64(), "s");
}

fn boxed() -> onesec_engine::Assemble {
    Box::new(|_| Ok(onesec_detectors::all(&onesec_detectors::Settings::default())))
}

fn draft(record: Record) -> Draft {
    let Body::Event(event) = record.body else { return draft(self::record(0, 1)) };
    let mut draft = Draft::new(event, record.sender);
    draft.sender.channel = onesec_telemetry::Channel::Ingest;
    draft.subject = record.subject;
    draft
}
