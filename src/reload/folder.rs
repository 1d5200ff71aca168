//! The rules as they lie on the disk: a folder, or one file.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::diagnostic::Source;
use crate::rules::{HEAD, MediaFile};

/// Folders within folders; a loop of symbolic links ends here.
const MAX_DEPTH: usize = 16;

/// What lies there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleFiles {
    /// The `*.toml` files, in the order of their paths (relative to the folder, `/` between parts).
    pub sources: Vec<Source>,
    /// All other files, by such a path.
    pub media: BTreeMap<PathBuf, MediaFile>,
}

/// Something that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the rules can't be read: {}: {cause}", path.display())]
pub struct ReadError {
    /// What.
    pub path: PathBuf,
    /// Why.
    pub cause: io::Error,
}

/// The folder that media are relative to: the rules folder, or the one that the rules file lies in.
#[must_use]
pub fn media_root(rules: &Path) -> &Path {
    if rules.is_dir() {
        rules
    } else {
        rules.parent().unwrap_or(rules)
    }
}

/// Reads all rule files at `rules`, a folder or a file.
pub fn read(rules: &Path) -> Result<RuleFiles, ReadError> {
    read_except(rules, |_| false)
}

/// The same without the rule files whose name within the folder is `left_out`: nothing of these is read, readable or not.
pub fn read_except(rules: &Path, left_out: impl Fn(&str) -> bool) -> Result<RuleFiles, ReadError> {
    let mut files = RuleFiles::default();
    for file in list(rules)? {
        if file.is_source && left_out(&file.name) {
            continue;
        }
        if file.is_source {
            let text = fs::read_to_string(&file.path).map_err(|cause| ReadError {
                path: file.path,
                cause: match cause.kind() {
                    io::ErrorKind::InvalidData => io::Error::other("this is no UTF-8 text; save it as UTF-8"),
                    _ => cause,
                },
            })?;
            files.sources.push(Source::new(file.name, text));
        } else {
            let media = MediaFile::new(file.size, head(&file.path).as_deref());
            files.media.insert(file.name.into(), media);
        }
    }
    Ok(files)
}

/// The first bytes of a file, which tell what it holds.
fn head(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let file = fs::File::open(path).ok()?;
    file.take(HEAD as u64).read_to_end(&mut head).ok()?;
    Some(head)
}

/// A number that changes when a file does, without reading any: names, sizes, times, and which file stands behind a
/// name.
pub fn fingerprint(rules: &Path) -> Result<u64, ReadError> {
    let mut hasher = DefaultHasher::new();
    list(rules)?.hash(&mut hasher);
    Ok(hasher.finish())
}

/// Whether a rule file is empty, and was not yet `within` ago.
pub fn just_emptied(rules: &Path, now: SystemTime, within: Duration) -> bool {
    let recently = |time: SystemTime| now.duration_since(time).is_ok_and(|age| age < within);
    list(rules).is_ok_and(|files| {
        files
            .iter()
            .any(|file| file.is_source && file.size == 0 && file.modified.is_some_and(recently))
    })
}

#[derive(Hash)]
struct File {
    /// Relative, with `/` between parts.
    name: String,
    path: PathBuf,
    is_source: bool,
    size: u64,
    modified: Option<SystemTime>,
    /// Swapped symbolic links (Kubernetes' ConfigMaps) may keep size and time.
    inode: u64,
    /// When it changed in any way, such as becoming readable; seconds and nanoseconds.
    changed: (i64, i64),
}

