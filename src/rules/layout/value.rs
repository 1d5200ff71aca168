//! Values: how a string is quoted, and what fits on one line.

use toml_edit::{Array, Formatted, InlineTable, Key, Value};

use super::gap::{Gap, raw};

/// Columns of a line; a Chinese character takes two.
pub(super) const WIDTH: usize = 100;

/// How many columns a text takes on a screen.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// Han, kana, hangul, their punctuation, full-width forms, and emoji.
fn is_wide(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{303e}' | '\u{3041}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff01}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}' | '\u{1f680}'..='\u{1f6ff}' | '\u{1f900}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}')
}

/// A value without parts, as it is written.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Integer(value) => value.display_repr().into_owned(),
        Value::Float(value) => value.display_repr().into_owned(),
        Value::Boolean(value) => value.display_repr().into_owned(),
        Value::Datetime(value) => value.display_repr().into_owned(),
        Value::Array(_) | Value::InlineTable(_) => String::new(),
    }
}

/// `"…"`, unless `'…'` saves backslashes. Long texts between three quotes stay as they are.
fn string(text: &Formatted<String>) -> String {
    let written = text.display_repr().into_owned();
    let value = text.value();
    let literal_needs_no_escape = !value.chars().any(|c| c == '\'' || c.is_control() && c != '\t');
    if written.starts_with("\"\"\"") || written.starts_with("'''") {
        written
    } else if written.starts_with('\'') && !value.contains(['\\', '"']) {
        format!("\"{value}\"")
    } else if written.starts_with('"') && only_doubling(&written) && literal_needs_no_escape {
        format!("'{value}'")
    } else {
        written
    }
}

/// Whether a string has escapes, and all of them are `\\` or `\"`.
fn only_doubling(written: &str) -> bool {
    let mut chars = written.chars();
    let mut any = false;
    while let Some(c) = chars.next() {
        if c == '\\' {
            any = true;
            if !matches!(chars.next(), Some('\\' | '"')) {
                return false;
            }
        }
    }
    any
}

/// A key, dotted or not.
pub(super) fn key(keys: &[&Key]) -> String {
    let parts: Vec<_> = keys
        .iter()
        .map(|key| Key::new(key.get()).display_repr().into_owned())
        .collect();
    parts.join(".")
}

/// A value on one line; none when it can't be: it holds a comment, or a text of several lines.
pub(super) fn flat(value: &Value) -> Option<String> {
    match value {
        Value::Array(array) => {
            if gaps(array).iter().any(Gap::speaks) {
                return None;
            }
            let items: Option<Vec<_>> = array.iter().map(flat).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Value::InlineTable(table) => {
            if table_gaps(table).iter().any(Gap::speaks) {
                return None;
            }
            let values = table.get_values();
            let pairs: Option<Vec<_>> = values
                .iter()
                .map(|(keys, value)| Some(format!("{} = {}", key(keys), flat(value)?)))
                .collect();
            let pairs = pairs?;
            Some(if pairs.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{ {} }}", pairs.join(", "))
            })
        }
        scalar => Some(self::scalar(scalar)).filter(|text| !text.contains('\n')),
    }
}

/// The gaps of a list: before its first item, after each item.
pub(super) fn gaps(array: &Array) -> Vec<Gap> {
    let around = array
        .iter()
        .map(|value| (raw(value.decor().prefix()), raw(value.decor().suffix())));
    collect(around, raw(Some(array.trailing())))
}

/// The gaps of a table between braces.
pub(super) fn table_gaps(table: &InlineTable) -> Vec<Gap> {
    let values = table.get_values();
    let around = values.iter().map(|(keys, value)| {
        let prefix = keys.last().and_then(|key| key.leaf_decor().prefix());
        (raw(prefix), raw(value.decor().suffix()))
    });
    collect(around, raw(Some(table.trailing())))
}

/// The comma belongs to neither side: a comment before it is one behind the item, as if it stood after it.
fn collect<'a>(around: impl Iterator<Item = (&'a str, &'a str)>, last: &str) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut open = "";
    for (before, after) in around {
        gaps.push(Gap::within(&format!("{open}{before}")));
        open = after;
    }
    gaps.push(Gap::within(&format!("{open}{last}")));
    gaps
}
