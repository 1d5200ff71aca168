//! WeChat's API as light as it can be: gives a token, takes every reply, and notes which came when.
//!
//! It looks for a number behind the last `#` of a reply (`您好 #17`), and checks nothing.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A reply that came: its number, and when.
pub type Arrival = (u32, Instant);

/// A running API, on a thread of its own; it runs as long as the benchmark.
pub struct Api {
    pub addr: SocketAddr,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
}

impl Api {
    /// Starts it; `pause` says how long a reply's answer takes.
    pub fn start(pause: fn(u32) -> Duration) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("nonblocking");
        let addr = listener.local_addr().expect("bound");
        let arrivals = Arc::<Mutex<Vec<Arrival>>>::default();
        let noted = Arc::clone(&arrivals);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(answer(stream, pause, Arc::clone(&noted)));
                }
            });
        });
        Self { addr, arrivals }
    }

    /// How many replies came since they were taken last.
    pub fn count(&self) -> usize {
        self.arrivals.lock().expect("unpoisoned").len()
    }

    /// Those that came since the last time, in their order.
    pub fn take(&self) -> Vec<Arrival> {
        std::mem::take(&mut self.arrivals.lock().expect("unpoisoned"))
    }
}

/// Answers the requests of one connection, one after the other.
async fn answer(mut stream: TcpStream, pause: fn(u32) -> Duration, noted: Arc<Mutex<Vec<Arrival>>>) {
    stream.set_nodelay(true).expect("nodelay");
    let mut bytes = Vec::with_capacity(4096);
    loop {
        while let Some(length) = request(&bytes) {
            let body = if find(&bytes[..length], b"custom/send").is_some() {
                let arrived = Instant::now();
                let n = number(&bytes[..length]);
                noted.lock().expect("unpoisoned").push((n, arrived));
                let pause = pause(n);
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                r#"{"errcode":0,"errmsg":"ok"}"#
            } else {
                r#"{"access_token":"67_BENCHbenchBENCHbenchBENCHbenchBENCHbenchBENCHbenchBENCHbenchBENCHbench","expires_in":7200}"#
            };
            bytes.drain(..length);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json; encoding=utf-8\r\nContent-Length:";
            let answer = format!("{head} {}\r\n\r\n{body}", body.len());
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
        match stream.read_buf(&mut bytes).await {
            Ok(1..) => {}
            _ => return,
        }
    }
}

/// The length of the first whole request.
fn request(bytes: &[u8]) -> Option<usize> {
    let head = find(bytes, b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).expect("ASCII headers");
    let length: usize = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().expect("a length"));
    (bytes.len() >= head + length).then_some(head + length)
}

fn number(request: &[u8]) -> u32 {
    let sharp = request
        .iter()
        .rposition(|b| *b == b'#')
        .expect("a numbered reply");
    request[sharp + 1..]
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .fold(0, |n, digit| n * 10 + u32::from(digit - b'0'))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
