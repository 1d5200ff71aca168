//! What people do by hand, through the whole daemon: replies that reach the customer, pictures, forgetting, backups,
//! and what is erased because it is old.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use wxreply::clock::SystemClock;
use wxreply::intake::{ByHandError, Intake, policies_of};
use wxreply::message::{Direction, Reply};
use wxreply::metrics::Metrics;
use wxreply::simulator::{Fault, FaultSetting, PushBody};
use wxreply::store::{Access, Picture, Store};

use crate::world::{Plan, TurnedClock, World, until};

const RULES: &str = "[[rule]]\nname = \"hi\"\nwhen.keywords = [\"hi\"]\nreply = [\"one\", \"two\"]\n";

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nand what is left of a picture";

async fn store(world: &World) -> Store {
    let url = format!("sqlite://{}", world.path("wxreply.db").display());
    let opened = Store::open(
        &url,
        Access::Command,
        Arc::new(SystemClock),
        Arc::new(Metrics::new()),
    )
    .await;
    opened.expect("there is a log")
}

/// Writes to customers as the console does, beside the daemon.
async fn intake(world: &World) -> (Intake, Store) {
    let read = wxreply::config::read(&world.config()).expect("readable");
    let config = read.config.expect("a good config");
    let rules = wxreply::rules::load(&[], &wxreply::rules::Scope::default())
        .set
        .expect("no rules");
    let (_, live) = tokio::sync::watch::channel(Arc::new(rules));
    let store = store(world).await;
    (Intake::new(store.clone(), live, policies_of(&config)), store)
}

