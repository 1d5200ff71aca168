//! What is known of every message in one corner of a rule: one of its words, or of its patterns. From that: which
//! conditions of another rule all these messages fulfil.

use super::example::matches_anything;
use crate::rules::matcher::{TextConditions, required_strings};
use crate::text::{contains_keyword, exact_form, normal_form, without_closing};

/// One of the ways in which a rule's conditions on text can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// The text is this, but for how it is written.
    Exact(&'a str),
    /// The text contains this.
    Keyword(&'a str),
    /// This pattern finds a match.
    Regex(&'a str),
    /// The rule asks for nothing of these.
    Any,
}

/// The ways of a rule: every message that it takes goes one of them.
pub(super) fn ways(text: Option<&TextConditions>) -> Vec<Way<'_>> {
    let Some(text) = text else {
        return vec![Way::Any];
    };
    let some = |list: &'_ [String]| !list.is_empty();
    if some(&text.exact) {
        text.exact.iter().map(|text| Way::Exact(text)).collect()
    } else if some(&text.keywords) {
        text.keywords.iter().map(|word| Way::Keyword(word)).collect()
    } else if some(&text.regex) {
        text.regex.iter().map(|pattern| Way::Regex(pattern)).collect()
    } else {
        vec![Way::Any]
    }
}

/// What every message that goes one way has.
pub(super) struct Known<'a> {
    /// What the whole text is, in its exact form.
    whole: Option<String>,
    /// Sets of words in normal form: of each set, one stands in the text, its Latin ends free.
    words: Vec<Vec<String>>,
    /// Words that the text does not contain.
    not: Vec<String>,
    /// One of these finds a match in the original text.
    regex: Vec<&'a str>,
    fields: &'a [(String, String)],
    /// There is a text.
    text: bool,
}

impl<'a> Known<'a> {
    /// What a rule's conditions say about its messages that go this way.
    pub(super) fn of(conditions: Option<&'a TextConditions>, way: Way<'a>) -> Self {
        let mut known = Self {
            whole: None,
            words: Vec::new(),
            not: Vec::new(),
            regex: Vec::new(),
            fields: &[],
            text: false,
        };
        let Some(conditions) = conditions else {
            return known;
        };
        let normal = |words: &[String]| words.iter().map(|word| normal_form(word)).collect::<Vec<_>>();
        known.words = conditions
            .all_keywords
            .iter()
            .map(|word| vec![normal_form(word)])
            .collect();
        known.not = normal(&conditions.not_keywords);
        known.regex = conditions.regex.iter().map(String::as_str).collect();
        known.fields = &conditions.fields;
        known.text = asks_for_text(conditions);
        match way {
            Way::Exact(text) => {
                let whole = exact_form(text);
                known.words.push(vec![whole.clone()]);
                known.whole = Some(whole);
            }
            Way::Keyword(word) => known.words.push(vec![normal_form(word)]),
            Way::Regex(pattern) => known.regex = vec![pattern],
            Way::Any => {}
        }
        if !matches!(way, Way::Keyword(_)) && !conditions.keywords.is_empty() {
            known.words.push(normal(&conditions.keywords));
        }
        if let [pattern] = known.regex[..] {
            // Han characters stay as they are whatever stands beside them; others may melt into their neighbours, or
            // have a letter there.
            let han = |words: &Vec<String>| {
                words
                    .iter()
                    .all(|word| word.chars().all(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)))
            };
            known
                .words
                .extend(required_strings(pattern).into_iter().filter(han));
        }
        known
    }

    /// Whether no message goes this way: it would have to contain what it must not.
    pub(super) fn nothing(&self) -> bool {
        self.not
            .iter()
            .any(|word| self.contains_one_of(std::slice::from_ref(word)))
    }

    /// Whether all these messages fulfil the conditions of another rule.
    pub(super) fn implies(&self, other: Option<&TextConditions>) -> bool {
        let Some(other) = other else {
            return true;
        };
        let normal = |words: &[String]| words.iter().map(|word| normal_form(word)).collect::<Vec<_>>();
        (self.text || !asks_for_text(other))
            && (other.exact.is_empty()
                || self.whole.is_some()
                    && other
                        .exact
                        .iter()
                        .any(|text| self.whole == Some(exact_form(text))))
            && (other.keywords.is_empty() || self.contains_one_of(&normal(&other.keywords)))
            && normal(&other.all_keywords)
                .iter()
                .all(|word| self.contains_one_of(std::slice::from_ref(word)))
            && normal(&other.not_keywords).iter().all(|word| self.lacks(word))
            && self.matches_one_of(&other.regex)
            && other.fields.iter().all(|field| self.has_field(field))
    }

    /// Whether each text contains one of these. A word inside another has its Latin ends free wherever the other has
    /// them: inside they are its neighbours, and at the rim they are the other's own ends.
    fn contains_one_of(&self, words: &[String]) -> bool {
        self.words.iter().any(|set| {
            set.iter()
                .all(|known| words.iter().any(|word| contains_keyword(known, word)))
        })
    }

    /// Whether no text contains this.
    fn lacks(&self, word: &str) -> bool {
        if self.not.iter().any(|not| contains_keyword(word, not)) {
            return true;
        }
        // After the exact form only closing punctuation can follow, and a word that does not end in any can't reach
        // into it. A text that is nothing but punctuation is taken as it stands.
        self.whole.as_ref().is_some_and(|whole| {
            (!ends_in_closing(word) || is_closing(whole)) && !contains_keyword(whole, word)
        })
    }

    fn matches_one_of(&self, patterns: &[String]) -> bool {
        patterns.is_empty()
            || patterns.iter().any(|pattern| matches_anything(pattern))
            || !self.regex.is_empty()
                && self
                    .regex
                    .iter()
                    .all(|known| patterns.iter().any(|pattern| pattern == known))
    }

    fn has_field(&self, (path, pattern): &(String, String)) -> bool {
        self.fields
            .iter()
            .any(|(known, by)| known == path && (by == pattern || matches_anything(pattern)))
    }
}

