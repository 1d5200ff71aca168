//! Conversations: the list, one of them, and what people do in it.

use std::sync::Arc;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use warp::reply::Response;

use super::{json, json_with};
use crate::clock::after;
use crate::console::Console;
use crate::console::data::contact::User;
use crate::console::data::conversation::{ConversationPage, ConversationQuery};
use crate::console::data::log::{LogPage, cursor, rows};
use crate::console::data::time::length;
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::intake::ByHandError;
use crate::message::{AppName, MessageId, OpenId, Reply};

/// The conversations, the latest first. A search gives those in which something was said, with what was said.
#[utoipa::path(
    get,
    path = "/api/conversations",
    tag = "conversations",
    params(ConversationQuery),
    responses(
        (status = 200, description = "A part of the list", body = ConversationPage),
        (status = 400, description = "A parameter can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The cursor is none of this list's", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn list(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    json(&console.conversations(&request.query()?).await?)
}

/// What is known of a user: dialog state, quota, whether the bot is paused.
#[utoipa::path(
    get,
    path = "/api/conversations/{app}/{openid}",
    tag = "conversations",
    params(("app" = String, Path, description = "The app"), ("openid" = String, Path, description = "The user")),
    responses(
        (status = 200, description = "The user", body = User),
        (status = 404, description = "Nobody of this name came", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn user(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let (app, openid) = names(&request)?;
    json(
        &console
            .user(&app, &openid)
            .await?
            .ok_or_else(Problem::not_found)?,
    )
}

/// Which part of a thread.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::console) struct ThreadQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// How many rows.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
}

/// A user's messages and the replies to them, the newest first.
#[utoipa::path(
    get,
    path = "/api/conversations/{app}/{openid}/messages",
    tag = "conversations",
    params(("app" = String, Path, description = "The app"), ("openid" = String, Path, description = "The user"), ThreadQuery),
    responses(
        (status = 200, description = "A part of the thread", body = LogPage),
        (status = 400, description = "A parameter can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nobody of this name came", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The cursor is none of this list's", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn messages(
    console: Arc<Console>,
    request: Request,
) -> Result<Response, Problem> {
    let (app, openid) = names(&request)?;
    let query: ThreadQuery = request.query()?;
    let cursor = cursor(query.cursor.as_deref())?;
    let found = console
        .store
        .thread(&app, &openid, cursor.as_ref(), rows(query.limit)?.into())
        .await?;
    if found.entries.is_empty() && console.user(&app, &openid).await?.is_none() {
        return Err(Problem::not_found());
    }
    json(&LogPage::from(found))
}

/// A reply to be written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct NewReply {
    /// The text; WeChat takes 2048 bytes.
    #[schema(min_length = 1, max_length = 2048)]
    text: String,
    /// For how long the bot is paused besides: `30m`, `2h`; at most `30d`.
    #[schema(example = "30m", pattern = "^[1-9][0-9]*[smhd]$")]
    mute: Option<String>,
}

/// Replies that were queued.
#[derive(Serialize, ToSchema)]
pub(in crate::console) struct Queued {
    /// Their ids.
    ids: Vec<String>,
}

/// Writes a reply to a user. It is queued behind what already waits, and takes from WeChat's quota.
#[utoipa::path(
    post,
    path = "/api/conversations/{app}/{openid}/replies",
    tag = "conversations",
    params(("app" = String, Path, description = "The app"), ("openid" = String, Path, description = "The user")),
    request_body = NewReply,
    responses(
        (status = 201, description = "It is queued", body = Queued),
        (status = 404, description = "Nobody of this name came", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "WeChat takes no reply now", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The text is empty or too long", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn reply(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let (app, openid) = names(&request)?;
    let new: NewReply = request.json()?;
    let mute = new.mute.as_deref().map(|mute| length("mute", mute)).transpose()?;
    let reply = vec![Reply::Text(new.text)];
    let ids = console
        .intake
        .write(&app, &openid, reply, &request.who.name, mute)
        .await;
    let ids = ids.map_err(refused)?;
    let ids = ids.iter().map(MessageId::to_string).collect();
    json_with(StatusCode::CREATED, &Queued { ids })
}

fn refused(error: ByHandError) -> Problem {
    let status = match error {
        ByHandError::Store(error) => return error.into(),
        ByHandError::UnknownUser => StatusCode::NOT_FOUND,
        ByHandError::Empty | ByHandError::TooLong { .. } | ByHandError::Unfit(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ByHandError::WindowOver { .. } | ByHandError::Quota { .. } | ByHandError::Full { .. } => {
            StatusCode::CONFLICT
        }
    };
    Problem::new(status, error.to_string())
}

/// For how long.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Mute {
    /// `30m`, `2h`; at most `30d`.
    #[serde(rename = "for")]
    #[schema(example = "30m", pattern = "^[1-9][0-9]*[smhd]$")]
    time: String,
}

/// Pauses the bot for a user: messages are logged, no rule answers.
#[utoipa::path(
    post,
    path = "/api/conversations/{app}/{openid}/mute",
    tag = "conversations",
    params(("app" = String, Path, description = "The app"), ("openid" = String, Path, description = "The user")),
    request_body = Mute,
    responses(
        (status = 200, description = "The user", body = User),
        (status = 404, description = "Nobody of this name came", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The time is too long", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn mute(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let (app, openid) = names(&request)?;
    let mute: Mute = request.json()?;
    let until = after(console.clock.now(), length("for", &mute.time)?);
    if !console
        .store
        .mute(&app, &openid, until, &request.who.name)
        .await?
    {
        return Err(Problem::not_found());
    }
    json(
        &console
            .user(&app, &openid)
            .await?
            .ok_or_else(Problem::not_found)?,
    )
}

/// Lets rules answer a user again.
#[utoipa::path(
    post,
    path = "/api/conversations/{app}/{openid}/unmute",
    tag = "conversations",
    params(("app" = String, Path, description = "The app"), ("openid" = String, Path, description = "The user")),
    responses(
        (status = 200, description = "The user", body = User),
        (status = 404, description = "Nobody of this name came", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn unmute(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let (app, openid) = names(&request)?;
    if !console.store.unmute(&app, &openid, &request.who.name).await? {
        return Err(Problem::not_found());
    }
    json(
        &console
            .user(&app, &openid)
            .await?
            .ok_or_else(Problem::not_found)?,
    )
}

/// What was erased.
#[derive(Serialize, ToSchema)]
pub(in crate::console) struct Forgotten {
    /// Messages of the user, events among them.
    messages: u64,
    /// Replies to them.
    replies: u64,
    /// Pictures.
    pictures: u64,
}

/// Erases a user's messages, pictures and state in one app. It can't be undone.
#[utoipa::path(
    post,
    path = "/api/conversations/{app}/{openid}/forget",
    tag = "conversations",
    params(("app" = String, Path, description = "The app"), ("openid" = String, Path, description = "The user")),
    responses(
        (status = 200, description = "What was erased", body = Forgotten),
        (status = 404, description = "Nobody of this name came", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn forget(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let (app, openid) = names(&request)?;
    let forgotten = console
        .store
        .forget(Some(&app), &openid, &request.who.name)
        .await?;
    if forgotten.contacts == 0 {
        return Err(Problem::not_found());
    }
    let erased = forgotten.erased;
    json(&Forgotten {
        messages: erased.messages,
        replies: erased.replies,
        pictures: erased.pictures,
    })
}

fn names(request: &Request) -> Result<(AppName, OpenId), Problem> {
    let (app, openid): (String, String) = (request.param(0)?, request.param(1)?);
    Ok((app.into(), openid.into()))
}
