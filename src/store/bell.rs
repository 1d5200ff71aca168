//! The bell that wakes the outbox.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Rings when there is something to send. Who looks at the queue says when it will look again by itself; replies that are
/// due later ring for nobody.
#[derive(Debug)]
pub struct OutboxBell {
    notify: Notify,
    /// Milliseconds since 1970.
    looks_again: AtomicI64,
}

impl Default for OutboxBell {
    fn default() -> Self {
        Self {
            notify: Notify::new(),
            looks_again: AtomicI64::new(i64::MAX),
        }
    }
}

impl OutboxBell {
    /// Waits for the bell. One that rang while nobody listened is heard at once.
    pub fn notified(&self) -> Notified<'_> {
        self.notify.notified()
    }

    pub(super) fn ring(&self) {
        self.notify.notify_one();
    }

    /// For replies of which the first is due at `due`.
    pub(super) fn ring_for(&self, due: i64) {
        if due < self.looks_again.load(Ordering::SeqCst) {
            self.ring();
        }
    }

    /// Whatever is queued from now on rings, for the queue is being looked at.
    pub(super) fn looking(&self) {
        self.looks_again.store(i64::MAX, Ordering::SeqCst);
    }

    /// The first of the queue is due then.
    pub(super) fn looked(&self, next: Option<i64>) {
        self.looks_again.store(next.unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}
