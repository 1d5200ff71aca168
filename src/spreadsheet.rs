//! Rows of the log as CSV for spreadsheets, which run what looks like a formula: customers write these rows.

use std::borrow::Cow;

use crate::message::{Direction, Entry};

/// Stands before all else: without it, spreadsheets garble Chinese.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The columns: the fields of an [`Entry`], in its order.
pub const COLUMNS: [&str; 17] = [
    "id",
    "time",
    "app",
    "direction",
    "openid",
    "msg_type",
    "event",
    "content",
    "fields",
    "rule",
    "rule_set",
    "status",
    "reply_to",
    "attempts",
    "errcode",
    "error",
    "author",
];

/// A row, in the order of [`COLUMNS`].
pub fn record(entry: &Entry) -> serde_json::Result<[String; 17]> {
    let text = |text: Option<&str>| harmless(text.unwrap_or_default()).into_owned();
    Ok([
        entry.id.to_string(),
        entry.time.to_string(),
        text(Some(entry.app.as_str())),
        match entry.direction {
            Direction::In => "in".to_owned(),
            Direction::Out => "out".to_owned(),
        },
        text(Some(entry.openid.as_str())),
        text(Some(&entry.msg_type)),
        text(entry.event.as_deref()),
        text(entry.content.as_deref()),
        text(Some(&serde_json::to_string(&entry.fields)?)),
        text(entry.rule.as_ref().map(|rule| rule.as_str())),
        text(entry.rule_set.as_ref().map(|version| version.as_str())),
        entry.status.clone(),
        entry.reply_to.map(|id| id.to_string()).unwrap_or_default(),
        entry.attempts.to_string(),
        entry.errcode.map(|code| code.to_string()).unwrap_or_default(),
        text(entry.error.as_deref()),
        text(entry.author.as_deref()),
    ])
}

/// A text that no spreadsheet takes for a formula, as it would `=HYPERLINK(…)`.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Fields, MessageId};

    fn entry(content: &str) -> Entry {
        Entry {
            id: MessageId::new(1_732_250_000, 7),
            time: "2026-01-05T02:00:00Z".parse().expect("a time"),
            app: "shop".into(),
            direction: Direction::Out,
            openid: "oAlice".into(),
            msg_type: "text".to_owned(),
            event: None,
            content: Some(content.to_owned()),
            fields: Fields::new(),
            rule: Some("价格".into()),
            rule_set: None,
            status: "failed".to_owned(),
            reply_to: None,
            attempts: 0,
            errcode: Some(-1),
            error: None,
            author: Some("anna".to_owned()),
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+86", "-1", "@x", "\t=1", "＝1", "＋1", "－1", "＠x"] {
            let record = record(&entry(text)).expect("writable");
            assert_eq!(record[7], format!("'{text}"));
            assert_eq!(record[14], "-1", "a number is one");
        }
        assert_eq!(harmless("a=1"), "a=1");
    }

    #[test]
    fn the_columns_are_the_fields_of_an_entry() {
        let row = serde_json::to_string(&entry("x")).expect("serializable");
        let mut from = 0;
        for column in COLUMNS {
            let at = row[from..].find(&format!("\"{column}\":"));
            from += at.unwrap_or_else(|| panic!("{column} is not there, or not in its place"));
        }
        let value = serde_json::to_value(entry("x")).expect("a value");
        assert_eq!(value.as_object().map(serde_json::Map::len), Some(COLUMNS.len()));
        let record = record(&entry("x")).expect("writable");
        assert_eq!((record[11].as_str(), record[16].as_str()), ("failed", "anna"));
    }
}
