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
use crate::store::{Access, Cursor, Filter, Order, Store, StoreError};

/// How many rows people are shown unless they say otherwise.
const PEOPLE_READ: u32 = 50;

/// How many rows are read at once for a machine.
const PAGE: usize = 1000;

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
            // A customer's rows are in another order there, and not many.
            let at_once = if filter.openid.is_some() { usize::MAX } else { PAGE };
            let stretches = stretches(store, &filter, limit, at_once).await?;
            for stretch in stretches.into_iter().rev() {
                let entries = stretch.read(store, &filter).await?;
                recent.take(&entries);
                writer.write(&entries)?;
            }
        } else {
            let mut page = Filter {
                limit: u32::try_from(PAGE).ok(),
                ..filter.clone()
            };
            loop {
                let entries = store.entries(&page, Order::OldestFirst).await?;
                recent.take(&entries);
                writer.write(&entries)?;
                match entries.last() {
                    Some(last) if entries.len() == PAGE => page.after = Some((last.time, last.id)),
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

/// Rows that lie together, so many that they can be held at once.
struct Stretch {
    /// Where they begin, seen from the newest.
    from: Option<Cursor>,
    /// The oldest of them: when, and which.
    last: (Timestamp, MessageId),
    /// The rows, when they need not be read again.
    entries: Option<Vec<Entry>>,
}

/// Where the newest rows lie, at most so many: found by the index, newest first, so that nothing is read that is not wanted. They
/// are printed oldest first, so all but the last stretch are read once more then.
async fn stretches(
    store: &Store,
    filter: &Filter,
    limit: Option<u32>,
    at_once: usize,
) -> Result<Vec<Stretch>, StoreError> {
    let mut left = limit.map_or(usize::MAX, |limit| limit as usize);
    let mut all: Vec<Stretch> = Vec::new();
    let (mut from, mut cursor) = (None, None);
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let wanted = left.min(at_once - entries.len()).min(PAGE);
        let page = store.search(filter, cursor.as_ref(), wanted).await?;
        left -= page.entries.len();
        entries.extend(page.entries);
        cursor = page.next;
        let ends = left == 0 || cursor.is_none();
        if let Some(last) = entries.last().filter(|_| ends || entries.len() == at_once) {
            if let Some(before) = all.last_mut() {
                before.entries = None;
            }
            all.push(Stretch {
                from: from.take(),
                last: (last.time, last.id),
                entries: Some(std::mem::take(&mut entries)),
            });
        }
        if ends {
            return Ok(all);
        }
        if entries.is_empty() {
            from.clone_from(&cursor);
        }
    }
}

impl Stretch {
    /// The rows, the oldest first.
    async fn read(self, store: &Store, filter: &Filter) -> Result<Vec<Entry>, StoreError> {
        let mut entries = match self.entries {
            Some(entries) => entries,
            None => {
                let (mut entries, mut cursor) = (Vec::new(), self.from);
                loop {
                    let page = store.search(filter, cursor.as_ref(), PAGE).await?;
                    let found = page.entries.len();
                    let mine = page.entries.into_iter();
                    let before = entries.len();
                    entries.extend(mine.take_while(|entry| (entry.time, entry.id) >= self.last));
                    let passed = entries.len() - before < found;
                    cursor = page.next;
                    if passed || cursor.is_none() || page.back_to < self.last.0 {
                        break entries;
                    }
                }
            }
        };
        entries.reverse();
        Ok(entries)
    }
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
    use crate::clock::ManualClock;
    use crate::message::{Answer, Decision, Fields, Inbound, Verdict};
    use crate::store::Arrival;

    const BEGIN: i64 = 1_732_250_000;

    /// A message that nobody answers.
    fn arrival(n: u64, openid: &str) -> Arrival {
        let content = if n.is_multiple_of(3) {
            "几点开门"
        } else {
            "多少钱"
        };
        let received = Timestamp::from_second(BEGIN + n as i64 / 2).expect("a time");
        Arrival {
            inbound: Inbound {
                id: MessageId::new(received.as_second(), n),
                app: "shop".into(),
                openid: openid.into(),
                dedup_key: n.to_string(),
                received,
                msg_type: "text".into(),
                event: None,
                fields: Fields::new(),
                content: Some(content.to_owned()),
            },
            nonce: None,
            needs_app_cooldowns: false,
            judge: Box::new(|_, facts| Verdict {
                outbound: Vec::new(),
                decision: Decision {
                    status: InboundStatus::Unmatched,
                    rule: None,
                    rule_set: "v1".into(),
                    observed: Vec::new(),
                    answer: Answer::Success,
                    replies: Vec::new(),
                    contact: facts.contact.clone(),
                    app_cooldowns: Vec::new(),
                },
            }),
        }
    }

    #[tokio::test]
    async fn what_is_found_is_printed_oldest_first_however_little_is_held_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("t.db").display());
        let clock = ManualClock::at(Timestamp::from_second(BEGIN + 100).expect("a time"));
        let metrics = Arc::new(Metrics::new());
        let store = Store::open(&url, Access::Daemon, Arc::new(clock), metrics);
        let store = store.await.expect("opens");
        for n in 0..100 {
            let openid = if n % 2 == 0 { "oAnna" } else { "oBen" };
            store.record(arrival(n, openid)).await.expect("recorded");
        }
        let search = |openid: Option<&str>| Filter {
            search: Some("開門".to_owned()),
            openid: openid.map(Into::into),
            ..Filter::default()
        };
        for openid in [None, Some("oAnna")] {
            let filter = search(openid);
            let all = store.entries(&filter, Order::OldestFirst).await.expect("read");
            assert_eq!(all.len(), if openid.is_some() { 17 } else { 34 });
            for limit in [None, Some(1), Some(7), Some(34), Some(1000)] {
                let newest = &all[all.len() - all.len().min(limit.unwrap_or(u32::MAX) as usize)..];
                let sizes: &[usize] = match openid {
                    None => &[1, 2, 7, 33, 34, 1000],
                    Some(_) => &[usize::MAX],
                };
                for &at_once in sizes {
                    let found = stretches(&store, &filter, limit, at_once).await.expect("read");
                    assert!(
                        found
                            .iter()
                            .rev()
                            .skip(1)
                            .all(|stretch| stretch.entries.is_none())
                    );
                    let mut printed = Vec::new();
                    for stretch in found.into_iter().rev() {
                        let rows = stretch.read(&store, &filter).await.expect("read");
                        assert!(rows.len() <= at_once);
                        printed.extend(rows);
                    }
                    assert_eq!(printed, newest, "{limit:?} {at_once}");
                }
            }
        }
        let nothing = Filter {
            search: Some("没有".to_owned()),
            ..Filter::default()
        };
        assert!(
            stretches(&store, &nothing, None, 1000)
                .await
                .expect("read")
                .is_empty()
        );
        store.close().await;
    }

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
