//! Conversations: who wrote last, and what was said.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::log::{cursor, rows};
use super::message::Message;
use crate::console::Console;
use crate::console::problem::Problem;
use crate::message::{AppName, Entry};
use crate::store::{self, ConversationFilter, Cursor, Filter, StoreError};

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
        let limit: usize = rows(query.limit)?.into();
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
        let now = self.clock.now();
        let at: Part = query.cursor.as_deref().unwrap_or_default().parse()?;
        let mut items = Vec::new();
        if at == Part::Named && may_be_openid(wanted) {
            let filter = ConversationFilter {
                openid_prefix: Some(wanted.to_owned()),
                ..filter.clone()
            };
            let page = self.store.conversations(&filter, None, limit).await?;
            items.extend(
                page.conversations
                    .into_iter()
                    .map(|found| conversation(found, now)),
            );
            if items.len() >= limit {
                return Ok(ConversationPage {
                    items,
                    next: Some(Part::Said(None).to_string()),
                    back_to: None,
                });
            }
        }
        let after = match at {
            Part::Said(after) => after,
            Part::Named => None,
        };
        let mut page = self
            .hits(&filter, wanted, after.as_ref(), limit - items.len())
            .await?;
        page.items.retain(|found| {
            !items
                .iter()
                .any(|known| (&known.app, &known.openid) == (&found.app, &found.openid))
        });
        page.items.splice(0..0, items);
        Ok(page)
    }

    /// The conversations in which something was said: at most as many as rows are looked for.
    async fn hits(
        &self,
        wanted: &ConversationFilter,
        text: &str,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<ConversationPage, Problem> {
        let filter = Filter {
            app: wanted.app.clone(),
            search: Some(text.to_owned()),
            ..Filter::default()
        };
        let found = self.store.search(&filter, after, limit).await?;
        let mut seen = BTreeSet::new();
        let mut hits: Vec<Entry> = found.entries;
        hits.retain(|entry| {
            // A push that could not be read is nobody's.
            !entry.openid.as_str().is_empty() && seen.insert((entry.app.clone(), entry.openid.clone()))
        });
        let now = self.clock.now();
        // What a filter asks for is asked of the conversation, not of the row that has the text.
        let items = try_join_all(hits.into_iter().map(|entry| async {
            let exact = ConversationFilter {
                app: Some(entry.app.clone()),
                openid_prefix: Some(entry.openid.as_str().to_owned()),
                ..wanted.clone()
            };
            let mut page = self.store.conversations(&exact, None, 1).await?;
            // An openid that goes on comes behind the one that it goes on from.
            let own = page.conversations.pop().filter(|own| own.openid == entry.openid);
            Ok::<_, StoreError>(own.map(|own| hit(entry, own, now)))
        }));
        Ok(ConversationPage {
            items: items.await?.into_iter().flatten().collect(),
            back_to: found.next.as_ref().map(|_| found.back_to),
            next: found.next.map(|cursor| Part::Said(Some(cursor)).to_string()),
        })
    }
}

/// What a search goes on with: those whose openid begins so, then what was said.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Named,
    Said(Option<Cursor>),
}

impl FromStr for Part {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text.strip_prefix("text:") {
            Some(rest) => Ok(Self::Said(cursor(Some(rest))?)),
            None if text.is_empty() => Ok(Self::Named),
            None => cursor(Some(text)).map(Self::Said),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named => Ok(()),
            Self::Said(None) => f.write_str("text:"),
            Self::Said(Some(after)) => write!(f, "text:{after}"),
        }
    }
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

/// A conversation with the row that has the text in the place of its last message.
fn hit(entry: Entry, own: store::Conversation, now: Timestamp) -> Conversation {
    Conversation {
        last: entry.into(),
        last_reply: None,
        ..conversation(own, now)
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
