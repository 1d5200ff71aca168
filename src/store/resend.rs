//! Putting dead, dropped or uncertain replies back in the queue. Also from a command beside the daemon, whose outbox
//! then finds them when it next looks.

use std::sync::Arc;

use futures_util::FutureExt;
use jiff::Timestamp;
use serde_json::json;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::contact::{self, change};
use super::journal::Journal;
use super::queue::unsent;
use super::turn::{Queue, Turns};
use super::{IDS, Store, StoreError, audit};
use crate::message::{AppName, MessageId};

impl Store {
    /// Queues these replies again as if they were made at `now` (so that `max_age` begins anew); gives the ids that
    /// were put back. Others are left alone: unknown, inbound, queued or sent. `by` is who wants it so.
    pub async fn resend(
        &self,
        ids: &[MessageId],
        now: Timestamp,
        by: &str,
    ) -> Result<Vec<MessageId>, StoreError> {
        let by: Arc<str> = by.into();
        let mut all = Vec::new();
        for ids in ids.chunks(IDS) {
            let (ids, by, turns) = (Arc::<[MessageId]>::from(ids), Arc::clone(&by), self.turns());
            let journal = self.journal().clone();
            let queued = self
                .write_pages(ids.len(), move |conn| {
                    let (ids, by) = (Arc::clone(&ids), Arc::clone(&by));
                    let (turns, journal) = (turns.clone(), journal.clone());
                    async move { put_back(conn, &ids, now, &turns, &by, &journal).await }.boxed()
                })
                .await?;
            if !queued.is_empty() {
                self.outbox_bell().ring();
                self.tell_news();
            }
            all.extend(queued);
        }
        all.sort_unstable();
        Ok(all)
    }

    /// The same for every `failed` reply of an app, or of all, in the order in which they were made.
    pub async fn resend_failed(
        &self,
        app: Option<&AppName>,
        now: Timestamp,
        by: &str,
    ) -> Result<Vec<MessageId>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new("select id from messages where status = 'failed'");
        if let Some(app) = app {
            query.push(" and app = ").push_bind(app.as_str());
        }
        query.push(" order by time, id");
        let mut conn = self.reader().await?;
        let failed: Vec<i64> = query.build_query_scalar().fetch_all(&mut *conn).await?;
        drop(conn);
        let failed: Vec<MessageId> = failed.into_iter().map(MessageId::from_i64).collect();
        self.resend(&failed, now, by).await
    }
}

/// The reply's turn comes after the user's queued ones, and so does its due time.
fn resend(now: Timestamp, turn: i64) -> QueryBuilder<Sqlite> {
    let now = now.as_millisecond();
    let mut query = QueryBuilder::new(
        "update messages set status = 'queued', alone = null, attempts = 0, uncertain = 0, errcode = null, error = null, \
         settled = null, queued_at = ",
    );
    query
        .push_bind(turn)
        .push(", turn = ")
        .push_bind(turn)
        .push(
            ", due = coalesce((select max(q.due) from messages q where q.status = 'queued' and q.alone is null and q.app = messages.app \
             and q.openid = messages.openid and q.turn <= ",
        )
        .push_bind(turn)
        .push(" and q.due > ")
        .push_bind(now)
        .push("), ")
        .push_bind(now)
        .push(") where direction = 'out' and ");
    query
}

