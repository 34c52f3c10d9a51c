//! The core by itself: restarts, recomputation, a full disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use onesec_enforcement::Verdict;
use onesec_engine::Settings;
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::event::{DecodeOptions, KnownConnections, decode_event};
use onesec_telemetry::{
    AgentId, AlertStatus, Authority, Channel, Command, EventId, KeyId, Mode, Name, Sender, Subject, TenantId,
};
use serde_json::json;

use super::*;

fn assemble() -> SharedAssemble {
    Arc::new(|_: &Settings| Ok(onesec_detectors::all(&onesec_detectors::Settings::default())))
}

fn options(dir: &Path) -> CoreOptions {
    let mut options = CoreOptions::new(dir.to_owned());
    options.assemble = assemble();
    options
}

fn tenant() -> TenantId {
    TenantId::default_tenant()
}

fn sender(authority: Authority) -> Sender {
    let key = KeyId::new("key-1").ok();
    Sender { channel: Channel::Ingest, key, owner: None, agent: None, authority }
}

fn draft(id: &str, kind: &str, details: serde_json::Value, sender: Sender) -> Draft {
    let text = json!({"id": id, "type": kind, "details": details}).to_string();
    let known = KnownConnections::default();
    let options = DecodeOptions { connections: &known, catalogue: Catalogue::builtin(), bound_agent: None };
    let (event, _) = decode_event(&text, options, &EventId::new("x").expect("id")).expect("decodes");
    Draft::new(event, sender)
}

fn link(id: &str) -> Draft {
    let details = json!({"user_id": "alice", "connection": "github", "scopes": "repo read:org"});
    draft(id, "connected_account_link", details, sender(Authority::Trust))
}

fn unlink(id: &str) -> Draft {
    let details = json!({"user_id": "alice", "connection": "github"});
    draft(id, "connected_account_unlink", details, sender(Authority::Trust))
}

fn delegation(id: &str) -> Draft {
    let details = json!({"agent_id": "bot", "delegated_by": "alice", "connection": "github", "scopes": "read:org"});
    draft(id, "agent_identity_delegation", details, sender(Authority::Trust))
}

fn exchange(id: &str, agent: &str, scopes: &str) -> Draft {
    let details = json!({"agent_id": agent, "user_id": "alice", "connection": "github", "scopes": scopes});
    let agent = AgentId::new(agent).expect("id");
    let mut draft = draft(id, "token_exchange", details, Sender::gateway(agent, None, None));
    let (user, issuer) = (draft.event.common.user_id.clone().expect("named"), Name::new("https://t/").expect("name"));
    draft.subject = Subject::Verified { user, issuer, parties: None };
    draft
}

async fn ingest(core: &Core, drafts: Vec<Draft>) -> Vec<Taken> {
    core.ingest(Submission { tenant: tenant(), drafts, dead_letters: Vec::new() }).await.expect("taken")
}

async fn order(core: &Core, command: Command) -> Obeyed {
    let sender = Sender { channel: Channel::Api, ..sender(Authority::Trust) };
    core.order(Order { tenant: tenant(), sender, command, then: None, ledger: Vec::new() }).await.expect("obeyed")
}

fn alert_docs(core: &Core) -> Vec<String> {
    let page = core.reader().alerts(&tenant(), &onesec_journal::AlertFilter::default(), (None, 1_000)).expect("read");
    let mut docs: Vec<(String, String)> = page.items.into_iter().map(|a| (a.id.to_string(), a.doc)).collect();
    docs.sort_unstable();
    docs.into_iter().map(|(_, doc)| doc).collect()
}

fn recomputed(dir: &Path, from: Option<u64>) -> Vec<String> {
    let alerts = recompute(dir, &tenant(), from, &assemble()).expect("recomputed");
    alerts.iter().map(|a| serde_json::to_string(a).expect("json")).collect()
}

