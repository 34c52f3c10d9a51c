//! `onesec replay --policy`: what policies would have done, and how two of them differ.

use std::collections::BTreeMap;
use std::path::Path;

use onesec_engine::EnforcementSettings;
use onesec_telemetry::Mode;
use serde_json::{Value, json};

use crate::cli::error::{CliError, Ended};
use crate::cli::out::{Ink, Out, clean};
use crate::config::Config;
use crate::core::Trial;

/// The enforcement that a file describes, live.
pub(super) fn enforcement(file: &Path) -> Result<EnforcementSettings, CliError> {
    let shown = file.display();
    let text =
        std::fs::read_to_string(file).map_err(|error| CliError::usage(format!("cannot read `{shown}`: {error}")))?;
    let config = Config::from_yaml(&text, &|_| None).map_err(|error| CliError::usage(format!("`{shown}`: {error}")))?;
    Ok(EnforcementSettings { mode: Mode::Live, ..config.settings.enforcement })
}

pub(super) fn report(trial: &Trial, out: &mut Out) -> Result<Ended, CliError> {
    if out.json() {
        out.document(&document(trial))?;
        return Ok(Ended::Well);
    }
    out.line(format_args!("{} of {} requests would not have passed", trial.refused, trial.requests))?;
    for ([policy, action, target, how], count) in &trial.actions {
        let text = format!("{count} × {action} on {target}: {how} ({policy})");
        out.line(format_args!("  {}", clean(&text, 200)))?;
    }
    for ((agent, detector), count) in &trial.cut_off {
        out.line(format_args!("  {count} × {} refused: {detector}", clean(agent, 80)))?;
    }
    for [at, agent, user, connection, verdict, why] in trial.calls.iter().take(SHOWN) {
        let text = format!("{at} {verdict} {agent} for {user} at {connection}: {why}");
        out.line(Ink::Dim.on(format_args!("  {}", clean(&text, 300))))?;
    }
    if trial.calls.len() > SHOWN {
        out.line(format_args!("  … and {} more calls, with --json", trial.refused - SHOWN as u64))?;
    }
    Ok(Ended::Well)
}

fn document(trial: &Trial) -> Value {
    let actions: Vec<Value> = trial
        .actions
        .iter()
        .map(|([policy, action, target, how], count)| {
            json!({"policy": policy, "action": action, "target": target, "how": how, "count": count})
        })
        .collect();
    let cut_off: Vec<Value> = trial
        .cut_off
        .iter()
        .map(|((agent, detector), count)| json!({"agent_id": agent, "detector": detector, "requests": count}))
        .collect();
    let calls: Vec<Value> = trial
        .calls
        .iter()
        .map(|[at, agent, user, connection, verdict, why]| {
            json!({
                "at": at, "agent_id": agent, "user_id": user, "connection": connection, "verdict": verdict,
                "reason": why,
            })
        })
        .collect();
    json!({
        "requests": trial.requests, "refused": trial.refused, "actions": actions, "cut_off": cut_off, "calls": calls,
    })
}

/// What one would have done and the other not, line by line: `-` the first, `+` the second.
pub(super) fn difference((one, other): (&Trial, &Trial), out: &mut Out) -> Result<Ended, CliError> {
    let (before, after) = (lines(one), lines(other));
    let mut changes = Vec::new();
    for (text, count) in &before {
        match after.get(text) {
            Some(same) if same == count => {}
            Some(now) => changes.push(format!("~ {text}: {count} → {now}")),
            None => changes.push(format!("- {text}: {count}")),
        }
    }
    changes.extend(
        after.iter().filter(|(text, _)| !before.contains_key(*text)).map(|(text, count)| format!("+ {text}: {count}")),
    );
    if out.json() {
        out.document(&json!({"before": document(one), "after": document(other), "changes": changes}))?;
    } else if changes.is_empty() {
        out.line("both would have done the same")?;
    } else {
        for change in &changes {
            out.line(clean(change, 300))?;
        }
    }
    Ok(if changes.is_empty() { Ended::Well } else { Ended::Negative })
}

fn lines(trial: &Trial) -> BTreeMap<String, u64> {
    let actions = trial.actions.iter();
    let mut lines: BTreeMap<String, u64> = actions
        .map(|([policy, action, target, how], count)| (format!("{action} on {target}, {how} ({policy})"), *count))
        .collect();
    for ((agent, detector), count) in &trial.cut_off {
        lines.insert(format!("{agent} refused by {detector}"), *count);
    }
    lines
}

/// Calls that are shown one by one.
const SHOWN: usize = 20;
