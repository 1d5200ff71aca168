//! `wxreply log`: reviewing the message log.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::config::ConfigArg;
use super::log_format::{Format, Writer};
use super::{Exit, runtime, time};
use crate::clock::SystemClock;
use crate::message::{AppName, Direction, Entry, InboundStatus, MessageId, OpenId, RuleName};
use crate::metrics::Metrics;
use crate::store::{Access, Filter, Order, Store};

/// How many rows people are shown unless they say otherwise.
const PEOPLE_READ: u32 = 50;

/// How many rows are read at once for a machine.
const PAGE: u32 = 1000;

/// How often `--follow` looks.
const LOOK: Duration = Duration::from_secs(1);

/// How far `--follow` looks back each time: a row may be written a little after rows that are younger, and a reply's
/// status changes when it is sent.
const OVERLAP: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
#[command(after_help = "\
The oldest row comes first, the newest last. A table shows the newest 50 unless --limit says otherwise; json, jsonl and \
csv have all rows. T is 2026-01-05, 2026-01-05T10:00, RFC 3339, or back from now: 90s, 10m, 2h, 7d.

In CSV, a text that a spreadsheet would take for a formula has an apostrophe before it.")]
pub(super) struct Log {
    /// Only this app
    #[arg(long, value_parser = |s: &str| anyhow::Ok(AppName::from(s)))]
    app: Option<AppName>,
    /// Only this customer
    #[arg(long, value_parser = |s: &str| anyhow::Ok(OpenId::from(s)))]
    openid: Option<OpenId>,
    /// Only what this rule decided
    #[arg(long, value_parser = |s: &str| anyhow::Ok(RuleName::from(s)))]
    rule: Option<RuleName>,
    /// Only one direction: from customers, or to them
    #[arg(long, value_enum)]
    direction: Option<Way>,
    /// Only this status
    #[arg(long, value_parser = STATUSES)]
    status: Option<String>,
    /// Only messages that no rule answered: --status unmatched
    #[arg(long, conflicts_with = "status")]
    unmatched: bool,
    /// Only messages that contain this text, whatever its letter case, width, traditional or simplified characters
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// From this time on
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "T", conflicts_with = "follow")]
    until: Option<String>,
    /// At most so many rows, the newest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Go on with rows as they come; a reply comes again when its status changes
    #[arg(long)]
    follow: bool,
    /// How rows are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    config: ConfigArg,
}

const STATUSES: [&str; 10] = [
    "matched",
    "unmatched",
    "cooldown",
    "muted",
    "malformed",
    "queued",
    "sent",
    "failed",
    "dropped",
    "uncertain",
];

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Way {
    /// From customers
    In,
    /// To customers
    Out,
}

impl Log {
    pub fn run(self) -> anyhow::Result<Exit> {
        let config = self.config.load_without_secrets()?;
        let filter = self.filter(Timestamp::now(), &config.timezone)?;
        if self.follow && self.format == Format::Json {
            anyhow::bail!("a JSON array has an end, --follow has none: take --format jsonl");
        }
        runtime()?.block_on(async {
            let metrics = Arc::new(Metrics::new());
            let store =
                Store::open(&config.database, Access::Command, Arc::new(SystemClock), metrics).await?;
            let done = self.print(&store, filter, config.timezone).await;
            store.close().await;
            done
        })
    }

    fn filter(&self, now: Timestamp, zone: &TimeZone) -> anyhow::Result<Filter> {
        let time = |option: &str, text: &Option<String>| {
            let text = text.as_deref();
            text.map(|t| time::parse(option, t, now, zone)).transpose()
        };
        let unmatched = self
            .unmatched
            .then(|| InboundStatus::Unmatched.as_str().to_owned());
        Ok(Filter {
            app: self.app.clone(),
            openid: self.openid.clone(),
            rule: self.rule.clone(),
            direction: self.direction.map(|way| match way {
                Way::In => Direction::In,
                Way::Out => Direction::Out,
            }),
            status: self.status.clone().or(unmatched),
            search: self.search.clone().filter(|s| !s.is_empty()),
            since: time("--since", &self.since)?,
            until: time("--until", &self.until)?,
            after: None,
            limit: None,
        })
    }

