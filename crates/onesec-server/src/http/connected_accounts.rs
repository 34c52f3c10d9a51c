//! The "connect" button of an application, through us: with the user's own token for the My Account API, which comes in a
//! header of its own, is used for this request, and is neither kept nor logged.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use onesec_auth0::{ApiError, ConnectError, ConnectRequest, MyAccount, OwnAccount};
use onesec_journal::{LedgerFilter, LedgerTable};
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::event::{ConnectedAccountLink, ConnectedAccountUnlink, OauthConsent, Text};
use onesec_telemetry::{
    AccountId, AppId, Channel, Common, ConnectionName, Details, Event, Name, ScopeSet, Secret, Sender, Subject, UserId,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::answer::{self, Answer};
use super::body;
use super::decide::findings_json;
use super::events::{event_id, new_ulid};
use super::params::Params;
use super::problem::Problem;
use crate::connect::{Begun, pkce};
use crate::core::{Draft, Submission};
use crate::keys::Caller;

/// Who asks, with whose token.
struct Mine {
    my_account: Arc<MyAccount>,
    token: Secret,
    user: UserId,
}

async fn mine(app: &App, caller: &Caller, headers: &HeaderMap) -> Result<Mine, Problem> {
    let my_account = app.my_account.get(&caller.tenant).cloned().ok_or_else(|| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-configured",
            "`token_vault` is not configured for the tenant",
        )
    })?;
    let shown = headers.get(HEADER).and_then(|value| value.to_str().ok()).map(str::trim);
    let missing = || Problem::bad_request("missing-token", format!("`{HEADER}` must have the user's own token"));
    let token = Secret::new(shown.filter(|token| !token.is_empty()).ok_or_else(missing)?.to_owned());
    let user = my_account.user_of(&token).await.map_err(|error| match error {
        ApiError::NotTheUsers(_) => Problem::new(StatusCode::UNAUTHORIZED, "bad-my-account-token", error.to_string()),
        error => upstream(&error),
    })?;
    Ok(Mine { my_account, token, user })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    connection: ConnectionName,
    redirect_uri: String,
    state: String,
    #[serde(default)]
    scopes: Vec<String>,
    authorization_params: Option<Value>,
}

/// `POST /api/v1/connected-accounts/connect`: judged before the user is sent anywhere.
pub(super) async fn connect(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let mine = mine(&app, &caller, request.headers()).await?;
    let wanted: Wanted = body::json(request).await?;
    check(&app, &caller, &wanted)?;
    let findings = judged(&app, (&caller, &mine.user), &wanted).await?;
    let (verifier, challenge) = pkce().ok_or_else(Problem::internal)?;
    let asked = ConnectRequest {
        connection: &wanted.connection,
        redirect_uri: &wanted.redirect_uri,
        state: &wanted.state,
        scopes: &wanted.scopes,
        code_challenge: &challenge,
        authorization_params: wanted.authorization_params.as_ref(),
    };
    let begun = mine.my_account.connect(&mine.token, &asked).await.map_err(|error| refused(&error))?;
    let whose = (caller.tenant.clone(), mine.user);
    let ours = Begun::new(whose, wanted.connection, (wanted.redirect_uri, &wanted.state), verifier);
    app.connecting.begin(&begun.auth_session, ours, app.core.now());
    let shown = json!({
        "connect_uri": begun.connect_uri, "auth_session": begun.auth_session.expose_to_wire(),
        "connect_params": {"ticket": begun.connect_params.ticket.expose_to_wire()}, "expires_in": begun.expires_in,
        "findings": findings,
    });
    answer::json(StatusCode::CREATED, &shown)
}

/// Where the browser comes back to must be listed: the code comes with it.
fn check(app: &App, caller: &Caller, wanted: &Wanted) -> Result<(), Problem> {
    let listed = app.redirect_uris.get(&caller.tenant).is_some_and(|all| all.contains(&wanted.redirect_uri));
    if !listed {
        let detail = "`redirect_uri` is none of `token_vault.connect_redirect_uris`";
        return Err(Problem::unprocessable("redirect-uri-not-listed", detail));
    }
    if !(MIN_STATE..=MAX_STATE).contains(&wanted.state.len()) {
        let detail = format!("`state` must have {MIN_STATE} to {MAX_STATE} bytes that nobody can guess");
        return Err(Problem::unprocessable("bad-state", detail));
    }
    if wanted.scopes.len() > MOST_SCOPES {
        return Err(Problem::unprocessable("too-many", format!("at most {MOST_SCOPES} scopes")));
    }
    Ok(())
}

