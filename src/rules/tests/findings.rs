//! One mistake, one finding, as a person reads it.

use super::*;

/// The findings of one file, as the command line prints them.
pub(super) fn findings(text: &str) -> String {
    let loaded = load(&[Source::new("shop.toml", text)], &scope());
    let error = loaded
        .findings
        .iter()
        .any(crate::diagnostic::Diagnostic::is_error);
    assert_eq!(
        loaded.set.is_none(),
        error,
        "a set exactly when nothing is an error"
    );
    let findings: Vec<String> = loaded
        .findings
        .iter()
        .map(|finding| render(finding, false))
        .collect();
    findings.join("\n\n")
}

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
fn two_rules_of_one_name() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "营业时间"
reply = "x"

[[rule]]
name = "营业时间"
app = "shop"
reply = "y"
"#), @r#"
    error[E006]: two rules are named `营业时间`
     --> shop.toml:6:8
      |
    2 | name = "营业时间"
      |        ---------- first here
    ...
    6 | name = "营业时间"
      |        ^^^^^^^^^^ again here
      |
      = help: the log tells rules apart by their names: rename one
    "#);
}

#[test]
fn an_empty_reply() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = ""
"#), @r#"
    error[E007]: `reply` is empty
     --> shop.toml:3:9
      |
    3 | reply = ""
      |         ^^ nothing stands here
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
fn an_open_brace_in_a_template() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = "您好 {{ user.openid }，再见"
"#), @r#"
    error[E014]: this template can't be used: syntax error
     --> shop.toml:3:28
      |
    3 | reply = "您好 {{ user.openid }，再见"
      |                              ^ unexpected `}`, expected end of variable block
      |
      = help: a value is written {{ name }}; for the braces themselves, write {{ '{{' }}
    "#);
}

#[test]
fn an_unknown_filter() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = "{{ msg.Content | uper }}"
"#), @r#"
    error[E014]: this template can't be used: unknown filter
     --> shop.toml:3:27
      |
    3 | reply = "{{ msg.Content | uper }}"
      |                           ^^^^ filter uper is unknown
    "#);
}

#[test]
fn a_variable_that_no_group_gives() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.regex = '订单(?<order>\d+)'
reply = "订单 {{ ordr }} 已发货"
"#), @r#"
    error[E015]: nothing gives `ordr` a value
     --> shop.toml:4:16
      |
    4 | reply = "订单 {{ ordr }} 已发货"
      |                  ^^^^ no group of the rule's patterns has this name
      |
      = help: did you mean `order`?
    "#);
}

#[test]
fn a_numbered_group_that_is_not_there() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.regex = '订单(\d+)'
reply = "订单 {{ match[2] }} 已发货"
"#), @r#"
    error[E015]: a template uses what nothing gives a value
     --> shop.toml:4:16
      |
    4 | reply = "订单 {{ match[2] }} 已发货"
      |                  ^^^^^^^^ `match[2]` is undefined
      |
      = help: match[1] is the first group of the pattern; a group may also have a name: (?<order>…)
    "#);
}

#[test]
fn a_variable_that_one_app_lacks() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = "{{ app.site }}"
"#), @r#"
    error[E015]: nothing gives `app.site` a value
     --> shop.toml:3:13
      |
    3 | reply = "{{ app.site }}"
      |             ^^^^^^^^ not among the `vars` of app club
      |
      = help: add it there, or let the rule serve only the apps that have it: `app = ["shop"]`
    "#);
}

#[test]
fn a_whole_where_a_part_is_meant() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = "{{ user }}"
"#), @r#"
    error[E015]: nothing gives `user` a value
     --> shop.toml:3:13
      |
    3 | reply = "{{ user }}"
      |             ^^^^ name a part of it: `user.…`
      |
      = help: known here: app.shop, msg.Content, user.openid, now, rule, now.date, now.time, now.year, now.month, now.day, now.hour, now.minute, now.weekday
    "#);
}

