//! What the daemon answered a push with, judged as WeChat judges it.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::account::Account;
use crate::message::{Fields, Format, Mode, OpenId, Value};
use crate::wechat::{AesKey, msg_signature, open, verify};

/// What an answer with status 200 means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// `success`, or nothing at all.
    Success,
    /// `transfer_customer_service`: the conversation goes to a person, to the agent named if one is.
    Transfer {
        /// `TransInfo.KfAccount`
        kf_account: Option<String>,
        /// The clear text.
        clear: String,
    },
    /// Anything else: the customer is told that the service is unavailable. Holds the reason.
    Abnormal(String),
}

/// Judges the body of an answer to a push of `to`. `format` and `account.mode` are those that the push came in.
#[must_use]
pub fn judge(account: &Account, format: Format, to: Option<&OpenId>, body: &[u8]) -> Verdict {
    if body.is_empty() || body == b"success" {
        return Verdict::Success;
    }
    match transfer(account, format, to, body) {
        Ok((kf_account, clear)) => Verdict::Transfer { kf_account, clear },
        Err(why) => Verdict::Abnormal(why),
    }
}

fn transfer(
    account: &Account,
    format: Format,
    to: Option<&OpenId>,
    body: &[u8],
) -> Result<(Option<String>, String), String> {
    let outer = read_as(format, body)?;
    let (fields, clear) = match outer.text("Encrypt") {
        Some(_) if account.mode == Mode::Plain => return Err("a sealed answer to a plain push".into()),
        Some(encrypt) => {
            let clear = open_answer(account, &outer, encrypt)?;
            (read_as(format, &clear)?, clear)
        }
        None if account.mode == Mode::Safe => return Err("safe mode asks for a sealed answer".into()),
        None => (outer, body.to_vec()),
    };
    let text = |name: &str| {
        fields
            .text(name)
            .ok_or_else(|| format!("the answer has no {name}"))
    };
    match text("MsgType")? {
        "transfer_customer_service" => {}
        other => {
            return Err(format!(
                "{other:?} is no MsgType that a push can be answered with"
            ));
        }
    }
    if to.is_none_or(|to| text("ToUserName") != Ok(to.as_str())) {
        return Err("ToUserName is not the customer".into());
    }
    if text("FromUserName")? != account.original_id() {
        return Err("FromUserName is not the account".into());
    }
    if text("CreateTime")?.parse::<u64>().is_err() {
        return Err("CreateTime is no number".into());
    }
    let kf_account = fields
        .path("TransInfo.KfAccount")
        .first()
        .map(|name| (*name).to_owned());
    Ok((kf_account, String::from_utf8_lossy(&clear).into_owned()))
}

fn open_answer(account: &Account, outer: &Fields, encrypt: &str) -> Result<Vec<u8>, String> {
    let text = |name: &str| {
        outer
            .text(name)
            .ok_or_else(|| format!("the sealed answer has no {name}"))
    };
    let expected = msg_signature(&account.token, text("TimeStamp")?, text("Nonce")?, encrypt);
    if !verify(&expected, text("MsgSignature")?) {
        return Err("the sealed answer's MsgSignature is wrong".into());
    }
    let key = AesKey::decode(&account.encoding_aes_key).map_err(|e| format!("EncodingAESKey {e}"))?;
    open(&key, &account.app_id, encrypt).map_err(|e| format!("the sealed answer can't be opened: {e}"))
}

fn read_as(format: Format, body: &[u8]) -> Result<Fields, String> {
    match (format, body.first()) {
        (Format::Xml, Some(b'<')) | (Format::Json, Some(b'{')) => read_fields(body),
        (Format::Xml, _) => Err("XML was due, and the answer does not begin with <".into()),
        (Format::Json, _) => Err("JSON was due, and the answer does not begin with {".into()),
    }
}

/// The fields of an XML or JSON body.
pub(super) fn read_fields(body: &[u8]) -> Result<Fields, String> {
    let text = std::str::from_utf8(body).map_err(|_| "not UTF-8")?.trim();
    if text.starts_with('{') {
        serde_json::from_str(text).map_err(|e| format!("not JSON: {e}"))
    } else {
        read_xml(text)
    }
}

/// How deep elements may lie in each other; WeChat's lie three deep.
const MAX_DEPTH: usize = 16;

