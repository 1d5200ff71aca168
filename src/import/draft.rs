//! A rule on its way: what was read, before it has its name and its place.

use std::collections::BTreeSet;

use super::Note;
use crate::message::MessageId;
use crate::text::normal_form;

/// All that was read.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    pub(super) rules: Vec<Draft>,
    /// What is to be said about no rule in particular.
    pub(super) notes: Vec<Note>,
}

/// One rule.
#[derive(Debug)]
pub(super) struct Draft {
    /// Not yet told from others of this name.
    pub(super) name: String,
    pub(super) when: When,
    /// Texts as a customer sees them.
    pub(super) replies: Vec<String>,
    pub(super) random: bool,
    pub(super) enabled: bool,
    /// What, and what to do about it.
    pub(super) notes: Vec<(String, String)>,
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum When {
    Exact(Vec<String>),
    Keywords(Vec<String>),
    /// The user began to follow.
    Subscribe,
    /// Nobody else answered.
    Otherwise,
}

impl Draft {
    pub(super) fn new(name: &str, when: When) -> Self {
        Self {
            name: name.split_whitespace().collect::<Vec<_>>().join(" "),
            when,
            replies: Vec::new(),
            random: false,
            enabled: true,
            notes: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, what: impl Into<String>, advice: impl Into<String>) {
        self.notes.push((what.into(), advice.into()));
    }

    /// Drops what no rule can hold, and says so.
    pub(super) fn tidy(&mut self) {
        for reply in &mut self.replies {
            reply.truncate(reply.trim_end().len());
        }
        self.replies.retain(|reply| !reply.is_empty());
        let count = self.replies.len();
        if count > MessageId::MAX_REPLIES && !self.random {
            self.replies.truncate(MessageId::MAX_REPLIES);
            let left = MessageId::MAX_REPLIES;
            self.note(
                format!("it sends {count} replies to one message; the first {left} were kept"),
                "WeChat takes 5 replies to one message: put them together, or write pick = \"random\"",
            );
        } else if count > 5 && !self.random {
            self.note(
                format!(
                    "it sends {count} replies to one message, and WeChat takes 5: the others would be dropped"
                ),
                "put them together, or write pick = \"random\"",
            );
        }
        if self.replies.is_empty() {
            self.enabled = false;
            self.note(
                "it has no reply that could be carried over, so it is disabled",
                "write its reply, and delete `enabled = false`",
            );
        }
        let (When::Exact(words) | When::Keywords(words)) = &mut self.when else {
            return;
        };
        let mut seen = BTreeSet::new();
        let mut refused = Vec::new();
        words.retain(|word| {
            let form = normal_form(word);
            // "@" at its beginning would call for a list.
            let good = !form.is_empty() && !word.trim().starts_with('@');
            if !good && !word.trim().is_empty() {
                refused.push(format!("{word:?}"));
            }
            good && seen.insert(form)
        });
        for word in words.iter_mut() {
            *word = word.trim().to_owned();
        }
        let none = words.is_empty();
        if !refused.is_empty() {
            self.note(
                format!("no keyword can be written like {}", refused.join(", ")),
                "write a rule with when.regex for it",
            );
        }
        if none {
            self.enabled = false;
            self.note(
                "it has no keyword, so it is disabled",
                "write when.keywords, and delete `enabled = false`; or delete the rule",
            );
        }
    }

    /// What is said to it in a test: each of its words once.
    pub(super) fn words(&self) -> &[String] {
        match &self.when {
            When::Exact(words) | When::Keywords(words) => words,
            When::Subscribe | When::Otherwise => &[],
        }
    }
}
