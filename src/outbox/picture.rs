//! Pictures: from a file on this disk to a media_id that WeChat knows.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use sha1::{Digest, Sha1};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::trouble::Trouble;
use crate::clock::{SharedClock, after, left};
use crate::message::{AppName, Media, MiniProgramPage, Reply};
use crate::store::{Store, StoredMedia};
use crate::wechat::api::{Api, ApiError};

/// WeChat keeps an uploaded file this long (uploadTempMedia: 媒体文件在微信后台保存时间为3天).
const KEPT: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// A media_id with less time than this is replaced.
const RENEW_AHEAD: Duration = Duration::from_secs(60 * 60);

/// A picture as it lies on the disk now.
pub(super) struct Picture {
    bytes: Vec<u8>,
    /// SHA-1 of the bytes in hex: what the media_id is kept under, so that a changed file is uploaded anew.
    digest: String,
    mime: &'static str,
}

/// One app's pictures.
pub(super) struct Pictures {
    app: AppName,
    api: Api,
    store: Store,
    clock: SharedClock,
    root: Arc<Path>,
    /// Held while uploading: replies that need the same new picture wait for one upload instead of making their own,
    /// and those who waited for one that failed share its failure.
    uploading: Mutex<Option<Failure>>,
}

/// An upload that failed.
struct Failure {
    digest: String,
    at: Instant,
    error: ApiError,
}

impl Pictures {
    pub(super) fn new(app: AppName, api: Api, store: Store, clock: SharedClock, root: Arc<Path>) -> Self {
        Self {
            app,
            api,
            store,
            clock,
            root,
            uploading: Mutex::new(None),
        }
    }

    /// Reads a picture.
    pub(super) async fn read(&self, path: &Path) -> Result<Picture, Trouble> {
        let full = self.root.join(path);
        // Reading blocks, and so does hashing two megabytes.
        let read = tokio::task::spawn_blocking(move || {
            std::fs::read(full).map(|bytes| (hex(&Sha1::digest(&bytes)), bytes))
        });
        let (digest, bytes) = match read.await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => return Err(unreadable(path, &error)),
            Err(error) => {
                return Err(Trouble::passing(format!(
                    "{} could not be read: {error}",
                    path.display()
                )));
            }
        };
        let mime = mime(&bytes).ok_or_else(|| {
            Trouble::lasting(format!(
                "{} is neither PNG nor JPEG nor GIF, and WeChat takes no other picture",
                path.display()
            ))
        })?;
        Ok(Picture { bytes, digest, mime })
    }

    /// The media_id of a picture; uploads it if WeChat doesn't have it, or not for long.
    pub(super) async fn media_id(&self, picture: &Picture, token: &SecretString) -> Result<String, ApiError> {
        if let Some(known) = self.known(picture).await
            && lasts(&known, self.clock.now())
        {
            return Ok(known.media_id);
        }
        let came = Instant::now();
        let mut last_failure = self.uploading.lock().await;
        let known = self.known(picture).await;
        let now = self.clock.now();
        if let Some(known) = &known
            && lasts(known, now)
        {
            return Ok(known.media_id.clone());
        }
        let uploaded = match last_failure.as_ref() {
            Some(failure) if failure.digest == picture.digest && failure.at > came => {
                Err(failure.error.clone())
            }
            _ => self.upload(picture, token).await.inspect_err(|error| {
                *last_failure = Some(Failure {
                    digest: picture.digest.clone(),
                    at: Instant::now(),
                    error: error.clone(),
                });
            }),
        };
        match (uploaded, known) {
            // Not for long, but still good.
            (Err(_), Some(known)) if known.expires > now => Ok(known.media_id),
            (uploaded, _) => uploaded,
        }
    }

    async fn upload(&self, picture: &Picture, token: &SecretString) -> Result<String, ApiError> {
        let bytes = picture.bytes.clone();
        let uploaded = self.api.upload_image(token, picture.mime, bytes).await?;
        let media = StoredMedia {
            expires: after(uploaded.created, KEPT),
            media_id: uploaded.media_id,
        };
        tracing::info!(app = %self.app, bytes = picture.bytes.len(), expires = %media.expires, "picture uploaded");
        if let Err(error) = self.store.save_media(&self.app, &picture.digest, &media).await {
            tracing::warn!(app = %self.app, %error, "a media_id could not be kept; the picture will be uploaded again");
        }
        Ok(media.media_id)
    }

    /// WeChat doesn't know this media_id of the picture any more.
    pub(super) async fn forget(&self, picture: &Picture, media_id: &str) {
        if let Err(error) = self
            .store
            .forget_media(&self.app, &picture.digest, media_id)
            .await
        {
            tracing::warn!(app = %self.app, %error, "a media_id could not be forgotten");
        }
    }

    /// What is kept; a database in trouble keeps nothing, which costs an upload and no reply.
    async fn known(&self, picture: &Picture) -> Option<StoredMedia> {
        self.store
            .media(&self.app, &picture.digest)
            .await
            .inspect_err(|error| tracing::warn!(app = %self.app, %error, "a media_id could not be looked up"))
            .ok()
            .flatten()
    }
}

