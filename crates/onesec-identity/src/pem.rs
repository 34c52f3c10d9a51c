//! Keys as text (RFC 7468): one block, one label, canonical base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A key is never longer: RSA with 8192 bits has less than 7 KiB.
const MAX_PEM_BYTES: usize = 16 * 1024;
const LINE_CHARS: usize = 64;

/// The bytes of the only block in `text`, which must have this label. Text before and after is allowed
/// (RFC 7468, section 2), a second block is not: nobody could say which one is meant.
pub(crate) fn decode(text: &str, label: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_PEM_BYTES || text.matches("-----BEGIN ").count() != 1 {
        return None;
    }
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let mut base64 = String::with_capacity(body.len());
    base64.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    STANDARD.decode(base64).ok()
}

/// Writes `der` as one block, 64 characters a line.
pub(crate) fn encode(der: &[u8], label: &str) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = String::with_capacity(base64.len() + base64.len() / LINE_CHARS + 2 * label.len() + 40);
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    for (at, c) in base64.chars().enumerate() {
        if at > 0 && at % LINE_CHARS == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}
