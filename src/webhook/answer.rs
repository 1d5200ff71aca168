//! What comes back: JSON in the form that `reply` has in a rule. Texts are literal, pictures are media_ids.

use serde_json::{Map, Value};

use crate::message::{AppKind, Link, Media, MessageId, MiniProgramPage, Reply};

/// The longest answer that is read, in bytes.
pub const MAX_ANSWER: usize = 64 << 10;

/// The longest text in bytes that WeChat was seen to take; past it the whole reply would be refused (45002).
const MAX_TEXT: usize = 2048;

/// Reads an answer: none, one or several replies, or what is wrong with it.
pub(super) fn read(body: &[u8], kind: AppKind) -> Result<Vec<Reply>, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
    let list = match value {
        Value::Array(list) => list,
        one => vec![one],
    };
    if list.len() > MessageId::MAX_REPLIES {
        return Err(format!(
            "{} replies, and one message can have {}",
            list.len(),
            MessageId::MAX_REPLIES
        ));
    }
    let many = list.len() > 1;
    (1..)
        .zip(&list)
        .map(|(number, value)| {
            reply(value, kind).map_err(|error| match many {
                true => format!("reply {number}: {error}"),
                false => error,
            })
        })
        .collect()
}

fn reply(value: &Value, kind: AppKind) -> Result<Reply, String> {
    let table = match value {
        Value::String(text) => return self::text("text", text).map(Reply::Text),
        Value::Object(table) => table,
        _ => return Err("a reply is a text, or an object with one kind of reply".to_owned()),
    };
    let (name, value) = match (table.len(), table.iter().next()) {
        (1, Some(only)) => only,
        _ => return Err("a reply has one key, which names its kind".to_owned()),
    };
    match name.as_str() {
        "text" => text("text", string("text", value)?).map(Reply::Text),
        "image" => media("image", value).map(Reply::Image),
        "link" if kind != AppKind::MiniProgram => {
            Err("only an app of kind `mini-program` can send a `link`".to_owned())
        }
        "link" => {
            let part = Parts::of("link", value, &["title", "description", "url", "thumb_url"])?;
            Ok(Reply::Link(Link {
                title: part.text("title")?,
                description: part.text("description")?,
                url: part.address("url")?,
                thumb_url: part.address("thumb_url")?,
            }))
        }
        "mini_program_page" => {
            let keys = ["title", "page_path", "thumb", "app_id"];
            let part = Parts::of("mini_program_page", value, &keys)?;
            let app_id = part.table.contains_key("app_id").then(|| part.text("app_id"));
            Ok(Reply::MiniProgramPage(MiniProgramPage {
                title: part.text("title")?,
                page_path: part.text("page_path")?,
                thumb: media("mini_program_page.thumb", part.get("thumb")?)?,
                app_id: app_id.transpose()?,
            }))
        }
        other => Err(format!(
            "`{other}` is no kind of reply; there are text, image, link and mini_program_page"
        )),
    }
}

/// The known parts of one reply.
struct Parts<'a> {
    of: &'static str,
    table: &'a Map<String, Value>,
}

impl<'a> Parts<'a> {
    fn of(of: &'static str, value: &'a Value, known: &[&str]) -> Result<Self, String> {
        let table = value.as_object().ok_or_else(|| format!("`{of}` is no object"))?;
        match table.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(format!("`{of}` has no part `{key}`")),
            None => Ok(Self { of, table }),
        }
    }

    fn get(&self, name: &str) -> Result<&'a Value, String> {
        self.table
            .get(name)
            .ok_or_else(|| format!("`{}.{name}` is missing", self.of))
    }

    fn text(&self, name: &str) -> Result<String, String> {
        let what = format!("{}.{name}", self.of);
        text(&what, string(&what, self.get(name)?)?)
    }

    fn address(&self, name: &str) -> Result<String, String> {
        let text = self.text(name)?;
        if text.starts_with("https://") || text.starts_with("http://") {
            Ok(text)
        } else {
            Err(format!("`{}.{name}` is no web address", self.of))
        }
    }
}

