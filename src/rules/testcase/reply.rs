//! `expect.reply`: a text, or a table with one kind, as in a rule; nothing in it is a template.

use serde_json::{Map, Value, json};
use toml::de::DeValue;

use crate::message::Reply;
use crate::rules::codes;
use crate::rules::read::{Node, Reader};
use crate::rules::reply::media;

/// The kinds besides text and image, with their parts; `thumb` is a picture.
const CARDS: &[(&str, &[&str])] = &[
    ("link", &["title", "description", "url", "thumb_url"]),
    ("mini_program_page", &["title", "page_path", "thumb", "app_id"]),
];

/// A reply that a test expects. Parts of a card that are left out are not compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedReply(Value);

impl ExpectedReply {
    /// Whether a reply is this one.
    #[must_use]
    pub fn holds(&self, reply: &Reply) -> bool {
        if let (Some(expected), Reply::Text(text)) = (self.text(), reply) {
            return expected == text;
        }
        serde_json::to_value(reply).is_ok_and(|reply| covers(&self.0, &reply))
    }

    /// The text, if a text is expected.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.0.get("text")?.as_str()
    }

    /// The reply as one line for a person.
    #[must_use]
    pub fn line(&self) -> String {
        line(&self.0)
    }

    /// A reply of a rule as such a line.
    #[must_use]
    pub fn line_of(reply: &Reply) -> String {
        match reply {
            Reply::Text(text) => text.clone(),
            _ => serde_json::to_value(reply).map_or_else(|_| reply.summary(), |reply| line(&reply)),
        }
    }
}

/// Whether all that is expected is there.
fn covers(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected
            .iter()
            .all(|(key, value)| found.get(key).is_some_and(|found| covers(value, found))),
        _ => expected == found,
    }
}

fn line(reply: &Value) -> String {
    let Some((kind, value)) = reply.as_object().and_then(|table| table.iter().next()) else {
        return reply.to_string();
    };
    match value {
        Value::String(text) if kind == "text" => text.clone(),
        _ => format!("{{ {kind} = {} }}", part(value)),
    }
}

/// A value as the rule file has it.
fn part(value: &Value) -> String {
    let Value::Object(table) = value else {
        return value.to_string();
    };
    if let Some(file) = table.get("file") {
        return file.to_string();
    }
    let parts: Vec<String> = table
        .iter()
        .map(|(key, value)| format!("{key} = {}", part(value)))
        .collect();
    format!("{{ {} }}", parts.join(", "))
}

/// One reply or a list of them; an empty list says that nothing is sent.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Vec<ExpectedReply>> {
    match node.get_ref() {
        DeValue::Array(list) => list.iter().map(|node| one(reader, node)).collect(),
        _ => Some(vec![one(reader, node)?]),
    }
}

fn one(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<ExpectedReply> {
    if let DeValue::String(_) = node.get_ref() {
        // As with rules, white space at the end of a text does not count.
        let text = reader.nonempty("expect.reply", node)?.text;
        return Some(ExpectedReply(json!({ "text": text.trim_end() })));
    }
    let DeValue::Table(_) = node.get_ref() else {
        return reader.wrong_type(
            "expect.reply",
            node,
            "a text, a table with one kind, or a list of these",
        );
    };
    let kinds: Vec<&'static str> = crate::rules::reply::KINDS.iter().map(|kind| kind.name).collect();
    let before = reader.findings.len();
    let table = reader.table("expect.reply", node, &kinds)?;
    let mut written = kinds.iter().filter_map(|kind| Some((*kind, table.get(kind)?)));
    let (Some((kind, value)), None) = (written.next(), written.next()) else {
        if reader.findings.len() == before {
            reader.error(
                codes::WRONG_VALUE,
                node.span(),
                "a reply is of one kind",
                format!("expected one of: {}", kinds.join(", ")),
            );
        }
        return None;
    };
    let read = match kind {
        "text" => json!(reader.nonempty("expect.reply.text", value)?.text.trim_end()),
        "image" => picture(reader, kind, value)?,
        _ => card(reader, kind, value)?,
    };
    Some(ExpectedReply(json!({ kind: read })))
}

fn picture(reader: &mut Reader<'_>, what: &str, node: &Node<'_>) -> Option<Value> {
    serde_json::to_value(media::read(reader, what, node)?).ok()
}

fn card(reader: &mut Reader<'_>, kind: &str, node: &Node<'_>) -> Option<Value> {
    let parts = CARDS.iter().find(|(name, _)| *name == kind)?.1;
    let before = reader.findings.len();
    let table = reader.table(&format!("expect.reply.{kind}"), node, parts)?;
    let mut expected = Map::new();
    for part in parts {
        let Some(node) = table.get(part) else { continue };
        let value = match *part {
            "thumb" => picture(reader, part, node)?,
            _ => json!(reader.nonempty(&format!("{kind}.{part}"), node)?.text.trim_end()),
        };
        expected.insert((*part).to_owned(), value);
    }
    if expected.is_empty() {
        if reader.findings.len() == before {
            reader.error(
                codes::EMPTY,
                node.span(),
                format!("`{kind}` is empty"),
                "nothing to compare with",
            );
        }
        return None;
    }
    Some(Value::Object(expected))
}
