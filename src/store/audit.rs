//! Who did what by hand. A row is written in the very transaction that does it.

use std::sync::Arc;

use futures_util::FutureExt;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

use super::row::{At, Cells, to_json};
use super::{Store, StoreError};
use crate::message::OpenId;

/// One thing that somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Its place in the list: later ones have greater numbers.
    pub id: i64,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub user: String,
    /// What, in a word: `reply`, `mute`, `rules.save`.
    pub action: String,
    /// To what: an openid, a file, a message's id.
    pub subject: String,
    /// What else there is to know.
    pub detail: Value,
}

impl Store {
    /// Notes that `user` did something, for what other rooms do. What this room does by hand it notes itself.
    pub async fn audit(
        &self,
        user: &str,
        action: &str,
        subject: &str,
        detail: Value,
    ) -> Result<(), StoreError> {
        let time = self.clock().now();
        let [user, action, subject] = [user, action, subject].map(Arc::<str>::from);
        self.write(move |conn| {
            let (user, action, subject) = (Arc::clone(&user), Arc::clone(&action), Arc::clone(&subject));
            let detail = detail.clone();
            async move { note(conn, time, &user, &action, &subject, &detail).await }.boxed()
        })
        .await
    }

    /// What was done, the latest first, at most `limit`; `before` is the [`Audit::id`] behind which to go on.
    pub async fn audits(&self, before: Option<i64>, limit: u32) -> Result<Vec<Audit>, StoreError> {
        let mut conn = self.reader().await?;
        let rows = sqlx::query(
            "select id, time, user, action, subject, detail from audit where id < $1 order by id desc limit $2",
        )
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(&mut *conn)
        .await?;
        rows.iter()
            .map(|row| {
                let mut cells = Cells::of(row);
                let id = cells.next()?;
                let at = At {
                    table: "audit",
                    row: &id,
                };
                Ok(Audit {
                    id,
                    time: at.time("time", cells.next()?)?,
                    user: cells.next()?,
                    action: cells.next()?,
                    subject: cells.next()?,
                    detail: at.json("detail", cells.next()?)?,
                })
            })
            .collect()
    }
}

/// Writes a row.
pub(super) async fn note(
    conn: &mut SqliteConnection,
    time: Timestamp,
    user: &str,
    action: &str,
    subject: &str,
    detail: &Value,
) -> Result<(), StoreError> {
    sqlx::query("insert into audit (time, user, action, subject, detail) values ($1, $2, $3, $4, $5)")
        .bind(time.as_millisecond())
        .bind(user)
        .bind(action)
        .bind(subject)
        .bind(to_json(detail)?)
        .execute(conn)
        .await?;
    Ok(())
}

/// What stands for the openid of a user who was forgotten. Whoever has the openid can tell that it is the same; nobody
/// can find it from this, for openids are long and random.
pub(super) fn pseudonym(openid: &OpenId) -> String {
    let digest = Sha256::digest(openid.as_str());
    let hex: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::testing::{Bench, at};

    #[tokio::test]
    async fn what_was_done_is_listed_the_latest_first_and_in_pages() {
        let bench = Bench::new().await;
        for n in 0..5 {
            // The clock goes back: the order is that of the deeds.
            bench.turn_to(10 - n);
            let subject = format!("rules/{n}.toml");
            let noted = bench
                .store
                .audit("ops", "rules.save", &subject, json!({ "n": n }))
                .await;
            noted.expect("written");
        }
        let first = bench.store.audits(None, 3).await.expect("read");
        let of = |audits: &[Audit]| -> Vec<i64> {
            audits
                .iter()
                .filter_map(|audit| audit.detail["n"].as_i64())
                .collect()
        };
        assert_eq!(of(&first), [4, 3, 2]);
        let last = &first[2];
        assert_eq!(
            (
                last.time,
                last.user.as_str(),
                last.action.as_str(),
                last.subject.as_str()
            ),
            (at(8), "ops", "rules.save", "rules/2.toml")
        );
        let rest = bench.store.audits(Some(last.id), 9).await.expect("read");
        assert_eq!(of(&rest), [1, 0]);
    }
}
