//! Notifications from the rules folder. Where none come (network mounts), the folder is looked at every few seconds.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, WatcherKind};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

use super::folder;
use super::look::{PATIENCE, QUIET};

/// How often to look whether something changed that no notification told of.
const POLL: Duration = Duration::from_secs(2);

/// How long to wait for whoever has a rule file open for writing.
const WRITER_PATIENCE: Duration = Duration::from_secs(10);

/// Waits for changes of a rules folder, or of a lone rule file.
pub(super) struct Watch {
    path: PathBuf,
    /// None while no notifications come.
    watcher: Option<RecommendedWatcher>,
    seen: Arc<Seen>,
    bell: mpsc::Sender<()>,
    changes: mpsc::Receiver<()>,
    /// Whether notifications are wanted at all.
    wanted: bool,
    /// Whether it was said that none come.
    said: bool,
}

/// Why [`Watch::change`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// By a notification.
    Told,
    /// Because it is time to look.
    Time,
}

impl Watch {
    /// Watches from now on. Without `notifications` it only says when it is time to look.
    pub fn new(path: &Path, notifications: bool) -> Self {
        let (bell, changes) = mpsc::channel(1);
        let mut watch = Self {
            path: path.to_owned(),
            watcher: None,
            seen: Arc::default(),
            bell,
            changes,
            wanted: notifications,
            said: false,
        };
        watch.renew();
        watch
    }

    /// Waits until something changed, or until it is time to look.
    pub async fn change(&mut self) -> Woken {
        let woken = tokio::select! {
            // Our own end of the bell keeps it open.
            Some(()) = self.changes.recv() => Woken::Told,
            () = sleep(POLL) => Woken::Time,
        };
        self.keep_up();
        woken
    }

    /// Watches anew if what was watched is gone.
    fn keep_up(&mut self) {
        if self.watcher.is_none() || self.seen.lost.load(Ordering::Acquire) {
            self.renew();
        }
    }

    /// Watches what lies at the path now: a folder may have been made anew, links may lead elsewhere.
    pub fn renew(&mut self) {
        if !self.wanted {
            return;
        }
        // The old one goes first: it holds some of the few watches that a user has.
        self.watcher = None;
        self.seen = Arc::default();
        match watcher(&self.path, self.seen.clone(), self.bell.clone()) {
            Ok(watcher) => {
                self.watcher = Some(watcher);
                if std::mem::take(&mut self.said) {
                    info!("notifications of changed rules come again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.said, true) {
                    warn!(%error, "no notifications of changed rules; looking every {POLL:?} instead");
                }
            }
        }
    }

    /// Waits until the files are there and nothing has changed for a while, and until nobody has a rule file open that
    /// they wrote to. Not for ever.
    pub async fn rest(&mut self) {
        let begun = Instant::now();
        let mut last = fingerprint(&self.path).await;
        loop {
            let patience = if self.seen.is_written() {
                WRITER_PATIENCE
            } else {
                PATIENCE
            };
            let deadline = begun + patience;
            while Instant::now() < deadline
                && let Ok(Some(())) =
                    timeout_at(deadline.min(Instant::now() + QUIET), self.changes.recv()).await
            {}
            let now = fingerprint(&self.path).await;
            let rests = now.is_some() && now == last && !self.seen.is_written();
            if rests || Instant::now() >= deadline {
                // A folder that was made anew is there by now.
                return self.keep_up();
            }
            last = now;
        }
    }
}

/// The fingerprint of the rules, if they can be read.
pub(super) async fn fingerprint(path: &Path) -> Option<u64> {
    let path = path.to_owned();
    let fingerprint = spawn_blocking(move || folder::fingerprint(&path).ok()).await;
    fingerprint.ok().flatten()
}

/// What the notifications told.
#[derive(Debug, Default)]
struct Seen {
    /// What was watched is not there any more, or has another name now.
    lost: AtomicBool,
    /// Rule files that were written to and not closed yet.
    open: Mutex<BTreeSet<PathBuf>>,
}

impl Seen {
    fn is_written(&self) -> bool {
        !self.open().is_empty()
    }

    fn open(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note; gives whether something changed.
    fn note(&self, event: &Event, place: &Place) -> bool {
        if event.need_rescan() {
            // Some were lost, and what they told with them.
            self.open().clear();
            return true;
        }
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let gone = matches!(
            event.kind,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From))
        );
        let mut changed = false;
        for path in &event.paths {
            if gone && *path == place.folder {
                self.lost.store(true, Ordering::Release);
                changed = true;
            } else if place.has(path) {
                // That a file was read is no change; that it was closed may be what somebody waits for.
                changed |= !event.kind.is_access();
                if gone || event.kind == closed {
                    changed |= self.open().remove(path);
                } else if matches!(event.kind, EventKind::Modify(ModifyKind::Data(_)))
                    && place.has_rules_in(path)
                    && tells_of_closing()
                {
                    self.open().insert(path.clone());
                }
            }
        }
        changed
    }
}

