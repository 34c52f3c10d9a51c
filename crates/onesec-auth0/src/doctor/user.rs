//! One user: connected, or merely logged in.

use super::report::{At, Outcome, Report};
use super::{Check, Facts, Seen, UserFacts, VaultAccount};

const GROUP: &str = "A user (`--user`, `--connection`)";
const READ: &[&str] = &["read:users"];
const REFERENCE: &str = "Auth0: Connected Accounts for Token Vault";

const CONNECTED: Check = Check {
    id: "user-connected",
    group: GROUP,
    title: "the user has connected an account",
    scopes: READ,
    change: "Let {user} connect {connection} in your application by the My Account API (`POST \
             /me/v1/connected-accounts/connect`, scope `create:me:connected_accounts`). To log in with {connection} does not \
             connect it.",
    dashboard: "User Management > Users > {user} > Connected Accounts",
    call: "none for an administrator: the user consents, at https://{domain}/me/v1/connected-accounts/connect",
    reference: REFERENCE,
};

const SCOPES: Check = Check {
    id: "user-scopes",
    group: GROUP,
    title: "the account has scopes, and can be renewed",
    scopes: READ,
    change: "Let {user} connect {connection} anew with the scopes that agents need (`scopes` of the connect request).",
    dashboard: "Authentication > {connection} > Permissions",
    call: "none for an administrator: the user consents, at https://{domain}/me/v1/connected-accounts/connect",
    reference: REFERENCE,
};

const HINT: Check = Check {
    id: "user-login-hint",
    group: GROUP,
    title: "there is one account, or exchanges say which",
    scopes: READ,
    change: "Name the account in every exchange (`login_hint`): {user} has several at {connection}, and without it Auth0 \
             picks one.",
    dashboard: "User Management > Users > {user} > Connected Accounts",
    call: "",
    reference: "Auth0: Token Vault, get token, `login_hint`",
};

pub(super) const CHECKS: &[Check] = &[CONNECTED, SCOPES, HINT];

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    let Some(user) = &facts.user else { return };
    let names = [("user", user.id.as_str()), ("connection", user.connection.as_str())];
    let accounts: Vec<&VaultAccount> = match &user.accounts {
        Seen::Is(all) => all.iter().filter(|account| account.connection == user.connection).collect(),
        Seen::Missing => {
            let unknown = Outcome::failed("the tenant knows no such user")
                .instead("Name the user by the id that the tenant has, such as `auth0|…` or `google-oauth2|…`.");
            return report.note(At::new(&CONNECTED, &names), unknown);
        }
        Seen::Untold(why) => {
            let at = At::new(&CONNECTED, &names);
            return report.note(at, Outcome::untold(&at, why));
        }
    };
    report.note(At::new(&CONNECTED, &names), connected(user, accounts.len()));
    if accounts.is_empty() {
        return;
    }
    for account in &accounts {
        let names = [names[0], names[1], ("account", account.id.as_str())];
        report.note(At::new(&SCOPES, &names), scopes(account));
    }
    let hint = match accounts.len() {
        1 => Outcome::ok("there is one"),
        several => Outcome::warning(format!("{several} accounts at this connection")),
    };
    report.note(At::new(&HINT, &names), hint);
}

fn connected(user: &UserFacts, accounts: usize) -> Outcome {
    let logged_in = user.identities.known().is_some_and(|all| all.contains(&user.connection));
    match (accounts, logged_in) {
        (0, true) => {
            Outcome::failed("the user logged in with it, which puts nothing into Token Vault, and never connected it")
        }
        (0, false) => Outcome::failed("the user never connected it"),
        (1, _) => Outcome::ok("one account"),
        (several, _) => Outcome::ok(format!("{several} accounts")),
    }
}

fn scopes(account: &VaultAccount) -> Outcome {
    let scopes = account.scopes.as_deref().unwrap_or_default();
    if account.access_type.as_deref().is_some_and(|kind| kind != "offline") {
        return Outcome::failed("it cannot be renewed: its access is not `offline`");
    }
    if scopes.is_empty() {
        return Outcome::warning("no scopes are listed");
    }
    Outcome::ok(format!("`{}`", scopes.join(" ")))
}
