//! One regex: parsed as the `regex` crate parses, run in linear time, small in memory.
//!
//! A `regex::Regex` keeps 29 KB for speed on long texts; a bare NFA keeps 2.5 KB and is as fast on a customer's
//! message, which matters where there are ten thousand of them.

use std::cell::RefCell;
use std::sync::OnceLock;

use regex_automata::Input;
use regex_automata::nfa::thompson::backtrack::{BoundedBacktracker, Cache};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::primitives::NonMaxUsize;
use regex_syntax::hir::{Hir, HirKind};

use super::positions::Positions;

/// The most memory that one regex may take, in bytes; the `regex` crate's own limit.
const SIZE_LIMIT: usize = 10 << 20;

/// Why a pattern does not compile.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PatternError {
    /// It is no regex.
    #[error(transparent)]
    Syntax(#[from] Box<regex_syntax::Error>),
    /// It takes too much memory.
    #[error("the regex is too large: {0}")]
    TooLarge(#[from] Box<thompson::BuildError>),
    /// Nothing is left of a keyword.
    #[error("the keyword is empty after normalisation, and would be found in every text")]
    EmptyKeyword,
}

/// A regex with captures.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    source: Box<str>,
    /// The names of its groups.
    names: Box<[Option<Box<str>>]>,
    /// Made when it is first needed, where nothing can go wrong with that: of ten thousand rules with a regex, few have
    /// templates that ask what it took from the message.
    engine: OnceLock<Engine>,
}

thread_local! {
    static SEARCH: RefCell<Search> = RefCell::default();
}

/// Memory that each thread keeps from search to search, for whatever pattern comes next.
#[derive(Default)]
struct Search {
    cache: Option<Cache>,
    slots: Vec<Option<NonMaxUsize>>,
}

/// A regex of so many bytes, and of no more positions than a word has bits, is within [`SIZE_LIMIT`] whatever its
/// classes are.
const SHORT: usize = 256;

impl Pattern {
    /// Compiles, or sees that it would.
    pub(crate) fn compile(pattern: &str) -> Result<Self, PatternError> {
        let hir = parse(pattern)?;
        let engine = OnceLock::new();
        if pattern.len() > SHORT || Positions::default().add(&hir).is_none() {
            let compiled = Engine::new(&hir, WhichCaptures::All)?;
            engine.get_or_init(|| compiled);
        }
        let mut names = vec![None];
        group_names(&hir, &mut names);
        Ok(Self {
            source: pattern.into(),
            names: names.into(),
            engine,
        })
    }

    /// Whether it finds a match in `text`.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.engine().is_match(text, &mut None)
    }

    /// Tells of the groups of the first match, the whole match first: name (none for a numbered group), and value (none
    /// for a group that took no part). Whether there is a match.
    pub(crate) fn captures<'p, 't>(
        &'p self,
        text: &'t str,
        mut tell: impl FnMut(Option<&'p str>, Option<&'t str>),
    ) -> bool {
        SEARCH.with_borrow_mut(|Search { cache, slots }| {
            slots.clear();
            slots.resize(2 * self.names.len(), None);
            let found = self.engine().search(text, cache, slots);
            if found {
                for (name, span) in self.capture_names().zip(slots.chunks_exact(2)) {
                    let value = match span {
                        [Some(start), Some(end)] => text.get(start.get()..end.get()),
                        _ => None,
                    };
                    tell(name, value);
                }
            }
            found
        })
    }

    /// The names of the groups, by number, the whole match (number 0, no name) first.
    pub(crate) fn capture_names(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        self.names.iter().map(Option::as_deref)
    }

    fn engine(&self) -> &Engine {
        #[expect(clippy::expect_used, reason = "`compile` left only what compiles")]
        self.engine.get_or_init(|| {
            let hir = parse(&self.source).expect("it was parsed before");
            Engine::new(&hir, WhichCaptures::All).expect("it is short")
        })
    }
}

/// In the order in which the groups open.
fn group_names(hir: &Hir, names: &mut Vec<Option<Box<str>>>) {
    match hir.kind() {
        HirKind::Capture(capture) => {
            names.push(capture.name.clone());
            group_names(&capture.sub, names);
        }
        HirKind::Repetition(repetition) => group_names(&repetition.sub, names),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|part| group_names(part, names));
        }
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => {}
    }
}

/// Parses with the `regex` crate's defaults: Unicode, and only what matches whole characters.
pub(super) fn parse(pattern: &str) -> Result<Hir, PatternError> {
    regex_syntax::parse(pattern).map_err(|error| PatternError::Syntax(Box::new(error)))
}

/// An NFA with the two ways to run it.
#[derive(Clone, Debug)]
pub(super) struct Engine(BoundedBacktracker);

