//! `msg_type` and `event`: which kinds of pushes a rule is asked about.

use super::{Draft, Key};
use crate::diagnostic::Diagnostic;
use crate::message::Inbound;
use crate::rules::codes;
use crate::rules::read::{Node, Reader};

pub(super) const MSG_TYPE: Key = Key {
    name: "msg_type",
    read: |reader, node, draft| draft.msg_types = Some((lower(reader, "when.msg_type", node), node.span())),
};

pub(super) const EVENT: Key = Key {
    name: "event",
    read: |reader, node, draft| draft.events = Some((lower(reader, "when.event", node), node.span())),
};

/// WeChat's own spelling of events varies (`CLICK`, `subscribe`), so case is never compared.
fn lower(reader: &mut Reader<'_>, what: &str, node: &Node<'_>) -> Vec<String> {
    let texts = reader.texts(what, node);
    texts
        .into_iter()
        .map(|text| text.text.to_ascii_lowercase())
        .collect()
}

/// The kinds of pushes that a rule is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    /// In lower case; any when empty.
    pub(crate) msg_types: Vec<String>,
    /// In lower case; any when empty.
    pub(crate) events: Vec<String>,
}

impl Kinds {
    /// Whether a push is of one of the kinds.
    pub(crate) fn hold(&self, inbound: &Inbound) -> bool {
        let among = |kinds: &[String], kind: &str| kinds.iter().any(|k| k.eq_ignore_ascii_case(kind));
        (self.msg_types.is_empty() || among(&self.msg_types, &inbound.msg_type))
            && (self.events.is_empty()
                || inbound
                    .event
                    .as_deref()
                    .is_some_and(|event| among(&self.events, event)))
    }

    /// Whether pushes of this `MsgType` are among them.
    pub(crate) fn include(&self, msg_type: &str) -> bool {
        self.msg_types.is_empty() || self.msg_types.iter().any(|t| t == msg_type)
    }

    /// What is asked for, in words.
    pub(crate) fn asks(&self) -> String {
        match (self.msg_types.is_empty(), self.events.is_empty()) {
            (true, true) => "anything".to_owned(),
            (false, true) => self.msg_types.join(" or "),
            (_, false) => format!("event {}", self.events.join(" or ")),
        }
    }

    /// What is asked for and what came, in words.
    pub(crate) fn explain(&self, inbound: &Inbound) -> String {
        let came = match &inbound.event {
            Some(event) => format!("event {event}"),
            None => inbound.msg_type.clone(),
        };
        format!("kind: {}; this is {came}", self.asks())
    }
}

/// The kinds that `msg_type`, `event` and the conditions on text ask for together.
pub(super) fn combine(reader: &mut Reader<'_>, draft: &Draft) -> Kinds {
    let written = draft.msg_types.clone();
    let events = draft.events.clone().map(|(events, _)| events).unwrap_or_default();
    let msg_types = match &written {
        Some((types, _)) => types.clone(),
        None if !events.is_empty() => vec!["event".to_owned()],
        None if draft.text_at.is_some() => vec!["text".to_owned()],
        None => Vec::new(),
    };
    if let (Some((_, at)), Some((_, types_at))) = (&draft.events, &written)
        && !msg_types.is_empty()
        && !msg_types.iter().any(|t| t == "event")
    {
        let finding = Diagnostic::error(
            codes::CONTRADICTION,
            "`msg_type` and `event` can never hold together",
        )
        .at(reader.source, types_at.clone(), "no event has this type")
        .see(reader.source, at.clone(), "only events have this")
        .help("leave `when.msg_type` out: `when.event` implies \"event\"");
        reader.note(finding);
    } else if let Some(text_at) = &draft.text_at
        && !msg_types.is_empty()
        && msg_types.iter().all(|t| t == "event")
    {
        let at = draft
            .events
            .as_ref()
            .or(written.as_ref())
            .map_or(text_at, |(_, at)| at)
            .clone();
        let finding = Diagnostic::error(
            codes::CONTRADICTION,
            "an event has no text, so this can never hold",
        )
        .at(reader.source, text_at.clone(), "looks at the text of a message")
        .see(reader.source, at, "asks for an event")
        .help("to look into an event, use `when.fields`, as in `when.fields = { SessionFrom = \"home\" }`");
        reader.note(finding);
    }
    Kinds { msg_types, events }
}
