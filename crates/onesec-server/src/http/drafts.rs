//! From events to drafts: what the edge finds out about an event before the core sees it.

use std::net::IpAddr;
use std::sync::Arc;

use onesec_telemetry::{Attestation, Attested, Channel, Details, Event, Name, Secret};
use onesec_text::{score_event, text_bytes};

use super::App;
use super::problem::Problem;
use crate::core::Draft;
use crate::identity::{Bearer, told};
use crate::keys::Caller;

/// An event as the edge hands it on. The text of a signed statement is gone before anything is kept.
pub(super) fn draft(
    app: &App,
    caller: &Caller,
    (channel, origin): (Channel, Option<IpAddr>),
    event: Box<Event>,
) -> Drafted {
    let (mut event, mut drafted) = (event, Vec::new());
    let attestation = match &mut event.details {
        Details::AgentIdentityDelegation(said) => {
            said.attestation.as_mut().map(|statement| attested(app, caller, statement.text.take()))
        }
        _ => None,
    };
    let text = score_event(&app.scorer, &event);
    let mut draft = Draft::new(event, caller.sender(channel));
    draft.text = text;
    if let Some((attestation, above)) = attestation {
        draft.attestation = attestation;
        let bearer = Bearer { key: Some(caller.key.clone()), owner: caller.owner.clone(), channel, network: origin };
        drafted = above.iter().filter_map(|attested| told(attested, &bearer)).collect();
    }
    draft.network = origin;
    draft.trusted_time = caller.trusted_time;
    Drafted { draft, above: drafted }
}

/// An event, and the delegations that stand above it in a chain that came with it: the ledger must know them first.
pub(super) struct Drafted {
    pub(super) draft: Draft,
    pub(super) above: Vec<Draft>,
}

/// What a signed statement is worth: the delegation at the end of its chain, and those above that are not ours.
fn attested(app: &App, caller: &Caller, text: Option<Secret>) -> (Attestation, Vec<Attested>) {
    let refused = |code: &str| Name::new(code).map_or(Attestation::Absent, Attestation::Refused);
    let Some(text) = text else { return (refused("not_the_text"), Vec::new()) };
    let (identity, now) = (&app.identity, app.core.now());
    match identity.links.verify((&caller.tenant, &text), &identity.agents, now) {
        Err(why) => (refused(why.code()), Vec::new()),
        Ok(chain) => match chain.leaf() {
            None => (refused("empty_chain"), Vec::new()),
            Some(leaf) => {
                let above = chain.to_tell().iter().filter(|link| link.id != leaf.id).cloned().collect();
                (Attestation::Verified(Box::new(leaf.clone())), above)
            }
        },
    }
}

/// Drafts of all events. Signatures and texts take time: many of them are looked at where blocking is allowed.
#[expect(clippy::vec_box, reason = "events go on in their boxes")]
pub(super) async fn drafts(
    app: &Arc<App>,
    caller: &Caller,
    origin: Option<IpAddr>,
    events: Vec<Box<Event>>,
) -> Result<Vec<Drafted>, Problem> {
    let signed = events.iter().filter(|event| event.has_statement()).count();
    let to_read: usize = events.iter().map(|event| text_bytes(event)).sum();
    let (app, caller) = (app.clone(), caller.clone());
    let work = move || events.into_iter().map(|event| draft(&app, &caller, (Channel::Ingest, origin), event)).collect();
    if signed < MANY_STATEMENTS && to_read < MANY_BYTES {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| Problem::internal())
}

/// So many bytes of text are read where they arrive.
pub(super) const MANY_BYTES: usize = 16 * 1024;
/// So many are verified where they arrive.
const MANY_STATEMENTS: usize = 4;
