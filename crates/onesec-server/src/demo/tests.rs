//! The stage as a place to try the command line on a real exchange.

use std::sync::Arc;

use onesec_telemetry::Secret;

use super::*;
use crate::cli::args::{ExchangeArgs, TokenType};
use crate::cli::exchange::exchange;
use stage::{ALICE, CALENDAR, GOOGLE};

async fn stage() -> Stage {
    let more: SharedAssemble = Arc::new(|_| Ok(Vec::new()));
    let options = DemoOptions { serve: false, disabled: Vec::new(), data_dir: None, more };
    Stage::build(options).await.expect("a stage")
}

/// Runs `onesec exchange` as calendar-helper with alice's refresh token: how it ends, and what it prints.
async fn exchanged(stage: &Stage, scope: &str, show_token: bool, json: bool) -> (Ended, String) {
    let dir = tempfile::tempdir().expect("directory");
    let file = dir.path().join("token");
    std::fs::write(&file, stage.refresh_token(ALICE).expose_to_wire()).expect("written");
    let args = ExchangeArgs {
        delegation: None,
        connection: GOOGLE.to_owned(),
        subject_token_file: file,
        token_type: TokenType::Refresh,
        login_hint: None,
        scopes: vec![scope.to_owned()],
        task: None,
        show_token,
    };
    let (mut out, buffer) = Out::buffer(json);
    let ended = exchange(args, stage.agent("calendar-helper"), &mut out).await.expect("an answer");
    (ended, buffer.text())
}

/// Whether a word of `text` is a token that the provider issued.
fn shows_token(stage: &Stage, text: &str) -> bool {
    let issued = stage.sim().provider_tokens_issued();
    assert!(!issued.is_empty(), "a token was issued");
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '"' | ','));
    words.map(|word| Secret::new(word.to_owned()).thumbprint()).any(|word| issued.contains(&word))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_prints_the_token_only_when_told_to() {
    let stage = stage().await;
    for json in [false, true] {
        let (ended, printed) = exchanged(&stage, CALENDAR, false, json).await;
        assert_eq!(ended, Ended::Well, "{printed}");
        assert!(!shows_token(&stage, &printed), "{printed}");
        let (_, printed) = exchanged(&stage, CALENDAR, true, json).await;
        assert!(shows_token(&stage, &printed), "{printed}");
    }
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_exchange_is_a_negative_answer_with_a_reason() {
    let stage = stage().await;
    stage.go_live().await.expect("live");
    let (ended, printed) = exchanged(&stage, "https://www.googleapis.com/auth/gmail.send", true, false).await;
    assert_eq!(ended, Ended::Negative);
    assert!(printed.contains("scope-escalation") && printed.contains("gmail.send"), "{printed}");
    stage.strike().await;
}
