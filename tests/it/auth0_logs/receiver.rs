//! Who may deliver, in which form, how often, and what becomes of what cannot be read.

use onesec_e2e::logs::{AUTHORIZATION, LOGS, deliver, element};
use onesec_e2e::world::{ANA, GITHUB, GOOGLE};
use onesec_e2e::{Answer, World, journalled};
use serde_json::{Value, json};

use super::streamed;
use crate::plan;

fn entry(id: &str, code: &str, more: &Value) -> Value {
    let mut entry = json!({"log_id": id, "type": code, "user_id": ANA, "connection": GITHUB, "client_id": "app"});
    if let (Some(entry), Some(more)) = (entry.as_object_mut(), more.as_object()) {
        entry.extend(more.clone());
    }
    entry
}

fn post(world: &World, authorization: Option<&str>, body: &str) -> Answer {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(authorization.map(|value| ("authorization", value)));
    world.nobody().send("POST", LOGS, &headers, body.as_bytes())
}

#[test]
fn the_door_is_shut_unless_the_very_text_is_shown() {
    let world = plan().start();
    let body = element(&entry("1", "seta", &json!({}))).to_string();
    let unset = post(&world, Some(AUTHORIZATION), &body);
    assert_eq!((unset.status, &unset.json()["code"]), (503, &json!("not-configured")), "{}", unset.text());

    let world = streamed().start();
    let admin = format!("Bearer {}", world.process.admin_key());
    for wrong in [None, Some(""), Some("Bearer"), Some(admin.as_str()), AUTHORIZATION.get(1..)] {
        let answer = post(&world, wrong, &body);
        assert_eq!(answer.status, 401, "{wrong:?}: {}", answer.text());
        assert!(!answer.text().contains(AUTHORIZATION));
    }
    assert_eq!(post(&world, Some(&AUTHORIZATION.to_lowercase()), &body).status, 401);
    assert_eq!(post(&world, Some(AUTHORIZATION), &body).status, 202);
    assert_eq!(world.events("kind=token_exchange_response", 1).len(), 1);
    // What opens this door opens no other.
    let answer = world.nobody().send("GET", "/api/v1/alerts", &[("authorization", AUTHORIZATION)], b"");
    assert_eq!(answer.status, 401);
    let log = world.process.log().join("\n");
    assert!(!log.contains(AUTHORIZATION), "{log}");
}

#[test]
fn every_form_of_a_delivery_is_the_same_delivery() {
    let world = streamed().start();
    let entries = [entry("a", "seta", &json!({})), entry("b", "feta", &json!({})), entry("c", "slo", &json!({}))];
    let wrapped: Vec<Value> = entries.iter().map(element).collect();
    let lines = wrapped.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let first = post(&world, Some(AUTHORIZATION), &lines).json();
    assert_eq!((&first["accepted"], &first["ignored"], &first["duplicates"]), (&json!(2), &json!(1), &json!(0)));
    for body in [json!(wrapped), json!({"logs": wrapped}), json!(entries), json!({"logs": entries})] {
        let again = post(&world, Some(AUTHORIZATION), &body.to_string()).json();
        assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(2)), "{body}");
    }
    // The Management API names an entry twice, and has members of its own.
    let mut page = entries[0].clone();
    page["_id"] = page["log_id"].clone();
    page["isMobile"] = json!(false);
    assert_eq!(post(&world, Some(AUTHORIZATION), &page.to_string()).json()["duplicates"], 1);
    assert_eq!(world.events("kind=token_exchange_response", 2).len(), 2);
}

#[test]
fn an_entry_is_taken_once_whatever_happens_in_between() {
    let mut world = streamed().start();
    let entries: Vec<Value> = (0..50).map(|i| entry(&format!("log-{i}"), "seta", &json!({}))).collect();
    assert_eq!(world.deliver(&entries)["accepted"], 50);
    world.killed();
    assert_eq!(world.deliver(&entries)["duplicates"], 50);
    world.restart();
    let mut more = entries.clone();
    more.push(entry("log-50", "seta", &json!({})));
    let receipt = world.deliver(&more);
    assert_eq!((&receipt["accepted"], &receipt["duplicates"]), (&json!(1), &json!(50)));
    assert_eq!(world.process.terminate(), Some(0));
    let seen = journalled(world.dir());
    assert!((0..51).all(|i| seen.get(&format!("log-{i}")) == Some(&1)), "{seen:?}");
}

