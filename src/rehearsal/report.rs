//! What a replay came to: differences counted by kind and by the rules that decided, their texts grouped.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::replay::{Difference, Fate, Kind};
use crate::message::{InboundStatus, MessageId, RuleName};
use crate::similar_texts::{self, MAX_TEXTS};

/// What a replay came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many messages were compared.
    pub messages: u64,
    /// How many were judged only to know what they leave behind.
    pub warm_up: u64,
    /// How many were no messages.
    pub malformed: u64,
    /// By kind, and within it the most frequent first.
    pub changes: Vec<Change>,
}

/// One kind of difference between the same deciders.
#[derive(Clone, Debug)]
pub struct Change {
    /// The kind.
    pub kind: Kind,
    /// Who decided before.
    pub before: Decider,
    /// Who decides now.
    pub after: Decider,
    /// How many messages.
    pub count: u64,
    /// What they said; similar texts together, the most frequent first.
    pub groups: Vec<Texts>,
    /// How many more messages there are, of texts too many to compare.
    pub others: u64,
}

/// Similar texts.
#[derive(Clone, Debug)]
pub struct Texts {
    /// How many messages.
    pub count: u64,
    /// The texts, the one that stands for all first.
    pub texts: Vec<Example>,
}

impl Texts {
    fn first(&self) -> Option<&str> {
        self.texts.first().map(|example| example.text.as_str())
    }
}

/// A text, or what stands for a message without one, and the first message that said so.
#[derive(Clone, Debug)]
pub struct Example {
    /// The text.
    pub text: String,
    /// How many messages.
    pub count: u64,
    /// The first of them.
    pub id: MessageId,
    /// What became of that.
    pub before: Arc<Fate>,
    /// What becomes of it now.
    pub after: Arc<Fate>,
}

/// Who decided about a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Decider {
    /// How it was taken, in the log's word.
    pub status: &'static str,
    /// The rule.
    pub rule: Option<RuleName>,
    /// The rules that only observed; told where nothing else differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<RuleName>,
}

impl fmt::Display for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, rule, .. } = self;
        match rule {
            Some(rule) if *status == InboundStatus::Matched.as_str() => write!(f, "{rule}")?,
            Some(rule) => write!(f, "{rule} ({status})")?,
            None => f.write_str(status)?,
        }
        for (n, rule) in self.observed.iter().enumerate() {
            write!(f, "{}{rule}", if n == 0 { ", observed: " } else { ", " })?;
        }
        Ok(())
    }
}

impl Report {
    /// How many messages differ in one way.
    #[must_use]
    pub fn of(&self, kind: Kind) -> u64 {
        let changes = self.changes.iter().filter(|change| change.kind == kind);
        changes.map(|change| change.count).sum()
    }

    /// How many messages the customer would notice a difference in.
    #[must_use]
    pub fn changed(&self) -> u64 {
        let noticed = Kind::ALL.into_iter().filter(|kind| kind.is_change());
        noticed.map(|kind| self.of(kind)).sum()
    }
}

/// A report while it is made.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) messages: u64,
    pub(super) warm_up: u64,
    pub(super) malformed: u64,
    changes: BTreeMap<(Kind, Decider, Decider), Counted>,
}

#[derive(Default)]
struct Counted {
    count: u64,
    /// By whether it is a text that a customer wrote, and what it says.
    texts: HashMap<(bool, String), Example>,
    others: u64,
    /// Most messages of one change share their fates.
    fates: Option<(Arc<Fate>, Arc<Fate>)>,
}

impl Tally {
    pub(super) fn add(&mut self, difference: &Difference) {
        let Difference {
            inbound,
            kind,
            before,
            after,
        } = difference;
        let decider = |fate: &Fate| Decider {
            status: fate.status.as_str(),
            rule: fate.rule.clone(),
            observed: match kind {
                Kind::Unnoticed => fate.observed.clone(),
                _ => Vec::new(),
            },
        };
        let change = self
            .changes
            .entry((*kind, decider(before), decider(after)))
            .or_default();
        change.count += 1;
        let text = match (&inbound.content, &inbound.event) {
            (Some(text), _) => (true, text.clone()),
            (None, Some(event)) => (false, format!("[event {event}]")),
            (None, None) => (false, format!("[{}]", inbound.msg_type)),
        };
        if let Some(known) = change.texts.get_mut(&text) {
            known.count += 1;
        } else if change.texts.len() == MAX_TEXTS {
            change.others += 1;
        } else {
            let fates = change.fates.take();
            let fates = fates.filter(|fates| *fates.0 == *before && *fates.1 == *after);
            let (before, after) =
                fates.unwrap_or_else(|| (Arc::new(before.clone()), Arc::new(after.clone())));
            change.fates = Some((Arc::clone(&before), Arc::clone(&after)));
            let example = Example {
                text: text.1.clone(),
                count: 1,
                id: inbound.id,
                before,
                after,
            };
            change.texts.insert(text, example);
        }
    }

