//! What each mistake in a test is answered with.

use super::*;
use crate::diagnostic::render;
use crate::rules::tests::scope;
use crate::rules::{Loaded, load};

const RULES: &str = r#"[[rule]]
name = "营业时间"
when.keywords = ["几点"]
reply = "九点"

[[rule]]
name = "旧菜单"
enabled = false
when.exact = "旧菜单"
reply = "x"

[[rule]]
name = "会员"
app = "club"
when.keywords = ["会员"]
reply = "好"

[[rule]]
name = "看看"
observe = true
when.keywords = ["积分"]
reply = "好"

[[rule]]
name = "菜单"
when.exact = "菜单"
set_state = "menu"
state_ttl = "3m"
reply = "1 茶"

[[rule]]
name = "一"
when.state = "menu"
when.exact = "1"
reply = "茶"
"#;

fn loaded(test: &str) -> Loaded {
    let sources = [Source::new("a.toml", RULES), Source::new("shop.toml", test)];
    load(&sources, &scope())
}

/// The findings about one test, without its empty lines.
fn findings(test: &str) -> String {
    let loaded = loaded(test);
    assert!(loaded.set.is_none(), "an error is never a pass");
    assert!(loaded.tests.is_empty(), "and never runs");
    let rendered = loaded.findings.iter().map(|finding| render(finding, false));
    rendered.collect::<Vec<_>>().join("\n\n")
}

fn test(text: &str) -> TestCase {
    let loaded = loaded(text);
    let findings: Vec<_> = loaded
        .findings
        .iter()
        .map(|finding| render(finding, false))
        .collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    loaded.tests.into_iter().next().expect("a test")
}

#[test]
fn a_test_that_expects_nothing() {
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
message = "几点"
"#), @r#"
    error[E031]: this test has no `expect`
     --> shop.toml:1:1
      |
    1 | [[test]]
      | ^^^^^^^^ it could never fail
      |
      = help: write what must happen: `expect = { rule = "…", reply = "…" }`
    "#);
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
message = "几点"
expect = {}
"#), @r#"
    error[E031]: this `expect` says nothing
     --> shop.toml:4:10
      |
    4 | expect = {}
      |          ^^ it could never fail
      |
      = help: write what must happen: `expect = { rule = "…", reply = "…" }`
    "#);
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
steps = [{ message = "几点", expect = { rule = "营业时间" } }, { message = "几点" }]
"#), @r#"
    error[E031]: the last step has no `expect`
     --> shop.toml:3:58
      |
    3 | steps = [{ message = "几点", expect = { rule = "营业时间" } }, { message = "几点" }]
      |                                                                ^^^^^^^^^^^^^^^^^^^^ it could never fail
      |
      = help: write what must happen: `expect = { rule = "…", reply = "…" }`
    "#);
}

#[test]
fn a_rule_that_is_not_there_or_never_answers() {
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
message = "几点"
expect = { rule = "营业时问" }
"#), @r#"
    error[E032]: no rule is named `营业时问`
     --> shop.toml:4:19
      |
    4 | expect = { rule = "营业时问" }
      |                   ^^^^^^^^^^ no such rule
      |
      = help: did you mean "营业时间"?
    "#);
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
message = "旧菜单"
expect = { rule = "旧菜单" }
"#), @r#"
    error[E032]: the rule `旧菜单` is disabled
     --> shop.toml:4:19
      |
    4 | expect = { rule = "旧菜单" }
      |                   ^^^^^^^^ it never answers
      |
     ::: a.toml:7:8
      |
    7 | name = "旧菜单"
      |        -------- the rule
      |
      = help: enable it, or take the test out as long as it is disabled
    "#);
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
app = "shop"
message = "会员"
expect = { rule = "会员" }
"#), @r#"
    error[E032]: the rule `会员` does not serve the app `shop`
      --> shop.toml:5:19
       |
     5 | expect = { rule = "会员" }
       |                   ^^^^^^ of another app
       |
      ::: a.toml:13:8
       |
    13 | name = "会员"
       |        ------ the rule
       |
       = help: say whom the customer writes to: `app = "club"` beside `name`
    "#);
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
given = { state = "menus" }
message = "1"
expect = { rule = "一" }
"#), @r#"
    error[E032]: no rule knows the state `menus`
     --> shop.toml:3:19
      |
    3 | given = { state = "menus" }
      |                   ^^^^^^^ no such state
      |
      = help: did you mean "menu"?
    "#);
}

