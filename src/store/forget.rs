//! Forgetting one user: the law gives them the right to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Row, SqliteConnection};

use super::erase::{Erased, PIECE, Spare, erase};
use super::index::Forgetting;
use super::log::entry;
use super::thread::rows_of;
use super::{Store, StoreError, audit, contact};
use crate::message::{AppName, MessageId, OpenId};

/// What was erased of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Messages, replies and pictures.
    pub erased: Erased,
    /// In how many apps the user was known.
    pub contacts: u64,
    /// Whether the logs that SQLite keeps of its last writes (the files that end in `-wal`) are free of it already. If
    /// not, somebody was reading; they are overwritten as soon as as much again was written.
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
    /// No row of it is left in the database's file, nor in that of the index, once this returns, whether live, freed or in
    /// the WAL; only in the unused part of a page that SQLite once split may there be a copy, until the page fills
    /// again or the file is vacuumed. Other places that may name the user are not
    /// touched: rules (`when.users`), backups, what the daemon printed.
    pub async fn forget(
        &self,
        app: Option<&AppName>,
        openid: &OpenId,
        by: &str,
    ) -> Result<Forgotten, StoreError> {
        let mut forgotten = Forgotten::default();
        let mut index = self.index().forgetting().await?;
        for app in self.apps_that_know(app, openid).await? {
            let mut erased = Erased::default();
            while !self
                .forget_in(&app, openid, by, &mut erased, index.as_mut())
                .await?
            {}
            forgotten.erased.add(erased);
            forgotten.contacts += 1;
        }
        forgotten.wal_cut = cut_wal(&self.options()).await?;
        if let Some(index) = index {
            index.close().await?;
            forgotten.wal_cut &= cut_wal(&self.index().options()).await?;
        }
        Ok(forgotten)
    }

    /// Erases what there is; gives whether nothing came meanwhile, so that the user's row went too.
    async fn forget_in(
        &self,
        app: &AppName,
        openid: &OpenId,
        by: &str,
        erased: &mut Erased,
        mut index: Option<&mut Forgetting>,
    ) -> Result<bool, StoreError> {
        let (latest, mut list) = self.list_of(app, openid).await?;
        list.reverse();
        let rest = list.split_off(list.len() - list.len() % PIECE);
        for piece in list.chunks(PIECE) {
            self.erase_pictures(piece).await?;
            self.take_out(piece, index.as_deref_mut()).await?;
            erased.add(self.erase_piece(piece.into(), Spare::Nothing).await?);
            if let Some(index) = &mut index {
                index.unlock().await?;
            }
        }
        self.erase_pictures(&rest).await?;
        self.take_out(&rest, index.as_deref_mut()).await?;
        let (last, gone) = self
            .forget_rest(app, openid, by, rest.into(), latest, *erased)
            .await?;
        if let Some(index) = &mut index {
            index.unlock().await?;
        }
        erased.add(last);
        self.tell_news();
        Ok(gone)
    }

    /// Takes messages and their replies out of the index, and keeps the indexer out until that is unlocked.
    async fn take_out(
        &self,
        messages: &[MessageId],
        index: Option<&mut Forgetting>,
    ) -> Result<(), StoreError> {
        let Some(index) = index else { return Ok(()) };
        loop {
            index.lock().await?;
            let mut log = self.reader().await?;
            let rows = rows_of(messages)?.build().fetch_all(&mut *log).await?;
            drop(log);
            let entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
            // A commit ends the lock: what came in since is taken out in another round.
            if !index.take_out(&entries).await? {
                return Ok(());
            }
        }
    }

    /// Erases the last messages, and the user's row unless another has come.
    async fn forget_rest(
        &self,
        app: &AppName,
        openid: &OpenId,
        by: &str,
        rest: Arc<[MessageId]>,
        latest: Option<MessageId>,
        before: Erased,
    ) -> Result<(Erased, bool), StoreError> {
        let now = self.clock().now();
        let (app, openid, by): (_, _, Arc<str>) = (app.clone(), openid.clone(), by.into());
        let journal = self.journal().clone();
        self.write_pages(PIECE * 2, move |conn| {
            let (app, openid, by, rest) = (app.clone(), openid.clone(), Arc::clone(&by), Arc::clone(&rest));
            let journal = journal.clone();
            async move {
                let last = erase(conn, &rest, Spare::Nothing).await?;
                let gone = match contact::find(conn, &app, &openid, journal.place(&app, &openid)).await? {
                    Some(user) => user.latest.is_none() || user.latest == latest,
                    None => false,
                };
                if gone {
                    for delete in [
                        "delete from contact_journal where app = $1 and openid = $2",
                        "delete from contacts where app = $1 and openid = $2",
                    ] {
                        sqlx::query(delete)
                            .bind(app.as_str())
                            .bind(openid.as_str())
                            .execute(&mut *conn)
                            .await?;
                    }
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
        .await
    }

    /// The latest message that the user's row names, and the keys of all that are there, the latest first.
    async fn list_of(
        &self,
        app: &AppName,
        openid: &OpenId,
    ) -> Result<(Option<MessageId>, Vec<MessageId>), StoreError> {
        let mut conn = self.reader().await?;
        let latest = contact::latest(&mut conn, app, openid, self.journal().durable_place(app, openid))
            .await?
            .map(MessageId::as_i64);
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
}

/// Folds a database's WAL into it and cuts it off. Never waits while it holds the writer's lock: what is left to
/// copy then is little, and a reader that is in the way means another try.
async fn cut_wal(options: &SqliteConnectOptions) -> Result<bool, StoreError> {
    let mut conn = SqliteConnection::connect_with(&options.clone().busy_timeout(Duration::ZERO)).await?;
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
        ["t.db", "t.db-wal", "t.index.db", "t.index.db-wal"]
            .map(|name| {
                (
                    name.to_owned(),
                    std::fs::read(bench.dir.path().join(name)).unwrap_or_default(),
                )
            })
            .into()
    }

    /// Blanks the unused part of each page, where SQLite leaves what it copied elsewhere when it split the page
    /// (`rebuildPage`), whatever `secure_delete` says.
    fn without_unused(mut bytes: Vec<u8>) -> Vec<u8> {
        let (pages, _) = bytes.as_chunks_mut::<4096>();
        for (number, page) in pages.iter_mut().enumerate() {
            let head = if number == 0 { 100 } else { 0 };
            let cells = match page[head] {
                2 | 5 => head + 12,
                10 | 13 => head + 8,
                _ => continue,
            };
            let word = |at: usize| usize::from(u16::from_be_bytes([page[at], page[at + 1]]));
            let (first, content) = (cells + 2 * word(head + 3), word(head + 5));
            if first <= content && content <= page.len() {
                page[first..content].fill(0);
            }
        }
        bytes
    }

    fn holds(bytes: &[u8], text: &str) -> bool {
        holds_bytes(bytes, text.as_bytes())
    }

    fn holds_bytes(bytes: &[u8], wanted: &[u8]) -> bool {
        bytes.windows(wanted.len()).any(|window| window == wanted)
    }

    /// What the index keeps of these two characters: of a token, it leaves out how the one before it begins, too.
    fn pair() -> &'static [u8] {
        &"龘靐".as_bytes()[2..]
    }

    #[tokio::test]
    async fn nothing_of_a_user_is_left_in_the_files() {
        // So many that the index merges what it has: texts move there too.
        const ROUNDS: u64 = 18;
        const PUSHES: u64 = 72;
        const HERS: u64 = PUSHES / 9;
        let bench = Bench::new().await;
        // Many users between each other, rows that are changed and moved, pages that split.
        for round in 0..ROUNDS {
            let seconds = round as i64 * 20;
            bench.turn_to(seconds);
            let pushes = (0..PUSHES).map(|n| {
                let openid = if n % 9 == 0 {
                    "oAlice".to_owned()
                } else {
                    format!("o{n}")
                };
                let hers = if n % 9 == 0 { "龘靐" } else { "" };
                let words = format!("answer {hers} to 13800{:06}", round * 1000 + n);
                let push = Inbound {
                    received: at(seconds),
                    ..secret(round * 1000 + n, "shop", &openid)
                };
                bench.record(push, answering(&[&words, "more"]))
            });
            for recorded in join_all(pushes).await {
                recorded.expect("recorded");
            }
            for _ in 0..2 {
                for (n, delivery) in bench.claim(seconds).await.iter().enumerate() {
                    let outcome = match n % 5 {
                        0 => retry(seconds),
                        1 => Outcome::Failed {
                            errcode: Some(1),
                            error: "a long explanation of what went wrong with it ".repeat(1 + n % 7),
                        },
                        _ => Outcome::Sent,
                    };
                    bench.settle(delivery, outcome).await;
                }
            }
            bench.index_at(seconds + 15).await;
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
        bench.index_at(600).await;
        let with = |name: &str, bytes: &[u8]| name.starts_with("t.index") && holds_bytes(bytes, pair());
        assert!(files(&bench).iter().any(|(name, bytes)| with(name, bytes)));

        // By a command beside the daemon, which has both files open.
        let command = bench.open(Access::Command).await.expect("opens");
        let forgotten = command.forget(None, &alice(), "ops").await.expect("works");
        command.close().await;
        let erased = Erased {
            messages: ROUNDS * HERS + 1,
            replies: ROUNDS * HERS * 2 + 1,
            pictures: 0,
        };
        assert_eq!((forgotten.erased, forgotten.contacts), (erased, 2));
        assert!(forgotten.wal_cut);
        for (name, bytes) in files(&bench) {
            let bytes = without_unused(bytes);
            assert!(!holds(&bytes, "oAlice"), "{name}");
            assert!(!holds_bytes(&bytes, pair()), "{name}");
            assert!(!holds(&bytes, "dear 13800"), "{name}");
            let text = String::from_utf8_lossy(&bytes); // whose search is quicker
            for round in 0..ROUNDS {
                for n in (0..PUSHES).step_by(9) {
                    let number = format!("13800{:06}", round * 1000 + n);
                    assert!(!text.contains(&number), "{name}: {number}");
                }
            }
        }
        let left = bench
            .store
            .entries(&Filter::default(), Order::OldestFirst)
            .await
            .expect("read");
        let others = ROUNDS * (PUSHES - HERS) * 3;
        assert_eq!(left.len() as u64, others, "the others have lost nothing");

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
    async fn where_the_index_cannot_be_reached_nothing_is_lost_of_what_finds_its_way_in_it() {
        let bench = Bench::new().await;
        for n in 0..PIECE as u64 * 3 {
            bench.receive(n, "oAlice", &["退款"]).await;
        }
        bench.index_at(20).await;
        let options = bench.store.index().options();
        let count = async || -> (i64, i64) {
            let mut index = SqliteConnection::connect_with(&options).await.expect("opens");
            let docs = sqlx::query_scalar("select count(*) from docs")
                .fetch_one(&mut index)
                .await;
            let rows = sqlx::query_scalar("select count(*) from messages")
                .fetch_one(&mut bench.raw().await)
                .await;
            (docs.expect("read"), rows.expect("read"))
        };
        let all = PIECE as i64 * 3 * 2;
        assert_eq!(count().await, (all, all));
        // Broken off, wherever it is then.
        for millis in [0, 5, 20, 40] {
            let alice = alice();
            let forgetting = bench.store.forget(None, &alice, "ops");
            let _ = tokio::time::timeout(Duration::from_millis(millis), forgetting).await;
            let (docs, rows) = count().await;
            assert!(docs <= rows, "{docs} of {rows}");
        }
        let forgotten = bench.store.forget(None, &alice(), "ops").await.expect("works");
        assert!(forgotten.wal_cut);
        assert_eq!(count().await, (0, 0));
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
