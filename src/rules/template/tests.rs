//! Templates that are filled in without the engine say what the engine says.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::blanks::{Blanks, outline};
use super::*;
use crate::message::{AppKind, Contact, Fields, Inbound, MessageId, RuleName, Value as Field};
use crate::rules::AppScope;
use crate::rules::condition::{Capture, Moment};
use crate::rules::matcher::Pattern;

/// A rule with patterns, and the app that it serves.
struct Rule {
    name: RuleName,
    captures: Vec<Capture>,
    app: AppScope,
}

fn rule() -> Rule {
    let capture = |field: Option<&str>, pattern: &str| Capture {
        field: field.map(str::to_owned),
        pattern: Pattern::compile(pattern).expect("valid"),
    };
    let vars = [
        ("shop", "<a href='https://e.com'>小店</a>"),
        ("none", ""),
        ("true", "T"),
    ];
    Rule {
        name: "订单 <b>".into(),
        captures: vec![
            capture(None, r"(?<word>[a-z]+)(?<no>\d+)?(<.)?"),
            capture(None, "(?<no>退)(?<loop>款)(?<rule>.)?"),
            capture(Some("Scan.Text"), "(?<true>[0-9])(?<app>[0-9])?"),
        ],
        app: AppScope {
            name: "shop".into(),
            kind: AppKind::MiniProgram,
            vars: vars.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
        },
    }
}

fn message(content: &str, nested: Field) -> Inbound {
    let table = |name: &str, value: Field| Field::Table([(name, value)].into_iter().collect());
    let fields: Fields = [
        ("Content", Field::from(content)),
        ("Scan", table("Text", nested.clone())),
        ("All", Field::List(vec![nested, table("<a", Field::from("</b>"))])),
    ]
    .into_iter()
    .collect();
    Inbound {
        id: MessageId::new(1_767_578_400, 1),
        app: "shop".into(),
        openid: "o<User".into(),
        dedup_key: "1".to_owned(),
        received: Timestamp::UNIX_EPOCH,
        msg_type: "text".to_owned(),
        event: None,
        content: Some(content.to_owned()),
        fields,
    }
}

/// What both ways make of a template; nothing if it is left to the engine, or no template at all.
fn both(source: &str, inbound: &Inbound) -> Option<(String, String)> {
    let rule = rule();
    let source = source.trim_end();
    let mut live = environment(UndefinedBehavior::Chainable);
    live.add_template_owned("0", source.to_owned()).ok()?;
    let paths = live.get_template("0").expect("added").undeclared_variables(true);
    let known = Known {
        rule: &rule.name,
        captures: &rule.captures,
        apps: vec![&rule.app],
    };
    let blanks = Blanks::read(&outline(), source, &Vec::from_iter(paths), &known)?;
    let (contact, vars) = (Contact::default(), Vars::new(&rule.app.vars));
    let now = "2026-01-05T02:03:00Z".parse().expect("a time");
    let zone = TimeZone::UTC;
    let moment = Moment::new(inbound, now, &contact, &zone);
    let sources = Sources::new(&moment, &rule.name, &rule.captures, Some(&vars));
    let by_engine = by_engine(&live, "0", "failed", || sources.context());
    Some((blanks.fill(&sources), by_engine))
}

const NAMES: [&str; 32] = [
    "user.openid",
    "rule",
    "now",
    "now.date",
    "now.time",
    "now.year",
    "now.month",
    "now.day",
    "now.hour",
    "now.minute",
    "now.weekday",
    "app.shop",
    "app.none",
    "app.true",
    "app.missing",
    "msg.Content",
    "msg.Missing",
    "msg.Missing.x",
    "msg.Content.x",
    "msg.Scan",
    "msg.Scan.Text",
    "msg.Scan.Missing",
    "msg.All",
    "msg.All.x",
    "word",
    "no",
    "match",
    "match.no",
    "match.rule",
    "match[0]",
    "match[2]",
    "match[10]",
];

#[test]
fn text_and_names_are_filled_in_without_the_engine() {
    let inbound = message("ab12 <x 退款", Field::from("7"));
    for name in NAMES {
        let (filled, by_engine) = both(&format!("甲 {{{{ {name} }}}}。"), &inbound).expect(name);
        assert_eq!(filled, by_engine, "{name}");
    }
    let (filled, _) = both("{# 注 #}{{word}}/{{ no -}}  {{ match[4] }}！", &inbound).expect("plain");
    assert_eq!(filled, "ab/12退款！");
}

#[test]
fn anything_else_is_left_to_the_engine() {
    let inbound = message("ab12", Field::from("7"));
    for template in [
        "{% if word %}{{ word }}{% endif %}",
        "{% raw %}{{ word }}{% endraw %}",
        "{{ word | upper }}{{ word }}",
        "{{ word ~ no }}",
        "{{ word if no }}",
        "{{ not word }}",
        "{{ (word) }}",
        "{{ 'word' }}",
        "{{ true }}",
        "{{ match[99] }}",
        "{{ match[-1] }}",
        "{{ match['no'] }}",
        "{{ app['shop'] }}",
        "{{ msg }}",
        "{{ user }}",
        "{{ user.openid.x }}",
        "{{ rule.x }}",
        "{{ now.date.x }}",
        "{{ now.second }}",
        "{{ range }}",
        "{{ self }}",
        "{{ unknown }}",
        "{{ word",
    ] {
        assert_eq!(both(template, &inbound), None, "{template}");
    }
}

