//! Where in `contact_journal` each user's newest state is, and folding the journal into `contacts`.
//!
//! The rows tell the truth: a place that is wrong here is found out by whoever looks there, for a row names its user. So
//! a command beside the daemon, which knows no places and walks through the journal, may erase and change rows as it
//! likes; only the daemon adds any.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use foldhash::HashMap;
use rusqlite::OptionalExtension;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::contact::contact_names;
use super::open::Inner;
use super::requests::Piece;
use super::row::to_json;
use super::{Access, Store, StoreError};
use crate::message::{AppName, OpenId};

/// Rows at which the journal is folded. The more, the more users a page of `contacts` are written at once (with half as many
/// 4 % fewer pushes a second when half a million users are known); and the longer takes it who looks for one user in the
/// journal (some 100 ns a row), or starts after a crash.
const FULL: usize = 65_536;

/// A shorter one is folded so often.
const PERIOD: Duration = Duration::from_secs(60);

/// Users that one commit folds, and rows that one erases: for messages ride in the same commit, and wait for it.
const FOLDED: usize = 32;
const ERASED: i64 = 512;

/// The places. Cheap to clone.
#[derive(Clone)]
pub(super) struct Journal(Arc<Shared>);

struct Shared {
    /// Whether this process adds the rows, and so knows where they are.
    adds: bool,
    places: Mutex<Places>,
    full: Notify,
}

/// Hashed quickly: names come from pushes that WeChat signed.
type Newest = HashMap<(AppName, OpenId), i64>;

#[derive(Default)]
struct Places {
    newest: Newest,
    /// Those of the transaction that is under way.
    pending: Newest,
    /// Those that are being folded. A map of their own, for sorting them takes longer than anybody may wait.
    folding: Arc<Newest>,
    /// The last row that was written, durable or not: no number is given twice.
    last: i64,
    /// Rows that have come since folding last began.
    rows: usize,
    /// Whether the journal was read since the start; the writer does that before it does anything.
    loaded: bool,
}

impl Places {
    fn place(&self, user: &(AppName, OpenId)) -> i64 {
        let durable = || self.durable_place(user);
        self.pending.get(user).copied().unwrap_or_else(durable)
    }

    fn durable_place(&self, user: &(AppName, OpenId)) -> i64 {
        let folding = || self.folding.get(user);
        self.newest.get(user).or_else(folding).copied().unwrap_or(0)
    }
}

impl Journal {
    pub(super) fn of(access: Access) -> Self {
        Self(Arc::new(Shared {
            adds: access == Access::Daemon,
            places: Mutex::default(),
            full: Notify::new(),
        }))
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads all places anew: at the start, and when nobody knows what became of a commit.
    pub(super) fn load(&self, db: &rusqlite::Connection) -> Result<(), StoreError> {
        let mut select = db.prepare("select seq, app, openid from contact_journal order by seq")?;
        let mut rows = select.query([])?;
        let (mut newest, mut count, mut last) = (Newest::default(), 0, 0);
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            let user = (row.get::<_, String>(1)?.into(), row.get::<_, String>(2)?.into());
            newest.insert(user, last);
            count += 1;
        }
        let mut places = self.places();
        places.loaded = true;
        places.rows = count;
        places.last = places.last.max(last);
        places.folding = Arc::default();
        places.newest = newest;
        Ok(())
    }

