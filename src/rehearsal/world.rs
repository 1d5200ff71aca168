//! Users as the rules leave them, message by message, without a database.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::intake::{Policies, judge};
use crate::message::{AppName, Contact, Cooldowns, Facts, Inbound, OpenId, Verdict};
use crate::rules::RuleSet;

/// What is known of users and apps. Replies count as sent at once, so none ever waits.
pub struct World<'a> {
    rules: &'a RuleSet,
    policies: &'a Policies,
    contacts: HashMap<(AppName, OpenId), Contact>,
    app_cooldowns: HashMap<AppName, Cooldowns>,
}

impl<'a> World<'a> {
    /// A world in which nobody has written yet.
    #[must_use]
    pub fn new(rules: &'a RuleSet, policies: &'a Policies) -> Self {
        Self {
            rules,
            policies,
            contacts: HashMap::new(),
            app_cooldowns: HashMap::new(),
        }
    }

    /// What is known of a user; may be changed before the next message.
    pub fn contact(&mut self, app: &AppName, openid: &OpenId) -> &mut Contact {
        self.contacts.entry((app.clone(), openid.clone())).or_default()
    }

    /// What a decision on this message may look at; `look` is given it.
    pub fn facts<T>(&self, inbound: &Inbound, now: Timestamp, look: impl FnOnce(&Facts<'_>) -> T) -> T {
        let (nobody, nothing) = (Contact::default(), Cooldowns::new());
        let contact = self.contacts.get(&(inbound.app.clone(), inbound.openid.clone()));
        look(&Facts {
            now,
            contact: contact.unwrap_or(&nobody),
            app_cooldowns: self.app_cooldowns.get(&inbound.app).unwrap_or(&nothing),
        })
    }

    /// Judges a message as [`Self::meet`] would, and forgets it.
    #[must_use]
    pub fn foresee(&self, inbound: &Inbound, now: Timestamp) -> Verdict {
        let candidates = self.rules.candidates(inbound);
        let policy = self.policies.of(&inbound.app);
        self.facts(inbound, now, |facts| {
            judge(self.rules, inbound, &candidates, facts, policy)
        })
    }

    /// Judges a message that comes at `now`, and remembers what follows from it.
    pub fn meet(&mut self, inbound: &Inbound, now: Timestamp) -> Verdict {
        let contact = self
            .contacts
            .entry((inbound.app.clone(), inbound.openid.clone()))
            .or_default();
        let app_cooldowns = self.app_cooldowns.entry(inbound.app.clone()).or_default();
        app_cooldowns.retain(|_, until| *until > now);
        let facts = Facts {
            now,
            contact,
            app_cooldowns,
        };
        let candidates = self.rules.candidates(inbound);
        let verdict = judge(
            self.rules,
            inbound,
            &candidates,
            &facts,
            self.policies.of(&inbound.app),
        );
        *contact = verdict.decision.contact.clone();
        contact.ledger.waiting = 0;
        app_cooldowns.extend(verdict.decision.app_cooldowns.iter().cloned());
        verdict
    }
}
