//! All that is told of one message: why, what would go out, what follows, what it costs.
//!
//! Judged by the very engine that serves; nothing is sent or recorded. Leaves the words for people to others.

mod described;
mod logged;

pub use described::Described;
pub use logged::{Logged, ReadLoggedError};

use jiff::Timestamp;
use serde::Serialize;

use crate::intake::{Policies, QuotaPolicy, judge};
use crate::message::{
    Answer, AppName, Contact, Cooldowns, DropReason, Facts, Inbound, InboundStatus, OpenId, Reply, RuleName,
    RuleSetVersion, Verdict, Webhook,
};
use crate::rules::{NearMiss, RuleSet, RuleTrace};
use crate::wechat;

/// A message, and all that a decision about it needs.
#[derive(Clone, Debug)]
pub struct Case {
    /// The message.
    pub inbound: Inbound,
    /// What is known of the customer.
    pub contact: Contact,
    /// The cooldowns that run for all customers of the app.
    pub app_cooldowns: Cooldowns,
    /// The time to judge by.
    pub now: Timestamp,
}

impl Case {
    /// A message of somebody of whom nothing is known.
    #[must_use]
    pub fn new(inbound: Inbound) -> Self {
        Self {
            contact: Contact::default(),
            app_cooldowns: Cooldowns::new(),
            now: inbound.received,
            inbound,
        }
    }
}

/// The story, in the form and the order of `--format json`.
#[derive(Serialize)]
pub struct Story<'a> {
    /// The time it is judged by.
    pub at: Timestamp,
    /// The app.
    pub app: &'a AppName,
    /// The customer.
    pub openid: &'a OpenId,
    /// `MsgType`, or the `msgtype` of a reply.
    pub msg_type: &'a str,
    /// `Event`.
    pub event: Option<&'a str>,
    /// The text.
    pub content: Option<&'a str>,
    /// The text as `exact` and `keywords` see it.
    pub normal_form: Option<String>,
    /// The version of the rules.
    pub rule_set: RuleSetVersion,
    /// Every rule of the app in the order tried.
    pub rules: Vec<RuleTrace>,
    /// How it is taken.
    pub status: InboundStatus,
    /// The rule that decides.
    pub rule: Option<RuleName>,
    /// Rules that only watch, and would have answered.
    pub observed: Vec<RuleName>,
    /// The rules that nearly matched, the likeliest first.
    pub nearest: Vec<NearMiss>,
    /// What the push is answered with.
    pub answer: Answer,
    /// What would go out.
    pub replies: Vec<Sent>,
    /// What is known of the customer afterwards.
    pub after: After,
    /// What it costs.
    pub quota: Quota,
}

/// A reply that would go out.
#[derive(Serialize)]
pub struct Sent {
    /// The rule.
    pub rule: RuleName,
    /// `MsgType`, or the `msgtype` of a reply.
    pub msg_type: &'static str,
    /// What is sent.
    pub reply: Reply,
    /// When.
    pub due: Timestamp,
    /// Whether "typing…" is shown until then.
    pub typing: bool,
    /// Why it would not be sent.
    pub dropped: Option<DropReason>,
}

/// What is known of the customer afterwards.
#[derive(Serialize)]
pub struct After {
    /// The dialog state.
    pub state: Option<State>,
    /// Whether this message changed it.
    pub state_changed: bool,
    /// Until when no rule answers.
    pub muted_until: Option<Timestamp>,
    /// Whether this message muted the customer.
    pub mute_changed: bool,
    /// The cooldowns that begin.
    pub cooldowns: Vec<Cooldown>,
    /// Messages in a row that were not understood.
    pub misses: u32,
}

/// A dialog state.
#[derive(PartialEq, Serialize)]
pub struct State {
    /// Its name.
    pub name: String,
    /// When it ends.
    pub until: Timestamp,
}

/// A cooldown that begins.
#[derive(Serialize)]
pub struct Cooldown {
    /// The rule.
    pub rule: RuleName,
    /// When it ends.
    pub until: Timestamp,
    /// For all customers of the app.
    pub per_app: bool,
}

