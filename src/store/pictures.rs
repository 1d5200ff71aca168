//! The pictures that customers sent: which are to be fetched, and those that are here.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use jiff::Timestamp;

use super::row::{At, Cells, ceil_millis};
use super::{Store, StoreError};
use crate::message::{AppName, Fields, MessageId};

/// A picture, as far as it is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picture {
    /// It is.
    Kept {
        /// Its type, told from its bytes; `application/octet-stream` for one that no browser should draw.
        mime: String,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// It is still to be fetched.
    Waiting {
        /// What went wrong the last time.
        error: Option<String>,
    },
    /// It will never be.
    Lost {
        /// Why.
        error: String,
    },
}

/// A picture that is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingPicture {
    /// The message.
    pub id: MessageId,
    /// Its app.
    pub app: AppName,
    /// WeChat's name for the picture.
    pub media_id: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When the message came.
    pub received: Timestamp,
}

/// A message with a picture that was not seen before.
type New = (i64, String, String);

/// How many messages are noted at once.
const NOTED: usize = 100;

/// What of a picture goes into one commit.
const PART: usize = 256 << 10;

const FIND: &str = "select m.id, m.time, m.app, m.fields from messages m \
     where m.direction = 'in' and m.msg_type = 'image' and m.time >= $1 \
     and not exists (select 1 from pictures p where p.id = m.id) order by m.time limit $2";

const DUE: &str = "select p.id, p.app, p.media_id, p.attempts, m.time from pictures p cross join messages m \
     where p.status = 'waiting' and p.due <= $1 and m.id = p.id order by p.due limit $2";

impl Store {
    /// Notes the pictures of messages that came from `since` on, to be fetched at once. Gives when the last of these
    /// messages came.
    pub async fn note_pictures(&self, since: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let now = self.clock().now();
        let mut last = None;
        loop {
            let mut conn = self.reader().await?;
            let rows = sqlx::query(FIND)
                .bind(ceil_millis(since))
                .bind(i64::try_from(NOTED).unwrap_or(i64::MAX))
                .fetch_all(&mut *conn)
                .await?;
            drop(conn);
            let mut new: Vec<New> = Vec::with_capacity(rows.len());
            for row in &rows {
                let mut cells = Cells::of(row);
                let id: i64 = cells.next()?;
                let at = At {
                    table: "messages",
                    row: &id,
                };
                last = Some(at.time("time", cells.next()?)?).max(last);
                let app = cells.next()?;
                let fields: Fields = at.json("fields", cells.next()?)?;
                new.push((id, app, fields.text("MediaId").unwrap_or_default().to_owned()));
            }
            let all = new.len() < NOTED;
            if !new.is_empty() {
                self.note(new.into(), now).await?;
            }
            if all {
                return Ok(last);
            }
        }
    }

