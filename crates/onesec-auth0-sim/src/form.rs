//! The parameters of a token request: form or JSON, and who the client is.

use std::collections::HashMap;

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use onesec_telemetry::Secret;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::answer::{BAD_ASSERTION, BAD_CREDENTIALS, Refusal};

/// The parameters of one request. No `Debug`: they are full of secrets.
pub(crate) struct Form {
    params: HashMap<String, String>,
    basic: Option<String>,
}

/// Who the client says it is.
pub(crate) struct Presented {
    pub(crate) id: String,
    pub(crate) secret: Secret,
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const MALFORMED: Refusal = (400, "invalid_request", "Malformed request body.");

impl Form {
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let pairs = match essence {
            "application/json" => json_pairs(body)?,
            "application/x-www-form-urlencoded" => url::form_urlencoded::parse(body).into_owned().collect(),
            _ => return Err((400, "invalid_request", "Unsupported content type.")),
        };
        let mut params = HashMap::new();
        for (name, value) in pairs {
            if params.insert(name, value).is_some() {
                return Err((400, "invalid_request", "Duplicate parameter."));
            }
        }
        let basic = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Basic ")).map(str::to_owned);
        Ok(Self { params, basic })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The client assertion, if the client authenticates by one; then by nothing else (RFC 6749, section 2.3).
    pub(crate) fn assertion(&self) -> Result<Option<Secret>, Refusal> {
        let Some(assertion) = self.get("client_assertion") else {
            return Ok(None);
        };
        let only = self.basic.is_none() && self.get("client_secret").is_none();
        let known = self.get("client_assertion_type") == Some(ASSERTION_TYPE);
        if only && known { Ok(Some(Secret::new(assertion.to_owned()))) } else { Err(BAD_ASSERTION) }
    }

    /// HTTP Basic or the body; both may name the client, but not two clients.
    pub(crate) fn credentials(&self) -> Result<Vec<Presented>, Refusal> {
        let in_body = self.get("client_id");
        let Some(basic) = &self.basic else {
            let (Some(id), Some(secret)) = (in_body, self.get("client_secret")) else {
                return Err(BAD_CREDENTIALS);
            };
            return Ok(vec![Presented { id: id.to_owned(), secret: Secret::new(secret.to_owned()) }]);
        };
        let decoded = STANDARD.decode(basic).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((id, secret)) = decoded.as_deref().and_then(|pair| pair.split_once(':')) else {
            return Err(BAD_CREDENTIALS);
        };
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        // Some SDKs send them raw, others form-urlencoded as RFC 6749, section 2.3.1 has it.
        let readings = [(id.to_owned(), secret.to_owned()), (decode(id), decode(secret))];
        let agrees = |id: &str| in_body.is_none_or(|named| named == id);
        let readings = readings.into_iter().filter(|(id, _)| agrees(id));
        Ok(readings.map(|(id, secret)| Presented { id, secret: Secret::new(secret) }).collect())
    }
}

fn json_pairs(body: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return Err(MALFORMED);
    };
    let pair = |(name, value): (String, Value)| match value {
        Value::String(text) => Ok((name, text)),
        _ => Err(MALFORMED),
    };
    members.into_iter().map(pair).collect()
}
