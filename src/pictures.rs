//! Customers' pictures: fetched into the log's database before WeChat forgets them, which it does after three days.
//!
//! By their media_id alone, from WeChat's API. A push also names an address (`PicUrl`), but in plain mode the signature
//! does not cover that: whoever forged it could have this machine call any address that it can reach.
//!
//! Works beside the pushes, which never wait for it: it looks for new pictures when the log has news, and fetches a few
//! at a time.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::clock::{SharedClock, after};
use crate::message::AppName;
use crate::store::{Store, StoreError, WaitingPicture};
use crate::token::TokenKeeper;
use crate::wechat::api::{Api, ApiError, Downloaded, MAX_PICTURE};
use crate::wechat::{ErrcodeClass, errcode};

/// How long WeChat has a picture.
const KEPT: Duration = Duration::from_hours(72);

/// How often new and due pictures are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// How long nothing is fetched when the database can't keep it.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// How far a look goes back behind the newest message seen: one may be written a little after a younger one.
const OVERLAP: Duration = Duration::from_secs(60);

/// Pictures that are fetched at once.
const AT_ONCE: usize = 2;

/// The pause after the first failure, doubled after each other up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// One app whose customers send pictures.
#[derive(Clone)]
pub struct Album {
    /// The app.
    pub app: AppName,
    /// Its client.
    pub api: Api,
    /// Its token.
    pub token: TokenKeeper,
}

/// Fetches pictures until `stop`. What is cut off then is fetched after the next start.
pub async fn run(store: Store, albums: Vec<Album>, clock: SharedClock, stop: CancellationToken) {
    let fetcher = Fetcher { store, albums, clock };
    stop.run_until_cancelled(fetcher.run()).await;
}

struct Fetcher {
    store: Store,
    albums: Vec<Album>,
    clock: SharedClock,
}

/// Why a picture is not here.
struct Miss {
    why: String,
    /// Whether asking again may help.
    passing: bool,
}

impl Miss {
    fn passing(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            passing: true,
        }
    }

    fn lasting(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            passing: false,
        }
    }
}

impl Fetcher {
    async fn run(&self) {
        let mut news = self.store.news();
        news.mark_changed(); // there may be some from before the start
        let mut seen = self.clock.now().checked_sub(KEPT).unwrap_or(Timestamp::MIN);
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if news.has_changed().unwrap_or(false) {
                news.mark_unchanged();
                match self.store.note_pictures(seen).await {
                    Ok(None) => {}
                    Ok(Some(last)) => seen = seen.max(last.checked_sub(OVERLAP).unwrap_or(last)),
                    Err(error) => {
                        tracing::warn!(%error, "new pictures could not be looked for");
                        news.mark_changed();
                    }
                }
            }
            if let Err(error) = self.fetch_due().await {
                tracing::warn!(%error, "the database takes no pictures for now");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }

    async fn fetch_due(&self) -> Result<(), StoreError> {
        loop {
            let due = self.store.due_pictures(self.clock.now(), AT_ONCE).await?;
            if due.is_empty() {
                return Ok(());
            }
            let done = stream::iter(due)
                .map(|picture| self.handle(picture))
                .buffer_unordered(AT_ONCE);
            let done: Vec<_> = done.collect().await;
            done.into_iter().collect::<Result<(), _>>()?;
        }
    }

    /// One attempt at one picture.
    async fn handle(&self, picture: WaitingPicture) -> Result<(), StoreError> {
        let WaitingPicture { id, app, .. } = &picture;
        let miss = match self.fetch(&picture).await {
            Ok(bytes) => {
                let (mime, size) = (mime(&bytes), bytes.len());
                let kept = self.store.keep_picture(*id, mime, bytes).await?;
                tracing::debug!(%app, %id, mime, size, kept, "picture fetched");
                return Ok(());
            }
            Err(miss) => miss,
        };
        let due = after(self.clock.now(), pause(picture.attempts));
        let due = Some(due).filter(|due| miss.passing && *due < after(picture.received, KEPT));
        match due {
            Some(due) => {
                tracing::debug!(%app, %id, why = miss.why, %due, "a picture could not be fetched yet")
            }
            None => tracing::warn!(%app, %id, why = miss.why, "a customer's picture is lost"),
        }
        self.store.miss_picture(*id, due, &miss.why).await
    }

    async fn fetch(&self, picture: &WaitingPicture) -> Result<Bytes, Miss> {
        let Some(album) = self.albums.iter().find(|album| album.app == picture.app) else {
            return Err(Miss::passing("the config does not have its app any more"));
        };
        if self.clock.now() >= after(picture.received, KEPT) {
            return Err(Miss::lasting("WeChat has it for three days, and these are over"));
        }
        let no_token = |error| Miss::passing(format!("no access_token: {error}"));
        let mut lent = album.token.get().await.map_err(no_token)?;
        let mut renewed = false;
        loop {
            match album.api.download_image(&lent.token, &picture.media_id).await {
                Ok(Downloaded::Whole(bytes)) => return Ok(bytes),
                Ok(Downloaded::TooLarge) => {
                    let most = MAX_PICTURE >> 20;
                    return Err(Miss::lasting(format!("it is larger than {most} MiB")));
                }
                Err(ApiError::Refused { errcode: code, .. })
                    if errcode(code).0 == ErrcodeClass::Token && !renewed =>
                {
                    renewed = true;
                    lent = album.token.renew(&lent).await.map_err(no_token)?;
                }
                Err(error @ ApiError::Refused { errcode: code, .. })
                    if errcode(code).0 == ErrcodeClass::Media =>
                {
                    return Err(Miss::lasting(format!("WeChat does not have it: {error}")));
                }
                Err(error) => return Err(Miss::passing(error.to_string())),
            }
        }
    }
}

fn pause(attempts: u32) -> Duration {
    FIRST_PAUSE
        .saturating_mul(2u32.saturating_pow(attempts))
        .min(LONGEST_PAUSE)
}

/// The type by the first bytes. What is none of these pictures is nothing that a browser should draw.
fn mime(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [b'B', b'M', ..] if bytes.len() > 26 => "image/bmp",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_are_called_pictures() {
        for (bytes, expected) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"GIF87a", "image/gif"),
            (b"GIF89a", "image/gif"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            (
                b"BM\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                "image/bmp",
            ),
            (b"BM", "application/octet-stream"),
            (b"<svg onload=alert(1)>", "application/octet-stream"),
            (b"<html>", "application/octet-stream"),
            (b"GIF88a", "application/octet-stream"),
            (b"", "application/octet-stream"),
        ] {
            assert_eq!(mime(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn pauses_grow_and_do_not_grow_for_ever() {
        let pauses = [0, 1, 5, 9, 100, u32::MAX].map(|attempts| pause(attempts).as_secs());
        assert_eq!(pauses, [10, 20, 320, 3600, 3600, 3600]);
    }
}
