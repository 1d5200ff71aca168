//! The rule language as a whole: what each key changes, what each mistake is answered with, the shipped shop.

mod calendar;
mod findings;
mod language;
mod lints;
mod properties;
mod reach;
mod semantics;
mod shop;
mod webhook;

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{AppScope, MediaFile, RuleSet, Scope, check, load};
use crate::diagnostic::{Source, render};
use crate::message::{
    AppKind, Contact, Cooldowns, Decision, Facts, Fields, Inbound, MessageId, OpenId, Reply,
};

/// Two apps, and two pictures.
pub(super) fn scope() -> Scope {
    let app = |name: &str, vars: &[(&str, &str)]| AppScope {
        name: name.into(),
        kind: AppKind::MiniProgram,
        vars: vars
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    };
    Scope {
        apps: vec![
            app(
                "shop",
                &[
                    ("shop", "小店"),
                    ("site", "<a href=\"https://example.com\">官网</a>"),
                ],
            ),
            app("club", &[("shop", "会员店")]),
        ],
        timezone: TimeZone::get("Asia/Shanghai").expect("bundled"),
        media: BTreeMap::from([
            (
                PathBuf::from("images/menu.png"),
                MediaFile::new(10, Some(b"\x89PNG\r\n\x1a\n")),
            ),
            (
                PathBuf::from("images/t.png"),
                MediaFile::new(10, Some(b"\x89PNG\r\n\x1a\n")),
            ),
        ]),
        ..Scope::default()
    }
}

/// A set from one file without findings.
pub(super) fn set(text: &str) -> RuleSet {
    let loaded = load(&[Source::new("shop.toml", text)], &scope());
    let findings: Vec<String> = loaded
        .findings
        .iter()
        .map(|finding| render(finding, false))
        .collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    loaded.set.expect("no findings, so a set")
}

/// A text message to the app `shop`, on Monday 2026-01-05 at 10:00 in Shanghai.
pub(super) fn text(content: &str) -> Inbound {
    let mut message = push(
        "text",
        [("MsgType", "text"), ("Content", content)].into_iter().collect(),
    );
    message.content = Some(content.to_owned());
    message
}

/// An event at the same moment.
pub(super) fn event(name: &str, fields: &[(&str, &str)]) -> Inbound {
    let all = [("MsgType", "event"), ("Event", name)]
        .into_iter()
        .chain(fields.iter().copied());
    let mut event = push("event", all.collect());
    event.event = Some(name.to_owned());
    event
}

/// A push of another kind.
pub(super) fn push(msg_type: &str, fields: Fields) -> Inbound {
    Inbound {
        id: MessageId::new(1_767_578_400, 1),
        app: "shop".into(),
        openid: "oUser".into(),
        dedup_key: "1".to_owned(),
        received: monday_ten(),
        msg_type: msg_type.to_owned(),
        event: None,
        content: None,
        fields,
    }
}

pub(super) fn monday_ten() -> Timestamp {
    at("2026-01-05T10:00:00+08:00")
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A user's talk with a set: the contact and the app's cooldowns go from one message to the next.
pub(super) struct Talk<'a> {
    pub(super) set: &'a RuleSet,
    pub(super) now: Timestamp,
    pub(super) contact: Contact,
    pub(super) app_cooldowns: Cooldowns,
}

impl<'a> Talk<'a> {
    pub(super) fn new(set: &'a RuleSet) -> Self {
        Self {
            set,
            now: monday_ten(),
            contact: Contact::default(),
            app_cooldowns: Cooldowns::new(),
        }
    }

    pub(super) fn at(mut self, now: &str) -> Self {
        self.now = at(now);
        self
    }

    pub(super) fn wait(&mut self, minutes: i64) -> &mut Self {
        self.now += jiff::SignedDuration::from_mins(minutes);
        self
    }

    pub(super) fn hear(&mut self, inbound: &Inbound) -> Decision {
        let facts = Facts {
            now: self.now,
            contact: &self.contact,
            app_cooldowns: &self.app_cooldowns,
        };
        let decision = self.set.decide(inbound, &self.set.candidates(inbound), &facts);
        assert_eq!(self.set.explain(inbound, &facts).decision, decision);
        self.contact = decision.contact.clone();
        self.app_cooldowns.extend(decision.app_cooldowns.iter().cloned());
        decision
    }

    pub(super) fn say(&mut self, content: &str) -> Decision {
        self.hear(&text(content))
    }

    /// The same person as another user.
    pub(super) fn say_as(&mut self, openid: &str, content: &str) -> Decision {
        let mut message = text(content);
        message.openid = OpenId::from(openid);
        let mine = std::mem::take(&mut self.contact);
        let decision = self.hear(&message);
        self.contact = mine;
        decision
    }
}

/// A decision in one line: status, rule, answer, and the replies' summaries.
pub(super) fn brief(decision: &Decision) -> String {
    let replies: Vec<String> = decision
        .replies
        .iter()
        .map(|planned| planned.reply.summary())
        .collect();
    let rule = decision.rule.as_ref().map_or("-", |rule| rule.as_str());
    format!("{} {rule} {}", decision.status.as_str(), replies.join(" | "))
        .trim_end()
        .to_owned()
}

/// The texts of a decision.
pub(super) fn texts(decision: &Decision) -> Vec<String> {
    let text = |planned: &crate::message::Planned| match &planned.reply {
        Reply::Text(text) => Some(text.clone()),
        _ => None,
    };
    decision.replies.iter().filter_map(text).collect()
}
