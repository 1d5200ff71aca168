//! The rule sets of the past: how they differ, and how one comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::disk::{Change, TextHash};
use super::{Candidate, CandidateSet, Diff, EditError, RulesEditor, Saved, diff};
use crate::message::RuleSetVersion;
use crate::reload::{ArchivedRules, RuleFiles, read_rule_files};
use crate::rules::RuleSet;
use crate::store::RuleSetSwap;

/// A version of the rules, and when it was in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Which.
    pub version: RuleSetVersion,
    /// Since when.
    pub live: Timestamp,
    /// Until when; nothing while it is in force.
    pub until: Option<Timestamp>,
}

/// What rules are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// Those of a version that was live once.
    Version(RuleSetVersion),
    /// The files on the disk.
    Disk,
}

/// How one file differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FileDiff {
    /// Its path within the rules folder.
    pub path: String,
    /// What became of it.
    pub change: FileChange,
    /// How.
    pub diff: Diff,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileChange {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has another text.
    Changed,
}

impl RulesEditor {
    /// Which version went live when, the latest first, at most `limit`.
    pub async fn versions(&self, limit: u32) -> Result<Vec<Version>, EditError> {
        let swaps = self.store.rule_set_swaps(limit).await?;
        let mut until = None;
        let version = |RuleSetSwap { version, live }| Version {
            version,
            live,
            until: until.replace(live),
        };
        Ok(swaps.into_iter().map(version).collect())
    }

    /// What a version was loaded from.
    pub async fn archived(&self, version: &RuleSetVersion) -> Result<ArchivedRules, EditError> {
        let found = ArchivedRules::find(&self.store, version).await?;
        found.ok_or_else(|| EditError::NoVersion(version.clone()))
    }

    /// The rules of a version, if this program can use them; those that were asked for last are kept.
    pub async fn archived_set(&self, version: &RuleSetVersion) -> Result<Option<Arc<RuleSet>>, EditError> {
        let mut then = self.then.lock().await;
        if let Some((known, set)) = &*then
            && known == version
        {
            return Ok(Some(set.share()));
        }
        let archived = self.archived(version).await?;
        let set = self.alone(move || archived.load().set).await?;
        let set = set.map(CandidateSet::new);
        let shared = set.as_ref().map(CandidateSet::share);
        if let Some(set) = set {
            *then = Some((version.clone(), set));
        }
        Ok(shared)
    }

    /// How the files of `new` differ from those of `old`; nothing of those that are the same.
    pub async fn compare(&self, old: &Side, new: &Side) -> Result<Vec<FileDiff>, EditError> {
        let (old, new) = (self.texts(old).await?, self.texts(new).await?);
        Ok(tokio::task::spawn_blocking(move || differences(&old, &new)).await?)
    }

    async fn texts(&self, side: &Side) -> Result<BTreeMap<String, String>, EditError> {
        let sources = match side {
            Side::Version(version) => self.archived(version).await?.sources,
            Side::Disk => {
                let rules = self.reloader.source().path.clone();
                let read = move || read_rule_files(&rules);
                tokio::task::spawn_blocking(read).await??.sources
            }
        };
        let named = sources.into_iter().map(|source| {
            let path = source.path.to_string_lossy().into_owned();
            (path, source.text.as_ref().to_owned())
        });
        Ok(named.collect())
    }

    /// Puts the files of a version in the place of those on the disk, deleting what it did not have, and loads them.
    /// Nothing happens when they have an error or a failing test under today's config ([`EditError::Refused`]).
    pub async fn restore(&self, version: &RuleSetVersion) -> Result<Saved, EditError> {
        let archived = self.archived(version).await?;
        let _saving = self.saving.lock().await;
        let (policies, was_empty) = (self.reloader.policies().clone(), self.was_empty());
        let changes = self
            .compile(super::Edits::none(), move |on_disk: &Candidate| {
                let RuleFiles { sources, media } = on_disk.files.clone();
                let wanted = RuleFiles {
                    sources: archived.sources,
                    media,
                };
                let candidate = Candidate::with(&on_disk.source, wanted);
                match candidate.objections(&policies, was_empty) {
                    objections if objections.is_empty() => {}
                    objections => return Err(EditError::Refused(objections)),
                }
                let by_path = |sources: &[crate::diagnostic::Source]| -> BTreeMap<String, String> {
                    let named = sources.iter().map(|source| {
                        let path = source.path.to_string_lossy().into_owned();
                        (path, source.text.as_ref().to_owned())
                    });
                    named.collect()
                };
                Ok(changes(&by_path(&sources), by_path(&candidate.files.sources)))
            })
            .await?;
        self.write(changes).await
    }
}

