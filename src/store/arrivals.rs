//! Messages on their way into the log: found new or not, judged in the order of their arrival, written together.

use std::collections::hash_map::Entry;
use std::panic::{AssertUnwindSafe, catch_unwind};

use foldhash::{HashMap, HashMapExt};
use jiff::Timestamp;
use rusqlite::params;

use super::contact::{self, User, contact_columns};
use super::journal::Journal;
use super::requests::Prepared;
use super::row::{At, Cells, Columns};
use super::turn::{Queue, Turns};
use super::write::{Row, Users, write};
use super::{RecordError, Recorded, StoreError};
use crate::clock::Clock;
use crate::message::{Answer, AppName, Cooldowns, Facts, Inbound, InboundStatus, MessageId, OpenId, Verdict};

/// The rows that a commit adds to the log: whose, with which status, and whether it is an event; whether one wishes for
/// "typing…".
#[derive(Debug, Default)]
pub(super) struct Added {
    pub(super) rows: Vec<(AppName, &'static str, bool)>,
    pub(super) typing: bool,
    /// When the first of the queued ones is due.
    pub(super) first_due: Option<i64>,
}

/// Records messages in their order. Gives each one's outcome, and what was added to the log.
pub(super) fn record(
    db: &rusqlite::Connection,
    messages: &[&Prepared],
    clock: &dyn Clock,
    turns: &Turns,
    journal: &Journal,
) -> Result<(Vec<Result<Recorded, RecordError>>, Added), StoreError> {
    let mut known = Known::load(db, messages, clock, journal)?;
    let mut outcomes = Vec::with_capacity(messages.len());
    let mut rows = Vec::with_capacity(messages.len() * 2);
    let mut lonely_no_more = Vec::new();
    let mut added = Added::default();

    for message in messages {
        let arrival = &message.arrival;
        let inbound = &arrival.inbound;
        let id = match known.find(db, inbound)? {
            Found::Before(recorded) => {
                outcomes.push(Ok(recorded));
                continue;
            }
            Found::Free(id) => id,
        };
        let now = whole_millis(clock.now());
        let none = Cooldowns::new();
        let user = known.users.entry(key(inbound)).or_default();
        let facts = Facts {
            now,
            contact: &user.user.contact,
            app_cooldowns: known.app_cooldowns.get(&inbound.app).unwrap_or(&none),
        };
        let judged = catch_unwind(AssertUnwindSafe(|| (arrival.judge)(inbound, &facts)));
        let Verdict {
            decision,
            mut outbound,
        } = match judged {
            Ok(verdict) => verdict,
            Err(panic) => {
                outcomes.push(Err(RecordError::Judge(words(panic.as_ref()))));
                continue;
            }
        };
        if outbound.len() > MessageId::MAX_REPLIES {
            tracing::error!(%id, replies = outbound.len(), "a message has more replies than the log can hold");
            outbound.truncate(MessageId::MAX_REPLIES);
        }

        rows.push(Row::inbound(id, message, &decision, user.user.latest)?);
        let waited = !user.queue.is_empty();
        let mut queued = Vec::new();
        for (slot, outbound) in outbound.iter().enumerate() {
            added.typing |= outbound.typing && outbound.dropped.is_none();
            let goes_out = outbound.dropped.is_none();
            let place = user.queue.place(turns, now, outbound.due, goes_out);
            if goes_out {
                queued.push(rows.len());
                added.first_due = added.first_due.into_iter().chain([place.due]).min();
            }
            rows.push(Row::outbound(
                id.reply(slot + 1),
                inbound,
                &decision,
                outbound,
                now,
                place,
            )?);
        }
        match (waited, &queued[..]) {
            (_, []) => {}
            (false, [only]) => {
                rows[*only].alone = true;
                user.user.alone = Some(rows[*only].id);
            }
            _ => {
                if let Some(other) = user.user.alone.take() {
                    // It is written together with this message, or is in the log.
                    match rows.iter_mut().rev().find(|row| row.id == other) {
                        Some(row) => row.alone = false,
                        None => lonely_no_more.push(other),
                    }
                }
            }
        }
        // A malformed push has no user.
        if !inbound.openid.as_str().is_empty() {
            user.user = User {
                contact: decision.contact,
                latest: Some(id),
                alone: user.user.alone,
            };
            user.changed = true;
        }
        for (rule, until) in decision.app_cooldowns {
            contact::begin_app_cooldown(db, &inbound.app, &rule, until)?;
            let running = known.app_cooldowns.entry(inbound.app.clone()).or_default();
            running.insert(rule, until);
        }
        let recorded = Recorded {
            id,
            answer: decision.answer,
            duplicate: false,
            status: decision.status,
        };
        known.rows.insert(id, Some(Existing::of(inbound, &recorded)));
        outcomes.push(Ok(recorded));
    }

    for id in lonely_no_more {
        let mut update = db.prepare_cached("update messages set alone = null where id = ?1")?;
        update.execute([id.as_i64()])?;
    }
    added.rows = rows.iter().map(Row::label).collect();
    let users: Users<'_> = (journal.last() + 1..)
        .zip(known.users.iter().filter(|(_, user)| user.changed))
        .map(|(seq, ((app, openid), user))| (seq, app, openid, &user.user))
        .collect();
    let places: Vec<_> = users
        .iter()
        .map(|(seq, app, openid, _)| (((*app).clone(), (*openid).clone()), *seq))
        .collect();
    write(db, &rows, &users)?;
    journal.wrote(places);
    Ok((outcomes, added))
}

/// What the database and the messages before it in the group say about a message.
struct Known {
    /// The messages by key; `None` is a free key.
    rows: HashMap<MessageId, Option<Existing>>,
    users: HashMap<(AppName, OpenId), KnownUser>,
    app_cooldowns: HashMap<AppName, Cooldowns>,
}

#[derive(Default)]
struct KnownUser {
    user: User,
    queue: Queue,
    changed: bool,
}

/// A message that is in the log.
struct Existing {
    app: AppName,
    openid: OpenId,
    dedup_key: String,
    status: InboundStatus,
    answer: Answer,
}

enum Found {
    Before(Recorded),
    Free(MessageId),
}

fn key(inbound: &Inbound) -> (AppName, OpenId) {
    (inbound.app.clone(), inbound.openid.clone())
}

/// The database keeps milliseconds; so that a decision means the same before and after, it sees no finer time.
fn whole_millis(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().copied();
    said.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no words")
        .to_owned()
}

impl Existing {
    fn of(inbound: &Inbound, recorded: &Recorded) -> Self {
        Self {
            app: inbound.app.clone(),
            openid: inbound.openid.clone(),
            dedup_key: inbound.dedup_key.clone(),
            status: recorded.status,
            answer: recorded.answer.clone(),
        }
    }

