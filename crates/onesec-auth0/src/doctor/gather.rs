//! Asks the tenant: one question after the other, since tenants allow few at a time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use onesec_telemetry::Secret;
use serde::Deserialize;

use super::{
    ClientFacts, ClientUse, ConnectionFacts, Discovery, Enabled, Facts, Probe, Seen, Server, Untold, UserFacts,
};
use crate::body::read_capped;
use crate::clock::Clock;
use crate::config::Auth0Config;
use crate::endpoint::{Grant, TokenEndpoint, TokenSource};
use crate::error::ExchangeError;
use crate::http::HttpClient;
use crate::management::Management;
use crate::rest::ApiError;
use crate::vault::{GRANT, SubjectKind};

/// The largest discovery document that is read.
const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
/// For a name to be found.
const RESOLVING: Duration = Duration::from_secs(5);
/// A token that no tenant ever issued.
const NONSENSE: &str = "onesec-doctor-asks-with-no-token";

/// What is to be looked at.
#[expect(clippy::exhaustive_structs, reason = "an order is filled in by who gives it")]
pub struct Plan {
    /// The tenant, as any client of it.
    pub tenant: Auth0Config,
    /// What to ask with.
    pub http: HttpClient,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Our clients.
    pub clients: Vec<PlannedClient>,
    /// APIs whose access tokens prove a user.
    pub audiences: Vec<String>,
    /// Our client of the Management API.
    pub management: Option<Management>,
    /// Connections to look at besides those that are there for Token Vault.
    pub connections: Vec<String>,
    /// This connection only.
    pub only: Option<String>,
    /// A user to look at; takes `only`.
    pub user: Option<String>,
    /// The custom domain that we stand in front of.
    pub proxy: Option<String>,
    /// Our own server.
    pub server: Server,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("tenant", &self.tenant).field("clients", &self.clients).finish_non_exhaustive()
    }
}

/// One of our clients.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "an order is filled in by who gives it")]
pub struct PlannedClient {
    /// The client and what proves it.
    pub auth0: Auth0Config,
    /// What for.
    pub uses: ClientUse,
    /// The APIs whose access tokens it exchanges.
    pub audiences: Vec<String>,
}

/// Asks everything. What is refused or fails is part of the answer. A tenant that does not answer at all is asked
/// nothing more.
///
/// Our clients are tried with a refresh token that is none: the tenant logs a failed grant for each.
pub async fn gather(plan: Plan) -> Facts {
    let discovery = discover(&plan).await;
    let there = matches!(discovery, Discovery::Issuer(_) | Discovery::Status(_) | Discovery::Undecodable);
    let management = plan.management.as_ref().filter(|_| there);
    let token = match management {
        Some(management) => Some(management.has_token().await),
        None => None,
    };
    let asker = Asker {
        management: management.filter(|_| matches!(token, Some(Ok(())))),
        hangs: AtomicBool::new(false),
        otherwise: match (&plan.management, &token) {
            (None, _) => Untold::NoManagement,
            (Some(_), Some(_)) => Untold::Unasked("our client of the Management API gets no token"),
            (Some(_), None) => Untold::Unasked("the tenant does not answer"),
        },
    };
    asker.ask(&plan, (discovery, there), token).await
}

/// Asks by the Management API, or says why it does not.
struct Asker<'a> {
    management: Option<&'a Management>,
    /// A question ran out of time: the others would, too, one after the other.
    hangs: AtomicBool,
    otherwise: Untold,
}

/// One question.
macro_rules! ask {
    ($asker:expr, $management:ident => $call:expr) => {
        match $asker.management {
            Some(_) if $asker.hangs.load(Ordering::Relaxed) => Seen::Untold(Untold::Unasked(HANGS)),
            Some($management) => $asker.heard(Seen::of($call.await)),
            None => Seen::Untold($asker.otherwise.clone()),
        }
    };
}