    /// Where these users' newest states are, for the writer; 0 for those who have none in the journal.
    pub(super) fn places_of<'a>(&self, users: impl Iterator<Item = (&'a AppName, &'a OpenId)>) -> Vec<i64> {
        let places = self.places();
        users
            .map(|(app, openid)| places.place(&(app.clone(), openid.clone())))
            .collect()
    }

    /// The same of one user; `None` in a command, which has to look.
    pub(super) fn place(&self, app: &AppName, openid: &OpenId) -> Option<i64> {
        self.0
            .adds
            .then(|| self.places_of([(app, openid)].into_iter()).into_iter().sum())
    }

    /// The same for whoever reads: what is under way is not there for them yet.
    pub(super) fn durable_place(&self, app: &AppName, openid: &OpenId) -> Option<i64> {
        let places = self.places();
        (self.0.adds && places.loaded).then(|| places.durable_place(&(app.clone(), openid.clone())))
    }

    /// The row behind which the next ones are written.
    pub(super) fn last(&self) -> i64 {
        self.places().last
    }

    /// These rows are written, their users' newest ones, by the transaction that is under way.
    pub(super) fn wrote(&self, written: impl IntoIterator<Item = ((AppName, OpenId), i64)>) {
        let mut places = self.places();
        for (user, seq) in written {
            places.last = places.last.max(seq);
            places.pending.insert(user, seq);
        }
    }

    /// The transaction is durable, or nothing of it is there.
    pub(super) fn ended(&self, durable: bool) {
        let mut places = self.places();
        let written = std::mem::take(&mut places.pending);
        if durable {
            places.rows += written.len();
            places.newest.extend(written);
        }
        if places.rows >= FULL {
            self.0.full.notify_one();
        }
    }

    /// Begins to fold: gives the newest states, and up to which row all that is told is in them.
    fn begin(&self) -> (Arc<Newest>, i64) {
        let mut places = self.places();
        let mut newest = std::mem::take(&mut places.newest);
        // Some are left there when the last time was broken off.
        for (user, seq) in places.folding.iter() {
            newest.entry(user.clone()).or_insert(*seq);
        }
        places.folding = Arc::new(newest);
        places.rows = 0;
        // What is not durable yet is not among them.
        let pending = places.pending.values().min().map(|first| first - 1);
        (Arc::clone(&places.folding), pending.unwrap_or(places.last))
    }

    /// What was to be folded is, and its rows are erased.
    fn folded(&self) {
        let folded = std::mem::take(&mut self.places().folding);
        // Tens of thousands of names: not under the lock.
        drop(folded);
    }
}

/// The newest states in the order of the keys of `contacts`.
async fn in_order(newest: Arc<Newest>) -> Result<Vec<i64>, StoreError> {
    let sort = move || {
        let mut newest: Vec<_> = newest.iter().collect();
        newest.sort_unstable();
        newest.into_iter().map(|(_, seq)| *seq).collect()
    };
    tokio::task::spawn_blocking(sort)
        .await
        .map_err(|_| StoreError::Closed)
}

/// Folds the journal whenever it is full, and in any case each [`PERIOD`].
pub(super) async fn run(journal: Journal, store: Weak<Inner>, closing: CancellationToken) {
    loop {
        let full = tokio::time::timeout(PERIOD, journal.0.full.notified());
        if closing.run_until_cancelled(full).await.is_none() {
            return;
        }
        let Some(store) = store.upgrade().map(Store::of) else {
            return;
        };
        match closing.run_until_cancelled(store.fold_journal()).await {
            None => return,
            Some(Ok(())) => {}
            // Nothing is lost: the journal is read before `contacts` until it is folded.
            Some(Err(error)) => tracing::warn!(%error, "folding the journal of contacts failed"),
        }
    }
}

/// Folds the rows of the journal that ?1, a list in JSON, has the numbers of.
const FOLD: &str = concat!(
    "insert into contacts (",
    contact_names!(),
    ") select ",
    contact_names!(),
    " from json_each(?1) row cross join contact_journal on seq = row.value where true \
     on conflict (app, openid) do update set \
     misses = excluded.misses, first_message = excluded.first_message, last_message = excluded.last_message, \
     state = excluded.state, state_until = excluded.state_until, muted_until = excluded.muted_until, \
     cooldowns = excluded.cooldowns, ledger_left = excluded.ledger_left, \
     ledger_until = excluded.ledger_until, latest = excluded.latest, alone = excluded.alone"
);

impl Store {
    /// Writes what the journal holds into `contacts`, and erases it there. May be dropped at any moment and begun again:
    /// a row of the journal is erased when all that it could tell is in `contacts`, or in a newer row.
    pub(super) async fn fold_journal(&self) -> Result<(), StoreError> {
        let journal = self.journal().clone();
        let (newest, last) = journal.begin();
        // So that a page that takes several users is found once.
        let rows = in_order(newest).await?;
        self.write_in_pieces(FOLDED, move |db, piece| fold(db, rows.chunks(FOLDED).skip(piece)))
            .await?;
        self.write_in_pieces(FOLDED, move |db, _| erase(db, last)).await?;
        journal.folded();
        Ok(())
    }
}

/// Folds the first of the pieces.
fn fold<'a>(
    db: &rusqlite::Connection,
    mut pieces: impl Iterator<Item = &'a [i64]>,
) -> Result<Piece, StoreError> {
    if let Some(rows) = pieces.next() {
        db.prepare_cached(FOLD)?.execute([to_json(&rows)?])?;
    }
    Ok(match pieces.next() {
        Some(_) => Piece::OneOfMore,
        None => Piece::Last,
    })
}

