//! How a revocation begins: asked for by a person or by a security event, durable, and stopped here before the answer.

use std::sync::Arc;

use onesec_journal::{JournalError, LedgerWrite};
use onesec_telemetry::event::Text;
use onesec_telemetry::{Command, Name, Sender, TenantId, Thumbprint};
use serde_json::json;
use ulid::Ulid;

use super::report::{OWN, Step};
use super::{Part, Revocation, Revocations, State, Target};
use crate::core::CoreError;

/// What is asked for.
pub(crate) struct Wish {
    pub(crate) target: Target,
    /// Whether what was lent counts no more here; for people it is always so.
    pub(crate) own: bool,
    /// Whether somebody told us: then we tell nobody, or two who tell each other would never end.
    pub(crate) told: bool,
    /// The stations; the usual ones where absent.
    pub(crate) parts: Option<Vec<Part>>,
    /// Refresh tokens of these clients only.
    pub(crate) clients: Vec<String>,
    pub(crate) reason: Option<Text>,
    /// By what a repetition is recognised.
    pub(crate) request_id: Option<String>,
    pub(crate) sender: Sender,
}

/// Why nothing was begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotBegun {
    /// Neither a user nor an agent is named.
    #[error("name a user, or an agent, or both")]
    NoTarget,
    /// A part that is not of this target.
    #[error("sessions and consents are a user's: they cannot be taken from one agent")]
    NotAnAgents,
    /// The same request id came before with something else.
    #[error("the same request id was used for something else")]
    OtherRequest,
    /// Too many are under way.
    #[error("too many revocations are under way")]
    TooMany,
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal cannot be written.
    #[error(transparent)]
    Core(#[from] CoreError),
}

/// One that was begun, or had been before.
pub(crate) struct Begun {
    pub(crate) revocation: Revocation,
    pub(crate) is_new: bool,
}

impl Revocations {
    /// Begins one. When it returns the wish is durable, and nothing of what was lent counts here any more; the rest goes
    /// on beside. `rows` become durable with the wish. Goes on also where whoever asked hangs up.
    ///
    /// # Errors
    /// [`NotBegun`]; nothing has happened then, unless the journal failed in the middle: then it goes on by itself.
    pub(crate) async fn begin(
        self: &Arc<Self>,
        tenant: &TenantId,
        wish: Wish,
        rows: Vec<LedgerWrite>,
    ) -> Result<Begun, NotBegun> {
        let (this, tenant) = (self.clone(), tenant.clone());
        let work = async move { this.begun(&tenant, wish, rows).await };
        tokio::spawn(work).await.unwrap_or(Err(NotBegun::Core(CoreError::Stopping)))
    }

    async fn begun(&self, tenant: &TenantId, wish: Wish, mut rows: Vec<LedgerWrite>) -> Result<Begun, NotBegun> {
        let revocation = self.made(tenant, &wish)?;
        let key = (tenant.clone(), revocation.id.clone());
        if wish.request_id.is_some()
            && let Some(before) = self.read(tenant, &revocation.id).await?
        {
            let same = before.digest == revocation.digest;
            return if same { Ok(Begun { revocation: before, is_new: false }) } else { Err(NotBegun::OtherRequest) };
        }
        // Two at once with the same request id: one of them is the repetition.
        if !self.under_way.lock().insert(key.clone()) {
            return Ok(Begun { revocation, is_new: false });
        }
        let outcome = self.first_step(tenant, (wish, revocation), &mut rows).await;
        self.under_way.lock().remove(&key);
        self.woken.notify_one();
        Ok(Begun { revocation: outcome?, is_new: true })
    }

