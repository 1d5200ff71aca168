//! How often each rule had to do with a message, counted over the log.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::counts::hour_of_end;
use super::index::{HOUR, live};
use super::row::{At, Cells, ceil_millis};
use super::{Store, StoreError};
use crate::message::{AppName, MessageId, RuleName};

/// What the log says of one rule of one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleHits {
    /// Messages that it took: it decided, or (with `continue`) it replied.
    pub hits: u64,
    /// Messages for which its cooldown kept it silent.
    pub silent: u64,
    /// Messages that it only watched (`observe`).
    pub observed: u64,
    /// When the last of all these came.
    pub last: Option<Timestamp>,
}

/// A message and the replies to it are counted as one by their common part of the key. The second half reads what
/// `observe` rules left in a push's row: a JSON list, the same few over and over.
const SQL: &str = "\
    select app, rule, case status when 'cooldown' then 1 else 0 end as silent, count(distinct id / $2), max(time) \
    from messages where time >= $1 and rule is not null group by app, rule, silent \
    union all \
    select app, observed, 2, count(*), max(time) \
    from messages where time >= $1 and observed is not null group by app, observed";

impl Store {
    /// What [`Store::rule_hits`] counts, from the index where there is one: whole hours are summed up already, so that it takes
    /// no longer on a long log. A reply counts when it was decided, however long after its message. While a daemon's index is
    /// far behind (see [`Store::index_status`]), hits of the time between are missing.
    pub async fn rule_counts(
        &self,
        since: Timestamp,
    ) -> Result<BTreeMap<(AppName, RuleName), RuleHits>, StoreError> {
        let (mark, index) = self.indexed().await?;
        let Some(mut index) = index.filter(|_| mark.0 > i64::MIN) else {
            return self.rule_hits(since).await;
        };
        let whole = hour_of_end(since);
        // Hours up to the first whole day, then days.
        let day = -(-whole).div_euclid(24);
        let rows: Vec<(String, String, i64, i64, i64, i64)> = sqlx::query_as(
            "select app, rule, sum(hits), sum(silent), sum(observed), max(last) from ( \
             select app, rule, hits, silent, observed, last from rule_hours where hour >= $1 and hour < $2 union all \
             select app, rule, hits, silent, observed, last from rule_days where day >= $3) group by app, rule",
        )
        .bind(whole)
        .bind(day.saturating_mul(24))
        .bind(day)
        .fetch_all(&mut *index)
        .await?;
        drop(index);
        let mut all: BTreeMap<_, RuleHits> = BTreeMap::new();
        let mut add = |app: String, rule: RuleName, hits: u64, silent: u64, observed: u64, last: i64| {
            let sum = all.entry((AppName::from(app), rule)).or_default();
            sum.hits += hits;
            sum.silent += silent;
            sum.observed += observed;
            sum.last = sum.last.max(Timestamp::from_millisecond(last).ok());
        };
        for (app, rule, hits, silent, observed, last) in rows {
            let [hits, silent, observed] =
                [hits, silent, observed].map(|count| u64::try_from(count).unwrap_or_default());
            add(app, rule.into(), hits, silent, observed, last);
        }
        let mut log = self.reader().await?;
        let behind = self.index().tail(&mut log, mark).await?;
        let (from, to) = (ceil_millis(since), whole.saturating_mul(HOUR));
        let beginning = live::count(&mut log, (i64::MIN, i64::MIN), from, to).await?;
        // The rows of the first, incomplete hour that are not in the index either are counted with it.
        let tail = live::count(&mut log, behind, from.max(to), i64::MAX).await?;
        for counts in [beginning, tail] {
            for ((_, app, rule), count) in counts.rules {
                add(app, rule, count.hits, count.silent, count.observed, count.last);
            }
        }
        Ok(all)
    }

