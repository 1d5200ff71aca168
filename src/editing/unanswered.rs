//! Texts that no rule answered, those that ask the same together.

use jiff::Timestamp;

use crate::similar_texts;
use crate::store::UnansweredText;

/// Texts that ask the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnansweredGroup {
    /// How often they were written together.
    pub count: u64,
    /// When one of them was written last.
    pub last: Timestamp,
    /// The texts: the one that stands for all first, then as they were given.
    pub texts: Vec<UnansweredText>,
}

/// Groups texts, each given once; the group that was written most often comes first.
#[must_use]
pub fn group_unanswered(texts: Vec<UnansweredText>) -> Vec<UnansweredGroup> {
    let gathered = similar_texts::gather(texts, |text| (&text.text, text.count));
    let group = |group: similar_texts::Gathered<UnansweredText>| {
        let last = group.members.iter().map(|text| text.last.0).max()?;
        Some(UnansweredGroup {
            count: group.count,
            last,
            texts: group.members,
        })
    };
    gathered.into_iter().filter_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MessageId;

    #[test]
    fn texts_that_ask_the_same_come_together_with_their_last_time() {
        let text = |text: &str, count, second| UnansweredText {
            text: text.into(),
            count,
            last: (
                Timestamp::from_second(second).expect("a time"),
                MessageId::new(second, 0),
            ),
            users: 1,
        };
        let groups = group_unanswered(vec![
            text("怎么退款", 2, 10),
            text("几点开门", 3, 20),
            text("请问几点开门？", 1, 30),
            text("幾點開門", 1, 5),
        ]);
        let told: Vec<_> = groups
            .iter()
            .map(|group| {
                let texts: Vec<&str> = group.texts.iter().map(|text| text.text.as_str()).collect();
                (group.count, group.last.as_second(), texts)
            })
            .collect();
        assert_eq!(
            told,
            [
                (5, 30, vec!["几点开门", "幾點開門", "请问几点开门？"]),
                (2, 10, vec!["怎么退款"]),
            ]
        );
        assert_eq!(group_unanswered(Vec::new()), []);
    }
}
