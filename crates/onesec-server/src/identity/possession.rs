//! What a request shows besides its credential: a DPoP proof (RFC 9449), a client certificate (RFC 8705).

use std::time::Duration;

use axum::http::{HeaderMap, Method};
use onesec_identity::{DpopExpect, DpopRefused, ReplayRefused, VerifiedDpop, verify_dpop};
use onesec_journal::LedgerWrite;
use onesec_telemetry::{KeyId, Possession, Secret, TenantId, Thumbprint, Timestamp};

use super::{Registered, UsedProofs, used_row};

/// The client certificate of a connection. Its key was shown in the handshake.
#[derive(Debug, Clone)]
pub(crate) struct PeerCertificate {
    /// SHA-256 of its DER: `x5t#S256`.
    pub(crate) thumbprint: Thumbprint,
    /// Its DNS names and URIs, where our authority signed it; else nobody vouches for them.
    pub(crate) names: Vec<String>,
}

/// Why what was shown proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShownProblem {
    /// Two proofs, or one that is no text.
    #[error("there must be at most one `DPoP` header, of plain text")]
    Header,
    /// RFC 9449, section 4.3.
    #[error("the DPoP proof was refused: {}", .0.code())]
    Dpop(DpopRefused),
    /// It was used before, or cannot be remembered.
    #[error("the DPoP proof was refused: {}", .0.code())]
    Replay(ReplayRefused),
    /// Where one is required.
    #[error("this agent must prove possession of one of its keys with a DPoP proof")]
    DpopRequired,
    /// Where one is required.
    #[error("this agent must come over TLS with one of its certificates")]
    CertificateRequired,
}

/// What a request shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {
    proof: Option<VerifiedDpop>,
    /// The same proof, as made for the access token by which the agent authenticates.
    for_credential: Option<VerifiedDpop>,
    certificate: Option<PeerCertificate>,
}

/// The request that a proof is made for.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    /// The addresses by which clients may have meant it.
    pub(crate) urls: &'a [String],
    /// The access token by which the agent authenticates, where it comes as `Authorization: DPoP`.
    pub(crate) credential: Option<&'a Secret>,
}

impl Shown {
    /// Reads and verifies what there is. Nothing shown is nothing wrong.
    ///
    /// # Errors
    /// [`ShownProblem`]: who shows a bad proof means to be believed.
    pub(crate) fn read(
        headers: &HeaderMap,
        certificate: Option<PeerCertificate>,
        asked: &Asked<'_>,
        now: Timestamp,
    ) -> Result<Self, ShownProblem> {
        let mut proofs = headers.get_all("dpop").iter();
        let (proof, second) = (proofs.next(), proofs.next());
        if second.is_some() {
            return Err(ShownProblem::Header);
        }
        let Some(proof) = proof else { return Ok(Self { certificate, ..Self::default() }) };
        let proof = Secret::new(proof.to_str().map_err(|_| ShownProblem::Header)?.to_owned());
        let for_credential = match asked.credential {
            Some(token) => Some(verified(&proof, asked, (Some(token), now))?),
            None => None,
        };
        Ok(Self { proof: Some(verified(&proof, asked, (None, now))?), for_credential, certificate })
    }

    /// The key that was shown.
    pub(crate) fn proof(&self) -> Option<&VerifiedDpop> {
        self.proof.as_ref()
    }

    pub(crate) fn for_credential(&self) -> Option<&VerifiedDpop> {
        self.for_credential.as_ref()
    }

    /// The certificate that was shown.
    pub(crate) fn certificate(&self) -> Option<Thumbprint> {
        self.certificate.as_ref().map(|shown| shown.thumbprint)
    }

    /// Uses the proof up: the rows keep it used.
    ///
    /// # Errors
    /// [`ShownProblem::Replay`].
    pub(crate) fn use_up(
        &self,
        used: &UsedProofs,
        (tenant, caller): (&TenantId, &KeyId),
        now: Timestamp,
    ) -> Result<Vec<LedgerWrite>, ShownProblem> {
        let Some(proof) = &self.proof else { return Ok(Vec::new()) };
        let (key, until) = (proof.jkt().to_base64url(), proof.replayable_until());
        used.admit((tenant, caller.as_str()), (&key, proof.jti()), (until, now)).map_err(ShownProblem::Replay)?;
        Ok(vec![used_row(tenant, (&key, proof.jti()), until)])
    }

    /// Whether what is shown is enough for this agent, here where at least `least` is asked of everybody.
    ///
    /// # Errors
    /// [`ShownProblem::DpopRequired`], [`ShownProblem::CertificateRequired`].
    pub(crate) fn suffices(&self, agent: Option<&Registered>, least: Possession) -> Result<(), ShownProblem> {
        let own = agent.map_or(Possession::None, |agent| agent.said.possession);
        let wanted = if own == Possession::None { least } else { own };
        let key = || self.proof.as_ref().is_some_and(|proof| agent.is_some_and(|agent| agent.holds(proof.jkt())));
        let certificate = || self.certificate.as_ref().is_some_and(|shown| agent.is_some_and(|a| is_of(shown, a)));
        match wanted {
            Possession::None => Ok(()),
            Possession::Dpop if key() => Ok(()),
            Possession::Dpop => Err(ShownProblem::DpopRequired),
            Possession::Mtls if certificate() => Ok(()),
            Possession::Mtls => Err(ShownProblem::CertificateRequired),
        }
    }
}

/// Whether the certificate is one by which the agent is known.
fn is_of(shown: &PeerCertificate, agent: &Registered) -> bool {
    let named = |name: &String| agent.said.certificate_names.iter().any(|known| known.as_str() == name);
    agent.said.certificates.contains(&shown.thumbprint) || shown.names.iter().any(named)
}

/// One proof for one request, whichever of our addresses it means.
fn verified(
    proof: &Secret,
    asked: &Asked<'_>,
    (access_token, now): (Option<&Secret>, Timestamp),
) -> Result<VerifiedDpop, ShownProblem> {
    let mut refused = DpopRefused::WrongUrl;
    for url in asked.urls {
        let method = asked.method.as_str();
        let expect = DpopExpect { method, url, access_token, jkt: None, nonce: None, max_age: MAX_AGE };
        match verify_dpop(proof, &expect, now) {
            Err(DpopRefused::WrongUrl) => {}
            Err(other) => refused = other,
            Ok(verified) => return Ok(verified),
        }
    }
    Err(ShownProblem::Dpop(refused))
}

/// How old a proof may be.
const MAX_AGE: Duration = Duration::from_secs(60);
