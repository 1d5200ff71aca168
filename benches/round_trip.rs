//! The whole way: a customer's message is pushed, and the reply is at WeChat's API. How long does it take at 8,000 a second?
//!
//! `cargo bench --bench round_trip` takes half a minute; `… -- --long` runs for a minute each, `… -- --rate 5000` at
//! another rate.
//!
//! `wxreply serve` is a process of its own; WeChat is played beside it, on the same cores: by the light load generator and
//! a light API, then by the simulator, which does all that it does for people: signs, seals, keeps records, checks quotas.
//! Safe mode, XML, 1,000 rules, every message and user new, every message answered. The times of pushes are appointed, and
//! latencies count from these: a daemon that falls behind is seen to.

mod load;
mod measure;
mod random;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use load::api;
use load::disk::Probe;
use load::pushes::{self, Server, Signer};
use measure::{Spread, at_least, at_most};
use random::Random;
use tokio::sync::Semaphore;
use wxreply::message::{AppKind, Format, Mode};
use wxreply::simulator::{Account, PushBody, ReceivedReply, Simulator, SimulatorConfig};

const RULES: usize = 1_000;
const CONNECTIONS: usize = 256;
const RATE: u32 = 8_000;
/// Pushes of the simulator under way at once: each takes a connection.
const PUSHES: usize = 1024;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if !args.iter().any(|arg| arg == "--bench") {
        return; // `cargo test --benches` only wants to see that it starts
    }
    let after = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1);
    let rate = after("--rate").map_or(RATE, |rate| rate.parse().expect("a rate"));
    let seconds = if args.iter().any(|arg| arg == "--long") {
        60
    } else {
        10
    };
    println!("the whole way: {rate} messages a second for {seconds} s, {RULES} rules, safe mode");
    light(rate, seconds);
    simulated(rate, seconds);
}

/// A daemon in a folder of its own, which sends to `api`.
fn daemon(folder: &Path, api: SocketAddr) -> (Server, SocketAddr) {
    let (port, admin) = (pushes::free_port(), pushes::free_port());
    std::fs::create_dir(folder.join("rules")).expect("writable");
    // The reply says which message it answers, and goes out at once.
    let rules = pushes::rules_of(0..RULES).replace("\"\ndelay = \"10m\"", " {{ msg.Content }}\"");
    std::fs::write(folder.join("rules/bench.toml"), rules).expect("writable");
    pushes::configure(folder, "bench.db", port, admin);
    let path = folder.join("wxreply.toml");
    let config = std::fs::read_to_string(&path).expect("readable");
    let config = config.replace("http://127.0.0.1:9", &format!("http://{api}"));
    std::fs::write(path, config).expect("writable");
    let server = pushes::start(folder);
    (server, pushes::accepting(port))
}

fn content(n: u32) -> String {
    // Keywords and exact texts; of 20 rules the first 14 are keywords.
    format!("请问{}有货吗？#{n}", pushes::word(n as usize % RULES / 20 * 20))
}

/// The light load generator, and an API that checks nothing.
fn light(rate: u32, seconds: u32) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let api = api::Api::start(|_| Duration::ZERO);
    let (server, addr) = daemon(folder.path(), api.addr);
    let probe = Probe::of(folder.path());
    let requests: Vec<_> = {
        let signer = Signer::new("/wechat/shop", true);
        (0..rate * seconds)
            .map(|n| signer.push(n.into(), &content(n)))
            .collect()
    };
    let before = (server.cpu(), pushes::cpu_of("self"));
    let report = load::open_loop(addr, &requests, CONNECTIONS, rate);
    assert_eq!(report.wrong, 0, "every push is answered `success`");
    let end = Instant::now() + Duration::from_secs(10);
    while api.count() < requests.len() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    let cpu = (server.cpu() - before.0, pushes::cpu_of("self") - before.1);
    let arrivals = api.take();
    let seconds_of = |at: Instant| at.saturating_duration_since(report.began).as_secs_f64();
    let arrivals = arrivals.iter().map(|(n, at)| (*n, seconds_of(*at))).collect();
    println!(
        "played lightly; fdatasync p50/p99 {probe} µs; pushes answered after p50 {:.2} ms, p99 {:.2} ms",
        report.percentile(0.5),
        report.percentile(0.99)
    );
    tell(arrivals, rate, seconds, cpu);
}

