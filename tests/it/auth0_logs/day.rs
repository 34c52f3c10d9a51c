//! A day of mixed log-stream traffic, in disorder, twice and after an outage, comes to what a direct recording of the same
//! comes to: the same accounts, delegations and alerts.

use std::collections::BTreeMap;

use onesec_auth0_sim::AccountSpec;
use onesec_e2e::logs::{AUTHORIZATION, deliver};
use onesec_e2e::world::{GITHUB, GOOGLE};
use onesec_e2e::{Http, World, eventually};
use onesec_telemetry::Timestamp;
use serde_json::{Value, json};

use super::administered;
use crate::plan;

const CONNECTIONS: [(&str, &str); 2] = [(GOOGLE, "calendar.readonly"), (GITHUB, "repo")];
const USERS: usize = 8;
const DAY: i64 = 86_400;

/// Repeats itself for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % below
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.roll(at + 1));
        }
    }
}

/// What happened once: as Auth0 logs it, and as somebody with authority would record it.
#[derive(Clone)]
struct Deed {
    at: Timestamp,
    log: Value,
    event: Option<Value>,
}

fn deed(
    at: Timestamp,
    (code, number): (&str, usize),
    who: Value,
    (details, event): (Value, Option<(&str, Value)>),
) -> Deed {
    let mut log = who.clone();
    let members = log.as_object_mut().expect("an object");
    members.insert("log_id".into(), json!(format!("log-{number:06}")));
    members.insert("type".into(), json!(code));
    members.insert("date".into(), json!(at.to_string()));
    members.insert("details".into(), details);
    let event = event.map(|(kind, more)| {
        let mut all = who;
        all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({"id": format!("direct-{number:06}"), "type": kind, "timestamp": at.to_string(), "details": all})
    });
    Deed { at, log, event }
}

/// Makes deeds, each with a number of its own.
struct Day {
    dice: Dice,
    start: i64,
    deeds: Vec<Deed>,
    count: usize,
}

fn user(number: usize) -> String {
    format!("auth0|user-{number}")
}

impl Day {
    fn put(&mut self, (secs, code): (i64, &str), who: Value, told: (Value, Option<(&str, Value)>)) {
        self.count += 1;
        let at = Timestamp::from_secs(self.start + secs);
        self.deeds.push(deed(at, (code, self.count), who, told));
    }

    fn exchange(&mut self, secs: i64, agent: &str, (user_id, connection, scope): (&str, &str, &str)) {
        let who = json!({"user_id": user_id, "connection": connection, "agent_id": agent, "client_id": "app"});
        let event = ("token_exchange_response", json!({"success": true, "scopes": scope}));
        self.put((secs, "seta"), who, (json!({"scope": scope}), Some(event)));
    }

    fn account(&mut self, (secs, linked): (i64, bool), (user_id, connection, scope): (&str, &str, &str), id: &str) {
        let who = json!({"user_id": user_id, "connection": connection});
        let details = json!({"connected_account": {"id": id}});
        let (code, event) = if linked {
            let event =
                ("connected_account_link", json!({"account_id": id, "scopes": scope, "access_type": "offline"}));
            ("connected_accounts_connection_succeeded", event)
        } else {
            ("connected_accounts_delete_succeeded", ("connected_account_unlink", json!({"account_id": id})))
        };
        self.put((secs, code), who, (details, Some(event)));
    }

    /// Links in the morning, unlinks at noon, exchanges all day, and what means nothing.
    fn history(&mut self) {
        for number in 0..USERS {
            for (at, (connection, scope)) in CONNECTIONS.into_iter().enumerate() {
                let (who, id) = (user(number), format!("cac_{number}{at}"));
                self.account((100 + number as i64, true), (&who, connection, scope), &id);
                if number % 4 == 3 {
                    self.account((DAY / 2 + number as i64, false), (&who, connection, scope), &id);
                }
            }
        }
        for _ in 0..900 {
            let (number, at) = (self.dice.roll(USERS), self.dice.roll(2));
            let (connection, scope) = CONNECTIONS[at];
            // Before noon everything is linked; after it nobody touches what was taken back.
            let until = if number % 4 == 3 { DAY / 2 - 600 } else { DAY - 600 };
            let secs = 600 + self.dice.roll(usize::try_from(until - 600).expect("seconds")) as i64;
            let stranger = self.dice.roll(12) == 0;
            let agent = if stranger { "stranger".to_owned() } else { format!("agent-{}", number % 4) };
            self.exchange(secs, &agent, (&user(number), connection, scope));
        }
        for number in 0..200 {
            let secs = self.dice.roll(usize::try_from(DAY).expect("seconds")) as i64;
            match number % 10 {
                0 => self.put(
                    (secs, "ferrt"),
                    json!({"user_id": user(1), "client_id": "web"}),
                    (json!({}), Some(("custom.auth0.refresh_reused", json!({})))),
                ),
                1 => self.change(secs, "clients", "app"),
                _ => self.put((secs, "slo"), json!({"user_id": user(2)}), (json!({}), None)),
            }
        }
    }

