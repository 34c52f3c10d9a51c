//! Keys travel as text and come back as they were.

use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::{KeySet, KeyUnusable};

// Made with `openssl genpkey` and `openssl pkey -pubout`, for these tests only.
const ED_PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIBmOscl58hEk4APcPPyf/KyRerUzepkPPKflBd9apYE8";
const ED_PUBLIC: &str = "MCowBQYDK2VwAyEA0BhdugdZtoPPFMDYVe3qHTO8RNJlD6avdqqCzTti6lk=";
const EC_PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgV+NJfs1Pjtg8tsSShpFutwHwfQFUAVFkG5pcB+8b2W+hRANCAASE1FOdPe0I0/f/kI5AxzR/PPISJCLGi2KsI4Yam6Z1yTP+z4vTMl9jq6XBvul1cEpBMwVqahnA0+QW+WBHvLlN";
const EC_PUBLIC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhNRTnT3tCNP3/5COQMc0fzzyEiQixotirCOGGpumdckz/s+L0zJfY6ulwb7pdXBKQTMFamoZwNPkFvlgR7y5TQ==";
const EC_PUBLIC_COMPRESSED: &str = "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADhNRTnT3tCNP3/5COQMc0fzzyEiQixotirCOGGpumdck=";
const P384_PRIVATE: &str = "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBQJwMQ6NW6lpqoFD7+Xy0MWpC87EaK4Sfh3f4wCOUgFhMagVoNJYF/D1pMNP1DkjOhZANiAASEGbXHQzT6rHz+KJCLv7Raeb9y7VWWAeb4kNZr3qhd9qwuIdCwhCD8a+uiMVUeeQ3V7RzO7P79OQkKMfO9EvZcMkGAdNfzZd/wFlau8nul0VNlKFU2KfCq/r0mo3guk6I=";
const P384_PUBLIC: &str = "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEhBm1x0M0+qx8/iiQi7+0Wnm/cu1VlgHm+JDWa96oXfasLiHQsIQg/GvrojFVHnkN1e0czuz+/TkJCjHzvRL2XDJBgHTX82Xf8BZWrvJ7pdFTZShVNinwqv69JqN4LpOi";
const RSA_PUBLIC: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAic/WEWzgI+/ropN0cE7uaeZDhpeH6HgvB8RblVbB1ITf4IM53A3qXqlLDcN5sxJ65lBtQBqSZhG0zuvHB0/r+bPmADVMHMoWZQvJW37F07RX3QfsjIxkkA7Tny+eWh49ACq5SEyR5EBJ2210dtIdivTnD14LfHcqWK+MxqpTT4PwGrLHiQUjM4IwuD+T8upFCSVF7EArZdBgJMwVDxfPiy85G1BV8aP6sLyeBV2ljNEEacHzKCUnyYs+zKMswjVOsX4M7sA5NVw4mWIyGkFRLHIaLGshxB8VnjxHfMeDfas3lc3RXrgoF3Pb3pVFDFutJ9SszArCcWwgeHyBlru+BwIDAQAB";
const RSA_1024_PUBLIC: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDDzWDRawnLLEi7lBuyIjZjY/p0QxjQ5B54NrMDvNIk8iEdsRsA7fbAQWSuiCrEI0UHkrJHcLCViw9LBQcAfcZ8Kerr9m1dyl4yOdSSY79o9jM4U8Pi0Td+8Sk40Lqo+lmh0jzETJibCkweA3Mn8U/p0Ez+56UZoUBE8xe1xkv/CQIDAQAB";
const PSS_PUBLIC: &str = "MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBAN4AybthdzBzVFMszwwOm/v2bCN+OM2nI0jN0lxgDXWD7Il+tYgbFPEECkdTBQX0vHhKnmiKegejp4+Cgg38AjgrrFCL3GFxNEQPrxf2U0UbGdSCpIaPGi65nHE6vLnCeKXobmJFGYFH85JrmPNIQ1QniXCcsYcxeuVCCC94+++96jyT3NzypWB8i+djyQxPI6Bs5eYq2hzc/dxf20znEWFiLsYleYJ0XXrKXn5/3do4ffb8TyVjFPdxvLOWjZFKz65IBlPCF1flG8VgaClFR+kksVLtO8l5M+1PrG7QAdVvBaNDIFqC/NZZkoN9uQaoiX1IRjyL/7rHzWsGlpX2H2ECAwEAAQ==";
const RSA_1024_PRIVATE: &str = "MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAMPNYNFrCcssSLuUG7IiNmNj+nRDGNDkHng2swO80iTyIR2xGwDt9sBBZK6IKsQjRQeSskdwsJWLD0sFBwB9xnwp6uv2bV3KXjI51JJjv2j2MzhTw+LRN37xKTjQuqj6WaHSPMRMmJsKTB4DcyfxT+nQTP7npRmhQETzF7XGS/8JAgMBAAECgYEAsZJRqrqDIEIiGBOi5nMGli62lbfACrnHNEiPIuWcQytfgxj6H2awL/1ePLZ66nP+B3cvvYBidMyvat69UeG/HYata3190rDl/h7c0s4Wj7ZN/NSXOfBU9fHAiM9KfXr4gUYCkHBUM6SSMizuGlSyssLq8CgKFI4Du1U/Vem8SN0CQQDv1eM9BWDwXV0VM7i/2XkF9xm+AEFsl7KzIqnZ5/kecua2XapeJyFgc2oq3pxaAngMyFji30M8LqwO8QNkW6wvAkEA0P++JARvGhm3IYXmudijLPSBxyenpii6SEq/f6zabxaAVIrYgDSmEmsECq5DOeZysQLkm2dzXwqsjKsjls8iRwJAVX6HbL84GTcO8Xnoh+s8KxY0xPhOWimReC4JIjaBJYuMFsI48ys7yKgb1oBYd/WdWeEpXmZ8Dz4L85+St/m93QJBAIJPUqBmW1dsvTAbqtYpauQ2t0wTP4ZsUmmMoYXbon4tC2qq/35AVWOacfSu3p+VPeF8Kkly4Q5bO2ahthjroTUCQAKuthyNs0BmQZ9+W+i+zRkEFSALveLA3qkBf4IhvQnkQIZJ0qPWkK+kF1+aQ+tW71uYky8qyL1uRCwo2K1KT4Q=";

