//! Tests.

use proptest::prelude::*;

use super::data::RawCatalogue;
use super::*;

fn set(text: &str) -> ScopeSet {
    ScopeSet::parse(text).expect("valid scopes")
}

fn scope(text: &str) -> Scope {
    Scope::new(text).expect("a valid scope")
}

fn raw() -> RawCatalogue {
    serde_json::from_str(build::BUILTIN_JSON).expect("the data file parses")
}

#[test]
fn the_data_file_keeps_its_promises() {
    let catalogue = Catalogue::builtin();
    for provider in &catalogue.providers {
        let name = &provider.name;
        assert!(provider.entries.len() >= 30, "{name} is described");
        for class in [Class::Identity, Class::Read, Class::Write, Class::Admin] {
            assert!(provider.entries.iter().any(|e| e.classes.contains(class)), "{name} has a scope of class {class}");
        }
        for (position, entry) in provider.entries.iter().enumerate() {
            let scope = &entry.scope;
            assert_eq!(provider.find(scope.as_str()), Some(position), "{name}: {scope} is canonical");
            for implied in
                provider.entries.iter().enumerate().filter(|(p, _)| provider.gives(position, *p)).map(|(_, e)| e)
            {
                assert!(implied.risk <= entry.risk, "{name}: {scope} is riskier than {}", implied.scope);
                for class in implied.classes.iter().filter(|class| *class != Class::Identity) {
                    assert!(
                        entry.classes.contains(class),
                        "{name}: {scope} implies {} and so is {class}",
                        implied.scope
                    );
                }
            }
        }
    }
    let has = |provider: &str, class| {
        let id = catalogue.provider(provider).unwrap();
        catalogue.get(Some(id)).unwrap().entries.iter().any(|e| e.classes.contains(class))
    };
    assert!(has("microsoft", Class::Offline) && has("salesforce", Class::Offline));
    for provider in ["google", "github", "slack", "microsoft"] {
        assert!(has(provider, Class::Send) && has(provider, Class::Delete), "{provider}");
    }
    let names: Vec<&str> = catalogue.providers().map(|id| catalogue.provider_name(id)).collect();
    assert_eq!(names, ["google", "github", "slack", "microsoft", "salesforce"]);
}

#[test]
fn combinations_name_known_scopes() {
    let catalogue = Catalogue::builtin();
    for raw in raw().combinations {
        let provider = raw.provider.as_deref().and_then(|name| catalogue.provider(name));
        for condition in &raw.all {
            let data::Condition::Scopes(scopes) = condition else { continue };
            for name in scopes {
                assert!(catalogue.knows(provider, &scope(name)), "{}: {name}", raw.name);
            }
        }
    }
}

#[test]
fn the_data_file_is_one_entry_a_line() {
    for line in build::BUILTIN_JSON.lines().filter(|line| line.contains("\"scope\": ")) {
        assert_eq!(line.matches("\"scope\": ").count(), 1, "{line}");
        serde_json::from_str::<data::RawScope>(line.trim().trim_end_matches(',')).expect("an entry");
    }
}

#[test]
fn connections_lead_to_their_provider() {
    let catalogue = Catalogue::builtin();
    for (connection, want) in [
        ("google-oauth2", Some("google")),
        ("google-apps", Some("google")),
        ("github", Some("github")),
        ("slack", Some("slack")),
        ("sign-in-with-slack", Some("slack")),
        ("windowslive", Some("microsoft")),
        ("waad", Some("microsoft")),
        ("microsoft", Some("microsoft")),
        ("salesforce", Some("salesforce")),
        ("salesforce-sandbox", Some("salesforce")),
        ("Google-OAuth2", None),
        ("acme-oidc", None),
    ] {
        let got = catalogue.provider_of_connection(connection).map(|id| catalogue.provider_name(id));
        assert_eq!(got, want, "{connection}");
    }
    let name = crate::ConnectionName::new("github").unwrap();
    assert_eq!(catalogue.provider_of_connection(&name), catalogue.provider("github"));
}

