//! What stands in `when`.

use super::*;

#[test]
fn a_condition_beside_when() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "营业时间"
keywords = ["几点"]
reply = "x"
"#), @r#"
    error[E002]: unknown key `keywords`
     --> shop.toml:3:1
      |
    3 | keywords = ["几点"]
      | ^^^^^^^^ no such key
      |
      = help: write `when.keywords`
    "#);
}

#[test]
fn a_rule_key_inside_when() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
[rule.when]
keywords = ["几点"]
reply = "x"
"#), @r#"
    error[E002]: unknown key `reply`
     --> shop.toml:5:1
      |
    5 | reply = "x"
      | ^^^^^ no such key
      |
      = help: `reply` belongs to the rule, not to `when`: write it above `[rule.when]`
    "#);
}

#[test]
fn an_unknown_condition() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.keyword = ["几点"]
reply = "x"
"#), @r#"
    error[E002]: unknown key `keyword`
     --> shop.toml:3:6
      |
    3 | when.keyword = ["几点"]
      |      ^^^^^^^ no such key
      |
      = help: did you mean `keywords`?
    "#);
}

#[test]
fn an_empty_list_of_keywords() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.keywords = []
reply = "x"
"#), @"
    error[E007]: `when.keywords` is an empty list
     --> shop.toml:3:17
      |
    3 | when.keywords = []
      |                 ^^ nothing stands here
      |
      = help: leave `when.keywords` out, or write something into it
    ");
}

#[test]
fn a_keyword_of_white_space() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.keywords = ["价格", "　"]
reply = "x"
"#), @r#"
    error[E008]: nothing is left of this keyword to look for
     --> shop.toml:3:24
      |
    3 | when.keywords = ["价格", "　"]
      |                          ^^^^ empty once white space is dropped
      |
      = help: for a rule that takes every message, leave the text conditions out
    "#);
}

#[test]
fn an_unknown_list() {
    insta::assert_snapshot!(findings(r#"[lists]
prices = ["价格"]

[[rule]]
name = "a"
when.keywords = ["@price", "@nothing"]
reply = "x"
"#), @r#"
    error[E009]: there is no list `price`
     --> shop.toml:6:18
      |
    6 | when.keywords = ["@price", "@nothing"]
      |                  ^^^^^^^^ no such list
      |
      = help: did you mean "@prices"?

    error[E009]: there is no list `nothing`
     --> shop.toml:6:28
      |
    6 | when.keywords = ["@price", "@nothing"]
      |                            ^^^^^^^^^^ no such list
      |
      = help: write `nothing = ["…"]` under `[lists]` in any rule file
    "#);
}

#[test]
fn a_list_in_a_list() {
    insta::assert_snapshot!(findings(r#"[lists]
a = ["价格"]
b = ["@a"]
"#), @r#"
    error[E004]: a list can't hold another list
     --> shop.toml:3:6
      |
    3 | b = ["@a"]
      |      ^^^^ only words may stand here
      |
      = help: name both lists in the rule: `when.keywords = ["@one", "@two"]`
    "#);
}

#[test]
fn look_ahead_in_a_regex() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.regex = '订单(?!取消)\d+'
reply = "x"
"#), @r#"
    error[E010]: this regular expression does not compile
     --> shop.toml:3:17
      |
    3 | when.regex = '订单(?!取消)\d+'
      |                   ^^^ look-around, including look-ahead and look-behind, is not supported
      |
      = help: look-around would make matching slow on some texts; put what must not occur into `when.not_keywords`, what must also occur into `when.all_keywords`, and use `\b` for the edge of a word
    "#);
}

#[test]
fn a_back_reference_in_a_regex() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.regex = "几(.)\\1"
reply = "x"
"#), @r#"
    error[E010]: this regular expression does not compile
     --> shop.toml:3:19
      |
    3 | when.regex = "几(.)\\1"
      |                    ^^^ backreferences are not supported
      |
      = help: back-references would make matching slow on some texts; capture both parts under names and write one rule for each case
    "#);
}

#[test]
fn an_unclosed_group_in_a_regex() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.regex = ["ok", "订单(\\d+"]
reply = "x"
"#), @r#"
    error[E010]: this regular expression does not compile
     --> shop.toml:3:24
      |
    3 | when.regex = ["ok", "订单(\\d+"]
      |                          ^ unclosed group
      |
      = help: to mean a bracket itself, write a backslash before it: '\(', '\)'
    "#);
}

#[test]
fn a_regex_too_large_to_compile() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.regex = '(\w{1000}){1000}'
reply = "x"
"#), @r#"
    error[E010]: this regular expression is too large
     --> shop.toml:3:14
      |
    3 | when.regex = '(\w{1000}){1000}'
      |              ^^^^^^^^^^^^^^^^^^ takes too much memory
      |
      = help: lower its counted repetitions, such as {1000}
    "#);
}

