//! Verdicts, presets and policies: what is done about a finding. Pure.
