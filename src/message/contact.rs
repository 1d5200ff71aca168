//! What is known of one user of one app, and what a decision may look at.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::RuleName;

/// Until when each rule stays silent.
pub type Cooldowns = BTreeMap<RuleName, Timestamp>;

/// One user's row: all that a decision needs to know of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// When the user's first message (not event) came; `None` before it.
    pub first_message: Option<Timestamp>,
    /// When the user's last message (not event) came.
    pub last_message: Option<Timestamp>,
    /// How many messages in a row went unmatched.
    pub misses: u32,
    /// The dialog state that the user is in.
    pub state: Option<DialogState>,
    /// Until when no rule answers this user.
    pub muted_until: Option<Timestamp>,
    /// The cooldowns that run for this user.
    pub cooldowns: Cooldowns,
    /// How many replies WeChat would still take.
    pub ledger: Ledger,
}

/// A dialog state and when it ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogState {
    /// The name that `set_state` gave it.
    pub name: String,
    /// When it ends.
    pub until: Timestamp,
}

/// The reply quota that the user's last action opened. What WeChat would still take is `waiting` and `left` together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Replies that may still be queued.
    pub left: u32,
    /// Replies that are queued, and will be taken from WeChat's count when they are sent.
    pub waiting: u32,
    /// When the window closes; `None` when none was ever opened.
    pub until: Option<Timestamp>,
}

/// What a decision may look at besides the message: nothing else exists for it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The time to judge by.
    pub now: Timestamp,
    /// The user, as the last decision left them.
    pub contact: &'a Contact,
    /// The cooldowns that run for all users of the app.
    pub app_cooldowns: &'a Cooldowns,
}
