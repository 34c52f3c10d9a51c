//! Bound tokens: whoever shows one must also show the key or the certificate that it names (RFC 7800, `cnf`).

use onesec_telemetry::{Secret, Thumbprint};
use serde_json::Value;

use crate::claims::Claims;
use crate::dpop::VerifiedDpop;
use crate::refused::TokenRefused;

/// A token as it was presented: with what proves its possession, or without.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The token.
    pub token: &'a Secret,
    /// The DPoP proof of the same request, already verified.
    pub proof: Option<&'a VerifiedDpop>,
    /// SHA-256 of the DER of the certificate that the client showed in the TLS connection of the same request
    /// (RFC 8705, section 3.1). Only a handshake may say so, or a proxy that is trusted to report one.
    pub certificate: Option<Thumbprint>,
}

impl<'a> Presented<'a> {
    /// The token alone.
    #[must_use]
    pub const fn bearer(token: &'a Secret) -> Self {
        Self { token, proof: None, certificate: None }
    }
}

/// What a token is bound to, and what was therefore shown with it: a key, a certificate, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Binding {
    key: Option<Thumbprint>,
    certificate: Option<Thumbprint>,
}

impl Binding {
    /// `cnf.jkt`: thumbprint of the key (RFC 9449, section 6.1).
    #[must_use]
    pub const fn key(self) -> Option<Thumbprint> {
        self.key
    }

    /// `cnf.x5t#S256`: thumbprint of the certificate (RFC 8705, section 3.1).
    #[must_use]
    pub const fn certificate(self) -> Option<Thumbprint> {
        self.certificate
    }

    /// Reads `cnf` and compares every member with what was shown. A member that cannot be proven here is one that
    /// was not proven.
    pub(crate) fn check(claims: &Claims, presented: Presented<'_>) -> Result<Option<Self>, TokenRefused> {
        let Some(cnf) = claims.0.get("cnf") else {
            return Ok(None);
        };
        let members = cnf.as_object().filter(|cnf| !cnf.is_empty()).ok_or(TokenRefused::ProofRequired)?;
        let mut binding = Self { key: None, certificate: None };
        for (name, value) in members {
            match name.as_str() {
                "jkt" => binding.key = Some(same(value, shown_key(presented)?)?),
                "x5t#S256" => binding.certificate = Some(same(value, presented.certificate)?),
                _ => return Err(TokenRefused::ProofRequired),
            }
        }
        Ok(Some(binding))
    }
}

/// A proof that was made for another token shows nothing here (RFC 9449, section 4.3, check 12).
fn shown_key(presented: Presented<'_>) -> Result<Option<Thumbprint>, TokenRefused> {
    let Some(proof) = presented.proof else {
        return Ok(None);
    };
    let for_this_token = proof.access_token().is_none_or(|print| print == presented.token.thumbprint());
    if for_this_token { Ok(Some(proof.jkt())) } else { Err(TokenRefused::ProofMismatch) }
}

fn same(named: &Value, shown: Option<Thumbprint>) -> Result<Thumbprint, TokenRefused> {
    let (Some(shown), Value::String(named)) = (shown, named) else {
        return Err(TokenRefused::ProofRequired);
    };
    let named = Thumbprint::from_base64url(named).ok_or(TokenRefused::BadClaim("cnf"))?;
    if named == shown { Ok(shown) } else { Err(TokenRefused::ProofMismatch) }
}
