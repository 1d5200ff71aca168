//! From a push to the message that is judged and logged, and what makes two pushes the same message.

use jiff::Timestamp;
use sha1::{Digest, Sha1};

use super::push::{Opened, Push};
use super::signature::{hex, text};
use crate::message::{AppName, Fields, Inbound, OpenId, Value};

impl Push {
    /// The message, if it has a `MsgType` and a `FromUserName`; else the names of what it lacks.
    pub fn into_inbound(self, app: AppName, received: Timestamp) -> Result<Inbound, String> {
        let (msg_type, openid) = (
            scalar(&self.fields, "MsgType"),
            scalar(&self.fields, "FromUserName"),
        );
        if let Some(lacks) = lacks(msg_type, openid) {
            return Err(lacks.to_owned());
        }
        let (msg_type, openid) = (msg_type.to_ascii_lowercase(), OpenId::from(openid));
        let fields = self.fields;
        let event = match &*msg_type {
            "event" => Some(scalar(&fields, "Event")).filter(|event| !event.is_empty()),
            _ => None,
        };
        let event = event.map(str::to_owned);
        let created = scalar(&fields, "CreateTime");
        let dedup_key = match scalar(&fields, "MsgId") {
            msg_id if !msg_id.is_empty() && msg_type != "event" => msg_id.to_owned(),
            _ => {
                let event = event.as_deref().unwrap_or_default();
                format!("{created}:{msg_type}:{event}:{}", digest(&fields))
            }
        };
        Ok(Inbound {
            id: Inbound::first_id(created.parse().unwrap_or(0), &app, &openid, &dedup_key),
            app,
            openid,
            dedup_key,
            received,
            msg_type,
            event,
            content: fields.text("Content").map(str::to_owned),
            fields,
        })
    }

    /// The names of the fields without which a push is no message.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        lacks(
            scalar(&self.fields, "MsgType"),
            scalar(&self.fields, "FromUserName"),
        )
    }
}

fn lacks(msg_type: &str, openid: &str) -> Option<&'static str> {
    match (msg_type.is_empty(), openid.is_empty()) {
        (false, false) => None,
        (true, false) => Some("MsgType"),
        (false, true) => Some("FromUserName"),
        (true, true) => Some("MsgType, FromUserName"),
    }
}

impl Opened {
    /// The log's row for a push that is no message: empty `openid` and `msg_type`, the raw body as `content`, a
    /// digest of it as its identity.
    #[must_use]
    pub fn malformed(raw: &[u8], app: AppName, received: Timestamp) -> Inbound {
        let openid = OpenId::from("");
        let dedup_key = text(&hex::<40>(&Sha1::digest(raw)));
        Inbound {
            id: Inbound::first_id(received.as_second(), &app, &openid, &dedup_key),
            app,
            openid,
            dedup_key,
            received,
            msg_type: String::new(),
            event: None,
            content: Some(String::from_utf8_lossy(raw).into_owned()),
            fields: Fields::new(),
        }
    }
}

/// A scalar field without the blanks that some events have around it; empty when it is not there.
fn scalar<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.text(name).unwrap_or_default().trim()
}

/// 16 hex digits of SHA-1 over all fields. **Stable for ever**, as [`Inbound::first_id`] is.
///
/// A table is `t`, the number of its fields, and for each, in the order of their names, the name and the value; a
/// list is `l`, its length, and its values; a scalar is `s` and its text. Names and texts are preceded by their
/// length in bytes. All numbers are u64, big-endian. The order that the fields came in does not count.
fn digest(fields: &Fields) -> String {
    let mut sha1 = Sha1::new();
    feed_table(&mut sha1, fields);
    text(&hex::<16>(&sha1.finalize()))
}

// The recursion is bounded: neither reader of pushes lets them nest more than 128 deep.
fn feed_table(sha1: &mut Sha1, fields: &Fields) {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    sha1.update(b"t");
    feed(sha1, sorted.len(), b"");
    for (name, value) in sorted {
        feed(sha1, name.len(), name.as_bytes());
        feed_value(sha1, value);
    }
}

fn feed_value(sha1: &mut Sha1, value: &Value) {
    match value {
        Value::Text(text) => {
            sha1.update(b"s");
            feed(sha1, text.len(), text.as_bytes());
        }
        Value::Table(fields) => feed_table(sha1, fields),
        Value::List(list) => {
            sha1.update(b"l");
            feed(sha1, list.len(), b"");
            list.iter().for_each(|value| feed_value(sha1, value));
        }
    }
}

