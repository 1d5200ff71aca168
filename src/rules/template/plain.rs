//! What a customer wrote goes into a reply as text, never as markup: WeChat draws `<a href="…">`, and a reply must
//! not carry a link that the customer made up.

use std::borrow::Cow;
use std::fmt;

use minijinja::{Error, Output, State, Value};

/// Writes a value: what the operator wrote (marked safe) as it is, all else as plain text.
pub(super) fn format(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(());
    }
    let text = value
        .as_str()
        .map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed);
    let written = if value.is_safe() {
        out.write_str(&text)
    } else {
        write(&text, out)
    };
    written.map_err(Error::from)
}

/// Writes a text with every `<` that could begin a tag (before a letter, `/` or `!`, or at the end, where another value
/// may follow) in full width, and without control characters other than the line break.
pub(super) fn write(text: &str, out: &mut impl fmt::Write) -> fmt::Result {
    let harmless = |c: char| c != '<' && (c == '\n' || !c.is_control());
    if text.chars().all(harmless) {
        return out.write_str(text);
    }
    let mut chars = text.chars().filter(|c| *c == '\n' || !c.is_control()).peekable();
    while let Some(c) = chars.next() {
        let opens_tag = c == '<'
            && chars
                .peek()
                .is_none_or(|next| next.is_ascii_alphabetic() || ['/', '!'].contains(next));
        out.write_char(if opens_tag { '＜' } else { c })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tag_can_form() {
        for (text, expected) in [
            ("<a href='http://x'>领奖</a>", "＜a href='http://x'>领奖＜/a>"),
            ("<\0a>", "＜a>"),
            ("<", "＜"),
            ("<<a", "<＜a"),
            ("<!--", "＜!--"),
            ("1 < 2, 3<4, <好>", "1 < 2, 3<4, <好>"),
            ("a\r\nb\u{7}\u{1b}[31m", "a\nb[31m"),
        ] {
            let mut out = String::new();
            write(text, &mut out).expect("into memory");
            assert_eq!(out, expected, "{text:?}");
        }
    }
}
