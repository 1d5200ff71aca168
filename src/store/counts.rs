//! How many messages there were in each hour, what became of them, and how long their pushes waited.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::QueryBuilder;

use super::index::{HOUR, live};
use super::queue::unsent;
use super::row::{At, Cells, ceil_millis};
use super::{Store, StoreError};
use crate::latency::{Counts, RANGES, quantile};
use crate::message::AppName;

/// What came and went in one hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HourCounts {
    /// When the hour began.
    pub hour: Timestamp,
    /// What customers sent.
    pub messages: Taken,
    /// What they did: entered, subscribed, tapped a menu.
    pub events: Taken,
    /// What went to them.
    pub replies: Replies,
}

/// How messages were taken, as the log's `status` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// A rule decided.
    pub matched: u64,
    /// None did.
    pub unmatched: u64,
    /// A rule's cooldown kept it silent.
    pub cooldown: u64,
    /// The user was muted.
    pub muted: u64,
    /// Well signed, but no message.
    pub malformed: u64,
}

/// Where replies stand now, as the log's `status` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replies {
    /// WeChat took them.
    pub sent: u64,
    /// They wait.
    pub queued: u64,
    /// WeChat refused them, or could not be reached in time.
    pub failed: u64,
    /// They were given up without asking WeChat.
    pub dropped: u64,
    /// Nobody knows.
    pub uncertain: u64,
}

impl Taken {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.matched + self.unmatched + self.cooldown + self.muted + self.malformed
    }

    /// Those that a rule took, though its cooldown may have kept it silent.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.matched + self.cooldown
    }

    /// Those that rules were asked about: the whole that [`Taken::taken`] is a part of, what none took being the rest.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.taken() + self.unmatched
    }

    fn count(&mut self, status: &str, number: u64) {
        match status {
            "matched" => self.matched += number,
            "unmatched" => self.unmatched += number,
            "cooldown" => self.cooldown += number,
            "muted" => self.muted += number,
            _ => self.malformed += number,
        }
    }
}

impl Replies {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.sent + self.queued + self.failed + self.dropped + self.uncertain
    }
}

impl std::ops::AddAssign for Taken {
    fn add_assign(&mut self, other: Self) {
        self.matched += other.matched;
        self.unmatched += other.unmatched;
        self.cooldown += other.cooldown;
        self.muted += other.muted;
        self.malformed += other.malformed;
    }
}

impl std::ops::AddAssign for Replies {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.queued += other.queued;
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.uncertain += other.uncertain;
    }
}

/// How long the pushes of one hour waited for their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourLatency {
    /// When the hour began.
    pub hour: Timestamp,
    /// How many there were.
    pub count: u64,
    /// Half of them waited no longer.
    pub p50: Duration,
    /// Nearly all of them waited no longer.
    pub p99: Duration,
    /// How many waited how long, to be added to those of other hours.
    pub counts: Counts,
}

/// A failure to deliver, and how often it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryFailure {
    /// `failed`, `dropped` or `uncertain`.
    pub status: String,
    /// WeChat's code, if it answered.
    pub errcode: Option<i64>,
    /// What happened, in the words of the last one.
    pub error: Option<String>,
    /// How often.
    pub count: u64,
    /// When a reply that met it was decided last.
    pub last: Timestamp,
}

/// Kinds of failures that are told, the most frequent first.
const FAILURES: i64 = 100;

impl Store {
    /// The counts of each hour from that of `since` to before `until`, the oldest first; hours without any are not there.
    /// The hour that `since` lies in is counted whole.
    ///
    /// While the index is far behind (see [`Store::index_status`]), some hours are not complete yet.
    pub async fn hours(
        &self,
        since: Timestamp,
        until: Timestamp,
        app: Option<&AppName>,
    ) -> Result<Vec<HourCounts>, StoreError> {
        let (from, to) = (hour_of(since), hour_of_end(until));
        let (mark, index) = self.indexed().await?;
        let mut hours: BTreeMap<i64, HourCounts> = BTreeMap::new();
        let mut totals: BTreeMap<i64, u64> = BTreeMap::new();
        let mut add = |hour: i64, kind: &str, status: &str, number: u64| {
            let counts = hours.entry(hour).or_default();
            match kind {
                "reply" => *totals.entry(hour).or_default() += number,
                "event" => counts.events.count(status, number),
                _ => counts.messages.count(status, number),
            }
        };
        let mut others = true;
        if let Some(mut index) = index {
            // One value: the driver would take longer over thousands of rows than the database does.
            let list: String = sqlx::query_scalar(
                "select json_group_array(json_array(hour, app, kind, status, count)) from hours \
                 where hour >= $1 and hour < $2",
            )
            .bind(from)
            .bind(to)
            .fetch_one(&mut *index)
            .await?;
            let at = At {
                table: "hours",
                row: &"(all)",
            };
            let rows: Vec<(i64, String, String, String, i64)> = at.json("count", &list)?;
            others = rows
                .iter()
                .any(|row| app.is_some_and(|app| *app.as_str() != row.1));
            for (hour, of, kind, status, count) in rows {
                if app.is_none_or(|app| *app.as_str() == of) {
                    add(hour, &kind, &status, u64::try_from(count).unwrap_or_default());
                }
            }
        }
        let mut log = self.reader().await?;
        let behind = self.index().tail(&mut log, mark).await?;
        // Nobody has looked at the rows in between.
        others |= behind > mark;
        let tail = live::count(
            &mut log,
            behind,
            from.saturating_mul(HOUR),
            to.saturating_mul(HOUR),
        )
        .await?;
        for ((hour, of, kind, status), count) in &tail.hours {
            others |= app.is_some_and(|app| *app.as_str() != *of);
            if app.is_none_or(|app| *app.as_str() == *of) {
                add(*hour, kind, status, *count);
            }
        }
        for (hour, total) in totals {
            hours.entry(hour).or_default().replies.sent = total;
        }
        // Looking the app of each row up is what takes time: where there is but one, it can be left out.
        let app = app.filter(|_| others);
        for (hour, status, count) in not_sent(&mut log, from, to, app).await? {
            let replies = &mut hours.entry(hour).or_default().replies;
            let which = match status.as_str() {
                "failed" => &mut replies.failed,
                "dropped" => &mut replies.dropped,
                "uncertain" => &mut replies.uncertain,
                _ => &mut replies.queued,
            };
            *which += count;
            replies.sent = replies.sent.saturating_sub(count);
        }
        Ok(hours
            .into_iter()
            .map(|(hour, counts)| HourCounts {
                hour: begin(hour),
                ..counts
            })
            .collect())
    }