/// What makes `old` of the disk to `new`.
fn changes(old: &BTreeMap<String, String>, mut new: BTreeMap<String, String>) -> Vec<Change> {
    let paths: BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
    let change = |path: String| {
        let (before, text) = (old.get(&path), new.remove(&path));
        (before != text.as_ref()).then(|| Change {
            base: before.map(|text| TextHash::of(text)),
            path,
            text,
        })
    };
    paths.into_iter().filter_map(change).collect()
}

fn differences(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<FileDiff> {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let difference = |path: &String| {
        let (change, before, after) = match (old.get(path), new.get(path)) {
            (Some(before), Some(after)) if before == after => return None,
            (Some(before), Some(after)) => (FileChange::Changed, before.as_str(), after.as_str()),
            (Some(before), None) => (FileChange::Removed, before.as_str(), ""),
            (None, after) => (FileChange::Added, "", after.map_or("", String::as_str)),
        };
        Some(FileDiff {
            path: path.clone(),
            change,
            diff: diff(before, after),
        })
    };
    paths.into_iter().filter_map(difference).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::editing::testing::{HELLO, World, editor};

    const MORE: &str = "[[rule]]\nname = \"more\"\nwhen.exact = \"more\"\nreply = \"more\"\n";

    async fn save(world: &World, path: &str, base: Option<&str>, text: Option<&str>) -> RuleSetVersion {
        let change = Change {
            path: path.into(),
            base: base.map(TextHash::of),
            text: text.map(str::to_owned),
        };
        world.editor.save(vec![change]).await.expect("saved").version
    }

    #[tokio::test]
    async fn a_version_comes_back_with_all_its_files_and_no_other() {
        let world = editor(&[("a.toml", HELLO), ("sub/b.toml", MORE)]).await;
        let first = world.reloader.status().version;
        let new = HELLO.replace("reply = \"hello\"", "reply = \"hallo\"");
        save(&world, "a.toml", Some(HELLO), Some(&new)).await;
        save(&world, "sub/b.toml", Some(MORE), None).await;
        fs::remove_dir(world.rules.path().join("sub")).expect("empty");
        let third = save(&world, "c.toml", None, Some(&MORE.replace("more", "most"))).await;

        let told = |diffs: Vec<FileDiff>| -> Vec<(String, FileChange, usize, usize)> {
            let told = diffs
                .into_iter()
                .map(|d| (d.path, d.change, d.diff.added, d.diff.removed));
            told.collect()
        };
        let (then, now) = (Side::Version(first.clone()), Side::Version(third.clone()));
        let diffs = world.editor.compare(&then, &now).await.expect("compared");
        let expected = [
            ("a.toml".to_owned(), FileChange::Changed, 1, 1),
            ("c.toml".to_owned(), FileChange::Added, 4, 0),
            ("sub/b.toml".to_owned(), FileChange::Removed, 0, 4),
        ];
        assert_eq!(told(diffs), expected);
        assert_eq!(
            world.editor.compare(&now, &Side::Disk).await.expect("compared"),
            []
        );

        let restored = world.editor.restore(&first).await.expect("restored");
        assert_eq!((restored.version, restored.refused), (first.clone(), Vec::new()));
        assert_eq!(world.read("a.toml").as_deref(), Some(HELLO));
        assert_eq!(world.read("sub/b.toml").as_deref(), Some(MORE));
        assert_eq!(world.read("c.toml"), None);
        assert_eq!(world.reloader.live().borrow().version(), &first);

        let versions = world.editor.versions(10).await.expect("read");
        let names: Vec<_> = versions.iter().map(|v| v.version.clone()).collect();
        assert_eq!(names.len(), 5);
        assert_eq!((&names[0], &names[1], &names[4]), (&first, &third, &first));
        assert_eq!(
            (versions[0].until, versions[1].until),
            (None, Some(versions[0].live))
        );
    }

    #[tokio::test]
    async fn a_version_that_can_not_be_used_any_more_changes_nothing() {
        let world = editor(&[("a.toml", HELLO)]).await;
        let picture = "[[rule]]\nname = \"menu\"\nwhen.exact = \"menu\"\nreply = { image = \"menu.png\" }\n";
        let png = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];
        fs::write(world.rules.path().join("menu.png"), png).expect("written");
        let with_picture = save(&world, "b.toml", None, Some(picture)).await;
        save(&world, "b.toml", Some(picture), None).await;
        fs::remove_file(world.rules.path().join("menu.png")).expect("removed");
        match world.editor.restore(&with_picture).await {
            Err(EditError::Refused(findings)) => assert_eq!(findings[0].code, "E016"),
            other => panic!("{other:?}"),
        }
        assert_eq!(world.read("b.toml"), None);
        let unknown = world.editor.restore(&"0000".into()).await;
        assert!(matches!(unknown, Err(EditError::NoVersion(_))), "{unknown:?}");
    }
}
