//! Erasing messages, in pieces so small that no push waits for one. The writing connection overwrites what it erases
//! (`secure_delete`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use sqlx::SqliteConnection;

use super::batch::{Rows, padded};
use super::{Store, StoreError};
use crate::message::MessageId;

/// Messages that one commit erases, with their replies. Each lies on a page or two of its own when others came between.
pub(super) const PIECE: usize = 64;

/// The pause after each piece: at least this, and as long as the piece took, so that half of the time is everybody
/// else's.
const PAUSE: Duration = Duration::from_millis(5);

/// How much was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Messages that customers sent, events among them.
    pub messages: u64,
    /// Replies to them.
    pub replies: u64,
    /// Their pictures.
    pub pictures: u64,
}

impl Erased {
    pub(super) fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.replies += other.replies;
        self.pictures += other.pictures;
    }
}

/// Which messages are spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spare {
    /// Those with a reply that is still to be sent.
    Waiting,
    /// None.
    Nothing,
}

impl Store {
    /// Erases the pictures of these messages, all but the note that there was one, which goes with the message.
    pub(super) async fn erase_pictures(&self, messages: &[MessageId]) -> Result<(), StoreError> {
        if messages.is_empty() {
            return Ok(());
        }
        let mut conn = self.reader().await?;
        let mut pictures = Vec::new();
        for (count, ids) in padded(messages) {
            let mut query = sqlx::query_scalar::<_, i64>(FIND_PICTURES.text(count));
            for id in ids {
                query = query.bind(id.as_i64());
            }
            pictures.extend(query.fetch_all(&mut *conn).await?);
        }
        drop(conn);
        for picture in pictures {
            self.erase_picture(picture).await?;
        }
        Ok(())
    }

    async fn erase_picture(&self, picture: i64) -> Result<(), StoreError> {
        // First, so that whoever is fetching it stops.
        self.write(move |conn| {
            async move {
                sqlx::query("update pictures set status = 'lost', due = null, mime = null where id = $1")
                    .bind(picture)
                    .execute(conn)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await?;
        let mut conn = self.reader().await?;
        let parts: Vec<i64> = sqlx::query_scalar("select part from picture_parts where picture = $1")
            .bind(picture)
            .fetch_all(&mut *conn)
            .await?;
        drop(conn);
        for part in parts {
            let begun = Instant::now();
            self.write_pages(PART_PAGES, move |conn| {
                async move {
                    sqlx::query("delete from picture_parts where picture = $1 and part = $2")
                        .bind(picture)
                        .bind(part)
                        .execute(conn)
                        .await?;
                    Ok(())
                }
                .boxed()
            })
            .await?;
            pause(begun).await;
        }
        Ok(())
    }

    /// Erases up to [`PIECE`] messages with their replies, whose pictures are erased already, then pauses.
    pub(super) async fn erase_piece(
        &self,
        messages: Arc<[MessageId]>,
        spare: Spare,
    ) -> Result<Erased, StoreError> {
        let begun = Instant::now();
        let erased = self
            .write_pages(messages.len() * 2, move |conn| {
                let messages = Arc::clone(&messages);
                async move { erase(conn, &messages, spare).await }.boxed()
            })
            .await?;
        self.tell_news();
        pause(begun).await;
        Ok(erased)
    }
}

/// Pages of one part of a picture, about.
const PART_PAGES: usize = 64;

pub(super) async fn pause(begun: Instant) {
    tokio::time::sleep(begun.elapsed().max(PAUSE)).await;
}

static FIND_PICTURES: Rows = Rows::new(
    "with gone (id) as (values",
    "(cast(? as bigint))",
    ") select distinct p.id from gone cross join pictures p where p.id = gone.id",
);

const GONE: &str = "(cast(? as bigint))";

static ERASE: Rows = Rows::new(
    "with gone (id) as (values",
    GONE,
    ") delete from messages where id in (select m.id from gone cross join messages m \
     where m.id between gone.id and gone.id + 15) returning (id & 15) <> 0",
);

static ERASE_SETTLED: Rows = Rows::new(
    "with gone (id) as (values",
    GONE,
    ") delete from messages where id in (select m.id from gone cross join messages m \
     where m.id between gone.id and gone.id + 15 \
     and not exists (select 1 from messages q where q.id between gone.id and gone.id + 15 \
     and q.status = 'queued')) returning (id & 15) <> 0",
);

static ERASE_PICTURES: Rows = Rows::new(
    "with gone (id) as (values",
    GONE,
    ") delete from pictures where id in (select id from gone) \
     and not exists (select 1 from messages m where m.id = pictures.id) returning id",
);

pub(super) async fn erase(
    conn: &mut SqliteConnection,
    messages: &[MessageId],
    spare: Spare,
) -> Result<Erased, StoreError> {
    let statement = match spare {
        Spare::Waiting => &ERASE_SETTLED,
        Spare::Nothing => &ERASE,
    };
    let mut erased = Erased::default();
    for (count, ids) in padded(messages) {
        let mut query = sqlx::query_scalar::<_, bool>(statement.text(count));
        for id in ids {
            query = query.bind(id.as_i64());
        }
        for reply in query.fetch_all(&mut *conn).await? {
            match reply {
                true => erased.replies += 1,
                false => erased.messages += 1,
            }
        }
    }
    for (count, ids) in padded(messages) {
        let mut query = sqlx::query_scalar::<_, i64>(ERASE_PICTURES.text(count));
        for id in ids {
            query = query.bind(id.as_i64());
        }
        erased.pictures += query.fetch_all(&mut *conn).await?.len() as u64;
    }
    Ok(erased)
}

#[cfg(test)]
mod tests {
    use sqlx::SqlSafeStr;

    use super::*;
    use crate::store::testing::Bench;

    #[tokio::test]
    async fn a_piece_is_found_by_its_keys_alone() {
        let bench = Bench::new().await;
        for statement in [&ERASE, &ERASE_SETTLED, &ERASE_PICTURES, &FIND_PICTURES] {
            let sql = statement.text(PIECE).into_sql_str();
            let plan = bench.plan(sql.as_str()).await;
            for step in &plan {
                let by_key = step.contains("INTEGER PRIMARY KEY");
                let of_the_list = ["gone", "CONSTANT", "SUBQUERY", "B-TREE", "CO-ROUTINE", "BLOOM"]
                    .iter()
                    .any(|word| step.contains(word));
                assert!(by_key || of_the_list, "{plan:#?}");
            }
        }
    }
}
