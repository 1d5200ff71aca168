//! Rows that are erased from the log are erased from the index, down to the pairs of their texts.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::batch::Row;
use super::seek::{self, table};
use super::{Index, PART, file};
use crate::message::Entry;
use crate::store::StoreError;

impl Index {
    /// A connection that takes rows out; none where there is no index. Works from a command too, while the daemon runs. (Rows
    /// that are deleted for their age need no call; the index drops them by itself.)
    pub(in crate::store) async fn forgetting(&self) -> Result<Option<Forgetting>, StoreError> {
        if !self.path.is_file() {
            return Ok(None);
        }
        if file::usable(&self.path).await? {
            return Ok(Some(Forgetting(file::writer(&self.path).await?)));
        }
        // Of another version, or broken: nothing can be taken out of it, and nobody will read it any more.
        file::remove(&self.path).map_err(sqlx::Error::from)?;
        Ok(None)
    }
}

/// The index while a user is forgotten. It goes before the log: what the log still has can be forgotten again, but what
/// the index alone has nobody would find any more. In between the indexer is locked out, lest it takes in what it has just
/// lost. Nothing is left to be done when that is broken off: the lock ends with the connection.
pub(in crate::store) struct Forgetting(SqliteConnection);

impl Forgetting {
    /// Keeps the indexer out until [`Self::unlock`].
    pub(in crate::store) async fn lock(&mut self) -> Result<(), StoreError> {
        sqlx::query("begin immediate").execute(&mut self.0).await?;
        Ok(())
    }

    /// Takes rows out for good, as they were read under the lock; whether there was any of them. If so, the lock has ended
    /// with that.
    pub(in crate::store) async fn take_out(&mut self, gone: &[Entry]) -> Result<bool, StoreError> {
        let mut some = false;
        for entry in gone {
            some |= take_out(&mut self.0, entry).await?;
        }
        if some {
            sqlx::query("commit").execute(&mut self.0).await?;
        }
        Ok(some)
    }

    /// Lets the indexer in again.
    pub(in crate::store) async fn unlock(&mut self) -> Result<(), StoreError> {
        sqlx::query("rollback").execute(&mut self.0).await?;
        Ok(())
    }

    pub(in crate::store) async fn close(self) -> Result<(), StoreError> {
        Ok(self.0.close().await?)
    }
}

/// Takes a row out; whether it was there.
async fn take_out(index: &mut SqliteConnection, entry: &Entry) -> Result<bool, StoreError> {
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
        return Ok(false);
    };
    let question: Option<String> =
        sqlx::query_scalar("delete from questions where seq = $1 returning tokens")
            .bind(seq)
            .fetch_optional(&mut *index)
            .await?;
    let tokens = match question {
        Some(tokens) => tokens,
        None => tokens_of(entry),
    };
    delete_text(index, place.0.div_euclid(PART), seq, &tokens).await?;
    Ok(true)
}

fn tokens_of(entry: &Entry) -> String {
    let row = Row {
        id: entry.id.as_i64(),
        time: entry.time.as_millisecond(),
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
    tokens
}

/// Takes a row out of a part's full text, by the tokens that were put in.
pub(super) async fn delete_text(
    index: &mut SqliteConnection,
    part: i64,
    seq: i64,
    tokens: &str,
) -> Result<(), StoreError> {
    let table = table(part);
    // Safe: made of literals and a number.
    let text = format!("insert into {table} ({table}, rowid, text) values ('delete', $1, $2)");
    sqlx::query(AssertSqlSafe(text))
        .bind(seq)
        .bind(tokens)
        .execute(index)
        .await?;
    Ok(())
}