/// WeChat's quota for this customer, and what the message makes of it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// What this push buys; nothing when it buys none.
    pub granted: Option<u32>,
    /// Replies that could be queued for it.
    pub left: u32,
    /// Earlier replies that still wait to be sent, and are paid for.
    pub waiting: u32,
    /// Until when WeChat takes them; nothing when it takes none.
    pub until: Option<Timestamp>,
    /// Replies that are kept for a person.
    pub reserve: u32,
    /// What this message would use.
    pub used: u32,
    /// What would be left.
    pub left_after: u32,
}

impl<'a> Story<'a> {
    /// Tells what these rules make of a message.
    #[must_use]
    pub fn of(case: &'a Case, rules: &RuleSet, policies: &Policies) -> Self {
        let inbound = &case.inbound;
        let facts = Facts {
            now: case.now,
            contact: &case.contact,
            app_cooldowns: &case.app_cooldowns,
        };
        let policy = policies.of(&inbound.app);
        let explanation = rules.explain(inbound, &facts);
        let verdict = judge(rules, inbound, &rules.candidates(inbound), &facts, policy);
        Self {
            at: case.now,
            app: &inbound.app,
            openid: &inbound.openid,
            msg_type: &inbound.msg_type,
            event: inbound.event.as_deref(),
            content: inbound.content.as_deref(),
            normal_form: explanation.normal_form,
            rules: explanation.rules,
            nearest: explanation.nearest,
            after: After::of(case, &verdict),
            quota: Quota::of(case, policy, &verdict),
            replies: replies(&verdict),
            rule_set: verdict.decision.rule_set,
            status: verdict.decision.status,
            rule: verdict.decision.rule,
            observed: verdict.decision.observed,
            answer: verdict.decision.answer,
        }
    }
}

fn replies(verdict: &Verdict) -> Vec<Sent> {
    let sent = verdict.outbound.iter().map(|outbound| Sent {
        rule: outbound.rule.clone(),
        msg_type: outbound.reply.msg_type(),
        reply: shown(&outbound.reply),
        due: outbound.due,
        typing: outbound.typing,
        dropped: outbound.dropped,
    });
    sent.collect()
}

/// As it may be shown: the query of a webhook's URL may hold a password.
fn shown(reply: &Reply) -> Reply {
    match reply {
        Reply::Webhook(webhook) => Reply::Webhook(Box::new(Webhook {
            url: webhook.place().to_owned(),
            ..webhook.as_ref().clone()
        })),
        reply => reply.clone(),
    }
}

impl After {
    fn of(case: &Case, verdict: &Verdict) -> Self {
        let (before, after) = (&case.contact, &verdict.decision.contact);
        let state = |contact: &Contact| {
            let state = contact.state.as_ref().filter(|state| state.until > case.now)?;
            Some(State {
                name: state.name.clone(),
                until: state.until,
            })
        };
        let begun = after
            .cooldowns
            .iter()
            .filter(|(rule, until)| before.cooldowns.get(*rule) != Some(*until))
            .map(|(rule, until)| (rule, *until, false));
        let app_wide = &verdict.decision.app_cooldowns;
        let app_wide = app_wide.iter().map(|(rule, until)| (rule, *until, true));
        Self {
            state: state(after),
            state_changed: state(before) != state(after),
            muted_until: after.muted_until,
            mute_changed: after.muted_until.is_some() && after.muted_until != before.muted_until,
            cooldowns: begun
                .chain(app_wide)
                .map(|(rule, until, per_app)| Cooldown {
                    rule: rule.clone(),
                    until,
                    per_app,
                })
                .collect(),
            misses: after.misses,
        }
    }
}

impl Quota {
    fn of(case: &Case, policy: QuotaPolicy, verdict: &Verdict) -> Self {
        let inbound = &case.inbound;
        let grant = wechat::grant(policy.kind, &inbound.msg_type, inbound.event.as_deref());
        let before = case.contact.ledger;
        let open = grant.map_or(before, |grant| before.granted(grant, case.now));
        let until = open.until.filter(|until| *until > case.now);
        let left = if until.is_some() { open.left } else { 0 };
        let used = verdict.outbound.iter().filter(|o| o.dropped.is_none()).count();
        let used = u32::try_from(used).unwrap_or(u32::MAX);
        Self {
            granted: grant.map(|grant| grant.replies),
            left,
            waiting: before.waiting,
            until,
            reserve: policy.reserve,
            used,
            left_after: left.saturating_sub(used),
        }
    }
}
