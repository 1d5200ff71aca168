//! One user's messages and the replies to them, walked back along `messages.previous` as far as a page needs.

use jiff::Timestamp;
use sqlx::{QueryBuilder, SqliteConnection};

use super::contact;
use super::cursor::At;
use super::index::Place;
use super::log::{COLUMNS, conditions, contains, entry};
use super::row::{ceil_millis, to_json};
use super::search::needle;
use super::{Cursor, Filter, Found, Order, Store, StoreError};
use crate::message::{AppName, Entry, MessageId, OpenId};

/// Messages that are looked at together; their rows are put in order.
const CHUNK: usize = 64;

/// Messages that are walked past together on the way to one of them.
const STRIDE: usize = 512;

/// Messages that one page walks back through.
const WALKED: usize = 5000;

/// Rows around one message, in its thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around {
    /// The rows, newest first; the message is among them.
    pub entries: Vec<Entry>,
    /// Where older ones begin.
    pub older: Option<Cursor>,
    /// Whether the user's newest message is among them.
    pub newest: bool,
}

impl Store {
    /// A page of a user's thread, newest first: messages, events and replies.
    pub async fn thread(
        &self,
        app: &AppName,
        openid: &OpenId,
        before: Option<&Cursor>,
        limit: usize,
    ) -> Result<Found, StoreError> {
        let filter = Filter {
            app: Some(app.clone()),
            openid: Some(openid.clone()),
            ..Filter::default()
        };
        self.search(&filter, before, limit).await
    }

    /// The rows around one message or reply: `limit` messages before it and as many after it, as far as they can be
    /// found within 5,000 messages from the user's newest; beyond, only older ones. None where there is no such row.
    pub async fn around(&self, id: MessageId, limit: usize) -> Result<Option<Around>, StoreError> {
        let Some(middle) = self.entry(id).await? else {
            return Ok(None);
        };
        let (app, openid) = (&middle.app, &middle.openid);
        let mut conn = self.reader().await?;
        let mut newer: Vec<MessageId> = Vec::new();
        let place = self.journal().durable_place(app, openid);
        let mut from = contact::latest(&mut conn, app, openid, place).await?;
        let mut reached = false;
        for _ in 0..WALKED.div_ceil(STRIDE) {
            let Some(first) = from.filter(|_| !reached) else {
                break;
            };
            let chain = chain(&mut conn, app, openid, first, STRIDE).await?;
            let before = chain.messages.iter().take_while(|at| **at != id.message());
            newer.extend(before);
            reached = chain.messages.contains(&id.message());
            from = chain.next;
        }
        if !reached {
            newer.clear();
        }
        let newest = reached && newer.len() <= limit;
        let newer = newer.split_off(newer.len().saturating_sub(limit));
        let rows = rows_of(&newer)?.build().fetch_all(&mut *conn).await?;
        let mut entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        drop(conn);
        entries.sort_by_key(|entry| std::cmp::Reverse((entry.time, entry.id)));
        let from = Cursor(At::Thread {
            from: id.message(),
            before: None,
        });
        // A message has at most so many replies, which are shown whole.
        let slots = MessageId::MAX_REPLIES + 1;
        let older = self.thread(app, openid, Some(&from), limit + slots).await?;
        entries.extend(older.entries);
        Ok(Some(Around {
            entries,
            older: older.next,
            newest,
        }))
    }

