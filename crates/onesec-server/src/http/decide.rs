//! `POST /api/v1/decide`: may an agent do what it is about to do?

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use onesec_enforcement::Verdict;
use onesec_engine::Reported;
use onesec_telemetry::event::Rejection;
use onesec_telemetry::{BodyFormat, Channel, Event, Kind};
use onesec_text::text_bytes;
use serde_json::{Value, json};

use super::App;
use super::answer::{self, Answer};
use super::body;
use super::canaries::CANARY;
use super::drafts::{MANY_BYTES, draft};
use super::events::{Job, Slot, small_body};
use super::gate::{Peer, network};
use super::problem::Problem;
use crate::core::{CoreError, Draft};
use crate::keys::Caller;

/// What can be asked about before it happens.
const KINDS: [Kind; 8] = [
    Kind::ToolCall,
    Kind::FunctionCall,
    Kind::AgentAction,
    Kind::AgentMemoryWrite,
    Kind::AgentSpawn,
    Kind::AgentPayment,
    Kind::AgentWebFetch,
    Kind::ContentIngest,
];

/// `POST /api/v1/decide`
pub(super) async fn post(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    if caller.agent.is_none() {
        return Err(Problem::forbidden("key-without-agent", "this needs a key that is bound to an agent"));
    }
    if !body::is_json(request.headers()) {
        let status = axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "unsupported-media-type", "`Content-Type` must be application/json"));
    }
    let peer = request.extensions().get::<Peer>().copied();
    let origin = network(peer, request.headers(), &app.trusted_proxies);
    let job = Job::new(&app, &caller, BodyFormat::Json)?;
    let body = small_body(request).await?;
    let event = one_event(job, &body)?;
    if !KINDS.contains(&event.kind()) {
        let kinds = KINDS.map(Kind::as_str).join(", ");
        return Err(Problem::unprocessable("undecidable-kind", format!("only these can be asked about: {kinds}")));
    }
    app.metrics.event(event.kind());
    let draft = drafted(&app, &caller, origin, event).await?;
    let ruling = app.core.request(&caller.tenant, draft).await.map_err(refused)?;
    answer::ok(&json!({
        "decision": word(ruling.answer.applies),
        "would": word(ruling.answer.would),
        "mode": ruling.answer.mode,
        "event_id": ruling.event_id,
        "findings": findings_json(&ruling.findings),
        "approval_id": ruling.answer.approval,
    }))
}

/// A long text must not keep others waiting for their verdicts.
async fn drafted(app: &Arc<App>, caller: &Caller, origin: Option<IpAddr>, event: Box<Event>) -> Result<Draft, Problem> {
    let long = text_bytes(&event) >= MANY_BYTES;
    let (app, caller) = (app.clone(), caller.clone());
    let work = move || draft(&app, &caller, (Channel::Decide, origin), event).draft;
    if long { tokio::task::spawn_blocking(work).await.map_err(|_| Problem::internal()) } else { Ok(work()) }
}

fn one_event(job: Job, body: &[u8]) -> Result<Box<Event>, Problem> {
    let decoded = job.decode(body).map_err(|(error, _)| Problem::bad_request("bad-body", error.to_string()))?;
    let (mut slots, mut events) = (decoded.slots, decoded.events);
    match (slots.len(), slots.pop(), events.pop()) {
        (1, Some(Slot::Rejected(rejection)), _) => Err(rejected(rejection)),
        (1, _, Some(event)) => Ok(event),
        _ => Err(Problem::unprocessable("one-event", "ask about one event at a time")),
    }
}

fn rejected(rejection: Rejection) -> Problem {
    let problem = Problem::unprocessable("rejected", rejection.message)
        .with("pointer", rejection.pointer)
        .with("rejection", rejection.code.as_str().into_owned());
    match rejection.suggestion {
        Some(suggestion) => problem.with("suggestion", suggestion),
        None => problem,
    }
}

/// Whoever asks before an act must not read "try later" as a verdict: 503.
fn refused(error: CoreError) -> Problem {
    match error {
        CoreError::Busy => {
            let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
            Problem::new(status, "busy", error.to_string()).retry_after(std::time::Duration::from_secs(1))
        }
        other => other.into(),
    }
}

/// `allow`, `hold` or `deny`: a caller need not know more.
pub(super) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Hold => "hold",
        Verdict::RateLimit { .. } | Verdict::Withhold | Verdict::Deny => "deny",
    }
}

/// Findings as whoever asks may see them: that a decoy was touched is for admins.
pub(super) fn findings_json(findings: &[Reported]) -> Value {
    let told = findings.iter().filter(|finding| finding.brief.detector != CANARY);
    let shown = told.map(|finding| {
        let brief = &finding.brief;
        json!({"detector": brief.detector, "severity": brief.severity, "reason": brief.reason})
    });
    Value::Array(shown.collect())
}
