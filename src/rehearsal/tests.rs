//! Tests of rules, tested: each passes when its rules are right, and fails when they are not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::{Failure, run_test, run_tests};
use crate::diagnostic::{Source, render};
use crate::intake::{Policies, QuotaPolicy};
use crate::message::AppKind;
use crate::rules::{AppScope, Coverage, Loaded, MediaFile, Scope, load};

const RULES: &str = r#"
[[rule]]
name = "人工"
when.keywords = ["人工"]
mute = "30m"
reply = "请稍等"

[[rule]]
name = "早"
when.exact = "早"
when.time = { hours = "06:00-10:00" }
reply = "早上好"

[[rule]]
name = "菜单"
when.exact = ["菜单", "点单"]
set_state = "menu"
state_ttl = "5m"
reply = ["看图", { image = "images/menu.png" }]

[[rule]]
name = "茶"
when.exact = "1"
when.state = "menu"
reply = { mini_program_page = { title = "茶", page_path = "p?id={{ user.openid }}", thumb = "images/menu.png" } }

[[rule]]
name = "密码"
when.keywords = "密码"
when.not_keywords = ["支付密码", "登录"]
cooldown = "10m"
reply = "heyibei"

[[rule]]
name = "公告"
when.exact = "公告"
cooldown = { time = "1h", per = "app", then = "next" }
reply = "今天休息"

[[rule]]
name = "好久不见"
when.exact = "在吗"
when.idle = "3d"
when.first_message = false
reply = "好久不见"

[[rule]]
name = "初次"
when.exact = "在吗"
when.first_message = true
reply = "初次见面"

[[rule]]
name = "老板"
when.exact = "报表"
when.users = ["oBoss"]
reply = "都好"

[[rule]]
name = "进来"
when.event = "user_enter_tempsession"
when.fields = { SessionFrom = '^order:(?<order>\d+)$' }
delay = "2m"
reply = "订单 {{ order }}"

[[rule]]
name = "弹窗"
when.event = "subscribe_msg_popup_event"
reply = ["一", "二", "三"]

[[rule]]
name = "话多"
when.exact = "说"
reply = ["1", "2", "3", "4", "5", "6"]

[[rule]]
name = "抽签"
when.exact = "抽签"
pick = "random"
reply = ["签：上", "签：中", "签：下"]

[[rule]]
name = "会员"
observe = true
when.keywords = "会员"
reply = "以后有"

[[rule]]
name = "转"
when.exact = "转"
transfer = true
when.msg_type = "text"

[[rule]]
name = "不懂"
priority = -1
when.msg_type = "text"
when.misses = 2
reply = "真不懂"
"#;

fn loaded(tests: &str) -> Loaded {
    let app = AppScope {
        name: "shop".into(),
        kind: AppKind::MiniProgram,
        vars: BTreeMap::new(),
    };
    let scope = Scope {
        apps: vec![app],
        timezone: TimeZone::get("Asia/Shanghai").expect("bundled"),
        media: BTreeMap::from([(PathBuf::from("images/menu.png"), MediaFile::new(10, None))]),
        ..Scope::default()
    };
    let sources = [Source::new("rules.toml", RULES), Source::new("tests.toml", tests)];
    let loaded = load(&sources, &scope);
    let findings: Vec<_> = loaded
        .findings
        .iter()
        .map(|finding| render(finding, false))
        .collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    loaded
}

fn policies() -> Policies {
    let policy = QuotaPolicy {
        kind: AppKind::MiniProgram,
        reserve: 0,
    };
    [("shop".into(), policy)].into_iter().collect()
}

fn fails(tests: &str) -> Vec<Failure> {
    let loaded = loaded(tests);
    let set = loaded.set.expect("no findings");
    let run = loaded.tests.iter();
    run.flat_map(|test| run_test(&set, test, &policies(), None))
        .collect()
}

/// The whole of what is said about one test, given without `[[test]]` and name.
fn told(test: &str) -> String {
    let failures = fails(&format!("[[test]]\nname = \"t\"\n{test}\n"));
    let told = failures.iter().map(|failure| {
        let step = failure
            .step
            .map(|step| format!("step {step}, "))
            .unwrap_or_default();
        format!("{step}{}\n{}", failure.message, failure.lines().join("\n"))
    });
    told.collect::<Vec<_>>().join("\n\n")
}

