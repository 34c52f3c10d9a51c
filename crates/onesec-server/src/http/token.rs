//! `POST /oauth/token`, as Auth0's own clients send it: the Token Vault exchange and no other grant.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;
use onesec_telemetry::Secret;
use serde::de::value::{Error as FormError, MapDeserializer};
use serde::{Deserialize, Deserializer};

use super::App;
use super::body;
use super::client::Claim;
use super::exchange::{Asked, Scopes, exchange, invalid, oauth_problem, origin, refusal, understood};
use crate::gateway::ExchangeRequest;

/// What there may be in the body. No other parameter is known: one that we would ignore is one that somebody relies on.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Parameters {
    grant_type: Given,
    subject_token: Given,
    subject_token_type: Given,
    requested_token_type: Given,
    connection: Given,
    login_hint: Given,
    scope: Given,
    pub(super) client_id: Given,
    pub(super) client_secret: Given,
    pub(super) client_assertion: Given,
    pub(super) client_assertion_type: Given,
}

/// A parameter's value. All are mute: clients that mix them up put tokens anywhere.
#[derive(Default)]
pub(super) struct Given(Option<Secret>);

impl Given {
    pub(super) fn text(&self) -> Option<&str> {
        self.0.as_ref().map(Secret::expose_to_wire)
    }

    pub(super) fn secret(&self) -> Option<&Secret> {
        self.0.as_ref()
    }

    fn owned(&self) -> Option<String> {
        self.text().map(str::to_owned)
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrNull;
        impl serde::de::Visitor<'_> for TextOrNull {
            type Value = Given;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text")
            }

            // RFC 6749, section 3.2: without a value is as if it were omitted.
            fn visit_str<E>(self, text: &str) -> Result<Given, E> {
                Ok(Given((!text.is_empty()).then(|| Secret::new(text.to_owned()))))
            }

            fn visit_unit<E>(self) -> Result<Given, E> {
                Ok(Given(None))
            }
        }
        deserializer.deserialize_any(TextOrNull)
    }
}

/// `POST /oauth/token`
pub(super) async fn post(State(app): State<Arc<App>>, request: Request) -> Response {
    let origin = origin(&app, &request);
    let (parts, body) = request.into_parts();
    let read = async {
        let parameters = read(&parts, body).await?;
        let claim = Claim::of(&parts.headers, &parameters)?;
        Ok((claim.authenticate(&app)?, wanted(&parameters)?))
    };
    let read: Result<_, Box<Response>> = read.await;
    match read {
        Ok((caller, wanted)) => exchange(&app, &caller, ExchangeRequest { network: origin, ..wanted }).await,
        Err(response) => *response,
    }
}

async fn read(parts: &Parts, body: axum::body::Body) -> Result<Parameters, Box<Response>> {
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        // RFC 6749, section 2.3.1: never in the address, where logs see it.
        return Err(invalid("parameters belong in the body"));
    }
    let form = match media_type(parts).as_str() {
        "application/x-www-form-urlencoded" => true,
        "application/json" => false,
        _ => return Err(invalid("`Content-Type` must be application/x-www-form-urlencoded or application/json")),
    };
    let bytes = body::read(body, &parts.headers, body::MAX_JSON_BYTES).await;
    let bytes = bytes.map_err(|problem| Box::new(oauth_problem(&problem)))?;
    if form { from_form(&bytes) } else { from_json(&bytes) }
}

/// Without its parameters: clients add a `charset` that says nothing new.
fn media_type(parts: &Parts) -> String {
    let mut values = parts.headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return String::new() };
    let media = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    media.trim().to_ascii_lowercase()
}

fn from_form(bytes: &Bytes) -> Result<Parameters, Box<Response>> {
    let pairs = url::form_urlencoded::parse(bytes);
    Parameters::deserialize(MapDeserializer::<_, FormError>::new(pairs))
        .map_err(|error| invalid(complaint(&error.to_string())))
}

fn from_json(bytes: &Bytes) -> Result<Parameters, Box<Response>> {
    serde_json::from_slice(bytes).map_err(|error| {
        invalid(if error.is_data() { complaint(&error.to_string()) } else { "the body is no JSON object" })
    })
}

/// serde's words may quote what was sent, and that is a token.
fn complaint(error: &str) -> &'static str {
    if error.starts_with("unknown field") {
        "unknown parameter: `grant_type`, `subject_token`, `subject_token_type`, `requested_token_type`, `connection`, \
         `login_hint`, `scope`, `client_id`, `client_secret` are known"
    } else if error.starts_with("duplicate field") {
        "a parameter stands twice"
    } else {
        "a parameter is no text"
    }
}

/// The one grant that we know, with all that it needs.
fn wanted(parameters: &Parameters) -> Result<ExchangeRequest, Box<Response>> {
    match parameters.grant_type.text() {
        Some(GRANT) => {}
        Some(_) => {
            let why = "the Token Vault exchange is the only grant here";
            return Err(Box::new(refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type", why)));
        }
        None => return Err(invalid("`grant_type` is needed")),
    }
    // Absent it means the same: there is only one thing to be had here, a token and never a refresh token.
    if parameters.requested_token_type.text().is_some_and(|wanted| !REQUESTED.contains(&wanted)) {
        return Err(invalid("`requested_token_type` is none of ours"));
    }
    let (Some(subject_token), Some(subject_token_type), Some(connection)) =
        (parameters.subject_token.secret(), parameters.subject_token_type.owned(), parameters.connection.owned())
    else {
        return Err(invalid("`subject_token`, `subject_token_type` and `connection` are needed"));
    };
    understood(Asked {
        subject_token: subject_token.clone(),
        subject_token_type: Some(subject_token_type),
        connection,
        login_hint: parameters.login_hint.owned(),
        scopes: parameters.scope.owned().map(Scopes::Text),
        task_id: None,
    })
}

/// Auth0's grant for Token Vault.
pub(super) const GRANT: &str = "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token";
/// Access tokens only: a refresh token of the provider never leaves the vault.
const REQUESTED: [&str; 2] = [
    "http://auth0.com/oauth/token-type/federated-connection-access-token",
    "http://auth0.com/oauth/token-type/token-vault-access-token",
];
