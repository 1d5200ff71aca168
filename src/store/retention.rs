//! Housekeeping: what is older than it may be is erased, and what has run out is cleared away.
//!
//! Freed pages are used again by what comes: a log that is kept for so long stays about as large as it once was. The
//! file is not made smaller, for that would move pages under everybody's feet (`incremental_vacuum` costs a write of
//! the map of pages at each new page, too). A backup is compact.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use jiff::Timestamp;

use super::erase::{Erased, PIECE, Spare, pause};
use super::row::{At, Cells};
use super::{Store, StoreError};
use crate::message::{AppName, MessageId, OpenId, RuleName};

/// Keys that are read ahead: sorted, so that a piece has neighbours in it, which lie on few pages.
const AHEAD: i64 = 16_384;

/// Users that are looked at in one statement.
const USERS: i64 = 4_096;

/// The audit trail is kept this long, even if messages are not (the law asks for half a year at least).
const AUDIT: Duration = Duration::from_hours(365 * 24);

/// What one round of housekeeping did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Housekeeping {
    /// Messages that were too old.
    pub erased: Erased,
    /// Users of whom nothing was left.
    pub contacts: u64,
}

impl Store {
    /// One round. Messages older than `retention` are erased with their replies and pictures (those that still have a
    /// reply to send are spared), and so are users who have no message left and for whom nothing runs, and audit rows older
    /// than a year or `retention`. `None` keeps all of these. Sessions, cooldowns and media_ids that have run out go in any
    /// case; versions of the rules stay.
    ///
    /// Works in small pieces with pauses; it may be dropped at any moment and begun again.
    pub async fn keep_house(&self, retention: Option<Duration>) -> Result<Housekeeping, StoreError> {
        let now = self.clock().now();
        let mut done = Housekeeping::default();
        self.clear_away(now).await?;
        let Some(retention) = retention else {
            return Ok(done);
        };
        let before = |age: Duration| now.checked_sub(age).unwrap_or(Timestamp::MIN);
        done.erased = self.erase_before(before(retention)).await?;
        self.fold_journal().await?;
        done.contacts = self.erase_contacts(now).await?;
        self.erase_audits(before(retention.max(AUDIT))).await?;
        Ok(done)
    }

    async fn erase_before(&self, before: Timestamp) -> Result<Erased, StoreError> {
        let mut erased = Erased::default();
        let mut after = (i64::MIN, i64::MIN);
        loop {
            let mut conn = self.reader().await?;
            let rows: Vec<(i64, i64)> = sqlx::query_as(OLD)
                .bind(after.0)
                .bind(after.1)
                .bind(before.as_millisecond())
                .bind(AHEAD)
                .fetch_all(&mut *conn)
                .await?;
            drop(conn);
            let Some(last) = rows.last() else {
                return Ok(erased);
            };
            after = *last;
            let mut ids: Vec<MessageId> = rows
                .iter()
                .map(|(_, id)| MessageId::from_i64(*id).message())
                .collect();
            ids.sort_unstable();
            ids.dedup();
            for piece in ids.chunks(PIECE) {
                self.erase_pictures(piece).await?;
                erased.add(self.erase_piece(piece.into(), Spare::Waiting).await?);
            }
        }
    }

    /// Erases users who have no message left, once nothing runs for them: no dialog state, mute, cooldown or window.
    async fn erase_contacts(&self, now: Timestamp) -> Result<u64, StoreError> {
        let millis = now.as_millisecond();
        let mut erased = 0;
        let mut after = (String::new(), String::new());
        loop {
            let mut conn = self.reader().await?;
            let end: Option<(String, String)> = sqlx::query_as(
                "select app, openid from contacts where (app, openid) > ($1, $2) order by app, openid limit 1 offset $3",
            )
            .bind(&after.0)
            .bind(&after.1)
            .bind(USERS - 1)
            .fetch_optional(&mut *conn)
            .await?;
            let mut query = sqlx::query(if end.is_some() { SPENT_UP_TO } else { SPENT })
                .bind(&after.0)
                .bind(&after.1)
                .bind(millis);
            if let Some((app, openid)) = &end {
                query = query.bind(app).bind(openid);
            }
            let rows = query.fetch_all(&mut *conn).await?;
            drop(conn);
            let mut spent: Vec<(AppName, OpenId)> = Vec::new();
            for row in &rows {
                let mut cells = Cells::of(row);
                let app = AppName::from(cells.next::<String>()?);
                let openid = OpenId::from(cells.next::<String>()?);
                let at = At {
                    table: "contacts",
                    row: &openid,
                };
                let cooldowns: BTreeMap<RuleName, i64> = match cells.next::<Option<&str>>()? {
                    Some(text) => at.json("cooldowns", text)?,
                    None => BTreeMap::new(),
                };
                if cooldowns.values().all(|until| *until <= millis) {
                    spent.push((app, openid));
                }
            }
            for piece in spent.chunks(PIECE) {
                erased += self.erase_spent(piece.into(), now).await?;
            }
            match end {
                Some(end) => after = end,
                None => return Ok(erased),
            }
        }
    }

