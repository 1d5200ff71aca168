//! Delivery: claim what is due, try it, settle what came of it. In order for one user, in parallel across users.
//!
//! A reply that a webhook is to give is asked for first (`ask`), in its user's turn like any other; then it is delivered.
//!
//! The runner acts, and decides nothing: whether to try and what becomes of it is `verdict`'s, when to try again is
//! `schedule`'s. Nothing is kept here that a restart would miss: rows and their leases are in the store.

mod ask;
mod attempt;
mod pace;
mod picture;
mod runner;
mod schedule;
#[cfg(test)]
mod tests;
mod trouble;
mod verdict;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::message::{AppKind, AppName};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::token::TokenKeeper;
use crate::webhook;
use crate::wechat::api::Api;

/// What to do about a reply when nobody can know whether WeChat took it (`on_uncertain` in the config).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUncertain {
    /// Send it once more.
    #[default]
    Resend,
    /// Leave it to a person.
    Hold,
}

/// How the outbox works.
#[derive(Clone, Debug)]
pub struct OutboxConfig {
    /// A reply older than this is given up.
    pub max_age: Duration,
    /// See [`OnUncertain`].
    pub on_uncertain: OnUncertain,
    /// Replies in flight at once, over all users.
    pub concurrency: usize,
    /// The pause between two replies to one user.
    pub gap: Duration,
    /// Where the files of `Media::File` are.
    pub media_root: PathBuf,
    /// Replies of each user's window that are kept for a person.
    pub reserve: u32,
    /// Asks webhooks; absent when the config has no secret to sign with.
    pub webhook: Option<webhook::Client>,
    /// Questions of one rule to its webhook at once.
    pub webhook_concurrency: usize,
}

/// One app as the outbox needs it.
#[derive(Clone)]
pub struct Sender {
    /// The app.
    pub app: AppName,
    /// Its kind, which decides what a webhook may answer.
    pub kind: AppKind,
    /// Its client.
    pub api: Api,
    /// Its token.
    pub token: TokenKeeper,
}

/// Delivers until `stop`, then finishes what is in flight and settles it; the caller bounds that time. Replies whose
/// attempt is cut off then stay leased, and count as uncertain when they are claimed again.
///
/// Begins by ending all leases: whoever held them is gone.
pub async fn run(
    store: Store,
    senders: Vec<Sender>,
    config: OutboxConfig,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    runner::Runner::new(store, senders, config, clock, metrics)
        .run(stop)
        .await;
}
