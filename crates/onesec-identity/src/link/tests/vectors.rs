//! Makes `vectors/links.json` from fixed keys. They sign test vectors and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use onesec_telemetry::Thumbprint;
use serde_json::{Value, json};

use crate::LINK_TYPE;
use crate::{Algorithm, SigningKey};

pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const COMMAND: &str = "cargo test -p onesec-identity --lib -- --ignored regenerate_the_vectors";

/// PKCS#8 of an RSA key with 2048 bits that exists for these vectors only.
const RSA_PKCS8: &str = "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCFgGZOKhDP02Oy0amXMZCRgKnxn9L9FvOLGJuD2HlyYaHG1CPKtacg_YWAw6UzcApR9v-G0Axb1pQWooNdspWiSTJp5E9dyEBT1Z0zeJa_wLzP57yjKMzqnoeDasOftkyph7yjDFvUHTXHJro0E1BzOBM-x8cruLCnUFtpIw6OoJCp7o51AFsHdllu60S4J-87SjGMOucsVA_T0QH8e8_Nhh9S3BCDF3-OESqnrG0MBxbZ6U3f3aO27--8aOjadwCG3dvY9Dx8V5XVpH1O4kGA9Hi3mZIxlDOL6wVsazfBiQGc-YrGIqZJJAbwgpOCLAlCBGgDxuciHMfXKHHEqK_VAgMBAAECggEAEZZ64-1Sza5xwgsxJoQXIbQrr3N43nL5nuedBV-tkE4gfAtSs8_-tq_vuKkNyJsIIQhDXcVm-2pnlBvQ5rUyVXEDPUQg2KAbKXBJB5Dpe1WvCkzjYzNq27YK8FtObmob63HAflKQfn9iqFwHx_iLbsKCdpDnQnFQhJpnkJBXyJ5Z-RDFBRhXTgLhq0gjTN-fXl6MTfQnKhzUsenPrLH5wHGp7YhYX2Gt-qOTLH39tagleeRKrG2uGsm3HQfJBPzZ-vZP9CNZafOlT8mwkze_KkXRGUd215mzw64nsOHfEjJv9Wjo4o0t5IHm3G_DO1bcN5pnwCjkOaMLXZChnGQWeQKBgQC74fXzZnM__clUwanX2enbksU8NcCh1dXXhJ8TwWH-iXbqY37QsgJCPRjPNctgZw5w8tvg7xCWBAX026CzX8xY2bxH52bJggulOB4KcvqCc1Wl6ZP_mXqDALUqjQ_NlLLfil17L-vD7fLwMAw670xtHgOwTmnUQLqfwm_HplCCrwKBgQC15yQhMs1-eWRxqoiRi4zhQM4spnXZdmWWGcAWAaYrF_ULVHah95FBdTdH0Hzxu4J87MCOL9Ot6i_1GpLHGR8IdcuQqy7_L0eh_-8pmJb3vmzaEPSMwEo3WhyrwdakdyeMSMjS8DsFpjaBAhbh0lJ871NXn_8SNmHy7f-NkJDmuwKBgHOf38jnJ84d1SU_-dJI3U6vyIoBWoc-HdgAWhXCURhgaLpeeNDee91f1EDRDlRJl-2SyBZpiX-JAlFqSD-bmRqlBOYLVop0ac5H9tTfZaOabv8n_Fi0j1zHtrZ1EWCnPl2rvVPubd2qNnPyXdR3KEWOzx5VY3OoUjG3aysnAy0pAoGAJv56x0cduCwLtTYqepDgzXTX_chdYRW5Zzjz7YPC_F_xXtFncQciM1cOV63A6w0YRvF1wcVM6m5Wg4ODzXx8I5Mk5UldFMUs5PR5b4BPdKJ0sTaLRhT-k-kUVlmCStVkO_VqX5WyAV8FNhidkSFGH5QqWJFq25ue2bXdX5qLBXsCgYBZguRAgGwsxHaldiF9uafcVcC6hPR1JcRX8MQB-HfQH8GgWHzMNJLBPmS5YO2UIIuQK3dE1AXVmUYyhaMSCgqI7yafepAvPJJngKKYd4dhvIoT8PBDmwZPewQTrf2nJzXowa9B54O5h19fL0iopswCwWcT3oZzShCcmg2WhuO6Zw";

/// A key and the name it goes by.
pub(super) struct Named {
    pub(super) key: SigningKey,
    pub(super) kid: &'static str,
}

