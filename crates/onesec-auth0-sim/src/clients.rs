//! Who the client is: by its secret, or by an assertion that its key signed (RFC 7523).

use onesec_identity::{AssertionExpect, KeySet, claimed_client, verify_client_assertion};
use onesec_telemetry::{Secret, Timestamp};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use crate::answer::{BAD_ASSERTION, BAD_CREDENTIALS, Refusal};
use crate::form::{Form, Presented};
use crate::specs::ClientSpec;
use crate::state::State;

/// Finds the client that the request proves to come from.
pub(crate) fn authenticate(state: &mut State, form: &Form, now: Timestamp) -> Result<ClientSpec, Refusal> {
    match form.assertion()? {
        Some(assertion) => by_assertion(state, (&assertion, form.get("client_id")), now),
        None => by_secret(state, form.credentials()?),
    }
}

fn by_secret(state: &State, readings: Vec<Presented>) -> Result<ClientSpec, Refusal> {
    for presented in readings {
        let client = state.clients.get(&presented.id).filter(|client| client.keys.is_empty());
        if let Some(client) = client {
            let (want, got) = (client.secret.thumbprint(), presented.secret.thumbprint());
            if bool::from(want.as_bytes().ct_eq(got.as_bytes())) {
                return Ok(client.clone());
            }
        }
    }
    Err(BAD_CREDENTIALS)
}

/// The assertion must be for this tenant, by a key of the client that it names, and new.
fn by_assertion(
    state: &mut State,
    (assertion, named): (&Secret, Option<&str>),
    now: Timestamp,
) -> Result<ClientSpec, Refusal> {
    let id = claimed_client(assertion).map_err(|_| BAD_ASSERTION)?;
    let client = state.clients.get(id.as_str()).filter(|_| named.is_none_or(|named| named == id.as_str()));
    let client = client.cloned().ok_or(BAD_ASSERTION)?;
    let keys = KeySet::from_jwks_json(&json!({"keys": client.keys}).to_string()).map_err(|_| BAD_ASSERTION)?;
    let (issuer, endpoint) = (state.issuer(), format!("{}oauth/token", state.issuer()));
    let expect = AssertionExpect { client: &id, audiences: &[&issuer, &endpoint] };
    let proof = verify_client_assertion(assertion, &keys, &expect, now).map_err(|_| BAD_ASSERTION)?;
    let used = state.assertions.admit((id.as_str(), proof.jti()), proof.replayable_until(), now);
    used.map(|()| client).map_err(|_| BAD_ASSERTION)
}