/// The simulator, whole.
fn simulated(rate: u32, seconds: u32) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    load::block_on(async {
        let account = Account {
            kind: AppKind::MiniProgram,
            app_id: pushes::APP_ID.to_owned(),
            app_secret: "unused".to_owned(),
            token: pushes::TOKEN.to_owned(),
            encoding_aes_key: pushes::AES_KEY.to_owned(),
            mode: Mode::Safe,
            format: Format::Xml,
        };
        let config = SimulatorConfig {
            account: account.clone(),
            callback: String::new(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let simulator = Simulator::start(config, listener).await.expect("it starts");
        let (server, addr) = daemon(folder.path(), simulator.addr());
        simulator.set_callback(&format!("http://{addr}/wechat/shop"));
        let probe = Probe::of(folder.path());
        let before = (server.cpu(), pushes::cpu_of("self"));
        let start = Timestamp::now();
        let mut arrivals = push(&simulator, &account, rate, seconds, start).await;
        let end = Instant::now() + Duration::from_secs(10);
        while arrivals.len() < (rate * seconds) as usize && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(100)).await;
            gather(&simulator, start, &mut arrivals);
        }
        let cpu = (server.cpu() - before.0, pushes::cpu_of("self") - before.1);
        println!("played by the simulator; fdatasync p50/p99 {probe} µs");
        tell(arrivals, rate, seconds, cpu);
        simulator.stop().await;
    });
}

/// Pushes at the appointed times; gives what arrived meanwhile.
async fn push(
    simulator: &Simulator,
    account: &Account,
    rate: u32,
    seconds: u32,
    start: Timestamp,
) -> Vec<(u32, f64)> {
    let mut arrivals = Vec::with_capacity((rate * seconds) as usize);
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let started = Instant::now();
    let mut n = 0;
    let open = Arc::new(Semaphore::new(PUSHES));
    // The simulator keeps the last 200,000 replies.
    let every = 100_000 / rate;
    for second in 0..seconds {
        while started.elapsed() < Duration::from_secs(u64::from(second + 1)) {
            ticks.tick().await;
            let due = (started.elapsed().as_secs_f64() * f64::from(rate)) as u32;
            while n < due.min((second + 1) * rate) {
                let openid = format!("oBENCH{:022}", Random(n.into()).next());
                let msg_id = 23_637_352_235_060_880 + u64::from(n);
                let body = PushBody::text(
                    account,
                    &openid.as_str().into(),
                    &content(n),
                    msg_id,
                    Timestamp::now(),
                );
                let simulator = simulator.clone();
                let place = Arc::clone(&open).acquire_owned().await.expect("never closed");
                tokio::spawn(async move {
                    simulator.push(body).await;
                    drop(place);
                });
                n += 1;
            }
        }
        if every > 0 && second % every == every - 1 {
            gather(simulator, start, &mut arrivals);
        }
    }
    arrivals
}

/// Adds what arrived since the last time.
fn gather(simulator: &Simulator, start: Timestamp, arrivals: &mut Vec<(u32, f64)>) {
    let received = simulator.all_received();
    let number = |reply: &Arc<ReceivedReply>| -> u32 {
        let text = reply.text().unwrap_or_default();
        let (_, number) = text.rsplit_once('#').expect("a numbered reply");
        number.parse().expect("a number")
    };
    // They are kept in their order.
    let last = arrivals.last().map(|(n, _)| *n);
    let fresh = last.map_or(0, |last| {
        received
            .iter()
            .rposition(|reply| number(reply) == last)
            .expect("none is lost")
            + 1
    });
    for reply in &received[fresh..] {
        let at = reply.at.duration_since(start).as_secs_f64();
        arrivals.push((number(reply), at));
    }
}

/// Prints what came of a run: numbers and seconds since its beginning, in the order in which they came.
fn tell(arrivals: Vec<(u32, f64)>, rate: u32, seconds: u32, cpu: (Duration, Duration)) {
    let all = rate * seconds;
    let due = |n: u32| f64::from(n) / f64::from(rate);
    let mut waits: Vec<f64> = arrivals.iter().map(|(n, at)| (at - due(*n)) * 1000.0).collect();
    waits.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        waits
            .get(((waits.len() - 1) as f64 * share) as usize)
            .copied()
            .unwrap_or(f64::NAN)
    };
    let mut numbers: Vec<u32> = arrivals.iter().map(|(n, _)| *n).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), arrivals.len(), "a reply came twice");
    let in_time = arrivals
        .iter()
        .filter(|(_, at)| *at <= f64::from(seconds) + 0.25)
        .count();
    let backlog: Vec<i64> = (1..=10)
        .map(|tenth| {
            let now = f64::from(seconds) * f64::from(tenth) / 10.0;
            let arrived = arrivals.iter().filter(|(_, at)| *at <= now).count();
            (now * f64::from(rate)) as i64 - arrived as i64
        })
        .collect();
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / f64::from(all);
    println!(
        "  {} of {all} came; CPU a message: daemon {:.0} µs, WeChat {:.0} µs",
        arrivals.len(),
        each(cpu.0),
        each(cpu.1)
    );
    println!(
        "  p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, longest {:.0} ms; on the way at each tenth: {backlog:?}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    at_least(
        "  replies a second, in time",
        "",
        Spread::once(in_time as f64 / f64::from(seconds)),
        8_000.0 * 0.999,
        5_000.0,
    );
    at_most(
        "  from the push to the API, p99",
        "ms",
        Some(Spread::once(at(0.99))),
        250.0,
        250.0,
    );
}
