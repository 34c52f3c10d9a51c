//! Delegations as signed links: lent on without a network, presented, refused, taken back.

use std::time::Duration;

use onesec_auth0_sim::ClientSpec;
use onesec_e2e::proofs::{Issuer, Key, fresh, merge, now};
use onesec_e2e::world::{ANA, BEN, CALENDAR, GITHUB, GOOGLE, MAIL};
use onesec_e2e::{Agent, Answer, World};
use onesec_telemetry::{ScopeSet, Secret};
use serde_json::{Value, json};

use super::{alerts_of, exchange_with, grant, issued, refused};
use crate::plan;

const LINK: &str = "onesec-delegation+jwt";
/// As the ledger has the scope, and the links that it signs.
const READ: &str = "calendar.readonly";

/// Ana's account, lent to `planner`, who has a key, as has `reader`.
struct Lent {
    world: World,
    planner: Key,
    reader: Key,
    /// The delegation to `planner`, and its link.
    id: String,
    link: String,
    token: String,
}

impl Lent {
    fn new(plan: onesec_e2e::Plan) -> Self {
        let world = plan.with("detectors", json!({"exchange-rate": {"limit": 10_000}})).start();
        world.link(ANA, GOOGLE, &format!("{CALENDAR} {MAIL}"));
        let (planner, reader) = (world.keyed("planner", &json!({})), world.keyed("reader", &json!({})));
        let made = world.delegate(ANA, "planner", GOOGLE, &[CALENDAR]);
        let text = |name: &str| made[name].as_str().expect("there").to_owned();
        let (id, link, token) = (text("id"), text("link"), world.refresh(ANA));
        Self { world, planner, reader, id, link, token }
    }

    /// All of it, lent on to `reader`.
    fn chain(&self) -> String {
        self.planner.lend(&self.link, ("reader", &self.reader), |mut wanted| {
            wanted.expires_at = wanted.expires_at + Duration::from_secs(1_200);
            wanted
        })
    }

    /// What `planner` could sign, were its library not so careful.
    fn signed(&self, change: Value) -> String {
        below(&self.link, &self.planner, (("planner", "reader"), &self.reader), &change)
    }

    fn present(&self, agent: &mut Agent, chain: &str) -> Answer {
        agent.exchange_with(GOOGLE, &self.token, &json!({"scopes": [CALENDAR], "delegation": chain}))
    }

    fn as_reader(&self, chain: &str) -> Answer {
        self.present(&mut self.world.agent("reader"), chain)
    }
}

/// A link below the last one of `chain`, signed by `key`, with these changes; as a chain.
fn below(chain: &str, key: &Key, ((by, to), bound): ((&str, &str), &Key), change: &Value) -> String {
    let last = chain.rsplit('~').next().unwrap_or_default().to_owned();
    let parent = Secret::new(last).thumbprint().to_base64url();
    let claims = json!({"iss": by, "sub": to, "connection": GOOGLE, "scope": READ, "aud": "onesec:default",
        "iat": now(), "exp": now() + 600, "jti": fresh("link"), "parent": parent, "cnf": {"jwk": bound.public().jwk()}});
    format!("{chain}~{}", key.jwt(&json!({"typ": LINK}), &claims, change))
}

/// A first link, signed by whomever.
fn root(key: &Key, bound: &Key, change: &Value) -> String {
    let claims = json!({"iss": ANA, "sub": "reader", "connection": GOOGLE, "scope": READ, "aud": "onesec:default",
        "iat": now(), "exp": now() + 600, "jti": fresh("root"), "cnf": {"jwk": bound.public().jwk()}});
    key.jwt(&json!({"typ": LINK}), &claims, change)
}

const WORTHLESS: (u16, &str, &str) = (403, "access_denied", "delegation-chain");
const REVOKED: (u16, &str, &str) = (403, "access_denied", "revoked-access");
/// As the ledger words it where it is told of a link anew.
const TOMBSTONED: (u16, &str, &str) = (403, "access_denied", "tombstoned");

