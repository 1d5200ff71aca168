//! `wxreply test`: what passes, what fails and why, what no test exercises, and the exit code.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{run, told};
use crate::world::{Plan, World, run_in};

const RULES: &str = r#"
[[rule]]
name = "营业时间"
when.keywords = ["几点开门", "@hours"]
when.not_keywords = ["春节"]
reply = "我们每天 9:00–21:00 营业。"

[[rule]]
name = "默认"
priority = -1
when.msg_type = "text"
reply = "没听懂。"

[lists]
hours = ["营业时间"]
"#;

const GOOD: &str = r#"
[[test]]
name = "问几点开门"
each = ["请问几点开门？", "營業時間"]
expect = { rule = "营业时间", reply = "我们每天 9:00–21:00 营业。" }

[[test]]
name = "春节另说"
message = "春节几点开门"
expect = { rule = "默认" }
"#;

const BAD: &str = r#"
[[test]]
name = "问几点开门"
message = "请问几点开门？"
expect = { rule = "营业时间", reply = "我们每天 10:00–21:00 营业。" }

[[test]]
name = "两步"
steps = [
    { message = "几点开门", expect = { rule = "营业时间" } },
    { message = "春节几点开门", expect = { rule = "营业时间" } },
]

[[test]]
name = "闲聊"
message = "天气不错"
expect = { rule = "默认" }
"#;

async fn shop(tests: &str) -> World {
    Plan::rules(&format!("{RULES}{tests}")).build().await
}

