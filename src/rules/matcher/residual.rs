//! Regexes that require no string, as `^[0-9]{6,18}$`: what they need is a *run* of bytes of one class.
//!
//! They are grouped by class. One pass over the text finds the longest run of a class; only the regexes of that
//! group that can do with it are tried.

use regex_syntax::hir::{Class, Hir, HirKind};
use regex_syntax::utf8::Utf8Sequences;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct ByteSet([u64; 4]);

impl ByteSet {
    fn insert(&mut self, first: u8, last: u8) {
        for byte in first..=last {
            self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
    }

    fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    fn union(mut self, other: Self) -> Self {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(mine, other)| *mine |= other);
        self
    }

    fn len(&self) -> u32 {
        self.0.iter().map(|bits| bits.count_ones()).sum()
    }

    /// The length of the longest run of these bytes, 0 when it is shorter than `least` (at least 1). A run that long
    /// has a byte at one of every `least` places: only these are looked at, until one is found.
    fn longest_run(&self, text: &str, least: usize) -> usize {
        let bytes = text.as_bytes();
        let outside = |byte: &u8| !self.contains(*byte);
        let (mut longest, mut at) = (0, least - 1);
        while let Some(byte) = bytes.get(at) {
            if outside(byte) {
                at += least;
                continue;
            }
            let start = bytes[..at]
                .iter()
                .rposition(outside)
                .map_or(0, |before| before + 1);
            let end = bytes[at..]
                .iter()
                .position(outside)
                .map_or(bytes.len(), |len| at + len);
            if end - start >= least {
                longest = longest.max(end - start);
            }
            at = end + least;
        }
        longest
    }
}

/// Every match holds a run of at least `len` of these bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    bytes: ByteSet,
    len: u32,
}

impl Run {
    /// What every text has.
    const NONE: Self = Self {
        bytes: ByteSet([u64::MAX; 4]),
        len: 0,
    };

    /// The one that fewer texts have: the longer; of equals, that of the smaller class.
    fn rarer(self, other: Self) -> Self {
        let rarity = |run: &Self| (run.len, std::cmp::Reverse(run.bytes.len()));
        if rarity(&other) > rarity(&self) {
            other
        } else {
            self
        }
    }
}

/// The run that a regex requires.
pub(super) fn run(hir: &Hir) -> Run {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Run::NONE,
        HirKind::Literal(literal) => {
            let mut bytes = ByteSet::default();
            literal.0.iter().for_each(|byte| bytes.insert(*byte, *byte));
            Run {
                bytes,
                len: u32::try_from(literal.0.len()).unwrap_or(u32::MAX),
            }
        }
        HirKind::Class(class) => Run {
            bytes: bytes_of(class),
            len: minimum_len(hir),
        },
        HirKind::Capture(capture) => run(&capture.sub),
        HirKind::Repetition(repetition) => {
            let sub = run(&repetition.sub);
            match (repetition.min, repetition.sub.kind()) {
                (0, _) => Run::NONE,
                // One after the other: one run.
                (min, HirKind::Class(_)) => Run {
                    len: sub.len.saturating_mul(min),
                    ..sub
                },
                _ => sub,
            }
        }
        HirKind::Concat(subs) => subs.iter().map(run).fold(Run::NONE, Run::rarer),
        HirKind::Alternation(subs) => {
            let runs = subs.iter().map(run);
            runs.reduce(|a, b| Run {
                bytes: a.bytes.union(b.bytes),
                len: a.len.min(b.len),
            })
            .unwrap_or(Run::NONE)
        }
    }
}

fn minimum_len(hir: &Hir) -> u32 {
    hir.properties()
        .minimum_len()
        .and_then(|len| u32::try_from(len).ok())
        .unwrap_or(0)
}

/// All bytes of all characters of a class.
fn bytes_of(class: &Class) -> ByteSet {
    let mut bytes = ByteSet::default();
    match class {
        Class::Unicode(class) => {
            for range in class.iter() {
                for sequence in Utf8Sequences::new(range.start(), range.end()) {
                    sequence
                        .as_slice()
                        .iter()
                        .for_each(|range| bytes.insert(range.start, range.end));
                }
            }
        }
        Class::Bytes(class) => class
            .iter()
            .for_each(|range| bytes.insert(range.start(), range.end())),
    }
    bytes
}

/// The regexes of one place to look in that require no string.
#[derive(Debug, Default)]
pub(super) struct Residual(Vec<Group>);

#[derive(Debug)]
struct Group {
    bytes: ByteSet,
    /// (run needed, expression), shortest run first.
    members: Vec<(u32, u32)>,
}

impl Residual {
    /// Adds an expression.
    pub(super) fn add(&mut self, expression: u32, Run { bytes, len }: Run) {
        let group = match self.0.iter_mut().find(|group| group.bytes == bytes) {
            Some(group) => group,
            None => {
                self.0.push(Group {
                    bytes,
                    members: Vec::new(),
                });
                let last = self.0.len() - 1;
                &mut self.0[last]
            }
        };
        let at = group
            .members
            .partition_point(|member| *member <= (len, expression));
        group.members.insert(at, (len, expression));
    }

    /// The expressions that may match `text`.
    pub(super) fn candidates(&self, text: &str, mut found: impl FnMut(u32)) {
        for group in &self.0 {
            let least = group.members.first().map_or(1, |(len, _)| (*len).max(1));
            let longest = group.bytes.longest_run(text, least as usize);
            let members = group
                .members
                .iter()
                .take_while(|(len, _)| *len as usize <= longest);
            members.for_each(|(_, expression)| found(*expression));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_texts_with_the_run_are_tried() {
        for (pattern, text, tried) in [
            ("^[0-9]{6,18}$", "12345", false),
            ("^[0-9]{6,18}$", "123456", true),
            ("[0-9]{3}", "1 2 3 4", false),
            (r"\d{3,}", "一二三四五", false),
            (r"\d{3,}", "尾号123", true),
            (r"(?:[A-Z]{2})?[0-9]{4}", "AB 12", false),
            ("[a-f]{3}|[0-9]{2}", "ab1", true),
            ("[a-f]{3}|[0-9]{2}", "a我1", false),
            ("^[0-9]{6,18}$", "电话12345，邮编654321", true),
            ("^[0-9]{6,18}$", "12345 12345 12345", false),
            ("[0-9]*", "", true),
            ("", "", true),
        ] {
            let mut residual = Residual::default();
            residual.add(7, run(&regex_syntax::parse(pattern).expect("valid")));
            let mut found = Vec::new();
            residual.candidates(text, |e| found.push(e));
            assert_eq!(
                found,
                if tried { vec![7] } else { vec![] },
                "{pattern} for {text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn probing_finds_the_longest_run(text in "[0-9a]{0,30}", least in 1usize..6) {
            let mut digits = ByteSet::default();
            digits.insert(b'0', b'9');
            let longest = text.split('a').map(str::len).max().unwrap_or(0);
            let expected = if longest >= least { longest } else { 0 };
            prop_assert_eq!(digits.longest_run(&text, least), expected);
        }
    }
}
