//! `POST /api/v1/auth0/logs`: where Auth0's log streams deliver.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use onesec_telemetry::limits::MAX_BODY_BYTES;
use onesec_telemetry::{BodyError, Secret, TenantId, Thumbprint};
use subtle::ConstantTimeEq as _;

use super::App;
use super::answer::{self, Answer};
use super::body::{self, Coding};
use super::problem::Problem;
use crate::auth0_logs::NotTaken;

/// Whose deliveries are taken: the tenant of ours that each `Authorization` belongs to.
#[derive(Default)]
pub(crate) struct LogStreams(Vec<(TenantId, Thumbprint)>);

impl LogStreams {
    pub(crate) fn new<'a>(streams: impl IntoIterator<Item = (TenantId, &'a Secret)>) -> Self {
        Self(streams.into_iter().map(|(tenant, secret)| (tenant, secret.thumbprint())).collect())
    }

    /// Whether a stream delivers for `tenant`.
    pub(super) fn delivers(&self, tenant: &TenantId) -> bool {
        self.0.iter().any(|(known, _)| known == tenant)
    }

    /// The tenant whose `Authorization` was shown, verbatim. How long it takes says nothing of how near a guess was.
    fn of(&self, headers: &HeaderMap) -> Result<&TenantId, Problem> {
        if self.0.is_empty() {
            let detail = "no log stream is configured: set `token_vault.log_stream_authorization`";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-configured", detail));
        }
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (first, second) = (values.next(), values.next());
        let shown = Thumbprint::of(first.filter(|_| second.is_none()).map_or(&[], |value| value.as_bytes()));
        let mut found = None;
        for (tenant, expected) in &self.0 {
            if bool::from(expected.as_bytes().ct_eq(shown.as_bytes())) {
                found = Some(tenant);
            }
        }
        let detail = "the `Authorization` must be the one that is configured for the log stream, verbatim";
        found.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).challenge("LogStream"))
    }
}

/// `POST /api/v1/auth0/logs`
pub(super) async fn post(State(app): State<Arc<App>>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let tenant = app.log_streams.of(&parts.headers)?.clone();
    let coding = Coding::of(&parts.headers)?;
    let _permit = super::events::room(&app).await?;
    let body = body::read(body, &parts.headers, MAX_BODY_BYTES).await?;
    let intake = app.logs.clone();
    // Whoever delivers may give up waiting; what was begun is finished.
    let work = tokio::task::spawn(async move {
        let body = tokio::task::spawn_blocking(move || body::unpack(body, coding)).await;
        let body = body.map_err(|_| Problem::internal())??;
        intake.take(&tenant, body).await.map_err(problem)
    });
    let receipt = work.await.map_err(|_| Problem::internal())??;
    // Rejected entries are kept and delivering them again would help nobody.
    answer::json(StatusCode::ACCEPTED, &receipt)
}

fn problem(why: NotTaken) -> Problem {
    match why {
        NotTaken::Core(error) => Problem::from(error).retry_after(Duration::from_secs(1)),
        NotTaken::Body(error) => {
            let code = match error {
                BodyError::NotUtf8 => "not-utf8",
                BodyError::Empty => "empty-body",
                _ => "not-json",
            };
            Problem::bad_request(code, error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_very_text_opens() {
        let (secret, other) = (Secret::new("Bearer s3cret-of-ours".into()), Secret::new("another".into()));
        let tenant = |name: &str| TenantId::new(name).expect("a tenant");
        let streams = LogStreams::new([(tenant("default"), &secret), (tenant("acme"), &other)]);
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_str(value).expect("a value"));
            }
            streams.of(&headers).map(ToString::to_string).map_err(|why| why.status().as_u16())
        };
        assert_eq!(of(&["Bearer s3cret-of-ours"]).as_deref(), Ok("default"));
        assert_eq!(of(&["another"]).as_deref(), Ok("acme"));
        for wrong in [
            &[][..],
            &[""],
            &["s3cret-of-ours"],
            &["bearer s3cret-of-ours"],
            &["Bearer s3cret-of-ours "],
            &["Bearer s3cret-of-our"],
            &["another", "another"],
        ] {
            assert_eq!(of(wrong), Err(401), "{wrong:?}");
        }
        assert_eq!(LogStreams::default().of(&HeaderMap::new()).map_err(|why| why.status().as_u16()), Err(503));
    }
}
