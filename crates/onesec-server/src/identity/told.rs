//! What a signed link says, as an event for the ledger.

use std::net::IpAddr;

use onesec_telemetry::event::AgentIdentityDelegation;
use onesec_telemetry::{
    Attestation, Attested, Authority, Channel, Common, Details, Event, EventId, KeyId, Name, Sender,
};

use crate::core::Draft;

/// Who brings a link. Nobody has authority over it by that: only the signatures have.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    pub(crate) key: Option<KeyId>,
    pub(crate) owner: Option<Name>,
    pub(crate) channel: Channel,
    pub(crate) network: Option<IpAddr>,
}

/// One link as an event. Its id is the link's own: told twice, it is one.
pub(crate) fn told(attested: &Attested, bearer: &Bearer) -> Option<Draft> {
    let link = &attested.link;
    let common = Common {
        agent_id: Some(link.delegate.clone()),
        user_id: Some(attested.user.clone()),
        connection: link.connection.clone(),
        ..Common::default()
    };
    let said = AgentIdentityDelegation {
        delegated_by: link.delegator.clone(),
        scopes: link.scopes.clone(),
        expires_at: Some(link.expires_at),
        delegation_chain: None,
        attestation: None,
        delegation_id: Some(attested.id.clone()),
        parent_id: attested.parent.clone(),
        max_depth: None,
        account_id: None,
    };
    let event = Event::new(EventId::new(attested.id.as_str()).ok()?, common, Details::AgentIdentityDelegation(said));
    let sender = Sender {
        channel: bearer.channel,
        key: bearer.key.clone(),
        owner: bearer.owner.clone(),
        agent: None,
        authority: Authority::Claim,
    };
    let mut draft = Draft::new(event, sender);
    draft.attestation = Attestation::Verified(Box::new(attested.clone()));
    draft.network = bearer.network;
    Some(draft)
}