/// All files, sorted by name.
fn list(rules: &Path) -> Result<Vec<File>, ReadError> {
    let mut files = Vec::new();
    let error = |cause| ReadError {
        path: rules.to_owned(),
        cause,
    };
    if fs::metadata(rules).map_err(error)?.is_dir() {
        walk(rules, "", 0, &mut files)?;
    } else {
        let name = rules.file_name().unwrap_or_default().to_string_lossy();
        let mut only = file(name.into_owned(), rules.to_owned()).map_err(error)?;
        only.is_source = true;
        files.push(only);
        let folder = rules.parent().filter(|p| !p.as_os_str().is_empty());
        pictures(folder.unwrap_or(Path::new(".")), "", &mut files);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// The pictures beside a lone rule file, and in the folders beside it. Nothing else there is ours: it may be anybody's
/// folder, with a database in it that changes every second, or folders that we may not enter.
fn pictures(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str().filter(|name| !is_ignored(name)) else {
            continue;
        };
        if path.is_dir() && prefix.is_empty() {
            pictures(&path, &format!("{name}/"), files);
        } else if path.is_file() && is_picture(&path) {
            files.extend(file(format!("{prefix}{name}"), path));
        }
    }
}

fn is_picture(path: &Path) -> bool {
    const PICTURES: [&str; 5] = ["png", "jpg", "jpeg", "gif", "bmp"];
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    PICTURES.iter().any(|p| extension.eq_ignore_ascii_case(p))
}

fn walk(folder: &Path, prefix: &str, depth: usize, files: &mut Vec<File>) -> Result<(), ReadError> {
    let error = |path: &Path, cause| ReadError {
        path: path.to_owned(),
        cause,
    };
    if depth > MAX_DEPTH {
        let cause = io::Error::other("folders lie too deep in each other; is it a loop of symbolic links?");
        return Err(error(folder, cause));
    }
    for entry in fs::read_dir(folder).map_err(|cause| error(folder, cause))? {
        let entry = entry.map_err(|cause| error(folder, cause))?;
        let path = entry.path();
        let name = entry.file_name();
        let shown = name.to_string_lossy();
        if is_ignored(&shown) {
            continue;
        }
        let Some(name) = name.to_str() else {
            if path.extension().is_some_and(|extension| extension == "toml") {
                let cause = io::Error::other("its name is no UTF-8; rename it");
                return Err(error(&path, cause));
            }
            continue;
        };
        let name = format!("{prefix}{name}");
        // Follows symbolic links, which is how a ConfigMap is mounted.
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => walk(&path, &format!("{name}/"), depth + 1, files)?,
            Ok(metadata) if metadata.is_file() => {
                files.push(file(name, path.clone()).map_err(|cause| error(&path, cause))?);
            }
            // A socket or the like; or a file that an editor just replaced, whose coming brings us here again.
            Ok(_) => {}
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(error(&path, cause)),
        }
    }
    Ok(())
}

fn file(name: String, path: PathBuf) -> io::Result<File> {
    let metadata = fs::metadata(&path)?;
    #[cfg(unix)]
    let (inode, changed) = {
        use std::os::unix::fs::MetadataExt;
        (metadata.ino(), (metadata.ctime(), metadata.ctime_nsec()))
    };
    #[cfg(not(unix))]
    let (inode, changed) = (0, (0, 0));
    Ok(File {
        is_source: Path::new(&name).extension().is_some_and(|e| e == "toml"),
        name,
        path,
        size: metadata.len(),
        modified: metadata.modified().ok(),
        inode,
        changed,
    })
}

