//! What waits for a person, decided and not.

use super::*;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn key(text: &str) -> KeyId {
    KeyId::new(text).expect("a key")
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH + Duration::from_secs(seconds)
}

fn question(id: &str, about: &str, agent: &str) -> Approval {
    let mut barred = Barred::default();
    barred.bar(Some(&key("key-reporter")), Some(&name("reporter")));
    Approval {
        id: name(id),
        digest: Thumbprint::of(about.as_bytes()),
        wanted: "{}".to_owned(),
        alert: None,
        agent: Some(AgentId::new(agent).expect("an agent")),
        asked_at: at(0),
        expires_at: at(600),
        times: 1,
        barred,
    }
}

fn decide(
    book: &mut Approvals,
    (id, about): (&str, &str),
    by: (&str, Option<&str>),
    seconds: u64,
) -> Result<Name, ApprovalError> {
    let (key, owner) = (key(by.0), by.1.map(name));
    let approver = Approver { key: Some(&key), owner: owner.as_ref(), eyes: FourEyes::Owner };
    let which = (&name(id), &Thumbprint::of(about.as_bytes()));
    book.decide(which, (Say::Approve, approver), at(seconds)).map(|approval| approval.id)
}

#[test]
fn a_yes_counts_once_for_exactly_what_was_asked_from_somebody_else() {
    let mut book = Approvals::default();
    assert_eq!(book.ask(question("a", "kill 7", "mallory")), Asked::Waits);
    let boss = ("key-boss", Some("boss"));
    let cases = [
        (("b", "kill 7"), boss, 1, ApprovalError::Unknown),
        (("a", "kill 8"), boss, 1, ApprovalError::OtherDigest),
        (("a", "kill 7"), ("key-reporter", Some("boss")), 1, ApprovalError::OwnRequest),
        (("a", "kill 7"), ("key-second", Some("reporter")), 1, ApprovalError::OwnRequest),
        (("a", "kill 7"), ("key-nobodys", None), 1, ApprovalError::OwnRequest),
        (("a", "kill 7"), boss, 600, ApprovalError::Expired),
    ];
    for (which, by, seconds, want) in cases {
        assert_eq!(decide(&mut book, which, by, seconds), Err(want), "{which:?} {by:?} {seconds}");
    }
    assert_eq!(decide(&mut book, ("a", "kill 7"), boss, 599), Ok(name("a")));
    assert_eq!(decide(&mut book, ("a", "kill 7"), boss, 599), Err(ApprovalError::Used));
}

#[test]
fn what_nobody_decided_on_expires_and_stays_known_as_such() {
    let mut book = Approvals::default();
    book.ask(question("a", "kill 7", "mallory"));
    assert!(book.expire(at(599)).is_empty());
    assert_eq!(book.expire(at(600)).len(), 1);
    let boss = ("key-boss", Some("boss"));
    assert_eq!(decide(&mut book, ("a", "kill 7"), boss, 601), Err(ApprovalError::Expired));
    book.expire(at(600 + 86_400));
    assert_eq!(decide(&mut book, ("a", "kill 7"), boss, 90_000), Err(ApprovalError::Unknown));
}

#[test]
fn the_same_question_waits_once_and_bars_whoever_asks_too() {
    let mut book = Approvals::default();
    book.ask(question("a", "kill 7", "mallory"));
    let mut again = question("b", "kill 7", "mallory");
    again.barred = Barred::default();
    again.barred.bar(Some(&key("key-boss")), Some(&name("boss")));
    assert_eq!(book.ask(again), Asked::Merged(name("a")));
    assert_eq!(book.get(&name("a")).map(|a| a.times), Some(2));
    assert_eq!(decide(&mut book, ("a", "kill 7"), ("key-boss", Some("boss")), 1), Err(ApprovalError::OwnRequest));
}

#[test]
fn a_flood_of_one_agent_evicts_nothing_and_takes_nobodys_room() {
    let mut book = Approvals::default();
    book.ask(question("real", "the real one", "mallory"));
    let asked: Vec<Asked> =
        (0..500).map(|n| book.ask(question(&format!("f{n}"), &format!("noise {n}"), "mallory"))).collect();
    assert_eq!(asked.iter().filter(|a| **a == Asked::Waits).count(), MOST_PER_AGENT - 1);
    assert!(book.get(&name("real")).is_some());
    assert_eq!(book.ask(question("other", "another agent's", "ada")), Asked::Waits);
}

#[test]
fn what_an_agent_asks_takes_no_room_of_what_is_done_about_it() {
    let mut book = Approvals::default();
    let asks =
        |book: &mut Approvals, n: usize| book.ask(question(&format!("hold_{n}"), &format!("let me {n}"), "mallory"));
    let asked = (0..50).filter(|n| asks(&mut book, *n) == Asked::Waits).count();
    assert_eq!(asked, MOST_PER_AGENT);
    assert_eq!(book.ask(question("act-1", "stop mallory", "mallory")), Asked::Waits);
    assert_eq!(asks(&mut book, 51), Asked::NoRoom);
}

#[test]
fn nobody_approves_who_may_have_been_pushed_out_of_the_list_of_askers() {
    let mut barred = Barred::default();
    barred.bar(Some(&key("key-zoe")), Some(&name("zoe")));
    for n in 0..=MOST_BARRED {
        barred.bar(Some(&key(&format!("key-{n}"))), None);
    }
    let mut book = Approvals::default();
    book.ask(Approval { barred, ..question("a", "kill 7", "mallory") });
    assert_eq!(decide(&mut book, ("a", "kill 7"), ("key-zoe", Some("else")), 1), Err(ApprovalError::OwnRequest));
    let nobody = Approver { key: None, owner: None, eyes: FourEyes::Owner };
    let which = (&name("a"), &Thumbprint::of(b"kill 7"));
    assert!(book.decide(which, (Say::Reject, nobody), at(1)).is_ok());
}

#[test]
fn a_one_person_set_up_can_switch_four_eyes_off() {
    let mut book = Approvals::default();
    book.ask(question("a", "kill 7", "mallory"));
    let (reporter, key) = (name("reporter"), key("key-reporter"));
    let approver = Approver { key: Some(&key), owner: Some(&reporter), eyes: FourEyes::Off };
    let which = (&name("a"), &Thumbprint::of(b"kill 7"));
    assert!(book.decide(which, (Say::Approve, approver), at(1)).is_ok());
}
