//! `onesec journal`: what is on disk, proved and judged anew; needs no server.

use std::path::Path;

use onesec_telemetry::{Alert, TenantId};
use serde_json::{Value, json};

use crate::core::{SharedAssemble, recompute};

use super::args::JournalAct;
use super::builtin;
use super::error::{CliError, Ended};
use super::out::{Ink, Out, clean};
use super::replay;

pub(super) fn journal(act: JournalAct, more: &SharedAssemble, out: &mut Out) -> Result<Ended, CliError> {
    match act {
        JournalAct::Verify { data_dir } => verify(&data_dir, out),
        JournalAct::Recompute { data_dir, from_snapshot, tenant } => {
            for alert in recomputed(&data_dir, &tenant, from_snapshot, more)? {
                replay::alert_line(&alert, out)?;
            }
            Ok(Ended::Well)
        }
    }
}

/// The alerts that the journal's records lead to, ordered by id.
pub(super) fn recomputed(
    dir: &Path,
    tenant: &str,
    from_snapshot: Option<u64>,
    more: &SharedAssemble,
) -> Result<Vec<Alert>, CliError> {
    let tenant =
        TenantId::new(tenant).map_err(|error| CliError::usage(format!("no tenant has such a name: {error}")))?;
    recompute(dir, &tenant, from_snapshot, &builtin::with(more))
        .map_err(|error| CliError::refused(format!("cannot recompute `{}`: {error}", dir.display())))
}

fn verify(dir: &Path, out: &mut Out) -> Result<Ended, CliError> {
    let report = onesec_journal::verify(dir)
        .map_err(|error| CliError::refused(format!("cannot verify `{}`: {error}", dir.display())))?;
    let ended = if report.is_clean() { Ended::Well } else { Ended::Negative };
    let counts = [
        ("tenants", report.tenants),
        ("blocks", report.blocks),
        ("records", report.records),
        ("transitions", report.transitions),
        ("response_steps", report.response_steps),
        ("checkpoints", report.checkpoints),
        ("snapshots", report.snapshots),
    ];
    if out.json() {
        let mut answer: serde_json::Map<String, Value> =
            counts.iter().map(|(name, count)| ((*name).to_owned(), Value::from(*count))).collect();
        let faults = report.faults.iter().map(|fault| json!({"place": fault.place, "what": fault.what}));
        answer.insert("clean".into(), report.is_clean().into());
        answer.insert("faults".into(), faults.collect());
        out.document(&Value::Object(answer))?;
        return Ok(ended);
    }
    for fault in &report.faults {
        out.line(format_args!("{} {}", Ink::Red.on("fault"), clean(&fault.to_string(), 400)))?;
    }
    let counted: Vec<String> =
        counts.iter().map(|(name, count)| format!("{count} {}", name.replace('_', " "))).collect();
    let verdict = match ended {
        Ended::Well => Ink::Green.on("is what was written"),
        Ended::Negative | Ended::Like(_) => Ink::Red.on("is NOT what was written"),
    };
    out.line(format_args!("the journal {verdict}: {}", counted.join(", ")))?;
    Ok(ended)
}
