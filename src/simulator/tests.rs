//! The simulator against a callback that answers as it is told, and an API client that sees every byte.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use warp::Filter;

use super::*;
use crate::clock::ManualClock;
use crate::message::AppKind;

const OPENID: &str = "oTEST0000000000000000000001";

type Answers = VecDeque<Option<(u16, String)>>;

/// A callback: what it was pushed, and what it answers next (`None`: nothing at all); `success` when told nothing.
#[derive(Clone, Default)]
struct Callback {
    pushes: Arc<Mutex<Vec<(String, String)>>>,
    answers: Arc<Mutex<Answers>>,
}

impl Callback {
    fn answers(&self, status: u16, body: impl Into<String>) {
        self.answers
            .lock()
            .expect("held briefly")
            .push_back(Some((status, body.into())));
    }

    fn says_nothing(&self) {
        self.answers.lock().expect("held briefly").push_back(None);
    }

    fn pushes(&self) -> Vec<(String, String)> {
        self.pushes.lock().expect("held briefly").clone()
    }

    async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}/wechat/shop", listener.local_addr().expect("bound"));
        let callback = self.clone();
        let route = warp::query::raw()
            .and(warp::body::bytes())
            .then(move |query: String, body: Bytes| {
                let body = String::from_utf8(body.to_vec()).expect("text");
                callback.pushes.lock().expect("held briefly").push((query, body));
                let answer = callback.answers.lock().expect("held briefly").pop_front();
                async move {
                    let (status, body) = match answer {
                        None => (200, "success".to_owned()),
                        Some(Some(answer)) => answer,
                        Some(None) => std::future::pending().await,
                    };
                    let status = warp::http::StatusCode::from_u16(status).expect("a status");
                    warp::reply::with_status(body, status)
                }
            });
        tokio::spawn(warp::serve(route).incoming(listener).run());
        address
    }
}

struct Scene {
    simulator: Simulator,
    callback: Callback,
    clock: Arc<ManualClock>,
}

fn account(mode: Mode, format: Format) -> Account {
    Account {
        kind: AppKind::MiniProgram,
        app_id: "wx0123456789abcdef".into(),
        app_secret: "s3cret".into(),
        token: "AAAAA".into(),
        encoding_aes_key: "Q7mZ2vK9pL4xT8sD1nR6wB3yF5hJ0cGaUeVoXiYtWkR".into(),
        mode,
        format,
    }
}

async fn scene(mode: Mode, format: Format) -> Scene {
    let callback = Callback::default();
    let clock = Arc::new(ManualClock::at(
        Timestamp::from_second(1_732_250_000).expect("valid"),
    ));
    let config = SimulatorConfig {
        account: account(mode, format),
        callback: callback.serve().await,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let simulator = Simulator::start_at(config, listener, clock.clone())
        .await
        .expect("a listener");
    simulator.set_patience(Duration::from_millis(200));
    Scene {
        simulator,
        callback,
        clock,
    }
}

/// One request; `None` when the connection was closed without an answer.
async fn request(simulator: &Simulator, method: &str, path: &str, body: &[u8]) -> Option<(u16, Bytes)> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = http::Request::builder()
        .method(method)
        .uri(format!("http://{}{path}", simulator.addr()))
        .header("content-type", "multipart/form-data; boundary=X")
        .body(Full::new(Bytes::copy_from_slice(body)))
        .expect("a request");
    let answer = client.request(request).await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.into_body().collect().await.ok()?.to_bytes()))
}

async fn call(simulator: &Simulator, method: &str, path: &str, body: &Value) -> Value {
    let body = if body.is_null() {
        Vec::new()
    } else {
        body.to_string().into_bytes()
    };
    let (status, answer) = request(simulator, method, path, &body).await.expect("an answer");
    assert_eq!(status, 200);
    serde_json::from_slice(&answer).expect("JSON")
}

