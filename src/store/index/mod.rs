//! The index: a second file beside the database, derived from the log, for what people ask of it.
//!
//! Taking messages in writes nothing for readers: a full-text index would cost more than the message itself. A task
//! of the daemon reads the log behind a watermark and writes the index in its own time, into a file of its own, so that it
//! never holds the lock that a push needs. Rows younger than the watermark are read from the log itself. The file may
//! be deleted at any time; it is made again.

mod batch;
mod file;
mod forget;
pub(super) mod live;
mod seek;
mod shrink;
mod task;
#[cfg(test)]
mod tests;
pub(super) mod tokens;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Sqlite, SqlitePool};
use tokio::sync::Notify;

pub(super) use forget::Forgetting;
pub(super) use seek::{Candidate, Part, number_of};
pub(super) use task::Indexer;

use super::{Access, Store, StoreError};

/// How old a row is before it is taken in, in milliseconds: what appears behind the watermark later is never in the index,
/// only in the log. A row bears the time at which its push came and appears when the writer gets to it: within 4.3 s, or
/// the push is answered 500, though it is recorded all the same. So rows are missed only where the writer stood still for
/// longer than this and then went on, as with another process that holds its lock again and again.
pub(super) const SETTLED: i64 = 10_000;

pub(super) const HOUR: i64 = 3_600_000;

/// How much time one full-text table covers.
pub(super) const PART: i64 = 30 * 24 * HOUR;

/// More rows behind the watermark than these are not counted.
const COUNTED: i64 = 100_000;

/// A place in the log: time and key of a row.
pub(super) type Place = (i64, i64);

/// What stopped the indexer, and in which file: a broken log is not mended by a new index.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("reading the log: {0}")]
    Log(StoreError),
    #[error(transparent)]
    Index(#[from] StoreError),
}

impl Fault {
    fn log(error: sqlx::Error) -> Self {
        Self::Log(error.into())
    }

    fn is_broken_index(&self) -> bool {
        matches!(self, Self::Index(error) if error.is_broken_file())
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Index(error.into())
    }
}

/// The index, as readers see it.
pub(super) struct Index {
    path: PathBuf,
    /// Whether this process keeps it.
    kept: bool,
    /// None where there is no index to read.
    readers: RwLock<Option<SqlitePool>>,
    rebuilding: AtomicBool,
    /// Asks the indexer to look now.
    look: Notify,
}

/// How far the index is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexStatus {
    /// Every row up to this time is in it; none where there is no index, or nothing in it yet.
    pub watermark: Option<Timestamp>,
    /// How many rows of the log are not; at most 100,000 are counted.
    pub behind: u64,
    /// Whether the daemon is making it (again) from the log. Pages then go back to where the index begins, slowly.
    pub rebuilding: bool,
}

impl Index {
    pub(super) fn of(database: &Path, access: Access) -> Self {
        Self {
            path: file::beside(database),
            kept: access == Access::Daemon,
            readers: RwLock::new(None),
            rebuilding: AtomicBool::new(false),
            look: Notify::new(),
        }
    }

    /// Opens what a daemon left, for a command that reads.
    pub(super) async fn read(&self) {
        match file::usable(&self.path).await {
            Ok(true) => drop(self.set_readers(Some(file::readers(&self.path)))),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the index can't be read"),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How to open a connection of one's own.
    pub(super) fn options(&self) -> SqliteConnectOptions {
        file::options(&self.path)
    }

    fn set_readers(&self, pool: Option<SqlitePool>) -> Option<SqlitePool> {
        let mut readers = self.readers.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut readers, pool)
    }

    fn readers(&self) -> Option<SqlitePool> {
        let readers = self.readers.read().unwrap_or_else(PoisonError::into_inner);
        readers.clone()
    }

    pub(super) async fn close_readers(&self) {
        if let Some(readers) = self.set_readers(None) {
            readers.close().await;
        }
    }

    /// A connection that reads; none where there is no index, or it can't be read now: then the log serves alone.
    pub(super) async fn reader(&self) -> Option<PoolConnection<Sqlite>> {
        let readers = self.readers()?;
        match readers.acquire().await {
            Ok(conn) => Some(conn),
            Err(error) => {
                tracing::warn!(%error, "the index can't be read");
                None
            }
        }
    }

    #[cfg(test)]
    pub(super) fn look_now(&self) {
        self.look.notify_one();
    }
}

impl Store {
    /// How far the index is.
    pub async fn index_status(&self) -> Result<IndexStatus, StoreError> {
        let (mark, _) = self.indexed().await?;
        let behind: i64 = sqlx::query_scalar(
            "select count(*) from (select 1 from messages where (time, id) > ($1, $2) limit $3)",
        )
        .bind(mark.0)
        .bind(mark.1)
        .bind(COUNTED)
        .fetch_one(&mut *self.reader().await?)
        .await?;
        Ok(IndexStatus {
            watermark: (mark.0 > i64::MIN)
                .then(|| Timestamp::from_millisecond(mark.0).ok())
                .flatten(),
            behind: u64::try_from(behind).unwrap_or_default(),
            rebuilding: self.index().rebuilding.load(Ordering::Relaxed),
        })
    }

    /// The last row that is in the index, and a connection to it if there is any.
    pub(super) async fn indexed(&self) -> Result<(Place, Option<PoolConnection<Sqlite>>), StoreError> {
        let nothing = (i64::MIN, i64::MIN);
        let Some(mut conn) = self.index().reader().await else {
            return Ok((nothing, None));
        };
        match seek::mark(&mut conn).await {
            Ok(mark) => Ok((mark, Some(conn))),
            Err(error) => {
                tracing::warn!(%error, "the index can't be read");
                Ok((nothing, None))
            }
        }
    }
}
