//! How large the database is, and how far back it goes.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::row::At;
use super::{IndexStatus, Store, StoreError};

/// The database in figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// The size of the file, in bytes.
    pub bytes: u64,
    /// What is written and not yet in the file, in bytes.
    pub wal_bytes: u64,
    /// The size of the index beside it, with what is not yet in its file, in bytes.
    pub index_bytes: u64,
    /// The rows of the log, both ways: those that the index knows, and those behind it, of which at most 100,000 are
    /// counted.
    pub rows: u64,
    /// How far the index is.
    #[serde(skip)]
    pub index: IndexStatus,
    /// When the oldest of them came.
    pub oldest: Option<Timestamp>,
    /// Customers' pictures: kept, waiting to be fetched, lost.
    pub pictures: [u64; 3],
}

const PICTURES: &str = "select status, count(*) from pictures where status in ('kept', 'lost') group by status \
    union all select 'waiting', count(*) from pictures where status = 'waiting'";

impl Store {
    /// How large the database is. Counts what the index does not know yet, and pictures by their index: on a long log that
    /// takes some ten milliseconds.
    pub async fn extent(&self) -> Result<Extent, StoreError> {
        let options = self.options();
        let path = options.get_filename();
        let mut conn = self.reader().await?;
        let mut pictures = [0; 3];
        let counted: Vec<(String, i64)> = sqlx::query_as(PICTURES).fetch_all(&mut *conn).await?;
        for (status, count) in counted {
            let place = match status.as_str() {
                "kept" => 0,
                "waiting" => 1,
                _ => 2,
            };
            pictures[place] += count.unsigned_abs();
        }
        drop(conn);
        let status = self.index_status().await?;
        let rows = self.indexed_rows().await? + status.behind;
        let index = self.index().path();
        Ok(Extent {
            bytes: size(path),
            wal_bytes: size(&with_suffix(path, "-wal")),
            index_bytes: size(index) + size(&with_suffix(index, "-wal")),
            rows,
            index: status,
            oldest: self.oldest().await?,
            pictures,
        })
    }

    /// When the oldest message of the log came.
    pub async fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut conn = self.reader().await?;
        let oldest: Option<i64> = sqlx::query_scalar("select min(time) from messages")
            .fetch_one(&mut *conn)
            .await?;
        let at = At {
            table: "messages",
            row: &"the oldest",
        };
        oldest.map(|time| at.time("time", time)).transpose()
    }

    /// The rows that the index knows and that are still there.
    async fn indexed_rows(&self) -> Result<u64, StoreError> {
        let (_, Some(mut index)) = self.indexed().await? else {
            return Ok(0);
        };
        let rows: i64 = sqlx::query_scalar(
            "select coalesce((select seq from progress) - (select min(seq) from docs) + 1, 0)",
        )
        .fetch_one(&mut *index)
        .await?;
        Ok(u64::try_from(rows).unwrap_or_default())
    }
}

fn with_suffix(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// What is not there has no size.
fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

#[cfg(test)]
mod tests {

    use super::PICTURES;
    use crate::store::testing::{Bench, at};

    #[tokio::test]
    async fn pictures_are_counted_in_their_indexes() {
        let bench = Bench::new().await;
        let plan = bench.plan(PICTURES).await.join("\n");
        for index in ["pictures_done", "pictures_by_due"] {
            assert!(plan.contains(&format!("COVERING INDEX {index}")), "{plan}");
        }
    }

    #[tokio::test]
    async fn a_log_that_grows_is_larger_and_keeps_its_beginning() {
        let bench = Bench::new().await;
        let empty = bench.store.extent().await.expect("read");
        assert_eq!((empty.rows, empty.oldest), (0, None));
        assert!(empty.bytes > 0);
        for n in 0..3 {
            bench.turn_to(n);
            bench.receive(n as u64, &format!("o{n}"), &["a reply"]).await;
        }
        let extent = bench.store.extent().await.expect("read");
        assert_eq!((extent.rows, extent.oldest), (6, Some(at(0))));
        assert_eq!(extent.pictures, [0, 0, 0]);
    }
}
