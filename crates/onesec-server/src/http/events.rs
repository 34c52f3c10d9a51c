//! Events: taken in, listed, and what was rejected.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use onesec_journal::DeadLetterRow;
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::event::Rejection;
use onesec_telemetry::limits::MAX_BODY_BYTES;
use onesec_telemetry::{
    BodyError, BodyFormat, DecodeOptions, Event, EventId, Item, KnownConnections, TenantId, Thumbprint, Timestamp,
    Warning, decode_body,
};
use serde::Serialize;
use serde_json::json;
use ulid::Ulid;

use super::App;
use super::answer::{self, Answer};
use super::body::{self, Coding};
use super::drafts::drafts;
use super::gate::{Peer, network};
use super::params::Params;
use super::problem::Problem;
use super::records;
use crate::core::{Draft, Submission, Taken};
use crate::keys::Caller;

/// What a request's events came to, item by item.
pub(super) enum Slot {
    /// One of the drafts.
    Draft,
    Rejected(Rejection),
}

/// A decoded body.
pub(super) struct Decoded {
    pub(super) slots: Vec<Slot>,
    #[expect(clippy::vec_box, reason = "events go on in their boxes")]
    pub(super) events: Vec<Box<Event>>,
    warnings: Vec<(usize, Warning)>,
    letters: Vec<DeadLetterRow>,
}

/// The answer to `POST /api/v1/events`.
#[derive(Debug, Default, Serialize)]
struct Receipt {
    accepted: usize,
    duplicates: usize,
    ids: Vec<Option<EventId>>,
    warnings: Vec<Indexed<Warning>>,
    rejected: Vec<Indexed<Rejection>>,
}

#[derive(Debug, Serialize)]
struct Indexed<T> {
    index: usize,
    #[serde(flatten)]
    what: T,
}

/// `POST /api/v1/events`
pub(super) async fn post(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let peer = request.extensions().get::<Peer>().copied();
    let origin = network(peer, request.headers(), &app.trusted_proxies);
    let format = format_of(&request)?;
    let coding = Coding::of(request.headers())?;
    let (parts, body) = request.into_parts();
    let length = body::content_length(&parts.headers);
    let large = coding != Coding::Identity || length.is_none_or(|length| length > INLINE_BYTES);
    let _permit = if large { Some(room(&app).await?) } else { None };
    let body = body::read(body, &parts.headers, MAX_BODY_BYTES).await?;
    let job = Job::new(&app, &caller, format)?;
    let decoded = if large {
        let work = tokio::task::spawn_blocking(move || body::unpack(body, coding).map(|body| job.decode(&body)));
        work.await.map_err(|_| Problem::internal())??
    } else {
        job.decode(&body)
    };
    let decoded = match decoded {
        Ok(decoded) => decoded,
        Err((error, letter)) => return Err(unparseable(&app, &caller, &error, *letter).await),
    };
    take(&app, &caller, origin, decoded).await
}

fn format_of(request: &Request) -> Result<BodyFormat, Problem> {
    let value = request.headers().get(CONTENT_TYPE);
    let text = value.map_or("", |value| value.to_str().unwrap_or("?"));
    BodyFormat::from_content_type(text).ok_or_else(|| {
        let detail = "`Content-Type` must be application/json, application/x-ndjson or a CloudEvents type";
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail)
    })
}

/// A place among the large bodies.
pub(super) async fn room(app: &App) -> Result<tokio::sync::SemaphorePermit<'_>, Problem> {
    let waited = tokio::time::timeout(Duration::from_secs(5), app.large_bodies.acquire()).await;
    let busy = || {
        let detail = "too many large bodies at once";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", detail).retry_after(Duration::from_secs(1))
    };
    waited.map_err(|_| busy())?.map_err(|_| busy())
}

/// All that decoding needs, so that it can happen on another thread.
pub(super) struct Job {
    format: BodyFormat,
    caller: Caller,
    connections: Arc<KnownConnections>,
    now: Timestamp,
    first_id: Ulid,
}