/// Hidden files, and what editors leave beside a file while and after it is written.
#[must_use]
pub fn is_ignored(name: &str) -> bool {
    name.starts_with(['.', '#']) || name.ends_with('~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }
        folder
    }

    fn names(files: &RuleFiles) -> Vec<&str> {
        files.sources.iter().filter_map(|s| s.path.to_str()).collect()
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_its_paths() {
        let folder = folder(&[
            ("b.toml", "b"),
            ("a/z.toml", "z"),
            ("a.toml", "a"),
            ("a/deep/x.toml", "x"),
            ("images/menu.png", "12345"),
            ("README.md", "words"),
        ]);
        let files = read(folder.path()).expect("readable");
        assert_eq!(names(&files), ["a.toml", "a/deep/x.toml", "a/z.toml", "b.toml"]);
        assert_eq!(&*files.sources[0].text, "a");
        assert_eq!(
            files.media[Path::new("images/menu.png")],
            MediaFile::new(5, Some(b"12345"))
        );
        assert_eq!(files.media.len(), 2);
    }

    #[test]
    fn what_is_hidden_or_an_editors_is_left_out() {
        let folder = folder(&[
            ("a.toml", ""),
            (".a.toml.swp", ""),
            (".hidden.toml", ""),
            ("#a.toml#", ""),
            (".#a.toml", ""),
            ("a.toml~", ""),
            (".git/config.toml", ""),
        ]);
        let files = read(folder.path()).expect("readable");
        assert_eq!(names(&files), ["a.toml"]);
        assert!(files.media.is_empty());
    }

    #[test]
    fn one_file_is_enough_and_pictures_lie_beside_it() {
        let folder = folder(&[
            ("one.rules", "x"),
            ("other.toml", "y"),
            ("wxreply.db", "z"),
            ("menu.png", "123"),
            ("images/b.JPG", "4567"),
            ("images/deeper/c.png", ""),
        ]);
        let rules = folder.path().join("one.rules");
        let files = read(&rules).expect("readable");
        assert_eq!(names(&files), ["one.rules"]);
        let media: Vec<_> = files
            .media
            .iter()
            .map(|(p, file)| (p.to_str(), file.size()))
            .collect();
        assert_eq!(media, [(Some("images/b.JPG"), 4), (Some("menu.png"), 3)]);
        assert_eq!(media_root(&rules), folder.path());
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        let folder = folder(&[]);
        let gone = read(&folder.path().join("gone"))
            .expect_err("not there")
            .to_string();
        assert!(gone.contains("gone: No such file"), "{gone}");
        fs::write(folder.path().join("latin1.toml"), [0xe9]).expect("written");
        let bytes = read(folder.path()).expect_err("no UTF-8").to_string();
        assert!(
            bytes.contains("latin1.toml: this is no UTF-8 text; save it as UTF-8"),
            "{bytes}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_as_a_configmap_needs() {
        use std::os::unix::fs::symlink;

        let folder = folder(&[("..2026_1/a.toml", "old"), ("..2026_2/a.toml", "new")]);
        let root = folder.path();
        symlink("..2026_1", root.join("..data")).expect("linked");
        symlink("..data/a.toml", root.join("a.toml")).expect("linked");
        symlink("nowhere", root.join("dangling.toml")).expect("linked");
        let before = fingerprint(root).expect("readable");
        assert_eq!(&*read(root).expect("readable").sources[0].text, "old");

        symlink("..2026_2", root.join("..tmp")).expect("linked");
        fs::rename(root.join("..tmp"), root.join("..data")).expect("swapped");
        assert_ne!(fingerprint(root).expect("readable"), before);
        let files = read(root).expect("readable");
        assert_eq!(names(&files), ["a.toml"]);
        assert_eq!(&*files.sources[0].text, "new");

        symlink(".", root.join("loop")).expect("linked");
        let looped = read(root).expect_err("a loop").to_string();
        assert!(looped.contains("loop of symbolic links"), "{looped}");
    }

    #[test]
    fn a_file_that_was_just_emptied_is_told() {
        let folder = folder(&[("a.toml", "a"), ("notes.txt", ""), ("b/c.toml", "c")]);
        let told = |later: u64| {
            let now = SystemTime::now() + Duration::from_secs(later);
            just_emptied(folder.path(), now, Duration::from_secs(60))
        };
        assert!(!told(0));
        fs::write(folder.path().join("b/c.toml"), "").expect("written");
        assert!(told(1));
        assert!(!told(61), "it is meant to be empty");
    }

    #[test]
    fn the_fingerprint_tells_changes() {
        let folder = folder(&[("a.toml", "a")]);
        let first = fingerprint(folder.path()).expect("readable");
        assert_eq!(fingerprint(folder.path()).expect("readable"), first);
        fs::write(folder.path().join("a.toml"), "ab").expect("written");
        let second = fingerprint(folder.path()).expect("readable");
        assert_ne!(second, first);
        fs::write(folder.path().join("b.png"), "").expect("written");
        assert_ne!(fingerprint(folder.path()).expect("readable"), second);
    }
    #[cfg(target_os = "linux")]
    #[test]
    fn a_rule_file_whose_name_is_no_text_is_told() {
        use std::os::unix::ffi::OsStrExt;
        let folder = folder(&[("a.toml", "a")]);
        let named = |name: &[u8]| folder.path().join(std::ffi::OsStr::from_bytes(name));
        fs::write(named(b"\xbc\xdb.png"), "x").expect("written");
        assert_eq!(names(&read(folder.path()).expect("readable")), ["a.toml"]);
        fs::write(named(b"\xbc\xdb.toml"), "x").expect("written");
        let error = read(folder.path()).expect_err("no name for a source");
        assert!(error.to_string().contains("rename it"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_becomes_readable_has_changed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder(&[("a.toml", "a")]);
        let before = fingerprint(folder.path()).expect("readable");
        std::thread::sleep(Duration::from_millis(20));
        let open = fs::Permissions::from_mode(0o604);
        fs::set_permissions(folder.path().join("a.toml"), open).expect("set");
        assert_ne!(fingerprint(folder.path()).expect("readable"), before);
    }

    #[test]
    fn what_is_left_out_is_not_read() {
        let folder = folder(&[("a.toml", "a")]);
        fs::write(folder.path().join("gbk.toml"), b"\xbc\xdb").expect("written");
        read(folder.path()).expect_err("no UTF-8");
        let rest = read_except(folder.path(), |name| name == "gbk.toml").expect("readable");
        assert_eq!(names(&rest), ["a.toml"]);
    }
}
