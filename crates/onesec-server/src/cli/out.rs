//! Where answers are written: colours on a terminal only, and nothing that could steer the terminal.

use std::fmt;
use std::io::{self, Write};

use anstream::AutoStream;
use serde_json::Value;

/// Standard output, or a buffer in tests.
pub(crate) struct Out {
    to: Box<dyn Write + Send>,
    json: bool,
    terminal: bool,
}

impl Out {
    /// Standard output.
    pub(crate) fn stdout(json: bool) -> Self {
        let stream = AutoStream::auto(io::stdout());
        let terminal = stream.is_terminal();
        Self { to: Box::new(stream), json, terminal }
    }

    /// A buffer that a test can look into.
    #[cfg(test)]
    pub(crate) fn buffer(json: bool) -> (Self, Buffer) {
        let buffer = Buffer::default();
        (Self { to: Box::new(buffer.clone()), json, terminal: false }, buffer)
    }

    /// Whether JSON is wanted.
    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    /// Whether a person is reading along.
    pub(crate) const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// One line. The caller has [`clean`]ed what others wrote.
    pub(crate) fn line(&mut self, text: impl fmt::Display) -> io::Result<()> {
        writeln!(self.to, "{text}")?;
        self.to.flush()
    }

    /// A document for people and `jq`: indented.
    pub(crate) fn document(&mut self, value: &Value) -> io::Result<()> {
        self.line(format_args!("{value:#}"))
    }

    /// Text as it is, such as a completion script.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.to.flush()
    }
}

/// What was written, for a test.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct Buffer(std::sync::Arc<parking_lot::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Buffer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).expect("text")
    }
}

#[cfg(test)]
impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line on standard error: hints and failures, never an answer.
pub(crate) fn complain(text: impl fmt::Display) {
    // Who closed standard error does not want to hear of it.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// `text` without anything that could steer a terminal or mislead the eye: control characters and those that change the
/// direction of writing or are invisible are shown as their code, and what is longer than `longest` characters is cut.
pub(crate) fn clean(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == longest {
            shown.push('…');
            break;
        }
        if c.is_control() || misleads(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn misleads(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A style of text; terminals see it, pipes do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Bold,
    Dim,
    Red,
    Yellow,
    Green,
    Cyan,
}

impl Ink {
    /// `text` in this style.
    pub(crate) fn on(self, text: impl fmt::Display) -> String {
        let code = match self {
            Self::Bold => 1,
            Self::Dim => 2,
            Self::Red => 31,
            Self::Yellow => 33,
            Self::Green => 32,
            Self::Cyan => 36,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// The style of a severity.
    pub(crate) fn of_severity(severity: &str) -> Self {
        match severity {
            "CRITICAL" | "HIGH" => Self::Red,
            "MEDIUM" => Self::Yellow,
            _ => Self::Dim,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_cannot_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\r\n\tc\u{7}", 80), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{9}c\\u{7}");
        assert_eq!(clean("pay\u{202e}lap\u{200b}", 80), "pay\\u{202e}lap\\u{200b}");
        assert_eq!(clean("\u{9b}31m", 80), "\\u{9b}31m");
        assert_eq!(clean("Zoë 東京 🙂", 80), "Zoë 東京 🙂");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(clean("abcdef", 3), "abc…");
        assert_eq!(clean("abc", 3), "abc");
    }
}
