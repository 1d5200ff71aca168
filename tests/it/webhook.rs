//! Rules that ask a webhook: what it is sent, what becomes of its answer, and that nobody else waits for it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use warp::Filter;
use warp::http::{HeaderMap, Response, StatusCode};
use wxreply::message::{Direction, Entry};

use crate::world::{Plan, World, until};

const SECRET: &str = "questions are signed with this";

/// One question as the webhook got it.
#[derive(Clone)]
struct Asked {
    headers: HeaderMap,
    body: Bytes,
    at: Instant,
}

impl Asked {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("ASCII")
    }
}

/// What the webhook does.
#[derive(Clone, Default)]
struct Manner {
    wait: Duration,
    status: u16,
    answer: String,
}

#[derive(Default)]
struct State {
    manner: Manner,
    asked: Vec<Asked>,
    now: usize,
    most: usize,
}

/// A webhook.
#[derive(Clone, Default)]
struct Webhook(Arc<Mutex<State>>);

impl Webhook {
    async fn start(&self) -> String {
        let this = self.clone();
        let routes = warp::post()
            .and(warp::header::headers_cloned())
            .and(warp::body::bytes())
            .then(move |headers, body| {
                let this = this.clone();
                async move { this.answer(headers, body).await }
            });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let addr = listener.local_addr().expect("bound");
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        format!("http://{addr}/ask?key=s3cret")
    }

    async fn answer(&self, headers: HeaderMap, body: Bytes) -> Response<String> {
        let manner = {
            let mut state = self.0.lock().expect("unpoisoned");
            state.asked.push(Asked {
                headers,
                body,
                at: Instant::now(),
            });
            state.now += 1;
            state.most = state.most.max(state.now);
            state.manner.clone()
        };
        // Not when the caller has gone: then this is never reached.
        let _leaves = Leaves(self.clone());
        tokio::time::sleep(manner.wait).await;
        let mut response = Response::new(manner.answer);
        *response.status_mut() = StatusCode::from_u16(manner.status).expect("a status");
        response
    }

    fn will(&self, wait: u64, status: u16, answer: &str) {
        self.0.lock().expect("unpoisoned").manner = Manner {
            wait: Duration::from_millis(wait),
            status,
            answer: answer.to_owned(),
        };
    }

    fn asked(&self) -> Vec<Asked> {
        self.0.lock().expect("unpoisoned").asked.clone()
    }
}

struct Leaves(Webhook);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.0.lock().expect("unpoisoned").now -= 1;
    }
}

