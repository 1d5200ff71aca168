//! What is asked of the writer, and the groups that it takes it in.
//!
//! There is no timer and no fixed size: a message that comes alone is written alone; while a commit runs, the next group
//! gathers.

use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::row::to_json;
use super::{Store, StoreError};
use crate::message::{Answer, Facts, Inbound, InboundStatus, MessageId, Verdict};

/// How many requests may wait. At some 10,000 a second that is less than WeChat's patience (5 s) by far; whoever
/// comes after is told at once, and WeChat pushes again.
pub(super) const WAITING: usize = 4096;

/// The most requests in one transaction: beyond it a group hardly gets cheaper, and its first waits for its last.
const GROUP: usize = 256;

/// Judges a message inside the transaction. Must be quick, must not block; may be asked again if the transaction is.
pub type Judge = Box<dyn Fn(&Inbound, &Facts<'_>) -> Verdict + Send + Sync>;

/// A message to be recorded.
pub struct Arrival {
    /// The message.
    pub inbound: Inbound,
    /// A hash of the (timestamp, nonce) pair that its push was signed with, for [`Store::recent_nonces`].
    pub nonce: Option<i64>,
    /// Whether [`Facts::app_cooldowns`] is needed.
    pub needs_app_cooldowns: bool,
    /// What to make of it.
    pub judge: Judge,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its key in the log (not always [`Inbound::id`], if another message had that).
    pub id: MessageId,
    /// What the push is answered with: for a duplicate, what the first was answered with.
    pub answer: Answer,
    /// Whether it had been recorded before.
    pub duplicate: bool,
    /// How it was taken.
    pub status: InboundStatus,
}

/// Why a message could not be recorded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RecordError {
    /// Too many messages wait already.
    #[error("the queue to the database is full")]
    Full,
    /// A fault of ours: the judge panicked.
    #[error("judging the message failed (please report this): {0}")]
    Judge(String),
    /// The database failed, or the store is closed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Records one message and gives its answer once it is durable. Dropping the future does not take the message
    /// back.
    pub async fn record(&self, arrival: Arrival) -> Result<Recorded, RecordError> {
        let fields = to_json(&arrival.inbound.fields)?;
        let message = Box::new(Prepared { arrival, fields });
        let (answer, outcome) = oneshot::channel();
        self.requests()
            .try_send(Request::Arrival(Pending { message, answer }))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => RecordError::Full,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closed.into(),
            })?;
        match outcome.await {
            Ok((outcome, _message)) => outcome,
            Err(_) => Err(StoreError::Closed.into()),
        }
    }

    /// Runs `work` in the next group's transaction; it may run again if the transaction does.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut SqliteConnection) -> BoxFuture<'_, Result<T, StoreError>> + Send + 'static,
    {
        self.write_pages(1, work).await
    }

    /// The same for work that changes about so many pages, so that the WAL is looked after in time.
    pub(super) async fn write_pages<T, F>(&self, pages: usize, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut SqliteConnection) -> BoxFuture<'_, Result<T, StoreError>> + Send + 'static,
    {
        self.ask(pages, work, |write| Request::Write(write)).await
    }

    /// The same for work that needs no driver: it holds up nobody but by its statements.
    pub(super) async fn write_directly<T, F>(&self, pages: usize, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    {
        self.ask(pages, work, |write| Request::Direct(write)).await
    }

    /// The same for big work that pushes must not wait for: `work` does the piece of the number that it is given (0, 1, …) and
    /// says whether that was the last. Each changes about `pages`, and is in a transaction of its own, the next group's, without
    /// anybody being woken in between. Dropping the future ends it after the piece that is under way.
    pub(super) async fn write_in_pieces<F>(&self, pages: usize, work: F) -> Result<(), StoreError>
    where
        F: FnMut(&rusqlite::Connection, usize) -> Result<Piece, StoreError> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        let pieces = Pieces {
            pages,
            work,
            next: 0,
            done: Err(StoreError::Closed),
            answer,
        };
        self.send(Request::Direct(Box::new(pieces))).await?;
        outcome.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn ask<T, F>(
        &self,
        pages: usize,
        work: F,
        request: impl FnOnce(Box<Write<T, F>>) -> Request,
    ) -> Result<T, StoreError> {
        let (answer, outcome) = oneshot::channel();
        let write = Write {
            pages,
            work,
            done: None,
            answer,
        };
        self.send(request(Box::new(write))).await?;
        outcome.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn send(&self, request: Request) -> Result<(), StoreError> {
        self.requests()
            .send(request)
            .await
            .map_err(|_| StoreError::Closed)
    }
}

/// A message, and of its row what its own task can make: for what the writer does, everybody waits.
pub(super) struct Prepared {
    pub(super) arrival: Arrival,
    /// [`Inbound::fields`] as JSON.
    pub(super) fields: String,
}

/// A message that is to be written, and who waits for that.
pub(super) struct Pending {
    pub(super) message: Box<Prepared>,
    answer: oneshot::Sender<(Result<Recorded, RecordError>, Box<Prepared>)>,
}

impl Pending {
    /// Answers, and gives the message back: freed by the writer, its memory would go back to another thread's heap, under that
    /// heap's lock.
    pub(super) fn answer(self, outcome: Result<Recorded, RecordError>) {
        let _ = self.answer.send((outcome, self.message)); // a push whose sender hung up
    }
}

/// What can be asked of the writer.
pub(super) enum Request {
    Arrival(Pending),
    Write(Box<dyn Job>),
    Direct(Box<dyn DirectJob>),
}

/// Whoever waits for another write, its result's type forgotten.
pub(super) trait Waiter: Send {
    /// How many pages it changes.
    fn pages(&self) -> usize;
    fn fail(&mut self, error: StoreError);
    /// Answers with what the last run came to.
    fn answer(self: Box<Self>);
}

/// A write through the driver.
pub(super) trait Job: Waiter {
    fn run<'a>(&'a mut self, conn: &'a mut SqliteConnection) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// A write without it.
pub(super) trait DirectJob: Waiter {
    fn run(&mut self, db: &rusqlite::Connection) -> Result<(), StoreError>;
    /// What was run last is durable: whether there is more, for the next transaction.
    fn goes_on(&mut self) -> bool;
}

struct Write<T, F> {
    pages: usize,
    work: F,
    done: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: Send> Waiter for Write<T, F> {
    fn pages(&self) -> usize {
        self.pages
    }

    fn fail(&mut self, error: StoreError) {
        self.done = Some(Err(error));
    }

    fn answer(self: Box<Self>) {
        // Whoever asked may have gone; what was written stays written.
        let _ = self.answer.send(self.done.unwrap_or(Err(StoreError::Closed)));
    }
}

impl<T, F> Job for Write<T, F>
where
    T: Send,
    F: FnMut(&mut SqliteConnection) -> BoxFuture<'_, Result<T, StoreError>> + Send,
{
    fn run<'a>(&'a mut self, conn: &'a mut SqliteConnection) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.done = Some(Ok((self.work)(conn).await?));
            Ok(())
        })
    }
}

