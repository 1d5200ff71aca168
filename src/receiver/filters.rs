//! The routes: which request goes to which handler. Every request is answered here; nothing is rejected.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, header};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::path::FullPath;
use warp::reply::Response;

use super::Receiver;
use super::handlers::{self, answer};

/// Who connected: the accept loop puts it into each request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// All routes of the public listener. One filter takes every request apart, for each alternative that a request does not
/// fit costs a rejection, and pushes are all that there is but for a check of the URL now and then.
pub fn routes(receiver: Arc<Receiver>) -> BoxedFilter<(Response,)> {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::ext::optional::<Peer>())
        .and(warp::body::stream())
        .then(move |method: Method, path: FullPath, query: String, peer, body| {
            let receiver = Arc::clone(&receiver);
            async move {
                let Some(door) = app(path.as_str()).and_then(|app| receiver.doors.get(app)) else {
                    return answer(StatusCode::NOT_FOUND, "404 Not Found");
                };
                match method {
                    Method::POST => handlers::push(&receiver, door, &query, peer, body).await,
                    Method::GET => handlers::check_url(&receiver, door, &query, peer),
                    _ => {
                        let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, "405 Method Not Allowed");
                        let allowed = HeaderValue::from_static("GET, POST");
                        response.headers_mut().insert(header::ALLOW, allowed);
                        response
                    }
                }
            }
        })
        .boxed()
}

/// The app of `/wechat/<app>`, with or without a slash behind it.
fn app(path: &str) -> Option<&str> {
    let app = path.strip_prefix("/wechat/")?;
    Some(app.strip_suffix('/').unwrap_or(app))
}
