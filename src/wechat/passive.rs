//! The passive answer: what the push's own response carries besides `success`.

use std::borrow::Cow;

use bytes::Bytes;
use rand::Rng;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::xml::write_cdata;
use super::{AesKey, Credentials, msg_signature, seal};
use crate::message::{Answer, Format, Inbound, OpenId};

const TRANSFER: &str = "transfer_customer_service";

/// What of a push its answer depends on.
#[derive(Clone, Debug)]
pub struct Asked<'q> {
    user: OpenId,
    account: String,
    format: Format,
    sealed: bool,
    nonce: Cow<'q, str>,
}

impl<'q> Asked<'q> {
    /// Of a push in this format, which came sealed or not, with this nonce.
    #[must_use]
    pub fn of(inbound: &Inbound, format: Format, sealed: bool, nonce: Cow<'q, str>) -> Self {
        Self {
            user: inbound.openid.clone(),
            account: inbound.fields.text("ToUserName").unwrap_or_default().to_owned(),
            format,
            sealed,
            nonce,
        }
    }
}

/// The body of the response and its content type. `success` is always in clear; a transfer is sealed when the push
/// was. `now` in Unix seconds.
pub fn passive_answer(
    credentials: &Credentials,
    asked: &Asked<'_>,
    answer: &Answer,
    now: i64,
    random: &mut impl Rng,
) -> (&'static str, Bytes) {
    let kf_account = match answer {
        Answer::Success => return ("text/plain", Bytes::from_static(b"success")),
        Answer::Transfer(kf_account) => kf_account.as_deref(),
    };
    let clear = transfer(asked, kf_account, now);
    let body = match &credentials.aes_key {
        Some(key) if asked.sealed => {
            let mut prefix = [0; 16];
            random.fill_bytes(&mut prefix);
            sealed_answer(credentials, key, &clear, asked.format, now, &asked.nonce, prefix)
        }
        // A sealed push was opened with the key, so there is one.
        _ => clear,
    };
    let content_type = match asked.format {
        Format::Xml => "text/xml; charset=utf-8",
        Format::Json => "application/json; charset=utf-8",
    };
    (content_type, body.into())
}

/// The clear text of `transfer_customer_service`.
fn transfer(asked: &Asked<'_>, kf_account: Option<&str>, now: i64) -> Vec<u8> {
    let (to, from) = (asked.user.as_str(), asked.account.as_str());
    match asked.format {
        Format::Xml => {
            let mut xml = "<xml>".to_owned();
            write_cdata(&mut xml, "ToUserName", to);
            write_cdata(&mut xml, "FromUserName", from);
            xml += &format!("<CreateTime>{now}</CreateTime>");
            write_cdata(&mut xml, "MsgType", TRANSFER);
            if let Some(kf_account) = kf_account {
                xml += "<TransInfo>";
                write_cdata(&mut xml, "KfAccount", kf_account);
                xml += "</TransInfo>";
            }
            xml += "</xml>";
            xml.into_bytes()
        }
        Format::Json => {
            #[derive(Serialize)]
            #[serde(rename_all = "PascalCase")]
            struct Transfer<'a> {
                to_user_name: &'a str,
                from_user_name: &'a str,
                create_time: i64,
                msg_type: &'a str,
                #[serde(skip_serializing_if = "Option::is_none")]
                trans_info: Option<TransInfo<'a>>,
            }
            #[derive(Serialize)]
            #[serde(rename_all = "PascalCase")]
            struct TransInfo<'a> {
                kf_account: &'a str,
            }
            json(&Transfer {
                to_user_name: to,
                from_user_name: from,
                create_time: now,
                msg_type: TRANSFER,
                trans_info: kf_account.map(|kf_account| TransInfo { kf_account }),
            })
        }
    }
}

