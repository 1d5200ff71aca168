//! The closed loop with a new connection for each request, as WeChat's own pushes often come.

use super::*;

/// Sends `requests`, each over a connection of its own that the server closes (`Connection: close`), `connections` at a
/// time, until `time` is over or none is left.
pub fn fresh_loop(
    addr: SocketAddr,
    requests: &[Vec<u8>],
    connections: usize,
    time: Duration,
    is_right: fn(&[u8]) -> bool,
) -> Report {
    let mut poll = Poll::new().expect("epoll");
    let mut events = Events::with_capacity(connections);
    let start = Instant::now();
    let mut report = Report {
        began: start,
        answered: 0,
        wrong: 0,
        took: time,
        latencies: Vec::with_capacity(requests.len()),
    };
    let mut next = 0;
    let mut open: Vec<Option<Connection>> = (0..connections)
        .map(|n| connected(addr, &poll, Token(n), &mut next, requests.len()))
        .collect();
    while open.iter().any(Option::is_some) {
        poll.poll(&mut events, Some(Duration::from_millis(100)))
            .expect("poll");
        let over = start.elapsed() >= time;
        if start.elapsed() > time + Duration::from_secs(10) {
            break;
        }
        for event in &events {
            let slot = event.token().0;
            let Some(connection) = &mut open[slot] else {
                continue;
            };
            if event.is_writable() {
                write(connection, requests);
            }
            if !event.is_readable() {
                continue;
            }
            read_what_is_there(connection);
            if let Some((_, right)) = answered(&connection.answer, is_right) {
                report.note(connection, right);
                open[slot] = None;
                if !over {
                    open[slot] = connected(addr, &poll, Token(slot), &mut next, requests.len());
                }
            }
        }
    }
    report.took = start.elapsed();
    report.latencies.sort_unstable();
    report
}

fn connected(
    addr: SocketAddr,
    poll: &Poll,
    token: Token,
    next: &mut usize,
    all: usize,
) -> Option<Connection> {
    let mut stream = TcpStream::connect(addr).expect("a socket");
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry()
        .register(&mut stream, token, interest)
        .expect("register");
    let mut connection = Connection {
        stream,
        request: 0,
        written: 0,
        answer: Vec::with_capacity(1024),
        since: Instant::now(),
        idle: true,
    };
    begin(&mut connection, next, all).then_some(connection)
}

/// The end of the connection is the server's to choose here.
fn read_what_is_there(connection: &mut Connection) {
    let mut chunk = [0; 4096];
    while let Ok(n @ 1..) = connection.stream.read(&mut chunk) {
        connection.answer.extend_from_slice(&chunk[..n]);
    }
}
