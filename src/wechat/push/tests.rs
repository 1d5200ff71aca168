//! Pushes in all modes and formats, forged, stale, broken and mutated.

use proptest::prelude::*;

use super::super::{msg_signature, seal, signature, vectors};
use super::*;

const TOKEN: &str = "t0kenFarm9";
const KEY: &str = "Q7mZ2vK9pL4xT8sD1nR6wB3yF5hJ0cGaUeVoXiYtWkR";
const APP_ID: &str = "wx0123456789abcdef";
const SECOND: i64 = 1_732_250_000;
const NONCE: &str = "PuRqf6qOR9P0kkoqOkNL0EalyNpK7eUI7jyW9OO3bg1";
const MAX_AGE: Duration = Duration::from_secs(600);
const XML: &str = "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oTEST]]></FromUserName><CreateTime>1732250000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[怎么退款?]]></Content><MsgId>23637352235060881</MsgId></xml>";
const JSON: &str = r#"{"ToUserName":"gh_0123456789ab","FromUserName":"oTEST","CreateTime":1732250000,"MsgType":"text","Content":"怎么退款?","MsgId":23637352235060881}"#;

pub(in super::super) fn credentials(mode: Mode) -> Credentials {
    Credentials {
        app_id: APP_ID.to_owned(),
        token: TOKEN.into(),
        aes_key: (mode != Mode::Plain).then(|| AesKey::decode(KEY).expect("a key")),
        mode,
    }
}

pub(in super::super) fn now() -> Timestamp {
    Timestamp::from_second(SECOND).expect("in range")
}

fn query() -> PushQuery<'static> {
    PushQuery {
        signature: Some(signature(TOKEN, &SECOND.to_string(), NONCE).into()),
        timestamp: Some(SECOND.to_string().into()),
        nonce: Some(NONCE.into()),
        ..PushQuery::default()
    }
}