/// provider, scope, classes, something it implies ("" for nothing in particular)
const FACTS: [(&str, &str, &str, &str); 72] = [
    ("google", "openid", "identity", ""),
    ("google", "email", "identity", ""),
    ("google", "https://www.googleapis.com/auth/userinfo.email", "identity", "email"),
    ("google", "https://www.googleapis.com/auth/userinfo.profile", "identity", "profile"),
    ("google", "https://mail.google.com/", "read+write+send+delete", "gmail.send"),
    ("google", "https://mail.google.com/", "read+write+send+delete", "gmail.metadata"),
    ("google", "gmail.modify", "read+write+send", "gmail.readonly"),
    ("google", "gmail.readonly", "read", "gmail.metadata"),
    ("google", "https://www.googleapis.com/auth/gmail.readonly", "read", "gmail.readonly"),
    ("google", "gmail.compose", "write+send", "gmail.send"),
    ("google", "gmail.send", "send", ""),
    ("google", "gmail.settings.sharing", "admin", ""),
    ("google", "calendar", "read+write+delete", "calendar.events.readonly"),
    ("google", "calendar.readonly", "read", "calendar.freebusy"),
    ("google", "calendar.events", "read+write", "calendar.events.readonly"),
    ("google", "drive", "read+write+delete", "spreadsheets.readonly"),
    ("google", "drive.readonly", "read", "drive.metadata.readonly"),
    ("google", "drive.file", "read+write", ""),
    ("google", "spreadsheets", "read+write", "spreadsheets.readonly"),
    ("google", "contacts", "read+write+delete", "contacts.readonly"),
    ("google", "admin.directory.user", "read+write+delete+admin", "admin.directory.user.readonly"),
    ("google", "admin.directory.user.readonly", "read", ""),
    ("google", "cloud-platform", "read+write+delete+admin", "bigquery.readonly"),
    ("google", "youtube.upload", "write+send", ""),
    ("github", "repo", "read+write+delete", "repo:status"),
    ("github", "repo", "read+write+delete", "public_repo"),
    ("github", "repo", "read+write+delete", "read:repo_hook"),
    ("github", "public_repo", "read+write", ""),
    ("github", "delete_repo", "delete", ""),
    ("github", "workflow", "write", ""),
    ("github", "admin:org", "read+write+delete+admin", "read:org"),
    ("github", "write:org", "read+write", "read:org"),
    ("github", "read:org", "read", ""),
    ("github", "user", "read+write", "user:email"),
    ("github", "read:user", "identity", ""),
    ("github", "gist", "read+write+delete", ""),
    ("github", "write:packages", "read+write", "read:packages"),
    ("github", "delete:packages", "delete", ""),
    ("github", "admin:public_key", "read+write+delete+admin", "read:public_key"),
    ("github", "admin:enterprise", "read+write+delete+admin", "read:enterprise"),
    ("slack", "channels:read", "read", ""),
    ("slack", "channels:history", "read", ""),
    ("slack", "channels:write", "read+write", "channels:write.topic"),
    ("slack", "chat:write", "send", ""),
    ("slack", "chat:write:bot", "send", "chat:write"),
    ("slack", "files:read", "read", ""),
    ("slack", "files:write", "write+delete", ""),
    ("slack", "users:read.email", "read", ""),
    ("slack", "admin", "read+write+delete+admin", ""),
    ("slack", "admin.users:write", "write+delete+admin", ""),
    ("slack", "identity.basic", "identity", ""),
    ("slack", "search:read", "read", "search:read.im"),
    ("microsoft", "User.Read", "identity", ""),
    ("microsoft", "Mail.Read", "read", "Mail.ReadBasic"),
    ("microsoft", "https://graph.microsoft.com/Mail.Read", "read", "Mail.Read"),
    ("microsoft", "mail.read", "read", "Mail.Read"),
    ("microsoft", "Mail.ReadWrite", "read+write+delete", "Mail.Read"),
    ("microsoft", "Mail.Send", "send", ""),
    ("microsoft", "Mail.ReadWrite.Shared", "read+write+delete", "Mail.Read"),
    ("microsoft", "Files.ReadWrite.All", "read+write+delete", "Files.Read"),
    ("microsoft", "Files.Read.All", "read", "Files.Read"),
    ("microsoft", "Directory.ReadWrite.All", "read+write+admin", "Directory.Read.All"),
    ("microsoft", "Directory.AccessAsUser.All", "read+write+delete+admin", "Directory.Read.All"),
    ("microsoft", "Sites.FullControl.All", "read+write+delete+admin", "Sites.Read.All"),
    ("microsoft", "offline_access", "offline", ""),
    ("microsoft", "https://graph.microsoft.com/.default", "read+write+send+delete+admin", ".default"),
    ("salesforce", "api", "read+write+send+delete", "chatter_api"),
    ("salesforce", "full", "read+write+send+delete+admin", "chatter_api"),
    ("salesforce", "refresh_token", "offline", "offline_access"),
    ("salesforce", "id", "identity", "email"),
    ("salesforce", "web", "read+write", "visualforce"),
    ("salesforce", "chatter_api", "read+write+send", ""),
];

