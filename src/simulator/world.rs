//! All that the simulator knows, behind one lock that is never held across an `.await`, and who is told of changes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::SimulatorConfig;
use super::account::Account;
use super::chat::{Bubble, Customer, Entry, Notice, Progress, ReceivedReply, Side};
use super::deliver::Pusher;
use super::fault::{FAULTS, Faults};
use super::media::MediaStore;
use super::record::{CallRecord, Records};
use super::token::Tokens;
use crate::clock::SharedClock;
use crate::message::OpenId;

/// Customers that are remembered; the first seen make room.
const MAX_CUSTOMERS: usize = 200_000;
/// Replies that are remembered for [`super::Simulator::all_received`].
const MAX_RECEIVED: usize = 200_000;
/// Customers and calls that a page is shown when it opens.
const SHOWN: usize = 24;
const SHOWN_CALLS: usize = 100;

/// What the rooms of the simulator share.
#[derive(Debug)]
pub(super) struct Shared {
    world: Mutex<World>,
    pub(super) clock: Clock,
    pub(super) pusher: Pusher,
    pub(super) addr: SocketAddr,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    /// Changes, as JSON for the page.
    pub(super) changes: broadcast::Sender<Arc<str>>,
    /// How many replies were received, for those who wait.
    pub(super) replies: watch::Sender<u64>,
}

/// The clock, which has no `Debug` of its own.
pub(super) struct Clock(pub(super) SharedClock);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// The state.
#[derive(Debug)]
pub(super) struct World {
    pub(super) account: Account,
    pub(super) callback: String,
    /// How long a push waits for its answer, and how far attempts are apart.
    pub(super) patience: Duration,
    pub(super) tokens: Tokens,
    pub(super) media: MediaStore,
    pub(super) faults: Faults,
    pub(super) records: Records,
    pub(super) calls: BTreeMap<String, u64>,
    pub(super) received: VecDeque<Arc<ReceivedReply>>,
    /// When `clear_quota` was called, for its limit of ten a month.
    pub(super) cleared: VecDeque<Timestamp>,
    customers: HashMap<OpenId, Customer>,
    /// In the order in which they were first seen.
    order: VecDeque<OpenId>,
    seen: u64,
    last_id: u64,
    last_msg_id: u64,
}

impl Shared {
    pub(super) fn new(config: SimulatorConfig, addr: SocketAddr, clock: SharedClock) -> Self {
        Self {
            world: Mutex::new(World {
                account: config.account,
                callback: config.callback,
                patience: Duration::from_secs(5),
                tokens: Tokens::default(),
                media: MediaStore::default(),
                faults: Faults::default(),
                records: Records::default(),
                calls: BTreeMap::new(),
                received: VecDeque::new(),
                cleared: VecDeque::new(),
                customers: HashMap::new(),
                order: VecDeque::new(),
                seen: 0,
                last_id: 0,
                last_msg_id: 0,
            }),
            clock: Clock(clock),
            pusher: Pusher::new(),
            addr,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            changes: broadcast::channel(1024).0,
            replies: watch::Sender::new(0),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.0.now()
    }

    /// The state. A panic under the lock leaves it as usable as before: every change is one assignment.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the pages, if one looks.
    pub(super) fn tell(&self, change: impl FnOnce() -> Value) {
        if self.changes.receiver_count() > 0 {
            // Nobody looks any more: nobody to tell.
            let _ = self.changes.send(change().to_string().into());
        }
    }

    pub(super) fn tell_customer(&self, world: &World, openid: &OpenId) {
        self.tell(|| {
            json!({
                "type": "customer",
                "customer": world.customer(openid).map(|c| c.view(self.now())),
            })
        });
    }

    pub(super) fn tell_settings(&self, world: &World) {
        self.tell(|| json!({ "type": "settings", "settings": world.settings(self.now()) }));
    }

    /// Adds a line to a chat and tells the pages.
    pub(super) fn say(&self, world: &mut World, openid: &OpenId, line: Line) -> u64 {
        let id = world.next_id();
        let now = self.now();
        let entry = Entry {
            id,
            at: now.as_millisecond(),
            side: line.side,
            bubble: line.bubble,
            push: line.push,
            call: line.call,
            progress: line.progress,
            attempts: 0,
            took: None,
            ai: line.ai,
        };
        self.tell(|| json!({ "type": "entry", "openid": openid, "entry": &entry }));
        world.customer_mut(openid, now).add(entry);
        id
    }

    /// Changes a line of a chat, if it is still kept, and tells the pages.
    pub(super) fn amend(&self, world: &mut World, openid: &OpenId, id: u64, change: impl FnOnce(&mut Entry)) {
        let entries = world.customers.get_mut(openid).map(|c| &mut c.entries);
        // The line is one of the last.
        if let Some(entry) = entries.and_then(|e| e.iter_mut().rev().find(|entry| entry.id == id)) {
            change(entry);
            self.tell(|| json!({ "type": "entry", "openid": openid, "entry": entry }));
        }
    }
}

/// A line to be added to a chat.
pub(super) struct Line {
    pub(super) side: Side,
    pub(super) bubble: Bubble,
    pub(super) push: Option<u64>,
    pub(super) call: Option<u64>,
    pub(super) progress: Option<Progress>,
    pub(super) ai: bool,
}

impl Line {
    pub(super) fn new(side: Side, bubble: Bubble) -> Self {
        Self {
            side,
            bubble,
            push: None,
            call: None,
            progress: None,
            ai: false,
        }
    }

