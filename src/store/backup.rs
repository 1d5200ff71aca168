//! A copy of the database while the daemon works.
//!
//! SQLite writes it out whole and compact (`vacuum into`), as of one moment. The writer goes on meanwhile; what it
//! writes stays in the WAL until the copy is done.

use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::Store;
use super::open::create_private;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is there already; a backup is never written over.
    #[error("{0} is there already, and a backup is never written over; name another file")]
    Exists(PathBuf),
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
    /// Until it is whole, it is called `path` and `.partial`; what goes wrong leaves neither.
    pub async fn backup(&self, path: &Path) -> Result<u64, BackupError> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        // Both names are taken before anything is written, so that nobody else's file is.
        claim(path)?;
        let copied = match claim(&partial) {
            Ok(()) => {
                let copied = self.copy(path, &partial).await;
                if copied.is_err() {
                    let _ = std::fs::remove_file(&partial); // whatever is left of it
                }
                copied
            }
            Err(error) => Err(error),
        };
        if copied.is_err() {
            let _ = std::fs::remove_file(path); // it is empty, and ours
        }
        copied
    }

    async fn copy(&self, path: &Path, partial: &Path) -> Result<u64, BackupError> {
        let file = |error| BackupError::File {
            path: path.to_owned(),
            error,
        };
        // A connection of its own: it reads for long.
        let mut conn = SqliteConnection::connect_with(&self.options().read_only(true)).await?;
        let copied = sqlx::query("vacuum into $1")
            .bind(partial.to_string_lossy().into_owned())
            .execute(&mut conn)
            .await;
        conn.close().await?;
        copied?;
        check(partial).await?;
        let whole = partial.to_owned();
        let synced = tokio::task::spawn_blocking(move || {
            let file = std::fs::File::open(&whole)?;
            file.sync_all()?;
            Ok(file.metadata()?.len())
        });
        let size = synced
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .map_err(file)?;
        std::fs::rename(partial, path).map_err(file)?;
        Ok(size)
    }
}

fn claim(path: &Path) -> Result<(), BackupError> {
    create_private(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => BackupError::Exists(path.to_owned()),
        _ => BackupError::File {
            path: path.to_owned(),
            error,
        },
    })
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
        assert_eq!(files(&bench), ["mine", "new.partial"]);
    }
}
