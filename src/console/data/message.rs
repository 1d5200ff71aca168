//! One message of the log, either way.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::message::{Direction, Entry};

/// One message, as `wxreply log --format jsonl` has it too.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct Message {
    /// Its id.
    pub id: String,
    /// When it came, or when the decision to send it was made.
    pub time: Timestamp,
    /// The app.
    pub app: String,
    /// Which way it went.
    #[schema(value_type = String, example = "in")]
    pub direction: Direction,
    /// The user.
    pub openid: String,
    /// `MsgType`, or the `msgtype` of a reply.
    pub msg_type: String,
    /// `Event`
    pub event: Option<String>,
    /// The text, or what stands for it.
    pub content: Option<String>,
    /// All fields of a push; the whole reply of an outbound message.
    #[schema(value_type = Object)]
    pub fields: serde_json::Value,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The version of the rules.
    pub rule_set: Option<String>,
    /// How it was taken, or where it stands.
    #[schema(example = "matched")]
    pub status: String,
    /// The message that a reply answers.
    pub reply_to: Option<String>,
    /// How often sending was tried.
    pub attempts: u32,
    /// WeChat's code for the last attempt.
    pub errcode: Option<i64>,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// The user who wrote it, when a person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

impl From<Entry> for Message {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id.to_string(),
            time: entry.time,
            app: entry.app.into(),
            direction: entry.direction,
            openid: entry.openid.into(),
            msg_type: entry.msg_type,
            event: entry.event,
            content: entry.content,
            fields: serde_json::to_value(&entry.fields).unwrap_or_default(),
            rule: entry.rule.map(Into::into),
            rule_set: entry.rule_set.map(Into::into),
            status: entry.status,
            reply_to: entry.reply_to.map(|id| id.to_string()),
            attempts: entry.attempts,
            errcode: entry.errcode,
            error: entry.error,
            author: entry.author,
        }
    }
}