#[test]
fn a_text_that_is_cut_is_cut_alike() {
    for content in [
        "好".repeat(682) + "aa",
        "好".repeat(900),
        " ".repeat(3000),
        " ".repeat(3000) + "x",
    ] {
        let inbound = message(&content, Field::from(""));
        for template in [
            "{{ msg.Content }}",
            "a{{ msg.Content }}{{ msg.Content }} {{ app.none }}",
            "{{ rule }}",
        ] {
            let (filled, by_engine) = both(template, &inbound).expect("plain");
            assert_eq!(filled, by_engine, "{template}");
        }
    }
}

fn piece() -> impl Strategy<Value = String> {
    const TEXTS: &[&str] = &[
        "",
        " ",
        "\n",
        "\r\n",
        "好",
        "{",
        "}",
        "}}",
        "{ {",
        "#",
        "#}",
        "<a",
        "/a>",
        "\u{7}",
        "\\n",
        "'",
        "\"",
        "%}",
        "{# 注 {{ word }} #}",
        "{#- 注 -#}",
        "{#",
        "{{",
        "{{-",
        "-}}",
        "{{+",
        "{{ '{{' }}",
        "{{ }}",
        "{%",
        "{% if no %}",
        "{% endif %}",
        "{% raw %}",
        "{% endraw %}",
        "{% set word = 1 %}",
    ];
    const EXPRESSIONS: &[&str] = &[
        "true",
        "none",
        "loop",
        "self",
        "range",
        "app",
        "user",
        "msg",
        "no|upper",
        "no ~ word",
        "not no",
        "no + 1",
        "(no)",
        "match[ 1 ]",
        "match[1][0]",
        "match['no']",
        "app['shop']",
        "msg . Content",
        "msg.All[0]",
        "msg.All.0",
        "1",
        "1.5",
        "'no'",
        "word.upper()",
        "no if word",
        "-no",
        "match.loop",
        "match.true",
        "app.app",
        "rule.x",
        "word.no",
        "dict()",
        "user.openid.x",
        "no}}{{word",
        "no}} {{- word -",
        "no-",
        "{}",
        "[no]",
        "no.x",
        "now.date.x",
        "now.second",
        "word\n",
        "no is defined",
        "msg.Content[0]",
        "msg.Content[1:]",
        "match[-1]",
        "match[01]",
        "match[1.0]",
        "match.1",
    ];
    let expression =
        prop_oneof![3 => prop::sample::select(&NAMES[..]), 1 => prop::sample::select(EXPRESSIONS)];
    let tag = (
        prop::sample::select(vec!["{{ ", "{{", "{{- ", "{{\n"]),
        expression,
        prop::sample::select(vec![" }}", "}}", " -}}"]),
    );
    prop_oneof![
        2 => prop::sample::select(TEXTS).prop_map(str::to_owned),
        3 => tag.prop_map(|(open, expression, close)| format!("{open}{expression}{close}")),
    ]
}

fn content() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "", " ", "\n", "ab", "12", "<", "<a", "/", "退", "款", "!", "\u{7}", "\u{85}", "{{ no }}", "好",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn both_ways_give_the_same_bytes(
        pieces in prop::collection::vec(piece(), 1..8),
        content in content(),
        nested in prop_oneof![
            content().prop_map(Field::from),
            prop::collection::vec(content().prop_map(Field::from), 0..3).prop_map(Field::List),
        ],
    ) {
        let inbound = message(&content, nested);
        if let Some((filled, by_engine)) = both(&pieces.concat(), &inbound) {
            prop_assert_eq!(filled, by_engine);
        }
    }
}

#[test]
fn what_stands_around_tags_is_left_when_a_template_fails() {
    assert_eq!(
        without_tags("订单 {{ a }} 已{% if x %}发{# 注 #}货{% endif %}{。"),
        "订单  已发货{。"
    );
    assert_eq!(without_tags("a {{ never closed"), "a ");
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let text = cut(&"好".repeat(1000));
    assert!(
        text.len() <= MAX_TEXT && text.len() > MAX_TEXT - 3,
        "{}",
        text.len()
    );
    assert!(text.ends_with("好…"));
    assert_eq!(cut("短"), "短");
}

#[test]
fn a_loop_that_would_not_end_runs_out_of_fuel() {
    let mut live = environment(UndefinedBehavior::Chainable);
    live.add_template_owned(
        "x",
        "{% for i in range(90000) %}{% for j in range(90000) %}a{% endfor %}{% endfor %}",
    )
    .expect("compiles");
    assert_eq!(by_engine(&live, "x", "短", || Value::UNDEFINED), "短");
}
