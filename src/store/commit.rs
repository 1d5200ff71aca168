//! Group commit: whatever has arrived is deduplicated, judged and written in one transaction, then answered.
//!
//! One thread owns the writing connection. What needs the driver comes last in a transaction; as long as nothing does, the driver
//! stands aside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::{mpsc, watch};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::arrivals::{self, Added};
use super::direct::WritingConnection;
use super::journal::Journal;
use super::open::WRITER_PATIENCE;
use super::requests::{Group, Job, Prepared, RecordError, Recorded, Requests};
use super::turn::Turns;
use super::{OutboxBell, StoreError};
use crate::clock::SharedClock;
use crate::message::AppName;
use crate::metrics::Metrics;

/// How long a commit waits for a lock when the one before it waited in vain, [`WRITER_PATIENCE`]: whoever came meanwhile is
/// to be answered in time too.
const PATIENCE_AFTER_FAULT: Duration = Duration::from_secs(1);

/// The thread that owns the writing connection.
pub(super) struct Writer {
    pub(super) options: SqliteConnectOptions,
    pub(super) clock: SharedClock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) outbox_bell: Arc<OutboxBell>,
    /// Set when replies were written that wish for "typing…".
    pub(super) typing_wanted: Arc<AtomicBool>,
    /// See [`Store::news`].
    pub(super) news: watch::Sender<u64>,
    /// Why the last commit failed, if it did; see [`Store::ping`].
    pub(super) fault: watch::Sender<Option<StoreError>>,
    /// Told of rows that were written; nobody listens beside a daemon.
    pub(super) wal_grows: mpsc::Sender<()>,
    /// Opened when it is first needed, and again after a fault of the database.
    pub(super) connection: Option<WritingConnection>,
    pub(super) turns: Turns,
    pub(super) journal: Journal,
    pub(super) rows_since_checkpoint: usize,
}

/// Rows after which the WAL is looked at; a row changes about a page.
const ROWS_BETWEEN_CHECKPOINTS: usize = 512;

/// Writes a page, whatever is in it already. A job may find nothing to write (the outbox asks each second), and an
/// empty commit succeeds on a full disk too: it must not tell that all is well again.
const PROBE: &str = "pragma user_version = 0";

type Written = Result<(Outcomes, Added), StoreError>;
type Outcomes = Vec<Result<Recorded, RecordError>>;

