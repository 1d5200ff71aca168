//! How long it takes to run a long log through other rules: `cargo bench --bench replay`.
//!
//! Makes a log of a million messages (`WXREPLY_BENCH_MESSAGES` says otherwise) of 20,000 users, most of them answered by
//! one of 1,000 rules, in a database that the store itself lays out; then replays all of it through the same rules, of
//! which every tenth answers otherwise. Prints the time, the messages a second, the largest memory; and how long
//! 100,000 different texts take to be grouped.

mod random;

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use random::Random;
use sqlx::{Connection, SqliteConnection};
use wxreply::clock::SystemClock;
use wxreply::diagnostic::Source;
use wxreply::intake::Policies;
use wxreply::message::MessageId;
use wxreply::metrics::Metrics;
use wxreply::rehearsal::{Focus, Replay, Report};
use wxreply::rules::{RuleSet, Scope, load};
use wxreply::similar_texts;
use wxreply::store::{Access, Store};

const MESSAGES: u64 = 1_000_000;
const USERS: u64 = 20_000;
const RULES: u64 = 1_000;
const BEGIN: i64 = 1_767_578_400;
/// Between two messages: a million of them are three weeks.
const STEP_MILLIS: i64 = 1_800;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return; // `cargo test --benches` only wants to see that it starts
    }
    let messages = std::env::var("WXREPLY_BENCH_MESSAGES").ok();
    let messages = messages.map_or(MESSAGES, |text| text.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("bench.db");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");

    let start = Instant::now();
    let url = format!("sqlite://{}", path.display());
    runtime.block_on(async {
        open(&url, Access::Daemon).await.close().await;
        fill(&url, messages).await;
    });
    println!("made a log of {messages} messages in {:.1?}", start.elapsed());

    let rules = rule_set();
    let start = Instant::now();
    let report = runtime.block_on(replay(&url, &rules, messages));
    let took = start.elapsed();
    println!(
        "replayed {} messages with {} rules in {took:.1?}: {:.0} a second, {:.1} µs each; {} changed in {} ways",
        report.messages,
        rules.len(),
        report.messages as f64 / took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / report.messages as f64,
        report.changed(),
        report.changes.len(),
    );
    if let Some(memory) = peak_memory() {
        println!("memory at its largest: {memory}");
    }

    let texts: Vec<String> = (0..100_000).map(|n| text(n, &mut Random(n))).collect();
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    texts.sort_unstable();
    texts.dedup();
    let counted: Vec<(&str, u64)> = texts.iter().map(|text| (*text, 1)).collect();
    let start = Instant::now();
    let groups = similar_texts::group(&counted).groups.len();
    println!(
        "grouped {} texts into {groups} in {:.1?}",
        counted.len(),
        start.elapsed()
    );
}

async fn open(url: &str, access: Access) -> Store {
    Store::open(url, access, Arc::new(SystemClock), Arc::new(Metrics::new()))
        .await
        .expect("the database opens")
}

async fn replay(url: &str, rules: &RuleSet, messages: u64) -> Report {
    let store = open(url, Access::Command).await;
    let policies = Policies::default();
    let focus = Focus {
        since: at(0),
        app: None,
        openid: None,
    };
    let mut replay = Replay::new(rules, None, &policies, focus);
    let mut pages = store.past(at(0), at(messages as i64));
    while let Some(page) = pages.recv().await {
        for past in page.expect("the log is read") {
            replay.meet(past);
        }
    }
    store.close().await;
    replay.finish()
}

fn at(step: i64) -> Timestamp {
    Timestamp::from_millisecond(BEGIN * 1000 + step * STEP_MILLIS).expect("in range")
}

