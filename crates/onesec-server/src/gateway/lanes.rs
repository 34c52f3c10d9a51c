//! Our clients at Auth0: which of them makes an exchange, by use and audience.

use std::sync::Arc;

use onesec_auth0::{Auth0Config, Clock, HttpClient, TokenEndpoint, TokenVault};

/// What a client of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientUse {
    /// Exchanges of refresh tokens, which were issued to it.
    Refresh,
    /// Exchanges of access tokens of the API that it is linked to.
    Access,
    /// Exchanges of privileged workers, which it signs.
    Worker,
}

/// One client of ours.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LaneOptions {
    /// The client.
    pub auth0: Auth0Config,
    /// What it is for.
    pub purpose: ClientUse,
    /// The API whose access tokens it exchanges; any where absent.
    pub audience: Option<String>,
}

impl LaneOptions {
    /// A client for this use.
    #[must_use]
    pub const fn new(auth0: Auth0Config, purpose: ClientUse, audience: Option<String>) -> Self {
        Self { auth0, purpose, audience }
    }
}

/// One client at work.
pub(super) struct Lane {
    pub(super) endpoint: Arc<TokenEndpoint>,
    pub(super) vault: TokenVault,
}

/// All of them.
pub(super) struct Lanes {
    refresh: Arc<Lane>,
    access: Vec<(Option<String>, Arc<Lane>)>,
    /// Where no client is named for access tokens.
    default: Arc<Lane>,
    worker: Option<Arc<Lane>>,
}

impl Lanes {
    pub(super) fn new(
        (default, clients): (Auth0Config, Vec<LaneOptions>),
        http: &HttpClient,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let lane = |auth0| {
            let endpoint = Arc::new(TokenEndpoint::new(auth0, http.clone(), clock.clone()));
            Arc::new(Lane { vault: TokenVault::new(endpoint.clone()), endpoint })
        };
        let default = lane(default);
        let mut lanes = Self { refresh: default.clone(), access: Vec::new(), default, worker: None };
        for client in clients {
            let new = lane(client.auth0);
            match client.purpose {
                ClientUse::Refresh => lanes.refresh = new,
                ClientUse::Access => lanes.access.push((client.audience, new)),
                ClientUse::Worker => lanes.worker = Some(new),
            }
        }
        lanes
    }

    pub(super) fn refresh(&self) -> &Arc<Lane> {
        &self.refresh
    }

    /// For a token of this audience: the client that is named for it, else one for any, else the default.
    pub(super) fn access(&self, audience: &str) -> &Arc<Lane> {
        let named = |wanted: Option<&str>| self.access.iter().find(|(of, _)| of.as_deref() == wanted);
        named(Some(audience)).or_else(|| named(None)).map_or(&self.default, |(_, lane)| lane)
    }

    pub(super) fn worker(&self) -> Option<&Arc<Lane>> {
        self.worker.as_ref()
    }

    /// The audiences that clients are named for.
    pub(super) fn audiences(&self) -> Vec<String> {
        self.access.iter().filter_map(|(audience, _)| audience.clone()).collect()
    }

    pub(super) fn are_healthy(&self) -> bool {
        let access = self.access.iter().map(|(_, lane)| lane);
        let all = access.chain([&self.refresh, &self.default]).chain(&self.worker);
        all.into_iter().all(|lane| lane.endpoint.is_healthy())
    }
}
