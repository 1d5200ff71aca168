//! What is said about rules that can never act is true: on random sets, random messages, random talks.

use proptest::prelude::*;

use super::*;
use crate::message::DialogState;
use crate::rules::Reach;

/// Words that stand in one another, touch Latin neighbours, or fold into one another.
const WORDS: &[&str] = &[
    "茶", "奶茶", "奶", "茶?", "hi", "this", "hi茶", "vip", "VIP2", "錢", "钱", "?", "1",
];
const PATTERNS: &[&str] = &[
    "茶",
    "奶茶|茶",
    r"\d",
    "(?i)hi",
    "^hi$",
    ".*",
    "錢",
    "^(奶茶|茶)$",
    r"茶\d*",
    "奶.?茶",
];

fn words(key: &'static str) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(WORDS), 1..3)
        .prop_map(move |words| format!("when.{key} = {words:?}"))
}

fn patterns() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PATTERNS), 1..3).prop_map(|patterns| {
        let quoted: Vec<String> = patterns.iter().map(|pattern| format!("'{pattern}'")).collect();
        format!("when.regex = [{}]", quoted.join(", "))
    })
}

fn one_of(lines: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(lines).prop_map(str::to_owned)
}

fn maybe(weight: u32, line: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    prop_oneof![10 - weight => Just(String::new()), weight => line]
}

fn rule() -> impl Strategy<Value = String> {
    let content = prop_oneof![
        4 => words("keywords"),
        2 => words("exact"),
        2 => words("all_keywords"),
        2 => patterns(),
        1 => (words("keywords"), patterns()).prop_map(|(a, b)| a + "\n" + &b),
        1 => (words("exact"), words("keywords")).prop_map(|(a, b)| a + "\n" + &b),
        1 => (words("keywords"), words("all_keywords")).prop_map(|(a, b)| a + "\n" + &b),
        1 => Just("when.msg_type = 'text'".to_owned()),
        1 => Just(String::new()),
        1 => one_of(&[
            "when.event = 'E'",
            "when.event = ['E', 'F']",
            "when.msg_type = 'event'",
            "when.fields = { SessionFrom = 'home' }",
            "when.fields = { SessionFrom = 'home', \"A.B\" = 'x|y' }",
            "when.fields = { SessionFrom = '.*' }",
        ]),
    ];
    let facts = (
        maybe(
            1,
            one_of(&[
                "when.state = 'menu'",
                "when.state = ''",
                "when.state = ['menu', '']",
            ]),
        ),
        maybe(
            1,
            one_of(&["when.misses = 1", "when.misses = 2", "when.misses = 3"]),
        ),
        maybe(1, one_of(&["when.idle = '1h'", "when.idle = '10m'"])),
        maybe(
            1,
            one_of(&["when.first_message = true", "when.first_message = false"]),
        ),
        maybe(
            2,
            one_of(&[
                "when.time = { hours = '09:00-18:00' }",
                "when.time = { hours = '09:00-18:00', not = true }",
                "when.time = { hours = '22:00-02:00', days = 'fri' }",
                "when.time = { hours = ['00:00-12:00', '12:00-24:00'] }",
                "when.time = { days = 'mon-fri' }",
                "when.time = { days = 'sat,sun' }",
                "when.time = { dates = '2026-01-05..2026-01-06' }",
                "when.time = { hours = '10:00-11:00', days = 'mon' }",
            ]),
        ),
    )
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].join("\n"));
    let rest = (
        maybe(2, words("not_keywords")),
        maybe(
            1,
            one_of(&["when.users = 'oUser'", "when.users = ['oUser', 'oOther']"]),
        ),
        maybe(
            1,
            one_of(&["app = 'club'", "app = 'shop'", "app = ['club', 'shop']"]),
        ),
        maybe(2, one_of(&["continue = true", "observe = true"])),
        maybe(
            2,
            one_of(&[
                "cooldown = '10m'",
                "cooldown = { time = '5m', per = 'app' }",
                "cooldown = { time = '5m', then = 'next' }",
            ]),
        ),
        maybe(
            2,
            one_of(&["mute = '3m'", "set_state = 'menu'", "set_state = ''"]),
        ),
        maybe(2, one_of(&["priority = 1", "priority = -1"])),
        maybe(5, Just("reply = 'R'".to_owned())),
    )
        .prop_map(|(a, b, c, d, e, f, g, h)| [a, b, c, d, e, f, g, h].join("\n"));
    (content, facts, rest).prop_map(|(a, b, c)| [a, b, c].join("\n"))
}

