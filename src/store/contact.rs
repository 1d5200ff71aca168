//! One row a user: what decisions need to know of the past.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{CachedStatement, params};
use sqlx::sqlite::SqliteArguments;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::row::{At, Cells, Columns, to_json};
use super::{Store, StoreError};
use crate::message::{AppName, Contact, Cooldowns, DialogState, Ledger, MessageId, OpenId, RuleName};

/// The columns that both tables of users have.
macro_rules! contact_names {
    () => {
        "app, openid, misses, first_message, last_message, state, state_until, muted_until, cooldowns, ledger_left, \
         ledger_until, latest, alone"
    };
}
pub(super) use contact_names;

/// The columns that [`User::read`] reads, in its order, from a user's newest row in the journal, which goes by the name of
/// `j`, or else from that in `contacts`, by the name of `c`.
macro_rules! contact_columns {
    () => {
        concat!(
            contact_columns!("misses"),
            contact_columns!("first_message"),
            contact_columns!("last_message"),
            contact_columns!("state"),
            contact_columns!("state_until"),
            contact_columns!("muted_until"),
            contact_columns!("cooldowns"),
            contact_columns!("ledger_left"),
            "(select count(*) from messages q where q.status = 'queued' and q.alone is null \
             and q.app = coalesce(j.app, c.app) and q.openid = coalesce(j.openid, c.openid)), ",
            contact_columns!("ledger_until"),
            contact_columns!("latest"),
            "(select a.id from messages a where a.id = iif(j.seq is null, c.alone, j.alone) \
             and a.alone = 1 and a.status = 'queued')"
        )
    };
    ($name:literal) => {
        concat!("iif(j.seq is null, c.", $name, ", j.", $name, "), ")
    };
}
pub(super) use contact_columns;

/// The rows `j` and `c` of the user with app $1 and openid $2; none of a user whom nobody knows. The newest row of the journal
/// is that of $3, or the last one that is there.
macro_rules! from_user {
    () => {
        " from (select 1) left join contact_journal j on j.app = $1 and j.openid = $2 and j.seq = \
         coalesce($3, (select max(seq) from contact_journal where app = $1 and openid = $2)) \
         left join contacts c on j.seq is null and c.app = $1 and c.openid = $2 \
         where j.seq is not null or c.app is not null"
    };
}

/// The newest rows of the journal, one a user (SQLite takes the other columns of a `max` from its row).
pub(super) const NEWEST: &str = concat!(
    "newest as materialized (select max(seq) as seq, ",
    contact_names!(),
    " from contact_journal group by app, openid)"
);

/// What changes that user, in both tables; values begin with $4. The journal's row may be folded before the change or after it.
macro_rules! change {
    ($set:literal) => {
        [
            concat!(
                "update contact_journal set ",
                $set,
                " where app = $1 and openid = $2 and seq = \
                 coalesce($3, (select max(seq) from contact_journal where app = $1 and openid = $2))"
            ),
            concat!("update contacts set ", $set, " where app = $1 and openid = $2"),
        ]
    };
}
pub(super) use change;

/// All apps that have users, found by steps from one to the next: a recursive table `apps`, whose last row is null.
pub(super) const APPS: &str = "apps (app) as (select min(app) from (select min(app) as app from contacts \
    union all select min(app) from contact_journal) union all \
    select (select min(app) from (select min(c.app) as app from contacts c where c.app > apps.app \
    union all select min(j.app) from contact_journal j where j.app > apps.app)) from apps where apps.app is not null)";

/// A user as the database has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct User {
    pub(super) contact: Contact,
    /// Their last message.
    pub(super) latest: Option<MessageId>,
    /// The reply that waits for them, if it is the only one.
    pub(super) alone: Option<MessageId>,
}

