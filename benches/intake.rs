//! Durable pushes a second of `wxreply serve` against a bare warp route, in one run, as a ratio.
//!
//! `cargo bench --bench intake`. Safe mode, XML, 64 keep-alive connections, 1,000 rules, every message and user
//! new, half of the messages matched. Both servers are processes of their own and get the same bytes, in turn,
//! `ROUNDS` times. The replies are due in ten minutes, so that none is sent while the clock runs: what is measured is
//! receive, verify, open, decide, write the message and its reply, flush, answer. Bare warp is measured when wxreply has
//! nothing left to do of the round before. An fdatasync probe of the same disk stands beside the figures, for it decides
//! the latency.

mod load;
mod random;

use std::process::Command;
use std::time::Duration;

use load::disk::Probe;
use load::pushes::{self, Server};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(3);
const CONNECTIONS: usize = 64;
const RULES: usize = 1_000;
const REQUESTS: usize = 200_000;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(port) = args
        .iter()
        .position(|a| a == "--bare-warp")
        .and_then(|i| args.get(i + 1))
    {
        load::bare::serve(port.parse().expect("a port"));
        return;
    }
    if !args.iter().any(|a| a == "--bench") {
        return; // `cargo test --benches` only wants to see that it starts
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!(
        "durable intake: safe mode, XML, {CONNECTIONS} connections, {RULES} rules, {ROUNDS} rounds of {ROUND:?}"
    );
    println!(
        "{:>5} {:>12} {:>12} {:>7} {:>9} {:>9} {:>20}",
        "round", "bare warp/s", "wxreply/s", "ratio", "p50 ms", "p99 ms", "fdatasync p50/p99 µs"
    );

    let bare_port = pushes::free_port();
    let mut bare = Command::new(std::env::current_exe().expect("this program"));
    let bare = Server::start(bare.args(["--bare-warp", &bare_port.to_string()]));
    let bare_addr = pushes::accepting(bare_port);
    std::fs::create_dir(folder.path().join("rules")).expect("writable");
    std::fs::write(folder.path().join("rules/bench.toml"), pushes::rules_of(0..RULES)).expect("writable");
    let (serve, serve_addr) = pushes::serve(folder.path(), "bench.db");

    let mut ratios = Vec::new();
    let mut serial = 0;
    for round in 1..=ROUNDS {
        let probe = Probe::of(folder.path());
        let requests = pushes::requests_of(&mut serial, REQUESTS, RULES);
        serve.rest();
        let a = load::closed_loop(bare_addr, &requests, CONNECTIONS, ROUND);
        let b = load::closed_loop(serve_addr, &requests, CONNECTIONS, ROUND);
        assert_eq!(a.wrong + b.wrong, 0, "every push is answered `success`");
        let ratio = b.rate() / a.rate();
        ratios.push(ratio);
        println!(
            "{round:>5} {:>12.0} {:>12.0} {ratio:>7.3} {:>9.2} {:>9.2} {:>20}",
            a.rate(),
            b.rate(),
            b.percentile(0.5),
            b.percentile(0.99),
            probe,
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "share of bare warp: median {:.3} ({:.3}–{:.3})",
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1],
    );
    drop((bare, serve));
}