async fn token(simulator: &Simulator) -> String {
    let secret =
        json!({ "grant_type": "client_credential", "appid": "wx0123456789abcdef", "secret": "s3cret" });
    let answer = call(simulator, "POST", "/cgi-bin/stable_token", &secret).await;
    answer["access_token"].as_str().expect("a token").to_owned()
}

async fn send(simulator: &Simulator, token: &str, body: &Value) -> i64 {
    let path = format!("/cgi-bin/message/custom/send?access_token={token}");
    call(simulator, "POST", &path, body).await["errcode"]
        .as_i64()
        .expect("a code")
}

fn text(content: &str) -> Value {
    json!({ "touser": OPENID, "msgtype": "text", "text": { "content": content } })
}

fn says(simulator: &Simulator, content: &str) -> PushBody {
    let account = simulator.account();
    PushBody::text(
        &account,
        &OPENID.into(),
        content,
        23_637_352_235_060_881,
        simulator.0.now(),
    )
}

#[tokio::test]
async fn a_push_that_is_answered_is_made_once() {
    let scene = scene(Mode::Plain, Format::Xml).await;
    let report = scene.simulator.push(says(&scene.simulator, "您好")).await;
    assert_eq!(report.result, PushResult::Taken);
    assert_eq!(report.attempts.len(), 1);
    let pushes = scene.callback.pushes();
    assert_eq!(pushes.len(), 1);
    assert!(pushes[0].0.starts_with("signature="), "{}", pushes[0].0);
    assert!(
        pushes[0].0.ends_with(&format!("&openid={OPENID}")),
        "{}",
        pushes[0].0
    );
    assert!(pushes[0].1.contains("<MsgId>23637352235060881</MsgId>"));
}

#[tokio::test]
async fn an_unanswered_push_is_made_four_times_freshly_signed() {
    let scene = scene(Mode::Plain, Format::Json).await;
    scene.callback.answers(500, "");
    for _ in 0..3 {
        scene.callback.says_nothing();
    }
    let report = scene.simulator.push(says(&scene.simulator, "您好")).await;
    assert_eq!(report.result, PushResult::Unanswered);
    let statuses: Vec<Option<u16>> = report.attempts.iter().map(|a| a.status).collect();
    assert_eq!(statuses, [Some(500), None, None, None]);
    let pushes = scene.callback.pushes();
    assert!(
        pushes.iter().all(|(_, body)| *body == pushes[0].1),
        "the same message"
    );
    assert!(pushes.windows(2).all(|two| two[0].0 != two[1].0), "another nonce");
    let notice = &last_entry(&scene.simulator).await["bubble"];
    assert_eq!(notice["text"], "该小程序客服暂时无法提供服务，请稍后再试");
}

async fn last_entry(simulator: &Simulator) -> Value {
    let state = call(simulator, "GET", "/sim/state", &Value::Null).await;
    let entries = state["customers"][0]["entries"].as_array().expect("a chat");
    entries.last().expect("an entry").clone()
}

#[tokio::test]
async fn a_push_survives_a_daemon_that_comes_back() {
    let scene = scene(Mode::Plain, Format::Xml).await;
    let back = scene.simulator.0.world().callback.clone();
    scene.simulator.set_callback("http://127.0.0.1:1/down");
    let simulator = scene.simulator.clone();
    let restart = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        simulator.set_callback(&back);
    };
    let (report, ()) = tokio::join!(scene.simulator.push(says(&scene.simulator, "在吗")), restart);
    assert_eq!(report.result, PushResult::Taken);
    assert!(report.attempts.len() > 1 && report.attempts[0].error.is_some());
}

#[tokio::test]
async fn an_abnormal_answer_is_shown_and_not_asked_for_again() {
    let scene = scene(Mode::Plain, Format::Xml).await;
    scene.callback.answers(200, "ok");
    let report = scene.simulator.push(says(&scene.simulator, "您好")).await;
    assert!(matches!(report.result, PushResult::Abnormal(_)));
    assert_eq!(report.attempts.len(), 1);
    assert_eq!(
        last_entry(&scene.simulator).await["bubble"]["notice"],
        "unavailable"
    );
}

