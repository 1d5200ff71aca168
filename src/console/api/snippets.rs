//! Texts that agents use again and again.

use std::sync::Arc;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use warp::reply::Response;

use super::json;
use crate::console::Console;
use crate::console::data::snippet::{Snippet, Unfit};
use crate::console::problem::Problem;
use crate::console::request::Request;

/// All snippets.
#[derive(Serialize, ToSchema)]
pub(in crate::console) struct Snippets {
    /// In the order of their names.
    items: Vec<Snippet>,
}

/// All snippets, in the order of their names.
#[utoipa::path(
    get,
    path = "/api/snippets",
    tag = "snippets",
    responses(
        (status = 200, description = "The snippets", body = Snippets),
    ),
)]
pub(in crate::console) async fn list(console: Arc<Console>, _: Request) -> Result<Response, Problem> {
    let items = console.snippets().await?;
    json(&Snippets { items })
}

/// What a snippet says.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct SnippetText {
    /// The text; at most 2048 bytes.
    #[schema(min_length = 1, max_length = 2048)]
    text: String,
}

/// Keeps a snippet under a name of 1 to 40 characters, in the place of one that has this name already.
#[utoipa::path(
    put,
    path = "/api/snippets/{name}",
    tag = "snippets",
    params(("name" = String, Path, description = "Its name")),
    request_body = SnippetText,
    responses(
        (status = 200, description = "The snippet", body = Snippet),
        (status = 404, description = "No name stands in the path", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The name or the text is unfit, or there are too many", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn put(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let name: String = request.param(0)?;
    let SnippetText { text } = request.json()?;
    let snippet = Snippet { name, text };
    console
        .put_snippet(&snippet, &request.who.name)
        .await?
        .map_err(|unfit: Unfit| Problem::unprocessable(unfit.to_string()))?;
    json(&snippet)
}

/// Deletes a snippet.
#[utoipa::path(
    delete,
    path = "/api/snippets/{name}",
    tag = "snippets",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is none of this name", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn delete(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let name: String = request.param(0)?;
    if !console.store.delete_snippet(&name, &request.who.name).await? {
        return Err(Problem::not_found());
    }
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}
