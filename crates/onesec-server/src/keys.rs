//! API keys: who may call us, and what for. Kept as hashes in the ledger, looked up in memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use onesec_identity::{ApiKey, ApiKeyError, KeyHash};
use onesec_journal::{JournalError, LedgerFilter, LedgerRow, LedgerTable, LedgerWrite, Reader};
use onesec_telemetry::{
    AgentId, AgentRegistration, Authority, Channel, KeyId, Name, Secret, Sender, TenantId, Thumbprint, Timestamp,
};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

/// What a key is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyScope {
    /// Lists and details.
    Read,
    /// Sending events.
    EventsWrite,
    /// Sending events that change trust.
    EventsTrust,
    /// Exchanging tokens, for the agent that the key is bound to.
    Exchange,
    /// Acting on alerts, agents and delegations.
    Respond,
    /// Policy, keys, exceptions.
    Admin,
}

impl KeyScope {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::EventsWrite, Self::EventsTrust, Self::Exchange, Self::Respond, Self::Admin];

    /// The wire form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::EventsWrite => "events:write",
            Self::EventsTrust => "events:trust",
            Self::Exchange => "exchange",
            Self::Respond => "respond",
            Self::Admin => "admin",
        }
    }

    /// By its wire form.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of key scopes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyScopes(u8);

impl KeyScopes {
    /// Exactly these.
    #[must_use]
    pub fn of(scopes: &[KeyScope]) -> Self {
        Self(scopes.iter().fold(0, |bits, scope| bits | scope.bit()))
    }

    /// Whether a key with these may do what needs `scope`: `admin` implies all but `exchange`, and `events:trust`
    /// implies `events:write`.
    #[must_use]
    pub const fn allow(self, scope: KeyScope) -> bool {
        match scope {
            KeyScope::Exchange => self.names(scope),
            KeyScope::EventsWrite => {
                self.names(scope) || self.names(KeyScope::EventsTrust) || self.names(KeyScope::Admin)
            }
            KeyScope::Read | KeyScope::EventsTrust | KeyScope::Respond | KeyScope::Admin => {
                self.names(scope) || self.names(KeyScope::Admin)
            }
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the scope itself was given, implications aside.
    #[must_use]
    pub const fn names(self, scope: KeyScope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The scopes that were given, in the order of [`KeyScope::ALL`].
    #[must_use]
    pub fn as_names(self) -> Vec<&'static str> {
        KeyScope::ALL.into_iter().filter(|scope| self.names(*scope)).map(KeyScope::as_str).collect()
    }
}

impl fmt::Debug for KeyScopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_names().join(" "))
    }
}

impl Serialize for KeyScopes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_names().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for KeyScopes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let scope = |name: &String| KeyScope::from_name(name).ok_or_else(|| serde::de::Error::custom("unknown scope"));
        Ok(Self::of(&names.iter().map(scope).collect::<Result<Vec<_>, D::Error>>()?))
    }
}

/// Who calls, as a key proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The key.
    pub key: KeyId,
    /// Its owner.
    pub owner: Option<Name>,
    /// The tenant that this call is about: the key's own, or the one that an operator names.
    pub tenant: TenantId,
    /// Whether the key is good for every tenant.
    pub operator: bool,
    /// The agent that the key is bound to.
    pub agent: Option<AgentId>,
    /// What it may do.
    pub scopes: KeyScopes,
    /// Whether the time that it states counts.
    pub trusted_time: bool,
}

impl Caller {
    /// A registered agent that proved itself without a key of ours: it may exchange, and speak of itself.
    pub(crate) fn of_agent(tenant: &TenantId, agent: &AgentRegistration) -> Self {
        Self {
            key: agent_key(&agent.agent_id),
            owner: agent.owner.clone(),
            tenant: tenant.clone(),
            operator: false,
            agent: Some(agent.agent_id.clone()),
            scopes: KeyScopes::of(&[KeyScope::Exchange, KeyScope::EventsWrite]),
            trusted_time: false,
        }
    }

    /// The caller as the sender of what comes in by `channel`.
    #[must_use]
    pub fn sender(&self, channel: Channel) -> Sender {
        let trusted = channel == Channel::Api || self.scopes.allow(KeyScope::EventsTrust);
        let authority = if trusted { Authority::Trust } else { Authority::Claim };
        Sender { channel, key: Some(self.key.clone()), owner: self.owner.clone(), agent: self.agent.clone(), authority }
    }
}

/// A key as the ledger keeps it. The key itself is nowhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeyRecord {
    /// Its public part.
    pub id: KeyId,
    /// What people call it.
    pub name: Name,
    /// What it may do.
    pub scopes: KeyScopes,
    /// Who answers for it.
    pub owner: Option<Name>,
    /// The agent that it is bound to.
    pub agent_id: Option<AgentId>,
    /// Its tenant; [`OPERATOR`] for every tenant.
    pub tenant: TenantId,
    /// Whether the time that it states counts.
    pub trusted_time: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops to work.
    pub expires_at: Option<Timestamp>,
    /// SHA-256 of the key.
    #[serde(with = "hash_hex")]
    hash: KeyHash,
}

