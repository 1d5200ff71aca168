//! The index's file: beside the database, readable by its owner alone, made again when it is not what it should be.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};

use crate::store::StoreError;
use crate::store::migrate::{create, is_migrated};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/index");

/// How long anybody waits for a lock, and a reader for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
const READERS: u32 = 4;

/// Pages in the WAL at which they are copied into the file (16 MiB).
const WAL_PAGES: &str = "4000";

/// `wxreply.db` → `wxreply.index.db`.
pub(super) fn beside(database: &Path) -> PathBuf {
    let mut name = database.file_stem().unwrap_or_default().to_owned();
    name.push(".index");
    if let Some(extension) = database.extension() {
        name.push(".");
        name.push(extension);
    }
    database.with_file_name(name)
}

pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(PATIENCE)
}

/// Connections that read; none is opened before it is needed.
pub(super) fn readers(path: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(PATIENCE)
        .connect_lazy_with(options(path).read_only(true))
}

/// A connection that writes. What a power cut takes is made again, so nothing is flushed at a commit; the file stays whole.
pub(super) async fn writer(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = options(path)
        .synchronous(SqliteSynchronous::Normal)
        // As in the log: texts leave traces whenever pages are merged, and forgetting a user must find none.
        .pragma("secure_delete", "on")
        .pragma("wal_autocheckpoint", WAL_PAGES);
    SqliteConnection::connect_with(&options).await
}

/// Whether there is a file, and it has the tables that this version means. Fails where that can't be told now.
pub(super) async fn usable(path: &Path) -> Result<bool, StoreError> {
    if !path.is_file() {
        return Ok(false);
    }
    match is_migrated(&options(path), &MIGRATIONS)
        .await
        .map_err(StoreError::from)
    {
        Err(error) if error.is_broken_file() => Ok(false),
        told => told,
    }
}

/// Makes the file, or makes it anew when it is another version's or can't be read. Says whether it is empty.
pub(super) async fn prepare(path: &Path) -> Result<bool, StoreError> {
    if usable(path).await? {
        return Ok(false);
    }
    if path.exists() {
        tracing::info!(index = %path.display(), "the index is another version's, or broken; it is made again");
    }
    remake(path).await?;
    Ok(true)
}

/// Removes the file and those that SQLite keeps beside it.
pub(super) fn remove(path: &Path) -> std::io::Result<()> {
    for side in ["", "-wal", "-shm"] {
        let mut file = OsString::from(path);
        file.push(side);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Makes an empty index in the place of whatever is there.
pub(super) async fn remake(path: &Path) -> Result<(), sqlx::Error> {
    remove(path)?;
    create(path)?;
    let options = options(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Off);
    let mut conn = SqliteConnection::connect_with(&options).await?;
    // Not `run`, of whose future the compiler can't tell that a task may hold it.
    MIGRATIONS
        .run_direct(None, &mut conn, false)
        .await
        .map_err(|error| sqlx::Error::Migrate(Box::new(error)))?;
    conn.close().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_lies_beside_its_database() {
        for (database, index) in [
            ("/var/lib/wxreply/wxreply.db", "/var/lib/wxreply/wxreply.index.db"),
            ("shop", "shop.index"),
            ("a.b.sqlite", "a.b.index.sqlite"),
        ] {
            assert_eq!(beside(Path::new(database)), Path::new(index));
        }
    }

    #[tokio::test]
    async fn what_is_no_index_is_made_again() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().join("t.index.db");
        assert!(prepare(&path).await.expect("made"), "new");
        assert!(!prepare(&path).await.expect("kept"), "as it was");
        let mut conn = writer(&path).await.expect("opens");
        sqlx::query("update _sqlx_migrations set checksum = x'00'")
            .execute(&mut conn)
            .await
            .expect("written");
        conn.close().await.expect("closed");
        assert!(!usable(&path).await.expect("read"));
        assert!(prepare(&path).await.expect("made"), "another version's");
        std::fs::write(&path, "no database").expect("written");
        assert!(prepare(&path).await.expect("made"), "something else");
        assert!(usable(&path).await.expect("read"));
    }
}
