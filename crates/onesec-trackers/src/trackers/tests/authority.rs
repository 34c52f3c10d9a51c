//! Accounts, delegations and who may change them.

use super::*;

#[test]
fn an_unlink_ends_every_delegation_and_a_new_link_does_not_bring_it_back() {
    let mut t = trackers();
    t.pass_all([&link(0, "ann", "repo"), &delegate(1, ["d-1", "mail-bot", "ann", ""])]);
    assert_eq!(t.stands(2, A), "authorised");
    t.pass(&unlink(3, "ann"));
    assert_eq!(t.stands(4, A), "unlinked");
    t.pass(&link(5, "ann", "repo"));
    assert_eq!(t.stands(6, A), "unlinked");
    assert_eq!(
        t.outcome(&delegate(7, ["d-1", "mail-bot", "ann", ""])),
        DelegationOutcome::Refused(Refusal::Tombstoned)
    );
    t.pass(&delegate(8, ["d-2", "mail-bot", "ann", ""]));
    assert_eq!(t.stands(9, A), "authorised");
}

#[test]
fn a_delegation_before_the_link_waits_for_it() {
    let mut t = trackers();
    assert_eq!(t.outcome(&delegate(0, ["d-1", "mail-bot", "ann", ""])), DelegationOutcome::Dormant);
    assert_eq!(t.stands(1, A), "dormant");
    t.pass(&link(2, "ann", ""));
    assert_eq!(t.stands(3, A), "authorised");
    t.pass_all([&unlink(4, "ann"), &delegate(5, ["d-2", "mail-bot", "ann", ""])]);
    assert_eq!(t.stands(6, A), "dormant");
    t.pass(&link(7, "ann", ""));
    assert_eq!(t.stands(8, A), "authorised");
}

#[test]
fn what_comes_late_cannot_undo_an_end() {
    let mut t = trackers();
    t.pass_all([&link(0, "ann", ""), &unlink(100, "ann")]);
    let old = Refusal::OlderThanEnd;
    assert_eq!(t.outcome(&link(50, "ann", "")), DelegationOutcome::Refused(old));
    assert_eq!(t.outcome(&link(100, "ann", "")), DelegationOutcome::Refused(old));
    assert_eq!(t.outcome(&delegate(100, ["d-1", "mail-bot", "ann", ""])), DelegationOutcome::Refused(old));
    t.pass_all([&link(200, "ann", ""), &delegate(201, ["d-2", "mail-bot", "ann", ""])]);
    // An unlink that comes late and is older than the link leaves the link alone.
    t.pass(&unlink(150, "ann"));
    assert_eq!(t.stands(202, A), "authorised");
    t.pass(&revoke(300, "mail-bot", "ann"));
    assert_eq!(t.stands(301, A), "revoked");
    assert_eq!(t.outcome(&delegate(250, ["d-3", "mail-bot", "ann", ""])), DelegationOutcome::Refused(old));
}

#[test]
fn nobody_without_authority_changes_anything() {
    let mut t = trackers();
    t.pass_all([&link(0, "ann", ""), &delegate(1, ["d-1", "mail-bot", "ann", ""])]);
    let before = t.stats();
    let no = DelegationOutcome::Refused(Refusal::NoAuthority);
    for told in
        [link(2, "bob", ""), unlink(3, "ann"), delegate(4, ["d-2", "evil", "ann", ""]), revoke(5, "mail-bot", "ann")]
    {
        assert_eq!(t.outcome(&claimed(told, "k-1")), no);
    }
    assert_eq!(t.stands(6, A), "authorised");
    let after = t.stats();
    assert_eq!((after.accounts, after.delegations), (before.accounts, before.delegations));
}

#[test]
fn accounts_of_one_connection_are_told_apart() {
    let named = |secs, account: &str| {
        let details = ConnectedAccountLink { scopes: None, access_type: None, account_id: opt(account) };
        event(secs, ["", "ann", "github"], Details::ConnectedAccountLink(details))
    };
    let mut t = trackers();
    t.pass_all([&named(0, "work"), &named(1, "home")]);
    t.pass(&delegation(2, ["d-1", "mail-bot", "ann", ""], |d| d.account_id = opt("work")));
    let asks = |account: &str| with_exchange(exchange(3, A, "repo"), |d| d.account_id = opt(account));
    let (work, home) = (asks("work"), asks("home"));
    let other = |t: &Trackers, record: &Record| t.preview(record).access.unwrap().other_account;
    assert_eq!(other(&t, &work), None);
    assert_eq!(other(&t, &home), opt::<AccountId>("home"));
    let unlinked = ConnectedAccountUnlink { account_id: opt("home") };
    t.pass(&event(4, ["", "ann", "github"], Details::ConnectedAccountUnlink(unlinked)));
    assert_eq!(t.stands(5, A), "authorised");
    let unlinked = ConnectedAccountUnlink { account_id: opt("work") };
    t.pass(&event(6, ["", "ann", "github"], Details::ConnectedAccountUnlink(unlinked)));
    assert_eq!(t.stands(7, A), "unlinked");
}

