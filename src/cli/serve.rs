//! `wxreply serve`: the daemon, until a signal ends it.

use std::sync::Arc;

use anyhow::Context;
use clap::{Args, ValueEnum};
use tracing::warn;

use super::Exit;
use super::config::ConfigArg;
use crate::clock::SystemClock;
use crate::daemon::{self, Daemon, End, LogFormat, Signals};
use crate::diagnostic::render;

#[derive(Debug, Args)]
#[command(after_help = "\
Starts only when config and rules have no error. Afterwards it follows the rules: saving a rule file (or SIGHUP) loads \
them anew, and when they have an error, or one of their own tests fails, the old ones stay in force. So they do over a \
restart: if the rules can't be used then, those that were in force last are taken from the database.

SIGTERM and SIGINT finish what is in flight, within 10 s; a second one stops at once. The log goes to standard error; \
WXREPLY_LOG or RUST_LOG says how much of it (\"debug\", \"wxreply::outbox=debug,info\").")]
pub(super) struct Serve {
    #[command(flatten)]
    config: ConfigArg,
    /// How the log looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    log_format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Lines for people
    Text,
    /// A JSON object a line
    Json,
}

impl Serve {
    pub fn run(self) -> anyhow::Result<Exit> {
        let (config, warnings) = self.config.load_and_warn()?;
        let format = match self.log_format {
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        };
        daemon::init_log(format, "info");
        for warning in &warnings {
            warn!("about the config\n{}", render(warning, false));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("can't start the runtime")?;
        let end = runtime.block_on(async {
            let signals = Signals::listen().context("can't listen to signals")?;
            let daemon = Daemon::start(config, Arc::new(SystemClock)).await?;
            anyhow::Ok(daemon::run(daemon, signals).await)
        })?;
        // What still runs after a hard stop is not waited for.
        runtime.shutdown_background();
        Ok(match end {
            End::Soft => Exit::Fine,
            End::Hard => Exit::Bad,
        })
    }
}
