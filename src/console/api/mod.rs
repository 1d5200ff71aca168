//! The API: what the pages show and do, as JSON. A file a subject; each handler says in its attribute what it takes and gives, and
//! `openapi` makes the document of these.

pub(super) mod backup;
pub(super) mod conversations;
pub(super) mod health;
pub(super) mod messages;
pub(super) mod openapi;
pub(super) mod outbox;
pub(super) mod overview;
pub(super) mod pictures;
pub(super) mod rules;
pub(super) mod snippets;
pub(super) mod system;
pub(super) mod token;
pub(super) mod unanswered;
pub(super) mod versions;

use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use warp::reply::Response;

use super::problem::Problem;

/// `200` with a JSON body.
pub(super) fn json(value: &impl Serialize) -> Result<Response, Problem> {
    json_with(StatusCode::OK, value)
}

/// A JSON body with another status.
pub(super) fn json_with(status: StatusCode, value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer of the API can't be written as JSON");
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the answer can't be written as JSON",
        )
    })?;
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let value = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    Ok(response)
}