/// What the user is about to consent to, as an event: `consent-phishing` and whoever else reads such events has a say.
async fn judged(app: &App, (caller, user): (&Caller, &UserId), wanted: &Wanted) -> Result<Value, Problem> {
    if wanted.scopes.is_empty() {
        return Ok(json!([]));
    }
    let scopes = scopes(&wanted.scopes, &wanted.connection)?;
    // A question, not a report: it has not happened yet.
    let sender = Sender { channel: Channel::Decide, ..caller.sender(Channel::Api) };
    let app_id = sender.owner.as_ref().map_or("connect", Name::as_str);
    let details = Details::OauthConsent(OauthConsent {
        app_id: AppId::new(app_id).map_err(|_| Problem::internal())?,
        scopes,
        username: user.clone(),
        app_name: None,
        redirect_uri: Some(Text::redacted(&wanted.redirect_uri)),
        grant_type: None,
        // The operator's own application, by its own key.
        publisher_verified: Some(true),
        app_created_at: None,
    });
    let common =
        Common { user_id: Some(user.clone()), connection: Some(wanted.connection.clone()), ..Common::default() };
    let id = new_ulid(app.core.now()).map(event_id).ok_or_else(Problem::internal)?;
    let draft = Draft::new(Event::new(id, common, details), sender);
    let ruling = app.core.request(&caller.tenant, draft).await?;
    if ruling.answer.applies.passes() {
        return Ok(findings_json(&ruling.findings));
    }
    let why = ruling.answer.because.map_or_else(|| "policy refuses it".to_owned(), |because| because.reason);
    Err(Problem::forbidden("refused-by-policy", why))
}

fn scopes(said: &[String], connection: &ConnectionName) -> Result<ScopeSet, Problem> {
    let parsed = ScopeSet::parse_all(said.iter().map(String::as_str));
    let scopes = parsed.map_err(|error| Problem::unprocessable("bad-scope", error.to_string()))?;
    let catalogue = Catalogue::builtin();
    Ok(catalogue.canonical(catalogue.provider_of_connection(connection.as_str()), &scopes))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Returned {
    auth_session: Secret,
    connect_code: Secret,
    state: String,
}

/// `POST /api/v1/connected-accounts/complete`: by the user for whom it was begun, with the state that it was begun with.
pub(super) async fn complete(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let mine = mine(&app, &caller, request.headers()).await?;
    let returned: Returned = body::json(request).await?;
    let state = onesec_telemetry::Thumbprint::of(returned.state.as_bytes());
    let is_it = |begun: &Begun| begun.tenant == caller.tenant && begun.user == mine.user && begun.state == state;
    let begun = app.connecting.take(&returned.auth_session, is_it, app.core.now()).ok_or_else(|| {
        let detail =
            "no connection of this user was begun with this `auth_session` and `state`, or its time is over: begin anew";
        Problem::new(StatusCode::CONFLICT, "not-begun", detail)
    })?;
    // Done to its end, also where whoever asks hangs up: what is connected there must be known here.
    let work = async move {
        let code = (&returned.auth_session, &returned.connect_code);
        let there = (begun.redirect_uri.as_str(), &begun.verifier);
        let done = mine.my_account.complete_connection(&mine.token, code, there).await;
        let account = done.map_err(|error| refused(&error))?;
        let account = read_back(&mine, &begun.connection, account).await;
        linked(&app, (&caller, &mine.user), (&begun.connection, &account)).await?;
        answer::json(StatusCode::CREATED, &account)
    };
    tokio::spawn(work).await.map_err(|_| Problem::internal())?
}

/// As the tenant lists it now; where it may not be listed, as the tenant just said.
async fn read_back(mine: &Mine, connection: &ConnectionName, said: OwnAccount) -> OwnAccount {
    let listed = mine.my_account.connected(&mine.token, Some(connection)).await.unwrap_or_default();
    listed.into_iter().find(|account| account.id == said.id).unwrap_or(said)
}

async fn linked(
    app: &App,
    (caller, user): (&Caller, &UserId),
    (connection, account): (&ConnectionName, &OwnAccount),
) -> Result<(), Problem> {
    let details = Details::ConnectedAccountLink(ConnectedAccountLink {
        scopes: scopes(&account.scopes, connection).ok(),
        access_type: account.access_type.as_deref().and_then(|kind| Name::new(kind).ok()),
        account_id: AccountId::new(&account.id).ok(),
    });
    tell(app, (caller, user), (connection.clone(), details)).await
}

/// As the tenant says it of its own user, by that user's token.
async fn tell(
    app: &App,
    (caller, user): (&Caller, &UserId),
    (connection, details): (ConnectionName, Details),
) -> Result<(), Problem> {
    let common = Common { user_id: Some(user.clone()), connection: Some(connection), ..Common::default() };
    let id = new_ulid(app.core.now()).map(event_id).ok_or_else(Problem::internal)?;
    let sender = Sender { channel: Channel::Auth0, ..caller.sender(Channel::Api) };
    let mut draft = Draft::new(Event::new(id, common, details), sender);
    let issuer = Name::new("my-account").map_err(|_| Problem::internal())?;
    draft.subject = Subject::Verified { user: user.clone(), issuer, parties: None };
    let submission = Submission { tenant: caller.tenant.clone(), drafts: vec![draft], dead_letters: Vec::new() };
    app.core.ingest(submission).await?;
    Ok(())
}

/// `GET /api/v1/connected-accounts`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params, headers: HeaderMap) -> Answer {
    let mine = mine(&app, &caller, &headers).await?;
    let connection: Option<ConnectionName> = params.parsed("connection")?;
    let accounts =
        mine.my_account.connected(&mine.token, connection.as_ref()).await.map_err(|error| upstream(&error))?;
    answer::ok(&json!({"accounts": accounts}))
}

