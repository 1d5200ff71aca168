//! A backup of the database, to take home.

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Method, StatusCode, header};
use tokio::task::spawn_blocking;
use warp::Reply;
use warp::reply::Response;

use crate::console::Console;
use crate::console::problem::Problem;
use crate::console::request::Request;
use crate::store::BackupError;

/// Bytes that are handed on at once.
const PIECE: usize = 256 * 1024;

/// A whole and checked copy of the database, as of one moment, made while the daemon goes on. It holds customers' messages
/// and access tokens.
///
/// The copy is made beside the database first, so there must be room for it there.
#[utoipa::path(
    get,
    path = "/api/backup",
    tag = "system",
    responses(
        (status = 200, description = "The database", content_type = "application/vnd.sqlite3", body = Vec<u8>),
        (status = 409, description = "A backup is being made", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The copy can't be made", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::console) async fn get(console: Arc<Console>, request: Request) -> Result<Response, Problem> {
    // A link of somebody's that is followed, or a page of theirs that fetches it, would cost a copy.
    let site = request.head.header("sec-fetch-site");
    if site.is_some_and(|site| !matches!(site, "none" | "same-origin")) {
        let detail = "a backup is fetched from the console's own pages, or by a program";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    if request.head.method == Method::HEAD {
        return Ok(named(&console, Response::default()));
    }
    // It goes when the last byte is sent, or nobody wants it any more.
    let file = console
        .store
        .nameless_backup()
        .await
        .map_err(|error| match error {
            BackupError::Running(_) => Problem::conflict(error.to_string()),
            error => Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        })?;
    let (user, address) = (&request.who.name, request.head.from);
    let detail = serde_json::json!({ "address": address });
    console.store.audit(user, "backup", "", detail).await?;

    let stop = console.stop.clone();
    let pieces = stream::unfold(file, move |mut file| {
        let stop = stop.clone();
        async move {
            if stop.is_cancelled() {
                return Some((Err(std::io::Error::other("the daemon stops")), file));
            }
            let read = spawn_blocking(move || {
                let mut piece = vec![0; PIECE];
                let read = file.read(&mut piece);
                (
                    read.map(|length| {
                        piece.truncate(length);
                        piece
                    }),
                    file,
                )
            });
            match read.await {
                Ok((Ok(piece), _)) if piece.is_empty() => None,
                Ok((piece, file)) => Some((piece.map(Bytes::from), file)),
                Err(_) => None,
            }
        }
    });
    Ok(named(&console, warp::reply::stream(pieces).into_response()))
}

/// With the name and the kind of the file.
fn named(console: &Console, mut response: Response) -> Response {
    let now = console.clock.now().to_zoned(console.timezone.clone());
    let name = format!(
        "attachment; filename=\"wxreply-{}.db\"",
        now.strftime("%Y%m%d-%H%M%S")
    );
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/vnd.sqlite3"),
    );
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}
