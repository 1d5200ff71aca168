//! What a rule answers with.

use super::*;

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
