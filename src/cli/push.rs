//! `wxreply push`: one push to a running daemon, made, signed and sealed as WeChat does.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::config::{self, ConfigArg};
use super::print::plain;
use super::{Exit, runtime};
use crate::config::{App, Config};
use crate::message::{self, AppName, Fields, OpenId};
use crate::simulator::{Account, DeliverError, PushBody, deliver, msg_id, signed_push};

/// WeChat's own patience.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
#[command(
    after_help = "Prints the status, the time it took and the answer. Exit code 1 unless the status is 200."
)]
pub(super) struct Push {
    /// The app that it is pushed to; needed when there are several
    #[arg(long, value_parser = |s: &str| anyhow::Ok(AppName::from(s)))]
    app: Option<AppName>,
    #[command(flatten)]
    body: Body,
    /// The customer
    #[arg(long, default_value = "oTestCustomerOfWxreply000001", value_parser = |s: &str| anyhow::Ok(OpenId::from(s)))]
    openid: OpenId,
    /// Where to push to [default: the config's `listen`, and /wechat/<app>]
    #[arg(long)]
    url: Option<String>,
    /// The data format (数据格式)
    #[arg(long, value_enum, default_value_t = Format::Xml)]
    format: Format,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Body {
    /// A text message
    #[arg(long)]
    text: Option<String>,
    /// An event
    #[arg(long)]
    event: Option<String>,
    /// A file that holds the clear body, XML or JSON, as it is
    #[arg(long)]
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// XML
    Xml,
    /// JSON
    Json,
}

impl From<Format> for message::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Xml => Self::Xml,
            Format::Json => Self::Json,
        }
    }
}

impl Push {
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = self.config.load()?;
        let app = config::app(&config, self.app.as_ref())?;
        let account = account(app, self.format.into());
        let url = self.url.clone().unwrap_or_else(|| callback(&config, app));
        let (now, mut random) = (Timestamp::now(), rand::rng());
        let body = match (&self.body.text, &self.body.event, &self.body.file) {
            (Some(text), ..) => PushBody::text(&account, &self.openid, text, msg_id(now, &mut random), now),
            (_, Some(event), _) => PushBody::event(&account, &self.openid, event, Fields::new(), now),
            (.., Some(file)) => {
                PushBody::raw(std::fs::read(file).with_context(|| format!("can't read {}", file.display()))?)
            }
            (None, None, None) => bail!("say what to push: --text, --event or --file"),
        };
        let push = signed_push(&account, &body, now, &mut random)?;
        let answer = runtime()?.block_on(deliver(&url, &push, PATIENCE));
        let mut out = std::io::stdout().lock();
        let answer = match answer {
            Ok(answer) => answer,
            Err(error @ DeliverError::Timeout(_)) => {
                writeln!(
                    out,
                    "{error} from {url}; WeChat would push it again, up to three times"
                )?;
                return Ok(Exit::Bad);
            }
            Err(error @ DeliverError::Connection(_)) => bail!(
                "can't push to {url}: {error}\nIs `wxreply serve` running, with this config? --url names another address"
            ),
            Err(error) => return Err(error.into()),
        };
        let text = String::from_utf8_lossy(&answer.body);
        writeln!(
            out,
            "{} after {:.1?}: {}",
            answer.status,
            answer.took,
            plain(&text)
        )?;
        match answer.status {
            200 => return Ok(Exit::Fine),
            403 => writeln!(
                out,
                "The daemon says why under last_refusals: http://{}/readyz",
                config.admin.listen
            )?,
            404 => writeln!(
                out,
                "Nothing takes pushes there: a daemon does at /wechat/<name of the app>"
            )?,
            _ => {}
        }
        Ok(Exit::Bad)
    }
}

/// The account that an app of the config is to WeChat.
pub(super) fn account(app: &App, format: message::Format) -> Account {
    Account {
        kind: app.kind,
        app_id: app.app_id.clone(),
        app_secret: app.app_secret.expose_secret().to_owned(),
        token: app.token.expose_secret().to_owned(),
        encoding_aes_key: app
            .encoding_aes_key
            .as_ref()
            .map(|key| key.expose_secret().to_owned())
            .unwrap_or_default(),
        mode: app.mode,
        format,
    }
}

/// Where the daemon of this config takes the app's pushes, seen from this machine.
pub(super) fn callback(config: &Config, app: &App) -> String {
    let mut listen: SocketAddr = config.listen;
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{listen}/wechat/{}", app.name)
}
