//! A message made up, and the engine run on it.

use jiff::{SignedDuration, Timestamp};

use super::facts::Point;
use super::message::Names;
use crate::message::{Contact, Cooldowns, DialogState, Facts, Inbound};
use crate::rules::RuleSet;
use crate::rules::condition::Moment;
use crate::rules::condition::time::{DAYS, weekday};
use crate::rules::decide::{Fate, known_before};
use crate::rules::rule::Rule;

/// A message, a user and a time on which the engine was run.
#[derive(Clone, Debug)]
pub struct Witness {
    /// The message.
    pub inbound: Inbound,
    /// The user before it.
    pub contact: Contact,
    /// The cooldowns that run for all users of the app.
    pub app_cooldowns: Cooldowns,
    /// The time.
    pub now: Timestamp,
    /// All that in words: what is said, and of user and time what matters.
    pub words: String,
}

impl Witness {
    /// The message from a user at a time; none when the calendar does not reach that far.
    pub(super) fn new(
        set: &RuleSet,
        names: &Names<'_>,
        rule: &Rule,
        inbound: &Inbound,
        point: &Point<'_>,
    ) -> Option<Self> {
        let zone = &set.timezone;
        let now = zone.to_ambiguous_timestamp(point.at).compatible().ok()?;
        let last = match point.silence {
            Some(silence) => Some(now.checked_sub(SignedDuration::try_from(silence).ok()?).ok()?),
            None => None,
        };
        let state = point.state?;
        let contact = Contact {
            first_message: last,
            last_message: last,
            misses: point.row - 1,
            state: (!state.is_empty()).then(|| DialogState {
                name: state.to_owned(),
                until: now
                    .saturating_add(SignedDuration::from_mins(1))
                    .unwrap_or(Timestamp::MAX),
            }),
            ..Contact::default()
        };
        let inbound = Inbound {
            received: now,
            ..inbound.clone()
        };
        Some(Self {
            words: words(names, rule, &inbound, point),
            inbound,
            contact,
            app_cooldowns: Cooldowns::new(),
            now,
        })
    }

    /// The same while a rule is in its cooldown.
    pub(super) fn while_cooling(mut self, rule: &Rule) -> Option<Self> {
        let cooldown = rule.then.cooldown?;
        let until = self.now.checked_add(SignedDuration::from_secs(1)).ok()?;
        let running = if cooldown.per_app {
            &mut self.app_cooldowns
        } else {
            &mut self.contact.cooldowns
        };
        running.insert(rule.name.clone(), until);
        self.words += &format!(" while {} is in its cooldown", quoted(rule.name.as_str()));
        Some(self)
    }

    /// Runs the engine: each rule that was reached, and what became of it.
    pub(super) fn run(&self, set: &RuleSet) -> Vec<(u32, Fate)> {
        let mut fates = Vec::new();
        let facts = self.facts();
        set.walk(
            &self.inbound,
            &set.candidates(&self.inbound),
            &facts,
            &mut |id, fate| {
                fates.push((id, fate));
            },
        );
        fates
    }

    /// Whether all conditions of the rule hold for it.
    pub(super) fn fits(&self, set: &RuleSet, id: u32) -> bool {
        let before = known_before(&self.inbound, &self.facts());
        let moment = Moment::new(&self.inbound, self.now, &before, &set.timezone);
        set.candidates(&self.inbound).ids().contains(&id)
            && set.rule(id).is_some_and(|rule| rule.holds_at(&moment))
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            now: self.now,
            contact: &self.contact,
            app_cooldowns: &self.app_cooldowns,
        }
    }
}

fn words(names: &Names<'_>, rule: &Rule, inbound: &Inbound, point: &Point<'_>) -> String {
    let mut words = match (&inbound.content, &inbound.event) {
        (Some(content), _) => quoted(content),
        (None, Some(event)) => format!("the event {}", quoted(event)),
        (None, None) => format!("a message of the type {}", quoted(&inbound.msg_type)),
    };
    for (path, _) in rule.when.text.iter().flat_map(|text| &text.fields) {
        for value in inbound.fields.path(path).into_iter().take(1) {
            words += &format!(" with {path} = {}", quoted(value));
        }
    }
    if names.names_user(inbound.openid.as_str()) {
        words += &format!(" from {}", quoted(inbound.openid.as_str()));
    }
    if names.has_many_apps() && rule.apps.is_some() {
        words += &format!(" to the app {}", quoted(inbound.app.as_str()));
    }
    if let Some(state) = point.state.filter(|state| !state.is_empty()) {
        words += &format!(" in the state {}", quoted(state));
    }
    if point.timed {
        let day = DAYS[weekday(point.at.date())];
        words += &format!(" on {day} {}", point.at.strftime("%Y-%m-%d at %H:%M"));
    }
    match (point.silence, point.row) {
        (None, _) => words += " as a user's first message",
        (_, 1) => {}
        (_, 2) => words += " after a miss",
        (_, row) => words += &format!(" after {} misses", row - 1),
    }
    words
}

fn quoted(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("`{plain}`")
}
