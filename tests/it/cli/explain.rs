//! `wxreply explain`: which rule answers, and why the others do not.

use serde_json::Value;

use super::run;
use crate::world::{Plan, World, run_in};

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

    ✓ 营业时间  (rules.toml:2)
        ✓ kind: text; this is text
        ✓ keywords: found "几点开门"
        ✓ not_keywords: found none of "节"
    ── not reached: 营业时间 decided ──
    ✗ 欢迎  (rules.toml:8)  kind: event user_enter_tempsession; this is text
    ✗ 请稍等  (rules.toml:14, priority -1)  misses: 2; with this message 1 in a row

    → matched by 营业时间
      text: 我们每天 9:00–21:00 营业。
      answer to the push: success
      quota: 5 of 5 replies left until Wed 10:00; this uses 1
    exit 0
    "#);
    insta::assert_snapshot!(run(&["explain", "--event", "user_enter_tempsession", "--field", "SessionFrom=order:42", "--at", "2026-01-05T10:00"]), @r#"
    rules: 3 in …/rules
    nothing is known of the customer: there is no database at …/wxreply.db; `wxreply serve` makes it when it first starts

    ✗ 营业时间  (rules.toml:2)  kind: text; this is event user_enter_tempsession
    ✓ 欢迎  (rules.toml:8)
        ✓ kind: event user_enter_tempsession; this is event user_enter_tempsession
        ✓ fields.SessionFrom: "^order:(?<order>\\d+)$" matches "order:42"
    ── not reached: 欢迎 decided ──
    ✗ 请稍等  (rules.toml:14, priority -1)  kind: text; this is event user_enter_tempsession

    → matched by 欢迎
      text: 订单 42
      answer to the push: success
      quota: 2 of 2 replies left until 10:01:00; this uses 1
    exit 0
    "#);
}

#[tokio::test]
async fn what_nothing_decides_is_exit_code_1() {
    let world = Plan::rules(RULES).build().await;
    let page = run(&world.path(""), &["explain", "春节几点开门"]);
    assert!(
        page.contains("\n→ unmatched\n") && page.ends_with("exit 1"),
        "{page}"
    );
    assert!(
        page.contains("✓ keywords: found \"几点开门\"\n    ✗ not_keywords: found \"节\""),
        "{page}"
    );
}

