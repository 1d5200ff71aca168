//! Reading the log as it happened: each message with what became of it, in the order in which they were judged.
//!
//! A page at a time, each a short statement of its own: a reader that lasted would keep the WAL from being folded into
//! the database while the daemon writes. The keys of a page come from the index by time alone (a message's key tells
//! that it is none of a reply); a message's replies lie beside it, so one walk reads both.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use tokio::sync::mpsc;

use super::row::{At, Cells, ceil_millis};
use super::{Store, StoreError};
use crate::message::{
    Answer, AppName, Direction, Fields, Inbound, InboundStatus, MessageId, OpenId, Reply, RuleName,
};

/// How many messages are read at once.
const PAGE: i64 = 4096;

/// How many pages may wait to be looked at.
const AHEAD: usize = 2;

/// A message of the log, and what was made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The message; its `dedup_key` is left empty.
    pub inbound: Inbound,
    /// When it was judged, as far as the log tells: its first reply bears that time; without any, it is when it came.
    pub judged: Timestamp,
    /// How it was taken.
    pub status: InboundStatus,
    /// The rule that decided.
    pub rule: Option<RuleName>,
    /// `observe` rules that would have answered.
    pub observed: Vec<RuleName>,
    /// What the push was answered with.
    pub answer: Answer,
    /// The replies of rules, in order; what a person wrote is not among them.
    pub replies: Vec<PastReply>,
    /// The same user's push before this one.
    pub previous: Option<MessageId>,
    /// When the user's first message (not event) ever came, as far as it was before this push.
    pub first_message: Option<Timestamp>,
}

/// A reply of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastReply {
    /// The message.
    pub reply: Reply,
    /// Whether it was given up for want of quota as soon as it was decided. What became of it later is not told.
    pub dropped: bool,
}

/// How much of the past there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastExtent {
    /// How many messages, at most as many as were asked for.
    pub messages: u64,
    /// When the first of these came; nothing when there are none.
    pub since: Option<Timestamp>,
}

impl Store {
    /// The newest messages that came from `since` on and before `until`, at most `most` of them. Reads keys only.
    pub async fn newest_past(
        &self,
        since: Timestamp,
        until: Timestamp,
        most: u32,
    ) -> Result<PastExtent, StoreError> {
        let mut conn = self.reader().await?;
        let row = sqlx::query(
            "select count(*), min(time) from (select time from messages where time >= $1 and time < $2 and (id & 15) = 0 \
             order by time desc limit $3)",
        )
        .bind(ceil_millis(since))
        .bind(ceil_millis(until))
        .bind(most)
        .fetch_one(&mut *conn)
        .await?;
        let mut cells = Cells::of(&row);
        let at = At {
            table: "messages",
            row: &"the newest",
        };
        let messages = u64::from(at.count("count(*)", cells.next()?)?);
        let first: Option<i64> = cells.next()?;
        let since = first.map(|first| at.time("time", first)).transpose()?;
        Ok(PastExtent { messages, since })
    }

    /// Everything that came from `since` on and before `until`, in pages, each read while the last is looked at. Ends
    /// at the first error. Must be called within a tokio runtime.
    #[must_use]
    pub fn past(&self, since: Timestamp, until: Timestamp) -> mpsc::Receiver<Result<Vec<Past>, StoreError>> {
        let (pages, receiver) = mpsc::channel(AHEAD);
        let store = self.clone();
        tokio::spawn(async move {
            let mut after = Some((ceil_millis(since).saturating_sub(1), i64::MAX));
            while let Some(behind) = after.take() {
                let page = store.page(behind, ceil_millis(until)).await;
                after = page.as_ref().ok().and_then(|page| page.next);
                // Nobody listens any more when this fails.
                if pages.send(page.map(|page| page.messages)).await.is_err() {
                    return;
                }
            }
        });
        receiver
    }