/// The query and the body of a sealed push; `outer` are the fields in clear that compat mode adds.
fn sealed(clear: &str, format: Format, outer: &str) -> (PushQuery<'static>, String) {
    let key = AesKey::decode(KEY).expect("a key");
    let encrypt = seal(&key, APP_ID, clear.as_bytes(), [b'0'; 16]);
    let query = PushQuery {
        encrypt_type: Some("aes".into()),
        msg_signature: Some(msg_signature(TOKEN, &SECOND.to_string(), NONCE, &encrypt).into()),
        ..query()
    };
    let body = match format {
        Format::Xml => format!("<xml>{outer}<Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"),
        Format::Json => format!(r#"{{{outer}"Encrypt":"{encrypt}"}}"#),
    };
    (query, body)
}

fn open_at_once(mode: Mode, query: &PushQuery<'_>, body: &str) -> Result<Opened, Refusal> {
    open_push(&credentials(mode), query, body.as_bytes(), now(), MAX_AGE)
}

fn push(opened: Result<Opened, Refusal>) -> Push {
    match opened {
        Ok(Opened::Push(push)) => push,
        other => panic!("no push: {other:?}"),
    }
}

#[test]
fn every_mode_and_format_opens() {
    let outer_xml = XML.trim_start_matches("<xml>").trim_end_matches("</xml>");
    let outer_json = format!("{},", &JSON[1..JSON.len() - 1]);
    let to_xml = "<ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>";
    let to_json = r#""ToUserName":"gh_0123456789ab","#;
    let plain = |body: &str| (query(), body.to_owned());
    for (mode, format, (query, body)) in [
        (Mode::Plain, Format::Xml, plain(XML)),
        (Mode::Plain, Format::Json, plain(JSON)),
        (Mode::Compat, Format::Xml, sealed(XML, Format::Xml, outer_xml)),
        (
            Mode::Compat,
            Format::Json,
            sealed(JSON, Format::Json, &outer_json),
        ),
        (Mode::Safe, Format::Xml, sealed(XML, Format::Xml, to_xml)),
        (Mode::Safe, Format::Json, sealed(JSON, Format::Json, to_json)),
    ] {
        let push = push(open_at_once(mode, &query, &body));
        assert_eq!(
            (push.format, push.sealed),
            (format, mode != Mode::Plain),
            "{mode} {format:?}"
        );
        assert_eq!(
            push.fields.text("MsgId"),
            Some("23637352235060881"),
            "{mode} {format:?}"
        );
        assert_eq!(
            push.fields.text("Content"),
            Some("怎么退款?"),
            "{mode} {format:?}"
        );
        assert_eq!(push.fields.iter().count(), 6, "{mode} {format:?}");
    }
}

#[test]
fn the_vectors_open_as_pushes() {
    for v in vectors().valid {
        let second: i64 = v.timestamp.parse().expect("seconds");
        let query = PushQuery {
            signature: Some(signature(&v.token, &v.timestamp, &v.nonce).into()),
            timestamp: Some(v.timestamp.into()),
            nonce: Some(v.nonce.into()),
            msg_signature: Some(v.msg_signature.into()),
            ..PushQuery::default()
        };
        let credentials = Credentials {
            app_id: v.receive_id,
            token: v.token.into(),
            aes_key: AesKey::decode(&v.encoding_aes_key).ok(),
            mode: Mode::Safe,
        };
        let body = format!("<xml><Encrypt>{}</Encrypt></xml>", v.encrypt);
        let now = Timestamp::from_second(second).expect("in range");
        let opened = open_push(&credentials, &query, body.as_bytes(), now, MAX_AGE);
        if v.plaintext.contains("FromUserName") {
            push(opened);
        } else {
            let Ok(Opened::Unreadable { raw, .. }) = opened else {
                panic!("{}: {opened:?}", v.id);
            };
            assert_eq!(String::from_utf8_lossy(&raw), v.plaintext, "{}", v.id);
        }
    }
}

#[test]
fn the_invalid_vectors_are_refused_as_pushes() {
    for v in vectors().invalid {
        let query = PushQuery {
            signature: Some(signature(&v.token, &v.timestamp, &v.nonce).into()),
            timestamp: Some(v.timestamp.into()),
            nonce: Some(v.nonce.into()),
            msg_signature: Some(v.msg_signature.into()),
            ..PushQuery::default()
        };
        let label = if v.id == "N1" { "signature" } else { "envelope" };
        for body in [
            format!("<xml><Encrypt>{}</Encrypt></xml>", v.encrypt),
            format!(r#"{{"Encrypt":"{}"}}"#, v.encrypt),
        ] {
            let refusal = open_at_once(Mode::Safe, &query, &body).expect_err(&v.id);
            assert_eq!(refusal.label(), label, "{}", v.id);
        }
    }
}

#[test]
fn what_stands_beside_encrypt_is_not_read() {
    let forged = r#""FromUserName":"oEVIL","MsgType":"text","Content":"forged","MsgId":1,"#;
    let (query, body) = sealed(JSON, Format::Json, forged);
    let opened = push(open_at_once(Mode::Compat, &query, &body));
    assert_eq!(opened.fields.text("FromUserName"), Some("oTEST"));
    assert_eq!(opened.fields.text("Content"), Some("怎么退款?"));
    let forged = "<Content><![CDATA[<Encrypt>forged</Encrypt>]]></Content>";
    let (query, body) = sealed(XML, Format::Xml, forged);
    let opened = push(open_at_once(Mode::Compat, &query, &body));
    assert_eq!(opened.fields.text("Content"), Some("怎么退款?"));
}

#[test]
fn json_may_escape_the_slashes_of_base64() {
    let (query, body) = sealed(JSON, Format::Json, "");
    assert!(body.contains('/'), "the sample would prove nothing");
    push(open_at_once(Mode::Safe, &query, &body.replace('/', "\\/")));
}

#[test]
fn a_push_below_the_configured_mode_is_refused() {
    for mode in [Mode::Compat, Mode::Safe] {
        for body in [XML, JSON, "", "<xml><Encrypt>", "[]", "<!DOCTYPE a><xml/>"] {
            assert_eq!(
                open_at_once(mode, &query(), body),
                Err(Refusal::Mode(mode)),
                "{body}"
            );
        }
        // Saying that it is sealed does not make it so.
        let (says_sealed, _) = sealed(XML, Format::Xml, "");
        assert_eq!(open_at_once(mode, &says_sealed, XML), Err(Refusal::Mode(mode)));
    }
}

#[test]
fn msg_signature_is_what_counts_when_sealed() {
    let (right, body) = sealed(XML, Format::Xml, "");
    let without = PushQuery {
        msg_signature: None,
        ..right.clone()
    };
    assert_eq!(
        open_at_once(Mode::Safe, &without, &body),
        Err(Refusal::Query("msg_signature"))
    );
    let repeated = PushQuery {
        msg_signature: right.signature.clone(),
        ..right.clone()
    };
    assert_eq!(
        open_at_once(Mode::Safe, &repeated, &body),
        Err(Refusal::Signature)
    );
    let forged = PushQuery {
        signature: right.msg_signature.clone(),
        ..right.clone()
    };
    assert_eq!(open_at_once(Mode::Safe, &forged, &body), Err(Refusal::Signature));
    assert!(open_at_once(Mode::Safe, &right, &body).is_ok());
}

#[test]
fn a_plain_app_opens_a_sealed_push_if_it_has_the_key() {
    let (query, body) = sealed(XML, Format::Xml, "");
    let refusal = open_at_once(Mode::Plain, &query, &body).expect_err("no key");
    assert_eq!(refusal, Refusal::Key);
    assert!(refusal.to_string().contains("encoding_aes_key"));
    let with_key = Credentials {
        mode: Mode::Plain,
        ..credentials(Mode::Safe)
    };
    let opened = open_push(&with_key, &query, body.as_bytes(), now(), MAX_AGE);
    assert!(push(opened).sealed);
}

#[test]
fn signature_timestamp_and_nonce_are_required() {
    for (name, spoil) in [
        (
            "signature",
            (|q: &mut PushQuery<'_>| q.signature = None) as fn(&mut PushQuery<'_>),
        ),
        ("signature", |q| q.signature = Some("".into())),
        ("timestamp", |q| q.timestamp = None),
        ("nonce", |q| q.nonce = None),
    ] {
        let mut query = query();
        spoil(&mut query);
        assert_eq!(open_at_once(Mode::Plain, &query, XML), Err(Refusal::Query(name)));
        assert_eq!(
            check_url(&credentials(Mode::Plain), &query),
            Err(Refusal::Query(name))
        );
    }
}

#[test]
fn a_stale_timestamp_is_refused_on_both_sides() {
    for (age, stale) in [(0, false), (600, false), (-600, false), (601, true), (-601, true)] {
        let now = Timestamp::from_second(SECOND + age).expect("in range");
        let opened = open_push(&credentials(Mode::Plain), &query(), XML.as_bytes(), now, MAX_AGE);
        assert_eq!(opened.err(), stale.then_some(Refusal::Stale(age)));
    }
    for timestamp in [
        "x",
        "",
        "-9223372036854775808",
        "9223372036854775807",
        "9223372036854775808",
    ] {
        let query = PushQuery {
            signature: Some(signature(TOKEN, timestamp, NONCE).into()),
            timestamp: Some(timestamp.into()),
            ..query()
        };
        assert!(open_at_once(Mode::Plain, &query, XML).is_err(), "{timestamp}");
    }
}

#[test]
fn the_check_of_the_url_gives_echostr_back() {
    let sample = PushQuery::parse(
        "signature=f464b24fc39322e44b38aa78f5edd27bd1441696&timestamp=1714036504&nonce=1514711492&echostr=4375120948345356249",
    )
    .expect("a query");
    let official = |token: &str| Credentials {
        token: token.into(),
        ..credentials(Mode::Safe)
    };
    assert_eq!(
        check_url(&official("AAAAA"), &sample).as_deref(),
        Ok("4375120948345356249")
    );
    assert_eq!(check_url(&official("AAAAB"), &sample), Err(Refusal::Signature));
    let without = PushQuery {
        echostr: None,
        ..sample.clone()
    };
    assert_eq!(
        check_url(&official("AAAAA"), &without),
        Err(Refusal::Query("echostr"))
    );
    for markup in ["<script>", "a b", "é", "a\nb", &"1".repeat(MAX_ECHOSTR + 1)] {
        let query = PushQuery {
            echostr: Some(markup.into()),
            ..sample.clone()
        };
        assert!(check_url(&official("AAAAA"), &query).is_err(), "{markup}");
    }
}

#[test]
fn the_body_tells_its_format_itself() {
    for lead in ["", "\u{feff}", " \r\n\t", "\u{feff}\n"] {
        for (body, format) in [(XML, Format::Xml), (JSON, Format::Json)] {
            let push = push(open_at_once(Mode::Plain, &query(), &format!("{lead}{body}")));
            assert_eq!(push.format, format);
        }
    }
}

#[test]
fn a_body_that_is_no_message_is_kept_as_it_came() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
    let wide = format!(
        "{{{}\"z\":1}}",
        (0..5000).map(|n| format!("\"a{n}\":1,")).collect::<String>()
    );
    for body in [
        "",
        "success",
        "[1]",
        "<xml>",
        "{",
        "{} {}",
        "<xml><MsgType>text</MsgType></xml>",
        r#"{"action":"CheckContainerPath"}"#,
        "<xml><action>CheckContainerPath</action></xml>",
        &deep,
        &wide,
    ] {
        match open_at_once(Mode::Plain, &query(), body) {
            Ok(Opened::Unreadable { raw, error }) => {
                assert_eq!(raw, body.as_bytes());
                assert!(!error.is_empty());
            }
            other => panic!("{body}: {other:?}"),
        }
        // Sealed, it is kept as it was before sealing.
        let (query, envelope) = sealed(body, Format::Xml, "");
        match open_at_once(Mode::Safe, &query, &envelope) {
            Ok(Opened::Unreadable { raw, .. }) => assert_eq!(raw, body.as_bytes()),
            other => panic!("{body}: {other:?}"),
        }
    }
    for body in [b"<xml><a>\xff</a></xml>".as_slice(), b"{\"a\":\"\xff\"}"] {
        let opened = open_push(&credentials(Mode::Plain), &query(), body, now(), MAX_AGE);
        assert!(matches!(opened, Ok(Opened::Unreadable { raw, .. }) if raw == body));
    }
}

#[test]
fn every_sample_of_a_push_is_read() {
    let mut answers = 0;
    for body in include_str!("../testdata/samples.txt").lines() {
        let push = push(open_at_once(Mode::Plain, &query(), body));
        if push.fields.text("ToUserName") == Some("gh_0123456789ab") {
            let inbound = push.into_inbound("shop".into(), now()).expect(body);
            assert!(!inbound.dedup_key.is_empty());
        } else {
            answers += 1;
        }
    }
    assert_eq!(answers, 8, "the samples of passive answers");
}

#[test]
fn a_list_is_read_in_all_its_shapes() {
    let event = |list: &str| {
        format!(r#"{{"FromUserName":"o","MsgType":"event","Event":"subscribe_msg_popup_event"{list}}}"#)
    };
    for (list, templates) in [
        ("", vec![]),
        (r#","List":{"TemplateId":"A"}"#, vec!["A"]),
        (r#","List":[{"TemplateId":"A"}]"#, vec!["A"]),
        (
            r#","List":[{"TemplateId":"A"},{"TemplateId":"B"}]"#,
            vec!["A", "B"],
        ),
    ] {
        let push = push(open_at_once(Mode::Plain, &query(), &event(list)));
        assert_eq!(push.fields.path("List.TemplateId"), templates);
    }
    let xml = include_str!("../testdata/samples.txt")
        .lines()
        .find(|line| line.contains("<SubscribeMsgPopupEvent>"))
        .expect("there is one");
    let push = push(open_at_once(Mode::Plain, &query(), xml));
    assert_eq!(
        push.fields.path("SubscribeMsgPopupEvent.List.TemplateId"),
        ["TPL_A", "TPL_B"]
    );
}

proptest! {
    #[test]
    fn no_body_panics(body: Vec<u8>, lead in "[<{ ]?") {
        let body = [lead.as_bytes(), &body].concat();
        for mode in [Mode::Plain, Mode::Safe] {
            let _ = open_push(&credentials(mode), &query(), &body, now(), MAX_AGE);
        }
    }

    #[test]
    fn no_mutated_sample_panics(which: prop::sample::Index, at: prop::sample::Index, with in prop::collection::vec(any::<u8>(), 0..4), drop in 0usize..4) {
        let samples: Vec<_> = include_str!("../testdata/samples.txt").lines().collect();
        let mut body = which.get(&samples).as_bytes().to_vec();
        let at = at.index(body.len());
        body.splice(at..(at + drop).min(body.len()), with);
        if let Ok(Opened::Push(push)) = open_push(&credentials(Mode::Plain), &query(), &body, now(), MAX_AGE) {
            let _ = push.into_inbound("shop".into(), now());
        }
        let _ = Opened::malformed(&body, "shop".into(), now());
    }

    #[test]
    fn no_changed_bit_of_an_envelope_passes(at: prop::sample::Index, bit in 0u8..8) {
        let (query, body) = sealed(XML, Format::Xml, "");
        let start = body.find("CDATA[").expect("there") + 6;
        let end = body.find("]]>").expect("there");
        let mut body = body.into_bytes();
        body[start + at.index(end - start)] ^= 1 << bit;
        prop_assert!(open_push(&credentials(Mode::Safe), &query, &body, now(), MAX_AGE).is_err());
    }
}
