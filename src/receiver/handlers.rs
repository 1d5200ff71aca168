//! The two things WeChat asks for: the check of the URL, and that a push be taken.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Buf;
use futures_util::Stream;
use http::{HeaderValue, StatusCode, header};
use tracing::{debug, error};
use warp::reply::Response;

use super::body::{self, BodyError};
use super::filters::Peer;
use super::{Door, Receiver, nonce};
use crate::message::{Format, Inbound};
use crate::wechat::{
    Asked, Opened, PushQuery, Refusal, check_url as wechat_check_url, open_push, passive_answer,
};

/// From the first byte of a push to its answer. WeChat waits 5 s, and pushes again when it gets no answer or a 500.
const DEADLINE: Duration = Duration::from_millis(4300);

/// `GET /wechat/<app>`
pub(super) fn check_url(receiver: &Receiver, door: &Door, query: &str, peer: Option<Peer>) -> Response {
    let checked = PushQuery::parse(query).and_then(|query| wechat_check_url(&door.credentials, &query));
    match checked {
        Ok(echostr) => {
            debug!(app = %door.app, "the URL was checked");
            answer(StatusCode::OK, echostr)
        }
        Err(refusal) => receiver.refuse(door, &refusal, peer),
    }
}

/// `POST /wechat/<app>`
pub(super) async fn push<S, B, E>(
    receiver: &Arc<Receiver>,
    door: &Door,
    query: &str,
    peer: Option<Peer>,
    body: S,
) -> Response
where
    S: Stream<Item = Result<B, E>>,
    B: Buf,
{
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let body = match body::read(body, receiver.max_body, deadline).await {
        Ok(body) => body,
        Err(error) => return receiver.no_body(door, error),
    };
    let began = Instant::now();
    let response = match receiver.open(door, query, &body) {
        Ok(arrival) => {
            let taken = tokio::time::timeout_at(deadline, receiver.take(door, arrival)).await;
            taken.unwrap_or_else(|_| receiver.fail(door, "no answer from the database in time"))
        }
        Err(refusal) => receiver.refuse(door, &refusal, peer),
    };
    receiver.metrics.push_answered(began.elapsed());
    response
}

/// A push whose sender is WeChat.
struct Arrival<'q> {
    inbound: Inbound,
    /// Its format and whether it came sealed; `None` when it is no message.
    form: Option<(Format, bool)>,
    /// The hash of its (timestamp, nonce) pair.
    pair: Option<i64>,
    nonce: Cow<'q, str>,
}

impl Receiver {
    /// Verifies and reads a push; pure but for the table of nonces.
    fn open<'q>(&self, door: &Door, query: &'q str, body: &[u8]) -> Result<Arrival<'q>, Refusal> {
        let now = self.clock.now();
        let query = PushQuery::parse(query)?;
        let malformed = |raw: &[u8], error: &str| {
            debug!(app = %door.app, error, "a push that is no message");
            (Opened::malformed(raw, door.app.clone(), now), None)
        };
        let (inbound, form) = match open_push(&door.credentials, &query, body, now, self.max_age)? {
            Opened::Push(push) => {
                let form = (push.format, push.sealed);
                match push.into_inbound(door.app.clone(), now) {
                    Ok(inbound) => (inbound, Some(form)),
                    Err(error) => malformed(&self.clear(door, &query, body)?, &error),
                }
            }
            Opened::Unreadable { raw, error } => malformed(&raw, &error),
        };
        let nonce = query.nonce.unwrap_or_default();
        let pair = query
            .timestamp
            .and_then(|timestamp| nonce::pair(&timestamp, &nonce));
        if pair.is_some_and(|pair| !door.nonces.bind(pair, inbound.id, now)) {
            return Err(Refusal::Reused);
        }
        Ok(Arrival {
            inbound,
            form,
            pair,
            nonce,
        })
    }

    /// The fields of a push as JSON, for one that is no message after all. It is rare, so it is opened once more
    /// rather than every push copied; and its cipher text will not do, for it differs each time it is pushed.
    fn clear(&self, door: &Door, query: &PushQuery<'_>, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        match open_push(&door.credentials, query, body, self.clock.now(), self.max_age)? {
            Opened::Push(push) => Ok(serde_json::to_vec(&push.fields).unwrap_or_default()),
            Opened::Unreadable { raw, .. } => Ok(raw),
        }
    }

    /// Hands a push to intake, and answers once it is durable.
    async fn take(&self, door: &Door, arrival: Arrival<'_>) -> Response {
        let Arrival {
            inbound,
            form,
            pair,
            nonce,
        } = arrival;
        let Some((format, sealed)) = form else {
            return match self.intake.accept_malformed(inbound, pair).await {
                Ok(_) => {
                    self.metrics.push(door.app.as_str(), "malformed");
                    answer(StatusCode::OK, "success")
                }
                Err(error) => self.fail(door, &error.to_string()),
            };
        };
        let asked = Asked::of(&inbound, format, sealed, nonce);
        let recorded = match self.intake.accept(inbound, pair).await {
            Ok(recorded) => recorded,
            Err(error) => return self.fail(door, &error.to_string()),
        };
        if recorded.duplicate {
            self.metrics.push(door.app.as_str(), "duplicate");
        } else {
            door.accepted.inc();
        }
        let (content_type, body) = passive_answer(
            &door.credentials,
            &asked,
            &recorded.answer,
            self.clock.now().as_second(),
            &mut rand::rng(),
        );
        let mut response = Response::new(body.into());
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }

    /// 403 with one and the same body, whatever the reason.
    fn refuse(&self, door: &Door, refusal: &Refusal, peer: Option<Peer>) -> Response {
        self.metrics.refusal(door.app.as_str(), refusal.label());
        let peer = peer.map(|Peer(address)| address);
        door.refusals.note(&door.app, refusal, peer, self.clock.now());
        answer(StatusCode::FORBIDDEN, "403 Forbidden")
    }

    /// 500, so that WeChat pushes again.
    fn fail(&self, door: &Door, reason: &str) -> Response {
        self.metrics.push(door.app.as_str(), "failed");
        if let Some(held_back) = self.failures.pass(Instant::now()) {
            error!(app = %door.app, reason, since_last_error = held_back, "a push could not be recorded");
        }
        answer(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error")
    }

    fn no_body(&self, door: &Door, error: BodyError) -> Response {
        let (outcome, status, text) = match error {
            BodyError::TooLarge => (
                "too_large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "413 Payload Too Large",
            ),
            BodyError::TooSlow => ("failed", StatusCode::REQUEST_TIMEOUT, "408 Request Timeout"),
            BodyError::Broken => ("failed", StatusCode::BAD_REQUEST, "400 Bad Request"),
        };
        debug!(app = %door.app, ?error, "a push without a body that can be used");
        self.metrics.push(door.app.as_str(), outcome);
        answer(status, text)
    }
}

/// A plain-text response.
pub(super) fn answer(status: StatusCode, body: impl warp::Reply) -> Response {
    let mut response = body.into_response();
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