    async fn page(&self, after: (i64, i64), until: i64) -> Result<Page, StoreError> {
        const SLOTS: usize = MessageId::MAX_REPLIES;
        const QUERY: &str = "with page (id) as (select id from messages where (time, id) > ($1, $2) and time < $3 and (id & 15) = 0 \
             order by time, id limit $4) \
             select m.id, m.time, m.direction, m.fields, m.msg_type, m.content, m.status, m.settled is null, \
             m.app, m.openid, m.event, m.rule, m.answer, m.observed, m.previous, \
             iif(m.previous is null, null, coalesce( \
             (select c.first_message from contacts c where c.app = m.app and c.openid = m.openid), \
             (select j.first_message from contact_journal j where j.app = m.app and j.openid = m.openid))) \
             from page cross join messages m where m.id between page.id and page.id + 15 and m.author is null";
        const { assert!(SLOTS == 15) };
        let mut conn = self.reader().await?;
        let rows = sqlx::query(QUERY)
            .bind(after.0)
            .bind(after.1)
            .bind(until)
            .bind(PAGE)
            .fetch_all(&mut *conn)
            .await?;
        drop(conn);
        Page::of(&rows)
    }
}

struct Page {
    messages: Vec<Past>,
    /// Behind what to go on.
    next: Option<(i64, i64)>,
}

impl Page {
    fn of(rows: &[SqliteRow]) -> Result<Self, StoreError> {
        let mut messages: Vec<Past> = Vec::with_capacity(rows.len());
        let mut replies = Vec::new();
        for row in rows {
            match read(row)? {
                Row::Message(past) => messages.push(*past),
                Row::Reply(reply) => replies.push(reply),
            }
        }
        // By key, to give each message its replies in order; it is nearly in that order already.
        messages.sort_by_key(|past| past.inbound.id);
        replies.sort_by_key(|reply| reply.id);
        let mut replies = replies.into_iter().peekable();
        for past in &mut messages {
            let id = past.inbound.id;
            while replies.next_if(|reply| reply.id < id).is_some() {}
            while let Some(reply) = replies.next_if(|reply| reply.id.message() == id) {
                if past.replies.is_empty() {
                    past.judged = reply.time;
                }
                past.replies.push(reply.past);
            }
        }
        messages.sort_by_key(|past| (past.inbound.received, past.inbound.id));
        let last = messages.last().map(|past| &past.inbound);
        let last = last.map(|last| (last.received.as_millisecond(), last.id.as_i64()));
        let full = i64::try_from(messages.len()).is_ok_and(|count| count == PAGE);
        as_judged(&mut messages);
        Ok(Self {
            messages,
            next: last.filter(|_| full),
        })
    }
}

/// Of one user's messages of one millisecond, the list of that user's messages tells which was judged first.
fn as_judged(messages: &mut [Past]) {
    for moment in messages.chunk_by_mut(|a, b| a.inbound.received == b.inbound.received) {
        for place in 0..moment.len() {
            while let Some(previous) = moment[place].previous
                && let Some(later) = moment[place + 1..]
                    .iter()
                    .position(|past| past.inbound.id == previous)
            {
                moment.swap(place, place + 1 + later);
            }
        }
    }
}

enum Row {
    Message(Box<Past>),
    Reply(Reading),
}

struct Reading {
    id: MessageId,
    time: Timestamp,
    past: PastReply,
}