    async fn print(&self, store: &Store, filter: Filter, zone: TimeZone) -> anyhow::Result<Exit> {
        let began = Timestamp::now();
        let stdout = std::io::stdout();
        let mut writer = Writer::new(self.format, self.follow, zone, stdout.is_terminal(), stdout)?;
        let limit = match (self.limit, self.format) {
            (None, Format::Table) => Some(PEOPLE_READ),
            (limit, _) => limit,
        };
        let mut recent = Recent::default();
        if limit.is_some() || filter.search.is_some() {
            let entries = newest(store, &filter, limit).await?;
            recent.take(&entries);
            writer.write(&entries)?;
        } else {
            let mut page = Filter {
                limit: Some(PAGE),
                ..filter.clone()
            };
            loop {
                let entries = store.entries(&page, Order::OldestFirst).await?;
                recent.take(&entries);
                writer.write(&entries)?;
                match entries.last() {
                    Some(last) if entries.len() == PAGE as usize => page.after = Some((last.time, last.id)),
                    _ => break,
                }
            }
        }
        if !self.follow {
            writer.finish()?;
            return Ok(Exit::Fine);
        }
        recent.newest.get_or_insert(began);
        loop {
            tokio::time::sleep(LOOK).await;
            let since = recent.since().max(filter.since.unwrap_or(Timestamp::MIN));
            let look = Filter {
                since: Some(since),
                ..filter.clone()
            };
            let mut entries = store.entries(&look, Order::OldestFirst).await?;
            entries.retain(|entry| recent.is_news(entry));
            recent.take(&entries);
            writer.write(&entries)?;
        }
    }
}

/// The newest rows, at most so many, the oldest of them first: found by the index, so that nothing is read that is not
/// wanted.
async fn newest(store: &Store, filter: &Filter, limit: Option<u32>) -> anyhow::Result<Vec<Entry>> {
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    let (mut entries, mut cursor) = (Vec::new(), None);
    while entries.len() < limit {
        let wanted = (limit - entries.len()).min(PAGE as usize);
        let page = store.search(filter, cursor.as_ref(), wanted).await?;
        entries.extend(page.entries);
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    entries.reverse();
    Ok(entries)
}

/// What `--follow` printed lately.
#[derive(Default)]
struct Recent {
    newest: Option<Timestamp>,
    statuses: BTreeMap<MessageId, (Timestamp, String)>,
}

impl Recent {
    fn since(&self) -> Timestamp {
        let newest = self.newest.unwrap_or(Timestamp::MIN);
        newest.saturating_sub(OVERLAP).unwrap_or(Timestamp::MIN)
    }

    fn is_news(&self, entry: &Entry) -> bool {
        self.statuses
            .get(&entry.id)
            .is_none_or(|(_, status)| *status != entry.status)
    }

    fn take(&mut self, entries: &[Entry]) {
        self.newest = entries.iter().map(|e| e.time).chain(self.newest).max();
        let since = self.since();
        self.statuses.retain(|_, (time, _)| *time >= since);
        let late = entries.iter().filter(|e| e.time >= since);
        self.statuses
            .extend(late.map(|e| (e.id, (e.time, e.status.clone()))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::log_format::tests::entry;

    #[test]
    fn following_prints_a_row_once_for_each_status() {
        let at = |second: i64| Timestamp::from_second(1_780_000_000 + second).expect("a time");
        let row = |hash: u64, second: i64, status: &str| {
            let mut entry = entry();
            entry.id = MessageId::new(1_780_000_000, hash);
            (entry.time, entry.status) = (at(second), status.to_owned());
            entry
        };
        let mut recent = Recent::default();
        recent.take(&[row(1, 0, "queued")]);
        assert!(!recent.is_news(&row(1, 0, "queued")));
        assert!(recent.is_news(&row(1, 0, "sent")));
        assert!(recent.is_news(&row(2, -3, "matched")), "written late");
        assert_eq!(recent.since(), at(-10));

        recent.take(&[row(3, 60, "matched")]);
        assert_eq!(recent.since(), at(50));
        assert_eq!(
            recent.statuses.len(),
            1,
            "what is too old to come again is forgotten"
        );
    }
}
