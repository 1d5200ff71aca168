//! What is to be said of rules before they are saved: findings, tests, what no test exercises.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::time::timeout;

use super::{Candidate, EditError, Edits, RulesEditor};
use crate::diagnostic::{Diagnostic, Place};
use crate::intake::Policies;
use crate::message::RuleSetVersion;
use crate::rehearsal::{Failure, run_test};
use crate::reload::{RuleFiles, none_left};
use crate::rules::{self, Coverage, Gap, Loaded};

/// How long a page waits for what is not known yet.
const A_MOMENT: Duration = Duration::from_millis(60);

/// What is to be said of rules.
#[derive(Clone, Debug)]
pub struct Checked {
    /// All findings of `wxreply check`, by file and place.
    pub findings: Vec<Diagnostic>,
    /// The version that they would have; nothing when they do not load.
    pub version: Option<RuleSetVersion>,
    /// Whether that is the one in force.
    pub in_force: bool,
    /// How many rules are enabled.
    pub rules: usize,
    /// Their tests, in the order of their files and places; none when they do not load.
    pub tests: Vec<Tested>,
    /// What the tests exercise; nothing when they do not load, or when nobody asked.
    pub coverage: Option<Covered>,
}

/// One `[[test]]` that was run.
#[derive(Clone, Debug)]
pub struct Tested {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// What failed; nothing when it passed.
    pub failures: Vec<Failure>,
    /// The same as a finding.
    pub finding: Option<Diagnostic>,
}

/// How much of the rules their tests exercise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// Rules and conditions that are exercised.
    pub exercised: usize,
    /// All of them.
    pub counted: usize,
    /// Those that are not.
    pub gaps: Vec<Gap>,
}

impl Checked {
    /// Whether a reload would take them.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.objections().next().is_none()
    }

    /// What keeps them from going live: errors, and tests that fail.
    pub fn objections(&self) -> impl Iterator<Item = &Diagnostic> {
        let errors = self.findings.iter().filter(|finding| finding.is_error());
        errors.chain(self.tests.iter().filter_map(|test| test.finding.as_ref()))
    }

    /// Looks at a candidate. Blocks.
    fn of(candidate: &Candidate, how: &How) -> Self {
        let files = &candidate.files;
        let scope = candidate.source.scope(files.media.clone(), Some(how.today));
        let Loaded {
            set,
            tests,
            mut findings,
        } = rules::check(&files.sources, &scope);
        findings.extend(none_left(&candidate.source, files).filter(|_| !how.was_empty));
        let Some(set) = set else {
            return Self {
                findings,
                version: None,
                in_force: false,
                rules: 0,
                tests: Vec::new(),
                coverage: None,
            };
        };
        let mut exercised = how.coverage.then(|| Coverage::new(&set));
        let tests = tests.into_iter().map(|test| {
            let failures = run_test(&set, &test, &how.policies, exercised.as_mut());
            Tested {
                finding: Failure::finding(&test, &failures),
                name: test.name,
                place: test.place,
                failures,
            }
        });
        let tests = tests.collect();
        Self {
            findings,
            version: Some(set.version().clone()),
            in_force: false,
            rules: set.len(),
            tests,
            coverage: exercised.map(|coverage| {
                let (exercised, counted) = coverage.share();
                Covered {
                    exercised,
                    counted,
                    gaps: coverage.gaps(),
                }
            }),
        }
    }
}

/// How a candidate is looked at.
struct How {
    policies: Policies,
    today: Date,
    coverage: bool,
    /// Whether the set in force has no rule: then the next one need not have any.
    was_empty: bool,
}

impl Candidate {
    /// What keeps it from going live, as a reload sees it; nothing when nothing does. Blocks.
    pub(super) fn objections(&self, policies: &Policies, was_empty: bool) -> Vec<Diagnostic> {
        let Loaded {
            set,
            tests,
            mut findings,
        } = self.load();
        findings.retain(Diagnostic::is_error);
        if let Some(set) = set {
            findings.extend(crate::rehearsal::run_tests(&set, &tests, policies));
        }
        findings.extend(none_left(&self.source, &self.files).filter(|_| !was_empty));
        findings
    }
}

impl RulesEditor {
    /// Looks at the rules as they would be; with `coverage` also at what their tests exercise. Ten thousand rules take
    /// about a second.
    pub async fn check(&self, edits: Edits, coverage: bool) -> Result<Checked, EditError> {
        let how = How {
            policies: self.reloader.policies().clone(),
            today: self.today(),
            coverage,
            was_empty: self.was_empty(),
        };
        let checked = self.compile(edits, move |candidate| Ok(Checked::of(candidate, &how)));
        let mut checked = checked.await?;
        checked.in_force = checked.version.as_ref() == Some(&self.reloader.status().version);
        Ok(checked)
    }
}

