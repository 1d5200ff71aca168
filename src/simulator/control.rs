//! `/sim/…`: what the page, or a script, may do with the simulator.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::sse::Event;
use warp::{Filter, Reply};

use super::account::new_openid;
use super::body::capped_body;
use super::fault::{Fault, FaultSetting};
use super::media::{MAX_UPLOAD, media_response};
use super::push::PushBody;
use super::pushing::PushReport;
use super::world::Shared;
use super::{PushResult, Simulator};
use crate::message::{Fields, Format, Mode, OpenId};

/// Why an action was not done: the status, and a sentence for the page.
type Failed = (StatusCode, String);

/// `/sim/…`
pub(super) fn routes(shared: Arc<Shared>) -> BoxedFilter<(Response,)> {
    let with = {
        let shared = Arc::clone(&shared);
        move || {
            let shared = Arc::clone(&shared);
            warp::any().map(move || Arc::clone(&shared))
        }
    };
    let state = warp::path!("sim" / "state")
        .and(with())
        .map(|shared: Arc<Shared>| json_reply(&shared.world().snapshot(shared.now())));
    let events = warp::path!("sim" / "events")
        .and(with())
        .map(|shared: Arc<Shared>| {
            let events = warp::sse::keep_alive()
                .interval(Duration::from_secs(15))
                .stream(changes(&shared));
            warp::sse::reply(events).into_response()
        });
    let push = warp::path!("sim" / "pushes" / u64)
        .and(with())
        .map(|id, shared: Arc<Shared>| {
            let record = shared.world().records.push(id).map(|record| json!(record));
            record.map_or_else(|| failed(not_kept()), |record| json_reply(&record))
        });
    let call = warp::path!("sim" / "calls" / u64)
        .and(with())
        .map(|id, shared: Arc<Shared>| {
            let record = shared.world().records.call(id).map(|record| json!(record));
            record.map_or_else(|| failed(not_kept()), |record| json_reply(&record))
        });
    let media = warp::path!("sim" / "media" / String).and(with()).map(picture);
    let reading = warp::get().and(
        state
            .or(events)
            .unify()
            .or(push)
            .unify()
            .or(call)
            .unify()
            .or(media)
            .unify(),
    );
    let acting = warp::post()
        .and(warp::path("sim"))
        .and(warp::path::tail())
        .and(warp::header::optional::<String>("origin"))
        .and(warp::header::optional::<String>("host"))
        .and(capped_body(MAX_UPLOAD))
        .and(with())
        .then(act);
    reading.or(acting).unify().boxed()
}

