//! Tables: rows of cleaned, bounded cells.

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};
use serde_json::Value;

use super::out::{Out, clean};

/// Longest cell, in characters: enough for an id, not for an essay.
const MAX_CELL: usize = 160;

/// A column: its heading, and the JSON pointers whose first value is shown.
pub(crate) type Column = (&'static str, &'static [&'static str]);

/// Prints `rows` as a table, or as JSON documents: the whole `answer` as it came.
pub(crate) fn list(out: &mut Out, answer: &Value, name: &str, columns: &[Column]) -> std::io::Result<()> {
    if out.json() {
        return out.document(answer);
    }
    let rows = rows_of(answer, name);
    if rows.is_empty() {
        return out.line(format_args!("no {}", name.replace('_', " ")));
    }
    let table = render(out.is_terminal(), columns, &rows);
    out.line(table)?;
    match answer.get("next").and_then(Value::as_str) {
        Some(_) => out.line("(there are more: raise --limit, or narrow the list)"),
        None => Ok(()),
    }
}

/// The members of a list answer.
pub(crate) fn rows_of<'a>(answer: &'a Value, name: &str) -> Vec<&'a Value> {
    let list = answer.get(name).unwrap_or(answer);
    list.as_array().map(|rows| rows.iter().collect()).unwrap_or_default()
}

fn render(terminal: bool, columns: &[Column], rows: &[&Value]) -> String {
    let mut table = fresh(terminal);
    table.set_header(columns.iter().map(|(heading, _)| Cell::new(heading).add_attribute(Attribute::Bold)));
    for row in rows {
        table.add_row(columns.iter().map(|(_, pointers)| cell(&field(row, pointers))));
    }
    for (index, (heading, _)) in columns.iter().enumerate() {
        // Ids are there to be copied: they stay in one piece.
        if let ("ID", Some(column)) = (*heading, table.column_mut(index)) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.trim_fmt()
}

/// A table from texts that are already ours.
pub(crate) fn plain(terminal: bool, headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = fresh(terminal);
    table.set_header(headings.iter().map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
    for row in rows {
        table.add_row(row.iter().map(|text| cell(&clean(text, MAX_CELL))));
    }
    table.trim_fmt()
}

fn fresh(terminal: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if terminal {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        // Pipes want one line a row, whatever its length.
        table.set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
    }
    table
}

fn cell(text: &str) -> Cell {
    let cell = Cell::new(text);
    match text {
        "CRITICAL" | "HIGH" | "suspended" | "NOT MET" | "refused" | "failed" => cell.fg(Color::Red),
        "MEDIUM" | "dormant" | "accepted" | "not_possible" => cell.fg(Color::Yellow),
        "met" | "live" | "linked" | "active" | "confirmed" => cell.fg(Color::Green),
        _ => cell,
    }
}

/// The first of `pointers` that says something, as one line of clean text.
pub(crate) fn field(row: &Value, pointers: &[&str]) -> String {
    pointers.iter().find_map(|pointer| row.pointer(pointer).and_then(one_line)).unwrap_or_default()
}

/// A JSON value in one line of clean text; `null` and nothing are nothing.
pub(crate) fn one_line(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => clean(&shorter_time(text), MAX_CELL),
        Value::Array(list) => {
            let parts: Vec<String> = list.iter().filter_map(one_line).collect();
            clean(&parts.join(" "), MAX_CELL)
        }
        Value::Object(_) => clean(&value.to_string(), MAX_CELL),
        Value::Number(number) if number.is_f64() => format!("{:.2}", number.as_f64().unwrap_or_default()),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    Some(text).filter(|text| !text.is_empty())
}

/// `2026-01-31T12:00:00.000000Z` without its microseconds.
fn shorter_time(text: &str) -> std::borrow::Cow<'_, str> {
    match text.split_once('.') {
        Some((seconds, fraction))
            if seconds.len() == 19 && fraction.len() == 7 && text.contains('T') && text.ends_with('Z') =>
        {
            format!("{seconds}Z").into()
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_clean_bounded_and_one_row_is_one_line() {
        let rows = json!([{"id": "a\u{1b}[31m\nb", "scopes": ["x", "y"], "at": "2026-01-31T12:00:00.123456Z", "n": null},
            {"id": "long".repeat(100), "scopes": [], "at": "soon", "n": 7}]);
        let columns: &[Column] = &[("ID", &["/id"]), ("SCOPES", &["/scopes"]), ("AT", &["/at"]), ("N", &["/m", "/n"])];
        let table = render(false, columns, &rows_of(&rows, "things"));
        assert_eq!(table.lines().count(), 3, "{table}");
        assert!(table.contains("a\\u{1b}[31m\\u{a}b"), "{table}");
        assert!(table.contains("x y") && table.contains("2026-01-31T12:00:00Z"), "{table}");
        assert!(table.lines().all(|line| line.chars().count() < 250), "{table}");
        assert!(!table.contains('\u{1b}'), "{table}");
    }
}
