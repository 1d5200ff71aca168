//! Rules that change while messages come in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wxreply::message::Direction;

use crate::world::{Plan, reqwest_get, until};

fn rules(version: usize) -> String {
    format!("[[rule]]\nname = \"any\"\nreply = \"版本 {version}\"\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_fifty_times_under_load_loses_and_delays_nothing() {
    let world = Plan::rules(&rules(0)).set("outbox", "gap = \"0s\"").build().await;
    let daemon = world.daemon().await;
    let over = AtomicBool::new(false);
    let customers = async {
        let mut worst = Duration::ZERO;
        let mut said = 0;
        while !over.load(Ordering::SeqCst) {
            let openids: Vec<_> = (0..4).map(|n| format!("oUser{}", said + n)).collect();
            let start = Instant::now();
            for answer in futures_util::future::join_all(openids.iter().map(|o| world.say(o, "在吗"))).await
            {
                assert_eq!((answer.status, &*answer.body), (200, &b"success"[..]));
            }
            worst = worst.max(start.elapsed());
            said += openids.len();
        }
        (said, worst)
    };
    let editor = async {
        for version in 1..=50 {
            if version % 3 == 0 {
                world.write_rules("[[rule]]\nname = \"any\"\nrepyl = \"oops\"\n");
            } else {
                world.write_rules(&rules(version));
            }
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        until("the last good version is live", || async {
            world.say("oProbe", "在吗").await;
            world
                .log_of(Direction::Out)
                .await
                .iter()
                .any(|e| e.content.as_deref() == Some("版本 50"))
        })
        .await;
        over.store(true, Ordering::SeqCst);
    };
    let ((said, worst), ()) = tokio::join!(customers, editor);
    assert!(worst < Duration::from_secs(1), "a push took {worst:?}");
    let log = world.log().await;
    let inbound: Vec<_> = log
        .iter()
        .filter(|e| e.direction == Direction::In && e.openid.as_str() != "oProbe")
        .collect();
    assert_eq!(inbound.len(), said);
    assert!(
        inbound.iter().all(|e| e.status == "matched"),
        "no message fell between two versions"
    );
    // Each version of the set answered with its own text, and only with that.
    let mut texts = BTreeMap::new();
    for entry in log.iter().filter(|e| e.direction == Direction::Out) {
        let version = entry.rule_set.clone().expect("a version");
        let text = entry.content.clone();
        assert_eq!(*texts.entry(version).or_insert_with(|| text.clone()), text);
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_changes_nothing_and_is_shown_to_the_operator() {
    let world = Plan::rules(&rules(1)).build().await;
    let process = world.process().await;
    world.write_rules("[[rule]]\nname = \"any\"\nreply = \"{{ nobody }}\"\n");
    let ready = format!("{}/readyz", world.admin);
    until("the refusal is shown", || async {
        reqwest_get(&ready)
            .await
            .is_some_and(|(status, body)| status == 200 && body.contains("rules.toml:3"))
    })
    .await;
    let (_, metrics) = reqwest_get(&format!("{}/metrics", world.admin))
        .await
        .expect("a page");
    assert!(
        metrics.contains("wxreply_rules_reloads_total{outcome=\"refused\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("wxreply_rules_last_reload_successful 0"),
        "{metrics}"
    );
    world.say("oAnna", "在吗").await;
    assert_eq!(
        world.log_of(Direction::Out).await[0].content.as_deref(),
        Some("版本 1")
    );
    // Mended in place, and announced by SIGHUP.
    std::fs::write(world.path("rules/rules.toml"), rules(2)).expect("writable");
    process.signal("HUP");
    until("the new version answers", || async {
        world.say("oBen", "在吗").await;
        world
            .log_of(Direction::Out)
            .await
            .iter()
            .any(|e| e.content.as_deref() == Some("版本 2"))
    })
    .await;
    assert!(process.terminate().success());
}
