//! Which of many short texts ask the same: for lists that a person reads, never for deciding.
//!
//! How two texts are compared. Of each text's normal form, letters and digits are kept; words that only make a question
//! polite (`请问`, `你们`, `吗`) are left out unless nothing else is there; a long number counts as any other. What is
//! left is a set of character pairs (of one character when there is but one), and two texts are similar when Dice's
//! coefficient of their sets is at least ½: half of the pairs are shared. Pairs, because Chinese is written without
//! spaces and most of its words have two characters: `几点开门` and `你们店几点开门啊` share three, `多少钱` and `怎么退款` none.
//!
//! How groups are found. The commonest text leads the first group; each following one joins the most similar leader, or
//! leads a group of its own. A leader that is similar enough must share one of the text's rarer pairs, so only leaders
//! that are listed under one of those are looked at; without that, a hundred thousand texts would be compared each with
//! each. The same texts always give the same groups, in whatever order they come.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::text::normal_form;

/// The most texts that are compared; the rarest beyond them are told apart only.
pub const MAX_TEXTS: usize = 100_000;

/// What is looked at of one text: nobody asks a question in more characters.
const MAX_CHARS: usize = 200;

/// So many digits in a row are somebody's number, not a choice of a menu or an hour.
const LONG_NUMBER: usize = 4;

/// Words that change nothing about what is asked. Where several begin at one place, the longest stands first.
pub(crate) const POLITE: &[&str] = &[
    "请问一下",
    "请问",
    "麻烦",
    "劳驾",
    "你好",
    "您好",
    "老板",
    "你们",
    "您们",
    "咱们",
    "我想",
    "能不能",
    "可不可以",
    "可以",
    "一下",
    "吗",
    "嘛",
    "呢",
    "啊",
    "呀",
    "吧",
    "哦",
    "噢",
    "哈",
    "啦",
    "了",
    "的",
];

/// Texts that ask the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// How often they occur together.
    pub count: u64,
    /// Which they are, as places in the list that was given: the one that stands for all of them first.
    pub members: Vec<usize>,
}

/// All texts, in groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// The largest first.
    pub groups: Vec<Group>,
    /// The rarest of too many texts, which were compared with none.
    pub rest: Vec<usize>,
}

/// Groups texts, each given once and with how often it occurs.
#[must_use]
pub fn group(texts: &[(&str, u64)]) -> Groups {
    let mut order = commonest_first(texts);
    let rest = order.split_off(order.len().min(MAX_TEXTS));
    let essences = essences(texts, &order);
    let pairs = rare_first(&essences);
    let mut groups: Vec<Group> = Vec::new();
    let mut leaders = Leaders::default();
    for (essence, pairs) in essences.into_iter().zip(pairs) {
        match leaders.most_similar(&pairs) {
            Some(leader) => {
                groups[leader].count += essence.count;
                groups[leader].members.extend(essence.members);
            }
            None => {
                leaders.add(pairs);
                groups.push(Group {
                    count: essence.count,
                    members: essence.members,
                });
            }
        }
    }
    // Stable: of two as large, the one with the commoner leader.
    groups.sort_by_key(|group| Reverse(group.count));
    Groups { groups, rest }
}

/// Things whose texts ask the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered<T> {
    /// How often they occur together.
    pub count: u64,
    /// The one that stands for all of them first.
    pub members: Vec<T>,
}

/// Puts those together whose texts ask the same, the largest group first, the rarest of too many each by itself. `said`
/// gives the text, different for each, and how often it occurs.
#[must_use]
pub fn gather<T>(things: Vec<T>, said: impl Fn(&T) -> (&str, u64)) -> Vec<Gathered<T>> {
    let texts: Vec<(&str, u64)> = things.iter().map(&said).collect();
    let Groups { groups, rest } = group(&texts);
    let alone = rest.into_iter().map(|place| Group {
        count: texts[place].1,
        members: vec![place],
    });
    let groups: Vec<Group> = groups.into_iter().chain(alone).collect();
    let mut things: Vec<Option<T>> = things.into_iter().map(Some).collect();
    let gathered = groups.into_iter().map(|group| Gathered {
        count: group.count,
        // Nothing is in two groups.
        members: group
            .members
            .into_iter()
            .filter_map(|place| things[place].take())
            .collect(),
    });
    gathered.collect()
}

