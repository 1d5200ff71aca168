//! A copy of the database while the daemon works.
//!
//! SQLite writes it out whole and compact (`vacuum into`), as of one moment. The writer goes on meanwhile; what it
//! writes stays in the WAL until the copy is done.

use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tokio_util::sync::CancellationToken;

use super::Store;
use super::migrate::{create, create_private};

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is there already; a backup is never written over.
    #[error("{0} is there already, and a backup is never written over; name another file")]
    Exists(PathBuf),
    /// Somebody is writing it just now.
    #[error("a backup is being written to {0}; wait until it is done")]
    Running(PathBuf),
    /// The file can't be made.
    #[error("{path} can't be written: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The database failed, or the disk is full.
    #[error("the copy failed: {0}")]
    Copy(#[from] sqlx::Error),
    /// The copy is damaged, which means that the database is.
    #[error("the copy is damaged, and so the database may be: {0}")]
    Damaged(String),
}

impl Store {
    /// Copies the database into a new file that only its owner can read, checks the copy, and gives its size in bytes.
    /// Until it is whole it is called `path` and `.partial`; what goes wrong leaves neither, and what a process that died has
    /// left is taken over.
    pub async fn backup(&self, path: &Path) -> Result<u64, BackupError> {
        if path.symlink_metadata().is_ok() {
            return Err(BackupError::Exists(path.to_owned()));
        }
        let partial = Partial::claim(with_partial(path))?;
        let (partial, size) = self.copy(partial).await?;
        partial.keep_as(path)?;
        Ok(size)
    }

    /// The same for who reads the copy at once: it lies beside the database, and has no name any more.
    pub async fn nameless_backup(&self) -> Result<File, BackupError> {
        let options = self.options();
        let mut path = options.get_filename().as_os_str().to_owned();
        path.push(".backup");
        let partial = Partial::claim(with_partial(Path::new(&path)))?;
        let (partial, _) = self.copy(partial).await?;
        File::open(&partial.path).map_err(|error| fault(&partial.path, error))
    }

    /// Copies in a task of its own, for SQLite can't be left alone with a file whose name is to go: when nobody waits for it
    /// any more, it is told to stop, and then the file goes.
    async fn copy(&self, partial: Partial) -> Result<(Partial, u64), BackupError> {
        let options = self.options().read_only(true);
        let unwanted = CancellationToken::new();
        let _unwanted_when_dropped = unwanted.clone().drop_guard();
        let task = tokio::spawn(async move {
            let size = copy(&options, &partial.path, unwanted).await?;
            Ok((partial, size))
        });
        task.await
            .unwrap_or_else(|error| Err(sqlx::Error::Io(std::io::Error::other(error)).into()))
    }
}

/// Steps of SQLite between two looks at whether to go on: some milliseconds.
const STEPS: i32 = 100_000;

async fn copy(
    options: &SqliteConnectOptions,
    path: &Path,
    unwanted: CancellationToken,
) -> Result<u64, BackupError> {
    // A connection of its own: it reads for long.
    let mut conn = SqliteConnection::connect_with(options).await?;
    conn.lock_handle()
        .await?
        .set_progress_handler(STEPS, move || !unwanted.is_cancelled());
    let copied = sqlx::query("vacuum into $1")
        .bind(path.to_string_lossy().into_owned())
        .execute(&mut conn)
        .await;
    conn.close().await?;
    copied?;
    check(path).await?;
    let whole = path.to_owned();
    let synced = tokio::task::spawn_blocking(move || {
        let file = File::open(&whole)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    });
    synced
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|error| fault(path, error))
}

fn with_partial(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    partial.into()
}

fn fault(path: &Path, error: std::io::Error) -> BackupError {
    let path = path.to_owned();
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => BackupError::Exists(path),
        _ => BackupError::File { path, error },
    }
}

/// A copy that is not whole yet. Its name goes with it, also when whoever makes it is dropped.
struct Partial {
    path: PathBuf,
    /// Locked, so that others know that somebody still works on it.
    _file: File,
}

impl Partial {
    fn claim(path: PathBuf) -> Result<Self, BackupError> {
        let fault = |error| fault(&path, error);
        create(&path).map_err(fault)?;
        let mut file = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(fault)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Running(path)),
            Err(TryLockError::Error(error)) => return Err(fault(error)),
        }
        if !path.exists() {
            // Whoever had it has just finished.
            return Err(BackupError::Running(path));
        }
        if !is_left_over(&mut file).map_err(fault)? {
            return Err(BackupError::Exists(path));
        }
        file.set_len(0).map_err(fault)?;
        remove_journal(&path);
        Ok(Self { path, _file: file })
    }

    /// Gives it its name, unless that is taken.
    fn keep_as(&self, path: &Path) -> Result<(), BackupError> {
        match std::fs::hard_link(&self.path, path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(fault(path, error)),
            // There are file systems without links.
            Err(_) => {
                create_private(path).map_err(|error| fault(path, error))?;
                std::fs::rename(&self.path, path).map_err(|error| {
                    let _ = std::fs::remove_file(path); // it is empty, and ours
                    fault(path, error)
                })
            }
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path); // not there any more where it was renamed
        remove_journal(&self.path);
    }
}

