//! Alarms on their way to an address that takes them, refuses them, or says nothing.

use std::net::SocketAddr;
use std::sync::Mutex;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::alarm::{Alarm, Kind};
use crate::metrics::KindOutcome;

/// What was posted, with its path, and what is answered: one line of status and a body, the last for ever. Nothing is
/// said to an empty one.
struct Server {
    addr: SocketAddr,
    posted: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Server {
    async fn start(answers: &'static [(&'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        let posted = Arc::new(Mutex::new(Vec::new()));
        let seen = posted.clone();
        tokio::spawn(async move {
            let mut quiet = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let post = read(&mut stream).await;
                let index = {
                    let mut seen = seen.lock().expect("no panic");
                    seen.push(post);
                    (seen.len() - 1).min(answers.len() - 1)
                };
                let (status, body) = answers[index];
                if status.is_empty() {
                    quiet.push(stream);
                    continue;
                }
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.expect("taken");
            }
        });
        Self { addr, posted }
    }

    fn posted(&self) -> Vec<(String, Value)> {
        self.posted.lock().expect("no panic").clone()
    }
}

/// The path and the body of a request.
async fn read(stream: &mut TcpStream) -> (String, Value) {
    let mut text = Vec::new();
    loop {
        let read = stream.read_buf(&mut text).await.expect("readable");
        let whole = String::from_utf8_lossy(&text);
        if let Some((head, body)) = whole.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            let path = head.split(' ').nth(1).expect("a path");
            return (path.to_owned(), body);
        }
        assert!(read > 0, "it ends too soon: {whole}");
    }
}

#[derive(Clone, Copy, PartialEq)]
enum To {
    Webhook,
    Robot,
}

fn messenger(to: To, addr: SocketAddr, language: Language) -> (Messenger, Arc<Metrics>) {
    let address = SecretString::from(format!("http://{addr}/send/?key=s3cret"));
    let metrics = Arc::new(Metrics::new());
    let addresses = Addresses {
        webhook: (to == To::Webhook).then(|| address.clone()),
        wecom_robot: (to == To::Robot).then_some(address),
        language,
        console: Some("https://console.example.com".to_owned()),
        timezone: TimeZone::get("Asia/Shanghai").expect("a zone"),
    };
    let limit = Duration::from_millis(300);
    let messenger = Messenger::with_limit(limit, addresses, metrics.clone()).expect("good addresses");
    (messenger, metrics)
}

fn now() -> Timestamp {
    "2026-01-05T02:00:00Z".parse().expect("a time")
}

/// One that is on, and one that is over.
fn notices() -> Vec<Notice> {
    let alarm = |kind, app: Option<&str>, en: &str, zh: &str| Alarm {
        kind,
        app: app.map(Into::into),
        since: now(),
        text_en: en.to_owned(),
        text_zh: zh.to_owned(),
    };
    vec![
        Notice {
            alarm: alarm(Kind::Token, Some("shop"), "no <token>", "没有 <token>"),
            resolved: false,
        },
        Notice {
            alarm: alarm(Kind::RulesRefused, None, "fine again", "又好了"),
            resolved: true,
        },
    ]
}

fn counted(metrics: &Metrics, kind: &str, outcome: &str) -> u64 {
    let label = KindOutcome {
        kind: kind.to_owned(),
        outcome: outcome.to_owned(),
    };
    metrics.alarms.get(&label).map_or(0, |count| count.get())
}

#[tokio::test]
async fn a_webhook_is_sent_each_alarm_as_json() {
    let server = Server::start(&[("204 No Content", "")]).await;
    let (messenger, metrics) = messenger(To::Webhook, server.addr, Language::English);
    messenger.tell(&notices(), now()).await;
    let mut posted = server.posted();
    posted.sort_by_key(|(_, body)| body["kind"].to_string());
    assert_eq!(posted.len(), 2);
    assert!(
        posted.iter().all(|(path, _)| path == "/send/?key=s3cret"),
        "as it was written"
    );
    assert_eq!(
        posted[0].1,
        json!({
            "kind": "rules_refused",
            "state": "resolved",
            "since": "2026-01-05T02:00:00Z",
            "time": "2026-01-05T02:00:00Z",
            "text": "fine again",
            "url": "https://console.example.com",
        })
    );
    assert_eq!(posted[1].1["state"], "firing");
    assert_eq!(posted[1].1["app"], "shop");
    assert_eq!(counted(&metrics, "token", "sent"), 1);
    assert_eq!(counted(&metrics, "rules_refused", "sent"), 1);
}

