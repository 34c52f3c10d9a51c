//! Who is the user? What a signature proves, or nobody.

use std::sync::Arc;

use onesec_auth0::{ExchangeError, ProofError, ProofKind, ResolvedUser, Subject as ToProve, SubjectKind, VerifyError};
use onesec_identity::{Actor, IdTokenPolicy, VerifiedSubject, WorkerExpect, verify_id_token, verify_worker_request};
use onesec_journal::LedgerWrite;
use onesec_telemetry::{Name, Party, Secret, Subject, TokenParties, UserId};

use super::lanes::Lane;
use super::{AskingAgent, ExchangeRequest, Inner, Problem, SubjectTokenType, UnprovenSubject};
use crate::identity::used_row;

/// The user, as far as proven, and by which client of ours the exchange goes.
pub(super) struct Proven {
    pub(super) user: Option<UserId>,
    pub(super) subject: Subject,
    pub(super) upstream: Upstream,
    /// Rows that keep used what the proof used up.
    pub(super) used: Vec<LedgerWrite>,
}

/// What is asked of Auth0, as which client.
pub(super) enum Upstream {
    /// An exchange of the user's token.
    Token(Arc<Lane>, SubjectKind),
    /// A worker's, for this user.
    Worker(Arc<Lane>, UserId),
}

impl Inner {
    pub(super) async fn prove(&self, agent: &AskingAgent, request: &ExchangeRequest) -> Result<Proven, Problem> {
        let kind = match request.subject_token_type {
            SubjectTokenType::RefreshToken => SubjectKind::RefreshToken,
            SubjectTokenType::AccessToken => SubjectKind::AccessToken,
            SubjectTokenType::Jwt => return self.prove_worker(agent, request),
        };
        let mut subject = ToProve::new(request.subject_token.clone(), kind);
        subject.proof = agent.shown.proof().cloned();
        subject.certificate = agent.shown.certificate();
        match self.resolver.resolve(&subject, self.core.now()).await {
            Ok(resolved) => self.proven(&resolved, kind),
            Err(error) if self.unproven == UnprovenSubject::Alert && names_nobody(&error) => {
                let upstream = Upstream::Token(self.lanes.refresh().clone(), kind);
                Ok(Proven { user: None, subject: Subject::Unknown, upstream, used: Vec::new() })
            }
            Err(error) => Err(problem(&error)),
        }
    }

    fn proven(&self, resolved: &ResolvedUser, kind: SubjectKind) -> Result<Proven, Problem> {
        let user = resolved.user().clone();
        let issuer = self.lanes.refresh().endpoint.config().issuer();
        let issuer = Name::new(&issuer).map_err(|_| Problem::unproven("the issuer has no name"))?;
        let (lane, parties) = match resolved.how() {
            ProofKind::AccessToken(token) => (self.lanes.access(token.audience()), parties(token)),
            ProofKind::RefreshToken | ProofKind::RememberedRefreshToken => (self.lanes.refresh(), None),
        };
        let subject = Subject::Verified { user: user.clone(), issuer, parties: parties.map(Box::new) };
        Ok(Proven { user: Some(user), subject, upstream: Upstream::Token(lane.clone(), kind), used: Vec::new() })
    }

    /// A worker shows no token of the user: it must be registered as one, and sign with its own key, for us, just now.
    /// That makes it the worker that asks; only a delegation of the user makes it right.
    fn prove_worker(&self, agent: &AskingAgent, request: &ExchangeRequest) -> Result<Proven, Problem> {
        let Some(registered) = agent.registered.as_ref().filter(|known| known.said.worker) else {
            return Err(Problem::no_worker("subject tokens of type `jwt` are for agents registered as workers"));
        };
        let Some(lane) = self.lanes.worker() else {
            return Err(Problem::not_configured("no client for workers is configured"));
        };
        if request.login_hint.is_some() {
            // Auth0 would not look at it and choose among the user's accounts; it must not look as if one was named.
            return Err(Problem::invalid("a worker's exchange takes no `login_hint`"));
        }
        let (issuers, now) = (registered.names(), self.core.now());
        let audiences: Vec<&str> = request.audiences.iter().map(String::as_str).collect();
        let expect = WorkerExpect { issuers: &issuers, audiences: &audiences };
        let refused = |why: &str| Problem::bad_subject(&format!("the subject token was refused: {why}"));
        let proof = verify_worker_request(&request.subject_token, &registered.keys, &expect, now);
        let proof = proof.map_err(|why| refused(why.code()))?;
        let (signer, until) = (format!("worker {}", agent.agent), proof.replayable_until());
        let admitted =
            self.identity.used.admit((&self.tenant, agent.agent.as_str()), (&signer, proof.jti()), (until, now));
        admitted.map_err(|why| refused(why.code()))?;
        let user = proof.user().clone();
        Ok(Proven {
            user: Some(user.clone()),
            subject: Subject::Vouched(user.clone()),
            upstream: Upstream::Worker(lane.clone(), user),
            used: vec![used_row(&self.tenant, (&signer, proof.jti()), until)],
        })
    }
}

