//! How long a connection may wait for the head of a request: not long for its first, longer than most proxies keep it for the
//! next.
//!
//! hyper has one limit for both, and sets a new timer for each request.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// hyper's timer of one connection, which it sets when it begins to wait for a head.
pub(super) struct HeadTimer(Arc<Mutex<Alarm>>);

struct Alarm {
    /// Set at most once in so long a time as is waited: what has to be reckoned with when it rings is `deadline`.
    clock: Pin<Box<tokio::time::Sleep>>,
    deadline: Instant,
    /// Whether the first head is still to be waited for.
    first: bool,
}

impl HeadTimer {
    /// `first` is the time for the first head, from now on; for all others it is what hyper is told.
    pub(super) fn new(first: Duration) -> Self {
        let deadline = Instant::now() + first;
        Self(Arc::new(Mutex::new(Alarm {
            clock: Box::pin(tokio::time::sleep_until(deadline.into())),
            deadline,
            first: true,
        })))
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let mut alarm = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::take(&mut alarm.first) {
            alarm.deadline = deadline;
        }
        Box::pin(HeadSleep(Arc::clone(&self.0)))
    }
}

struct HeadSleep(Arc<Mutex<Alarm>>);

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = alarm.deadline;
        loop {
            ready!(alarm.clock.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            alarm.clock.as_mut().reset(deadline.into());
        }
    }
}
