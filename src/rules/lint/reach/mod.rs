//! Whether a rule can ever act, or the rules above it always take its messages first.
//!
//! Three answers, and never a guess. *Open* is shown: a message, a user and a time are made up, and the engine, run on
//! them, let the rule act. *Hidden* is proven: all that the rule takes is split into corners, and for each corner it
//! is shown that the conditions of rules above hold there, for all users and at all times; then the engine is run on
//! one of these messages and must agree. Everything else is *unknown*.

mod cover;
mod example;
mod facts;
mod finding;
mod message;
mod witness;

use std::collections::{BTreeSet, VecDeque};

use self::cover::{Known, Way, ways};
use self::facts::{Point, Space, asks, asks_at_least};
use self::message::{Frame, Names, inbound, texts};
use crate::message::{Inbound, RuleName};
use crate::rules::RuleSet;
use crate::rules::condition::Demand;
use crate::rules::decide::Fate;
use crate::rules::rule::Rule;

pub(super) use finding::lint;
pub use witness::Witness;

/// The most messages that are tried to show that a rule acts.
const MAX_TRIES: usize = 96;
/// The most corners that a proof goes through.
const MAX_CORNERS: usize = 512;
/// The most users and times that one message is tried with.
const MAX_RUNS: usize = 4;
/// The most wordings of one message.
const MAX_WORDINGS: usize = 12;

/// Whether a rule can ever act.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Proven: never. Rules above it always take the message first.
    Hidden {
        /// Their places in the order in which rules are tried, ascending.
        by: Vec<usize>,
        /// The place of the rule that takes the witness.
        taken_by: usize,
        /// A message for which the rule's own conditions hold, and which the engine gave to another.
        witness: Box<Witness>,
    },
    /// Shown: the engine lets it act on this.
    Open(Box<Witness>),
    /// Neither could be shown.
    Unknown,
}

impl RuleSet {
    /// Of each rule in the order tried, whether it can ever act.
    #[must_use]
    pub fn reach(&self) -> Vec<(RuleName, Reach)> {
        let names = Names::of(self);
        let states: BTreeSet<&str> = self
            .rules
            .iter()
            .filter_map(|rule| rule.then.set_state.as_ref()?.as_deref())
            .collect();
        (0..)
            .zip(&self.rules)
            .map(|(id, rule)| {
                let prover = Prover {
                    set: self,
                    names: &names,
                    states: &states,
                    id,
                    rule,
                };
                (rule.name.clone(), prover.judge())
            })
            .collect()
    }
}

/// Looks at one rule.
struct Prover<'a> {
    set: &'a RuleSet,
    names: &'a Names<'a>,
    /// The states that some rule leads to.
    states: &'a BTreeSet<&'a str>,
    id: u32,
    rule: &'a Rule,
}

/// What became of a message on which the rule might act.
enum Try {
    Acts(Box<Witness>),
    /// These take it first.
    Blocked(Vec<u32>),
    /// The rule's own conditions do not hold for it.
    NotMine,
}

impl<'a> Prover<'a> {
    fn judge(&self) -> Reach {
        let Some(frames) = self.names.frames(self.rule, MAX_CORNERS) else {
            return Reach::Unknown;
        };
        let ways = ways(self.rule.when.text.as_ref());
        if let Some(witness) = self.open(&frames, &ways) {
            return Reach::Open(witness);
        }
        if frames.len() * ways.len() > MAX_CORNERS {
            return Reach::Unknown;
        }
        self.hidden(&frames, &ways).unwrap_or(Reach::Unknown)
    }