impl Job {
    pub(super) fn new(app: &App, caller: &Caller, format: BodyFormat) -> Result<Self, Problem> {
        let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
        let now = app.core.now();
        app.quotas.event(&caller.tenant, now)?;
        let first_id = new_ulid(now).ok_or_else(Problem::internal)?;
        Ok(Self { format, caller: caller.clone(), connections: view.connections.clone(), now, first_id })
    }

    /// Decodes all items; or, where there are none, says why and what is kept of the body: size and hash.
    pub(super) fn decode(self, body: &[u8]) -> Result<Decoded, (BodyError, Box<DeadLetterRow>)> {
        let options = DecodeOptions {
            connections: &self.connections,
            catalogue: Catalogue::builtin(),
            bound_agent: self.caller.agent.as_ref(),
        };
        let mut next = self.first_id;
        let next_id = || {
            next = next.increment().unwrap_or(next);
            event_id(next)
        };
        match decode_body(body, self.format, options, next_id) {
            Ok(items) => Ok(self.sorted(items)),
            Err(error) => {
                let digest = Thumbprint::of(body);
                let rejection = (body_code(&error), String::new(), error.to_string());
                Err((error, Box::new(self.letter(rejection, None, (body.len(), digest)))))
            }
        }
    }

    fn sorted(&self, items: Vec<Item>) -> Decoded {
        let mut decoded = Decoded {
            slots: Vec::with_capacity(items.len()),
            events: Vec::with_capacity(items.len()),
            warnings: Vec::new(),
            letters: Vec::new(),
        };
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Item::Accepted { event, warnings } => {
                    decoded.warnings.extend(warnings.into_iter().map(|warning| (index, warning)));
                    decoded.events.push(event);
                    decoded.slots.push(Slot::Draft);
                }
                Item::Rejected { rejection, redacted, size, digest } => {
                    let code = rejection.code.as_str().into_owned();
                    let words = (code, rejection.pointer.clone(), rejection.message.clone());
                    let body = Some(redacted).filter(|text| !text.is_empty());
                    decoded.letters.push(self.letter(words, body, (size, digest)));
                    decoded.slots.push(Slot::Rejected(rejection));
                }
            }
        }
        decoded
    }

    fn letter(
        &self,
        (reason_code, pointer, message): (String, String, String),
        body: Option<String>,
        (size, digest): (usize, Thumbprint),
    ) -> DeadLetterRow {
        DeadLetterRow {
            tenant: self.caller.tenant.clone(),
            at: self.now,
            key_id: Some(self.caller.key.to_string()),
            reason_code,
            pointer,
            message,
            body,
            size: size as u64,
            sha256: *digest.as_bytes(),
        }
    }
}