async fn put_back(
    conn: &mut SqliteConnection,
    ids: &[MessageId],
    now: Timestamp,
    turns: &Turns,
    by: &str,
    journal: &Journal,
) -> Result<Vec<MessageId>, StoreError> {
    let mut users = QueryBuilder::<Sqlite>::new(
        "select distinct app, openid from messages where direction = 'out' and id in (",
    );
    let mut list = users.separated(", ");
    for id in ids {
        list.push_bind(id.as_i64());
    }
    users.push(")");
    let users: Vec<(String, String)> = users.build_query_as().fetch_all(&mut *conn).await?;
    let mut last = None;
    for (app, openid) in users {
        let (app, openid) = (app.into(), openid.into());
        contact::end_loneliness(conn, &app, &openid, journal.place(&app, &openid)).await?;
        last = last.max(Queue::find(conn, &app, &openid).await?.last());
    }
    let mut query = resend(now, turns.next(last, now));
    query.push(unsent!()).push(" and id in (");
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(id.as_i64());
    }
    query.push(") returning id, app, openid");
    let rows: Vec<(i64, String, String)> = query.build_query_as().fetch_all(&mut *conn).await?;
    let mut ids = Vec::with_capacity(rows.len());
    for (id, app, openid) in rows {
        // It takes from WeChat's count again. Where nothing is left, a person tries their luck.
        let set = change!("ledger_left = ledger_left - iif(ledger_left > 0, 1, 0)");
        let (app, openid) = (app.into(), openid.into());
        let place = journal.place(&app, &openid);
        contact::update(conn, &app, &openid, place, set, |query| query).await?;
        ids.push(MessageId::from_i64(id));
    }
    ids.sort_unstable();
    if let [first, ..] = ids[..] {
        let detail = json!({ "ids": ids });
        audit::note(conn, now, by, "resend", &first.to_string(), &detail).await?;
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{DropReason, Outcome};
    use crate::store::Access;
    use crate::store::testing::{Bench, at, retry, texts};

    fn failed() -> Outcome {
        Outcome::Failed {
            errcode: Some(45047),
            error: "out of response count limit".into(),
        }
    }

    #[tokio::test]
    async fn a_command_beside_the_daemon_puts_replies_back() {
        let bench = Bench::new().await;
        let ends = [
            failed(),
            Outcome::Dropped(DropReason::Quota),
            Outcome::Uncertain { error: "?".into() },
            Outcome::Sent,
        ];
        for n in 0..4 {
            bench.receive(n, &format!("o{n}"), &["x"]).await;
        }
        let claimed = bench.claim(0).await;
        for (delivery, end) in claimed.iter().zip(ends) {
            bench.settle(delivery, end).await;
        }
        let waiting = bench.receive(9, "o9", &["y"]).await.id.reply(1);
        let ids: Vec<MessageId> = claimed.iter().map(|delivery| delivery.id).collect();
        let mut asked = ids.clone();
        asked.extend([waiting, waiting.message(), ids[0].next().next(), ids[0]]);

        let command = bench.open(Access::Command).await.expect("opens");
        let queued = command.resend(&asked, at(1000), "ann").await.expect("written");
        assert_eq!(
            queued,
            ids[..3],
            "not what was sent, is queued, came in or never was"
        );
        command.close().await;

        let before = bench.entry(ids[0]).await;
        assert_eq!(before.time, at(0), "the log's time stays");
        assert_eq!((before.status.as_str(), before.attempts), ("queued", 0));
        assert_eq!((before.errcode, before.error), (None, None));
        assert_eq!(bench.claim(999).await.len(), 1, "only what was waiting");
        let again = bench.claim(1000).await;
        assert_eq!(again.len(), 3);
        for delivery in again {
            assert_eq!(
                (delivery.planned, delivery.attempts, delivery.uncertain),
                (at(1000), 1, 0)
            );
        }
    }

    #[tokio::test]
    async fn it_takes_from_the_quota_again() {
        let bench = Bench::new().await;
        bench.receive(1, "oAlice", &["x"]).await;
        let left = async || {
            let contact = bench.store.contact(&"shop".into(), &"oAlice".into()).await;
            let ledger = contact.expect("read").0.ledger;
            (ledger.left, ledger.waiting)
        };
        assert_eq!(left().await, (0, 1));
        let claimed = bench.claim(0).await;
        bench.settle(&claimed[0], failed()).await;
        assert_eq!(left().await, (1, 0));
        bench
            .store
            .resend_failed(None, at(5), "ann")
            .await
            .expect("written");
        assert_eq!(left().await, (0, 1));
        let claimed = bench.claim(5).await;
        bench.settle(&claimed[0], Outcome::Sent).await;
        assert_eq!(left().await, (0, 0));
    }

    #[tokio::test]
    async fn every_failed_reply_can_be_put_back() {
        let bench = Bench::new().await;
        for n in 0..3 {
            bench.receive(n, &format!("o{n}"), &["x"]).await;
        }
        let claimed = bench.claim(0).await;
        bench.settle(&claimed[0], failed()).await;
        bench
            .settle(&claimed[1], Outcome::Dropped(DropReason::Quota))
            .await;
        bench.settle(&claimed[2], failed()).await;
        let mut ids = [claimed[0].id, claimed[2].id];
        ids.sort();
        let other = bench
            .store
            .resend_failed(Some(&"other".into()), at(5), "ann")
            .await;
        assert_eq!(other.expect("written"), []);
        let app = "shop".into();
        let failed = bench.store.resend_failed(Some(&app), at(5), "ann").await;
        assert_eq!(failed.expect("written"), ids);
        assert_eq!(
            bench
                .store
                .resend_failed(None, at(5), "ann")
                .await
                .expect("written"),
            []
        );
        assert_eq!(bench.store.resend(&[], at(5), "ann").await.expect("written"), []);
    }

    #[tokio::test]
    async fn it_goes_behind_what_the_user_waits_for() {
        let bench = Bench::new().await;
        bench.receive(1, "oAlice", &["dead", "next"]).await;
        let claimed = bench.claim(0).await;
        bench.settle(&claimed[0], failed()).await;
        let next = bench.claim(0).await;
        bench.settle(&next[0], retry(60)).await;
        bench
            .store
            .resend_failed(None, at(10), "ann")
            .await
            .expect("written");
        assert_eq!(bench.claim(59).await, []);
        let next = bench.claim(60).await;
        assert_eq!(texts(&next), ["next"]);
        bench.settle(&next[0], Outcome::Sent).await;
        assert_eq!(texts(&bench.claim(60).await), ["dead"]);
    }

    #[tokio::test]
    async fn a_clock_set_back_does_not_put_it_before_one_in_flight() {
        let bench = Bench::new().await;
        bench.turn_to(100);
        bench.receive(1, "oAlice", &["dead", "in flight"]).await;
        let claimed = bench.claim(100).await;
        bench.settle(&claimed[0], failed()).await;
        let flying = bench.claim(100).await;
        assert_eq!(texts(&flying), ["in flight"]);
        bench
            .store
            .resend_failed(None, at(50), "ann")
            .await
            .expect("written");
        assert_eq!(bench.claim(120).await, []);
        bench.settle(&flying[0], Outcome::Sent).await;
        assert_eq!(texts(&bench.claim(120).await), ["dead"]);
    }
}