/// Whether notifications tell when a file that was written to is closed.
fn tells_of_closing() -> bool {
    RecommendedWatcher::kind() == WatcherKind::Inotify
}

/// What is watched.
struct Place {
    folder: PathBuf,
    /// The one file in there that matters, if it is not all of them.
    file: Option<OsString>,
}

impl Place {
    /// The folder is watched rather than a file in it, because editors replace files.
    fn of(rules: &Path) -> Self {
        match (rules.is_file(), rules.parent(), rules.file_name()) {
            (true, Some(folder), Some(name)) => Self {
                folder: folder.to_owned(),
                file: Some(name.to_owned()),
            },
            _ => Self {
                folder: rules.to_owned(),
                file: None,
            },
        }
    }

    fn has(&self, path: &Path) -> bool {
        self.file.is_none() || path.file_name() == self.file.as_deref()
    }

    fn has_rules_in(&self, path: &Path) -> bool {
        self.file.is_some() || path.extension().is_some_and(|extension| extension == "toml")
    }
}

/// Rings `bell` when something changes at `path`.
fn watcher(path: &Path, seen: Arc<Seen>, bell: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let place = Place::of(path);
    let folder = place.folder.clone();
    let mode = if place.file.is_some() {
        RecursiveMode::NonRecursive
    } else {
        RecursiveMode::Recursive
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // An error may hide a change.
        if event.map_or(true, |event| seen.note(&event, &place)) {
            // When it is full, it rings already.
            let _ = bell.try_send(());
        }
    })?;
    watcher.watch(&folder, mode)?;
    Ok(watcher)
}

#[cfg(test)]
mod tests {
    use notify::event::{DataChange, Flag, RemoveKind};

    use super::*;

    fn folder() -> Place {
        Place {
            folder: "/r".into(),
            file: None,
        }
    }

    fn event(kind: EventKind, path: &str) -> Event {
        Event::new(kind).add_path(path.into())
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_is_being_written_until_it_is_closed_or_gone() {
        let write = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let ends = [
            (EventKind::Access(AccessKind::Close(AccessMode::Write)), true),
            (EventKind::Remove(RemoveKind::File), true),
            (EventKind::Modify(ModifyKind::Name(RenameMode::From)), true),
            (EventKind::Access(AccessKind::Close(AccessMode::Read)), false),
        ];
        for (end, ended) in ends {
            let seen = Seen::default();
            let note = |event: Event| seen.note(&event, &folder());
            assert!(note(event(write, "/r/a.toml")));
            assert!(note(event(write, "/r/a.toml")) && seen.is_written());
            assert_eq!(note(event(end, "/r/a.toml")), ended, "{end:?}");
            assert_eq!(!seen.is_written(), ended, "{end:?}");
            assert!(!seen.lost.load(Ordering::Acquire));
        }
        let seen = Seen::default();
        seen.note(&event(write, "/r/a.toml"), &folder());
        let overrun = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(seen.note(&overrun, &folder()));
        assert!(!seen.is_written());
    }

    #[test]
    fn only_rule_files_are_waited_for_and_beside_a_lone_one_nothing_matters() {
        let write = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let seen = Seen::default();
        assert!(seen.note(&event(write, "/r/notes.txt"), &folder()));
        assert!(!seen.is_written());
        let lone = Place {
            folder: "/r".into(),
            file: Some("shop.rules".into()),
        };
        assert!(!seen.note(&event(write, "/r/wxreply.db"), &lone));
        assert!(seen.note(&event(write, "/r/shop.rules"), &lone));
        let read = EventKind::Access(AccessKind::Open(AccessMode::Any));
        assert!(!seen.note(&event(read, "/r/shop.rules"), &lone));
    }

    #[test]
    fn the_folder_itself_can_go() {
        for kind in [
            EventKind::Remove(RemoveKind::Folder),
            EventKind::Modify(ModifyKind::Name(RenameMode::From)),
        ] {
            let seen = Seen::default();
            assert!(seen.note(&event(kind, "/r/sub"), &folder()));
            assert!(!seen.lost.load(Ordering::Acquire));
            assert!(seen.note(&event(kind, "/r"), &folder()));
            assert!(seen.lost.load(Ordering::Acquire));
        }
    }
}