#[tokio::test]
async fn a_handed_over_customer_is_not_pushed_until_the_agent_closes() {
    let scene = scene(Mode::Plain, Format::Json).await;
    let transfer = json!({
        "ToUserName": OPENID,
        "FromUserName": scene.simulator.account().original_id(),
        "CreateTime": 1_732_250_000,
        "MsgType": "transfer_customer_service",
    });
    scene.callback.answers(200, transfer.to_string());
    let report = scene.simulator.push(says(&scene.simulator, "人工")).await;
    assert_eq!(report.result, PushResult::Transferred);
    let report = scene.simulator.push(says(&scene.simulator, "在吗")).await;
    assert_eq!((report.result, report.attempts.len()), (PushResult::ToAgent, 0));
    scene.simulator.agent_closes(OPENID);
    let report = scene.simulator.push(says(&scene.simulator, "谢谢")).await;
    assert_eq!(report.result, PushResult::Taken);
    until(|| scene.callback.pushes().len() == 3).await;
    assert!(
        scene
            .callback
            .pushes()
            .iter()
            .any(|(_, body)| body.contains("\"kf_close_session\""))
    );
}

async fn until(done: impl Fn() -> bool) {
    for _ in 0..200 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to be");
}

#[tokio::test]
async fn compat_and_safe_pushes_open_and_a_sealed_answer_is_understood() {
    for (mode, format) in [
        (Mode::Compat, Format::Xml),
        (Mode::Compat, Format::Json),
        (Mode::Safe, Format::Xml),
        (Mode::Safe, Format::Json),
    ] {
        let scene = scene(mode, format).await;
        let account = scene.simulator.account();
        let clear = answer_xml_or_json(&account, format);
        let key = crate::wechat::AesKey::decode(&account.encoding_aes_key).expect("a key");
        let encrypt = crate::wechat::seal(&key, &account.app_id, clear.as_bytes(), [7; 16]);
        let signature = crate::wechat::msg_signature(&account.token, "1732250001", "42", &encrypt);
        scene.callback.answers(200, match format {
            Format::Xml => format!(
                "<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
                 <TimeStamp>1732250001</TimeStamp><Nonce><![CDATA[42]]></Nonce></xml>"
            ),
            Format::Json => json!({
                "Encrypt": encrypt, "MsgSignature": signature, "TimeStamp": 1_732_250_001, "Nonce": "42",
            })
            .to_string(),
        });
        let report = scene.simulator.push(says(&scene.simulator, "人工")).await;
        assert_eq!(report.result, PushResult::Transferred, "{mode} {format:?}");
        let (query, body) = scene.callback.pushes().remove(0);
        let parameters: BTreeMap<String, String> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let fields = answer::read_fields(body.as_bytes()).expect("readable");
        let encrypt = fields.text("Encrypt").expect("sealed");
        let expected = crate::wechat::msg_signature(
            &account.token,
            &parameters["timestamp"],
            &parameters["nonce"],
            encrypt,
        );
        assert_eq!(parameters["msg_signature"], expected);
        assert_eq!(parameters["encrypt_type"], "aes");
        let opened = crate::wechat::open(&key, &account.app_id, encrypt).expect("opens");
        assert_eq!(opened, says(&scene.simulator, "人工").clear(format).0);
        assert_eq!(fields.text("Content").is_some(), mode == Mode::Compat);
    }
}

fn answer_xml_or_json(account: &Account, format: Format) -> String {
    let from = account.original_id();
    match format {
        Format::Xml => format!(
            "<xml><ToUserName><![CDATA[{OPENID}]]></ToUserName><FromUserName><![CDATA[{from}]]></FromUserName>\
             <CreateTime>1732250000</CreateTime><MsgType><![CDATA[transfer_customer_service]]></MsgType></xml>"
        ),
        Format::Json => json!({
            "ToUserName": OPENID, "FromUserName": from, "CreateTime": 1_732_250_000,
            "MsgType": "transfer_customer_service",
        })
        .to_string(),
    }
}