#[test]
fn an_agent_lends_on_without_a_network() {
    let lent = Lent::new(plan().live());
    let (chain, mut reader) = (lent.chain(), lent.world.agent("reader"));
    refused(
        "before it is shown",
        &reader.exchange_for(GOOGLE, &lent.token, &[CALENDAR]),
        (403, "access_denied", "unauthorized-agent"),
    );
    issued("presented", &lent.present(&mut reader, &chain));
    issued("presented again", &lent.present(&mut reader, &chain));
    issued("known by now", &reader.exchange_for(GOOGLE, &lent.token, &[CALENDAR]));
    let listed = lent.world.listed("/api/v1/delegations?agent_id=reader", "delegations");
    assert_eq!(listed.len(), 1, "{listed:#?}");
    assert_eq!((&listed[0]["delegated_by"], &listed[0]["parent_id"]), (&json!("planner"), &json!(lent.id)));
    let more = reader.exchange_for(GOOGLE, &lent.token, &[CALENDAR, MAIL]);
    refused("more than was lent", &more, (403, "access_denied", "scope-escalation"));
    // At the token endpoint, a third agent, less than the second has.
    let writer = Key::default();
    let scopes = ScopeSet::parse("").expect("scopes");
    let less = lent.reader.lend(&chain, ("writer", &writer), |wanted| wanted.with_scopes(scopes));
    let secret = lent.world.key(&json!({"name": "w", "scopes": ["exchange"], "agent_id": "writer"}));
    let mut http = lent.world.nobody();
    let more = [("client_id", "writer"), ("client_secret", &secret), ("onesec_delegation", &less)];
    let nothing = grant(&mut http, &[], (&lent.token, &more));
    refused("lent nothing", &nothing, (403, "access_denied", "scope-escalation"));
    let all = lent.reader.lend(&chain, ("writer", &writer), |wanted| wanted);
    let more = [("client_id", "writer"), ("client_secret", &secret), ("onesec_delegation", &all)];
    issued("the third", &grant(&mut http, &[], (&lent.token, &more)));
}

#[test]
fn an_event_attests_a_delegation() {
    let lent = Lent::new(plan().live().with("delegations", json!({"unattested": "refuse"})));
    let mut sender = lent.world.client(&["events:write"]);
    let mut send = |more: Value| {
        let mut details =
            json!({"agent_id": "reader", "user_id": ANA, "delegated_by": "planner", "connection": GOOGLE});
        merge(&mut details, &more);
        let event = json!({"type": "agent_identity_delegation", "details": details});
        let answer = sender.post("/api/v1/events", &event);
        assert_eq!(answer.status, 202, "{}", answer.text());
    };
    let mut reader = lent.world.agent("reader");
    let never = (403, "access_denied", "unauthorized-agent");
    send(json!({}));
    refused("nobody signed", &reader.exchange_for(GOOGLE, &lent.token, &[CALENDAR]), never);
    send(json!({"attestation": "x.y.z"}));
    send(json!({"attestation": lent.chain(), "agent_id": "mole"}));
    send(json!({"attestation": lent.chain(), "user_id": BEN}));
    refused("about others", &reader.exchange_for(GOOGLE, &lent.token, &[CALENDAR]), never);
    refused("nor the mole", &lent.world.agent("mole").exchange(GOOGLE, &lent.token), never);
    assert!(!lent.world.alerts("delegation-chain").is_empty());
    send(json!({"attestation": lent.chain(), "scopes": [CALENDAR, MAIL], "max_depth": 5, "delegation_id": "mine"}));
    issued("attested", &reader.exchange_for(GOOGLE, &lent.token, &[CALENDAR]));
    let wider = reader.exchange_for(GOOGLE, &lent.token, &[MAIL]);
    refused("words beside the signature count for nothing", &wider, (403, "access_denied", "scope-escalation"));
}

