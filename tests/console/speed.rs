//! How soon every page shows something when there are millions of messages in the log: `WXREPLY_BENCH_DIR=… cargo test --release --test
//! console -- --ignored --nocapture speed`. The folder is one that `benches/log.rs` made.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::browser::Browser;
use crate::tour::Sights;
use crate::world::{Process, free_port};

/// Measured so often; the median counts.
const TIMES: usize = 5;

/// What a person takes for at once.
const GOAL: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a large log; by hand"]
async fn speed_of_every_page_on_a_large_log() {
    let folder = std::env::var_os("WXREPLY_BENCH_DIR").map(PathBuf::from);
    let folder = folder.expect("set WXREPLY_BENCH_DIR to a folder that benches/log.rs made");
    let (_daemon, admin) = serve(&folder).await;
    let sights = Sights::in_database(&folder.join("wxreply.db")).await;
    let browser = Browser::open(&admin).await;
    let mut slow = Vec::new();
    for stop in sights.tour() {
        let mut times = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            browser.goto(&stop.path).await;
            times.push(browser.first_paint().await);
        }
        times.sort();
        let median = times[TIMES / 2];
        println!(
            "{:>7.1} ms (of {:?})  {}",
            median.as_secs_f64() * 1e3,
            times,
            stop.name
        );
        if median >= GOAL {
            slow.push(stop.name);
        }
    }
    assert!(slow.is_empty(), "not painted within {GOAL:?}: {slow:?}");
}

/// The daemon on this folder's config, but on ports that nobody else has.
async fn serve(folder: &Path) -> (Process, String) {
    let text =
        std::fs::read_to_string(folder.join("wxreply.toml")).expect("the config that benches/log.rs wrote");
    let mut config: toml_edit::DocumentMut = text.parse().expect("TOML");
    let admin = format!("127.0.0.1:{}", free_port());
    config["listen"] = toml_edit::value(format!("127.0.0.1:{}", free_port()));
    config["admin"]["listen"] = toml_edit::value(admin.as_str());
    let path = folder.join("speed.toml");
    std::fs::write(&path, config.to_string()).expect("writable");
    let admin = format!("http://{admin}");
    (Process::start(&path, &admin).await, admin)
}
