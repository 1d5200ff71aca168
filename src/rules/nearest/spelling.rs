//! Words that a text nearly holds: one edit away, or sounding the same.
//!
//! Short words have too many neighbours, so the shorter a word, the fewer slips are looked for. A word of which more than
//! one character occurs nowhere in the text is passed over at once: that leaves few of ten thousand.

use std::cmp::Reverse;
use std::collections::HashSet;

use pinyin::{Pinyin, ToPinyinMulti};

use crate::text::is_latin;

/// How a text misses a word; the likelier slip first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slip {
    /// Other characters of the same sound, tones aside.
    Sound,
    /// Two neighbours in each other's place.
    Swapped,
    /// One character too many.
    Extra,
    /// One character is another.
    Other,
    /// One character is not there.
    Missing,
}

/// How well a place in the text resembles a word; the better first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Likeness {
    /// Two characters are soon alike by chance.
    short: bool,
    pub(super) slip: Slip,
    /// How many characters are the very same.
    same: Reverse<usize>,
}

/// A text, prepared to be asked for many words.
pub(super) struct Heard {
    chars: Vec<char>,
    known: HashSet<char>,
    sounds: HashSet<&'static str>,
}

impl Heard {
    /// `normal` is in normal form.
    pub(super) fn new(normal: &str) -> Self {
        let chars: Vec<char> = normal.chars().collect();
        Self {
            known: chars.iter().copied().collect(),
            sounds: chars.iter().flat_map(|c| sounds(*c)).collect(),
            chars,
        }
    }

    /// The place that comes nearest to holding `word` (in normal form), and how it misses it.
    pub(super) fn find(&self, word: &str) -> Option<(Likeness, String)> {
        self.search(word, |heard, start, end| {
            // A word with a Latin end is one only where no letter goes on.
            let cut =
                |at: usize| at > 0 && at < heard.len() && is_latin(heard[at - 1]) && is_latin(heard[at]);
            !cut(start) && !cut(end)
        })
    }

    /// The same, for a word that must be the whole text.
    pub(super) fn find_whole(&self, word: &str) -> Option<(Likeness, String)> {
        self.search(word, |heard, start, end| start == 0 && end == heard.len())
    }

    fn search(&self, word: &str, free: impl Fn(&[char], usize, usize) -> bool) -> Option<(Likeness, String)> {
        let word = Word::new(word)?;
        let unknown = word
            .chars
            .iter()
            .filter(|c| !self.known.contains(c))
            .take(2)
            .count();
        let sounds_known = |c: &char| self.known.contains(c) || sounds(*c).any(|s| self.sounds.contains(s));
        if unknown > 1 && !word.chars.iter().all(sounds_known) {
            return None;
        }
        let length = word.chars.len();
        let mut best: Option<(Likeness, usize, usize)> = None;
        for size in length - 1..=length + 1 {
            for (start, window) in self.chars.windows(size).enumerate() {
                if let Some(likeness) = word.likeness(window)
                    && best.is_none_or(|(known, ..)| likeness < known)
                    && free(&self.chars, start, start + size)
                {
                    best = Some((likeness, start, start + size));
                }
            }
        }
        best.map(|(likeness, start, end)| (likeness, self.chars[start..end].iter().collect()))
    }
}

/// A word that is long enough to be mistaken.
struct Word {
    chars: Vec<char>,
    han: usize,
}

impl Word {
    fn new(word: &str) -> Option<Self> {
        let chars: Vec<char> = word.chars().collect();
        let han = chars.iter().filter(|c| is_han(**c)).count();
        let letters = chars.iter().filter(|c| c.is_alphabetic()).count();
        (han >= 2 || letters >= 4).then_some(Self { chars, han })
    }

    fn likeness(&self, window: &[char]) -> Option<Likeness> {
        let slip = self.slip(window)?;
        let word = &self.chars;
        let same = match slip {
            Slip::Sound => window.iter().zip(word).filter(|(a, b)| a == b).count(),
            Slip::Other | Slip::Missing => word.len() - 1,
            Slip::Swapped | Slip::Extra => word.len(),
        };
        Some(Likeness {
            short: word.len() < 3,
            slip,
            same: Reverse(same),
        })
    }

    /// How `window` misses this word, if it does so by one slip that a word of this length may have.
    fn slip(&self, window: &[char]) -> Option<Slip> {
        let word = &self.chars;
        if window.len() == word.len() && window != word {
            let sounds_same = window
                .iter()
                .zip(word)
                .all(|(a, b)| a == b || share_a_sound(*a, *b));
            if sounds_same {
                return Some(Slip::Sound);
            }
        }
        let slip = one_edit(window, word)?;
        // `enough(n)`: the word has n Chinese characters, or Latin letters that weigh as much.
        let enough = |n: usize| self.han == 0 || self.han >= n;
        let fine = match slip {
            (Slip::Extra, [extra], _) => extra.is_whitespace() || extra.is_alphanumeric() && enough(3),
            (Slip::Other, [other], [wanted]) => other.is_alphabetic() && wanted.is_alphabetic() && enough(3),
            (Slip::Missing, ..) => enough(4),
            _ => true,
        };
        fine.then_some(slip.0)
    }
}

