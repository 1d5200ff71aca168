//! The decision: the candidates in order, the conditions on time and user, then what the rules that matched do.
//!
//! - A muted user is asked about by no rule; the log and the contact go on. `kf_close_session` (the agent closed the
//!   conversation) ends a mute early, so the bot is back before the half hour is over.
//! - The first rule that matches decides, unless it says `continue`. Of several rules, the first hand-over, the
//!   longest mute and the last state win; replies add up to [`MessageId::MAX_REPLIES`].
//! - A rule in its cooldown does nothing at all. `then = "silent"` still takes the message from lower rules.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;

use super::condition::{Moment, is_message};
use super::reply::Pen;
use super::rule::{Cooldown, Rule};
use super::set::{Candidates, RuleSet};
use super::template::Sources;
use crate::message::{
    Answer, Contact, Cooldowns, Decision, DialogState, Facts, Inbound, InboundStatus, MessageId, Planned,
    Reply, Webhook,
};

/// What became of a rule whose conditions held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It took part.
    Acted,
    /// It would have, but only watches.
    Observed,
    /// Its cooldown keeps it silent; it took the message all the same.
    Silent(Timestamp),
    /// Its cooldown leaves the message to lower rules.
    LeftToLower(Timestamp),
}

impl RuleSet {
    /// Decides: the conditions on time and user, `continue`, cooldown, mute, state, replies.
    #[must_use]
    pub fn decide(&self, inbound: &Inbound, candidates: &Candidates, facts: &Facts<'_>) -> Decision {
        self.walk(inbound, candidates, facts, &mut |_, _| {})
    }

    /// The decision; `tell` hears what became of each rule that matched.
    pub(super) fn walk(
        &self,
        inbound: &Inbound,
        candidates: &Candidates,
        facts: &Facts<'_>,
        tell: &mut dyn FnMut(u32, Fate),
    ) -> Decision {
        let before = known_before(inbound, facts);
        let moment = Moment::new(inbound, facts.now, &before, &self.timezone);
        let mut walk = Walk {
            set: self,
            moment: &moment,
            app_cooldowns: facts.app_cooldowns,
            silenced: None,
            first: None,
            understood: false,
            mute: None,
            decision: Decision {
                status: InboundStatus::Unmatched,
                rule: None,
                rule_set: self.version.clone(),
                observed: Vec::new(),
                answer: Answer::Success,
                replies: Vec::new(),
                contact: before.clone().into_owned(),
                app_cooldowns: Vec::new(),
            },
        };
        if before.muted_until.is_some() {
            walk.decision.status = InboundStatus::Muted;
        } else {
            for &id in candidates.ids() {
                let Some(rule) = self.rule(id).filter(|rule| rule.holds_at(&moment)) else {
                    continue;
                };
                let fate = walk.meet(rule);
                tell(id, fate);
                let took = matches!(fate, Fate::Acted | Fate::Silent(_));
                if took && !rule.then.goes_on {
                    break;
                }
            }
        }
        walk.finish()
    }
}

impl Rule {
    /// Whether the conditions on the time and the user hold.
    pub(super) fn holds_at(&self, moment: &Moment<'_>) -> bool {
        self.when.on_facts.iter().all(|condition| condition.holds(moment))
    }

    /// Until when its cooldown runs, if it does.
    fn cools_until(&self, moment: &Moment<'_>, app: &Cooldowns) -> Option<Timestamp> {
        let running = if self.then.cooldown?.per_app {
            app
        } else {
            &moment.contact.cooldowns
        };
        running
            .get(&self.name)
            .copied()
            .filter(|until| *until > moment.now)
    }
}

/// The contact before this message, without what has run out.
pub(super) fn known_before<'a>(inbound: &Inbound, facts: &Facts<'a>) -> Cow<'a, Contact> {
    let now = facts.now;
    let agent_left = inbound
        .event
        .as_deref()
        .is_some_and(|event| event.eq_ignore_ascii_case("kf_close_session"));
    let mut contact = Cow::Borrowed(facts.contact);
    if contact.state.as_ref().is_some_and(|state| state.until <= now) {
        contact.to_mut().state = None;
    }
    if contact.cooldowns.values().any(|until| *until <= now) {
        contact.to_mut().cooldowns.retain(|_, until| *until > now);
    }
    if contact
        .muted_until
        .is_some_and(|until| until <= now || agent_left)
    {
        contact.to_mut().muted_until = None;
    }
    contact
}

/// A decision while it is made.
struct Walk<'a> {
    set: &'a RuleSet,
    moment: &'a Moment<'a>,
    app_cooldowns: &'a Cooldowns,
    /// The first rule that its cooldown kept silent.
    silenced: Option<&'a Rule>,
    /// The first rule that acted.
    first: Option<&'a Rule>,
    /// Whether a rule took the message for what it says.
    understood: bool,
    mute: Option<Duration>,
    decision: Decision,
}

