//! What agents do, through trackers and all detectors: acts under a mandate, content, memory; beside exchanges.
#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a bench that cannot be set up has nothing to measure"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use onesec_detectors::{Settings, all};
use onesec_engine::Engine;
use onesec_telemetry::{Record, TenantId, Timestamp};
use onesec_testkit::{Draft, at, records};
use serde_json::json;

const AGENTS: usize = 10_000;

fn name(i: usize) -> String {
    format!("agent-{i}")
}

/// A task with a mandate for everybody, and a delegation.
fn set_up() -> Vec<Record> {
    let both = |i| -> [Draft; 2] {
        let task =
            json!({"task_id": format!("t-{i}"), "allowed_tools": ["mail.*"], "allowed_actions": ["read", "write"]});
        let task = at("0s").trusted().event("task_start").details(task.as_object().expect("members").clone());
        [task.agent(&name(i)), at("0s").trusted().delegate(&format!("user-{i}"), &name(i), "github").scopes("read:org")]
    };
    records((0..AGENTS).flat_map(both))
}

fn draft(kind: &str, i: usize, details: &serde_json::Value) -> Draft {
    let draft = at("1s").own_key(&name(i)).event(kind).details(details.as_object().expect("members").clone());
    draft.agent(&name(i)).with("task_id", format!("t-{i}"))
}

fn stream(kind: &str) -> Vec<Record> {
    let one = |i: usize| match kind {
        "exchange" => at("1s").gateway(&name(i)).exchange(&format!("user-{i}"), "github").scopes("read:org"),
        "content" => {
            draft("content_ingest", i, &json!({"content": "Lunch is at noon. ".repeat(20), "source": "email"}))
        }
        "memory" => {
            draft("agent_memory_write", i, &json!({"content": "Ada likes tea.", "key": "notes", "source": "user"}))
        }
        _ => draft("tool_call", i, &json!({"tool": "mail.list", "arguments": {"day": "today", "folder": "inbox"}})),
    };
    records((0..AGENTS).map(|step| one(step * 7919 % AGENTS)))
}

fn behaviour(c: &mut Criterion) {
    let mut group = c.benchmark_group("behaviour-10k");
    group.throughput(Throughput::Elements(1));
    for kind in ["exchange", "act", "content", "memory"] {
        let assemble = |_: &onesec_engine::Settings| Ok(all(&Settings::default()));
        let engine = Engine::new(TenantId::default_tenant(), onesec_engine::Settings::default(), Box::new(assemble));
        let mut engine = engine.expect("an engine");
        set_up().iter().for_each(|record| drop(engine.apply(record)));
        let (mut stream, mut next) = (stream(kind), 0);
        let mut now: Timestamp = onesec_testkit::START + Duration::from_secs(60);
        group.bench_function(kind, |b| {
            b.iter(|| {
                now = now + Duration::from_secs(10);
                next = (next + 1) % stream.len();
                let record = &mut stream[next];
                (record.at, record.observed_at) = (now, now);
                black_box(engine.apply(black_box(record)))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, behaviour);
criterion_main!(benches);
