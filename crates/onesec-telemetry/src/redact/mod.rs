//! Redaction: what decoding ends with.
