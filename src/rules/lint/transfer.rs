//! A hand-over at any hour: at night the customer waits for an agent who is not there.

use toml::de::DeValue;

use super::written::{Rule, Written, same};
use crate::diagnostic::Diagnostic;
use crate::rules::{Scope, codes};

/// Conditions that are lists of what is enough: one with more of them takes more messages.
const WIDER_WITH_MORE: &[&str] = &[
    "msg_type", "event", "exact", "keywords", "regex", "users", "state",
];

pub(super) fn lint(written: &Written<'_>, _: &Scope, findings: &mut Vec<Diagnostic>) {
    let mut rules: Vec<_> = written
        .enabled()
        .filter(|rule| !rule.flag("observe", false))
        .collect();
    // Stable: rules of one priority keep the order of their files and places.
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.priority()));
    for (at, rule) in rules.iter().enumerate() {
        let hands_over = rule
            .get("transfer")
            .is_some_and(|node| !matches!(node.get_ref(), DeValue::Boolean(false)));
        if !hands_over || has_time(rule) || rules[..at].iter().any(|other| stands_in(other, rule)) {
            continue;
        }
        let place = rule
            .get("transfer")
            .map_or_else(|| rule.place(), |node| node.span());
        findings.push(
            Diagnostic::warning(
                codes::TRANSFER_AT_ANY_HOUR,
                "this rule hands over to an agent at any hour",
            )
            .at(rule.source, place, "also when nobody is there")
            .help("WeChat lets the customer wait without a word: add `when.time = { hours = \"09:00-21:00\" }`, and a second rule with `not = true` that says when somebody is back"),
        );
    }
}

fn has_time(rule: &Rule<'_>) -> bool {
    rule.when().is_some_and(|when| when.contains_key("time"))
}

/// Whether a rule that is tried before `rule` takes all its messages at some time of the day, and does not hand over.
fn stands_in(other: &Rule<'_>, rule: &Rule<'_>) -> bool {
    let apps = |rule: &Rule<'_>| -> Vec<String> {
        rule.texts("app")
            .iter()
            .map(|word| word.text.to_owned())
            .collect()
    };
    let (mine, its) = (apps(rule), apps(other));
    has_time(other)
        && other.get("transfer").is_none()
        && !other.flag("continue", false)
        && (its.is_empty() || !mine.is_empty() && mine.iter().all(|app| its.contains(app)))
        && other.when().is_some_and(|when| {
            when.iter()
                .filter(|(key, _)| key.get_ref() != "time")
                .all(|(key, node)| wider(key.get_ref(), node.get_ref(), other, rule))
        })
}

/// Whether one condition of `other` holds whenever `rule` matches.
fn wider(key: &str, value: &DeValue<'_>, other: &Rule<'_>, rule: &Rule<'_>) -> bool {
    if let Some(mine) = rule.when().and_then(|when| when.get(key)) {
        if same(mine.get_ref(), value) {
            return true;
        }
        let (mine, its) = (rule.words(key), other.words(key));
        return WIDER_WITH_MORE.contains(&key)
            && !mine.is_empty()
            && mine
                .iter()
                .all(|word| its.iter().any(|its| its.text == word.text));
    }
    // A condition on the text means a text message.
    let on_text = ["exact", "keywords", "all_keywords", "not_keywords", "regex"]
        .iter()
        .any(|condition| !rule.words(condition).is_empty());
    key == "msg_type" && on_text && other.words(key).iter().any(|word| word.text == "text")
}
