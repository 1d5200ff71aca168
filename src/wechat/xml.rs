//! The XML of pushes into [`Fields`], and text into the XML of answers.
//!
//! What is written as WeChat writes nearly all pushes is read by [`flat`]. The rest goes by quick-xml's events with a stack of our
//! own: no recursion, no entity but XML's five and character references, no document type declaration, and bounds on depth and on
//! the number of elements.

mod flat;

use std::borrow::Cow;

use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesCData, BytesRef, BytesText, Event};
use quick_xml::reader::Reader;

use super::push::{MAX_FIELDS, holds_any};
use crate::message::{Fields, Value};

/// WeChat nests four deep; a body that nests deeper than this is no push.
const MAX_DEPTH: usize = 32;

const DOCTYPE: &str = "a document type declaration";

/// The children of the root element. Attributes and comments are ignored, and so is text beside elements. A leaf
/// keeps its text as it is, except for blanks around a CDATA section.
pub(super) fn fields(xml: &[u8]) -> Result<Fields, String> {
    match flat::fields(xml) {
        Some(fields) => Ok(fields),
        None => fields_by_events(xml),
    }
}

fn fields_by_events(xml: &[u8]) -> Result<Fields, String> {
    let mut reader = Reader::from_reader(xml);
    let ends = LineEnds::of(xml);
    let mut open: Vec<Element<'_>> = Vec::with_capacity(4);
    let mut root = None;
    let mut elements = 0;
    loop {
        match reader.read_event() {
            Ok(Event::Start(_)) => {
                elements += 1;
                if elements > MAX_FIELDS || open.len() == MAX_DEPTH {
                    return Err(format!(
                        "more than {MAX_FIELDS} elements, or deeper than {MAX_DEPTH}"
                    ));
                }
                open.push(Element::default());
            }
            Ok(Event::End(end)) => {
                if let Some(element) = open.pop() {
                    element.close(end.name().into_inner(), open.last_mut(), &mut root)?;
                }
            }
            Ok(Event::Empty(start)) => {
                elements += 1;
                if elements > MAX_FIELDS {
                    return Err(format!("more than {MAX_FIELDS} elements"));
                }
                Element::default().close(start.name().into_inner(), open.last_mut(), &mut root)?;
            }
            Ok(Event::Text(text)) => match open.last_mut() {
                Some(element) => element.text.add(ends.text(text)),
                None if text.trim().is_empty() => {}
                None => return Err("text outside of the root element".to_owned()),
            },
            Ok(Event::CData(text)) => match open.last_mut() {
                Some(element) => element.text.add_cdata(ends.cdata(text)),
                None => return Err("text outside of the root element".to_owned()),
            },
            Ok(Event::GeneralRef(entity)) => match open.last_mut() {
                Some(element) => element.text.add_reference(&entity)?,
                None => return Err("text outside of the root element".to_owned()),
            },
            Ok(Event::DocType(_)) => return Err(DOCTYPE.to_owned()),
            Ok(Event::Decl(_) | Event::PI(_) | Event::Comment(_)) => {}
            Ok(Event::Eof) => break,
            Err(error) => return Err(error.to_string()),
        }
    }
    match root {
        _ if !open.is_empty() => Err("an element is not closed".to_owned()),
        Some(fields) => Ok(fields),
        None => Err("no element".to_owned()),
    }
}

/// The text of `Encrypt` below the root element; what stands behind it is not looked at. It is not to be trusted
/// before its signature is checked, which covers this text alone.
pub(super) fn encrypt(xml: &[u8]) -> Result<Option<Cow<'_, str>>, String> {
    match flat::encrypt(xml) {
        Some(text) => Ok(Some(text.into())),
        None => encrypt_by_events(xml),
    }
}

fn encrypt_by_events(xml: &[u8]) -> Result<Option<Cow<'_, str>>, String> {
    let mut reader = Reader::from_reader(xml);
    let mut depth = 0;
    let mut found: Option<Text<'_>> = None;
    loop {
        match (
            reader.read_event().map_err(|error| error.to_string())?,
            &mut found,
        ) {
            (Event::Start(start), _) => {
                depth += 1;
                if depth == 2 && start.name().into_inner() == "Encrypt" {
                    found = Some(Text::default());
                }
            }
            (Event::End(_), Some(text)) if depth == 2 => return Ok(Some(std::mem::take(text).text)),
            (Event::End(_), _) => depth -= 1, // quick-xml refuses an end without a start
            (Event::Text(chunk), Some(text)) => text.add(chunk.xml10_content()),
            (Event::CData(chunk), Some(text)) => text.add_cdata(chunk.xml10_content()),
            (Event::GeneralRef(entity), Some(text)) => text.add_reference(&entity)?,
            (Event::DocType(_), _) => return Err(DOCTYPE.to_owned()),
            (Event::Eof, _) => return Ok(None),
            _ => {}
        }
    }
}

