//! Each condition of one rule by itself, in words. Compiles what it needs on the way: for people, not for traffic.

use super::{Pattern, TextConditions};
use crate::message::Fields;
use crate::text::{contains_keyword, exact_form, normal_form};

pub(super) fn explain(
    conditions: &TextConditions,
    text: Option<&str>,
    fields: &Fields,
) -> Vec<(bool, String)> {
    let TextConditions {
        exact,
        keywords,
        all_keywords,
        not_keywords,
        regex,
        fields: field_patterns,
    } = conditions;
    let mut lines = Vec::new();
    let mut say = |name: &str, list: &[String], judge: &dyn Fn(&str) -> (bool, String)| {
        if !list.is_empty() {
            let (holds, why) = text.map_or((false, "the message has no text".to_owned()), judge);
            lines.push((holds, format!("{name}: {why}")));
        }
    };
    let found = |list: &[String], text: &str| -> (Vec<String>, Vec<String>) {
        let normal = normal_form(text);
        list.iter()
            .cloned()
            .partition(|keyword| contains_keyword(&normal, &normal_form(keyword)))
    };
    say("exact", exact, &|text| {
        let form = exact_form(text);
        match exact.iter().find(|exact| exact_form(exact) == form) {
            Some(hit) => (true, format!("the text is {hit:?}")),
            None => (false, format!("the text {form:?} is not {}", one_of(exact))),
        }
    });
    say("keywords", keywords, &|text| match found(keywords, text) {
        (hits, _) if !hits.is_empty() => (true, format!("found {}", list(&hits))),
        _ => (false, format!("found none of {}", list(keywords))),
    });
    say(
        "all_keywords",
        all_keywords,
        &|text| match found(all_keywords, text) {
            (_, misses) if !misses.is_empty() => (false, format!("did not find {}", list(&misses))),
            (hits, _) => (true, format!("found {}", list(&hits))),
        },
    );
    say(
        "not_keywords",
        not_keywords,
        &|text| match found(not_keywords, text) {
            (hits, _) if !hits.is_empty() => (false, format!("found {}", list(&hits))),
            _ => (true, format!("found none of {}", list(not_keywords))),
        },
    );
    say(
        "regex",
        regex,
        &|text| match regex.iter().find(|pattern| finds(pattern, text)) {
            Some(hit) => (true, format!("{hit:?} matches")),
            None => (false, format!("no match for {}", one_of(regex))),
        },
    );
    for (path, pattern) in field_patterns {
        let values = fields.path(path);
        let (holds, why) = match values.iter().find(|value| finds(pattern, value)) {
            Some(value) => (true, format!("{pattern:?} matches {value:?}")),
            None if values.is_empty() => (false, "the message has no such field".to_owned()),
            None => (false, format!("{pattern:?} does not match {}", one_of(&values))),
        };
        lines.push((holds, format!("fields.{path}: {why}")));
    }
    lines
}

fn finds(pattern: &str, text: &str) -> bool {
    Pattern::compile(pattern).is_ok_and(|pattern| pattern.is_match(text))
}

fn list(items: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| format!("{:?}", item.as_ref())).collect();
    quoted.join(", ")
}

fn one_of(items: &[impl AsRef<str>]) -> String {
    match items {
        [_] => list(items),
        _ => format!("one of {}", list(items)),
    }
}