/// The one edit between two texts, if there is exactly one, and where they differ.
fn one_edit<'a>(heard: &'a [char], word: &'a [char]) -> Option<(Slip, &'a [char], &'a [char])> {
    let same = |(a, b): &(&char, &char)| a == b;
    let front = heard.iter().zip(word).take_while(same).count();
    let (heard, word) = (&heard[front..], &word[front..]);
    let back = heard.iter().rev().zip(word.iter().rev()).take_while(same).count();
    let (heard, word) = (&heard[..heard.len() - back], &word[..word.len() - back]);
    let slip = match (heard, word) {
        ([a, b], [c, d]) if a == d && b == c => Slip::Swapped,
        ([_], []) => Slip::Extra,
        ([_], [_]) => Slip::Other,
        ([], [_]) => Slip::Missing,
        _ => return None,
    };
    Some((slip, heard, word))
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// All readings of a Chinese character, without their tones.
fn sounds(c: char) -> impl Iterator<Item = &'static str> {
    c.to_pinyin_multi().into_iter().flatten().map(Pinyin::plain)
}

fn share_a_sound(a: char, b: char) -> bool {
    sounds(a).any(|sound| sounds(b).any(|other| sound == other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, word: &str) -> Option<(Slip, String)> {
        let (likeness, found) = Heard::new(text).find(word)?;
        Some((likeness.slip, found))
    }

    #[test]
    fn every_slip_is_found_where_it_is() {
        for (text, word, slip, found) in [
            ("请问盈业时间是", "营业时间", Slip::Sound, "盈业时间"),
            ("多少前一斤", "多少钱", Slip::Sound, "多少前"),
            ("还欠呢", "环欠", Slip::Sound, "还欠"), // 还 is read hái and huán
            ("业营时间", "营业时间", Slip::Swapped, "业营时间"),
            ("营业时间间", "营时间间", Slip::Extra, "营业时间间"),
            ("营业 时间", "营业时间", Slip::Extra, "营业 时间"),
            ("发 票", "发票", Slip::Extra, "发 票"),
            ("请问营业时问", "营业时间", Slip::Other, "营业时问"),
            ("请问营业间", "营业时间", Slip::Missing, "营业间"),
            ("wfii password", "wifi", Slip::Swapped, "wfii"),
            ("the wifis here", "wifi", Slip::Extra, "wifis"),
            ("a refumd please", "refund", Slip::Other, "refumd"),
            ("办会员咔", "会员卡", Slip::Sound, "会员咔"),
        ] {
            assert_eq!(
                find(text, word),
                Some((slip, found.to_owned())),
                "{word} in {text}"
            );
        }
    }

    #[test]
    fn short_words_have_too_many_neighbours() {
        for (text, word) in [
            ("地方", "地址"), // one of two characters
            ("地", "地址"),
            ("不能用", "不用"), // one between two
            ("多少", "多少钱"), // two of three
            ("你号", "好"),
            ("high", "hi"),
            ("hat", "hut"),
            ("10085", "10086"), // numbers differ on purpose
            ("刚离开。门口", "开门"),
            ("rewifix", "wifi"), // a part of another word
            ("营页世间员", "营业员时间"),
        ] {
            assert_eq!(find(text, word), None, "{word} in {text}");
        }
    }

    #[test]
    fn the_closest_place_is_named_and_long_words_come_before_short_ones() {
        let heard = Heard::new("是什 盈页时间 盈业时间 定单");
        let near = |word: &str| heard.find(word).expect("near");
        assert_eq!(near("营业时间").1, "盈业时间");
        assert!(near("营业时间").0 < near("订单").0);
        assert!(near("订单").0 < near("事实").0, "no character of it is there");
        assert!(near("页盈时间").0 < near("订单").0);
    }

    #[test]
    fn a_whole_text_is_compared_as_a_whole() {
        let whole = |text: &str, word: &str| {
            Heard::new(text)
                .find_whole(word)
                .map(|(likeness, _)| likeness.slip)
        };
        assert_eq!(whole("查定单", "查订单"), Some(Slip::Sound));
        assert_eq!(whole("我查定单", "查订单"), None);
    }

    #[test]
    fn a_text_shorter_than_the_word_is_no_fault() {
        assert_eq!(find("", "营业时间"), None);
        assert_eq!(find("营", "营业时间"), None);
    }
}
