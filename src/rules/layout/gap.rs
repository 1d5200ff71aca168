//! What stands between two things that mean something: comments and blank lines.

use toml_edit::RawString;

/// A line that means nothing to the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// At most one in a row.
    Blank,
    /// With its `#`, without white space around it.
    Comment(String),
}

/// The gap between two things, of which the first may have a comment behind it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gap {
    /// The comment at the end of the line that was begun before the gap.
    pub(super) behind: Option<String>,
    /// The lines of its own.
    pub(super) lines: Vec<Line>,
    /// Whether a line ends in it.
    pub(super) breaks: bool,
}

impl Gap {
    /// Reads the gap that begins in the middle of a line, and ends in the middle of one.
    pub(super) fn within(text: &str) -> Self {
        let Some((first, rest)) = text.split_once('\n') else {
            return Self {
                behind: comment(text),
                ..Self::default()
            };
        };
        Self {
            behind: comment(first),
            lines: lines(rest),
            breaks: true,
        }
    }

    /// Whether somebody wrote something into it.
    pub(super) fn speaks(&self) -> bool {
        self.behind.is_some() || self.lines.iter().any(|line| *line != Line::Blank)
    }
}

/// The text of a decoration.
pub(super) fn raw(text: Option<&RawString>) -> &str {
    text.and_then(RawString::as_str).unwrap_or_default()
}

/// The comment on the rest of a line, if there is one.
pub(super) fn comment(text: &str) -> Option<String> {
    let text = text.trim();
    text.starts_with('#').then(|| text.to_owned())
}

/// The whole lines of a text that begins at the beginning of a line; what stands on the last one belongs to what
/// follows, unless it is a comment.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut rest = text.split('\n').peekable();
    while let Some(line) = rest.next() {
        match comment(line) {
            Some(comment) => lines.push(Line::Comment(comment)),
            None if rest.peek().is_some() && lines.last() != Some(&Line::Blank) => lines.push(Line::Blank),
            None => {}
        }
    }
    lines
}

/// Drops the blank line at the beginning.
pub(super) fn without_first_blank(lines: &mut Vec<Line>) {
    if lines.first() == Some(&Line::Blank) {
        lines.remove(0);
    }
}

/// Drops the blank line at the end.
pub(super) fn without_last_blank(lines: &mut Vec<Line>) {
    if lines.last() == Some(&Line::Blank) {
        lines.pop();
    }
}
