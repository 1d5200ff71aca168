//! Reading the message log. Readers never block the writer.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::row::{At, Cells, ceil_millis};
use super::search::needle;
use super::{Store, StoreError, contact};
use crate::message::{AppName, Direction, Entry, MessageId, OpenId, RuleName};
use crate::text::normal_form;

/// Which rows to read; what is `None` or empty does not restrict.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// One app.
    pub app: Option<AppName>,
    /// One user.
    pub openid: Option<OpenId>,
    /// One rule.
    pub rule: Option<RuleName>,
    /// One direction.
    pub direction: Option<Direction>,
    /// One status, in the word that the log uses.
    pub status: Option<String>,
    /// A text that `content` contains, both in normal form: letter case, width and traditional characters aside.
    pub search: Option<String>,
    /// From here on.
    pub since: Option<Timestamp>,
    /// Before this.
    pub until: Option<Timestamp>,
    /// Rows behind this one in the order asked for (time and id of a row read before): for pages and for following.
    pub after: Option<(Timestamp, MessageId)>,
    /// At most so many rows.
    pub limit: Option<u32>,
}

/// The order of rows, by time and then id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest first.
    #[default]
    NewestFirst,
    /// Oldest first.
    OldestFirst,
}

/// Rows that are read at once where SQL can't tell which are wanted.
const PAGE: u32 = 1000;

/// What [`entry`] reads, in its order.
pub(super) const COLUMNS: &str = "m.id, m.time, m.app, m.direction, m.openid, m.msg_type, m.event, m.content, m.fields, m.rule, \
                       m.rule_set, m.status, m.attempts, m.errcode, coalesce(m.error, m.note), m.author";

impl Store {
    /// Rows of the log, all that there are: for commands, which have time. See [`Store::search`] for pages that are quick.
    pub async fn entries(&self, filter: &Filter, order: Order) -> Result<Vec<Entry>, StoreError> {
        let mut conn = self.reader().await?;
        let Some(needle) = needle(filter) else {
            let rows = query(filter, order).build().fetch_all(&mut *conn).await?;
            return rows.iter().map(entry).collect();
        };
        // SQL knows nothing of normal forms.
        let limit = filter.limit.map_or(usize::MAX, |limit| limit as usize);
        let mut page = Filter {
            limit: Some(PAGE),
            ..filter.clone()
        };
        let mut found = Vec::new();
        while found.len() < limit {
            let rows = query(&page, order).build().fetch_all(&mut *conn).await?;
            for row in &rows {
                if contains(row.try_get("content")?, &needle) && found.len() < limit {
                    found.push(entry(row)?);
                }
            }
            let Some(last) = rows.last().filter(|_| rows.len() == PAGE as usize) else {
                break;
            };
            let last = entry(last)?;
            page.after = Some((last.time, last.id));
        }
        Ok(found)
    }

    /// One row.
    pub async fn entry(&self, id: MessageId) -> Result<Option<Entry>, StoreError> {
        let mut conn = self.reader().await?;
        let mut query = QueryBuilder::<Sqlite>::new("select ");
        query
            .push(COLUMNS)
            .push(" from messages m where m.id = ")
            .push_bind(id.as_i64());
        let row = query.build().fetch_optional(&mut *conn).await?;
        row.as_ref().map(entry).transpose()
    }
}

fn query(filter: &Filter, order: Order) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("");
    if let Some(openid) = &filter.openid {
        // The list of a user's messages; their replies lie beside them. See the remark at `messages_by_time`.
        query
            .push("with recursive ")
            .push(contact::APPS)
            .push(", thread (id) as (");
        // From wherever the list may begin: an older place is in it too.
        for table in ["contacts", "contact_journal"] {
            query.push("select c.latest from ");
            match &filter.app {
                Some(app) => query
                    .push(table)
                    .push(" c where c.app = ")
                    .push_bind(app.as_str()),
                None => query
                    .push("apps cross join ")
                    .push(table)
                    .push(" c where c.app = apps.app"),
            };
            query
                .push(" and c.openid = ")
                .push_bind(openid.as_str())
                .push(" union ");
        }
        query.push(
            "select t.previous from thread join messages t on t.id = thread.id where t.previous is not null) ",
        );
    }
    query.push("select ").push(COLUMNS);
    if filter.openid.is_some() {
        let slots = MessageId::MAX_REPLIES;
        query.push(format_args!(
            " from thread join messages m on m.id between thread.id and thread.id + {slots} where true"
        ));
    } else {
        query.push(" from messages m where true");
    }
    conditions(&mut query, filter);
    let (beyond, direction) = match order {
        Order::NewestFirst => ("<", "desc"),
        Order::OldestFirst => (">", "asc"),
    };
    if let Some((time, id)) = filter.after {
        query
            .push(format_args!(" and (m.time, m.id) {beyond} ("))
            .push_bind(time.as_millisecond())
            .push(", ")
            .push_bind(id.as_i64())
            .push(")");
    }
    query.push(format_args!(" order by m.time {direction}, m.id {direction}"));
    if let Some(limit) = filter.limit {
        query.push(" limit ").push_bind(i64::from(limit));
    }
    query
}

