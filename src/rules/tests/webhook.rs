//! Rules that ask a webhook: the question they plan, and the mistakes in writing them.

use super::*;
use crate::message::Webhook;

fn asked(decision: &Decision) -> &Webhook {
    match &decision.replies[..] {
        [
            crate::message::Planned {
                reply: Reply::Webhook(webhook),
                ..
            },
        ] => webhook,
        other => panic!("no single question: {other:?}"),
    }
}

#[test]
fn the_question_holds_what_is_known_when_the_message_comes() {
    let set = set(r#"
        [[rule]]
        name = "menu"
        when.exact = "菜单"
        set_state = "ordering"
        [[rule]]
        name = "order"
        when.regex = '订单\s*(?<number>\d+)(件)?'
        webhook = "https://bot.example.com/x?key=k"
        reply = ["稍候，{{ number }}", { image = "images/menu.png" }, "{{ match[2] }}"]
        "#);
    let mut talk = Talk::new(&set);
    talk.say("菜单");
    let decision = talk.say("查订单 123");
    let webhook = asked(&decision);
    assert_eq!(webhook.rule.as_str(), "order");
    assert_eq!(webhook.place(), "https://bot.example.com/x");
    assert_eq!(webhook.state.as_deref(), Some("ordering"));
    let captures: Vec<_> = webhook.captures.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(captures, ["0=订单 123", "number=123"]);
    let own: Vec<_> = webhook.fallback.iter().map(Reply::summary).collect();
    assert_eq!(
        own,
        ["稍候，123", "images/menu.png"],
        "the third filled in to nothing"
    );
    assert_eq!(decision.replies[0].reply.without_webhook(), webhook.fallback);
}

#[test]
fn a_rule_with_a_webhook_alone_answers() {
    let rules = "[[rule]]\nname = \"bot\"\nwebhook = \"http://localhost:9000\"\n\
                 [[rule]]\nname = \"later\"\nreply = \"R\"\n";
    let loaded = load(&[Source::new("shop.toml", rules)], &scope());
    assert_eq!(loaded.findings.len(), 1, "it has no reply of its own");
    let set = loaded.set.expect("no error");
    let decision = Talk::new(&set).say("你好");
    assert_eq!(asked(&decision).fallback, []);
    assert_eq!(decision.rule.expect("answered").as_str(), "bot");
}

#[test]
fn the_first_webhook_is_named_when_there_is_no_secret() {
    assert!(
        set("[[rule]]\nname = \"a\"\nreply = \"R\"\n")
            .unsigned_webhook()
            .is_none()
    );
    let set = set(
        "[[rule]]\nname = \"a\"\npriority = -1\nwebhook = \"https://a.example\"\nreply = \"R\"\n\
         [[rule]]\nname = \"b\"\nwebhook = \"https://b.example\"\nreply = \"R\"\n",
    );
    let finding = set.unsigned_webhook().expect("a finding");
    insta::assert_snapshot!(render(&finding, false), @r#"
    error[E041]: the config has no secret for webhooks
     --> shop.toml:4:11
      |
    4 | webhook = "https://a.example"
      |           ^^^^^^^^^^^^^^^^^^^ needs a secret to sign with
      |
      = help: without one, the receiver can't tell wxreply's questions from anybody's: write `secret = { file = "secrets/webhook" }` under `[webhook]` in wxreply.toml
    "#);
}

#[test]
fn mistakes_in_the_address() {
    insta::assert_snapshot!(findings::findings(
        r#"[[rule]]
name = "a"
webhook = "bot.example.com/x"
reply = "R"

[[rule]]
name = "b"
webhook = "http://bot.example.com/x"

[[rule]]
name = "c"
webhook = 7
"#
    ), @r#"
    error[E040]: `webhook` is no web address
     --> shop.toml:3:11
      |
    3 | webhook = "bot.example.com/x"
      |           ^^^^^^^^^^^^^^^^^^^ can't be read
      |
      = help: write it like "https://bot.example.com/wechat"

    warning[W041]: what customers write travels to this webhook unencrypted
     --> shop.toml:8:11
      |
    8 | webhook = "http://bot.example.com/x"
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^ http, and not on this machine
      |
      = help: write https://; the signature shows who asks, and hides nothing

    warning[W042]: when this webhook fails, the customer gets no answer
     --> shop.toml:8:11
      |
    8 | webhook = "http://bot.example.com/x"
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^ the rule has no `reply` of its own
      |
      = help: write a `reply` beside it, such as "我们稍后回复您": it is sent when the webhook can't be asked, or takes longer than 3 s

    error[E003]: `webhook` must be a string, but this is a whole number
      --> shop.toml:12:11
       |
    12 | webhook = 7
       |           ^ expected a string
    "#);
}
