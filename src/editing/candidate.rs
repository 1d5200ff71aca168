//! The rules as they would be: the files on the disk, with some of them replaced, added or deleted in memory.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::{EditError, RulesEditor, disk};
use crate::diagnostic::Source;
use crate::reload::{RuleFiles, RulesSource, read_rule_files_except};
use crate::rules::{self, Loaded, RuleSet};

/// Files that are to be written or deleted, by their path within the rules folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits(BTreeMap<String, Option<Arc<str>>>);

impl Edits {
    /// Nothing changes.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// And this file has this text.
    #[must_use]
    pub fn write(mut self, path: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        self.0.insert(path.into(), Some(text.into()));
        self
    }

    /// And this file is gone.
    #[must_use]
    pub fn delete(mut self, path: impl Into<String>) -> Self {
        self.0.insert(path.into(), None);
        self
    }
}

/// The files as they would be.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub(super) source: RulesSource,
    pub(super) files: RuleFiles,
}

impl Candidate {
    /// The files on the disk with these edits. Blocks.
    pub fn of(source: &RulesSource, edits: &Edits) -> Result<Self, EditError> {
        for path in edits.0.keys() {
            disk::is_rule_file(&source.path, path)?;
        }
        // A file that can't be read can be mended here by writing or deleting it.
        let mut files = read_rule_files_except(&source.path, |path| edits.0.contains_key(path))?;
        for (path, text) in &edits.0 {
            let text = text.iter().cloned();
            files
                .sources
                .extend(text.map(|text| Source::new(PathBuf::from(path), text)));
        }
        Ok(Self::with(source, files))
    }

    /// These rule files instead of those on the disk, with the media on the disk.
    pub(super) fn with(source: &RulesSource, mut files: RuleFiles) -> Self {
        // As the folder is read: by the bytes of the path, where a `/` counts as any other.
        files
            .sources
            .sort_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
        Self {
            source: source.clone(),
            files,
        }
    }

    /// Loads them as a reload does. Blocks.
    pub(super) fn load(&self) -> Loaded {
        let scope = self.source.scope(self.files.media.clone(), None);
        rules::load(&self.files.sources, &scope)
    }
}

/// A set beside the live one. It may take a while to free, so it is freed on a thread that answers nobody.
pub struct CandidateSet(Option<Arc<RuleSet>>);

impl CandidateSet {
    pub(super) fn new(set: RuleSet) -> Self {
        Self(Some(Arc::new(set)))
    }

    pub(super) fn share(&self) -> Arc<RuleSet> {
        self.0.clone().expect("it is taken out only when it is dropped")
    }
}

impl Deref for CandidateSet {
    type Target = RuleSet;

    fn deref(&self) -> &RuleSet {
        self.0.as_ref().expect("it is taken out only when it is dropped")
    }
}

impl Drop for CandidateSet {
    fn drop(&mut self) {
        let set = self.0.take();
        if Handle::try_current().is_ok() {
            // Nobody waits for it.
            drop(spawn_blocking(move || drop(set)));
        }
    }
}

impl RulesEditor {
    /// The set that these edits would make; `Refused` says why there is none.
    pub async fn candidate_set(&self, edits: Edits) -> Result<CandidateSet, EditError> {
        self.compile(edits, |candidate| {
            let loaded = candidate.load();
            match loaded.set {
                Some(set) => Ok(CandidateSet::new(set)),
                None => {
                    let mut findings = loaded.findings;
                    findings.retain(crate::diagnostic::Diagnostic::is_error);
                    Err(EditError::Refused(findings))
                }
            }
        })
        .await
    }

    /// Makes the candidate and works on it, alone.
    pub(super) async fn compile<T: Send + 'static>(
        &self,
        edits: Edits,
        work: impl FnOnce(&Candidate) -> Result<T, EditError> + Send + 'static,
    ) -> Result<T, EditError> {
        let source = self.reloader.source().clone();
        self.alone(move || work(&Candidate::of(&source, &edits)?)).await?
    }

    /// Works on a thread of its own, one at a time: pushes need the other core.
    pub(super) async fn alone<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EditError> {
        let busy = || EditError::Busy("the rules are being worked on for several people already");
        let waiting = Arc::clone(&self.waiting)
            .try_acquire_owned()
            .map_err(|_| busy())?;
        let compiling = Arc::clone(&self.compiling).acquire_owned().await;
        let compiling = compiling.map_err(|_| busy())?;
        let work = move || {
            // The work goes on when nobody waits for it any more, and the next one waits for its end.
            let _held = (waiting, compiling);
            work()
        };
        Ok(spawn_blocking(work).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::editing::testing::folder;

    #[test]
    fn edits_are_laid_over_the_disk_in_the_order_of_a_folder() {
        let folder = folder(&[("a/z.toml", "z"), ("b.toml", "b"), ("menu.png", "x")]);
        let source = RulesSource {
            path: folder.path().to_owned(),
            ..RulesSource::without_config()
        };
        let edits = Edits::none()
            .write("a.toml", "new")
            .write("a/z.toml", "Z")
            .delete("b.toml");
        let candidate = Candidate::of(&source, &edits).expect("readable");
        let told: Vec<(&str, &str)> = candidate
            .files
            .sources
            .iter()
            .map(|source| (source.path.to_str().expect("UTF-8"), &*source.text))
            .collect();
        assert_eq!(told, [("a.toml", "new"), ("a/z.toml", "Z")]);
        assert_eq!(candidate.files.media.len(), 1);
        std::fs::write(folder.path().join("gbk.toml"), b"\xbc\xdb").expect("written");
        Candidate::of(&source, &edits).expect_err("no UTF-8");
        Candidate::of(&source, &edits.clone().delete("gbk.toml")).expect("it is not there then");
        let outside = Edits::none().write("../a.toml", "");
        assert!(matches!(
            Candidate::of(&source, &outside),
            Err(EditError::Path { .. })
        ));
    }
    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_still_holds_up_the_next() {
        use std::sync::mpsc;
        use std::time::Duration;

        use tokio::time::timeout;

        let world = crate::editing::testing::editor(&[("a.toml", crate::editing::testing::HELLO)]).await;
        let editor = &world.editor;
        let (go_on, wait) = mpsc::channel::<()>();
        let first = editor.alone(move || wait.recv());
        let left = timeout(Duration::from_millis(100), first).await;
        assert!(left.is_err(), "it is not done, and nobody waits for it");
        let second = editor.alone(|| ());
        assert!(
            timeout(Duration::from_millis(100), second).await.is_err(),
            "two at once"
        );
        go_on.send(()).expect("it still works");
        editor.alone(|| ()).await.expect("it is over");
    }
}
