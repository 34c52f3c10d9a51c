//! A clean exchange, observed and settled, against the same keyed look-ups on bare hash maps in the same run.
//!
//! The ratio is what counts: it is printed after the figures, per number of agents and per distribution.

#![expect(clippy::expect_used, reason = "the names and scopes below are valid")]
#![expect(clippy::print_stdout, reason = "criterion knows no ratios")]

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hashbrown::{Equivalent, HashMap};
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::event::{AgentIdentityDelegation, ConnectedAccountLink, TokenExchange};
use onesec_telemetry::{
    Attestation, Body, Common, Details, Event, EventId, Record, ScopeSet, Sender, Seq, Subject, TenantId, Timestamp,
};
use onesec_trackers::{Settled, TrackerConfig, Trackers};

fn event(names: [&str; 3], details: Details) -> Record {
    let common = Common {
        agent_id: names[0].parse().ok(),
        user_id: names[1].parse().ok(),
        connection: names[2].parse().ok(),
        ..Common::default()
    };
    Record {
        tenant: TenantId::default_tenant(),
        seq: Seq(1),
        observed_at: Timestamp::from_secs(1_700_000_000),
        at: Timestamp::from_secs(1_700_000_000),
        late: false,
        sender: Sender::replay(),
        subject: Subject::Unknown,
        attestation: Attestation::Absent,
        network: None,
        text: None,
        body: Body::Event(Event::new(EventId::new("e").expect("an id"), common, details).into()),
    }
}

fn names(i: usize) -> [String; 3] {
    [format!("agent-{i}"), format!("auth0|{:024x}", i / 2), "github".to_owned()]
}

fn exchange(i: usize) -> Record {
    let [agent, user, connection] = names(i);
    let details = TokenExchange {
        subject_token_type: None,
        scopes: Some(ScopeSet::parse("repo read:user").expect("scopes")),
        exchange_id: None,
        login_hint: None,
        audience: None,
        resource: None,
        actor: None,
        is_privileged_worker: None,
        account_id: None,
    };
    event([&agent, &user, &connection], Details::TokenExchange(details))
}

/// Linked, delegated, and each agent has exchanged once.
fn settled(agents: usize) -> Trackers {
    let mut trackers = Trackers::new(TrackerConfig::default(), Catalogue::builtin());
    let mut pass = |record: &Record| {
        trackers.observe(record);
        trackers.settle(Settled::Passed);
    };
    for i in 0..agents {
        let [agent, user, connection] = names(i);
        let scopes = Some(ScopeSet::parse("repo read:user").expect("scopes"));
        let link = ConnectedAccountLink { scopes: scopes.clone(), access_type: None, account_id: None };
        pass(&event(["", &user, &connection], Details::ConnectedAccountLink(link)));
        let delegation = AgentIdentityDelegation {
            delegated_by: user.parse().expect("a name"),
            scopes,
            expires_at: None,
            delegation_chain: None,
            attestation: None,
            delegation_id: Some(format!("d-{i}").parse().expect("an id")),
            parent_id: None,
            max_depth: None,
            account_id: None,
        };
        pass(&event([&agent, &user, &connection], Details::AgentIdentityDelegation(delegation)));
        pass(&exchange(i));
    }
    drop(trackers.changes());
    trackers
}

#[derive(PartialEq, Eq, Hash)]
struct Key(String, String, String);

#[derive(Hash)]
struct Asked<'a>(&'a str, &'a str, &'a str);

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.0 && self.1 == key.1 && self.2 == key.2
    }
}

/// The same keys on bare maps: agent, (agent, user), (agent, user, connection) twice, (user, connection).
struct Bare {
    agents: HashMap<String, VecDeque<i64>, ahash::RandomState>,
    maps: [HashMap<Key, VecDeque<i64>, ahash::RandomState>; 4],
}

