//! The message that is explained, as the arguments describe it.

use jiff::Timestamp;

use super::Explain;
use crate::config::App;
use crate::message::{Fields, Inbound, MessageId, Value};

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
