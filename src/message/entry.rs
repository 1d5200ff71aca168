//! One row of the message log, as a reader sees it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AppName, Fields, MessageId, OpenId, RuleName, RuleSetVersion};

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From a customer.
    In,
    /// To a customer.
    Out,
}

/// One row of the log. The order of the fields is that of `wxreply log --format jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its key.
    pub id: MessageId,
    /// When it came, or when the decision to send it was made.
    pub time: Timestamp,
    /// The app.
    pub app: AppName,
    /// Which way it went.
    pub direction: Direction,
    /// The user.
    pub openid: OpenId,
    /// `MsgType`, or the `msgtype` of a reply.
    pub msg_type: String,
    /// `Event`.
    pub event: Option<String>,
    /// The text, or what stands for it.
    pub content: Option<String>,
    /// All fields of a push; the whole reply of an outbound message.
    pub fields: Fields,
    /// The rule that decided.
    pub rule: Option<RuleName>,
    /// The version of the rule set that decided.
    pub rule_set: Option<RuleSetVersion>,
    /// How it was taken, or where it stands.
    pub status: String,
    /// The message that a reply answers.
    pub reply_to: Option<MessageId>,
    /// How often sending was tried.
    pub attempts: u32,
    /// WeChat's code for the last attempt.
    pub errcode: Option<i64>,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// Who wrote it, when a person did. Only such rows have this field where a machine reads them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}
