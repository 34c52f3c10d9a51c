//! What the gateway answers: a token, or an OAuth error that says why there is none.

use std::time::Duration;

use onesec_auth0::{ExchangeError, IssuedToken, TokenKind};
use onesec_enforcement::Verdict;
use onesec_telemetry::ExchangeId;
use serde_json::{Map, Value, json};

use super::DEFAULT_RETRY;
use crate::core::Ruling;

/// The answer to an exchange: HTTP status, `Retry-After`, body.
#[derive(Debug)]
pub struct GatewayAnswer {
    /// HTTP status.
    pub status: u16,
    /// When a retry makes sense.
    pub retry_after: Option<Duration>,
    /// Token or error.
    pub body: GatewayBody,
}

/// Token or error.
#[derive(Debug)]
pub enum GatewayBody {
    /// A token. It exists here and on the wire only.
    Issued(Box<Issued>),
    /// An OAuth error (RFC 6749, section 5.2) with our own reason.
    Error(Map<String, Value>),
}

/// A token on its way out.
#[derive(Debug)]
pub struct Issued {
    /// The token.
    pub token: IssuedToken,
    /// The exchange it came from.
    pub exchange_id: ExchangeId,
}

impl GatewayBody {
    /// The JSON bytes for the wire. Consumes the token.
    #[must_use]
    pub fn into_json_bytes(self) -> Vec<u8> {
        match self {
            Self::Error(members) => Value::Object(members).to_string().into_bytes(),
            Self::Issued(issued) => issued.to_json().into_bytes(),
        }
    }
}

impl Issued {
    fn to_json(&self) -> String {
        let token_type = match self.token.token_type {
            TokenKind::Bearer => "Bearer",
            TokenKind::Dpop => "DPoP",
        };
        let mut body = json!({
            "token_type": token_type,
            // SDKs insist on a number; an unknown life is over at once.
            "expires_in": self.token.expires_in.map_or(0, |d| d.as_secs()),
            "exchange_id": self.exchange_id.as_str(),
            "access_token": self.token.access_token.expose_to_wire(),
        });
        if let Value::Object(members) = &mut body {
            if let Some(scopes) = &self.token.scopes {
                members.insert("scope".into(), Value::String(scopes.to_string()));
            }
            if let Some(kind) = self.token.issued_token_type {
                members.insert("issued_token_type".into(), Value::String(kind.uri().to_owned()));
            }
        }
        body.to_string()
    }
}

/// Why there is no token.
#[derive(Debug, Clone)]
pub struct Problem {
    pub(super) status: u16,
    pub(super) error: String,
    description: String,
    reason: &'static str,
    retry_after: Option<Duration>,
}

impl Problem {
    /// The subject token is no good (RFC 8693, section 2.2.2).
    pub(super) fn bad_subject(description: &str) -> Self {
        Self::new(400, "invalid_request", description, "subject-refused")
    }

    /// Nobody is proven to be the user.
    pub(super) fn unproven(description: &str) -> Self {
        Self::new(403, "access_denied", description, "subject_unproven")
    }

    /// The delegation that came with the request is worth nothing.
    pub(super) fn bad_delegation(description: &str) -> Self {
        Self::new(403, "access_denied", description, "delegation-chain")
    }

    /// A worker's request by somebody who is no worker.
    pub(super) fn no_worker(description: &str) -> Self {
        Self::new(400, "invalid_request", description, "unsupported-subject-token-type")
    }

    /// A grant that gives a right elsewhere, and that nobody allowed.
    pub(super) fn not_allowed(grant: super::Governed) -> Self {
        let why =
            format!("`{}` is refused unless `token_vault.pass_through` allows it for this audience", grant.as_str());
        Self::new(403, "access_denied", &why, "governed-grant")
    }

    /// The request is malformed.
    pub(super) fn invalid(description: &str) -> Self {
        Self::new(400, "invalid_request", description, "invalid-request")
    }

    /// What is asked for is not set up here.
    pub(super) fn not_configured(description: &str) -> Self {
        Self::new(503, "temporarily_unavailable", description, "not-configured")
    }

    /// The journal cannot be written.
    pub(super) fn unrecorded() -> Self {
        Self::new(503, "temporarily_unavailable", unavailable_text("journal"), "journal")
    }

    fn new(status: u16, error: &str, description: &str, reason: &'static str) -> Self {
        Self { status, error: error.to_owned(), description: description.to_owned(), reason, retry_after: None }
    }

