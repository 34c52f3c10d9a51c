//! The table: every type of entry that is known, and what becomes of it. `docs/auth0-logs.md` is made of it.

use std::fmt::Write as _;

use onesec_telemetry::Rejection;

use super::Wire;
use super::entry::Entry;
use super::{accounts, exchange, governed, refresh, tenant};

/// How far the word of an entry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Informs,
    Ends,
    Grants,
    Nothing,
}

/// One type of entry.
pub(super) struct Row {
    pub(super) code: &'static str,
    /// What happened.
    what: &'static str,
    /// The kind of event it becomes.
    kind: &'static str,
    pub(super) word: Word,
    pub(super) map: Option<Map>,
}

type Map = for<'a> fn(&Entry<'a>) -> Result<Option<Wire>, Rejection>;

const fn row((code, what): (&'static str, &'static str), kind: &'static str, word: Word, map: Map) -> Row {
    Row { code, what, kind, word, map: Some(map) }
}

use Word::{Ends, Grants, Informs};

/// What is read.
const READ: &[Row] = &[
    row(("seta", "exchange at Token Vault"), "token_exchange_response", Informs, exchange::made),
    row(("feta", "exchange at Token Vault refused"), "token_exchange_response", Informs, exchange::refused),
    row(
        ("connected_accounts_connection_succeeded", "account linked"),
        "connected_account_link",
        Grants,
        accounts::linked,
    ),
    row(
        ("connected_accounts_connection_failed", "account not linked"),
        "custom.auth0.link_failed",
        Informs,
        accounts::link_failed,
    ),
    row(
        ("connected_accounts_delete_succeeded", "account unlinked"),
        "connected_account_unlink",
        Ends,
        accounts::unlinked,
    ),
    row(
        ("connected_accounts_delete_failed", "account not unlinked"),
        "custom.auth0.unlink_failed",
        Informs,
        accounts::unlink_failed,
    ),
    row(("sertft", "refresh token used"), "oauth_token", Informs, refresh::used),
    row(("fertft", "refresh token refused"), "custom.auth0.refresh_refused", Informs, refresh::refused),
    row(("ferrt", "rotated refresh token used again"), "custom.auth0.refresh_reused", Informs, refresh::reused),
    row(("srrt", "refresh token revoked"), "custom.auth0.refresh_revoked", Informs, refresh::revoked),
    row(
        ("success_on_behalf_of_token_exchange", "token exchanged on behalf of a user"),
        "oauth_token",
        Informs,
        governed::made,
    ),
    row(
        ("failed_on_behalf_of_token_exchange", "exchange on behalf of a user refused"),
        "custom.auth0.exchange_refused",
        Informs,
        governed::refused,
    ),
    row(("secte", "custom token exchange"), "oauth_token", Informs, governed::made),
    row(("fecte", "custom token exchange refused"), "custom.auth0.exchange_refused", Informs, governed::refused),
    row(("idjag_exchange_succeeded", "identity assertion issued"), "oauth_token", Informs, governed::made),
    row(
        ("idjag_exchange_failed", "identity assertion refused"),
        "custom.auth0.exchange_refused",
        Informs,
        governed::refused,
    ),
    row(
        ("jwt_bearer_exchange_failed", "JWT bearer grant refused"),
        "custom.auth0.exchange_refused",
        Informs,
        governed::refused,
    ),
    row(("sapi", "tenant changed through the Management API"), "custom.auth0.tenant_change", Informs, tenant::changed),
];

/// What is known, counted by name, and says nothing here.
const IGNORED: &[&str] = &[
    "acls_summary",
    "api_limit",
    "ciba_exchange_failed",
    "ciba_exchange_succeeded",
    "ciba_start_failed",
    "ciba_start_succeeded",
    "cs",
    "depnote",
    "f",
    "fapi",
    "fc",
    "fcp",
    "fcpn",
    "fcpr",
    "fcu",
    "fd",
    "fdelsa",
    "fde",
    "fdeleacft",
    "fdu",
    "feacft",
    "feccft",
    "fede",
    "fens",
    "feoobft",
    "feotpft",
    "fepft",
    "fepotpft",
    "fercft",
    "fimp",
    "fp",
    "fs",
    "fsa",
    "fu",
    "fui",
    "fv",
    "fvr",
    "gd_auth_failed",
    "gd_auth_succeed",
    "gd_enrollment_complete",
    "gd_otp_rate_limit_exceed",
    "gd_send_sms",
    "gd_start_auth",
    "gd_unenroll",
    "limit_delegation",
    "limit_mu",
    "limit_sul",
    "limit_wc",
    "mfar",
    "mgmt_api_read",
    "pla",
    "pwd_leak",
    "s",
    "sce",
    "scp",
    "scpn",
    "scpr",
    "scu",
    "sd",
    "sdel",
    "sdeleacft",
    "sdelsa",
    "sdu",
    "seacft",
    "seccft",
    "sede",
    "sens",
    "seoobft",
    "seotpft",
    "sepft",
    "sercft",
    "signup_pwd_leak",
    "slo",
    "ss",
    "ssa",
    "sui",
    "sv",
    "svr",
    "ublkdu",
    "universal_logout_failed",
    "universal_logout_succeeded",
    "w",
];

