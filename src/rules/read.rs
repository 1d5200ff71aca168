//! Reading the TOML tree: every value that does not fit becomes a finding, and reading goes on.
//!
//! The tree of [`toml::de::DeValue`] with its spans *is* the file form of a rule: what was written, where. A derived
//! `Deserialize` would stop at the first mistake of each rule; walking the tree finds all of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::lists::Lists;
use super::{Scope, codes, duration};
use crate::diagnostic::{Diagnostic, Source, Span};
use crate::text::normal_form;

/// One value of the file, and where it stands.
pub(super) type Node<'t> = Spanned<DeValue<'t>>;

/// Reads one file.
pub(super) struct Reader<'a> {
    /// The file.
    pub(super) source: &'a Source,
    /// What rules may refer to.
    pub(super) scope: &'a Scope,
    /// The lists of all files.
    pub(super) lists: &'a Lists,
    /// What was found so far.
    pub(super) findings: &'a mut Vec<Diagnostic>,
}

/// The known keys of a table.
pub(super) struct Table<'t>(BTreeMap<&'t str, (Span, &'t Node<'t>)>);

impl<'t> Table<'t> {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'t Node<'t>> {
        self.0.get(key).map(|(_, node)| *node)
    }

    /// Where the key itself stands.
    pub(super) fn key_span(&self, key: &str) -> Option<Span> {
        self.0.get(key).map(|(span, _)| span.clone())
    }

    /// How many of its keys are known ones.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A text and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) span: Span,
}

