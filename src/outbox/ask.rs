//! Questions to webhooks: a pool of their own, so that none ever takes an ordinary reply's place.
//!
//! Each rule has so many calls at once; whoever finds none free waits for a while, leased meanwhile, and then the rule's
//! own reply is sent. To ask again after a crash is harmless: the receiver knows the question by its id, and the customer
//! got nothing yet.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::OutboxConfig;
use super::runner::{settlement, tell};
use super::trouble::Trouble;
use super::verdict::{Verdict, before, verdict};
use crate::clock::SharedClock;
use crate::message::{Answered, AppKind, Delivery, MessageId, Reply, RuleName, Settlement, Webhook};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::webhook::{Client, Failure, question};

/// How long a webhook has for its whole answer.
const LIMIT: Duration = Duration::from_secs(3);

/// How long a question waits for one of its rule's calls to end.
const WAIT: Duration = Duration::from_secs(5);

/// Questions under way or waiting for their turn, of all rules: what a flood at a dead webhook may hold in memory.
const ROOM: usize = 4096;

/// What came of a question.
pub(super) enum Asked {
    /// There is something to send, or it is known that there is nothing.
    Answered(Answered),
    /// It was settled like a reply: too late, or failed.
    Settled(Settlement),
    /// It was not asked before the daemon stopped, and will be when it starts again.
    Nothing,
}

/// The questions under way.
pub(super) struct Asking {
    calls: JoinSet<Asked>,
    /// Which question each call asks.
    aboard: HashMap<Id, MessageId>,
    asked: HashSet<MessageId>,
    /// How many more calls each rule may make at once.
    slots: HashMap<(RuleName, String), Arc<Semaphore>>,
    desk: Arc<Desk>,
}

/// What every question needs.
struct Desk {
    client: Option<Client>,
    concurrency: usize,
    config: OutboxConfig,
    store: Store,
    clock: SharedClock,
    metrics: Arc<Metrics>,
}

impl Asking {
    pub(super) fn new(
        config: &OutboxConfig,
        store: Store,
        clock: SharedClock,
        metrics: Arc<Metrics>,
    ) -> Self {
        let desk = Desk {
            client: config.webhook.clone(),
            concurrency: config.webhook_concurrency,
            config: config.clone(),
            store,
            clock,
            metrics,
        };
        Self {
            calls: JoinSet::new(),
            aboard: HashMap::new(),
            asked: HashSet::new(),
            slots: HashMap::new(),
            desk: Arc::new(desk),
        }
    }

