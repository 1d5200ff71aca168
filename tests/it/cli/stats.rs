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
"#;

async fn shop() -> World {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.daemon().await;
    world.say("oAnna", "請問幾點開門").await;
    world.say("oBen", "营业时间").await;
    for (customer, text) in [("oAnna", "多少钱"), ("oBen", "这个多少钱？"), ("oBen", "有茶吗")] {
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
    insta::assert_snapshot!(run(&world.path(""), &["stats"]), @"");
    let told = run_in(&world.path(""), &["stats", "--format", "json", "--since", "1h"]);
    let page: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(
        (&page["messages"]["total"], &page["match_rate"]),
        (&6.into(), &0.5.into())
    );
    assert_eq!(
        (&page["replies"]["sent"], &page["replies"]["failed"]),
        (&2.into(), &1.into())
    );
    assert_eq!(
        page["rules"][0]["keywords"][1],
        serde_json::json!({ "word": "几点开门", "hits": 2 })
    );
    assert_eq!(page["never_hit"], serde_json::json!(["菜单"]));
    assert_eq!(
        (&page["answered"]["messages"], &page["unanswered"]["messages"]),
        (&3.into(), &3.into())
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
    insta::assert_snapshot!(run(&world.path(""), &["stats", "--app", "other"]), @"");
}

#[tokio::test]
async fn without_a_database_there_is_nothing_to_count() {
    let world = Plan::rules(RULES).build().await;
    insta::assert_snapshot!(run(&world.path(""), &["stats"]), @"");
}
