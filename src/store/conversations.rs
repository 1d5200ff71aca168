//! Conversations: each user once, the one who wrote last first.
//!
//! Walking back through the log, a message is its conversation's newest when the user's row says so (`contacts.latest`):
//! that costs no index, and a page finds its conversations among the newest messages. Who wrote long ago is found by
//! openid or by text.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::contact::{NEWEST, User, contact_columns, contact_names};
use super::cursor::At;
use super::index::Place;
use super::log::{COLUMNS, entry};
use super::row::{Cells, to_json};
use super::{Cursor, Store, StoreError};
use crate::message::{AppName, Contact, Entry, InboundStatus, MessageId, OpenId};

/// Rows of the log that one page walks through.
const WALKED: usize = 10_000;

/// Rows that are walked through at once.
const STEP: usize = 500;

/// A page ends when it has taken so long, and what it was at is done.
const PATIENCE: Duration = Duration::from_millis(40);

/// So many messages back the last reply is looked for.
const REPLY_WITHIN: usize = 3;

/// Which conversations; what is `None`, empty or false does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationFilter {
    /// One app.
    pub app: Option<AppName>,
    /// How the user's openid begins.
    pub openid_prefix: Option<String>,
    /// Only where no rule answered the last message.
    pub unmatched_only: bool,
    /// Only users who are muted now.
    pub muted_only: bool,
}

/// One user's conversation, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The app.
    pub app: AppName,
    /// The user.
    pub openid: OpenId,
    /// What is known of the user.
    pub contact: Contact,
    /// The user's newest message or event.
    pub last: Entry,
    /// The newest reply to it, or to one of the two before it.
    pub last_reply: Option<Entry>,
    /// How many replies wait to be sent.
    pub waiting: u32,
}

/// A page of conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversations {
    /// Those of the page. With `openid_prefix`, in the order of openids.
    pub conversations: Vec<Conversation>,
    /// Where to go on; none when there are no more, and with `openid_prefix`: who looks for one writes more of it. A page
    /// may be empty and have a next one.
    pub next: Option<Cursor>,
    /// Everything that happened since was looked at (not told with `openid_prefix`).
    pub back_to: Timestamp,
}

/// A user and their newest message.
struct Found {
    app: AppName,
    openid: OpenId,
    user: User,
}

