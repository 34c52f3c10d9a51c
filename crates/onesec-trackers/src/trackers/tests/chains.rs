//! Delegations over several hops.

use onesec_telemetry::{Attested, VerifiedLink};

use super::*;

fn refused(why: Refusal) -> DelegationOutcome {
    DelegationOutcome::Refused(why)
}

/// ann → lead → worker, linked.
fn family() -> Trackers {
    let mut t = trackers();
    t.pass(&link(0, "ann", "repo gist"));
    t.pass(&delegation(1, ["d-1", "lead", "ann", ""], |d| {
        d.scopes = Some(scopes("repo"));
        d.expires_at = Some(at(1000));
    }));
    t.pass(&delegate(2, ["d-2", "worker", "lead", "ann"]));
    t
}

const WORKER: [&str; 3] = ["worker", "ann", "github"];

#[test]
fn a_child_has_what_its_parent_has_and_no_more() {
    let t = family();
    let record = usage(3, WORKER);
    let Some(Standing::Authorised { bound, expires_at, .. }) = t.preview(&record).access.map(|a| a.standing) else {
        panic!("authorised")
    };
    assert_eq!((bound, expires_at), (Some(&scopes("repo")), Some(at(1000))));
    assert_eq!(t.stands(1000, WORKER), "expired");
}

#[test]
fn revoking_a_parent_ends_what_hangs_below() {
    for (end, how) in [(revoke(10, "lead", "ann"), "parent_ended"), (unlink(10, "ann"), "unlinked")] {
        let mut t = family();
        t.pass(&end);
        assert_eq!(t.stands(11, WORKER), how);
    }
    let mut t = family();
    let outcome = t.outcome(&command(10, Command::RevokeDelegation { delegation: id("d-1"), reason: None }));
    let ended: Vec<DelegationId> = vec![id("d-1"), id("d-2")];
    assert_eq!(outcome, DelegationOutcome::Revoked { ended });
    assert_eq!(t.outcome(&delegate(11, ["d-3", "worker", "lead", "ann"])), refused(Refusal::ParentEnded));
}

#[test]
fn a_suspended_agent_lends_nothing_on() {
    let mut t = family();
    t.pass(&command(4, Command::SuspendAgent { agent: id("lead"), reason: None }));
    assert_eq!(t.outcome(&delegate(5, ["d-3", "bot", "lead", "ann"])), refused(Refusal::SuspendedDelegator));
    assert_eq!(t.outcome(&delegate(6, ["d-2", "worker", "lead", "ann"])), DelegationOutcome::Live, "lent before");
    t.pass(&command(7, Command::ResumeAgent { agent: id("lead") }));
    assert_eq!(t.outcome(&delegate(8, ["d-4", "bot", "lead", "ann"])), DelegationOutcome::Live);
}

#[test]
fn every_rule_of_the_chain_is_refused_by_its_name() {
    let mut t = family();
    let cases = [
        (delegate(5, ["x", "bot", "bot", ""]), Refusal::SelfDelegation),
        (delegate(5, ["x", "lead", "worker", "ann"]), Refusal::Cycle),
        (delegate(5, ["x", "ann", "lead", "ann"]), Refusal::Cycle),
        (delegate(5, ["x", "bot", "stranger", "ann"]), Refusal::UnknownParent),
        (delegation(5, ["x", "bot", "lead", "ann"], |d| d.parent_id = opt("nothing")), Refusal::UnknownParent),
        (delegation(5, ["x", "bot", "worker", "ann"], |d| d.parent_id = opt("d-1")), Refusal::ForeignParent),
        (delegation(5, ["x", "bot", "lead", "bob"], |d| d.parent_id = opt("d-1")), Refusal::ForeignParent),
        (delegation(5, ["x", "bot", "lead", "ann"], |d| d.scopes = Some(scopes("gist"))), Refusal::WidensParent),
        (delegation(5, ["x", "bot", "lead", "ann"], |d| d.expires_at = Some(at(1001))), Refusal::OutlivesParent),
        (delegation(5, ["x", "bot", "ann", ""], |d| d.expires_at = Some(at(5))), Refusal::AlreadyExpired),
        (delegation(5, ["x", "bot", "worker", "ann"], |d| d.max_depth = Some(2)), Refusal::TooDeep),
        (delegate(5, ["d-1", "bot", "ann", ""]), Refusal::Conflict),
        (
            delegation(5, ["x", "bot", "lead", "ann"], |d| d.delegation_chain = chain("ann lead lead bot")),
            Refusal::Cycle,
        ),
        (
            delegation(5, ["x", "bot", "lead", "ann"], |d| d.delegation_chain = chain("ann other lead bot")),
            Refusal::ForeignParent,
        ),
        (
            delegation(5, ["x", "bot", "two", "bob"], |d| d.delegation_chain = chain("bob one two bot")),
            Refusal::UnknownParent,
        ),
    ];
    for (record, why) in cases {
        assert_eq!(t.outcome(&record), refused(why), "{record:?}");
    }
    t.pass(&delegate(6, ["d-3", "third", "worker", "ann"]));
    assert_eq!(t.outcome(&delegate(7, ["x", "fourth", "third", "ann"])), refused(Refusal::TooDeep));
    let stated = delegation(8, ["d-4", "bot", "lead", "ann"], |d| d.delegation_chain = chain("ann lead bot"));
    assert_eq!(t.outcome(&stated), DelegationOutcome::Live);
}

