//! Finding places and rows in the index.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::tokens::Wanted;
use super::{PART, Place};
use crate::store::StoreError;

/// The last row that was taken in.
pub(super) async fn mark(conn: &mut SqliteConnection) -> Result<Place, StoreError> {
    Ok(sqlx::query_as("select time, id from progress")
        .fetch_one(conn)
        .await?)
}

/// A row that may be one that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(in crate::store) struct Candidate {
    pub(in crate::store) seq: i64,
    pub(in crate::store) id: i64,
    pub(in crate::store) time: i64,
}

/// One full-text table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(in crate::store) struct Part {
    part: i64,
    first: i64,
}

impl Part {
    /// All of them, the newest first.
    pub(in crate::store) async fn all(conn: &mut SqliteConnection) -> Result<Vec<Self>, StoreError> {
        Ok(sqlx::query_as("select part, first from parts order by part desc")
            .fetch_all(conn)
            .await?)
    }

    /// The place that all its rows are behind, or at.
    pub(in crate::store) fn begin(self) -> Place {
        (self.part.saturating_mul(PART), i64::MIN)
    }

    /// Candidates before the row `before` and from the row `from` on, the newest first.
    pub(in crate::store) async fn candidates(
        self,
        conn: &mut SqliteConnection,
        wanted: &Wanted,
        from: i64,
        before: i64,
        limit: usize,
    ) -> Result<Vec<Candidate>, StoreError> {
        let table = table(self.part);
        let text = format!(
            "select d.seq, d.id, d.time from (select rowid as seq from {table} where {table} match $1 \
             and rowid >= $2 and rowid <= $3 order by rowid desc limit $4) found join docs d on d.seq = found.seq \
             order by d.seq desc"
        );
        // Safe: made of literals and a number.
        Ok(sqlx::query_as(AssertSqlSafe(text))
            .bind(wanted.expression())
            .bind(from.max(self.first))
            .bind(before.saturating_sub(1))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(conn)
            .await?)
    }

    /// Whether it has rows before the row `before`.
    pub(in crate::store) fn begins_before(self, before: i64) -> bool {
        self.first < before
    }
}

pub(super) fn table(part: i64) -> String {
    // Before 1970 the number is negative.
    format!("grams_{part}").replace('-', "m")
}

/// The first row at or behind a place; one behind the last where there is none.
pub(in crate::store) async fn number_of(
    conn: &mut SqliteConnection,
    place: Place,
) -> Result<i64, StoreError> {
    let ends: (Option<i64>, Option<i64>) =
        sqlx::query_as("select (select min(seq) from docs), (select max(seq) from docs)")
            .fetch_one(&mut *conn)
            .await?;
    let (Some(mut low), Some(last)) = ends else {
        return Ok(0);
    };
    let mut high = last.saturating_add(1);
    if place == (i64::MAX, i64::MAX) {
        return Ok(high);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        let next: Option<Candidate> =
            sqlx::query_as("select seq, id, time from docs where seq >= $1 order by seq limit 1")
                .bind(middle)
                .fetch_optional(&mut *conn)
                .await?;
        match next {
            Some(doc) if (doc.time, doc.id) < place => low = doc.seq + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