fn block(label: &str, base64: &str) -> String {
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}

fn private(base64: &str) -> Result<SigningKey, SignError> {
    SigningKey::from_pem(&block("PRIVATE KEY", base64))
}

fn public(base64: &str) -> Result<PublicKey, KeyUnusable> {
    PublicKey::from_pem(&block("PUBLIC KEY", base64))
}

#[test]
fn openssl_keys_tell_their_algorithm_and_match_their_public_halves() {
    for (key, half, algorithm) in [(ED_PRIVATE, ED_PUBLIC, Algorithm::EdDsa), (EC_PRIVATE, EC_PUBLIC, Algorithm::Es256)]
    {
        let key = private(key).expect("a key");
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(key.public_key().expect("public").jwk(), public(half).expect("public").jwk());
    }
    let rsa = public(RSA_PUBLIC).expect("public");
    assert_eq!((rsa.jwk()["kty"].as_str(), rsa.jwk()["e"].as_str()), (Some("RSA"), Some("AQAB")));
    assert!(rsa.serves(Algorithm::Rs256) && rsa.serves(Algorithm::Ps256) && !rsa.serves(Algorithm::Es256));
}

#[test]
fn a_key_that_was_written_down_signs_as_before() {
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa] {
        let key = SigningKey::generate(algorithm).expect("key");
        let pem = key.to_pem().expect("text");
        let text = pem.expose_to_wire();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n") && text.ends_with("\n-----END PRIVATE KEY-----\n"));
        assert!(text.lines().all(|line| (1..=64).contains(&line.len())), "no line is empty or too long");
        let read = SigningKey::from_pem(text).expect("a key").with_algorithm(algorithm).expect("its algorithm");
        assert_eq!(read.public_jwk("k"), key.public_jwk("k"));
        let keys = KeySet::from_jwks_json(&json!({"keys": [key.public_jwk("k")]}).to_string()).expect("set");
        let token = read.sign(&json!({"sub": "a"}), "JWT", "k").expect("signed");
        let compact = crate::compact::Compact::parse(token.expose_to_wire()).expect("a token");
        assert!(compact.verify(&keys, Algorithm::ALL).is_ok(), "{algorithm:?}");
    }
}

