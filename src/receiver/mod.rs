//! The door that WeChat knocks on: `GET` and `POST /wechat/<app>`, and nothing else.
//!
//! Knows WeChat's protocol and intake; nothing of rules, of delivery or of the operator's pages.

mod body;
mod filters;
mod handlers;
mod nonce;
mod refusal;
#[cfg(test)]
mod tests;
mod throttle;

pub use filters::{Peer, routes};
pub use refusal::LastRefusal;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;

use crate::clock::SharedClock;
use crate::config::Push;
use crate::intake::Intake;
use crate::message::{AppName, MessageId};
use crate::metrics::Metrics;
use crate::wechat::Credentials;
use nonce::Nonces;
use refusal::Refusals;
use throttle::Throttle;

/// What the routes need. One a daemon.
pub struct Receiver {
    doors: BTreeMap<AppName, Arc<Door>>,
    intake: Intake,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    max_age: Duration,
    max_body: u64,
    failures: Throttle,
}

/// One app's part of it.
struct Door {
    app: AppName,
    credentials: Credentials,
    nonces: Nonces,
    refusals: Refusals,
    /// Pushes that were taken.
    accepted: Counter,
}

impl Receiver {
    /// Puts it together; `config` gives the limits.
    #[must_use]
    pub fn new(
        apps: Vec<(AppName, Credentials)>,
        config: &Push,
        intake: Intake,
        clock: SharedClock,
        metrics: Arc<Metrics>,
    ) -> Self {
        let door = |(app, credentials): (AppName, Credentials)| {
            let door = Door {
                app: app.clone(),
                credentials,
                nonces: Nonces::new(config.max_age),
                refusals: Refusals::default(),
                accepted: metrics.pushes_of(app.as_str(), "accepted"),
            };
            (app, Arc::new(door))
        };
        Self {
            doors: apps.into_iter().map(door).collect(),
            intake,
            clock,
            metrics,
            max_age: config.max_age,
            max_body: config.max_body,
            failures: Throttle::every(Duration::from_secs(10)),
        }
    }

    /// The earliest arrival whose (timestamp, nonce) pair could be used again now: a timestamp may be `max_age`
    /// ahead of its arrival, and is taken for `max_age` after it.
    #[must_use]
    pub fn nonces_since(&self) -> Timestamp {
        self.clock
            .now()
            .saturating_sub(self.max_age * 2)
            .unwrap_or(Timestamp::MIN)
    }

    /// Restores a (timestamp, nonce) pair that was known before a restart, by its hash, and the message that it belongs to.
    pub fn restore_nonce(&self, app: &str, pair: i64, id: MessageId) {
        if let Some(door) = self.doors.get(app) {
            door.nonces.bind(pair, id, self.clock.now());
        }
    }

    /// The last request of each app that was refused, if any was since the start.
    #[must_use]
    pub fn last_refusals(&self) -> BTreeMap<AppName, LastRefusal> {
        let last = |(app, door): (&AppName, &Arc<Door>)| Some((app.clone(), door.refusals.last()?));
        self.doors.iter().filter_map(last).collect()
    }
}