/// What a new key is to be.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct KeySpec {
    /// What people call it.
    pub name: Name,
    /// What it may do.
    pub scopes: KeyScopes,
    /// Who answers for it.
    pub owner: Option<Name>,
    /// The agent that it is to be bound to.
    pub agent_id: Option<AgentId>,
    /// Its tenant; [`OPERATOR`] for every tenant.
    pub tenant: TenantId,
    /// Whether the time that it states counts.
    pub trusted_time: bool,
    /// When it stops to work.
    pub expires_at: Option<Timestamp>,
}

impl KeySpec {
    /// A key with a name and scopes, for one tenant.
    #[must_use]
    pub const fn new(name: Name, scopes: KeyScopes, tenant: TenantId) -> Self {
        Self { name, scopes, owner: None, agent_id: None, tenant, trusted_time: false, expires_at: None }
    }

    /// Makes the key; the secret is shown once and kept nowhere.
    ///
    /// # Errors
    /// [`ApiKeyError::NoRandomness`].
    pub fn make(self, now: Timestamp) -> Result<(KeyRecord, Secret), ApiKeyError> {
        let (secret, hash, id) = ApiKey::generate()?;
        let record = KeyRecord {
            id,
            name: self.name,
            scopes: self.scopes,
            owner: self.owner,
            agent_id: self.agent_id,
            tenant: self.tenant,
            trusted_time: self.trusted_time,
            created_at: now,
            expires_at: self.expires_at,
            hash,
        };
        Ok((record, secret.into_secret()))
    }
}

impl KeyRecord {
    /// The write that keeps it.
    #[must_use]
    pub fn put(&self) -> LedgerWrite {
        LedgerWrite::Put {
            table: LedgerTable::ApiKeys,
            row: LedgerRow {
                tenant: self.tenant.clone(),
                id: self.id.to_string(),
                agent_id: self.agent_id.clone(),
                user_id: None,
                connection: None,
                state: "active".to_owned(),
                updated_seq: 0,
                expires_at: self.expires_at,
                doc: serde_json::to_string(self).unwrap_or_default(),
            },
        }
    }

    /// The write that removes it.
    #[must_use]
    pub fn remove(&self) -> LedgerWrite {
        LedgerWrite::Remove { table: LedgerTable::ApiKeys, tenant: self.tenant.clone(), id: self.id.to_string() }
    }

    /// What may be shown of it: everything but its hash.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "id": self.id, "name": self.name, "scopes": self.scopes, "owner": self.owner, "agent_id": self.agent_id,
            "tenant": self.tenant, "trusted_time": self.trusted_time, "created_at": self.created_at,
            "expires_at": self.expires_at,
        })
    }

    fn caller(&self) -> Caller {
        let operator = self.tenant.as_str() == OPERATOR;
        Caller {
            key: self.id.clone(),
            owner: self.owner.clone(),
            tenant: if operator { TenantId::default_tenant() } else { self.tenant.clone() },
            operator,
            agent: self.agent_id.clone(),
            scopes: self.scopes,
            trusted_time: self.trusted_time,
        }
    }
}

/// All keys that work, by their public part.
#[derive(Clone, Default)]
pub struct KeyRing(Arc<RwLock<HashMap<KeyId, Arc<KeyRecord>>>>);

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys)", self.0.read().len())
    }
}