fn passes(test: &str) -> bool {
    fails(&format!("[[test]]\nname = \"t\"\n{test}\n")).is_empty()
}

#[test]
fn every_condition_can_be_reached() {
    // Each holds, and does not once the last part of it is changed.
    for (test, right, wrong) in [
        (
            "message = \"早\"\nexpect = { rule = \"早\" }",
            "at = \"09:59\"",
            "at = \"10:00\"",
        ),
        (
            "message = \"早\"\nexpect = { rule = \"早\" }",
            "at = 2026-01-05T08:00:00+08:00",
            "at = 2026-01-05T08:00:00Z",
        ),
        (
            "message = \"1\"\nexpect = { rule = \"茶\" }",
            "given = { state = \"menu\" }",
            "given = { misses = 0 }",
        ),
        (
            "message = \"在吗\"\nexpect = { rule = \"好久不见\" }",
            "given = { silent_for = \"3d\" }",
            "given = { silent_for = \"2d\" }",
        ),
        (
            "message = \"在吗\"\nexpect = { rule = \"初次\" }",
            "",
            "given = { silent_for = \"1h\" }",
        ),
        (
            "message = \"啊\"\nexpect = { rule = \"不懂\" }",
            "given = { misses = 1 }",
            "given = { misses = 0 }",
        ),
        (
            "message = \"早\"\nat = \"08:00\"\nexpect = { outcome = \"muted\" }",
            "given = { muted = \"1m\" }",
            "given = { misses = 1 }",
        ),
        (
            "message = \"报表\"\nexpect = { rule = \"老板\" }",
            "openid = \"oBoss\"",
            "openid = \"oCook\"",
        ),
        (
            "expect = { rule = \"进来\", reply = \"订单 12\" }",
            "message = { Event = \"user_enter_tempsession\", SessionFrom = \"order:12\" }",
            "message = { Event = \"user_enter_tempsession\", SessionFrom = \"home\" }",
        ),
        (
            "message = \"转\"",
            "expect = { outcome = \"transfer\" }",
            "expect = { outcome = \"muted\" }",
        ),
        (
            "message = \"会员\"",
            "expect = { rule = \"会员\", outcome = \"observed\" }",
            "expect = { outcome = \"matched\" }",
        ),
        (
            "message = \"会员\"",
            "expect = { rule = \"会员\" }",
            "expect = { outcome = \"cooldown\" }",
        ),
    ] {
        assert!(passes(&format!("{test}\n{right}")), "{test} {right}");
        assert!(!passes(&format!("{test}\n{wrong}")), "{test} {wrong}");
    }
}

#[test]
fn time_passes_between_steps() {
    let steps = |first: &str, second: &str, after: &str, expect: &str| {
        passes(&format!(
            "steps = [{{ message = \"{first}\" }}, {{ message = \"{second}\", after = \"{after}\", expect = {{ {expect} }} }}]"
        ))
    };
    for (first, second, before, expect_before, later, expect_later) in [
        (
            "密码",
            "密码",
            "599s",
            "outcome = \"cooldown\"",
            "600s",
            "rule = \"密码\", reply = \"heyibei\"",
        ),
        (
            "公告",
            "公告",
            "59m",
            "outcome = \"unmatched\"",
            "60m",
            "rule = \"公告\"",
        ),
        (
            "菜单",
            "1",
            "299s",
            "rule = \"茶\"",
            "5m",
            "outcome = \"unmatched\"",
        ),
        (
            "人工",
            "密码",
            "29m",
            "outcome = \"muted\"",
            "30m",
            "rule = \"密码\"",
        ),
        (
            "在吗",
            "在吗",
            "71h",
            "outcome = \"unmatched\"",
            "3d",
            "rule = \"好久不见\"",
        ),
    ] {
        assert!(steps(first, second, before, expect_before), "{first} {before}");
        assert!(steps(first, second, later, expect_later), "{first} {later}");
        assert!(!steps(first, second, later, expect_before), "{first} {later}");
        assert!(!steps(first, second, before, expect_later), "{first} {before}");
    }
}

