//! The page to chat on: a page, a style, a script and an icon of ours, compiled in.

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

const INDEX: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/app.js");
const ICON: &str = include_str!("page/icon.svg");

/// `/`, `/style.css`, `/app.js` and `/icon.svg`.
pub(super) fn routes() -> BoxedFilter<(Response,)> {
    let index = warp::path::end().map(|| file("text/html; charset=utf-8", INDEX));
    let style = warp::path!("style.css").map(|| file("text/css; charset=utf-8", STYLE));
    let script = warp::path!("app.js").map(|| file("text/javascript; charset=utf-8", SCRIPT));
    let icon = warp::path!("icon.svg").map(|| file("image/svg+xml", ICON));
    warp::get()
        .and(index.or(style).unify().or(script).unify().or(icon).unify())
        .boxed()
}

/// What customers and the daemon write is drawn by this page: nothing but its own script may run on it.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn file(content_type: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    let value = http::HeaderValue::from_static;
    headers.insert(CONTENT_TYPE, value(content_type));
    headers.insert(CACHE_CONTROL, value("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, value(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, value("nosniff"));
    response
}
