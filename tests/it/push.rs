//! What arrives, what it is answered, what is kept: the contract's table of arrivals.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use wxreply::message::{Direction, Fields, Format, Mode, OpenId};
use wxreply::simulator::PushBody;
use wxreply::wechat::signature;

use crate::world::{Plan, TurnedClock, http, until};

const RULES: &str = r#"
[[rule]]
name = "hours"
when.keywords = ["几点开门"]
reply = "九点"

[[rule]]
name = "person"
when.keywords = ["人工"]
transfer = true

[[rule]]
name = "unknown kinds too"
when.msg_type = "hologram"
when.fields.Depth = '^\d+$'
reply = "好看"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_and_format_is_understood_and_answered() {
    for mode in [Mode::Plain, Mode::Compat, Mode::Safe] {
        for format in [Format::Xml, Format::Json] {
            let world = Plan::rules(RULES).mode(mode).format(format).build().await;
            let daemon = world.daemon().await;
            let answer = world.say("oAnna", "请问几点开门？").await;
            assert_eq!(
                (answer.status, &*answer.body),
                (200, &b"success"[..]),
                "{mode} {format:?}"
            );
            world.outbox_empty().await;
            let log = world.log().await;
            let rows: Vec<_> = log
                .iter()
                .map(|e| (&*e.status, e.rule.as_ref().map(|r| r.as_str())))
                .collect();
            assert_eq!(
                rows,
                [("matched", Some("hours")), ("sent", Some("hours"))],
                "{mode} {format:?}"
            );
            assert_eq!(log[1].reply_to, Some(log[0].id));
            let received = world.wechat.received("oAnna");
            assert_eq!(
                received.iter().map(|r| r.text()).collect::<Vec<_>>(),
                [Some("九点")]
            );
            // The hand-over comes in the push's own answer, sealed if the push was.
            let first = world.text("oBen", "人工");
            let answer = world.push(&first).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status, 200);
            assert_eq!(
                text.contains("transfer_customer_service"),
                mode == Mode::Plain,
                "{text}"
            );
            assert_eq!(text.contains("Encrypt"), mode != Mode::Plain, "{text}");
            let again = world.push(&first).await;
            assert_ne!(again.body, b"success", "a repeat is handed over too");
            daemon.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_refusals_look_alike_and_nothing_of_them_is_kept() {
    let world = Plan::rules(RULES).set("push", "max_body = 4096").build().await;
    let daemon = world.daemon().await;
    let http = http();
    let now = Timestamp::now().as_second();
    let good = |timestamp: &str, nonce: &str| {
        let signature = signature(&world.account.token, timestamp, nonce);
        format!("signature={signature}&timestamp={timestamp}&nonce={nonce}")
    };
    let (fresh, stale, early) = (now.to_string(), (now - 700).to_string(), (now + 700).to_string());
    let plain = "<xml><FromUserName>o</FromUserName><MsgType>text</MsgType><Content>hi</Content><MsgId>1</MsgId></xml>";
    let refused = [
        ("no query", String::new(), plain),
        (
            "wrong signature",
            format!("signature={}&timestamp={fresh}&nonce=1", "0".repeat(40)),
            plain,
        ),
        ("stale", good(&stale, "2"), plain),
        ("from the future", good(&early, "3"), plain),
        ("not sealed though the mode is safe", good(&fresh, "4"), plain),
        (
            "a parameter twice",
            format!("{}&nonce=5", good(&fresh, "5")),
            plain,
        ),
        (
            "sealed, without msg_signature",
            good(&fresh, "6"),
            "<xml><Encrypt>AAAA</Encrypt></xml>",
        ),
        (
            "sealed, msg_signature wrong",
            format!("{}&msg_signature=0", good(&fresh, "7")),
            "<xml><Encrypt>AAAA</Encrypt></xml>",
        ),
    ];
    let mut bodies = Vec::new();
    for (what, query, body) in refused {
        let answer = http
            .post(format!("{}?{query}", world.callback))
            .body(body)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 403, "{what}");
        bodies.push(answer.text().await.expect("a body"));
    }
    let check = http.get(format!(
        "{}?signature=0&timestamp={fresh}&nonce=1&echostr=x",
        world.callback
    ));
    let answer = check.send().await.expect("an answer");
    assert_eq!(answer.status(), 403);
    bodies.push(answer.text().await.expect("a body"));
    assert!(bodies.iter().all(|b| *b == bodies[0]), "{bodies:?}");

    let check = http.get(format!(
        "{}?{}&echostr=4375120948345356249",
        world.callback,
        good(&fresh, "8")
    ));
    assert_eq!(
        check
            .send()
            .await
            .expect("an answer")
            .text()
            .await
            .expect("a body"),
        "4375120948345356249"
    );

    let large = http
        .post(format!("{}?{}", world.callback, good(&fresh, "9")))
        .body(vec![b'x'; 5000]);
    assert_eq!(large.send().await.expect("an answer").status(), 413);
    let base = world.callback.trim_end_matches("/wechat/shop");
    for (method, path, status) in [
        ("POST", "/", 404),
        ("GET", "/metrics", 404),
        ("POST", "/wechat/nobody", 404),
        ("POST", "/wechat/shop/more", 404),
        ("DELETE", "/wechat/shop", 405),
    ] {
        let method = method.parse().expect("a method");
        let answer = http
            .request(method, format!("{base}{path}"))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
    }
    assert!(world.log().await.is_empty());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_is_kept_raw_and_what_is_unknown_is_kept_whole() {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.daemon().await;
    for raw in [
        "<xml><MsgType>text</MsgType>",
        "{\"FromUserName\": 1",
        "no markup",
        "",
        "<xml><MsgType>text</MsgType></xml>",
        "<!DOCTYPE xml [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><xml><FromUserName>&a;</FromUserName><MsgType>text</MsgType></xml>",
    ] {
        let answer = world.push(&PushBody::raw(raw.as_bytes().to_vec())).await;
        assert_eq!((answer.status, &*answer.body), (200, &b"success"[..]), "{raw}");
    }
    let strange = r#"{"ToUserName":"gh_1","FromUserName":"oAnna","CreateTime":"1732250000","MsgType":"Hologram","Depth":3,"Layers":[{"a":1},{"a":2}]}"#;
    world.push(&PushBody::raw(strange.as_bytes().to_vec())).await;
    let log = world.log_of(Direction::In).await;
    let (malformed, rest): (Vec<_>, Vec<_>) = log.iter().partition(|e| e.status == "malformed");
    assert_eq!(malformed.len(), 6);
    assert!(
        malformed
            .iter()
            .any(|e| e.content.as_deref() == Some("no markup"))
    );
    assert_eq!(rest.len(), 1);
    assert_eq!(
        rest[0].rule.as_ref().map(|r| r.as_str()),
        Some("unknown kinds too")
    );
    assert_eq!(rest[0].fields.path("Layers.a"), ["1", "2"]);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_is_answered_once_however_often_it_is_pushed() {
    let world = Plan::rules(RULES).build().await;
    let clock = Arc::new(TurnedClock::default());
    let daemon = world.daemon_at(clock.clone()).await;
    let message = world.text("oAnna", "几点开门");

    let answers = futures_util::future::join_all((0..12).map(|_| world.push(&message))).await;
    assert!(
        answers.iter().all(|a| a.status == 200 && a.body == b"success"),
        "{answers:?}"
    );
    world.outbox_empty().await;
    daemon.stop().await;

    let daemon = world.daemon_at(clock.clone()).await;
    assert_eq!(world.push(&message).await.body, b"success");
    let three_days = Duration::from_secs(3 * 86_400);
    clock.turn(three_days);
    let later = Timestamp::now() + three_days;
    assert_eq!(
        world.push_at(&message, later).await.expect("an answer").body,
        b"success"
    );
    assert_eq!(world.log().await.len(), 2, "one message, one reply");
    assert_eq!(world.wechat.received("oAnna").len(), 1);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_msg_id_of_two_users_is_two_messages_and_so_are_two_events_of_one_second() {
    let world = Plan::rules("[[rule]]\nname = \"any\"\nreply = \"好\"\n")
        .build()
        .await;
    let daemon = world.daemon().await;
    let now = Timestamp::now();
    for openid in ["oAnna", "oBen"] {
        let body = PushBody::text(
            &world.account,
            &OpenId::from(openid),
            "喂",
            23_637_352_235_060_881,
            now,
        );
        world.push(&body).await;
    }
    for from in ["home", "order", "home"] {
        let fields: Fields = [("SessionFrom", from)].into_iter().collect();
        world
            .push(&PushBody::event(
                &world.account,
                &OpenId::from("oCleo"),
                "user_enter_tempsession",
                fields,
                now,
            ))
            .await;
    }
    world.outbox_empty().await;
    assert_eq!(world.log_of(Direction::In).await.len(), 4);
    for (openid, replies) in [("oAnna", 1), ("oBen", 1), ("oCleo", 2)] {
        assert_eq!(world.wechat.received(openid).len(), replies, "{openid}");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_query_carries_no_other_message_not_even_after_a_restart() {
    let world = Plan::rules(RULES).mode(Mode::Plain).build().await;
    let daemon = world.daemon().await;
    let (timestamp, nonce) = (Timestamp::now().as_second().to_string(), "captured");
    let signature = signature(&world.account.token, &timestamp, nonce);
    let url = format!(
        "{}?signature={signature}&timestamp={timestamp}&nonce={nonce}",
        world.callback
    );
    let body = |id: u32, text: &str| {
        format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>oAnna</FromUserName><CreateTime>{timestamp}</CreateTime>\
                 <MsgType>text</MsgType><Content>{text}</Content><MsgId>{id}</MsgId></xml>"
        )
    };
    let status = async |body: String| {
        http()
            .post(&url)
            .body(body)
            .send()
            .await
            .expect("an answer")
            .status()
            .as_u16()
    };
    assert_eq!(status(body(1, "几点开门")).await, 200);
    assert_eq!(
        status(body(1, "几点开门")).await,
        200,
        "the same message, pushed again"
    );
    assert_eq!(status(body(2, "给我退款")).await, 403);
    daemon.stop().await;
    let daemon = world.daemon().await;
    assert_eq!(status(body(3, "给我退款")).await, 403);
    assert_eq!(status(body(1, "几点开门")).await, 200);
    assert_eq!(world.log_of(Direction::In).await.len(), 1);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_out_of_reach_means_500_in_time_and_nothing_half_written() {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.daemon().await;
    world.say("oAnna", "你好").await;
    // Another program holds the database's write lock for longer than WeChat waits.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(world.path("wxreply.db"));
    let mut other = sqlx::ConnectOptions::connect(&options).await.expect("opens");
    sqlx::query("begin immediate")
        .execute(&mut other)
        .await
        .expect("the lock is free");
    let message = world.text("oBen", "几点开门");
    let start = Instant::now();
    let answer = world.push(&message).await;
    assert_eq!(answer.status, 500);
    assert!(
        start.elapsed() < Duration::from_millis(4_500),
        "{:?}",
        start.elapsed()
    );
    sqlx::query("rollback")
        .execute(&mut other)
        .await
        .expect("the lock is held");
    until("the push is taken", || async {
        world.push(&message).await.status == 200
    })
    .await;
    world.outbox_empty().await;
    assert_eq!(world.wechat.received("oBen").len(), 1);
    assert_eq!(world.log_of(Direction::In).await.len(), 2);
    daemon.stop().await;
}
