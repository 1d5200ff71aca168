//! Conversations: who wrote last, and what was said.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::log::{cursor, rows};
use super::message::Message;
use crate::console::Console;
use crate::console::problem::Problem;
use crate::message::{AppName, Contact, Entry, InboundStatus};
use crate::store::{self, ConversationFilter, Filter, StoreError};

/// Which conversations. What is absent or empty does not restrict.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::console) struct ConversationQuery {
    /// One app.
    pub app: Option<String>,
    /// A text that was written or answered (letter case, width and traditional characters aside), or the beginning of
    /// an openid.
    pub q: Option<String>,
    /// Only some.
    #[param(inline)]
    pub show: Option<Show>,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// How many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
}

/// Which conversations are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::console) enum Show {
    /// All.
    #[default]
    All,
    /// Those whose last message no rule answered.
    Unanswered,
    /// Those in which the bot is paused.
    Muted,
}

impl Show {
    /// As a query has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Unanswered => "unanswered",
            Self::Muted => "muted",
        }
    }
}

/// One conversation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::console) struct Conversation {
    /// The app.
    pub app: String,
    /// The user.
    pub openid: String,
    /// The user's last message; of a search, the newest row that has the text.
    pub last: Message,
    /// The last reply to it.
    pub last_reply: Option<Message>,
    /// Whether the last message still waits for an answer by a person.
    pub unanswered: bool,
    /// Until when the bot is paused; absent when it is not.
    pub muted_until: Option<Timestamp>,
    /// Replies that wait to be sent.
    pub waiting: u32,
}

/// A part of the conversations.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console) struct ConversationPage {
    /// The conversations, the latest first; may be empty although there are more.
    pub items: Vec<Conversation>,
    /// The `cursor` of the part that follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Everything that happened since was looked at; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_to: Option<Timestamp>,
}

/// Rows that a search looks for, for each conversation that fits a page: several may be of one.
const HITS: usize = 2;

impl ConversationQuery {
    /// What is searched for.
    pub fn wanted(&self) -> Option<&str> {
        self.q.as_deref().map(str::trim).filter(|q| !q.is_empty())
    }

    /// The app, if one is asked for.
    pub fn app(&self) -> Option<AppName> {
        self.app.as_deref().filter(|app| !app.is_empty()).map(Into::into)
    }
}

impl Console {
    /// A part of the conversations.
    pub(in crate::console) async fn conversations(
        &self,
        query: &ConversationQuery,
    ) -> Result<ConversationPage, Problem> {
        let limit = rows(query.limit)?;
        let show = query.show.unwrap_or_default();
        let filter = ConversationFilter {
            app: query.app(),
            openid_prefix: None,
            unmatched_only: show == Show::Unanswered,
            muted_only: show == Show::Muted,
        };
        let Some(wanted) = query.wanted() else {
            let cursor = cursor(query.cursor.as_deref())?;
            let page = self.store.conversations(&filter, cursor.as_ref(), limit).await?;
            let now = self.clock.now();
            return Ok(ConversationPage {
                items: page
                    .conversations
                    .into_iter()
                    .map(|found| conversation(found, now))
                    .collect(),
                back_to: page.next.as_ref().map(|_| page.back_to),
                next: page.next.map(|cursor| cursor.to_string()),
            });
        };
        let named = async {
            // Openids stand on the first page of what is found.
            if query.cursor.as_deref().is_some_and(|cursor| !cursor.is_empty()) || !may_be_openid(wanted) {
                return Ok(Vec::new());
            }
            let filter = ConversationFilter {
                openid_prefix: Some(wanted.to_owned()),
                ..filter.clone()
            };
            let page = self.store.conversations(&filter, None, limit).await?;
            Ok::<_, Problem>(page.conversations)
        };
        let (named, said) = tokio::try_join!(named, self.hits(query, wanted, show, limit))?;
        let now = self.clock.now();
        let mut page = said;
        let known: BTreeSet<_> = page.items.iter().map(key).collect();
        let named = named.into_iter().map(|found| conversation(found, now));
        let named: Vec<_> = named.filter(|found| !known.contains(&key(found))).collect();
        page.items.splice(0..0, named);
        Ok(page)
    }

    /// The conversations in which something was said.
    async fn hits(
        &self,
        query: &ConversationQuery,
        wanted: &str,
        show: Show,
        limit: usize,
    ) -> Result<ConversationPage, Problem> {
        let filter = Filter {
            app: query.app(),
            search: Some(wanted.to_owned()),
            status: (show == Show::Unanswered).then(|| InboundStatus::Unmatched.as_str().to_owned()),
            ..Filter::default()
        };
        let cursor = cursor(query.cursor.as_deref())?;
        let found = self.store.search(&filter, cursor.as_ref(), limit * HITS).await?;
        let mut seen = BTreeSet::new();
        let mut hits: Vec<Entry> = found.entries;
        hits.retain(|entry| seen.insert((entry.app.clone(), entry.openid.clone())));
        let contacts = hits.iter().map(|entry| async {
            let (contact, _) = self.store.contact(&entry.app, &entry.openid).await?;
            Ok::<_, StoreError>(contact)
        });
        let contacts = try_join_all(contacts).await?;
        let now = self.clock.now();
        let rows = hits
            .into_iter()
            .zip(contacts)
            .map(|(entry, contact)| hit(entry, &contact, now));
        let items = rows
            .filter(|row| show != Show::Muted || row.muted_until.is_some())
            .collect();
        Ok(ConversationPage {
            items,
            back_to: found.next.as_ref().map(|_| found.back_to),
            next: found.next.map(|cursor| cursor.to_string()),
        })
    }
}

fn key(conversation: &Conversation) -> (String, String) {
    (conversation.app.clone(), conversation.openid.clone())
}

/// Whether a text may be the beginning of an openid, which are made of letters, digits, `-` and `_`.
fn may_be_openid(text: &str) -> bool {
    text.len() >= 2
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
}

fn conversation(found: store::Conversation, now: Timestamp) -> Conversation {
    let replied = found.last_reply.as_ref().map(|reply| reply.time);
    Conversation {
        app: found.app.into(),
        openid: found.openid.into(),
        unanswered: waits(&found.last, replied),
        muted_until: found.contact.muted_until.filter(|until| *until > now),
        waiting: found.waiting,
        last: found.last.into(),
        last_reply: found.last_reply.map(Message::from),
    }
}

fn hit(entry: Entry, contact: &Contact, now: Timestamp) -> Conversation {
    Conversation {
        app: entry.app.to_string(),
        openid: entry.openid.to_string(),
        unanswered: false,
        muted_until: contact.muted_until.filter(|until| *until > now),
        waiting: contact.ledger.waiting,
        last: entry.into(),
        last_reply: None,
    }
}

/// Whether a message waits for a person: no rule answered it, or none was asked, and nobody wrote since. `replied`
/// is when the last reply was written.
fn waits(last: &Entry, replied: Option<Timestamp>) -> bool {
    let nobody_did = matches!(last.status.as_str(), "unmatched" | "muted");
    let says_something = last.msg_type != "event";
    nobody_did && says_something && replied.is_none_or(|replied| replied < last.time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_openid_is_told_from_a_text() {
        for text in ["oAbC", "o-_9", "ok"] {
            assert!(may_be_openid(text), "{text}");
        }
        for text in ["o", "", "营业", "a b", "a.b"] {
            assert!(!may_be_openid(text), "{text}");
        }
    }
}
