//! Actions as policies name them.

use std::time::Duration;

use onesec_telemetry::redact::redact_text;
use onesec_telemetry::{Name, Secret, Thumbprint};
use serde_json::{Value, json};

use crate::policy::PolicyError;
use crate::policy::Section;

/// What is to be done. Closed: whoever carries actions out must think about a new one.
#[derive(Debug, Clone)]
pub enum ActionSpec {
    /// A line in the server's log.
    Log,
    /// A signed message to somebody's server.
    Webhook(Box<Webhook>),
    /// The agent gets so many exchanges and no more, for a while.
    RateLimitAgent {
        /// So many.
        limit: u32,
        /// In this time.
        per: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// Nothing of the agent passes.
    SuspendAgent {
        /// For how long; until a person ends it, where absent.
        lasts: Option<Duration>,
    },
    /// What the alert's user lets the agent do at the connection is taken back.
    RevokeDelegation,
    /// The agent's registered processes are ended.
    KillProcess {
        /// How long they have to end by themselves.
        grace: Duration,
    },
    /// The address that the agent came from is refused.
    BlockIp {
        /// For how long.
        lasts: Duration,
    },
    /// The user's refresh tokens are revoked at Auth0.
    RevokeRefreshTokens {
        /// Those of this client of the tenant; of all where absent.
        client: Option<String>,
    },
    /// The user's connected account is removed at Auth0.
    RevokeConnectedAccount,
    /// The user's metadata at Auth0 says that something is wrong.
    Auth0FlagUser,
    /// A program of the operator's, with the alert on its standard input.
    Command {
        /// Program and arguments; no shell.
        argv: Vec<String>,
        /// The longest that it may run.
        timeout: Duration,
    },
    /// Somebody else's action.
    Custom {
        /// Which.
        kind: Name,
        /// Its settings: JSON text.
        settings: String,
    },
}

/// Where a message goes, and how.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The host, to be shown.
    pub host: String,
    /// SHA-256 of the address, which may be a secret itself: what tells two of the same host apart.
    pub digest: Thumbprint,
    /// The address; absent where this was read back from a record.
    pub url: Option<Secret>,
    /// Signs the message (Standard Webhooks).
    pub secret: Option<Secret>,
    /// In whose words.
    pub template: Template,
    /// Addresses of private networks are allowed.
    pub allow_private: bool,
}

/// In whose words a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Template {
    /// The alert as JSON.
    #[default]
    Json,
    /// Slack's incoming webhooks.
    Slack,
    /// Microsoft Teams' workflows.
    Teams,
    /// PagerDuty's Events API, version 2.
    PagerDuty,
}

impl Template {
    /// The name in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::PagerDuty => "pagerduty",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Json, Self::Slack, Self::Teams, Self::PagerDuty].into_iter().find(|t| t.as_str() == name)
    }
}

impl PartialEq for ActionSpec {
    /// Two are the same where they are written the same; secrets are not compared, their addresses' digests are.
    fn eq(&self, other: &Self) -> bool {
        self.shown() == other.shown()
    }
}

impl Eq for ActionSpec {}

