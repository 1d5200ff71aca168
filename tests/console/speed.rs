//! How soon every page shows something when there are millions of messages in the log: `WXREPLY_BENCH_DIR=… cargo test --release --test
//! console -- --ignored --nocapture speed`. The folder is one that `benches/log.rs` made.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::browser::Browser;
use crate::shop::Shop;
use crate::tour::Sights;
use crate::world::{Process, free_ports};

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
    let sights = Sights::at(&admin, None).await;
    let browser = Browser::open(&admin).await;
    let mut slow = Vec::new();
    for stop in sights.tour() {
        let mut times = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            browser.goto(&stop.path).await;
            assert_eq!(browser.status().await, 200, "{}", stop.path);
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

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures; by hand, with --release"]
async fn speed_of_a_draft_into_a_long_file() {
    let rules = (0..1_000).map(|n| {
        format!("[[rule]]\nname = \"规则{n}\"\nwhen.keywords = [\"词{n}甲\", \"词{n}乙\"]\nreply = \"第 {n} 条的回复。\"\n\n")
    });
    let shop = Shop::open_to_all(&rules.collect::<String>()).await;
    let browser = shop.browser().await;
    for path in ["/rules/draft?text=能开发票吗", "/rules/edit?file=rules.toml"] {
        let mut times = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            browser.goto(path).await;
            times.push(browser.first_paint().await);
        }
        times.sort();
        println!(
            "{:>7.1} ms (of {times:?})  {path}",
            times[TIMES / 2].as_secs_f64() * 1e3
        );
        assert!(
            times[TIMES / 2] < GOAL,
            "{path} is not painted within {GOAL:?}: {times:?}"
        );
    }
}

/// The daemon on this folder's config, but on ports that nobody else has.
async fn serve(folder: &Path) -> (Process, String) {
    let text =
        std::fs::read_to_string(folder.join("wxreply.toml")).expect("the config that benches/log.rs wrote");
    let mut config: toml_edit::DocumentMut = text.parse().expect("TOML");
    let [listen, admin] = free_ports();
    let admin = format!("127.0.0.1:{admin}");
    config["listen"] = toml_edit::value(format!("127.0.0.1:{listen}"));
    config["admin"]["listen"] = toml_edit::value(admin.as_str());
    let path = folder.join("speed.toml");
    std::fs::write(&path, config.to_string()).expect("writable");
    let admin = format!("http://{admin}");
    (Process::start(&path, &admin).await, admin)
}
