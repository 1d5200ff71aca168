//! Opening: the address, pragmas, migrations, the writer and its readers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::commit::Writer;
use super::index::{Index, Indexer};
use super::journal::{self, Journal};
use super::requests::{Request, Requests, WAITING};
use super::turn::Turns;
use super::{OpenError, OutboxBell, StoreError, checkpoint};
use crate::clock::{Clock, SharedClock};
use crate::metrics::Metrics;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

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
            Access::Daemon => migrate(&path, &options).await?,
            Access::Command => compare(&path, &options).await?,
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

/// Makes the database if need be, and brings its tables up to date.
async fn migrate(path: &Path, options: &SqliteConnectOptions) -> Result<(), OpenError> {
    let fault = |what: &str, error: &dyn std::fmt::Display| {
        OpenError(format!("the database {} {what}: {error}", path.display()))
    };
    create(path).map_err(|error| fault("can't be made", &error))?;
    let options = options
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        // Closing flushes all at once; a migration that is lost with the power is done again.
        .synchronous(SqliteSynchronous::Normal);
    let mut conn = SqliteConnection::connect_with(&options)
        .await
        .map_err(|error| fault("can't be opened", &error))?;
    MIGRATIONS.run(&mut conn).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::VersionMissing(_) | sqlx::migrate::MigrateError::VersionMismatch(_) => {
            fault(
                "was made by another version of wxreply; run that or a newer one",
                &error,
            )
        }
        error => fault("can't be brought up to date", &error),
    })?;
    conn.close()
        .await
        .map_err(|error| fault("can't be closed", &error))
}