async fn act(
    path: warp::path::Tail,
    origin: Option<String>,
    host: Option<String>,
    body: Option<Bytes>,
    shared: Arc<Shared>,
) -> Response {
    // A browser names the page that asks. Another site's page has no business here.
    let own = |origin: &str| origin.split_once("://").map(|(_, rest)| rest) == host.as_deref();
    if !origin.as_deref().is_none_or(own) {
        return failed((StatusCode::FORBIDDEN, "another site's page".into()));
    }
    let Some(body) = body else {
        return failed((StatusCode::PAYLOAD_TOO_LARGE, "the body is too large".into()));
    };
    let segments: Vec<&str> = path.as_str().split('/').collect();
    match Simulator(shared).act(&segments, body).await {
        Ok(answer) => json_reply(&answer),
        Err(why) => failed(why),
    }
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[derive(Deserialize)]
struct Enter {
    #[serde(default)]
    session_from: String,
}

#[derive(Deserialize)]
struct Card {
    title: String,
    page_path: String,
}

#[derive(Deserialize)]
struct NamedEvent {
    event: String,
    #[serde(default)]
    fields: Fields,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    mode: Option<Mode>,
    format: Option<Format>,
    callback: Option<String>,
    /// Seconds.
    token_lifetime: Option<u64>,
}

#[derive(Deserialize)]
struct SetFault {
    fault: Fault,
    #[serde(flatten)]
    setting: FaultSetting,
}

impl Simulator {
    async fn act(&self, path: &[&str], body: Bytes) -> Result<Value, Failed> {
        let done = || Ok(json!({}));
        let msg_id = |msg_id: u64| Ok(json!({ "msg_id": msg_id.to_string() }));
        match path {
            ["customers"] => {
                let openid = new_openid(&mut rand::rng());
                let now = self.0.now();
                let mut world = self.0.world();
                world.customer_mut(&openid, now);
                self.0.tell_customer(&world, &openid);
                Ok(json!({ "openid": openid }))
            }
            ["customers", openid, "text"] => {
                let Text { text } = read(&body)?;
                msg_id(self.customer_says(openid, &text))
            }
            ["customers", openid, "image"] => {
                let refused = |_| {
                    (
                        StatusCode::BAD_REQUEST,
                        "a PNG, JPEG or GIF up to 10 MB is expected".into(),
                    )
                };
                msg_id(self.customer_sends_image(openid, body).map_err(refused)?)
            }
            ["customers", openid, "card"] => {
                let Card { title, page_path } = read(&body)?;
                msg_id(self.customer_sends_card(openid, &title, &page_path))
            }
            ["customers", openid, "enter"] => {
                let Enter { session_from } = read(&body)?;
                self.customer_enters(openid, &session_from);
                done()
            }
            ["customers", openid, "event"] => {
                let NamedEvent { event, fields } = read(&body)?;
                let from = OpenId::from(*openid);
                let body = PushBody::event(&self.account(), &from, &event, fields, self.0.now());
                self.0.push_later(body);
                done()
            }
            ["customers", openid, "close-session"] => {
                self.agent_closes(openid);
                done()
            }
            ["push"] => Ok(report(&self.push(PushBody::raw(body.to_vec())).await)),
            ["check-url"] => {
                let result = self.check_url().await;
                Ok(json!({ "ok": result.is_ok(), "error": result.err() }))
            }
            ["settings"] => {
                let settings: Settings = read(&body)?;
                let mut world = self.0.world();
                settings.mode.inspect(|mode| world.account.mode = *mode);
                settings.format.inspect(|format| world.account.format = *format);
                if let Some(callback) = settings.callback {
                    world.callback = callback;
                }
                if let Some(seconds) = settings.token_lifetime {
                    world.tokens.lifetime = Duration::from_secs(seconds.clamp(1, 7200));
                }
                self.0.tell_settings(&world);
                done()
            }
            ["faults"] => {
                let SetFault { fault, setting } = read(&body)?;
                self.set_fault(fault, setting);
                done()
            }
            ["token", "revoke"] => {
                self.revoke_tokens();
                done()
            }
            ["token", "expire"] => {
                self.expire_tokens();
                done()
            }
            _ => Err((StatusCode::NOT_FOUND, "no such action".into())),
        }
    }
}

fn report(report: &PushReport) -> Value {
    let attempts: Vec<Value> = report
        .attempts
        .iter()
        .map(|a| json!({ "status": a.status, "took_ms": a.took.as_secs_f64() * 1000.0, "error": a.error }))
        .collect();
    let (result, why) = match &report.result {
        PushResult::Taken => ("taken", None),
        PushResult::Transferred => ("transferred", None),
        PushResult::ToAgent => ("to-agent", None),
        PushResult::Abnormal(why) => ("abnormal", Some(why)),
        PushResult::Unanswered => ("unanswered", None),
        PushResult::Unsendable(why) => ("unsendable", Some(why)),
    };
    json!({ "result": result, "why": why, "attempts": attempts })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failed> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|e| (StatusCode::BAD_REQUEST, e.to_string()))
}

fn picture(id: String, shared: Arc<Shared>) -> Response {
    let media = shared.world().media.get(&id, shared.now()).cloned();
    media.map_or_else(
        |_| failed(not_kept()),
        |media| {
            let mut response = media_response(&media, false);
            let nosniff = HeaderValue::from_static("nosniff");
            response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, nosniff);
            response
        },
    )
}

/// The changes as they happen. A page that can't keep up is told to draw itself anew.
fn changes(shared: &Shared) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static + use<> {
    let hello = stream::iter([Ok(Event::default()
        .data(r#"{"type":"hello"}"#)
        .retry(Duration::from_secs(1)))]);
    let changes = stream::unfold(shared.changes.subscribe(), async |mut changes| {
        let event = match changes.recv().await {
            Ok(change) => Event::default().data(&*change),
            Err(RecvError::Lagged(_)) => Event::default().data(r#"{"type":"hello"}"#),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), changes))
    });
    hello.chain(changes)
}

fn not_kept() -> Failed {
    (StatusCode::NOT_FOUND, "no longer kept".into())
}

fn failed((status, error): Failed) -> Response {
    let mut response = json_reply(&json!({ "error": error }));
    *response.status_mut() = status;
    response
}

fn json_reply(body: &Value) -> Response {
    let mut response = Response::new(body.to_string().into());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
