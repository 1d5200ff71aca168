//! Pages of the log, newest first, by any filter: each page looks at so many rows and no more, so that it is quick
//! whatever it finds.
//!
//! Rows that the index has are found by it where a filter narrows them down; younger ones, and those that nothing
//! narrows down, are walked through. What the index finds are candidates: the row itself decides.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::cursor::At;
use super::index::tokens::Wanted;
use super::index::{Candidate, Part, Place, number_of};
use super::log::{COLUMNS, conditions, contains, entry};
use super::row::{ceil_millis, to_json};
use super::{Cursor, Filter, Store, StoreError};
use crate::message::{Entry, InboundStatus, OutboundStatus};
use crate::text::normal_form;

/// Rows that one page walks through.
const WALKED: usize = 5000;

/// Candidates of the index that one page looks up.
const CANDIDATES: usize = 2000;

/// A page ends when it has taken so long, and what it was at is done.
const PATIENCE: Duration = Duration::from_millis(50);

/// Rows that are walked through at once.
const STEPS: std::ops::RangeInclusive<usize> = 50..=1000;

/// A single character begins many pairs, all of which are read before the first is found: rows that have it are most
/// often among so many that can be walked through.
const BEFORE_PREFIX: usize = 1000;

const END: Place = (i64::MAX, i64::MAX);
const BEGIN: Place = (i64::MIN, i64::MIN);

/// A page of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The rows, newest first.
    pub entries: Vec<Entry>,
    /// Where to go on; none when there is nothing more. A page may be empty and have a next one: it has looked at as
    /// much as a page may.
    pub next: Option<Cursor>,
    /// Everything that is younger than this was looked at.
    pub back_to: Timestamp,
}

/// Why a walk stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The page is full.
    Full,
    /// As much was looked at as a page may.
    Enough,
    /// There is nothing more.
    End,
}

impl Store {
    /// A page of at most `limit` rows, the newest first, from `cursor` on. [`Filter::after`] and [`Filter::limit`] are
    /// not heeded. With a user, the user's thread is walked, in its order.
    pub async fn search(
        &self,
        filter: &Filter,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Found, StoreError> {
        let limit = limit.max(1);
        if filter.openid.is_some() {
            return self.search_threads(filter, cursor, limit).await;
        }
        let until = filter.until.map_or(END, |until| (ceil_millis(until), i64::MIN));
        let from = match cursor {
            Some(Cursor(At::Before(place))) => *place,
            _ => END,
        };
        let since = filter.since.map_or(BEGIN, |since| (ceil_millis(since), i64::MIN));
        let mut log = self.reader().await?;
        // The times are bounds of the walk.
        let timeless = Filter {
            since: None,
            until: None,
            ..filter.clone()
        };
        let mut page = Page {
            log: &mut log,
            filter: &timeless,
            needle: needle(filter),
            limit,
            since,
            at: until.min(from),
            entries: Vec::new(),
            looked: 0,
            began: Instant::now(),
        };
        let stop = page.walk_all(self).await?;
        let Page { at, entries, .. } = page;
        let last = entries
            .last()
            .map(|entry| (entry.time.as_millisecond(), entry.id.as_i64()));
        let next = match stop {
            Stop::Full => last,
            Stop::Enough => Some(at),
            Stop::End => None,
        };
        Ok(Found {
            entries,
            next: next.map(|place| Cursor(At::Before(place))),
            back_to: Timestamp::from_millisecond(next.unwrap_or(since).0).unwrap_or(Timestamp::MIN),
        })
    }
}

/// The normal form of what is looked for in texts.
pub(super) fn needle(filter: &Filter) -> Option<String> {
    let search = filter.search.as_deref().map(normal_form)?;
    Some(search).filter(|search| !search.is_empty())
}

struct Page<'a> {
    log: &'a mut SqliteConnection,
    filter: &'a Filter,
    needle: Option<String>,
    limit: usize,
    /// Rows before this are not wanted.
    since: Place,
    /// Everything from here on was looked at.
    at: Place,
    entries: Vec<Entry>,
    looked: usize,
    began: Instant,
}