impl Store {
    /// A page of conversations, at most `limit`, from `cursor` on.
    pub async fn conversations(
        &self,
        filter: &ConversationFilter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Conversations, StoreError> {
        let limit = limit.max(1);
        if filter
            .openid_prefix
            .as_deref()
            .is_some_and(|prefix| !prefix.is_empty())
        {
            return self.conversations_by_openid(filter, limit).await;
        }
        let began = Instant::now();
        let mut conn = self.reader().await?;
        let now = self.clock().now();
        let mut at = match cursor {
            Some(Cursor(At::Before(place))) => *place,
            _ => (i64::MAX, i64::MAX),
        };
        let (mut found, mut walked) = (Vec::new(), 0);
        let next = loop {
            let end = boundary(&mut conn, at).await?;
            let needed = limit + 1 - found.len();
            for row in walk(&mut conn, filter, now, (at, end), needed).await? {
                found.push(row);
            }
            if found.len() > limit {
                found.truncate(limit);
                break found.last().map(|(_, place)| *place);
            }
            let Some(end) = end else { break None };
            at = end;
            walked += STEP;
            if walked >= WALKED || began.elapsed() >= PATIENCE {
                break Some(at);
            }
        };
        let found = found.into_iter().map(|(found, _)| found).collect();
        Ok(Conversations {
            conversations: told(&mut conn, found).await?,
            back_to: next.map_or(Timestamp::MIN, |next| {
                Timestamp::from_millisecond(next.0).unwrap_or(Timestamp::MIN)
            }),
            next: next.map(|place| Cursor(At::Before(place))),
        })
    }

    async fn conversations_by_openid(
        &self,
        filter: &ConversationFilter,
        limit: usize,
    ) -> Result<Conversations, StoreError> {
        let began = Instant::now();
        let prefix = filter.openid_prefix.as_deref().unwrap_or_default();
        let now = self.clock().now();
        let mut conn = self.reader().await?;
        let mut after = None;
        let mut conversations: Vec<Conversation> = Vec::new();
        while conversations.len() < limit && began.elapsed() < PATIENCE {
            let found = by_openid(&mut conn, filter.app.as_ref(), prefix, after.as_ref(), limit).await?;
            let Some(last) = found.last() else { break };
            after = Some((last.app.clone(), last.openid.clone()));
            let found = told(&mut conn, found).await?;
            conversations.extend(found.into_iter().filter(|found| fits(found, filter, now)));
        }
        conversations.truncate(limit);
        Ok(Conversations {
            conversations,
            next: None,
            back_to: Timestamp::MIN,
        })
    }
}

fn fits(conversation: &Conversation, filter: &ConversationFilter, now: Timestamp) -> bool {
    let unmatched = conversation.last.status == InboundStatus::Unmatched.as_str();
    let muted = conversation.contact.muted_until.is_some_and(|until| until > now);
    (unmatched || !filter.unmatched_only) && (muted || !filter.muted_only)
}

/// The row that is [`STEP`] rows back, if there are as many.
async fn boundary(conn: &mut SqliteConnection, at: Place) -> Result<Option<Place>, StoreError> {
    Ok(sqlx::query_as(
        "select time, id from messages where (time, id) < ($1, $2) order by time desc, id desc limit 1 offset $3",
    )
    .bind(at.0)
    .bind(at.1)
    .bind(i64::try_from(STEP - 1).unwrap_or(i64::MAX))
    .fetch_optional(conn)
    .await?)
}

/// Conversations whose newest message lies between two places, and where.
async fn walk(
    conn: &mut SqliteConnection,
    filter: &ConversationFilter,
    now: Timestamp,
    (before, from): (Place, Option<Place>),
    limit: usize,
) -> Result<Vec<(Found, Place)>, StoreError> {
    // A key that is a multiple of 16 is none of a reply: that much the index by time tells.
    let mut query = QueryBuilder::<Sqlite>::new("with ");
    query.push(NEWEST).push(concat!(
        " select m.time, m.id, m.app, m.openid, ",
        contact_columns!(),
        " from messages m left join newest j on j.app = m.app and j.openid = m.openid \
         left join contacts c on j.seq is null and c.app = m.app and c.openid = m.openid \
         where iif(j.seq is null, c.latest, j.latest) = m.id \
         and (m.id & 15) = 0 and m.openid <> '' and (m.time, m.id) < ("
    ));
    query.push_bind(before.0).push(", ").push_bind(before.1).push(")");
    if let Some(from) = from {
        query
            .push(" and (m.time, m.id) >= (")
            .push_bind(from.0)
            .push(", ")
            .push_bind(from.1)
            .push(")");
    }
    if let Some(app) = &filter.app {
        query.push(" and m.app = ").push_bind(app.as_str());
    }
    if filter.unmatched_only {
        query
            .push(" and m.status = ")
            .push_bind(InboundStatus::Unmatched.as_str());
    }
    if filter.muted_only {
        query
            .push(" and iif(j.seq is null, c.muted_until, j.muted_until) > ")
            .push_bind(now.as_millisecond());
    }
    query
        .push(" order by m.time desc, m.id desc limit ")
        .push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = query.build().fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            let mut cells = Cells::of(row);
            let place = (cells.next()?, cells.next()?);
            Ok((found(cells)?, place))
        })
        .collect()
}

/// Reads app, openid and [`contact_columns`].
fn found(mut cells: Cells<'_>) -> Result<Found, StoreError> {
    let app = AppName::from(cells.next::<String>()?);
    let openid = OpenId::from(cells.next::<String>()?);
    let user = User::read(&mut cells, &openid)?;
    Ok(Found { app, openid, user })
}

macro_rules! users {
    ($beyond:literal) => {
        concat!(
            "with newest as materialized (select max(seq) as seq, ",
            contact_names!(),
            " from contact_journal where app = $1 and openid ",
            $beyond,
            " $2 and openid < $3 group by app, openid) \
             select u.app, u.openid, ",
            contact_columns!(),
            " from (select app, openid from newest union \
             select app, openid from (select c.app, c.openid from contacts c where c.app = $1 and c.openid ",
            $beyond,
            " $2 and c.openid < $3 order by c.openid limit $4)) u \
             left join newest j on j.app = u.app and j.openid = u.openid \
             left join contacts c on j.seq is null and c.app = u.app and c.openid = u.openid \
             order by u.openid limit $4"
        )
    };
}