impl ActionSpec {
    /// The name in configuration and receipts.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Log => "log",
            Self::Webhook(_) => "webhook",
            Self::RateLimitAgent { .. } => "rate_limit_agent",
            Self::SuspendAgent { .. } => "suspend_agent",
            Self::RevokeDelegation => "revoke_delegation",
            Self::KillProcess { .. } => "kill_process",
            Self::BlockIp { .. } => "block_ip",
            Self::RevokeRefreshTokens { .. } => "revoke_refresh_tokens",
            Self::RevokeConnectedAccount => "revoke_connected_account",
            Self::Auth0FlagUser => "auth0_flag_user",
            Self::Command { .. } => "command",
            Self::Custom { kind, .. } => kind.as_str(),
        }
    }

    /// Whether it stops somebody: on the word of others it then waits for a person.
    #[must_use]
    pub const fn is_harmful(&self) -> bool {
        match self {
            Self::Log | Self::Webhook(_) => false,
            Self::RateLimitAgent { .. }
            | Self::SuspendAgent { .. }
            | Self::RevokeDelegation
            | Self::KillProcess { .. }
            | Self::BlockIp { .. }
            | Self::RevokeRefreshTokens { .. }
            | Self::RevokeConnectedAccount
            | Self::Auth0FlagUser
            | Self::Command { .. }
            | Self::Custom { .. } => true,
        }
    }

    /// What it is done to.
    #[must_use]
    pub const fn aims_at(&self) -> Aim {
        match self {
            Self::Log | Self::Webhook(_) | Self::Command { .. } | Self::Custom { .. } => Aim::Nothing,
            Self::RateLimitAgent { .. } | Self::SuspendAgent { .. } | Self::KillProcess { .. } => Aim::Agent,
            Self::RevokeDelegation => Aim::Delegation,
            Self::BlockIp { .. } => Aim::Address,
            Self::RevokeRefreshTokens { .. } | Self::Auth0FlagUser => Aim::User,
            Self::RevokeConnectedAccount => Aim::Account,
        }
    }

    /// Whether it is done to a user: then it matters who says which user it was.
    #[must_use]
    pub const fn aims_at_user(&self) -> bool {
        matches!(self.aims_at(), Aim::User | Aim::Account)
    }

    /// As it is written, without secrets: for records, receipts and people.
    #[must_use]
    pub fn shown(&self) -> Value {
        let seconds = |d: &Duration| shown_duration(*d);
        match self {
            Self::Log
            | Self::RevokeDelegation
            | Self::RevokeRefreshTokens { client: None }
            | Self::RevokeConnectedAccount
            | Self::Auth0FlagUser => json!(self.kind()),
            Self::RevokeRefreshTokens { client: Some(client) } => {
                json!({"revoke_refresh_tokens_of": {"client_id": client}})
            }
            Self::Webhook(hook) => json!({"webhook": {
                "host": hook.host, "digest": hook.digest, "template": hook.template.as_str(),
                "allow_private": hook.allow_private,
            }}),
            Self::RateLimitAgent { limit, per, lasts } => {
                json!({"rate_limit_agent": {"limit": limit, "per": seconds(per), "for": seconds(lasts)}})
            }
            Self::SuspendAgent { lasts } => json!({"suspend_agent": {"for": lasts.as_ref().map(seconds)}}),
            Self::KillProcess { grace } => json!({"kill_process": {"grace": seconds(grace)}}),
            Self::BlockIp { lasts } => json!({"block_ip": {"for": seconds(lasts)}}),
            Self::Command { argv, timeout } => json!({"command": {"argv": argv, "timeout": seconds(timeout)}}),
            Self::Custom { kind, settings } => {
                let settings: Value = serde_json::from_str(settings).unwrap_or_default();
                json!({kind.as_str(): settings})
            }
        }
    }

    /// Reads one action: its name, or a section of one key that is its name. `hook` is the `webhook` action meant by those
    /// that name no address.
    ///
    /// # Errors
    /// [`PolicyError`] where it cannot run as written.
    pub fn read(value: &Value, path: &str, hook: Option<&Value>) -> Result<Self, PolicyError> {
        let empty = json!({});
        let named = value.as_str().map(|kind| (kind, &empty));
        let sectioned = || value.as_object().filter(|map| map.len() == 1)?.iter().next().map(|(k, v)| (k.as_str(), v));
        let Some((kind, settings)) = named.or_else(sectioned) else {
            return Err(PolicyError::value(path, "must be the name of an action, or a section of one key"));
        };
        let settings = if settings.is_null() { &empty } else { settings };
        if let (Some(hook), "webhook", true) = (hook, kind, settings.as_object().is_some_and(serde_json::Map::is_empty))
        {
            return Self::read(hook, path, None);
        }
        // Where an action's name belongs there may stand a secret.
        read_kind(kind, settings, &format!("{path}.{}", redact_text(kind)))
    }
}

/// As configuration writes it: what is read back is what was meant, to the millisecond.
pub(crate) fn shown_duration(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

/// What an action is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// Nobody in particular.
    Nothing,
    /// The alert's agent.
    Agent,
    /// The alert's user.
    User,
    /// The alert's user's accounts at its connection.
    Account,
    /// What the alert's user lets its agent do.
    Delegation,
    /// Where the agent came from, by the socket and never by anybody's word.
    Address,
}