/// The clock's days and minutes stand in the quota line.
fn run_logged(world: &World, args: &[&str]) -> String {
    let page = run(&world.path(""), args);
    let until = regex::Regex::new(r"until (Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d:\d\d").expect("a pattern");
    let hash = regex::Regex::new(r"\b[0-9a-f]{16}\b").expect("a pattern");
    let page = until.replace_all(&page, "until Wed 10:00").into_owned();
    hash.replace_all(&page, "0123456789abcdef").into_owned()
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
    let run = |args: &[&str]| run_logged(&world, args);
    insta::assert_snapshot!(run(&["explain", "--message", &message]), @r#"
    rules: 3 in …/rules
    the log says: matched by "营业时间", under the same rules
    normal form: 几点开门

    ✓ 营业时间  (rules.toml:2)
        ✓ kind: text; this is text
        ✓ keywords: found "几点开门"
        ✓ not_keywords: found none of "节"
    ── not reached: 营业时间 decided ──
    ✗ 欢迎  (rules.toml:8)  kind: event user_enter_tempsession; this is text
    ✗ 请稍等  (rules.toml:14, priority -1)  misses: 2; with this message 1 in a row

    → matched by 营业时间
      text: 我们每天 9:00–21:00 营业。
      answer to the push: success
      quota: 5 of 5 replies left until Wed 10:00; this uses 1
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
    let of_reply = run(&["explain", "--message", &reply]);
    assert!(
        of_reply.contains(" is a reply; this is the message that it answers, "),
        "{of_reply}"
    );
    assert!(of_reply.contains("→ matched by 营业时间"), "{of_reply}");
    insta::assert_snapshot!(run(&["explain", "--message", "0000000000000"]), @"
    ! error: there is no message 0123456789abc
    exit 2
    ");

    // By the rules of the disk, and by those of then.
    world.write_rules("[[rule]]\nname = \"b\"\nwhen.keywords = \"开门\"\nreply = \"x\"\n");
    let page = run(&["explain", "--message", &message]);
    assert!(
        page.contains("under other rules than those on the disk"),
        "{page}"
    );
    assert!(page.contains("→ matched by b"), "{page}");
    let then = run(&["explain", "--message", &message, "--as-logged"]);
    assert!(
        then.starts_with("rules: 3 as they were when the message came (0123456789abcdef)\nthe log says: matched by \"营业时间\", under the same rules\n"),
        "{then}"
    );
    assert!(then.contains("→ matched by 营业时间"), "{then}");
    world.write_rules("[[rule]]\nname = 1");
    assert_eq!(
        run(&["explain", "--message", &message, "--as-logged"]),
        then,
        "the disk is not asked"
    );
    forget_rule_sets(&world).await;
    insta::assert_snapshot!(run(&["explain", "--message", &message, "--as-logged"]), @"
    ! error: the database does not have the rules of then (0123456789abcdef), so nobody can say what they would do; without --as-logged, those on the disk are asked
    exit 2
    ");
}

/// As in a database that was written before rule sets were kept.
async fn forget_rule_sets(world: &World) {
    use sqlx::Connection;
    let url = format!("sqlite://{}", world.path("wxreply.db").display());
    let mut database = sqlx::SqliteConnection::connect(&url).await.expect("there is one");
    for sql in ["delete from rule_set_swaps", "delete from rule_sets"] {
        sqlx::query(sql).execute(&mut database).await.expect("deleted");
    }
    database.close().await.expect("closed");
}

const SHOP: &str = r#"
[[rule]]
name = "开门"
when.keywords = ["几点开门"]
when.time = { hours = "09:00-18:00" }
reply = "九点。"

[[rule]]
name = "价目表"
when.keywords = ["多少钱"]
reply = ["一", "二", "三", "四", "五", "六"]
delay = "90s"
typing = true
cooldown = "10m"
set_state = "price"

[[rule]]
name = "人工"
when.keywords = ["人工"]
transfer = "kf@shop"

[[rule]]
name = "订单"
when.event = "user_enter_tempsession"
when.fields = { SessionFrom = '^order:' }
reply = ["1", "2", "3"]
"#;

#[tokio::test]
async fn the_nearest_misses_are_suggested() {
    let world = Plan::rules(SHOP).build().await;
    let run = |args: &[&str]| run(&world.path(""), args);
    insta::assert_snapshot!(run(&["explain", "几点开门，多少前", "--at", "2026-01-05T20:00"]), @r#"
    rules: 4 in …/rules
    nothing is known of the customer: there is no database at …/wxreply.db; `wxreply serve` makes it when it first starts
    normal form: 几点开门,多少前

    ✗ 开门  (rules.toml:2)
        ✓ kind: text; this is text
        ✓ keywords: found "几点开门"
        ✗ time: 09:00-18:00; it is mon 2026-01-05 20:00
    ✗ 价目表  (rules.toml:8)
        ✓ kind: text; this is text
        ✗ keywords: found none of "多少钱"
    ✗ 人工  (rules.toml:17)  keywords: found none of "人工"
    ✗ 订单  (rules.toml:22)  kind: event user_enter_tempsession; this is text

    → unmatched
      answer to the push: success
      then: misses: 1 in a row
      quota: 5 of 5 replies left until Wed 20:00; this uses 0

    nearest:
      - rule 开门 (rules.toml:2) lacked one condition: time: 09:00-18:00; it is mon 2026-01-05 20:00
      - did the customer mean "多少钱" (rule 价目表, rules.toml:8)? "多少前" sounds the same; if so, add "多少前" to its `keywords`
    exit 1
    "#);
    let told = run_in(
        &world.path(""),
        &[
            "explain",
            "多少前",
            "--at",
            "2026-01-05T20:00",
            "--format",
            "json",
        ],
    );
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    insta::assert_snapshot!(serde_json::to_string_pretty(&told["nearest"]).expect("JSON"), @r#"
    [
      {
        "file": "rules.toml",
        "found": "多少前",
        "key": "keywords",
        "keyword": "多少钱",
        "lack": "homophone",
        "line": 8,
        "rule": "价目表",
        "suggestion": "did the customer mean \"多少钱\" (rule 价目表, rules.toml:8)? \"多少前\" sounds the same; if so, add \"多少前\" to its `keywords`"
      }
    ]
    "#);
}

#[tokio::test]
async fn what_goes_out_what_follows_and_what_it_costs_is_told() {
    let world = Plan::rules(SHOP).set("outbox", "reserve = 1").build().await;
    let run = |args: &[&str]| {
        let page = run(&world.path(""), args);
        page[page.find('→').expect("a decision")..].to_owned()
    };
    insta::assert_snapshot!(run(&["explain", "多少钱", "--at", "2026-01-05T10:00"]), @"
    → matched by 价目表
      text: 一  (after 90s, typing meanwhile)
      text: 二  (after 90s)
      text: 三  (after 90s)
      text: 四  (after 90s)
      text: 五  (after 90s)  (would not be sent: quota: WeChat takes no more replies to the user's last action)
      text: 六  (after 90s)  (would not be sent: quota: WeChat takes no more replies to the user's last action)
      answer to the push: success
      then: dialog state price until 2026-01-05 10:00:00
      then: cooldown of 价目表 for this user until 2026-01-05 10:00:00
      quota: 5 of 5 replies left until Wed 10:00, 1 kept for a person; this uses 4
    exit 0
    ");
    insta::assert_snapshot!(run(&["explain", "转人工", "--at", "2026-01-05T10:00"]), @"
    → matched by 人工
      answer to the push: transfer_customer_service (handed to a person: kf@shop)
      then: muted; no rule answers this user until 2026-01-05 10:00:00
      quota: 5 of 5 replies left until Wed 10:00, 1 kept for a person; this uses 0
    exit 0
    ");
    let event = [
        "explain",
        "--event",
        "user_enter_tempsession",
        "--field",
        "SessionFrom=order:1",
    ];
    insta::assert_snapshot!(run(&[&event[..], &["--at", "2026-01-05T10:00"]].concat()), @"
    → matched by 订单
      text: 1
      text: 2  (would not be sent: quota: WeChat takes no more replies to the user's last action)
      text: 3  (would not be sent: quota: WeChat takes no more replies to the user's last action)
      answer to the push: success
      quota: 2 of 2 replies left until 10:01:00, 1 kept for a person; this uses 1
    exit 0
    ");
    insta::assert_snapshot!(run(&["explain", "--event", "kf_close_session", "--at", "2026-01-05T10:00"]), @"
    → unmatched
      answer to the push: success
      quota: WeChat takes no reply now: this push buys none, and no earlier one's time runs
    exit 1
    ");
    let json = run_in(
        &world.path(""),
        &[
            "explain",
            "多少钱",
            "--at",
            "2026-01-05T10:00",
            "--format",
            "json",
        ],
    );
    let told: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    let keys: Vec<&String> = told.as_object().expect("an object").keys().collect();
    insta::assert_snapshot!(format!("{keys:?}\n{}\n{}\n{}", told["after"], told["quota"], told["rules"][0]), @r#"
    ["after", "answer", "app", "at", "content", "event", "msg_type", "nearest", "normal_form", "notes", "observed", "openid", "quota", "replies", "rule", "rule_set", "rules", "status"]
    {"cooldowns":[{"per_app":false,"rule":"价目表","until":"2026-01-05T02:10:00Z"}],"misses":0,"mute_changed":false,"muted_until":null,"state":{"name":"price","until":"2026-01-05T02:10:00Z"},"state_changed":true}
    {"granted":5,"left":5,"left_after":1,"reserve":1,"until":"2026-01-07T02:00:00Z","used":4,"waiting":0}
    {"asked":true,"conditions":[{"held":true,"key":"kind","why":"text; this is text"},{"held":false,"key":"keywords","why":"found none of \"几点开门\""},{"held":true,"key":"time","why":"09:00-18:00; it is mon 2026-01-05 10:00"}],"file":"rules.toml","line":2,"matched":false,"note":null,"priority":0,"rule":"开门"}
    "#);
}

#[tokio::test]
async fn a_webhook_is_named_without_its_password() {
    let rules = "[[rule]]\nname = \"查询\"\nwhen.keywords = \"查询\"\nwebhook = \"https://example.com/ask?key=s3cret\"\nreply = \"稍后再试。\"\n";
    let world = Plan::rules(rules)
        .set("webhook", "secret = \"0123456789abcdef0123456789abcdef\"")
        .build()
        .await;
    for format in ["human", "json"] {
        let page = run(&world.path(""), &["explain", "查询", "--format", format]);
        assert!(
            page.contains("https://example.com/ask") && page.contains("稍后再试。"),
            "{page}"
        );
        assert!(!page.contains("s3cret"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_own_state_and_quota_are_read() {
    let world = Plan::rules(SHOP).build().await;
    let daemon = world.daemon().await;
    world.say("oAnna", "多少钱").await;
    world.say("oBen", "转人工").await;
    daemon.stop().await;
    let page = run_logged(&world, &["explain", "多少钱", "--openid", "oAnna"]);
    assert!(page.contains("→ cooldown by 价目表"), "{page}");
    assert!(
        page.contains("quota: 0 of 5 replies left until Wed 10:00 (5 more to be sent); this uses 0"),
        "{page}"
    );
    let page = run_logged(&world, &["explain", "多少前", "--openid", "oBen"]);
    insta::assert_snapshot!(page, @r#"
    rules: 4 in …/rules
    normal form: 多少前

    ── not asked: the user is muted until 2026-01-05 10:00:00 ──
    ✗ 开门  (rules.toml:2)  keywords: found none of "几点开门"
    ✗ 价目表  (rules.toml:8)  keywords: found none of "多少钱"
    ✗ 人工  (rules.toml:17)  keywords: found none of "人工"
    ✗ 订单  (rules.toml:22)  kind: event user_enter_tempsession; this is text

    → muted
      answer to the push: success
      quota: 5 of 5 replies left until Wed 10:00; this uses 0
    exit 1
    "#);
}

#[tokio::test]
async fn every_condition_is_shown_on_demand() {
    let world = Plan::rules(SHOP).build().await;
    let page = run(
        &world.path(""),
        &["explain", "你好", "--at", "2026-01-05T20:00", "-v"],
    );
    insta::assert_snapshot!(page, @r#"
    rules: 4 in …/rules
    nothing is known of the customer: there is no database at …/wxreply.db; `wxreply serve` makes it when it first starts
    normal form: 你好

    ✗ 开门  (rules.toml:2)
        ✓ kind: text; this is text
        ✗ keywords: found none of "几点开门"
        ✗ time: 09:00-18:00; it is mon 2026-01-05 20:00
    ✗ 价目表  (rules.toml:8)
        ✓ kind: text; this is text
        ✗ keywords: found none of "多少钱"
    ✗ 人工  (rules.toml:17)
        ✓ kind: text; this is text
        ✗ keywords: found none of "人工"
    ✗ 订单  (rules.toml:22)
        ✗ kind: event user_enter_tempsession; this is text

    → unmatched
      answer to the push: success
      then: misses: 1 in a row
      quota: 5 of 5 replies left until Wed 20:00; this uses 0
    exit 1
    "#);
    insta::assert_snapshot!(run(&world.path(""), &["explain", "你好", "--as-logged"]), @"
    ! error: the argument '[TEXT]' cannot be used with '--as-logged'
    !
    ! Usage: wxreply explain <TEXT>
    !
    ! For more information, try '--help'.
    exit 2
    ");
}
