//! `onesec demo`: a simulated tenant, honest agents, attacks, told from what the API says.
//!
//! Everything runs on loopback, over real HTTP, with real signatures and a real journal. Nothing of the story is taken
//! from the plan: tokens, refusals, alerts and reasons are read back from the server.

mod attacks;
mod honest;
mod plots;
mod stage;
mod story;

use std::path::PathBuf;

use serde_json::json;

use crate::cli::error::{CliError, Ended};
use crate::cli::out::{Ink, Out};
use crate::core::SharedAssemble;
use attacks::{ATTACKS, Met};
use honest::Tally;
use stage::Stage;
use story::Story;

/// What the demo is told.
pub(crate) struct DemoOptions {
    /// Leave the server running.
    pub(crate) serve: bool,
    /// Detectors that are switched off.
    pub(crate) disabled: Vec<String>,
    /// Where the data goes; a directory that is removed afterwards where absent.
    pub(crate) data_dir: Option<PathBuf>,
    /// A stranger's detectors.
    pub(crate) more: SharedAssemble,
}

/// Plays the demo. The answer is negative where an attack was not met or an honest call was refused.
pub(crate) async fn run(options: DemoOptions, out: &mut Out) -> Result<Ended, CliError> {
    let serve = options.serve;
    let stage = Stage::build(options).await?;
    let played = tokio::select! {
        played = play(&stage, out) => played,
        _ = tokio::signal::ctrl_c() => Err(CliError::refused("interrupted")),
    };
    if serve && played.is_ok() {
        story::still_running(&stage, out)?;
        stage.serve().await;
    } else {
        stage.strike().await;
    }
    played
}

async fn play(stage: &Stage, out: &mut Out) -> Result<Ended, CliError> {
    let mut story = Story::new(out);
    story.setting(stage).await?;
    let mut honest = Tally::default();

    story.chapter("Honest work", "each agent does what its user lent it the account for")?;
    for report in honest::work(stage, honest::ALL).await? {
        story.honest(&report)?;
        honest.add(&report);
    }

    story.chapter("Attacks, in dry run", "everything is judged and told; only what users decided is enforced")?;
    let mut met: Vec<Met> = Vec::new();
    for (number, attack) in ATTACKS.iter().enumerate() {
        let watched = attack.play(stage, attacks::Act::DryRun).await?;
        story.watched(number + 1, attack, &watched)?;
        met.push(Met::in_dry_run(attack, watched));
    }

    stage.go_live().await?;
    story.chapter("The same attacks, live", "one call, `PUT /api/v1/enforcement/mode`, and the verdicts apply")?;
    for (number, (attack, met)) in ATTACKS.iter().zip(&mut met).enumerate() {
        let stopped = attack.play(stage, attacks::Act::Live).await?;
        story.stopped(number + 1, attack, &stopped)?;
        met.then_live(attack, stopped);
    }
    for report in honest::work(stage, honest::STILL_LENT).await? {
        story.honest(&report)?;
        honest.add(&report);
    }
    finish(&mut story, &met, honest)
}

fn finish(story: &mut Story<'_>, met: &[Met], honest: Tally) -> Result<Ended, CliError> {
    story.summary(met, honest)?;
    let passed = honest.all_passed() && met.iter().all(Met::is_met);
    if story.json() {
        let attacks: Vec<_> = met.iter().map(Met::to_json).collect();
        story.document(&json!({
            "passed": passed,
            "attacks": attacks,
            "honest": {"passed": honest.passed, "total": honest.total},
        }))?;
    } else {
        let verdict = if passed {
            Ink::Green.on("Every attack was met, and nobody honest was in the way.")
        } else {
            Ink::Red.on("The demo failed: see what was not met above.")
        };
        story.line(verdict)?;
        story.line(Ink::Dim.on(
            "Look around: `onesec demo --serve`, then `onesec alerts`, `onesec explain`. The real thing: `onesec up`.",
        ))?;
    }
    Ok(if passed { Ended::Well } else { Ended::Negative })
}

#[cfg(test)]
mod tests;
