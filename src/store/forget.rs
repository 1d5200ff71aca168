//! Forgetting one user: the law gives them the right to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::json;
use sqlx::{Connection, Row, SqliteConnection};

use super::erase::{Erased, PIECE, Spare, erase};
use super::{Filter, Order, Store, StoreError, audit};
use crate::message::{AppName, MessageId, OpenId};

/// What was erased of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Messages, replies and pictures.
    pub erased: Erased,
    /// In how many apps the user was known.
    pub contacts: u64,
    /// Whether the log that SQLite keeps of its last writes (the file that ends in `-wal`) is free of it already. If
    /// not, somebody was reading; it is overwritten as soon as as much again was written.
    pub wal_cut: bool,
}

/// How often cutting the WAL is tried, and the pause in between.
const CUTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

impl Store {
    /// Erases all messages and the state of a user, in one app or in all: the oldest message first, the user's row
    /// last, so that it can go on where it was broken off. A message that comes meanwhile goes too; one that comes
    /// afterwards is a stranger's. The audit trail keeps the fact, by whom (`by`), and a digest in the openid's place.
    ///
    /// Nothing of it is left in the database's file, nor in that of the index, once this returns. Other places that may name the user are not
    /// touched: rules (`when.users`), backups, what the daemon printed.
    pub async fn forget(
        &self,
        app: Option<&AppName>,
        openid: &OpenId,
        by: &str,
    ) -> Result<Forgotten, StoreError> {
        let mut forgotten = Forgotten::default();
        for app in self.apps_that_know(app, openid).await? {
            let mut erased = Erased::default();
            let theirs = Filter {
                app: Some(app.clone()),
                openid: Some(openid.clone()),
                ..Filter::default()
            };
            loop {
                // The index needs their texts to find what it has of them.
                let entries = self.entries(&theirs, Order::OldestFirst).await?;
                let done = self.forget_in(&app, openid, by, &mut erased).await?;
                self.forget_in_index(&entries).await?;
                if done {
                    break;
                }
            }
            forgotten.erased.add(erased);
            forgotten.contacts += 1;
        }
        forgotten.wal_cut = self.cut_wal().await?;
        Ok(forgotten)
    }

    /// The apps that have this user, found by steps from one app to the next.
    async fn apps_that_know(
        &self,
        app: Option<&AppName>,
        openid: &OpenId,
    ) -> Result<Vec<AppName>, StoreError> {
        let mut conn = self.reader().await?;
        let apps: Vec<String> = sqlx::query_scalar(
            "with recursive apps (app) as (select min(app) from contacts union all \
             select (select min(c.app) from contacts c where c.app > apps.app) from apps where apps.app is not null) \
             select c.app from apps cross join contacts c where c.app = apps.app and c.openid = $1 \
             and ($2 is null or c.app = $2)",
        )
        .bind(openid.as_str())
        .bind(app.map(AppName::as_str))
        .fetch_all(&mut *conn)
        .await?;
        Ok(apps.into_iter().map(AppName::from).collect())
    }

