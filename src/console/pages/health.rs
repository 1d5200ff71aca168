//! How the state of the daemon is told, on every page that tells it.

use super::Frame;
use crate::console::data::health::{AlarmState, RulesState, Source, TokenState};
use crate::console::words::{Lang, filled, told};

/// Something that is fine, or not.
pub(in crate::console) struct Sign {
    /// The class of its dot: `good`, `warn` or `bad`.
    pub class: &'static str,
    pub text: String,
}

impl Frame {
    /// What is wrong.
    pub fn alarm(&self, alarm: &AlarmState) -> String {
        match self.lang {
            Lang::En => alarm.text_en.clone(),
            // What follows the colon is another room's sentence.
            Lang::Zh => match alarm.text_zh.split_once('：') {
                Some((what, why)) => format!("{what}：{}", told(self.lang, why)),
                None => alarm.text_zh.clone(),
            },
        }
    }

    /// A sentence of the log in the language of the page.
    pub fn told(&self, text: &str) -> String {
        told(self.lang, text).into_owned()
    }

    /// How long an access token lasts, or why there is none.
    pub fn token(&self, token: &TokenState) -> Sign {
        let w = self.w.system;
        let now = self.watch.now;
        let (class, text) = match (token.expires, &token.trouble) {
            (Some(expires), None) if expires > now => {
                ("good", filled(w.token_good, self.watch.distance(&expires)))
            }
            (Some(expires), Some(_)) if expires > now => {
                ("warn", filled(w.token_good, self.watch.distance(&expires)))
            }
            (Some(expires), _) => ("bad", filled(w.token_expired, self.watch.distance(&expires))),
            (None, Some(_)) => ("bad", w.token_none.to_owned()),
            (None, None) => ("warn", w.token_none.to_owned()),
        };
        Sign { class, text }
    }

    pub fn token_source(&self, token: &TokenState) -> &'static str {
        let w = self.w.system;
        match token.source {
            Source::Stable => w.stable,
            Source::Classic => w.classic,
            Source::Server => w.server,
        }
    }

    /// Whether what is on the disk is in force.
    pub fn rules(&self, rules: &RulesState) -> Sign {
        let w = self.w.system;
        let (class, text) = if rules.from_archive {
            ("bad", w.rules_archive)
        } else if rules.refused_since.is_some() {
            ("bad", w.rules_refused)
        } else if !rules.failing_tests.is_empty() {
            ("warn", w.rules_tests)
        } else {
            ("good", w.rules_fine)
        };
        Sign {
            class,
            text: text.to_owned(),
        }
    }
}
