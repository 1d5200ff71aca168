//! The passive answer: what the push's own response carries besides `success`.

use rand::Rng;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::xml::write_cdata;
use super::{AesKey, Credentials, msg_signature, seal};
use crate::message::{Answer, Format, Inbound};

const TRANSFER: &str = "transfer_customer_service";

/// The body of the response and its content type. `success` is always in clear; a transfer is sealed when the push
/// was. `now` in Unix seconds; `nonce` is the push's.
#[expect(
    clippy::too_many_arguments,
    reason = "all that an answer depends on, and one place that calls it"
)]
pub fn passive_answer(
    credentials: &Credentials,
    inbound: &Inbound,
    answer: &Answer,
    format: Format,
    sealed: bool,
    now: i64,
    nonce: &str,
    random: &mut impl Rng,
) -> (&'static str, Vec<u8>) {
    let kf_account = match answer {
        Answer::Success => return ("text/plain", b"success".to_vec()),
        Answer::Transfer(kf_account) => kf_account.as_deref(),
    };
    let clear = transfer(inbound, kf_account, format, now);
    let body = match &credentials.aes_key {
        Some(key) if sealed => {
            let mut prefix = [0; 16];
            random.fill_bytes(&mut prefix);
            sealed_answer(credentials, key, &clear, format, now, nonce, prefix)
        }
        // A sealed push was opened with the key, so there is one.
        _ => clear,
    };
    let content_type = match format {
        Format::Xml => "text/xml; charset=utf-8",
        Format::Json => "application/json; charset=utf-8",
    };
    (content_type, body)
}

/// The clear text of `transfer_customer_service` that answers `inbound`.
fn transfer(inbound: &Inbound, kf_account: Option<&str>, format: Format, now: i64) -> Vec<u8> {
    let from = inbound.fields.text("ToUserName").unwrap_or_default();
    match format {
        Format::Xml => {
            let mut xml = "<xml>".to_owned();
            write_cdata(&mut xml, "ToUserName", inbound.openid.as_str());
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
                to_user_name: inbound.openid.as_str(),
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

    fn inbound() -> Inbound {
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
        push.into_inbound("shop".into(), now()).expect("a message")
    }

    fn utf8(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn a_transfer_reads_as_wechat_documents_it() {
        let inbound = inbound();
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
            assert_eq!(utf8(transfer(&inbound, kf_account, format, 1_732_250_120)), text);
        }
    }

    #[test]
    fn success_is_seven_bytes_in_clear_even_when_sealed() {
        for sealed in [false, true] {
            let (content_type, body) = passive_answer(
                &credentials(Mode::Safe),
                &inbound(),
                &Answer::Success,
                Format::Json,
                sealed,
                0,
                "42",
                &mut SmallRng::seed_from_u64(1),
            );
            assert_eq!(
                (content_type, body.as_slice()),
                ("text/plain", b"success".as_slice())
            );
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
                    &inbound(),
                    &Answer::Transfer(Some("a@shop".into())),
                    format,
                    true,
                    now().as_second(),
                    nonce,
                    &mut SmallRng::seed_from_u64(1),
                );
                let wrapper = match format {
                    Format::Xml => super::super::xml::fields(&body).expect("XML"),
                    Format::Json => serde_json::from_slice(&body).expect("JSON"),
                };
                assert_eq!(wrapper.text("Nonce"), Some(nonce));
                let timestamp = wrapper.text("TimeStamp").expect("there");
                let query = PushQuery {
                    signature: Some(signature("t0kenFarm9", timestamp, nonce)),
                    timestamp: Some(timestamp.to_owned()),
                    nonce: Some(nonce.to_owned()),
                    msg_signature: wrapper.text("MsgSignature").map(str::to_owned),
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
            &inbound(),
            &Answer::Transfer(None),
            Format::Xml,
            false,
            Timestamp::UNIX_EPOCH.as_second(),
            "42",
            &mut SmallRng::seed_from_u64(1),
        );
        assert_eq!(content_type, "text/xml; charset=utf-8");
        assert!(utf8(body).starts_with("<xml><ToUserName>"));
    }
}
