//! Clients of the token endpoint: who they say they are, and the one proof of it (RFC 6749, section 2.3).

use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use onesec_identity::{AssertionExpect, AssertionRefused, VerifiedAssertion, claimed_client, verify_client_assertion};
use onesec_telemetry::{AgentId, AppId, Secret, TenantId, Timestamp};
use percent_encoding::percent_decode_str;

use super::App;
use super::exchange::{invalid, oauth_problem, refusal};
use super::gate::{choose_tenant, is_token};
use super::params::Params;
use super::problem::Problem;
use super::token::Parameters;
use super::who::{Evidence, Head, bad_proof, bound_scheme, by_certificate, by_token, used};
use crate::identity::used_row;
use crate::keys::{Caller, KeyScope};

/// What a client presents, and under which names.
pub(super) struct Claim {
    credential: Credential,
    /// Every name it gave, in the forms in which it may mean it. Some SDKs give none, others two.
    names: Vec<Vec<String>>,
    scheme: &'static str,
}

enum Credential {
    /// The API key of its agent.
    Key(Secret),
    /// A token of a configured issuer.
    Token(Secret),
    /// `private_key_jwt` (RFC 7523, section 2.2).
    Assertion(Secret),
    /// The certificate of the connection (RFC 8705, section 2).
    Certificate,
}

impl Claim {
    /// Exactly one method: Basic, Bearer, the secret in the body, an assertion; without any, the certificate.
    pub(super) fn of(head: Head<'_>, parameters: &Parameters) -> Result<Self, Box<Response>> {
        let mut values = head.headers.get_all(AUTHORIZATION).iter();
        let (header, second) = (values.next(), values.next());
        let own = head.headers.get("x-api-key").and_then(|key| key.to_str().ok());
        let secret = parameters.client_secret.secret();
        let typed = parameters.client_assertion_type.text();
        let assertion = parameters.client_assertion.secret();
        let asserts = assertion.is_some() || typed.is_some();
        let methods = [header.is_some(), second.is_some(), own.is_some(), secret.is_some(), asserts];
        if methods.into_iter().filter(|given| *given).count() > 1 {
            return Err(invalid("authenticate in one way only"));
        }
        let mut claim = match (header, own, secret, assertion) {
            (Some(header), ..) => Self::from_header(header)?,
            (_, Some(key), ..) => Self::new(Credential::Key(Secret::new(key.trim().to_owned())), BEARER),
            (_, _, Some(secret), _) => Self::new(Credential::Key(secret.clone()), BASIC),
            (.., Some(assertion)) if typed == Some(ASSERTION_TYPE) => {
                Self::new(Credential::Assertion(assertion.clone()), BEARER)
            }
            _ if asserts => return Err(challenged("only assertions of the type JWT bearer are known", BEARER)),
            _ if head.certificate().is_some() => Self::new(Credential::Certificate, BASIC),
            _ => return Err(challenged("give the agent's API key as the client's secret", BASIC)),
        };
        claim.names.extend(parameters.client_id.text().map(|id| vec![id.to_owned()]));
        Ok(claim)
    }

    /// Our key in its own header, or the certificate, whatever else there is.
    pub(super) fn of_ours(head: Head<'_>) -> Result<Self, Box<Response>> {
        let mut keys = head.headers.get_all("x-api-key").iter().map(HeaderValue::to_str);
        match (keys.next(), keys.next()) {
            (Some(Ok(key)), None) => Ok(Self::new(Credential::Key(Secret::new(key.trim().to_owned())), BEARER)),
            (Some(_), _) => Err(unknown("`X-API-Key` is no key")),
            (None, _) => Ok(Self::new(Credential::Certificate, BASIC)),
        }
    }

    const fn new(credential: Credential, scheme: &'static str) -> Self {
        Self { credential, names: Vec::new(), scheme }
    }

