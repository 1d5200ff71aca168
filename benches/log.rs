//! What the console asks of a long log, and what the index costs: `cargo bench --bench log`.
//!
//! Makes a log of a million rows (`WXREPLY_BENCH_MESSAGES=10000000`: ten) of half a year, lets the indexer index it, and
//! asks what people ask: searches of all kinds, conversations, threads, counts. Prints p50 and p95 of each beside its goal.
//! Then it measures durable pushes a second with the indexer at work against without, in turn.
//!
//! With `WXREPLY_BENCH_DIR=DIR` the log stays in DIR, with a `wxreply.toml` and rules that go with it, and is taken up
//! again by the next run: `wxreply serve --config DIR/wxreply.toml` shows it.

mod generated;
mod load;
mod random;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use generated::{HEAVY, Random, text};
use jiff::{SignedDuration, Timestamp};
use wxreply::clock::SystemClock;
use wxreply::message::Direction;
use wxreply::metrics::Metrics;
use wxreply::store::{Access, ConversationFilter, Filter, Store};

const ROWS: u64 = 1_000_000;
const QUERIES: u64 = 200;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return; // `cargo test --benches` only wants to see that it starts
    }
    let rows = std::env::var("WXREPLY_BENCH_MESSAGES").ok();
    let rows = rows.map_or(ROWS, |text| text.parse().expect("a number"));
    let kept = std::env::var_os("WXREPLY_BENCH_DIR").map(PathBuf::from);
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let folder = kept.as_deref().unwrap_or(temporary.path());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        make(folder, rows).await;
        let store = index(folder).await;
        ask(&store).await;
        store.close().await;
    });
    intake(&runtime);
}

async fn open(folder: &Path, access: Access) -> Store {
    let url = format!("sqlite://{}", folder.join("wxreply.db").display());
    Store::open(&url, access, Arc::new(SystemClock), Arc::new(Metrics::new()))
        .await
        .expect("the database opens")
}

async fn make(folder: &Path, rows: u64) {
    let database = folder.join("wxreply.db");
    if database.exists() {
        println!("taking up {}", database.display());
        return;
    }
    std::fs::create_dir_all(folder.join("rules")).expect("writable");
    load::pushes::configure(folder, "wxreply.db", 8080, 8081);
    std::fs::write(folder.join("rules/shop.toml"), generated::rules()).expect("writable");
    let start = Instant::now();
    open(folder, Access::Daemon).await.close().await;
    generated::fill(&database, rows).await;
    println!("made a log of {rows} rows in {:.1?}", start.elapsed());
}

/// Waits until all is indexed.
async fn index(folder: &Path) -> Store {
    let start = Instant::now();
    let store = open(folder, Access::Daemon).await;
    let behind = store.index_status().await.expect("read").behind;
    while store.index_status().await.expect("read").behind > 0 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    if behind > 0 {
        println!("indexed in {:.1?}", start.elapsed());
    }
    for file in ["wxreply.db", "wxreply.index.db"] {
        let bytes = std::fs::metadata(folder.join(file)).expect("is there").len();
        println!("{file}: {:.0} MiB", bytes as f64 / 1_048_576.0);
    }
    store
}

async fn ask(store: &Store) {
    println!(
        "{:<44} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "", "p50 ms", "p95 ms", "max ms", "goal ms", "found"
    );
    for chars in 1..=4 {
        search(
            store,
            &format!("search, {chars} characters of a text"),
            Filter::default(),
            |random| {
                let text: Vec<char> = text(random).chars().collect();
                let from = random.below((text.len().saturating_sub(chars - 1)).max(1) as u64) as usize;
                text.into_iter().skip(from).take(chars).collect()
            },
        )
        .await;
    }
    search(
        store,
        "search, two characters that never meet",
        Filter::default(),
        |random| {
            (0..2)
                .filter_map(|_| char::from_u32(0x4e00 + random.below(20_000) as u32))
                .collect()
        },
    )
    .await;
    search(store, "search, a common text", Filter::default(), |random| {
        [
            "营业",
            "多少钱",
            "开门",
            "在吗",
            "退款",
            "订单",
            "吗",
            "的",
            "？",
            "wifi",
        ][random.below(10) as usize]
            .to_owned()
    })
    .await;
    let filtered = Filter {
        app: Some("branch".into()),
        status: Some("unmatched".into()),
        direction: Some(Direction::In),
        ..Filter::default()
    };
    search(store, "search, app and status too", filtered, |random| {
        text(random).chars().take(2).collect()
    })
    .await;
    let rule = Filter {
        rule: Some("规则 150".into()),
        ..Filter::default()
    };
    search(store, "search, of a rare rule too", rule.clone(), |random| {
        text(random).chars().take(2).collect()
    })
    .await;
    pages(store, rule).await;
    counts(store).await;
}

