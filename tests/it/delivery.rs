//! Replies on their way: order, faults, retries, quota; and pushes that never wait for any of it.

use std::time::{Duration, Instant};

use wxreply::message::Direction;
use wxreply::simulator::{Fault, FaultSetting};

use crate::world::{Plan, World, until};

const ANY: &str = "[[rule]]\nname = \"any\"\nreply = \"好的 {{ msg.Content }}\"\n";

/// Quick retries, so that a test need not wait for minutes.
fn plan(rules: &str) -> Plan {
    Plan::rules(rules).set("outbox", "gap = \"0s\"")
}

async fn say_to_all(world: &World, customers: usize) {
    for n in 0..customers {
        let start = Instant::now();
        let answer = world.say(&format!("oUser{n}"), "在吗").await;
        assert_eq!((answer.status, &*answer.body), (200, &b"success"[..]));
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "a push waited for delivery: {:?}",
            start.elapsed()
        );
    }
}

/// Every reply reached its customer exactly once, or stands in the log as failed or uncertain, with words.
async fn all_accounted_for(world: &World, customers: usize, repeats_allowed: bool) {
    let log = world.log_of(Direction::Out).await;
    assert_eq!(log.len(), customers);
    for entry in log {
        let received = world.wechat.received(entry.openid.as_str()).len();
        match entry.status.as_str() {
            "sent" => assert!(
                received == 1 || repeats_allowed && received == 2,
                "{entry:?} was received {received} times"
            ),
            "failed" | "uncertain" => {
                assert!(entry.error.as_deref().is_some_and(|e| !e.is_empty()), "{entry:?}")
            }
            other => panic!("{other}: {entry:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ails_wechat_pushes_are_answered_and_replies_go_out_once() {
    let ailments = [
        (Fault::Drop, FaultSetting::times(6), false),
        (Fault::Http500, FaultSetting::times(6), false),
        (Fault::Html, FaultSetting::times(6), false),
        (Fault::Html, FaultSetting::times(6).with_value(200), false),
        (Fault::Busy, FaultSetting::times(6), false),
        (Fault::RevokeToken, FaultSetting::times(1), false),
        (Fault::ExpireToken, FaultSetting::times(1), false),
        (Fault::Latency, FaultSetting::times(8).with_value(1000), false),
        (Fault::LostAnswer, FaultSetting::times(2), true),
    ];
    for (fault, setting, repeats) in ailments {
        let world = plan(ANY).build().await;
        let daemon = world.daemon().await;
        until("there is a token", || async { world.wechat.tokens_issued() == 1 }).await;
        world.wechat.set_fault(fault, setting);
        say_to_all(&world, 8).await;
        world.outbox_empty().await;
        all_accounted_for(&world, 8, repeats).await;
        let sent = world
            .log_of(Direction::Out)
            .await
            .iter()
            .filter(|e| e.status == "sent")
            .count();
        assert_eq!(sent, 8, "{fault:?}: all are sent once it is over");
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_is_down_is_waited_for() {
    let world = plan(ANY).app("api_base = \"http://127.0.0.1:9\"").build().await;
    let daemon = world.daemon().await;
    say_to_all(&world, 5).await;
    until("the trouble is on record", || async {
        world
            .log_of(Direction::Out)
            .await
            .iter()
            .all(|e| e.status == "queued" && e.error.is_some())
    })
    .await;
    daemon.stop().await;
    // The same shop with the API where it really is.
    let config = std::fs::read_to_string(world.config()).expect("readable");
    std::fs::write(world.config(), config.replace("http://127.0.0.1:9", &world.api)).expect("writable");
    let daemon = world.daemon().await;
    world.outbox_empty().await;
    all_accounted_for(&world, 5, false).await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_base_url_is_tried_when_one_is_out_of_reach() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let dead = listener.local_addr().expect("bound");
    drop(listener);
    let world = plan(ANY).build().await;
    let config = std::fs::read_to_string(world.config()).expect("readable");
    let both = format!("api_base = [\"http://{dead}\", \"{}\"]", world.api);
    std::fs::write(
        world.config(),
        config.replace(&format!("api_base = \"{}\"", world.api), &both),
    )
    .expect("writable");
    let daemon = world.daemon().await;
    say_to_all(&world, 2).await;
    world.outbox_empty().await;
    all_accounted_for(&world, 2, false).await;
    let log = world.log_of(Direction::Out).await;
    assert!(
        log.iter().all(|e| e.attempts == 1),
        "failing over costs no attempt: {log:?}"
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_is_answered_in_order_and_holds_up_nobody() {
    let rules = r#"
[[rule]]
name = "story"
reply = ["{{ msg.Content }} 一", "{{ msg.Content }} 二"]
"#;
    let world = plan(rules).build().await;
    let daemon = world.daemon().await;
    until("there is a token", || async { world.wechat.tokens_issued() == 1 }).await;
    // Anna's first reply fails twice and then waits for two seconds; nobody else's fails. Nothing is left to chance.
    world.wechat.set_fault(Fault::Busy, FaultSetting::times(2));
    world.say("oAnna", "a").await;
    until("Anna's first reply has failed twice", || async {
        world.wechat.calls().get("/cgi-bin/message/custom/send") == Some(&2)
    })
    .await;
    for (customer, text) in [("oAnna", "b"), ("oBen", "a"), ("oBen", "b")] {
        world.say(customer, text).await;
    }
    world.outbox_empty().await;
    for customer in ["oAnna", "oBen"] {
        let received = world.wechat.received(customer);
        let texts: Vec<_> = received.iter().filter_map(|r| r.text()).collect();
        assert_eq!(texts, ["a 一", "a 二", "b 一", "b 二"], "{customer}");
    }
    let received = world.wechat.all_received();
    let order: Vec<_> = received.iter().map(|r| r.openid.as_str()).collect();
    assert_eq!(order[..4], ["oBen"; 4], "Ben waited for Anna: {order:?}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_got_lost_is_repeated_once_or_held_for_a_person() {
    for (setting, statuses, received) in [("resend", ["sent"], 2), ("hold", ["uncertain"], 1)] {
        let world = plan(ANY)
            .set("outbox", &format!("on_uncertain = \"{setting}\""))
            .build()
            .await;
        let daemon = world.daemon().await;
        world.wechat.set_fault(Fault::LostAnswer, FaultSetting::times(1));
        world.say("oAnna", "在吗").await;
        world.outbox_empty().await;
        let log = world.log_of(Direction::Out).await;
        assert_eq!(
            log.iter().map(|e| &*e.status).collect::<Vec<_>>(),
            statuses,
            "{setting}"
        );
        assert_eq!(world.wechat.received("oAnna").len(), received, "{setting}");
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_wasted_on_a_reply_that_wechat_would_refuse() {
    let rules = r#"
[[rule]]
name = "six"
reply = ["1", "2", "3", "4", "5", "6"]
"#;
    for (reserve, sent) in [(0, 5), (1, 4)] {
        let world = plan(rules)
            .set("outbox", &format!("reserve = {reserve}"))
            .build()
            .await;
        let daemon = world.daemon().await;
        world.say("oAnna", "在吗").await;
        world.outbox_empty().await;
        let log = world.log_of(Direction::Out).await;
        assert_eq!(log.iter().filter(|e| e.status == "sent").count(), sent);
        let dropped: Vec<_> = log.iter().filter(|e| e.status == "dropped").collect();
        assert_eq!(dropped.len(), 6 - sent);
        assert!(
            dropped
                .iter()
                .all(|e| e.error.as_deref().is_some_and(|e| e.contains("quota"))),
            "{dropped:?}"
        );
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_a_dead_letter_with_a_meaning_and_can_be_resent() {
    let world = plan(ANY).build().await;
    let daemon = world.daemon().await;
    world.wechat.set_fault(Fault::Quota, FaultSetting::times(1));
    world.say("oAnna", "在吗").await;
    world.outbox_empty().await;
    let log = world.log_of(Direction::Out).await;
    assert_eq!((log[0].status.as_str(), log[0].errcode), ("failed", Some(45047)));
    let error = log[0].error.as_deref().unwrap_or_default();
    assert!(error.contains("rid"), "WeChat's request id is kept: {error}");
    let output = world.run(&["resend", &log[0].id.to_string()]);
    assert!(output.status.success(), "{output:?}");
    until("it was resent", || async {
        world.log_of(Direction::Out).await[0].status == "sent"
    })
    .await;
    assert_eq!(world.wechat.received("oAnna").len(), 1);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_uploaded_once_and_again_when_wechat_lost_it() {
    let rules = "[[rule]]\nname = \"menu\"\nreply = { image = \"menu.png\" }\n";
    let world = plan("[[rule]]\nname = \"none yet\"\nreply = \"…\"\n")
        .build()
        .await;
    std::fs::write(world.path("rules/menu.png"), TINY_PNG).expect("writable");
    world.write_rules(rules);
    let daemon = world.daemon().await;
    for customer in ["oAnna", "oBen"] {
        world.say(customer, "菜单").await;
        world.outbox_empty().await;
    }
    let uploads = || {
        world
            .wechat
            .calls()
            .get("/cgi-bin/media/upload")
            .copied()
            .unwrap_or_default()
    };
    assert_eq!(uploads(), 1);
    world.wechat.set_fault(Fault::MediaGone, FaultSetting::times(1));
    world.say("oCleo", "菜单").await;
    world.outbox_empty().await;
    assert_eq!(uploads(), 2);
    for customer in ["oAnna", "oBen", "oCleo"] {
        assert_eq!(world.wechat.received(customer)[0].msg_type, "image");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_serves_all_and_outlives_a_restart() {
    let world = plan(ANY).build().await;
    let daemon = world.daemon().await;
    let pushes: Vec<_> = (0..20).map(|n| (format!("oUser{n}"), n)).collect();
    futures_util::future::join_all(pushes.iter().map(|(openid, _)| world.say(openid, "在吗"))).await;
    world.outbox_empty().await;
    let fetched = |path: &str| world.wechat.calls().get(path).copied().unwrap_or_default();
    assert_eq!(fetched("/cgi-bin/stable_token"), 1);
    daemon.stop().await;
    let daemon = world.daemon().await;
    world.say("oLater", "在吗").await;
    world.outbox_empty().await;
    assert_eq!(
        fetched("/cgi-bin/stable_token"),
        1,
        "a restart fetches no new token"
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_shown_while_a_reply_is_delayed() {
    let rules = "[[rule]]\nname = \"slow\"\nreply = \"想好了\"\ndelay = \"1s\"\ntyping = true\n";
    let world = plan(rules).build().await;
    let daemon = world.daemon().await;
    let start = Instant::now();
    world.say("oAnna", "在吗").await;
    until("typing is shown", || async {
        world
            .wechat
            .calls()
            .contains_key("/cgi-bin/message/custom/typing")
    })
    .await;
    assert!(world.wechat.received("oAnna").is_empty(), "the reply waits");
    world.outbox_empty().await;
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(world.wechat.received("oAnna").len(), 1);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_what_is_in_flight_and_loses_nothing() {
    let world = plan(ANY).build().await;
    let process = world.process().await;
    world
        .wechat
        .set_fault(Fault::Latency, FaultSetting::ALWAYS.with_value(800));
    say_to_all(&world, 6).await;
    until("some are in flight", || async {
        world.wechat.calls().contains_key("/cgi-bin/message/custom/send")
    })
    .await;
    let start = Instant::now();
    assert!(process.terminate().success());
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    world.wechat.set_fault(Fault::Latency, FaultSetting::OFF);
    let process = world.process().await;
    world.outbox_empty().await;
    all_accounted_for(&world, 6, false).await;
    assert!(process.terminate().success());
}

/// The smallest picture: one grey pixel.
const TINY_PNG: &[u8] = &[
    0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0,
    0, 1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 10, b'I', b'D', b'A', b'T', 0x78, 0x9c, 0x63, 0x68,
    0, 0, 0, 0x82, 0, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60,
    0x82,
];