/// What a filter asks of each row `m`, but for its text and its place in a thread.
pub(super) fn conditions(query: &mut QueryBuilder<Sqlite>, filter: &Filter) {
    if let Some(app) = &filter.app {
        query.push(" and m.app = ").push_bind(app.as_str());
    }
    if let Some(rule) = &filter.rule {
        query.push(" and m.rule = ").push_bind(rule.as_str());
    }
    match filter.direction {
        None => {}
        Some(Direction::In) => _ = query.push(" and m.direction = 'in'"),
        Some(Direction::Out) => _ = query.push(" and m.direction = 'out'"),
    }
    if let Some(status) = &filter.status {
        query.push(" and m.status = ").push_bind(status.clone());
    }
    if let Some(since) = filter.since {
        query.push(" and m.time >= ").push_bind(ceil_millis(since));
    }
    if let Some(until) = filter.until {
        query.push(" and m.time < ").push_bind(ceil_millis(until));
    }
}

/// Whether a text has another in it; `needle` is a normal form.
pub(super) fn contains(content: Option<&str>, needle: &str) -> bool {
    content.is_some_and(|content| normal_form(content).contains(needle))
}

pub(super) fn entry(row: &SqliteRow) -> Result<Entry, StoreError> {
    read_entry(&mut Cells::of(row))
}