impl Asker<'_> {
    fn heard<T>(&self, seen: Seen<T>) -> Seen<T> {
        if matches!(seen, Seen::Untold(Untold::Error(ApiError::Unreachable { timed_out: true }))) {
            self.hangs.store(true, Ordering::Relaxed);
        }
        seen
    }

    async fn ask(
        &self,
        plan: &Plan,
        (discovery, there): (Discovery, bool),
        token: Option<Result<(), ExchangeError>>,
    ) -> Facts {
        let my_account = format!("{}me/", plan.tenant.issuer());
        let mut clients = Vec::new();
        for client in &plan.clients {
            clients.push(self.client(plan, (client, there), &my_account).await);
        }
        let mut apis = Vec::new();
        for audience in &plan.audiences {
            apis.push((audience.clone(), ask!(self, m => m.api(audience))));
        }
        let (connections, all_connections) = self.connections(plan).await;
        let proxied = plan.proxy.is_some();
        Facts {
            domain: plan.tenant.domain().to_owned(),
            now: plan.clock.now(),
            discovery,
            management: token,
            mfa: ask!(self, m => m.mfa_policies()),
            clients,
            apis,
            my_account: ask!(self, m => m.api(&my_account)),
            connections,
            all_connections,
            user: self.user(plan).await,
            streams: ask!(self, m => m.log_streams()),
            server: plan.server.clone(),
            all_clients: ask!(self, m => m.all_clients()),
            proxy: plan.proxy.clone(),
            custom_domains: if proxied { ask!(self, m => m.custom_domains()) } else { Seen::Missing },
            acls: if proxied { ask!(self, m => m.network_acls()) } else { Seen::Missing },
        }
    }

    async fn client(&self, plan: &Plan, (client, there): (&PlannedClient, bool), my_account: &str) -> ClientFacts {
        let id = client.auth0.client_id().to_owned();
        let settings = ask!(self, m => m.client(&id));
        let endpoint = TokenEndpoint::new(client.auth0.clone(), plan.http.clone(), Arc::clone(&plan.clock));
        let credentials = if there { probe(&endpoint, &refresh()).await } else { Probe::Unasked };
        // Where the settings say it, the tenant's log is spared a failed exchange.
        let asked = there && settings.known().is_none() && matches!(credentials, Probe::Known | Probe::NotGranted);
        let exchange = if asked { Some(probe(&endpoint, &exchange()).await) } else { None };
        let my_account = match client.uses {
            ClientUse::Refresh => ask!(self, m => m.client_grants(&id, my_account)),
            ClientUse::Access | ClientUse::Worker => Seen::Missing,
        };
        let (uses, audiences) = (client.uses, client.audiences.clone());
        ClientFacts { id, uses, audiences, credentials, exchange, settings, my_account }
    }

    async fn connections(&self, plan: &Plan) -> (Vec<(String, Seen<ConnectionFacts>)>, Seen<()>) {
        let named: Vec<String> = match &plan.only {
            Some(only) => vec![only.clone()],
            None => plan.connections.clone(),
        };
        let all = match ask!(self, m => m.connections()) {
            Seen::Is(all) => all,
            Seen::Missing => Vec::new(),
            Seen::Untold(why) => {
                let untold = |name: String| (name, Seen::Untold(why.clone()));
                return (named.into_iter().map(untold).collect(), Seen::Untold(why));
            }
        };
        let mut facts = Vec::new();
        for connection in &all {
            let wanted = named.contains(&connection.name) || (plan.only.is_none() && connection.for_token_vault());
            if wanted && facts.len() < MOST_CONNECTIONS {
                let enabled = match ask!(self, m => m.clients_of(connection)) {
                    Seen::Is(clients) => Enabled::For(clients),
                    Seen::Missing => Enabled::For(Vec::new()),
                    Seen::Untold(why) => Enabled::Untold(why),
                };
                facts.push((connection.name.clone(), Seen::Is(connection.facts(enabled))));
            }
        }
        for name in named {
            if !facts.iter().any(|(known, _)| *known == name) {
                facts.push((name, Seen::Missing));
            }
        }
        (facts, Seen::Is(()))
    }

    async fn user(&self, plan: &Plan) -> Option<UserFacts> {
        let (id, connection) = (plan.user.clone()?, plan.only.clone()?);
        let identities = ask!(self, m => m.identities(&id));
        let accounts = ask!(self, m => m.vault_accounts(&id));
        Some(UserFacts { id, connection, identities, accounts })
    }
}

