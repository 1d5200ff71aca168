//! What a text must contain before a regex can match it: found in the regex's structure, inner parts included.
//!
//! Everything here is folded character by character as messages are ([`fold`]), so a regex's upper case,
//! full-width or traditional characters are looked for in the same text that keywords are looked for in. Folding
//! loses distinctions, so the strings are necessary, never sufficient: the regex itself decides.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use crate::text::fold;

/// Strings of which at least one is in every text that the regex matches; none of them is empty.
pub(super) type AnyOf = Vec<String>;

/// The most strings in one set, and the most that a concatenation may multiply to.
const MAX_UNION: usize = 512;
const MAX_PRODUCT: usize = 32;
/// The most sets that an alternation may be distributed to.
const MAX_DISTRIBUTED: usize = 8;
/// A class of more characters is no set of strings.
const MAX_CLASS: usize = 64;
/// More single characters than these, as `[0-9]`, are in too many texts; a run of them says more (`residual`).
const MAX_COMMON: usize = 4;

/// All sets that a text must satisfy.
pub(super) fn required(hir: &Hir) -> Vec<AnyOf> {
    let mut sets = parts(hir).into_sets();
    sets.iter_mut().for_each(shortest);
    sets.retain(|set| min_len(set) > 1 || set.len() <= MAX_COMMON);
    sets.sort();
    sets.dedup();
    sets
}

/// What is known of one part of a regex.
struct Parts {
    /// Every string that it can match, when these are few.
    whole: Option<Vec<String>>,
    /// The sets required when they are not.
    sets: Vec<AnyOf>,
}

impl Parts {
    fn whole(strings: Vec<String>) -> Self {
        Self {
            whole: Some(strings),
            sets: Vec::new(),
        }
    }

    fn sets(sets: Vec<AnyOf>) -> Self {
        Self { whole: None, sets }
    }

    fn into_sets(self) -> Vec<AnyOf> {
        match self.whole {
            None => self.sets,
            Some(strings) => usable(strings).into_iter().collect(),
        }
    }
}

/// A set with the empty string, or without any, says nothing.
fn usable(strings: Vec<String>) -> Option<AnyOf> {
    (!strings.is_empty() && strings.iter().all(|s| !s.is_empty())).then_some(strings)
}

fn parts(hir: &Hir) -> Parts {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Parts::whole(vec![String::new()]),
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => literal_parts(text),
            Err(_) => Parts::sets(Vec::new()),
        },
        HirKind::Class(class) => class_strings(class).map_or(Parts::sets(Vec::new()), Parts::whole),
        HirKind::Capture(capture) => parts(&capture.sub),
        HirKind::Repetition(repetition) => repeated(repetition),
        HirKind::Concat(subs) => concatenated(subs),
        HirKind::Alternation(subs) => alternated(subs),
    }
}

/// A character that cannot be folded by itself cuts the literal.
fn literal_parts(text: &str) -> Parts {
    let mut pieces = vec![String::new()];
    for c in text.chars() {
        match folded(c) {
            Some(folded) => pieces
                .last_mut()
                .into_iter()
                .for_each(|piece| piece.push_str(&folded)),
            None => pieces.push(String::new()),
        }
    }
    if pieces.len() == 1 {
        return Parts::whole(pieces);
    }
    Parts::sets(
        pieces
            .into_iter()
            .filter(|piece| !piece.is_empty())
            .map(|piece| vec![piece])
            .collect(),
    )
}

/// `[Kk\u{212A}]`, which is `(?i)k`, folds to one string.
fn class_strings(class: &Class) -> Option<Vec<String>> {
    let ascii;
    let class = match class {
        Class::Unicode(class) => class,
        Class::Bytes(class) => {
            ascii = class.to_unicode_class()?;
            &ascii
        }
    };
    if class.iter().map(|range| range.len()).sum::<usize>() > MAX_CLASS {
        return None;
    }
    let chars = class.iter().flat_map(|range| range.start()..=range.end());
    let mut strings = chars.map(folded).collect::<Option<Vec<String>>>()?;
    strings.sort();
    strings.dedup();
    Some(strings)
}

