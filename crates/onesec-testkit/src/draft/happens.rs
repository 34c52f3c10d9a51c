//! What happens in a draft: kinds by the names that stories use, commands, ticks.

use onesec_telemetry::{AlertId, AlertStatus, Body, Command, Mode};
use serde_json::{Map, Value};

use super::{Draft, From};

/// What happens.
impl Draft {
    /// An event of `kind`, by its wire name.
    pub fn event(mut self, kind: &str) -> Self {
        self.kind = Some(kind.to_owned());
        self
    }

    /// A member of its details.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Members of its details.
    pub fn details(mut self, members: Map<String, Value>) -> Self {
        self.details.extend(members);
        self
    }

    /// The agent it is about; filled in from the credential where that names one.
    pub fn agent(self, agent: &str) -> Self {
        self.with("agent_id", agent)
    }

    /// The scopes it names.
    pub fn scopes(self, scopes: &str) -> Self {
        self.with("scopes", scopes)
    }

    /// The agent asks for a token of `user` at `connection`.
    pub fn exchange(self, user: &str, connection: &str) -> Self {
        self.event("token_exchange").with("user_id", user).with("connection", connection)
    }

    /// An exchange ended well.
    pub fn issued(self, user: &str, connection: &str) -> Self {
        let issued = self.event("token_exchange_response").with("success", true);
        issued.with("user_id", user).with("connection", connection)
    }

    /// A token of `user` at `connection` is used.
    pub fn usage(self, user: &str, connection: &str) -> Self {
        self.event("connected_account_usage").with("user_id", user).with("connection", connection)
    }

    /// `user` connects an account.
    pub fn link(self, user: &str, connection: &str) -> Self {
        self.event("connected_account_link").with("user_id", user).with("connection", connection)
    }

    /// `user` disconnects it.
    pub fn unlink(self, user: &str, connection: &str) -> Self {
        self.event("connected_account_unlink").with("user_id", user).with("connection", connection)
    }

    /// `by`, a user or an agent, lets `agent` act at `connection`.
    pub fn delegate(self, by: &str, agent: &str, connection: &str) -> Self {
        let delegation = self.event("agent_identity_delegation").with("delegated_by", by);
        delegation.agent(agent).with("connection", connection)
    }

    /// `by` takes back what `agent` may do at `connection`.
    pub fn revoke(self, by: &str, agent: &str, connection: &str) -> Self {
        let revocation = self.event("agent_delegation_revoked").with("delegated_by", by);
        revocation.agent(agent).with("connection", connection)
    }

    /// `user` grants `scopes` to the application `app`.
    pub fn grant(self, user: &str, app: &str, scopes: &str) -> Self {
        self.event("oauth_grant").with("username", user).with("app_id", app).scopes(scopes)
    }

    /// A person or the configuration commands something.
    pub fn command(mut self, command: Command) -> Self {
        if self.from == From::Reporter {
            self.from = From::Person;
        }
        self.body = Some(Body::Command(command));
        self
    }

    /// A person decides on an alert.
    pub fn decides(self, alert: &AlertId, status: AlertStatus) -> Self {
        self.command(Command::SetAlertStatus { alert: alert.clone(), status, note: None })
    }

    /// Live, or dry run.
    pub fn mode(self, mode: Mode) -> Self {
        self.command(Command::SetMode(mode))
    }

    /// Time passes.
    pub fn tick(mut self) -> Self {
        self.from = From::Person;
        self.body = Some(Body::Tick);
        self
    }
}