    /// How many more questions may be claimed.
    pub(super) fn room(&self) -> usize {
        ROOM.saturating_sub(self.calls.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Asks one question that was claimed. `kind` is its app's; none when the config has no such app.
    pub(super) fn launch(&mut self, delivery: Delivery, kind: Option<AppKind>, stop: &CancellationToken) {
        let Reply::Webhook(webhook) = &delivery.reply else {
            return;
        };
        if !self.asked.insert(delivery.id) {
            // The clock was set forward, past the end of the lease. The call goes on and will be settled.
            return;
        }
        let webhook = webhook.clone();
        // Those that nobody uses are as good as new.
        self.slots.retain(|_, slots| Arc::strong_count(slots) > 1);
        let key = (webhook.rule.clone(), webhook.url.clone());
        let slots = self.slots.entry(key);
        let slots = slots.or_insert_with(|| Arc::new(Semaphore::new(self.desk.concurrency)));
        let (id, slots) = (delivery.id, Arc::clone(slots));
        let (desk, stop) = (Arc::clone(&self.desk), stop.clone());
        let call = self
            .calls
            .spawn(async move { desk.handle(delivery, &webhook, kind, slots, stop).await });
        self.aboard.insert(call.id(), id);
    }

    /// The next that ends; none when nothing is under way.
    pub(super) async fn next(&mut self) -> Option<Asked> {
        let done = self.calls.join_next_with_id().await?;
        Some(self.land(done))
    }

    /// One that has ended, if one has.
    pub(super) fn try_next(&mut self) -> Option<Asked> {
        let done = self.calls.try_join_next_with_id()?;
        Some(self.land(done))
    }

    fn land(&mut self, done: Result<(Id, Asked), tokio::task::JoinError>) -> Asked {
        let (call, asked) = match done {
            Ok(done) => done,
            Err(error) => {
                // Its lease ends by itself, and then it is asked again.
                tracing::error!(%error, "a question to a webhook broke off");
                (error.id(), Asked::Nothing)
            }
        };
        if let Some(id) = self.aboard.remove(&call) {
            self.asked.remove(&id);
        }
        asked
    }
}

impl Desk {
    /// One question from its claim to what is to be written.
    async fn handle(
        &self,
        delivery: Delivery,
        webhook: &Webhook,
        kind: Option<AppKind>,
        slots: Arc<Semaphore>,
        stop: CancellationToken,
    ) -> Asked {
        if let Some(outcome) = before(&delivery, self.clock.now(), &self.config) {
            tell(&delivery, &outcome, &self.metrics);
            let verdict = Verdict {
                outcome,
                quota_spent: false,
            };
            return Asked::Settled(settlement(delivery, verdict, self.clock.now()));
        }
        let Some(kind) = kind else {
            let words = format!("the config has no app `{}` any more", delivery.app);
            return self.give_up(delivery, Trouble::lasting(words));
        };
        let slot = tokio::select! {
            biased;
            () = stop.cancelled() => return Asked::Nothing,
            slot = timeout(WAIT, slots.acquire_owned()) => slot,
        };
        // The semaphore is never closed.
        let slot = slot.ok().and_then(Result::ok);
        let message = match self.store.entry(delivery.id.message()).await {
            Ok(Some(message)) => message,
            Ok(None) => {
                let words = "the message that it answers is not in the log any more";
                return self.give_up(delivery, Trouble::lasting(words.to_owned()));
            }
            Err(error) => {
                let words = format!("the message that it answers can't be read: {error}");
                return self.give_up(delivery, Trouble::passing(words));
            }
        };
        let begun = Instant::now();
        let answer = match (&self.client, slot) {
            (None, _) => Err(Failure::Unreached(
                "the config has no secret for webhooks".to_owned(),
            )),
            (Some(_), None) => Err(Failure::Busy(self.concurrency)),
            (Some(client), Some(slot)) => {
                let body = question(&message, webhook);
                let now = self.clock.now();
                let answer = client
                    .ask(&webhook.url, delivery.id, body, kind, now, LIMIT)
                    .await;
                self.metrics
                    .webhook_duration
                    .observe(begun.elapsed().as_secs_f64());
                drop::<OwnedSemaphorePermit>(slot);
                answer
            }
        };
        self.conclude(delivery, webhook, answer)
    }

    /// What an answer, or the want of one, means for the customer.
    fn conclude(&self, delivery: Delivery, webhook: &Webhook, answer: Result<Vec<Reply>, Failure>) -> Asked {
        let Delivery { id, app, openid, .. } = &delivery;
        let (replies, note) = match answer {
            Ok(replies) => {
                let outcome = if replies.is_empty() { "nothing" } else { "answered" };
                self.metrics.webhook_call(app.as_str(), outcome);
                let note = replies
                    .is_empty()
                    .then(|| "webhook: it answered that there is nothing to send".to_owned());
                (replies, note)
            }
            Err(failure) => {
                self.metrics.webhook_call(app.as_str(), failure.outcome());
                let (rule, own) = (&webhook.rule, webhook.fallback.len());
                tracing::warn!(
                    %app, %openid, %id, %rule, webhook = webhook.place(), own_replies = own, reason = %failure,
                    "a webhook gave no replies; the rule's own are sent"
                );
                if own == 0 {
                    let words = format!("webhook: {failure}; the rule has no reply of its own");
                    return self.give_up(delivery, Trouble::lasting(words));
                }
                let note = format!("webhook: {failure}; the rule's own reply was sent");
                (webhook.fallback.clone(), Some(note))
            }
        };
        Asked::Answered(Answered {
            id: delivery.id,
            app: delivery.app,
            openid: delivery.openid,
            replies,
            note,
            at: self.clock.now(),
        })
    }

    fn give_up(&self, delivery: Delivery, trouble: Trouble) -> Asked {
        let now = self.clock.now();
        let verdict = verdict(Err(trouble), &delivery, now, &self.config, rand::random());
        tell(&delivery, &verdict.outcome, &self.metrics);
        Asked::Settled(settlement(delivery, verdict, now))
    }
}
