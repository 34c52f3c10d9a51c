//! Order, omission, races, and neighbours: what is left when every single proof holds.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use onesec_auth0_sim::{AccessTokenSpec, ClientSpec, GrantType, RequestKind};
use onesec_e2e::proofs::{Issuer, Key, at_now, now};
use onesec_e2e::world::{ANA, AUDIENCE, BEN, CALENDAR, EXCHANGE, GOOGLE};
use onesec_e2e::{Answer, World};
use serde_json::{Value, json};

use super::{ACCESS, JWT, JWT_BEARER, TOKEN, US, alerts_of, bearer, exchange, grant, issued, refused, vouched};
use crate::plan;

const HOST: &str = "onesec.example.test";

fn roomy() -> onesec_e2e::Plan {
    plan().with("detectors", json!({"exchange-rate": {"limit": 10_000}}))
}

#[test]
fn one_proof_sent_many_times_at_once_is_good_once() {
    let world = roomy().live().start();
    let (_, token) = world.lent("helper");
    let key = world.keyed("helper", &json!({}));
    let assertion = key.assertion("helper", &world.url(TOKEN), &json!({}));
    let by = [("client_assertion", assertion.as_str()), ("client_assertion_type", JWT_BEARER)];
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let ask = |_| {
            let (mut http, token, by) = (world.nobody(), &token, &by);
            scope.spawn(move || grant(&mut http, &[], (token, by)))
        };
        let all: Vec<_> = (0..12).map(ask).collect();
        all.into_iter().map(|one| one.join().expect("answered")).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.text().contains("replayed")).count(), 11);
}

#[test]
fn two_credentials_are_none() {
    let world = roomy().start();
    let (_, token) = world.lent("helper");
    let key = |agent: &str| bearer(&world.key(&json!({"name": agent, "scopes": ["exchange"], "agent_id": agent})));
    let (helpers, moles) = (key("helper"), key("mole"));
    for (one, two) in [(&helpers, &moles), (&moles, &helpers), (&helpers, &helpers)] {
        let headers = [("authorization", one.as_str()), ("authorization", two.as_str())];
        refused("two headers", &exchange(&mut world.nobody(), &headers, &token), (401, "invalid_client", ""));
        refused(
            "at the token endpoint",
            &grant(&mut world.nobody(), &headers, (&token, &[])),
            (400, "invalid_request", ""),
        );
        let bare = |header: &str| header.trim_start_matches("Bearer ").to_owned();
        let (one, two) = (bare(one), bare(two));
        let keys = [("x-api-key", one.as_str()), ("x-api-key", two.as_str())];
        refused("two keys", &exchange(&mut world.nobody(), &keys, &token), (401, "invalid_client", ""));
        let answer = grant(&mut world.nobody(), &keys, (&token, &[]));
        assert!([400, 401].contains(&answer.status), "two keys: {}", answer.text());
    }
}

#[test]
fn a_token_does_not_say_where_its_key_is() {
    let (world, issuer) = vouched(roomy());
    let (_, token) = world.lent("helper");
    world.register("helper", &json!({"clients": ["app-1"]}));
    let (mine, elsewhere) = (Key::default(), Issuer::start());
    let claims = json!({"iss": issuer.sim.issuer(), "sub": "app-1@clients", "azp": "app-1", "aud": US, "gty": "client-credentials",
        "iat": now(), "exp": now() + 600});
    let url = format!("{}/.well-known/jwks.json", elsewhere.sim.base_url());
    for header in [
        json!({"jku": url}),
        json!({"x5u": url}),
        json!({"jwk": mine.jwk()}),
        json!({"kid": url}),
        json!({"x5c": ["x"]}),
    ] {
        let forged = mine.jwt(&header, &claims, &json!({"typ": "JWT"}));
        let answer = exchange(&mut world.nobody(), &[("authorization", &bearer(&forged))], &token);
        refused(&header.to_string(), &answer, (401, "invalid_client", ""));
    }
    assert_eq!(elsewhere.sim.requests(RequestKind::Jwks), 0);
}