impl Reader<'_> {
    /// Notes an error.
    pub(super) fn error(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> &mut Diagnostic {
        self.note(Diagnostic::error(code, message).at(self.source, span, label))
    }

    /// Notes a warning.
    pub(super) fn warning(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> &mut Diagnostic {
        self.note(Diagnostic::warning(code, message).at(self.source, span, label))
    }

    /// Notes a finding.
    pub(super) fn note(&mut self, finding: Diagnostic) -> &mut Diagnostic {
        let at = self.findings.len();
        self.findings.push(finding);
        &mut self.findings[at]
    }

    /// The known keys of a table; others are errors, and `hint` may know what was meant.
    pub(super) fn keys<'t>(
        &mut self,
        table: &'t DeTable<'t>,
        known: &[&'static str],
        hint: impl Fn(&str) -> Option<String>,
    ) -> Table<'t> {
        let mut keys = BTreeMap::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                keys.insert(name, (key.span(), value));
            } else {
                let help = hint(name)
                    .or_else(|| {
                        nearest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"))
                    })
                    .unwrap_or_else(|| format!("known here: {}", known.join(", ")));
                self.error(
                    codes::UNKNOWN_KEY,
                    key.span(),
                    format!("unknown key `{name}`"),
                    "no such key",
                )
                .help = Some(help);
            }
        }
        Table(keys)
    }

    /// A table and its known keys.
    pub(super) fn table<'t>(
        &mut self,
        what: &str,
        node: &'t Node<'t>,
        known: &[&'static str],
    ) -> Option<Table<'t>> {
        match node.get_ref() {
            DeValue::Table(table) => Some(self.keys(table, known, |_| None)),
            _ => self.wrong_type(what, node, "a table"),
        }
    }

    /// Says that a value is of the wrong type.
    pub(super) fn wrong_type<T>(&mut self, what: &str, node: &Node<'_>, wanted: &str) -> Option<T> {
        let found = type_name(node.get_ref());
        self.error(
            codes::WRONG_TYPE,
            node.span(),
            format!("`{what}` must be {wanted}, but this is {found}"),
            format!("expected {wanted}"),
        );
        None
    }

    /// A text, empty or not.
    pub(super) fn text(&mut self, what: &str, node: &Node<'_>) -> Option<Text> {
        match node.get_ref() {
            DeValue::String(text) => Some(Text {
                text: text.to_string(),
                span: node.span(),
            }),
            _ => self.wrong_type(what, node, "a string"),
        }
    }

    /// A text that says something.
    pub(super) fn nonempty(&mut self, what: &str, node: &Node<'_>) -> Option<Text> {
        let text = self.text(what, node)?;
        if text.text.trim().is_empty() {
            self.error(
                codes::EMPTY,
                node.span(),
                format!("`{what}` is empty"),
                "nothing stands here",
            );
            return None;
        }
        Some(text)
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(&mut self, what: &str, node: &Node<'_>, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(what, node)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.text) {
            return Some(*value);
        }
        let words: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        self.error(
            codes::WRONG_VALUE,
            node.span(),
            format!("`{what}` can't be {:?}", text.text),
            format!("expected {}", words.join(" or ")),
        );
        None
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, what: &str, node: &Node<'_>) -> Option<bool> {
        match node.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => self.wrong_type(what, node, "true or false"),
        }
    }

    /// A whole number.
    pub(super) fn integer(&mut self, what: &str, node: &Node<'_>) -> Option<i64> {
        let DeValue::Integer(value) = node.get_ref() else {
            return self.wrong_type(what, node, "a whole number");
        };
        let number = i64::from_str_radix(value.as_str(), value.radix()).ok();
        if number.is_none() {
            self.error(
                codes::WRONG_VALUE,
                node.span(),
                format!("`{what}` is out of range"),
                "too large",
            );
        }
        number
    }

    /// A length of time, at most `limit`.
    pub(super) fn duration(&mut self, what: &str, node: &Node<'_>, limit: Duration) -> Option<Duration> {
        let text = self.text(what, node)?;
        match duration::parse(&text.text) {
            Some(value) if value <= limit => Some(value),
            Some(_) => {
                let limit = duration::words(limit);
                self.error(
                    codes::BAD_DURATION,
                    text.span,
                    format!("`{what}` is longer than {limit}"),
                    format!("at most \"{limit}\""),
                );
                None
            }
            None => {
                self.error(
                    codes::BAD_DURATION,
                    text.span,
                    format!("`{what}` is no length of time"),
                    "can't be read",
                )
                .help = Some(duration::FORM.to_owned());
                None
            }
        }
    }

    /// One value or a list of them; an empty list is an error.
    pub(super) fn one_or_many<'t>(&mut self, what: &str, node: &'t Node<'t>) -> Vec<&'t Node<'t>> {
        match node.get_ref() {
            DeValue::Array(list) if list.is_empty() => {
                self.error(
                    codes::EMPTY,
                    node.span(),
                    format!("`{what}` is an empty list"),
                    "nothing stands here",
                )
                .help = Some(format!("leave `{what}` out, or write something into it"));
                Vec::new()
            }
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![node],
        }
    }

    /// One text or a list of them, none of them empty.
    pub(super) fn texts(&mut self, what: &str, node: &Node<'_>) -> Vec<Text> {
        self.one_or_many(what, node)
            .into_iter()
            .filter_map(|node| self.nonempty(what, node))
            .collect()
    }

    /// Texts to compare with a message; `"@name"` stands for a list.
    pub(super) fn words(&mut self, what: &str, node: &Node<'_>) -> Vec<String> {
        let mut words = Vec::new();
        for node in self.one_or_many(what, node) {
            let Some(word) = self.text(what, node) else {
                continue;
            };
            match word.text.strip_prefix('@') {
                Some(list) => self.expand(list, &word, &mut words),
                None if self.keyword_says_something(&word) => words.push(word.text),
                None => {}
            }
        }
        words
    }

    fn expand(&mut self, list: &str, word: &Text, words: &mut Vec<String>) {
        if let Some(found) = self.lists.get(list) {
            words.extend_from_slice(found);
        } else if !self.lists.incomplete() {
            let help = match nearest(list, self.lists.names()) {
                Some(near) => format!("did you mean \"@{near}\"?"),
                None => format!("write `{list} = [\"…\"]` under `[lists]` in any rule file"),
            };
            self.error(
                codes::UNKNOWN_LIST,
                word.span.clone(),
                format!("there is no list `{list}`"),
                "no such list",
            )
            .help = Some(help);
        }
    }

    /// Whether anything is left of a keyword in its normal form; an empty one would be in every message.
    pub(super) fn keyword_says_something(&mut self, word: &Text) -> bool {
        let says = !normal_form(&word.text).is_empty();
        if !says {
            self.error(
                codes::EMPTY_KEYWORD,
                word.span.clone(),
                "nothing is left of this keyword to look for",
                "empty once white space is dropped",
            )
            .help = Some("for a rule that takes every message, leave the text conditions out".to_owned());
        }
        says
    }

    /// Where a stretch of a decoded string stands in the file; the whole string when that can't be told.
    pub(super) fn inside(&self, string: &Span, decoded: Range<usize>) -> Span {
        let Some(raw) = self.source.text.get(string.clone()) else {
            return string.clone();
        };
        let offsets = decoded_offsets(raw);
        let find = |at: usize| {
            offsets
                .binary_search_by_key(&at, |(d, _)| *d)
                .ok()
                .map(|i| offsets[i].1)
        };
        match (find(decoded.start), find(decoded.end)) {
            (Some(start), Some(end)) => string.start + start..string.start + end.max(start),
            _ => string.clone(),
        }
    }
}