impl User {
    /// Reads [`contact_columns`]; a user who was never written is the default one.
    pub(super) fn read(cells: &mut Cells<'_, impl Columns>, openid: &OpenId) -> Result<Self, StoreError> {
        let at = At {
            table: "contacts",
            row: openid,
        };
        let time = |column, millis: Option<i64>| millis.map(|millis| at.time(column, millis)).transpose();

        let Some(misses) = cells.integer()? else {
            cells.skip(11);
            return Ok(Self::default());
        };
        let first_message = time("first_message", cells.integer()?)?;
        let last_message = time("last_message", cells.integer()?)?;
        let state = cells.text()?;
        let until = time("state_until", cells.integer()?)?;
        let state = match (state, until) {
            (None, None) => None,
            (Some(name), Some(until)) => Some(DialogState { name, until }),
            _ => return Err(at.corrupt("state_until", "a state and its end go together")),
        };
        let mut user = Self {
            contact: Contact {
                first_message,
                last_message,
                misses: at.count("misses", misses)?,
                state,
                muted_until: time("muted_until", cells.integer()?)?,
                cooldowns: match cells.text()? {
                    None => Cooldowns::new(),
                    Some(text) => at
                        .json::<BTreeMap<RuleName, i64>>("cooldowns", &text)?
                        .into_iter()
                        .map(|(rule, until)| Ok((rule, at.time("cooldowns", until)?)))
                        .collect::<Result<_, StoreError>>()?,
                },
                ledger: Ledger {
                    left: at.count("ledger_left", at.some("ledger_left", cells.integer()?)?)?,
                    waiting: at.count("(queued)", at.some("(queued)", cells.integer()?)?)?,
                    until: time("ledger_until", cells.integer()?)?,
                },
            },
            latest: cells.integer()?.map(MessageId::from_i64),
            alone: cells.integer()?.map(MessageId::from_i64),
        };
        user.contact.ledger.waiting += u32::from(user.alone.is_some());
        Ok(user)
    }

    /// Appends the state of a user to the journal.
    pub(super) fn append(
        &self,
        insert: &mut CachedStatement<'_>,
        seq: i64,
        app: &AppName,
        openid: &OpenId,
    ) -> Result<(), StoreError> {
        let millis = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
        let Self {
            contact,
            latest,
            alone,
        } = self;
        let cooldowns: BTreeMap<&RuleName, i64> = contact
            .cooldowns
            .iter()
            .map(|(rule, until)| (rule, until.as_millisecond()))
            .collect();
        let cooldowns = (!cooldowns.is_empty()).then(|| to_json(&cooldowns)).transpose()?;
        insert.execute(params![
            seq,
            app.as_str(),
            openid.as_str(),
            contact.misses,
            millis(contact.first_message),
            millis(contact.last_message),
            contact.state.as_ref().map(|state| state.name.as_str()),
            millis(contact.state.as_ref().map(|state| state.until)),
            millis(contact.muted_until),
            cooldowns,
            contact.ledger.left,
            millis(contact.ledger.until),
            latest.map(MessageId::as_i64),
            alone.map(MessageId::as_i64),
        ])?;
        Ok(())
    }
}

/// What [`User::append`] executes.
pub(super) const APPEND: &str = concat!(
    "insert into contact_journal (seq, ",
    contact_names!(),
    ") values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
);

/// The user with this key, if anybody knows them. `place` is that of [`super::journal::Journal`], here and below.
pub(super) async fn find(
    conn: &mut SqliteConnection,
    app: &AppName,
    openid: &OpenId,
    place: Option<i64>,
) -> Result<Option<User>, StoreError> {
    let row = sqlx::query(concat!("select ", contact_columns!(), from_user!()))
        .bind(app.as_str())
        .bind(openid.as_str())
        .bind(place)
        .fetch_optional(conn)
        .await?;
    row.map(|row| User::read(&mut Cells::of(&row), openid))
        .transpose()
}

/// A user's last message.
pub(super) async fn latest(
    conn: &mut SqliteConnection,
    app: &AppName,
    openid: &OpenId,
    place: Option<i64>,
) -> Result<Option<MessageId>, StoreError> {
    Ok(find(conn, app, openid, place).await?.and_then(|user| user.latest))
}

pub(super) type Query = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

