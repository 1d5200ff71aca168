//! Which rules are in force and what is wrong with those on the disk, as `/readyz` and the metrics show it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::message::RuleSetVersion;
use crate::metrics::Metrics;
use crate::rules::RuleSet;

/// What is in force, and what was wrong when something else was tried last.
#[derive(Clone, Debug, Serialize)]
pub struct RulesStatus {
    /// The version in force.
    pub version: RuleSetVersion,
    /// How many rules it has.
    pub count: usize,
    /// Since when it is in force in this process.
    pub loaded: Timestamp,
    /// Whether it was taken from the archive, because the files could not be used when the daemon started.
    pub from_archive: bool,
    /// The tests of the set in force that fail. Only a first start, with nothing to fall back on, lets such a set in.
    pub failing_tests: Vec<String>,
    /// When the files were last read.
    pub last_attempt: Timestamp,
    /// Set while the files on the disk can't be used.
    pub last_error: Option<LoadFailure>,
}

/// Why the files on the disk can't be used.
#[derive(Clone, Debug, Serialize)]
pub struct LoadFailure {
    /// Since when they can't.
    pub since: Timestamp,
    /// When they were last tried.
    pub time: Timestamp,
    /// What is wrong, and where.
    pub findings: Vec<String>,
}

impl RulesStatus {
    /// A set that went live.
    pub fn of(set: &RuleSet, now: Timestamp) -> Self {
        Self {
            version: set.version().clone(),
            count: set.len(),
            loaded: now,
            from_archive: false,
            failing_tests: Vec::new(),
            last_attempt: now,
            last_error: None,
        }
    }

    /// The files are what is in force.
    pub fn agree(&mut self, now: Timestamp) {
        self.from_archive = false;
        self.last_attempt = now;
        self.last_error = None;
    }

    /// The files can't be used; gives the findings that were not there the last time.
    pub fn refuse<'a>(&mut self, findings: &'a [String], now: Timestamp) -> Vec<&'a String> {
        let before = self.last_error.take();
        let known = before.as_ref().map_or(&[][..], |failure| &failure.findings);
        let new = findings.iter().filter(|finding| !known.contains(finding));
        let new = new.collect();
        self.last_attempt = now;
        self.last_error = Some(LoadFailure {
            since: before.map_or(now, |failure| failure.since),
            time: now,
            findings: findings.to_vec(),
        });
        new
    }

    /// Sets the gauges.
    pub fn show(&self, metrics: &Metrics) {
        let seconds = |time: Timestamp| {
            Duration::try_from(time.as_duration())
                .unwrap_or_default()
                .as_secs_f64()
        };
        metrics.rules.set(i64::try_from(self.count).unwrap_or(i64::MAX));
        metrics.rules_version(self.version.as_str());
        metrics.rules_loaded.set(seconds(self.loaded));
        metrics.rules_last_reload.set(seconds(self.last_attempt));
        metrics.rules_from_archive.set(self.from_archive.into());
        let fine = self.last_error.is_none() && self.failing_tests.is_empty();
        metrics.rules_last_reload_successful.set(fine.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_new_once_and_the_trouble_has_a_beginning() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let mut status = RulesStatus::of(&RuleSet::empty(), at(0));
        let findings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(status.refuse(&findings(&["a", "b"]), at(1)), ["a", "b"]);
        assert_eq!(status.refuse(&findings(&["b", "c"]), at(2)), ["c"]);
        let failure = status.last_error.clone().expect("a failure");
        assert_eq!((failure.since, failure.time), (at(1), at(2)));
        assert_eq!(failure.findings, ["b", "c"]);
        status.agree(at(3));
        assert!(status.last_error.is_none());
        assert_eq!(status.refuse(&findings(&["b"]), at(4)), ["b"]);
        assert_eq!((status.loaded, status.last_attempt), (at(0), at(4)));
    }
}