    /// The hits of every rule that has any, among the messages that came from `since` on.
    pub async fn rule_hits(
        &self,
        since: Timestamp,
    ) -> Result<BTreeMap<(AppName, RuleName), RuleHits>, StoreError> {
        let slots = i64::try_from(MessageId::MAX_REPLIES + 1).unwrap_or(i64::MAX);
        let mut conn = self.reader().await?;
        let rows = sqlx::query(SQL)
            .bind(ceil_millis(since))
            .bind(slots)
            .fetch_all(&mut *conn)
            .await?;
        let mut all: BTreeMap<_, RuleHits> = BTreeMap::new();
        for row in &rows {
            let mut cells = Cells::of(row);
            let app = AppName::from(cells.next::<String>()?);
            let rule: String = cells.next()?;
            let at = At {
                table: "messages",
                row: &rule,
            };
            let kind: i64 = cells.next()?;
            let count = u64::from(at.count("count(*)", cells.next()?)?);
            let last = at.time("time", cells.next()?)?;
            let names: Vec<RuleName> = match kind {
                2 => at.json("observed", &rule)?,
                _ => vec![rule.as_str().into()],
            };
            for name in names {
                let hits = all.entry((app.clone(), name)).or_default();
                let which = match kind {
                    0 => &mut hits.hits,
                    1 => &mut hits.silent,
                    _ => &mut hits.observed,
                };
                *which += count;
                hits.last = hits.last.max(Some(last));
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::message::{Inbound, InboundStatus, Outbound, Reply};
    use crate::store::Judge;
    use crate::store::testing::{Bench, at, inbound, verdict};

    /// Message `n` at `n` seconds: how it was taken, by which rule, whose replies went out, who watched.
    async fn say(
        bench: &Bench,
        n: u64,
        status: InboundStatus,
        rule: Option<&'static str>,
        replies: &'static [&'static str],
        observed: &'static [&'static str],
    ) {
        let seconds = i64::try_from(n).expect("small");
        bench.turn_to(seconds);
        let judge: Judge = Box::new(move |_, facts| {
            let mut verdict = verdict(facts, &[]);
            verdict.decision.status = status;
            verdict.decision.rule = rule.map(Into::into);
            verdict.decision.observed = observed.iter().map(|name| (*name).into()).collect();
            let outbound = |name: &&str| Outbound {
                rule: (*name).into(),
                reply: Reply::Text("x".to_owned()),
                due: facts.now,
                typing: false,
                dropped: None,
            };
            verdict.outbound = replies.iter().map(outbound).collect();
            verdict
        });
        let message = Inbound {
            received: at(seconds),
            ..inbound(n, "oAlice")
        };
        bench.record(message, judge).await.expect("recorded");
    }

    #[tokio::test]
    async fn a_message_counts_once_however_many_replies_it_caused() {
        let bench = Bench::new().await;
        use InboundStatus::{Cooldown, Matched, Unmatched};
        say(&bench, 1, Matched, Some("a"), &["a"], &[]).await;
        say(
            &bench,
            2,
            Matched,
            Some("a"),
            &["a", "a", "also"],
            &["watch", "guard"],
        )
        .await;
        say(&bench, 3, Cooldown, Some("a"), &[], &["watch"]).await;
        say(&bench, 4, Unmatched, None, &[], &["watch"]).await;
        say(&bench, 5, Matched, Some("b"), &[], &[]).await;
        let told = async |since: i64| {
            let hits = bench.store.rule_hits(at(since)).await.expect("read");
            let line = |((app, rule), hits): (&(AppName, RuleName), &RuleHits)| {
                let last = hits.last.expect("a time").as_second() - at(0).as_second();
                format!(
                    "{app} {rule} {} {} {} @{last}",
                    hits.hits, hits.silent, hits.observed
                )
            };
            hits.iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(
            told(0).await,
            [
                "shop a 2 1 0 @3",
                "shop also 1 0 0 @2",
                "shop b 1 0 0 @5",
                "shop guard 0 0 1 @2",
                "shop watch 0 0 3 @4"
            ]
        );
        assert_eq!(told(4).await, ["shop b 1 0 0 @5", "shop watch 0 0 1 @4"]);
        assert_eq!(told(6).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn only_the_time_asked_for_is_read() {
        let bench = Bench::new().await;
        let plan = bench.plan(SQL).await;
        let searches = plan
            .iter()
            .filter(|step| step.contains("messages_by_time (time>?)"));
        assert_eq!(searches.count(), 2, "{plan:?}");
    }
}