fn feed(sha1: &mut Sha1, number: usize, bytes: &[u8]) {
    sha1.update((number as u64).to_be_bytes());
    sha1.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Format;

    fn push(json: &str) -> Push {
        Push {
            fields: serde_json::from_str(json).expect(json),
            format: Format::Json,
            sealed: false,
        }
    }

    fn inbound(json: &str) -> Inbound {
        push(json).into_inbound("shop".into(), now()).expect(json)
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_732_250_000).expect("in range")
    }

    #[test]
    fn a_message_is_known_by_its_msgid() {
        let number = inbound(
            r#"{"FromUserName":"o1","CreateTime":1732250000,"MsgType":"Text","Content":" 你好 ","MsgId":23637352235060881}"#,
        );
        assert_eq!(number.dedup_key, "23637352235060881");
        assert_eq!(number.msg_type, "text");
        assert_eq!(number.content.as_deref(), Some(" 你好 "), "kept as it came");
        assert_eq!(number.event, None);
        let text = inbound(
            r#"{"FromUserName":"o1","CreateTime":"1732250000","MsgType":"text","MsgId":"23637352235060881"}"#,
        );
        assert_eq!(number.id, text.id, "a number or a text, it is the same message");
        let cloud = inbound(r#"{"FromUserName":"o1","MsgType":"text","MsgId":"49d7_1555684067"}"#);
        assert_eq!(cloud.dedup_key, "49d7_1555684067");
    }

    #[test]
    fn an_event_is_known_by_all_its_fields() {
        let one = inbound(
            r#"{"FromUserName":"o1","CreateTime":"1732250050","MsgType":"event","Event":"CLICK","EventKey":"A"}"#,
        );
        assert_eq!(one.event.as_deref(), Some("CLICK"));
        let reordered = inbound(
            r#"{"EventKey":"A","Event":"CLICK","MsgType":"event","CreateTime":1732250050,"FromUserName":"o1"}"#,
        );
        assert_eq!(one.dedup_key, reordered.dedup_key);
        let other = inbound(
            r#"{"FromUserName":"o1","CreateTime":"1732250050","MsgType":"event","Event":"CLICK","EventKey":"B"}"#,
        );
        assert_ne!(one.dedup_key, other.dedup_key);
        assert_ne!(one.id, other.id);
    }

    #[test]
    fn an_id_of_a_notice_is_no_id_of_the_push() {
        for json in [
            r#"{"FromUserName":"o1","CreateTime":1,"MsgType":"event","Event":"TEMPLATESENDJOBFINISH","MsgID":200163836}"#,
            r#"{"FromUserName":"o1","CreateTime":1,"MsgType":"event","Event":"e","MsgId":200163836}"#,
            r#"{"FromUserName":"o1","CreateTime":1,"MsgType":"event","Event":"e","List":{"MsgID":"17"}}"#,
            r#"{"FromUserName":"o1","CreateTime":1,"MsgType":"text","MsgId":""}"#,
        ] {
            let key = inbound(json).dedup_key;
            assert!(key.starts_with("1:"), "{json}: {key}");
        }
    }

    #[test]
    fn keys_of_today_are_keys_of_tomorrow() {
        // If this fails, every database in the field forgets what it has answered.
        let message = inbound(
            r#"{"FromUserName":"oTEST","CreateTime":1732250000,"MsgType":"text","Content":"hi","MsgId":23637352235060881}"#,
        );
        assert_eq!(message.id.to_string(), "096gm91v6st8g");
        let event = inbound(
            r#"{"FromUserName":"oTEST","CreateTime":1732250000,"MsgType":"event","Event":"e","L":["a",{"b":"c"}]}"#,
        );
        assert_eq!(event.dedup_key, "1732250000:event:e:be6fbae2d9350e9c");
        assert_eq!(event.id.to_string(), "096gm91r42gxg");
    }

    #[test]
    fn the_digest_tells_shapes_apart() {
        let shapes = [
            r#"{"a":"b","c":"d"}"#,
            r#"{"a":"bc","":"d"}"#,
            r#"{"a":["b","c"]}"#,
            r#"{"a":["bc"]}"#,
            r#"{"a":[["b"],"c"]}"#,
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":"b"}"#,
            r#"{"a":["b"]}"#,
            r#"{}"#,
        ];
        let digests: std::collections::BTreeSet<_> = shapes.iter().map(|s| digest(&push(s).fields)).collect();
        assert_eq!(digests.len(), shapes.len());
    }

    #[test]
    fn a_push_says_what_it_lacks() {
        for (json, lacks) in [
            (r#"{}"#, "MsgType, FromUserName"),
            (r#"{"MsgType":"text"}"#, "FromUserName"),
            (r#"{"MsgType":" ","FromUserName":"o1"}"#, "MsgType"),
            (r#"{"MsgType":["text","image"],"FromUserName":"o1"}"#, "MsgType"),
        ] {
            assert_eq!(
                push(json).into_inbound("shop".into(), now()),
                Err(lacks.to_owned())
            );
        }
    }

    #[test]
    fn any_create_time_is_survived() {
        for time in [
            "",
            "x",
            "-1",
            "-9223372036854775808",
            "9223372036854775807",
            "99999999999999999999",
        ] {
            let message = inbound(&format!(
                r#"{{"FromUserName":"o1","CreateTime":"{time}","MsgType":"text","MsgId":"1"}}"#
            ));
            assert!(message.id.as_i64() >= 0, "{time}");
        }
    }

    #[test]
    fn a_malformed_push_keeps_its_body() {
        let row = Opened::malformed(b"\xff<oops", "shop".into(), now());
        assert_eq!(row.content.as_deref(), Some("\u{fffd}<oops"));
        assert_eq!((row.openid.as_str(), row.msg_type.as_str()), ("", ""));
        assert_eq!(
            row.dedup_key,
            Opened::malformed(b"\xff<oops", "shop".into(), now()).dedup_key
        );
        assert_ne!(
            row.dedup_key,
            Opened::malformed(b"\xfe<oops", "shop".into(), now()).dedup_key
        );
    }
}
