//! Claims, settlements and their order, on a real database.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::message::{Answer, Contact, DropReason, Ledger};
use crate::store::testing::{Bench, alice, at, inbound, retry, settlement, texts, verdict};
use crate::store::{Judge, OutboxBell};

#[tokio::test]
async fn one_reply_a_user_is_claimed_at_a_time_and_the_oldest_first() {
    let bench = Bench::new().await;
    bench.receive(1, "oAlice", &["a1", "a2"]).await;
    bench.receive(2, "oBob", &["b1"]).await;
    bench.receive(3, "oAlice", &["a3"]).await;
    assert_eq!(bench.store.queued().await.expect("read"), 4);

    let first = bench.claim(0).await;
    assert_eq!(texts(&first), ["a1", "b1"]);
    assert_eq!(first[0].attempts, 1);
    assert_eq!(first[0].uncertain, 0);
    assert_eq!(first[0].planned, at(0));
    assert_eq!(
        bench.store.next_due().await.expect("read"),
        Some(at(30)),
        "the lease"
    );
    assert_eq!(bench.claim(1).await, [], "both users have one in flight");

    bench.settle(&first[0], Outcome::Sent).await;
    assert_eq!(texts(&bench.claim(1).await), ["a2"]);
    let sent = bench.entry(first[0].id).await;
    assert_eq!(
        (sent.status.as_str(), sent.attempts, sent.error),
        ("sent", 1, None)
    );
}

#[tokio::test]
async fn the_limit_holds_and_what_is_not_due_waits() {
    let bench = Bench::new().await;
    for n in 0..5 {
        bench.receive(n, &format!("o{n}"), &["x"]).await;
    }
    let claim = |seconds, limit| bench.store.claim(at(seconds), limit, 0, Duration::from_secs(30));
    assert_eq!(claim(-1, 100).await.expect("claimed").len(), 0);
    assert_eq!(claim(0, 2).await.expect("claimed").len(), 2);
    assert_eq!(claim(0, 100).await.expect("claimed").len(), 3);
}

#[tokio::test]
async fn an_ended_lease_counts_as_an_uncertain_attempt() {
    let bench = Bench::new().await;
    bench.receive(1, "oAlice", &["a1", "a2"]).await;
    bench.claim(0).await;
    assert_eq!(
        bench.store.next_due().await.expect("read"),
        Some(at(30)),
        "the end of the lease"
    );
    assert_eq!(bench.claim(29).await, []);
    let again = bench.claim(30).await;
    assert_eq!(texts(&again), ["a1"]);
    assert_eq!((again[0].attempts, again[0].uncertain), (2, 1));

    // The daemon dies with it in flight.
    let bench = bench.reopen().await;
    assert_eq!(bench.store.release_leases().await.expect("released"), 1);
    assert_eq!(bench.store.next_due().await.expect("read"), Some(at(0)));
    let again = bench.claim(31).await;
    assert_eq!((again[0].attempts, again[0].uncertain), (3, 2));
    bench.settle(&again[0], retry(40)).await;
    assert_eq!(bench.store.release_leases().await.expect("released"), 0);
    assert_eq!(
        bench.claim(40).await[0].uncertain,
        2,
        "an answered attempt is certain"
    );
}

/// A command beside the daemon may know an earlier time than the daemon.
#[tokio::test]
async fn a_reply_put_before_one_in_flight_makes_nobody_look_in_vain() {
    let bench = Bench::new().await;
    bench.receive(1, "oAlice", &["a1", "a2"]).await;
    let claimed = bench.claim(0).await;
    sqlx::query("update messages set turn = 0 where content = 'a2'")
        .execute(&mut bench.raw().await)
        .await
        .expect("written");
    let next = async || bench.store.next_due().await.expect("read");
    assert_eq!(bench.claim(29).await, []);
    assert_eq!(next().await, Some(at(30)), "the end of the lease");
    assert_eq!(texts(&bench.claim(30).await), ["a2"]);
    assert_eq!(bench.claim(59).await, []);
    assert_eq!(next().await, Some(at(60)), "not of the one that ended first");
    bench.settle(&claimed[0], Outcome::Sent).await;
    assert_eq!(next().await, Some(at(60)));
}

