//! Rules that change while the daemon runs: watch, wait for quiet, load, swap. A set with an error never gets in.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use notify::{RecursiveMode, Watcher};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::rules_dir::{self, ReadError, RuleFiles};
use crate::clock::SharedClock;
use crate::config::{self, Config};
use crate::diagnostic::{Diagnostic, Source, render};
use crate::intake::LiveRules;
use crate::message::RuleSetVersion;
use crate::metrics::Metrics;
use crate::rules::{AppScope, Loaded, RuleSet, Scope};

/// After a change, nothing may change for so long before the rules are read: a `git pull` writes many files.
const QUIET: Duration = Duration::from_millis(100);

/// A folder that never comes to rest is read all the same after so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often to look whether something changed that no notification told of (network mounts, replaced folders).
const POLL: Duration = Duration::from_secs(2);

/// Where rules come from, and what they may refer to.
#[derive(Clone, Debug)]
pub struct RulesSource {
    /// A folder or a file.
    pub path: PathBuf,
    /// The apps of the config; empty when there is none.
    pub apps: Vec<AppScope>,
    /// The zone of hours and dates.
    pub timezone: TimeZone,
}

impl RulesSource {
    /// The rules of a config.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let apps = config.apps.iter().map(|app| AppScope {
            name: app.name.clone(),
            kind: app.kind,
            vars: app.vars.clone(),
        });
        Self {
            path: config.rules.clone(),
            apps: apps.collect(),
            timezone: config.timezone.clone(),
        }
    }

    /// Reads and loads them. Blocks.
    pub fn load(&self) -> Result<Loaded, ReadError> {
        let loaded = self.load_files(rules_dir::read(&self.path)?);
        Ok(or_none(loaded, std::slice::from_ref(&self.path)))
    }

    /// Reads and loads rules from several places, as one set; `path` is not asked. Findings call files by their whole
    /// paths, not by those within the folder. Blocks.
    pub fn load_all(&self, paths: &[PathBuf]) -> Result<Loaded, ReadError> {
        if let [only] = paths {
            let root = rules_dir::media_root(only);
            let mut loaded = self.load_files(rules_dir::read(only)?);
            for finding in &mut loaded.findings {
                for place in finding.place.iter_mut().chain(&mut finding.related) {
                    place.source.path = root.join(&place.source.path);
                }
            }
            return Ok(or_none(loaded, paths));
        }
        let mut all = RuleFiles::default();
        for path in paths {
            let root = rules_dir::media_root(path);
            let files = rules_dir::read(path)?;
            let named = |source: Source| Source::new(root.join(source.path), source.text);
            all.sources.extend(files.sources.into_iter().map(named));
            all.media.extend(
                files
                    .media
                    .into_iter()
                    .map(|(name, size)| (root.join(name), size)),
            );
        }
        all.sources.sort_by(|a, b| a.path.cmp(&b.path));
        all.sources.dedup_by(|a, b| a.path == b.path);
        Ok(or_none(self.load_files(all), paths))
    }

    fn load_files(&self, files: RuleFiles) -> Loaded {
        let scope = Scope {
            apps: self.apps.clone(),
            timezone: self.timezone.clone(),
            media: files.media,
        };
        crate::rules::load(&files.sources, &scope)
    }
}

/// Says so when nothing is wrong, but nothing is there either.
fn or_none(mut loaded: Loaded, paths: &[PathBuf]) -> Loaded {
    if loaded.set.as_ref().is_some_and(|set| set.is_empty()) {
        let places: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        loaded.findings.push(config::no_rule_in(&places.join(", ")));
    }
    loaded
}

/// What is in force, and what was wrong when something else was tried last.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RulesStatus {
    version: RuleSetVersion,
    count: usize,
    loaded: Timestamp,
    /// Set while the files on the disk can't be used.
    last_error: Option<LoadFailure>,
}

#[derive(Clone, Debug, Serialize)]
struct LoadFailure {
    time: Timestamp,
    findings: Vec<String>,
}

/// Owns the pointer to the live rules.
pub(super) struct Reloader {
    source: RulesSource,
    live: watch::Sender<Arc<RuleSet>>,
    status: Mutex<RulesStatus>,
    /// The fingerprint of the files as they were when they were last read; held while they are.
    seen: tokio::sync::Mutex<Option<u64>>,
    clock: SharedClock,
    metrics: Arc<Metrics>,
}

/// What one look at the files came to.
enum Attempt {
    Loaded(Arc<RuleSet>),
    Refused(Vec<String>),
}