const USERS_FROM: &str = users!(">=");
const USERS_BEHIND: &str = users!(">");

const FIRST_APP: &str = "select min(app) from (select min(app) as app from contacts \
    union all select min(app) from contact_journal)";
const NEXT_APP: &str = "select min(app) from (select min(app) as app from contacts where app > $1 \
    union all select min(app) from contact_journal where app > $1)";

/// Users whose openid begins so, in their order, those after one: of one app, then of the next.
async fn by_openid(
    conn: &mut SqliteConnection,
    app: Option<&AppName>,
    prefix: &str,
    after: Option<&(AppName, OpenId)>,
    limit: usize,
) -> Result<Vec<Found>, StoreError> {
    let mut of = match (after, app) {
        (Some((app, _)), _) => Some(app.as_str().to_owned()),
        (None, Some(app)) => Some(app.as_str().to_owned()),
        (None, None) => sqlx::query_scalar(FIRST_APP).fetch_one(&mut *conn).await?,
    };
    let mut behind = after.map_or("", |(_, openid)| openid.as_str());
    while let Some(name) = of {
        // One lower bound: of two, SQLite seeks by one alone.
        let (text, from) = if behind < prefix {
            (USERS_FROM, prefix)
        } else {
            (USERS_BEHIND, behind)
        };
        let rows: Vec<SqliteRow> = sqlx::query(text)
            .bind(&name)
            .bind(from)
            .bind(format!("{prefix}\u{10ffff}"))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *conn)
            .await?;
        if !rows.is_empty() {
            return rows.iter().map(|row| found(Cells::of(row))).collect();
        }
        if app.is_some() {
            break;
        }
        of = sqlx::query_scalar(NEXT_APP)
            .bind(&name)
            .fetch_one(&mut *conn)
            .await?;
        behind = "";
    }
    Ok(Vec::new())
}