#[tokio::test]
async fn a_retry_pushes_the_users_other_replies_behind_it() {
    let bench = Bench::new().await;
    bench.receive(1, "oAlice", &["a1", "a2"]).await;
    bench.receive(2, "oBob", &["b1"]).await;
    let claimed = bench.claim(0).await;
    bench.settle(&claimed[0], retry(60)).await;
    bench.settle(&claimed[1], Outcome::Sent).await;
    // One that comes later waits too.
    bench.receive(3, "oAlice", &["a3"]).await;

    let due: Vec<i64> = sqlx::query_scalar("select due from messages where status = 'queued'")
        .fetch_all(&mut bench.raw().await)
        .await
        .expect("read");
    assert_eq!(due, [at(60).as_millisecond(); 3]);
    let entry = bench.entry(claimed[0].id).await;
    assert_eq!((entry.status.as_str(), entry.errcode), ("queued", Some(-1)));
    assert_eq!(entry.error.as_deref(), Some("system busy"));
    assert_eq!(bench.claim(59).await, []);
    assert_eq!(bench.store.next_due().await.expect("read"), Some(at(60)));
    for text in ["a1", "a2", "a3"] {
        let claimed = bench.claim(60).await;
        assert_eq!(texts(&claimed), [text]);
        bench.settle(&claimed[0], Outcome::Sent).await;
    }
    assert_eq!(bench.store.next_due().await.expect("read"), None);
}

#[tokio::test]
async fn states_move_one_way_only() {
    let ends = [
        (Outcome::Sent, "sent", None, None),
        (
            Outcome::Failed {
                errcode: Some(40003),
                error: "invalid openid".into(),
            },
            "failed",
            Some(40003),
            Some("invalid openid"),
        ),
        (
            Outcome::Dropped(DropReason::WindowOver),
            "dropped",
            None,
            Some(DropReason::WindowOver.explanation()),
        ),
        (
            Outcome::Uncertain {
                error: "no answer".into(),
            },
            "uncertain",
            None,
            Some("no answer"),
        ),
    ];
    for (end, status, errcode, error) in ends {
        let bench = Bench::new().await;
        bench.receive(1, "oAlice", &["a1"]).await;
        let claimed = bench.claim(0).await;
        bench.settle(&claimed[0], end).await;
        let settled = bench.entry(claimed[0].id).await;
        assert_eq!(settled.status, status);
        assert_eq!((settled.errcode, settled.error.as_deref()), (errcode, error));
        for late in [Outcome::Sent, retry(5), Outcome::Dropped(DropReason::Quota)] {
            bench.settle(&claimed[0], late).await;
        }
        assert_eq!(bench.entry(claimed[0].id).await, settled);
        assert_eq!(bench.claim(1000).await, []);
    }
}

#[tokio::test]
async fn an_outcome_for_an_unknown_or_inbound_row_changes_nothing() {
    let bench = Bench::new().await;
    let recorded = bench.receive(1, "oAlice", &["a1"]).await;
    let mut claimed = bench.claim(0).await.remove(0);
    let before = bench.entry(recorded.id).await;
    claimed.id = recorded.id;
    bench.settle(&claimed, Outcome::Sent).await;
    assert_eq!(bench.entry(recorded.id).await, before);
    claimed.id = recorded.id.next();
    bench.settle(&claimed, Outcome::Sent).await;
}

#[tokio::test]
async fn a_spent_quota_empties_the_ledger() {
    let bench = Bench::new().await;
    let ledger = Ledger {
        left: 4,
        waiting: 0,
        until: Some(at(100)),
    };
    let judge: Judge = Box::new(move |_, facts| {
        let mut verdict = verdict(facts, &["a1".into()]);
        verdict.decision.answer = Answer::Success;
        verdict.decision.contact.ledger = ledger;
        verdict
    });
    bench.record(inbound(1, "oAlice"), judge).await.expect("recorded");
    let claimed = bench.claim(0).await;
    let spent = Settlement {
        quota_spent: true,
        ..settlement(&claimed[0], Outcome::Dropped(DropReason::Quota))
    };
    bench
        .store
        .settle(vec![spent], Duration::ZERO)
        .await
        .expect("settled");
    let contact: Contact = bench
        .store
        .contact(&"shop".into(), &alice())
        .await
        .expect("read")
        .0;
    assert_eq!(contact.ledger, Ledger { left: 0, ..ledger });
    assert_eq!(contact.misses, 1, "the rest is left alone");
}

