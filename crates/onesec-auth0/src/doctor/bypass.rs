//! Ways round us.

use serde_json::Value;

use super::report::{At, Outcome, Report};
use super::{Check, ClientFacts, ClientSummary, ClientUse, Facts, NetworkAcl, Seen};
use crate::vault::GRANT;

const GROUP: &str = "Ways round onesec";

const CLIENTS: Check = Check {
    id: "bypass-clients",
    group: GROUP,
    title: "nobody else's client has the Token Vault grant",
    scopes: &["read:clients"],
    change: "Take the Token Vault grant from {client}, unless it is no agent's: who has its credentials trades tokens without \
             onesec. Agents take keys of onesec instead.",
    dashboard: "Applications > {client} > Settings > Advanced Settings > Grant Types",
    call: r#"PATCH /api/v2/clients/{client} {"grant_types": [… without the Token Vault grant]}"#,
    reference: "onesec: docs/bypasses.md",
};

const ADDRESSES: Check = Check {
    id: "bypass-worker-addresses",
    group: GROUP,
    title: "a worker's key is good at few addresses only",
    scopes: &["read:clients"],
    change: "Narrow `token_vault_privileged_access.ip_allowlist` of {client} to the address by which onesec leaves for the \
             internet: whoever takes its key can then do nothing with it elsewhere.",
    dashboard: "none: by the Management API only",
    call: r#"PATCH /api/v2/clients/{client} {"token_vault_privileged_access": {"ip_allowlist": ["<address of onesec>"], "grants": […], "credentials": […]}}"#,
    reference: "Auth0: Privileged Worker Token Exchange with Token Vault",
};

const CUSTOM_DOMAIN: Check = Check {
    id: "bypass-custom-domain",
    group: GROUP,
    title: "where onesec stands in front of a custom domain, that domain is ours to serve",
    scopes: &["read:custom_domains"],
    change: "Create {name} as a custom domain with self-managed certificates, verify it, and write its origin and key to \
             `token_vault.proxy`.",
    dashboard: "Branding > Custom Domains > {name}",
    call: r#"POST /api/v2/custom-domains {"domain": "{name}", "type": "self_managed_certs"}"#,
    reference: "Auth0: Custom Domains with Self-Managed Certificates",
};

const CANONICAL: Check = Check {
    id: "bypass-canonical-domain",
    group: GROUP,
    title: "where onesec stands in front of a custom domain, the tenant's own domain is closed",
    scopes: &["read:network_acls"],
    change: "Block {domain} by a tenant access control list: agents that have credentials of their own get round the custom \
             domain by it. Tried last: an error in it locks people out.",
    dashboard: "Security > Tenant Access Control List",
    call: r#"POST /api/v2/network-acls {"description": "canonical domain", "active": true, "priority": 1, "rule": {"action": {"block": true}, "match": {"hostnames": ["{domain}"]}, "scope": "authentication"}}"#,
    reference: "Auth0: Tenant Access Control List, enforce traffic through specific infrastructure",
};

pub(super) const CHECKS: &[Check] = &[CLIENTS, ADDRESSES, CUSTOM_DOMAIN, CANONICAL];

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    strangers(facts, report);
    for client in facts.clients.iter().filter(|client| client.uses == ClientUse::Worker) {
        let names = [("client", client.id.as_str())];
        let at = At::new(&ADDRESSES, &names);
        let outcome = match &client.settings {
            Seen::Untold(why) => Outcome::untold(&at, why),
            Seen::Is(_) | Seen::Missing => addresses(client),
        };
        report.note(at, outcome);
    }
    let Some(name) = &facts.proxy else { return };
    custom_domain((facts, name), report);
    let at = At::of(&CANONICAL);
    let outcome = match &facts.acls {
        Seen::Is(acls) if acls.iter().any(|acl| closes(acl, &facts.domain)) => Outcome::ok("a list blocks it"),
        Seen::Is(_) | Seen::Missing => Outcome::warning("no list blocks it"),
        Seen::Untold(why) => Outcome::untold(&at, why),
    };
    report.note(at, outcome);
}

fn strangers(facts: &Facts, report: &mut Report) {
    let at = At::of(&CLIENTS);
    let all = match &facts.all_clients {
        Seen::Is(all) => all.as_slice(),
        Seen::Missing => &[],
        Seen::Untold(why) => return report.note(at, Outcome::untold(&at, why)),
    };
    let has = |client: &&ClientSummary| client.grant_types.iter().flatten().any(|grant| grant == GRANT);
    let ours = |id: &str| facts.clients.iter().any(|client| client.id == id);
    let strangers: Vec<&ClientSummary> = all.iter().filter(has).filter(|client| !ours(&client.client_id)).collect();
    if strangers.is_empty() {
        return report.note(at, Outcome::ok("ours alone"));
    }
    for client in strangers.iter().take(MOST_NAMED) {
        let names = [("client", client.client_id.as_str())];
        let seen = format!("`{}` has it, and is none of ours", client.name);
        report.note(At::new(&CLIENTS, &names), Outcome::warning(seen));
    }
    if strangers.len() > MOST_NAMED {
        let more = format!("{} more clients have it", strangers.len() - MOST_NAMED);
        report.note(At::new(&CLIENTS, &[("client", "others")]), Outcome::warning(more));
    }
}

fn addresses(client: &ClientFacts) -> Outcome {
    let access = client.settings.known().and_then(|said| said.token_vault_privileged_access.as_ref());
    let list = access.map(|access| access.ip_allowlist.as_slice()).unwrap_or_default();
    match list.iter().find(|network| is_wide(network)) {
        Some(network) => Outcome::warning(format!("`{network}` is wide")),
        None if list.is_empty() => Outcome::skipped("it is good nowhere"),
        None => Outcome::ok(format!("{} listed", list.len())),
    }
}

/// A network that others are likely in, too.
fn is_wide(network: &str) -> bool {
    let Some((address, bits)) = network.split_once('/') else { return false };
    let narrow = if address.contains(':') { 64 } else { 24 };
    bits.trim().parse::<u8>().map_or(true, |bits| bits < narrow)
}

fn custom_domain((facts, name): (&Facts, &str), report: &mut Report) {
    let names = [("name", name)];
    let at = At::new(&CUSTOM_DOMAIN, &names);
    let known = match &facts.custom_domains {
        Seen::Is(all) => all.iter().find(|known| known.domain.eq_ignore_ascii_case(name)),
        Seen::Missing => None,
        Seen::Untold(why) => return report.note(at, Outcome::untold(&at, why)),
    };
    let outcome = match known {
        None => Outcome::failed("the tenant has no such custom domain"),
        Some(known) if known.kind != "self_managed_certs" => Outcome::failed(format!("it is `{}`", known.kind)),
        Some(known) if known.status != "ready" => Outcome::failed(format!("it is `{}`", known.status)),
        Some(_) => Outcome::ok("it is"),
    };
    report.note(at, outcome);
}

/// Whether a list keeps logins and tokens from `domain`.
fn closes(acl: &NetworkAcl, domain: &str) -> bool {
    let blocks = acl.rule.pointer("/action/block").and_then(Value::as_bool) == Some(true);
    let covers = matches!(acl.rule.get("scope").and_then(Value::as_str), Some("authentication" | "tenant"));
    let named = acl.rule.pointer("/match/hostnames").and_then(Value::as_array);
    let named =
        named.is_some_and(|all| all.iter().any(|host| host.as_str().is_some_and(|h| h.eq_ignore_ascii_case(domain))));
    acl.active && blocks && covers && named
}

/// Clients that are named one by one.
const MOST_NAMED: usize = 20;
