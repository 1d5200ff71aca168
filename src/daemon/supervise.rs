//! Tasks that must not end: one that panics is reported and started anew.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::error;

/// Runs what `start` makes, again and again, until it ends after `stop`.
pub(super) async fn keep_running<F: Future<Output = ()> + Send + 'static>(
    name: &'static str,
    stop: CancellationToken,
    start: impl Fn() -> F,
) {
    loop {
        let ended = AbortOnDropHandle::new(tokio::spawn(start())).await;
        if stop.is_cancelled() {
            return;
        }
        match ended {
            Ok(()) => error!(name, "a task ended before its time; it is started again"),
            Err(error) => error!(name, %error, "a task broke; it is started again"),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = stop.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_started_again() {
        let stop = CancellationToken::new();
        let starts = Arc::new(AtomicU32::new(0));
        let task = {
            let (stop, starts) = (stop.clone(), starts.clone());
            move || {
                let (stop, starts) = (stop.clone(), starts.clone());
                async move {
                    assert!(starts.fetch_add(1, Ordering::SeqCst) > 0, "the first one breaks");
                    stop.cancel();
                }
            }
        };
        keep_running("test", stop, task).await;
        assert_eq!(starts.load(Ordering::SeqCst), 2);
    }
}