/// `DELETE /api/v1/connected-accounts/{id}`: what was lent on it counts no more before the tenant is asked.
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let mine = mine(&app, &caller, &headers).await?;
    let plain =
        id.len() <= 128 && id.strip_prefix("cac_").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphanumeric()));
    let account_id = AccountId::new(&id).ok().filter(|_| plain).ok_or_else(missing)?;
    let connection = place(&app, &caller, (&mine, &account_id)).await?;
    let details = Details::ConnectedAccountUnlink(ConnectedAccountUnlink { account_id: Some(account_id) });
    tell(&app, (&caller, &mine.user), (connection.clone(), details)).await?;
    let gone = mine.my_account.remove_by_id(&mine.token, &id).await;
    gone.map_err(|error| upstream(&error).with("unlinked", true))?;
    match mine.my_account.connected(&mine.token, Some(&connection)).await {
        Ok(left) if left.iter().any(|account| account.id == id) => {
            let detail = "the tenant says that the account is removed, and it is still listed";
            Err(Problem::new(StatusCode::BAD_GATEWAY, "not-removed", detail).with("unlinked", true))
        }
        Ok(_) | Err(_) => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Where the account is: as the ledger knows, else as the tenant does.
async fn place(app: &App, caller: &Caller, (mine, id): (&Mine, &AccountId)) -> Result<ConnectionName, Problem> {
    let filter = LedgerFilter { user_id: Some(mine.user.clone()), ..LedgerFilter::default() };
    let (table, tenant) = (LedgerTable::Accounts, caller.tenant.clone());
    let rows = app.read(move |reader| reader.ledger((table, &tenant), &filter, (None, 1_000))).await?;
    let is_it = |row: &&onesec_journal::LedgerRow| row.id.ends_with(&format!("\u{1f}{id}"));
    if let Some(connection) = rows.items.iter().find(is_it).and_then(|row| row.connection.clone()) {
        return Ok(connection);
    }
    let all = mine.my_account.connected(&mine.token, None).await.map_err(|error| upstream(&error))?;
    let found = all.into_iter().find(|account| account.id == id.as_str()).ok_or_else(missing)?;
    ConnectionName::new(&found.connection).map_err(|_| missing())
}

fn missing() -> Problem {
    Problem::not_found("connected account")
}

/// The tenant's own status and complaints.
fn refused(error: &ConnectError) -> Problem {
    match error {
        ConnectError::Refused(complaint) => {
            let status = StatusCode::from_u16(complaint.status).unwrap_or(StatusCode::BAD_GATEWAY);
            let detail = if complaint.detail.is_empty() { &complaint.title } else { &complaint.detail };
            Problem::new(status, "auth0-refused", detail.clone())
                .with("validation_errors", json!(complaint.validation_errors))
        }
        ConnectError::Api(error) => upstream(error),
        other => Problem::new(StatusCode::BAD_GATEWAY, "auth0-failed", other.to_string()),
    }
}

fn upstream(error: &ApiError) -> Problem {
    let status = match error {
        ApiError::Refused { status, .. } => StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY),
        ApiError::NotFound => StatusCode::NOT_FOUND,
        ApiError::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let problem = Problem::new(status, "auth0-failed", error.to_string());
    match error.retry_after() {
        Some(pause) => problem.retry_after(pause),
        None => problem,
    }
}

/// Whose token it is, nobody else's business.
const HEADER: &str = "x-my-account-token";
const MIN_STATE: usize = 16;
const MAX_STATE: usize = 4_096;
const MOST_SCOPES: usize = 100;