fn folded(c: char) -> Option<String> {
    let (mut utf8, mut buffer) = ([0; 4], String::new());
    let folded = fold(c.encode_utf8(&mut utf8), &mut buffer);
    folded.whole.then(|| folded.text.to_owned())
}

fn repeated(repetition: &Repetition) -> Parts {
    let sub = parts(&repetition.sub);
    match (repetition.min, repetition.max, sub.whole) {
        (0, Some(1), Some(mut strings)) => {
            strings.push(String::new());
            Parts::whole(strings)
        }
        (0, ..) => Parts::sets(Vec::new()),
        (_, _, None) => Parts::sets(sub.sets),
        (min, max, Some(strings)) => {
            let mut product = strings.clone();
            let mut times = 1;
            while times < min && product.len() * strings.len() <= MAX_PRODUCT && times < 16 {
                product = multiplied(&product, &strings);
                times += 1;
            }
            if times == min && max == Some(min) {
                Parts::whole(product)
            } else {
                Parts::sets(usable(product).into_iter().collect())
            }
        }
    }
}

/// Neighbours of few strings are multiplied into longer, rarer ones; anything else ends the run.
fn concatenated(subs: &[Hir]) -> Parts {
    let start = || vec![String::new()];
    let (mut run, mut sets, mut broken) = (start(), Vec::new(), false);
    for sub in subs.iter().map(parts) {
        match sub.whole {
            Some(strings) if run.len() * strings.len() <= MAX_PRODUCT => run = multiplied(&run, &strings),
            whole => {
                broken = true;
                sets.extend(usable(std::mem::replace(&mut run, whole.unwrap_or_else(start))));
                sets.extend(sub.sets);
            }
        }
    }
    if !broken {
        return Parts::whole(run);
    }
    sets.extend(usable(run));
    Parts::sets(sets)
}

/// (refund or return, and word) or 退款 is (refund or return or 退款) and (word or 退款): which of these is rare is
/// known only when all rules are, so all are kept, while they are few; then only the best of each further branch.
fn alternated(subs: &[Hir]) -> Parts {
    let branches: Vec<Parts> = subs.iter().map(parts).collect();
    if branches.iter().all(|branch| branch.whole.is_some()) {
        let strings: Vec<String> = branches
            .into_iter()
            .filter_map(|branch| branch.whole)
            .flatten()
            .collect();
        return if strings.len() <= MAX_UNION {
            Parts::whole(strings)
        } else {
            Parts::sets(Vec::new())
        };
    }
    let mut unions = vec![Vec::new()];
    for mut sets in branches.into_iter().map(Parts::into_sets) {
        if sets.len() * unions.len() > MAX_DISTRIBUTED {
            sets = sets
                .into_iter()
                .max_by_key(|set| min_len(set))
                .into_iter()
                .collect();
        }
        unions = unions
            .iter()
            .flat_map(|union| sets.iter().map(|set| [union.as_slice(), set].concat()))
            .collect();
    }
    // A branch that requires nothing has left nothing.
    unions.retain(|union| union.len() <= MAX_UNION);
    Parts::sets(unions)
}

fn multiplied(left: &[String], right: &[String]) -> Vec<String> {
    left.iter()
        .flat_map(|l| right.iter().map(move |r| format!("{l}{r}")))
        .collect()
}

/// The length of the shortest string, in characters.
pub(super) fn min_len(set: &[String]) -> usize {
    set.iter().map(|s| s.chars().count()).min().unwrap_or(0)
}

/// Where 订单 is required, 订单号 beside it says nothing new.
fn shortest(set: &mut AnyOf) {
    set.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    set.dedup();
    if set.len() <= MAX_CLASS {
        let mut kept: AnyOf = Vec::new();
        for string in set.drain(..) {
            if !kept.iter().any(|shorter| string.contains(shorter.as_str())) {
                kept.push(string);
            }
        }
        *set = kept;
    }
}