#[test]
fn facts() {
    let catalogue = Catalogue::builtin();
    for (provider, name, classes, implied) in FACTS {
        let id = catalogue.provider(provider);
        assert!(id.is_some() && catalogue.knows(id, &scope(name)), "{provider} {name}");
        assert_eq!(catalogue.classes(id, &scope(name)).to_string(), classes, "{provider} {name}");
        if !implied.is_empty() {
            assert!(catalogue.covers(id, &set(name), &scope(implied)), "{provider} {name} gives {implied}");
        }
    }
}

#[test]
fn what_is_not_implied_is_beyond() {
    let catalogue = Catalogue::builtin();
    for (provider, bound, wanted) in [
        ("google", "gmail.readonly", "gmail.send"),
        ("google", "gmail.send", "gmail.readonly"),
        ("google", "gmail.modify", "https://mail.google.com/"),
        ("google", "https://mail.google.com/", "gmail.settings.basic"),
        ("google", "drive.file", "drive.readonly"),
        ("google", "drive", "drive.appdata"),
        ("google", "calendar.events", "calendar.readonly"),
        ("github", "repo", "workflow"),
        ("github", "repo", "delete_repo"),
        ("github", "repo:status", "repo"),
        ("github", "read:org", "write:org"),
        ("slack", "channels:history", "groups:history"),
        ("slack", "users:read", "users:read.email"),
        ("slack", "admin", "admin.users:write"),
        ("microsoft", "Mail.ReadWrite", "Mail.Send"),
        ("microsoft", "Files.ReadWrite", "Files.Read.All"),
        ("microsoft", "Directory.Read.All", "Directory.ReadWrite.All"),
        ("salesforce", "full", "refresh_token"),
        ("salesforce", "api", "full"),
    ] {
        let id = catalogue.provider(provider);
        assert_eq!(
            catalogue.beyond(id, &set(bound), &set(wanted)),
            set(wanted),
            "{provider}: {bound} does not give {wanted}"
        );
        assert_eq!(catalogue.beyond(id, &set(bound), &set(bound)), ScopeSet::empty());
    }
}

#[test]
fn every_spelling_is_one_scope() {
    let catalogue = Catalogue::builtin();
    for (provider, spellings, want) in [
        ("google", "https://www.googleapis.com/auth/gmail.readonly gmail.readonly Gmail.ReadOnly", "gmail.readonly"),
        ("google", "https://www.googleapis.com/auth/userinfo.email email userinfo.email EMAIL", "email"),
        ("google", "https://mail.google.com/ mail.google.com https://mail.google.com", "https://mail.google.com/"),
        ("google", "https://www.googleapis.com/auth/brand.new brand.new", "brand.new"),
        (
            "microsoft",
            "Mail.Read mail.read MAIL.READ https://graph.microsoft.com/Mail.Read https://graph.microsoft.com/mail.READ",
            "Mail.Read",
        ),
        ("microsoft", "https://graph.microsoft.com//.default .default", ".default"),
        ("microsoft", "https://graph.microsoft.com/Brand.New brand.new BRAND.NEW", "brand.new"),
        ("slack", "chat:write chat:write:user chat:write:bot", "chat:write"),
        ("salesforce", "offline_access refresh_token", "refresh_token"),
        ("github", "repo REPO", "repo"),
    ] {
        let id = catalogue.provider(provider);
        assert_eq!(catalogue.canonical(id, &set(spellings)).to_string(), want);
        for (bound, wanted) in spellings.split(' ').flat_map(|a| spellings.split(' ').map(move |b| (a, b))) {
            assert!(catalogue.covers(id, &set(bound), &scope(wanted)), "{provider}: {bound} is {wanted}");
        }
    }
    let exact = "Repo repo https://www.googleapis.com/auth/gmail.readonly";
    assert_eq!(catalogue.canonical(None, &set(exact)), set(exact), "without a provider nothing changes");
    assert!(!catalogue.covers(None, &set("repo"), &scope("REPO")));
    let nested = "https://graph.microsoft.com/https://graph.microsoft.com/Mail.Read";
    assert!(!catalogue.covers(catalogue.provider("microsoft"), &set(nested), &scope("Mail.Read")));
}

