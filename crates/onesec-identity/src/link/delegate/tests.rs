//! What an agent can lend without a network, and that it hears early of what it cannot.

use serde_json::json;

use super::*;
use crate::{KeySet, LinkPolicy, VerifiedChain, sign_link, verify_chain};
use onesec_telemetry::Thumbprint;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn after(secs: u64) -> Timestamp {
    NOW + Duration::from_secs(secs)
}

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa).expect("key")
}

fn cnf(key: &SigningKey) -> DelegateKey {
    DelegateKey::Key(key.public_key().expect("public"))
}

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).expect("scopes")
}

fn connection(name: &str) -> ConnectionName {
    ConnectionName::new(name).expect("connection")
}

/// Everybody with a key: onesec, which signs the root, and the agents down from it.
struct House {
    onesec: SigningKey,
    roots: KeySet,
    a: SigningKey,
    b: SigningKey,
    c: SigningKey,
}

impl House {
    fn new() -> Self {
        let (onesec, a, b, c) = (key(), key(), key(), key());
        let roots = json!({"keys": [onesec.public_jwk("onesec")]}).to_string();
        Self { roots: KeySet::from_jwks_json(&roots).expect("set"), onesec, a, b, c }
    }

    /// Ana lends her calendar and mail to agent a for an hour.
    fn root_spec(&self) -> LinkSpec {
        LinkSpec {
            delegator: Name::new("auth0|ana").expect("name"),
            delegate: AgentId::new("a").expect("agent"),
            connection: Some(connection("google-oauth2")),
            scopes: Some(scopes("calendar.read mail.read")),
            audience: Some("https://onesec.example/".to_owned()),
            issued_at: NOW,
            expires_at: after(3600),
            jti: Name::new("root").expect("name"),
            delegate_key: cnf(&self.a),
            parent: None,
            max_depth: None,
        }
    }

    fn sign_root(&self, spec: &LinkSpec) -> Secret {
        sign_link(&self.onesec, spec, "onesec").expect("signed")
    }

    fn root(&self) -> Secret {
        self.sign_root(&self.root_spec())
    }

    /// What agent a lends to agent b.
    fn to_b(&self) -> Narrower {
        wanted("b", &self.b)
    }

    fn verify(&self, chain: &Secret, now: Timestamp) -> Result<VerifiedChain, LinkRefused> {
        let policy = LinkPolicy::new(&self.roots).with_audience("https://onesec.example/").with_max_depth(5);
        verify_chain(&split_chain(chain)?, &policy, now)
    }
}

fn wanted(delegate: &str, key: &SigningKey) -> Narrower {
    let (delegate, jti) = (AgentId::new(delegate).expect("agent"), Name::new(&format!("to-{delegate}")).expect("name"));
    Narrower::new(delegate, cnf(key), after(1800), jti)
}

#[test]
fn a_chain_that_grew_offline_twice_verifies() {
    let house = House::new();
    let two = delegate(&house.root(), &house.a, &house.to_b().with_scopes(scopes("mail.read")), after(10));
    let to_c = Narrower { expires_at: after(900), ..wanted("c", &house.c) };
    let three = delegate(&two.expect("two links"), &house.b, &to_c.with_max_depth(3), after(20)).expect("three links");
    let chain = house.verify(&three, after(30)).expect("verified");
    assert_eq!((chain.root_issuer().as_str(), chain.leaf().delegate.as_str()), ("auth0|ana", "c"));
    assert_eq!(chain.leaf().scopes, Some(scopes("mail.read")), "inherited from the link above");
    assert_eq!(chain.leaf().connection, Some(connection("google-oauth2")), "inherited from the root");
    assert_eq!((chain.leaf().expires_at, chain.max_depth()), (after(900), 3));
    let print = |key: &SigningKey| key.public_key().expect("public").thumbprint();
    let delegates: Vec<(&str, Thumbprint)> = chain.delegates().map(|(agent, key)| (agent.as_str(), key)).collect();
    assert_eq!(delegates, [("a", print(&house.a)), ("b", print(&house.b)), ("c", print(&house.c))]);
}

#[test]
fn a_root_without_bounds_lends_what_is_stated() {
    let house = House::new();
    let root = house.sign_root(&LinkSpec { connection: None, scopes: None, audience: None, ..house.root_spec() });
    let policy = LinkPolicy::new(&house.roots);
    let leaf = |wanted: &Narrower| {
        let chain = delegate(&root, &house.a, wanted, NOW).expect("delegated");
        verify_chain(&split_chain(&chain).expect("links"), &policy, NOW).expect("verified").leaf().clone()
    };
    let open = leaf(&house.to_b());
    assert_eq!((open.connection, open.scopes), (None, None));
    let narrow = leaf(&house.to_b().with_connection(connection("github")).with_scopes(ScopeSet::empty()));
    assert_eq!((narrow.connection, narrow.scopes), (Some(connection("github")), Some(ScopeSet::empty())));
}

