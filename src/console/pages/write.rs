//! What agents do in a conversation: write, pause the bot, let it go on.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use warp::reply::Response;

use super::address;
use super::conversations::{draw, names};
use super::thread::Composer;
use crate::clock::after;
use crate::console::Console;
use crate::console::data::time::length;
use crate::console::html::see_other;
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::console::words::{Words, filled};
use crate::intake::ByHandError;
use crate::message::{AppName, OpenId, Reply};
use crate::rules::MAX_TEXT;

/// For how long the bot is paused by whoever writes.
const PAUSE: Duration = Duration::from_mins(30);

#[derive(Deserialize)]
struct ReplyForm {
    #[serde(default)]
    text: String,
    /// There when the box is ticked.
    pause: Option<String>,
}

/// `POST /conversations/{app}/{openid}/reply`
pub(in crate::console) async fn reply(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let (app, openid) = names(&request)?;
    let form: ReplyForm = request.form()?;
    // Browsers send line breaks as CR LF.
    let text = form.text.replace("\r\n", "\n");
    let pause = form.pause.is_some();
    let replies = vec![Reply::Text(text.clone())];
    let mute = pause.then_some(PAUSE);
    let written = console
        .intake
        .write(&app, &openid, replies, &request.who.name, mute)
        .await;
    let error = match written {
        Ok(_) => return Ok(back(&request, &app, &openid)),
        Err(ByHandError::UnknownUser) => return Err(Problem::not_found()),
        Err(ByHandError::Store(error)) => return Err(error.into()),
        Err(error) => error,
    };
    // What was typed stays where it was.
    let composer = Composer {
        text,
        pause,
        problem: Some(words(request.lang.words(), &error)),
    };
    let mut page = draw(&console, &request, composer).await?;
    *page.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(page)
}

fn words(w: &Words, error: &ByHandError) -> String {
    let w = w.conversations;
    let words = match error {
        ByHandError::Empty => w.text_empty,
        ByHandError::TooLong { .. } => return filled(w.too_long, MAX_TEXT),
        ByHandError::UnknownUser => w.unknown_user,
        ByHandError::WindowOver { .. } => w.window_over,
        ByHandError::Quota { .. } => w.quota_used,
        ByHandError::Full { .. } => w.slots_full,
        ByHandError::Unfit(_) | ByHandError::Store(_) => return error.to_string(),
    };
    words.to_owned()
}

#[derive(Deserialize)]
struct MuteForm {
    /// `30m`, `2h`
    #[serde(rename = "for")]
    time: String,
}

/// `POST /conversations/{app}/{openid}/mute`
pub(in crate::console) async fn mute(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let (app, openid) = names(&request)?;
    let form: MuteForm = request.form()?;
    let until = after(console.clock.now(), length("for", &form.time)?);
    match console
        .store
        .mute(&app, &openid, until, &request.who.name)
        .await?
    {
        true => Ok(back(&request, &app, &openid)),
        false => Err(Problem::not_found()),
    }
}

/// `POST /conversations/{app}/{openid}/unmute`
pub(in crate::console) async fn unmute(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let (app, openid) = names(&request)?;
    match console.store.unmute(&app, &openid, &request.who.name).await? {
        true => Ok(back(&request, &app, &openid)),
        false => Err(Problem::not_found()),
    }
}

/// To the conversation, with the list as it was.
fn back(request: &Request, app: &AppName, openid: &OpenId) -> Response {
    let place = address::conversation(app.as_str(), openid.as_str());
    match request.head.query.as_str() {
        "" => see_other(&place),
        query => see_other(&format!("{place}?{query}")),
    }
}
