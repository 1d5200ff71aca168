//! `explain` and `decide` are two tellings of one story.

use proptest::prelude::*;

use super::*;
use crate::message::{DialogState, InboundStatus};

fn rule() -> impl Strategy<Value = String> {
    let pick = |options: &'static [&'static str]| prop::sample::select(options);
    (
        pick(&[
            "",
            "when.keywords = ['茶', 'tea']",
            "when.exact = '1'",
            "when.regex = '\\d'",
            "when.msg_type = 'text'",
            "when.event = 'E'",
            "when.fields = { SessionFrom = 'home' }",
        ]),
        pick(&[
            "",
            "when.state = 'menu'",
            "when.state = ''",
            "when.misses = 2",
            "when.idle = '1h'",
            "when.first_message = true",
            "when.users = 'oUser'",
        ]),
        pick(&[
            "",
            "when.time = { hours = '09:00-18:00' }",
            "when.time = { days = 'sun', not = true }",
        ]),
        pick(&[
            "",
            "continue = true",
            "observe = true",
            "app = 'club'",
            "enabled = false",
            "priority = 3",
        ]),
        pick(&[
            "",
            "cooldown = '10m'",
            "cooldown = { time = '5m', per = 'app', then = 'next' }",
            "mute = '3m'",
            "set_state = 'menu'",
            "set_state = ''",
        ]),
        pick(&["", "reply = 'R'", "reply = ['R', '{{ msg.Content }}']"]),
    )
        .prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].join("\n"))
}

fn inbound() -> impl Strategy<Value = Inbound> {
    prop_oneof![
        prop::sample::select(vec!["茶", "1", "tea 7", "啊", ""]).prop_map(text),
        prop::sample::select(vec![("E", "home"), ("e", "cart"), ("F", "home")])
            .prop_map(|(name, from)| event(name, &[("SessionFrom", from)])),
        Just(push("image", Fields::new())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_rules_that_explain_says_matched_are_those_that_hold(
        rules in prop::collection::vec(rule(), 1..8),
        story in prop::collection::vec((inbound(), 0i64..90), 1..10),
    ) {
        let mut file = "[[rule]]\nname = 'sets'\nwhen.exact = 'never'\nset_state = 'menu'\n".to_owned();
        for (i, rule) in rules.iter().enumerate() {
            let rule = format!("[[rule]]\nname = 'r{i}'\n{rule}\n");
            let alone = load(&[Source::new("a.toml", rule.as_str())], &scope());
            // Chance also writes rules that contradict themselves; no other mistake.
            if alone.set.is_some() {
                file += &rule;
            } else {
                prop_assert!(alone.findings.iter().filter(|d| d.is_error()).all(|d| d.code == "E019"), "{:?}", alone.findings);
            }
        }
        let loaded = load(&[Source::new("a.toml", file.as_str())], &scope());
        let set = loaded.set.expect("every rule is fine");
        let mut talk = Talk::new(&set);
        for (message, minutes) in story {
            talk.wait(minutes);
            let (contact, app_cooldowns) = (talk.contact.clone(), talk.app_cooldowns.clone());
            let facts = Facts { now: talk.now, contact: &contact, app_cooldowns: &app_cooldowns };
            let candidates = set.candidates(&message);
            let explanation = set.explain(&message, &facts);
            let said: Vec<_> = explanation.rules.iter().filter(|t| t.matched).map(|t| t.rule.clone()).collect();
            // What `decide` finds when nothing stops it: the same candidates, judged by the same facts.
            let fresh = crate::rules::decide::known_before(&message, &facts);
            let moment = crate::rules::condition::Moment::new(&message, talk.now, &fresh, &set.timezone);
            let held: Vec<_> = candidates.ids().iter().filter_map(|id| set.rule(*id))
                .filter(|rule| rule.holds_at(&moment)).map(|rule| rule.name.clone()).collect();
            prop_assert_eq!(&said, &held);
            let decision = talk.hear(&message);
            if let Some(rule) = &decision.rule {
                prop_assert!(said.contains(rule));
            }
            prop_assert_eq!(decision.status == InboundStatus::Muted, fresh.muted_until.is_some());
            prop_assert!(decision.contact.state.iter().all(|state: &DialogState| state.until > talk.now));
        }
    }

    #[test]
    fn a_damaged_file_gives_findings_and_never_a_panic(
        cut in (0usize..4000, 0usize..60),
        insert in (0usize..4000, prop::sample::select(vec!["", "\"", "'", "[", "{{", "}}", "=", "\n[[rule]]\n", "\\", "\u{0}", "锦", "{% if %}", "@"])),
    ) {
        let mut file = include_str!("../../../rules/shop.toml").to_owned();
        let at = |file: &str, i: usize| file.floor_char_boundary(i.min(file.len()));
        file.replace_range(at(&file, cut.0)..at(&file, cut.0 + cut.1), "");
        file.insert_str(at(&file, insert.0), insert.1);
        let loaded = load(&[Source::new("a.toml", file)], &scope());
        prop_assert_eq!(loaded.set.is_none(), loaded.findings.iter().any(|finding| finding.is_error()));
        for finding in &loaded.findings {
            prop_assert!(render(finding, false).contains(finding.code));
        }
    }
}