#[test]
fn scopes_give_their_provider_away() {
    let catalogue = Catalogue::builtin();
    for (scopes, want) in [
        ("openid profile email https://www.googleapis.com/auth/gmail.readonly", Some("google")),
        ("gmail.send", Some("google")),
        ("repo read:org", Some("github")),
        ("channels:history chat:write", Some("slack")),
        ("User.Read Mail.Read offline_access", Some("microsoft")),
        ("mail.read files.readwrite.all", Some("microsoft")),
        ("api refresh_token", Some("salesforce")),
        ("openid profile email", None),
        ("repo gmail.send", None),
        ("something.else", None),
        ("", None),
    ] {
        let got = catalogue.provider_of_scopes(&set(scopes)).map(|id| catalogue.provider_name(id));
        assert_eq!(got, want, "{scopes}");
    }
}

#[test]
fn without_a_provider_the_worst_meaning_counts() {
    let catalogue = Catalogue::builtin();
    assert_eq!(catalogue.classes(None, &scope("https://mail.google.com/")).highest(), Some(Class::Delete));
    assert_eq!(catalogue.classes(None, &scope("openid")).to_string(), "identity");
    assert_eq!(catalogue.classes(None, &scope("MAIL.SEND")).to_string(), "send");
    assert_eq!(catalogue.classes(None, &scope("widgets.read")).to_string(), "read");
    assert_eq!(catalogue.risk(None, &scope("drive")), Risk::Critical);
    assert_eq!(catalogue.risk(None, &scope("widgets")), Risk::High);
    assert_eq!(catalogue.risk(catalogue.provider("github"), &scope("gist")), Risk::Medium);
}

#[test]
fn risky_combinations_are_named() {
    let catalogue = Catalogue::builtin();
    for (provider, scopes, want) in [
        ("microsoft", "offline_access Mail.Read", "offline-mail"),
        ("microsoft", "offline_access mail.readwrite", "offline-mail"),
        ("microsoft", "offline_access Mail.Send", "offline-mail"),
        ("microsoft", "Mail.ReadWrite Mail.Send", "full-mailbox-graph"),
        ("microsoft", "Files.ReadWrite.All", "files-write-all-graph"),
        ("microsoft", "Directory.ReadWrite.All", "directory-admin"),
        ("microsoft", "RoleManagement.ReadWrite.Directory", "directory-admin"),
        ("google", "offline_access https://www.googleapis.com/auth/gmail.readonly", "offline-mail-google"),
        ("google", "https://mail.google.com/", "full-mailbox"),
        ("google", "https://www.googleapis.com/auth/drive", "files-write-all-google"),
        ("google", "admin.directory.user", "directory-admin"),
        ("github", "repo workflow delete_repo", "repo-workflow-delete"),
        ("github", "repo delete_repo", "repo-delete"),
        ("github", "repo workflow", "repo-workflow"),
        ("github", "admin:org", "directory-admin"),
        ("slack", "admin.users:write", "directory-admin"),
        ("slack", "im:history chat:write", "slack-read-and-send"),
        ("salesforce", "full", "salesforce-full"),
        ("salesforce", "api offline_access", "salesforce-api-offline"),
    ] {
        for id in [catalogue.provider(provider), None] {
            let found = catalogue.risky_combinations(id, &set(scopes));
            assert!(
                found.iter().any(|c| c.name == want && !c.why.is_empty()),
                "{provider}: {scopes} is {want}: {found:?}"
            );
        }
    }
    for scopes in ["acme.full_access", "notes.FullControl"] {
        assert!(catalogue.risky_combinations(None, &set(scopes)).iter().any(|c| c.name == "full-access"), "{scopes}");
    }
    for (provider, scopes) in [
        ("google", "openid profile email calendar.readonly"),
        ("google", "gmail.readonly calendar.events"),
        ("github", "repo read:org user:email"),
        ("slack", "channels:read chat:write users:read"),
        ("microsoft", "openid profile offline_access User.Read Calendars.Read"),
        ("microsoft", "Mail.Read"),
        ("salesforce", "api id"),
    ] {
        let found = catalogue.risky_combinations(catalogue.provider(provider), &set(scopes));
        assert!(found.is_empty(), "{provider}: {scopes} is {found:?}");
    }
}