#[test]
fn a_regex_of_a_field() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.fields = { SessionFrom = '*' }
reply = "x"
"#), @r#"
    error[E010]: this regular expression does not compile
     --> shop.toml:3:32
      |
    3 | when.fields = { SessionFrom = '*' }
      |                                ^ repetition operator missing expression
      |
      = help: to mean the character itself, write a backslash before it: '\?', '\*', '\+'
    "#);
}

#[test]
fn hours_that_end_where_they_begin() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.time = { hours = "09:00-09:00" }
reply = "x"
"#), @r#"
    error[E012]: `when.time.hours` can't be read
     --> shop.toml:3:23
      |
    3 | when.time = { hours = "09:00-09:00" }
      |                       ^^^^^^^^^^^^^ not understood
      |
      = help: write "09:00-18:00"; "22:00-02:00" crosses midnight, and a day ends at 24:00
    "#);
}

#[test]
fn an_unknown_day() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.time = { days = "monday" }
reply = "x"
"#), @r#"
    error[E012]: `when.time.days` can't be read
     --> shop.toml:3:22
      |
    3 | when.time = { days = "monday" }
      |                      ^^^^^^^^ not understood
      |
      = help: write "mon-fri", "sat,sun" or "mon-wed,fri"; the days are mon, tue, wed, thu, fri, sat, sun
    "#);
}

#[test]
fn dates_in_the_wrong_order() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.time = { dates = ["2026-10-07..2026-10-01"] }
reply = "x"
"#), @r#"
    error[E012]: `when.time.dates` can't be read
     --> shop.toml:3:24
      |
    3 | when.time = { dates = ["2026-10-07..2026-10-01"] }
      |                        ^^^^^^^^^^^^^^^^^^^^^^^^ not understood
      |
      = help: write "2026-10-01" or "2026-10-01..2026-10-07", the last day included
    "#);
}

#[test]
fn a_time_that_names_none() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.time = { not = true }
reply = "x"
"#), @"
    error[E005]: `when.time` names no time
     --> shop.toml:3:13
      |
    3 | when.time = { not = true }
      |             ^^^^^^^^^^^^^^ needs `hours`, `days`, `dates` or `calendar`
    ");
}

#[test]
fn an_unknown_app() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
app = "shpo"
reply = "x"
"#), @r#"
    error[E013]: there is no app `shpo`
     --> shop.toml:3:7
      |
    3 | app = "shpo"
      |       ^^^^^^ not in the config
      |
      = help: did you mean "shop"?
    "#);
}

#[test]
fn text_in_an_event() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.event = "subscribe"
when.keywords = ["你好"]
reply = "x"
"#), @r#"
    error[E019]: an event has no text, so this can never hold
     --> shop.toml:4:17
      |
    3 | when.event = "subscribe"
      |              ----------- asks for an event
    4 | when.keywords = ["你好"]
      |                 ^^^^^^^^ looks at the text of a message
      |
      = help: to look into an event, use `when.fields`, as in `when.fields = { SessionFrom = "home" }`
    "#);
}

#[test]
fn an_event_of_another_type() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.event = "subscribe"
when.msg_type = "text"
reply = "x"
"#), @r#"
    error[E019]: `msg_type` and `event` can never hold together
     --> shop.toml:4:17
      |
    3 | when.event = "subscribe"
      |              ----------- only events have this
    4 | when.msg_type = "text"
      |                 ^^^^^^ no event has this type
      |
      = help: leave `when.msg_type` out: `when.event` implies "event"
    "#);
}

#[test]
fn no_misses() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.misses = 0
reply = "x"
"#), @"
    error[E004]: `when.misses` must be 1 or more
     --> shop.toml:3:15
      |
    3 | when.misses = 0
      |               ^ out of range
    ");
}

#[test]
fn a_state_that_no_rule_sets() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
set_state = "menu"

[[rule]]
name = "b"
when.state = "meun"
reply = "x"
"#), @r#"
    warning[W001]: no rule sets the state `meun`
     --> shop.toml:7:14
      |
    7 | when.state = "meun"
      |              ^^^^^^ never reached
      |
      = help: did you mean "menu"?
    "#);
}
