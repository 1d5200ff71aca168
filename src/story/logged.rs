//! A message of the log, to be judged once more.

use jiff::Timestamp;

use super::Case;
use crate::message::{Direction, Inbound, MessageId, RuleName, RuleSetVersion};
use crate::store::{Store, StoreError};

/// Why a message of the log can't be told of.
#[derive(Debug, thiserror::Error)]
pub enum ReadLoggedError {
    /// There is none of this id.
    #[error("there is no message {0}")]
    None(MessageId),
    /// The reply is there, but the message that it answers is not.
    #[error("{0} is a reply; the message that it answers, {1}, is no longer in the log")]
    Gone(MessageId, MessageId),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A message of the log, and what the log says became of it.
pub struct Logged {
    inbound: Inbound,
    /// How it was taken.
    pub status: String,
    /// The rule that decided.
    pub rule: Option<RuleName>,
    /// The rules that judged it.
    pub rule_set: Option<RuleSetVersion>,
    /// The reply that was asked for, when it was not the message itself.
    pub reply: Option<MessageId>,
}

impl Logged {
    /// Reads the message of this id, or that which the reply of this id answers.
    pub async fn read(store: &Store, id: MessageId) -> Result<Self, ReadLoggedError> {
        let entry = store.entry(id).await?;
        let mut entry = entry.ok_or(ReadLoggedError::None(id))?;
        let reply = (entry.direction == Direction::Out).then_some(id);
        if reply.is_some() {
            let message = id.message();
            let asked = store.entry(message).await?;
            entry = asked.ok_or(ReadLoggedError::Gone(id, message))?;
        }
        Ok(Self {
            inbound: Inbound {
                id: entry.id,
                app: entry.app,
                openid: entry.openid,
                dedup_key: String::new(),
                received: entry.time,
                msg_type: entry.msg_type,
                event: entry.event,
                content: entry.content,
                fields: entry.fields,
            },
            status: entry.status,
            rule: entry.rule,
            rule_set: entry.rule_set,
            reply,
        })
    }

    /// The message, at the time when it came unless another is wanted, to be judged once more.
    #[must_use]
    pub fn case(self, at: Option<Timestamp>) -> Case {
        Case {
            now: at.unwrap_or(self.inbound.received),
            ..Case::new(self.inbound)
        }
    }
}
