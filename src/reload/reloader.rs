//! Rules that change while the daemon runs: watch, wait for quiet, load, swap. A set with an error never gets in.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use super::archive::archived;
use super::folder::RuleFiles;
use super::look::{self, Candidate, InForce, Look, Outcome, QUIET, say};
use super::source::RulesSource;
use super::status::RulesStatus;
use super::watch::{Watch, Woken, fingerprint};
use crate::clock::SharedClock;
use crate::intake::{LiveRules, Policies};
use crate::message::RuleSetVersion;
use crate::metrics::Metrics;
use crate::rules::RuleSet;
use crate::store::{Store, StoreError};

/// Owns the pointer to the live rules.
pub struct Reloader {
    source: RulesSource,
    policies: Policies,
    store: Store,
    live: watch::Sender<Arc<RuleSet>>,
    status: Mutex<RulesStatus>,
    /// Held while the files are looked at.
    seen: tokio::sync::Mutex<Seen>,
    clock: SharedClock,
    metrics: Arc<Metrics>,
}

/// What is known of the files on the disk.
struct Seen {
    /// What [`fingerprint`] gave when they were last read. None when they must be read again in any case.
    fingerprint: Option<Option<u64>>,
    /// Those that the set in force was made from, if they were on the disk.
    live: Option<RuleFiles>,
}

impl Reloader {
    /// Loads the rules for the first time. If they can't be used, those that were in force last are: a restart at night
    /// must not silence the shop because of something that was saved in the evening. `Err` has the findings, rendered,
    /// when there are none of these either.
    pub async fn start(
        source: RulesSource,
        policies: Policies,
        store: Store,
        clock: SharedClock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Vec<String>> {
        let Look {
            fingerprint, outcome, ..
        } = look_at(&source, &policies, None).await;
        let now = clock.now();
        let (candidate, trouble) = match outcome {
            Outcome::New(candidate) => {
                let objections = candidate.objections();
                (Some(candidate), objections)
            }
            Outcome::Refused(findings) => (None, findings),
            // Nothing is in force yet that they could be the same as.
            Outcome::Same(_) => (None, Vec::new()),
        };
        let fallback = if trouble.is_empty() {
            None
        } else {
            let own = candidate.as_ref().map(|candidate| candidate.set.version());
            let last = last_live(&store, own).await;
            // A set without rules is better than none, but not better than another.
            last.filter(|set| candidate.is_none() || !set.is_empty())
        };
        let mut seen = Seen {
            fingerprint: Some(fingerprint),
            live: None,
        };
        let rules = source.path.display();
        let (set, status) = match (fallback, candidate) {
            (Some(set), _) => {
                let mut status = RulesStatus::of(&set, now);
                status.from_archive = true;
                for finding in status.refuse(&trouble, now) {
                    error!("the rules in {rules} can't be used\n{finding}");
                }
                let version = set.version();
                error!(%version, rules = set.len(), "the rules that were in force last are in force again, from the archive");
                (set, status)
            }
            (None, Some(candidate)) => {
                let Candidate {
                    set,
                    files,
                    body,
                    failed_tests,
                    warnings,
                    ..
                } = *candidate;
                say(&warnings);
                for failed in &failed_tests {
                    error!(
                        "about the rules in {rules}, which are in force for want of better ones\n{failed}"
                    );
                }
                store
                    .keep_rule_set(set.version(), &body, now)
                    .await
                    .map_err(|error| vec![not_archived(&error)])?;
                seen.live = Some(files);
                let mut status = RulesStatus::of(&set, now);
                status.failing_tests = failed_tests;
                (set, status)
            }
            (None, None) => return Err(trouble),
        };
        status.show(&metrics);
        Ok(Self {
            source,
            policies,
            store,
            live: watch::Sender::new(Arc::new(set)),
            status: Mutex::new(status),
            seen: tokio::sync::Mutex::new(seen),
            clock,
            metrics,
        })
    }

    /// The rules in force, now and later.
    pub fn live(&self) -> LiveRules {
        self.live.subscribe()
    }

    /// What is in force, and what was wrong when something else was tried last.
    pub fn status(&self) -> RulesStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the rules come from.
    pub fn source(&self) -> &RulesSource {
        &self.source
    }

    /// How the quota of each app is reckoned.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Loads the rules again; gives the version in force, or what is wrong.
    pub async fn reload(&self) -> Result<RuleSetVersion, Vec<String>> {
        let mut seen = self.seen.lock().await;
        self.look(&mut seen).await
    }

    /// Changes files, and loads the rules again when that went well. Nobody looks at the files meanwhile, so no set is
    /// made of some that are new and some that are old. `change` is run on a thread of its own and may block.
    pub async fn reload_after<T: Send + 'static>(
        &self,
        change: impl FnOnce() -> T + Send + 'static,
        went_well: impl FnOnce(&T) -> bool,
    ) -> Result<(T, Option<Result<RuleSetVersion, Vec<String>>>), JoinError> {
        let mut seen = self.seen.lock().await;
        let changed = spawn_blocking(change).await?;
        let reloaded = if went_well(&changed) {
            Some(self.look(&mut seen).await)
        } else {
            None
        };
        Ok((changed, reloaded))
    }

