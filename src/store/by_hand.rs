//! What people do to a conversation: write a reply, keep the rules silent, give up replies that wait.

use std::sync::Arc;

use futures_util::FutureExt;
use jiff::Timestamp;
use serde_json::json;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::contact::{self, change};
use super::journal::Journal;
use super::turn::{Queue, Turns};
use super::write::LateReply;
use super::{IDS, Store, StoreError, audit};
use crate::message::{AppName, Contact, MessageId, OpenId, OutboundStatus, Reply};

/// Replies that a person writes to a user.
#[derive(Clone, Debug)]
pub struct ByHand {
    /// The app.
    pub app: AppName,
    /// The user.
    pub openid: OpenId,
    /// The person's name.
    pub author: String,
    /// What is to be sent, in order.
    pub replies: Vec<Reply>,
}

/// How things stand when they are to be written.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The time.
    pub now: Timestamp,
    /// The user.
    pub contact: &'a Contact,
    /// How many replies still have a place beside the user's last message; `None` when that is not in the log any more.
    pub free: Option<usize>,
}

impl Store {
    /// Queues what a person wrote, beside the user's last message and behind what already waits for this user. `judge`
    /// sees how things stand (`None`: nobody knows this user) and gives the user as they are to be afterwards, or why
    /// not; of that the ledger and the mute are written. Gives the keys of the replies.
    pub async fn write_by_hand<E: Send + 'static>(
        &self,
        by_hand: ByHand,
        judge: impl Fn(Option<Standing<'_>>) -> Result<Contact, E> + Send + Sync + 'static,
    ) -> Result<Result<Vec<MessageId>, E>, StoreError> {
        let now = self.clock().now();
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let app = by_hand.app.clone();
        let (by_hand, judge, turns) = (Arc::new(by_hand), Arc::new(judge), self.turns());
        let journal = self.journal().clone();
        let written = self
            .write(move |conn| {
                let (by_hand, judge, turns) = (Arc::clone(&by_hand), Arc::clone(&judge), turns.clone());
                let place = journal.place(&by_hand.app, &by_hand.openid);
                async move { write(conn, &by_hand, place, now, &turns, &*judge).await }.boxed()
            })
            .await?;
        if let Ok(ids) = &written {
            let queued = OutboundStatus::Queued.as_str();
            self.metrics().messages(app.as_str(), queued, ids.len() as u64);
            self.outbox_bell().ring();
            self.tell_news();
        }
        Ok(written)
    }

    /// Lets no rule answer a user before `until`. `by` is who wants it so. Gives whether the user is known.
    pub async fn mute(
        &self,
        app: &AppName,
        openid: &OpenId,
        until: Timestamp,
        by: &str,
    ) -> Result<bool, StoreError> {
        self.set_mute(app, openid, Some(until), by).await
    }

    /// Lets rules answer a user again.
    pub async fn unmute(&self, app: &AppName, openid: &OpenId, by: &str) -> Result<bool, StoreError> {
        self.set_mute(app, openid, None, by).await
    }

    async fn set_mute(
        &self,
        app: &AppName,
        openid: &OpenId,
        until: Option<Timestamp>,
        by: &str,
    ) -> Result<bool, StoreError> {
        let now = self.clock().now();
        let (app, openid, by): (_, _, Arc<str>) = (app.clone(), openid.clone(), by.into());
        let journal = self.journal().clone();
        let known = self
            .write(move |conn| {
                let (app, openid, by, journal) =
                    (app.clone(), openid.clone(), Arc::clone(&by), journal.clone());
                async move {
                    let until_millis = until.map(Timestamp::as_millisecond);
                    let set = change!("muted_until = $4");
                    if !contact::update(conn, &app, &openid, journal.place(&app, &openid), set, |query| {
                        query.bind(until_millis)
                    })
                    .await?
                    {
                        return Ok(false);
                    }
                    let (action, detail) = match until {
                        Some(until) => ("mute", json!({ "app": app, "until": until })),
                        None => ("unmute", json!({ "app": app })),
                    };
                    audit::note(conn, now, &by, action, openid.as_str(), &detail).await?;
                    Ok(true)
                }
                .boxed()
            })
            .await?;
        if known {
            self.tell_news();
        }
        Ok(known)
    }