impl Page<'_> {
    async fn walk_all(&mut self, store: &Store) -> Result<Stop, StoreError> {
        let wanted = wanted(self.filter, self.needle.as_deref());
        let rows = Rows::of(self.filter, self.needle.is_some());
        if rows != Rows::All || wanted.is_empty() {
            return self.walk(rows, BEGIN, WALKED).await;
        }
        let (mark, index) = store.indexed().await?;
        // What is not in the index yet.
        let stop = self.walk(rows, mark, WALKED).await?;
        let Some(mut index) = index.filter(|_| stop == Stop::End) else {
            return Ok(stop);
        };
        if wanted.is_prefix() {
            let stop = self.walk(rows, BEGIN, BEFORE_PREFIX).await?;
            if stop != Stop::Enough {
                return Ok(stop);
            }
        }
        self.look_up(&mut index, &wanted).await
    }

    /// Walks back through the log, not beyond `floor` (which has been looked at when it ends), through `rows` at most.
    async fn walk(&mut self, kind: Rows, floor: Place, rows: usize) -> Result<Stop, StoreError> {
        let anything = self.needle.is_none() && is_unrestricted(self.filter);
        let mut step = if anything {
            self.limit
        } else {
            self.limit.clamp(*STEPS.start(), *STEPS.end())
        };
        let mut walked = 0;
        loop {
            if self.at <= self.since || self.at <= floor {
                return Ok(Stop::End);
            }
            let end = self.boundary(kind, floor, step).await?;
            // Without a boundary, fewer rows are left.
            let from = end.unwrap_or(floor);
            let needed = self.limit + 1 - self.entries.len();
            let mut query = QueryBuilder::new("select ");
            query.push(COLUMNS).push(" from messages m where ");
            kind.restrict(&mut query);
            between(&mut query, kind, self.at, from, self.since, end.is_some());
            conditions(&mut query, self.filter);
            kind.order(&mut query);
            if self.needle.is_none() {
                query
                    .push(" limit ")
                    .push_bind(i64::try_from(needed).unwrap_or(i64::MAX));
            }
            let found = query.build().fetch_all(&mut *self.log).await?;
            for row in &found {
                if self.take(row)? {
                    return Ok(Stop::Full);
                }
            }
            let Some(end) = end else {
                // The row at the floor is the first that was not looked at.
                let floor = (floor.0, floor.1.saturating_add(1));
                self.at = self.at.min(floor.max(self.since));
                return Ok(Stop::End);
            };
            self.at = end;
            walked += step;
            if walked >= rows || self.began.elapsed() >= PATIENCE {
                return Ok(Stop::Enough);
            }
            step = (step * 2).min(*STEPS.end()).max(step);
        }
    }

    /// The `step`-th row from where we are, if there are as many.
    async fn boundary(&mut self, kind: Rows, floor: Place, step: usize) -> Result<Option<Place>, StoreError> {
        let mut query = boundary(kind, (self.at, floor), self.since, step);
        Ok(query.build_query_as().fetch_optional(&mut *self.log).await?)
    }

    /// Goes back through the index.
    async fn look_up(&mut self, index: &mut SqliteConnection, wanted: &Wanted) -> Result<Stop, StoreError> {
        let mut before = number_of(index, self.at).await?;
        let from = number_of(index, self.since).await?;
        for part in Part::all(index).await? {
            if !part.begins_before(before) {
                continue;
            }
            let mut step = (self.limit - self.entries.len() + 1).clamp(*STEPS.start(), *STEPS.end());
            loop {
                let candidates = part.candidates(index, wanted, from, before, step).await?;
                if self.look_at(&candidates).await? {
                    return Ok(Stop::Full);
                }
                let last = candidates.last().filter(|_| candidates.len() >= step);
                self.looked += candidates.len();
                let enough = self.looked >= CANDIDATES || self.began.elapsed() >= PATIENCE;
                let Some(last) = last else {
                    self.at = self.at.min(part.begin());
                    if enough && self.at > self.since {
                        return Ok(Stop::Enough);
                    }
                    break;
                };
                (before, self.at) = (last.seq, (last.time, last.id));
                if enough {
                    return Ok(Stop::Enough);
                }
                step = (step * 2).min(*STEPS.end());
            }
            if self.at <= self.since {
                break;
            }
        }
        Ok(Stop::End)
    }

    /// Looks candidates up in the log; whether the page is full.
    async fn look_at(&mut self, candidates: &[Candidate]) -> Result<bool, StoreError> {
        if candidates.is_empty() {
            return Ok(false);
        }
        let ids: Vec<i64> = candidates.iter().map(|candidate| candidate.id).collect();
        let mut query = QueryBuilder::new("select ");
        query
            .push(COLUMNS)
            .push(" from json_each(")
            .push_bind(to_json(&ids)?)
            .push(") j cross join messages m on m.id = j.value where true");
        conditions(&mut query, self.filter);
        query.push(" order by j.key");
        let rows = query.build().fetch_all(&mut *self.log).await?;
        for row in &rows {
            if self.take(row)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes a row if its text has what is looked for; whether the page is full, and there is more.
    fn take(&mut self, row: &sqlx::sqlite::SqliteRow) -> Result<bool, StoreError> {
        if let Some(needle) = &self.needle
            && !contains(row.try_get("content")?, needle)
        {
            return Ok(false);
        }
        if self.entries.len() == self.limit {
            return Ok(true);
        }
        self.entries.push(entry(row)?);
        Ok(false)
    }
}

/// Rows that an index of the log itself leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    All,
    /// Replies that did not reach the customer, of one status.
    Unsent(OutboundStatus),
    /// Replies that wait.
    Queued,
}