    async fn look(&self, seen: &mut Seen) -> Result<RuleSetVersion, Vec<String>> {
        let in_force = {
            let live = self.live.borrow();
            InForce {
                version: live.version().clone(),
                is_empty: live.is_empty(),
                files: seen.live.clone(),
            }
        };
        let Look {
            fingerprint,
            begun,
            outcome,
        } = look_at(&self.source, &self.policies, Some(in_force)).await;
        // Should whoever waits leave halfway, the files are looked at again.
        seen.fingerprint = None;
        let outcome = self.act(outcome, fingerprint, seen).await;
        self.metrics
            .rules_reload_duration
            .observe(begun.elapsed().as_secs_f64());
        outcome
    }

    async fn act(
        &self,
        outcome: Outcome,
        fingerprint: Option<u64>,
        seen: &mut Seen,
    ) -> Result<RuleSetVersion, Vec<String>> {
        match outcome {
            Outcome::Same(files) => {
                seen.fingerprint = Some(fingerprint);
                seen.live = Some(files);
                self.metrics.rules_reload("unchanged");
                let version = self.note(RulesStatus::agree);
                debug!(%version, "the rules are the same as before");
                Ok(version)
            }
            Outcome::New(candidate) => {
                let Candidate {
                    set,
                    files,
                    body,
                    warnings,
                    ..
                } = *candidate;
                // Archived first: no message is judged by a version that could not be looked up later.
                let kept = self
                    .store
                    .keep_rule_set(set.version(), &body, self.clock.now())
                    .await;
                if let Err(error) = kept {
                    retire(Arc::new(set));
                    return Err(self.refuse(vec![not_archived(&error)]));
                }
                seen.fingerprint = Some(fingerprint);
                seen.live = Some(files);
                say(&warnings);
                Ok(self.publish(set))
            }
            Outcome::Refused(findings) => {
                seen.fingerprint = Some(fingerprint);
                Err(self.refuse(findings))
            }
        }
    }

    fn publish(&self, set: RuleSet) -> RuleSetVersion {
        let now = self.clock.now();
        let status = RulesStatus::of(&set, now);
        info!(version = %status.version, rules = status.count, "the rules were reloaded");
        retire(self.live.send_replace(Arc::new(set)));
        self.metrics.rules_reload("loaded");
        self.note(|old, _| *old = status)
    }

    fn refuse(&self, findings: Vec<String>) -> Vec<String> {
        self.metrics.rules_reload("refused");
        let rules = self.source.path.display();
        self.note(|status, now| {
            for finding in status.refuse(&findings, now) {
                error!("the rules in {rules} were not reloaded; the old ones stay in force\n{finding}");
            }
        });
        findings
    }

    /// Writes down how an attempt ended; gives the version in force.
    fn note(&self, change: impl FnOnce(&mut RulesStatus, Timestamp)) -> RuleSetVersion {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut status, self.clock.now());
        status.show(&self.metrics);
        status.version.clone()
    }

    /// Reloads whenever the files change, until `stop`.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let watch = Watch::new(&self.source.path, true);
        stop.run_until_cancelled(self.follow(watch)).await;
    }

    async fn follow(&self, mut watch: Watch) {
        loop {
            let woken = watch.change().await;
            if woken == Woken::Time && !self.changed().await {
                continue;
            }
            watch.rest().await;
            if self.changed().await {
                if woken == Woken::Time {
                    // What changed was not told: what is watched is not what lies there.
                    watch.renew();
                }
                // What is wrong was logged, and stands in the status.
                let _ = self.reload().await;
            }
        }
    }

    /// Whether the files differ from what was read last.
    async fn changed(&self) -> bool {
        let now = fingerprint(&self.source.path).await;
        self.seen.lock().await.fingerprint != Some(now)
    }
}

