//! One customer's chat: the bubbles, the reply quota, and who answers — the daemon or a person.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::token::after;
use crate::message::{Ledger, OpenId};
use crate::wechat::Grant;

/// Entries that are kept of one chat.
const MAX_ENTRIES: usize = 300;
/// Replies that are kept of one chat for [`super::Simulator::received`].
const MAX_RECEIVED: usize = 300;
/// An agent's session ends by itself after this time.
const SESSION: Duration = Duration::from_secs(30 * 60);
/// "typing…" lasts this long.
const TYPING: Duration = Duration::from_secs(15);
/// "typing…" is taken only this long after the last message either way.
const EXCHANGE: Duration = Duration::from_secs(30);

/// A reply that reached a customer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReceivedReply {
    /// The customer.
    pub openid: OpenId,
    /// When.
    pub at: Timestamp,
    /// `msgtype`
    pub msg_type: String,
    /// The whole request body of `custom/send`.
    pub body: serde_json::Value,
}

impl ReceivedReply {
    /// `text.content`, if it is a text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.body["text"]["content"].as_str()
    }
}

/// What a bubble shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Bubble {
    Text {
        text: String,
    },
    Image {
        media_id: String,
    },
    Link {
        title: String,
        description: String,
        url: String,
    },
    Page {
        title: String,
        page_path: String,
        thumb_media_id: String,
    },
    /// Grey and centred; the page words it, but for [`Notice::Unavailable`], which is WeChat's own sentence.
    Notice {
        notice: Notice,
        text: String,
    },
}

/// What a grey line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Notice {
    /// The daemon did not answer, or abnormally.
    Unavailable,
    /// Handed to customer service; the text is the agent's account, if one was named.
    Transferred,
    /// The agent closed the session.
    AgentClosed,
    /// The customer entered the session; the text is `SessionFrom`.
    Entered,
    /// Another event; the text is its name.
    Event,
}

/// Whose bubble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    Customer,
    Shop,
    Notice,
}

/// Where a customer's message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Progress {
    /// It is being pushed.
    Pushing,
    /// The daemon took it.
    Taken,
    /// The daemon did not take it.
    Failed,
    /// It went to an agent and is not pushed.
    ToAgent,
}

/// One line of a chat.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    pub(super) id: u64,
    /// Milliseconds since 1970.
    pub(super) at: i64,
    pub(super) side: Side,
    pub(super) bubble: Bubble,
    /// The push that carried it.
    pub(super) push: Option<u64>,
    /// The API call that brought it.
    pub(super) call: Option<u64>,
    pub(super) progress: Option<Progress>,
    /// Attempts made so far.
    pub(super) attempts: u32,
    /// How long the last attempt took, in milliseconds.
    pub(super) took: Option<u64>,
    /// WeChat's grey line below it: made by an AI (`aimsgcontext`).
    pub(super) ai: bool,
}

/// One customer.
#[derive(Debug)]
pub(super) struct Customer {
    pub(super) openid: OpenId,
    /// The how-manieth this simulator saw; the page makes a name of it.
    pub(super) number: u64,
    pub(super) ledger: Ledger,
    /// Replies that the window began with.
    of: u32,
    pub(super) active: Timestamp,
    /// The end of the agent's session, and the agent's account.
    agent: Option<(Timestamp, Option<String>)>,
    typing: Option<Timestamp>,
    last_exchange: Option<Timestamp>,
    pub(super) entries: VecDeque<Entry>,
    pub(super) received: VecDeque<Arc<ReceivedReply>>,
    /// All replies ever, also those no longer kept.
    pub(super) received_total: usize,
}

/// A customer without the chat, for the page.
#[derive(Debug, Serialize)]
pub(super) struct CustomerView {
    openid: OpenId,
    number: u64,
    /// Replies left, of how many, and when the window closes (milliseconds since 1970).
    left: u32,
    of: u32,
    until: Option<i64>,
    agent_until: Option<i64>,
    agent: Option<String>,
    typing_until: Option<i64>,
}

/// Why "typing…" was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypingRefused {
    NoExchange,
    AlreadyTyping,
}

impl Customer {
    pub(super) fn new(openid: OpenId, number: u64, now: Timestamp) -> Self {
        Self {
            openid,
            number,
            ledger: Ledger::default(),
            of: 0,
            active: now,
            agent: None,
            typing: None,
            last_exchange: None,
            entries: VecDeque::new(),
            received: VecDeque::new(),
            received_total: 0,
        }
    }

