//! Who is signed in. The database knows a cookie's digest only: whoever reads a copy of it can't sign in with that.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use jiff::Timestamp;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;

use super::row::{At, Cells};
use super::{Store, StoreError};
use crate::clock::after;

/// A person who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Their name.
    pub user: String,
    /// When they signed in.
    pub created: Timestamp,
    /// When they have to sign in again.
    pub expires: Timestamp,
    /// What [`Store::create_session`] was given of their password. Where it is another by now, the session has ended.
    pub password_digest: Vec<u8>,
}

impl Store {
    /// Signs a user in for `ttl`. `password_digest` is a digest of the hash of the password that they gave. Gives the
    /// cookie's value: 32 random bytes in base64url.
    pub async fn create_session(
        &self,
        user: &str,
        password_digest: &[u8],
        ttl: Duration,
    ) -> Result<SecretString, StoreError> {
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let (digest, user): (Vec<u8>, Arc<str>) = (digest(&token), user.into());
        let password = password_digest.to_vec();
        let created = self.clock().now();
        let expires = after(created, ttl);
        self.write(move |conn| {
            let (digest, user, password) = (digest.clone(), Arc::clone(&user), password.clone());
            async move {
                sqlx::query(
                    "insert into sessions (digest, user, created, expires, password) values ($1, $2, $3, $4, $5)",
                )
                .bind(digest)
                .bind(&*user)
                .bind(created.as_millisecond())
                .bind(expires.as_millisecond())
                .bind(password)
                .execute(conn)
                .await?;
                Ok(())
            }
            .boxed()
        })
        .await?;
        Ok(token.into())
    }

    /// The session that a cookie's value stands for, unless it has ended.
    pub async fn session(&self, token: &str) -> Result<Option<Session>, StoreError> {
        let mut conn = self.reader().await?;
        let row = sqlx::query(
            "select user, created, expires, password from sessions where digest = $1 and expires > $2",
        )
        .bind(digest(token))
        .bind(self.clock().now().as_millisecond())
        .fetch_optional(&mut *conn)
        .await?;
        row.as_ref().map(read).transpose()
    }

    /// Everybody who is signed in, the latest first.
    pub async fn sessions(&self) -> Result<Vec<Session>, StoreError> {
        let mut conn = self.reader().await?;
        let rows = sqlx::query(
            "select user, created, expires, password from sessions where expires > $1 order by created desc",
        )
        .bind(self.clock().now().as_millisecond())
        .fetch_all(&mut *conn)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Signs out: the cookie's value stands for nothing any more.
    pub async fn end_session(&self, token: &str) -> Result<(), StoreError> {
        let digest = digest(token);
        self.write(move |conn| {
            let digest = digest.clone();
            async move {
                sqlx::query("delete from sessions where digest = $1")
                    .bind(digest)
                    .execute(conn)
                    .await?;
                Ok(())
            }
            .boxed()
        })
        .await
    }
}

fn read(row: &SqliteRow) -> Result<Session, StoreError> {
    let mut cells = Cells::of(row);
    let user: String = cells.next()?;
    let at = At {
        table: "sessions",
        row: &user,
    };
    let created = at.time("created", cells.next()?)?;
    let expires = at.time("expires", cells.next()?)?;
    Ok(Session {
        user,
        created,
        expires,
        password_digest: cells.next()?,
    })
}

fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::store::testing::{Bench, at};

    const HOUR: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn a_cookie_stands_for_its_user_until_it_ends() {
        let bench = Bench::new().await;
        let token = bench
            .store
            .create_session("ops", b"hash", HOUR)
            .await
            .expect("written");
        let token = token.expose_secret();
        assert_eq!(URL_SAFE_NO_PAD.decode(token).map(|bytes| bytes.len()), Ok(32));
        let session = Session {
            user: "ops".to_owned(),
            created: at(0),
            expires: at(3600),
            password_digest: b"hash".to_vec(),
        };
        let bench = bench.reopen().await;
        bench.turn_to(3599);
        let found = bench.store.session(token).await.expect("read");
        assert_eq!(found.as_ref(), Some(&session));
        assert_eq!(bench.store.session("another").await.expect("read"), None);
        assert_eq!(bench.store.sessions().await.expect("read"), [session]);
        bench.turn_to(3600);
        assert_eq!(bench.store.session(token).await.expect("read"), None);
    }

    #[tokio::test]
    async fn signing_out_ends_one_session_and_no_other() {
        let bench = Bench::new().await;
        let mut tokens = Vec::new();
        for user in ["ops", "ops", "ops", "ann"] {
            tokens.push(
                bench
                    .store
                    .create_session(user, b"hash", HOUR)
                    .await
                    .expect("written"),
            );
        }
        let signed_in = async || {
            let mut signed_in = Vec::new();
            for token in &tokens {
                let session = bench.store.session(token.expose_secret()).await.expect("read");
                signed_in.push(session.is_some());
            }
            signed_in
        };
        bench
            .store
            .end_session(tokens[1].expose_secret())
            .await
            .expect("written");
        assert_eq!(signed_in().await, [true, false, true, true]);
    }

    #[tokio::test]
    async fn the_database_does_not_hold_what_the_browser_holds() {
        let bench = Bench::new().await;
        let token = bench
            .store
            .create_session("ops", b"hash", HOUR)
            .await
            .expect("written");
        bench.store.close().await;
        let file = std::fs::read(bench.dir.path().join("t.db")).expect("readable");
        let raw = URL_SAFE_NO_PAD.decode(token.expose_secret()).expect("base64");
        for secret in [token.expose_secret().as_bytes(), &raw] {
            assert!(!file.windows(secret.len()).any(|window| window == secret));
        }
    }
}