/// Makes the file unless it is there.
pub(super) fn create(path: &Path) -> std::io::Result<()> {
    match create_private(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Makes a new, empty file that only its owner can read: it will hold customers' messages and access tokens. SQLite
/// gives its side files the same rights.
pub(super) fn create_private(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path).map(drop)
}

/// Whether a file has the very tables that these migrations make.
pub(super) async fn is_migrated(
    options: &SqliteConnectOptions,
    migrations: &Migrator,
) -> Result<bool, sqlx::Error> {
    let mut conn = SqliteConnection::connect_with(&options.clone().read_only(true)).await?;
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select version, checksum from _sqlx_migrations where success order by version")
            .fetch_all(&mut conn)
            .await?;
    conn.close().await?;
    Ok(applied
        .iter()
        .map(|(version, checksum)| (*version, &checksum[..]))
        .eq(migrations.iter().map(|own| (own.version, &own.checksum[..]))))
}

/// Sees to it that a command and the daemon mean the same tables.
async fn compare(path: &Path, options: &SqliteConnectOptions) -> Result<(), OpenError> {
    let path = path.display();
    if !matches!(std::fs::metadata(options.get_filename()), Ok(file) if file.is_file()) {
        return Err(OpenError(format!(
            "there is no database at {path}; `wxreply serve` makes it when it first starts"
        )));
    }
    let same = is_migrated(options, &MIGRATIONS).await.map_err(|error| {
        OpenError(format!(
            "the database {path} can't be read; is it wxreply's? ({error})"
        ))
    })?;
    if same {
        Ok(())
    } else {
        Err(OpenError(format!(
            "the database {path} belongs to another version of wxreply than this one ({}); run the same version as \
             the daemon, or restart the daemon with this one",
            env!("CARGO_PKG_VERSION")
        )))
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection, Executor, Row, SqliteConnection};

    use super::super::queue::unsent;
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

    #[test]
    fn every_migration_is_compiled_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|file| file.expect("readable").path())
            .map(|path| {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                (name, std::fs::read_to_string(path).expect("readable"))
            })
            .collect();
        files.sort();
        let compiled: Vec<(String, String)> = MIGRATIONS
            .iter()
            .map(|own| {
                let name = format!("{:04}_{}.sql", own.version, own.description.replace(' ', "_"));
                (name, own.sql.as_str().to_owned())
            })
            .collect();
        assert_eq!(files, compiled);
    }

    #[tokio::test]
    async fn the_database_is_safe_against_a_power_cut_and_strict() {
        let bench = Bench::new().await;
        bench.receive(1, "oAlice", &["x"]).await;
        let mut raw = bench.raw().await;
        let mode: String = sqlx::query_scalar("pragma journal_mode")
            .fetch_one(&mut raw)
            .await
            .expect("read");
        assert_eq!(mode, "wal");
        let loose: Vec<String> = sqlx::query_scalar(
            "select name from pragma_table_list where type = 'table' and schema = 'main' and strict = 0 \
             and name not like 'sqlite_%' and name <> '_sqlx_migrations'",
        )
        .fetch_all(&mut raw)
        .await
        .expect("read");
        assert_eq!(loose, Vec::<String>::new());
        let wrong = sqlx::query("update messages set status = 'sent' where direction = 'in'")
            .execute(&mut raw)
            .await;
        assert!(wrong.is_err(), "an inbound row can't be `sent`");
    }

    #[tokio::test]
    async fn conditions_in_other_words_hold_for_the_rows_that_are_there_and_for_new_ones() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("t.db").display());
        let mut conn = SqliteConnection::connect(&url).await.expect("opens");
        let row = |id: i64, direction: &str, status: &str| {
            AssertSqlSafe(format!(
                "insert into messages (id, app, openid, direction, time, msg_type, fields, status, dedup_key, due, queued_at, turn) \
                 values ({id}, 'shop', 'oAnn', '{direction}', 7, 'text', '{{}}', '{status}', 'k', 1, 1, 1)"
            ))
        };
        let (before, after): (Vec<_>, Vec<_>) = MIGRATIONS.iter().partition(|own| own.version < 8);
        for migration in before {
            sqlx::raw_sql(migration.sql.clone())
                .execute(&mut conn)
                .await
                .expect("migrates");
        }
        for (id, status) in [(2, "failed"), (3, "sent"), (4, "dropped"), (5, "uncertain")] {
            conn.execute(row(id, "out", status)).await.expect("inserted");
        }
        let mut transaction = conn.begin().await.expect("begun");
        for migration in after {
            let done = sqlx::raw_sql(migration.sql.clone())
                .execute(&mut *transaction)
                .await;
            done.expect("migrates");
        }
        transaction.commit().await.expect("committed");

        let sound: String = sqlx::query_scalar("pragma integrity_check")
            .fetch_one(&mut conn)
            .await
            .expect("read");
        assert_eq!(sound, "ok");
        let listed: Vec<i64> = sqlx::query_scalar(concat!(
            "select id from messages where ",
            unsent!(),
            " order by id"
        ))
        .fetch_all(&mut conn)
        .await
        .expect("read");
        assert_eq!(listed, [2, 4, 5]);
        let statuses = [
            ("in", ["matched", "unmatched", "cooldown", "muted", "malformed"]),
            ("out", ["queued", "sent", "failed", "dropped", "uncertain"]),
        ];
        let mut id = 10;
        for (direction, fit) in statuses {
            for status in statuses
                .iter()
                .flat_map(|(_, statuses)| statuses)
                .chain(&["nonsense"])
            {
                id += 1;
                let inserted = conn.execute(row(id, direction, status)).await;
                assert_eq!(inserted.is_ok(), fit.contains(status), "{direction} {status}");
            }
        }
        for direction in ["IN", "sideways", ""] {
            assert!(
                conn.execute(row(1, direction, "matched")).await.is_err(),
                "{direction}"
            );
        }
        for (direction, needed) in [("in", &["dedup_key"][..]), ("out", &["due", "queued_at", "turn"])] {
            for column in ["dedup_key", "due", "queued_at", "turn"] {
                let emptied =
                    format!("update or fail messages set {column} = null where direction = '{direction}'");
                let emptied = conn.execute(AssertSqlSafe(emptied)).await;
                assert_eq!(emptied.is_err(), needed.contains(&column), "{direction} {column}");
            }
        }
        let schema: String = sqlx::query_scalar("select sql from sqlite_schema where name = 'messages'")
            .fetch_one(&mut conn)
            .await
            .expect("read");
        assert!(!schema.contains("case") && !schema.contains(" in ("), "{schema}");
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
    async fn another_versions_database_is_refused() {
        let bench = Bench::new().await;
        let mut raw = bench.raw().await;
        sqlx::query(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
             values (9999, 'of the future', true, x'00', 0)",
        )
        .execute(&mut raw)
        .await
        .expect("written");
        let error = open(&bench.url(), Access::Command).await.expect_err("newer");
        assert!(error.contains("belongs to another version of wxreply"), "{error}");
        let error = open(&bench.url(), Access::Daemon).await.expect_err("newer");
        assert!(
            error.contains("was made by another version of wxreply"),
            "{error}"
        );
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
