//! The parts of `benches/peers/compare` that are ours: a bare server, a server that stores nothing, rule files, load.
//!
//! - `bare PORT`: warp, POST, the body read, `success`: the limit of the framework.
//! - `receive PORT RULES`: that, and a push verified, opened, parsed and decided by the rules of a file, but not stored.
//! - `rules N FOLDER`: the made-up rules as `rules/bench.toml` for wxreply and `rules.json` for its peers.
//! - `load ADDRESS PATH MODE RULES SERIAL SECONDS (closed|fresh|RATE)`: pushes in MODE (`plain`, `safe`), each of a user of its own,
//!   from SERIAL on, half of them about a rule; prints one line: answers a second, p50, p99 and p99.9 in ms, right answers, wrong ones.

mod corpus;
mod load;
mod random;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use warp::Filter;
use wxreply::diagnostic::Source;
use wxreply::message::{AppName, Contact, Cooldowns, Facts, Mode};
use wxreply::rules::{RuleSet, Scope};
use wxreply::wechat::{Credentials, Opened, PushQuery, open_push};

use corpus::{Corpus, Rule};
use load::bare;
use load::pushes::{APP_ID, Signer, TOKEN};

const CONNECTIONS: usize = 64;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["bare", port] => bare::serve(number(port)),
        ["receive", port, rules] => receive(number(port), Path::new(rules)),
        ["rules", count, folder] => write_rules(number(count), Path::new(folder)),
        ["load", addr, path, mode, rules, serial, seconds, pace] => {
            run(
                addr,
                path,
                mode,
                number(rules),
                number(serial),
                number(seconds),
                pace,
            );
        }
        _ => println!("run benches/peers/compare: it drives this program"),
    }
}

fn number<N: std::str::FromStr>(text: &str) -> N {
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` should be a number"))
}

fn receive(port: u16, rules: &Path) {
    let text = std::fs::read_to_string(rules).expect("readable rules");
    let loaded = wxreply::rules::load(&[Source::new("bench.toml", text)], &Scope::default());
    let set = Arc::new(loaded.set.expect("the made-up rules load"));
    let app = AppName::from("shop");
    let credentials = Arc::new(Credentials {
        app_id: APP_ID.to_owned(),
        token: TOKEN.into(),
        aes_key: None,
        mode: Mode::Plain,
    });
    load::block_on(async move {
        let route = warp::post()
            .and(warp::path!("wechat" / "shop"))
            .and(warp::query::raw())
            .and(warp::body::bytes())
            .map(move |query: String, body: bytes::Bytes| {
                if decide(&set, &credentials, &app, &query, &body) {
                    "success"
                } else {
                    "refused"
                }
            });
        warp::serve(route)
            .incoming(bare::listener(port).await)
            .run()
            .await;
    });
}

/// Whether the push is one; the decision is made and dropped.
fn decide(set: &RuleSet, credentials: &Credentials, app: &AppName, query: &str, body: &[u8]) -> bool {
    let now = Timestamp::now();
    let opened = PushQuery::parse(query)
        .and_then(|query| open_push(credentials, &query, body, now, Duration::from_secs(600)));
    let Ok(Opened::Push(push)) = opened else {
        return false;
    };
    let Ok(inbound) = push.into_inbound(app.clone(), now) else {
        return false;
    };
    let (contact, app_cooldowns) = (Contact::default(), Cooldowns::default());
    let facts = Facts {
        now,
        contact: &contact,
        app_cooldowns: &app_cooldowns,
    };
    std::hint::black_box(set.decide(&inbound, &set.candidates(&inbound), &facts));
    true
}

fn write_rules(count: usize, folder: &Path) {
    let corpus = Corpus::new(count, 0);
    let rule = |rule: &Rule| match rule {
        Rule::Keyword(text) => json!(["contains", text]),
        Rule::Exact(text) => json!(["exact", text]),
        Rule::Regex(pattern, _) => json!(["regex", pattern]),
    };
    let json: Vec<_> = corpus.rules.iter().map(rule).collect();
    std::fs::create_dir_all(folder.join("rules")).expect("writable");
    std::fs::write(folder.join("rules.json"), json!(json).to_string()).expect("writable");
    // Replies are due in ten minutes, so that none is sent while the clock runs.
    let toml = corpus.toml("答案").replace("reply =", "delay = '10m'\nreply =");
    std::fs::write(folder.join("rules/bench.toml"), toml).expect("writable");
}

fn run(addr: &str, path: &str, mode: &str, rules: usize, serial: u64, seconds: u64, pace: &str) {
    let addr: SocketAddr = addr.parse().expect("an address");
    let rate: Option<u32> = pace.parse().ok();
    let fresh = pace == "fresh";
    // More than any server here answers.
    let most = rate.map_or(110_000, u64::from) * seconds;
    let requests = requests(path, mode, rules, serial, most, fresh);
    let time = Duration::from_secs(seconds);
    // Peers answer with the reply, or with nothing; wxreply and the bare server have one right answer.
    let any: fn(&[u8]) -> bool = match path {
        "/wechat/shop" => load::is_success,
        _ => |body| body.trim_ascii_start().starts_with(b"<xml>") || body == b"success" || body.is_empty(),
    };
    let report = match rate {
        Some(rate) => load::open_loop(addr, &requests, CONNECTIONS, rate),
        None if fresh => load::fresh::fresh_loop(addr, &requests, CONNECTIONS, time, any),
        None => load::closed_loop_of(addr, &requests, CONNECTIONS, time, any),
    };
    println!(
        "{:.1} {:.3} {:.3} {:.3} {} {}",
        report.rate(),
        report.percentile(0.5),
        report.percentile(0.99),
        report.percentile(0.999),
        report.answered,
        report.wrong
    );
}

fn requests(path: &str, mode: &str, rules: usize, serial: u64, count: u64, fresh: bool) -> Vec<Vec<u8>> {
    let mut signer = Signer::new(path, mode == "safe");
    if fresh {
        signer.header = "Connection: close\r\n";
    }
    let corpus = Corpus::new(rules, 20_000);
    (serial..serial + count)
        .zip(corpus.messages.iter().cycle())
        .map(|(n, content)| signer.push(n, content))
        .collect()
}
