//! Style, scripts and icon, compiled in; their addresses change with their contents, so browsers may keep them for ever.

use std::fmt::Write;
use std::sync::Arc;

use http::{HeaderValue, header};
use rust_embed::{EmbeddedFile, RustEmbed};
use warp::reply::Response;

use super::Console;
use super::problem::Problem;
use super::request::Request;

#[derive(RustEmbed)]
#[folder = "src/console/assets"]
struct Assets;

/// The address of an asset. One that is not there gives an address that leads nowhere; a test looks for these.
pub(super) fn address(name: &str) -> String {
    let hash = Assets::get(name).as_ref().map(hash).unwrap_or_default();
    format!("/assets/{hash}/{name}")
}

fn hash(file: &EmbeddedFile) -> String {
    let mut text = String::with_capacity(16);
    for byte in &file.metadata.sha256_hash()[..8] {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// `GET /assets/{hash}/{name}`
pub(super) async fn get(_: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let (wanted, name): (String, String) = (request.param(0)?, request.param(1)?);
    let file = Assets::get(&name).ok_or_else(Problem::not_found)?;
    let caching = if wanted == hash(&file) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache" // a page of another version of the program
    };
    let content_type = file.metadata.mimetype().parse();
    let mut response = Response::new(file.data.into_owned().into());
    let headers = response.headers_mut();
    let unknown = || HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, content_type.unwrap_or_else(|_| unknown()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    Ok(response)
}
