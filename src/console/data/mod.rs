//! What pages show and the API gives: gathered once, for both.

pub(super) mod app;
pub(super) mod candidate;
pub(super) mod contact;
pub(super) mod conversation;
pub(super) mod explanation;
pub(super) mod export;
pub(super) mod finding;
pub(super) mod health;
pub(super) mod log;
pub(super) mod mark;
pub(super) mod message;
pub(super) mod outbox;
pub(super) mod overview;
pub(super) mod rules;
pub(super) mod snippet;
pub(super) mod system;
pub(super) mod time;
pub(super) mod unanswered;
pub(super) mod version;

use http::StatusCode;
use serde::Serialize;
use tokio::task::spawn_blocking;
use utoipa::ToSchema;

use super::problem::Problem;

/// Work that may take a core for a while, on a thread of its own: on the runtime's, pushes would wait behind it.
pub(super) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "work of the console broke off");
        let detail = "this broke off; the daemon's log says why";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The part.
    pub items: Vec<T>,
    /// The `cursor` of the part that follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