/// Appends `<name>text</name>` with the text in CDATA. Characters that XML 1.0 forbids are left out, and `]]>` is
/// split over two sections.
pub(super) fn write_cdata(out: &mut String, name: &str, text: &str) {
    let legal = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    let text: String = text.chars().filter(legal).collect();
    let text = text.replace("]]>", "]]]]><![CDATA[>");
    for part in ["<", name, "><![CDATA[", &text, "]]></", name, ">"] {
        out.push_str(part);
    }
}

/// Whether a text has line ends that are not `\n` alone. Most have none: then no piece of it need be looked through.
#[derive(Clone, Copy)]
struct LineEnds {
    foreign: bool,
}

impl LineEnds {
    fn of(xml: &[u8]) -> Self {
        Self {
            foreign: holds_any(xml, [b'\r']),
        }
    }

    fn text<'a>(self, text: BytesText<'a>) -> Cow<'a, str> {
        if self.foreign {
            text.xml10_content()
        } else {
            text.into_inner()
        }
    }

    fn cdata<'a>(self, text: BytesCData<'a>) -> Cow<'a, str> {
        if self.foreign {
            text.xml10_content()
        } else {
            text.into_inner()
        }
    }
}

/// An element that is not closed yet. Its name stands at its end too, and is read there.
#[derive(Default)]
struct Element<'a> {
    text: Text<'a>,
    children: Option<Fields>,
}

impl<'a> Element<'a> {
    /// Hands what it holds to its parent, or to the document if it is the root.
    fn close(
        self,
        name: &str,
        parent: Option<&mut Element<'a>>,
        root: &mut Option<Fields>,
    ) -> Result<(), String> {
        match parent {
            Some(parent) => {
                let value = match self.children {
                    Some(fields) => Value::Table(fields),
                    None => Value::Text(self.text.text.into_owned()),
                };
                parent
                    .children
                    .get_or_insert_with(Fields::with_room)
                    .push(name, value);
            }
            None if root.is_some() => return Err("a second root element".to_owned()),
            None => *root = Some(self.children.unwrap_or_default()),
        }
        Ok(())
    }
}

/// The text of an element, gathered from its pieces; borrowed as long as there is but one.
#[derive(Default)]
struct Text<'a> {
    text: Cow<'a, str>,
    /// Blanks behind a CDATA section: part of the text only if more text follows.
    gap: Cow<'a, str>,
    cdata: bool,
}

impl<'a> Text<'a> {
    fn add(&mut self, piece: Cow<'a, str>) {
        if self.cdata && piece.trim().is_empty() {
            self.gap = piece;
        } else {
            self.append(piece);
        }
    }

    fn add_cdata(&mut self, piece: Cow<'a, str>) {
        if !self.cdata && self.text.trim().is_empty() {
            self.text = Cow::default();
        }
        self.cdata = true;
        self.append(piece);
    }

    fn add_reference(&mut self, entity: &BytesRef<'a>) -> Result<(), String> {
        match entity.resolve_char_ref().map_err(|error| error.to_string())? {
            Some(c) => self.append(c.to_string().into()),
            None => match resolve_xml_entity(entity) {
                Some(text) => self.append(text.into()),
                None => return Err(format!("an unknown entity, &{};", &**entity)),
            },
        }
        Ok(())
    }

