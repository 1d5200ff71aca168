//! A light load generator: one thread, non-blocking sockets, requests made before the clock starts.
//!
//! In a closed loop, each connection sends as soon as it is answered: that finds the highest rate. In an open one, requests
//! have appointed times: that finds what customers feel, for a stall does not keep others from coming.
//!
//! It shares the machine with what it measures, so it does as little as it can: writes bytes that are ready, and
//! looks only for the end of each answer.

#![allow(dead_code, reason = "each benchmark uses one of the loops")]

pub mod api;
pub mod bare;
pub mod disk;
pub mod pushes;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

pub mod fresh;

/// That of wxreply, for what it is compared with too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs on two workers until it is done.
pub fn block_on(task: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(task);
}

/// What one run came to.
#[derive(Debug)]
pub struct Report {
    /// When the first request was due.
    pub began: Instant,
    /// Requests that were answered 200 with the body expected.
    pub answered: usize,
    /// Requests that were answered otherwise.
    pub wrong: usize,
    /// How long the run took.
    pub took: Duration,
    /// Latencies in microseconds, sorted.
    pub latencies: Vec<u32>,
}

impl Report {
    /// Right answers a second.
    pub fn rate(&self) -> f64 {
        self.answered as f64 / self.took.as_secs_f64()
    }

    fn note(&mut self, connection: &mut Connection, right: bool) {
        if right {
            self.answered += 1;
        } else {
            self.wrong += 1;
        }
        let micros = connection.since.elapsed().as_micros();
        self.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
        connection.idle = true;
    }

    /// The latency below which `share` of the answers came, in milliseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.latencies
            .get(at)
            .map_or(f64::NAN, |us| f64::from(*us) / 1000.0)
    }
}

struct Connection {
    stream: TcpStream,
    request: usize,
    written: usize,
    answer: Vec<u8>,
    since: Instant,
    idle: bool,
}

/// Sends `requests` over `connections` keep-alive connections, each as soon as its last one is answered, until
/// `time` is over or none is left.
pub fn closed_loop(addr: SocketAddr, requests: &[Vec<u8>], connections: usize, time: Duration) -> Report {
    closed_loop_of(addr, requests, connections, time, is_success)
}

/// … of a server whose answers are `is_right`.
pub fn closed_loop_of(
    addr: SocketAddr,
    requests: &[Vec<u8>],
    connections: usize,
    time: Duration,
    is_right: fn(&[u8]) -> bool,
) -> Report {
    let (mut poll, mut open) = connect(addr, connections);
    let mut events = Events::with_capacity(connections);
    let mut next = 0;
    let start = Instant::now();
    let mut report = Report {
        began: start,
        answered: 0,
        wrong: 0,
        took: time,
        latencies: Vec::with_capacity(requests.len()),
    };
    let mut active = 0;
    for connection in &mut open {
        active += usize::from(begin(connection, &mut next, requests.len()));
        write(connection, requests);
    }
    while active > 0 {
        poll.poll(&mut events, Some(Duration::from_millis(100)))
            .expect("poll");
        let over = start.elapsed() >= time;
        if over && start.elapsed() > time + Duration::from_secs(10) {
            break;
        }
        for event in &events {
            let connection = &mut open[event.token().0];
            if connection.idle {
                continue;
            }
            if event.is_writable() {
                write(connection, requests);
            }
            if event.is_readable() {
                read(connection);
                while let Some((length, right)) = answered(&connection.answer, is_right) {
                    connection.answer.drain(..length);
                    report.note(connection, right);
                    if over || !begin(connection, &mut next, requests.len()) {
                        active -= 1;
                    } else {
                        write(connection, requests);
                    }
                }
            }
        }
    }
    report.took = start.elapsed();
    report.latencies.sort_unstable();
    report
}

