//! What a chain of delegations must and must not be.

mod vectors;

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use onesec_telemetry::{AgentId, Name, ScopeSet, Secret, Thumbprint, Timestamp};
use proptest::prelude::*;
use serde_json::Value;

use self::vectors::{Kit, named};
use super::*;
use crate::{Algorithm, KeySet, SigningKey};

const FILE: &str = include_str!("../../vectors/links.json");
const NOW: Timestamp = Timestamp::from_secs(vectors::NOW);

struct Vectors {
    file: Value,
    roots: KeySet,
    delegates: KeySet,
}

impl Vectors {
    fn of(file: Value) -> Self {
        let set = |name: &str| KeySet::from_jwks_json(&file[name].to_string()).expect("key set");
        let (roots, delegates) = (set("root_keys"), set("delegate_keys"));
        Self { file, roots, delegates }
    }

    fn policy<'a>(&'a self, vector: &'a Value) -> LinkPolicy<'a> {
        let changes = &vector["policy"];
        let mut policy = LinkPolicy::new(&self.roots).with_delegate_keys(&self.delegates);
        if let Some(depth) = changes["max_depth"].as_u64() {
            policy = policy.with_max_depth(u8::try_from(depth).expect("small"));
        }
        if let Some(audience) = changes["audience"].as_str() {
            policy = policy.with_audience(audience);
        }
        if let Some(issuer) = changes["root_issuer"].as_str() {
            policy = policy.with_root_issuer(issuer);
        }
        policy
    }

    fn list(&self, name: &str) -> &[Value] {
        self.file[name].as_array().expect("a list")
    }

    /// Every vector with what is wrong about the verdict on it.
    fn failures(&self) -> Vec<String> {
        let now = Timestamp::from_secs(self.file["now"].as_i64().expect("now"));
        let verdict = |vector: &Value| {
            let verdict = verify_chain(&secrets(&vector["links"]), &self.policy(vector), now);
            verdict.map_or_else(LinkRefused::code, |_| "")
        };
        let all = self.list("valid").iter().chain(self.list("forged"));
        let wrong = all.filter_map(|vector| {
            let (want, got) = (vector["reason"].as_str().unwrap_or_default(), verdict(vector));
            (want != got).then(|| format!("{}: wanted {want:?}, got {got:?}", vector["name"]))
        });
        wrong.collect()
    }
}

/// The checked-in file, parsed once.
fn read() -> &'static Vectors {
    static VECTORS: OnceLock<Vectors> = OnceLock::new();
    VECTORS.get_or_init(|| Vectors::of(serde_json::from_str(FILE).expect("json")))
}

fn secrets(links: &Value) -> Vec<Secret> {
    links.as_array().expect("a list").iter().map(|link| Secret::new(link.as_str().expect("text").into())).collect()
}

#[test]
fn every_vector_gets_its_verdict() {
    let vectors = read();
    assert_eq!(vectors.failures(), Vec::<String>::new());
    assert!(vectors.list("valid").len() >= 8 && vectors.list("forged").len() >= 60);
}

#[test]
fn the_vectors_are_those_that_the_generator_makes() {
    let made = Vectors::of(vectors::file(&Kit::new()));
    assert_eq!(made.failures(), Vec::<String>::new());
    // ES256 and PS256 signatures differ every time; names, reasons, policies and keys do not.
    let read = read();
    let outline = |v: &Vectors, list: &str| -> Vec<Value> {
        v.list(list).iter().map(|v| json!([v["name"], v["reason"], v["policy"]])).collect()
    };
    for list in ["valid", "forged"] {
        assert_eq!(outline(&made, list), outline(read, list), "regenerate with {}", vectors::COMMAND);
    }
    assert_eq!(made.file["root_keys"], read.file["root_keys"]);
    let names: BTreeSet<&str> = read.list("forged").iter().filter_map(|v| v["name"].as_str()).collect();
    assert_eq!(names.len(), read.list("forged").len(), "every name once");
}

#[test]
fn every_reason_that_is_of_links_alone_has_a_vector() {
    let vectors = read();
    let seen: BTreeSet<&str> = vectors.list("forged").iter().filter_map(|v| v["reason"].as_str()).collect();
    let reasons = [
        LinkRefused::EmptyChain,
        LinkRefused::TooDeep,
        LinkRefused::UnexpectedParent,
        LinkRefused::MissingParent,
        LinkRefused::ParentMismatch,
        LinkRefused::WrongRoot,
        LinkRefused::WrongDelegator,
        LinkRefused::Unbound,
        LinkRefused::BadConfirmation,
        LinkRefused::PrivateKey,
        LinkRefused::UnusableKey(crate::KeyUnusable::Weak),
        LinkRefused::UnknownDelegateKey,
        LinkRefused::ConnectionChanged,
        LinkRefused::ScopeWidened,
        LinkRefused::OutlivesParent,
        LinkRefused::OlderThanParent,
        LinkRefused::Cycle,
        LinkRefused::DuplicateId,
    ];
    let missing: Vec<&str> = reasons.iter().map(|r| r.code()).filter(|code| !seen.contains(code)).collect();
    assert_eq!(missing, Vec::<&str>::new());
    let distinct: BTreeSet<&str> = reasons.iter().map(|r| r.code()).collect();
    assert_eq!(distinct.len(), reasons.len());
}

#[test]
#[ignore = "writes the vectors"]
fn regenerate_the_vectors() {
    let text = serde_json::to_string_pretty(&vectors::file(&Kit::new())).expect("json");
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/links.json"), text + "\n").expect("written");
}