#[test]
fn keys_that_are_not_there() {
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
mesage = "几点"
rule = "营业时间"
state = "menu"
after = "1h"
expect = { rule = "营业时间", replies = "九点", outcome = "match" }
"#), @r#"
    error[E002]: unknown key `mesage`
     --> shop.toml:3:1
      |
    3 | mesage = "几点"
      | ^^^^^^ no such key
      |
      = help: did you mean `message`?

    error[E002]: unknown key `rule`
     --> shop.toml:4:1
      |
    4 | rule = "营业时间"
      | ^^^^ no such key
      |
      = help: write `expect = { rule = … }`

    error[E002]: unknown key `state`
     --> shop.toml:5:1
      |
    5 | state = "menu"
      | ^^^^^ no such key
      |
      = help: write `given = { state = … }`

    error[E002]: unknown key `after`
     --> shop.toml:6:1
      |
    6 | after = "1h"
      | ^^^^^ no such key
      |
      = help: `after` belongs to a step: `steps = [ { message = "…" }, { message = "…", after = "1h" } ]`

    error[E002]: unknown key `replies`
     --> shop.toml:7:27
      |
    7 | expect = { rule = "营业时间", replies = "九点", outcome = "match" }
      |                               ^^^^^^^ no such key
      |
      = help: known here: rule, reply, reply_contains, outcome, delivery

    error[E004]: `expect.outcome` can't be "match"
     --> shop.toml:7:53
      |
    7 | expect = { rule = "营业时间", replies = "九点", outcome = "match" }
      |                                                           ^^^^^^^ expected "matched" or "unmatched" or "cooldown" or "muted" or "observed" or "transfer"
    "#);
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
message = { msgType = "text", FromUserName = "o1" }
expect = { rule = "营业时间", reply = { link = { titel = "x" } } }
"#), @r#"
    error[E002]: WeChat has no field `msgType`
     --> shop.toml:3:13
      |
    3 | message = { msgType = "text", FromUserName = "o1" }
      |             ^^^^^^^ spelt otherwise
      |
      = help: did you mean `MsgType`?

    error[E033]: `FromUserName` is not written into a message
     --> shop.toml:3:31
      |
    3 | message = { msgType = "text", FromUserName = "o1" }
      |                               ^^^^^^^^^^^^ the test says that
      |
      = help: write `openid = "…"` beside `message`

    error[E002]: unknown key `titel`
     --> shop.toml:4:46
      |
    4 | expect = { rule = "营业时间", reply = { link = { titel = "x" } } }
      |                                                  ^^^^^ no such key
      |
      = help: did you mean `title`?
    "#);
}