#[tokio::test]
async fn five_replies_to_a_message_then_none_and_none_after_two_days() {
    let scene = scene(Mode::Plain, Format::Xml).await;
    let token = token(&scene.simulator).await;
    assert_eq!(
        send(&scene.simulator, &token, &text("x")).await,
        40003,
        "never seen"
    );
    scene.simulator.push(says(&scene.simulator, "您好")).await;
    for _ in 0..5 {
        assert_eq!(send(&scene.simulator, &token, &text("您好")).await, 0);
    }
    assert_eq!(send(&scene.simulator, &token, &text("x")).await, 45047);
    scene.simulator.push(says(&scene.simulator, "还在吗")).await;
    scene.clock.advance(Duration::from_secs(48 * 3600 + 1));
    let token = self::token(&scene.simulator).await;
    assert_eq!(send(&scene.simulator, &token, &text("x")).await, 45015);
    let replies = scene
        .simulator
        .wait_for_replies(OPENID, 5, Duration::from_secs(1))
        .await;
    assert_eq!(replies.len(), 5);
    assert_eq!(replies[0].text(), Some("您好"));
    assert_eq!(scene.simulator.all_received(), replies);
    assert_eq!(scene.simulator.calls()["/cgi-bin/message/custom/send"], 8);
    assert_eq!(scene.simulator.tokens_issued(), 2);
}

#[tokio::test]
async fn the_token_endpoints_check_what_they_are_given() {
    let scene = scene(Mode::Plain, Format::Xml).await;
    let simulator = &scene.simulator;
    let code = async |method, path, body| call(simulator, method, path, &body).await["errcode"].clone();
    let good = "grant_type=client_credential&appid=wx0123456789abcdef&secret=s3cret";
    let first = call(simulator, "GET", &format!("/cgi-bin/token?{good}"), &Value::Null).await;
    assert_eq!(first["expires_in"], 7200);
    assert_eq!(
        code(
            "GET",
            "/cgi-bin/token?grant_type=client_credential&appid=wx0&secret=s",
            Value::Null
        )
        .await,
        40013
    );
    assert_eq!(
        code(
            "GET",
            "/cgi-bin/token?grant_type=client_credential&appid=wx0123456789abcdef&secret=s",
            Value::Null
        )
        .await,
        40125
    );
    assert_eq!(code("GET", "/cgi-bin/stable_token", Value::Null).await, 43002);
    assert_eq!(code("POST", "/cgi-bin/stable_token", Value::Null).await, 44002);
    assert_eq!(
        code("POST", "/cgi-bin/message/custom/send", text("x")).await,
        41001
    );
    assert_eq!(
        code("POST", "/cgi-bin/message/custom/send?access_token=x", text("x")).await,
        40014
    );
    let answer = call(simulator, "GET", "/cgi-bin/nonsense", &Value::Null).await;
    assert_eq!(answer["errcode"], 40066);
    let errmsg = answer["errmsg"].as_str().expect("words");
    assert!(errmsg.starts_with("invalid url rid: "), "{errmsg}");
}

