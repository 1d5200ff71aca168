//! A shop with a console: the real binary, its config, WeChat beside it, and people who may sign in.

use wxreply::message::Entry;

use crate::browser::Browser;
use crate::people::{self, ANNA, OPS, Person, VERA};
use crate::world::{Plan, Process, World};

/// A customer.
pub const LI: &str = "oLi0123456789abcdefghijklmno";

/// A shop that is open.
pub struct Shop {
    // Ended before its folder goes.
    process: Option<Process>,
    pub world: World,
}

impl Shop {
    /// Opens one with these rules, where [`OPS`], [`ANNA`] and [`VERA`] may sign in.
    pub async fn open(rules: &str) -> Self {
        Self::build(Plan::rules(rules).set("admin", &people::config(&[&OPS, &ANNA, &VERA]))).await
    }

    /// Opens one where nobody needs to sign in.
    pub async fn open_to_all(rules: &str) -> Self {
        Self::build(Plan::rules(rules)).await
    }

    async fn build(plan: Plan) -> Self {
        let mut shop = Self::closed(plan).await;
        shop.start().await;
        shop
    }

    /// Everything but the daemon.
    pub async fn closed(plan: Plan) -> Self {
        Self {
            process: None,
            world: plan.set("outbox", "gap = \"0s\"").build().await,
        }
    }

    /// Starts the daemon.
    pub async fn start(&mut self) {
        self.process = Some(self.world.process().await);
    }

    /// Ends the daemon.
    pub fn close(&mut self) {
        if let Some(process) = self.process.take() {
            process.terminate();
        }
    }

    /// A browser before its console, where nobody has signed in.
    pub async fn browser(&self) -> Browser {
        Browser::open(&self.world.admin).await
    }

    /// A browser where somebody has.
    pub async fn browser_of(&self, person: &Person) -> Browser {
        let browser = self.browser().await;
        browser.sign_in(person).await;
        browser
    }

    /// The last row of the log.
    pub async fn last(&self) -> Entry {
        self.world.log().await.pop().expect("a message")
    }
}