    fn change(&mut self, secs: i64, target: &str, id: &str) {
        let request =
            json!({"request": {"method": "patch", "path": format!("/api/v2/{target}/{id}"), "body": {"name": 1}}});
        let path = format!("/api/v2/{target}/{id}");
        let event = json!({"target": target, "action": "update", "target_id": id, "path": path, "members": ["name"]});
        let told = (request, Some(("custom.auth0.tenant_change", event)));
        self.put((secs, "sapi"), json!({"user_id": "auth0|admin", "client_id": "dashboard"}), told);
    }

    /// What happens now: too many exchanges, one of a stranger, one after the account was taken back, a stream changed.
    fn now(&mut self) {
        for number in 0..26 {
            self.exchange(60 + number, "agent-0", (&user(0), GOOGLE, "calendar.readonly"));
        }
        self.exchange(70, "stranger", (&user(1), GITHUB, "repo"));
        self.exchange(75, "agent-3", (&user(3), GITHUB, "repo"));
        self.exchange(80, "agent-2", (&user(2), GITHUB, "repo admin:org"));
        self.change(85, "log-streams", "lst_1");
    }

    fn take(&mut self) -> Vec<Deed> {
        let mut deeds = std::mem::take(&mut self.deeds);
        deeds.sort_by_key(|deed| deed.at);
        deeds
    }
}

/// Somebody with authority whose times count.
fn recorder(world: &World) -> Http {
    let key = world.key(&json!({"name": "recorder", "scopes": ["events:trust"], "trusted_time": true}));
    Http::new(world.process.url(), Some(&key))
}

fn delegations(world: &World, start: i64) {
    let mut http = recorder(world);
    for number in 0..USERS {
        for (connection, scope) in CONNECTIONS {
            let details = json!({"agent_id": format!("agent-{}", number % 4), "delegated_by": user(number),
                "connection": connection, "scopes": scope, "delegation_id": format!("dlg-{number}-{connection}")});
            let at = Timestamp::from_secs(start + 200).to_string();
            let event = json!({"type": "agent_identity_delegation", "timestamp": at, "details": details});
            let answer = http.post("/api/v1/events", &event);
            assert_eq!(answer.status, 202, "{}", answer.text());
        }
    }
}

/// As it was delivered: a little out of order, some of it twice, three hours of it late and backwards.
fn deliveries(deeds: &[Deed], dice: &mut Dice) -> Vec<Vec<Value>> {
    let lost = |deed: &Deed| (8 * 3_600..11 * 3_600).contains(&(deed.at.as_secs().rem_euclid(DAY)));
    let (outage, mut rest): (Vec<Deed>, Vec<Deed>) = deeds.iter().cloned().partition(lost);
    for chunk in rest.chunks_mut(25) {
        dice.shuffle(chunk);
    }
    let mut batches: Vec<Vec<Value>> = Vec::new();
    let mut logs = rest.into_iter().map(|deed| deed.log).peekable();
    while logs.peek().is_some() {
        let size = 1 + dice.roll(40);
        batches.push(logs.by_ref().take(size).collect());
        if dice.roll(5) == 0 {
            let again = dice.roll(batches.len());
            batches.push(batches[again].clone());
        }
    }
    let late: Vec<Vec<Value>> =
        outage.chunks(30).map(|chunk| chunk.iter().map(|deed| deed.log.clone()).collect()).collect();
    batches.extend(late.into_iter().rev());
    batches
}

/// Alerts by what they are about: how often, and when last.
type Alerts = BTreeMap<String, (u64, String)>;

