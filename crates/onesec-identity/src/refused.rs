//! Why a token proves nothing: one variant per reason, and never a word of the token.

/// Why a token was refused. Closed per release, with a stable [`TokenRefused::code`] for logs and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TokenRefused {
    /// Longer than [`crate::MAX_TOKEN_BYTES`].
    #[error("the token is too long")]
    TooLong,
    /// Not three non-empty parts (RFC 7515, section 3.1).
    #[error("the token has not the three parts of a signed JWT")]
    NotThreeParts,
    /// Five parts or an `enc` header: a JWE (RFC 7516).
    #[error("the token is encrypted")]
    Encrypted,
    /// A part is no canonical base64url without padding (RFC 7515, section 2).
    #[error("a part of the token is not canonical base64url")]
    NotBase64Url,
    /// Header or claims are no JSON object.
    #[error("header or claims are not a JSON object")]
    NotJson,
    /// The same member twice: two readers could see two tokens (RFC 7519, section 4).
    #[error("header or claims name a member twice")]
    DuplicateMember,
    /// `crit` names extensions that nobody here understands (RFC 7515, section 4.1.11), or `b64` is used.
    #[error("the token demands an extension that is not supported")]
    CriticalExtension,
    /// `jku`, `x5u` or, but in a DPoP proof, `jwk`: the token brings its own key.
    #[error("the token names or brings its own key")]
    EmbeddedKey,
    /// `none`, a shared secret, or one that is not accepted here.
    #[error("the signature algorithm is not accepted")]
    Algorithm,
    /// `typ` is absent or not the one expected here (RFC 9068, section 4).
    #[error("the token is of another type")]
    WrongType,
    /// No `kid`.
    #[error("the token names no key")]
    NoKeyId,
    /// `kid` names no usable key of the issuer. Its keys may have been rotated.
    #[error("the token names an unknown key")]
    UnknownKey,
    /// The key that `kid` names is made for another algorithm.
    #[error("the key is made for another algorithm")]
    KeyMismatch,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    Signature,
    /// A required claim is absent.
    #[error("claim `{0}` is missing")]
    MissingClaim(&'static str),
    /// A claim has the wrong type or an impossible value.
    #[error("claim `{0}` is malformed")]
    BadClaim(&'static str),
    /// `iss` differs from the expected issuer, be it by a trailing slash.
    #[error("the token comes from another issuer")]
    WrongIssuer,
    /// `aud` holds no accepted audience.
    #[error("the token is for another audience")]
    WrongAudience,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is still to come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` lies in the future.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// An ID token: it says who logged in, it authorises nothing (RFC 9068, section 5).
    #[error("an id token is not an access token")]
    IdToken,
    /// `cnf`: the token is bound to a key or a certificate that was not shown (RFC 7800).
    #[error("the token is bound and needs a proof of possession")]
    ProofRequired,
    /// A proof of possession was presented, of another key or certificate, or for another token.
    #[error("the proof of possession does not match the token")]
    ProofMismatch,
    /// The subject is an application, not a person.
    #[error("the subject of the token is not a person")]
    NotAPerson,
    /// The token is a person's own, and a machine must say who it is.
    #[error("the token is not a machine's")]
    NotAMachine,
    /// `iat` lies further back than is accepted.
    #[error("the token was issued too long ago")]
    TooOld,
    /// `events` of a security event token holds none, or several (RFC 8417, section 2.2).
    #[error("the token does not hold exactly one event")]
    NotOneEvent,
    /// More nested `act` claims than [`crate::MAX_ACTORS`].
    #[error("the chain of actors is too long")]
    TooManyActors,
    /// `act` comes back to somebody who already acted, or to the subject itself.
    #[error("the chain of actors comes back to somebody in it")]
    ActorCycle,
}

impl TokenRefused {
    /// The reason as a stable word, for answers, metrics and journal records.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "token_too_long",
            Self::NotThreeParts => "not_three_parts",
            Self::Encrypted => "encrypted",
            Self::NotBase64Url => "not_base64url",
            Self::NotJson => "not_json",
            Self::DuplicateMember => "duplicate_member",
            Self::CriticalExtension => "critical_extension",
            Self::EmbeddedKey => "embedded_key",
            Self::Algorithm => "algorithm",
            Self::WrongType => "wrong_type",
            Self::NoKeyId => "no_key_id",
            Self::UnknownKey => "unknown_key",
            Self::KeyMismatch => "key_mismatch",
            Self::Signature => "signature",
            Self::MissingClaim(_) => "missing_claim",
            Self::BadClaim(_) => "bad_claim",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::IdToken => "id_token",
            Self::ProofRequired => "proof_required",
            Self::ProofMismatch => "proof_mismatch",
            Self::NotAPerson => "not_a_person",
            Self::NotAMachine => "not_a_machine",
            Self::TooOld => "too_old",
            Self::NotOneEvent => "not_one_event",
            Self::ActorCycle => "actor_cycle",
            Self::TooManyActors => "too_many_actors",
        }
    }
}