    async fn erase_spent(&self, users: Arc<[(AppName, OpenId)]>, now: Timestamp) -> Result<u64, StoreError> {
        let begun = Instant::now();
        let erased = self
            .write_pages(users.len(), move |conn| {
                let users = Arc::clone(&users);
                async move {
                    let mut erased = 0;
                    for (app, openid) in users.iter() {
                        // They may have written in the meantime, or somebody has paused the rules for them.
                        erased += sqlx::query(ERASE_SPENT)
                            .bind(app.as_str())
                            .bind(openid.as_str())
                            .bind(now.as_millisecond())
                            .execute(&mut *conn)
                            .await?
                            .rows_affected();
                    }
                    Ok(erased)
                }
                .boxed()
            })
            .await?;
        pause(begun).await;
        Ok(erased)
    }

    async fn erase_audits(&self, before: Timestamp) -> Result<(), StoreError> {
        self.write(move |conn| {
            async move {
                sqlx::query(
                    "delete from audit where id in (select id from audit where time < $1 order by time limit 1000)",
                )
                .bind(before.as_millisecond())
                .execute(conn)
                .await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// What has run out by itself.
    async fn clear_away(&self, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |conn| {
            async move {
                for statement in [
                    "delete from sessions where expires <= $1",
                    "delete from app_cooldowns where until <= $1",
                    "delete from media where expires <= $1",
                ] {
                    sqlx::query(statement)
                        .bind(now.as_millisecond())
                        .execute(&mut *conn)
                        .await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }
}

const OLD: &str =
    "select time, id from messages where (time, id) > ($1, $2) and time < $3 order by time, id limit $4";

/// No message is left of a user, and at $3 nothing runs for them, cooldowns aside.
macro_rules! spent {
    ($text:literal, $and:literal) => {
        concat!(
            $text,
            " and (c.state_until is null or c.state_until <= $3) and (c.muted_until is null or c.muted_until <= $3) \
             and (c.ledger_until is null or c.ledger_until <= $3) \
             and not exists (select 1 from messages m where m.id = c.latest)",
            $and
        )
    };
}

macro_rules! users_behind {
    ($and:literal) => {
        spent!(
            "select c.app, c.openid, c.cooldowns from contacts c where (c.app, c.openid) > ($1, $2)",
            $and
        )
    };
}

const SPENT: &str = users_behind!("");
const SPENT_UP_TO: &str = users_behind!(" and (c.app, c.openid) <= ($4, $5)");
const ERASE_SPENT: &str = spent!(
    "delete from contacts as c where c.app = $1 and c.openid = $2",
    " and (c.last_message is null or c.last_message < $3)"
);

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;
    use crate::message::{Contact, Cooldowns, DialogState, Inbound, Ledger, Outcome};
    use crate::store::testing::{Bench, at, inbound, verdict};
    use crate::store::{Filter, Judge, Order};

    const DAY: i64 = 24 * 3600;
    const WEEK: Duration = Duration::from_hours(7 * 24);

    fn came(n: u64, openid: &str, seconds: i64) -> Inbound {
        Inbound {
            id: MessageId::new(at(seconds).as_second(), n),
            received: at(seconds),
            ..inbound(n, openid)
        }
    }

    /// A message and one reply, which is sent.
    async fn talk(bench: &Bench, n: u64, openid: &str, seconds: i64) -> MessageId {
        bench.turn_to(seconds);
        let judge: Judge = Box::new(|_, facts| verdict(facts, &["reply".into()]));
        let id = bench
            .record(came(n, openid, seconds), judge)
            .await
            .expect("recorded")
            .id;
        for delivery in bench.claim(seconds).await {
            bench.settle(&delivery, Outcome::Sent).await;
        }
        id
    }

    async fn rows(bench: &Bench, openid: Option<&str>) -> Vec<MessageId> {
        let filter = Filter {
            openid: openid.map(Into::into),
            ..Filter::default()
        };
        let entries = bench.store.entries(&filter, Order::OldestFirst).await;
        entries.expect("read").into_iter().map(|entry| entry.id).collect()
    }

    async fn count(bench: &Bench, sql: &'static str) -> i64 {
        sqlx::query(sql)
            .fetch_one(&mut bench.raw().await)
            .await
            .expect("read")
            .get(0)
    }

    #[tokio::test]
    async fn what_is_too_old_goes_with_its_replies_and_the_rest_can_be_read() {
        let bench = Bench::new().await;
        let old = talk(&bench, 1, "oAlice", 0).await;
        let older = talk(&bench, 2, "oBob", 1).await;
        let kept = talk(&bench, 3, "oAlice", 2 * DAY).await;
        let newest = talk(&bench, 4, "oAlice", 3 * DAY).await;
        bench.turn_to(7 * DAY + 2);
        assert_eq!(
            bench.store.keep_house(None).await.expect("works"),
            Housekeeping::default()
        );
        assert_eq!(rows(&bench, None).await.len(), 8);

        let done = bench.store.keep_house(Some(WEEK)).await.expect("works");
        let erased = Erased {
            messages: 2,
            replies: 2,
            pictures: 0,
        };
        assert_eq!((done.erased, done.contacts), (erased, 1));
        let left = [kept, kept.reply(1), newest, newest.reply(1)];
        assert_eq!(rows(&bench, None).await, left);
        assert_eq!(
            rows(&bench, Some("oAlice")).await,
            left,
            "her list ends where the rest is gone"
        );
        assert_eq!(rows(&bench, Some("oBob")).await, []);
        for id in [old, old.reply(1), older] {
            assert_eq!(bench.store.entry(id).await.expect("read"), None);
        }
        let mut past = bench.store.past(at(0), at(9 * DAY));
        let page = past.recv().await.expect("a page").expect("read");
        assert_eq!(page[0].previous, Some(old), "it says that there was one");
        assert_eq!(page.len(), 2);

        // Bob is new when he comes again.
        assert_eq!(count(&bench, "select count(*) from contacts").await, 1);
        talk(&bench, 5, "oBob", 7 * DAY + 3).await;
        assert_eq!(rows(&bench, Some("oBob")).await.len(), 2);
    }

    #[tokio::test]
    async fn what_is_still_to_be_sent_is_spared() {
        let bench = Bench::new().await;
        let waiting = bench.receive(1, "oAlice", &["x"]).await.id;
        bench.turn_to(8 * DAY);
        let done = bench.store.keep_house(Some(WEEK)).await.expect("works");
        assert_eq!(done, Housekeeping::default());
        let claimed = bench.claim(8 * DAY).await;
        bench.settle(&claimed[0], Outcome::Sent).await;
        let done = bench.store.keep_house(Some(WEEK)).await.expect("works");
        assert_eq!(
            (done.erased.messages, done.erased.replies, done.contacts),
            (1, 1, 1)
        );
        assert_eq!(bench.store.entry(waiting).await.expect("read"), None);
    }

    #[tokio::test]
    async fn users_for_whom_something_runs_are_kept_until_it_ends() {
        let bench = Bench::new().await;
        let until = at(9 * DAY);
        let running: [fn(&mut Contact, Timestamp); 5] = [
            |contact, until| contact.muted_until = Some(until),
            |contact, until| {
                contact.state = Some(DialogState {
                    name: "菜单".into(),
                    until,
                });
            },
            |contact, until| contact.cooldowns = Cooldowns::from([("a".into(), until)]),
            |contact, until| {
                contact.ledger = Ledger {
                    left: 1,
                    waiting: 0,
                    until: Some(until),
                };
            },
            |_, _| {},
        ];
        for (n, change) in (0..).zip(running) {
            let judge: Judge = Box::new(move |_, facts| {
                let mut verdict = verdict(facts, &[]);
                change(&mut verdict.decision.contact, until);
                verdict
            });
            bench
                .record(came(n, &format!("o{n}"), 0), judge)
                .await
                .expect("recorded");
        }
        bench.turn_to(8 * DAY);
        let done = bench.store.keep_house(Some(WEEK)).await.expect("works");
        assert_eq!((done.erased.messages, done.contacts), (5, 1));
        bench.turn_to(9 * DAY);
        let done = bench.store.keep_house(Some(WEEK)).await.expect("works");
        assert_eq!((done.erased.messages, done.contacts), (0, 4));
    }

    #[tokio::test]
    async fn many_messages_and_users_go_in_pieces() {
        let bench = Bench::new().await;
        let count = PIECE as u64 * 2 + 7;
        for n in 0..count {
            bench.receive(n, &format!("o{n}"), &[]).await;
        }
        bench.turn_to(8 * DAY);
        let done = bench.store.keep_house(Some(WEEK)).await.expect("works");
        assert_eq!((done.erased.messages, done.contacts), (count, count));
        assert_eq!(rows(&bench, None).await, []);
    }

    #[tokio::test]
    async fn every_version_of_the_rules_stays_in_the_archive() {
        let bench = Bench::new().await;
        for (n, version) in (0..).zip(["first", "second", "third"]) {
            let kept = bench.store.keep_rule_set(&version.into(), "{}", at(n)).await;
            kept.expect("written");
        }
        bench.turn_to(4000 * DAY);
        bench.store.keep_house(Some(WEEK)).await.expect("works");
        let sets = bench.store.rule_sets().await.expect("read");
        let versions: Vec<_> = sets.iter().map(|set| set.version.as_str()).collect();
        assert_eq!(versions, ["third", "second", "first"]);
    }

    #[tokio::test]
    async fn a_user_for_whom_something_has_begun_meanwhile_stays() {
        let bench = Bench::new().await;
        for openid in ["oAlice", "oBob"] {
            bench.receive(1, openid, &[]).await;
        }
        sqlx::query("delete from messages")
            .execute(&mut bench.raw().await)
            .await
            .expect("deleted");
        bench.turn_to(DAY);
        let muted = bench
            .store
            .mute(&"shop".into(), &"oAlice".into(), at(2 * DAY), "ann")
            .await;
        assert!(muted.expect("written"));
        bench.store.fold_journal().await.expect("works");
        let users = ["oAlice", "oBob"].map(|openid| ("shop".into(), openid.into()));
        let erased = bench.store.erase_spent(users.into(), at(DAY)).await;
        assert_eq!(erased.expect("works"), 1);
        assert_eq!(
            count(&bench, "select count(*) from contacts where openid = 'oAlice'").await,
            1
        );
    }

    #[tokio::test]
    async fn what_has_run_out_is_cleared_away_and_the_audit_trail_stays_a_year() {
        let bench = Bench::new().await;
        let hour = Duration::from_hours(1);
        bench
            .store
            .create_session("ops", b"hash", hour)
            .await
            .expect("written");
        bench
            .store
            .create_session("ops", b"hash", hour * 24 * 900)
            .await
            .expect("written");
        for n in 0..2 {
            bench.turn_to(n * 100 * DAY);
            let noted = bench.store.audit("ops", "x", "y", serde_json::json!({})).await;
            noted.expect("written");
        }
        bench.turn_to(400 * DAY);
        bench.store.keep_house(None).await.expect("works");
        assert_eq!(count(&bench, "select count(*) from sessions").await, 1);
        assert_eq!(bench.store.audits(None, 9).await.expect("read").len(), 2);
        bench.store.keep_house(Some(WEEK)).await.expect("works");
        assert_eq!(bench.store.audits(None, 9).await.expect("read").len(), 1);
    }
}