#[tokio::test]
async fn an_event_is_taken_once_and_its_id_is_not_to_be_reused() {
    let dir = tempfile::tempdir().expect("dir");
    let core = Core::start(options(dir.path())).expect("starts");
    assert!(matches!(ingest(&core, vec![link("l-1")]).await[..], [Taken::Recorded { .. }]));
    assert!(matches!(ingest(&core, vec![link("l-1")]).await[..], [Taken::Duplicate { .. }]));
    assert!(matches!(ingest(&core, vec![unlink("l-1")]).await[..], [Taken::Conflict { .. }]));
    core.stop().await;
    // A restart forgets no id.
    let core = Core::start(options(dir.path())).expect("starts again");
    assert!(matches!(ingest(&core, vec![link("l-1")]).await[..], [Taken::Duplicate { .. }]));
    assert!(matches!(ingest(&core, vec![unlink("l-1")]).await[..], [Taken::Conflict { .. }]));
    let mut other = link("l-1");
    other.sender.key = KeyId::new("key-2").ok();
    assert!(matches!(ingest(&core, vec![other]).await[..], [Taken::Recorded { .. }]), "ids are per key");
    core.stop().await;
}

#[tokio::test]
async fn what_was_learned_and_decided_survives_a_restart() {
    let dir = tempfile::tempdir().expect("dir");
    let core = Core::start(options(dir.path())).expect("starts");
    ingest(&core, vec![link("l"), delegation("d")]).await;
    let ruling = core.request(&tenant(), exchange("x-1", "bot", "read:org")).await.expect("ruled");
    assert_eq!(ruling.answer.would, Verdict::Allow, "{:?}", ruling.findings);
    order(&core, Command::SetMode(Mode::Live)).await;
    core.stop().await;

    let core = Core::start(options(dir.path())).expect("starts again");
    assert_eq!(core.view(&tenant()).expect("view").mode, Mode::Live);
    assert_eq!(core.view(&tenant()).expect("view").exchanges.total_exchanges, 1);
    let ruling = core.request(&tenant(), exchange("x-2", "bot", "read:org")).await.expect("ruled");
    assert_eq!(ruling.answer.applies, Verdict::Allow);
    let ruling = core.request(&tenant(), exchange("x-3", "bot", "repo")).await.expect("ruled");
    assert_eq!(ruling.answer.applies, Verdict::Deny);
    let ruling = core.request(&tenant(), exchange("x-4", "stranger", "read:org")).await.expect("ruled");
    assert_eq!(ruling.answer.because.expect("why").detector, "unauthorized-agent");
    core.stop().await;
}

/// Alerts, recomputed from records alone, from zero and from snapshots, are those that the API gave.
#[tokio::test]
async fn recomputed_is_what_was_said_live() {
    said_and_recomputed(usize::MAX).await;
}

#[tokio::test]
async fn recomputed_is_what_was_said_live_also_where_snapshots_are_built_beside() {
    said_and_recomputed(0).await;
}

