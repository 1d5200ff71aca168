//! Durable pushes a second of `wxreply serve` against a bare warp route, in one run, as a ratio.
//!
//! `cargo bench --bench intake`. Safe mode, XML, 64 keep-alive connections, 1,000 rules, every message and user
//! new, half of the messages matched. Both servers are processes of their own and get the same bytes, in turn,
//! `ROUNDS` times. The replies are due in ten minutes, so that none is sent while the clock runs: what is measured is
//! receive, verify, open, decide, write the message and its reply, flush, answer. An fdatasync probe of the same
//! disk stands beside the figures, for it decides the latency.

mod load;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wxreply::wechat::{AesKey, msg_signature, seal, signature};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(3);
const CONNECTIONS: usize = 64;
const RULES: usize = 1_000;
const REQUESTS: usize = 200_000;

const APP_ID: &str = "wx0123456789abcdef";
const TOKEN: &str = "t0kenBench";
const AES_KEY: &str = "Q7mZ2vK9pL4xT8sD1nR6wB3yF5hJ0cGaUeVoXiYtWkR";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(port) = args
        .iter()
        .position(|a| a == "--bare-warp")
        .and_then(|i| args.get(i + 1))
    {
        bare_warp(port.parse().expect("a port"));
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

    let bare_port = free_port();
    let bare = Server(
        Command::new(std::env::current_exe().expect("this program"))
            .args(["--bare-warp", &bare_port.to_string()])
            .spawn()
            .expect("the bare server starts"),
    );
    let port = free_port();
    configure(folder.path(), port);
    let serve = Server(
        Command::new(env!("CARGO_BIN_EXE_wxreply"))
            .args(["serve", "--config"])
            .arg(folder.path().join("wxreply.toml"))
            .env("WXREPLY_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()
            .expect("wxreply starts"),
    );
    let bare_addr = accepting(bare_port);
    let serve_addr = accepting(port);

    let mut ratios = Vec::new();
    let mut serial = 0;
    for round in 1..=ROUNDS {
        let probe = fdatasync_probe(folder.path());
        let requests = requests(&mut serial);
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

/// A process that ends with the benchmark.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bare_warp(port: u16) {
    use warp::Filter;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(async {
            let route = warp::post().and(warp::body::bytes()).map(|_body| "success");
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
                .await
                .expect("the port is free");
            warp::serve(route).incoming(listener).run().await;
        });
}

fn configure(folder: &Path, port: u16) {
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
"#,
        admin = free_port(),
    );
    std::fs::write(folder.join("wxreply.toml"), config).expect("writable");
    std::fs::create_dir(folder.join("rules")).expect("writable");
    let mut rules = String::new();
    for n in 0..RULES {
        let condition = match n % 20 {
            0..14 => format!("when.keywords = [\"{}\"]", word(n)),
            14..17 => format!("when.exact = [\"{}\"]", word(n)),
            _ => format!("when.regex = '{}(?P<number>[0-9]{{4,12}})'", word(n)),
        };
        rules.push_str(&format!(
            "[[rule]]\nname = \"r{n}\"\n{condition}\nreply = \"答案 {n}\"\ndelay = \"10m\"\n\n"
        ));
    }
    std::fs::write(folder.join("rules/bench.toml"), rules).expect("writable");
}

/// A made-up word for each rule: four Chinese characters that no other rule has.
fn word(n: usize) -> String {
    [7, 131, 17, 61]
        .iter()
        .enumerate()
        .map(|(i, step)| {
            char::from_u32(0x4e00 + (n * step + i * 4_000) as u32 % 4_000 + i as u32 * 4_000).expect("CJK")
        })
        .collect()
}

/// `REQUESTS` pushes, all different, signed now.
fn requests(serial: &mut u64) -> Vec<Vec<u8>> {
    let key = AesKey::decode(AES_KEY).expect("a key");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    (0..REQUESTS)
        .map(|_| {
            *serial += 1;
            let n = *serial;
            let content = if n.is_multiple_of(2) {
                format!("请问{}有货吗？", word((n / 2) as usize % RULES / 20 * 20))
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

/// What one 4 KiB append with fdatasync costs on the disk of the database: p50/p99 in microseconds.
fn fdatasync_probe(folder: &Path) -> String {
    let mut file = std::fs::File::create(folder.join("probe")).expect("writable");
    let mut micros: Vec<u128> = (0..200)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[0; 4096]).expect("writable");
            file.sync_data().expect("flushed");
            start.elapsed().as_micros()
        })
        .collect();
    micros.sort_unstable();
    format!("{}/{}", micros[100], micros[198])
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
