//! Clients that ask without the user.

use super::report::{At, Outcome, Report};
use super::{Check, ClientFacts, ClientUse, Facts, Seen};

const GROUP: &str = "Privileged workers";
const READ: &[&str] = &["read:clients"];
const REFERENCE: &str = "Auth0: Privileged Worker Token Exchange with Token Vault";

const GRANTS: Check = Check {
    id: "worker-grants",
    group: GROUP,
    title: "it is granted connections",
    scopes: READ,
    change: "List under `token_vault_privileged_access.grants` what {client} may ask for, at most 5 connections and 20 \
             scopes: while the list is empty, every request is refused.",
    dashboard: "none: by the Management API only",
    call: r#"PATCH /api/v2/clients/{client} {"token_vault_privileged_access": {"grants": [{"connection": "…", "scopes": ["…"]}], "ip_allowlist": ["…"], "credentials": [{"id": "…"}]}}"#,
    reference: REFERENCE,
};

const ADDRESSES: Check = Check {
    id: "worker-ip-allowlist",
    group: GROUP,
    title: "it may be used from some address",
    scopes: READ,
    change: "Write the address by which onesec leaves for the internet into `token_vault_privileged_access.ip_allowlist` of \
             {client}: while the list is empty, every request is refused.",
    dashboard: "none: by the Management API only",
    call: r#"PATCH /api/v2/clients/{client} {"token_vault_privileged_access": {"ip_allowlist": ["<address of onesec>"], "grants": […], "credentials": […]}}"#,
    reference: REFERENCE,
};

pub(super) const CHECKS: &[Check] = &[GRANTS, ADDRESSES];

pub(super) fn judge(_facts: &Facts, client: &ClientFacts, report: &mut Report) {
    if client.uses != ClientUse::Worker {
        return;
    }
    let names = [("client", client.id.as_str())];
    for (check, what) in [(&GRANTS, "grants"), (&ADDRESSES, "addresses")] {
        let at = At::new(check, &names);
        let outcome = match &client.settings {
            Seen::Is(said) => {
                let access = said.token_vault_privileged_access.as_ref();
                let count = access.map_or(0, |a| if what == "grants" { a.grants.len() } else { a.ip_allowlist.len() });
                if count > 0 { Outcome::ok(format!("{count} listed")) } else { Outcome::failed(format!("no {what}")) }
            }
            Seen::Missing => Outcome::failed("the tenant has no such client"),
            Seen::Untold(why) => Outcome::untold(&at, why),
        };
        report.note(at, outcome);
    }
}