#[test]
fn an_entry_that_cannot_be_read_spoils_no_other() {
    let world = streamed().start();
    let (secret, named) = ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "correct horse");
    let body = [
        element(&entry("good-1", "seta", &json!({}))).to_string(),
        "{\"log_id\": \"cut off".to_owned(),
        element(&entry("no-connection", "seta", &json!({"connection": null}))).to_string(),
        element(&entry("bad-user", "seta", &json!({"user_id": [secret]}))).to_string(),
        "17".to_owned(),
        element(&entry(
            "bad-change",
            "sapi",
            &json!({"ip": 7, "details": {"request": {"body": {"client_secret": named}}}}),
        ))
        .to_string(),
        json!({"data": {"type": "seta", "connection": GITHUB}}).to_string(),
        element(&entry("good-2", "seta", &json!({"details": {"scope": 7, "token_thumbprint": "?"}}))).to_string(),
    ]
    .join("\n");
    let answer = post(&world, Some(AUTHORIZATION), &body);
    let said = answer.json();
    assert_eq!((answer.status, &said["accepted"], &said["rejected"]), (202, &json!(2), &json!(6)), "{said}");
    let problems: Vec<(&Value, &Value)> =
        said["problems"].as_array().expect("a list").iter().map(|p| (&p["index"], &p["code"])).collect();
    let (malformed, missing, wrong) = (json!("malformed"), json!("missing-field"), json!("wrong-type"));
    let want = [(1, &malformed), (2, &missing), (3, &wrong), (4, &wrong), (5, &wrong), (6, &missing)];
    assert_eq!(problems, want.map(|(index, code)| (json!(index), code)).each_ref().map(|(index, code)| (index, *code)));
    let letters = world.listed("/api/v1/events/rejected?limit=100", "rejected");
    assert_eq!(letters.len(), 6);
    let kept = json!(letters).to_string();
    assert!(!kept.contains(secret) && !kept.contains(named), "{letters:#?}");
    assert!(letters.iter().all(|letter| letter["key"] == "auth0-log"));
}

#[test]
fn rubbish_is_sent_back_so_that_it_comes_again_whole() {
    let world = streamed().start();
    for body in ["", "nonsense", "[{\"log_id\":\"1\"", "{\"logs\":[", "\"text\""] {
        let answer = post(&world, Some(AUTHORIZATION), body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    }
    assert_eq!(post(&world, Some(AUTHORIZATION), "[]").status, 202);
    let too_large = format!("[{}]", "1,".repeat(5_000_000));
    // Refused before it is read: the connection may be closed on whoever still writes.
    assert!([0, 413].contains(&post(&world, Some(AUTHORIZATION), &too_large).status));
    assert_eq!(world.deliver(&[entry("1", "seta", &json!({}))])["accepted"], 1);
}

#[test]
fn old_entries_change_the_ledger_and_raise_nothing_above_low() {
    let world = streamed().start();
    world.link(ANA, GOOGLE, "openid");
    world.delegate(ANA, "helper", GOOGLE, &["openid"]);
    // Late by an hour, before the link: it takes nothing away that came after it.
    let mut old = entry("old", "connected_accounts_delete_succeeded", &json!({"connection": GOOGLE}));
    old["date"] = json!("2020-01-01T00:00:00Z");
    world.deliver(&[old]);
    assert_eq!(super::accounts(&world, "linked").len(), 1);
    let mut strange = entry("late", "seta", &json!({"connection": GOOGLE, "agent_id": "nobody-knows"}));
    strange["date"] = json!("2020-01-01T00:00:00Z");
    world.deliver(&[strange]);
    let loud = world.listed("/api/v1/alerts?min_severity=MEDIUM", "alerts");
    assert!(loud.is_empty(), "{loud:#?}");
    let mut now = entry("now", "seta", &json!({"connection": GOOGLE, "agent_id": "nobody-knows"}));
    now["client_id"] = json!(null);
    world.deliver(&[now]);
    assert_eq!(world.alert("gateway-bypass")["severity"], "HIGH");
    assert!(world.alerts("unauthorized-agent").iter().any(|alert| alert["severity"] == "CRITICAL"));
}

#[test]
fn two_deliveries_at_once_are_taken_once() {
    let world = streamed().start();
    let entries: Vec<Value> = (0..500).map(|i| entry(&format!("log-{i}"), "seta", &json!({}))).collect();
    let doors = [(); 4].map(|()| world.nobody());
    let receipts: Vec<Value> = std::thread::scope(|scope| {
        let entries = &entries;
        let all = doors.map(|mut door| scope.spawn(move || deliver(&mut door, entries).json()));
        all.map(|one| one.join().expect("delivered")).into_iter().collect()
    });
    let sum = |name: &str| receipts.iter().filter_map(|receipt| receipt[name].as_u64()).sum::<u64>();
    assert_eq!((sum("accepted"), sum("duplicates")), (500, 1_500));
}
