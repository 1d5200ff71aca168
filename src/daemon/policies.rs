//! What the config says of each app's quota.

use crate::config::Config;
use crate::intake::{Policies, QuotaPolicy};

/// The quota of every app of a config.
#[must_use]
pub fn policies_of(config: &Config) -> Policies {
    config
        .apps
        .iter()
        .map(|app| {
            let policy = QuotaPolicy {
                kind: app.kind,
                reserve: config.outbox.reserve,
            };
            (app.name.clone(), policy)
        })
        .collect()
}
