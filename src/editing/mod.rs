//! The rules as they are changed by people at the console: tried on the side, shown with their consequences, saved.
//!
//! What is saved is what a reload would take, and a file that somebody else changed meanwhile is never overwritten. The
//! only room that writes rule files while the daemon runs. Leaves judging to `rules`, trying to `rehearsal`, the set in
//! force to `reload`.

mod candidate;
mod check;
mod diff;
mod disk;
mod draft;
mod error;
mod form;
mod keywords;
mod rehearse;
mod save;
#[cfg(test)]
mod testing;
mod unanswered;
mod versions;

pub use candidate::{Candidate, CandidateSet, Edits};
pub use check::{Checked, Covered, Tested};
pub use diff::{Diff, Hunk, Line, LineKind, Piece, diff};
pub use disk::{Change, TextHash};
pub use draft::{Drafted, draft};
pub use error::EditError;
pub use form::{NotSimple, SimpleRule, add_simple_rule, append, change_simple_rule, simple_rule};
pub use keywords::{Keyword, KeywordKind, KeywordNote, keywords};
pub use rehearse::{MAX_REPLAYED, Progress, REPLAYED_DAYS, WhatChanges};
pub use save::{DiskFile, Saved};
pub use unanswered::{UnansweredGroup, group_unanswered};
pub use versions::{FileChange, FileDiff, Side, Version};

use std::sync::Arc;

use jiff::civil::Date;
use tokio::sync::{Mutex, Semaphore, watch};

use crate::clock::SharedClock;
use crate::message::RuleSetVersion;
use crate::reload::Reloader;
use crate::store::Store;

/// How many may wait for a set to be compiled beside the live one. It takes a core for up to a second.
const WAITING: usize = 8;

/// Changes the rules. One a daemon.
pub struct RulesEditor {
    reloader: Arc<Reloader>,
    store: Store,
    clock: SharedClock,
    /// Held while files are written.
    saving: Mutex<()>,
    /// Who may wait for `compiling`.
    waiting: Arc<Semaphore>,
    compiling: Arc<Semaphore>,
    replaying: Arc<Semaphore>,
    progress: watch::Sender<Option<Progress>>,
    in_force: check::InForce,
    /// The version of the archive that was asked last.
    then: Mutex<Option<(RuleSetVersion, CandidateSet)>>,
}

impl RulesEditor {
    /// Puts it together.
    #[must_use]
    pub fn new(reloader: Arc<Reloader>, store: Store, clock: SharedClock) -> Self {
        Self {
            reloader,
            store,
            clock,
            saving: Mutex::new(()),
            waiting: Arc::new(Semaphore::new(WAITING)),
            compiling: Arc::new(Semaphore::new(1)),
            replaying: Arc::new(Semaphore::new(1)),
            progress: watch::Sender::new(None),
            in_force: Default::default(),
            then: Mutex::default(),
        }
    }

    /// Whether the set in force has no rule.
    fn was_empty(&self) -> bool {
        self.reloader.live().borrow().is_empty()
    }

    /// The day, where the rules' hours are meant.
    fn today(&self) -> Date {
        let zone = self.reloader.source().timezone.clone();
        self.clock.now().to_zoned(zone).date()
    }
}
