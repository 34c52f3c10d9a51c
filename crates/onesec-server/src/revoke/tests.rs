//! How steps add up. What they do is tested end to end.

use std::time::Duration;

use onesec_actions::Answered;
use onesec_telemetry::{Name, Thumbprint, Timestamp, UserId};

use super::report::{OWN, Part, Revocation, State, Step, Target};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn revocation() -> Revocation {
    Revocation {
        id: Name::new("rev_1").expect("a name"),
        state: State::Running,
        target: Target { user_id: UserId::new("auth0|ana").ok(), connection: None, agent_id: None },
        own: true,
        told: false,
        parts: Part::ALL.to_vec(),
        clients: Vec::new(),
        reason: None,
        requested_by: None,
        requested_at: NOW,
        finished_at: None,
        steps: vec![Step::pending(OWN, None, NOW), Step::pending(Part::Sessions.as_str(), None, NOW)],
        remaining: Vec::new(),
        ended: Vec::new(),
        digest: Thumbprint::of(b""),
    }
}

fn note(revocation: &mut Revocation, name: &str, answered: &Answered, at: Timestamp) {
    revocation.step_mut(name, None).expect("a step").note(answered, at);
    revocation.settle(at);
}

fn outage() -> Answered {
    Answered::Failed { why: "no answer".to_owned(), after: None }
}

#[test]
fn an_outage_is_tried_again_with_growing_pauses_and_given_up() {
    let mut it = revocation();
    note(&mut it, OWN, &Answered::Confirmed(String::new()), NOW);
    let (mut now, mut pauses) = (NOW, Vec::new());
    while it.state == State::Running {
        note(&mut it, "sessions", &outage(), now);
        if let Some(next) = it.next_at() {
            pauses.push(next.since(now).as_secs());
            now = next;
        }
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 120]);
    assert_eq!((it.state, it.finished_at), (State::Incomplete, Some(now)));
    // A person has it tried again, from the beginning.
    assert!(it.again(now));
    assert_eq!((it.state, it.next_at()), (State::Running, Some(now)));
    note(&mut it, "sessions", &Answered::Unneeded(String::new()), now);
    assert_eq!(it.state, State::Done);
    assert!(!it.again(now), "what is done is not done again");
}

#[test]
fn a_tenant_may_ask_for_more_patience_but_not_for_any() {
    let mut it = revocation();
    note(&mut it, OWN, &Answered::Failed { why: String::new(), after: Some(Duration::from_secs(90)) }, NOW);
    note(&mut it, "sessions", &Answered::Failed { why: String::new(), after: Some(Duration::from_secs(9_999)) }, NOW);
    let next: Vec<u64> = it.steps.iter().filter_map(|step| Some(step.next_at?.since(NOW).as_secs())).collect();
    assert_eq!(next, [90, 120]);
}

#[test]
fn what_was_refused_makes_it_incomplete_and_what_was_not_possible_does_not() {
    for (answered, state) in [
        (Answered::Refused(String::new()), State::Incomplete),
        (Answered::NotPossible(String::new()), State::Done),
        (Answered::Accepted(String::new()), State::Done),
    ] {
        let mut it = revocation();
        note(&mut it, OWN, &Answered::Confirmed(String::new()), NOW);
        note(&mut it, "sessions", &answered, NOW);
        assert_eq!(it.state, state, "{answered:?}");
    }
}

#[test]
fn what_is_kept_is_what_is_read() {
    let mut it = revocation();
    note(&mut it, OWN, &outage(), NOW);
    let text = serde_json::to_string(&it).expect("JSON");
    assert_eq!(serde_json::from_str::<Revocation>(&text).expect("read"), it);
}
