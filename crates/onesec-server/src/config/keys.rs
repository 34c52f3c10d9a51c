//! Every key of the configuration, and what may stand under it.

/// The type of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// Text.
    Text,
    /// Text that is never shown.
    Secret,
    /// `true`, `false`, `on`, `off`.
    Switch,
    /// A whole number.
    Number,
    /// Such as `5m`.
    Duration,
    /// Such as `2GiB`.
    Size,
    /// A list of texts, or one text; in the environment separated by commas.
    Texts,
    /// `on` or `off` for all connections, or a list of their names.
    Connections,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of sections with these keys; in a file only.
    Sections(&'static [(&'static str, Self)]),
    /// Policies, which have a reader of their own; in a file only.
    Policies,
    /// Rules of attack chains, read by the engine; in a file only.
    Rules,
}

/// Every key. A test compares the list with the default file; the environment is read by it.
pub(super) const KEYS: &[(&str, Type)] = &[
    ("server.listen", Type::Text),
    ("server.hosts", Type::Texts),
    ("server.trusted_proxies", Type::Texts),
    ("server.tls.cert", Type::Text),
    ("server.tls.key", Type::Text),
    ("server.tls.client_certificates", Type::Word(&["none", "any", "authority"])),
    ("server.tls.client_ca", Type::Text),
    ("server.data_dir", Type::Text),
    ("server.public_url", Type::Text),
    ("token_vault.enabled", Type::Switch),
    ("token_vault.auth0_domain", Type::Text),
    ("token_vault.auth0_client_id", Type::Text),
    ("token_vault.auth0_client_secret", Type::Secret),
    ("token_vault.auth0_base_url", Type::Text),
    ("token_vault.audience", Type::Texts),
    ("token_vault.clients", Type::Sections(CLIENT)),
    ("token_vault.pass_through", Type::Sections(&[("grant", Type::Text), ("audience", Type::Text)])),
    ("token_vault.proxy.domain", Type::Text),
    ("token_vault.proxy.origin", Type::Text),
    ("token_vault.proxy.origin_host", Type::Text),
    ("token_vault.proxy.api_key", Type::Secret),
    ("token_vault.connect_redirect_uris", Type::Texts),
    ("token_vault.revoke_at_provider", Type::Sections(super::revocation::REVOKE_AT)),
    ("token_vault.exclusive", Type::Connections),
    ("token_vault.ledger_complete", Type::Connections),
    ("token_vault.log_stream_authorization", Type::Secret),
    ("token_vault.pull_logs.every", Type::Duration),
    ("token_vault.reconcile.every", Type::Duration),
    ("token_vault.unproven_subject", Type::Word(&["refuse", "alert"])),
    ("token_vault.request_timeout", Type::Duration),
    ("token_vault.extra_root_ca", Type::Text),
    ("agents.issuers", Type::Sections(ISSUER)),
    ("agents.possession", Type::Word(&["none", "dpop", "mtls"])),
    ("delegations.default_connections", Type::Texts),
    ("delegations.unattested", Type::Word(&["refuse", "alert", "allow"])),
    ("delegations.link_lifetime", Type::Duration),
    ("delegations.root_keys", Type::Text),
    ("delegations.admin_delegation", Type::Word(&["alert"])),
    ("delegations.max_depth", Type::Number),
    ("detectors.exchange-rate.limit", Type::Number),
    ("detectors.exchange-rate.window", Type::Duration),
    ("detectors.connection-fan-out.connections", Type::Number),
    ("detectors.user-fan-out.personal", Type::Number),
    ("detectors.user-fan-out.service", Type::Number),
    ("detectors.exchange-probing.failures", Type::Number),
    ("detectors.exchange-probing.distinct", Type::Number),
    ("detectors.exchange-probing.percent", Type::Number),
    ("detectors.dormant-agent.after", Type::Duration),
    ("detectors.dormant-agent.burst", Type::Number),
    ("detectors.refresh-storm.exchanges", Type::Number),
    ("detectors.tenant-change.provisioners", Type::Texts),
    ("detectors.consent-phishing.scopes", Type::Number),
    ("detectors.consent-phishing.users", Type::Number),
    ("detectors.tool-misuse.blocked", Type::Texts),
    ("detectors.tool-misuse.repeats", Type::Number),
    ("detectors.rogue-agent.depth", Type::Number),
    ("detectors.rogue-agent.children", Type::Number),
    ("detectors.rogue-agent.swarm", Type::Number),
    ("detectors.rogue-agent.require_registration", Type::Switch),
    ("detectors.rogue-agent.provisioners", Type::Texts),
    ("detectors.inter-agent-spoofing.require_signatures", Type::Switch),
    ("detectors.agent-web-access.max_payment", Type::Number),
    ("detectors.agent-web-access.max_daily", Type::Number),
    ("detectors.agent-web-access.max_payments_per_hour", Type::Number),
    ("detectors.agent-web-access.internal_hosts", Type::Texts),
    ("detectors.agent-web-access.ai_services", Type::Texts),
    ("detectors.attack-chain.off", Type::Texts),
    ("detectors.attack-chain.rules", Type::Rules),
    ("text.strictness", Type::Word(&["lenient", "standard", "strict"])),
    ("modules.token_vault", Type::Switch),
    ("modules.consent", Type::Switch),
    ("modules.ai_containment", Type::Switch),
    ("modules.agentic_web", Type::Switch),
    ("enforcement.mode", Type::Word(&["dry_run", "live"])),
    ("enforcement.preset", Type::Word(&["observe", "balanced", "strict", "vps-agent"])),
    ("enforcement.policies", Type::Policies),
    ("enforcement.webhook.url", Type::Secret),
    ("enforcement.webhook.secret", Type::Secret),
    ("enforcement.webhook.template", Type::Word(&["json", "slack", "teams", "pagerduty"])),
    ("enforcement.webhook.allow_private", Type::Switch),
    ("enforcement.auth0.client_id", Type::Text),
    ("enforcement.auth0.client_secret", Type::Secret),
    ("enforcement.auth0.domain", Type::Text),
    ("enforcement.auth0.base_url", Type::Text),
    ("enforcement.firewall", Type::Word(&["auto", "off"])),
    ("enforcement.four_eyes", Type::Word(&["owner", "off"])),
    ("security_events.transmitters", Type::Sections(super::signals::TRANSMITTER)),
    ("security_events.responses", Type::Sections(super::signals::RESPONSE)),
    ("security_events.max_age", Type::Duration),
    ("security_events.issuer", Type::Text),
    ("security_events.receivers", Type::Sections(super::signals::RECEIVER)),
    ("journal.retention.events", Type::Duration),
    ("journal.retention.alerts", Type::Duration),
    ("journal.retention.responses", Type::Duration),
    ("journal.max_size", Type::Size),
    ("journal.snapshot_every", Type::Number),
    ("quotas.events_per_minute", Type::Number),
    ("quotas.exchanges_per_minute", Type::Number),
];

/// One client of ours at Auth0.
const CLIENT: &[(&str, Type)] = &[
    ("client_id", Type::Text),
    ("client_secret", Type::Secret),
    ("private_key_file", Type::Text),
    ("key_id", Type::Text),
    ("use", Type::Word(&["refresh", "access", "worker"])),
    ("audience", Type::Text),
];

/// One issuer of agents' own tokens.
const ISSUER: &[(&str, Type)] = &[("issuer", Type::Text), ("audience", Type::Texts), ("jwks_uri", Type::Text)];
