//! Which events mean that access is to be taken back, and from where.

use super::SignalsConfig;
use crate::revoke::Part;

/// Where access is taken back on a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalPart {
    /// Here: accounts are unlinked, and what was lent on them ends.
    Onesec,
    /// Refresh tokens at Auth0.
    RefreshTokens,
    /// Sessions at Auth0.
    Sessions,
    /// Consents at Auth0.
    Grants,
    /// Access tokens at the providers.
    Provider,
}

impl SignalPart {
    const ALL: [Self; 5] = [Self::Onesec, Self::RefreshTokens, Self::Sessions, Self::Grants, Self::Provider];

    const fn part(self) -> Option<Part> {
        match self {
            Self::Onesec => None,
            Self::RefreshTokens => Some(Part::RefreshTokens),
            Self::Sessions => Some(Part::Sessions),
            Self::Grants => Some(Part::Grants),
            Self::Provider => Some(Part::Provider),
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.part().map_or("onesec", Part::as_str) == name)
    }
}

/// An event that is known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    SessionRevoked,
    CredentialChange,
    AccountDisabled,
    AccountPurged,
    CredentialCompromise,
    TokenRevoked,
    TokensRevoked,
    Verification,
}

impl Known {
    const ALL: [Self; 8] = [
        Self::SessionRevoked,
        Self::CredentialChange,
        Self::AccountDisabled,
        Self::AccountPurged,
        Self::CredentialCompromise,
        Self::TokenRevoked,
        Self::TokensRevoked,
        Self::Verification,
    ];

    /// Of these families: CAEP, RISC, OAuth (Google Cross-Account Protection), the Shared Signals Framework.
    pub(crate) fn from_uri(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix("https://schemas.openid.net/secevent/")?;
        let (family, name) = rest.split_once("/event-type/")?;
        Some(match (family, name) {
            ("caep", "session-revoked") | ("risc", "sessions-revoked") => Self::SessionRevoked,
            ("caep", "credential-change") => Self::CredentialChange,
            ("risc", "account-disabled") => Self::AccountDisabled,
            ("risc", "account-purged") => Self::AccountPurged,
            ("risc", "credential-compromise") => Self::CredentialCompromise,
            ("oauth", "token-revoked") => Self::TokenRevoked,
            ("oauth", "tokens-revoked") => Self::TokensRevoked,
            ("ssf" | "risc", "verification") => Self::Verification,
            _ => return None,
        })
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name && *known != Self::Verification)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SessionRevoked => "session-revoked",
            Self::CredentialChange => "credential-change",
            Self::AccountDisabled => "account-disabled",
            Self::AccountPurged => "account-purged",
            Self::CredentialCompromise => "credential-compromise",
            Self::TokenRevoked => "token-revoked",
            Self::TokensRevoked => "tokens-revoked",
            Self::Verification => "verification",
        }
    }

    /// What is usual: whoever merely has to log in again keeps what was lent, whoever is gone or was robbed does not.
    const fn usual(self) -> &'static [SignalPart] {
        match self {
            Self::SessionRevoked | Self::CredentialChange => &[SignalPart::Sessions, SignalPart::RefreshTokens],
            Self::AccountDisabled | Self::AccountPurged | Self::CredentialCompromise => &SignalPart::ALL,
            // The provider has ended its tokens itself.
            Self::TokenRevoked | Self::TokensRevoked => &[SignalPart::Onesec],
            Self::Verification => &[],
        }
    }
}

/// What is done about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    /// What was lent counts no more here.
    pub(crate) own: bool,
    pub(crate) parts: Vec<Part>,
}

impl SignalsConfig {
    /// Nothing where nothing is to be taken back.
    pub(crate) fn response(&self, known: Known) -> Option<Response> {
        let set = self.responses.iter().find(|(event, _)| event == known.as_str()).map(|(_, parts)| parts.as_slice());
        let wanted = set.unwrap_or(known.usual());
        let own = wanted.contains(&SignalPart::Onesec);
        let parts: Vec<Part> = wanted.iter().filter_map(|part| part.part()).collect();
        (own || !parts.is_empty()).then_some(Response { own, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_known_in_their_own_family_only() {
        let of = |rest: &str| Known::from_uri(&format!("https://schemas.openid.net/secevent/{rest}"));
        assert_eq!(of("caep/event-type/session-revoked"), Some(Known::SessionRevoked));
        assert_eq!(of("oauth/event-type/tokens-revoked"), Some(Known::TokensRevoked));
        assert_eq!(of("risc/event-type/tokens-revoked"), None);
        assert_eq!(of("caep/event-type/session-established"), None);
        assert_eq!(Known::from_uri("https://evil.example/secevent/caep/event-type/session-revoked"), None);
    }

    #[test]
    fn what_is_set_counts_in_place_of_what_is_usual() {
        let mut config = SignalsConfig::default();
        let usual = config.response(Known::SessionRevoked).expect("a response");
        assert_eq!((usual.own, usual.parts.len()), (false, 2));
        assert!(config.response(Known::AccountPurged).is_some_and(|all| all.own && all.parts.len() == 4));
        assert_eq!(config.response(Known::Verification), None);
        config.responses.push(("session-revoked".to_owned(), Vec::new()));
        assert_eq!(config.response(Known::SessionRevoked), None, "recorded, and nothing else");
        config.responses.push(("tokens-revoked".to_owned(), vec![SignalPart::Provider]));
        let set = config.response(Known::TokensRevoked).expect("a response");
        assert_eq!((set.own, set.parts), (false, vec![Part::Provider]));
    }
}