    /// Reads `app, openid, dedup_key, status, answer`.
    fn read(cells: &mut Cells<'_, impl Columns>, id: MessageId) -> Result<Option<Self>, StoreError> {
        let at = At {
            table: "messages",
            row: &id,
        };
        let Some(app) = cells.text()? else {
            cells.skip(4);
            return Ok(None);
        };
        let openid = at.some("openid", cells.text()?)?;
        let dedup_key = at.some("dedup_key", cells.text()?)?;
        let status = at.some("status", cells.text()?)?;
        let answer = cells.text()?;
        Ok(Some(Self {
            app: app.into(),
            openid: openid.into(),
            dedup_key,
            status: at.word("status", &status)?,
            answer: match answer {
                None => Answer::Success,
                Some(text) => at.json("answer", &text)?,
            },
        }))
    }

    fn is(&self, inbound: &Inbound) -> bool {
        self.dedup_key == inbound.dedup_key && self.openid == inbound.openid && self.app == inbound.app
    }
}

/// What is usually needed of one message: the message with the same key, and the user. Of a stranger with a new message it
/// gives no row. ?1 is the key, ?2 the app, ?3 the openid, ?4 the user's place in the journal.
const LOAD: &str = concat!(
    "select m.app, m.openid, m.dedup_key, m.status, m.answer, ",
    contact_columns!(),
    " from (select 1) left join messages m on m.id = ?1 \
     left join contact_journal j on j.seq = ?4 and j.openid = ?3 and j.app = ?2 \
     left join contacts c on j.seq is null and c.app = ?2 and c.openid = ?3 \
     where m.id is not null or j.seq is not null or c.app is not null"
);

impl Known {
    fn load(
        db: &rusqlite::Connection,
        messages: &[&Prepared],
        clock: &dyn Clock,
        journal: &Journal,
    ) -> Result<Self, StoreError> {
        let mut known = Self {
            rows: HashMap::with_capacity(messages.len() * 2),
            users: HashMap::with_capacity(messages.len()),
            app_cooldowns: HashMap::new(),
        };
        let now = clock.now();
        let places = journal.places_of(messages.iter().map(|message| {
            let inbound = &message.arrival.inbound;
            (&inbound.app, &inbound.openid)
        }));
        let mut load = db.prepare_cached(LOAD)?;
        for (message, place) in messages.iter().zip(places) {
            let arrival = &message.arrival;
            let inbound = &arrival.inbound;
            let id = inbound.id.message();
            let (app, openid) = (inbound.app.as_str(), inbound.openid.as_str());
            let mut rows = load.query(params![id.as_i64(), app, openid, place])?;
            let mut existing = None;
            if let Some(row) = rows.next()? {
                let mut cells = Cells::of(row);
                existing = Existing::read(&mut cells, id)?;
                // Several messages of one user in a group: what is known of them is the same.
                if let Entry::Vacant(place) = known.users.entry(key(inbound)) {
                    let user = User::read(&mut cells, &inbound.openid)?;
                    let queue = match user.contact.ledger.waiting {
                        0 => Queue::default(),
                        _ => Queue::load(db, &inbound.app, &inbound.openid, user.alone)?,
                    };
                    place.insert(KnownUser {
                        user,
                        queue,
                        changed: false,
                    });
                }
            }
            known.rows.insert(id, existing);
            if arrival.needs_app_cooldowns && !known.app_cooldowns.contains_key(&inbound.app) {
                let running = contact::app_cooldowns(db, &inbound.app, now)?;
                known.app_cooldowns.insert(inbound.app.clone(), running);
            }
        }
        Ok(known)
    }

