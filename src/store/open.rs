//! Opening: the address, pragmas, the writer and its readers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::commit::Writer;
use super::index::{Index, Indexer};
use super::journal::{self, Journal};
use super::requests::{Request, Requests, WAITING};
use super::turn::Turns;
use super::{OpenError, OutboxBell, StoreError, checkpoint, migrate};
use crate::clock::{Clock, SharedClock};
use crate::metrics::Metrics;

/// How long the writer waits for a lock that another process holds: a push must have its answer within 4.3 s.
pub(super) const WRITER_PATIENCE: Duration = Duration::from_secs(3);
const READER_PATIENCE: Duration = Duration::from_secs(5);
const READERS: u32 = 4;
/// Of the daemon's own readers.
const OWN_READERS: u32 = 2;

/// The database, as all rooms see it. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

pub(super) struct Inner {
    requests: mpsc::Sender<Request>,
    readers: SqlitePool,
    /// For what the daemon can't work without: it never waits behind what people ask.
    own_readers: SqlitePool,
    /// Why the writer's last commit failed, if it did.
    fault: watch::Receiver<Option<StoreError>>,
    index: Arc<Index>,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    outbox_bell: Arc<OutboxBell>,
    typing_wanted: Arc<AtomicBool>,
    news: watch::Sender<u64>,
    turns: Turns,
    journal: Journal,
    options: SqliteConnectOptions,
    /// Ends what only reads the database.
    reading: CancellationToken,
    reading_tasks: TaskTracker,
    closing: CancellationToken,
    tasks: TaskTracker,
}

/// What the caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The daemon: migrates, owns the group commit, and keeps the index.
    Daemon,
    /// A command beside the daemon: reads, and writes little (resend). Fails when there is no database yet.
    Command,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens `sqlite://path` (relative to the working directory; the caller resolves it). Must be called within a
    /// tokio runtime.
    pub async fn open(
        url: &str,
        access: Access,
        clock: SharedClock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let path = path(url)?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(false)
            .foreign_keys(true)
            .busy_timeout(READER_PATIENCE);
        let writing = options
            .clone()
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(WRITER_PATIENCE)
            // What is erased is overwritten, not just let go of. Always, for a row leaves traces whenever it is moved.
            .pragma("secure_delete", "on")
            // Not in a file, what takes back a statement that fails: every page of it is copied there before it is changed.
            .pragma("temp_store", "memory")
            .pragma("wal_autocheckpoint", checkpoint::WRITER_PAGES);
        match access {
            Access::Daemon => migrate::migrate(&path, &options).await?,
            Access::Command => migrate::compare(&path, &options).await?,
        }

        let tasks = TaskTracker::new();
        let closing = CancellationToken::new();
        let outbox_bell = Arc::new(OutboxBell::default());
        // Some may have been written before a restart.
        let typing_wanted = Arc::new(AtomicBool::new(true));
        let (requests, waiting) = mpsc::channel(WAITING);
        let (wal_grows, wal_grown) = mpsc::channel(1);
        let news = watch::Sender::new(0);
        let (told_fault, fault) = watch::channel(None);
        let turns = Turns::default();
        let journal = Journal::of(access);
        let writer = Writer {
            options: writing,
            clock: Arc::clone(&clock),
            metrics: Arc::clone(&metrics),
            outbox_bell: Arc::clone(&outbox_bell),
            typing_wanted: Arc::clone(&typing_wanted),
            news: news.clone(),
            fault: told_fault,
            wal_grows,
            connection: None,
            turns: turns.clone(),
            journal: journal.clone(),
            rows_since_checkpoint: 0,
        };
        let asked = Requests {
            waiting,
            closing: closing.clone(),
            unfinished: Vec::new(),
        };
        writer
            .run(asked, tasks.token())
            .map_err(|error| OpenError(format!("can't start the thread that writes: {error}")))?;
        if access == Access::Daemon {
            tasks.spawn(checkpoint::run(options.clone(), wal_grown));
        }
        let index = Arc::new(Index::of(&path, access));
        let (reading, reading_tasks) = (CancellationToken::new(), TaskTracker::new());
        match access {
            Access::Daemon => {
                index.prepare().await;
                let indexer = Indexer {
                    index: Arc::clone(&index),
                    log: options.clone(),
                    clock: Arc::clone(&clock),
                    metrics: Arc::clone(&metrics),
                };
                reading_tasks.spawn(indexer.run(reading.clone()));
            }
            Access::Command => index.read().await,
        }
        reading_tasks.close();
        let readers = |most| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .acquire_timeout(READER_PATIENCE)
                .connect_lazy_with(options.clone().read_only(true))
        };
        let inner = Arc::new(Inner {
            requests,
            readers: readers(READERS),
            own_readers: readers(OWN_READERS),
            fault,
            clock,
            metrics,
            outbox_bell,
            typing_wanted,
            news,
            turns,
            journal: journal.clone(),
            options,
            index,
            reading,
            reading_tasks,
            closing: closing.clone(),
            tasks: tasks.clone(),
        });
        if access == Access::Daemon {
            tasks.spawn(journal::run(journal, Arc::downgrade(&inner), closing));
        }
        tasks.close();
        Ok(Self(inner))
    }

    pub(super) fn of(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    /// Finishes what was handed in, then closes. Later calls fail with [`StoreError::Closed`].
    pub async fn close(&self) {
        // Readers first: only a connection that may write can fold the WAL into the database when it goes last.
        self.0.index.close_readers().await;
        self.0.reading.cancel();
        self.0.reading_tasks.wait().await;
        self.0.readers.close().await;
        self.0.own_readers.close().await;
        self.0.closing.cancel();
        self.0.tasks.wait().await;
    }

    /// Rings when a commit has written replies that are due before [`Store::next_due`] said.
    #[must_use]
    pub fn outbox_bell(&self) -> Arc<OutboxBell> {
        Arc::clone(&self.0.outbox_bell)
    }

    /// Counts up whenever a commit of this process has changed the log: messages came, replies were written, settled,
    /// put back, dropped or erased. What changed, the log tells.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.0.news.subscribe()
    }

    pub(super) fn tell_news(&self) {
        self.0.news.send_modify(|count| *count += 1);
    }

    /// Whether the database answers and its writer works: what the last commit failed of is told until one succeeds.
    pub async fn ping(&self) -> Result<(), StoreError> {
        if self.0.requests.is_closed() {
            return Err(StoreError::Closed);
        }
        if let Some(fault) = &*self.0.fault.borrow() {
            return Err(fault.clone());
        }
        let mut conn = self.own_reader().await?;
        sqlx::query("select id from messages limit 1")
            .fetch_optional(&mut *conn)
            .await?;
        Ok(())
    }

    /// The same for whoever does not wait longer than `patience`; gives in words what is wrong.
    pub async fn answers_within(&self, patience: Duration) -> Result<(), String> {
        match tokio::time::timeout(patience, self.ping()).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {patience:?}")),
        }
    }

    pub(super) fn requests(&self) -> &mpsc::Sender<Request> {
        &self.0.requests
    }

    pub(super) fn typing_wanted(&self) -> &AtomicBool {
        &self.0.typing_wanted
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.0.journal
    }

    pub(super) fn turns(&self) -> Turns {
        self.0.turns.clone()
    }

    /// How to open a connection of one's own, for what would hold up others on a shared one.
    pub(super) fn options(&self) -> SqliteConnectOptions {
        self.0.options.clone()
    }

    pub(super) fn index(&self) -> &Index {
        &self.0.index
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.0.readers.acquire().await?)
    }

    /// For a few short queries that the daemon can't work without, and nothing else.
    pub(super) async fn own_reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.0.own_readers.acquire().await?)
    }
}

