//! A webhook has answered: its question's row becomes the first reply, and the others get rows of their own.

use std::sync::Arc;

use futures_util::FutureExt;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::by_hand::used_slots;
use super::contact::{self, change};
use super::row::to_json;
use super::turn::Place;
use super::write::LateReply;
use super::{Store, StoreError};
use crate::message::{Answered, AppName, DropReason, Ledger, MessageId, OutboundStatus, Reply};

/// Takes one more reply from a user's quota, or says why there is none left.
pub type TakeQuota = Arc<dyn Fn(&mut Ledger, Timestamp) -> Result<(), DropReason> + Send + Sync>;

impl Store {
    /// Puts answers in the place of their questions, due at once and still in their user's order. The first reply has
    /// its place in the quota since the decision; the others take theirs now, and those that get none are dropped.
    /// What is no question any more is left alone.
    ///
    /// Gives how many replies found no free slot beside their message, and were lost.
    pub async fn answer(&self, answers: Vec<Answered>, take: TakeQuota) -> Result<usize, StoreError> {
        if answers.is_empty() {
            return Ok(0);
        }
        let answers = Arc::new(answers);
        let journal = self.journal().clone();
        let (lost, added) = self
            .write(move |conn| {
                let (answers, take, journal) = (Arc::clone(&answers), Arc::clone(&take), journal.clone());
                async move {
                    let (mut lost, mut added) = (0, Vec::new());
                    for answered in answers.iter() {
                        let place = journal.place(&answered.app, &answered.openid);
                        lost += match answered.replies.split_first() {
                            Some((first, others)) => {
                                replace(conn, answered, place, first, others, &take, &mut added).await?
                            }
                            None => drop_question(conn, answered, place).await?,
                        };
                    }
                    Ok((lost, added))
                }
                .boxed()
            })
            .await?;
        for (app, status) in added {
            self.metrics().messages(app.as_str(), status.as_str(), 1);
        }
        self.tell_news();
        Ok(lost)
    }
}

/// There is nothing to send, so what the question took of the quota is given back.
async fn drop_question(
    conn: &mut SqliteConnection,
    answered: &Answered,
    place: Option<i64>,
) -> Result<usize, StoreError> {
    let dropped = sqlx::query(
        "update messages set status = 'dropped', lease = null, error = $1, settled = $2 \
         where id = $3 and status = 'queued' and msg_type = 'webhook'",
    )
    .bind(answered.note.as_deref())
    .bind(answered.at.as_millisecond())
    .bind(answered.id.as_i64())
    .execute(&mut *conn)
    .await?;
    if dropped.rows_affected() > 0 {
        contact::give_back(conn, &answered.app, &answered.openid, place).await?;
    }
    Ok(0)
}

/// What the further replies have in common with the question.
#[derive(sqlx::FromRow)]
struct Question {
    queued_at: i64,
    turn: i64,
    rule: Option<String>,
    rule_set: Option<String>,
}

