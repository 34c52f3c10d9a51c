//! What the Management API lists: accounts, users, the log; page by page, against a tenant that fails.

use onesec_auth0::{ApiError, Management, Meaning, log_elements, read_log};
use onesec_auth0_sim::{Endpoint, Fault};
use onesec_telemetry::UserId;
use onesec_telemetry::catalogue::Catalogue;
use serde_json::json;

use super::*;

fn management(world: &World) -> Management {
    world.sim.create_client(ClientSpec::regular("admin", CLIENT_SECRET));
    let tenant = Auth0Config::new(world.sim.domain(), "admin", Secret::new(CLIENT_SECRET.into())).expect("config");
    let tenant = tenant.with_base_url(world.sim.base_url()).expect("loopback");
    Management::new(tenant, http(), Arc::<ManualClock>::clone(&world.clock))
}

fn user(id: &str) -> UserId {
    UserId::new(id).expect("an id")
}

#[tokio::test]
async fn accounts_come_with_all_their_pages_and_canonical_scopes() {
    let world = world().await;
    let management = management(&world);
    world.sim.create_user("auth0|many");
    for i in 0..120 {
        let spec = AccountSpec::new("auth0|many", "google-oauth2", "https://www.googleapis.com/auth/calendar.readonly");
        world.sim.connect_account(spec.with_id(&format!("cac_{i}"))).expect("connected");
    }
    let listed = management.connected_accounts(&user("auth0|many")).await.expect("listed");
    assert_eq!(listed.len(), 120);
    let first = listed.first().expect("one");
    assert_eq!((first.id.as_str(), first.connection.as_str()), ("cac_0", "google-oauth2"));
    assert_eq!(first.scopes.as_ref().map(ToString::to_string).as_deref(), Some("calendar.readonly"));
    assert!(first.created_at.is_some());
    assert_eq!(management.connected_accounts(&user("auth0|nobody")).await, Err(ApiError::NotFound));
    world.sim.set_fault_on(Endpoint::Management, Fault::Garbage);
    let garbage = management.connected_accounts(&user("auth0|many")).await;
    assert!(matches!(garbage, Err(ApiError::Undecodable { .. })), "{garbage:?}");
}

#[tokio::test]
async fn users_go_on_beyond_what_one_search_gives() {
    let world = world().await;
    let management = management(&world);
    for i in 0..2_300 {
        world.clock.advance(Duration::from_millis(1));
        world.sim.create_user(&format!("auth0|user-{i:05}"));
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut after = None;
    for _ in 0..100 {
        let page = management.users(after.as_deref()).await.expect("listed");
        seen.extend(page.users);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(after.is_none(), "it comes to an end");
    assert!(seen.len() >= 2_300, "{} users", seen.len());
    assert_eq!(management.users(Some("nonsense")).await.map(|page| page.users.len()), Ok(50), "begins anew");
}

#[tokio::test]
async fn the_log_is_read_from_a_checkpoint_on_and_means_what_happened() {
    let world = world().await;
    let management = management(&world);
    let id = world.sim.connect_account(AccountSpec::new(ANA, "github", "repo")).expect("connected");
    world.sim.disconnect_account(&id).expect("disconnected");
    world.sim.log("slo", json!({"user_id": ANA}));
    let all = management.logs(None, 100).await.expect("listed");
    let meant: Vec<_> = all
        .iter()
        .map(|entry| read_log(entry.get(), Catalogue::builtin()).expect("an entry"))
        .filter(|entry| entry.log_type != "sertft")
        .map(|entry| entry.meaning)
        .collect();
    let count = meant.len();
    assert!(
        matches!(meant.get(count - 3..), Some([Meaning::Grants(_), Meaning::Ends(_), Meaning::Ignored])),
        "{meant:?}"
    );
    let at = |entry: &serde_json::value::RawValue| {
        let entry: serde_json::Value = serde_json::from_str(entry.get()).expect("an object");
        entry["log_id"].as_str().expect("an id").to_owned()
    };
    let after = at(all.get(all.len() - 2).expect("two"));
    let rest = management.logs(Some(&after), 100).await.expect("listed");
    assert_eq!(rest.len(), 1);
    let newest = at(rest.first().expect("one"));
    assert!(management.logs(Some(&newest), 100).await.expect("listed").is_empty());
    // A page is a delivery, too.
    let page = format!("[{}]", all.iter().map(|entry| entry.get()).collect::<Vec<_>>().join(","));
    assert_eq!(log_elements(page.as_bytes()).map(|elements| elements.len()), Ok(all.len()));
    world.sim.create_client(ClientSpec::regular("admin", CLIENT_SECRET).with_management_scopes(&["read:users"]));
    world.sim.forget_management_tokens();
    let refused = management.logs(None, 1).await;
    assert!(matches!(refused, Err(ApiError::Refused { status: 403, .. })), "{refused:?}");
}