impl Writer {
    /// Works on a thread of its own until no more can come, then closes the connection. `token` is given back then.
    pub(super) fn run(self, requests: Requests, token: TaskTrackerToken) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let work = move || {
            runtime.block_on(self.work(requests));
            drop(token);
        };
        std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(work)?;
        Ok(())
    }

    async fn work(mut self, mut requests: Requests) {
        let mut next = requests.next().await;
        while let Some(group) = next {
            next = match self.connected().await {
                Ok(connection) if group.jobs.is_empty() => {
                    self.commit_directly(connection, group, &mut requests).await
                }
                Ok(connection) => {
                    self.commit(connection, group, &mut requests).await;
                    requests.next().await
                }
                Err(error) => {
                    self.finish(group, Err(error), &mut requests);
                    requests.next().await
                }
            };
        }
        if let Some(connection) = self.connection.take() {
            close(connection).await;
        }
    }

    /// The connection, opened if there is none. Whoever takes it puts it back, unless a fault makes it doubtful.
    async fn connected(&mut self) -> Result<WritingConnection, StoreError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let mut connection = WritingConnection::open(&self.options).await?;
        let read = connection.direct().await.and_then(|db| self.journal.load(&db));
        match read {
            Ok(()) => Ok(connection),
            Err(error) => {
                close(connection).await;
                Err(error)
            }
        }
    }

    /// Commits groups as long as none comes that needs the driver; gives the one that does.
    async fn commit_directly(
        &mut self,
        mut connection: WritingConnection,
        mut group: Group,
        requests: &mut Requests,
    ) -> Option<Group> {
        let db = match connection.direct().await {
            Ok(db) => db,
            Err(error) => {
                self.finish(group, Err(error), requests);
                return requests.next().await;
            }
        };
        loop {
            let begun = Instant::now();
            let mut written = self.directly(&db, &mut group, false);
            if self.is_spoilt(&written, &group) {
                written = self.directly(&db, &mut group, true);
            }
            self.observe(begun, &group, &written);
            if !(self.finish(group, written, requests) && db.is_autocommit()) {
                drop(db);
                close(connection).await;
                return requests.next().await;
            }
            match requests.next().await {
                Some(next) if next.jobs.is_empty() => group = next,
                next => {
                    drop(db);
                    self.connection = Some(connection);
                    return next;
                }
            }
        }
    }

    /// Commits a group of which a part needs the driver.
    async fn commit(&mut self, mut connection: WritingConnection, mut group: Group, requests: &mut Requests) {
        let begun = Instant::now();
        let mut written = self.mixed(&mut connection, &mut group, false).await;
        if self.is_spoilt(&written, &group) {
            written = self.mixed(&mut connection, &mut group, true).await;
        }
        self.observe(begun, &group, &written);
        let ended = match &written {
            Ok(_) => true,
            Err(_) => connection.direct().await.is_ok_and(|db| db.is_autocommit()),
        };
        if self.finish(group, written, requests) && ended {
            self.connection = Some(connection);
        } else {
            close(connection).await;
        }
    }

    /// Whether a commit failed by one of its requests, so that the others are to be saved from it.
    fn is_spoilt(&self, written: &Written, group: &Group) -> bool {
        match written {
            Err(error) if group.size() > 1 && !error.is_everyones() => {
                tracing::error!(%error, requests = group.size(), "one request spoilt a commit; trying them one by one");
                self.journal.ended(false);
                true
            }
            _ => false,
        }
    }

    fn observe(&self, begun: Instant, group: &Group, written: &Written) {
        if written.is_ok() {
            let took = begun.elapsed().as_secs_f64();
            self.metrics.commit_duration.observe(took);
            self.metrics.commit_size.observe(group.size() as f64);
        }
    }

    /// Answers everybody in a group, but for what goes on in the next one. Gives whether the connection can be trusted.
    fn finish(&mut self, group: Group, written: Written, requests: &mut Requests) -> bool {
        self.journal.ended(written.is_ok());
        match written {
            Ok((outcomes, added)) => {
                // Pushes that had come before write nothing, and so tell nothing of the disk.
                if !added.rows.is_empty() || group.has_jobs() {
                    self.tell_fault(None);
                }
                self.tell(&added, group.arrivals.len() + group.pages);
                for (pending, outcome) in group.arrivals.into_iter().zip(outcomes) {
                    pending.answer(outcome);
                }
                for mut job in group.direct {
                    if job.goes_on() {
                        requests.unfinished.push(job);
                    } else {
                        job.answer();
                    }
                }
                group.jobs.into_iter().for_each(|job| job.answer());
                true
            }
            Err(error) => {
                let requests = group.size();
                tracing::error!(%error, requests, "the database failed; nothing of a commit is written");
                let everyones = error.is_everyones();
                if everyones {
                    self.tell_fault(Some(&error));
                }
                for pending in group.arrivals {
                    pending.answer(Err(error.clone().into()));
                }
                for mut job in group.direct {
                    job.fail(error.clone());
                    job.answer();
                }
                for mut job in group.jobs {
                    job.fail(error.clone());
                    job.answer();
                }
                !everyones
            }
        }
    }

    /// A group that needs no driver, in one transaction.
    fn directly(&self, db: &rusqlite::Connection, group: &mut Group, apart: bool) -> Written {
        begin(db, self.patience(), || {
            let written = self.direct_part(db, group, apart)?;
            db.prepare_cached("commit")?.execute([])?;
            Ok(written)
        })
    }

    /// Any group in one transaction, the driver's part last.
    async fn mixed(&self, connection: &mut WritingConnection, group: &mut Group, apart: bool) -> Written {
        let written = {
            let db = connection.direct().await?;
            begin(&db, self.patience(), || self.direct_part(&db, group, apart))?
        };
        let conn = connection.driver();
        let done = async {
            for job in &mut group.jobs {
                if apart {
                    one_job(conn, job.as_mut()).await?;
                } else {
                    job.run(conn).await?;
                }
            }
            sqlx::query("commit").execute(&mut *conn).await?;
            Ok(written)
        }
        .await;
        if done.is_err() {
            // Should this fail too, whoever asked for the commit sees that the transaction has not ended.
            let _ = sqlx::query("rollback").execute(conn).await;
        }
        done
    }

    fn patience(&self) -> Duration {
        match *self.fault.borrow() {
            Some(_) => PATIENCE_AFTER_FAULT,
            None => WRITER_PATIENCE,
        }
    }

    /// What of a group needs no driver; `apart` with a savepoint around each request, so that one that can't be written
    /// harms no other.
    fn direct_part(&self, db: &rusqlite::Connection, group: &mut Group, apart: bool) -> Written {
        if group.has_jobs() && self.fault.borrow().is_some() {
            db.execute_batch(PROBE)?;
        }
        let record =
            |messages: &[&Prepared]| arrivals::record(db, messages, &*self.clock, &self.turns, &self.journal);
        let messages: Vec<&Prepared> = group.arrivals.iter().map(|pending| &*pending.message).collect();
        if !apart {
            let written = record(&messages)?;
            for job in &mut group.direct {
                job.run(db)?;
            }
            return Ok(written);
        }
        let (mut outcomes, mut added) = (Outcomes::new(), Added::default());
        for message in messages {
            match in_savepoint(db, || record(&[message])) {
                Ok((outcome, one)) => {
                    outcomes.extend(outcome);
                    added.rows.extend(one.rows);
                    added.typing |= one.typing;
                    added.first_due = added.first_due.into_iter().chain(one.first_due).min();
                }
                Err(error) if error.is_everyones() => return Err(error),
                Err(error) => outcomes.push(Err(error.into())),
            }
        }
        for job in &mut group.direct {
            match in_savepoint(db, || job.run(db)) {
                Err(error) if error.is_everyones() => return Err(error),
                Err(error) => job.fail(error),
                Ok(()) => {}
            }
        }
        Ok((outcomes, added))
    }

    fn tell_fault(&self, fault: Option<&StoreError>) {
        self.fault.send_if_modified(|told| {
            let changed = told.is_some() != fault.is_some();
            *told = fault.cloned();
            changed
        });
    }

    /// Tells the rest of the daemon what has become durable.
    fn tell(&mut self, added: &Added, pages: usize) {
        // A handful of apps and statuses, whatever the size of the group.
        let mut counts: Vec<(&AppName, &str, bool, u64)> = Vec::new();
        for (app, status, event) in &added.rows {
            match counts
                .iter_mut()
                .find(|count| (count.0, count.1, count.2) == (app, *status, *event))
            {
                Some(count) => count.3 += 1,
                None => counts.push((app, status, *event, 1)),
            }
        }
        for (app, status, event, count) in &counts {
            self.metrics.messages(app.as_str(), status, *count);
            if *event {
                self.metrics.events(app.as_str(), status, *count);
            }
        }
        if !added.rows.is_empty() {
            self.news.send_modify(|count| *count += 1);
        }
        if added.typing {
            self.typing_wanted.store(true, Ordering::Release);
        }
        if let Some(due) = added.first_due {
            self.outbox_bell.ring_for(due);
        }
        self.rows_since_checkpoint += added.rows.len().max(pages);
        if self.rows_since_checkpoint >= ROWS_BETWEEN_CHECKPOINTS {
            self.rows_since_checkpoint = 0;
            let _ = self.wal_grows.try_send(()); // full: it knows already
        }
    }
}

