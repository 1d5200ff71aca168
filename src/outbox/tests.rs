//! The outbox at work: a real store, a real client, and a small WeChat that does as it is told at the moment it is told,
//! which the simulator, driven by chance and by customers, does not.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use warp::Filter;
use warp::http::Response;

use super::{OnUncertain, OutboxConfig, Sender, run};
use crate::clock::{SharedClock, SystemClock, after};
use crate::message::{
    Answer, Contact, Decision, Entry, Fields, Inbound, InboundStatus, Ledger, MessageId, Outbound, Reply,
    Verdict,
};
use crate::metrics::Metrics;
use crate::store::{Access, Arrival, Store};
use crate::token::{TokenKeeper, TokenSource};
use crate::wechat::api::{Api, ApiConfig};

const GAP: Duration = Duration::from_millis(60);

/// What WeChat does with a send, other than take it.
#[derive(Clone, Copy)]
enum Fault {
    Errcode(i64),
    /// Takes the reply, and answers long after the caller has gone.
    Silence,
}

/// One call that WeChat got.
#[derive(Clone, Debug)]
struct Call {
    path: String,
    /// The text of a reply; whether the renewal of a token is forced.
    what: String,
    at: Instant,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    faults: VecDeque<Fault>,
    /// The number of the token that is valid.
    token: u32,
    delay: Duration,
}

/// A WeChat of one app.
#[derive(Clone, Default)]
struct WeChat(Arc<Mutex<State>>);

impl WeChat {
    async fn start(&self) -> SocketAddr {
        let this = self.clone();
        let routes = warp::path::full()
            .and(warp::query::<BTreeMap<String, String>>())
            .and(warp::body::bytes())
            .then(move |path: warp::path::FullPath, query, body: Bytes| {
                let this = this.clone();
                async move { this.answer(path.as_str(), &query, &body).await }
            });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let addr = listener.local_addr().expect("bound");
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        addr
    }

    async fn answer(&self, path: &str, query: &BTreeMap<String, String>, body: &[u8]) -> Response<String> {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        let path = path.rsplit('/').next().unwrap_or_default();
        let what = match path {
            "stable_token" => value["force_refresh"].to_string(),
            _ => value["text"]["content"].as_str().unwrap_or_default().to_owned(),
        };
        let (delay, fault, token) = {
            let mut state = self.0.lock().expect("unpoisoned");
            state.calls.push(Call {
                path: path.to_owned(),
                what: what.clone(),
                at: Instant::now(),
            });
            if what == "true" {
                state.token += 1;
            }
            let fault = (path == "send").then(|| state.faults.pop_front()).flatten();
            (state.delay, fault, format!("T{}", state.token))
        };
        if path == "stable_token" {
            return Response::new(json!({ "access_token": token, "expires_in": 7200 }).to_string());
        }
        sleep(delay).await;
        let errcode = match fault {
            _ if query.get("access_token") != Some(&token) => 40001,
            Some(Fault::Errcode(errcode)) => errcode,
            Some(Fault::Silence) => {
                sleep(Duration::from_secs(60)).await;
                0
            }
            None => 0,
        };
        Response::new(json!({ "errcode": errcode, "errmsg": "as told rid: 1-2-3" }).to_string())
    }

    fn told(&self, tell: impl FnOnce(&mut State)) {
        tell(&mut self.0.lock().expect("unpoisoned"));
    }

    fn fault(&self, faults: &[Fault]) {
        self.told(|state| state.faults.extend(faults));
    }

    fn calls(&self, path: &str) -> Vec<Call> {
        let state = self.0.lock().expect("unpoisoned");
        state
            .calls
            .iter()
            .filter(|call| call.path == path)
            .cloned()
            .collect()
    }

    fn whats(&self, path: &str) -> Vec<String> {
        self.calls(path).into_iter().map(|call| call.what).collect()
    }
}

/// A daemon's outbox, and WeChat on its other side.
struct Bench {
    wechat: WeChat,
    addr: SocketAddr,
    /// Kept until the end, for the database is in it.
    _dir: TempDir,
    store: Store,
    config: OutboxConfig,
    running: Option<JoinHandle<()>>,
}

fn clock() -> SharedClock {
    Arc::new(SystemClock)
}