#[tokio::test]
async fn a_robot_is_sent_all_in_one_message() {
    let server = Server::start(&[("200 OK", r#"{"errcode":0,"errmsg":"ok"}"#)]).await;
    let (messenger, metrics) = messenger(To::Robot, server.addr, Language::Chinese);
    messenger.tell(&notices(), now()).await;
    let posted = server.posted();
    assert_eq!(posted.len(), 1);
    assert_eq!(posted[0].1["msgtype"], "markdown");
    let content = posted[0].1["markdown"]["content"].as_str().expect("a text");
    insta::assert_snapshot!(content, @r#"
    **wxreply 告警**
    > <font color="warning">告警</font> shop 没有 ‹token› <font color="comment">(01-05 10:00 起)</font>
    > <font color="info">已恢复</font> 又好了 <font color="comment">(01-05 10:00 起)</font>
    [打开控制台](https://console.example.com)
    "#);
    assert_eq!(counted(&metrics, "token", "sent"), 1);
}

#[tokio::test]
async fn a_robot_takes_no_more_than_so_much() {
    let nowhere = "127.0.0.1:9".parse().expect("an address");
    let (messenger, _) = messenger(To::Robot, nowhere, Language::Chinese);
    let mut notices = notices();
    notices[0].alarm.text_zh = "错".repeat(300);
    let many: Vec<_> = std::iter::repeat_n(notices[0].clone(), 9).collect();
    let content = messenger.0.markdown(&many);
    assert!(content.len() <= 4096, "{}", content.len());
    assert!(content.contains("\n> 还有 6 条\n[打开控制台]"), "{content}");
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    const OK: (&str, &str) = ("200 OK", r#"{"errcode":0}"#);
    for first in [
        ("502 Bad Gateway", "<html>"),
        ("429 Too Many Requests", ""),
        ("200 OK", r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#),
        ("", ""),
    ] {
        let answers: &'static [_] = Box::leak(Box::new([first, OK]));
        let server = Server::start(answers).await;
        let (messenger, metrics) = messenger(To::Robot, server.addr, Language::English);
        messenger.tell(&notices(), now()).await;
        assert_eq!(server.posted().len(), 2, "{first:?}");
        assert_eq!(counted(&metrics, "token", "sent"), 1, "{first:?}");
        assert_eq!(counted(&metrics, "token", "failed"), 0, "{first:?}");
    }
}

#[tokio::test]
async fn what_can_not_work_is_tried_once_and_said_without_the_address() {
    for (answer, words) in [
        (
            ("200 OK", r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#),
            "it answered errcode 93000: invalid webhook url",
        ),
        (
            ("200 OK", "ok"),
            "its answer is not that of a group robot; is the address right?",
        ),
        (("404 Not Found", ""), "it answered 404 Not Found"),
        (("302 Found", ""), "it answered 302 Found"),
    ] {
        let answers: &'static [_] = Box::leak(Box::new([answer]));
        let server = Server::start(answers).await;
        let (messenger, metrics) = messenger(To::Robot, server.addr, Language::English);
        let error = messenger.0.ask_robot("{}").await.expect_err("refused");
        assert_eq!(error.to_string(), words);
        messenger.tell(&notices(), now()).await;
        assert_eq!(server.posted().len(), 2, "one try each: {words}");
        assert_eq!(counted(&metrics, "token", "failed"), 1, "{words}");
    }
}

#[tokio::test]
async fn silence_and_a_closed_port_are_given_up_after_three_tries() {
    let server = Server::start(&[("", "")]).await;
    let (quiet, metrics) = messenger(To::Webhook, server.addr, Language::English);
    quiet.tell(&notices()[..1], now()).await;
    assert_eq!(server.posted().len(), 3);
    assert_eq!(counted(&metrics, "token", "failed"), 1);
    assert_eq!(counted(&metrics, "token", "sent"), 0);

    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = closed.local_addr().expect("bound");
    drop(closed);
    let (messenger, _) = messenger(To::Robot, addr, Language::English);
    let error = messenger
        .0
        .ask_robot("{}")
        .await
        .expect_err("nobody is there")
        .to_string();
    assert!(error.contains("refused"), "{error}");
    assert!(!error.contains("s3cret") && !error.contains("send"), "{error}");
}
