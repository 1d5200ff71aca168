//! The log: rows by any filter, one row, why it is as it is, and rows as a file.

use std::sync::Arc;
use std::task::Poll;

use futures_util::stream::poll_fn;
use http::{HeaderValue, header};
use serde::Deserialize;
use utoipa::IntoParams;
use warp::Reply;
use warp::reply::Response;

use super::json;
use crate::console::Console;
use crate::console::data::explanation::{Explanation, Rules};
use crate::console::data::export::{Format, FormatQuery, export as rows};
use crate::console::data::log::{LogPage, LogQuery};
use crate::console::data::message::Message;
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::message::MessageId;

/// Rows of the log, the newest first. Each page looks at so many rows and no more: one may be empty and have a next.
#[utoipa::path(
    get,
    path = "/api/messages",
    tag = "messages",
    params(LogQuery),
    responses(
        (status = 200, description = "A part of the log", body = LogPage),
        (status = 400, description = "A parameter can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The cursor is none of this list's, or the parameters fit no message", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn list(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    json(&console.log(&request.query()?).await?)
}

/// One row of the log.
#[utoipa::path(
    get,
    path = "/api/messages/{id}",
    tag = "messages",
    params(("id" = String, Path, description = "The row's id")),
    responses(
        (status = 200, description = "The row", body = Message),
        (status = 404, description = "There is no such row", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn get(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let id: MessageId = request.param(0)?;
    let entry = console.store.entry(id).await?.ok_or_else(Problem::not_found)?;
    json(&Message::from(entry))
}

/// Which rules to ask.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::console) struct ExplainQuery {
    /// Those that judged the message, where they are still there, rather than those in force now.
    #[param(default = true)]
    as_logged: Option<bool>,
}

/// Why a message was taken as it was: every rule in the order tried, and what would go out. Of a reply, it is the message
/// that it answers. What is known of the user is what is known now.
#[utoipa::path(
    get,
    path = "/api/messages/{id}/explain",
    tag = "messages",
    params(("id" = String, Path, description = "The row's id"), ExplainQuery),
    responses(
        (status = 200, description = "Why", body = Explanation),
        (status = 400, description = "A parameter can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such row", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn explain(
    console: Arc<Console>,
    request: Request,
) -> Result<Response, Problem> {
    let id: MessageId = request.param(0)?;
    let query: ExplainQuery = request.query()?;
    let rules = match query.as_logged {
        Some(false) => Rules::Now,
        _ => Rules::Then,
    };
    json(&console.explain(id, rules).await?)
}

/// All rows that a filter lets through, the newest first, as a file. `cursor` and `limit` do not count here.
#[utoipa::path(
    get,
    path = "/api/messages/export",
    tag = "messages",
    params(FormatQuery, LogQuery),
    responses(
        (status = 200, description = "The file, in pieces", content((String = "text/csv"), (String = "application/x-ndjson"))),
        (status = 400, description = "A parameter can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The cursor is none of this list's, or the parameters fit no message", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn export(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let FormatQuery { format } = request.query()?;
    let query: LogQuery = without_format(&request.head.query)?;
    query.rows()?;
    let mut pieces = rows(console.store.clone(), query.filter(&console)?, format);
    let stop = console.stop.clone();
    let stream = poll_fn(move |context| match stop.is_cancelled() {
        // An end would pass for the end of the log.
        true => Poll::Ready(Some(Err(std::io::Error::other("the daemon stops")))),
        false => pieces.poll_recv(context).map_err(std::io::Error::other),
    });
    let mut response = warp::reply::stream(stream).into_response();
    let (content_type, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Jsonl => ("application/x-ndjson", "jsonl"),
    };
    let date = console.clock.now().to_zoned(console.timezone.clone());
    let name = format!(
        "attachment; filename=\"wxreply-{}.{name}\"",
        date.strftime("%Y%m%d-%H%M%S")
    );
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// The filter, which knows no `format`.
fn without_format(query: &str) -> Result<LogQuery, Problem> {
    let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "format");
    let rest = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    serde_urlencoded::from_str(&rest)
        .map_err(|error| Problem::bad_request(format!("the query can't be read: {error}")))
}