async fn said_and_recomputed(snapshot_at_once: usize) {
    let dir = tempfile::tempdir().expect("dir");
    let mut opts = options(dir.path());
    (opts.snapshot_every, opts.snapshot_at_once) = (9, snapshot_at_once);
    let core = Core::start(opts.clone()).expect("starts");
    ingest(&core, vec![link("l"), delegation("d")]).await;
    for i in 0..25 {
        core.request(&tenant(), exchange(&format!("a-{i}"), "bot", "repo")).await.expect("ruled");
    }
    let first = alert_docs(&core);
    assert!(!first.is_empty());
    for _ in 0..1_000 {
        if !core.reader().snapshots(&tenant()).expect("read").is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let id = serde_json::from_str::<serde_json::Value>(&first[0]).expect("json")["id"].as_str().expect("id").to_owned();
    let (alert, status) = (onesec_telemetry::AlertId::new(&id).expect("id"), AlertStatus::Resolved);
    order(&core, Command::SetAlertStatus { alert: alert.clone(), status, note: None }).await;
    let scopes = onesec_telemetry::ScopeSet::parse("repo").expect("scopes");
    let connection = onesec_telemetry::ConnectionName::new("github").expect("name");
    let agent = AgentId::new("bot").expect("id");
    order(&core, Command::AcceptScopes { agent, user: None, connection, scopes }).await;
    core.stop().await;

    // A reload with another limit, a revocation, a late word on a closed alert.
    let mut settings = Settings::default();
    settings.detectors.insert("exchange-rate".into(), [("limit".to_owned(), json!(3))].into());
    opts.tenants[0].settings = settings;
    let core = Core::start(opts).expect("starts again");
    let status = AlertStatus::FalsePositive;
    order(&core, Command::SetAlertStatus { alert, status, note: None }).await;
    for i in 0..20 {
        core.request(&tenant(), exchange(&format!("b-{i}"), "bot", "read:org")).await.expect("ruled");
    }
    ingest(&core, vec![unlink("u")]).await;
    core.request(&tenant(), exchange("c", "bot", "read:org")).await.expect("ruled");
    let live = alert_docs(&core);
    assert!(
        live.iter().any(|doc| doc.contains("revoked-access")) && live.iter().any(|doc| doc.contains("false_positive"))
    );
    core.stop().await;
    let live_after_stop = live;

    assert_eq!(recomputed(dir.path(), None), live_after_stop, "from zero");
    let snapshots = Reader::open(dir.path()).expect("opens").snapshots(&tenant()).expect("read");
    assert!(snapshots.len() >= 3, "{snapshots:?}");
    for snapshot in snapshots {
        assert_eq!(recomputed(dir.path(), Some(snapshot.seq)), live_after_stop, "from {}", snapshot.seq);
    }
    let report = onesec_journal::verify(dir.path()).expect("read");
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test]
async fn a_full_journal_refuses_and_recovers_without_a_trace_of_what_failed() {
    let dir = tempfile::tempdir().expect("dir");
    let mut opts = options(dir.path());
    opts.journal.max_bytes = Some(900_000);
    let core = Core::start(opts).expect("starts");
    ingest(&core, vec![link("l"), delegation("d")]).await;
    let (mut taken, mut refused) = (2, 0);
    for i in 0..4_000 {
        let details = json!({"agent_id": "bot", "goal": "x".repeat(2_000)});
        let drafts = vec![draft(&format!("g-{i}"), "agent_goal", details, sender(Authority::Claim))];
        match core.ingest(Submission { tenant: tenant(), drafts, dead_letters: Vec::new() }).await {
            Ok(_) => taken += 1,
            Err(error) => {
                assert_eq!(error, CoreError::Journal);
                refused += 1;
                if refused > 3 {
                    break;
                }
            }
        }
    }
    assert!(refused > 0 && taken > 20, "taken {taken}, refused {refused}");
    assert!(core.health().commit_failures > 0);
    core.stop().await;
    // With room again, everything acknowledged is there, and nothing else.
    let core = Core::start(options(dir.path())).expect("starts again");
    let events = Reader::open(dir.path()).expect("opens").records_from(&tenant(), 1);
    let events = events.filter_map(|r| decode_record(&r.expect("read").bytes)).filter(|r| r.event().is_some()).count();
    assert_eq!(events, taken);
    assert!(core.request(&tenant(), exchange("x-2", "bot", "read:org")).await.is_ok());
    core.stop().await;
}

#[tokio::test]
async fn stopping_loses_nothing_that_was_taken() {
    let dir = tempfile::tempdir().expect("dir");
    let core = Core::start(options(dir.path())).expect("starts");
    let mut waiting = Vec::new();
    for batch in 0..50 {
        let core = core.clone();
        waiting.push(tokio::spawn(async move {
            let drafts = (0..100)
                .map(|i| {
                    let details = json!({"agent_id": "bot", "goal": "x"});
                    draft(&format!("g-{batch}-{i}"), "agent_goal", details, sender(Authority::Claim))
                })
                .collect();
            core.ingest(Submission { tenant: tenant(), drafts, dead_letters: Vec::new() }).await.map(|t| t.len())
        }));
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    core.stop().await;
    let mut acknowledged = 0;
    for task in waiting {
        acknowledged += task.await.expect("no panic").unwrap_or(0);
    }
    let reader = Reader::open(dir.path()).expect("opens");
    let records = reader.records_from(&tenant(), 1).filter_map(|r| decode_record(&r.expect("read").bytes));
    assert_eq!(records.filter(|r| r.event().is_some()).count(), acknowledged);
}

#[tokio::test]
async fn connections_that_authority_speaks_of_are_known_and_no_others() {
    let dir = tempfile::tempdir().expect("dir");
    let core = Core::start(options(dir.path())).expect("starts");
    let details = json!({"agent_id": "bot", "user_id": "alice", "connection": "made-up"});
    ingest(&core, vec![delegation("d"), draft("x", "token_exchange", details, sender(Authority::Claim))]).await;
    let known = |core: &Core| core.view(&tenant()).expect("view").connection_names.to_vec();
    let github = vec![onesec_telemetry::ConnectionName::new("github").expect("name")];
    assert_eq!(known(&core), github);
    core.stop().await;
    let core = Core::start(options(dir.path())).expect("starts again");
    assert_eq!(known(&core), github);
    core.stop().await;
}

#[tokio::test]
async fn authorised_agents_are_counted_through_ends_and_restarts() {
    let dir = tempfile::tempdir().expect("dir");
    let core = Core::start(options(dir.path())).expect("starts");
    let count = |core: &Core| core.view(&tenant()).expect("view").stats.authorised_agents;
    let other = json!({"agent_id": "bot", "delegated_by": "bob", "connection": "github"});
    let other = draft("d-2", "agent_identity_delegation", other, sender(Authority::Trust));
    ingest(&core, vec![link("l"), delegation("d"), other]).await;
    assert_eq!(count(&core), 1, "one agent, for two users");
    core.stop().await;
    let core = Core::start(options(dir.path())).expect("starts again");
    assert_eq!(count(&core), 1, "after a restart");
    ingest(&core, vec![unlink("u")]).await;
    assert_eq!(count(&core), 1, "the other user's delegation holds");
    let taken = json!({"agent_id": "bot", "delegated_by": "bob", "connection": "github"});
    ingest(&core, vec![draft("r", "agent_delegation_revoked", taken, sender(Authority::Trust))]).await;
    assert_eq!(count(&core), 0);
    core.stop().await;
}

/// A version that knows a setting no more, and a journal whose beginning is gone: what was measured and decided stays.
#[tokio::test]
async fn settings_that_are_refused_by_now_do_not_keep_a_tenant_down() {
    let dir = tempfile::tempdir().expect("dir");
    let mut old = options(dir.path());
    let legacy = Settings { detectors_off: vec!["legacy".to_owned()], ..Settings::default() };
    old.tenants = vec![TenantSetup { name: tenant(), settings: legacy, connections: Vec::new(), retention: None }];
    let core = Core::start(old).expect("starts");
    ingest(&core, vec![link("l"), delegation("d")]).await;
    order(&core, Command::SetMode(Mode::Live)).await;
    let policy = json!({"name": "mine", "match": {}, "actions": ["log"]});
    let policy = onesec_telemetry::event::Json::redacted(policy);
    order(&core, Command::SetPolicy { name: Name::new("mine").expect("name"), policy }).await;
    core.stop().await;
    forget_the_beginning(dir.path());
    let strict: SharedAssemble = Arc::new(|settings: &Settings| {
        if settings.detectors_off.iter().any(|code| code == "legacy") {
            return Err(SetupError::Setting { setting: "detectors.legacy".to_owned(), why: "is unknown".to_owned() });
        }
        Ok(onesec_detectors::all(&onesec_detectors::Settings::default()))
    });
    for round in 0..2 {
        let mut new = options(dir.path());
        new.assemble = strict.clone();
        let core = Core::start(new).expect("starts all the same");
        let view = core.view(&tenant()).expect("view");
        assert_eq!((view.mode, *view.settings == Settings::default()), (Mode::Live, true), "round {round}");
        assert_eq!(view.policies.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["mine"]);
        let asked = format!("x-{round}");
        let ruling = core.request(&tenant(), exchange(&asked, "bot", "read:org")).await.expect("ruled");
        assert_eq!(ruling.answer.applies, Verdict::Allow, "what was lent still is");
        let stranger = core.request(&tenant(), exchange(&format!("s-{round}"), "stranger", "read:org")).await;
        assert_eq!(stranger.expect("ruled").answer.applies, Verdict::Deny, "and only that");
        core.stop().await;
    }
    let configured = Reader::open(dir.path()).expect("opens").records_from(&tenant(), 1);
    let configured = configured.filter_map(|r| decode_record(&r.expect("read").bytes));
    let configured =
        configured.filter(|r| matches!(r.body, onesec_telemetry::Body::Command(Command::Configure { .. })));
    assert_eq!(configured.count(), 1, "the settings of now are a record, once; those before are gone");
}

/// As retention does after a week.
fn forget_the_beginning(dir: &Path) {
    let opened = Journal::open(dir, CoreOptions::new(dir.to_owned()).journal).expect("opens");
    let mut maintenance = opened.maintenance;
    let later = Clock::start().now() + Duration::from_secs(30 * 86_400);
    let cutoffs = onesec_journal::RetentionCutoffs {
        tenant: tenant(),
        records_before: Some(later),
        alerts_before: None,
        responses_before: None,
        long_dedup_before: None,
    };
    maintenance.retain(&cutoffs, later).expect("forgotten");
    assert_ne!(opened.reader.first_seq(&tenant()).expect("read"), Some(1), "its beginning is gone");
}

/// The wall clock was put back while nobody looked: time goes on where the journal left it, and somebody is told, once.
#[tokio::test]
async fn a_clock_behind_the_journal_is_told_and_repeated_by_a_replay() {
    let dir = tempfile::tempdir().expect("dir");
    let core = Core::start(options(dir.path())).expect("starts");
    ingest(&core, vec![link("l")]).await;
    core.stop().await;
    two_hours_later(dir.path());
    let told = |core: &Core| {
        let counts = core.view(&tenant()).expect("view");
        counts.detectors.iter().find(|detector| detector.code == "clock-step").map_or(0, |detector| detector.findings)
    };
    let core = Core::start(options(dir.path())).expect("starts again");
    for _ in 0..200 {
        if told(&core) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(told(&core), 1, "said once");
    core.stop().await;
    let records = Reader::open(dir.path()).expect("opens").records_from(&tenant(), 1);
    let steps = records.filter_map(|r| match decode_record(&r.expect("read").bytes)?.body {
        onesec_telemetry::Body::Command(Command::ClockStepped { by_micros }) => Some(by_micros),
        _ => None,
    });
    let steps: Vec<i64> = steps.collect();
    assert!(matches!(steps.as_slice(), [by] if *by < -7_000_000_000), "{steps:?}");
}

/// As if the last record had been written by a clock two hours ahead.
fn two_hours_later(dir: &Path) {
    let opened = Journal::open(dir, CoreOptions::new(dir.to_owned()).journal).expect("opens");
    let last = opened.reader.records_from(&tenant(), 1).last().expect("a record").expect("read");
    let mut record = decode_record(&last.bytes).expect("decodes");
    record.seq = record.seq.next();
    record.observed_at = record.observed_at + Duration::from_secs(7_200);
    (record.at, record.body) = (record.observed_at, onesec_telemetry::Body::Tick);
    let row = onesec_journal::RecordRow {
        tenant: tenant(),
        seq: record.seq.0,
        observed_at: record.observed_at,
        dedup: None,
        bytes: crate::core::encode_record(&record).into(),
    };
    let mut writer = opened.writer;
    writer.commit(&onesec_journal::Batch { records: vec![row], ..onesec_journal::Batch::default() }).expect("written");
}
