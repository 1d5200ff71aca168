//! The accept loop of both listeners. warp's own has no time limit for headers and waits for ever when it is stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::head_timer::HeadTimer;
use crate::receiver::Peer;

/// How long a new connection may take to send the head of a request.
const FIRST_HEAD: Duration = Duration::from_secs(10);

/// How long a connection may be idle, and take to send the next head. Longer than proxies keep idle connections (nginx 60 s,
/// Traefik 90 s, Caddy 120 s): a push on one that is just being closed would be lost until WeChat repeats it.
const NEXT_HEAD: Duration = Duration::from_secs(150);

/// How long to wait when the system gives no connection (mostly: too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a listener puts up with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at once; those beyond wait in the system's queue.
    connections: usize,
    first_head: Duration,
    next_head: Duration,
    /// When it is stopped: for those that are busy.
    grace: Duration,
}

impl Limits {
    pub(super) fn new(connections: usize, grace: Duration) -> Self {
        Self {
            connections: connections.min(Semaphore::MAX_PERMITS),
            first_head: FIRST_HEAD,
            next_head: NEXT_HEAD,
            grace,
        }
    }
}

/// Serves `routes` until `stop`; then no connection is taken any more, and those that are busy may finish.
pub(super) async fn serve(
    listener: TcpListener,
    routes: BoxedFilter<(Response,)>,
    limits: Limits,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let cut = CancellationToken::new();
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_peers_fault(&error) => continue,
            Err(error) => {
                warn!(%error, "could not take a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(warp::service(routes.clone()));
        let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            service.call(request)
        });
        let connection = http1::Builder::new()
            .timer(HeadTimer::new(limits.first_head))
            .header_read_timeout(limits.next_head)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        let cut = cut.clone();
        connections.spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    debug!(%peer, %error, "a connection ended");
                },
                () = cut.cancelled() => debug!(%peer, "a connection was cut"),
            }
            drop(slot);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.grace, graceful.shutdown())
        .await
        .is_err()
    {
        warn!(
            connections = connections.len(),
            "cutting connections that did not end in time"
        );
    }
    cut.cancel();
    connections.wait().await;
}

type Slot = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once there is room for one; those beyond wait in the system's queue.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, Slot)> {
    let slot = slots
        .clone()
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Fails when the peer is gone already; its connection then ends by itself.
    let _ = stream.set_nodelay(true);
    Ok((stream, peer, slot))
}

/// Whether the peer left before it was taken in: then there is no reason to pause.
fn is_peers_fault(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use warp::Filter;

    use super::*;

    struct Server {
        addr: SocketAddr,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    /// Answers `/` at once with the peer's address, and `/slow` after 300 ms.
    async fn server(limits: Limits) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        let quick = warp::path::end()
            .and(warp::ext::get::<Peer>())
            .map(|peer: Peer| Response::new(peer.0.to_string().into()));
        let slow = warp::path("slow").then(|| async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Response::new("slow".into())
        });
        let routes = quick.or(slow).unify().boxed();
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, routes, limits, stop.clone()));
        Server { addr, stop, task }
    }

    async fn ask(addr: SocketAddr, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(addr).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn a_handler_knows_its_peer() {
        let server = server(Limits::new(8, Duration::ZERO)).await;
        let answer = ask(server.addr, "/").await.expect("an answer");
        assert!(answer.contains("\r\n\r\n127.0.0.1:"), "{answer}");
    }

    #[tokio::test]
    async fn a_stop_lets_the_busy_finish_and_takes_no_more() {
        let server = server(Limits::new(8, Duration::from_secs(5))).await;
        let busy = tokio::spawn(ask(server.addr, "/slow"));
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.stop.cancel();
        let answer = busy.await.expect("no panic").expect("an answer");
        assert!(answer.ends_with("slow"), "{answer}");
        server.task.await.expect("ends");
        assert!(ask(server.addr, "/").await.is_err(), "the port is closed");
    }

    #[tokio::test]
    async fn a_half_open_connection_does_not_keep_it_from_stopping() {
        let server = server(Limits::new(8, Duration::from_millis(50))).await;
        let mut half_open = TcpStream::connect(server.addr).await.expect("connected");
        half_open
            .write_all(b"POST /slow HTTP/1.1\r\nHo")
            .await
            .expect("sent");
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.stop.cancel();
        let stopped = tokio::time::timeout(Duration::from_secs(2), server.task).await;
        stopped.expect("in time").expect("ends");
    }

    #[tokio::test]
    async fn beyond_its_limit_connections_wait() {
        let server = server(Limits::new(1, Duration::ZERO)).await;
        let first = tokio::spawn(ask(server.addr, "/slow"));
        tokio::time::sleep(Duration::from_millis(50)).await;
        let began = std::time::Instant::now();
        let second = ask(server.addr, "/").await.expect("an answer");
        assert!(second.starts_with("HTTP/1.1 200"), "{second}");
        assert!(
            began.elapsed() > Duration::from_millis(150),
            "it waited for the first"
        );
        first.await.expect("no panic").expect("an answer");
    }

    #[tokio::test]
    async fn a_connection_may_be_idle_longer_than_its_first_request_may_take() {
        let server = server(Limits {
            first_head: Duration::from_millis(300),
            next_head: Duration::from_millis(900),
            ..Limits::new(8, Duration::ZERO)
        })
        .await;
        let ends = async |said: &str| {
            let mut stream = TcpStream::connect(server.addr).await.expect("connected");
            let mut buffer = [0; 512];
            if !said.is_empty() {
                stream.write_all(said.as_bytes()).await.expect("sent");
            }
            let mut answers = 0;
            let mut idle = std::time::Instant::now();
            while stream.read(&mut buffer).await.expect("no fault") > 0 {
                idle = std::time::Instant::now();
                answers += 1;
                // Asked again, now and then: each answer begins the time anew.
                if answers < 4 {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    stream.write_all(said.as_bytes()).await.expect("still open");
                }
            }
            (answers, idle.elapsed())
        };
        let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let (silent, slow, busy) = tokio::join!(ends(""), ends("GET / HT"), ends(request));
        for (answers, after) in [silent, slow] {
            assert_eq!(answers, 0);
            assert!((300..800).contains(&after.as_millis()), "{after:?}");
        }
        let (answers, after) = busy;
        assert_eq!(answers, 4);
        assert!((900..1400).contains(&after.as_millis()), "{after:?}");
    }
}
