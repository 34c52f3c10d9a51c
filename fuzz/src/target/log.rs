//! Entries of Auth0's log: whatever comes, nothing panics, no secret is kept, and wrapped or not it is the same entry.

use onesec_auth0::{LogEntry, Meaning, log_elements, log_types, read_log};
use onesec_telemetry::Event;
use onesec_telemetry::catalogue::Catalogue;
use serde_json::{Value, json};

use super::secrets::{assert_gone, planted};
use crate::trace::Trace;

const LOGS: &str = include_str!("../../corpus/logs.ndjson");

/// Deliveries: each entry alone, and all of them in every format.
pub(super) fn corpus() -> Vec<Vec<u8>> {
    let lines: Vec<&str> = LOGS.lines().collect();
    let array = format!("[{}]", lines.join(","));
    let more = [LOGS.to_owned(), format!("{{\"logs\":{array}}}"), array];
    lines.into_iter().map(str::to_owned).chain(more).map(String::into_bytes).collect()
}

/// One delivery.
pub(super) fn run(input: &[u8], trace: &mut Trace) {
    let elements = match log_elements(input) {
        Ok(elements) => elements,
        Err(error) => return trace.saw(format!("{error:?}").split_whitespace().next().unwrap_or_default()),
    };
    trace.sized("elements", elements.len());
    for element in elements {
        let secrets = planted(element);
        let read = read_log(element, Catalogue::builtin());
        match &read {
            Err(why) => {
                trace.saw(&format!("{:?}", why.code));
                assert_gone(&secrets, &why.to_string(), "a refusal");
            }
            Ok(LogEntry { log_type, meaning }) => {
                trace.saw(log_type);
                assert!(*log_type == "other" || log_types().any(|known| known == *log_type));
                let Some(event) = event_of(meaning) else { continue };
                assert_gone(&secrets, &format!("{event:?}"), "an event");
                trace.saw(&event.kind_name());
            }
        }
        alike(element, &read);
    }
}

fn event_of(meaning: &Meaning) -> Option<&Event> {
    match meaning {
        Meaning::Informs(event) | Meaning::Ends(event) | Meaning::Grants(event) => Some(event),
        Meaning::Ignored => None,
    }
}

/// A page has an entry bare, a stream has it wrapped.
fn alike(element: &str, read: &Result<LogEntry, onesec_telemetry::Rejection>) {
    let Ok(Value::Object(bare)) = serde_json::from_str::<Value>(element) else { return };
    let Ok(read) = read else { return };
    if bare.contains_key("data") {
        return;
    }
    let wrapped = read_log(&json!({"data": bare}).to_string(), Catalogue::builtin());
    assert_eq!(wrapped.as_ref(), Ok(read), "bare and wrapped: {element}");
}