impl<T, F> DirectJob for Write<T, F>
where
    T: Send,
    F: FnMut(&rusqlite::Connection) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, db: &rusqlite::Connection) -> Result<(), StoreError> {
        self.done = Some(Ok((self.work)(db)?));
        Ok(())
    }

    fn goes_on(&mut self) -> bool {
        false
    }
}

/// What [`Store::write_in_pieces`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// More is left.
    OneOfMore,
    /// That was all.
    Last,
}

struct Pieces<F> {
    pages: usize,
    work: F,
    next: usize,
    /// What the last run came to; an error before the first.
    done: Result<Piece, StoreError>,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

impl<F: Send> Waiter for Pieces<F> {
    fn pages(&self) -> usize {
        self.pages
    }

    fn fail(&mut self, error: StoreError) {
        self.done = Err(error);
    }

    fn answer(self: Box<Self>) {
        let _ = self.answer.send(self.done.map(drop)); // as above
    }
}

impl<F> DirectJob for Pieces<F>
where
    F: FnMut(&rusqlite::Connection, usize) -> Result<Piece, StoreError> + Send,
{
    fn run(&mut self, db: &rusqlite::Connection) -> Result<(), StoreError> {
        self.done = Ok((self.work)(db, self.next)?);
        Ok(())
    }

    fn goes_on(&mut self) -> bool {
        self.next += 1;
        matches!(self.done, Ok(Piece::OneOfMore)) && !self.answer.is_closed()
    }
}

/// What one transaction works on, in this order.
#[derive(Default)]
pub(super) struct Group {
    pub(super) arrivals: Vec<Pending>,
    pub(super) direct: Vec<Box<dyn DirectJob>>,
    pub(super) jobs: Vec<Box<dyn Job>>,
    /// Those that the jobs of both kinds change.
    pub(super) pages: usize,
}

impl Group {
    fn add(&mut self, request: Request) {
        match request {
            Request::Arrival(pending) => self.arrivals.push(pending),
            Request::Write(job) => {
                self.pages += job.pages();
                self.jobs.push(job);
            }
            Request::Direct(job) => {
                self.pages += job.pages();
                self.direct.push(job);
            }
        }
    }

