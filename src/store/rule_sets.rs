//! The archive: every rule set that was ever live, and when it was. What a set is made of, others know.

use std::sync::Arc;

use futures_util::FutureExt;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::row::{At, Cells};
use super::{Store, StoreError};
use crate::message::RuleSetVersion;

/// One version of the rules went live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSetSwap {
    /// Which.
    pub version: RuleSetVersion,
    /// When. It was in force until the next swap.
    pub live: Timestamp,
}

/// One version of the rules in the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRuleSet {
    /// Which.
    pub version: RuleSetVersion,
    /// When it was stored, which is when it first went live.
    pub stored: Timestamp,
    /// When it last went live.
    pub live: Timestamp,
    /// How often it went live: more than once when others were in between.
    pub times: u32,
}

impl Store {
    /// Writes down that a version goes live at `at`, and the version itself unless it is there already. Nothing
    /// happens when it is the one that went live last. To be called before any message is judged by it: so no row of
    /// the log names a version that is not here.
    pub async fn keep_rule_set(
        &self,
        version: &RuleSetVersion,
        body: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (version, body): (RuleSetVersion, Arc<str>) = (version.clone(), body.into());
        self.write(move |conn| {
            let (version, body) = (version.clone(), Arc::clone(&body));
            async move { keep(conn, &version, &body, at).await }.boxed()
        })
        .await
    }

    /// The body of a version, as it was kept.
    pub async fn rule_set(&self, version: &RuleSetVersion) -> Result<Option<String>, StoreError> {
        let mut conn = self.reader().await?;
        let body = sqlx::query_scalar("select body from rule_sets where version = $1")
            .bind(version.as_str())
            .fetch_optional(&mut *conn)
            .await?;
        Ok(body)
    }

    /// The version that went live last: while a daemon runs, the one in force.
    pub async fn live_rule_set(&self) -> Result<Option<RuleSetSwap>, StoreError> {
        Ok(self.rule_set_swaps(1).await?.pop())
    }

    /// Which version went live when, the latest first, at most `limit`.
    pub async fn rule_set_swaps(&self, limit: u32) -> Result<Vec<RuleSetSwap>, StoreError> {
        let swaps = self.rule_set_swaps_from(None, limit).await?;
        Ok(swaps.into_iter().map(|(_, swap)| swap).collect())
    }