    /// Erases what there is; gives whether nothing came meanwhile, so that the user's row went too.
    async fn forget_in(
        &self,
        app: &AppName,
        openid: &OpenId,
        by: &str,
        erased: &mut Erased,
    ) -> Result<bool, StoreError> {
        let (latest, mut list) = self.list_of(app, openid).await?;
        list.reverse();
        let rest = list.split_off(list.len() - list.len() % PIECE);
        for piece in list.chunks(PIECE) {
            self.erase_pictures(piece).await?;
            erased.add(self.erase_piece(piece.into(), Spare::Nothing).await?);
        }
        self.erase_pictures(&rest).await?;
        let now = self.clock().now();
        let (app, openid, by): (_, _, Arc<str>) = (app.clone(), openid.clone(), by.into());
        let (rest, before): (Arc<[MessageId]>, Erased) = (rest.into(), *erased);
        let (last, gone) = self
            .write_pages(PIECE * 2, move |conn| {
                let (app, openid, by, rest) = (app.clone(), openid.clone(), Arc::clone(&by), Arc::clone(&rest));
                async move {
                    let last = erase(conn, &rest, Spare::Nothing).await?;
                    let gone = sqlx::query(
                        "delete from contacts where app = $1 and openid = $2 and (latest is null or latest = $3)",
                    )
                    .bind(app.as_str())
                    .bind(openid.as_str())
                    .bind(latest.map(MessageId::as_i64))
                    .execute(&mut *conn)
                    .await?
                    .rows_affected()
                        > 0;
                    if gone {
                        let mut all = before;
                        all.add(last);
                        let detail = json!({
                            "app": app, "messages": all.messages, "replies": all.replies, "pictures": all.pictures,
                        });
                        let pseudonym = audit::pseudonym(&openid);
                        audit::note(conn, now, &by, "forget", &pseudonym, &detail).await?;
                        sqlx::query(
                            "update audit set subject = $1 where subject = $2 \
                             and coalesce(json_extract(detail, '$.app'), $3) = $3",
                        )
                        .bind(pseudonym)
                        .bind(openid.as_str())
                        .bind(app.as_str())
                        .execute(conn)
                        .await?;
                    }
                    Ok((last, gone))
                }
                .boxed()
            })
            .await?;
        erased.add(last);
        self.tell_news();
        Ok(gone)
    }

    /// The latest message that the user's row names, and the keys of all that are there, the latest first.
    async fn list_of(
        &self,
        app: &AppName,
        openid: &OpenId,
    ) -> Result<(Option<MessageId>, Vec<MessageId>), StoreError> {
        let mut conn = self.reader().await?;
        let latest: Option<i64> =
            sqlx::query_scalar("select latest from contacts where app = $1 and openid = $2")
                .bind(app.as_str())
                .bind(openid.as_str())
                .fetch_optional(&mut *conn)
                .await?
                .flatten();
        let pairs: Vec<(i64, Option<i64>)> = sqlx::query_as(
            "with recursive thread (id) as (select $1 union \
             select t.previous from thread join messages t on t.id = thread.id where t.previous is not null) \
             select m.id, m.previous from thread cross join messages m where m.id = thread.id",
        )
        .bind(latest)
        .fetch_all(&mut *conn)
        .await?;
        // A message that was erased and pushed again is both the oldest and the latest: so each is taken once.
        let mut previous: HashMap<i64, Option<i64>> = pairs.into_iter().collect();
        let mut list = Vec::with_capacity(previous.len());
        let mut next = latest;
        while let Some((id, previous)) = next.and_then(|id| previous.remove_entry(&id)) {
            list.push(MessageId::from_i64(id));
            next = previous;
        }
        Ok((latest.map(MessageId::from_i64), list))
    }