#[test]
fn parts_that_do_not_go_together() {
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
message = "几点"
steps = [{ message = "几点", expect = { rule = "营业时间" } }]
expect = { rule = "营业时间" }
"#), @r#"
    error[E033]: a test has either `message` or `steps`
     --> shop.toml:4:1
      |
    3 | message = "几点"
      | ------- the first
    4 | steps = [{ message = "几点", expect = { rule = "营业时间" } }]
      | ^^^^^ a second kind of test
      |
      = help: write two tests; a conversation is written with `steps` alone
    "#);
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
steps = [{ message = "几点", at = "11:00", after = "1h", expect = { rule = "营业时间" } }]
"#), @r#"
    error[E033]: a step has either `at` or `after`
     --> shop.toml:3:42
      |
    3 | steps = [{ message = "几点", at = "11:00", after = "1h", expect = { rule = "营业时间" } }]
      |                                            ^^^^^ a second time
    "#);
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
message = "几点"
expect = { reply = "九点", outcome = "unmatched" }

[[test]]
name = "b"
message = "几点"
expect = { rule = "营业时间", outcome = "observed" }

[[test]]
name = "c"
message = "几点"
expect = { rule = "营业时间", outcome = "muted" }
"#), @r#"
    error[E033]: `reply` and the outcome "unmatched" can never both hold
     --> shop.toml:4:12
      |
    4 | expect = { reply = "九点", outcome = "unmatched" }
      |            ^^^^^                     ----------- says that nothing is
      |            |
      |            says that something is sent
      |
      = help: leave one of them out

    error[E033]: the rule `营业时间` does not only observe
     --> shop.toml:9:37
      |
    9 | expect = { rule = "营业时间", outcome = "observed" }
      |                   ----------            ^^^^^^^^^^ can't be
      |                   |
      |                   has no `observe = true`
      |
      = help: leave one of them out

    error[E033]: a rule and the outcome "muted" can never both hold
      --> shop.toml:14:19
       |
    14 | expect = { rule = "营业时间", outcome = "muted" }
       |                   ^^^^^^^^^^            ------- says that none does
       |                   |
       |                   says that a rule decides
       |
       = help: leave one of them out
    "#);
}

