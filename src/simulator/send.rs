//! The checks that WeChat makes on a `custom/send` body before it looks at the customer.

use serde_json::Value;

use super::chat::Bubble;
use super::errcode::Refused;
use crate::message::AppKind;

/// A text may have so many bytes.
const MAX_TEXT: usize = 2048;

/// A message that may be delivered, if the customer and the media are known.
#[derive(Debug, PartialEq)]
pub(super) struct Outgoing {
    pub(super) touser: String,
    pub(super) msg_type: String,
    pub(super) bubble: Bubble,
    /// The media_id that it needs.
    pub(super) media_id: Option<String>,
    pub(super) ai: bool,
    pub(super) body: Value,
}

/// Kinds that both kinds of account may send, and those of official accounts alone.
const BOTH: [&str; 3] = ["text", "image", "miniprogrampage"];
const MINI_PROGRAM: [&str; 1] = ["link"];
const OFFICIAL_ACCOUNT: [&str; 8] = [
    "voice",
    "video",
    "music",
    "news",
    "mpnews",
    "mpnewsarticle",
    "msgmenu",
    "wxcard",
];

/// Reads the JSON body of a `POST` to the API.
pub(super) fn read_json(body: &[u8]) -> Result<Value, Refused> {
    if body.is_empty() {
        return Err(Refused::new(44002, "empty post data"));
    }
    if has_escaped_text(body) {
        return Err(Refused::new(
            40033,
            "invalid charset. please check your request, if include \\uxxxx will create fail!",
        ));
    }
    serde_json::from_slice(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Refused::new(47001, "data format error"))
}

