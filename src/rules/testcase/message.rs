//! `message`: a text, or the fields of a push.

use toml::de::{DeTable, DeValue};

use crate::message::{Fields, Value};
use crate::rules::codes;
use crate::rules::read::{Node, Reader};

/// Fields as WeChat spells them, for those who spell them otherwise. Any other field may stand in a message too.
const SPELLING: &[&str] = &[
    "MsgType",
    "Event",
    "EventKey",
    "Content",
    "SessionFrom",
    "PicUrl",
    "MediaId",
    "Title",
    "AppId",
    "PagePath",
    "ThumbUrl",
    "ThumbMediaId",
    "MsgId",
    "FromUserName",
    "CreateTime",
];

/// Reads a message; its fields in their order, `MsgType` first.
pub(super) fn read(reader: &mut Reader<'_>, what: &str, node: &Node<'_>) -> Option<Fields> {
    let table = match node.get_ref() {
        DeValue::String(_) => {
            let text = reader.nonempty(what, node)?.text;
            return Some(
                [("MsgType", "text"), ("Content", text.as_str())]
                    .into_iter()
                    .collect(),
            );
        }
        DeValue::Table(table) => table,
        _ => return reader.wrong_type(what, node, "a text, or a table with the fields of a push"),
    };
    let before = reader.findings.len();
    let mut fields = Fields::new();
    if !table.iter().any(|(key, _)| key.get_ref() == "MsgType") {
        let has = |name: &str| table.iter().any(|(key, _)| key.get_ref() == name);
        let implied = match (has("Event"), has("Content")) {
            (true, _) => "event",
            (false, true) => "text",
            (false, false) => "",
        };
        fields.push("MsgType", Value::from(implied));
    }
    for (key, value) in in_order(table) {
        let name = key.get_ref().as_ref();
        if let Some(instead) = belongs_elsewhere(name) {
            let message = format!("`{name}` is not written into a message");
            let finding = reader.error(codes::TEST_CONFLICT, key.span(), message, "the test says that");
            finding.help = Some(instead.to_owned());
        } else if let Some(right) = SPELLING
            .iter()
            .find(|right| right.eq_ignore_ascii_case(name) && **right != name)
        {
            let message = format!("WeChat has no field `{name}`");
            let finding = reader.error(codes::UNKNOWN_KEY, key.span(), message, "spelt otherwise");
            finding.help = Some(format!("did you mean `{right}`?"));
        } else {
            fields.push(name, field(value));
        }
    }
    if reader.findings.len() == before && fields.text("MsgType").is_none_or(|kind| kind.trim().is_empty()) {
        let finding = reader.error(
            codes::MISSING_KEY,
            node.span(),
            "this message has no `MsgType`",
            "what kind of message is it?",
        );
        finding.help =
            Some("write `MsgType = \"image\"`, or the `Event` or `Content` that it has".to_owned());
    }
    (reader.findings.len() == before).then_some(fields)
}

/// `MsgType` first, as WeChat has it.
fn in_order<'t>(
    table: &'t DeTable<'t>,
) -> impl Iterator<Item = (&'t toml::Spanned<toml::de::DeString<'t>>, &'t Node<'t>)> {
    let is_type = |key: &toml::Spanned<toml::de::DeString<'_>>| key.get_ref() == "MsgType";
    let first = table.iter().filter(move |(key, _)| is_type(key));
    first.chain(table.iter().filter(move |(key, _)| !is_type(key)))
}

fn belongs_elsewhere(name: &str) -> Option<&'static str> {
    match name {
        "FromUserName" => Some("write `openid = \"…\"` beside `message`"),
        "CreateTime" => Some("write `at = …` beside `message`"),
        _ => None,
    }
}

/// Scalars are texts, as in a push.
fn field(node: &Node<'_>) -> Value {
    match node.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Text(number.to_string()),
        DeValue::Float(number) => Value::Text(number.to_string()),
        DeValue::Boolean(flag) => Value::Text(flag.to_string()),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(list) => Value::List(list.iter().map(field).collect()),
        DeValue::Table(table) => {
            let mut fields = Fields::new();
            for (key, value) in table {
                fields.push(key.get_ref().as_ref(), field(value));
            }
            Value::Table(fields)
        }
    }
}