    /// [`Store::search`] of one user.
    pub(super) async fn search_threads(
        &self,
        filter: &Filter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Found, StoreError> {
        let Some(openid) = &filter.openid else {
            return Ok(page(Vec::new(), None, i64::MIN));
        };
        let app = match &filter.app {
            Some(app) => app.clone(),
            None => {
                let mut apps = self.apps_that_know(None, openid).await?;
                match (apps.pop(), apps.is_empty()) {
                    (Some(app), true) => app,
                    (None, _) => return Ok(page(Vec::new(), None, i64::MIN)),
                    (Some(_), false) => return self.search_everywhere(filter, cursor, limit).await,
                }
            }
        };
        let app = &app;
        let needle = needle(filter);
        let since = filter.since.map_or(i64::MIN, ceil_millis);
        let mut conn = self.reader().await?;
        let (mut from, mut before) = match cursor {
            Some(Cursor(At::Thread { from, before })) => (Some(*from), *before),
            _ => {
                let place = self.journal().durable_place(app, openid);
                (contact::latest(&mut conn, app, openid, place).await?, None)
            }
        };
        let mut entries: Vec<Entry> = Vec::new();
        let mut walked = 0;
        let mut back_to = i64::MAX;
        while let Some(first) = from {
            let chain = chain(&mut conn, app, openid, first, CHUNK).await?;
            let mut query = rows_of(&chain.messages)?;
            conditions(&mut query, filter);
            let rows = query.build().fetch_all(&mut *conn).await?;
            let mut found = Vec::with_capacity(rows.len());
            for row in &rows {
                let entry = entry(row)?;
                let is_before = before.is_none_or(|before| place(&entry) < before);
                let has = needle
                    .as_ref()
                    .is_none_or(|needle| contains(entry.content.as_deref(), needle));
                if is_before && has {
                    found.push(entry);
                }
            }
            found.sort_by_key(|entry| std::cmp::Reverse((entry.time, entry.id)));
            for entry in found {
                if entries.len() == limit {
                    before = entries.last().map(place);
                    let back_to = before.map_or(back_to, |before| before.0);
                    let next = At::Thread { from: first, before };
                    return Ok(page(entries, Some(next), back_to));
                }
                entries.push(entry);
            }
            before = None;
            back_to = chain.oldest;
            walked += chain.messages.len();
            from = chain.next.filter(|_| chain.oldest >= since);
            if let Some(from) = from.filter(|_| walked >= WALKED) {
                return Ok(page(entries, Some(At::Thread { from, before: None }), back_to));
            }
        }
        Ok(page(entries, None, since))
    }

    /// A user whom several apps know: openids mean something in one app alone, so this hardly ever happens, and all of the
    /// user's messages are read.
    async fn search_everywhere(
        &self,
        filter: &Filter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Found, StoreError> {
        let after = match cursor {
            Some(Cursor(At::Before((time, id)))) => {
                let time = Timestamp::from_millisecond(*time).unwrap_or(Timestamp::MIN);
                Some((time, MessageId::from_i64(*id)))
            }
            _ => None,
        };
        let page_of = Filter {
            after,
            limit: Some(u32::try_from(limit + 1).unwrap_or(u32::MAX)),
            ..filter.clone()
        };
        let mut entries = self.entries(&page_of, Order::NewestFirst).await?;
        let more = entries.len() > limit;
        entries.truncate(limit);
        let last = entries.last().filter(|_| more).map(place);
        let since = filter.since.map_or(i64::MIN, ceil_millis);
        Ok(page(
            entries,
            last.map(At::Before),
            last.map_or(since, |last| last.0),
        ))
    }
}

fn page(entries: Vec<Entry>, next: Option<At>, back_to: i64) -> Found {
    Found {
        entries,
        next: next.map(Cursor),
        back_to: Timestamp::from_millisecond(back_to).unwrap_or(Timestamp::MIN),
    }
}

fn place(entry: &Entry) -> Place {
    (entry.time.as_millisecond(), entry.id.as_i64())
}

/// Some of a user's messages, the newest first.
struct Chain {
    messages: Vec<MessageId>,
    /// When the oldest of them came.
    oldest: i64,
    /// The one before them; it may have been erased.
    next: Option<MessageId>,
}

/// Follows the list of a user's messages from one of them on. It ends where a message was erased, or is another user's.
async fn chain(
    conn: &mut SqliteConnection,
    app: &AppName,
    openid: &OpenId,
    from: MessageId,
    limit: usize,
) -> Result<Chain, StoreError> {
    let rows: Vec<(i64, i64, Option<i64>)> = sqlx::query_as(
        "with recursive thread (id, time, previous) as ( \
         select id, time, previous from messages where id = $1 and app = $2 and openid = $3 and direction = 'in' \
         union select m.id, m.time, m.previous from thread join messages m on m.id = thread.previous limit $4) \
         select id, time, previous from thread",
    )
    .bind(from.as_i64())
    .bind(app.as_str())
    .bind(openid.as_str())
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    let full = rows.len() == limit;
    let last = rows.last().filter(|_| full);
    Ok(Chain {
        next: last.and_then(|(.., previous)| previous.map(MessageId::from_i64)),
        oldest: rows.last().map_or(i64::MIN, |(_, time, _)| *time),
        messages: rows.iter().map(|(id, ..)| MessageId::from_i64(*id)).collect(),
    })
}

/// The rows of messages and of the replies to them.
pub(super) fn rows_of(messages: &[MessageId]) -> Result<QueryBuilder<sqlx::Sqlite>, StoreError> {
    let ids: Vec<i64> = messages.iter().map(|id| id.as_i64()).collect();
    let mut query = QueryBuilder::new("select ");
    query
        .push(COLUMNS)
        .push(" from json_each(")
        .push_bind(to_json(&ids)?)
        .push(format_args!(
            ") j cross join messages m on m.id between j.value and j.value + {} where true",
            MessageId::MAX_REPLIES
        ));
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Inbound;
    use crate::store::testing::{Bench, alice, answering, at, inbound};

    /// 200 messages of Alice's, each with a reply; Bob's between them.
    async fn told() -> Bench {
        let bench = Bench::new().await;
        for n in 0..400 {
            let second = i64::try_from(n).expect("small");
            bench.turn_to(second);
            let message = Inbound {
                id: MessageId::new(at(second).as_second(), n * 31),
                received: at(second),
                ..inbound(n, if n % 2 == 0 { "oAlice" } else { "oBob" })
            };
            bench.record(message, answering(&["x"])).await.expect("recorded");
        }
        bench
    }

    async fn whole(bench: &Bench) -> Vec<Entry> {
        let filter = Filter {
            app: Some("shop".into()),
            openid: Some(alice()),
            ..Filter::default()
        };
        bench
            .store
            .entries(&filter, Order::NewestFirst)
            .await
            .expect("read")
    }

    #[tokio::test]
    async fn a_thread_is_read_page_by_page() {
        let bench = told().await;
        let expected = whole(&bench).await;
        assert_eq!(expected.len(), 400);
        for limit in [1, 50, 128, 1000] {
            let (mut read, mut cursor) = (Vec::new(), None);
            loop {
                let page = bench
                    .store
                    .thread(&"shop".into(), &alice(), cursor.as_ref(), limit)
                    .await
                    .expect("read");
                read.extend(page.entries);
                let Some(next) = page.next else { break };
                cursor = Some(next);
            }
            assert_eq!(read, expected, "{limit}");
        }
        // Somebody else's cursor shows nothing of theirs.
        let bobs = bench
            .store
            .thread(&"shop".into(), &"oBob".into(), None, 10)
            .await
            .expect("read");
        let page = bench
            .store
            .thread(&"shop".into(), &alice(), bobs.next.as_ref(), 10)
            .await;
        assert_eq!(page.expect("read").entries, []);
    }

    #[tokio::test]
    async fn a_message_stands_among_its_neighbours() {
        let bench = told().await;
        let expected = whole(&bench).await;
        for place in [0, 1, 150, 399] {
            let id = expected[place].id;
            let around = bench.store.around(id, 10).await.expect("read").expect("is there");
            let at = around
                .entries
                .iter()
                .position(|entry| entry.id == id)
                .expect("is among them");
            assert_eq!(around.newest, place < 22, "{place}");
            let from = place - at;
            assert_eq!(
                around.entries,
                expected[from..from + around.entries.len()],
                "{place}"
            );
            assert!(from == 0 || at >= 18, "{place}: {at} newer");
            assert_eq!(around.older.is_none(), place == 399);
        }
        assert_eq!(
            bench.store.around(MessageId::new(1, 1), 10).await.expect("read"),
            None
        );
    }
}
