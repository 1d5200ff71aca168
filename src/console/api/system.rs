//! The machinery, and who did what.

use std::sync::Arc;

use serde::Deserialize;
use utoipa::IntoParams;
use warp::reply::Response;

use super::json;
use crate::console::Console;
use crate::console::data::Page;
use crate::console::data::log::rows;
use crate::console::data::system::{Deed, System, deeds, place};
use crate::console::problem::Problem;
use crate::console::request::Request;

/// Apps, tokens, rules, database, alarms, who is signed in. No secret is told.
#[utoipa::path(
    get,
    path = "/api/system",
    tag = "system",
    responses(
        (status = 200, description = "The machinery", body = System),
    ),
)]
pub(in crate::console) async fn get(console: Arc<Console>, _: Request) -> Result<Response, Problem> {
    json(&System::gather(&console).await?)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::console) struct Part {
    /// Where to go on: the `next` of the part before.
    cursor: Option<String>,
    /// The most rows to give.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
}

/// The audit trail: who did what by hand, the latest first.
#[utoipa::path(
    get,
    path = "/api/audit",
    tag = "system",
    params(Part),
    responses(
        (status = 200, description = "A part of the trail", body = Page<Deed>),
        (status = 422, description = "The cursor is none of this list's", body = Problem, content_type = "application/problem+json"),
        (status = 400, description = "A parameter can't be read", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn audit(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let part: Part = request.query()?;
    let limit = rows(part.limit)?.into();
    let before = part.cursor.as_deref().map(place).transpose()?;
    json(&deeds(&console, before, limit).await?)
}
