//! The APIs whose access tokens prove a user to us.

use super::report::{At, Outcome, Report};
use super::{Api, Check, Facts, Seen};

const GROUP: &str = "Each audience";
const READ: &[&str] = &["read:resource_servers"];

const EXISTS: Check = Check {
    id: "api-exists",
    group: GROUP,
    title: "there is an API of that identifier",
    scopes: READ,
    change: "Create an API whose identifier is exactly {audience}, or correct `token_vault.audience`.",
    dashboard: "Applications > APIs > Create API; configuration: `token_vault.audience`",
    call: r#"POST /api/v2/resource-servers {"name": "…", "identifier": "{audience}", "signing_alg": "RS256", "allow_offline_access": true}"#,
    reference: "Auth0: Access Token Exchange with Token Vault",
};

const OFFLINE: Check = Check {
    id: "api-offline-access",
    group: GROUP,
    title: "it allows offline access",
    scopes: READ,
    change: "Switch on Allow Offline Access for {audience}: without it users get no refresh token, and agents stop when their \
             access token ends.",
    dashboard: "Applications > APIs > {audience} > Settings > Allow Offline Access",
    call: r#"PATCH /api/v2/resource-servers/{path} {"allow_offline_access": true}"#,
    reference: "OpenID Connect Core, section 11",
};

const SIGNING: Check = Check {
    id: "api-signing",
    group: GROUP,
    title: "its access tokens are signed with a private key",
    scopes: READ,
    change: "Sign the access tokens of {audience} with RS256 or PS256: whoever can check HS256 can also forge it, so that \
             onesec refuses it.",
    dashboard: "Applications > APIs > {audience} > Settings > JSON Web Token (JWT) Signing Algorithm",
    call: r#"PATCH /api/v2/resource-servers/{path} {"signing_alg": "RS256"}"#,
    reference: "RFC 8725, section 3.2",
};

pub(super) const CHECKS: &[Check] = &[EXISTS, OFFLINE, SIGNING];

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    for (audience, api) in &facts.apis {
        let path: String = url::form_urlencoded::byte_serialize(audience.as_bytes()).collect();
        let names = [("audience", audience.as_str()), (".path", path.as_str())];
        let exists = At::new(&EXISTS, &names);
        match api {
            Seen::Is(api) => {
                report.note(exists, Outcome::ok("there is"));
                report.note(At::new(&OFFLINE, &names), offline(api));
                report.note(At::new(&SIGNING, &names), signing(api));
            }
            Seen::Missing => report.note(exists, Outcome::failed("there is none")),
            Seen::Untold(why) => {
                for check in [&EXISTS, &OFFLINE, &SIGNING] {
                    let at = At::new(check, &names);
                    report.note(at, Outcome::untold(&at, why));
                }
            }
        }
    }
}

fn offline(api: &Api) -> Outcome {
    match api.allow_offline_access {
        Some(true) => Outcome::ok("it does"),
        Some(false) => Outcome::failed("it does not"),
        None => Outcome::silent("that is not said"),
    }
}

fn signing(api: &Api) -> Outcome {
    match api.signing_alg.as_deref() {
        Some(alg @ ("RS256" | "PS256")) => Outcome::ok(alg),
        Some(alg) => Outcome::failed(alg),
        None => Outcome::silent("that is not said"),
    }
}