#[test]
fn each_message_comes_from_somebody_new() {
    assert!(passes(
        "each = [\"密码\", \"密码？\"]\nexpect = { rule = \"密码\", outcome = \"matched\" }"
    ));
    assert!(passes(
        "each = [\"公告\", \"公告\"]\nexpect = { rule = \"公告\" }"
    ));
    let said: Vec<_> = fails(
        "[[test]]\nname = \"t\"\neach = [\"密码\", \"登录密码\", \"支付密码\"]\nexpect = { rule = \"密码\" }\n",
    );
    let said: Vec<_> = said.iter().map(|failure| failure.message.as_str()).collect();
    assert_eq!(said, ["登录密码", "支付密码"], "each that fails is told");
}

#[test]
fn replies_are_compared_exactly() {
    for (expect, holds) in [
        ("reply = [\"看图\", { image = \"images/menu.png\" }]", true),
        (
            "reply = [{ text = \"看图\" }, { image = \"images/menu.png\" }]",
            true,
        ),
        ("reply = \"看图\"", false),
        ("reply = [{ image = \"images/menu.png\" }, \"看图\"]", false),
        ("reply = [\"看图\", { image = { media_id = \"m\" } }]", false),
        (
            "reply = [\"看图 \", { image = \"images/menu.png\" }, \"x\"]",
            false,
        ),
        ("reply = []", false),
        ("reply_contains = \"看\"", true),
        ("reply_contains = [\"看\", \"图\"]", true),
        ("reply_contains = [\"看\", \"画\"]", false),
    ] {
        assert_eq!(
            passes(&format!("message = \"菜单\"\nexpect = {{ {expect} }}")),
            holds,
            "{expect}"
        );
    }
    for (card, holds) in [
        ("title = \"茶\"", true),
        (
            "title = \"茶\", page_path = \"p?id=oTest\", thumb = \"images/menu.png\"",
            true,
        ),
        ("title = \"酒\"", false),
        ("title = \"茶\", app_id = \"wx1\"", false),
    ] {
        let expect = format!("expect = {{ reply = {{ mini_program_page = {{ {card} }} }} }}");
        let test = format!("message = \"1\"\ngiven = {{ state = \"menu\" }}\n{expect}");
        assert_eq!(passes(&test), holds, "{card}");
    }
    assert!(passes("message = \"转\"\nexpect = { reply = [] }"));
    assert!(!passes("message = \"转\"\nexpect = { reply_contains = \"x\" }"));
}

#[test]
fn whatever_chance_picks_must_be_as_expected() {
    for (expect, holds) in [
        ("reply = [\"签：上\", \"签：中\", \"签：下\"]", true),
        ("reply = [\"签：下\", \"签：中\", \"签：上\", \"签：上上\"]", true),
        ("reply = [\"签：上\", \"签：中\"]", false),
        ("reply = \"签：上\"", false),
        ("reply = \"签：中\"", false),
        ("reply = \"签：下\"", false),
        ("reply_contains = \"签\"", true),
        ("reply_contains = \"上\"", false),
        ("rule = \"抽签\"", true),
    ] {
        // By whatever name, and so whatever the ids of its messages.
        for name in ["a", "b", "c", "d"] {
            let test = format!("[[test]]\nname = \"{name}\"\nmessage = \"抽签\"\nexpect = {{ {expect} }}\n");
            assert_eq!(fails(&test).is_empty(), holds, "{expect}");
        }
    }
}

#[test]
fn the_quota_is_reckoned_with() {
    let popup = "message = { Event = \"subscribe_msg_popup_event\" }\n";
    for (test, delivery) in [
        ("message = \"密码\"\n".to_owned(), Some("queued")),
        ("message = \"说\"\n".to_owned(), Some("dropped")),
        (popup.to_owned(), Some("dropped")),
        (
            format!("{popup}given = {{ silent_for = \"1h\" }}\n"),
            Some("queued"),
        ),
        (
            format!("{popup}given = {{ replies_left = 2 }}\n"),
            Some("dropped"),
        ),
        (format!("{popup}given = {{ replies_left = 3 }}\n"), Some("queued")),
        (
            format!("{popup}given = {{ silent_for = \"49h\" }}\n"),
            Some("dropped"),
        ),
        (
            "message = { Event = \"user_enter_tempsession\", SessionFrom = \"order:1\" }\n".to_owned(),
            Some("dropped"),
        ),
        ("message = \"转\"\n".to_owned(), None),
    ] {
        for expected in ["queued", "dropped"] {
            let passed = passes(&format!("{test}expect = {{ delivery = \"{expected}\" }}"));
            assert_eq!(passed, delivery == Some(expected), "{test} {expected}");
        }
    }
}

