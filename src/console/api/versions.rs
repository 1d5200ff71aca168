//! Versions of the rules: history, files, differences, restoring.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use warp::reply::Response;

use super::json;
use crate::console::Console;
use crate::console::data::candidate::SavedFiles;
use crate::console::data::version::{self, Version, VersionFiles};
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::editing::FileDiff;

/// Which version was in force when.
#[derive(Serialize, ToSchema)]
pub(in crate::console) struct History {
    /// The latest first; at most 500.
    versions: Vec<Version>,
}

/// Which version of the rules was in force when.
#[utoipa::path(
    get,
    path = "/api/versions",
    tag = "versions",
    responses(
        (status = 200, description = "The history", body = History),
    ),
)]
pub(in crate::console) async fn list(console: Arc<Console>, _: Request) -> Result<Response, Problem> {
    let versions = version::versions(&console).await?;
    json(&History { versions })
}

/// A version with its files.
#[utoipa::path(
    get,
    path = "/api/versions/{version}",
    tag = "versions",
    params(("version" = String, Path, description = "The version")),
    responses(
        (status = 200, description = "The version", body = VersionFiles),
        (status = 404, description = "It was never live here", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn one(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let version: String = request.param(0)?;
    json(&version::files(&console, &version).await?)
}

/// What a version is compared with.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::console) struct With {
    /// Another version, or `disk` for the files on the disk.
    #[serde(default = "disk")]
    #[param(default = "disk")]
    with: String,
}

fn disk() -> String {
    "disk".to_owned()
}

/// How files differ.
#[derive(Serialize, ToSchema)]
pub(in crate::console) struct Differences {
    /// The files that differ.
    files: Vec<FileDiff>,
}

/// What would change if the files of `with` were those of this version: lines that only this version has are added.
#[utoipa::path(
    get,
    path = "/api/versions/{version}/diff",
    tag = "versions",
    params(("version" = String, Path, description = "The version"), With),
    responses(
        (status = 200, description = "The differences", body = Differences),
        (status = 400, description = "The query can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "One of them was never live here", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn diff(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let version: String = request.param(0)?;
    let With { with } = request.query()?;
    let files = console
        .editor
        .compare(&version::side(&with), &version::side(&version))
        .await?;
    json(&Differences { files })
}

/// Puts the files of a version in the place of those on the disk, and loads them. Refused when they have an error or a
/// failing test under today's config.
#[utoipa::path(
    post,
    path = "/api/versions/{version}/restore",
    tag = "versions",
    params(("version" = String, Path, description = "The version")),
    responses(
        (status = 200, description = "It is on the disk", body = SavedFiles),
        (status = 404, description = "It was never live here", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The files can't be written", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The rules can't be used any more; `findings` says why", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many are checking rules", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn restore(
    console: Arc<Console>,
    request: Request,
) -> Result<Response, Problem> {
    let version: String = request.param(0)?;
    json(&version::restore(&console, &request.who.name, &version).await?)
}
