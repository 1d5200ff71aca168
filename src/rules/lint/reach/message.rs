//! Messages that a rule might take, and the corners into which all that it takes can be split: an app, a kind of push,
//! a user. What no rule has a name for is one corner, and one example stands for it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::cover::Way;
use super::example::example;
use crate::message::{AppName, Fields, Inbound, MessageId, Value};
use crate::rules::RuleSet;
use crate::rules::matcher::TextConditions;
use crate::rules::rule::Rule;

/// Kinds of pushes that WeChat has; one of them stands for all those that no rule has a name for.
const MSG_TYPES: &[&str] = &[
    "text",
    "image",
    "event",
    "voice",
    "video",
    "shortvideo",
    "location",
    "link",
    "miniprogrampage",
    "file",
];
const EVENTS: &[&str] = &[
    "user_enter_tempsession",
    "subscribe",
    "click",
    "view",
    "scan",
    "unsubscribe",
    "location",
];
/// What a customer might say that no rule waits for.
const SMALL_TALK: &[&str] = &["嗯嗯", "今天天气不错", "zzz", "👍", "呀"];

/// The names that rules use for what a message can be.
pub(super) struct Names<'a> {
    apps: Vec<AppName>,
    msg_types: BTreeSet<&'a str>,
    events: BTreeSet<&'a str>,
    /// A user that no rule names.
    stranger: String,
}

/// One corner: all that a message is, but for what it says.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) app: AppName,
    pub(super) msg_type: String,
    pub(super) event: Option<String>,
    pub(super) openid: String,
}

impl<'a> Names<'a> {
    pub(super) fn of(set: &'a RuleSet) -> Self {
        let kinds = || set.rules.iter().map(|rule| &rule.when.kinds);
        let mut apps: Vec<AppName> = set.vars.keys().cloned().collect();
        if apps.is_empty() {
            // Without a config there may be any app, so one that no rule names stands beside those that are named.
            let named: BTreeSet<&AppName> = set
                .rules
                .iter()
                .flat_map(|rule| rule.apps.iter().flatten())
                .collect();
            let other = fresh("app", |name| named.iter().any(|app| app.as_str() == name));
            apps.push(other.into());
            apps.extend(named.into_iter().cloned());
        }
        let users: BTreeSet<&str> = set
            .rules
            .iter()
            .flat_map(users)
            .flatten()
            .map(String::as_str)
            .collect();
        Self {
            apps,
            msg_types: kinds()
                .flat_map(|kinds| &kinds.msg_types)
                .map(String::as_str)
                .collect(),
            events: kinds()
                .flat_map(|kinds| &kinds.events)
                .map(String::as_str)
                .collect(),
            stranger: fresh("oCustomer", |name| users.contains(name)),
        }
    }

    /// Whether there is more than one app, so that one must be named.
    pub(super) fn has_many_apps(&self) -> bool {
        self.apps.len() > 1
    }

    /// Whether this user is one that a rule names.
    pub(super) fn names_user(&self, openid: &str) -> bool {
        openid != self.stranger
    }

    /// All corners of a rule; none when they are more than `limit`.
    pub(super) fn frames(&self, rule: &Rule, limit: usize) -> Option<Vec<Frame>> {
        let apps: Vec<&AppName> = self.apps.iter().filter(|app| rule.serves(app)).collect();
        let kinds = self.kinds(rule);
        let named: Vec<&String> = users(rule).into_iter().flatten().collect();
        let users = if named.is_empty() {
            vec![&self.stranger]
        } else {
            named
        };
        if apps.len().saturating_mul(kinds.len()).saturating_mul(users.len()) > limit {
            return None;
        }
        let mut frames = Vec::new();
        for app in apps {
            for (msg_type, event) in &kinds {
                frames.extend(users.iter().map(|user| Frame {
                    app: app.clone(),
                    msg_type: msg_type.clone(),
                    event: event.clone(),
                    openid: (*user).clone(),
                }));
            }
        }
        Some(frames)
    }

    /// Every kind of push that the rule is asked about.
    fn kinds(&self, rule: &Rule) -> Vec<(String, Option<String>)> {
        let kinds = &rule.when.kinds;
        let event = || "event".to_owned();
        if !kinds.events.is_empty() {
            return kinds
                .events
                .iter()
                .map(|name| (event(), Some(name.clone())))
                .collect();
        }
        let types: Vec<String> = if kinds.msg_types.is_empty() {
            let named = || {
                self.msg_types
                    .iter()
                    .copied()
                    .filter(|name| !["text", "event"].contains(name))
            };
            let other = other(MSG_TYPES, |name| {
                self.msg_types.contains(name) || ["text", "event"].contains(&name)
            });
            ["text"]
                .into_iter()
                .chain(named())
                .map(str::to_owned)
                .chain([other, event()])
                .collect()
        } else {
            kinds.msg_types.clone()
        };
        types
            .into_iter()
            .flat_map(|name| {
                if name != "event" {
                    return vec![(name, None)];
                }
                let other = other(EVENTS, |name| self.events.contains(name));
                let named = self.events.iter().map(|name| (*name).to_owned());
                std::iter::once(other)
                    .chain(named)
                    .map(|name| (event(), Some(name)))
                    .collect()
            })
            .collect()
    }
}

