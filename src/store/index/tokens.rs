//! What a row is found by: each pair of characters of its text, and marks for what filters ask.
//!
//! Chinese is written without spaces, so any two characters may begin what somebody looks for. A row's pairs, as tokens
//! of a full-text table, find every text of two characters and more; that the pairs of a longer one stand one after
//! another is for the row itself to tell. The text's last character is a token too, so that any single one begins some.

use std::fmt::Write;

use crate::message::{AppName, Direction, RuleName};

/// So much of a text is taken in: beyond are bodies that are no message.
const MAX_CHARS: usize = 8192;

/// So many pairs of a text that is looked for narrow it down enough.
const MAX_PAIRS: usize = 12;

/// Begins a mark; no text has it as a letter.
const MARK: char = '§';

/// Whether a character takes part in pairs. Punctuation and white space do not: people leave them out when they search.
fn counts(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\u{2600}'..='\u{27bf}' | '\u{1f000}'..='\u{1faff}')
}

/// What is known of a row besides its text.
pub(in crate::store) struct Marks<'a> {
    pub(in crate::store) app: &'a str,
    pub(in crate::store) direction: Direction,
    pub(in crate::store) msg_type: &'a str,
    pub(in crate::store) rule: Option<&'a str>,
    /// Of a push: the status of a reply may change.
    pub(in crate::store) status: Option<&'a str>,
}

/// All tokens of a row, a space after each. `normal` is the normal form of its text.
pub(in crate::store) fn of_row(marks: &Marks<'_>, normal: &str, out: &mut String) {
    mark(out, "a", marks.app);
    mark(out, "d", direction(marks.direction));
    if marks.direction == Direction::In && marks.msg_type == "text" {
        mark(out, "t", "text");
    }
    if let Some(rule) = marks.rule {
        mark(out, "r", rule);
    }
    if let Some(status) = marks.status {
        mark(out, "s", status);
    }
    of_text(normal, out);
}

/// The tokens of a text alone.
pub(in crate::store) fn of_text(normal: &str, out: &mut String) {
    let mut before = None;
    for c in normal.chars().take(MAX_CHARS).filter(|c| counts(*c)) {
        if let Some(before) = before.replace(c) {
            out.extend([before, c, ' ']);
        }
    }
    out.extend(before.into_iter().flat_map(|last| [last, ' ']));
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
    }
}

/// Names may share a mark (`a-b` and `a.b`); the rows themselves tell them apart.
fn mark(out: &mut String, kind: &str, name: &str) {
    out.push(MARK);
    out.push_str(kind);
    let kept = |c: char| {
        if c.is_ascii() && !c.is_ascii_alphanumeric() {
            MARK
        } else {
            c
        }
    };
    out.extend(name.chars().map(kept));
    out.push(' ');
}

/// What to ask the full-text tables for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Wanted {
    terms: Vec<String>,
    /// Every token that begins with this character is wanted: all of them are read before the first row is found.
    prefix: Option<char>,
}

impl Wanted {
    /// The rows that have this text, in normal form.
    pub(in crate::store) fn text(mut self, normal: &str) -> Self {
        let chars: Vec<char> = normal
            .chars()
            .filter(|c| counts(*c))
            .take(MAX_PAIRS + 1)
            .collect();
        match chars[..] {
            [] => {}
            [one] => self.prefix = Some(one),
            _ => self
                .terms
                .extend(chars.windows(2).map(|pair| pair.iter().collect::<String>())),
        }
        self
    }

    pub(in crate::store) fn app(self, app: &AppName) -> Self {
        self.mark("a", app.as_str())
    }

    pub(in crate::store) fn direction(self, way: Direction) -> Self {
        self.mark("d", direction(way))
    }

    pub(in crate::store) fn rule(self, rule: &RuleName) -> Self {
        self.mark("r", rule.as_str())
    }

    /// One of the statuses of a push.
    pub(in crate::store) fn status(self, status: &str) -> Self {
        self.mark("s", status)
    }

    /// Only what customers typed.
    pub(in crate::store) fn typed(self) -> Self {
        self.mark("t", "text")
    }

    fn mark(mut self, kind: &str, name: &str) -> Self {
        let mut term = String::new();
        mark(&mut term, kind, name);
        term.pop();
        self.terms.push(term);
        self
    }

    /// Whether nothing narrows it down.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.terms.is_empty() && self.prefix.is_none()
    }

    /// Whether a single character is looked for.
    pub(in crate::store) fn is_prefix(&self) -> bool {
        self.prefix.is_some()
    }

    /// The expression for `match`. No token has a quote in it.
    pub(in crate::store) fn expression(&self) -> String {
        let mut all = String::new();
        for term in &self.terms {
            let and = if all.is_empty() { "" } else { " AND " };
            let _ = write!(all, "{and}\"{term}\""); // to a text, which can't fail
        }
        if let Some(prefix) = self.prefix {
            let and = if all.is_empty() { "" } else { " AND " };
            let _ = write!(all, "{and}\"{prefix}\" *");
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::normal_form;

    fn tokens(text: &str) -> String {
        let mut out = String::new();
        of_text(&normal_form(text), &mut out);
        out
    }

    #[test]
    fn texts_become_pairs() {
        assert_eq!(tokens("營業时间？"), "营业 业时 时间 间 ");
        assert_eq!(tokens("你好，ＷiFi 密码"), "你好 好w wi if fi i密 密码 码 ");
        assert_eq!(tokens("👍"), "👍 ");
        assert_eq!(tokens("…？ 100%"), "10 00 0 ");
        assert_eq!(tokens("？\""), "");
    }

    #[test]
    fn what_is_looked_for_is_among_the_tokens() {
        let wanted = |text: &str| Wanted::default().text(&normal_form(text)).expression();
        assert_eq!(wanted("時間"), "\"时间\"");
        assert_eq!(wanted("ABC"), "\"ab\" AND \"bc\"");
        assert_eq!(wanted("間"), "\"间\" *");
        assert_eq!(wanted("%\" OR *"), "\"or\"");
        assert!(Wanted::default().text("%").is_empty());
        let narrowed = Wanted::default()
            .text("a")
            .app(&"a-b\"".into())
            .status("unmatched");
        assert_eq!(
            narrowed.expression(),
            "\"§aa§b§\" AND \"§sunmatched\" AND \"a\" *"
        );
    }

    #[test]
    fn a_row_has_a_mark_for_each_filter() {
        let mut out = String::new();
        let marks = Marks {
            app: "shop",
            direction: Direction::In,
            msg_type: "text",
            rule: Some("营业 时间"),
            status: Some("matched"),
        };
        of_row(&marks, "在", &mut out);
        assert_eq!(out, "§ashop §din §ttext §r营业§时间 §smatched 在 ");
    }
}
