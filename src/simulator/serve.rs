//! The simulator's listener: an accept loop of our own, because a fault may close a connection without an answer.

use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use warp::Filter;
use warp::reply::Response;

use super::fault::HangUp;
use super::world::Shared;
use super::{api, control, page};

/// Serves until the simulator is stopped.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let routes = api::routes(Arc::clone(&shared))
        .or(control::routes(Arc::clone(&shared)))
        .unify()
        .or(page::routes())
        .unify()
        .boxed();
    let service = TowerToHyperService::new(warp::service(routes));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop.cancelled() => return,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: wait for some to come free.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        // Without it small answers wait for the peer's acknowledgement; if it can't be set, they do.
        let _ = stream.set_nodelay(true);
        let service = service.clone();
        let answer = hyper::service::service_fn(move |request| {
            let response = service.call(request);
            async move {
                match response.await {
                    Ok(response) if response.extensions().get::<HangUp>().is_some() => {
                        Err(std::io::Error::other("hanging up, as told"))
                    }
                    Ok(response) => Ok::<Response, std::io::Error>(response),
                    Err(never) => match never {},
                }
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), answer);
        let stop = shared.stop.clone();
        shared
            .tasks
            .spawn(async move { stop.run_until_cancelled(connection).await });
    }
}
