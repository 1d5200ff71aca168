//! Customer-service messages (客服消息): send and typing.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;

use super::answer::Quote;
use super::{Api, ApiError, Body, Call};
use crate::message::{Media, Reply};

impl Api {
    /// `customerServiceMessage.send`. Every [`crate::message::Media`] in `reply` must already be a media_id.
    pub async fn send(&self, token: &SecretString, openid: &str, reply: &Reply) -> Result<(), ApiError> {
        let message = Message {
            openid,
            kind: reply.msg_type(),
            content: content(reply, &self.0.app_id)?,
        };
        self.post(token, "/cgi-bin/message/custom/send", &message).await
    }

    /// `setTyping`: shows "typing…" to the user for about 15 s.
    pub async fn typing(&self, token: &SecretString, openid: &str) -> Result<(), ApiError> {
        let command = json!({ "touser": openid, "command": "Typing" });
        self.post(token, "/cgi-bin/message/custom/typing", &command).await
    }

    async fn post(
        &self,
        token: &SecretString,
        path: &'static str,
        body: &impl Serialize,
    ) -> Result<(), ApiError> {
        let token = token.expose_secret();
        // Raw UTF-8, as WeChat demands: `\uxxxx` would be refused with 40033.
        let body = serde_json::to_vec(body).map_err(|error| ApiError::NotReady(error.to_string()))?;
        let call = Call {
            path,
            query: &[("access_token", token)],
            body: Body::Json(body.into()),
            secret: token,
            quote: Quote::Excerpt,
        };
        self.call(call).await.map(drop)
    }
}

/// The request of `custom/send`. Beside `touser` and `msgtype` it has the one object that `msgtype` names, and no
/// other, not even as null.
struct Message<'a> {
    openid: &'a str,
    kind: &'static str,
    content: Content<'a>,
}

#[derive(serde::Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text {
        content: Cow<'a, str>,
    },
    Image {
        media_id: &'a str,
    },
    Link {
        title: Cow<'a, str>,
        description: Cow<'a, str>,
        url: Cow<'a, str>,
        thumb_url: Cow<'a, str>,
    },
    MiniProgramPage {
        title: Cow<'a, str>,
        appid: &'a str,
        pagepath: Cow<'a, str>,
        thumb_media_id: &'a str,
    },
}

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("touser", self.openid)?;
        map.serialize_entry("msgtype", self.kind)?;
        map.serialize_entry(self.kind, &self.content)?;
        map.end()
    }
}

fn content<'a>(reply: &'a Reply, own_app_id: &'a str) -> Result<Content<'a>, ApiError> {
    Ok(match reply {
        Reply::Text(text) => Content::Text { content: clean(text) },
        Reply::Image(image) => Content::Image {
            media_id: media_id(image)?,
        },
        Reply::Link(link) => Content::Link {
            title: clean(&link.title),
            description: clean(&link.description),
            url: clean(&link.url),
            thumb_url: clean(&link.thumb_url),
        },
        Reply::MiniProgramPage(page) => Content::MiniProgramPage {
            title: clean(&page.title),
            appid: page.app_id.as_deref().unwrap_or(own_app_id),
            pagepath: clean(&page.page_path),
            thumb_media_id: media_id(&page.thumb)?,
        },
        Reply::Webhook(_) => {
            return Err(ApiError::NotReady(
                "a webhook's question is no message".to_owned(),
            ));
        }
    })
}

/// Control characters would become `\u00xx`, which WeChat refuses; line breaks and tabs have short escapes.
fn clean(text: &str) -> Cow<'_, str> {
    let fits = |c: &char| *c >= ' ' || matches!(c, '\n' | '\t');
    match text.chars().all(|c| fits(&c)) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.chars().filter(fits).collect()),
    }
}

fn media_id(media: &Media) -> Result<&str, ApiError> {
    match media {
        Media::MediaId(id) => Ok(id),
        Media::File(path) => Err(ApiError::NotReady(format!(
            "the picture {} was not uploaded before it was sent",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::message::{Link, MiniProgramPage};

    fn sent(reply: &Reply) -> String {
        let message = Message {
            openid: "oTEST",
            kind: reply.msg_type(),
            content: content(reply, "wxOWN").expect("all uploaded"),
        };
        serde_json::to_string(&message).expect("JSON")
    }

    #[test]
    fn every_kind_reads_as_wechat_documents_it() {
        let media = Media::MediaId("M1".into());
        let page = |app_id: Option<&str>| {
            Reply::MiniProgramPage(MiniProgramPage {
                title: "订单".into(),
                page_path: "pages/order/index?id=7".into(),
                thumb: media.clone(),
                app_id: app_id.map(str::to_owned),
            })
        };
        let link = Reply::Link(Link {
            title: "退款说明".into(),
            description: "三步完成".into(),
            url: "https://example.com/refund".into(),
            thumb_url: "https://example.com/t.png".into(),
        });
        for (reply, expected) in [
            (
                Reply::Text("您好".into()),
                json!({"touser":"oTEST","msgtype":"text","text":{"content":"您好"}}),
            ),
            (
                Reply::Image(media.clone()),
                json!({"touser":"oTEST","msgtype":"image","image":{"media_id":"M1"}}),
            ),
            (
                link,
                json!({"touser":"oTEST","msgtype":"link","link":{"title":"退款说明","description":"三步完成","url":"https://example.com/refund","thumb_url":"https://example.com/t.png"}}),
            ),
            (
                page(None),
                json!({"touser":"oTEST","msgtype":"miniprogrampage","miniprogrampage":{"title":"订单","appid":"wxOWN","pagepath":"pages/order/index?id=7","thumb_media_id":"M1"}}),
            ),
            (
                page(Some("wxOTHER")),
                json!({"touser":"oTEST","msgtype":"miniprogrampage","miniprogrampage":{"title":"订单","appid":"wxOTHER","pagepath":"pages/order/index?id=7","thumb_media_id":"M1"}}),
            ),
        ] {
            let sent: Value = serde_json::from_str(&sent(&reply)).expect("JSON");
            assert_eq!(sent, expected);
        }
    }

    #[test]
    fn text_goes_out_as_raw_utf_8() {
        let text = "你好 😀\n<a href=\"https://e.com/?a=1&b=2\">点我</a>\t\u{0}\u{8}\u{1b}\r\u{1f}";
        let json = sent(&Reply::Text(text.into()));
        assert!(
            json.contains("你好 😀\\n<a href=\\\"https://e.com/?a=1&b=2\\\">点我</a>\\t\""),
            "{json}"
        );
        assert!(!json.contains("\\u"), "{json}");
    }

    #[test]
    fn a_picture_that_was_not_uploaded_is_an_error_not_a_panic() {
        let reply = Reply::Image(Media::File("images/menu.png".into()));
        let error = content(&reply, "wxOWN").err().expect("a file");
        assert!(
            matches!(&error, ApiError::NotReady(why) if why.contains("images/menu.png")),
            "{error:?}"
        );
    }
}
