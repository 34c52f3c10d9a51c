//! Revocation: what a user lent is taken back here at once, then everywhere else it can be, and looked at.
//!
//! The wish is durable before anything happens, each step's outcome as it comes; a crash in between repeats steps that
//! are done once however often they are done. Beside the path of events: nothing slow here delays a verdict.

mod begin;
mod remaining;
mod report;
mod stations;
mod stop;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use onesec_actions::{Answered, AtProvider, Clients, HeldTokens};
use onesec_auth0::Management;
use onesec_journal::{JournalError, LedgerFilter, LedgerTable, LedgerWrite};
use onesec_telemetry::event::Json;
use onesec_telemetry::{Command, ConnectionName, Name, Sender, TenantId, Timestamp};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use self::remaining::{connections, given_out, remaining};
use self::stations::{Providers, Taken, at_tenant};
use crate::core::{Core, CoreError, Order};
use crate::identity::Identity;
use crate::signals::{Happened, Teller, What};

pub(crate) use begin::{NotBegun, Wish};
pub(crate) use report::{Part, Revocation, State, Target};

/// Takes access back. One for the server.
pub(crate) struct Revocations {
    core: Core,
    identity: Arc<Identity>,
    management: Clients<Management>,
    providers: Providers,
    teller: Arc<Teller>,
    /// Those that somebody is at.
    under_way: Mutex<HashSet<(TenantId, Name)>>,
    /// Those that are not over.
    open: Mutex<HashSet<(TenantId, Name)>>,
    woken: Notify,
    room: Semaphore,
}

impl Revocations {
    pub(crate) fn new(
        (core, identity): (Core, Arc<Identity>),
        management: Clients<Management>,
        providers: BTreeMap<(TenantId, ConnectionName), AtProvider>,
        (held, teller): (Arc<HeldTokens>, Arc<Teller>),
    ) -> Self {
        Self {
            core,
            identity,
            management,
            providers: Providers { of: providers, held },
            teller,
            under_way: Mutex::default(),
            open: Mutex::default(),
            woken: Notify::new(),
            room: Semaphore::new(AT_ONCE),
        }
    }

