//! Pictures that customers sent.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

use crate::console::Console;
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::message::MessageId;
use crate::store::Picture;

/// What a browser may draw. Anything else is a file to be saved.
const DRAWN: [&str; 5] = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"];

/// Should it be opened as a page of its own, it may do nothing.
const POLICY: &str = "default-src 'none'; sandbox";

/// The picture of a message.
#[utoipa::path(
    get,
    path = "/api/messages/{id}/picture",
    tag = "messages",
    params(("id" = String, Path, description = "The message's id")),
    responses(
        (status = 200, description = "The picture", content(
            (Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/gif"), (Vec<u8> = "image/webp"),
            (Vec<u8> = "image/bmp"), (Vec<u8> = "application/octet-stream"),
        )),
        (status = 404, description = "There is no such picture, or it is not fetched yet", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "It could not be fetched before WeChat dropped it", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn get(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    let id: MessageId = request.param(0)?;
    let (mime, bytes) = match console.store.picture(id).await? {
        Some(Picture::Kept { mime, bytes }) => (mime, bytes),
        Some(Picture::Waiting { .. }) => {
            let detail = "the picture is still to be fetched from WeChat";
            return Err(Problem::new(StatusCode::NOT_FOUND, detail));
        }
        Some(Picture::Lost { .. }) => {
            let detail = "the picture could not be fetched, and WeChat keeps it for three days only";
            return Err(Problem::new(StatusCode::GONE, detail));
        }
        None => return Err(Problem::not_found()),
    };
    let drawn = DRAWN.iter().find(|drawn| **drawn == mime).copied();
    let mut response = Response::new(bytes.into());
    let headers = response.headers_mut();
    let content_type = drawn.unwrap_or("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=300"),
    );
    if drawn.is_none() {
        let name = HeaderValue::from_static("attachment; filename=\"picture.bin\"");
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}
