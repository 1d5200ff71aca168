//! `wxreply check`: findings, where they are, what to do, and the exit code.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::run;
use crate::world::{Plan, run_in};

const GOOD: &str = "[[rule]]\nname = \"hours\"\nwhen.msg_type = \"text\"\nreply = \"九点\"\n";

#[tokio::test]
async fn what_is_fine_is_said_to_be() {
    let world = Plan::rules(GOOD).build().await;
    insta::assert_snapshot!(run(&world.path(""), &["check"]), @r#"
    fine: wxreply.toml, 1 rule in rules
    exit 0
    "#);
    insta::assert_snapshot!(run(&world.path(""), &["check", "rules/rules.toml"]), @r#"
    fine: 1 rule in rules/rules.toml
    exit 0
    "#);
    insta::assert_snapshot!(run(&world.path(""), &["check", "--format", "json"]), @r#"
    []
    exit 0
    "#);
    // A config is known by what is in it, whatever it is called.
    fs::copy(world.config(), world.path("staging.toml")).expect("writable");
    insta::assert_snapshot!(run(&world.path(""), &["check", "staging.toml"]), @r#"
    fine: staging.toml, 1 rule in rules
    exit 0
    "#);
}

#[tokio::test]
async fn every_kind_of_error_has_its_place_a_caret_and_exit_code_1() {
    let rule = |rest: &str| format!("[[rule]]\nname = \"a\"\n{rest}\n");
    let reply = |rest: &str| rule(&format!("{rest}\nreply = \"x\""));
    let kinds = [
        ("E001", "1:", "[[rule]\nname = \"a\"\n".to_owned()),
        ("E002", "3:1", rule("repyl = \"x\"")),
        ("E003", "3:12", reply("priority = \"high\"")),
        ("E004", "3:8", reply("pick = \"one\"")),
        ("E005", "1:1", "[[rule]]\nreply = \"x\"\n".to_owned()),
        ("E006", "5:8", rule("reply = \"x\"") + &rule("reply = \"y\"")),
        ("E007", "3:17", reply("when.keywords = []")),
        ("E008", "3:18", reply("when.keywords = [\"　\"]")),
        ("E009", "3:18", reply("when.keywords = [\"@nobody\"]")),
        ("E010", "3:16", reply("when.regex = \"a(b\"")),
        ("E011", "3:12", reply("cooldown = \"10 minutes\"")),
        ("E012", "3:23", reply("when.time = { hours = \"9-18\" }")),
        ("E013", "3:7", reply("app = \"nobody\"")),
        ("E014", "3:", rule("reply = \"{{ user\"")),
        ("E015", "3:", rule("reply = \"{{ nobody }}\"")),
        ("E016", "3:19", rule("reply = { image = \"gone.png\" }")),
        ("E017", "3:9", rule(&format!("reply = {:?}", ["x"; 16]))),
        ("E018", "3:12", rule("transfer = true")),
        (
            "E019",
            "4:17",
            reply("when.event = \"subscribe\"\nwhen.keywords = [\"a\"]"),
        ),
    ];
    let world = Plan::rules(GOOD).build().await;
    for (code, place, text) in kinds {
        world.write_rules(&text);
        let output = run_in(&world.path(""), &["check"]);
        let page = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(page.contains(&format!("error[{code}]: ")), "{code}\n{page}");
        assert!(
            page.contains(&format!("--> rules/rules.toml:{place}")),
            "{code} at {place}\n{page}"
        );
        assert!(page.contains('^'), "{code}\n{page}");
        let more = format!("wxreply.toml, rules\nmore about a finding: wxreply check --explain {code}");
        assert!(page.trim_end().ends_with(&more), "{code}\n{page}");
        assert_eq!(
            (output.status.code(), output.stderr),
            (Some(1), Vec::new()),
            "{code}"
        );
        // The daemon would not start by these rules, and says so in the same words.
        let finding = page
            .lines()
            .find(|line| line.starts_with("error"))
            .expect("an error");
        let served = run_in(&world.path(""), &["serve"]);
        assert!(
            String::from_utf8_lossy(&served.stderr).contains(finding),
            "{code}"
        );
        assert_eq!(served.status.code(), Some(2));
    }
}

#[tokio::test]
async fn the_findings_of_all_files_come_at_once() {
    let world = Plan::rules("[[rule]]\nname = \"a\"\nreply = \"{{ nobody }}\"\ncooldwn = \"1m\"\n")
        .build()
        .await;
    fs::create_dir(world.path("rules/二")).expect("writable");
    let second = "[[rule]]\nname = \"a\"\nwhen.keywords = [\"价格\", \"@price\"]\nreply = { image = \"images/menu.png\" }\n";
    fs::write(world.path("rules/二/价目.toml"), second).expect("writable");
    insta::assert_snapshot!(run(&world.path(""), &["check"]), @r#"
    error[E015]: nothing gives `nobody` a value
     --> rules/rules.toml:3:13
      |
    3 | reply = "{{ nobody }}"
      |             ^^^^^^ no group of the rule's patterns has this name
      |
      = help: known here: msg.Content, user.openid, now, rule, now.date, now.time, now.year, now.month, now.day, now.hour, now.minute, now.weekday

    error[E002]: unknown key `cooldwn`
     --> rules/rules.toml:4:1
      |
    4 | cooldwn = "1m"
      | ^^^^^^^ no such key
      |
      = help: did you mean `cooldown`?

    error[E006]: two rules are named `a`
     --> rules/二/价目.toml:2:8
      |
    2 | name = "a"
      |        ^^^ again here
      |
     ::: rules/rules.toml:2:8
      |
    2 | name = "a"
      |        --- first here
      |
      = help: the log tells rules apart by their names: rename one

    error[E009]: there is no list `price`
     --> rules/二/价目.toml:3:24
      |
    3 | when.keywords = ["价格", "@price"]
      |                          ^^^^^^^^ no such list
      |
      = help: write `price = ["…"]` under `[lists]` in any rule file

    error[E016]: there is no file `二/images/menu.png` in the rules folder
     --> rules/二/价目.toml:4:19
      |
    4 | reply = { image = "images/menu.png" }
      |                   ^^^^^^^^^^^^^^^^^ not found
      |
      = help: paths are relative to this rule file

    5 errors, 0 warnings: wxreply.toml, rules
    more about a finding: wxreply check --explain E015
    exit 1
    "#);
    let found = run_in(&world.path(""), &["check", "--format", "json"]);
    assert_eq!(found.status.code(), Some(1));
    let found: Vec<Value> = serde_json::from_slice(&found.stdout).expect("JSON");
    let places: Vec<_> = found
        .iter()
        .map(|f| format!("{} {}:{}", f["code"], f["file"], f["line"]))
        .collect();
    insta::assert_snapshot!(places.join("\n"), @r#"
    "E015" "rules/rules.toml":3
    "E002" "rules/rules.toml":4
    "E006" "rules/二/价目.toml":2
    "E009" "rules/二/价目.toml":3
    "E016" "rules/二/价目.toml":4
    "#);
    insta::assert_snapshot!(found[0], @r#"{"code":"E015","column":13,"docs":"docs/findings.md#e015-a-template-variable-that-nothing-gives-a-value","end_column":19,"end_line":3,"file":"rules/rules.toml","help":"known here: msg.Content, user.openid, now, rule, now.date, now.time, now.year, now.month, now.day, now.hour, now.minute, now.weekday","label":"no group of the rule's patterns has this name","line":3,"message":"nothing gives `nobody` a value","severity":"error"}"#);
}

#[tokio::test]
async fn warnings_are_bad_only_when_they_are_denied() {
    let world = Plan::rules("[[rule]]\nname = \"a\"\nwhen.state = \"nowhere\"\nreply = \"x\"\n")
        .build()
        .await;
    insta::assert_snapshot!(run(&world.path(""), &["check"]), @r#"
    warning[W001]: no rule sets the state `nowhere`
     --> rules/rules.toml:3:14
      |
    3 | when.state = "nowhere"
      |              ^^^^^^^^^ never reached
      |
      = help: write `set_state = "nowhere"` in the rule that leads here

    warning[W018]: a text that no rule knows is met with silence: there is no default rule
     |
     = help: add a rule that takes any text when no other does: `priority = -100`, `when.msg_type = "text"`, and a `reply` that says what you can help with

    0 errors, 2 warnings: wxreply.toml, 1 rule in rules
    more about a finding: wxreply check --explain W001
    exit 0
    "#);
    assert_eq!(
        run_in(&world.path(""), &["check", "--deny", "warnings"])
            .status
            .code(),
        Some(1)
    );
    // A folder that holds no rule is more likely a slip than a wish.
    fs::create_dir(world.path("empty")).expect("writable");
    insta::assert_snapshot!(run(&world.path(""), &["check", "empty", "--deny", "warnings"]), @r#"
    warning[C022]: there is no rule in empty
     |
     = help: rules stand under [[rule]] in files that end in .toml; until there is one, no message is answered

    0 errors, 1 warning: 0 rules in empty
    more about a finding: wxreply check --explain C022
    exit 1
    "#);
}

#[tokio::test]
async fn what_is_wrong_with_the_config_does_not_hide_the_rules() {
    let world = Plan::rules("[[rule]]\nname = \"a\"\nrepyl = \"x\"\n")
        .build()
        .await;
    let config = fs::read_to_string(world.config()).expect("there");
    let token = format!("token = \"{}\"", world.account.token);
    let unset = config.replace(&token, "token = { env = \"WXREPLY_TEST_UNSET\" }");
    assert_ne!(unset, config);
    fs::write(world.config(), unset).expect("writable");
    insta::assert_snapshot!(run(&world.path(""), &["check"]), @r#"
    error[C010]: `token`: the environment variable WXREPLY_TEST_UNSET is not set
      --> wxreply.toml:18:9
       |
    18 | token = { env = "WXREPLY_TEST_UNSET" }
       |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: set WXREPLY_TEST_UNSET where wxreply is started, or write { file = "…" } and put the secret into that file

    error[E002]: unknown key `repyl`
     --> rules/rules.toml:3:1
      |
    3 | repyl = "x"
      | ^^^^^ no such key
      |
      = help: did you mean `reply`?

    2 errors, 0 warnings: wxreply.toml, rules
    more about a finding: wxreply check --explain C010
    exit 1
    "#);

    let several = config
        .replace("mode = \"safe\"", "mode = \"save\"")
        .replace("[outbox]", "[outbox]\nreserv = 1");
    fs::write(world.config(), several).expect("writable");
    insta::assert_snapshot!(run(&world.path(""), &["check"]), @r#"
    error[C002]: [outbox] has no key `reserv`
      --> wxreply.toml:10:1
       |
    10 | reserv = 1
       | ^^^^^^ unknown
       |
       = help: did you mean `reserve`?

    error[C009]: `mode` can't be "save"
      --> wxreply.toml:21:8
       |
    21 | mode = "save"
       |        ^^^^^^
       |
       = help: did you mean "safe"?

    the rules were not checked, because the config can't be used

    2 errors, 0 warnings: wxreply.toml
    more about a finding: wxreply check --explain C002
    exit 1
    "#);
}

#[tokio::test]
async fn what_can_not_be_read_is_exit_code_2() {
    let world = Plan::rules(GOOD).build().await;
    let folder = &world.path("");
    insta::assert_snapshot!(run(folder, &["check", "gone.toml"]), @r#"
    ! error: the rules can't be read: gone.toml: No such file or directory (os error 2)
    exit 2
    "#);
    insta::assert_snapshot!(run(folder, &["check", "--config", "gone.toml"]), @r#"
    ! error: can't read the config gone.toml: No such file or directory (os error 2)
    exit 2
    "#);
    fs::remove_file(world.config()).expect("there");
    insta::assert_snapshot!(run(folder, &["check"]), @r#"
    ! error: can't read the config wxreply.toml (`wxreply init` writes one, `--config FILE` names another): No such file or directory (os error 2)
    exit 2
    "#);
    insta::assert_snapshot!(run(folder, &["serve"]), @r#"
    ! error: can't read the config wxreply.toml (`wxreply init` writes one, `--config FILE` names another): No such file or directory (os error 2)
    exit 2
    "#);
}

#[tokio::test]
async fn what_is_missing_and_what_is_suspicious_is_told_at_once() {
    let rules = "[[rule]]\nname = \"a\"\nwhen.keywords = [\"营业时间，几点开门\"]\nreply = \"九点\"\n";
    let world = Plan::rules(rules).build().await;
    insta::assert_snapshot!(run(&world.path(""), &["check"]), @r#"
    warning[W011]: "营业时间，几点开门" is one keyword, and is found only as it stands
     --> rules/rules.toml:3:18
      |
    3 | when.keywords = ["营业时间，几点开门"]
      |                  ^^^^^^^^^^^^^^^^^^^^ probably 2 keywords
      |
      = help: write each one by itself: "营业时间", "几点开门"

    warning[W018]: a text that no rule knows is met with silence: there is no default rule
     |
     = help: add a rule that takes any text when no other does: `priority = -100`, `when.msg_type = "text"`, and a `reply` that says what you can help with

    0 errors, 2 warnings: wxreply.toml, 1 rule in rules
    more about a finding: wxreply check --explain W011
    exit 0
    "#);
    // Both are meant: then nothing is left to deny.
    let allowed =
        format!("# wxreply: allow(W018) silence is meant\n\n# wxreply: allow(W011) one sentence\n{rules}");
    world.write_rules(&allowed);
    insta::assert_snapshot!(run(&world.path(""), &["check", "--deny", "warnings"]), @r#"
    fine: wxreply.toml, 1 rule in rules
    exit 0
    "#);
    // A picture is judged by what is in it.
    fs::write(world.path("rules/menu.png"), "<html>").expect("writable");
    world.write_rules("[[rule]]\nname = \"a\"\nreply = { image = \"menu.png\" }\n");
    insta::assert_snapshot!(run(&world.path(""), &["check"]), @r#"
    error[E023]: `menu.png` is no picture that WeChat takes
     --> rules/rules.toml:3:19
      |
    3 | reply = { image = "menu.png" }
      |                   ^^^^^^^^^^ no PNG, JPEG or GIF
      |
      = help: save it as PNG or JPEG; another ending of its name alone does not change what it is

    1 error, 0 warnings: wxreply.toml, rules
    more about a finding: wxreply check --explain E023
    exit 1
    "#);
}

#[tokio::test]
async fn json_has_all_that_people_read() {
    let twice = "[[rule]]\nname = \"a\"\nwhen.exact = \"a\"\nreply = \"x\"\n";
    let world = Plan::rules(&format!("{twice}{twice}")).build().await;
    let found = run_in(&world.path(""), &["check", "--format", "json"]);
    let found: Value = serde_json::from_slice(&found.stdout).expect("JSON");
    insta::assert_snapshot!(found, @r#"[{"code":"E006","column":8,"docs":"docs/findings.md#e006-a-name-is-given-twice-to-rules-of-one-app-lists-calendars-or-tests","end_column":11,"end_line":6,"file":"rules/rules.toml","help":"the log tells rules apart by their names: rename one","label":"again here","line":6,"message":"two rules are named `a`","related":[{"column":8,"end_column":11,"end_line":2,"file":"rules/rules.toml","label":"first here","line":2}],"severity":"error"}]"#);
}

#[tokio::test]
async fn sarif_names_every_code_and_places_every_finding() {
    let world = Plan::rules("[[rule]]\nname = \"营业\"\nrepyl = \"x\"\n")
        .build()
        .await;
    let output = run_in(&world.path(""), &["check", "--format", "sarif"]);
    assert_eq!(output.status.code(), Some(1));
    let log: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("a list");
    assert!(rules.iter().all(|rule| {
        rule["help"]["markdown"]
            .as_str()
            .is_some_and(|text| text.starts_with("## "))
    }));
    let results = run["results"].as_array().expect("a list");
    for result in results {
        let index = result["ruleIndex"]
            .as_u64()
            .and_then(|at| usize::try_from(at).ok())
            .expect("an index");
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    insta::assert_snapshot!(results[0], @r#"{"level":"error","locations":[{"message":{"text":"no such key"},"physicalLocation":{"artifactLocation":{"uri":"rules/rules.toml"},"region":{"endColumn":6,"endLine":3,"startColumn":1,"startLine":3}}}],"message":{"text":"unknown key `repyl`. Help: did you mean `reply`?"},"ruleId":"E002","ruleIndex":1}"#);
}

#[tokio::test]
async fn a_code_is_explained_in_the_readers_language() {
    let world = Plan::rules(GOOD).build().await;
    let explain = |code: &str, language: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_wxreply"))
            .args(["check", "--explain", code])
            .env("LC_ALL", language)
            .output()
            .expect("it runs");
        (
            output.status.code(),
            String::from_utf8(output.stdout).expect("UTF-8"),
        )
    };
    let (exit, english) = explain("w010", "C.UTF-8");
    insta::assert_snapshot!(english, @r#"
    ## W010 A keyword of one very common character

    The character stands in a great many messages that are about something else.

    ```toml
    [[rule]]
    name = "营业时间"
    when.keywords = ["几点", "吗"]
    reply = "九点"
    ```

    The rule would answer nearly everything, and rules below it nothing. For messages that are only this character, use `when.exact`.

    ```toml
    [[rule]]
    name = "营业时间"
    when.keywords = ["几点", "开门吗"]
    reply = "九点"
    ```
    "#);
    assert_eq!(exit, Some(0));
    let (_, chinese) = explain("W010", "zh_CN.UTF-8");
    assert!(
        chinese.starts_with("## W010 一个极常见的字作关键词\n"),
        "{chinese}"
    );
    insta::assert_snapshot!(run(&world.path(""), &["check", "--explain", "W1"]), @r#"
    ! error: no finding has the code "W1"; the codes stand in brackets in what `check` prints, as in [W010]
    exit 2
    "#);
}
