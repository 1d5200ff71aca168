//! Pushes as WeChat makes them: XML or JSON, plain, compat or safe, signed for the moment they leave.

use std::borrow::Cow;

use jiff::Timestamp;
use rand::{Rng, RngExt};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::account::Account;
use crate::message::{Fields, Format, Mode, OpenId, Value};
use crate::wechat::{AesKey, AesKeyError, msg_signature, seal, signature};

/// What one push says. It stays the same however often it is pushed; only the signature around it is made afresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushBody {
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Fields(Fields),
    Raw(Vec<u8>),
}

/// A push, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPush {
    /// What stands after `?` in the callback's URL.
    pub query: String,
    /// `text/xml` or `application/json`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// A new `MsgId`: 17 digits, beyond 2^53 as WeChat's are, and greater the later it is made.
#[must_use]
pub fn msg_id(now: Timestamp, random: &mut impl Rng) -> u64 {
    u64::try_from(now.as_microsecond()).unwrap_or_default() * 16 + random.random_range(0..16)
}

impl PushBody {
    /// A text message.
    #[must_use]
    pub fn text(account: &Account, from: &OpenId, content: &str, msg_id: u64, at: Timestamp) -> Self {
        Self::message(account, from, "text", &[("Content", content)], msg_id, at)
    }

    /// A picture; `media_id` can be fetched with `media/get`.
    #[must_use]
    pub fn image(
        account: &Account,
        from: &OpenId,
        pic_url: &str,
        media_id: &str,
        msg_id: u64,
        at: Timestamp,
    ) -> Self {
        let fields = [("PicUrl", pic_url), ("MediaId", media_id)];
        Self::message(account, from, "image", &fields, msg_id, at)
    }

    /// A card of the account's own mini program.
    #[must_use]
    pub fn mini_program_page(
        account: &Account,
        from: &OpenId,
        title: &str,
        page_path: &str,
        msg_id: u64,
        at: Timestamp,
    ) -> Self {
        let fields = [
            ("Title", title),
            ("AppId", &account.app_id),
            ("PagePath", page_path),
            ("ThumbUrl", ""),
            ("ThumbMediaId", ""),
        ];
        Self::message(account, from, "miniprogrampage", &fields, msg_id, at)
    }

    /// An event with fields of its own (`SessionFrom`, `EventKey`, …). Events carry no `MsgId`.
    #[must_use]
    pub fn event(account: &Account, from: &OpenId, event: &str, fields: Fields, at: Timestamp) -> Self {
        let mut all = head(account, from, "event", at);
        all.push("Event", event.into());
        for (name, value) in fields.iter() {
            all.push(name, value.clone());
        }
        Self {
            content: Content::Fields(all),
        }
    }

    /// Any bytes: pushed as they are, sealed if the mode asks for it.
    #[must_use]
    pub fn raw(bytes: Vec<u8>) -> Self {
        Self {
            content: Content::Raw(bytes),
        }
    }

    fn message(
        account: &Account,
        from: &OpenId,
        msg_type: &str,
        fields: &[(&str, &str)],
        msg_id: u64,
        at: Timestamp,
    ) -> Self {
        let mut all = head(account, from, msg_type, at);
        for (name, value) in fields {
            all.push(*name, (*value).into());
        }
        all.push("MsgId", msg_id.to_string().into());
        Self {
            content: Content::Fields(all),
        }
    }

    /// The sender, if the body names one.
    #[must_use]
    pub fn openid(&self) -> Option<OpenId> {
        self.fields()?.text("FromUserName").map(OpenId::from)
    }

    /// The fields; none of a raw body that can't be read.
    pub(super) fn fields(&self) -> Option<Cow<'_, Fields>> {
        match &self.content {
            Content::Fields(fields) => Some(Cow::Borrowed(fields)),
            Content::Raw(bytes) => super::answer::read_fields(bytes).ok().map(Cow::Owned),
        }
    }

    /// The clear text, and its format: the account's, unless the body is raw and shows another.
    #[must_use]
    pub fn clear(&self, format: Format) -> (Vec<u8>, Format) {
        match &self.content {
            Content::Fields(fields) => (render(fields, format), format),
            Content::Raw(bytes) => {
                let format = match bytes.trim_ascii_start().first() {
                    Some(b'{') => Format::Json,
                    _ => Format::Xml,
                };
                (bytes.clone(), format)
            }
        }
    }
}

fn head(account: &Account, from: &OpenId, msg_type: &str, at: Timestamp) -> Fields {
    [
        ("ToUserName", account.original_id()),
        ("FromUserName", from.as_str().to_owned()),
        ("CreateTime", at.as_second().to_string()),
        ("MsgType", msg_type.to_owned()),
    ]
    .into_iter()
    .collect()
}

