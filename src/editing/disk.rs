//! Rule files on the disk: which paths they may have, and how several are written whole or not at all.

use std::fmt;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::EditError;
use crate::reload::{ReadError, is_ignored};

/// The longest path that is taken; file systems have limits of their own.
const MAX_PATH: usize = 1024;

/// The hash of a file, by which an editor tells what it started from: SHA-256, as 64 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TextHash(String);

impl TextHash {
    /// The hash of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self::of_bytes(text.as_bytes())
    }

    /// The hash of what a file holds, text or not.
    fn of_bytes(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let mut hex = String::with_capacity(64);
        for byte in digest {
            // Writing to a `String` can't fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Self(hex)
    }

    /// A hash that came back from an editor.
    #[must_use]
    pub fn from_hex(hex: impl Into<String>) -> Self {
        Self(hex.into())
    }
}

impl fmt::Display for TextHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is to become of one rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its path within the rules folder, `/` between parts.
    pub path: String,
    /// What the editor started from; nothing when the file must not be there yet.
    pub base: Option<TextHash>,
    /// Its new text; nothing deletes it.
    pub text: Option<String>,
}

impl Change {
    /// Fails when the disk has something else than the editor started from.
    fn starts_from(&self, disk: Option<&[u8]>) -> Result<(), EditError> {
        if disk.map(TextHash::of_bytes) == self.base {
            return Ok(());
        }
        Err(EditError::Conflict {
            path: self.path.clone(),
            disk: disk.map(shown),
        })
    }
}

/// Whether a path can be that of a rule file at `rules`, a folder or a lone file.
pub(super) fn is_rule_file(rules: &Path, path: &str) -> Result<(), EditError> {
    let wrong = |why| {
        Err(EditError::Path {
            path: path.to_owned(),
            why,
        })
    };
    if rules.is_file() {
        let only = rules.file_name().is_some_and(|name| name == path);
        return if only {
            Ok(())
        } else {
            Err(EditError::LoneFile(rules.to_owned()))
        };
    }
    if path.len() > MAX_PATH || path.split('/').any(|part| part.len() > 200) {
        return wrong("it is too long");
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return wrong("it holds a character that no file name should have");
    }
    let mut parts = path.split('/');
    if parts.clone().any(str::is_empty) || parts.clone().any(|part| part == "." || part == "..") {
        return wrong("write it relative to the rules folder, without `..`");
    }
    if parts.any(is_ignored) {
        return wrong("hidden files and editors' backups are never read");
    }
    if Path::new(path)
        .extension()
        .is_none_or(|extension| extension != "toml")
    {
        return wrong("rule files end with .toml");
    }
    Ok(())
}

/// The text of a rule file, which may be a link, and its hash; nothing when there is none. What is no UTF-8 is shown with signs
/// in its place, so that it can be mended. Blocks.
pub(super) fn read_to_show(rules: &Path, path: &str) -> Result<Option<(String, TextHash)>, EditError> {
    is_rule_file(rules, path)?;
    let place = if rules.is_file() {
        rules.to_owned()
    } else {
        rules.join(path)
    };
    let bytes = bytes_of(&place).map_err(|cause| {
        EditError::Read(ReadError {
            path: place.clone(),
            cause,
        })
    })?;
    Ok(bytes.map(|bytes| (shown(&bytes), TextHash::of_bytes(&bytes))))
}