    /// A part of the history, the latest first, at most `limit` swaps: from a place on, that one included, or from the latest
    /// on. Each has its own place with it.
    pub async fn rule_set_swaps_from(
        &self,
        place: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, RuleSetSwap)>, StoreError> {
        let mut conn = self.reader().await?;
        let rows = sqlx::query(
            "select id, version, live from rule_set_swaps where id <= $1 order by id desc limit $2",
        )
        .bind(place.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(&mut *conn)
        .await?;
        rows.iter()
            .map(|row| {
                let mut cells = Cells::of(row);
                let id: i64 = cells.next()?;
                let version: String = cells.next()?;
                let at = At {
                    table: "rule_set_swaps",
                    row: &version,
                };
                let live = at.time("live", cells.next()?)?;
                let version = version.into();
                Ok((id, RuleSetSwap { version, live }))
            })
            .collect()
    }

    /// The place in the history at which a version went live last.
    pub async fn rule_set_place(&self, version: &RuleSetVersion) -> Result<Option<i64>, StoreError> {
        let mut conn = self.reader().await?;
        let place = sqlx::query_scalar("select max(id) from rule_set_swaps where version = $1")
            .bind(version.as_str())
            .fetch_one(&mut *conn)
            .await?;
        Ok(place)
    }

    /// All versions, that which went live last first.
    pub async fn rule_sets(&self) -> Result<Vec<StoredRuleSet>, StoreError> {
        let mut conn = self.reader().await?;
        let rows = sqlx::query(
            "select r.version, r.stored, l.live, n.times from \
             (select version, count(*) as times, max(id) as latest from rule_set_swaps group by version) n \
             join rule_sets r on r.version = n.version join rule_set_swaps l on l.id = n.latest order by n.latest desc",
        )
        .fetch_all(&mut *conn)
        .await?;
        rows.iter()
            .map(|row| {
                let mut cells = Cells::of(row);
                let version: String = cells.next()?;
                let at = At {
                    table: "rule_sets",
                    row: &version,
                };
                let stored = at.time("stored", cells.next()?)?;
                let live = at.time("live", cells.next()?)?;
                let times = at.count("times", cells.next()?)?;
                Ok(StoredRuleSet {
                    version: version.into(),
                    stored,
                    live,
                    times,
                })
            })
            .collect()
    }
}

async fn keep(
    conn: &mut SqliteConnection,
    version: &RuleSetVersion,
    body: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let last: Option<String> =
        sqlx::query_scalar("select version from rule_set_swaps order by id desc limit 1")
            .fetch_optional(&mut *conn)
            .await?;
    if last.as_deref() == Some(version.as_str()) {
        return Ok(());
    }
    sqlx::query(
        "insert into rule_sets (version, body, stored) values ($1, $2, $3) on conflict (version) do nothing",
    )
    .bind(version.as_str())
    .bind(body)
    .bind(at.as_millisecond())
    .execute(&mut *conn)
    .await?;
    sqlx::query("insert into rule_set_swaps (version, live) values ($1, $2)")
        .bind(version.as_str())
        .bind(at.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Bench, at};

    #[tokio::test]
    async fn every_version_is_kept_once_and_each_swap_is_told() {
        let bench = Bench::new().await;
        assert_eq!(bench.store.live_rule_set().await.expect("read"), None);
        assert_eq!(bench.store.rule_sets().await.expect("read"), []);
        // The same again is no swap; the clock may go back.
        for (version, body, seconds) in [
            ("v1", "one", 1),
            ("v1", "one", 2),
            ("v2", "two", 9),
            ("v1", "another body of the same name", 5),
        ] {
            let kept = bench
                .store
                .keep_rule_set(&version.into(), body, at(seconds))
                .await;
            kept.expect("written");
        }
        let bench = bench.reopen().await;
        let body = async |version: &str| bench.store.rule_set(&version.into()).await.expect("read");
        assert_eq!(body("v1").await.as_deref(), Some("one"));
        assert_eq!(body("v2").await.as_deref(), Some("two"));
        assert_eq!(body("v3").await, None);
        let swap = |version: &str, seconds| RuleSetSwap {
            version: version.into(),
            live: at(seconds),
        };
        let swaps = bench.store.rule_set_swaps(9).await.expect("read");
        assert_eq!(swaps, [swap("v1", 5), swap("v2", 9), swap("v1", 1)]);
        assert_eq!(bench.store.rule_set_swaps(2).await.expect("read"), swaps[..2]);
        assert_eq!(
            bench.store.live_rule_set().await.expect("read"),
            Some(swap("v1", 5))
        );
        let from = async |place| {
            let swaps = bench.store.rule_set_swaps_from(place, 2).await.expect("read");
            swaps.into_iter().unzip::<_, _, Vec<i64>, Vec<RuleSetSwap>>()
        };
        let (places, latest) = from(None).await;
        assert_eq!(latest, swaps[..2]);
        assert_eq!(from(Some(places[1])).await.1, swaps[1..]);
        let place = async |version: &str| bench.store.rule_set_place(&version.into()).await;
        assert_eq!(place("v1").await.expect("read"), Some(places[0]));
        assert_eq!(place("v3").await.expect("read"), None);
        let all = bench.store.rule_sets().await.expect("read");
        let stored = |version: &str, stored, live, times| StoredRuleSet {
            version: version.into(),
            stored: at(stored),
            live: at(live),
            times,
        };
        assert_eq!(all, [stored("v1", 1, 5, 2), stored("v2", 9, 9, 1)]);
    }
}
