//! Putting it together: the only room that knows them all.
//!
//! A daemon is a value: it is started from a config and a clock, and stopped. Signals, the log and exit codes are the
//! business of whoever starts it (`lifecycle` and `telemetry` help), so that a test can run several at once.

mod head_timer;
mod housekeeping;
mod http;
mod lifecycle;
mod receiving;
mod start;
mod supervise;
mod telemetry;
#[cfg(test)]
mod tests;

pub use lifecycle::{End, Signals, run};
pub use telemetry::{LogFormat, init as init_log};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};

use crate::metrics::Metrics;
use crate::reload::Reloader;
use crate::store::Store;
use receiving::Receiving;

/// How long a soft stop may take in all, and the pushes in flight of it: WeChat waits no longer for them either.
const STOP: Duration = Duration::from_secs(10);
const STOP_PUSHES: Duration = Duration::from_secs(5);

/// A running daemon. Dropped rather than stopped, it ends at once and without finishing anything.
pub struct Daemon {
    addr: SocketAddr,
    admin_addr: SocketAddr,
    metrics: Arc<Metrics>,
    rules: Arc<Reloader>,
    store: Store,
    /// Ends the listeners.
    doors: DropGuard,
    /// Held until the public listener has ended.
    _receiving: Receiving,
    listeners: Vec<JoinHandle<()>>,
    /// Ends everything else.
    rooms: DropGuard,
    outbox: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
}

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

impl Daemon {
    /// Where pushes come in.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where the operator comes in.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    /// Loads the rules again now; gives the version in force, or what is wrong as rendered findings.
    pub async fn reload(&self) -> Result<String, String> {
        let reloaded = self.rules.reload().await;
        reloaded.map(String::from).map_err(|findings| findings.join("\n"))
    }

    /// Stops accepting, finishes what is in flight within 10 s, closes the database.
    pub async fn stop(self) {
        let deadline = Instant::now() + STOP;
        stop(self.doors);
        for listener in self.listeners {
            wait(
                listener,
                Instant::now() + STOP_PUSHES + Duration::from_secs(1),
                "a listener",
            )
            .await;
        }
        stop(self.rooms);
        for task in self.others {
            wait(task, deadline, "a task").await;
        }
        // One second is left for the database. What is cut off here is leased, and counts as uncertain next time.
        wait(self.outbox, deadline - Duration::from_secs(1), "the outbox").await;
        if timeout_at(deadline, self.store.close()).await.is_err() {
            warn!("the database did not close in time");
        }
        info!("stopped");
    }
}

fn stop(guard: DropGuard) {
    let token: CancellationToken = guard.disarm();
    token.cancel();
}

/// Waits for a task to end; after `deadline` it is ended.
async fn wait(mut task: JoinHandle<()>, deadline: Instant, name: &str) {
    match timeout_at(deadline, &mut task).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "{name} broke"),
        Err(_) => {
            warn!("{name} did not end in time");
            task.abort();
        }
    }
}
