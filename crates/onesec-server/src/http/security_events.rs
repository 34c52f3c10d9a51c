//! Security events: taken by push (RFC 8935), given to those who fetch (RFC 8936).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use onesec_identity::MAX_TOKEN_BYTES;
use onesec_journal::LedgerTable;
use onesec_telemetry::{Channel, Secret};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::App;
use super::answer::{self, Answer};
use super::body;
use super::params::Params;
use super::problem::Problem;
use crate::keys::Caller;
use crate::signals::NotTaken;

/// `POST /api/v1/security-events`: 202 once what the event asks for is durable. The same token again is taken as well, and
/// changes nothing.
pub(super) async fn receive(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !is_event(&parts.headers) {
        return refused(StatusCode::BAD_REQUEST, "invalid_request", "`Content-Type` must be application/secevent+jwt");
    }
    let text = match body::read(body, &parts.headers, MAX_TOKEN_BYTES).await {
        Ok(bytes) => String::from_utf8(bytes.into()).unwrap_or_default(),
        Err(problem) => {
            return refused(problem.parts().0, "invalid_request", "the body cannot be read, or is too long");
        }
    };
    let authorization = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let authorization = authorization.map(|text| Secret::new(text.to_owned()));
    let token = Secret::new(text.trim_ascii_end().to_owned());
    match app.transmitters.take(&token, authorization.as_ref()).await {
        Ok(_) => StatusCode::ACCEPTED.into_response(),
        Err(why) => not_taken(&why),
    }
}

/// `GET /api/v1/security-events`: what we have to tell and nobody took yet.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    answer::ledger_page(&app, (LedgerTable::SecurityEvents, caller.tenant), &params, "security_events").await
}

/// RFC 8936, section 2.2.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Poll {
    max_events: Option<usize>,
    #[serde(default)]
    return_immediately: bool,
    #[serde(default)]
    ack: Vec<String>,
    #[serde(default)]
    set_errs: BTreeMap<String, SetError>,
}

#[derive(Deserialize)]
struct SetError {
    err: String,
    #[serde(default)]
    description: String,
}

/// `POST /api/v1/security-events/poll`: for the receiver that the key's owner is called like. What is not acknowledged comes
/// again; without `returnImmediately` an answer waits a while for something to say.
pub(super) async fn poll(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let wanted: Poll = body::json(request).await?;
    let name = caller.sender(Channel::Api).owner;
    let none = || Problem::new(StatusCode::FORBIDDEN, "no-receiver", "the key's owner is no receiver that polls");
    let name = name.ok_or_else(none)?;
    let most = wanted.max_events.unwrap_or(MOST_EVENTS).min(MOST_EVENTS);
    let errors: Vec<(String, String)> =
        wanted.set_errs.into_iter().map(|(jti, error)| (jti, format!("{} {}", error.err, error.description))).collect();
    let (mut ack, mut refused) = (wanted.ack.as_slice(), errors.as_slice());
    let mut patience = if wanted.return_immediately || most == 0 { 0 } else { LOOKS };
    let (sets, more) = loop {
        let found = app.teller.poll((&caller.tenant, name.as_str()), (ack, refused), most).await?;
        let (sets, more) = found.ok_or_else(none)?;
        if !sets.is_empty() || patience == 0 || *app.stopping.borrow() {
            break (sets, more);
        }
        (ack, refused, patience) = (&[], &[], patience - 1);
        tokio::time::sleep(BETWEEN_LOOKS).await;
    };
    let sets: Map<String, Value> =
        sets.iter().map(|(jti, token)| (jti.clone(), json!(token.expose_to_wire()))).collect();
    answer::ok(&json!({"sets": sets, "moreAvailable": more}))
}

fn not_taken(why: &NotTaken) -> Response {
    let status = match why {
        NotTaken::Unauthenticated => StatusCode::UNAUTHORIZED,
        NotTaken::Keys | NotTaken::Unrecorded => {
            let mut answer = refused(StatusCode::SERVICE_UNAVAILABLE, "unavailable", &why.to_string());
            answer.headers_mut().insert(axum::http::header::RETRY_AFTER, 5.into());
            return answer;
        }
        _ => StatusCode::BAD_REQUEST,
    };
    refused(status, why.code().unwrap_or("invalid_request"), &why.to_string())
}

fn is_event(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = value.split(';').next().unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/secevent+jwt")
}

/// RFC 8935, section 2.3.
fn refused(status: StatusCode, err: &str, description: &str) -> Response {
    let body = json!({"err": err, "description": description}).to_string();
    let headers = [(CONTENT_TYPE, "application/json"), (axum::http::header::CONTENT_LANGUAGE, "en")];
    (status, headers, body).into_response()
}

/// In one answer.
const MOST_EVENTS: usize = 100;
/// For twenty seconds.
const LOOKS: u32 = 40;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
