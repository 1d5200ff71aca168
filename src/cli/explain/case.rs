//! The message that is explained: one that the arguments describe, or one of the log.

use anyhow::Context;
use jiff::Timestamp;

use super::Explain;
use crate::config::App;
use crate::message::{
    Contact, Cooldowns, Direction, Fields, Inbound, MessageId, RuleName, RuleSetVersion, Value,
};
use crate::store::Store;

/// All that a decision needs.
pub(super) struct Case {
    pub inbound: Inbound,
    pub contact: Contact,
    pub app_cooldowns: Cooldowns,
    pub now: Timestamp,
    /// What should be known about where this comes from.
    pub notes: Vec<String>,
}

impl Case {
    /// A message of somebody of whom nothing is known.
    pub fn new(inbound: Inbound) -> Self {
        Self {
            contact: Contact::default(),
            app_cooldowns: Cooldowns::new(),
            now: inbound.received,
            notes: Vec::new(),
            inbound,
        }
    }
}

impl Explain {
    /// The message that the arguments describe.
    pub(super) fn inbound(&self, app: &App, at: Timestamp) -> Inbound {
        let default = if self.event.is_some() { "event" } else { "text" };
        let msg_type = self.msg_type.as_deref().unwrap_or(default).to_lowercase();
        let created = at.as_second();
        let mut fields: Fields = [
            ("ToUserName", app.app_id.as_str()),
            ("FromUserName", self.openid.as_str()),
            ("CreateTime", &created.to_string()),
            ("MsgType", &msg_type),
        ]
        .into_iter()
        .collect();
        let optional = [("Event", &self.event), ("Content", &self.text)];
        for (name, value) in optional.into_iter().filter_map(|(n, v)| Some((n, v.clone()?))) {
            fields.push(name, Value::Text(value));
        }
        for (name, value) in &self.field {
            fields.push(name.clone(), Value::Text(value.clone()));
        }
        Inbound {
            id: MessageId::new(created, 0),
            app: app.name.clone(),
            openid: self.openid.clone(),
            dedup_key: String::new(),
            received: at,
            event: self.event.clone().filter(|_| msg_type == "event"),
            msg_type,
            content: self.text.clone(),
            fields,
        }
    }
}

/// A message of the log, and what the log says became of it.
pub(super) struct Logged {
    inbound: Inbound,
    status: String,
    rule: Option<RuleName>,
    pub rule_set: Option<RuleSetVersion>,
    notes: Vec<String>,
}

impl Logged {
    /// Reads the message of this id, or that which the reply of this id answers.
    pub async fn read(store: &Store, id: MessageId) -> anyhow::Result<Self> {
        let entry = store.entry(id).await?;
        let mut entry = entry.with_context(|| format!("there is no message {id}"))?;
        let mut notes = Vec::new();
        if entry.direction == Direction::Out {
            let message = id.message();
            notes.push(format!(
                "{id} is a reply; this is the message that it answers, {message}"
            ));
            let asked = store.entry(message).await?;
            entry = asked.with_context(|| {
                format!("{id} is a reply; the message that it answers, {message}, is no longer in the log")
            })?;
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
            notes,
        })
    }

    /// The message, at the time when it came unless another is wanted, to be judged by the rules of this version.
    pub fn case(mut self, rules: &RuleSetVersion, at: Option<Timestamp>) -> Case {
        let by = self
            .rule
            .as_ref()
            .map(|rule| format!(" by {rule:?}"))
            .unwrap_or_default();
        let under = if self.rule_set.as_ref() == Some(rules) {
            "the same rules"
        } else {
            "other rules than those on the disk (--as-logged asks those)"
        };
        self.notes
            .push(format!("the log says: {}{by}, under {under}", self.status));
        Case {
            now: at.unwrap_or(self.inbound.received),
            notes: self.notes,
            ..Case::new(self.inbound)
        }
    }
}