/// Sends `requests` at `rate` a second over `connections` keep-alive connections, whether or not the last ones were
/// answered, until all are. Latencies count from the time at which a request was to be sent.
pub fn open_loop(addr: SocketAddr, requests: &[Vec<u8>], connections: usize, rate: u32) -> Report {
    let (mut poll, mut open) = connect(addr, connections);
    let mut events = Events::with_capacity(connections);
    let timer = Token(connections);
    let waker = Waker::new(poll.registry(), timer).expect("a waker");
    // In turn: one that is never needed would be closed as idle.
    let mut idle: VecDeque<usize> = (0..connections).collect();
    let (due, mut sent) = (AtomicUsize::new(0), 0);
    let start = Instant::now();
    let mut report = Report {
        began: start,
        answered: 0,
        wrong: 0,
        took: Duration::ZERO,
        latencies: Vec::with_capacity(requests.len()),
    };
    let at = |n: usize| start + Duration::from_secs_f64(n as f64 / f64::from(rate));
    std::thread::scope(|scope| {
        // Time-outs of `poll` are whole milliseconds, which is too coarse.
        scope.spawn(|| {
            for n in 0..requests.len() {
                std::thread::sleep(at(n).saturating_duration_since(Instant::now()));
                due.store(n + 1, Ordering::Release);
                waker.wake().expect("the loop runs");
            }
        });
        while report.answered + report.wrong < requests.len() {
            poll.poll(&mut events, Some(Duration::from_millis(100)))
                .expect("poll");
            assert!(
                start.elapsed() < at(requests.len()) - start + Duration::from_secs(30),
                "requests stay unanswered"
            );
            for event in events.iter().filter(|event| event.token() != timer) {
                let connection = &mut open[event.token().0];
                if connection.idle {
                    continue;
                }
                if event.is_writable() {
                    write(connection, requests);
                }
                if event.is_readable() {
                    read(connection);
                    if let Some((length, right)) = answered(&connection.answer, is_success) {
                        connection.answer.drain(..length);
                        report.note(connection, right);
                        idle.push_back(event.token().0);
                    }
                }
            }
            while sent < due.load(Ordering::Acquire)
                && let Some(n) = idle.pop_front()
            {
                let connection = &mut open[n];
                begin(connection, &mut sent, requests.len());
                connection.since = at(connection.request);
                write(connection, requests);
            }
        }
    });
    report.took = start.elapsed();
    report.latencies.sort_unstable();
    report
}

fn connect(addr: SocketAddr, connections: usize) -> (Poll, Vec<Connection>) {
    let poll = Poll::new().expect("epoll");
    let open = (0..connections)
        .map(|n| {
            let stream = std::net::TcpStream::connect(addr).expect("the server accepts");
            stream.set_nodelay(true).expect("nodelay");
            stream.set_nonblocking(true).expect("nonblocking");
            let mut stream = TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut stream, Token(n), interest)
                .expect("register");
            let since = Instant::now();
            Connection {
                stream,
                request: 0,
                written: 0,
                answer: Vec::with_capacity(1024),
                since,
                idle: true,
            }
        })
        .collect();
    (poll, open)
}

fn begin(connection: &mut Connection, next: &mut usize, all: usize) -> bool {
    if *next == all {
        return false;
    }
    connection.request = *next;
    *next += 1;
    connection.written = 0;
    connection.since = Instant::now();
    connection.idle = false;
    true
}

fn write(connection: &mut Connection, requests: &[Vec<u8>]) {
    while !connection.idle && connection.written < requests[connection.request].len() {
        match connection
            .stream
            .write(&requests[connection.request][connection.written..])
        {
            Ok(n) => connection.written += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return,
            Err(e) => panic!("the server closed a connection: {e}"),
        }
    }
}

fn read(connection: &mut Connection) {
    let mut chunk = [0; 4096];
    loop {
        match connection.stream.read(&mut chunk) {
            Ok(0) => panic!("the server closed a connection"),
            Ok(n) => connection.answer.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => return,
            Err(e) => panic!("the server broke a connection: {e}"),
        }
    }
}

/// The body that WeChat takes for a receipt.
pub fn is_success(body: &[u8]) -> bool {
    body == b"success"
}

/// The length of the first whole answer, and whether it is `200` with the right body.
fn answered(bytes: &[u8], is_right: fn(&[u8]) -> bool) -> Option<(usize, bool)> {
    let head = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).expect("ASCII headers");
    let length: usize = text
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().expect("a length"))
        })
        .expect("answers have a length");
    let whole = bytes.len() >= head + length;
    whole.then(|| {
        let right = text.starts_with("HTTP/1.1 200 ") && is_right(&bytes[head..head + length]);
        (head + length, right)
    })
}
