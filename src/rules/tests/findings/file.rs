//! Keys, types and values of a file.

use super::*;

#[test]
fn a_text_without_its_closing_quote_hides_nothing_else() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a
reply = "x"

[[rule]]
name = "b"
reply = 3
"#), @r#"
    error[E001]: this can't be read as TOML
     --> shop.toml:2:10
      |
    2 | name = "a
      |          ^ invalid basic string, expected `"`
      |
      = help: a text stands in quotes, a list in brackets, and every line is `key = value`

    error[E003]: `reply` must be a text, a table with one kind, or a list of these, but this is a whole number
     --> shop.toml:7:9
      |
    7 | reply = 3
      |         ^ expected a text, a table with one kind, or a list of these
    "#);
}

#[test]
fn two_mistakes_on_one_line_are_one_finding() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = = "x"
"#), @r#"
    error[E001]: this can't be read as TOML
     --> shop.toml:3:9
      |
    3 | reply = = "x"
      |         ^ extra `=`, expected nothing
      |
      = help: a text stands in quotes, a list in brackets, and every line is `key = value`
    "#);
}

#[test]
fn a_key_that_stands_twice() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = "x"
reply = "y"
"#), @r#"
    error[E001]: this key stands twice
     --> shop.toml:4:1
      |
    4 | reply = "y"
      | ^^^^^ again here
      |
      = help: write each key once; for several values, write a list
    "#);
}

#[test]
fn an_unknown_key() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
priorty = 3
reply = "x"
"#), @"
    error[E002]: unknown key `priorty`
     --> shop.toml:3:1
      |
    3 | priorty = 3
      | ^^^^^^^ no such key
      |
      = help: did you mean `priority`?
    ");
}

#[test]
fn a_rule_in_single_brackets() {
    insta::assert_snapshot!(findings(r#"[rule]
name = "a"
reply = "x"
"#), @"
    error[E003]: a rule begins with `[[rule]]`
     --> shop.toml:1:1
      |
    1 | [rule]
      | ^^^^^^ one bracket is missing
      |
      = help: write `[[rule]]`: there may be many
    ");
}

#[test]
fn a_number_where_text_belongs() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.keywords = ["几点", 9]
reply = "x"
"#), @r#"
    error[E003]: `when.keywords` must be a string, but this is a whole number
     --> shop.toml:3:24
      |
    3 | when.keywords = ["几点", 9]
      |                          ^ expected a string
    "#);
}

#[test]
fn text_where_a_number_belongs() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
priority = "high"
reply = "x"
"#), @r#"
    error[E003]: `priority` must be a whole number, but this is a string
     --> shop.toml:3:12
      |
    3 | priority = "high"
      |            ^^^^^^ expected a whole number
    "#);
}

#[test]
fn a_word_that_is_none_of_the_choices() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = ["x", "y"]
pick = "one"
"#), @r#"
    error[E004]: `pick` can't be "one"
     --> shop.toml:4:8
      |
    4 | pick = "one"
      |        ^^^^^ expected "all" or "random"
    "#);
}

#[test]
fn a_rule_without_a_name() {
    insta::assert_snapshot!(findings(r#"[[rule]]
reply = "x"
"#), @r#"
    error[E005]: this rule has no `name`
     --> shop.toml:1:1
      |
    1 | [[rule]]
      | ^^^^^^^^ needs `name = "…"`
      |
      = help: the log calls the rule by its name
    "#);
}

#[test]
fn an_empty_name() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = " "
reply = "x"
"#), @r#"
    error[E007]: `name` is empty
     --> shop.toml:2:8
      |
    2 | name = " "
      |        ^^^ nothing stands here
    "#);
}

#[test]
fn a_duration_without_a_unit() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
cooldown = "10"
reply = "x"
"#), @r#"
    error[E011]: `cooldown` is no length of time
     --> shop.toml:3:12
      |
    3 | cooldown = "10"
      |            ^^^^ can't be read
      |
      = help: write a whole number and a unit: "500ms", "90s", "10m", "2h", "180d"
    "#);
}

#[test]
fn a_delay_beyond_the_outbox() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
delay = "1h"
reply = "x"
"#), @r#"
    error[E011]: `delay` is longer than 10m
     --> shop.toml:3:9
      |
    3 | delay = "1h"
      |         ^^^^ at most "10m"
    "#);
}

#[test]
fn a_cooldown_without_its_time() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
cooldown = { per = "app" }
reply = "x"
"#), @r#"
    error[E005]: this cooldown has no `time`
     --> shop.toml:3:12
      |
    3 | cooldown = { per = "app" }
      |            ^^^^^^^^^^^^^^^ needs `time = "10m"`
    "#);
}

#[test]
fn keys_that_change_nothing() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
pick = "random"
delay = "1s"
state_ttl = "1m"
"#), @r#"
    warning[W003]: `pick` changes nothing here
     --> shop.toml:3:1
      |
    3 | pick = "random"
      | ^^^^ there is no list of replies to pick from

    warning[W003]: `delay` changes nothing here
     --> shop.toml:4:1
      |
    4 | delay = "1s"
      | ^^^^^ there is no reply to delay

    warning[W003]: `state_ttl` changes nothing here
     --> shop.toml:5:1
      |
    5 | state_ttl = "1m"
      | ^^^^^^^^^ this rule sets no state
    "#);
}

#[test]
fn punctuation_of_a_chinese_keyboard_is_named() {
    for (line, wide, narrow) in [
        ("when.keywords = [\"疫苗\"，\"驱虫\"]", '，', ','),
        ("when.keywords = [“疫苗”, \"驱虫\"]", '“', '"'),
        ("when.keywords = 【\"疫苗\"]", '【', '['),
        ("when.keywords ＝ \"疫苗\"", '＝', '='),
    ] {
        let told = findings(&format!("[[rule]]\nname = \"a\"\n{line}\nreply = \"R\"\n"));
        let help = format!("= help: `{wide}` is a Chinese punctuation mark; TOML wants `{narrow}`");
        assert!(told.contains(&help), "{line}\n{told}");
    }
}
