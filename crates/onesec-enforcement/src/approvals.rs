//! What waits for a person: bounded, each bound to the digest of exactly what was asked, and good once.
//!
//! A function of the records before it, like everything that a replay must reach again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use onesec_telemetry::{AgentId, AlertId, KeyId, Name, Thumbprint, Timestamp};
use serde::{Deserialize, Serialize};

/// Something that a person is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Approval {
    /// Its id: that of the action, or of the exchange that is held.
    pub id: Name,
    /// What it is about; equal digests are the same question.
    pub digest: Thumbprint,
    /// What is asked: JSON text, for people and for whoever carries it out.
    pub wanted: String,
    /// The alert behind it.
    pub alert: Option<AlertId>,
    /// Whom it concerns: nobody's flood takes another's room.
    pub agent: Option<AgentId>,
    /// When it was asked first.
    pub asked_at: Timestamp,
    /// Nobody can say yes from here on.
    pub expires_at: Timestamp,
    /// How often it was asked.
    pub times: u64,
    /// Who cannot decide on it.
    pub barred: Barred,
}

impl Approval {
    /// A question about what has this id and digest.
    #[must_use]
    pub fn new(
        (id, digest): (Name, Thumbprint),
        (asked_at, expires_at): (Timestamp, Timestamp),
        alert: Option<AlertId>,
        agent: Option<AgentId>,
    ) -> Self {
        let barred = Barred { keys: BTreeSet::new(), owners: BTreeSet::new(), everybody: false };
        Self { id, digest, wanted: String::new(), alert, agent, asked_at, expires_at, times: 1, barred }
    }

    /// Whether an agent asked, and not a policy.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.id.as_str().starts_with(Self::REQUEST)
    }

    /// How the id of a request begins.
    pub const REQUEST: &'static str = "hold_";

    /// With what is asked, as JSON text.
    #[must_use]
    pub fn about(mut self, wanted: String) -> Self {
        self.wanted = wanted;
        self
    }

    /// With those who cannot say yes.
    #[must_use]
    pub fn barring(mut self, barred: Barred) -> Self {
        self.barred = barred;
        self
    }
}

/// Who asked, reported or made the policy, and therefore cannot say yes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barred {
    /// Keys.
    pub keys: BTreeSet<KeyId>,
    /// Their owners: a second key of the same person is the same person.
    pub owners: BTreeSet<Name>,
    /// More have asked than are kept by name: nobody can say yes any more.
    pub everybody: bool,
}

impl Barred {
    /// Bars the holder of a key.
    pub fn bar(&mut self, key: Option<&KeyId>, owner: Option<&Name>) {
        self.keys.extend(key.filter(|key| !self.keys.contains(*key)).cloned());
        self.owners.extend(owner.filter(|owner| !self.owners.contains(*owner)).cloned());
        self.everybody |= self.keys.len().max(self.owners.len()) > MOST_BARRED;
        while self.keys.len() > MOST_BARRED {
            self.keys.pop_last();
        }
        while self.owners.len() > MOST_BARRED {
            self.owners.pop_last();
        }
    }

    /// Bars everybody whom `other` bars, too.
    pub fn join(&mut self, other: &Self) {
        self.everybody |= other.everybody;
        for key in &other.keys {
            self.bar(Some(key), None);
        }
        for owner in &other.owners {
            self.bar(None, Some(owner));
        }
    }
}

/// The person who decides.
#[derive(Debug, Clone, Copy)]
pub struct Approver<'a> {
    /// By which key.
    pub key: Option<&'a KeyId>,
    /// Whose it is.
    pub owner: Option<&'a Name>,
    /// Whether it must be another person than whoever asked.
    pub eyes: FourEyes,
}

/// Whether two people must be of the same mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FourEyes {
    /// Whoever asked, reported or made the policy, by any key of that owner, cannot approve.
    #[default]
    Owner,
    /// Anybody who may respond can.
    Off,
}

/// What a person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Say {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

/// Why a decision does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// There is none with this id.
    #[error("there is no such approval")]
    Unknown,
    /// The digest is another's: what is asked is not what the person saw.
    #[error("the digest is not that of what is asked")]
    OtherDigest,
    /// Whoever asked cannot say yes.
    #[error("whoever asked, reported or made the policy cannot approve it")]
    OwnRequest,
    /// The time is over.
    #[error("nobody decided in time")]
    Expired,
    /// Somebody has decided already.
    #[error("it was decided already")]
    Used,
}

