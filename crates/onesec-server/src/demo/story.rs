//! The story as it is told: short lines, each from what the server said.

use std::fmt;

use serde_json::Value;

use super::attacks::{Attack, Met, Said};
use super::honest::{Report, Tally};
use super::stage::Stage;
use crate::cli::client::Query;
use crate::cli::error::CliError;
use crate::cli::out::{Ink, Out, clean};
use crate::cli::table::{self, field, rows_of};

/// Longest reason that is quoted, in characters.
const MAX_REASON: usize = 84;

/// Who tells.
pub(super) struct Story<'a> {
    out: &'a mut Out,
}

impl<'a> Story<'a> {
    pub(super) fn new(out: &'a mut Out) -> Self {
        Self { out }
    }

    pub(super) fn json(&self) -> bool {
        self.out.json()
    }

    pub(super) fn document(&mut self, value: &Value) -> Result<(), CliError> {
        Ok(self.out.document(value)?)
    }

    /// A line for people; with `--json` there are none.
    pub(super) fn line(&mut self, text: impl fmt::Display) -> Result<(), CliError> {
        if self.out.json() { Ok(()) } else { Ok(self.out.line(text)?) }
    }

    pub(super) fn chapter(&mut self, title: &str, what: &str) -> Result<(), CliError> {
        self.line(format_args!("\n{}{}", Ink::Bold.on(title), Ink::Dim.on(format_args!(": {what}"))))
    }

    /// Who lent what to whom, as the server has it.
    pub(super) async fn setting(&mut self, stage: &Stage) -> Result<(), CliError> {
        self.line(format_args!(
            "{} stands between AI agents and the accounts people lend them. All of this happens on this machine:",
            Ink::Bold.on("onesec")
        ))?;
        self.line("a simulated Auth0 tenant with Token Vault, an onesec server in front of it, agents, attackers.")?;
        self.chapter("Who lends what to whom", "onesec holds every agent to it")?;
        let answer = stage.admin.get("/api/v1/delegations", &Query::default()).await?;
        let mut rows = rows_of(&answer, "delegations");
        rows.sort_by_key(|row| row.get("created_at").map(ToString::to_string));
        for row in rows {
            let get = |pointers| short(&field(row, pointers));
            self.line(format_args!(
                "  {:<6}lends {:<16} {} ({})",
                get(&["/user_id"]),
                get(&["/agent_id"]),
                get(&["/connection"]),
                get(&["/scopes"]),
            ))?;
        }
        Ok(())
    }

    pub(super) fn honest(&mut self, report: &Report) -> Result<(), CliError> {
        let Report { ask, passed, total, .. } = report;
        let (mark, what) = match &report.refusal {
            None => {
                (Ink::Green.on("✓"), format!("a token for {}, good for {} s", short(&report.scopes), report.expires_in))
            }
            Some(refusal) => (Ink::Red.on("✗"), clean(refusal, MAX_REASON)),
        };
        let whose = format!("{}'s {}", short(ask.user), ask.connection);
        self.line(format_args!("  {mark} {:<16} {whose:<22} {passed} of {total} passed: {what}", ask.agent))
    }

    /// An attack in dry run: what was tried, what happened, what would happen, who noticed and why.
    pub(super) fn watched(&mut self, number: usize, attack: &Attack, said: &Said) -> Result<(), CliError> {
        self.line(format_args!("  {number} {}: {}", Ink::Bold.on(attack.name), attack.tried))?;
        let happened = match (said.refusable, said.released, said.refused) {
            (false, ..) => "reported to onesec; there is no request to refuse".to_owned(),
            (_, 1, 0) if said.act => "now: allowed".to_owned(),
            (_, 1, 0) => "now: token released".to_owned(),
            (_, released, 0) => format!("now: {released} tokens released"),
            (_, 0, _) => "now: refused even in dry run: it was the user's own decision".to_owned(),
            (_, released, refused) => format!("now: {released} released, {refused} refused"),
        };
        let would = said.would.as_ref().map(|would| format!(" · live mode: {}", Ink::Cyan.on(verdict_in_words(would))));
        self.line(format_args!("      {happened}{}", would.unwrap_or_default()))?;
        match &said.alert {
            Some(alert) => self.line(format_args!("      {}", noticed(alert))),
            None => self.line(format_args!("      {}", Ink::Red.on("nobody noticed"))),
        }
    }