    /// Works until told to stop. What is under way then goes on at the next start.
    pub(crate) async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        while let Err(error) = self.find_open().await {
            tracing::error!(%error, "revocations cannot be read: they wait");
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
        }
        let mut working = JoinSet::new();
        loop {
            while working.try_join_next().is_some() {}
            self.providers.held.forget(self.core.now());
            for (tenant, id) in self.idle() {
                let this = self.clone();
                working.spawn(async move { this.go_on(&tenant, &id).await });
            }
            tokio::select! {
                () = self.woken.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
                _ = stopping.wait_for(|stopping| *stopping) => break,
            }
        }
        let rest = async { while working.join_next().await.is_some() {} };
        drop(tokio::time::timeout(FAREWELL, rest).await);
        working.abort_all();
    }

    /// Those that a stop or a crash left.
    async fn find_open(&self) -> Result<(), JournalError> {
        for tenant in self.core.tenants() {
            let (reader, whose) = (self.core.reader().clone(), tenant.clone());
            let read = move || -> Result<Vec<String>, JournalError> {
                let filter =
                    LedgerFilter { state: Some(State::Running.as_str().to_owned()), ..LedgerFilter::default() };
                let (mut ids, mut after) = (Vec::new(), None);
                loop {
                    let page = reader.ledger((LedgerTable::Revocations, &whose), &filter, (after.as_ref(), 1_000))?;
                    ids.extend(page.items.into_iter().map(|row| row.id));
                    after = page.next;
                    if after.is_none() {
                        return Ok(ids);
                    }
                }
            };
            let ids = tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| Ok(Vec::new()))?;
            self.open.lock().extend(ids.iter().filter_map(|id| Some((tenant.clone(), Name::new(id).ok()?))));
        }
        Ok(())
    }

    /// Open ones that nobody is at, from now on ours.
    fn idle(&self) -> Vec<(TenantId, Name)> {
        let open = self.open.lock();
        let mut under_way = self.under_way.lock();
        let idle: Vec<_> = open.iter().filter(|key| !under_way.contains(*key)).cloned().collect();
        under_way.extend(idle.iter().cloned());
        idle
    }

    /// Takes the steps that are due. Whoever calls holds it as under way.
    async fn go_on(&self, tenant: &TenantId, id: &Name) {
        let permit = self.room.acquire().await;
        let key = (tenant.clone(), id.clone());
        match self.read(tenant, id).await {
            Ok(Some(revocation)) if revocation.state == State::Running => {
                // Nothing is left to do where its first step was its only one.
                let is_due = revocation.next_at().is_none_or(|next| next <= self.core.now());
                if is_due && let Err(error) = self.work(tenant, revocation).await {
                    tracing::error!(%id, %error, "a revocation cannot be recorded: it goes on later");
                }
            }
            Ok(_) => drop(self.open.lock().remove(&key)),
            Err(error) => tracing::error!(%id, %error, "a revocation cannot be read: it goes on later"),
        }
        self.under_way.lock().remove(&key);
        drop(permit);
    }

    /// One revocation as it is kept.
    pub(crate) async fn read(&self, tenant: &TenantId, id: &Name) -> Result<Option<Revocation>, JournalError> {
        let (reader, tenant, id) = (self.core.reader().clone(), tenant.clone(), id.to_string());
        let read = move || reader.ledger_row(LedgerTable::Revocations, &tenant, &id);
        let row = tokio::task::spawn_blocking(read).await.unwrap_or(Ok(None))?;
        Ok(row.as_ref().and_then(Revocation::read))
    }

    /// Our own step first, then Auth0 and the providers side by side: one that hangs keeps the other from nothing.
    async fn work(&self, tenant: &TenantId, revocation: Revocation) -> Result<(), CoreError> {
        let now = self.core.now();
        let revocation = self.stop(tenant, revocation).await?;
        let given_out = given_out(&self.core, tenant, &revocation.target).await?;
        let clients = self.clients_of(tenant, &revocation);
        let shared = tokio::sync::Mutex::new(revocation.clone());
        let tenant_side = async {
            let taken = at_tenant(self.management.get(tenant), (&revocation, clients.as_deref()), now).await;
            self.note((tenant, &shared), taken, |_| {}).await
        };
        let provider_side = async {
            let (taken, ended) = self.providers.end(tenant, (&revocation, &given_out), now).await;
            self.note((tenant, &shared), taken, |revocation| revocation.ended.extend(ended)).await
        };
        let (first, second) = tokio::join!(tenant_side, provider_side);
        first.and(second)?;
        self.finish(tenant, (shared.into_inner(), &given_out)).await
    }

    /// Our own step, where it is due.
    async fn stop(&self, tenant: &TenantId, mut revocation: Revocation) -> Result<Revocation, CoreError> {
        let now = self.core.now();
        if !revocation.step_mut(report::OWN, None).is_some_and(|step| step.is_due(now)) {
            return Ok(revocation);
        }
        let given_out = given_out(&self.core, tenant, &revocation.target).await?;
        let seen = connections(&given_out);
        let answered = if revocation.own {
            stop::stop(&self.core, tenant, (&revocation, &seen)).await
        } else {
            Answered::Unneeded("what was lent stays: less than that was asked for".to_owned())
        };
        if let Some(step) = revocation.step_mut(report::OWN, None) {
            step.note(&answered, self.core.now());
        }
        // Where tokens may be is known once nothing new is given out.
        self.name_providers(tenant, &mut revocation, seen);
        revocation.remaining = remaining(&given_out, &revocation.ended, revocation.target.user_id.is_some());
        let mut rows = vec![revocation.put(tenant)];
        if matches!(answered, Answered::Confirmed(_)) {
            rows.extend(self.tell(tenant, &revocation, What::CredentialChange));
        }
        self.core.keep(tenant, rows).await?;
        self.teller.wake();
        Ok(revocation)
    }

    /// Rows that have others told.
    fn tell(&self, tenant: &TenantId, revocation: &Revocation, what: What) -> Vec<LedgerWrite> {
        if revocation.told {
            return Vec::new();
        }
        let happened = Happened {
            what,
            id: revocation.id.clone(),
            reason: revocation.reason.clone(),
            connection: revocation.target.connection.clone(),
            agent: revocation.target.agent_id.clone(),
            at: self.core.now(),
        };
        self.teller.rows(tenant, revocation.target.user_id.as_ref(), &happened)
    }

    fn name_providers(
        &self,
        tenant: &TenantId,
        revocation: &mut Revocation,
        mut at: std::collections::BTreeSet<ConnectionName>,
    ) {
        if !revocation.parts.contains(&Part::Provider) {
            return;
        }
        let now = self.core.now();
        at.extend(self.providers.connections(tenant, revocation, now));
        at.extend(revocation.target.connection.clone());
        for connection in at {
            if revocation.step_mut(Part::Provider.as_str(), Some(&connection)).is_none() {
                revocation.steps.push(report::Step::pending(Part::Provider.as_str(), Some(connection), now));
            }
        }
    }

    /// Whose refresh tokens are meant, where not everybody's.
    fn clients_of(&self, tenant: &TenantId, revocation: &Revocation) -> Option<Vec<String>> {
        if !revocation.clients.is_empty() {
            return Some(revocation.clients.clone());
        }
        let agent = revocation.target.agent_id.as_ref()?;
        let known = self.identity.agents.of(tenant, agent);
        Some(known.map_or_else(Vec::new, |known| known.said.clients.iter().map(ToString::to_string).collect()))
    }

    async fn note(
        &self,
        (tenant, shared): (&TenantId, &tokio::sync::Mutex<Revocation>),
        taken: Taken,
        also: impl FnOnce(&mut Revocation),
    ) -> Result<(), CoreError> {
        if taken.is_empty() {
            return Ok(());
        }
        let (mut revocation, now) = (shared.lock().await, self.core.now());
        for (part, connection, answered) in taken {
            if let Some(step) = revocation.step_mut(part.as_str(), connection.as_ref()) {
                step.note(&answered, now);
            }
        }
        also(&mut revocation);
        self.core.keep(tenant, vec![revocation.put(tenant)]).await
    }

    /// Over, or not yet: what came of it is a record once it is.
    async fn finish(
        &self,
        tenant: &TenantId,
        (mut revocation, given_out): (Revocation, &[remaining::GivenOut]),
    ) -> Result<(), CoreError> {
        let now = self.core.now();
        revocation.settle(now);
        revocation.remaining = remaining(given_out, &revocation.ended, revocation.target.user_id.is_some());
        let mut rows = vec![revocation.put(tenant)];
        if revocation.state == State::Running {
            return self.core.keep(tenant, rows).await;
        }
        let ended = |step: &report::Step| matches!(step.state.as_str(), "confirmed" | "accepted");
        if revocation.step_mut(Part::Sessions.as_str(), None).is_some_and(|step| ended(step)) {
            rows.extend(self.tell(tenant, &revocation, What::SessionRevoked));
        }
        let steps: Vec<_> = revocation.steps.iter().map(shown).collect();
        let command = Command::AccessRevoked { id: revocation.id.clone(), steps: Json::redacted(json!(steps)) };
        self.order((tenant, Sender::system()), command, rows).await?;
        self.teller.wake();
        if revocation.state == State::Incomplete {
            tracing::warn!(id = %revocation.id, "a revocation could not be carried out everywhere");
        }
        self.open.lock().remove(&(tenant.clone(), revocation.id.clone()));
        Ok(())
    }

    async fn order(
        &self,
        (tenant, sender): (&TenantId, Sender),
        command: Command,
        ledger: Vec<LedgerWrite>,
    ) -> Result<(), CoreError> {
        let order = Order { tenant: tenant.clone(), sender, command, then: None, ledger };
        self.core.order(order).await.map(drop)
    }

    fn now(&self) -> Timestamp {
        self.core.now()
    }
}

/// A step for the audit.
fn shown(step: &report::Step) -> serde_json::Value {
    json!({"step": step.step, "connection": step.connection, "state": step.state, "detail": step.detail.as_str()})
}

/// Revocations that are worked on at a time.
const AT_ONCE: usize = 8;
/// How often is looked for what has become due.
const LOOK: Duration = Duration::from_secs(1);
/// How long a stop waits for what is under way.
const FAREWELL: Duration = Duration::from_secs(3);
