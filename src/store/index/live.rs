//! Counting what the index has not: rows behind the watermark, and hours that are asked for in part.

use futures_util::TryStreamExt;
use sqlx::SqliteConnection;

use super::batch::{Counts, Row, counted_before};
use super::{Index, Place};
use crate::store::StoreError;

/// So many of the newest rows are counted by the daemon itself, where the index is far behind: a page must be quick.
const TAIL: i64 = 20_000;

const READ: &str = concat!(
    "select m.id, m.time, m.app, m.direction, m.msg_type, null, m.rule, m.status, m.observed, ",
    counted_before!(),
    " from messages m where (m.time, m.id) > ($1, $2) and m.time < $3"
);

/// Counts rows behind a place, from `since` on and before `until` (milliseconds).
pub(in crate::store) async fn count(
    log: &mut SqliteConnection,
    behind: Place,
    since: i64,
    until: i64,
) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    // One bound: of two, SQLite seeks by one alone. No key is as small as this one.
    let behind = behind.max((since, i64::MIN));
    let mut rows = sqlx::query(READ)
        .bind(behind.0)
        .bind(behind.1)
        .bind(until)
        .fetch(log);
    while let Some(row) = rows.try_next().await? {
        counts.add(&Row::read(&row)?)?;
    }
    Ok(counts)
}

impl Index {
    /// Behind what rows are counted one by one: the watermark, or a later place where a daemon's index is far behind. Commands
    /// have time.
    pub(in crate::store) async fn tail(
        &self,
        log: &mut SqliteConnection,
        mark: Place,
    ) -> Result<Place, StoreError> {
        if !self.kept {
            return Ok(mark);
        }
        let far: Option<Place> = sqlx::query_as(
            "select time, id from messages where (time, id) > ($1, $2) order by time desc, id desc limit 1 offset $3",
        )
        .bind(mark.0)
        .bind(mark.1)
        .bind(TAIL)
        .fetch_optional(log)
        .await?;
        Ok(far.unwrap_or(mark))
    }
}
