//! Which of their words rules owe their hits to.

use serde::Serialize;

use super::RuleSet;
use super::rule::Rule;
use crate::message::{AppName, RuleName};
use crate::text::{contains_keyword, exact_form, normal_form};

/// How often one word of a rule stood in a text that the rule took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WordHits {
    /// The word, as the rule has it.
    pub word: String,
    /// In how many messages.
    pub hits: u64,
}

impl RuleSet {
    /// For each enabled rule with words (`exact`, `keywords`, `all_keywords`), in the order tried: how often each of them
    /// stood in the texts that the rule took, words that never did included. `taken`: app, rule, text and how often it
    /// came. Several words of a rule may stand in one text, and a rule that changed since may have taken a text for none.
    #[must_use]
    pub fn word_hits<'a>(
        &self,
        taken: impl IntoIterator<Item = (&'a AppName, &'a RuleName, &'a str, u64)>,
    ) -> Vec<(RuleName, Vec<WordHits>)> {
        let mut all: Vec<Words<'_>> = self.rules.iter().filter_map(Words::of).collect();
        for (app, rule, text, count) in taken {
            let mine = |words: &&mut Words<'_>| words.rule.name == *rule && words.rule.serves(app);
            if let Some(words) = all.iter_mut().find(mine) {
                words.count(text, count);
            }
        }
        all.into_iter()
            .map(|words| {
                let hits = words.words.into_iter().map(|(_, hits)| hits);
                (words.rule.name.clone(), hits.collect())
            })
            .collect()
    }
}

/// A word as texts are compared with it.
enum Word {
    Exact(String),
    Within(String),
}

struct Words<'a> {
    rule: &'a Rule,
    words: Vec<(Word, WordHits)>,
}

impl<'a> Words<'a> {
    fn of(rule: &'a Rule) -> Option<Self> {
        let text = rule.when.text.as_ref()?;
        let exact = text
            .exact
            .iter()
            .map(|word| (Word::Exact(exact_form(word)), word));
        let within = text.keywords.iter().chain(&text.all_keywords);
        let within = within.map(|word| (Word::Within(normal_form(word)), word));
        let words: Vec<_> = exact
            .chain(within)
            .map(|(form, word)| {
                let word = word.clone();
                (form, WordHits { word, hits: 0 })
            })
            .collect();
        (!words.is_empty()).then_some(Self { rule, words })
    }

    fn count(&mut self, text: &str, count: u64) {
        let (normal, exact) = (normal_form(text), exact_form(text));
        for (word, hits) in &mut self.words {
            let stands = match word {
                Word::Exact(word) => *word == exact,
                Word::Within(word) => contains_keyword(&normal, word),
            };
            hits.hits += if stands { count } else { 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::tests::set;

    #[test]
    fn each_word_is_counted_where_it_stands() {
        let set = set(
            "[[rule]]\nname = 'hours'\nwhen.keywords = ['几点', '营业', 'hi']\nreply = 'x'\n\
             [[rule]]\nname = 'menu'\nwhen.exact = ['菜单', '1']\nreply = 'x'\n\
             [[rule]]\nname = 'default'\nreply = 'x'\n",
        );
        let (app, hours, menu) = ("shop".into(), "hours".into(), "menu".into());
        let (gone, other) = ("gone".into(), "default".into());
        let counted = set.word_hits([
            (&app, &hours, "營業到幾點", 2),
            (&app, &hours, "几点 this", 1),
            (&app, &menu, "菜单！", 5),
            (&app, &menu, "菜单 1", 7),
            (&app, &gone, "几点", 9),
            (&app, &other, "几点", 9),
        ]);
        let told: Vec<String> = counted
            .iter()
            .flat_map(|(rule, words)| {
                words
                    .iter()
                    .map(move |word| format!("{rule} {} {}", word.word, word.hits))
            })
            .collect();
        assert_eq!(
            told,
            [
                "hours 几点 3",
                "hours 营业 2",
                "hours hi 0",
                "menu 菜单 5",
                "menu 1 0"
            ]
        );
    }
}
