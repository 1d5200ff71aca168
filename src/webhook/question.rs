//! What is sent: the customer's message as the log has it, and what the rule made of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use crate::message::{Entry, Fields, Webhook};

/// The body of a question. Its keys are described in docs/webhook.md and keep their meaning; new ones may come.
#[derive(Serialize)]
struct Question<'a> {
    id: String,
    app: &'a str,
    openid: &'a str,
    msg_type: &'a str,
    event: Option<&'a str>,
    content: Option<&'a str>,
    fields: &'a Fields,
    rule: &'a str,
    captures: &'a BTreeMap<String, String>,
    state: Option<&'a str>,
    time: String,
}

/// The body of the question that a rule has about a message.
#[must_use]
pub fn question(message: &Entry, webhook: &Webhook) -> Bytes {
    let question = Question {
        id: message.id.to_string(),
        app: message.app.as_str(),
        openid: message.openid.as_str(),
        msg_type: &message.msg_type,
        event: message.event.as_deref(),
        content: message.content.as_deref(),
        fields: &message.fields,
        rule: webhook.rule.as_str(),
        captures: &webhook.captures,
        state: webhook.state.as_deref(),
        time: message.time.to_string(),
    };
    // Texts and maps of texts: there is nothing in it that JSON could refuse.
    serde_json::to_vec(&question).unwrap_or_default().into()
}
