//! One attempt to bring a push to the callback, over plain HTTP and with WeChat's patience.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::push::SignedPush;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// From the beginning to the last byte.
    pub took: Duration,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// The callback is no address that can be pushed to.
    #[error("{0:?} is no callback address; one looks like http://127.0.0.1:8080/wechat/shop")]
    Callback(String),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// No connection, or one that broke.
    #[error("{0}")]
    Connection(String),
}

/// The connections that pushes go out on; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Pusher(Client<HttpConnector, Full<Bytes>>);

/// WeChat's answers are short; whatever is longer is abnormal anyway.
const MAX_ANSWER: usize = 64 * 1024;

/// Shorter than any server keeps idle connections: a push on one that is just being closed is lost, and comes again after 5 s.
const IDLE: Duration = Duration::from_secs(5);

impl Pusher {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self(client)
    }

    pub(super) async fn deliver(
        &self,
        callback: &str,
        push: &SignedPush,
        timeout: Duration,
    ) -> Result<PushAnswer, DeliverError> {
        let request = http::Request::post(with_query(callback, &push.query)?)
            .header(http::header::CONTENT_TYPE, push.content_type)
            .header(http::header::USER_AGENT, "Mozilla/4.0")
            .body(Full::new(Bytes::from(push.body.clone())))
            .map_err(|_| DeliverError::Callback(callback.to_owned()))?;
        self.exchange(request, timeout).await
    }

    /// The check that WeChat makes when a callback is saved in its backend: a `GET` that asks for its `echostr`.
    pub(super) async fn get(
        &self,
        callback: &str,
        query: &str,
        timeout: Duration,
    ) -> Result<PushAnswer, DeliverError> {
        let request = http::Request::get(with_query(callback, query)?)
            .body(Full::default())
            .map_err(|_| DeliverError::Callback(callback.to_owned()))?;
        self.exchange(request, timeout).await
    }

    async fn exchange(
        &self,
        request: http::Request<Full<Bytes>>,
        timeout: Duration,
    ) -> Result<PushAnswer, DeliverError> {
        let began = Instant::now();
        let exchange = async {
            let answer = self.0.request(request).await.map_err(|e| broken(&e))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            Ok((status, body.map_err(|e| broken(&*e))?.to_bytes().to_vec()))
        };
        let (status, body) = tokio::time::timeout(timeout, exchange)
            .await
            .map_err(|_| DeliverError::Timeout(timeout))??;
        Ok(PushAnswer {
            status,
            body,
            took: began.elapsed(),
        })
    }
}

/// Brings one push to `callback`, once. For a program that pushes now and then; a [`super::Simulator`] keeps its
/// connections.
pub async fn deliver(
    callback: &str,
    push: &SignedPush,
    timeout: Duration,
) -> Result<PushAnswer, DeliverError> {
    Pusher::new().deliver(callback, push, timeout).await
}

/// The callback with the push's parameters behind those that it has itself.
fn with_query(callback: &str, query: &str) -> Result<http::Uri, DeliverError> {
    let joint = if callback.contains('?') { '&' } else { '?' };
    format!("{callback}{joint}{query}")
        .parse::<http::Uri>()
        .ok()
        .filter(|uri| uri.scheme_str() == Some("http") && uri.host().is_some())
        .ok_or_else(|| DeliverError::Callback(callback.to_owned()))
}

/// The error with its causes: hyper's own text alone is "client error (Connect)".
fn broken(error: &dyn std::error::Error) -> DeliverError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    DeliverError::Connection(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_joins_the_callbacks_own() {
        let uri = |callback| with_query(callback, "signature=1").map(|uri| uri.to_string());
        assert_eq!(
            uri("http://h/wechat/a"),
            Ok("http://h/wechat/a?signature=1".into())
        );
        assert_eq!(uri("http://h/p?x=y"), Ok("http://h/p?x=y&signature=1".into()));
        for bad in ["", "h:80/p", "https://h/p", "/wechat/shop", "http://"] {
            assert_eq!(uri(bad), Err(DeliverError::Callback(bad.into())), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_a_connection_error_with_its_cause() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let callback = format!("http://{}/", listener.local_addr().expect("bound"));
        drop(listener);
        let push = SignedPush {
            query: "signature=1".into(),
            content_type: "text/xml",
            body: b"<xml/>".to_vec(),
        };
        let error = deliver(&callback, &push, Duration::from_secs(1))
            .await
            .expect_err("closed");
        assert!(error.to_string().contains("refused"), "{error}");
    }

    #[tokio::test]
    async fn silence_ends_with_patience() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let callback = format!("http://{}/", listener.local_addr().expect("bound"));
        let push = SignedPush {
            query: "signature=1".into(),
            content_type: "text/xml",
            body: b"<xml/>".to_vec(),
        };
        let patience = Duration::from_millis(50);
        let error = deliver(&callback, &push, patience)
            .await
            .expect_err("nobody answers");
        assert_eq!(error, DeliverError::Timeout(patience));
    }
}
