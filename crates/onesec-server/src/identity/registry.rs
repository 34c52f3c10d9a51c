//! Registered agents as the edge needs them: found by name, by client, by certificate; their keys ready to verify.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use onesec_identity::KeySet;
use onesec_journal::{JournalError, LedgerFilter, LedgerTable, Reader};
use onesec_telemetry::{AgentId, AgentRegistration, TenantId, Thumbprint};
use parking_lot::RwLock;
use serde_json::{Value, json};

/// One registered agent.
#[derive(Debug)]
pub(crate) struct Registered {
    /// What was registered.
    pub(crate) said: AgentRegistration,
    /// Its public keys.
    pub(crate) keys: KeySet,
}

impl Registered {
    pub(crate) fn new(said: AgentRegistration) -> Self {
        let jwks: Vec<Value> = said.keys.iter().filter_map(|key| serde_json::from_str(&key.jwk).ok()).collect();
        // They were checked when they were registered; one that is no good any more serves nobody.
        let keys = KeySet::from_jwks_json(&json!({"keys": jwks}).to_string()).unwrap_or_default();
        Self { said, keys }
    }

    /// Whether `thumbprint` is that of one of its keys.
    pub(crate) fn holds(&self, thumbprint: Thumbprint) -> bool {
        self.said.keys.iter().any(|key| key.thumbprint == thumbprint)
    }

    /// The names under which it may be meant: its own first.
    pub(crate) fn names(&self) -> Vec<&str> {
        let clients = self.said.clients.iter().map(AsRef::as_ref);
        std::iter::once(self.said.agent_id.as_str()).chain(clients).collect()
    }
}

/// How an agent may be found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Handle {
    Agent(AgentId),
    Client(String),
    Certificate(Thumbprint),
    CertificateName(String),
}

type Found = HashMap<(TenantId, Handle), Arc<Registered>>;

/// All registered agents. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Agents(Arc<RwLock<Found>>);

impl fmt::Debug for Agents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Agents({} handles)", self.0.read().len())
    }
}

impl Agents {
    /// Reads what is registered in `tenants` from the ledger.
    ///
    /// # Errors
    /// What reading says.
    pub(crate) fn load(reader: &Reader, tenants: &[TenantId]) -> Result<Self, JournalError> {
        let agents = Self::default();
        for tenant in tenants {
            let mut after = None;
            loop {
                let table = (LedgerTable::Registrations, tenant);
                let page = reader.ledger(table, &LedgerFilter::default(), (after.as_ref(), PAGE))?;
                for said in page.items.iter().filter_map(|row| serde_json::from_str(&row.doc).ok()) {
                    agents.insert(tenant, said);
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(agents)
    }

    /// In place of what was registered before.
    pub(crate) fn insert(&self, tenant: &TenantId, said: AgentRegistration) {
        let registered = Arc::new(Registered::new(said));
        let mut found = self.0.write();
        forget(&mut found, tenant, &registered.said.agent_id);
        for handle in handles(&registered.said) {
            found.insert((tenant.clone(), handle), registered.clone());
        }
    }

    /// Nothing is known of the agent any more.
    pub(crate) fn remove(&self, tenant: &TenantId, agent: &AgentId) {
        forget(&mut self.0.write(), tenant, agent);
    }

    pub(crate) fn of(&self, tenant: &TenantId, agent: &AgentId) -> Option<Arc<Registered>> {
        self.find(tenant, Handle::Agent(agent.clone()))
    }

    /// The agent that is known by `client` at issuers.
    pub(crate) fn by_client(&self, tenant: &TenantId, client: &str) -> Option<Arc<Registered>> {
        self.find(tenant, Handle::Client(client.to_owned()))
    }

    pub(crate) fn by_certificate(&self, tenant: &TenantId, thumbprint: Thumbprint) -> Option<Arc<Registered>> {
        self.find(tenant, Handle::Certificate(thumbprint))
    }

    pub(crate) fn by_certificate_name(&self, tenant: &TenantId, name: &str) -> Option<Arc<Registered>> {
        self.find(tenant, Handle::CertificateName(name.to_owned()))
    }

    /// Another agent that has one of the handles of `said` already: two agents must never share one.
    pub(crate) fn clash(&self, tenant: &TenantId, said: &AgentRegistration) -> Option<AgentId> {
        let found = self.0.read();
        // An agent and a client of the same name would be taken for each other: both are names in `act` and `may_act`.
        let also = said.clients.iter().filter_map(|client| AgentId::new(client.as_ref()).ok()).map(Handle::Agent);
        let also = also.chain([Handle::Client(said.agent_id.to_string())]);
        let taken = handles(said).chain(also).filter_map(|handle| found.get(&(tenant.clone(), handle)));
        taken.map(|other| &other.said.agent_id).find(|other| **other != said.agent_id).cloned()
    }

    fn find(&self, tenant: &TenantId, handle: Handle) -> Option<Arc<Registered>> {
        self.0.read().get(&(tenant.clone(), handle)).cloned()
    }
}

fn handles(said: &AgentRegistration) -> impl Iterator<Item = Handle> {
    let clients = said.clients.iter().map(|client| Handle::Client(client.to_string()));
    let certificates = said.certificates.iter().map(|print| Handle::Certificate(*print));
    let names = said.certificate_names.iter().map(|name| Handle::CertificateName(name.to_string()));
    std::iter::once(Handle::Agent(said.agent_id.clone())).chain(clients).chain(certificates).chain(names)
}

fn forget(found: &mut Found, tenant: &TenantId, agent: &AgentId) {
    let Some(known) = found.get(&(tenant.clone(), Handle::Agent(agent.clone()))).cloned() else { return };
    for handle in handles(&known.said) {
        found.remove(&(tenant.clone(), handle));
    }
}

const PAGE: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn said(agent: &str, clients: &[&str]) -> AgentRegistration {
        let mut said = AgentRegistration::new(AgentId::new(agent).expect("agent"));
        said.clients = clients.iter().map(|c| c.parse().expect("client")).collect();
        said
    }

    #[test]
    fn what_an_agent_was_known_by_before_leads_nowhere() {
        let (agents, tenant) = (Agents::default(), TenantId::default_tenant());
        agents.insert(&tenant, said("bot", &["app-1", "app-2"]));
        let bot = |client: &str| agents.by_client(&tenant, client).map(|found| found.said.agent_id.to_string());
        assert_eq!(bot("app-2").as_deref(), Some("bot"));
        agents.insert(&tenant, said("bot", &["app-1"]));
        assert_eq!((bot("app-1").as_deref(), bot("app-2")), (Some("bot"), None));
        agents.remove(&tenant, &AgentId::new("bot").expect("agent"));
        assert_eq!(bot("app-1"), None);
    }

    #[test]
    fn no_two_agents_and_no_two_tenants_share_a_name() {
        let (agents, ours) = (Agents::default(), TenantId::default_tenant());
        let theirs = TenantId::new("acme").expect("tenant");
        agents.insert(&ours, said("bot", &["app-1"]));
        assert_eq!(agents.clash(&ours, &said("mole", &["app-1"])).map(|a| a.to_string()).as_deref(), Some("bot"));
        assert_eq!(agents.clash(&ours, &said("bot", &["app-1", "bot"])), None);
        for (agent, client) in [("mole", "bot"), ("app-1", "app-3")] {
            assert_eq!(agents.clash(&ours, &said(agent, &[client])).map(|a| a.to_string()).as_deref(), Some("bot"));
        }
        assert_eq!(agents.clash(&theirs, &said("mole", &["app-1"])), None);
        assert!(agents.by_client(&theirs, "app-1").is_none());
    }
}