#[test]
fn the_new_link_names_its_key_and_audience_as_the_last_one_does() {
    let house = House::new();
    let claims = json!({"iss": "auth0|ana", "sub": "a", "aud": ["https://onesec.example/", "https://other.example/"],
        "iat": NOW.as_secs(), "exp": NOW.as_secs() + 3600, "jti": "r", "cnf": {"jwk": house.a.public_jwk("key-of-a")}});
    let root = house.onesec.sign(&claims, LINK_TYPE, "onesec").expect("signed");
    let chain = delegate(&root, &house.a, &house.to_b(), NOW).expect("delegated");
    assert!(house.verify(&chain, NOW).is_ok(), "a kid in cnf must be used below");
    let two = split_chain(&chain).expect("links");
    let compact = parse(&two[1]).expect("a link");
    assert_eq!((compact.kid(), compact.unproven_claim("aud")), (Ok("key-of-a"), claims.get("aud")));

    let chain = delegate(&house.root(), &house.a, &house.to_b(), NOW).expect("delegated");
    let two = split_chain(&chain).expect("links");
    let print = house.a.public_key().expect("public").thumbprint().to_base64url();
    assert_eq!(parse(&two[1]).expect("a link").kid(), Ok(print.as_str()));
}

#[test]
fn a_key_known_by_its_thumbprint_delegates_too() {
    let house = House::new();
    let print = house.a.public_key().expect("public").thumbprint();
    let root = house.sign_root(&LinkSpec { delegate_key: DelegateKey::Thumbprint(print), ..house.root_spec() });
    let chain = delegate(&root, &house.a, &house.to_b(), NOW).expect("delegated");
    let known = KeySet::from_jwks_json(&json!({"keys": [house.a.public_jwk("a")]}).to_string()).expect("set");
    let policy = LinkPolicy::new(&house.roots).with_delegate_keys(&known).with_audience("https://onesec.example/");
    assert!(verify_chain(&split_chain(&chain).expect("links"), &policy, NOW).is_ok());
    assert_eq!(delegate(&root, &house.b, &house.to_b(), NOW).err(), Some(DelegateError::WrongKey));
}

#[test]
fn what_a_verifier_would_refuse_is_not_even_handed_out() {
    let house = House::new();
    let two = delegate(&house.root(), &house.a, &house.to_b(), NOW).expect("two links");
    let refused = |wanted: Narrower| delegate(&two, &house.b, &wanted, NOW).err();
    let link = |reason| Some(DelegateError::Link(reason));
    let c = || wanted("c", &house.c);
    assert_eq!(refused(c()), None);
    assert_eq!(refused(c().with_scopes(scopes("mail.read mail.send"))), link(LinkRefused::ScopeWidened));
    assert_eq!(refused(c().with_connection(connection("github"))), link(LinkRefused::ConnectionChanged));
    assert_eq!(refused(Narrower { expires_at: after(1801), ..c() }), link(LinkRefused::OutlivesParent));
    assert_eq!(refused(Narrower { expires_at: NOW, ..c() }), link(TokenRefused::Expired.into()));
    assert_eq!(refused(c().with_max_depth(2)), link(LinkRefused::TooDeep));
    for somebody in ["b", "a", "auth0|ana"] {
        assert_eq!(refused(wanted(somebody, &house.c)), link(LinkRefused::Cycle), "{somebody}");
    }
    let again = Name::new("root").expect("name");
    assert_eq!(refused(Narrower { jti: again, ..c() }), link(LinkRefused::DuplicateId));
    let many: Vec<String> = (0..200).map(|n| format!("{}{n}", "x".repeat(500))).collect();
    let open = house.sign_root(&LinkSpec { scopes: None, ..house.root_spec() });
    let long = delegate(&open, &house.a, &house.to_b().with_scopes(scopes(&many.join(" "))), NOW).err();
    assert_eq!(long, link(TokenRefused::TooLong.into()));
}

#[test]
fn only_the_delegates_own_key_goes_on() {
    let house = House::new();
    let root = house.root();
    for other in [&house.b, &house.onesec] {
        assert_eq!(delegate(&root, other, &house.to_b(), NOW).err(), Some(DelegateError::WrongKey));
    }
    let (rs, ps) = (SigningKey::generate(Algorithm::Rs256).expect("key"), Algorithm::Ps256);
    let cnf = json!({"jwk": rs.public_jwk("a")});
    let claims = json!({"iss": "auth0|ana", "sub": "a", "iat": NOW.as_secs(), "exp": NOW.as_secs() + 3600, "jti": "r",
        "cnf": cnf});
    let root = house.onesec.sign(&claims, LINK_TYPE, "onesec").expect("signed");
    assert!(delegate(&root, &rs, &house.to_b(), NOW).is_ok());
    let other_algorithm = rs.with_algorithm(ps).expect("an RSA key");
    assert_eq!(delegate(&root, &other_algorithm, &house.to_b(), NOW).err(), Some(DelegateError::WrongKey));
}

