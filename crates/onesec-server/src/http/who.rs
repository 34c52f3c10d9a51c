//! Who is calling: by an API key, by a token of a configured issuer, or by a client certificate.

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, StatusCode, Uri};
use onesec_journal::LedgerWrite;
use onesec_telemetry::{Secret, Thumbprint, Timestamp};

use super::App;
use super::gate::{is_token, presented};
use super::problem::Problem;
use super::routes::Route;
use crate::identity::{Asked, NotVouched, PeerCertificate, Shown, ShownProblem};
use crate::keys::{Caller, KeyScope};

/// What a request shows besides its credential, and the rows that keep used what it used up.
#[derive(Clone, Default)]
pub(super) struct Evidence {
    pub(super) shown: Shown,
    /// The key that the issuer bound the agent's own token to; its possession was shown.
    pub(super) bound_to: Option<Thumbprint>,
    pub(super) ledger: Vec<LedgerWrite>,
}

/// The head of a request, as far as it says who calls.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) extensions: &'a Extensions,
}

impl<'a> Head<'a> {
    pub(super) fn of(request: &'a Request) -> Self {
        let (method, uri) = (request.method(), request.uri());
        Self { method, uri, headers: request.headers(), extensions: request.extensions() }
    }

    pub(super) fn of_parts(parts: &'a Parts) -> Self {
        Self { method: &parts.method, uri: &parts.uri, headers: &parts.headers, extensions: &parts.extensions }
    }

    pub(super) fn certificate(&self) -> Option<PeerCertificate> {
        self.extensions.get::<PeerCertificate>().cloned()
    }

    /// Addresses by which a client may have meant this one. Without TLS of our own a proxy with TLS may stand in front.
    pub(super) fn urls(&self, app: &App) -> Vec<String> {
        let host = self.host();
        let schemes: &[&str] = if app.tls { &["https"] } else { &["https", "http"] };
        schemes.iter().map(|scheme| format!("{scheme}://{host}{}", self.uri.path())).collect()
    }

    /// Our names as the audience of what clients sign: the issuer and the token endpoint.
    pub(super) fn audiences(&self, app: &App) -> Vec<String> {
        let host = self.host();
        let schemes: &[&str] = if app.tls { &["https"] } else { &["https", "http"] };
        schemes.iter().flat_map(|s| [format!("{s}://{host}/"), format!("{s}://{host}/oauth/token")]).collect()
    }

    /// Checked before anything is routed: it is one of our own names.
    fn host(&self) -> String {
        let host = self.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| self.uri.authority().map(axum::http::uri::Authority::as_str));
        host.unwrap_or_default().to_ascii_lowercase()
    }

    /// Reads what is shown; the proof must be made for this request and, where there is one, for this token.
    pub(super) fn shown(&self, app: &App, credential: Option<&Secret>, now: Timestamp) -> Result<Shown, ShownProblem> {
        let urls = self.urls(app);
        Shown::read(self.headers, self.certificate(), &Asked { method: self.method, urls: &urls, credential }, now)
    }
}

/// Who calls a route that wants `scope`, and what the request shows.
pub(super) async fn who(
    app: &App,
    route: &Route,
    scope: KeyScope,
    head: Head<'_>,
) -> Result<(Caller, Evidence), Problem> {
    let now = app.core.now();
    let (caller, mut evidence) = match presented(head.headers) {
        Some(key) if !is_token(&key) => {
            let caller = app.keys.authenticate(&key, now).ok_or_else(Problem::unauthorised)?;
            (caller, Evidence::default())
        }
        Some(token) => by_token(app, head, (&token, bound_scheme(head.headers)), now).await?,
        None => (by_certificate(app, head).ok_or_else(Problem::unauthorised)?, Evidence::default()),
    };
    if !caller.scopes.allow(scope) {
        let detail = format!("the key lacks the scope `{}`", scope.as_str());
        return Err(Problem::forbidden("missing-scope", detail).with("scope", scope.as_str()));
    }
    // Elsewhere a key is enough, and a proof beside it says nothing more.
    if route.oauth && evidence.shown.proof().is_none() {
        evidence.shown = head.shown(app, None, now).map_err(|problem| bad_proof(&problem))?;
        evidence.ledger = used(app, &caller, &evidence.shown, now)?;
    }
    Ok((caller, evidence))
}

/// By a token of an issuer that the agent's tenant trusts.
pub(super) async fn by_token(
    app: &App,
    head: Head<'_>,
    (token, bound): (&Secret, bool),
    now: Timestamp,
) -> Result<(Caller, Evidence), Problem> {
    let shown = head.shown(app, Some(token).filter(|_| bound), now).map_err(|problem| bad_proof(&problem))?;
    let vouched = app.identity.issuers.vouched((token, &shown), &app.identity.agents, now).await;
    let vouched = vouched.map_err(|why| not_vouched(&why))?;
    let caller = Caller::of_agent(&vouched.tenant, &vouched.agent.said);
    let ledger = used(app, &caller, &shown, now)?;
    let bound_to = vouched.token.bound_to().and_then(|binding| binding.key());
    Ok((caller, Evidence { shown, bound_to, ledger }))
}

/// By the certificate of the connection (RFC 8705, section 2): of whichever tenant's agent it is, and of one only.
pub(super) fn by_certificate(app: &App, head: Head<'_>) -> Option<Caller> {
    let shown = head.certificate()?;
    let agents = &app.identity.agents;
    let tenants = app.core.tenants();
    let mut found = tenants.iter().filter_map(|tenant| {
        let known = agents.by_certificate(tenant, shown.thumbprint);
        let named = || shown.names.iter().find_map(|name| agents.by_certificate_name(tenant, name));
        known.or_else(named).map(|agent| Caller::of_agent(tenant, &agent.said))
    });
    found.next().filter(|_| found.next().is_none())
}

pub(super) fn used(app: &App, caller: &Caller, shown: &Shown, now: Timestamp) -> Result<Vec<LedgerWrite>, Problem> {
    shown.use_up(&app.identity.used, (&caller.tenant, &caller.key), now).map_err(|problem| bad_proof(&problem))
}

/// Whether the token comes as one that is bound to a key (RFC 9449, section 7.1).
pub(super) fn bound_scheme(headers: &HeaderMap) -> bool {
    let scheme = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|v| v.split_once(' '));
    scheme.is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("dpop"))
}

pub(super) fn bad_proof(problem: &ShownProblem) -> Problem {
    let status = StatusCode::UNAUTHORIZED;
    let challenge = r#"DPoP error="invalid_dpop_proof", algs="ES256 RS256 PS256 EdDSA""#;
    Problem::new(status, "invalid_dpop_proof", problem.to_string()).challenge(challenge)
}

fn not_vouched(why: &NotVouched) -> Problem {
    if matches!(why, NotVouched::Keys) {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "issuer-unavailable", why.to_string())
            .retry_after(std::time::Duration::from_secs(5));
    }
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "invalid_token", why.to_string());
    problem.challenge(r#"Bearer error="invalid_token""#)
}
