//! Saving: the rules as they would be are tried first, then written, then loaded.

use super::disk::{self, Change, TextHash};
use super::{Candidate, EditError, Edits, RulesEditor};
use crate::message::RuleSetVersion;

/// A rule file as it lies on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFile {
    /// Its path within the rules folder.
    pub path: String,
    /// Its text.
    pub text: String,
    /// The hash of its text: what a change of it starts from.
    pub hash: TextHash,
}

/// What became of a change that is on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The version in force.
    pub version: RuleSetVersion,
    /// Why that is not what is on the disk, though it was when it was tried: findings, rendered. Empty, when all is
    /// well.
    pub refused: Vec<String>,
}

impl RulesEditor {
    /// All rule files, in the order in which their rules are tried.
    pub async fn files(&self) -> Result<Vec<DiskFile>, EditError> {
        let source = self.reloader.source().clone();
        let read = move || crate::reload::read_rule_files(&source.path);
        let files = tokio::task::spawn_blocking(read).await??;
        let file = |source: crate::diagnostic::Source| DiskFile {
            path: source.path.to_string_lossy().into_owned(),
            hash: TextHash::of(&source.text),
            text: source.text.as_ref().to_owned(),
        };
        Ok(files.sources.into_iter().map(file).collect())
    }

    /// One rule file.
    pub async fn file(&self, path: &str) -> Result<DiskFile, EditError> {
        let (rules, path) = (self.reloader.source().path.clone(), path.to_owned());
        let read = move || match disk::read_to_show(&rules, &path)? {
            Some((text, hash)) => Ok(DiskFile { path, text, hash }),
            None => Err(EditError::NoFile(path)),
        };
        tokio::task::spawn_blocking(read).await?
    }

    /// Writes, makes and deletes rule files, all or none, and loads the rules. Nothing happens when a file is not what
    /// its change started from ([`EditError::Conflict`]), or when the rules would have an error or a failing test then
    /// ([`EditError::Refused`]).
    pub async fn save(&self, changes: Vec<Change>) -> Result<Saved, EditError> {
        let _saving = self.saving.lock().await;
        self.refuse_conflicts(&changes).await?;
        let edits = changes
            .iter()
            .fold(Edits::none(), |edits, change| match &change.text {
                Some(text) => edits.write(&change.path, text.as_str()),
                None => edits.delete(&change.path),
            });
        let (policies, was_empty) = (self.reloader.policies().clone(), self.was_empty());
        self.compile(edits, move |candidate: &Candidate| {
            match candidate.objections(&policies, was_empty) {
                objections if objections.is_empty() => Ok(()),
                objections => Err(EditError::Refused(objections)),
            }
        })
        .await?;
        self.write(changes).await
    }

    /// Before anything is compiled: who saves wants to know of a conflict rather than of a failing test.
    async fn refuse_conflicts(&self, changes: &[Change]) -> Result<(), EditError> {
        let (rules, changes) = (self.reloader.source().path.clone(), changes.to_vec());
        tokio::task::spawn_blocking(move || disk::conflicts(&rules, &changes)).await?
    }