/// A rule that asks the webhook about orders, and one that answers everything else.
async fn shop(url: &str, settings: &[(&'static str, &str)]) -> World {
    let rules = format!(
        "[[rule]]\nname = \"订单\"\nwhen.regex = '订单 (?<number>\\d+)'\nwebhook = \"{url}\"\n\
         reply = [\"稍候 {{{{ number }}}}\"]\n\n[[rule]]\nname = \"else\"\npriority = -1\nreply = \"好的\"\n"
    );
    let mut plan = Plan::rules(&rules)
        .set("webhook", &format!("secret = \"{SECRET}\""))
        .set("outbox", "gap = \"0s\"");
    for (table, line) in settings {
        plan = plan.set(table, line);
    }
    plan.build().await
}

fn received(world: &World, openid: &str) -> Vec<String> {
    let received = world.wechat.received(openid);
    received
        .iter()
        .map(|r| r.text().unwrap_or_default().to_owned())
        .collect()
}

/// The rows of one customer's replies: status, text, error.
async fn replies(world: &World, openid: &str) -> Vec<String> {
    let brief = |row: &Entry| {
        let mut words = vec![
            row.status.clone(),
            row.msg_type.clone(),
            row.content.clone().unwrap_or_default(),
        ];
        words.extend(row.error.clone());
        words.join(" | ")
    };
    let mut rows = world.log_of(Direction::Out).await;
    rows.retain(|row| row.openid.as_str() == openid);
    rows.sort_by_key(|row| row.id);
    rows.iter().map(brief).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_answer_is_sent_and_the_question_is_signed() {
    let webhook = Webhook::default();
    let world = shop(&webhook.start().await, &[]).await;
    let daemon = world.daemon().await;
    webhook.will(0, 200, r#"["订单 123 已发货", {"text": "还有什么可以帮您？"}]"#);
    world.say("oAnn", "订单 123").await;
    world.say("oAnn", "谢谢").await;
    until("all is sent", || async { received(&world, "oAnn").len() == 3 }).await;
    assert_eq!(
        received(&world, "oAnn"),
        ["订单 123 已发货", "还有什么可以帮您？", "好的"],
        "in order"
    );

    let [asked] = &webhook.asked()[..] else {
        panic!("asked once")
    };
    let question = asked.json();
    let log = world.log_of(Direction::In).await;
    assert_eq!(question["fields"]["Content"], "订单 123");
    let expected = json!({
        "id": log[0].id.to_string(), "app": "shop", "openid": "oAnn", "msg_type": "text", "event": null,
        "content": "订单 123", "fields": question["fields"], "rule": "订单",
        "captures": { "0": "订单 123", "number": "123" }, "state": null, "time": log[0].time.to_string(),
    });
    assert_eq!(question, expected);
    assert_eq!(asked.header("content-type"), "application/json");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key");
    mac.update(
        format!(
            "{}.{}.",
            asked.header("webhook-id"),
            asked.header("webhook-timestamp")
        )
        .as_bytes(),
    );
    mac.update(&asked.body);
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(asked.header("webhook-signature"), format!("v1,{signature}"));
    let signed: i64 = asked.header("webhook-timestamp").parse().expect("seconds");
    assert!((jiff::Timestamp::now().as_second() - signed).abs() < 20);

    let page = daemon.metrics().page();
    assert!(
        page.contains(r#"wxreply_webhook_calls_total{app="shop",outcome="answered"} 1"#),
        "{page}"
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ails_the_webhook_the_rules_own_reply_is_sent() {
    let webhook = Webhook::default();
    let world = shop(&webhook.start().await, &[]).await;
    let daemon = world.daemon().await;
    let long = format!("\"{}\"", "x".repeat(70_000));
    let cases: [(u16, &str, &str); 6] = [
        (500, "\"x\"", "answered 500"),
        (302, "\"x\"", "answered 302"),
        (
            200,
            "<html>",
            "its answer can't be used: no JSON: expected value at line 1 column 1",
        ),
        (
            200,
            "",
            "its answer can't be used: no JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            200,
            r#"["a", {"image": "a.png"}]"#,
            "its answer can't be used: reply 2: `image` must be { \"media_id\": \"…\" }: a webhook can't name files",
        ),
        (200, &long, "its answer can't be used: more than 65536 bytes"),
    ];
    for (n, (status, answer, reason)) in cases.iter().enumerate() {
        let openid = format!("oUser{n}");
        webhook.will(0, *status, answer);
        world.say(&openid, "订单 7").await;
        until("it is sent", || async {
            received(&world, &openid) == ["稍候 7"]
        })
        .await;
        world.outbox_empty().await;
        assert_eq!(
            replies(&world, &openid).await,
            [format!(
                "sent | text | 稍候 7 | webhook: {reason}; the rule's own reply was sent"
            )]
        );
    }
    assert_eq!(
        webhook.asked().len(),
        cases.len(),
        "nobody is asked twice for an answer that was bad"
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_out_of_reach_is_tried_twice_and_then_not_waited_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let dead = listener.local_addr().expect("bound");
    drop(listener);
    let world = shop(&format!("http://{dead}/ask"), &[]).await;
    let daemon = world.daemon().await;
    let start = Instant::now();
    world.say("oAnn", "订单 7").await;
    until("it is sent", || async {
        received(&world, "oAnn") == ["稍候 7"]
    })
    .await;
    assert!(start.elapsed() < Duration::from_secs(2));
    world.outbox_empty().await;
    let log = replies(&world, "oAnn").await;
    assert!(
        log[0].contains("webhook: could not be reached: ") && log[0].contains("refused"),
        "{log:?}"
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_webhook_holds_up_its_customer_for_three_seconds_and_nobody_else() {
    let webhook = Webhook::default();
    // One delivery at once: if questions took its place, everybody would wait.
    let world = shop(&webhook.start().await, &[("outbox", "concurrency = 1")]).await;
    let daemon = world.daemon().await;
    webhook.will(60_000, 200, "\"too late\"");
    let start = Instant::now();
    for n in 0..5 {
        let answer = world.say(&format!("oSlow{n}"), "订单 7").await;
        assert_eq!(answer.status, 200);
    }
    world.say("oSlow0", "在吗").await;
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "a push waited: {:?}",
        start.elapsed()
    );
    world.say("oBen", "在吗").await;
    until("the other has the reply", || async {
        received(&world, "oBen") == ["好的"]
    })
    .await;
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "others waited: {:?}",
        start.elapsed()
    );
    assert!(
        received(&world, "oSlow0").is_empty(),
        "what was asked first is answered first"
    );
    until("own replies", || async {
        received(&world, "oSlow0") == ["稍候 7", "好的"]
    })
    .await;
    let taken = start.elapsed();
    assert!(
        (Duration::from_secs(3)..Duration::from_secs(5)).contains(&taken),
        "{taken:?}"
    );
    world.outbox_empty().await;
    assert_eq!(
        replies(&world, "oSlow4").await,
        ["sent | text | 稍候 7 | webhook: timed out after 3 s; the rule's own reply was sent"]
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rule_calls_more_than_it_may_at_once() {
    let webhook = Webhook::default();
    let world = shop(&webhook.start().await, &[("webhook", "concurrency = 2")]).await;
    let daemon = world.daemon().await;
    webhook.will(300, 200, "\"好\"");
    for n in 0..8 {
        world.say(&format!("oUser{n}"), "订单 7").await;
    }
    until("all have it", || async {
        (0..8).all(|n| received(&world, &format!("oUser{n}")) == ["好"])
    })
    .await;
    assert_eq!(webhook.0.lock().expect("unpoisoned").most, 2);

    // Two calls of 2.9 s each are what fits before the wait is over.
    webhook.will(2_900, 200, "\"好\"");
    for n in 10..17 {
        world.say(&format!("oUser{n}"), "订单 7").await;
    }
    let all = || async { (10..17).all(|n| received(&world, &format!("oUser{n}")).len() == 1) };
    until("all have something", all).await;
    let own = (10..17)
        .filter(|n| received(&world, &format!("oUser{n}")) == ["稍候 7"])
        .count();
    assert!(own >= 1, "those that no call was free for");
    world.outbox_empty().await;
    let busy = "webhook: was busy: none of its 2 calls at once ended in time; the rule's own reply was sent";
    let log = world.log_of(Direction::Out).await;
    assert_eq!(
        log.iter()
            .filter(|row| row.error.as_deref() == Some(busy))
            .count(),
        own
    );
    assert_eq!(webhook.0.lock().expect("unpoisoned").most, 2);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_say_is_said_and_costs_no_quota() {
    let webhook = Webhook::default();
    let world = shop(&webhook.start().await, &[]).await;
    let daemon = world.daemon().await;
    webhook.will(0, 204, "");
    world.say("oAnn", "订单 1").await;
    world.outbox_empty().await;
    let row = replies(&world, "oAnn").await.remove(0);
    assert!(
        row.starts_with("dropped | webhook | http://127.0.0.1:")
            && row.ends_with(
                "/ask is asked; if it fails: 稍候 1 | webhook: it answered that there is nothing to send"
            ),
        "{row}"
    );
    // Five are left of five: six replies to the next message are one too many.
    webhook.will(0, 200, r#"["1", "2", "3", "4", "5", "6"]"#);
    world.say("oAnn", "订单 2").await;
    until("five are sent", || async { received(&world, "oAnn").len() == 5 }).await;
    world.outbox_empty().await;
    assert_eq!(received(&world, "oAnn"), ["1", "2", "3", "4", "5"]);
    let log = replies(&world, "oAnn").await;
    let dropped = "dropped | text | 6 | quota: WeChat takes no more replies to the user's last action";
    assert!(log.iter().any(|row| row == dropped), "{log:?}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_in_flight_at_a_crash_is_asked_again_and_answered_once() {
    let webhook = Webhook::default();
    let world = shop(&webhook.start().await, &[("outbox", "on_uncertain = \"hold\"")]).await;
    let process = world.process().await;
    webhook.will(2_000, 200, "\"已发货\"");
    world.say("oAnn", "订单 1").await;
    until("it is asked", || async { webhook.asked().len() == 1 }).await;
    process.kill();
    let process = world.process().await;
    until("it is sent", || async { !received(&world, "oAnn").is_empty() }).await;
    world.outbox_empty().await;
    assert_eq!(received(&world, "oAnn"), ["已发货"]);
    let asked = webhook.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(
        asked[0].header("webhook-id"),
        asked[1].header("webhook-id"),
        "the same question"
    );
    assert!(asked[1].at > asked[0].at);
    assert_eq!(
        replies(&world, "oAnn").await,
        ["sent | text | 已发货"],
        "nothing uncertain about it"
    );
    assert!(process.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_there_is_no_webhook() {
    let world = shop("https://bot.example.com/x", &[]).await;
    let config = std::fs::read_to_string(world.config()).expect("readable");
    let without = config.replace(&format!("secret = \"{SECRET}\""), "");
    std::fs::write(world.config(), without).expect("writable");
    for command in ["check", "serve"] {
        let output = world.run(&[command]);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!output.status.success(), "{command}");
        assert!(
            said.contains("error[E041]: the config has no secret for webhooks")
                && said.contains("rules.toml:4:11"),
            "{command}: {said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_asks_nobody() {
    let webhook = Webhook::default();
    let url = webhook.start().await;
    let world = shop(&url, &[]).await;
    let output = world.run(&["explain", "订单 7"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let place = url.replace("?key=s3cret", "");
    assert!(
        said.contains(&format!("webhook: {place} is asked; if it fails: 稍候 7")),
        "{said}"
    );
    assert!(webhook.asked().is_empty());
}
