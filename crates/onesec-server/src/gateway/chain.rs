//! Delegations that come with an exchange: verified, told to the ledger once, and then judged like any other.

use onesec_telemetry::event::AgentIdentityDelegation;
use onesec_telemetry::{Attestation, Channel, Common, Details, Event, EventId, Name, Secret, Sender, UserId};
use onesec_trackers::facts::DelegationOutcome;

use super::exchange::Way;
use super::{Inner, Problem};
use crate::core::{Draft, Submission, Taken};
use crate::identity::{Bearer, Introduced, told};

impl Inner {
    /// Makes the delegation that came with the request known. Gives the user at its root; `None` where none came.
    pub(super) async fn introduce(&self, way: &Way) -> Result<Option<UserId>, Problem> {
        let Some(chain) = &way.request.delegation else { return Ok(None) };
        let verified = self.identity.links.verify((&self.tenant, chain), &self.identity.agents, self.core.now());
        let verified = match verified {
            Ok(verified) => verified,
            Err(why) => {
                self.record_refused(way, why.code()).await;
                return Err(Problem::bad_delegation(&format!("the delegation was refused: {}", why.code())));
            }
        };
        let leaf = verified.leaf().ok_or_else(|| Problem::bad_delegation("the delegation has no links"))?;
        if leaf.link.delegate != way.agent.agent {
            // Whoever finds another agent's delegation cannot use it.
            self.record_refused(way, "another_agents").await;
            return Err(Problem::bad_delegation("the delegation is another agent's"));
        }
        let user = leaf.user.clone();
        if !self.identity.links.was_told(&self.tenant, chain) {
            self.tell_ledger(way, chain, &verified).await?;
        }
        Ok(Some(user))
    }

    async fn tell_ledger(&self, way: &Way, chain: &Secret, verified: &Introduced) -> Result<(), Problem> {
        let bearer = Bearer {
            key: way.agent.key.clone(),
            owner: way.agent.owner.clone(),
            channel: Channel::Gateway,
            network: way.request.network,
        };
        let drafts: Vec<Draft> = verified.to_tell().iter().filter_map(|attested| told(attested, &bearer)).collect();
        if !drafts.is_empty() {
            let submission = Submission { tenant: self.tenant.clone(), drafts, dead_letters: Vec::new() };
            let taken = self.core.ingest(submission).await.map_err(|_| Problem::unrecorded())?;
            let refused = taken.iter().find_map(|taken| match taken {
                Taken::Recorded { delegation: Some((_, DelegationOutcome::Refused(why))), .. } => Some(*why),
                _ => None,
            });
            if let Some(why) = refused {
                return Err(Problem::bad_delegation(&format!("the delegation was refused: {}", why.as_str())));
            }
        }
        self.identity.links.remember_told(&self.tenant, chain);
        Ok(())
    }

    /// A forged delegation is worth an alert, whatever becomes of the exchange.
    async fn record_refused(&self, way: &Way, reason: &str) {
        let common = Common {
            agent_id: Some(way.agent.agent.clone()),
            user_id: way.user.clone(),
            connection: Some(way.request.connection.clone()),
            ..Common::default()
        };
        let (Ok(by), Ok(reason)) = (Name::new("unknown"), Name::new(reason)) else { return };
        let said = AgentIdentityDelegation {
            delegated_by: by,
            scopes: None,
            expires_at: None,
            delegation_chain: None,
            attestation: None,
            delegation_id: None,
            parent_id: None,
            max_depth: None,
            account_id: None,
        };
        let Ok(id) = EventId::new(&format!("{}-delegation", way.id)) else { return };
        let event = Event::new(id, common, Details::AgentIdentityDelegation(said));
        let (agent, key, owner) = (way.agent.agent.clone(), way.agent.key.clone(), way.agent.owner.clone());
        let mut draft = Draft::new(event, Sender::gateway(agent, key, owner));
        draft.attestation = Attestation::Refused(reason);
        draft.network = way.request.network;
        let submission = Submission { tenant: self.tenant.clone(), drafts: vec![draft], dead_letters: Vec::new() };
        if let Err(error) = self.core.ingest(submission).await {
            tracing::warn!(exchange = %way.id, %error, "a refused delegation could not be recorded");
        }
    }
}
