//! A message that nobody sent, as somebody describes it.

use jiff::Timestamp;

use crate::message::{AppName, Fields, Inbound, MessageId, OpenId, Value};

/// A message in few words.
#[derive(Clone, Debug, Default)]
pub struct Described {
    /// `MsgType`; absent, it is an event when there is an `event`, else a text.
    pub msg_type: Option<String>,
    /// `Event`
    pub event: Option<String>,
    /// `Content`
    pub text: Option<String>,
    /// Any other fields of the push.
    pub fields: Vec<(String, String)>,
}

impl Described {
    /// The push that it stands for: to an app, whose AppID is named too, by a user at a time.
    #[must_use]
    pub fn inbound(&self, app: &AppName, app_id: &str, openid: &OpenId, at: Timestamp) -> Inbound {
        let default = if self.event.is_some() { "event" } else { "text" };
        let msg_type = self.msg_type.as_deref().unwrap_or(default).to_lowercase();
        let created = at.as_second();
        let mut fields: Fields = [
            ("ToUserName", app_id),
            ("FromUserName", openid.as_str()),
            ("CreateTime", &created.to_string()),
            ("MsgType", &msg_type),
        ]
        .into_iter()
        .collect();
        let optional = [("Event", &self.event), ("Content", &self.text)];
        for (name, value) in optional.into_iter().filter_map(|(n, v)| Some((n, v.clone()?))) {
            fields.push(name, Value::Text(value));
        }
        for (name, value) in &self.fields {
            fields.push(name.clone(), Value::Text(value.clone()));
        }
        Inbound {
            id: MessageId::new(created, 0),
            app: app.clone(),
            openid: openid.clone(),
            dedup_key: String::new(),
            received: at,
            event: self.event.clone().filter(|_| msg_type == "event"),
            msg_type,
            content: self.text.clone(),
            fields,
        }
    }
}
