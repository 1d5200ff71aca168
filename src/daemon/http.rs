//! The accept loop of both listeners. warp's own has no time limit for headers and waits for ever when it is stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};
use warp::filters::BoxedFilter;
use warp::reply::Response;

use crate::receiver::Peer;

/// How long a connection may take to send the head of a request. hyper counts the idle time between two requests in,
/// so a proxy should drop its idle connections sooner.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait when the system gives no connection (mostly: too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `routes` until `stop`; then no connection is taken any more, and those that are busy have until `grace` is
/// over.
pub(super) async fn serve(
    listener: TcpListener,
    routes: BoxedFilter<(Response,)>,
    max_connections: usize,
    stop: CancellationToken,
    grace: Duration,
) {
    let slots = Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS)));
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
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
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
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
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
    async fn server(max_connections: usize, grace: Duration) -> Server {
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
        let task = tokio::spawn(serve(listener, routes, max_connections, stop.clone(), grace));
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
        let server = server(8, Duration::ZERO).await;
        let answer = ask(server.addr, "/").await.expect("an answer");
        assert!(answer.contains("\r\n\r\n127.0.0.1:"), "{answer}");
    }

    #[tokio::test]
    async fn a_stop_lets_the_busy_finish_and_takes_no_more() {
        let server = server(8, Duration::from_secs(5)).await;
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
        let server = server(8, Duration::from_millis(50)).await;
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
        let server = server(1, Duration::ZERO).await;
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
}
