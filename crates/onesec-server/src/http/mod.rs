//! The HTTP API: one table of routes, from which router, access rules and OpenAPI document are made.

mod agents;
mod alerts;
mod answer;
mod approvals;
mod auth0_accounts;
mod auth0_logs;
mod body;
mod canaries;
mod catalogue;
mod client;
mod client_certificates;
mod connected_accounts;
mod connections;
mod contain;
mod custom_domain;
mod decide;
mod delegations;
mod discovery;
mod drafts;
mod enforcement;
mod events;
mod exceptions;
mod exchange;
mod gate;
mod going_live;
mod health;
mod keys;
mod layers;
mod machine;
mod openapi;
mod pairs;
mod params;
mod policies;
mod problem;
mod processes;
mod quotas;
mod records;
mod registrations;
mod rehearsal;
mod responses;
mod revocations;
mod routes;
mod security_events;
mod serve;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod token;
mod tools;
mod users;
mod who;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use onesec_actions::Clients;
use onesec_auth0::MyAccount;
use onesec_journal::{JournalError, Reader};
use onesec_telemetry::{Possession, TenantId, Timestamp};
use onesec_text::Scorer;
use tokio::sync::{Semaphore, watch};

pub use openapi::openapi;
pub(crate) use serve::{ServeLimits, Service, serve};
pub(crate) use tls::{Tls, TlsError};

use self::exchange::Vault;
use self::gate::Hosts;
use self::problem::Problem;
use crate::auth0_logs::{Accounts, Intake, Puller};
use crate::config::Network;
use crate::connect::Connections;
use crate::core::Core;
use crate::enforce::{Able, Executors};
use crate::identity::Identity;
use crate::keys::KeyRing;
use crate::metrics::Metrics;
use crate::revoke::Revocations;
use crate::signals::{Teller, Transmitters};

/// What handlers share.
pub(crate) struct App {
    pub(crate) core: Core,
    pub(crate) keys: KeyRing,
    pub(crate) metrics: Metrics,
    hosts: Hosts,
    trusted_proxies: Vec<Network>,
    vaults: BTreeMap<TenantId, Vault>,
    pub(crate) identity: Arc<Identity>,
    /// What every exchange must prove besides the credential.
    possession: Possession,
    executors: Arc<Executors>,
    /// Where entries of Auth0's log enter.
    logs: Intake,
    log_streams: LogStreams,
    puller: Puller,
    accounts: Accounts,
    revocations: Arc<Revocations>,
    transmitters: Transmitters,
    teller: Arc<Teller>,
    my_account: Clients<MyAccount>,
    /// Where browsers may come back to with a code.
    redirect_uris: BTreeMap<TenantId, Vec<String>>,
    connecting: Connections,
    /// What can be carried out here.
    able: Able,
    /// We speak TLS ourselves.
    tls: bool,
    /// Scores what agents read.
    scorer: Arc<Scorer>,
    /// Held while a key is changed.
    key_changes: tokio::sync::Mutex<()>,
    /// Large bodies that may be in memory at once.
    large_bodies: Semaphore,
    /// How much each tenant may ask for.
    quotas: Quotas,
    /// Streams of alerts that are open.
    streams: stream::Streams,
    started: Timestamp,
    /// Turns `true` when the server stops: streams end then.
    stopping: watch::Receiver<bool>,
}

/// Whom we tell, ask and believe beyond this server.
pub(crate) struct Beyond {
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) transmitters: Transmitters,
    pub(crate) teller: Arc<Teller>,
    pub(crate) my_account: Clients<MyAccount>,
    pub(crate) redirect_uris: BTreeMap<TenantId, Vec<String>>,
}

/// What an [`App`] is made of.
pub(crate) struct AppParts {
    pub(crate) core: Core,
    pub(crate) keys: KeyRing,
    pub(crate) metrics: Metrics,
    /// The port that clients see.
    pub(crate) port: u16,
    pub(crate) hosts: Vec<String>,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) vaults: BTreeMap<TenantId, Vault>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) possession: Possession,
    pub(crate) executors: Arc<Executors>,
    pub(crate) logs: Intake,
    pub(crate) log_streams: LogStreams,
    pub(crate) puller: Puller,
    pub(crate) accounts: Accounts,
    pub(crate) beyond: Beyond,
    pub(crate) able: Able,
    pub(crate) tls: bool,
    pub(crate) quotas: Quotas,
    pub(crate) stopping: watch::Receiver<bool>,
}

pub(crate) use self::auth0_logs::LogStreams;
pub(crate) use self::custom_domain::CustomDomain;
pub(crate) use self::exchange::Vault as TenantVault;
pub(crate) use self::quotas::Quotas;

impl App {
    pub(crate) fn new(parts: AppParts) -> Arc<Self> {
        Arc::new(Self {
            started: parts.core.now(),
            hosts: Hosts::new(parts.port, &parts.hosts),
            core: parts.core,
            keys: parts.keys,
            metrics: parts.metrics,
            trusted_proxies: parts.trusted_proxies,
            vaults: parts.vaults,
            identity: parts.identity,
            possession: parts.possession,
            executors: parts.executors,
            logs: parts.logs,
            log_streams: parts.log_streams,
            puller: parts.puller,
            accounts: parts.accounts,
            revocations: parts.beyond.revocations,
            transmitters: parts.beyond.transmitters,
            teller: parts.beyond.teller,
            my_account: parts.beyond.my_account,
            redirect_uris: parts.beyond.redirect_uris,
            connecting: Connections::default(),
            able: parts.able,
            tls: parts.tls,
            scorer: Arc::new(Scorer::new()),
            key_changes: tokio::sync::Mutex::default(),
            large_bodies: Semaphore::new(MAX_LARGE_BODIES),
            quotas: parts.quotas,
            streams: stream::Streams::default(),
            stopping: parts.stopping,
        })
    }

    /// Reads the journal where blocking is allowed.
    async fn read<T, F>(&self, work: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, JournalError> + Send + 'static,
    {
        let reader = self.core.reader().clone();
        let done = tokio::task::spawn_blocking(move || work(&reader)).await;
        done.map_err(|_| Problem::internal())?.map_err(Problem::from)
    }
}

/// The whole API.
pub(crate) fn router(app: Arc<App>) -> Router {
    layers::around(routes::routes(&app), app)
}

/// 32 MiB each, once unpacked.
const MAX_LARGE_BODIES: usize = 16;
