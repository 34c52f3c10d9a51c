//! The My Account API, by which people connect their accounts.

use super::report::{At, Outcome, Report};
use super::{Check, ClientFacts, ClientGrant, ClientUse, Facts, Seen, Untold};

const GROUP: &str = "My Account API";
const REFERENCE: &str = "Auth0: Connected Accounts for Token Vault";
/// What an application needs so that people can connect, look and take back.
const SCOPES: [&str; 3] =
    ["create:me:connected_accounts", "read:me:connected_accounts", "delete:me:connected_accounts"];

const ACTIVATED: Check = Check {
    id: "my-account-api",
    group: GROUP,
    title: "it is activated",
    scopes: &["read:resource_servers"],
    change: "Activate the My Account API: accounts get into Token Vault by it alone. Logging in with Google or GitHub does \
             not put anything there.",
    dashboard: "Applications > APIs > My Account API > Activate",
    call: "",
    reference: REFERENCE,
};

const GRANT: Check = Check {
    id: "my-account-grant",
    group: GROUP,
    title: "our client may ask it on behalf of users",
    scopes: &["read:client_grants"],
    change: "Authorise {client} for the My Account API under User-delegated Access, with the scopes for connected accounts.",
    dashboard: "Applications > APIs > My Account API > Applications > {client} > User-delegated Access",
    call: r#"POST /api/v2/client-grants {"client_id": "{client}", "audience": "https://{domain}/me/", "subject_type": "user", "scope": ["create:me:connected_accounts", "read:me:connected_accounts", "delete:me:connected_accounts"]}"#,
    reference: REFERENCE,
};

const MRRT: Check = Check {
    id: "my-account-mrrt",
    group: GROUP,
    title: "refresh tokens of our client are good for it (MRRT)",
    scopes: &["read:clients"],
    change: "Switch on Multi-Resource Refresh Token with the My Account API for {client}: without the policy, asking for a \
             token of that API is silently answered with one of another.",
    dashboard: "Applications > {client} > Settings > Multi-Resource Refresh Token > Edit Configuration",
    call: r#"PATCH /api/v2/clients/{client} {"refresh_token": {"rotation_type": "non-rotating", "expiration_type": "non-expiring", "policies": [{"audience": "https://{domain}/me/", "scope": ["create:me:connected_accounts", "read:me:connected_accounts", "delete:me:connected_accounts"]}]}}"#,
    reference: "Auth0: Multi-Resource Refresh Token",
};

pub(super) const CHECKS: &[Check] = &[ACTIVATED, GRANT, MRRT];

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    let at = At::of(&ACTIVATED);
    let activated = match &facts.my_account {
        Seen::Is(_) => Outcome::ok("it is"),
        Seen::Missing => Outcome::failed("it is not"),
        Seen::Untold(why) => Outcome::untold(&at, why),
    };
    report.note(at, activated);
    if matches!(facts.my_account, Seen::Missing) {
        return;
    }
    let audience = format!("https://{}/me/", facts.domain);
    for client in facts.clients.iter().filter(|client| client.uses == ClientUse::Refresh) {
        let names = [("client", client.id.as_str())];
        let at = At::new(&GRANT, &names);
        let grant = match &client.my_account {
            Seen::Is(grants) => granted(grants),
            Seen::Missing => Outcome::failed("there is no grant"),
            Seen::Untold(why) => Outcome::untold(&at, why),
        };
        report.note(at, grant);
        let at = At::new(&MRRT, &names);
        report.note(at, mrrt(client, &audience).unwrap_or_else(|why| Outcome::untold(&at, &why)));
    }
}

fn granted(grants: &[ClientGrant]) -> Outcome {
    let (for_users, others): (Vec<_>, Vec<_>) =
        grants.iter().partition(|grant| grant.subject_type.as_deref() == Some("user"));
    if let Some(grant) = for_users.first() {
        let scopes = grant.scope.as_deref().unwrap_or_default();
        return match missing(scopes).filter(|_| grant.allow_all_scopes != Some(true)) {
            None => Outcome::ok("it may"),
            Some(scope) => Outcome::failed(format!("its grant does not have `{scope}`")).instead(&format!(
                "Add `{scope}` to the grant of {{client}} for the My Account API: `PATCH /api/v2/client-grants/{}`.",
                grant.id
            )),
        };
    }
    match others.first() {
        None => Outcome::failed("there is no grant"),
        Some(grant) => {
            let id = if grant.id.is_empty() { "{id}" } else { &grant.id };
            Outcome::failed("its grant has `subject_type: client`, which is for machines: it was asked for `user`, and stored otherwise, or never said")
                .instead(&format!(
                    "Delete the grant (`DELETE /api/v2/client-grants/{id}`), create it again with `subject_type: user`, and \
                     read it back: a tenant may store `client` instead. The dashboard's User-delegated Access does it right."
                ))
        }
    }
}

fn mrrt(client: &ClientFacts, audience: &str) -> Result<Outcome, Untold> {
    let said = match &client.settings {
        Seen::Is(said) => said,
        Seen::Missing => return Ok(Outcome::failed("the tenant has no such client")),
        Seen::Untold(why) => return Err(why.clone()),
    };
    let policies = said.refresh_token.as_ref().and_then(|settings| settings.policies.as_deref()).unwrap_or_default();
    let policy = policies.iter().find(|policy| policy.audience == audience);
    Ok(match policy.map(|policy| missing(&policy.scope)) {
        None => Outcome::failed(format!("no policy for `{audience}`")),
        Some(Some(scope)) => Outcome::failed(format!("its policy does not have `{scope}`")),
        Some(None) => Outcome::ok("they are"),
    })
}

fn missing(scopes: &[String]) -> Option<&'static str> {
    SCOPES.into_iter().find(|wanted| !scopes.iter().any(|scope| scope == wanted))
}
