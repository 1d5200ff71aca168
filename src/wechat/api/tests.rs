//! The client against servers on this machine that behave, misbehave, or are not there.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use http::StatusCode;
use warp::Filter;
use warp::hyper::body::Bytes as BodyBytes;

use super::*;
use crate::message::Reply;

const TOKEN: &str = "ACCESS-TOKEN-0123456789";
const SECRET: &str = "APP-SECRET-0123456789";

#[derive(Clone, Debug)]
struct Seen {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Seen {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A server that gives the same answer to everything.
struct Fake {
    base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    async fn answering(status: u16, body: impl Into<String>) -> Self {
        Self::late(status, body, Duration::ZERO).await
    }

    async fn late(status: u16, body: impl Into<String>, delay: Duration) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let body = body.into();
        let log = seen.clone();
        let route = warp::method()
            .and(warp::path::full())
            .and(warp::query::raw().or(warp::any().map(String::new)).unify())
            .and(warp::header::headers_cloned())
            .and(warp::body::bytes())
            .then(
                move |method: http::Method, path: warp::path::FullPath, query, headers, bytes: BodyBytes| {
                    log.lock().expect("no panic").push(Seen {
                        method: method.to_string(),
                        path: path.as_str().to_owned(),
                        query,
                        headers,
                        body: bytes.to_vec(),
                    });
                    let body = body.clone();
                    async move {
                        tokio::time::sleep(delay).await;
                        let status = StatusCode::from_u16(status).expect("a status");
                        warp::reply::with_header(
                            warp::reply::with_status(body, status),
                            "location",
                            "/elsewhere",
                        )
                    }
                },
            );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(warp::serve(route).incoming(listener).run());
        Self { base, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    fn only(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen.remove(0)
    }
}

/// A server that reads a request, says `words`, and hangs up.
fn rude(words: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 65536]);
            let _ = stream.write_all(words.as_bytes());
        }
    });
    format!("http://{address}")
}

/// A port where nobody listens.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound")
}

fn api_within(bases: &[&str], timeout: Duration) -> Api {
    Api::new(ApiConfig {
        app_id: "wx0123456789abcdef".into(),
        app_secret: SECRET.into(),
        bases: bases.iter().map(|base| (*base).to_owned()).collect(),
        timeout,
    })
    .expect("a client")
}

fn api(bases: &[&str]) -> Api {
    api_within(bases, Duration::from_secs(5))
}

fn hello() -> Reply {
    Reply::Text("您好".into())
}

async fn send(api: &Api) -> Result<(), ApiError> {
    api.send(&TOKEN.into(), "oTEST", &hello()).await
}