fn read_kind(kind: &str, settings: &Value, path: &str) -> Result<ActionSpec, PolicyError> {
    let section = |known: &[&'static str]| Section::of(settings, path, known);
    let nothing = || section(&[]).map(|_| ());
    match kind {
        "log" => nothing().map(|()| ActionSpec::Log),
        "revoke_delegation" => nothing().map(|()| ActionSpec::RevokeDelegation),
        "revoke_refresh_tokens" if settings.as_object().is_some_and(|said| !said.is_empty()) => {
            // What stands below such a name is redacted wherever it is recorded.
            Err(PolicyError::value(path, "takes no settings: write `revoke_refresh_tokens_of: {client_id: …}`"))
        }
        "revoke_refresh_tokens" => nothing().map(|()| ActionSpec::RevokeRefreshTokens { client: None }),
        "revoke_refresh_tokens_of" => {
            let client = section(&["client_id"])?.needed("client_id")?.to_owned();
            Ok(ActionSpec::RevokeRefreshTokens { client: Some(client) })
        }
        "revoke_connected_account" => nothing().map(|()| ActionSpec::RevokeConnectedAccount),
        "auth0_flag_user" => nothing().map(|()| ActionSpec::Auth0FlagUser),
        "webhook" => webhook(&section(&["url", "secret", "template", "allow_private", "host", "digest"])?),
        "rate_limit_agent" => {
            let said = section(&["limit", "per", "for"])?;
            let limit = said.count("limit", 10_000)?.ok_or_else(|| said.wrong("limit", "is needed"))?;
            let per = said.lasting("per", HOUR)?.unwrap_or(MINUTE);
            let lasts = said.lasting("for", WEEK)?.unwrap_or(QUARTER);
            Ok(ActionSpec::RateLimitAgent { limit, per, lasts })
        }
        "suspend_agent" => Ok(ActionSpec::SuspendAgent { lasts: section(&["for"])?.lasting("for", WEEK)? }),
        "kill_process" => {
            let grace = section(&["grace"])?.duration("grace", MINUTE)?.unwrap_or(Duration::from_secs(5));
            Ok(ActionSpec::KillProcess { grace })
        }
        "block_ip" => Ok(ActionSpec::BlockIp { lasts: section(&["for"])?.lasting("for", WEEK)?.unwrap_or(HOUR) }),
        "command" => {
            let said = section(&["argv", "timeout"])?;
            let argv = said.texts("argv")?;
            if !argv.first().is_some_and(|program| program.starts_with('/')) {
                return Err(said.wrong("argv", "must begin with the absolute path of a program"));
            }
            let timeout = said.lasting("timeout", Duration::from_secs(600))?.unwrap_or(Duration::from_secs(30));
            Ok(ActionSpec::Command { argv, timeout })
        }
        other => custom(other, settings, path),
    }
}

fn webhook(said: &Section<'_>) -> Result<ActionSpec, PolicyError> {
    let template = said.text("template")?.unwrap_or("json");
    let template = Template::from_name(template)
        .ok_or_else(|| said.wrong("template", "must be one of `json`, `slack`, `teams`, `pagerduty`"))?;
    let secret = said.text("secret")?.map(|text| Secret::new(text.to_owned()));
    let allow_private = said.switch("allow_private")?;
    let (host, digest, url) = match (said.text("url")?, said.text("host")?) {
        (Some(url), _) => {
            let host =
                host_of(url).ok_or_else(|| said.wrong("url", "must be `https://…`, or `http://` to this machine"))?;
            (host, Thumbprint::of(url.as_bytes()), Some(Secret::new(url.to_owned())))
        }
        // As a record has it.
        (None, Some(host)) => {
            let digest = said.needed("digest")?.parse();
            (host.to_owned(), digest.map_err(|_| said.wrong("digest", "is no digest"))?, None)
        }
        (None, None) => {
            return Err(said.wrong("url", "is needed, here or as `enforcement.webhook.url` for all that name none"));
        }
    };
    Ok(ActionSpec::Webhook(Box::new(Webhook { host, digest, url, secret, template, allow_private })))
}

/// The host of an address that a message may go to. Plain HTTP would show the alert to the network.
fn host_of(url: &str) -> Option<String> {
    let (rest, plain) = match url.split_once("://")? {
        ("https", rest) => (rest, false),
        ("http", rest) => (rest, true),
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    if authority.is_empty() || authority.contains('@') || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    let local = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    (!host.is_empty() && (!plain || local)).then(|| host.to_ascii_lowercase())
}

/// Somebody else's: its name has a prefix, so that a misspelt one of ours is none.
fn custom(kind: &str, settings: &Value, path: &str) -> Result<ActionSpec, PolicyError> {
    let own = kind.strip_prefix("x_").and_then(|_| Name::new(kind).ok());
    match own {
        Some(kind) => Ok(ActionSpec::Custom { kind, settings: settings.to_string() }),
        None => {
            let suggestion = onesec_telemetry::suggest::did_you_mean(kind, KINDS).map(str::to_owned);
            Err(PolicyError::Unknown { path: path.to_owned(), suggestion })
        }
    }
}

/// Every action that is built in.
pub const KINDS: [&str; 11] = [
    "log",
    "webhook",
    "rate_limit_agent",
    "suspend_agent",
    "revoke_delegation",
    "kill_process",
    "block_ip",
    "revoke_refresh_tokens",
    "revoke_connected_account",
    "auth0_flag_user",
    "command",
];
const MINUTE: Duration = Duration::from_secs(60);
const QUARTER: Duration = Duration::from_secs(900);
const HOUR: Duration = Duration::from_secs(3_600);
const WEEK: Duration = Duration::from_secs(7 * 86_400);
