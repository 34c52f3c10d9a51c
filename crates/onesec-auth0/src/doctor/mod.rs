//! Whether a tenant is set up so that Token Vault can work, and so that nobody gets round us: what was seen, what to
//! change, and where.
//!
//! [`gather`] asks; [`judge`] knows neither network nor clock and says what the answers mean. Each check is data
//! ([`Check`]), from which the page of all checks is made.

mod answers;
mod api;
mod bypass;
mod client;
mod connection;
mod facts;
mod gather;
mod log_stream;
mod my_account;
mod report;
mod tenant;
mod user;
mod worker;

#[cfg(test)]
mod tests;

pub use answers::{
    Api, ClientGrant, ClientSettings, ClientSummary, CustomDomain, LogSink, LogStream, NetworkAcl, PrivilegedAccess,
    RefreshPolicy, RefreshTokenSettings, VaultAccount,
};
pub use facts::{
    ClientFacts, ClientUse, ConnectionFacts, Discovery, Enabled, Facts, Probe, Seen, Server, Untold, UserFacts,
};
pub use gather::{Plan, PlannedClient, gather};
pub use report::{Checked, Report, Status};

/// One thing that can be wrong with a set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// Stable, for scripts.
    pub id: &'static str,
    /// What it is a part of.
    pub group: &'static str,
    /// What is true where all is well.
    pub title: &'static str,
    /// Scopes of the Management API that our client needs for the answer.
    pub scopes: &'static [&'static str],
    /// What to change. Names in braces stand for what the check was about.
    pub change: &'static str,
    /// Where in Auth0's dashboard, or in our configuration.
    pub dashboard: &'static str,
    /// The call of the Management API that does the same; empty where there is none.
    pub call: &'static str,
    /// Where Auth0's documentation, or ours, says so.
    pub reference: &'static str,
}

/// Every check, in the order in which they are made: what comes first is likely the reason for what follows.
pub fn catalogue() -> impl Iterator<Item = &'static Check> {
    let groups = [
        tenant::CHECKS,
        client::CHECKS,
        worker::CHECKS,
        api::CHECKS,
        my_account::CHECKS,
        connection::CHECKS,
        user::CHECKS,
        log_stream::CHECKS,
        bypass::CHECKS,
    ];
    groups.into_iter().flatten()
}

/// The scopes of the Management API that all checks together need: the least that answers everything.
#[must_use]
pub fn scopes() -> Vec<&'static str> {
    let mut scopes: Vec<&str> = catalogue().flat_map(|check| check.scopes).copied().collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

/// What the answers mean.
#[must_use]
pub fn judge(facts: &Facts) -> Report {
    let mut report = Report::new(&facts.domain);
    tenant::judge(facts, &mut report);
    for client in &facts.clients {
        client::judge(facts, client, &mut report);
        worker::judge(facts, client, &mut report);
    }
    api::judge(facts, &mut report);
    my_account::judge(facts, &mut report);
    connection::judge(facts, &mut report);
    user::judge(facts, &mut report);
    log_stream::judge(facts, &mut report);
    bypass::judge(facts, &mut report);
    report
}

/// The page of all checks, in Markdown.
#[must_use]
pub fn table() -> String {
    let mut page = String::new();
    let mut group = "";
    for check in catalogue() {
        if check.group != group {
            group = check.group;
            page.push_str(&format!("\n### {group}\n\n| check | all is well where | otherwise | where | scopes |\n"));
            page.push_str("|---|---|---|---|---|\n");
        }
        let scopes: Vec<String> = check.scopes.iter().map(|scope| format!("`{scope}`")).collect();
        let place = match check.call {
            "" => check.dashboard.to_owned(),
            call => format!("{}; `{}`", check.dashboard, call.replace('|', "\\|")),
        };
        let (id, title, change) = (check.id, check.title, check.change);
        page.push_str(&format!("| `{id}` | {title} | {change} | {place} | {} |\n", scopes.join(" ")));
    }
    page
}
