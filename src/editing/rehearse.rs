//! What would change: the messages of the last days, judged by the rules in force and by the candidate.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::{EditError, Edits, RulesEditor};
use crate::intake::Policies;
use crate::rehearsal::{Focus, Replay, Report, WARM_UP};
use crate::rules::RuleSet;
use crate::store::{Past, StoreError};

/// How far back messages are judged again.
pub const REPLAYED_DAYS: i64 = 14;

/// At most so many of them, the newest: that takes a few seconds.
pub const MAX_REPLAYED: u32 = 100_000;

/// At most so many of those before, to find the state and the quota that they led to.
const MAX_WARM_UP: u32 = MAX_REPLAYED / 4;

/// So long one waits for another's to end: whoever typed on gave theirs up, and it ends in a moment.
const A_MOMENT: Duration = Duration::from_secs(1);

/// What would change.
#[derive(Clone, Debug)]
pub struct WhatChanges {
    /// From when on messages were compared.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Whether that is all of the last [`REPLAYED_DAYS`]; otherwise there were more than [`MAX_REPLAYED`].
    pub complete: bool,
    /// What it came to; `before` is what the rules in force make of a message.
    pub report: Report,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Progress {
    /// Messages that were judged.
    pub done: u64,
    /// All that are to be judged.
    pub total: u64,
}

impl RulesEditor {
    /// Judges the messages of the last [`REPLAYED_DAYS`] by the rules in force and by those that the edits would make.
    /// One at a time; ends early when nobody waits for it any more.
    pub async fn what_changes(&self, edits: Edits) -> Result<WhatChanges, EditError> {
        let busy = || EditError::Busy("the messages of the last days are being judged for somebody else");
        let replaying = timeout(A_MOMENT, Arc::clone(&self.replaying).acquire_owned()).await;
        let replaying = replaying.map_err(|_| busy())?.map_err(|_| busy())?;
        let candidate = self.candidate_set(edits).await?;
        let against = Arc::clone(&self.reloader.live().borrow());

        let until = self.clock.now();
        let back = |from: Timestamp, by: SignedDuration| from.saturating_sub(by).unwrap_or(Timestamp::MIN);
        let earliest = back(until, SignedDuration::from_hours(24 * REPLAYED_DAYS));
        // One more than wanted tells whether there are more.
        let most = MAX_REPLAYED.saturating_add(1);
        let told = self.store.newest_past(earliest, until, most).await?;
        let complete = told.messages <= u64::from(MAX_REPLAYED);
        let since = told.since.filter(|_| !complete).unwrap_or(earliest);
        let warm_up = SignedDuration::try_from(WARM_UP).unwrap_or_default();
        let before = self.store.newest_past(back(since, warm_up), since, MAX_WARM_UP);
        let before = before.await?;

        let total = told.messages + before.messages;
        let showing = Showing::begin(&self.progress, total);
        let cancelled = CancellationToken::new();
        let _guard = cancelled.clone().drop_guard();
        let run = Run {
            candidate: candidate.share(),
            against,
            policies: self.reloader.policies().clone(),
            focus: Focus {
                since,
                app: None,
                openid: None,
            },
            progress: self.progress.clone(),
            total,
            cancelled,
        };
        let pages = self.store.past(before.since.unwrap_or(since), until);
        let work = move || {
            // It ends soon after nobody waits for it any more, but not at once.
            let _held = replaying;
            run.through(pages)
        };
        let report = tokio::task::spawn_blocking(work).await??;
        drop(showing);
        Ok(WhatChanges {
            since,
            until,
            complete,
            report,
        })
    }

    /// How far [`Self::what_changes`] is, now and later; nothing while nobody asked.
    pub fn progress(&self) -> watch::Receiver<Option<Progress>> {
        self.progress.subscribe()
    }
}

/// Shows that something is going on, until it is dropped.
struct Showing<'a>(&'a watch::Sender<Option<Progress>>);

impl<'a> Showing<'a> {
    fn begin(progress: &'a watch::Sender<Option<Progress>>, total: u64) -> Self {
        progress.send_replace(Some(Progress { done: 0, total }));
        Self(progress)
    }
}

impl Drop for Showing<'_> {
    fn drop(&mut self) {
        self.0.send_replace(None);
    }
}

/// All that a thread of its own needs.
struct Run {
    candidate: Arc<RuleSet>,
    against: Arc<RuleSet>,
    policies: Policies,
    focus: Focus,
    progress: watch::Sender<Option<Progress>>,
    total: u64,
    cancelled: CancellationToken,
}

impl Run {
    fn through(self, mut pages: mpsc::Receiver<Result<Vec<Past>, StoreError>>) -> Result<Report, StoreError> {
        let mut replay = Replay::new(&self.candidate, Some(&self.against), &self.policies, self.focus);
        let mut done = 0;
        while let Some(page) = pages.blocking_recv() {
            for past in page? {
                // Whoever asked has gone: what comes of it nobody sees.
                if self.cancelled.is_cancelled() {
                    return Ok(Report::default());
                }
                replay.meet(past);
                done += 1;
            }
            let progress = Progress {
                done,
                total: self.total.max(done),
            };
            // Once it is over, nothing is shown any more.
            self.progress.send_if_modified(|shown| match shown {
                Some(shown) if !self.cancelled.is_cancelled() => {
                    *shown = progress;
                    true
                }
                _ => false,
            });
        }
        Ok(replay.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::editing::testing::{HELLO, editor, said};
    use crate::rehearsal::Kind;

    #[tokio::test]
    async fn the_newest_messages_are_judged_by_both_sets() {
        let world = editor(&[("a.toml", HELLO)]).await;
        for (n, text) in ["hi", "bye", "hi", "BYE!", "what"].into_iter().enumerate() {
            world.receive(said(n as u64, text)).await;
        }
        let more = "[[rule]]\nname = \"bye\"\nwhen.exact = \"bye\"\nreply = \"see you\"\n";
        let changes = world
            .editor
            .what_changes(Edits::none().write("b.toml", more))
            .await;
        let changes = changes.expect("judged");
        assert!(changes.complete);
        assert_eq!((changes.report.messages, changes.report.changed()), (5, 2));
        let change = &changes.report.changes[0];
        assert_eq!((change.kind, change.count), (Kind::NewlyAnswered, 2));
        assert_eq!(change.after.to_string(), "bye");
        assert_eq!(*world.editor.progress().borrow(), None);

        let same = world.editor.what_changes(Edits::none()).await.expect("judged");
        assert_eq!((same.report.messages, same.report.changed()), (5, 0));
    }

    #[tokio::test]
    async fn one_at_a_time_and_whoever_leaves_makes_room() {
        let world = editor(&[("a.toml", HELLO)]).await;
        let first = world.editor.what_changes(Edits::none());
        let mut first = Box::pin(first);
        assert!(futures_util::poll!(&mut first).is_pending());
        let second = world.editor.what_changes(Edits::none()).await;
        assert!(matches!(second, Err(EditError::Busy(_))), "{second:?}");
        drop(first);
        world
            .editor
            .what_changes(Edits::none())
            .await
            .expect("there is room");
    }
}
