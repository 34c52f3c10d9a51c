//! Durable ingest: batches, single events, two tenants.
#![expect(clippy::expect_used, reason = "a program for measuring: what does not work must stop it")]

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use onesec_e2e::Http;

use crate::Report;
use crate::world::{World, event, for_time};

const BATCH: u64 = 1_000;
/// The load is no flood, however busy the busiest agent is.
const QUIET: &str = "detectors: {exchange-rate: {limit: 10000, window: 1s}}\n";

fn batch(thread: usize, first: u64) -> Vec<u8> {
    let mut body = Vec::with_capacity(512 * BATCH as usize);
    for n in first..first + BATCH {
        body.extend_from_slice(event(thread, n).as_bytes());
        body.push(b'\n');
    }
    body
}

fn send_batches(world: &World, key: String, thread: usize) -> Box<dyn FnMut() -> u64 + Send> {
    let mut http = Http::new(&world.url, Some(&key));
    let mut next = 0;
    Box::new(move || {
        let body = batch(thread, next);
        next += BATCH;
        let answer = http.send("POST", "/api/v1/events", &[("content-type", "application/x-ndjson")], &body);
        match answer.status {
            202 => BATCH,
            429 => {
                next -= BATCH;
                std::thread::sleep(Duration::from_millis(2));
                0
            }
            status => {
                assert_eq!(status, 202, "{}", answer.text());
                0
            }
        }
    })
}

/// NDJSON batches of 1 000, beside a bare append of the same bytes.
pub(crate) fn batches(report: &mut Report, time: Duration) {
    let world = World::start(QUIET);
    world.settle_everybody("default");
    let key = world.writer_key("default");
    let rate = for_time(4, time, |thread| send_batches(&world, key.clone(), thread));
    report.put("ingest: durable, NDJSON batches of 1 000", rate, "events/s");
    world.stop();
    let bare = bare_append(time.min(Duration::from_secs(5)));
    report.put("ingest: bare append of the same bytes, fsync a batch", bare, "events/s");
    report.put("ingest: ratio to a bare append (target ≥ 0.3)", rate / bare, "");
}

fn bare_append(time: Duration) -> f64 {
    let mut file = tempfile::tempfile().expect("file");
    let body = batch(0, 0);
    let start = Instant::now();
    let mut events = 0;
    while start.elapsed() < time {
        file.write_all(&body).expect("written");
        file.sync_data().expect("synced");
        events += BATCH;
    }
    events as f64 / start.elapsed().as_secs_f64()
}

/// One event per request on 64 connections.
pub(crate) fn singles(report: &mut Report, time: Duration) {
    let world = World::start(QUIET);
    world.settle_everybody("default");
    let key = world.writer_key("default");
    let rate = for_time(64, time, |thread| {
        let mut http = Http::new(&world.url, Some(&key));
        let mut n = 0;
        Box::new(move || {
            n += 1;
            let body = event(thread, n);
            let answer = http.send("POST", "/api/v1/events", &[("content-type", "application/json")], body.as_bytes());
            u64::from(answer.status == 202)
        })
    });
    report.put("single: durable, one event a request, 64 connections", rate, "events/s");
    let metrics = world.admin().get("/metrics").text();
    let number = |name: &str| {
        let line = metrics.lines().find(|l| l.starts_with(name) && !l.starts_with('#'))?;
        line.rsplit(' ').next()?.parse::<f64>().ok()
    };
    let per_commit = number("onesec_journal_records_per_commit");
    report.put("single: records per commit (one fsync each)", per_commit.unwrap_or(f64::NAN), "");
    world.stop();
}

/// Two tenants at once, beside one alone.
pub(crate) fn tenants(report: &mut Report, time: Duration) {
    let run = |names: &[&str]| {
        let world = World::start(&format!("tenants: {{second: {{}}}}\n{QUIET}"));
        names.iter().for_each(|name| world.settle_everybody(name));
        let keys: Vec<String> = names.iter().map(|name| world.writer_key(name)).collect();
        let turn = AtomicU64::new(0);
        let rate = for_time(4, time, |thread| {
            let which = turn.fetch_add(1, Ordering::Relaxed) as usize % keys.len();
            send_batches(&world, keys.get(which).cloned().unwrap_or_default(), thread)
        });
        world.stop();
        rate
    };
    let (one, two) = (run(&["default"]), run(&["default", "second"]));
    report.put("tenants: one", one, "events/s");
    report.put("tenants: two", two, "events/s");
    report.put("tenants: two to one (target ≥ 1.5)", two / one, "");
}