/// Reads [`COLUMNS`].
pub(super) fn read_entry(cells: &mut Cells<'_>) -> Result<Entry, StoreError> {
    let id = MessageId::from_i64(cells.next()?);
    let at = At {
        table: "messages",
        row: &id,
    };
    let time = at.time("time", cells.next()?)?;
    let app = AppName::from(cells.next::<String>()?);
    let direction = match cells.next::<&str>()? {
        "in" => Direction::In,
        "out" => Direction::Out,
        other => return Err(at.corrupt("direction", format_args!("{other:?} is none"))),
    };
    Ok(Entry {
        id,
        time,
        app,
        direction,
        openid: OpenId::from(cells.next::<String>()?),
        msg_type: cells.next()?,
        event: cells.next()?,
        content: cells.next()?,
        fields: at.json("fields", cells.next()?)?,
        rule: cells.next::<Option<String>>()?.map(Into::into),
        rule_set: cells.next::<Option<String>>()?.map(Into::into),
        status: cells.next()?,
        reply_to: (direction == Direction::Out).then(|| id.message()),
        attempts: at.count("attempts", cells.next()?)?,
        errcode: cells.next()?,
        error: cells.next()?,
        author: cells.next()?,
    })
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::message::{DropReason, Inbound, InboundStatus, Outcome};
    use crate::store::Judge;
    use crate::store::testing::{Bench, alice, answering, at, inbound, verdict};

    /// Alice asks at 1 s and is answered, Bob at 2 s and is not; Alice again at 3 s, in another app.
    async fn told() -> Bench {
        let bench = Bench::new().await;
        let message = |n, openid, seconds, content: &str| Inbound {
            received: at(seconds),
            content: Some(content.to_owned()),
            ..inbound(n, openid)
        };
        let unmatched: Judge = Box::new(|_, facts| {
            let mut verdict = verdict(facts, &[]);
            verdict.decision.status = InboundStatus::Unmatched;
            verdict.decision.rule = None;
            verdict
        });
        bench.turn_to(1);
        let first = message(9, "oAlice", 1, "请问几点开门？OPEN");
        bench
            .record(first, answering(&["我们每天 9:00–21:00 营业。", "欢迎 Welcome"]))
            .await
            .expect("recorded");
        bench.turn_to(2);
        bench
            .record(message(5, "oBob", 2, "100% 'quoted' \\ _"), unmatched)
            .await
            .expect("recorded");
        bench.turn_to(3);
        let other = Inbound {
            app: "other".into(),
            ..message(1, "oAlice", 3, "再见")
        };
        bench.record(other, answering(&[])).await.expect("recorded");
        bench
    }

    /// The contents of the rows that a filter lets through, the oldest first.
    async fn contents(bench: &Bench, filter: Filter) -> Vec<String> {
        let entries = bench
            .store
            .entries(&filter, Order::OldestFirst)
            .await
            .expect("read");
        entries
            .into_iter()
            .map(|entry| entry.content.unwrap_or_default())
            .collect()
    }

    const ALL: [&str; 5] = [
        "请问几点开门？OPEN",
        "我们每天 9:00–21:00 营业。",
        "欢迎 Welcome",
        "100% 'quoted' \\ _",
        "再见",
    ];

    #[tokio::test]
    async fn each_filter_restricts() {
        let bench = told().await;
        let all = Filter::default;
        let cases = [
            (all(), vec![0, 1, 2, 3, 4]),
            (
                Filter {
                    app: Some("shop".into()),
                    ..all()
                },
                vec![0, 1, 2, 3],
            ),
            (
                Filter {
                    openid: Some(alice()),
                    ..all()
                },
                vec![0, 1, 2, 4],
            ),
            (
                Filter {
                    openid: Some(alice()),
                    app: Some("shop".into()),
                    ..all()
                },
                vec![0, 1, 2],
            ),
            (
                Filter {
                    openid: Some("oNobody".into()),
                    ..all()
                },
                vec![],
            ),
            (
                Filter {
                    rule: Some("greeting".into()),
                    ..all()
                },
                vec![0, 1, 2, 4],
            ),
            (
                Filter {
                    direction: Some(Direction::In),
                    ..all()
                },
                vec![0, 3, 4],
            ),
            (
                Filter {
                    direction: Some(Direction::Out),
                    ..all()
                },
                vec![1, 2],
            ),
            (
                Filter {
                    status: Some("unmatched".into()),
                    ..all()
                },
                vec![3],
            ),
            (
                Filter {
                    status: Some("queued".into()),
                    openid: Some(alice()),
                    ..all()
                },
                vec![1, 2],
            ),
            (
                Filter {
                    search: Some("几点".into()),
                    ..all()
                },
                vec![0],
            ),
            (
                Filter {
                    search: Some("open".into()),
                    ..all()
                },
                vec![0],
            ),
            (
                Filter {
                    search: Some("WELCOME".into()),
                    ..all()
                },
                vec![2],
            ),
            (
                Filter {
                    search: Some("营业。".into()),
                    ..all()
                },
                vec![1],
            ),
            (
                Filter {
                    search: Some("%".into()),
                    ..all()
                },
                vec![3],
            ),
            (
                Filter {
                    search: Some("'quoted' \\ _".into()),
                    ..all()
                },
                vec![3],
            ),
            (
                Filter {
                    search: Some("_OPEN".into()),
                    ..all()
                },
                vec![],
            ),
            (
                Filter {
                    search: Some(String::new()),
                    ..all()
                },
                vec![0, 1, 2, 3, 4],
            ),
            (
                Filter {
                    since: Some(at(2)),
                    ..all()
                },
                vec![3, 4],
            ),
            (
                Filter {
                    until: Some(at(2)),
                    ..all()
                },
                vec![0, 1, 2],
            ),
            (
                Filter {
                    since: Some(at(1)),
                    until: Some(at(3)),
                    direction: Some(Direction::In),
                    ..all()
                },
                vec![0, 3],
            ),
            (
                Filter {
                    limit: Some(2),
                    ..all()
                },
                vec![0, 1],
            ),
            (
                Filter {
                    limit: Some(0),
                    ..all()
                },
                vec![],
            ),
        ];
        for (filter, expected) in cases {
            let expected: Vec<&str> = expected.into_iter().map(|n: usize| ALL[n]).collect();
            assert_eq!(contents(&bench, filter.clone()).await, expected, "{filter:?}");
        }
    }

    #[tokio::test]
    async fn pages_join_without_gap_or_overlap_in_both_orders() {
        let bench = told().await;
        for order in [Order::OldestFirst, Order::NewestFirst] {
            let mut read = Vec::new();
            let mut filter = Filter {
                limit: Some(2),
                ..Filter::default()
            };
            loop {
                let page = bench.store.entries(&filter, order).await.expect("read");
                let Some(last) = page.last() else { break };
                assert!(read.len() < ALL.len(), "{order:?}: a page came again");
                filter.after = Some((last.time, last.id));
                read.extend(page.into_iter().map(|entry| entry.content.unwrap_or_default()));
            }
            if order == Order::NewestFirst {
                read.reverse();
            }
            assert_eq!(read, ALL, "{order:?}");
        }
    }

    #[tokio::test]
    async fn a_row_tells_the_whole_story() {
        let bench = told().await;
        let newest = bench
            .store
            .entries(&Filter::default(), Order::NewestFirst)
            .await
            .expect("read");
        let first = bench.entry(newest[4].id).await;
        assert_eq!(first, newest[4]);
        assert_eq!(
            (first.time, first.direction, first.msg_type.as_str()),
            (at(1), Direction::In, "text")
        );
        assert_eq!(first.fields.text("Content"), Some("message 9"));
        assert_eq!(first.rule_set, Some("v1".into()));
        assert_eq!((first.reply_to, first.attempts), (None, 0));

        let claimed = bench.claim(3).await.remove(0);
        bench.settle(&claimed, Outcome::Dropped(DropReason::Quota)).await;
        let reply = bench.entry(first.id.reply(1)).await;
        assert_eq!(
            (reply.time, reply.direction, reply.msg_type.as_str()),
            (at(1), Direction::Out, "text")
        );
        assert_eq!(reply.fields.text("text"), reply.content.as_deref());
        assert_eq!((reply.reply_to, reply.attempts), (Some(first.id), 1));
        assert_eq!(
            (reply.status.as_str(), reply.rule),
            ("dropped", Some("greeting".into()))
        );
        assert_eq!(bench.store.entry(first.id.reply(3)).await.expect("read"), None);
    }

    #[tokio::test]
    async fn a_conversation_of_many_messages_is_whole_and_finds_its_rows_by_key() {
        let bench = Bench::new().await;
        for n in 0..150 {
            bench.turn_to(n);
            let one = Inbound {
                received: at(n),
                ..inbound(
                    (n as u64 * 7919) % 10_007,
                    if n % 3 == 0 { "oAlice" } else { "oBob" },
                )
            };
            bench.record(one, answering(&["x"])).await.expect("recorded");
        }
        let filter = Filter {
            openid: Some(alice()),
            ..Filter::default()
        };
        let rows = bench
            .store
            .entries(&filter, Order::OldestFirst)
            .await
            .expect("read");
        assert_eq!(rows.len(), 100);
        assert!(rows.iter().all(|entry| entry.openid == alice()));
        assert!(rows.is_sorted_by_key(|entry| (entry.time, entry.id)));

        let plan = plan(&bench, &filter).await;
        assert!(
            plan.contains("SEARCH m USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
            "{plan}"
        );
        assert!(!plan.contains("SCAN m") && !plan.contains("SCAN t\n"), "{plan}");
        // Of whom no app is told, the users of each app are not walked through either.
        assert!(
            plan.contains("SEARCH c USING PRIMARY KEY (app=? AND openid=?)") && !plan.contains("SCAN c"),
            "{plan}"
        );
    }

    async fn plan(bench: &Bench, filter: &Filter) -> String {
        let sql = query(filter, Order::NewestFirst).into_string();
        bench.plan(sql.as_str()).await.join("\n")
    }

    #[tokio::test]
    async fn a_page_of_a_long_log_is_read_from_its_index() {
        let bench = Bench::new().await;
        let filter = Filter {
            after: Some((at(1), MessageId::new(1, 1))),
            limit: Some(50),
            status: Some("failed".into()),
            ..Filter::default()
        };
        let plan = plan(&bench, &filter).await;
        assert!(
            plan.contains("SEARCH m USING INDEX messages_by_time") && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
    }

    #[tokio::test]
    async fn a_row_that_makes_no_sense_is_named() {
        let bench = Bench::new().await;
        let id = bench.receive(1, "oAlice", &[]).await.id;
        sqlx::query("update messages set fields = 'x'")
            .execute(&mut bench.raw().await)
            .await
            .expect("written");
        let error = bench.store.entry(id).await.expect_err("no JSON").to_string();
        assert!(
            error.starts_with(&format!(
                "messages.fields of row {id} makes no sense: expected value"
            )),
            "{error}"
        );
    }

    #[tokio::test]
    async fn reading_does_not_wait_for_a_writer() {
        let bench = told().await;
        let mut raw = bench.raw().await;
        sqlx::query("begin immediate")
            .execute(&mut raw)
            .await
            .expect("locked");
        assert_eq!(contents(&bench, Filter::default()).await.len(), 5);
        bench.store.ping().await.expect("answers");
    }
}
