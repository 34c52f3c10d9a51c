//! `onesec up`: the server in the foreground.

use std::io::IsTerminal as _;
use std::path::Path;

use tracing_subscriber::EnvFilter;

use crate::causes::with_causes;
use crate::config::Config;
use crate::core::SharedAssemble;
use crate::server::{Server, Signals};

use super::args::UpArgs;
use super::error::{CliError, Ended};
use super::out::{Ink, Out};

pub(super) async fn up(args: UpArgs, more: SharedAssemble, out: &mut Out) -> Result<Ended, CliError> {
    log_to_stderr(&args.log)?;
    let mut config = configured(args.config.as_deref())?;
    config.listen = args.listen.unwrap_or(config.listen);
    config.data_dir = args.data_dir.unwrap_or(config.data_dir);
    let key_file = config.data_dir.join("admin.key");
    let server = Server::builder(config).detectors(move |settings| more(settings));
    let running =
        server.start().await.map_err(|error| CliError::refused(format!("cannot start: {}", with_causes(&error))))?;
    // Whoever reads that we listen may send a signal at once.
    let signals = Signals::listen();
    out.line(format_args!("listening on {}", running.url()))?;
    if let Some(key) = running.admin_key() {
        out.line(format_args!("admin key {}", key.expose_to_wire()))?;
        out.line(Ink::Dim.on(format_args!("it is not shown again; it is kept in {}", key_file.display())))?;
    }
    let file = args.config;
    running.stop_on(signals, || configured(file.as_deref()).map_err(|error| error.to_string())).await;
    Ok(Ended::Well)
}

/// The configuration in `file`, or the built-in one, with the environment over it.
#[expect(clippy::disallowed_methods, reason = "the command line hands the environment to the configuration")]
pub(super) fn configured(file: Option<&Path>) -> Result<Config, CliError> {
    let loaded = Config::load(file, &|name| std::env::var(name).ok());
    loaded.map_err(|error| CliError::usage(format!("configuration: {error}")))
}

/// People get lines, machines get JSON.
fn log_to_stderr(filter: &str) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(filter).map_err(|error| CliError::usage(format!("--log: {error}")))?;
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    // Whoever embeds the command line may have set up logging already; theirs stays.
    let _ = if std::io::stderr().is_terminal() { builder.try_init() } else { builder.json().try_init() };
    Ok(())
}
