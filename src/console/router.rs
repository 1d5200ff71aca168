//! From a request to its handler: who is asking, may they, is the body small enough; and what every answer carries.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt};
use http::{HeaderValue, Method, StatusCode, header};
use tokio::time::timeout;
use warp::reply::Response;

use super::access::{self, Needs};
use super::problem::Problem;
use super::request::{Head, Request};
use super::routes::ROUTES;
use super::words::Lang;
use super::{Console, pages};
use crate::config::Role;

/// One route. A path's `{…}` stands for anything in one segment.
pub(super) struct Route {
    pub method: Method,
    pub path: &'static str,
    pub needs: Needs,
    pub handler: Handler,
}

pub(super) type Handler = fn(Arc<Console>, Request) -> BoxFuture<'static, Result<Response, Problem>>;

/// The largest body that a stranger may send, in bytes.
const OF_STRANGERS: usize = 16 << 10;

/// The largest body with rules: a form makes nine bytes of a Chinese character, and a file may hold a million.
const OF_RULES: usize = 16 << 20;

/// The largest of all others.
const OF_OTHERS: usize = 256 << 10;

/// How long a body may take to arrive, and one with rules.
const BODY_TIME: Duration = Duration::from_secs(10);
const RULES_TIME: Duration = Duration::from_mins(1);

/// A body that is too large is read on, and thrown away, up to so many times the limit: a browser that is still sending
/// would not see the answer.
const READ_ON: usize = 4;

impl Route {
    /// How large its body may be, and how long that may take to arrive.
    fn body(&self) -> (usize, Duration) {
        let of_rules = ["/rules", "/api/rules"];
        match self.needs {
            Needs::Nothing | Needs::Anyone | Needs::OwnKey => (OF_STRANGERS, BODY_TIME),
            Needs::Role(_) if of_rules.iter().any(|rules| self.path.starts_with(rules)) => {
                (OF_RULES, RULES_TIME)
            }
            Needs::Role(_) => (OF_OTHERS, BODY_TIME),
        }
    }

    /// Whether it may change something. Such a thing is done to its end, though whoever asked has left meanwhile.
    fn is_done_to_the_end(&self) -> bool {
        matches!(self.needs, Needs::Role(role) if role > Role::Viewer)
    }
}

