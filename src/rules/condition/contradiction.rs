//! Conditions of one rule that can never hold together. Said only when it is certain.

use super::{Demand, Draft, Kinds};
use crate::diagnostic::{Diagnostic, Span};
use crate::rules::codes;
use crate::rules::read::Reader;
use crate::text::{contains_keyword, exact_form, normal_form};

/// A way to write a text so that texts can be compared.
type Form = fn(&str) -> String;

/// What can't be.
struct Contradiction {
    message: String,
    /// Two keys of `when`, and what to say at each; one, when a condition contradicts itself.
    keys: Vec<(&'static str, String)>,
    help: &'static str,
}

/// Notes the first contradiction, if there is one.
pub(super) fn find(reader: &mut Reader<'_>, draft: &Draft, kinds: &Kinds) {
    let found = never_contained(draft)
        .or_else(|| exact_without(draft))
        .or_else(|| events_only(draft, kinds))
        .or_else(|| never_such_a_user(draft, kinds))
        .or_else(|| never_such_a_time(draft));
    let Some(found) = found else { return };
    let mut places: Vec<(Span, String)> = found
        .keys
        .into_iter()
        .filter_map(|(key, label)| Some((draft.places.get(key)?.clone(), label)))
        .collect();
    // The later one is where the eye stops.
    places.sort_by_key(|(span, _)| span.start);
    let Some((span, label)) = places.pop() else { return };
    let mut finding = Diagnostic::error(codes::CONTRADICTION, found.message)
        .at(reader.source, span, label)
        .help(found.help);
    for (span, label) in places {
        finding = finding.see(reader.source, span, label);
    }
    reader.note(finding);
}

/// What the message must contain, it must not contain.
fn never_contained(draft: &Draft) -> Option<Contradiction> {
    let text = &draft.text;
    let not: Vec<String> = text.not_keywords.iter().map(|word| normal_form(word)).collect();
    let forbidden = |word: &str, form: Form| {
        let word = form(word);
        not.iter().position(|not| contains_keyword(&word, not))
    };
    let help = "take the word out of `when.not_keywords`, or out of the other list";
    let both = |key: &'static str, word: &str, not: usize, every: bool| Contradiction {
        message: if every {
            format!("every text of `{key}` holds a word of `not_keywords`, so this can never hold")
        } else {
            format!("`{word}` must be in the text, and must not, so this can never hold")
        },
        keys: vec![
            (key, format!("asks for `{word}`")),
            ("not_keywords", format!("forbids `{}`", text.not_keywords[not])),
        ],
        help,
    };
    if let Some((word, not)) = text
        .all_keywords
        .iter()
        .find_map(|word| Some((word, forbidden(word, normal_form)?)))
    {
        return Some(both("all_keywords", word, not, false));
    }
    let lists: [(&'static str, &[String], Form); 2] = [
        ("exact", &text.exact, exact_form),
        ("keywords", &text.keywords, normal_form),
    ];
    lists.into_iter().find_map(|(key, words, form)| {
        let nots: Option<Vec<usize>> = words.iter().map(|word| forbidden(word, form)).collect();
        let (not, word) = (*nots?.first()?, words.first()?);
        Some(both(key, word, not, words.len() > 1))
    })
}

/// No text of `exact` holds what it must. Only words that closing punctuation can't complete are looked for.
fn exact_without(draft: &Draft) -> Option<Contradiction> {
    let text = &draft.text;
    let complete = |word: &str| exact_form(&format!("字{word}")) == format!("字{word}");
    let lacks = |word: &String| {
        let word = normal_form(word);
        complete(&word)
            && text
                .exact
                .iter()
                .all(|exact| !contains_keyword(&exact_form(exact), &word))
    };
    if text.exact.is_empty() {
        return None;
    }
    let (key, word) = if let Some(word) = text.all_keywords.iter().find(|word| lacks(word)) {
        ("all_keywords", word)
    } else if !text.keywords.is_empty() && text.keywords.iter().all(lacks) {
        ("keywords", &text.keywords[0])
    } else {
        return None;
    };
    Some(Contradiction {
        message: format!("no text of `exact` holds what `{key}` asks for, so this can never hold"),
        keys: vec![
            ("exact", format!("without `{word}`")),
            (key, format!("asks for `{word}`")),
        ],
        help: "conditions of a rule must hold together: for either, write two rules",
    })
}

/// An event is no message.
fn events_only(draft: &Draft, kinds: &Kinds) -> Option<Contradiction> {
    let only = !kinds.events.is_empty()
        || !kinds.msg_types.is_empty() && kinds.msg_types.iter().all(|kind| kind == "event");
    let key = asks(draft).find_map(|ask| match ask {
        Demand::FirstMessage(true) => Some("first_message"),
        Demand::Misses(_) => Some("misses"),
        _ => None,
    });
    let asks_for = match draft.events {
        Some(_) => "event",
        None => "msg_type",
    };
    key.filter(|_| only).map(|key| Contradiction {
        message: format!("an event is no message, so `{key}` can never hold"),
        keys: vec![
            (asks_for, "asks for an event".to_owned()),
            (key, "holds for messages only".to_owned()),
        ],
        help: "leave one of them out; `when.idle` is a condition that events can fulfil",
    })
}

/// Who writes for the first time has missed nothing yet.
fn never_such_a_user(draft: &Draft, kinds: &Kinds) -> Option<Contradiction> {
    let misses = asks(draft).find_map(|ask| match ask {
        Demand::Misses(least) => Some(least),
        _ => None,
    })?;
    let first = asks(draft).any(|ask| matches!(ask, Demand::FirstMessage(true)));
    (first && misses > 1 && kinds.events.is_empty()).then(|| Contradiction {
        message: format!(
            "a user's first message is never their miss number {misses}, so this can never hold"
        ),
        keys: vec![
            ("first_message", "nothing was missed before".to_owned()),
            ("misses", format!("counts {misses} messages")),
        ],
        help: "leave one of them out",
    })
}

/// Dates that have none of the days.
fn never_such_a_time(draft: &Draft) -> Option<Contradiction> {
    let never = asks(draft).any(|ask| match ask {
        Demand::Time(time) => time.never(),
        _ => false,
    });
    never.then(|| Contradiction {
        message: "there is no such time".to_owned(),
        keys: vec![("time", "its parts never hold together".to_owned())],
        help: "`hours`, `days` and `dates` must hold together: for either, write two rules",
    })
}

fn asks(draft: &Draft) -> impl Iterator<Item = Demand<'_>> {
    draft.on_facts.iter().filter_map(|condition| condition.demand())
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::{Source, render};
    use crate::rules::load;
    use crate::rules::tests::scope;

