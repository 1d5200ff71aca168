//! The outbox's view of the log: claim what is due, settle what was tried. Both ride in the group commit.
//!
//! A user's replies make a queue in the order of `turn`; only its head may be claimed. To claim is to lease: the
//! attempt is counted before it is made, and there is no state to repair after a crash.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use rusqlite::params;
use sqlx::SqliteConnection;

use super::contact::{self, change};
use super::journal::Journal;
use super::row::{At, Cells, Columns};
use super::{Store, StoreError};
use crate::clock;
use crate::message::{AppName, Delivery, MessageId, OpenId, OutboundStatus, Outcome, Reply, Settlement};

impl Store {
    /// Claims up to `limit` replies and up to `webhooks` questions to webhooks that are due at `now`: at most one a
    /// user, the user's oldest first, none whose user has a claimed one or an older queued one. Each is leased for
    /// `lease`, its attempt counted.
    ///
    /// A reply whose earlier lease ended without being settled counts that attempt as uncertain. A question does not:
    /// asking it again sends nothing to anybody's phone.
    pub async fn claim(
        &self,
        now: Timestamp,
        limit: usize,
        webhooks: usize,
        lease: Duration,
    ) -> Result<Vec<Delivery>, StoreError> {
        // Until somebody asks for the next one, whatever is queued from now on rings.
        self.outbox_bell().looking();
        let until = clock::after(now, lease);
        let [limit, webhooks] = [limit, webhooks].map(|rows| i64::try_from(rows).unwrap_or(i64::MAX));
        let journal = self.journal().clone();
        self.write_directly(1, move |db| {
            let mut claimed = claim(db, now, limit, webhooks, until)?;
            fill_in_expiry(db, &mut claimed, &journal)?;
            Ok(claimed)
        })
        .await
    }

    /// Writes outcomes. A retry moves all queued replies of the same user behind its due time; any other outcome
    /// makes them due no earlier than `gap` after the settlement's `at`. What is not queued any more is left alone.
    pub async fn settle(&self, settlements: Vec<Settlement>, gap: Duration) -> Result<(), StoreError> {
        if settlements.is_empty() {
            return Ok(());
        }
        let journal = self.journal().clone();
        // Their claims changed as many pages, but nobody could say how many that would be.
        let pages = settlements.len() * 2;
        self.write_directly(pages, move |db| settle(db, &settlements, gap, &journal))
            .await?;
        self.tell_news();
        Ok(())
    }

    /// The users of up to `limit` replies that are due after `now` and wish "typing…" to be shown until then. Each
    /// reply is given out once. Costs nothing when none was written since the last time.
    pub async fn take_typing(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(AppName, OpenId)>, StoreError> {
        if !self.typing_wanted().swap(false, Ordering::Acquire) {
            return Ok(Vec::new());
        }
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let taken = self.write(move |conn| take_typing(conn, now, rows).boxed()).await;
        // There may be more.
        if taken.as_ref().map_or(true, |users| users.len() >= limit) {
            self.typing_wanted().store(true, Ordering::Release);
        }
        taken
    }

    /// Ends all leases: the daemon that held them is gone (only one daemon uses a SQLite database), and nobody knows
    /// the end of the attempts it was making. Gives how many replies that is; questions to webhooks are asked again.
    pub async fn release_leases(&self) -> Result<u64, StoreError> {
        self.write(|conn| {
            async {
                let released: Vec<bool> = sqlx::query_scalar(
                    "update messages set lease = null, \
                     uncertain = uncertain + case when msg_type = 'webhook' then 0 else 1 end \
                     where lease is not null returning msg_type <> 'webhook'",
                )
                .fetch_all(conn)
                .await?;
                Ok(released.into_iter().map(u64::from).sum())
            }
            .boxed()
        })
        .await
    }

    /// When the next reply can be claimed: the first due of those at the head of their user's queue, or the end of a
    /// lease that nobody settles; `None` when nothing is queued.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let bell = self.outbox_bell();
        bell.looking();
        let mut conn = self.own_reader().await?;
        let (due, lease): (Option<i64>, Option<i64>) = sqlx::query_as(NEXT_DUE).fetch_one(&mut *conn).await?;
        let at = At {
            table: "messages",
            row: &"(the next one due)",
        };
        let next = due.into_iter().chain(lease).min();
        bell.looked(next);
        next.map(|millis| at.time("due", millis)).transpose()
    }

    /// How many replies are queued.
    pub async fn queued(&self) -> Result<u64, StoreError> {
        let mut conn = self.own_reader().await?;
        let count: i64 = sqlx::query_scalar("select count(*) from messages where status = 'queued'")
            .fetch_one(&mut *conn)
            .await?;
        Ok(count.unsigned_abs())
    }
}

