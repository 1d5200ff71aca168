//! `wxreply stats`: how much came, what rules made of it, what nobody answered, what was not delivered.

use serde_json::Value;
use wxreply::simulator::{Fault, FaultSetting};

use super::run;
use crate::world::{Plan, World, run_in};

const RULES: &str = r#"
[[rule]]
name = "营业时间"
when.keywords = ["营业时间", "几点开门"]
reply = "九点"

[[rule]]
name = "菜单"
when.exact = "菜单"
reply = "茶"

[[rule]]
name = "问好"
when.exact = "在吗"
reply = "在的"
cooldown = "1h"
"#;

async fn shop() -> World {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.daemon().await;
    world.say("oAnna", "請問幾點開門").await;
    world.say("oBen", "营业时间").await;
    for (customer, text) in [("oAnna", "多少钱"), ("oBen", "这个多少钱？"), ("oBen", "有茶吗")] {
        world.say(customer, text).await;
    }
    for (customer, text) in [("oDora", "在吗"), ("oDora", "在吗？")] {
        world.say(customer, text).await;
    }
    world.outbox_empty().await;
    world.wechat.set_fault(Fault::Quota, FaultSetting::times(1));
    world.say("oCleo", "几点开门").await;
    world.outbox_empty().await;
    daemon.stop().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_told_to_people_and_machines() {
    let world = shop().await;
    // WeChat's id of a request differs each time.
    let rid = regex::Regex::new("rid: [0-9a-f-]+").expect("a pattern");
    let told = run(&world.path(""), &["stats"]);
    insta::assert_snapshot!(rid.replace(&told, "rid: 0"), @"
    since 2026-01-05 10:00:00

     messages         8  matched 4, unmatched 3, cooldown 1
     events           0
     replies          4  sent 3, failed 1
     match rate  62.5 %  of messages

    Rules, by their hits; keywords of 4 messages since 2026-01-05 10:00:00:

            hits  rule      keywords                last
               3  营业时间  几点开门 2, 营业时间 1  2026-01-05 10:00:00
     1, 1 silent  问好      在吗 1                  2026-01-05 10:00:00

    1 rule without a hit since then: 菜单

    What no rule answered, of 3 messages since 2026-01-05 10:00:00:

     count  text    much the same  last
         2  多少钱  这个多少钱？   2026-01-05 10:00:00
         1  有茶吗                 2026-01-05 10:00:00

    Replies that did not reach their customers:

     count  status  why, the last time
         1  failed  WeChat takes no more replies to the user's last action; the user must write first (errcode 45047: out of response count limit rid: 0)
                    2026-01-05 10:00:00
    exit 0
    ");
    let told = run_in(&world.path(""), &["stats", "--format", "json", "--since", "1h"]);
    let page: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(
        (&page["messages"]["total"], &page["match_rate"]),
        (&8.into(), &0.625.into())
    );
    assert_eq!(
        (&page["replies"]["sent"], &page["replies"]["failed"]),
        (&3.into(), &1.into())
    );
    assert_eq!(page["rules"][0]["app"], "shop");
    assert_eq!(
        page["rules"][0]["keywords"][1],
        serde_json::json!({ "word": "几点开门", "hits": 2 })
    );
    assert_eq!(page["never_hit"], serde_json::json!(["菜单"]));
    assert_eq!(
        (&page["answered"]["messages"], &page["unanswered"]["messages"]),
        (&4.into(), &3.into())
    );
    assert_eq!(page["unanswered"]["groups"][0]["count"], 2);
    assert_eq!(
        (&page["failures"][0]["errcode"], &page["failures"][0]["count"]),
        (&45047.into(), &1.into())
    );

    let nothing = run_in(
        &world.path(""),
        &["stats", "--format", "json", "--since", "2999-01-01"],
    );
    let page: Value = serde_json::from_slice(&nothing.stdout).expect("JSON");
    assert_eq!(
        (&page["messages"]["total"], &page["match_rate"]),
        (&0.into(), &Value::Null)
    );
    let other = run(&world.path(""), &["stats", "--app", "other"]);
    assert!(other.ends_with("exit 2") && other.contains("other"), "{other}");
}

#[tokio::test]
async fn without_a_database_there_is_nothing_to_count() {
    let world = Plan::rules(RULES).build().await;
    insta::assert_snapshot!(run(&world.path(""), &["stats"]), @"
    ! error: there is no database at …/wxreply.db; `wxreply serve` makes it when it first starts
    exit 2
    ");
}
