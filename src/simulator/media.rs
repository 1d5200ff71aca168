//! Temporary media: uploaded pictures, kept in memory for three days.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use jiff::Timestamp;
use rand::Rng;
use warp::reply::Response;

use super::account::letters;
use super::errcode::Refused;
use super::token::after;

/// How long a media_id is valid.
const LIFETIME: Duration = Duration::from_secs(3 * 86_400);
/// What all media together may take; the oldest make room.
const MAX_TOTAL: usize = 64 << 20;
/// The largest upload that is looked at: the largest picture, and room for the form around it.
pub(super) const MAX_UPLOAD: usize = MAX_IMAGE + 64 * 1024;
const MAX_IMAGE: usize = 10 << 20;
const MAX_THUMB: usize = 64 << 10;

/// One file.
#[derive(Clone, Debug)]
pub(super) struct Media {
    pub(super) id: String,
    pub(super) mime: &'static str,
    pub(super) bytes: Bytes,
    expires: Timestamp,
}

/// All files, the oldest first.
#[derive(Debug, Default)]
pub(super) struct MediaStore(VecDeque<Media>);

impl MediaStore {
    pub(super) fn add(
        &mut self,
        mime: &'static str,
        bytes: Bytes,
        now: Timestamp,
        random: &mut impl Rng,
    ) -> String {
        let id = letters(64, random);
        self.0.push_back(Media {
            id: id.clone(),
            mime,
            bytes,
            expires: after(now, LIFETIME),
        });
        while self.0.iter().map(|m| m.bytes.len()).sum::<usize>() > MAX_TOTAL {
            self.0.pop_front();
        }
        id
    }

    /// The file, if its id is known and still valid.
    pub(super) fn get(&self, id: &str, now: Timestamp) -> Result<&Media, Refused> {
        self.0
            .iter()
            .find(|m| m.id == id && m.expires > now)
            .ok_or_else(|| Refused::new(40007, "invalid media_id"))
    }

    /// Forgets the file, as WeChat now and then does before its time.
    pub(super) fn forget(&mut self, id: &str) {
        self.0.retain(|m| m.id != id);
    }
}

/// Checks a file that is uploaded as `kind`; gives its MIME type.
pub(super) fn check(kind: &str, bytes: &[u8]) -> Result<&'static str, Refused> {
    if bytes.is_empty() {
        return Err(Refused::new(44001, "empty media data"));
    }
    let mime = picture(bytes);
    match kind {
        "image" if bytes.len() > MAX_IMAGE => Err(Refused::new(40009, "invalid image size")),
        "image" => mime.ok_or_else(|| Refused::new(40005, "invalid file type")),
        "thumb" if bytes.len() > MAX_THUMB => Err(Refused::new(40006, "invalid meida size")),
        "thumb" => mime
            .filter(|mime| *mime == "image/jpeg")
            .ok_or_else(|| Refused::new(40005, "invalid file type")),
        _ => Err(Refused::new(40004, "invalid media type")),
    }
}

/// The kind of picture, told from its first bytes.
fn picture(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        _ => None,
    }
}

/// The part named `media` of a multipart body; it must have a file name.
pub(super) async fn read_form(content_type: &str, body: Bytes) -> Result<Bytes, Refused> {
    let missing = || Refused::new(41005, "media data missing");
    let boundary = multer::parse_boundary(content_type).map_err(|_| missing())?;
    let stream = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(body)]);
    let mut form = multer::Multipart::new(stream, boundary);
    while let Ok(Some(field)) = form.next_field().await {
        if field.name() == Some("media") && field.file_name().is_some_and(|name| !name.is_empty()) {
            return field.bytes().await.map_err(|_| missing());
        }
    }
    Err(missing())
}

/// The file itself; for download as the API gives it, or to be shown on the page.
pub(super) fn media_response(media: &Media, download: bool) -> Response {
    let mut response = Response::new(media.bytes.clone().into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media.mime));
    let extension = media.mime.rsplit('/').next().unwrap_or_default();
    let name = format!("attachment; filename=\"{}.{extension}\"", media.id);
    if download && let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n....";

    fn form(name: &str, file: &str) -> (String, Bytes) {
        let mut body = format!(
            "--X\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\nContent-Type: image/png\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(PNG);
        body.extend_from_slice(b"\r\n--X--\r\n");
        ("multipart/form-data; boundary=X".into(), body.into())
    }

    #[tokio::test]
    async fn the_part_named_media_is_found() {
        let (content_type, body) = form("media", "; filename=\"a.png\"");
        assert_eq!(read_form(&content_type, body).await.as_deref(), Ok(PNG));
        for (content_type, body) in [
            form("file", "; filename=\"a.png\""),
            form("media", ""),
            ("application/json".into(), Bytes::from_static(b"{}")),
            (
                "multipart/form-data; boundary=X".into(),
                Bytes::from_static(b"junk"),
            ),
        ] {
            assert_eq!(
                read_form(&content_type, body)
                    .await
                    .expect_err("no media")
                    .errcode,
                41005
            );
        }
    }

    #[test]
    fn files_are_checked_by_their_content() {
        let code = |kind, bytes: &[u8]| check(kind, bytes).err().map_or(0, |refused| refused.errcode);
        assert_eq!(check("image", PNG), Ok("image/png"));
        assert_eq!(code("image", b""), 44001);
        assert_eq!(code("image", b"<svg/>"), 40005);
        assert_eq!(code("image", &[PNG, &vec![0; MAX_IMAGE]].concat()), 40009);
        assert_eq!(code("thumb", PNG), 40005);
        assert_eq!(
            code("thumb", &[&[0xff, 0xd8, 0xff][..], &vec![0; MAX_THUMB]].concat()),
            40006
        );
        assert_eq!(code("sticker", PNG), 40004);
    }

    #[test]
    fn a_file_lives_three_days_and_the_oldest_makes_room() {
        let at = |s| Timestamp::from_second(s).expect("valid");
        let random = &mut rand::rng();
        let mut store = MediaStore::default();
        let id = store.add("image/png", PNG.into(), at(0), random);
        assert!(store.get(&id, at(3 * 86_400 - 1)).is_ok());
        assert_eq!(store.get(&id, at(3 * 86_400)).expect_err("gone").errcode, 40007);
        for _ in 0..7 {
            store.add("image/png", vec![0; MAX_IMAGE].into(), at(1), random);
        }
        assert!(store.get(&id, at(1)).is_err());
        assert_eq!(store.0.len(), 6);
    }
}