impl Bench {
    async fn new() -> Self {
        let wechat = WeChat::default();
        let addr = wechat.start().await;
        let dir = TempDir::new().expect("a folder");
        let url = format!("sqlite://{}", dir.path().join("t.db").display());
        let store = Store::open(&url, Access::Daemon, clock(), Arc::new(Metrics::new()));
        Self {
            store: store.await.expect("opens"),
            config: OutboxConfig {
                max_age: Duration::from_secs(30),
                on_uncertain: OnUncertain::Resend,
                concurrency: 16,
                gap: GAP,
                media_root: dir.path().to_owned(),
                reserve: 0,
                webhook: None,
                webhook_concurrency: 8,
            },
            wechat,
            addr,
            _dir: dir,
            running: None,
        }
    }

    async fn started() -> Self {
        let mut bench = Self::new().await;
        bench.start();
        bench
    }

    fn start(&mut self) {
        let api = Api::new(ApiConfig {
            app_id: "wx0".to_owned(),
            app_secret: "secret".into(),
            bases: vec![format!("http://{}", self.addr)],
            timeout: Duration::from_millis(500),
        })
        .expect("a client");
        let metrics = Arc::new(Metrics::new());
        let token = TokenKeeper::new(
            "shop".into(),
            api.clone(),
            TokenSource::Stable,
            self.store.clone(),
            clock(),
            metrics.clone(),
        );
        let sender = Sender {
            kind: crate::message::AppKind::MiniProgram,
            app: "shop".into(),
            api,
            token,
        };
        self.running = Some(tokio::spawn(run(
            self.store.clone(),
            vec![sender],
            self.config.clone(),
            clock(),
            metrics,
            CancellationToken::new(),
        )));
    }