    /// Looks for a message on which the rule acts: the plainest of every corner first, then other wordings of the
    /// first corners, with what the rules in the way will not have.
    fn open(&self, frames: &[Frame], ways: &[Way<'a>]) -> Option<Box<Witness>> {
        let text = self.rule.when.text.as_ref();
        let mut first = VecDeque::new();
        let mut further = Vec::new();
        for way in ways {
            for frame in frames {
                if first.len() == MAX_TRIES / 3 {
                    break;
                }
                let mut texts = texts(text, *way, frame).into_iter().take(MAX_WORDINGS);
                first.extend(texts.next().map(|plain| (frame, plain, 0)));
                further.push((frame, texts));
            }
        }
        // One wording of each corner, then another of each.
        let mut queue = first;
        for choice in 1..MAX_WORDINGS {
            for (frame, texts) in &mut further {
                queue.extend(texts.next().map(|wording| (*frame, wording, choice)));
            }
        }
        let mut evasions = BTreeSet::new();
        for _ in 0..MAX_TRIES {
            let (frame, content, choice) = queue.pop_front()?;
            let message = inbound(frame, text, content.as_deref(), choice);
            match self.attempt(&message) {
                Try::Acts(witness) => return Some(witness),
                Try::NotMine => {}
                Try::Blocked(by) => {
                    let Some(content) = content else { continue };
                    for wording in self.evading(&by, &content).into_iter().rev() {
                        if evasions.insert((frame.app.clone(), wording.clone())) {
                            queue.push_front((frame, Some(wording), choice));
                        }
                    }
                }
            }
        }
        None
    }

    /// The same said so that the rules in the way do not want it.
    fn evading(&self, blockers: &[u32], content: &str) -> Vec<String> {
        if content.chars().count() > 60 {
            return Vec::new();
        }
        let unwanted = blockers
            .iter()
            .filter_map(|id| self.set.rule(*id)?.when.text.as_ref())
            .flat_map(|text| text.not_keywords.iter().take(2));
        unwanted
            .take(4)
            .flat_map(|word| {
                [
                    word.clone(),
                    format!("{content}，{word}"),
                    format!("{word} {content}"),
                ]
            })
            .collect()
    }

    /// Runs the engine on a message, from users and at times that the rules above do not ask for.
    fn attempt(&self, message: &Inbound) -> Try {
        let candidates = self.set.candidates(message);
        if !candidates.ids().contains(&self.id) {
            return Try::NotMine;
        }
        let blockers: Vec<u32> = self.above(candidates.ids()).collect();
        let known: Vec<Vec<Demand<'_>>> = blockers
            .iter()
            .filter_map(|id| asks(self.set.rule(*id)?))
            .collect();
        if known.iter().any(Vec::is_empty) {
            return Try::Blocked(blockers);
        }
        let mine = asks_at_least(self.rule);
        let all = mine.iter().chain(known.iter().flatten());
        let Some(space) = Space::of(all, message.msg_type != "event") else {
            return Try::Blocked(blockers);
        };
        let free = space.points().filter(|point| {
            let reached = |state: &str| state.is_empty() || self.states.contains(state);
            point.state.is_some_and(reached)
                && space.holds(&mine, point)
                && !known.iter().any(|asks| space.holds(asks, point))
        });
        for point in free.take(MAX_RUNS) {
            if let Some(witness) = self
                .witness(message, &point)
                .and_then(|witness| self.acts(witness))
            {
                return Try::Acts(Box::new(witness));
            }
        }
        Try::Blocked(blockers)
    }

    /// Whether the engine lets the rule act; if need be, while rules above cool down that then leave it the message.
    fn acts(&self, mut witness: Witness) -> Option<Witness> {
        for _ in 0..MAX_RUNS {
            let fates = witness.run(self.set);
            let (last, _) = fates.last()?;
            if fates.iter().any(|(id, _)| *id == self.id) {
                return Some(witness);
            }
            let taker = self.set.rule(*last)?;
            if !taker.then.cooldown.is_some_and(|cooldown| cooldown.next) {
                return None;
            }
            witness = witness.while_cooling(taker)?;
        }
        None
    }

    fn witness(&self, message: &Inbound, point: &Point<'_>) -> Option<Witness> {
        Witness::new(self.set, self.names, self.rule, message, point)
    }

    /// The rules above that leave nothing to lower ones.
    fn above(&self, candidates: &[u32]) -> impl Iterator<Item = u32> {
        candidates
            .iter()
            .copied()
            .take_while(|id| *id < self.id)
            .filter(|id| {
                self.set.rule(*id).is_some_and(|rule| {
                    !rule.observe
                        && !rule.then.goes_on
                        && !rule.then.cooldown.is_some_and(|cooldown| cooldown.next)
                })
            })
    }

    /// Goes through all corners; none when one of them can't be shown to be taken.
    fn hidden(&self, frames: &[Frame], ways: &[Way<'a>]) -> Option<Reach> {
        let text = self.rule.when.text.as_ref();
        let mut by = BTreeSet::new();
        let mut found: Option<(usize, Box<Witness>)> = None;
        for way in ways {
            let known = Known::of(text, *way);
            if known.nothing() {
                continue;
            }
            for frame in frames {
                let (message, candidates) = texts(text, *way, frame)
                    .into_iter()
                    .take(MAX_WORDINGS)
                    .zip(0..)
                    .map(|(content, choice)| inbound(frame, text, content.as_deref(), choice))
                    .map(|message| (self.set.candidates(&message), message))
                    .find(|(candidates, _)| candidates.ids().contains(&self.id))
                    .map(|(candidates, message)| (message, candidates))?;
                // Whoever takes the whole corner takes this message of it.
                let sure: Vec<(u32, Vec<Demand<'_>>)> = self
                    .above(candidates.ids())
                    .filter_map(|id| self.set.rule(id).map(|rule| (id, rule)))
                    .filter(|(_, rule)| takes_all(rule, &known))
                    .filter_map(|(id, rule)| Some((id, asks(rule)?)))
                    .collect();
                let mine = asks_at_least(self.rule);
                let space = Space::of(
                    mine.iter().chain(sure.iter().flat_map(|(_, asks)| asks)),
                    message.msg_type != "event",
                )?;
                for point in space.points().filter(|point| space.holds(&mine, point)) {
                    // One rule that is always there is a better reason than several that share the work.
                    let (taker, _) = sure
                        .iter()
                        .find(|(_, asks)| asks.is_empty())
                        .or_else(|| sure.iter().find(|(_, asks)| space.holds(asks, &point)))?;
                    by.insert(usize::try_from(*taker).ok()?);
                    if found.is_none() {
                        found = self.taken(&message, &point);
                    }
                }
            }
        }
        let (taken_by, witness) = found?;
        Some(Reach::Hidden {
            by: by.into_iter().collect(),
            taken_by,
            witness,
        })
    }

    /// Runs the engine on a message that is the rule's own, and tells which other rule took it.
    fn taken(&self, message: &Inbound, point: &Point<'_>) -> Option<(usize, Box<Witness>)> {
        let witness = self.witness(message, point)?;
        if !witness.fits(self.set, self.id) {
            return None;
        }
        let (id, fate) = *witness.run(self.set).last()?;
        let took = id < self.id && matches!(fate, Fate::Acted | Fate::Silent(_));
        took.then_some((usize::try_from(id).ok()?, Box::new(witness)))
    }
}

/// Whether a rule, which takes one message of a corner, takes all of them for what they are and say.
fn takes_all(rule: &Rule, known: &Known<'_>) -> bool {
    rule.when
        .on_message
        .iter()
        .all(|condition| condition.users().is_some())
        && known.implies(rule.when.text.as_ref())
}
