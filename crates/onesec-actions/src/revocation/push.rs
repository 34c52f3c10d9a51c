//! A security event token on its way to a receiver (RFC 8935).

use onesec_telemetry::Secret;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::Value;
use url::Url;

use super::at_provider::{ProviderError, TOTAL, checked};

/// Where tokens are pushed to.
#[derive(Debug, Clone)]
pub struct EventPush {
    url: Url,
    authorization: Option<Secret>,
    http: reqwest::Client,
}

/// What the receiver made of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// 202: it has it.
    Taken,
    /// It says that it will never take it: its `err`, or the status.
    Refused(String),
    /// It may take it later.
    Failed(String),
}

impl EventPush {
    /// To `url`: `https://…`, or `http://` to this machine. `authorization` is sent as it is.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub fn new(url: &str, authorization: Option<Secret>, http: reqwest::Client) -> Result<Self, ProviderError> {
        Ok(Self { url: checked(url)?, authorization, http })
    }

    /// Sends one, once.
    pub async fn push(&self, token: &Secret) -> Pushed {
        let mut request = self
            .http
            .post(self.url.clone())
            .timeout(TOTAL)
            .header(CONTENT_TYPE, "application/secevent+jwt")
            .header(ACCEPT, "application/json");
        if let Some(authorization) = &self.authorization {
            let Ok(mut value) = HeaderValue::try_from(authorization.expose_to_wire()) else {
                return Pushed::Refused("its `authorization` cannot be sent".to_owned());
            };
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let mut response = match request.body(token.expose_to_wire().to_owned()).send().await {
            Ok(response) => response,
            Err(error) if error.is_timeout() => return Pushed::Failed("no answer in time".to_owned()),
            Err(_) => return Pushed::Failed("no answer".to_owned()),
        };
        let status = response.status().as_u16();
        match status {
            200..=299 => Pushed::Taken,
            408 | 425 | 429 | 500.. => Pushed::Failed(format!("answered {status}")),
            _ => {
                let mut body = Vec::new();
                while let Ok(Some(chunk)) = response.chunk().await {
                    if body.len() + chunk.len() > MOST_READ {
                        break;
                    }
                    body.extend_from_slice(&chunk);
                }
                let said: Value = serde_json::from_slice(&body).unwrap_or_default();
                let word = said.get("err").and_then(Value::as_str).filter(|err| is_word(err)).unwrap_or_default();
                Pushed::Refused(format!("answered {status} {word}").trim_end().to_owned())
            }
        }
    }
}

/// A code as the RFC has them; nothing else of the answer is repeated.
fn is_word(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

/// Bytes of an answer that are read.
const MOST_READ: usize = 4 * 1024;
