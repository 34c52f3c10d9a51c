//! Standard Webhooks: what shows a receiver that a message is ours.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use onesec_telemetry::{Secret, Timestamp};
use sha2::Sha256;

/// What a key in base64 begins with.
const PREFIX: &str = "whsec_";

/// The secret says that it is base64, and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret begins with `whsec_` and what follows is not base64")]
pub(super) struct BadKey;

/// The value of `webhook-signature` for one message: `v1,` and the HMAC-SHA-256 of id, time and body.
pub(super) fn sign(secret: &Secret, id: &str, at: Timestamp, body: &[u8]) -> Result<String, BadKey> {
    let text = secret.expose_to_wire();
    let key = match text.strip_prefix(PREFIX) {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| BadKey)?,
        None => text.as_bytes().to_vec(),
    };
    // HMAC takes keys of any length; the error is one of its type only.
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| BadKey)?;
    mac.update(format!("{id}.{}.", at.as_secs()).as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(secret: &str, (id, at): (&str, i64), body: &str) -> Result<String, BadKey> {
        sign(&Secret::new(secret.to_owned()), id, Timestamp::from_secs(at), body.as_bytes())
    }

    #[test]
    fn messages_are_signed_as_the_scheme_says() {
        // The first is the example of the specification; the others come from Python's `hmac`.
        let known = [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330),
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            ("plain key", ("act-1", 1_700_000_000), "{}", "v1,wNU1fUJcPgzlhtJxOcjYASRkVVot04FWizsEgMxWyfU="),
        ];
        for (secret, message, body, expected) in known {
            assert_eq!(signed(secret, message, body).as_deref(), Ok(expected), "{}", message.0);
        }
    }

    #[test]
    fn every_part_counts() {
        let one = signed("key", ("id", 1), "body");
        for other in [
            signed("kez", ("id", 1), "body"),
            signed("key", ("ie", 1), "body"),
            signed("key", ("id", 2), "body"),
            signed("key", ("id", 1), "bodz"),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(signed("whsec_*", ("id", 1), ""), Err(BadKey));
    }
}