/// Writes the log: what the daemon would have written, but for the pushes.
async fn fill(url: &str, messages: u64) {
    let mut conn = SqliteConnection::connect(url).await.expect("it is there");
    sqlx::raw_sql("pragma synchronous = off; begin")
        .execute(&mut conn)
        .await
        .expect("begun");
    let mut latest = vec![None; USERS as usize];
    for n in 0..messages {
        let mut random = Random(n);
        let user = random.below(USERS);
        let received = at(n as i64).as_millisecond();
        let id = MessageId::new(received.div_euclid(1000), random.next()).as_i64();
        let openid = format!("oGZUI0egBJY1zhBYw2Kh{user:08}");
        let rule = random.below(RULES * 5 / 4);
        let text = text(rule, &mut random);
        let fields = format!(
            r#"{{"ToUserName":"gh_0123456789ab","FromUserName":"{openid}","CreateTime":"{}","MsgType":"text","Content":"{text}","MsgId":"{n}"}}"#,
            received.div_euclid(1000)
        );
        let name = (rule < RULES).then(|| format!("r{rule}"));
        let status = if name.is_some() { "matched" } else { "unmatched" };
        sqlx::query(
            "insert into messages (id, app, openid, direction, time, msg_type, content, fields, rule, rule_set, status, \
             dedup_key, previous) values (?, 'shop', ?, 'in', ?, 'text', ?, ?, ?, 'v1', ?, ?, ?)",
        )
        .bind(id)
        .bind(&openid)
        .bind(received)
        .bind(text)
        .bind(fields)
        .bind(&name)
        .bind(status)
        .bind(n.to_string())
        .bind(latest[user as usize].replace(id))
        .execute(&mut conn)
        .await
        .expect("written");
        if let Some(name) = name {
            let reply = format!("答案 {rule}");
            sqlx::query(
                "insert into messages (id, app, openid, direction, time, msg_type, content, fields, rule, rule_set, \
                 status, due, queued_at, turn, settled) \
                 values (?, 'shop', ?, 'out', ?, 'text', ?, ?, ?, 'v1', 'sent', 0, 0, 0, 0)",
            )
            .bind(id + 1)
            .bind(&openid)
            .bind(received)
            .bind(&reply)
            .bind(format!(r#"{{"text":"{reply}"}}"#))
            .bind(name)
            .execute(&mut conn)
            .await
            .expect("written");
        }
        if n % 50_000 == 49_999 {
            sqlx::raw_sql("commit; begin")
                .execute(&mut conn)
                .await
                .expect("committed");
        }
    }
    sqlx::query(
        "insert into contacts (app, openid, first_message, misses, ledger_left) \
         select 'shop', openid, min(time), 0, 0 from messages where direction = 'in' group by openid",
    )
    .execute(&mut conn)
    .await
    .expect("written");
    sqlx::raw_sql("commit")
        .execute(&mut conn)
        .await
        .expect("committed");
    conn.close().await.expect("closed");
}

fn rule_set() -> RuleSet {
    let rules: String = (0..RULES)
        .map(|n| {
            let condition = match n % 20 {
                0..14 => format!("when.keywords = [\"{}\"]", word(n)),
                14..17 => format!("when.keywords = [\"{}\"]\nwhen.msg_type = \"text\"", word(n)),
                _ => format!("when.regex = '{}.*'", word(n)),
            };
            let answer = if n % 10 == 0 { "另一个答案" } else { "答案" };
            format!("[[rule]]\nname = \"r{n}\"\n{condition}\nreply = \"{answer} {n}\"\n")
        })
        .collect();
    let scope = Scope::default();
    let loaded = load(&[Source::new("rules.toml", rules)], &scope);
    loaded
        .set
        .unwrap_or_else(|| panic!("the made-up rules do not load: {:?}", loaded.findings.first()))
}

/// Three characters that no other number has.
fn word(n: u64) -> String {
    let digits =
        [n / 100, n / 10 % 10, n % 10].map(|digit| "甲乙丙丁戊己庚辛壬癸子丑寅".chars().nth(digit as usize));
    digits.into_iter().flatten().collect()
}

/// A question that holds the word of a rule, if there is that rule.
fn text(rule: u64, random: &mut Random) -> String {
    let talk = |random: &mut Random| -> String {
        let len = 1 + random.below(5);
        (0..len)
            .map(|_| {
                "你们店里有没这个多少钱怎样几点开门去哪能用吗"
                    .chars()
                    .nth(random.below(22) as usize)
                    .unwrap_or('吗')
            })
            .collect()
    };
    let (before, after) = (talk(random), talk(random));
    format!("{before}{}{after}", word(rule % (RULES * 5 / 4)))
}

/// What Linux says this process took at most.
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}
