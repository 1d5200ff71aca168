//! Who has been told of what: each trouble once, again when it goes on, and once when it is over. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Alarm, Kind, Notice, words};
use crate::clock::after;
use crate::message::AppName;

/// However long trouble lasts, it is told again after so long, or after the cooldown if that is longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What reached nobody is told again after so long.
const AGAIN: Duration = Duration::from_secs(60);

/// What was told, and when.
pub(super) struct Book {
    cooldown: Duration,
    told: BTreeMap<(Kind, Option<AppName>), Told>,
}

struct Told {
    /// When it was last told that there is trouble.
    at: Timestamp,
    /// How long it is not told again.
    quiet: Duration,
    /// What was told; none when its end was told too.
    open: Option<Alarm>,
    /// The end that reached nobody, and when it is told again.
    missed_end: Option<(Notice, Timestamp)>,
    /// Whether the last time nobody was reached.
    is_missed: bool,
    /// Whether somebody was before.
    was_heard: bool,
}

impl Book {
    pub fn new(cooldown: Duration) -> Self {
        Self {
            cooldown,
            told: BTreeMap::new(),
        }
    }

    /// What to tell now, given all that is wrong.
    pub fn turn(&mut self, alarms: &[Alarm], now: Timestamp) -> Vec<Notice> {
        let mut notices = Vec::new();
        for alarm in alarms {
            let key = (alarm.kind, alarm.app.clone());
            let quiet = match self.told.get(&key) {
                // A clock that was set back must not silence it.
                Some(told) if told.at <= now && now < told.next() => continue,
                Some(Told {
                    quiet,
                    is_missed: true,
                    ..
                }) => *quiet,
                Some(Told {
                    quiet, open: Some(_), ..
                }) => (*quiet * 2).min(LONGEST.max(self.cooldown)),
                _ => self.cooldown,
            };
            let was_heard = self
                .told
                .get(&key)
                .is_some_and(|told| told.open.is_some() && told.is_heard());
            let told = Told {
                at: now,
                quiet,
                was_heard,
                open: Some(alarm.clone()),
                missed_end: None,
                is_missed: false,
            };
            self.told.insert(key, told);
            notices.push(Notice {
                alarm: alarm.clone(),
                resolved: false,
            });
        }
        let is_on = |key: &(Kind, Option<AppName>)| {
            alarms
                .iter()
                .any(|alarm| alarm.kind == key.0 && alarm.app == key.1)
        };
        for (key, told) in &mut self.told {
            if is_on(key) {
                // It began anew before anybody heard of its end.
                told.missed_end = None;
                continue;
            }
            // What is over and begins anew is quiet for the cooldown, not for a day.
            told.quiet = self.cooldown;
            let end = told.open.take().map(|alarm| Notice {
                alarm: words::resolved(&alarm),
                resolved: true,
            });
            // Nobody needs to hear of the end of what nobody heard of.
            let end = end.filter(|_| told.is_heard());
            told.is_missed = false;
            let again = || told.missed_end.take_if(|(_, at)| *at <= now).map(|(end, _)| end);
            notices.extend(end.or_else(again));
        }
        self.told.retain(|_, told| {
            told.open.is_some() || told.missed_end.is_some() || now < after(told.at, told.quiet)
        });
        notices
    }

    /// Takes note that nobody was reached with these: they are told again soon.
    pub fn missed(&mut self, notices: &[Notice], now: Timestamp) {
        for notice in notices {
            let key = (notice.alarm.kind, notice.alarm.app.clone());
            let Some(told) = self.told.get_mut(&key) else {
                continue;
            };
            if notice.resolved {
                told.missed_end = Some((notice.clone(), after(now, AGAIN)));
            } else {
                told.is_missed = true;
            }
        }
    }
}

impl Told {
    /// Whether somebody has heard of the trouble.
    fn is_heard(&self) -> bool {
        self.was_heard || !self.is_missed
    }

    /// When it may be told again.
    fn next(&self) -> Timestamp {
        after(self.at, if self.is_missed { AGAIN } else { self.quiet })
    }
}
