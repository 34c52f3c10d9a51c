//! The configuration as people write it, and what they are told when it is wrong.

use std::collections::HashMap;

use super::keys::KEYS;
use super::said::variable;
use super::*;
use crate::server::builtin_settings;

fn load(yaml: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let env: HashMap<String, String> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Config::from_yaml(yaml, &|name| env.get(name).cloned())
}

fn complaint(yaml: &str, env: &[(&str, &str)]) -> String {
    load(yaml, env).expect_err(yaml).to_string()
}

#[test]
fn the_default_file_says_what_holds_without_it() {
    let (file, none) = (load(DEFAULT_CONFIG, &[]).expect("default"), load("", &[]).expect("empty"));
    let mut written = file.settings.clone();
    let rate = written.detectors.remove("exchange-rate").expect("shown in the default file");
    assert_eq!((rate["limit"].as_u64(), rate["window_seconds"].as_u64()), (Some(20), Some(300)));
    let consent = written.detectors.remove("consent-phishing").expect("shown in the default file");
    assert_eq!((consent["scopes"].as_u64(), consent["users"].as_u64()), (Some(10), Some(5)));
    // What the file says of the others is what they are without it.
    let said = builtin_settings(&written).expect("settings");
    let own = onesec_detectors::Settings::default();
    assert_eq!((said.tools, said.rogue, said.web), (own.tools, own.rogue, own.web));
    assert_eq!(said.require_signatures, own.require_signatures);
    written.detectors.clear();
    assert_eq!(written, none.settings);
    assert_eq!((file.listen, file.retention, file.max_journal_bytes), (none.listen, none.retention, None));
    assert!(file.token_vault.is_none() && file.tenants.is_empty() && file.tls.is_none());
    assert_eq!(file.listen.to_string(), "127.0.0.1:1780");
}

#[test]
fn a_misspelt_key_is_an_error_with_a_suggestion() {
    assert_eq!(complaint("sever: {}", &[]), "unknown key `sever`, did you mean `server`?");
    assert_eq!(
        complaint("token_vault: {auth0_domian: x}", &[]),
        "unknown key `token_vault.auth0_domian`, did you mean `auth0_domain`?"
    );
    assert_eq!(
        complaint("detectors: {exchange-rate: {limits: 3}}", &[]),
        "unknown key `detectors.exchange-rate.limits`, did you mean `limit`?"
    );
    assert_eq!(
        complaint("tenants: {acme: {token_vault: {audiense: a}}}", &[]),
        "unknown key `tenants.acme.token_vault.audiense`, did you mean `audience`?"
    );
    assert_eq!(
        complaint("enforcement: {mode: dryrun}", &[]),
        "`enforcement.mode` must be one of `dry_run`, `live`, did you mean `dry_run`?"
    );
    assert_eq!(complaint("zebra: 1", &[]), "unknown key `zebra`");
}

#[test]
fn policies_are_read_strictly_and_no_secret_becomes_a_setting() {
    let yaml = |actions: &str| {
        format!(
            "enforcement:\n  webhook: {{url: 'https://hooks.example/s3cret-path', secret: whsec_s3cret}}\n  policies:\n  \
             - {{name: stop, match: {{detectors: unauthorized-agent}}, actions: [{actions}]}}"
        )
    };
    let config = load(&yaml("webhook, {suspend_agent: {for: 1h}}"), &[]).expect("valid");
    let settings = config.settings.to_json().to_string();
    assert!(settings.contains("hooks.example") && !settings.contains("s3cret"), "{settings}");
    assert!(!format!("{config:?}").contains("s3cret"));
    assert_eq!(config.hooks.len(), 1);
    assert_eq!(
        complaint(&yaml("susspend_agent"), &[]),
        "unknown key `enforcement.policies[0].actions[0].susspend_agent`, did you mean `suspend_agent`?"
    );
    let no_address = "enforcement: {policies: [{name: x, match: {}, actions: [webhook]}]}";
    assert!(complaint(no_address, &[]).contains("enforcement.webhook.url"), "{}", complaint(no_address, &[]));
    let misspelt = "enforcement: {webhook: {url: 'https://x.example', sekret: a}}";
    assert_eq!(complaint(misspelt, &[]), "unknown key `enforcement.webhook.sekret`, did you mean `secret`?");
}

