//! What a reload does to the latency of pushes: 10,000 rules, pushes at a fixed rate, with reloads and without, in turn.
//!
//! `cargo bench --bench reload`. Safe mode, XML; each push is sent at its appointed time whether or not the last one was
//! answered, and its latency counts from that time, so that a stall is seen in full. In every second window the rules
//! are saved again with one rule changed, so that the whole set is compiled anew. `wxreply serve` is a process of its
//! own; the figures of its reloads are from its own metrics.

mod load;
mod random;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use load::pushes;

/// How much is measured.
struct Plan {
    rounds: usize,
    window: Duration,
    /// Pushes a second.
    rate: u32,
    rules: usize,
}

const FULL: Plan = Plan {
    rounds: 9,
    window: Duration::from_secs(4),
    rate: 500,
    rules: 10_000,
};

/// To see that it works.
const SMALL: Plan = Plan {
    rounds: 1,
    window: Duration::from_millis(500),
    rate: 50,
    rules: 100,
};

const CONNECTIONS: usize = 64;

fn main() {
    let full = std::env::args().any(|a| a == "--bench");
    let plan = if full { FULL } else { SMALL };
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!(
        "reload: {} rules, {} pushes/s, {} rounds of two windows of {:?}",
        plan.rules, plan.rate, plan.rounds, plan.window
    );
    println!(
        "{:>5} {:>12} {:>12} {:>7} {:>12} {:>12} {:>10}",
        "round", "still p50 ms", "still p99 ms", "reload", "p50 ms", "p99 ms", "ratio p99"
    );
    std::fs::create_dir(folder.path().join("rules")).expect("writable");
    save(folder.path(), plan.rules, 0);
    let (serve, addr, admin) = pushes::serve_both(folder.path(), "bench.db");

    let (mut ratios, mut serial, mut slowest) = (Vec::new(), 0, 0.0_f64);
    let count = usize::try_from(plan.rate).expect("a few") * plan.window.as_millis() as usize / 1000;
    // The first window warms up what only the first push pays for.
    window(addr, &pushes::requests_of(&mut serial, count, plan.rules), &plan);
    for round in 1..=plan.rounds {
        let still = window(addr, &pushes::requests_of(&mut serial, count, plan.rules), &plan);
        let before = reloads(admin);
        let reqs = pushes::requests_of(&mut serial, count, plan.rules);
        let moved = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(plan.window / 4);
                save(folder.path(), plan.rules, round);
            });
            window(addr, &reqs, &plan)
        });
        let after = finished(admin, before.0);
        assert_eq!(after.0, before.0 + 1, "one reload a window");
        let took = after.1 - before.1;
        slowest = slowest.max(took);
        let ratio = moved.percentile(0.99) / still.percentile(0.99);
        ratios.push(ratio);
        println!(
            "{round:>5} {:>12.2} {:>12.2} {:>5.0}ms {:>12.2} {:>12.2} {ratio:>10.2}",
            still.percentile(0.5),
            still.percentile(0.99),
            took * 1000.0,
            moved.percentile(0.5),
            moved.percentile(0.99),
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "p99 with a reload / without: median {:.2} ({:.2}–{:.2}); the slowest reload took {:.0} ms",
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1],
        slowest * 1000.0,
    );
    drop(serve);
}

fn window(addr: SocketAddr, requests: &[Vec<u8>], plan: &Plan) -> load::Report {
    let report = load::open_loop(addr, requests, CONNECTIONS, plan.rate);
    assert_eq!(report.wrong, 0, "every push is answered `success`");
    assert_eq!(report.answered, requests.len());
    report
}

/// How many reloads loaded a set, and how many seconds all reloads took.
fn reloads(admin: SocketAddr) -> (u64, f64) {
    let mut stream = TcpStream::connect(admin).expect("the admin listener accepts");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("written");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("read");
    let figure = |name: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0.0, |value| value.trim().parse::<f64>().expect("a number"))
    };
    (
        figure("wxreply_rules_reloads_total{outcome=\"loaded\"}") as u64,
        figure("wxreply_rules_reload_duration_seconds_sum"),
    )
}

/// The same, once there is one more than `before`.
fn finished(admin: SocketAddr, before: u64) -> (u64, f64) {
    let start = Instant::now();
    loop {
        let now = reloads(admin);
        if now.0 > before {
            return now;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "no reload");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Saves the rules in ten files, as an editor saves one: `version` stands in the last rule's reply.
fn save(folder: &Path, count: usize, version: usize) {
    let size = count.div_ceil(10);
    for (n, from) in (0..count).step_by(size).enumerate() {
        let rules = from..count.min(from + size);
        let mut text = pushes::rules_of(rules.clone());
        if rules.end == count {
            text.push_str(&format!(
                "[[rule]]\nname = \"last\"\nwhen.exact = \"版本\"\nreply = \"{version}\"\n"
            ));
        }
        let path = folder.join(format!("rules/{n}.toml"));
        if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        std::fs::write(folder.join("rules/.new"), text).expect("writable");
        std::fs::rename(folder.join("rules/.new"), path).expect("writable");
    }
}