fn string<'a>(what: &str, value: &'a Value) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("`{what}` is no string"))
}

fn text(what: &str, text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err(format!("`{what}` is empty"));
    }
    if text.len() > MAX_TEXT {
        return Err(format!(
            "`{what}` has {} bytes; WeChat refuses more than {MAX_TEXT}",
            text.len()
        ));
    }
    Ok(text.to_owned())
}

fn media(what: &'static str, value: &Value) -> Result<Media, String> {
    if !value.is_object() {
        return Err(format!(
            "`{what}` must be {{ \"media_id\": \"…\" }}: a webhook can't name files"
        ));
    }
    Parts::of(what, value, &["media_id"])?
        .text("media_id")
        .map(Media::MediaId)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mini(json: &str) -> Result<Vec<Reply>, String> {
        read(json.as_bytes(), AppKind::MiniProgram)
    }

    #[test]
    fn replies_have_the_form_that_they_have_in_rules() {
        let text = |text: &str| Reply::Text(text.to_owned());
        assert_eq!(mini("[]"), Ok(vec![]));
        assert_eq!(
            mini(r#""您好 {{ x }}""#),
            Ok(vec![text("您好 {{ x }}")]),
            "no template"
        );
        assert_eq!(
            mini(r#"["一", {"text": "二"}, {"image": {"media_id": "M"}}]"#),
            Ok(vec![
                text("一"),
                text("二"),
                Reply::Image(Media::MediaId("M".into()))
            ])
        );
        let link =
            r#"{"link": {"title": "t", "description": "d", "url": "https://a", "thumb_url": "http://b"}}"#;
        assert!(matches!(&mini(link).expect("a link")[..], [Reply::Link(link)] if link.url == "https://a"));
        let page = r#"{"mini_program_page": {"title": "t", "page_path": "p", "thumb": {"media_id": "M"}}}"#;
        assert!(
            matches!(&mini(page).expect("a page")[..], [Reply::MiniProgramPage(page)] if page.app_id.is_none())
        );
    }

    #[test]
    fn what_can_not_be_sent_is_refused_with_the_reason() {
        let error = |json: &str| mini(json).expect_err("refused");
        let long = format!("\"{}\"", "长".repeat(700));
        let many = format!("[{}\"x\"]", "\"x\",".repeat(15));
        for (json, reason) in [
            ("", "no JSON: EOF"),
            ("<html>", "no JSON: expected value"),
            ("null", "a reply is a text, or an object"),
            ("7", "a reply is a text, or an object"),
            ("{}", "a reply has one key"),
            (r#"{"text": "a", "image": {}}"#, "a reply has one key"),
            (r#"{"txt": "a"}"#, "`txt` is no kind of reply"),
            (r#"["a", " "]"#, "reply 2: `text` is empty"),
            (r#"{"text": 7}"#, "`text` is no string"),
            (&long, "`text` has 2100 bytes"),
            (&many, "16 replies, and one message can have 15"),
            (r#"{"image": "images/a.png"}"#, "a webhook can't name files"),
            (r#"{"image": {"id": "a"}}"#, "`image` has no part `id`"),
            (r#"{"link": {"title": "t"}}"#, "`link.description` is missing"),
            (
                r#"{"link": {"title": "t", "description": "d", "url": "a", "thumb_url": "b"}}"#,
                "`link.url` is no web address",
            ),
        ] {
            assert!(error(json).contains(reason), "{json}: {}", error(json));
        }
        let link =
            r#"{"link": {"title": "t", "description": "d", "url": "https://a", "thumb_url": "http://b"}}"#;
        let error = read(link.as_bytes(), AppKind::OfficialAccount).expect_err("refused");
        assert!(error.contains("only an app of kind `mini-program`"), "{error}");
    }
}
