//! A regular expression where a keyword stands: its signs are looked for as they are, and never found.

use std::collections::BTreeSet;

use super::written::Written;
use crate::diagnostic::Diagnostic;
use crate::rules::{Scope, codes};

pub(super) fn lint(written: &Written<'_>, _: &Scope, findings: &mut Vec<Diagnostic>) {
    let mut said = BTreeSet::new();
    for word in written.words(&["exact", "keywords", "all_keywords", "not_keywords"]) {
        let place = (word.source.path.as_path(), word.span.start);
        if !looks_like_a_regex(word.text) || !said.insert(place) {
            continue;
        }
        let help = if word.text.contains('\'') {
            "write it under `when.regex`".to_owned()
        } else {
            format!("write `when.regex = '{}'`", word.text)
        };
        findings.push(
            Diagnostic::warning(
                codes::REGEX_AS_KEYWORD,
                format!("{:?} is looked for as it stands, sign by sign", word.text),
            )
            .at(word.source, word.span, "looks like a regular expression")
            .help(help),
        );
    }
}

/// Whether a text has signs that hardly anybody types, but every regex has.
pub(super) fn looks_like_a_regex(text: &str) -> bool {
    const SIGNS: &[&str] = &[
        ".*", ".+", ".?", "\\d", "\\w", "\\s", "\\b", "(?", "[0-9", "[a-z", "[A-Z", "[^",
    ];
    let grouped = || {
        let (open, bar, close) = (text.find('(')?, text.find('|')?, text.rfind(')')?);
        (open < bar && bar < close).then_some(())
    };
    let price = |text: &str| text.ends_with(|c: char| c.is_numeric() || c.is_whitespace());
    SIGNS.iter().any(|sign| text.contains(sign))
        || grouped().is_some()
        || text.starts_with('^') && text.chars().count() > 2
        || text
            .strip_suffix('$')
            .is_some_and(|rest| !rest.is_empty() && !price(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_a_regex_are_told_from_what_customers_type() {
        for regex in [
            ".*价格.*",
            "^价格$",
            "价格$",
            "(价格|多少钱)",
            "订单\\d+",
            "[0-9]+元",
            "^你好",
        ] {
            assert!(looks_like_a_regex(regex), "{regex}");
        }
        for text in [
            "价格",
            "100$",
            "^^",
            "^_",
            "(1)",
            "a|b",
            "...",
            "你好。",
            "[图片]",
            "c++",
            "$",
        ] {
            assert!(!looks_like_a_regex(text), "{text}");
        }
    }
}
