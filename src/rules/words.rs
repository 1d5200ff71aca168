//! Which of their words rules owe their hits to.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::RuleSet;
use super::rule::Rule;
use crate::message::{AppName, RuleName};
use crate::text::{contains_keyword, exact_form, normal_form, without_closing};

/// How often one word of a rule stood in a text that the rule took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WordHits {
    /// The word, as the rule has it.
    pub word: String,
    /// In how many messages.
    pub hits: u64,
}

impl RuleSet {
    /// For each app and enabled rule with words (`exact`, `keywords`, `all_keywords`) that took one of these texts: how often
    /// each of them stood in those, words that never did included. `taken`: app, rule, text and how often it came.
    /// Several words of a rule may stand in one text, and a rule that changed since may have taken a text for none.
    #[must_use]
    pub fn word_hits<'a>(
        &self,
        taken: impl IntoIterator<Item = (&'a AppName, &'a RuleName, &'a str, u64)>,
    ) -> BTreeMap<(&'a AppName, &'a RuleName), Vec<WordHits>> {
        let mut rules: HashMap<&RuleName, Vec<&Rule>> = HashMap::new();
        for rule in &self.rules {
            rules.entry(&rule.name).or_default().push(rule);
        }
        let mut all: BTreeMap<_, Option<Words>> = BTreeMap::new();
        for (app, name, text, count) in taken {
            let words = all.entry((app, name)).or_insert_with(|| {
                let rule = rules.get(name)?.iter().find(|rule| rule.serves(app))?;
                Words::of(rule)
            });
            if let Some(words) = words {
                words.count(text, count);
            }
        }
        all.into_iter()
            .filter_map(|(key, words)| {
                let hits = words?.0.into_iter().map(|(_, hits)| hits);
                Some((key, hits.collect()))
            })
            .collect()
    }
}

/// A word as texts are compared with it.
enum Word {
    Exact(String),
    Within(String),
}

/// The words of one rule.
struct Words(Vec<(Word, WordHits)>);

impl Words {
    fn of(rule: &Rule) -> Option<Self> {
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
        (!words.is_empty()).then_some(Self(words))
    }

    fn count(&mut self, text: &str, count: u64) {
        let normal = normal_form(text);
        let exact = without_closing(&normal);
        for (word, hits) in &mut self.0 {
            let stands = match word {
                Word::Exact(word) => word == exact,
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
             [[rule]]\nname = 'never'\nwhen.exact = 'never'\nreply = 'x'\n\
             [[rule]]\nname = 'default'\nreply = 'x'\n",
        );
        let (app, hours, menu) = ("shop".into(), "hours".into(), "menu".into());
        let elsewhere = "elsewhere".into();
        let (gone, other) = ("gone".into(), "default".into());
        let counted = set.word_hits([
            (&app, &hours, "營業到幾點", 2),
            (&app, &hours, "几点 this", 1),
            (&elsewhere, &hours, "营业", 3),
            (&app, &menu, "菜单！", 5),
            (&app, &menu, "菜单 1", 7),
            (&app, &gone, "几点", 9),
            (&app, &other, "几点", 9),
        ]);
        let told: Vec<String> = counted
            .iter()
            .flat_map(|((app, rule), words)| {
                words
                    .iter()
                    .map(move |word| format!("{app} {rule} {} {}", word.word, word.hits))
            })
            .collect();
        assert_eq!(
            told,
            [
                "elsewhere hours 几点 0",
                "elsewhere hours 营业 3",
                "elsewhere hours hi 0",
                "shop hours 几点 3",
                "shop hours 营业 2",
                "shop hours hi 0",
                "shop menu 菜单 5",
                "shop menu 1 0",
            ]
        );
    }
}