/// Fails when a file can't be written here, or is not what its change started from. Blocks.
pub(super) fn conflicts(rules: &Path, changes: &[Change]) -> Result<(), EditError> {
    for change in changes {
        let place = place(rules, &change.path)?;
        let now = bytes_of(&place).map_err(|cause| write_error(&place, cause))?;
        change.starts_from(now.as_deref())?;
    }
    Ok(())
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn bytes_of(place: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(place) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write_error(place: &Path, cause: io::Error) -> EditError {
    EditError::Write {
        path: place.to_owned(),
        cause,
    }
}

/// Where a rule file lies. Nothing below the rules folder may be a link: it would lead out of it, or into something
/// that others keep.
fn place(rules: &Path, path: &str) -> Result<PathBuf, EditError> {
    is_rule_file(rules, path)?;
    let linked = |place: &Path| fs::symlink_metadata(place).is_ok_and(|metadata| metadata.is_symlink());
    let refused = || EditError::Linked {
        path: path.to_owned(),
    };
    if rules.is_file() {
        return if linked(rules) {
            Err(refused())
        } else {
            Ok(rules.to_owned())
        };
    }
    let mut place = rules.to_owned();
    for part in path.split('/') {
        place.push(part);
        if linked(&place) {
            return Err(refused());
        }
    }
    Ok(place)
}

/// Writes and deletes files, all or none of them as far as a file system allows: each new text lies beside its file,
/// flushed, before the first takes its place, and what was done is undone when a later one fails. Fails when a file is not
/// what its change started from. Blocks.
pub(super) fn apply(rules: &Path, changes: &[Change]) -> Result<(), EditError> {
    let mut staged = Vec::with_capacity(changes.len());
    for change in changes {
        staged.push(Staged::stage(rules, change)?);
    }
    // Writing took a while.
    for (staged, change) in staged.iter().zip(changes) {
        staged.still(change)?;
    }
    let mut done = 0;
    let failed = staged.iter_mut().find_map(|staged| {
        let error = staged.commit().err();
        done += usize::from(error.is_none());
        error.map(|cause| write_error(&staged.place, cause))
    });
    if let Some(error) = failed {
        for staged in &staged[..done] {
            staged.undo();
        }
        return Err(error);
    }
    for staged in &staged {
        staged.flush_folder();
    }
    Ok(())
}

/// A change that is ready to happen. What is left over of it is removed when it is dropped.
struct Staged {
    place: PathBuf,
    before: Option<Vec<u8>>,
    /// Who may do what with the file that was there.
    metadata: Option<fs::Metadata>,
    /// Holds the new text, until it has taken the file's place.
    temporary: Option<PathBuf>,
    /// Folders that were made for it, the outermost first.
    made: Vec<PathBuf>,
}

impl Staged {
    fn stage(rules: &Path, change: &Change) -> Result<Self, EditError> {
        let place = place(rules, &change.path)?;
        let before = bytes_of(&place).map_err(|cause| write_error(&place, cause))?;
        let mut staged = Self {
            before,
            metadata: fs::metadata(&place).ok(),
            temporary: None,
            made: Vec::new(),
            place,
        };
        change.starts_from(staged.before.as_deref())?;
        let Some(text) = &change.text else {
            return match staged.before {
                Some(_) => Ok(staged),
                None => Err(EditError::NoFile(change.path.clone())),
            };
        };
        let written = staged.prepare(text);
        written.map_err(|cause| write_error(&staged.place, cause))?;
        Ok(staged)
    }

    /// Fails when somebody changed the file since it was staged.
    fn still(&self, change: &Change) -> Result<(), EditError> {
        let now = bytes_of(&self.place).map_err(|cause| write_error(&self.place, cause))?;
        change.starts_from(now.as_deref())
    }

    fn prepare(&mut self, text: &str) -> io::Result<()> {
        let mut missing = Vec::new();
        let mut folder = self.place.parent();
        while let Some(above) = folder.filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
            missing.push(above.to_owned());
            folder = above.parent();
        }
        for folder in missing.into_iter().rev() {
            fs::create_dir(&folder)?;
            self.made.push(folder);
        }
        let old = self.metadata.as_ref();
        if old.is_some_and(|old| old.permissions().readonly()) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the file is read-only",
            ));
        }
        self.temporary = Some(write_beside(&self.place, text.as_bytes(), old)?);
        Ok(())
    }

    fn commit(&mut self) -> io::Result<()> {
        match self.temporary.take() {
            Some(temporary) => fs::rename(&temporary, &self.place).inspect_err(|_| {
                self.temporary = Some(temporary);
            }),
            None => fs::remove_file(&self.place),
        }?;
        // They hold something now.
        self.made.clear();
        Ok(())
    }

    /// Puts back what was there. Should that fail too, the next check says what the disk has.
    fn undo(&self) {
        let undone = match &self.before {
            Some(bytes) => write_beside(&self.place, bytes, self.metadata.as_ref())
                .and_then(|temporary| fs::rename(temporary, &self.place)),
            None => fs::remove_file(&self.place),
        };
        if let Err(error) = undone {
            let path = self.place.display();
            tracing::error!(
                "{path} could not be put back after another rule file could not be written: {error}"
            );
        }
    }

    /// A name is as durable as the folder that holds it.
    fn flush_folder(&self) {
        if let Some(folder) = self.place.parent().and_then(|folder| File::open(folder).ok()) {
            // Some file systems can't; the file itself is flushed.
            let _ = folder.sync_all();
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What stays behind is hidden, and never read.
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
        for folder in self.made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Writes a file beside another, under a hidden name; whoever might read or write `old` may do so with it.
fn write_beside(place: &Path, bytes: &[u8], old: Option<&fs::Metadata>) -> io::Result<PathBuf> {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let temporary = place.with_file_name(format!(".{name}.{:08x}", rand::random::<u32>()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| old.map_or(Ok(()), |old| keep_access(&file, old)))
        .and_then(|()| file.sync_all());
    match written {
        Ok(()) => Ok(temporary),
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// Gives a new file the owner, the group and the permissions of the old one.
fn keep_access(file: &File, old: &fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let new = file.metadata()?;
        if old.gid() != new.gid() && fchown(file, None, Some(old.gid())).is_err() {
            let (group, others) = (old.mode() >> 3 & 7, old.mode() & 7);
            if group & !others != 0 {
                let gid = old.gid();
                let why = format!("its group ({gid}) may use it, and could not be given the new one");
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
            }
        }
        if old.uid() != new.uid() {
            // Only root may give a file away; whoever may write the folder can save all the same.
            let _ = fchown(file, Some(old.uid()), None);
        }
    }
    // Last: giving it away takes some of them.
    file.set_permissions(old.permissions())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::editing::testing::folder;

    fn change(path: &str, base: Option<&str>, text: Option<&str>) -> Change {
        Change {
            path: path.into(),
            base: base.map(TextHash::of),
            text: text.map(str::to_owned),
        }
    }

    /// All files there, hidden ones too.
    fn files(folder: &Path) -> Vec<(String, String)> {
        let mut all = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).expect("readable").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    let name = path.strip_prefix(folder).expect("below").display();
                    all.push((format!("{name}/"), String::new()));
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(folder).expect("below").display().to_string();
                    all.push((name, fs::read_to_string(path).expect("readable")));
                }
            }
        }
        all.sort();
        all
    }

    fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut all: Vec<_> = files
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn files_are_written_made_and_deleted_together() {
        let folder = folder(&[("a.toml", "a"), ("b.toml", "b")]);
        let changes = [
            change("a.toml", Some("a"), Some("A")),
            change("sub/deep/new.toml", None, Some("new")),
            change("b.toml", Some("b"), None),
        ];
        apply(folder.path(), &changes).expect("written");
        let expected = [
            ("a.toml", "A"),
            ("sub/", ""),
            ("sub/deep/", ""),
            ("sub/deep/new.toml", "new"),
        ];
        assert_eq!(files(folder.path()), owned(&expected));
    }

    #[test]
    fn what_somebody_else_changed_stays_and_so_does_everything_else() {
        let before = [("a.toml", "a"), ("b.toml", "theirs")];
        let folder = folder(&before);
        let first = || change("a.toml", Some("a"), Some("A"));
        for (second, disk) in [
            (change("b.toml", Some("b"), Some("B")), Some("theirs")),
            (change("b.toml", Some("b"), None), Some("theirs")),
            (change("b.toml", None, Some("B")), Some("theirs")),
            (change("new/c.toml", Some("c"), Some("C")), None),
            (change("c.toml", Some("c"), None), None),
        ] {
            match apply(folder.path(), &[first(), second.clone()]) {
                Err(EditError::Conflict { path, disk: found }) => {
                    assert_eq!((path, found.as_deref()), (second.path, disk));
                }
                other => panic!("{second:?}: {other:?}"),
            }
            assert_eq!(files(folder.path()), owned(&before));
        }
        let nothing = apply(folder.path(), &[first(), change("c.toml", None, None)]);
        assert!(matches!(nothing, Err(EditError::NoFile(path)) if path == "c.toml"));
        assert_eq!(files(folder.path()), owned(&before));
    }

    #[test]
    fn when_one_file_can_not_take_its_place_the_others_are_put_back() {
        let folder = folder(&[("a.toml", "a"), ("b.toml", "b")]);
        let changes = [
            change("a.toml", Some("a"), Some("A")),
            change("new/c.toml", None, Some("C")),
            change("b.toml", Some("b"), Some("B")),
        ];
        // What is deleted twice is not there the second time.
        let gone = || change("b.toml", Some("b"), None);
        let [first, second, third] = changes.clone();
        let failed = apply(folder.path(), &[first, second, gone(), gone()]);
        assert!(matches!(failed, Err(EditError::Write { path, .. }) if path.ends_with("b.toml")));
        let expected = [("a.toml", "a"), ("b.toml", "b"), ("new/", "")];
        assert_eq!(files(folder.path()), owned(&expected));

        // A folder where a file should be: `rename` refuses, after the first file has its new text.
        let mut staged = Staged::stage(folder.path(), &third).expect("staged");
        fs::remove_file(folder.path().join("b.toml")).expect("removed");
        fs::create_dir(folder.path().join("b.toml")).expect("made");
        staged.commit().expect_err("a folder is in the way");
        drop(staged);
        assert!(
            files(folder.path())
                .iter()
                .all(|(name, _)| !name.starts_with('.'))
        );
    }

    #[test]
    fn paths_that_lead_elsewhere_or_are_never_read_are_refused() {
        let folder = folder(&[("a.toml", "a")]);
        for path in [
            "",
            "/etc/a.toml",
            "../a.toml",
            "x/../../a.toml",
            "./a.toml",
            "x//a.toml",
            "a.txt",
            ".a.toml",
            ".git/a.toml",
            "#a.toml",
            "toml",
            "x\\a.toml",
            "a\n.toml",
            &format!("{}.toml", "a".repeat(300)),
        ] {
            let refused = apply(folder.path(), &[change(path, None, Some("x"))]);
            assert!(
                matches!(refused, Err(EditError::Path { .. })),
                "{path:?}: {refused:?}"
            );
        }
        assert_eq!(files(folder.path()), owned(&[("a.toml", "a")]));
        is_rule_file(folder.path(), "门店/营业.toml").expect("any script");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_left_to_whoever_made_them() {
        use std::os::unix::fs::symlink;
        let (folder, elsewhere) = (folder(&[("..data/a.toml", "a")]), folder(&[("x.toml", "x")]));
        symlink("..data/a.toml", folder.path().join("a.toml")).expect("linked");
        symlink(elsewhere.path(), folder.path().join("out")).expect("linked");
        for (path, base) in [
            ("a.toml", Some("a")),
            ("out/x.toml", Some("x")),
            ("out/new.toml", None),
        ] {
            let refused = apply(folder.path(), &[change(path, base, Some("X"))]);
            assert!(
                matches!(refused, Err(EditError::Linked { .. })),
                "{path}: {refused:?}"
            );
        }
        assert_eq!(files(elsewhere.path()), owned(&[("x.toml", "x")]));
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay_and_a_read_only_file_is_not_written() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder(&[("a.toml", "a")]);
        let path = folder.path().join("a.toml");
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        mode(0o640);
        apply(folder.path(), &[change("a.toml", Some("a"), Some("b"))]).expect("written");
        let kept = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(kept & 0o777, 0o640);
        mode(0o444);
        let refused = apply(folder.path(), &[change("a.toml", Some("b"), Some("c"))]);
        let told = refused.expect_err("read-only").to_string();
        assert!(
            told.contains("read-only") && told.contains("right to write"),
            "{told}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn owner_and_group_stay() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
        let folder = folder(&[("a.toml", "a")]);
        let path = folder.path().join("a.toml");
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        // Only root can make such a file.
        if chown(&path, Some(1234), Some(5678)).is_err() {
            return;
        }
        mode(0o640);
        apply(folder.path(), &[change("a.toml", Some("a"), Some("b"))]).expect("written");
        let kept = fs::metadata(&path).expect("there");
        assert_eq!((kept.uid(), kept.gid(), kept.mode() & 0o777), (1234, 5678, 0o640));
        let gone = || change("a.toml", Some("b"), None);
        apply(folder.path(), &[gone(), gone()]).expect_err("gone the second time");
        let back = fs::metadata(&path).expect("put back");
        assert_eq!((back.uid(), back.gid(), back.mode() & 0o777), (1234, 5678, 0o640));
    }

    #[test]
    fn what_is_no_utf_8_can_be_shown_and_replaced() {
        let folder = folder(&[("a.toml", "")]);
        let path = folder.path().join("a.toml");
        let gbk = b"# \xbc\xdb\xb8\xf1\n";
        fs::write(&path, gbk).expect("written");
        let (text, hash) = read_to_show(folder.path(), "a.toml")
            .expect("readable")
            .expect("there");
        assert!(text.starts_with("# \u{fffd}"), "{text}");
        let new = |base| Change {
            path: "a.toml".into(),
            base,
            text: Some("# 营业\n".into()),
        };
        let shown = Some(TextHash::of(&text));
        let other = apply(folder.path(), &[new(shown)]);
        assert!(matches!(other, Err(EditError::Conflict { disk: Some(disk), .. }) if disk == text));
        let failed = apply(
            folder.path(),
            &[new(Some(hash.clone())), change("b.toml", None, None)],
        );
        failed.expect_err("nothing to delete");
        assert_eq!(fs::read(&path).expect("readable"), gbk);
        apply(folder.path(), &[new(Some(hash))]).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("readable"), "# 营业\n");
    }

    #[test]
    fn a_lone_file_has_no_other_beside_it() {
        let folder = folder(&[("shop.rules", "a"), ("b.toml", "b")]);
        let lone = folder.path().join("shop.rules");
        apply(&lone, &[change("shop.rules", Some("a"), Some("A"))]).expect("written");
        let read = read_to_show(&lone, "shop.rules").expect("readable");
        assert_eq!(read, Some(("A".to_owned(), TextHash::of("A"))));
        let other = apply(&lone, &[change("b.toml", Some("b"), Some("B"))]);
        assert!(matches!(other, Err(EditError::LoneFile(_))), "{other:?}");
    }
}