/// Erases some of the rows up to `last`, the first ones.
fn erase(db: &rusqlite::Connection, last: i64) -> Result<Piece, StoreError> {
    let mut end =
        db.prepare_cached("select seq from contact_journal where seq <= ?1 order by seq limit 1 offset ?2")?;
    let end = end.query_row([last, ERASED], |row| row.get(0)).optional()?;
    db.prepare_cached("delete from contact_journal where seq <= ?1")?
        .execute([end.unwrap_or(last)])?;
    Ok(match end {
        Some(_) => Piece::OneOfMore,
        None => Piece::Last,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures_util::future::join_all;

    use super::*;
    use crate::message::{Contact, DialogState, Ledger};
    use crate::store::contact;
    use crate::store::testing::{Bench, at, inbound, verdict};
    use crate::store::{Access, Filter, Judge, Order};

    /// Message `n` leaves its user in a state that tells of it.
    fn state(n: u64) -> Contact {
        Contact {
            first_message: Some(at(0)),
            last_message: Some(at(n as i64)),
            misses: n as u32,
            state: n.is_multiple_of(3).then(|| DialogState {
                name: format!("s{n}"),
                until: at(9000),
            }),
            ledger: Ledger {
                left: 3,
                waiting: 0,
                until: Some(at(9000)),
            },
            ..Contact::default()
        }
    }

    async fn receive(bench: &Bench, n: u64, openid: &str) {
        let judge: Judge = Box::new(move |_, facts| {
            let mut verdict = verdict(facts, &[]);
            // What came before is seen, wherever it is.
            assert_eq!(facts.contact.misses == 0, facts.contact.last_message.is_none());
            verdict.decision.contact = Contact {
                muted_until: facts.contact.muted_until,
                ..state(n)
            };
            verdict
        });
        bench.record(inbound(n, openid), judge).await.expect("recorded");
    }

    async fn rows(bench: &Bench) -> (i64, i64) {
        sqlx::query_as("select (select count(*) from contact_journal), (select count(*) from contacts)")
            .fetch_one(&mut bench.raw().await)
            .await
            .expect("read")
    }

    #[tokio::test]
    async fn the_newest_state_counts_wherever_it_is() {
        let mut bench = Bench::new().await;
        let users = ["oAnn", "oBob", "oCy", "oDee"];
        let mut expected: BTreeMap<&str, Contact> = BTreeMap::new();
        let mut random = 7u64;
        for n in 1..200 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let user = users[(random >> 33) as usize % users.len()];
            match (random >> 40) % 8 {
                0 => bench.store.fold_journal().await.expect("folded"),
                1 => bench = bench.reopen().await,
                2 => {
                    let until = at(1000 + n as i64);
                    let known = bench.store.mute(&"shop".into(), &user.into(), until, "ann").await;
                    assert_eq!(known.expect("written"), expected.contains_key(user));
                    if let Some(contact) = expected.get_mut(user) {
                        contact.muted_until = Some(until);
                    }
                }
                3 => {
                    let command = bench.open(Access::Command).await.expect("opens");
                    let forgotten = command.forget(None, &user.into(), "ops").await.expect("works");
                    command.close().await;
                    assert_eq!(forgotten.contacts, u64::from(expected.remove(user).is_some()));
                }
                _ => {
                    receive(&bench, n, user).await;
                    let muted_until = expected.get(user).and_then(|contact| contact.muted_until);
                    expected.insert(
                        user,
                        Contact {
                            muted_until,
                            ..state(n)
                        },
                    );
                }
            }
            for user in users {
                let (contact, _) = bench
                    .store
                    .contact(&"shop".into(), &user.into())
                    .await
                    .expect("read");
                assert_eq!(
                    contact,
                    expected.get(user).cloned().unwrap_or_default(),
                    "{user}, step {n}"
                );
            }
        }
    }

    #[tokio::test]
    async fn messages_that_come_while_it_is_folded_are_not_lost_to_it() {
        let bench = Bench::new().await;
        for n in 1..400 {
            receive(&bench, n, &format!("o{}", n % 300)).await;
        }
        let more = join_all((400..800).map(|n| async move { (n, format!("o{}", n % 300)) })).await;
        let coming = async {
            for (n, openid) in &more {
                receive(&bench, *n, openid).await;
            }
        };
        let folding = async {
            for _ in 0..3 {
                bench.store.fold_journal().await.expect("folded");
            }
        };
        tokio::join!(coming, folding);
        let last = |user: u64| (1..800).rev().find(|n| n % 300 == user).expect("one");
        let look = async || {
            for user in 0..300 {
                let openid = format!("o{user}").into();
                let (contact, _) = bench.store.contact(&"shop".into(), &openid).await.expect("read");
                assert_eq!(contact, state(last(user)), "o{user}");
                let filter = Filter {
                    openid: Some(openid),
                    ..Filter::default()
                };
                let list = bench
                    .store
                    .entries(&filter, Order::NewestFirst)
                    .await
                    .expect("read");
                assert_eq!(list.len(), (1..800).filter(|n| n % 300 == user).count());
            }
        };
        look().await;
        bench.store.fold_journal().await.expect("folded");
        assert_eq!(rows(&bench).await, (0, 300));
        look().await;
    }

    /// Whoever settles a reply that failed, or changes a user, holds up pushes meanwhile.
    #[tokio::test]
    async fn the_daemon_does_not_walk_through_the_journal() {
        let bench = Bench::new().await;
        receive(&bench, 1, "oAnn").await;
        let mut raw = bench.raw().await;
        // As long as it gets, and of others.
        sqlx::query(
            "with recursive n (n) as (select 2 union all select n + 1 from n where n < 30000) \
             insert into contact_journal (seq, app, openid, misses, ledger_left) \
             select n, 'shop', printf('oTHER%022d', n), 0, 0 from n",
        )
        .execute(&mut raw)
        .await
        .expect("written");
        let (app, openid) = ("shop".into(), "oAnn".into());
        let journal = bench.store.journal().clone();
        let mut took = async |place: Option<i64>| {
            let begun = std::time::Instant::now();
            for _ in 0..20 {
                let user = contact::find(&mut raw, &app, &openid, place).await.expect("read");
                assert_eq!(user.expect("known").contact, state(1));
                let set = contact::change!("misses = misses");
                let known = contact::update(&mut raw, &app, &openid, place, set, |query| query).await;
                assert!(known.expect("written"));
            }
            begun.elapsed()
        };
        let walking = took(None).await;
        let knowing = took(journal.place(&app, &openid)).await;
        assert!(knowing * 5 < walking, "{knowing:?} against {walking:?}");
    }

    #[tokio::test]
    async fn what_rides_with_a_message_finds_the_state_that_this_leaves() {
        let bench = Bench::new().await;
        receive(&bench, 1, "oAnn").await;
        // Handed in at once, they share a commit.
        for n in 2..30 {
            let (app, openid) = ("shop".into(), "oAnn".into());
            let until = at(1000 + n as i64);
            let (_, muted) = tokio::join!(
                receive(&bench, n, "oAnn"),
                bench.store.mute(&app, &openid, until, "ann")
            );
            assert!(muted.expect("written"));
            let (contact, _) = bench.store.contact(&app, &openid).await.expect("read");
            assert_eq!((contact.misses, contact.muted_until), (n as u32, Some(until)));
        }
    }

    #[tokio::test]
    async fn what_is_not_durable_yet_when_folding_begins_stays() {
        let bench = Bench::new().await;
        receive(&bench, 1, "oAnn").await;
        let journal = bench.store.journal();
        let last = journal.last();
        journal.wrote([(("shop".into(), "oBob".into()), last + 1)]);
        assert_eq!(journal.begin().1, last);
        journal.ended(true);
        assert_eq!(journal.begin().1, last + 1);
    }

    #[tokio::test]
    async fn folding_that_is_broken_off_is_made_up_for() {
        let bench = Bench::new().await;
        for n in 1..4 {
            receive(&bench, n, &format!("o{n}")).await;
        }
        bench.store.journal().begin();
        receive(&bench, 4, "o1").await;
        bench.store.fold_journal().await.expect("folded");
        assert_eq!(rows(&bench).await, (0, 3));
        for (n, user) in [(4, "o1"), (2, "o2"), (3, "o3")] {
            let (contact, _) = bench
                .store
                .contact(&"shop".into(), &user.into())
                .await
                .expect("read");
            assert_eq!(contact, state(n));
        }
    }

    #[tokio::test]
    async fn a_full_journal_is_folded_by_itself() {
        let bench = Bench::new().await;
        let app = crate::message::AppName::from("shop");
        receive(&bench, 1, "oAnn").await;
        assert_eq!(rows(&bench).await, (1, 0));
        // As if so many had come.
        let many = (2..=FULL as i64).map(|seq| ((app.clone(), OpenId::from(format!("x{seq}"))), seq));
        bench.store.journal().wrote(many);
        bench.store.journal().ended(true);
        for _ in 0..500 {
            if rows(&bench).await == (0, 1) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?}", rows(&bench).await);
    }
}
