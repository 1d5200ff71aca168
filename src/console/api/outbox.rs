//! The outbox: its lists, sending again, giving up.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use warp::reply::Response;

use super::json;
use crate::console::Console;
use crate::console::data::app;
use crate::console::data::log::rows;
use crate::console::data::outbox::{self, Outbox, OutboxCursor, OutboxList};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::message::MessageId;

/// Ids in one request.
const MOST_IDS: usize = 1000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::console) struct Wanted {
    /// Which list; `queued` unless told.
    #[serde(default)]
    #[param(inline)]
    status: OutboxList,
    /// Of one app alone.
    app: Option<String>,
    /// Where to go on: the `next` of the part before.
    cursor: Option<String>,
    /// The most replies to give.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
}

/// A list of the outbox, and how long each list is.
#[utoipa::path(
    get,
    path = "/api/outbox",
    tag = "outbox",
    params(Wanted),
    responses(
        (status = 200, description = "A part of the list", body = Outbox),
        (status = 422, description = "The cursor is none of this list's", body = Problem, content_type = "application/problem+json"),
        (status = 400, description = "A parameter can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such app", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn list(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let wanted: Wanted = request.query()?;
    let limit = rows(wanted.limit)?.into();
    let app = app::chosen(&console, wanted.app.as_deref())?;
    let cursor: Option<OutboxCursor> = wanted.cursor.map(|cursor| cursor.parse()).transpose()?;
    let (_, outbox) = Outbox::gather(&console, Some(wanted.status), app.as_ref(), cursor, limit).await?;
    json(&outbox)
}

/// Some replies.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct These {
    /// Their ids.
    #[schema(min_items = 1, max_items = 1000, example = json!(["1h4vq0x9g3r2k"]))]
    ids: Vec<Id>,
}

/// A message's id.
#[derive(Deserialize, ToSchema)]
#[schema(pattern = "^[0-7][0-9a-hjkmnp-tv-z]{12}$", example = "1h4vq0x9g3r2k")]
pub(in crate::console) struct Id(String);

/// Some replies, or all that failed: `ids` or `all`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "all": "failed" }))]
pub(in crate::console) struct Which {
    /// Their ids.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 1000)]
    ids: Option<Vec<Id>>,
    /// Every reply that failed.
    #[serde(default)]
    all: Option<Failed>,
    /// Of one app alone; goes with `all`.
    #[serde(default)]
    app: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::console) enum Failed {
    Failed,
}

impl These {
    fn ids(&self) -> Result<Vec<MessageId>, Problem> {
        if !(1..=MOST_IDS).contains(&self.ids.len()) {
            return Err(Problem::bad_request(format!("`ids` are 1 to {MOST_IDS}")));
        }
        let ids = self.ids.iter().map(|id| id.0.parse());
        ids.collect::<Result<_, _>>()
            .map_err(|error: crate::message::ParseIdError| Problem::bad_request(error.to_string()))
    }
}

/// What was changed.
#[derive(Serialize, ToSchema)]
pub(in crate::console) struct Changed {
    /// The ids of the replies that were changed. Others had changed meanwhile, or are not there.
    ids: Vec<String>,
}

fn changed(ids: &[MessageId]) -> Result<Response, Problem> {
    json(&Changed {
        ids: ids.iter().map(ToString::to_string).collect(),
    })
}

/// Queues replies again that failed, were dropped, or whose end is not known. Others are left alone.
#[utoipa::path(
    post,
    path = "/api/outbox/resend",
    tag = "outbox",
    request_body = Which,
    responses(
        (status = 200, description = "Which were queued again", body = Changed),
        (status = 404, description = "No such app", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Neither `ids` nor `all` is there, or both are", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn resend(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let by = &request.who.name;
    let ids = match request.json()? {
        Which {
            ids: Some(ids),
            all: None,
            app: None,
        } => {
            let ids = These { ids }.ids()?;
            console.store.resend(&ids, console.clock.now(), by).await?
        }
        Which {
            ids: None,
            all: Some(Failed::Failed),
            app,
        } => {
            let app = app::chosen(&console, app.as_deref())?;
            outbox::resend_failed(&console, app.as_ref(), by).await?
        }
        _ => {
            let detail = r#"send {"ids": […]}, or {"all": "failed"}, which may go with "app""#;
            return Err(Problem::unprocessable(detail));
        }
    };
    changed(&ids)
}

/// Gives up replies that wait, failed, or whose end is not known. Others are left alone, and so is one that is just being
/// sent.
#[utoipa::path(
    post,
    path = "/api/outbox/drop",
    tag = "outbox",
    request_body = These,
    responses(
        (status = 200, description = "Which were dropped", body = Changed),
    ),
)]
pub(in crate::console) async fn drop(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let these: These = request.json()?;
    let ids = console
        .store
        .drop_replies(&these.ids()?, &request.who.name)
        .await?;
    changed(&ids)
}