#[test]
fn the_same_key_twice_and_broken_yaml_tell_the_place_only() {
    let twice = complaint("token_vault:\n  auth0_client_secret: hunter2\n  auth0_client_secret: hunter3\n", &[]);
    assert!(twice.starts_with("not valid YAML, line ") && !twice.contains("hunter"), "{twice}");
    assert!(complaint("server: [", &[]).starts_with("not valid YAML"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let yaml = "server: {listen: '127.0.0.1:1'}\ndetectors: {exchange-rate: {limit: 5, window: 1m}}";
    let env = [
        ("ONESEC_SERVER_LISTEN", "127.0.0.1:2"),
        ("ONESEC_SERVER_HOSTS", "a.example, b.example"),
        ("ONESEC_DETECTORS_EXCHANGE_RATE_LIMIT", "7"),
        ("ONESEC_MODULES_CONSENT", "off"),
        ("ONESEC_ENFORCEMENT_MODE", "live"),
        ("ONESEC_JOURNAL_RETENTION_EVENTS", "3d"),
    ];
    let config = load(yaml, &env).expect("valid");
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.hosts, ["a.example", "b.example"]);
    let rate = &config.settings.detectors["exchange-rate"];
    assert_eq!((rate["limit"].as_u64(), rate["window_seconds"].as_u64()), (Some(7), Some(60)));
    assert_eq!(config.settings.modules_off, ["consent"]);
    assert_eq!(config.settings.enforcement.mode, onesec_telemetry::Mode::Live);
    assert_eq!(config.retention.events, Duration::from_secs(3 * 86_400));
    assert_eq!(complaint("", &[("ONESEC_MODULES_CONSENT", "maybe")]), "`ONESEC_MODULES_CONSENT` must be `on` or `off`");
}

#[test]
fn auth0_domain_enables_token_vault_and_onesec_variables_win_over_it() {
    let vault = |env: &[(&str, &str)]| load("token_vault: {enabled: off}", env).expect("valid").token_vault;
    assert!(vault(&[]).is_none());
    let domain = vault(&[("AUTH0_DOMAIN", "t.eu.auth0.com")]).expect("enabled");
    assert_eq!((domain.domain.as_str(), domain.is_configured()), ("t.eu.auth0.com", false));
    let whole = [
        ("AUTH0_DOMAIN", "t.eu.auth0.com"),
        ("AUTH0_CLIENT_ID", "id"),
        ("AUTH0_CLIENT_SECRET", "hunter2"),
        ("ONESEC_TOKEN_VAULT_AUTH0_CLIENT_ID", "other"),
    ];
    let whole = vault(&whole).expect("enabled");
    assert_eq!((whole.client_id.as_str(), whole.is_configured()), ("other", true));
    assert!(vault(&[("AUTH0_DOMAIN", "t.eu.auth0.com"), ("ONESEC_TOKEN_VAULT_ENABLED", "off")]).is_none());
    assert!(vault(&[("AUTH0_DOMAIN", "  ")]).is_none());
}

#[test]
fn an_unusable_auth0_address_is_refused() {
    assert!(complaint("", &[("AUTH0_DOMAIN", "https://t.auth0.com")]).contains("token_vault.auth0_domain"));
    let yaml = "token_vault: {auth0_domain: t.auth0.com, auth0_base_url: 'http://10.0.0.1'}";
    assert!(complaint(yaml, &[]).contains("loopback"));
    assert!(complaint("token_vault: {enabled: on}", &[]).contains("auth0_domain"));
}

#[test]
fn no_secret_is_in_debug_or_in_an_error() {
    let yaml = "token_vault: {auth0_domain: t.auth0.com, auth0_client_id: i, auth0_client_secret: hunter2}";
    let config = load(yaml, &[]).expect("valid");
    assert!(!format!("{config:?}").contains("hunter2"));
    let wrong = load("token_vault: {auth0_domain: t.auth0.com, auth0_client_secret: [hunter2]}", &[]);
    let wrong = wrong.expect_err("a list is no secret");
    assert!(!format!("{wrong} {wrong:?}").contains("hunter2"));
}

#[test]
fn tenants_have_names_and_their_own_vault() {
    let yaml = "tenants:\n  acme: {token_vault: {auth0_domain: acme.auth0.com}}\n  beta: {}\n";
    let config = load(yaml, &[]).expect("valid");
    let names: Vec<String> = config.tenant_names().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["default", "acme", "beta"]);
    assert_eq!(config.tenants[0].token_vault.as_ref().map(|v| v.domain.as_str()), Some("acme.auth0.com"));
    for name in ["'*'", "default", "' a'", "''"] {
        assert!(complaint(&format!("tenants: {{{name}: {{}}}}"), &[]).contains("plain name"), "{name}");
    }
}