/// What was found in the set in force: looked for once for each reading of the files, for pictures beside the rules may
/// come and go, and once a day, for calendars end.
#[derive(Default)]
pub(super) struct InForce {
    known: Mutex<Option<(Reading, Arc<Checked>)>>,
    /// Held while it is looked for.
    looking: tokio::sync::Mutex<()>,
}

impl InForce {
    fn known(&self, reading: &Reading) -> Option<Arc<Checked>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, checked) = known.as_ref()?;
        (of == reading).then(|| Arc::clone(checked))
    }
}

/// All that findings depend on: the set, when its files were read last, and the day.
#[derive(Clone, PartialEq, Eq)]
struct Reading {
    version: RuleSetVersion,
    read: Timestamp,
    today: Date,
}

impl RulesEditor {
    /// What is to be said of the set in force; nothing as long as that takes more than a moment.
    pub async fn check_in_force(self: &Arc<Self>) -> Option<Arc<Checked>> {
        let live = Arc::clone(&self.reloader.live().borrow());
        let today = self.today();
        let reading = Reading {
            version: live.version().clone(),
            read: self.reloader.status().last_attempt,
            today,
        };
        if let Some(known) = self.in_force.known(&reading) {
            return Some(known);
        }
        let editor = Arc::clone(self);
        // It goes on when nobody waits any more: the next one who asks is told at once.
        let looking = tokio::spawn(async move {
            let _looking = editor.in_force.looking.lock().await;
            if let Some(known) = editor.in_force.known(&reading) {
                return Some(known);
            }
            let how = How {
                policies: editor.reloader.policies().clone(),
                today,
                coverage: true,
                was_empty: true,
            };
            let work = move |on_disk: &Candidate| {
                let files = RuleFiles {
                    sources: live.sources().to_vec(),
                    media: on_disk.files.media.clone(),
                };
                let checked = Checked::of(&Candidate::with(&on_disk.source, files), &how);
                Ok(Checked {
                    in_force: true,
                    ..checked
                })
            };
            let checked = Arc::new(editor.compile(Edits::none(), work).await.ok()?);
            let known = &editor.in_force.known;
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            *known = Some((reading, Arc::clone(&checked)));
            Some(checked)
        });
        timeout(A_MOMENT, looking).await.ok()?.ok()?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::editing::testing::{HELLO, editor};

    #[tokio::test]
    async fn a_candidate_is_checked_and_tested_beside_the_set_in_force() {
        let world = editor(&[("a.toml", HELLO)]).await;
        let same = world.editor.check(Edits::none(), true).await.expect("checked");
        assert!(same.in_force && same.is_usable());
        assert_eq!((same.rules, same.tests.len()), (1, 1));
        assert_eq!(same.coverage.map(|c| (c.exercised, c.counted)), Some((1, 1)));

        let failing = Edits::none().write(
            "a.toml",
            HELLO.replace("when.exact = \"hi\"", "when.exact = \"ho\""),
        );
        let failing = world.editor.check(failing, false).await.expect("checked");
        assert!(!failing.is_usable() && !failing.in_force && failing.coverage.is_none());
        assert_eq!(failing.tests[0].failures.len(), 1);
        assert_eq!(failing.objections().map(|o| o.code).collect::<Vec<_>>(), ["E030"]);

        let broken = Edits::none().write("b.toml", "[[rule]]\nname = \"x\"\nreply = \"\"\n");
        let broken = world.editor.check(broken, true).await.expect("checked");
        assert_eq!((broken.version.as_ref(), broken.tests.len()), (None, 0));
        assert!(broken.objections().all(|o| o.code == "E007"), "{broken:?}");
        assert!(!broken.is_usable());

        let none = Edits::none().delete("a.toml");
        let none = world.editor.check(none, false).await.expect("checked");
        assert!(!none.is_usable(), "a set without rules never goes live");
    }

    #[tokio::test]
    async fn a_candidate_that_does_not_load_says_why() {
        let world = editor(&[("a.toml", HELLO)]).await;
        let set = world.editor.candidate_set(Edits::none()).await.expect("loads");
        assert_eq!(set.len(), 1);
        let broken = Edits::none().write("a.toml", "[[rule]]\n");
        let error = world.editor.candidate_set(broken).await.err().expect("refused");
        assert!(
            matches!(&error, EditError::Refused(found) if !found.is_empty()),
            "{error}"
        );
        assert!(error.to_string().contains("a.toml:1"), "{error}");
    }
}