    pub(super) fn notice(notice: Notice, text: impl Into<String>) -> Self {
        let text = text.into();
        Self::new(Side::Notice, Bubble::Notice { notice, text })
    }

    pub(super) fn pushed_by(self, push: u64) -> Self {
        Self {
            push: Some(push),
            ..self
        }
    }
}

impl World {
    /// A number that no entry, push or call had yet.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// A `MsgId` greater than all before it.
    pub(super) fn next_msg_id(&mut self, now: Timestamp) -> u64 {
        self.last_msg_id = super::push::msg_id(now, &mut rand::rng()).max(self.last_msg_id + 1);
        self.last_msg_id
    }

    pub(super) fn customer(&self, openid: &OpenId) -> Option<&Customer> {
        self.customers.get(openid)
    }

    /// The customer, who is a new one if the openid was never seen.
    pub(super) fn customer_mut(&mut self, openid: &OpenId, now: Timestamp) -> &mut Customer {
        if !self.customers.contains_key(openid) {
            if self.order.len() == MAX_CUSTOMERS
                && let Some(oldest) = self.order.pop_front()
            {
                self.customers.remove(&oldest);
            }
            self.seen += 1;
            self.order.push_back(openid.clone());
        }
        let number = self.seen;
        self.customers
            .entry(openid.clone())
            .or_insert_with(|| Customer::new(openid.clone(), number, now))
    }

    pub(super) fn known_customer(&mut self, openid: &str) -> Option<&mut Customer> {
        self.customers.get_mut(openid)
    }

    pub(super) fn receive(&mut self, reply: &Arc<ReceivedReply>, now: Timestamp) {
        if self.received.len() == MAX_RECEIVED {
            self.received.pop_front();
        }
        self.received.push_back(Arc::clone(reply));
        self.customer_mut(&reply.openid, now)
            .receive(Arc::clone(reply), now);
    }

    /// What can be set, and how it stands.
    pub(super) fn settings(&self, now: Timestamp) -> Value {
        let faults: Vec<Value> = FAULTS
            .iter()
            .map(|help| json!({ "help": help, "setting": self.faults.get(help.fault) }))
            .collect();
        json!({
            "kind": self.account.kind,
            "app_id": self.account.app_id,
            "original_id": self.account.original_id(),
            "mode": self.account.mode,
            "format": self.account.format,
            "callback": self.callback,
            "token": {
                "lifetime": self.tokens.lifetime.as_secs(),
                "left": self.tokens.left(now),
                "issued": self.tokens.count,
            },
            "faults": faults,
        })
    }

    /// All that a page needs to draw itself: the customers who were active last, in the order they were first seen.
    pub(super) fn snapshot(&self, now: Timestamp) -> Value {
        let mut shown: Vec<&Customer> = self.customers.values().collect();
        shown.sort_unstable_by_key(|c| std::cmp::Reverse((c.active, c.number)));
        shown.truncate(SHOWN);
        shown.sort_unstable_by_key(|c| c.number);
        let customers: Vec<Value> = shown
            .iter()
            .map(|c| json!({ "customer": c.view(now), "entries": c.entries }))
            .collect();
        let calls: Vec<&CallRecord> = self.records.last_calls(SHOWN_CALLS).collect();
        json!({
            "now": now.as_millisecond(),
            "settings": self.settings(now),
            "customers": customers,
            "total": self.customers.len(),
            "calls": calls,
        })
    }
}
