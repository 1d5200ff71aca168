//! `wxreply simulate`: WeChat's side for a daemon that runs already.

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;

use anyhow::{Context, anyhow};
use clap::Args;
use tokio::net::TcpListener;

use super::config::{self, ConfigArg};
use super::push::{self, Format};
use super::{Exit, runtime};
use crate::daemon::{self, LogFormat, Signals};
use crate::message::AppName;
use crate::simulator::{Simulator, SimulatorConfig};

#[derive(Debug, Args)]
#[command(after_help = "\
For the daemon's replies to come here, the app's api_base in the config must be the address that is printed.")]
pub(super) struct Simulate {
    /// The app to play WeChat for; needed when there are several
    #[arg(long, value_parser = |s: &str| anyhow::Ok(AppName::from(s)))]
    app: Option<AppName>,
    /// Where to serve the chat page and the API
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8082", value_parser = address)]
    listen: SocketAddr,
    /// Where to push to [default: the config's `listen`, and /wechat/<app>]
    #[arg(long, value_name = "URL")]
    callback: Option<String>,
    /// The data format of pushes (数据格式)
    #[arg(long, value_enum, default_value_t = Format::Xml)]
    format: Format,
    #[command(flatten)]
    config: ConfigArg,
}

impl Simulate {
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = self.config.load()?;
        let app = config::app(&config, self.app.as_ref())?;
        let simulator = SimulatorConfig {
            account: push::account(app, self.format.into()),
            callback: self
                .callback
                .clone()
                .unwrap_or_else(|| push::callback(&config, app)),
        };
        daemon::init_log(LogFormat::Text, "warn");
        runtime()?.block_on(async {
            let mut signals = Signals::listen().context("can't listen to signals")?;
            let callback = simulator.callback.clone();
            let listener = listener(self.listen).await?;
            let simulator = Simulator::start(simulator, listener).await?;
            let address = format!("http://{}", simulator.addr());
            let mut out = std::io::stdout();
            writeln!(out, "chat page   {address}/")?;
            writeln!(out, "pushes to   {callback}")?;
            writeln!(out, "WeChat API  {address}  (Ctrl-C ends it)")?;
            if !app.api_base.contains(&address) {
                writeln!(
                    out,
                    "\nThe app's api_base is {}: the daemon's replies go there, not here.\n\
                     To see them here, write api_base = \"{address}\" in {} and start the daemon again.",
                    app.api_base.join(", "),
                    config.path.display()
                )?;
            }
            signals.stop_or_hangup().await;
            simulator.stop().await;
            Ok(Exit::Fine)
        })
    }
}

/// What `--listen` takes.
pub(super) fn address(text: &str) -> anyhow::Result<SocketAddr> {
    text.parse()
        .map_err(|_| anyhow!("write an IP address and a port: 127.0.0.1:8082, or port 0 for a free one"))
}

/// The port that `--listen` names.
pub(super) async fn listener(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::AddrInUse => ": another program listens there; take another port, or 0 for a free one",
            ErrorKind::AddrNotAvailable => ": this machine does not have that address",
            ErrorKind::PermissionDenied => ": ports below 1024 need a privilege; take a higher one",
            _ => "",
        };
        anyhow!("can't listen at {address} (--listen): {error}{advice}")
    })
}