/// The rows that may be claimed are found by `messages_by_due` and `messages_webhooks`, the older ones of a user by `messages_by_queue`,
/// unless a reply is known to be alone.
///
/// `or fail`: whoever called takes everything back when a statement fails; otherwise SQLite copies each page before a statement of
/// many rows changes it, to be able to take back that statement alone. `limit +$3`: SQLite plans by the value of a bare `limit $3`, and so prepares the statement
/// anew each time (65 µs against 7 of a claim that finds nothing).
const CLAIM: &str = "\
    update or fail messages \
       set lease = $1, attempts = attempts + 1, \
           uncertain = uncertain + case when lease is null or msg_type = 'webhook' then 0 else 1 end \
     where id in (select id from (select m.id from messages m \
                   where m.status = 'queued' and m.msg_type <> 'webhook' \
                     and m.due <= $2 and (m.lease is null or m.lease <= $2) \
                     and (m.alone = 1 or not exists (select 1 from messages o \
                                      where o.status = 'queued' and o.alone is null \
                                        and o.app = m.app and o.openid = m.openid \
                                        and ((o.turn, o.id) < (m.turn, m.id) or o.lease > $2))) \
                   order by m.due limit +$3) r \
                  union all select id from (select m.id from messages m \
                   where m.status = 'queued' and m.msg_type = 'webhook' \
                     and m.due <= $2 and (m.lease is null or m.lease <= $2) \
                     and (m.alone = 1 or not exists (select 1 from messages o \
                                      where o.status = 'queued' and o.alone is null \
                                        and o.app = m.app and o.openid = m.openid \
                                        and ((o.turn, o.id) < (m.turn, m.id) or o.lease > $2))) \
                   order by m.due limit +$4) w) \
    returning id, app, openid, fields, turn, attempts, uncertain, error";

/// Replies that wish for "typing…" have an index of their own.
const TAKE_TYPING: &str = "\
    update or fail messages set typing = 0 \
     where id in (select id from messages where status = 'queued' and due > $1 and typing = 1 limit +$2) \
    returning app, openid";

async fn take_typing(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(AppName, OpenId)>, StoreError> {
    let users: Vec<(String, String)> = sqlx::query_as(TAKE_TYPING)
        .bind(now.as_millisecond())
        .bind(limit)
        .fetch_all(conn)
        .await?;
    Ok(users
        .into_iter()
        .map(|(app, openid)| (app.into(), openid.into()))
        .collect())
}

/// The same for the heads of queues, due or not, of users who wait for no lease; and for the others the first end of a
/// user's last lease.
const NEXT_DUE: &str = "\
    select (select m.due from messages m \
     where m.status = 'queued' and m.lease is null \
       and (m.alone = 1 or not exists (select 1 from messages o \
                        where o.status = 'queued' and o.alone is null and o.app = m.app and o.openid = m.openid \
                          and ((o.turn, o.id) < (m.turn, m.id) or o.lease is not null))) \
     order by m.due limit 1), \
    (select min(l.lease) from messages l \
     where l.lease is not null \
       and (l.alone = 1 or not exists (select 1 from messages o \
                        where o.status = 'queued' and o.alone is null and o.app = l.app and o.openid = l.openid \
                          and o.lease > l.lease)))";

fn claim(
    db: &rusqlite::Connection,
    now: Timestamp,
    limit: i64,
    webhooks: i64,
    until: Timestamp,
) -> Result<Vec<Delivery>, StoreError> {
    let (until, now) = (until.as_millisecond(), now.as_millisecond());
    let mut claimed = Vec::new();
    let mut unreadable = Vec::new();
    {
        let mut claim = db.prepare_cached(CLAIM)?;
        let mut rows = claim.query([until, now, limit, webhooks])?;
        while let Some(row) = rows.next()? {
            let id = MessageId::from_i64(row.get(0)?);
            let mut cells = Cells::of(row);
            cells.skip(1);
            match delivery(id, &mut cells) {
                Ok(delivery) => claimed.push(delivery),
                Err(error) => unreadable.push((id, error)),
            }
        }
    }
    for (id, error) in unreadable {
        // It can never be sent, and must not keep the others from it.
        tracing::error!(%id, %error, "a queued reply can't be read; it is given up");
        db.execute(
            "update messages set status = 'failed', lease = null, error = ?1, settled = ?2 where id = ?3",
            params![error.to_string(), now, id.as_i64()],
        )?;
    }
    claimed.sort_by_key(|(turn, delivery)| (*turn, delivery.id));
    Ok(claimed.into_iter().map(|(_, delivery)| delivery).collect())
}

fn delivery(id: MessageId, cells: &mut Cells<'_, impl Columns>) -> Result<(i64, Delivery), StoreError> {
    let at = At {
        table: "messages",
        row: &id,
    };
    let app = AppName::from(at.some("app", cells.text()?)?);
    let openid = OpenId::from(at.some("openid", cells.text()?)?);
    let reply: Reply = at.json("fields", &at.some("fields", cells.text()?)?)?;
    let turn = at.some("turn", cells.integer()?)?;
    let delivery = Delivery {
        id,
        app,
        openid,
        reply,
        planned: at.time("turn", turn.div_euclid(1000))?,
        attempts: at.count("attempts", at.some("attempts", cells.integer()?)?)?,
        uncertain: at.count("uncertain", at.some("uncertain", cells.integer()?)?)?,
        last_error: cells.text()?,
        expires: None,
    };
    Ok((turn, delivery))
}

/// Tells when the window closes in which each may go out.
fn fill_in_expiry(
    db: &rusqlite::Connection,
    claimed: &mut [Delivery],
    journal: &Journal,
) -> Result<(), StoreError> {
    let places = journal.places_of(claimed.iter().map(|delivery| (&delivery.app, &delivery.openid)));
    let mut select = db.prepare_cached(
        "select iif(j.seq is null, c.ledger_until, j.ledger_until) from (select 1) \
         left join contact_journal j on j.seq = ?3 and j.openid = ?2 and j.app = ?1 \
         left join contacts c on j.seq is null and c.app = ?1 and c.openid = ?2",
    )?;
    for (delivery, place) in claimed.iter_mut().zip(places) {
        let user = params![delivery.app.as_str(), delivery.openid.as_str(), place];
        let end: Option<i64> = select.query_row(user, |row| row.get(0))?;
        delivery.expires = end.and_then(|end| Timestamp::from_millisecond(end).ok());
    }
    Ok(())
}

/// What an outcome writes.
struct Change<'a> {
    status: OutboundStatus,
    due: Option<Timestamp>,
    uncertain: bool,
    errcode: Option<i64>,
    error: Option<&'a str>,
}

