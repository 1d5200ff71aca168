//! WeChat's side, for tests, for the demo and for load: pushes as WeChat makes them, an API that answers as
//! WeChat's does, and a page to chat on as a customer. Speaks HTTP like the real one; never touches our store.
//!
//! What the protocol leaves open is played so: attempts of one push begin five seconds apart, each freshly signed; a
//! status other than 200 counts as no answer; an agent takes over the moment a conversation is handed over.

mod account;
mod answer;
mod api;
mod body;
mod chat;
mod control;
mod deliver;
mod errcode;
mod fault;
mod media;
mod page;
mod push;
mod pushing;
mod record;
mod send;
mod serve;
#[cfg(test)]
mod tests;
mod token;
mod world;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt;

pub use account::Account;
pub use chat::ReceivedReply;
pub use deliver::{DeliverError, PushAnswer, deliver};
pub use fault::{FAULTS, Fault, FaultHelp, FaultSetting};
pub use push::{PushBody, SignedPush, msg_id, signed_push};
pub use pushing::{Attempt, PushReport, PushResult};

use crate::clock::{SharedClock, SystemClock};
use crate::message::{Fields, Format, Mode, OpenId, Value};
use world::Shared;

/// What the simulator plays.
#[derive(Clone, Debug)]
pub struct SimulatorConfig {
    /// The account.
    pub account: Account,
    /// Where pushes go: the whole callback URL (`http://127.0.0.1:8080/wechat/shop`).
    pub callback: String,
}

/// A running simulator. Cheap to clone; it runs until one of the clones stops it.
#[derive(Clone, Debug)]
pub struct Simulator(Arc<Shared>);

impl Simulator {
    /// Starts it on a listener that the caller made: the API (`/cgi-bin/…`), the page (`/`) and its control (`/sim/…`).
    pub async fn start(config: SimulatorConfig, listener: tokio::net::TcpListener) -> std::io::Result<Self> {
        Self::start_at(config, listener, Arc::new(SystemClock)).await
    }