/// Signs a push for `now`, and seals it in compat and safe mode. Fails when the mode needs a key and the account's
/// `encoding_aes_key` is none.
pub fn signed_push(
    account: &Account,
    body: &PushBody,
    now: Timestamp,
    random: &mut impl Rng,
) -> Result<SignedPush, AesKeyError> {
    let (clear, format) = body.clear(account.format);
    let (mut query, timestamp, nonce) = signed_query(account, now, random);
    if let Some(openid) = body.openid() {
        query.append_pair("openid", openid.as_str());
    }
    let body = if account.mode == Mode::Plain {
        clear
    } else {
        let key = AesKey::decode(&account.encoding_aes_key)?;
        let encrypt = seal(&key, &account.app_id, &clear, random.random());
        query.append_pair("encrypt_type", "aes");
        let msg_signature = msg_signature(&account.token, &timestamp, &nonce, &encrypt);
        query.append_pair("msg_signature", &msg_signature);
        let both = (account.mode == Mode::Compat).then(|| with_encrypt(&clear, format, &encrypt));
        both.flatten().unwrap_or_else(|| {
            let to = account.original_id();
            render(
                &[("ToUserName", to), ("Encrypt", encrypt)].into_iter().collect(),
                format,
            )
        })
    };
    Ok(SignedPush {
        query: query.finish(),
        content_type: match format {
            Format::Xml => "text/xml",
            Format::Json => "application/json",
        },
        body,
    })
}

/// The query of the check that WeChat makes when a callback is saved in its backend.
pub(super) fn url_check(account: &Account, echostr: &str, now: Timestamp, random: &mut impl Rng) -> String {
    let (mut query, ..) = signed_query(account, now, random);
    query.append_pair("echostr", echostr).finish()
}

/// A query with its plain `signature`, and the timestamp and nonce that it holds.
fn signed_query(
    account: &Account,
    now: Timestamp,
    random: &mut impl Rng,
) -> (form_urlencoded::Serializer<'static, String>, String, String) {
    let timestamp = now.as_second().to_string();
    let nonce = random.random_range(100_000_000..2_000_000_000u32).to_string();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("signature", &signature(&account.token, &timestamp, &nonce));
    query.append_pair("timestamp", &timestamp);
    query.append_pair("nonce", &nonce);
    (query, timestamp, nonce)
}

/// A clear body with `Encrypt` added as its last field, as compat mode has it; `None` if the body has no end to
/// add it at.
fn with_encrypt(clear: &[u8], format: Format, encrypt: &str) -> Option<Vec<u8>> {
    // Base64 needs no escaping in either format.
    let (end, field) = match format {
        Format::Xml => ("</xml>", format!("<Encrypt><![CDATA[{encrypt}]]></Encrypt>")),
        Format::Json => ("}", format!(",\"Encrypt\":\"{encrypt}\"")),
    };
    let head = clear.trim_ascii_end().strip_suffix(end.as_bytes())?;
    Some([head, field.as_bytes(), end.as_bytes()].concat())
}

fn render(fields: &Fields, format: Format) -> Vec<u8> {
    match format {
        Format::Xml => {
            let mut xml = String::with_capacity(1024);
            xml.push_str("<xml>");
            write_xml(&mut xml, fields);
            xml.push_str("</xml>");
            xml.into_bytes()
        }
        // A map of strings always serializes.
        Format::Json => serde_json::to_vec(&JsonFields(fields)).unwrap_or_default(),
    }
}

/// Numbers stand bare in XML, and are numbers in JSON, in these fields only.
fn is_number(name: &str, value: &str) -> bool {
    matches!(name, "CreateTime" | "MsgId") && value.parse::<u64>().is_ok()
}

fn write_xml(xml: &mut String, fields: &Fields) {
    for (name, value) in fields.iter() {
        write_element(xml, name, value);
    }
}

fn write_element(xml: &mut String, name: &str, value: &Value) {
    let elements = match value {
        Value::List(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    for element in elements {
        for part in ["<", name, ">"] {
            xml.push_str(part);
        }
        match element {
            Value::Text(text) if is_number(name, text) => xml.push_str(text),
            Value::Text(text) => write_text(xml, text),
            Value::Table(fields) => write_xml(xml, fields),
            list @ Value::List(_) => write_element(xml, "item", list),
        }
        for part in ["</", name, ">"] {
            xml.push_str(part);
        }
    }
}

fn write_text(xml: &mut String, text: &str) {
    let plain = text.chars().all(is_xml) && !text.contains("]]>");
    xml.push_str("<![CDATA[");
    if plain {
        xml.push_str(text);
    } else {
        let allowed: String = text.chars().filter(|c| is_xml(*c)).collect();
        xml.push_str(&allowed.replace("]]>", "]]]]><![CDATA[>"));
    }
    xml.push_str("]]>");
}

/// Whether XML 1.0 allows the character; the others have no form in it, not even an escaped one.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

struct JsonFields<'a>(&'a Fields);
struct JsonValue<'a>(&'a str, &'a Value);

impl Serialize for JsonFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        // The pushes about subscribe messages have strings everywhere, even in `CreateTime`.
        let strings = self
            .0
            .text("Event")
            .is_some_and(|e| e.starts_with("subscribe_msg_"));
        for (name, value) in self.0.iter() {
            map.serialize_entry(name, &JsonValue(if strings { "" } else { name }, value))?;
        }
        map.end()
    }
}