    /// Writes files and loads the rules. `self.saving` must be held.
    pub(super) async fn write(&self, changes: Vec<Change>) -> Result<Saved, EditError> {
        let rules = self.reloader.source().path.clone();
        let write = move || disk::apply(&rules, &changes);
        let (written, reloaded) = self.reloader.reload_after(write, Result::is_ok).await?;
        written?;
        let refused = match reloaded {
            Some(Err(findings)) => findings,
            _ => Vec::new(),
        };
        Ok(Saved {
            version: self.reloader.status().version,
            refused,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::editing::testing::{HELLO, editor};

    fn change(path: &str, base: Option<&str>, text: Option<&str>) -> Change {
        Change {
            path: path.into(),
            base: base.map(TextHash::of),
            text: text.map(str::to_owned),
        }
    }

    #[tokio::test]
    async fn what_is_saved_is_in_force() {
        let world = editor(&[("a.toml", HELLO)]).await;
        let before = world.reloader.status().version;
        let new = HELLO.replace("reply = \"hello\"", "reply = \"hello!\"");
        let saved = world
            .editor
            .save(vec![change("a.toml", Some(HELLO), Some(&new))])
            .await;
        let saved = saved.expect("saved");
        assert_ne!(saved.version, before);
        assert_eq!(saved.refused, Vec::<String>::new());
        assert_eq!(world.reloader.live().borrow().version(), &saved.version);
        let file = world.editor.file("a.toml").await.expect("there");
        assert_eq!(
            (file.text.as_str(), &file.hash),
            (new.as_str(), &TextHash::of(&new))
        );

        let more = "[[rule]]\nname = \"more\"\nwhen.exact = \"more\"\nreply = \"more\"\n";
        let made = world
            .editor
            .save(vec![change("sub/b.toml", None, Some(more))])
            .await;
        made.expect("made");
        assert_eq!(world.reloader.status().count, 2);
        let paths: Vec<String> = world
            .editor
            .files()
            .await
            .expect("readable")
            .into_iter()
            .map(|f| f.path)
            .collect();
        assert_eq!(paths, ["a.toml", "sub/b.toml"]);
        let deleted = world
            .editor
            .save(vec![change("sub/b.toml", Some(more), None)])
            .await;
        deleted.expect("deleted");
        assert_eq!(world.reloader.status().count, 1);
        assert!(matches!(
            world.editor.file("sub/b.toml").await,
            Err(EditError::NoFile(_))
        ));
    }

    #[tokio::test]
    async fn rules_that_a_reload_would_refuse_are_not_written() {
        let world = editor(&[("a.toml", HELLO)]).await;
        for (text, code) in [
            ("[[rule]]\n", "E005"),
            (
                &*HELLO.replace(
                    "expect = { rule = \"hello\" }",
                    "expect = { outcome = \"unmatched\" }",
                ),
                "E030",
            ),
        ] {
            let refused = world
                .editor
                .save(vec![change("a.toml", Some(HELLO), Some(text))])
                .await;
            match refused {
                Err(EditError::Refused(findings)) => assert_eq!(findings[0].code, code),
                other => panic!("{other:?}"),
            }
            assert_eq!(world.read("a.toml").as_deref(), Some(HELLO));
        }
        let last = world.editor.save(vec![change("a.toml", Some(HELLO), None)]).await;
        assert!(matches!(last, Err(EditError::Refused(_))), "{last:?}");
        assert!(
            world.reloader.status().last_error.is_none(),
            "it never came to a reload"
        );
    }

    #[tokio::test]
    async fn a_file_changed_meanwhile_is_shown_not_overwritten() {
        let world = editor(&[("a.toml", HELLO)]).await;
        let theirs = format!("# theirs\n{HELLO}");
        fs::write(world.rules.path().join("a.toml"), &theirs).expect("written");
        // Neither of them loads: the conflict is told first.
        let mine = world
            .editor
            .save(vec![change("a.toml", Some(HELLO), Some("[[rule]]"))])
            .await;
        match mine {
            Err(EditError::Conflict { path, disk }) => {
                assert_eq!(
                    (path.as_str(), disk.as_deref()),
                    ("a.toml", Some(theirs.as_str()))
                );
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(world.read("a.toml").as_deref(), Some(theirs.as_str()));
    }

    #[tokio::test]
    async fn two_broken_files_are_mended_together() {
        let world = editor(&[("a.toml", HELLO)]).await;
        fs::write(world.rules.path().join("b.toml"), "[[rule]]\n").expect("written");
        fs::write(world.rules.path().join("c.toml"), "= 1\n").expect("written");
        world.reloader.reload().await.expect_err("broken");
        let one = world
            .editor
            .save(vec![change("b.toml", Some("[[rule]]\n"), Some("# none\n"))])
            .await;
        assert!(matches!(one, Err(EditError::Refused(_))));
        let both = vec![
            change("b.toml", Some("[[rule]]\n"), Some("# none\n")),
            change("c.toml", Some("= 1\n"), None),
        ];
        world.editor.save(both).await.expect("saved");
        assert!(world.reloader.status().last_error.is_none());
    }

    #[tokio::test]
    async fn of_two_who_save_at_once_the_second_is_told() {
        let world = editor(&[("a.toml", HELLO)]).await;
        let text = |n: u32| HELLO.replace("reply = \"hello\"", &format!("reply = \"hello {n}\""));
        let (one, two) = (text(1), text(2));
        let (first, second) = tokio::join!(
            world.editor.save(vec![change("a.toml", Some(HELLO), Some(&one))]),
            world.editor.save(vec![change("a.toml", Some(HELLO), Some(&two))]),
        );
        first.expect("saved");
        assert!(matches!(second, Err(EditError::Conflict { .. })), "{second:?}");
        assert_eq!(world.read("a.toml"), Some(one));
    }
}
