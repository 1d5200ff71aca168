//! What is to be done about a message, and what became of that once quota was reckoned with.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contact, Reply, RuleName, RuleSetVersion};

/// How a message was taken, as the log's `status` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InboundStatus {
    /// A rule decided.
    Matched,
    /// No rule decided.
    Unmatched,
    /// A rule would have decided, but its cooldown keeps it silent.
    Cooldown,
    /// The user is muted: no rule was asked.
    Muted,
    /// Well signed, but no message.
    Malformed,
}

impl InboundStatus {
    /// The word that the log and the database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Unmatched => "unmatched",
            Self::Cooldown => "cooldown",
            Self::Muted => "muted",
            Self::Malformed => "malformed",
        }
    }
}

/// What the push itself is answered with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The seven bytes `success`.
    #[default]
    Success,
    /// `transfer_customer_service`: hand the conversation to a person, to the agent named if one is.
    Transfer(Option<String>),
}

/// What the rules say about one message. Made by `rules`, which knows nothing of quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// How the message was taken.
    pub status: InboundStatus,
    /// The rule that decided, or that its cooldown kept silent: the first in order, `observe` rules aside.
    pub rule: Option<RuleName>,
    /// The rule set that was in force.
    pub rule_set: RuleSetVersion,
    /// `observe` rules that would have answered.
    pub observed: Vec<RuleName>,
    /// What the push is answered with.
    pub answer: Answer,
    /// The replies to send, in order; at most [`super::MessageId::MAX_REPLIES`].
    pub replies: Vec<Planned>,
    /// The user after this message, the quota ledger untouched.
    pub contact: Contact,
    /// App-wide cooldowns that begin now: the rule, and until when.
    pub app_cooldowns: Vec<(RuleName, Timestamp)>,
}

/// One reply that a rule wants sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The rule.
    pub rule: RuleName,
    /// The message.
    pub reply: Reply,
    /// How long to wait before it goes out, counted from the decision.
    pub delay: Duration,
    /// Whether to show "typing…" meanwhile.
    pub typing: bool,
}

/// A decision with quota reckoned in: exactly what is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The decision; its `contact` holds the ledger as this message leaves it.
    pub decision: Decision,
    /// The outbound rows, in the order of `decision.replies`.
    pub outbound: Vec<Outbound>,
}

/// One outbound row to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// The rule that wants it sent.
    pub rule: RuleName,
    /// The message.
    pub reply: Reply,
    /// When it may go out.
    pub due: Timestamp,
    /// Whether to show "typing…" until then.
    pub typing: bool,
    /// Why it is not sent at all, if it isn't.
    pub dropped: Option<DropReason>,
}

/// Why a reply was given up without asking WeChat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// WeChat takes no more replies to the user's last action.
    Quota,
    /// The time in which WeChat takes replies to the user's last action is over.
    WindowOver,
}

impl DropReason {
    /// The sentence that the log's `error` shows.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Quota => "quota: WeChat takes no more replies to the user's last action",
            Self::WindowOver => {
                "window over: the time in which WeChat takes replies to the user's last action has passed"
            }
        }
    }
}