/// The file that a reply needs uploaded, if any.
pub(super) fn file(reply: &Reply) -> Option<&PathBuf> {
    match reply {
        Reply::Image(Media::File(path))
        | Reply::MiniProgramPage(MiniProgramPage {
            thumb: Media::File(path),
            ..
        }) => Some(path),
        Reply::Text(_) | Reply::Link(_) | Reply::Image(_) | Reply::MiniProgramPage(_) | Reply::Webhook(_) => {
            None
        }
    }
}

/// The same reply with its file uploaded.
pub(super) fn with_media_id(reply: &Reply, media_id: String) -> Reply {
    match reply {
        Reply::Image(_) => Reply::Image(Media::MediaId(media_id)),
        Reply::MiniProgramPage(page) => Reply::MiniProgramPage(MiniProgramPage {
            thumb: Media::MediaId(media_id),
            ..page.clone()
        }),
        Reply::Text(_) | Reply::Link(_) | Reply::Webhook(_) => reply.clone(),
    }
}

fn lasts(media: &StoredMedia, now: Timestamp) -> bool {
    left(now, media.expires) > RENEW_AHEAD
}

/// The type by the first bytes: a file's name may lie.
fn mime(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        _ => None,
    }
}

fn hex(digest: &[u8]) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a `String` can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A file that is not there stays away until a person acts, and the dead letter tells them; a disk in trouble, or too
/// many open files, may pass.
fn unreadable(path: &Path, error: &std::io::Error) -> Trouble {
    let words = format!("{} could not be read: {error}", path.display());
    match error.kind() {
        ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::InvalidInput => Trouble::lasting(words),
        _ => Trouble::passing(words),
    }
}

#[cfg(test)]
mod tests {
    use super::super::trouble::Kind;
    use super::*;

    #[test]
    fn a_file_is_found_and_replaced_wherever_it_stands() {
        let page = |thumb| {
            Reply::MiniProgramPage(MiniProgramPage {
                title: "订单".to_owned(),
                page_path: "pages/order?id=7".to_owned(),
                thumb,
                app_id: None,
            })
        };
        let here = || Media::File("images/t.png".into());
        let there = || Media::MediaId("M1".to_owned());
        for (local, uploaded) in [
            (Reply::Image(here()), Reply::Image(there())),
            (page(here()), page(there())),
        ] {
            assert_eq!(file(&local), Some(&PathBuf::from("images/t.png")));
            assert_eq!(with_media_id(&local, "M1".to_owned()), uploaded);
            assert_eq!(file(&uploaded), None, "a media_id needs no upload");
        }
        assert_eq!(file(&Reply::Text("images/t.png".to_owned())), None);
    }

    #[test]
    fn the_type_is_told_from_the_bytes() {
        assert_eq!(mime(b"\x89PNG\r\n\x1a\n"), Some("image/png"));
        assert_eq!(mime(b"\xff\xd8\xff\xe0\x00\x10JFIF"), Some("image/jpeg"));
        assert_eq!(mime(b"GIF89a"), Some("image/gif"));
        assert_eq!(mime(b"<svg xmlns="), None);
        assert_eq!(mime(b""), None);
    }

    #[test]
    fn a_media_id_is_replaced_in_its_last_hour() {
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().expect("a time");
        let media = |left: u64| StoredMedia {
            media_id: "M1".to_owned(),
            expires: after(now, Duration::from_secs(left)),
        };
        assert!(lasts(&media(3_601), now));
        assert!(!lasts(&media(3_600), now));
        assert!(!lasts(&media(0), now));
    }

    #[test]
    fn a_missing_file_fails_at_once_and_a_disk_in_trouble_does_not() {
        let kind = |kind: ErrorKind| unreadable(Path::new("a.png"), &kind.into()).kind;
        assert_eq!(kind(ErrorKind::NotFound), Kind::Lasting);
        assert_eq!(kind(ErrorKind::TimedOut), Kind::Passing);
    }

    #[test]
    fn a_digest_is_written_in_hex() {
        assert_eq!(
            hex(&Sha1::digest(b"abc")),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
    }
}
