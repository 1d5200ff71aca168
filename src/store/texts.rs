//! What customers wrote lately, each text once: what went unanswered, and what rules answered.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sqlx::{QueryBuilder, SqliteConnection};

use super::index::tokens::Wanted;
use super::index::{Part, number_of};
use super::row::{ceil_millis, to_json};
use super::{Store, StoreError};
use crate::message::{AppName, InboundStatus, MessageId, RuleName};

/// The most messages that are looked at.
const MOST: usize = 20_000;

/// Rows that are looked up at once.
const PIECE: usize = 2000;

/// Texts of the messages of some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts<T> {
    /// Each text once, the most frequent first.
    pub texts: Vec<T>,
    /// How many messages were looked at.
    pub messages: usize,
    /// Every such message from here on was looked at: the time that was asked for, or a later one where there were too many.
    pub since: Timestamp,
}

/// A text that no rule answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnansweredText {
    /// The text, as its first writer wrote it.
    pub text: String,
    /// How often it came.
    pub count: u64,
    /// When it came last, and that message.
    pub last: (Timestamp, MessageId),
    /// How many customers wrote it.
    pub users: u64,
}

/// A text that a rule answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredText {
    /// The app.
    pub app: AppName,
    /// The rule.
    pub rule: RuleName,
    /// The text.
    pub text: String,
    /// How often it came.
    pub count: u64,
}

impl Store {
    /// The texts that no rule answered from `since` on, of the newest `limit` such messages (at most 20,000).
    pub async fn unanswered(
        &self,
        app: Option<&AppName>,
        since: Timestamp,
        limit: usize,
    ) -> Result<Texts<UnansweredText>, StoreError> {
        let recent = self.recent(InboundStatus::Unmatched, app, since, limit).await?;
        let mut texts: HashMap<&str, UnansweredText> = HashMap::new();
        let mut writers = HashSet::new();
        for row in &recent.rows {
            // The newest comes first.
            let text = texts.entry(&row.text).or_insert_with(|| UnansweredText {
                text: row.text.clone(),
                count: 0,
                last: (row.time, row.id),
                users: 0,
            });
            text.count += 1;
            text.users += u64::from(writers.insert((&row.text, &row.app, &row.openid)));
        }
        let mut texts: Vec<UnansweredText> = texts.into_values().collect();
        texts.sort_by_key(|text| Reverse((text.count, text.last)));
        Ok(Texts {
            texts,
            messages: recent.rows.len(),
            since: recent.since,
        })
    }

    /// The texts that rules answered from `since` on, of the newest `limit` such messages (at most 20,000).
    pub async fn answered(
        &self,
        app: Option<&AppName>,
        since: Timestamp,
        limit: usize,
    ) -> Result<Texts<AnsweredText>, StoreError> {
        let recent = self.recent(InboundStatus::Matched, app, since, limit).await?;
        let mut texts: HashMap<(&str, &str, &str), u64> = HashMap::new();
        for row in &recent.rows {
            let rule = row.rule.as_deref().unwrap_or_default();
            *texts.entry((&row.app, rule, &row.text)).or_default() += 1;
        }
        let mut texts: Vec<AnsweredText> = texts
            .into_iter()
            .map(|((app, rule, text), count)| AnsweredText {
                app: app.into(),
                rule: rule.into(),
                text: text.to_owned(),
                count,
            })
            .collect();
        texts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.text.cmp(&b.text)));
        Ok(Texts {
            texts,
            messages: recent.rows.len(),
            since: recent.since,
        })
    }

    async fn recent(
        &self,
        status: InboundStatus,
        app: Option<&AppName>,
        since: Timestamp,
        limit: usize,
    ) -> Result<Recent, StoreError> {
        let limit = limit.clamp(1, MOST);
        let from = ceil_millis(since);
        // The log's connection first, as everywhere: two who wait for each other's would wait for long.
        let mut log = self.reader().await?;
        let (mark, index) = self.indexed().await?;
        let mut recent = Recent {
            rows: Vec::new(),
            since,
        };
        let behind = self.index().tail(&mut log, mark).await?;
        let mut query = select(status, app);
        // One bound: of two, SQLite seeks by one alone.
        let bound = behind.max((from, i64::MIN));
        query
            .push(" and (m.time, m.id) > (")
            .push_bind(bound.0)
            .push(", ")
            .push_bind(bound.1)
            .push(") order by m.time desc, m.id desc limit ")
            .push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
        recent.take(query, &mut log).await?;
        if let Some(mut index) = index {
            let mut wanted = Wanted::default().status(status.as_str()).typed();
            if let Some(app) = app {
                wanted = wanted.app(app);
            }
            let mut before = number_of(&mut index, (i64::MAX, i64::MAX)).await?;
            let from = number_of(&mut index, (from, i64::MIN)).await?;
            for part in Part::all(&mut index).await? {
                while recent.rows.len() < limit && part.begins_before(before) {
                    let piece = PIECE.min(limit - recent.rows.len());
                    let candidates = part.candidates(&mut index, &wanted, from, before, piece).await?;
                    let ids: Vec<i64> = candidates.iter().map(|candidate| candidate.id).collect();
                    let mut query = select(status, app);
                    query
                        .push(" and m.id in (select value from json_each(")
                        .push_bind(to_json(&ids)?)
                        .push(")) order by m.time desc, m.id desc");
                    recent.take(query, &mut log).await?;
                    match candidates.last() {
                        Some(last) if candidates.len() == piece => before = last.seq,
                        _ => break,
                    }
                }
            }
        }
        if behind > mark {
            // Between the index, if any, and the newest rows some were left out.
            recent.since = since.max(Timestamp::from_millisecond(behind.0).unwrap_or(since));
        }
        if recent.rows.len() >= limit
            && let Some(last) = recent.rows.last()
        {
            recent.since = last.time;
        }
        Ok(recent)
    }
}