    /// Finds the message, or the key that it is to have: its own, or the first of those it tries then that no other
    /// message has.
    fn find(&mut self, db: &rusqlite::Connection, inbound: &Inbound) -> Result<Found, StoreError> {
        let mut id = inbound.id.message();
        loop {
            let existing = match self.rows.get(&id) {
                Some(existing) => existing,
                None => {
                    let mut select = db.prepare_cached(
                        "select app, openid, dedup_key, status, answer from messages where id = ?1",
                    )?;
                    let mut rows = select.query([id.as_i64()])?;
                    let existing = match rows.next()? {
                        Some(row) => Existing::read(&mut Cells::of(row), id)?,
                        None => None,
                    };
                    self.rows.entry(id).or_insert(existing)
                }
            };
            match existing {
                None => return Ok(Found::Free(id)),
                Some(existing) if existing.is(inbound) => {
                    return Ok(Found::Before(Recorded {
                        id,
                        answer: existing.answer.clone(),
                        duplicate: true,
                        status: existing.status,
                    }));
                }
                Some(_) => id = inbound.next_id(id),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use sqlx::{AssertSqlSafe, Row as _};

    use super::super::contact::APPEND;
    use super::super::turn::{LONELY, QUEUE};
    use super::super::write::{INSERT_INBOUND, INSERT_OUTBOUND};
    use super::*;
    use crate::message::DropReason;
    use crate::store::log::{Filter, Order};
    use crate::store::testing::{Bench, alice, answering, arrival, at, inbound, verdict};
    use crate::store::{Judge, Store};

    async fn ids(store: &Store) -> Vec<MessageId> {
        let entries = store
            .entries(&Filter::default(), Order::OldestFirst)
            .await
            .expect("read");
        entries.into_iter().map(|entry| entry.id).collect()
    }

    #[tokio::test]
    async fn what_runs_for_every_push_fills_no_table_of_its_own() {
        let bench = Bench::new().await;
        let mut raw = bench.raw().await;
        for sql in [LOAD, QUEUE, LONELY, INSERT_INBOUND, INSERT_OUTBOUND, APPEND] {
            let explain = AssertSqlSafe(format!("explain {sql}"));
            let steps = sqlx::query(explain).fetch_all(&mut raw).await.expect("explained");
            let steps: Vec<String> = steps.iter().map(|row| row.get("opcode")).collect();
            assert!(
                !steps.iter().any(|step| step == "OpenEphemeral"),
                "{sql}: {steps:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_message_pushed_twelve_times_at_once_is_one_row_with_one_answer() {
        let bench = Bench::new().await;
        let transfer = || -> Judge {
            Box::new(|_, facts| {
                let mut verdict = verdict(facts, &["hello".into()]);
                verdict.decision.answer = Answer::Transfer(Some("kf2001@shop".into()));
                verdict
            })
        };
        let pushes = (0..12).map(|_| bench.record(inbound(1, "oAlice"), transfer()));
        let recorded: Vec<Recorded> = join_all(pushes)
            .await
            .into_iter()
            .map(|r| r.expect("recorded"))
            .collect();
        assert_eq!(recorded.iter().filter(|r| !r.duplicate).count(), 1);
        assert!(
            recorded
                .iter()
                .all(|r| r.answer == recorded[0].answer && r.id == recorded[0].id)
        );
        assert_eq!(recorded[0].answer, Answer::Transfer(Some("kf2001@shop".into())));
        assert_eq!(ids(&bench.store).await, [recorded[0].id, recorded[0].id.reply(1)]);

        // Later, and after a restart, judged by other rules: still the first answer.
        let later = bench.receive(1, "oAlice", &["other"]).await;
        let bench = bench.reopen().await;
        let much_later = bench.receive(1, "oAlice", &["other"]).await;
        for repeated in [later, much_later] {
            assert!(repeated.duplicate);
            assert_eq!(repeated.answer, recorded[0].answer);
            assert_eq!(repeated.status, InboundStatus::Matched);
        }
        assert_eq!(ids(&bench.store).await.len(), 2);
    }

    #[tokio::test]
    async fn different_messages_with_one_key_are_kept_apart() {
        let bench = Bench::new().await;
        let same_key = |openid: &str, app: &str, dedup_key: &str| Inbound {
            app: app.into(),
            dedup_key: dedup_key.into(),
            ..inbound(7, openid)
        };
        let all = [
            same_key("oAlice", "shop", "7"),
            same_key("oBob", "shop", "7"),
            same_key("oAlice", "other", "7"),
            same_key("oAlice", "shop", "8"),
        ];
        let mut expected = all.each_ref().map(|inbound| inbound.next_id(inbound.id));
        expected[0] = all[0].id;

        // In one group, and again across groups and a restart: each finds itself.
        let record = |inbound: &Inbound| bench.record(inbound.clone(), answering(&["hi"]));
        let first = join_all(all.iter().map(record)).await;
        for (n, recorded) in first.into_iter().enumerate() {
            let recorded = recorded.expect("recorded");
            assert_eq!((recorded.id, recorded.duplicate), (expected[n], false));
        }
        let bench = bench.reopen().await;
        for (n, inbound) in all.iter().enumerate().rev() {
            let recorded = bench
                .record(inbound.clone(), answering(&[]))
                .await
                .expect("recorded");
            assert_eq!((recorded.id, recorded.duplicate), (expected[n], true));
        }
        let fifth = same_key("oCarol", "shop", "7");
        let next = fifth.next_id(fifth.id);
        let recorded = bench.record(fifth, answering(&[])).await.expect("recorded");
        assert_eq!(recorded.id, next);
        assert_eq!(ids(&bench.store).await.len(), 4 * 2 + 1);
    }

    #[tokio::test]
    async fn messages_of_one_group_see_each_other_in_order() {
        let bench = Bench::new().await;
        let judge = |n: u32| -> Judge {
            Box::new(move |_, facts| {
                assert_eq!(
                    facts.contact.misses, n,
                    "the contact as message {n} should see it"
                );
                verdict(facts, &[format!("reply {n}")])
            })
        };
        // Keys that fall while the messages come, so that no order by key can pass for the order of arrival.
        let pushes = (0..100).map(|n| bench.record(inbound(1000 - u64::from(n), "oAlice"), judge(n)));
        assert!(join_all(pushes).await.iter().all(Result::is_ok));
        let (contact, _) = bench.store.contact(&"shop".into(), &alice()).await.expect("read");
        assert_eq!(contact.misses, 100);

        for n in 0..100 {
            let claimed = bench.claim(1).await;
            assert_eq!(crate::store::testing::texts(&claimed), [format!("reply {n}")]);
            bench.settle(&claimed[0], crate::message::Outcome::Sent).await;
        }
    }

    #[tokio::test]
    async fn replies_stay_in_order_when_the_clock_is_set_back_and_over_a_restart() {
        let bench = Bench::new().await;
        bench.turn_to(100);
        bench.receive(1, "oAlice", &["first"]).await;
        bench.turn_to(50);
        bench.receive(2, "oAlice", &["second"]).await;
        let bench = bench.reopen().await; // at 0
        bench.receive(3, "oAlice", &["third"]).await;
        for text in ["first", "second", "third"] {
            let claimed = bench.claim(200).await;
            assert_eq!(crate::store::testing::texts(&claimed), [text]);
            bench.settle(&claimed[0], crate::message::Outcome::Sent).await;
        }
    }

    #[tokio::test]
    async fn a_delayed_reply_holds_up_only_what_is_wanted_after_it() {
        let bench = Bench::new().await;
        let in_a_minute: Judge = Box::new(|_, facts| {
            let mut verdict = verdict(facts, &["reminder".into(), "and its end".into()]);
            for outbound in &mut verdict.outbound {
                outbound.due = at(60);
            }
            verdict
        });
        // In one group, and after a restart.
        let (delayed, prompt) = tokio::join!(
            bench.record(inbound(1, "oAlice"), in_a_minute),
            bench.record(inbound(2, "oAlice"), answering(&["at once"])),
        );
        assert!(delayed.is_ok() && prompt.is_ok());
        let bench = bench.reopen().await;
        bench.turn_to(10);
        bench.receive(3, "oAlice", &["at ten"]).await;
        bench.turn_to(61);
        bench.receive(4, "oAlice", &["afterwards"]).await;
        for (seconds, text) in [
            (0, "at once"),
            (10, "at ten"),
            (60, "reminder"),
            (60, "and its end"),
            (61, "afterwards"),
        ] {
            if text != "and its end" && text != "afterwards" {
                assert_eq!(bench.claim(seconds - 1).await, [], "{text}");
            }
            let claimed = bench.claim(seconds).await;
            assert_eq!(crate::store::testing::texts(&claimed), [text]);
            assert_eq!(claimed[0].planned, at(seconds), "its age counts from then on");
            bench.settle(&claimed[0], crate::message::Outcome::Sent).await;
        }
    }

    #[tokio::test]
    async fn a_judge_that_panics_harms_only_its_own_message() {
        let bench = Bench::new().await;
        let panics: Judge = Box::new(|inbound, _| panic!("no idea about {}", inbound.dedup_key));
        let (before, harmed, again, after) = tokio::join!(
            bench.record(inbound(1, "oAlice"), answering(&["a"])),
            bench.record(inbound(2, "oAlice"), panics),
            bench.record(inbound(2, "oAlice"), answering(&["b"])),
            bench.record(inbound(3, "oAlice"), answering(&["c"])),
        );
        assert!(before.is_ok() && after.is_ok());
        let error = harmed.expect_err("no verdict").to_string();
        assert!(error.contains("no idea about 2"), "{error}");
        assert!(!again.expect("judged anew").duplicate);
        assert_eq!(ids(&bench.store).await.len(), 6);
    }

    #[tokio::test]
    async fn a_dropped_reply_is_logged_with_its_reason_and_never_claimed() {
        let bench = Bench::new().await;
        let judge: Judge = Box::new(|_, facts| {
            let mut verdict = verdict(facts, &["sent".into(), "over".into()]);
            verdict.outbound[1].dropped = Some(DropReason::Quota);
            verdict
        });
        let recorded = bench.record(inbound(1, "oAlice"), judge).await.expect("recorded");
        let dropped = bench.entry(recorded.id.reply(2)).await;
        assert_eq!(dropped.status, "dropped");
        assert_eq!(dropped.error.as_deref(), Some(DropReason::Quota.explanation()));
        assert_eq!(dropped.reply_to, Some(recorded.id));
        assert_eq!(crate::store::testing::texts(&bench.claim(9).await), ["sent"]);
        assert_eq!(bench.store.queued().await.expect("read"), 1);
    }

    #[tokio::test]
    async fn too_many_replies_are_cut_to_what_the_keys_allow() {
        let bench = Bench::new().await;
        let recorded = bench.receive(1, "oAlice", &["x"; 20]).await;
        let all = ids(&bench.store).await;
        assert_eq!(all.len(), 1 + MessageId::MAX_REPLIES);
        assert_eq!(all.last(), Some(&recorded.id.reply(15)));
    }

    #[tokio::test]
    async fn groups_of_every_size_are_written_whole() {
        let bench = Bench::new().await;
        let mut total = 0;
        for size in [1, 2, 63, 64, 65, 300] {
            let pushes = (total..total + size).map(|n| {
                let one = arrival(inbound(n, &format!("o{}", n % 7)), answering(&["x"]));
                bench.store.record(one)
            });
            assert!(join_all(pushes).await.iter().all(Result::is_ok));
            total += size;
            assert_eq!(ids(&bench.store).await.len() as u64, total * 2);
        }
        let event = Inbound {
            msg_type: "event".into(),
            ..inbound(5000, "oAlice")
        };
        bench.record(event, answering(&[])).await.expect("recorded");
        total += 1;
        let page = bench.metrics.page();
        let events = r#"wxreply_events_total{app="shop",outcome="matched"} 1"#;
        assert!(page.contains(events), "{page}");
        assert!(
            page.contains(&format!(
                r#"wxreply_messages_total{{app="shop",outcome="matched"}} {total}"#
            )),
            "{page}"
        );
        assert!(
            page.contains(&format!(
                r#"wxreply_messages_total{{app="shop",outcome="queued"}} {}"#,
                total - 1
            )),
            "{page}"
        );
    }

    #[tokio::test]
    async fn the_judge_sees_whole_milliseconds() {
        let fine = Timestamp::from_nanosecond(1_732_250_000_123_456_789).expect("in range");
        assert_eq!(whole_millis(fine).as_nanosecond(), 1_732_250_000_123_000_000);
        assert_eq!(whole_millis(at(1)), at(1));
    }
}
