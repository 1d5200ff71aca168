//! The loop: settle what has landed, claim what is due, launch it, sleep until there is more.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::ask::{Asked, Asking};
use super::attempt::Courier;
use super::pace::Pace;
use super::trouble::Trouble;
use super::verdict::{Verdict, before, verdict};
use super::{OutboxConfig, Sender};
use crate::clock::{SharedClock, left};
use crate::message::{Answered, AppName, Delivery, MessageId, Outcome, Reply, Settlement};
use crate::metrics::Metrics;
use crate::store::{Store, StoreError, TakeQuota};

/// How long a claimed reply is ours. An attempt is one or two calls of ten seconds at most, five in the worst case.
const LEASE: Duration = Duration::from_secs(120);

/// An attempt is cut off this long before its lease ends, so that nobody else sends the reply meanwhile.
const SPARE: Duration = Duration::from_secs(10);

/// How often to look though no bell has rung: another process may have put replies back in the queue.
const POLL: Duration = Duration::from_secs(1);

/// How long to rest after a look while attempts land one by one, unless so many have landed that a quarter of the slots
/// is free: a look is a commit, and costs pushes and the outbox the same whether it settles one reply or fifty.
const REST: Duration = Duration::from_millis(10);

/// How often, at most, to ask when the next reply is due. To know costs a glance at every reply in flight; meanwhile it
/// is as cheap to look.
const GLANCE: Duration = Duration::from_millis(20);

/// The longest pause between two tries while the database is in trouble.
const DATABASE_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Runner {
    store: Store,
    couriers: HashMap<AppName, Arc<Courier>>,
    config: Arc<OutboxConfig>,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    /// Attempts under way.
    flights: JoinSet<Settlement>,
    /// Which reply each attempt carries.
    aboard: HashMap<Id, MessageId>,
    /// The same replies.
    flying: HashSet<MessageId>,
    /// What came of attempts and is not written yet.
    landed: Vec<Settlement>,
    /// Questions to webhooks under way.
    asking: Asking,
    /// What webhooks answered and is not written yet.
    answers: Vec<Answered>,
    /// Calls that show "typing…".
    typing: JoinSet<()>,
    pace: Pace,
    /// When the queue was last counted.
    counted: Option<Instant>,
    /// When it was last asked what is due next.
    asked_next: Option<Instant>,
}

