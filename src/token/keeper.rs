//! One app's token: memory, then the database, then WeChat.

use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Lent, TokenError, TokenSource, policy};
use crate::clock::{SharedClock, after, left};
use crate::message::AppName;
use crate::metrics::{AppLabel, Metrics};
use crate::store::{Store, StoredToken};
use crate::wechat::api::{Api, ApiError, FetchedToken, TokenRequest};

/// The longest that one renewal may take, repeated calls included.
const PATIENCE: Duration = Duration::from_secs(15);

/// How soon `keep_fresh` tries again after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// How often a sleeper looks at the clock, which may be set.
const GLANCE: Duration = Duration::from_secs(1);

/// One app's token. Cheap to clone.
#[derive(Clone)]
pub struct TokenKeeper(Arc<Keeper>);

struct Keeper {
    app: AppName,
    api: Api,
    source: TokenSource,
    store: Store,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    /// Never held over an `await`: whoever needs a good token has it without waiting for a renewal.
    state: std::sync::Mutex<State>,
    /// Held by the one who renews.
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    pause: Option<Pause>,
    /// What was last complained of, so that it is said once.
    complaint: Option<(Discriminant<TokenError>, Option<i64>)>,
}

#[derive(Clone)]
struct Held {
    stored: StoredToken,
    /// When WeChat last gave it.
    asked: Timestamp,
    renew_at: Timestamp,
    /// Whether WeChat refused it.
    refused: bool,
}

/// A failure that stands for a while.
struct Pause {
    since: Timestamp,
    length: Duration,
    error: TokenError,
}

/// What somebody needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// A token to use now.
    Usable,
    /// A token that need not be renewed yet.
    Fresh,
}

impl TokenKeeper {
    /// A keeper; fetches nothing yet.
    #[must_use]
    pub fn new(
        app: AppName,
        api: Api,
        source: TokenSource,
        store: Store,
        clock: SharedClock,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self(Arc::new(Keeper {
            app,
            api,
            source,
            store,
            clock,
            metrics,
            state: std::sync::Mutex::default(),
            renewing: tokio::sync::Mutex::default(),
        }))
    }

    /// The token to use now: the one in memory, else the one in the database, else a new one.
    pub async fn get(&self) -> Result<Lent, TokenError> {
        match self.0.held(Need::Usable) {
            Some(held) => Ok(held.lend()),
            None => self.obtain(Need::Usable).await.map(|held| held.lend()),
        }
    }

    /// WeChat refused `refused`: gives a newer one. Renews at most once for all who ask at the same moment, forced
    /// renewals within WeChat's limits (every 30 s, 20 a day).
    pub async fn renew(&self, refused: &Lent) -> Result<Lent, TokenError> {
        if let Some(held) = &mut self.0.state().held
            && held.stored.fetched == refused.fetched
        {
            held.refused = true;
        }
        self.get().await
    }

    /// Why there is no token, or none newer than one that should have been renewed; nothing while all is well.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        // Another process may have brought a token meanwhile.
        if self.0.held(Need::Fresh).is_some() {
            return None;
        }
        let state = self.0.state();
        state.pause.as_ref().map(|pause| pause.error.to_string())
    }

    /// Renews ahead of expiry until `stop`; run it in a task.
    pub async fn keep_fresh(self, stop: CancellationToken) {
        let renewals = async {
            loop {
                let next = match self.obtain(Need::Fresh).await {
                    Ok(held) => held.renew_at,
                    Err(_) => after(self.0.clock.now(), AFTER_FAILURE),
                };
                loop {
                    let wait = left(self.0.clock.now(), next);
                    if wait.is_zero() {
                        break;
                    }
                    sleep(wait.min(GLANCE)).await;
                }
            }
        };
        stop.run_until_cancelled(renewals).await;
    }

    /// Obtains in a task of its own: whoever asked may go away, but a token that WeChat has given, and has retired the
    /// last one for, must be kept.
    async fn obtain(&self, need: Need) -> Result<Held, TokenError> {
        let keeper = Arc::clone(&self.0);
        tokio::spawn(async move { keeper.obtain(need).await })
            .await
            .unwrap_or(Err(TokenError::Slow)) // the runtime is being shut down
    }
}

impl Held {
    fn new(stored: StoredToken, asked: Timestamp) -> Self {
        Self {
            renew_at: policy::renew_at(asked, stored.expires, rand::random()),
            stored,
            asked,
            refused: false,
        }
    }

