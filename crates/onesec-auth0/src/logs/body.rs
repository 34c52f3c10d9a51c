//! A delivery of a log stream, taken apart: `JSONLINES`, `JSONARRAY`, `JSONOBJECT`, or a page of the Management API.

use onesec_telemetry::BodyError;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The elements of a delivery, each as it stands. One that is no JSON spoils no other where each stands on a line of its own.
///
/// # Errors
/// [`BodyError`] where there is nothing to take apart; a delivery that was cut off on the way is one.
pub fn log_elements(body: &[u8]) -> Result<Vec<&str>, BodyError> {
    let text = std::str::from_utf8(body).map_err(|_| BodyError::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    if text.is_empty() {
        return Err(BodyError::Empty);
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(whole) => elements_of(whole.get()),
        Err(error) if text.starts_with('[') => Err(not_json(&error)),
        Err(error) => lines(text).ok_or_else(|| not_json(&error)),
    }
}

fn elements_of(whole: &str) -> Result<Vec<&str>, BodyError> {
    #[derive(Deserialize)]
    struct Logs<'a> {
        #[serde(borrow)]
        logs: Vec<&'a RawValue>,
    }
    if whole.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(whole).map_err(|error| not_json(&error))?;
        return Ok(items.into_iter().map(RawValue::get).collect());
    }
    match serde_json::from_str::<Logs<'_>>(whole) {
        Ok(wrapped) => Ok(wrapped.logs.into_iter().map(RawValue::get).collect()),
        Err(_) if whole.starts_with('{') => Ok(vec![whole]),
        Err(error) => Err(not_json(&error)),
    }
}

/// Lines of which at least the first is a document of its own.
fn lines(text: &str) -> Option<Vec<&str>> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let first = lines.first()?;
    let several = lines.len() > 1 && lines.iter().any(|line| serde_json::from_str::<&RawValue>(line).is_ok());
    (several && first.starts_with('{')).then_some(lines)
}

fn not_json(error: &serde_json::Error) -> BodyError {
    BodyError::NotJson { line: error.line(), column: error.column() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_of_a_stream_has_the_same_elements() {
        let element = r#"{"log_id":"1","data":{"type":"s"}}"#;
        let flat = r#"{"_id":"1","type":"s"}"#;
        for (body, want) in [
            (format!("{element}\n{element}\r\n\n"), vec![element, element]),
            (format!("[{element},{element}]"), vec![element, element]),
            (format!("{{\"logs\":[{element}]}}"), vec![element]),
            (format!("\u{feff}[{flat}]"), vec![flat]),
            (element.to_owned(), vec![element]),
            (flat.to_owned(), vec![flat]),
            ("[]".to_owned(), vec![]),
        ] {
            assert_eq!(log_elements(body.as_bytes()), Ok(want), "{body}");
        }
    }

    #[test]
    fn a_line_that_is_no_json_is_an_element_all_the_same() {
        let body = "{\"log_id\":\"1\"}\n{\"log_id\":\n{\"log_id\":\"3\"}";
        assert_eq!(log_elements(body.as_bytes()).map(|elements| elements.len()), Ok(3));
    }

    #[test]
    fn what_was_cut_off_is_nothing() {
        for body in
            ["", " \n", "[{\"log_id\":\"1\"},", "{\"logs\":[{\"log_id\"", "nonsense", "17", "{\"log_id\":", "\"x\""]
        {
            assert!(log_elements(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(log_elements(&[0xff, 0xfe]), Err(BodyError::NotUtf8));
    }
}
