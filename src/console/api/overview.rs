//! How it goes, in figures.

use std::sync::Arc;

use serde::Deserialize;
use utoipa::IntoParams;
use warp::reply::Response;

use super::json;
use crate::console::Console;
use crate::console::data::app;
use crate::console::data::overview::{Overview, Window};
use crate::console::problem::Problem;
use crate::console::request::Request;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::console) struct Wanted {
    /// Of one app alone.
    app: Option<String>,
    /// How much time to look at; `24h` unless told.
    #[serde(default)]
    #[param(inline)]
    window: Window,
}

/// Messages, shares, latency, delivery, top rules, unanswered texts, health.
#[utoipa::path(
    get,
    path = "/api/overview",
    tag = "overview",
    params(Wanted),
    responses(
        (status = 200, description = "How it goes", body = Overview),
        (status = 400, description = "A parameter can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such app", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn get(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let wanted: Wanted = request.query()?;
    let app = app::chosen(&console, wanted.app.as_deref())?;
    json(&Overview::gather(&console, app.as_ref(), wanted.window).await?)
}
