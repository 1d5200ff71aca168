//! Conditions → tables.

use std::collections::HashMap;

use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::hir::Look;

use super::literals::{AnyOf, min_len, required};
use super::pattern::{Engine, PatternError, parse};
use super::residual::{Residual, Run, run};
use super::strings::Strings;
use super::{
    BuildError, Check, Expression, How, List, Literal, Matcher, Path, Place, Positions, Sets, Target,
    Targets, TextConditions, index,
};
use crate::text::{exact_form, is_latin, normal_form};

pub(super) fn build(rules: &[Option<TextConditions>]) -> Result<Matcher, BuildError> {
    let mut builder = Builder::default();
    for (rule, conditions) in rules.iter().enumerate() {
        let check = match conditions {
            Some(conditions) => builder.rule(rule, conditions)?,
            None => None,
        };
        builder.checks.push(check);
    }
    Ok(builder.finish())
}

/// The tables as they grow.
#[derive(Default)]
struct Builder {
    literals: Vec<Literal>,
    strings: Vec<String>,
    keywords: HashMap<String, u32>,
    fragments: HashMap<String, u32>,
    exact: HashMap<String, u32>,
    positions: Positions,
    expressions: Vec<Draft>,
    expression_ids: HashMap<(Place, String), u32>,
    paths: Vec<Path>,
    always: Vec<u32>,
    checks: Vec<Option<Box<Check>>>,
    from_literal: Vec<(u32, Target)>,
    from_expression: Vec<(u32, Target)>,
}

/// An expression before it is known how rare its strings are.
struct Draft {
    expression: Expression,
    sets: Vec<AnyOf>,
    run: Run,
    /// Some rule is found by it.
    trigger: bool,
}

impl Builder {
    fn rule(&mut self, rule: usize, conditions: &TextConditions) -> Result<Option<Box<Check>>, BuildError> {
        let at = |what: &'static str| {
            move |(pattern, error)| BuildError {
                rule,
                what: format!("{what} {pattern:?}"),
                error,
            }
        };
        let TextConditions {
            exact,
            keywords,
            all_keywords,
            not_keywords,
            regex,
            fields,
        } = conditions;
        let any = self.keywords(keywords).map_err(at("keyword"))?;
        let mut all = self.keywords(all_keywords).map_err(at("keyword"))?;
        let none = self.keywords(not_keywords).map_err(at("keyword"))?;
        let text_patterns = regex.iter().map(|pattern| (Place::Text, pattern));
        let regex = self.expressions(text_patterns).map_err(at("regex"))?;
        let field_patterns: Vec<_> = fields
            .iter()
            .map(|(path, pattern)| (Place::Field(self.path(path)), pattern))
            .collect();
        let fields = self
            .expressions(field_patterns.into_iter())
            .map_err(at("regex of a field"))?;

