//! Trackers and all detectors on clean exchanges, beside the same keyed look-ups on bare hash maps.
#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that cannot be set up has nothing to measure"
)]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use onesec_detector::{Detector, Findings};
use onesec_detectors::{Settings, all};
use onesec_engine::Engine;
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{AgentId, ConnectionName, Kind, Record, TenantId, Timestamp, UserId};
use onesec_testkit::{Draft, Rng, at, records};
use onesec_trackers::{LedgerChange, Settled, TrackerConfig, Trackers};

const AGENTS: usize = 10_000;
const STREAM: usize = 32_768;
/// So far apart that even the busiest agent of the skewed stream stays within the rate.
const APART: Duration = Duration::from_secs(10);

#[derive(Clone, Copy)]
enum Spread {
    Uniform,
    Zipf,
}

impl Spread {
    const ALL: [(&'static str, Self); 2] = [("uniform", Self::Uniform), ("zipf", Self::Zipf)];

    /// Which agent acts, for each record of a stream.
    fn agents(self) -> Vec<usize> {
        let mut rng = Rng::new(7);
        let mut sums = Vec::with_capacity(AGENTS);
        let mut sum = 0.0;
        for rank in 1..=AGENTS {
            sum += 1.0 / rank as f64;
            sums.push(sum);
        }
        let mut pick = || match self {
            Self::Uniform => rng.below(AGENTS as u64) as usize,
            Self::Zipf => {
                let at = rng.below(1 << 52) as f64 / (1_u64 << 52) as f64 * sum;
                sums.partition_point(|s| *s <= at).min(AGENTS - 1)
            }
        };
        (0..STREAM).map(|_| pick()).collect()
    }
}

fn names(i: usize) -> (String, String) {
    (format!("agent-{i}"), format!("auth0|user-{i}"))
}

/// Everybody's links and delegations.
fn set_up() -> Vec<Record> {
    let both = |i| -> [Draft; 2] {
        let (agent, user) = names(i);
        let link = at("0s").trusted().link(&user, "github").scopes("read:org");
        [link, at("0s").trusted().delegate(&user, &agent, "github").scopes("read:org")]
    };
    records((0..AGENTS).flat_map(both))
}

fn stream(spread: Spread) -> Vec<Record> {
    let exchange = |i| {
        let (agent, user) = names(i);
        at("1s").gateway(&agent).exchange(&user, "github").scopes("read:org")
    };
    records(spread.agents().into_iter().map(exchange))
}

/// A stream without end: the records come again and again, each time later.
struct Endless {
    records: Vec<Record>,
    next: usize,
    now: Timestamp,
}

impl Endless {
    fn new(spread: Spread) -> Self {
        Self { records: stream(spread), next: 0, now: onesec_testkit::START + Duration::from_secs(60) }
    }

    fn next(&mut self) -> &Record {
        self.now = self.now + APART;
        self.next = (self.next + 1) % self.records.len();
        let record = &mut self.records[self.next];
        (record.at, record.observed_at) = (self.now, self.now);
        record
    }
}

struct Judges {
    trackers: Trackers,
    detectors: Vec<Box<dyn Detector>>,
    /// Those that read exchanges, as the engine keeps it by kind.
    readers: Vec<usize>,
    found: Findings,
    changes: Vec<LedgerChange>,
}

impl Judges {
    fn new(detectors: Vec<Box<dyn Detector>>) -> Self {
        let trackers = Trackers::new(TrackerConfig::default(), Catalogue::builtin());
        let reads = |at: &usize| detectors[*at].descriptor().reads(Kind::TokenExchange);
        let readers = (0..detectors.len()).filter(reads).collect();
        let mut judges = Self { trackers, detectors, readers, found: Findings::new(), changes: Vec::new() };
        // Delegations that nobody signed are told of once, when they are made.
        set_up().iter().for_each(|record| judges.observe(record));
        judges.found = Findings::new();
        judges
    }

    fn judge(&mut self, record: &Record) {
        self.observe(record);
        assert!(self.found.is_empty(), "not clean: {:?}", self.found.as_slice());
    }

    fn observe(&mut self, record: &Record) {
        let facts = self.trackers.observe(record);
        for &reader in &self.readers {
            self.detectors[reader].judge(record, &facts, &mut self.found);
        }
        drop(facts);
        self.trackers.settle(Settled::Passed);
        self.changes.clear();
        self.trackers.changes_into(&mut self.changes);
        black_box(&self.changes);
    }
}

/// The look-ups that an exchange needs, and nothing else: agent, (agent, user), the triple twice, and the account.
/// Their keys are made from the record's names, as by whoever keeps such maps; short names are copied in place.
#[derive(Default)]
struct Bare {
    agents: HashMap<AgentId, (Timestamp, u64)>,
    agent_users: HashMap<(AgentId, UserId), (Timestamp, u64)>,
    pairs: HashMap<(AgentId, UserId, ConnectionName), (Timestamp, u64)>,
    grants: HashMap<(AgentId, UserId, ConnectionName), u64>,
    accounts: HashMap<(UserId, ConnectionName), u64>,
}

struct Keys {
    agent: AgentId,
    agent_user: (AgentId, UserId),
    triple: (AgentId, UserId, ConnectionName),
    account: (UserId, ConnectionName),
}

impl Keys {
    fn of(record: &Record) -> Self {
        let (Some(agent), Some(user), Some(at)) = (record.agent(), record.user(), record.connection()) else {
            panic!("an exchange names all three");
        };
        Self {
            agent: agent.clone(),
            agent_user: (agent.clone(), user.clone()),
            triple: (agent.clone(), user.clone(), at.clone()),
            account: (user.clone(), at.clone()),
        }
    }
}

impl Bare {
    fn insert(&mut self, keys: &Keys) {
        self.agents.insert(keys.agent.clone(), (Timestamp::EPOCH, 0));
        self.agent_users.insert(keys.agent_user.clone(), (Timestamp::EPOCH, 0));
        self.pairs.insert(keys.triple.clone(), (Timestamp::EPOCH, 0));
        self.grants.insert(keys.triple.clone(), 1);
        self.accounts.insert(keys.account.clone(), 1);
    }

    fn touch(&mut self, keys: &Keys, at: Timestamp) -> u64 {
        let mut sum = 0;
        if let Some(entry) = self.agents.get_mut(&keys.agent) {
            *entry = (at, entry.1 + 1);
        }
        if let Some(entry) = self.agent_users.get_mut(&keys.agent_user) {
            *entry = (at, entry.1 + 1);
        }
        if let Some(entry) = self.pairs.get_mut(&keys.triple) {
            *entry = (at, entry.1 + 1);
        }
        sum += self.grants.get(&keys.triple).copied().unwrap_or(0);
        sum + self.accounts.get(&keys.account).copied().unwrap_or(0)
    }
}

fn judge(c: &mut Criterion) {
    let mut group = c.benchmark_group("judge-10k");
    group.throughput(Throughput::Elements(1));
    for (name, spread) in Spread::ALL {
        let mut bare = Bare::default();
        let mut endless = Endless::new(spread);
        endless.records.iter().for_each(|record| bare.insert(&Keys::of(record)));
        group.bench_function(BenchmarkId::new("bare-look-ups", name), |b| {
            b.iter(|| {
                let record = endless.next();
                black_box(bare.touch(&Keys::of(record), record.at))
            });
        });

        let (mut trackers, mut endless) = (Judges::new(Vec::new()), Endless::new(spread));
        group.bench_function(BenchmarkId::new("trackers", name), |b| {
            b.iter(|| trackers.judge(black_box(endless.next())));
        });

        let (mut judges, mut endless) = (Judges::new(all(&Settings::default())), Endless::new(spread));
        group.bench_function(BenchmarkId::new("trackers-and-detectors", name), |b| {
            b.iter(|| judges.judge(black_box(endless.next())));
        });

        let assemble = |_: &onesec_engine::Settings| Ok(all(&Settings::default()));
        let engine = Engine::new(TenantId::default_tenant(), onesec_engine::Settings::default(), Box::new(assemble));
        let (mut engine, mut endless) = (engine.expect("an engine"), Endless::new(spread));
        set_up().iter().for_each(|record| drop(engine.apply(record)));
        group.bench_function(BenchmarkId::new("engine", name), |b| {
            b.iter(|| black_box(engine.apply(black_box(endless.next()))));
        });
    }
    group.finish();
}

criterion_group!(benches, judge);
criterion_main!(benches);