#[test]
fn users_add_their_own() {
    let catalogue = Catalogue::with_additions(
        r#"{"version": 1, "providers": [
            {"id": "acme", "connections": ["acme-oidc"], "scopes": [
                {"scope": "Boards", "class": ["write"], "risk": "medium", "implies": ["boards:view"]},
                {"scope": "boards:view", "class": ["read"], "risk": "low", "aliases": ["bv"]}]},
            {"id": "github", "connections": ["github-acme"], "scopes": [
                {"scope": "brand_new", "class": ["admin"], "risk": "critical"},
                {"scope": "gist", "class": ["send"], "risk": "high", "replace": true}]}],
          "combinations": [{"name": "acme-all", "severity": "medium", "why": "a test", "provider": "acme", "all": [{"scopes": ["boards:view"]}]}]}"#,
    )
    .unwrap();
    let acme = catalogue.provider_of_connection("acme-oidc");
    assert!(catalogue.covers(acme, &set("Boards"), &scope("bv")));
    assert!(!catalogue.covers(acme, &set("boards"), &scope("Boards")), "case is exact unless the file says otherwise");
    assert_eq!(catalogue.risky_combinations(acme, &set("Boards")).len(), 1);
    let github = catalogue.provider_of_connection("github-acme");
    assert_eq!(github, Catalogue::builtin().provider("github"), "ids of built-in providers stay");
    assert_eq!(catalogue.classes(github, &scope("brand_new")).to_string(), "admin");
    assert_eq!(catalogue.classes(github, &scope("gist")).to_string(), "send");
    assert!(catalogue.covers(github, &set("repo"), &scope("repo:status")));
}

