//! How output looks: findings, counts, text that customers wrote.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use crate::diagnostic::{Diagnostic, render};

/// Whether colour is wanted on this stream: a terminal, and no `NO_COLOR` (https://no-color.org).
pub(super) fn color(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Findings for a person, on standard error.
pub(super) fn to_stderr(findings: &[Diagnostic]) {
    let stderr = std::io::stderr();
    let color = color(&stderr);
    let mut stderr = stderr.lock();
    for finding in findings {
        // There is nobody left to tell when this fails.
        let _ = writeln!(stderr, "{}\n", render(finding, color).trim_end());
    }
}

/// `1 error`, `2 errors`
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Text that somebody else wrote, on one line and without anything that a terminal would obey.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    // The marks that turn the direction of text around could make a line say something else.
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let replace = |c: char| match c {
        '\n' => '⏎',
        '\t' | '\r' => ' ',
        c if obeyed(c) => '·',
        c => c,
    };
    Cow::Owned(text.chars().map(replace).collect())
}

/// The text, cut to `width` characters.
pub(super) fn short(text: &str, width: usize) -> Cow<'_, str> {
    match text.char_indices().nth(width) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_do_not_steer_the_terminal() {
        assert_eq!(plain("你好\u{1b}[2J\r\nworld"), "你好·[2J ⏎world");
        assert_eq!(plain("abc\u{202e}cba"), "abc·cba");
        assert_eq!(plain("nothing special 😀"), "nothing special 😀");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(short("营业时间", 4), "营业时间");
        assert_eq!(short("营业时间", 3), "营业时…");
    }
}
