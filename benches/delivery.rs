//! The outbox at work: as fast as what it sends with? In order, and nobody held up by one slow user?
//!
//! `cargo bench --bench delivery` takes about a minute; `… -- --long` measures more of everything, `… -- --concurrency 64`
//! with so many replies in flight at once rather than the default.
//!
//! 1. Replies that wait in the queue, each of a user of its own, are delivered by the real outbox (claim, token, client,
//!    settle; its store on the disk, `synchronous = FULL`), in turn with the same requests made by a bare reqwest loop of
//!    the same concurrency. The API is a light one in this process, and answers at once.
//! 2. The API takes 200 ms, and 2,000 replies a second are queued, pairs of them to one user: at first alone, then with
//!    a user beside them whose every reply takes 5 s and who is written to ten times a second. What matters is how long
//!    after its commit was asked for each reply is at the API, and that each comes once and in its user's order.

mod load;
mod measure;
mod random;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use load::api;
use load::disk::Probe;
use load::pushes;
use measure::{Spread, at_least, at_most};
use random::Random;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use wxreply::clock::SystemClock;
use wxreply::config;
use wxreply::message::{
    Answer, AppKind, Contact, Decision, Fields, Inbound, InboundStatus, Ledger, MessageId, Outbound, Reply,
    Verdict,
};
use wxreply::metrics::Metrics;
use wxreply::outbox::{self, OnUncertain, OutboxConfig, Sender};
use wxreply::store::{Access, Arrival, Store};
use wxreply::token::{TokenKeeper, TokenSource};
use wxreply::wechat::api::{Api, ApiConfig};

/// Replies a second when the API takes 200 ms.
const RATE: u32 = 2_000;
const ANSWER: Duration = Duration::from_millis(200);
/// Of the slow user.
const SLOW_ANSWER: Duration = Duration::from_secs(5);
/// The slow user's replies have numbers from here on.
const SLOW: u32 = 1 << 30;
const USERS: u32 = 5_000;

/// How much is measured.
struct Extent {
    rounds: usize,
    /// A round.
    replies: u32,
    seconds: u32,
    /// In flight at once.
    concurrency: usize,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if !args.iter().any(|arg| arg == "--bench") {
        return; // `cargo test --benches` only wants to see that it starts
    }
    let after = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1);
    let concurrency =
        after("--concurrency").map_or_else(default_concurrency, |number| number.parse().expect("a number"));
    let extent = match args.iter().any(|arg| arg == "--long") {
        true => Extent {
            rounds: 11,
            replies: 40_000,
            seconds: 60,
            concurrency,
        },
        false => Extent {
            rounds: 7,
            replies: 10_000,
            seconds: 10,
            concurrency,
        },
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    load::block_on(async {
        throughput(folder.path(), &extent).await;
        slow_api(folder.path(), &extent).await;
    });
}

/// Everything that delivers.
struct Delivering {
    store: Store,
    sender: Sender,
    config: OutboxConfig,
    metrics: Arc<Metrics>,
}

impl Delivering {
    async fn new(database: &Path, api: &api::Api, concurrency: usize) -> Self {
        let metrics = Arc::new(Metrics::new());
        let url = format!("sqlite://{}", database.display());
        let store = Store::open(&url, Access::Daemon, Arc::new(SystemClock), Arc::clone(&metrics))
            .await
            .expect("opens");
        let client = Api::new(ApiConfig {
            app_id: "wx0123456789abcdef".to_owned(),
            app_secret: "unused".into(),
            bases: vec![format!("http://{}", api.addr)],
            timeout: Duration::from_secs(10),
        })
        .expect("a client");
        let token = TokenKeeper::new(
            "shop".into(),
            client.clone(),
            TokenSource::Stable,
            store.clone(),
            Arc::new(SystemClock),
            Arc::clone(&metrics),
        );
        Self {
            sender: Sender {
                app: "shop".into(),
                kind: AppKind::MiniProgram,
                api: client,
                token,
            },
            config: OutboxConfig {
                max_age: Duration::from_secs(15 * 60),
                on_uncertain: OnUncertain::Resend,
                concurrency,
                gap: Duration::from_millis(100),
                media_root: ".".into(),
                reserve: 0,
                webhook: None,
                webhook_concurrency: 8,
            },
            store,
            metrics,
        }
    }

    /// Delivers until `stop`, then finishes what is in flight.
    fn start(&self, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
        tokio::spawn(outbox::run(
            self.store.clone(),
            vec![self.sender.clone()],
            self.config.clone(),
            Arc::new(SystemClock),
            Arc::clone(&self.metrics),
            stop.clone(),
        ))
    }