/// What is read page by page: a first page, and the following ones.
async fn pages(store: &Store, rule: Filter) {
    let nothing = Filter {
        rule: Some("none".into()),
        ..Filter::default()
    };
    let status = |status: &str| Filter {
        status: Some(status.to_owned()),
        ..Filter::default()
    };
    for (name, filter) in [
        ("log, a page", Filter::default()),
        ("log, of a rare rule", rule),
        ("log, of a rule that never was", nothing),
        ("log, failed", status("failed")),
        ("log, queued", status("queued")),
    ] {
        let (mut times, mut cursor) = (Times::new(name, 50.0), None);
        for _ in 0..QUERIES {
            let found = times
                .take(async || store.search(&filter, cursor.as_ref(), 50).await.expect("read"))
                .await;
            times.found += found.entries.len();
            cursor = found.next;
        }
        times.print();
    }
    let all = ConversationFilter::default();
    let unmatched = ConversationFilter {
        unmatched_only: true,
        ..all.clone()
    };
    let muted = ConversationFilter {
        muted_only: true,
        ..all.clone()
    };
    let openid = ConversationFilter {
        openid_prefix: Some("oGZUI0egBJY1zhBYw2Kh0000".into()),
        ..all.clone()
    };
    for (name, filter) in [
        ("conversations, a page", all),
        ("conversations, unmatched", unmatched),
        ("conversations, muted (none is)", muted),
        ("conversations, by an openid's beginning", openid),
    ] {
        let (mut times, mut cursor) = (Times::new(name, 50.0), None);
        for _ in 0..QUERIES / 4 {
            let found = times
                .take(async || {
                    store
                        .conversations(&filter, cursor.as_ref(), 30)
                        .await
                        .expect("read")
                })
                .await;
            times.found += found.conversations.len();
            cursor = found.next;
        }
        times.print();
    }
    by_text(store).await;
    let (app, heavy) = ("shop".into(), HEAVY.into());
    let (mut times, mut cursor) = (Times::new("thread of 1 % of all messages, a page", 20.0), None);
    let mut middle = None;
    for _ in 0..QUERIES {
        let found = times
            .take(async || {
                store
                    .thread(&app, &heavy, cursor.as_ref(), 50)
                    .await
                    .expect("read")
            })
            .await;
        times.found += found.entries.len();
        middle = found.entries.last().map(|entry| entry.id).or(middle);
        cursor = found.next;
    }
    times.print();
    let mut times = Times::new("a message in that thread", 50.0);
    for _ in 0..20 {
        let id = middle.expect("a message");
        let around = times
            .take(async || store.around(id, 20).await.expect("read"))
            .await;
        times.found += around.map_or(0, |around| around.entries.len());
    }
    times.print();
}

/// As the console finds conversations: twice as many rows as it shows, and what is known of each user.
async fn by_text(store: &Store) {
    let filter = Filter {
        search: Some("营业".into()),
        ..Filter::default()
    };
    let (mut times, mut cursor) = (Times::new("conversations, by a text", 50.0), None);
    for _ in 0..QUERIES / 4 {
        let page = times
            .take(async || {
                let mut page = store.search(&filter, cursor.as_ref(), 60).await.expect("read");
                let mut seen = BTreeSet::new();
                page.entries
                    .retain(|entry| seen.insert((entry.app.clone(), entry.openid.clone())));
                let contacts = page
                    .entries
                    .iter()
                    .map(|entry| store.contact(&entry.app, &entry.openid));
                try_join_all(contacts).await.expect("read");
                page
            })
            .await;
        times.found += page.entries.len();
        cursor = page.next;
    }
    times.print();
}

async fn counts(store: &Store) {
    let now = Timestamp::now();
    let since = now - SignedDuration::from_hours(14 * 24);
    let app = "shop".into();
    let mut hours = Times::new("hours of 14 days", 50.0);
    let mut of_app = Times::new("hours of 14 days, of an app", 50.0);
    let mut rules = Times::new("hits of rules in 14 days", 50.0);
    let mut unanswered = Times::new("unanswered texts, of 5,000 messages", 50.0);
    let mut more = Times::new("unanswered texts, of 20,000 messages", 100.0);
    let mut failures = Times::new("failures in 14 days", 100.0);
    for _ in 0..20 {
        hours.found += hours
            .take(async || store.hours(since, now, None).await.expect("read").len())
            .await;
        of_app.found += of_app
            .take(async || store.hours(since, now, Some(&app)).await.expect("read").len())
            .await;
        rules.found += rules
            .take(async || store.rule_counts(since).await.expect("read").len())
            .await;
        for (times, limit) in [(&mut unanswered, 5000), (&mut more, 20_000)] {
            let texts = times
                .take(async || store.unanswered(None, since, limit).await.expect("read"))
                .await;
            times.found += texts.texts.len();
        }
        failures.found += failures
            .take(async || store.delivery_failures(since, None).await.expect("read").len())
            .await;
    }
    for times in [hours, of_app, rules, unanswered, more, failures] {
        times.print();
    }
}

