//! What is wrong, judged from figures and from what they were before. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::share::{Count, Shares};
use super::{Alarm, Kind, words};
use crate::clock::after;
use crate::message::AppName;
use crate::reload::RulesStatus;

/// Trouble that may pass by itself is none before it has lasted so long: somebody is still writing the rule, the
/// connection comes back.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// The daemon at one moment.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub now: Timestamp,
    pub rules: RulesStatus,
    /// Why the database does not answer.
    pub database: Option<String>,
    pub apps: Vec<AppFigures>,
}

/// One app at one moment; the counters only grow.
#[derive(Clone, Debug)]
pub(super) struct AppFigures {
    pub app: AppName,
    pub messages: Count,
    /// Replies that failed for good.
    pub failed: u64,
    /// Why there is no token, or no newer one.
    pub token: Option<String>,
}

/// What is remembered from look to look.
pub(super) struct Judge {
    /// How long after the last failed reply the trouble counts as over.
    calm: Duration,
    /// Since when something that may pass has been so.
    since: BTreeMap<(Kind, Option<AppName>), Timestamp>,
    shares: BTreeMap<AppName, Shares>,
    dead: BTreeMap<AppName, DeadLetters>,
}

/// Replies that failed one after another.
#[derive(Default)]
struct DeadLetters {
    /// The counter of the last look; it begins at zero with the daemon, and so do we: what is too old at a start fails
    /// before anybody has looked.
    seen: u64,
    /// When the first failed, when the last did, and how many.
    episode: Option<(Timestamp, Timestamp, u64)>,
}

impl Judge {
    pub fn new(calm: Duration) -> Self {
        Self {
            calm,
            since: BTreeMap::new(),
            shares: BTreeMap::new(),
            dead: BTreeMap::new(),
        }
    }

    /// Takes in how an app's messages fared before the first look; earlier times first.
    pub fn recall(&mut self, app: &AppName, start: Timestamp, count: Count) {
        self.shares.entry(app.clone()).or_default().recall(start, count);
    }

    /// All that is wrong, the gravest first.
    pub fn look(&mut self, figures: &Figures) -> Vec<Alarm> {
        let now = figures.now;
        let mut alarms = Vec::new();
        if let Some(since) = self.lasting(Kind::Database, None, figures.database.is_some(), now) {
            let error = figures.database.as_deref().unwrap_or_default();
            alarms.push(words::database(since, error));
        }
        let rules = &figures.rules;
        if rules.from_archive || !rules.failing_tests.is_empty() {
            alarms.push(words::rules_stand_in(rules));
        }
        // Rules of the archive are in force because of it, and say so.
        if let Some(failure) = &rules.last_error
            && !rules.from_archive
            && now >= after(failure.since, GRACE)
        {
            alarms.push(words::rules_refused(failure));
        }
        for figures in &figures.apps {
            let app = &figures.app;
            if let Some(since) = self.lasting(Kind::Token, Some(app), figures.token.is_some(), now) {
                let error = figures.token.as_deref().unwrap_or_default();
                alarms.push(words::token(app, since, error));
            }
            let dead = self.dead.entry(app.clone()).or_default();
            if let Some((since, count)) = dead.look(figures.failed, self.calm, now) {
                alarms.push(words::dead_letters(app, since, count));
            }
            let shares = self.shares.entry(app.clone()).or_default();
            let unusual = shares.look(figures.messages, now);
            if let Some(since) = self.begun(Kind::Unanswered, Some(app), unusual.is_some(), now)
                && let Some(unusual) = unusual
            {
                alarms.push(words::unanswered(app, since, unusual));
            }
        }
        alarms.sort_by_key(|alarm| alarm.kind);
        alarms
    }

    /// Since when it has been so, if it is.
    fn begun(&mut self, kind: Kind, app: Option<&AppName>, is_so: bool, now: Timestamp) -> Option<Timestamp> {
        let key = (kind, app.cloned());
        if is_so {
            Some(*self.since.entry(key).or_insert(now))
        } else {
            self.since.remove(&key);
            None
        }
    }

    /// The same, but only once it has lasted for [`GRACE`].
    fn lasting(
        &mut self,
        kind: Kind,
        app: Option<&AppName>,
        is_so: bool,
        now: Timestamp,
    ) -> Option<Timestamp> {
        self.begun(kind, app, is_so, now)
            .filter(|since| now >= after(*since, GRACE))
    }
}

impl DeadLetters {
    /// When the first of those that belong together failed, and how many did.
    fn look(&mut self, failed: u64, calm: Duration, now: Timestamp) -> Option<(Timestamp, u64)> {
        let new = failed.saturating_sub(std::mem::replace(&mut self.seen, failed));
        self.episode = match self.episode {
            None if new > 0 => Some((now, now, new)),
            Some((first, _, count)) if new > 0 => Some((first, now, count + new)),
            Some((_, last, _)) if now >= after(last, calm) => None,
            same => same,
        };
        self.episode.map(|(first, _, count)| (first, count))
    }
}