/// A key derived from its name.
pub(super) fn named(kid: &'static str, algorithm: Algorithm) -> Named {
    let seed = Thumbprint::of(format!("onesec link vectors: {kid}").as_bytes());
    let prefix = match algorithm {
        Algorithm::EdDsa => "302e020100300506032b657004220420",
        Algorithm::Es256 => "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420",
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let der = URL_SAFE_NO_PAD.decode(RSA_PKCS8).expect("base64");
            return Named { key: SigningKey::from_pkcs8(algorithm, &der).expect("a key"), kid };
        }
    };
    let der = [unhex(prefix), seed.as_bytes().to_vec()].concat();
    Named { key: SigningKey::from_pkcs8(algorithm, &der).expect("a key"), kid }
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok()).expect("hex");
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// One chain and what a verifier must say of it; `policy` holds what differs from the default policy.
pub(super) struct Vector {
    name: &'static str,
    links: Vec<String>,
    policy: Value,
    reason: &'static str,
}

impl Vector {
    fn with(mut self, policy: Value) -> Self {
        self.policy = policy;
        self
    }

    fn json(&self) -> Value {
        let mut vector = json!({"name": self.name, "links": self.links});
        if !self.reason.is_empty() {
            vector["reason"] = self.reason.into();
        }
        if !self.policy.is_null() {
            vector["policy"] = self.policy.clone();
        }
        vector
    }
}

fn forged(name: &'static str, reason: &'static str, links: &[&str]) -> Vector {
    Vector { name, links: links.iter().map(|&link| link.to_owned()).collect(), policy: Value::Null, reason }
}

fn valid(name: &'static str, links: &[&str]) -> Vector {
    forged(name, "", links)
}

fn merge(into: &Value, changes: &Value) -> Value {
    let mut merged = into.clone();
    let members = merged.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    merged
}

/// All keys, and the good chain of three that most forgeries start from.
pub(super) struct Kit {
    root: Named,
    root_es: Named,
    root_rs: Named,
    root_ps: Named,
    a: Named,
    b: Named,
    c: Named,
    d: Named,
    e: Named,
    stranger: Named,
    /// ana → agent-a.
    pub(super) one: String,
    /// agent-a → agent-b.
    pub(super) two: String,
    /// agent-b → agent-c.
    pub(super) three: String,
}

impl Kit {
    pub(super) fn new() -> Self {
        use Algorithm::{EdDsa, Es256, Ps256, Rs256};
        let mut kit = Self {
            root: named("root", EdDsa),
            root_es: named("root-es", Es256),
            root_rs: named("root-rs", Rs256),
            root_ps: named("root-ps", Ps256),
            a: named("a", EdDsa),
            b: named("b", Es256),
            c: named("c", EdDsa),
            d: named("d", EdDsa),
            e: named("e", EdDsa),
            stranger: named("stranger", EdDsa),
            one: String::new(),
            two: String::new(),
            three: String::new(),
        };
        kit.one = kit.first(json!({}));
        kit.two = kit.second(&kit.one, json!({}));
        kit.three = kit.third(&kit.two, json!({}));
        kit
    }

    pub(super) fn root_keys(&self) -> Value {
        let roots = [&self.root, &self.root_es, &self.root_rs, &self.root_ps];
        json!({"keys": roots.map(|named| named.key.public_jwk(named.kid))})
    }

    pub(super) fn delegate_keys(&self) -> Value {
        json!({"keys": [self.a.key.public_jwk("registered-a")]})
    }

    fn first_claims() -> Value {
        json!({"iss": "auth0|ana", "sub": "agent-a", "connection": "google-oauth2",
            "scope": "calendar.read mail.read", "iat": NOW - 60, "exp": NOW + 3600, "jti": "link-1"})
    }

    fn first(&self, changes: Value) -> String {
        self.first_by(&self.root, json!({}), changes)
    }

    fn first_by(&self, signer: &Named, header: Value, changes: Value) -> String {
        sign(signer, header, &merge(&merge(&Self::first_claims(), &cnf(&self.a)), &changes))
    }

    fn second(&self, parent: &str, changes: Value) -> String {
        self.second_by(&self.a, parent, (json!({}), changes))
    }

    fn second_by(&self, signer: &Named, parent: &str, (header, changes): (Value, Value)) -> String {
        let claims = json!({"iss": "agent-a", "sub": "agent-b", "connection": "google-oauth2", "scope": "mail.read",
            "iat": NOW - 30, "exp": NOW + 1800, "jti": "link-2", "parent": hash(parent)});
        sign(signer, header, &merge(&merge(&claims, &cnf(&self.b)), &changes))
    }

    fn third(&self, parent: &str, changes: Value) -> String {
        let claims = json!({"iss": "agent-b", "sub": "agent-c", "connection": "google-oauth2", "scope": "mail.read",
            "iat": NOW - 10, "exp": NOW + 900, "jti": "link-3", "parent": hash(parent)});
        sign(&self.b, json!({}), &merge(&merge(&claims, &cnf(&self.c)), &changes))
    }