#[tokio::test]
async fn a_picture_goes_up_and_comes_back_and_can_be_sent() {
    let scene = scene(Mode::Plain, Format::Xml).await;
    let token = token(&scene.simulator).await;
    let png = b"\x89PNG\r\n\x1a\n....";
    let head =
        b"--X\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.png\"\r\n\r\n".as_slice();
    let form = [head, png, b"\r\n--X--\r\n"].concat();
    let path = format!("/cgi-bin/media/upload?access_token={token}&type=image");
    let (_, answer) = request(&scene.simulator, "POST", &path, &form)
        .await
        .expect("an answer");
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    let media_id = answer["media_id"].as_str().expect("an id");
    let path = format!("/cgi-bin/media/get?access_token={token}&media_id={media_id}");
    let (_, back) = request(&scene.simulator, "GET", &path, b"")
        .await
        .expect("an answer");
    assert_eq!(back, png.as_slice());
    let (_, shown) = request(&scene.simulator, "GET", &format!("/sim/media/{media_id}"), b"")
        .await
        .expect("an answer");
    assert_eq!(shown, png.as_slice());
    scene.simulator.push(says(&scene.simulator, "菜单")).await;
    let image = |id: &str| json!({ "touser": OPENID, "msgtype": "image", "image": { "media_id": id } });
    assert_eq!(send(&scene.simulator, &token, &image("MADE_UP")).await, 40007);
    assert_eq!(send(&scene.simulator, &token, &image(media_id)).await, 0);
    scene
        .simulator
        .set_fault(Fault::MediaGone, FaultSetting::times(1));
    assert_eq!(send(&scene.simulator, &token, &image(media_id)).await, 40007);
    assert_eq!(
        send(&scene.simulator, &token, &image(media_id)).await,
        40007,
        "it is gone for good"
    );
}

#[tokio::test]
async fn typing_is_shown_until_a_message_comes() {
    let scene = scene(Mode::Plain, Format::Xml).await;
    let token = token(&scene.simulator).await;
    scene.simulator.push(says(&scene.simulator, "您好")).await;
    let typing = async |command: &str| {
        let path = format!("/cgi-bin/message/custom/typing?access_token={token}");
        let body = json!({ "touser": OPENID, "command": command });
        call(&scene.simulator, "POST", &path, &body).await["errcode"].clone()
    };
    assert_eq!(typing("Typing").await, 0);
    assert_eq!(typing("Typing").await, 45081);
    assert_eq!(send(&scene.simulator, &token, &text("您好")).await, 0);
    assert_eq!(typing("Typing").await, 0);
    assert_eq!(typing("CancelTyping").await, 0);
    assert_eq!(typing("Dancing").await, 45072);
    scene.clock.advance(Duration::from_secs(31));
    assert_eq!(typing("Typing").await, 45080);
}

#[tokio::test]
async fn each_fault_shows_as_it_is_described() {
    let scene = scene(Mode::Plain, Format::Xml).await;
    let simulator = &scene.simulator;
    simulator.push(says(simulator, "您好")).await;
    let mut token = token(simulator).await;
    for (fault, value, errcode) in [
        (Fault::Busy, 0, -1),
        (Fault::RateLimit, 0, 45011),
        (Fault::RateLimit, 45009, 45009),
        (Fault::Quota, 0, 45047),
        (Fault::RevokeToken, 0, 40001),
    ] {
        simulator.set_fault(fault, FaultSetting::times(1).with_value(value));
        assert_eq!(send(simulator, &token, &text("x")).await, errcode, "{fault:?}");
    }
    assert_eq!(send(simulator, &token, &text("x")).await, 40001, "until renewed");
    token = self::token(simulator).await;
    simulator.set_fault(Fault::ExpireToken, FaultSetting::times(1));
    assert_eq!(send(simulator, &token, &text("x")).await, 42001);
    token = self::token(simulator).await;

    let path = format!("/cgi-bin/message/custom/send?access_token={token}");
    let raw = async || request(simulator, "POST", &path, text("x").to_string().as_bytes()).await;
    simulator.set_fault(Fault::Drop, FaultSetting::times(1));
    assert_eq!(raw().await, None);
    assert!(
        simulator.received(OPENID).is_empty(),
        "dropped means not delivered"
    );
    simulator.set_fault(Fault::LostAnswer, FaultSetting::times(1));
    assert_eq!(raw().await, None);
    assert_eq!(simulator.received(OPENID).len(), 1, "lost means delivered");
    simulator.set_fault(Fault::Http500, FaultSetting::times(1));
    assert_eq!(raw().await, Some((500, Bytes::new())));
    simulator.set_fault(Fault::Html, FaultSetting::times(1).with_value(200));
    let (status, page) = raw().await.expect("a page");
    assert!(status == 200 && page.starts_with(b"<html>"));
    simulator.set_fault(Fault::Latency, FaultSetting::times(1).with_value(60));
    let began = std::time::Instant::now();
    assert!(raw().await.is_some());
    assert!(began.elapsed() >= Duration::from_millis(60));
    assert_eq!(send(simulator, &token, &text("x")).await, 0, "all are over");
}