impl Rows {
    fn of(filter: &Filter, searched: bool) -> Self {
        use OutboundStatus::{Dropped, Failed, Queued, Uncertain};
        let asked = filter.status.as_deref();
        let is = |status: &OutboundStatus| asked == Some(status.as_str());
        match [Failed, Dropped, Uncertain].into_iter().find(is) {
            Some(status) if !searched => Self::Unsent(status),
            _ if is(&Queued) => Self::Queued,
            _ => Self::All,
        }
    }

    /// The words stand in the text, for an index of some statuses serves only who says which.
    fn restrict(self, query: &mut QueryBuilder<Sqlite>) {
        match self {
            Self::All => query.push("true"),
            Self::Unsent(status) => query.push(format_args!("m.status = '{}'", status.as_str())),
            Self::Queued => query.push("m.status = 'queued'"),
        };
    }

    /// The sign keeps SQLite from walking through all messages of the time rather than through the few that wait.
    fn time(self) -> &'static str {
        match self {
            Self::All | Self::Unsent(_) => "m.time",
            Self::Queued => "+m.time",
        }
    }

    fn order(self, query: &mut QueryBuilder<Sqlite>) {
        query.push(format_args!(" order by {} desc, m.id desc", self.time()));
    }
}

/// What the index is asked for. The status of a reply may change, so the index does not know it.
fn wanted(filter: &Filter, needle: Option<&str>) -> Wanted {
    let mut wanted = Wanted::default();
    if let Some(needle) = needle {
        wanted = wanted.text(needle);
        if wanted.is_empty() {
            // Punctuation alone: only the rows can tell.
            return wanted;
        }
    }
    if let Some(rule) = &filter.rule {
        wanted = wanted.rule(rule);
    }
    if let Some(status) = filter.status.as_deref().filter(|status| is_inbound(status)) {
        wanted = wanted.status(status);
    }
    if let Some(app) = &filter.app {
        wanted = wanted.app(app);
    }
    if let Some(direction) = filter.direction {
        wanted = wanted.direction(direction);
    }
    wanted
}

fn is_inbound(status: &str) -> bool {
    use InboundStatus::{Cooldown, Malformed, Matched, Muted, Unmatched};
    [Matched, Unmatched, Cooldown, Muted, Malformed]
        .iter()
        .any(|inbound| inbound.as_str() == status)
}

/// Whether a filter lets every row of its time through.
fn is_unrestricted(filter: &Filter) -> bool {
    let Filter {
        app,
        openid,
        rule,
        direction,
        status,
        search: _,
        since: _,
        until: _,
        after: _,
        limit: _,
    } = filter;
    app.is_none() && openid.is_none() && rule.is_none() && direction.is_none() && status.is_none()
}

/// The `step`-th of the rows before one place and behind another.
fn boundary(kind: Rows, (at, floor): (Place, Place), since: Place, step: usize) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("select m.time, m.id from messages m where ");
    kind.restrict(&mut query);
    between(&mut query, kind, at, floor, since, false);
    kind.order(&mut query);
    query
        .push(" limit 1 offset ")
        .push_bind(i64::try_from(step.saturating_sub(1)).unwrap_or(i64::MAX));
    query
}