/// Of texts that are as common, the shorter says it best.
fn commonest_first(texts: &[(&str, u64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&place| (Reverse(texts[place].1), texts[place].0.len(), texts[place].0));
    order
}

/// What is compared of a text, and which texts it is left of.
struct Essence {
    text: String,
    count: u64,
    members: Vec<usize>,
}

/// The different essences, the commonest first.
fn essences(texts: &[(&str, u64)], order: &[usize]) -> Vec<Essence> {
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut essences: Vec<Essence> = Vec::new();
    for &place in order {
        let (text, count) = texts[place];
        let text = essence(text);
        match known.get(&text) {
            Some(&at) => {
                essences[at].count += count;
                essences[at].members.push(place);
            }
            None => {
                known.insert(text.clone(), essences.len());
                essences.push(Essence {
                    text,
                    count,
                    members: vec![place],
                });
            }
        }
    }
    let key = |essence: &Essence| (Reverse(essence.count), essence.text.len());
    essences.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.text.cmp(&b.text)));
    essences
}

fn essence(text: &str) -> String {
    let normal = normal_form(text);
    let kept: String = normal
        .chars()
        .filter(|c| c.is_alphanumeric())
        .take(MAX_CHARS)
        .collect();
    if kept.is_empty() {
        return normal;
    }
    let mut plain = String::with_capacity(kept.len());
    let mut rest = kept.as_str();
    while let Some(first) = rest.chars().next() {
        let polite = POLITE.iter().find(|word| rest.starts_with(**word));
        let skip = polite.map_or(first.len_utf8(), |word| word.len());
        if polite.is_none() {
            plain.push(first);
        }
        rest = &rest[skip..];
    }
    without_numbers(if plain.is_empty() { &kept } else { &plain })
}

/// Each long number as one sign.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let step = match digits {
            0 => first.len_utf8(),
            n => n,
        };
        if digits >= LONG_NUMBER {
            out.push('#');
        } else {
            out.push_str(&rest[..step]);
        }
        rest = &rest[step..];
    }
    out
}

/// Each text's pairs as numbers, which grow with how many texts have the pair; sorted, none twice.
fn rare_first(essences: &[Essence]) -> Vec<Vec<u32>> {
    let mut numbers: HashMap<(char, char), u32> = HashMap::new();
    let mut in_texts: Vec<u32> = Vec::new();
    let mut all: Vec<Vec<u32>> = Vec::with_capacity(essences.len());
    for essence in essences {
        let mut pairs: Vec<u32> = pairs(&essence.text)
            .map(|pair| {
                let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                *numbers.entry(pair).or_insert(next)
            })
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        in_texts.resize(numbers.len(), 0);
        for &pair in &pairs {
            in_texts[pair as usize] += 1;
        }
        all.push(pairs);
    }
    let mut by_rarity: Vec<u32> = (0..).take(in_texts.len()).collect();
    by_rarity.sort_by_key(|&pair| (in_texts[pair as usize], pair));
    let mut rank = vec![0; by_rarity.len()];
    for (place, &pair) in (0u32..).zip(&by_rarity) {
        rank[pair as usize] = place;
    }
    for pairs in &mut all {
        for pair in pairs.iter_mut() {
            *pair = rank[*pair as usize];
        }
        pairs.sort_unstable();
    }
    all
}

fn pairs(text: &str) -> impl Iterator<Item = (char, char)> {
    let mut following = text.chars();
    let first = following.next();
    // A single character is a pair with nothing.
    let alone = first.filter(|_| following.as_str().is_empty()).map(|c| (c, '\0'));
    text.chars().zip(following).chain(alone)
}

/// The texts that lead a group, by their rarer pairs.
#[derive(Default)]
struct Leaders {
    all: Vec<Leader>,
    with: HashMap<u32, Vec<usize>>,
    search: usize,
}

