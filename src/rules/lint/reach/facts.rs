//! All users and all times at once: a few of each stand for all, since conditions only ask on which side of some
//! bounds a user or a time lies.

use std::time::Duration;

use jiff::civil::DateTime;

use crate::rules::condition::Demand;
use crate::rules::condition::time::Cuts;
use crate::rules::rule::Rule;

/// More cases than these are not gone through.
const MAX_POINTS: usize = 20_000;

/// One user at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point<'a> {
    /// How long the user has been silent; absent when they never wrote.
    pub(super) silence: Option<Duration>,
    /// The row of misses if this message is one.
    pub(super) row: u32,
    /// The dialog state, `""` for none; absent when it is one that no rule here has a name for.
    pub(super) state: Option<&'a str>,
    /// The time on the shop's clock.
    pub(super) at: DateTime,
    /// Whether the time was chosen, and is not just any.
    pub(super) timed: bool,
}

/// Users and times that differ wherever the rules tell them apart.
pub(super) struct Space<'a> {
    silences: Vec<Option<Duration>>,
    rows: Vec<u32>,
    states: Vec<Option<&'a str>>,
    moments: Vec<DateTime>,
    timed: bool,
    /// The push is a message, not an event.
    message: bool,
}

/// What a rule asks of user and time; absent when it asks something that can't be told from here.
pub(super) fn asks(rule: &Rule) -> Option<Vec<Demand<'_>>> {
    rule.when
        .on_facts
        .iter()
        .map(|condition| condition.demand())
        .collect()
}

/// What a rule asks of user and time, as far as it can be told.
pub(super) fn asks_at_least(rule: &Rule) -> Vec<Demand<'_>> {
    rule.when
        .on_facts
        .iter()
        .filter_map(|condition| condition.demand())
        .collect()
}

impl<'a> Space<'a> {
    /// The space in which these conditions can be told apart; none when it is too large.
    pub(super) fn of<'i>(all: impl Iterator<Item = &'i Demand<'a>>, message: bool) -> Option<Self>
    where
        'a: 'i,
    {
        let (mut silences, mut rows, mut states) = (Vec::new(), Vec::new(), Vec::new());
        let mut cuts = Cuts::default();
        let mut timed = false;
        for ask in all {
            match *ask {
                Demand::FirstMessage(_) => silences.extend([Some(Duration::from_secs(86_400)), None]),
                Demand::Idle(least) => silences.extend([Some(Duration::ZERO), Some(least), None]),
                Demand::Misses(least) => rows.extend([1, least]),
                Demand::State(any) => {
                    states.extend(
                        any.iter()
                            .map(|state| Some(state.as_str()))
                            .chain([Some(""), None]),
                    );
                }
                Demand::Time(time) => {
                    time.cut(&mut cuts);
                    timed = true;
                }
            }
        }
        if silences.is_empty() {
            silences.push(Some(Duration::from_secs(86_400)));
        }
        if rows.is_empty() {
            rows.push(1);
        }
        if states.is_empty() {
            states.push(Some(""));
        }
        // Users who wrote before come first: they are the usual ones.
        silences.sort_unstable_by_key(|silence| (silence.is_none(), *silence));
        silences.dedup();
        rows.sort_unstable();
        rows.dedup();
        states.sort_unstable();
        states.dedup();
        let moments = cuts.moments();
        let size = [silences.len(), rows.len(), states.len(), moments.len()];
        (size.iter().product::<usize>() <= MAX_POINTS).then_some(Self {
            silences,
            rows,
            states,
            moments,
            timed,
            message,
        })
    }

    /// Every point.
    pub(super) fn points(&self) -> impl Iterator<Item = Point<'a>> {
        self.moments
            .iter()
            .flat_map(move |at| {
                self.silences.iter().flat_map(move |silence| {
                    self.rows.iter().flat_map(move |row| {
                        self.states.iter().map(move |state| Point {
                            silence: *silence,
                            row: *row,
                            state: *state,
                            at: *at,
                            timed: self.timed,
                        })
                    })
                })
            })
            // Who never wrote has missed nothing.
            .filter(|point| point.silence.is_some() || point.row == 1)
    }

    /// Whether all these conditions hold there.
    pub(super) fn holds(&self, asks: &[Demand<'_>], point: &Point<'_>) -> bool {
        asks.iter().all(|ask| match *ask {
            Demand::FirstMessage(wanted) => (self.message && point.silence.is_none()) == wanted,
            Demand::Idle(least) => point.silence.is_none_or(|silence| silence >= least),
            Demand::Misses(least) => self.message && point.row >= least,
            Demand::State(any) => any.iter().any(|state| point.state == Some(state)),
            Demand::Time(time) => time.holds_at(point.at),
        })
    }
}
