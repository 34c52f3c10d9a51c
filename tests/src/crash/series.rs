//! One directory, and one life after the other in it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use onesec_testkit::Rng;
use serde_json::json;
use tempfile::TempDir;

use super::client::{Client, Parting};
use super::observed::{self, Unseen};
use super::{End, Plan, Report, settled};
use crate::process::{Process, Start};
use crate::receiver::{Receiver, Reply};
use crate::{fail_point, power};

/// Clients that work at a time.
const CLIENTS: usize = 2;
/// Operations of a client in one life, at most.
const OPERATIONS: u64 = 40;
/// Records between snapshots, so that a life sees some.
const SNAPSHOT_EVERY: u64 = 25;

/// Rounds in one directory.
pub struct Series {
    plan: Plan,
    seed: u64,
    rng: Rng,
    /// Held for as long as its rounds last.
    home: TempDir,
    start: Start,
    library: Option<PathBuf>,
    clients: Vec<Client>,
    receiver: Receiver,
    report: Report,
}

impl std::fmt::Debug for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Series").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Series {
    /// A fresh directory.
    ///
    /// # Panics
    /// Where the system gives none.
    #[must_use]
    pub fn new(plan: &Plan, seed: u64) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let receiver = Receiver::start(&[Reply::Status(204)]);
        let program = home.path().join("program.sh");
        let text = format!("#!/bin/sh\necho \"$ONESEC_ACTION_ID\" >> {}\n", home.path().join("ran").display());
        std::fs::write(&program, text).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
        let config = json!({
            "journal": {"snapshot_every": SNAPSHOT_EVERY},
            "enforcement": {"mode": "live", "four_eyes": "off", "policies": settled::policies(&program),
                "webhook": {"url": receiver.url("/hook"), "secret": SECRET, "allow_private": true}},
        });
        let data = home.path().join("data");
        std::fs::create_dir(&data).expect("a directory");
        let start = Start::new(&plan.program, &data).config(&config.to_string());
        let library = if plan.without_power { None } else { power::library(home.path()) };
        let clients = (0..CLIENTS).map(|number| Client::new(number, seed)).collect();
        let (rng, report) = (Rng::new(seed), Report::default());
        Self { plan: plan.clone(), seed, rng, home, start, library, clients, receiver, report }
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// Plays so many rounds, or until something is wrong.
    #[must_use]
    pub fn play(mut self, rounds: u64) -> Report {
        let mut played = Ok(());
        for round in 0..rounds {
            let end = self.choose();
            played = self.round(&end).map_err(|wrong| {
                wrong.into_iter().map(|line| format!("round {round}, {end:?}: {line}")).collect::<Vec<_>>()
            });
            self.report.rounds += 1;
            if played.is_err() {
                break;
            }
        }
        let ended = played.and_then(|()| self.settle());
        if let Err(wrong) = ended {
            let seed = self.seed;
            self.report.wrong.extend(wrong.into_iter().map(|line| format!("seed {seed}, {line}")));
        }
        self.report.acknowledged = self.clients.iter().map(|client| client.acknowledged).sum();
        self.report
    }

    fn choose(&mut self) -> End {
        if self.plan.kills {
            return End::Kill(20 + self.rng.below(280));
        }
        if self.library.is_some() && self.rng.chance(20) {
            let place = *self.rng.pick(&["write", "sync", "synced"]);
            return End::Disk(place, 1 + self.rng.below(120));
        }
        let places = fail_point::all();
        let place = *self.rng.pick(&places);
        // How often a life comes by there: rare places are awaited for a short time only.
        let within = match place.split('.').next() {
            Some("snapshot" | "outbox" | "receipt") => 5,
            Some("fsync") => 120,
            _ => 40,
        };
        End::Place(place, 1 + self.rng.below(within))
    }

    /// One life: it comes up, what stands is compared, clients work, and it ends.
    fn round(&mut self, end: &End) -> Result<(), Vec<String>> {
        let Some(mut server) = self.come_up(end)? else { return Ok(()) };
        let (url, key) = (server.url().to_owned(), server.admin_key());
        let timer = matches!(end, End::Kill(_));
        let count = if timer { usize::MAX } else { usize::try_from(OPERATIONS).unwrap_or(1) };
        let partings: Vec<Result<Parting, Vec<String>>> = std::thread::scope(|scope| {
            let at_work: Vec<_> =
                self.clients.iter_mut().map(|client| scope.spawn(|| client.work(&url, &key, count))).collect();
            if let End::Kill(after) = end {
                std::thread::sleep(Duration::from_millis(*after));
                server.kill();
            }
            at_work.into_iter().map(|client| client.join().expect("a client")).collect()
        });
        let reached = partings.iter().any(|parting| matches!(parting, Ok(Parting::CutOff)));
        if !reached {
            self.report.not_reached += 1;
        }
        server.kill();
        self.gone(end, reached)?;
        let wrong: Vec<String> = partings.into_iter().filter_map(Result::err).flatten().collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// The server comes up, and everything stands. `None` where it ended before that could be seen, as it was to.
    fn come_up(&mut self, end: &End) -> Result<Option<Process>, Vec<String>> {
        let mut start = self.start.clone();
        if let Some(library) = &self.library {
            start = start.env("LD_PRELOAD", &library.to_string_lossy());
        }
        start = match end {
            End::Place(name, time) => start.env(fail_point::VARIABLE, &format!("{name}:{time}")),
            End::Disk(place, time) => start.env("POWER_LOSS_DIE", &format!("{place}:{time}")),
            End::Kill(_) => start,
        };
        match start.try_run() {
            Ok(mut server) => match self.compare(&server) {
                Ok(()) => return Ok(Some(server)),
                Err(Unseen::Wrong(why)) => return Err(why.lines().map(str::to_owned).collect()),
                Err(Unseen::Gone) => server.kill(),
            },
            Err(_) if !matches!(end, End::Kill(_)) => {}
            Err(why) => return Err(vec![why]),
        }
        self.report.at_start += 1;
        self.gone(end, true)?;
        Ok(None)
    }

    fn compare(&mut self, server: &Process) -> Result<(), Unseen> {
        let mut found = observed::facts(&mut server.admin(), &self.data())?;
        for client in &mut self.clients {
            let owns = |name: &str| name.split(' ').nth(1).is_some_and(|of| client.owns(of));
            let own = found.iter().filter(|(name, _)| owns(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
            found.retain(|name, _| !owns(name));
            client.compare(&own).map_err(|wrong| wrong.join("\n"))?;
        }
        found.remove("key admin");
        let foreign: Vec<&String> = found.keys().collect();
        if foreign.is_empty() { Ok(()) } else { Err(Unseen::Wrong(format!("nobody asked for {foreign:?}"))) }
    }

    /// The process is gone; with it, where power failed, everything that was not synced.
    fn gone(&mut self, end: &End, reached: bool) -> Result<(), Vec<String>> {
        if reached {
            let place = match end {
                End::Place(name, _) => (*name).to_owned(),
                End::Disk(place, _) => format!("disk.{place}"),
                End::Kill(_) => "kill -9".to_owned(),
            };
            *self.report.ended.entry(place).or_default() += 1;
        }
        // A torn write is on the disk, whatever became of the rest: that is what makes it one.
        let torn = matches!(end, End::Disk("write", _));
        let after = if torn || self.rng.chance(50) { power::spare(&self.data()) } else { power::fail(&self.data()) };
        self.report.taken_back += after.map_err(|error| vec![format!("power failure: {error}")])?;
        Ok(())
    }

    /// Undisturbed at last: every action ends, and the journal proves itself.
    fn settle(&mut self) -> Result<(), Vec<String>> {
        let one = |why: String| vec![format!("at the end: {why}")];
        let mut server = self.start.try_run().map_err(one)?;
        match self.compare(&server) {
            Ok(()) => {}
            Err(Unseen::Wrong(why)) => return Err(why.lines().map(str::to_owned).collect()),
            Err(Unseen::Gone) => return Err(one("the server went by itself".to_owned())),
        }
        let ran = self.home.path().join("ran");
        let actions = settled::check(&mut server.admin(), &self.data(), (&self.receiver, &ran))?;
        self.report.actions += actions as u64;
        let live = alerts(&server).map_err(one)?;
        server.kill();
        let report = onesec_journal::verify(&self.data()).map_err(|error| one(error.to_string()))?;
        if !report.is_clean() {
            return Err(one(format!("the journal does not prove itself: {:?}", report.faults)));
        }
        let again = recomputed(&self.plan.program, &self.data()).map_err(one)?;
        if live == again {
            Ok(())
        } else {
            Err(one("alerts recomputed from records are not those of the API".to_owned()))
        }
    }
}

/// Alerts as the API gives them, in the order of their ids.
fn alerts(server: &Process) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    let (mut http, mut cursor) = (server.admin(), String::new());
    loop {
        let page = http.get(&format!("/api/v1/alerts?limit=1000{cursor}")).json();
        let alerts = page["alerts"].as_array().ok_or("no list of alerts")?;
        all.extend(alerts.iter().map(|alert| (observed::text(alert, "id"), alert.to_string())));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    all.sort_unstable();
    Ok(all.into_iter().map(|(_, alert)| alert).collect())
}

fn recomputed(program: &str, dir: &std::path::Path) -> Result<Vec<String>, String> {
    let mut command = std::process::Command::new(program);
    let output = command.args(["journal", "recompute", "--json", "--data-dir"]).arg(dir).output();
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("alerts cannot be recomputed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let values = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
    let values: Vec<serde_json::Value> = values.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    Ok(match values.as_slice() {
        [serde_json::Value::Array(list)] => list.iter().map(ToString::to_string).collect(),
        lines => lines.iter().map(ToString::to_string).collect(),
    })
}

const SECRET: &str = "whsec_dGhpcnR5LXR3byBieXRlcywgYW5kIG5vIHNlY3JldC4=";
