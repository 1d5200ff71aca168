//! Temporary media: upload and download.

use std::time::Duration;

use bytes::Bytes;
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

/// What a download gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Downloaded {
    /// The file.
    Whole(Bytes),
    /// It has more than [`MAX_PICTURE`] bytes.
    TooLarge,
}

/// The largest picture that is downloaded, in bytes: WeChat's own limit.
pub const MAX_PICTURE: usize = 10 << 20;

/// A download may take so long even where other calls may not.
const DOWNLOAD: Duration = Duration::from_secs(30);

impl Api {
    /// `getTempMedia` of a picture: the file that a customer sent. What WeChat refuses, it refuses in JSON; a page comes from
    /// some gateway in between.
    pub async fn download_image(&self, token: &SecretString, media_id: &str) -> Result<Downloaded, ApiError> {
        let token = token.expose_secret();
        let call = Call {
            path: "/cgi-bin/media/get",
            query: &[("access_token", token), ("media_id", media_id)],
            body: Body::None,
            secret: token,
            quote: Quote::Excerpt,
        };
        let received = self
            .carry(&call, self.0.timeout.max(DOWNLOAD), MAX_PICTURE)
            .await?;
        let picture = received.status == 200 && !received.is_page();
        if picture && !received.whole {
            return Ok(Downloaded::TooLarge);
        }
        if picture && received.body.first().is_some_and(|first| *first != b'{') {
            return Ok(Downloaded::Whole(received.body.into()));
        }
        let secrets = [token, self.0.app_secret.expose_secret()];
        match received.read(call.quote, &secrets) {
            Ok(answer) => Err(answer.without("a picture")),
            // It only began like JSON.
            Err(ApiError::Gateway { .. }) if picture && !received.body.is_empty() => {
                Ok(Downloaded::Whole(received.body.into()))
            }
            Err(error) => Err(error),
        }
    }

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
