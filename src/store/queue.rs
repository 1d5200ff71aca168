//! The outbox as a person sees it: what waits, and what did not reach its customer.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::{QueryBuilder, Sqlite};

use super::log::{COLUMNS, read_entry};
use super::row::{At, Cells};
use super::{Store, StoreError};
use crate::message::{AppName, Entry, MessageId, OutboundStatus};

/// Replies that did not reach their customer: the condition of `messages_unsent` word for word, which SQLite must find in a
/// question of several of these statuses to use that index. For a question of one the equality does.
macro_rules! unsent {
    () => {
        "(status = 'failed' or status = 'dropped' or status = 'uncertain')"
    };
}
pub(super) use unsent;

/// How many replies stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OutboxCounts {
    /// Waiting to be sent, those being sent among them.
    pub queued: u64,
    /// Being sent just now.
    pub leased: u64,
    /// Refused by WeChat, or not delivered in time.
    pub failed: u64,
    /// Given up without asking WeChat.
    pub dropped: u64,
    /// Sent without anybody knowing whether it arrived.
    pub uncertain: u64,
}

/// A reply that waits or did not reach its customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutboxEntry {
    /// Its row.
    #[serde(flatten)]
    pub entry: Entry,
    /// When it may go out.
    pub due: Timestamp,
    /// When the attempt that is under way counts as broken off; `None` when none is.
    pub lease: Option<Timestamp>,
}

impl OutboxEntry {
    /// Behind what to go on, in a list of this status.
    #[must_use]
    pub fn cursor(&self) -> (Timestamp, MessageId) {
        let time = match self.entry.status == OutboundStatus::Queued.as_str() {
            true => self.due,
            false => self.entry.time,
        };
        (time, self.entry.id)
    }
}

/// Without `group by app`: sorting tens of thousands of replies that failed in half a year took four times as long as
/// counting them.
const COUNTS: [&str; 3] = [
    "select 'queued', count(*) from messages where status = 'queued'",
    "select 'leased', count(*) from messages where lease is not null",
    concat!("select status, count(*) from messages where ", unsent!()),
];

impl Store {
    /// How many replies stand where, of one app or of all.
    pub async fn outbox_counts(&self, app: Option<&AppName>) -> Result<OutboxCounts, StoreError> {
        let mut conn = self.reader().await?;
        let mut counts = OutboxCounts::default();
        for sql in COUNTS {
            let rows: Vec<(String, i64)> = count(sql, app).build_query_as().fetch_all(&mut *conn).await?;
            for (status, count) in rows {
                let place = match status.as_str() {
                    "queued" => &mut counts.queued,
                    "leased" => &mut counts.leased,
                    "failed" => &mut counts.failed,
                    "dropped" => &mut counts.dropped,
                    _ => &mut counts.uncertain,
                };
                *place += count.unsigned_abs();
            }
        }
        Ok(counts)
    }

    /// Replies of a status: the queued ones by when they are due, the others with the newest first; of one app or of
    /// all, at most `limit`. `after` is the [`OutboxEntry::cursor`] of the last one seen. Of `sent` there is no list.
    pub async fn outbox_entries(
        &self,
        status: OutboundStatus,
        app: Option<&AppName>,
        after: Option<(Timestamp, MessageId)>,
        limit: u32,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        if status == OutboundStatus::Sent {
            return Ok(Vec::new());
        }
        let mut conn = self.reader().await?;
        let rows = list(status, app, after, limit)
            .build()
            .fetch_all(&mut *conn)
            .await?;
        rows.iter()
            .map(|row| {
                let mut cells = Cells::of(row);
                let entry = read_entry(&mut cells)?;
                let at = At {
                    table: "messages",
                    row: &entry.id,
                };
                let due = at.time("due", cells.next()?)?;
                let lease: Option<i64> = cells.next()?;
                let lease = lease.map(|lease| at.time("lease", lease)).transpose()?;
                Ok(OutboxEntry { entry, due, lease })
            })
            .collect()
    }
}

fn count(sql: &str, app: Option<&AppName>) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(sql);
    if let Some(app) = app {
        query.push(" and app = ").push_bind(app.as_str().to_owned());
    }
    query.push(" group by 1");
    query
}