async fn search(store: &Store, name: &str, filter: Filter, of: impl Fn(&mut Random) -> String) {
    let mut times = Times::new(name, 100.0);
    for n in 0..QUERIES {
        let filter = Filter {
            search: Some(of(&mut Random(n + 1_000_000_007))),
            ..filter.clone()
        };
        let found = times
            .take(async || store.search(&filter, None, 50).await.expect("read").entries.len())
            .await;
        times.found += found;
    }
    times.print();
}

struct Times {
    name: String,
    goal: f64,
    all: Vec<f64>,
    found: usize,
}

impl Times {
    fn new(name: &str, goal: f64) -> Self {
        Self {
            name: name.to_owned(),
            goal,
            all: Vec::new(),
            found: 0,
        }
    }

    async fn take<T>(&mut self, ask: impl AsyncFnOnce() -> T) -> T {
        let start = Instant::now();
        let answer = ask().await;
        self.all.push(start.elapsed().as_secs_f64() * 1e3);
        answer
    }

    fn print(mut self) {
        self.all.sort_by(f64::total_cmp);
        let at = |share: f64| self.all[((self.all.len() - 1) as f64 * share).round() as usize];
        let late = if at(0.95) > self.goal { "  too slow" } else { "" };
        println!(
            "{:<44} {:>8.2} {:>8.2} {:>8.2} {:>8.0} {:>8}{late}",
            self.name,
            at(0.5),
            at(0.95),
            at(1.0),
            self.goal,
            self.found
        );
    }
}

/// Rounds of pushes with the indexer at work and without, in turn; the first of each is not counted.
const ROUNDS: usize = 6;
const ROUND: Duration = Duration::from_secs(4);
const CONNECTIONS: usize = 64;

/// Not counted at the start of each round: a daemon that has just started reads what pushes came before.
const WARM_UP: Duration = Duration::from_secs(3);

/// Rows that wait to be indexed, so that there is always work.
const BACKLOG: u64 = 500_000;

fn intake(runtime: &tokio::runtime::Runtime) {
    println!("\ndurable pushes a second, {CONNECTIONS} connections, rounds of {ROUND:?}:");
    let folders = [true, false].map(|indexed| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        runtime.block_on(async {
            open(path, Access::Daemon).await.close().await;
            generated::fill(&path.join("wxreply.db"), BACKLOG).await;
        });
        let index = path.join("wxreply.index.db");
        std::fs::remove_file(&index).expect("deleted");
        if !indexed {
            // Where a folder is in its place, there can be no index.
            std::fs::create_dir(&index).expect("made");
        }
        std::fs::create_dir(path.join("rules")).expect("made");
        std::fs::write(path.join("rules/bench.toml"), load::pushes::rules()).expect("writable");
        folder
    });
    let (mut serial, mut ratios) = (0, Vec::new());
    println!("{:>5} {:>12} {:>12} {:>7}", "round", "without", "with", "ratio");
    for round in 0..=ROUNDS {
        let rates = [1, 0].map(|which| {
            let folder = folders[which].path();
            let first = load::pushes::requests(&mut serial);
            let requests = load::pushes::requests(&mut serial);
            let (server, addr) = load::pushes::serve(folder, "wxreply.db");
            let warm_up = load::closed_loop(addr, &first, CONNECTIONS, WARM_UP);
            let report = load::closed_loop(addr, &requests, CONNECTIONS, ROUND);
            drop(server);
            assert_eq!(
                warm_up.wrong + report.wrong,
                0,
                "every push is answered `success`"
            );
            report.rate()
        });
        let ratio = rates[1] / rates[0];
        println!("{round:>5} {:>12.0} {:>12.0} {ratio:>7.3}", rates[0], rates[1]);
        if round > 0 {
            ratios.push(ratio);
        }
    }
    let behind = runtime.block_on(async {
        let store = open(folders[0].path(), Access::Command).await;
        let behind = store.index_status().await.expect("read").behind;
        store.close().await;
        behind
    });
    assert!(behind > 0, "the indexer had work until the end");
    ratios.sort_by(f64::total_cmp);
    println!(
        "with the indexer at work: median {:.3} of without ({:.3}–{:.3}), goal 0.900",
        (ratios[(ROUNDS - 1) / 2] + ratios[ROUNDS / 2]) / 2.0,
        ratios[0],
        ratios[ROUNDS - 1],
    );
}