    pub(super) fn finish(self) -> Report {
        let changes = self.changes.into_iter();
        let mut changes: Vec<Change> = changes
            .map(|((kind, before, after), counted)| Change {
                kind,
                before,
                after,
                count: counted.count,
                others: counted.others,
                groups: grouped(counted.texts),
            })
            .collect();
        // Stable: equals stay in the order of their names.
        changes.sort_by_key(|change| (change.kind, Reverse(change.count)));
        Report {
            messages: self.messages,
            warm_up: self.warm_up,
            malformed: self.malformed,
            changes,
        }
    }
}

/// What customers wrote by what is similar, all else each by itself.
fn grouped(examples: HashMap<(bool, String), Example>) -> Vec<Texts> {
    let (written, other): (Vec<_>, Vec<_>) = examples.into_iter().partition(|((written, _), _)| *written);
    let written: Vec<Example> = written.into_iter().map(|(_, example)| example).collect();
    let similar = similar_texts::gather(written, |example| (&example.text, example.count));
    let mut groups: Vec<Texts> = similar
        .into_iter()
        .map(|group| Texts {
            count: group.count,
            texts: group.members,
        })
        .collect();
    groups.extend(other.into_iter().map(|(_, example)| Texts {
        count: example.count,
        texts: vec![example],
    }));
    groups.sort_by(|a, b| {
        let by_count = b.count.cmp(&a.count);
        by_count.then_with(|| a.first().cmp(&b.first()))
    });
    groups
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::message::{Answer, Fields, Inbound};

    fn fate(rule: Option<&str>) -> Fate {
        Fate {
            status: rule.map_or(InboundStatus::Unmatched, |_| InboundStatus::Matched),
            rule: rule.map(Into::into),
            observed: Vec::new(),
            answer: Answer::Success,
            replies: Vec::new(),
        }
    }

    fn difference(kind: Kind, rules: (Option<&str>, Option<&str>), content: Option<&str>) -> Difference {
        Difference {
            kind,
            before: fate(rules.0),
            after: fate(rules.1),
            inbound: Inbound {
                id: MessageId::new(1_780_000_000, 1),
                app: "shop".into(),
                openid: "ann".into(),
                dedup_key: String::new(),
                received: Timestamp::UNIX_EPOCH,
                msg_type: content.map_or("image", |_| "text").into(),
                event: None,
                content: content.map(Into::into),
                fields: Fields::new(),
            },
        }
    }

    #[test]
    fn differences_are_counted_by_kind_and_rules_with_similar_texts_together() {
        let mut tally = Tally::default();
        let hours = (None, Some("hours"));
        for (kind, rules, content) in [
            (Kind::Unnoticed, (Some("a"), Some("b")), Some("x")),
            (Kind::NewlyAnswered, (None, Some("price")), Some("多少钱")),
            (Kind::NewlyAnswered, hours, Some("几点开门")),
            (Kind::NewlyAnswered, hours, Some("几点开门")),
            (Kind::NewlyAnswered, hours, Some("image")),
            (Kind::NewlyAnswered, hours, Some("请问几点开门？")),
            (Kind::NewlyAnswered, hours, None),
        ] {
            tally.add(&difference(kind, rules, content));
        }
        let report = tally.finish();
        let told: Vec<String> = report
            .changes
            .iter()
            .map(|change| {
                let texts = |group: &Texts| {
                    group
                        .texts
                        .iter()
                        .map(|e| e.text.clone())
                        .collect::<Vec<_>>()
                        .join("|")
                };
                let groups: Vec<_> = change
                    .groups
                    .iter()
                    .map(|group| format!("{}× {}", group.count, texts(group)))
                    .collect();
                format!(
                    "{} → {} {}: {}",
                    change.before,
                    change.after,
                    change.count,
                    groups.join(", ")
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "unmatched → hours 5: 3× 几点开门|请问几点开门？, 1× [image], 1× image",
                "unmatched → price 1: 1× 多少钱",
                "a → b 1: 1× x",
            ]
        );
        assert_eq!((report.changed(), report.of(Kind::Unnoticed)), (6, 1));
    }

    #[test]
    fn texts_beyond_what_is_kept_are_counted() {
        let mut tally = Tally::default();
        for n in 0..MAX_TEXTS + 3 {
            let text = format!("t{n}");
            tally.add(&difference(Kind::NewlyAnswered, (None, None), Some(&text)));
        }
        let change = tally.finish().changes.remove(0);
        assert_eq!((change.count, change.others), (MAX_TEXTS as u64 + 3, 3));
        let kept: u64 = change.groups.iter().map(|group| group.count).sum();
        assert_eq!(kept, MAX_TEXTS as u64);
    }

    #[test]
    fn a_decider_says_what_kept_it_silent_and_who_watched() {
        let decider = Decider {
            status: "cooldown",
            rule: Some("hello".into()),
            observed: vec!["members".into(), "points".into()],
        };
        assert_eq!(decider.to_string(), "hello (cooldown), observed: members, points");
    }
}