/// For each character of a TOML string, and for its end: the byte offset in the decoded text, and in the raw one.
fn decoded_offsets(raw: &str) -> Vec<(usize, usize)> {
    let quote = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quote| raw.starts_with(quote) && raw.len() >= 2 * quote.len());
    let Some(quote) = quote else {
        return Vec::new();
    };
    let (escapes, end) = (quote.starts_with('"'), raw.len() - quote.len());
    let mut at = quote.len();
    if quote.len() == 3 {
        at += ["\r\n", "\n"]
            .into_iter()
            .find(|newline| raw[at..].starts_with(newline))
            .map_or(0, str::len);
    }
    let mut offsets = Vec::new();
    let mut decoded = 0;
    while at < end {
        let rest = &raw[at..end];
        let Some(c) = rest.chars().next() else { break };
        if !(escapes && c == '\\') {
            offsets.push((decoded, at));
            decoded += c.len_utf8();
            at += c.len_utf8();
            continue;
        }
        let digits = match rest.as_bytes().get(1) {
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            Some(b) if b.is_ascii_whitespace() => {
                // A backslash at the end of a line swallows all white space that follows.
                at = end - rest[1..].trim_start().len();
                continue;
            }
            _ => 0,
        };
        offsets.push((decoded, at));
        let code = rest
            .get(2..2 + digits)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok());
        decoded += code
            .and_then(char::from_u32)
            .filter(|_| digits > 0)
            .map_or(1, char::len_utf8);
        at += 2 + digits;
    }
    offsets.push((decoded, end));
    offsets
}

/// The known word that `word` was probably meant to be.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let limit = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_decoded_string_is_found_in_the_file() {
        for raw in [
            r#""a几\t\\点b""#,
            r"'a几	\点b'",
            "\"\"\"\na几\\t\\\\点b\"\"\"",
            "'''\r\na几\t\\点b'''",
            "\"\"\"a几\\t\\\\\\\n   点b\"\"\"",
            r#""a\u51e0\t\\\U000070b9b""#,
        ] {
            let parsed = DeValue::parse(raw).expect("valid");
            let decoded = parsed.get_ref().as_str().expect("a string");
            assert_eq!(decoded, "a几\t\\点b", "{raw}");
            let offsets = decoded_offsets(raw);
            let starts: Vec<usize> = offsets.iter().map(|(d, _)| *d).collect();
            let expected: Vec<usize> = decoded
                .char_indices()
                .map(|(i, _)| i)
                .chain([decoded.len()])
                .collect();
            assert_eq!(starts, expected, "{raw}");
            let b = offsets[offsets.len() - 2].1;
            assert_eq!(&raw[b..=b], "b", "{raw}");
        }
    }

    #[test]
    fn the_nearest_word_is_near() {
        assert_eq!(nearest("keyword", ["exact", "keywords"]), Some("keywords"));
        assert_eq!(nearest("priorty", ["priority"]), Some("priority"));
        assert_eq!(nearest("banana", ["priority", "name"]), None);
        assert_eq!(nearest("营业时问", ["营业时间"]), Some("营业时间"));
    }
}