impl Reloader {
    /// Loads the rules for the first time; `Err` has the findings, rendered.
    pub async fn start(
        source: RulesSource,
        clock: SharedClock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Vec<String>> {
        let (seen, attempt) = attempt(&source).await;
        let set = match attempt {
            Attempt::Loaded(set) => set,
            Attempt::Refused(findings) => return Err(findings),
        };
        let status = RulesStatus {
            version: set.version().clone(),
            count: set.len(),
            loaded: clock.now(),
            last_error: None,
        };
        let reloader = Self {
            source,
            live: watch::Sender::new(set),
            status: Mutex::new(status),
            seen: tokio::sync::Mutex::new(seen),
            clock,
            metrics,
        };
        reloader.gauge();
        Ok(reloader)
    }

    /// The rules in force, now and later.
    pub fn live(&self) -> LiveRules {
        self.live.subscribe()
    }

    pub fn status(&self) -> RulesStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads the rules again; gives the version in force, or what is wrong.
    pub async fn reload(&self) -> Result<RuleSetVersion, Vec<String>> {
        let mut seen = self.seen.lock().await;
        let (fingerprint, attempt) = attempt(&self.source).await;
        *seen = fingerprint;
        match attempt {
            Attempt::Loaded(set) => Ok(self.publish(set)),
            Attempt::Refused(findings) => {
                self.metrics.rules_reload("refused");
                for finding in &findings {
                    let rules = self.source.path.display();
                    error!("the rules in {rules} were not reloaded; the old ones stay in force\n{finding}");
                }
                let failure = LoadFailure {
                    time: self.clock.now(),
                    findings: findings.clone(),
                };
                self.note(|status| status.last_error = Some(failure));
                Err(findings)
            }
        }
    }

    fn publish(&self, set: Arc<RuleSet>) -> RuleSetVersion {
        let (version, count) = (set.version().clone(), set.len());
        if *self.live.borrow().version() == version {
            self.metrics.rules_reload("unchanged");
            debug!(%version, "the rules are the same as before");
            self.note(|status| status.last_error = None);
            return version;
        }
        self.live.send_replace(set);
        self.metrics.rules_reload("loaded");
        info!(%version, rules = count, "the rules were reloaded");
        let loaded = self.clock.now();
        self.note(|status| {
            *status = RulesStatus {
                version: version.clone(),
                count,
                loaded,
                last_error: None,
            };
        });
        version
    }

    fn note(&self, change: impl FnOnce(&mut RulesStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
        self.gauge();
    }

    fn gauge(&self) {
        let status = self.status();
        let metrics = &self.metrics;
        metrics.rules.set(i64::try_from(status.count).unwrap_or(i64::MAX));
        metrics
            .rules_loaded
            .set(status.loaded.as_duration().as_secs_f64());
        metrics
            .rules_last_reload_successful
            .set(status.last_error.is_none().into());
    }

    /// Reloads whenever the files change, until `stop`.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let (bell, mut changes) = mpsc::channel(1);
        // Our own end of `bell` keeps `changes` open when there is no watcher.
        let watcher = watcher(&self.source.path, bell.clone())
            .inspect_err(|error| {
                warn!(%error, "no notifications of changed rules; looking every {POLL:?} instead");
            })
            .ok();
        loop {
            let told = tokio::select! {
                told = changes.recv(), if watcher.is_some() => told.is_some(),
                () = sleep(POLL) => false,
                () = stop.cancelled() => return,
            };
            if !told && !self.changed().await {
                continue;
            }
            let patience = Instant::now() + PATIENCE;
            while let Ok(Some(())) = timeout_at(patience.min(Instant::now() + QUIET), changes.recv()).await {}
            if self.changed().await {
                // What is wrong was logged, and stands in the status.
                let _ = self.reload().await;
            }
        }
    }

    /// Whether the files differ from what was read last.
    async fn changed(&self) -> bool {
        let path = self.source.path.clone();
        let now = spawn_blocking(move || rules_dir::fingerprint(&path).ok()).await;
        now.ok().flatten() != *self.seen.lock().await
    }
}

/// One look: the fingerprint is taken first, so that a change while the files are read is seen the next time.
async fn attempt(source: &RulesSource) -> (Option<u64>, Attempt) {
    let source = source.clone();
    let look = move || {
        let seen = rules_dir::fingerprint(&source.path).ok();
        (seen, judge(source.load()))
    };
    spawn_blocking(look).await.unwrap_or_else(|error| {
        let finding = format!("loading the rules broke off: {error}");
        (None, Attempt::Refused(vec![finding]))
    })
}

fn judge(loaded: Result<Loaded, ReadError>) -> Attempt {
    let Loaded { set, findings } = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return Attempt::Refused(vec![error.to_string()]),
    };
    let rendered = |findings: &[Diagnostic]| findings.iter().map(|d| render(d, false)).collect();
    match set {
        None => Attempt::Refused(rendered(&findings)),
        Some(set) => {
            for finding in &findings {
                warn!("about the rules\n{}", render(finding, false));
            }
            Attempt::Loaded(Arc::new(set))
        }
    }
}

/// Rings `bell` when something in the folder changes. The folder is watched rather than a file in it, because
/// editors replace files.
fn watcher(path: &Path, bell: mpsc::Sender<()>) -> notify::Result<notify::RecommendedWatcher> {
    let lone_file = path
        .is_file()
        .then(|| path.file_name().map(ToOwned::to_owned))
        .flatten();
    let (folder, mode) = match (&lone_file, path.parent()) {
        (Some(_), Some(folder)) => (folder, RecursiveMode::NonRecursive),
        _ => (path, RecursiveMode::Recursive),
    };
    let folder = folder.to_owned();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // An error (a queue that ran over) may hide a change; that files were read is none.
        let matters = event.map_or(true, |event| {
            let ours = |p: &PathBuf| lone_file.is_none() || p.file_name() == lone_file.as_deref();
            !event.kind.is_access() && event.paths.iter().any(ours)
        });
        if matters {
            // When it is full, it rings already.
            let _ = bell.try_send(());
        }
    })?;
    watcher.watch(&folder, mode)?;
    Ok(watcher)
}