/// A body that nobody can split into events: 400, and its size and hash are kept.
async fn unparseable(app: &App, caller: &Caller, error: &BodyError, letter: DeadLetterRow) -> Problem {
    let code = body_code(error);
    app.metrics.rejected(&code);
    let submission = Submission { tenant: caller.tenant.clone(), drafts: Vec::new(), dead_letters: vec![letter] };
    if let Err(error) = app.core.ingest(submission).await {
        return error.into();
    }
    let status = match error {
        BodyError::TooManyEvents => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(status, code, error.to_string())
}

fn body_code(error: &BodyError) -> String {
    match error {
        BodyError::NotUtf8 => "not-utf8",
        BodyError::Empty => "empty-body",
        BodyError::SeveralDocuments => "several-documents",
        BodyError::TooManyEvents => "too-many-events",
        _ => "not-json",
    }
    .to_owned()
}

/// Hands everything to the core as one submission and tells what became of it.
async fn take(app: &Arc<App>, caller: &Caller, origin: Option<IpAddr>, decoded: Decoded) -> Answer {
    let Decoded { slots, events, warnings, letters } = decoded;
    app.quotas.more_events(&caller.tenant, slots.len().saturating_sub(1));
    for event in &events {
        app.metrics.event(event.kind());
    }
    let (mut above, mut own) = (Vec::new(), Vec::with_capacity(events.len()));
    for drafted in drafts(app, caller, origin, events).await? {
        above.extend(drafted.above);
        own.push(drafted.draft);
    }
    tell_above(app, &caller.tenant, above).await?;
    let drafts = own;
    let submission = Submission { tenant: caller.tenant.clone(), drafts, dead_letters: letters };
    let taken = app.core.ingest(submission).await?;
    let mut receipt = receipt(slots, taken);
    receipt.warnings = warnings.into_iter().map(|(index, what)| Indexed { index, what }).collect();
    for rejected in &receipt.rejected {
        app.metrics.rejected(&rejected.what.code.as_str());
    }
    let status = match (receipt.accepted + receipt.duplicates, receipt.rejected.len()) {
        (_, 0) => StatusCode::ACCEPTED,
        (0, _) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::MULTI_STATUS,
    };
    answer::json(status, &receipt)
}

/// Makes delegations known that stand above others.
pub(super) async fn tell_above(app: &App, tenant: &TenantId, drafts: Vec<Draft>) -> Result<(), Problem> {
    if !drafts.is_empty() {
        let submission = Submission { tenant: tenant.clone(), drafts, dead_letters: Vec::new() };
        app.core.ingest(submission).await?;
    }
    Ok(())
}

fn receipt(slots: Vec<Slot>, taken: Vec<Taken>) -> Receipt {
    let mut receipt = Receipt::default();
    let mut taken = taken.into_iter();
    for (index, slot) in slots.into_iter().enumerate() {
        let rejection = match slot {
            Slot::Rejected(rejection) => rejection,
            Slot::Draft => match taken.next() {
                Some(Taken::Recorded { id, .. }) => {
                    receipt.accepted += 1;
                    receipt.ids.push(Some(id));
                    continue;
                }
                Some(Taken::Duplicate { id }) => {
                    receipt.duplicates += 1;
                    receipt.ids.push(Some(id));
                    continue;
                }
                _ => conflict(),
            },
        };
        receipt.ids.push(None);
        receipt.rejected.push(Indexed { index, what: rejection });
    }
    receipt
}

fn conflict() -> Rejection {
    let code = onesec_telemetry::Code::IdConflict;
    Rejection::new(code, "/id", "the same id came before with other content")
}

/// A new identifier that sorts by time.
pub(super) fn new_ulid(now: Timestamp) -> Option<Ulid> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or_default();
    // The upper half stays free, so that a batch can count up from here.
    Some(Ulid::from_parts(millis, u128::from_le_bytes(random) >> 49))
}

#[expect(clippy::expect_used, reason = "26 letters and digits are an identifier")]
pub(super) fn event_id(ulid: Ulid) -> EventId {
    EventId::new(&ulid.to_string()).expect("an identifier")
}

/// `GET /api/v1/events`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    records::list(&app, &caller, &params).await
}

/// `GET /api/v1/events/rejected`
pub(super) async fn rejected(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let (cursor, limit) = params.page()?;
    let tenant = caller.tenant.clone();
    let page = app.read(move |reader| reader.dead_letters(&tenant, (cursor.as_ref(), limit))).await?;
    answer::page("rejected", page, |stored| {
        let letter = stored.letter;
        answer::text(&json!({
            "id": stored.id.to_string(), "at": letter.at, "key": letter.key_id, "code": letter.reason_code,
            "pointer": letter.pointer, "message": letter.message, "body": letter.body, "size": letter.size,
            "sha256": hex::encode(letter.sha256),
        }))
    })
}

/// Bodies up to this size are decoded where they arrive.
const INLINE_BYTES: u64 = 64 * 1024;

/// The bytes of a small body, for those who take one event.
pub(super) async fn small_body(request: Request) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    body::read(body, &parts.headers, onesec_telemetry::limits::MAX_EVENT_BYTES).await
}
