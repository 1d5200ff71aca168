//! `wxreply replay`: run recorded traffic through candidate rules, and show what would change.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use wxreply::message::{Fields, OpenId};
use wxreply::simulator::{PushBody, msg_id};

use super::run;
use crate::world::{Plan, TurnedClock, World, run_in};

const RULES: &str = r#"
[[rule]]
name = "营业时间"
when.keywords = ["营业时间", "几点开门"]
reply = "我们每天 9:00–21:00 营业。"

[[rule]]
name = "无线密码"
when.keywords = ["wifi"]
cooldown = "10m"
reply = "密码：heyibei"

[[rule]]
name = "菜单"
when.exact = "菜单"
set_state = "menu"
reply = "1 茶 2 点心"

[[rule]]
name = "茶"
when.exact = "1"
when.state = "menu"
reply = "茶单：{{ msg.Content }}"
"#;

/// The talk of a day, recorded by a daemon.
async fn talked(rules: &str, talk: &[(&str, &str)]) -> World {
    let world = Plan::rules(rules).build().await;
    let daemon = world.daemon().await;
    for (openid, text) in talk {
        world.say(openid, text).await;
    }
    daemon.stop().await;
    world
}

const TALK: [(&str, &str); 12] = [
    ("oAnna", "几点开门"),
    ("oBert", "请问几点开门？"),
    ("oCara", "你们几点开门啊"),
    ("oAnna", "wifi"),
    ("oAnna", "WiFi密码"),
    ("oBert", "多少钱"),
    ("oCara", "多少钱一杯"),
    ("oCara", "怎么退款"),
    ("oAnna", "菜单"),
    ("oAnna", "1"),
    ("oBert", "1"),
    ("oDora", "1"),
];