/// The users that a rule asks for.
fn users(rule: &Rule) -> Option<&[String]> {
    rule.when
        .on_message
        .iter()
        .find_map(|condition| condition.users())
}

/// A known name that is not taken, or else a new one.
fn other(known: &[&str], taken: impl Fn(&str) -> bool) -> String {
    match known.iter().find(|name| !taken(name)) {
        Some(name) => (*name).to_owned(),
        None => fresh("other", taken),
    }
}

/// A name that is not taken.
fn fresh(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut name = name.to_owned();
    while taken(&name) {
        name.push('2');
    }
    name
}

/// What a customer might write so that a rule's conditions hold that way; the plainest first. Absent: nothing is
/// written at all.
pub(super) fn texts(text: Option<&TextConditions>, way: Way<'_>, frame: &Frame) -> Vec<Option<String>> {
    let writes = frame.msg_type == "text";
    let mut all = Vec::new();
    let mut add = |text: String| {
        if !text.is_empty() && !all.contains(&text) {
            all.push(text);
        }
    };
    let none = TextConditions::default();
    let asked = text.unwrap_or(&none);
    for choice in 0..4 {
        let content = asked.fields.iter().find(|(path, _)| path == "Content");
        let pattern = match way {
            Way::Regex(pattern) => Some(pattern),
            _ => asked
                .regex
                .first()
                .or(content.map(|(_, pattern)| pattern))
                .map(String::as_str),
        };
        let sample = pattern.and_then(|pattern| example(pattern, choice));
        let mut parts: Vec<&str> = Vec::new();
        match way {
            Way::Exact(text) => {
                for text in variants_of_exact(text) {
                    add(text);
                }
                continue;
            }
            Way::Keyword(word) => parts.push(word),
            Way::Regex(_) | Way::Any => {}
        }
        parts.extend(asked.all_keywords.iter().map(String::as_str));
        parts.extend(sample.as_deref());
        if !matches!(way, Way::Keyword(_)) {
            parts.extend(asked.keywords.first().map(String::as_str));
        }
        if parts.is_empty() {
            break;
        }
        for between in ["", " ", "，"] {
            add(parts.join(between));
        }
        parts.reverse();
        add(parts.join("，"));
        let plain = parts.join(" ");
        for (before, after) in [
            ("请问", ""),
            ("", "吗"),
            ("你们", "呀？"),
            ("", " 1"),
            ("x ", ""),
            ("我想问 ", " 谢谢"),
        ] {
            add(format!("{before}{plain}{after}"));
        }
        if pattern.is_none() {
            break;
        }
    }
    if !all.is_empty() {
        return all.into_iter().map(Some).collect();
    }
    if writes {
        return SMALL_TALK.iter().map(|text| Some((*text).to_owned())).collect();
    }
    vec![None]
}

/// The same text as people and their keyboards write it.
fn variants_of_exact(text: &str) -> Vec<String> {
    let swapped = |c: char| {
        if c.is_ascii_lowercase() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        }
    };
    vec![
        text.to_owned(),
        format!("{text}？"),
        format!("{text}。"),
        format!(" {text} "),
        text.chars().map(swapped).collect(),
    ]
}

/// The push itself. `choice` picks among the examples of patterns on fields.
pub(super) fn inbound(
    frame: &Frame,
    text: Option<&TextConditions>,
    content: Option<&str>,
    choice: usize,
) -> Inbound {
    let now = Timestamp::UNIX_EPOCH;
    let mut fields = Fields::new();
    fields.push("FromUserName", Value::from(frame.openid.as_str()));
    fields.push("MsgType", Value::from(frame.msg_type.as_str()));
    if let Some(event) = &frame.event {
        fields.push("Event", Value::from(event.as_str()));
    }
    if let Some(content) = content {
        fields.push("Content", Value::from(content));
    }
    for (path, pattern) in text.into_iter().flat_map(|text| &text.fields) {
        // What a push says of itself is there already.
        if fields.get(path).is_none()
            && let Some(value) = example(pattern, choice)
        {
            let (head, rest) = match path.split_once('.') {
                Some((head, rest)) => (head, Some(rest)),
                None => (path.as_str(), None),
            };
            fields.push(head, nested(rest, value));
        }
    }
    Inbound {
        id: MessageId::new(now.as_second(), 1),
        app: frame.app.clone(),
        openid: frame.openid.as_str().into(),
        dedup_key: "example".to_owned(),
        received: now,
        msg_type: frame.msg_type.clone(),
        event: frame.event.clone(),
        content: content.map(str::to_owned),
        fields,
    }
}

/// A value below a dotted path.
fn nested(path: Option<&str>, value: String) -> Value {
    let parts = path.into_iter().flat_map(|path| path.rsplit('.'));
    parts.fold(Value::Text(value), |inner, name| {
        Value::Table([(name, inner)].into_iter().collect())
    })
}
