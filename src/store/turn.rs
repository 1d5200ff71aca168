//! The order of a user's replies: whose turn comes after which, and what a new one has to wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use rusqlite::params;
use sqlx::SqliteConnection;

use super::StoreError;
use crate::message::{AppName, MessageId, OpenId};

/// The moments at which replies are queued, in microseconds; see `messages.queued_at`. All of one process who queue
/// replies draw from the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<AtomicI64>);

impl Turns {
    /// The moment of a reply that is queued now, after `last`: the present one, unless the clock stands or was set back.
    pub(super) fn next(&self, last: Option<i64>, now: Timestamp) -> i64 {
        let now = now.as_millisecond().saturating_mul(1000);
        let after = |before: i64| now.max(before.max(last.unwrap_or(i64::MIN)).saturating_add(1));
        after(self.0.update(Ordering::Relaxed, Ordering::Relaxed, after))
    }
}

/// When a reply goes out, and after which others; see the columns of these names.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(super) struct Place {
    pub(super) due: i64,
    pub(super) queued_at: i64,
    pub(super) turn: i64,
}

/// The replies that wait for a user. Their order is looked up where one is added, and nowhere kept: the daemon before this
/// one may have had another clock, and a command beside it queues replies too.
#[derive(Debug, Default)]
pub(super) struct Queue(Vec<Place>);

/// What waits for a user, but a lonely reply; of that alone there is one by its key.
pub(super) const QUEUE: &str = "select due, queued_at, turn from messages \
    where status = 'queued' and alone is null and app = $1 and openid = $2";
pub(super) const LONELY: &str =
    "select due, queued_at, turn from messages where id = $1 and alone = 1 and status = 'queued'";

