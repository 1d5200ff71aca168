//! What arrives, what is answered, what is stored: the table of the contract, line by line.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{Receiver, routes};
use crate::clock::ManualClock;
use crate::config::Push;
use crate::intake::{Intake, QuotaPolicy};
use crate::message::{AppKind, Mode};
use crate::metrics::Metrics;
use crate::rules::RuleSet;
use crate::store::{Access, Filter, Order, Store};
use crate::wechat::{AesKey, Credentials, msg_signature, seal, signature};

const APP_ID: &str = "wx3d289323f5900f8e";
const TOKEN: &str = "AAAAA";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const NOW: i64 = 1_780_000_000;

struct Stage {
    receiver: Arc<Receiver>,
    store: Store,
    metrics: Arc<Metrics>,
    _live: watch::Sender<Arc<RuleSet>>,
    _folder: tempfile::TempDir,
}

/// A receiver with one app, `shop`, in safe mode; its clock stands at [`NOW`].
async fn stage() -> Stage {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("log.db").display());
    let clock = Arc::new(ManualClock::at(Timestamp::from_second(NOW).expect("a time")));
    let metrics = Arc::new(Metrics::new());
    let store = Store::open(&url, Access::Daemon, clock.clone(), metrics.clone())
        .await
        .expect("a store");
    let (live, rules) = watch::channel(Arc::new(RuleSet::empty()));
    let policy = QuotaPolicy {
        kind: AppKind::MiniProgram,
        reserve: 0,
    };
    let credentials = Credentials {
        app_id: APP_ID.to_owned(),
        token: TOKEN.into(),
        aes_key: Some(AesKey::decode(KEY).expect("a key")),
        mode: Mode::Safe,
    };
    let limits = Push {
        max_age: Duration::from_secs(600),
        max_body: 4096,
        max_connections: 8,
    };
    let intake = Intake::new(
        store.clone(),
        rules,
        [("shop".into(), policy)].into_iter().collect(),
    );
    let apps = vec![("shop".into(), credentials)];
    Stage {
        receiver: Arc::new(Receiver::new(apps, &limits, intake, clock, metrics.clone())),
        store,
        metrics,
        _live: live,
        _folder: folder,
    }
}

impl Stage {
    async fn ask(&self, method: Method, uri: &str, body: impl Into<Bytes>) -> (StatusCode, String) {
        let service = TowerToHyperService::new(warp::service(routes(self.receiver.clone())));
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .body(Full::new(body.into()));
        let answer = service
            .call(request.expect("a request"))
            .await
            .expect("an answer");
        let status = answer.status();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    async fn post(&self, push: (String, String)) -> (StatusCode, String) {
        self.ask(Method::POST, &push.0, push.1).await
    }

    /// Statuses of all rows, oldest first.
    async fn stored(&self) -> Vec<String> {
        let rows = self
            .store
            .entries(&Filter::default(), Order::OldestFirst)
            .await
            .expect("rows");
        rows.into_iter().map(|row| row.status).collect()
    }

    #[track_caller]
    fn assert_counted(&self, line: &str) {
        let page = self.metrics.page();
        assert!(
            page.lines().any(|l| l == format!("wxreply_{line}")),
            "{line}\n{page}"
        );
    }
}

/// A sealed push of `xml`: its URI and its body. `random` differs each time WeChat pushes.
fn sealed(xml: &str, timestamp: i64, nonce: &str, random: u8) -> (String, String) {
    let key = AesKey::decode(KEY).expect("a key");
    let encrypt = seal(&key, APP_ID, xml.as_bytes(), [random; 16]);
    let timestamp = timestamp.to_string();
    let uri = format!(
        "/wechat/shop?signature={}&timestamp={timestamp}&nonce={nonce}&encrypt_type=aes&msg_signature={}",
        signature(TOKEN, &timestamp, nonce),
        msg_signature(TOKEN, &timestamp, nonce, &encrypt),
    );
    let body = format!("<xml><ToUserName>gh_1</ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>");
    (uri, body)
}

fn text(id: u64) -> String {
    format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>oUser</FromUserName><CreateTime>{NOW}</CreateTime>\
         <MsgType>text</MsgType><Content>你好</Content><MsgId>{id}</MsgId></xml>"
    )
}

#[tokio::test]
async fn the_url_check_gives_echostr_back() {
    let stage = stage().await;
    let good = signature(TOKEN, "1", "2");
    let uri =
        |signature: &str| format!("/wechat/shop?signature={signature}&timestamp=1&nonce=2&echostr=a%2Bb");
    assert_eq!(
        stage.ask(Method::GET, &uri(&good), "").await,
        (StatusCode::OK, "a+b".to_owned())
    );
    let refused = (StatusCode::FORBIDDEN, "403 Forbidden".to_owned());
    assert_eq!(stage.ask(Method::GET, &uri("0000"), "").await, refused);
    assert_eq!(stage.ask(Method::GET, "/wechat/shop", "").await, refused);
}

