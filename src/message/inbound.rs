//! What came from WeChat: one customer's message, or an event.

use jiff::Timestamp;

use super::{AppName, Fields, MessageId, OpenId};

/// One push, verified and parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// The key that its identity gives it; see [`MessageId`].
    pub id: MessageId,
    /// The app that it was pushed to.
    pub app: AppName,
    /// `FromUserName`; empty in a malformed push.
    pub openid: OpenId,
    /// What makes it unique among the user's messages: its `MsgId`, or, for want of one, `CreateTime`, `MsgType`,
    /// `Event` and a digest of all fields. The same text means the same message, pushed again.
    pub dedup_key: String,
    /// When it reached this daemon.
    pub received: Timestamp,
    /// `MsgType`, in lower case; empty in a malformed push.
    pub msg_type: String,
    /// `Event` as it came (compare without regard to case), when `msg_type` is `event`.
    pub event: Option<String>,
    /// `Content`: the text of a text message; the raw body of a malformed push.
    pub content: Option<String>,
    /// All fields, these included.
    pub fields: Fields,
}