#[tokio::test]
async fn tests_that_pass_are_counted() {
    let world = shop(GOOD).await;
    insta::assert_snapshot!(run(&world.path(""), &["test"]), @"
    2 tests: 2 passed, 0 failed
    coverage: 100% (5 of 5 rules and conditions)
    exit 0
    ");
    // Without a config too, and from elsewhere.
    let rules = world.path("rules/rules.toml");
    let page = run(&world.path("rules"), &["test", rules.to_str().expect("UTF-8")]);
    assert!(
        page.starts_with("2 tests: 2 passed, 0 failed\ncoverage: 100%"),
        "{page}"
    );
    let page = run(
        &world.path("rules"),
        &["test", world.config().to_str().expect("UTF-8")],
    );
    assert!(page.starts_with("2 tests: 2 passed, 0 failed\n"), "{page}");
}

#[tokio::test]
async fn what_fails_is_shown_as_a_diff_with_the_reason() {
    let world = shop(BAD).await;
    insta::assert_snapshot!(run(&world.path(""), &["test"]), @r#"
    FAIL 问几点开门  (rules/rules.toml:18)
      line 19: 请问几点开门？
        reply: expected this reply, got another one
            - 我们每天 10:00–21:00 营业。
            + 我们每天 9:00–21:00 营业。
            ~ 我们每天 [-10-]{+9+}:00–21:00 营业。
        what happened: matched by 营业时间: "我们每天 9:00–21:00 营业。"

    FAIL 两步  (rules/rules.toml:23)
      step 2, line 26: 春节几点开门
        rule: expected 营业时间, got 默认
        why not 营业时间 (rules/rules.toml:3):
            not_keywords: found "春节"
        what happened: matched by 默认: "没听懂。"

    3 tests: 1 passed, 2 failed
    coverage: 20% (1 of 5 rules and conditions)
    not exercised by a test that passes:
      rules/rules.toml:2  营业时间: never acts
    exit 1
    "#);
}

#[tokio::test]
async fn some_of_the_tests_are_run_by_name() {
    let world = shop(BAD).await;
    insta::assert_snapshot!(run(&world.path(""), &["test", "--run", "^闲"]), @"
    1 test: 1 passed, 0 failed, 2 not run
    exit 0
    ");
    insta::assert_snapshot!(run(&world.path(""), &["test", "--run", "nobody"]), @r#"
    ! error: no test has a name that matches "nobody"; there are 3 tests
    exit 2
    "#);
    insta::assert_snapshot!(run(&world.path(""), &["test", "--run", "("]), @r#"
    ! error: --run "(" is no regular expression: error parsing pattern 0: regex parse error:
    !     (
    !     ^
    ! error: unclosed group
    exit 2
    "#);
}

#[tokio::test]
async fn coverage_may_be_asked_for() {
    let world = shop(&GOOD.replace(", \"營業時間\"", "")).await;
    let run = |args: &[&str]| run(&world.path(""), args);
    insta::assert_snapshot!(run(&["test", "--min-coverage", "80"]), @r#"
    2 tests: 2 passed, 0 failed
    coverage: 80% (4 of 5 rules and conditions)
    not exercised by a test that passes:
      rules/rules.toml:4  营业时间: keywords "@hours" is in no message
    exit 0
    "#);
    insta::assert_snapshot!(run(&["test", "--min-coverage", "81"]), @r#"
    2 tests: 2 passed, 0 failed
    coverage: 80% (4 of 5 rules and conditions), which is less than 81%
    not exercised by a test that passes:
      rules/rules.toml:4  营业时间: keywords "@hours" is in no message
    exit 1
    "#);
    assert!(run(&["test", "--min-coverage", "101"]).ends_with("exit 2"));
}

#[tokio::test]
async fn rules_without_tests_are_told_so() {
    let world = shop("").await;
    insta::assert_snapshot!(run(&world.path(""), &["test"]), @r#"
    no tests: write some beside the rules, as in

      [[test]]
      name = "…"
      message = "…"
      expect = { rule = "…" }

    exit 0
    "#);
    let page = run(&world.path(""), &["test", "--min-coverage", "1"]);
    assert!(
        page.contains("coverage: 0% (0 of 5 rules and conditions), which is less than 1%"),
        "{page}"
    );
    assert!(page.ends_with("exit 1"), "{page}");
}

#[tokio::test]
async fn tests_that_can_not_be_meant_are_errors() {
    let world = shop("[[test]]\nname = \"a\"\nmessage = \"x\"\nexpect = { rule = \"营业时问\" }\n").await;
    insta::assert_snapshot!(run(&world.path(""), &["test"]), @r#"
    error[E032]: no rule is named `营业时问`
      --> rules/rules.toml:19:19
       |
    19 | expect = { rule = "营业时问" }
       |                   ^^^^^^^^^^ no such rule
       |
       = help: did you mean "营业时间"?

    1 error: these rules can't be tested
    exit 1
    "#);
    let check = run(&world.path(""), &["check"]);
    assert!(
        check.contains("error[E032]") && check.ends_with("exit 1"),
        "{check}"
    );
    let gone = told(&world.path(""), &run_in(&world.path(""), &["test", "gone.toml"]));
    assert!(gone.contains("gone.toml") && gone.ends_with("exit 2"), "{gone}");
}

#[tokio::test]
async fn results_are_json_and_junit_too() {
    let world = shop(BAD).await;
    let output = run_in(
        &world.path(""),
        &["test", "--format", "json", "--junit", "junit.xml"],
    );
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let tests = json["tests"].as_array().expect("a list");
    let passed: Vec<_> = tests.iter().map(|test| test["passed"].as_bool()).collect();
    assert_eq!(passed, [Some(false), Some(false), Some(true)]);
    assert_eq!(tests[1]["file"], "rules/rules.toml");
    let failure = &tests[1]["failures"][0];
    assert_eq!((&failure["step"], &failure["line"]), (&2.into(), &26.into()));
    assert_eq!(failure["mismatches"][0]["expected"], "营业时间");
    assert_eq!(failure["why_not"][0], "not_keywords: found \"春节\"");
    assert_eq!(json["coverage"]["counted"], 5);
    assert_eq!(json["coverage"]["not_exercised"][0]["rule"], "营业时间");

    let junit = fs::read_to_string(world.path("junit.xml")).expect("written");
    let junit = regex::Regex::new(r#"time="[0-9.]+""#)
        .expect("a pattern")
        .replace_all(&junit, "time=\"0\"");
    insta::assert_snapshot!(junit, @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="wxreply test" tests="3" skipped="0" failures="2" errors="0" time="0">
        <testsuite name="rules/rules.toml" tests="3" skipped="0" errors="0" failures="2">
            <testcase name="问几点开门" classname="rules/rules.toml" time="0">
                <failure message="reply: expected this reply, got another one" type="rule test">rules/rules.toml:19: 请问几点开门？
    reply: expected this reply, got another one
        - 我们每天 10:00–21:00 营业。
        + 我们每天 9:00–21:00 营业。
        ~ 我们每天 [-10-]{+9+}:00–21:00 营业。
    what happened: matched by 营业时间: &quot;我们每天 9:00–21:00 营业。&quot;</failure>
            </testcase>
            <testcase name="两步" classname="rules/rules.toml" time="0">
                <failure message="rule: expected 营业时间, got 默认" type="rule test">rules/rules.toml:26: 春节几点开门
    rule: expected 营业时间, got 默认
    why not 营业时间 (rules/rules.toml:3):
        not_keywords: found &quot;春节&quot;
    what happened: matched by 默认: &quot;没听懂。&quot;</failure>
            </testcase>
            <testcase name="闲聊" classname="rules/rules.toml" time="0"/>
        </testsuite>
    </testsuites>
    "#);
}

#[test]
fn the_shops_own_tests_pass_and_leave_nothing_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = run(root, &["test", "rules", "--min-coverage", "100"]);
    assert!(
        page.contains(" passed, 0 failed\ncoverage: 100% ") && page.ends_with("exit 0"),
        "{page}"
    );
}

#[tokio::test]
async fn rules_named_beside_a_config_belong_to_its_apps() {
    let rules = "[[rule]]\nname = \"电话\"\nwhen.keywords = \"电话\"\nreply = \"{{ app.phone }}\"\n\n\
                 [[test]]\nname = \"电话\"\nmessage = \"电话\"\nexpect = { reply = \"400-1\" }\n";
    let world = Plan::rules(rules)
        .app("vars = { phone = \"400-1\" }")
        .build()
        .await;
    let run = |args: &[&str]| run(&world.path(""), args);
    insta::assert_snapshot!(run(&["test", "rules"]), @"
    1 test: 1 passed, 0 failed
    coverage: 100% (1 of 1 rules and conditions)
    exit 0
    ");
    // A config that can't be used is none.
    fs::write(world.path("wxreply.toml"), "[[app]]\n").expect("writable");
    assert!(run(&["test", "rules"]).ends_with("exit 1"));
    let checked = run(&["check", "rules"]);
    assert!(!checked.contains("wxreply.toml"), "{checked}");
}
