//! `wxreply check`: findings, where they are, what to do, and the exit code.

use std::fs;

use serde_json::Value;

use super::run;
use crate::world::{Plan, run_in};

const GOOD: &str = "[[rule]]\nname = \"hours\"\nwhen.keywords = [\"几点开门\"]\nreply = \"九点\"\n";

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
        assert!(page.trim_end().ends_with("wxreply.toml, rules"), "{code}\n{page}");
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
    insta::assert_snapshot!(found[0], @r#"{"code":"E015","column":13,"end_column":19,"end_line":3,"file":"rules/rules.toml","help":"known here: msg.Content, user.openid, now, rule, now.date, now.time, now.year, now.month, now.day, now.hour, now.minute, now.weekday","line":3,"message":"nothing gives `nobody` a value","severity":"error"}"#);
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

    0 errors, 1 warning: wxreply.toml, 1 rule in rules
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
      --> wxreply.toml:16:9
       |
    16 | token = { env = "WXREPLY_TEST_UNSET" }
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
      --> wxreply.toml:19:8
       |
    19 | mode = "save"
       |        ^^^^^^
       |
       = help: did you mean "safe"?

    the rules were not checked, because the config can't be used

    2 errors, 0 warnings: wxreply.toml
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