    pub(super) fn add(&mut self, entry: Entry) {
        if self.entries.len() == MAX_ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// The customer did something, or was sent something.
    pub(super) fn exchanged(&mut self, now: Timestamp) {
        self.last_exchange = Some(now);
        self.active = now;
    }

    /// The customer's action buys replies.
    pub(super) fn granted(&mut self, grant: Grant, now: Timestamp) {
        self.ledger = self.ledger.granted(grant, now);
        if self.ledger.left == grant.replies {
            self.of = grant.replies;
        }
    }

    /// A reply reached the customer; it ends "typing…".
    pub(super) fn receive(&mut self, reply: Arc<ReceivedReply>, now: Timestamp) {
        self.exchanged(now);
        self.typing = None;
        if self.received.len() == MAX_RECEIVED {
            self.received.pop_front();
        }
        self.received.push_back(reply);
        self.received_total += 1;
    }

    /// Hands the conversation to an agent, who is there at once: the wait in the queue is not played.
    pub(super) fn transfer(&mut self, kf_account: Option<String>, now: Timestamp) {
        self.agent = Some((after(now, SESSION), kf_account));
    }

    /// Whether an agent has the conversation, so that messages are not pushed.
    pub(super) fn with_agent(&self, now: Timestamp) -> bool {
        self.agent.as_ref().is_some_and(|(until, _)| *until > now)
    }

    /// Ends the agent's session; gives the agent's account, `None` if there was no session.
    pub(super) fn close_session(&mut self, now: Timestamp) -> Option<Option<String>> {
        self.agent
            .take()
            .filter(|(until, _)| *until > now)
            .map(|(_, account)| account)
    }

    pub(super) fn start_typing(&mut self, now: Timestamp) -> Result<(), TypingRefused> {
        if self.last_exchange.is_none_or(|last| after(last, EXCHANGE) < now) {
            return Err(TypingRefused::NoExchange);
        }
        if self.typing.is_some_and(|until| until > now) {
            return Err(TypingRefused::AlreadyTyping);
        }
        self.typing = Some(after(now, TYPING));
        Ok(())
    }

    pub(super) fn stop_typing(&mut self) {
        self.typing = None;
    }

    pub(super) fn view(&self, now: Timestamp) -> CustomerView {
        let agent = self.agent.as_ref().filter(|(until, _)| *until > now);
        CustomerView {
            openid: self.openid.clone(),
            number: self.number,
            left: self.ledger.left,
            of: self.of,
            until: self.ledger.until.map(Timestamp::as_millisecond),
            agent_until: agent.map(|(until, _)| until.as_millisecond()),
            agent: agent.and_then(|(_, account)| account.clone()),
            typing_until: self
                .typing
                .filter(|until| *until > now)
                .map(Timestamp::as_millisecond),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_732_250_000 + second).expect("valid")
    }

    #[test]
    fn typing_needs_an_exchange_and_ends_by_itself() {
        let mut customer = Customer::new("oTEST".into(), 1, at(0));
        assert_eq!(customer.start_typing(at(0)), Err(TypingRefused::NoExchange));
        customer.exchanged(at(0));
        assert_eq!(customer.start_typing(at(31)), Err(TypingRefused::NoExchange));
        assert_eq!(customer.start_typing(at(10)), Ok(()));
        assert_eq!(customer.start_typing(at(24)), Err(TypingRefused::AlreadyTyping));
        assert_eq!(customer.start_typing(at(25)), Ok(()));
        customer.stop_typing();
        assert_eq!(customer.start_typing(at(26)), Ok(()));
    }

    #[test]
    fn an_agent_has_the_conversation_for_half_an_hour_or_until_closing() {
        let mut customer = Customer::new("oTEST".into(), 1, at(0));
        customer.transfer(Some("a@shop".into()), at(0));
        assert!(customer.with_agent(at(1799)));
        assert!(!customer.with_agent(at(1800)));
        assert_eq!(customer.close_session(at(1800)), None, "it was over");
        customer.transfer(Some("a@shop".into()), at(0));
        assert_eq!(customer.close_session(at(1)), Some(Some("a@shop".into())));
        assert!(!customer.with_agent(at(1)));
    }
}
