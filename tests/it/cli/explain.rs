//! `wxreply explain`: which rule answers, and why the others do not.

use serde_json::Value;

use super::run;
use crate::world::{Plan, run_in};

const RULES: &str = r#"
[[rule]]
name = "营业时间"
when.keywords = ["营业时间", "几点开门"]
when.not_keywords = ["节"]
reply = "我们每天 9:00–21:00 营业。"

[[rule]]
name = "欢迎"
when.event = "user_enter_tempsession"
when.fields = { SessionFrom = '^order:(?<order>\d+)$' }
reply = "订单 {{ order }}"

[[rule]]
name = "请稍等"
priority = -1
when.msg_type = "text"
when.misses = 2
delay = "2s"
reply = ["请稍等。", "店员马上来。"]
"#;

#[tokio::test]
async fn a_text_and_an_event_are_explained() {
    let world = Plan::rules(RULES).build().await;
    let run = |args: &[&str]| run(&world.path(""), args);
    insta::assert_snapshot!(run(&["explain", "請問　幾點開門？", "--at", "2026-01-05T10:00"]), @r#"
    rules: 3 in …/rules
    nothing is known of the customer: there is no database at …/wxreply.db; `wxreply serve` makes it when it first starts
    normal form: 请问 几点开门?

    ✓ 营业时间  (rules.toml:2, priority 0)
        ✓ kind: text; this is text
        ✓ keywords: found "几点开门"
        ✓ not_keywords: found none of "节"

    ✗ 欢迎  (rules.toml:8, priority 0)
        ✗ kind: event user_enter_tempsession; this is text
        ✗ fields.SessionFrom: the message has no such field
        not reached: 营业时间 decided

    ✗ 请稍等  (rules.toml:14, priority -1)
        ✓ kind: text; this is text
        ✗ misses: 2; with this message 1 in a row
        not reached: 营业时间 decided

    → matched by 营业时间
      text: 我们每天 9:00–21:00 营业。
    exit 0
    "#);
    insta::assert_snapshot!(run(&["explain", "--event", "user_enter_tempsession", "--field", "SessionFrom=order:42"]), @r#"
    rules: 3 in …/rules
    nothing is known of the customer: there is no database at …/wxreply.db; `wxreply serve` makes it when it first starts

    ✗ 营业时间  (rules.toml:2, priority 0)
        ✗ kind: text; this is event user_enter_tempsession
        ✗ keywords: the message has no text
        ✗ not_keywords: the message has no text

    ✓ 欢迎  (rules.toml:8, priority 0)
        ✓ kind: event user_enter_tempsession; this is event user_enter_tempsession
        ✓ fields.SessionFrom: "^order:(?<order>\\d+)$" matches "order:42"

    ✗ 请稍等  (rules.toml:14, priority -1)
        ✗ kind: text; this is event user_enter_tempsession
        ✗ misses: 2; this is an event
        not reached: 欢迎 decided

    → matched by 欢迎
      text: 订单 42
    exit 0
    "#);
}

#[tokio::test]
async fn what_nothing_decides_is_exit_code_1() {
    let world = Plan::rules(RULES).build().await;
    let page = run(&world.path(""), &["explain", "春节几点开门"]);
    assert!(page.ends_with("\n→ unmatched\nexit 1"), "{page}");
    assert!(
        page.contains("✓ keywords: found \"几点开门\"\n    ✗ not_keywords: found \"节\""),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_the_log_is_explained_by_its_id() {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.daemon().await;
    world.say("oAnna", "几点开门").await;
    world.outbox_empty().await;
    daemon.stop().await;
    let log = world.log().await;
    let (message, reply) = (log[0].id.to_string(), log[1].id.to_string());
    let run = |args: &[&str]| run(&world.path(""), args);
    insta::assert_snapshot!(run(&["explain", "--message", &message]), @r#"
    rules: 3 in …/rules
    the log says: matched by "营业时间", under the same rules
    normal form: 几点开门

    ✓ 营业时间  (rules.toml:2, priority 0)
        ✓ kind: text; this is text
        ✓ keywords: found "几点开门"
        ✓ not_keywords: found none of "节"

    ✗ 欢迎  (rules.toml:8, priority 0)
        ✗ kind: event user_enter_tempsession; this is text
        ✗ fields.SessionFrom: the message has no such field
        not reached: 营业时间 decided

    ✗ 请稍等  (rules.toml:14, priority -1)
        ✓ kind: text; this is text
        ✗ misses: 2; with this message 1 in a row
        not reached: 营业时间 decided

    → matched by 营业时间
      text: 我们每天 9:00–21:00 营业。
    exit 0
    "#);
    let told = run_in(
        &world.path(""),
        &["explain", "--message", &message, "--format", "json"],
    );
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(
        (&told["rule"], &told["status"]),
        (&"营业时间".into(), &"matched".into())
    );
    assert_eq!(told["replies"][0]["reply"]["text"], "我们每天 9:00–21:00 营业。");

    world.write_rules("[[rule]]\nname = \"b\"\nreply = \"x\"\n");
    let page = run(&["explain", "--message", &message]);
    assert!(
        page.contains("under other rules than those on the disk"),
        "{page}"
    );
    insta::assert_snapshot!(run(&["explain", "--message", &reply]), @r#"
    ! error: 0123456789abc is a reply; the message that it answers is 0123456789abc
    exit 2
    "#);
    insta::assert_snapshot!(run(&["explain", "--message", "0000000000000"]), @r#"
    ! error: there is no message 0123456789abc
    exit 2
    "#);
}