/// Begins a transaction and runs its first part; if that fails, nothing is left of either.
fn begin<T>(
    db: &rusqlite::Connection,
    patience: Duration,
    part: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    db.busy_timeout(patience)?;
    db.prepare_cached("begin immediate")?.execute([])?;
    part().inspect_err(|_| {
        // Some faults end the transaction by themselves.
        if !db.is_autocommit() {
            let _ = db.execute_batch("rollback");
        }
    })
}

/// Runs a part of a transaction; if that fails, nothing is left of it.
fn in_savepoint<T>(
    db: &rusqlite::Connection,
    part: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    db.execute_batch("savepoint one")?;
    let done = part();
    db.execute_batch(if done.is_ok() { RELEASE } else { TAKE_BACK })?;
    done
}

const RELEASE: &str = "release one";
const TAKE_BACK: &str = "rollback to one; release one";

/// The same for a job that needs the driver; it is told why it failed.
async fn one_job(conn: &mut SqliteConnection, job: &mut dyn Job) -> Result<(), StoreError> {
    sqlx::query("savepoint one").execute(&mut *conn).await?;
    match job.run(conn).await {
        Ok(()) => {
            sqlx::query(RELEASE).execute(conn).await?;
        }
        Err(error) if error.is_everyones() => return Err(error),
        Err(error) => {
            sqlx::query(TAKE_BACK).execute(conn).await?;
            job.fail(error);
        }
    }
    Ok(())
}