    fn append(&mut self, piece: Cow<'a, str>) {
        if self.text.is_empty() && self.gap.is_empty() {
            // Nearly always: then nothing is copied.
            self.text = piece;
        } else {
            self.text += std::mem::take(&mut self.gap);
            self.text += piece;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is read of a document, quickly or not.
    fn fields(xml: &[u8]) -> Result<Fields, String> {
        let read = super::fields(xml);
        if flat::fields(xml).is_some() {
            assert_eq!(read, fields_by_events(xml), "{}", String::from_utf8_lossy(xml));
        }
        read
    }

    fn encrypt(xml: &[u8]) -> Result<Option<Cow<'_, str>>, String> {
        let read = super::encrypt(xml);
        if flat::encrypt(xml).is_some() {
            assert_eq!(read, encrypt_by_events(xml), "{}", String::from_utf8_lossy(xml));
        }
        read
    }

    fn json(xml: &str) -> String {
        let fields = fields(xml.as_bytes()).expect(xml);
        serde_json::to_string(&fields).expect("serializable")
    }

    #[test]
    fn elements_nest_and_repeat() {
        assert_eq!(
            json("<xml><a>1</a><L><i><x>1</x></i><i><x>2</x></i></L><e/><f></f><a>2</a></xml>"),
            r#"{"a":["1","2"],"L":{"i":[{"x":"1"},{"x":"2"}]},"e":"","f":""}"#
        );
        assert_eq!(json("<xml/>"), "{}");
        assert_eq!(
            json("<xml><a x='1' >1</a >\n<b\n/></xml\t>"),
            r#"{"a":"1","b":""}"#
        );
        assert_eq!(
            json("<?xml version=\"1.0\"?>\n<!-- hi --><xml a=\"1\">\n <a>1</a>\n</xml>\n"),
            r#"{"a":"1"}"#
        );
    }

    #[test]
    fn text_is_gathered_from_all_its_pieces() {
        for (inner, text) in [
            ("plain", "plain"),
            (" in  side ", " in  side "),
            ("   ", "   "),
            ("<![CDATA[ kept ]]>", " kept "),
            ("\n  <![CDATA[x]]>\n", "x"),
            ("<![CDATA[a]]> <![CDATA[b]]>", "a b"),
            ("<![CDATA[a]]]]><![CDATA[>b]]>", "a]]>b"),
            ("a<![CDATA[b]]>c", "abc"),
            (
                "1 &lt; 2 &amp;&amp; &quot;&#x4f60;&#22909;&quot; &gt; &apos;",
                "1 < 2 && \"你好\" > '",
            ),
            ("&lt; &gt;", "< >"),
            ("<!-- no -->yes<?no?>", "yes"),
            ("a\r\nb\rc", "a\nb\nc"),
            ("<![CDATA[]]>", ""),
        ] {
            let xml = format!("<xml><a>{inner}</a></xml>");
            let fields = fields(xml.as_bytes()).expect(inner);
            assert_eq!(fields.text("a"), Some(text), "{inner}");
        }
    }

    #[test]
    fn an_ordinary_push_is_read_quickly_and_another_one_is_not() {
        for xml in [
            "<xml></xml>",
            "<xml><a>1</a><b><![CDATA[x & <y> ]] ]>]]></b><c></c><a>2</a></xml>",
            "<xml>\n <a_1>1</a_1>\n\t<b><![CDATA[]]></b>\n</xml> \n",
        ] {
            let read = flat::fields(xml.as_bytes());
            assert_eq!(read, Some(fields_by_events(xml.as_bytes()).expect(xml)), "{xml}");
        }
        for xml in [
            "<xml><a>1</a>",
            "<xml><a>1</a></xml>x",
            "<xml><a>1</a>x</xml>",
            "<xml><a>1</A></xml>",
            "<xml><a>1</a ></xml>",
            "<xml><a x='1'>1</a></xml>",
            "<xml><a>1&amp;</a></xml>",
            "<xml><a>1\r\n2</a></xml>",
            "<xml><a><b>1</b></a></xml>",
            "<xml><a> <![CDATA[1]]></a></xml>",
            "<xml><a><![CDATA[1]]>2</a></xml>",
            "<xml><a><![CDATA[1</a></xml>",
            "<xml><1>1</1></xml>",
            "<xml><>1</></xml>",
            "<xml><!-- a --></xml>",
            " <xml></xml>",
        ] {
            assert_eq!(flat::fields(xml.as_bytes()), None, "{xml}");
        }
        assert_eq!(
            flat::encrypt(b"<xml><a>1</a><Encrypt><![CDATA[x]]></Encrypt><broken"),
            Some("x")
        );
        assert_eq!(flat::encrypt(b"<xml><a><Encrypt>x</Encrypt></a></xml>"), None);
    }

    #[test]
    fn text_between_elements_is_no_value() {
        // One of WeChat's own samples has zero-width blanks between its elements.
        assert_eq!(json("<xml>\u{200b}<a>1</a>\u{200b}\n</xml>"), r#"{"a":"1"}"#);
    }

    #[test]
    fn what_is_no_push_is_refused() {
        for xml in [
            "",
            "   ",
            "<xml>",
            "<xml><a></xml>",
            "<xml></a></xml>",
            "</xml>",
            "<xml/><xml/>",
            "<xml/>tail",
            "head<xml/>",
            "<xml/><![CDATA[x]]>",
            "<xml/>&amp;",
            "<xml><a>&nbsp;</a></xml>",
            "<xml><a>&#xD800;</a></xml>",
            "<xml><a>&#0;</a></xml>",
            "<xml><a>a & b</a></xml>",
            "<xml><![CDATA[</xml>",
            "<!DOCTYPE xml><xml/>",
            "<!DOCTYPE xml [<!ENTITY a \"b\">]><xml><c>&a;</c></xml>",
            "<!doctype xml SYSTEM 'file:///etc/passwd'><xml/>",
        ] {
            assert!(fields(xml.as_bytes()).is_err(), "{xml}");
        }
        assert!(fields(b"<xml><a>\xff</a></xml>").is_err(), "not UTF-8");
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let nested = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        assert!(fields(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(fields(nested(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(fields(nested(100_000).as_bytes()).is_err());
        assert!(encrypt(nested(100_000).as_bytes()).is_ok());
        let wide = |n: usize| format!("<xml>{}</xml>", "<a/>".repeat(n));
        assert!(fields(wide(MAX_FIELDS - 1).as_bytes()).is_ok());
        assert!(fields(wide(MAX_FIELDS).as_bytes()).is_err());
    }

    #[test]
    fn only_the_envelopes_own_encrypt_is_found() {
        for (xml, found) in [
            ("<xml><Encrypt><![CDATA[abc]]></Encrypt></xml>", Some("abc")),
            ("<xml><Encrypt>abc</Encrypt><broken", Some("abc")),
            ("<xml><Encrypt/></xml>", None),
            ("<xml><Encrypt></Encrypt></xml>", Some("")),
            (
                "<xml><C><![CDATA[<Encrypt>no</Encrypt>]]></C><Encrypt>yes</Encrypt></xml>",
                Some("yes"),
            ),
            ("<xml><a><Encrypt>no</Encrypt></a></xml>", None),
            ("<Encrypt>no</Encrypt>", None),
            ("<xml><encrypt>no</encrypt></xml>", None),
            ("<xml><Encrypt>no", None),
        ] {
            assert_eq!(encrypt(xml.as_bytes()), Ok(found.map(Cow::Borrowed)), "{xml}");
        }
        assert!(encrypt(b"<!DOCTYPE xml><xml><Encrypt>x</Encrypt></xml>").is_err());
    }

    #[test]
    fn forbidden_characters_are_left_out_of_cdata() {
        let mut out = String::new();
        write_cdata(&mut out, "a", "x\u{0}\u{8}\u{1f}y\u{fffe}\u{ffff}]\u{1}]>\t\n😀");
        assert_eq!(out, "<a><![CDATA[xy]]]]><![CDATA[>\t\n😀]]></a>");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in "[^\\p{Cc}\u{fffe}\u{ffff}]*") {
            let mut xml = "<xml>".to_owned();
            write_cdata(&mut xml, "a", &text);
            xml += "</xml>";
            let fields = fields(xml.as_bytes()).expect("well-formed");
            prop_assert_eq!(fields.text("a"), Some(text.as_str()));
        }

        #[test]
        fn what_is_written_flat_is_read_the_same_both_ways(
            elements in proptest::collection::vec(("[a-cA-C][a-c0-9_]{0,2}", "[^<&\r]{0,6}", "[^\r]{0,6}", 0..3u8), 0..6),
            gap in "[ \n\t\u{b}\u{c}]{0,2}",
        ) {
            let element = |(name, plain, any, kind): &(String, String, String, u8)| match kind {
                0 => format!("{gap}<{name}>{plain}</{name}>"),
                1 => format!("{gap}<{name}><![CDATA[{any}]]></{name}>"),
                _ => format!("{gap}<{name}>{any}</{name}>"),
            };
            let elements: String = elements.iter().map(element).collect();
            let _ = fields(format!("<xml>{elements}{gap}</xml>{gap}").as_bytes());
            let _ = encrypt(format!("<xml>{elements}<Encrypt>x</Encrypt>").as_bytes());
        }

        #[test]
        fn reading_never_panics(bytes: Vec<u8>) {
            let _ = fields(&bytes);
            let _ = encrypt(&bytes);
        }

        #[test]
        fn reading_what_looks_like_xml_never_panics(xml in "(<|>|/|!|\\[CDATA\\[|\\]\\]>|&|;|#|[a-c ?\"-]|<a>|</a>|<xml>|</xml>|<Encrypt>|</Encrypt>|é){0,40}") {
            let _ = fields(xml.as_bytes());
            let _ = encrypt(xml.as_bytes());
        }
    }
}
