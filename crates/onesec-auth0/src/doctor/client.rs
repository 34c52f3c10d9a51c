//! Our clients, one by one.

use super::report::{At, Outcome, Report};
use super::{Check, ClientFacts, ClientSettings, ClientUse, Facts, Probe, Seen};
use crate::vault::GRANT;

const GROUP: &str = "Each of our clients";
const READ: &[&str] = &["read:clients"];
const CONFIGURE: &str = "Auth0: Configure Token Vault, configure application";

const CREDENTIALS: Check = Check {
    id: "client-credentials",
    group: GROUP,
    title: "the tenant takes our credentials for it",
    scopes: &[],
    change: "Copy id and secret of {client} anew into the configuration; with `private_key_file`, register that key's \
             public half as a credential of the application.",
    dashboard: "Applications > {client} > Settings > Basic Information, and > Credentials",
    call: "POST /api/v2/clients/{client}/credentials",
    reference: "RFC 6749, section 2.3; RFC 7523, section 2.2",
};

const GRANTED: Check = Check {
    id: "client-grant",
    group: GROUP,
    title: "it has the Token Vault grant",
    scopes: READ,
    change: "Switch on the grant type Token Vault for {client}.",
    dashboard: "Applications > {client} > Settings > Advanced Settings > Grant Types > Token Vault",
    call: r#"PATCH /api/v2/clients/{client} {"grant_types": {grants}}"#,
    reference: CONFIGURE,
};

const CONFIDENTIAL: Check = Check {
    id: "client-confidential",
    group: GROUP,
    title: "it is confidential",
    scopes: READ,
    change: "Give {client} a way to prove itself: `token_endpoint_auth_method` must not be `none`. A single-page or native \
             application cannot use Token Vault.",
    dashboard: "Applications > {client} > Credentials > Authentication Method",
    call: r#"PATCH /api/v2/clients/{client} {"token_endpoint_auth_method": "client_secret_post"}"#,
    reference: CONFIGURE,
};

const FIRST_PARTY: Check = Check {
    id: "client-first-party",
    group: GROUP,
    title: "it is a first-party client",
    scopes: READ,
    change: "Make {client} first-party. One made by dynamic registration is third-party: create another.",
    dashboard: "none: by the Management API only",
    call: r#"PATCH /api/v2/clients/{client} {"is_first_party": true}"#,
    reference: CONFIGURE,
};

const CONFORMANT: Check = Check {
    id: "client-oidc-conformant",
    group: GROUP,
    title: "it is OIDC conformant",
    scopes: READ,
    change: "Switch on OIDC Conformant for {client}.",
    dashboard: "Applications > {client} > Settings > Advanced Settings > OAuth > OIDC Conformant",
    call: r#"PATCH /api/v2/clients/{client} {"oidc_conformant": true}"#,
    reference: CONFIGURE,
};

const ROTATION: Check = Check {
    id: "client-rotation",
    group: GROUP,
    title: "its refresh tokens do not rotate",
    scopes: READ,
    change: "Switch off refresh token rotation for {client}: Token Vault takes no rotating refresh token.",
    dashboard: "Applications > {client} > Settings > Refresh Token Rotation",
    call: r#"PATCH /api/v2/clients/{client} {"refresh_token": {"rotation_type": "non-rotating", "expiration_type": "non-expiring"}}"#,
    reference: "Auth0: Connected Accounts for Token Vault, refresh token settings",
};

const CUSTOM_API: Check = Check {
    id: "client-custom-api",
    group: GROUP,
    title: "where it exchanges access tokens, it is the Custom API Client of that API",
    scopes: READ,
    change: "Create a Custom API Client for {audience} from the API's page, give it the Token Vault grant, and configure it \
             as a client with `use: access` and `audience: {audience}`. An application of another kind cannot become one.",
    dashboard: "Applications > APIs > {audience} > Add Application",
    call: r#"POST /api/v2/clients {"name": "…", "app_type": "resource_server", "resource_server_identifier": "{audience}", "grant_types": ["urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token"]}"#,
    reference: "Auth0: Access Token Exchange with Token Vault, configure a Custom API Client",
};

pub(super) const CHECKS: &[Check] =
    &[CREDENTIALS, GRANTED, CONFIDENTIAL, FIRST_PARTY, CONFORMANT, ROTATION, CUSTOM_API];

