//! A text that a pattern matches, taken from the pattern's own structure. A guess: whoever uses it asks the engine.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Longer texts are no examples.
const MAX_LEN: usize = 400;

/// A text that `pattern` probably matches. `choice` picks among alternatives.
pub(super) fn example(pattern: &str, choice: usize) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let mut text = String::new();
    write(&hir, choice, &mut text)?;
    Some(text)
}

/// Whether `pattern` finds a match in every text, the empty one included.
pub(super) fn matches_anything(pattern: &str) -> bool {
    regex_syntax::parse(pattern).is_ok_and(|hir| {
        let properties = hir.properties();
        properties.minimum_len() == Some(0) && properties.look_set().is_empty()
    })
}

fn write(hir: &Hir, choice: usize, text: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => text.push(one_of(class)?),
        HirKind::Capture(capture) => write(&capture.sub, choice, text)?,
        HirKind::Repetition(repetition) => {
            // What may be left out is left out at first, and written at second.
            let least = repetition
                .min
                .max(u32::from(choice % 2 == 1 && repetition.max != Some(0)));
            for _ in 0..least {
                write(&repetition.sub, choice, text)?;
            }
        }
        HirKind::Concat(parts) => {
            for part in parts {
                write(part, choice, text)?;
            }
        }
        HirKind::Alternation(branches) => {
            write(branches.get(choice % branches.len().max(1))?, choice, text)?;
        }
    }
    (text.len() <= MAX_LEN).then_some(())
}

/// The character of a class that a person would type.
fn one_of(class: &Class) -> Option<char> {
    let ascii;
    let class = match class {
        Class::Unicode(class) => class,
        Class::Bytes(class) => {
            ascii = class.to_unicode_class()?;
            &ascii
        }
    };
    let has = |c: &char| {
        class
            .iter()
            .any(|range| (range.start()..=range.end()).contains(c))
    };
    ['1', 'a', '好', ' ', 'A', '-']
        .into_iter()
        .find(has)
        .or_else(|| class.iter().next().map(|range| range.start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::matcher::Pattern;

    #[test]
    fn examples_match_their_patterns() {
        for pattern in [
            r"订单号?[:：\s#]*(?<order>\d{6,20})",
            r"^\s*(?<order>\d{6,20})\s*$",
            "(?i)refund|return",
            "^(人工|客服)[^a-z]+$",
            r"\p{Han}{2}x*",
            ".",
        ] {
            for choice in 0..3 {
                let text = example(pattern, choice).expect("one");
                let compiled = Pattern::compile(pattern).expect("valid");
                assert!(compiled.is_match(&text), "{pattern} on {text:?}");
            }
        }
        assert_eq!(example("[a&&b]", 0), None);
        assert_eq!(example("a{1000}", 0), None);
    }

    #[test]
    fn what_matches_anything_is_known() {
        for (pattern, expected) in [
            (".*", true),
            ("", true),
            ("(茶)?", true),
            ("^", false),
            (".+", false),
            (r"\b", false),
            ("[a&&b]", false),
        ] {
            assert_eq!(matches_anything(pattern), expected, "{pattern}");
        }
    }
}