    async fn first_step(
        &self,
        tenant: &TenantId,
        (wish, revocation): (Wish, Revocation),
        rows: &mut Vec<LedgerWrite>,
    ) -> Result<Revocation, NotBegun> {
        let key = (tenant.clone(), revocation.id.clone());
        if self.open.lock().len() >= MOST_OPEN {
            return Err(NotBegun::TooMany);
        }
        let command = Command::RevokeAccess {
            id: revocation.id.clone(),
            user: revocation.target.user_id.clone(),
            connection: revocation.target.connection.clone(),
            agent: revocation.target.agent_id.clone(),
            reason: revocation.reason.clone(),
        };
        rows.push(revocation.put(tenant));
        self.order((tenant, wish.sender), command, std::mem::take(rows)).await?;
        self.open.lock().insert(key);
        Ok(self.stop(tenant, revocation).await?)
    }

    fn made(&self, tenant: &TenantId, wish: &Wish) -> Result<Revocation, NotBegun> {
        let (target, now) = (wish.target.clone(), self.now());
        if target.user_id.is_none() && target.agent_id.is_none() {
            return Err(NotBegun::NoTarget);
        }
        let mut parts = wish.parts.clone().unwrap_or_else(|| usual(&target));
        parts.sort_unstable();
        parts.dedup();
        if target.agent_id.is_some() && parts.iter().any(|part| matches!(part, Part::Sessions | Part::Grants)) {
            return Err(NotBegun::NotAnAgents);
        }
        let id = match &wish.request_id {
            Some(request) => {
                let key = wish.sender.key.as_ref().map_or("", AsRef::as_ref);
                let text = [tenant.as_str(), key, request].join("\u{1f}");
                Thumbprint::of(text.as_bytes()).to_string().get(..26).unwrap_or_default().to_owned()
            }
            None => Ulid::generate().to_string().to_lowercase(),
        };
        let id = Name::new(&format!("rev_{id}")).map_err(|_| NotBegun::Core(CoreError::UnknownTenant))?;
        let said = json!({"target": target, "own": wish.own, "parts": parts, "clients": wish.clients}).to_string();
        let mut steps = vec![Step::pending(OWN, None, now)];
        // Where tokens of providers may be is found out in the first step.
        let others = parts.iter().filter(|part| **part != Part::Provider);
        steps.extend(others.map(|part| Step::pending(part.as_str(), None, now)));
        Ok(Revocation {
            id,
            state: State::Running,
            target,
            own: wish.own,
            told: wish.told,
            parts,
            clients: wish.clients.clone(),
            reason: wish.reason.clone(),
            requested_by: wish.sender.owner.clone(),
            requested_at: now,
            finished_at: None,
            steps,
            remaining: Vec::new(),
            ended: Vec::new(),
            digest: Thumbprint::of(said.as_bytes()),
        })
    }

    /// Has what was refused or failed tried once more. `None` where there is nothing to try.
    ///
    /// # Errors
    /// [`NotBegun`].
    pub(crate) async fn again(&self, tenant: &TenantId, id: &Name) -> Result<Option<Revocation>, NotBegun> {
        let Some(mut revocation) = self.read(tenant, id).await? else { return Ok(None) };
        if revocation.state == State::Running || !revocation.again(self.now()) {
            return Ok(None);
        }
        self.core.keep(tenant, vec![revocation.put(tenant)]).await?;
        self.open.lock().insert((tenant.clone(), id.clone()));
        self.woken.notify_one();
        Ok(Some(revocation))
    }
}

/// A user is stopped everywhere; where it is about one account, the user stays logged in. Where it is about one agent,
/// tokens of the provider are left alone: the tenant may have given the same to others, and would go on doing so.
fn usual(target: &Target) -> Vec<Part> {
    match (&target.user_id, &target.connection, &target.agent_id) {
        (Some(_), None, None) => Part::ALL.to_vec(),
        (Some(_), None, Some(_)) => vec![Part::RefreshTokens],
        (_, _, Some(_)) => Vec::new(),
        _ => vec![Part::Provider],
    }
}

/// That are not over.
const MOST_OPEN: usize = 1_000;