/// Messages, the newest first.
struct Recent {
    rows: Vec<Row>,
    since: Timestamp,
}

struct Row {
    id: MessageId,
    time: Timestamp,
    app: String,
    openid: String,
    rule: Option<String>,
    text: String,
}

impl Recent {
    async fn take(
        &mut self,
        mut query: QueryBuilder<sqlx::Sqlite>,
        log: &mut SqliteConnection,
    ) -> Result<(), StoreError> {
        let rows: Vec<(i64, i64, String, String, Option<String>, String)> =
            query.build_query_as().fetch_all(log).await?;
        self.rows
            .extend(rows.into_iter().map(|(id, time, app, openid, rule, text)| Row {
                id: MessageId::from_i64(id),
                time: Timestamp::from_millisecond(time).unwrap_or(Timestamp::MAX),
                app,
                openid,
                rule,
                text,
            }));
        Ok(())
    }
}

fn select(status: InboundStatus, app: Option<&AppName>) -> QueryBuilder<sqlx::Sqlite> {
    let mut query = QueryBuilder::new(
        "select m.id, m.time, m.app, m.openid, m.rule, m.content from messages m where m.direction = 'in' \
         and m.msg_type = 'text' and m.content is not null and m.status = ",
    );
    query.push_bind(status.as_str());
    if let Some(app) = app {
        query.push(" and m.app = ").push_bind(app.as_str());
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Bench, at, shop};
    use crate::store::{Filter, Order};

    #[tokio::test]
    async fn without_an_index_it_is_told_how_far_back_was_looked() {
        let bench = Bench::new().await;
        bench.receive(1, "oAlice", &[]).await;
        sqlx::query(
            "insert into messages (id, app, openid, direction, time, msg_type, content, fields, status, dedup_key) \
             select m.id + 16 * value, m.app, m.openid, 'in', m.time + 10 * value, 'text', 'x', '{}', 'unmatched', value \
             from messages m, (with recursive n (value) as (select 1 union all select value + 1 from n where value < 30000) \
             select value from n)",
        )
        .execute(&mut bench.raw().await)
        .await
        .expect("written");
        bench.store.index().close_readers().await;
        let other = "other".into();
        let found = bench
            .store
            .unanswered(Some(&other), at(0), MOST)
            .await
            .expect("read");
        assert!(found.messages == 0 && found.since >= at(90), "{found:?}");
    }

    #[tokio::test]
    async fn unanswered_texts_are_those_of_the_log_in_the_index_or_not() {
        let bench = Bench::new().await;
        shop(&bench, 0..120, 1).await;
        bench.index_at(119).await;
        let filter = Filter {
            status: Some("unmatched".into()),
            app: Some("shop".into()),
            since: Some(at(20)),
            ..Filter::default()
        };
        let mut rows = bench
            .store
            .entries(&filter, Order::NewestFirst)
            .await
            .expect("read");
        rows.retain(|entry| entry.msg_type == "text");
        let app = "shop".into();
        let all = bench
            .store
            .unanswered(Some(&app), at(20), MOST)
            .await
            .expect("read");
        assert_eq!((all.messages, all.since), (rows.len(), at(20)));
        for text in &all.texts {
            let same: Vec<_> = rows
                .iter()
                .filter(|row| row.content.as_ref() == Some(&text.text))
                .collect();
            let users: HashSet<_> = same.iter().map(|row| &row.openid).collect();
            assert_eq!((text.count, text.users), (same.len() as u64, users.len() as u64));
            assert_eq!(text.last, (same[0].time, same[0].id));
        }
        assert_eq!(
            all.texts.iter().map(|text| text.count).sum::<u64>(),
            rows.len() as u64
        );
        let some = bench.store.unanswered(Some(&app), at(20), 7).await.expect("read");
        assert_eq!((some.messages, some.since), (7, rows[6].time));
        let no_index = bench.open(crate::store::Access::Command).await.expect("opens");
        no_index.index().close_readers().await;
        let all_again = no_index.unanswered(Some(&app), at(20), MOST).await.expect("read");
        assert_eq!((all_again.messages, all_again.since), (rows.len(), at(20)));
        let answered = bench.store.answered(None, at(0), MOST).await.expect("read");
        assert!(answered.messages > 10 && answered.texts.iter().all(|text| text.rule.as_str() != ""));
    }
}