    /// A chain of five.
    fn five(&self) -> [String; 5] {
        let base = json!({"connection": "google-oauth2", "scope": "", "iat": NOW, "exp": NOW + 60});
        let four = json!({"iss": "agent-c", "sub": "agent-d", "jti": "link-4", "parent": hash(&self.three)});
        let four = sign(&self.c, json!({}), &merge(&merge(&base, &four), &cnf(&self.d)));
        let five = json!({"iss": "agent-d", "sub": "agent-e", "jti": "link-5", "parent": hash(&four)});
        let five = sign(&self.d, json!({}), &merge(&merge(&base, &five), &cnf(&self.e)));
        [self.one.clone(), self.two.clone(), self.three.clone(), four, five]
    }
}

fn sign(signer: &Named, header: Value, claims: &Value) -> String {
    sign_text(signer, header, &claims.to_string())
}

fn sign_text(signer: &Named, header: Value, claims: &str) -> String {
    let base = json!({"alg": signer.key.algorithm().name(), "typ": LINK_TYPE, "kid": signer.kid});
    sign_raw(signer, &merge(&base, &header).to_string(), claims)
}

fn sign_raw(signer: &Named, header: &str, claims: &str) -> String {
    signer.key.sign_raw(header, claims).expect("signed").expose_to_wire().to_owned()
}

fn cnf(named: &Named) -> Value {
    json!({"cnf": {"jwk": named.key.public_jwk(named.kid)}})
}

fn cnf_with(jwk: &Value, changes: Value) -> Value {
    json!({"cnf": {"jwk": merge(jwk, &changes)}})
}

fn jkt(named: &Named) -> Value {
    json!({"cnf": {"jkt": named.key.public_key().expect("public").thumbprint().to_base64url()}})
}

fn hash(link: &str) -> String {
    Thumbprint::of(link.as_bytes()).to_base64url()
}

fn parts(link: &str) -> [&str; 3] {
    let parts: Vec<&str> = link.split('.').collect();
    [parts[0], parts[1], parts[2]]
}

/// The link with its claims changed and the signature left as it was.
fn altered(link: &str, changes: Value) -> String {
    let [header, claims, signature] = parts(link);
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("json");
    format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(merge(&claims, &changes).to_string()))
}

fn with_signature(link: &str, signature: &str) -> String {
    let [header, claims, _] = parts(link);
    format!("{header}.{claims}.{signature}")
}

fn signature_of(link: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(parts(link)[2]).expect("base64")
}

/// HS256 with the root's public key as the shared secret.
fn hs256(kit: &Kit) -> String {
    let public = kit.root.key.public_jwk("root")["x"].as_str().expect("x").to_owned();
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public.as_bytes());
    let [_, claims, _] = parts(&kit.one);
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": LINK_TYPE, "kid": "root"}).to_string());
    let message = format!("{header}.{claims}");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&secret, message.as_bytes())))
}

/// The other s of the same Ed25519 signature: s plus the order of the group (RFC 8032, section 5.1.7).
fn malleated(link: &str) -> String {
    let order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut signature = signature_of(link);
    let mut carry = 0_u16;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    with_signature(link, &URL_SAFE_NO_PAD.encode(signature))
}

/// An ES256 signature in DER, as X.509 has it and JOSE has not.
fn in_der(link: &str) -> String {
    let raw = signature_of(link);
    let integer = |number: &[u8]| [&[0x02, 33, 0], number].concat();
    let body = [integer(&raw[..32]), integer(&raw[32..])].concat();
    let der = [vec![0x30, u8::try_from(body.len()).expect("short")], body].concat();
    with_signature(link, &URL_SAFE_NO_PAD.encode(der))
}

