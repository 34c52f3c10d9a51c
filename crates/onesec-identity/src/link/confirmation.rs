//! `cnf` of a link: the delegate's key, which alone signs the next link (RFC 7800).

use onesec_telemetry::Thumbprint;
use serde_json::{Map, Value};

use super::LinkRefused;
use crate::keys::{Algorithm, KeySet};
use crate::public_key::PublicKey;

/// Whose signature the next link needs.
pub(super) enum Confirmation {
    Key(Box<PublicKey>, Option<String>),
    Thumbprint(Thumbprint),
}

impl Confirmation {
    pub(super) fn read(cnf: Option<&Value>) -> Result<Self, LinkRefused> {
        let cnf = match cnf {
            None => return Err(LinkRefused::Unbound),
            Some(Value::Object(members)) if members.len() == 1 => members,
            Some(_) => return Err(LinkRefused::BadConfirmation),
        };
        match (cnf.get("jwk"), cnf.get("jkt").and_then(Value::as_str)) {
            (Some(Value::Object(jwk)), _) => Self::read_jwk(jwk),
            (_, Some(jkt)) => Thumbprint::from_base64url(jkt).map(Self::Thumbprint).ok_or(LinkRefused::BadConfirmation),
            _ => Err(LinkRefused::BadConfirmation),
        }
    }

    fn read_jwk(jwk: &Map<String, Value>) -> Result<Self, LinkRefused> {
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(LinkRefused::BadConfirmation),
        };
        Ok(Self::Key(Box::new(PublicKey::from_jwk(&Value::Object(jwk.clone()))?), kid))
    }

    pub(super) fn kid(&self) -> Option<&str> {
        match self {
            Self::Key(_, kid) => kid.as_deref(),
            Self::Thumbprint(_) => None,
        }
    }

    pub(super) fn resolve<'a>(&'a self, known: Option<&'a KeySet>) -> Result<&'a PublicKey, LinkRefused> {
        match self {
            Self::Key(key, _) => Ok(key),
            Self::Thumbprint(jkt) => {
                known.and_then(|keys| keys.by_thumbprint(*jkt)).ok_or(LinkRefused::UnknownDelegateKey)
            }
        }
    }

    /// Whether `key` is the one whose signature would verify.
    pub(super) fn is_of(&self, public: &PublicKey, alg: Algorithm) -> bool {
        match self {
            Self::Key(key, _) => key.thumbprint() == public.thumbprint() && key.serves(alg),
            Self::Thumbprint(jkt) => *jkt == public.thumbprint(),
        }
    }

    pub(super) fn thumbprint(&self) -> Thumbprint {
        match self {
            Self::Key(key, _) => key.thumbprint(),
            Self::Thumbprint(jkt) => *jkt,
        }
    }
}
