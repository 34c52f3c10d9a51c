//! Errors for people: what went wrong, and why.

use std::error::Error;

/// The error and what caused it, from the outside in; what the outer one has said already is not said twice.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_said_once() {
        let inner = std::io::Error::other("no room");
        let middle = onesec_journal::JournalError::Io { what: "write `journal.key`", source: inner };
        assert_eq!(with_causes(&middle), "cannot write `journal.key`: no room");
        let outer = crate::server::StartError::Core(crate::core::StartError::Journal(middle));
        assert_eq!(with_causes(&outer), "cannot write `journal.key`: no room", "wrapped without a word of its own");
    }
}
