//! Telling somebody of trouble: what is wrong now, and who has been told.
//!
//! `figures` are gathered by `watch`; `judge` says what is wrong, `book` whom to tell of it now, `words` how; `messenger`
//! carries it. Judging and booking are pure. What was told is kept in memory alone: after a restart, trouble that goes
//! on is told again.

mod book;
mod judge;
mod messenger;
mod share;
#[cfg(test)]
mod tests;
mod watch;
mod words;

pub use messenger::{Addresses, Messenger};
pub use watch::{Watch, WatchedApp};

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use crate::diagnostic::Language;
use crate::message::AppName;

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The database does not answer.
    Database,
    /// The rules on the disk can't be used; the old ones answer.
    RulesRefused,
    /// The daemon started with the archive's rules, or with rules whose tests fail.
    RulesStandIn,
    /// An app has no access token, or can't renew it.
    Token,
    /// Replies failed for good.
    DeadLetters,
    /// Far more messages than usual find no rule.
    Unanswered,
}

impl Kind {
    /// The word that the webhook and the metrics use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::RulesRefused => "rules_refused",
            Self::RulesStandIn => "rules_stand_in",
            Self::Token => "token",
            Self::DeadLetters => "dead_letters",
            Self::Unanswered => "unanswered",
        }
    }
}

/// Trouble that there is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// What it is about.
    pub kind: Kind,
    /// Whose trouble it is, if it is one app's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<AppName>,
    /// When it began.
    pub since: Timestamp,
    /// What is wrong, in English: a sentence or two, on one line, without a customer's words.
    pub text_en: String,
    /// The same in Chinese.
    pub text_zh: String,
}

impl Alarm {
    /// What is wrong.
    #[must_use]
    pub fn text(&self, language: Language) -> &str {
        match language {
            Language::English => &self.text_en,
            Language::Chinese => &self.text_zh,
        }
    }
}

/// What is wrong at present, to be shown. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Alarms(Arc<Mutex<Vec<Alarm>>>);

impl Alarms {
    /// All trouble there is now, the gravest first, whether somebody was told of it or not.
    #[must_use]
    pub fn current(&self) -> Vec<Alarm> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, alarms: Vec<Alarm>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = alarms;
    }
}

/// What somebody is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Notice {
    alarm: Alarm,
    /// Whether it is over; then the alarm's text says so.
    resolved: bool,
}
