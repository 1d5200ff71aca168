//! One reply on its way to WeChat, and what became of it.

use jiff::Timestamp;

use super::{AppName, DropReason, MessageId, OpenId, Reply};

/// Where a reply stands, as the log's `status` says. States move one way only: `Queued` to one of the others; a
/// person may put `Failed`, `Dropped` and `Uncertain` back (`resend`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutboundStatus {
    /// It is to be sent, now or later.
    Queued,
    /// WeChat took it.
    Sent,
    /// WeChat refused it, or could not be reached in time (dead letter).
    Failed,
    /// It was given up without asking WeChat.
    Dropped,
    /// It left, no answer came, and nobody can know whether WeChat delivered it.
    Uncertain,
}

impl OutboundStatus {
    /// The word that the log and the database use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
            Self::Uncertain => "uncertain",
        }
    }
}

/// A reply that was claimed: this daemon, and no other, may send it until the lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its row.
    pub id: MessageId,
    /// The app that sends it.
    pub app: AppName,
    /// Whom it goes to.
    pub openid: OpenId,
    /// The message.
    pub reply: Reply,
    /// When it was to go out; `max_age` counts from here.
    pub planned: Timestamp,
    /// How often it was tried, this attempt counted.
    pub attempts: u32,
    /// How often an attempt ended without anybody knowing whether WeChat took it: an answer that never came, or
    /// a daemon that died with the request in flight. This attempt not counted.
    pub uncertain: u32,
    /// What the last attempt came to, in words; `None` before it.
    pub last_error: Option<String>,
    /// When WeChat stops taking replies to this user, as the user's ledger has it now; `None` when it doesn't say.
    pub expires: Option<Timestamp>,
}

/// What a webhook was asked for, to be written in the place of its question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The question's row.
    pub id: MessageId,
    /// The app.
    pub app: AppName,
    /// The user.
    pub openid: OpenId,
    /// What to send; nothing when there is nothing to say.
    pub replies: Vec<Reply>,
    /// What a reader of the log should know: why it is not the webhook's answer that is sent, or that there is none.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// WeChat took it.
    Sent,
    /// Not now: try again at `due`. `uncertain` says that the request left and no answer came.
    Retry {
        /// When to try again.
        due: Timestamp,
        /// Whether WeChat may have delivered it all the same.
        uncertain: bool,
        /// WeChat's code, if it answered.
        errcode: Option<i64>,
        /// What happened, in words.
        error: String,
    },
    /// Never (dead letter).
    Failed {
        /// WeChat's code, if it answered.
        errcode: Option<i64>,
        /// What happened and what it means, in words, with WeChat's `rid`.
        error: String,
    },
    /// Given up without asking WeChat.
    Dropped(DropReason),
    /// Left to a person: WeChat may or may not have delivered it.
    Uncertain {
        /// What happened, in words.
        error: String,
    },
}

/// The outcome of one delivery, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The row.
    pub id: MessageId,
    /// The app.
    pub app: AppName,
    /// The user.
    pub openid: OpenId,
    /// What the attempt came to.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
    /// WeChat said that the user's quota is used up (45047) or the window closed (45015): empty the ledger.
    pub quota_spent: bool,
}
