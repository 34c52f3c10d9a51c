//! The plug for actions: how one is carried out. What ships is in `onesec-actions`; others come through the same door.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use onesec_telemetry::{Alert, Name, Secret, TenantId, Timestamp};

use crate::spec::ActionSpec;
use crate::target::Target;

/// One action that is due.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Job {
    /// The same for every attempt: what a receiver recognises a repetition by.
    pub id: Name,
    /// Whose.
    pub tenant: TenantId,
    /// Which policy asked.
    pub policy: Name,
    /// What is to be done; secrets and all.
    pub spec: ActionSpec,
    /// To whom.
    pub target: Target,
    /// Why.
    pub alert: Alert,
    /// Which attempt this is, from 1.
    pub attempt: u64,
    /// When policy asked.
    pub requested_at: Timestamp,
}

impl Job {
    /// A first attempt.
    #[must_use]
    pub fn new((id, policy): (Name, Name), spec: ActionSpec, target: Target, alert: Alert) -> Self {
        let (tenant, requested_at) = (alert.tenant.clone(), alert.last_seen);
        Self { id, tenant, policy, spec, target, alert, attempt: 1, requested_at }
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done, and seen to be so: how.
    Verified {
        /// In a sentence.
        how: String,
        /// Until when it can be taken back, where the world allows it.
        undo_until: Option<Timestamp>,
    },
    /// Done; nothing shows whether it had effect.
    Succeeded {
        /// In a sentence.
        how: String,
    },
    /// There is nothing to do any more.
    Unneeded {
        /// In a sentence.
        why: String,
    },
    /// Not done: somebody must hand something in, by [`Action::complete`]. Tried again when the time is over.
    Waits {
        /// How long.
        patience: Duration,
        /// For what, in a sentence.
        why: String,
    },
    /// Not done; it may go better later.
    Retry {
        /// Not before.
        after: Duration,
        /// In a sentence, without secrets.
        why: String,
    },
    /// Not done, and trying again is useless.
    Failed {
        /// In a sentence, without secrets.
        why: String,
    },
}

/// What may be done with an action that a crash interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupted {
    /// It runs again: the receiver knows the id, or doing it twice is doing it once.
    Again,
    /// It does not: nobody knows whether it happened, and the receipt says so.
    Never,
}

/// An attempt under way.
pub type Working<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Carries out one kind of action.
///
/// Whoever calls has made the claim durable before; an implementation does one attempt, checks that it had effect where
/// that can be checked, and says so. It never waits without a limit of time and puts no secret into a sentence.
pub trait Action: Send + Sync {
    /// The kind that it carries out: [`ActionSpec::kind`]; other people's begin with `x_`.
    fn kind(&self) -> &str;

    /// Whether the action can run as written, asked when its policy is loaded.
    ///
    /// # Errors
    /// Why it cannot, in a sentence.
    fn check(&self, spec: &ActionSpec) -> Result<(), String> {
        let _ = spec;
        Ok(())
    }

    /// What becomes of it after a crash in the middle.
    fn interrupted(&self) -> Interrupted {
        Interrupted::Again
    }

    /// One attempt.
    fn run<'a>(&'a self, job: &'a Job) -> Working<'a>;

    /// Carries out what waits, with what was handed in for it: a credential that is used now and never kept.
    fn complete<'a>(&'a self, job: &'a Job, handed_in: &'a Secret) -> Working<'a> {
        let _ = (job, handed_in);
        Box::pin(async { Outcome::Failed { why: "it waits for nothing that can be handed in".to_owned() } })
    }

    /// Takes it back.
    fn undo<'a>(&'a self, job: &'a Job) -> Working<'a> {
        let _ = job;
        Box::pin(async { Outcome::Failed { why: "it cannot be taken back".to_owned() } })
    }
}
