//! `wxreply replay`: run recorded traffic through candidate rules, and show what would change.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::config::ConfigArg;
use super::print::to_stderr;
use super::replay_format::{self, Run};
use super::{Exit, time};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::intake::policies_of;
use crate::message::{AppName, OpenId};
use crate::metrics::Metrics;
use crate::rehearsal::{Focus, Replay as Rehearsal, WARM_UP};
use crate::reload::RulesSource;
use crate::rules::RuleSet;
use crate::store::{Access, Store};

#[derive(Debug, Args)]
#[command(after_help = "\
Each message is judged once more, in the order and at the time in which it was, by the rules on the disk; state, \
cooldowns, mutes, misses and quota are those that these rules would have led to. That is compared with what the log says \
was decided, or, with --against, with what other rules make of the same messages. T is 2026-01-05, 2026-01-05T10:00, RFC \
3339, or back from now: 90s, 10m, 2h, 7d.

Messages of the two days before T are judged too, but not reported, so that the first ones reported find the state, \
cooldowns and quota that those before them led to; --warm-up goes further back, for cooldowns that last longer.

What it can't know: what was changed by hand (a mute, a reply written by a person), replies that WeChat refused, what a \
webhook would say (the same rule counts as the same answer), messages that lie further back. Replies count as sent at once. When a reply goes out (delay, typing) is not compared. --against \
takes away whatever noise that makes, for both sides then know as little.

A message counts as changed when the customer would notice: newly answered, no longer answered, answered differently, or \
cut short by quota otherwise. Where only the rule or the status differs, the change is told as unnoticed, and not \
counted. `wxreply explain --message ID` tells more of any message.

Exit code 1 when more messages changed than --max-changed allows.")]
pub(super) struct Replay {
    /// Messages from this time on
    #[arg(long, value_name = "T")]
    since: String,
    /// Messages before this time [default: now]
    #[arg(long, value_name = "T")]
    until: Option<String>,
    /// The candidate rules, a folder or a file [default: those of the config]
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Compare with what these rules make of the messages, not with the log
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// How many messages may change: a number, or a share such as 1%
    #[arg(long, value_name = "N")]
    max_changed: Option<Limit>,
    /// Only messages to this app
    #[arg(long, value_parser = |s: &str| anyhow::Ok(AppName::from(s)))]
    app: Option<AppName>,
    /// Only messages of this customer
    #[arg(long, value_parser = |s: &str| anyhow::Ok(OpenId::from(s)))]
    openid: Option<OpenId>,
    /// How long before T messages are judged without being reported [default: 48h]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    warm_up: Option<Duration>,
    /// At most so many groups of texts for each change [default: 5 for people, 100 for json]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// What is printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Human,
    /// The report as one JSON object
    Json,
    /// Each message that differs as one JSON object a line
    Jsonl,
}

/// How many messages may change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Limit {
    Messages(u64),
    Percent(f64),
}

impl FromStr for Limit {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let limit = match text.strip_suffix(['%', '％']) {
            None => text.parse().ok().map(Self::Messages),
            Some(share) => share
                .trim()
                .parse()
                .ok()
                .filter(|share| (0.0..=100.0).contains(share))
                .map(Self::Percent),
        };
        limit.context("write a number of messages, or a share such as 1%")
    }
}

impl Limit {
    /// Whether so many of all messages are within it.
    pub fn allows(self, changed: u64, messages: u64) -> bool {
        match self {
            Self::Messages(limit) => changed <= limit,
            // Exact up to 2^53, and nobody has a log of that length.
            Self::Percent(limit) => changed as f64 * 100.0 <= limit * messages as f64,
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Messages(limit) => write!(f, "{limit}"),
            Self::Percent(limit) => write!(f, "{limit}%"),
        }
    }
}

fn duration(text: &str) -> anyhow::Result<Duration> {
    crate::config::parse_duration(text).context("write a time such as 48h or 7d")
}

