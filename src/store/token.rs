//! What WeChat lent us: access tokens and media_ids, kept over a restart.

use futures_util::FutureExt;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::row::{At, Cells, to_json};
use super::{Store, StoreError};
use crate::message::AppName;

/// An app's access token and the record of its renewals.
#[derive(Clone, Debug)]
pub struct StoredToken {
    /// The token.
    pub token: SecretString,
    /// When it expires.
    pub expires: Timestamp,
    /// When it was fetched.
    pub fetched: Timestamp,
    /// The forced renewals of the last 24 hours.
    pub forced: Vec<Timestamp>,
}

/// A file that WeChat has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMedia {
    /// Its media_id.
    pub media_id: String,
    /// When WeChat forgets it.
    pub expires: Timestamp,
}

impl Store {
    /// The token of an app.
    pub async fn token(&self, app: &AppName) -> Result<Option<StoredToken>, StoreError> {
        let mut conn = self.own_reader().await?;
        let row = sqlx::query("select token, expires, fetched, forced from tokens where app = $1")
            .bind(app.as_str())
            .fetch_optional(&mut *conn)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut cells = Cells::of(&row);
        let at = At {
            table: "tokens",
            row: app,
        };
        Ok(Some(StoredToken {
            token: SecretString::from(cells.next::<String>()?),
            expires: at.time("expires", cells.next()?)?,
            fetched: at.time("fetched", cells.next()?)?,
            forced: at
                .json::<Vec<i64>>("forced", &cells.next::<String>()?)?
                .into_iter()
                .map(|millis| at.time("forced", millis))
                .collect::<Result<_, _>>()?,
        }))
    }

    /// Keeps the token of an app.
    pub async fn save_token(&self, app: &AppName, token: &StoredToken) -> Result<(), StoreError> {
        let (app, token) = (app.clone(), token.clone());
        self.write(move |conn| {
            let (app, token) = (app.clone(), token.clone());
            async move {
                let forced: Vec<i64> = token.forced.iter().map(|at| at.as_millisecond()).collect();
                sqlx::query(
                    "insert into tokens (app, token, expires, fetched, forced) values ($1, $2, $3, $4, $5) \
                     on conflict (app) do update set token = excluded.token, expires = excluded.expires, \
                     fetched = excluded.fetched, forced = excluded.forced",
                )
                .bind(app.as_str())
                .bind(token.token.expose_secret())
                .bind(token.expires.as_millisecond())
                .bind(token.fetched.as_millisecond())
                .bind(to_json(&forced)?)
                .execute(conn)
                .await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// The media_id of a file, by the digest of its bytes.
    pub async fn media(&self, app: &AppName, digest: &str) -> Result<Option<StoredMedia>, StoreError> {
        let mut conn = self.own_reader().await?;
        let row = sqlx::query("select media_id, expires from media where app = $1 and digest = $2")
            .bind(app.as_str())
            .bind(digest)
            .fetch_optional(&mut *conn)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut cells = Cells::of(&row);
        let at = At {
            table: "media",
            row: &digest,
        };
        Ok(Some(StoredMedia {
            media_id: cells.next()?,
            expires: at.time("expires", cells.next()?)?,
        }))
    }

    /// Keeps the media_id of a file.
    pub async fn save_media(
        &self,
        app: &AppName,
        digest: &str,
        media: &StoredMedia,
    ) -> Result<(), StoreError> {
        let (app, digest, media) = (app.clone(), digest.to_owned(), media.clone());
        self.write(move |conn| {
            let insert = sqlx::query(
                "insert into media (app, digest, media_id, expires) values ($1, $2, $3, $4) \
                 on conflict (app, digest) do update set media_id = excluded.media_id, expires = excluded.expires",
            )
            .bind(app.as_str().to_owned())
            .bind(digest.clone())
            .bind(media.media_id.clone())
            .bind(media.expires.as_millisecond());
            async move { Ok(insert.execute(conn).await.map(drop)?) }.boxed()
        })
        .await
    }

    /// Forgets the media_id of a file, if it is still this one.
    pub async fn forget_media(&self, app: &AppName, digest: &str, media_id: &str) -> Result<(), StoreError> {
        let (app, digest, media_id) = (app.clone(), digest.to_owned(), media_id.to_owned());
        self.write(move |conn| {
            let delete = sqlx::query("delete from media where app = $1 and digest = $2 and media_id = $3")
                .bind(app.as_str().to_owned())
                .bind(digest.clone())
                .bind(media_id.clone());
            async move { Ok(delete.execute(conn).await.map(drop)?) }.boxed()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Bench, at};

    #[tokio::test]
    async fn a_token_outlives_the_daemon() {
        let bench = Bench::new().await;
        let app = "shop".into();
        assert!(bench.store.token(&app).await.expect("read").is_none());
        for (token, forced) in [("first", vec![]), ("second", vec![at(3), at(4)])] {
            let token = StoredToken {
                token: SecretString::from(token),
                expires: at(7200),
                fetched: at(1),
                forced,
            };
            bench.store.save_token(&app, &token).await.expect("write");
        }
        let bench = bench.reopen().await;
        let token = bench.store.token(&app).await.expect("read").expect("kept");
        assert_eq!(token.token.expose_secret(), "second");
        assert_eq!((token.expires, token.fetched), (at(7200), at(1)));
        assert_eq!(token.forced, [at(3), at(4)]);
        assert!(bench.store.token(&"other".into()).await.expect("read").is_none());
    }

    #[tokio::test]
    async fn a_media_id_is_forgotten_only_while_it_is_the_same() {
        let bench = Bench::new().await;
        let app = "shop".into();
        let media = |id: &str| StoredMedia {
            media_id: id.to_owned(),
            expires: at(100),
        };
        bench
            .store
            .save_media(&app, "d1", &media("old"))
            .await
            .expect("write");
        bench
            .store
            .save_media(&app, "d1", &media("new"))
            .await
            .expect("write");
        bench.store.forget_media(&app, "d1", "old").await.expect("write");
        assert_eq!(
            bench.store.media(&app, "d1").await.expect("read"),
            Some(media("new"))
        );
        assert_eq!(bench.store.media(&app, "d2").await.expect("read"), None);
        bench.store.forget_media(&app, "d1", "new").await.expect("write");
        assert_eq!(bench.store.media(&app, "d1").await.expect("read"), None);
    }
}