    /// The same attack, live.
    pub(super) fn stopped(&mut self, number: usize, attack: &Attack, said: &Said) -> Result<(), CliError> {
        let name = format!("{:<25}", attack.name);
        let what = match (said.refusable, said.released, said.refused) {
            (false, ..) => match &said.alert {
                Some(alert) => format!("alert {}", noticed(alert)),
                None => Ink::Red.on("nobody noticed"),
            },
            (_, _, 0) if said.act => Ink::Red.on("allowed"),
            (_, _, 0) => Ink::Red.on("token released"),
            (_, released, refused) => {
                let counts = if released + refused > 1 {
                    format!("{refused} of {} ", released + refused)
                } else {
                    String::new()
                };
                let retry = said.retry_after.map(|seconds| format!(" (retry in {seconds} s)")).unwrap_or_default();
                let why = clean(&short(&said.description), MAX_REASON);
                format!("{} {}: {why}{retry}", Ink::Green.on(format_args!("{counts}{}", said.outcome())), said.reason)
            }
        };
        self.line(format_args!("  {number} {name} {what}"))
    }

    pub(super) fn summary(&mut self, met: &[Met], honest: Tally) -> Result<(), CliError> {
        self.chapter("Summary", "what was expected, and what the server said")?;
        let rows: Vec<Vec<String>> = met.iter().map(row).collect();
        let terminal = self.out.is_terminal();
        self.line(table::plain(terminal, &["ATTACK", "DETECTOR", "DRY RUN", "LIVE", ""], &rows))?;
        let calls = format!("honest calls: {} of {} passed, none may be refused", honest.passed, honest.total);
        self.line(format_args!(" {calls}"))?;
        for met in met.iter().filter(|met| !met.is_met()) {
            self.line(Ink::Red.on(format_args!(" NOT MET: {}: {}", met.name, met.missing.join("; "))))?;
        }
        Ok(())
    }
}

/// Where to look around.
pub(super) fn still_running(stage: &Stage, out: &mut Out) -> Result<(), CliError> {
    if out.json() {
        out.line(serde_json::json!({"url": stage.url(), "admin_key_file": stage.key_file()}))?;
        return Ok(());
    }
    out.line(format_args!("\nlistening on {}", stage.url()))?;
    out.line(format_args!("admin key in {}", stage.key_file().display()))?;
    let key = format!("ONESEC_URL={} ONESEC_API_KEY=$(cat {})", stage.url(), stage.key_file().display());
    out.line(format_args!("look around: {key} onesec alerts"))?;
    Ok(out.line("stop it with Ctrl-C")?)
}

fn noticed(alert: &Value) -> String {
    let get = |pointer| field(alert, &[pointer]);
    let severity = get("/severity");
    let reason = clean(&short(&get("/description")), MAX_REASON);
    format!("{} {}: {reason}", get("/detector"), Ink::of_severity(&severity).on(&severity))
}

fn row(met: &Met) -> Vec<String> {
    let dry = match (&met.watched.alert, met.watched.refused) {
        (None, _) => "no alert".to_owned(),
        (Some(alert), 0) => format!("alert {}", field(alert, &["/severity"])),
        (Some(alert), _) => format!("alert {}, refused", field(alert, &["/severity"])),
    };
    let live = match (met.stopped.refusable, met.stopped.refused, met.stopped.alert.is_some()) {
        (true, 0, _) => "passed".to_owned(),
        (true, refused, _) => match met.stopped.released {
            0 => met.stopped.outcome().to_owned(),
            released => format!("{refused} of {} refused", refused + released),
        },
        (false, _, true) => "alert, nothing to refuse".to_owned(),
        (false, _, false) => "no alert".to_owned(),
    };
    let verdict = if met.is_met() { "met" } else { "NOT MET" };
    vec![met.name.to_owned(), met.detector(), dry, live, verdict.to_owned()]
}

fn verdict_in_words(verdict: &str) -> &str {
    match verdict {
        "allow" => "would let it pass",
        "deny" => "would refuse it",
        "rate_limit" => "would refuse it until the rate falls",
        "hold" => "would hold it for a person",
        "withhold" => "would keep the token back",
        other => other,
    }
}

/// Names as people say them: users without their provider's prefix, scopes without their URL.
fn short(text: &str) -> String {
    text.replace("https://www.googleapis.com/auth/", "").replace("auth0|", "")
}
