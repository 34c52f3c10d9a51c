//! Clients of the token endpoint: who they say they are, and the one secret that proves it (RFC 6749, section 2.3).

use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use onesec_telemetry::Secret;
use percent_encoding::percent_decode_str;

use super::App;
use super::exchange::{invalid, oauth_problem, refusal};
use super::gate::choose_tenant;
use super::params::Params;
use super::problem::Problem;
use super::token::Parameters;
use crate::keys::{Caller, KeyScope};

/// Names and secret as a client presents them. The secret is the API key of its agent.
pub(super) struct Claim {
    secret: Secret,
    /// Every name it gave, in the forms in which it may mean it. Some SDKs give none, others two.
    names: Vec<Vec<String>>,
    scheme: &'static str,
}

impl Claim {
    /// Exactly one method: Basic, Bearer, or the secret in the body.
    pub(super) fn of(headers: &HeaderMap, parameters: &Parameters) -> Result<Self, Box<Response>> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (header, second) = (values.next(), values.next());
        let secret = parameters.client_secret.secret();
        let assertion = parameters.client_assertion.text().or(parameters.client_assertion_type.text());
        let methods = [header.is_some(), second.is_some(), secret.is_some(), assertion.is_some()];
        if methods.into_iter().filter(|given| *given).count() > 1 {
            return Err(invalid("authenticate in one way only"));
        }
        if assertion.is_some() {
            return Err(unknown("client assertions are not supported yet", BEARER));
        }
        let mut claim = match (header, secret) {
            (Some(header), _) => Self::from_header(header)?,
            (None, Some(secret)) => Self { secret: secret.clone(), names: Vec::new(), scheme: BASIC },
            (None, None) => return Err(unknown("give the agent's API key as the client's secret", BASIC)),
        };
        claim.names.extend(parameters.client_id.text().map(|id| vec![id.to_owned()]));
        Ok(claim)
    }

    fn from_header(header: &HeaderValue) -> Result<Self, Box<Response>> {
        let text = header.to_str().unwrap_or_default();
        let (scheme, credentials) = text.split_once(' ').unwrap_or((text, ""));
        let credentials = credentials.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Self { secret: Secret::new(credentials.to_owned()), names: Vec::new(), scheme: BEARER });
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(unknown("authenticate by Basic, Bearer, or in the body", BASIC));
        }
        basic(credentials).ok_or_else(|| unknown("the Basic credentials cannot be read", BASIC))
    }

    /// Who it is, if the secret is good and is that of the one named.
    pub(super) fn authenticate(&self, app: &App) -> Result<Caller, Box<Response>> {
        let caller = app.keys.authenticate(&self.secret, app.core.now());
        let caller = caller.filter(|caller| self.names.iter().all(|forms| forms.iter().any(|name| is(caller, name))));
        let caller = caller.ok_or_else(|| unknown("no such client, or not its secret", self.scheme))?;
        if !caller.scopes.allow(KeyScope::Exchange) {
            let problem = Problem::forbidden("missing-scope", "the key lacks the scope `exchange`");
            return Err(Box::new(oauth_problem(&problem)));
        }
        choose_tenant(app, caller, &Params::default()).map_err(|problem| Box::new(oauth_problem(&problem)))
    }
}

/// Cut at the last colon: keys have none, names of agents may, and not everybody encodes them. For the same reason the
/// name counts as it is and decoded (RFC 6749, section 2.3.1); what keys are made of is the same in both forms.
fn basic(credentials: &str) -> Option<Claim> {
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (name, secret) = decoded.rsplit_once(':')?;
    let names = if name.is_empty() { Vec::new() } else { vec![vec![name.to_owned(), form_decoded(name)]] };
    Some(Claim { secret: Secret::new(secret.to_owned()), names, scheme: BASIC })
}

fn form_decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// An agent is known by its name or by its key's.
fn is(caller: &Caller, name: &str) -> bool {
    caller.agent.as_ref().is_some_and(|agent| agent.as_str() == name) || caller.key.as_str() == name
}

fn unknown(why: &str, scheme: &'static str) -> Box<Response> {
    let mut response = refusal(StatusCode::UNAUTHORIZED, "invalid_client", why);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    Box::new(response)
}

const BASIC: &str = "Basic realm=\"onesec\"";
const BEARER: &str = "Bearer";
