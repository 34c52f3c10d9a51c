//! The log stream by which we hear what happens at the tenant without us.

use std::time::Duration;

use super::report::{At, Outcome, Report};
use super::{Check, Facts, LogStream, Seen, Server};

const GROUP: &str = "Log stream";
const READ: &[&str] = &["read:log_streams"];
const REFERENCE: &str = "Auth0: Custom Log Streams";

const EXISTS: Check = Check {
    id: "log-stream",
    group: GROUP,
    title: "one leads to our receiver",
    scopes: READ,
    change: "Create a custom webhook stream to {receiver}, with the text of `token_vault.log_stream_authorization` as its \
             authorization.",
    dashboard: "Monitoring > Streams > Create Stream > Custom Webhook",
    call: r#"POST /api/v2/log-streams {"name": "onesec", "type": "http", "sink": {"httpEndpoint": "{receiver}", "httpContentType": "application/json", "httpContentFormat": "JSONARRAY", "httpAuthorization": "…"}}"#,
    reference: REFERENCE,
};

const ACTIVE: Check = Check {
    id: "log-stream-status",
    group: GROUP,
    title: "it is active",
    scopes: READ,
    change: "Let our receiver answer, then start stream {stream} again, with a starting cursor before it stopped: logs are \
             kept for as long as the plan says. Auth0 pauses a stream that failed for days.",
    dashboard: "Monitoring > Streams > {stream} > Settings > Status",
    call: r#"PATCH /api/v2/log-streams/{id} {"status": "active"}"#,
    reference: REFERENCE,
};

const FORMAT: Check = Check {
    id: "log-stream-format",
    group: GROUP,
    title: "it has a format that we read",
    scopes: READ,
    change: "Set the content format of stream {stream} to JSON Array, JSON Lines or JSON Object.",
    dashboard: "Monitoring > Streams > {stream} > Settings > Content Format",
    call: r#"PATCH /api/v2/log-streams/{id} {"sink": {"httpContentFormat": "JSONARRAY", …}}"#,
    reference: REFERENCE,
};

const FILTERS: Check = Check {
    id: "log-stream-filters",
    group: GROUP,
    title: "it is not narrowed to what we do not need",
    scopes: READ,
    change: "Take the filters off stream {stream}: exchanges of Token Vault and connected accounts have no category that \
             Auth0 documents.",
    dashboard: "Monitoring > Streams > {stream} > Settings > Filter by Event Category",
    call: r#"PATCH /api/v2/log-streams/{id} {"filters": []}"#,
    reference: "Auth0: Log Stream filters",
};

const RECENT: Check = Check {
    id: "log-stream-recent",
    group: GROUP,
    title: "our server has seen a log within a day",
    scopes: &[],
    change: "Look at the stream's health page: an answer of 401 means that its authorization is not \
             `token_vault.log_stream_authorization`; no answer, that Auth0 does not reach {receiver}.",
    dashboard: "Monitoring > Streams > {stream} > Health",
    call: "",
    reference: REFERENCE,
};

pub(super) const CHECKS: &[Check] = &[EXISTS, ACTIVE, FORMAT, FILTERS, RECENT];

/// Where logs go at our server.
pub(super) const RECEIVER: &str = "/api/v1/auth0/logs";
const FORMATS: [&str; 3] = ["JSONLINES", "JSONARRAY", "JSONOBJECT"];
const LONG_AGO: Duration = Duration::from_secs(86_400);

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    let receiver = facts.server.receiver.clone().unwrap_or_else(|| format!("https://<onesec>{RECEIVER}"));
    let names = [(".receiver", receiver.as_str())];
    let at = At::new(&EXISTS, &names);
    let streams = match &facts.streams {
        Seen::Is(streams) => streams.as_slice(),
        Seen::Missing => &[],
        Seen::Untold(why) => {
            report.note(at, Outcome::untold(&at, why));
            return recent((facts, ""), &receiver, report);
        }
    };
    let Some(stream) = streams.iter().find(|stream| leads_to(stream, &facts.server)) else {
        let seen = match streams.len() {
            0 => "the tenant has no log stream".to_owned(),
            others => format!("none of the tenant's {others} log streams leads to {RECEIVER} of ours"),
        };
        // Who says where Auth0 reaches us means to hear from it.
        let expected = facts.server.receiver.is_some() || facts.server.takes_logs;
        return report.note(at, if expected { Outcome::failed(seen) } else { Outcome::warning(seen) });
    };
    report.note(at, Outcome::ok(format!("`{}`", stream.name)));
    let names = [("stream", stream.name.as_str()), (".id", stream.id.as_str())];
    report.note(At::new(&ACTIVE, &names), status(stream));
    report.note(At::new(&FORMAT, &names), format_of(stream));
    let narrowed = stream.filters.as_ref().is_some_and(|filters| !filters.is_empty());
    let filters = if narrowed { Outcome::warning("it has filters") } else { Outcome::ok("it has no filters") };
    report.note(At::new(&FILTERS, &names), filters);
    recent((facts, &stream.name), &receiver, report);
}

/// By its whole address where we know ours, else by its path.
fn leads_to(stream: &LogStream, server: &Server) -> bool {
    let endpoint = stream.sink.http_endpoint.as_deref().unwrap_or_default();
    let endpoint = endpoint.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    match &server.receiver {
        Some(receiver) => endpoint.eq_ignore_ascii_case(receiver),
        None => endpoint.ends_with(RECEIVER),
    }
}

fn status(stream: &LogStream) -> Outcome {
    match stream.status.as_str() {
        "active" => Outcome::ok("it is"),
        "" => Outcome::silent("that is not said"),
        other => Outcome::failed(format!("it is `{other}`")),
    }
}

fn format_of(stream: &LogStream) -> Outcome {
    match stream.sink.http_content_format.as_deref() {
        Some(format) if FORMATS.contains(&format) => Outcome::ok(format),
        Some(format) => Outcome::failed(format!("`{format}`")),
        None => Outcome::silent("that is not said"),
    }
}

fn recent((facts, stream): (&Facts, &str), receiver: &str, report: &mut Report) {
    let names = [(".receiver", receiver), (".stream", stream)];
    let outcome = match (facts.server.takes_logs, facts.server.asked, facts.server.last_log) {
        (_, true, Some(at)) if facts.now.since(at) <= LONG_AGO => Outcome::ok(format!("at {at}")),
        (_, true, Some(at)) => Outcome::warning(format!("the last one at {at}")),
        (false, ..) => Outcome::skipped("`token_vault.log_stream_authorization` is not configured"),
        (true, true, None) => Outcome::warning("none yet"),
        (true, false, _) => Outcome::skipped("no running server was there to be asked"),
    };
    report.note(At::new(&RECENT, &names), outcome);
}