    async fn note(&self, new: Arc<[New]>, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |conn| {
            let new = Arc::clone(&new);
            async move {
                for (id, app, media_id) in new.iter() {
                    let nameless = media_id.is_empty();
                    sqlx::query(
                        "insert into pictures (id, app, media_id, status, attempts, due, error) \
                         select $1, $2, $3, $4, 0, $5, $6 where exists (select 1 from messages m where m.id = $1) \
                         on conflict (id) do nothing",
                    )
                    .bind(id)
                    .bind(app)
                    .bind(media_id)
                    .bind(if nameless { "lost" } else { "waiting" })
                    .bind((!nameless).then_some(now.as_millisecond()))
                    .bind(nameless.then_some("the push has no MediaId"))
                    .execute(&mut *conn)
                    .await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// Pictures that are due at `now`, the longest waiting first.
    pub async fn due_pictures(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<WaitingPicture>, StoreError> {
        let mut conn = self.reader().await?;
        let rows = sqlx::query(DUE)
            .bind(now.as_millisecond())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *conn)
            .await?;
        rows.iter()
            .map(|row| {
                let mut cells = Cells::of(row);
                let id = MessageId::from_i64(cells.next()?);
                let at = At {
                    table: "pictures",
                    row: &id,
                };
                Ok(WaitingPicture {
                    id,
                    app: AppName::from(cells.next::<String>()?),
                    media_id: cells.next()?,
                    attempts: at.count("attempts", cells.next()?)?,
                    received: at.time("time", cells.next()?)?,
                })
            })
            .collect()
    }

    /// Keeps a picture that was fetched. Gives whether it was still wanted: its message may have been erased.
    pub async fn keep_picture(&self, id: MessageId, mime: &str, bytes: Bytes) -> Result<bool, StoreError> {
        const WANTED: &str = "exists (select 1 from pictures where id = $1 and status = 'waiting')";
        let id = id.as_i64();
        let mime: Arc<str> = mime.into();
        // What an earlier try may have left.
        self.write(move |conn| {
            async move {
                sqlx::query("delete from picture_parts where picture = $1")
                    .bind(id)
                    .execute(conn)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await?;
        for (part, start) in (0i64..).zip((0..bytes.len()).step_by(PART)) {
            let piece = bytes.slice(start..bytes.len().min(start + PART));
            let written = self
                .write_pages(piece.len() / 4096 + 1, move |conn| {
                    let piece = piece.to_vec();
                    async move {
                        let written = sqlx::query(sqlx::AssertSqlSafe(format!(
                            "insert into picture_parts (picture, part, bytes) select $1, $2, $3 where {WANTED}"
                        )))
                        .bind(id)
                        .bind(part)
                        .bind(piece)
                        .execute(conn)
                        .await?;
                        Ok(written.rows_affected() > 0)
                    }
                    .boxed()
                })
                .await?;
            if !written {
                return Ok(false);
            }
        }
        let kept = self
            .write(move |conn| {
                let mime = Arc::clone(&mime);
                async move {
                    let kept = sqlx::query(
                        "update pictures set status = 'kept', due = null, mime = $1, error = null, \
                         attempts = attempts + 1 where id = $2 and status = 'waiting'",
                    )
                    .bind(&*mime)
                    .bind(id)
                    .execute(conn)
                    .await?;
                    Ok(kept.rows_affected() > 0)
                }
                .boxed()
            })
            .await?;
        self.tell_news();
        Ok(kept)
    }

    /// Writes down that a picture could not be fetched: to be tried again at `due`, or lost.
    pub async fn miss_picture(
        &self,
        id: MessageId,
        due: Option<Timestamp>,
        error: &str,
    ) -> Result<(), StoreError> {
        let error: Arc<str> = error.into();
        self.write(move |conn| {
            let error = Arc::clone(&error);
            async move {
                sqlx::query(
                    "update pictures set status = $1, due = $2, error = $3, attempts = attempts + 1 \
                     where id = $4 and status = 'waiting'",
                )
                .bind(if due.is_some() { "waiting" } else { "lost" })
                .bind(due.map(Timestamp::as_millisecond))
                .bind(&*error)
                .bind(id.as_i64())
                .execute(conn)
                .await?;
                Ok(())
            }
            .boxed()
        })
        .await?;
        self.tell_news();
        Ok(())
    }

    /// The picture of a message; `None` when it has none, or none that is known of yet.
    pub async fn picture(&self, message: MessageId) -> Result<Option<Picture>, StoreError> {
        let mut conn = self.reader().await?;
        let row = sqlx::query("select status, mime, error from pictures where id = $1")
            .bind(message.as_i64())
            .fetch_optional(&mut *conn)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut cells = Cells::of(&row);
        let status: &str = cells.next()?;
        let mime: Option<String> = cells.next()?;
        let error: Option<String> = cells.next()?;
        Ok(Some(match (status, mime) {
            ("kept", Some(mime)) => {
                let parts: Vec<Vec<u8>> =
                    sqlx::query_scalar("select bytes from picture_parts where picture = $1 order by part")
                        .bind(message.as_i64())
                        .fetch_all(&mut *conn)
                        .await?;
                Picture::Kept {
                    mime,
                    bytes: parts.concat(),
                }
            }
            ("waiting", _) => Picture::Waiting { error },
            _ => Picture::Lost {
                error: error.unwrap_or_else(|| "it is being erased".to_owned()),
            },
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::message::Inbound;
    use crate::store::testing::{Bench, alice, answering, at, inbound};

    fn image(n: u64, seconds: i64, media_id: Option<&str>) -> Inbound {
        let mut fields = vec![("MsgType", "image")];
        fields.extend(media_id.map(|id| ("MediaId", id)));
        Inbound {
            msg_type: "image".to_owned(),
            content: None,
            received: at(seconds),
            fields: fields.into_iter().collect(),
            ..inbound(n, "oAlice")
        }
    }

    async fn came(bench: &Bench, n: u64, seconds: i64, media_id: Option<&str>) -> MessageId {
        let recorded = bench.record(image(n, seconds, media_id), answering(&[])).await;
        recorded.expect("recorded").id
    }

    #[tokio::test]
    async fn a_picture_is_noted_once_and_kept_whole() {
        let bench = Bench::new().await;
        came(&bench, 1, -100, Some("OLD")).await;
        let id = came(&bench, 2, 5, Some("M1")).await;
        bench.receive(3, "oAlice", &[]).await;
        bench.turn_to(6);
        assert_eq!(bench.store.picture(id).await.expect("read"), None);
        assert_eq!(
            bench.store.note_pictures(at(0)).await.expect("works"),
            Some(at(5))
        );
        assert_eq!(bench.store.note_pictures(at(0)).await.expect("works"), None);
        let due = bench.store.due_pictures(at(6), 9).await.expect("read");
        let waiting = WaitingPicture {
            id,
            app: "shop".into(),
            media_id: "M1".to_owned(),
            attempts: 0,
            received: at(5),
        };
        assert_eq!(due, [waiting]);
        assert_eq!(
            bench.store.picture(id).await.expect("read"),
            Some(Picture::Waiting { error: None })
        );

        let bytes: Vec<u8> = (0..PART * 2 + 77).map(|n| (n % 251) as u8).collect();
        let kept = bench
            .store
            .keep_picture(id, "image/png", bytes.clone().into())
            .await;
        assert!(kept.expect("works"));
        let mime = "image/png".to_owned();
        assert_eq!(
            bench.store.picture(id).await.expect("read"),
            Some(Picture::Kept { mime, bytes })
        );
        assert_eq!(bench.store.due_pictures(at(999), 9).await.expect("read"), []);
    }

    #[tokio::test]
    async fn one_that_cannot_be_fetched_waits_and_is_lost_in_the_end() {
        let bench = Bench::new().await;
        let id = came(&bench, 1, 0, Some("M1")).await;
        let nameless = came(&bench, 2, 0, None).await;
        bench.store.note_pictures(at(0)).await.expect("works");
        let lost = |error: &str| {
            Some(Picture::Lost {
                error: error.to_owned(),
            })
        };
        let picture = async |id| bench.store.picture(id).await.expect("read");
        assert_eq!(picture(nameless).await, lost("the push has no MediaId"));
        bench
            .store
            .miss_picture(id, Some(at(60)), "busy")
            .await
            .expect("works");
        assert_eq!(bench.store.due_pictures(at(59), 9).await.expect("read"), []);
        let due = bench.store.due_pictures(at(60), 9).await.expect("read");
        assert_eq!((due.len(), due[0].attempts), (1, 1));
        let error = Some("busy".to_owned());
        assert_eq!(picture(id).await, Some(Picture::Waiting { error }));
        bench
            .store
            .miss_picture(id, None, "too late")
            .await
            .expect("works");
        assert_eq!(picture(id).await, lost("too late"));
        assert!(
            !bench
                .store
                .keep_picture(id, "image/png", "x".into())
                .await
                .expect("works")
        );
        assert_eq!(picture(id).await, lost("too late"), "that is final");
    }

    #[tokio::test]
    async fn many_pictures_are_noted_in_one_go() {
        let bench = Bench::new().await;
        let count = NOTED as u64 * 2;
        for n in 0..count {
            came(&bench, n, 0, Some("M")).await;
        }
        bench.store.note_pictures(at(0)).await.expect("works");
        let due = bench.store.due_pictures(at(0), 1000).await.expect("read");
        assert_eq!(due.len() as u64, count);
    }

    #[tokio::test]
    async fn no_question_reads_the_whole_log() {
        let bench = Bench::new().await;
        for (sql, index) in [(FIND, "messages_pictures"), (DUE, "pictures_by_due")] {
            let plan = bench.plan(sql).await.join("\n");
            assert!(plan.contains(index) && !plan.contains("SCAN"), "{plan}");
            assert!(!plan.contains("B-TREE"), "{plan}");
        }
    }

    #[tokio::test]
    async fn pictures_go_with_their_messages() {
        let bench = Bench::new().await;
        let parts = async || -> i64 {
            sqlx::query_scalar("select count(*) from picture_parts")
                .fetch_one(&mut bench.raw().await)
                .await
                .expect("read")
        };
        let bytes = Bytes::from(vec![7; PART + 1]);
        for n in 0..2 {
            let id = came(&bench, n, 0, Some("M")).await;
            bench.store.note_pictures(at(0)).await.expect("works");
            assert!(
                bench
                    .store
                    .keep_picture(id, "image/png", bytes.clone())
                    .await
                    .expect("works")
            );
            assert_eq!(parts().await, 2);
            let erased = if n == 0 {
                bench
                    .store
                    .forget(None, &alice(), "ops")
                    .await
                    .expect("works")
                    .erased
            } else {
                bench.turn_to(9 * 24 * 3600);
                let week = Duration::from_hours(7 * 24);
                bench.store.keep_house(Some(week)).await.expect("works").erased
            };
            assert_eq!((erased.messages, erased.pictures), (1, 1));
            assert_eq!(bench.store.picture(id).await.expect("read"), None);
            assert_eq!(parts().await, 0);
        }
    }
}