/// Whether it holds for no message without a text.
pub(super) fn asks_for_text(conditions: &TextConditions) -> bool {
    let TextConditions {
        exact,
        keywords,
        all_keywords,
        not_keywords,
        regex,
        fields: _,
    } = conditions;
    [exact, keywords, all_keywords, not_keywords, regex]
        .iter()
        .any(|list| !list.is_empty())
}

/// What stands before closing punctuation keeps it from being all there is.
const BEFORE: &str = "字";

fn ends_in_closing(word: &str) -> bool {
    let text = format!("{BEFORE}{word}");
    without_closing(&text) != text
}

fn is_closing(word: &str) -> bool {
    without_closing(&format!("{BEFORE}{word}")) == BEFORE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn implies(mine: &TextConditions, theirs: &TextConditions) -> bool {
        ways(Some(mine))
            .into_iter()
            .all(|way| Known::of(Some(mine), way).implies(Some(theirs)))
    }

    fn keywords(list: &[&str]) -> TextConditions {
        TextConditions {
            keywords: words(list),
            ..TextConditions::default()
        }
    }

    fn exact(list: &[&str]) -> TextConditions {
        TextConditions {
            exact: words(list),
            ..TextConditions::default()
        }
    }

    fn regex(list: &[&str]) -> TextConditions {
        TextConditions {
            regex: words(list),
            ..TextConditions::default()
        }
    }

    fn not(mut conditions: TextConditions, list: &[&str]) -> TextConditions {
        conditions.not_keywords = words(list);
        conditions
    }

    #[test]
    fn a_word_in_a_word_is_found_only_at_free_ends() {
        for (mine, theirs, expected) in [
            ("几点开门", "开门", true),
            ("開門", "开门", true),
            ("开门", "几点开门", false),
            ("this", "hi", false),
            ("vip卡", "vip", true),
            ("vip卡", "卡", true),
            ("vip", "VIP", true),
            ("say hi", "hi", true),
            ("vip2", "vip", false),
        ] {
            assert_eq!(
                implies(&keywords(&[mine]), &keywords(&[theirs])),
                expected,
                "{mine} {theirs}"
            );
        }
        assert!(!implies(&keywords(&["开门", "地址"]), &keywords(&["开门"])));
        assert!(implies(&exact(&["开门吗"]), &keywords(&["开门"])));
        assert!(!implies(&keywords(&["开门"]), &exact(&["开门"])));
        assert!(implies(&exact(&["开门。"]), &exact(&["開門", "x"])));
    }

    #[test]
    fn what_must_not_be_there_must_be_known_to_be_absent() {
        let tea = keywords(&["茶"]);
        assert!(!implies(&tea, &not(tea.clone(), &["奶"])));
        assert!(implies(&not(tea.clone(), &["奶"]), &not(tea.clone(), &["奶茶"])));
        assert!(!implies(&not(tea.clone(), &["奶茶"]), &not(tea.clone(), &["奶"])));
        assert!(implies(&exact(&["茶"]), &not(tea.clone(), &["奶"])));
        assert!(
            !implies(&exact(&["茶"]), &not(tea.clone(), &["茶?"])),
            "茶？ is 茶 too"
        );
        assert!(implies(&exact(&["?"]), &not(keywords(&["?"]), &["??"])));
    }

    #[test]
    fn a_pattern_promises_its_han_characters() {
        assert!(implies(&regex(&[r"订单\d+"]), &keywords(&["订单"])));
        assert!(implies(&regex(&["訂單|查单"]), &keywords(&["订单", "查单"])));
        assert!(!implies(&regex(&["订单|查单"]), &keywords(&["订单"])));
        assert!(
            !implies(&regex(&["vip"]), &keywords(&["vip"])),
            "a letter may follow"
        );
        assert!(implies(&regex(&["a"]), &regex(&["b", "a"])));
        assert!(!implies(&regex(&["a", "c"]), &regex(&["b", "a"])));
        assert!(implies(&keywords(&["茶"]), &regex(&[".*"])));
        assert!(!implies(&exact(&["hi"]), &regex(&["hi"])), "HI is hi too");
    }

    #[test]
    fn a_way_can_be_closed() {
        let tea = not(keywords(&["奶茶", "茶"]), &["奶"]);
        let nothing: Vec<bool> = ways(Some(&tea))
            .into_iter()
            .map(|way| Known::of(Some(&tea), way).nothing())
            .collect();
        assert_eq!(nothing, [true, false]);
    }
}
