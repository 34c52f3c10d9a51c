//! Connections to providers.

use super::report::{At, Outcome, Report};
use super::{Check, ClientUse, ConnectionFacts, Enabled, Facts, Seen};

const GROUP: &str = "Each connection";
const READ: &[&str] = &["read:connections"];
const REFERENCE: &str = "Auth0: Configure Token Vault, configure connection";

const EXISTS: Check = Check {
    id: "connection-exists",
    group: GROUP,
    title: "there is a connection of that name",
    scopes: READ,
    change: "Create a connection {connection}, or correct its name: names are compared to the letter.",
    dashboard: "Authentication > Social, or > Enterprise",
    call: r#"POST /api/v2/connections {"name": "{connection}", "strategy": "…", "connected_accounts": {"active": true}}"#,
    reference: REFERENCE,
};

const PURPOSE: Check = Check {
    id: "connection-purpose",
    group: GROUP,
    title: "it is there for Token Vault",
    scopes: READ,
    change: "Switch on Connected Accounts for Token Vault in the purpose of {connection}.",
    dashboard: "Authentication > {connection} > Purpose > Connected Accounts for Token Vault",
    call: r#"PATCH /api/v2/connections/{id} {"connected_accounts": {"active": true}}"#,
    reference: REFERENCE,
};

const ENABLED: Check = Check {
    id: "connection-enabled",
    group: GROUP,
    title: "it is switched on for our client",
    scopes: READ,
    change: "Switch {connection} on for {client}.",
    dashboard: "Authentication > {connection} > Applications > {client}",
    call: r#"PATCH /api/v2/connections/{id}/clients [{"client_id": "{client}", "status": true}]"#,
    reference: REFERENCE,
};

const OFFLINE: Check = Check {
    id: "connection-offline",
    group: GROUP,
    title: "it asks the provider for refresh tokens",
    scopes: &["read:connections", "read:connections_options"],
    change: "Let {connection} ask for offline access (Google: `access_type=offline`; Microsoft and OpenID Connect: the scope \
             `offline_access`). Without a refresh token, Token Vault answers `Federated connection Refresh Token not found` \
             as soon as the first token has ended. Accounts that were connected before must be connected anew.",
    dashboard: "Authentication > {connection} > Permissions > Offline Access",
    call: r#"PATCH /api/v2/connections/{id} {"options": {…, "upstream_params": {"access_type": {"value": "offline"}}}}"#,
    reference: "Auth0: Google, Token Vault; OpenID Connect Core, section 11",
};

const PROVIDER: Check = Check {
    id: "connection-refresh-tokens",
    group: GROUP,
    title: "its provider gives refresh tokens",
    scopes: &["read:connections", "read:connections_options"],
    change: "GitHub: use a GitHub App with user tokens that expire; an OAuth App never gives a refresh token. Slack: switch on \
             token rotation for the app.",
    dashboard: "at the provider: GitHub > Settings > Developer settings > GitHub Apps > Optional features; Slack > OAuth & \
                Permissions > Token rotation",
    call: "",
    reference: "GitHub: Refreshing user access tokens; Slack: Token rotation",
};

pub(super) const CHECKS: &[Check] = &[EXISTS, PURPOSE, ENABLED, OFFLINE, PROVIDER];

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    for (name, connection) in &facts.connections {
        let names = [("connection", name.as_str())];
        let exists = At::new(&EXISTS, &names);
        match connection {
            Seen::Is(connection) => {
                report.note(exists, Outcome::ok("there is"));
                one(facts, (name, connection), report);
            }
            Seen::Missing => report.note(exists, Outcome::failed("there is none")),
            Seen::Untold(why) => report.note(exists, Outcome::untold(&exists, why)),
        }
    }
    if !facts.connections.is_empty() {
        return;
    }
    let at = At::of(&PURPOSE);
    let none = match &facts.all_connections {
        Seen::Untold(why) => Outcome::untold(&at, why),
        Seen::Is(()) | Seen::Missing => Outcome::failed("no connection of the tenant is there for Token Vault")
            .instead("Switch on Connected Accounts for Token Vault in the purpose of at least one connection."),
    };
    report.note(at, none);
}

fn one(facts: &Facts, (name, connection): (&str, &ConnectionFacts), report: &mut Report) {
    let names = [("connection", name), (".id", connection.id.as_str())];
    let purpose = match connection.for_token_vault {
        Some(true) => Outcome::ok("it is"),
        Some(false) => Outcome::failed("`connected_accounts.active` is off"),
        None => Outcome::failed("it has no purpose `connected_accounts`"),
    };
    report.note(At::new(&PURPOSE, &names), purpose);
    for client in facts.clients.iter().filter(|client| client.uses == ClientUse::Refresh) {
        let names = [("connection", name), ("client", client.id.as_str()), (".id", connection.id.as_str())];
        let at = At::new(&ENABLED, &names);
        let enabled = match &connection.enabled {
            Enabled::For(clients) if clients.contains(&client.id) => Outcome::ok("it is"),
            Enabled::For(_) => Outcome::failed("it is not"),
            Enabled::Untold(why) => Outcome::untold(&at, why),
        };
        report.note(at, enabled);
    }
    let at = At::new(&OFFLINE, &names);
    report.note(at, offline(connection));
    report.note(At::new(&PROVIDER, &names), provider(connection));
}

fn offline(connection: &ConnectionFacts) -> Outcome {
    match (connection.strategy.as_str(), connection.offline) {
        ("github" | "slack" | "sign-in-with-slack", _) => Outcome::skipped("this provider knows no such request"),
        (_, Some(true)) => Outcome::ok("it does"),
        (_, Some(false)) => Outcome::failed("neither its options nor its scopes ask for offline access"),
        (_, None) => Outcome::silent("its options are not shown to us").instead(
            "Look yourself, or grant our client of the Management API `read:connections_options` for as long as the doctor \
             runs: that scope also shows the provider's client secrets, so take it back afterwards.",
        ),
    }
}

fn provider(connection: &ConnectionFacts) -> Outcome {
    let app = connection.provider_client_id.as_deref();
    match (connection.strategy.as_str(), app) {
        // GitHub Apps have ids that begin like this, OAuth Apps have not.
        ("github", Some(id)) if id.starts_with("Iv") => {
            Outcome::ok("it is a GitHub App; that its user tokens expire is to be seen at GitHub only")
        }
        ("github", Some(_)) => Outcome::warning("it is an OAuth App of GitHub, which gives no refresh tokens"),
        ("github", None) => Outcome::warning("GitHub gives refresh tokens to GitHub Apps only"),
        ("slack" | "sign-in-with-slack", _) => Outcome::warning("Slack gives refresh tokens only where tokens rotate"),
        _ => Outcome::ok("nothing is known against it"),
    }
}
