//! Replies that wait, and those that did not reach their customer.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::message::Message;
use crate::console::Console;
use crate::console::problem::Problem;
use crate::message::{AppName, MessageId, OutboundStatus};
use crate::store::{OutboxEntry, StoreError};
use crate::wechat::errcode;

/// Which list of the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::console) enum OutboxList {
    /// Waiting to be sent, in the order in which they are due.
    #[default]
    Queued,
    /// Refused by WeChat, or not delivered in time; the newest first.
    Failed,
    /// Sent without anybody knowing whether it arrived; the newest first.
    Uncertain,
    /// Given up without asking WeChat; the newest first.
    Dropped,
}

impl OutboxList {
    /// All of them, what needs a person first.
    pub const ALL: [Self; 4] = [Self::Failed, Self::Uncertain, Self::Queued, Self::Dropped];

    /// As addresses have it.
    pub fn as_str(self) -> &'static str {
        self.status().as_str()
    }

    fn status(self) -> OutboundStatus {
        match self {
            Self::Queued => OutboundStatus::Queued,
            Self::Failed => OutboundStatus::Failed,
            Self::Uncertain => OutboundStatus::Uncertain,
            Self::Dropped => OutboundStatus::Dropped,
        }
    }
}

/// How many replies stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::console) struct Standings {
    /// Waiting to be sent, those being sent among them.
    pub queued: u64,
    /// Being sent just now.
    pub sending: u64,
    /// Refused by WeChat, or not delivered in time.
    pub failed: u64,
    /// Sent without anybody knowing whether it arrived.
    pub uncertain: u64,
    /// Given up without asking WeChat.
    pub dropped: u64,
}

impl Standings {
    /// Those of one app, or of all.
    pub async fn gather(console: &Console, app: Option<&AppName>) -> Result<Self, StoreError> {
        let counts = console.store.outbox_counts(app).await?;
        Ok(Self {
            queued: counts.queued,
            sending: counts.leased,
            failed: counts.failed,
            uncertain: counts.uncertain,
            dropped: counts.dropped,
        })
    }

    /// How long a list is.
    pub fn of(&self, list: &OutboxList) -> u64 {
        match list {
            OutboxList::Queued => self.queued,
            OutboxList::Failed => self.failed,
            OutboxList::Uncertain => self.uncertain,
            OutboxList::Dropped => self.dropped,
        }
    }

    /// The list that a person should see first: one that waits for them, if there is any.
    pub fn first(&self) -> OutboxList {
        let waiting = OutboxList::ALL.into_iter().take(2);
        let mut waiting = waiting.filter(|list| self.of(list) > 0);
        waiting.next().unwrap_or_default()
    }
}

/// A reply of the outbox.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct OutboxItem {
    /// The reply itself.
    #[serde(flatten)]
    pub message: Message,
    /// When it may go out, or was to.
    pub due: Timestamp,
    /// Whether it is being sent just now.
    pub sending: bool,
    /// What WeChat's code means, in English.
    pub meaning: Option<String>,
    /// WeChat's name for the call that failed, which its support asks for.
    pub rid: Option<String>,
}

impl From<OutboxEntry> for OutboxItem {
    fn from(entry: OutboxEntry) -> Self {
        let message = Message::from(entry.entry);
        Self {
            due: entry.due,
            sending: entry.lease.is_some(),
            meaning: message.errcode.map(|code| errcode(code).1.to_owned()),
            rid: message.error.as_deref().and_then(rid).map(str::to_owned),
            message,
        }
    }
}

/// The `rid` in WeChat's words.
fn rid(error: &str) -> Option<&str> {
    let (_, rest) = error.rsplit_once("rid: ")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let rid = &rest[..end.unwrap_or(rest.len())];
    (!rid.is_empty()).then_some(rid)
}

/// A part of a list, and how long all lists are.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct Outbox {
    /// How many replies stand where.
    pub counts: Standings,
    /// The part.
    pub items: Vec<OutboxItem>,
    /// The `cursor` of the part that follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Behind which reply of a list to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::console) struct OutboxCursor(Timestamp, MessageId);

impl FromStr for OutboxCursor {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let parsed = text.split_once('.').and_then(|(time, id)| {
            let time = Timestamp::from_millisecond(time.parse().ok()?).ok()?;
            Some(Self(time, id.parse().ok()?))
        });
        parsed.ok_or_else(|| {
            Problem::unprocessable("`cursor` is not one that this list gave: leave it out to begin anew")
        })
    }
}

impl std::fmt::Display for OutboxCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0.as_millisecond(), self.1)
    }
}

impl Outbox {
    /// A part of a list of at most `limit`; without a list, of the one that a person should see first. Gives which it is.
    pub async fn gather(
        console: &Console,
        list: Option<OutboxList>,
        app: Option<&AppName>,
        after: Option<OutboxCursor>,
        limit: u32,
    ) -> Result<(OutboxList, Self), StoreError> {
        let after = after.map(|OutboxCursor(time, id)| (time, id));
        // One more than wanted tells whether there are more.
        let more = limit.saturating_add(1);
        let entries = |list: OutboxList| console.store.outbox_entries(list.status(), app, after, more);
        let counts = Standings::gather(console, app);
        let (list, counts, mut entries) = match list {
            Some(list) => {
                let (counts, entries) = tokio::try_join!(counts, entries(list))?;
                (list, counts, entries)
            }
            None => {
                let counts = counts.await?;
                (counts.first(), counts, entries(counts.first()).await?)
            }
        };
        let limit = limit as usize;
        let more = entries.len() > limit;
        entries.truncate(limit);
        let last = entries.last().filter(|_| more).map(OutboxEntry::cursor);
        let outbox = Self {
            counts,
            items: entries.into_iter().map(Into::into).collect(),
            next: last.map(|(time, id)| OutboxCursor(time, id).to_string()),
        };
        Ok((list, outbox))
    }
}

/// Puts every failed reply of an app, or of all, back in the queue; gives which.
pub(in crate::console) async fn resend_failed(
    console: &Console,
    app: Option<&AppName>,
    by: &str,
) -> Result<Vec<MessageId>, StoreError> {
    console.store.resend_failed(app, console.clock.now(), by).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wechats_rid_is_found_in_its_words() {
        for (error, found) in [
            (
                "x (errcode 45047: out of response count limit rid: 66-1ab)",
                Some("66-1ab"),
            ),
            ("x rid: 6571-0a", Some("6571-0a")),
            ("x rid: ", None),
            ("no such thing", None),
        ] {
            assert_eq!(rid(error), found, "{error}");
        }
    }

    #[test]
    fn a_cursor_survives_its_text_form() {
        let cursor = OutboxCursor(
            Timestamp::from_millisecond(1_780_000_000_123).expect("a time"),
            MessageId::new(1_780_000_000, 7),
        );
        assert_eq!(cursor.to_string().parse::<OutboxCursor>().ok(), Some(cursor));
        for text in ["", ".", "1", "1.2", "x.0000000000000", "1.0000000000000.1"] {
            assert!(text.parse::<OutboxCursor>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_waits_for_a_person_is_seen_first() {
        let standings = |failed, uncertain, queued| Standings {
            failed,
            uncertain,
            queued,
            ..Standings::default()
        };
        assert_eq!(standings(1, 1, 1).first(), OutboxList::Failed);
        assert_eq!(standings(0, 1, 1).first(), OutboxList::Uncertain);
        assert_eq!(standings(0, 0, 1).first(), OutboxList::Queued);
        assert_eq!(standings(0, 0, 0).first(), OutboxList::Queued);
    }
}