/// Rules whose contradictions were found when they were read are left out, as a person would take them out.
fn compiled(rules: &[String]) -> Option<RuleSet> {
    let mut file = String::new();
    for (i, rule) in rules.iter().enumerate() {
        file += &format!("[[rule]]\nname = 'r{i}'\n{rule}\n");
    }
    load(&[Source::new("a.toml", file)], &scope()).set
}

/// How a rule comes about. Rules that were made apart seldom take each other's messages; kin often nearly do, and what
/// is nearly so is what a wrong proof gets wrong.
#[derive(Clone, Copy, Debug)]
enum Birth {
    Apart,
    /// The conditions of the rule before it, but for one.
    Wider(prop::sample::Index),
    /// The conditions of the rule before it, with other texts.
    OtherTexts,
}

/// A rule with the conditions of the one before it, as far as `birth` says.
fn kin(before: &str, rule: String, birth: Birth) -> String {
    let conditions = |rule: &str| -> Vec<String> {
        let lines = rule
            .lines()
            .filter(|line| line.starts_with("when.") || line.starts_with("app"));
        lines.map(str::to_owned).collect()
    };
    let mut lines = conditions(before);
    match birth {
        Birth::Apart => return rule,
        Birth::Wider(_) if lines.is_empty() => return rule,
        Birth::Wider(one) => {
            lines.remove(one.index(lines.len()));
        }
        Birth::OtherTexts => {
            let texts = ["when.keywords", "when.exact", "when.all_keywords", "when.regex"];
            let is_text = |line: &String| texts.iter().any(|key| line.starts_with(key));
            lines.retain(|line| !is_text(line));
            lines.extend(conditions(&rule).into_iter().filter(is_text));
        }
    }
    lines.join("\n")
}

fn set_of_rules() -> impl Strategy<Value = RuleSet> {
    let birth = prop_oneof![
        2 => Just(Birth::Apart),
        1 => any::<prop::sample::Index>().prop_map(Birth::Wider),
        1 => Just(Birth::OtherTexts),
    ];
    prop::collection::vec((rule(), birth), 2..7).prop_filter_map("a rule contradicts itself", |drafts| {
        let mut rules: Vec<String> = Vec::new();
        for (rule, birth) in drafts {
            let rule = match rules.last() {
                Some(before) => kin(before, rule, birth),
                None => rule,
            };
            rules.push(rule);
        }
        compiled(&rules)
    })
}

fn message() -> impl Strategy<Value = Inbound> {
    let between = prop::sample::select(vec!["", " ", "，", "x"]);
    let part = (between, prop::sample::select(WORDS));
    let content = (
        prop::collection::vec(part, 0..4),
        prop::sample::select(vec!["", "?", "2", "。", "!?"]),
    )
        .prop_map(|(parts, end)| {
            let mut text: String = parts
                .into_iter()
                .flat_map(|(between, word)| [between, word])
                .collect();
            text.push_str(end);
            text
        });
    let fields = prop::sample::select(vec![("SessionFrom", "home"), ("SessionFrom", "cart"), ("C", "y")]);
    let event =
        (prop::sample::select(vec!["E", "f", "G"]), fields).prop_map(|(name, field)| event(name, &[field]));
    let push = prop_oneof![
        8 => content.prop_map(|content| text(&content)),
        2 => event,
        1 => Just(push("image", Fields::new())),
    ];
    let openid = prop::sample::select(vec!["oUser", "oOther", "oThird"]);
    (push, openid, any::<bool>()).prop_map(|(mut push, openid, shop)| {
        push.openid = openid.into();
        push.app = if shop { "shop" } else { "club" }.into();
        push
    })
}