#[test]
fn names_apps_and_times() {
    insta::assert_snapshot!(findings(r#"[[test]]
message = "几点"
expect = { rule = "营业时间" }
"#), @r#"
    error[E005]: this test has no `name`
     --> shop.toml:1:1
      |
    1 | [[test]]
      | ^^^^^^^^ needs `name = "…"`
      |
      = help: a test that fails is called by its name
    "#);
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
app = "shpo"
at = "noon"
expect = { rule = "营业时间" }
"#), @r#"
    error[E005]: this test has no message
     --> shop.toml:1:1
      |
    1 | [[test]]
      | ^^^^^^^^ needs `message`, `each` or `steps`
      |
      = help: write what the customer says: `message = "…"`

    error[E013]: there is no app `shpo`
     --> shop.toml:3:7
      |
    3 | app = "shpo"
      |       ^^^^^^ not in the config
      |
      = help: did you mean "shop"?

    error[E034]: `at` is no point in time
     --> shop.toml:4:6
      |
    4 | at = "noon"
      |      ^^^^^^ can't be read
      |
      = help: write 2026-01-05T10:00:00+08:00 with its offset, or 2026-01-05T10:00:00 by the config's clock; "22:30" alone is that hour of Monday, 2026-01-05
    "#);
    insta::assert_snapshot!(findings(r#"[[test]]
name = "a"
at = "12:00"
steps = [
    { message = "几点", expect = { rule = "营业时间" } },
    { message = "几点", at = "11:00", expect = { rule = "营业时间" } },
]
"#), @r#"
    error[E034]: this step comes before the one before it
     --> shop.toml:6:28
      |
    6 |     { message = "几点", at = "11:00", expect = { rule = "营业时间" } },
      |                              ^^^^^^^ back in time
      |
      = help: write steps in the order in which they happen
    "#);
    insta::assert_snapshot!(findings(r#"[test]
name = "a"
"#), @"
    error[E003]: a test begins with `[[test]]`
     --> shop.toml:1:1
      |
    1 | [test]
      | ^^^^^^ one bracket is missing
      |
      = help: write `[[test]]`: there may be many
    ");
}

#[test]
fn two_tests_of_one_name() {
    let both = "[[test]]\nname = \"a\"\nmessage = \"几点\"\nexpect = { rule = \"营业时间\" }\n".repeat(2);
    let loaded = loaded(&both);
    assert_eq!(loaded.tests.len(), 1);
    assert!(loaded.set.is_none());
    insta::assert_snapshot!(render(&loaded.findings[0], false), @r#"
    error[E006]: two tests are named `a`
     --> shop.toml:6:8
      |
    2 | name = "a"
      |        --- first here
    ...
    6 | name = "a"
      |        ^^^ again here
      |
      = help: a test that fails is called by its name: rename one
    "#);
}

#[test]
fn a_mistake_elsewhere_is_not_complained_about_twice() {
    let sources = [
        Source::new("a.toml", "[[rule]]\nname = \"a\"\nreply = \"x\n"),
        Source::new(
            "b.toml",
            "[[test]]\nname = \"t\"\nmessage = \"几点\"\ngiven = { state = \"s\" }\nexpect = { rule = \"a\" }\n",
        ),
    ];
    let findings = load(&sources, &scope()).findings;
    let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [codes::SYNTAX]);
    let sources = [Source::new("a.toml", "[[test]]\nname = \"t\nmessage = \"x\"\n")];
    let findings = load(&sources, &scope()).findings;
    assert!(
        findings.iter().all(|finding| finding.code == codes::SYNTAX),
        "{findings:?}"
    );
}

#[test]
fn a_test_without_an_app_is_of_one_that_its_rule_serves() {
    let app = |text: &str| test(text).app.to_string();
    let body = "message = \"x\"\nexpect = ";
    assert_eq!(
        app(&format!("[[test]]\nname = \"a\"\n{body}{{ rule = \"会员\" }}\n")),
        "club"
    );
    assert_eq!(
        app(&format!(
            "[[test]]\nname = \"a\"\n{body}{{ rule = \"营业时间\" }}\n"
        )),
        "shop"
    );
    assert_eq!(
        app(&format!(
            "[[test]]\nname = \"a\"\n{body}{{ outcome = \"unmatched\" }}\n"
        )),
        "shop"
    );
    let named = format!("[[test]]\nname = \"a\"\napp = \"club\"\n{body}{{ rule = \"营业时间\" }}\n");
    assert_eq!(app(&named), "club");
    // Without a config the apps are those that the rules name.
    let bare = crate::rules::Scope {
        apps: Vec::new(),
        ..scope()
    };
    let text = format!("{RULES}\n[[test]]\nname = \"a\"\n{body}{{ rule = \"营业时间\" }}\n");
    let loaded = load(&[Source::new("a.toml", text)], &bare);
    assert_eq!(loaded.tests[0].app.as_str(), "club", "{:?}", loaded.findings);
}

#[test]
fn steps_follow_one_another_in_time() {
    let steps = |begin: &str, steps: &str| {
        let test = test(&format!("[[test]]\nname = \"a\"\n{begin}steps = [{steps}]\n"));
        let times: Vec<String> = test.talks[0]
            .iter()
            .map(|step| {
                step.at
                    .to_zoned(scope().timezone)
                    .strftime("%d %H:%M")
                    .to_string()
            })
            .collect();
        (
            test.begins
                .to_zoned(scope().timezone)
                .strftime("%d %H:%M")
                .to_string(),
            times.join(", "),
        )
    };
    let expected = |begin: &str, steps: &str| (begin.to_owned(), steps.to_owned());
    let say = "message = \"x\", expect = { outcome = \"unmatched\" }";
    assert_eq!(
        steps(
            "",
            &format!("{{ {say} }}, {{ {say} }}, {{ {say}, after = \"90m\" }}, {{ {say}, after = \"1d\" }}")
        ),
        expected("05 10:00", "05 10:00, 05 10:00, 05 11:30, 06 11:30")
    );
    assert_eq!(
        steps(
            "at = \"22:30\"\n",
            &format!("{{ {say}, after = \"1h\" }}, {{ {say}, at = 2026-01-06T08:00:00 }}")
        ),
        expected("05 22:30", "05 23:30, 06 08:00")
    );
    assert_eq!(
        steps(
            "",
            &format!("{{ {say}, at = 2026-01-06T08:00:00+08:00 }}, {{ {say}, after = \"1m\" }}")
        ),
        expected("06 08:00", "06 08:00, 06 08:01")
    );
}