/// SQLite removes its journal itself, unless it was stopped.
fn remove_journal(path: &Path) {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    let _ = std::fs::remove_file(journal); // there is none
}

/// Whether a file is the beginning of a copy and not somebody's own: nothing, a database, or one whose first page is yet
/// to be written.
fn is_left_over(file: &mut File) -> std::io::Result<bool> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let mut begin = Vec::with_capacity(MAGIC.len());
    file.take(MAGIC.len() as u64).read_to_end(&mut begin)?;
    Ok(begin == MAGIC || begin.iter().all(|byte| *byte == 0))
}

async fn check(path: &Path) -> Result<(), BackupError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut conn = SqliteConnection::connect_with(&options).await?;
    let found: Vec<String> = sqlx::query_scalar("pragma quick_check")
        .fetch_all(&mut conn)
        .await?;
    conn.close().await?;
    match found.as_slice() {
        [ok] if ok == "ok" => Ok(()),
        found => Err(BackupError::Damaged(found.join("; "))),
    }
}

#[cfg(test)]
mod tests {
    use crate::store::testing::Bench;
    use crate::store::{Access, Filter, Order};

    fn files(bench: &Bench) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(bench.dir.path())
            .expect("a folder")
            .map(|file| file.expect("readable").file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with("t.db") && !name.starts_with("t.index.db"))
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_backup_is_a_whole_database_of_its_moment() {
        let bench = Bench::new().await;
        for n in 0..50 {
            bench.receive(n, "oAlice", &["x"]).await;
        }
        let command = bench.open(Access::Command).await.expect("opens");
        let copy = bench.dir.path().join("it's a copy.db");
        let writing = async {
            for n in 100..120 {
                bench.receive(n, "oAlice", &["y"]).await;
            }
        };
        let (size, ()) = tokio::join!(command.backup(&copy), writing);
        let metadata = std::fs::metadata(&copy).expect("is there");
        assert_eq!(size.expect("copied"), metadata.len());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(files(&bench), ["it's a copy.db"]);
        command.close().await;
        bench.store.close().await;

        std::fs::copy(&copy, bench.dir.path().join("t.db")).expect("put back");
        let bench = bench.reopen().await;
        let entries = bench
            .store
            .entries(&Filter::default(), Order::OldestFirst)
            .await
            .expect("read");
        assert!((100..=140).contains(&entries.len()) && entries.len().is_multiple_of(2));
        bench.receive(500, "oAlice", &["z"]).await;
    }

    #[tokio::test]
    async fn nothing_is_written_over_and_nothing_is_left_behind() {
        let bench = Bench::new().await;
        bench.receive(1, "oAlice", &["x"]).await;
        let path = |name: &str| bench.dir.path().join(name);
        std::fs::write(path("mine"), "precious").expect("written");
        let error = bench.store.backup(&path("mine")).await.expect_err("refused");
        assert!(error.to_string().contains("is there already"), "{error}");
        assert_eq!(std::fs::read(path("mine")).expect("read"), b"precious");

        std::fs::write(path("new.partial"), "precious").expect("written");
        bench.store.backup(&path("new")).await.expect_err("refused");
        // What a process that died has left is nobody's.
        std::fs::write(
            path("whole.partial"),
            "SQLite format 3\0, or what there was of it",
        )
        .expect("written");
        bench.store.backup(&path("whole")).await.expect("taken over");
        std::fs::write(path("later.partial"), "").expect("written");
        let other = std::fs::File::open(path("later.partial")).expect("opens");
        other.lock().expect("locked");
        let error = bench.store.backup(&path("later")).await.expect_err("at work");
        assert!(error.to_string().contains("is being written to"), "{error}");
        drop(other);
        let broken_off = std::time::Duration::ZERO;
        let later = path("later");
        let begun = tokio::time::timeout(broken_off, bench.store.backup(&later)).await;
        assert!(begun.is_err(), "it takes longer");
        while path("later.partial").exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let nameless = bench.store.nameless_backup().await.expect("copied");
        assert!(nameless.metadata().expect("read").len() > 0);
        let error = bench
            .store
            .backup(&path("no/folder"))
            .await
            .expect_err("no folder");
        assert!(error.to_string().contains("can't be written"), "{error}");
        bench.store.close().await;
        for name in ["t.db", "t.db-wal", "t.db-shm"] {
            let _ = std::fs::remove_file(path(name));
        }
        bench.store.backup(&path("empty")).await.expect_err("no database");
        assert_eq!(files(&bench), ["mine", "new.partial", "whole"]);
    }
}