    /// How long pushes waited in each hour from that of `since` to before `until`; hours without any are not there. It is
    /// what the daemon itself observed: nothing before it had an index, nothing of pushes that were refused unread.
    pub async fn latency(&self, since: Timestamp, until: Timestamp) -> Result<Vec<HourLatency>, StoreError> {
        let (_, index) = self.indexed().await?;
        let Some(mut index) = index else {
            return Ok(Vec::new());
        };
        let rows: Vec<(i64, String)> =
            sqlx::query_as("select hour, counts from latencies where hour >= $1 and hour < $2 order by hour")
                .bind(hour_of(since))
                .bind(hour_of_end(until))
                .fetch_all(&mut *index)
                .await?;
        let read = |(hour, text): (i64, String)| {
            let list: Vec<u64> = serde_json::from_str(&text).ok()?;
            let counts: Counts = list.try_into().ok().filter(|counts| *counts != [0; RANGES])?;
            Some(HourLatency {
                hour: begin(hour),
                count: counts.iter().sum(),
                p50: quantile(&counts, 0.5)?,
                p99: quantile(&counts, 0.99)?,
                counts,
            })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// Why replies that were decided from `since` on did not reach their customers, the most frequent reason first; at most
    /// 100 reasons. What carries WeChat's code is one reason whatever its words.
    pub async fn delivery_failures(
        &self,
        since: Timestamp,
        app: Option<&AppName>,
    ) -> Result<Vec<DeliveryFailure>, StoreError> {
        let mut query = QueryBuilder::new(concat!(
            "select m.status, m.errcode, m.error, count(*), max(m.time) from messages m where ",
            unsent!(),
            " and m.time >= "
        ));
        query.push_bind(ceil_millis(since));
        if let Some(app) = app {
            query.push(" and m.app = ").push_bind(app.as_str());
        }
        query
            .push(
                " group by m.status, m.errcode, case when m.errcode is null then m.error end \
                 order by count(*) desc, max(m.time) desc limit ",
            )
            .push_bind(FAILURES);
        let rows = query.build().fetch_all(&mut *self.reader().await?).await?;
        rows.iter()
            .map(|row| {
                let mut cells = Cells::of(row);
                Ok(DeliveryFailure {
                    status: cells.next()?,
                    errcode: cells.next()?,
                    error: cells.next()?,
                    count: u64::try_from(cells.next::<i64>()?).unwrap_or_default(),
                    last: Timestamp::from_millisecond(cells.next()?).unwrap_or(Timestamp::MAX),
                })
            })
            .collect()
    }
}

/// Replies that were not sent (yet), by hour and status; few, so each has an index of its own.
async fn not_sent(
    log: &mut sqlx::SqliteConnection,
    from: i64,
    to: i64,
    app: Option<&AppName>,
) -> Result<Vec<(i64, String, u64)>, StoreError> {
    let mut all = Vec::new();
    // The sign keeps SQLite from walking through all messages of the time rather than through the few that wait.
    for (condition, time) in [(unsent!(), "m.time"), ("m.status = 'queued'", "+m.time")] {
        let mut query =
            QueryBuilder::new("select m.time / 3600000, m.status, count(*) from messages m where ");
        query
            .push(condition)
            .push(format_args!(" and {time} >= "))
            .push_bind(from.saturating_mul(HOUR))
            .push(format_args!(" and {time} < "))
            .push_bind(to.saturating_mul(HOUR));
        if let Some(app) = app {
            query.push(" and m.app = ").push_bind(app.as_str());
        }
        query.push(" group by 1, 2");
        let rows: Vec<(i64, String, i64)> = query.build_query_as().fetch_all(&mut *log).await?;
        let count = |(hour, status, count)| (hour, status, u64::try_from(count).unwrap_or_default());
        all.extend(rows.into_iter().map(count));
    }
    Ok(all)
}

/// The hour that a time lies in.
pub(super) fn hour_of(time: Timestamp) -> i64 {
    time.as_millisecond().div_euclid(HOUR)
}

/// The first hour that begins at a time or after it.
pub(super) fn hour_of_end(time: Timestamp) -> i64 {
    -(-ceil_millis(time)).div_euclid(HOUR)
}

fn begin(hour: i64) -> Timestamp {
    Timestamp::from_millisecond(hour.saturating_mul(HOUR)).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Access;
    use crate::store::testing::{Bench, at, shop};

    #[test]
    fn a_rule_that_its_cooldown_kept_silent_took_the_message() {
        let taken = Taken {
            matched: 1,
            unmatched: 2,
            cooldown: 4,
            muted: 8,
            malformed: 16,
        };
        assert_eq!((taken.taken(), taken.asked(), taken.total()), (5, 7, 31));
    }

    #[tokio::test]
    async fn the_index_counts_what_the_log_has() {
        let bench = Bench::new().await;
        shop(&bench, 0..150, 97).await;
        bench.index_at(150 * 97).await;
        shop(&bench, 150..153, 97).await; // not in the index yet
        let command = bench.open(Access::Command).await.expect("opens");
        command.index().close_readers().await;
        for (since, until) in [(-7200, 20_000), (4000, 9000)] {
            for app in [
                None,
                Some("shop".into()),
                Some("other".into()),
                Some("none".into()),
            ] {
                let (since, until) = (at(since), at(until));
                let hours = bench.store.hours(since, until, app.as_ref()).await.expect("read");
                let counted = command.hours(since, until, app.as_ref()).await.expect("read");
                assert_eq!(hours, counted, "{since} {until} {app:?}");
            }
        }
        let hours = bench.store.hours(at(0), at(20_000), None).await.expect("read");
        assert!(hours.len() >= 4 && hours.is_sorted_by_key(|hour| hour.hour));
        let sum = |count: fn(&HourCounts) -> u64| hours.iter().map(count).sum::<u64>();
        assert_eq!(sum(|hour| hour.messages.total() + hour.events.total()), 153);
        for (status, sum) in [
            ("sent", sum(|hour| hour.replies.sent)),
            ("queued", sum(|hour| hour.replies.queued)),
            ("dropped", sum(|hour| hour.replies.dropped)),
            (
                "unmatched",
                sum(|hour| hour.messages.unmatched + hour.events.unmatched),
            ),
        ] {
            let rows: i64 = sqlx::query_scalar("select count(*) from messages where status = $1")
                .bind(status)
                .fetch_one(&mut bench.raw().await)
                .await
                .expect("read");
            assert_eq!(i64::try_from(sum), Ok(rows), "{status}");
            assert!(rows > 0 || status == "queued", "{status}");
        }
        command.close().await;
    }

    #[tokio::test]
    async fn rules_are_counted_as_by_reading_the_whole_log() {
        let bench = Bench::new().await;
        shop(&bench, 0..150, 97).await;
        bench.index_at(150 * 97).await;
        shop(&bench, 150..153, 97).await;
        for since in [-7200, 0, 3601, 5000, 14_600] {
            let (fast, whole) = (
                bench.store.rule_counts(at(since)),
                bench.store.rule_hits(at(since)),
            );
            assert_eq!(fast.await.expect("read"), whole.await.expect("read"), "{since}");
        }
    }

    #[tokio::test]
    async fn latencies_survive_a_restart() {
        let bench = Bench::new().await;
        bench.metrics.push_answered(Duration::from_millis(4));
        let bench = bench.reopen().await;
        bench.metrics.push_answered(Duration::from_millis(4));
        let bench = bench.reopen().await;
        let hours = bench.store.latency(at(0), at(1)).await.expect("read");
        assert_eq!(hours.len(), 1);
        let p99 = hours[0].p99.as_secs_f64() * 1e3;
        assert!(hours[0].count == 2 && (3.0..5.0).contains(&p99), "{hours:?}");
    }

    #[tokio::test]
    async fn failures_are_told_by_their_reason() {
        let bench = Bench::new().await;
        shop(&bench, 0..60, 1).await;
        let failures = bench.store.delivery_failures(at(0), None).await.expect("read");
        assert_eq!(failures.len(), 1);
        assert_eq!(
            (failures[0].status.as_str(), failures[0].errcode),
            ("dropped", None)
        );
        assert!(
            failures[0]
                .error
                .as_ref()
                .is_some_and(|error| error.starts_with("quota"))
        );
        let none = bench
            .store
            .delivery_failures(at(0), Some(&"none".into()))
            .await
            .expect("read");
        assert_eq!(none, []);
    }
}