/// A user as the past may have left them.
fn contact(now: Timestamp) -> impl Strategy<Value = Contact> {
    let minutes = prop::sample::select(vec![0i64, 9, 10, 59, 60, 5000]);
    let state = prop::sample::select(vec!["", "", "menu", "old"]);
    (prop::option::of(minutes), 0u32..4, state).prop_map(move |(silent, misses, state)| {
        let last = silent.map(|minutes| now - jiff::SignedDuration::from_mins(minutes));
        Contact {
            first_message: last,
            last_message: last,
            misses: if last.is_some() { misses } else { 0 },
            state: (!state.is_empty()).then(|| DialogState {
                name: state.to_owned(),
                until: now + jiff::SignedDuration::from_mins(5),
            }),
            ..Contact::default()
        }
    })
}

/// The rules that were reached.
fn reached(set: &RuleSet, message: &Inbound, facts: &Facts<'_>) -> (Vec<usize>, Decision) {
    let mut met = Vec::new();
    let decision = set.walk(message, &set.candidates(message), facts, &mut |id, _| {
        met.push(id as usize)
    });
    (met, decision)
}

fn check_witness(set: &RuleSet, at: usize, witness: &crate::rules::Witness) -> (bool, Option<usize>) {
    let facts = Facts {
        now: witness.now,
        contact: &witness.contact,
        app_cooldowns: &witness.app_cooldowns,
    };
    let (met, _) = reached(set, &witness.inbound, &facts);
    (met.contains(&at), met.last().copied())
}

/// `PROPTEST_CASES` asks for more.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig {
        max_global_rejects: u32::MAX,
        ..ProptestConfig::with_cases(asked.unwrap_or(200))
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_claim_about_reach_is_wrong(
        set in set_of_rules(),
        story in prop::collection::vec((message(), 0i64..200, any::<bool>()), 1..40),
        strangers in prop::collection::vec((message(), 0i64..20_000).prop_flat_map(|(message, minutes)| {
            let now = monday_ten() + jiff::SignedDuration::from_mins(minutes);
            contact(now).prop_map(move |contact| (message.clone(), now, contact))
        }), 1..60),
    ) {
        let reach = set.reach();
        let mut hidden = Vec::new();
        for (at, (name, verdict)) in reach.iter().enumerate() {
            match verdict {
                Reach::Hidden { by, taken_by, witness } => {
                    hidden.push(at);
                    prop_assert!(!by.is_empty() && by.iter().all(|by| *by < at), "{name}");
                    let explanation = set.explain(&witness.inbound, &Facts {
                        now: witness.now, contact: &witness.contact, app_cooldowns: &Cooldowns::new(),
                    });
                    prop_assert!(explanation.rules.iter().any(|t| t.rule == *name && t.matched), "{name} has its own witness");
                    prop_assert_eq!(check_witness(&set, at, witness), (false, Some(*taken_by)));
                }
                Reach::Open(witness) => prop_assert!(check_witness(&set, at, witness).0, "{name}"),
                Reach::Unknown => {}
            }
        }
        // Users come as strangers, and in one long talk in which states, cooldowns and misses build up.
        let none = Cooldowns::new();
        for (message, now, contact) in &strangers {
            let facts = Facts { now: *now, contact, app_cooldowns: &none };
            for at in reached(&set, message, &facts).0 {
                prop_assert!(!hidden.contains(&at), "{} is hidden, and took {message:?}", reach[at].0);
            }
        }
        let mut talk = Talk::new(&set);
        for (message, minutes, again) in &story {
            talk.wait(if *again { 0 } else { *minutes });
            let (contact, cooldowns) = (talk.contact.clone(), talk.app_cooldowns.clone());
            let facts = Facts { now: talk.now, contact: &contact, app_cooldowns: &cooldowns };
            for at in reached(&set, message, &facts).0 {
                prop_assert!(!hidden.contains(&at), "{} is hidden, and took {message:?}", reach[at].0);
            }
            talk.hear(message);
        }
    }
}

/// Of the rules of many random sets: how many are hidden, open, unknown.
#[test]
fn few_answers_are_cannot_tell() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut hidden, mut open, mut unknown) = (0, 0, 0);
    for _ in 0..200 {
        let set = set_of_rules().new_tree(&mut runner).expect("a set").current();
        for (_, reach) in set.reach() {
            match reach {
                Reach::Hidden { .. } => hidden += 1,
                Reach::Open(_) => open += 1,
                Reach::Unknown => unknown += 1,
            }
        }
    }
    let all = hidden + open + unknown;
    println!("{all} rules: {hidden} hidden, {open} open, {unknown} unknown");
    assert!(
        hidden * 100 > all * 3 && unknown * 100 < all * 12,
        "{hidden} {open} {unknown}"
    );
}