/// Nothing but our own files may run, be loaded or be sent to; no page of others may frame ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Answers a request, whatever it is.
pub(super) async fn answer<B: Buf, E>(
    console: Arc<Console>,
    head: Head,
    body: impl Stream<Item = Result<B, E>>,
) -> Response {
    let lang = Lang::of(&head);
    let theme = pages::Theme::of(&head);
    let is_api = head.is_api();
    let way_back = access::way_back(&console, &head);
    let is_head = head.method == Method::HEAD;
    // A browser asks for a name and a password in a window of its own where it is challenged with `Basic`.
    let has_form = !is_api || head.header("sec-fetch-mode").is_some();
    let answered = route(&console, head, lang, body).await;
    let response = answered.unwrap_or_else(|problem| {
        if is_api {
            problem.into_json()
        } else if problem.status() == StatusCode::UNAUTHORIZED {
            pages::to_sign_in(&way_back)
        } else {
            pages::problem(lang, theme, &problem)
        }
    });
    let mut response = guarded(response);
    if has_form && response.headers().contains_key(header::WWW_AUTHENTICATE) {
        let value = HeaderValue::from_static("Session realm=\"wxreply\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    if is_head { without_body(response) } else { response }
}

async fn route<B: Buf, E>(
    console: &Arc<Console>,
    head: Head,
    lang: Lang,
    body: impl Stream<Item = Result<B, E>>,
) -> Result<Response, Problem> {
    let method = match head.method {
        Method::HEAD => Method::GET,
        ref method => method.clone(),
    };
    let found = find(&method, &head.path);
    // A path that is not there says so to everybody; what is there says nothing to strangers.
    let (route, params) = found.map_err(|methods| {
        if methods.is_empty() {
            Problem::not_found()
        } else {
            Problem::method_not_allowed(methods.join(", "))
        }
    })?;
    access::same_origin(console, &head)?;
    let who = access::identify(console, &head, route.needs).await?;
    let body = match method {
        Method::GET => Bytes::new(),
        _ => {
            let (most, time) = route.body();
            read(body, most, time).await?
        }
    };
    let request = Request {
        news: *console.store.news().borrow(),
        head,
        params,
        body,
        who,
        lang,
    };
    let handled = (route.handler)(console.clone(), request);
    if !route.is_done_to_the_end() {
        return handled.await;
    }
    // In a task of its own: the connection's is dropped when the browser leaves.
    tokio::spawn(handled).await.unwrap_or_else(|error| {
        tracing::error!(%error, method = %route.method, path = route.path, "a request broke off");
        let detail = "this broke off; the daemon's log says why";
        Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
    })
}

/// The route of a path, and what stands in the places of its `{…}`; or the methods that the path takes instead.
fn find(method: &Method, path: &str) -> Result<(&'static Route, Vec<String>), Vec<&'static str>> {
    let mut others = Vec::new();
    for route in ROUTES.iter() {
        let Some(params) = params(route.path, path) else {
            continue;
        };
        if route.method == *method {
            return Ok((route, params));
        }
        others.push(route.method.as_str());
    }
    if others.contains(&"GET") {
        others.push("HEAD");
    }
    Err(others)
}

fn params(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    let mut params = Vec::new();
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(params),
            (Some(name), Some(segment)) if name.starts_with('{') => {
                if segment.is_empty() {
                    return None;
                }
                params.push(decoded(segment)?);
            }
            (Some(name), Some(segment)) if name == segment => {}
            _ => return None,
        }
    }
}

/// A segment of a path as it was before it was percent-encoded. In a path, unlike in a form, `+` is itself.
fn decoded(segment: &str) -> Option<String> {
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(segment).collect();
    String::from_utf8(bytes).ok()
}

/// The whole body, of at most so many bytes.
async fn read<B: Buf, E>(
    body: impl Stream<Item = Result<B, E>>,
    most: usize,
    time: Duration,
) -> Result<Bytes, Problem> {
    let mut body = std::pin::pin!(body);
    let whole = async {
        let (mut whole, mut length) = (Vec::new(), 0);
        while let Some(chunk) = body.next().await {
            let mut chunk = chunk.map_err(|_| Problem::bad_request("the body broke off"))?;
            length += chunk.remaining();
            if length > most {
                whole = Vec::new();
                if length > most * READ_ON {
                    break;
                }
                continue;
            }
            while chunk.has_remaining() {
                let part = chunk.chunk();
                whole.extend_from_slice(part);
                let length = part.len();
                chunk.advance(length);
            }
        }
        if length > most {
            let detail = format!("the body is larger than {most} bytes, which is the most that this takes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        Ok(whole.into())
    };
    let slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time");
    timeout(time, whole).await.map_err(slow)?
}

/// What every answer carries, for the sake of browsers.
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let value = HeaderValue::from_static;
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(value(POLICY));
    headers.entry(header::CACHE_CONTROL).or_insert(value("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, value("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, value("DENY"));
    headers.insert(header::REFERRER_POLICY, value("same-origin"));
    headers.insert("cross-origin-opener-policy", value("same-origin"));
    headers.insert("cross-origin-resource-policy", value("same-origin"));
    response
}

fn without_body(response: Response) -> Response {
    let (parts, _) = response.into_parts();
    Response::from_parts(parts, Vec::new().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_gives_its_parameters() {
        assert_eq!(params("/api/messages", "/api/messages"), Some(vec![]));
        assert_eq!(
            params("/c/{app}/{openid}", "/c/shop/o%E4%B8%AD+x"),
            Some(vec!["shop".to_owned(), "o中+x".to_owned()])
        );
        for (pattern, path) in [
            ("/c/{app}", "/c/"),
            ("/c/{app}", "/c/a/b"),
            ("/c/{app}", "/c/%ff"),
            ("/c", "/c/"),
        ] {
            assert_eq!(params(pattern, path), None, "{pattern} {path}");
        }
    }

    #[test]
    fn no_two_routes_are_the_same() {
        for (n, route) in ROUTES.iter().enumerate() {
            let twin =
                |other: &&Route| other.method == route.method && params(other.path, route.path).is_some();
            let first = ROUTES.iter().position(|other| twin(&other));
            assert_eq!(first, Some(n), "{} {} is never reached", route.method, route.path);
        }
    }
}