/// The wrapper of a sealed answer, in the format of the push. WeChat verifies its signature.
fn sealed_answer(
    credentials: &Credentials,
    key: &AesKey,
    clear: &[u8],
    format: Format,
    now: i64,
    nonce: &str,
    prefix: [u8; 16],
) -> Vec<u8> {
    let encrypt = seal(key, &credentials.app_id, clear, prefix);
    let signature = msg_signature(
        credentials.token.expose_secret(),
        &now.to_string(),
        nonce,
        &encrypt,
    );
    match format {
        Format::Xml => {
            let mut xml = "<xml>".to_owned();
            write_cdata(&mut xml, "Encrypt", &encrypt);
            write_cdata(&mut xml, "MsgSignature", &signature);
            xml += &format!("<TimeStamp>{now}</TimeStamp>");
            write_cdata(&mut xml, "Nonce", nonce);
            xml += "</xml>";
            xml.into_bytes()
        }
        Format::Json => {
            #[derive(Serialize)]
            #[serde(rename_all = "PascalCase")]
            struct Sealed<'a> {
                encrypt: &'a str,
                msg_signature: &'a str,
                #[serde(rename = "TimeStamp")]
                timestamp: i64,
                nonce: &'a str,
            }
            json(&Sealed {
                encrypt: &encrypt,
                msg_signature: &signature,
                timestamp: now,
                nonce,
            })
        }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Fails only for maps whose keys are no strings and for writers that fail; there is neither.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::super::push::tests::{credentials, now};
    use super::super::{Opened, PushQuery, open_push, signature, vectors};
    use super::*;
    use crate::message::{Fields, Mode};

    fn asked(format: Format, sealed: bool, nonce: &str) -> Asked<'_> {
        let fields: Fields = [
            ("ToUserName", "gh_0123456789ab"),
            ("FromUserName", "oTEST"),
            ("CreateTime", "1732250000"),
            ("MsgType", "text"),
            ("MsgId", "1"),
        ]
        .into_iter()
        .collect();
        let push = super::super::Push {
            fields,
            format: Format::Xml,
            sealed: false,
        };
        let inbound = push.into_inbound("shop".into(), now()).expect("a message");
        Asked::of(&inbound, format, sealed, nonce.into())
    }

    fn utf8(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn a_transfer_reads_as_wechat_documents_it() {
        for (kf_account, format, text) in [
            (
                None,
                Format::Xml,
                "<xml><ToUserName><![CDATA[oTEST]]></ToUserName><FromUserName><![CDATA[gh_0123456789ab]]></FromUserName>\
                 <CreateTime>1732250120</CreateTime><MsgType><![CDATA[transfer_customer_service]]></MsgType></xml>",
            ),
            (
                Some("a@shop"),
                Format::Xml,
                "<xml><ToUserName><![CDATA[oTEST]]></ToUserName><FromUserName><![CDATA[gh_0123456789ab]]></FromUserName>\
                 <CreateTime>1732250120</CreateTime><MsgType><![CDATA[transfer_customer_service]]></MsgType>\
                 <TransInfo><KfAccount><![CDATA[a@shop]]></KfAccount></TransInfo></xml>",
            ),
            (
                None,
                Format::Json,
                r#"{"ToUserName":"oTEST","FromUserName":"gh_0123456789ab","CreateTime":1732250120,"MsgType":"transfer_customer_service"}"#,
            ),
            (
                Some("a@shop"),
                Format::Json,
                r#"{"ToUserName":"oTEST","FromUserName":"gh_0123456789ab","CreateTime":1732250120,"MsgType":"transfer_customer_service","TransInfo":{"KfAccount":"a@shop"}}"#,
            ),
        ] {
            let clear = transfer(&asked(format, false, "42"), kf_account, 1_732_250_120);
            assert_eq!(utf8(clear), text);
        }
    }

    #[test]
    fn success_is_seven_bytes_in_clear_even_when_sealed() {
        for sealed in [false, true] {
            let (content_type, body) = passive_answer(
                &credentials(Mode::Safe),
                &asked(Format::Json, sealed, "42"),
                &Answer::Success,
                0,
                &mut SmallRng::seed_from_u64(1),
            );
            assert_eq!((content_type, &body[..]), ("text/plain", b"success".as_slice()));
        }
    }

    #[test]
    fn a_sealed_answer_opens_as_a_push_does() {
        let credentials = credentials(Mode::Safe);
        // `]]>` in a nonce must not break the wrapper.
        for nonce in ["42", "PuRqf6qOR9P0kkoqOkNL0EalyNpK7eUI7jyW9OO3bg1", "a]]>b\"c"] {
            for format in [Format::Xml, Format::Json] {
                let (_, body) = passive_answer(
                    &credentials,
                    &asked(format, true, nonce),
                    &Answer::Transfer(Some("a@shop".into())),
                    now().as_second(),
                    &mut SmallRng::seed_from_u64(1),
                );
                let wrapper = match format {
                    Format::Xml => super::super::xml::fields(&body).expect("XML"),
                    Format::Json => serde_json::from_slice(&body).expect("JSON"),
                };
                assert_eq!(wrapper.text("Nonce"), Some(nonce));
                let timestamp = wrapper.text("TimeStamp").expect("there");
                let query = PushQuery {
                    signature: Some(signature("t0kenFarm9", timestamp, nonce).into()),
                    timestamp: Some(timestamp.into()),
                    nonce: Some(nonce.into()),
                    msg_signature: wrapper.text("MsgSignature").map(Into::into),
                    ..PushQuery::default()
                };
                let opened = open_push(&credentials, &query, &body, now(), Duration::ZERO);
                let Ok(Opened::Push(push)) = opened else {
                    panic!("{format:?}: {opened:?}");
                };
                assert_eq!(push.fields.text("MsgType"), Some(TRANSFER));
                assert_eq!(push.fields.path("TransInfo.KfAccount"), ["a@shop"]);
            }
        }
    }

    #[test]
    fn the_wrapper_is_the_one_of_wechats_own_page() {
        let vector = vectors().valid.into_iter().find(|v| v.id == "V2").expect("V2");
        let credentials = Credentials {
            app_id: vector.receive_id,
            token: vector.token.into(),
            aes_key: None,
            mode: Mode::Safe,
        };
        let key = AesKey::decode(&vector.encoding_aes_key).expect("a key");
        let random = vector.random.as_bytes().try_into().expect("16 bytes");
        let body = sealed_answer(
            &credentials,
            &key,
            vector.plaintext.as_bytes(),
            Format::Json,
            1_713_424_427,
            "415670741",
            random,
        );
        assert_eq!(
            utf8(body),
            format!(
                r#"{{"Encrypt":"{}","MsgSignature":"{}","TimeStamp":1713424427,"Nonce":"415670741"}}"#,
                vector.encrypt, vector.msg_signature
            )
        );
    }

    #[test]
    fn a_clear_push_is_answered_in_clear() {
        let (content_type, body) = passive_answer(
            &credentials(Mode::Plain),
            &asked(Format::Xml, false, "42"),
            &Answer::Transfer(None),
            Timestamp::UNIX_EPOCH.as_second(),
            &mut SmallRng::seed_from_u64(1),
        );
        assert_eq!(content_type, "text/xml; charset=utf-8");
        assert!(body.starts_with(b"<xml><ToUserName>"));
    }
}
