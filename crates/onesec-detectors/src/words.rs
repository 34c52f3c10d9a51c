//! Words for people, and what texts are looked through for.

use onesec_telemetry::TextSignals;

/// A name as it may stand in a sentence: no control characters, not too long.
pub(crate) fn plain(text: &str) -> String {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    if shown.len() < text.len() && text.chars().count() > 80 { format!("{shown}…") } else { shown }
}

/// Signals as a list of names.
pub(crate) fn signals_list(signals: TextSignals) -> Vec<String> {
    signals.iter().map(|signal| signal.as_str().to_owned()).collect()
}

/// The first of `needles` that `text` contains, upper and lower case alike. Needles are lower case.
pub(crate) fn first_in<'n>(text: &str, needles: &[&'n str]) -> Option<&'n str> {
    let lower = text.to_lowercase();
    needles.iter().copied().find(|needle| lower.contains(needle))
}

/// A text in one spelling: lower case, white space as single spaces, quotes and carets that shells ignore left out.
pub(crate) fn one_spelling(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = false;
    for c in text.chars() {
        match c {
            '\'' | '"' | '^' | '`' | '\\' => {}
            c if c.is_whitespace() => space = !out.is_empty(),
            c => {
                if std::mem::take(&mut space) {
                    out.push(' ');
                }
                out.extend(c.to_lowercase());
            }
        }
    }
    out
}
