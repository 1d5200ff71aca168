//! The rules of this repository, compiled in: what `init` begins with and `demo` answers by.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use include_dir::{Dir, include_dir};

static RULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/rules");

/// Writes them all into `folder`; gives each path relative to it, and whether the file was there already and was
/// left as it is. `schema`: the path of the schema from the folder, for the first line of each rule file.
pub(super) fn write(folder: &Path, schema: Option<&str>) -> anyhow::Result<Vec<(PathBuf, bool)>> {
    let mut written = Vec::new();
    write_dir(&RULES, folder, schema, &mut written)?;
    Ok(written)
}

fn write_dir(
    dir: &Dir<'_>,
    folder: &Path,
    schema: Option<&str>,
    written: &mut Vec<(PathBuf, bool)>,
) -> anyhow::Result<()> {
    for file in dir.files() {
        let mut contents = Vec::new();
        if let Some(schema) = schema
            && file.path().extension().is_some_and(|kind| kind == "toml")
        {
            let up = "../".repeat(file.path().components().count() - 1);
            contents.extend(format!("#:schema {up}{schema}\n\n").bytes());
        }
        contents.extend(file.contents());
        let new = create(&folder.join(file.path()), &contents, false)?;
        written.push((file.path().to_owned(), !new));
    }
    dir.dirs()
        .try_for_each(|dir| write_dir(dir, folder, schema, written))
}

/// Makes a file that was not there, and the folders that it lies in; false when it was there. A secret one can be read
/// by its owner only.
pub(super) fn create(path: &Path, contents: &[u8], secret: bool) -> anyhow::Result<bool> {
    let context = || format!("can't write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(context)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    match options.open(path) {
        Ok(mut file) => {
            file.write_all(contents).with_context(context)?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).with_context(context),
    }
}
