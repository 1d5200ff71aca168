//! One attempt to deliver one reply: a token, its picture, the call that sends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Sender;
use super::picture::{self, Pictures};
use super::trouble::{Trouble, class};
use crate::clock::SharedClock;
use crate::message::{AppKind, Delivery, OpenId};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::token::{Lent, TokenError};
use crate::wechat::ErrcodeClass;
use crate::wechat::api::ApiError;

/// "Typing…" is an ornament: it is worth this long and no longer.
const TYPING_LIMIT: Duration = Duration::from_secs(5);

/// Delivers for one app.
pub(super) struct Courier {
    sender: Sender,
    pictures: Pictures,
    metrics: Arc<Metrics>,
}

impl Courier {
    pub(super) fn new(
        sender: Sender,
        store: Store,
        clock: SharedClock,
        root: Arc<Path>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let pictures = Pictures::new(sender.app.clone(), sender.api.clone(), store, clock, root);
        Self {
            sender,
            pictures,
            metrics,
        }
    }

    /// The kind of the app.
    pub(super) fn kind(&self) -> AppKind {
        self.sender.kind
    }

    /// Tries once. A refused token is renewed and a forgotten picture uploaded again, each once, within the attempt.
    /// Past `deadline` nothing is in flight any more.
    pub(super) async fn attempt(&self, delivery: &Delivery, deadline: Instant) -> Result<(), Trouble> {
        let picture = match picture::file(&delivery.reply) {
            Some(path) => Some(self.pictures.read(path).await?),
            None => None,
        };
        let mut lent = self.token(deadline, self.sender.token.get()).await?;
        let (mut renewed, mut replaced) = (false, false);
        loop {
            let uploaded = match &picture {
                Some(picture) => within(deadline, self.pictures.media_id(picture, &lent.token))
                    .await
                    .map(Some),
                None => Ok(None),
            };
            let (error, sending) = match &uploaded {
                Err(error) => (error.clone(), false),
                Ok(media_id) => match self.send(delivery, media_id.as_deref(), &lent, deadline).await {
                    Ok(()) => return Ok(()),
                    Err(error) => (error, true),
                },
            };
            match class(&error) {
                Some(ErrcodeClass::Token) if !renewed => {
                    renewed = true;
                    lent = self.token(deadline, self.sender.token.renew(&lent)).await?;
                }
                Some(ErrcodeClass::Media) if sending && !replaced => {
                    // A media_id that the rule itself names can't be uploaded again.
                    let (Some(picture), Ok(Some(media_id))) = (&picture, &uploaded) else {
                        return Err(Trouble::sending(&error));
                    };
                    replaced = true;
                    self.pictures.forget(picture, media_id).await;
                }
                _ if sending => return Err(Trouble::sending(&error)),
                _ => return Err(Trouble::uploading(&error)),
            }
        }
    }

    /// Shows "typing…" to a user. Whether that works matters to no reply, so nothing is said of it but in the log.
    pub(super) async fn typing(&self, openid: &OpenId) {
        let deadline = Instant::now() + TYPING_LIMIT;
        let Ok(lent) = self.token(deadline, self.sender.token.get()).await else {
            return;
        };
        let shown = within(deadline, self.sender.api.typing(&lent.token, openid.as_str())).await;
        let Err(error) = shown else { return };
        tracing::debug!(app = %self.sender.app, %openid, %error, "typing was not shown");
        if class(&error) == Some(ErrcodeClass::Token) {
            // The reply that follows will find a good token.
            let _ = self.token(deadline, self.sender.token.renew(&lent)).await;
        }
    }

    async fn token(
        &self,
        deadline: Instant,
        asked: impl Future<Output = Result<Lent, TokenError>>,
    ) -> Result<Lent, Trouble> {
        timeout_at(deadline, asked)
            .await
            .unwrap_or(Err(TokenError::Slow))
            .map_err(|error| Trouble::no_token(&error))
    }

    async fn send(
        &self,
        delivery: &Delivery,
        media_id: Option<&str>,
        lent: &Lent,
        deadline: Instant,
    ) -> Result<(), ApiError> {
        let with_picture;
        let reply = match media_id {
            Some(id) => {
                with_picture = picture::with_media_id(&delivery.reply, id.to_owned());
                &with_picture
            }
            None => &delivery.reply,
        };
        let begun = Instant::now();
        let call = self.sender.api.send(&lent.token, delivery.openid.as_str(), reply);
        let sent = within(deadline, call).await;
        self.metrics
            .delivery_duration
            .observe(begun.elapsed().as_secs_f64());
        sent
    }
}

/// A call that is cut off at the deadline counts as unanswered.
async fn within<T>(
    deadline: Instant,
    call: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    timeout_at(deadline, call).await.unwrap_or_else(|_| {
        Err(ApiError::Unanswered {
            host: "WeChat".to_owned(),
            cause: "the attempt ran out of time".to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_past_the_deadline_is_unanswered() {
        let deadline = Instant::now() + Duration::from_millis(10);
        let cut = within(deadline, std::future::pending::<Result<(), ApiError>>()).await;
        assert!(matches!(cut, Err(ApiError::Unanswered { .. })), "{cut:?}");
        let done = within(deadline, std::future::ready(Ok(7))).await;
        assert!(matches!(done, Ok(7)), "an answer that is there is taken");
    }
}