/// Whether JSON text has `\uXXXX` for a character that could stand as it is. WeChat refuses those; control
/// characters have no other form.
fn has_escaped_text(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|b| *b == b'\\') {
        let escape = &rest[at + 1..];
        if escape.first() == Some(&b'u') {
            let digits = escape.get(1..5).and_then(|d| std::str::from_utf8(d).ok());
            if digits
                .and_then(|d| u32::from_str_radix(d, 16).ok())
                .is_some_and(|c| c >= 0x20)
            {
                return true;
            }
        }
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

/// Checks a body, for an account of this kind.
pub(super) fn read_message(kind: AppKind, body: &[u8]) -> Result<Outgoing, Refused> {
    let body = read_json(body)?;
    let touser = body["touser"].as_str().unwrap_or_default().to_owned();
    if touser.is_empty() {
        return Err(Refused::new(40003, "invalid openid"));
    }
    let msg_type = body["msgtype"].as_str().unwrap_or_default().to_owned();
    let own = match kind {
        AppKind::MiniProgram => MINI_PROGRAM.as_slice(),
        AppKind::OfficialAccount => OFFICIAL_ACCOUNT.as_slice(),
    };
    if !BOTH.iter().chain(own).any(|known| *known == msg_type) {
        let known = MINI_PROGRAM
            .iter()
            .chain(&OFFICIAL_ACCOUNT)
            .any(|known| *known == msg_type);
        return Err(if known {
            Refused::new(45162, "message type is not valid for this account")
        } else {
            Refused::new(40008, "invalid message type")
        });
    }
    let foreign = |name: &str| name != msg_type && body.get(name).is_some();
    if BOTH
        .iter()
        .chain(&MINI_PROGRAM)
        .chain(&OFFICIAL_ACCOUNT)
        .any(|name| foreign(name))
    {
        return Err(Refused::new(45162, "more than one message type"));
    }
    let (bubble, media_id) = bubble(&msg_type, &body[&msg_type])?;
    Ok(Outgoing {
        touser,
        bubble,
        media_id,
        ai: body["aimsgcontext"]["is_ai_msg"] == 1,
        msg_type,
        body,
    })
}

fn bubble(msg_type: &str, part: &Value) -> Result<(Bubble, Option<String>), Refused> {
    let text = |name: &str| part[name].as_str().unwrap_or_default().to_owned();
    let due = |name: &str| match text(name) {
        empty if empty.is_empty() => Err(Refused::new(47001, format!("data format error: {name} missing"))),
        text => Ok(text),
    };
    let media = |name: &str| match text(name) {
        empty if empty.is_empty() => Err(Refused::new(41006, "media_id missing")),
        id => Ok(id),
    };
    Ok(match msg_type {
        "text" => match text("content") {
            empty if empty.is_empty() => return Err(Refused::new(44004, "empty content")),
            long if long.len() > MAX_TEXT => return Err(Refused::new(45002, "content size out of limit")),
            text => (Bubble::Text { text }, None),
        },
        "image" => {
            let media_id = media("media_id")?;
            (
                Bubble::Image {
                    media_id: media_id.clone(),
                },
                Some(media_id),
            )
        }
        "link" => {
            let link = Bubble::Link {
                title: due("title")?,
                description: text("description"),
                url: due("url")?,
            };
            (link, None)
        }
        "miniprogrampage" => {
            let thumb_media_id = media("thumb_media_id")?;
            let page = Bubble::Page {
                title: text("title"),
                page_path: due("pagepath")?,
                thumb_media_id: thumb_media_id.clone(),
            };
            (page, Some(thumb_media_id))
        }
        // Official accounts' other kinds are shown as what they are called.
        other if part.is_object() => (
            Bubble::Text {
                text: format!("[{other}]"),
            },
            None,
        ),
        _ => return Err(Refused::new(47001, "data format error")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(kind: AppKind, body: &str) -> i64 {
        read_message(kind, body.as_bytes())
            .err()
            .map_or(0, |refused| refused.errcode)
    }

    #[test]
    fn the_checks_of_a_mini_program() {
        let long = format!(
            r#"{{"touser":"o","msgtype":"text","text":{{"content":"{}"}}}}"#,
            "店".repeat(683)
        );
        for (expected, body) in [
            (
                0,
                r#"{"touser":"o","msgtype":"text","text":{"content":"您好\n<a href=\"https://e.com\">x</a>"}}"#,
            ),
            (
                0,
                r#"{"touser":"o","msgtype":"text","text":{"content":"\u0007 \\u4f60"}}"#,
            ),
            (0, r#"{"touser":"o","msgtype":"image","image":{"media_id":"M"}}"#),
            (
                0,
                r#"{"touser":"o","msgtype":"link","link":{"title":"t","description":"","url":"https://e.com","thumb_url":""}}"#,
            ),
            (
                0,
                r#"{"touser":"o","msgtype":"miniprogrampage","miniprogrampage":{"title":"t","pagepath":"p","thumb_media_id":"M"}}"#,
            ),
            (44002, ""),
            (47001, "{"),
            (47001, "[]"),
            (
                40033,
                r#"{"touser":"o","msgtype":"text","text":{"content":"\u4f60"}}"#,
            ),
            (40003, r#"{"msgtype":"text","text":{"content":"x"}}"#),
            (40008, r#"{"touser":"o","msgtype":"sticker","sticker":{}}"#),
            (45162, r#"{"touser":"o","msgtype":"news","news":{"articles":[]}}"#),
            (
                45162,
                r#"{"touser":"o","msgtype":"text","text":{"content":"x"},"image":null}"#,
            ),
            (44004, r#"{"touser":"o","msgtype":"text","text":{"content":""}}"#),
            (44004, r#"{"touser":"o","msgtype":"text"}"#),
            (45002, &long),
            (41006, r#"{"touser":"o","msgtype":"image","image":{}}"#),
            (47001, r#"{"touser":"o","msgtype":"link","link":{"title":"t"}}"#),
        ] {
            assert_eq!(code(AppKind::MiniProgram, body), expected, "{body}");
        }
    }

    #[test]
    fn each_kind_of_account_has_kinds_of_its_own() {
        let news = r#"{"touser":"o","msgtype":"news","news":{"articles":[]}}"#;
        assert_eq!(code(AppKind::OfficialAccount, news), 0);
        let link = r#"{"touser":"o","msgtype":"link","link":{"title":"t","url":"u"}}"#;
        assert_eq!(code(AppKind::OfficialAccount, link), 45162);
    }
}