impl Serialize for JsonValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(name, value) = self;
        match value {
            Value::Text(text) if is_number(name, text) => {
                serializer.serialize_u64(text.parse().unwrap_or_default())
            }
            Value::Text(text) => serializer.serialize_str(text),
            Value::Table(fields) => JsonFields(fields).serialize(serializer),
            Value::List(list) => {
                let mut seq = serializer.serialize_seq(Some(list.len()))?;
                for value in list {
                    seq.serialize_element(&JsonValue("", value))?;
                }
                seq.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::AppKind;

    fn account(format: Format) -> Account {
        Account {
            kind: AppKind::MiniProgram,
            app_id: "wx0123456789abcdef".into(),
            app_secret: "secret".into(),
            token: "AAAAA".into(),
            encoding_aes_key: "Q7mZ2vK9pL4xT8sD1nR6wB3yF5hJ0cGaUeVoXiYtWkR".into(),
            mode: Mode::Plain,
            format,
        }
    }

    fn at() -> Timestamp {
        Timestamp::from_second(1_732_250_000).expect("valid")
    }

    fn clear(body: &PushBody, format: Format) -> String {
        String::from_utf8(body.clear(format).0).expect("UTF-8")
    }

    #[test]
    fn a_text_in_both_formats() {
        let account = account(Format::Xml);
        let body = PushBody::text(
            &account,
            &"oTEST".into(),
            "1 < 2 ]]> \"退款\"\u{1}",
            23_637_352_235_060_881,
            at(),
        );
        let to = account.original_id();
        assert_eq!(
            clear(&body, Format::Xml),
            format!(
                "<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[oTEST]]></FromUserName>\
                 <CreateTime>1732250000</CreateTime><MsgType><![CDATA[text]]></MsgType>\
                 <Content><![CDATA[1 < 2 ]]]]><![CDATA[> \"退款\"]]></Content><MsgId>23637352235060881</MsgId></xml>"
            )
        );
        assert_eq!(
            clear(&body, Format::Json),
            format!(
                "{{\"ToUserName\":\"{to}\",\"FromUserName\":\"oTEST\",\"CreateTime\":1732250000,\
                 \"MsgType\":\"text\",\"Content\":\"1 < 2 ]]> \\\"退款\\\"\\u0001\",\"MsgId\":23637352235060881}}"
            )
        );
    }

    #[test]
    fn a_customers_digits_stay_text() {
        let body = PushBody::text(&account(Format::Json), &"oTEST".into(), "42", 1, at());
        assert!(clear(&body, Format::Json).contains(r#""Content":"42""#));
    }

    #[test]
    fn nested_and_repeated_fields_of_an_event() {
        let item = |id: &str| Value::Table([("TemplateId", id), ("PopupScene", "0")].into_iter().collect());
        let list: Fields = [("List", item("A")), ("List", item("B"))].into_iter().collect();
        let body = PushBody::event(
            &account(Format::Xml),
            &"oTEST".into(),
            "subscribe_msg_popup_event",
            [("SubscribeMsgPopupEvent", Value::Table(list))]
                .into_iter()
                .collect(),
            at(),
        );
        let xml = clear(&body, Format::Xml);
        assert!(
            xml.contains(
                "<SubscribeMsgPopupEvent><List><TemplateId><![CDATA[A]]></TemplateId>\
                 <PopupScene><![CDATA[0]]></PopupScene></List><List>"
            ),
            "{xml}"
        );
        let json = clear(&body, Format::Json);
        assert!(json.contains(r#""CreateTime":"1732250000""#), "{json}");
        assert!(json.contains(r#""List":[{"TemplateId":"A","#), "{json}");
    }

    #[test]
    fn compat_adds_encrypt_as_the_last_field() {
        let xml = with_encrypt(b"<xml><a>1</a></xml>\n", Format::Xml, "QUJD").expect("an end");
        assert_eq!(xml, b"<xml><a>1</a><Encrypt><![CDATA[QUJD]]></Encrypt></xml>");
        let json = with_encrypt(br#"{"a":1}"#, Format::Json, "QUJD").expect("an end");
        assert_eq!(json, br#"{"a":1,"Encrypt":"QUJD"}"#);
        assert_eq!(with_encrypt(b"no xml at all", Format::Xml, "QUJD"), None);
    }

    #[test]
    fn msg_ids_are_beyond_a_double_and_grow() {
        let first = msg_id(at(), &mut rand::rng());
        assert!(first > 1 << 53, "{first}");
        let second = msg_id(
            at().saturating_add(std::time::Duration::from_micros(1))
                .expect("no span of calendar units"),
            &mut rand::rng(),
        );
        assert!(second > first);
    }

    #[test]
    fn a_raw_body_shows_its_own_format_and_sender() {
        let body = PushBody::raw(br#" {"FromUserName":"oRAW","MsgType":"text"}"#.to_vec());
        assert_eq!(body.clear(Format::Xml).1, Format::Json);
        assert_eq!(body.openid(), Some("oRAW".into()));
        assert_eq!(PushBody::raw(b"junk".to_vec()).openid(), None);
    }
}