/// Changes a user; gives whether there is one. `texts` are of [`change`], `bind` binds their values.
pub(super) async fn update(
    conn: &mut SqliteConnection,
    app: &AppName,
    openid: &OpenId,
    place: Option<i64>,
    texts: [&'static str; 2],
    bind: impl Fn(Query) -> Query,
) -> Result<bool, StoreError> {
    let mut known = false;
    for text in texts {
        let query = sqlx::query(text)
            .bind(Arc::<str>::from(app))
            .bind(Arc::<str>::from(openid))
            .bind(place);
        known |= bind(query).execute(&mut *conn).await?.rows_affected() > 0;
    }
    Ok(known)
}

/// The same without the driver, for texts without values.
pub(super) fn update_directly(
    db: &rusqlite::Connection,
    app: &AppName,
    openid: &OpenId,
    place: Option<i64>,
    texts: [&'static str; 2],
) -> Result<(), StoreError> {
    let [in_journal, in_contacts] = texts;
    let (app, openid) = (app.as_str(), openid.as_str());
    db.prepare_cached(in_journal)?
        .execute(params![app, openid, place])?;
    db.prepare_cached(in_contacts)?.execute([app, openid])?;
    Ok(())
}

/// Whoever queues a reply beside a user's lonely one calls this first: then `messages_by_queue` has them all.
pub(super) async fn end_loneliness(
    conn: &mut SqliteConnection,
    app: &AppName,
    openid: &OpenId,
    place: Option<i64>,
) -> Result<(), StoreError> {
    sqlx::query(concat!(
        "update messages set alone = null where alone = 1 and id = (select iif(j.seq is null, c.alone, j.alone)",
        from_user!(),
        ")"
    ))
    .bind(app.as_str())
    .bind(openid.as_str())
    .bind(place)
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a user's place in the quota back: WeChat did not count what had it, so another may go instead.
pub(super) const GIVE_BACK: [&str; 2] = change!("ledger_left = ledger_left + 1");

/// Does so through the driver.
pub(super) async fn give_back(
    conn: &mut SqliteConnection,
    app: &AppName,
    openid: &OpenId,
    place: Option<i64>,
) -> Result<(), StoreError> {
    update(conn, app, openid, place, GIVE_BACK, |query| query).await?;
    Ok(())
}

/// The app-wide cooldowns of an app that still run.
const APP_COOLDOWNS: &str = "select rule, until from app_cooldowns where app = $1 and until > $2";

/// Reads a row of [`APP_COOLDOWNS`].
fn app_cooldown(cells: &mut Cells<'_, impl Columns>) -> Result<(RuleName, Timestamp), StoreError> {
    let rule = cells.text()?.unwrap_or_default();
    let at = At {
        table: "app_cooldowns",
        row: &rule,
    };
    let until = at.time("until", at.some("until", cells.integer()?)?)?;
    Ok((RuleName::from(rule), until))
}

/// Loads the app-wide cooldowns that still run at `now`.
pub(super) fn app_cooldowns(
    db: &rusqlite::Connection,
    app: &AppName,
    now: Timestamp,
) -> Result<Cooldowns, StoreError> {
    let mut select = db.prepare_cached(APP_COOLDOWNS)?;
    let mut rows = select.query(params![app.as_str(), now.as_millisecond()])?;
    let mut running = Cooldowns::new();
    while let Some(row) = rows.next()? {
        let (rule, until) = app_cooldown(&mut Cells::of(row))?;
        running.insert(rule, until);
    }
    Ok(running)
}

/// Lets an app-wide cooldown begin.
pub(super) fn begin_app_cooldown(
    db: &rusqlite::Connection,
    app: &AppName,
    rule: &RuleName,
    until: Timestamp,
) -> Result<(), StoreError> {
    let mut upsert = db.prepare_cached(
        "insert into app_cooldowns (app, rule, until) values (?1, ?2, ?3) \
         on conflict (app, rule) do update set until = excluded.until",
    )?;
    upsert.execute(params![app.as_str(), rule.as_str(), until.as_millisecond()])?;
    Ok(())
}

impl Store {
    /// The apps that have this user, or that one if it does.
    pub(super) async fn apps_that_know(
        &self,
        app: Option<&AppName>,
        openid: &OpenId,
    ) -> Result<Vec<AppName>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new("with recursive ");
        query
            .push(APPS)
            .push(" select apps.app from apps where (exists (select 1 from contacts c where c.app = apps.app and c.openid = ")
            .push_bind(openid.as_str())
            .push(") or exists (select 1 from contact_journal j where j.app = apps.app and j.openid = ")
            .push_bind(openid.as_str())
            .push("))");
        if let Some(app) = app {
            query.push(" and apps.app = ").push_bind(app.as_str());
        }
        let mut conn = self.reader().await?;
        let apps: Vec<String> = query.build_query_scalar().fetch_all(&mut *conn).await?;
        Ok(apps.into_iter().map(AppName::from).collect())
    }

    /// What is known of a user, and the app-wide cooldowns that still run; defaults for what was never written.
    pub async fn contact(&self, app: &AppName, openid: &OpenId) -> Result<(Contact, Cooldowns), StoreError> {
        let mut conn = self.reader().await?;
        let place = self.journal().durable_place(app, openid);
        let user = find(&mut conn, app, openid, place).await?.unwrap_or_default();
        let rows = sqlx::query(APP_COOLDOWNS)
            .bind(app.as_str())
            .bind(self.clock().now().as_millisecond())
            .fetch_all(&mut *conn)
            .await?;
        let running = rows.iter().map(|row| app_cooldown(&mut Cells::of(row)));
        Ok((user.contact, running.collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Bench, alice, arrival, at, inbound, verdict};
    use crate::store::{Arrival, Judge, Recorded};

    fn full() -> Contact {
        Contact {
            first_message: Some(at(1)),
            last_message: Some(at(2)),
            misses: 3,
            state: Some(DialogState {
                name: "菜单".into(),
                until: at(4),
            }),
            muted_until: Some(at(5)),
            cooldowns: Cooldowns::from([("营业时间".into(), at(6)), ("b".into(), at(7))]),
            ledger: Ledger {
                left: 2,
                waiting: 0,
                until: Some(at(8)),
            },
        }
    }

    #[tokio::test]
    async fn a_user_is_read_as_written_and_overwritten_whole() {
        let bench = Bench::new().await;
        let app = "shop".into();
        for (n, contact) in [full(), Contact::default()].into_iter().enumerate() {
            let decided = contact.clone();
            let judge: Judge = Box::new(move |_, facts| {
                let mut verdict = verdict(facts, &[]);
                verdict.decision.contact = decided.clone();
                verdict
            });
            bench
                .record(inbound(n as u64, "oAlice"), judge)
                .await
                .expect("recorded");
            let read = bench.store.contact(&app, &alice()).await.expect("read");
            assert_eq!(read, (contact, Cooldowns::new()));
        }
        let stranger = bench.store.contact(&app, &"oBob".into()).await.expect("read");
        assert_eq!(stranger, (Contact::default(), Cooldowns::new()));
    }

    #[tokio::test]
    async fn app_cooldowns_are_shown_to_those_who_ask_while_they_run() {
        let bench = Bench::new().await;
        let begin = |n| {
            let judge: Judge = Box::new(|_, facts| {
                let mut verdict = verdict(facts, &[]);
                if facts.app_cooldowns.is_empty() {
                    verdict.decision.app_cooldowns.push(("sale".into(), at(10)));
                } else {
                    assert_eq!(*facts.app_cooldowns, Cooldowns::from([("sale".into(), at(10))]));
                    verdict.decision.status = crate::message::InboundStatus::Cooldown;
                }
                verdict
            });
            Arrival {
                needs_app_cooldowns: true,
                ..arrival(inbound(n, "oAlice"), judge)
            }
        };
        // Two at once see each other, a third sees the database.
        let (one, two) = tokio::join!(bench.store.record(begin(1)), bench.store.record(begin(2)));
        let three = bench.store.record(begin(3)).await;
        let status = |recorded: Result<Recorded, _>| recorded.expect("recorded").status.as_str();
        assert_eq!(
            [status(one), status(two), status(three)],
            ["matched", "cooldown", "cooldown"]
        );

        for (seconds, running) in [(9, 1), (10, 0)] {
            bench.turn_to(seconds);
            let (_, cooldowns) = bench.store.contact(&"shop".into(), &alice()).await.expect("read");
            assert_eq!(cooldowns.len(), running, "after {seconds} s");
        }
    }
}