#[tokio::test]
async fn nothing_else_is_served() {
    let stage = stage().await;
    for uri in [
        "/",
        "/wechat",
        "/wechat/",
        "/wechat/other",
        "/wechat/shop/more",
        "/metrics",
        "/healthz",
    ] {
        assert_eq!(
            stage.ask(Method::POST, uri, "").await.0,
            StatusCode::NOT_FOUND,
            "{uri}"
        );
    }
    assert_eq!(
        stage.ask(Method::DELETE, "/wechat/shop", "").await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn a_message_is_stored_once_however_often_it_is_pushed() {
    let stage = stage().await;
    let success = (StatusCode::OK, "success".to_owned());
    assert_eq!(stage.post(sealed(&text(1), NOW, "a", 1)).await, success);
    assert_eq!(
        stage.post(sealed(&text(1), NOW, "a", 2)).await,
        success,
        "pushed again"
    );
    assert_eq!(
        stage.post(sealed(&text(1), NOW + 5, "b", 3)).await,
        success,
        "with another signature"
    );
    assert_eq!(stage.stored().await, ["unmatched"]);
    stage.assert_counted("pushes_total{app=\"shop\",outcome=\"accepted\"} 1");
    stage.assert_counted("pushes_total{app=\"shop\",outcome=\"duplicate\"} 2");
}

#[tokio::test]
async fn whatever_is_wrong_the_answer_is_one_and_the_same() {
    let stage = stage().await;
    let (good_uri, good_body) = sealed(&text(1), NOW, "a", 1);
    let stale = sealed(&text(1), NOW - 601, "a", 1);
    let plain = {
        let signature = signature(TOKEN, &NOW.to_string(), "p");
        (
            format!("/wechat/shop?signature={signature}&timestamp={NOW}&nonce=p"),
            text(1),
        )
    };
    let refused = [
        (
            "signature",
            (
                "/wechat/shop?signature=00&timestamp=1&nonce=2".to_owned(),
                good_body.clone(),
            ),
        ),
        ("query", ("/wechat/shop".to_owned(), good_body.clone())),
        ("stale", stale),
        ("mode", plain),
        (
            "signature",
            (good_uri.clone(), good_body.replace("CDATA[", "CDATA[AAAA")),
        ),
    ];
    for (reason, push) in refused {
        let answer = stage.post(push).await;
        assert_eq!(
            answer,
            (StatusCode::FORBIDDEN, "403 Forbidden".to_owned()),
            "{reason}"
        );
        let last = stage.receiver.last_refusals();
        assert!(last.contains_key("shop"), "{reason}");
    }
    stage.assert_counted("push_refusals_total{app=\"shop\",outcome=\"stale\"} 1");
    stage.assert_counted("push_refusals_total{app=\"shop\",outcome=\"mode\"} 1");
    stage.assert_counted("pushes_total{app=\"shop\",outcome=\"refused\"} 5");
    assert_eq!(stage.stored().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_signature_serves_one_message_even_after_a_restart() {
    let stage = stage().await;
    assert_eq!(stage.post(sealed(&text(1), NOW, "a", 1)).await.0, StatusCode::OK);
    assert_eq!(
        stage.post(sealed(&text(2), NOW, "a", 2)).await.0,
        StatusCode::FORBIDDEN
    );
    stage.assert_counted("push_refusals_total{app=\"shop\",outcome=\"reused\"} 1");
    assert_eq!(stage.stored().await, ["unmatched"]);

    let (tell, told) = std::sync::mpsc::channel();
    let bind = move |app: &str, pair, id| tell.send((app.to_owned(), pair, id)).expect("is heard");
    let since = stage.receiver.nonces_since();
    stage.store.recent_nonces(since, bind).await.expect("pairs");
    let recent: Vec<_> = told.into_iter().collect();
    assert_eq!(recent.len(), 1);
    let restarted = self::stage().await;
    for (app, pair, id) in recent {
        restarted.receiver.restore_nonce(&app, pair, id);
    }
    assert_eq!(
        restarted.post(sealed(&text(2), NOW, "a", 2)).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        restarted.post(sealed(&text(1), NOW, "a", 3)).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn what_is_well_signed_but_no_message_is_kept() {
    let stage = stage().await;
    let success = (StatusCode::OK, "success".to_owned());
    let lacking = "<xml><ToUserName>gh_1</ToUserName><Surprise>1</Surprise></xml>";
    assert_eq!(stage.post(sealed("not XML at all", NOW, "a", 1)).await, success);
    assert_eq!(stage.post(sealed(lacking, NOW, "b", 1)).await, success);
    assert_eq!(
        stage.post(sealed(lacking, NOW, "b", 2)).await,
        success,
        "sealed anew, it is the same"
    );
    assert_eq!(stage.stored().await, ["malformed", "malformed"]);
    let rows = stage
        .store
        .entries(&Filter::default(), Order::OldestFirst)
        .await
        .expect("rows");
    let contents: Vec<_> = rows.iter().filter_map(|row| row.content.as_deref()).collect();
    assert!(contents.contains(&"not XML at all"), "{contents:?}");
    assert!(contents.iter().any(|c| c.contains("Surprise")), "{contents:?}");
}

#[tokio::test]
async fn too_large_a_body_is_refused_before_it_is_read() {
    let stage = stage().await;
    let (uri, _) = sealed(&text(1), NOW, "a", 1);
    let answer = stage.ask(Method::POST, &uri, vec![b'x'; 4097]).await;
    assert_eq!(answer.0, StatusCode::PAYLOAD_TOO_LARGE);
    stage.assert_counted("pushes_total{app=\"shop\",outcome=\"too_large\"} 1");
}

#[tokio::test]
async fn without_a_database_it_is_500_so_that_it_is_pushed_again() {
    let stage = stage().await;
    stage.store.close().await;
    let answer = stage.post(sealed(&text(1), NOW, "a", 1)).await;
    assert_eq!(answer.0, StatusCode::INTERNAL_SERVER_ERROR);
    stage.assert_counted("pushes_total{app=\"shop\",outcome=\"failed\"} 1");
}