#[test]
fn a_picture_that_is_not_there() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = { image = "images/manu.png" }
"#), @r#"
    error[E016]: there is no file `images/manu.png` in the rules folder
     --> shop.toml:3:19
      |
    3 | reply = { image = "images/manu.png" }
      |                   ^^^^^^^^^^^^^^^^^ not found
      |
      = help: did you mean "images/menu.png"? paths are relative to this rule file
    "#);
}

#[test]
fn a_picture_outside_the_folder() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = { image = "../menu.png" }
"#), @r#"
    error[E016]: a media file must lie in the rules folder
     --> shop.toml:3:19
      |
    3 | reply = { image = "../menu.png" }
      |                   ^^^^^^^^^^^^^ leads out of it
      |
      = help: write a path relative to this rule file
    "#);
}

#[test]
fn a_reply_of_two_kinds() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = { text = "x", image = "images/menu.png" }
"#), @r#"
    error[E004]: a reply is of one kind
     --> shop.toml:3:23
      |
    3 | reply = { text = "x", image = "images/menu.png" }
      |                       ^^^^^ a second kind
      |
      = help: to send both, write a list: reply = [ { … }, { … } ]
    "#);
}

#[test]
fn a_reply_of_an_unknown_kind() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = { picture = "images/menu.png" }
"#), @r#"
    error[E002]: unknown key `picture`
     --> shop.toml:3:11
      |
    3 | reply = { picture = "images/menu.png" }
      |           ^^^^^^^ no such key
      |
      = help: known here: text, image, link, mini_program_page
    "#);
}

#[test]
fn a_reply_of_no_kind() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = {}
"#), @"
    error[E005]: this reply says nothing
     --> shop.toml:3:9
      |
    3 | reply = {}
      |         ^^ no kind of reply
      |
      = help: write one of: text, image, link, mini_program_page
    ");
}

#[test]
fn a_link_without_its_address() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = { link = { title = "T", description = "D", thumb_url = "t.png" } }
"#), @r#"
    error[E005]: this link has no `url`
     --> shop.toml:3:18
      |
    3 | reply = { link = { title = "T", description = "D", thumb_url = "t.png" } }
      |                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ WeChat needs `title`, `description`, `url` and `thumb_url`

    error[E004]: `link.thumb_url` is no web address
     --> shop.toml:3:64
      |
    3 | reply = { link = { title = "T", description = "D", thumb_url = "t.png" } }
      |                                                                ^^^^^^^ must begin with "https://" or "http://"
    "#);
}

#[test]
fn a_page_without_its_cover() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = { mini_program_page = { title = "T", page_path = "p" } }
"#), @r#"
    error[E005]: this mini-program page has no `thumb`
     --> shop.toml:3:31
      |
    3 | reply = { mini_program_page = { title = "T", page_path = "p" } }
      |                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ WeChat needs `title`, `page_path` and `thumb`
    "#);
}

#[test]
fn too_many_replies() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
reply = ["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16"]
"#), @r#"
    error[E017]: 16 replies to one message
     --> shop.toml:3:9
      |
    3 | reply = ["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16"]
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ at most 15
      |
      = help: WeChat takes far fewer; with `pick = "random"` one of them is sent
    "#);
}

#[test]
fn a_hand_over_of_events() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
when.event = "user_enter_tempsession"
transfer = true
"#), @r#"
    error[E018]: `transfer` in a rule that also answers events
     --> shop.toml:4:12
      |
    4 | transfer = true
      |            ^^^^ an event can't be handed over
      |
      = help: WeChat hands over messages only: name what to hand over, as in `when.msg_type = ["text", "image"]`
    "#);
}

