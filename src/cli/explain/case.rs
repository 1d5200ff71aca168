//! The message that is explained, as the arguments describe it.

use jiff::Timestamp;

use super::Explain;
use crate::config::App;
use crate::message::Inbound;
use crate::story::Described;

impl Explain {
    /// The message that the arguments describe.
    pub(super) fn inbound(&self, app: &App, at: Timestamp) -> Inbound {
        let described = Described {
            msg_type: self.msg_type.clone(),
            event: self.event.clone(),
            text: self.text.clone(),
            fields: self.field.clone(),
        };
        described.inbound(&app.name, &app.app_id, &self.openid, at)
    }
}
