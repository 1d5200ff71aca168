//! A keyword that holds a separator: probably several keywords that someone wrote as one.

use std::collections::BTreeSet;

use super::regex_as_keyword::looks_like_a_regex;
use super::written::Written;
use crate::diagnostic::Diagnostic;
use crate::rules::{Scope, codes};

pub(super) fn lint(written: &Written<'_>, _: &Scope, findings: &mut Vec<Diagnostic>) {
    let contained = written.words(&["keywords", "all_keywords", "not_keywords"]);
    let whole = written.words(&["exact"]);
    // A list may serve both ways; what is suspicious in either is said once.
    let mut said = BTreeSet::new();
    for (word, parts) in contained
        .map(|word| (parts(word.text), word))
        .chain(whole.map(|word| (sentence_parts(word.text), word)))
        .filter_map(|(parts, word)| Some((word, parts?)))
    {
        let place = (word.source.path.as_path(), word.span.start);
        if looks_like_a_regex(word.text) || !said.insert(place) {
            continue;
        }
        let split: Vec<_> = parts.iter().map(|part| format!("{part:?}")).collect();
        findings.push(
            Diagnostic::warning(
                codes::SEPARATOR,
                format!("{:?} is one keyword, and is found only as it stands", word.text),
            )
            .at(
                word.source,
                word.span,
                format!("probably {} keywords", parts.len()),
            )
            .help(format!("write each one by itself: {}", split.join(", "))),
        );
    }
}

/// What a keyword was probably meant to be, if several.
fn parts(word: &str) -> Option<Vec<&str>> {
    for separator in ['|', '｜', '，', '、', '；', ',', ';', '/', '／'] {
        let parts = split(word, separator);
        // "24/7", "1,000" and "w/o" are one thing each.
        let latin = separator.is_ascii() && separator != '|';
        if parts.len() > 1 && !(latin && parts.iter().any(|part| part.is_ascii())) {
            return Some(parts);
        }
    }
    // Chinese has no spaces between words.
    let parts: Vec<_> = word.split_whitespace().collect();
    (parts.len() > 1 && parts.iter().all(|part| part.chars().all(is_chinese))).then_some(parts)
}

/// The same for a whole message, in which commas are at home.
fn sentence_parts(text: &str) -> Option<Vec<&str>> {
    for (separator, least) in [
        ('|', 2),
        ('｜', 2),
        ('/', 2),
        ('／', 2),
        ('、', 3),
        ('，', 3),
        (',', 3),
    ] {
        let parts = split(text, separator);
        let short = parts.iter().all(|part| part.chars().count() <= 6);
        let chinese = parts.iter().all(|part| part.chars().any(is_chinese));
        if parts.len() >= least && (separator == '|' || short && chinese) {
            return Some(parts);
        }
    }
    None
}

fn split(text: &str, separator: char) -> Vec<&str> {
    text.split(separator)
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_one_thing_is_left_alone() {
        for one in [
            "营业时间",
            "24/7",
            "1,000",
            "w/o",
            "thank you",
            "wi-fi",
            "iPhone 手机",
            "AC/DC",
            "，",
            "价格，",
            "9/1开学",
        ] {
            assert_eq!(parts(one), None, "{one}");
        }
        for sentence in ["你好，在吗", "谢谢，不用了", "在吗", "24/7"] {
            assert_eq!(sentence_parts(sentence), None, "{sentence}");
        }
    }

    #[test]
    fn what_is_several_things_is_taken_apart() {
        for two in [
            "营业时间，几点开门",
            "营业时间、几点开门",
            "营业时间 几点开门",
            "营业时间　几点开门",
            "营业时间|几点开门",
            "营业时间/几点开门",
            "营业时间; 几点开门",
            "营业时间,几点开门",
        ] {
            assert_eq!(parts(two), Some(vec!["营业时间", "几点开门"]), "{two}");
        }
        assert_eq!(sentence_parts("你好/在吗"), Some(vec!["你好", "在吗"]));
        assert_eq!(sentence_parts("菜单、点单、下单").map(|p| p.len()), Some(3));
    }
}
