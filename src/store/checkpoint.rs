//! Copying the WAL back into the database, beside the writer.
//!
//! When the writer does it, the commit that fills the WAL waits for the whole copy: 16 to 20 ms at p99 on the machine
//! where this was measured. Done here first, little is left to the writer, whose own checkpoint then lets the WAL
//! begin anew (4 ms). The WAL file is never cut: writing over it needs no new blocks.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Row, SqliteConnection};
use tokio::sync::mpsc;

/// Pages in the WAL at which the writer copies what is left (16 MiB of pages).
pub(super) const WRITER_PAGES: &str = "4000";

/// Pages worth a copy.
const PAGES: i64 = 1000;

/// Works until the writer is gone.
pub(super) async fn run(options: SqliteConnectOptions, mut wal_grows: mpsc::Receiver<()>) {
    let mut connection = None;
    while wal_grows.recv().await.is_some() {
        let conn = match connection.take() {
            Some(conn) => Ok(conn),
            None => SqliteConnection::connect_with(&options).await,
        };
        let done = match conn {
            Ok(mut conn) => checkpoint(&mut conn).await.map(|()| conn),
            Err(error) => Err(error),
        };
        match done {
            Ok(conn) => connection = Some(conn),
            // Nothing is lost: the writer does the work in its time.
            Err(error) => tracing::warn!(%error, "a checkpoint of the database failed"),
        }
    }
    if let Some(conn) = connection {
        let _ = conn.close().await; // nothing was written through it
    }
}

async fn checkpoint(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    // busy, pages in the WAL, pages of these that are copied
    let wal = sqlx::query("pragma wal_checkpoint(noop)")
        .fetch_one(&mut *conn)
        .await?;
    if wal.try_get::<i64, _>(1)? - wal.try_get::<i64, _>(2)? >= PAGES {
        sqlx::query("pragma wal_checkpoint(passive)")
            .execute(conn)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::Bench;

    #[tokio::test]
    async fn a_grown_wal_is_copied_and_a_small_one_is_left() {
        let bench = Bench::new().await;
        let mut raw = bench.raw().await;
        sqlx::query("pragma wal_autocheckpoint = 0")
            .execute(&mut raw)
            .await
            .expect("set");
        let (tell, told) = mpsc::channel(1);
        let options = SqliteConnectOptions::new().filename(bench.dir.path().join("t.db"));
        let task = tokio::spawn(run(options, told));

        sqlx::query("create table filler (x blob)")
            .execute(&mut raw)
            .await
            .expect("made");
        let (mut pages, mut copied) = (0, 0);
        for megabytes in [1, 8] {
            sqlx::query("insert into filler values (zeroblob($1 * 1000000))")
                .bind(megabytes)
                .execute(&mut raw)
                .await
                .expect("written");
            // The second send waits until the first was taken, the third until its work is done.
            for _ in 0..3 {
                tell.send(()).await.expect("listens");
            }
            let wal = sqlx::query("pragma wal_checkpoint(noop)")
                .fetch_one(&mut raw)
                .await
                .expect("read");
            (pages, copied) = (wal.get::<i64, _>(1), wal.get::<i64, _>(2));
            if megabytes == 1 {
                assert!((1..PAGES).contains(&pages) && copied == 0, "{copied} of {pages}");
            }
        }
        assert!(pages > PAGES && copied == pages, "{copied} of {pages}");
        drop(tell);
        task.await.expect("ends with the writer");
    }
}