#[test]
fn a_hand_over_of_everything() {
    insta::assert_snapshot!(findings(r#"[[rule]]
name = "a"
transfer = true
"#), @r#"
    error[E018]: `transfer` in a rule that also answers events
     --> shop.toml:3:12
      |
    3 | transfer = true
      |            ^^^^ an event can't be handed over
      |
      = help: WeChat hands over messages only: name what to hand over, as in `when.msg_type = ["text", "image"]`
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

#[test]
fn a_text_too_long_for_wechat() {
    let long = findings(
        &r#"[[rule]]
name = "a"
reply = "LONG"
"#
        .replace("LONG", &"好".repeat(683)),
    );
    insta::assert_snapshot!(long.replace(&"好".repeat(683), "好…"), @r#"
    warning[W002]: this text has 2049 bytes; WeChat refuses more than 2048 (error 45002)
     --> shop.toml:3:9
      |
    3 | ... = "好…"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^...^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ too long for one message
      |
      = help: split it: reply = ["…", "…"]; a Chinese character is 3 bytes
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
fn findings_of_all_files_come_in_their_order() {
    let sources = [
        Source::new("a.toml", "[[rule]]\nname = 'a'\nreply = 1\npriority = 'x'\n"),
        Source::new("b.toml", "[[rule]]\nname = 'b'\nreply = '{{ c }}'\nfoo = 1\n"),
    ];
    let loaded = load(&sources, &scope());
    let codes: Vec<_> = loaded.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["E003", "E003", "E015", "E002"]);
}

#[test]
fn two_lists_of_one_name() {
    let sources = [
        Source::new("a.toml", "[lists]\nhi = ['你好']\n"),
        Source::new("b.toml", "[lists]\nhi = ['您好']\n"),
    ];
    let loaded = load(&sources, &scope());
    insta::assert_snapshot!(render(&loaded.findings[0], false), @"
    error[E006]: there are two lists `hi`
     --> b.toml:2:1
      |
    2 | hi = ['您好']
      | ^^ again here
      |
     ::: a.toml:2:1
      |
    2 | hi = ['你好']
      | -- first here
      |
      = help: a list is written once, in any file: put the words together, or rename one
    ");
}

#[test]
fn a_broken_file_causes_no_echo_in_others() {
    let sources = [
        Source::new(
            "a.toml",
            "[lists]\nhi = ['你好'\n\n[[rule]]\nname = 'c'\nset_state = 's'\n",
        ),
        Source::new(
            "b.toml",
            "[[rule]]\nname = 'b'\nwhen.keywords = '@hi'\nwhen.state = 's'\nreply = 'x'\n",
        ),
    ];
    let loaded = load(&sources, &scope());
    let codes: Vec<_> = loaded.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["E001"]);
}

#[test]
fn a_reply_that_an_app_can_not_send() {
    const RULE: &str = r#"[[rule]]
name = "a"
reply = { link = { title = "t", description = "d", url = "https://e.com", thumb_url = "https://e.com/t.png" } }
"#;
    let mut scope = scope();
    scope.apps[1].kind = AppKind::OfficialAccount;
    let findings = |text: &str| {
        let loaded = load(&[Source::new("shop.toml", text)], &scope);
        let findings: Vec<String> = loaded.findings.iter().map(|f| render(f, false)).collect();
        findings.join("\n")
    };
    insta::assert_snapshot!(findings(RULE), @r#"
    error[E021]: only an app of kind `mini-program` can send a `link` reply
     --> shop.toml:3:18
      |
    3 | reply = { link = { title = "t", description = "d", url = "https://e.com", thumb_url = "https://e.com/t.png" } }
      |                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ not by "club"
      |
      = help: let the rule serve only the apps that can: `app = ["shop"]`
    "#);
    assert_eq!(findings(&format!("{RULE}app = \"shop\"\n")), "");
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

#[test]
fn a_rule_that_could_not_be_read_is_not_missed_by_its_tests() {
    let test = "[[test]]\nname = \"t\"\neach = [\"1\", \"2\"]\nexpect = { rule = \"b\" }\n";
    let rule =
        |head: &str, name: &str| format!("{head}\nname = \"{name}\"\nwhen.exact = \"1\"\nreply = \"R\"\n");
    for (rules, code) in [
        (rule("[[rules]]", "b"), "E002"),
        (rule("[[rule]]", "a") + &rule("[[rule]]", "a"), "E006"),
        (rule("[[rule]]", "a"), "E032"),
    ] {
        let told = findings(&format!("{rules}{test}"));
        assert!(
            told.contains(code) && told.matches("error[").count() == 1,
            "{code}\n{told}"
        );
    }
}
