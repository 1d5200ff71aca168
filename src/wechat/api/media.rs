//! Temporary media: upload.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::answer::Quote;
use super::{Api, ApiError, Body, Call};

/// A file that WeChat keeps for three days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Its id.
    pub media_id: String,
    /// When WeChat took it.
    pub created: Timestamp,
}

impl Api {
    /// `uploadTempMedia` of a picture. `mime` is `image/png`, `image/jpeg` or `image/gif`.
    pub async fn upload_image(
        &self,
        token: &SecretString,
        mime: &str,
        bytes: Vec<u8>,
    ) -> Result<Uploaded, ApiError> {
        let token = token.expose_secret();
        let (file_name, content_type) = match mime {
            "image/png" => ("image.png", "image/png"),
            "image/gif" => ("image.gif", "image/gif"),
            _ => ("image.jpg", "image/jpeg"),
        };
        let call = Call {
            path: "/cgi-bin/media/upload",
            query: &[("access_token", token), ("type", "image")],
            body: Body::Media {
                file_name,
                content_type,
                bytes: bytes.into(),
            },
            secret: token,
            quote: Quote::Excerpt,
        };
        let answer = self.call(call).await?;
        // Thumbnails get their id under a name of its own.
        let media_id = answer
            .text("media_id")
            .or_else(|| answer.text("thumb_media_id"))
            .ok_or_else(|| answer.without("media_id"))?;
        let created = answer
            .integer("created_at")
            .and_then(|second| Timestamp::from_second(second).ok());
        Ok(Uploaded {
            media_id: media_id.to_owned(),
            created: created.unwrap_or_else(Timestamp::now),
        })
    }
}
