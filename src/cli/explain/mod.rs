//! `wxreply explain`: which rule answers a message, and why the others do not. Nothing is sent or recorded.

mod case;
mod tell;

use std::io::{BufWriter, Write};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::config::ConfigArg;
use super::print::to_stderr;
use super::{Exit, runtime, time};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::intake::policies_of;
use crate::message::{AppName, MessageId, OpenId};
use crate::metrics::Metrics;
use crate::reload::{RulesSource, archived};
use crate::rules::RuleSet;
use crate::store::{Access, Store};
use crate::story::{Case, Logged, Story};

#[derive(Debug, Args)]
#[command(after_help = "\
The rules are those on the disk, unless --as-logged asks for those that judged a logged message. What is known of the \
customer (state, cooldowns, quota) is read from the database, if there is one; for a message of the past it is what is \
known now, not then.

Each rule is one line: ✓ if all its conditions hold, else ✗ and the first that does not. Rules that matched, and those that \
nearly did, are shown with all their conditions; --verbose shows every rule so.

Exit code 1 when no rule decides.")]
pub(super) struct Explain {
    /// The text of the message
    #[arg(required_unless_present_any = ["message", "event", "msg_type"])]
    text: Option<String>,
    /// A message of the log instead, or the message that a reply of the log answers
    #[arg(long, value_name = "ID", conflicts_with_all = ["text", "msg_type", "event", "field", "openid", "app"])]
    message: Option<MessageId>,
    /// By the rules that were in force when the message came
    #[arg(long, requires = "message", conflicts_with_all = ["text", "msg_type", "event"])]
    as_logged: bool,
    /// MsgType [default: text, or event with --event]
    #[arg(long, value_name = "T")]
    msg_type: Option<String>,
    /// Event
    #[arg(long, value_name = "E")]
    event: Option<String>,
    /// Another field of the push (may be given several times)
    #[arg(long, value_name = "K=V", value_parser = key_value)]
    field: Vec<(String, String)>,
    /// The customer
    #[arg(long, default_value = "oExplain", value_parser = |s: &str| anyhow::Ok(OpenId::from(s)))]
    openid: OpenId,
    /// When [default: now, or when the message came]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The app; needed when there are several
    #[arg(long, value_parser = |s: &str| anyhow::Ok(AppName::from(s)))]
    app: Option<AppName>,
    /// Show every condition of every rule
    #[arg(long, short)]
    verbose: bool,
    /// How the story is told
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object
    Json,
}

fn key_value(text: &str) -> anyhow::Result<(String, String)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => bail!("write NAME=VALUE"),
    }
}

/// The rules to ask, and where they are from.
struct Rules {
    set: RuleSet,
    place: String,
}

impl Explain {
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = self.config.load_without_secrets()?;
        let (case, rules, notes) = runtime()?.block_on(self.case(&config))?;
        super::config::app(&config, Some(&case.inbound.app))?;
        let story = Story::of(&case, &rules.set, &policies_of(&config));
        let told = tell::Told {
            notes: &notes,
            story: &story,
        };
        let mut out = BufWriter::new(std::io::stdout().lock());
        match self.format {
            Format::Human => {
                writeln!(out, "rules: {} {}", rules.set.len(), rules.place)?;
                tell::tell(&mut out, &told, &config.timezone, self.verbose)?;
            }
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, &told)?;
                writeln!(out)?;
            }
        }
        out.flush()?;
        Ok(match story.rule {
            Some(_) => Exit::Fine,
            None => Exit::Bad,
        })
    }

    /// The message with all that a decision needs, the rules that are to decide, and what should be known about both.
    async fn case(&self, config: &Config) -> anyhow::Result<(Case, Rules, Vec<String>)> {
        let now = Timestamp::now();
        let at = self
            .at
            .as_deref()
            .map(|text| time::parse("--at", text, now, &config.timezone))
            .transpose()?;
        let metrics = Arc::new(Metrics::new());
        let store = Store::open(&config.database, Access::Command, Arc::new(SystemClock), metrics).await;
        let (mut case, rules, mut notes) = match self.message {
            Some(id) => {
                let store = store.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
                let logged = Logged::read(store, id).await?;
                let rules = match &logged.rule_set {
                    Some(version) if self.as_logged => {
                        let set = archived(store, version).await?;
                        let set = set.with_context(|| {
                            format!("the database does not have the rules of then ({version}), so nobody can say what they would do; without --as-logged, those on the disk are asked")
                        })?;
                        Rules {
                            set,
                            place: format!("as they were when the message came ({version})"),
                        }
                    }
                    None if self.as_logged => bail!("the log does not say which rules judged {id}"),
                    _ => on_disk(config)?,
                };
                let notes = tell::notes(&logged, rules.set.version());
                (logged.case(at), rules, notes)
            }
            None => {
                let app = super::config::app(config, self.app.as_ref())?;
                let inbound = self.inbound(app, at.unwrap_or(now));
                (Case::new(inbound), on_disk(config)?, Vec::new())
            }
        };
        match store {
            Ok(store) => {
                let known = store.contact(&case.inbound.app, &case.inbound.openid).await;
                store.close().await;
                (case.contact, case.app_cooldowns) =
                    known.context("can't read what is known of the customer")?;
            }
            Err(error) => notes.push(format!("nothing is known of the customer: {error}")),
        }
        Ok((case, rules, notes))
    }
}

/// The rules as they lie on the disk.
fn on_disk(config: &Config) -> anyhow::Result<Rules> {
    let loaded = RulesSource::of(config).load()?;
    let Some(set) = loaded.set else {
        let errors: Vec<_> = loaded.findings.into_iter().filter(Diagnostic::is_error).collect();
        to_stderr(&errors);
        bail!("the rules {} can't be used", config.rules.display());
    };
    Ok(Rules {
        set,
        place: format!("in {}", config.rules.display()),
    })
}
