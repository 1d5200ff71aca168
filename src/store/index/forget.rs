//! Rows that were erased from the log are erased from the index, down to the pairs of their texts.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::batch::Row;
use super::seek::{self, table};
use super::{PART, file};
use crate::message::Entry;
use crate::store::{Store, StoreError};

/// Rows that are taken out in one transaction.
const PIECE: usize = 200;

impl Store {
    /// Takes rows out of the index for good: call it once they are deleted from the log (rows deleted for their age need
    /// no call; the index drops them by itself). Works from a command too, while the daemon runs. Without it, nothing
    /// would be found either, for whatever the index finds is looked up in the log; but the pairs of characters of their texts
    /// would stay in the file.
    pub async fn forget_in_index(&self, gone: &[Entry]) -> Result<(), StoreError> {
        let path = &self.index().path;
        if !file::usable(path).await {
            return Ok(());
        }
        let mut index = file::writer(path).await?;
        for piece in gone.chunks(PIECE) {
            // An entry that is not in yet never will be: the indexer reads the log under the same lock.
            sqlx::query("begin immediate").execute(&mut index).await?;
            for entry in piece {
                take_out(&mut index, entry).await?;
            }
            sqlx::query("commit").execute(&mut index).await?;
        }
        // What was deleted is in the WAL as it was; once that is copied and begun anew it is nowhere.
        sqlx::query("pragma wal_checkpoint(truncate)")
            .execute(&mut index)
            .await?;
        Ok(index.close().await?)
    }
}

async fn take_out(index: &mut SqliteConnection, entry: &Entry) -> Result<(), StoreError> {
    let place = (entry.time.as_millisecond(), entry.id.as_i64());
    // Where rows before it are gone already, its number is a later one than the first that may be its.
    let first = seek::number_of(index, place).await?;
    let seq: Option<i64> = sqlx::query_scalar(
        "delete from docs where seq = (select seq from docs where seq >= $1 order by seq limit 1) and id = $2 returning seq",
    )
    .bind(first)
    .bind(place.1)
    .fetch_optional(&mut *index)
    .await?;
    let Some(seq) = seq else {
        return Ok(());
    };
    let questions = sqlx::query("delete from questions where seq = $1")
        .bind(seq)
        .execute(&mut *index)
        .await?;
    if questions.rows_affected() > 0 {
        return Ok(());
    }
    let row = Row {
        id: place.1,
        time: place.0,
        app: entry.app.as_str(),
        direction: entry.direction,
        msg_type: &entry.msg_type,
        content: entry.content.as_deref(),
        rule: entry.rule.as_ref().map(|rule| rule.as_str()),
        status: &entry.status,
        observed: None,
        counted_before: false,
    };
    let mut tokens = String::new();
    row.tokens(&mut tokens);
    let table = table(place.0.div_euclid(PART));
    // Safe: made of literals and a number.
    let text = format!("insert into {table} ({table}, rowid, text) values ('delete', $1, $2)");
    sqlx::query(AssertSqlSafe(text))
        .bind(seq)
        .bind(tokens)
        .execute(index)
        .await?;
    Ok(())
}
