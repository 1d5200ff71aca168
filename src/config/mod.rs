//! The static settings: `wxreply.toml`, read once, checked whole.
//!
//! Knows nothing of WeChat's protocol, of rules' contents or of the database: only what may be written in the file.

mod admin;
mod app;
pub mod codes;
mod mask;
mod read;
mod schema;
mod secret;
mod section;
mod starter;
mod tables;
#[cfg(test)]
mod tests;
mod value;

pub use schema::schema;
pub use starter::{Starter, starter};
pub(crate) use value::parse_duration;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostic, Language};
use crate::message::{AppKind, AppName, Mode};

/// All settings, checked: paths resolved, secrets read, defaults filled in.
#[derive(Debug)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// Where pushes come in.
    pub listen: SocketAddr,
    /// The rules: a folder or a file.
    pub rules: PathBuf,
    /// The database, its path resolved against the config file's folder: `sqlite:///abs/path.db`.
    pub database: String,
    /// The zone of hours and dates in rules, and of times that are shown.
    pub timezone: TimeZone,
    /// `[admin]`
    pub admin: Admin,
    /// `[push]`
    pub push: Push,
    /// `[outbox]`
    pub outbox: Outbox,
    /// `[webhook]`
    pub webhook: Webhook,
    /// `[log]`
    pub log: Log,
    /// `[alarm]`
    pub alarm: Alarm,
    /// `[[app]]`, at least one.
    pub apps: Vec<App>,
}

/// `[admin]`: the second listener.
#[derive(Debug)]
pub struct Admin {
    /// Loopback, unless users are named.
    pub listen: SocketAddr,
    /// Where people reach it, without a trailing slash: `https://console.example.com`, when a proxy stands before it.
    pub url: Option<String>,
    /// What other back ends show to be given an app's access token; none gets it unless this is set.
    pub token_key: Option<SecretString>,
    /// Who may sign in. When nobody is named, nobody is asked, and the listener is loopback.
    pub users: Vec<AdminUser>,
}

/// `[[admin.user]]`
#[derive(Clone, Debug)]
pub struct AdminUser {
    /// Unique, 1 to 64 letters (of any script), digits, `-`, `_`, `.` and `@`.
    pub name: String,
    /// An argon2 hash ([`crate::password`]), checked for its form.
    pub password_hash: SecretString,
    /// What this person may do.
    pub role: Role,
}

/// What a user of the console may do; each may do all that those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read.
    Viewer,
    /// Write to customers, mute the bot, resend.
    Agent,
    /// Change rules.
    Editor,
}

/// `[push]`: what is taken from WeChat.
#[derive(Debug)]
pub struct Push {
    /// How far a push's timestamp may be from this machine's clock; default 10 min.
    pub max_age: Duration,
    /// The largest body in bytes; default 1 MiB.
    pub max_body: u64,
    /// Connections at once; default 4096.
    pub max_connections: usize,
}

/// `[outbox]`: how replies are delivered.
#[derive(Debug)]
pub struct Outbox {
    /// A reply older than this is given up; default 15 min.
    pub max_age: Duration,
    /// `"resend"` (default) or `"hold"`; true = hold.
    pub hold_uncertain: bool,
    /// Replies in flight at once; default 64.
    pub concurrency: usize,
    /// The pause between two replies to one user; default 100 ms.
    pub gap: Duration,
    /// Replies of each window kept for a person; default 0.
    pub reserve: u32,
    /// How long one call of WeChat's API may take; default 10 s.
    pub timeout: Duration,
}

/// `[webhook]`: how rules' webhooks are asked.
#[derive(Debug)]
pub struct Webhook {
    /// What questions are signed with, checked for its form; needed when a rule has a `webhook`.
    pub secret: Option<SecretString>,
    /// Calls of one rule at once; default 8.
    pub concurrency: usize,
}

/// `[log]`: what is kept.
#[derive(Debug)]
pub struct Log {
    /// How long messages are kept; at least a day, default 180 days. `None`: for ever.
    pub retention: Option<Duration>,
    /// Whether customers' pictures are fetched and kept; default true.
    pub media: bool,
}

/// `[alarm]`: who is told of trouble. Nobody, unless there is an address.
#[derive(Debug)]
pub struct Alarm {
    /// A web address that is sent JSON; a secret, for it may hold a key.
    pub webhook: Option<SecretString>,
    /// The web address of a 企业微信 group robot, which holds its key.
    pub wecom_robot: Option<SecretString>,
    /// How long the same alarm is not repeated; at least a minute, default 30 min.
    pub cooldown: Duration,
    /// What alarms are written in; default Chinese.
    pub language: Language,
}

/// `[[app]]`
#[derive(Debug)]
pub struct App {
    /// Its name; letters, digits, `-` and `_`.
    pub name: AppName,
    /// Its kind.
    pub kind: AppKind,
    /// The AppID.
    pub app_id: String,
    /// The AppSecret.
    pub app_secret: SecretString,
    /// The Token.
    pub token: SecretString,
    /// The EncodingAESKey, checked for its form; there in compat and safe mode.
    pub encoding_aes_key: Option<SecretString>,
    /// The mode below which no push is taken.
    pub mode: Mode,
    /// Base URLs of WeChat's API without a trailing slash.
    pub api_base: Vec<String>,
    /// Where its token comes from.
    pub access_token: AccessTokenSource,
    /// `{{ app.<name> }}` in replies.
    pub vars: BTreeMap<String, String>,
}

/// `access_token`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessTokenSource {
    /// `"stable"`, the default.
    Stable,
    /// `"classic"`
    Classic,
    /// `{ url = "…" }`
    Url(String),
}

/// What reading gives: the settings unless a finding is an error, and all findings.
#[derive(Debug)]
pub struct Read {
    /// The settings.
    pub config: Option<Config>,
    /// All findings.
    pub findings: Vec<Diagnostic>,
}

/// Reads a config file. `Err` only when the file itself can't be read.
pub fn read(path: &Path) -> std::io::Result<Read> {
    read_with(path, true)
}

/// Reads a config file for a command that needs neither secrets nor the AppID: what of them is missing is left empty, so
/// that `wxreply log` works in a shell that the daemon's environment was never given to, and rules can be written and
/// tested before there is an account.
pub fn read_without_secrets(path: &Path) -> std::io::Result<Read> {
    read_with(path, false)
}

/// Whether a text is that of a config file rather than a rule file: only the one speaks of apps.
#[must_use]
pub fn is_config(text: &str) -> bool {
    let (table, _) = toml::de::DeTable::parse_recoverable(text);
    table.get_ref().contains_key("app")
}

/// The finding (a warning) for a place that should hold rules, and holds none.
#[must_use]
pub fn no_rule_in(place: &str) -> Diagnostic {
    Diagnostic::warning(codes::NO_RULE, format!("there is no rule in {place}")).help(
        "rules stand under [[rule]] in files that end in .toml; until there is one, no message is answered",
    )
}

fn read_with(path: &Path, fetch: bool) -> std::io::Result<Read> {
    let text = std::fs::read_to_string(path)?;
    let env = |name: &str| std::env::var(name).ok();
    Ok(read::read(path, &text, &env, fetch))
}
