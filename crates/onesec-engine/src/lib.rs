//! The pure loop: records in, alerts and verdicts out.
