//! Small regexes as bits: whether one finds a match, in one pass over the characters.
//!
//! Each place of a regex that takes a character is a *position*, a bit of one word. Which positions can follow which is
//! known beforehand (Glushkov's construction), so a step is: of the positions that may come next, which take this
//! character? There is nothing to remember but the word, so this takes neither memory nor time to set up, and linear time on
//! any text; and ten thousand regexes lie in one table, where engines of their own would be all over the memory.
//!
//! Regexes with more positions than bits, with word boundaries, or with anchors inside are left to [`super::pattern`].

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind, Look, Repetition};

/// The positions of all small regexes.
#[derive(Debug, Default)]
pub(super) struct Positions {
    positions: Vec<Position>,
    /// The ranges of the larger classes, each sorted.
    ranges: Vec<(char, char)>,
}

/// One place that takes a character.
#[derive(Clone, Copy, Debug)]
struct Position {
    takes: Takes,
    /// The positions that can come next.
    next: u64,
}

/// Which characters a position takes.
#[derive(Clone, Copy, Debug)]
enum Takes {
    /// These, from the first to the last.
    These(char, char),
    /// All but these.
    Others(char, char),
    /// Those in a piece of [`Positions::ranges`].
    Ranges(u32, u32),
}

/// A small regex: a piece of [`Positions`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Small {
    /// Where its positions start.
    start: u32,
    /// The positions that can take the first character of a match anywhere, and those that must take that of the text.
    first: u64,
    first_of_text: u64,
    /// The positions that can take the last character of a match, and those that must take that of the text.
    last: u64,
    last_of_text: u64,
}

impl Positions {
    /// Adds a regex, if it is small and matches no empty text.
    pub(super) fn add(&mut self, hir: &Hir) -> Option<Small> {
        let mut draft = Draft::default();
        let mut small = Small {
            start: u32::try_from(self.positions.len()).ok()?,
            first: 0,
            first_of_text: 0,
            last: 0,
            last_of_text: 0,
        };
        for branch in branches(hir) {
            let (branch, at_start, at_end) = anchors(branch);
            let part = branch
                .iter()
                .try_fold(Part::EMPTY, |before, hir| {
                    let part = draft.part(hir)?;
                    Some(draft.then(before, part))
                })
                .filter(|part| !part.empty)?;
            *if at_start {
                &mut small.first_of_text
            } else {
                &mut small.first
            } |= part.first;
            *if at_end {
                &mut small.last_of_text
            } else {
                &mut small.last
            } |= part.last;
        }
        for (class, next) in draft.classes.iter().zip(draft.next) {
            let takes = self.takes(class);
            self.positions.push(Position { takes, next });
        }
        Some(small)
    }

    fn takes(&mut self, class: &ClassUnicode) -> Takes {
        let range = |class: &ClassUnicode| match class.ranges() {
            [range] => Some((range.start(), range.end())),
            _ => None,
        };
        let mut others = class.clone();
        others.negate();
        if let Some((first, last)) = range(class) {
            return Takes::These(first, last);
        }
        if let Some((first, last)) = range(&others) {
            return Takes::Others(first, last);
        }
        let start = self.ranges.len();
        self.ranges
            .extend(class.iter().map(|range| (range.start(), range.end())));
        let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Takes::Ranges(index(start), index(self.ranges.len()))
    }

    /// Whether a regex finds a match in `text`.
    pub(super) fn is_match(&self, small: Small, text: &[char]) -> bool {
        let positions = &self.positions[small.start as usize..];
        let mut may_come = small.first | small.first_of_text;
        let mut matched = 0;
        for &c in text {
            if may_come == 0 {
                return false;
            }
            matched = 0;
            let mut next = small.first;
            while may_come != 0 {
                let position = &positions[may_come.trailing_zeros() as usize];
                if self.is_taken(position.takes, c) {
                    matched |= may_come & may_come.wrapping_neg();
                    next |= position.next;
                }
                may_come &= may_come - 1;
            }
            if matched & small.last != 0 {
                return true;
            }
            may_come = next;
        }
        matched & small.last_of_text != 0
    }

    #[inline]
    fn is_taken(&self, takes: Takes, c: char) -> bool {
        match takes {
            Takes::These(first, last) => first <= c && c <= last,
            Takes::Others(first, last) => c < first || last < c,
            Takes::Ranges(start, end) => {
                let ranges = &self.ranges[start as usize..end as usize];
                let at = ranges.partition_point(|(_, last)| *last < c);
                ranges.get(at).is_some_and(|(first, _)| *first <= c)
            }
        }
    }
}

fn branches(hir: &Hir) -> &[Hir] {
    match hir.kind() {
        HirKind::Alternation(branches) => branches,
        _ => std::slice::from_ref(hir),
    }
}

/// A branch without the anchors at its ends, and whether they were there.
fn anchors(branch: &Hir) -> (&[Hir], bool, bool) {
    let mut parts = match branch.kind() {
        HirKind::Concat(parts) => parts,
        _ => std::slice::from_ref(branch),
    };
    let is = |hir: Option<&Hir>, look| hir.is_some_and(|hir| *hir.kind() == HirKind::Look(look));
    let at_start = is(parts.first(), Look::Start);
    if at_start {
        parts = &parts[1..];
    }
    let at_end = is(parts.last(), Look::End);
    if at_end {
        parts = &parts[..parts.len() - 1];
    }
    (parts, at_start, at_end)
}

/// What is known of one part of a regex.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// It matches the empty text.
    empty: bool,
    /// The positions that can take its first character.
    first: u64,
    /// … its last.
    last: u64,
}