pub(super) fn all_valid(kit: &Kit) -> Vec<Vector> {
    let Kit { one, two, three, .. } = kit;
    let five = kit.five();
    let all = five.each_ref().map(String::as_str);
    let by = |signer| kit.first_by(signer, json!({}), json!({}));
    let unbounded = kit.first(json!({"scope": null, "connection": null}));
    let narrowed = kit.second(&unbounded, json!({}));
    let open = kit.second(&unbounded, json!({"scope": null, "connection": null}));
    let nothing = kit.first(json!({"scope": ""}));
    let by_print = kit.first(jkt(&kit.a));
    let rsa = kit.first(cnf(&kit.root_rs));
    let no_kid = kit.first(cnf_with(&kit.a.key.public_jwk("a"), json!({"kid": null, "alg": null, "use": null})));
    let own_name = kit.second_by(&kit.a, &no_kid, (json!({"kid": "whatever"}), json!({})));
    let ours = json!({"aud": ["onesec", "other"]});
    let (for_us, max_two) = (kit.first(ours.clone()), kit.first(json!({"max_depth": 2})));
    vec![
        valid("one link, EdDSA", &[one]),
        valid("one link, ES256", &[&by(&kit.root_es)]),
        valid("one link, RS256", &[&by(&kit.root_rs)]),
        valid("one link, PS256", &[&by(&kit.root_ps)]),
        valid("two links", &[one, two]),
        valid("three links, EdDSA and ES256", &[one, two, three]),
        valid("five links where the policy allows them", &all).with(json!({"max_depth": 5})),
        valid("a bound below no bound", &[&unbounded, &narrowed]),
        valid("no bound below no bound", &[&unbounded, &open]),
        valid("nothing below nothing", &[&nothing, &kit.second(&nothing, json!({"scope": ""}))]),
        valid("same expiry as above", &[one, &kit.second(one, json!({"exp": NOW + 3600}))]),
        valid("the last link names its key by thumbprint", &[&kit.first(jkt(&kit.stranger))]),
        valid("a registered key, by thumbprint", &[&by_print, &kit.second(&by_print, json!({}))]),
        valid("an RSA delegate", &[&rsa, &kit.second_by(&kit.root_rs, &rsa, (json!({}), json!({})))]),
        valid("a delegate's key without a name", &[&no_kid, &own_name]),
        valid("for this audience", &[&for_us, &kit.second(&for_us, json!({"aud": "onesec"}))])
            .with(json!({"audience": "onesec"})),
        valid("from the expected delegator", &[one, two]).with(json!({"root_issuer": "auth0|ana"})),
        valid("as deep as the root allows", &[&max_two, &kit.second(&max_two, json!({}))]),
        valid("expired and not yet issued within the leeway", &[&kit.first(json!({"iat": NOW + 30, "exp": NOW + 31}))]),
        valid("type in capitals", &[&kit.first_by(&kit.root, json!({"typ": "ONESEC-DELEGATION+JWT"}), json!({}))]),
        valid("an unknown claim is ignored", &[&kit.first(json!({"purpose": "holidays"}))]),
    ]
}

