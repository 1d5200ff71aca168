//! Refused requests: the sender learns nothing, the operator learns why.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use tracing::{debug, warn};

use super::Throttle;
use crate::message::AppName;
use crate::wechat::Refusal;

/// The last request that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastRefusal {
    /// When.
    pub time: Timestamp,
    /// Why, in words.
    pub reason: String,
    /// Who connected; a proxy, if one stands before the daemon.
    pub peer: Option<SocketAddr>,
}

/// One app's refusals.
pub(super) struct Refusals {
    last: Mutex<Option<LastRefusal>>,
    warnings: Throttle,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            last: Mutex::new(None),
            warnings: Throttle::every(Duration::from_secs(60)),
        }
    }
}

impl Refusals {
    /// Keeps one, and tells the log of it.
    pub fn note(&self, app: &AppName, refusal: &Refusal, peer: Option<SocketAddr>, time: Timestamp) {
        let reason = refusal.to_string();
        debug!(%app, ?peer, reason, "refused a request");
        if let Some(held_back) = self.warnings.pass(Instant::now()) {
            warn!(%app, ?peer, reason, since_last_warning = held_back, "refusing requests");
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(LastRefusal { time, reason, peer });
    }

    pub fn last(&self) -> Option<LastRefusal> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
