//! `wxreply rules`: show all rules in the order in which they are tried, and whether they are in force.

use serde_json::Value;

use super::run;
use crate::world::{Plan, World, run_in, until};

const RULES: &str = r#"
[[rule]]
name = "营业时间"
when.keywords = ["营业时间", "几点开门"]
reply = "我们每天 9:00–21:00 营业。"

[[rule]]
name = "看一看"
observe = true
when.keywords = "开门"
reply = "…"

[[rule]]
name = "默认"
priority = -1
reply = "请稍等。"
cooldown = "10m"

[[rule]]
name = "冬天"
priority = 5
enabled = false
when.keywords = "下雪"
reply = "停业。"
"#;

fn json(world: &World, args: &[&str]) -> (Value, Option<i32>) {
    let mut all = vec!["rules", "--format", "json"];
    all.extend(args);
    let told = run_in(&world.path(""), &all);
    let page = serde_json::from_slice(&told.stdout).expect("JSON");
    (page, told.status.code())
}

/// The hash of the rules is that of the test's own paths and ports; the page is the same whatever it is.
fn same_version(page: &str) -> String {
    let hash = regex::Regex::new(r"\b[0-9a-f]{16}\b").expect("a pattern");
    hash.replace_all(page, "0123456789abcdef").into_owned()
}

