//! At Auth0: refresh tokens, sessions, consents of a user. What is listed afterwards is what counts.

use std::collections::BTreeSet;

use onesec_auth0::{ApiError, Management};
use onesec_telemetry::UserId;

use super::Answered;
use crate::tenant::eventually;

/// Ids as a listing has them, or why there is no listing.
type Listed = Result<BTreeSet<String>, ApiError>;

/// One kind of thing that is ended for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tokens,
    Sessions,
    Grants,
}

impl Kind {
    const fn noun(self) -> &'static str {
        match self {
            Self::Tokens => "refresh tokens",
            Self::Sessions => "sessions",
            Self::Grants => "consents",
        }
    }

    const fn scope_to_read(self) -> &'static str {
        match self {
            Self::Tokens => "read:refresh_tokens",
            Self::Sessions => "read:sessions",
            Self::Grants => "read:grants",
        }
    }

    async fn list(self, management: &Management, user: &UserId) -> Listed {
        Ok(match self {
            Self::Tokens => management.refresh_tokens(user).await?.into_iter().map(|token| token.id).collect(),
            Self::Sessions => management.sessions(user).await?.into_iter().map(|session| session.id).collect(),
            Self::Grants => management.grants(user).await?.into_iter().map(|grant| grant.id).collect(),
        })
    }

    async fn end(self, management: &Management, user: &UserId) -> Result<(), ApiError> {
        match self {
            Self::Tokens => management.revoke_all_refresh_tokens(user).await,
            Self::Sessions => management.end_sessions(user).await,
            Self::Grants => management.withdraw_grants(user).await,
        }
    }
}

/// Ends the sessions and refresh tokens of a user that are wanted: both in one call where the tenant has it, else one by
/// one, so that a scope that is missing for one of them does not save the other. The answers for tokens and sessions.
pub async fn end_sessions_and_tokens(
    management: &Management,
    user: &UserId,
    [tokens, sessions]: [bool; 2],
) -> [Option<Answered>; 2] {
    let before = (
        if tokens { Some(Kind::Tokens.list(management, user).await) } else { None },
        if sessions { Some(Kind::Sessions.list(management, user).await) } else { None },
    );
    let at_once = tokens && sessions && is_worth_it(before.0.as_ref(), before.1.as_ref());
    let done = if at_once { management.revoke_access(user).await.is_ok() } else { false };
    let (listed_tokens, listed_sessions) = before;
    let mut answers = [None, None];
    let [of_tokens, of_sessions] = &mut answers;
    if let Some(before) = listed_tokens {
        *of_tokens = Some(ended((management, user), Kind::Tokens, (before, done)).await);
    }
    if let Some(before) = listed_sessions {
        *of_sessions = Some(ended((management, user), Kind::Sessions, (before, done)).await);
    }
    answers
}

/// Where the tenant is down there is no use in asking it more, nor where there is nothing.
fn is_worth_it(tokens: Option<&Listed>, sessions: Option<&Listed>) -> bool {
    let down = |listed: Option<&Listed>| matches!(listed, Some(Err(error)) if error.is_outage());
    let empty = |listed: Option<&Listed>| matches!(listed, Some(Ok(ids)) if ids.is_empty());
    let nothing = empty(tokens) && empty(sessions);
    !nothing && !down(tokens) && !down(sessions)
}

/// Withdraws what a user consented to.
pub async fn withdraw_grants(management: &Management, user: &UserId) -> Answered {
    let before = Kind::Grants.list(management, user).await;
    ended((management, user), Kind::Grants, (before, false)).await
}

async fn ended((management, user): (&Management, &UserId), kind: Kind, (before, done): (Listed, bool)) -> Answered {
    match &before {
        Ok(ids) if ids.is_empty() => return Answered::Unneeded(format!("the user has no {}", kind.noun())),
        Err(error @ ApiError::NotFound) => return Answered::Unneeded(error.to_string()),
        Err(error) if error.is_outage() => return answered(error),
        Ok(_) | Err(_) => {}
    }
    if !done && let Err(error) = kind.end(management, user).await {
        return answered(&error);
    }
    let Ok(before) = before else {
        let (noun, scope) = (kind.noun(), kind.scope_to_read());
        return Answered::Accepted(format!(
            "the tenant says that the {noun} are gone; without `{scope}` nobody looked"
        ));
    };
    // One that was made since is another login, and not what was to be ended.
    let left = |seen: &BTreeSet<String>| seen.intersection(&before).count();
    match eventually(|| kind.list(management, user), |seen| left(seen) == 0).await {
        Err(error) => answered(&error),
        Ok(seen) if left(&seen) == 0 => {
            Answered::Confirmed(format!("{} {} ended, none of them is listed any more", before.len(), kind.noun()))
        }
        Ok(seen) => still_there(kind, (left(&seen), before.len())),
    }
}

fn still_there(kind: Kind, (left, all): (usize, usize)) -> Answered {
    let why = format!("the tenant says that they are gone, and {left} of {all} {} are still listed", kind.noun());
    Answered::Failed { why, after: None }
}

/// Revokes the refresh tokens that a user has with these clients, and no others. There is no call for that: without a
/// listing nothing can be told apart.
pub async fn revoke_tokens_of(management: &Management, user: &UserId, clients: &[String]) -> Answered {
    match try_revoke_tokens_of(management, user, clients).await {
        Ok(answer) => answer,
        Err(ApiError::NotFound) => Answered::Unneeded(ApiError::NotFound.to_string()),
        Err(error) => answered(&error),
    }
}

async fn try_revoke_tokens_of(
    management: &Management,
    user: &UserId,
    clients: &[String],
) -> Result<Answered, ApiError> {
    let mut before = management.refresh_tokens(user).await?;
    before.retain(|token| token.client_id.as_ref().is_some_and(|client| clients.contains(client)));
    if before.is_empty() {
        return Ok(Answered::Unneeded("the user has no refresh tokens with these clients".to_owned()));
    }
    for token in &before {
        management.revoke_refresh_token(token).await?;
    }
    let ids: BTreeSet<String> = before.into_iter().map(|token| token.id).collect();
    let left = |seen: &BTreeSet<String>| seen.intersection(&ids).count();
    let seen = eventually(|| Kind::Tokens.list(management, user), |seen| left(seen) == 0).await?;
    Ok(match left(&seen) {
        0 => Answered::Confirmed(format!("{} refresh tokens revoked, none of them is listed any more", ids.len())),
        left => still_there(Kind::Tokens, (left, ids.len())),
    })
}

fn answered(error: &ApiError) -> Answered {
    if error.is_outage() {
        return Answered::Failed { why: error.to_string(), after: error.retry_after() };
    }
    Answered::Refused(error.to_string())
}
