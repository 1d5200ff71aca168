//! The one writing connection: by its driver, or directly, while the driver stands aside.
//!
//! sqlx runs all statements of a connection on a thread of its own: each text is two wake-ups of a thread, and each value is
//! copied into a queue on the way. Under the load of pushes that was half of a commit's time. So what every push needs
//! goes to the same connection through rusqlite, on the writer's own thread; all else that is written goes through sqlx.

use std::mem::ManuallyDrop;
use std::ops::Deref;

use sqlx::sqlite::{LockedSqliteHandle, SqliteConnectOptions};
use sqlx::{Connection, SqliteConnection};

use super::StoreError;

/// The connection. Whoever has done with it calls [`Self::close`].
pub(super) struct WritingConnection {
    /// Has statements of the driver's connection, which have to go before it does, while it stands aside: in [`Self::close`]
    /// and nowhere else. Who drops this without closing it leaks them.
    direct: ManuallyDrop<rusqlite::Connection>,
    driver: SqliteConnection,
}

/// The connection while the driver stands aside: as long as this lives.
pub(super) struct Direct<'c> {
    connection: &'c mut rusqlite::Connection,
    _aside: LockedSqliteHandle<'c>,
}

impl Deref for Direct<'_> {
    type Target = rusqlite::Connection;

    fn deref(&self) -> &rusqlite::Connection {
        self.connection
    }
}

impl WritingConnection {
    pub(super) async fn open(options: &SqliteConnectOptions) -> Result<Self, StoreError> {
        let mut driver = SqliteConnection::connect_with(options).await?;
        let handle = driver.lock_handle().await?.as_raw_handle();
        // SAFETY: `handle` is an open connection, of the same SQLite (both crates have the type from one `libsqlite3-sys`).
        // `direct` does not own it. It outlives every use of `direct`: that is reached through `Self::direct` alone, which
        // borrows `driver`, and is dropped in `Self::close` before `driver` or never. No two threads use it at once: in
        // both places the driver's lock is held, and as long as it is, "the background thread is not making FFI calls on
        // this database handle or any of its statements" (sqlx's words).
        #[allow(unsafe_code, reason = "see above; the measurement is in ARCHITECTURE.md")]
        let direct = unsafe { rusqlite::Connection::from_handle(handle.as_ptr()) }?;
        // More than there are, so that each is prepared once.
        direct.set_prepared_statement_cache_capacity(64);
        Ok(Self {
            direct: ManuallyDrop::new(direct),
            driver,
        })
    }

    pub(super) fn driver(&mut self) -> &mut SqliteConnection {
        &mut self.driver
    }

    /// Bids the driver stand aside: a round trip to its thread.
    pub(super) async fn direct(&mut self) -> Result<Direct<'_>, StoreError> {
        Ok(Direct {
            _aside: self.driver.lock_handle().await?,
            connection: &mut self.direct,
        })
    }

    /// Closes it; a transaction that is open is taken back.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        let Self { direct, mut driver } = self;
        let aside = driver.lock_handle().await?;
        drop(ManuallyDrop::into_inner(direct));
        drop(aside);
        Ok(driver.close().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_ways_lead_to_one_connection_that_closes_without_remains() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let options = SqliteConnectOptions::new()
            .filename(dir.path().join("t.db"))
            .create_if_missing(true);
        let mut connection = WritingConnection::open(&options).await.expect("opens");
        let db = connection.direct().await.expect("stands aside");
        db.execute_batch("create table t (x); begin").expect("executed");
        db.prepare_cached("insert into t values (?1)")
            .and_then(|mut insert| insert.execute([7]))
            .expect("inserted");
        drop(db);
        let count = "select count(*) from t";
        let seen: i64 = sqlx::query_scalar(count)
            .fetch_one(connection.driver())
            .await
            .expect("read");
        assert_eq!(seen, 1, "in the transaction that is open");
        sqlx::query("rollback")
            .execute(connection.driver())
            .await
            .expect("taken back");
        let db = connection.direct().await.expect("stands aside");
        let left: i64 = db.query_row(count, [], |row| row.get(0)).expect("read");
        assert_eq!((left, db.is_autocommit()), (0, true));
        drop(db);
        // The driver's thread would panic over a statement that it does not know.
        connection.close().await.expect("closed");
    }
}
