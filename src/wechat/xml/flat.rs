//! XML as WeChat writes it, read quickly: one level of elements, each a name and one piece of text or CDATA.
//!
//! What is written in any other way is not read here (`None`), but by quick-xml, which reads the same out of what is: a test
//! compares the two. To quick-xml an ordinary message is two dozen events, a quarter of all that receiving it takes.

use std::str::from_utf8;

use memchr::{memchr, memchr2};

use super::super::push::{MAX_FIELDS, holds_any};
use crate::message::{Fields, Value};

/// What comes next in a document.
pub(super) enum Next<'a> {
    /// An element's name and text.
    Element(&'a str, &'a str),
    /// The end.
    End,
}

/// The elements of a document, below its root.
pub(super) struct Elements<'a> {
    rest: &'a str,
}

impl<'a> Elements<'a> {
    pub(super) fn of(xml: &'a [u8]) -> Option<Self> {
        // Line ends that XML reads as `\n`.
        if holds_any(xml, [b'\r']) {
            return None;
        }
        let rest = from_utf8(xml).ok()?.strip_prefix("<xml>")?;
        Some(Self { rest })
    }

    pub(super) fn read(&mut self) -> Option<Next<'a>> {
        let rest = self.rest.trim_ascii_start().strip_prefix('<')?;
        if let Some(tail) = rest.strip_prefix("/xml>") {
            return tail.trim_ascii_start().is_empty().then_some(Next::End);
        }
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let named = rest
            .bytes()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == b'_');
        let (name, rest) = rest.split_at(named.count());
        let rest = rest.strip_prefix('>')?;
        let (text, rest) = match rest.strip_prefix("<![CDATA[") {
            Some(rest) => cdata(rest)?,
            None => {
                let end = memchr2(b'<', b'&', rest.as_bytes())?;
                rest.split_at(end)
            }
        };
        self.rest = rest.strip_prefix("</")?.strip_prefix(name)?.strip_prefix('>')?;
        Some(Next::Element(name, text))
    }
}

/// What stands before `]]>`, and behind it.
fn cdata(text: &str) -> Option<(&str, &str)> {
    let mut end = 0;
    loop {
        end += memchr(b']', text.get(end..)?.as_bytes())?;
        match text.get(end..)?.strip_prefix("]]>") {
            Some(rest) => return Some((text.get(..end)?, rest)),
            None => end += 1,
        }
    }
}

/// All elements of a document.
pub(super) fn fields(xml: &[u8]) -> Option<Fields> {
    let mut elements = Elements::of(xml)?;
    let mut fields = Fields::with_room();
    for _ in 0..MAX_FIELDS {
        match elements.read()? {
            Next::Element(name, text) => fields.push(name, Value::Text(text.to_owned())),
            Next::End => return Some(fields),
        }
    }
    None
}

/// The text of `Encrypt`.
pub(super) fn encrypt(xml: &[u8]) -> Option<&str> {
    let mut elements = Elements::of(xml)?;
    loop {
        match elements.read()? {
            Next::Element("Encrypt", text) => return Some(text),
            Next::Element(..) => {}
            Next::End => return None,
        }
    }
}