fn read_xml(xml: &str) -> Result<Fields, String> {
    let mut reader = Reader::from_str(xml);
    let mut open: Vec<(String, Fields, String)> = Vec::new();
    loop {
        match reader.read_event().map_err(|e| format!("not XML: {e}"))? {
            Event::Start(tag) if open.len() < MAX_DEPTH => {
                let name = tag.name().as_ref().to_owned();
                open.push((name, Fields::new(), String::new()));
            }
            Event::Start(_) => return Err("elements lie too deep".into()),
            Event::Empty(tag) => match open.last_mut() {
                Some((_, fields, _)) => fields.push(tag.name().as_ref(), Value::from("")),
                None => return Err("the root is empty".into()),
            },
            Event::Text(text) => match open.last_mut() {
                Some((_, _, into)) => into.push_str(&text),
                None if text.trim().is_empty() => {}
                None => return Err("text outside of <xml>".into()),
            },
            Event::GeneralRef(entity) => {
                let text = match entity.resolve_char_ref().map_err(|e| format!("not XML: {e}"))? {
                    Some(c) => c.to_string(),
                    None => quick_xml::escape::resolve_xml_entity(&entity)
                        .ok_or_else(|| format!("unknown entity &{};", &*entity))?
                        .to_owned(),
                };
                if let Some((_, _, into)) = open.last_mut() {
                    into.push_str(&text);
                }
            }
            Event::CData(text) => {
                if let Some((_, _, into)) = open.last_mut() {
                    into.push_str(&text);
                }
            }
            Event::End(_) => {
                let Some((name, fields, text)) = open.pop() else {
                    return Err("an end without a beginning".into());
                };
                match open.last_mut() {
                    Some((_, parent, _)) if fields.is_empty() => parent.push(name, Value::Text(text)),
                    Some((_, parent, _)) => parent.push(name, Value::Table(fields)),
                    None if name == "xml" => return Ok(fields),
                    None => return Err(format!("the root is <{name}>, not <xml>")),
                }
            }
            Event::DocType(_) => return Err("a document type declaration".into()),
            Event::Eof => return Err("no whole <xml> element".into()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::AppKind;

    fn account(mode: Mode) -> Account {
        Account {
            kind: AppKind::MiniProgram,
            app_id: "wx0123456789abcdef".into(),
            app_secret: "secret".into(),
            token: "AAAAA".into(),
            encoding_aes_key: "Q7mZ2vK9pL4xT8sD1nR6wB3yF5hJ0cGaUeVoXiYtWkR".into(),
            mode,
            format: Format::Xml,
        }
    }

    fn xml(from: &str, msg_type: &str) -> String {
        format!(
            "<xml><ToUserName><![CDATA[oTEST]]></ToUserName><FromUserName>{from}</FromUserName>\
             <CreateTime>1732250000</CreateTime><MsgType><![CDATA[{msg_type}]]></MsgType>\
             <TransInfo><KfAccount><![CDATA[a@shop]]></KfAccount></TransInfo></xml>"
        )
    }

    fn judged(mode: Mode, format: Format, body: &str) -> Verdict {
        judge(&account(mode), format, Some(&"oTEST".into()), body.as_bytes())
    }

    #[test]
    fn success_and_nothing_are_success_in_every_mode() {
        for mode in [Mode::Plain, Mode::Compat, Mode::Safe] {
            assert_eq!(judged(mode, Format::Xml, "success"), Verdict::Success);
            assert_eq!(judged(mode, Format::Json, ""), Verdict::Success);
        }
    }

    #[test]
    fn a_transfer_names_its_agent() {
        let body = xml(&account(Mode::Plain).original_id(), "transfer_customer_service");
        for mode in [Mode::Plain, Mode::Compat] {
            assert_eq!(
                judged(mode, Format::Xml, &body),
                Verdict::Transfer {
                    kf_account: Some("a@shop".into()),
                    clear: body.clone()
                }
            );
        }
    }

    #[test]
    fn what_wechat_calls_abnormal() {
        let own = account(Mode::Plain).original_id();
        let good = xml(&own, "transfer_customer_service");
        for (mode, format, body) in [
            (Mode::Plain, Format::Xml, "success\n".to_owned()),
            (Mode::Plain, Format::Xml, "\"success\"".to_owned()),
            (
                Mode::Plain,
                Format::Xml,
                "<html><body>502</body></html>".to_owned(),
            ),
            (Mode::Plain, Format::Xml, format!("\n{good}")),
            (
                Mode::Plain,
                Format::Xml,
                xml("gh_somebody_else", "transfer_customer_service"),
            ),
            (Mode::Plain, Format::Xml, xml(&own, "text")),
            (
                Mode::Plain,
                Format::Xml,
                r#"{"MsgType":"transfer_customer_service"}"#.to_owned(),
            ),
            (Mode::Plain, Format::Json, good.clone()),
            (
                Mode::Plain,
                Format::Xml,
                "<xml><Encrypt>QUJD</Encrypt></xml>".to_owned(),
            ),
            (Mode::Safe, Format::Xml, good.clone()),
            (Mode::Plain, Format::Xml, "<!DOCTYPE xml><xml></xml>".to_owned()),
            (Mode::Plain, Format::Xml, "<xml><a>&unknown;</a></xml>".to_owned()),
        ] {
            let verdict = judged(mode, format, &body);
            assert!(
                matches!(verdict, Verdict::Abnormal(_)),
                "{mode} {format:?} {body}: {verdict:?}"
            );
        }
        let other = judge(
            &account(Mode::Plain),
            Format::Xml,
            Some(&"oELSE".into()),
            good.as_bytes(),
        );
        assert_eq!(other, Verdict::Abnormal("ToUserName is not the customer".into()));
    }

    #[test]
    fn xml_is_read_with_its_entities_lists_and_tables() {
        let fields = read_fields(
            "<xml><a>1 &lt; 2 &#20320;</a><b><c>x</c></b><a><![CDATA[<]]></a><e/></xml>".as_bytes(),
        )
        .expect("valid");
        assert_eq!(
            serde_json::to_string(&fields).expect("serializable"),
            r#"{"a":["1 < 2 你","<"],"b":{"c":"x"},"e":""}"#
        );
    }
}
