//! WeChat's back-end API as far as wxreply calls it: `/cgi-bin/…`, with WeChat's checks and return codes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::body::capped_body;
use super::chat::{ReceivedReply, Side, TypingRefused};
use super::errcode::Refused;
use super::fault::{Fault, HangUp};
use super::media::{self, Media, media_response};
use super::record::{CallRecord, as_text};
use super::send;
use super::token::after;
use super::world::{Line, Shared, World};
use crate::message::{DropReason, OpenId};

/// `clear_quota` works so often a month.
const CLEARED_A_MONTH: usize = 10;
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// One call.
struct Call {
    method: Method,
    /// What stands behind `/cgi-bin/`.
    path: String,
    query: String,
    content_type: String,
    body: Bytes,
}

/// What a call is answered with.
enum Answer {
    Json(Value),
    Media(Media),
    Gateway(StatusCode, &'static str),
    HangUp,
}

/// `/cgi-bin/…`
pub(super) fn routes(shared: Arc<Shared>) -> BoxedFilter<(Response,)> {
    warp::path("cgi-bin")
        .and(warp::path::tail())
        .and(warp::method())
        .and(raw_query())
        .and(warp::header::optional::<String>("content-type"))
        .and(capped_body(media::MAX_UPLOAD))
        .then(
            move |path: warp::path::Tail,
                  method,
                  query,
                  content_type: Option<String>,
                  body: Option<Bytes>| {
                let shared = Arc::clone(&shared);
                let call = Call {
                    method,
                    path: path.as_str().to_owned(),
                    query,
                    content_type: content_type.unwrap_or_default(),
                    body: body.unwrap_or_default(),
                };
                async move { shared.call(call).await }
            },
        )
        .boxed()
}

/// The query as it came; empty if there is none.
pub(super) fn raw_query() -> impl Filter<Extract = (String,), Error = std::convert::Infallible> + Clone {
    warp::query::raw().or(warp::any().map(String::new)).unify()
}

/// A JSON answer; WeChat names its encoding in a way of its own.
fn json_response(body: &Value) -> Response {
    let mut response = Response::new(body.to_string().into());
    let json = HeaderValue::from_static("application/json; encoding=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

impl Shared {
    async fn call(&self, call: Call) -> Response {
        let began = Instant::now();
        let id = {
            let mut world = self.world();
            let path = format!("/cgi-bin/{}", call.path);
            // Only a caller gone astray has more paths than this.
            if world.calls.len() < 64 || world.calls.contains_key(&path) {
                *world.calls.entry(path).or_default() += 1;
            }
            world.next_id()
        };
        let mut fault = None;
        let answer = self.answer(&call, id, &mut fault).await;
        let (response, shown, errcode) = match answer {
            Answer::Json(body) => {
                let errcode = body["errcode"].as_i64().unwrap_or_default();
                (json_response(&body), body.to_string(), errcode)
            }
            Answer::Media(media) => {
                let shown = format!("({}, {} bytes)", media.mime, media.bytes.len());
                (media_response(&media, true), shown, 0)
            }
            Answer::Gateway(status, page) => {
                let mut response = Response::new(page.into());
                *response.status_mut() = status;
                let html = HeaderValue::from_static("text/html");
                response.headers_mut().insert(CONTENT_TYPE, html);
                (response, page.to_owned(), 0)
            }
            Answer::HangUp => {
                let mut response = Response::new("".into());
                response.extensions_mut().insert(HangUp);
                (response, String::new(), 0)
            }
        };
        let hung_up = response.extensions().get::<HangUp>().is_some();
        let record = CallRecord {
            id,
            at: self.now().as_millisecond(),
            method: call.method.to_string(),
            path: format!("/cgi-bin/{}", call.path),
            query: call.query,
            request: as_text(&call.body),
            status: (!hung_up).then(|| response.status().as_u16()),
            response: shown,
            errcode,
            fault: fault.map(fault_name),
            took: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        self.tell(|| json!({ "type": "call", "call": &record }));
        let mut world = self.world();
        world.records.add_call(record);
        if fault.is_some() || call.path.ends_with("token") {
            self.tell_settings(&world);
        }
        response
    }

    async fn answer(&self, call: &Call, id: u64, fault: &mut Option<Fault>) -> Answer {
        let (pause, cut) = self.way(fault);
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
        if let Some(cut) = cut {
            return cut;
        }
        let query: HashMap<String, String> = form_urlencoded::parse(call.query.as_bytes())
            .into_owned()
            .collect();
        match self.dispatch(call, &query, id, fault).await {
            Ok(answer) => answer,
            Err(refused) => Answer::Json(refused.json()),
        }
    }

    /// The faults of the way to WeChat, and of the door: how long to wait, and what to answer instead.
    fn way(&self, fault: &mut Option<Fault>) -> (Option<Duration>, Option<Answer>) {
        let mut world = self.world();
        let mut hits = |which| {
            let value = world.faults.hits(which, &mut rand::rng())?;
            *fault = Some(which);
            Some(value)
        };
        let pause = hits(Fault::Latency).map(|ms| Duration::from_millis(ms.into()));
        let cut = if hits(Fault::Drop).is_some() {
            Some(Answer::HangUp)
        } else if hits(Fault::Http500).is_some() {
            Some(Answer::Gateway(StatusCode::INTERNAL_SERVER_ERROR, ""))
        } else if let Some(status) = hits(Fault::Html) {
            let status = u16::try_from(status)
                .ok()
                .and_then(|s| StatusCode::from_u16(s).ok());
            let page = "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>";
            Some(Answer::Gateway(status.unwrap_or(StatusCode::BAD_GATEWAY), page))
        } else if hits(Fault::Busy).is_some() {
            Some(Answer::Json(Refused::new(-1, "system error").json()))
        } else {
            hits(Fault::RateLimit).map(|code| {
                let errmsg = match code {
                    45009 => "reach max api daily quota limit",
                    _ => "api minute-quota reach limit, must slower, retry next minute",
                };
                Answer::Json(Refused::new(code.into(), errmsg).json())
            })
        };
        (pause, cut)
    }

    async fn dispatch(
        &self,
        call: &Call,
        query: &HashMap<String, String>,
        id: u64,
        fault: &mut Option<Fault>,
    ) -> Result<Answer, Refused> {
        let get = || due(&call.method, &Method::GET, 43001, "require GET method");
        let post = || due(&call.method, &Method::POST, 43002, "require POST method");
        let token = |fault: &mut Option<Fault>| self.check_token(query, fault);
        match call.path.as_str() {
            "token" => get().and_then(|()| self.classic_token(query)),
            "stable_token" => post().and_then(|()| self.stable_token(&call.body)),
            "message/custom/send" => {
                post()?;
                token(fault)?;
                self.send(&call.body, id, fault)
            }
            "message/custom/typing" => {
                post()?;
                token(fault)?;
                self.typing(&call.body)
            }
            "media/upload" => {
                post()?;
                token(fault)?;
                self.upload(call, query).await
            }
            "media/get" => {
                get()?;
                token(fault)?;
                let media_id = query.get("media_id").filter(|id| !id.is_empty());
                let media_id = media_id.ok_or_else(|| Refused::new(41006, "media_id missing"))?;
                let media = self.world().media.get(media_id, self.now())?.clone();
                Ok(Answer::Media(media))
            }
            "getcallbackip" | "get_api_domain_ip" => {
                get()?;
                token(fault)?;
                Ok(Answer::Json(json!({ "ip_list": [self.addr.ip().to_string()] })))
            }
            "callback/check" => {
                post()?;
                token(fault)?;
                self.check_callback(&call.body).await
            }
            "clear_quota" => {
                post()?;
                token(fault)?;
                self.clear_quota(&call.body)
            }
            _ => Err(Refused::new(40066, "invalid url")),
        }
    }

    fn check_token(&self, query: &HashMap<String, String>, fault: &mut Option<Fault>) -> Result<(), Refused> {
        let now = self.now();
        let mut world = self.world();
        if world.faults.hits(Fault::RevokeToken, &mut rand::rng()).is_some() {
            *fault = Some(Fault::RevokeToken);
            world.tokens.revoke(now);
        }
        if world.faults.hits(Fault::ExpireToken, &mut rand::rng()).is_some() {
            *fault = Some(Fault::ExpireToken);
            world.tokens.expire(now);
        }
        world
            .tokens
            .check(query.get("access_token").map(String::as_str), now)
    }

    fn classic_token(&self, query: &HashMap<String, String>) -> Result<Answer, Refused> {
        let now = self.now();
        let mut world = self.world();
        let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        check_secret(&world, text("grant_type"), text("appid"), text("secret"))?;
        let (token, left) = world.tokens.classic(now, &mut rand::rng());
        Ok(Answer::Json(json!({ "access_token": token, "expires_in": left })))
    }

    fn stable_token(&self, body: &[u8]) -> Result<Answer, Refused> {
        let body = send::read_json(body)?;
        let now = self.now();
        let mut world = self.world();
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        check_secret(&world, text("grant_type"), text("appid"), text("secret"))?;
        let force = body["force_refresh"].as_bool().unwrap_or_default();
        let (token, left) = world.tokens.stable(force, now, &mut rand::rng())?;
        Ok(Answer::Json(json!({ "access_token": token, "expires_in": left })))
    }

    fn send(&self, body: &[u8], call: u64, fault: &mut Option<Fault>) -> Result<Answer, Refused> {
        let now = self.now();
        let mut world = self.world();
        let outgoing = send::read_message(world.account.kind, body)?;
        let used_up = || Refused::new(45047, "out of response count limit");
        let Some(customer) = world.known_customer(&outgoing.touser) else {
            return Err(Refused::new(40003, "invalid openid"));
        };
        let openid = customer.openid.clone();
        if let Some(media_id) = &outgoing.media_id {
            if world.faults.hits(Fault::MediaGone, &mut rand::rng()).is_some() {
                *fault = Some(Fault::MediaGone);
                world.media.forget(media_id);
            }
            world.media.get(media_id, now)?;
        }
        if world.faults.hits(Fault::Quota, &mut rand::rng()).is_some() {
            *fault = Some(Fault::Quota);
            return Err(used_up());
        }
        let ledger = &mut world.customer_mut(&openid, now).ledger;
        ledger.take(now, 0).map_err(|reason| match reason {
            DropReason::Quota => used_up(),
            DropReason::WindowOver => {
                Refused::new(45015, "response out of time limit or subscription is canceled")
            }
        })?;
        self.arrive(&mut world, &openid, outgoing, call);
        if world.faults.hits(Fault::LostAnswer, &mut rand::rng()).is_some() {
            *fault = Some(Fault::LostAnswer);
            return Ok(Answer::HangUp);
        }
        Ok(ok())
    }

    /// The message reaches the customer.
    fn arrive(&self, world: &mut World, openid: &OpenId, outgoing: send::Outgoing, call: u64) {
        let now = self.now();
        let reply = Arc::new(ReceivedReply {
            openid: openid.clone(),
            at: now,
            msg_type: outgoing.msg_type,
            body: outgoing.body,
        });
        world.receive(&reply, now);
        let line = Line {
            call: Some(call),
            ai: outgoing.ai,
            ..Line::new(Side::Shop, outgoing.bubble)
        };
        self.say(world, openid, line);
        self.tell_customer(world, openid);
        self.replies.send_modify(|count| *count += 1);
    }

    fn typing(&self, body: &[u8]) -> Result<Answer, Refused> {
        let body = send::read_json(body)?;
        let now = self.now();
        let mut world = self.world();
        let touser = body["touser"].as_str().unwrap_or_default();
        let customer = world
            .known_customer(touser)
            .ok_or_else(|| Refused::new(40003, "invalid openid"))?;
        match body["command"].as_str() {
            Some("Typing") => customer.start_typing(now).map_err(|refused| match refused {
                TypingRefused::NoExchange => {
                    Refused::new(45080, "can only be called within 30 seconds of the last message")
                }
                TypingRefused::AlreadyTyping => Refused::new(45081, "already in typing status"),
            })?,
            Some("CancelTyping") => customer.stop_typing(),
            _ => return Err(Refused::new(45072, "invalid command")),
        }
        let openid = customer.openid.clone();
        self.tell_customer(&world, &openid);
        Ok(ok())
    }

    async fn upload(&self, call: &Call, query: &HashMap<String, String>) -> Result<Answer, Refused> {
        let kind = query.get("type").map(String::as_str).unwrap_or_default();
        if !matches!(kind, "image" | "thumb") {
            return Err(Refused::new(40004, "invalid media type"));
        }
        let bytes = media::read_form(&call.content_type, call.body.clone()).await?;
        let mime = media::check(kind, &bytes)?;
        let now = self.now();
        let media_id = self.world().media.add(mime, bytes, now, &mut rand::rng());
        let name = if kind == "thumb" {
            "thumb_media_id"
        } else {
            "media_id"
        };
        Ok(Answer::Json(
            json!({ "type": kind, name: media_id, "created_at": now.as_second() }),
        ))
    }

    /// WeChat resolves and pings the callback; what is measured here is a TCP connection to it.
    async fn check_callback(&self, body: &[u8]) -> Result<Answer, Refused> {
        send::read_json(body)?;
        let callback = self.world().callback.clone();
        let no_url = || Refused::new(40201, "callback url is not set");
        let uri: http::Uri = callback.parse().map_err(|_| no_url())?;
        let host = uri.host().ok_or_else(no_url)?;
        let (mut dns, mut ping) = (Vec::new(), Vec::new());
        for addr in tokio::net::lookup_host((host, uri.port_u16().unwrap_or(80)))
            .await
            .into_iter()
            .flatten()
        {
            let ip = addr.ip().to_string();
            let began = Instant::now();
            let connecting = tokio::net::TcpStream::connect(addr);
            let reached = tokio::time::timeout(Duration::from_secs(3), connecting).await;
            let lost = if matches!(reached, Ok(Ok(_))) {
                "0%"
            } else {
                "100%"
            };
            dns.push(json!({ "ip": ip, "real_operator": "DEFAULT" }));
            ping.push(json!({
                "ip": ip,
                "from_operator": "DEFAULT",
                "package_loss": lost,
                "time": format!("{:.3}ms", began.elapsed().as_secs_f64() * 1000.0),
            }));
        }
        Ok(Answer::Json(json!({ "dns": dns, "ping": ping })))
    }

    fn clear_quota(&self, body: &[u8]) -> Result<Answer, Refused> {
        let body = send::read_json(body)?;
        let now = self.now();
        let mut world = self.world();
        if body["appid"] != world.account.app_id.as_str() {
            return Err(Refused::new(40013, "invalid appid"));
        }
        world.cleared.retain(|at| after(*at, MONTH) > now);
        if world.cleared.len() >= CLEARED_A_MONTH {
            return Err(Refused::new(
                48006,
                "forbid to clear quota because of reaching the limit",
            ));
        }
        world.cleared.push_back(now);
        world.faults.set(Fault::RateLimit, super::FaultSetting::OFF);
        Ok(ok())
    }
}

fn ok() -> Answer {
    Answer::Json(json!({ "errcode": 0, "errmsg": "ok" }))
}

fn due(method: &Method, expected: &Method, errcode: i64, errmsg: &str) -> Result<(), Refused> {
    if method == expected {
        Ok(())
    } else {
        Err(Refused::new(errcode, errmsg))
    }
}

fn check_secret(world: &World, grant_type: &str, app_id: &str, secret: &str) -> Result<(), Refused> {
    let refused = |errcode, errmsg| Err(Refused::new(errcode, errmsg));
    if grant_type != "client_credential" {
        refused(40002, "invalid grant_type")
    } else if app_id.is_empty() {
        refused(41002, "appid missing")
    } else if app_id != world.account.app_id {
        refused(40013, "invalid appid")
    } else if secret.is_empty() {
        refused(41004, "appsecret missing")
    } else if secret != world.account.app_secret {
        refused(40125, "invalid appsecret")
    } else {
        Ok(())
    }
}

fn fault_name(fault: Fault) -> &'static str {
    super::fault::FAULTS
        .iter()
        .find(|help| help.fault == fault)
        .map_or("", |help| help.name)
}