#[test]
fn an_issuer_that_cannot_be_reached_is_no_excuse() {
    let issuer = Issuer::start();
    let world = roomy().with("agents", json!({"issuers": issuer.section(US)})).start();
    let (_, token) = world.lent("helper");
    world.register("helper", &json!({"clients": ["app-1"]}));
    let agents = issuer.machine("app-1", US, |spec| spec);
    drop(issuer);
    let answer = exchange(&mut world.nobody(), &[("authorization", &bearer(&agents))], &token);
    refused("down", &answer, (503, "temporarily_unavailable", "cannot be fetched"));
}

#[test]
fn made_up_key_ids_do_not_make_us_ask_again_and_again() {
    let (world, issuer) = vouched(roomy());
    let (_, token) = world.lent("helper");
    world.register("helper", &json!({"clients": ["app-1"]}));
    let good = bearer(&issuer.machine("app-1", US, |spec| spec));
    issued("honest", &exchange(&mut world.nobody(), &[("authorization", &good)], &token));
    let claims = json!({"iss": issuer.sim.issuer(), "sub": "app-1@clients", "azp": "app-1", "aud": US,
        "iat": now(), "exp": now() + 600});
    for _ in 0..40 {
        let forged = bearer(&Key::default().jwt(&json!({"typ": "JWT"}), &claims, &json!({})));
        let answer = exchange(&mut world.nobody(), &[("authorization", &forged)], &token);
        assert!([401, 503].contains(&answer.status), "{}", answer.text());
    }
    assert!(issuer.sim.requests(RequestKind::Jwks) <= 4, "{}", issuer.sim.requests(RequestKind::Jwks));
    issued("honest, meanwhile", &exchange(&mut world.nobody(), &[("authorization", &good)], &token));
}

/// What is registered holds after the server died, and so does what is no longer.
#[test]
fn registrations_are_as_durable_as_they_are_said() {
    let mut world = roomy().with("server", json!({"hosts": [HOST]})).live().start();
    let (_, token) = world.lent("helper");
    let key = world.keyed("helper", &json!({"possession": "dpop"}));
    let secret = bearer(&world.key(&json!({"name": "h", "scopes": ["exchange"], "agent_id": "helper"})));
    let headers = [("host", HOST), ("authorization", secret.as_str())];
    let must = (401, "invalid_dpop_proof", "must prove possession");
    world.killed();
    refused("the key alone", &exchange(&mut world.nobody(), &headers, &token), must);
    let proof = key.dpop(("POST", &format!("https://{HOST}{EXCHANGE}")), None, &json!({}));
    issued("with its key", &exchange(&mut world.nobody(), &[&headers[..], &[("dpop", &proof)]].concat(), &token));
    assert_eq!(world.admin().call("DELETE", "/api/v1/agents/helper", &Value::Null).status, 200);
    world.killed();
    let assertion = key.assertion("helper", &format!("https://{HOST}{TOKEN}"), &json!({}));
    let by = [("client_assertion", assertion.as_str()), ("client_assertion_type", JWT_BEARER)];
    let answer = grant(&mut world.nobody(), &[("host", HOST)], (&token, &by));
    refused("forgotten", &answer, (401, "invalid_client", "unknown_client"));
}