pub(super) fn judge(_facts: &Facts, client: &ClientFacts, report: &mut Report) {
    let names = [("client", client.id.as_str())];
    report.note(At::new(&CREDENTIALS, &names), credentials(&client.credentials));
    granted(client, report);
    let settings = |check: &'static Check, judge: fn(&ClientSettings) -> Outcome| {
        let at = At::new(check, &names);
        let outcome = match &client.settings {
            Seen::Is(settings) => judge(settings),
            Seen::Missing => Outcome::failed("the tenant has no such client"),
            Seen::Untold(why) => Outcome::untold(&at, why),
        };
        (at, outcome)
    };
    let mut note = |check, judge| {
        let (at, outcome) = settings(check, judge);
        report.note(at, outcome);
    };
    note(&CONFIDENTIAL, confidential);
    note(&FIRST_PARTY, |said| switch(said.is_first_party, "it is third-party"));
    note(&CONFORMANT, |said| switch(said.oidc_conformant, "`oidc_conformant` is off"));
    if client.uses == ClientUse::Refresh {
        note(&ROTATION, rotation);
    }
    for audience in &client.audiences {
        custom_api(client, audience, report);
    }
}

fn credentials(probe: &Probe) -> Outcome {
    match probe {
        Probe::Known | Probe::NotGranted => Outcome::ok("the tenant knows it by them"),
        Probe::Rejected(error) => Outcome::failed(format!("{error}")),
        Probe::Failed(error) => Outcome::silent(format!("no answer: {error}")).instead("Ask again later."),
        Probe::Unasked => Outcome::silent("not asked").instead("Mend what failed before, then ask again."),
    }
}

/// By its settings, or where they are not to be had, by what an exchange of nonsense said.
fn granted(client: &ClientFacts, report: &mut Report) {
    let said = client.settings.known().and_then(|settings| settings.grant_types.clone());
    let mut wanted = said.clone().unwrap_or_else(|| vec!["authorization_code".into(), "refresh_token".into()]);
    wanted.push(GRANT.to_owned());
    let wanted = serde_json::to_string(&wanted).unwrap_or_default();
    let names = [("client", client.id.as_str()), (".grants", wanted.as_str())];
    let at = At::new(&GRANTED, &names);
    let outcome = match (&client.settings, said, &client.exchange) {
        (_, Some(grants), _) if grants.iter().any(|grant| grant == GRANT) => Outcome::ok("it has"),
        (_, Some(_), _) => Outcome::failed("it has not"),
        (Seen::Missing, ..) => Outcome::failed("the tenant has no such client"),
        (_, None, Some(Probe::Known)) => Outcome::ok("an exchange got as far as the token"),
        (_, None, Some(Probe::NotGranted)) => Outcome::failed("an exchange was answered by `unauthorized_client`"),
        (Seen::Untold(why), ..) => Outcome::untold(&at, why),
        (Seen::Is(_), None, _) => Outcome::silent("`grant_types` are not said"),
    };
    report.note(at, outcome);
}

fn confidential(said: &ClientSettings) -> Outcome {
    match said.token_endpoint_auth_method.as_deref() {
        Some("none") => Outcome::failed("`token_endpoint_auth_method` is `none`"),
        Some(method) => Outcome::ok(format!("`{method}`")),
        // Absent where credentials (keys or certificates) are registered instead.
        None => Outcome::ok("by registered credentials"),
    }
}

fn switch(said: Option<bool>, otherwise: &str) -> Outcome {
    match said {
        Some(true) => Outcome::ok("it is"),
        Some(false) => Outcome::failed(otherwise),
        None => Outcome::silent("that is not said"),
    }
}

fn rotation(said: &ClientSettings) -> Outcome {
    let kind = said.refresh_token.as_ref().and_then(|settings| settings.rotation_type.as_deref());
    match kind {
        Some("rotating") => Outcome::failed("`rotation_type` is `rotating`"),
        Some(kind) => Outcome::ok(format!("`{kind}`")),
        None => Outcome::ok("not set, which is `non-rotating`"),
    }
}

fn custom_api(client: &ClientFacts, audience: &str, report: &mut Report) {
    let names = [("client", client.id.as_str()), ("audience", audience)];
    let at = At::new(&CUSTOM_API, &names);
    let outcome = match &client.settings {
        Seen::Is(said) if said.app_type.as_deref() != Some("resource_server") => {
            Outcome::failed(format!("its `app_type` is `{}`", said.app_type.as_deref().unwrap_or("not set")))
        }
        Seen::Is(said) => match said.resource_server_identifier.as_deref() {
            Some(api) if api == audience => Outcome::ok("it is"),
            api => Outcome::failed(format!("it belongs to `{}`", api.unwrap_or("no API"))),
        },
        Seen::Missing => Outcome::failed("the tenant has no such client"),
        Seen::Untold(why) => Outcome::untold(&at, why),
    };
    report.note(at, outcome);
}
