//! Signals: TERM and INT stop softly, a second one hard; HUP reloads the rules. systemd is told of each.

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use super::Daemon;

/// How the daemon came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All that was in flight was finished, or the time for it ran out.
    Soft,
    /// A second signal cut it short.
    Hard,
}

/// The signals that a daemon listens to. Made before it starts, so that none is missed.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal to stop.
    pub async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for a signal to stop, or for the terminal to be closed: for a program that is run by hand, and reloads
    /// nothing when it is told to.
    pub async fn stop_or_hangup(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Runs a daemon that was started until a signal ends it.
pub async fn run(daemon: Daemon, mut signals: Signals) -> End {
    tell(&[NotifyState::Ready]);
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = signals.hangup.recv() => reload(&daemon).await,
        }
    }
    tell(&[NotifyState::Stopping]);
    info!("stopping; a second signal stops at once");
    tokio::select! {
        () = daemon.stop() => End::Soft,
        () = signals.stop() => {
            warn!("stopped at once; replies in flight count as uncertain");
            End::Hard
        }
    }
}

async fn reload(daemon: &Daemon) {
    info!("reloading the rules, as asked by a signal");
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
    // What is wrong was logged.
    let _ = daemon.reload().await;
    tell(&[NotifyState::Ready]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "systemd could not be told");
    }
}