pub(super) fn all_forged(kit: &Kit) -> Vec<Vector> {
    [
        shapes(kit),
        headers(kit),
        signatures(kit),
        confirmations(kit),
        claims(kit),
        chains(kit),
        lineages(kit),
        bounds(kit),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn shapes(kit: &Kit) -> Vec<Vector> {
    let one = kit.one.as_str();
    let [header, payload, signature] = parts(one);
    let text = merge(&Kit::first_claims(), &cnf(&kit.a)).to_string();
    let twice = text.replacen('{', "{\"sub\":\"agent-x\",", 1);
    let escaped = text.replacen('{', "{\"\\u0073ub\":\"agent-x\",", 1);
    let nested = text.replacen("\"kty\"", "\"kty\":\"RSA\",\"kty\"", 1);
    let two_algs = format!("{{\"alg\":\"none\",\"alg\":\"EdDSA\",\"typ\":\"{LINK_TYPE}\",\"kid\":\"root\"}}");
    let cut: String = payload.chars().take(payload.len() / 8 * 4).collect();
    vec![
        forged("no link at all", "empty_chain", &[]),
        forged("an empty text", "not_three_parts", &[""]),
        forged("two parts", "not_three_parts", &[&format!("{header}.{payload}")]),
        forged("four parts", "not_three_parts", &[&format!("{one}.x")]),
        forged("five parts", "encrypted", &[&format!("{one}.x.y")]),
        forged("no signature", "not_three_parts", &[&with_signature(one, "")]),
        forged("truncated claims", "not_json", &[&format!("{header}.{cut}.{signature}")]),
        forged("padded", "not_base64url", &[&format!("{one}==")]),
        forged("standard alphabet", "not_base64url", &[&with_signature(one, &STANDARD.encode([0xff; 64]))]),
        forged("stray trailing bits", "not_base64url", &[&with_signature(one, &format!("{}B", "A".repeat(85)))]),
        forged("trailing space", "not_base64url", &[&format!("{one} ")]),
        forged("line break within", "not_base64url", &[&one.replacen('.', ".\n", 1)]),
        forged("oversize", "token_too_long", &[&kit.first(json!({"purpose": "x".repeat(crate::MAX_TOKEN_BYTES)}))]),
        forged("claims are an array", "not_json", &[&sign_text(&kit.root, json!({}), "[]")]),
        forged(
            "claims are cut off",
            "not_json",
            &[&sign_text(&kit.root, json!({}), text.strip_suffix('}').expect("an object"))],
        ),
        forged("claims and more", "not_json", &[&sign_text(&kit.root, json!({}), &format!("{text}{{}}"))]),
        forged("header is an array", "not_json", &[&sign_raw(&kit.root, "[]", &text)]),
        forged("a claim twice", "duplicate_member", &[&sign_text(&kit.root, json!({}), &twice)]),
        forged("a claim twice, once escaped", "duplicate_member", &[&sign_text(&kit.root, json!({}), &escaped)]),
        forged("a member of the key twice", "duplicate_member", &[&sign_text(&kit.root, json!({}), &nested)]),
        forged("alg twice", "duplicate_member", &[&sign_raw(&kit.root, &two_algs, &text)]),
    ]
}

fn headers(kit: &Kit) -> Vec<Vector> {
    let check = |name, reason, header| forged(name, reason, &[&kit.first_by(&kit.root, header, json!({}))]);
    let own_key = json!({"jwk": kit.stranger.key.public_jwk("root")});
    vec![
        check("crit", "critical_extension", json!({"crit": ["exp"]})),
        check("b64", "critical_extension", json!({"b64": false})),
        check("its own key in the header", "embedded_key", own_key),
        check("jku", "embedded_key", json!({"jku": "https://keys.example/"})),
        check("x5u", "embedded_key", json!({"x5u": "https://keys.example/"})),
        check("no typ", "wrong_type", json!({"typ": null})),
        check("typ of an access token", "wrong_type", json!({"typ": "at+jwt"})),
        check("typ of any JWT", "wrong_type", json!({"typ": "JWT"})),
        check("typ of a DPoP proof", "wrong_type", json!({"typ": "dpop+jwt"})),
        check("typ is a number", "wrong_type", json!({"typ": 1})),
        check("alg none", "algorithm", json!({"alg": "none"})),
        check("alg none in other letters", "algorithm", json!({"alg": "nOnE"})),
        check("no alg", "algorithm", json!({"alg": null})),
        check("alg is a list", "algorithm", json!({"alg": ["EdDSA"]})),
        check("alg HS512", "algorithm", json!({"alg": "HS512"})),
        check("alg ES384", "algorithm", json!({"alg": "ES384"})),
        check("alg ES256K", "algorithm", json!({"alg": "ES256K"})),
        check("alg RS512", "algorithm", json!({"alg": "RS512"})),
        forged("HS256 with the public key as secret", "algorithm", &[&hs256(kit)]),
        check("no kid", "no_key_id", json!({"kid": null})),
        check("kid is a number", "no_key_id", json!({"kid": 1})),
        check("unknown kid", "unknown_key", json!({"kid": "../root"})),
        check("ES256 with an Ed25519 key", "key_mismatch", json!({"alg": "ES256"})),
        check("RS256 with an Ed25519 key", "key_mismatch", json!({"alg": "RS256"})),
        check("EdDSA with a P-256 key", "key_mismatch", json!({"kid": "root-es"})),
        check("PS256 with a key for RS256", "key_mismatch", json!({"alg": "PS256", "kid": "root-rs"})),
    ]
}

fn signatures(kit: &Kit) -> Vec<Vector> {
    let one = kit.one.as_str();
    let es = kit.first_by(&kit.root_es, json!({}), json!({}));
    let bob = kit.first(json!({"iss": "auth0|bob"}));
    let short = URL_SAFE_NO_PAD.encode(&signature_of(one)[..63]);
    let by = |signer, header| kit.first_by(signer, header, json!({}));
    let ps_as_rs = by(&kit.root_ps, json!({"alg": "RS256", "kid": "root-rs"}));
    let check = |name, link: &str| forged(name, "signature", &[link]);
    vec![
        check("truncated signature", &with_signature(one, &short)),
        check("zero signature", &with_signature(one, &URL_SAFE_NO_PAD.encode([0; 64]))),
        check("zero ES256 signature", &with_signature(&es, &URL_SAFE_NO_PAD.encode([0; 64]))),
        check("ES256 signature in DER", &in_der(&es)),
        check("the other s of an Ed25519 signature", &malleated(one)),
        check("PS256 signature as RS256", &ps_as_rs),
        check("a stranger's signature", &by(&kit.stranger, json!({"kid": "root"}))),
        check("the delegate signs for the delegator", &by(&kit.a, json!({"kid": "root"}))),
        check("the kid of another root key", &by(&kit.root, json!({"kid": "root-es", "alg": "ES256"}))),
        check("signature of another user's link", &with_signature(one, parts(&bob)[2])),
        check("altered scope", &altered(one, json!({"scope": "calendar.read mail.read mail.send"}))),
        check("altered expiry", &altered(one, json!({"exp": NOW + 36_000}))),
        check("altered delegate", &altered(one, json!({"sub": "agent-x"}))),
        check("altered key of the delegate", &altered(one, cnf(&kit.stranger))),
        check("scope taken out", &altered(one, json!({"scope": null}))),
    ]
}

fn confirmations(kit: &Kit) -> Vec<Vector> {
    let ed = kit.a.key.public_jwk("a");
    let ec = kit.b.key.public_jwk("b");
    let rsa = kit.root_rs.key.public_jwk("r");
    let print = jkt(&kit.a)["cnf"]["jkt"].clone();
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let check = |name, reason, changes| forged(name, reason, &[&kit.first(changes)]);
    let small = json!({"x": encoded(&[0; 32])});
    vec![
        check("no cnf", "unbound", json!({"cnf": null})),
        check("empty cnf", "bad_confirmation", json!({"cnf": {}})),
        check("cnf is a text", "bad_confirmation", json!({"cnf": "a"})),
        check("two confirmations", "bad_confirmation", json!({"cnf": {"jwk": ed, "jkt": print}})),
        check("cnf names a kid only", "bad_confirmation", json!({"cnf": {"kid": "a"}})),
        check("cnf of a certificate", "bad_confirmation", json!({"cnf": {"x5t#S256": print}})),
        check("jkt in hex", "bad_confirmation", json!({"cnf": {"jkt": "00".repeat(32)}})),
        check("jkt too short", "bad_confirmation", json!({"cnf": {"jkt": encoded(&[1; 20])}})),
        check("jwk is a text", "bad_confirmation", json!({"cnf": {"jwk": ed.to_string()}})),
        check("private Ed25519 key", "private_key", cnf_with(&ed, json!({"d": encoded(&[1; 32])}))),
        check("private RSA key", "private_key", cnf_with(&rsa, json!({"p": "AQ"}))),
        check("shared secret", "private_key", json!({"cnf": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}})),
        check("RSA key of 1024 bits", "unusable_key", cnf_with(&rsa, json!({"n": encoded(&[0xff; 128])}))),
        check("RSA key of 16384 bits", "unusable_key", cnf_with(&rsa, json!({"n": encoded(&[0xff; 2048])}))),
        check("RSA exponent one", "unusable_key", cnf_with(&rsa, json!({"e": "AQ"}))),
        check("wrong curve", "unusable_key", cnf_with(&ec, json!({"crv": "P-384"}))),
        check("curve of bitcoin", "unusable_key", cnf_with(&ec, json!({"crv": "secp256k1"}))),
        check("key for agreement", "unusable_key", cnf_with(&ed, json!({"crv": "X25519"}))),
        check("point off the curve", "unusable_key", cnf_with(&ec, json!({"x": encoded(&[1; 32])}))),
        check("point of small order", "unusable_key", cnf_with(&ed, small)),
        check("key for encryption", "unusable_key", cnf_with(&ed, json!({"use": "enc"}))),
        check("key without numbers", "unusable_key", cnf_with(&ed, json!({"x": null}))),
    ]
}

fn claims(kit: &Kit) -> Vec<Vector> {
    let check = |name, reason, changes| forged(name, reason, &[&kit.first(changes)]);
    let mut null_parent = merge(&Kit::first_claims(), &cnf(&kit.a));
    null_parent["parent"] = Value::Null;
    vec![
        check("no iss", "missing_claim", json!({"iss": null})),
        check("no sub", "missing_claim", json!({"sub": null})),
        check("no jti", "missing_claim", json!({"jti": null})),
        check("no exp", "missing_claim", json!({"exp": null})),
        check("no iat", "missing_claim", json!({"iat": null})),
        check("exp is a text", "bad_claim", json!({"exp": "2099-01-01"})),
        check("exp beyond all calendars", "bad_claim", json!({"exp": 1e300})),
        check("exp before iat", "bad_claim", json!({"iat": NOW, "exp": NOW - 1})),
        check("expired", "expired", json!({"exp": NOW - 30})),
        check("issued in the future", "issued_in_future", json!({"iat": NOW + 31})),
        check("not valid yet", "not_yet_valid", json!({"nbf": NOW + 31})),
        check("scopes in an array", "bad_claim", json!({"scope": ["mail.read"]})),
        check("scopes with a comma", "bad_claim", json!({"scope": "mail.read,mail.send"})),
        check("scopes with a tab", "bad_claim", json!({"scope": "mail.read\tmail.send"})),
        check("connection is a number", "bad_claim", json!({"connection": 1})),
        check("delegate with a space", "bad_claim", json!({"sub": "agent-a "})),
        check("delegate with a hidden character", "bad_claim", json!({"sub": "agent\u{200b}-a"})),
        check("delegate in full width", "bad_claim", json!({"sub": "ａgent-a"})),
        check("empty jti", "bad_claim", json!({"jti": ""})),
        check("max_depth is a text", "bad_claim", json!({"max_depth": "3"})),
        check("max_depth is negative", "bad_claim", json!({"max_depth": -1})),
        check("max_depth zero", "too_deep", json!({"max_depth": 0})),
        check("delegated to himself", "cycle", json!({"sub": "auth0|ana"})),
        check("a root with a parent", "unexpected_parent", json!({"parent": hash("x")})),
        forged("a root with parent null", "bad_claim", &[&sign(&kit.root, json!({}), &null_parent)]),
        check("for an audience nobody asked for", "wrong_audience", json!({"aud": "onesec"})),
        check("for no audience", "missing_claim", json!({})).with(json!({"audience": "onesec"})),
        check("for another audience", "wrong_audience", json!({"aud": "other"})).with(json!({"audience": "onesec"})),
        check("from another user", "wrong_root", json!({"iss": "auth0|bob"})).with(json!({"root_issuer": "auth0|ana"})),
    ]
}

fn chains(kit: &Kit) -> Vec<Vector> {
    let Kit { one, two, three, .. } = kit;
    let bob = kit.first(json!({"iss": "auth0|bob", "jti": "link-b"}));
    let hex = Thumbprint::of(one.as_bytes()).to_string();
    let by = |signer, header| kit.second_by(signer, one, (header, json!({})));
    let by_print = kit.first(jkt(&kit.c));
    let check = |name, reason, changes| forged(name, reason, &[one, &kit.second(one, changes)]);
    let check3 = |name, reason, changes| forged(name, reason, &[one, two, &kit.third(two, changes)]);
    vec![
        forged("swapped links", "unknown_key", &[two, one]),
        forged("the same link twice", "unknown_key", &[one, one]),
        forged("the second link twice", "unknown_key", &[one, two, two]),
        forged("a link left out at the root", "unknown_key", &[two, three]),
        forged("a link left out in the middle", "unknown_key", &[one, three]),
        forged("below another user's link", "parent_mismatch", &[&bob, two]),
        forged(
            "below the same link signed with another key",
            "parent_mismatch",
            &[&kit.first_by(&kit.root_rs, json!({}), json!({})), two],
        ),
        check("no parent", "missing_parent", json!({"parent": null})),
        check("parent in hex", "parent_mismatch", json!({"parent": hex})),
        check("parent padded", "parent_mismatch", json!({"parent": format!("{}=", hash(one))})),
        check("parent is the hash of its claims", "parent_mismatch", json!({"parent": hash(parts(one)[1])})),
        check("parent is a number", "bad_claim", json!({"parent": 1})),
        check3("parent is the grandparent", "parent_mismatch", json!({"parent": hash(one)})),
        forged("signed by the root", "unknown_key", &[one, &by(&kit.root, json!({}))]),
        forged("signed by the root in the delegate's name", "signature", &[one, &by(&kit.root, json!({"kid": "a"}))]),
        forged("signed by a stranger", "signature", &[one, &by(&kit.stranger, json!({"kid": "a"}))]),
        forged("signed by its own delegate", "key_mismatch", &[one, &by(&kit.b, json!({"kid": "a"}))]),
        forged("ES256 with the delegate's Ed25519 key", "key_mismatch", &[one, &by(&kit.a, json!({"alg": "ES256"}))]),
        forged("a second link without kid", "no_key_id", &[one, &by(&kit.a, json!({"kid": null}))]),
        forged("a second link of another type", "wrong_type", &[one, &by(&kit.a, json!({"typ": "JWT"}))]),
        forged("a second link with alg none", "algorithm", &[one, &by(&kit.a, json!({"alg": "none"}))]),
        forged(
            "cnf of another key",
            "signature",
            &[
                &kit.first(cnf_with(&kit.stranger.key.public_jwk("a"), json!({}))),
                &kit.second(&kit.first(cnf_with(&kit.stranger.key.public_jwk("a"), json!({}))), json!({})),
            ],
        ),
        forged(
            "a key known by thumbprint to nobody",
            "unknown_delegate_key",
            &[&by_print, &kit.second_by(&kit.c, &by_print, (json!({}), json!({})))],
        ),
    ]
}

fn lineages(kit: &Kit) -> Vec<Vector> {
    let Kit { one, two, .. } = kit;
    let early = kit.first(json!({"iat": NOW}));
    let five = kit.five();
    let all = five.each_ref().map(String::as_str);
    let max_one = kit.first(json!({"max_depth": 1}));
    let max_two = kit.second(one, json!({"max_depth": 2}));
    let check = |name, reason, changes| forged(name, reason, &[one, &kit.second(one, changes)]);
    let check3 = |name, reason, changes| forged(name, reason, &[one, two, &kit.third(two, changes)]);
    vec![
        check("issued by the user", "wrong_delegator", json!({"iss": "auth0|ana"})),
        check("issued by another agent", "wrong_delegator", json!({"iss": "agent-x"})),
        check("issued by the agent in other letters", "wrong_delegator", json!({"iss": "Agent-A"})),
        check("older than its parent", "older_than_parent", json!({"iat": NOW - 91})),
        forged(
            "older than its parent by an hour",
            "older_than_parent",
            &[&early, &kit.second(&early, json!({"iat": NOW - 3600}))],
        ),
        check("back to the user", "cycle", json!({"sub": "auth0|ana"})),
        check("to itself", "cycle", json!({"sub": "agent-a"})),
        check3("back to the first agent", "cycle", json!({"sub": "agent-a"})),
        check("the parent's id again", "duplicate_id", json!({"jti": "link-1"})),
        check3("the grandparent's id again", "duplicate_id", json!({"jti": "link-1"})),
        forged("four links where three are allowed", "too_deep", &all[..4]),
        forged("two links where one is allowed", "too_deep", &[one, two]).with(json!({"max_depth": 1})),
        forged("two links where the root allows one", "too_deep", &[&max_one, &kit.second(&max_one, json!({}))]),
        forged(
            "three links where the second allows two",
            "too_deep",
            &[one, &max_two, &kit.third(&max_two, json!({"max_depth": 5}))],
        ),
        forged("more links than anybody may allow", "too_deep", &[one.as_str(); 6]).with(json!({"max_depth": 255})),
    ]
}

fn bounds(kit: &Kit) -> Vec<Vector> {
    let one = kit.one.as_str();
    let nothing = kit.first(json!({"scope": ""}));
    let expired = kit.first(json!({"iat": NOW - 120, "exp": NOW - 60}));
    let check = |name, reason, changes| forged(name, reason, &[one, &kit.second(one, changes)]);
    vec![
        check("one scope more", "scope_widened", json!({"scope": "mail.read mail.send"})),
        check("another scope", "scope_widened", json!({"scope": "mail.send"})),
        check("a scope in other letters", "scope_widened", json!({"scope": "Mail.read"})),
        check("a scope that the parent's implies", "scope_widened", json!({"scope": "mail"})),
        check("no bound below a bound", "scope_widened", json!({"scope": null})),
        forged("something of nothing", "scope_widened", &[&nothing, &kit.second(&nothing, json!({}))]),
        forged(
            "scopes the grandparent has and the parent has not",
            "scope_widened",
            &[one, &kit.two, &kit.third(&kit.two, json!({"scope": "calendar.read"}))],
        ),
        check("a second longer", "outlives_parent", json!({"exp": NOW + 3601})),
        check("a fraction longer", "outlives_parent", json!({"exp": 1_800_003_600.5})),
        forged(
            "longer than the parent, shorter than the root",
            "outlives_parent",
            &[one, &kit.two, &kit.third(&kit.two, json!({"exp": NOW + 1801}))],
        ),
        check("another connection", "connection_changed", json!({"connection": "github"})),
        check("any connection below one", "connection_changed", json!({"connection": null})),
        check("the connection in other letters", "connection_changed", json!({"connection": "Google-OAuth2"})),
        forged("an expired root", "expired", &[&expired, &kit.second(&expired, json!({"exp": NOW + 60}))]),
        check("an expired second link", "expired", json!({"iat": NOW - 60, "exp": NOW - 30})),
        check("an unbound second link", "unbound", json!({"cnf": null})),
        check("a private key in the second link", "private_key", json!({"cnf": {"jwk": {"kty": "oct", "k": "AQ"}}})),
        forged("widened after signing", "signature", &[one, &altered(&kit.two, json!({"scope": "calendar.read"}))]),
        forged("prolonged after signing", "signature", &[one, &altered(&kit.two, json!({"exp": NOW + 3600}))]),
    ]
}

/// The whole file.
pub(super) fn file(kit: &Kit) -> Value {
    let list = |vectors: Vec<Vector>| vectors.iter().map(Vector::json).collect::<Vec<_>>();
    let comment = [
        "Chains of delegation links, root first: `valid` ones verify, `forged` ones are refused with `reason`.",
        "Default policy: root_keys, delegate_keys, three links, 30 seconds of leeway; `policy` says what differs.",
        "Times are seconds since 1970. The keys exist for these vectors only. Regenerate with:",
        COMMAND,
    ];
    json!({"comment": comment, "now": NOW, "root_keys": kit.root_keys(), "delegate_keys": kit.delegate_keys(),
        "valid": list(all_valid(kit)), "forged": list(all_forged(kit))})
}