#[tokio::test]
async fn without_a_database_the_order_is_shown_all_the_same() {
    let world = Plan::rules(RULES).build().await;
    insta::assert_snapshot!(same_version(&run(&world.path(""), &["rules"])), @"
    what is in force, and hits, are not known: there is no database at …/wxreply.db; `wxreply serve` makes it when it first starts
    on the disk: version 0123456789abcdef, …/rules

    The rules on the disk, in the order tried:

          rule                        asks for → does               hits, and the last
     1    营业时间                    keywords: 营业时间, 几点开门  ?
          rules.toml:2                → reply
     2    看一看                      keywords: 开门                ?
          rules.toml:7                → observe: reply
     3    默认                        anything                      ?
          rules.toml:13, priority -1  → reply; cooldown 10m
     off  冬天                        keywords: 下雪                ?
          rules.toml:19, priority 5   → reply
    exit 0
    ");
    let (page, exit) = json(&world, &["--in-force"]);
    assert_eq!((&page["same"], exit), (&Value::Null, Some(1)), "nobody can tell");
    assert_eq!(page["rules"][0]["hits"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_are_counted_and_disk_and_live_compared() {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.daemon().await;
    for text in ["几点开门", "什么时候开门", "在吗", "在不在"] {
        world.say("oAnna", text).await;
    }
    let version = world.log().await[0].rule_set.clone().expect("a version");
    insta::assert_snapshot!(same_version(&run(&world.path(""), &["rules"])), @"
    on the disk: version 0123456789abcdef, …/rules
    in force: the same, since 2026-01-05 10:00:00

    The rules on the disk, in the order tried; hits since 2026-01-05 10:00:00:

          rule                        asks for → does               hits, and the last
     1    营业时间                    keywords: 营业时间, 几点开门  1
          rules.toml:2                → reply                       2026-01-05 10:00:00
     2    看一看                      keywords: 开门                1 watched
          rules.toml:7                → observe: reply              2026-01-05 10:00:00
     3    默认                        anything                      1, 2 silent
          rules.toml:13, priority -1  → reply; cooldown 10m         2026-01-05 10:00:00
     off  冬天                        keywords: 下雪                0
          rules.toml:19, priority 5   → reply
    exit 0
    ");
    let (page, exit) = json(&world, &["--in-force"]);
    assert_eq!((&page["same"], exit), (&true.into(), Some(0)));
    assert_eq!(page["disk"]["version"], version.as_str());
    assert_eq!(page["in_force"]["version"], version.as_str());
    let places: Vec<_> = page["rules"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| &row["place"])
        .collect();
    assert_eq!(places, [&Value::from(1), &2.into(), &3.into(), &Value::Null]);
    let (page, _) = json(&world, &["--since", "2999-01-01"]);
    assert_eq!(page["rules"][0]["hits"], 0);
    daemon.stop().await;

    // Nobody takes up what is written now.
    world.write_rules("[[rule]]\nname = \"b\"\nreply = \"x\"\n");
    let page = same_version(&run(&world.path(""), &["rules", "--in-force"]));
    assert!(
        page.contains("in force: another version, 0123456789abcdef, since") && page.ends_with("exit 1"),
        "{page}"
    );
    let page = run(&world.path(""), &["rules"]);
    assert!(page.ends_with("exit 0"), "{page}");

    world.write_rules("[[rule]]\nname = \"b\"\nreply = 1\nwhen.keyword = \"x\"\n");
    insta::assert_snapshot!(same_version(&run(&world.path(""), &["rules"])), @"
    the rules in …/rules can't be used: 2 errors (`wxreply check` shows them)
    in force: another version, 0123456789abcdef, since 2026-01-05 10:00:00

    The rules in force, in the order tried; hits since 2026-01-05 10:00:00:

          rule                        asks for → does               hits, and the last
     1    营业时间                    keywords: 营业时间, 几点开门  1
          rules.toml:2                → reply                       2026-01-05 10:00:00
     2    看一看                      keywords: 开门                1 watched
          rules.toml:7                → observe: reply              2026-01-05 10:00:00
     3    默认                        anything                      1, 2 silent
          rules.toml:13, priority -1  → reply; cooldown 10m         2026-01-05 10:00:00
     off  冬天                        keywords: 下雪                0
          rules.toml:19, priority 5   → reply
    exit 0
    ");
    let (page, exit) = json(&world, &["--in-force"]);
    assert_eq!((&page["same"], exit), (&false.into(), Some(1)));
    assert_eq!(
        (&page["listed"], &page["disk"]["errors"]),
        (&"in_force".into(), &2.into())
    );
    assert_eq!(page["rules"][0]["rule"], "营业时间");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_is_seen() {
    let world = Plan::rules(RULES).build().await;
    let daemon = world.daemon().await;
    world.write_rules("[[rule]]\nname = \"b\"\nreply = \"x\"\n");
    until("the new rules are in force", || async {
        json(&world, &["--in-force"]).1 == Some(0)
    })
    .await;
    daemon.stop().await;
}

#[tokio::test]
async fn without_any_rules_it_says_why() {
    let world = Plan::rules("[[rule]]\nname = \"b\"\nreply = 1\n").build().await;
    insta::assert_snapshot!(run(&world.path(""), &["rules"]), @"
    ! error: there are no rules to show: the rules in …/rules can't be used: 1 error (`wxreply check` shows them); what is in force, and hits, are not known: there is no database at …/wxreply.db; `wxreply serve` makes it when it first starts
    exit 2
    ");
    insta::assert_snapshot!(run(&world.path(""), &["rules", "--app", "club"]), @r#"
    ! error: the config has no app "club"; there is shop
    exit 2
    "#);
}

#[tokio::test]
async fn an_app_sees_its_own_rules_and_their_places_among_all() {
    let rules =
        "[[rule]]\nname = \"a\"\nreply = \"x\"\n[[rule]]\nname = \"b\"\napp = \"shop\"\nreply = \"x\"\n";
    let world = Plan::rules(rules).build().await;
    let (page, _) = json(&world, &["--app", "shop"]);
    assert_eq!(page["rules"][1]["place"], 2);
    assert_eq!(page["rules"][1]["apps"][0], "shop");
    let told = run_in(&world.path(""), &["rules", "--format", "csv"]);
    let told = String::from_utf8(told.stdout).expect("text");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(
        lines[1..],
        [
            "1,a,0,rules.toml,1,,true,false,,reply,,,,",
            "2,b,0,rules.toml,4,shop,true,false,,reply,,,,"
        ]
    );
}
