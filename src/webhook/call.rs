//! The call: one POST, and a second one when the first found no connection, or one that was just being closed.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode, Url};
use tokio::time::{Instant, timeout_at};

use super::Failure;
use super::answer::{self, MAX_ANSWER};
use super::sign::Key;
use crate::message::{AppKind, MessageId, Reply};

/// How long a connection may take to come about, so that a second try still has its time.
const CONNECT: Duration = Duration::from_millis(1200);

/// How long a connection is kept for the next call.
const IDLE: Duration = Duration::from_secs(20);

/// Asks webhooks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    key: Key,
}

impl Client {
    /// A client that signs with `key`; fails when TLS can't be set up.
    pub fn new(key: Key) -> Result<Self, String> {
        // Fails when it is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("wxreply/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            // Whoever answers in the receiver's place must not send customers' words elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            // A proxy set in the environment for something else must not see customers' words.
            .no_proxy()
            .build()
            .map_err(|error| causes(&error))?;
        Ok(Self { http, key })
    }

    /// Asks once: the replies, none when there is nothing to say. `id` is the same whenever the same question is asked
    /// again; `now` is signed along with it.
    pub async fn ask(
        &self,
        url: &str,
        id: MessageId,
        question: Bytes,
        kind: AppKind,
        now: Timestamp,
        limit: Duration,
    ) -> Result<Vec<Reply>, Failure> {
        let url = Url::parse(url).map_err(|error| Failure::Unreached(error.to_string()))?;
        let deadline = Instant::now() + limit;
        let exchange = async {
            let mut response = self.post(&url, id, &question, now).await;
            // Asking twice harms nobody: the receiver knows the question by its id.
            if let Err(error) = &response
                && (error.is_connect() || error.is_request() && !error.is_timeout())
            {
                response = self.post(&url, id, &question, now).await;
            }
            match response {
                Ok(response) => read(response, kind).await,
                Err(error) => Err(failed(error)),
            }
        };
        timeout_at(deadline, exchange)
            .await
            .unwrap_or(Err(Failure::TimedOut(limit)))
    }

    async fn post(
        &self,
        url: &Url,
        id: MessageId,
        question: &Bytes,
        now: Timestamp,
    ) -> Result<Response, reqwest::Error> {
        let id = id.to_string();
        self.http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-signature", self.key.sign(&id, now, question))
            .header("webhook-timestamp", now.as_second())
            .header("webhook-id", id)
            .body(question.clone())
            .send()
            .await
    }
}

async fn read(mut response: Response, kind: AppKind) -> Result<Vec<Reply>, Failure> {
    let status = response.status();
    if status == StatusCode::NO_CONTENT {
        return Ok(Vec::new());
    }
    if !status.is_success() {
        return Err(Failure::Status(status.as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            return Err(Failure::Unusable(format!("more than {MAX_ANSWER} bytes")));
        }
    }
    answer::read(&body, kind).map_err(Failure::Unusable)
}

fn failed(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if error.is_connect() && error.is_timeout() {
        Failure::Unreached(format!("no connection within {CONNECT:?}"))
    } else if error.is_connect() || error.is_builder() {
        Failure::Unreached(causes(&error))
    } else {
        Failure::BrokeOff(causes(&error))
    }
}

/// reqwest's own words ("error sending request") say nothing; what lies below them does.
fn causes(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = error.to_string();
        cause = error.source();
    }
    words
}