impl Queue {
    /// What waits for a user; `alone` is that of [`super::contact::User`].
    pub(super) fn load(
        db: &rusqlite::Connection,
        app: &AppName,
        openid: &OpenId,
        alone: Option<MessageId>,
    ) -> Result<Self, StoreError> {
        let place = |row: &rusqlite::Row<'_>| {
            Ok(Place {
                due: row.get(0)?,
                queued_at: row.get(1)?,
                turn: row.get(2)?,
            })
        };
        let waiting = match alone {
            Some(id) => db
                .prepare_cached(LONELY)?
                .query_map([id.as_i64()], place)?
                .collect::<Result<_, _>>()?,
            None => db
                .prepare_cached(QUEUE)?
                .query_map(params![app.as_str(), openid.as_str()], place)?
                .collect::<Result<_, _>>()?,
        };
        Ok(Self(waiting))
    }

    /// The same through the driver, of a user who has no lonely reply.
    pub(super) async fn find(
        conn: &mut SqliteConnection,
        app: &AppName,
        openid: &OpenId,
    ) -> Result<Self, StoreError> {
        let waiting = sqlx::query_as(QUEUE)
            .bind(app.as_str())
            .bind(openid.as_str())
            .fetch_all(conn)
            .await?;
        Ok(Self(waiting))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When the last of them was queued.
    pub(super) fn last(&self) -> Option<i64> {
        self.0.iter().map(|place| place.queued_at).max()
    }

    /// The place of a reply that is queued now and wanted at `due`. One that goes nowhere waits for nobody.
    pub(super) fn place(&mut self, turns: &Turns, now: Timestamp, due: Timestamp, goes_out: bool) -> Place {
        let due = due.as_millisecond();
        let delay = due.saturating_sub(now.as_millisecond()).max(0);
        let queued_at = turns.next(self.last(), now);
        let mut place = Place {
            due,
            queued_at,
            turn: queued_at.saturating_add(delay.saturating_mul(1000)),
        };
        if goes_out {
            // It waits for those before it in any case; a due time that says so keeps it out of the outbox's way.
            let before = self.0.iter().filter(|before| before.turn <= place.turn);
            place.due = before.map(|before| before.due).fold(due, i64::max);
            self.0.push(place);
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Outcome, Reply};
    use crate::store::ByHand;
    use crate::store::testing::{Bench, at, texts};

    #[tokio::test]
    async fn whoever_queues_a_reply_after_a_restart_with_the_clock_set_back_comes_last() {
        let bench = Bench::new().await;
        bench.turn_to(100);
        bench.receive(1, "oAlice", &["fourth"]).await;
        let failed = bench.claim(100).await.remove(0);
        let refused = Outcome::Failed {
            errcode: Some(1),
            error: "no".into(),
        };
        bench.settle(&failed, refused).await;
        bench.receive(2, "oAlice", &["first"]).await;
        // Each has another daemon, whose clock begins at 0.
        let bench = bench.reopen().await;
        bench.receive(3, "oAlice", &["second"]).await;
        let bench = bench.reopen().await;
        let by_hand = ByHand {
            app: "shop".into(),
            openid: "oAlice".into(),
            author: "ann".into(),
            replies: vec![Reply::Text("third".into())],
        };
        let as_it_is = |standing: Option<crate::store::Standing<'_>>| {
            standing.map(|standing| standing.contact.clone()).ok_or("unknown")
        };
        let written = bench
            .store
            .write_by_hand(by_hand, as_it_is)
            .await
            .expect("written");
        assert_eq!(written.map(|ids| ids.len()), Ok(1));
        let bench = bench.reopen().await;
        let resent = bench
            .store
            .resend(&[failed.id], at(0), "ann")
            .await
            .expect("written");
        assert_eq!(resent, [failed.id]);
        for text in ["first", "second", "third", "fourth"] {
            let claimed = bench.claim(300).await;
            assert_eq!(texts(&claimed), [text]);
            bench.settle(&claimed[0], Outcome::Sent).await;
        }
    }

    #[tokio::test]
    async fn a_queue_is_found_without_reading_anybody_elses() {
        let bench = Bench::new().await;
        let plan = bench.plan(QUEUE).await.join("\n");
        assert!(plan.contains("messages_by_queue (app=? AND openid=?)"), "{plan}");
        let plan = bench.plan(LONELY).await.join("\n");
        assert!(plan.contains("INTEGER PRIMARY KEY (rowid=?)"), "{plan}");
    }

    #[test]
    fn no_two_turns_are_the_same_and_none_goes_back() {
        let turns = Turns::default();
        assert_eq!(turns.next(None, at(5)), at(5).as_microsecond());
        assert_eq!(
            turns.next(None, at(5)),
            at(5).as_microsecond() + 1,
            "the clock stands"
        );
        assert_eq!(
            turns.next(None, at(4)),
            at(5).as_microsecond() + 2,
            "it was set back"
        );
        assert_eq!(turns.next(None, at(6)), at(6).as_microsecond());
        let other = Turns::default();
        let last = at(9).as_microsecond();
        assert_eq!(
            other.next(Some(last), at(7)),
            last + 1,
            "another daemon's clock was ahead"
        );
        assert_eq!(other.next(None, at(7)), last + 2);
        assert_eq!(other.clone().next(None, at(7)), last + 3, "drawn from the same");
    }

    #[test]
    fn a_reply_waits_for_those_whose_turn_is_before_its_own() {
        let (mut queue, turns) = (Queue::default(), Turns::default());
        let mut due = |now, wanted, goes_out| queue.place(&turns, at(now), at(wanted), goes_out).due;
        let millis = |seconds| at(seconds).as_millisecond();
        assert_eq!(due(0, 60, true), millis(60), "delayed");
        assert_eq!(due(1, 1, true), millis(1), "wanted before it");
        assert_eq!(due(2, 2, true), millis(2));
        assert_eq!(due(61, 61, true), millis(61), "wanted after it");
        // The first of them failed, and all were put off.
        queue.0.iter_mut().for_each(|place| place.due = millis(90));
        let mut due = |now, wanted, goes_out| queue.place(&turns, at(now), at(wanted), goes_out).due;
        assert_eq!(due(62, 62, true), millis(90));
        assert_eq!(due(62, 80, true), millis(90));
        assert_eq!(due(62, 95, true), millis(95));
        assert_eq!(due(63, 63, false), millis(63), "it goes nowhere");
        assert_eq!(queue.0.len(), 7);
    }
}