impl<'a> Change<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let done = |status, errcode, error| Self {
            status,
            due: None,
            uncertain: false,
            errcode,
            error,
        };
        match outcome {
            Outcome::Sent => done(OutboundStatus::Sent, None, None),
            Outcome::Failed { errcode, error } => done(OutboundStatus::Failed, *errcode, Some(error)),
            Outcome::Dropped(reason) => done(OutboundStatus::Dropped, None, Some(reason.explanation())),
            Outcome::Uncertain { error } => done(OutboundStatus::Uncertain, None, Some(error)),
            Outcome::Retry {
                due,
                uncertain,
                errcode,
                error,
            } => Self {
                status: OutboundStatus::Queued,
                due: Some(*due),
                uncertain: *uncertain,
                errcode: *errcode,
                error: Some(error),
            },
        }
    }
}

const SETTLE: &str = "update messages set status = ?2, due = coalesce(?3, due), uncertain = uncertain + ?4, \
    errcode = ?5, error = ?6, settled = ?7, lease = null where id = ?1 and status = 'queued'";

fn settle(
    db: &rusqlite::Connection,
    settlements: &[Settlement],
    gap: Duration,
    journal: &Journal,
) -> Result<(), StoreError> {
    let mut update = db.prepare_cached(SETTLE)?;
    for settlement in settlements {
        let change = Change::of(&settlement.outcome);
        let settled = (change.status != OutboundStatus::Queued).then(|| settlement.at.as_millisecond());
        let changed = update.execute(params![
            settlement.id.as_i64(),
            change.status.as_str(),
            change.due.map(Timestamp::as_millisecond),
            change.uncertain,
            change.errcode,
            change.error,
            settled,
        ])?;
        if changed == 0 {
            continue;
        }
        postpone(db, settlement, gap)?;
        let (app, openid) = (&settlement.app, &settlement.openid);
        let never_sent = matches!(settlement.outcome, Outcome::Failed { .. } | Outcome::Dropped(_));
        if settlement.quota_spent {
            let set = change!("ledger_left = 0");
            contact::update_directly(db, app, openid, journal.place(app, openid), set)?;
        } else if never_sent {
            let set = contact::GIVE_BACK;
            contact::update_directly(db, app, openid, journal.place(app, openid), set)?;
        }
    }
    Ok(())
}

const POSTPONE: &str = "update or fail messages set due = ?3 where status = 'queued' and alone is null \
    and app = ?1 and openid = ?2 and due < ?3";

/// Moves a user's queued replies behind a retry, or to the end of the gap: they wait for their head anyway, and would
/// only be in the way of [`CLAIM`] meanwhile.
fn postpone(db: &rusqlite::Connection, settled: &Settlement, gap: Duration) -> Result<(), StoreError> {
    let due = match &settled.outcome {
        Outcome::Retry { due, .. } => *due,
        _ if gap.is_zero() => return Ok(()),
        _ => clock::after(settled.at, gap),
    };
    let mut update = db.prepare_cached(POSTPONE)?;
    update.execute(params![
        settled.app.as_str(),
        settled.openid.as_str(),
        due.as_millisecond()
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests;