impl KeyRing {
    /// Reads the keys of `tenants`, and the operators', from the ledger.
    ///
    /// # Errors
    /// What reading says.
    pub fn load(reader: &Reader, tenants: &[TenantId]) -> Result<Self, JournalError> {
        let ring = Self::default();
        let operators = TenantId::new(OPERATOR).ok();
        for tenant in tenants.iter().chain(&operators) {
            let mut after = None;
            loop {
                let page = reader.ledger(
                    (LedgerTable::ApiKeys, tenant),
                    &LedgerFilter::default(),
                    (after.as_ref(), MAX_KEYS_A_PAGE),
                )?;
                for record in page.items.iter().filter_map(|row| serde_json::from_str(&row.doc).ok()) {
                    ring.insert(record);
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(ring)
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.read().is_empty()
    }

    /// How many keys: of `tenant`, and in all.
    #[must_use]
    pub fn count(&self, tenant: &TenantId) -> (usize, usize) {
        let all = self.0.read();
        (all.values().filter(|record| record.tenant == *tenant).count(), all.len())
    }

    /// From now on this key works.
    pub fn insert(&self, record: KeyRecord) {
        self.0.write().insert(record.id.clone(), Arc::new(record));
    }

    /// From now on this key does not work.
    pub fn remove(&self, id: &KeyId) {
        self.0.write().remove(id);
    }

    /// What is kept of a key.
    #[must_use]
    pub fn get(&self, id: &KeyId) -> Option<Arc<KeyRecord>> {
        self.0.read().get(id).cloned()
    }

    /// Who presents `key`. Found by its public part, proven by its hash in constant time.
    #[must_use]
    pub fn authenticate(&self, key: &Secret, now: Timestamp) -> Option<Caller> {
        let presented = ApiKey::parse(key).ok()?;
        let record = self.get(&presented.id)?;
        let proven = record.hash.matches(&presented.hash);
        let expired = record.expires_at.is_some_and(|end| end <= now);
        (proven && !expired).then(|| record.caller())
    }
}

mod hash_hex {
    //! A hash as 64 hex digits.
    use onesec_identity::KeyHash;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(hash: &KeyHash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(hash.as_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyHash, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut digest = [0; 32];
        hex::decode_to_slice(&text, &mut digest).map_err(|_| serde::de::Error::custom("not a hash"))?;
        Ok(KeyHash::from_bytes(digest))
    }
}

/// What stands for the key of an agent that has none: always the same for the same agent, and no key of anybody's.
#[expect(clippy::expect_used, reason = "a prefix and 32 hex digits are an identifier")]
fn agent_key(agent: &AgentId) -> KeyId {
    let digest = Thumbprint::of(agent.as_str().as_bytes()).to_string();
    KeyId::new(&format!("agent-{}", digest.get(..32).unwrap_or_default())).expect("an identifier")
}

/// The tenant of keys that are good for every tenant.
pub const OPERATOR: &str = "*";
const MAX_KEYS_A_PAGE: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(scopes: &[KeyScope], tenant: &str) -> KeySpec {
        let name = Name::new("test").expect("name");
        KeySpec::new(name, KeyScopes::of(scopes), TenantId::new(tenant).expect("tenant"))
    }

    #[test]
    fn scopes_imply_what_they_say_and_exchange_is_never_implied() {
        let allowed = |given: KeyScope| -> Vec<&str> {
            let given = KeyScopes::of(&[given]);
            KeyScope::ALL.into_iter().filter(|s| given.allow(*s)).map(KeyScope::as_str).collect()
        };
        assert_eq!(allowed(KeyScope::Admin), ["read", "events:write", "events:trust", "respond", "admin"]);
        assert_eq!(allowed(KeyScope::EventsTrust), ["events:write", "events:trust"]);
        assert_eq!(allowed(KeyScope::EventsWrite), ["events:write"]);
        assert_eq!(allowed(KeyScope::Exchange), ["exchange"]);
        assert_eq!(allowed(KeyScope::Respond), ["respond"]);
        assert_eq!(allowed(KeyScope::Read), ["read"]);
    }

    #[test]
    fn a_key_works_until_it_expires_or_is_taken_back() {
        let (now, ring) = (Timestamp::from_secs(1_000), KeyRing::default());
        let mut wanted = spec(&[KeyScope::Read], "acme");
        wanted.expires_at = Some(Timestamp::from_secs(2_000));
        let (record, secret) = wanted.make(now).expect("key");
        let id = record.id.clone();
        ring.insert(record);
        let caller = ring.authenticate(&secret, now).expect("known");
        assert_eq!((caller.key.clone(), caller.tenant.as_str(), caller.operator), (id.clone(), "acme", false));
        assert!(ring.authenticate(&secret, Timestamp::from_secs(2_000)).is_none());
        let (_, other) = spec(&[KeyScope::Read], "acme").make(now).expect("key");
        let forged = format!("os_{id}_{}", other.expose_to_wire().get(12..).expect("form"));
        assert!(ring.authenticate(&Secret::new(forged), now).is_none());
        ring.remove(&id);
        assert!(ring.authenticate(&secret, now).is_none());
    }

    #[test]
    fn what_is_kept_and_shown_of_a_key_is_not_the_key() {
        let (record, secret) = spec(&[KeyScope::Admin], OPERATOR).make(Timestamp::EPOCH).expect("key");
        let LedgerWrite::Put { row, .. } = record.put() else { panic!("a key is put") };
        let hash = hex::encode(record.hash.as_bytes());
        let tail = secret.expose_to_wire().get(12..).expect("the secret part").to_owned();
        assert!(row.doc.contains(&hash) && !row.doc.contains(&tail));
        let shown = format!("{} {record:?}", record.to_json());
        assert!(!shown.contains(&hash) && !shown.contains(&tail));
        let read: KeyRecord = serde_json::from_str(&row.doc).expect("reads back");
        assert!(read.hash.matches(&record.hash));
        assert!(read.caller().operator);
    }

    #[test]
    fn only_trusted_keys_and_our_own_api_have_authority() {
        let caller = |scopes: &[KeyScope]| spec(scopes, "a").make(Timestamp::EPOCH).expect("key").0.caller();
        let writer = caller(&[KeyScope::EventsWrite]);
        assert_eq!(writer.sender(Channel::Ingest).authority, Authority::Claim);
        assert_eq!(caller(&[KeyScope::EventsTrust]).sender(Channel::Ingest).authority, Authority::Trust);
        assert_eq!(caller(&[KeyScope::Respond]).sender(Channel::Api).authority, Authority::Trust);
    }
}
