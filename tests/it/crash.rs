//! `kill -9` at random moments under load, with pushes repeated as WeChat repeats them.
//!
//! Short by default; `WXREPLY_CRASH_ROUNDS=20 cargo test --test it crash` is the long form.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::RngExt;
use wxreply::message::Direction;

use crate::world::{Plan, World};

const CUSTOMERS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_in_the_log_once_and_its_reply_was_sent() {
    let rounds = std::env::var("WXREPLY_CRASH_ROUNDS")
        .ok()
        .and_then(|r| r.parse().ok())
        .unwrap_or(3);
    let rules = "[[rule]]\nname = \"echo\"\nreply = \"回 {{ msg.Content }}\"\n";
    let world = Plan::rules(rules).set("outbox", "gap = \"0s\"").build().await;
    let over = AtomicBool::new(false);
    let killer = async {
        for round in 0..rounds {
            let process = world.process().await;
            tokio::time::sleep(Duration::from_millis(rand::rng().random_range(150..900))).await;
            eprintln!("kill -9, round {}", round + 1);
            process.kill();
        }
        over.store(true, Ordering::SeqCst);
    };
    let customers = futures_util::future::join_all((0..CUSTOMERS).map(|c| customer(&world, c, &over)));
    let ((), taken) = tokio::join!(killer, customers);
    let taken: Vec<(String, String)> = taken.into_iter().flatten().collect();
    assert!(
        taken.len() > rounds,
        "the load was no load: {} messages",
        taken.len()
    );

    let process = world.process().await;
    world.outbox_empty().await;
    let log = world.log().await;
    let mut rows = BTreeMap::new();
    for entry in log.iter().filter(|e| e.direction == Direction::In) {
        *rows
            .entry((
                entry.openid.to_string(),
                entry.content.clone().unwrap_or_default(),
            ))
            .or_insert(0) += 1;
    }
    assert!(rows.values().all(|n| *n == 1), "a message is in the log twice");
    let mut repeats = 0;
    for (openid, text) in &taken {
        assert!(
            rows.contains_key(&(openid.clone(), text.clone())),
            "{openid} {text} was answered and is gone"
        );
        let reply = format!("回 {text}");
        let received = world
            .wechat
            .received(openid)
            .iter()
            .filter(|r| r.text() == Some(&reply))
            .count();
        assert!(received >= 1, "{openid} never got {reply:?}");
        repeats += received - 1;
    }
    let failed = log
        .iter()
        .filter(|e| e.direction == Direction::Out && e.status != "sent")
        .count();
    assert_eq!(failed, 0, "every reply was sent");
    // Only what was claimed when the daemon died is tried a second time.
    let in_flight = log.iter().filter(|e| e.attempts > 1).count();
    eprintln!(
        "{} messages answered `success`; over {rounds} kills {in_flight} replies were in flight, {repeats} came twice",
        taken.len(),
    );
    assert!(repeats <= in_flight, "{repeats} repeats, {in_flight} in flight");
    assert!(process.terminate().success());
}

/// Says one thing after another, each pushed up to four times as WeChat does; gives what was answered `success`.
async fn customer(world: &World, number: usize, over: &AtomicBool) -> Vec<(String, String)> {
    let mut taken = Vec::new();
    for n in 0.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        // A user of their own for every few messages, so that the reply quota is never the limit.
        let openid = format!("oCustomer{number}x{}", n / 5);
        let text = format!("{number}-{n}");
        let message = world.text(&openid, &text);
        for _ in 0..4 {
            match world.try_push(&message).await {
                Some(answer) if answer.status == 200 => {
                    assert_eq!(answer.body, b"success");
                    taken.push((openid.clone(), text.clone()));
                    break;
                }
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    taken
}
