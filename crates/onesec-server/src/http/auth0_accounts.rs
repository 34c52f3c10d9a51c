//! Connected accounts beside Auth0's, and its log asked for by hand.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use onesec_auth0::ApiError;
use serde::Deserialize;

use super::App;
use super::answer::{self, Answer};
use super::body;
use super::problem::Problem;
use crate::auth0_logs::{Apply, PullError, StepError};
use crate::keys::Caller;

/// What is to be compared, and what is done about it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    apply: Apply,
    cursor: Option<String>,
}

/// `POST /api/v1/accounts/reconcile`: one step of a comparison; `next` leads to the one after it.
pub(super) async fn reconcile(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let asked: Asked = body::json(request).await?;
    let step = app.accounts.step(&caller.tenant, asked.cursor.as_deref(), asked.apply).await;
    match step {
        Ok(step) => answer::ok(&step),
        Err(StepError::NotConfigured) => Err(not_configured(&StepError::NotConfigured)),
        Err(StepError::Upstream(error)) => Err(upstream(&StepError::Upstream(error.clone()), &error)),
        Err(StepError::Core(error)) => Err(error.into()),
        Err(error @ StepError::BadCursor) => Err(Problem::bad_request("bad-cursor", error.to_string())),
        Err(error @ StepError::Strangers(..)) => {
            Err(Problem::new(StatusCode::CONFLICT, "strangers", error.to_string()))
        }
    }
}

/// `POST /api/v1/auth0/logs/pull`: takes what is new in Auth0's log.
pub(super) async fn pull(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    match app.puller.pull(&caller.tenant).await {
        Ok(pulled) => answer::ok(&pulled),
        Err(error @ PullError::NotConfigured) => Err(not_configured(&error)),
        Err(PullError::Upstream(error)) => Err(upstream(&PullError::Upstream(error.clone()), &error)),
        Err(PullError::Core(error)) => Err(error.into()),
    }
}

fn not_configured(error: &impl ToString) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-configured", error.to_string())
}

fn upstream(error: &impl ToString, why: &ApiError) -> Problem {
    let problem = Problem::new(StatusCode::BAD_GATEWAY, "upstream", error.to_string());
    match why.retry_after() {
        Some(after) => problem.retry_after(after.max(Duration::from_secs(1))),
        None => problem,
    }
}