async fn discover(plan: &Plan) -> Discovery {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
    }
    let url = plan.tenant.url("/.well-known/openid-configuration");
    let host = (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default().unwrap_or(443));
    let found = tokio::time::timeout(RESOLVING, tokio::net::lookup_host(host)).await;
    if !found.is_ok_and(|found| found.is_ok_and(|mut addresses| addresses.next().is_some())) {
        return Discovery::Unresolved;
    }
    let Ok(response) = plan.http.get(url).send().await else { return Discovery::Unreachable };
    let status = response.status().as_u16();
    if status != 200 {
        return Discovery::Status(status);
    }
    let Ok(body) = read_capped(response, MAX_DOCUMENT_BYTES).await else { return Discovery::Unreachable };
    let document = serde_json::from_slice::<Document>(&body.bytes).ok().filter(|_| body.complete);
    document.map_or(Discovery::Undecodable, |document| Discovery::Issuer(document.issuer))
}

type Nonsense = (Vec<(&'static str, &'static str)>, &'static str);

fn refresh() -> Nonsense {
    (vec![("grant_type", "refresh_token")], "refresh_token")
}

fn exchange() -> Nonsense {
    let params = vec![
        ("grant_type", GRANT),
        ("subject_token_type", SubjectKind::RefreshToken.urn()),
        ("requested_token_type", crate::vault::IssuedTokenKind::FederatedConnectionAccessToken.uri()),
        ("connection", "google-oauth2"),
    ];
    (params, "subject_token")
}

/// What the tenant says to a token that is none: a client that it does not know gets no further than its credentials.
async fn probe(endpoint: &TokenEndpoint, (params, token_name): &Nonsense) -> Probe {
    let token = Secret::new(NONSENSE.to_owned());
    let asked = endpoint.grant(&Grant { params, token_name, token: TokenSource::Given(&token) }).await;
    match asked {
        Ok(_) => Probe::Known,
        Err(error) => probed(error),
    }
}

fn probed(error: ExchangeError) -> Probe {
    match &error {
        ExchangeError::Refused { error: code, .. } if code.as_str() == "unauthorized_client" => Probe::NotGranted,
        error_of if error_of.is_client_rejected() => Probe::Rejected(error),
        ExchangeError::Refused { status: 400..=499, .. } => Probe::Known,
        _ => Probe::Failed(error),
    }
}

const HANGS: &str = "the tenant did not answer before in time";
/// Connections that are looked at.
const MOST_CONNECTIONS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::OAuthCode;

    #[test]
    fn what_the_tenant_says_of_nonsense_tells_whether_it_knows_the_client() {
        let refused = |status, code: &str| {
            let error = OAuthCode::new(code);
            probed(ExchangeError::Refused { status, error, error_description: None, retry_after: None })
        };
        assert_eq!(refused(403, "invalid_grant"), Probe::Known);
        assert_eq!(refused(401, "federated_connection_refresh_token_not_found"), Probe::Known);
        assert_eq!(refused(403, "unauthorized_client"), Probe::NotGranted);
        assert!(matches!(refused(401, "invalid_client"), Probe::Rejected(_)));
        assert!(matches!(refused(401, "access_denied"), Probe::Rejected(_)));
        assert!(matches!(refused(503, "server_error"), Probe::Failed(_)));
        assert!(matches!(probed(ExchangeError::Unsigned), Probe::Rejected(_)));
    }
}