#[test]
fn detectors_can_be_switched_off_and_a_strangers_settings_are_kept() {
    let yaml =
        "detectors: {consent-phishing: off, exchange-rate: {enabled: false}, my-own: {limit: 3, every: 5m, w: x}}";
    let settings = load(yaml, &[]).expect("valid").settings;
    assert_eq!(settings.detectors_off, ["consent-phishing", "exchange-rate"]);
    let own = &settings.detectors["my-own"];
    assert_eq!(
        (own["limit"].as_u64(), own["every_seconds"].as_u64(), own["w"].as_str()),
        (Some(3), Some(300), Some("x"))
    );
}

#[test]
fn the_data_directory_follows_the_environment() {
    let dir = |env: &[(&str, &str)]| load("", env).expect("valid").data_dir;
    assert_eq!(dir(&[("HOME", "/home/ada")]), PathBuf::from("/home/ada/.local/share/onesec"));
    assert_eq!(dir(&[("HOME", "/home/ada"), ("XDG_DATA_HOME", "/data")]), PathBuf::from("/data/onesec"));
    assert_eq!(dir(&[("HOME", "/home/ada"), ("ONESEC_SERVER_DATA_DIR", "/srv/x")]), PathBuf::from("/srv/x"));
    assert_eq!(dir(&[]), PathBuf::from("onesec-data"));
}

#[test]
fn no_two_keys_share_a_variable() {
    let mut names: Vec<String> = KEYS.iter().map(|(path, _)| variable(path)).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KEYS.len());
}

#[test]
fn a_log_streams_authorization_is_long_is_nobody_elses_and_is_never_shown() {
    let vault = |more: &str| format!("token_vault: {{auth0_domain: t.eu.auth0.com, {more}}}");
    let config = load(&vault("log_stream_authorization: 'Bearer 0123456789'"), &[]).expect("valid");
    assert!(!format!("{config:?}").contains("0123456789"));
    let told = config.settings_of(&TenantId::default_tenant()).expect("there");
    assert!(told.told_by_auth0 && !config.settings.told_by_auth0);
    for short in ["hunter2", "' 0123456789abcdef'", "'0123456789äbcdef'"] {
        let said = complaint(&vault(&format!("log_stream_authorization: {short}")), &[]);
        assert!(said.contains("16 or more") && !said.contains("hunter2"), "{said}");
    }
    let twice = format!(
        "{}\ntenants: {{acme: {{{}}}}}",
        vault("log_stream_authorization: 0123456789abcdef"),
        vault("log_stream_authorization: 0123456789abcdef"),
    );
    assert!(complaint(&twice, &[]).contains("another one for every tenant"));
    assert!(complaint(&vault("pull_logs: {every: 10ms}"), &[]).contains("token_vault.pull_logs.every"));
}

