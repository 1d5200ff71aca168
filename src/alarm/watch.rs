//! The task that looks at the daemon every few seconds, and has told what needs telling.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::book::Book;
use super::judge::{AppFigures, Figures, Judge};
use super::share::Count;
use super::{Alarms, Messenger, Notice};
use crate::clock::SharedClock;
use crate::message::AppName;
use crate::metrics::{AppOutcome, Metrics};
use crate::reload::Reloader;
use crate::store::Store;
use crate::token::TokenKeeper;

/// How often it looks. With one message a look, a robot's 20 a minute are never used up.
const LOOK: Duration = Duration::from_secs(5);

/// What is usual is taken from so much of the log.
const PAST: Duration = Duration::from_hours(7 * 24 + 1);

/// How long the database may take before we call it out of reach.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is watched, and who is told.
#[derive(Clone)]
pub struct Watch {
    /// Asked whether it answers.
    pub store: Store,
    /// Asked which rules are in force, and why not others.
    pub rules: Arc<Reloader>,
    /// All apps.
    pub apps: Vec<WatchedApp>,
    /// Where messages and failed replies are counted.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: SharedClock,
    /// `[alarm] cooldown`
    pub cooldown: Duration,
    /// Who is told.
    pub messenger: Messenger,
    /// Where all trouble is shown.
    pub alarms: Alarms,
}

/// An app that is watched.
#[derive(Clone)]
pub struct WatchedApp {
    /// Its name.
    pub name: AppName,
    /// Asked what is wrong with its token.
    pub token: TokenKeeper,
}

impl Watch {
    /// Looks until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut judge = Judge::new(self.cooldown);
        let mut book = Book::new(self.cooldown);
        let looks = async {
            self.recall(&mut judge).await;
            loop {
                let figures = self.figures().await;
                let alarms = judge.look(&figures);
                let notices = book.turn(&alarms, figures.now);
                self.alarms.show(alarms);
                if !notices.is_empty() {
                    notices.iter().for_each(log);
                    let missed = self.messenger.tell(&notices, figures.now).await;
                    book.missed(&missed, figures.now);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        stop.run_until_cancelled(looks).await;
    }

    /// What is usual is known from the log; the counters begin at nothing with every start.
    async fn recall(&self, judge: &mut Judge) {
        let now = self.clock.now();
        let since = now.saturating_sub(PAST).unwrap_or(now);
        for app in &self.apps {
            match timeout(PATIENCE, self.store.hours(since, now, Some(&app.name))).await {
                Ok(Ok(hours)) => {
                    for hour in hours {
                        let count = Count {
                            matched: hour.messages.taken(),
                            unmatched: hour.messages.unmatched,
                        };
                        judge.recall(&app.name, hour.hour, count);
                    }
                }
                Ok(Err(error)) => {
                    warn!(%error, "what share of messages finds no rule is not known from the log")
                }
                Err(_) => {
                    warn!("what share of messages finds no rule could not be read from the log in time")
                }
            }
        }
    }

    async fn figures(&self) -> Figures {
        Figures {
            database: self.store.answers_within(PATIENCE).await.err(),
            now: self.clock.now(),
            rules: self.rules.status(),
            apps: self.apps.iter().map(|app| self.app(app)).collect(),
        }
    }

    fn app(&self, app: &WatchedApp) -> AppFigures {
        let label = |outcome: &str| AppOutcome {
            app: app.name.as_str().to_owned(),
            outcome: outcome.to_owned(),
        };
        // Only what is there is read: a look must not make the page of metrics longer.
        let counted = |family: &Family<AppOutcome, Counter>, status| {
            family.get(&label(status)).map_or(0, |count| count.get())
        };
        // Nobody waits for an answer to a tap.
        let messages = |status| {
            let all = counted(&self.metrics.messages, status);
            all.saturating_sub(counted(&self.metrics.events, status))
        };
        let failed = self.metrics.deliveries.get(&label("failed"));
        AppFigures {
            app: app.name.clone(),
            messages: Count {
                matched: messages("matched") + messages("cooldown"),
                unmatched: messages("unmatched"),
            },
            failed: failed.map_or(0, |count| count.get()),
            token: app.token.trouble(),
        }
    }
}

/// Says it in the log too, for those who watch nothing else.
fn log(notice: &Notice) {
    let Notice { alarm, resolved } = notice;
    let (kind, app) = (alarm.kind.as_str(), alarm.app.as_ref().map(AppName::as_str));
    if *resolved {
        info!(kind, app, since = %alarm.since, "alarm is over: {}", alarm.text_en);
    } else {
        warn!(kind, app, since = %alarm.since, "alarm: {}", alarm.text_en);
    }
}
