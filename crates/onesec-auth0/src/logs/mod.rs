//! Entries of the tenant's log, as log streams and `GET /api/v2/logs` deliver them, in the words of the contract.
//!
//! What an entry may change is part of what it means: most inform, an unlink ends something at once, and a link counts only
//! once the Management API says the same. The log by itself never grants anything.

mod accounts;
mod body;
mod entry;
mod exchange;
mod governed;
mod refresh;
mod table;
mod tenant;
#[cfg(test)]
mod tests;
mod wire;

use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{Event, Rejection};

use self::entry::Entry;
use self::wire::Wire;

pub use body::log_elements;
pub use table::{log_mapping, log_types};

/// What an entry of the log is, read and in the words of the contract.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// Its type as the table has it; `other` for what the table does not know.
    pub log_type: &'static str,
    /// What it means.
    pub meaning: Meaning,
}

/// What an entry means, and how far its word goes.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "how far a word goes is matched without a rest")]
pub enum Meaning {
    /// It informs.
    Informs(Box<Event>),
    /// It ends something, at once.
    Ends(Box<Event>),
    /// It would grant something: it changes nothing until it was read back.
    Grants(Box<Event>),
    /// Nothing here.
    Ignored,
}

/// Reads one element of a delivery, or of a page. Redaction has happened when this returns.
///
/// # Errors
/// [`Rejection`] with the pointer to what is wrong, in the entry or in the event that it would be.
pub fn read_log(text: &str, catalogue: &Catalogue) -> Result<LogEntry, Rejection> {
    let entry = Entry::read(text)?;
    let code = entry.code.as_deref().unwrap_or_default();
    let Some(row) = table::find(code) else { return Ok(LogEntry { log_type: OTHER, meaning: Meaning::Ignored }) };
    let wire = match row.map {
        Some(map) => map(&entry)?,
        None => None,
    };
    let Some(wire) = wire else { return Ok(LogEntry { log_type: row.code, meaning: Meaning::Ignored }) };
    let event = Box::new(wire.decode(&entry, catalogue)?);
    let meaning = match row.word {
        table::Word::Informs => Meaning::Informs(event),
        table::Word::Ends => Meaning::Ends(event),
        table::Word::Grants => Meaning::Grants(event),
        table::Word::Nothing => Meaning::Ignored,
    };
    Ok(LogEntry { log_type: row.code, meaning })
}

/// What is not in the table.
const OTHER: &str = "other";