#[test]
fn the_gateways_clients_are_settings_of_their_tenant_and_stay_what_they_are() {
    // As Auth0 makes them: they must not be taken for secrets, or nothing could be recorded.
    let id = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY";
    let yaml = format!(
        "token_vault: {{auth0_domain: t.eu.auth0.com, auth0_client_id: {id}, auth0_client_secret: s, clients: \
         [{{client_id: {id}2, client_secret: t, use: access}}]}}\ntenants: {{acme: {{token_vault: {{auth0_domain: \
         a.eu.auth0.com, auth0_client_id: other, exclusive: on}}}}}}"
    );
    let config = load(&yaml, &[]).expect("valid");
    let (own, acme) = (TenantId::default_tenant(), TenantId::new("acme").expect("a tenant"));
    let settings = config.settings_of(&own).expect("there");
    assert_eq!(settings.gateway_clients, [id.to_owned(), format!("{id}2")]);
    let recorded = onesec_telemetry::event::Json::redacted(settings.to_json()).to_value();
    assert_eq!(recorded, settings.to_json());
    let theirs = config.settings_of(&acme).expect("there");
    assert_eq!((theirs.gateway_clients.as_slice(), theirs.exclusive.len()), (&["other".to_owned()][..], 1));
    assert!(settings.exclusive.is_empty());
}

#[test]
fn a_tenant_has_quotas_retention_and_an_administrator_of_its_own() {
    let yaml = "
journal: {retention: {events: 2d, alerts: 60d}}
quotas: {events_per_minute: 500}
tenants:
  acme:
    token_vault: {auth0_domain: acme.eu.auth0.com}
    enforcement: {auth0: {client_id: a, client_secret: hunter2}}
    retention: {events: 30d}
    quotas: {exchanges_per_minute: 7}
  plain: {}
";
    let config = load(yaml, &[]).expect("valid");
    let day = Duration::from_secs(86_400);
    assert_eq!((config.quotas.events_per_minute, config.quotas.exchanges_per_minute), (Some(500), None));
    let [acme, plain] = config.tenants.as_slice() else { panic!("{:?}", config.tenants) };
    let kept = acme.retention.expect("said");
    assert_eq!((kept.events, kept.alerts, kept.responses), (day * 30, day * 60, day * 365));
    assert_eq!((acme.quotas.events_per_minute, acme.quotas.exchanges_per_minute), (None, Some(7)));
    assert_eq!(acme.management.as_ref().map(|own| own.domain.as_str()), Some("acme.eu.auth0.com"));
    assert_eq!((plain.retention, plain.quotas, plain.management.is_some()), (None, Quotas::default(), false));
    assert!(!format!("{config:?}").contains("hunter2"));
    for (yaml, why) in [
        ("tenants: {acme: {quotas: {events: 3}}}", "unknown key `tenants.acme.quotas.events`"),
        (
            "tenants: {acme: {quotas: {exchanges_per_minute: 0}}}",
            "`tenants.acme.quotas.exchanges_per_minute` must be at least 1",
        ),
        ("quotas: {events_per_minute: often}", "`quotas.events_per_minute` must be a whole number"),
        (
            "tenants: {acme: {retention: {event: 3d}}}",
            "unknown key `tenants.acme.retention.event`, did you mean `events`?",
        ),
        ("tenants: {acme: {retention: {events: soon}}}", "`tenants.acme.retention.events` must be a duration"),
        (
            "tenants: {acme: {enforcement: {preset: strict}}}",
            "`tenants.acme.enforcement.preset` is the same for all tenants",
        ),
        ("tenants: {acme: {journal: {}}}", "unknown key `tenants.acme.journal`"),
    ] {
        assert!(complaint(yaml, &[]).contains(why), "{}", complaint(yaml, &[]));
    }
}