    fn lend(&self) -> Lent {
        Lent {
            token: self.stored.token.clone(),
            fetched: self.stored.fetched,
            expires: self.stored.expires,
        }
    }

    fn is(&self, token: &SecretString) -> bool {
        self.stored.token.expose_secret() == token.expose_secret()
    }

    fn meets(&self, need: Need, now: Timestamp) -> bool {
        !self.refused
            && match need {
                Need::Usable => policy::usable(self.asked, self.stored.expires, now),
                Need::Fresh => now < self.renew_at,
            }
    }
}

impl Keeper {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the state half-written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self, need: Need) -> Option<Held> {
        let now = self.clock.now();
        self.state()
            .held
            .as_ref()
            .filter(|held| held.meets(need, now))
            .cloned()
    }

    /// Waits its turn, and asks only for what nobody has brought meanwhile.
    async fn obtain(&self, need: Need) -> Result<Held, TokenError> {
        let _turn = self.renewing.lock().await;
        if let Some(held) = self.held(need) {
            return Ok(held);
        }
        if let Some(error) = self.paused() {
            return self.make_do(need, error);
        }
        self.look_up().await;
        if let Some(held) = self.held(need) {
            return Ok(held);
        }
        match self.fetch().await {
            Ok(held) => {
                self.rejoice(&held);
                Ok(held)
            }
            Err(error) => {
                self.complain(&error);
                self.make_do(need, error)
            }
        }
    }

    /// A token in its last minute is better than none.
    fn make_do(&self, need: Need, error: TokenError) -> Result<Held, TokenError> {
        let now = self.clock.now();
        self.state()
            .held
            .as_ref()
            .filter(|held| need == Need::Usable && !held.refused && now < held.stored.expires)
            .cloned()
            .ok_or(error)
    }

    fn paused(&self) -> Option<TokenError> {
        let now = self.clock.now();
        let state = self.state();
        let pause = state.pause.as_ref()?;
        // A clock that was set back ends the pause.
        (pause.since <= now && now < after(pause.since, pause.length)).then(|| pause.error.clone())
    }

    /// Takes over what the database has, if it is another token and newer: from before a restart, or from another
    /// process.
    async fn look_up(&self) {
        let stored = match self.store.token(&self.app).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(app = %self.app, %error, "the access token could not be looked up in the database");
                return;
            }
        };
        let mut state = self.state();
        let newer = match &state.held {
            Some(held) => stored.fetched > held.stored.fetched && !held.is(&stored.token),
            None => true,
        };
        if newer {
            self.show_expiry(stored.expires);
            let asked = stored.fetched;
            state.held = Some(Held::new(stored, asked));
        }
    }

    async fn fetch(&self) -> Result<Held, TokenError> {
        let present = self.state().held.clone();
        let refused = present.as_ref().filter(|held| held.refused);
        if self.source == TokenSource::Classic
            && let Some(held) = refused
        {
            // Each call retires the token before, so two who call in turn would refuse each other's for ever.
            let allowed = after(held.asked, policy::REFUSED_PAUSE);
            if self.clock.now() < allowed {
                return Err(TokenError::Withheld {
                    reason: format!(
                        "it was fetched a moment ago; the next is fetched from {allowed:.0} on; \
                         does another program ask for tokens of this app?"
                    ),
                });
            }
        }
        let mut fetched = self.ask(false).await?;
        let mut forced = present
            .as_ref()
            .map(|held| held.stored.forced.clone())
            .unwrap_or_default();
        if let Some(held) = refused
            && held.is(&fetched.token)
        {
            forced = self.allow_force(held).await?;
            fetched = self.ask(true).await?;
            if held.is(&fetched.token) {
                return Err(TokenError::Withheld {
                    reason: "a forced renewal gave the same one again".to_owned(),
                });
            }
        }
        Ok(self.keep(present, fetched, forced).await)
    }

    /// Whether a renewal may be forced now; writes it down first, so that a crash can't make it uncounted.
    async fn allow_force(&self, refused: &Held) -> Result<Vec<Timestamp>, TokenError> {
        if self.source != TokenSource::Stable {
            return Err(TokenError::Withheld {
                reason: "no other one is given".to_owned(),
            });
        }
        let now = self.clock.now();
        let allowed = policy::force_from(&refused.stored.forced);
        if now < allowed {
            return Err(TokenError::Withheld {
                reason: format!(
                    "WeChat allows the next forced renewal at {allowed:.0} (every 30 s, 20 a day)"
                ),
            });
        }
        let forced = policy::forced_again(&refused.stored.forced, now);
        let record = StoredToken {
            forced: forced.clone(),
            ..refused.stored.clone()
        };
        self.save(&record).await;
        if let Some(held) = &mut self.state().held {
            held.stored.forced.clone_from(&forced);
        }
        tracing::warn!(app = %self.app, today = forced.len(), "the renewal of the access token is forced");
        Ok(forced)
    }

    /// One renewal: a call, repeated while its failure may pass; a forced one only once, since WeChat counts them.
    async fn ask(&self, force: bool) -> Result<FetchedToken, TokenError> {
        let call = || async {
            match &self.source {
                TokenSource::Stable => self.api.token(TokenRequest::Stable { force }).await,
                TokenSource::Classic => self.api.token(TokenRequest::Classic).await,
                TokenSource::Url(url) => self.api.token_from(url).await,
            }
        };
        let schedule = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(200))
            .with_max_times(if force { 0 } else { 3 })
            .with_jitter();
        let answer = timeout(PATIENCE, call.retry(schedule).when(policy::worth_repeating)).await;
        let asked = match answer {
            Ok(Ok(fetched)) => Ok(fetched),
            Ok(Err(error)) => Err(self.explain(error)),
            Err(_) => Err(TokenError::Slow),
        };
        let outcome = if asked.is_ok() { "renewed" } else { "failed" };
        self.metrics.token_renewal(self.app.as_str(), outcome);
        asked
    }

    fn explain(&self, error: ApiError) -> TokenError {
        let ApiError::Refused { errcode, errmsg } = error else {
            return TokenError::Call(error);
        };
        let advice = match &self.source {
            TokenSource::Stable | TokenSource::Classic => policy::advice(errcode, &errmsg),
            TokenSource::Url(_) => Some("the central token server gives no token".to_owned()),
        };
        match advice {
            Some(advice) => TokenError::Refused {
                errcode,
                advice,
                errmsg,
            },
            None => TokenError::Call(ApiError::Refused { errcode, errmsg }),
        }
    }

    /// Keeps what was fetched, in memory and in the database.
    async fn keep(&self, present: Option<Held>, fetched: FetchedToken, forced: Vec<Timestamp>) -> Held {
        let now = self.clock.now();
        let fetched_at = match &present {
            // The same token with time gone by: no renewal.
            Some(held) if held.is(&fetched.token) => held.stored.fetched,
            // Later than the one before, even if the clock stands: it is what tells two tokens apart.
            Some(held) => now.max(after(held.stored.fetched, Duration::from_millis(1))),
            None => now,
        };
        let stored = StoredToken {
            token: fetched.token,
            expires: after(now, fetched.expires_in),
            fetched: fetched_at,
            forced,
        };
        self.save(&stored).await;
        self.show_expiry(stored.expires);
        let held = Held::new(stored, now);
        self.state().held = Some(held.clone());
        held
    }

    async fn save(&self, stored: &StoredToken) {
        if let Err(error) = self.store.save_token(&self.app, stored).await {
            tracing::warn!(app = %self.app, %error, "the access token could not be kept in the database");
        }
    }

    fn show_expiry(&self, expires: Timestamp) {
        let label = AppLabel {
            app: self.app.as_str().to_owned(),
        };
        self.metrics
            .token_expiry
            .get_or_create(&label)
            .set(expires.as_second());
    }

    fn rejoice(&self, held: &Held) {
        let mut state = self.state();
        state.pause = None;
        if state.complaint.take().is_some() {
            tracing::info!(app = %self.app, "there is an access token again");
        }
        tracing::debug!(app = %self.app, expires = %held.stored.expires, "access token renewed");
    }

    /// Remembers a failure, and says it once: the alarm must not be a storm either.
    fn complain(&self, error: &TokenError) {
        let mut state = self.state();
        state.pause = Some(Pause {
            since: self.clock.now(),
            length: policy::pause_after(error),
            error: error.clone(),
        });
        let errcode = error.errcode();
        let complaint = Some((discriminant(error), errcode));
        let app = &self.app;
        if state.complaint == complaint {
            tracing::debug!(%app, errcode, %error, "still no new access token");
            return;
        }
        state.complaint = complaint;
        match error {
            TokenError::Call(_) | TokenError::Slow => {
                tracing::warn!(%app, errcode, %error, "no new access token");
            }
            TokenError::Refused { .. } | TokenError::Withheld { .. } => {
                tracing::error!(%app, errcode, %error, "no new access token");
            }
        }
    }
}