    /// Folds the WAL into the database and cuts it off. Never waits while it holds the writer's lock: what is left to
    /// copy then is little, and a reader that is in the way means another try.
    async fn cut_wal(&self) -> Result<bool, StoreError> {
        let mut conn = SqliteConnection::connect_with(&self.options().busy_timeout(Duration::ZERO)).await?;
        let mut cut = false;
        for _ in 0..CUTS {
            sqlx::query("pragma wal_checkpoint(passive)")
                .fetch_one(&mut conn)
                .await?;
            let busy: i64 = sqlx::query("pragma wal_checkpoint(truncate)")
                .fetch_one(&mut conn)
                .await?
                .try_get(0)?;
            cut = busy == 0;
            if cut {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        conn.close().await?;
        Ok(cut)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::message::{Inbound, Outcome, Reply};
    use crate::store::testing::{Bench, alice, answering, at, inbound, retry};
    use crate::store::{Access, ByHand, Filter, Order, Standing};

    fn secret(n: u64, app: &str, openid: &str) -> Inbound {
        Inbound {
            app: app.into(),
            content: Some(format!("my number is 13800{n:06}")),
            ..inbound(n, openid)
        }
    }

    /// The text of every place where SQLite keeps something of a database.
    fn files(bench: &Bench) -> Vec<(String, Vec<u8>)> {
        ["t.db", "t.db-wal"]
            .map(|name| {
                (
                    name.to_owned(),
                    std::fs::read(bench.dir.path().join(name)).unwrap_or_default(),
                )
            })
            .into()
    }

    fn holds(bytes: &[u8], text: &str) -> bool {
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    #[tokio::test]
    async fn nothing_of_a_user_is_left_in_the_files() {
        let bench = Bench::new().await;
        // Many users between each other, rows that are changed and moved, pages that split.
        for round in 0..6 {
            let pushes = (0..200).map(|n| {
                let openid = if n % 9 == 0 {
                    "oAlice".to_owned()
                } else {
                    format!("o{n}")
                };
                let words = format!("answer to 13800{:06}", round * 1000 + n);
                bench.record(
                    secret(round * 1000 + n, "shop", &openid),
                    answering(&[&words, "more"]),
                )
            });
            for recorded in join_all(pushes).await {
                recorded.expect("recorded");
            }
            for _ in 0..2 {
                for (n, delivery) in bench.claim(round as i64).await.iter().enumerate() {
                    let outcome = match n % 5 {
                        0 => retry(round as i64),
                        1 => Outcome::Failed {
                            errcode: Some(1),
                            error: "a long explanation of what went wrong with it ".repeat(1 + n % 7),
                        },
                        _ => Outcome::Sent,
                    };
                    bench.settle(delivery, outcome).await;
                }
            }
        }
        let by_hand = ByHand {
            app: "shop".into(),
            openid: alice(),
            author: "ann".to_owned(),
            replies: vec![Reply::Text("dear 13800 Alice".to_owned())],
        };
        let judge = |standing: Option<Standing<'_>>| {
            standing.map(|standing| standing.contact.clone()).ok_or("unknown")
        };
        bench
            .store
            .write_by_hand(by_hand, judge)
            .await
            .expect("works")
            .expect("written");
        bench
            .record(secret(7, "other", "oAlice"), answering(&[]))
            .await
            .expect("recorded");
        assert!(files(&bench).iter().any(|(_, bytes)| holds(bytes, "oAlice")));
        assert!(files(&bench).iter().any(|(_, bytes)| holds(bytes, "dear 13800")));

        // By a command beside the daemon, which has both files open.
        let command = bench.open(Access::Command).await.expect("opens");
        let forgotten = command.forget(None, &alice(), "ops").await.expect("works");
        command.close().await;
        let erased = Erased {
            messages: 6 * 23 + 1,
            replies: 6 * 23 * 2 + 1,
            pictures: 0,
        };
        assert_eq!((forgotten.erased, forgotten.contacts), (erased, 2));
        assert!(forgotten.wal_cut);
        for (name, bytes) in files(&bench) {
            assert!(!holds(&bytes, "oAlice"), "{name}");
            assert!(!holds(&bytes, "dear 13800"), "{name}");
            for round in 0..6 {
                for n in (0..200).step_by(9) {
                    let number = format!("13800{:06}", round * 1000 + n);
                    assert!(!holds(&bytes, &number), "{name}: {number}");
                }
            }
        }
        let left = bench
            .store
            .entries(&Filter::default(), Order::OldestFirst)
            .await
            .expect("read");
        assert_eq!(left.len(), 6 * 177 * 3, "the others have lost nothing");

        let audits = bench.store.audits(None, 9).await.expect("read");
        let told: Vec<_> = audits
            .iter()
            .map(|audit| (audit.user.as_str(), audit.action.as_str(), &audit.subject[..7]))
            .collect();
        let forget = ("ops", "forget", "sha256:");
        assert_eq!(told, [forget, forget, ("ann", "reply", "sha256:")]);
        assert_eq!(audits[0].subject, audits[2].subject);
        let again = bench.store.forget(None, &alice(), "ops").await.expect("works");
        assert_eq!((again.erased, again.contacts), (Erased::default(), 0));
    }

    #[tokio::test]
    async fn one_app_can_forget_what_another_remembers() {
        let bench = Bench::new().await;
        for app in ["shop", "other", "third"] {
            bench
                .record(secret(1, app, "oAlice"), answering(&["x"]))
                .await
                .expect("recorded");
        }
        let forgotten = bench
            .store
            .forget(Some(&"shop".into()), &alice(), "ops")
            .await
            .expect("works");
        assert_eq!((forgotten.erased.messages, forgotten.contacts), (1, 1));
        let left = bench
            .store
            .entries(&Filter::default(), Order::OldestFirst)
            .await
            .expect("read");
        assert!(left.iter().all(|entry| entry.app.as_str() != "shop") && left.len() == 4);
        let nobody = bench.store.forget(Some(&"fourth".into()), &alice(), "ops").await;
        assert_eq!(nobody.expect("works").contacts, 0);
    }

    #[tokio::test]
    async fn a_message_that_was_erased_and_pushed_again_makes_no_circle() {
        let bench = Bench::new().await;
        let day = 24 * 3600;
        let later = Inbound {
            received: at(5 * day),
            ..inbound(2, "oAlice")
        };
        bench.receive(1, "oAlice", &[]).await;
        bench.turn_to(5 * day);
        bench.record(later, answering(&[])).await.expect("recorded");
        bench.turn_to(8 * day);
        let week = Duration::from_hours(7 * 24);
        bench.store.keep_house(Some(week)).await.expect("works");
        bench.receive(1, "oAlice", &[]).await;
        let filter = Filter {
            openid: Some(alice()),
            ..Filter::default()
        };
        let listed = bench
            .store
            .entries(&filter, Order::OldestFirst)
            .await
            .expect("read");
        assert_eq!(listed.len(), 2);
        let forgotten = bench.store.forget(None, &alice(), "ops").await.expect("works");
        assert_eq!((forgotten.erased.messages, forgotten.contacts), (2, 1));
    }

    #[tokio::test]
    async fn what_is_in_flight_then_is_settled_without_a_trace() {
        let bench = Bench::new().await;
        bench.receive(1, "oAlice", &["flying", "waiting"]).await;
        let flying = bench.claim(0).await;
        bench.store.forget(None, &alice(), "ops").await.expect("works");
        bench.settle(&flying[0], Outcome::Sent).await;
        assert_eq!(bench.claim(at(9).as_second()).await, []);
        // The same push again is a new message of a stranger.
        assert!(!bench.receive(1, "oAlice", &[]).await.duplicate);
        let contact = bench
            .store
            .contact(&"shop".into(), &alice())
            .await
            .expect("read")
            .0;
        assert_eq!(contact.misses, 1);
    }

    #[tokio::test]
    async fn messages_that_come_meanwhile_go_too_or_are_a_strangers() {
        let bench = Bench::new().await;
        for n in 0..PIECE as u64 * 3 {
            bench.receive(n, "oAlice", &[]).await;
        }
        let writing = async {
            for n in 1000..1010 {
                bench.receive(n, "oAlice", &[]).await;
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        };
        let alice = alice();
        let (forgotten, ()) = tokio::join!(bench.store.forget(None, &alice, "ops"), writing);
        let gone = forgotten.expect("works").erased.messages;
        let filter = Filter {
            openid: Some(alice.clone()),
            ..Filter::default()
        };
        let all = bench
            .store
            .entries(&Filter::default(), Order::OldestFirst)
            .await
            .expect("read");
        let listed = bench
            .store
            .entries(&filter, Order::OldestFirst)
            .await
            .expect("read");
        assert_eq!(all, listed, "none is left that the user's list does not name");
        assert_eq!(gone + all.len() as u64, PIECE as u64 * 3 + 10);
        let contact = bench.store.contact(&"shop".into(), &alice).await.expect("read").0;
        assert_eq!(u64::from(contact.misses), all.len() as u64);
    }
}