#[test]
fn a_chain_that_is_over_or_broken_lends_nothing() {
    let house = House::new();
    let (root, chain) = (house.root(), |reason| Some(DelegateError::Chain(reason)));
    let refused = |chain: &str| delegate(&Secret::new(chain.to_owned()), &house.a, &house.to_b(), NOW).err();
    assert_eq!(delegate(&root, &house.a, &house.to_b(), after(3600)).err(), chain(TokenRefused::Expired.into()));
    let text = root.expose_to_wire();
    assert_eq!(refused(""), chain(LinkRefused::EmptyChain));
    assert_eq!(refused(&format!("{text}~{text}")), chain(LinkRefused::MissingParent));
    assert_eq!(refused("no link"), chain(TokenRefused::NotThreeParts.into()));
    let two = delegate(&root, &house.a, &house.to_b(), NOW).expect("two links");
    let (_, cut) = two.expose_to_wire().split_once('~').expect("two links");
    assert_eq!(refused(cut), chain(LinkRefused::UnexpectedParent));
    let other = delegate(&house.root(), &house.a, &house.to_b(), NOW).expect("two links");
    let changed = house.sign_root(&LinkSpec { expires_at: after(3601), ..house.root_spec() });
    let (_, below) = other.expose_to_wire().split_once('~').expect("two links");
    assert_eq!(refused(&format!("{}~{below}", changed.expose_to_wire())), chain(LinkRefused::ParentMismatch));
    let access_token = house.onesec.sign(&json!({"sub": "a"}), "JWT", "k").expect("signed");
    assert_eq!(refused(access_token.expose_to_wire()), chain(TokenRefused::WrongType.into()));
}

#[test]
fn depth_is_bounded_by_the_house_and_by_every_link_above() {
    let keys: Vec<SigningKey> = (0..7).map(|_| key()).collect();
    let house = House::new();
    let spec =
        LinkSpec { delegate: AgentId::new("n0").expect("agent"), delegate_key: cnf(&keys[0]), ..house.root_spec() };
    let grow = |mut chain: Secret, links: usize| {
        for n in 1..links {
            chain = delegate(&chain, &keys[n - 1], &wanted(&format!("n{n}"), &keys[n]), NOW)?;
        }
        Ok(chain)
    };
    let five = grow(house.sign_root(&spec), 5).expect("five links");
    assert_eq!(house.verify(&five, NOW).map(|chain| chain.links().len()), Ok(5));
    let too_deep = Some(DelegateError::Link(LinkRefused::TooDeep));
    assert_eq!(grow(house.sign_root(&spec), 6).err(), too_deep);
    let bounded = house.sign_root(&LinkSpec { max_depth: Some(2), ..spec });
    assert_eq!(grow(bounded.clone(), 2).map(|_| ()), Ok(()));
    assert_eq!(grow(bounded, 3).err(), too_deep);
}

#[test]
fn a_clock_that_is_behind_makes_no_link_older_than_the_one_above() {
    let house = House::new();
    let behind = Timestamp::from_secs(NOW.as_secs() - 20);
    let chain = delegate(&house.root(), &house.a, &house.to_b(), behind).expect("delegated");
    let links = split_chain(&chain).expect("links");
    let policy = LinkPolicy::new(&house.roots).with_audience("https://onesec.example/").with_leeway(Duration::ZERO);
    assert!(verify_chain(&links, &policy, NOW).is_ok());
    let far = Timestamp::from_secs(NOW.as_secs() - 31);
    let refused = delegate(&house.root(), &house.a, &house.to_b(), far).err();
    assert_eq!(refused, Some(DelegateError::Chain(TokenRefused::IssuedInFuture.into())));
}

#[test]
fn a_chain_as_one_text_has_one_reading() {
    let split = |text: &str| split_chain(&Secret::new(text.to_owned())).map(|links| links.len());
    assert_eq!(split("a.b.c"), Ok(1));
    assert_eq!(split("a~b~c~d~e"), Ok(5));
    assert_eq!(split(""), Err(LinkRefused::EmptyChain));
    assert_eq!(split("a~b~c~d~e~f"), Err(LinkRefused::TooDeep));
    for empty in ["~", "a~", "~a", "a~~b"] {
        assert_eq!(split(empty), Err(TokenRefused::NotThreeParts.into()), "{empty}");
    }
    assert_eq!(split(&"a".repeat(5 * (MAX_TOKEN_BYTES + 1) + 1)), Err(TokenRefused::TooLong.into()));
    let links = ["a.b.c", "d.e.f"].map(|link| Secret::new(link.to_owned()));
    assert_eq!(join_chain(&links).expose_to_wire(), "a.b.c~d.e.f");
    assert!(join_chain(&[]).is_empty());
}

#[test]
fn reasons_have_a_word_and_say_nothing_of_the_chain() {
    let table = [
        (DelegateError::WrongKey, "wrong_key"),
        (DelegateError::Link(LinkRefused::ScopeWidened), "scope_widened"),
        (DelegateError::Chain(TokenRefused::Expired.into()), "expired"),
        (SignError::Sign.into(), "not_signed"),
    ];
    for (error, code) in table {
        assert_eq!(error.code(), code);
    }
}