/// What can be compared: accounts as they are, delegations, and alerts with their counts over all of an entity's.
fn outcome(world: &World) -> (Vec<Value>, Vec<Value>, Alerts) {
    let keep = |row: &Value, names: &[&str]| {
        json!(names.iter().map(|name| (*name, row[*name].clone())).collect::<BTreeMap<_, _>>())
    };
    let account = |row: &Value| {
        let mut kept = keep(row, &["user_id", "connection", "account_id", "state", "unlinked_at", "agents"]);
        if row["state"] == "linked" {
            (kept["scopes"], kept["linked_at"]) = (row["scopes"].clone(), row["linked_at"].clone());
        }
        kept
    };
    let accounts = world.listed("/api/v1/accounts?limit=1000", "accounts").iter().map(account).collect();
    let delegations = world.listed("/api/v1/delegations?limit=1000", "delegations");
    let names = ["id", "agent_id", "user_id", "connection", "scopes", "state", "ending", "ended_at"];
    let delegations = delegations.iter().map(|row| keep(row, &names)).collect();
    let mut alerts = Alerts::new();
    for alert in world.listed("/api/v1/alerts?limit=1000", "alerts") {
        let about =
            json!([alert["detector"], alert["severity"], alert["agent_id"], alert["user_id"], alert["connection"]]);
        let text = |name: &str| alert[name].as_str().unwrap_or_default().to_owned();
        // Which of too many exchanges were too many is a question of their order.
        let last = if alert["detector"] == "exchange-rate" { String::new() } else { text("last_seen") };
        let sum = alerts.entry(about.to_string()).or_insert((0, last.clone()));
        sum.0 += alert["occurrences"].as_u64().unwrap_or_default();
        sum.1 = sum.1.clone().max(last);
    }
    (accounts, delegations, alerts)
}

#[test]
fn a_day_of_log_stream_traffic_is_what_a_direct_recording_of_it_is() {
    let stream = || plan().with("token_vault", json!({"log_stream_authorization": AUTHORIZATION}));
    let (mut streamed, direct) = (administered(stream()), administered(stream()));
    let now = onesec_e2e::proofs::now();
    // A whole day, so that the hours of the outage are the same whenever this runs; over since an hour at least.
    let start = (now - DAY - 3_600).div_euclid(DAY) * DAY;
    let mut day = Day { dice: Dice(20_261_128), start, deeds: Vec::new(), count: 0 };
    day.history();
    let history = day.take();
    for number in (0..USERS).filter(|number| number % 4 != 3) {
        for (at, (connection, scope)) in CONNECTIONS.into_iter().enumerate() {
            streamed.sim.create_user(&user(number));
            let spec = AccountSpec::new(&user(number), connection, scope).with_id(&format!("cac_{number}{at}"));
            streamed.sim.connect_account(spec).expect("connected");
        }
    }
    for world in [&streamed, &direct] {
        delegations(world, start);
    }
    let mut dice = Dice(7);
    let batches = deliveries(&history, &mut dice);
    for (number, batch) in batches.iter().enumerate() {
        streamed.deliver(batch);
        if number == batches.len() / 2 {
            streamed.killed();
            // What was not acknowledged in time is delivered again.
            for again in &batches[number.saturating_sub(3)..=number] {
                streamed.deliver(again);
            }
        }
    }
    let mut recorder = recorder(&direct);
    let mut record = |deeds: &[Deed]| {
        let events: Vec<&Value> = deeds.iter().filter_map(|deed| deed.event.as_ref()).collect();
        let answer = recorder.post("/api/v1/events", &json!(events));
        assert_eq!((answer.status, &answer.json()["accepted"]), (202, &json!(events.len())), "{}", answer.text());
    };
    record(&history);
    eventually("the links", || {
        let linked = streamed.listed("/api/v1/accounts?state=linked&limit=1000", "accounts");
        (linked.len() == (USERS - USERS / 4) * CONNECTIONS.len()).then_some(())
    });

    // Ahead of the clock, as far as it may be: nothing of it is late while this test lasts.
    day.start = onesec_e2e::proofs::now();
    day.now();
    let today = day.take();
    let mut logs: Vec<Value> = today.iter().map(|deed| deed.log.clone()).collect();
    dice.shuffle(&mut logs);
    for batch in logs.chunks(7) {
        streamed.deliver(batch);
        assert_eq!(deliver(&mut streamed.nobody(), batch).json()["accepted"], 0, "it comes twice and is taken once");
    }
    record(&today);

    let (is, should) = (outcome(&streamed), outcome(&direct));
    assert_eq!(is.0, should.0, "accounts");
    assert_eq!(is.1, should.1, "delegations");
    assert_eq!(is.2, should.2, "alerts");
    let found: Vec<&str> =
        ["exchange-rate", "unauthorized-agent", "revoked-access", "scope-escalation", "tenant-change", "refresh-reuse"]
            .into_iter()
            .filter(|code| !is.2.keys().any(|about| about.contains(code)))
            .collect();
    assert!(found.is_empty(), "the day has something of everything, and not of {found:?}: {:#?}", is.2);
}