/// Rows of what is ignored.
static SILENT: std::sync::LazyLock<Vec<Row>> = std::sync::LazyLock::new(|| {
    let silent = |code: &&'static str| Row { code, what: "", kind: "", word: Word::Nothing, map: None };
    IGNORED.iter().map(silent).collect()
});

/// The row of a type.
pub(super) fn find(code: &str) -> Option<&'static Row> {
    READ.iter().chain(SILENT.iter()).find(|row| row.code == code)
}

/// Every type that is known by name: those that are read, then those that are ignored.
pub fn log_types() -> impl Iterator<Item = &'static str> {
    READ.iter().map(|row| row.code).chain(IGNORED.iter().copied())
}

/// The table for people, in Markdown.
#[must_use]
pub fn log_mapping() -> String {
    let mut text = String::from(HEAD);
    for row in READ {
        let word = match row.word {
            Word::Informs => "informs",
            Word::Ends => "ends the link at once",
            Word::Grants => "nothing, until it was read back",
            Word::Nothing => "nothing",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{}` | {} | `{}` | {word} |", row.code, row.what, row.kind);
    }
    text.push_str(CHANGES);
    for target in tenant::WATCHED {
        let _ = writeln!(text, "- `{target}`");
    }
    text.push_str(REST);
    for codes in IGNORED.chunks(12) {
        let list: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
        let _ = writeln!(text, "{}", list.join(", "));
    }
    text
}

const HEAD: &str = "\
# What entries of Auth0's tenant log mean here

Made of the code: `ONESEC_WRITE_DOCS=1 cargo test -p onesec-auth0 the_mapping_is_written_down`.

Entries come from a log stream (`POST /api/v1/auth0/logs`) or are fetched (`token_vault.pull_logs`, `onesec auth0 pull`).
Each is taken once, by its `log_id`, whichever way it comes and however often, for 30 days. Its own `date` counts; what is
more than two minutes old is *late*: it changes the ledger by its own time, joins no window, and raises nothing above LOW.

## Setting it up

At Auth0: a log stream of type *Custom Webhook* with the URL `https://<your name>/api/v1/auth0/logs`, content format *JSON
Lines* (the others are read as well) and an authorization token of 16 characters or more, which is compared verbatim; no
filter, and nothing masked or hashed: a user under a pseudonym is recognised by the token only. Here: the same text as
`token_vault.log_stream_authorization`, your name among `server.hosts`, and `enforcement.auth0`, a machine client with
`read:users`, so that links can be read back; `read:logs` as well where the log is fetched. `onesec accounts import
--from-auth0` makes known what was linked before.

The answer is 202 once everything is on the disk, 429 or 503 where nothing could be written, 400 where the delivery was cut
off: then Auth0 sends it again. An entry that cannot be read is kept as a dead letter (`onesec events --rejected`) and spoils
no other.

What the log tells is hearsay to policies: it raises alerts and messages, and what would harm somebody waits for a person.

## Types

The user is `user_id`, the connection `connection`, the client `client_id`. The agent is the registered one that is known
as `external_agent_id` or `agent_id`, else the one of that name; an entry with neither names no agent, whatever its client.

An entry that tells of an exchange of the gateway (the same token, else the same user and connection within 30 seconds) is
that exchange, and counts for nothing else. Each exchange is told of once.

| type | what happened | becomes | its word |
|---|---|---|---|
";

const CHANGES: &str = "
A link counts once `GET /api/v2/users/{id}/connected-accounts` lists it, with the scopes that stand there. Until then it is
stored and changes nothing.

`sapi` is read where one of these was created, changed or deleted, and is the detector `tenant-change`; of what was sent the
names of members are kept and no value:

";

const REST: &str = "
Counted by name, and ignored (`onesec_auth0_log_entries_total`); types that are not listed count as `other`:

";