fn chain(hops: &str) -> Option<Chain> {
    Some(Chain(hops.split(' ').map(id::<Name>).collect()))
}

#[test]
fn the_user_is_found_where_exactly_one_let_the_delegator_act() {
    let mut t = family();
    t.pass(&delegate(5, ["d-3", "helper", "lead", ""]));
    assert_eq!(t.stands(6, ["helper", "ann", "github"]), "authorised");
}

#[test]
fn a_replayed_delegation_is_the_same_one() {
    let mut t = trackers();
    let first = delegate(1, ["", "bot", "ann", ""]);
    t.pass_all([&first, &first]);
    assert_eq!(t.stats().delegations, 1);
    let Body::Event(event) = &first.body else { panic!("an event") };
    let name = t.ledger_rows().find_map(|row| match row {
        crate::LedgerChange::Delegation(row) => Some(row.id),
        _ => None,
    });
    let name = name.expect("a delegation");
    assert!(name.as_str().starts_with("dlg_") && name.as_str().len() == 30, "{name} of {}", event.id);
    t.pass(&revoke(2, "bot", "ann"));
    assert_eq!(t.outcome(&first), refused(Refusal::Tombstoned));
}

#[test]
fn a_revocation_by_id_comes_before_its_delegation() {
    let mut t = trackers();
    let nothing = t.outcome(&command(1, Command::RevokeDelegation { delegation: id("d-1"), reason: None }));
    assert_eq!(nothing, refused(Refusal::NothingToEnd));
    assert_eq!(t.outcome(&delegate(2, ["d-1", "bot", "ann", ""])), refused(Refusal::Tombstoned));
}

#[test]
fn without_a_connection_policy_says_which() {
    let bare = |name| {
        let mut record = delegate(1, [name, "bot", "ann", ""]);
        if let Body::Event(event) = &mut record.body {
            event.common.connection = None;
        }
        record
    };
    assert_eq!(trackers().outcome(&bare("d-1")), refused(Refusal::NoConnection));
    let config = TrackerConfig { default_connections: vec![id("github"), id("slack")], ..TrackerConfig::default() };
    let mut t = Trackers::new(config, Catalogue::builtin());
    t.pass(&bare("d-1"));
    for connection in ["github", "slack"] {
        assert_eq!(t.stands(2, ["bot", "ann", connection]), "dormant");
    }
    let gone = t.outcome(&command(3, Command::RevokeDelegation { delegation: id("d-1"), reason: None }));
    assert_eq!(gone, DelegationOutcome::Revoked { ended: vec![id("d-1")] });
    assert_eq!(t.stands(4, ["bot", "ann", "slack"]), "revoked");
}

#[test]
fn a_signature_stands_in_for_authority_and_binds() {
    let mut t = trackers();
    let signed = |mut record: Record, delegate: &str| {
        let link = VerifiedLink {
            delegator: id("ann"),
            delegate: id(delegate),
            connection: Some(id("github")),
            scopes: Some(scopes("repo")),
            issued_at: at(0),
            expires_at: at(50),
            jti: id("j-1"),
            parent: None,
            thumbprint: onesec_telemetry::Thumbprint::of(b"link"),
        };
        let attested = Attested { id: id("j-1"), parent: None, user: id("ann"), link };
        record.attestation = Attestation::Verified(Box::new(attested));
        record
    };
    let wish = |name| {
        let record = delegation(1, [name, "bot", "ann", ""], |d| d.scopes = Some(scopes("repo gist")));
        claimed(record, "k-1")
    };
    assert_eq!(t.outcome(&signed(wish("d-1"), "other")), refused(Refusal::AttestationRefused));
    let mut bad = wish("d-1");
    bad.attestation = Attestation::Refused(id("bad-signature"));
    assert_eq!(t.outcome(&bad), refused(Refusal::AttestationRefused));
    assert_eq!(t.outcome(&signed(wish("d-1"), "bot")), DelegationOutcome::Dormant);
    let record = usage(2, ["bot", "ann", "github"]);
    let Some(Standing::Dormant { bound, expires_at, .. }) = t.preview(&record).access.map(|a| a.standing) else {
        panic!("dormant")
    };
    assert_eq!((bound, expires_at), (Some(&scopes("repo")), Some(at(50))));
}

#[test]
fn those_who_delegate_every_hour_leave_nothing_to_look_through() {
    let mut t = trackers();
    for hour in 0..100 {
        let name = format!("d-{hour}");
        t.pass(&delegation(hour * 3600, [&name, "bot", "ann", ""], |d| d.expires_at = Some(at(hour * 3600 + 3700))));
    }
    let hash = t.state.shared.seed.triple("bot", "ann", "github");
    let (alive, _) = t.state.chains.grants(hash, &crate::shared::Key::new(["bot", "ann", "github"])).expect("granted");
    assert!(alive.count() <= 3);
}
