//! One look at the rules on the disk: read when they have come to rest, compiled, tried on their own tests. All of it
//! blocks, and what is not wanted is dropped here, so that no push ever waits for it.

use std::time::{Duration, Instant, SystemTime};

use toml::de::DeTable;
use tracing::warn;

use super::archive;
use super::folder::{self, ReadError, RuleFiles};
use super::source::{RulesSource, or_none};
use crate::config;
use crate::diagnostic::{Diagnostic, Severity, render};
use crate::intake::Policies;
use crate::message::RuleSetVersion;
use crate::rehearsal;
use crate::rules::{Loaded, RuleSet};

/// How long nothing may change before files are read: a `git pull` writes many, an editor one in several steps.
pub(super) const QUIET: Duration = Duration::from_millis(100);

/// Files that never come to rest are read all the same after so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// What is in force while we look.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    pub version: RuleSetVersion,
    /// Whether it has no rule.
    pub is_empty: bool,
    /// The files that it was made from, if they were on the disk.
    pub files: Option<RuleFiles>,
}

/// What a look came to.
pub(super) struct Look {
    /// The fingerprint of the files that were read; none when they could not be.
    pub fingerprint: Option<u64>,
    /// When reading them began; the wait for rest is over by then.
    pub begun: Instant,
    pub outcome: Outcome,
}

pub(super) enum Outcome {
    /// What is in force.
    Same(RuleFiles),
    /// Another set that could go live.
    New(Box<Candidate>),
    /// Why the files can't be used: findings, rendered.
    Refused(Vec<String>),
}

/// A set that loads.
pub(super) struct Candidate {
    pub set: RuleSet,
    pub files: RuleFiles,
    /// What the archive is to keep of it.
    pub body: String,
    /// Its own tests that fail, rendered. Only at a start there may be any: then it depends on whether there is a
    /// better set.
    pub failed_tests: Vec<String>,
    /// That it has no rule at all; the same goes for this.
    pub none_left: Option<String>,
    /// What should be said when it goes live, rendered.
    pub warnings: Vec<String>,
}

impl Candidate {
    /// What speaks against it.
    pub fn objections(&self) -> Vec<String> {
        self.failed_tests.iter().chain(&self.none_left).cloned().collect()
    }
}

/// Looks; `in_force` is none at a start.
pub(super) fn look(source: &RulesSource, policies: &Policies, in_force: Option<InForce>) -> Look {
    let patience = if in_force.is_some() {
        PATIENCE
    } else {
        Duration::ZERO
    };
    let (fingerprint, begun, files) = at_rest(source, patience);
    let outcome = match files {
        Err(error) => Outcome::Refused(vec![error.to_string()]),
        Ok(files) => weigh(source, policies, in_force, files),
    };
    Look {
        fingerprint,
        begun,
        outcome,
    }
}

/// Reads the files when they are at rest, or when `patience` is over: nothing changes while they are read, and none has
/// just been emptied. Whoever writes a file in place empties it first, and an empty file is a valid one.
fn at_rest(source: &RulesSource, patience: Duration) -> (Option<u64>, Instant, Result<RuleFiles, ReadError>) {
    let first = Instant::now();
    loop {
        let begun = Instant::now();
        let before = folder::fingerprint(&source.path).ok();
        let files = folder::read(&source.path);
        let changed = before != folder::fingerprint(&source.path).ok();
        let emptied = folder::just_emptied(&source.path, SystemTime::now(), PATIENCE);
        if !changed && !emptied || first.elapsed() >= patience {
            return (before, begun, files);
        }
        std::thread::sleep(QUIET);
    }
}

fn weigh(source: &RulesSource, policies: &Policies, in_force: Option<InForce>, files: RuleFiles) -> Outcome {
    if let Some(in_force) = &in_force
        && in_force.files.as_ref() == Some(&files)
    {
        return Outcome::Same(files);
    }
    let scope = source.scope(files.media.clone(), None);
    let loaded = crate::rules::load(&files.sources, &scope);
    let Loaded {
        set,
        tests,
        mut findings,
    } = or_none(loaded, std::slice::from_ref(&source.path));
    let Some(set) = set else {
        findings.retain(Diagnostic::is_error);
        return Outcome::Refused(rendered(&findings));
    };
    if let Some(in_force) = &in_force
        && in_force.version == *set.version()
    {
        return Outcome::Same(files);
    }
    let was_empty = in_force.as_ref().is_some_and(|in_force| in_force.is_empty);
    // Whether there is a rule that is switched off is asked only where none is on: it takes parsing all once more.
    let none_left = match set.is_empty() && !was_empty {
        true => none_left(source, &files),
        false => None,
    };
    let none_left = none_left.map(|finding| render(&finding, false));
    let failed_tests = rendered(&rehearsal::run_tests(&set, &tests, policies));
    let body = match archive::body(&files.sources, &scope) {
        Ok(body) => body,
        Err(error) => {
            return Outcome::Refused(vec![format!(
                "the rules can't be written to the archive: {error}"
            )]);
        }
    };
    let candidate = Candidate {
        set,
        files,
        body,
        failed_tests,
        none_left,
        warnings: rendered(&findings),
    };
    match candidate.objections() {
        objections if in_force.is_some() && !objections.is_empty() => Outcome::Refused(objections),
        _ => Outcome::New(Box::new(candidate)),
    }
}

/// Whether no file has a rule at all, not even a disabled one.
fn has_no_rule(files: &RuleFiles) -> bool {
    !files.sources.iter().any(|source| {
        let (table, _) = DeTable::parse_recoverable(&source.text);
        table.get_ref().contains_key("rule")
    })
}

/// Why files without a single rule can't take the place of a set with rules; nothing when there is a rule. More often
/// than a wish, this is a mount that is gone, or a file that something is still writing.
#[must_use]
pub fn none_left(source: &RulesSource, files: &RuleFiles) -> Option<Diagnostic> {
    let finding = || Diagnostic {
        severity: Severity::Error,
        ..config::no_rule_in(&source.path.display().to_string())
    };
    has_no_rule(files).then(finding).map(|finding| {
        finding.help(
            "a set without any rule never takes the place of one with rules, for mostly it is a folder that was not \
             mounted or a file half written; to answer nothing, write `enabled = false` in the rules",
        )
    })
}

pub(super) fn rendered(findings: &[Diagnostic]) -> Vec<String> {
    findings.iter().map(|finding| render(finding, false)).collect()
}

/// Says what should be known about a set that goes live.
pub(super) fn say(warnings: &[String]) {
    for warning in warnings {
        warn!("about the rules\n{warning}");
    }
}