/// Looks the messages of conversations up. One whose newest message was erased is left out.
async fn told(conn: &mut SqliteConnection, found: Vec<Found>) -> Result<Vec<Conversation>, StoreError> {
    let latest: Vec<MessageId> = found.iter().filter_map(|found| found.user.latest).collect();
    let mut newest: BTreeMap<MessageId, Entry> = BTreeMap::new();
    // For each conversation, the message whose replies are looked at.
    let mut looking: BTreeMap<MessageId, MessageId> = latest.iter().map(|id| (*id, *id)).collect();
    let mut replies: BTreeMap<MessageId, Entry> = BTreeMap::new();
    for round in 0..REPLY_WITHIN {
        if looking.is_empty() {
            break;
        }
        let ids: Vec<i64> = looking.keys().map(|id| id.as_i64()).collect();
        let mut query = QueryBuilder::<Sqlite>::new("select ");
        query
            .push(COLUMNS)
            .push(", m.previous from json_each(")
            .push_bind(to_json(&ids)?)
            .push(format_args!(
                ") j cross join messages m on m.id between j.value and j.value + {}",
                MessageId::MAX_REPLIES
            ));
        let rows = query.build().fetch_all(&mut *conn).await?;
        let mut before: BTreeMap<MessageId, MessageId> = BTreeMap::new();
        for row in &rows {
            let entry = entry(row)?;
            let Some(conversation) = looking.get(&entry.id.message()).copied() else {
                continue;
            };
            if entry.id != entry.id.message() {
                let best = replies.entry(conversation).or_insert_with(|| entry.clone());
                if (best.time, best.id) < (entry.time, entry.id) {
                    *best = entry;
                }
                continue;
            }
            let previous: Option<i64> = sqlx::Row::try_get(row, "previous")?;
            if let Some(previous) = previous {
                before.insert(MessageId::from_i64(previous), conversation);
            }
            if round == 0 {
                newest.insert(conversation, entry);
            }
        }
        before.retain(|_, conversation| !replies.contains_key(conversation));
        looking = before;
    }
    let tell = |found: Found| {
        let latest = found.user.latest?;
        Some(Conversation {
            last: newest.remove(&latest)?,
            last_reply: replies.remove(&latest),
            waiting: found.user.contact.ledger.waiting,
            app: found.app,
            openid: found.openid,
            contact: found.user.contact,
        })
    };
    Ok(found.into_iter().filter_map(tell).collect())
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::store::testing::{Bench, at, shop};
    use crate::store::{Filter, Order};

    async fn pages(bench: &Bench, filter: &ConversationFilter, limit: usize) -> Vec<Conversation> {
        let (mut all, mut cursor) = (Vec::new(), None);
        for _ in 0..100 {
            let page = bench
                .store
                .conversations(filter, cursor.as_ref(), limit)
                .await
                .expect("read");
            all.extend(page.conversations);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return all,
            }
        }
        panic!("no end: {filter:?}");
    }

    fn names(conversations: &[Conversation]) -> Vec<(String, String)> {
        let name = |one: &Conversation| (one.app.to_string(), one.openid.to_string());
        conversations.iter().map(name).collect()
    }

    #[tokio::test]
    async fn openids_are_sought_and_not_walked_through() {
        let bench = Bench::new().await;
        for text in [USERS_FROM, USERS_BEHIND] {
            let plan = bench.plan(text).await;
            // The journal is short, and walked through.
            let whole = plan
                .iter()
                .any(|step| step == "SCAN c" || step == "SCAN contacts");
            let sought = "SEARCH c USING PRIMARY KEY (app=? AND openid>? AND openid<?)".to_owned();
            assert!(plan.contains(&sought) && !whole, "{plan:#?}");
        }
    }

    #[tokio::test]
    async fn each_user_comes_once_the_last_to_write_first() {
        let bench = Bench::new().await;
        shop(&bench, 0..100, 1).await;
        let log = bench
            .store
            .entries(&Filter::default(), Order::NewestFirst)
            .await
            .expect("read");
        let mut expected: Vec<(String, String)> = Vec::new();
        for entry in log.iter().filter(|entry| entry.reply_to.is_none()) {
            let name = (entry.app.to_string(), entry.openid.to_string());
            if !expected.contains(&name) {
                expected.push(name);
            }
        }
        for limit in [1, 4, 100] {
            let all = pages(&bench, &ConversationFilter::default(), limit).await;
            assert_eq!(names(&all), expected);
        }
        let all = pages(&bench, &ConversationFilter::default(), 100).await;
        assert!(all.iter().any(|one| one.last_reply.is_some()) && all.iter().any(|one| one.waiting > 0));
        for one in &all {
            let newest = |wanted: bool| {
                let own = |entry: &&Entry| entry.app == one.app && entry.openid == one.openid;
                log.iter()
                    .filter(own)
                    .find(|entry| entry.reply_to.is_some() == wanted)
            };
            assert_eq!(Some(&one.last), newest(false));
            if let Some(reply) = &one.last_reply {
                assert_eq!(Some(reply), newest(true));
            }
        }
        let filter = |change: fn(&mut ConversationFilter)| {
            let mut filter = ConversationFilter::default();
            change(&mut filter);
            filter
        };
        let unmatched = pages(&bench, &filter(|f| f.unmatched_only = true), 3).await;
        let count = all.iter().filter(|one| one.last.status == "unmatched").count();
        assert!(unmatched.len() == count && count > 0);
        assert_eq!(pages(&bench, &filter(|f| f.muted_only = true), 3).await, []);
        for app in ["shop", "other"] {
            let muted = bench.store.mute(&app.into(), &"o4".into(), at(5000), "ann").await;
            assert!(muted.expect("written"));
        }
        let muted = pages(&bench, &filter(|f| f.muted_only = true), 3).await;
        assert!(!muted.is_empty() && muted.iter().all(|one| one.openid.as_str() == "o4"));
        let other = pages(&bench, &filter(|f| f.app = Some("other".into())), 3).await;
        assert!(!other.is_empty() && other.iter().all(|one| one.app.as_str() == "other"));

        let by_openid = async |prefix: &str, limit| {
            let filter = ConversationFilter {
                openid_prefix: Some(prefix.to_owned()),
                ..ConversationFilter::default()
            };
            let found = bench
                .store
                .conversations(&filter, None, limit)
                .await
                .expect("read");
            names(&found.conversations)
        };
        let mut sorted = expected.clone();
        sorted.sort();
        assert_eq!(by_openid("o", 100).await, sorted);
        assert_eq!(by_openid("o", 4).await, sorted[..4]);
        assert_eq!(
            by_openid("o4", 100).await,
            [("other".into(), "o4".into()), ("shop".into(), "o4".into())]
        );
    }
}