/// The error of a send, after a look at its words.
async fn failure(api: &Api) -> ApiError {
    let error = send(api).await.expect_err("a failure");
    for text in [error.to_string(), format!("{error:?}")] {
        for secret in [TOKEN, SECRET, "access_token=", "/cgi-bin/"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    error
}

#[tokio::test]
async fn a_reply_arrives_as_raw_json_with_the_token_in_the_query() {
    let fake = Fake::answering(200, r#"{"errcode":0,"errmsg":"ok"}"#).await;
    send(&api(&[&fake.base])).await.expect("sent");
    let seen = fake.only();
    assert_eq!(
        (seen.method.as_str(), seen.path.as_str()),
        ("POST", "/cgi-bin/message/custom/send")
    );
    assert_eq!(seen.query, format!("access_token={TOKEN}"));
    assert!(
        seen.headers[CONTENT_TYPE]
            .to_str()
            .expect("ASCII")
            .starts_with("application/json")
    );
    let body: serde_json::Value = serde_json::from_str(&seen.text()).expect("JSON");
    assert_eq!(body["text"]["content"], "您好");
    assert!(seen.text().contains("您好"), "raw, not escaped");
}

#[tokio::test]
async fn a_base_may_have_a_path_and_a_trailing_slash() {
    let fake = Fake::answering(200, "{}").await;
    let base = format!("{}/relay/", fake.base);
    api(&[&base]).typing(&TOKEN.into(), "oTEST").await.expect("taken");
    let seen = fake.only();
    assert_eq!(seen.path, "/relay/cgi-bin/message/custom/typing");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&seen.text()).expect("JSON"),
        serde_json::json!({"touser": "oTEST", "command": "Typing"})
    );
}

#[tokio::test]
async fn wechats_refusal_keeps_its_code_and_rid() {
    let body = format!(r#"{{"errcode":45047,"errmsg":"out of response count limit {TOKEN} rid: 66-1"}}"#);
    let fake = Fake::answering(200, body).await;
    match failure(&api(&[&fake.base])).await {
        ApiError::Refused { errcode, errmsg } => {
            assert_eq!(errcode, 45047);
            assert!(errmsg.ends_with("rid: 66-1"), "{errmsg}");
        }
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_gateways_page_is_not_wechats_answer() {
    let page = format!("<html>bad /path?x={TOKEN}{}</html>", "x".repeat(1000));
    for (status, body) in [
        (200, page.as_str()),
        (502, page.as_str()),
        (500, r#"{"errcode":0,"errmsg":"ok"}"#),
        (302, ""),
        (200, ""),
        (200, "[]"),
    ] {
        let fake = Fake::answering(status, body).await;
        match failure(&api(&[&fake.base, "http://127.0.0.1:1"])).await {
            ApiError::Gateway {
                status: got, excerpt, ..
            } => {
                assert_eq!(got, status);
                assert!(excerpt.chars().count() <= 200, "{excerpt}");
            }
            error => panic!("{status}: {error:?}"),
        }
        fake.only(); // neither repeated nor redirected
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let fake = Fake::answering(200, "x".repeat(MAX_ANSWER + 1)).await;
    let error = failure(&api(&[&fake.base])).await;
    assert!(
        matches!(error, ApiError::Gateway { status: 200, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_it_open_whether_the_message_arrived() {
    let spare = Fake::answering(200, "{}").await;
    for words in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"errcode\":0",
    ] {
        let error = failure(&api(&[&rude(words), &spare.base])).await;
        assert!(
            matches!(error, ApiError::Unanswered { .. }),
            "{words:?}: {error:?}"
        );
    }
    assert!(spare.seen().is_empty(), "what may have left is not sent again");
    // A status other than 200 says enough, though its body breaks off.
    let error = failure(&api(&[&rude(
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 100\r\n\r\n<",
    )]))
    .await;
    assert!(
        matches!(error, ApiError::Gateway { status: 502, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_time_out_after_the_request_left_leaves_it_open_too() {
    let late = Fake::late(200, "{}", Duration::from_secs(5)).await;
    let spare = Fake::answering(200, "{}").await;
    let error = failure(&api_within(
        &[&late.base, &spare.base],
        Duration::from_millis(300),
    ))
    .await;
    assert!(matches!(error, ApiError::Unanswered { .. }), "{error:?}");
    assert!(error.to_string().contains("300.0ms"), "{error}");
    assert!(spare.seen().is_empty());
}

#[tokio::test]
async fn a_base_out_of_reach_is_stepped_over_and_remembered() {
    let good = Fake::answering(200, "{}").await;
    let dead = format!("http://{}", nobody());
    let api = api(&[&dead, &good.base]);
    for _ in 0..3 {
        send(&api).await.expect("sent by the second");
    }
    assert_eq!(good.seen().len(), 3);
    assert_eq!(api.0.preference.order(2).next(), Some(1));
}

#[tokio::test]
async fn a_failed_tls_handshake_is_out_of_reach() {
    let clear = Fake::answering(200, "{}").await;
    let good = Fake::answering(200, "{}").await;
    let dead = clear.base.replace("http:", "https:");
    send(&api(&[&dead, &good.base]))
        .await
        .expect("sent by the second");
    assert!(clear.seen().is_empty());
}

#[tokio::test]
async fn a_slow_connection_is_out_of_reach() {
    // Takes connections, says nothing: TLS never comes about.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = format!("https://{}", silent.local_addr().expect("bound"));
    let good = Fake::answering(200, "{}").await;
    send(&api_within(&[&dead, &good.base], Duration::from_secs(3)))
        .await
        .expect("sent by the second");
    let error = failure(&api_within(&[&dead], Duration::from_millis(1500))).await;
    assert!(matches!(error, ApiError::Unreached { .. }), "{error:?}");
    assert!(
        error.to_string().contains("no connection within 500ms"),
        "{error}"
    );
}

#[tokio::test]
async fn a_call_goes_on_where_the_last_one_ran_out_of_time() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = format!("https://{}", silent.local_addr().expect("bound"));
    let good = Fake::answering(200, "{}").await;
    let api = api_within(&[&dead, &dead, &dead, &good.base], Duration::from_secs(1));
    let error = failure(&api).await;
    assert!(matches!(error, ApiError::Unreached { .. }), "{error:?}");
    send(&api).await.expect("sent by the last");
}

#[tokio::test]
async fn nobody_there_is_said_with_the_host() {
    let [first, last] = [nobody(), nobody()];
    let error = failure(&api(&[&format!("http://{first}"), &format!("http://{last}")])).await;
    match error {
        ApiError::Unreached { host, cause } => {
            assert_eq!(host, last.to_string());
            assert!(cause.to_lowercase().contains("refused"), "{cause}");
        }
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_picture_is_uploaded_as_one_part_of_known_length() {
    for (answer, id) in [
        (
            r#"{"type":"image","media_id":"M1","created_at":1732250000}"#,
            "M1",
        ),
        (
            r#"{"errcode":0,"thumb_media_id":"T1","created_at":"1732250000"}"#,
            "T1",
        ),
    ] {
        let fake = Fake::answering(200, answer).await;
        let bytes = b"\x89PNG\r\n--not-a-boundary\xff".to_vec();
        let uploaded = api(&[&fake.base])
            .upload_image(&TOKEN.into(), "image/png", bytes.clone())
            .await
            .expect("uploaded");
        assert_eq!(uploaded.media_id, id);
        assert_eq!(uploaded.created.as_second(), 1_732_250_000);
        let seen = fake.only();
        assert_eq!(seen.query, format!("access_token={TOKEN}&type=image"));
        assert_eq!(seen.headers["content-length"], seen.body.len().to_string());
        let text = seen.text();
        assert!(text.contains("name=\"media\"; filename=\"image.png\""), "{text}");
        assert!(text.to_lowercase().contains("content-type: image/png"), "{text}");
        assert!(seen.body.windows(bytes.len()).any(|window| window == bytes));
    }
    let fake = Fake::answering(200, r#"{"errcode":0}"#).await;
    let error = api(&[&fake.base])
        .upload_image(&TOKEN.into(), "image/gif", vec![1])
        .await;
    assert!(matches!(error, Err(ApiError::Gateway { .. })), "{error:?}");
}

#[tokio::test]
async fn tokens_are_asked_for_in_both_ways() {
    let fake = Fake::answering(200, r#"{"access_token":"T-1","expires_in":7200}"#).await;
    let api = api(&[&fake.base]);
    let fetched = api.token(TokenRequest::Classic).await.expect("a token");
    assert_eq!(fetched.token.expose_secret(), "T-1");
    assert_eq!(fetched.expires_in, Duration::from_secs(7200));
    assert!(!format!("{fetched:?}").contains("T-1"));
    api.token(TokenRequest::Stable { force: true })
        .await
        .expect("a token");
    let [classic, stable] = fake.seen().try_into().expect("two calls");
    assert_eq!(
        (classic.method.as_str(), classic.path.as_str()),
        ("GET", "/cgi-bin/token")
    );
    assert_eq!(
        classic.query,
        format!("grant_type=client_credential&appid=wx0123456789abcdef&secret={SECRET}")
    );
    assert_eq!(
        (stable.method.as_str(), stable.path.as_str()),
        ("POST", "/cgi-bin/stable_token")
    );
    assert_eq!(stable.query, "");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&stable.text()).expect("JSON"),
        serde_json::json!({"grant_type": "client_credential", "appid": "wx0123456789abcdef", "secret": SECRET, "force_refresh": true})
    );
}

#[tokio::test]
async fn a_token_never_shows_in_the_error_of_an_odd_answer() {
    for body in [
        "FRESH-TOKEN",
        r#"{"token":"FRESH-TOKEN"}"#,
        r#"{"access_token":"FRESH-TOKEN"}"#,
        r#"{"access_token":"","expires_in":7200}"#,
        r#"{"access_token":"FRESH-TOKEN","expires_in":-1}"#,
        r#"{"access_token":"FRESH-TOKEN","expires_"#,
    ] {
        let fake = Fake::answering(200, body).await;
        let api = api(&[&fake.base]);
        for result in [
            api.token(TokenRequest::Classic).await,
            api.token_from(&format!("{}/token?key=KEY-OF-THE-SHOP", fake.base))
                .await,
        ] {
            let error = result.expect_err(body);
            assert!(matches!(error, ApiError::Gateway { .. }), "{error:?}");
            for secret in ["FRESH", "KEY-OF", SECRET] {
                assert!(!error.to_string().contains(secret), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_central_server_gives_a_token() {
    let fake = Fake::answering(200, r#"{"access_token":"T-2","expires_in":"345"}"#).await;
    let api = api(&["http://127.0.0.1:1"]);
    let fetched = api
        .token_from(&format!("{}/token?key=K", fake.base))
        .await
        .expect("a token");
    assert_eq!(fetched.token.expose_secret(), "T-2");
    assert_eq!(fetched.expires_in, Duration::from_secs(345));
    assert_eq!(fake.only().query, "key=K");
    for url in [
        "",
        "no url",
        "ftp://a/?key=KEY-OF-THE-SHOP",
        &format!("http://{}/?key=KEY-OF-THE-SHOP", nobody()),
    ] {
        let error = api.token_from(url).await.expect_err(url);
        assert!(matches!(error, ApiError::Unreached { .. }), "{url}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("KEY-OF"), "{error}");
    }
}

#[test]
fn a_client_needs_bases_that_are_urls() {
    let bases = |bases: &[&str]| {
        Api::new(ApiConfig {
            app_id: String::new(),
            app_secret: SECRET.into(),
            bases: bases.iter().map(|base| (*base).to_owned()).collect(),
            timeout: Duration::from_secs(1),
        })
    };
    assert!(bases(&[]).is_err());
    assert!(bases(&["api.weixin.qq.com"]).is_err());
    let api = bases(&["https://api.weixin.qq.com", "https://api2.weixin.qq.com"]).expect("fine");
    assert!(!format!("{api:?}").contains(SECRET));
}

#[tokio::test]
async fn a_download_is_a_file_or_a_refusal() {
    let download = async |status, body: &str| {
        let fake = Fake::answering(status, body).await;
        let downloaded = api(&[&fake.base]).download_image(&TOKEN.into(), "M&1").await;
        let seen = fake.seen.lock().expect("no panic").remove(0);
        assert_eq!(
            (seen.method.as_str(), seen.path.as_str(), seen.query.as_str()),
            (
                "GET",
                "/cgi-bin/media/get",
                "access_token=ACCESS-TOKEN-0123456789&media_id=M%261"
            )
        );
        downloaded
    };
    for file in ["\u{89}PNG", "{no json", "GIF89a"] {
        let whole = download(200, file).await.expect("a file");
        assert_eq!(whole, Downloaded::Whole(file.to_owned().into()));
    }
    let refused = download(200, r#"{"errcode":40007,"errmsg":"invalid media_id"}"#).await;
    assert!(
        matches!(refused, Err(ApiError::Refused { errcode: 40007, .. })),
        "{refused:?}"
    );
    for (status, body) in [
        (200, ""),
        (200, r#"{"video_url":"x"}"#),
        (502, "GIF89a"),
        (302, ""),
        (200, "<html>sign in to this Wi-Fi</html>"),
        (200, "\n <!DOCTYPE html>"),
    ] {
        let error = download(status, body).await.expect_err("no picture");
        assert!(matches!(error, ApiError::Gateway { .. }), "{error:?}");
    }
    let page = "HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=gbk\r\nContent-Length: 5\r\n\r\nsorry";
    let error = api(&[&rude(page)]).download_image(&TOKEN.into(), "M").await;
    assert!(matches!(error, Err(ApiError::Gateway { .. })), "{error:?}");
    let large = "x".repeat(MAX_PICTURE + 1);
    assert_eq!(
        download(200, &large).await.expect("an answer"),
        Downloaded::TooLarge
    );
    let most = download(200, &large[1..]).await.expect("a file");
    assert!(matches!(most, Downloaded::Whole(bytes) if bytes.len() == MAX_PICTURE));
}