impl Inner {
    /// The user of an ID token that was made for one of `clients`.
    pub(super) async fn prove_id_token(&self, token: &Secret, clients: &[String]) -> Result<Subject, Problem> {
        let (issuer, mut why) = (self.lanes.refresh().endpoint.config().issuer(), "no_client");
        for client in clients {
            let policy = IdTokenPolicy { issuer: issuer.clone(), client_id: client.clone() };
            let now = self.core.now();
            match self.jwks.verify(|keys| verify_id_token(token, keys, &policy, now)).await {
                Ok(proof) => {
                    let issuer = Name::new(&issuer).map_err(|_| Problem::unproven("the issuer has no name"))?;
                    let parties = TokenParties { client: client.parse().ok(), ..TokenParties::default() };
                    return Ok(Subject::Verified {
                        user: proof.user().clone(),
                        issuer,
                        parties: Some(Box::new(parties)),
                    });
                }
                Err(VerifyError::Token(refused)) => why = refused.code(),
                Err(VerifyError::Keys(error)) => return Err(problem(&ProofError::Keys(error))),
            }
        }
        Err(Problem::bad_subject(&format!("the subject token was refused: {why}")))
    }
}

/// Whom the token names besides the user.
fn parties(token: &VerifiedSubject) -> Option<TokenParties> {
    let party = |actor: &Actor| Party { sub: Name::new(actor.sub.as_str()).ok(), client: actor.client.clone() };
    let may_act = token.may_act().map(|named| Party {
        // What cannot be an agent's name is nobody's.
        sub: named.sub().map(|sub| Name::new(sub).unwrap_or_else(|_| nobody())),
        client: named.client_id().map(|client| client.parse().unwrap_or_else(|_| no_client())),
    });
    Some(TokenParties {
        client: Some(token.client().clone()),
        actors: token.actors().iter().map(party).collect(),
        may_act,
        claimed: None,
    })
}

#[expect(clippy::expect_used, reason = "printable ASCII is an identifier")]
fn nobody() -> Name {
    Name::new("(unreadable)").expect("a name")
}

#[expect(clippy::expect_used, reason = "printable ASCII is an identifier")]
fn no_client() -> onesec_telemetry::AppId {
    "(unreadable)".parse().expect("a client id")
}

/// The credential is good and does not say whose it is: all that a migration may wave through.
const fn names_nobody(error: &ProofError) -> bool {
    matches!(error, ProofError::NoIdToken)
}

fn problem(error: &ProofError) -> Problem {
    match error {
        ProofError::AccessToken(refused) => {
            Problem::bad_subject(&format!("the subject token was refused: {}", refused.code()))
        }
        ProofError::Malformed => Problem::bad_subject("the subject token is empty or too long"),
        ProofError::NoIdToken => Problem::unproven("the refresh token was issued without `openid`: it names no user"),
        ProofError::IdToken(refused) => Problem::unproven(&format!("the id token was refused: {}", refused.code())),
        ProofError::RefreshToken(upstream) | ProofError::OurClient(upstream) | ProofError::Upstream(upstream) => {
            Problem::from_upstream(upstream)
        }
        ProofError::Keys(_) => {
            Problem::from_upstream(&ExchangeError::Unreachable { timed_out: false, maybe_sent: false })
        }
        _ => Problem::unproven("the subject token proves nobody"),
    }
}