    pub(super) fn size(&self) -> usize {
        self.arrivals.len() + self.direct.len() + self.jobs.len()
    }

    /// Whether it has others than messages.
    pub(super) fn has_jobs(&self) -> bool {
        self.direct.len() + self.jobs.len() > 0
    }
}

/// Where groups come from: whatever has been asked for when the next one is taken.
pub(super) struct Requests {
    pub(super) waiting: mpsc::Receiver<Request>,
    pub(super) closing: CancellationToken,
    /// Of jobs in pieces, those that have some left.
    pub(super) unfinished: Vec<Box<dyn DirectJob>>,
}

impl Requests {
    /// None when all [`Store`]s are gone, or `closing` and all is taken that was handed in.
    pub(super) async fn next(&mut self) -> Option<Group> {
        let mut taken = Vec::with_capacity(GROUP);
        loop {
            tokio::select! {
                biased;
                () = self.closing.cancelled(), if !self.waiting.is_closed() => self.waiting.close(),
                count = self.waiting.recv_many(&mut taken, GROUP) => {
                    if count == 0 {
                        return None;
                    }
                    break;
                }
                () = std::future::ready(()), if !self.unfinished.is_empty() => break,
            }
        }
        let mut group = Group::default();
        let unfinished = self.unfinished.drain(..).map(Request::Direct);
        taken
            .into_iter()
            .chain(unfinished)
            .for_each(|request| group.add(request));
        Some(group)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::Piece;
    use crate::store::RecordError;
    use crate::store::testing::{Bench, answering, arrival, inbound};

    #[tokio::test]
    async fn a_full_queue_is_told_at_once() {
        let bench = Bench::new().await;
        let mut raw = bench.raw().await;
        sqlx::query("begin immediate")
            .execute(&mut raw)
            .await
            .expect("locked");
        let too_many = (0..super::WAITING as u64 + 1000).map(|n| {
            let store = bench.store.clone();
            tokio::spawn(async move { store.record(arrival(inbound(n, "oAlice"), answering(&[]))).await })
        });
        let pushes: Vec<_> = too_many.collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let told = pushes.iter().filter(|push| push.is_finished()).count();
        sqlx::query("rollback").execute(&mut raw).await.expect("unlocked");
        let outcomes = join_all(pushes)
            .await
            .into_iter()
            .map(|joined| joined.expect("no panic"));
        let full = outcomes
            .filter(|outcome| matches!(outcome, Err(RecordError::Full)))
            .count();
        assert!((1000 - super::GROUP..=1000).contains(&full), "{full}");
        assert_eq!(told, full);
    }

    #[tokio::test]
    async fn whoever_stops_waiting_loses_nothing() {
        let bench = Bench::new().await;
        let push = bench.record(inbound(1, "oAlice"), answering(&["x"]));
        assert!(tokio::time::timeout(Duration::ZERO, push).await.is_err());
        assert!(bench.receive(1, "oAlice", &["x"]).await.duplicate);
    }

    #[tokio::test]
    async fn pieces_are_done_in_their_order_and_once_whatever_else_is_asked() {
        let bench = Bench::new().await;
        let mut raw = bench.raw().await;
        sqlx::query("create table pieces (n integer primary key)")
            .execute(&mut raw)
            .await
            .expect("made");
        let pieces = bench.store.write_in_pieces(1, |db, piece| {
            db.execute("insert into pieces values (?1)", [piece as i64])?;
            Ok(if piece < 99 { Piece::OneOfMore } else { Piece::Last })
        });
        let pushes = async {
            for n in 1..20 {
                // A group that is spoilt is tried again, one by one.
                let spoil = bench.store.write_directly(1, |db| {
                    db.execute("insert into nowhere values (1)", [])?;
                    Ok(())
                });
                let (spoilt, recorded) =
                    tokio::join!(spoil, bench.record(inbound(n, "oAlice"), answering(&["x"])));
                assert!(spoilt.is_err());
                recorded.expect("recorded");
            }
        };
        let (done, ()) = tokio::join!(pieces, pushes);
        done.expect("done");
        let seen: (i64, i64, i64) = sqlx::query_as("select count(*), min(n), max(n) from pieces")
            .fetch_one(&mut raw)
            .await
            .expect("read");
        assert_eq!(seen, (100, 0, 99));
        assert_eq!(bench.store.queued().await.expect("read"), 19);
    }

    #[tokio::test]
    async fn a_piece_that_fails_is_the_last() {
        let bench = Bench::new().await;
        let runs = Arc::new(AtomicUsize::new(0));
        let count = runs.clone();
        let done = bench.store.write_in_pieces(1, move |db, piece| {
            if piece == 3 {
                db.execute("insert into nowhere values (1)", [])?;
            }
            count.fetch_add(1, Ordering::SeqCst);
            Ok(Piece::OneOfMore)
        });
        let error = done.await.expect_err("no such table").to_string();
        assert!(error.contains("no such table: nowhere"), "{error}");
        bench.receive(1, "oAlice", &["x"]).await;
        assert_eq!(runs.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn pieces_hold_up_nobody_and_end_with_whoever_wanted_them() {
        let bench = Bench::new().await;
        let runs = Arc::new(AtomicUsize::new(0));
        let (count, store) = (runs.clone(), bench.store.clone());
        let endless = tokio::spawn(async move {
            let piece = move |_: &rusqlite::Connection, _| {
                count.fetch_add(1, Ordering::SeqCst);
                Ok(Piece::OneOfMore)
            };
            store.write_in_pieces(1, piece).await
        });
        // More than tokio lets a task take from its queues in one go.
        for n in 1..300 {
            let push = bench.receive(n, "oAlice", &["x"]);
            let answered = tokio::time::timeout(Duration::from_secs(4), push).await;
            answered.expect("no push waits for the end of the pieces");
        }
        let before = runs.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(runs.load(Ordering::SeqCst) > before, "they go on");
        endless.abort();
        let _ = endless.await; // it was aborted
        bench.receive(300, "oAlice", &["x"]).await;
        let ended = runs.load(Ordering::SeqCst);
        bench.receive(301, "oAlice", &["x"]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(runs.load(Ordering::SeqCst), ended);
    }
}