impl Runner {
    pub(super) fn new(
        store: Store,
        senders: Vec<Sender>,
        config: OutboxConfig,
        clock: SharedClock,
        metrics: Arc<Metrics>,
    ) -> Self {
        let root = Arc::from(config.media_root.as_path());
        let couriers = senders
            .into_iter()
            .map(|sender| {
                let app = sender.app.clone();
                let courier = Courier::new(
                    sender,
                    store.clone(),
                    clock.clone(),
                    Arc::clone(&root),
                    Arc::clone(&metrics),
                );
                (app, Arc::new(courier))
            })
            .collect();
        let asking = Asking::new(&config, store.clone(), clock.clone(), Arc::clone(&metrics));
        Self {
            store,
            couriers,
            asking,
            answers: Vec::new(),
            pace: Pace::new(config.gap),
            config: Arc::new(config),
            clock,
            metrics,
            flights: JoinSet::new(),
            aboard: HashMap::new(),
            flying: HashSet::new(),
            landed: Vec::new(),
            typing: JoinSet::new(),
            counted: None,
            asked_next: None,
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let bell = self.store.outbox_bell();
        let mut released = false;
        let mut failures = 0;
        loop {
            let stopping = stop.is_cancelled();
            if stopping && self.idle() {
                return;
            }
            // Listen before looking, or a bell that rings between the two is missed.
            let mut rung = pin!(bell.notified());
            rung.as_mut().enable();
            let begun = Instant::now();
            let looked = match released {
                true => self.look(&stop).await,
                false => self.release().await,
            };
            match looked {
                Ok(pause) => {
                    released = true;
                    if failures > 0 {
                        failures = 0;
                        tracing::info!("the outbox can use the database again");
                    }
                    tokio::select! {
                        biased; // the bell first, so that it is never overheard
                        () = rung, if !stopping => {}
                        () = stop.cancelled(), if !stopping => {}
                        Some(done) = self.flights.join_next_with_id() => self.land(done),
                        Some(asked) = self.asking.next() => self.hear(asked),
                        () = sleep(pause) => {}
                    }
                    self.rest(begun + REST, &stop).await;
                }
                Err(StoreError::Closed) => {
                    if !stopping {
                        tracing::error!("the outbox stops: the database was closed");
                    }
                    return;
                }
                Err(error) => {
                    if failures == 0 {
                        tracing::error!(%error, "the outbox can't use the database; it keeps trying");
                    }
                    failures += 1;
                    let pause = Duration::from_millis(50).saturating_mul(1 << failures.min(7));
                    tokio::select! {
                        () = sleep(pause.min(DATABASE_PAUSE)) => {}
                        () = stop.cancelled(), if !stopping => {}
                    }
                }
            }
            while let Some(done) = self.flights.try_join_next_with_id() {
                self.land(done);
            }
            while let Some(asked) = self.asking.try_next() {
                self.hear(asked);
            }
        }
    }

    /// Lets attempts land until it is worth looking again.
    async fn rest(&mut self, end: Instant, stop: &CancellationToken) {
        let many = self.config.concurrency.div_ceil(4);
        while self.landed.len() < many && !stop.is_cancelled() {
            tokio::select! {
                biased; // what has landed is settled now rather than at the next look
                Some(done) = self.flights.join_next_with_id() => self.land(done),
                Some(asked) = self.asking.next() => self.hear(asked),
                () = sleep_until(end) => return,
                () = stop.cancelled() => return,
            }
        }
    }

    /// Whether nothing is under way and all is written.
    fn idle(&self) -> bool {
        self.flights.is_empty() && self.landed.is_empty() && self.asking.is_empty() && self.answers.is_empty()
    }

    /// Ends the leases of whoever was here before.
    async fn release(&self) -> Result<Duration, StoreError> {
        let leases = self.store.release_leases().await?;
        if leases > 0 {
            tracing::warn!(
                replies = leases,
                "replies were being sent when wxreply ended; nobody knows whether WeChat has them"
            );
        }
        Ok(Duration::ZERO)
    }

    /// Settles, claims and launches; gives the time until it is worth looking again if nothing happens.
    async fn look(&mut self, stop: &CancellationToken) -> Result<Duration, StoreError> {
        let stopping = stop.is_cancelled();
        let (room, questions) = match stopping {
            true => (0, 0),
            false => (
                self.config.concurrency.saturating_sub(self.flights.len()),
                self.asking.room(),
            ),
        };
        // Counted from before the claim: an attempt must end before its lease does.
        let deadline = Instant::now() + LEASE.saturating_sub(SPARE);
        // Handed in together, they share one commit.
        let (settled, answered, claimed) =
            tokio::join!(biased; self.settle(), self.answer(), self.claim(room, questions));
        let (mut count, mut asked) = (0, 0);
        for delivery in claimed? {
            if matches!(delivery.reply, Reply::Webhook(_)) {
                asked += 1;
                let courier = self.couriers.get(&delivery.app);
                self.asking
                    .launch(delivery, courier.map(|courier| courier.kind()), stop);
            } else {
                count += 1;
                self.launch(delivery, deadline);
            }
        }
        settled?;
        self.landed.clear();
        answered?;
        self.answers.clear();
        if stopping {
            return Ok(POLL);
        }
        self.show_typing().await?;
        self.count().await?;
        if count == room || asked == questions {
            // There may be more, but not before an attempt has landed.
            return Ok(POLL);
        }
        if self.asked_next.is_some_and(|at| at.elapsed() < GLANCE) {
            return Ok(GLANCE);
        }
        let next = self.store.next_due().await?;
        self.asked_next = Some(Instant::now());
        Ok(next.map_or(POLL, |due| left(self.clock.now(), due).min(POLL)))
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.store.settle(self.landed.clone(), self.config.gap).await
    }

    /// Puts what webhooks answered in the place of their questions.
    async fn answer(&self) -> Result<(), StoreError> {
        let reserve = self.config.reserve;
        let take: TakeQuota = Arc::new(move |ledger, at| ledger.take(at, reserve));
        let lost = self.store.answer(self.answers.clone(), take).await?;
        if lost > 0 {
            tracing::warn!(
                replies = lost,
                "webhooks answered with more replies than one message can have; the last ones are lost"
            );
        }
        Ok(())
    }

    async fn claim(&self, room: usize, questions: usize) -> Result<Vec<Delivery>, StoreError> {
        if room + questions == 0 {
            return Ok(Vec::new());
        }
        self.store.claim(self.clock.now(), room, questions, LEASE).await
    }

    fn launch(&mut self, delivery: Delivery, deadline: Instant) {
        if !self.flying.insert(delivery.id) {
            // The clock was set forward, past the end of the lease. The attempt goes on and will be settled.
            tracing::warn!(app = %delivery.app, openid = %delivery.openid, id = %delivery.id, "claimed while still in flight");
            return;
        }
        let id = delivery.id;
        let turn = self.pace.turn(&delivery.app, &delivery.openid, Instant::now());
        let courier = self.couriers.get(&delivery.app).cloned();
        let flight = self.flights.spawn(fly(
            courier,
            delivery,
            turn,
            deadline,
            Arc::clone(&self.config),
            self.clock.clone(),
            Arc::clone(&self.metrics),
        ));
        self.aboard.insert(flight.id(), id);
    }

    fn land(&mut self, done: Result<(Id, Settlement), JoinError>) {
        let flight = done.as_ref().map_or_else(JoinError::id, |(flight, _)| *flight);
        let id = self.aboard.remove(&flight);
        if let Some(id) = &id {
            self.flying.remove(id);
        }
        match done {
            Ok((_, settlement)) => {
                self.pace
                    .wrote(&settlement.app, &settlement.openid, Instant::now());
                self.landed.push(settlement);
            }
            Err(error) => {
                // Its lease ends by itself, and then the attempt counts as uncertain.
                tracing::error!(id = id.map(tracing::field::display), %error, "an attempt broke off");
            }
        }
    }

    fn hear(&mut self, asked: Asked) {
        match asked {
            Asked::Answered(answered) => self.answers.push(answered),
            Asked::Settled(settlement) => self.landed.push(settlement),
            Asked::Nothing => {}
        }
    }

    /// Shows "typing…" where replies that wait wish for it.
    async fn show_typing(&mut self) -> Result<(), StoreError> {
        while self.typing.try_join_next().is_some() {}
        let room = self.config.concurrency.saturating_sub(self.typing.len());
        if room == 0 {
            return Ok(());
        }
        let users = self.store.take_typing(self.clock.now(), room).await?;
        for (app, openid) in users {
            if let Some(courier) = self.couriers.get(&app).cloned() {
                self.typing.spawn(async move { courier.typing(&openid).await });
            }
        }
        Ok(())
    }

    /// Keeps the queue's figure, no more often than it is worth.
    async fn count(&mut self) -> Result<(), StoreError> {
        if self.counted.is_none_or(|at| at.elapsed() >= POLL) {
            let queued = self.store.queued().await?;
            self.metrics
                .outbox_queued
                .set(i64::try_from(queued).unwrap_or(i64::MAX));
            self.counted = Some(Instant::now());
        }
        Ok(())
    }
}

/// One attempt from its claim to its settlement.
async fn fly(
    courier: Option<Arc<Courier>>,
    delivery: Delivery,
    turn: Option<Instant>,
    deadline: Instant,
    config: Arc<OutboxConfig>,
    clock: SharedClock,
    metrics: Arc<Metrics>,
) -> Settlement {
    if let Some(turn) = turn {
        sleep_until(turn.min(deadline)).await;
    }
    let verdict = match before(&delivery, clock.now(), &config) {
        Some(outcome) => Verdict {
            outcome,
            quota_spent: false,
        },
        None => {
            let attempt = match &courier {
                Some(courier) => courier.attempt(&delivery, deadline).await,
                None => Err(Trouble::lasting(format!(
                    "the config has no app `{}` any more",
                    delivery.app
                ))),
            };
            verdict(attempt, &delivery, clock.now(), &config, rand::random())
        }
    };
    tell(&delivery, &verdict.outcome, &metrics);
    settlement(delivery, verdict, clock.now())
}

pub(super) fn settlement(delivery: Delivery, verdict: Verdict, at: Timestamp) -> Settlement {
    Settlement {
        id: delivery.id,
        app: delivery.app,
        openid: delivery.openid,
        outcome: verdict.outcome,
        at,
        quota_spent: verdict.quota_spent,
    }
}

/// The log line and the figure of one outcome.
pub(super) fn tell(delivery: &Delivery, outcome: &Outcome, metrics: &Metrics) {
    let Delivery {
        app,
        openid,
        id,
        attempts: attempt,
        ..
    } = delivery;
    let word = match outcome {
        Outcome::Sent => {
            tracing::debug!(%app, %openid, %id, attempt, "reply sent");
            "sent"
        }
        Outcome::Retry {
            due,
            uncertain,
            errcode,
            error,
        } => {
            tracing::info!(%app, %openid, %id, attempt, errcode, error, uncertain, %due, "reply not sent yet; it will be tried again");
            "retry"
        }
        Outcome::Failed { errcode, error } => {
            tracing::warn!(%app, %openid, %id, attempt, errcode, error, "reply failed");
            "failed"
        }
        Outcome::Dropped(reason) => {
            tracing::info!(%app, %openid, %id, attempt, reason = reason.explanation(), "reply dropped");
            "dropped"
        }
        Outcome::Uncertain { error } => {
            tracing::warn!(%app, %openid, %id, attempt, error, "reply uncertain: a person must decide");
            "uncertain"
        }
    };
    metrics.delivery(app.as_str(), word);
}