struct Leader {
    pairs: Vec<u32>,
    bits: u64,
    /// The search in which it was looked at last.
    seen: usize,
}

impl Leaders {
    fn add(&mut self, pairs: Vec<u32>) {
        for &pair in telling(&pairs) {
            self.with.entry(pair).or_default().push(self.all.len());
        }
        self.all.push(Leader {
            bits: bits(&pairs),
            pairs,
            seen: 0,
        });
    }

    /// The first of those that are most similar, if any is similar enough.
    fn most_similar(&mut self, pairs: &[u32]) -> Option<usize> {
        self.search += 1;
        let bits = bits(pairs);
        // Pairs that have their bit in common with another one.
        let doubled = pairs.len() - bits.count_ones() as usize;
        let mut best: Option<(usize, usize, usize)> = None;
        for &at in telling(pairs)
            .iter()
            .filter_map(|pair| self.with.get(pair))
            .flatten()
        {
            let leader = &mut self.all[at];
            if std::mem::replace(&mut leader.seen, self.search) == self.search {
                continue;
            }
            let all = pairs.len() + leader.pairs.len();
            // Dice: 2 × shared / all ≥ ½. No more can be shared than the bits allow, which are compared at once.
            let most = (bits & leader.bits).count_ones() as usize + doubled;
            if 4 * most < all {
                continue;
            }
            let shared = shared(pairs, &leader.pairs);
            if 4 * shared < all {
                continue;
            }
            let better = best.is_none_or(|(best, best_shared, best_all)| {
                let (this, that) = (shared * best_all, best_shared * all);
                this > that || this == that && at < best
            });
            if better {
                best = Some((at, shared, all));
            }
        }
        best.map(|(leader, ..)| leader)
    }
}

/// One bit for each pair; some share theirs.
fn bits(pairs: &[u32]) -> u64 {
    pairs
        .iter()
        .fold(0, |bits, pair| bits | 1 << (pair.wrapping_mul(0x9e37_79b1) >> 26))
}

/// The rarer of a text's pairs: one of them, at least, is among the rarer of any text that is similar enough. Such texts
/// share a third of the pairs of either.
fn telling(pairs: &[u32]) -> &[u32] {
    let needed = pairs.len().div_ceil(3);
    &pairs[..(pairs.len() + 1).saturating_sub(needed).min(pairs.len())]
}

