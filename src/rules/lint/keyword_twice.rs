//! The same keyword twice in one condition, or in one list, whatever it looks like.

use std::collections::BTreeMap;

use super::written::{Word, Written};
use crate::diagnostic::Diagnostic;
use crate::rules::{Scope, codes};
use crate::text::exact_form;
use crate::text::normal_form;

type Forms<'w, 'a> = BTreeMap<String, &'w Word<'a>>;

/// What a word is compared as.
type Form = fn(&str) -> String;

const CONDITIONS: [(&str, Form); 4] = [
    ("exact", exact_form),
    ("keywords", normal_form),
    ("all_keywords", normal_form),
    ("not_keywords", normal_form),
];

pub(super) fn lint(written: &Written<'_>, _: &Scope, findings: &mut Vec<Diagnostic>) {
    // Each list is brought into its forms once, however many rules name it.
    let mut lists: BTreeMap<&str, [Forms<'_, '_>; 2]> = BTreeMap::new();
    for (name, words) in &written.lists {
        let normal = twins(words, normal_form, &[], findings);
        lists.insert(name, [twins(words, exact_form, &[], &mut Vec::new()), normal]);
    }
    for rule in &written.rules {
        for (condition, form) in CONDITIONS {
            let words = rule.words(condition);
            let named = words.iter().filter_map(|word| word.text.strip_prefix('@'));
            let which = usize::from(condition != "exact");
            let lists: Vec<_> = named.filter_map(|name| Some(&lists.get(name)?[which])).collect();
            twins(&words, form, &lists, findings);
        }
    }
}

/// The forms of all words; those that stand in `lists` already, or come again, are findings. Two lists may share a
/// word: each may be needed elsewhere by itself.
fn twins<'w, 'a>(
    words: &'w [Word<'a>],
    form: fn(&str) -> String,
    lists: &[&Forms<'w, 'a>],
    findings: &mut Vec<Diagnostic>,
) -> Forms<'w, 'a> {
    let mut forms = Forms::new();
    for word in words.iter().filter(|word| !word.text.starts_with('@')) {
        let form = form(word.text);
        // An empty one is an error of its own.
        if form.is_empty() {
            continue;
        }
        let twin = forms
            .get(&form)
            .or_else(|| lists.iter().find_map(|list| list.get(&form)));
        if let Some(twin) = twin {
            let finding = Diagnostic::warning(
                codes::KEYWORD_TWICE,
                format!("{:?} is the same keyword as {:?}", word.text, twin.text),
            );
            findings.push(
                finding
                    .at(word.source, word.span.clone(), "again here")
                    .see(twin.source, twin.span.clone(), "first here")
                    .help(
                        "leave one out: full width, traditional characters and capitals make no difference",
                    ),
            );
        } else {
            forms.insert(form, word);
        }
    }
    forms
}
