//! Every key changes a decision: a rule with it and the same rule without it are told apart by one story.

use super::*;
use crate::rules::{condition, reply, rule};

/// A key, how it is written, the story, and what comes of it without the key and with it.
struct Case {
    key: &'static str,
    /// The rule's other lines.
    base: &'static str,
    /// The line with the key.
    line: &'static str,
    story: fn(&mut Talk<'_>) -> String,
    without: &'static str,
    with: &'static str,
}

/// A story of one message.
fn hi(talk: &mut Talk<'_>) -> String {
    brief(&talk.say("你好"))
}

/// A story of two messages.
fn twice(talk: &mut Talk<'_>) -> String {
    format!(
        "{}, {}",
        brief(&talk.say("你好")),
        brief(&talk.wait(1).say("你好"))
    )
}

const CASES: &[Case] = &[
    Case {
        key: "when.msg_type",
        base: "reply = 'R'",
        line: "when.msg_type = 'image'",
        story: hi,
        without: "matched a R",
        with: "unmatched -",
    },
    Case {
        key: "when.msg_type",
        base: "reply = 'R'",
        line: "when.msg_type = ['image', 'TEXT']",
        story: |t| format!("{} {}", hi(t), brief(&t.hear(&event("x", &[])))),
        without: "matched a R matched a R",
        with: "matched a R unmatched -",
    },
    Case {
        key: "when.event",
        base: "reply = 'R'",
        line: "when.event = 'Subscribe'",
        story: |t| {
            format!(
                "{} {} {}",
                hi(t),
                brief(&t.hear(&event("SUBSCRIBE", &[]))),
                brief(&t.hear(&event("other", &[])))
            )
        },
        without: "matched a R matched a R matched a R",
        with: "unmatched - matched a R unmatched -",
    },
    Case {
        key: "when.event",
        base: "reply = 'R'",
        line: "when.event = ['x', 'y']",
        story: |t| brief(&t.hear(&event("z", &[]))),
        without: "matched a R",
        with: "unmatched -",
    },
    Case {
        key: "when.exact",
        base: "reply = 'R'",
        line: "when.exact = ['你好啊', 'hello']",
        story: hi,
        without: "matched a R",
        with: "unmatched -",
    },
    Case {
        key: "when.exact",
        base: "reply = 'R'",
        line: "when.exact = '你好！'",
        story: |t| format!("{} {}", hi(t), brief(&t.hear(&event("x", &[])))),
        without: "matched a R matched a R",
        with: "matched a R unmatched -",
    },
    Case {
        key: "when.keywords",
        base: "reply = 'R'",
        line: "when.keywords = ['价格']",
        story: hi,
        without: "matched a R",
        with: "unmatched -",
    },
    Case {
        key: "when.all_keywords",
        base: "reply = 'R'",
        line: "when.all_keywords = ['你', '价格']",
        story: hi,
        without: "matched a R",
        with: "unmatched -",
    },
    Case {
        key: "when.not_keywords",
        base: "reply = 'R'",
        line: "when.not_keywords = ['你']",
        story: hi,
        without: "matched a R",
        with: "unmatched -",
    },
    Case {
        key: "when.regex",
        base: "reply = 'R'",
        line: "when.regex = '^\\d+$'",
        story: |t| format!("{} {}", hi(t), brief(&t.say("42"))),
        without: "matched a R matched a R",
        with: "unmatched - matched a R",
    },
    Case {
        key: "when.regex",
        base: "reply = 'R'",
        line: "when.regex = ['^\\d+$', '好$']",
        story: |t| format!("{} {}", hi(t), brief(&t.say("好的"))),
        without: "matched a R matched a R",
        with: "matched a R unmatched -",
    },
    Case {
        key: "when.fields",
        base: "reply = 'R'",
        line: "when.fields = { SessionFrom = '^home' }",
        story: |t| {
            format!(
                "{} {}",
                brief(&t.hear(&event("e", &[("SessionFrom", "home/1")]))),
                brief(&t.hear(&event("e", &[("SessionFrom", "cart")])))
            )
        },
        without: "matched a R matched a R",
        with: "matched a R unmatched -",
    },
    Case {
        key: "when.users",
        base: "reply = 'R'",
        line: "when.users = ['oZ', 'oA']",
        story: |t| format!("{} {}", hi(t), brief(&t.say_as("oA", "你好"))),
        without: "matched a R matched a R",
        with: "unmatched - matched a R",
    },
    Case {
        key: "when.time",
        base: "reply = 'R'",
        line: "when.time = { hours = '09:00-18:00', days = 'mon-fri' }",
        story: |t| {
            let day = brief(&t.say("你好"));
            t.wait(10 * 60);
            format!("{day}, {}", brief(&t.say("你好")))
        },
        without: "matched a R, matched a R",
        with: "matched a R, unmatched -",
    },
    Case {
        key: "when.time",
        base: "reply = 'R'",
        line: "when.time = { hours = ['09:00-12:00', '13:00-18:00'], not = true }",
        story: hi,
        without: "matched a R",
        with: "unmatched -",
    },
    Case {
        key: "when.time",
        base: "reply = 'R'",
        line: "when.time.dates = ['2026-01-06..2026-01-07', 2026-02-01]",
        story: |t| {
            let day = hi(t);
            t.wait(24 * 60);
            format!("{day}, {}", hi(t))
        },
        without: "matched a R, matched a R",
        with: "unmatched -, matched a R",
    },
    Case {
        key: "when.first_message",
        base: "reply = 'R'",
        line: "when.first_message = true",
        story: twice,
        without: "matched a R, matched a R",
        with: "matched a R, unmatched -",
    },
    Case {
        key: "when.first_message",
        base: "reply = 'R'",
        line: "when.first_message = false",
        story: twice,
        without: "matched a R, matched a R",
        with: "unmatched -, matched a R",
    },
    Case {
        key: "when.idle",
        base: "reply = 'R'",
        line: "when.idle = '24h'",
        story: |t| {
            let two = twice(t);
            t.wait(24 * 60);
            format!("{two}, {}", hi(t))
        },
        without: "matched a R, matched a R, matched a R",
        with: "matched a R, unmatched -, matched a R",
    },
    Case {
        key: "when.state",
        base: "reply = 'R'\nset_state = 's'",
        line: "when.state = ''",
        story: twice,
        without: "matched a R, matched a R",
        with: "matched a R, unmatched -",
    },
    Case {
        key: "when.misses",
        base: "reply = 'R'",
        line: "when.misses = 2",
        story: twice,
        without: "matched a R, matched a R",
        with: "unmatched -, matched a R",
    },
    Case {
        key: "owner",
        base: "reply = 'R'",
        line: "owner = '小王'",
        story: hi,
        without: "matched a R",
        with: "matched a R",
    },
    Case {
        key: "note",
        base: "reply = 'R'",
        line: "note = '三月起'",
        story: hi,
        without: "matched a R",
        with: "matched a R",
    },
    Case {
        key: "priority",
        base: "reply = 'R'\n[[rule]]\nname = 'b'\nreply = 'S'",
        line: "priority = -1",
        story: hi,
        without: "matched a R",
        with: "matched b S",
    },
    Case {
        key: "enabled",
        base: "reply = 'R'",
        line: "enabled = false",
        story: hi,
        without: "matched a R",
        with: "unmatched -",
    },
    Case {
        key: "observe",
        base: "reply = 'R'\nset_state = 's'",
        line: "observe = true",
        story: |t| {
            let d = t.say("你好");
            format!("{} {:?} {}", brief(&d), d.observed, d.contact.state.is_some())
        },
        without: "matched a R [] true",
        with: "unmatched - [\"a\"] false",
    },
    Case {
        key: "app",
        base: "reply = 'R'",
        line: "app = 'club'",
        story: hi,
        without: "matched a R",
        with: "unmatched -",
    },
    Case {
        key: "app",
        base: "reply = 'R'",
        line: "app = ['club', 'shop']",
        story: hi,
        without: "matched a R",
        with: "matched a R",
    },
    Case {
        key: "reply",
        base: "",
        line: "reply = ['R', { text = 'S' }]",
        story: hi,
        without: "matched a",
        with: "matched a R | S",
    },
    Case {
        key: "pick",
        base: "reply = ['R', 'S']",
        line: "pick = 'random'",
        story: |t| t.say("你好").replies.len().to_string(),
        without: "2",
        with: "1",
    },
    Case {
        key: "webhook",
        base: "reply = 'R'",
        line: "webhook = 'https://bot.example.com/x?key=k'",
        story: hi,
        without: "matched a R",
        with: "matched a https://bot.example.com/x is asked; if it fails: R",
    },
    Case {
        key: "delay",
        base: "reply = ['R', 'S']",
        line: "delay = '3s'",
        story: |t| {
            format!(
                "{:?}",
                t.say("你好")
                    .replies
                    .iter()
                    .map(|r| r.delay.as_secs())
                    .collect::<Vec<_>>()
            )
        },
        without: "[0, 0]",
        with: "[3, 3]",
    },
    Case {
        key: "typing",
        base: "reply = ['R', 'S']\ndelay = '3s'",
        line: "typing = true",
        story: |t| {
            format!(
                "{:?}",
                t.say("你好").replies.iter().map(|r| r.typing).collect::<Vec<_>>()
            )
        },
        without: "[false, false]",
        with: "[true, false]",
    },
    Case {
        key: "cooldown",
        base: "reply = 'R'\n[[rule]]\nname = 'b'\nreply = 'S'",
        line: "cooldown = '10m'",
        story: |t| {
            let two = twice(t);
            format!("{two}, {}", brief(&t.wait(9).say("你好")))
        },
        without: "matched a R, matched a R, matched a R",
        with: "matched a R, cooldown a, matched a R",
    },
    Case {
        key: "cooldown",
        base: "reply = 'R'\n[[rule]]\nname = 'b'\nreply = 'S'",
        line: "cooldown = { time = '10m', then = 'next' }",
        story: twice,
        without: "matched a R, matched a R",
        with: "matched a R, matched b S",
    },
    Case {
        key: "cooldown",
        base: "reply = 'R'",
        line: "cooldown = { time = '10m', per = 'app', then = 'silent' }",
        story: |t| format!("{}, {}", hi(t), brief(&t.say_as("oB", "你好"))),
        without: "matched a R, matched a R",
        with: "matched a R, cooldown a",
    },
    Case {
        key: "transfer",
        base: "when.msg_type = 'text'",
        line: "transfer = true",
        story: |t| {
            let d = t.say("你好");
            format!("{} {:?} {}", brief(&d), d.answer, brief(&t.wait(29).say("你好")))
        },
        without: "matched a Success matched a",
        with: "matched a Transfer(None) muted -",
    },
    Case {
        key: "transfer",
        base: "when.msg_type = 'text'",
        line: "transfer = 'kf@shop'",
        story: |t| format!("{:?}", t.say("你好").answer),
        without: "Success",
        with: "Transfer(Some(\"kf@shop\"))",
    },
    Case {
        key: "mute",
        base: "reply = 'R'",
        line: "mute = '30m'",
        story: |t| {
            let two = twice(t);
            format!("{two}, {}", brief(&t.wait(29).say("你好")))
        },
        without: "matched a R, matched a R, matched a R",
        with: "matched a R, muted -, matched a R",
    },
    Case {
        key: "set_state",
        base: "reply = 'R'",
        line: "set_state = 's'",
        story: |t| format!("{:?}", t.say("你好").contact.state.map(|s| s.name)),
        without: "None",
        with: "Some(\"s\")",
    },
    Case {
        key: "state_ttl",
        base: "reply = 'R'\nset_state = 's'\n[[rule]]\nname = 'b'\npriority = 1\nwhen.state = 's'\nreply = 'S'",
        line: "state_ttl = '1m'",
        story: twice,
        without: "matched a R, matched b S",
        with: "matched a R, matched a R",
    },
    Case {
        key: "continue",
        base: "reply = 'R'\n[[rule]]\nname = 'b'\nreply = 'S'",
        line: "continue = true",
        story: hi,
        without: "matched a R",
        with: "matched a R | S",
    },
    Case {
        key: "reply.text",
        base: "",
        line: "reply = { text = '{{ app.shop }}' }",
        story: hi,
        without: "matched a",
        with: "matched a 小店",
    },
    Case {
        key: "reply.image",
        base: "",
        line: "reply = { image = 'images/menu.png' }",
        story: hi,
        without: "matched a",
        with: "matched a images/menu.png",
    },
    Case {
        key: "reply.image",
        base: "",
        line: "reply = { image = { media_id = 'M1' } }",
        story: hi,
        without: "matched a",
        with: "matched a M1",
    },
    Case {
        key: "reply.link",
        base: "",
        line: "reply = { link = { title = 'T', description = 'D', url = 'https://e.com/{{ msg.Content }}', thumb_url = 'https://e.com/t.png' } }",
        story: hi,
        without: "matched a",
        with: "matched a T https://e.com/你好",
    },
    Case {
        key: "reply.mini_program_page",
        base: "",
        line: "reply = { mini_program_page = { title = 'T', page_path = 'pages/i?r={{ rule }}', thumb = 'images/t.png' } }",
        story: hi,
        without: "matched a",
        with: "matched a T pages/i?r=a",
    },
];

#[test]
fn every_key_changes_a_decision() {
    for case in CASES {
        let name = format!("{} ({})", case.key, case.line);
        for (line, expected) in [("", case.without), (case.line, case.with)] {
            let set = set(&format!("[[rule]]\nname = 'a'\n{line}\n{}\n", case.base));
            assert_eq!(
                (case.story)(&mut Talk::new(&set)),
                expected,
                "{name}, line: {line:?}"
            );
        }
    }
}

#[test]
fn every_key_has_a_case() {
    let when = condition::KEYS.iter().map(|key| format!("when.{}", key.name));
    let kinds = reply::KINDS.iter().map(|kind| format!("reply.{}", kind.name));
    let rule = rule::KEYS
        .iter()
        .filter(|key| !["name", "when"].contains(key))
        .map(ToString::to_string);
    for key in when.chain(kinds).chain(rule) {
        assert!(CASES.iter().any(|case| case.key == key), "`{key}` has no case");
    }
}