    /// Gives up replies: those of these that are queued, failed or uncertain become `dropped`, by hand of `by`. Gives
    /// their ids. Others are left alone, and so is one that is just being sent.
    pub async fn drop_replies(&self, ids: &[MessageId], by: &str) -> Result<Vec<MessageId>, StoreError> {
        let by: Arc<str> = by.into();
        let mut all = Vec::new();
        for ids in ids.chunks(IDS) {
            let (ids, by): (Arc<[MessageId]>, _) = (ids.into(), Arc::clone(&by));
            let journal = self.journal().clone();
            let now = self.clock().now();
            let dropped = self
                .write_pages(ids.len(), move |conn| {
                    let (ids, by, journal) = (Arc::clone(&ids), Arc::clone(&by), journal.clone());
                    async move { drop_replies(conn, &ids, now, &by, &journal).await }.boxed()
                })
                .await?;
            if !dropped.is_empty() {
                self.tell_news();
            }
            all.extend(dropped);
        }
        if !all.is_empty() {
            // What waited behind them can go now.
            self.outbox_bell().ring();
        }
        Ok(all)
    }
}

async fn write<E>(
    conn: &mut SqliteConnection,
    by_hand: &ByHand,
    place: Option<i64>,
    now: Timestamp,
    turns: &Turns,
    judge: &(impl Fn(Option<Standing<'_>>) -> Result<Contact, E> + ?Sized),
) -> Result<Result<Vec<MessageId>, E>, StoreError> {
    let user = contact::find(conn, &by_hand.app, &by_hand.openid, place).await?;
    let message = user.as_ref().and_then(|user| user.latest);
    let used = match message {
        Some(message) => used_slots(conn, message).await?,
        None => None,
    };
    let standing = user.as_ref().map(|user| Standing {
        now,
        contact: &user.contact,
        free: used.map(|used| MessageId::MAX_REPLIES - used),
    });
    let contact = match judge(standing) {
        Ok(contact) => contact,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut ids = Vec::with_capacity(by_hand.replies.len());
    if let (Some(message), Some(used)) = (message, used) {
        contact::end_loneliness(conn, &by_hand.app, &by_hand.openid, place).await?;
        let mut queue = Queue::find(conn, &by_hand.app, &by_hand.openid).await?;
        for (slot, reply) in (used + 1..=MessageId::MAX_REPLIES).zip(&by_hand.replies) {
            let id = message.reply(slot);
            let row = LateReply {
                id,
                app: &by_hand.app,
                openid: &by_hand.openid,
                time: now,
                reply,
                rule: None,
                rule_set: None,
                place: queue.place(turns, now, now, true),
                dropped: None,
                note: None,
                author: Some(&by_hand.author),
            };
            row.insert(conn).await?;
            ids.push(id);
        }
    }
    let set = change!("ledger_left = $4, muted_until = $5");
    contact::update(conn, &by_hand.app, &by_hand.openid, place, set, |query| {
        query
            .bind(i64::from(contact.ledger.left))
            .bind(contact.muted_until.map(Timestamp::as_millisecond))
    })
    .await?;
    let before = user.and_then(|user| user.contact.muted_until);
    let muted = contact.muted_until.filter(|_| contact.muted_until != before);
    let mut detail = json!({ "app": by_hand.app, "ids": ids });
    if let Some(until) = muted {
        detail["muted_until"] = json!(until);
    }
    let openid = by_hand.openid.as_str();
    audit::note(conn, now, &by_hand.author, "reply", openid, &detail).await?;
    Ok(Ok(ids))
}

/// How many places beside a message are taken; none of them is free below the last. `None` when it is not there.
pub(super) async fn used_slots(
    conn: &mut SqliteConnection,
    message: MessageId,
) -> Result<Option<usize>, StoreError> {
    let (first, last): (Option<i64>, Option<i64>) =
        sqlx::query_as("select min(id), max(id) from messages where id between $1 and $2")
            .bind(message.as_i64())
            .bind(message.reply(MessageId::MAX_REPLIES).as_i64())
            .fetch_one(conn)
            .await?;
    Ok(last
        .filter(|_| first == Some(message.as_i64()))
        .map(|last| usize::try_from(last - message.as_i64()).unwrap_or(MessageId::MAX_REPLIES)))
}

async fn drop_replies(
    conn: &mut SqliteConnection,
    ids: &[MessageId],
    now: Timestamp,
    by: &str,
    journal: &Journal,
) -> Result<Vec<MessageId>, StoreError> {
    let mut dropped = Vec::new();
    // Those that wait have a place in the quota, which they give back; the others have lost theirs already.
    for (status, waited) in [
        ("status = 'queued' and lease is null", true),
        ("status in ('failed', 'uncertain')", false),
    ] {
        let mut query = QueryBuilder::<Sqlite>::new("update messages set status = 'dropped', error = ");
        query
            .push_bind(format!("by hand: {by}"))
            .push(", settled = ")
            .push_bind(now.as_millisecond())
            .push(format_args!(" where direction = 'out' and {status} and id in ("));
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id.as_i64());
        }
        query.push(") returning id, app, openid");
        let rows: Vec<(i64, String, String)> = query.build_query_as().fetch_all(&mut *conn).await?;
        for (id, app, openid) in rows {
            if waited {
                let (app, openid) = (app.into(), openid.into());
                contact::give_back(conn, &app, &openid, journal.place(&app, &openid)).await?;
            }
            dropped.push(MessageId::from_i64(id));
        }
    }
    dropped.sort_unstable();
    if let [first, ..] = dropped[..] {
        let detail = json!({ "ids": dropped });
        audit::note(conn, now, by, "drop", &first.to_string(), &detail).await?;
    }
    Ok(dropped)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::message::{DropReason, Ledger, Outbound, Outcome};
    use crate::store::Judge;
    use crate::store::testing::{Bench, alice, at, inbound, retry, texts, verdict};

    fn by_hand(openid: &str, replies: &[&str]) -> ByHand {
        ByHand {
            app: "shop".into(),
            openid: openid.into(),
            author: "ann".to_owned(),
            replies: replies
                .iter()
                .map(|text| Reply::Text((*text).to_owned()))
                .collect(),
        }
    }

    /// Takes one of the ledger for each reply, and mutes.
    fn taking(count: u32, muted: Option<i64>) -> impl Fn(Option<Standing<'_>>) -> Result<Contact, String> {
        move |standing| {
            let standing = standing.ok_or("unknown")?;
            let mut contact = standing.contact.clone();
            let free = standing.free.ok_or("gone")?;
            if free < count as usize {
                return Err(format!("{free} free"));
            }
            contact.ledger.left -= count;
            contact.muted_until = muted.map(at);
            Ok(contact)
        }
    }

    /// A user of whom WeChat would take `left` more replies, and these are queued.
    async fn came(bench: &Bench, n: u64, replies: &[&str], left: u32) {
        let replies: Vec<String> = replies.iter().map(|text| (*text).to_owned()).collect();
        let judge: Judge = Box::new(move |_, facts| {
            let mut verdict = verdict(facts, &replies);
            verdict.decision.contact.ledger = Ledger {
                left,
                waiting: 0,
                until: Some(at(9000)),
            };
            verdict
        });
        bench.record(inbound(n, "oAlice"), judge).await.expect("recorded");
    }

    async fn contact(bench: &Bench) -> Contact {
        bench
            .store
            .contact(&"shop".into(), &alice())
            .await
            .expect("read")
            .0
    }

    #[tokio::test]
    async fn what_a_person_writes_goes_out_behind_what_waits() {
        let bench = Bench::new().await;
        came(&bench, 1, &["rule"], 4).await;
        let mut news = bench.store.news();
        news.mark_unchanged();
        bench.turn_to(5);
        let written = bench
            .store
            .write_by_hand(by_hand("oAlice", &["one", "two"]), taking(2, Some(1800)))
            .await
            .expect("written");
        let message = inbound(1, "oAlice").id;
        assert_eq!(written, Ok(vec![message.reply(2), message.reply(3)]));
        assert!(news.has_changed().expect("open"));
        let page = bench.metrics.page();
        let counted = r#"wxreply_messages_total{app="shop",outcome="queued"} 3"#;
        assert!(page.contains(counted), "{page}");

        let entry = bench.entry(message.reply(2)).await;
        assert_eq!((entry.status.as_str(), entry.time), ("queued", at(5)));
        assert_eq!((entry.author.as_deref(), entry.rule), (Some("ann"), None));
        assert_eq!(entry.content.as_deref(), Some("one"));
        let contact = contact(&bench).await;
        assert_eq!((contact.ledger.left, contact.ledger.waiting), (2, 3));
        assert_eq!(contact.muted_until, Some(at(1800)));
        assert_eq!(contact.misses, 1, "the rest is as it was");
        // A customer who writes meanwhile is answered after that.
        bench.receive(2, "oAlice", &["later"]).await;
        for text in ["rule", "one", "two", "later"] {
            let claimed = bench.claim(5).await;
            assert_eq!(texts(&claimed), [text]);
            bench.settle(&claimed[0], Outcome::Sent).await;
        }
        let audit = &bench.store.audits(None, 9).await.expect("read")[0];
        assert_eq!(
            (audit.user.as_str(), audit.action.as_str(), audit.subject.as_str()),
            ("ann", "reply", "oAlice")
        );
        assert_eq!(audit.detail["ids"][1], message.reply(3).to_string());
    }

    #[tokio::test]
    async fn it_overtakes_what_is_wanted_later_and_waits_for_what_is_tried_again() {
        let bench = Bench::new().await;
        let judge: Judge = Box::new(|_, facts| {
            let mut verdict = verdict(facts, &["now".into(), "in an hour".into()]);
            verdict.outbound[1] = Outbound {
                due: at(3600),
                ..verdict.outbound[1].clone()
            };
            verdict
        });
        bench.record(inbound(1, "oAlice"), judge).await.expect("recorded");
        let claimed = bench.claim(0).await;
        bench.settle(&claimed[0], retry(60)).await;
        bench
            .store
            .write_by_hand(by_hand("oAlice", &["hand"]), taking(0, None))
            .await
            .expect("written")
            .expect("taken");
        assert_eq!(bench.claim(59).await, []);
        for (seconds, text) in [(60, "now"), (60, "hand"), (3600, "in an hour")] {
            let claimed = bench.claim(seconds).await;
            assert_eq!(texts(&claimed), [text]);
            bench.settle(&claimed[0], Outcome::Sent).await;
        }
    }

    #[tokio::test]
    async fn a_refusal_writes_nothing() {
        let bench = Bench::new().await;
        let write = async |replies: &[&str]| {
            let count = u32::try_from(replies.len()).expect("few");
            bench
                .store
                .write_by_hand(by_hand("oAlice", replies), taking(count, Some(9)))
                .await
                .expect("works")
        };
        assert_eq!(write(&["x"]).await, Err("unknown".to_owned()));
        came(&bench, 1, &["a", "b"], 20).await;
        let refused = write(&["x"; 14]).await;
        assert_eq!(refused, Err("13 free".to_owned()));
        assert_eq!(contact(&bench).await.muted_until, None);
        assert_eq!(bench.store.queued().await.expect("read"), 2);
        assert_eq!(bench.store.audits(None, 9).await.expect("read"), []);

        assert_eq!(write(&["x"; 13]).await.map(|ids| ids.len()), Ok(13));
        assert_eq!(write(&["x"]).await, Err("0 free".to_owned()));
        sqlx::query("delete from messages")
            .execute(&mut bench.raw().await)
            .await
            .expect("gone");
        assert_eq!(write(&["x"]).await, Err("gone".to_owned()));
    }

    #[tokio::test]
    async fn a_user_is_muted_and_unmuted_and_that_is_noted() {
        let bench = Bench::new().await;
        let app = "shop".into();
        assert!(
            !bench
                .store
                .mute(&app, &alice(), at(9), "ann")
                .await
                .expect("works")
        );
        bench.receive(1, "oAlice", &[]).await;
        assert!(
            bench
                .store
                .mute(&app, &alice(), at(9), "ann")
                .await
                .expect("works")
        );
        assert_eq!(contact(&bench).await.muted_until, Some(at(9)));
        assert!(bench.store.unmute(&app, &alice(), "ben").await.expect("works"));
        assert_eq!(contact(&bench).await.muted_until, None);
        let audits = bench.store.audits(None, 9).await.expect("read");
        let told: Vec<_> = audits
            .iter()
            .map(|audit| (audit.user.as_str(), audit.action.as_str(), audit.subject.as_str()))
            .collect();
        assert_eq!(told, [("ben", "unmute", "oAlice"), ("ann", "mute", "oAlice")]);
        assert_eq!(audits[1].detail["until"], at(9).to_string());
    }

    #[tokio::test]
    async fn replies_are_given_up_unless_they_are_being_sent() {
        let bench = Bench::new().await;
        let ends = [
            Outcome::Failed {
                errcode: Some(45047),
                error: "out of response count limit".into(),
            },
            Outcome::Uncertain { error: "?".into() },
            Outcome::Sent,
            Outcome::Dropped(DropReason::Quota),
        ];
        for n in 0..4 {
            bench.receive(n, &format!("o{n}"), &["x"]).await;
        }
        let claimed = bench.claim(0).await;
        for (delivery, end) in claimed.iter().zip(ends) {
            bench.settle(delivery, end).await;
        }
        came(&bench, 8, &["flying", "waiting", "behind"], 1).await;
        let flying = bench.claim(0).await;
        let mut ids: Vec<MessageId> = claimed.iter().map(|delivery| delivery.id).collect();
        let alices = inbound(8, "oAlice").id;
        ids.extend([alices, alices.reply(1), alices.reply(2), alices.reply(9)]);
        let dropped = bench.store.drop_replies(&ids, "ann").await.expect("works");
        assert_eq!(dropped, [ids[0], ids[1], alices.reply(2)]);
        for id in &dropped {
            let entry = bench.entry(*id).await;
            assert_eq!(
                (entry.status.as_str(), entry.error.as_deref()),
                ("dropped", Some("by hand: ann"))
            );
        }
        assert_eq!(
            contact(&bench).await.ledger.left,
            2,
            "what waited gives its place back"
        );
        assert_eq!(bench.store.drop_replies(&ids, "ann").await.expect("works"), []);
        bench.settle(&flying[0], Outcome::Sent).await;
        assert_eq!(texts(&bench.claim(9).await), ["behind"]);
        let audits = bench.store.audits(None, 9).await.expect("read");
        assert_eq!((audits.len(), audits[0].action.as_str()), (1, "drop"));
    }

    #[tokio::test]
    async fn a_long_list_is_cut() {
        let bench = Bench::new().await;
        let count = IDS as u64 + 10;
        for n in 0..count {
            bench.receive(n, &format!("o{n}"), &["x"]).await;
        }
        let ids: Vec<MessageId> = (0..count).map(|n| inbound(n, "o").id.reply(1)).collect();
        let dropped = bench.store.drop_replies(&ids, "ann").await.expect("works");
        assert_eq!(dropped.len(), ids.len());
        let due = bench.store.claim(at(9), 9, 0, Duration::from_secs(1)).await;
        assert_eq!(due.expect("works"), []);
    }
}