/// The verdicts on a file, a line a rule: `+` open, `-` hidden and by what, `?` unknown.
fn verdicts(file: &str) -> String {
    let loaded = load(&[Source::new("shop.toml", file)], &scope());
    let set = loaded.set.unwrap_or_else(|| panic!("{:?}", loaded.findings));
    let reach = set.reach();
    let line = |(name, verdict): &(crate::message::RuleName, Reach)| match verdict {
        Reach::Open(witness) => format!("+ {name}: {}", witness.words),
        Reach::Hidden {
            by,
            taken_by,
            witness,
        } => {
            let by: Vec<&str> = by.iter().map(|at| reach[*at].0.as_str()).collect();
            format!(
                "- {name} by {}: {} to {}",
                by.join(", "),
                witness.words,
                reach[*taken_by].0
            )
        }
        Reach::Unknown => format!("? {name}"),
    };
    reach.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn verdicts_come_with_what_shows_them() {
    insta::assert_snapshot!(verdicts(
        r#"
[[rule]]
name = "open"
when.keywords = ["开门", "营业"]
when.time = { hours = "09:00-21:00" }
[[rule]]
name = "closed"
when.keywords = ["开门", "营业"]
when.time = { hours = "09:00-21:00", not = true }
[[rule]]
name = "when"
when.keywords = ["几点开门", "營業時間"]
reply = "9:00"
[[rule]]
name = "noon"
when.exact = "开门吗"
when.time = { hours = "12:00-13:00", days = "sat" }
[[rule]]
name = "place"
when.keywords = "地址"
when.not_keywords = "收货地址"
[[rule]]
name = "parcel"
when.keywords = "地址"
[[rule]]
name = "again"
when.regex = "地址(在哪)?"
[[rule]]
name = "again with a state"
when.keywords = "地址"
when.state = "menu"
[[rule]]
name = "hello"
when.exact = ["hi", "你好"]
cooldown = { time = "1h", then = "next" }
[[rule]]
name = "hello again"
when.exact = "Hi!"
"#
    ), @"
    + open: `开门` on mon 2026-01-05 at 09:00
    + closed: `开门` on mon 2026-01-05 at 00:00
    - when by open, closed: `几点开门` on mon 2026-01-05 at 00:00 to closed
    - noon by open: `开门吗` on sat 2026-01-10 at 12:00 to open
    + place: `地址`
    + parcel: `收货地址`
    - again by parcel: `地址` to place
    - again with a state by parcel: `地址` in the state `menu` to place
    + hello: `hi`
    + hello again: `Hi!` while `hello` is in its cooldown
    ");
}

#[test]
fn a_hidden_rule_is_found_by_check() {
    let loaded = crate::rules::check(
        &[Source::new(
            "shop.toml",
            "[[rule]]\nname = \"营业时间\"\nwhen.keywords = [\"开门\"]\nreply = \"9:00\"\n\n[[rule]]\nname = \"周末\"\nwhen.keywords = [\"几点开门\"]\nwhen.time = { days = \"sat,sun\" }\nreply = \"10:00\"\n",
        )],
        &scope(),
    );
    let hidden: Vec<String> = loaded
        .findings
        .iter()
        .filter(|finding| finding.code == "W030")
        .map(|finding| render(finding, false))
        .collect();
    insta::assert_snapshot!(hidden.join("\n"), @r#"
    warning[W030]: `周末` can never answer: for example, `几点开门` on sat 2026-01-10 at 10:00 goes to `营业时间` (shop.toml:1)
     --> shop.toml:7:8
      |
    2 | name = "营业时间"
      |        ---------- takes them first
    ...
    7 | name = "周末"
      |        ^^^^^^ rules above always take its messages first
      |
      = help: give it a higher `priority`, or write it above `营业时间`; or narrow that rule, or remove this one
    "#);
}