/// Rows before `at` and behind `floor`, or at it; none before `since`. Of two bounds SQLite seeks by one alone, so it is given
/// the one that matters.
fn between(
    query: &mut QueryBuilder<Sqlite>,
    kind: Rows,
    at: Place,
    floor: Place,
    since: Place,
    with_floor: bool,
) {
    let compare = if with_floor { ">=" } else { ">" };
    let lower = if floor >= since {
        (compare, floor)
    } else {
        (">=", since)
    };
    for (compare, place) in [("<", at), lower] {
        if place == END || place == BEGIN {
            continue;
        }
        query
            .push(format_args!(" and ({}, m.id) {compare} (", kind.time()))
            .push_bind(place.0)
            .push(", ")
            .push_bind(place.1)
            .push(")");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Direction;
    use crate::store::testing::{Bench, at, shop};
    use crate::store::{Access, Order};

    fn filters() -> Vec<Filter> {
        let all = Filter::default;
        let mut filters = vec![all()];
        let texts = [
            "营业",
            "营",
            "时间几点",
            "几点开门多少钱",
            "钱",
            "WIFI",
            "wi-fi",
            "-",
            "%",
            "👍",
            "門",
            "没有的",
            "_'\"",
            " ",
        ];
        for text in texts {
            filters.push(Filter {
                search: Some(text.into()),
                ..all()
            });
            filters.push(Filter {
                search: Some(text.into()),
                direction: Some(Direction::Out),
                ..all()
            });
        }
        for status in [
            "unmatched",
            "cooldown",
            "sent",
            "dropped",
            "queued",
            "failed",
            "malformed",
        ] {
            filters.push(Filter {
                status: Some(status.into()),
                ..all()
            });
            filters.push(Filter {
                status: Some(status.into()),
                search: Some("开门".into()),
                ..all()
            });
        }
        for rule in ["hours", "a-b", "a.b"] {
            filters.push(Filter {
                rule: Some(rule.into()),
                app: Some("other".into()),
                ..all()
            });
        }
        let bounds = Filter {
            since: Some(at(50)),
            until: Some(at(120)),
            ..all()
        };
        filters.push(bounds.clone());
        filters.push(Filter {
            search: Some("几点".into()),
            ..bounds.clone()
        });
        filters.push(Filter {
            openid: Some("o3".into()),
            app: Some("shop".into()),
            ..bounds.clone()
        });
        filters.push(Filter {
            openid: Some("o3".into()),
            app: Some("shop".into()),
            search: Some("钱".into()),
            ..all()
        });
        filters.push(Filter {
            openid: Some("o3".into()),
            ..all()
        });
        filters
    }

    /// All pages give what reading the whole log gives.
    async fn agree(store: &Store) {
        for filter in filters() {
            let expected = store.entries(&filter, Order::NewestFirst).await.expect("read");
            for limit in [3, 1000] {
                let (mut read, mut cursor, mut pages) = (Vec::new(), None, 0);
                loop {
                    let page = store.search(&filter, cursor.as_ref(), limit).await.expect("read");
                    assert!(page.entries.len() <= limit);
                    read.extend(page.entries);
                    pages += 1;
                    let Some(next) = page.next else { break };
                    cursor = Some(next.to_string().parse().expect("a cursor"));
                    assert!(pages < 1000, "{filter:?}");
                }
                let ids = |entries: &[Entry]| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();
                assert_eq!(ids(&read), ids(&expected), "{filter:?}");
                assert!(pages <= 2 + read.len() / limit, "{pages} pages: {filter:?}");
            }
        }
    }

    #[tokio::test]
    async fn the_few_that_wait_or_failed_are_found_by_indexes_of_their_own() {
        let bench = Bench::new().await;
        for (status, index, sorts) in [
            ("queued", "messages_by_due", true),
            ("failed", "messages_unsent", false),
            ("sent", "messages_by_time", false),
        ] {
            let filter = Filter {
                status: Some(status.into()),
                ..Filter::default()
            };
            let kind = Rows::of(&filter, false);
            let place = (at(9).as_millisecond(), 0);
            let mut page = QueryBuilder::new("select m.content from messages m where ");
            kind.restrict(&mut page);
            between(&mut page, kind, place, BEGIN, place, true);
            conditions(&mut page, &filter);
            kind.order(&mut page);
            for query in [boundary(kind, (place, BEGIN), BEGIN, 50), page] {
                let plan = bench.plan(query.into_string().as_str()).await.join("\n");
                assert!(plan.contains(index), "{status}: {plan}");
                assert_eq!(plan.contains("B-TREE FOR ORDER"), sorts, "{status}: {plan}");
            }
        }
    }

    #[tokio::test]
    async fn pages_find_what_is_in_the_log_with_an_index_and_without() {
        let bench = Bench::new().await;
        shop(&bench, 0..130, 1).await;
        let command = bench.open(Access::Command).await.expect("opens");
        command.index().close_readers().await;
        assert_eq!(command.index_status().await.expect("read").watermark, None);
        agree(&command).await;
        bench.index_at(129).await;
        shop(&bench, 130..160, 1).await;
        agree(&bench.store).await;
        bench.index_at(500).await;
        assert_eq!(bench.store.index_status().await.expect("read").behind, 0);
        agree(&bench.store).await;
        command.close().await;
    }
}