async fn close(connection: WritingConnection) {
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "closing the database failed");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use futures_util::future::join_all;

    use crate::message::Outcome;
    use crate::store::log::{Filter, Order};
    use crate::store::testing::{Bench, answering, at, inbound, settlement};
    use crate::store::{RecordError, StoreError};

    #[tokio::test]
    async fn what_cannot_be_written_harms_only_itself() {
        let bench = Bench::new().await;
        bench.receive(0, "oAlice", &["first"]).await;
        let claimed = bench.claim(0).await;
        // A reply's row is there already, though its message is not.
        let orphan = inbound(3, "oBob").id.reply(1);
        sqlx::query(
            "insert into messages (id, app, openid, direction, time, msg_type, fields, status, due, queued_at, turn) \
             values ($1, 'shop', 'oBob', 'out', 0, 'text', '{}', 'sent', 0, 0, 0)",
        )
        .bind(orphan.as_i64())
        .execute(&mut bench.raw().await)
        .await
        .expect("written");

        let pushes = join_all((1..6).map(|n| bench.record(inbound(n, "oBob"), answering(&["x"]))));
        let settled = bench
            .store
            .settle(vec![settlement(&claimed[0], Outcome::Sent)], Duration::ZERO);
        let (outcomes, settled) = tokio::join!(pushes, settled);
        settled.expect("settled");
        for (n, outcome) in (1..).zip(outcomes) {
            match outcome {
                Ok(recorded) => assert!(n != 3 && !recorded.duplicate),
                Err(error) => assert!(
                    n == 3 && error.to_string().contains("UNIQUE constraint"),
                    "{n}: {error}"
                ),
            }
        }
        assert_eq!(bench.entry(claimed[0].id).await.status, "sent");
        assert_eq!(
            bench.store.entry(inbound(3, "oBob").id).await.expect("read"),
            None,
            "nothing half-written"
        );
        let contact = bench
            .store
            .contact(&"shop".into(), &"oBob".into())
            .await
            .expect("read")
            .0;
        assert_eq!(contact.misses, 4);
        assert_eq!(bench.store.queued().await.expect("read"), 4);
    }

    #[tokio::test]
    async fn a_write_that_fails_harms_no_message_that_shares_its_commit() {
        let bench = Bench::new().await;
        bench.receive(0, "oAlice", &["x"]).await;
        let mut raw = bench.raw().await;
        for direct in [true, false] {
            sqlx::query("begin immediate")
                .execute(&mut raw)
                .await
                .expect("locked");
            let fails = async {
                if direct {
                    let write = bench.store.write_directly(1, |db| {
                        db.execute("delete from messages", [])?;
                        db.execute("insert into nowhere values (1)", [])?;
                        Ok(())
                    });
                    write.await
                } else {
                    let write = bench.store.write(|conn| {
                        Box::pin(async move {
                            sqlx::query("delete from messages").execute(&mut *conn).await?;
                            sqlx::query("insert into nowhere values (1)")
                                .execute(conn)
                                .await?;
                            Ok(())
                        })
                    });
                    write.await
                }
            };
            let first = if direct { 1 } else { 11 };
            let pushes =
                join_all((first..first + 10).map(|n| bench.record(inbound(n, "oBob"), answering(&["x"]))));
            let unlock = async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                sqlx::query("rollback").execute(&mut raw).await.expect("unlocked");
            };
            let (pushes, failed, ()) = tokio::join!(pushes, fails, unlock);
            assert!(pushes.iter().all(Result::is_ok), "{pushes:?}");
            let error = failed.expect_err("no such table").to_string();
            assert!(error.contains("no such table: nowhere"), "{error}");
        }
        assert_eq!(bench.store.queued().await.expect("read"), 21);
        assert_eq!(bench.claim(0).await.len(), 2, "one for each user");
    }

    #[tokio::test]
    async fn a_locked_database_is_an_error_within_the_pushes_patience_and_not_for_ever() {
        let bench = Bench::new().await;
        bench.receive(1, "oAlice", &["x"]).await;
        let mut raw = bench.raw().await;
        sqlx::query("begin immediate")
            .execute(&mut raw)
            .await
            .expect("locked");
        let begun = std::time::Instant::now();
        let (one, two, claim) = tokio::join!(
            bench.record(inbound(2, "oAlice"), answering(&["x"])),
            bench.record(inbound(3, "oBob"), answering(&["x"])),
            bench.store.claim(at(0), 1, 0, Duration::from_secs(9)),
        );
        assert!(begun.elapsed() < Duration::from_millis(4_300));
        for error in [
            one.expect_err("locked").to_string(),
            two.expect_err("locked").to_string(),
        ] {
            assert!(error.contains("database is locked"), "{error}");
        }
        assert!(claim.is_err());

        sqlx::query("rollback").execute(&mut raw).await.expect("unlocked");
        assert!(!bench.receive(2, "oAlice", &["x"]).await.duplicate);
        assert_eq!(bench.claim(0).await.len(), 1);
        let rows = bench
            .store
            .entries(&Filter::default(), Order::OldestFirst)
            .await
            .expect("read");
        assert_eq!(rows.len(), 4);
    }

    #[tokio::test]
    async fn a_database_that_comes_back_is_opened_again() {
        let bench = Bench::new().await;
        bench.receive(1, "oAlice", &["x"]).await;
        // The connection breaks: its header is no database any more.
        let file = bench.dir.path().join("t.db");
        let mut raw = bench.raw().await;
        sqlx::query("pragma wal_checkpoint(truncate)")
            .execute(&mut raw)
            .await
            .expect("copied");
        drop(raw);
        let whole = std::fs::read(&file).expect("read");
        write_in_place(&file, &vec![0x55; whole.len()]);
        let error = bench
            .record(inbound(2, "oAlice"), answering(&["x"]))
            .await
            .expect_err("no database");
        assert!(
            matches!(&error, RecordError::Store(StoreError::Direct(_))),
            "{error}"
        );
        write_in_place(&file, &whole);
        bench.receive(2, "oAlice", &["x"]).await;
        assert_eq!(bench.store.queued().await.expect("read"), 2);
    }

    fn write_in_place(file: &Path, bytes: &[u8]) {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().write(true).open(file).expect("opens");
        file.write_all(bytes).expect("written");
    }
}