#[test]
fn an_algorithm_must_fit_the_key() {
    let fits = |key: &str, algorithm| private(key).expect("a key").with_algorithm(algorithm).map(|key| key.algorithm());
    assert_eq!(fits(ED_PRIVATE, Algorithm::EdDsa), Ok(Algorithm::EdDsa));
    assert_eq!(fits(EC_PRIVATE, Algorithm::Es256), Ok(Algorithm::Es256));
    for (key, algorithm) in [
        (ED_PRIVATE, Algorithm::Es256),
        (ED_PRIVATE, Algorithm::Ps256),
        (EC_PRIVATE, Algorithm::EdDsa),
        (EC_PRIVATE, Algorithm::Rs256),
    ] {
        assert_eq!(fits(key, algorithm), Err(SignError::NotAKey), "{algorithm:?}");
    }
    let rsa = SigningKey::generate(Algorithm::Rs256).expect("key");
    let pss = rsa.with_algorithm(Algorithm::Ps256).expect("an RSA key");
    assert_eq!(pss.algorithm(), Algorithm::Ps256);
    assert_eq!(pss.with_algorithm(Algorithm::Es256).map(|_| ()), Err(SignError::NotAKey));
}

#[test]
fn what_is_no_single_plain_key_is_refused() {
    let good = block("PRIVATE KEY", ED_PRIVATE);
    assert!(SigningKey::from_pem(&format!("Key of agent 7\r\n{}", good.replace('\n', "\r\n"))).is_ok());
    let table = [
        ("empty", String::new()),
        ("no block", ED_PRIVATE.to_owned()),
        ("no end", good.replace("-----END", "")),
        ("two keys", format!("{good}{good}")),
        ("a certificate, too", format!("{good}{}", block("CERTIFICATE", ED_PUBLIC))),
        ("encrypted", block("ENCRYPTED PRIVATE KEY", ED_PRIVATE)),
        ("PKCS#1", block("RSA PRIVATE KEY", ED_PRIVATE)),
        ("SEC 1", block("EC PRIVATE KEY", EC_PRIVATE)),
        ("a public key", block("PUBLIC KEY", ED_PUBLIC)),
        ("a public key's bytes", block("PRIVATE KEY", ED_PUBLIC)),
        ("other alphabet", block("PRIVATE KEY", &EC_PRIVATE.replace('+', "-"))),
        ("cut", block("PRIVATE KEY", ED_PRIVATE.split_at(40).0)),
        ("P-384", block("PRIVATE KEY", P384_PRIVATE)),
        ("RSA with 1024 bits", block("PRIVATE KEY", RSA_1024_PRIVATE)),
        ("huge", format!("{}{good}", " ".repeat(16 * 1024))),
    ];
    for (name, text) in table {
        assert_eq!(SigningKey::from_pem(&text).map(|_| ()), Err(SignError::NotAKey), "{name}");
    }
}

#[test]
fn a_public_key_in_pem_is_cleared_as_one_in_json_is() {
    let error = |base64: &str| public(base64).err();
    assert_eq!(error(RSA_1024_PUBLIC), Some(KeyUnusable::Size { bits: 1024 }));
    for other in [P384_PUBLIC, PSS_PUBLIC, EC_PUBLIC_COMPRESSED, ED_PRIVATE, ""] {
        assert_eq!(error(other), Some(KeyUnusable::Malformed), "{other}");
    }
    let der = STANDARD.decode(ED_PUBLIC).expect("base64");
    let weak = [&der[..12], &[1], &[0; 31]].concat();
    assert_eq!(error(&STANDARD.encode(weak)), Some(KeyUnusable::Weak));
    let off_curve = EC_PUBLIC.replace("TQ==", "TA==");
    for bent in [off_curve.as_str(), EC_PUBLIC.split_at(80).0] {
        assert_eq!(error(bent), Some(KeyUnusable::Malformed));
    }
    assert_eq!(PublicKey::from_pem(&block("PRIVATE KEY", ED_PRIVATE)).err(), Some(KeyUnusable::Malformed));
}