    fn findings(when: &str) -> Vec<String> {
        let file = format!("[[rule]]\nname = 'a'\n{when}\n[[rule]]\nname = 'b'\nset_state = 'menu'\n");
        let loaded = load(&[Source::new("shop.toml", file)], &scope());
        loaded
            .findings
            .iter()
            .map(|finding| render(finding, false))
            .collect()
    }

    #[test]
    fn what_can_never_hold_is_said() {
        for (when, says) in [
            (
                "when.all_keywords = ['奶茶']\nwhen.not_keywords = ['奶']",
                "`奶茶` must be in the text, and must not",
            ),
            (
                "when.keywords = ['奶茶', '奶']\nwhen.not_keywords = ['奶']",
                "every text of `keywords`",
            ),
            (
                "when.exact = 'say hi'\nwhen.not_keywords = ['HI']",
                "`say hi` must be in the text",
            ),
            (
                "when.exact = '茶'\nwhen.all_keywords = ['奶']",
                "no text of `exact`",
            ),
            (
                "when.exact = '茶'\nwhen.keywords = ['奶', 'x']",
                "no text of `exact`",
            ),
            (
                "when.event = 'E'\nwhen.misses = 1",
                "an event is no message, so `misses`",
            ),
            (
                "when.msg_type = 'event'\nwhen.first_message = true",
                "so `first_message`",
            ),
            ("when.first_message = true\nwhen.misses = 2", "miss number 2"),
            (
                "when.time = { dates = '2026-01-05..2026-01-09', days = 'sat' }",
                "no such time",
            ),
            (
                "when.time = { hours = '00:00-24:00', not = true }",
                "no such time",
            ),
        ] {
            let found = findings(when);
            assert_eq!(found.len(), 1, "{when}: {found:?}");
            assert!(
                found[0].starts_with("error[E019]") && found[0].contains(says),
                "{}",
                found[0]
            );
        }
    }

    #[test]
    fn what_can_hold_is_let_be() {
        for when in [
            "when.all_keywords = ['奶']\nwhen.not_keywords = ['奶茶']",
            "when.keywords = ['奶茶', '茶']\nwhen.not_keywords = ['奶']",
            "when.keywords = ['this']\nwhen.not_keywords = ['hi']",
            "when.exact = '茶'\nwhen.all_keywords = ['茶?']",
            "when.exact = ['茶', '奶茶']\nwhen.all_keywords = ['奶']",
            "when.event = 'E'\nwhen.idle = '1h'",
            "when.event = 'E'\nwhen.first_message = false",
            "when.first_message = true\nwhen.misses = 1",
            "when.first_message = true\nwhen.state = 'menu'",
            "when.first_message = true\nwhen.idle = '1h'",
            "when.time = { hours = '22:00-02:00', dates = '2026-01-05', days = 'mon' }",
        ] {
            let found = findings(when);
            assert!(found.is_empty(), "{when}: {found:?}");
        }
    }

    #[test]
    fn the_later_condition_is_pointed_at() {
        let found = findings("when.not_keywords = ['奶']\nwhen.all_keywords = ['奶茶']");
        insta::assert_snapshot!(found.join("\n"), @"
        error[E019]: `奶茶` must be in the text, and must not, so this can never hold
         --> shop.toml:4:21
          |
        3 | when.not_keywords = ['奶']
          |                     ------ forbids `奶`
        4 | when.all_keywords = ['奶茶']
          |                     ^^^^^^^^ asks for `奶茶`
          |
          = help: take the word out of `when.not_keywords`, or out of the other list
        ");
    }
}
