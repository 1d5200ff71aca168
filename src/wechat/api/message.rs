//! Customer-service messages (客服消息): send and typing.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::answer::Quote;
use super::{Api, ApiError, Body, Call};
use crate::message::{Media, Reply};

impl Api {
    /// `customerServiceMessage.send`. Every [`crate::message::Media`] in `reply` must already be a media_id.
    pub async fn send(&self, token: &SecretString, openid: &str, reply: &Reply) -> Result<(), ApiError> {
        let message = message(openid, reply, &self.0.app_id)?;
        self.post(token, "/cgi-bin/message/custom/send", &message).await
    }

    /// `setTyping`: shows "typing…" to the user for about 15 s.
    pub async fn typing(&self, token: &SecretString, openid: &str) -> Result<(), ApiError> {
        let command = json!({ "touser": openid, "command": "Typing" });
        self.post(token, "/cgi-bin/message/custom/typing", &command).await
    }

    async fn post(&self, token: &SecretString, path: &'static str, body: &Value) -> Result<(), ApiError> {
        let token = token.expose_secret();
        let call = Call {
            path,
            query: &[("access_token", token)],
            // Raw UTF-8, as WeChat demands: `\uxxxx` would be refused with 40033.
            body: Body::Json(body.to_string().into()),
            secret: token,
            quote: Quote::Excerpt,
        };
        self.call(call).await.map(drop)
    }
}

/// The request of `custom/send`. Beside `touser` and `msgtype` it has the one object that `msgtype` names, and no
/// other, not even as null.
fn message(openid: &str, reply: &Reply, own_app_id: &str) -> Result<Value, ApiError> {
    let content = match reply {
        Reply::Text(text) => json!({ "content": clean(text) }),
        Reply::Image(image) => json!({ "media_id": media_id(image)? }),
        Reply::Link(link) => json!({
            "title": clean(&link.title),
            "description": clean(&link.description),
            "url": clean(&link.url),
            "thumb_url": clean(&link.thumb_url),
        }),
        Reply::MiniProgramPage(page) => json!({
            "title": clean(&page.title),
            "appid": page.app_id.as_deref().unwrap_or(own_app_id),
            "pagepath": clean(&page.page_path),
            "thumb_media_id": media_id(&page.thumb)?,
        }),
        Reply::Webhook(_) => {
            return Err(ApiError::NotReady(
                "a webhook's question is no message".to_owned(),
            ));
        }
    };
    let kind = reply.msg_type();
    Ok(json!({ "touser": openid, "msgtype": kind, (kind): content }))
}

/// Control characters would become `\u00xx`, which WeChat refuses; line breaks and tabs have short escapes.
fn clean(text: &str) -> String {
    text.chars()
        .filter(|c| *c >= ' ' || matches!(c, '\n' | '\t'))
        .collect()
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
    use super::*;
    use crate::message::{Link, MiniProgramPage};

    fn sent(reply: &Reply) -> String {
        message("oTEST", reply, "wxOWN")
            .expect("all uploaded")
            .to_string()
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
            assert_eq!(message("oTEST", &reply, "wxOWN").expect("all uploaded"), expected);
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
        let error = message("oTEST", &reply, "wxOWN").expect_err("a file");
        assert!(
            matches!(&error, ApiError::NotReady(why) if why.contains("images/menu.png")),
            "{error:?}"
        );
    }
}