impl<'a> Walk<'a> {
    /// One rule whose conditions hold.
    fn meet(&mut self, rule: &'a Rule) -> Fate {
        if rule.observe {
            self.decision.observed.push(rule.name.clone());
            return Fate::Observed;
        }
        if let Some(until) = rule.cools_until(self.moment, self.app_cooldowns) {
            if rule.then.cooldown.is_some_and(|cooldown| cooldown.next) {
                return Fate::LeftToLower(until);
            }
            self.silenced.get_or_insert(rule);
            self.understood |= !rule.when.takes_anything;
            return Fate::Silent(until);
        }
        self.act(rule);
        Fate::Acted
    }

    fn act(&mut self, rule: &'a Rule) {
        self.first.get_or_insert(rule);
        self.understood |= !rule.when.takes_anything;
        let said = self.say(rule);
        if let (Some(account), Answer::Success) = (&rule.then.transfer, &self.decision.answer) {
            self.decision.answer = Answer::Transfer(account.clone());
        }
        // The log names the rule that answered; a rule that only set something names itself when none did.
        let answered = said || rule.then.transfer.is_some();
        if answered && self.decision.rule.is_none() {
            self.decision.rule = Some(rule.name.clone());
        }
        self.mute = self.mute.max(rule.then.mute);
        if let Some(state) = &rule.then.set_state {
            let until = later(self.moment.now, rule.then.state_ttl);
            self.decision.contact.state = state.clone().map(|name| DialogState { name, until });
        }
        if let Some(cooldown) = rule.then.cooldown {
            self.begin(rule, cooldown);
        }
    }

    fn begin(&mut self, rule: &Rule, cooldown: Cooldown) {
        let until = later(self.moment.now, cooldown.time);
        if cooldown.per_app {
            self.decision.app_cooldowns.push((rule.name.clone(), until));
        } else {
            self.decision.contact.cooldowns.insert(rule.name.clone(), until);
        }
    }

    /// Plans the rule's replies, or the question to its webhook; whether there is one.
    fn say(&mut self, rule: &'a Rule) -> bool {
        let drafts = &rule.then.replies;
        let drafts = match drafts.len() {
            0 if rule.then.webhook.is_none() => return false,
            0 => &[],
            n if rule.then.random => {
                let one = pick(self.moment.inbound.id, &rule.name, n);
                &drafts[one..=one]
            }
            _ => &drafts[..],
        };
        let pen = Pen::new(
            &self.set.templates,
            Sources::new(
                self.moment,
                &rule.name,
                &rule.captures,
                self.set.vars.get(&self.moment.inbound.app),
            ),
        );
        // Replies go out in order, so one that waits holds up those after it.
        let held_up = self
            .decision
            .replies
            .last()
            .map_or(Duration::ZERO, |last| last.delay);
        let delay = rule.then.delay.max(held_up);
        let mut said = false;
        let own = drafts.iter().filter_map(|draft| draft.fill(&pen));
        let (own, question) = match &rule.then.webhook {
            None => (Some(own), None),
            Some(webhook) => {
                let question = Reply::Webhook(Box::new(Webhook {
                    url: webhook.url.clone(),
                    rule: rule.name.clone(),
                    captures: pen.captures(),
                    state: self.moment.contact.state.as_ref().map(|state| state.name.clone()),
                    fallback: own.collect(),
                }));
                (None, Some(question))
            }
        };
        for reply in own.into_iter().flatten().chain(question) {
            if self.decision.replies.len() == MessageId::MAX_REPLIES {
                break;
            }
            self.decision.replies.push(Planned {
                rule: rule.name.clone(),
                reply,
                delay,
                typing: rule.then.typing && !said,
            });
            said = true;
        }
        said
    }

    fn finish(mut self) -> Decision {
        let decision = &mut self.decision;
        if let Some(first) = self.first {
            decision.status = InboundStatus::Matched;
            decision.rule.get_or_insert_with(|| first.name.clone());
        } else if let Some(silenced) = self.silenced {
            decision.status = InboundStatus::Cooldown;
            decision.rule = Some(silenced.name.clone());
        }
        let (inbound, now) = (self.moment.inbound, self.moment.now);
        let contact = &mut decision.contact;
        if let Some(mute) = self.mute {
            contact.muted_until = Some(later(now, mute));
        }
        if is_message(inbound) {
            contact.first_message.get_or_insert(now);
            contact.last_message = Some(now);
            // While an agent talks to the user, the bot neither understands nor misses anything.
            if decision.status != InboundStatus::Muted {
                let ends = self.understood || decision.answer != Answer::Success;
                contact.misses = if ends { 0 } else { contact.misses.saturating_add(1) };
            }
        }
        self.decision
    }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Which of `n` replies: chance, but the same for the same message, so that it can be replayed.
fn pick(id: MessageId, rule: &crate::message::RuleName, n: usize) -> usize {
    // FNV-1a, then SplitMix64's finish: ids that follow one another must not give the same reply in turn.
    let bytes = id.message().as_i64().to_be_bytes();
    let mut hash = bytes
        .iter()
        .chain(rule.as_str().as_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((hash ^ (hash >> 31)) % n as u64).unwrap_or(0)
}