impl Bare {
    fn new(agents: usize) -> Self {
        let hasher = || ahash::RandomState::with_seeds(1, 2, 3, 4);
        let mut bare = Self {
            agents: HashMap::with_hasher(hasher()),
            maps: std::array::from_fn(|_| HashMap::with_hasher(hasher())),
        };
        for i in 0..agents {
            let [agent, user, connection] = names(i);
            bare.agents.insert(agent.clone(), VecDeque::from([0]));
            let none = String::new;
            let keys = [
                Key(agent.clone(), user.clone(), none()),
                Key(agent.clone(), user.clone(), connection.clone()),
                Key(agent, user.clone(), connection.clone()),
                Key(none(), user, connection),
            ];
            for (map, key) in bare.maps.iter_mut().zip(keys) {
                map.insert(key, VecDeque::from([0]));
            }
        }
        bare
    }

    fn count(&mut self, record: &Record) -> usize {
        let agent = record.agent().map_or("", |a| a.as_str());
        let user = record.user().map_or("", |u| u.as_str());
        let connection = record.connection().map_or("", |c| c.as_str());
        let at = record.at.as_micros();
        let push = |times: &mut VecDeque<i64>| {
            times.push_back(at);
            if times.len() > 21 {
                times.pop_front();
            }
            times.len()
        };
        let mut sum = self.agents.get_mut(agent).map_or(0, push);
        let keys = [
            Asked(agent, user, ""),
            Asked(agent, user, connection),
            Asked(agent, user, connection),
            Asked("", user, connection),
        ];
        for (i, (map, key)) in self.maps.iter_mut().zip(keys).enumerate() {
            sum += match i {
                0 => map.get_mut(&key).map_or(0, push),
                _ => map.get(&key).map_or(0, VecDeque::len),
            };
        }
        sum
    }
}

/// Records in random order: uniform, or such that few agents do most.
fn mix(agents: usize, zipf: bool) -> Vec<Record> {
    let mut dice: u64 = 7;
    let mut roll = || {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 11) as f64 / (1_u64 << 53) as f64
    };
    let pick = |roll: f64| {
        let share = if zipf { (agents as f64).powf(roll) - 1.0 } else { roll * agents as f64 };
        (share as usize).min(agents - 1)
    };
    (0..20_000).map(|_| exchange(pick(roll()))).collect()
}

/// Runs over `mix` again and again, time going on.
fn timed(mix: &mut [Record], rounds: u64, mut run: impl FnMut(&Record)) -> Duration {
    let (mut spent, mut left) = (Duration::ZERO, rounds);
    while left > 0 {
        let now = mix.last().map_or(Timestamp::EPOCH, |r| r.at) + Duration::from_millis(1);
        for (i, record) in mix.iter_mut().enumerate() {
            record.at = now + Duration::from_micros(i as u64 * 300);
        }
        let batch = left.min(mix.len() as u64);
        let start = Instant::now();
        for record in mix.iter().take(usize::try_from(batch).unwrap_or(usize::MAX)) {
            run(record);
        }
        spent += start.elapsed();
        left -= batch;
    }
    spent
}

fn observe(c: &mut Criterion) {
    let mut group = c.benchmark_group("clean exchange");
    group.sample_size(20);
    for agents in [10_000, 200_000] {
        let (mut trackers, mut bare) = (settled(agents), Bare::new(agents));
        for (name, zipf) in [("uniform", false), ("zipf", true)] {
            let mut mix = mix(agents, zipf);
            let mut per = [0.0_f64; 2];
            group.bench_function(BenchmarkId::new(format!("trackers/{name}"), agents), |b| {
                b.iter_custom(|rounds| {
                    let spent = timed(&mut mix, rounds, |record| {
                        black_box(trackers.observe(record));
                        trackers.settle(Settled::Passed);
                    });
                    drop(trackers.changes());
                    per[0] = spent.as_nanos() as f64 / rounds as f64;
                    spent
                });
            });
            group.bench_function(BenchmarkId::new(format!("bare maps/{name}"), agents), |b| {
                b.iter_custom(|rounds| {
                    let spent = timed(&mut mix, rounds, |record| {
                        black_box(bare.count(record));
                    });
                    per[1] = spent.as_nanos() as f64 / rounds as f64;
                    spent
                });
            });
            println!("{agents} agents, {name}: {:.0} ns, {:.0} ns bare, ratio {:.2}", per[0], per[1], per[0] / per[1]);
        }
    }
    group.finish();
}

criterion_group!(benches, observe);
criterion_main!(benches);