    /// Cuts the daemon off in the midst of things, and starts it anew.
    async fn crash(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            let _ = running.await;
        }
        self.start();
    }

    /// A message of `user`, answered with `texts`.
    async fn say(&self, n: u64, user: &str, texts: &[&str]) -> MessageId {
        let replies: Vec<_> = texts.iter().map(|text| Reply::Text((*text).to_owned())).collect();
        let now = Timestamp::now();
        let inbound = Inbound {
            id: MessageId::new(now.as_second(), n),
            app: "shop".into(),
            openid: user.into(),
            dedup_key: format!("{n}"),
            received: now,
            msg_type: "text".into(),
            event: None,
            content: Some("hello".to_owned()),
            fields: Fields::default(),
        };
        let judge = Box::new(move |_: &Inbound, facts: &crate::message::Facts<'_>| Verdict {
            decision: Decision {
                status: InboundStatus::Matched,
                rule: Some("greeting".into()),
                rule_set: "v1".into(),
                observed: Vec::new(),
                answer: Answer::Success,
                replies: Vec::new(),
                contact: Contact {
                    ledger: Ledger {
                        left: 5,
                        waiting: 0,
                        until: Some(after(facts.now, Duration::from_secs(600))),
                    },
                    ..facts.contact.clone()
                },
                app_cooldowns: Vec::new(),
            },
            outbound: replies
                .iter()
                .map(|reply| Outbound {
                    rule: "greeting".into(),
                    reply: reply.clone(),
                    due: facts.now,
                    typing: false,
                    dropped: None,
                })
                .collect(),
        });
        let arrival = Arrival {
            inbound,
            nonce: None,
            needs_app_cooldowns: false,
            judge,
        };
        self.store.record(arrival).await.expect("recorded").id
    }

    /// Waits until WeChat has got so many replies.
    async fn sends(&self, count: usize) {
        while self.wechat.calls("send").len() < count {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The row once it is not queued any more.
    async fn settled(&self, id: MessageId) -> Entry {
        let begun = Instant::now();
        loop {
            let entry = self.store.entry(id).await.expect("read").expect("there");
            if entry.status != "queued" {
                return entry;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "still queued: {entry:?}"
            );
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn one_users_replies_keep_their_order_and_their_gap() {
    let bench = Bench::started().await;
    let first = bench.say(1, "ann", &["a", "b", "c"]).await;
    bench.settled(first.reply(1)).await;
    let second = bench.say(2, "ann", &["d"]).await;
    bench.settled(second.reply(1)).await;
    let calls = bench.wechat.calls("send");
    assert_eq!(bench.wechat.whats("send"), ["a", "b", "c", "d"]);
    for pair in calls.windows(2) {
        assert!(pair[1].at - pair[0].at >= GAP, "{pair:?}");
    }
}

#[tokio::test]
async fn a_reply_written_within_the_gap_waits_for_it() {
    let bench = Bench::started().await;
    let first = bench.say(1, "ann", &["a"]).await;
    bench.settled(first.reply(1)).await;
    let second = bench.say(2, "ann", &["b"]).await;
    bench.settled(second.reply(1)).await;
    let calls = bench.wechat.calls("send");
    assert!(calls[1].at - calls[0].at >= GAP, "{calls:?}");
}

#[tokio::test]
async fn users_do_not_wait_for_each_other() {
    let bench = Bench::started().await;
    bench
        .wechat
        .told(|state| state.delay = Duration::from_millis(300));
    let begun = Instant::now();
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(bench.say(n, &format!("user{n}"), &["hello"]).await);
    }
    for id in ids {
        assert_eq!(bench.settled(id.reply(1)).await.status, "sent");
    }
    assert!(
        begun.elapsed() < Duration::from_millis(1500),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_reply_that_wechat_had_no_time_for_goes_out_at_the_next_try() {
    let bench = Bench::started().await;
    bench.wechat.fault(&[Fault::Errcode(-1)]);
    let id = bench.say(1, "ann", &["a"]).await;
    let entry = bench.settled(id.reply(1)).await;
    assert_eq!((entry.status.as_str(), entry.attempts), ("sent", 2), "{entry:?}");
    assert_eq!(bench.wechat.whats("send"), ["a", "a"]);
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once_for_all() {
    let bench = Bench::started().await;
    let warm = bench.say(0, "zoe", &["warm"]).await;
    bench.settled(warm.reply(1)).await;
    bench.wechat.told(|state| {
        state.token = 7;
        state.delay = Duration::from_millis(50);
    });
    let mut ids = Vec::new();
    for n in 1..=10 {
        ids.push(bench.say(n, &format!("user{n}"), &["hello"]).await);
    }
    for id in ids {
        let entry = bench.settled(id.reply(1)).await;
        assert_eq!((entry.status.as_str(), entry.attempts), ("sent", 1), "{entry:?}");
    }
    assert_eq!(
        bench.wechat.whats("stable_token"),
        ["false", "false"],
        "another came without force"
    );
}

#[tokio::test]
async fn a_renewal_is_forced_when_the_same_token_comes_back_and_not_again_for_a_while() {
    let bench = Bench::started().await;
    bench.wechat.fault(&[Fault::Errcode(42001)]);
    let id = bench.say(1, "ann", &["a"]).await;
    let entry = bench.settled(id.reply(1)).await;
    assert_eq!((entry.status.as_str(), entry.attempts), ("sent", 1));
    assert_eq!(bench.wechat.whats("stable_token"), ["false", "false", "true"]);
    bench.wechat.fault(&[Fault::Errcode(42001)]);
    bench.say(2, "ben", &["b"]).await;
    bench.say(3, "cat", &["c"]).await;
    sleep(Duration::from_millis(2500)).await;
    assert_eq!(
        bench.wechat.whats("stable_token"),
        ["false", "false", "true", "false"],
        "asked once without force, then left alone"
    );
}

#[tokio::test]
async fn a_crash_repeats_only_what_was_in_flight() {
    let mut bench = Bench::started().await;
    bench.wechat.fault(&[Fault::Silence]);
    let id = bench.say(1, "ann", &["a", "b"]).await;
    bench.sends(1).await;
    bench.crash().await;
    assert_eq!(bench.settled(id.reply(2)).await.status, "sent");
    assert_eq!(bench.wechat.whats("send"), ["a", "a", "b"]);
}

#[tokio::test]
async fn a_crash_leaves_what_was_in_flight_to_a_person_if_so_told() {
    let mut bench = Bench::new().await;
    bench.config.on_uncertain = OnUncertain::Hold;
    bench.start();
    bench.wechat.fault(&[Fault::Silence]);
    let id = bench.say(1, "ann", &["a", "b"]).await;
    bench.sends(1).await;
    bench.crash().await;
    assert_eq!(bench.settled(id.reply(1)).await.status, "uncertain");
    assert_eq!(bench.settled(id.reply(2)).await.status, "sent");
    assert_eq!(bench.wechat.whats("send"), ["a", "b"]);
}

#[tokio::test]
async fn a_reply_of_an_app_that_is_gone_fails() {
    let mut bench = Bench::new().await;
    let id = bench.say(1, "ann", &["a"]).await;
    bench.running = Some(tokio::spawn(run(
        bench.store.clone(),
        Vec::new(),
        bench.config.clone(),
        clock(),
        Arc::new(Metrics::new()),
        CancellationToken::new(),
    )));
    let entry = bench.settled(id.reply(1)).await;
    assert_eq!(entry.status, "failed");
    assert!(entry.error.expect("words").contains("`shop`"));
}
