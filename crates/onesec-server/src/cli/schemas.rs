//! `onesec schemas`: the kinds of events, from the types themselves; needs no server.

use onesec_telemetry::event::event_schemas;
use onesec_telemetry::suggest::did_you_mean;
use serde_json::Value;

use super::args::SchemasArgs;
use super::error::{CliError, Ended};
use super::out::{Ink, Out, clean};
use super::table::{self, Column, field, rows_of};

const COLUMNS: &[Column] = &[
    ("KIND", &["/type"]),
    ("CATEGORY", &["/category"]),
    ("NEEDS", &["/required_keys"]),
    ("WHAT IT SAYS", &["/description"]),
];

pub(super) fn schemas(args: &SchemasArgs, out: &mut Out) -> Result<Ended, CliError> {
    let all = event_schemas(None);
    let Some(kind) = &args.kind else {
        table::list(out, &all, "schemas", COLUMNS)?;
        return Ok(Ended::Well);
    };
    let rows = rows_of(&all, "schemas");
    let name = |row: &Value| row.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let wanted = if kind.starts_with("custom.") { "custom.<name>" } else { kind };
    let Some(schema) = rows.iter().find(|row| name(row) == wanted) else {
        let names: Vec<String> = rows.iter().map(|row| name(row)).collect();
        let hint = did_you_mean(kind, names.iter().map(String::as_str)).map(|like| format!(", did you mean `{like}`?"));
        return Err(CliError::usage(format!("no kind `{}`{}", clean(kind, 80), hint.unwrap_or_default())));
    };
    if out.json() {
        out.document(schema)?;
        return Ok(Ended::Well);
    }
    out.line(format_args!("{}  {}", Ink::Bold.on(wanted), field(schema, &["/description"])))?;
    out.line(format_args!("  needs     {}", field(schema, &["/required_keys"])))?;
    out.line(format_args!("  may have  {}", field(schema, &["/optional_keys"])))?;
    if schema.get("changes_trust") == Some(&Value::Bool(true)) {
        out.line("  counts only from a sender with `events:trust`, or with an attestation that verifies")?;
    }
    out.line(Ink::Dim.on("  its JSON Schema: --json"))?;
    Ok(Ended::Well)
}