    /// The same with a clock of the caller's: tokens, windows and media go by it, and pushes are signed by it.
    pub async fn start_at(
        config: SimulatorConfig,
        listener: tokio::net::TcpListener,
        clock: SharedClock,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::new(config, listener.local_addr()?, clock));
        shared.tasks.spawn(serve::serve(Arc::clone(&shared), listener));
        Ok(Self(shared))
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    /// Stops it: connections are closed, pushes that are under way are given up.
    pub async fn stop(self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// The account as it is set now.
    #[must_use]
    pub fn account(&self) -> Account {
        self.0.world().account.clone()
    }

    /// A customer writes a text; it is pushed in the background. Gives its `MsgId`. An openid that was never seen
    /// is a new customer's.
    pub fn customer_says(&self, openid: &str, text: &str) -> u64 {
        let (account, msg_id, now) = self.new_message();
        self.0
            .push_later(PushBody::text(&account, &openid.into(), text, msg_id, now));
        msg_id
    }

    /// A customer sends a picture (PNG, JPEG or GIF up to 10 MB); fails when it is none.
    pub fn customer_sends_image(&self, openid: &str, picture: Bytes) -> Result<u64, String> {
        let mime = media::check("image", &picture).map_err(|refused| refused.json()["errmsg"].to_string())?;
        let (account, msg_id, now) = self.new_message();
        let media_id = self.0.world().media.add(mime, picture, now, &mut rand::rng());
        let pic_url = format!("http://{}/sim/media/{media_id}", self.addr());
        let body = PushBody::image(&account, &openid.into(), &pic_url, &media_id, msg_id, now);
        self.0.push_later(body);
        Ok(msg_id)
    }

    /// A customer sends a card of the mini program.
    pub fn customer_sends_card(&self, openid: &str, title: &str, page_path: &str) -> u64 {
        let (account, msg_id, now) = self.new_message();
        let from = openid.into();
        self.0.push_later(PushBody::mini_program_page(
            &account, &from, title, page_path, msg_id, now,
        ));
        msg_id
    }

    /// A customer enters the session by a contact button with this `session-from`.
    pub fn customer_enters(&self, openid: &str, session_from: &str) {
        let fields: Fields = [("SessionFrom", session_from)].into_iter().collect();
        self.event(openid, "user_enter_tempsession", fields);
    }

    /// The agent closes the session, if there is one; then messages are pushed again.
    pub fn agent_closes(&self, openid: &str) {
        let now = self.0.now();
        let closed = self
            .0
            .world()
            .known_customer(openid)
            .and_then(|c| c.close_session(now));
        if let Some(kf_account) = closed {
            let kf_account = Value::Text(kf_account.unwrap_or_else(|| "kf2001@simulator".to_owned()));
            self.event(
                openid,
                "kf_close_session",
                [("KfAccount", kf_account)].into_iter().collect(),
            );
        }
    }

    fn event(&self, openid: &str, event: &str, fields: Fields) {
        let from = OpenId::from(openid);
        let body = PushBody::event(&self.account(), &from, event, fields, self.0.now());
        self.0.push_later(body);
    }

    fn new_message(&self) -> (Account, u64, jiff::Timestamp) {
        let now = self.0.now();
        let mut world = self.0.world();
        (world.account.clone(), world.next_msg_id(now), now)
    }

    /// The customer acts, but the push itself is left to the caller: to a load generator, or to a test that pushes at
    /// moments of its own.
    pub fn customer_acts(&self, body: &PushBody) {
        self.0.begin(body.clone());
    }

    /// Pushes `body`, again if need be, and says how it went.
    pub async fn push(&self, body: PushBody) -> PushReport {
        self.0.push(body).await
    }

    /// Makes the check that WeChat makes when the callback is saved in its backend; the error says what is wrong.
    pub async fn check_url(&self) -> Result<(), String> {
        let (account, callback, patience) = {
            let world = self.0.world();
            (world.account.clone(), world.callback.clone(), world.patience)
        };
        let echostr = rand::rng()
            .random_range(1_000_000_000_000_000_000..u64::MAX / 2)
            .to_string();
        let query = push::url_check(&account, &echostr, self.0.now(), &mut rand::rng());
        match self.0.pusher.get(&callback, &query, patience).await {
            Ok(answer) if answer.status == 200 && answer.body == echostr.as_bytes() => Ok(()),
            Ok(answer) if answer.status == 200 => Err("the answer is not the echostr".into()),
            Ok(answer) => Err(format!("status {}", answer.status)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The replies that reached a customer, the oldest first; the last 300 are kept.
    #[must_use]
    pub fn received(&self, openid: &str) -> Vec<Arc<ReceivedReply>> {
        let world = self.0.world();
        let customer = world.customer(&openid.into());
        customer
            .map(|c| c.received.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// The replies that reached anybody, the oldest first; the last 200,000 are kept.
    #[must_use]
    pub fn all_received(&self) -> Vec<Arc<ReceivedReply>> {
        self.0.world().received.iter().cloned().collect()
    }

    /// Waits until `count` replies in all have reached the customer; gives those that have when the time is over.
    pub async fn wait_for_replies(
        &self,
        openid: &str,
        count: usize,
        timeout: Duration,
    ) -> Vec<Arc<ReceivedReply>> {
        let mut replies = self.0.replies.subscribe();
        let enough = |_: &u64| {
            let world = self.0.world();
            world.customer(&openid.into()).map_or(0, |c| c.received_total) >= count
        };
        // Either way the caller gets what is there.
        let _ = tokio::time::timeout(timeout, replies.wait_for(enough)).await;
        self.received(openid)
    }

    /// Switches a fault on, or with [`FaultSetting::OFF`] off.
    pub fn set_fault(&self, fault: Fault, setting: FaultSetting) {
        let mut world = self.0.world();
        world.faults.set(fault, setting);
        self.0.tell_settings(&world);
    }

    /// The mode that pushes come in from now on.
    pub fn set_mode(&self, mode: Mode) {
        let mut world = self.0.world();
        world.account.mode = mode;
        self.0.tell_settings(&world);
    }

    /// The format that pushes come in from now on.
    pub fn set_format(&self, format: Format) {
        let mut world = self.0.world();
        world.account.format = format;
        self.0.tell_settings(&world);
    }

    /// Where pushes go from now on.
    pub fn set_callback(&self, callback: &str) {
        let mut world = self.0.world();
        callback.clone_into(&mut world.callback);
        self.0.tell_settings(&world);
    }

    /// How long a push waits for its answer, and how far its attempts are apart; WeChat's 5 s unless set.
    pub fn set_patience(&self, patience: Duration) {
        self.0.world().patience = patience;
    }

    /// How long tokens live that are issued from now on; WeChat's 7200 s unless set.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        let mut world = self.0.world();
        world.tokens.lifetime = lifetime;
        self.0.tell_settings(&world);
    }

    /// How often each path of the API was called.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.0.world().calls.clone()
    }

    /// How many access tokens were issued.
    #[must_use]
    pub fn tokens_issued(&self) -> u64 {
        self.0.world().tokens.count
    }

    /// Makes every token expired: calls get 42001 until a new one is fetched.
    pub fn expire_tokens(&self) {
        let now = self.0.now();
        let mut world = self.0.world();
        world.tokens.expire(now);
        self.0.tell_settings(&world);
    }

    /// Makes every token invalid: calls get 40001 until a new one is fetched.
    pub fn revoke_tokens(&self) {
        let now = self.0.now();
        let mut world = self.0.world();
        world.tokens.revoke(now);
        self.0.tell_settings(&world);
    }
}