fn json(world: &World, args: &[&str]) -> Value {
    let args = [&["replay", "--since", "1h", "--format", "json"], args].concat();
    let told = run_in(&world.path(""), &args);
    serde_json::from_slice(&told.stdout).unwrap_or_else(|_| panic!("{told:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_told_with_its_texts() {
    let world = talked(RULES, &TALK).await;
    let run = |args: &[&str]| run(&world.path(""), args);
    insta::assert_snapshot!(run(&["replay", "--since", "1h", "--max-changed", "0"]), @r"
    rules:    4 rules in …/rules
    against:  what the log says
    messages: 12 from 2026-01-05 10:00:00 to 2026-01-05 10:00:00, after 0 to warm up

    the same                       12  100.0%

    0 of 12 messages changed, 0.0%; 0 may
    exit 0
    ");

    // A keyword goes, a rule comes, a text changes, a rule gets another name, a dialog and a cooldown end.
    let changed = RULES
        .replace(r#", "几点开门"]"#, r#", "几点营业"]"#)
        .replace("密码：heyibei", "密码：yibeicha")
        .replace("cooldown = \"10m\"\n", "")
        .replace("name = \"菜单\"", "name = \"点单\"")
        .replace("when.state = \"menu\"\n", "")
        + "[[rule]]\nname = \"价目\"\nwhen.keywords = [\"多少钱\"]\nreply = [\"价目表\", { link = { title = \"茶单\", \
           description = \"都在这\", url = \"https://example.com/menu\", \
           thumb_url = \"https://example.com/menu.png\" } }]\n\
           [[rule]]\nname = \"看看\"\nobserve = true\nwhen.keywords = [\"退款\"]\nreply = \"x\"\n";
    fs::create_dir(world.path("new")).expect("writable");
    fs::write(world.path("new/rules.toml"), changed).expect("writable");
    insta::assert_snapshot!(run(&["replay", "--since", "1h", "--rules", "new", "--max-changed", "10%"]), @r"
    rules:    6 rules in new
    against:  what the log says
    messages: 12 from 2026-01-05 10:00:00 to 2026-01-05 10:00:00, after 0 to warm up

    newly answered                  5   41.7%
    no longer answered              3   25.0%
    answered differently            1    8.3%
    unnoticed                       2   16.7%
    the same                        1    8.3%

    newly answered: unmatched → 价目  2 (16.7%)
      2× 多少钱  (also 多少钱一杯)  0123456789abc
          before: nothing (unmatched)
          now:    价目表 | [link] 茶单 https://example.com/menu

    newly answered: unmatched → 茶  2 (16.7%)
      2× 1  0123456789abc
          before: nothing (unmatched)
          now:    茶单：1

    newly answered: 无线密码 (cooldown) → 无线密码  1 (8.3%)
      1× WiFi密码  0123456789abc
          before: nothing (cooldown)
          now:    密码：yibeicha

    no longer answered: 营业时间 → unmatched  3 (25.0%)
      3× 几点开门  (also 你们几点开门啊 | 请问几点开门？)  0123456789abc
          before: 我们每天 9:00–21:00 营业。
          now:    nothing (unmatched)

    answered differently: 无线密码 → 无线密码  1 (8.3%)
      1× wifi  0123456789abc
          before: 密码：heyibei
          now:    密码：yibeicha

    unnoticed: 菜单 → 点单  1 (8.3%)
      1× 菜单  0123456789abc

    unnoticed: unmatched → unmatched, observed: 看看  1 (8.3%)
      1× 怎么退款  0123456789abc

    9 of 12 messages changed, 75.0%; only 10% may
    exit 1
    ");
    let told = json(&world, &["--rules", "new", "--max-changed", "9"]);
    insta::assert_snapshot!(told["kinds"].to_string(), @r#"{"answered_differently":1,"newly_answered":5,"no_longer_answered":3,"quota":0,"unnoticed":2}"#);
    assert_eq!((&told["changed"], &told["within"]), (&9.into(), &true.into()));
    assert_eq!(told["against"], "log");

    // What is on the disk is the candidate when no other is named.
    world.write_rules("");
    let page = run(&["replay", "--since", "1h", "--limit", "1"]);
    insta::assert_snapshot!(page, @r"
    rules:    0 rules in …/rules
    against:  what the log says
    messages: 12 from 2026-01-05 10:00:00 to 2026-01-05 10:00:00, after 0 to warm up

    no longer answered              6   50.0%
    unnoticed                       1    8.3%
    the same                        5   41.7%

    no longer answered: 营业时间 → unmatched  3 (25.0%)
      3× 几点开门  (also 你们几点开门啊 | 请问几点开门？)  0123456789abc
          before: 我们每天 9:00–21:00 营业。
          now:    nothing (unmatched)

    no longer answered: 无线密码 → unmatched  1 (8.3%)
      1× wifi  0123456789abc
          before: 密码：heyibei
          now:    nothing (unmatched)

    no longer answered: 茶 → unmatched  1 (8.3%)
      1× 1  0123456789abc
          before: 茶单：1
          now:    nothing (unmatched)

    no longer answered: 菜单 → unmatched  1 (8.3%)
      1× 菜单  0123456789abc
          before: 1 茶 2 点心
          now:    nothing (unmatched)

    unnoticed: 无线密码 (cooldown) → unmatched  1 (8.3%)
      1× WiFi密码  0123456789abc

    6 of 12 messages changed, 50.0%
    exit 0
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_the_tea_shop_is_the_same_under_the_same_rules() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let shop = fs::read_to_string(rules.join("shop.toml")).expect("there");
    let world = Plan::rules(&shop).set("outbox", "reserve = 4").build().await;
    fs::create_dir(world.path("rules/images")).expect("writable");
    fs::copy(rules.join("images/menu.png"), world.path("rules/images/menu.png")).expect("there");
    let clock = Arc::new(TurnedClock::default());
    let daemon = world.daemon_at(clock.clone()).await;
    let begin = Timestamp::now();
    let texts = [
        "你好",
        "hi",
        "几点开门",
        "开门了吗",
        "地址",
        "多少钱",
        "wifi",
        "会员",
        "随便说说",
        "再说一句",
        "谢谢",
        "wifi",
        "你好",
    ];
    for (n, text) in texts.iter().cycle().take(40).enumerate() {
        // Minutes pass, so that cooldowns end and windows close; WeChat's stamps are believed for ten.
        clock.turn(Duration::from_secs(13));
        let openid = OpenId::from(format!("oGuest{}", n % 3));
        let account = &world.account;
        let event = |name: &str, fields: &[(&str, &str)]| {
            let fields: Fields = fields.iter().copied().collect();
            PushBody::event(account, &openid, name, fields, Timestamp::now())
        };
        let body = match n % 8 {
            3 => event(
                "user_enter_tempsession",
                &[("SessionFrom", &format!("order:2026010{n:03}"))],
            ),
            5 => event("user_enter_tempsession", &[("SessionFrom", &format!("home {n}"))]),
            7 => {
                let now = Timestamp::now();
                PushBody::image(
                    account,
                    &openid,
                    "https://example.com/p",
                    "m1",
                    msg_id(now, &mut rand::rng()),
                    now,
                )
            }
            _ => world.text(openid.as_str(), text),
        };
        world.push(&body).await;
        // What still waits to be sent takes from the quota; a replay knows nothing of that.
        world.outbox_empty().await;
    }
    world.push(&PushBody::raw(b"<xml></xml>".to_vec())).await;
    daemon.stop().await;

    let until = begin + Duration::from_secs(3600);
    let since = begin.to_string();
    let args = ["--until", &until.to_string(), "--max-changed", "0"];
    let replay = |more: &[&str]| {
        let all = [
            &["replay", "--format", "json", "--since", since.as_str()],
            more,
            &args,
        ]
        .concat();
        let told = run_in(&world.path(""), &all);
        serde_json::from_slice::<Value>(&told.stdout).unwrap_or_else(|_| panic!("{told:?}"))
    };
    let told = replay(&[]);
    assert_eq!(told["messages"], 40);
    assert_eq!(told["malformed"], 1);
    assert_eq!(told["changes"], Value::Array(Vec::new()), "{told:#}");
    let log = world.log().await;
    for status in ["matched", "cooldown", "dropped"] {
        assert!(
            log.iter().any(|entry| entry.status == status),
            "{status} is among what was told"
        );
    }

    // Half of it serves to know what the other half finds.
    let middle = log[log.len() / 2].time.to_string();
    let late = run_in(
        &world.path(""),
        &["replay", "--format", "json", "--since", &middle, args[0], args[1]],
    );
    let late: Value = serde_json::from_slice(&late.stdout).expect("JSON");
    assert_eq!(late["changed"], 0, "{late:#}");
    assert!(late["warm_up"]["messages"].as_u64() > Some(10), "{late:#}");
    let cold = run_in(
        &world.path(""),
        &[
            "replay",
            "--format",
            "json",
            "--since",
            &middle,
            args[0],
            args[1],
            "--warm-up",
            "0s",
        ],
    );
    let cold: Value = serde_json::from_slice(&cold.stdout).expect("JSON");
    assert_ne!(cold["changed"], 0, "without them, cooldowns are not known");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sets_of_rules_are_compared_without_the_log() {
    let world = talked(RULES, &TALK).await;
    // The log can't know these rules; the two sets agree all the same but for one text.
    let other = RULES.replace("几点", "何时");
    fs::write(world.path("a.toml"), &other).expect("writable");
    fs::write(world.path("b.toml"), other.replace("1 茶 2 点心", "1 茶")).expect("writable");
    let page = run(
        &world.path(""),
        &[
            "replay",
            "--since",
            "1h",
            "--rules",
            "b.toml",
            "--against",
            "a.toml",
        ],
    );
    insta::assert_snapshot!(page, @r"
    rules:    4 rules in b.toml
    against:  4 rules in a.toml
    messages: 12 from 2026-01-05 10:00:00 to 2026-01-05 10:00:00, after 0 to warm up

    answered differently            1    8.3%
    the same                       11   91.7%

    answered differently: 菜单 → 菜单  1 (8.3%)
      1× 菜单  0123456789abc
          before: 1 茶 2 点心
          now:    1 茶

    1 of 12 messages changed, 8.3%
    exit 0
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_get_a_line_for_each_message_that_differs() {
    let world = talked(RULES, &TALK).await;
    world.write_rules(&RULES.replace("9:00", "10:00").replace("\"wifi\"", "\"wlan\""));
    let told = run_in(
        &world.path(""),
        &[
            "replay",
            "--since",
            "1h",
            "--format",
            "jsonl",
            "--max-changed",
            "1",
            "--openid",
            "oAnna",
        ],
    );
    assert_eq!(told.status.code(), Some(1));
    let lines: Vec<Value> = String::from_utf8_lossy(&told.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let short: Vec<_> = lines
        .iter()
        .map(|line| {
            let said = |side: &str| {
                let fate = &line[side];
                format!(
                    "{} {} {}",
                    fate["status"], fate["rule"], fate["replies"][0]["reply"]["text"]
                )
            };
            format!(
                "{} {}: {} → {}",
                line["content"],
                line["kind"],
                said("before"),
                said("after")
            )
        })
        .collect();
    insta::assert_snapshot!(short.join("\n"), @r#"
    "几点开门" "answered_differently": "matched" "营业时间" "我们每天 9:00–21:00 营业。" → "matched" "营业时间" "我们每天 10:00–21:00 营业。"
    "wifi" "no_longer_answered": "matched" "无线密码" "密码：heyibei" → "unmatched" null null
    "WiFi密码" "unnoticed": "cooldown" "无线密码" null → "unmatched" null null
    "#);
    let log = world.log().await;
    assert_eq!(lines[0]["id"], log[0].id.to_string());
    assert_eq!(
        (&lines[0]["app"], &lines[0]["openid"]),
        (&"shop".into(), &"oAnna".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_run_says_why() {
    let world = Plan::rules(RULES).build().await;
    let run = |args: &[&str]| run(&world.path(""), args);
    insta::assert_snapshot!(run(&["replay", "--since", "1h"]), @r"
    ! error: there is no database at …/wxreply.db; `wxreply serve` makes it when it first starts
    exit 2
    ");
    let daemon = world.daemon().await;
    daemon.stop().await;
    insta::assert_snapshot!(run(&["replay", "--since", "1h", "--max-changed", "0"]), @r"
    rules:    4 rules in …/rules
    against:  what the log says
    messages: 0 from 2026-01-05 10:00:00 to 2026-01-05 10:00:00, after 0 to warm up

    nothing to replay: the log has no message of that time
    exit 0
    ");
    for args in [
        ["--since", "soon", "--rules", "rules"],
        ["--since", "1h", "--until", "2h"],
        ["--since", "1h", "--rules", "nowhere"],
        ["--since", "1h", "--max-changed", "few"],
        ["--since", "1h", "--app", "cafe"],
    ] {
        let page = run(&[&["replay"], args.as_slice()].concat());
        assert!(page.ends_with("exit 2"), "{page}");
    }
    fs::write(
        world.path("bad.toml"),
        "[[rule]]\nname = \"a\"\nwhen.regex = '('\n",
    )
    .expect("writable");
    let page = run(&["replay", "--since", "1h", "--rules", "bad.toml"]);
    assert!(
        page.contains("error[E") && page.ends_with("the rules bad.toml can't be used\nexit 2"),
        "{page}"
    );
}