impl Part {
    const EMPTY: Self = Self {
        empty: true,
        first: 0,
        last: 0,
    };
    const NOTHING: Self = Self {
        empty: false,
        first: 0,
        last: 0,
    };
}

/// The positions of one regex, as they are found.
#[derive(Default)]
struct Draft {
    classes: Vec<ClassUnicode>,
    next: Vec<u64>,
}

impl Draft {
    /// The part that a piece of a regex makes; none when the regex is too large or has an anchor in there.
    fn part(&mut self, hir: &Hir) -> Option<Part> {
        match hir.kind() {
            HirKind::Empty => Some(Part::EMPTY),
            HirKind::Look(_) => None,
            HirKind::Literal(literal) => {
                let text = std::str::from_utf8(&literal.0).ok()?;
                text.chars().try_fold(Part::EMPTY, |before, c| {
                    let part = self.class(ClassUnicode::new([regex_syntax::hir::ClassUnicodeRange::new(
                        c, c,
                    )]))?;
                    Some(self.then(before, part))
                })
            }
            HirKind::Class(Class::Unicode(class)) => self.class(class.clone()),
            HirKind::Class(Class::Bytes(class)) => self.class(class.to_unicode_class()?),
            HirKind::Capture(capture) => self.part(&capture.sub),
            HirKind::Repetition(repetition) => self.repeated(repetition),
            HirKind::Concat(parts) => parts.iter().try_fold(Part::EMPTY, |before, hir| {
                let part = self.part(hir)?;
                Some(self.then(before, part))
            }),
            HirKind::Alternation(branches) => branches.iter().try_fold(Part::NOTHING, |all, hir| {
                let part = self.part(hir)?;
                Some(Part {
                    empty: all.empty || part.empty,
                    first: all.first | part.first,
                    last: all.last | part.last,
                })
            }),
        }
    }

    fn class(&mut self, class: ClassUnicode) -> Option<Part> {
        if self.classes.len() == u64::BITS as usize {
            return None;
        }
        let bit = 1 << self.classes.len();
        self.classes.push(class);
        self.next.push(0);
        Some(Part {
            empty: false,
            first: bit,
            last: bit,
        })
    }

    /// `{2,}` is the part twice, the second time any number of times; `{2,4}` is it twice, then twice or less.
    fn repeated(&mut self, repetition: &Repetition) -> Option<Part> {
        let Repetition { min, max, sub, .. } = repetition;
        let copies = max.unwrap_or(1).max(*min);
        if copies > u64::BITS {
            return None;
        }
        let mut all = Part::EMPTY;
        for copy in 1..=copies {
            let mut part = self.part(sub)?;
            if max.is_none() && copy == copies {
                self.follow(part.last, part.first);
            }
            part.empty |= copy > *min;
            all = self.then(all, part);
        }
        Some(all)
    }

    fn then(&mut self, a: Part, b: Part) -> Part {
        self.follow(a.last, b.first);
        let or_empty = |empty: bool, bits: u64| if empty { bits } else { 0 };
        Part {
            empty: a.empty && b.empty,
            first: a.first | or_empty(a.empty, b.first),
            last: b.last | or_empty(b.empty, a.last),
        }
    }

    fn follow(&mut self, mut from: u64, to: u64) {
        while from != 0 {
            self.next[from.trailing_zeros() as usize] |= to;
            from &= from - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(pattern: &str, text: &str) -> Option<bool> {
        let mut positions = Positions::default();
        let small = positions.add(&regex_syntax::parse(pattern).expect("valid"))?;
        let text: Vec<char> = text.chars().collect();
        Some(positions.is_match(small, &text))
    }

    #[test]
    fn small_regexes_find_what_the_regex_crate_finds() {
        let texts = [
            "",
            "a",
            "b",
            "ab",
            "ba",
            "aab",
            "abab",
            "退款",
            "我要退款",
            "退款吗",
            "请问退款吗",
            "a1",
            "a12345",
            "1234567",
            "x\ny",
            "REFUND",
            "refund my order",
            "好好好",
            "é",
            "a退款b",
            "\n",
        ];
        for pattern in [
            "a",
            "ab",
            "a.*b",
            "^a",
            "b$",
            "^a$",
            "^(?:a|ba)$",
            "^a|b$",
            "(?:ab){2}",
            "a{2,3}b",
            "退款",
            "(?:请问)?退款(?:吗|呢)?",
            "^(?:请问)?退款(?:吗|呢)?$",
            "[0-9]{4,}",
            "^[0-9]{7}$",
            "(?i)refund.{0,5}order",
            "x.y",
            "(?s)x.y",
            "[^a]b",
            r"\d+$",
            r"\p{Han}{3}",
            "(?:refund|return).*order|退款",
            "(?:a|b)+?1",
            "(a)(b)",
            "a(?:b|)1",
            "(?-u:a)b",
            "[^a-c退]",
            "好{2}$",
            "(?:a*b*)*1",
        ] {
            let regex = regex::Regex::new(pattern).expect("valid");
            for text in texts {
                let expected = Some(regex.is_match(text));
                assert_eq!(finds(pattern, text), expected, "{pattern} in {text:?}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for pattern in [
            "",
            "a?",
            "^$",
            r"\ba",
            "(?m)^a",
            "a(?:^b|c)",
            "[0-9]{65}",
            "(?:[ab]{9}){8}",
            "a{0}",
        ] {
            assert_eq!(finds(pattern, "a"), None, "{pattern}");
        }
    }
}
