//! Every bound on what comes in, named. Exceeding one has an error of its own.

/// An identifier, after normalisation.
pub const MAX_ID_BYTES: usize = 256;
/// A request body on the wire, compressed or not.
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// A request body after decompression.
pub const MAX_DECOMPRESSED_BYTES: usize = 32 * 1024 * 1024;
/// One event, as JSON text.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;
/// Events in one batch.
pub const MAX_BATCH_EVENTS: usize = 10_000;
/// Nesting of arrays and objects within one event.
pub const MAX_DEPTH: usize = 32;
/// A free-text field (content, arguments, goal…), in bytes.
pub const MAX_TEXT_BYTES: usize = 512 * 1024;
/// Members of one `details` object.
pub const MAX_FIELDS: usize = 128;
/// Name of an unknown field that is kept.
pub const MAX_FIELD_NAME_BYTES: usize = 128;
/// Scopes in one set.
pub const MAX_SCOPES: usize = 256;
/// One scope, in bytes.
pub const MAX_SCOPE_BYTES: usize = 512;
/// Elements of any other list (tools, capabilities, a chain…).
pub const MAX_LIST_ITEMS: usize = 512;
/// Hops of a delegation, hard limit.
pub const MAX_DELEGATION_DEPTH: u8 = 5;
/// What is kept of a rejected event in the dead letters, in bytes, after redaction.
pub const MAX_DEAD_LETTER_BYTES: usize = 16 * 1024;
/// Texts of one event about which the record says something.
pub const MAX_TEXT_PARTS: usize = 8;
