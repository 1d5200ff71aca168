//! A media value: a path beside the rule file, or `{ media_id = "…" }`.

use std::path::{Component, Path, PathBuf};

use toml::de::DeValue;

use crate::message::Media;
use crate::rules::codes;
use crate::rules::read::{Node, Reader, nearest};

/// Reads one, and looks whether the file is there.
pub(super) fn read(reader: &mut Reader<'_>, what: &str, node: &Node<'_>) -> Option<Media> {
    if let DeValue::Table(_) = node.get_ref() {
        let table = reader.table(what, node, &["media_id"])?;
        let Some(id) = table.get("media_id") else {
            if table.len() == 0 {
                reader.error(
                    codes::MISSING_KEY,
                    node.span(),
                    format!("`{what}` has no `media_id`"),
                    "empty",
                );
            }
            return None;
        };
        return Some(Media::MediaId(reader.nonempty("media_id", id)?.text));
    }
    let DeValue::String(_) = node.get_ref() else {
        return reader.wrong_type(what, node, "a path, or { media_id = \"…\" }");
    };
    let text = reader.nonempty(what, node)?;
    let folder = reader.source.path.parent().unwrap_or(Path::new("")).to_owned();
    let Some(path) = resolve(&folder, Path::new(&text.text)) else {
        reader
            .error(
                codes::MISSING_MEDIA,
                text.span,
                "a media file must lie in the rules folder",
                "leads out of it",
            )
            .help = Some("write a path relative to this rule file".to_owned());
        return None;
    };
    if !reader.scope.media.contains_key(&path) {
        let known: Vec<String> = reader
            .scope
            .media
            .keys()
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        let help = match nearest(&path.to_string_lossy(), known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"? paths are relative to this rule file"),
            None => "paths are relative to this rule file".to_owned(),
        };
        reader
            .error(
                codes::MISSING_MEDIA,
                text.span,
                format!("there is no file `{}` in the rules folder", path.display()),
                "not found",
            )
            .help = Some(help);
        return None;
    }
    Some(Media::File(path))
}

/// The path from the rules folder; none when it leads out of it.
fn resolve(folder: &Path, path: &Path) -> Option<PathBuf> {
    let mut parts: Vec<&std::ffi::OsStr> = Vec::new();
    for component in folder.components().chain(path.components()) {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_beside_its_rule_file_and_stays_in_the_folder() {
        let resolve = |folder: &str, path: &str| resolve(Path::new(folder), Path::new(path));
        assert_eq!(resolve("", "images/a.png"), Some("images/a.png".into()));
        assert_eq!(resolve("tea", "./a.png"), Some("tea/a.png".into()));
        assert_eq!(resolve("tea", "../images/a.png"), Some("images/a.png".into()));
        assert_eq!(resolve("tea", "../../a.png"), None);
        assert_eq!(resolve("tea", "/etc/passwd"), None);
    }
}
