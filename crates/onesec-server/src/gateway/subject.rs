//! Who is the user? What a signature proves, or nobody.

use onesec_auth0::{ExchangeError, ProofError, Subject as ToProve, SubjectKind};
use onesec_telemetry::{Name, Subject, UserId};

use super::{ExchangeRequest, Inner, Problem, UnprovenSubject};

/// The user, as far as proven.
pub(super) struct Proven {
    pub(super) user: Option<UserId>,
    pub(super) subject: Subject,
}

impl Inner {
    pub(super) async fn prove(&self, request: &ExchangeRequest, kind: SubjectKind) -> Result<Proven, Problem> {
        let subject = ToProve { token: request.subject_token.clone(), kind };
        match self.resolver.resolve(&subject, self.core.now()).await {
            Ok(resolved) => {
                let user = resolved.user().clone();
                let issuer = Name::new(&self.endpoint.config().issuer());
                let subject = match issuer {
                    Ok(issuer) => Subject::Verified { user: user.clone(), issuer },
                    Err(_) => return Err(Problem::unproven("the issuer has no name")),
                };
                Ok(Proven { user: Some(user), subject })
            }
            Err(error) if self.unproven == UnprovenSubject::Alert && names_nobody(&error) => {
                Ok(Proven { user: None, subject: Subject::Unknown })
            }
            Err(error) => Err(problem(&error)),
        }
    }
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
