//! How long a push waits while old messages are erased beside it.
//!
//! `cargo bench --bench retention`. A log of `OLD` messages of as many users, each with a reply that was sent; then
//! `RATE` new ones a second, at first alone, then while all the old ones are erased: what each waits for its commit, at
//! p50 and p99, and how long erasing takes. In the process and without HTTP: it is the commit that both share. The
//! environment's `OLD` and `RATE` set others.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::MissedTickBehavior;
use wxreply::clock::Clock;
use wxreply::message::{
    Answer, Contact, Decision, Fields, Inbound, InboundStatus, MessageId, Outbound, Reply, Verdict,
};
use wxreply::metrics::Metrics;
use wxreply::store::{Access, Arrival, Filter, Order, RecordError, Store};

const OLD: u64 = 1_000_000;
const RATE: u64 = 5_000;
const ALONE: Duration = Duration::from_secs(10);
const REFUSED: Duration = Duration::from_secs(5);
const DAY: i64 = 24 * 3600;

/// A clock that the benchmark sets.
struct Set(AtomicI64);

impl Clock for Set {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).expect("in range")
    }
}

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return; // `cargo test --benches` only wants to see that it starts
    }
    let number = |name, otherwise| {
        let set = std::env::var(name).ok();
        set.and_then(|set| set.parse().ok()).unwrap_or(otherwise)
    };
    let (old, rate) = (number("OLD", OLD), number("RATE", RATE));
    let folder = tempfile::tempdir().expect("a temporary folder");
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(run(folder.path(), old, rate));
}

async fn run(folder: &Path, old: u64, rate: u64) {
    let begin = 1_780_000_000;
    let clock = Arc::new(Set(AtomicI64::new(begin)));
    let path = folder.join("bench.db");
    let url = format!("sqlite://{}", path.display());
    let store = Store::open(&url, Access::Daemon, clock.clone(), Arc::new(Metrics::new()))
        .await
        .expect("opens");

    let seeding = Instant::now();
    for second in 0..old / rate {
        clock.0.store(begin + second as i64, Ordering::Relaxed);
        let pushes = (0..rate).map(|n| store.record(message(second * rate + n, &*clock)));
        let mut pushes: Vec<_> = pushes.collect();
        while !pushes.is_empty() {
            let some = pushes.split_off(pushes.len().saturating_sub(256));
            for recorded in futures_util::future::join_all(some).await {
                recorded.expect("recorded");
            }
        }
    }
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len() >> 20);
    println!("{old} messages in {:.0?}, {} MiB", seeding.elapsed(), size(&path));

    clock.0.store(begin + 200 * DAY, Ordering::Relaxed);
    let stop = Arc::new(AtomicBool::new(false));
    let pushes = tokio::spawn(push(store.clone(), clock.clone(), old, rate, stop.clone()));
    tokio::time::sleep(ALONE).await;
    stop.store(true, Ordering::Relaxed);
    let (alone, next) = pushes.await.expect("no panic");
    report("alone", alone);

    let stop = Arc::new(AtomicBool::new(false));
    let pushes = tokio::spawn(push(store.clone(), clock.clone(), next, rate, stop.clone()));
    let erasing = Instant::now();
    let done = store
        .keep_house(Some(Duration::from_hours(180 * 24)))
        .await
        .expect("works");
    let took = erasing.elapsed();
    stop.store(true, Ordering::Relaxed);
    let (beside, _) = pushes.await.expect("no panic");
    report("beside", beside);
    println!(
        "{} messages and {} users erased in {took:.0?}, {:.0} messages/s; {} MiB",
        done.erased.messages,
        done.contacts,
        done.erased.messages as f64 / took.as_secs_f64(),
        size(&path),
    );
    assert_eq!(done.erased.messages, old);
    let oldest = Filter {
        limit: Some(1),
        ..Filter::default()
    };
    let oldest = store.entries(&oldest, Order::OldestFirst).await.expect("read");
    assert!(oldest[0].time.as_second() >= begin + 200 * DAY);
    store.close().await;
}

/// `rate` messages a second until `stop`, at their time whatever became of the last ones; gives what each waited.
async fn push(
    store: Store,
    clock: Arc<Set>,
    first: u64,
    rate: u64,
    stop: Arc<AtomicBool>,
) -> (Vec<Duration>, u64) {
    const TICK: Duration = Duration::from_millis(10);
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut waits = tokio::task::JoinSet::new();
    let mut all = Vec::new();
    let mut n = first;
    while !stop.load(Ordering::Relaxed) {
        let due = ticks.tick().await;
        if n.is_multiple_of(rate) {
            clock.0.fetch_add(1, Ordering::Relaxed);
        }
        for _ in 0..(rate / 100) {
            let (store, arrival) = (store.clone(), message(n, &*clock));
            n += 1;
            waits.spawn(async move {
                match store.record(arrival).await {
                    Ok(_) => due.elapsed(),
                    // As long as WeChat would wait: this machine does not keep up.
                    Err(RecordError::Full) => REFUSED,
                    Err(error) => panic!("a message is recorded: {error}"),
                }
            });
        }
        while let Some(wait) = waits.try_join_next() {
            all.push(wait.expect("no panic"));
        }
    }
    while let Some(wait) = waits.join_next().await {
        all.push(wait.expect("no panic"));
    }
    (all, n)
}

fn report(name: &str, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!(
        "{name:>8}: {} pushes, p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, longest {:.1} ms",
        waits.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

/// Message `n`, of a user of its own, with a reply that needs no sending.
fn message(n: u64, clock: &dyn Clock) -> Arrival {
    let now = clock.now();
    let content = format!("请问第 {n} 号订单什么时候发货？我等了很久了");
    let openid = format!("oBench{n:022}");
    let fields: Fields = [
        ("ToUserName", "gh_0123456789ab"),
        ("FromUserName", &openid),
        ("MsgType", "text"),
        ("Content", &content),
    ]
    .into_iter()
    .collect();
    Arrival {
        inbound: Inbound {
            // As a hash scatters them within their second.
            id: MessageId::new(now.as_second(), n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 37),
            app: "shop".into(),
            openid: openid.as_str().into(),
            dedup_key: n.to_string(),
            received: now,
            msg_type: "text".to_owned(),
            event: None,
            content: Some(content),
            fields,
        },
        nonce: Some(i64::try_from(n).expect("small")),
        needs_app_cooldowns: false,
        judge: Box::new(|_, facts| Verdict {
            outbound: vec![Outbound {
                rule: "shipping".into(),
                reply: Reply::Text("您好，订单一般在 48 小时内发货。".to_owned()),
                due: facts.now,
                typing: false,
                dropped: Some(wxreply::message::DropReason::Quota),
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
                    ..facts.contact.clone()
                },
                app_cooldowns: Vec::new(),
            },
        }),
    }
}