    async fn empty(&self) {
        while self.store.queued().await.expect("read") > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// What the config says when it says nothing of it.
fn default_concurrency() -> usize {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("rules")).expect("writable");
    pushes::configure(folder.path(), "bench.db", 1, 2);
    let read = config::read(&folder.path().join("wxreply.toml")).expect("readable");
    read.config.expect("no errors").outbox.concurrency
}

async fn throughput(folder: &Path, extent: &Extent) {
    let api = api::Api::start(|_| Duration::ZERO);
    let ours = Delivering::new(&folder.join("throughput.db"), &api, extent.concurrency).await;
    let client = reqwest::Client::builder()
        .pool_idle_timeout(Duration::from_secs(20))
        .build()
        .expect("a client");
    // The token, and connections, are there before the clock runs.
    ours.sender.token.get().await.expect("a token");
    let concurrency = extent.concurrency;
    println!(
        "delivery: {} replies a round, {concurrency} in flight, {} rounds",
        extent.replies, extent.rounds
    );
    println!(
        "{:>5} {:>14} {:>12} {:>7} {:>22} {:>20}",
        "round", "bare reqwest/s", "outbox/s", "ratio", "CPU a reply, both, µs", "fdatasync p50/p99 µs"
    );
    let (mut shares, mut rates) = (Vec::new(), Vec::new());
    let mut cpus = (Vec::new(), Vec::new());
    for round in 0..extent.rounds {
        let first = round as u32 * extent.replies;
        let probe = Probe::of(folder);
        seed(&ours.store, first, extent.replies).await;
        // To index them is the price of taking them in.
        while ours.store.index_status().await.expect("read").behind > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (mut bare, mut outbox) = (Pass::default(), Pass::default());
        // The other way round every second time.
        for ours_now in [round % 2 == 1, round % 2 == 0] {
            match ours_now {
                false => bare = bare_loop(&client, &api, first, extent.replies, concurrency).await,
                true => outbox = drain(&ours, &api, extent.replies).await,
            }
        }
        let share = outbox.rate / bare.rate;
        println!(
            "{:>5} {:>14.0} {:>12.0} {share:>7.3} {:>22} {probe:>20}",
            round + 1,
            bare.rate,
            outbox.rate,
            format!("{:.0}/{:.0}", bare.cpu, outbox.cpu),
        );
        shares.push(share);
        rates.push(outbox.rate);
        cpus.0.push(bare.cpu);
        cpus.1.push(outbox.cpu);
    }
    ours.store.close().await;
    println!(
        "replies a second: {}; CPU a reply, the API's included: {} µs, of the bare loop {} µs",
        Spread::of(rates),
        Spread::of(cpus.1),
        Spread::of(cpus.0)
    );
    at_least("share of a bare reqwest loop", "", Spread::of(shares), 0.6, 0.4);
    println!();
}

/// One way of sending one round's replies.
#[derive(Default)]
struct Pass {
    /// A second.
    rate: f64,
    /// CPU time a reply, in microseconds.
    cpu: f64,
}

impl Pass {
    fn of(count: u32, start: Instant, cpu: Duration) -> Self {
        let each = |time: Duration| time.as_secs_f64() / f64::from(count);
        Self {
            rate: 1.0 / each(start.elapsed()),
            cpu: each(pushes::cpu_of("self") - cpu) * 1e6,
        }
    }
}

/// The same requests by reqwest and nothing else.
async fn bare_loop(
    client: &reqwest::Client,
    api: &api::Api,
    first: u32,
    count: u32,
    concurrency: usize,
) -> Pass {
    let url = format!(
        "http://{}/cgi-bin/message/custom/send?access_token=67_BENCHbenchBENCHbenchBENCHbenchBENCHbenchBENCHbenchBENCHbenchBENCHbench",
        api.addr
    );
    let url: reqwest::Url = url.parse().expect("a URL");
    let next = Arc::new(AtomicU32::new(first));
    let (start, cpu) = (Instant::now(), pushes::cpu_of("self"));
    let mut tasks = JoinSet::new();
    for _ in 0..concurrency {
        let (client, url, next) = (client.clone(), url.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= first + count {
                    return;
                }
                let (openid, text) = (openid(n), text(n));
                let body =
                    format!(r#"{{"msgtype":"text","text":{{"content":"{text}"}},"touser":"{openid}"}}"#);
                let answer = client
                    .post(url.clone())
                    .header(
                        CONTENT_TYPE,
                        HeaderValue::from_static("application/json; charset=utf-8"),
                    )
                    .body(body)
                    .send()
                    .await
                    .expect("an answer");
                let body = answer.bytes().await.expect("an answer");
                assert!(body.starts_with(br#"{"errcode":0"#));
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic");
    }
    let pass = Pass::of(count, start, cpu);
    assert_eq!(api.take().len(), count as usize);
    pass
}

/// Delivers what waits: sends and settles it.
async fn drain(ours: &Delivering, api: &api::Api, count: u32) -> Pass {
    let stop = CancellationToken::new();
    let (start, cpu) = (Instant::now(), pushes::cpu_of("self"));
    let outbox = ours.start(&stop);
    while api.count() < count as usize {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    ours.empty().await;
    let pass = Pass::of(count, start, cpu);
    stop.cancel();
    outbox.await.expect("no panic");
    each_came_once(api.take());
    pass
}

fn each_came_once(mut arrivals: Vec<api::Arrival>) {
    let all = arrivals.len();
    arrivals.sort_unstable_by_key(|(n, _)| *n);
    arrivals.dedup_by_key(|(n, _)| *n);
    assert_eq!(arrivals.len(), all, "a reply came twice");
}

/// Queues replies, each to a user of its own.
async fn seed(store: &Store, first: u32, count: u32) {
    for chunk in (first..first + count).collect::<Vec<_>>().chunks(256) {
        let recorded = chunk.iter().map(|n| store.record(message(*n, &openid(*n))));
        for recorded in futures_util::future::join_all(recorded).await {
            recorded.expect("recorded");
        }
    }
}

/// Those of neighbours in time are no neighbours in a b-tree.
fn openid(user: u32) -> String {
    format!("oBENCH{:022}", Random(user.into()).next())
}

fn text(n: u32) -> String {
    format!("您好，订单一般在 48 小时内发货。#{n}")
}

/// Message `n`, answered at once.
fn message(n: u32, openid: &str) -> Arrival {
    let now = Timestamp::now();
    let content = format!("请问第 {n} 号订单什么时候发货？");
    let msg_id = (23_637_352_235_060_880 + u64::from(n)).to_string();
    let fields: Fields = [
        ("ToUserName", "gh_0123456789ab"),
        ("FromUserName", openid),
        ("MsgType", "text"),
        ("Content", &content),
        ("MsgId", &msg_id),
    ]
    .into_iter()
    .collect();
    Arrival {
        inbound: Inbound {
            id: MessageId::new(now.as_second(), n.into()),
            app: "shop".into(),
            openid: openid.into(),
            dedup_key: msg_id,
            received: now,
            msg_type: "text".to_owned(),
            event: None,
            content: Some(content),
            fields,
        },
        nonce: Some(n.into()),
        needs_app_cooldowns: false,
        judge: Box::new(move |_, facts| Verdict {
            outbound: vec![Outbound {
                rule: "shipping".into(),
                reply: Reply::Text(text(n)),
                due: facts.now,
                typing: false,
                dropped: None,
            }],
            decision: Decision {
                status: InboundStatus::Matched,
                rule: Some("shipping".into()),
                rule_set: "v1".into(),
                observed: Vec::new(),
                answer: Answer::Success,
                replies: Vec::new(),
                contact: Contact {
                    last_message: Some(facts.now),
                    ledger: Ledger {
                        left: 4,
                        waiting: facts.contact.ledger.waiting + 1,
                        until: facts.now.checked_add(Duration::from_hours(48)).ok(),
                    },
                    ..facts.contact.clone()
                },
                app_cooldowns: Vec::new(),
            },
        }),
    }
}

async fn slow_api(folder: &Path, extent: &Extent) {
    let api = api::Api::start(|n| if n < SLOW { ANSWER } else { SLOW_ANSWER });
    let ours = Delivering::new(&folder.join("slow.db"), &api, extent.concurrency).await;
    ours.sender.token.get().await.expect("a token");
    println!(
        "an API that takes {ANSWER:?}: {RATE} replies a second for {} s, {} in flight; fdatasync p50/p99 {} µs",
        extent.seconds,
        ours.config.concurrency,
        Probe::of(folder)
    );
    let alone = offer(&ours, &api, extent.seconds, 0, false).await;
    let first = RATE * extent.seconds;
    let beside = offer(&ours, &api, extent.seconds, first, true).await;
    ours.store.close().await;
    let rate = f64::from(RATE);
    at_least(
        "replies a second",
        "",
        Spread::once(alone.rate),
        rate * 0.995,
        rate * 0.95,
    );
    at_least(
        "… beside a slow user",
        "",
        Spread::once(beside.rate),
        rate * 0.995,
        rate * 0.95,
    );
    // A user's second reply waits for the first one's answer and the gap.
    at_most(
        "the first of two, p99",
        "ms",
        Some(Spread::once(alone.first_p99)),
        50.0,
        150.0,
    );
    at_most(
        "… beside a slow user",
        "ms",
        Some(Spread::once(beside.first_p99)),
        50.0,
        150.0,
    );
    let out_of_order = (alone.out_of_order + beside.out_of_order) as f64;
    at_most(
        "replies out of their user's order",
        "",
        Some(Spread::once(out_of_order)),
        0.0,
        0.0,
    );
}

/// What came of a phase.
struct Offered {
    rate: f64,
    /// In milliseconds.
    first_p99: f64,
    out_of_order: usize,
}

/// Queues replies at their appointed times while the outbox runs.
async fn offer(ours: &Delivering, api: &api::Api, seconds: u32, first: u32, slow: bool) -> Offered {
    const TICK: Duration = Duration::from_millis(10);
    let pairs = RATE / 200;
    let stop = CancellationToken::new();
    let outbox = ours.start(&stop);
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut records = JoinSet::new();
    let mut due = Vec::with_capacity((RATE * seconds) as usize);
    let mut of_slow = SLOW;
    for tick in 0..seconds * 100 {
        let at = ticks.tick().await.into_std();
        let mut queue = |replies: [Option<u32>; 2], openid: String| {
            let store = ours.store.clone();
            records.spawn(async move {
                let record = async |n| {
                    if let Some(n) = n {
                        store.record(message(n, &openid)).await.expect("recorded");
                    }
                };
                tokio::join!(biased; record(replies[0]), record(replies[1]));
            });
        };
        for pair in tick * pairs..(tick + 1) * pairs {
            due.extend([at, at]);
            let n = first + pair * 2;
            queue([Some(n), Some(n + 1)], openid(pair % USERS));
        }
        if slow && tick.is_multiple_of(10) {
            queue([Some(of_slow), None], "oSLOW".to_owned());
            of_slow += 1;
        }
    }
    while let Some(recorded) = records.join_next().await {
        recorded.expect("no panic");
    }
    // Each pair is through in half a second; what takes longer was held up, and counts against the rate.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let arrivals = api.take();
    stop.cancel();
    outbox.await.expect("no panic");
    judge(arrivals, &due, first, seconds)
}

fn judge(arrivals: Vec<api::Arrival>, due: &[Instant], first: u32, seconds: u32) -> Offered {
    let mut latest = vec![None; USERS as usize];
    let mut latest_slow = None;
    let (mut firsts, mut seconds_of_two, mut slow, mut out_of_order) = (Vec::new(), Vec::new(), 0, 0);
    for (n, at) in &arrivals {
        if *n < first {
            continue; // left over from the phase before, and missing there
        }
        let last = match n.checked_sub(SLOW) {
            Some(_) => &mut latest_slow,
            None => &mut latest[((n - first) / 2 % USERS) as usize],
        };
        out_of_order += usize::from(last.replace(*n).is_some_and(|last| last > *n));
        if *n >= SLOW {
            slow += 1;
            continue;
        }
        let waited = (*at - due[(n - first) as usize]).as_secs_f64() * 1000.0;
        match n % 2 {
            0 => firsts.push(waited),
            _ => seconds_of_two.push(waited),
        }
    }
    let others = firsts.len() + seconds_of_two.len();
    each_came_once(arrivals);
    for waits in [&mut firsts, &mut seconds_of_two] {
        waits.sort_unstable_by(f64::total_cmp);
    }
    let at = |waits: &[f64], share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    println!(
        "  {others} of {} came; the first of two after p50 {:.1} ms, p99 {:.1} ms, the second after p50 {:.0} ms, p99 {:.0} ms; {slow} of the slow user",
        due.len(),
        at(&firsts, 0.5),
        at(&firsts, 0.99),
        at(&seconds_of_two, 0.5),
        at(&seconds_of_two, 0.99),
    );
    Offered {
        rate: others as f64 / f64::from(seconds),
        first_p99: at(&firsts, 0.99),
        out_of_order,
    }
}
