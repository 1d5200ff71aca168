//! Sentences that the engine says in English, known again so that they can be told in Chinese.

/// A sentence with places, `{}`, and the same in Chinese with the places in the same order. The first that fits counts.
pub(super) type Table = &'static [(&'static str, &'static str)];

/// What stands in the places of a sentence; `None` when the text is another one.
pub(super) fn places<'t>(sentence: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut parts = sentence.split("{}").peekable();
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut places = Vec::new();
    while let Some(part) = parts.next() {
        let (place, after) = match parts.peek() {
            // The last part ends the text.
            None => (rest.strip_suffix(part)?, ""),
            Some(_) => rest.split_once(part)?,
        };
        places.push(place);
        rest = after;
    }
    rest.is_empty().then_some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_gives_what_stands_in_its_places() {
        assert_eq!(
            places("found {}", "found \"a\", \"b\""),
            Some(vec!["\"a\", \"b\""])
        );
        assert_eq!(places("{} is {}", "x is y"), Some(vec!["x", "y"]));
        assert_eq!(places("{} matches", "\"x\" matches"), Some(vec!["\"x\""]));
        assert_eq!(places("a", "a"), Some(vec![]));
        for (sentence, text) in [
            ("found {}", "lost x"),
            ("{} matches", "x match"),
            ("a", "ab"),
            ("{}b", ""),
        ] {
            assert_eq!(places(sentence, text), None, "{sentence} {text}");
        }
    }
}