fn read(row: &SqliteRow) -> Result<Row, StoreError> {
    let mut cells = Cells::of(row);
    let id = MessageId::from_i64(cells.next()?);
    let at = At {
        table: "messages",
        row: &id,
    };
    let time = at.time("time", cells.next()?)?;
    let direction: Direction = at.word("direction", cells.next()?)?;
    let fields: &str = cells.next()?;
    let msg_type: &str = cells.next()?;
    let content: Option<&str> = cells.next()?;
    let status: &str = cells.next()?;
    let unsettled: bool = cells.next()?;
    if direction == Direction::Out {
        let reply = match (msg_type, content) {
            ("text", Some(text)) => Reply::Text(text.to_owned()),
            _ => at.json("fields", fields)?,
        };
        let past = PastReply {
            reply,
            dropped: unsettled && status == "dropped",
        };
        return Ok(Row::Reply(Reading { id, time, past }));
    }
    let status = at.word("status", status)?;
    let fields = match status {
        InboundStatus::Malformed => Fields::new(),
        _ => at.json("fields", fields)?,
    };
    let inbound = Inbound {
        id,
        app: AppName::from(cells.next::<&str>()?),
        openid: OpenId::from(cells.next::<&str>()?),
        dedup_key: String::new(),
        received: time,
        msg_type: msg_type.to_owned(),
        event: cells.next()?,
        content: content.map(str::to_owned),
        fields,
    };
    let rule = cells.next::<Option<&str>>()?.map(RuleName::from);
    let answer = match cells.next::<Option<&str>>()? {
        None => Answer::Success,
        Some(text) => at.json("answer", text)?,
    };
    let observed = match cells.next::<Option<&str>>()? {
        None => Vec::new(),
        Some(text) => at.json("observed", text)?,
    };
    let previous = cells.next::<Option<i64>>()?.map(MessageId::from_i64);
    let first_message = match cells.next::<Option<i64>>()? {
        None => None,
        Some(millis) => Some(at.time("first_message", millis)?).filter(|first| *first < time),
    };
    Ok(Row::Message(Box::new(Past {
        inbound,
        judged: time,
        status,
        rule,
        observed,
        answer,
        replies: Vec::new(),
        previous,
        first_message,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{DropReason, Media, Outbound, Outcome};
    use crate::store::Judge;
    use crate::store::testing::{Bench, answering, at, inbound, verdict};

    async fn all(bench: &Bench, since: i64, until: i64) -> Vec<Past> {
        let mut pages = bench.store.past(at(since), at(until));
        let mut all = Vec::new();
        while let Some(page) = pages.recv().await {
            all.extend(page.expect("read"));
        }
        all
    }

    fn contents(pasts: &[Past]) -> Vec<&str> {
        pasts
            .iter()
            .map(|past| past.inbound.content.as_deref().unwrap_or_default())
            .collect()
    }

    /// A message whose key says `created`, but which came at `received`.
    fn came(n: u64, openid: &str, received: i64) -> Inbound {
        Inbound {
            received: at(received),
            ..inbound(n, openid)
        }
    }

    #[tokio::test]
    async fn messages_come_by_time_each_with_its_own_replies() {
        let bench = Bench::new().await;
        // Keys fall while time goes on.
        for (n, seconds) in [(9, 1), (7, 2), (5, 3)] {
            bench.turn_to(seconds + 1);
            let text = format!("to {n}");
            bench
                .record(came(n, "oAlice", seconds), answering(&[&text, "and more"]))
                .await
                .expect("recorded");
        }
        let past = all(&bench, 0, 100).await;
        assert_eq!(contents(&past), ["message 9", "message 7", "message 5"]);
        for (past, n, judged) in [(&past[0], 9, 2), (&past[2], 5, 4)] {
            let texts: Vec<_> = past.replies.iter().map(|reply| reply.reply.summary()).collect();
            assert_eq!(texts, [format!("to {n}"), "and more".to_owned()]);
            assert_eq!(past.judged, at(judged), "the reply's time");
            assert_eq!(
                past.inbound.fields.text("Content"),
                past.inbound.content.as_deref()
            );
        }
        assert_eq!(past[1].previous, Some(past[0].inbound.id));
        assert_eq!(contents(&all(&bench, 2, 3).await), ["message 7"]);
        assert_eq!(contents(&all(&bench, 4, 100).await), Vec::<&str>::new());
    }

    #[tokio::test]
    async fn what_was_decided_is_told_and_what_delivery_made_of_it_is_not() {
        let bench = Bench::new().await;
        let judge: Judge = Box::new(|_, facts| {
            let mut verdict = verdict(facts, &["sent".into(), "over".into(), "refused".into()]);
            verdict.outbound[1].dropped = Some(DropReason::Quota);
            let picture = Reply::Image(Media::File("a.png".into()));
            verdict.outbound.push(Outbound {
                reply: picture,
                ..verdict.outbound[0].clone()
            });
            verdict.decision.answer = Answer::Transfer(None);
            verdict.decision.observed = vec!["watch".into()];
            verdict
        });
        bench.record(came(1, "oAlice", 0), judge).await.expect("recorded");
        for outcome in [Outcome::Sent, Outcome::Dropped(DropReason::WindowOver)] {
            let claimed = bench.claim(9).await;
            bench.settle(&claimed[0], outcome).await;
        }
        let past = all(&bench, 0, 9).await.remove(0);
        let dropped: Vec<_> = past.replies.iter().map(|reply| reply.dropped).collect();
        assert_eq!(dropped, [false, true, false, false]);
        assert_eq!(past.replies[3].reply, Reply::Image(Media::File("a.png".into())));
        assert_eq!(past.answer, Answer::Transfer(None));
        assert_eq!(past.observed, ["watch".into()]);
        assert_eq!(
            (past.status, past.rule),
            (InboundStatus::Matched, Some("greeting".into()))
        );
    }

    #[tokio::test]
    async fn pages_join_without_gap_or_overlap() {
        let bench = Bench::new().await;
        let count = PAGE as u64 * 2;
        let judge = |n: u64| {
            if n.is_multiple_of(3) {
                answering(&["x"])
            } else {
                answering(&[])
            }
        };
        // Few milliseconds, so that pages end within one.
        let pushes = (0..count).map(|n| {
            let received = Timestamp::from_millisecond(at(0).as_millisecond() + (n * 7 % 11) as i64);
            let inbound = Inbound {
                received: received.expect("in range"),
                ..inbound(n, &format!("o{n}"))
            };
            bench.record(inbound, judge(n))
        });
        let mut pushes = pushes.peekable();
        while pushes.peek().is_some() {
            let some: Vec<_> = pushes.by_ref().take(1000).collect();
            for recorded in futures_util::future::join_all(some).await {
                recorded.expect("recorded");
            }
        }
        let past = all(&bench, 0, 9).await;
        let mut ids: Vec<_> = past.iter().map(|past| past.inbound.id).collect();
        assert!(past.is_sorted_by_key(|past| past.inbound.received));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), past.len()), (count as usize, count as usize));
        let replies: usize = past.iter().map(|past| past.replies.len()).sum();
        assert_eq!(replies, count.div_ceil(3) as usize);
    }

    #[tokio::test]
    async fn within_a_millisecond_the_users_own_list_tells_the_order() {
        let bench = Bench::new().await;
        for n in [3, 9, 1, 5] {
            bench
                .record(came(n, "oAlice", 1), answering(&[]))
                .await
                .expect("recorded");
            bench
                .record(came(n + 10, "oBob", 1), answering(&[]))
                .await
                .expect("recorded");
        }
        let past = all(&bench, 0, 9).await;
        let of = |openid: &str| -> Vec<&str> {
            let own = past.iter().filter(|past| past.inbound.openid.as_str() == openid);
            own.filter_map(|past| past.inbound.content.as_deref()).collect()
        };
        assert_eq!(of("oAlice"), ["message 3", "message 9", "message 1", "message 5"]);
        assert_eq!(
            of("oBob"),
            ["message 13", "message 19", "message 11", "message 15"]
        );
    }

    #[tokio::test]
    async fn who_wrote_before_is_known_to_have() {
        let bench = Bench::new().await;
        let first: fn() -> Judge = || {
            Box::new(|_, facts| {
                let mut verdict = verdict(facts, &[]);
                verdict.decision.contact.first_message.get_or_insert(facts.now);
                verdict
            })
        };
        for seconds in [1, 2] {
            bench.turn_to(seconds);
            let inbound = came(seconds as u64, "oAlice", seconds);
            bench.record(inbound, first()).await.expect("recorded");
        }
        let past = all(&bench, 0, 9).await;
        assert_eq!(
            (past[0].first_message, past[1].first_message),
            (None, Some(at(1)))
        );
    }
}