fn list(
    status: OutboundStatus,
    app: Option<&AppName>,
    after: Option<(Timestamp, MessageId)>,
    limit: u32,
) -> QueryBuilder<Sqlite> {
    // The words stand in the text, for an index of some statuses serves only who says which.
    let (which, column, beyond, order) = match status {
        OutboundStatus::Queued => ("m.status = 'queued'".to_owned(), "m.due", ">", "asc"),
        other => (format!("m.status = '{}'", other.as_str()), "m.time", "<", "desc"),
    };
    let mut query = QueryBuilder::new("select ");
    query
        .push(COLUMNS)
        .push(", m.due, m.lease from messages m where ")
        .push(which);
    if let Some(app) = app {
        query.push(" and m.app = ").push_bind(app.as_str().to_owned());
    }
    if let Some((time, id)) = after {
        query
            .push(format_args!(" and ({column}, m.id) {beyond} ("))
            .push_bind(time.as_millisecond())
            .push(", ")
            .push_bind(id.as_i64())
            .push(")");
    }
    query
        .push(format_args!(" order by {column} {order}, m.id {order} limit "))
        .push_bind(limit);
    query
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::message::Outcome;
    use crate::store::testing::{Bench, answering, at, inbound, retry};

    fn contents(entries: &[OutboxEntry]) -> Vec<&str> {
        entries
            .iter()
            .map(|entry| entry.entry.content.as_deref().unwrap_or_default())
            .collect()
    }

    fn failed() -> Outcome {
        Outcome::Failed {
            errcode: Some(1),
            error: "no".into(),
        }
    }

    #[tokio::test]
    async fn each_list_has_its_order_and_its_pages() {
        let bench = Bench::new().await;
        for n in 0..6 {
            bench.turn_to(n);
            bench
                .receive(n as u64, &format!("o{n}"), &[&format!("r{n}")])
                .await;
        }
        let mut other = inbound(9, "o9");
        other.app = "other".into();
        bench
            .record(other, answering(&["other"]))
            .await
            .expect("recorded");
        let claimed = bench.claim(5).await;
        assert_eq!(claimed.len(), 7);
        let outcomes = [
            failed(),
            Outcome::Uncertain { error: "?".into() },
            failed(),
            retry(90),
            retry(60),
            failed(),
        ];
        let of_the_shop = claimed.iter().filter(|delivery| delivery.app.as_str() == "shop");
        for (delivery, outcome) in of_the_shop.zip(outcomes) {
            bench.settle(delivery, outcome).await;
        }
        let shop = OutboxCounts {
            queued: 2,
            leased: 0,
            failed: 3,
            dropped: 0,
            uncertain: 1,
        };
        let waiting = OutboxCounts {
            queued: 1,
            leased: 1,
            ..OutboxCounts::default()
        };
        for (app, counts) in [
            ("shop", shop),
            ("other", waiting),
            ("none", OutboxCounts::default()),
        ] {
            let told = bench.store.outbox_counts(Some(&app.into())).await.expect("read");
            assert_eq!(told, counts, "{app}");
        }
        let all = bench.store.outbox_counts(None).await.expect("read");
        assert_eq!((all.queued, all.leased, all.failed), (3, 1, 3));

        let list = async |status, app: Option<&AppName>, after, limit| {
            let list = bench.store.outbox_entries(status, app, after, limit).await;
            list.expect("read")
        };
        let all = list(OutboundStatus::Queued, None, None, 9).await;
        assert_eq!(contents(&all), ["other", "r4", "r3"]);
        assert_eq!((all[0].lease, all[1].lease), (Some(at(35)), None));
        assert_eq!((all[2].due, all[2].entry.attempts), (at(90), 1));
        let rest = list(OutboundStatus::Queued, None, Some(all[0].cursor()), 1).await;
        assert_eq!(contents(&rest), ["r4"]);
        assert_eq!(
            contents(&list(OutboundStatus::Queued, Some(&"shop".into()), None, 9).await).len(),
            2
        );

        let dead = list(OutboundStatus::Failed, None, None, 2).await;
        assert_eq!(contents(&dead), ["r5", "r2"]);
        let rest = list(OutboundStatus::Failed, None, Some(dead[1].cursor()), 9).await;
        assert_eq!(contents(&rest), ["r0"]);
        assert_eq!(
            contents(&list(OutboundStatus::Uncertain, None, None, 9).await),
            ["r1"]
        );
        assert_eq!(list(OutboundStatus::Dropped, None, None, 9).await, []);
        assert_eq!(list(OutboundStatus::Sent, None, None, 9).await, []);
    }

    #[tokio::test]
    async fn no_question_reads_the_whole_log() {
        let bench = Bench::new().await;
        let statuses = [
            (OutboundStatus::Queued, "messages_by_due"),
            (OutboundStatus::Failed, "messages_unsent"),
            (OutboundStatus::Dropped, "messages_unsent"),
            (OutboundStatus::Uncertain, "messages_unsent"),
        ];
        let lists = statuses.map(|(status, index)| {
            let sql = list(status, None, Some((at(0), MessageId::from_i64(0))), 9);
            (sql.into_string(), index)
        });
        let counts = [
            (None, ["messages_by_due", "messages_by_lease", "messages_unsent"]),
            (
                Some("shop".into()),
                ["messages_by_due", "messages_by_lease", "messages_unsent"],
            ),
        ];
        let counts = counts.iter().flat_map(|(app, indexes)| {
            let counts = COUNTS.into_iter().zip(indexes);
            counts.map(|(sql, index)| (count(sql, app.as_ref()).into_string(), *index))
        });
        for (sql, index) in lists.into_iter().chain(counts) {
            let plan = bench.plan(sql.as_str()).await.join("\n");
            assert!(
                plan.contains(index) && !plan.contains("B-TREE FOR ORDER"),
                "{plan}"
            );
        }
    }
}