/// One look, on a thread of its own.
async fn look_at(source: &RulesSource, policies: &Policies, in_force: Option<InForce>) -> Look {
    let (source, policies) = (source.clone(), policies.clone());
    spawn_blocking(move || look::look(&source, &policies, in_force))
        .await
        .unwrap_or_else(|error| Look {
            fingerprint: None,
            begun: std::time::Instant::now(),
            outcome: Outcome::Refused(vec![format!("loading the rules broke off: {error}")]),
        })
}

/// The set that was in force last, unless it is `own`.
async fn last_live(store: &Store, own: Option<&RuleSetVersion>) -> Option<RuleSet> {
    let found = async {
        match store.live_rule_set().await? {
            Some(last) if Some(&last.version) != own => archived(store, &last.version).await,
            _ => Ok(None),
        }
    };
    found.await.unwrap_or_else(|error| {
        error!("the rules that were in force last can't be taken from the archive: {error}");
        None
    })
}

fn not_archived(error: &StoreError) -> String {
    format!(
        "the rules could not be stored in the database, so that their decisions could not be explained later: {error}"
    )
}

/// Frees a set once nobody judges by it any more. Many thousand rules take a while to free, and no push should be the
/// one that waits for it.
fn retire(set: Arc<RuleSet>) {
    tokio::spawn(async move {
        while Arc::strong_count(&set) > 1 {
            sleep(QUIET).await;
        }
        // Should the runtime end now, it is freed with everything else.
        let _ = spawn_blocking(move || drop(set)).await;
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::SystemClock;
    use crate::store::Access;

    const RULE: &str = "[[rule]]\nname = \"hi\"\nreply = \"hello\"\n";

    /// A rules folder with one rule, a store, and what reloads the one and writes to the other.
    async fn reloader(folder: &tempfile::TempDir) -> (Arc<Reloader>, Store) {
        let rules = folder.path().join("rules");
        std::fs::create_dir(&rules).expect("made");
        std::fs::write(rules.join("a.toml"), RULE).expect("written");
        let source = RulesSource {
            path: rules,
            apps: Vec::new(),
            timezone: jiff::tz::TimeZone::UTC,
            webhook_secret: true,
        };
        let url = format!("sqlite://{}", folder.path().join("t.db").display());
        let (clock, metrics) = (Arc::new(SystemClock), Arc::new(Metrics::new()));
        let store = Store::open(&url, Access::Daemon, clock.clone(), metrics.clone())
            .await
            .expect("opens");
        let reloader = Reloader::start(source, Policies::default(), store.clone(), clock, metrics).await;
        (Arc::new(reloader.expect("starts")), store)
    }

    #[tokio::test]
    async fn without_notifications_changes_are_found_by_looking() {
        let folder = tempfile::tempdir().expect("a folder");
        let (reloader, _store) = reloader(&folder).await;
        let mut live = reloader.live();
        live.mark_unchanged();
        let follow = {
            let reloader = reloader.clone();
            async move { reloader.follow(Watch::new(&reloader.source.path, false)).await }
        };
        let saved = async {
            let two = format!("{RULE}{}", RULE.replace("hi", "ho"));
            std::fs::write(folder.path().join("rules/a.toml"), two).expect("written");
            live.changed().await.expect("the reloader is there");
            assert_eq!(live.borrow().len(), 2);
        };
        tokio::select! {
            () = follow => unreachable!("it follows for ever"),
            found = tokio::time::timeout(Duration::from_secs(20), saved) => found.expect("found"),
        }
    }

    #[tokio::test]
    async fn what_the_archive_can_not_keep_does_not_go_live_and_is_tried_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let (reloader, store) = reloader(&folder).await;
        let before = reloader.status().version;
        std::fs::write(folder.path().join("rules/b.toml"), RULE.replace("hi", "ho")).expect("written");
        store.close().await;
        let error = reloader.reload().await.expect_err("nothing to write to");
        assert!(
            error[0].contains("could not be stored") && error[0].contains("closed"),
            "{error:?}"
        );
        assert_eq!(*reloader.live().borrow().version(), before);
        assert!(reloader.changed().await, "it is tried again at the next look");
    }

    #[tokio::test]
    async fn a_set_is_freed_only_when_nobody_judges_by_it() {
        let set = Arc::new(RuleSet::empty());
        let (judging, watched) = (set.clone(), Arc::downgrade(&set));
        retire(set);
        sleep(QUIET * 3).await;
        assert_eq!(
            Arc::strong_count(&judging),
            2,
            "the last one to let go is not whoever judges"
        );
        drop(judging);
        while watched.strong_count() > 0 {
            sleep(QUIET / 10).await;
        }
    }
}