async fn replace(
    conn: &mut SqliteConnection,
    answered: &Answered,
    place: Option<i64>,
    first: &Reply,
    others: &[Reply],
    take: &TakeQuota,
    added: &mut Vec<(AppName, OutboundStatus)>,
) -> Result<usize, StoreError> {
    let question: Option<Question> = sqlx::query_as(
        "update messages set msg_type = $1, content = $2, fields = $3, note = $4, lease = null, attempts = 0, \
         errcode = null, error = null \
         where id = $5 and status = 'queued' and msg_type = 'webhook' returning queued_at, turn, rule, rule_set",
    )
    .bind(first.msg_type())
    .bind(first.summary())
    .bind(to_json(first)?)
    .bind(answered.note.as_deref())
    .bind(answered.id.as_i64())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(question) = question.filter(|_| !others.is_empty()) else {
        return Ok(0);
    };
    contact::end_loneliness(conn, &answered.app, &answered.openid, place).await?;
    let user = contact::find(conn, &answered.app, &answered.openid, place).await?;
    let mut ledger = user.unwrap_or_default().contact.ledger;
    let message = answered.id.message();
    // Slots are given out from below, so that a later one means a later reply of the same turn. A message stays as long as
    // one of its replies waits.
    let used = used_slots(conn, message).await?.unwrap_or(MessageId::MAX_REPLIES);
    let slots = used + 1..=MessageId::MAX_REPLIES;
    for (slot, reply) in slots.clone().zip(others) {
        let row = LateReply {
            id: message.reply(slot),
            app: &answered.app,
            openid: &answered.openid,
            time: answered.at,
            reply,
            rule: question.rule.as_deref(),
            rule_set: question.rule_set.as_deref(),
            place: Place {
                due: answered.at.as_millisecond(),
                queued_at: question.queued_at,
                turn: question.turn,
            },
            dropped: take(&mut ledger, answered.at).err(),
            note: answered.note.as_deref(),
            author: None,
        };
        row.insert(conn).await?;
        added.push((answered.app.clone(), row.status()));
    }
    let left = i64::from(ledger.left);
    let set = change!("ledger_left = $4");
    contact::update(conn, &answered.app, &answered.openid, place, set, |query| {
        query.bind(left)
    })
    .await?;
    Ok(others.len().saturating_sub(slots.count()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Delivery, Entry, Outbound, Outcome, Webhook};
    use crate::store::Judge;
    use crate::store::testing::{Bench, alice, at, inbound, texts, verdict};

    /// Plans a question and then a reply; WeChat would take `left` more.
    fn asking(left: u32, until: i64) -> Judge {
        Box::new(move |_, facts| {
            let mut verdict = verdict(facts, &["later".to_owned()]);
            let webhook = Webhook {
                url: "https://bot.example.com/x?key=k".to_owned(),
                rule: "greeting".into(),
                captures: [("1".to_owned(), "123".to_owned())].into(),
                state: None,
                fallback: vec![Reply::Text("own".to_owned())],
            };
            let question = Outbound {
                reply: Reply::Webhook(Box::new(webhook)),
                ..verdict.outbound[0].clone()
            };
            verdict.outbound.insert(0, question);
            verdict.decision.contact.ledger = Ledger {
                left,
                waiting: 2,
                until: Some(at(until)),
            };
            verdict
        })
    }

    /// As WeChat does it.
    fn take() -> TakeQuota {
        Arc::new(|ledger, at| {
            if ledger.until.is_none_or(|until| until <= at) {
                return Err(DropReason::WindowOver);
            }
            ledger.left = ledger.left.checked_sub(1).ok_or(DropReason::Quota)?;
            Ok(())
        })
    }

    fn answered(delivery: &Delivery, replies: &[&str], note: Option<&str>) -> Answered {
        Answered {
            id: delivery.id,
            app: delivery.app.clone(),
            openid: delivery.openid.clone(),
            replies: replies
                .iter()
                .map(|text| Reply::Text((*text).to_owned()))
                .collect(),
            note: note.map(str::to_owned),
            at: at(2),
        }
    }

    async fn asked(bench: &Bench, left: u32, until: i64) -> Delivery {
        bench
            .record(inbound(1, "oAlice"), asking(left, until))
            .await
            .expect("recorded");
        let mut claimed = bench.claim(0).await;
        assert_eq!(claimed.len(), 1, "the later reply waits for the answer");
        assert!(matches!(claimed[0].reply, Reply::Webhook(_)));
        claimed.remove(0)
    }

    async fn left(bench: &Bench) -> u32 {
        let contact = bench
            .store
            .contact(&"shop".into(), &alice())
            .await
            .expect("read")
            .0;
        contact.ledger.left
    }

    async fn replies(bench: &Bench) -> Vec<Entry> {
        let log = bench
            .store
            .entries(&crate::store::Filter::default(), crate::store::Order::OldestFirst)
            .await
            .expect("read");
        let mut replies: Vec<Entry> = log.into_iter().filter(|row| row.reply_to.is_some()).collect();
        replies.sort_by_key(|row| row.id);
        replies
    }

    #[tokio::test]
    async fn an_answer_takes_the_place_of_its_question() {
        let bench = Bench::new().await;
        let question = asked(&bench, 1, 100).await;
        let answer = answered(&question, &["one", "two", "three"], Some("why"));
        let lost = bench
            .store
            .answer(vec![answer.clone()], take())
            .await
            .expect("written");
        assert_eq!(lost, 0);
        assert_eq!(left(&bench).await, 0);
        // Told twice, as after a commit that was not heard of.
        bench.store.answer(vec![answer], take()).await.expect("written");
        let log = replies(&bench).await;
        let brief: Vec<_> = log
            .iter()
            .map(|row| format!("{} {}", row.status, row.content.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(
            brief,
            ["queued one", "queued later", "queued two", "dropped three"]
        );
        let page = bench.metrics.page();
        for (status, rows) in [("queued", 3), ("dropped", 1)] {
            let counted = format!(r#"wxreply_messages_total{{app="shop",outcome="{status}"}} {rows}"#);
            assert!(page.contains(&counted), "{page}");
        }
        assert_eq!(log[0].error.as_deref(), Some("why"));
        assert_eq!(log[3].error.as_deref(), Some(DropReason::Quota.explanation()));
        assert_eq!(log[2].rule.as_ref().map(|rule| rule.as_str()), Some("greeting"));
        let mut order = Vec::new();
        loop {
            let claimed = bench.claim(3).await;
            let [delivery] = &claimed[..] else { break };
            assert_eq!((delivery.attempts, delivery.uncertain), (1, 0));
            order.extend(texts(&claimed).into_iter().map(str::to_owned));
            bench.settle(delivery, Outcome::Sent).await;
        }
        assert_eq!(order, ["one", "two", "later"]);
        assert_eq!(
            bench.entry(question.id).await.error.as_deref(),
            Some("why"),
            "still told once it is sent"
        );
    }

    #[tokio::test]
    async fn nothing_to_say_gives_the_quota_back() {
        let bench = Bench::new().await;
        let question = asked(&bench, 0, 100).await;
        let answer = answered(&question, &[], Some("nothing"));
        for _ in 0..2 {
            bench
                .store
                .answer(vec![answer.clone()], take())
                .await
                .expect("written");
        }
        assert_eq!(left(&bench).await, 1, "once");
        let row = bench.entry(question.id).await;
        assert_eq!(
            (row.status.as_str(), row.error.as_deref()),
            ("dropped", Some("nothing"))
        );
        assert_eq!(texts(&bench.claim(3).await), ["later"]);
    }

    #[tokio::test]
    async fn more_replies_than_slots() {
        let bench = Bench::new().await;
        let question = asked(&bench, 99, 100).await;
        let answer = answered(&question, &["x"; 15], None);
        let lost = bench.store.answer(vec![answer], take()).await.expect("written");
        assert_eq!(lost, 1, "one slot is the later reply's");
        assert_eq!(replies(&bench).await.len(), MessageId::MAX_REPLIES);
        assert_eq!(left(&bench).await, 99 - 13);
    }

    #[tokio::test]
    async fn a_question_whose_lease_ended_is_asked_again_and_never_uncertain() {
        let bench = Bench::new().await;
        let question = asked(&bench, 1, 100).await;
        let again = bench.claim(40).await;
        assert_eq!(again[0].id, question.id);
        let bench = bench.reopen().await;
        bench.store.release_leases().await.expect("released");
        let again = bench.claim(41).await;
        assert_eq!(
            (again[0].id, again[0].attempts, again[0].uncertain),
            (question.id, 3, 0)
        );
    }

    #[tokio::test]
    async fn questions_and_replies_have_room_of_their_own() {
        let bench = Bench::new().await;
        for n in 0..3 {
            let openid = format!("oAsks{n}");
            bench
                .record(inbound(n, &openid), asking(1, 100))
                .await
                .expect("recorded");
            bench.receive(10 + n, &format!("oTells{n}"), &["text"]).await;
        }
        let claim = async |replies, questions| {
            let lease = std::time::Duration::from_secs(9);
            let claimed = bench
                .store
                .claim(at(0), replies, questions, lease)
                .await
                .expect("claimed");
            let asks = claimed
                .iter()
                .filter(|delivery| matches!(delivery.reply, Reply::Webhook(_)));
            (claimed.len() - asks.clone().count(), asks.count())
        };
        assert_eq!(claim(1, 0).await, (1, 0));
        assert_eq!(claim(0, 2).await, (0, 2));
        assert_eq!(claim(9, 9).await, (2, 1));
    }
}