fn path(url: &str) -> Result<PathBuf, OpenError> {
    match url.strip_prefix("sqlite://") {
        Some(path) if !path.is_empty() && path != ":memory:" => Ok(PathBuf::from(path)),
        _ => Err(OpenError(format!(
            "`{url}` is no database that wxreply can use; write `sqlite://` and the path of a file"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;
    use crate::clock::SystemClock;
    use crate::store::log::{Filter, Order};
    use crate::store::testing::{Bench, at};

    async fn open(url: &str, access: Access) -> Result<Store, String> {
        let opened = Store::open(url, access, Arc::new(SystemClock), Arc::new(Metrics::new())).await;
        opened.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_closed_database_is_one_whole_file_and_its_index_another() {
        let bench = Bench::new().await;
        let recorded = bench.receive(1, "oAlice", &["a"]).await;
        bench.entry(recorded.id).await; // a reader is open
        bench.store.close().await;
        let files: Vec<_> = std::fs::read_dir(bench.dir.path())
            .expect("a folder")
            .map(|file| file.expect("readable").file_name())
            .collect();
        assert_eq!(files.len(), 2, "{files:?}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_can_read_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let bench = Bench::new().await;
        bench.receive(1, "oAlice", &["x"]).await;
        let files: Vec<_> = std::fs::read_dir(bench.dir.path())
            .expect("a folder")
            .flatten()
            .collect();
        assert!(
            files.len() >= 4,
            "database, WAL and its index; what is derived from them"
        );
        for file in files {
            let mode = file.metadata().expect("is there").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", file.file_name());
        }
    }

    #[tokio::test]
    async fn a_command_reads_beside_the_daemon_and_without_it() {
        let bench = Bench::new().await;
        bench.receive(1, "oAlice", &["x"]).await;
        for daemon in ["runs", "has stopped"] {
            let command = bench.open(Access::Command).await.expect("opens");
            let rows = command
                .entries(&Filter::default(), Order::NewestFirst)
                .await
                .expect("read");
            assert_eq!(rows.len(), 2, "while the daemon {daemon}");
            command.close().await;
            bench.store.close().await;
        }
    }

    #[tokio::test]
    async fn what_people_ask_does_not_hold_up_the_daemon() {
        let bench = Bench::new().await;
        let mut slow = Vec::new();
        for _ in 0..READERS {
            slow.push(bench.store.reader().await.expect("a connection"));
        }
        let asked = async {
            bench.store.ping().await?;
            bench.store.next_due().await?;
            bench.store.queued().await?;
            bench.store.token(&"shop".into()).await?;
            bench.store.media(&"shop".into(), "digest").await
        };
        let asked = tokio::time::timeout(READER_PATIENCE / 2, asked).await;
        assert_eq!(asked.expect("in time").expect("read"), None);
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_written_is_told_until_it_can() {
        let bench = Bench::new().await;
        let second = Duration::from_secs(1);
        let mut raw = bench.raw().await;
        sqlx::query("begin immediate")
            .execute(&mut raw)
            .await
            .expect("locked");
        assert_eq!(
            bench.store.answers_within(second).await,
            Ok(()),
            "nobody knows yet"
        );
        let claim = |seconds| bench.store.claim(at(seconds), 1, 0, second);
        claim(0).await.expect_err("locked");
        let told = bench.store.answers_within(second).await.expect_err("locked");
        assert!(told.contains("database is locked"), "{told}");
        sqlx::query("rollback").execute(&mut raw).await.expect("unlocked");
        let mut pages = Vec::new();
        for n in 0..3 {
            let wal = sqlx::query("pragma wal_checkpoint(noop)")
                .fetch_one(&mut raw)
                .await
                .expect("read");
            pages.push(wal.get::<i64, _>(1));
            claim(n).await.expect("works");
        }
        assert_eq!(bench.store.answers_within(second).await, Ok(()));
        // A full disk takes any commit that has nothing to write.
        assert!(
            pages[0] < pages[1],
            "the first writes something to see: {pages:?}"
        );
        assert_eq!(pages[1], pages[2], "the others have nothing to write");
    }

    #[tokio::test]
    async fn what_cannot_be_opened_is_explained() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());

        let error = open(&url("none.db"), Access::Command).await.expect_err("no file");
        assert!(
            error.starts_with("there is no database at ") && error.contains("wxreply serve"),
            "{error}"
        );
        assert!(!folder.path().join("none.db").exists());

        std::fs::write(folder.path().join("other.db"), "no database").expect("written");
        let error = open(&url("other.db"), Access::Command)
            .await
            .expect_err("another file");
        assert!(error.contains("is it wxreply's?"), "{error}");
        let error = open(&url("other.db"), Access::Daemon)
            .await
            .expect_err("another file");
        assert!(error.contains("file is not a database"), "{error}");

        let error = open(&url("no/such/folder.db"), Access::Daemon)
            .await
            .expect_err("no folder");
        assert!(
            error.contains("can't be made: No such file or directory"),
            "{error}"
        );
        for url in [
            "sqlite://",
            "sqlite://:memory:",
            "postgres://localhost/x",
            "wxreply.db",
        ] {
            let error = open(url, Access::Daemon).await.expect_err("no SQLite file");
            assert!(error.contains(url) && error.contains("sqlite://"), "{error}");
        }
    }

    #[tokio::test]
    async fn closing_finishes_what_was_handed_in_and_ends_the_rest() {
        let bench = Bench::new().await;
        let handed_in = (0..600).map(|n| bench.receive(n, "oAlice", &["x"]));
        let (recorded, ()) = tokio::join!(futures_util::future::join_all(handed_in), bench.store.close());
        assert_eq!(recorded.len(), 600);
        let closed = "the database is closed";
        assert_eq!(bench.store.ping().await.expect_err("closed").to_string(), closed);
        assert_eq!(
            bench.store.queued().await.expect_err("closed").to_string(),
            closed
        );
        assert_eq!(
            bench
                .store
                .resend_failed(None, at(0), "ann")
                .await
                .expect_err("closed")
                .to_string(),
            closed
        );
        let late = bench.record(
            crate::store::testing::inbound(1, "o"),
            crate::store::testing::answering(&[]),
        );
        assert_eq!(late.await.expect_err("closed").to_string(), closed);
        assert!(
            !bench.dir.path().join("t.db-wal").exists(),
            "all is in the database"
        );
        let bench = bench.reopen().await;
        assert_eq!(bench.store.queued().await.expect("read"), 600);
    }
}
