//! The routes: which request goes to which handler. Every request is answered here; nothing is rejected.

use std::net::SocketAddr;
use std::sync::Arc;

use http::StatusCode;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::handlers::{self, answer};
use super::{Door, Receiver};

/// Who connected: the accept loop puts it into each request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// All routes of the public listener.
pub fn routes(receiver: Arc<Receiver>) -> BoxedFilter<(Response,)> {
    let query = || warp::query::raw().or(warp::any().map(String::new)).unify();
    let check = door(&receiver)
        .and(warp::get())
        .and(query())
        .and(warp::ext::optional::<Peer>())
        .map(|(receiver, door): Knock, query: String, peer| {
            handlers::check_url(&receiver, &door, &query, peer)
        });
    let push = door(&receiver)
        .and(warp::post())
        .and(query())
        .and(warp::ext::optional::<Peer>())
        .and(warp::body::stream())
        .then(|(receiver, door): Knock, query: String, peer, body| async move {
            handlers::push(&receiver, &door, &query, peer, body).await
        });
    let other_method = door(&receiver).map(|_| {
        let mut response = answer(StatusCode::METHOD_NOT_ALLOWED, "405 Method Not Allowed");
        let allowed = http::HeaderValue::from_static("GET, POST");
        response.headers_mut().insert(http::header::ALLOW, allowed);
        response
    });
    let unknown = warp::any().map(|| answer(StatusCode::NOT_FOUND, "404 Not Found"));
    check
        .or(push)
        .unify()
        .or(other_method)
        .unify()
        .or(unknown)
        .unify()
        .boxed()
}

type Knock = (Arc<Receiver>, Arc<Door>);

/// `/wechat/<app>`, for an app that there is.
fn door(
    receiver: &Arc<Receiver>,
) -> impl Filter<Extract = (Knock,), Error = warp::Rejection> + Clone + use<> {
    let receiver = receiver.clone();
    warp::path!("wechat" / String).and_then(move |app: String| {
        let door = receiver.doors.get(app.as_str()).cloned();
        let knock = door.map(|door| (receiver.clone(), door));
        std::future::ready(knock.ok_or_else(warp::reject::not_found))
    })
}
