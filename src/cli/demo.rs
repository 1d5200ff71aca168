//! `wxreply demo`: everything in one process, to be tried without an account. Leaves nothing behind.

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use tokio::net::TcpListener;

use super::push::account;
use super::simulate::{address, listener};
use super::{Exit, config, examples, print};
use crate::clock::SystemClock;
use crate::config::{Config, starter};
use crate::daemon::{self, Daemon, LogFormat, Signals};
use crate::message::Format;
use crate::simulator::{Simulator, SimulatorConfig};

/// Where the chat page and the console are, if nobody else is there.
const PAGE_PORT: u16 = 8090;
const CONSOLE_PORT: u16 = 8091;

#[derive(Debug, Args)]
#[command(after_help = "\
The rules are those of --rules, else of ./rules if there is such a folder, else a copy of wxreply's own examples. Save a \
file there while the demo runs, and the answers change. All else is in a temporary folder, which goes when it ends.")]
pub(super) struct Demo {
    /// Where to serve the chat page [default: 127.0.0.1:8090, or a free port]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
    /// The rules to answer by
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

impl Demo {
    pub fn run(self) -> anyhow::Result<Exit> {
        // Whoever edits a rule wants to see it taken in.
        daemon::init_log(LogFormat::Text, "warn,wxreply::reload=info");
        let folder = TempFolder::new().context("can't make a temporary folder")?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("can't start the runtime")?;
        runtime.block_on(self.play(&folder.0))
    }

    async fn play(&self, folder: &Path) -> anyhow::Result<Exit> {
        let mut signals = Signals::listen().context("can't listen to signals")?;
        let page = self.bind().await?;
        let rules = self.rules(folder)?;
        let api = format!("http://{}", page.local_addr()?);
        let config = configure(folder, &rules, &api, self.console())?;
        let path = config.path.clone();
        let account = account(&config.apps[0], Format::Xml);

        // The daemon asks for its token at once; the page's port is open already, and answers in a moment.
        let daemon = Daemon::start(config, Arc::new(SystemClock)).await?;
        let simulator = SimulatorConfig {
            account,
            callback: format!("http://{}/wechat/shop", daemon.addr()),
        };
        let simulator = Simulator::start(simulator, page).await?;
        announce(&Stage {
            page: simulator.addr(),
            push: daemon.addr(),
            admin: daemon.admin_addr(),
            rules_are_copies: rules.starts_with(folder),
            rules,
            config: path,
        })?;

        signals.stop_or_hangup().await;
        tokio::select! {
            () = async { daemon.stop().await; simulator.stop().await } => {}
            () = signals.stop() => {}
        }
        Ok(Exit::Fine)
    }

    async fn bind(&self) -> anyhow::Result<TcpListener> {
        if let Some(listen) = self.listen {
            return listener(listen).await;
        }
        match TcpListener::bind((Ipv4Addr::LOCALHOST, PAGE_PORT)).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?)
            }
            bound => bound.context("can't listen"),
        }
    }

    /// Where the console is to be: at an address to remember, unless a page elsewhere is wanted or it is taken.
    fn console(&self) -> SocketAddr {
        let remembered = SocketAddr::from((Ipv4Addr::LOCALHOST, CONSOLE_PORT));
        let is_free = self.listen.is_none() && std::net::TcpListener::bind(remembered).is_ok();
        let port = if is_free { CONSOLE_PORT } else { 0 };
        (Ipv4Addr::LOCALHOST, port).into()
    }

    fn rules(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let near = Path::new("rules");
        if let Some(rules) = &self.rules {
            return std::path::absolute(rules).context("can't find the rules");
        }
        if near.is_dir() {
            return std::path::absolute(near).context("can't find the rules");
        }
        let copy = folder.join("rules");
        examples::write(&copy, None)?;
        Ok(copy)
    }
}

