//! What a reload does to the latency of pushes: 10,000 rules, pushes at a fixed rate, with reloads and without, in turn.
//!
//! `cargo bench --bench reload`. Safe mode, XML; each push is sent at its appointed time whether or not the last one was
//! answered, and its latency counts from that time, so that a stall is seen in full. In every second window the rules
//! are saved again with one rule changed, so that the whole set is compiled anew. `wxreply serve` is a process of its
//! own; the figures of its reloads are from its own metrics.

mod load;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wxreply::wechat::{AesKey, msg_signature, seal, signature};

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

const APP_ID: &str = "wx0123456789abcdef";
const TOKEN: &str = "t0kenBench";
const AES_KEY: &str = "Q7mZ2vK9pL4xT8sD1nR6wB3yF5hJ0cGaUeVoXiYtWkR";

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
    let (port, admin) = (free_port(), free_port());
    configure(folder.path(), port, admin);
    save(folder.path(), plan.rules, 0);
    let serve = Server(
        Command::new(env!("CARGO_BIN_EXE_wxreply"))
            .args(["serve", "--config"])
            .arg(folder.path().join("wxreply.toml"))
            .env("WXREPLY_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()
            .expect("wxreply starts"),
    );
    let (addr, admin) = (accepting(port), accepting(admin));

    let (mut ratios, mut serial, mut slowest) = (Vec::new(), 0, 0.0_f64);
    let count = usize::try_from(plan.rate).expect("a few") * plan.window.as_millis() as usize / 1000;
    // The first window warms up what only the first push pays for.
    window(addr, &requests(&mut serial, count, plan.rules), &plan);
    for round in 1..=plan.rounds {
        let still = window(addr, &requests(&mut serial, count, plan.rules), &plan);
        let before = reloads(admin);
        let reqs = requests(&mut serial, count, plan.rules);
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

/// A process that ends with the benchmark.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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

fn configure(folder: &Path, port: u16, admin: u16) {
    let config = format!(
        r#"
listen   = "127.0.0.1:{port}"
rules    = "rules"
database = "sqlite://bench.db"
[admin]
listen = "127.0.0.1:{admin}"
[[app]]
name = "shop"
kind = "mini-program"
app_id = "{APP_ID}"
app_secret = "unused"
token = "{TOKEN}"
encoding_aes_key = "{AES_KEY}"
mode = "safe"
api_base = "http://127.0.0.1:9"
"#
    );
    std::fs::write(folder.join("wxreply.toml"), config).expect("writable");
    std::fs::create_dir(folder.join("rules")).expect("writable");
}

/// Saves the rules in ten files, as an editor saves one: `version` stands in the last rule's reply.
fn save(folder: &Path, count: usize, version: usize) {
    for (n, rules) in (0..count)
        .collect::<Vec<_>>()
        .chunks(count.div_ceil(10))
        .enumerate()
    {
        let mut text = String::new();
        for &n in rules {
            let condition = match n % 20 {
                0..14 => format!("when.keywords = [\"{}\"]", word(n)),
                14..17 => format!("when.exact = [\"{}\"]", word(n)),
                _ => format!("when.regex = '{}(?P<number>[0-9]{{4,12}})'", word(n)),
            };
            text.push_str(&format!(
                "[[rule]]\nname = \"r{n}\"\n{condition}\nreply = \"答案 {n}\"\ndelay = \"10m\"\n\n"
            ));
        }
        if rules.last() == Some(&(count - 1)) {
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

/// A made-up word for each rule: four Chinese characters that no other rule has.
fn word(n: usize) -> String {
    [7, 131, 17, 61]
        .iter()
        .enumerate()
        .map(|(i, step)| {
            char::from_u32(0x4e00 + (n * step + i * 4_000 + n / 4_000 * 97) as u32 % 4_000 + i as u32 * 4_000)
                .expect("CJK")
        })
        .collect()
}

/// Pushes, all different, signed now; half of them match a rule.
fn requests(serial: &mut u64, count: usize, rules: usize) -> Vec<Vec<u8>> {
    let key = AesKey::decode(AES_KEY).expect("a key");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    (0..count)
        .map(|_| {
            *serial += 1;
            let n = *serial;
            let content = if n.is_multiple_of(2) {
                format!("请问{}有货吗？", word((n / 2) as usize % rules / 20 * 20))
            } else {
                format!("今天天气真好，我想买点东西 {n}")
            };
            let xml = format!(
                "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oBENCH{n:022}]]></FromUserName>\
                 <CreateTime>{now}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{content}]]></Content>\
                 <MsgId>{}</MsgId></xml>",
                23_637_352_235_060_880 + n,
            );
            let encrypt = seal(&key, APP_ID, xml.as_bytes(), *b"0123456789abcdef");
            let (timestamp, nonce) = (now.to_string(), n.to_string());
            let body = format!(
                "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
            );
            format!(
                "POST /wechat/shop?signature={}&timestamp={timestamp}&nonce={nonce}&openid=oBENCH{n:022}&encrypt_type=aes\
                 &msg_signature={} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
                signature(TOKEN, &timestamp, &nonce),
                msg_signature(TOKEN, &timestamp, &nonce, &encrypt),
                body.len(),
            )
            .into_bytes()
        })
        .collect()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a free port")
        .port()
}

fn accepting(port: u16) -> SocketAddr {
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    let start = Instant::now();
    while TcpStream::connect(addr).is_err() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{addr} does not accept"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    addr
}