fn texts(world: &World, openid: &str) -> Vec<String> {
    let received = world.wechat.received(openid);
    received
        .iter()
        .filter_map(|reply| reply.text().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn a_person_answers_in_turn_within_the_quota_and_the_rules_are_silent_meanwhile() {
    let world = Plan::rules(RULES).set("outbox", "gap = \"0s\"").build().await;
    let daemon = world.daemon().await;
    world.say("oAnn", "hi").await;
    let (intake, store) = intake(&world).await;
    let write = async |texts: &[&str], mute| {
        let replies = texts.iter().map(|text| Reply::Text((*text).to_owned())).collect();
        intake
            .write(&"shop".into(), &"oAnn".into(), replies, "小王", mute)
            .await
    };
    let hour = Some(Duration::from_hours(1));
    let ids = write(&["您好，我是小王", "请稍等"], hour)
        .await
        .expect("there is quota");
    assert_eq!(ids.len(), 2);
    until("all is delivered", || async { texts(&world, "oAnn").len() == 4 }).await;
    assert_eq!(texts(&world, "oAnn"), ["one", "two", "您好，我是小王", "请稍等"]);
    world.outbox_empty().await;

    // One of five is left.
    let refused = write(&["a", "b"], None).await.expect_err("too many");
    assert!(matches!(refused, ByHandError::Quota { left: 1, .. }), "{refused}");
    world.say("oAnn", "hi").await;
    let log = world.log().await;
    let second = log
        .iter()
        .rfind(|entry| entry.direction == Direction::In)
        .expect("it came");
    assert_eq!(second.status, "muted");
    let by_hand: Vec<_> = log.iter().filter(|entry| entry.author.is_some()).collect();
    assert_eq!(by_hand.len(), 2);
    assert!(
        by_hand
            .iter()
            .all(|entry| entry.status == "sent" && entry.rule.is_none())
    );
    let stranger = intake
        .write(
            &"shop".into(),
            &"oBen".into(),
            vec![Reply::Text("x".into())],
            "小王",
            None,
        )
        .await;
    assert!(matches!(stranger, Err(ByHandError::UnknownUser)));
    store.close().await;
    daemon.stop().await;

    let printed = world.run(&["log", "--format", "jsonl", "--direction", "out"]);
    let lines = String::from_utf8(printed.stdout).expect("UTF-8");
    let authors = lines
        .lines()
        .filter(|line| line.contains("\"author\":\"小王\""))
        .count();
    assert_eq!((authors, lines.lines().count()), (2, 4), "{lines}");
}

#[tokio::test]
async fn a_customers_picture_is_fetched_by_its_media_id() {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.daemon().await;
    world.say("oAnn", "hi").await;
    world.outbox_empty().await;
    // A refused token is renewed on the way.
    world.wechat.set_fault(Fault::RevokeToken, FaultSetting::times(1));
    world
        .wechat
        .customer_sends_image("oAnn", PNG.into())
        .expect("a picture");
    let unknown = PushBody::image(
        &world.account,
        &"oBen".into(),
        "http://127.0.0.1:9/forged",
        "NO-SUCH-MEDIA",
        7,
        Timestamp::now(),
    );
    world.push(&unknown).await;
    let image = async |openid: &str| {
        let log = world.log().await;
        let image = log
            .iter()
            .find(|entry| entry.msg_type == "image" && entry.openid.as_str() == openid);
        image.map(|entry| entry.id)
    };
    until("both came", || async {
        image("oAnn").await.is_some() && image("oBen").await.is_some()
    })
    .await;
    let (ann, ben) = (
        image("oAnn").await.expect("came"),
        image("oBen").await.expect("came"),
    );
    let store = store(&world).await;
    let kept = Picture::Kept {
        mime: "image/png".to_owned(),
        bytes: PNG.to_vec(),
    };
    until("it is kept", || async {
        store.picture(ann).await.expect("read").as_ref() == Some(&kept)
    })
    .await;
    until("the other is lost", || async {
        matches!(store.picture(ben).await.expect("read"), Some(Picture::Lost { error }) if error.contains("40007"))
    })
    .await;
    store.close().await;
    daemon.stop().await;
}

#[tokio::test]
async fn pictures_are_left_with_wechat_when_the_config_says_so() {
    let world = Plan::rules(RULES).set("log", "media = false").build().await;
    let daemon = world.daemon().await;
    world
        .wechat
        .customer_sends_image("oAnn", PNG.into())
        .expect("a picture");
    until("it came", || async { !world.log().await.is_empty() }).await;
    // Where pictures are fetched, it takes a second.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let calls = world.wechat.calls();
    assert!(calls.keys().all(|path| !path.contains("media")), "{calls:?}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_user_is_forgotten_beside_the_daemon() {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.process().await;
    for openid in ["oAnn", "oBen", "oAnn"] {
        world.say(openid, "hi, my number is 13800001111").await;
    }
    world.outbox_empty().await;
    let asked = world.run(&["forget", "oAnn"]);
    assert_eq!(asked.status.code(), Some(2), "nobody is there to confirm");
    assert!(String::from_utf8_lossy(&asked.stderr).contains("--yes"));
    assert_eq!(world.log().await.len(), 9);

    let done = world.run(&["forget", "oAnn", "--yes"]);
    let printed = String::from_utf8_lossy(&done.stdout);
    assert_eq!(
        printed, "oAnn is forgotten: 2 messages, 4 replies, 0 pictures, in 1 app\n",
        "{done:?}"
    );
    assert_eq!(done.status.code(), Some(0));
    let log = world.log().await;
    assert!(log.len() == 3 && log.iter().all(|entry| entry.openid.as_str() == "oBen"));
    let again = world.run(&["forget", "oAnn", "--yes", "--app", "shop"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&again.stdout),
        "nothing is known of oAnn\n"
    );

    world.say("oAnn", "hi").await;
    assert_eq!(world.log_of(Direction::In).await.len(), 2, "the daemon goes on");
    assert!(daemon.terminate().success());
}

#[tokio::test]
async fn a_backup_is_made_beside_the_daemon_and_can_be_put_back() {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.process().await;
    world.say("oAnn", "hi").await;
    world.outbox_empty().await;
    let done = world.run(&["backup", "copy.db"]);
    let printed = String::from_utf8_lossy(&done.stdout);
    assert!(
        printed.starts_with("copy.db: ") && printed.ends_with(" KiB, checked\n"),
        "{done:?}"
    );
    let twice = world.run(&["backup", "copy.db"]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("is there already"));
    world.say("oBen", "hi").await;
    assert!(daemon.terminate().success());

    std::fs::rename(world.path("copy.db"), world.path("wxreply.db")).expect("put back");
    let daemon = world.daemon().await;
    world.say("oCat", "hi").await;
    let users: Vec<_> = world
        .log_of(Direction::In)
        .await
        .iter()
        .map(|entry| entry.openid.to_string())
        .collect();
    assert_eq!(users, ["oAnn", "oCat"]);
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_older_than_retention_is_erased_after_a_start() {
    let world = Plan::rules(RULES).set("log", "retention = \"7d\"").build().await;
    let clock = Arc::new(TurnedClock::default());
    let daemon = world.daemon_at(clock.clone()).await;
    world.say("oAnn", "hi").await;
    world.outbox_empty().await;
    daemon.stop().await;
    for (days, rows) in [(6, 3), (2, 0)] {
        clock.turn(Duration::from_hours(days * 24));
        let daemon = world.daemon_at(clock.clone()).await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        if rows == 0 {
            until("it is erased", || async { world.log().await.is_empty() }).await;
        }
        assert_eq!(world.log().await.len(), rows);
        daemon.stop().await;
    }
}