        #[expect(
            clippy::cast_possible_truncation,
            reason = "four thousand million rules do not fit into memory"
        )]
        let id = rule as u32;
        let on_text = [exact.len(), any.len(), all.len(), none.len(), regex.len()];
        let needs_text = on_text != [0; 5];
        let mut check = Check {
            needs_text,
            any,
            all: Box::default(),
            none,
            regex,
            fields,
        };

        // The trigger is the kind that fires least often; what it covers needs no check.
        let (triggers, kind) = if !exact.is_empty() {
            (exact.iter().map(|text| self.exact(text)).collect(), Kind::Literal)
        } else if !all.is_empty() {
            let longest = all_keywords
                .iter()
                .zip(&all)
                .max_by_key(|(text, _)| text.chars().count());
            let trigger: Vec<u32> = longest.iter().map(|(_, literal)| **literal).collect();
            all = all
                .iter()
                .copied()
                .filter(|literal| !trigger.contains(literal))
                .collect();
            (trigger, Kind::Literal)
        } else if !check.any.is_empty() {
            (std::mem::take(&mut check.any).into_vec(), Kind::Literal)
        } else if !check.regex.is_empty() {
            (std::mem::take(&mut check.regex).into_vec(), Kind::Expression)
        } else {
            let best = check
                .fields
                .iter()
                .max_by_key(|e| !self.expressions[**e as usize].sets.is_empty());
            let trigger: Vec<u32> = best.iter().map(|e| **e).collect();
            check.fields = check
                .fields
                .iter()
                .copied()
                .filter(|e| !trigger.contains(e))
                .collect();
            (trigger, Kind::Expression)
        };
        check.all = all;

        if triggers.is_empty() {
            self.always.push(id);
            return Ok(Some(Box::new(check)));
        }
        let rest = [&check.any, &check.all, &check.none, &check.regex, &check.fields];
        let done = rest.iter().all(|list| list.is_empty());
        let target = if done {
            Target::Match(id)
        } else {
            Target::Check(id)
        };
        for trigger in triggers {
            match kind {
                Kind::Literal => self.from_literal.push((trigger, target)),
                Kind::Expression => {
                    self.from_expression.push((trigger, target));
                    self.expressions[trigger as usize].trigger = true;
                }
            }
        }
        Ok((!done).then(|| Box::new(check)))
    }

    fn exact(&mut self, text: &str) -> u32 {
        let text = exact_form(text);
        if let Some(&literal) = self.exact.get(&text) {
            return literal;
        }
        let literal = self.literal(Literal::Exact, &text);
        self.exact.insert(text, literal);
        literal
    }

    fn keywords<'k>(&mut self, keywords: &'k [String]) -> Result<Box<[u32]>, (&'k str, PatternError)> {
        keywords
            .iter()
            .map(|keyword| {
                let normal = normal_form(keyword);
                let (Some(first), Some(last)) = (normal.chars().next(), normal.chars().next_back()) else {
                    return Err((keyword.as_str(), PatternError::EmptyKeyword));
                };
                if let Some(&literal) = self.keywords.get(&normal) {
                    return Ok(literal);
                }
                let latin = is_latin(first) || is_latin(last);
                let literal = self.literal(Literal::Keyword { latin }, &normal);
                self.keywords.insert(normal, literal);
                Ok(literal)
            })
            .collect()
    }

    fn fragment(&mut self, text: &str) -> u32 {
        if let Some(&literal) = self.fragments.get(text) {
            return literal;
        }
        let literal = self.literal(Literal::Fragment, text);
        self.fragments.insert(text.to_owned(), literal);
        literal
    }

    fn literal(&mut self, kind: Literal, text: &str) -> u32 {
        self.literals.push(kind);
        self.strings.push(text.to_owned());
        index(self.literals.len() - 1)
    }

    fn path(&mut self, name: &str) -> u32 {
        let at = self
            .paths
            .iter()
            .position(|path| path.name == name)
            .unwrap_or_else(|| {
                self.paths.push(Path {
                    name: name.to_owned(),
                    trigger: false,
                    residual: Residual::default(),
                });
                self.paths.len() - 1
            });
        index(at)
    }

    fn expressions<'k>(
        &mut self,
        patterns: impl Iterator<Item = (Place, &'k String)>,
    ) -> Result<Box<[u32]>, (&'k str, PatternError)> {
        patterns
            .map(|(place, pattern)| {
                let key = (place, pattern.clone());
                if let Some(&expression) = self.expression_ids.get(&key) {
                    return Ok(expression);
                }
                let draft = Draft::new(place, pattern, &mut self.positions)
                    .map_err(|error| (pattern.as_str(), error))?;
                let expression = index(self.expressions.len());
                self.expressions.push(draft);
                self.expression_ids.insert(key, expression);
                Ok(expression)
            })
            .collect()
    }

    fn finish(mut self) -> Matcher {
        let drafts = std::mem::take(&mut self.expressions);
        let mut uses: HashMap<String, u32> = HashMap::new();
        for string in drafts.iter().flat_map(|draft| &draft.sets).flatten() {
            *uses.entry(string.clone()).or_default() += 1;
        }
        let mut residual = Residual::default();
        let mut required = Sets::default();
        let mut expressions = Vec::with_capacity(drafts.len());
        for (id, mut draft) in (0..).zip(drafts) {
            // A field without a trigger is never scanned, and what no scan looks for need not be found.
            if !draft.trigger && draft.expression.place != Place::Text {
                draft.sets.clear();
            }
            draft.rarest_first(&uses);
            let first = required.ends.len();
            for set in &draft.sets {
                required.push(set.iter().map(|s| self.fragment(s)));
            }
            let sets = (index(first), index(required.ends.len()));
            if draft.trigger {
                let residual = match draft.expression.place {
                    Place::Text => &mut residual,
                    Place::Field(path) => {
                        let path = &mut self.paths[path as usize];
                        path.trigger = true;
                        &mut path.residual
                    }
                };
                if draft.sets.is_empty() {
                    residual.add(id, draft.run);
                } else {
                    let set = required.get(sets.0).iter();
                    self.from_literal
                        .extend(set.map(|literal| (*literal, Target::Try(id))));
                }
            }
            expressions.push(Expression {
                required: sets,
                ..draft.expression
            });
        }

        Matcher {
            strings: Strings::new(self.strings.iter().map(String::as_str)),
            by_literal: Targets::new(self.literals.len(), self.from_literal),
            literals: self.literals,
            empty: self.exact.get("").copied(),
            by_expression: Targets::new(expressions.len(), self.from_expression),
            expressions,
            positions: self.positions,
            required,
            residual,
            paths: self.paths,
            always: self.always,
            checks: self.checks,
        }
    }
}

