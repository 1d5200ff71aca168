//! Housekeeping: every hour, and after a start.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::store::{Housekeeping, Store};

/// From the end of one round to the next.
const PAUSE: Duration = Duration::from_hours(1);

/// After a start, everything else comes first.
const BEFORE_THE_FIRST: Duration = Duration::from_secs(2);

/// Erases what is older than `retention`, and what has run out, until `stop`.
pub(super) async fn run(store: Store, retention: Option<Duration>, stop: CancellationToken) {
    let rounds = async {
        tokio::time::sleep(BEFORE_THE_FIRST).await;
        loop {
            match store.keep_house(retention).await {
                Ok(done) if done == Housekeeping::default() => {}
                Ok(Housekeeping { erased, contacts }) => tracing::info!(
                    messages = erased.messages,
                    replies = erased.replies,
                    pictures = erased.pictures,
                    contacts,
                    "what was older than `retention` is erased"
                ),
                Err(error) => {
                    tracing::warn!(%error, "housekeeping was broken off; it goes on in an hour");
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    stop.run_until_cancelled(rounds).await;
}