    fn from_header(header: &HeaderValue) -> Result<Self, Box<Response>> {
        let text = header.to_str().unwrap_or_default();
        let (scheme, credentials) = text.split_once(' ').unwrap_or((text, ""));
        let credentials = credentials.trim();
        let secret = Secret::new(credentials.to_owned());
        let bearer = scheme.eq_ignore_ascii_case("bearer");
        if is_token(&secret) && (bearer || scheme.eq_ignore_ascii_case("dpop")) {
            return Ok(Self::new(Credential::Token(secret), BEARER));
        }
        if bearer {
            return Ok(Self::new(Credential::Key(secret), BEARER));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(challenged("authenticate by Basic, Bearer, or in the body", BASIC));
        }
        basic(credentials).ok_or_else(|| challenged("the Basic credentials cannot be read", BASIC))
    }

    /// Who it is, if the proof is good and is that of the one named; and what else the request shows.
    pub(super) async fn authenticate(&self, app: &App, head: Head<'_>) -> Result<(Caller, Evidence), Box<Response>> {
        let now = app.core.now();
        let nobody = || challenged("no such client, or not its proof", self.scheme);
        let (caller, evidence) = match &self.credential {
            Credential::Key(key) => (app.keys.authenticate(key, now).ok_or_else(nobody)?, None),
            Credential::Certificate => (by_certificate(app, head).ok_or_else(nobody)?, None),
            Credential::Assertion(assertion) => {
                let (tenant, proof, agent) = asserted(app, head, assertion, now)?;
                let ledger = once(app, (&tenant, &agent), &proof, now)?;
                let caller = self.agent(app, &tenant, &agent).ok_or_else(nobody)?;
                (caller, Some(Evidence { ledger, ..Evidence::default() }))
            }
            Credential::Token(token) => {
                let by = by_token(app, head, (token, bound_scheme(head.headers)), now).await;
                let (caller, evidence) = by.map_err(|problem| Box::new(oauth_problem(&problem)))?;
                (caller, Some(evidence))
            }
        };
        if !self.names.iter().all(|forms| forms.iter().any(|name| is(app, &caller, name))) {
            return Err(nobody());
        }
        if !caller.scopes.allow(KeyScope::Exchange) {
            let problem = Problem::forbidden("missing-scope", "the key lacks the scope `exchange`");
            return Err(Box::new(oauth_problem(&problem)));
        }
        let caller = choose_tenant(app, caller, &Params::default()).map_err(|p| Box::new(oauth_problem(&p)))?;
        let evidence = completed(app, head, (&caller, evidence.unwrap_or_default()), now);
        Ok((caller, evidence.map_err(|problem| Box::new(oauth_problem(&problem)))?))
    }

    fn agent(&self, app: &App, tenant: &TenantId, agent: &AgentId) -> Option<Caller> {
        app.identity.agents.of(tenant, agent).map(|known| Caller::of_agent(tenant, &known.said))
    }
}

/// A proof of possession that was not read with the credential already.
fn completed(
    app: &App,
    head: Head<'_>,
    (caller, mut evidence): (&Caller, Evidence),
    now: Timestamp,
) -> Result<Evidence, Problem> {
    if evidence.shown.proof().is_none() {
        evidence.shown = head.shown(app, None, now).map_err(|problem| bad_proof(&problem))?;
        evidence.ledger.extend(used(app, caller, &evidence.shown, now)?);
    }
    Ok(evidence)
}