/// Everything that waits, and what was decided lately.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    waiting: BTreeMap<Name, Approval>,
    by_digest: BTreeMap<Thumbprint, Name>,
    ends: BTreeSet<(Timestamp, Name)>,
    over: BTreeMap<Name, Over>,
    forgotten_at: BTreeSet<(Timestamp, Name)>,
    /// Changes with every change of what waits, so that readers need not compare.
    version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Over {
    Decided,
    Expired,
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asked {
    /// It waits.
    Waits,
    /// The same is asked already, under this id.
    Merged(Name),
    /// So much waits already for the same agent, or for all: it is not asked, and nothing is evicted for it.
    NoRoom,
}

impl Approvals {
    /// Puts a question. Ask [`Approvals::expire`] first.
    pub fn ask(&mut self, approval: Approval) -> Asked {
        if let Some(id) = self.by_digest.get(&approval.digest).cloned()
            && let Some(same) = self.waiting.get_mut(&id)
        {
            same.times += 1;
            self.version += 1;
            // Whoever asks too is barred too, whoever asked first.
            same.barred.join(&approval.barred);
            return Asked::Merged(id);
        }
        // Whoever asks for much must not take the room of what is to be done about it.
        let alike = || self.waiting.values().filter(|other| other.is_request() == approval.is_request());
        let of_agent = alike().filter(|other| other.agent == approval.agent).count();
        if of_agent >= MOST_PER_AGENT || alike().count() >= MOST {
            return Asked::NoRoom;
        }
        self.version += 1;
        self.by_digest.insert(approval.digest, approval.id.clone());
        self.ends.insert((approval.expires_at, approval.id.clone()));
        self.waiting.insert(approval.id.clone(), approval);
        Asked::Waits
    }

    /// Takes out what nobody decided on in time.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Approval> {
        let mut expired = Vec::new();
        while let Some((end, id)) = self.ends.first().cloned()
            && end <= now
        {
            match self.take(&id, Over::Expired, now) {
                Some(approval) => expired.push(approval),
                None => drop(self.ends.remove(&(end, id))),
            }
        }
        while let Some((end, id)) = self.forgotten_at.first().cloned()
            && (end <= now || self.over.len() > MOST)
        {
            self.forgotten_at.remove(&(end, id.clone()));
            self.over.remove(&id);
        }
        expired
    }

    /// A person decides; what was asked comes back, and is over.
    ///
    /// # Errors
    /// [`ApprovalError`]; then nothing has changed.
    pub fn decide(
        &mut self,
        (id, digest): (&Name, &Thumbprint),
        (say, by): (Say, Approver<'_>),
        now: Timestamp,
    ) -> Result<Approval, ApprovalError> {
        let Some(approval) = self.waiting.get(id) else {
            return Err(match self.over.get(id) {
                Some(Over::Decided) => ApprovalError::Used,
                Some(Over::Expired) => ApprovalError::Expired,
                None => ApprovalError::Unknown,
            });
        };
        if approval.expires_at <= now {
            return Err(ApprovalError::Expired);
        }
        if approval.digest != *digest {
            return Err(ApprovalError::OtherDigest);
        }
        if say == Say::Approve && !may_approve(approval, by) {
            return Err(ApprovalError::OwnRequest);
        }
        self.take(id, Over::Decided, now).ok_or(ApprovalError::Unknown)
    }

    fn take(&mut self, id: &Name, over: Over, now: Timestamp) -> Option<Approval> {
        let approval = self.waiting.remove(id)?;
        self.version += 1;
        self.by_digest.remove(&approval.digest);
        self.ends.remove(&(approval.expires_at, id.clone()));
        self.over.insert(id.clone(), over);
        self.forgotten_at.insert((now + REMEMBERED, id.clone()));
        Some(approval)
    }

    /// The same number means that the same waits.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// What waits, in the order of ids.
    pub fn waiting(&self) -> impl Iterator<Item = &Approval> {
        self.waiting.values()
    }

    /// One that waits.
    #[must_use]
    pub fn get(&self, id: &Name) -> Option<&Approval> {
        self.waiting.get(id)
    }
}

fn may_approve(approval: &Approval, by: Approver<'_>) -> bool {
    match by.eyes {
        FourEyes::Off => true,
        FourEyes::Owner => {
            let barred = &approval.barred;
            // Nobody knows whose it is: it may be the same person's.
            let (Some(key), Some(owner)) = (by.key, by.owner) else { return false };
            !barred.everybody && !barred.keys.contains(key) && !barred.owners.contains(owner)
        }
    }
}

/// What waits for people about one agent: so many requests, and so many actions.
const MOST_PER_AGENT: usize = 20;
/// What waits in all: so many requests, and so many actions.
const MOST: usize = 2_000;
/// Askers kept by name.
const MOST_BARRED: usize = 100;
/// How long an id that is over is told apart from one that never was.
const REMEMBERED: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests;
