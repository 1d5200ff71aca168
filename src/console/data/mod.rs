//! What pages show and the API gives: gathered once, for both.

pub(super) mod candidate;
pub(super) mod finding;
pub(super) mod message;
pub(super) mod rules;
pub(super) mod unanswered;
pub(super) mod version;

use serde::Serialize;
use utoipa::ToSchema;

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The part.
    pub items: Vec<T>,
    /// The `cursor` of the part that follows; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