/// Writes a config into `folder` and reads it as any other, so that other commands can be tried on it too.
fn configure(folder: &Path, rules: &Path, api: &str, console: SocketAddr) -> anyhow::Result<Config> {
    for (path, secret) in starter().secrets {
        let secret = if secret.is_empty() {
            "0123456789abcdef0123456789abcdef"
        } else {
            &secret
        };
        examples::create(&folder.join(path), secret.as_bytes(), true)?;
    }
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let rules = quoted(rules.to_str().context("the path of the rules is no UTF-8")?);
    let text = format!(
        "listen = \"127.0.0.1:0\"\nrules = {rules}\n[admin]\nlisten = \"{console}\"\n\
         [[app]]\nname = \"shop\"\nkind = \"mini-program\"\napp_id = \"wx0000000000000de0\"\napi_base = {}\n\
         app_secret = {{ file = \"secrets/shop.app_secret\" }}\ntoken = {{ file = \"secrets/shop.token\" }}\n\
         encoding_aes_key = {{ file = \"secrets/shop.aes_key\" }}\nvars = {{ shop = \"小店\", phone = \"400-000-0000\" }}\n",
        quoted(api)
    );
    let path = folder.join("wxreply.toml");
    examples::create(&path, text.as_bytes(), false)?;
    let read = config::read(&path)?;
    print::to_stderr(&read.findings);
    match read.config {
        Some(config) => Ok(config),
        None => bail!("the demo's own config can't be used"),
    }
}

/// What was put up, and where.
struct Stage {
    page: SocketAddr,
    push: SocketAddr,
    admin: SocketAddr,
    rules: PathBuf,
    rules_are_copies: bool,
    config: PathBuf,
}

fn announce(stage: &Stage) -> std::io::Result<()> {
    let Stage {
        page, push, admin, ..
    } = stage;
    let (rules, config) = (stage.rules.display(), stage.config.display());
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "The daemon runs, and WeChat is simulated beside it. Nothing leaves this machine.\n"
    )?;
    writeln!(out, "  Chat as a customer   http://{page}/")?;
    writeln!(out, "  See all at a glance  http://{admin}/  (the console)")?;
    writeln!(out, "  Change the answers   edit a file in {rules}")?;
    writeln!(
        out,
        "                       and save it: the next message is answered by it"
    )?;
    if stage.rules_are_copies {
        writeln!(
            out,
            "                       (copies, gone when this ends; `wxreply init` writes some to keep)"
        )?;
    }
    writeln!(
        out,
        "  Watch the log        wxreply log --follow --config {config}"
    )?;
    writeln!(
        out,
        "  Ask why              wxreply explain 几点开门 --config {config}"
    )?;
    writeln!(out, "  Pushes come in at    http://{push}/wechat/shop")?;
    writeln!(
        out,
        "  Metrics, readiness   http://{admin}/metrics, http://{admin}/readyz\n"
    )?;
    writeln!(out, "Ctrl-C ends it.")?;
    out.flush()
}

/// A folder of our own that goes when it is dropped.
struct TempFolder(PathBuf);

impl TempFolder {
    fn new() -> std::io::Result<Self> {
        let unique: u64 = rand::random();
        let path = std::env::temp_dir().join(format!("wxreply-demo-{unique:016x}"));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // Fails when somebody made it first.
        builder.create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // What can't be removed, the system removes some day.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_config_can_be_used_and_leaves_nothing_behind() {
        let folder = TempFolder::new().expect("made");
        let path = folder.0.clone();
        let config = configure(
            &path,
            Path::new("/some \"rules\""),
            "http://127.0.0.1:1",
            (Ipv4Addr::LOCALHOST, 0).into(),
        )
        .expect("usable");
        assert_eq!(config.rules, Path::new("/some \"rules\""));
        assert_eq!(config.apps[0].api_base, ["http://127.0.0.1:1"]);
        drop(folder);
        assert!(!path.exists());
    }
}
