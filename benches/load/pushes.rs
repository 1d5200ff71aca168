//! Pushes of a shop, and a daemon that takes them.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use wxreply::wechat::{AesKey, msg_signature, seal, signature};

use crate::random::Random;

const RULES: usize = 1_000;
const REQUESTS: usize = 60_000;

pub const APP_ID: &str = "wx0123456789abcdef";
pub const TOKEN: &str = "t0kenBench";
pub const AES_KEY: &str = "Q7mZ2vK9pL4xT8sD1nR6wB3yF5hJ0cGaUeVoXiYtWkR";

/// A process that ends with the benchmark.
pub struct Server(Child);

impl Server {
    pub fn start(command: &mut Command) -> Self {
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().expect("the server starts"))
    }

    /// CPU time so far, the kernel's included; in steps of 10 ms.
    pub fn cpu(&self) -> Duration {
        cpu_of(&self.0.id().to_string())
    }

    /// Waits until it has nothing left to do of what it was given: an index that is being made takes a core from
    /// whatever is measured next.
    pub fn rest(&self) {
        let begun = Instant::now();
        let mut before = self.cpu();
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let now = self.cpu();
            if now - before <= Duration::from_millis(20) {
                return;
            }
            before = now;
            assert!(begun.elapsed() < Duration::from_secs(30), "it comes to no rest");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// CPU time of a process, by its id or `self`.
pub fn cpu_of(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let behind_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = behind_name.split(' ').skip(11).take(2);
    Duration::from_millis(ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10)
}

/// Starts the daemon on a database and the rules of a folder.
pub fn serve(folder: &Path, database: &str) -> (Server, SocketAddr) {
    let (server, pushes, _) = serve_both(folder, database);
    (server, pushes)
}

/// The same, with the address of its admin listener.
pub fn serve_both(folder: &Path, database: &str) -> (Server, SocketAddr, SocketAddr) {
    let (port, admin) = (free_port(), free_port());
    configure(folder, database, port, admin);
    (start(folder), accepting(port), accepting(admin))
}

/// Starts the daemon on the config of a folder.
pub fn start(folder: &Path) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wxreply"));
    command
        .args(["serve", "--config"])
        .arg(folder.join("wxreply.toml"))
        .env("WXREPLY_LOG", "off");
    Server::start(&mut command)
}

/// Writes a config for a database and the rules in `rules`.
pub fn configure(folder: &Path, database: &str, port: u16, admin: u16) {
    let config = format!(
        r#"
listen   = "127.0.0.1:{port}"
rules    = "rules"
database = "sqlite://{database}"
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
[[app]]
name = "branch"
kind = "mini-program"
app_id = "wx0123456789abcde0"
app_secret = "unused"
token = "{TOKEN}"
encoding_aes_key = "{AES_KEY}"
mode = "safe"
api_base = "http://127.0.0.1:9"
"#
    );
    std::fs::write(folder.join("wxreply.toml"), config).expect("writable");
}

/// A thousand rules.
pub fn rules() -> String {
    rules_of(0..RULES)
}

/// Rules that answer half of the pushes, in ten minutes: none is sent while the clock runs.
pub fn rules_of(numbers: Range<usize>) -> String {
    let mut rules = String::new();
    for n in numbers {
        let condition = match n % 20 {
            0..14 => format!("when.keywords = [\"{}\"]", word(n)),
            14..17 => format!("when.exact = [\"{}\"]", word(n)),
            _ => format!("when.regex = '{}(?P<number>[0-9]{{4,12}})'", word(n)),
        };
        rules.push_str(&format!(
            "[[rule]]\nname = \"r{n}\"\n{condition}\nreply = \"答案 {n}\"\ndelay = \"10m\"\n\n"
        ));
    }
    rules
}

/// A made-up word for each rule: four Chinese characters that no other rule has.
pub fn word(n: usize) -> String {
    [7, 131, 17, 61]
        .iter()
        .enumerate()
        .map(|(i, step)| {
            char::from_u32(0x4e00 + (n * step + i * 4_000 + n / 4_000 * 97) as u32 % 4_000 + i as u32 * 4_000)
                .expect("CJK")
        })
        .collect()
}

/// Pushes to a thousand rules, all different, signed now.
pub fn requests(serial: &mut u64) -> Vec<Vec<u8>> {
    requests_of(serial, REQUESTS, RULES)
}

/// Pushes in safe mode, all different, signed now; half of them match one of so many rules.
pub fn requests_of(serial: &mut u64, count: usize, rules: usize) -> Vec<Vec<u8>> {
    let signer = Signer::new("/wechat/shop", true);
    (0..count)
        .map(|_| {
            *serial += 1;
            let n = *serial;
            let content = if n.is_multiple_of(2) {
                format!("请问{}有货吗？", word((n / 2) as usize % rules / 20 * 20))
            } else {
                format!("今天天气真好，我想买点东西 {n}")
            };
            signer.push(n, &content)
        })
        .collect()
}

/// Makes pushes, each of a user of its own, sent now.
pub struct Signer<'a> {
    path: &'a str,
    /// In safe mode.
    key: Option<AesKey>,
    now: i64,
    /// A header more, with its end of line.
    pub header: &'a str,
}

impl<'a> Signer<'a> {
    pub fn new(path: &'a str, safe: bool) -> Self {
        Self {
            path,
            key: safe.then(|| AesKey::decode(AES_KEY).expect("a key")),
            now: Timestamp::now().as_second(),
            header: "",
        }
    }

    /// The whole request.
    pub fn push(&self, n: u64, content: &str) -> Vec<u8> {
        let Self {
            path,
            key,
            now,
            header,
        } = self;
        // As openids are: those of neighbours in time are no neighbours in a b-tree. A number has one of its own.
        let openid = format!("oBENCH{:022}", Random(n).next());
        let xml = format!(
            "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[{openid}]]></FromUserName>\
             <CreateTime>{now}</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{content}]]></Content>\
             <MsgId>{}</MsgId></xml>",
            23_637_352_235_060_880 + n,
        );
        let (timestamp, nonce) = (now.to_string(), n.to_string());
        let signed = signature(TOKEN, &timestamp, &nonce);
        let (sealed, body) = match key {
            None => (String::new(), xml),
            Some(key) => {
                let encrypt = seal(key, APP_ID, xml.as_bytes(), *b"0123456789abcdef");
                let signed = msg_signature(TOKEN, &timestamp, &nonce, &encrypt);
                let body = format!(
                    "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
                );
                (format!("&encrypt_type=aes&msg_signature={signed}"), body)
            }
        };
        format!(
            "POST {path}?signature={signed}&timestamp={timestamp}&nonce={nonce}&openid={openid}{sealed} HTTP/1.1\r\n\
             Host: 127.0.0.1\r\n{header}Content-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
            body.len(),
        )
        .into_bytes()
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a free port")
        .port()
}

pub fn accepting(port: u16) -> SocketAddr {
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