/// What a trigger is.
#[derive(Clone, Copy)]
enum Kind {
    Literal,
    Expression,
}

/// More sets than these cost more to look for than they save.
const MAX_SETS: usize = 4;

impl Draft {
    fn new(place: Place, pattern: &str, positions: &mut Positions) -> Result<Self, PatternError> {
        let hir = parse(pattern)?;
        let engine = match positions.add(&hir) {
            Some(small) => How::Small(small),
            None => How::Engine(Box::new(Engine::new(&hir, WhichCaptures::None)?)),
        };
        let properties = hir.properties();
        let anchored = properties.look_set_prefix().contains(Look::Start)
            && properties.look_set_suffix().contains(Look::End);
        let bytes = |len: usize| u32::try_from(len).ok();
        let longest = properties.maximum_len().filter(|_| anchored);
        let expression = Expression {
            engine,
            place,
            min_len: properties.minimum_len().and_then(bytes).unwrap_or(0),
            max_len: longest.and_then(bytes).unwrap_or(u32::MAX),
            required: (0, 0),
        };
        Ok(Self {
            expression,
            sets: required(&hir),
            run: run(&hir),
            trigger: false,
        })
    }

    /// The set that fewest texts can be expected to satisfy comes first. Sets with a single character, as `.`, are in
    /// every second text: they are used only where there is nothing else.
    fn rarest_first(&mut self, uses: &HashMap<String, u32>) {
        let common = |set: &AnyOf| min_len(set) == 1;
        self.sets.sort_by_cached_key(|set| {
            let uses: u32 = set.iter().filter_map(|s| uses.get(s)).sum();
            (common(set), uses, usize::MAX - min_len(set))
        });
        let long = self.sets.iter().filter(|set| !common(set)).count();
        self.sets.truncate(long.clamp(1, MAX_SETS));
    }
}

impl Targets {
    fn new(len: usize, mut links: Vec<(u32, Target)>) -> Self {
        links.sort_unstable();
        links.dedup();
        let mut targets = Self {
            lists: vec![List::Empty; len],
            long: Vec::new(),
        };
        for list in links.chunk_by(|a, b| a.0 == b.0) {
            let of = list[0].0 as usize;
            targets.lists[of] = if let [(_, only)] = list {
                List::One(*only)
            } else {
                targets
                    .long
                    .push(list.iter().map(|(_, target)| *target).collect());
                List::Long(index(targets.long.len() - 1))
            };
        }
        targets
    }
}