#[test]
fn unattested_delegations_are_refused_reported_or_taken() {
    for (said, status, alerts) in [("refuse", 403, 1), ("alert", 200, 1), ("allow", 200, 0)] {
        let world = plan().live().with("delegations", json!({"unattested": said})).start();
        world.link(ANA, GOOGLE, CALENDAR);
        let details = json!({"agent_id": "reader", "user_id": ANA, "delegated_by": ANA, "connection": GOOGLE, "scopes": CALENDAR});
        world.report("agent_identity_delegation", &details);
        let answer = world.agent("reader").exchange_for(GOOGLE, &world.refresh(ANA), &[CALENDAR]);
        assert_eq!(answer.status, status, "{said}: {}", answer.text());
        assert_eq!(world.alerts("delegation-chain").len(), alerts, "{said}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn chains_that_prove_nothing() {
    for mode in ["live", "dry_run"] {
        let lent = Lent::new(plan());
        lent.world.mode(mode);
        let stranger = Key::default();
        let good = lent.chain();
        let (first, second) = good.split_once('~').expect("two links");
        let bens = {
            lent.world.link(BEN, GOOGLE, CALENDAR);
            lent.world.delegate(BEN, "planner", GOOGLE, &[CALENDAR])["link"].as_str().expect("link").to_owned()
        };
        let last = |chain: String| chain.rsplit('~').next().unwrap_or_default().to_owned();
        let deep = {
            let keys: Vec<Key> = (0..3).map(|_| Key::default()).collect();
            let three = below(&good, &lent.reader, (("reader", "a1"), &keys[0]), &json!({}));
            let four = below(&three, &keys[0], (("a1", "a2"), &keys[1]), &json!({}));
            below(&four, &keys[1], (("a2", "reader"), &lent.reader), &json!({}))
        };
        let cut = |text: &str| text.chars().take(text.len() - 4).collect::<String>();
        let attacks = [
            ("a root signed by nobody we know", root(&stranger, &lent.reader, &json!({})), "unknown_key"),
            ("a root signed by the agent's own key", root(&lent.reader, &lent.reader, &json!({})), "unknown_key"),
            (
                "our root, another's signature below",
                below(first, &stranger, (("planner", "reader"), &lent.reader), &json!({})),
                "signature",
            ),
            (
                "the delegate signs for itself",
                below(first, &lent.reader, (("planner", "reader"), &lent.reader), &json!({})),
                "signature",
            ),
            ("the order swapped", format!("{second}~{first}"), "unknown_key"),
            ("the second link alone", second.to_owned(), "unknown_key"),
            ("the first link twice", format!("{first}~{first}"), "signature"),
            ("re-parented below another user's link", format!("{bens}~{second}"), "parent_mismatch"),
            (
                "re-parented, signed anew with the old parent",
                format!("{bens}~{}", last(lent.signed(json!({})))),
                "parent_mismatch",
            ),
            ("without a parent", lent.signed(json!({"parent": null})), "missing_parent"),
            ("wider scopes", lent.signed(json!({"scope": format!("{READ} gmail.send")})), "scope_widened"),
            ("no bound on scopes", lent.signed(json!({"scope": null})), "scope_widened"),
            ("another connection", lent.signed(json!({"connection": GITHUB})), "connection_changed"),
            ("any connection", lent.signed(json!({"connection": null})), "connection_changed"),
            ("outlives its parent", lent.signed(json!({"exp": now() + 400_000})), "outlives_parent"),
            ("expired", lent.signed(json!({"iat": now() - 900, "exp": now() - 300})), "expired"),
            ("not yet valid", lent.signed(json!({"nbf": now() + 900})), "not_yet_valid"),
            ("for another tenant", lent.signed(json!({"aud": "onesec:acme"})), "wrong_audience"),
            ("for nobody", lent.signed(json!({"aud": null})), "missing_claim"),
            ("in another agent's name", lent.signed(json!({"iss": "boss"})), "wrong_delegator"),
            ("in the user's name", lent.signed(json!({"iss": ANA})), "wrong_delegator"),
            ("to itself", below(first, &lent.planner, (("planner", "planner"), &lent.planner), &json!({})), "cycle"),
            ("a cycle", below(&good, &lent.reader, (("reader", "planner"), &lent.planner), &json!({})), "cycle"),
            (
                "bound to a key that is not the agent's",
                below(first, &lent.planner, (("planner", "reader"), &stranger), &json!({})),
                "not_its_key",
            ),
            ("bound to nothing", lent.signed(json!({"cnf": null})), "unbound"),
            ("no id", lent.signed(json!({"jti": null})), "missing_claim"),
            ("too deep", deep, "too_deep"),
            ("six links", [first; 6].join("~"), "too_deep"),
            ("a thousand links", ["a.b.c"; 1_000].join("~"), "too_deep"),
            ("oversized", "a".repeat(60_000), "token_too_long"),
            ("cut short", cut(&good), ""),
            ("an empty link", format!("{first}~~{second}"), "not_three_parts"),
            ("a separator at the end", format!("{good}~"), "not_three_parts"),
            (
                "another type",
                format!("{first}~{}", lent.planner.jwt(&json!({"typ": "JWT"}), &json!({}), &json!({}))),
                "wrong_type",
            ),
            (
                "alg none",
                format!("{first}~{}", lent.planner.jwt(&json!({"alg": "none", "typ": LINK}), &json!({}), &json!({}))),
                "algorithm",
            ),
            (
                "HMAC",
                format!("{first}~{}", lent.planner.jwt(&json!({"alg": "HS256", "typ": LINK}), &json!({}), &json!({}))),
                "algorithm",
            ),
            (
                "an unknown kid",
                {
                    let mut head = json!({"typ": LINK});
                    merge(&mut head, &json!({"kid": "k0"}));
                    stranger.jwt(&head, &json!({"iss": ANA}), &json!({}))
                },
                "unknown_key",
            ),
        ];
        for (attack, chain, why) in &attacks {
            let answer = lent.as_reader(chain);
            refused(attack, &answer, WORTHLESS);
            assert!(answer.text().contains(why), "{mode} {attack}: {}", answer.text());
        }
        let alert = &alerts_of(&lent.world, "delegation-chain", "reader")[0];
        assert_eq!((&alert["severity"], &alert["attribution"]), (&json!("CRITICAL"), &json!("observed")), "{mode}");
        for empty in ["", "~"] {
            let answer = lent.as_reader(empty);
            assert!(answer.status == 400 || answer.status == 403, "{mode} empty: {}", answer.text());
        }
        let never = lent.world.admin().get("/api/v1/delegations?agent_id=reader").json();
        assert_eq!(never["delegations"], json!([]), "none of them left anything in the ledger");
        issued("the honest one", &lent.as_reader(&good));
    }
}

#[test]
fn a_link_is_its_agents_and_no_others() {
    for mode in ["live", "dry_run"] {
        let lent = Lent::new(plan());
        lent.world.mode(mode);
        let chain = lent.chain();
        for (attack, thief) in [
            ("found by another agent", "mole"),
            ("by an agent in capitals", "Reader"),
            ("by a look-alike", "r\u{435}ader"),
        ] {
            let answer = lent.present(&mut lent.world.agent(thief), &chain);
            refused(attack, &answer, WORTHLESS);
        }
        let up = lent.present(&mut lent.world.agent("planner"), &chain);
        refused("the agent above shows the one below", &up, WORTHLESS);
        // Who has another key by now is somebody else.
        let before = lent.as_reader(&chain);
        issued("with its key", &before);
        lent.world.register("reader", &json!({"keys": [Key::default().jwk()]}));
        refused("its key was replaced", &lent.as_reader(&chain), WORTHLESS);
    }
}

#[test]
fn a_key_that_was_taken_from_an_agent_signs_nothing_any_more() {
    for (how, keys) in [("replaced", json!([Key::default().jwk()])), ("removed", json!([])), ("forgotten", Value::Null)]
    {
        let lent = Lent::new(plan().live());
        if keys.is_null() {
            assert_eq!(lent.world.admin().call("DELETE", "/api/v1/agents/planner", &Value::Null).status, 200);
        } else {
            lent.world.register("planner", &json!({"keys": keys}));
        }
        // Whoever stole it lends the account to an agent of his own.
        let answer = lent.as_reader(&lent.chain());
        refused(how, &answer, WORTHLESS);
        assert!(answer.text().contains("not_its_key"), "{how}: {}", answer.text());
    }
}

#[test]
fn another_users_link_does_not_change_the_user() {
    for mode in ["live", "dry_run"] {
        let lent = Lent::new(plan());
        lent.world.mode(mode);
        let (world, chain) = (&lent.world, lent.chain());
        world.link(BEN, GOOGLE, CALENDAR);
        world.delegate(BEN, "reader", GOOGLE, &[CALENDAR]);
        let bens = world.refresh(BEN);
        let mut reader = world.agent("reader");
        let more = json!({"scopes": [CALENDAR], "delegation": chain});
        let answer = reader.exchange_with(GOOGLE, &bens, &more);
        refused("Ana's link, Ben's token", &answer, (403, "access_denied", "confused-deputy"));
        assert_eq!(alerts_of(world, "confused-deputy", "reader")[0]["severity"], "CRITICAL", "{mode}");
        issued("without it", &reader.exchange_for(GOOGLE, &bens, &[CALENDAR]));
    }
}

#[test]
fn what_was_taken_back_stays_taken_back() {
    for mode in ["live", "dry_run"] {
        let mut lent = Lent::new(plan());
        lent.world.mode(mode);
        let (shown, hidden) = (lent.chain(), lent.chain());
        issued("shown", &lent.as_reader(&shown));
        let path = format!("/api/v1/delegations/{}", lent.id);
        let revoked = lent.world.admin().call("DELETE", &path, &Value::Null).json();
        assert_eq!(revoked["revoked"].as_array().map(Vec::len), Some(2), "it and what hangs below it: {revoked}");
        refused("revoked, and the link is shown again", &lent.as_reader(&shown), REVOKED);
        let link = lent.link.clone();
        refused("the agent above", &lent.present(&mut lent.world.agent("planner"), &link), REVOKED);
        let writer = Key::default();
        let later = lent.planner.lend(&link, ("writer", &writer), |wanted| wanted);
        refused(
            "lent on after the parent was revoked",
            &lent.present(&mut lent.world.agent("writer"), &later),
            WORTHLESS,
        );
        let mut sender = lent.world.client(&["events:write"]);
        for chain in [&link, &shown, &hidden] {
            let (to, by) = if *chain == link { ("planner", ANA) } else { ("reader", "planner") };
            let details = json!({"agent_id": to, "user_id": ANA, "delegated_by": by, "attestation": chain});
            sender.post("/api/v1/events", &json!({"type": "agent_identity_delegation", "details": details}));
        }
        refused("told by an event", &lent.as_reader(&shown), REVOKED);
        assert_eq!(lent.present(&mut lent.world.agent("planner"), &link).status, 403, "{mode}");
        lent.world.restart();
        refused("after a restart", &lent.as_reader(&shown), TOMBSTONED);
        assert_eq!(lent.as_reader(&hidden).status, 403, "{mode}: one that was never shown before");
        let own = lent.world.bound("planner", &["exchange"]).get(&format!("{path}/link"));
        assert_eq!((own.status, &own.json()["code"]), (409, &json!("ended")), "{}", own.text());
    }
}

#[test]
fn linking_anew_revives_no_link() {
    let mut lent = Lent::new(plan().live());
    let chain = lent.chain();
    issued("shown", &lent.as_reader(&chain));
    lent.world.unlink(ANA, GOOGLE);
    refused("unlinked", &lent.as_reader(&chain), REVOKED);
    lent.world.report(
        "connected_account_link",
        &json!({"user_id": ANA, "connection": GOOGLE, "scopes": format!("{CALENDAR} {MAIL}")}),
    );
    refused("linked anew", &lent.as_reader(&chain), REVOKED);
    lent.world.restart();
    refused("and after a restart", &lent.as_reader(&chain), TOMBSTONED);
    // Links know whole seconds: one of the second of the unlinking counts as older.
    std::thread::sleep(Duration::from_millis(1_100));
    let fresh = lent.world.delegate(ANA, "planner", GOOGLE, &[CALENDAR])["link"].as_str().expect("link").to_owned();
    let chain = lent.planner.lend(&fresh, ("reader", &lent.reader), |wanted| wanted);
    issued("delegated anew", &lent.as_reader(&chain));
}

#[test]
fn keys_of_others_sign_for_users_where_we_say_so() {
    let dir = tempfile::tempdir().expect("directory");
    let (authority, reader) = (Key::default(), Key::default());
    let path = dir.path().join("roots.json");
    std::fs::write(&path, json!({"keys": [authority.jwk()]}).to_string()).expect("written");
    let mut world = plan().live().with("delegations", json!({"root_keys": path})).start();
    world.link(ANA, GOOGLE, CALENDAR);
    let token = world.refresh(ANA);
    let show = |world: &World, chain: &str| {
        world.agent("reader").exchange_with(GOOGLE, &token, &json!({"scopes": [CALENDAR], "delegation": chain}))
    };
    refused("of another authority", &show(&world, &root(&Key::default(), &reader, &json!({}))), WORTHLESS);
    let chain = root(&authority, &reader, &json!({}));
    issued("of the authority", &show(&world, &chain));
    world.unlink(ANA, GOOGLE);
    world.report("connected_account_link", &json!({"user_id": ANA, "connection": GOOGLE, "scopes": CALENDAR}));
    refused("unlinked and linked anew", &show(&world, &chain), REVOKED);
    let older = root(&authority, &reader, &json!({"iat": now() - 60}));
    let answer = show(&world, &older);
    assert_eq!(answer.status, 403, "signed before the unlink, shown after: {}", answer.text());
    world.restart();
    refused("after a restart", &show(&world, &chain), TOMBSTONED);
    assert_eq!(show(&world, &older).status, 403);
}

#[test]
fn a_new_signing_key_serves_old_links_and_no_forger() {
    let mut lent = Lent::new(plan().live());
    let chain = lent.chain();
    issued("before", &lent.as_reader(&chain));
    let rotated = lent.world.admin().post("/api/v1/signing-keys/rotate", &Value::Null);
    assert_eq!(rotated.status, 200, "{}", rotated.text());
    let kid = rotated.json()["kid"].as_str().expect("kid").to_owned();
    let published = lent.world.nobody().get("/.well-known/jwks.json").json();
    assert_eq!(published["keys"].as_array().map(Vec::len), Some(2), "the old one verifies what is out");
    assert!(!published.to_string().contains("\"d\""), "no private key");
    issued("a link of the old key", &lent.as_reader(&chain));
    lent.world.restart();
    issued("after a restart", &lent.as_reader(&chain));
    let forged = Key { kid, ..Key::default() };
    refused("the new kid, another key", &lent.as_reader(&root(&forged, &lent.reader, &json!({}))), WORTHLESS);
    let fresh = lent.world.delegate(ANA, "reader", GOOGLE, &[CALENDAR])["link"].as_str().expect("link").to_owned();
    issued("a link of the new key", &lent.as_reader(&fresh));
    let mut reader = lent.world.client(&["read"]);
    assert_eq!(reader.post("/api/v1/signing-keys/rotate", &Value::Null).status, 403);
}

#[test]
fn only_the_agent_gets_its_link() {
    let lent = Lent::new(plan().live());
    let path = format!("/api/v1/delegations/{}/link", lent.id);
    let own = lent.world.bound("planner", &["exchange"]).get(&path);
    assert_eq!(own.status, 200, "{}", own.text());
    let link = own.json()["link"].as_str().expect("link").to_owned();
    issued("lent on", &lent.as_reader(&lent.planner.lend(&link, ("reader", &lent.reader), |wanted| wanted)));
    let status = |mut http: onesec_e2e::Http, path: &str| http.get(path).status;
    assert_eq!(status(lent.world.bound("reader", &["exchange"]), &path), 404, "another agent");
    assert_eq!(status(lent.world.bound("planner", &["events:write"]), &path), 403, "another scope");
    assert_eq!(status(lent.world.admin(), &path), 403, "the operator is no agent");
    assert_eq!(status(lent.world.nobody(), &path), 401);
    assert_eq!(status(lent.world.bound("planner", &["exchange"]), "/api/v1/delegations/none/link"), 404);
    assert_eq!(status(lent.world.bound("planner", &["exchange"]), &format!("{path}?kid=none")), 409);
    let keyless = lent.world.delegate(ANA, "keyless", GOOGLE, &[CALENDAR]);
    assert!(keyless["link"].is_null(), "nothing to bind it to");
}

#[test]
fn who_introduces_my_link_first_changes_nothing() {
    let lent = Lent::new(plan().live());
    let chain = lent.chain();
    // Under the very id that the ledger gives it, with other words beside it.
    let mut squatter = lent.world.bound("mole", &["events:write", "exchange"]);
    let claims =
        [("reader", "planner", ANA), ("mole", "planner", ANA), ("reader", "mole", ANA), ("reader", "planner", BEN)];
    for (agent, by, user) in claims {
        let details = json!({"agent_id": agent, "user_id": user, "delegated_by": by, "connection": GITHUB,
            "scopes": [MAIL], "expires_at": now() + 5, "parent_id": "other", "attestation": chain});
        squatter.post(
            "/api/v1/events",
            &json!({"id": fresh("e"), "type": "agent_identity_delegation", "details": details}),
        );
    }
    let details =
        json!({"agent_id": "reader", "user_id": ANA, "delegated_by": "planner", "scopes": [], "attestation": chain});
    squatter.post("/api/v1/events", &json!({"type": "agent_identity_delegation", "details": details}));
    issued("it counts as it is signed", &lent.as_reader(&chain));
    let row = &lent.world.listed("/api/v1/delegations?agent_id=reader", "delegations")[0];
    assert_eq!((&row["scopes"], &row["connection"]), (&json!(["calendar.readonly"]), &json!(GOOGLE)), "{row}");
    assert!(lent.world.listed("/api/v1/delegations?agent_id=mole", "delegations").is_empty());
    // The same id, signed by the mole: ids are the delegator's.
    let mole = lent.world.keyed("mole", &json!({}));
    let moles = lent.world.delegate(ANA, "mole", GOOGLE, &[CALENDAR])["link"].as_str().expect("link").to_owned();
    let jti = fresh("shared");
    let first = below(&moles, &mole, (("mole", "reader"), &lent.reader), &json!({"jti": jti}));
    let honest = lent.signed(json!({"jti": jti}));
    issued("the mole's", &lent.as_reader(&first));
    issued("the planner's with the same id", &lent.as_reader(&honest));
    assert_eq!(lent.world.listed("/api/v1/delegations?agent_id=reader", "delegations").len(), 3);
}

/// A second tenant with the same agents.
fn two_tenants() -> (Lent, Issuer) {
    let acme = Issuer::start();
    acme.sim.create_client(ClientSpec::regular("onesec", "other-s3cret"));
    let vault = json!({"auth0_domain": "acme.eu.auth0.test", "auth0_base_url": acme.sim.base_url(),
        "auth0_client_id": "onesec", "auth0_client_secret": "other-s3cret"});
    let lent = Lent::new(plan().live().with("tenants", json!({"acme": {"token_vault": vault}})));
    (lent, acme)
}

#[test]
fn another_tenant_is_another_world() {
    let (lent, acme) = two_tenants();
    let world = &lent.world;
    let admin = |method: &str, path: &str, body: &Value| {
        let answer = world.admin().call(method, &format!("{path}?tenant=acme"), body);
        assert!(answer.status < 300, "{path}: {}", answer.text());
        answer.json()
    };
    let wanted = json!({"name": "acme", "scopes": ["exchange"], "agent_id": "reader", "tenant": "acme"});
    let secret = world.key(&wanted);
    let mut http = world.nobody().with_key(&secret);
    let chain = lent.chain();
    let answer = exchange_with(&mut http, &[], &json!({"subject_token": lent.token, "delegation": chain}));
    assert!([401, 403].contains(&answer.status), "another tenant's key: {}", answer.text());
    assert_eq!(acme.sim.requests(onesec_auth0_sim::RequestKind::TokenExchange), 0);
    assert_eq!(world.sim.requests(onesec_auth0_sim::RequestKind::TokenExchange), 0);
    assert_eq!(http.get(&format!("/api/v1/delegations/{}/link", lent.id)).status, 404, "another tenant's delegation");
    // The same user, agent and keys there: its link is worth nothing here.
    admin("PUT", "/api/v1/agents/reader", &json!({"keys": [lent.reader.jwk()]}));
    let there = json!({"user_id": ANA, "agent_id": "reader", "connection": GOOGLE, "scopes": [CALENDAR]});
    let theirs = admin("POST", "/api/v1/delegations", &there)["link"].as_str().expect("link").to_owned();
    let answer = lent.as_reader(&theirs);
    refused("another tenant's link", &answer, WORTHLESS);
    assert!(answer.text().contains("wrong_audience"), "{}", answer.text());
    assert_eq!(world.nobody().with_key(&secret).get("/api/v1/agents?tenant=default").status, 403);
}

/// The text of a refusal never has what was sent.
#[test]
fn a_refused_link_is_not_quoted_anywhere() {
    let lent = Lent::new(plan().live());
    let forged = root(&Key::default(), &lent.reader, &json!({}));
    let answer = lent.as_reader(&forged);
    refused("forged", &answer, WORTHLESS);
    let signature = forged.rsplit('.').next().unwrap_or_default();
    let events = lent.world.events("kind=agent_identity_delegation", 1);
    let kept = format!("{}{}{:?}", answer.text(), json!(events), lent.world.process.log());
    assert!(!kept.contains(signature), "{kept}");
}
