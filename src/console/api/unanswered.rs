//! What went unanswered, and rules drafted from it.

use std::sync::Arc;

use serde::Deserialize;
use utoipa::ToSchema;
use warp::reply::Response;

use super::json;
use crate::console::Console;
use crate::console::data::rules::Window;
use crate::console::data::unanswered::{self, Draft, Unanswered};
use crate::console::problem::Problem;
use crate::console::request::Request;

/// Texts that no rule answered, or only a rule that answers any text; those that ask the same together.
#[utoipa::path(
    get,
    path = "/api/unanswered",
    tag = "rules",
    params(Window),
    responses(
        (status = 200, description = "The texts", body = Unanswered),
        (status = 400, description = "The query can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No app has this name", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn list(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    json(&unanswered::unanswered(&console, &request.query()?).await?)
}

/// Texts that a rule should answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Wish {
    /// The texts, the commonest first.
    #[schema(min_items = 1, max_items = 1000)]
    texts: Vec<String>,
    /// The app that the rule is for; absent, it serves all.
    #[serde(default)]
    app: Option<String>,
    /// What is replied.
    #[serde(default)]
    reply: String,
}

/// Drafts a rule and its tests from texts. Writes nothing.
#[utoipa::path(
    post,
    path = "/api/rules/draft",
    tag = "rules",
    request_body = Wish,
    responses(
        (status = 200, description = "The draft", body = Draft),
        (status = 422, description = "No rule can ask for these texts", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No app has this name", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The files on the disk can't be read", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn draft(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let Wish { texts, app, reply } = request.json()?;
    if !(1..=1000).contains(&texts.len()) {
        return Err(Problem::bad_request("`texts` holds 1 to 1000 texts"));
    }
    json(&unanswered::draft(&console, texts, app.as_deref(), &reply, false).await?)
}
