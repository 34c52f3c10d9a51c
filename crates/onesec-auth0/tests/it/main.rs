//! The client against a simulated tenant, over real sockets.
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

mod checked;
mod credentials;
mod issuers;
mod keys;
mod leaks;
mod listings;
mod management;
mod origin;
mod pass_through;
mod signed_leaks;
mod stranger;
mod transport;
mod users;
mod vault;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use onesec_auth0::{
    Auth0Config, Clock, EndpointOptions, ExchangeError, ExchangeRequest, HttpOptions, IssuedToken, Jwks, ManualClock,
    Roots, SubjectKind, SubjectResolver, TokenEndpoint, TokenVault, http_client,
};
use onesec_auth0_sim::{AccessTokenSpec, AccountSpec, ClientSpec, SimConfig, SimTenant};
use onesec_telemetry::{ConnectionName, Secret, Timestamp};

const API: &str = "https://api.example/";
const ANA: &str = "auth0|ana";
const BOB: &str = "auth0|bob";
const CLIENT_SECRET: &str = "Pl4nted-client-secret-ZZQX";

/// A tenant with two users and two linked accounts, and our client of it; both live by one hand-moved clock.
struct World {
    sim: SimTenant,
    clock: Arc<ManualClock>,
    endpoint: Arc<TokenEndpoint>,
    vault: TokenVault,
    jwks: Arc<Jwks>,
    resolver: SubjectResolver,
    ana: Secret,
    bob: Secret,
}

/// Patient enough for a busy machine, impatient enough for a test of time limits.
fn impatient() -> EndpointOptions {
    EndpointOptions { deadline: Duration::from_millis(800), ..EndpointOptions::default() }
}

async fn world() -> World {
    world_with(EndpointOptions::default()).await
}

async fn world_with(options: EndpointOptions) -> World {
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
    let theirs = Arc::clone(&clock);
    let config = SimConfig::new("demo-tenant.eu.auth0.test").with_clock(move || theirs.now());
    let sim = SimTenant::start(config).await.expect("a tenant");
    sim.create_client(ClientSpec::custom_api("onesec", CLIENT_SECRET, API));
    for (user, scopes) in [(ANA, "calendar.read calendar.write"), (BOB, "calendar.read")] {
        sim.create_user(user);
        sim.connect_account(AccountSpec::new(user, "google-oauth2", scopes)).expect("connected");
    }
    let ana = sim.issue_refresh_token(ANA, "onesec").expect("issued");
    let bob = sim.issue_refresh_token(BOB, "onesec").expect("issued");
    let tenant = Auth0Config::new(sim.domain(), "onesec", Secret::new(CLIENT_SECRET.into())).expect("config");
    let tenant = tenant.with_base_url(sim.base_url()).expect("loopback");
    let http = http();
    let jwks = Arc::new(Jwks::new(&tenant, http.clone(), Arc::<ManualClock>::clone(&clock)));
    let endpoint = TokenEndpoint::new(tenant, http, Arc::<ManualClock>::clone(&clock)).with_options(options);
    let endpoint = Arc::new(endpoint);
    let resolver = SubjectResolver::new(Arc::clone(&endpoint), Arc::clone(&jwks), &[API.to_owned()]);
    let vault = TokenVault::new(Arc::clone(&endpoint));
    World { sim, clock, endpoint, vault, jwks, resolver, ana, bob }
}

fn http() -> reqwest::Client {
    http_client(&HttpOptions { roots: Roots::None, ..HttpOptions::default() }).expect("client")
}

impl World {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn exchange(&self) -> Result<IssuedToken, ExchangeError> {
        self.vault.exchange(&google(&self.ana, SubjectKind::RefreshToken)).await
    }

    fn access_token(&self, user: &str) -> Secret {
        self.sim.mint_access_token(&AccessTokenSpec::new(user, API, "web-app")).expect("minted")
    }
}

fn google(token: &Secret, subject: SubjectKind) -> ExchangeRequest {
    let connection = ConnectionName::new("google-oauth2").expect("a name");
    ExchangeRequest { subject_token: token.clone(), subject, connection, login_hint: None }
}

fn code(error: &ExchangeError) -> &str {
    error.code().map_or("-", |code| code.as_str())
}