#[tokio::test]
async fn the_page_is_served_with_a_strict_policy_and_others_may_not_act() {
    let scene = scene(Mode::Plain, Format::Xml).await;
    for (path, beginning) in [
        ("/", "<!doctype html>"),
        ("/style.css", ":root"),
        ("/app.js", "\"use strict\""),
    ] {
        let (status, body) = request(&scene.simulator, "GET", path, b"")
            .await
            .expect("an answer");
        assert_eq!(status, 200, "{path}");
        assert!(body.starts_with(beginning.as_bytes()), "{path}");
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    for (origin, status) in [
        ("https://evil.example", 403),
        (&*format!("http://{}", scene.simulator.addr()), 200),
    ] {
        let request = http::Request::post(format!("http://{}/sim/customers", scene.simulator.addr()))
            .header("origin", origin)
            .body(Full::<Bytes>::default())
            .expect("a request");
        let answer = client.request(request).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{origin}");
    }
}

#[tokio::test]
async fn what_the_page_does_reaches_the_callback() {
    let scene = scene(Mode::Plain, Format::Json).await;
    let simulator = &scene.simulator;
    let act = async |path: &str, body: Value| call(simulator, "POST", path, &body).await;
    let openid = act("/sim/customers", Value::Null).await["openid"]
        .as_str()
        .expect("an openid")
        .to_owned();
    act(
        &format!("/sim/customers/{openid}/text"),
        json!({ "text": "您好" }),
    )
    .await;
    act(
        &format!("/sim/customers/{openid}/enter"),
        json!({ "session_from": "home" }),
    )
    .await;
    act(
        &format!("/sim/customers/{openid}/card"),
        json!({ "title": "订单", "page_path": "pages/a?id=7" }),
    )
    .await;
    let path = format!("/sim/customers/{openid}/image");
    let (status, _) = request(simulator, "POST", &path, b"\x89PNG\r\n\x1a\n....")
        .await
        .expect("an answer");
    assert_eq!(status, 200);
    let (status, _) = request(simulator, "POST", &path, b"<svg/>")
        .await
        .expect("an answer");
    assert_eq!(status, 400);
    until(|| scene.callback.pushes().len() == 4).await;
    let kinds: Vec<String> = [
        "\"text\"",
        "\"user_enter_tempsession\"",
        "\"miniprogrampage\"",
        "\"image\"",
    ]
    .into_iter()
    .filter(|kind| {
        scene
            .callback
            .pushes()
            .iter()
            .any(|(_, body)| body.contains(kind))
    })
    .map(str::to_owned)
    .collect();
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    act(
        "/sim/settings",
        json!({ "mode": "safe", "format": "xml", "token_lifetime": 60 }),
    )
    .await;
    assert_eq!(simulator.account().mode, Mode::Safe);
    act("/sim/faults", json!({ "fault": "http-500", "probability": 1.0 })).await;
    assert_eq!(
        simulator.0.world().faults.get(Fault::Http500),
        FaultSetting::ALWAYS
    );
    let raw = br#"{"FromUserName":"oRAW","MsgType":"event","Event":"subscribe"}"#;
    let (_, report) = request(simulator, "POST", "/sim/push", raw)
        .await
        .expect("an answer");
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    assert_eq!(report["result"], "taken");
}