#[test]
fn bad_additions_are_refused() {
    let github = |entry: &str| format!(r#"{{"version":1,"providers":[{{"id":"github","scopes":[{entry}]}}]}}"#);
    let check = |json: &str, want: &str| {
        let error = Catalogue::with_additions(json).expect_err("bad additions").to_string();
        assert!(error.contains(want), "{error}");
    };
    check("{", "does not parse");
    check(r#"{"version": 2}"#, "version 2");
    check(r#"{"version": 1, "provider": []}"#, "unknown field");
    check(&github(r#"{"scope":"gist","class":["read"],"risk":"low"}"#), "two scopes spelt `gist`");
    check(&github(r#"{"scope":"n","class":["read"],"risk":"low","aliases":["REPO"]}"#), "two scopes spelt");
    check(&github(r#"{"scope":"n","class":[],"risk":"low"}"#), "no class");
    check(&github(r#"{"scope":"n","class":["reed"],"risk":"low"}"#), "does not parse");
    check(&github(r#"{"scope":"n n","class":["read"],"risk":"low"}"#), "no scope");
    check(&github(r#"{"scope":"n","class":["read"],"risk":"low","implies":["m"]}"#), "no scope `m`");
    check(&github(r#"{"scope":"n","class":["read"],"risk":"low","replace":true}"#), "to replace");
    check(
        &github(
            r#"{"scope":"a","class":["read"],"risk":"low","implies":["b"]},{"scope":"b","class":["read"],"risk":"low","implies":["a"]}"#,
        ),
        "implies itself",
    );
    check(r#"{"version":1,"providers":[{"id":"acme","connections":["github"]}]}"#, "two providers");
    check(r#"{"version":1,"combinations":[{"name":"x","severity":"high","why":"","all":[]}]}"#, "combination `x`");
    check(
        r#"{"version":1,"combinations":[{"name":"x","severity":"high","why":"","all":[{"scopes":["repo"]}]}]}"#,
        "combination `x`",
    );
    check(
        r#"{"version":1,"combinations":[{"name":"full-access","severity":"high","why":"","all":[{"class":"admin"}]}]}"#,
        "twice",
    );
}

#[test]
fn classes_are_ordered_sets() {
    let set: ClassSet = [Class::Send, Class::Read, Class::Send].into_iter().collect();
    assert_eq!(format!("{set} {set:?}"), "read+send [read+send]");
    assert_eq!(set.highest(), Some(Class::Send));
    assert!(set.can_act() && !set.is_passive() && !set.is_empty());
    assert!(ClassSet::EMPTY.with(Class::Identity).with(Class::Read).is_passive());
    assert!(!ClassSet::EMPTY.with(Class::Offline).is_passive() && !ClassSet::EMPTY.with(Class::Offline).can_act());
    assert_eq!(ClassSet::EMPTY.highest(), None);
}

/// Known and unknown scopes, in any spelling.
fn any_scope() -> impl Strategy<Value = Scope> {
    let mut known: Vec<String> = raw().providers.into_iter().flat_map(|p| p.scopes).map(|s| s.scope).collect();
    known.extend(["brand.new", "Brand.New", "x", "https://graph.microsoft.com/"].map(String::from));
    let prefix =
        proptest::sample::select(vec!["", "", "", "https://www.googleapis.com/auth/", "https://graph.microsoft.com/"]);
    (proptest::sample::select(known), prefix, 0..4_u8).prop_map(|(name, prefix, case)| {
        let text = format!("{prefix}{name}");
        scope(&if case == 0 { text.to_ascii_uppercase() } else { text })
    })
}

fn any_set() -> impl Strategy<Value = ScopeSet> {
    proptest::collection::vec(any_scope(), 0..6).prop_map(|scopes| scopes.into_iter().collect())
}

fn any_provider() -> impl Strategy<Value = Option<ProviderId>> {
    proptest::option::weighted(0.9, (0..5_u16).prop_map(ProviderId))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_bigger_bound_never_leaves_more_beyond(p in any_provider(), bound in any_set(), more in any_set(), wanted in any_set()) {
        let catalogue = Catalogue::builtin();
        let less = catalogue.beyond(p, &bound.union(&more), &wanted);
        prop_assert!(less.difference(&catalogue.beyond(p, &bound, &wanted)).is_empty());
    }

    #[test]
    fn canonical_is_a_fixed_point_and_means_the_same(p in any_provider(), scopes in any_set(), bound in any_set()) {
        let catalogue = Catalogue::builtin();
        let once = catalogue.canonical(p, &scopes);
        prop_assert_eq!(&catalogue.canonical(p, &once), &once);
        prop_assert!(catalogue.beyond(p, &scopes, &once).is_empty() && catalogue.beyond(p, &once, &scopes).is_empty());
        let known: ScopeSet = scopes.iter().filter(|s| catalogue.knows(p, s)).cloned().collect();
        let known_once = catalogue.canonical(p, &known);
        prop_assert_eq!(catalogue.classes_of_all(p, &known), catalogue.classes_of_all(p, &known_once));
        let canonical_bound = catalogue.canonical(p, &bound);
        prop_assert_eq!(
            catalogue.canonical(p, &catalogue.beyond(p, &bound, &scopes)),
            catalogue.beyond(p, &canonical_bound, &once)
        );
    }

    #[test]
    fn covers_is_reflexive_and_transitive(p in any_provider(), a in any_scope(), b in any_scope(), c in any_scope()) {
        let catalogue = Catalogue::builtin();
        let gives = |x: &Scope, y: &Scope| catalogue.covers(p, &std::iter::once(x.clone()).collect(), y);
        prop_assert!(gives(&a, &a));
        prop_assert!(!gives(&a, &b) || !gives(&b, &c) || gives(&a, &c));
    }

    #[test]
    fn more_scopes_never_hide_a_combination(p in any_provider(), scopes in any_set(), more in any_set()) {
        let catalogue = Catalogue::builtin();
        let all = catalogue.risky_combinations(p, &scopes.union(&more));
        for combination in catalogue.risky_combinations(p, &scopes) {
            prop_assert!(all.iter().any(|c| c.name == combination.name));
        }
    }

    #[test]
    fn every_scope_has_a_class(p in any_provider(), text in "[!#-\\[\\]-~]{1,40}") {
        prop_assert!(!Catalogue::builtin().classes(p, &scope(&text)).is_empty());
    }
}

#[test]
fn covers_is_transitive_over_the_whole_catalogue() {
    for provider in &Catalogue::builtin().providers {
        let all = 0..provider.entries.len();
        for (a, b) in all.clone().flat_map(|a| all.clone().map(move |b| (a, b))).filter(|(a, b)| provider.gives(*a, *b))
        {
            for c in all.clone().filter(|c| provider.gives(b, *c)) {
                assert!(provider.gives(a, c));
            }
        }
    }
}

#[test]
fn redaction_leaves_scopes_alone() {
    for provider in &Catalogue::builtin().providers {
        let all: Vec<&str> = provider.spellings.keys().map(AsRef::as_ref).collect();
        for text in all.iter().copied().chain([all.join(" ").as_str(), all.join(",").as_str()]) {
            assert_eq!(crate::redact::redact_text(text), text);
        }
    }
}
