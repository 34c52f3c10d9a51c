//! Policies: what is read is shown, without secrets, and read back as the same.

use onesec_enforcement::Policy;
use serde_json::Value;

use super::secrets::{assert_gone, planted};
use crate::trace::Trace;

const POLICIES: &str = include_str!("../../corpus/policies.ndjson");

/// Lists of policies, one a line.
pub(super) fn corpus() -> Vec<Vec<u8>> {
    POLICIES.lines().map(|line| line.as_bytes().to_vec()).collect()
}

/// A list is read as a whole or not at all, a refusal names no secret, and what is shown is read back as the same.
pub(super) fn run(input: &[u8], trace: &mut Trace) {
    let Ok(list) = serde_json::from_slice::<Value>(input) else { return trace.saw("no JSON") };
    let text = std::str::from_utf8(input).expect("JSON is UTF-8");
    let secrets = planted(text);
    let hook = serde_json::json!({"webhook": {"url": "https://hooks.example/in"}});
    let hook = hook.get("webhook");
    for hook in [None, hook] {
        match Policy::read_all(&list, "policies", hook) {
            Err(error) => {
                let said = error.to_string();
                // Without names, which senders make up.
                trace.saw(&said.split('`').step_by(2).collect::<String>());
                assert!(said.len() <= text.len() + 1_000, "a long refusal: {said}");
                assert_gone(&secrets, &said, "a refusal");
            }
            Ok(policies) => {
                assert!(policies.len() <= 200);
                for policy in &policies {
                    policy.actions.iter().for_each(|action| trace.saw(action.kind()));
                    trace.saw(&format!("{:?} {}", policy.request, policy.approval.is_some()));
                }
                let shown = Value::Array(policies.iter().map(Policy::to_json).collect());
                let back = Policy::read_all(&shown, "policies", None);
                assert_eq!(back.as_ref(), Ok(&policies), "shown and read again: {shown}");
                let again = Value::Array(policies.iter().map(Policy::to_json).collect());
                assert_eq!(again, shown);
            }
        }
    }
}
