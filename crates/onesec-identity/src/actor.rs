//! Who acts, and who may: the claims `act` and `may_act` (RFC 8693, sections 4.1 and 4.4).

use std::str::FromStr;

use onesec_telemetry::{AgentId, AppId};
use serde_json::{Map, Value};

use crate::claims::Claims;
use crate::refused::TokenRefused;

/// How many nested `act` claims are followed. Auth0 issues at most five.
pub const MAX_ACTORS: usize = 5;
const BAD_ACT: TokenRefused = TokenRefused::BadClaim("act");
const BAD_MAY_ACT: TokenRefused = TokenRefused::BadClaim("may_act");
/// What `may_act` may say. Of any other member nobody here could tell whether it holds.
const MAY_ACT_MEMBERS: [&str; 5] = ["sub", "client_id", "iss", "sub_profile", "client_profile"];

/// One who acts for the subject of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Actor {
    /// `sub` within `act`.
    pub sub: AgentId,
    /// `client_id` within `act`.
    pub client: Option<AppId>,
}

impl Actor {
    /// Nested `act` claims, outermost (the current actor) first. One that exchanged its own token again stands there
    /// once; one that comes back after another, or acts for itself, makes a cycle.
    pub(crate) fn all(claims: &Claims) -> Result<Vec<Self>, TokenRefused> {
        let subject = claims.text("sub")?;
        let mut actors: Vec<Self> = Vec::new();
        let (mut next, mut depth) = (claims.0.get("act"), 0);
        while let Some(act) = next {
            depth += 1;
            if depth > MAX_ACTORS {
                return Err(TokenRefused::TooManyActors);
            }
            let actor = Self::read(act)?;
            next = act.get("act");
            if actors.last().is_some_and(|last| last.sub == actor.sub) {
                continue;
            }
            if Some(actor.sub.as_str()) == subject || actors.iter().any(|one| one.sub == actor.sub) {
                return Err(TokenRefused::ActorCycle);
            }
            actors.push(actor);
        }
        Ok(actors)
    }

    fn read(act: &Value) -> Result<Self, TokenRefused> {
        let sub = act.get("sub").ok_or(BAD_ACT).and_then(id)?;
        Ok(Self { sub, client: act.get("client_id").map(id).transpose()? })
    }
}

/// An identifier that is already canonical, as in [`Claims::id`].
fn id<T: FromStr + AsRef<str>>(value: &Value) -> Result<T, TokenRefused> {
    let raw = value.as_str().ok_or(BAD_ACT)?;
    raw.parse().ok().filter(|id: &T| id.as_ref() == raw).ok_or(BAD_ACT)
}

/// The only party that may act for the subject of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayAct {
    sub: Option<String>,
    client_id: Option<String>,
}

impl MayAct {
    /// `sub` within `may_act`.
    #[must_use]
    pub fn sub(&self) -> Option<&str> {
        self.sub.as_deref()
    }

    /// `client_id` within `may_act`.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// Whether somebody who goes by the names `known_as` is the party: each of `sub` and `client_id` that is stated
    /// must be one of them. Names that the party merely claims for itself do not belong there.
    #[must_use]
    pub fn permits(&self, known_as: &[&str]) -> bool {
        [self.sub(), self.client_id()].into_iter().flatten().all(|stated| known_as.contains(&stated))
    }

    pub(crate) fn read(claims: &Claims) -> Result<Option<Self>, TokenRefused> {
        let Some(may_act) = claims.0.get("may_act") else {
            return Ok(None);
        };
        let members = may_act.as_object().ok_or(BAD_MAY_ACT)?;
        if members.keys().any(|name| !MAY_ACT_MEMBERS.contains(&name.as_str())) {
            return Err(BAD_MAY_ACT);
        }
        for profile in ["sub_profile", "client_profile"] {
            text(members, profile)?;
        }
        // A party of another issuer may go by the same name here and be somebody else.
        if text(members, "iss")?.is_some_and(|iss| Some(iss.as_str()) != claims.text("iss").ok().flatten()) {
            return Err(BAD_MAY_ACT);
        }
        let (sub, client_id) = (text(members, "sub")?, text(members, "client_id")?);
        // Stating nobody would permit everybody.
        if sub.is_none() && client_id.is_none() { Err(BAD_MAY_ACT) } else { Ok(Some(Self { sub, client_id })) }
    }
}

fn text(members: &Map<String, Value>, name: &str) -> Result<Option<String>, TokenRefused> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(BAD_MAY_ACT),
    }
}