    /// Auth0's own code and status where it judged; 503 where it gave no proper answer.
    pub(super) fn from_upstream(error: &ExchangeError) -> Self {
        let mut problem = match error {
            ExchangeError::Refused { status, error: code, error_description, .. } if *status < 500 => {
                let description = error_description.as_deref().unwrap_or("the token endpoint refused");
                Self::new(*status, code.as_str(), description, "upstream")
            }
            ExchangeError::RateLimited { error: code, error_description, .. } => {
                let description = error_description.as_deref().unwrap_or("the token endpoint limits our rate");
                Self::new(429, code.as_str(), description, "upstream")
            }
            other => Self::new(503, "temporarily_unavailable", &other.to_string(), "upstream"),
        };
        problem.retry_after = error.retry_after();
        if problem.status >= 429 && problem.retry_after.is_none() {
            problem.retry_after = Some(DEFAULT_RETRY);
        }
        problem
    }

    pub(super) fn into_answer(self, exchange_id: ExchangeId) -> GatewayAnswer {
        let mut members = oauth_error(&self.error, &self.description, self.reason);
        members.insert("exchange_id".into(), Value::String(exchange_id.to_string()));
        GatewayAnswer { status: self.status, retry_after: self.retry_after, body: GatewayBody::Error(members) }
    }
}

fn oauth_error(error: &str, description: &str, reason: &str) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("error".into(), Value::String(error.to_owned()));
    members.insert("error_description".into(), Value::String(description.to_owned()));
    members.insert("onesec_reason".into(), Value::String(reason.to_owned()));
    members
}

impl GatewayAnswer {
    pub(super) fn issued(issued: Issued) -> Self {
        Self { status: 200, retry_after: None, body: GatewayBody::Issued(Box::new(issued)) }
    }

    /// 503 `temporarily_unavailable` with our reason.
    #[must_use]
    pub fn unavailable(reason: &'static str, exchange_id: Option<ExchangeId>) -> Self {
        let mut problem = Problem::new(503, "temporarily_unavailable", unavailable_text(reason), reason);
        problem.retry_after = Some(DEFAULT_RETRY);
        let mut members = oauth_error(&problem.error, &problem.description, reason);
        if let Some(id) = exchange_id {
            members.insert("exchange_id".into(), Value::String(id.to_string()));
        }
        Self { status: 503, retry_after: problem.retry_after, body: GatewayBody::Error(members) }
    }

    /// The engine said no.
    pub(super) fn refused(id: ExchangeId, ruling: &Ruling, issued: bool) -> Self {
        // Whoever touched a decoy is told what any stranger is told.
        let because = ruling.answer.because.as_ref().filter(|b| b.detector != "canary");
        let decoy = because.is_none() && ruling.answer.because.is_some();
        let reason = because.map_or(if decoy { "unauthorized-agent" } else { "policy" }, |b| b.detector);
        // Some SDKs show their callers this text only: that it is no answer of Auth0's must be told from it.
        let description = because.map_or_else(|| REFUSED.to_owned(), |b| format!("{REFUSED}: {}", b.reason));
        let (status, error, retry_after) = match ruling.answer.applies {
            Verdict::RateLimit { retry_after } => (429, "too_many_requests", Some(retry_after)),
            Verdict::Hold => (403, "interaction_required", None),
            Verdict::Allow | Verdict::Withhold | Verdict::Deny => (403, "access_denied", None),
        };
        let mut members = oauth_error(error, &description, reason);
        members.insert("exchange_id".into(), Value::String(id.to_string()));
        if let Some(alert) = because.and_then(|b| b.alert.as_ref()) {
            members.insert("alert_id".into(), Value::String(alert.to_string()));
        }
        if let Some(approval) = &ruling.answer.approval {
            members.insert("approval_id".into(), Value::String(approval.to_string()));
        }
        if issued {
            members.insert("issued_not_released".into(), Value::Bool(true));
        }
        Self { status, retry_after, body: GatewayBody::Error(members) }
    }
}

/// How every refusal of ours begins.
const REFUSED: &str = "refused by policy";

fn unavailable_text(reason: &str) -> &'static str {
    match reason {
        "not-configured" => "Token Vault is not configured on this server",
        "journal" => "the decision cannot be recorded, so nothing is released",
        _ => "the exchange cannot be judged now",
    }
}