/// How many numbers two sorted lists have in common.
fn shared(mut a: &[u32], mut b: &[u32]) -> usize {
    let mut count = 0;
    while let ([x, after_x @ ..], [y, after_y @ ..]) = (a, b) {
        count += usize::from(x == y);
        if x <= y {
            a = after_x;
        }
        if y <= x {
            b = after_y;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The groups as texts.
    fn grouped<'a>(texts: &[(&'a str, u64)]) -> Vec<(u64, Vec<&'a str>)> {
        let groups = group(texts).groups.into_iter();
        groups
            .map(|group| (group.count, group.members.iter().map(|&at| texts[at].0).collect()))
            .collect()
    }

    #[test]
    fn questions_that_customers_put_in_many_ways_come_together() {
        let texts = [
            ("几点开门", 9),
            ("你们几点开门啊", 4),
            ("请问几点开门？", 3),
            ("請問幾點開門", 1),
            ("你好，请问你们店早上几点开门呀", 1),
            ("多少钱", 8),
            ("这个多少钱一杯", 2),
            ("怎么退款", 7),
            ("我要退款", 2),
            ("退款怎么弄", 1),
            ("怎么付款", 5),
        ];
        assert_eq!(
            grouped(&texts),
            [
                (
                    18,
                    vec![
                        "几点开门",
                        "你们几点开门啊",
                        "请问几点开门？",
                        "請問幾點開門",
                        "你好，请问你们店早上几点开门呀"
                    ]
                ),
                (10, vec!["多少钱", "这个多少钱一杯"]),
                (8, vec!["怎么退款", "退款怎么弄"]),
                (5, vec!["怎么付款"]),
                (2, vec!["我要退款"]),
            ]
        );
    }

    #[test]
    fn what_is_asked_politely_is_not_alike_for_being_polite() {
        let apart = [("可以打包吗", 3), ("可以打折吗", 2), ("请问一下", 1), ("你好", 1)];
        assert_eq!(grouped(&apart).len(), 4);
        assert_eq!(grouped(&[("在吗", 2), ("在", 1), ("在么？", 1)]).len(), 2);
    }

    #[test]
    fn numbers_of_somebody_are_alike_and_choices_are_not() {
        let orders = [("订单 20260105001 到哪了", 1), ("订单 33018 到哪了？", 1)];
        assert_eq!(grouped(&orders).len(), 1);
        assert_eq!(grouped(&[("1", 5), ("2", 4), ("12", 1)]).len(), 3);
    }

    #[test]
    fn texts_without_letters_are_what_they_are() {
        assert_eq!(grouped(&[("？", 1), ("?", 2), ("👍", 1), ("", 1)]).len(), 3);
    }

    #[test]
    fn the_order_of_the_list_changes_nothing() {
        let mut random = 7u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        let words = [
            "几点", "开门", "多少", "钱", "退款", "怎么", "在哪", "店", "吗", "今天",
        ];
        let mut texts: Vec<(String, u64)> = (0..300)
            .map(|_| {
                let text = (0..=next(4)).map(|_| words[next(10) as usize]).collect();
                (text, 1 + next(5))
            })
            .collect();
        texts.sort();
        texts.dedup_by(|a, b| a.0 == b.0);
        let forwards: Vec<_> = texts
            .iter()
            .map(|(text, count)| (text.as_str(), *count))
            .collect();
        let backwards: Vec<_> = forwards.iter().rev().copied().collect();
        assert_eq!(grouped(&forwards), grouped(&backwards));
        // And it is what comparing each with each gives.
        assert_eq!(grouped(&forwards), slowly(&forwards));
    }

    /// The same, without the lists by rarer pairs.
    fn slowly<'a>(texts: &[(&'a str, u64)]) -> Vec<(u64, Vec<&'a str>)> {
        let order = commonest_first(texts);
        let mut leaders: Vec<(Vec<(char, char)>, Group)> = Vec::new();
        for essence in essences(texts, &order) {
            let mut mine: Vec<_> = pairs(&essence.text).collect();
            mine.sort_unstable();
            mine.dedup();
            let dice = |other: &[(char, char)]| {
                let shared = mine.iter().filter(|pair| other.contains(pair)).count();
                2.0 * shared as f64 / (mine.len() + other.len()) as f64
            };
            let mut best: Option<(f64, usize)> = None;
            for (at, (other, _)) in leaders.iter().enumerate() {
                let score = dice(other);
                if score >= 0.5 && best.is_none_or(|(best, _)| score > best) {
                    best = Some((score, at));
                }
            }
            match best {
                Some((_, at)) => {
                    leaders[at].1.count += essence.count;
                    leaders[at].1.members.extend(essence.members);
                }
                None => leaders.push((
                    mine,
                    Group {
                        count: essence.count,
                        members: essence.members,
                    },
                )),
            }
        }
        leaders.sort_by_key(|(_, group)| Reverse(group.count));
        leaders
            .into_iter()
            .map(|(_, group)| (group.count, group.members.iter().map(|&at| texts[at].0).collect()))
            .collect()
    }

    #[test]
    fn the_rarest_of_too_many_are_only_counted() {
        let numbers: Vec<String> = (0..MAX_TEXTS + 2).map(|n| format!("x{n}y")).collect();
        let mut texts: Vec<(&str, u64)> = numbers.iter().map(|text| (text.as_str(), 2)).collect();
        texts[5].1 = 1;
        let groups = group(&texts);
        assert_eq!(groups.rest.len(), 2);
        assert!(groups.rest.contains(&5));
        let grouped: usize = groups.groups.iter().map(|group| group.members.len()).sum();
        assert_eq!(grouped, MAX_TEXTS);
    }
}
