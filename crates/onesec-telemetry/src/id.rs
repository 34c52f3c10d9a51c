//! Identifiers: canonical before anything looks at them, and one type per thing named.

use std::fmt;
use std::sync::LazyLock;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::limits::MAX_ID_BYTES;

/// Why a string is no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Nothing is left once surrounding white space is gone.
    #[error("an identifier must not be empty")]
    Empty,
    /// Longer than [`MAX_ID_BYTES`] after normalisation.
    #[error("an identifier must not be longer than {MAX_ID_BYTES} bytes")]
    TooLong,
    /// A control, zero-width, bidirectional or tag character: two ids that look alike would differ.
    #[error("an identifier must not contain control, zero-width or bidirectional characters")]
    HiddenCharacter,
}

/// Brings an identifier into its one canonical form: NFKC, no surrounding white space.
///
/// # Errors
/// [`IdError`] where nothing, too much, or an invisible character is left.
pub fn canonical(raw: &str) -> Result<CompactString, IdError> {
    let trimmed = raw.trim();
    if trimmed.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        // ASCII is its own NFKC form, and that is what nearly every id is.
        return sized(CompactString::from(trimmed));
    }
    if trimmed.len() > MAX_ID_BYTES * 4 {
        return Err(IdError::TooLong);
    }
    let normal: String = trimmed.nfkc().collect();
    let normal = normal.trim();
    if normal.chars().any(is_hidden) {
        return Err(IdError::HiddenCharacter);
    }
    sized(CompactString::from(normal))
}

fn sized(id: CompactString) -> Result<CompactString, IdError> {
    match id.len() {
        0 => Err(IdError::Empty),
        1..=MAX_ID_BYTES => Ok(id),
        _ => Err(IdError::TooLong),
    }
}

/// Whether a reader could not see the character, so that it could tell two equal-looking ids apart.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The form in which two ids that a person cannot tell apart are equal: homoglyph skeleton
/// (Unicode TR 39), lower case. For reports only: agent ids themselves compare exactly.
#[must_use]
pub fn confusable_skeleton(id: &str) -> CompactString {
    if !id.is_ascii() {
        return skeleton_of(id);
    }
    let mut skeleton = CompactString::with_capacity(id.len());
    // Character by character: that is a table.
    id.bytes().for_each(|b| skeleton.push_str(ASCII_SKELETONS.get(usize::from(b)).map_or("", |text| text)));
    skeleton
}

/// What each ASCII character looks like.
static ASCII_SKELETONS: LazyLock<Vec<CompactString>> =
    LazyLock::new(|| (0..128_u8).map(|b| skeleton_of(char::from(b).encode_utf8(&mut [0; 4]))).collect());

fn skeleton_of(id: &str) -> CompactString {
    let lower = id.to_lowercase();
    let skeleton: String = unicode_security::confusable_detection::skeleton(&lower).collect();
    CompactString::from(skeleton.to_lowercase())
}

macro_rules! id_types {
    ($($(#[$meta:meta])* $name:ident;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
        #[schemars(with = "String")]
        #[serde(transparent)]
        pub struct $name(CompactString);

        impl $name {
            /// Canonicalises and checks `raw`.
            ///
            /// # Errors
            /// [`IdError`] where `raw` has no canonical form.
            pub fn new(raw: &str) -> Result<Self, IdError> {
                canonical(raw).map(Self)
            }

            /// The canonical text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = CompactString::deserialize(deserializer)?;
                Self::new(&raw).map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(raw: &str) -> Result<Self, IdError> {
                Self::new(raw)
            }
        }
    )*};
}

id_types! {
    /// An agent, as its credential names it. Compares case-sensitively.
    AgentId;
    /// A person, as the `sub` of a verified token or a trusted sender names them.
    UserId;
    /// The name of an Auth0 connection, such as `google-oauth2`.
    ConnectionName;
    /// One account of a user at a connection (Auth0: `cac_…`).
    AccountId;
    /// One tenant of this server; nothing correlates across tenants.
    TenantId;
    /// The public part of an API key; never the secret.
    KeyId;
    /// One delegation from a user or an agent to an agent.
    DelegationId;
    /// One token exchange, across its views.
    ExchangeId;
    /// A task that an agent works on.
    TaskId;
    /// An event, unique per sending key.
    EventId;
    /// An alert: 128 bits in hex, derived from what opened it.
    AlertId;
    /// An OAuth client or application.
    AppId;
    /// A session of a user.
    SessionId;
    /// Whatever else is named: a tool, a server, a model, a wallet…
    Name;
}

impl TenantId {
    /// The tenant that the top level of the configuration describes.
    #[must_use]
    pub fn default_tenant() -> Self {
        Self(CompactString::const_new("default"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, want: Result<&str, IdError>) {
        let got = AgentId::new(raw);
        assert_eq!(got.as_ref().map(AgentId::as_str).map_err(|e| *e), want, "{raw:?}");
    }

    #[test]
    fn one_canonical_form_per_id() {
        check("  bot-7\t", Ok("bot-7"));
        check("ｂｏｔ-7", Ok("bot-7"));
        check("Bot-7", Ok("Bot-7"));
        check("auth0|abc def", Ok("auth0|abc def"));
        check("bot\u{200b}-7", Err(IdError::HiddenCharacter));
        check("bot\u{202e}-7", Err(IdError::HiddenCharacter));
        check("bot\n7", Err(IdError::HiddenCharacter));
        check("\u{e0041}bot", Err(IdError::HiddenCharacter));
        check(" \u{a0}\u{2003} ", Err(IdError::Empty));
        check(&"x".repeat(MAX_ID_BYTES), Ok(&"x".repeat(MAX_ID_BYTES)));
        check(&"x".repeat(MAX_ID_BYTES + 1), Err(IdError::TooLong));
        check(&"ﷺ".repeat(20), Err(IdError::TooLong)); // NFKC expands: the limit holds after it
    }

    #[test]
    fn look_alikes_share_a_skeleton() {
        let cyrillic = confusable_skeleton("mаil-bot"); // the second letter is Cyrillic
        assert_eq!(cyrillic, confusable_skeleton("mail-bot"));
        assert_eq!(confusable_skeleton("Mail-Bot"), confusable_skeleton("mail-bot"));
        assert_ne!(confusable_skeleton("mail-bot-2"), confusable_skeleton("mail-bot"));
    }

    #[test]
    fn the_table_of_skeletons_says_what_unicode_says() {
        let combines = |c| unicode_normalization::char::canonical_combining_class(c) != 0;
        assert!(!ASCII_SKELETONS.iter().any(|text| text.chars().any(combines)), "neighbours would change places");
        let all: String = (0..128_u8).map(char::from).collect();
        for id in ["Mail-Bot 10|I", "rn m 0O1lI", &all, &all.repeat(3), "", "a"] {
            assert_eq!(confusable_skeleton(id), skeleton_of(id), "{id:?}");
        }
    }

    #[test]
    fn canonical_form_is_a_fixed_point() {
        for raw in ["ﬁle", "Å", "①", "ｘ y", "auth0|5f7c"] {
            let once = canonical(raw).expect("valid");
            assert_eq!(canonical(&once), Ok(once.clone()));
        }
    }
}