impl Replay {
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = self.config.load_without_secrets()?;
        let now = Timestamp::now();
        let parse = |option: &str, text: &str| time::parse(option, text, now, &config.timezone);
        let since = parse("--since", &self.since)?;
        let until = self
            .until
            .as_deref()
            .map(|text| parse("--until", text))
            .transpose()?;
        let until = until.unwrap_or(now);
        if until <= since {
            bail!("--until must be later than --since");
        }
        if let Some(app) = &self.app {
            super::config::app(&config, Some(app))?;
        }
        let warm_up = since.saturating_sub(self.warm_up.unwrap_or(WARM_UP))?;
        let rules_at = self.rules.as_deref().unwrap_or(&config.rules);
        let rules = load(&config, rules_at)?;
        let against = self.against.as_deref();
        let other = against.map(|path| load(&config, path)).transpose()?;

        let policies = policies_of(&config);
        let focus = Focus {
            since,
            app: self.app.clone(),
            openid: self.openid.clone(),
        };
        let rehearsal = Rehearsal::new(&rules, other.as_ref(), &policies, focus);
        let mut out = BufWriter::new(std::io::stdout().lock());
        // The rules are run here, the log is read over there.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let report = runtime.block_on(self.replay(&config, rehearsal, warm_up..until, &mut out))?;
        let within = self
            .max_changed
            .is_none_or(|limit| limit.allows(report.changed(), report.messages));
        let run = Run {
            report: &report,
            rules: (&rules, rules_at),
            against: other.as_ref().zip(against),
            since,
            until,
            warm_up,
            limit: self.max_changed,
            within,
            zone: &config.timezone,
        };
        match self.format {
            Format::Human => replay_format::human(&mut out, &run, self.shown(5))?,
            Format::Json => replay_format::json(&mut out, &run, self.shown(100))?,
            Format::Jsonl => {}
        }
        out.flush()?;
        Ok(if within { Exit::Fine } else { Exit::Bad })
    }

    /// How many groups, and texts of each.
    fn shown(&self, default: usize) -> usize {
        let limit = self.limit.and_then(|limit| usize::try_from(limit).ok());
        limit.unwrap_or(default)
    }

    async fn replay(
        &self,
        config: &Config,
        mut rehearsal: Rehearsal<'_>,
        window: std::ops::Range<Timestamp>,
        out: &mut impl Write,
    ) -> anyhow::Result<crate::rehearsal::Report> {
        let metrics = Arc::new(Metrics::new());
        let store = Store::open(&config.database, Access::Command, Arc::new(SystemClock), metrics).await?;
        let mut pages = store.past(window.start, window.end);
        while let Some(page) = pages.recv().await {
            for past in page.context("the log can't be read")? {
                if let Some(difference) = rehearsal.meet(past)
                    && self.format == Format::Jsonl
                {
                    replay_format::line(out, &difference)?;
                }
            }
        }
        store.close().await;
        Ok(rehearsal.finish())
    }
}

/// The rules of the config, or those at another place for the same apps.
fn load(config: &Config, path: &Path) -> anyhow::Result<RuleSet> {
    let source = RulesSource {
        path: path.to_owned(),
        ..RulesSource::of(config)
    };
    let loaded = source.load()?;
    loaded.set.map_or_else(
        || {
            let errors: Vec<_> = loaded.findings.into_iter().filter(Diagnostic::is_error).collect();
            to_stderr(&errors);
            bail!("the rules {} can't be used", path.display())
        },
        Ok,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_a_share() {
        let limit = |text: &str| text.parse::<Limit>().ok();
        assert_eq!(limit("10"), Some(Limit::Messages(10)));
        assert_eq!(limit("0"), Some(Limit::Messages(0)));
        assert_eq!(limit("0.5%"), Some(Limit::Percent(0.5)));
        for wrong in ["", "-1", "1.5", "%", "101%", "NaN%", "few"] {
            assert_eq!(limit(wrong), None, "{wrong:?}");
        }
        assert!(Limit::Messages(3).allows(3, 3) && !Limit::Messages(3).allows(4, 1000));
        assert!(Limit::Percent(1.0).allows(3, 300) && !Limit::Percent(1.0).allows(4, 300));
        assert!(Limit::Percent(1.0).allows(0, 0));
    }
}