#[tokio::test]
async fn a_reply_that_never_reached_wechat_makes_room_for_another() {
    let refused = || Outcome::Failed {
        errcode: Some(45002),
        error: "content size out of limit".into(),
    };
    let open = || Outcome::Uncertain { error: "?".into() };
    for (outcome, quota_spent, left, waiting) in [
        (Outcome::Sent, false, 3, 1),
        (open(), false, 3, 1),
        (refused(), false, 4, 1),
        (Outcome::Dropped(DropReason::WindowOver), false, 4, 1),
        (refused(), true, 0, 1),
        (retry(9), false, 3, 2),
    ] {
        let bench = Bench::new().await;
        let judge: Judge = Box::new(move |_, facts| {
            let mut verdict = verdict(facts, &["a1".into(), "a2".into()]);
            verdict.decision.contact.ledger = Ledger {
                left: 3,
                waiting: 2,
                until: Some(at(100)),
            };
            verdict
        });
        bench.record(inbound(1, "oAlice"), judge).await.expect("recorded");
        let claimed = bench.claim(0).await;
        let settlement = Settlement {
            quota_spent,
            ..settlement(&claimed[0], outcome.clone())
        };
        let settlements = vec![settlement; 2]; // the second is late, and changes nothing
        bench
            .store
            .settle(settlements, Duration::ZERO)
            .await
            .expect("settled");
        let (contact, _) = bench.store.contact(&"shop".into(), &alice()).await.expect("read");
        assert_eq!(
            (contact.ledger.left, contact.ledger.waiting),
            (left, waiting),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn many_outcomes_are_settled_at_once() {
    let bench = Bench::new().await;
    for n in 0..100 {
        bench.receive(n, &format!("o{n}"), &["x"]).await;
    }
    let claimed = bench.claim(0).await;
    let settlements = claimed
        .iter()
        .enumerate()
        .map(|(n, delivery)| settlement(delivery, if n % 3 == 0 { retry(7) } else { Outcome::Sent }))
        .collect();
    bench
        .store
        .settle(settlements, Duration::ZERO)
        .await
        .expect("settled");
    assert_eq!(bench.store.queued().await.expect("read"), 34);
    let again = bench.claim(7).await;
    assert_eq!(again.len(), 34);
    assert!(
        again
            .iter()
            .all(|delivery| delivery.uncertain == 0 && delivery.attempts == 2)
    );
}

#[tokio::test]
async fn a_reply_that_cannot_be_read_is_given_up_and_stops_nobody() {
    let bench = Bench::new().await;
    let bad = bench.receive(1, "oAlice", &["a1", "a2"]).await.id.reply(1);
    bench.receive(2, "oBob", &["b1"]).await;
    let mut raw = bench.raw().await;
    sqlx::query("update messages set fields = '{}' where id = $1")
        .bind(bad.as_i64())
        .execute(&mut raw)
        .await
        .expect("written");
    assert_eq!(texts(&bench.claim(0).await), ["b1"]);
    assert_eq!(texts(&bench.claim(0).await), ["a2"]);
    let entry = bench.entry(bad).await;
    assert_eq!(entry.status, "failed");
    assert!(
        entry
            .error
            .expect("says why")
            .starts_with(&format!("messages.fields of row {bad} makes no sense"))
    );
}

async fn rang(bell: &OutboxBell) -> bool {
    tokio::time::timeout(Duration::from_millis(50), bell.notified())
        .await
        .is_ok()
}

#[tokio::test]
async fn the_bell_rings_for_new_replies() {
    let bench = Bench::new().await;
    let bell = bench.store.outbox_bell();
    let rang = || rang(&bell);
    bench.receive(1, "oAlice", &[]).await;
    assert!(!rang().await, "nothing to send");
    bench.receive(2, "oAlice", &["a"]).await;
    assert!(rang().await);
    bench.receive(2, "oAlice", &["a"]).await;
    assert!(!rang().await, "a duplicate");
    let claimed = bench.claim(0).await;
    assert!(!rang().await, "a claim");
    bench.settle(&claimed[0], retry(9)).await;
    assert!(!rang().await, "who settles looks again anyway");
}

#[tokio::test]
async fn the_bell_does_not_ring_for_what_is_due_after_the_next_look() {
    let bench = Bench::new().await;
    let bell = bench.store.outbox_bell();
    let rang = || rang(&bell);
    let late = |n, seconds| {
        let judge: Judge = Box::new(move |_, facts| {
            let mut verdict = verdict(facts, &["x".to_owned()]);
            verdict.outbound[0].due = at(seconds);
            verdict
        });
        bench.record(inbound(n, &format!("o{n}")), judge)
    };
    late(1, 600).await.expect("recorded");
    assert!(rang().await, "nobody has looked yet");
    assert_eq!(bench.store.next_due().await.expect("read"), Some(at(600)));
    late(2, 900).await.expect("recorded");
    assert!(!rang().await);
    late(3, 300).await.expect("recorded");
    assert!(rang().await);
    assert_eq!(bench.store.next_due().await.expect("read"), Some(at(300)));
    bench.receive(4, "o4", &["now"]).await;
    assert!(rang().await);
}

/// The outbox asks all the time, also when the log is long: none of its statements may walk the table.
#[tokio::test]
async fn the_outbox_uses_its_indexes() {
    async fn plan(bench: &Bench, sql: &str) -> String {
        bench.plan(sql).await.join("\n")
    }
    let bench = Bench::new().await;
    for sql in [CLAIM, NEXT_DUE] {
        let plan = plan(&bench, sql).await;
        assert!(plan.contains("m USING INDEX messages_by_due"), "{plan}");
        assert!(
            plan.contains("o USING COVERING INDEX messages_by_queue (app=? AND openid=?")
                || plan.contains("o USING INDEX messages_by_queue (app=? AND openid=?"),
            "{plan}"
        );
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
    let typing = plan(&bench, TAKE_TYPING).await;
    assert!(
        typing.contains("messages USING COVERING INDEX messages_typing"),
        "{typing}"
    );
    let postpone = plan(&bench, POSTPONE).await;
    assert!(
        postpone.contains("messages USING INDEX messages_by_queue (app=? AND openid=?)"),
        "{postpone}"
    );
    let plan = plan(&bench, SETTLE).await;
    assert!(
        plan.contains("SEARCH messages USING INTEGER PRIMARY KEY"),
        "{plan}"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Receive { user: u8, replies: u8 },
    Claim { limit: usize },
    Settle { which: usize, outcome: u8 },
    Resend { which: usize },
    Pass { seconds: u8 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3u8, 0..3u8).prop_map(|(user, replies)| Step::Receive { user, replies }),
        3 => (1..4usize).prop_map(|limit| Step::Claim { limit }),
        3 => (any::<usize>(), 0..5u8).prop_map(|(which, outcome)| Step::Settle { which, outcome }),
        2 => any::<usize>().prop_map(|which| Step::Resend { which }),
        2 => (0..20u8).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Restart),
    ]
}

#[derive(Debug)]
struct Waiting {
    id: MessageId,
    due: i64,
    lease: Option<i64>,
    attempts: u32,
    uncertain: u32,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Against a queue a user, as one would write it on paper.
    #[test]
    fn whatever_happens_each_user_is_served_in_order_and_no_row_is_held_twice(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(walk(steps))?;
    }
}

/// Replies that pass for the only one of their user and are not, or that their user's row does not name.
async fn not_alone(bench: &Bench) -> i64 {
    sqlx::query_scalar(
        "select count(*) from messages a where a.status = 'queued' and a.alone = 1 and (exists \
         (select 1 from messages o where o.status = 'queued' and o.app = a.app and o.openid = a.openid and o.id <> a.id) \
         or a.id is not coalesce((select alone from contact_journal j where j.app = a.app and j.openid = a.openid \
         order by seq desc limit 1), (select alone from contacts c where c.app = a.app and c.openid = a.openid)))",
    )
    .fetch_one(&mut bench.raw().await)
    .await
    .expect("read")
}

async fn walk(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut bench = Bench::new().await;
    let (mut now, mut n) = (0, 0);
    let mut queues: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
    let mut held: Vec<Delivery> = Vec::new();
    let mut dead: Vec<(MessageId, String)> = Vec::new();
    for step in steps {
        prop_assert_eq!(not_alone(&bench).await, 0);
        match step {
            Step::Receive { user, replies } => {
                n += 1;
                let user = format!("o{user}");
                // The later message has the smaller key.
                let recorded = bench
                    .receive(1000 - n, &user, &["x", "y"][..usize::from(replies)])
                    .await;
                let queue = queues.entry(user).or_default();
                for slot in 1..=usize::from(replies) {
                    let due = queue.last().map_or(now, |last| last.due.max(now));
                    let id = recorded.id.reply(slot);
                    queue.push(Waiting {
                        id,
                        due,
                        lease: None,
                        attempts: 0,
                        uncertain: 0,
                    });
                }
            }
            Step::Claim { limit } => {
                let lease = Duration::from_secs(10);
                let claimed = bench
                    .store
                    .claim(at(now), limit, 0, lease)
                    .await
                    .expect("claimed");
                let claimable = queues
                    .values()
                    .filter_map(|queue| queue.first())
                    .filter(|head| head.due <= now && head.lease.is_none_or(|lease| lease <= now));
                prop_assert_eq!(claimed.len(), claimable.count().min(limit));
                for delivery in claimed {
                    let head = &mut queues.get_mut(delivery.openid.as_str()).expect("known")[0];
                    prop_assert_eq!(delivery.id, head.id);
                    prop_assert!(head.due <= now && head.lease.is_none_or(|lease| lease <= now));
                    head.attempts += 1;
                    head.uncertain += u32::from(head.lease.is_some());
                    head.lease = Some(now + 10);
                    prop_assert_eq!(
                        (delivery.attempts, delivery.uncertain),
                        (head.attempts, head.uncertain)
                    );
                    held.push(delivery);
                }
            }
            Step::Settle { which, outcome } => {
                if held.is_empty() {
                    continue;
                }
                let delivery = held.swap_remove(which % held.len());
                let due = now + 5;
                let outcome = match outcome {
                    0 => Outcome::Sent,
                    1 => Outcome::Failed {
                        errcode: None,
                        error: "no".into(),
                    },
                    2 => Outcome::Dropped(DropReason::Quota),
                    3 => Outcome::Uncertain { error: "?".into() },
                    _ => Outcome::Retry {
                        due: at(due),
                        uncertain: true,
                        errcode: None,
                        error: "!".into(),
                    },
                };
                bench.settle(&delivery, outcome.clone()).await;
                let queue = queues.get_mut(delivery.openid.as_str()).expect("known");
                // A late outcome for a row that another attempt has settled is ignored.
                if let Some(place) = queue.iter().position(|waiting| waiting.id == delivery.id) {
                    prop_assert_eq!(place, 0, "only a head was ever held");
                    if let Outcome::Retry { .. } = outcome {
                        queue[0].lease = None;
                        queue[0].uncertain += 1;
                        queue[0].due = due;
                        queue
                            .iter_mut()
                            .for_each(|waiting| waiting.due = waiting.due.max(due));
                    } else {
                        queue.remove(0);
                        if outcome != Outcome::Sent {
                            dead.push((delivery.id, delivery.openid.to_string()));
                        }
                    }
                }
            }
            Step::Resend { which } => {
                if dead.is_empty() {
                    continue;
                }
                let (id, user) = dead.swap_remove(which % dead.len());
                let queued = bench.store.resend(&[id], at(now), "ann").await.expect("written");
                prop_assert_eq!(queued, [id]);
                // Nobody puts back what may still be told of.
                held.retain(|delivery| delivery.id != id);
                let queue = queues.get_mut(&user).expect("known");
                queue.push(Waiting {
                    id,
                    due: queue.last().map_or(now, |last| last.due.max(now)),
                    lease: None,
                    attempts: 0,
                    uncertain: 0,
                });
            }
            Step::Pass { seconds } => now += i64::from(seconds),
            Step::Restart => {
                bench = bench.reopen().await;
                let leased = queues
                    .values_mut()
                    .flatten()
                    .filter(|waiting| waiting.lease.is_some());
                let mut released = 0;
                for waiting in leased {
                    waiting.lease = None;
                    waiting.uncertain += 1;
                    released += 1;
                }
                prop_assert_eq!(bench.store.release_leases().await.expect("released"), released);
                held.clear();
            }
        }
        bench.turn_to(now);
        let heads = queues.values().filter_map(|queue| queue.first());
        let next = heads.map(|head| head.lease.unwrap_or(head.due)).min();
        prop_assert_eq!(bench.store.next_due().await.expect("read"), next.map(at));
        let queued: usize = queues.values().map(Vec::len).sum();
        prop_assert_eq!(bench.store.queued().await.expect("read"), queued as u64);
    }
    Ok(())
}
