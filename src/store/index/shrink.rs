//! What the log no longer has leaves the index too.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::seek::{self, table};
use super::{Fault, HOUR, PART};
use crate::store::StoreError;

/// Rows that are deleted in one transaction.
const PIECE: i64 = 20_000;

/// Drops what is older than the oldest row of the log.
pub(super) async fn shrink(log: &mut SqliteConnection, index: &mut SqliteConnection) -> Result<(), Fault> {
    let oldest: Option<i64> = sqlx::query_scalar("select min(time) from messages")
        .fetch_one(log)
        .await
        .map_err(Fault::log)?;
    let Some(oldest) = oldest else {
        return Ok(());
    };
    let parts: Vec<i64> = sqlx::query_scalar("select part from parts where part < $1")
        .bind(oldest.div_euclid(PART))
        .fetch_all(&mut *index)
        .await?;
    for part in parts {
        drop_part(index, part).await?;
    }
    let first = seek::number_of(index, (oldest, i64::MIN)).await?;
    loop {
        let deleted = sqlx::query(
            "delete from docs where seq in (select seq from docs where seq < $1 order by seq limit $2)",
        )
        .bind(first)
        .bind(PIECE)
        .execute(&mut *index)
        .await?;
        if deleted.rows_affected() == 0 {
            break;
        }
    }
    for (text, length) in [
        ("delete from hours where hour < $1", HOUR),
        ("delete from rule_hours where hour < $1", HOUR),
        ("delete from rule_days where day < $1", 24 * HOUR),
        ("delete from latencies where hour < $1", HOUR),
    ] {
        sqlx::query(text)
            .bind(oldest.div_euclid(length))
            .execute(&mut *index)
            .await?;
    }
    Ok(())
}

async fn drop_part(index: &mut SqliteConnection, part: i64) -> Result<(), StoreError> {
    // Safe: made of literals and a number.
    let text = format!(
        "begin immediate; drop table if exists {}; delete from parts where part = {part}; commit",
        table(part)
    );
    sqlx::raw_sql(AssertSqlSafe(text)).execute(index).await?;
    Ok(())
}