/// Recorded is in force: a registration that takes a key away counts even if whoever said it does not wait for the answer.
#[test]
fn a_registration_counts_though_nobody_waits_for_the_answer() {
    let world = roomy().live().start();
    let (_, token) = world.lent("helper");
    let (address, admin) = (world.process.url().trim_start_matches("http://").to_owned(), world.process.admin_key());
    for n in 0..20 {
        let old = world.keyed("helper", &json!({}));
        let new = Key::default();
        let body = json!({"keys": [new.jwk()]}).to_string();
        let head = format!(
            "PUT /api/v1/agents/helper HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {admin}\r\n\
            content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(&address).expect("connected");
        stream.write_all(head.as_bytes()).expect("sent");
        // Somewhere between reading it and answering it.
        std::thread::sleep(Duration::from_micros(100 * n));
        drop(stream);
        let recorded = |_| {
            std::thread::sleep(Duration::from_millis(5));
            world.admin().get("/api/v1/events?kind=command&limit=5").text().contains(&new.kid)
        };
        if !(0..20).any(recorded) {
            continue; // It was never read.
        }
        let assertion = old.assertion("helper", &world.url(TOKEN), &json!({}));
        let by = [("client_assertion", assertion.as_str()), ("client_assertion_type", JWT_BEARER)];
        refused(
            &format!("{n}: the key is gone"),
            &grant(&mut world.nobody(), &[], (&token, &by)),
            (401, "invalid_client", ""),
        );
    }
}

/// Rules of the protocol are no detections that an exception could silence.
#[test]
fn no_exception_and_no_preset_makes_a_stolen_token_good() {
    for preset in ["balanced", "observe"] {
        let world = roomy().live().start();
        let (mut helper, _) = world.lent("helper");
        world.register("helper", &json!({"clients": ["app-1"]}));
        world.preset(preset);
        for detector in ["confused-deputy", "delegation-chain", "revoked-access", "unauthorized-agent"] {
            let until = (at_now() + Duration::from_secs(3_600)).to_string();
            let wanted = json!({"detector": detector, "agent_id": "helper", "reason": "quiet", "expires_at": until});
            let made = world.admin().post("/api/v1/exceptions", &wanted);
            assert!([201, 409, 422].contains(&made.status), "{}", made.text());
        }
        let more = json!({"subject_token_type": ACCESS, "scopes": [CALENDAR]});
        for (claim, value, reason) in [
            ("may_act", json!({"sub": "mole"}), "confused-deputy"),
            ("azp", json!("app-2"), "confused-deputy"),
            ("act", json!({"sub": "mole"}), "delegation-chain"),
        ] {
            let spec = AccessTokenSpec::new(ANA, AUDIENCE, "app-1").with_claim(claim, value);
            let token = world.sim.mint_access_token(&spec).expect("minted");
            let answer = helper.exchange_with(GOOGLE, token.expose_to_wire(), &more);
            refused(&format!("{preset} {claim}"), &answer, (403, "access_denied", reason));
        }
        world.unlink(ANA, GOOGLE);
        let answer = helper.exchange_for(GOOGLE, &world.refresh(ANA), &[CALENDAR]);
        refused(&format!("{preset} unlinked"), &answer, (403, "access_denied", "revoked-access"));
        assert_eq!(world.admin().post("/api/v1/agents/helper/suspend", &json!({})).status, 200);
        let answer = helper.exchange_for(GOOGLE, &world.refresh(ANA), &[CALENDAR]);
        assert_eq!(answer.status, 403, "{preset} suspended: {}", answer.text());
    }
}

#[test]
fn another_tenants_key_is_nobody_at_a_custom_domain() {
    let acme = Issuer::start();
    acme.sim.create_client(ClientSpec::regular("onesec", "other-s3cret"));
    let proxy = json!({"domain": "login.acme.test", "origin": acme.sim.base_url(), "origin_host": "edge.acme.test", "api_key": "k"});
    let pass = json!([{"grant": GrantType::JwtBearer.urn(), "audience": "*"}]);
    let vault = json!({"auth0_domain": "acme.eu.auth0.test", "auth0_base_url": acme.sim.base_url(), "proxy": proxy,
        "auth0_client_id": "onesec", "auth0_client_secret": "other-s3cret", "pass_through": pass});
    let plan = roomy().live().with("tenants", json!({"acme": {"token_vault": vault}}));
    let world = plan.with("token_vault", json!({"pass_through": pass})).start();
    let (_, token) = world.lent("helper");
    let key = |tenant: &str| {
        world.key(&json!({"name": tenant, "scopes": ["exchange"], "agent_id": "helper", "tenant": tenant}))
    };
    let (ours, theirs) = (key("default"), key("acme"));
    let at = |key: &str| [("host", "login.acme.test"), ("x-api-key", key)].map(|(n, v)| (n.to_owned(), v.to_owned()));
    let ask = |key: &str, pairs: Option<&[(&str, &str)]>| {
        let headers = at(key);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match pairs {
            None => grant(&mut world.nobody(), &headers, (&token, &[])),
            Some(pairs) => world.nobody().form(TOKEN, &headers, pairs),
        }
    };
    let assertion = [("grant_type", GrantType::JwtBearer.urn()), ("assertion", "x.y.z"), ("audience", "https://a")];
    refused("an exchange", &ask(&ours, None), (401, "invalid_client", "another tenant's"));
    refused("a governed grant", &ask(&ours, Some(&assertion)), (401, "invalid_client", "another tenant's"));
    assert_eq!(world.sim.requests(RequestKind::RefreshGrant) + world.sim.requests(RequestKind::Governed), 0);
    refused("its own key", &ask(&theirs, None), (403, "invalid_grant", "upstream"));
}

/// Starts an exchange, does `meanwhile` while upstream has issued and not answered, and gives what the agent gets.
fn during(world: &World, ask: impl FnOnce() -> Answer + Send, meanwhile: impl FnOnce()) -> Answer {
    let pause = world.sim.pause_exchanges();
    std::thread::scope(|scope| {
        let under_way = scope.spawn(ask);
        let wait = async { tokio::time::timeout(Duration::from_secs(60), pause.arrived(1)).await };
        world.runtime.block_on(wait).expect("the exchange reaches upstream");
        meanwhile();
        pause.release();
        under_way.join().expect("answered")
    })
}

#[test]
fn what_is_taken_back_while_upstream_answers_is_withheld() {
    for mode in ["live", "dry_run"] {
        for (what, reason) in
            [("parent", "revoked-access"), ("agent", "unauthorized-agent"), ("account", "revoked-access")]
        {
            let world = roomy().start();
            world.mode(mode);
            world.link(ANA, GOOGLE, CALENDAR);
            let (planner, reader) = (world.keyed("planner", &json!({})), world.keyed("reader", &json!({})));
            let made = world.delegate(ANA, "planner", GOOGLE, &[CALENDAR]);
            let (id, link) = (made["id"].as_str().expect("id"), made["link"].as_str().expect("link"));
            let chain = planner.lend(link, ("reader", &reader), |wanted| wanted);
            let (mut agent, token) = (world.agent("reader"), world.refresh(ANA));
            let ask = || agent.exchange_with(GOOGLE, &token, &json!({"scopes": [CALENDAR], "delegation": chain}));
            let answer = during(&world, ask, || match what {
                "parent" => {
                    let path = format!("/api/v1/delegations/{id}");
                    assert_eq!(world.admin().call("DELETE", &path, &Value::Null).status, 200);
                }
                "agent" => {
                    assert_eq!(world.admin().post("/api/v1/agents/reader/suspend", &json!({})).status, 200);
                }
                _ => world.unlink(ANA, GOOGLE),
            });
            refused(&format!("{mode} {what}"), &answer, (403, "access_denied", reason));
            assert_eq!(answer.json()["issued_not_released"], true, "{mode} {what}");
        }
    }
}

/// An agent that was suspended lends nothing on any more.
#[test]
fn a_suspended_agent_does_not_go_on_through_others() {
    for mode in ["live", "dry_run"] {
        let world = roomy().start();
        world.mode(mode);
        world.link(ANA, GOOGLE, CALENDAR);
        let (planner, reader) = (world.keyed("planner", &json!({})), world.keyed("reader", &json!({})));
        let link = world.delegate(ANA, "planner", GOOGLE, &[CALENDAR])["link"].as_str().expect("link").to_owned();
        let (before, token) = (planner.lend(&link, ("reader", &reader), |wanted| wanted), world.refresh(ANA));
        let show = |chain: &str| {
            world.agent("reader").exchange_with(GOOGLE, &token, &json!({"scopes": [CALENDAR], "delegation": chain}))
        };
        issued("before", &show(&before));
        assert_eq!(world.admin().post("/api/v1/agents/planner/suspend", &json!({})).status, 200);
        let after = planner.lend(&link, ("reader", &reader), |wanted| wanted);
        refused("lent on after it was suspended", &show(&after), (403, "access_denied", "delegation-chain"));
        assert!(show(&after).text().contains("suspended-delegator"), "{mode}");
        assert_eq!(alerts_of(&world, "delegation-chain", "reader").len(), 1, "{mode}");
        issued("lent before: revoking takes it back, not suspending", &show(&before));
        assert_eq!(world.admin().post("/api/v1/agents/planner/resume", &Value::Null).status, 200);
        issued("lent on anew", &show(&planner.lend(&link, ("reader", &reader), |wanted| wanted)));
    }
}

/// A neighbour who registers what is public of my agent does not get its requests.
#[test]
fn a_neighbouring_tenant_captures_nobody() {
    let (acme, issuer) = (Issuer::start(), Issuer::start());
    acme.sim.create_client(ClientSpec::regular("onesec", "other-s3cret"));
    let vault = json!({"auth0_domain": "acme.eu.auth0.test", "auth0_base_url": acme.sim.base_url(),
        "auth0_client_id": "onesec", "auth0_client_secret": "other-s3cret"});
    let agents = json!({"issuers": issuer.section(US)});
    let plan = roomy().live().with("agents", agents.clone());
    let world = plan.with("tenants", json!({"acme": {"token_vault": vault, "agents": agents}})).start();
    let (_, token) = world.lent("helper");
    let key = world.keyed("helper", &json!({"clients": ["app-1"]}));
    let copied = json!({"clients": ["app-1"], "keys": [key.jwk()]});
    let ask = |kind: &str| match kind {
        "assertion" => {
            let assertion = key.assertion("app-1", &world.url(TOKEN), &json!({}));
            let by = [("client_assertion", assertion.as_str()), ("client_assertion_type", JWT_BEARER)];
            grant(&mut world.nobody(), &[], (&token, &by))
        }
        _ => {
            let machine = issuer.machine("app-1", US, |spec| spec);
            exchange(&mut world.nobody(), &[("authorization", &bearer(&machine))], &token)
        }
    };
    for kind in ["assertion", "token"] {
        issued(kind, &ask(kind));
    }
    let answer = world.admin().call("PUT", "/api/v1/agents/helper?tenant=acme", &copied);
    assert_eq!(answer.status, 200, "{}", answer.text());
    refused("assertion", &ask("assertion"), (401, "invalid_client", "several_tenants"));
    refused("token", &ask("token"), (401, "invalid_client", "several tenants"));
    assert_eq!(acme.sim.requests(RequestKind::RefreshGrant), 0, "Ana's refresh token went to the neighbour's tenant");
}

/// A worker's right is the user's delegation, whatever an operator waves through. That the detector itself cannot be
/// switched off is a test of the configuration.
#[test]
fn nothing_that_is_waved_through_lets_a_worker_in() {
    for (what, preset) in [("preset", "observe"), ("exception", "balanced")] {
        let (files, client) = (tempfile::tempdir().expect("directory"), Key::default());
        let path = files.path().join("worker.pem");
        std::fs::write(&path, client.signing.to_pem().expect("PEM").expose_to_wire()).expect("written");
        let clients =
            json!([{"client_id": "worker-1", "private_key_file": path, "key_id": client.kid, "use": "worker"}]);
        let plan = plan().live().with("token_vault", json!({"clients": clients}));
        let world = plan.with("enforcement", json!({"preset": preset})).start();
        let spec = ClientSpec::worker("worker-1", client.jwk()).with_worker_grants(GOOGLE, CALENDAR).expect("granted");
        world.sim.create_client(spec);
        world.link(BEN, GOOGLE, CALENDAR);
        let key = world.keyed("nightly", &json!({"worker": true}));
        if what == "exception" {
            let until = (at_now() + Duration::from_secs(3_600)).to_string();
            let wanted = json!({"detector": "unauthorized-agent", "agent_id": "nightly", "reason": "quiet", "expires_at": until});
            let made = world.admin().post("/api/v1/exceptions", &wanted);
            assert_eq!(made.status, 201, "{}", made.text());
        }
        let request = key.request("nightly", BEN, (&world.url("/"), &json!({})));
        let more = json!({"subject_token_type": JWT, "scopes": [CALENDAR]});
        let answer = world.agent("nightly").exchange_with(GOOGLE, &request, &more);
        refused(what, &answer, (403, "access_denied", "unauthorized-agent"));
    }
}

#[test]
fn many_rotations_leave_a_server_that_starts() {
    let mut world = plan().start();
    for n in 0..70 {
        let answer = world.admin().post("/api/v1/signing-keys/rotate", &Value::Null);
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
    }
    world.restart();
    assert_eq!(world.nobody().get("/.well-known/jwks.json").status, 200);
}
