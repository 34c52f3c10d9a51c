//! The tenant as a whole.

use super::report::{At, Outcome, Report};
use super::{Check, Discovery, Facts, Seen};

const GROUP: &str = "Tenant";

const REACHABLE: Check = Check {
    id: "domain-reachable",
    group: GROUP,
    title: "the tenant's domain is found and answers",
    scopes: &[],
    change: "Write the tenant's domain as `token_vault.auth0_domain`, without `https://`, such as `tenant.eu.auth0.com`, \
             and let this machine reach it over HTTPS.",
    dashboard: "Settings > Custom Domains, or the Domain field of any application; configuration: \
                `token_vault.auth0_domain` (AUTH0_DOMAIN)",
    call: "",
    reference: "OpenID Connect Discovery, section 4",
};

const ISSUER: Check = Check {
    id: "issuer",
    group: GROUP,
    title: "discovery names the issuer that tokens are checked against",
    scopes: &[],
    change: "Configure the domain that the tenant itself names: tokens are issued by that one, and any other is refused.",
    dashboard: "configuration: `token_vault.auth0_domain`; with a custom domain also Branding > Custom Domains",
    call: "",
    reference: "OpenID Connect Discovery, section 4.3",
};

const MANAGEMENT: Check = Check {
    id: "management-token",
    group: GROUP,
    title: "our client of the Management API gets a token",
    scopes: &[],
    change: "Create a machine-to-machine application, authorise it for the Auth0 Management API, and write its id and \
             secret as `enforcement.auth0.client_id` and `enforcement.auth0.client_secret`.",
    dashboard: "Applications > APIs > Auth0 Management API > Machine to Machine Applications",
    call: r#"POST /api/v2/client-grants {"client_id": "…", "audience": "https://{domain}/api/v2/", "scope": ["read:users", …]}"#,
    reference: "Auth0: Management API access tokens",
};

const MFA: Check = Check {
    id: "mfa-policy",
    group: GROUP,
    title: "multi-factor authentication is not required always",
    scopes: &["read:mfa_policies"],
    change: "Set the policy to Never and ask for a second factor in an Action on `event.transaction.protocol`: with Always, \
             every exchange is answered by `mfa_required`.",
    dashboard: "Security > Multi-factor Auth > Require Multi-factor Auth",
    call: "PUT /api/v2/guardian/policies []",
    reference: "Auth0: Configure Token Vault, before you start",
};

pub(super) const CHECKS: &[Check] = &[REACHABLE, ISSUER, MANAGEMENT, MFA];

/// How Auth0 calls the policy Always.
const ALWAYS: &str = "all-applications";

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    let domain = [("domain", facts.domain.as_str())];
    report.note(At::new(&REACHABLE, &domain), reachable(&facts.discovery));
    report.note(At::new(&ISSUER, &domain), issuer(facts));
    let management = match &facts.management {
        Some(Ok(())) => Outcome::ok("it gets one"),
        Some(Err(error)) if error.is_outage() => Outcome::warning(format!("not now: {error}")),
        Some(Err(error)) => Outcome::failed(format!("it gets none: {error}")),
        None => Outcome::skipped("`enforcement.auth0` is not configured: much of what follows cannot be told"),
    };
    report.note(At::of(&MANAGEMENT), management);
    let at = At::of(&MFA);
    let mfa = match &facts.mfa {
        Seen::Is(policies) if policies.iter().any(|policy| policy == ALWAYS) => {
            Outcome::failed("the policy is Always (`all-applications`)")
        }
        Seen::Is(policies) if policies.is_empty() => Outcome::ok("the policy is Never"),
        Seen::Is(policies) => Outcome::ok(format!("the policy is `{}`", policies.join("`, `"))),
        Seen::Missing => Outcome::silent("the tenant knows no such policy"),
        Seen::Untold(why) => Outcome::untold(&at, why),
    };
    report.note(at, mfa);
}

fn reachable(discovery: &Discovery) -> Outcome {
    match discovery {
        Discovery::Issuer(_) => Outcome::ok("it answers"),
        Discovery::Unresolved => Outcome::failed("no address is known for that name"),
        Discovery::Unreachable => Outcome::failed("nobody answers there"),
        Discovery::Status(status) => Outcome::failed(format!("discovery is answered with {status}")),
        Discovery::Undecodable => Outcome::failed("what answers there is no discovery document"),
    }
}

fn issuer(facts: &Facts) -> Outcome {
    let wanted = format!("https://{}/", facts.domain);
    match &facts.discovery {
        Discovery::Issuer(issuer) if *issuer == wanted => Outcome::ok(format!("`{issuer}`")),
        Discovery::Issuer(issuer) => Outcome::failed(format!("`{issuer}` instead of `{wanted}`")),
        _ => Outcome::skipped("discovery gave no document"),
    }
}