#[test]
fn a_failure_says_what_was_expected_what_happened_and_why() {
    insta::assert_snapshot!(told("message = \"登录密码\"\nexpect = { rule = \"密码\", reply = \"heyi\" }"), @r#"
    登录密码
    rule: expected 密码, got no rule
    reply: expected this reply, got no reply
        - heyi
    why not 密码 (rules.toml:28):
        not_keywords: found "登录"
    what happened: unmatched: no reply
    "#);
    insta::assert_snapshot!(told(r#"steps = [
    { message = "密码", expect = { rule = "密码" } },
    { message = "密码", after = "1m", expect = { rule = "密码", reply_contains = "hey", outcome = "matched" } },
    { message = "密码", expect = { rule = "早" } },
]"#), @r#"
    step 2, 密码
    outcome: expected matched, got cooldown (密码)
    reply_contains: expected "hey" in a reply, got no reply
    what happened: cooldown by 密码: no reply
    "#);
    insta::assert_snapshot!(told("message = \"早\"\nat = \"11:00\"\ngiven = { muted = \"1h\" }\nexpect = { rule = \"早\" }"), @"
    早
    rule: expected 早, got no rule
    why not 早 (rules.toml:9):
        not asked: the user is muted until 2026-01-05 12:00:00
        time: 06:00-10:00; it is mon 2026-01-05 11:00
    what happened: muted: no reply
    ");
    insta::assert_snapshot!(told("message = { Event = \"subscribe_msg_popup_event\" }\nexpect = { reply = [\"一\", \"三\"], delivery = \"queued\" }"), @r#"
    event subscribe_msg_popup_event
    reply: expected these 2 replies, got these 3
          一
        + 二
          三
    delivery: expected queued, got dropped (window over: the time in which WeChat takes replies to the user's last action has passed)
    what happened: matched by 弹窗: "一", "二", "三"
    "#);
    insta::assert_snapshot!(told("message = \"抽签\"\nexpect = { rule = \"会员\", reply = [], outcome = \"observed\" }"), @r#"
    抽签
    rule: expected 会员, got no rule observed the message
    outcome: expected observed, got matched (抽签)
    reply: expected no reply, got this one (one of 3 that chance may pick)
        + 签：中
    why not 会员 (rules.toml:83):
        keywords: found none of "会员"
    what happened: matched by 抽签: "签：中"
    "#);
}

#[test]
fn a_reload_is_told_of_each_test_that_fails() {
    let tests = r#"
[[test]]
name = "能过"
message = "密码"
expect = { rule = "密码" }

[[test]]
name = "不能过"
each = ["登录密码", "支付密码"]
expect = { rule = "密码" }

[[test]]
name = "也不能过"
message = "密码"
expect = { reply = "x" }
"#;
    let loaded = loaded(tests);
    let findings = run_tests(&loaded.set.expect("no findings"), &loaded.tests, &policies());
    let told: Vec<_> = findings.iter().map(|finding| render(finding, false)).collect();
    insta::assert_snapshot!(told.join("\n\n"), @r#"
    error[E030]: the test `不能过` fails: rule: expected 密码, got no rule
      --> tests.toml:9:9
       |
     9 | each = ["登录密码", "支付密码"]
       |         ^^^^^^^^^^ this message was unmatched: no reply
       |
      ::: rules.toml:28:8
       |
    28 | name = "密码"
       |        ------ not this rule: not_keywords: found "登录"
       |
       = help: 2 of its messages fail; `wxreply test` shows each

    error[E030]: the test `也不能过` fails: reply: expected this reply, got another one
      --> tests.toml:14:11
       |
    14 | message = "密码"
       |           ^^^^^^ this message was matched by 密码: "heyibei"
       |
       = help: the replies, `-` expected, `+` sent:
               - x
               + heyibei
    "#);
}

/// What a set's own tests leave out, and how much they exercise.
fn coverage(tests: &str) -> String {
    let loaded = loaded(tests);
    let set = loaded.set.expect("no findings");
    let mut coverage = Coverage::new(&set);
    for test in &loaded.tests {
        // Those that fail are told by their names; here it counts only what the others exercise.
        let _ = run_test(&set, test, &policies(), Some(&mut coverage));
    }
    let gaps = coverage.gaps().into_iter().map(|gap| {
        let part = gap.part.unwrap_or_else(|| "-".to_owned());
        format!("{}:{} {} {part}", gap.file, gap.line, gap.rule)
    });
    let (exercised, counted) = coverage.share();
    format!(
        "{exercised} of {counted}\n{}",
        gaps.collect::<Vec<_>>().join("\n")
    )
}

#[test]
fn a_rule_counts_when_it_acts_and_a_way_when_it_was_taken() {
    let nothing = coverage("");
    let menu = "[[test]]\nname = \"t\"\nmessage = \"菜单\"\nexpect = { rule = \"菜单\" }\n";
    let count = |told: &str| {
        told.split(' ')
            .next()
            .and_then(|count| count.parse::<usize>().ok())
    };
    assert_eq!(count(&nothing), Some(0));
    assert!(nothing.contains("\nrules.toml:14 菜单 -"), "{nothing}");
    assert!(!nothing.contains("菜单 exact"), "told once: {nothing}");
    let once = coverage(menu);
    assert_eq!(
        count(&once),
        Some(3),
        "the rule, one of its two texts, and the `misses` of another that takes any text"
    );
    assert!(once.contains("\nrules.toml:16 菜单 exact \"点单\""), "{once}");
    assert!(!once.contains("exact \"菜单\""), "{once}");
    // A test that fails exercises nothing.
    assert_eq!(
        count(&coverage(
            &menu.replace("expect = {", "expect = { outcome = \"cooldown\",")
        )),
        Some(0)
    );
}

#[test]
fn a_guard_counts_when_it_alone_does_not_hold() {
    let says = |message: &str, rest: &str| {
        coverage(&format!(
            "[[test]]\nname = \"a\"\nmessage = {message}\n{rest}expect = {{ outcome = \"unmatched\" }}\n\
             [[test]]\nname = \"b\"\neach = [\"密码\"]\nexpect = {{ rule = \"密码\" }}\n\
             [[test]]\nname = \"c\"\nmessage = \"早\"\nat = \"08:00\"\nexpect = {{ rule = \"早\" }}\n\
             [[test]]\nname = \"d\"\nmessage = \"1\"\ngiven = {{ state = \"menu\" }}\nexpect = {{ rule = \"茶\" }}\n\
             [[test]]\nname = \"e\"\nmessage = \"报表\"\nopenid = \"oBoss\"\nexpect = {{ rule = \"老板\" }}\n\
             [[test]]\nname = \"f\"\nmessage = {{ Event = \"user_enter_tempsession\", SessionFrom = \"order:1\" }}\nexpect = {{ rule = \"进来\" }}\n"
        ))
    };
    let all = [
        "密码 not_keywords \"支付密码\"",
        "密码 not_keywords \"登录\"",
        "早 time",
        "茶 state",
        "老板 users",
        "进来 fields.SessionFrom",
    ];
    for (message, rest, exercised) in [
        ("\"密\"", "", &[][..]),
        ("\"支付密码\"", "", &[0]),
        ("\"登录密码\"", "", &[1]),
        ("\"登录支付密码\"", "", &[]),
        ("\"登录\"", "", &[]),
        ("\"早\"", "at = \"12:00\"\n", &[2]),
        ("\"1\"", "", &[3]),
        ("\"报表\"", "", &[4]),
        (
            "{ Event = \"user_enter_tempsession\", SessionFrom = \"x\" }",
            "",
            &[5],
        ),
    ] {
        let told = says(message, rest);
        for (number, part) in all.iter().enumerate() {
            assert_eq!(
                told.contains(part),
                !exercised.contains(&number),
                "{message}: {part}\n{told}"
            );
        }
    }
}