/// A link as `sign_link` makes it, and the secret of its text.
fn spec(delegator: &str, delegate: &str, key: &SigningKey) -> LinkSpec {
    LinkSpec {
        delegator: Name::new(delegator).expect("name"),
        delegate: AgentId::new(delegate).expect("agent"),
        connection: None,
        scopes: Some(ScopeSet::parse("mail.read").expect("scopes")),
        audience: Some("onesec".into()),
        issued_at: NOW + Duration::from_micros(999_999),
        expires_at: NOW + Duration::from_secs(60),
        jti: Name::new(&format!("{delegator}>{delegate}")).expect("name"),
        delegate_key: DelegateKey::Key(key.public_key().expect("public")),
        parent: None,
        max_depth: None,
    }
}

#[test]
fn what_is_signed_here_verifies_here_and_says_the_same() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256] {
        let (root, a, b) = (named("root", algorithm), named("a", algorithm), named("b", Algorithm::EdDsa));
        let keys = KeySet::from_jwks_json(&json!({"keys": [root.key.public_jwk("r")]}).to_string()).expect("set");
        let policy = LinkPolicy::new(&keys).with_audience("onesec");
        let one = sign_link(&root.key, &spec("auth0|ana", "agent-a", &a.key), "r").expect("signed");
        let b_print = b.key.public_key().expect("public").thumbprint();
        let two = LinkSpec {
            parent: Some(one.thumbprint()),
            delegate_key: DelegateKey::Thumbprint(b_print),
            max_depth: Some(2),
            ..spec("agent-a", "agent-b", &b.key)
        };
        let two = sign_link(&a.key, &two, "any").expect("signed");
        let chain = verify_chain(&[one.clone(), two.clone()], &policy, NOW).expect("verified");
        assert_eq!(chain.root_issuer().as_str(), "auth0|ana");
        assert_eq!((chain.leaf().delegate.as_str(), chain.leaf_key()), ("agent-b", b_print));
        assert_eq!((chain.leaf().parent, chain.max_depth()), (Some(one.thumbprint()), 2));
        assert_eq!(chain.leaf().expires_at, NOW + Duration::from_secs(60));
        assert_eq!(chain.leaf().scopes, Some(ScopeSet::parse("mail.read").expect("scopes")));
        let ids: Vec<String> = chain.jtis().map(|(by, jti)| format!("{by} {jti}")).collect();
        assert_eq!(ids, ["auth0|ana auth0|ana>agent-a", "agent-a agent-a>agent-b"]);
        let prints: Vec<Thumbprint> = chain.thumbprints().collect();
        assert_eq!(prints, [one.thumbprint(), two.thumbprint()]);
        assert_eq!(chain.links().first().map(|link| link.delegator.as_str()), Some("auth0|ana"));
    }
}

#[test]
fn without_known_keys_a_thumbprint_ends_the_chain() {
    let vectors = read();
    let by_print = vectors.list("valid").iter().find(|v| v["name"] == "a registered key, by thumbprint");
    let links = secrets(&by_print.expect("the vector")["links"]);
    let policy = LinkPolicy::new(&vectors.roots);
    assert_eq!(verify_chain(&links, &policy, NOW), Err(LinkRefused::UnknownDelegateKey));
    assert!(verify_chain(&links[..1], &policy, NOW).is_ok());
    let nobody = KeySet::default();
    assert_eq!(verify_chain(&links, &LinkPolicy::new(&nobody), NOW).map_err(LinkRefused::code), Err("unknown_key"));
}

#[test]
fn a_chain_ends_with_its_shortest_link() {
    let vectors = read();
    let three = vectors.list("valid").iter().find(|v| v["name"] == "three links, EdDSA and ES256").expect("three");
    let (links, policy) = (secrets(&three["links"]), LinkPolicy::new(&vectors.roots).with_leeway(Duration::ZERO));
    let after = |secs| NOW + Duration::from_secs(secs);
    assert!(verify_chain(&links, &policy, after(899)).is_ok());
    assert_eq!(verify_chain(&links, &policy, after(900)).map_err(LinkRefused::code), Err("expired"));
    assert!(verify_chain(&links[..2], &policy, after(1799)).is_ok());
}

#[test]
fn reasons_say_nothing_of_the_link() {
    let vectors = read();
    for vector in vectors.list("forged") {
        let refused = verify_chain(&secrets(&vector["links"]), &vectors.policy(vector), NOW).expect_err("refused");
        let said = format!("{refused} {refused:?} {}", refused.code());
        assert!(!["ana", "agent-", "google", "mail.read"].iter().any(|word| said.contains(word)), "{said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_changed_byte_never_verifies(link in 0_usize..3, at in 0_usize..2_000, flip in 1_u8..=255) {
        let vectors = read();
        let three = vectors.list("valid").iter().find(|v| v["name"] == "three links, EdDSA and ES256").expect("three");
        let mut links = secrets(&three["links"]);
        let mut bytes = links[link].expose_to_wire().as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        // What is no UTF-8 cannot even become a token.
        if let Ok(text) = String::from_utf8(bytes) {
            links[link] = Secret::new(text);
            prop_assert!(verify_chain(&links, &LinkPolicy::new(&vectors.roots), NOW).is_err());
        }
    }

    #[test]
    fn no_chain_of_genuine_links_in_another_order_verifies(order in prop::collection::vec(0_usize..5, 0..6)) {
        let vectors = read();
        let five = vectors.list("valid").iter().find(|v| v["policy"]["max_depth"] == 5).expect("five");
        let links = secrets(&five["links"]);
        let chosen: Vec<Secret> = order.iter().map(|&at| links[at].clone()).collect();
        let verdict = verify_chain(&chosen, &vectors.policy(five), NOW);
        let in_order = !order.is_empty() && order.iter().copied().eq(0..order.len());
        prop_assert_eq!(verdict.is_ok(), in_order);
    }
}