impl Engine {
    /// Compiles.
    pub(super) fn new(hir: &Hir, captures: WhichCaptures) -> Result<Self, PatternError> {
        let config = thompson::Config::new()
            .which_captures(captures)
            .nfa_size_limit(Some(SIZE_LIMIT));
        thompson::Compiler::new()
            .configure(config)
            .build_from_hir(hir)
            .and_then(BoundedBacktracker::new_from_nfa)
            .map(Self)
            .map_err(|error| PatternError::TooLarge(Box::new(error)))
    }

    /// Whether it finds a match. `cache` is memory kept from one call to the next, of this or any other engine.
    pub(super) fn is_match(&self, text: &str, cache: &mut Option<Cache>) -> bool {
        let cache = cache.get_or_insert_with(|| self.0.create_cache());
        cache.reset(&self.0);
        self.0.try_is_match(cache, text).unwrap_or_else(|_| {
            let engine = self.for_long_text();
            engine.is_match(&mut engine.create_cache(), text)
        })
    }

    /// Whether it finds a match, and in `slots`, which are two for each group, where each group of the first one starts
    /// and ends. `cache` as in [`Self::is_match`].
    fn search(&self, text: &str, cache: &mut Option<Cache>, slots: &mut [Option<NonMaxUsize>]) -> bool {
        let cache = cache.get_or_insert_with(|| self.0.create_cache());
        cache.reset(&self.0);
        let input = Input::new(text);
        let found = self.0.try_search_slots(cache, &input, slots).unwrap_or_else(|_| {
            let engine = self.for_long_text();
            engine.search_slots(&mut engine.create_cache(), &input, slots)
        });
        found.is_some()
    }

    /// The backtracker notes where it has been, in a table that grows with the text. This one does not.
    fn for_long_text(&self) -> PikeVM {
        #[expect(
            clippy::expect_used,
            reason = "fails for many patterns without `utf8`; this is one"
        )]
        PikeVM::new_from_nfa(self.0.get_nfa().clone()).expect("one pattern")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captures<'a>(pattern: &'a Pattern, text: &'a str) -> Vec<(Option<&'a str>, Option<&'a str>)> {
        let mut groups = Vec::new();
        let found = pattern.captures(text, |name, value| groups.push((name, value)));
        assert_eq!(found, !groups.is_empty());
        groups
    }

    #[test]
    fn captures_have_names_numbers_and_gaps() {
        let pattern = Pattern::compile(r"(?<what>订单)(号)?\s*(\d+)").expect("valid");
        let names: Vec<_> = pattern.capture_names().collect();
        assert_eq!(names, [None, Some("what"), None, None]);
        assert_eq!(
            captures(&pattern, "查订单 123 和订单 4"),
            [
                (None, Some("订单 123")),
                (Some("what"), Some("订单")),
                (None, None),
                (None, Some("123")),
            ]
        );
        assert_eq!(captures(&pattern, "订单"), []);
        assert!(pattern.is_match("订单1") && !pattern.is_match("1"));
    }

    #[test]
    fn a_text_too_long_for_the_backtracker_is_searched_all_the_same() {
        let pattern = Pattern::compile(r"(\d\d)元.*$").expect("valid");
        let text = "长".repeat(300_000) + "25元整";
        assert!(pattern.is_match(&text));
        assert_eq!(captures(&pattern, &text)[1].1, Some("25"));
        assert!(!pattern.is_match(&"长".repeat(300_000)));
    }

    #[test]
    fn what_is_left_for_later_compiles_then() {
        const POSITIONS: usize = 64;
        let classes = [r"\w", r"\p{L}", r"[^\w]", r"(?i)\w", "[\\p{Han}\\p{L}]", r"\p{M}"];
        let one_by_one = |class: &str| class.repeat(POSITIONS.min(SHORT / class.len()));
        let counted = |class: &str| format!("{class}{{{POSITIONS}}}");
        for class in classes {
            for pattern in [one_by_one(class), counted(class)] {
                let compiled = Pattern::compile(&pattern).expect("valid");
                assert!(compiled.engine.get().is_none(), "{pattern} is made at once");
                assert!(!compiled.is_match("长"), "{pattern}");
            }
            let longer = format!("{}{class}", counted(class));
            let longer = Pattern::compile(&longer).expect("valid");
            assert!(
                longer.engine.get().is_some(),
                "{class}: more than is left for later"
            );
        }
    }

    #[test]
    fn errors_show_the_place() {
        let error = Pattern::compile("订单(号").expect_err("unclosed").to_string();
        assert!(error.contains('^') && error.contains("unclosed group"), "{error}");
        let error = Pattern::compile(r"(\w{1000}){1000}")
            .expect_err("huge")
            .to_string();
        assert!(error.contains("too large"), "{error}");
    }
}