/// The tenant's agent whose key signed the assertion. A name may be known to several tenants: the key decides. Where it is
/// registered in several, nobody knows whose agent asks, and what it shows must not reach the wrong tenant.
fn asserted(
    app: &App,
    head: Head<'_>,
    assertion: &Secret,
    now: Timestamp,
) -> Result<(TenantId, VerifiedAssertion, AgentId), Box<Response>> {
    let refused = |reason: &str| challenged(&format!("the client assertion was refused: {reason}"), BEARER);
    let client = claimed_client(assertion).map_err(|why| refused(why.code()))?;
    let (audiences, mut reason, mut found) = (head.audiences(app), "unknown_client", None);
    let audiences: Vec<&str> = audiences.iter().map(String::as_str).collect();
    for tenant in app.core.tenants() {
        let agents = &app.identity.agents;
        let itself = || AgentId::new(client.as_str()).ok().and_then(|agent| agents.of(&tenant, &agent));
        let Some(agent) = agents.by_client(&tenant, client.as_str()).or_else(itself) else { continue };
        let expect = AssertionExpect { client: &client, audiences: &audiences };
        match verify_client_assertion(assertion, &agent.keys, &expect, now) {
            Ok(_) if found.is_some() => return Err(refused("several_tenants")),
            Ok(proof) => found = Some((tenant, proof, agent.said.agent_id.clone())),
            Err(why) => reason = AssertionRefused::code(why),
        }
    }
    found.ok_or_else(|| refused(reason))
}

/// Uses the assertion up (RFC 7523, section 3): the row keeps it used.
fn once(
    app: &App,
    (tenant, agent): (&TenantId, &AgentId),
    proof: &VerifiedAssertion,
    now: Timestamp,
) -> Result<Vec<onesec_journal::LedgerWrite>, Box<Response>> {
    let (issuer, until) = (format!("assertion {agent}"), proof.replayable_until());
    let admitted = app.identity.used.admit((tenant, agent.as_str()), (&issuer, proof.jti()), (until, now));
    admitted.map_err(|why| challenged(&format!("the client assertion was refused: {}", why.code()), BEARER))?;
    Ok(vec![used_row(tenant, (&issuer, proof.jti()), until)])
}

/// Cut at the last colon: keys have none, names of agents may, and not everybody encodes them. For the same reason the
/// name counts as it is and decoded (RFC 6749, section 2.3.1); what keys are made of is the same in both forms.
fn basic(credentials: &str) -> Option<Claim> {
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (name, secret) = decoded.rsplit_once(':')?;
    let names = if name.is_empty() { Vec::new() } else { vec![vec![name.to_owned(), form_decoded(name)]] };
    Some(Claim { credential: Credential::Key(Secret::new(secret.to_owned())), names, scheme: BASIC })
}

fn form_decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// An agent is known by its name, by its clients', or by its key's.
fn is(app: &App, caller: &Caller, name: &str) -> bool {
    let Some(agent) = &caller.agent else { return caller.key.as_str() == name };
    let client = || {
        AppId::new(name).is_ok()
            && app.identity.agents.by_client(&caller.tenant, name).is_some_and(|known| known.said.agent_id == *agent)
    };
    agent.as_str() == name || caller.key.as_str() == name || client()
}

/// The client that a request names, in the header or the body.
pub(super) fn client_id(head: Head<'_>, parameters: &Parameters) -> Option<String> {
    let header = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let basic = header.and_then(|text| text.split_once(' ')).filter(|(s, _)| s.eq_ignore_ascii_case("basic"));
    let named = basic.and_then(|(_, credentials)| basic_names(credentials.trim()));
    named.or_else(|| parameters.client_id.text().map(str::to_owned))
}

/// RFC 6749, section 2.3.1: the name is form-encoded, and ids of Auth0's clients are the same either way.
fn basic_names(credentials: &str) -> Option<String> {
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    decoded.split_once(':').map(|(name, _)| form_decoded(name)).filter(|name| !name.is_empty())
}

/// 401 `invalid_client`, in the words of RFC 6749, section 5.2.
pub(super) fn unknown(why: &str) -> Box<Response> {
    challenged(why, BASIC)
}

fn challenged(why: &str, scheme: &'static str) -> Box<Response> {
    let mut response = refusal(StatusCode::UNAUTHORIZED, "invalid_client", why);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    Box::new(response)
}

/// RFC 7523, section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const BASIC: &str = "Basic realm=\"onesec\"";
const BEARER: &str = "Bearer";