#[test]
fn an_exchange_without_a_user_is_judged_against_all_users() {
    let mut t = trackers();
    let any = |t: &Trackers, secs| {
        t.preview(&exchange(secs, ["mail-bot", "", "github"], "repo")).access.unwrap().any_user_delegated
    };
    assert_eq!(any(&t, 0), Some(false));
    t.pass(&delegation(1, ["d-1", "mail-bot", "ann", ""], |d| d.expires_at = Some(at(10))));
    assert_eq!((any(&t, 2), any(&t, 10)), (Some(true), Some(false)));
    t.pass(&delegate(3, ["d-2", "mail-bot", "bob", ""]));
    assert_eq!(any(&t, 11), Some(true));
    t.pass(&revoke(12, "mail-bot", "bob"));
    assert_eq!(any(&t, 13), Some(false));
}

#[test]
fn the_full_ledger_refuses_and_forgets_nothing() {
    let mut config = TrackerConfig::default();
    (config.bounds.accounts, config.bounds.delegations) = (1, 1);
    let mut t = Trackers::new(config, Catalogue::builtin());
    t.pass_all([&link(0, "ann", ""), &delegate(1, ["d-1", "mail-bot", "ann", ""])]);
    let full = DelegationOutcome::Refused(Refusal::LedgerFull);
    assert_eq!(t.outcome(&link(2, "bob", "")), full);
    assert_eq!(t.outcome(&delegate(3, ["d-2", "other", "ann", ""])), full);
    assert_eq!(t.outcome(&unlink(4, "bob")), DelegationOutcome::Refused(Refusal::LedgerFull));
    assert_eq!(t.stands(5, A), "authorised");
    assert_eq!(t.stats().refused_full, 3);
    // What ends something always has room.
    t.pass(&unlink(6, "ann"));
    assert_eq!(t.stands(7, A), "unlinked");
}

#[test]
fn a_token_issued_before_the_end_is_told_until_it_expires() {
    let token = onesec_telemetry::Thumbprint::of(b"token");
    let mut issued = response(2, A, "");
    if let Body::Event(event) = &mut issued.body
        && let Details::TokenExchangeResponse(d) = &mut event.details
    {
        d.token_thumbprint = Some(token);
    }
    let uses = |secs, agent| {
        let mut record = usage(secs, [agent, "ann", "github"]);
        if let Body::Event(event) = &mut record.body
            && let Details::ConnectedAccountUsage(d) = &mut event.details
        {
            d.token_thumbprint = Some(token);
        }
        record
    };
    let mut t = trackers();
    t.pass_all([&link(0, "ann", ""), &delegate(1, ["d-1", "mail-bot", "ann", ""])]);
    // Nobody without authority makes a token known.
    t.pass(&claimed(issued.clone(), "k-1"));
    let origin = |t: &Trackers, record: &Record| t.preview(record).access.unwrap().token;
    assert_eq!(origin(&t, &uses(3, "mail-bot")), Some(TokenOrigin::Unknown));
    t.pass(&issued);
    assert_eq!(origin(&t, &uses(3, "mail-bot")), Some(TokenOrigin::ThisAgent));
    assert_eq!(origin(&t, &uses(3, "other-bot")), Some(TokenOrigin::Others));
    t.pass(&unlink(10, "ann"));
    let outlives = |t: &Trackers, secs| t.preview(&uses(secs, "mail-bot")).access.unwrap().token_outlives_right;
    assert!(outlives(&t, 11) && !outlives(&t, 3602));
}

#[test]
fn suspensions_hold_until_a_person_resumes() {
    let mut t = trackers();
    let suspended = |t: &Trackers| t.preview(&usage(9, A)).agent.unwrap().suspended;
    t.pass(&command(1, Command::SuspendAgent { agent: id("mail-bot"), reason: None }));
    assert_eq!(suspended(&t), Some(at(1)));
    t.pass(&command(2, Command::ResumeAgent { agent: id("mail-bot") }));
    assert_eq!(suspended(&t), None);
}

#[test]
fn an_account_that_gives_too_much_is_told_on_link_delegation_and_exchange() {
    let mut t = trackers();
    t.pass(&link(0, "ann", "repo read:user"));
    let bounded = delegation(1, ["d-1", "mail-bot", "ann", ""], |d| d.scopes = Some(scopes("read:user")));
    let posture = t.observe(&bounded).posture;
    assert_eq!(posture.iter().map(|p| p.excess.to_string()).collect::<Vec<_>>(), ["repo"]);
    let version = posture[0].version;
    let mut seen = exchange(2, A, "read:user");
    seen.sender = Sender::gateway(id("mail-bot"), None, None);
    assert_eq!(t.observe(&seen).posture[0].version, version);
    let wider = link(3, "ann", "repo read:user gist");
    let posture = t.observe(&wider).posture;
    assert_eq!(posture[0].excess.to_string(), "gist repo");
    assert_ne!(posture[0].version, version);
    assert!(t.observe(&link(4, "ann", "read:user")).posture.is_empty());
}
