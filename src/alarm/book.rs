//! Who has been told of what: each trouble once, again when it goes on, and once when it is over. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Alarm, Kind, Notice, words};
use crate::clock::after;
use crate::message::AppName;

/// However long trouble lasts, it is told again after so long, or after the cooldown if that is longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

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
                Some(told) if told.at <= now && now < after(told.at, told.quiet) => continue,
                Some(Told {
                    quiet, open: Some(_), ..
                }) => (*quiet * 2).min(LONGEST.max(self.cooldown)),
                _ => self.cooldown,
            };
            let told = Told {
                at: now,
                quiet,
                open: Some(alarm.clone()),
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
                continue;
            }
            // What is over and begins anew is quiet for the cooldown, not for a day.
            told.quiet = self.cooldown;
            if let Some(alarm) = told.open.take() {
                notices.push(Notice {
                    alarm: words::resolved(&alarm),
                    resolved: true,
                });
            }
        }
        self.told
            .retain(|_, told| told.open.is_some() || now < after(told.at, told.quiet));
        notices
    }
}
