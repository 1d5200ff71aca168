//! A media value: a path beside the rule file, or `{ media_id = "…" }`. All media so far are pictures.

use std::path::{Component, Path, PathBuf};

use toml::de::DeValue;

use crate::message::Media;
use crate::rules::codes;
use crate::rules::read::{Node, Reader, Text, nearest};

/// The largest picture that WeChat takes (`media/upload`, type `image`).
const MAX_PICTURE: u64 = 10 << 20;

/// How many bytes tell what a file holds.
pub const HEAD: usize = 8;

/// A file beside the rules, as far as a reply needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaFile {
    size: u64,
    content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Png,
    Jpeg,
    Gif,
    /// Nothing that WeChat takes as a picture.
    Other,
    /// The file could not be read, so nothing is said about it.
    Unread,
}

impl MediaFile {
    /// A file of `size` bytes that begins with `head`, its first [`HEAD`] bytes; absent when it could not be read.
    #[must_use]
    pub fn new(size: u64, head: Option<&[u8]>) -> Self {
        let content = match head {
            None => Content::Unread,
            Some([0x89, b'P', b'N', b'G', ..]) => Content::Png,
            Some([0xff, 0xd8, 0xff, ..]) => Content::Jpeg,
            Some([b'G', b'I', b'F', b'8', ..]) => Content::Gif,
            Some(_) => Content::Other,
        };
        Self { size, content }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Content {
    /// Its name, and the endings that files of this kind bear.
    fn format(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::Png => Some(("PNG", &["png"])),
            Self::Jpeg => Some(("JPEG", &["jpg", "jpeg"])),
            Self::Gif => Some(("GIF", &["gif"])),
            Self::Other | Self::Unread => None,
        }
    }
}

/// Reads one, and looks whether the file is there.
pub(in crate::rules) fn read(reader: &mut Reader<'_>, what: &str, node: &Node<'_>) -> Option<Media> {
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
    let Some(file) = reader.scope.media.get(&path).copied() else {
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
    };
    judge(reader, &text, &path, file);
    Some(Media::File(path))
}

/// What WeChat would refuse, and what a name says wrongly.
fn judge(reader: &mut Reader<'_>, text: &Text, path: &Path, file: MediaFile) {
    let name = path.display();
    let span = text.span.clone();
    if file.content == Content::Other {
        let label = if file.size == 0 {
            "an empty file"
        } else {
            "no PNG, JPEG or GIF"
        };
        reader
            .error(
                codes::NO_PICTURE,
                span,
                format!("`{name}` is no picture that WeChat takes"),
                label,
            )
            .help = Some(
            "save it as PNG or JPEG; another ending of its name alone does not change what it is".to_owned(),
        );
        return;
    }
    if file.size > MAX_PICTURE {
        // In tenths, rounded up: a file just above the limit must not be said to have 10.0 MB.
        let tenths = (file.size * 10).div_ceil(1 << 20);
        reader
            .error(
                codes::MEDIA_TOO_LARGE,
                span.clone(),
                format!(
                    "`{name}` has {}.{} MB; WeChat takes at most 10 MB",
                    tenths / 10,
                    tenths % 10
                ),
                "too large",
            )
            .help = Some(
            "save it smaller: a phone shows 1080 pixels across, which as JPEG is well under 1 MB".to_owned(),
        );
    }
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
        .to_ascii_lowercase();
    if let Some((format, endings)) = file.content.format()
        && !endings.contains(&extension.as_str())
    {
        reader
            .warning(
                codes::WRONG_EXTENSION,
                span,
                format!("`{name}` is a {format} by its content"),
                format!("the name does not say .{}", endings[0]),
            )
            .help = Some(format!(
            "rename it to end in .{}, here too: it is sent as {format}",
            endings[0]
        ));
    }
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
